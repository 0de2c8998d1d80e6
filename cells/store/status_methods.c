/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The method that tells what there is. */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>

#include "service.h"

static const char *type_of(cell_ctx *c, const struct st_field *field)
{
    const char *kind = st_kind_name(field->kind);
    cell_str text;

    if (field->shape == ST_PLAIN)
        return kind;
    if (field->shape == ST_ARRAY)
        text = cell_ctx_printf(c, "%s[%u]", kind, field->count);
    else
        text = cell_ctx_printf(c, "%s<%s>", st_shape_name((enum st_shape)field->shape), kind);
    return text.ptr ? text.ptr : kind;
}

static cell_str copy(cell_ctx *c, const char *text) { return cell_ctx_copy(c, cell_strz(text)); }

static bool give_fields(cell_ctx *c, const struct st_schema *schema, store_fields *fields)
{
    struct store_field *all = cell_ctx_alloc(c, (schema->record.n + 1) * sizeof(*all));

    if (!all)
        return false;
    for (uint32_t i = 0; i < schema->record.n; i++) {
        const struct st_field *field = &schema->record.fields[i];
        all[i] = (struct store_field){.name = copy(c, field->name), .type = cell_strz(type_of(c, field))};
        for (uint32_t k = 0; k < schema->nkey; k++)
            all[i].key = all[i].key || schema->key[k] == field;
    }
    *fields = (store_fields){all, schema->record.n};
    return true;
}

static bool give_index(cell_ctx *c, struct st_engine *engine, struct st_collection *of, const struct st_index *index,
                       struct store_index *out)
{
    cell_str *names = cell_ctx_alloc(c, (index->n + 1) * sizeof(*names));
    struct st_progress progress;

    if (!names)
        return false;
    for (uint32_t i = 0; i < index->n; i++)
        names[i] = copy(c, index->fields[i]->name);
    st_background_progress(engine, of, index->name, &progress);
    *out = (struct store_index){.name = copy(c, index->name),
                                .fields = {names, index->n},
                                .unique = index->unique,
                                .state = (enum store_index_state)index->state,
                                .done = progress.done,
                                .all = progress.all,
                                .problem = copy(c, index->problem ? index->problem : "")};
    return true;
}

static int give_collection(cell_ctx *c, const struct st_view *view, struct st_collection *of,
                           struct store_collection *out, struct st_failure *f)
{
    struct st_schema *schema = st_collection_schema(of);
    struct store_index *indexes = cell_ctx_alloc(c, (schema->nindexes + 1) * sizeof(*indexes));
    struct st_progress progress;
    struct st_stat stat = {0};
    bool all = indexes && give_fields(c, schema, &out->fields);
    int r = st_view_stat(view, of, &stat, f);

    for (uint32_t i = 0; all && i < schema->nindexes; i++)
        all = give_index(c, view->engine, of, &schema->indexes[i], &indexes[i]);
    st_background_progress(view->engine, of, NULL, &progress);
    out->name = copy(c, schema->name);
    out->indexes = (store_indexes){indexes, schema->nindexes};
    out->count = stat.count;
    out->position = stat.last;
    out->oldest_position = stat.first - 1;
    out->feed_bytes = stat.feed_bytes;
    out->rewriting = progress.running;
    out->rewritten = progress.done;
    st_schema_unref(schema);
    return r < 0 || all ? r : st_fail(f, CELL_NO_MEMORY, "out of memory");
}

int store_status(cell_ctx *c, struct store_contents *contents)
{
    struct st_service *s = cell_ctx_user(c);
    struct st_collection *of;
    struct st_view view;
    struct st_failure f = {0};
    size_t n = 0;

    while (st_collection_at(s->engine, n))
        n++;
    struct store_collection *all = cell_ctx_alloc(c, (n + 1) * sizeof(*all));
    if (!all)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    int r = st_view_begin(s->engine, NULL, &view, &f);
    if (r < 0)
        return st_answer_failure(c, &f);
    for (size_t i = 0; r >= 0 && i < n && (of = st_collection_at(s->engine, i)); i++)
        r = give_collection(c, &view, of, &all[i], &f);
    st_view_end(&view);
    *contents = (struct store_contents){copy(c, st_engine_identity(s->engine)), {all, n}};
    return r < 0 ? st_answer_failure(c, &f) : CELL_OK;
}
