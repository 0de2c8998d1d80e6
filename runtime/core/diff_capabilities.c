/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What changed in what a cell can do, and in what its methods need of that. Both lists are sorted by name. */
#include <string.h>

#include "core/diff_impl.h"

static const struct schema_capability_param *find_param(const struct schema_capability *c, const char *name)
{
    for (uint32_t i = 0; i < c->nparams; i++)
        if (strcmp(c->params[i].name, name) == 0)
            return &c->params[i];
    return NULL;
}

static void diff_params(struct diff_work *w, const struct schema_capability *before,
                        const struct schema_capability *after)
{
    for (uint32_t i = 0; i < before->nparams; i++) {
        const struct schema_capability_param *old = &before->params[i], *now = find_param(after, old->name);
        struct diff_change c = {.owner = before->name, .member = old->name, .before = old->value};
        if (!now) {
            c.before = NULL;
            diff_add(w, DIFF_CAPABILITY_PARAM_REMOVED, &c);
        } else if (strcmp(old->value, now->value) != 0) {
            c.now = now->value;
            diff_add(w, DIFF_CAPABILITY_PARAM_CHANGED, &c);
        }
    }
    for (uint32_t i = 0; i < after->nparams; i++)
        if (!find_param(before, after->params[i].name))
            diff_add(w, DIFF_CAPABILITY_PARAM_ADDED,
                     &(struct diff_change){.owner = before->name, .member = after->params[i].name});
}

void diff_capabilities(struct diff_work *w)
{
    for (uint32_t i = 0; i < w->before->ncapabilities && !w->failed; i++) {
        const struct schema_capability *old = &w->before->capabilities[i];
        const struct schema_capability *now = cell_schema_capability(w->after, old->name);
        const struct diff_change c = {.owner = old->name};
        if (!now) {
            diff_add(w, DIFF_CAPABILITY_REMOVED, &c);
            continue;
        }
        if (old->absent != now->absent)
            diff_add(w, now->absent ? DIFF_CAPABILITY_LOST : DIFF_CAPABILITY_GAINED, &c);
        diff_params(w, old, now);
    }
}

void diff_new_capabilities(struct diff_work *w)
{
    for (uint32_t i = 0; i < w->after->ncapabilities; i++)
        if (!cell_schema_capability(w->before, w->after->capabilities[i].name))
            diff_add(w, DIFF_CAPABILITY_ADDED, &(struct diff_change){.owner = w->after->capabilities[i].name});
}

/* "'vector_hnsw', 'facets'", or "nothing"; in the memory of one method's comparison. */
static const char *needs_text(struct diff_work *w, const struct schema_method *m)
{
    struct cell_buffer b = {0};
    for (uint32_t i = 0; i < m->nneeds; i++)
        cell_buffer_printf(&b, "%s'%s'", i ? ", " : "", m->needs[i]);
    const char *text = m->nneeds == 0       ? "nothing"
                       : cell_buffer_ok(&b) ? cell_arena_copy(&w->scratch, b.data, b.len)
                                            : NULL;
    cell_buffer_free(&b);
    w->failed |= !text;
    return text ? text : "";
}

static bool same_needs(const struct schema_method *a, const struct schema_method *b)
{
    bool same = a->nneeds == b->nneeds;
    for (uint32_t i = 0; same && i < a->nneeds; i++)
        same = strcmp(a->needs[i], b->needs[i]) == 0;
    return same;
}

/* A call that could be made before, of the method or in its place, and cannot now. */
static unsigned unserved(const struct diff_work *w, const struct schema_method *before,
                         const struct schema_method *after)
{
    return cell_schema_served(w->before, before) && !cell_schema_served(w->after, after) ? DIFF_SOURCE : 0u;
}

void diff_needs(struct diff_work *w, const struct schema_method *before, const struct schema_method *after)
{
    if (!same_needs(before, after)) {
        const char *old = needs_text(w, before), *now = needs_text(w, after);
        diff_add_as(w, DIFF_NEEDS_CHANGED, unserved(w, before, after), NULL,
                    &(struct diff_change){.owner = before->name, .before = old, .now = now});
    }
    if ((before->fallback == NULL) != (after->fallback == NULL) ||
        (before->fallback && strcmp(before->fallback, after->fallback) != 0))
        diff_add_as(w, DIFF_FALLBACK_CHANGED, unserved(w, before, after), NULL,
                    &(struct diff_change){.owner = before->name,
                                          .before = before->fallback ? before->fallback : "none",
                                          .now = after->fallback ? after->fallback : "none"});
}
