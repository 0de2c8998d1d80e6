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

uint32_t diff_find_field(const struct schema_field *fields, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(fields[i].name, name) == 0)
            return i;
    return DIFF_NONE;
}

bool diff_match_names(struct diff_work *w, const struct schema_field *before, uint32_t nbefore,
                      const struct schema_field *after, uint32_t nafter, struct diff_match *m)
{
    m->to = cell_arena_array(&w->scratch, nbefore, sizeof(*m->to));
    m->from = cell_arena_array(&w->scratch, nafter, sizeof(*m->from));
    if (!m->to || !m->from) {
        w->failed = true;
        return false;
    }
    for (uint32_t j = 0; j < nafter; j++)
        m->from[j] = DIFF_NONE;
    for (uint32_t i = 0; i < nbefore; i++) {
        m->to[i] = diff_find_field(after, nafter, before[i].name);
        if (m->to[i] != DIFF_NONE)
            m->from[m->to[i]] = i;
    }
    return true;
}

/* Fields whose new name says the old one; and, for a cell that went back to an older schema, the other way round. There
 * the type must be the same too, for the older schema says nothing about the newer name. */
static void match_renamed(const struct schema_type *before, const struct schema_type *after, struct diff_match *m)
{
    for (uint32_t j = 0; j < after->nfields; j++) {
        const char *old = after->fields[j].renamed_from;
        uint32_t i = old && m->from[j] == DIFF_NONE ? diff_find_field(before->fields, before->nfields, old) : DIFF_NONE;
        if (i != DIFF_NONE && m->to[i] == DIFF_NONE) {
            m->to[i] = j;
            m->from[j] = i;
        }
    }
    for (uint32_t i = 0; i < before->nfields; i++) {
        const char *old = before->fields[i].renamed_from;
        uint32_t j = old && m->to[i] == DIFF_NONE ? diff_find_field(after->fields, after->nfields, old) : DIFF_NONE;
        if (j != DIFF_NONE && m->from[j] == DIFF_NONE &&
            diff_same_ref(&before->fields[i].type, &after->fields[j].type)) {
            m->to[i] = j;
            m->from[j] = i;
        }
    }
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
        diff_add(w, DIFF_FIELD_RETYPED,
                 &(struct diff_change){.owner = owner, .member = before->name, .before = before_text, .now = now_text});
    } else if (diff_elements_moved(&before->type, &after->type)) {
        add_numbers(w, DIFF_FIELD_MOVED, "Elements of field '$m' of '$o' moved from $b to $n bytes apart in $c", owner,
                    before->name, before->type.named->size, after->type.named->size);
    }
    if (before->offset != after->offset)
        add_numbers(w, DIFF_FIELD_MOVED, NULL, owner, before->name, before->offset, after->offset);
}

static void diff_struct(struct diff_work *w, const struct schema_type *before, const struct schema_type *after)
{
    struct diff_match m;
    if (!diff_match_names(w, before->fields, before->nfields, after->fields, after->nfields, &m))
        return;
    match_renamed(before, after, &m);
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

static const struct schema_value *find_value(const struct schema_type *t, const char *name)
{
    for (uint32_t i = 0; i < t->nvalues; i++)
        if (strcmp(t->values[i].name, name) == 0)
            return &t->values[i];
    return NULL;
}

static void diff_enum(struct diff_work *w, const struct schema_type *before, const struct schema_type *after)
{
    char before_text[DIFF_TEXT], now_text[DIFF_TEXT];
    if (before->elem.kind != after->elem.kind) {
        cell_schema_ref_format(&before->elem, before_text, sizeof(before_text));
        cell_schema_ref_format(&after->elem, now_text, sizeof(now_text));
        diff_add(w, DIFF_ENUM_TYPE_CHANGED,
                 &(struct diff_change){.owner = before->name, .before = before_text, .now = now_text});
    }
    for (uint32_t i = 0; i < before->nvalues; i++) {
        const struct schema_value *old = &before->values[i], *now = find_value(after, old->name);
        struct diff_change c = {.owner = before->name, .member = old->name};
        if (!now) {
            diff_add(w, DIFF_ENUM_VALUE_REMOVED, &c);
        } else if (strcmp(old->text, now->text) != 0) {
            c.before = old->text;
            c.now = now->text;
            diff_add(w, DIFF_ENUM_VALUE_CHANGED, &c);
        }
    }
    for (uint32_t i = 0; i < after->nvalues; i++)
        if (!find_value(before, after->values[i].name))
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
    bool wraps = before->kind == CELL_KIND_LIST || before->kind == CELL_KIND_OPT;
    if (before->kind != after->kind || (wraps && !diff_same_ref(&before->elem, &after->elem))) {
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
}
