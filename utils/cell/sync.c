/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell sync`: brings the mirrors up to date, so that `make` and `ninja` know what must be compiled again. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "ask/ask_unix.h"
#include "locks.h"

struct syncing {
    struct cli *cli;
    const char *dir;
    struct cell_session *session;
    struct cli_json j;
    struct cell_buffer down; /* names of cells that do not run, with spaces before them */
    bool failed;
    char error[CELL_ERROR_TEXT + 128];
};

static const char *mode_name(enum session_mode mode)
{
    return mode == SESSION_LOCKED ? "locked" : mode == SESSION_PLAN ? "plan" : "live";
}

static void report(struct syncing *s, const char *name, const char *result, const char *before, const char *now,
                   const char *message)
{
    if (!s->cli->json)
        return;
    out_begin(&s->j, NULL, '{');
    out_str(&s->j, "name", name);
    out_str(&s->j, "result", result);
    out_str(&s->j, "before", before[0] ? before : NULL);
    out_str(&s->j, "fingerprint", now);
    out_str(&s->j, "message", message);
    out_end(&s->j, '}');
}

static void fail(struct syncing *s, const char *name, const char *before, const char *text)
{
    s->failed = true;
    if (!s->error[0])
        snprintf(s->error, sizeof(s->error), "%s: %s", name, text);
    if (!s->cli->json)
        cli_complain(s->cli, NULL, "%s: %s", name, text);
    report(s, name, "failed", before, NULL, text);
}

static void each(struct syncing *s, const char *name)
{
    char before[CELL_FINGERPRINT_LEN + 1];
    struct session_cell *cell = NULL;
    int r = cell_session_sync(s->session, name, &cell, before);
    const char *text = cell ? cell->error.text : cell_status_text(r);
    if (r == CELL_UNAVAILABLE || r == CELL_DEADLINE_EXCEEDED) {
        cli_warn(s->cli, "%s: %s", name, text);
        cell_buffer_printf(&s->down, " %s", name);
        report(s, name, "unreachable", before, NULL, text);
    } else if (r < 0) {
        fail(s, name, before, text);
    } else if (strcmp(before, cell->fingerprint) == 0) {
        report(s, name, "unchanged", before, cell->fingerprint, NULL);
    } else {
        if (!s->cli->json && before[0])
            printf("%s has another schema, %.12s in place of %.12s: what imports it is compiled again\n", name,
                   cell->fingerprint, before);
        else if (!s->cli->json)
            printf("%s has schema %.12s\n", name, cell->fingerprint);
        report(s, name, before[0] ? "changed" : "new", before, cell->fingerprint, NULL);
    }
}

static int compare_texts(const void *a, const void *b)
{
    const char *x, *y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return strcmp(x, y);
}

/* The cells that builds have seen: those with a mirror. */
static int every(struct syncing *s)
{
    struct cell_arena arena = {0};
    CELL_CLEANUP(cell_cleanup_free) char *folder = NULL;
    const char *names[1024];
    size_t n = 0;
    struct dirent *entry;
    if (asprintf(&folder, "%s/.cell/mirror", s->dir) < 0)
        return folder = NULL, CELL_NO_MEMORY;
    DIR *dir = opendir(folder);
    while (dir && n < sizeof(names) / sizeof(names[0]) && (entry = readdir(dir))) {
        size_t len = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || len < 6 || strcmp(entry->d_name + len - 5, ".json") != 0)
            continue;
        names[n] = cell_arena_copy(&arena, entry->d_name, len - 5);
        if (names[n] && cell_is_identifier(names[n]))
            n++;
    }
    if (dir)
        closedir(dir);
    qsort(names, n, sizeof(*names), compare_texts);
    for (size_t i = 0; i < n; i++)
        each(s, names[i]);
    cell_arena_free(&arena);
    return CELL_OK;
}

static int finish(struct syncing *s)
{
    int code = s->failed ? CLI_FAILED : CLI_OK;
    bool down = s->down.len && cell_buffer_ok(&s->down);
    if (!s->cli->json && down)
        cli_say(s->cli, "Start them before compiling what imports them: cell -C %s up%s", s->dir, s->down.data);
    cell_buffer_free(&s->down);
    if (!s->cli->json)
        return code;
    out_end(&s->j, ']');
    if (code == CLI_OK) {
        out_null(&s->j, "error");
    } else {
        out_begin(&s->j, "error", '{');
        out_int(&s->j, "exit", code);
        out_str(&s->j, "message", s->error);
        out_null(&s->j, "hint");
        out_end(&s->j, '}');
    }
    out_end(&s->j, '}');
    int printed = out_print(s->cli, &s->j);
    return code != CLI_OK ? code : printed;
}

int cmd_sync(struct cli *cli, int argc, char **argv)
{
    struct syncing s = {.cli = cli};
    struct cell_error e = {0};
    struct cli_args args;
    char file[4200];
    int r = cli_parse(cli, argc, argv, NULL, 0, &args);

    if (r != 0)
        return r;
    for (int i = 0; i < args.n; i++)
        if (!cell_is_identifier(args.items[i]))
            return cli_error(cli, CLI_USAGE, "run `cell list`", "'%s' cannot be the name of a cell", args.items[i]);
    s.dir = locks_dir(cli);
    if (!s.dir)
        return CLI_FAILED;
    /* As a compilation of a file in the folder would ask. */
    snprintf(file, sizeof(file), "%s/cell.sync", strcmp(s.dir, "/") == 0 ? "" : s.dir);
    if (cell_session_new(file, NULL, SESSION_LIVE, &cell_exchange_unix, &s.session, &e) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "%s", e.text);
    if (cli->json) {
        out_begin(&s.j, NULL, '{');
        out_str(&s.j, "mode", mode_name(cell_session_mode(s.session)));
        out_begin(&s.j, "cells", '[');
    }
    for (int i = 0; i < args.n; i++)
        each(&s, args.items[i]);
    if (!args.n)
        every(&s);
    r = finish(&s);
    cell_session_free(s.session);
    return r;
}
