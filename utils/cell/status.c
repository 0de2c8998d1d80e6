/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell status` and `cell list`: what the supervisor knows, and what the cells themselves answer. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "link_health.h"
#include "supervisor.h"

#define HEALTH_MS 1000u

/* What the supervisor says of one cell. */
struct managed {
    char name[CELL_MAX_CELL_NAME + 1], state[16], why[256];
    int64_t pid;
    unsigned restarts;
    uint64_t uptime_ms;
};

struct row {
    const char *name, *state;
    char *address;
    const struct managed *managed; /* NULL = unknown to the supervisor */
    struct link_health health;
    int64_t pid;
    uint64_t memory, uptime_ms;
    bool has_memory;
    char detail[CELL_ERROR_TEXT];
};

struct table {
    struct managed *managed;
    size_t nmanaged;
    struct row *rows;
    size_t nrows;
    int64_t supervisor; /* pid, 0 = none */
};

/* CELL_OK also when no supervisor runs. */
static int ask_supervisor(const char *run_dir, struct table *t, struct cell_error *e)
{
    char *f[CONTROL_MAX_FIELDS];
    struct control c;
    bool timed_out = false;
    size_t n = 0;
    int r = control_open(run_dir, &c, e);

    if (r == CELL_UNAVAILABLE)
        return CELL_OK;
    if (r >= 0)
        r = control_send(&c, "status\n", e);
    while (r >= 0 && (r = control_next(&c, 5000, f, &n, &timed_out, e)) > 0 && strcmp(f[0], "cell") == 0 && n >= 7) {
        struct managed *grown = realloc(t->managed, (t->nmanaged + 1) * sizeof(*grown));

        if (!grown) {
            r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
            break;
        }
        t->managed = grown;
        struct managed *m = &grown[t->nmanaged++];
        snprintf(m->name, sizeof(m->name), "%s", f[1]);
        snprintf(m->state, sizeof(m->state), "%s", f[2]);
        snprintf(m->why, sizeof(m->why), "%s", f[6]);
        m->pid = strtol(f[3], NULL, 10);
        m->restarts = (unsigned)strtoul(f[4], NULL, 10);
        m->uptime_ms = strtoull(f[5], NULL, 10);
    }
    if (timed_out)
        r = cell_error_set(e, CELL_DEADLINE_EXCEEDED, "the supervisor (process %d) does not answer", (int)c.pid);
    t->supervisor = c.pid;
    control_close(&c);
    return r < 0 ? r : CELL_OK;
}

static const struct managed *find_managed(const struct table *t, const char *name)
{
    for (size_t i = 0; i < t->nmanaged; i++)
        if (strcmp(t->managed[i].name, name) == 0)
            return &t->managed[i];
    return NULL;
}

/* Bytes that only this process has: what would be free if it ended. False when it may not be looked at. */
static bool private_memory(int64_t pid, uint64_t *bytes)
{
    char path[64], line[256];
    unsigned long long kib;
    bool any = false;

    snprintf(path, sizeof(path), "/proc/%" PRId64 "/smaps_rollup", pid);
    FILE *f = fopen(path, "re");
    *bytes = 0;
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "Private_Clean: %llu kB", &kib) == 1 || sscanf(line, "Private_Dirty: %llu kB", &kib) == 1) {
            *bytes += kib * 1024;
            any = true;
        }
    if (f)
        fclose(f);
    return any;
}

/* A peer that hangs up and one that is not there are both unavailable; only the second one is stopped. */
static bool accepts(const char *address, bool any_owner)
{
    const struct cell_connect_options options = {.max_payload = CELL_MAX_OPS_REPLY, .any_owner = any_owner};
    const struct cell_transport *transport = cell_transport_find(address);
    struct cell_conn *conn = NULL;

    if (!transport || transport->connect(address, &options, &conn, NULL) < 0)
        return false;
    cell_conn_close(conn);
    return true;
}

static void look(struct row *row, const struct table *t, const struct cell_config *config)
{
    struct cell_error e = {0};
    int r = link_health(row->address, row->name, config->trust_any_owner, cell_now_ns() + HEALTH_MS * CELL_NS_PER_MS,
                        &row->health, &e);
    const struct managed *m = row->managed = find_managed(t, row->name);
    bool ours = m && m->pid > 0;

    row->state = ours ? m->state : "stopped";
    row->pid = ours ? m->pid : 0;
    row->uptime_ms = ours ? m->uptime_ms : 0;
    if (r >= 0) {
        row->pid = row->pid ? row->pid : row->health.pid;
        row->uptime_ms = row->health.uptime_ms ? row->health.uptime_ms : row->uptime_ms;
        if (!ours)
            row->state = "foreign";
        if (strcmp(row->health.status, "serving") != 0)
            snprintf(row->detail, sizeof(row->detail), "%s", row->health.status);
    } else if (m && (strcmp(m->state, "failed") == 0 || (!ours && strcmp(m->state, "backoff") == 0))) {
        row->state = m->state;
        snprintf(row->detail, sizeof(row->detail), "%s", m->why);
    } else if (ours || r != CELL_UNAVAILABLE || accepts(row->address, config->trust_any_owner)) {
        /* Somebody is there, but does not speak as a cell should. */
        if (!ours || strcmp(m->state, "running") == 0)
            row->state = "unresponsive";
        snprintf(row->detail, sizeof(row->detail), "%s", e.text);
    }
    row->has_memory = row->pid > 0 && private_memory(row->pid, &row->memory);
}

/* "-" when the cell does not say it. */
static void connections(const struct link_health *h, char *out, size_t size)
{
    if (!h->counts_connections)
        snprintf(out, size, "-");
    else if (h->unix_conns && h->shm_conns)
        snprintf(out, size, "%" PRIu64 " shm %" PRIu64 " unix", h->shm_conns, h->unix_conns);
    else if (h->unix_conns || h->shm_conns)
        snprintf(out, size, "%" PRIu64 " %s", h->unix_conns + h->shm_conns, h->shm_conns ? "shm" : "unix");
    else
        snprintf(out, size, "0");
}

static void connections_json(struct cli_json *j, const struct link_health *h)
{
    if (!h->counts_connections) {
        out_null(j, "connections");
        return;
    }
    out_begin(j, "connections", '{');
    out_uint(j, "unix", h->unix_conns);
    out_uint(j, "shm", h->shm_conns);
    out_end(j, '}');
}

static void print_rows(struct cli *cli, const struct table *t)
{
    int width = 4;
    const char *bold = cli_style(cli, stdout, CLI_BOLD), *plain = cli_style(cli, stdout, CLI_PLAIN);

    for (size_t i = 0; i < t->nrows; i++)
        width = (int)strlen(t->rows[i].name) > width ? (int)strlen(t->rows[i].name) : width;
    printf("%s%-*s  %-12s %8s  %-10s %8s  %10s  %10s  %-14s  %-12s%s\n", bold, width, "CELL", "STATE", "PID", "UPTIME",
           "RESTARTS", "MEMORY", "CALLS", "CONNECTIONS", "FINGERPRINT", plain);
    for (size_t i = 0; i < t->nrows; i++) {
        const struct row *r = &t->rows[i];
        char pid[24] = "-", up[32] = "-", restarts[16] = "-", memory[32] = "-", calls[24] = "-", conns[56];
        bool good = r->health.answered && strcmp(r->health.status, "serving") == 0;

        if (r->pid) {
            snprintf(pid, sizeof(pid), "%" PRId64, r->pid);
            cli_duration(r->uptime_ms, up);
        }
        if (r->managed)
            snprintf(restarts, sizeof(restarts), "%u", r->managed->restarts);
        if (r->has_memory)
            cli_size(r->memory, memory);
        if (r->health.answered)
            snprintf(calls, sizeof(calls), "%" PRIu64, r->health.calls);
        connections(&r->health, conns, sizeof(conns));
        printf("%-*s  %s%-12s%s %8s  %-10s %8s  %10s  %10s  %-14s  %-12.12s", width, r->name,
               cli_style(cli, stdout, good ? CLI_GREEN : CLI_YELLOW), r->state, plain, pid, up, restarts, memory, calls,
               conns, r->health.fingerprint[0] ? r->health.fingerprint : "-");
        if (r->detail[0]) {
            fputs("  ", stdout);
            cli_print_safe(stdout, r->detail);
        }
        putchar('\n');
    }
    cli_flush(cli);
}

static int print_json(struct cli *cli, const struct table *t)
{
    struct cli_json j = {0};

    out_begin(&j, NULL, '{');
    if (t->supervisor)
        out_int(&j, "supervisor", t->supervisor);
    else
        out_null(&j, "supervisor");
    out_begin(&j, "cells", '[');
    for (size_t i = 0; i < t->nrows; i++) {
        const struct row *r = &t->rows[i];

        out_begin(&j, NULL, '{');
        out_str(&j, "name", r->name);
        out_str(&j, "state", r->state);
        out_bool(&j, "serving", r->health.answered && strcmp(r->health.status, "serving") == 0);
        out_str(&j, "address", r->address);
        if (r->pid)
            out_int(&j, "pid", r->pid);
        else
            out_null(&j, "pid");
        out_uint(&j, "uptime_ms", r->uptime_ms);
        out_uint(&j, "restarts", r->managed ? r->managed->restarts : 0);
        if (r->has_memory)
            out_uint(&j, "private_bytes", r->memory);
        else
            out_null(&j, "private_bytes");
        out_uint(&j, "calls", r->health.calls);
        out_uint(&j, "errors", r->health.errors);
        connections_json(&j, &r->health);
        out_str(&j, "fingerprint", r->health.fingerprint[0] ? r->health.fingerprint : NULL);
        out_str(&j, "version", r->health.version[0] ? r->health.version : NULL);
        out_str(&j, "detail", r->detail[0] ? r->detail : NULL);
        out_end(&j, '}');
    }
    out_end(&j, ']');
    out_end(&j, '}');
    return out_print(cli, &j);
}

static bool add_row(struct table *t, struct cell_config *config, const char *name)
{
    struct row *grown = realloc(t->rows, (t->nrows + 1) * sizeof(*grown));
    const char *address = cell_config_address(config, name);

    if (!grown)
        return false;
    t->rows = grown;
    t->rows[t->nrows] = (struct row){.name = strdup(name), .address = address ? strdup(address) : NULL};
    struct row *row = &t->rows[t->nrows++];
    return row->name && row->address;
}

static const struct row *find_row(const struct table *t, const char *name)
{
    for (size_t i = 0; i < t->nrows; i++)
        if (strcmp(t->rows[i].name, name) == 0)
            return &t->rows[i];
    return NULL;
}

static void free_rows(struct table *t)
{
    for (size_t i = 0; i < t->nrows; i++) {
        free((char *)(uintptr_t)t->rows[i].name);
        free(t->rows[i].address);
    }
    free(t->rows);
    t->rows = NULL;
    t->nrows = 0;
}

/* Adds the cells whose sockets are in run_dir and that cell.json does not name. */
static bool add_sockets(struct table *t, struct cell_config *config)
{
    DIR *dir = opendir(config->run_dir);
    struct dirent *entry;
    bool ok = true;

    while (ok && dir && (entry = readdir(dir))) {
        size_t len = strlen(entry->d_name);
        char name[CELL_MAX_CELL_NAME + 1];
        struct stat st;

        if (len < 6 || len - 5 > CELL_MAX_CELL_NAME || strcmp(entry->d_name + len - 5, ".sock") != 0)
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)(len - 5), entry->d_name);
        if (!cell_is_identifier(name) || find_row(t, name) || fstatat(dirfd(dir), entry->d_name, &st, 0) < 0 ||
            !S_ISSOCK(st.st_mode))
            continue;
        ok = add_row(t, config, name);
    }
    if (dir)
        closedir(dir);
    return ok;
}

static void free_table(struct table *t)
{
    free_rows(t);
    free(t->managed);
}

static int fill(struct cli *cli, struct table *t, char **names, int n)
{
    struct cell_config *config = cli->config;

    bool ok = true;

    for (uint32_t i = 0; ok && i < config->ncells; i++)
        ok = add_row(t, config, config->cells[i].name);
    ok = ok && add_sockets(t, config);
    if (!ok)
        return cli_error(cli, CLI_FAILED, NULL, "out of memory");
    if (n == 0)
        return CLI_OK;
    /* Only those that are named, in their order; each must be in cell.json or have a socket. */
    struct table some = {0};
    for (int i = 0; ok && i < n; i++) {
        if (!find_row(t, names[i]) && !cli_config_cell(cli, names[i])) {
            free_rows(&some);
            return CLI_FAILED;
        }
        ok = find_row(&some, names[i]) || add_row(&some, config, names[i]);
    }
    free_rows(t);
    t->rows = some.rows;
    t->nrows = some.nrows;
    return ok ? CLI_OK : cli_error(cli, CLI_FAILED, NULL, "out of memory");
}

int cmd_status(struct cli *cli, int argc, char **argv)
{
    struct table t = {0};
    struct cell_error e = {0};
    struct cli_args args;
    bool all_serve = true;
    int r = cli_parse(cli, argc, argv, NULL, 0, &args);

    if (r != 0)
        return r;
    if (!cli_config(cli, false))
        return CLI_FAILED;
    for (int i = 0; i < args.n; i++)
        if (!cell_is_identifier(args.items[i]))
            return cli_error(cli, CLI_USAGE, NULL, "'%s' is no name of a cell", args.items[i]);
    if (ask_supervisor(cli->config->run_dir, &t, &e) < 0)
        cli_warn(cli, "%s", e.text);
    r = fill(cli, &t, args.items, args.n);
    for (size_t i = 0; r == CLI_OK && i < t.nrows; i++) {
        cli_progress(cli, "asking %s …", t.rows[i].name);
        look(&t.rows[i], &t, cli->config);
        all_serve = all_serve && t.rows[i].health.answered && strcmp(t.rows[i].health.status, "serving") == 0;
    }
    cli_progress(cli, "%s", "");
    if (r == CLI_OK) {
        if (cli->json)
            r = print_json(cli, &t);
        else if (t.nrows == 0)
            cli_say(cli, "no cells: neither in %s nor in %s", cli->config->path ? cli->config->path : "a cell.json",
                    cli->config->run_dir);
        else
            print_rows(cli, &t);
    }
    if (r == CLI_OK && !all_serve)
        r = CLI_UNAVAILABLE;
    free_table(&t);
    return r;
}

static void list_json(struct cli_json *j, const struct row *row, const struct config_cell *cell)
{
    out_begin(j, NULL, '{');
    out_str(j, "name", row->name);
    out_str(j, "address", row->address);
    out_bool(j, "configured", cell != NULL);
    out_begin(j, "command", '[');
    for (const char *const *arg = cell ? cell->command : NULL; arg && *arg; arg++)
        out_str(j, NULL, *arg);
    out_end(j, ']');
    out_begin(j, "needs", '[');
    for (const char *const *need = cell ? cell->needs : NULL; need && *need; need++)
        out_str(j, NULL, *need);
    out_end(j, ']');
    out_end(j, '}');
}

static void list_text(const struct row *row, const struct config_cell *cell)
{
    printf("%-16s ", row->name);
    cli_print_safe(stdout, row->address);
    if (!cell)
        fputs("  (not in cell.json)", stdout);
    for (const char *const *need = cell ? cell->needs : NULL; need && *need; need++)
        printf("%s%s", need == cell->needs ? "  needs " : ", ", *need);
    putchar('\n');
}

int cmd_list(struct cli *cli, int argc, char **argv)
{
    struct table t = {0};
    struct cli_json j = {0};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, NULL, 0, &args);

    if (r != 0)
        return r;
    if (args.n > 0)
        return cli_error(cli, CLI_USAGE, "run `cell help list`", "list takes no arguments");
    if (!cli_config(cli, false))
        return CLI_FAILED;
    r = fill(cli, &t, NULL, 0);
    out_begin(&j, NULL, '{');
    out_str(&j, "config", cli->config->path);
    out_str(&j, "run_dir", cli->config->run_dir);
    out_begin(&j, "cells", '[');
    for (size_t i = 0; r == CLI_OK && i < t.nrows; i++) {
        const struct config_cell *cell = cell_config_cell(cli->config, t.rows[i].name);

        if (cli->json)
            list_json(&j, &t.rows[i], cell);
        else
            list_text(&t.rows[i], cell);
    }
    out_end(&j, ']');
    out_end(&j, '}');
    if (r == CLI_OK && cli->json)
        r = out_print(cli, &j);
    else
        cell_buffer_free(&j.b);
    if (r == CLI_OK && !cli->json && t.nrows == 0)
        cli_say(cli, "no cells: neither in %s nor in %s", cli->config->path ? cli->config->path : "a cell.json",
                cli->config->run_dir);
    free_table(&t);
    return r;
}
