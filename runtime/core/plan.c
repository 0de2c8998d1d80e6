/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Plans: in an expansion document, and the documents of `apply` and `state`. */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/schema_impl.h"
#include "wire/message.h"

#define MAX_WORD 64u

static int no_memory(struct cell_error *e) { return cell_error_set(e, CELL_NO_MEMORY, "plan: out of memory"); }

/* A text of 1 to `most` characters of a set. */
static int check_word(const struct json_at *at, const char *key, const char *text, size_t most, const char *set,
                      const char *what, struct cell_error *e)
{
    size_t len = strlen(text);
    if (len >= 1 && len <= most && strspn(text, set) == len)
        return CELL_OK;
    return cell_json_fail(at, key, e, "1 to %zu %s are expected", most, what);
}

static int check_id(const struct json_at *at, const char *id, struct cell_error *e)
{
    return check_word(at, "id", id, MAX_WORD, "0123456789abcdef", "lower-case hex digits", e);
}

/* Statements that somebody has written have tabs in them. */
static int check_step_text(const struct json_at *at, const char *text, struct cell_error *e)
{
    if (!cell_utf8_valid(text, strlen(text)))
        return cell_json_fail(at, "text", e, "the text is not valid UTF-8");
    for (const char *p = text; *p; p++)
        if (*p != '\n' && *p != '\t' && cell_json_control(p))
            return cell_json_fail(at, "text", e, "the text holds a control or bidirectional control character");
    return CELL_OK;
}

static int read_step(const struct json_at *at, struct cell_arena *arena, struct expansion_step *step,
                     struct cell_error *e)
{
    int r = cell_copy_member(at, "id", JSON_OPTIONAL, arena, &step->id, e);
    if (r == CELL_OK && step->id)
        r = check_id(at, step->id, e);
    if (r == CELL_OK)
        r = cell_copy_member(at, "text", JSON_REQUIRED, arena, &step->text, e);
    if (r == CELL_OK)
        r = check_step_text(at, step->text, e);
    if (r == CELL_OK)
        r = cell_copy_member(at, "kind", JSON_REQUIRED, arena, &step->kind, e);
    if (r == CELL_OK)
        r = check_word(at, "kind", step->kind, MAX_WORD,
                       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-", "letters, digits and '-'", e);
    if (r == CELL_OK)
        r = cell_copy_member(at, "hazard", JSON_OPTIONAL, arena, &step->hazard, e);
    if (r == CELL_OK)
        r = cell_check_text(at, "hazard", step->hazard, true, e);
    if (r == CELL_OK && step->hazard && !step->hazard[0])
        step->hazard = NULL;
    return r;
}

int cell_plan_read(const struct json_at *root, struct cell_arena *arena, struct expansion_plan *plan,
                   struct cell_error *e)
{
    struct json_at object, list = {0}, at;
    struct expansion_plan made = {0};
    int r = cell_json_object(root, "plan", JSON_OPTIONAL, &object, e);
    if (r <= 0 || (r = cell_json_array(&object, "steps", JSON_OPTIONAL, &list, e)) < 0)
        return r;
    size_t n = cell_json_count(&list);
    if (n == 0)
        return CELL_OK;
    r = cell_copy_member(&object, "id", JSON_REQUIRED, arena, &made.id, e);
    if (r == CELL_OK)
        r = check_id(&object, made.id, e);
    if (r < 0)
        return r;
    made.steps = cell_arena_array(arena, n, sizeof(*made.steps));
    if (!made.steps)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        if ((r = cell_json_item_object(&list, i, &at, e)) < 0)
            return r;
        if ((r = read_step(&at, arena, &made.steps[i], e)) < 0)
            return r;
    }
    made.nsteps = (uint32_t)n;
    *plan = made;
    return CELL_OK;
}

/* ---- state ---- */

bool cell_is_state(const char *token, size_t len)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    for (size_t i = 0; i < len; i++)
        if (!memchr(set, token[i], sizeof(set) - 1))
            return false;
    return token && len >= 1 && len <= CELL_STATE_MAX;
}

static int read_state(const struct json_at *root, enum json_need need, char token[CELL_STATE_MAX + 1],
                      struct cell_error *e)
{
    const char *text;
    int r = cell_json_string(root, "state", need, &text, e);
    if (r <= 0)
        return r;
    if (!cell_is_state(text, strlen(text)))
        return cell_json_fail(root, "state", e, "1 to %u letters, digits, '.', '_' and '-' are expected",
                              CELL_STATE_MAX);
    memcpy(token, text, strlen(text) + 1);
    return CELL_OK;
}

