/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Streams whose other end was written by hand: what breaks the protocol ends the stream with a clear error, on both
 * sides, and what is only early or late does not. */
#include "stream_fixture.h"

static const struct cell_server_options defaults;

/* ---- a client by hand ---- */

static int opened(void)
{
    struct cell_frame f = {0};
    uint8_t *payload = NULL;
    int fd = raw_connect();
    CHECK(raw_hello(fd, CELL_CHANNEL_APP, "flow", flow_fingerprint, "lp64-le"));
    CHECK(raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_WELCOME && f.code == 0);
    free(payload);
    return fd;
}

static bool send_frame(int fd, uint8_t kind, int32_t code, uint64_t id, const void *message, size_t len)
{
    return raw_send(fd, (struct cell_frame){.kind = kind, .code = code, .id = id}, NULL, 0, message, len);
}

static bool call_sum(int fd, uint64_t id, uint64_t limit, uint64_t reply)
{
    const uint64_t message[3] = {24 | UINT64_C(16) << 32, limit, reply};
    return send_frame(fd, CELL_FRAME_CALL, flow_sum, id, message, sizeof(message));
}

static bool call_count(int fd, uint64_t id, uint64_t n)
{
    const uint64_t message[4] = {32 | UINT64_C(24) << 32, 0, n, 64};
    return send_frame(fd, CELL_FRAME_CALL, flow_count, id, message, sizeof(message));
}

struct records { /* a message of one item */
    uint32_t size, fixed, offset, stride;
    uint64_t count;
    struct item item[2];
};
static const struct records one = {88, 16, 24, 64, 1, {{5, {0}}}};

static bool send_one(int fd, uint64_t id) { return send_frame(fd, CELL_FRAME_RECORDS, 0, id, &one, 88); }

/* The next frame's kind; its code in *code. 0: the end. */
static int received(int fd, int32_t *code, uint64_t *id)
{
    struct cell_frame f = {0};
    uint8_t *payload = NULL;
    bool got = raw_recv(fd, &f, &payload);
    free(payload);
    *code = f.code;
    *id = f.id;
    return got ? f.kind : 0;
}

static void replied(int fd, uint64_t id, int code)
{
    int32_t c;
    uint64_t i;
    int kind = received(fd, &c, &i);
    CHECK(kind == CELL_FRAME_REPLY && i == id && c == code);
}

/* The connection ends, after WELCOME has said why. */
static void refused(int fd)
{
    int32_t code;
    uint64_t id;
    int kind;
    while ((kind = received(fd, &code, &id)) == CELL_FRAME_RECORDS)
        continue;
    CHECK(kind == CELL_FRAME_WELCOME && code == CELL_PROTOCOL_ERROR);
    CHECK(raw_ended(fd));
    close(fd);
}

TEST(a_client_by_hand_puts_its_records)
{
    struct flow f;
    flow_begin(&f, OVER_SOCKET, defaults);
    int fd = opened();
    for (uint64_t id = 1; id < 5; id++) {
        CHECK(call_sum(fd, id, 100, 0));
        for (int n = 0; n < 10; n++)
            CHECK(send_one(fd, id));
        CHECK(send_frame(fd, CELL_FRAME_END, 0, id, NULL, 0));
        replied(fd, id, 3);
    }
    /* It does not know yet that it was answered: what is late is dropped, up to the end. */
    CHECK(call_sum(fd, 7, 2, 0) && send_one(fd, 7) && send_one(fd, 7));
    replied(fd, 7, 3);
    CHECK(send_one(fd, 7) && send_one(fd, 7) && send_frame(fd, CELL_FRAME_END, 0, 7, NULL, 0));
    CHECK(call_sum(fd, 8, 100, 0) && send_frame(fd, CELL_FRAME_END, 0, 8, NULL, 0));
    replied(fd, 8, 3);
    close(fd);
    flow_end(&f);
}

