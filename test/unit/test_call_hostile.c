/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Clients written by hand: the handshake's refusals, broken frames, cancellation, silence and noise. */
#include "call_fixture.h"
#include "wire/limits.h"

/* Connects, shakes hands on `channel`, expects success. */
static int opened(uint8_t channel)
{
    struct cell_frame f = {0};
    uint8_t *payload = NULL;
    int fd = raw_connect();
    CHECK(raw_hello(fd, channel, "demo", channel == CELL_CHANNEL_APP ? demo_fingerprint : NULL, "lp64-le"));
    CHECK(raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_WELCOME && f.code == 0);
    CHECK_STR(raw_meta(&f, payload, CELL_META_CELL), "demo");
    CHECK_STR(raw_meta(&f, payload, CELL_META_FINGERPRINT), demo_fingerprint);
    free(payload);
    return fd;
}

/* Expects a WELCOME that refuses, and the end. */
static void refused(int fd, int code, const char *text)
{
    struct cell_frame f = {0};
    uint8_t *payload = NULL;
    CHECK(raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_WELCOME);
    CHECK(f.code == code);
    if (payload && !strstr(raw_meta(&f, payload, CELL_META_MESSAGE), text))
        CHECK_STR(raw_meta(&f, payload, CELL_META_MESSAGE), text);
    free(payload);
    CHECK(raw_ended(fd));
    close(fd);
}

/* Expects a REPLY to `id`; returns its code and, in *text, what it says. */
static int replied(int fd, uint64_t id, const char **text)
{
    struct cell_frame f = {0};
    uint8_t *payload = NULL;
    CHECK(raw_recv(fd, &f, &payload));
    CHECK(f.kind == CELL_FRAME_REPLY && f.id == id);
    *text = payload ? raw_meta(&f, payload, CELL_META_MESSAGE) : "";
    CHECK(f.code >= 0 || f.length == f.meta_len); /* no message with an error */
    free(payload);
    return f.code;
}

static bool call_raw(int fd, uint8_t channel, int32_t method, uint64_t id, const void *meta, size_t meta_len,
                     const void *message, size_t len)
{
    return raw_send(fd, (struct cell_frame){.kind = CELL_FRAME_CALL, .channel = channel, .code = method, .id = id},
                    meta, meta_len, message, len);
}

/* The message of demo_add(a, b). */
static const uint32_t add_message[4] = {16, 8, 40, 2};
static const uint32_t block_message[4] = {16, 8, BLOCK_CANCEL, 0};

static bool adds(int fd, uint64_t id)
{
    const char *text;
    return call_raw(fd, CELL_CHANNEL_APP, demo_add, id, NULL, 0, add_message, sizeof(add_message)) &&
           replied(fd, id, &text) == 0;
}

TEST(the_handshake_refuses_what_does_not_fit_and_says_why)
{
    struct demo_server d = {0};
    demo_setup();
    demo_start(&d);
    static const struct {
        const char *cell, *fingerprint, *abi;
        int code;
        const char *text;
    } greetings[] = {
        {"other", demo_fingerprint, "lp64-le", CELL_NOT_FOUND, "the cell here is 'demo', not 'other'"},
        {"demo", demo_fingerprint, "ilp32-be", CELL_FAILED_PRECONDITION, "the ABI 'ilp32-be' is not supported"},
        {"demo", demo_fingerprint, NULL, CELL_FAILED_PRECONDITION, "ABI"},
        {"demo", NULL, "lp64-le", CELL_PROTOCOL_ERROR, "fingerprint"},
        {NULL, demo_fingerprint, "lp64-le", CELL_PROTOCOL_ERROR, "cell"},
        {"demo", "0123", "lp64-le", CELL_PROTOCOL_ERROR, "fingerprint"},
    };
    for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++) {
        int fd = raw_connect();
        CHECK(raw_hello(fd, CELL_CHANNEL_APP, greetings[i].cell, greetings[i].fingerprint, greetings[i].abi));
        refused(fd, greetings[i].code, greetings[i].text);
    }
    int fd = raw_connect();
    CHECK(raw_hello(fd, CELL_CHANNEL_OPS, "other", NULL, "lp64-le"));
    refused(fd, CELL_NOT_FOUND, "not 'other'");
    fd = raw_connect();
    CHECK(raw_hello(fd, CELL_CHANNEL_APP, "demo", "0000000000000000000000000000000000000000000000000000000000000000",
                    "lp64-le"));
    struct cell_frame f;
    uint8_t *payload = NULL;
    REQUIRE(raw_recv(fd, &f, &payload) && f.code == 0);
    CHECK_STR(raw_meta(&f, payload, CELL_META_NEED_SCHEMA), "1");
    free(payload);
    CHECK(raw_send(fd, (struct cell_frame){.kind = CELL_FRAME_SCHEMA}, NULL, 0, "{\"schema\":", 10));
    refused(fd, CELL_PROTOCOL_ERROR, "");
    demo_stop(&d);
    demo_teardown();
}

