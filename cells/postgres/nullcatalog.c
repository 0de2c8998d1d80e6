/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "nullcatalog.h"

#include <stdio.h>
#include <string.h>

#include "connect.h"

/* One answer that is remembered: a relation, or what functions or operators of a name have in common. */
struct known {
    char kind; /* 'r', 'f', 'o', 'c' for casts */
    int nargs;
    const char *schema, *name;
    bool found;
    struct null_relation relation;
    struct null_callable callable;
    struct known *next;
};

struct null_source {
    struct pg_arena *arena;
    PGconn *conn;
    struct known *known;
    const char **notations; /* names of functions of one argument that may change something; NULL = not asked yet */
    size_t nnotations;
    int status;
    struct pg_failure failure;
};

/* A table that others inherit from has their rows as well; that of a foreign server checks no constraints. */
static const char relation_sql[] =
    "WITH RECURSIVE r AS (SELECT c.oid, c.relkind, c.relhasrules FROM pg_class c WHERE c.oid = to_regclass("
    "  CASE WHEN $1::text IS NULL THEN quote_ident($2) ELSE quote_ident($1) || '.' || quote_ident($2) END)),"
    " kin(oid) AS (SELECT oid FROM r UNION SELECT i.inhrelid FROM pg_inherits i JOIN kin ON i.inhparent = kin.oid)"
    " SELECT a.attname,"
    "  a.attnotnull AND NOT EXISTS (SELECT FROM kin JOIN pg_class k ON k.oid = kin.oid LEFT JOIN pg_attribute b"
    "   ON b.attrelid = kin.oid AND b.attname = a.attname"
    "   WHERE k.relkind NOT IN ('r', 'p') OR b.attnotnull IS NOT TRUE),"
    "  CASE WHEN t.typcategory = 'U' AND n.nspname = 'pg_catalog' AND t.typname <> 'jsonb' THEN 'u'"
    "   ELSE t.typcategory END,"
    "  CASE WHEN r.relkind = 'v' THEN pg_get_viewdef(r.oid) END,"
    "  r.relkind IN ('r', 'p') AND NOT r.relhasrules"
    " FROM r LEFT JOIN (pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n"
    "  ON n.oid = t.typnamespace) ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

#define VISIBLE(column)                                                                                                \
    column " IN (SELECT oid FROM pg_namespace WHERE nspname = ANY (current_schemas(true)) OR nspname = $1::text)"

static const char function_sql[] =
    "SELECT bool_and(p.proisstrict), bool_and(p.pronamespace = 'pg_catalog'::regnamespace),"
    " bool_and(l.lanname IN ('internal', 'c') OR p.pronamespace = 'pg_catalog'::regnamespace),"
    " bool_and(t.typtype IN ('b', 'e', 'r', 'm') AND p.proallargtypes IS NULL), bool_or(p.proretset), count(*) > 0,"
    " bool_or(p.provolatile = 'v')"
    " FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang JOIN pg_type t ON t.oid = p.prorettype"
    " WHERE p.proname = $2 AND " VISIBLE(
        "p.pronamespace") " AND p.prokind <> 'p'"
                          " AND (p.pronargs - p.pronargdefaults <= $3::int AND $3::int <= p.pronargs"
                          "  OR p.provariadic <> 0 AND $3::int >= p.pronargs - 1)";

static const char operator_sql[] =
    "SELECT bool_and(p.proisstrict), bool_and(p.pronamespace = 'pg_catalog'::regnamespace),"
    " bool_and(l.lanname IN ('internal', 'c') OR p.pronamespace = 'pg_catalog'::regnamespace),"
    " true, false, count(*) > 0, bool_or(p.provolatile = 'v')"
    " FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode JOIN pg_language l ON l.oid = p.prolang"
    " WHERE o.oprname = $2 AND " VISIBLE("o.oprnamespace") " AND o.oprkind = CASE $3::int WHEN 1 THEN 'l' ELSE 'b' END";

/* A cast is that to what a domain is made of and to the elements of an array, and a domain's checks are made. $1, $2:
 * schema and name. */
static const char cast_sql[] =
    "WITH RECURSIVE target (oid) AS (SELECT t.oid FROM pg_type t WHERE t.typname = $2 AND " VISIBLE(
        "t.typnamespace") "  UNION SELECT n.oid FROM target JOIN pg_type t ON t.oid = target.oid"
                          "   CROSS JOIN LATERAL (VALUES (t.typbasetype), (t.typelem)) AS n (oid) WHERE n.oid <> 0)"
                          " SELECT EXISTS (SELECT FROM pg_cast c JOIN pg_proc p ON p.oid = c.castfunc WHERE "
                          "p.provolatile = 'v'"
                          "   AND (c.castcontext = 'i' OR c.casttarget IN (SELECT oid FROM target)))"
                          "  OR EXISTS (SELECT FROM pg_constraint k JOIN target ON k.contypid = target.oid"
                          "   CROSS JOIN regexp_matches(k.conbin::text, ':(?:op)?funcid ([0-9]+)', 'g') AS f (ids)"
                          "   JOIN pg_proc p ON p.oid = f.ids[1]::oid WHERE p.provolatile = 'v')";

static const char notation_sql[] = "SELECT DISTINCT p.proname FROM pg_proc p WHERE " VISIBLE(
    "p.pronamespace") " AND p.provolatile = 'v'"
                      " AND p.prokind <> 'p' AND p.pronargs >= 1 AND p.pronargs - p.pronargdefaults <= 1";

struct null_source *null_source_new(struct pg_arena *arena, PGconn *conn)
{
    struct null_source *s = pg_alloc(arena, sizeof(*s));

