/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The types and methods that a program gets for its index. */
#include "declare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/document.h"

#define MOST_TEXT 300

struct generating {
    struct sc_declared *d;
    json_t *types, *methods;
    bool failed; /* memory was short */
};

struct layout {
    json_t *fields;
    uint32_t size, align;
};

static const json_t *named(const json_t *list, const char *name)
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

/* Names are the program's to give first. */
static bool is_free(struct generating *g, const char *name)
{
    const json_t *types = json_object_get(g->d->declaration, "types");
    bool taken = strcmp(name, g->d->tag) == 0 || named(types, name) != NULL;
    json_t *type;
    size_t i;

    json_array_foreach(types, i, type) taken = taken || named(json_object_get(type, "values"), name);
    if (taken)
        sc_say(g->d, "error", NULL, "the program has a '%s' of its own already, which belongs to index '%s'", name,
               g->d->name);
    return !taken;
}

/* ---- types ---- */

static void measure(struct generating *g, const char *type, uint32_t *size, uint32_t *align)
{
    struct sc_type plain;
    const json_t *entry = named(json_object_get(g->d->declaration, "types"), type);

    entry = entry ? entry : named(g->types, type);
    if (entry) {
        *size = (uint32_t)json_integer_value(json_object_get(entry, "size"));
        *align = (uint32_t)json_integer_value(json_object_get(entry, "align"));
    } else if (sc_type_parse(type, &plain)) {
        const struct cell_type *of = sc_type_descriptor(plain.kind, plain.shape == SC_OPT);
        *size = of->size * (plain.count ? plain.count : 1);
        *align = of->align;
    }
}

static void add_field(struct generating *g, struct layout *l, const char *name, const char *type, const char *doc)
{
    uint32_t size = 0, align = 1;

    measure(g, type, &size, &align);
    align = align ? align : 1;
    l->size = (l->size + align - 1) / align * align;
    json_t *field = json_pack("{ss, ss, si}", "name", name, "type", type, "offset", (int)l->size);
    if (doc)
        json_object_set_new(field, "doc", json_string(doc));
    if (json_array_append_new(l->fields, field) < 0)
        g->failed = true;
    l->size += size;
    l->align = l->align > align ? l->align : align;
}

static void end_struct(struct generating *g, struct layout *l, const char *name, const char *doc)
{
    uint32_t align = l->align ? l->align : 1;
    json_t *type =
        json_pack("{ss, ss, si, si, ss, so}", "name", name, "kind", "struct", "size",
                  (int)((l->size + align - 1) / align * align), "align", (int)align, "doc", doc, "fields", l->fields);

    if (!is_free(g, name) || json_array_append(g->types, type) < 0)
        g->failed = g->failed || !type;
    json_decref(type);
}

static void add_list(struct generating *g, const char *end, const char *of)
{
    char name[MOST_TEXT], element[MOST_TEXT];

    snprintf(name, sizeof(name), "%s_%s", g->d->name, end);
    snprintf(element, sizeof(element), "%s_%s", g->d->name, of);
    if (is_free(g, name) &&
        json_array_append_new(g->types, json_pack("{ss, ss, ss, si, si}", "name", name, "kind", "list", "of", element,
                                                  "size", 16, "align", 8)) < 0)
        g->failed = true;
}

/* The type of a field of the key as the program wrote it, where it did, so that an enum stays one. */
static const char *key_type(const struct generating *g, const json_t *key)
{
    const json_t *fields = json_object_get(json_object_get(g->d->declaration, "type"), "fields");
    const json_t *own = named(fields, document_text(key, "name"));

    return own ? document_text(own, "type") : document_text(key, "type");
}

