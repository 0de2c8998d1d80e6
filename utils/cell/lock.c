/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell lock`: writes what the cells offer and answer now into cells.lock, or checks that nothing else is there. */
#include <stdlib.h>
#include <string.h>

#include "locks.h"

struct locking {
    struct cli *cli;
    const char *dir;
    struct cell_records records;
    bool check, prune;
    struct cli_json j;
    unsigned failed, unavailable, differing;
    const char *first_hint; /* of what failed */
    char error[CELL_ERROR_TEXT + 128];
};

/* What was locked before. A file that cannot be used is written anew, with the answers that can be made out. */
static int read_old(struct locking *l, const char *name, struct cell_lock **old, bool *usable, struct cell_error *e)
{
    int r = cell_lock_read(l->dir, name, old, e);
    *usable = r >= 0;
    if (r == CELL_NOT_FOUND)
        return CELL_OK;
    if (r != CELL_DATA_LOSS || l->check)
        return r;
    cli_warn(l->cli, "%s", e->text);
    return cell_lock_salvage(l->dir, name, old, e);
}

static void fail(struct locking *l, const char *name, int status, const char *text)
{
    bool unavailable = cli_exit_of(status) == CLI_UNAVAILABLE;
    l->failed++;
    l->unavailable += unavailable;
    if (!l->error[0])
        snprintf(l->error, sizeof(l->error), "%s cannot be locked: %s", name, text);
    if (l->cli->json) {
        out_str(&l->j, "result", unavailable ? "unreachable" : "failed");
        out_str(&l->j, "message", text);
        return;
    }
    cli_complain(l->cli, unavailable ? "start it with `cell up`" : NULL, "%s cannot be %s: %s", name,
                 l->check ? "checked" : "locked", text);
}

/* An answer that builds use and the cell refuses: the lock would not build what is there. */
static const struct lock_refusal *refused_and_used(const struct lock_live *live)
{
    for (uint32_t i = 0; i < live->nrefused; i++)
        if (live->refused[i].used)
            return &live->refused[i];
    return NULL;
}

static void forget_missing(const struct locking *l, const char *name)
{
    for (uint32_t i = 0; i < l->records.n; i++) {
        const struct record_use *use = &l->records.uses[i];
        if (use->missing && strcmp(use->cell, name) == 0)
            cell_records_found(l->dir, use);
    }
}

static void report(struct locking *l, const char *name, const char *result, const struct cell_lock *old,
                   const struct lock_live *live, const struct lock_changes *c)
{
    if (l->cli->json)
        out_str(&l->j, "result", result);
    else
        printf("%s %s: schema %.12s, %u answer%s\n", name, result, live->lock.fingerprint, live->lock.nanswers,
               live->lock.nanswers == 1 ? "" : "s");
    locks_report(l->cli, l->cli->json ? &l->j : NULL, old, &live->lock, c, live);
}

static int write_live(struct locking *l, const char *name, const struct cell_lock *old, const struct lock_live *live,
                      const struct lock_changes *c, struct cell_error *e)
{
    const struct lock_refusal *refusal = refused_and_used(live);
    bool written;
    if (refusal)
        return cell_error_set(e, CELL_FAILED_PRECONDITION, "it does not answer '%.*s', which a build here uses: %s",
                              (int)strcspn(refusal->key, " "), refusal->key, refusal->text);
    int r = cell_lock_write(l->dir, &live->lock, &written, e);
    if (r < 0)
        return r;
    forget_missing(l, name);
    report(l, name, written ? "locked" : "unchanged", old, live, c);
    return CELL_OK;
}

static int lock_one(struct locking *l, const char *name, struct cell_error *e)
{
    struct cell_lock *old = NULL;
    struct lock_live live = {.lock = {.cell = name}};
    struct lock_changes c = {.diff = NULL};
    bool usable = false;
    int r = read_old(l, name, &old, &usable, e);
    const struct lock_wanted wanted = {
        .locks = {old, NULL}, .records = &l->records, .dir = l->dir, .only_used = l->prune};
    if (r >= 0)
        r = locks_ask(l->cli, name, &wanted, &live, e);
    const struct cell_lock *before = usable ? old : NULL;
    if (r >= 0)
        r = locks_compare(before, &live.lock, &c, e);
    if (r >= 0 && l->check) {
        bool differs = locks_differ(&c) || live.nrefused;
        l->differing += differs;
        report(l, name, !before ? "not locked" : differs ? "differs" : "unchanged", before, &live, &c);
    } else if (r >= 0) {
        r = write_live(l, name, before, &live, &c, e);
    }
    locks_changes_free(&c);
    locks_live_free(&live);
    cell_lock_free(old);
    return r;
}

static void each(struct locking *l, const char *name)
{
    struct cell_error e = {0};
    if (l->cli->json) {
        out_begin(&l->j, NULL, '{');
        out_str(&l->j, "name", name);
    }
    int r = lock_one(l, name, &e);
    if (r < 0)
        fail(l, name, r, e.text);
    if (l->cli->json)
        out_end(&l->j, '}');
}

/* All that have a lock, and all that builds have used. */
static unsigned every(struct locking *l, const char *const *names)
{
    unsigned n = 0;
    for (uint32_t i = 0; *names || i < l->records.n;) {
        const char *next = i < l->records.n ? l->records.uses[i].cell : NULL;
        bool from_lock = *names && (!next || strcmp(*names, next) <= 0);
        const char *name = from_lock ? *names : next;
        each(l, name);
        n++;
        if (from_lock)
            names++;
        while (i < l->records.n && strcmp(l->records.uses[i].cell, name) == 0)
            i++;
    }
    return n;
}

static int finish(struct locking *l)
{
    int code = l->failed > l->unavailable ? CLI_FAILED : l->unavailable ? CLI_UNAVAILABLE : CLI_OK;
    if (code == CLI_OK && l->differing) {
        code = CLI_FAILED;
        snprintf(l->error, sizeof(l->error), "%u %s not what cells.lock has", l->differing,
                 l->differing == 1 ? "cell is" : "cells are");
        if (!l->cli->json)
            cli_complain(l->cli, "run `cell lock`, look at what changed with `git diff`, and commit it", "%s",
                         l->error);
    }
    if (!l->cli->json)
        return code;
    out_end(&l->j, ']');
    if (code == CLI_OK) {
        out_null(&l->j, "error");
    } else {
        out_begin(&l->j, "error", '{');
        out_int(&l->j, "exit", code);
        out_str(&l->j, "message", l->error);
        out_str(&l->j, "hint", code == CLI_UNAVAILABLE ? "run `cell up`" : l->differing ? "run `cell lock`" : NULL);
        out_end(&l->j, '}');
    }
    out_end(&l->j, '}');
    int printed = out_print(l->cli, &l->j);
    return code != CLI_OK ? code : printed;
}

static int lock_names(struct locking *l, const struct cli_args *args)
{
    struct cell_arena arena = {0};
    struct cell_error e = {0};
    const char *const *names = NULL;
    unsigned n = (unsigned)args->n;
    if (!n && cell_lock_list(l->dir, &arena, &names, &e) < 0) {
        cell_arena_free(&arena);
        return cli_error(l->cli, CLI_FAILED, NULL, "%s", e.text);
    }
    if (!n && !names[0] && !l->records.n) {
        cell_arena_free(&arena);
        return cli_error(l->cli, CLI_FAILED, "name the cells: `cell lock NAME`",
                         "nothing is locked here, and no build here has used a cell");
    }
    if (l->cli->json) {
        out_begin(&l->j, NULL, '{');
        out_begin(&l->j, "cells", '[');
    }
    for (int i = 0; i < args->n; i++)
        each(l, args->items[i]);
    if (!n)
        every(l, names);
    cell_arena_free(&arena);
    return finish(l);
}

int cmd_lock(struct cli *cli, int argc, char **argv)
{
    struct locking l = {.cli = cli};
    const struct cli_option options[] = {{.name = "check", .flag = &l.check}, {.name = "prune", .flag = &l.prune}};
    struct cell_error e = {0};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, options, 2, &args);

    if (r != 0)
        return r;
    for (int i = 0; i < args.n; i++)
        if (!cell_is_identifier(args.items[i]))
            return cli_error(cli, CLI_USAGE, "run `cell list`", "'%s' cannot be the name of a cell", args.items[i]);
    if (l.check && l.prune)
        return cli_error(cli, CLI_USAGE, NULL, "--check writes nothing, so there is nothing to --prune");
    l.dir = locks_dir(cli);
    if (!l.dir)
        return CLI_FAILED;
    if (cell_records_read(l.dir, &l.records, &e) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "%s", e.text);
    r = lock_names(&l, &args);
    cell_records_free(&l.records);
    return r;
}
