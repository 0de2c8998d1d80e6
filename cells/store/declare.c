/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "declare.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/document.h"

#define MOST_FIELD_NAME 127

void st_say(struct st_declared *declared, const char *severity, const char *field, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    document_say(declared->diagnostics, &declared->failed, severity, field, format, args);
    va_end(args);
}

void st_offer(struct st_declared *declared, const char *rule, const char *argument)
{
    json_t *last = json_array_get(declared->diagnostics, json_array_size(declared->diagnostics) - 1);

    json_object_set_new(last, "fix", json_pack("{ss, s[s]}", "rule", rule, "args", argument));
}

/* ---- types ---- */

static bool see_base(const json_t *types, const char *name, struct st_seen_type *seen, const char **why)
{
    if (!name) {
        *why = "is of a type that is not there";
        return false;
    }
    seen->base = name;
    seen->kind = name;
    uint32_t kind = st_kind_of(name);
    if (kind != 0 && kind != CELL_KIND_STRUCT)
        return true;
    const json_t *entry = document_find(types, "name", name);
    const char *what = json_string_value(json_object_get(entry, "kind"));
    seen->entry = entry;
    if (what && strcmp(what, "enum") == 0) {
        seen->kind = json_string_value(json_object_get(entry, "type"));
        *why = "is of an enum without a type";
        return st_kind_of(seen->kind) != 0;
    }
    if (what && strcmp(what, "struct") == 0) {
        seen->kind = "struct";
        seen->record = entry;
        return true;
    }
    *why = "is of a type that cannot be stored";
    return false;
}

bool st_see_type(const json_t *types, const char *text, struct st_seen_type *seen, const char **why)
{
    char *bracket, *end;

    *seen = (struct st_seen_type){.shape = ST_PLAIN};
    snprintf(seen->text, sizeof(seen->text), "%s", text ? text : "");
    bracket = strchr(seen->text, '[');
    if (bracket) {
        *bracket = '\0';
        seen->shape = ST_ARRAY;
        seen->count = (uint32_t)strtoul(bracket + 1, NULL, 10);
        *why = "is an array of no size";
        if (seen->count < 1 || seen->count > 65536)
            return false;
    }
    const json_t *entry = document_find(types, "name", seen->text);
    const char *what = json_string_value(json_object_get(entry, "kind"));
    bool list = strncmp(seen->text, "list<", 5) == 0 || (what && strcmp(what, "list") == 0);
    bool opt = strncmp(seen->text, "opt<", 4) == 0 || (what && strcmp(what, "opt") == 0);
    if (!list && !opt)
        return see_base(types, seen->text, seen, why);
    if (bracket) {
        *why = "is an array of lists or optionals: put them into a struct";
        return false;
    }
    seen->shape = list ? ST_LIST : ST_OPT;
    end = strchr(seen->text, '>');
    if (end) {
        *end = '\0';
        return see_base(types, strchr(seen->text, '<') + 1, seen, why);
    }
    return see_base(types, json_string_value(json_object_get(entry, "of")), seen, why);
}

/* ---- fields ---- */

static json_t *record_of(struct st_declared *d, const json_t *types, const json_t *type, const char *outer, int depth);

/* A field of the collection's document; NULL after an error. `outer` is the collection's own field that it is in. */
static json_t *field_of(struct st_declared *d, const json_t *types, const json_t *from, const char *outer, int depth)
{
    const char *name = json_string_value(json_object_get(from, "name"));
    const char *former = json_string_value(json_object_get(from, "renamed_from")), *why = "";
    struct st_seen_type seen;

    if (!st_see_type(types, json_string_value(json_object_get(from, "type")), &seen, &why)) {
        st_say(d, "error", outer ? outer : name, "'%s' %s", name ? name : "", why);
        return NULL;
    }
    json_t *field = json_pack("{ss, ss, ss}", "name", name, "kind", seen.kind, "shape", st_shape_name(seen.shape));
    if (seen.shape == ST_ARRAY)
        json_object_set_new(field, "count", json_integer(seen.count));
    if (former)
        json_object_set_new(field, "renamed_from", json_string(former));
    if (!seen.record)
        return field;
    json_t *record = record_of(d, types, seen.record, outer ? outer : name, depth + 1);
    json_object_set_new(field, "record", record ? record : json_null());
    return field;
}

static json_t *record_of(struct st_declared *d, const json_t *types, const json_t *type, const char *outer, int depth)
{
    json_t *fields = json_array(), *from;
    size_t i;

    if (depth > ST_MOST_DEPTH || json_array_size(json_object_get(type, "fields")) > ST_MOST_FIELDS) {
        st_say(d, "error", outer, "structs are nested at most %d deep, and have at most %d fields", ST_MOST_DEPTH,
               ST_MOST_FIELDS);
        json_decref(fields);
        return NULL;
    }
    json_array_foreach(json_object_get(type, "fields"), i, from)
    {
        json_t *field = field_of(d, types, from, outer, depth);
        if (field)
            json_array_append_new(fields, field);
    }
    return json_pack("{so}", "fields", fields);
}

