/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Binding: the statement as the database understands it, compared with what the program was built for. */
#include "statement_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql.h"

#define RUNS_MAX 8 /* of a statement that is stale again and again */

static const char *table_of(const struct pg_statement *s) { return s->table ? s->table : "?"; }

/* The name that stands at character `position` of the statement: which one it is the message would only say in the
 * server's language. */
static const char *name_at(struct pg_statement *s, int position)
{
    size_t at = 0, length = strlen(s->sql);

    for (int i = 1; i < position && at < length; i++)
        do
            at++;
        while (at < length && ((unsigned char)s->sql[at] & 0xc0) == 0x80);
    /* A column may be qualified: the last part counts. */
    const char *name = NULL;
    for (;;) {
        struct pg_token t = pg_sql_token(s->sql, length, at);
        if (t.kind != PG_TOKEN_NAME && t.kind != PG_TOKEN_QUOTED)
            return name;
        bool quoted = t.kind == PG_TOKEN_QUOTED;
        name = pg_copy(&s->arena, s->sql + t.at + quoted, t.len - 2 * (size_t)quoted);
        t = pg_sql_token(s->sql, length, t.at + t.len);
        if (!name || t.kind != PG_TOKEN_PUNCT || s->sql[t.at] != '.')
            return name;
        at = t.at + t.len;
    }
}

/* Whether the tables are behind the program. */
static int explain(struct pg_statement *s, struct pg_failure *f)
{
    struct pg_failure said = *f;
    const char *name = said.position > 0 ? name_at(s, said.position) : NULL;

    if (strcmp(said.sqlstate, "42703") == 0)
        pg_fail(f, CELL_FAILED_PRECONDITION,
                "table '%s' has no column '%s': it is behind this program; run 'cell migrate'", table_of(s),
                name ? name : "?");
    else if (strcmp(said.sqlstate, "42P01") == 0)
        pg_fail(f, CELL_FAILED_PRECONDITION,
                "there is no table '%s': the database is behind this program; run 'cell "
                "migrate'",
                name ? name : table_of(s));
    else
        return f->status;
    memcpy(f->sqlstate, said.sqlstate, sizeof(f->sqlstate));
    return f->status;
}

static int changed(const struct pg_statement *s, const char *what, struct pg_failure *f)
{
    return pg_fail(f, CELL_FAILED_PRECONDITION,
                   "table '%s': %s is of another type than the program was built for; build it again, or run 'cell "
                   "migrate'",
                   table_of(s), what);
}

/* Asks the catalog what a type that is not built in is called, and an array of a domain of what that is made of; sets
 * the place's OIDs when it is the one that is meant. */
static int check_other_type(struct pg_statement *s, struct pg_link *link, Oid oid, struct pg_slot *p,
                            const struct pg_patience *patience, struct pg_failure *f)
{
    static const char query[] = "WITH RECURSIVE base (o, step) AS (SELECT %u::oid, 0 UNION ALL SELECT " PG_BASE_OF(
        "t",
        "e") ", step + 1"
             " FROM base JOIN pg_catalog.pg_type t ON t.oid = o LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem"
             " WHERE t.typcategory = 'A' AND " PG_BASE_OF("t", "e") " <> 0)"
                                                                    " SELECT pg_catalog.format_type(o, NULL), typelem, "
                                                                    "typtype, typcategory FROM base, pg_catalog.pg_type"
                                                                    " WHERE oid = %u ORDER BY step DESC LIMIT 1";
    char sql[sizeof(query) + 32];
    PGresult *result = NULL;
    struct pg_type_use is;

    snprintf(sql, sizeof(sql), query, oid, oid);
    int r = pg_link_exec(link, sql, patience, &result, f);
    if (r < 0)
        return r;
    if (PQntuples(result) != 1 || pg_type_parse(&s->arena, PQgetvalue(result, 0, 0), &is, NULL) < 0) {
        PQclear(result);
        return changed(s, p->name, f);
    }
    const char kind = PQgetvalue(result, 0, 2)[0], category = PQgetvalue(result, 0, 3)[0];
    const Oid element = is.array ? (Oid)strtoul(PQgetvalue(result, 0, 1), NULL, 10) : 0;
    PQclear(result);
    is.modifier = is.scale = -1;
    if (!pg_type_equal(&is, &p->in_database))
        return changed(s, p->name, f);
    p->element = element;
    p->oid = oid;
    s->looked_up = true;
    /* Only of these is the binary format the text. */
    if (p->in_database.base == PG_BASE_OTHER && !p->in_database.array && kind != 'e' && category != 'S')
        return pg_fail(f, CELL_INVALID_ARGUMENT, "%s: a value of type %s needs a cast to text", p->name, is.name);
    return CELL_OK;
}

