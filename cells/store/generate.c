/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct generating {
    struct st_declared *d;
    json_t *types, *methods;
    struct st_arena arena;
    bool failed; /* memory was short */
};

/* A method's beginning: its parameters are added, then it goes into the document. */
struct making {
    struct generating *g;
    const char *name, *doc, *op;
    json_t *params, *index;
    bool repeatable; /* idempotent */
};

static const char *print(struct generating *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *print(struct generating *g, const char *format, ...)
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

static const char *text_of(const json_t *object, const char *key)
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
        if (strcmp(text_of(entry, "name"), name) == 0)
            return entry;
    }
    return NULL;
}

/* Names must be the program's to give: its types and their enumerators have theirs already. */
static bool is_free(struct generating *g, const char *name)
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

    if (!is_free(g, name)) {
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
static bool seen_type(struct generating *g, const char *field, struct st_seen_type *seen)
{
    const json_t *of = named(json_object_get(json_object_get(g->d->declaration, "type"), "fields"), field);
    const char *why;

    return st_see_type(json_object_get(g->d->declaration, "types"), text_of(of, "type"), seen, &why);
}

/* The optional of a field's values, for bounds: of an array of bytes, of bytes. */
static const char *optional_of(struct generating *g, const char *field)
{
    struct st_seen_type seen;

    if (!seen_type(g, field, &seen) || seen.shape == ST_ARRAY)
        return "opt<bytes>";
    if (!seen.entry)
        return print(g, "opt<%s>", seen.base);
    const char *name = print(g, "%s_opt_%s", g->d->name, seen.base);
    uint32_t size = 0, align = 1;
    measure(g, seen.base, &size, &align);
    if (!named(g->types, name) && is_free(g, name))
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
            add_field(g, l, print(g, "%s_%s", prefix, json_string_value(name)), optional_of(g, json_string_value(name)),
                      i == 0 ? doc : NULL);
    }
}

/* What is scanned, of an index (its fields) or the key. */
static const char *range_type(struct generating *g, const char *index, const json_t *fields)
{
    const char *name = index ? print(g, "%s_%s_range", g->d->name, index) : print(g, "%s_range", g->d->name);
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
               index ? print(g, "What of '%s' is wanted, in the order of %s.", g->d->name, index)
                     : print(g, "What of '%s' is wanted, in the order of the key.", g->d->name));
    return name;
}

static const char *rows_type(struct generating *g)
{
    const char *name = print(g, "%s_records", g->d->name);

    if (!named(g->types, name) && is_free(g, name))
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
    return print(g, "%s", text);
}

static const char *change_type(struct generating *g)
{
    const char *event = print(g, "%s_event", g->d->name), *name = print(g, "%s_change", g->d->name);
    const char *put = upper(g, "PUT"), *gone = upper(g, "DELETED"), *overtaken = upper(g, "OVERTAKEN");
    struct layout l = {.fields = json_array()};

    if (is_free(g, event) && is_free(g, put) && is_free(g, gone) && is_free(g, overtaken))
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
    end_struct(g, &l, name, print(g, "A change of '%s'.", g->d->name));
    return name;
}

static const char *view_type(struct generating *g)
{
    const char *name = print(g, "%s_view", g->d->name);
    struct layout l = {.fields = json_array()};

    add_field(g, &l, "token", "str", "For the metadata \"snapshot\" of calls that read; a secret.");
    add_field(g, &l, "position", "u64", "The last change that it has: the feed goes on behind it.");
    add_field(g, &l, "count", "u64", "Records in it.");
    add_field(g, &l, "lease_ms", "u32", "It ends when nobody reads in it for so long.");
    end_struct(g, &l, name, print(g, "A snapshot of '%s', and of everything else in the store.", g->d->name));
    return name;
}

/* ---- methods ---- */

static bool begin(struct generating *g, struct making *m, const char *op, const char *name, const char *doc)
{
    *m = (struct making){.g = g, .name = name, .doc = doc, .op = op, .params = json_array()};
    if (strlen(name) <= 120 && is_free(g, name))
        return true;
    json_decref(m->params);
    if (strlen(name) > 120)
        st_say(g->d, "remark", NULL, "there is no function %s: its name would be too long", name);
    return false;
}

