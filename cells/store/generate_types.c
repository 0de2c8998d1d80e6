/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The types of a collection's functions: ranges, pages, changes, snapshots. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate_impl.h"

const char *gen_print(struct generating *g, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    const char *kept = st_printf(&g->arena, "%s", text);
    if (!kept)
        g->failed = true;
    return kept ? kept : "";
}

const char *gen_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static const json_t *named(const json_t *list, const char *name)
{
    json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        if (strcmp(gen_text(entry, "name"), name) == 0)
            return entry;
    }
    return NULL;
}

/* Names must be the program's to give: its types and their enumerators have theirs already. */
bool gen_is_free(struct generating *g, const char *name)
{
    const json_t *types = json_object_get(g->d->declaration, "types");
    bool taken = strcmp(name, g->d->tag) == 0 || named(types, name) != NULL;
    json_t *type;
    size_t i;

    json_array_foreach(types, i, type) taken = taken || named(json_object_get(type, "values"), name);
    if (taken)
        st_say(g->d, "error", NULL, "the program has a '%s' of its own already, which belongs to collection '%s'", name,
               g->d->name);
    return !taken;
}

/* ---- types ---- */

struct layout {
    json_t *fields;
    uint32_t size, align;
};

/* Size and alignment of a type as it is written; those of the document are asked, too. */
static void measure(struct generating *g, const char *type, uint32_t *size, uint32_t *align)
{
    static const struct {
        const char *name;
        uint32_t size;
    } builtin[] = {{"bool", 1}, {"i8", 1},  {"u8", 1},  {"i16", 2}, {"u16", 2},  {"i32", 4},   {"u32", 4},
                   {"i64", 8},  {"u64", 8}, {"f32", 4}, {"f64", 8}, {"str", 16}, {"bytes", 16}};
    char inner[128];

    if (strncmp(type, "opt<", 4) == 0) {
        snprintf(inner, sizeof(inner), "%.*s", (int)strlen(type) - 5, type + 4);
        measure(g, inner, size, align);
        *size += *align;
        return;
    }
    for (size_t i = 0; i < sizeof(builtin) / sizeof(builtin[0]); i++)
        if (strcmp(type, builtin[i].name) == 0) {
            *size = builtin[i].size;
            *align = *size < 8 ? *size : 8;
            return;
        }
    const json_t *entry = named(g->types, type);
    if (!entry)
        entry = named(json_object_get(g->d->declaration, "types"), type);
    if (!entry)
        entry = json_object_get(g->d->declaration, "type");
    *size = (uint32_t)json_integer_value(json_object_get(entry, "size"));
    *align = (uint32_t)json_integer_value(json_object_get(entry, "align"));
    *align = *align ? *align : 1;
}

static void add_field(struct generating *g, struct layout *l, const char *name, const char *type, const char *doc)
{
    uint32_t size = 0, align = 1;

    measure(g, type, &size, &align);
    l->size = (l->size + align - 1) / align * align;
    json_t *field = json_pack("{ss, ss, si}", "name", name, "type", type, "offset", (int)l->size);
    if (doc)
        json_object_set_new(field, "doc", json_string(doc));
    json_array_append_new(l->fields, field);
    l->size += size;
    l->align = l->align > align ? l->align : align;
}

static void end_struct(struct generating *g, struct layout *l, const char *name, const char *doc)
{
    uint32_t align = l->align ? l->align : 1;

    if (!gen_is_free(g, name)) {
        json_decref(l->fields);
        return;
    }
    json_t *type =
        json_pack("{ss, ss, si, si, ss, so}", "name", name, "kind", "struct", "size",
                  (int)((l->size + align - 1) / align * align), "align", (int)align, "doc", doc, "fields", l->fields);
    if (json_array_append_new(g->types, type) < 0)
        g->failed = true;
}

/* The declared field's type in the request. */
bool gen_seen_type(struct generating *g, const char *field, struct st_seen_type *seen)
{
    const json_t *of = named(json_object_get(json_object_get(g->d->declaration, "type"), "fields"), field);
    const char *why;

    return st_see_type(json_object_get(g->d->declaration, "types"), gen_text(of, "type"), seen, &why);
}

/* The optional of a field's values, for bounds: of an array of bytes, of bytes. */
static const char *optional_of(struct generating *g, const char *field)
{
    struct st_seen_type seen;

    if (!gen_seen_type(g, field, &seen) || seen.shape == ST_ARRAY)
        return "opt<bytes>";
    if (!seen.entry)
        return gen_print(g, "opt<%s>", seen.base);
    const char *name = gen_print(g, "%s_opt_%s", g->d->name, seen.base);
    uint32_t size = 0, align = 1;
    measure(g, seen.base, &size, &align);
    if (!named(g->types, name) && gen_is_free(g, name))
        json_array_append_new(g->types, json_pack("{ss, ss, ss, si, si}", "name", name, "kind", "opt", "of", seen.base,
                                                  "size", (int)(size + align), "align", (int)align));
    return name;
}