static int check_type(struct pg_statement *s, struct pg_link *link, Oid oid, struct pg_slot *p,
                      const struct pg_patience *patience, struct pg_failure *f)
{
    if (p->oid != 0 && pg_same_wire(oid, p->oid))
        return CELL_OK;
    if (p->oid != 0 && !p->in_database.array)
        return changed(s, p->name, f);
    return check_other_type(s, link, oid, p, patience, f);
}

static int check_described(struct pg_statement *s, struct pg_link *link, const PGresult *d,
                           const struct pg_patience *patience, struct pg_failure *f)
{
    int r = CELL_OK;

    if (PQnparams(d) != (int)s->nin || PQnfields(d) != (int)s->nout)
        return pg_fail(f, CELL_INVALID_ARGUMENT,
                       "the statement has %d parameter%s and %d column%s, and the binding %u and %u", PQnparams(d),
                       PQnparams(d) == 1 ? "" : "s", PQnfields(d), PQnfields(d) == 1 ? "" : "s", s->nin, s->nout);
    for (uint32_t i = 0; r >= 0 && i < s->nin; i++)
        r = check_type(s, link, PQparamtype(d, (int)i), &s->in[i].place, patience, f);
    for (uint32_t i = 0; r >= 0 && i < s->nout; i++)
        r = check_type(s, link, PQftype(d, (int)i), &s->out[i].place, patience, f);
    return r;
}

int pg_one_result(struct pg_link *link, ExecStatusType wanted, const struct pg_patience *patience, PGresult **result,
                  struct pg_failure *f)
{
    PGresult *got = NULL, *rest = NULL;
    int r = pg_link_result(link, patience, &got, f);

    while (r >= 0 && (r = pg_link_result(link, patience, &rest, f)) >= 0 && rest)
        PQclear(rest);
    if (r >= 0 && PQresultStatus(got) != wanted)
        r = pg_fail_result(f, got);
    if (r < 0) {
        PQclear(got);
        return r;
    }
    *result = got;
    return CELL_OK;
}

/* Has the database prepare it under no name. */
static int parse(struct pg_link *link, const char *sql, uint32_t n, const Oid *types,
                 const struct pg_patience *patience, struct pg_failure *f)
{
    PGconn *connection = pg_link_connection(link);
    PGresult *result = NULL;

    if (!PQsendPrepare(connection, "", sql, (int)n, types))
        return pg_fail_connection(f, connection, "asking the database");
    int r = pg_one_result(link, PGRES_COMMAND_OK, patience, &result, f);
    if (r >= 0)
        PQclear(result);
    return r;
}

static int describe(struct pg_statement *s, struct pg_link *link, const Oid *types, const struct pg_patience *patience,
                    struct pg_failure *f)
{
    PGconn *connection = pg_link_connection(link);
    PGresult *result = NULL;
    int r = parse(link, s->sql, s->nin, types, patience, f);

    if (r < 0)
        return explain(s, f);
    if (!PQsendDescribePrepared(connection, ""))
        return pg_fail_connection(f, connection, "asking the database");
    r = pg_one_result(link, PGRES_COMMAND_OK, patience, &result, f);
    if (r < 0)
        return r;
    r = check_described(s, link, result, patience, f);
    PQclear(result);
    return r;
}

/* A statement that cannot be merged with others is none the worse. */
static int ask_about_merged(struct pg_statement *s, struct pg_link *link, const struct pg_patience *patience,
                            struct pg_failure *f)
{
    Oid *arrays = s->types;
    const char *sql = pg_statement_merged(s, arrays);
    struct pg_failure ignored = {0};

    if (!sql || (parse(link, sql, s->nin, arrays, patience, &ignored) < 0 && ignored.sqlstate[0]))
        return CELL_OK;
    if (ignored.status < 0) {
        *f = ignored;
        return f->status;
    }
    return pg_prepared_merge(s->prepared, sql, arrays) < 0 ? pg_fail(f, CELL_NO_MEMORY, "out of memory") : CELL_OK;
}

static int prepare_rows(struct pg_statement *s, const Oid *types, struct pg_failure *f)
{
    const char *sql = pg_statement_of_rows(s, &s->rows);
    Oid *all = sql ? pg_array(&s->arena, (size_t)s->rows * s->nin, sizeof(*all)) : NULL;

    if (!sql)
        return CELL_OK;
    for (uint32_t i = 0; all && i < s->rows * s->nin; i++)
        all[i] = types[i % s->nin];
    s->of_rows = all ? pg_prepared_new(s->pool, sql, all, (int)(s->rows * s->nin)) : NULL;
    return s->of_rows ? CELL_OK : pg_fail(f, CELL_NO_MEMORY, "out of memory");
}