TEST(bytes_that_are_no_frame_are_answered_and_the_connection_ends)
{
    struct demo_server d = {0};
    uint8_t header[CELL_FRAME_HEADER];
    demo_setup();
    demo_start(&d);
    int fd = raw_connect();
    CHECK(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, 0) == 18);
    refused(fd, CELL_PROTOCOL_ERROR, "not a Cell frame");
    fd = raw_connect();
    cell_frame_encode(&(struct cell_frame){.kind = CELL_FRAME_HELLO}, header);
    header[8] = 2;
    CHECK(send(fd, header, sizeof(header), 0) == sizeof(header));
    refused(fd, CELL_PROTOCOL_ERROR, "version 2");
    fd = raw_connect();
    CHECK(call_raw(fd, CELL_CHANNEL_APP, 0, 1, NULL, 0, add_message, sizeof(add_message)));
    refused(fd, CELL_PROTOCOL_ERROR, "not HELLO");
    fd = raw_connect(); /* and what is too large for HELLO is not waited for */
    cell_frame_encode(&(struct cell_frame){.kind = CELL_FRAME_CALL, .length = CELL_MAX_HELLO + 1, .id = 1}, header);
    CHECK(send(fd, header, sizeof(header), 0) == sizeof(header));
    refused(fd, CELL_TOO_LARGE, "limit");
    fd = opened(CELL_CHANNEL_APP); /* after the handshake as well */
    CHECK(send(fd, "garbage", 7, 0) == 7);
    refused(fd, CELL_PROTOCOL_ERROR, "not a Cell frame");
    fd = opened(CELL_CHANNEL_APP);
    cell_frame_encode(&(struct cell_frame){.kind = CELL_FRAME_CALL, .length = 17u << 20, .id = 1}, header);
    CHECK(send(fd, header, sizeof(header), 0) == sizeof(header));
    refused(fd, CELL_TOO_LARGE, "limit");
    fd = opened(CELL_CHANNEL_APP);
    CHECK(raw_hello(fd, CELL_CHANNEL_APP, "demo", demo_fingerprint, "lp64-le"));
    refused(fd, CELL_PROTOCOL_ERROR, "between calls");
    fd = opened(CELL_CHANNEL_APP);
    CHECK(call_raw(fd, CELL_CHANNEL_OPS, 0, 1, NULL, 0, NULL, 0));
    refused(fd, CELL_PROTOCOL_ERROR, "channel");
    demo_stop(&d);
    demo_teardown();
}

