/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Single statements that no thread waits for. Whoever has their result ends the call. */
#include "statement_impl.h"

struct begun {
    struct pg_statement *s, *bound; /* what is executed, and what it is a part of */
    cell_ctx *c;
    void *const *out;
    struct cell_later *later;
    struct pg_parameters p;
    struct pg_run *run;       /* when it is to go on in a thread */
    struct pg_failure *stale; /* when it is to be bound anew there */
};

/* What a thread is to do about it. */
static bool is_for_thread(struct begun *b, const struct pg_failure *f)
{
    b->stale = pg_statement_is_stale(b->bound, f) ? cell_ctx_alloc(b->c, sizeof(*b->stale)) : NULL;
    if (b->stale)
        *b->stale = *f;
    return b->stale != NULL;
}

/* By a thread of the pool: the result, or the beginning of a wait elsewhere. */
static void ended(void *user, struct pg_run *run, struct pg_rows *rows)
{
    struct begun *b = user;
    struct pg_failure f = {0};

    if (!rows) {
        b->run = run;
        cell_later_resume(b->later, b);
        return;
    }
    ExecStatusType status = PQresultStatus(rows->result);
    int r = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ? pg_take_rows(b->s, b->c, rows, b->out, &f)
                                                                    : pg_fail_result(&f, rows->result);
    pg_rows_clear(rows);
    pg_parameters_free(&b->p);
    pg_in_words_of(b->s, r, &f);
    if (r < 0 && is_for_thread(b, &f))
        cell_later_resume(b->later, b);
    else
        cell_later_finish(b->later, r < 0 ? pg_answer_failure(b->c, &f) : r);
}

bool pg_statement_begin(struct pg_statement *s, cell_ctx *c, const void *in, void *const *out, struct cell_later *later)
{
    struct pg_failure f;
    bool from_start = false;

    if (!pg_statement_is_single(s) || s->held || (s->first && pg_statement_from_start(s, in, &from_start, &f) < 0))
        return false;
    struct begun *b = cell_ctx_alloc(c, sizeof(*b));
    struct pg_statement *bound = s;
    s = from_start ? s->first : s;
    if (!b || pg_parameters_make(s, c, &b->p, &f) < 0)
        return false;
    b->s = s;
    b->bound = bound;
    b->run = NULL;
    b->stale = NULL;
    b->c = c;
    b->out = out;
    b->later = later;
    const struct pg_values values = {b->p.values, b->p.lengths, b->p.formats};
    if (pg_parameters_fill(s, &b->p, in, NULL, &f) >= 0 &&
        pg_pool_begin(s->pool, s->prepared, &values, s->flags, pg_patience_of(c).until_ns, ended, b))
        return true;
    pg_parameters_free(&b->p);
    return false;
}

int pg_statement_resume(cell_ctx *c, void *state, bool *stale, struct pg_failure *f)
{
    struct begun *b = state;
    *stale = b->stale != NULL;
    if (b->stale) {
        *f = *b->stale;
        return f->status;
    }
    struct pg_patience patience = pg_patience_of(c);
    struct pg_rows rows = {0};
    int r = pg_pool_go_on(b->run, &patience, &rows, f);

    if (r >= 0)
        r = pg_take_rows(b->s, c, &rows, b->out, f);
    pg_rows_clear(&rows);
    pg_parameters_free(&b->p);
    r = pg_in_words_of(b->s, r, f);
    *stale = r < 0 && pg_statement_is_stale(b->bound, f);
    return r;
}
