/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What compilers ask: what a struct with CELL_WATCH becomes, and that it does. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/plan.h"
#include "declare.h"

/* For what a file needs, and for what only says whether an earlier answer holds. */
#define MOST_CHECK_MS 30000
#define MOST_ASK_MS 1500

const char an_verbs[] =
    "[{\"name\": \"watch\", \"on\": [\"struct\"], "
    "\"args\": [{\"name\": \"source\", \"type\": \"string\", \"required\": true}, "
    "{\"name\": \"where\", \"type\": \"condition\", \"default\": \"\"}, "
    "{\"name\": \"window\", \"type\": \"string\", \"default\": \"\"}, "
    "{\"name\": \"slide\", \"type\": \"string\", \"default\": \"\"}, "
    "{\"name\": \"lateness\", \"type\": \"string\", \"default\": \"\"}, "
    "{\"name\": \"keep\", \"type\": \"integer\", \"default\": \"24\"}], "
    "\"doc\": \"Records of the source, a stream of a cell, are counted in the groups and aggregates that the fields of "
    "this "
    "struct are.\", "
    "\"field_rules\": [\"count\", \"distinct\", \"group\", \"max\", \"mean\", \"min\", \"quantile\", \"sum\", "
    "\"variance\", \"window\"]}]";

static int answer_failure(cell_ctx *c, const struct an_failure *f) { return cell_fail(c, f->status, "%s", f->text); }

/* ---- against the source ---- */

/* Also when neither is there. */
static bool same(const json_t *a, const json_t *b) { return a == b || json_equal(a, b); }

/* What the source says of its records when it was asked last, for a declaration that has not changed. */
static bool do_without(struct an_declared *d, const struct an_definition *known)
{
    static const char *const own[] = {"source",    "stream",   "where",       "numbers", "functions",
                                      "window_us", "slide_us", "lateness_us", "panes",   "columns"};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (!known || !same(json_object_get(d->definition, own[i]), json_object_get(known->json, own[i])))
            return false;
    json_object_update(d->definition, known->json);
    return true;
}

static void check_source(struct an_declared *d, const struct an_definition *known, uint32_t timeout_ms)
{
    struct an_source source = {NULL};
    struct an_failure f;
    int r = an_source_ask(d->source, d->stream, timeout_ms, &source, &f);

    if (r >= 0 && source.stream)
        an_declare_check(d, source.stream);
    else if (r >= 0)
        an_say(d, "error", "source", "cell '%s' has no stream '%s'", d->source, d->stream);
    else if (do_without(d, known))
        an_say(d, "warning", "source",
               "cell '%s' does not tell what '%s' is (%s): its fields are taken for what they were", d->source,
               d->stream, f.text);
    else
        an_say(d, "error", "source", "cell '%s' does not tell what '%s' is: %s", d->source, d->stream, f.text);
    an_source_free(&source);
}

/* ---- plans ---- */

static void compare_columns(const struct an_declared *d, const json_t *before, json_t *steps)
{
    const json_t *now = json_object_get(d->definition, "columns");
    char text[300];
    json_t *column;
    size_t i;

    json_array_foreach(now, i, column)
    {
        const char *name = json_string_value(json_object_get(column, "name"));
        const json_t *was = document_find(before, "name", name);
        snprintf(text, sizeof(text), "%s field '%s' %s aggregate '%s'", was ? "change" : "add", name, was ? "of" : "to",
                 d->name);
        if (!was || !json_equal(was, column))
            plan_step(steps, was ? "change-field" : "add-field", "", text);
    }
    json_array_foreach(before, i, column)
    {
        const char *name = json_string_value(json_object_get(column, "name"));
        snprintf(text, sizeof(text), "take field '%s' out of aggregate '%s'", name, d->name);
        if (!document_find(now, "name", name))
            plan_step(steps, "drop-field", "programs that read it are refused", text);
    }
}

