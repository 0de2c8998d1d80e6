/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Random queries over tables that are full of NULLs: a column that is called never NULL has none. Outer joins within
 * each other, conditions at every place, subqueries, LATERAL, CTEs, set operations, groups and grouping sets.
 */
// LIBS: cell_postgres_sanitized
#include <stdarg.h>

#include "pg_null_fixture.h"

static uint64_t state = 88172645463325252u;

static unsigned below(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 11) % n);
}

/* A query under construction, and the columns that may be named in it: all are integers. */
struct scope {
    char names[40][24];
    unsigned n;
};
struct text {
    char data[16384];
    size_t length;
    unsigned aliases;
};

static void put(struct text *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(t->data + t->length, sizeof(t->data) - t->length, format, args);
    va_end(args);
    if (n > 0 && t->length + (size_t)n < sizeof(t->data))
        t->length += (size_t)n;
}

static void query(struct text *t, const struct scope *outer, unsigned columns, unsigned depth);

static void column(struct text *t, const struct scope *s)
{
    if (s->n)
        put(t, "%s", s->names[below(s->n)]);
    else
        put(t, "%u", below(5));
}

static void value(struct text *t, const struct scope *s, unsigned depth)
{
    switch (depth ? below(14) : 0) {
    case 1:
        put(t, "(");
        value(t, s, depth - 1);
        put(t, " + ");
        value(t, s, depth - 1);
        put(t, ")");
        return;
    case 2:
        put(t, "coalesce(");
        value(t, s, depth - 1);
        put(t, ", ");
        value(t, s, depth - 1);
        put(t, ")");
        return;
    case 3:
        put(t, "nullif(");
        value(t, s, depth - 1);
        put(t, ", %u)", below(4));
        return;
    case 4:
        put(t, "CASE WHEN ");
        column(t, s);
        put(t, " > %u THEN ", below(4));
        value(t, s, depth - 1);
        if (below(3)) {
            put(t, " ELSE ");
            value(t, s, depth - 1);
        }
        put(t, " END");
        return;
    case 5:
        put(t, "greatest(");
        value(t, s, depth - 1);
        put(t, ", ");
        value(t, s, depth - 1);
        put(t, ")");
        return;
    case 6:
        put(t, "(");
        query(t, s, 1, depth - 1);
        put(t, " LIMIT 1)");
        return;
    case 7:
        put(t, "(SELECT %s(", below(2) ? "count" : "max");
        column(t, s);
        put(t, ") FROM %s)", below(2) ? "empty" : "x");
        return;
    case 8:
        put(t, "abs(");
        value(t, s, depth - 1);
        put(t, ")");
        return;
    default:
        column(t, s);
    }
}

static void condition(struct text *t, const struct scope *s, unsigned depth)
{
    static const char *const tests[] = {" IS NOT NULL",
                                        " IS NULL",
                                        " > 1",
                                        " <> 2",
                                        " BETWEEN 1 AND 3",
                                        " IN (1, 2, 3)",
                                        " NOT IN (2, 4)",
                                        " = ANY ('{1,2,NULL}')",
                                        " <> ALL ('{}'::int[])",
                                        " NOT BETWEEN 2 AND NULL",
                                        " IS DISTINCT FROM 1",
                                        " IS NOT DISTINCT FROM NULL",
                                        " IN (SELECT k FROM x)",
                                        " NOT IN (SELECT k FROM empty)"};
    switch (depth ? below(8) : 0) {
    case 1:
    case 2:
        put(t, "(");
        condition(t, s, depth - 1);
        put(t, below(2) ? " AND " : " OR ");
        condition(t, s, depth - 1);
        put(t, ")");
        return;
    case 3:
        put(t, "NOT (");
        condition(t, s, depth - 1);
        put(t, ")");
        return;
    case 4:
        put(t, "(");
        condition(t, s, depth - 1);
        put(t, ") IS %s", below(2) ? "TRUE" : below(2) ? "NOT TRUE" : below(2) ? "FALSE" : "NOT UNKNOWN");
        return;
    case 5:
        value(t, s, 1);
        put(t, " = ");
        value(t, s, 1);
        return;
    default:
        value(t, s, below(4) == 0);
        put(t, "%s", tests[below(sizeof(tests) / sizeof(tests[0]))]);
    }
}

