/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The types and methods that a program gets for its aggregate. */
#include <stdio.h>
#include <stdlib.h>

#include "common/document.h"
#include "declare.h"

#define MOST_TEXT 200

struct generating {
    struct an_declared *d;
    json_t *types, *methods;
    bool windowed, failed; /* failed: memory was short */
    char page[MOST_TEXT], rows[MOST_TEXT];
};

/* Names are the program's to give first. */
static bool is_free(struct generating *g, const char *name)
{
    const json_t *types = json_object_get(g->d->declaration, "types");
    bool taken = strcmp(name, g->d->name) == 0 || document_find(types, "name", name);

    if (taken)
        an_say(g->d, "error", NULL, "the program has a '%s' of its own already, which belongs to aggregate '%s'", name,
               g->d->name);
    return !taken;
}

static void add_types(struct generating *g)
{
    json_t *fields =
        json_pack("[{ss, ss, si, ss}, {ss, ss, si, ss}, {ss, ss, si, ss}]", "name", "rows", "type", g->rows, "offset",
                  0, "doc", "In no order.", "name", "next", "type", "u64", "offset", 16, "doc",
                  "The cursor of the page behind this one; 0 when there is none.", "name", "position", "type", "u64",
                  "offset", 24, "doc", "Records of the source before this sequence are counted.");
    json_t *list =
        json_pack("{ss, ss, ss, si, si}", "name", g->rows, "kind", "list", "of", g->d->name, "size", 16, "align", 8);
    json_t *page = json_pack("{ss, ss, si, si, ss, so}", "name", g->page, "kind", "struct", "size", 32, "align", 8,
                             "doc", "A page of groups.", "fields", fields);

    if (is_free(g, g->rows) && json_array_append(g->types, list) < 0)
        g->failed = true;
    if (is_free(g, g->page) && json_array_append(g->types, page) < 0)
        g->failed = true;
    json_decref(list);
    json_decref(page);
}

/* ---- methods ---- */

static void param(json_t *params, const char *name, const char *type, const char *dir, const char *flag)
{
    json_t *p = json_pack("{ss, ss, ss}", "name", name, "type", type, "dir", dir);

    if (flag)
        json_object_set_new(p, flag, json_true());
    json_array_append_new(params, p);
}

static void add_method(struct generating *g, const char *end, const char *op, const char *field, json_t *params,
                       const char *doc)
{
    char name[2 * MOST_TEXT];
    json_t *binding = json_pack("{si, ss, ss}", "v", 1, "name", g->d->name, "op", op);
    size_t at = 0;

    snprintf(name, sizeof(name), "%s_%s%s%s", g->d->name, end, field ? "_" : "", field ? field : "");
    if (field)
        json_object_set_new(binding, "field", json_string(field));
    char *text = binding ? json_dumps(binding, JSON_COMPACT) : NULL;
    json_t *method = text ? json_pack("{ss, ss, sb, sO, ss}", "name", name, "doc", doc, "idempotent", 1, "params",
                                      params, "binding", text)
                          : NULL;
    while (at < json_array_size(g->methods) && strcmp(document_text(json_array_get(g->methods, at), "name"), name) < 0)
        at++;
    if (strlen(name) > 120)
        an_say(g->d, "error", NULL, "the name '%s' of a function would be too long", name);
    else if (is_free(g, name) && (!method || json_array_insert(g->methods, at, method) < 0))
        g->failed = true;
    json_decref(method);
    json_decref(params);
    json_decref(binding);
    free(text);
}

static void at_us(const struct generating *g, json_t *params)
{
    if (g->windowed)
        param(params, "at_us", "i64", "in", NULL);
}

/* The type of a field as the program wrote it, so that an enum stays one. */
static const char *own_type(const struct generating *g, const char *name)
{
    const json_t *fields = json_object_get(json_object_get(g->d->declaration, "type"), "fields");

    return document_text(document_find(fields, "name", name), "type");
}

static void add_get(struct generating *g)
{
    json_t *params = json_array(), *column;
    size_t i;

    json_array_foreach(json_object_get(g->d->definition, "columns"), i, column)
    {
        const char *name = document_text(column, "name"), *type = own_type(g, name);
        if (strcmp(document_text(column, "as"), "group") == 0)
            param(params, name, type, "in", strchr(type, '[') ? "pointer" : NULL);
    }
    at_us(g, params);
    param(params, "row", g->d->name, "out", "pointer");
    add_method(g, "get", "get", NULL, params,
               "A group. CELL_NOT_FOUND: it has no records. CELL_OUT_OF_RANGE: a sum does not fit into its field. With "
               "windows: of the one that ends soonest after `at_us`, of the newest for INT64_MAX.");
}

static void add_lists(struct generating *g)
{
    json_t *params = json_array(), *column;
    size_t i;

    param(params, "cursor", "u64", "in", NULL);
    param(params, "limit", "u32", "in", NULL);
    at_us(g, params);
    param(params, "page", g->page, "out", "pointer");
    add_method(g, "scan", "scan", NULL, params,
               "All groups, in pages of at most `limit` (0: 100, at most 10,000). `cursor` is 0, or `next` of the page "
               "before. Groups that come meanwhile are in later pages.");
    json_array_foreach(json_object_get(g->d->definition, "columns"), i, column)
    {
        const char *as = document_text(column, "as");
        if (strcmp(as, "group") == 0 || strcmp(as, "window") == 0)
            continue;
        params = json_array();
        param(params, "limit", "u32", "in", NULL);
        at_us(g, params);
        param(params, "rows", g->rows, "out", "pointer");
        add_method(g, "top", "top", document_text(column, "name"), params,
                   "The groups with the most of this, the most first: `limit` of them (0: 10, at most 10,000).");
    }
    params = json_array();
    param(params, "all", "bool", "in", NULL);
    param(params, "rows", g->d->name, "out", "stream");
    add_method(
        g, "watch", "watch", NULL, params,
        "Groups as they change, with `all` first those that there are; until the client has enough. A group that "
        "changes often comes as it is in between. CELL_ABORTED: the aggregate was built anew, watch it again.");
}

int an_generate(struct an_declared *declared, json_t *document)
{
    struct generating g = {.d = declared,
                           .types = json_object_get(document, "types"),
                           .methods = json_object_get(document, "methods"),
                           .windowed = json_integer_value(json_object_get(declared->definition, "slide_us")) > 0};

    snprintf(g.page, sizeof(g.page), "%s_page", declared->name);
    snprintf(g.rows, sizeof(g.rows), "%s_rows", declared->name);
    add_types(&g);
    add_get(&g);
    add_lists(&g);
    return g.failed ? CELL_NO_MEMORY : CELL_OK;
}
