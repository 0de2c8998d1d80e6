/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Functions that write: insert, insert_many, load, update, upsert, delete. */
#include "generate_impl.h"

#include <string.h>

#include "sql.h"

static bool is_sent(const struct gen_field *f) { return !f->automatic; }

static uint32_t count_sent(const struct gen *g)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < g->nfields; i++)
        n += is_sent(&g->fields[i]);
    return n;
}

static bool fills_in(const struct gen *g)
{
    for (uint32_t i = 0; i < g->nfields; i++)
        if (g->fields[i].automatic || g->fields[i].defaulted)
            return true;
    return false;
}

/* INSERT INTO t ("a", "b") VALUES ($1, COALESCE($2, 0)) */
static void build_insert(struct gen_method *m, const char *root)
{
    struct gen *g = m->g;
    struct pg_text values = {.arena = &g->arena};
    bool first = true;

    pg_puts(&m->sql, "INSERT INTO ");
    gen_table(g, &m->sql);
    if (count_sent(g) == 0) {
        pg_puts(&m->sql, " DEFAULT VALUES");
        return;
    }
    for (uint32_t i = 0; i < g->nfields; i++) {
        const struct gen_field *f = &g->fields[i];
        if (!is_sent(f))
            continue;
        pg_puts(&m->sql, first ? " (" : ", ");
        pg_puts(&values, first ? "" : ", ");
        first = false;
        pg_sql_name(&m->sql, f->column->name);
        pg_puts(&values, f->defaulted ? "COALESCE(" : "");
        gen_value(m, &values, f, pg_printf(&g->arena, "%s.%s", root, f->field->name), m->in);
        if (f->defaulted)
            pg_putf(&values, ", (%s))", f->column->standard.sql);
    }
    pg_putf(&m->sql, ") VALUES (%s)", values.data);
}

/* What the database has filled in comes back. */
static void build_returning(struct gen_method *m)
{
    for (uint32_t i = 0; i < m->g->nfields; i++) {
        const struct gen_field *f = &m->g->fields[i];
        if (!f->automatic && !f->defaulted)
            continue;
        pg_puts(&m->sql, json_array_size(m->out) ? "" : " RETURNING ");
        gen_column(m, f, "row");
    }
}

static const char *filled_names(struct gen *g)
{
    struct pg_text t = {.arena = &g->arena};

    for (uint32_t i = 0; i < g->nfields; i++)
        if (g->fields[i].automatic || g->fields[i].defaulted)
            pg_putf(&t, "%s%s%s", t.len ? ", " : "", g->fields[i].field->name,
                    g->fields[i].defaulted ? " (when absent)" : "");
    return t.data ? t.data : "";
}

static void describe_uniques(struct gen_method *m)
{
    const struct pg_table *t = &m->g->declared->table;

    if (m->g->nkey > 0 || t->nuniques > 0)
        pg_puts(&m->doc, " CELL_ALREADY_EXISTS, and says in which column, when there is one with the same key.");
}

static void add_insert(struct gen *g)
{
    struct gen_method m;
    bool fills = fills_in(g);

    if (!gen_begin(g, "insert", &m))
        return;
    pg_puts(&m.doc, "Adds a row.");
    if (fills)
        pg_putf(&m.doc, " Fills in %s.", filled_names(g));
    describe_uniques(&m);
    gen_param(&m, "row", g->declared->tag, fills ? "inout" : "in", true);
    build_insert(&m, "row");
    build_returning(&m);
    gen_end(&m, fills ? "row" : "exec", true, json_pack("{sb}", "shared", 1));
}

/* COPY of what is sent; NULL when something has to be computed for each row. */
static json_t *copy_of(struct gen *g)
{
    struct pg_text t = {.arena = &g->arena};
    uint32_t n = 0;

    pg_puts(&t, "COPY ");
    gen_table(g, &t);
    for (uint32_t i = 0; i < g->nfields; i++) {
        const struct gen_field *f = &g->fields[i];
        if (f->defaulted || f->cast)
            return NULL;
        if (!is_sent(f))
            continue;
        pg_puts(&t, n++ ? ", " : " (");
        pg_sql_name(&t, f->column->name);
    }
    pg_puts(&t, ") FROM STDIN (FORMAT binary)");
    return n > 0 ? json_pack("{ss}", "copy", t.data) : NULL;
}

static void add_many(struct gen *g)
{
    struct gen_method m;

    if (count_sent(g) == 0)
        return;
    if (gen_begin(g, "insert_many", &m)) {
        pg_puts(&m.doc,
                "Adds rows: all of them or none. The result is how many; what the database fills in is not read.");
        describe_uniques(&m);
        gen_param(&m, "rows", gen_rows_type(g), "in", false);
        build_insert(&m, "rows");
        gen_end(&m, "many", true, copy_of(g));
    }
    if (gen_begin(g, "load", &m)) {
        pg_puts(&m.doc, "Adds the rows that are put: all of them, at the end, or none. The result is how many.");
        describe_uniques(&m);
        gen_stream(&m, "rows", "in");
        build_insert(&m, "rows");
        gen_end(&m, "load", true, copy_of(g));
    }
}

