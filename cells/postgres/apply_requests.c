/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a compilation wants carried out: its plans are made again within a migration, and applied. */
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "expand.h"
#include "expand_parts.h"

#define MOST_ROUNDS 3

/* One call of `apply`. */
struct work {
    struct pg_service *service;
    json_t **requests;
    uint32_t n;
    struct pg_migration_options options;
    const char *project; /* NULL = unknown */
    PGconn *conn;
    struct done {
        char id[33];
        uint32_t nsteps;
    } *done;        /* of each request */
    json_t *failed; /* "failed" of the reply; NULL = none */
};

const char *pg_describe_caller(cell_ctx *c, char text[PG_WHO_SIZE])
{
    struct cell_caller caller = {0};
    struct passwd entry, *found = NULL;
    char buffer[2048];

    text[0] = '\0';
    if (cell_ctx_caller(c, &caller) < 0)
        return text;
    getpwuid_r(caller.uid, &entry, buffer, sizeof(buffer), &found);
    snprintf(text, PG_WHO_SIZE, "%s%s%u%s, %.*s", found ? found->pw_name : "", found ? " (uid " : "uid ", caller.uid,
             found ? ")" : "", (int)(caller.program.len < 64 ? caller.program.len : 64),
             caller.program.ptr ? caller.program.ptr : "");
    return text;
}

static const char *location_of(const json_t *request)
{
    return json_string_value(json_object_get(json_object_get(request, "annotation"), "location"));
}

/* Where the declarations of a plan come from; to be freed with free_origins. */
static struct pg_origin *make_origins(const struct work *w, const struct pg_unit *u)
{
    struct pg_origin *origins = calloc(u->n + 1u, sizeof(*origins));

    for (uint32_t i = 0; origins && i < u->n; i++) {
        const json_t *request = w->requests[u->request[i]];
        char *text = json_dumps(json_object_get(request, "declaration"), JSON_COMPACT | JSON_SORT_KEYS);
        char *hex = text ? malloc(33) : NULL;
        if (hex)
            pg_hash(text, strlen(text), hex);
        free(text);
        origins[i] = (struct pg_origin){location_of(request), hex};
    }
    return origins;
}

static void free_origins(struct pg_origin *origins, uint32_t n)
{
    for (uint32_t i = 0; origins && i < n; i++)
        free((char *)(uintptr_t)origins[i].fingerprint);
    free(origins);
}

/* The first error among the diagnostics, as "failed" of the reply. */
static json_t *failed_diagnostic(const pg_diagnostics *list, uint32_t declared, uint32_t request)
{
    json_t *all = pg_diagnostics_json(list, declared), *entry, *found = NULL;
    size_t i;

    json_array_foreach(all, i, entry)
    {
        const char *severity = json_string_value(json_object_get(entry, "severity"));
        if (!severity || strcmp(severity, "error") != 0)
            continue;
        found = json_copy(entry);
        json_object_del(found, "severity");
        json_object_set_new(found, "request", json_integer(request));
        break;
    }
    json_decref(all);
    return found;
}

/* The number of the first declaration with an error; u->n when there is none. */
static uint32_t first_error(const struct pg_unit *u)
{
    uint32_t i = 0;

    while (i < u->n && !pg_unit_has_errors(u, i))
        i++;
    return i;
}

/* What is wrong without those behind it is wrong because of what was found first. */
static void fail_with_diagnostic(struct work *w, const struct pg_unit *u, uint32_t i)
{
    if (w->failed)
        return;
    w->failed = failed_diagnostic(&u->declared[i]->diagnostics, UINT32_MAX, u->request[i]);
    if (!w->failed)
        w->failed = failed_diagnostic(&u->plan->diagnostics, i, u->request[i]);
}

/* A failure that belongs to a step belongs to the request that wants it. */
static void fail_with_step(struct work *w, const struct pg_unit *u, const struct pg_applied *applied,
                           const struct pg_failure *f)
{
    const struct pg_step *step = applied->failed;
    const char *field = applied->part ? applied->part->field : step->field;
    uint32_t declared = applied->part ? applied->part->declared : step->declared;

    json_decref(w->failed);
    w->failed = json_pack("{si, ss}", "request", (int)u->request[declared], "text", f->text);
    if (field)
        json_object_set_new(w->failed, "field", json_string(field));
}

static void count_steps(struct work *w, const struct pg_unit *u, uint32_t applied)
{
    for (uint32_t i = 0; i < u->n; i++) {
        struct done *d = &w->done[u->request[i]];
        char id[33];
        uint32_t all, own = 0;
        for (uint32_t k = 0; k < applied; k++)
            own += u->plan->steps[k].declared == i;
        json_decref(pg_unit_plan_json(u, i, id, &all));
        if (own > 0)
            memcpy(d->id, id, sizeof(id));
        d->nsteps += own;
    }
}

/* The plan of the first `n` requests, for what is recorded of programs at this moment. */
static int make_plan(struct work *w, uint32_t n, struct pg_unit *u, struct pg_failure *f)
{
    struct pg_recorded *recorded = NULL;
    int r = pg_records_take(&w->service->records, cell_ctx_server(w->options.call), &recorded, f);
    const struct pg_known known = {recorded, w->project};

    if (r >= 0)
        r = pg_unit_plan(w->conn, w->requests, n, &known, w->options.deadline_ms, u, f);
    pg_records_give(&w->service->records, recorded);
    return r;
}

/*
 * Plans the first `n` requests and carries that out. When one of them is wrong, those before it are; *n becomes their
 * number. *steps: how many steps there were to do.
 */
