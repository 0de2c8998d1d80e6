/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * One cell's life: STOPPED → CHECKING (does somebody serve there already?) → STARTING → RUNNING, and from there to
 * BACKOFF after a crash, or STOPPING → STOPPED on demand.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor.h"

#define CHECK_MS 3000u /* how long a socket may be in the way: another cell that drains */
#define PROBE_MAX_MS 200u

static char **copy_vector(const char *const *from)
{
    size_t n = 0;

    while (from && from[n])
        n++;
    char **to = calloc(n + 1, sizeof(*to));
    for (size_t i = 0; to && i < n; i++) {
        to[i] = strdup(from[i]);
        if (!to[i]) {
            while (i > 0)
                free(to[--i]);
            free(to);
            return NULL;
        }
    }
    return to;
}

static void free_vector(char **v)
{
    for (size_t i = 0; v && v[i]; i++)
        free(v[i]);
    free(v);
}

static void free_definition(struct sup_cell *c)
{
    free(c->address);
    free(c->dir);
    free_vector(c->command);
    free_vector(c->needs);
    free_vector(c->env);
}

/* Replaces what the config says of the cell; leaves it as it was when memory is short. */
static int define(struct sup_cell *c, const struct config_cell *d, const char *dir, bool any_owner,
                  struct cell_error *e)
{
    struct sup_cell made = {.address = strdup(d->address),
                            .dir = strdup(dir),
                            .needs = copy_vector(d->needs),
                            .env = copy_vector(d->env),
                            .command = d->command ? copy_vector(d->command) : NULL};

    if (!made.address || !made.dir || !made.needs || !made.env || (d->command && !made.command)) {
        free_definition(&made);
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    free_definition(c);
    c->address = made.address;
    c->dir = made.dir;
    c->command = made.command;
    c->needs = made.needs;
    c->env = made.env;
    c->any_owner = any_owner;
    return CELL_OK;
}

struct sup_cell *sup_cell_find(struct supervisor *s, const char *name)
{
    for (size_t i = 0; i < s->ncells; i++)
        if (strcmp(s->cells[i]->name, name) == 0)
            return s->cells[i];
    return NULL;
}

struct sup_cell *sup_cell_get(struct supervisor *s, const struct config_cell *d, const char *dir, bool any_owner,
                              struct cell_error *e)
{
    struct sup_cell *c = sup_cell_find(s, d->name);

