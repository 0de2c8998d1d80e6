/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Primary keys, unique constraints and indexes. */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

static bool is_named(const char *a, const char *b) { return strcmp(a, b) == 0; }

/* A unique index on plain columns, without condition: as good as a constraint. */
static bool is_plain_unique(const struct pg_index *x)
{
    if (!x->unique || x->predicate.sql || strcmp(x->method, "btree") != 0)
        return false;
    for (uint32_t i = 0; i < x->n; i++)
        if (!x->parts[i].column)
            return false;
    return true;
}

bool pg_index_is_key(const struct pg_index *x, const struct pg_key *k)
{
    if (!is_plain_unique(x) || x->n != k->n)
        return false;
    for (uint32_t i = 0; i < k->n; i++)
        if (!is_named(x->parts[i].column, k->columns[i]))
            return false;
    return true;
}

static struct pg_index index_of_key(struct diffing *s, const struct pg_key *k, const char *name)
{
    struct pg_index x = {.name = name, .method = "btree", .n = k->n, .unique = true, .valid = true, .made = true};

    x.parts = pg_array(s->arena, k->n, sizeof(*x.parts));
    for (uint32_t i = 0; i < k->n; i++)
        x.parts[i].column = k->columns[i];
    return x;
}

/* "Is index `name` there, on this table, and valid?" Or invalid. */
static const char *index_query(struct diffing *s, const char *name, bool valid)
{
    struct pg_text t = {.arena = s->arena};

    pg_puts(&t, "SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid "
                "JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE ");
    pg_puts(&t, valid ? "i.indisvalid AND i.indisready" : "NOT i.indisvalid");
    pg_puts(&t, " AND x.relname = ");
    pg_sql_literal(&t, name);
    pg_puts(&t, " AND c.relname = ");
    pg_sql_literal(&t, s->w->now.name);
    pg_puts(&t, " AND n.nspname = ");
    pg_sql_literal(&t, s->w->now.schema);
    pg_puts(&t, ")");
    return t.data;
}

/* Rows with equal values, for the message when a unique index fails. */
static const char *equal_rows(struct diffing *s, const struct pg_index *x)
{
    struct pg_text list = {.arena = s->arena};

    for (uint32_t i = 0; i < x->n; i++)
        pg_putf(&list, x->parts[i].column ? "%s%s" : "%s(%s)", i ? ", " : "",
                x->parts[i].column ? pg_quoted(s, x->parts[i].column) : x->parts[i].expr.sql);
    const char *where = x->predicate.sql ? pg_printf(s->arena, " WHERE (%s)", x->predicate.sql) : "";
    return pg_printf(s->arena, "SELECT %s, count(*) FROM %s%s GROUP BY %s HAVING count(*) > 1 LIMIT 3", list.data,
                     pg_this_table(s), where, list.data);
}

/* An index on the same columns that is not unique: it becomes so, in effect. */
static enum pg_rule unique_rule(struct diffing *s, const struct pg_index *want)
{
    struct pg_index plain = *want;

    plain.unique = false;
    for (uint32_t i = 0; i < s->w->now.nindexes; i++)
        if (pg_index_equal(&s->w->now.indexes[i], &plain))
            return PG_RULE_INDEX_BECOMES_UNIQUE;
    return PG_RULE_UNIQUE_ADDED;
}

/* An index on a table that has rows: beside writers, and so outside of transactions. It is recorded before it is made,
 * so that one that was interrupted is known as Cell's. */