static void add(struct scope *s, const char *alias, const char *name)
{
    if (s->n < 40)
        snprintf(s->names[s->n++], sizeof(s->names[0]), "%s.%s", alias, name);
}

static void leaf(struct text *t, struct scope *s, const struct scope *outer, unsigned depth)
{
    static const struct {
        const char *name, *columns[3];
    } tables[] = {{"t", {"id", "n"}},
                  {"u", {"id", "t_id", "v"}},
                  {"x", {"k"}},
                  {"empty", {"k"}},
                  {"plain", {"id", "n", "v"}},
                  {"of_view", {"one", "two"}},
                  {"parent", {"id", "v", "y"}}};
    char alias[16];

    snprintf(alias, sizeof(alias), "a%u", t->aliases++);
    if (depth && below(4) == 0) {
        unsigned n = 1 + below(3);
        bool lateral = below(2);
        struct scope both = *outer;
        for (unsigned i = 0; lateral && i < s->n && both.n < 40; i++)
            memcpy(both.names[both.n++], s->names[i], sizeof(s->names[i]));
        put(t, "%s(", lateral ? "LATERAL " : "");
        query(t, lateral ? &both : outer, n, depth - 1);
        put(t, ") AS %s (c0%s%s)", alias, n > 1 ? ", c1" : "", n > 2 ? ", c2" : "");
        for (unsigned i = 0; i < n; i++)
            add(s, alias, i == 0 ? "c0" : i == 1 ? "c1" : "c2");
        return;
    }
    unsigned which = below(sizeof(tables) / sizeof(tables[0]));
    put(t, "%s AS %s", tables[which].name, alias);
    for (unsigned i = 0; i < 3 && tables[which].columns[i]; i++)
        add(s, alias, tables[which].columns[i]);
}

/* LATERAL may not refer to the other side of a right or full join. */
static void from(struct text *t, struct scope *s, const struct scope *outer, unsigned depth, bool lateral)
{
    static const char *const joins[] = {"JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"};
    struct scope left = {0}, right = {0}, none = {0};

    if (depth == 0 || below(5) == 0) {
        leaf(t, s, outer, lateral ? depth : 0);
        return;
    }
    unsigned join = below(5);
    from(t, &left, outer, depth - 1, lateral);
    put(t, " %s ", joins[join]);
    bool nested = below(2) && depth > 1;
    if (nested)
        put(t, "(");
    if (join < 3)
        right = none;
    from(t, &right, outer, nested ? depth - 1 : 0, false);
    if (nested)
        put(t, ")");
    for (unsigned i = 0; i < right.n && left.n < 40; i++)
        memcpy(left.names[left.n++], right.names[i], sizeof(right.names[i]));
    put(t, " ON ");
    if (join == 4 || below(2)) /* a full join must be mergeable */
        put(t, "%s = %s", left.names[below(left.n - right.n)], right.names[below(right.n)]);
    else
        condition(t, &left, 1);
    for (unsigned i = 0; i < left.n && s->n < 40; i++)
        memcpy(s->names[s->n++], left.names[i], sizeof(left.names[i]));
}

static void grouped(struct text *t, const struct scope *s, unsigned columns)
{
    static const char *const aggregates[] = {"count", "sum", "max", "min", "count"};
    const char *by = s->names[below(s->n)], *also = s->names[below(s->n)];
    unsigned form = below(4);

    for (unsigned i = 0; i < columns; i++) {
        unsigned kind = below(4);
        if (i)
            put(t, ", ");
        if (kind == 0)
            put(t, "%s", form ? by : "1");
        else if (kind == 1)
            put(t, "coalesce(%s(%s), 0)", aggregates[below(5)], also);
        else
            put(t, "%s(%s)%s", aggregates[below(5)], also, below(4) == 0 ? " FILTER (WHERE false)" : "");
        put(t, " AS c%u", i);
    }
    put(t, "\x01"); /* where FROM comes */
    if (form == 1)
        put(t, " GROUP BY %s", by);
    else if (form == 2)
        put(t, " GROUP BY ROLLUP (%s)", by);
    else if (form == 3)
        put(t, " GROUP BY GROUPING SETS ((%s), (%s, %s), ())", by, by, also);
}