/* Empty: nothing is to be done. */
static json_t *make_steps(const struct an_declared *d, const struct an_definition *known)
{
    json_t *steps = json_array();
    char text[400];

    if (!known) {
        snprintf(text, sizeof(text), "make aggregate '%s' of %s.%s, from its first record on", d->name, d->source,
                 d->stream);
        plan_step(steps, "create-aggregate", "", text);
    } else if (!json_equal(d->definition, known->json)) {
        compare_columns(d, json_object_get(known->json, "columns"), steps);
        snprintf(text, sizeof(text),
                 "count %s.%s for aggregate '%s' again, in the background: what there is serves until it is complete",
                 d->source, d->stream, d->name);
        plan_step(steps, "rebuild-aggregate", "", text);
    }
    return steps;
}

/* ---- expand ---- */

static json_t *resources_of(const struct an_declared *d)
{
    json_t *resources = json_array(), *column;
    size_t i;

    json_array_foreach(json_object_get(d->definition, "columns"), i, column)
    {
        char text[2 * AN_MOST_NAME + 64];
        snprintf(text, sizeof(text), "%s.%s", d->name, json_string_value(json_object_get(column, "name")));
        json_array_append_new(resources, json_string(text));
    }
    return resources;
}

static json_t *make_document(struct an_declared *d, const struct an_definition *known)
{
    json_t *answer = json_pack("{ss, s[], s[], s[]}", "expansion", "cell.expansion/1", "types", "constants", "methods");
    char id[PLAN_ID];

    if (!d->failed && an_generate(d, answer) < 0) {
        json_decref(answer);
        return NULL;
    }
    if (d->failed) { /* an answer with errors has nothing else */
        json_array_clear(json_object_get(answer, "types"));
        json_array_clear(json_object_get(answer, "methods"));
    } else {
        json_t *steps = make_steps(d, known);
        plan_id(steps, id);
        if (json_array_size(steps) > 0)
            json_object_set_new(answer, "plan", json_pack("{ss, sO}", "id", id, "steps", steps));
        json_object_set_new(answer, "resources", resources_of(d));
        json_decref(steps);
    }
    json_object_set(answer, "diagnostics", d->diagnostics);
    return answer;
}

int an_expand(cell_ctx *c, cell_str request, cell_str *document)
{
    struct an_service *s = cell_ctx_user(c);
    json_t *root = document_read(c, request), *answer = NULL;
    struct an_declared d = {0};
    struct an_failure f = {0};

    if (!root)
        return CELL_INVALID_ARGUMENT;
    int r = an_declare(root, &d, &f);
    if (r >= 0) {
        struct an_definition *known = an_service_declared(s, d.name);
        if (!d.failed)
            check_source(&d, known, plan_patience_ms(c, MOST_CHECK_MS));
        answer = make_document(&d, known);
        an_definition_unref(known);
    }
    an_declared_free(&d);
    json_decref(root);
    return r < 0 ? answer_failure(c, &f) : document_answer(c, answer, document);
}

/* ---- state ---- */

static uint64_t hash_of(uint64_t hash, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    for (const char *p = text; p && *p; p++)
        hash = (hash ^ (uint8_t)*p) * UINT64_C(1099511628211);
    free(text);
    return hash;
}

/* What the cell tells of its streams, which it is asked once for all that watch one: null when it does not answer.
 * Borrowed from `told`. */
static const json_t *streams_of(json_t *told, const char *cell, uint32_t timeout_ms)
{
    const json_t *known = json_object_get(told, cell);
    json_t *streams = NULL;
    struct an_failure f;

    if (known)
        return known;
    if (an_source_streams(cell, timeout_ms, &streams, &f) < 0)
        streams = json_null();
    json_object_set_new(told, cell, streams);
    return json_object_get(told, cell);
}