static void index_step(struct diffing *s, const struct pg_index *x, const char *field)
{
    bool beside = s->w->now.kind != 'p'; /* not for partitioned tables */
    struct step_builder b = pg_step_begin(s, x->unique ? PG_STEP_CREATE_UNIQUE_INDEX : PG_STEP_CREATE_INDEX,
                                          beside ? PG_OUTSIDE : PG_ALONE, x->name, field);
    struct pg_text t = {.arena = s->arena};
    const char *source = pg_index_source(s->arena, x);

    if (beside) {
        const char **repair = pg_array(s->arena, 1, sizeof(*repair));
        repair[0] = pg_drop_index_sql(s, x->name);
        b.step.repair = repair;
        b.step.nrepair = 1;
        b.step.done = index_query(s, x->name, true);
        b.step.broken = index_query(s, x->name, false);
        pg_step_record(s, &b, "index", x->name, source);
        pg_step_flush(s, &b);
    }
    pg_sql_create_index(&t, &s->w->now, x, beside);
    b.step.written = x->written;
    pg_step_sql(s, &b, t.data);
    pg_step_record(s, &b, "index", x->name, source);
    if (x->unique) {
        pg_step_hazard(&b, unique_rule(s, x));
        b.step.culprits = equal_rows(s, x);
    }
    b.step.text = pg_printf(s->arena, "%s", t.data);
    pg_step_end(s, &b, PG_PHASE_INDEX);
}

static void add_index_to_now(struct diffing *s, const struct pg_index *x)
{
    struct pg_table *now = &s->w->now;

    now->indexes = pg_one_more(s->arena, now->indexes, &now->nindexes, sizeof(*now->indexes));
    now->indexes[now->nindexes - 1] = *x;
}

/* The index goes, or becomes a key's: its name can be used again. */
static void take_name(struct diffing *s, const char *name)
{
    struct pg_table *now = &s->w->now;

    for (uint32_t i = now->nindexes; i-- > 0;)
        if (is_named(now->indexes[i].name, name))
            pg_take_out(now->indexes, &now->nindexes, sizeof(*now->indexes), i);
}

static struct pg_index *find_index(struct pg_table *t, const char *name)
{
    for (uint32_t i = 0; i < t->nindexes; i++)
        if (is_named(t->indexes[i].name, name))
            return &t->indexes[i];
    return NULL;
}

static void drop_replaced(struct diffing *s, const struct pg_index *x)
{
    bool beside = s->w->now.kind != 'p';
    struct step_builder b = pg_step_begin(s, PG_STEP_DROP_INDEX, beside ? PG_OUTSIDE : PG_ALONE, x->name, NULL);

    pg_step_sql(s, &b, pg_drop_index_sql(s, x->name));
    pg_step_forget(s, &b, "index", x->name);
    if (pg_has_event(&s->w->now, PG_PAST_GIVING_WAY, x->name))
        pg_step_forget(s, &b, "giving-way", x->name);
    if (x->unique)
        pg_step_hazard(&b, PG_RULE_DROP_INDEX);
    pg_step_end(s, &b, pg_index_is_rewritten(s, x) ? PG_PHASE_LOOSEN : PG_PHASE_INDEX);
}

/*
 * What a unique index keeps apart is kept apart until the one that replaces it is there, which rows may prevent: until
 * then it has another name.
 */
static void give_way(struct diffing *s, struct pg_index *x)
{
    struct pg_table *now = &s->w->now;
    const char *former = x->name, *name = pg_free_relation(s, former);
    struct step_builder b = pg_step_begin(s, PG_STEP_RENAME_INDEX, PG_TOGETHER, former, NULL);
    struct pg_text t = {.arena = s->arena};

    pg_puts(&t, "ALTER INDEX ");
    pg_sql_qualified(&t, now->schema, former);
    pg_putf(&t, " RENAME TO %s", pg_quoted(s, name));
    pg_step_sql(s, &b, t.data);
    pg_step_forget(s, &b, "index", former);
    pg_step_record(s, &b, "index", name, pg_index_source(s->arena, x));
    pg_step_record(s, &b, "giving-way", name, former);
    pg_step_end(s, &b, PG_PHASE_INDEX);
    x->name = name;
    pg_add_event(s, PG_PAST_GIVING_WAY, name);
    now->events[now->nevents - 1].text = former;
}

