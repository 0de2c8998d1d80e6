/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What compilers ask: what a struct with CELL_STORE becomes, and that it does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/plan.h"

#include "generate.h"
#include "service.h"

const char st_verbs[] =
    "[{\"name\": \"collection\", \"on\": [\"struct\"], "
    "\"args\": [{\"name\": \"name\", \"type\": \"string\", \"required\": true}], "
    "\"doc\": \"Records of this struct are kept under that name: the collection is made or changed to be as the struct "
    "says.\", "
    "\"field_rules\": [\"index\", \"key\", \"unique\", \"version\"], "
    "\"rules\": [\"dropped\", \"index\", \"primary_key\", \"unique_index\"]}]";

static const char *name_in(const json_t *request)
{
    return json_string_value(json_array_get(json_object_get(json_object_get(request, "annotation"), "args"), 0));
}

/* The collection's document as it will be when what is pending before the request has been carried out; NULL: none. */
static json_t *document_before(struct st_service *s, const json_t *request)
{
    const char *name = name_in(request);
    json_t *document = name && strlen(name) <= ST_MOST_NAME ? st_catalog_get(s->engine, name) : NULL, *one;
    size_t i;

    json_array_foreach(json_object_get(request, "pending"), i, one)
    {
        const char *other = name_in(one);
        struct st_declared declared;
        struct st_plan plan;
        if (!name || !other || strcmp(name, other) != 0 || st_declare(one, &declared, NULL) < 0)
            continue;
        if (st_plan_make(&declared, document, &plan) >= 0 && plan.document) {
            json_decref(document);
            document = json_incref(plan.document);
        }
        st_plan_free(&plan);
        st_declared_free(&declared);
    }
    return document;
}

/* What the program relies on: the collection's fields. */
static json_t *resources_of(const struct st_declared *d)
{
    json_t *resources = json_array(), *field;
    size_t i;

    json_array_foreach(d->fields, i, field)
    {
        char text[256];
        snprintf(text, sizeof(text), "%s.%s", d->name, json_string_value(json_object_get(field, "name")));
        json_array_append_new(resources, json_string(text));
    }
    return resources;
}

static int make_document(struct st_service *s, const json_t *request, struct st_declared *d, json_t **document,
                         struct st_failure *f)
{
    json_t *before = document_before(s, request);
    json_t *answer = json_pack("{ss, s[], s[], s[]}", "expansion", "cell.expansion/1", "types", "constants", "methods");
    struct st_plan plan = {0};
    int r = st_plan_make(d, before, &plan);

    json_decref(before);
    if (r >= 0 && !d->failed)
        r = st_generate(d, answer);
    if (r >= 0 && d->failed) { /* an answer with errors has nothing else */
        json_array_clear(json_object_get(answer, "types"));
        json_array_clear(json_object_get(answer, "methods"));
    }
    json_object_set(answer, "diagnostics", d->diagnostics);
    if (r >= 0 && !d->failed && plan.document)
        json_object_set_new(answer, "plan", json_pack("{ss, sO}", "id", plan.id, "steps", plan.steps));
    if (r >= 0 && !d->failed)
        json_object_set_new(answer, "resources", resources_of(d));
    st_plan_free(&plan);
    if (r < 0 || !answer) {
        json_decref(answer);
        return st_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    *document = answer;
    return CELL_OK;
}

int st_expand(cell_ctx *c, cell_str request, cell_str *document)
{
    struct st_service *s = cell_ctx_user(c);
    json_t *root = document_read(c, request), *answer = NULL;
    struct st_declared d = {0};
    struct st_failure f = {0};

    if (!root)
        return CELL_INVALID_ARGUMENT;
    int r = st_declare(root, &d, &f);
    if (r >= 0)
        r = make_document(s, root, &d, &answer, &f);
    st_declared_free(&d);
    json_decref(root);
    return r < 0 ? st_answer_failure(c, &f) : document_answer(c, answer, document);
}

/* Answers depend on the catalog. */
int st_state(cell_ctx *c, cell_str *token)
{
    struct st_service *s = cell_ctx_user(c);
    char text[ST_TOKEN_SIZE];

    st_engine_stamp(s->engine, text);
    *token = cell_ctx_copy(c, cell_strz(text));
    return token->ptr ? CELL_OK : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}

/* ---- carrying out ---- */

static bool policy_allows(const struct st_service *s, const struct st_plan *plan)
{
    return s->policy == ST_POLICY_APPLY || (s->policy == ST_POLICY_ADDITIVE && !plan_has_hazard(plan->steps));
}

/* With the catalog locked: the plan is made of what is there, and holds when this returns. */
static int carry_out(struct st_service *s, const json_t *request, int number, json_t *applied, json_t **failed,
                     struct st_failure *f)
{
    struct st_declared d = {0};
    struct st_plan plan = {0};
    int steps = 0, r = st_declare(request, &d, f);