static void add_bounds(struct generating *g, struct layout *l, const char *prefix, const json_t *names,
                       const json_t *but, const char *doc)
{
    json_t *name;
    size_t i, k;

    json_array_foreach(names, i, name)
    {
        json_t *other;
        bool there = false;
        json_array_foreach(but, k, other) there = there || json_equal(other, name);
        if (!there)
            add_field(g, l, gen_print(g, "%s_%s", prefix, json_string_value(name)),
                      optional_of(g, json_string_value(name)), i == 0 ? doc : NULL);
    }
}

/* What is scanned, of an index (its fields) or the key. */
const char *gen_range_type(struct generating *g, const char *index, const json_t *fields)
{
    const char *name = index ? gen_print(g, "%s_%s_range", g->d->name, index) : gen_print(g, "%s_range", g->d->name);
    struct layout l = {.fields = json_array()};

    add_bounds(g, &l, "from", fields, NULL,
               "The first that is wanted: as many of these as are given, from the first one on.");
    add_bounds(g, &l, "to", fields, NULL, "The first that is not wanted any more, likewise.");
    add_bounds(g, &l, "after", fields, NULL,
               "Only what comes behind the record with these values, all of them: the last of the page before.");
    if (index)
        add_bounds(g, &l, "after", g->d->key, fields, NULL);
    add_field(g, &l, "descending", "bool", "From the last to the first.");
    end_struct(g, &l, name,
               index ? gen_print(g, "What of '%s' is wanted, in the order of %s.", g->d->name, index)
                     : gen_print(g, "What of '%s' is wanted, in the order of the key.", g->d->name));
    return name;
}

const char *gen_rows_type(struct generating *g)
{
    const char *name = gen_print(g, "%s_records", g->d->name);

    if (!named(g->types, name) && gen_is_free(g, name))
        json_array_append_new(g->types, json_pack("{ss, ss, ss, si, si}", "name", name, "kind", "list", "of", g->d->tag,
                                                  "size", 16, "align", 8));
    return name;
}

static const char *upper(struct generating *g, const char *end)
{
    char text[256];

    snprintf(text, sizeof(text), "%s_%s", g->d->name, end);
    for (char *c = text; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    return gen_print(g, "%s", text);
}

const char *gen_change_type(struct generating *g)
{
    const char *event = gen_print(g, "%s_event", g->d->name), *name = gen_print(g, "%s_change", g->d->name);
    const char *put = upper(g, "PUT"), *gone = upper(g, "DELETED"), *overtaken = upper(g, "OVERTAKEN");
    struct layout l = {.fields = json_array()};

    if (gen_is_free(g, event) && gen_is_free(g, put) && gen_is_free(g, gone) && gen_is_free(g, overtaken))
        json_array_append_new(
            g->types,
            json_pack("{ss, ss, ss, si, si, ss, s[{ss, ss, ss}, {ss, ss, ss}, {ss, ss, ss}]}", "name", event, "kind",
                      "enum", "type", "i32", "size", 4, "align", 4, "doc", "What has happened to a record.", "values",
                      "name", put, "value", "0", "doc", "It was made or changed: `record` is what it was made.", "name",
                      gone, "value", "1", "doc", "It was deleted: `record` has its key.", "name", overtaken, "value",
                      "2", "doc",
                      "It was made or changed, and again later: `record` has its key, and what it was is not kept."));
    add_field(g, &l, "position", "u64", "Of the change: from 1 on without a gap. To go on behind it, it is `after`.");
    add_field(g, &l, "at_us", "i64", "When, in microseconds since 1970-01-01 UTC.");
    add_field(g, &l, "event", event, NULL);
    add_field(g, &l, "record", g->d->tag, NULL);
    end_struct(g, &l, name, gen_print(g, "A change of '%s'.", g->d->name));
    return name;
}

const char *gen_view_type(struct generating *g)
{
    const char *name = gen_print(g, "%s_view", g->d->name);
    struct layout l = {.fields = json_array()};

    add_field(g, &l, "token", "str", "For the metadata \"snapshot\" of calls that read; a secret.");
    add_field(g, &l, "position", "u64", "The last change that it has: the feed goes on behind it.");
    add_field(g, &l, "count", "u64", "Records in it.");
    add_field(g, &l, "lease_ms", "u32", "It ends when nobody reads in it for so long.");
    end_struct(g, &l, name, gen_print(g, "A snapshot of '%s', and of everything else in the store.", g->d->name));
    return name;
}
