/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "apply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apply_parts.h"
#include "drift.h"
#include "sqltext.h"

#define LOCK_TIMEOUT_MS 200
#define RETRY_PAUSE_MS 100
#define IDLE_MS 60000 /* within a transaction: a cell that hangs does not hold locks for ever */
#define MOST_REPEATS 1000000

int pg_policy_allows(enum pg_policy policy, const struct pg_step *step, struct pg_failure *f)
{
    bool hazard = step->hazard && step->hazard[0];
    char text[2 * PG_SHORT_SIZE];

    bool additive = pg_step_is_additive(step->kind) || step->on_new;

    if (policy == PG_POLICY_APPLY || (policy == PG_POLICY_ADDITIVE && !hazard && additive))
        return CELL_OK;
    return pg_fail(f, CELL_PERMISSION_DENIED, "the policy is '%s', which does not allow%s%s%s: %s",
                   pg_policy_name(policy), policy == PG_POLICY_ADDITIVE ? " a step that is not additive" : " any step",
                   hazard ? " with the hazard " : "", hazard ? step->hazard : "",
                   pg_shorten(text, sizeof(text), step->text, SIZE_MAX));
}

int pg_history_begin(PGconn *conn, const struct pg_plan *plan, const struct pg_step *step, bool done,
                     const struct pg_migration_options *o, char id[24], struct pg_failure *f)
{
    const struct pg_origin *from = step->declared < o->norigins ? &o->origins[step->declared] : NULL;
    PGresult *result = NULL;
    char number[16];

    snprintf(number, sizeof(number), "%d", (int)(step - plan->steps) + 1);
    const char *const params[] = {plan->id,
                                  number,
                                  pg_step_name(step->kind),
                                  step->text,
                                  step->hazard && step->hazard[0] ? step->hazard : NULL,
                                  step->consent,
                                  step->schema,
                                  step->table,
                                  from ? from->fingerprint : NULL,
                                  o->who,
                                  from ? from->source : NULL,
                                  done ? "true" : "false"};
    int r = pg_query(conn,
                     "INSERT INTO cell.history (plan, step, kind, text, hazard, consent, schema_name, table_name, "
                     "fingerprint, who, source, done) VALUES ($1, $2::integer, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
                     "CASE WHEN $12::boolean THEN pg_catalog.clock_timestamp() END) RETURNING id",
                     12, params, &result, f);
    if (r >= 0)
        snprintf(id, 24, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return r;
}

int pg_history_done(PGconn *conn, const char *id, struct pg_failure *f)
{
    PGresult *result = NULL;
    int r = pg_query(conn, "UPDATE cell.history SET done = pg_catalog.clock_timestamp() WHERE id = $1::bigint", 1, &id,
                     &result, f);

    PQclear(result);
    return r;
}

/* What the steps of one go have in common. */
struct go {
    PGconn *conn;
    const struct pg_plan *plan;
    const struct pg_migration_options *o;
    struct pg_applied *applied;
};

static int64_t left_ms(const struct go *g) { return g->o->deadline_ms - pg_now_ms(); }

/* A lock that somebody else has, or a deadlock with one: worth another try. */
static bool is_busy(const struct pg_failure *f)
{
    return strcmp(f->sqlstate, "55P03") == 0 || strcmp(f->sqlstate, "40P01") == 0;
}

/* `f` is that of the try before, if there was one: when the time ended between two, it is the lock that it went by
 * with.
 */
static int set_timeouts(const struct go *g, bool waits, struct pg_failure *f)
{
    int64_t lock = g->o->lock_timeout_ms ? g->o->lock_timeout_ms : LOCK_TIMEOUT_MS, left = left_ms(g);
    char sql[192];

    if (left <= 0)
        return is_busy(f) ? CELL_DEADLINE_EXCEEDED : pg_fail(f, CELL_DEADLINE_EXCEEDED, "the time is over");
    /* A concurrent step waits for transactions that began before it, with a lock that stands in nobody's way. */
    lock = waits || lock > left ? left : lock;
    snprintf(sql, sizeof(sql),
             "SET lock_timeout = %" PRId64 "; SET statement_timeout = %" PRId64
             "; SET idle_in_transaction_session_timeout = %d",
             lock, left, IDLE_MS);
    return pg_run(g->conn, sql, f);
}

static int run(const struct go *g, const char *sql, struct pg_failure *f)
{
    pg_boundary(g->o);
    int r = pg_run(g->conn, sql, f);
    pg_boundary(g->o);
    return r;
}

/* Which part of the step's statement failed, by where the server says that it did. */
static const struct pg_step_part *find_part(const struct pg_step *step, uint32_t statement, const struct pg_failure *f)
{
    const char *sql = step->sql[statement];
    size_t at = f->position > 0 ? sql_byte_of_character(sql, strlen(sql), f->position) : 0;

    for (uint32_t i = 0; i < step->nparts; i++) {
        const struct pg_step_part *p = &step->parts[i];
        bool all = p->span.to == 0;
        if (p->statement == statement && (all || (f->position > 0 && at >= p->span.from && at < p->span.to)))
            return p;
    }
    return NULL;
}

/* Of a step that has failed, and of which nothing is left, the part that fails in the same way when it is made alone.
 */
static const struct pg_step_part *probe_parts(const struct go *g, const struct pg_step *step,
                                              const struct pg_failure *f)
{
    const struct pg_step_part *found = NULL;

    for (uint32_t i = 0; i < step->nparts && !found; i++) {
        struct pg_failure why = {0};
        const char *sql = step->parts[i].probe;
        if (!sql || pg_run(g->conn, "BEGIN", NULL) < 0)
            continue;
        if (pg_run(g->conn, sql, &why) < 0 && strcmp(why.sqlstate, f->sqlstate) == 0)
            found = &step->parts[i];
        pg_run(g->conn, "ROLLBACK", NULL);
    }
    return found;
}

/* The steps first … last - 1 in one transaction. */
static int run_together(const struct go *g, uint32_t first, uint32_t last, struct pg_failure *f)
{
    char id[24];
    int r = run(g, "BEGIN", f);

    for (uint32_t i = first; r >= 0 && i < last; i++) {
        const struct pg_step *step = &g->plan->steps[i];
        g->applied->failed = step;
        for (uint32_t k = 0; r >= 0 && k < step->nsql; k++) {
            r = run(g, step->sql[k], f);
            g->applied->part = r < 0 ? find_part(step, k, f) : NULL;
        }
        if (r >= 0)
            r = pg_history_begin(g->conn, g->plan, step, true, g->o, id, f);
    }
    if (r >= 0)
        r = run(g, "COMMIT", f);
    if (r < 0 && PQstatus(g->conn) == CONNECTION_OK && PQtransactionStatus(g->conn) != PQTRANS_IDLE)
        pg_run(g->conn, "ROLLBACK", NULL);
    if (r < 0 && !g->applied->part && f->position == 0 && strncmp(f->sqlstate, "42", 2) == 0)
        g->applied->part = probe_parts(g, g->applied->failed, f);
    return r;
}

/* False too when the question cannot be answered, which its step will then find out. */
static bool is_true(const struct go *g, const char *query)
{
    PGresult *result = NULL;
    bool yes = false;

    if (query && pg_query(g->conn, query, 0, NULL, &result, NULL) >= 0)
        yes = PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    PQclear(result);
    return yes;
}

/* A step that is in no transaction: what an interrupted one has left is removed first. */
static int run_outside(const struct go *g, const struct pg_step *step, struct pg_failure *f)
{
    bool done = is_true(g, step->done), broken = !done && is_true(g, step->broken);
    char id[24];
    int r = pg_history_begin(g->conn, g->plan, step, false, g->o, id, f);

    for (uint32_t i = 0; r >= 0 && broken && i < step->nrepair; i++)
        r = run(g, step->repair[i], f);
    for (uint32_t i = 0; r >= 0 && !done && i < step->nsql; i++)
        r = run(g, step->sql[i], f);
    if (r >= 0 && step->done && !is_true(g, step->done))
        r = pg_fail(f, CELL_ABORTED, "the step had no effect");
    return r < 0 ? r : pg_history_done(g->conn, id, f);
}

/* One statement again and again, each time for as many rows as it takes itself. */
static int run_repeated(const struct go *g, const struct pg_step *step, struct pg_failure *f)
{
    char id[24];
    int r = pg_history_begin(g->conn, g->plan, step, false, g->o, id, f);

    for (int i = 0; r >= 0 && i < MOST_REPEATS; i++) {
        PGresult *result = NULL;
        pg_boundary(g->o);
        if (left_ms(g) <= 0)
            return pg_fail(f, CELL_DEADLINE_EXCEEDED, "the time is over; what was done so far stays done");
        r = pg_still_wanted(g->o, f);
        if (r < 0)
            break;
        r = pg_query(g->conn, step->sql[0], 0, NULL, &result, f);
        bool none = r >= 0 && strcmp(PQcmdTuples(result), "0") == 0;
        PQclear(result);
        if (none)
            break;
    }
    for (uint32_t i = 1; r >= 0 && i < step->nsql; i++)
        r = run(g, step->sql[i], f);
    return r < 0 ? r : pg_history_done(g->conn, id, f);
}

static int run_steps(const struct go *g, uint32_t first, uint32_t last, struct pg_failure *f)
{
    const struct pg_step *step = &g->plan->steps[first];
    int r = set_timeouts(g, step->mode == PG_OUTSIDE, f);

    g->applied->failed = step;
    g->applied->part = NULL;
    if (r < 0)
        return r;
    if (step->mode == PG_OUTSIDE)
        return run_outside(g, step, f);
    if (step->mode == PG_REPEATED)
        return run_repeated(g, step, f);
    return run_together(g, first, last, f);
}

/* Who has a lock on the step's table; "" when nobody does any more. */
static void find_holder(const struct go *g, const struct pg_step *step, char *text, size_t size)
{
    const char *const params[] = {step->schema, step->table};
    PGresult *result = NULL;

    text[0] = '\0';
    if (step->table &&
        pg_query(
            g->conn,
            "SELECT pg_catalog.concat_ws(', ', 'pid ' || a.pid, nullif(a.application_name, ''), a.usename, a.state) "
            "FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
            "WHERE l.locktype = 'relation' AND l.granted AND a.pid <> pg_catalog.pg_backend_pid() AND l.relation = "
            "pg_catalog.to_regclass(pg_catalog.format('%I.%I', coalesce($1, current_schema()), $2::text)) LIMIT 1",
            2, params, &result, NULL) >= 0 &&
        PQntuples(result) == 1)
        snprintf(text, size, "; table %s is locked by %s", step->table, PQgetvalue(result, 0, 0));
    PQclear(result);
}

/* Up to three rows that show why a step cannot be done with the data that is there. */
static void find_culprits(const struct go *g, const struct pg_step *step, struct pg_failure *f)
{
    PGresult *result = NULL;
    size_t n = strlen(f->text);

    if (!step->culprits || strncmp(f->sqlstate, "23", 2) != 0 ||
        pg_query(g->conn, step->culprits, 0, NULL, &result, NULL) < 0)
        return;
    for (int i = 0; i < PQntuples(result) && i < 3 && n + 1 < sizeof(f->text); i++)
        for (int k = 0; k < PQnfields(result) && n + 1 < sizeof(f->text); k++) {
            const char *value = PQgetisnull(result, i, k) ? "NULL" : PQgetvalue(result, i, k);
            snprintf(f->text + n, sizeof(f->text) - n, "%s%s = %.40s",
                     k   ? ", "
                     : i ? "; "
                         : ": ",
                     PQfname(result, k), value);
            n = strlen(f->text);
        }
    PQclear(result);
}

static int explain(const struct go *g, int r, struct pg_failure *f)
{
    const struct pg_step *step = g->applied->failed;
    char holder[160] = "";

    if (PQstatus(g->conn) == CONNECTION_OK) {
        /* The limit of the steps is about to end, or has: why they failed is worth a moment more. */
        pg_run(g->conn, "SET statement_timeout = 1000", NULL);
        if (is_busy(f) || strcmp(f->sqlstate, "57014") == 0)
            find_holder(g, step, holder, sizeof(holder));
        find_culprits(g, step, f);
    }
    if (r == CELL_DEADLINE_EXCEEDED) {
        struct pg_failure why = *f;
        char text[PG_SHORT_SIZE];
        r = pg_fail(f, r, "%s%s; 'cell migrate' waits longer",
                    is_busy(&why) ? "a lock was not given in time" : pg_shorten(text, sizeof(text), why.text, SIZE_MAX),
                    holder);
        memcpy(f->sqlstate, why.sqlstate, sizeof(f->sqlstate));
    }
    const struct pg_step_part *part = g->applied->part;
    const char *written = part ? part->written : step->written, *text = part ? step->sql[part->statement] : step->text;
    size_t from = part ? part->span.from : 0, length = part && part->span.to ? part->span.to - from : strlen(text);
    char what[PG_SHORT_SIZE], by[PG_SHORT_SIZE / 2];
    return pg_fail_context(f, r, "%s%s%s", pg_shorten(by, sizeof(by), written ? written : "", SIZE_MAX),
                           written ? ": " : "", pg_shorten(what, sizeof(what), text + from, length));
}

/* Tries a group of steps until it is done, fails, or the time is over. */
static int try_steps(const struct go *g, uint32_t first, uint32_t last, struct pg_failure *f)
{
    g->applied->failed = &g->plan->steps[first];
    *f = (struct pg_failure){0};
    for (;;) {
        int r = pg_still_wanted(g->o, f);
        if (r < 0)
            return r;
        r = run_steps(g, first, last, f);
        if (r >= 0 || !is_busy(f) || PQstatus(g->conn) != CONNECTION_OK)
            return r;
        int64_t pause = pg_jitter(RETRY_PAUSE_MS);
        if (left_ms(g) <= pause)
            return CELL_DEADLINE_EXCEEDED;
        pg_pause(pause);
    }
}

/* What a hand-written step has done nobody knows: the steps behind those of the plan may do the same. */
static bool must_plan_anew(const struct pg_plan *plan, uint32_t next)
{
    return plan->steps[next - 1].kind == PG_STEP_HAND_STEP && plan->steps[next].kind != PG_STEP_HAND_STEP;
}

int pg_apply(PGconn *conn, const struct pg_plan *plan, const struct pg_migration_options *options,
             struct pg_applied *applied, struct pg_failure *f)
{
    const struct go g = {conn, plan, options, applied};
    int r = CELL_OK;

    *applied = (struct pg_applied){0, NULL, NULL};
    for (uint32_t i = 0; i < plan->nsteps; i++)
        if ((r = pg_policy_allows(options->policy, &plan->steps[i], f)) < 0) {
            applied->failed = &plan->steps[i];
            return r;
        }
    r = pg_baseline_before(conn, plan, f);
    if (r < 0)
        return r;
    for (uint32_t first = 0, last; first < plan->nsteps; first = last) {
        last = first + 1;
        while (plan->steps[first].mode == PG_TOGETHER && last < plan->nsteps && plan->steps[last].mode == PG_TOGETHER)
            last++;
        r = try_steps(&g, first, last, f);
        if (r < 0)
            return explain(&g, r, f);
        applied->nsteps = last;
        if (last < plan->nsteps && must_plan_anew(plan, last))
            break;
    }
    applied->failed = NULL;
    return pg_baseline_after(conn, f);
}
