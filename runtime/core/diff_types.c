/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What changed in one type. */
#include <stdio.h>
#include <string.h>

#include "core/diff_impl.h"

bool diff_same_ref(const struct schema_ref *a, const struct schema_ref *b)
{
    if (a->count != b->count || !a->named != !b->named)
        return false;
    if (a->named)
        return strcmp(a->named->name, b->named->name) == 0; /* what changed in that type is said there */
    return a->kind == b->kind && a->elem == b->elem;
}

bool diff_elements_moved(const struct schema_ref *before, const struct schema_ref *after)
{
    return before->count > 1 && before->named && after->named && before->named->size != after->named->size;
}

static bool is_number_of_size(enum cell_kind kind, uint32_t *size)
{
    uint32_t align;
    cell_schema_ref_layout(&(struct schema_ref){.kind = kind}, size, &align);
    return kind >= CELL_KIND_I8 && kind <= CELL_KIND_U64;
}

/* The same integer with and without a sign, as values or as elements of the same kind of container. */
static bool differ_in_sign(const struct schema_ref *a, const struct schema_ref *b)
{
    uint32_t size, other;
    bool wrapped = a->elem && b->elem && a->kind == b->kind;
    enum cell_kind x = wrapped ? a->elem : a->kind, y = wrapped ? b->elem : b->kind;
    return a->count == b->count && !a->named && !b->named && !a->elem == !b->elem && is_number_of_size(x, &size) &&
           is_number_of_size(y, &other) && x != y && size == other;
}

/* What the list or optional `r` is of, built in or named; false for what is neither. */
static bool unwrap(const struct schema_ref *r, enum cell_kind wrapper, struct schema_ref *of)
{
    if (r->kind != wrapper || r->count)
        return false;
    *of = r->named ? r->named->elem : (struct schema_ref){.kind = r->elem};
    return true;
}

static bool wraps(const struct schema_ref *r, enum cell_kind wrapper, const struct schema_ref *what)
{
    struct schema_ref of;
    return unwrap(r, wrapper, &of) && diff_same_ref(&of, what);
}

enum diff_rule diff_retyped_rule(const struct schema_ref *before, const struct schema_ref *after)
{
    struct schema_ref a = *before, b = *after, of, of_other;
    if (differ_in_sign(before, after))
        return DIFF_FIELD_SIGN_CHANGED;
    a.count = b.count = 0;
    if (diff_same_ref(&a, &b))
        return before->count && after->count ? DIFF_FIELD_BOUND_CHANGED : DIFF_FIELD_CARDINALITY_CHANGED;
    if (wraps(before, CELL_KIND_OPT, after) || wraps(after, CELL_KIND_OPT, before))
        return DIFF_FIELD_OPTIONALITY_CHANGED;
    if (wraps(before, CELL_KIND_LIST, &b) || wraps(after, CELL_KIND_LIST, &a))
        return DIFF_FIELD_CARDINALITY_CHANGED;
    /* an optional that became a list of the same, or the other way round */
    if (((unwrap(before, CELL_KIND_OPT, &of) && unwrap(after, CELL_KIND_LIST, &of_other)) ||
         (unwrap(before, CELL_KIND_LIST, &of) && unwrap(after, CELL_KIND_OPT, &of_other))) &&
        diff_same_ref(&of, &of_other))
        return DIFF_FIELD_CARDINALITY_CHANGED;
    return DIFF_FIELD_RETYPED;
}

bool diff_rule_retyped(enum diff_rule rule)
{
    return rule == DIFF_FIELD_RETYPED || rule == DIFF_FIELD_SIGN_CHANGED || rule == DIFF_FIELD_BOUND_CHANGED ||
           rule == DIFF_FIELD_OPTIONALITY_CHANGED || rule == DIFF_FIELD_CARDINALITY_CHANGED;
}

bool diff_rule_stricter(enum diff_rule rule)
{
    return rule == DIFF_RULE_ADDED || rule == DIFF_RULE_TIGHTENED || rule == DIFF_RULE_CHANGED;
}

static bool alike_fields(const void *old, const void *now)
{
    const struct schema_field *a = old, *b = now;
    return diff_same_ref(&a->type, &b->type);
}

static bool alike_values(const void *old, const void *now)
{
    const struct schema_value *a = old, *b = now;
    return strcmp(a->text, b->text) == 0;
}

static void add_numbers(struct diff_work *w, enum diff_rule rule, const char *sentence, const char *owner,
                        const char *member, uint32_t before, uint32_t now)
{
    char before_text[16], now_text[16];
    snprintf(before_text, sizeof(before_text), "%u", before);
    snprintf(now_text, sizeof(now_text), "%u", now);
    struct diff_change c = {.owner = owner, .member = member, .before = before_text, .now = now_text};
    diff_add_as(w, rule, diff_rule_breaks(rule), sentence, &c);
}

static void diff_field(struct diff_work *w, const char *owner, const struct schema_field *before,
                       const struct schema_field *after)
{
    char before_text[DIFF_TEXT], now_text[DIFF_TEXT];
    if (strcmp(before->name, after->name) != 0)
        diff_add(w, DIFF_FIELD_RENAMED,
                 &(struct diff_change){.owner = owner, .member = before->name, .now = after->name});
    if (!diff_same_ref(&before->type, &after->type)) {
        cell_schema_ref_format(&before->type, before_text, sizeof(before_text));
        cell_schema_ref_format(&after->type, now_text, sizeof(now_text));
        diff_add(w, diff_retyped_rule(&before->type, &after->type),
                 &(struct diff_change){.owner = owner, .member = before->name, .before = before_text, .now = now_text});
    } else if (diff_elements_moved(&before->type, &after->type)) {
        add_numbers(w, DIFF_FIELD_MOVED, "Elements of field '$m' of '$o' moved from $b to $n bytes apart in $c", owner,
                    before->name, before->type.named->size, after->type.named->size);
    }
    if (before->offset != after->offset)
        add_numbers(w, DIFF_FIELD_MOVED, NULL, owner, before->name, before->offset, after->offset);
    diff_rules(w, owner, before, after);
}