static int ask_about(struct pg_statement *s, struct pg_link *link, const struct pg_patience *patience,
                     struct pg_failure *f)
{
    Oid *types = pg_array(&s->arena, (size_t)s->nin + 1, sizeof(*types));

    if (!types)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < s->nin; i++)
        types[i] = s->in[i].place.oid;
    int r = describe(s, link, types, patience, f);
    if (r < 0)
        return r;
    s->prepared = pg_prepared_new(s->pool, s->sql, types, (int)s->nin);
    if (!s->prepared)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    s->types = types;
    return prepare_rows(s, types, f);
}

/* In one transaction, which ends with the pin when it fails: what the statement reads and writes is locked when it is
 * parsed, so that it is the same still when its types are looked up. */
static int ask_at_once(struct pg_statement *s, struct pg_link *link, const struct pg_patience *patience,
                       struct pg_failure *f)
{
    int r = pg_link_exec(link, "BEGIN", patience, NULL, f);

    if (r >= 0)
        r = ask_about(s, link, patience, f);
    if (r >= 0 && s->first)
        r = ask_about(s->first, link, patience, f);
    return r < 0 ? r : pg_link_exec(link, "COMMIT", patience, NULL, f);
}

static int ask_database(struct pg_statement *s, const struct pg_patience *patience, struct pg_failure *f)
{
    struct pg_link *link = NULL;
    int r = pg_pool_pin_briefly(s->pool, patience, &link, f);

    if (r < 0)
        return r;
    r = ask_at_once(s, link, patience, f);
    for (struct pg_statement *part = s; r >= 0 && part; part = part->first)
        if (part->each)
            r = ask_about_merged(part, link, patience, f);
    pg_pool_unpin(s->pool, link, true);
    return r;
}

static void clear(struct pg_statement *s)
{
    if (s->first) {
        pg_prepared_free(s->first->prepared);
        pg_arena_free(&s->first->arena);
    }
    pg_prepared_free(s->prepared);
    pg_prepared_free(s->of_rows);
    pg_arena_free(&s->arena);
}

int pg_statement_bind(struct pg_pool *pool, const struct cell_method *method, const char *binding,
                      const struct pg_patience *patience, struct pg_statement **statement, struct pg_failure *f)
{
    struct pg_statement *s = calloc(1, sizeof(*s));

    *f = (struct pg_failure){0};
    if (!s)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    s->pool = pool;
    s->method = method;
    int r = pg_binding_read(s, binding, f);
    if (r >= 0)
        r = ask_database(s, patience, f);
    s->held = r >= 0 && pg_statement_is_held(s);
    if (r < 0) {
        pg_statement_free(s);
        return r;
    }
    *statement = s;
    return CELL_OK;
}

int pg_statement_check(struct pg_pool *pool, const struct cell_method *method, const char *binding,
                       const struct pg_patience *patience, struct pg_failure *f)
{
    struct pg_statement s = {.pool = pool, .method = method};

    *f = (struct pg_failure){0};
    int r = pg_binding_read(&s, binding, f) >= 0 && s.table && s.op == PG_OP_STREAM ? ask_database(&s, patience, f)
                                                                                    : CELL_OK;
    clear(&s);
    return r;
}

bool pg_statement_is_stale(const struct pg_statement *s, const struct pg_failure *f)
{
    bool looked_up = s->looked_up || (s->first && s->first->looked_up);

    /* The server looks for a number that is gone; an array says of which type its elements are. */
    return looked_up && (f->other_columns || strcmp(f->sqlstate, "42804") == 0 ||
                         (strcmp(f->sqlstate, "XX000") == 0 && strstr(f->text, "cache lookup failed for type")));
}

int pg_statement_run_anew(const struct pg_statement *s, cell_ctx *c, const void *in, void *const *out,
                          struct pg_failure *f)
{
    struct pg_patience patience = pg_patience_of(c);
    bool stale = true;
    int r = f->status;

    for (int i = 0; stale && i < RUNS_MAX; i++) {
        struct pg_statement *anew = NULL;
        if (!pg_statement_is_single(s) || (f->other_columns && (s->flags & PG_RUN_WRITE)))
            return r;
        r = pg_statement_bind(s->pool, s->method, s->method->binding, &patience, &anew, f);
        if (r < 0)
            return r;
        r = pg_statement_run(anew, c, NULL, in, out, f);
        stale = r < 0 && pg_statement_is_stale(anew, f); /* it may have been made anew once more */
        pg_statement_free(anew);
    }
    return r;
}

void pg_statement_free(struct pg_statement *s)
{
    if (s)
        clear(s);
    free(s);
}
