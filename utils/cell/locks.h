/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What `cell lock`, `cell diff` and `cell sync` share: the lock that a running cell would have, and how two differ. */
#ifndef CELL_CLI_LOCKS_H
#define CELL_CLI_LOCKS_H

#include "cli.h"
#include "core/ask.h"
#include "core/diff.h"
#include "core/lock.h"

/* The folder of cell.json, or the working folder. In `cli`'s own memory; NULL after reporting. */
const char *locks_dir(struct cli *cli);

/* ---- locks_live.c ---- */

/* Which answers to ask for: those of a lock, and those that builds have used. */
struct lock_wanted {
    const struct cell_lock *locks[2]; /* NULL = none */
    const struct cell_records *records;
    const char *dir;
    bool only_used; /* leave out what no recorded build uses */
};
struct lock_live {
    struct cell_lock lock; /* what the cell offers and answers now; `cell` is borrowed */
    const struct cell_schema *schema;
    struct lock_refusal {
        const char *key, *text;
        bool used; /* by a recorded build */
    } *refused;    /* what it does not answer any more, in the lock's arena */
    uint32_t nrefused;
};
/* Asks a running cell. Errors: those of the connection; CELL_PROTOCOL_ERROR. A question that the cell refuses is none.
 */
int locks_ask(struct cli *cli, const char *name, const struct lock_wanted *wanted, struct lock_live *live,
              struct cell_error *e);
void locks_live_free(struct lock_live *live);

/* ---- locks_report.c ---- */

/* How `after` differs from `before` (NULL = there was none). */
struct lock_changes {
    struct cell_diff *diff;             /* NULL: the schemas are the same, or there was none */
    struct cell_schema *before, *after; /* parsed; may be NULL */
    bool schema;                        /* the schemas differ, if only in docs */
    uint32_t added, removed, changed;   /* answers */
};
int locks_compare(const struct cell_lock *before, const struct cell_lock *after, struct lock_changes *c,
                  struct cell_error *e);
static inline bool locks_differ(const struct lock_changes *c)
{
    return c->schema || c->added || c->removed || c->changed;
}
void locks_changes_free(struct lock_changes *c);

/* The members "before", "after", "breaks", "changes" and "answers" of a JSON object, or lines for people. `live`: what
 * is refused is listed as well (NULL = nothing is). */
void locks_report(struct cli *cli, struct cli_json *j, const struct cell_lock *before, const struct cell_lock *after,
                  const struct lock_changes *c, const struct lock_live *live);

/* ---- git.c ---- */

/* The content of the file ./PATH, as it was in revision `rev` of the work tree that `dir` is in, to be freed by the
 * caller. CELL_NOT_FOUND when it was not there; CELL_INVALID_ARGUMENT when there is no such revision or work tree;
 * CELL_FAILED_PRECONDITION without git. */
int git_show(const char *dir, const char *rev, const char *path, size_t limit, char **text, size_t *len,
             struct cell_error *e);
/* The names in the folder ./PATH of that revision, one a line. */
int git_list(const char *dir, const char *rev, const char *path, char **lines, struct cell_error *e);

#endif
