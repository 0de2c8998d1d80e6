/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "catalog.h"

bool pg_request_is_table(const json_t *request)
{
    const char *verb = json_string_value(json_object_get(json_object_get(request, "annotation"), "verb"));

    return verb && (strcmp(verb, "table") == 0 || strcmp(verb, "rows") == 0);
}

static void free_declared(struct pg_unit *u)
{
    for (uint32_t i = 0; i < u->n; i++)
        pg_declared_free(u->declared[i]);
    u->n = 0;
}

void pg_unit_free(struct pg_unit *u)
{
    free_declared(u);
    free(u->declared);
    free(u->request);
    pg_model_free(u->catalog);
    pg_plan_free(u->plan);
    *u = (struct pg_unit){0};
}

static int declare_all(struct pg_unit *u, json_t *const *requests, uint32_t n, struct pg_failure *f)
{
    char why[256];

    free_declared(u);
    for (uint32_t i = 0; i < n; i++) {
        if (!pg_request_is_table(requests[i]))
            continue;
        int r = pg_declare(requests[i], u->catalog, &u->declared[u->n], why);
        if (r < 0)
            return pg_fail(f, r, "%s", r == CELL_NO_MEMORY ? "out of memory" : why);
        u->request[u->n++] = i;
    }
    return CELL_OK;
}

/* Neither the table nor the one that it is said to have been is there: it is new, or the former name is misspelt. */
static bool finds_nothing(const struct pg_model *catalog, const struct pg_declared *d)
{
    return d->table.name && d->renamed_from && !pg_model_table(catalog, d->table.schema, d->table.name) &&
           !pg_model_table(catalog, d->table.schema, d->renamed_from);
}

/* The tables that declarations name: their own, its former name, and those that foreign keys refer to; and what has the
 * names that their keys and indexes may get. With the catalog read so far also all other tables of the schema where one
 * finds nothing. */
static int read_catalog(PGconn *conn, struct pg_unit *u, int64_t deadline_ms, struct pg_failure *f)
{
    uint32_t room = 0, n = 0;

    for (uint32_t i = 0; i < u->n; i++)
        room += 4 + u->declared[i]->table.nforeign + u->declared[i]->nrelations;
    struct pg_wanted *wanted = calloc(room + 1u, sizeof(*wanted));
    if (!wanted)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < u->n; i++) {
        const struct pg_declared *d = u->declared[i];
        if (d->table.name)
            wanted[n++] = (struct pg_wanted){d->table.schema, d->table.name, false};
        if (d->renamed_from)
            wanted[n++] = (struct pg_wanted){d->table.schema, d->renamed_from, false};
        if (u->catalog && finds_nothing(u->catalog, d)) {
            wanted[n++] = (struct pg_wanted){d->table.schema, NULL, false};
            wanted[n++] = (struct pg_wanted){NULL, d->renamed_from, false};
        }
        for (uint32_t k = 0; k < d->table.nforeign; k++)
            if (d->table.foreign[k].to_table)
                wanted[n++] = (struct pg_wanted){d->table.foreign[k].to_schema, d->table.foreign[k].to_table, false};
        for (uint32_t k = 0; k < d->nrelations; k++)
            wanted[n++] = (struct pg_wanted){d->table.schema, d->relations[k], true};
    }
    pg_model_free(u->catalog);
    u->catalog = NULL;
    int r = pg_catalog_read(conn, wanted, n, deadline_ms, &u->catalog, f);
    free(wanted);
    return r;
}

static bool any_finds_nothing(const struct pg_unit *u)
{
    for (uint32_t i = 0; i < u->n; i++)
        if (finds_nothing(u->catalog, u->declared[i]))
            return true;
    return false;
}

static uint32_t count_names(const struct pg_unit *u)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < u->n; i++)
        n += u->declared[i]->nrelations;
    return n;
}

/* With the catalog fields may be understood that were not before, and with them their indexes: then it is asked for
 * their names as well. */
static int declare_again(PGconn *conn, json_t *const *requests, uint32_t n, int64_t deadline_ms, struct pg_unit *u,
                         struct pg_failure *f)
{
    uint32_t asked = count_names(u);
    int r = declare_all(u, requests, n, f);

    if (r < 0 || count_names(u) == asked)
        return r;
    r = read_catalog(conn, u, deadline_ms, f);
    return r < 0 ? r : declare_all(u, requests, n, f);
}