    if (c) {
        /* What runs keeps the definition that it was started with. */
        return c->state != SUP_STOPPED || define(c, d, dir, any_owner, e) >= 0 ? c : NULL;
    }
    struct sup_cell **grown = realloc(s->cells, (s->ncells + 1) * sizeof(*grown));
    if (grown)
        s->cells = grown;
    c = grown ? calloc(1, sizeof(*c)) : NULL;
    if (c) {
        c->name = strdup(d->name);
        c->out = c->probe.fd = c->log.fd = -1;
    }
    if (!c || !c->name) {
        cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    } else if (define(c, d, dir, any_owner, e) >= 0 &&
               log_open(&c->log, s->log_dir, c->name, s->foreground && !s->cli->json, e) >= 0) {
        s->cells[s->ncells++] = c;
        return c;
    }
    sup_cell_free(c);
    return NULL;
}

void sup_cell_free(struct sup_cell *c)
{
    if (!c)
        return;
    probe_stop(&c->probe);
    if (c->out >= 0)
        close(c->out);
    log_close(&c->log);
    free_definition(c);
    free(c->name);
    free(c);
}

const char *sup_state_name(const struct sup_cell *c)
{
    static const char *const names[] = {"stopped", "starting", "starting", "running", "backoff", "stopping"};

    return c->failed && c->state == SUP_STOPPED ? "failed" : names[c->state];
}

static void came_to_nothing(struct sup_cell *c, const char *why)
{
    if (why != c->why)
        snprintf(c->why, sizeof(c->why), "%s", why);
    c->state = SUP_STOPPED;
    c->failed = true;
    log_note(&c->log, "%s: %s", c->name, c->why);
}

/* Between half and all of a delay that doubles: cells that died together do not come back together. */
static uint64_t backoff_ms(unsigned failures)
{
    uint64_t ms = SUP_BACKOFF_MIN_MS;
    uint32_t random = 0;

    for (unsigned i = 1; i < failures && ms < SUP_BACKOFF_MAX_MS; i++)
        ms *= 2;
    if (ms > SUP_BACKOFF_MAX_MS)
        ms = SUP_BACKOFF_MAX_MS;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        random = (uint32_t)cell_now_ns();
    return ms / 2 + random % (ms / 2 + 1);
}

static void restart_later(struct sup_cell *c)
{
    uint64_t ms = backoff_ms(++c->failures);

    c->state = SUP_BACKOFF;
    c->next_ns = cell_now_ns() + ms * CELL_NS_PER_MS;
    log_note(&c->log, "%s %s; restart in %" PRIu64 " ms", c->name, c->why, ms);
}

static void launch(struct supervisor *s, struct sup_cell *c)
{
    struct cell_error e = {0};
    uint64_t now;

    c->why[0] = '\0';
    c->killed = false;
    c->run++;
    log_forget_tail(&c->log);
    if (!c->command) {
        snprintf(c->why, sizeof(c->why), "has no command in cell.json, and nothing serves at %s", c->address);
        came_to_nothing(c, c->why);
        return;
    }
    if (sup_spawn(s, c, &e) < 0) {
        snprintf(c->why, sizeof(c->why), "cannot be started: %s", e.text);
        if (c->restarting)
            restart_later(c);
        else
            came_to_nothing(c, c->why);
        return;
    }
    now = cell_now_ns();
    log_note(&c->log, "%s started as process %d", c->name, (int)c->pid);
    c->state = SUP_STARTING;
    c->started_ns = now;
    c->deadline_ns = now + c->start_ms * CELL_NS_PER_MS;
    c->probes = 0;
    c->next_ns = now + 5 * CELL_NS_PER_MS;
}

static void probed(struct supervisor *s, struct sup_cell *c, enum probe_result result)
{
    uint64_t now = cell_now_ns();

    if (result == PROBE_PENDING)
        return;
    if (c->state == SUP_CHECKING && result == PROBE_ABSENT) {
        launch(s, c);
        return;
    }
    if (c->state == SUP_CHECKING && result == PROBE_SERVING) {
        c->state = SUP_STOPPED;
        c->serving_elsewhere = true;
        c->other_pid = c->probe.pid;
        return;
    }
    if (c->state == SUP_CHECKING && now >= c->deadline_ns) {
        snprintf(c->why, sizeof(c->why), "cannot be started: process %d is in the way at %s: %s", (int)c->probe.pid,
                 c->address, c->probe.text);
        came_to_nothing(c, c->why);
        return;
    }
    if (c->state == SUP_STARTING && result == PROBE_SERVING) {
        c->state = SUP_RUNNING;
        c->ready_ns = now;
        log_note(&c->log, "%s serves", c->name);
        return;
    }
    uint64_t ms = UINT64_C(10) << (c->probes < 5 ? c->probes : 5);
    c->probes++;
    c->next_ns = now + (ms < PROBE_MAX_MS ? ms : PROBE_MAX_MS) * CELL_NS_PER_MS;
}

void sup_cell_begin(struct supervisor *s, struct sup_cell *c, uint32_t timeout_ms)
{
    c->start_ms = timeout_ms;
    c->restarting = c->failed = c->serving_elsewhere = false;
    c->failures = c->restarts = c->probes = 0;
    c->why[0] = '\0';
    c->state = SUP_CHECKING;
    c->deadline_ns = cell_now_ns() + (timeout_ms < CHECK_MS ? timeout_ms : CHECK_MS) * CELL_NS_PER_MS;
    probed(s, c, probe_start(&c->probe, c->address, c->name, c->any_owner));
}

/* The whole process group: what a cell started and left behind goes with it. */
static void kill_group(struct sup_cell *c)
{
    if (kill(-c->pid, SIGKILL) < 0)
        kill(c->pid, SIGKILL);
}

void sup_cell_stop(struct supervisor *s, struct sup_cell *c, uint32_t timeout_ms)
{
    (void)s;
    probe_stop(&c->probe);
    c->serving_elsewhere = false;
    if (c->pid == 0) {
        c->state = SUP_STOPPED;
        return;
    }
    if (c->state == SUP_STOPPING)
        return;
    log_note(&c->log, "%s is asked to stop", c->name);
    c->state = SUP_STOPPING;
    c->deadline_ns = cell_now_ns() + timeout_ms * CELL_NS_PER_MS;
    kill(c->pid, SIGTERM);
}

void sup_cell_output(struct sup_cell *c)
{
    char bytes[16384];

    for (int i = 0; c->out >= 0 && i < 16; i++) { /* bounded: a chatty cell must not keep the loop */
        ssize_t n = read(c->out, bytes, sizeof(bytes));

        if (n > 0) {
            log_write(&c->log, bytes, (size_t)n);
            continue;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            close(c->out);
            c->out = -1;
        }
        return;
    }
}

/* Removes the socket that a killed cell left: only a socket, only ours, only when nobody listens. */
static void remove_stale_socket(const struct sup_cell *c)
{
    const struct cell_connect_options options = {.deadline_ns = 0, .max_payload = CELL_MAX_OPS_REPLY};
    const char *path = c->address + 5;
    struct cell_conn *conn = NULL;
    struct stat st;

    if (strncmp(c->address, "unix:/", 6) != 0 || lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode) ||
        st.st_uid != geteuid())
        return;
    if (cell_transport_unix.connect(c->address, &options, &conn, NULL) == CELL_UNAVAILABLE)
        unlink(path);
    cell_conn_close(conn);
}

