/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "expand.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply_parts.h"
#include "catalog.h"
#include "expand_parts.h"
#include "failed.h"
#include "generate.h"
#include "pending.h"
#include "query.h"
#include "sql.h"

#define PATIENCE_MS 10000 /* for who has no deadline */
#define MOST_TRIES 20
#define RETRY_PAUSE_MS 50
#define LEAST_RETRY_MS 250 /* less is not enough for another check that can still say who has the lock */

int64_t pg_deadline_of(cell_ctx *c)
{
    uint64_t left_ns = cell_ctx_remaining_ns(c);

    /* The answer is still to be written and sent. */
    return pg_now_ms() + (left_ns == UINT64_MAX ? PATIENCE_MS : (int64_t)(left_ns / 1000000) * 9 / 10);
}

/* The request as far as it matters; NULL as document_read. */
static json_t *read_expand_request(cell_ctx *c, cell_str request)
{
    size_t len = 0;
    char *shorter = pg_pending_that_matter(request.ptr, request.len, &len);
    json_t *root = document_read(c, shorter ? (cell_str){shorter, len} : request);

    free(shorter);
    return root;
}

/* The tables of `request` and of what is pending before it; it is the last. */
static int plan_with_pending(PGconn *conn, json_t *request, bool itself, const struct pg_known *known,
                             int64_t deadline_ms, struct pg_unit *unit, struct pg_failure *f)
{
    json_t *pending = json_object_get(request, "pending");
    size_t n = json_array_size(pending);
    json_t **all = calloc(n + 1, sizeof(json_t *));

    if (!all)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++)
        all[i] = json_array_get(pending, i);
    all[n] = request;
    int r = pg_unit_plan(conn, all, (uint32_t)(n + itself), known, deadline_ms, unit, f);
    free(all);
    return r;
}

static void append_diagnostics(json_t *document, const pg_diagnostics *from, uint32_t declared)
{
    json_t *list = pg_diagnostics_json(from, declared);

    json_array_extend(json_object_get(document, "diagnostics"), list);
    json_decref(list);
}

/* True for an error about another table, whose own declaration has failed, or may have. */
static bool follows(const struct pg_diagnostic *d, const json_t *failed)
{
    if (d->severity != PG_ERROR)
        return false;
    return d->awaits ? pg_failed_any_table(failed)
                     : d->other_table && pg_failed_table(failed, d->other_table, strlen(d->other_table), true);
}

/* Of one subject, as a compilation sees it: the name alone, which tables of several schemas may have. */
static bool same_subject(const struct pg_unit *u, uint32_t i, uint32_t k)
{
    const struct pg_declared *a = u->declared[i], *b = u->declared[k];

    return a->owned && b->owned && a->table.name && b->table.name && strcmp(a->table.name, b->table.name) == 0;
}

/* What the plan has to say of declaration number `last`, and of its table as a whole; true when that is less than there
 * is. */
static bool append_plan_diagnostics(json_t *document, const struct pg_unit *u, uint32_t last, const json_t *failed)
{
    const struct pg_declared *own = u->declared[last];
    /* What a struct that is not understood would have said of its table is not known. */
    bool left_out = false, unknown = pg_has_errors(&own->diagnostics, UINT32_MAX) ||
                                     pg_failed_table(failed, own->table.name, strlen(own->table.name), true);

    for (uint32_t i = 0; i < u->plan->diagnostics.n; i++) {
        struct pg_diagnostic *d = &u->plan->diagnostics.at[i];
        const pg_diagnostics one = {.at = d, .n = 1};
        if (d->declared != last && !(d->whole && same_subject(u, d->declared, last)))
            continue;
        if (d->whole && d->severity == PG_ERROR && unknown)
            continue;
        if (follows(d, failed))
            left_out = true;
        else
            append_diagnostics(document, &one, UINT32_MAX);
    }
    return left_out;
}

/* What is pending was right before: that it is not any more comes with the last declaration, which has to say so. False
 * when memory is short. */
static bool append_conflict(const struct pg_unit *u, uint32_t last, json_t *document)
{
    for (uint32_t i = 0; i < u->plan->diagnostics.n; i++) {
        const struct pg_diagnostic *d = &u->plan->diagnostics.at[i];
        if (d->severity != PG_ERROR || (d->whole && d->against != last) || d->declared >= last)
            continue;
        json_t *said =
            json_pack("{ss, so}", "severity", "error", "text",
                      json_sprintf("with this, struct '%s' is wrong: %s", u->declared[d->declared]->tag, d->text));
        return json_array_append_new(json_object_get(document, "diagnostics"), said) == 0;
    }
    return true;
}