static void diff_struct(struct diff_work *w, const struct schema_type *before, const struct schema_type *after)
{
    struct diff_match m;
    if (!diff_match_entries(w, &w->scratch,
                            DIFF_LISTS(struct schema_field, before->fields, before->nfields, after->fields,
                                       after->nfields, alike_fields),
                            &m))
        return;
    for (uint32_t i = 0; i < before->nfields; i++) {
        if (m.to[i] == DIFF_NONE)
            diff_add(w, DIFF_FIELD_REMOVED,
                     &(struct diff_change){.owner = before->name, .member = before->fields[i].name});
        else
            diff_field(w, before->name, &before->fields[i], &after->fields[m.to[i]]);
    }
    for (uint32_t j = 0; j < after->nfields; j++)
        if (m.from[j] == DIFF_NONE)
            diff_add(w, DIFF_FIELD_ADDED,
                     &(struct diff_change){.owner = before->name, .member = after->fields[j].name});
}

static void diff_value(struct diff_work *w, const char *owner, const struct schema_value *old,
                       const struct schema_value *now)
{
    if (strcmp(old->name, now->name) != 0)
        diff_add(w, DIFF_ENUM_VALUE_RENAMED,
                 &(struct diff_change){.owner = owner, .member = old->name, .now = now->name});
    if (strcmp(old->text, now->text) != 0)
        diff_add(w, DIFF_ENUM_VALUE_CHANGED,
                 &(struct diff_change){.owner = owner, .member = old->name, .before = old->text, .now = now->text});
}

static void diff_enum(struct diff_work *w, const struct schema_type *before, const struct schema_type *after)
{
    char before_text[DIFF_TEXT], now_text[DIFF_TEXT];
    struct diff_match m;
    if (!diff_match_entries(w, &w->scratch,
                            DIFF_LISTS(struct schema_value, before->values, before->nvalues, after->values,
                                       after->nvalues, alike_values),
                            &m))
        return;
    if (before->elem.kind != after->elem.kind) {
        cell_schema_ref_format(&before->elem, before_text, sizeof(before_text));
        cell_schema_ref_format(&after->elem, now_text, sizeof(now_text));
        diff_add(w, DIFF_ENUM_TYPE_CHANGED,
                 &(struct diff_change){.owner = before->name, .before = before_text, .now = now_text});
    }
    for (uint32_t i = 0; i < before->nvalues; i++) {
        if (m.to[i] == DIFF_NONE)
            diff_add(w, DIFF_ENUM_VALUE_REMOVED,
                     &(struct diff_change){.owner = before->name, .member = before->values[i].name});
        else
            diff_value(w, before->name, &before->values[i], &after->values[m.to[i]]);
    }
    for (uint32_t i = 0; i < after->nvalues; i++)
        if (m.from[i] == DIFF_NONE)
            diff_add(w, DIFF_ENUM_VALUE_ADDED,
                     &(struct diff_change){.owner = before->name, .member = after->values[i].name});
}

/* "struct", "enum", "list<auth_session>" */
static void kind_format(const struct schema_type *t, char text[DIFF_TEXT])
{
    char elem[DIFF_TEXT - 8];
    if (t->kind == CELL_KIND_STRUCT || t->kind == CELL_KIND_ENUM) {
        snprintf(text, DIFF_TEXT, "%s", t->kind == CELL_KIND_ENUM ? "enum" : "struct");
        return;
    }
    cell_schema_ref_format(&t->elem, elem, sizeof(elem));
    snprintf(text, DIFF_TEXT, "%s<%s>", t->kind == CELL_KIND_LIST ? "list" : "opt", elem);
}

/* The value of an optional stands at its own alignment, which grows with the largest field. */
static void diff_opt(struct diff_work *w, const struct schema_type *before, const struct schema_type *after)
{
    uint32_t size, at, now_at;
    cell_schema_ref_layout(&before->elem, &size, &at);
    cell_schema_ref_layout(&after->elem, &size, &now_at);
    if (at != now_at)
        add_numbers(w, DIFF_FIELD_MOVED, NULL, before->name, "value", at, now_at);
}

void diff_type(struct diff_work *w, const struct schema_type *before, const struct schema_type *after)
{
    bool wrapper = before->kind == CELL_KIND_LIST || before->kind == CELL_KIND_OPT;
    if (before->kind != after->kind || (wrapper && !diff_same_ref(&before->elem, &after->elem))) {
        char before_text[DIFF_TEXT], now_text[DIFF_TEXT];
        kind_format(before, before_text);
        kind_format(after, now_text);
        diff_add(w, DIFF_TYPE_KIND_CHANGED,
                 &(struct diff_change){.owner = before->name, .before = before_text, .now = now_text});
        return;
    }
    if (before->kind == CELL_KIND_STRUCT)
        diff_struct(w, before, after);
    else if (before->kind == CELL_KIND_ENUM)
        diff_enum(w, before, after);
    else if (before->kind == CELL_KIND_OPT)
        diff_opt(w, before, after);
    if (before->size != after->size && before->kind != CELL_KIND_ENUM)
        add_numbers(w, DIFF_TYPE_SIZE_CHANGED, NULL, before->name, NULL, before->size, after->size);
    if (before->align != after->align && before->kind != CELL_KIND_ENUM)
        add_numbers(w, DIFF_TYPE_ALIGN_CHANGED, NULL, before->name, NULL, before->align, after->align);
}
