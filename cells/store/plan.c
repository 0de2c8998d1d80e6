/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * From the collection that is there to the one that is declared. What is compatible is done: fields that come, integers
 * that become wider, values that may be absent from now on. What would lose something needs consent in the source.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/plan.h"

#include "declare.h"

struct planning {
    struct st_declared *d;
    json_t *document, *steps;
    bool is_new;
};

static void step(struct planning *p, const char *kind, const char *hazard, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void step(struct planning *p, const char *kind, const char *hazard, const char *format, ...)
{
    char text[700];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    json_array_append_new(p->steps, json_pack("{ss, ss, ss}", "text", text, "kind", kind, "hazard", hazard));
}

static json_t *find(const json_t *list, const char *name)
{
    json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        if (strcmp(document_text(entry, "name"), name) == 0)
            return entry;
    }
    return NULL;
}

static bool is_dropped(const struct planning *p, const char *name)
{
    json_t *entry;
    size_t i;

    json_array_foreach(p->d->dropped, i, entry)
    {
        if (strcmp(json_string_value(entry), name) == 0)
            return true;
    }
    return false;
}

/* ---- types ---- */

static void type_text(const json_t *field, char text[64])
{
    const char *shape = document_text(field, "shape"), *kind = document_text(field, "kind");

    if (strcmp(shape, "array") == 0)
        snprintf(text, 64, "%s[%d]", kind, (int)json_integer_value(json_object_get(field, "count")));
    else if (strcmp(shape, "plain") == 0)
        snprintf(text, 64, "%s", kind);
    else
        snprintf(text, 64, "%s<%s>", shape, kind);
}

/* Bits and sign of an integer type; 0: it is none. */
static int bits_of(const char *kind, bool *is_signed)
{
    int bits = (kind[0] == 'i' || kind[0] == 'u') && kind[1] ? atoi(kind + 1) : 0;

    *is_signed = kind[0] == 'i';
    return bits;
}

/* Whether every value of one kind is a value of the other. */
static bool kind_holds(const char *from, const char *to)
{
    bool from_signed, to_signed;
    int a = bits_of(from, &from_signed), b = bits_of(to, &to_signed);

    if (strcmp(from, to) == 0 || (strcmp(from, "f32") == 0 && strcmp(to, "f64") == 0))
        return true;
    if (a == 0 || b == 0 || (from_signed && !to_signed))
        return false;
    return from_signed == to_signed ? b >= a : b > a;
}

static bool shape_holds(const json_t *from, const json_t *to)
{
    const char *a = document_text(from, "shape"), *b = document_text(to, "shape");

    if (strcmp(a, b) != 0)
        return strcmp(a, "plain") == 0 && strcmp(b, "opt") == 0;
    return json_integer_value(json_object_get(from, "count")) == json_integer_value(json_object_get(to, "count"));
}

static void plan_record(struct planning *p, json_t *record, const json_t *declared, const char *outer);

static void add_field(json_t *record, const json_t *declared);

static void number_fields(json_t *record, const json_t *declared)
{
    json_t *field;
    size_t i;

    json_object_set_new(record, "next", json_integer(1));
    json_object_set_new(record, "fields", json_array());
    json_array_foreach(declared, i, field) add_field(record, field);
}

/* With the next number. */
static void add_field(json_t *record, const json_t *declared)
{
    json_t *field = json_deep_copy(declared);
    json_int_t next = json_integer_value(json_object_get(record, "next"));

    json_object_del(field, "renamed_from");
    json_object_set_new(field, "id", json_integer(next));
    json_object_set_new(record, "next", json_integer(next + 1));
    if (json_is_object(json_object_get(declared, "record"))) {
        json_t *inner = json_object();
        number_fields(inner, json_object_get(json_object_get(declared, "record"), "fields"));
        json_object_set_new(field, "record", inner);
    }
    json_array_append_new(json_object_get(record, "fields"), field);
}

/* ---- fields ---- */

static bool is_of_key(const struct planning *p, const json_t *field, const char *outer)
{
    json_t *id;
    size_t i;

    if (outer)
        return false;
    json_array_foreach(json_object_get(p->document, "key"), i, id)
    {
        if (json_equal(id, json_object_get(field, "id")))
            return true;
    }
    return false;
}

static void remove_field(struct planning *p, json_t *record, const json_t *field)
{
    json_t *fields = json_object_get(record, "fields"), *entry;
    size_t i;

    json_array_foreach(fields, i, entry)
    {
        if (entry == field) {
            json_array_remove(fields, i);
            break;
        }
    }
    json_object_set_new(p->document, "strip", json_true());
}

