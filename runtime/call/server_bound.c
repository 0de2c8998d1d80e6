/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Methods that clients bring with them. What the cell makes of a binding is made by the first call and shared by all
 * that follow, of all connections with the same schema. Each call counts as a use while it runs, so that what is given
 * up meanwhile, by cell_server_unbind, goes with the last of them; the cell's own functions run without any lock.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server_parts.h"

/* How long a call waits for another one's `bind` before it looks whether somebody still waits for it. */
#define LOOK_NS (UINT64_C(50) * CELL_NS_PER_MS)

struct bound_call {
    struct cell_server *server;
    struct server_match *match;
    uint32_t id;
};

static void unbind(struct cell_server *s, struct bound_object *o)
{
    for (struct bound_object *next; o; o = next) {
        next = o->next_over;
        if (s->options.bound->unbind)
            s->options.bound->unbind(s->options.user, o->bound);
        free(o);
    }
}

/* Nobody finds it any more. Returns what is to be unbound at once; the match's lock is held. */
static struct bound_object *give_up(struct bound_method *b)
{
    struct bound_object *o = b->object;
    b->object = NULL;
    if (!o)
        return NULL;
    o->given_up = true;
    return o->uses == 0 ? o : NULL;
}

void cell_bound_release(struct cell_server *s, struct server_match *m, struct bound_object *o)
{
    pthread_mutex_lock(&m->lock);
    bool last = --o->uses == 0 && o->given_up;
    pthread_mutex_unlock(&m->lock);
    if (last)
        unbind(s, o);
}

bool cell_bound_try(struct server_match *match, uint32_t id, const struct method_layouts **layouts,
                    struct method_counters **counters, struct bound_object **object)
{
    struct bound_method *b = &match->bound[id];
    *counters = atomic_load_explicit(&b->counters, memory_order_acquire);
    if (!*counters)
        return false;
    *layouts = b->layouts;
    pthread_mutex_lock(&match->lock);
    *object = b->object;
    if (b->object)
        b->object->uses++;
    pthread_mutex_unlock(&match->lock);
    return *object != NULL;
}

/* ---- binding ---- */

static int check_wanted(cell_ctx *c, const char *method)
{
    if (!cell_ctx_cancelled(c))
        return CELL_OK;
    int status = cell_ctx_remaining_ns(c) == 0 ? CELL_DEADLINE_EXCEEDED : CELL_CANCELLED;
    return cell_fail(c, status, "%s: %s", method, cell_status_text(status));
}

/* Until another call's `bind` has returned, or for a while. The lock is held, but not while waiting and looking. */
static int wait_for_other(struct server_match *m, cell_ctx *c, const char *method)
{
    uint64_t until_ns = cell_now_ns() + LOOK_NS;
    const struct timespec until = {(time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u)};
    pthread_cond_timedwait(&m->changed, &m->lock, &until);
    pthread_mutex_unlock(&m->lock);
    int r = check_wanted(c, method);
    pthread_mutex_lock(&m->lock);
    return r;
}

/* What `r` of the cell's own function is as the result of the call; `what` is said when that function has said nothing.
 */
static int failed(cell_ctx *c, int r, const char *method, const char *what)
{
    r = cell_status_normal(r);
    return c->error.status == r ? r : cell_fail(c, r, "%s %s: %s", method, what, cell_status_text(r));
}

/* Whether the client can be served: what was found to be so stays so. No lock is held; two calls may ask the same. */
static int check_client(struct bound_call *call, cell_ctx *c)
{
    const struct cell_bound_ops *ops = call->server->options.bound;
    struct server_match *m = call->match;

    if (!ops->check)
        return CELL_OK;
    for (;;) {
        pthread_mutex_lock(&m->lock);
        uint32_t i = m->checked;
        pthread_mutex_unlock(&m->lock);
        if (i == m->n)
            return CELL_OK;
        const struct cell_method *method = &m->described[i];
        int r = method->binding ? ops->check(c, method) : CELL_OK;
        if (r >= 0)
            r = check_wanted(c, method->name);
        if (r < 0)
            return failed(c, r, method->name, "cannot be served");
        pthread_mutex_lock(&m->lock);
        m->checked = m->checked == i ? i + 1 : m->checked;
        pthread_mutex_unlock(&m->lock);
    }
}

/* This call's `bind`; no lock is held. */
static int bind_now(struct bound_call *call, cell_ctx *c, struct bound_object **object)
{
    struct cell_server *s = call->server;
    const struct cell_method *method = &call->match->described[call->id];
    struct bound_object *o = calloc(1, sizeof(*o));
    if (!o)
        return cell_fail(c, CELL_NO_MEMORY, "%s: out of memory", method->name);
    int r = s->options.bound->bind(c, method, &o->bound);
    if (r < 0) {
        free(o);
        return failed(c, r, method->name, "could not be bound");
    }
    o->uses = 1;
    *object = o;
    return CELL_OK;
}

