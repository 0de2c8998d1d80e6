/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Merging: executions of one statement that are sent together become one statement, whose parameters are arrays, and
 * whose rows say which execution they answer. To the database and to libpq that is little more than a single one. What
 * does not go as it should goes as if nothing had been merged: each execution by itself.
 */
#include "pool_impl.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define MOST_PARAMETERS 8
#define MOST_VALUE 1024u /* bytes of a value: larger ones gain nothing */
#define INT8OID 20

/* ---- results ---- */

struct pg_shared {
    PGresult *result;
    atomic_uint n; /* who has rows of it */
};

void pg_rows_clear(struct pg_rows *rows)
{
    struct pg_shared *shared = rows->shared;

    if (!shared) {
        PQclear(rows->result);
    } else if (atomic_fetch_sub_explicit(&shared->n, 1, memory_order_acq_rel) == 1) {
        PQclear(shared->result);
        free(shared);
    }
    *rows = (struct pg_rows){0};
}

static uint32_t collect(const struct flight *flight, struct pg_request *of[POOL_MERGE + 1])
{
    uint32_t n = 0;

    memset(of, 0, (POOL_MERGE + 1) * sizeof(of[0]));
    for (struct pg_request *r = flight->request; r; r = r->beside, n++)
        of[r->place] = r;
    return n;
}

/* Which execution row `i` answers; 0: none. */
static uint64_t place_of(const struct flight *flight, int i)
{
    uint64_t wire;

    if (PQgetlength(flight->result, i, 0) != sizeof(wire) || PQgetisnull(flight->result, i, 0))
        return 0;
    memcpy(&wire, PQgetvalue(flight->result, i, 0), sizeof(wire));
    wire = be64toh(wire);
    return wire <= flight->merged ? wire : 0;
}

static bool spread(const struct flight *flight, struct pg_request *const of[POOL_MERGE + 1], struct pg_shared *shared)
{
    PGresult *result = flight->result;
    int n = PQntuples(result);

    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQnfields(result) < 1 || PQftype(result, 0) != INT8OID)
        return false;
    for (struct pg_request *r = flight->request; r; r = r->beside)
        r->rows = (struct pg_rows){.result = result, .column = 1, .shared = shared};
    for (int i = 0; i < n; i++) {
        uint64_t place = place_of(flight, i);
        struct pg_request *r = place ? of[place] : NULL;
        if (place == 0)
            return false;
        if (!r) /* it is not waited for any more */
            continue;
        if (r->rows.n > 0 && r->rows.first + r->rows.n != i)
            return false;
        r->rows.first = r->rows.n > 0 ? r->rows.first : i;
        r->rows.n++;
    }
    return true;
}

bool link_share_rows(struct flight *flight)
{
    struct pg_request *of[POOL_MERGE + 1];
    uint32_t n = collect(flight, of);
    struct pg_shared *shared = n > 0 ? malloc(sizeof(*shared)) : NULL;

    if (shared && spread(flight, of, shared)) {
        shared->result = flight->result;
        atomic_init(&shared->n, n);
        flight->result = NULL;
        return true;
    }
    for (struct pg_request *r = flight->request; r; r = r->beside)
        r->rows = (struct pg_rows){0};
    free(shared);
    return false;
}

/* ---- sending ---- */

static bool can_merge(const struct pg_request *r)
{
    const struct pg_prepared *s = r->s;

    if (!s->merged || !r->merges || r->alone || (r->flags & (PG_RUN_WRITE | PG_RUN_RETRY)) != PG_RUN_RETRY ||
        !pool_is_fast(s) || atomic_load_explicit(&s->apart, memory_order_relaxed))
        return false;
    for (int i = 0; i < s->nparams; i++)
        if (!r->values->values[i] || r->values->formats[i] != 1 || (uint32_t)r->values->lengths[i] > MOST_VALUE)
            return false;
    return true;
}

uint32_t link_mergeable(struct pg_link *link)
{
    const struct pg_request *first = link->first;
    uint32_t n = 0;

    if (!first->next || !can_merge(first) || atomic_load_explicit(&link->pool->unprepared, memory_order_relaxed))
        return 1;
    for (struct pg_request *r = link->first; r && n < POOL_MERGE; r = r->next)
        r->place = r->s == first->s && can_merge(r) ? ++n : 0;
    return n ? n : 1;
}

bool link_merges_all(struct pg_link *link)
{
    return link->first && can_merge(link->first) && link_mergeable(link) == link->nqueued;
}

struct pg_request *link_take_merged(struct pg_link *link, uint32_t n)
{
    struct pg_request *first = NULL, **at = &first, **p = &link->first;

    while (n > 0) {
        struct pg_request *r = *p;
        if (r->place == 0) {
            p = &r->next;
            continue;
        }
        *p = r->next;
        *at = r;
        at = &r->beside;
        link->nqueued--;
        n--;
    }
    *at = NULL;
    while (*p)
        p = &(*p)->next;
    link->last = p;
    return first;
}

static void put(char **at, const void *bytes, size_t n)
{
    memcpy(*at, bytes, n);
    *at += n;
}

static void put32(char **at, uint32_t value)
{
    uint32_t wire = htobe32(value);

    put(at, &wire, sizeof(wire));
}

/* One dimension, no NULL: array_recv in src/backend/utils/adt/arrayfuncs.c. */
static void put_array(char **at, const struct pg_request *r, uint32_t n, int parameter)
{
    put32(at, 1);
    put32(at, 0);
    put32(at, r->s->types[parameter]);
    put32(at, n);
    put32(at, 1);
    for (; r; r = r->beside) {
        put32(at, (uint32_t)r->values->lengths[parameter]);
        put(at, r->values->values[parameter], (size_t)r->values->lengths[parameter]);
    }
}

static bool make_room(struct pg_link *link, const struct pg_request *r, int nparams)
{
    size_t size = (size_t)nparams * 20;

    for (; r; r = r->beside)
        for (int i = 0; i < nparams; i++)
            size += 4 + (size_t)r->values->lengths[i];
    if (size <= link->arrays.room)
        return true;
    char *data = realloc(link->arrays.data, size * 2);
    if (data) {
        link->arrays.data = data;
        link->arrays.room = size * 2;
    }
    return data != NULL;
}

bool link_send_merged(struct pg_link *link, const char *name, const struct pg_request *r, uint32_t n)
{
    const char *values[MOST_PARAMETERS];
    int lengths[MOST_PARAMETERS], formats[MOST_PARAMETERS], nparams = r->s->nparams;

    if (!make_room(link, r, nparams))
        return false;
    char *at = link->arrays.data;
    for (int i = 0; i < nparams; i++) {
        values[i] = at;
        put_array(&at, r, n, i);
        lengths[i] = (int)(at - values[i]);
        formats[i] = 1;
    }
    atomic_fetch_add_explicit(&link->pool->counters.merges, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&link->pool->counters.merged, n, memory_order_relaxed);
    return PQsendQueryPrepared(link->connection, name, nparams, values, lengths, formats, 1);
}

int pg_prepared_merge(struct pg_prepared *s, const char *sql, const Oid *arrays)
{
    if (s->nparams < 1 || s->nparams > MOST_PARAMETERS)
        return CELL_OK; /* it stays as it is */
    s->merged = pg_prepared_new(s->pool, sql, arrays, s->nparams);
    return s->merged ? CELL_OK : CELL_NO_MEMORY;
}
