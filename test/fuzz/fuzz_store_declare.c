/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: cells/store/bytes.c cells/store/schema.c cells/store/declare.c cells/store/plan.c cells/store/generate.c
/*
 * Declarations of collections, from whoever connects, on a catalog that may be damaged: {"request": …, "before": …}.
 * A plan's document is one that can be read, and planning once more finds nothing to do.
 */
#include <store/generate.h>

#include <stdlib.h>

#include "fuzz.h"

/* Where "space" is 0 the store gives numbers. */
static void give_spaces(json_t *document)
{
    json_t *index;
    size_t i;

    if (json_integer_value(json_object_get(document, "space")) == 0)
        json_object_set_new(document, "space", json_integer(1));
    json_array_foreach(json_object_get(document, "indexes"), i, index)
    {
        if (json_integer_value(json_object_get(index, "space")) == 0)
            json_object_set_new(index, "space", json_integer((json_int_t)i + 2));
    }
}

static void check_plan(const json_t *request, json_t *document)
{
    struct st_schema *schema = NULL;
    struct st_declared again;
    struct st_plan nothing;

    give_spaces(document);
    if (st_schema_read(document, &schema, NULL) < 0)
        abort();
    st_schema_unref(schema);
    if (st_declare(request, &again, NULL) < 0 || st_plan_make(&again, document, &nothing) < 0 || nothing.document)
        abort();
    st_plan_free(&nothing);
    st_declared_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    json_t *request = json_object_get(root, "request"), *before = json_object_get(root, "before");
    json_t *answer = json_pack("{s[], s[]}", "types", "methods");
    struct st_schema *schema = NULL;
    struct st_declared declared;
    struct st_plan plan;

    /* What the catalog has was read when the store was opened. */
    if (before && st_schema_read(before, &schema, NULL) < 0)
        before = NULL;
    st_schema_unref(schema);
    if (st_declare(request, &declared, NULL) >= 0) {
        if (st_plan_make(&declared, before, &plan) >= 0 && plan.document)
            check_plan(request, plan.document);
        st_plan_free(&plan);
        if (!declared.failed && st_generate(&declared, answer) < 0)
            abort();
        st_declared_free(&declared);
    }
    json_decref(answer);
    json_decref(root);
    return 0;
}
