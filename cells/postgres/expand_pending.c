/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What is planned, as a query finds it that is checked before it is there: made in a transaction that is rolled back.
 * What is new is made as it will be. A table that changes stays as it is, because altering it would lock it: another
 * one stands for it, in the temporary schema, so that its bare name means that one, or in a schema of its own when the
 * bare name means something else.
 */
#include <string.h>

#include "connect.h"
#include "describe.h"
#include "expand_parts.h"
#include "sql.h"

struct showing {
    const struct pg_unit *unit;
    PGconn *conn;
    struct pg_arena *arena;
    pg_stand_ins *made;
    struct pg_failure *f;
    uint32_t nschemas;
};

static bool is_table(const struct pg_plan *plan, uint32_t i, const struct pg_table *t)
{
    return strcmp(plan->tables[i].name, t->name) == 0 && strcmp(plan->tables[i].schema, t->schema) == 0;
}

/* Of several declarations of a table each has it as it will be. */
static bool is_last_of_table(const struct pg_plan *plan, uint32_t i)
{
    for (uint32_t k = i + 1; k < plan->ntables; k++)
        if (is_table(plan, k, &plan->tables[i]))
            return false;
    return true;
}

/* Changed, and not new. */
static bool changes(const struct pg_plan *plan, const struct pg_table *t)
{
    bool found = false;

    for (uint32_t i = 0; i < plan->nsteps; i++) {
        const struct pg_step *s = &plan->steps[i];
        if (!is_table(plan, s->declared, t))
            continue;
        if (s->kind == PG_STEP_CREATE_TABLE)
            return false;
        found = found || s->kind != PG_STEP_RECORD;
    }
    return found;
}

/* 1 when the bare name means the table, or would if it were there; 0 when not; negative. */
static int is_visible(struct showing *s, const struct pg_table *t)
{
    const char *const params[] = {t->schema, t->name};
    PGresult *result = NULL;
    int r = pg_query(s->conn,
                     "SELECT $1 = ANY (current_schemas(false)) AND to_regclass(quote_ident($2)) IS NOT DISTINCT FROM "
                     "to_regclass(quote_ident($1) || '.' || quote_ident($2))",
                     2, params, &result, s->f);

    if (r >= 0)
        r = PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return r;
}

/* Of this session, so that it is in nobody's way. */
static int own_schema(struct showing *s, const char **schema)
{
    *schema = pg_printf(s->arena, "cell_pending_%d_%u", PQbackendPID(s->conn), s->nschemas++);
    return pg_run(s->conn, pg_printf(s->arena, "CREATE SCHEMA %s", *schema), s->f);
}

/* With others in place of values of enums that are only planned, where the statement names these. */
static int run(const struct showing *s, const char *sql)
{
    const char *text = sql;
    pg_edits edits = {0};

    for (;;) {
        int r = pg_run(s->conn, "SAVEPOINT cell_pending", s->f);
        if (r >= 0)
            r = pg_run(s->conn, text, s->f);
        if (r >= 0)
            return pg_run(s->conn, "RELEASE SAVEPOINT cell_pending", s->f);
        if (strcmp(s->f->sqlstate, "22P02") != 0 || !pg_edit_refused(s->arena, sql, s->f->position, s->made, &edits) ||
            pg_run(s->conn, "ROLLBACK TO SAVEPOINT cell_pending", NULL) < 0)
            return r;
        text = pg_edited(s->arena, sql, &edits);
    }
}

static int make_stand_in(struct showing *s, const struct pg_table *t)
{
    const char *schema = "pg_temp";
    struct pg_text text = {.arena = s->arena};
    struct pg_table table = *t;
    int r = is_visible(s, t);

    if (r == 0)
        r = own_schema(s, &schema);
    if (r < 0)
        return r;
    table.schema = schema;
    pg_sql_stand_in(&text, &table);
    r = run(s, text.data);
    for (uint32_t i = 0; r >= 0 && i < table.nindexes; i++) {
        if (!table.indexes[i].unique)
            continue;
        text = (struct pg_text){.arena = s->arena};
        pg_sql_create_index(&text, &table, &table.indexes[i], false);
        r = run(s, text.data);
    }
    *pg_push(s->arena, s->made) = (struct pg_stand_in){t->schema, t->name, schema};
    return r;
}

/* Of a new table its indexes as well, which an ON CONFLICT may name; what is recorded of it does not matter. */
static int run_new(const struct showing *s, const struct pg_step *step)
{
    int r = CELL_OK;

    for (uint32_t i = 0; r >= 0 && i < step->nsql; i++)
        if (strncmp(step->sql[i], "CREATE ", 7) == 0)
            r = run(s, step->sql[i]);
    return r;
}

int pg_show_pending(void *user, PGconn *conn, struct pg_arena *arena, pg_stand_ins *made, struct pg_failure *f)
{
    const struct pg_unit *u = user;
    struct showing s = {u, conn, arena, made, f, 0};
    int r = CELL_OK;

    pg_unit_stand_for_labels(u, arena, made);
    for (uint32_t i = 0; r >= 0 && i < u->plan->nsteps; i++) {
        const struct pg_step *step = &u->plan->steps[i];
        if (step->kind == PG_STEP_CREATE_SCHEMA || step->kind == PG_STEP_CREATE_ENUM ||
            step->kind == PG_STEP_CREATE_EXTENSION || step->kind == PG_STEP_CREATE_TABLE)
            r = run_new(&s, step);
    }
    for (uint32_t i = 0; r >= 0 && i < u->n; i++) {
        const struct pg_table *t = &u->plan->tables[i];
        if (t->columns && is_last_of_table(u->plan, i) && changes(u->plan, t))
            r = make_stand_in(&s, t);
    }
    return r;
}