static void add_hit(struct generating *g)
{
    struct layout l = {.fields = json_array()};
    char name[MOST_TEXT], doc[MOST_TEXT], passage[MOST_TEXT];
    const json_t *keys = json_object_get(g->d->definition, "key");
    const char *score = named(keys, "score") ? "hit_score" : "score";
    const char *excerpt = named(keys, "excerpt") ? "hit_excerpt" : "excerpt";
    json_t *key;
    size_t i;

    json_array_foreach(keys, i, key) add_field(g, &l, document_text(key, "name"), key_type(g, key), NULL);
    add_field(g, &l, score, "f64", "The higher the better; 0 where no words are looked for.");
    snprintf(passage, sizeof(passage), "%s_passage", g->d->name);
    add_field(g, &l, excerpt, passage,
              "Of the text where the most of what is looked for stands together; empty unless it was asked for.");
    snprintf(name, sizeof(name), "%s_hit", g->d->name);
    snprintf(doc, sizeof(doc), "A record of %s.%s that was found: its key.", g->d->source, g->d->collection);
    end_struct(g, &l, name, doc);
    add_list(g, "hits", "hit");
}

static void add_passage(struct generating *g)
{
    char name[MOST_TEXT], marks[MOST_TEXT];
    struct layout mark = {.fields = json_array()}, passage = {.fields = json_array()};

    add_field(g, &mark, "begin", "u32", "The first byte.");
    add_field(g, &mark, "length", "u32", "In bytes.");
    snprintf(name, sizeof(name), "%s_mark", g->d->name);
    end_struct(g, &mark, name, "A part of a text that was found: whole characters.");
    add_list(g, "marks", "mark");
    snprintf(name, sizeof(name), "%s_passage", g->d->name);
    snprintf(marks, sizeof(marks), "%s_marks", g->d->name);
    add_field(g, &passage, "text", "str", "As the record has it; \"\xe2\x80\xa6\" where an excerpt leaves out text.");
    add_field(g, &passage, "marks", marks, "In their order, none in another one.");
    end_struct(g, &passage, name, "Text, and where in it that stands which was found.");
}

static void add_types(struct generating *g)
{
    char name[MOST_TEXT], hits[MOST_TEXT];
    struct layout page = {.fields = json_array()}, word = {.fields = json_array()}, facet = {.fields = json_array()};

    add_passage(g);
    add_hit(g);
    snprintf(hits, sizeof(hits), "%s_hits", g->d->name);
    add_field(g, &page, "hits", hits, "Best first.");
    add_field(g, &page, "next", "str", "The cursor of the page behind this one; empty when there is none.");
    snprintf(name, sizeof(name), "%s_page", g->d->name);
    end_struct(g, &page, name, "A page of what was found.");
    add_field(g, &word, "word", "str", NULL);
    add_field(g, &word, "documents", "u64", "That have it.");
    snprintf(name, sizeof(name), "%s_word", g->d->name);
    end_struct(g, &word, name, "A word of the index.");
    add_list(g, "words", "word");
    add_field(g, &facet, "text", "str", "The value, of a keyword.");
    add_field(g, &facet, "number", "i64", "The value, of an integer or a bool.");
    add_field(g, &facet, "absent", "bool", "Those without a value.");
    add_field(g, &facet, "count", "u64", "Of what was found.");
    snprintf(name, sizeof(name), "%s_facet", g->d->name);
    end_struct(g, &facet, name, "A value of a field, and how many have it.");
    add_list(g, "facets", "facet");
}

/* ---- methods ---- */

static json_t *in(const char *name, const char *type)
{
    return json_pack("{ss, ss, ss}", "name", name, "type", type, "dir", "in");
}

static json_t *pointer(const char *name, const char *type, const char *dir)
{
    return json_pack("{ss, ss, ss, sb}", "name", name, "type", type, "dir", dir, "pointer", 1);
}