static json_t *field_named(const struct st_declared *d, const char *name)
{
    return (json_t *)(uintptr_t)document_find(d->fields, "name", name);
}

/* ---- keys and indexes ---- */

/* Whether the field may be part of a key; says why not. */
static bool can_order(struct st_declared *d, const char *name, bool key)
{
    const json_t *field = field_named(d, name);
    const char *kind = json_string_value(json_object_get(field, "kind"));
    const char *shape = json_string_value(json_object_get(field, "shape")), *why = NULL;

    if (!field)
        why = "is no field of this struct";
    else if (strcmp(kind, "struct") == 0 || strcmp(shape, "list") == 0)
        why = "has no order: structs and lists cannot be part of a key or an index";
    else if (strcmp(shape, "array") == 0 && strcmp(kind, "u8") != 0)
        why = "has no order: of arrays only those of uint8_t do";
    else if (key && strcmp(shape, "opt") == 0)
        why = "may be absent, so that it cannot be part of the key";
    if (why)
        st_say(d, "error", field ? name : NULL, "'%s' %s", name, why);
    return !why;
}

/* "a, b" as a list of names; NULL after an error. */
static json_t *names_of(struct st_declared *d, const char *text, bool key)
{
    json_t *names = json_array();
    bool good = text != NULL;

    while (good && text) {
        const char *end = strchr(text, ',');
        size_t n;
        while (isspace((unsigned char)*text))
            text++;
        n = end ? (size_t)(end - text) : strlen(text);
        while (n > 0 && isspace((unsigned char)text[n - 1]))
            n--;
        json_t *name = json_stringn(text, n);
        good = name && can_order(d, json_string_value(name), key);
        for (size_t i = 0; good && i < json_array_size(names); i++)
            if (json_equal(name, json_array_get(names, i))) {
                st_say(d, "error", NULL, "'%s' stands twice in this list", json_string_value(name));
                good = false;
            }
        json_array_append_new(names, name);
        text = end ? end + 1 : NULL;
    }
    if (good && json_array_size(names) <= ST_MOST_KEY_FIELDS)
        return names;
    if (good)
        st_say(d, "error", NULL, "a key or an index has at most %d fields", ST_MOST_KEY_FIELDS);
    json_decref(names);
    return NULL;
}

/* The index is called after its fields. */
static void add_index(struct st_declared *d, json_t *names, bool unique)
{
    char text[600] = "";
    json_t *name, *index;
    size_t i;

    if (!names)
        return;
    json_array_foreach(names, i, name)
    {
        size_t at = strlen(text);
        snprintf(text + at, sizeof(text) - at, "%s%s", i ? "_" : "", json_string_value(name));
    }
    if (strlen(text) > ST_MOST_NAME)
        st_say(d, "error", NULL, "the name '%s' of an index is longer than %d bytes", text, ST_MOST_NAME);
    if (json_equal(names, d->key))
        st_say(d, "error", NULL, "an index of the key: records are in that order already");
    json_array_foreach(d->indexes, i, index)
    {
        if (strcmp(json_string_value(json_object_get(index, "name")), text) == 0)
            st_say(d, "error", NULL, "there are two indexes '%s'", text);
    }
    json_array_append_new(d->indexes, json_pack("{ss, so, sb}", "name", text, "fields", names, "unique", (int)unique));
}

static void read_key(struct st_declared *d, const json_t *type)
{
    const json_t *rule = document_rule(d->declaration, "primary_key");
    json_t *field;
    size_t i;

    json_array_foreach(json_object_get(type, "fields"), i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));
        if (document_rule(field, "key") && can_order(d, name, true))
            json_array_append_new(d->key, json_string(name));
    }
    if (rule && json_array_size(d->key) > 0) {
        st_say(d, "error", NULL, "the key is declared twice: by CELL_KEY and by CELL_PRIMARY_KEY");
    } else if (rule) {
        json_t *names = names_of(d, json_string_value(json_array_get(json_object_get(rule, "args"), 0)), true);
        if (names)
            json_array_extend(d->key, names);
        json_decref(names);
    }
    if (json_array_size(d->key) == 0 && !d->failed)
        st_say(d, "error", NULL, "records need a key: CELL_KEY behind the name of a field");
    if (json_array_size(d->key) > ST_MOST_KEY_FIELDS)
        st_say(d, "error", NULL, "a key or an index has at most %d fields", ST_MOST_KEY_FIELDS);
}

