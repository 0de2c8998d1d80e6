/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Messages, and memory that is lent for their large values. In what a transport reserves for a frame the lent part
 * begins at CELL_LEND_FRONT; before it there is room for metadata and what else the message has:
 *
 *     memory        + metadata                 CELL_LEND_FRONT            + lent
 *     | metadata, pad | fixed part, small values … | what was lent          | what had no room before it |
 *
 * A message's parts begin at multiples of 8, counted from its first byte, and so does what was lent: metadata of
 * another length gets a pair that nobody reads (pad).
 */
#include <stdlib.h>
#include <string.h>

#include "https.h"
#include "pool.h"

/* A page: what is lent is aligned to one. */
#define CELL_LEND_FRONT 4096u
/* What is lent in one piece after another begins at multiples of this. */
#define LEND_ALIGN 64u
/* To lend less than this in shared memory costs more than to copy it. */
#define LEND_MIN (4u << 10)

/* Messages without the need for a large buffer, of at most so many bytes, after which it is given back. Two a call. */
#define KEPT_FOR 64u
#define MOST_KEPT (1u << 20)

#define PAD_HEADER 8u /* of the pair, with its key */

/* ---- messages ---- */

/* A program that sends large messages goes on doing so: the buffer is kept for some time without one. */
static void reset_message(cell_ctx *c)
{
    struct cell_buffer *b = &c->message;
    if (b->len > CELL_KEPT_SCRATCH)
        c->small_messages = 0;
    else if (b->capacity > CELL_KEPT_SCRATCH)
        c->small_messages++;
    if (b->failed || c->small_messages > KEPT_FOR || b->capacity > MOST_KEPT)
        cell_scratch_reset(b);
    else
        b->len = 0;
}

void cell_body_reset(cell_ctx *c)
{
    reset_message(c);
    c->pieces.n = 0;
    c->pieces.bytes = 0;
    c->pad = 0;
}

/* Bytes of the pad behind `meta_len` bytes of metadata. */
static uint32_t pad_after(size_t meta_len) { return meta_len % 8 ? PAD_HEADER + (uint32_t)(-meta_len & 7) : 0; }

int cell_body_encode(cell_ctx *c, const struct cell_layout *layout, const void *in, uint32_t max,
                     const struct ctx_place *place, struct cell_error *e)
{
    cell_body_reset(c);
    uint32_t pad = pad_after(c->meta.len);
    size_t begin = c->meta.len + pad;
    if (!place || !place->memory || begin > CELL_LEND_FRONT || pad > max)
        return cell_message_encode_pieces(layout, in, max, NULL, &c->message, &c->pieces, e);
    const struct cell_place p = {place->memory + begin, place->memory + CELL_LEND_FRONT, place->lent};
    int r = cell_message_encode_pieces(layout, in, max - pad, &p, &c->message, &c->pieces, e);
    if (r == CELL_TOO_LARGE && pad) /* perhaps only by that */
        return cell_message_encode_pieces(layout, in, max, NULL, &c->message, &c->pieces, e);
    if (r == CELL_OK && c->pieces.in_place)
        c->pad = pad;
    return r;
}

int cell_body_encode_whole(cell_ctx *c, const struct cell_layout *layout, const void *in, uint32_t max,
                           struct cell_error *e)
{
    cell_body_reset(c);
    return cell_message_encode(layout, in, max, &c->message, e);
}

int cell_body_parts(const cell_ctx *c, const struct cell_buffer *meta, uint8_t pad[16],
                    struct iovec parts[CELL_BODY_PARTS], uint32_t *meta_len)
{
    int n = 0;
    *meta_len = meta ? (uint32_t)meta->len : 0;
    if (*meta_len)
        parts[n++] = (struct iovec){meta->data, *meta_len};
    if (c->pad) {
        const uint8_t head[PAD_HEADER] = {4, 0, (uint8_t)(c->pad - PAD_HEADER), 0, ':', 'p', 'a', 'd'};
        memset(pad, 0, 16);
        memcpy(pad, head, sizeof(head));
        parts[n++] = (struct iovec){pad, c->pad};
        *meta_len += c->pad;
    }
    size_t at = 0;
    for (uint32_t i = 0; i < c->pieces.n; i++) {
        if (c->pieces.piece[i].at > at)
            parts[n++] = (struct iovec){c->message.data + at, c->pieces.piece[i].at - at};
        at = c->pieces.piece[i].at;
        parts[n++] = (struct iovec){(void *)(uintptr_t)c->pieces.piece[i].bytes, c->pieces.piece[i].len};
    }
    if (c->message.len > at)
        parts[n++] = (struct iovec){c->message.data + at, c->message.len - at};
    return n;
}

/* ---- places ---- */

/* Reserves memory of the connection for a message of which `bytes` bytes are lent. False: there is none now. */
static bool reserve(struct cell_conn *conn, size_t bytes, uint64_t deadline_ns, struct ctx_place *p)
{
    struct cell_error e; /* set by whoever fails; what was wanted is only a way that is faster */
    uint8_t *memory;
    uint32_t size;
    if (!cell_conn_may_reserve(conn) || bytes > CELL_MAX_MESSAGE - CELL_LEND_FRONT ||
        cell_conn_reserve(conn, (uint32_t)bytes + CELL_LEND_FRONT, &memory, &size, deadline_ns, &e) < 0)
        return false;
    *p = (struct ctx_place){memory, size, 0};
    return true;
}

