/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Asks the server whether the expressions of a plan are for the types that columns have when they are computed, so that
 * one that is not is refused before the first step, and not between two. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "declare_parts.h"
#include "describe.h"
#include "unit.h"

#define MOST_TOGETHER 1000 /* expressions of one statement, well below what a row of the server can have */

/* Typings that are asked for by one statement, and what the server says of that. */
struct question {
    uint32_t first, n;
    const char *sql;
    pg_edits edits; /* of it, for values of enums that are only planned */
    PGresult *prepared, *described;
};
typedef PG_LIST(struct question) questions;

/* What is known of a typing. */
struct typed {
    Oid type;        /* 0 = not known */
    const char *why; /* it is refused; NULL */
    bool no_column;  /* … as it names one that there is not: a later struct of the table may have it */
};

struct asking {
    PGconn *conn;
    struct pg_plan *plan;
    struct typed *typed;  /* by number of typing */
    questions now, again; /* `again`: one by one what of several together was refused, or with other values of enums */
    pg_stand_ins labels;
};

static bool is_one_of(const char *state, const char *const *states, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(state, states[i]) == 0)
            return true;
    return false;
}

/* What PostgreSQL says of an expression that is none, or for other columns or types. Everything else is found out by
 * the step. */
static bool is_wrong(const char *state, bool unsure)
{
    static const char *const always[] = {"42601", "42703"}; /* syntax, no such column */
    /* No such function, operator or type, or several; types that do not go together; an aggregate, or what gives
     * several rows. */
    static const char *const sure[] = {"42883", "42725", "42704", "42804", "42846", "42809", "42803", "42P20", "0A000"};

    if (is_one_of(state, always, sizeof(always) / sizeof(always[0])))
        return true;
    return !unsure && (is_one_of(state, sure, sizeof(sure) / sizeof(sure[0])) ||
                       strncmp(state, "22", 2) == 0); /* a literal that is none of the type */
}

/* As VALUES, where no aggregate is allowed, as it is not where the expressions are to be. */
static void put_question(struct asking *a, questions *to, uint32_t first, uint32_t n)
{
    const struct pg_typing *t = &a->plan->typings[first];
    const char *as = t->table[0] == 'v' ? "w" : "v"; /* not what the table is called */
    struct pg_text sql = {.arena = &a->plan->arena};

    pg_putf(&sql, "SELECT %s.* FROM %s, LATERAL (VALUES (", as, t->row);
    for (uint32_t i = 0; i < n; i++)
        pg_putf(&sql, "%s(%s)", i ? ", " : "", t[i].value);
    pg_putf(&sql, ")) AS %s", as);
    *pg_push(&a->plan->arena, to) = (struct question){.first = first, .n = n, .sql = sql.data};
}

/* The next result of the pipeline that is one; NULL when the connection is lost. */
static PGresult *next_result(PGconn *conn)
{
    PGresult *result = PQgetResult(conn);

    return result || PQstatus(conn) != CONNECTION_OK ? result : PQgetResult(conn);
}

/* All of them in one round trip. */
static int ask(struct asking *a, struct pg_failure *f)
{
    PGconn *conn = a->conn;
    questions *all = &a->now;
    bool sent = PQenterPipelineMode(conn) == 1;

    for (uint32_t i = 0; sent && i < all->n; i++)
        sent = PQsendPrepare(conn, "", pg_edited(&a->plan->arena, all->at[i].sql, &all->at[i].edits), 0, NULL) == 1 &&
               PQsendDescribePrepared(conn, "") == 1 && PQpipelineSync(conn) == 1;
    for (uint32_t i = 0; sent && i < all->n; i++) {
        all->at[i].prepared = next_result(conn);
        all->at[i].described = next_result(conn);
        PQclear(next_result(conn)); /* the end of both */
    }
    if (!sent || PQstatus(conn) != CONNECTION_OK)
        return pg_fail_connection(f, conn, "asking for the types of expressions");
    if (PQexitPipelineMode(conn) != 1)
        return pg_fail(f, CELL_INTERNAL, "libpq stays in pipeline mode: %s", PQerrorMessage(conn));
    return CELL_OK;
}