/* With the arena's escape set: nothing that changes is of this frame. */
static int diff(struct pg_unit *u, const struct pg_known *known, struct pg_arena *arena)
{
    struct pg_diff_options options;
    jmp_buf escape;

    arena->escape = &escape;
    if (setjmp(escape))
        return CELL_NO_MEMORY;
    const struct pg_declared *const *declared = (const struct pg_declared *const *)u->declared;
    pg_uses_of_others(arena, known, declared, u->n, &options);
    return pg_diff(u->catalog, declared, u->n, &options, &u->plan);
}

static int plan(struct pg_unit *u, const struct pg_known *known, struct pg_failure *f)
{
    struct pg_arena arena = {0};
    int r = diff(u, known, &arena);

    pg_arena_free(&arena);
    return r < 0 ? pg_fail(f, CELL_NO_MEMORY, "out of memory") : r;
}

int pg_unit_plan(PGconn *conn, json_t *const *requests, uint32_t n, const struct pg_known *known, int64_t deadline_ms,
                 struct pg_unit *unit, struct pg_failure *f)
{
    struct pg_unit u = {.declared = calloc(n + 1u, sizeof(*u.declared)), .request = calloc(n + 1u, sizeof(*u.request))};
    /* Twice: what a declaration is depends on the database's enums and version, and which tables matter on it. */
    int r = u.declared && u.request ? declare_all(&u, requests, n, f) : pg_fail(f, CELL_NO_MEMORY, "out of memory");

    if (r >= 0)
        r = read_catalog(conn, &u, deadline_ms, f);
    if (r >= 0 && any_finds_nothing(&u))
        r = read_catalog(conn, &u, deadline_ms, f);
    if (r >= 0)
        r = declare_again(conn, requests, n, deadline_ms, &u, f);
    if (r >= 0)
        r = plan(&u, known, f);
    if (r >= 0)
        r = pg_unit_check_types(conn, &u, f);
    if (r < 0) {
        pg_unit_free(&u);
        return r;
    }
    *unit = u;
    return CELL_OK;
}

bool pg_unit_has_errors(const struct pg_unit *u, uint32_t i)
{
    return pg_has_errors(&u->declared[i]->diagnostics, UINT32_MAX) || pg_has_errors(&u->plan->diagnostics, i);
}

/* The same id for the same steps, whatever else is planned. */
static bool make_id(const struct pg_plan *p, char id[33])
{
    json_t *all = json_array();
    char *text = NULL;

    for (uint32_t i = 0; i < p->nsteps; i++)
        for (uint32_t k = 0; k < p->steps[i].nsql; k++)
            json_array_append_new(all, json_string(p->steps[i].sql[k]));
    text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    if (text)
        pg_hash(text, strlen(text), id);
    free(text);
    return text != NULL;
}

/* Number `i` has a column that a key or an index of number `other` names: without it there is no step for that. */
static bool completes(const struct pg_unit *u, uint32_t i, uint32_t other)
{
    const struct pg_declared *d = u->declared[other];
    bool found = false;

    for (uint32_t k = 0; k < d->nouter && i > other && !found; k++)
        found = d->outer[k].use != PG_OUTER_RETYPED && u->declared[i]->owned &&
                pg_table_column(&u->declared[i]->table, d->outer[k].column) &&
                strcmp(d->table.name, u->declared[i]->table.name) == 0 &&
                strcmp(d->table.schema, u->declared[i]->table.schema) == 0;
    return found;
}

/* What a step does for declaration number `i`: all of it, when it is its own, or what it makes for it as well. What a
 * later declaration makes possible is in the plan of both. NULL = nothing. */
static const char *text_for(const struct pg_unit *u, const struct pg_step *step, uint32_t i)
{
    if (step->declared == i)
        return step->text;
    for (uint32_t k = 0; k < step->nshares; k++)
        if (step->shares[k].declared == i)
            return step->shares[k].text;
    return step->consented == i || completes(u, i, step->declared) ? step->text : NULL;
}

json_t *pg_unit_plan_json(const struct pg_unit *u, uint32_t i, char id[33], uint32_t *nsteps)
{
    struct pg_plan own = {.steps = calloc(u->plan->nsteps + 1u, sizeof(*own.steps))};
    json_t *plan = NULL;

    for (uint32_t k = 0; own.steps && k < u->plan->nsteps; k++) {
        const char *text = text_for(u, &u->plan->steps[k], i);
        if (!text)
            continue;
        own.steps[own.nsteps] = u->plan->steps[k];
        own.steps[own.nsteps++].text = text;
    }
    id[0] = '\0';
    *nsteps = own.nsteps;
    if (own.nsteps && make_id(&own, own.id)) {
        memcpy(id, own.id, sizeof(own.id));
        plan = pg_plan_json(&own);
    }
    free(own.steps);
    return plan;
}