TEST(a_broken_request_is_answered_and_the_connection_goes_on)
{
    struct demo_server d = {0};
    const char *text;
    demo_setup();
    demo_start(&d);
    int fd = opened(CELL_CHANNEL_APP);
    CHECK(call_raw(fd, CELL_CHANNEL_APP, demo_add, 1, "\x05\0", 2, add_message, sizeof(add_message)));
    CHECK(replied(fd, 1, &text) == CELL_PROTOCOL_ERROR && strstr(text, "metadata"));
    CHECK(call_raw(fd, CELL_CHANNEL_APP, demo_add, 2, NULL, 0, add_message, 9));
    CHECK(replied(fd, 2, &text) == CELL_PROTOCOL_ERROR && strstr(text, "demo_add: request"));
    CHECK(call_raw(fd, CELL_CHANNEL_APP, demo_add, 3, NULL, 0, NULL, 0));
    CHECK(replied(fd, 3, &text) == CELL_PROTOCOL_ERROR);
    CHECK(call_raw(fd, CELL_CHANNEL_APP, DEMO_COUNT, 4, NULL, 0, add_message, sizeof(add_message)));
    CHECK(replied(fd, 4, &text) == CELL_UNIMPLEMENTED);
    CHECK(call_raw(fd, CELL_CHANNEL_APP, -5, 5, NULL, 0, add_message, sizeof(add_message)));
    CHECK(replied(fd, 5, &text) == CELL_UNIMPLEMENTED);
    static const uint64_t wild[] = {8 + 32 + ((uint64_t)32 << 32), 0x1fffffff8, 1ull << 40, 0x1fffffff8, 1ull << 40};
    CHECK(call_raw(fd, CELL_CHANNEL_APP, demo_echo, 6, NULL, 0, wild, sizeof(wild)));
    CHECK(replied(fd, 6, &text) == CELL_PROTOCOL_ERROR && strstr(text, "text"));
    CHECK(adds(fd, 7));
    CHECK(atomic_load(&shared->calls) == 1);
    close(fd);
    demo_stop(&d);
    demo_teardown();
}

TEST(noise_never_harms_the_server)
{
    struct demo_server d = {0};
    uint64_t seed = 42;
    demo_setup();
    demo_start(&d);
    for (int i = 0; i < 400; i++) {
        uint8_t bytes[200];
        size_t len = 0;
        int fd = i % 2 ? opened(CELL_CHANNEL_APP) : raw_connect();
        for (size_t k = 0; k < sizeof(bytes); k++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            bytes[k] = (uint8_t)(seed >> 56);
        }
        len = bytes[0] % 160;
        if (bytes[1] % 4) /* a valid beginning gets further */
            cell_frame_encode(&(struct cell_frame){.kind = (uint8_t)(1 + bytes[2] % 7),
                                                   .length = (uint32_t)len,
                                                   .meta_len = (uint16_t)(bytes[3] % (len + 1)),
                                                   .code = bytes[4] % 8,
                                                   .id = bytes[5] % 2},
                              bytes);
        CHECK(send(fd, bytes, CELL_FRAME_HEADER + len, MSG_NOSIGNAL) > 0);
        close(fd);
    }
    int fd = opened(CELL_CHANNEL_APP);
    CHECK(adds(fd, 1));
    close(fd);
    demo_stop(&d);
    demo_teardown();
}

TEST(silent_and_slow_clients_block_nobody_and_lose_their_place_when_it_is_needed)
{
    struct demo_server d = {.options.max_connections = 8, .options.max_threads = 1};
    uint8_t header[CELL_FRAME_HEADER];
    int silent[8];
    demo_setup();
    demo_start(&d);
    cell_frame_encode(&(struct cell_frame){.kind = CELL_FRAME_CALL, .length = 16, .id = 1}, header);
    for (int i = 0; i < 8; i++) {
        silent[i] = i < 4 ? opened(CELL_CHANNEL_APP) : raw_connect();
        CHECK(send(silent[i], header, i < 4 ? 32 : 5, 0) > 0); /* the rest never comes */
    }
    for (uint64_t i = 1; i <= 8; i++) {
        int fd = opened(CELL_CHANNEL_APP);
        CHECK(adds(fd, i));
        close(fd);
    }
    for (int i = 0; i < 8; i++)
        close(silent[i]);
    demo_stop(&d);
    demo_teardown();
}