/* NULL: there is not so much left. */
static void *take(struct ctx_place *p, size_t bytes)
{
    size_t left = p->memory ? p->size - CELL_LEND_FRONT - p->lent : 0;
    if (bytes > left)
        return NULL;
    void *lent = p->memory + CELL_LEND_FRONT + p->lent;
    size_t taken = (bytes + LEND_ALIGN - 1) & ~(size_t)(LEND_ALIGN - 1);
    p->lent += (uint32_t)(taken < left ? taken : left);
    return lent;
}

/* ---- for a handler's reply ---- */

void *cell_ctx_lend(cell_ctx *c, size_t bytes)
{
    void *lent = NULL;
    if (!c)
        return NULL;
    if (bytes >= LEND_MIN && c->origin && c->origin->conn &&
        (c->reply.memory || reserve(c->origin->conn, bytes, 0, &c->reply)))
        lent = take(&c->reply, bytes);
    return lent ? lent : cell_arena_alloc(&c->arena, bytes);
}

void cell_reply_end(cell_ctx *c)
{
    if (c->reply.memory)
        cell_conn_unreserve(c->origin->conn); /* of an error, or of a reply without it */
    c->reply = (struct ctx_place){NULL, 0, 0};
}

/* ---- for a request ---- */

void cell_lend_end(cell_ctx *c)
{
    const struct ctx_lend l = c->lend;
    if (!l.begun)
        return;
    c->lend = (struct ctx_lend){.private_memory = l.private_memory, .private_size = l.private_size};
    if (!l.conn || l.forks != l.client->forks)
        return; /* in a fork's child it is closed already */
    if (l.lost) {
        cell_pool_close(l.client, l.conn);
    } else if (!l.leased) {
        cell_conn_unreserve(l.conn->conn);
        cell_pool_keep(c, l.client, l.conn);
    }
}

void cell_lend_trim(cell_ctx *c)
{
    free(c->lend.private_memory);
    c->lend.private_memory = NULL;
    c->lend.private_size = 0;
}

void cell_lend_use(cell_ctx *c, const struct client_call *k)
{
    struct ctx_lend *l = &c->lend;
    if (!l->conn || l->client != k->client || l->forks != k->client->forks || l->conn->service != k->service)
        return;
    cell_pool_return(c);
    cell_pool_keep(c, l->client, l->conn);
    l->leased = true;
}

/* Memory of a connection, which is nobody's lease from here on. When there is none, or no connection, private memory
 * does as well, and the call itself tells what is wrong. */
static void *lend_shared(cell_ctx *c, struct client_call *k, size_t bytes)
{
    struct ctx_lend *l = &c->lend;
    struct client_conn *conn;
    struct cell_error e; /* as above */
    uint64_t before = cell_begin_call(c, k);
    void *lent = NULL;
    if (cell_pool_take(c, k, false, &conn, &e) == CELL_OK) {
        cell_ctx_leave(c);
        if (reserve(conn->conn, bytes, c->deadline_ns, &l->place)) {
            l->client = k->client;
            l->forks = k->client->forks;
            l->conn = cell_pool_detach(c);
            lent = take(&l->place, bytes);
        }
    }
    c->deadline_ns = before;
    return lent;
}

static void *lend_private(cell_ctx *c, size_t bytes)
{
    struct ctx_lend *l = &c->lend;
    size_t size = (bytes + LEND_ALIGN - 1) & ~(size_t)(LEND_ALIGN - 1);
    if (size > l->private_size) {
        free(l->private_memory);
        l->private_memory = aligned_alloc(LEND_ALIGN, size);
        l->private_size = l->private_memory ? size : 0;
    }
    return l->private_memory;
}

static int check_begin(cell_ctx *c, const char *method, size_t bytes)
{
    if (c->lend.begun)
        return cell_fail(c, CELL_FAILED_PRECONDITION,
                         "%s: a request was begun already with this context: %s_send sends it, %s_release gives it up",
                         method, method, method);
    if (bytes == 0)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "%s: a request without lent memory need not be begun", method);
    if (bytes > CELL_MAX_MESSAGE)
        return cell_fail(c, CELL_TOO_LARGE, "%s: %zu bytes do not fit into a request, which has at most %u", method,
                         bytes, CELL_MAX_MESSAGE);
    return CELL_OK;
}

void *cell_begin(cell_ctx *c, const struct cell_service *service, uint32_t method, size_t bytes)
{
    struct client_call k;
    void *lent = NULL;
    if (!c || cell_prepare_method(c, service, method, &k) < 0 || check_begin(c, k.method->name, bytes) < 0)
        return NULL;
    bool shares = !k.client->fake && !k.client->server && !cell_https_address(c, &k);
    if (shares && bytes >= LEND_MIN)
        lent = lend_shared(c, &k, bytes);
    if (!lent)
        lent = lend_private(c, bytes);
    c->lend.begun = lent != NULL;
    if (!lent)
        cell_fail(c, CELL_NO_MEMORY, "%s: no memory for the request", k.method->name);
    return lent;
}
