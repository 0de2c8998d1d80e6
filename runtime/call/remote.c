/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * One call over a connection, and when it is made again.
 *
 * A call is repeated only when nothing can have come of it, or when the method is idempotent:
 *   - an idle connection that turns out to be closed when the request is sent, or whose peer was gone before it took
 *     the request: the server never had it whole. Repeated at once on a new connection;
 *   - GOAWAY in place of the reply, or a handshake that was not completed: the server says that it did not begin the
 *     call. Repeated after a pause;
 *   - a connection lost while waiting for the reply: not known. Repeated after a pause if the method is idempotent,
 *     and CELL_UNKNOWN_OUTCOME if that, or what came of it, leaves the call without an answer.
 * A cell that cannot be connected to, and every status that a cell answers, is the result. Pauses are random, within
 * the deadline, and paid from the client's budget, so that a cell in trouble is not buried under repetitions.
 */
#include <string.h>
#include <time.h>

#include "async.h"
#include "wire/hello.h"

#define MAX_ATTEMPTS 3u
#define FIRST_PAUSE_NS (UINT64_C(10) * CELL_NS_PER_MS)

struct attempt {
    bool connected;    /* the failure came after a connection stood */
    bool exchanged;    /* and after its handshake */
    bool reused;       /* it was an idle one */
    bool not_executed; /* the server certainly did not begin the call */
};

/* ---- one attempt ---- */

/* The next frame, which may have been waited for already. */
static int next_frame(cell_ctx *c, const struct client_call *k, const struct client_conn *conn,
                      struct cell_received *received, struct cell_error *e)
{
    struct short_rest *rest = k->rest;
    if (!rest || !rest->waited)
        return cell_client_recv(c, conn, received, e);
    rest->waited = false;
    if (rest->status < 0)
        return cell_error_set(e, rest->status, "%s", rest->error.text);
    *received = rest->received;
    return CELL_OK;
}

int cell_fail_unexpected(const struct client_call *k, const struct cell_received *received, uint64_t id,
                         struct cell_error *e)
{
    const struct cell_frame *f = &received->frame;
    if (f->channel != CELL_CHANNEL_APP)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "%s: it answered on channel %u", k->service->name, f->channel);
    /* What a server says about bytes that it could not read as a frame. */
    if (f->kind == CELL_FRAME_WELCOME && f->code < 0) {
        struct cell_meta_pair p;
        char text[CELL_ERROR_TEXT] = "";
        if (cell_meta_find(received->meta, f->meta_len, CELL_META_MESSAGE, &p) == CELL_OK)
            cell_text_from_peer(p.value, p.value_len, text, sizeof(text));
        int code = cell_status_normal(f->code);
        return cell_error_set(e, code, "%s: %s", k->service->name, text[0] ? text : cell_status_text(code));
    }
    return cell_error_set(e, CELL_PROTOCOL_ERROR, "%s: it sent frame kind %u for call %llu where REPLY to %llu belongs",
                          k->service->name, f->kind, (unsigned long long)f->id, (unsigned long long)id);
}

int cell_receive_reply(cell_ctx *c, const struct client_call *k, const struct client_conn *conn, uint64_t id,
                       struct cell_received *received, bool *leaving, struct cell_error *e)
{
    const struct cell_frame *f = &received->frame;
    for (;;) {
        int r = next_frame(c, k, conn, received, e);
        if (r < 0)
            return r;
        if (f->kind == CELL_FRAME_REPLY && f->id == id && f->channel == CELL_CHANNEL_APP)
            return CELL_OK;
        if (f->kind == CELL_FRAME_GOAWAY && !*leaving && f->channel == CELL_CHANNEL_APP) {
            *leaving = true;
            continue;
        }
        return cell_fail_unexpected(k, received, id, e);
    }
}

