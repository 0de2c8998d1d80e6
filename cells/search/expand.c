/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What compilers ask: what a struct with CELL_SEARCH becomes, and that it does. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/plan.h"

#include "declare.h"

/* For what a file needs, and for what only says whether an earlier answer holds. */
#define MOST_CHECK_MS 30000
#define MOST_ASK_MS 1500

const char sc_verbs[] =
    "[{\"name\": \"index\", \"on\": [\"struct\"], "
    "\"args\": [{\"name\": \"name\", \"type\": \"string\", \"required\": true}, "
    "{\"name\": \"source\", \"type\": \"string\", \"required\": true}, "
    "{\"name\": \"language\", \"type\": \"string\", \"default\": \"none\"}, "
    "{\"name\": \"all_words\", \"type\": \"integer\", \"default\": \"0\"}, "
    "{\"name\": \"stop_words\", \"type\": \"string\", \"default\": \"\"}], "
    "\"doc\": \"Records of the source, a collection of a cell, are indexed by the fields of this struct, and their "
    "changes are followed.\", "
    "\"field_rules\": [\"key\", \"keyword\", \"vector\", \"weight\"]}]";

/* ---- against the source ---- */

static bool same_fields(const struct sc_declared *d, const struct sc_definition *known)
{
    return json_equal(json_object_get(d->definition, "fields"), json_object_get(known->json, "fields")) &&
           strcmp(d->source, known->source) == 0 && strcmp(d->collection, known->collection) == 0;
}

/* What the source cannot say: from what it said before, or what the struct says itself. */
static void do_without(struct sc_declared *d, const struct sc_definition *known, bool answered, const char *why)
{
    const char *severity = answered ? "remark" : "warning"; /* what is to be made yet is nothing wrong */
    json_t *key = json_object_get(d->definition, "key");

    if (known && same_fields(d, known)) {
        json_array_extend(key, json_object_get(known->json, "key"));
        sc_say(d, severity, "source", "%s: the fields are compared with what it was before", why);
    } else if (json_array_size(d->own_key) > 0) {
        json_array_extend(key, d->own_key);
        sc_say(d, severity, "source", "%s: the fields are compared with it when records are read", why);
    } else {
        sc_say(d, "error", "source",
               "%s; with CELL_KEY behind the fields that are its key an index can be declared all the same", why);
    }
}

static void check_source(struct sc_declared *d, const struct sc_definition *known, uint32_t timeout_ms)
{
    struct sc_source_status status = {.found = false};
    struct search_failure f;
    char why[400];
    int r = sc_source_ask(d->source, d->collection, timeout_ms, &status, &f);

    if (r >= 0 && status.found) {
        sc_declare_check(d, &status, known);
    } else {
        if (r < 0)
            snprintf(why, sizeof(why), "cell '%s' does not tell what '%s' is: %s", d->source, d->collection, f.text);
        else
            snprintf(why, sizeof(why), "cell '%s' has no collection '%s' yet", d->source, d->collection);
        do_without(d, known, r >= 0, why);
    }
    sc_source_status_free(&status);
}

/* ---- plans ---- */

static void list_names(const json_t *fields, char *text, size_t size)
{
    json_t *field;
    size_t i;

    text[0] = '\0';
    json_array_foreach(fields, i, field)
    {
        size_t at = strlen(text);
        snprintf(text + at, size - at, "%s%s", i ? ", " : "", json_string_value(json_object_get(field, "name")));
    }
}

/* One step for each field that comes, goes or changes. */
static void compare_fields(const struct sc_declared *d, const json_t *before, const json_t *now, json_t *steps)
{
    char text[400];
    json_t *field;
    size_t i;

    json_array_foreach(now, i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));
        const json_t *was = document_find(before, "name", name);
        snprintf(text, sizeof(text), "%s field '%s' %s index '%s'", was ? "change" : "add", name, was ? "of" : "to",
                 d->name);
        if (!was || !json_equal(was, field))
            plan_step(steps, was ? "change-field" : "add-field", "", text);
    }
    json_array_foreach(before, i, field)
    {
        const char *name = json_string_value(json_object_get(field, "name"));
        snprintf(text, sizeof(text), "take field '%s' out of index '%s'", name, d->name);
        if (!document_find(now, "name", name))
            plan_step(steps, "drop-field", "programs that look for it are refused", text);
    }
}

