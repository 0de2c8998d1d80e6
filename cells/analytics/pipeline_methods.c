/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The methods that tell of pipelines. */
#include "analytics.h"

#include "service.h"

static void describe(cell_ctx *c, struct an_part *part, bool building, struct analytics_pipeline *out)
{
    const struct an_definition *d = part->definition;

    an_part_lock(part);
    const struct an_progress *p = &part->progress;
    struct an_counters counters = {0};
    if (part->aggregator)
        counters = an_counters(part->aggregator);
    *out = (struct analytics_pipeline){.index = cell_ctx_copy(c, cell_strz(d->name)),
                                       .source = cell_ctx_printf(c, "%s.%s", d->source, d->stream),
                                       .building = building,
                                       .phase = (enum analytics_phase)p->phase,
                                       .position = part->place.position.sequence,
                                       .lag_records = p->lag,
                                       .lag_ms = p->lag_ms,
                                       .groups = counters.groups,
                                       .bytes = counters.bytes,
                                       .passed = counters.passed,
                                       .late = counters.late,
                                       .missed = part->place.missed,
                                       .snapshot = p->snapshot,
                                       .errors = p->errors,
                                       .error = cell_ctx_copy(c, cell_strz(p->error))};
    an_part_unlock(part);
}

int analytics_pipelines(cell_ctx *c, analytics_pipelines_list *pipelines)
{
    struct an_service *s = cell_ctx_user(c);
    struct analytics_pipeline *all = cell_ctx_alloc(c, 2 * AN_MOST_WATCHES * sizeof(*all));
    struct an_part *part;
    uint32_t n = 0;
    bool building;

    if (!all)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    for (; n < 2 * AN_MOST_WATCHES && (part = an_part_at(s, n, &building)); n++) {
        describe(c, part, building, &all[n]);
        an_part_give(part);
    }
    *pipelines = (analytics_pipelines_list){n ? all : NULL, n};
    return CELL_OK;
}

int analytics_drop(cell_ctx *c, cell_str name)
{
    struct an_service *s = cell_ctx_user(c);
    char text[AN_MOST_NAME + 1] = "";
    struct an_failure f = {0};

    if (name.len <= AN_MOST_NAME && name.len > 0)
        memcpy(text, name.ptr, name.len);
    pthread_mutex_lock(&s->apply);
    int r = an_service_drop(s, text, &f);
    pthread_mutex_unlock(&s->apply);
    return r < 0 ? cell_fail(c, r, "%s", f.text) : CELL_OK;
}