    if (r < 0)
        return r;
    json_t *before = d.failed ? NULL : st_catalog_get(s->engine, d.name);
    r = st_plan_make(&d, before, &plan);
    json_decref(before);
    if (r < 0)
        r = st_fail(f, CELL_NO_MEMORY, "out of memory");
    else if (d.failed)
        *failed = plan_failed_diagnostic(d.diagnostics, number);
    else if (plan.document && !policy_allows(s, &plan))
        *failed = plan_failed(number, "the store's policy does not allow this (--policy)");
    else if (plan.document) {
        r = st_catalog_put(s->engine, plan.document, f);
        steps = r < 0 ? 0 : (int)json_array_size(plan.steps);
    }
    json_array_append_new(applied, json_pack("{ss, si}", "id", steps ? plan.id : "", "steps", steps));
    st_plan_free(&plan);
    st_declared_free(&d);
    return r;
}

/* An index that could not be built is a failure of who has wanted it. */
static json_t *failed_index(struct st_service *s, const json_t *requests)
{
    json_t *request, *failed = NULL;
    size_t i;

    json_array_foreach(requests, i, request)
    {
        const char *name = name_in(request);
        struct st_collection *collection = name ? st_collection_find(s->engine, name) : NULL;
        if (!collection || failed)
            continue;
        struct st_schema *schema = st_collection_schema(collection);
        for (uint32_t k = 0; k < schema->nindexes && !failed; k++) {
            const struct st_index *index = &schema->indexes[k];
            char text[700];
            snprintf(text, sizeof(text), "the index of %s of '%s' cannot be built: %s", index->name, name,
                     index->problem ? index->problem : "");
            if (index->state == ST_INDEX_FAILED)
                failed = plan_failed((int)i, text);
        }
        st_schema_unref(schema);
    }
    return failed;
}

/* Most of what is left of the call's time. Indexes go on being built after it. */
static int64_t patience_ms(cell_ctx *c)
{
    uint64_t left_ns = cell_ctx_remaining_ns(c);

    return left_ns == UINT64_MAX ? INT64_C(24) * 3600 * 1000 : (int64_t)(left_ns / 1000000) / 2;
}

int st_apply(cell_ctx *c, cell_str request, cell_str *reply)
{
    struct st_service *s = cell_ctx_user(c);
    json_t *root = document_read(c, request), *requests = json_object_get(root, "requests"), *one, *failed = NULL;
    json_t *applied = json_array();
    struct st_failure f = {0};
    char before[ST_TOKEN_SIZE], stamp[ST_TOKEN_SIZE];
    size_t i;
    int r = CELL_OK;

    if (!root || !json_is_array(requests)) {
        json_decref(root);
        json_decref(applied);
        return cell_fail(c, CELL_INVALID_ARGUMENT, "the request has no \"requests\"");
    }
    st_engine_stamp(s->engine, before);
    st_catalog_lock(s->engine);
    json_array_foreach(requests, i, one) if (r >= 0 && !failed) r = carry_out(s, one, (int)i, applied, &failed, &f);
    st_catalog_unlock(s->engine);
    if (r >= 0 && !failed && st_background_wait(s->engine, patience_ms(c)))
        failed = failed_index(s, requests);
    st_engine_stamp(s->engine, stamp);
    if (strcmp(before, stamp) != 0)
        cell_server_unbind(cell_ctx_server(c));
    json_t *answer = json_pack("{so}", "applied", applied);
    json_object_set_new(answer, "state", json_string(stamp));
    if (failed)
        json_object_set_new(answer, "failed", failed);
    json_decref(root);
    if (r >= 0)
        return document_answer(c, answer, reply);
    json_decref(answer);
    return st_answer_failure(c, &f);
}