static void param(struct making *m, const char *name, const char *type, const char *dir, bool pointer)
{
    json_t *p = json_pack("{ss, ss, ss}", "name", name, "type", type, "dir", dir);

    if (pointer)
        json_object_set_new(p, "pointer", json_true());
    json_array_append_new(m->params, p);
}

static void stream(struct making *m, const char *name, const char *type)
{
    json_array_append_new(m->params,
                          json_pack("{ss, ss, ss, sb}", "name", name, "type", type, "dir", "out", "stream", 1));
}

/* A value for each of the fields, which is there. */
static void value_params(struct making *m, const json_t *names)
{
    struct st_seen_type seen;
    json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        const char *field = json_string_value(name);
        if (!seen_type(m->g, field, &seen))
            continue;
        if (seen.shape == ST_ARRAY)
            param(m, field, print(m->g, "%s[%u]", seen.base, seen.count), "in", true);
        else
            param(m, field, print(m->g, "%s", seen.base), "in", false);
    }
}

/* A name that none of the fields has. */
static const char *free_name(struct generating *g, const json_t *names, const char *wanted)
{
    json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        if (strcmp(json_string_value(name), wanted) == 0)
            return free_name(g, names, print(g, "%s_", wanted));
    }
    return wanted;
}

static void end(struct making *m)
{
    struct generating *g = m->g;
    json_t *binding = json_pack("{si, ss, ss}", "v", 1, "collection", g->d->name, "op", m->op);

    if (m->index)
        json_object_set(binding, "index", m->index);
    if (g->d->version)
        json_object_set_new(binding, "version", json_string(g->d->version));
    char *text = binding ? json_dumps(binding, JSON_COMPACT) : NULL;
    json_t *method =
        text ? json_pack("{ss, ss, so, ss}", "name", m->name, "doc", m->doc, "params", m->params, "binding", text)
             : NULL;
    if (method && m->repeatable)
        json_object_set_new(method, "idempotent", json_true());
    size_t at = 0;
    while (at < json_array_size(g->methods) && strcmp(text_of(json_array_get(g->methods, at), "name"), m->name) < 0)
        at++;
    if (!method || json_array_insert_new(g->methods, at, method) < 0)
        g->failed = true;
    free(text);
    json_decref(binding);
}

static void add_writes(struct generating *g)
{
    struct making m;

    if (begin(g, &m, "put", print(g, "%s_put", g->d->name),
              "Puts the record, in the place of the one with its key. The result is 1 when there was none, else 0.")) {
        param(&m, "row", g->d->tag, "in", true);
        m.repeatable = true;
        end(&m);
    }
    if (begin(g, &m, "put_many", print(g, "%s_put_many", g->d->name),
              "Puts the records, in their order: all of them or none. The result is how many there were not before.")) {
        param(&m, "rows", rows_type(g), "in", false);
        m.repeatable = true;
        end(&m);
    }
    if (begin(g, &m, "delete", print(g, "%s_delete", g->d->name),
              "Deletes the record with this key. CELL_NOT_FOUND when there is none.")) {
        value_params(&m, g->d->key);
        end(&m);
    }
    if (!g->d->version)
        return;
    if (begin(g, &m, "put_if", print(g, "%s_put_if", g->d->name),
              print(g,
                    "Puts the record when the one with its key still has the version that `%s` says; 0: when there "
                    "is none. Fills in the new version. CELL_ABORTED: it has another one. CELL_ALREADY_EXISTS: "
                    "there is one. CELL_NOT_FOUND: there is none.",
                    g->d->version))) {
        param(&m, "row", g->d->tag, "inout", true);
        end(&m);
    }
    if (begin(g, &m, "delete_if", print(g, "%s_delete_if", g->d->name),
              print(g,
                    "Deletes the record with this one's key when it still has the version that `%s` says. "
                    "CELL_ABORTED: it has another one. CELL_NOT_FOUND: there is none.",
                    g->d->version))) {
        param(&m, "row", g->d->tag, "in", true);
        end(&m);
    }
}

