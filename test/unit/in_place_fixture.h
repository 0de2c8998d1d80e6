/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The demo cell with a handler of demo_echo that lends its reply's memory, and calls that read it in place. */
#ifndef CELL_TEST_IN_PLACE_FIXTURE_H
#define CELL_TEST_IN_PLACE_FIXTURE_H

#include "call_fixture.h"

#include "call/pool.h"
#include "transport/shm.h"

enum { SIZE = 64 << 10 };
#define LARGE_TEXT(n) (large_text(n))

/* What the handler has seen and lent, when it runs in this process. */
static UNUSED uint8_t *last_lent;
static atomic_int seen_text, seen_data, handled;
static atomic_size_t seen_text_len, seen_data_len;

static UNUSED cell_str large_text(size_t n)
{
    static char text[1 << 20];
    if (!text[0])
        memset(text, 'x', sizeof(text));
    return (cell_str){text, n};
}

static UNUSED bool is_filled(const uint8_t *bytes, size_t n, uint8_t with)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != with)
            return false;
    return n > 0;
}

/* The byte of which all consist, or -1. */
static int only_byte(const void *bytes, size_t n)
{
    return n && is_filled(bytes, n, *(const uint8_t *)bytes) ? *(const uint8_t *)bytes : -1;
}

static int lend_odd(cell_ctx *c, struct echo_out *o)
{
    static uint8_t private_bytes[3 * SIZE];
    char *text = cell_ctx_lend(c, SIZE);
    if (!text)
        return CELL_NO_MEMORY;
    memset(text, 't', SIZE);
    memset(private_bytes, 'p', sizeof(private_bytes));
    *o = (struct echo_out){{text + 1, SIZE - 1}, {private_bytes, sizeof(private_bytes)}, 1};
    return 0;
}

/* As much text and data as text came, of 't' and 'd'. */
static int handle_lending(cell_ctx *c, const void *in, void *const *out)
{
    const struct echo_in *i = in;
    struct echo_out *o = out[0];
    size_t n = i->text.len;
    cell_str value;
    atomic_fetch_add(&handled, 1);
    atomic_store(&seen_text, only_byte(i->text.ptr, n));
    atomic_store(&seen_data, only_byte(i->data.ptr, i->data.len));
    atomic_store(&seen_text_len, n);
    atomic_store(&seen_data_len, i->data.len);
    if (cell_str_eq(i->text, CELL_STR("odd")))
        return lend_odd(c, o);
    if (cell_ctx_metadata(c, "reply-value", &value) == CELL_OK)
        cell_ctx_set_metadata(c, "reply-value", value);
    /* Both in one piece of shared memory: the first is asked for with room for the other. */
    uint8_t *both = cell_ctx_lend(c, 2 * n + 8);
    if (!both)
        return CELL_NO_MEMORY;
    uint8_t *data = both + ((n + 7) & ~(size_t)7);
    memset(both, 't', n);
    memset(data, 'd', n);
    if (cell_str_eq(i->text, CELL_STR("fail after lending"))) {
        if (!cell_ctx_lend(c, SIZE))
            return CELL_NO_MEMORY;
        return cell_fail(c, CELL_NOT_FOUND, "nothing");
    }
    last_lent = both;
    *o = (struct echo_out){{(char *)both, n}, {data, n}, 1};
    return 0;
}

static struct cell_method lending_methods[DEMO_COUNT];
static const struct cell_method *lending_handlers[DEMO_COUNT];

static UNUSED const struct cell_method *const *lending_table(void)
{
    memcpy(lending_methods, server_methods, sizeof(lending_methods));
    lending_methods[demo_echo].invoke = handle_lending;
    for (int i = 0; i < DEMO_COUNT; i++)
        lending_handlers[i] = &lending_methods[i];
    return lending_handlers;
}

struct lending {
    struct demo_server d;
};

static UNUSED void lending_start(struct lending *l)
{
    *l = (struct lending){.d = {.handlers = lending_table()}};
    demo_setup();
    demo_start(&l->d);
}

/* A context whose connection shares memory already. */
static UNUSED cell_ctx *lending_ctx(struct cell_client **client)
{
    int32_t sum;
    cell_ctx *c = demo_ctx(client);
    for (int i = 0; i < 3; i++)
        CHECK(call_add(c, 1, 1, &sum) == CELL_OK);
    return c;
}

static UNUSED void lending_stop(struct lending *l, cell_ctx *c, struct cell_client *client)
{
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(&l->d);
    demo_teardown();
}

/* ---- calls ---- */

static UNUSED void *begin_echo(cell_ctx *c, size_t bytes) { return cell_begin(c, &demo, demo_echo, bytes); }

static UNUSED int send_echo2(cell_ctx *c, cell_str text, cell_bytes data, struct echo_out *o)
{
    const struct echo_in in = {text, data};
    void *const out[] = {o};
    return cell_send(c, &demo, demo_echo, &in, out);
}

static UNUSED int send_echo(cell_ctx *c, cell_str text, struct echo_out *o)
{
    return send_echo2(c, text, (cell_bytes){NULL, 0}, o);
}

/* ---- where things lie ---- */

/* The connection of the reply that was held last; NULL: none is. */
static UNUSED struct client_conn *held_conn(const cell_ctx *c) { return c->nheld ? c->held[c->nheld - 1].conn : NULL; }

static UNUSED struct cell_shm *conn_of_shm(const struct client_conn *conn)
{
    return ((struct unix_conn *)conn->conn)->shm;
}

static UNUSED bool lies_in_peers_memory(const struct client_conn *conn, const void *p)
{
    if (!conn || cell_conn_ops(conn->conn) != &cell_shm_ops)
        return false;
    const struct cell_shm *s = conn_of_shm(conn);
    for (unsigned i = 0; i < CELL_SHM_BLOBS; i++) {
        const struct cell_shm_blob_in *b = &s->in_blobs[i];
        if (b->bytes && (uintptr_t)p - (uintptr_t)b->bytes < b->size)
            return true;
    }
    return (uintptr_t)p - (uintptr_t)s->other->data < CELL_RING_DATA;
}

/* The memory for large payloads that `p` lies in, which this side fills; NULL. */
static UNUSED const struct cell_shm_blob_out *own_memory(const struct client_conn *conn, const void *p)
{
    if (!conn)
        return NULL;
    for (unsigned i = 0; i < CELL_SHM_BLOBS; i++) {
        const struct cell_shm_blob_out *b = &conn_of_shm(conn)->out_blobs[i];
        if (b->bytes && (uintptr_t)p - (uintptr_t)b->bytes < b->size)
            return b;
    }
    return NULL;
}

#endif
