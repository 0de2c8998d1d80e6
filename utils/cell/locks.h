/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What `cell lock`, `cell diff` and `cell sync` share: the lock that a running cell would have, and how two differ. */
#ifndef CELL_CLI_LOCKS_H
#define CELL_CLI_LOCKS_H

#include "cli.h"
#include "core/ask.h"
#include "core/diff.h"
#include "core/lock.h"
#include "logic.h"

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
    /* What it would do for that, in an order in which it can be done; in the lock's arena. */
    struct lock_plan {
        const char *key, *question, *request; /* the request is in plan mode, with nothing pending */
        const char *subject;                  /* of the declaration, its first argument; NULL when that is no text */
        struct cell_expansion *x;             /* has the plan */
    } *plans;
    uint32_t nplans;
};
/* Asks a running cell. Errors: those of the connection; CELL_PROTOCOL_ERROR. A question that the cell refuses is none.
 */
int locks_ask(struct cli *cli, const char *name, const struct lock_wanted *wanted, struct lock_live *live,
              struct cell_error *e);
void locks_live_free(struct lock_live *live);

/* ---- locks_answers.c ---- */

struct lock_asker {
    const struct lock_wanted *wanted;
    struct lock_live *live;
    void *link;
};
int locks_request(struct lock_asker *a, uint32_t method, const char *json, size_t len, const char **reply,
                  size_t *reply_len, struct cell_error *e);
/* Asks all questions, each with what is pending for it: whatever has a plan counts as done for the others. */
int locks_ask_answers(struct lock_asker *a, const char *name, struct cell_error *e);

/* ---- plan.c ---- */

/* The plans of one command's cells: what `cell plan` shows and `cell migrate` carries out. */
struct plans {
    struct cli *cli;
    const char *dir;
    bool locked; /* ask the questions of cells.lock, not those that builds have used */
    struct cell_records records;
    struct cli_json j;
    unsigned steps, failed, unavailable;
    int failure; /* the exit code that stands for any failure; 0 = that of its kind */
    char error[CELL_ERROR_TEXT + 128];
    void (*each)(struct plans *p, const char *name, const struct lock_live *live); /* what to do with one cell's */
    void *user;
};
/* Asks the cells that are named, or all of the project, and hands their plans out. Prints the document of --json, or
 * an error that kept all from being done. enum cli_exit: that of failures, else CLI_OK. */
int plans_run(struct plans *p, const struct cli_args *args);
/* Something is wrong with one cell; its part of the document must be open. */
void plans_fail(struct plans *p, const char *name, int status, const char *hint, const char *text);
/* The steps of one cell, for people, or as "plans" and "refused". */
void plans_show(struct plans *p, const char *name, const struct lock_live *live);

/* ---- locks_report.c ---- */

/* How `after` differs from `before` (NULL = there was none). */
struct lock_changes {
    struct cell_diff *diff;             /* NULL: the schemas are the same, or there was none */
    struct cell_schema *before, *after; /* parsed; may be NULL */
    struct logic_changes logic;         /* of functions */
    struct cell_error logic_error;      /* why nothing is known of that; status CELL_OK = it is */
    bool schema;                        /* the schemas differ, if only in docs */
    bool identity;                      /* the keys differ */
    uint32_t added, removed, changed;   /* answers */
};
int locks_compare(const struct cell_lock *before, const struct cell_lock *after, struct lock_changes *c,
                  struct cell_error *e);
static inline bool locks_differ(const struct lock_changes *c)
{
    return c->schema || c->identity || c->added || c->removed || c->changed;
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