static int do_round(struct work *w, uint32_t *n, uint32_t *steps, struct pg_failure *f)
{
    struct pg_unit u = {0};
    struct pg_applied applied = {0};
    int r = make_plan(w, *n, &u, f);

    if (r < 0)
        return r;
    uint32_t bad = first_error(&u);
    *steps = u.plan->nsteps;
    if (bad < u.n) {
        *n = u.request[bad];
        fail_with_diagnostic(w, &u, bad);
        *steps = 1; /* there may be, without it */
    } else if (u.plan->nsteps > 0) {
        struct pg_origin *origins = make_origins(w, &u);
        w->options.origins = origins;
        w->options.norigins = origins ? u.n : 0;
        r = pg_apply(w->conn, u.plan, &w->options, &applied, f);
        free_origins(origins, u.n);
        count_steps(w, &u, applied.nsteps);
        if (r < 0 && applied.failed) {
            fail_with_step(w, &u, &applied, f);
            *n = 0;
            r = CELL_OK;
        }
    }
    pg_unit_free(&u);
    return r;
}

/* Until nothing is left to do: so the next compilation has nothing to do either. */
static int do_all(struct work *w, struct pg_failure *f)
{
    uint32_t n = w->n, steps = 1;
    int r = CELL_OK;

    for (uint32_t round = 0; r >= 0 && n > 0 && steps > 0; round++) {
        if (round == MOST_ROUNDS + w->n)
            return pg_fail(f, CELL_INTERNAL, "the plan was carried out, but the database is not as it says");
        r = do_round(w, &n, &steps, f);
    }
    return r;
}

/* True when nobody has to be kept from migrating to see that there is nothing to do. */
static bool nothing_to_do(struct work *w)
{
    struct pg_unit u = {0};
    bool nothing = make_plan(w, w->n, &u, NULL) >= 0 && first_error(&u) == u.n && u.plan->nsteps == 0;

    pg_unit_free(&u);
    return nothing;
}

/* Nothing is changed here: what would be is the failure, at the first step that is needed. */
static int name_refused(struct work *w, struct pg_failure *f)
{
    uint32_t n = w->n, steps = 0;

    return do_round(w, &n, &steps, f);
}

static int work_on(struct work *w, struct pg_failure *f)
{
    int r = pg_lease_take(&w->service->migrations, w->options.deadline_ms, &w->conn, f);

    if (r < 0 || nothing_to_do(w))
        return pg_lease_give(&w->service->migrations, w->conn, r, f);
    r = pg_policy_of_database(w->conn, &w->options.policy, f);
    if (r >= 0 && w->options.policy == PG_POLICY_PLAN)
        r = name_refused(w, f);
    else if (r >= 0 && (r = pg_migration_begin(w->conn, &w->options, f)) >= 0) {
        r = do_all(w, f);
        pg_migration_end(w->conn);
    }
    return pg_lease_give(&w->service->migrations, w->conn, r, f);
}

static json_t *make_reply(struct work *w)
{
    char token[PG_TOKEN_SIZE];
    json_t *applied = json_array(), *reply = json_pack("{so}", "applied", applied);
    uint32_t n = w->n;

    if (w->failed)
        n = (uint32_t)json_integer_value(json_object_get(w->failed, "request")) + 1;
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(applied, json_pack("{ss, si}", "id", w->done[i].id, "steps", (int)w->done[i].nsteps));
    if (pg_state_token(w->options.call, w->options.deadline_ms, token, NULL) >= 0)
        json_object_set_new(reply, "state", json_string(token));
    if (w->failed)
        json_object_set(reply, "failed", w->failed);
    return reply;
}

static int collect(cell_ctx *c, json_t *root, struct work *w)
{
    json_t *list = json_object_get(root, "requests");

    w->project = json_string_value(json_object_get(root, "project"));
    w->n = (uint32_t)json_array_size(list);
    w->requests = calloc(w->n + 1u, sizeof(json_t *));
    w->done = calloc(w->n + 1u, sizeof(*w->done));
    if (!w->requests || !w->done)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    if (!json_is_array(list))
        return cell_fail(c, CELL_INVALID_ARGUMENT, "the request has no \"requests\"");
    for (uint32_t i = 0; i < w->n; i++)
        w->requests[i] = json_array_get(list, i);
    return CELL_OK;
}

/* `cell migrate` has none, and waits for as long as a step takes. */
#define LONG_MS (INT64_C(7) * 24 * 3600 * 1000)

static int64_t migration_deadline(cell_ctx *c)
{
    return cell_ctx_remaining_ns(c) == UINT64_MAX ? pg_now_ms() + LONG_MS : pg_deadline_of(c);
}

int pg_apply_requests(cell_ctx *c, cell_str request, cell_str *reply)
{
    struct work w = {.service = cell_ctx_user(c)};
    struct pg_failure f = {0};
    char who[PG_WHO_SIZE];
    json_t *root = document_read(c, request);
    int r = root ? collect(c, root, &w) : CELL_INVALID_ARGUMENT;

    w.options = (struct pg_migration_options){.policy = w.service->policy,
                                              .deadline_ms = migration_deadline(c),
                                              .call = c,
                                              .who = pg_describe_caller(c, who)};
    if (r >= 0) {
        r = work_on(&w, &f);
        r = r < 0 ? pg_answer_failure(c, &f) : document_answer(c, make_reply(&w), reply);
    }
    json_decref(w.failed);
    free(w.done);
    free(w.requests);
    json_decref(root);
    return r;
}
