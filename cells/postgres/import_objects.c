/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What hangs on a table: keys, indexes, foreign keys, checks. */
#include <string.h>

#include "import_parts.h"
#include "sql.h"

static void add_rule(struct importing *s, struct import_table *t, const char *rule)
{
    *pg_push(s->arena, &t->rules) = rule;
}

static void add_field_rule(struct importing *s, struct import_field *f, const char *rule)
{
    *pg_push(s->arena, &f->rules) = rule;
}

static bool has_rule(const struct import_table *t, const char *rule)
{
    for (uint32_t i = 0; i < t->rules.n; i++)
        if (strcmp(t->rules.at[i], rule) == 0)
            return true;
    return false;
}

struct import_field *import_field_of(struct import_table *t, const char *column)
{
    for (uint32_t i = 0; i < t->from->ncolumns; i++)
        if (strcmp(t->from->columns[i].name, column) == 0)
            return &t->fields[i];
    return NULL;
}

/* ---- keys ---- */

static void add_primary(struct importing *s, struct import_table *t)
{
    const struct pg_key *key = t->from->primary;
    const struct import_field *before = NULL;
    bool in_order = true;

    if (!key)
        return;
    for (uint32_t i = 0; i < key->n; i++) {
        const struct import_field *f = import_field_of(t, key->columns[i]);
        in_order = in_order && (!before || before < f);
        before = f;
    }
    if (in_order)
        for (uint32_t i = 0; i < key->n; i++)
            add_field_rule(s, import_field_of(t, key->columns[i]), "CELL_KEY");
    else
        add_rule(s, t, import_macro1(s->arena, "CELL_PRIMARY_KEY", import_sql_names(s->arena, key->columns, key->n)));
}

static bool is_only_key(const struct import_table *t, const char *column)
{
    const struct pg_key *key = t->from->primary;

    return key && key->n == 1 && strcmp(key->columns[0], column) == 0;
}

/* A rule that is an error when it stands twice. */
static void add_once(struct importing *s, struct import_table *t, const char *rule, const char *name)
{
    if (has_rule(t, rule))
        import_note(s, t, NULL, "'%s', which is the same as another one", name);
    else
        add_rule(s, t, rule);
}

static void add_uniques(struct importing *s, struct import_table *t)
{
    for (uint32_t i = 0; i < t->from->nuniques; i++) {
        const struct pg_key *key = &t->from->uniques[i];
        struct import_field *f = key->n == 1 ? import_field_of(t, key->columns[0]) : NULL;
        if (f && !f->unique && !is_only_key(t, key->columns[0])) {
            f->unique = true;
            add_field_rule(s, f, "CELL_UNIQUE");
        } else
            add_once(s, t,
                     import_macro1(s->arena, "CELL_UNIQUE_INDEX", import_sql_names(s->arena, key->columns, key->n)),
                     key->name);
    }
}

/* ---- indexes ---- */

static bool is_simple(const struct pg_index *x)
{
    return x->n == 1 && !x->unique && !x->nincluded && !x->predicate.sql && x->parts[0].column &&
           !x->parts[0].opclass && !x->parts[0].descending && !x->parts[0].nulls_first;
}

static const char *parts_text(struct importing *s, const struct pg_index *x)
{
    struct pg_text t = {.arena = s->arena};

    for (uint32_t i = 0; i < x->n; i++) {
        const struct pg_index_part *p = &x->parts[i];
        pg_puts(&t, i ? ", " : "");
        if (p->column)
            import_sql_name(&t, p->column);
        else
            pg_puts(&t, p->expr.sql);
        if (p->opclass) {
            pg_puts(&t, " ");
            import_sql_name(&t, p->opclass);
        }
        pg_puts(&t, p->descending ? " desc" : "");
        if (p->nulls_first != p->descending)
            pg_puts(&t, p->nulls_first ? " nulls first" : " nulls last");
    }
    return t.data;
}

static const char *condition_text(struct importing *s, const struct pg_index *x)
{
    struct pg_text t = {.arena = s->arena};

    if (x->nincluded)
        pg_putf(&t, "include (%s)", import_sql_names(s->arena, x->included, x->nincluded));
    if (x->predicate.sql)
        pg_putf(&t, "%swhere %s", t.len ? " " : "", x->predicate.sql);
    return t.data;
}

static bool is_sql(const struct pg_index *x, char why[128])
{
    for (uint32_t i = 0; i < x->n; i++)
        if (!x->parts[i].column && pg_sql_check(x->parts[i].expr.sql, why, NULL) < 0)
            return false;
    return !x->predicate.sql || pg_sql_check(x->predicate.sql, why, NULL) >= 0;
}

static bool is_repeated(const struct import_table *t, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (t->from->indexes[k].valid && pg_index_equal(&t->from->indexes[k], &t->from->indexes[i]))
            return true;
    return false;
}

static void add_index(struct importing *s, struct import_table *t, const struct pg_index *x)
{
    struct import_field *f = is_simple(x) ? import_field_of(t, x->parts[0].column) : NULL;
    bool btree = strcmp(x->method, "btree") == 0;

    if (f && !f->unique && !f->indexed && !(btree && is_only_key(t, x->parts[0].column))) {
        f->indexed = true;
        add_field_rule(s, f, btree ? "CELL_INDEXED" : import_macro1(s->arena, "CELL_INDEXED_BY", x->method));
        return;
    }
    const char *args[] = {parts_text(s, x), condition_text(s, x), btree ? NULL : x->method};
    add_once(s, t, import_macro(s->arena, x->unique ? "CELL_UNIQUE_INDEX" : "CELL_INDEX", args, 3), x->name);
}