/* A request for demo_echo with `size` bytes of data, to be freed. */
static uint8_t *big_echo(size_t size, size_t *len)
{
    const struct {
        uint32_t size, fixed;
        uint64_t text[2];
        uint32_t offset, stride;
        uint64_t count;
    } start = {(uint32_t)(40 + size), 32, {(uint64_t)1 << 32, 0}, 40, 1, size};
    uint8_t *message = calloc(1, 40 + size);
    memcpy(message, &start, sizeof(start));
    *len = 40 + size;
    return message;
}

TEST(a_client_that_does_not_read_its_reply_keeps_no_place_of_a_handler)
{
    struct demo_server d = {.options.max_threads = 1};
    size_t len;
    demo_setup();
    demo_start(&d);
    uint8_t *message = big_echo(8u << 20, &len);
    int lazy = opened(CELL_CHANNEL_APP);
    CHECK(call_raw(lazy, CELL_CHANNEL_APP, demo_echo, 1, NULL, 0, message, len));
    while (atomic_load(&shared->calls) == 0)
        usleep(500);
    int fd = opened(CELL_CHANNEL_APP);
    CHECK(adds(fd, 1) && adds(fd, 2));
    struct cell_frame f = {0};
    uint8_t *payload = NULL;
    CHECK(raw_recv(lazy, &f, &payload) && f.code == 0 && f.length > (8u << 20)); /* it gets it when it does read */
    free(payload);
    free(message);
    close(lazy);
    close(fd);
    demo_stop(&d);
    demo_teardown();
}

TEST(cancel_concerns_its_own_call_only_and_what_came_early_is_served_afterwards)
{
    struct demo_server d = {0};
    const char *text;
    demo_setup();
    demo_start(&d);
    int fd = opened(CELL_CHANNEL_APP);
    const struct cell_frame cancel = {.kind = CELL_FRAME_CANCEL, .id = 8},
                            other = {.kind = CELL_FRAME_CANCEL, .id = 99};
    CHECK(raw_send(fd, cancel, NULL, 0, NULL, 0)); /* nothing runs: ignored */
    CHECK(call_raw(fd, CELL_CHANNEL_APP, demo_block, 8, NULL, 0, block_message, sizeof(block_message)));
    wait_sem(&shared->entered);
    CHECK(raw_send(fd, other, NULL, 0, NULL, 0));
    CHECK(raw_send(fd, cancel, NULL, 0, NULL, 0));
    CHECK(replied(fd, 8, &text) == CELL_CANCELLED);
    wait_sem(&shared->left);
    CHECK(call_raw(fd, CELL_CHANNEL_APP, demo_block, 9, NULL, 0, block_message, sizeof(block_message)));
    wait_sem(&shared->entered);
    CHECK(call_raw(fd, CELL_CHANNEL_APP, demo_add, 10, NULL, 0, add_message, sizeof(add_message)));
    usleep(2000); /* lets the handler find it; either way the order of replies is the same */
    atomic_store(&shared->release, 1);
    CHECK(replied(fd, 9, &text) == 0);
    CHECK(replied(fd, 10, &text) == 0);
    CHECK(adds(fd, 11));
    close(fd);
    demo_stop(&d);
    demo_teardown();
}

TEST(a_client_that_hangs_up_cancels_its_call)
{
    struct demo_server d = {0};
    demo_setup();
    demo_start(&d);
    int fd = opened(CELL_CHANNEL_APP);
    CHECK(call_raw(fd, CELL_CHANNEL_APP, demo_block, 1, NULL, 0, block_message, sizeof(block_message)));
    wait_sem(&shared->entered);
    close(fd);
    wait_sem(&shared->left);
    CHECK(atomic_load(&shared->cancelled) == 1);
    demo_stop(&d);
    demo_teardown();
}

/* A reply's message as text, to be freed. */
static char *ask(int fd, uint8_t channel, int32_t method, const char *request, int *code)
{
    struct cell_frame f = {0};
    uint8_t *payload = NULL;
    CHECK(call_raw(fd, channel, method, 5, NULL, 0, request, strlen(request)));
    CHECK(raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_REPLY && f.id == 5);
    *code = f.code;
    char *text = strdup(payload ? (char *)payload + f.meta_len : "");
    free(payload);
    return text;
}