static void stand_for_labels(const struct pg_enum *want, const struct pg_enum *there, struct pg_arena *arena,
                             pg_stand_ins *made)
{
    const char *plain = NULL;

    for (uint32_t i = 0; there && i < there->n && !plain; i++)
        plain = strpbrk(there->labels[i], "'\"\\$,{}") ? NULL : there->labels[i];
    for (uint32_t i = 0; plain && i < want->n; i++) {
        if (!pg_enum_has(there, want->labels[i]))
            *pg_push(arena, made) = (struct pg_stand_in){NULL, want->labels[i], plain};
    }
}

void pg_unit_stand_for_labels(const struct pg_unit *u, struct pg_arena *arena, pg_stand_ins *made)
{
    for (uint32_t i = 0; i < u->n; i++)
        for (uint32_t k = 0; u->declared[i]->owned && k < u->declared[i]->nenums; k++) {
            const struct pg_enum *want = &u->declared[i]->enums[k];
            stand_for_labels(want, pg_model_enum(u->catalog, want->schema, want->name), arena, made);
        }
}

/* Asks once more when a value was refused that the plan adds to an enum. */
static bool stand_in(struct asking *a, const struct question *q, const char *state)
{
    const char *position = PQresultErrorField(q->prepared, PG_DIAG_STATEMENT_POSITION);
    struct question other = {.first = q->first, .n = q->n, .sql = q->sql, .edits = q->edits};

    if (!state || strcmp(state, "22P02") != 0 || !position ||
        !pg_edit_refused(&a->plan->arena, q->sql, strtol(position, NULL, 10), &a->labels, &other.edits))
        return false;
    *pg_push(&a->plan->arena, &a->again) = other;
    return true;
}

static void take_answer(struct asking *a, const struct question *q)
{
    const char *state = PQresultErrorField(q->prepared, PG_DIAG_SQLSTATE);
    struct typed *typed = &a->typed[q->first];

    if (PQresultStatus(q->described) == PGRES_COMMAND_OK)
        for (uint32_t i = 0; i < q->n; i++)
            typed[i].type = PQftype(q->described, (int)i);
    else if (stand_in(a, q, state))
        return;
    else if (q->n == 1 && state && is_wrong(state, a->plan->typings[q->first].unsure))
        *typed = (struct typed){0, pg_strdup(&a->plan->arena, PQresultErrorField(q->prepared, PG_DIAG_MESSAGE_PRIMARY)),
                                strcmp(state, "42703") == 0};
    else
        for (uint32_t i = 0; i < q->n && q->n > 1; i++)
            put_question(a, &a->again, q->first + i, 1);
}

/* Those whose values cannot be assigned to what they become; of plain types only, as others have ways of their own. */
static int ask_assignable(struct asking *a, struct pg_failure *f)
{
    static const char sql[] =
        "SELECT i - 1, pg_catalog.format_type(s.oid, NULL) "
        "FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.text[])) "
        "WITH ORDINALITY AS a (type, target, i), "
        "pg_catalog.pg_type s, pg_catalog.pg_type t "
        "WHERE s.oid = a.type AND t.oid = pg_catalog.to_regtype(a.target) AND s.oid <> t.oid AND s.typtype = 'b' "
        "AND t.typtype = 'b' AND t.typcategory <> 'S' AND NOT (s.typcategory = 'A' AND t.typcategory = 'A') AND NOT "
        "EXISTS (SELECT FROM pg_catalog.pg_cast "
        "WHERE castsource = s.oid AND casttarget = t.oid AND castcontext IN ('a', 'i'))";
    struct pg_arena *arena = &a->plan->arena;
    uint32_t n = a->plan->ntypings, asked = 0;
    const char **types = pg_array(arena, n, sizeof(*types)), **into = pg_array(arena, n, sizeof(*into));
    PGresult *result = NULL;

    for (uint32_t i = 0; i < n; i++) {
        types[i] = pg_printf(arena, "%u", a->typed[i].type);
        into[i] = a->plan->typings[i].into;
        asked += into[i] && a->typed[i].type;
    }
    if (!asked)
        return CELL_OK;
    char *one = pg_array_text(types, n), *other = pg_array_text(into, n);
    int r = one && other ? pg_query(a->conn, sql, 2, (const char *const[]){one, other}, &result, f)
                         : pg_fail(f, CELL_NO_MEMORY, "out of memory");
    free(one);
    free(other);
    for (int i = 0; i < PQntuples(result); i++) {
        uint32_t k = (uint32_t)strtoul(PQgetvalue(result, i, 0), NULL, 10);
        a->typed[k].why =
            pg_printf(arena, "it gives %s, which is not assigned to %s", PQgetvalue(result, i, 1), into[k]);
    }
    PQclear(result);
    return r;
}