/* Answers depend on the catalog and on what the sources are. */
static void make_token(struct an_service *s, uint32_t timeout_ms, char token[65])
{
    json_t *told = json_object();
    uint64_t hash = 0;
    bool building;
    struct an_part *part;

    for (uint32_t i = 0; (part = an_part_at(s, i, &building)); i++) {
        const struct an_definition *d = part->definition;
        const json_t *stream = document_find(streams_of(told, d->source, timeout_ms), "name", d->stream);
        hash *= UINT64_C(1099511628211);
        hash = stream ? hash_of(hash, stream) : hash;
        an_part_give(part);
    }
    json_decref(told);
    snprintf(token, 65, "%s.%" PRIu64 ".%016" PRIx64, s->identity, an_service_generation(s), hash);
}

int an_state(cell_ctx *c, cell_str *token)
{
    char text[65];

    make_token(cell_ctx_user(c), plan_patience_ms(c, MOST_ASK_MS), text);
    *token = cell_ctx_copy(c, cell_strz(text));
    return token->ptr ? CELL_OK : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}

/* ---- apply ---- */

static int make_watch(struct an_service *s, const struct an_declared *d, struct an_failure *f)
{
    struct an_definition *definition = NULL;
    int r = an_definition_read(d->definition, &definition, f);

    if (r >= 0)
        r = an_service_declare(s, definition, f);
    an_definition_unref(definition);
    return r;
}

static int carry_out(struct an_service *s, const json_t *request, int number, uint32_t timeout_ms, json_t *applied,
                     json_t **failed, struct an_failure *f)
{
    struct an_declared d = {0};
    char id[PLAN_ID] = "";
    int r = an_declare(request, &d, f);

    if (r < 0)
        return r;
    struct an_definition *known = an_service_declared(s, d.name);
    if (!d.failed)
        check_source(&d, known, timeout_ms);
    json_t *steps = d.failed ? NULL : make_steps(&d, known);
    size_t nsteps = json_array_size(steps);
    if (d.failed)
        *failed = plan_failed_diagnostic(d.diagnostics, number);
    else if (nsteps > 0 && (s->plan_only || (s->additive_only && plan_has_hazard(steps))))
        *failed = plan_failed(number, "the analytics cell's policy does not allow this (--policy)");
    else if (nsteps > 0)
        r = make_watch(s, &d, f);
    if (*failed || r < 0)
        nsteps = 0;
    if (nsteps > 0)
        plan_id(steps, id);
    json_array_append_new(applied, json_pack("{ss, si}", "id", id, "steps", (int)nsteps));
    json_decref(steps);
    an_definition_unref(known);
    an_declared_free(&d);
    return r;
}

int an_apply(cell_ctx *c, cell_str request, cell_str *reply)
{
    struct an_service *s = cell_ctx_user(c);
    json_t *root = document_read(c, request), *requests = json_object_get(root, "requests"), *one, *failed = NULL;
    json_t *applied = json_array();
    struct an_failure f = {0};
    char token[65];
    size_t i;
    int r = CELL_OK;

    if (!root || !json_is_array(requests)) {
        json_decref(root);
        json_decref(applied);
        return root ? cell_fail(c, CELL_INVALID_ARGUMENT, "the request has no \"requests\"") : CELL_INVALID_ARGUMENT;
    }
    pthread_mutex_lock(&s->apply);
    json_array_foreach(requests, i, one)
    {
        if (r >= 0 && !failed)
            r = carry_out(s, one, (int)i, plan_patience_ms(c, MOST_CHECK_MS), applied, &failed, &f);
    }
    pthread_mutex_unlock(&s->apply);
    json_t *answer = json_pack("{so}", "applied", applied);
    make_token(s, plan_patience_ms(c, MOST_ASK_MS), token);
    json_object_set_new(answer, "state", json_string(token));
    if (failed)
        json_object_set_new(answer, "failed", failed);
    json_decref(root);
    if (r >= 0)
        return document_answer(c, answer, reply);
    json_decref(answer);
    return answer_failure(c, &f);
}