TEST(the_operations_channel_tells_health_and_counts)
{
    struct demo_server d = {0};
    int code;
    const char *reply;
    demo_setup();
    demo_start(&d);
    int app = opened(CELL_CHANNEL_APP), fd = opened(CELL_CHANNEL_OPS);
    CHECK(adds(app, 1) && adds(app, 2));
    static const uint64_t message[] = {32 + ((uint64_t)24 << 32), (uint32_t)CELL_ABORTED, (uint64_t)1 << 32, 0};
    CHECK(call_raw(app, CELL_CHANNEL_APP, demo_fail, 3, NULL, 0, message, sizeof(message)));
    CHECK(replied(app, 3, &reply) == CELL_ABORTED);
    char *text = ask(fd, CELL_CHANNEL_OPS, CELL_OPS_HEALTH, "", &code), pid[32];
    CHECK(code == 0 && strstr(text, "\"status\":\"serving\"") && strstr(text, "\"cell\":\"demo\""));
    snprintf(pid, sizeof(pid), "\"pid\":%d", (int)getpid());
    CHECK(strstr(text, pid) && strstr(text, demo_fingerprint) && strstr(text, "\"version\":\"" CELL_VERSION "\""));
    free(text);
    text = ask(fd, CELL_CHANNEL_OPS, CELL_OPS_METRICS, "", &code);
    CHECK(code == 0 && strstr(text, "{\"name\":\"calls\",\"method\":\"demo_add\",\"value\":2}"));
    CHECK(strstr(text, "{\"name\":\"calls_done\",\"method\":\"demo_add\",\"value\":2}"));
    CHECK(strstr(text, "{\"name\":\"errors\",\"method\":\"demo_fail\",\"value\":1}"));
    CHECK(strstr(text, "{\"name\":\"errors.aborted\",\"method\":\"demo_fail\",\"value\":1}"));
    CHECK(strstr(text, "{\"name\":\"bytes_in\",\"method\":\"demo_add\",\"value\":32}"));
    CHECK(strstr(text, "{\"name\":\"connections\",\"value\":2}"));
    CHECK(strncmp(text, "{\"counters\":[", 13) == 0 && strcmp(text + strlen(text) - 2, "]}") == 0);
    free(text);
    free(ask(fd, CELL_CHANNEL_OPS, 9, "", &code));
    CHECK(code == CELL_UNIMPLEMENTED);
    close(app);
    close(fd);
    demo_stop(&d);
    demo_teardown();
}

static int expand_demo(cell_ctx *c, cell_str request, cell_str *document)
{
    if (strstr(request.ptr, "\"refuse\""))
        return cell_fail(c, CELL_INVALID_ARGUMENT, "no such verb");
    if (strstr(request.ptr, "\"broken\""))
        *document = CELL_STR("{\"expansion\":");
    else if (strstr(request.ptr, "\"unserved\""))
        *document = CELL_STR("{\"expansion\":\"cell.expansion/1\",\"methods\":[{\"name\":\"demo_none\"}]}");
    else if (strstr(request.ptr, "\"other\""))
        *document = CELL_STR("{\"expansion\":\"cell.expansion/1\",\"methods\":[{\"name\":\"demo_add\"}]}");
    else if (strstr(request.ptr, "\"uses\""))
        *document = CELL_STR("{\"expansion\":\"cell.expansion/1\",\"types\":[{\"name\":\"points\",\"kind\":\"list\","
                             "\"of\":\"point\",\"size\":16,\"align\":8}]}");
    else
        *document = cell_ctx_printf(c, "{\"expansion\":\"cell.expansion/1\"}");
    return 0;
}

