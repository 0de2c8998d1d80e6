/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Random structs of the table `users`, and random edits of them, for properties of plans. Their SQL is valid where the
 * functions f, g, h and k and the sequence s are. */
#ifndef CELL_TEST_PG_RANDOM_H
#define CELL_TEST_PG_RANDOM_H

#include "pg_build.h"

#define FIELDS 12

struct random_field {
    int id; /* stays */
    char name[24], former[24];
    int type;
    bool optional, unique, index, range, check, generated;
    int standard; /* 0 = none */
    bool backfill, retyped, fresh;
};

struct random_table {
    struct random_field fields[FIELDS];
    int n, next;
    bool expression_index, partial_index, table_check, comment, reference;
    char dropped[32][80];
    int ndropped, edits;
    uint64_t random;
};

static inline unsigned below(struct random_table *t, unsigned n)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return (unsigned)((t->random >> 11) % n);
}

/* Each row may become the one below it: CELL_RETYPED consents. */
static const struct {
    const char *plain, *optional, *sql_type;
    bool number;
    const char *values[3]; /* defaults */
} types[] = {
    {"i16", "opt<i16>", NULL, true, {"1", "- 5 + 9", "nextval('s')"}},
    {"i32", "opt<i32>", NULL, true, {"2", "(3 + 4)", "random()"}},
    {"i64", "opt<i64>", NULL, true, {"5", "6", "f(1)"}},
    {"str", "opt<str>", "varchar(20)", false, {"'a'", "'it''s'", "g('x')"}},
    {"str", "opt<str>", NULL, false, {"'b'", "E'\\\\'", "current_user"}},
    {"bool", "opt<bool>", NULL, false, {"true", "false", "h()"}},
    {"f32", "opt<f32>", NULL, true, {"0.5", "1e1", "random()"}},
    {"f64", "opt<f64>", NULL, true, {"0.25", "3", "random()"}},
    {"mood", "opt_mood", NULL, false, {"1", "2", "k()"}},
};
#define NTYPES ((unsigned)(sizeof(types) / sizeof(types[0])))

static inline void new_field(struct random_table *t)
{
    struct random_field *f = &t->fields[t->n++];
    static const char *const forms[] = {"c%d", "order%d", "\"q\"%d", "Mixed%d"};
    memset(f, 0, sizeof(*f));
    f->id = t->next++;
    snprintf(f->name, sizeof(f->name), forms[below(t, 4)], f->id);
    f->type = (int)below(t, NTYPES);
    f->optional = below(t, 2);
    f->unique = below(t, 5) == 0;
    f->index = !f->unique && below(t, 5) == 0;
    f->range = types[f->type].number && below(t, 3) == 0;
    f->check = below(t, 4) == 0;
    f->standard = below(t, 2) ? (int)(1 + below(t, 3)) : 0;
    f->fresh = true;
    f->backfill = true; /* else a new column of some type would look renamed */
}

static inline void put(char *out, size_t size, const char *format, ...)
{
    size_t len = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + len, size - len, format, args);
    va_end(args);
}

static inline void quoted_name(const char *name, char out[64])
{
    size_t n = 0;
    out[n++] = '"';
    for (const char *p = name; *p; p++) {
        if (*p == '"')
            out[n++] = '"';
        out[n++] = *p;
    }
    out[n++] = '"';
    out[n] = '\0';
}

enum part { WHOLE = -1, FIRST, SECOND };

/* Of two structs of the table the first has the key and what is declared of the table, and the second the consents to
 * drop; a third of the fields is in both. */
static inline bool is_in_part(const struct random_field *f, enum part part)
{
    return part == WHOLE || f->id % 3 == (int)part || f->id % 3 == 2;
}

