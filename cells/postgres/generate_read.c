/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Functions that read: get, find_by, list, list_by, all, count. */
#include "generate_impl.h"

#include <string.h>

#include "sql.h"

static void begin_select(struct gen_method *m, const char *root)
{
    pg_puts(&m->sql, "SELECT ");
    gen_columns(m, root);
    pg_puts(&m->sql, " FROM ");
    gen_table(m->g, &m->sql);
}

/* Parameters for n fields, and "a" = $1 AND "b" = $2. */
static void add_equals(struct gen_method *m, struct gen_field *const *fields, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        bool pointer;
        const char *type = gen_value_type(m->g, fields[i], &pointer);
        gen_param(m, fields[i]->field->name, type, "in", pointer);
        pg_puts(&m->sql, i ? " AND " : " WHERE ");
        pg_sql_name(&m->sql, fields[i]->column->name);
        pg_puts(&m->sql, " = ");
        gen_value(m, &m->sql, fields[i], fields[i]->field->name, m->in);
    }
}

static const char *names_of(struct gen *g, struct gen_field *const *fields, uint32_t n, const char *between)
{
    struct pg_text t = {.arena = &g->arena};

    for (uint32_t i = 0; i < n; i++)
        pg_putf(&t, "%s%s", i ? between : "", fields[i]->field->name);
    return t.data ? t.data : "";
}

/* One row by what identifies it. */
static void add_get(struct gen *g, const char *name, struct gen_field *const *fields, uint32_t n)
{
    struct gen_method m;

    if (!gen_begin(g, name, &m))
        return;
    const char *row = gen_free_name(g, fields, n, "row");
    pg_putf(&m.doc, "The row with this %s. CELL_NOT_FOUND when there is none.", names_of(g, fields, n, " and "));
    begin_select(&m, row);
    add_equals(&m, fields, n);
    gen_param(&m, row, g->declared->tag, "out", true);
    gen_end(&m, "row", false, json_pack("{sb}", "each", 1));
}

static void add_find_all(struct gen *g, const char *name, struct gen_field *const *fields, uint32_t n)
{
    struct gen_method m;

    if (!gen_begin(g, name, &m))
        return;
    const char *rows = gen_free_name(g, fields, n, "rows");
    pg_putf(&m.doc, "The rows with this %s, in no order.", names_of(g, fields, n, " and "));
    begin_select(&m, rows);
    add_equals(&m, fields, n);
    gen_stream(&m, rows, "out");
    gen_end(&m, "stream", false, NULL);
}

struct order {
    struct gen_field **fields; /* what the order is by; unique together */
    uint32_t n;
    bool descending;
};

/* `sql` up to its end; with `after` for what follows the row that the parameters name. */
static void build_page(struct gen_method *m, const struct order *o, const char *const *after, const char *limit,
                       struct pg_text *sql, json_t *in, bool from_the_start)
{
    if (!from_the_start) {
        pg_puts(sql, " WHERE (");
        for (uint32_t i = 0; i < o->n; i++) {
            pg_puts(sql, i ? ", " : "");
            pg_sql_name(sql, o->fields[i]->column->name);
        }
        pg_puts(sql, o->descending ? ") < (" : ") > (");
        for (uint32_t i = 0; i < o->n; i++) {
            pg_puts(sql, i ? ", " : "");
            gen_value(m, sql, o->fields[i], after[i], in);
        }
        pg_puts(sql, ")");
    }
    pg_puts(sql, " ORDER BY ");
    for (uint32_t i = 0; i < o->n; i++) {
        pg_puts(sql, i ? ", " : "");
        pg_sql_name(sql, o->fields[i]->column->name);
        pg_puts(sql, o->descending ? " DESC" : "");
    }
    pg_putf(sql, " LIMIT $%zu", json_array_size(in) + 1);
    gen_append(m->g, in, json_pack("{ss, ss}", "from", limit, "type", "bigint"));
}

static bool can_order(struct gen *g, const struct order *o)
{
    for (uint32_t i = 0; i < o->n; i++)
        if (!gen_is_comparable(o->fields[i]) || o->fields[i]->column->nullable || !gen_optional_type(g, o->fields[i]))
            return false;
    return o->n > 0;
}

/* Pages of rows: each begins behind the last row of the one before, however rows come and go meanwhile. */
static void add_list(struct gen *g, const char *name, const struct order *o)
{
    struct gen_method m;

    if (!can_order(g, o) || !gen_begin(g, name, &m))
        return;
    const char **after = pg_array(&g->arena, o->n, sizeof(*after));
    pg_putf(&m.doc,
            "A page of rows in the %sorder of %s: at most `limit`, behind the row with the values after_…; absent, "
            "from the "
            "first on. The next page begins behind the last row of this one.",
            o->descending ? "descending " : "", names_of(g, o->fields, o->n, ", "));
    for (uint32_t i = 0; i < o->n; i++) {
        after[i] = pg_printf(&g->arena, "after_%s", o->fields[i]->field->name);
        gen_param(&m, after[i], gen_optional_type(g, o->fields[i]), "in", false);
    }
    gen_param(&m, "limit", "u32", "in", false);
    gen_param(&m, "rows", gen_rows_type(g), "out", true);
    begin_select(&m, "rows");
    struct pg_text first = {.arena = &g->arena};
    json_t *first_in = json_array();
    pg_puts(&first, m.sql.data);
    build_page(&m, o, after, "limit", &first, first_in, true);
    build_page(&m, o, after, "limit", &m.sql, m.in, false);
    gen_end(&m, "rows", false, json_pack("{s{ss, so}}", "first", "sql", first.data, "in", first_in));
}