    if (s) {
        s->arena = arena;
        s->conn = conn;
    }
    return s;
}

int null_source_failure(const struct null_source *s, struct pg_failure *f)
{
    if (s->status < 0 && f)
        *f = s->failure;
    return s->status;
}

static bool same(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

/* True when the answer is remembered already, or cannot be had. *known is NULL when it cannot. */
static bool recall(struct null_source *s, char kind, const char *schema, const char *name, int nargs,
                   struct known **known)
{
    for (*known = s->known; *known; *known = (*known)->next)
        if ((*known)->kind == kind && (*known)->nargs == nargs && same((*known)->schema, schema) &&
            same((*known)->name, name))
            return true;
    if (s->status < 0)
        return true;
    struct known *k = pg_alloc(s->arena, sizeof(*k));
    if (!k) {
        s->status = pg_fail(&s->failure, CELL_NO_MEMORY, "out of memory");
        return true;
    }
    k->kind = kind;
    k->nargs = nargs;
    k->schema = pg_strdup(s->arena, schema);
    k->name = pg_strdup(s->arena, name);
    k->next = s->known;
    s->known = *known = k;
    return false;
}

static bool truth(const PGresult *result, int row, int column) { return PQgetvalue(result, row, column)[0] == 't'; }

static void read_relation(struct null_source *s, const PGresult *result, struct known *k)
{
    int n = PQntuples(result);
    struct null_column *columns = pg_array(s->arena, n ? (size_t)n : 1, sizeof(*columns));

    if (n == 0 || !columns)
        return;
    k->found = true;
    k->relation.columns = columns;
    k->relation.view = PQgetisnull(result, 0, 3) ? NULL : pg_strdup(s->arena, PQgetvalue(result, 0, 3));
    k->relation.returns_own = truth(result, 0, 4);
    for (int i = 0; i < n && !PQgetisnull(result, i, 0); i++) {
        columns[i].name = pg_strdup(s->arena, PQgetvalue(result, i, 0));
        columns[i].not_null = truth(result, i, 1);
        columns[i].category = PQgetvalue(result, i, 2)[0];
        k->relation.ncolumns++;
    }
}

static bool relation(void *user, const char *schema, const char *name, struct null_relation *out)
{
    struct null_source *s = user;
    const char *params[] = {schema, name};
    PGresult *result = NULL;
    struct known *k;

    if (!recall(s, 'r', schema, name, 0, &k)) {
        int r = pg_query(s->conn, relation_sql, 2, params, &result, &s->failure);
        if (r < 0)
            s->status = r;
        else
            read_relation(s, result, k);
        PQclear(result);
    }
    if (!k || !k->found)
        return false;
    *out = k->relation;
    return true;
}

static bool callable(struct null_source *s, char kind, const char *schema, const char *name, int nargs,
                     struct null_callable *out)
{
    char number[16];
    const char *params[] = {schema, name, number};
    PGresult *result = NULL;
    struct known *k;

    snprintf(number, sizeof(number), "%d", nargs);
    if (!recall(s, kind, schema, name, nargs, &k)) {
        int r = pg_query(s->conn, kind == 'f' ? function_sql : operator_sql, 3, params, &result, &s->failure);
        if (r < 0)
            s->status = r;
        else if (truth(result, 0, 5)) {
            k->found = true;
            k->callable = (struct null_callable){.strict = truth(result, 0, 0),
                                                 .builtin = truth(result, 0, 1),
                                                 .trusted = truth(result, 0, 2),
                                                 .scalar = truth(result, 0, 3),
                                                 .sets = truth(result, 0, 4),
                                                 .effects = truth(result, 0, 6)};
        }
        PQclear(result);
    }
    if (!k || !k->found)
        return false;
    *out = k->callable;
    return true;
}

static bool function(void *user, const char *schema, const char *name, int nargs, struct null_callable *out)
{
    return callable(user, 'f', schema, name, nargs, out);
}

static bool operation(void *user, const char *name, int nargs, struct null_callable *out)
{
    return callable(user, 'o', NULL, name, nargs, out);
}

static bool cast_effects(void *user, const char *schema, const char *name)
{
    struct null_source *s = user;
    const char *params[] = {schema, name};
    PGresult *result = NULL;
    struct known *k;

    if (!recall(s, 'c', schema, name, 0, &k)) {
        int r = pg_query(s->conn, cast_sql, 2, params, &result, &s->failure);
        if (r < 0)
            s->status = r;
        else
            k->callable.effects = truth(result, 0, 0);
        PQclear(result);
    }
    return !k || k->callable.effects;
}

static void read_notations(struct null_source *s)
{
    const char *params[] = {NULL};
    PGresult *result = NULL;
    int r = s->status < 0 ? s->status : pg_query(s->conn, notation_sql, 1, params, &result, &s->failure);
    size_t n = r < 0 ? 0 : (size_t)PQntuples(result);

    s->status = r < 0 ? r : s->status;
    s->notations = pg_array(s->arena, n + 1, sizeof(*s->notations));
    for (size_t i = 0; i < n && s->notations; i++)
        s->notations[s->nnotations++] = pg_strdup(s->arena, PQgetvalue(result, (int)i, 0));
    PQclear(result);
}

static bool notation_effects(void *user, const char *name)
{
    struct null_source *s = user;

    if (!s->notations)
        read_notations(s);
    for (size_t i = 0; i < s->nnotations; i++)
        if (same(s->notations[i], name))
            return true;
    return !s->notations;
}

struct null_catalog null_source_catalog(struct null_source *s)
{
    return (struct null_catalog){relation, function, operation, cast_effects, notation_effects, s};
}
