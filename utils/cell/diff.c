/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell diff`: how what the cells offer now differs from what is locked, or was locked in an earlier revision. */
#include <stdlib.h>
#include <string.h>

#include "locks.h"

struct differ {
    struct cli *cli;
    const char *dir, *since;
    bool locked;
    struct cell_records records;
    struct cli_json j;
    int code;
    char error[CELL_ERROR_TEXT + 128];
};

/* The lock of the revision, or the one that is there. *lock stays NULL when there was none. */
static int read_before(struct differ *d, const char *name, struct cell_lock **lock, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *text = NULL;
    char path[CELL_MAX_CELL_NAME + 64], title[CELL_MAX_CELL_NAME + 200];
    size_t len = 0;
    if (!d->since) {
        int r = cell_lock_read(d->dir, name, lock, e);
        return r == CELL_NOT_FOUND ? CELL_OK : r;
    }
    snprintf(path, sizeof(path), CELL_LOCK_FOLDER "/%s.json", name);
    snprintf(title, sizeof(title), "%.100s:%s", d->since, path);
    int r = git_show(d->dir, d->since, path, CELL_LOCK_MAX_BYTES, &text, &len, e);
    if (r >= 0)
        r = cell_lock_parse(title, name, text, len, lock, e);
    return r == CELL_NOT_FOUND ? CELL_OK : r;
}

static void fail(struct differ *d, const char *name, int status, const char *text)
{
    int code = cli_exit_of(status);
    if (!d->error[0])
        snprintf(d->error, sizeof(d->error), "%s: %s", name, text);
    if (d->code != CLI_FAILED)
        d->code = code;
    if (d->cli->json)
        out_str(&d->j, "message", text);
    else
        cli_complain(d->cli, code == CLI_UNAVAILABLE ? "start it with `cell up`, or compare locks with --locked" : NULL,
                     "%s: %s", name, text);
}

static int show(struct differ *d, const char *name, const struct cell_lock *before, const struct cell_lock *after,
                const struct lock_live *live, struct cell_error *e)
{
    struct lock_changes c;
    int r = locks_compare(before, after, &c, e);
    if (r < 0)
        return r;
    bool differs = !before || locks_differ(&c) || (live && live->nrefused);
    if (d->cli->json) {
        out_bool(&d->j, "differs", differs);
        locks_report(d->cli, &d->j, before, after, &c, live);
    } else if (differs) {
        printf("%s%s%s: %s%.12s → %.12s\n", cli_style(d->cli, stdout, CLI_BOLD), name,
               cli_style(d->cli, stdout, CLI_PLAIN), before ? "" : "was not locked, ",
               before ? before->fingerprint : "none", after->fingerprint);
        locks_report(d->cli, NULL, before, after, &c, live);
    }
    locks_changes_free(&c);
    return CELL_OK;
}

static int diff_locked(struct differ *d, const char *name, const struct cell_lock *before, struct cell_error *e)
{
    struct cell_lock *after = NULL;
    int r = cell_lock_read(d->dir, name, &after, e);
    if (r >= 0)
        r = show(d, name, before, after, NULL, e);
    else if (r == CELL_NOT_FOUND)
        r = cell_error_set(e, CELL_FAILED_PRECONDITION, "it is not locked any more");
    cell_lock_free(after);
    return r;
}

static int diff_live(struct differ *d, const char *name, const struct cell_lock *before, struct cell_error *e)
{
    struct cell_lock *present = NULL;
    struct lock_live live;
    if (d->since)
        cell_lock_read(d->dir, name, &present, NULL);
    const struct lock_wanted wanted = {.locks = {present, before}, .records = &d->records, .dir = d->dir};
    int r = locks_ask(d->cli, name, &wanted, &live, e);
    if (r >= 0) {
        r = show(d, name, before, &live.lock, &live, e);
        locks_live_free(&live);
    }
    cell_lock_free(present);
    return r;
}

static void each(struct differ *d, const char *name)
{
    struct cell_lock *before = NULL;
    struct cell_error e = {0};
    if (d->cli->json) {
        out_begin(&d->j, NULL, '{');
        out_str(&d->j, "name", name);
    }
    int r = read_before(d, name, &before, &e);
    if (r >= 0)
        r = d->locked ? diff_locked(d, name, before, &e) : diff_live(d, name, before, &e);
    if (r < 0)
        fail(d, name, r, e.text);
    cell_lock_free(before);
    if (d->cli->json)
        out_end(&d->j, '}');
}

static int compare_texts(const void *a, const void *b)
{
    const char *x, *y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return strcmp(x, y);
}

/* The cells that are locked, or were in the revision; `lines` (of git) is written to. */
static const char **all_names(struct cell_arena *arena, const char *const *now, char *lines, size_t *n)
{
    size_t most = 1, count = 0;
    for (size_t i = 0; now[i]; i++)
        most++;
    for (const char *p = lines; p && *p; p++)
        most += *p == '\n';
    const char **names = cell_arena_array(arena, most, sizeof(*names));
    for (size_t i = 0; names && now[i]; i++)
        names[count++] = now[i];
    for (char *line = names ? lines : NULL, *stop; line && (stop = strchr(line, '\n')); line = stop + 1) {
        *stop = '\0';
        size_t len = strlen(line);
        if (len < 6 || strcmp(line + len - 5, ".json") != 0)
            continue;
        line[len - 5] = '\0';
        if (cell_is_identifier(line) && len - 5 <= CELL_MAX_CELL_NAME)
            names[count++] = line;
    }
    if (names)
        qsort(names, count, sizeof(*names), compare_texts);
    *n = count;
    return names;
}

static int every(struct differ *d, struct cell_error *e)
{
    struct cell_arena arena = {0};
    CELL_CLEANUP(cell_cleanup_free) char *lines = NULL;
    const char *const *now = NULL;
    size_t n = 0;
    int r = cell_lock_list(d->dir, &arena, &now, e);
    if (r >= 0 && d->since)
        r = git_list(d->dir, d->since, CELL_LOCK_FOLDER "/", &lines, e);
    const char **names = r >= 0 ? all_names(&arena, now, lines, &n) : NULL;
    if (r >= 0 && !names)
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0 && !n)
        r = cell_error_set(e, CELL_NOT_FOUND, "nothing is locked here; lock it with `cell lock`");
    for (size_t i = 0; r >= 0 && i < n; i++)
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
            each(d, names[i]);
    cell_arena_free(&arena);
    return r;
}

static int finish(struct differ *d)
{
    if (!d->cli->json)
        return d->code;
    out_end(&d->j, ']');
    if (d->code == CLI_OK) {
        out_null(&d->j, "error");
    } else {
        out_begin(&d->j, "error", '{');
        out_int(&d->j, "exit", d->code);
        out_str(&d->j, "message", d->error);
        out_str(&d->j, "hint", d->code == CLI_UNAVAILABLE ? "run `cell up`" : NULL);
        out_end(&d->j, '}');
    }
    out_end(&d->j, '}');
    int printed = out_print(d->cli, &d->j);
    return d->code != CLI_OK ? d->code : printed;
}

static int run(struct differ *d, const struct cli_args *args)
{
    struct cell_error e = {0};
    int r = cell_records_read(d->dir, &d->records, &e);
    if (r < 0)
        return cli_error(d->cli, CLI_FAILED, NULL, "%s", e.text);
    if (d->cli->json) {
        out_begin(&d->j, NULL, '{');
        out_begin(&d->j, "cells", '[');
    }
    for (int i = 0; i < args->n; i++)
        each(d, args->items[i]);
    r = args->n ? CELL_OK : every(d, &e);
    cell_records_free(&d->records);
    if (r >= 0)
        return finish(d);
    cell_buffer_free(&d->j.b);
    return cli_error(d->cli, CLI_FAILED, NULL, "%s", e.text);
}

int cmd_diff(struct cli *cli, int argc, char **argv)
{
    struct differ d = {.cli = cli};
    const struct cli_option options[] = {{.name = "since", .value = &d.since}, {.name = "locked", .flag = &d.locked}};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, options, 2, &args);

    if (r != 0)
        return r;
    for (int i = 0; i < args.n; i++)
        if (!cell_is_identifier(args.items[i]))
            return cli_error(cli, CLI_USAGE, "run `cell list`", "'%s' cannot be the name of a cell", args.items[i]);
    if (d.locked && !d.since)
        return cli_error(cli, CLI_USAGE, "write `cell diff --since HEAD --locked`",
                         "--locked compares what is locked now with what was: it needs --since");
    d.dir = locks_dir(cli);
    return d.dir ? run(&d, &args) : CLI_FAILED;
}