/* The values of a field would go. True: the source consents. */
static bool may_go(struct planning *p, const json_t *field, const char *outer, const char *why)
{
    const char *name = document_text(field, "name");
    char path[160];

    snprintf(path, sizeof(path), "%s%s%s", outer ? outer : "", outer ? "." : "", name);
    if (is_of_key(p, field, outer)) {
        st_say(p->d, "error", NULL, "'%s' is part of the key of '%s', which cannot change: declare another collection",
               path, p->d->name);
        return false;
    }
    if (is_dropped(p, path))
        return true;
    st_say(p->d, "error", NULL, "'%s' of collection '%s' %s, and its values would be lost", path, p->d->name, why);
    st_offer(p->d, "dropped", path);
    return false;
}

/* The stored field that a declared one is; NULL: it is new. */
static json_t *counterpart(struct planning *p, const json_t *record, const json_t *declared, const json_t *all)
{
    const json_t *fields = json_object_get(record, "fields");
    const char *former = json_string_value(json_object_get(declared, "renamed_from"));
    json_t *field = find(fields, document_text(declared, "name"));

    if (field || !former || find(all, former))
        return field;
    field = find(fields, former);
    if (!field)
        return NULL;
    step(p, "rename-field", "", "rename field '%s' of '%s' to '%s'", former, p->d->name,
         document_text(declared, "name"));
    json_t *names = json_object_get(field, "former");
    if (!names)
        json_object_set_new(field, "former", names = json_array());
    json_array_append_new(names, json_string(former));
    json_object_set(field, "name", json_object_get(declared, "name"));
    return field;
}

static void widen(struct planning *p, json_t *field, const json_t *declared)
{
    char was[64], is[64];

    type_text(field, was);
    type_text(declared, is);
    if (strcmp(was, is) == 0)
        return;
    step(p, "change-type", "", "field '%s' of '%s' becomes %s, which holds all of %s", document_text(field, "name"),
         p->d->name, is, was);
    json_object_set(field, "kind", json_object_get(declared, "kind"));
    json_object_set(field, "shape", json_object_get(declared, "shape"));
}

static void plan_field(struct planning *p, json_t *record, const json_t *declared, const json_t *all, const char *outer)
{
    json_t *field = counterpart(p, record, declared, all);
    char was[64], is[64], why[160];

    if (!field) {
        step(p, "add-field", "", "add field '%s' to '%s'", document_text(declared, "name"), p->d->name);
        add_field(record, declared);
        return;
    }
    if (kind_holds(document_text(field, "kind"), document_text(declared, "kind")) && shape_holds(field, declared)) {
        json_t *inner = json_object_get(field, "record");
        if (inner)
            plan_record(p, inner, json_object_get(json_object_get(declared, "record"), "fields"),
                        outer ? outer : document_text(field, "name"));
        widen(p, field, declared);
        return;
    }
    type_text(field, was);
    type_text(declared, is);
    snprintf(why, sizeof(why), "is %s, not %s", was, is);
    if (!may_go(p, field, outer, why))
        return;
    step(p, "replace-field", "values are lost", "replace field '%s' of '%s', which was %s, by one that is %s",
         document_text(field, "name"), p->d->name, was, is);
    remove_field(p, record, field);
    add_field(record, declared);
}

static void plan_record(struct planning *p, json_t *record, const json_t *declared, const char *outer)
{
    json_t *entry;
    size_t i;

    json_array_foreach(declared, i, entry) plan_field(p, record, entry, declared, outer);
    for (i = json_array_size(json_object_get(record, "fields")); i-- > 0;) {
        json_t *field = json_array_get(json_object_get(record, "fields"), i);
        if (find(declared, document_text(field, "name")) || !may_go(p, field, outer, "has no field any more"))
            continue;
        step(p, "drop-field", "values are lost", "drop field '%s' of '%s'", document_text(field, "name"), p->d->name);
        remove_field(p, record, field);
    }
    if (json_array_size(json_object_get(record, "fields")) > ST_MOST_FIELDS ||
        json_integer_value(json_object_get(record, "next")) > ST_MOST_FIELDS + 1)
        st_say(p->d, "error", outer, "a record has at most %d fields over all time", ST_MOST_FIELDS);
}

/* ---- indexes ---- */

/* Names as numbers. */
static json_t *ids_of(const struct planning *p, const json_t *names)
{
    const json_t *fields = json_object_get(json_object_get(p->document, "record"), "fields");
    json_t *ids = json_array(), *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        json_array_append(ids, json_object_get(find(fields, json_string_value(name)), "id"));
    }
    return ids;
}

static void build(struct planning *p, json_t *index)
{
    json_object_set_new(index, "space", json_integer(0));
    json_object_set_new(index, "state", json_string(p->is_new ? "ready" : "building"));
    json_object_del(index, "problem");
    if (!p->is_new)
        step(p, "create-index", "", "build %s index of %s of '%s', in the background",
             json_is_true(json_object_get(index, "unique")) ? "the unique" : "the", document_text(index, "name"),
             p->d->name);
}

