/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The methods about what was done to the database: by plans, and by hand. */
#include "postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "drift.h"
#include "expand_parts.h"

_Static_assert((int)POSTGRES_ADDED == PG_CHANGE_ADDED && (int)POSTGRES_REMOVED == PG_CHANGE_REMOVED &&
                   (int)POSTGRES_CHANGED == PG_CHANGE_CHANGED && (int)POSTGRES_ADOPT == PG_ADOPT &&
                   (int)POSTGRES_REVERT == PG_REVERT && (int)POSTGRES_IGNORE == PG_IGNORE,
               "the interface says what the domain does");

#define HISTORY_DEFAULT 100
#define HISTORY_MOST 10000

static int no_memory(cell_ctx *c) { return cell_fail(c, CELL_NO_MEMORY, "out of memory"); }

/* A text of the reply; *ok becomes false when memory is short. */
static cell_str copy(cell_ctx *c, const char *text, bool *ok)
{
    cell_str s = cell_ctx_copy(c, cell_strz(text ? text : ""));

    *ok = *ok && s.ptr;
    return s;
}

static const char history[] =
    "SELECT id, step, (extract(epoch FROM began) * 1000000)::bigint, "
    "coalesce((extract(epoch FROM done) * 1000000)::bigint, 0), plan, kind, text, hazard, consent, schema_name, "
    "table_name, fingerprint, source, who, role FROM cell.history "
    "WHERE $1 = '' OR table_name = $1 OR schema_name || '.' || table_name = $1 ORDER BY id DESC LIMIT $2::integer";

static int give_steps(cell_ctx *c, const PGresult *result, postgres_steps *steps)
{
    int n = PQntuples(result);
    struct postgres_step *list = cell_ctx_alloc(c, ((size_t)n + 1) * sizeof(*list));
    bool ok = list != NULL;

    for (int i = 0; ok && i < n; i++) {
        struct postgres_step *s = &list[i];
        cell_str *const texts[] = {&s->plan,  &s->kind,        &s->text,   &s->hazard, &s->consent, &s->schema,
                                   &s->table, &s->fingerprint, &s->source, &s->who,    &s->role};
        s->id = strtoull(PQgetvalue(result, i, 0), NULL, 10);
        s->position = atoi(PQgetvalue(result, i, 1));
        s->began_us = strtoll(PQgetvalue(result, i, 2), NULL, 10);
        s->done_us = strtoll(PQgetvalue(result, i, 3), NULL, 10);
        for (int k = 0; k < 11; k++)
            *texts[k] = copy(c, PQgetvalue(result, i, 4 + k), &ok);
    }
    if (!ok)
        return no_memory(c);
    *steps = (postgres_steps){list, (uint64_t)n};
    return CELL_OK;
}

int postgres_history(cell_ctx *c, cell_str table, uint32_t limit, postgres_steps *steps)
{
    struct pg_service *s = cell_ctx_user(c);
    cell_str name = cell_ctx_copy(c, table);
    char number[16];
    const char *const params[] = {name.ptr, number};
    PGconn *conn = NULL;
    PGresult *result = NULL;
    struct pg_failure f = {0};

    if (!name.ptr)
        return no_memory(c);
    if (limit > HISTORY_MOST)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "limit: at most %d", HISTORY_MOST);
    snprintf(number, sizeof(number), "%u", limit ? limit : HISTORY_DEFAULT);
    int r = pg_lease_take(&s->leases, pg_deadline_of(c), &conn, &f);
    if (r >= 0)
        r = pg_query(conn, history, 2, params, &result, &f);
    r = pg_lease_give(&s->leases, conn, r, &f);
    /* Nothing was ever done here. */
    if (r < 0 && strcmp(f.sqlstate, "42P01") == 0)
        *steps = (postgres_steps){NULL, 0};
    else
        r = r < 0 ? pg_answer_failure(c, &f) : give_steps(c, result, steps);
    PQclear(result);
    return r < 0 && strcmp(f.sqlstate, "42P01") == 0 ? CELL_OK : r;
}

static int give_drift(cell_ctx *c, const pg_drifts *from, postgres_drift_list *drift)
{
    struct postgres_drifted *list = cell_ctx_alloc(c, ((size_t)from->n + 1) * sizeof(*list));
    bool ok = list != NULL;

    for (uint32_t i = 0; ok && i < from->n; i++) {
        const struct pg_drift *d = &from->at[i];
        list[i] = (struct postgres_drifted){
            copy(c, d->schema, &ok),         copy(c, d->table, &ok), copy(c, d->kind, &ok), copy(c, d->name, &ok),
            (enum postgres_change)d->change, copy(c, d->was, &ok),   copy(c, d->is, &ok),   d->ignored};
    }
    if (!ok)
        return no_memory(c);
    *drift = (postgres_drift_list){list, from->n};
    return CELL_OK;
}

int postgres_drift(cell_ctx *c, postgres_drift_list *drift)
{
    struct pg_service *s = cell_ctx_user(c);
    struct pg_arena arena = {0};
    pg_drifts found = {0};
    PGconn *conn = NULL;
    struct pg_failure f = {0};
    int r = pg_lease_take(&s->leases, pg_deadline_of(c), &conn, &f);

    if (r >= 0)
        r = pg_drift_read(conn, &arena, &found, &f);
    r = pg_lease_give(&s->leases, conn, r, &f);
    r = r < 0 ? pg_answer_failure(c, &f) : give_drift(c, &found, drift);
    pg_arena_free(&arena);
    return r;
}