TEST(records_that_do_not_belong_there_end_the_connection)
{
    struct flow f;
    uint64_t sum;
    flow_begin(&f, OVER_SOCKET, defaults);
    enum { OTHER_ID, OTHER_END, CALL, REPLY_FRAME, BETWEEN, END_BETWEEN, AFTER_END, UNARY, LATE_CALL, IN_SERVER, WAYS };
    for (int way = 0; way < WAYS; way++) {
        int fd = opened();
        if (way <= REPLY_FRAME)
            CHECK(call_sum(fd, 3, 100, 0) && send_one(fd, 3));
        switch (way) {
        case OTHER_ID:
            CHECK(send_one(fd, 4));
            break;
        case OTHER_END:
            CHECK(send_frame(fd, CELL_FRAME_END, 0, 2, NULL, 0));
            break;
        case CALL:
            CHECK(call_sum(fd, 4, 1, 0));
            break;
        case REPLY_FRAME:
            CHECK(send_frame(fd, CELL_FRAME_REPLY, 0, 3, NULL, 0));
            break;
        case BETWEEN:
            CHECK(send_one(fd, 1));
            break;
        case END_BETWEEN:
            CHECK(send_frame(fd, CELL_FRAME_END, 0, 1, NULL, 0));
            break;
        case AFTER_END:
            CHECK(call_sum(fd, 3, 100, 0) && send_frame(fd, CELL_FRAME_END, 0, 3, NULL, 0));
            replied(fd, 3, 3);
            CHECK(send_one(fd, 3));
            break;
        case UNARY: {
            const uint64_t message[2] = {16 | UINT64_C(8) << 32, 1};
            CHECK(send_frame(fd, CELL_FRAME_CALL, flow_add, 3, message, 16));
            replied(fd, 3, 0);
            CHECK(send_one(fd, 3));
            break;
        }
        case LATE_CALL: /* answered early, and no end of the records */
            CHECK(call_sum(fd, 3, 1, 0) && send_one(fd, 3));
            replied(fd, 3, 3);
            CHECK(call_sum(fd, 4, 1, 0));
            break;
        default: {
            int32_t code;
            uint64_t id;
            int kind;
            CHECK(call_count(fd, 3, 640) && send_one(fd, 3));
            while ((kind = received(fd, &code, &id)) == CELL_FRAME_RECORDS && id == 3)
                continue;
            CHECK(kind == CELL_FRAME_REPLY);
        }
        }
        refused(fd);
        CHECK(flow_call_add(f.c, 1, &sum) == 0);
    }
    CHECK(atomic_load(&f.d.server->counters.protocol_errors) == WAYS);
    flow_end(&f);
}

/* Its client sends records before it knows that the method is gone. */
static void put_to_what_is_gone(struct flow *f, const struct cell_service *old)
{
    const struct sum_in in = {.limit = 100};
    const struct item items_put[10] = {{1, {0}}};
    struct total t = {0};
    void *const out[] = {&t};
    uint64_t n = 1;
    struct cell_stream *s = cell_stream_open(f->c, old, flow_sum, &in);
    for (int i = 0; i < 1000 && cell_stream_put(s, items_put, 10) == CELL_OK; i++)
        usleep(100);
    CHECK(cell_stream_end(s, out) == CELL_SCHEMA_MISMATCH);
    CHECK_STR(cell_ctx_message(f->c), "Method 'flow_tum' no longer exists in Flow Cell");
    CHECK(cell_call(f->c, old, flow_add, &n, out) == 0 && t.sum == 2);
}

TEST(records_behind_a_call_that_is_refused_are_dropped)
{
    static const enum carrier carriers[] = {OVER_SOCKET, OVER_SHM};
    for (int i = 0; i < 2; i++) {
        struct cell_method methods[FLOW_COUNT];
        char fingerprint[65];
        struct flow f;
        struct cell_client *slot = NULL;
        memcpy(methods, flow_methods, sizeof(methods));
        methods[flow_sum].name = "flow_tum";
        const struct cell_service old = {CELL_DESC_ABI, FLOW_COUNT, "flow", fingerprint, methods, &slot, NULL};
        free(embed_schema(&old, fingerprint));
        flow_begin(&f, carriers[i], defaults);
        for (int k = 0; k < 20; k++)
            put_to_what_is_gone(&f, &old);
        CHECK(atomic_load(&f.d.server->counters.protocol_errors) == 0);
        flow_end(&f);
    }
}