/* Scans and pages, of the key or an index. */
static void add_ranges(struct generating *g, const json_t *index)
{
    const char *of = index ? text_of(index, "name") : NULL, *between = of ? "_by_" : "";
    json_t *fields = index ? json_object_get(index, "fields") : g->d->key;
    const char *range = range_type(g, of, fields);
    struct making m;

    if (begin(g, &m, "scan", print(g, "%s_scan%s%s", g->d->name, between, of ? of : ""),
              print(g,
                    "The records in a range, in the order of %s. Each is as it is when it is sent; in a snapshot "
                    "they belong together.",
                    of ? of : "the key"))) {
        param(&m, "range", range, "in", true);
        stream(&m, "rows", g->d->tag);
        m.index = index ? fields : NULL;
        end(&m);
    }
    if (begin(g, &m, "list", print(g, "%s_list%s%s", g->d->name, between, of ? of : ""),
              print(g,
                    "A page of the records in a range, in the order of %s: at most `limit` (0: 100), and fewer when "
                    "they are large. The next one begins behind the last of them; an empty one is the end.",
                    of ? of : "the key"))) {
        param(&m, "range", range, "in", true);
        param(&m, "limit", "u32", "in", false);
        param(&m, "rows", rows_type(g), "out", true);
        m.index = index ? fields : NULL;
        m.repeatable = true;
        end(&m);
    }
}

static void add_by(struct generating *g, const json_t *index)
{
    bool unique = json_is_true(json_object_get(index, "unique"));
    json_t *fields = json_object_get(index, "fields");
    struct making m;

    if (!begin(g, &m, unique ? "get" : "scan_equal", print(g, "%s_by_%s", g->d->name, text_of(index, "name")),
               print(g,
                     unique ? "The record with this %s. CELL_NOT_FOUND when there is none."
                            : "The records with this %s, in the order of their keys.",
                     text_of(index, "name"))))
        return;
    value_params(&m, fields);
    if (unique)
        param(&m, free_name(g, fields, "row"), g->d->tag, "out", true);
    else
        stream(&m, free_name(g, fields, "rows"), g->d->tag);
    m.index = fields;
    m.repeatable = unique;
    end(&m);
}

static void add_reads(struct generating *g)
{
    struct making m;
    json_t *index;
    size_t i;

    if (begin(g, &m, "get", print(g, "%s_get", g->d->name),
              "The record with this key. CELL_NOT_FOUND when there is none.")) {
        value_params(&m, g->d->key);
        param(&m, free_name(g, g->d->key, "row"), g->d->tag, "out", true);
        m.repeatable = true;
        end(&m);
    }
    if (begin(g, &m, "count", print(g, "%s_count", g->d->name), "How many records there are.")) {
        /* An array of one: as a pointer to a number in C, which no parameter of a schema can be. */
        param(&m, "count", "u64[1]", "out", true);
        m.repeatable = true;
        end(&m);
    }
    add_ranges(g, NULL);
    json_array_foreach(g->d->indexes, i, index)
    {
        add_by(g, index);
        add_ranges(g, index);
    }
}

static void add_feed(struct generating *g)
{
    const char *change = change_type(g), *view = view_type(g);
    struct making m;

    if (begin(g, &m, "changes", print(g, "%s_changes", g->d->name),
              "The changes behind position `after` (0: from the first on), in their order and without a gap. With "
              "`follow` it waits for more, else it ends with the last one. CELL_OUT_OF_RANGE: what comes behind that "
              "position is not kept any more, and a snapshot tells what there is; or the position is of another "
              "store.")) {
        param(&m, "after", "u64", "in", false);
        param(&m, "follow", "bool", "in", false);
        stream(&m, "changes", change);
        end(&m);
    }
    if (begin(g, &m, "snapshot", print(g, "%s_snapshot", g->d->name),
              "Keeps what there is at this moment: calls that carry its token as metadata \"snapshot\" read that. It "
              "ends when nobody has read in it for `lease_ms` (0, or too much: the most that the cell gives).")) {
        param(&m, "lease_ms", "u32", "in", false);
        param(&m, "view", view, "out", true);
        end(&m);
    }
    if (begin(g, &m, "snapshot_end", print(g, "%s_snapshot_end", g->d->name),
              "Ends a snapshot. CELL_NOT_FOUND when there is no such one any more.")) {
        param(&m, "token", "str", "in", false);
        end(&m);
    }
}

int st_generate(struct st_declared *declared, json_t *document)
{
    struct generating g = {
        .d = declared, .types = json_object_get(document, "types"), .methods = json_object_get(document, "methods")};

    add_writes(&g);
    add_reads(&g);
    add_feed(&g);
    st_arena_free(&g.arena);
    return g.failed ? CELL_NO_MEMORY : CELL_OK;
}