static void select_(struct text *t, const struct scope *outer, unsigned columns, unsigned depth)
{
    struct text clause = {.aliases = t->aliases}, head = {0};
    struct scope here = {0}, all;

    from(&clause, &here, outer, depth + 1, true);
    if (below(3) == 0) {
        put(&clause, ", ");
        leaf(&clause, &here, outer, depth);
    }
    all = here;
    for (unsigned i = 0; i < outer->n && all.n < 40 && below(2); i++)
        memcpy(all.names[all.n++], outer->names[i], sizeof(outer->names[i]));
    if (below(2)) {
        put(&clause, " WHERE ");
        condition(&clause, &all, 2);
    }
    t->aliases = clause.aliases + 10;
    put(t, "SELECT ");
    if (below(4) == 0) {
        grouped(&head, &here, columns);
        char *split = strchr(head.data, '\x01');
        *split = '\0';
        put(t, "%s FROM %s%s", head.data, clause.data, split + 1);
        return;
    }
    for (unsigned i = 0; i < columns; i++) {
        put(t, i ? ", " : "");
        value(t, &all, below(3));
        put(t, " AS c%u", i);
    }
    put(t, " FROM %s", clause.data);
}

static void query(struct text *t, const struct scope *outer, unsigned columns, unsigned depth)
{
    static const char *const operations[] = {"UNION", "UNION ALL", "INTERSECT", "EXCEPT"};

    if (depth && below(6) == 0) {
        put(t, "(");
        select_(t, outer, columns, depth - 1);
        put(t, ") %s (", operations[below(4)]);
        select_(t, outer, columns, depth - 1);
        put(t, ")");
        return;
    }
    if (depth && below(6) == 0) {
        const struct scope none = {0};
        unsigned name = t->aliases++;
        put(t, "WITH w%u AS %s(", name, below(2) ? "" : "MATERIALIZED ");
        query(t, &none, columns, depth - 1);
        put(t, ") SELECT q.* FROM %s w%u AS q%s", below(2) ? "t LEFT JOIN" : "", name, "");
        if (strstr(t->data + t->length - 30, "LEFT JOIN w") != NULL)
            put(t, " ON q.c0 = t.id");
        return;
    }
    select_(t, outer, columns, depth);
}

TEST(what_is_called_never_null_is_never_null_in_random_queries)
{
    PGconn *conn = null_connection();
    const struct scope none = {0};
    unsigned executed = 0, columns_total = 0, never = 0, with_rows = 0;

    if (!conn || !nullable_available())
        return;
    PQclear(PQexec(conn, "SET statement_timeout = '2s'"));
    /* Another seed and more queries, for a longer search: CELL_TEST_SEED=7 CELL_TEST_QUERIES=100000 */
    const char *seed = getenv("CELL_TEST_SEED"), *number = getenv("CELL_TEST_QUERIES");
    unsigned queries = number ? (unsigned)atoi(number) : 1200;
    state ^= seed ? (uint64_t)atoi(seed) * 0x9E3779B97F4A7C15u : 0;
    for (unsigned i = 0; i < queries; i++) {
        struct text t = {0};
        struct null_statement statement;
        char columns[64];
        int rows;
        query(&t, &none, 1 + below(4), 2);
        PGresult *prepared = PQprepare(conn, "", t.data, 0, NULL);
        bool accepted = PQresultStatus(prepared) == PGRES_COMMAND_OK;
        if (!accepted && getenv("SHOW_REFUSED"))
            printf("%s\n  %s", t.data, PQresultErrorMessage(prepared));
        PQclear(prepared);
        if (!accepted)
            continue;
        null_columns_of(conn, t.data, NULL, columns, &statement);
        CHECK(statement.understood);
        CHECK(null_claims_hold(conn, t.data, columns, NULL, &rows));
        executed += rows >= 0;
        with_rows += rows > 0;
        columns_total += (unsigned)strlen(columns);
        for (const char *c = columns; *c; c++)
            never += *c == '!';
    }
    printf("# %u executed, %u with rows, %u of %u columns never NULL\n", executed, with_rows, never, columns_total);
    CHECK(executed * 2 > queries && with_rows * 4 > queries && never * 10 > columns_total);
}
