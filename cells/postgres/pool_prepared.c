/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Prepared statements: what they are, which ones a connection has, and how long they take. */
#include "pool_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pg_prepared *pg_prepared_new(struct pg_pool *pool, const char *sql, const Oid *types, int nparams)
{
    struct pg_prepared *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->pool = pool;
    s->id = atomic_fetch_add(&pool->ids, 1) + 1;
    s->sql = strdup(sql);
    s->types = calloc((size_t)nparams + 1, sizeof(Oid));
    s->nparams = nparams;
    if (!s->sql || !s->types) {
        pg_prepared_free(s);
        return NULL;
    }
    for (int i = 0; types && i < nparams; i++)
        s->types[i] = types[i];
    return s;
}

void pg_prepared_free(struct pg_prepared *s)
{
    if (!s)
        return;
    pg_prepared_free(s->merged);
    free(s->sql);
    free(s->types);
    free(s);
}

void pool_time(struct pg_prepared *s, uint64_t ns)
{
    uint64_t us = ns / 1000 + 1, old = atomic_load_explicit(&s->average_us, memory_order_relaxed);

    if (us > UINT32_MAX)
        us = UINT32_MAX;
    /* The first time counts in full; what follows by an eighth. Lost updates do not matter. */
    us = old ? (old * 7 + us) / 8 : us;
    atomic_store_explicit(&s->average_us, (uint_least32_t)(us ? us : 1), memory_order_relaxed);
}

/* Its place, or the free one where it would be. */
static uint32_t find(const struct pg_link *link, uint64_t id)
{
    uint32_t i = (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & link->prepared_mask;

    while (link->prepared[i].id != 0 && link->prepared[i].id != id)
        i = (i + 1) & link->prepared_mask;
    return i;
}

const char *link_prepared(struct pg_link *link, const struct pg_prepared *s)
{
    struct prepared_entry *e = &link->prepared[find(link, s->id)];

    if (e->id == 0)
        return NULL;
    e->used = ++link->uses;
    return e->name;
}

const char *link_add_prepared(struct pg_link *link, const struct pg_prepared *s)
{
    struct prepared_entry *e = &link->prepared[find(link, s->id)];

    if (e->id == 0)
        link->nprepared++;
    e->id = s->id;
    e->used = ++link->uses;
    snprintf(e->name, sizeof(e->name), "%s%" PRIu64, link->pool->prefix, ++link->names);
    atomic_fetch_add_explicit(&link->pool->counters.prepares, 1, memory_order_relaxed);
    return e->name;
}

static void take_out(struct pg_link *link, uint32_t i)
{
    uint32_t mask = link->prepared_mask;

    link->prepared[i].id = 0;
    link->nprepared--;
    /* What was put behind it because of it has to be found still. */
    for (uint32_t k = (i + 1) & mask; link->prepared[k].id != 0; k = (k + 1) & mask) {
        struct prepared_entry e = link->prepared[k];
        link->prepared[k].id = 0;
        link->prepared[find(link, e.id)] = e;
    }
}

void link_forget_prepared(struct pg_link *link, uint64_t id)
{
    uint32_t i = find(link, id);

    if (link->prepared[i].id != 0)
        take_out(link, i);
}

void link_forget_all(struct pg_link *link)
{
    memset(link->prepared, 0, (link->prepared_mask + 1) * sizeof(*link->prepared));
    link->nprepared = 0;
}

bool link_evict(struct pg_link *link, char name[POOL_NAME_SIZE])
{
    uint32_t oldest = UINT32_MAX;

    if (link->nprepared < link->pool->options.statements)
        return false;
    for (uint32_t i = 0; i <= link->prepared_mask; i++)
        if (link->prepared[i].id != 0 && (oldest == UINT32_MAX || link->prepared[i].used < link->prepared[oldest].used))
            oldest = i;
    memcpy(name, link->prepared[oldest].name, POOL_NAME_SIZE);
    take_out(link, oldest);
    atomic_fetch_add_explicit(&link->pool->counters.evictions, 1, memory_order_relaxed);
    return true;
}