int cell_send_call(cell_ctx *c, const struct client_call *k, struct client_conn *conn, struct cell_error *e)
{
    uint32_t meta_len;
    uint8_t pad[16];
    struct iovec v[CELL_BODY_PARTS];
    int n = cell_body_parts(c, &c->meta, pad, v, &meta_len);
    size_t length = cell_body_len(c) + meta_len;
    if (length > conn->max_send)
        return cell_error_set(e, CELL_TOO_LARGE, "%s: the request of %zu bytes is over the cell's limit of %u",
                              k->method->name, length, conn->max_send);
    const struct cell_frame f = {.length = (uint32_t)length,
                                 .kind = CELL_FRAME_CALL,
                                 .channel = CELL_CHANNEL_APP,
                                 .meta_len = (uint16_t)meta_len,
                                 .code = (int32_t)k->id,
                                 .timeout_ms = k->timeout_ms,
                                 .id = ++conn->next_id};
    int r = k->more ? cell_conn_send_more(conn->conn, &f, v, n, c->deadline_ns, e)
                    : cell_conn_send(conn->conn, &f, v, n, c->deadline_ns, e);
    if (r == CELL_OK)
        atomic_store_explicit(&c->sent, conn->next_id, memory_order_release);
    return r;
}

static int fail_if_cancelled(cell_ctx *c, struct cell_error *e)
{
    if (!atomic_load(&c->cancelled))
        return CELL_OK;
    return cell_error_set(e, CELL_CANCELLED, "%s", cell_status_text(CELL_CANCELLED));
}

/* Returns what the call returns; `a` tells whether it may be made again. */
static int exchange(cell_ctx *c, struct client_call *k, struct client_conn *conn, struct attempt *a,
                    struct cell_error *e)
{
    struct cell_received received;
    bool leaving = false, whole = false, too_large = false, holds = false;
    int r = fail_if_cancelled(c, e);
    if (r == CELL_OK && !k->rest)
        r = cell_send_call(c, k, conn, e);
    if (k->lent && conn == c->lend.conn)
        cell_conn_unreserve(conn->conn);
    too_large = r == CELL_TOO_LARGE;
    a->not_executed = r < 0 && !k->rest;
    if (r == CELL_OK) {
        r = cell_receive_reply(c, k, conn, conn->next_id, &received, &leaving, e);
        whole = r == CELL_OK;
        a->not_executed = r < 0 && (leaving || cell_conn_untaken(conn->conn));
    }
    /* The deadline is the caller's; a server that goes on would work for nobody. */
    if (r == CELL_DEADLINE_EXCEEDED || (r == CELL_CANCELLED && (c->origin || k->rest)))
        if (atomic_exchange(&c->sent, 0)) /* whoever takes it sends: never two at once */
            cell_send_cancel(conn->conn, conn->next_id);
    if (whole) {
        e->status = CELL_OK; /* of pauses in between; from here on the context has the error */
        r = cell_take_reply(c, k, received.frame.code, received.meta, received.frame.meta_len, received.message,
                            received.message_len);
        holds = r >= 0 && cell_stays_in_place(k, received.message_len);
        if (!holds && received.message_len >= CELL_LARGE_REPLY)
            cell_conn_release(conn->conn, false);
    }
    cell_ctx_leave(c);
    bool over = atomic_load(&c->cancelled) || leaving || !(whole || too_large);
    conn->fresh &= over;
    if (holds)
        cell_hold(c, over);
    else if (over)
        cell_pool_drop(c);
    if (atomic_load_explicit(&k->client->leases, memory_order_relaxed) > CELL_MAX_LEASES)
        cell_pool_return(c);
    if (whole)
        cell_pool_answered(k->client);
    a->connected = !whole && !too_large;
    return r;
}