/* The struct of the table that the last one takes was refused before anybody knew of that: it has to be said here.
 * False when memory is short. */
static bool append_taken(const struct pg_unit *u, uint32_t last, const json_t *failed, json_t *document)
{
    const struct pg_declared *d = u->declared[last];
    bool renames = false;

    for (uint32_t i = 0; i < u->plan->nsteps; i++)
        renames = renames || (u->plan->steps[i].declared == last && u->plan->steps[i].kind == PG_STEP_RENAME_TABLE);
    if (!renames || strcmp(d->table.schema, u->catalog->default_schema) != 0 ||
        !pg_failed_table(failed, d->renamed_from, strlen(d->renamed_from), true))
        return true;
    json_t *said =
        json_pack("{ss, so, si}", "severity", "error", "text",
                  json_sprintf("CELL_TABLE_RENAMED_FROM(\"%s\") contradicts the struct that is this table, "
                               "which was refused as the table that is there. Remove that struct; if '%s' is "
                               "to be a new table, add it in a later build, when the name is free",
                               d->renamed_from, d->renamed_from),
                  "rule", d->renamed_rule);
    return json_array_append_new(json_object_get(document, "diagnostics"), said) == 0;
}

/* What the last of the unit's declarations is answered. NULL when memory is short. */
static json_t *table_document(const struct pg_unit *u, json_t *request)
{
    json_t *document = json_pack("{ss, s[], s[], s[], s[]}", "expansion", "cell.expansion/1", "types", "constants",
                                 "methods", "diagnostics");
    uint32_t last = u->n - 1, nsteps;
    const struct pg_declared *d = u->declared[last];
    char id[33];

    if (!document)
        return NULL;
    append_diagnostics(document, &d->diagnostics, UINT32_MAX);
    bool depends = append_plan_diagnostics(document, u, last, json_object_get(request, "failed"));
    if (depends && json_object_set_new(document, "depends", json_true()) < 0) {
        json_decref(document);
        return NULL;
    }
    size_t said = json_array_size(json_object_get(document, "diagnostics"));
    bool wrong = pg_has_refusals(&d->diagnostics, UINT32_MAX) || pg_has_refusals(&u->plan->diagnostics, last);
    if (!wrong &&
        !(append_conflict(u, last, document) && append_taken(u, last, json_object_get(request, "failed"), document))) {
        json_decref(document);
        return NULL;
    }
    if (wrong || depends || json_array_size(json_object_get(document, "diagnostics")) > said)
        return document;
    json_t *plan = pg_unit_plan_json(u, last, id, &nsteps);
    if (plan)
        json_object_set_new(document, "plan", plan);
    if ((nsteps && !plan) ||
        pg_generate_table(d, &u->plan->tables[last], json_object_get(request, "declaration"), document) < 0 ||
        pg_sort_by_name(json_object_get(document, "types")) < 0 ||
        pg_sort_by_name(json_object_get(document, "methods")) < 0 ||
        pg_uses_put_table(document, d, &u->plan->tables[last]) < 0) {
        json_decref(document);
        return NULL;
    }
    return document;
}

static int expand_table(PGconn *conn, json_t *request, const struct pg_known *known, int64_t deadline_ms,
                        json_t **document, struct pg_failure *f)
{
    struct pg_unit u = {0};
    int r = plan_with_pending(conn, request, true, known, deadline_ms, &u, f);

    if (r < 0)
        return r;
    *document = table_document(&u, request);
    pg_unit_free(&u);
    return *document ? CELL_OK : pg_fail(f, CELL_NO_MEMORY, "out of memory");
}

static int check_query(PGconn *conn, const struct pg_query *query, json_t *request, const struct pg_known *known,
                       struct pg_query_check *check, json_t **document, struct pg_failure *f)
{
    struct pg_unit u = {0};
    int r = CELL_OK;

    if (json_array_size(json_object_get(request, "pending")) > 0) {
        r = plan_with_pending(conn, request, false, known, check->deadline_ms, &u, f);
        check->pending = pg_show_pending;
        check->user = &u;
    }
    if (r >= 0)
        r = pg_query_expand(conn, query, check, document, f);
    if (r >= 0 && json_array_size(json_object_get(*document, "methods")) > 0) {
        r = pg_query_resources(conn, query->sql, u.plan, check->deadline_ms, *document, f);
        if (r < 0)
            json_decref(*document);
    }
    pg_unit_free(&u);
    return r;
}