static bool has_unique(const struct pg_table *t, const char *name)
{
    for (uint32_t i = 0; i < t->nindexes; i++)
        if (t->indexes[i].valid && is_named(t->indexes[i].name, name))
            return true;
    for (uint32_t i = 0; i < t->nuniques; i++)
        if (is_named(t->uniques[i].name, name))
            return true;
    return t->primary && is_named(t->primary->name, name);
}

/* Those that have given way to one that is there now. */
static void drop_given_way(struct diffing *s)
{
    struct pg_table *now = &s->w->now;

    for (uint32_t i = now->nindexes; i-- > 0;) {
        const struct pg_index x = now->indexes[i];
        const struct pg_event *e = pg_find_event(now, PG_PAST_GIVING_WAY, x.name);
        if (!e || !e->text || !x.made || pg_index_wanted(s, &x) || !has_unique(now, e->text))
            continue;
        pg_plan_diagnose(s, PG_WARNING, PG_RULE_DROP_INDEX, PG_AT_ANNOTATION,
                         "unique index '%s' of table '%s' becomes another one: rows that only the former one refused "
                         "are possible then",
                         e->text, now->name);
        drop_replaced(s, &x);
        pg_take_out(now->indexes, &now->nindexes, sizeof(*now->indexes), i);
    }
}

/* Whether an index that shall be called `made` may have got that name. */
static bool is_name_for(struct diffing *s, const char *name, const char *made)
{
    for (uint32_t i = 0; i < PG_RELATION_NAMES; i++)
        if (is_named(pg_relation_name(s->arena, &s->w->now, made, i), name))
            return true;
    return false;
}

/* An index of Cell's that no struct has any more, and that has a name which this one gets: it is replaced. NULL. */
static struct pg_index *find_replaced(struct diffing *s, const char *made)
{
    struct pg_table *now = &s->w->now;
    struct pg_index *there = find_index(now, made);

    for (uint32_t i = 0; i < now->nindexes && !there; i++)
        if (now->indexes[i].made && is_name_for(s, now->indexes[i].name, made) && !pg_index_wanted(s, &now->indexes[i]))
            there = &now->indexes[i];
    return there && there->made && !pg_index_wanted(s, there) ? there : NULL;
}

/*
 * The name that an index gets which is made: that of what a build of it that was interrupted has left, which the step
 * removes; its own, if nothing has it or an index of Cell's that no struct has any more, which is dropped; else another
 * one. A rule that comes before others may give its name to another object. Nothing keeps to what a `helper` of a key
 * that was exchanged is called: it only was to become that key.
 */
static const char *index_name(struct diffing *s, const struct pg_index *want, bool helper)
{
    struct pg_table *now = &s->w->now;

    for (uint32_t i = 0; i < now->nindexes; i++) {
        const struct pg_index *x = &now->indexes[i];
        const char *name = x->name;
        if (x->valid || !x->made || !pg_index_equal(x, want))
            continue;
        take_name(s, name);
        return name;
    }
    struct pg_index *there = find_replaced(s, want->name);
    if (there && there->valid && there->unique && !helper && !pg_index_is_rewritten(s, there)) {
        if (!pg_has_event(now, PG_PAST_GIVING_WAY, there->name))
            give_way(s, there);
    } else if (there) {
        if (there->valid)
            drop_replaced(s, there);
        take_name(s, there->name);
    }
    return pg_free_relation(s, want->name);
}

/* An index of Cell's own that can be the key's, and is there for nothing else: an interrupted plan has left it, or the
 * struct had it as an index before. NULL. */
static const struct pg_index *own_index(struct diffing *s, const struct pg_key *k, const char *made)
{
    if (s->w->now.kind == 'p')
        return NULL; /* there no index becomes a key */
    for (uint32_t i = 0; i < s->w->now.nindexes; i++) {
        const struct pg_index *x = &s->w->now.indexes[i];
        bool plain = x->made && x->valid && !x->nincluded && pg_index_is_key(x, k);
        for (uint32_t n = 0; plain && n < x->n; n++)
            plain = !x->parts[n].opclass && !x->parts[n].descending && !x->parts[n].nulls_first;
        if (plain && is_name_for(s, x->name, made) && !pg_index_wanted(s, x))
            return x;
    }
    return NULL;
}

