/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Plans of side effects and what becomes of them, as documents (docs/protocol.md, "Plans", "Apply"). Thread-safe. JSON
 * that is returned is a new reference, NULL when memory is short. */
#ifndef CELLS_COMMON_PLAN_H
#define CELLS_COMMON_PLAN_H

#include <inttypes.h>

#include "common/document.h"

#define PLAN_ID 33 /* bytes of a plan's id with its NUL */

/* Adds a step; `hazard` says what it harms, "" = nothing. */
static inline void plan_step(json_t *steps, const char *kind, const char *hazard, const char *text)
{
    json_array_append_new(steps, json_pack("{ss, ss, ss}", "text", text, "kind", kind, "hazard", hazard));
}

static inline bool plan_has_hazard(const json_t *steps)
{
    json_t *entry;
    size_t i;

    json_array_foreach(steps, i, entry)
    {
        const char *hazard = json_string_value(json_object_get(entry, "hazard"));
        if (hazard && *hazard)
            return true;
    }
    return false;
}

/* FNV-1a, twice: it is to be told from others, not to be safe from anybody. */
static inline void plan_id(const json_t *steps, char id[PLAN_ID])
{
    uint64_t h[2] = {UINT64_C(14695981039346656037), UINT64_C(1099511628211)};
    char *text = json_dumps(steps, JSON_COMPACT | JSON_SORT_KEYS);

    for (const char *c = text; c && *c; c++)
        for (int i = 0; i < 2; i++)
            h[i] = (h[i] ^ (uint8_t)*c) * UINT64_C(1099511628211);
    free(text);
    snprintf(id, PLAN_ID, "%016" PRIx64 "%016" PRIx64, h[0], h[1]);
}

/* Why the request of that number was not carried out, as "failed" of the reply. */
static inline json_t *plan_failed(int request, const char *text)
{
    return json_pack("{si, ss}", "request", request, "text", text);
}

/* The same of the first error among the diagnostics; NULL also when there is none. */
static inline json_t *plan_failed_diagnostic(const json_t *diagnostics, int request)
{
    json_t *failed = json_copy((json_t *)(uintptr_t)document_find(diagnostics, "severity", "error"));

    json_object_del(failed, "severity");
    if (failed)
        json_object_set_new(failed, "request", json_integer(request));
    return failed;
}

/* Half of what the compilation has left, at most `most`: for asking another cell, so that an answer can still be made
 * without it. At least 1. */
static inline uint32_t plan_patience_ms(cell_ctx *c, uint32_t most)
{
    uint64_t half = cell_ctx_remaining_ns(c) / 2000000;

    return half < 1 ? 1 : half < most ? (uint32_t)half : most;
}

#endif