static void read_rules(struct st_declared *d, const json_t *type)
{
    json_t *field, *rule;
    size_t i;

    json_array_foreach(json_object_get(type, "fields"), i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));
        bool unique = document_rule(field, "unique") != NULL;
        const json_t *index = document_rule(field, "index");
        if (index && json_array_size(json_object_get(index, "args")) > 0)
            st_say(d, "error", name, "indexes of a store are all ordered: CELL_INDEXED");
        if ((unique || index) && can_order(d, name, false))
            add_index(d, json_pack("[s]", name), unique);
    }
    json_array_foreach(json_object_get(d->declaration, "rules"), i, rule)
    {
        const char *name = json_string_value(json_object_get(rule, "rule"));
        const json_t *args = json_object_get(rule, "args");
        const char *text = json_string_value(json_array_get(args, 0));
        if (!name || !text)
            continue;
        bool unique = strcmp(name, "unique_index") == 0;
        if ((unique || strcmp(name, "index") == 0) && json_array_size(args) > 1)
            st_say(d, "error", NULL, "an index of a store has a list of fields, and nothing behind it");
        else if (unique || strcmp(name, "index") == 0)
            add_index(d, names_of(d, text, false), unique);
        else if (strcmp(name, "dropped") == 0 && json_array_size(args) > 1)
            st_say(d, "error", NULL, "CELL_DROPPED of a store has one name: it holds for as long as it stands");
        else if (strcmp(name, "dropped") == 0)
            json_array_append_new(d->dropped, json_string(text));
    }
    if (json_array_size(d->indexes) > ST_MOST_INDEXES)
        st_say(d, "error", NULL, "a collection has at most %d indexes", ST_MOST_INDEXES);
}

static void read_fields(struct st_declared *d, const json_t *type)
{
    const json_t *types = json_object_get(d->declaration, "types");
    json_t *from;
    size_t i;

    json_array_foreach(json_object_get(type, "fields"), i, from)
    {
        const char *name = json_string_value(json_object_get(from, "name"));
        if (document_rule(from, "version")) {
            const char *of = json_string_value(json_object_get(from, "type"));
            if (d->version || !of || strcmp(of, "u64") != 0)
                st_say(d, "error", name, "CELL_VERSION stands behind one field, which is a uint64_t");
            d->version = name;
            continue;
        }
        json_t *field = field_of(d, types, from, NULL, 0);
        if (field)
            json_array_append_new(d->fields, field);
    }
    if (json_array_size(d->fields) > ST_MOST_FIELDS)
        st_say(d, "error", NULL, "a record has at most %d fields", ST_MOST_FIELDS);
}

/* Whether all fields have types and names of their own: the rest relies on it. */
static bool has_texts(const json_t *type)
{
    const json_t *fields = json_object_get(type, "fields");
    json_t *field;
    size_t i;

    json_array_foreach(fields, i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));
        if (!name || !document_is_identifier(name, strlen(name), MOST_FIELD_NAME) ||
            document_find(fields, "name", name) != field || !json_is_string(json_object_get(field, "type")))
            return false;
    }
    return true;
}

static bool is_whole(const json_t *declaration, const json_t *type)
{
    json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(declaration, "types"), i, entry)
    {
        if (!has_texts(entry))
            return false;
    }
    return json_is_object(type) && has_texts(type);
}

int st_declare(const json_t *request, struct st_declared *declared, struct st_failure *f)
{
    const json_t *annotation = json_object_get(request, "annotation");
    const json_t *declaration = json_object_get(request, "declaration"), *type = json_object_get(declaration, "type");
    struct st_declared d = {.fields = json_array(),
                            .key = json_array(),
                            .indexes = json_array(),
                            .dropped = json_array(),
                            .diagnostics = json_array(),
                            .declaration = declaration};

    d.name = json_string_value(json_array_get(json_object_get(annotation, "args"), 0));
    d.tag = json_string_value(json_object_get(declaration, "name"));
    if (!d.name || !is_whole(declaration, type)) {
        st_declared_free(&d);
        return st_fail(f, CELL_INVALID_ARGUMENT, "the request declares no collection");
    }
    if (!d.tag)
        st_say(&d, "error", NULL, "the struct needs a tag");
    if (!document_is_identifier(d.name, strlen(d.name), ST_MOST_NAME))
        st_say(&d, "error", "name",
               "'%s' cannot be the name of a collection, which functions are called after: it is an "
               "identifier of at most %d bytes",
               d.name, ST_MOST_NAME);
    read_fields(&d, type);
    if (!d.failed)
        read_key(&d, type);
    if (!d.failed)
        read_rules(&d, type);
    *declared = d;
    return CELL_OK;
}

void st_declared_free(struct st_declared *declared)
{
    json_decref(declared->fields);
    json_decref(declared->key);
    json_decref(declared->indexes);
    json_decref(declared->dropped);
    json_decref(declared->diagnostics);
    *declared = (struct st_declared){0};
}
