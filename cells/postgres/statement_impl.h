/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of bound statements share: binding.c, statement.c, run.c, run_stream.c, run_copy.c. */
#ifndef CELLS_POSTGRES_STATEMENT_IMPL_H
#define CELLS_POSTGRES_STATEMENT_IMPL_H

#include "codec.h"
#include "statement.h"

#define PG_MOST_PARAMETERS 1600 /* what a table can have of columns */

enum pg_op { PG_OP_ROW, PG_OP_ROWS, PG_OP_STREAM, PG_OP_COUNT, PG_OP_EXEC, PG_OP_MANY, PG_OP_LOAD };

/* Where the struct is in which a value is. */
enum pg_home {
    PG_HOME_PARAMETER, /* of the request struct, or out[parameter] */
    PG_HOME_RECORD     /* an element of the list, or a record of the stream */
};

struct pg_part {
    struct pg_slot place;
    enum pg_home home;
    uint32_t parameter; /* in method->in or method->out */
};

struct pg_statement {
    struct pg_arena arena; /* of everything here */
    struct pg_pool *pool;
    const struct cell_method *method;
    enum pg_op op;
    const char *sql, *copy, *table; /* copy, table: NULL = not said */
    unsigned flags;                 /* enum pg_run_flags */
    bool must;
    bool each;      /* several executions may be one statement */
    bool held;      /* outside of a transaction it is committed once its rows were taken */
    bool looked_up; /* a type of it is known by the number that the catalog had for its name */
    struct pg_part *in, *out;
    uint32_t nin, nout;
    Oid *types;                     /* [nin] of the parameters, once they are known */
    const struct cell_type *record; /* of rows, stream, many and load */
    uint32_t list;                  /* of rows: in method->out; of many: in method->in */
    struct pg_prepared *prepared;
    struct pg_prepared *of_rows; /* of many and load: the same for `rows` of them; NULL = there is no such */
    uint32_t rows;
    struct pg_statement *first; /* in place of this one when the optional parameters are absent; NULL = none. In the
                                 * same arena, with `out` of this one */
};

/* binding.c: reads `binding`, and checks it against the descriptors of s->method. Jumps to the arena's `escape`. */
int pg_binding_read(struct pg_statement *s, const char *binding, struct pg_failure *f);

/* The struct that `part` is in: `in` is the request, `record` an element or record. */
const void *pg_home_of(const struct pg_statement *s, const struct pg_part *part, const void *in, const void *record);

/* Parameters of one execution, in memory of their arena. */
struct pg_parameters {
    struct pg_arena arena; /* what the values need */
    const char **values;
    int *lengths, *formats;
    struct pg_encoded *encoded;
};
int pg_parameters_make(const struct pg_statement *s, cell_ctx *c, struct pg_parameters *p, struct pg_failure *f);
int pg_parameters_fill(const struct pg_statement *s, struct pg_parameters *p, const void *in, const void *record,
                       struct pg_failure *f);
void pg_parameters_free(struct pg_parameters *p);

/* A failure of the database in the program's words. Returns r. */
int pg_in_words_of(const struct pg_statement *s, int r, struct pg_failure *f);

/* run.c */
/* CELL_FAILED_PRECONDITION when the columns are not those that were described: the table was changed since. */
int pg_check_columns(const struct pg_statement *s, const PGresult *result, int column, struct pg_failure *f);
/* Row `row` of `result`, from `column` on, into the out parameters (record NULL), or into a zeroed record. */
int pg_decode_row(const struct pg_statement *s, const PGresult *result, int row, int column, void *const *out,
                  void *record, const struct pg_sink *sink, struct pg_failure *f);
/* How many rows a command has affected, at most INT_MAX. */
int pg_affected(PGresult *result);

/* The result of one execution: into the out parameters; what the method returns. */
int pg_take_rows(struct pg_statement *s, cell_ctx *c, const struct pg_rows *rows, void *const *out,
                 struct pg_failure *f);
/* Whether the optional parameters are absent, all of them. */
int pg_statement_from_start(const struct pg_statement *s, const void *in, bool *absent, struct pg_failure *f);
static inline bool pg_statement_is_single(const struct pg_statement *s)
{
    return s->op != PG_OP_STREAM && s->op != PG_OP_MANY && s->op != PG_OP_LOAD;
}

/* statement_merge.c: the statement that is `s` for each element of its parameters' arrays, whose types are `arrays`
 * (room for s->nin); its first column is the element's number. NULL: there is none, or memory is short. */
const char *pg_statement_merged(struct pg_statement *s, Oid *arrays);

/* statement_rows.c: the statement that is `s` for *rows rows at once, whose parameters follow each other. NULL: there
 * is none, or memory is short. */
const char *pg_statement_of_rows(struct pg_statement *s, uint32_t *rows);

/* statement.c: the one result of what was sent on a pinned link; CELL_OK when it is as wanted. */
int pg_one_result(struct pg_link *link, ExecStatusType wanted, const struct pg_patience *patience, PGresult **result,
                  struct pg_failure *f);

/* run_held.c; `link` is a pinned one */
/* Whether the statement may write and then have no answer that the program can take. Once types and codecs are known.
 */
bool pg_statement_is_held(const struct pg_statement *s);
/* Sends it, with the parameters of `in`; its results are to be read. */
int pg_send(struct pg_statement *s, cell_ctx *c, struct pg_link *link, const void *in, struct pg_failure *f);
/* Begins a transaction; *own = false: the link is in one. */
int pg_hold(struct pg_link *link, bool *own, const struct pg_patience *patience, struct pg_failure *f);
/* Commits what was done since, or, when `r` is a failure, undoes it: one that is not our own fails with it. Returns
 * `r`, or how the commit failed. CELL_UNKNOWN_OUTCOME: it may have been done. */
int pg_let_go(struct pg_link *link, bool own, int r, const struct pg_patience *patience, struct pg_failure *f);
/* The transaction that the link is in fails: nothing more can be done in it, and it is not committed. */
void pg_spoil(struct pg_link *link);
/* Executes one that is held, on a connection and in a transaction of its own. */
int pg_run_held(struct pg_statement *s, cell_ctx *c, const void *in, void *const *out,
                const struct pg_patience *patience, struct pg_failure *f);

/* run_stream.c, run_copy.c; `link` is a pinned one */
int pg_run_stream(struct pg_statement *s, cell_ctx *c, struct pg_link *link, const void *in, struct pg_failure *f);
int pg_run_many(struct pg_statement *s, cell_ctx *c, struct pg_link *link, const void *in, struct pg_failure *f);
int pg_run_load(struct pg_statement *s, cell_ctx *c, struct pg_link *link, const void *in, struct pg_failure *f);

/* text and varchar: a column becomes one from the other without any program having to know. */
static inline bool pg_same_wire(Oid a, Oid b) { return a == b || ((a == 25 || a == 1043) && (b == 25 || b == 1043)); }

#endif