static void add_method(struct generating *g, const char *name, const char *op, const char *field, json_t *params,
                       const char *doc, const char *fallback)
{
    json_t *binding = json_pack("{si, ss, ss}", "v", SC_BINDING, "index", g->d->name, "op", op);

    if (field)
        json_object_set_new(binding, "field", json_string(field));
    char *text = binding ? json_dumps(binding, JSON_COMPACT) : NULL;
    json_t *method = text && params ? json_pack("{ss, ss, sb, sO, ss}", "name", name, "doc", doc, "idempotent", 1,
                                                "params", params, "binding", text)
                                    : NULL;
    if (method && fallback) {
        json_object_set_new(method, "needs", json_pack("[s]", "vectors"));
        json_object_set_new(method, "fallback", json_string(fallback));
    }
    size_t at = 0;
    while (at < json_array_size(g->methods) && strcmp(document_text(json_array_get(g->methods, at), "name"), name) < 0)
        at++;
    if (strlen(name) > 120)
        sc_say(g->d, "error", NULL, "the name '%s' of a function would be too long", name);
    else if (is_free(g, name) && (!method || json_array_insert(g->methods, at, method) < 0))
        g->failed = true;
    json_decref(method);
    json_decref(params);
    json_decref(binding);
    free(text);
}

static void add_words_methods(struct generating *g)
{
    char name[MOST_TEXT], type[MOST_TEXT];

    snprintf(name, sizeof(name), "%s_search", g->d->name);
    snprintf(type, sizeof(type), "%s_page", g->d->name);
    add_method(
        g, name, "search", NULL,
        json_pack("[o, o, o, o, o]", in("query", "str"), in("limit", "u32"), in("cursor", "str"), in("excerpt", "u32"),
                  pointer("page", type, "out")),
        "What `query` finds (docs/search.md), best first: at most `limit` of them (0: 10). `cursor` is `next` of "
        "the page before, or empty. `excerpt`: each hit has one of so many words (0: none). CELL_INVALID_ARGUMENT "
        "with the place: it is no query.",
        NULL);
    snprintf(name, sizeof(name), "%s_count", g->d->name);
    add_method(g, name, "count", NULL, json_pack("[o, o]", in("query", "str"), pointer("count", "u64[1]", "out")),
               "How many records `query` finds.", NULL);
    snprintf(name, sizeof(name), "%s_suggest", g->d->name);
    snprintf(type, sizeof(type), "%s_words", g->d->name);
    add_method(g, name, "suggest", NULL,
               json_pack("[o, o, o]", in("text", "str"), in("limit", "u32"), pointer("words", type, "out")),
               "Words that begin as the last one of `text`, those in the most records first: at most `limit` (0: 10).",
               NULL);
}

static void add_facets(struct generating *g)
{
    char name[MOST_TEXT], type[MOST_TEXT];
    json_t *field;
    size_t i;

    snprintf(type, sizeof(type), "%s_facets", g->d->name);
    json_array_foreach(json_object_get(g->d->definition, "fields"), i, field)
    {
        const char *as = document_text(field, "as"), *of = document_text(field, "name");
        if (strcmp(as, "keyword") != 0 && strcmp(as, "integer") != 0 && strcmp(as, "bool") != 0)
            continue;
        snprintf(name, sizeof(name), "%s_facets_%s", g->d->name, of);
        add_method(g, name, "facets", of,
                   json_pack("[o, o, o]", in("query", "str"), in("limit", "u32"), pointer("facets", type, "out")),
                   "The values of this field among what `query` finds, the most frequent first: at most `limit` (0: "
                   "10).",
                   NULL);
    }
}

/* A parameter for each field of the key, and a query that none of them is called as. */
static json_t *highlight_params(const struct generating *g, const char *passage)
{
    const json_t *keys = json_object_get(g->d->definition, "key");
    json_t *params = json_array(), *key;
    struct sc_type plain;
    char query[MOST_TEXT] = "query";
    size_t i;

    json_array_foreach(keys, i, key)
    {
        const char *type = key_type(g, key), *name = document_text(key, "name");
        bool array = sc_type_parse(type, &plain) && plain.shape == SC_ARRAY;
        json_array_append_new(params, array ? pointer(name, type, "in") : in(name, type));
    }
    while (named(keys, query) && strlen(query) + 1 < sizeof(query))
        strcat(query, "_");
    json_array_append_new(params, in(query, "str"));
    json_array_append_new(params, pointer(named(keys, "passage") ? "passage_" : "passage", passage, "out"));
    return params;
}