static void forget(questions *all)
{
    for (uint32_t i = 0; i < all->n; i++) {
        PQclear(all->at[i].prepared);
        PQclear(all->at[i].described);
        all->at[i].prepared = all->at[i].described = NULL;
    }
}

static int ask_all(struct asking *a, struct pg_failure *f)
{
    const struct pg_typing *t = a->plan->typings;
    uint32_t first = 0, n = a->plan->ntypings;

    a->typed = pg_array(&a->plan->arena, n, sizeof(*a->typed));
    for (uint32_t i = 1; i <= n; i++)
        if (i == n || i - first == MOST_TOGETHER || strcmp(t[i].row, t[first].row) != 0) {
            put_question(a, &a->now, first, i - first);
            first = i;
        }
    int r = CELL_OK;
    while (r >= 0 && a->now.n) {
        r = ask(a, f);
        for (uint32_t i = 0; r >= 0 && i < a->now.n; i++)
            take_answer(a, &a->now.at[i]);
        forget(&a->now);
        a->now = a->again;
        a->again = (questions){0};
    }
    return r < 0 ? r : ask_assignable(a, f);
}

/* Of a field that is wrong once is enough. */
static bool is_said(const struct pg_plan *p, const struct pg_typing *t)
{
    for (uint32_t i = 0; i < p->diagnostics.n && t->field; i++) {
        const struct pg_diagnostic *d = &p->diagnostics.at[i];
        if (d->severity == PG_ERROR && d->declared == t->declared && d->field && strcmp(d->field, t->field) == 0)
            return true;
    }
    return false;
}

/* With the arena's escape set: nothing that changes is of this frame. */
static int check(struct asking *a, const struct pg_unit *u, struct pg_failure *f)
{
    struct pg_plan *p = a->plan;
    jmp_buf escape;

    p->arena.escape = &escape;
    if (setjmp(escape))
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    pg_unit_stand_for_labels(u, &p->arena, &a->labels);
    int r = ask_all(a, f);
    for (uint32_t i = 0; i < p->ntypings && r >= 0; i++) {
        const struct pg_typing *t = &p->typings[i];
        if (!a->typed[i].why || is_said(p, t))
            continue;
        struct pg_diagnostic *d = pg_diagnose(&p->arena, &p->diagnostics, PG_ERROR, (struct pg_place){t->field, -1, -1},
                                              "%s: %s. %s", t->text, a->typed[i].why, t->advice);
        d->declared = t->declared;
        d->whole = a->typed[i].no_column;
    }
    return r;
}

int pg_unit_check_types(PGconn *conn, const struct pg_unit *u, struct pg_failure *f)
{
    struct pg_plan *p = u->plan;
    struct asking a = {.conn = conn, .plan = p};
    int r = p->ntypings ? check(&a, u, f) : CELL_OK;

    p->arena.escape = NULL;
    forget(&a.now);
    if (pg_has_refusals(&p->diagnostics, UINT32_MAX))
        p->nsteps = 0;
    return r;
}