static bool says(cell_str wanted, const char *text)
{
    return wanted.len == 0 || (strlen(text) == wanted.len && memcmp(text, wanted.ptr, wanted.len) == 0);
}

static bool is_wanted(const struct pg_drift *d, cell_str table, cell_str name)
{
    char qualified[2 * PG_NAME_SIZE + 2];

    snprintf(qualified, sizeof(qualified), "%s.%s", d->schema, d->table);
    return (says(table, d->table) || says(table, qualified)) && says(name, d->name);
}

/* What became of each object, for the details of a failure, which have room for 4 KiB together. */
#define MOST_LISTED 1500
struct outcome {
    json_t *settled, *unsettled; /* texts, as long as there is room; NULL = memory was short */
    uint32_t nsettled, nunsettled;
    size_t room[2];
};

static void list(struct outcome *o, const struct pg_drift *d, const struct pg_failure *why)
{
    char text[4 * PG_NAME_SIZE + sizeof(why->text)];
    int n = snprintf(text, sizeof(text), "%s.%s %s%s%s%s%s", d->schema, d->table, d->kind, d->name[0] ? " " : "",
                     d->name, why ? ": " : "", why ? why->text : "");
    size_t *room = &o->room[why != NULL];

    if (why)
        o->nunsettled++;
    else
        o->nsettled++;
    if ((size_t)n + 4 > *room) {
        *room = 0; /* those that are listed are the first ones */
        return;
    }
    *room -= (size_t)n + 4;
    json_array_append_new(why ? o->unsettled : o->settled, json_string(text));
}

/* All that is wanted, within a migration: what fails keeps nothing else from being settled, while there is a database
 * and time. The failure is the first one. */
static int settle_all(PGconn *conn, const struct pg_migration_options *o, cell_str table, cell_str name,
                      enum pg_settlement how, bool loses, struct outcome *outcome, struct pg_failure *f)
{
    struct pg_arena arena = {0};
    pg_drifts found = {0};
    int first = CELL_OK, r = pg_drift_read(conn, &arena, &found, f);

    for (uint32_t i = 0; r >= 0 && i < found.n; i++) {
        const struct pg_drift *d = &found.at[i];
        struct pg_failure why = {0};
        if (!is_wanted(d, table, name) || (d->ignored && how == PG_IGNORE))
            continue;
        int one = PQstatus(conn) != CONNECTION_OK || pg_now_ms() >= o->deadline_ms
                      ? pg_fail(&why, CELL_DEADLINE_EXCEEDED, "it was not tried any more")
                      : pg_drift_settle(conn, d, how, loses, o, &why);
        list(outcome, d, one < 0 ? &why : NULL);
        if (one >= 0 || first < 0)
            continue;
        first = one;
        *f = why;
        pg_fail_context(f, one, "%s %s %s", d->table, d->kind, d->name);
    }
    pg_arena_free(&arena);
    if (r >= 0 && outcome->nsettled + outcome->nunsettled == 0)
        return pg_fail(f, CELL_NOT_FOUND, "nothing was changed by hand there");
    if (first < 0 && outcome->nsettled + outcome->nunsettled > 1)
        pg_fail_context(f, first, "%u settled, %u not", outcome->nsettled, outcome->nunsettled);
    return r < 0 ? r : first < 0 ? first : (int)outcome->nsettled;
}

static void add_list(cell_ctx *c, const char *type, const json_t *list, uint32_t n)
{
    uint32_t more = n - (uint32_t)json_array_size(list);
    json_t *all = json_copy((json_t *)(uintptr_t)list);

    if (more)
        json_array_append_new(all, json_sprintf("and %u more", more));
    char *text = json_dumps(all, JSON_COMPACT);
    if (text)
        cell_add_detail(c, type, (cell_bytes){(const uint8_t *)text, strlen(text)});
    free(text);
    json_decref(all);
}

int postgres_settle(cell_ctx *c, cell_str table, cell_str name, enum postgres_settlement how, bool loses)
{
    struct pg_service *s = cell_ctx_user(c);
    char who[PG_WHO_SIZE];
    PGconn *conn = NULL;
    struct pg_failure f = {0};
    struct pg_migration_options o = {
        .policy = s->policy, .deadline_ms = pg_deadline_of(c), .who = pg_describe_caller(c, who)};

    if ((unsigned)how > POSTGRES_IGNORE)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "how: adopt, revert or ignore");
    struct outcome outcome = {json_array(), json_array(), 0, 0, {MOST_LISTED, MOST_LISTED}};
    int r = pg_lease_take(&s->migrations, o.deadline_ms, &conn, &f);
    if (r >= 0)
        r = pg_policy_of_database(conn, &o.policy, &f);
    if (r >= 0 && how == POSTGRES_REVERT && o.policy != PG_POLICY_APPLY)
        r = pg_fail(&f, CELL_PERMISSION_DENIED, "the policy is '%s': nothing is reverted", pg_policy_name(o.policy));
    if (r >= 0)
        r = pg_migration_begin(conn, &o, &f);
    if (r >= 0) {
        r = settle_all(conn, &o, table, name, (enum pg_settlement)how, loses, &outcome, &f);
        pg_migration_end(conn);
    }
    r = pg_lease_give(&s->migrations, conn, r, &f);
    if (r < 0)
        pg_answer_failure(c, &f);
    if (r < 0 && outcome.nunsettled) {
        add_list(c, "settled", outcome.settled, outcome.nsettled);
        add_list(c, "unsettled", outcome.unsettled, outcome.nunsettled);
    }
    json_decref(outcome.settled);
    json_decref(outcome.unsettled);
    return r;
}