/* What the method is bound to, for this call; to be released. */
static int acquire(struct bound_call *call, cell_ctx *c, struct bound_object **object)
{
    struct cell_server *s = call->server;
    struct server_match *m = call->match;
    struct bound_method *b = &m->bound[call->id];
    int r = CELL_OK;
    pthread_mutex_lock(&m->lock);
    while (r == CELL_OK && !b->object && b->binding)
        r = wait_for_other(m, c, m->described[call->id].name);
    bool binds = r == CELL_OK && !b->object;
    if (r == CELL_OK && b->object) {
        b->object->uses++;
        *object = b->object;
    }
    b->binding |= binds;
    pthread_mutex_unlock(&m->lock);
    if (!binds)
        return r;
    unsigned epoch = atomic_load(&s->bound_epoch);
    r = check_client(call, c);
    if (r == CELL_OK)
        r = bind_now(call, c, object);
    pthread_mutex_lock(&m->lock);
    b->binding = false;
    if (r == CELL_OK && epoch == atomic_load(&s->bound_epoch))
        b->object = *object;
    else if (r == CELL_OK)
        (*object)->given_up = true; /* it was made of what was before cell_server_unbind */
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    return r;
}

/* ---- unbinding ---- */

static void unbind_match(struct cell_server *s, struct server_match *m)
{
    struct bound_object *over = NULL;
    if (!m->bound)
        return;
    pthread_mutex_lock(&m->lock);
    for (uint32_t i = 0; i < m->n; i++) {
        struct bound_object *o = give_up(&m->bound[i]);
        if (o) {
            o->next_over = over;
            over = o;
        }
    }
    pthread_mutex_unlock(&m->lock);
    unbind(s, over);
}

void cell_server_unbind(struct cell_server *server)
{
    if (!server || !server->options.bound)
        return;
    atomic_fetch_add(&server->bound_epoch, 1);
    cell_server_for_matches(server, unbind_match);
}

void cell_bound_free(struct cell_server *s, struct server_match *m)
{
    for (uint32_t i = 0; m->bound && i < m->n; i++) {
        unbind(s, m->bound[i].object);
        cell_method_layouts_free(m->bound[i].layouts);
    }
}

/* ---- counting ---- */

/* The counters of a method of that name; those of all others when there are too many names. */
static struct method_counters *counters_of(struct cell_server *s, const char *name)
{
    const struct schema_method *own = cell_schema_method(s->schema, name);
    if (own)
        return &s->method_counters[own - s->schema->methods];
    pthread_mutex_lock(&s->matches.lock);
    bool full = s->nbound_counters >= CELL_MAX_BOUND_COUNTERS;
    struct bound_counters *n = s->bound_counters, *others = NULL;
    for (; n && strcmp(n->name, name) != 0; n = n->next)
        others = strcmp(n->name, CELL_OTHER_METHODS) == 0 ? n : others;
    if (!n && full)
        n = others;
    if (!n && (n = calloc(1, sizeof(*n)))) {
        strncpy(n->name, full ? CELL_OTHER_METHODS : name, sizeof(n->name) - 1);
        n->next = s->bound_counters;
        s->bound_counters = n;
        s->nbound_counters++;
    }
    pthread_mutex_unlock(&s->matches.lock);
    return n ? &n->counters : NULL;
}

void cell_bound_counters_free(struct cell_server *s)
{
    for (struct bound_counters *n = s->bound_counters, *next; n; n = next) {
        next = n->next;
        free(n);
    }
}

/* ---- answering ---- */

/* With the first call: a hostile schema may have many methods, each of which takes long to look through. */
static int prepare(struct bound_call *call, const struct method_layouts **layouts, struct method_counters **counters)
{
    struct server_match *m = call->match;
    struct bound_method *b = &m->bound[call->id];
    struct method_counters *n = atomic_load_explicit(&b->counters, memory_order_acquire);
    if (!n) {
        pthread_mutex_lock(&m->lock);
        if (b->layouts || cell_method_layouts_new(&m->described[call->id], &b->layouts) == CELL_OK)
            n = counters_of(call->server, m->described[call->id].name);
        atomic_store_explicit(&b->counters, n, memory_order_release);
        pthread_mutex_unlock(&m->lock);
    }
    *layouts = b->layouts;
    *counters = n;
    return n ? CELL_OK : CELL_NO_MEMORY;
}

static int run(cell_ctx *c, const char *method, const void *in, void *const *out, void *user)
{
    struct bound_call *call = user;
    struct bound_object *o = NULL;
    (void)method;
    int r = acquire(call, c, &o);
    if (r < 0)
        return r;
    r = call->server->options.bound->invoke(c, &call->match->described[call->id], o->bound, in, out);
    cell_bound_release(call->server, call->match, o);
    return r;
}

int cell_bound_answer(struct cell_server *s, struct server_match *match, struct server_thread *t, cell_ctx *c,
                      uint32_t id, const uint8_t *message, size_t len, const struct cell_buffer **meta)
{
    struct bound_call call = {s, match, id};
    struct served_method m = {
        id, NULL, {s->cell, &match->described[id], NULL, &s->hooks, run, &call, s->options.max_message}};
    if (prepare(&call, &m.target.layouts, &m.counters) < 0) {
        struct cell_error e;
        cell_error_set(&e, CELL_RESOURCE_EXHAUSTED, "%s: no memory for the method", m.target.method->name);
        return cell_serve_refusal(c, &e, meta);
    }
    return cell_serve_counted(s, t, c, &m, message, len, meta);
}
