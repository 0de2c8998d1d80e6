/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Contexts: memory, deadline, cancellation. */
#include "call.h"

#include <stdlib.h>
#include <string.h>

#include "async.h"
#include "base/ticks.h"
#include "stream.h"

/* ---- life ---- */

static cell_ctx *new_ctx(uint64_t memory_limit)
{
    cell_ctx *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    if (pthread_mutex_init(&c->lock, NULL) != 0) {
        free(c);
        return NULL;
    }
    if (memory_limit == 0)
        memory_limit = CELL_DEFAULT_MEMORY;
    c->arena.limit = memory_limit < SIZE_MAX ? (size_t)memory_limit : SIZE_MAX;
    c->deadline_ns = CELL_NO_DEADLINE;
    return c;
}

cell_ctx *cell_ctx_open(const struct cell_ctx_options *options)
{
    cell_ctx *c = new_ctx(options ? options->memory_limit : 0);
    if (c && options) {
        c->timeout_ms = options->timeout_ms;
        c->client = options->client;
    }
    return c;
}

cell_ctx *cell_ctx_open_value(struct cell_ctx_options options) { return cell_ctx_open(&options); }

void cell_ctx_close(cell_ctx *c)
{
    if (!c)
        return;
    cell_async_free(c);
    cell_release(c);
    cell_streams_drop(c);
    cell_pool_return(c);
    cell_lend_trim(c);
    pthread_mutex_destroy(&c->lock);
    cell_buffer_free(&c->meta);
    cell_buffer_free(&c->message);
    cell_buffer_free(&c->head);
    cell_arena_free(&c->arena);
    free(c);
}

void cell_ctx_cleanup(cell_ctx **c) { cell_ctx_close(*c); }

static void forget_error(cell_ctx *c)
{
    c->details = NULL;
    c->ndetails = 0;
    c->detail_bytes = 0;
    c->error.status = CELL_OK;
    c->error.text[0] = '\0';
}

static void forget_all(cell_ctx *c)
{
    forget_error(c);
    c->incoming = NULL;
    if (c->arena.blocks)
        cell_arena_reset(&c->arena);
}

/* Each is looked at before it is called: most calls leave nothing behind. */
static void drop_outstanding(cell_ctx *c)
{
    if (c->async.lanes || c->async.batches)
        cell_async_drop(c);
    if (c->nheld || c->lend.begun)
        cell_release(c);
    if (c->streams)
        cell_streams_drop(c);
}

CELL_HOT void cell_ctx_reset(cell_ctx *c)
{
    if (c && (c->origin || c->intercepted))
        forget_error(c); /* what the handler or interceptor was given, and out parameters, live in the rest */
    else if (c) {
        drop_outstanding(c);
        forget_all(c);
    }
}

cell_ctx *cell_ctx_open_handler(uint64_t memory_limit) { return new_ctx(memory_limit); }

void cell_ctx_begin_handler(cell_ctx *c, struct ctx_origin *origin, uint64_t deadline_ns)
{
    c->origin = origin;
    c->deadline_ns = deadline_ns;
}

CELL_HOT void cell_ctx_begin_handler_at(cell_ctx *c, struct ctx_origin *origin, uint64_t arrived_ticks,
                                        uint32_t timeout_ms)
{
    c->origin = origin;
    c->arrived_ticks = arrived_ticks;
    c->due_ms = timeout_ms;
}

CELL_HOT void cell_ctx_end_handler(cell_ctx *c)
{
    drop_outstanding(c);
    if (c->reply.memory)
        cell_reply_end(c);
    if (c->lend.private_memory)
        cell_lend_trim(c);
    if (c->lease)
        cell_pool_return(c); /* its client need not outlive the server's threads */
    forget_all(c);
    cell_scratch_reset(&c->meta);
    cell_body_reset(c);
    cell_scratch_reset(&c->head);
    c->nmeta = 0;
    c->client = NULL;
    c->timeout_ms = 0;
    c->deadline_ns = CELL_NO_DEADLINE;
    c->due_ms = 0;
    c->origin = NULL;
    c->stream = NULL;
    atomic_store_explicit(&c->cancelled, false, memory_order_relaxed);
}

void cell_scratch_reset(struct cell_buffer *b)
{
    b->len = 0;
    if (b->failed || b->capacity > CELL_KEPT_SCRATCH)
        cell_buffer_free(b);
}

/* ---- memory ---- */

void *cell_ctx_alloc(cell_ctx *c, size_t size) { return c ? cell_arena_alloc(&c->arena, size) : NULL; }

