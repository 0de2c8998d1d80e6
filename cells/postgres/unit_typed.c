/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Asks the server whether the expressions of a plan are for the types that columns have when they are computed, so that
 * one that is not is refused before the first step, and not between two. */
#include <stdio.h>
#include <string.h>

#include "declare_parts.h"
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

/* Why the expression is not for the types that it meets; NULL. */
static const char *why_not(struct pg_arena *arena, PGconn *conn, const struct pg_typing *t)
{
    PGresult *result = PQprepare(conn, "", t->query, 0, NULL);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE), *why = NULL, *type;

    if (PQresultStatus(result) == PGRES_COMMAND_OK) {
        if (t->into && (type = unassignable(arena, conn, t->into)))
            why = pg_printf(arena, "it gives %s, which is not assigned to %s", type, t->into);
    } else if (state && is_of_types(state))
        why = pg_strdup(arena, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    PQclear(result);
    return why;
}

static void check(struct pg_plan *p, PGconn *conn)
{
    const struct pg_typing *wrong = NULL;

    for (uint32_t i = 0; i < p->ntypings; i++) {
        const struct pg_typing *t = &p->typings[i];
        /* Of a field that is wrong once is enough. */
        bool said = wrong && t->field && t->field == wrong->field && t->declared == wrong->declared;
        const char *why = said ? NULL : why_not(&p->arena, conn, t);
        wrong = why ? t : wrong;
        if (why)
            pg_diagnose(&p->arena, &p->diagnostics, PG_ERROR, (struct pg_place){t->field, -1, -1}, "%s: %s. %s",
                        t->text, why, t->advice)
                ->declared = t->declared;
    }
}

int pg_unit_check_types(PGconn *conn, struct pg_plan *p)
{
    jmp_buf escape;

    p->arena.escape = &escape;
    if (setjmp(escape)) {
        p->arena.escape = NULL;
        return CELL_NO_MEMORY;
    }
    check(p, conn);
    p->arena.escape = NULL;
    if (pg_has_refusals(&p->diagnostics, UINT32_MAX))
        p->nsteps = 0;
    return CELL_OK;
}
