/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One request of the app channel, from its id to its counters. */
#include <stddef.h>

#include "server_parts.h"

/* ---- counting ---- */

static uint64_t load(const void *from, size_t offset)
{
    const atomic_uint_fast64_t *counter = (const atomic_uint_fast64_t *)(const void *)((const char *)from + offset);
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_tally(struct tally *y)
{
    if (!y->method)
        return;
#define ADD(member, name) cell_count(&y->method->member, atomic_exchange_explicit(&y->member, 0, memory_order_relaxed));
    CELL_METHOD_COUNTER_MAP(ADD)
#undef ADD
    y->method = NULL;
}

void cell_server_add_tallies(struct server_thread *t)
{
    for (unsigned i = 0; i < TALLIES; i++)
        add_tally(&t->tallies[i]);
}

uint64_t cell_server_counted(const struct cell_server *s, const struct method_counters *n, size_t in_method,
                             size_t in_tally)
{
    uint64_t sum = load(n, in_method);
    for (const struct server_thread *t = s->threads; t; t = t->next)
        for (unsigned i = 0; i < TALLIES; i++)
            if (t->tallies[i].method == n)
                sum += load(&t->tallies[i], in_tally);
    return sum;
}

CELL_HOT struct tally *cell_server_tally(struct cell_server *s, struct server_thread *t, uint32_t id,
                                         struct method_counters *n)
{
    struct tally *y = &t->tallies[id % TALLIES];
    if (y->method != n) {
        pthread_mutex_lock(&s->lock);
        add_tally(y);
        y->method = n;
        pthread_mutex_unlock(&s->lock);
    }
    return y;
}

/* ---- answering ---- */

void cell_server_count_error(struct method_counters *n, int code)
{
    cell_count(&n->errors, 1);
    cell_count(&n->by_status[-code < (int)CELL_STATUS_COUNT ? -code : -CELL_UNKNOWN], 1);
}

int cell_serve_counted(struct cell_server *s, struct server_thread *t, cell_ctx *c, const struct served_method *m,
                       const uint8_t *message, size_t len, const struct cell_buffer **meta)
{
    struct tally here = {0}, *y = t ? cell_server_tally(s, t, m->id, m->counters) : &here;
    here.method = m->counters;
    cell_count_own(&y->calls, 1);
    cell_count_own(&y->bytes_in, len);
    if (!t) { /* nobody else finds it here while the call runs */
        add_tally(&here);
        here.method = m->counters;
    }
    int code = cell_serve_request(c, &m->target, message, len, meta);
    if (code < 0)
        cell_server_count_error(m->counters, code);
    cell_count_own(&y->bytes_out, cell_body_len(c));
    cell_count_own(&y->done, 1);
    if (!t)
        add_tally(&here);
    return code;
}

const struct cell_method *cell_server_method(const struct cell_server *s, const struct server_match *match, uint32_t id)
{
    if (id >= (match ? match->n : s->schema->nmethods) || (match && match->methods[id].why))
        return NULL;
    if (match && match->methods[id].bound)
        return &match->described[id];
    uint32_t own = match ? match->methods[id].id : id;
    return s->lacks[own] ? NULL : s->methods[own];
}

int cell_server_answer(struct cell_server *s, struct server_match *match, struct server_thread *t, cell_ctx *c,
                       uint32_t id, const uint8_t *message, size_t len, const struct cell_buffer **meta)
{
    struct cell_error e; /* set where it is used */
    uint32_t known = match ? match->n : s->schema->nmethods;
    if (id >= known) {
        cell_error_set(&e, CELL_UNIMPLEMENTED, "%s has no method %d", s->cell, (int)id);
        return cell_serve_refusal(c, &e, meta);
    }
    if (len > s->options.max_message) {
        cell_error_set(&e, CELL_TOO_LARGE, "the request is larger than the cell's limit");
        return cell_serve_refusal(c, &e, meta);
    }
    if (match && match->methods[id].why) {
        cell_error_set(&e, CELL_SCHEMA_MISMATCH, "%s", match->methods[id].why);
        return cell_serve_refusal(c, &e, meta);
    }
    if (match && match->methods[id].bound)
        return cell_bound_answer(s, match, t, c, id, message, len, meta);
    if (match)
        id = match->methods[id].id;
    if (s->lacks[id]) {
        cell_error_set(&e, CELL_UNIMPLEMENTED, "%s needs %s, which %s was started without", s->schema->methods[id].name,
                       s->lacks[id], s->cell);
        return cell_serve_refusal(c, &e, meta);
    }
    const struct served_method m = {
        id,
        &s->method_counters[id],
        {s->cell, s->methods[id], s->layouts[id], &s->hooks, NULL, NULL, s->options.max_message}};
    return cell_serve_counted(s, t, c, &m, message, len, meta);
}