cell_str cell_ctx_copy(cell_ctx *c, cell_str s)
{
    cell_str copy = {NULL, 0};
    if (!c || s.len >= SIZE_MAX)
        return copy;
    copy.ptr = cell_arena_copy(&c->arena, s.ptr, (size_t)s.len);
    copy.len = copy.ptr ? s.len : 0;
    return copy;
}

cell_str cell_ctx_printf(cell_ctx *c, const char *format, ...)
{
    cell_str s = {NULL, 0};
    va_list args;
    if (!c)
        return s;
    va_start(args, format);
    s.ptr = cell_arena_vprintf(&c->arena, format, args);
    va_end(args);
    s.len = s.ptr ? strlen(s.ptr) : 0;
    return s;
}

/* ---- deadline ---- */

void cell_ctx_set_timeout_ms(cell_ctx *c, uint32_t timeout_ms)
{
    if (c)
        c->timeout_ms = timeout_ms;
}

void cell_ctx_set_client(cell_ctx *c, struct cell_client *client)
{
    if (c && c->lessor != client)
        cell_pool_return(c);
    if (c)
        c->client = client;
}

uint64_t cell_ctx_deadline(const cell_ctx *c)
{
    return c->due_ms ? cell_ticks_ns(c->arrived_ticks) + c->due_ms * CELL_NS_PER_MS : c->deadline_ns;
}

uint64_t cell_ctx_call_deadline(const cell_ctx *c, uint32_t *timeout_ms, uint64_t now_ns)
{
    /* A call that a handler makes has its own caller's deadline; a timeout can only shorten it. */
    bool inherits = c->origin && c->deadline_ns != CELL_NO_DEADLINE;
    uint32_t ms = c->timeout_ms ? c->timeout_ms : inherits ? UINT32_MAX : CELL_DEFAULT_TIMEOUT_MS;
    uint64_t deadline = ms == UINT32_MAX ? CELL_NO_DEADLINE : now_ns + ms * CELL_NS_PER_MS;
    if (inherits && c->deadline_ns < deadline) {
        uint64_t left = c->deadline_ns > now_ns ? c->deadline_ns - now_ns : 0;
        deadline = c->deadline_ns;
        left = (left + CELL_NS_PER_MS - 1) / CELL_NS_PER_MS;
        ms = left >= UINT32_MAX ? UINT32_MAX - 1 : left ? (uint32_t)left : 1;
    }
    *timeout_ms = deadline == CELL_NO_DEADLINE ? 0 : ms;
    return deadline;
}

uint64_t cell_ctx_remaining_ns(const cell_ctx *c)
{
    uint64_t deadline = c ? cell_ctx_deadline(c) : CELL_NO_DEADLINE;
    if (deadline == CELL_NO_DEADLINE)
        return UINT64_MAX;
    uint64_t now = cell_now_ns();
    return now < deadline ? deadline - now : 0;
}

/* ---- cancellation ---- */

void cell_ctx_cancel(cell_ctx *c)
{
    if (!c)
        return;
    atomic_store(&c->cancelled, true);
    pthread_mutex_lock(&c->lock);
    if (atomic_load(&c->waiting) && c->lease && c->lease->conn) {
        uint64_t id = atomic_exchange(&c->sent, 0);
        if (id)
            cell_send_cancel(c->lease->conn, id);
        cell_conn_interrupt(c->lease->conn);
    }
    cell_async_interrupt(c);
    cell_streams_interrupt(c);
    if (c->child)
        cell_ctx_cancel(c->child);
    pthread_mutex_unlock(&c->lock);
}

CELL_BOOL_TYPE cell_ctx_cancelled(cell_ctx *c)
{
    if (!c || atomic_load(&c->cancelled))
        return true;
    if (c->origin && c->origin->gone && c->origin->gone(c->origin)) {
        atomic_store(&c->cancelled, true);
        return true;
    }
    return cell_ctx_remaining_ns(c) == 0;
}

void cell_ctx_enter(cell_ctx *c)
{
    atomic_store_explicit(&c->sent, 0, memory_order_relaxed);
    atomic_store(&c->waiting, true);
}

CELL_HOT void cell_ctx_leave(cell_ctx *c) { atomic_store_explicit(&c->waiting, false, memory_order_release); }

bool cell_ctx_take_cancel(cell_ctx *c)
{
    /* A handler's context stays cancelled: everything it would still do is for nobody. */
    if (!atomic_load_explicit(&c->cancelled, memory_order_relaxed))
        return false;
    return c->origin || atomic_exchange(&c->cancelled, false);
}