static void add_highlights(struct generating *g)
{
    char name[MOST_TEXT], type[MOST_TEXT];
    json_t *field;
    size_t i;

    snprintf(type, sizeof(type), "%s_passage", g->d->name);
    json_array_foreach(json_object_get(g->d->definition, "fields"), i, field)
    {
        if (strcmp(document_text(field, "as"), "text") != 0)
            continue;
        snprintf(name, sizeof(name), "%s_highlight_%s", g->d->name, document_text(field, "name"));
        add_method(g, name, "highlight", document_text(field, "name"), highlight_params(g, type),
                   "All of this text of a record, as the index has it, with what `query` finds in it marked. "
                   "CELL_NOT_FOUND: the record is not in the index.",
                   NULL);
    }
}

static json_t *near_params(const char *vector, const char *hits)
{
    return json_pack("[o, o, o, o]", pointer("vector", vector, "in"), in("k", "u32"), in("query", "str"),
                     pointer("hits", hits, "out"));
}

static void add_vector(struct generating *g, const json_t *field, bool only)
{
    const char *of = document_text(field, "name"), *type = document_text(field, "type"), *end = only ? "" : of;
    const char *between = only ? "" : "_";
    char name[MOST_TEXT], words[MOST_TEXT], hits[MOST_TEXT];

    snprintf(hits, sizeof(hits), "%s_hits", g->d->name);
    snprintf(words, sizeof(words), "%s_similar_words%s%s", g->d->name, between, end);
    add_method(
        g, words, "similar_words", NULL, near_params(type, hits),
        "What `query` finds by its words, at most `k`; `vector` is not looked at. It takes the place of what needs "
        "vectors where the cell has none.",
        NULL);
    snprintf(name, sizeof(name), "%s_similar%s%s", g->d->name, between, end);
    add_method(g, name, "similar", of, near_params(type, hits),
               "The `k` records whose vectors are the nearest to `vector`, nearest first, among what `query` finds "
               "(empty: all).",
               words);
    snprintf(name, sizeof(name), "%s_hybrid%s%s", g->d->name, between, end);
    add_method(g, name, "hybrid", of, near_params(type, hits),
               "The `k` best by the words of `query` and by nearness to `vector` together.", words);
}

/* All vectors of the declaration, also those that are not in the index for want of the capability. */
static size_t add_vectors(struct generating *g)
{
    json_t *field;
    struct sc_type type;
    size_t i, n = 0;

    for (int pass = 0; pass < 2; pass++)
        json_array_foreach(g->d->seen, i, field)
        {
            if (!sc_type_parse(document_text(field, "type"), &type) || type.shape != SC_ARRAY ||
                type.kind != CELL_KIND_F32)
                continue;
            if (pass == 0)
                n++;
            else
                add_vector(g, field, n == 1);
        }
    return n;
}

json_t *sc_vectors_capability(bool absent)
{
    char most[16];

    snprintf(most, sizeof(most), "%d", SEARCH_MOST_DIMENSIONS);
    json_t *capability =
        json_pack("{ss, ss, s{ss}}", "name", "vectors", "doc", SC_VECTORS_DOC, "params", "max_dimensions", most);
    if (absent)
        json_object_set_new(capability, "absent", json_true());
    return capability;
}

int sc_generate(struct sc_declared *declared, json_t *document, bool vectors)
{
    struct generating g = {
        .d = declared, .types = json_object_get(document, "types"), .methods = json_object_get(document, "methods")};

    add_types(&g);
    add_words_methods(&g);
    add_facets(&g);
    add_highlights(&g);
    if (add_vectors(&g) > 0 &&
        json_object_set_new(document, "capabilities", json_pack("[o]", sc_vectors_capability(!vectors))) < 0)
        g.failed = true;
    return g.failed ? CELL_NO_MEMORY : CELL_OK;
}