/* ---- keys ---- */

/* In the place of another one (`old`, NULL = none), which stays until the new one is known to be possible. */
static void add_primary(struct diffing *s, const struct pg_key *want, const struct pg_key *old)
{
    struct pg_table *now = &s->w->now;
    struct pg_key key = *want;
    bool beside = now->kind != 'p';

    const char *drop = old ? pg_printf(s->arena, "DROP CONSTRAINT %s, ", pg_quoted(s, old->name)) : "";
    const char *helper = pg_key_helper_name(s->arena, want);
    const struct pg_index *own = own_index(s, want, helper);
    struct pg_index x = index_of_key(s, want, own ? own->name : helper);
    if (beside && own)
        take_name(s, x.name);
    else if (beside) {
        x.name = index_name(s, &x, true);
        index_step(s, &x, NULL);
    }
    now->primary = NULL; /* what it is called can be used in the statement that drops it */
    key.name = pg_free_relation(s, want->name);
    struct step_builder b = pg_step_begin(s, PG_STEP_ADD_PRIMARY_KEY, PG_ALONE, key.name, NULL);
    if (beside)
        pg_step_alter(s, &b, "%sADD CONSTRAINT %s PRIMARY KEY USING INDEX %s", drop, pg_quoted(s, key.name),
                      pg_quoted(s, x.name));
    else {
        struct pg_text t = {.arena = s->arena};
        pg_sql_names(&t, key.columns, key.n);
        pg_step_alter(s, &b, "%sADD CONSTRAINT %s PRIMARY KEY (%s)", drop, pg_quoted(s, key.name), t.data);
    }
    if (beside)
        pg_step_forget(s, &b, "index", x.name);
    if (old) {
        pg_step_forget(s, &b, "key", old->name);
        pg_step_consented(s, &b, PG_CONSENT_DROPPED, old->name);
    }
    pg_step_record(s, &b, "key", key.name, NULL);
    pg_step_hazard(&b, old ? PG_RULE_DROP_CONSTRAINT : PG_RULE_UNIQUE_ADDED);
    b.step.culprits = equal_rows(s, &x);
    pg_step_end(s, &b, PG_PHASE_INDEX);
    now->primary = pg_alloc(s->arena, sizeof(*now->primary));
    *now->primary = key;
}

static void diff_primary(struct diffing *s)
{
    const struct pg_key *want = s->d->table.primary;
    const struct pg_key *now = s->w->now.primary;

    if (!want || (now && pg_key_equal(want, now)))
        return;
    if (now && !pg_consents(s, PG_CONSENT_DROPPED, now->name)) {
        struct pg_text t = {.arena = s->arena};
        pg_sql_names(&t, now->columns, now->n);
        struct pg_diagnostic *d =
            pg_refuse(s, PG_RULE_DROP_CONSTRAINT, PG_AT_ANNOTATION,
                      "table '%s' has the primary key (%s): CELL_DROPPED(\"%s\") consents to another one",
                      s->w->now.name, t.data, now->name);
        d->fix_rule = "dropped";
        d->fix_args[0] = pg_strdup(s->arena, now->name);
        return;
    }
    add_primary(s, want, now);
    pg_plan_diagnose(s, PG_WARNING, PG_RULE_UNIQUE_ADDED, PG_AT_ANNOTATION,
                     "a primary key is added to table '%s': it fails when two rows have the same", s->w->now.name);
}

static const char *field_of_columns(struct diffing *s, const char **columns, uint32_t n)
{
    const struct pg_field *f = n == 1 ? pg_field_of(s->d, columns[0]) : NULL;

    return f ? f->name : NULL;
}

bool pg_key_is_there(const struct pg_table *t, const struct pg_key *k, const struct pg_index *apart_from)
{
    if (t->primary && pg_key_equal(t->primary, k))
        return true;
    for (uint32_t i = 0; i < t->nuniques; i++)
        if (pg_key_equal(&t->uniques[i], k))
            return true;
    for (uint32_t i = 0; i < t->nindexes; i++)
        if (t->indexes[i].valid && pg_index_is_key(&t->indexes[i], k) && &t->indexes[i] != apart_from)
            return true;
    return false;
}

