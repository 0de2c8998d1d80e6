/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The methods that tell of pipelines. */
#include "analytics.h"

#include "show.h"

static struct analytics_pipeline describe(cell_ctx *c, const struct an_summary *s)
{
    return (struct analytics_pipeline){.index = cell_ctx_copy(c, cell_strz(s->name)),
                                       .source = cell_ctx_copy(c, cell_strz(s->source)),
                                       .building = s->building,
                                       .phase = (enum analytics_phase)s->phase,
                                       .position = s->position,
                                       .lag_records = s->lag_records,
                                       .lag_ms = s->lag_ms,
                                       .groups = s->counters.groups,
                                       .bytes = s->counters.bytes,
                                       .passed = s->counters.passed,
                                       .late = s->counters.late,
                                       .missed = s->missed,
                                       .snapshot = s->snapshot,
                                       .errors = s->errors,
                                       .error = cell_ctx_copy(c, cell_strz(s->error))};
}

int analytics_pipelines(cell_ctx *c, analytics_pipelines_list *pipelines)
{
    struct an_service *s = cell_ctx_user(c);
    struct analytics_pipeline *all = cell_ctx_alloc(c, 2 * AN_MOST_WATCHES * sizeof(*all));
    struct an_summary summary;
    struct an_part *part;
    uint32_t n = 0;
    bool building;

    if (!all)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    for (; n < 2 * AN_MOST_WATCHES && (part = an_part_at(s, n, &building)); n++) {
        an_summarize(part, building, &summary);
        an_part_give(part);
        all[n] = describe(c, &summary);
    }
    *pipelines = (analytics_pipelines_list){n ? all : NULL, n};
    return CELL_OK;
}

/* "" when it is longer than any name. */
static void take_name(cell_str name, char text[AN_MOST_NAME + 1])
{
    memset(text, 0, AN_MOST_NAME + 1);
    if (name.len <= AN_MOST_NAME && name.len > 0)
        memcpy(text, name.ptr, name.len);
}

static int give_table(cell_ctx *c, const struct an_table *from, struct analytics_table *table)
{
    const uint32_t n = from->columns->ncolumns;
    struct analytics_column *columns = cell_ctx_alloc(c, n * sizeof(*columns));
    cell_str *values = cell_ctx_alloc(c, ((size_t)from->rows * n + 1) * sizeof(*values));
    char *texts = cell_ctx_alloc(c, from->size + 1);

    if (!columns || !values || !texts)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < n; i++)
        columns[i] = (struct analytics_column){cell_ctx_copy(c, cell_strz(from->columns->columns[i].name)),
                                               cell_ctx_copy(c, cell_strz(an_table_type(from, i))),
                                               cell_ctx_copy(c, cell_strz(an_table_as(from, i)))};
    if (from->size > 0)
        memcpy(texts, from->values, from->size);
    for (size_t i = 0; i < (size_t)from->rows * n; i++, texts += values[i - 1].len + 1)
        values[i] = cell_strz(texts);
    *table = (struct analytics_table){.pipeline = describe(c, &from->summary),
                                      .by = cell_ctx_copy(c, cell_strz(from->by)),
                                      .window_us = from->window_us,
                                      .columns = {columns, n},
                                      .values = {values, (uint64_t)from->rows * n}};
    return CELL_OK;
}

int analytics_top(cell_ctx *c, cell_str name, cell_str by, uint32_t limit, struct analytics_table *table)
{
    char aggregate[AN_MOST_NAME + 1], field[AN_MOST_NAME + 1];
    struct an_failure f = {0};
    struct an_table made;

    take_name(name, aggregate);
    take_name(by, field);
    if (by.len > 0 && !field[0])
        return cell_fail(c, CELL_INVALID_ARGUMENT, "'by' is no name of a field");
    int r = an_table_make(cell_ctx_user(c), aggregate, field, limit, &made, &f);
    if (r < 0)
        return cell_fail(c, r, "%s", f.text);
    r = give_table(c, &made, table);
    an_table_free(&made);
    return r;
}

int analytics_drop(cell_ctx *c, cell_str name)
{
    struct an_service *s = cell_ctx_user(c);
    char text[AN_MOST_NAME + 1];
    struct an_failure f = {0};

    take_name(name, text);
    pthread_mutex_lock(&s->apply);
    int r = an_service_drop(s, text, &f);
    pthread_mutex_unlock(&s->apply);
    return r < 0 ? cell_fail(c, r, "%s", f.text) : CELL_OK;
}
