/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One request of the app channel, from its id to its counters; and the gate that bounds how many run at once. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "server_parts.h"

int cell_server_answer(struct cell_server *s, const struct server_match *match, cell_ctx *c, uint32_t id,
                       const uint8_t *message, size_t len, const struct cell_buffer **meta)
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
    if (match)
        id = match->methods[id].id;
    struct method_counters *n = &s->method_counters[id];
    const struct call_target t = {s->cell, s->methods[id], s->layouts[id],        &s->hooks,
                                  NULL,    NULL,           s->options.max_message};
    cell_count(&n->calls, 1);
    cell_count(&n->bytes_in, len);
    int code = cell_serve_request(c, &t, message, len, meta);
    if (code < 0) {
        cell_count(&n->errors, 1);
        cell_count(&n->by_status[-code < (int)CELL_STATUS_COUNT ? -code : -CELL_UNKNOWN], 1);
    }
    cell_count(&n->bytes_out, c->message.len);
    cell_count(&n->done, 1);
    return code;
}

/* ---- the gate ---- */

void cell_gate_init(struct server_gate *g, uint32_t limit)
{
    pthread_mutex_init(&g->lock, NULL);
    g->limit = limit;
    g->running = 0;
    g->first = NULL;
    g->last = &g->first;
}

void cell_gate_destroy(struct server_gate *g) { pthread_mutex_destroy(&g->lock); }

static void remove_waiter(struct server_gate *g, struct gate_waiter *w)
{
    struct gate_waiter **at = &g->first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (!*at)
        g->last = at;
}

/* Waits in line; `lock` is held. */
static bool wait_in_line(struct server_gate *g, uint64_t deadline_ns)
{
    struct gate_waiter w = {.next = NULL, .admitted = false};
    const struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                                   .tv_nsec = (long)(deadline_ns % 1000000000u)};
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w.cond, &attr);
    pthread_condattr_destroy(&attr);
    *g->last = &w;
    g->last = &w.next;
    int r = 0;
    while (!w.admitted && r != ETIMEDOUT)
        r = deadline_ns == CELL_NO_DEADLINE ? pthread_cond_wait(&w.cond, &g->lock)
                                            : pthread_cond_timedwait(&w.cond, &g->lock, &until);
    if (!w.admitted)
        remove_waiter(g, &w);
    pthread_cond_destroy(&w.cond);
    return w.admitted;
}

bool cell_gate_enter(struct server_gate *g, uint64_t deadline_ns, bool *waited)
{
    bool admitted = true;
    pthread_mutex_lock(&g->lock);
    *waited = g->running >= g->limit;
    if (!*waited)
        g->running++;
    else
        admitted = wait_in_line(g, deadline_ns);
    pthread_mutex_unlock(&g->lock);
    return admitted;
}

void cell_gate_leave(struct server_gate *g)
{
    pthread_mutex_lock(&g->lock);
    struct gate_waiter *w = g->first;
    if (w) { /* the place changes hands, so that nobody overtakes */
        g->first = w->next;
        if (!g->first)
            g->last = &g->first;
        w->admitted = true;
        pthread_cond_signal(&w->cond);
    } else {
        g->running--;
    }
    pthread_mutex_unlock(&g->lock);
}
