/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The methods that tell of pipelines. */
#include "search.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "service.h"

#define ASK_MS 500

/* A part that is looked at: it is not closed meanwhile. */
struct seen {
    struct sc_part *part;
    bool building;
    int64_t rebuilt_ms;
};

static uint32_t see(struct sc_service *s, struct seen *seen)
{
    uint32_t n = 0;

    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->nindexes; i++) {
        struct sc_part *const parts[] = {s->indexes[i]->serving, s->indexes[i]->building};
        for (int k = 0; k < 2; k++) {
            if (!parts[k])
                continue;
            pthread_mutex_lock(&parts[k]->lock);
            parts[k]->users++;
            pthread_mutex_unlock(&parts[k]->lock);
            seen[n++] = (struct seen){parts[k], k == 1, k == 1 ? 0 : s->indexes[i]->rebuilt_ms};
        }
    }
    pthread_mutex_unlock(&s->lock);
    return n;
}

static uint64_t count_documents(struct sc_service *s, const struct seen *seen, const struct sc_progress *progress)
{
    struct search_reader *reader;
    struct search_failure f;
    struct sc_part *part;
    uint64_t n = 0;

    if (seen->building) /* nobody reads it */
        return progress->scanned;
    if (sc_reader_take(s, seen->part->definition->name, &part, &reader, &f) < 0)
        return 0;
    search_count(reader, "", 0, &n, &f);
    sc_reader_give(part, reader);
    return n;
}

static void measure_lag(const struct sc_progress *p, const struct sc_source_status *status,
                        struct search_pipeline *pipeline)
{
    struct timespec t;
    uint64_t behind = status->position > p->position ? status->position - p->position : 0;

    if (p->phase == SC_SCANNING || p->position == 0)
        behind = status->count > p->scanned ? status->count - p->scanned : behind;
    pipeline->source_position = status->position;
    pipeline->source_records = status->count;
    pipeline->lag_records = behind;
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t now_us = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
    if (behind && p->at_us > 0 && now_us > p->at_us)
        pipeline->lag_ms = (uint64_t)(now_us - p->at_us) / 1000;
}

static void describe(cell_ctx *c, struct sc_service *s, const struct seen *seen, struct sc_survey *survey,
                     struct search_pipeline *out)
{
    const struct sc_definition *d = seen->part->definition;
    struct sc_source_status status = {.found = false};
    struct sc_progress p;
    struct search_failure f;
    /* First the source: an index that was looked at before it might seem behind. */
    int r = sc_survey_ask(survey, d->source, d->collection, ASK_MS, &status, &f);

    sc_part_progress(seen->part, &p);
    *out = (struct search_pipeline){.index = cell_ctx_copy(c, cell_strz(d->name)),
                                    .source = cell_ctx_printf(c, "%s.%s", d->source, d->collection),
                                    .building = seen->building,
                                    .phase = (enum search_phase)p.phase,
                                    .position = p.position,
                                    .documents = count_documents(s, seen, &p),
                                    .applied = p.applied,
                                    .refused = p.refused,
                                    .refusal = cell_ctx_copy(c, cell_strz(p.refusal)),
                                    .errors = p.errors,
                                    .error = cell_ctx_copy(c, cell_strz(p.error)),
                                    .rebuilt_ms = seen->rebuilt_ms};
    if (r >= 0)
        measure_lag(&p, &status, out);
    sc_source_status_free(&status);
}

int search_pipelines(cell_ctx *c, search_pipelines_list *pipelines)
{
    struct sc_service *s = cell_ctx_user(c);
    struct seen *seen = cell_ctx_alloc(c, 2 * SC_MOST_INDEXES * sizeof(*seen));
    struct search_pipeline *all = cell_ctx_alloc(c, 2 * SC_MOST_INDEXES * sizeof(*all));

    if (!seen || !all)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    struct sc_survey survey = {.n = 0};
    uint32_t n = see(s, seen);
    for (uint32_t i = 0; i < n; i++) {
        describe(c, s, &seen[i], &survey, &all[i]);
        sc_reader_give(seen[i].part, NULL);
    }
    sc_survey_end(&survey);
    *pipelines = (search_pipelines_list){n ? all : NULL, n};
    return CELL_OK;
}

int search_drop(cell_ctx *c, cell_str index)
{
    struct sc_service *s = cell_ctx_user(c);
    struct search_failure f = {0};
    char name[SC_MOST_NAME + 1] = "";

    if (index.len <= SC_MOST_NAME && index.len > 0)
        memcpy(name, index.ptr, index.len);
    pthread_mutex_lock(&s->apply);
    int r = sc_service_drop(s, name, &f);
    pthread_mutex_unlock(&s->apply);
    return r < 0 ? sc_answer_failure(c, &f) : CELL_OK;
}