static void add_all(struct gen *g)
{
    struct gen_method m;

    if (!gen_begin(g, "all", &m))
        return;
    pg_puts(&m.doc, "All rows, in no order.");
    begin_select(&m, "rows");
    gen_stream(&m, "rows", "out");
    gen_end(&m, "stream", false, NULL);
}

static void add_count(struct gen *g)
{
    struct gen_method m;

    if (!gen_begin(g, "count", &m))
        return;
    pg_puts(&m.doc, "How many rows there are.");
    pg_puts(&m.sql, "SELECT count(*) FROM ");
    gen_table(g, &m.sql);
    /* An array of one: as a pointer to a number in C, which no parameter of a schema can be. */
    gen_param(&m, "count", "u64[1]", "out", true);
    gen_append(g, m.out, json_pack("{ss, ss, sb}", "to", "count", "type", "bigint", "null", 0));
    gen_end(&m, "count", false, NULL);
}

/* A key, or an index of plain columns, in terms of fields. */
struct access {
    struct gen_field **fields;
    uint32_t n;
    bool unique, ordered, descending;
};

static bool resolve(struct gen *g, const char *const *columns, uint32_t n, struct access *a)
{
    a->fields = pg_array(&g->arena, (size_t)n + g->nkey + 1, sizeof(*a->fields));
    for (uint32_t i = 0; i < n; i++) {
        a->fields[i] = gen_find(g, columns[i]);
        if (!a->fields[i] || !gen_is_comparable(a->fields[i]))
            return false;
    }
    a->n = n;
    return n > 0;
}

static bool resolve_index(struct gen *g, const struct pg_index *x, struct access *a)
{
    const char **columns = pg_array(&g->arena, (size_t)x->n + 1, sizeof(*columns));
    bool btree = strcmp(x->method, "btree") == 0, same = true;

    if (x->predicate.sql || (!btree && strcmp(x->method, "hash") != 0))
        return false;
    for (uint32_t i = 0; i < x->n; i++) {
        if (!x->parts[i].column || x->parts[i].opclass)
            return false;
        columns[i] = x->parts[i].column;
        same = same && x->parts[i].descending == x->parts[0].descending;
    }
    *a = (struct access){
        .unique = x->unique, .ordered = btree && same, .descending = x->n > 0 && x->parts[0].descending};
    return resolve(g, columns, x->n, a);
}

static bool is_key(const struct gen *g, const struct access *a)
{
    if (a->n != g->nkey)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->fields[i] != g->key[i])
            return false;
    return true;
}

static void add_access(struct gen *g, struct access *a)
{
    const char *names = names_of(g, a->fields, a->n, "_");

    if (is_key(g, a))
        return;
    if (a->unique)
        add_get(g, pg_printf(&g->arena, "find_by_%s", names), a->fields, a->n);
    else
        add_find_all(g, pg_printf(&g->arena, "find_by_%s", names), a->fields, a->n);
    if (!a->ordered || g->nkey == 0)
        return;
    /* Rows that are equal in it are told apart by the key. */
    uint32_t n = a->n;
    for (uint32_t i = 0; i < g->nkey; i++) {
        bool there = false;
        for (uint32_t k = 0; k < a->n; k++)
            there = there || a->fields[k] == g->key[i];
        if (!there)
            a->fields[n++] = g->key[i];
    }
    add_list(g, pg_printf(&g->arena, "list_by_%s", names), &(struct order){a->fields, n, a->descending});
}

void gen_reads(struct gen *g)
{
    const struct pg_table *t = g->declared->owned ? &g->declared->table : g->table;

    if (g->nkey > 0) {
        add_get(g, "get", g->key, g->nkey);
        add_list(g, "list", &(struct order){g->key, g->nkey, false});
    }
    for (uint32_t i = 0; i < t->nuniques; i++) {
        struct access a = {.unique = true, .ordered = true};
        if (resolve(g, t->uniques[i].columns, t->uniques[i].n, &a))
            add_access(g, &a);
    }
    for (uint32_t unique = 2; unique-- > 0;)
        for (uint32_t i = 0; i < t->nindexes; i++) {
            struct access a;
            if (t->indexes[i].unique == (unique == 1) && resolve_index(g, &t->indexes[i], &a))
                add_access(g, &a);
        }
    add_all(g);
    add_count(g);
}
