/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Asks the server whether the expressions of a plan are for the types that columns have when they are computed, so that
 * one that is not is refused before the first step, and not between two. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "declare_parts.h"
#include "describe.h"
#include "unit.h"

/* What PostgreSQL says of an expression that is for other columns or types: no such column, function or operator, or
 * several; types that do not go together; a literal that is none of the type. Everything else is found out by the step.
 */
static bool is_of_types(const char *state)
{
    static const char *const states[] = {"42703", "42883", "42725", "42804", "42846"};

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(state, states[i]) == 0)
            return true;
    return strncmp(state, "22", 2) == 0;
}

/* The type of what the prepared query gives, when that cannot be assigned to `into`; of plain types only, as others
 * have ways of their own. NULL = it can, or that is not known. */
static const char *unassignable(struct pg_arena *arena, PGconn *conn, const char *into)
{
    static const char sql[] =
        "SELECT pg_catalog.format_type(s.oid, NULL) FROM pg_catalog.pg_type s, pg_catalog.pg_type t "
        "WHERE s.oid = $1::pg_catalog.oid AND t.oid = $2::pg_catalog.regtype AND s.oid <> t.oid AND s.typtype = 'b' "
        "AND t.typtype = 'b' AND t.typcategory <> 'S' AND NOT (s.typcategory = 'A' AND t.typcategory = 'A') AND NOT "
        "EXISTS (SELECT FROM pg_catalog.pg_cast "
        "WHERE castsource = s.oid AND casttarget = t.oid AND castcontext IN ('a', 'i'))";
    PGresult *described = PQdescribePrepared(conn, ""), *result = NULL;
    const char *type = NULL;
    char oid[16];

    snprintf(oid, sizeof(oid), "%u", PQnfields(described) == 1 ? PQftype(described, 0) : 0);
    PQclear(described);
    if (pg_query(conn, sql, 2, (const char *const[]){oid, into}, &result, NULL) >= 0 && PQntuples(result) == 1)
        type = pg_strdup(arena, PQgetvalue(result, 0, 0));
    PQclear(result);
    return type;
}

static void stand_for_labels(const struct pg_enum *want, const struct pg_enum *there, struct pg_arena *arena,
                             pg_stand_ins *made)
{
    const char *plain = NULL;

    for (uint32_t i = 0; there && i < there->n && !plain; i++)
        plain = strpbrk(there->labels[i], "'\"\\$,{}") ? NULL : there->labels[i];
    for (uint32_t i = 0; plain && i < want->n; i++) {
        bool found = false;
        for (uint32_t k = 0; k < there->n; k++)
            found = found || strcmp(there->labels[k], want->labels[i]) == 0;
        if (!found)
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

/* Prepares the query, with others in place of values of enums that are only planned. */
static PGresult *prepare(struct pg_arena *arena, PGconn *conn, const char *sql, const pg_stand_ins *labels)
{
    PGresult *result = PQprepare(conn, "", sql, 0, NULL);
    pg_edits edits = {0};

    for (;;) {
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
        if (!state || strcmp(state, "22P02") != 0 || !position ||
            !pg_edit_refused(arena, sql, strtol(position, NULL, 10), labels, &edits))
            return result;
        PQclear(result);
        result = PQprepare(conn, "", pg_edited(arena, sql, &edits), 0, NULL);
    }
}

/* Why the expression is not for the types that it meets; NULL. */
static const char *why_not(struct pg_arena *arena, PGconn *conn, const struct pg_typing *t, const pg_stand_ins *labels)
{
    PGresult *result = prepare(arena, conn, t->query, labels);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE), *why = NULL, *type;

    if (PQresultStatus(result) == PGRES_COMMAND_OK) {
        if (t->into && (type = unassignable(arena, conn, t->into)))
            why = pg_printf(arena, "it gives %s, which is not assigned to %s", type, t->into);
    } else if (state && is_of_types(state))
        why = pg_strdup(arena, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    PQclear(result);
    return why;
}

static void check(const struct pg_unit *u, PGconn *conn)
{
    struct pg_plan *p = u->plan;
    const struct pg_typing *wrong = NULL;
    pg_stand_ins labels = {0};

    pg_unit_stand_for_labels(u, &p->arena, &labels);
    for (uint32_t i = 0; i < p->ntypings; i++) {
        const struct pg_typing *t = &p->typings[i];
        /* Of a field that is wrong once is enough. */
        bool said = wrong && t->field && t->field == wrong->field && t->declared == wrong->declared;
        const char *why = said ? NULL : why_not(&p->arena, conn, t, &labels);
        wrong = why ? t : wrong;
        if (why)
            pg_diagnose(&p->arena, &p->diagnostics, PG_ERROR, (struct pg_place){t->field, -1, -1}, "%s: %s. %s",
                        t->text, why, t->advice)
                ->declared = t->declared;
    }
}

int pg_unit_check_types(PGconn *conn, const struct pg_unit *u)
{
    struct pg_plan *p = u->plan;
    jmp_buf escape;

    p->arena.escape = &escape;
    if (setjmp(escape)) {
        p->arena.escape = NULL;
        return CELL_NO_MEMORY;
    }
    check(u, conn);
    p->arena.escape = NULL;
    if (pg_has_refusals(&p->diagnostics, UINT32_MAX))
        p->nsteps = 0;
    return CELL_OK;
}
