/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "generate_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A method's beginning: its parameters are added, then it goes into the document. */
struct making {
    struct generating *g;
    const char *name, *doc, *op;
    json_t *params, *index;
    bool repeatable; /* idempotent */
};

/* ---- methods ---- */

static bool begin(struct generating *g, struct making *m, const char *op, const char *name, const char *doc)
{
    *m = (struct making){.g = g, .name = name, .doc = doc, .op = op, .params = json_array()};
    if (strlen(name) <= 120 && gen_is_free(g, name))
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
        if (!gen_seen_type(m->g, field, &seen))
            continue;
        if (seen.shape == ST_ARRAY)
            param(m, field, gen_print(m->g, "%s[%u]", seen.base, seen.count), "in", true);
        else
            param(m, field, gen_print(m->g, "%s", seen.base), "in", false);
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
            return free_name(g, names, gen_print(g, "%s_", wanted));
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
    while (at < json_array_size(g->methods) && strcmp(gen_text(json_array_get(g->methods, at), "name"), m->name) < 0)
        at++;
    if (!method || json_array_insert_new(g->methods, at, method) < 0)
        g->failed = true;
    free(text);
    json_decref(binding);
}

static void add_writes(struct generating *g)
{
    struct making m;

    if (begin(g, &m, "put", gen_print(g, "%s_put", g->d->name),
              "Puts the record, in the place of the one with its key. The result is 1 when there was none, else 0.")) {
        param(&m, "row", g->d->tag, "in", true);
        m.repeatable = true;
        end(&m);
    }
    if (begin(g, &m, "put_many", gen_print(g, "%s_put_many", g->d->name),
              "Puts the records, in their order: all of them or none. The result is how many there were not before.")) {
        param(&m, "rows", gen_rows_type(g), "in", false);
        m.repeatable = true;
        end(&m);
    }
    if (begin(g, &m, "delete", gen_print(g, "%s_delete", g->d->name),
              "Deletes the record with this key. CELL_NOT_FOUND when there is none.")) {
        value_params(&m, g->d->key);
        end(&m);
    }
    if (!g->d->version)
        return;
    if (begin(g, &m, "put_if", gen_print(g, "%s_put_if", g->d->name),
              gen_print(g,
                        "Puts the record when the one with its key still has the version that `%s` says; 0: when there "
                        "is none. Fills in the new version. CELL_ABORTED: it has another one. CELL_ALREADY_EXISTS: "
                        "there is one. CELL_NOT_FOUND: there is none.",
                        g->d->version))) {
        param(&m, "row", g->d->tag, "inout", true);
        end(&m);
    }
    if (begin(g, &m, "delete_if", gen_print(g, "%s_delete_if", g->d->name),
              gen_print(g,
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
    const char *of = index ? gen_text(index, "name") : NULL, *between = of ? "_by_" : "";
    json_t *fields = index ? json_object_get(index, "fields") : g->d->key;
    const char *range = gen_range_type(g, of, fields);
    struct making m;

    if (begin(g, &m, "scan", gen_print(g, "%s_scan%s%s", g->d->name, between, of ? of : ""),
              gen_print(g,
                        "The records in a range, in the order of %s. Each is as it is when it is sent; in a snapshot "
                        "they belong together.",
                        of ? of : "the key"))) {
        param(&m, "range", range, "in", true);
        stream(&m, "rows", g->d->tag);
        m.index = index ? fields : NULL;
        end(&m);
    }
    if (begin(
            g, &m, "list", gen_print(g, "%s_list%s%s", g->d->name, between, of ? of : ""),
            gen_print(g,
                      "A page of the records in a range, in the order of %s: at most `limit` (0: 100), and fewer when "
                      "they are large. The next one begins behind the last of them; an empty one is the end.",
                      of ? of : "the key"))) {
        param(&m, "range", range, "in", true);
        param(&m, "limit", "u32", "in", false);
        param(&m, "rows", gen_rows_type(g), "out", true);
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

    if (!begin(g, &m, unique ? "get" : "scan_equal", gen_print(g, "%s_by_%s", g->d->name, gen_text(index, "name")),
               gen_print(g,
                         unique ? "The record with this %s. CELL_NOT_FOUND when there is none."
                                : "The records with this %s, in the order of their keys.",
                         gen_text(index, "name"))))
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

    if (begin(g, &m, "get", gen_print(g, "%s_get", g->d->name),
              "The record with this key. CELL_NOT_FOUND when there is none.")) {
        value_params(&m, g->d->key);
        param(&m, free_name(g, g->d->key, "row"), g->d->tag, "out", true);
        m.repeatable = true;
        end(&m);
    }
    if (begin(g, &m, "count", gen_print(g, "%s_count", g->d->name), "How many records there are.")) {
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
    const char *change = gen_change_type(g), *view = gen_view_type(g);
    struct making m;

    if (begin(g, &m, "changes", gen_print(g, "%s_changes", g->d->name),
              "The changes behind position `after` (0: from the first on), in their order and without a gap. With "
              "`follow` it waits for more, else it ends with the last one. CELL_OUT_OF_RANGE: what comes behind that "
              "position is not kept any more, and a snapshot tells what there is; or the position is of another "
              "store.")) {
        param(&m, "after", "u64", "in", false);
        param(&m, "follow", "bool", "in", false);
        stream(&m, "changes", change);
        end(&m);
    }
    if (begin(g, &m, "snapshot", gen_print(g, "%s_snapshot", g->d->name),
              "Keeps what there is at this moment: calls that carry its token as metadata \"snapshot\" read that. It "
              "ends when nobody has read in it for `lease_ms` (0, or too much: the most that the cell gives).")) {
        param(&m, "lease_ms", "u32", "in", false);
        param(&m, "view", view, "out", true);
        end(&m);
    }
    if (begin(g, &m, "snapshot_end", gen_print(g, "%s_snapshot_end", g->d->name),
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