/* What is planned is shown to a query by doing it, and somebody else may do the same at that moment, for good. */
static bool was_overtaken(const struct pg_failure *f)
{
    static const char *const states[] = {
        "23505",                   /* unique_violation, in a catalog */
        "42P06", "42P07", "42710", /* duplicate_schema, _table, _object */
        "40P01",                   /* deadlock_detected */
        "XX000",                   /* tuple concurrently updated */
    };
    bool known = false;

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        known = known || strcmp(f->sqlstate, states[i]) == 0;
    return known;
}

static int expand_query(const struct pg_service *s, PGconn *conn, json_t *request, const struct pg_known *known,
                        int64_t deadline_ms, json_t **document, struct pg_failure *f)
{
    struct pg_query query;
    struct pg_query_check check = {.deadline_ms = deadline_ms, .scan_rows = s->scan_rows};
    int r = pg_query_from_request(request, &query, f);

    if (r < 0)
        return r;
    check.failed = json_object_get(request, "failed");
    for (int tries = 1;; tries++) {
        r = check_query(conn, &query, request, known, &check, document, f);
        int64_t pause = pg_jitter(RETRY_PAUSE_MS), left = deadline_ms - pg_now_ms();
        /* A lock is waited for in pieces, for others wait behind who waits. */
        bool locked = r == CELL_DEADLINE_EXCEEDED && left > LEAST_RETRY_MS;
        bool overtaken = check.pending && tries < MOST_TRIES && was_overtaken(f) && left > pause;
        if (r >= 0 || PQstatus(conn) != CONNECTION_OK || !(locked || overtaken))
            return r;
        pg_pause(pause);
    }
}

int pg_expand(cell_ctx *c, cell_str request, cell_str *document)
{
    struct pg_service *s = cell_ctx_user(c);
    int64_t deadline_ms = pg_deadline_of(c);
    json_t *root = read_expand_request(c, request), *answer = NULL;
    PGconn *conn = NULL;
    struct pg_recorded *recorded = NULL;
    struct pg_failure f = {0};

    if (!root)
        return CELL_INVALID_ARGUMENT;
    int r = pg_records_take(&s->records, cell_ctx_server(c), &recorded, &f);
    const struct pg_known known = {recorded, json_string_value(json_object_get(root, "project"))};
    if (r >= 0)
        r = pg_lease_take(&s->leases, deadline_ms, &conn, &f);
    if (r >= 0 && pg_request_is_table(root))
        r = expand_table(conn, root, &known, deadline_ms, &answer, &f);
    else if (r >= 0)
        r = expand_query(s, conn, root, &known, deadline_ms, &answer, &f);
    r = pg_lease_give(&s->leases, conn, r, &f);
    pg_records_give(&s->records, recorded);
    json_decref(root);
    return r < 0 ? pg_answer_failure(c, &f) : document_answer(c, answer, document);
}

/* Answers depend on the catalog, on what this cell may do, and on what programs are known to use. */
int pg_state_token(cell_ctx *c, int64_t deadline_ms, char token[PG_TOKEN_SIZE], struct pg_failure *f)
{
    struct pg_service *s = cell_ctx_user(c);
    struct pg_recorded *recorded = NULL;
    char state[PG_STATE_TOKEN_SIZE];
    PGconn *conn = NULL;
    int r = pg_records_take(&s->records, cell_ctx_server(c), &recorded, f);

    if (r >= 0)
        r = pg_lease_take(&s->leases, deadline_ms, &conn, f);
    if (r >= 0)
        r = pg_catalog_state(conn, &s->seen, state, f);
    r = pg_lease_give(&s->leases, conn, r, f);
    if (r >= 0)
        snprintf(token, PG_TOKEN_SIZE, "%s.%s.%.16s", state, pg_policy_name(s->policy), recorded->digest);
    pg_records_give(&s->records, recorded);
    return r;
}

int pg_state(cell_ctx *c, cell_str *token)
{
    char text[PG_TOKEN_SIZE];
    struct pg_failure f = {0};

    if (pg_state_token(c, pg_deadline_of(c), text, &f) < 0)
        return pg_answer_failure(c, &f);
    *token = cell_ctx_copy(c, cell_strz(text));
    return token->ptr ? CELL_OK : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}