/* Without the capability an index may keep the vectors that it has. */
static bool is_same(const struct sc_service *s, const struct sc_declared *d, const struct sc_definition *known)
{
    if (json_equal(d->definition, known->json))
        return true;
    if (s->vectors)
        return false;
    json_t *without = json_deep_copy(known->json), *fields = json_object_get(without, "fields");
    for (size_t i = json_array_size(fields); i-- > 0;) {
        const char *as = json_string_value(json_object_get(json_array_get(fields, i), "as"));
        if (as && strcmp(as, "vector") == 0)
            json_array_remove(fields, i);
    }
    bool same = json_equal(without, d->definition);
    json_decref(without);
    return same;
}

/* Empty: nothing is to be done. */
static json_t *make_steps(struct sc_service *s, const struct sc_declared *d, const struct sc_definition *known)
{
    const json_t *fields = json_object_get(d->definition, "fields");
    json_t *steps = json_array();
    char text[600], names[400];

    if (!known) {
        list_names(fields, names, sizeof(names));
        snprintf(text, sizeof(text), "make index '%s' of %s.%s: %s", d->name, d->source, d->collection, names);
        plan_step(steps, "create-index", "", text);
    } else if (!is_same(s, d, known)) {
        compare_fields(d, json_object_get(known->json, "fields"), fields, steps);
        bool moved = strcmp(known->source, d->source) != 0 || strcmp(known->collection, d->collection) != 0 ||
                     !json_equal(json_object_get(known->json, "key"), json_object_get(d->definition, "key"));
        snprintf(text, sizeof(text),
                 "build index '%s' of %s.%s again, in the background: what there is serves until it is complete",
                 d->name, d->source, d->collection);
        plan_step(steps, "rebuild-index",
                  moved ? "programs that were built before find another key, and are refused" : "", text);
    }
    return steps;
}

/* ---- expand ---- */

static json_t *resources_of(const struct sc_declared *d)
{
    json_t *resources = json_array(), *field;
    size_t i;

    json_array_foreach(json_object_get(d->definition, "fields"), i, field)
    {
        char text[256];
        snprintf(text, sizeof(text), "%s.%s", d->name, json_string_value(json_object_get(field, "name")));
        json_array_append_new(resources, json_string(text));
    }
    return resources;
}

static json_t *make_document(struct sc_service *s, struct sc_declared *d, const struct sc_definition *known)
{
    json_t *answer = json_pack("{ss, s[], s[], s[]}", "expansion", "cell.expansion/1", "types", "constants", "methods");
    json_t *steps = NULL;
    char id[PLAN_ID];

    if (!d->failed && sc_generate(d, answer, s->vectors) < 0) {
        json_decref(answer);
        return NULL;
    }
    if (d->failed) { /* an answer with errors has nothing else */
        json_array_clear(json_object_get(answer, "types"));
        json_array_clear(json_object_get(answer, "methods"));
        json_object_del(answer, "capabilities");
    } else {
        steps = make_steps(s, d, known);
        plan_id(steps, id);
        if (json_array_size(steps) > 0)
            json_object_set_new(answer, "plan", json_pack("{ss, sO}", "id", id, "steps", steps));
        json_object_set_new(answer, "resources", resources_of(d));
    }
    json_object_set(answer, "diagnostics", d->diagnostics);
    json_decref(steps);
    return answer;
}

int sc_expand(cell_ctx *c, cell_str request, cell_str *document)
{
    struct sc_service *s = cell_ctx_user(c);
    json_t *root = document_read(c, request), *answer = NULL;
    struct sc_declared d = {0};
    struct search_failure f = {0};

    if (!root)
        return CELL_INVALID_ARGUMENT;
    int r = sc_declare(root, s->vectors, &d, &f);
    if (r >= 0) {
        struct sc_definition *known = sc_service_declared(s, d.name);
        if (!d.failed)
            check_source(&d, known, plan_patience_ms(c, MOST_CHECK_MS));
        answer = make_document(s, &d, known);
        sc_definition_unref(known);
    }
    sc_declared_free(&d);
    json_decref(root);
    return r < 0 ? sc_answer_failure(c, &f) : document_answer(c, answer, document);
}

/* ---- state ---- */