static void unique_step(struct diffing *s, const struct pg_key *key, const char *index, const char *field)
{
    struct step_builder b = pg_step_begin(s, PG_STEP_ADD_UNIQUE, PG_ALONE, key->name, field);
    const char *name = pg_quoted(s, key->name);

    if (s->w->now.kind != 'p')
        pg_step_alter(s, &b, "ADD CONSTRAINT %s UNIQUE USING INDEX %s", name, pg_quoted(s, index));
    else {
        struct pg_text t = {.arena = s->arena};
        pg_sql_names(&t, key->columns, key->n);
        pg_step_alter(s, &b, "ADD CONSTRAINT %s UNIQUE (%s)", name, t.data);
    }
    pg_step_forget(s, &b, "index", index);
    pg_step_record(s, &b, "key", key->name, NULL);
    pg_step_end(s, &b, PG_PHASE_INDEX);
}

/* `own`: an index that becomes the constraint; NULL = it is made. */
static void add_unique(struct diffing *s, const struct pg_key *want, const struct pg_index *own)
{
    struct pg_table *now = &s->w->now;
    const char *field = field_of_columns(s, want->columns, want->n);
    struct pg_index x = index_of_key(s, want, own ? own->name : want->name);
    struct pg_key key = *want;

    if (own) {
        take_name(s, x.name);
        key.name = pg_free_relation(s, want->name);
    } else {
        key.name = x.name = index_name(s, &x, false);
        if (now->kind != 'p')
            index_step(s, &x, field);
        pg_plan_diagnose(s, PG_WARNING, unique_rule(s, &x), pg_at_field(field),
                         "'%s' becomes unique in table '%s': this fails when rows have equal values", want->columns[0],
                         now->name);
    }
    unique_step(s, &key, x.name, field);
    now->uniques = pg_one_more(s->arena, now->uniques, &now->nuniques, sizeof(*now->uniques));
    now->uniques[now->nuniques - 1] = key;
}

void pg_diff_keys(struct diffing *s)
{
    diff_primary(s);
    for (uint32_t i = 0; i < s->d->table.nuniques; i++) {
        const struct pg_key *want = &s->d->table.uniques[i];
        const struct pg_index *own = own_index(s, want, want->name);
        if (!pg_key_is_there(&s->w->now, want, own))
            add_unique(s, want, own);
    }
}

/* ---- indexes ---- */

bool pg_index_is_there(const struct pg_table *t, const struct pg_index *want)
{
    for (uint32_t i = 0; i < t->nindexes; i++)
        if (t->indexes[i].valid && pg_index_equal(&t->indexes[i], want))
            return true;
    for (uint32_t i = 0; i < t->nuniques; i++) /* the index of a constraint serves as well */
        if (!want->nincluded && pg_index_is_key(want, &t->uniques[i]))
            return true;
    return t->primary && !want->nincluded && pg_index_is_key(want, t->primary);
}

void pg_diff_indexes(struct diffing *s)
{
    for (uint32_t i = 0; i < s->d->table.nindexes; i++) {
        struct pg_index x = s->d->table.indexes[i];
        const struct pg_field *f = x.n == 1 && x.parts[0].column ? pg_field_of(s->d, x.parts[0].column) : NULL;
        if (pg_index_is_there(&s->w->now, &x))
            continue;
        x.name = index_name(s, &x, false);
        index_step(s, &x, f ? f->name : NULL);
        if (x.unique)
            pg_plan_diagnose(s, PG_WARNING, unique_rule(s, &x), pg_at_field(f ? f->name : NULL),
                             "unique index '%s' is added to table '%s': this fails when rows have equal values", x.name,
                             s->w->now.name);
        add_index_to_now(s, &x);
    }
    drop_given_way(s);
}