int cell_state_parse(const char *json, size_t len, char token[CELL_STATE_MAX + 1], struct cell_error *e)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    int r = cell_json_load(json, len, CELL_PROTOCOL_ERROR, &doc, e);
    return r < 0 ? r : read_state(&doc.root, JSON_REQUIRED, token, e);
}

/* ---- apply ---- */

static int read_done(const struct json_at *at, struct cell_arena *arena, struct apply_done *done, struct cell_error *e)
{
    int r = cell_copy_member(at, "id", JSON_REQUIRED, arena, &done->id, e);
    if (r == CELL_OK && done->id[0])
        r = check_id(at, done->id, e);
    if (r == CELL_OK)
        r = cell_json_uint(at, "steps", JSON_REQUIRED, 0, UINT32_MAX, &done->steps, e);
    return r < 0 ? r : CELL_OK;
}

static int read_failed(const struct json_at *root, uint32_t requests, struct cell_applied *a, struct cell_error *e)
{
    struct json_at at;
    uint64_t request = 0;
    int r = cell_json_object(root, "failed", JSON_OPTIONAL, &at, e);
    if (r <= 0)
        return r;
    r = cell_json_uint(&at, "request", JSON_REQUIRED, 0, requests - 1, &request, e);
    if (r >= 0)
        r = cell_diagnostic_read(&at, false, &a->arena, &a->failure, e);
    a->failed = true;
    a->failed_at = (uint32_t)request;
    return r;
}

static int read_applied(const struct json_at *root, uint32_t requests, struct cell_applied *a, struct cell_error *e)
{
    struct json_at list, at;
    int r = cell_json_array(root, "applied", JSON_REQUIRED, &list, e);
    if (r < 0)
        return r;
    size_t n = cell_json_count(&list);
    if (n > requests)
        return cell_json_fail(root, "applied", e, "%zu entries for %u requests", n, requests);
    a->done = cell_arena_array(&a->arena, n, sizeof(*a->done));
    if (!a->done)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        if ((r = cell_json_item_object(&list, i, &at, e)) < 0)
            return r;
        if ((r = read_done(&at, &a->arena, &a->done[i], e)) < 0)
            return r;
    }
    a->ndone = (uint32_t)n;
    r = read_state(root, JSON_OPTIONAL, a->state, e);
    if (r >= 0)
        r = read_failed(root, requests, a, e);
    if (r >= 0 && !a->failed && n != requests)
        return cell_json_fail(root, "applied", e, "%zu entries for %u requests, and no failure", n, requests);
    return r < 0 ? r : CELL_OK;
}

int cell_applied_parse(const char *json, size_t len, uint32_t requests, struct cell_applied **applied,
                       struct cell_error *e)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    int r = cell_json_load(json, len, CELL_PROTOCOL_ERROR, &doc, e);
    if (r < 0)
        return r;
    struct cell_applied *a = calloc(1, sizeof(*a));
    r = a ? read_applied(&doc.root, requests, a, e) : no_memory(e);
    if (r < 0)
        cell_applied_free(a);
    else
        *applied = a;
    return r;
}

void cell_applied_free(struct cell_applied *applied)
{
    if (!applied)
        return;
    cell_arena_free(&applied->arena);
    free(applied);
}

int cell_apply_request_check(const char *json, size_t len, uint32_t *requests, struct cell_error *e)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    struct json_at list, at;
    int r = cell_json_load(json, len, CELL_PROTOCOL_ERROR, &doc, e);
    if (r < 0 || (r = cell_json_array(&doc.root, "requests", JSON_REQUIRED, &list, e)) < 0)
        return r;
    size_t n = cell_json_count(&list);
    if (n == 0)
        return cell_json_fail(&doc.root, "requests", e, "there is none");
    for (size_t i = 0; i < n; i++) {
        struct cell_schema *declared = NULL;
        if ((r = cell_json_item_object(&list, i, &at, e)) < 0)
            return r;
        r = cell_declared_read(&at, &declared, e);
        cell_schema_free(declared);
        if (r < 0)
            return e ? cell_error_wrap(e, "requests[%zu]", i) : r;
    }
    *requests = (uint32_t)n;
    return CELL_OK;
}