TEST(records_that_lie_end_the_connection)
{
    struct flow f;
    flow_begin(&f, OVER_SOCKET, defaults);
    for (int way = 0; way < 12; way++) {
        struct records r = one;
        size_t len = 88;
        int fd = opened();
        switch (way) {
        case 0:
            r.count = 0; /* with an offset */
            break;
        case 1:
            r.count = 0;
            r.offset = 0;
            break;
        case 2:
            r.count = 2;
            break;
        case 3:
            r.count = UINT64_MAX / 64 + 1;
            break;
        case 4:
            r.stride = 0;
            break;
        case 5:
            r.stride = 65;
            break;
        case 6:
            r.offset = 16; /* into the fixed part */
            break;
        case 7:
            r.offset = 28;
            break;
        case 8:
            r.offset = 0xfffffff8;
            break;
        case 9:
            r.size = 96;
            break;
        case 10:
            r.fixed = 24;
            len = 24;
            break;
        default:
            len = 0;
        }
        CHECK(call_sum(fd, 3, 100, 0) && send_one(fd, 3) && send_frame(fd, CELL_FRAME_RECORDS, 0, 3, &r, len));
        refused(fd);
        wait_sem(&shared->left);
        CHECK(atomic_load(&flow_last) == CELL_PROTOCOL_ERROR);
    }
    flow_end(&f);
}

TEST(records_of_an_older_or_newer_schema_are_cut_or_filled)
{
    struct flow f;
    struct cell_frame frame = {0};
    uint8_t *payload = NULL;
    const struct {
        uint32_t size, fixed, offset, stride;
        uint64_t count, n[6];
    } old = {72, 16, 24, 8, 6, {1, 2, 3, 4, 5, 6}}; /* only the first field */
    flow_begin(&f, OVER_SOCKET, defaults);
    int fd = opened();
    CHECK(call_sum(fd, 3, 100, 0) && send_frame(fd, CELL_FRAME_RECORDS, 0, 3, &old, 72));
    CHECK(send_frame(fd, CELL_FRAME_END, 0, 3, NULL, 0));
    CHECK(raw_recv(fd, &frame, &payload) && frame.kind == CELL_FRAME_REPLY && frame.code == 3);
    uint64_t sum = 0;
    uint32_t at = 0;
    memcpy(&at, payload + 8, sizeof(at));
    if (at + 16 <= frame.length)
        memcpy(&sum, payload + at + 8, sizeof(sum));
    CHECK(sum == 21);
    free(payload);
    close(fd);
    flow_end(&f);
}

TEST(cancel_reaches_a_handler_that_waits)
{
    struct flow f;
    int32_t code;
    uint64_t id;
    int kind;
    flow_begin(&f, OVER_SOCKET, defaults);
    int fd = opened();
    CHECK(call_sum(fd, 3, 100, 0) && send_one(fd, 3));
    wait_sem(&shared->entered);
    CHECK(send_frame(fd, CELL_FRAME_CANCEL, 0, 99, NULL, 0) && send_frame(fd, CELL_FRAME_CANCEL, 0, 3, NULL, 0));
    replied(fd, 3, CELL_CANCELLED);
    CHECK(send_frame(fd, CELL_FRAME_END, 0, 3, NULL, 0));
    CHECK(call_count(fd, 4, UINT64_MAX));
    wait_sem(&shared->entered);
    CHECK(received(fd, &code, &id) == CELL_FRAME_RECORDS && id == 4);
    CHECK(send_frame(fd, CELL_FRAME_CANCEL, 0, 4, NULL, 0)); /* it blocks in put: nothing is read */
    wait_sem(&shared->left);
    wait_sem(&shared->left);
    CHECK(atomic_load(&flow_last) == CELL_CANCELLED);
    while ((kind = received(fd, &code, &id)) == CELL_FRAME_RECORDS)
        continue;
    CHECK(kind == CELL_FRAME_REPLY && id == 4 && code == CELL_CANCELLED);
    CHECK(call_sum(fd, 5, 1, 0) && send_one(fd, 5));
    replied(fd, 5, 3);
    close(fd);
    flow_end(&f);
}

/* ---- a server by hand ---- */

enum answer {
    A_OTHER_ID,
    A_NO_RECORDS,
    A_TOO_MANY,
    A_OTHER_KIND,
    A_END,
    A_OTHER_CHANNEL,
    A_CLOSE,
    A_SILENT_CLOSE,
    A_REFUSES,
    A_BAD_REPLY,
    A_RECORDS_TO_A_WRITER,
    ANSWERS
};

struct hand {
    int listener;
    enum answer answer;
    pthread_t thread;
};

static void greet(int fd)
{
    struct cell_frame f = {0};
    struct cell_buffer b = {0};
    uint8_t *payload = NULL;
    CHECK(raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_HELLO);
    free(payload);
    cell_meta_append(&b, CELL_META_CELL, "flow", 4);
    cell_meta_append(&b, CELL_META_FINGERPRINT, flow_fingerprint, 64);
    raw_send(fd, (struct cell_frame){.kind = CELL_FRAME_WELCOME}, b.data, b.len, NULL, 0);
    cell_buffer_free(&b);
}