static void add_indexes(struct importing *s, struct import_table *t)
{
    char why[128] = "";

    for (uint32_t i = 0; i < t->from->nindexes; i++) {
        const struct pg_index *x = &t->from->indexes[i];
        if (!x->valid)
            import_note(s, t, NULL, "index '%s', which is not valid: REINDEX or drop it", x->name);
        else if (is_repeated(t, i))
            import_note(s, t, NULL, "index '%s', which is the same as another one", x->name);
        else if (!is_sql(x, why))
            import_note(s, t, NULL, "index '%s': %s", x->name, why);
        else
            add_index(s, t, x);
    }
}

/* ---- foreign keys ---- */

static void put_action(struct pg_text *t, const char *on, enum pg_action action)
{
    const char *what = action == PG_RESTRICT      ? "restrict"
                       : action == PG_CASCADE     ? "cascade"
                       : action == PG_SET_NULL    ? "set null"
                       : action == PG_SET_DEFAULT ? "set default"
                                                  : NULL;
    if (what)
        pg_putf(t, "%s%s %s", t->len ? " " : "", on, what);
}

static const char *actions_text(struct importing *s, const struct pg_foreign_key *k)
{
    struct pg_text t = {.arena = s->arena};

    put_action(&t, "on delete", k->on_delete);
    put_action(&t, "on update", k->on_update);
    if (k->deferrable)
        pg_putf(&t, "%sdeferrable%s", t.len ? " " : "", k->deferred ? " initially deferred" : "");
    return t.data;
}

static const char *target_text(struct importing *s, const struct pg_foreign_key *k)
{
    struct pg_text t = {.arena = s->arena};

    if (strcmp(k->to_schema, s->schema) != 0) {
        import_sql_name(&t, k->to_schema);
        pg_puts(&t, ".");
    }
    import_sql_name(&t, k->to_table);
    return t.data;
}

/* Words that a macro can take without quotes. */
static bool is_word(const char *name) { return pg_sql_is_plain(name) && !import_is_reserved(name); }

/* Why it cannot be declared; NULL. */
static const char *obstacle(struct importing *s, struct import_table *t, const struct pg_foreign_key *k)
{
    const struct import_table *to = import_find(s, k->to_schema, k->to_table);

    if (!k->valid)
        return "it is NOT VALID: VALIDATE CONSTRAINT";
    if (to > t)
        return "that table is declared behind this one, because they refer to each other";
    for (uint32_t i = 0; i < k->n; i++)
        if (!import_field_of(t, k->columns[i])->column->nullable &&
            (k->on_delete == PG_SET_NULL || k->on_update == PG_SET_NULL))
            return pg_printf(s->arena, "'set null' contradicts column '%s', which is never NULL", k->columns[i]);
    return NULL;
}

static void add_foreign(struct importing *s, struct import_table *t, const struct pg_foreign_key *k)
{
    const char *target = target_text(s, k), *actions = actions_text(s, k), *why = obstacle(s, t, k);
    const char *whole = pg_printf(s->arena, "%s(%s)%s%s", target, import_sql_names(s->arena, k->to_columns, k->n),
                                  actions ? " " : "", actions ? actions : "");
    struct import_field *f = k->n == 1 ? import_field_of(t, k->columns[0]) : NULL;
    const char *args[] = {import_sql_names(s->arena, k->columns, k->n), whole};

    if (why)
        import_note(s, t, NULL, "%s, the foreign key '%s': %s", import_macro(s->arena, "CELL_FOREIGN_KEY", args, 2),
                    k->name, why);
    else if (f && !f->references && is_word(k->to_table) && is_word(k->to_columns[0]) &&
             (strcmp(k->to_schema, s->schema) == 0 || is_word(k->to_schema))) {
        f->references = true;
        add_field_rule(s, f,
                       pg_printf(s->arena, "CELL_REFERENCES(%s, %s%s%s)", target, k->to_columns[0], actions ? ", " : "",
                                 actions ? actions : ""));
    } else
        add_rule(s, t, import_macro(s->arena, "CELL_FOREIGN_KEY", args, 2));
}

/* ---- checks ---- */

/* The only column that an expression names; NULL. */
static struct import_field *only_column(struct importing *s, struct import_table *t, const char *sql)
{
    struct import_field *found = NULL;

    for (uint32_t i = 0; i < t->from->ncolumns; i++) {
        if (strcmp(pg_sql_renamed(s->arena, sql, t->from->columns[i].name, "\x01"), sql) == 0)
            continue;
        if (found)
            return NULL;
        found = &t->fields[i];
    }
    return found;
}

static void add_check(struct importing *s, struct import_table *t, const struct pg_check *c)
{
    char why[128] = "";

    if (!c->valid)
        import_note(s, t, NULL, "check '%s', which is NOT VALID: %s", c->name, c->expr.sql);
    else if (!c->expr.sql || pg_sql_check(c->expr.sql, why, NULL) < 0)
        import_note(s, t, NULL, "check '%s': %s", c->name, why);
    else {
        struct import_field *f = only_column(s, t, c->expr.sql);
        if (f)
            add_field_rule(s, f, import_macro1(s->arena, "CELL_CHECK", c->expr.sql));
        else
            add_rule(s, t, import_macro1(s->arena, "CELL_TABLE_CHECK", c->expr.sql));
    }
}

void import_objects(struct importing *s, struct import_table *t)
{
    add_primary(s, t);
    add_uniques(s, t);
    add_indexes(s, t);
    for (uint32_t i = 0; i < t->from->nforeign; i++)
        add_foreign(s, t, &t->from->foreign[i]);
    for (uint32_t i = 0; i < t->from->nchecks; i++)
        add_check(s, t, &t->from->checks[i]);
}