static int attempt(cell_ctx *c, struct client_call *k, bool fresh, struct attempt *a, struct cell_error *e)
{
    struct client_conn *conn;
    int r;
    *a = (struct attempt){.not_executed = true};
    k->connected = false;
    if (k->rest) {
        conn = c->lease;
        a->reused = !conn->fresh;
        a->exchanged = true;
        r = exchange(c, k, conn, a, e);
        k->rest = NULL; /* another attempt is one from the beginning */
        return r;
    }
    if (k->lent && !fresh)
        cell_lend_use(c, k);
    r = cell_pool_take(c, k, fresh, &conn, e);
    if (r < 0) {
        a->connected = k->connected; /* closed in the middle of the handshake */
        return r;
    }
    a->reused = !conn->fresh;
    a->exchanged = true;
    return exchange(c, k, conn, a, e);
}

/* ---- again? ---- */

static bool pause_before_retry(cell_ctx *c, struct client_call *k, unsigned attempts)
{
    uint64_t random;
    if (!cell_pool_may_retry(k->client, &random))
        return false;
    uint64_t longest = FIRST_PAUSE_NS << attempts, pause = longest / 2 + random % (longest / 2);
    if (cell_ctx_remaining_ns(c) <= pause)
        return false;
    const struct timespec t = {.tv_nsec = (long)pause};
    nanosleep(&t, NULL);
    return !cell_ctx_cancelled(c);
}

static bool again(cell_ctx *c, struct client_call *k, const struct attempt *a, int r, unsigned attempts)
{
    bool lost = r == CELL_UNAVAILABLE || r == CELL_IO_ERROR;
    if (!lost || !a->connected || attempts >= MAX_ATTEMPTS)
        return false;
    if (a->not_executed && a->reused)
        return true;
    if (!a->not_executed && !(k->method->flags & CELL_METHOD_IDEMPOTENT))
        return false;
    return pause_before_retry(c, k, attempts - 1);
}

/* Says what the caller wants to know of a call that a connection's end left without an answer; `unsure` when an attempt
 * may have been carried out. Returns the status. */
static int explain(const struct client_call *k, const struct attempt *a, bool unsure, int status, struct cell_error *e)
{
    if (status != CELL_UNAVAILABLE && status != CELL_IO_ERROR)
        return status;
    if (unsure) {
        cell_error_wrap(e, "%s: the connection was lost before %s was answered; it may have been executed",
                        k->service->name, k->method->name);
        return CELL_UNKNOWN_OUTCOME;
    }
    if (a->exchanged)
        cell_error_wrap(e, "%s: %s was not executed", k->service->name, k->method->name);
    return status;
}

int cell_call_remote(cell_ctx *c, struct client_call *k)
{
    struct attempt a = {0};
    struct cell_error e; /* not initialised as a whole: its text is big */
    unsigned attempts = 0;
    bool fresh = false, unsure = false;
    int r;
    cell_async_flush(c); /* what this call does may depend on them */
    do {
        e.status = CELL_OK;
        e.text[0] = '\0';
        r = attempt(c, k, fresh, &a, &e);
        unsure |= !a.not_executed;
        fresh = true;
        attempts++;
    } while (r < 0 && e.status < 0 && again(c, k, &a, r, attempts));
    if (r >= 0 || e.status == CELL_OK)
        return r; /* answered: the context has what there is to say */
    if (r == CELL_CANCELLED || atomic_load(&c->cancelled))
        return cell_fail(c, CELL_CANCELLED, "%s: %s", k->method->name, cell_status_text(CELL_CANCELLED));
    if (r == CELL_DEADLINE_EXCEEDED)
        return cell_fail(c, r, "%s: %s", k->method->name, cell_status_text(r));
    r = explain(k, &a, unsure, r, &e);
    /* Whatever it has done is rolled back: what was lost cannot commit. */
    if (r == CELL_UNKNOWN_OUTCOME && cell_transaction_with(c, k->service->name))
        return cell_fail(c, CELL_ABORTED,
                         "%s: the connection was lost before %s was answered, and the transaction with it",
                         k->service->name, k->method->name);
    return cell_fail(c, r, "%s", e.text);
}