static void *run_hand(void *arg)
{
    struct hand *h = arg;
    struct cell_frame f = {0};
    struct records r = one;
    struct cell_frame out = {.kind = CELL_FRAME_RECORDS};
    uint8_t *payload = NULL;
    int fd = accept(h->listener, NULL, NULL);
    greet(fd);
    CHECK(raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_CALL && f.timeout_ms == 0);
    free(payload);
    out.id = f.id;
    if (h->answer != A_SILENT_CLOSE && h->answer != A_RECORDS_TO_A_WRITER)
        send_one(fd, f.id);
    out.id += h->answer == A_OTHER_ID;
    out.kind = h->answer == A_OTHER_KIND ? CELL_FRAME_CALL : h->answer == A_END ? CELL_FRAME_END : CELL_FRAME_RECORDS;
    out.channel = h->answer == A_OTHER_CHANNEL ? CELL_CHANNEL_OPS : 0;
    r.count = h->answer == A_NO_RECORDS ? 0 : h->answer == A_TOO_MANY ? 3 : 1;
    if (h->answer == A_REFUSES)
        raw_send(fd, (struct cell_frame){.kind = CELL_FRAME_WELCOME, .code = CELL_RESOURCE_EXHAUSTED}, NULL, 0, NULL,
                 0);
    else if (h->answer == A_BAD_REPLY)
        raw_send(fd, (struct cell_frame){.kind = CELL_FRAME_REPLY, .id = f.id}, NULL, 0, "12345678", 8);
    else if (h->answer != A_CLOSE && h->answer != A_SILENT_CLOSE)
        raw_send(fd, out, NULL, 0, &r, h->answer == A_END ? 0 : 88);
    if (h->answer == A_CLOSE || h->answer == A_SILENT_CLOSE)
        shutdown(fd, SHUT_RDWR);
    char byte;
    while (recv(fd, &byte, 1, 0) > 0)
        continue;
    close(fd);
    return NULL;
}

TEST(a_server_that_breaks_the_protocol_is_a_clear_error)
{
    static const int status[ANSWERS] = {[A_OTHER_ID] = CELL_PROTOCOL_ERROR,
                                        [A_NO_RECORDS] = CELL_PROTOCOL_ERROR,
                                        [A_TOO_MANY] = CELL_PROTOCOL_ERROR,
                                        [A_OTHER_KIND] = CELL_PROTOCOL_ERROR,
                                        [A_END] = CELL_PROTOCOL_ERROR,
                                        [A_OTHER_CHANNEL] = CELL_PROTOCOL_ERROR,
                                        [A_CLOSE] = CELL_UNAVAILABLE,
                                        [A_SILENT_CLOSE] = CELL_UNAVAILABLE,
                                        [A_REFUSES] = CELL_RESOURCE_EXHAUSTED,
                                        [A_BAD_REPLY] = CELL_PROTOCOL_ERROR,
                                        [A_RECORDS_TO_A_WRITER] = CELL_PROTOCOL_ERROR};
    for (enum answer a = 0; a < ANSWERS; a++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct hand h = {.answer = a};
        struct cell_client *client;
        struct item i;
        struct total t;
        int n = 0;
        demo_setup();
        free(embed_schema(&flow, flow_fingerprint));
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", demo_address + 5);
        h.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(bind(h.listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(h.listener, 5) == 0);
        CHECK(pthread_create(&h.thread, NULL, run_hand, &h) == 0);
        CHECK(cell_client_open(demo_address, &client) == 0);
        cell_ctx *c = cell_ctx_open(&(struct cell_ctx_options){.client = client, .timeout_ms = 60000});
        struct cell_stream *s = a == A_RECORDS_TO_A_WRITER ? open_sum(c, 5, 0) : open_count(c, 0, 9, 1, 0);
        if (a != A_RECORDS_TO_A_WRITER)
            while (cell_stream_next(s, &i) > 0)
                n++;
        CHECK(n == (a != A_SILENT_CLOSE && a != A_RECORDS_TO_A_WRITER));
        int r = end_total(s, &t);
        CHECK(r == status[a] && cell_ctx_status(c) == r);
        CHECK(cell_ctx_message(c)[0] != '\0');
        cell_ctx_close(c);
        cell_client_close(client);
        pthread_join(h.thread, NULL);
        close(h.listener);
        demo_teardown();
    }
}