/* Answers depend on the catalog and on what the sources are. */
static void make_token(struct sc_service *s, uint32_t timeout_ms, char token[65])
{
    struct sc_survey survey = {.n = 0};
    uint64_t hash = 0;

    for (uint32_t i = 0;; i++) {
        struct sc_source_status status;
        struct search_failure f;
        struct sc_definition *d = NULL;
        pthread_mutex_lock(&s->lock);
        struct sc_index *index = i < s->nindexes ? s->indexes[i] : NULL;
        if (index)
            d = sc_definition_ref((index->building ? index->building : index->serving)->definition);
        pthread_mutex_unlock(&s->lock);
        if (!d)
            break;
        hash *= UINT64_C(1099511628211);
        if (sc_survey_ask(&survey, d->source, d->collection, timeout_ms, &status, &f) >= 0) {
            hash ^= sc_source_hash(&status);
            sc_source_status_free(&status);
        }
        sc_definition_unref(d);
    }
    sc_survey_end(&survey);
    snprintf(token, 65, "%s.%" PRIu64 ".%016" PRIx64, s->identity, sc_service_generation(s), hash);
}

int sc_state(cell_ctx *c, cell_str *token)
{
    char text[65];

    make_token(cell_ctx_user(c), plan_patience_ms(c, MOST_ASK_MS), text);
    *token = cell_ctx_copy(c, cell_strz(text));
    return token->ptr ? CELL_OK : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}

/* ---- apply ---- */

static int make_index(struct sc_service *s, const struct sc_declared *d, struct search_failure *f)
{
    struct sc_definition *definition = NULL;
    int r = sc_definition_read(d->definition, &definition, f);

    if (r >= 0)
        r = sc_service_declare(s, definition, f);
    sc_definition_unref(definition);
    return r;
}

static int carry_out(struct sc_service *s, const json_t *request, int number, uint32_t timeout_ms, json_t *applied,
                     json_t **failed, struct search_failure *f)
{
    struct sc_declared d = {0};
    char id[PLAN_ID] = "";
    size_t nsteps = 0;
    int r = sc_declare(request, s->vectors, &d, f);

    if (r < 0)
        return r;
    struct sc_definition *known = sc_service_declared(s, d.name);
    if (!d.failed)
        check_source(&d, known, timeout_ms);
    json_t *steps = d.failed ? NULL : make_steps(s, &d, known);
    nsteps = json_array_size(steps);
    if (d.failed)
        *failed = plan_failed_diagnostic(d.diagnostics, number);
    else if (nsteps > 0 && (s->plan_only || (s->additive_only && plan_has_hazard(steps))))
        *failed = plan_failed(number, "the search cell's policy does not allow this (--policy)");
    else if (nsteps > 0)
        r = make_index(s, &d, f);
    if (*failed || r < 0)
        nsteps = 0;
    if (nsteps > 0)
        plan_id(steps, id);
    json_array_append_new(applied, json_pack("{ss, si}", "id", id, "steps", (int)nsteps));
    json_decref(steps);
    sc_definition_unref(known);
    sc_declared_free(&d);
    return r;
}

int sc_apply(cell_ctx *c, cell_str request, cell_str *reply)
{
    struct sc_service *s = cell_ctx_user(c);
    json_t *root = document_read(c, request), *requests = json_object_get(root, "requests"), *one, *failed = NULL;
    json_t *applied = json_array();
    struct search_failure f = {0};
    char token[65];
    size_t i;
    int r = CELL_OK;

    if (!root || !json_is_array(requests)) {
        json_decref(root);
        json_decref(applied);
        return cell_fail(c, CELL_INVALID_ARGUMENT, "the request has no \"requests\"");
    }
    uint64_t generation = sc_service_generation(s);
    pthread_mutex_lock(&s->apply);
    json_array_foreach(requests, i, one) if (r >= 0 && !failed) r =
        carry_out(s, one, (int)i, plan_patience_ms(c, MOST_CHECK_MS), applied, &failed, &f);
    pthread_mutex_unlock(&s->apply);
    if (sc_service_generation(s) != generation)
        cell_server_unbind(cell_ctx_server(c));
    json_t *answer = json_pack("{so}", "applied", applied);
    make_token(s, plan_patience_ms(c, MOST_ASK_MS), token);
    json_object_set_new(answer, "state", json_string(token));
    if (failed)
        json_object_set_new(answer, "failed", failed);
    json_decref(root);
    if (r >= 0)
        return document_answer(c, answer, reply);
    json_decref(answer);
    return sc_answer_failure(c, &f);
}