static inline struct pg_declared *declare_part(struct random_table *t, const struct pg_model *catalog, enum part part)
{
    char fields[8192] = "", rules[4096] = "", name[64];
    if (part == SECOND)
        put(fields, sizeof(fields), "team opt<i64>\n");
    else
        put(fields, sizeof(fields), "id i64 | key | auto%s\n", t->comment ? " | doc The key's 'doc'." : "");
    if (part != SECOND)
        put(fields, sizeof(fields), "team opt<i64>%s\n",
            t->reference ? " | references teams;id;on delete set null" : "");
    for (int i = 0; i < t->n; i++) {
        struct random_field *f = &t->fields[i];
        if (!is_in_part(f, part))
            continue;
        quoted_name(f->name, name);
        put(fields, sizeof(fields), "f%d %s | column %s", f->id,
            f->optional ? types[f->type].optional : types[f->type].plain, f->name);
        if (types[f->type].sql_type)
            put(fields, sizeof(fields), " | sql_type %s", types[f->type].sql_type);
        if (f->unique)
            put(fields, sizeof(fields), " | unique");
        if (f->index)
            put(fields, sizeof(fields), " | index");
        if (f->range)
            put(fields, sizeof(fields), " | range 0;%d", 100 + f->range);
        if (f->check)
            put(fields, sizeof(fields), " | check %s IS NOT DISTINCT FROM %s", name, name);
        if (f->standard)
            put(fields, sizeof(fields), " | default %s", types[f->type].values[f->standard - 1]);
        if (f->backfill)
            put(fields, sizeof(fields), " | backfill %s", types[f->type].values[0]);
        if (f->former[0])
            put(fields, sizeof(fields), " | renamed_from %s", f->former);
        put(fields, sizeof(fields), "\n");
        if (f->retyped)
            put(rules, sizeof(rules), "retyped %s\n", f->name);
    }
    if (part != SECOND && t->n && t->expression_index) {
        quoted_name(t->fields[0].name, name);
        put(rules, sizeof(rules), "index lower(%s::text) desc, id\n", name);
    }
    if (part != SECOND && t->n && t->partial_index) {
        quoted_name(t->fields[t->n - 1].name, name);
        put(rules, sizeof(rules), "unique_index id;where %s is not null\n", name);
    }
    if (part != SECOND && t->table_check)
        put(rules, sizeof(rules), "check id > 0\n");
    for (int i = 0; part != FIRST && i < t->ndropped; i++)
        put(rules, sizeof(rules), "dropped %s;edit %d\n", t->dropped[i], t->edits);
    return pg_build(catalog, "table", "users", fields, rules);
}

static inline struct pg_declared *declare_random(struct random_table *t, const struct pg_model *catalog)
{
    return declare_part(t, catalog, WHOLE);
}

static inline void consent(struct random_table *t, const char *name)
{
    if (t->ndropped < 32)
        snprintf(t->dropped[t->ndropped++], 80, "%s", name);
}

/* What the declaration does not have and the table has: as CELL_DROPPED. */
static inline void consent_to_rest(struct random_table *t, const struct pg_table *now, const struct pg_table *want)
{
#define CONSENT(array, count, equal)                                                                                   \
    for (uint32_t i = 0; i < now->count; i++) {                                                                        \
        bool found = false;                                                                                            \
        for (uint32_t k = 0; k < want->count; k++)                                                                     \
            found = found || equal(&now->array[i], &want->array[k]) ||                                                 \
                    strcmp(now->array[i].name, want->array[k].name) == 0;                                              \
        if (!found)                                                                                                    \
            consent(t, now->array[i].name);                                                                            \
    }
    CONSENT(uniques, nuniques, pg_key_equal)
    CONSENT(indexes, nindexes, pg_index_equal)
    CONSENT(foreign, nforeign, pg_foreign_key_equal)
    CONSENT(checks, nchecks, pg_check_equal)
}

static inline void edit(struct random_table *t)
{
    t->ndropped = 0;
    t->edits++; /* a name may be used, and dropped, once more */
    for (int i = 0; i < t->n; i++) {
        t->fields[i].former[0] = '\0';
        t->fields[i].retyped = t->fields[i].fresh = false;
    }
    for (unsigned edits = 1 + below(t, 4); edits > 0; edits--) {
        struct random_field *f = t->n ? &t->fields[below(t, (unsigned)t->n)] : NULL;
        switch (below(t, 9)) {
        case 0:
            if (t->n < FIELDS)
                new_field(t);
            break;
        case 1:
            if (f && !f->former[0]) {
                if (!f->fresh)
                    consent(t, f->name);
                memmove(f, f + 1, (size_t)(&t->fields[t->n] - f - 1) * sizeof(*f));
                t->n--;
            }
            break;
        case 2:
            if (f && !f->former[0] && !f->retyped && !f->fresh) {
                memcpy(f->former, f->name, sizeof(f->former));
                snprintf(f->name, sizeof(f->name), "n%d", t->next++);
            }
            break;
        case 3:
            if (f && f->type + 1 < (int)NTYPES && types[f->type].number == types[f->type + 1].number && f->type != 2 &&
                f->type != 4 && f->type != 5 && f->type != 7 && !f->former[0]) {
                f->type++;
                f->retyped = f->type != 4;
                f->standard = 0;
            }
            break;
        case 4:
            if (f)
                f->optional = !f->optional;
            break;
        case 5:
            if (f)
                f->standard = (int)below(t, 4);
            break;
        case 6:
            if (f)
                f->unique = below(t, 2), f->index = !f->unique && below(t, 2);
            break;
        case 7:
            if (f) {
                f->check = !f->check;
                f->range = types[f->type].number && !f->range;
            }
            break;
        default:
            t->expression_index = below(t, 2);
            t->partial_index = below(t, 2);
            t->table_check = below(t, 2);
            t->comment = t->comment || below(t, 2);
            t->reference = below(t, 3) != 0;
        }
    }
}

#endif