static void describe_exit(struct sup_cell *c, int status)
{
    if (c->why[0])
        return;
    if (WIFSIGNALED(status))
        snprintf(c->why, sizeof(c->why), "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(c->why, sizeof(c->why), "exited with status %d%s", WEXITSTATUS(status),
                 c->state == SUP_STARTING ? " before it served" : "");
}

void sup_cell_exited(struct supervisor *s, struct sup_cell *c, int status)
{
    enum sup_state was = c->state;
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    (void)s;
    probe_stop(&c->probe);
    sup_cell_output(c);
    if (c->out >= 0)
        close(c->out);
    c->out = -1;
    c->pid = 0;
    describe_exit(c, status);
    remove_stale_socket(c);
    if (was == SUP_STOPPING) {
        c->state = SUP_STOPPED;
        log_note(&c->log, "%s has stopped", c->name);
    } else if (was == SUP_STARTING && !c->restarting) {
        came_to_nothing(c, c->why);
    } else if (was == SUP_RUNNING && clean) {
        c->state = SUP_STOPPED;
        log_note(&c->log, "%s ended by itself", c->name);
    } else {
        restart_later(c);
    }
}

static void tick_starting(struct supervisor *s, struct sup_cell *c, uint64_t now)
{
    char text[32];

    if (c->state == SUP_STARTING && now >= c->deadline_ns) {
        const char *last = c->probe.fd >= 0 ? "it does not answer" : c->probe.text;

        snprintf(c->why, sizeof(c->why), "did not serve within %s%s%s", cli_duration(c->start_ms, text),
                 last[0] ? "; last: " : "", last);
        probe_stop(&c->probe);
        c->deadline_ns = CELL_NO_DEADLINE;
        kill_group(c);
        return;
    }
    if (c->probe.fd < 0 && now >= c->next_ns && c->deadline_ns != CELL_NO_DEADLINE)
        probed(s, c, probe_start(&c->probe, c->address, c->name, c->any_owner));
}

void sup_cell_tick(struct supervisor *s, struct sup_cell *c, uint64_t now, bool probe_ready)
{
    if (c->probe.fd >= 0 && (probe_ready || now >= c->probe.deadline_ns))
        probed(s, c, probe_step(&c->probe));
    switch (c->state) {
    case SUP_CHECKING:
    case SUP_STARTING:
        tick_starting(s, c, now);
        break;
    case SUP_RUNNING:
        if (c->failures > 0 && now >= c->ready_ns + SUP_HEALTHY_MS * CELL_NS_PER_MS)
            c->failures = 0;
        break;
    case SUP_BACKOFF:
        if (now >= c->next_ns) {
            c->restarting = true;
            c->restarts++;
            launch(s, c);
        }
        break;
    case SUP_STOPPING:
        if (now >= c->deadline_ns) {
            c->killed = true;
            c->deadline_ns = CELL_NO_DEADLINE;
            log_note(&c->log, "%s did not stop in time and is killed", c->name);
            kill_group(c);
        }
        break;
    case SUP_STOPPED:
        break;
    }
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t sup_cell_next_ns(const struct sup_cell *c)
{
    switch (c->state) {
    case SUP_CHECKING:
    case SUP_STARTING:
        return earlier(c->state == SUP_STARTING ? c->deadline_ns : CELL_NO_DEADLINE,
                       c->probe.fd >= 0                     ? c->probe.deadline_ns
                       : c->deadline_ns == CELL_NO_DEADLINE ? CELL_NO_DEADLINE
                                                            : c->next_ns);
    case SUP_RUNNING:
        return c->failures ? c->ready_ns + SUP_HEALTHY_MS * CELL_NS_PER_MS : CELL_NO_DEADLINE;
    case SUP_BACKOFF:
        return c->next_ns;
    case SUP_STOPPING:
        return c->deadline_ns;
    case SUP_STOPPED:
        break;
    }
    return CELL_NO_DEADLINE;
}