static void build_key_condition(struct gen_method *m, const char *root)
{
    for (uint32_t i = 0; i < m->g->nkey; i++) {
        const struct gen_field *f = m->g->key[i];
        pg_puts(&m->sql, i ? " AND " : " WHERE ");
        pg_sql_name(&m->sql, f->column->name);
        pg_puts(&m->sql, " = ");
        gen_value(m, &m->sql, f, root ? pg_printf(&m->g->arena, "%s.%s", root, f->field->name) : f->field->name, m->in);
    }
}

static void add_update(struct gen *g)
{
    struct gen_method m;
    uint32_t n = 0;

    for (uint32_t i = 0; i < g->nfields; i++)
        n += is_sent(&g->fields[i]) && !g->fields[i].key;
    if (n == 0 || !gen_begin(g, "update", &m))
        return;
    pg_puts(&m.doc, "Changes the row with the key of this one to what it says. CELL_NOT_FOUND when there is none.");
    gen_param(&m, "row", g->declared->tag, "in", true);
    pg_puts(&m.sql, "UPDATE ");
    gen_table(g, &m.sql);
    n = 0;
    for (uint32_t i = 0; i < g->nfields; i++) {
        const struct gen_field *f = &g->fields[i];
        if (!is_sent(f) || f->key)
            continue;
        struct pg_text name = {.arena = &g->arena}, value = name;
        pg_sql_name(&name, f->column->name);
        gen_value(&m, &value, f, pg_printf(&g->arena, "row.%s", f->field->name), m.in);
        pg_putf(&m.sql, "%s%s = ", n++ ? ", " : " SET ", name.data);
        gen_kept(g, &m.sql, f, name.data, value.data);
    }
    build_key_condition(&m, "row");
    gen_end(&m, "exec", true, json_pack("{sb}", "must", 1));
}

static void add_delete(struct gen *g)
{
    struct gen_method m;

    if (!gen_begin(g, "delete", &m))
        return;
    pg_puts(&m.doc, "Removes the row with this key. CELL_NOT_FOUND when there is none.");
    for (uint32_t i = 0; i < g->nkey; i++) {
        bool pointer;
        const char *type = gen_value_type(g, g->key[i], &pointer);
        gen_param(&m, g->key[i]->field->name, type, "in", pointer);
    }
    pg_puts(&m.sql, "DELETE FROM ");
    gen_table(g, &m.sql);
    build_key_condition(&m, NULL);
    gen_end(&m, "exec", true, json_pack("{sb}", "must", 1));
}

/* The columns by which upsert finds a row: the key if it is sent, else the first unique one that is. */
static const char *const *upsert_columns(struct gen *g, uint32_t *n)
{
    const struct pg_table *t = &g->declared->table;

    for (uint32_t i = 0; i <= t->nuniques; i++) {
        const struct pg_key *key = i == 0 ? t->primary : &t->uniques[i - 1];
        bool sent = key && (i > 0 || g->nkey > 0);
        for (uint32_t k = 0; sent && k < key->n; k++) {
            const struct gen_field *f = gen_find(g, key->columns[k]);
            sent = f && is_sent(f) && !f->column->nullable;
        }
        if (!sent)
            continue;
        *n = key->n;
        return key->columns;
    }
    return NULL;
}

static bool is_among(const char *name, const char *const *names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void add_upsert(struct gen *g)
{
    struct gen_method m;
    uint32_t n, set = 0;
    const char *const *columns = upsert_columns(g, &n);

    if (!columns || !gen_begin(g, "upsert", &m))
        return;
    bool fills = fills_in(g);
    struct pg_text names = {.arena = &g->arena};
    for (uint32_t i = 0; i < n; i++)
        pg_putf(&names, "%s%s", i ? " and " : "", gen_find(g, columns[i])->field->name);
    pg_putf(&m.doc, "Adds the row, or changes the one with the same %s to what it says.", names.data);
    if (fills)
        pg_putf(&m.doc, " Fills in %s.", filled_names(g));
    gen_param(&m, "row", g->declared->tag, fills ? "inout" : "in", true);
    build_insert(&m, "row");
    pg_puts(&m.sql, " ON CONFLICT (");
    pg_sql_names(&m.sql, columns, n);
    pg_puts(&m.sql, ") DO UPDATE SET ");
    for (uint32_t i = 0; i < g->nfields; i++) {
        const char *column = g->fields[i].column->name;
        if (!is_sent(&g->fields[i]) || is_among(column, columns, n))
            continue;
        struct pg_text name = {.arena = &g->arena}, before = name;
        pg_sql_name(&name, column);
        pg_sql_qualified(&before, g->table->name, column);
        pg_putf(&m.sql, "%s%s = ", set++ ? ", " : "", name.data);
        gen_kept(g, &m.sql, &g->fields[i], before.data, pg_printf(&g->arena, "EXCLUDED.%s", name.data));
    }
    if (set == 0) { /* so that the row is returned, whether it was there or not */
        pg_sql_name(&m.sql, columns[0]);
        pg_puts(&m.sql, " = EXCLUDED.");
        pg_sql_name(&m.sql, columns[0]);
    }
    build_returning(&m);
    gen_end(&m, fills ? "row" : "exec", true, NULL);
}

void gen_writes(struct gen *g)
{
    add_insert(g);
    add_many(g);
    if (g->nkey == 0)
        return;
    add_update(g);
    add_upsert(g);
    add_delete(g);
}