static void expansions_are_checked_against_the_request_and_the_schema(int fd)
{
#define POINT(size)                                                                                                    \
    "{\"uses\":1,\"declaration\":{\"kind\":\"struct\",\"type\":{\"name\":\"point\",\"kind\":\"struct\",\"size\":" size \
    ",\"align\":4,\"fields\":[{\"name\":\"x\",\"type\":\"i32\",\"offset\":0}]}}}"
    static const struct {
        const char *request;
        int code;
    } cases[] = {
        {"{\"unserved\":1}", CELL_INTERNAL}, {"{\"other\":1}", CELL_INTERNAL},
        {"{\"uses\":1}", CELL_INTERNAL},     {POINT("4"), CELL_OK},
        {POINT("8"), CELL_INVALID_ARGUMENT}, {"{\"uses\":1,\"declaration\":{}}", CELL_PROTOCOL_ERROR},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int code;
        free(ask(fd, CELL_CHANNEL_COMPILE, CELL_COMPILE_EXPAND, cases[i].request, &code));
        CHECK(code == cases[i].code);
    }
#undef POINT
}

TEST(the_compile_channel_serves_the_schema_with_its_verbs_and_expansions)
{
    static const char verbs[] = "[{\"name\":\"table\",\"on\":[\"struct\"]}]";
    struct demo_server d = {.options = {.expand = expand_demo, .verbs = verbs}}, plain = {0};
    struct cell_schema *schema = NULL;
    int code;
    demo_setup();
    demo_start(&d);
    int fd = raw_connect();
    struct cell_frame f;
    uint8_t *payload = NULL;
    CHECK(raw_hello(fd, CELL_CHANNEL_COMPILE, "demo", NULL, "lp64-le"));
    REQUIRE(raw_recv(fd, &f, &payload) && f.code == 0);
    const char *fingerprint = raw_meta(&f, payload, CELL_META_FINGERPRINT);
    free(payload);
    CHECK(strcmp(fingerprint, demo_fingerprint) != 0); /* verbs are part of the schema */
    char *text = ask(fd, CELL_CHANNEL_COMPILE, CELL_COMPILE_SCHEMA, "{}", &code);
    REQUIRE(cell_schema_parse(text, strlen(text), &schema, NULL) == CELL_OK);
    CHECK_STR(schema->fingerprint, fingerprint);
    CHECK(cell_schema_verb(schema, "table") != NULL && schema->nmethods == DEMO_COUNT);
    cell_schema_free(schema);
    free(text);
    text = ask(fd, CELL_CHANNEL_COMPILE, CELL_COMPILE_EXPAND, "{\"annotation\":{\"verb\":\"table\"}}", &code);
    CHECK(code == 0);
    CHECK_STR(text, "{\"expansion\":\"cell.expansion/1\"}");
    free(text);
    free(ask(fd, CELL_CHANNEL_COMPILE, CELL_COMPILE_EXPAND, "{\"refuse\":1}", &code));
    CHECK(code == CELL_INVALID_ARGUMENT);
    free(ask(fd, CELL_CHANNEL_COMPILE, CELL_COMPILE_EXPAND, "{\"broken\":1}", &code));
    CHECK(code == CELL_INTERNAL);
    free(ask(fd, CELL_CHANNEL_COMPILE, CELL_COMPILE_EXPAND, "{\"a\":1,\"a\":2}", &code));
    CHECK(code == CELL_PROTOCOL_ERROR);
    expansions_are_checked_against_the_request_and_the_schema(fd);
    free(ask(fd, CELL_CHANNEL_COMPILE, CELL_COMPILE_APPLY, "{}", &code));
    CHECK(code == CELL_UNIMPLEMENTED);
    close(fd);
    demo_stop(&d);
    demo_start(&plain);
    fd = opened(CELL_CHANNEL_COMPILE);
    free(ask(fd, CELL_CHANNEL_COMPILE, CELL_COMPILE_EXPAND, "{}", &code));
    CHECK(code == CELL_UNIMPLEMENTED);
    close(fd);
    demo_stop(&plain);
    demo_teardown();
}