static void plan_index(struct planning *p, const json_t *declared, json_t *kept)
{
    json_t *ids = ids_of(p, json_object_get(declared, "fields")), *index = NULL, *entry;
    json_t *unique = json_object_get(declared, "unique");
    size_t i;

    json_array_foreach(json_object_get(p->document, "indexes"), i, entry)
    {
        if (json_equal(json_object_get(entry, "fields"), ids) && json_equal(json_object_get(entry, "unique"), unique))
            index = entry;
    }
    if (index) {
        json_object_set(index, "name", json_object_get(declared, "name")); /* after a field, which may be renamed */
        json_array_append(kept, index);
        json_decref(ids);
        if (strcmp(document_text(index, "state"), "failed") != 0)
            return;
        st_say(p->d, "warning", NULL, "the index of %s could not be built, and is built again: %s",
               document_text(index, "name"), document_text(index, "problem"));
        build(p, index);
        return;
    }
    index = json_pack("{sO, so, sO}", "name", json_object_get(declared, "name"), "fields", ids, "unique", unique);
    build(p, index);
    json_array_append_new(kept, index);
}

static bool has_all_fields(const struct planning *p, const json_t *index)
{
    const json_t *fields = json_object_get(json_object_get(p->document, "record"), "fields");
    json_t *id, *field;
    size_t i, k, found = 0;

    json_array_foreach(json_object_get(index, "fields"), i, id)
    {
        json_array_foreach(fields, k, field) found += json_equal(id, json_object_get(field, "id"));
    }
    return found == i;
}

static void plan_indexes(struct planning *p)
{
    json_t *kept = json_array(), *entry;
    size_t i;

    json_array_foreach(p->d->indexes, i, entry) plan_index(p, entry, kept);
    json_array_foreach(json_object_get(p->document, "indexes"), i, entry)
    {
        const char *name = document_text(entry, "name");
        const json_t *same = find(kept, name);
        if (same == entry)
            continue;
        if (!same && has_all_fields(p, entry) && !is_dropped(p, name)) {
            st_say(p->d, "error", NULL, "the index of %s of collection '%s' is not declared any more", name,
                   p->d->name);
            st_offer(p->d, "dropped", name);
        }
        step(p, "drop-index", "", "drop the index of %s of '%s'", name, p->d->name);
    }
    json_object_set_new(p->document, "indexes", kept);
}

/* ---- the plan ---- */

static void create(struct planning *p)
{
    char text[400] = "";
    json_t *field;
    size_t i, at = 0;

    p->is_new = true;
    p->document = json_pack("{ss, si, s{}, s[]}", "name", p->d->name, "space", 0, "record", "indexes");
    number_fields(json_object_get(p->document, "record"), p->d->fields);
    json_object_set_new(p->document, "key", ids_of(p, p->d->key));
    json_array_foreach(p->d->fields, i, field)
    {
        at = strlen(text);
        snprintf(text + at, sizeof(text) - at, "%s%s", i ? ", " : "", document_text(field, "name"));
    }
    step(p, "create-collection", "", "make collection '%s' of %s", p->d->name, text);
    plan_indexes(p);
}

static void change(struct planning *p, const json_t *before)
{
    p->document = json_deep_copy(before);
    plan_record(p, json_object_get(p->document, "record"), p->d->fields, NULL);
    if (p->d->failed)
        return;
    json_t *key = ids_of(p, p->d->key);
    if (!json_equal(key, json_object_get(p->document, "key")))
        st_say(p->d, "error", NULL, "collection '%s' has another key, which cannot change: declare another collection",
               p->d->name);
    json_decref(key);
    plan_indexes(p);
}

int st_plan_make(struct st_declared *declared, const json_t *before, struct st_plan *plan)
{
    struct planning p = {.d = declared, .steps = json_array()};

    *plan = (struct st_plan){0};
    if (declared->failed) {
        json_decref(p.steps);
        return CELL_OK;
    }
    if (before)
        change(&p, before);
    else
        create(&p);
    if (declared->failed || json_array_size(p.steps) == 0) {
        json_decref(p.document);
        json_decref(p.steps);
        return CELL_OK;
    }
    plan_id(p.steps, plan->id);
    plan->document = p.document;
    plan->steps = p.steps;
    return plan->document && plan->steps ? CELL_OK : CELL_NO_MEMORY;
}

void st_plan_free(struct st_plan *plan)
{
    json_decref(plan->document);
    json_decref(plan->steps);
    *plan = (struct st_plan){0};
}
