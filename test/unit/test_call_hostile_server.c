/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A client and a server by hand: what is called again, and what a broken answer becomes. */
#include "call_fixture.h"

/* What the server does with one connection after the handshake and one CALL. */
enum action {
    ANSWER, /* demo_add's reply */
    CLOSE,  /* the connection ends */
    GOAWAY_CLOSE,
    GOAWAY_ANSWER, /* the reply follows all the same */
    GOAWAY_TWICE,
    REFUSE, /* WELCOME with a status, in place of the reply */
    OTHER_ID,
    OTHER_CHANNEL,
    OTHER_KIND,
    GARBAGE,
    BAD_META,
    BAD_MESSAGE,
    NO_MESSAGE,
    TOO_LONG,
    UNKNOWN_STATUS,
    STEERING_TEXT,
    HELLO_CLOSE, /* instead of WELCOME, */
    HELLO_GOAWAY,
    HELLO_NAME, /* of another cell */
    HELLO_GARBAGE,
    HELLO_TWICE /* asks for the schema again and again */
};

struct script {
    const enum action *actions;
    int n, served, calls;
    int listener;
    pthread_t thread;
};

static void send_welcome(int fd, const char *cell, bool need_schema)
{
    struct cell_buffer b = {0};
    cell_meta_append(&b, CELL_META_CELL, cell, strlen(cell));
    cell_meta_append(&b, CELL_META_FINGERPRINT, demo_fingerprint, 64);
    if (need_schema)
        cell_meta_append(&b, CELL_META_NEED_SCHEMA, "1", 1);
    raw_send(fd, (struct cell_frame){.kind = CELL_FRAME_WELCOME}, b.data, b.len, NULL, 0);
    cell_buffer_free(&b);
}

static void send_with_meta(int fd, struct cell_frame f, const char *key, const char *value)
{
    struct cell_buffer b = {0};
    cell_meta_append(&b, key, value, strlen(value));
    raw_send(fd, f, b.data, b.len, NULL, 0);
    cell_buffer_free(&b);
}

/* The reply to demo_add(40, 2). */
static const uint32_t sum_message[8] = {32, 16, 24, 4, 1, 0, 42, 0};

static void act(int fd, enum action action, uint64_t id)
{
    struct cell_frame reply = {.kind = CELL_FRAME_REPLY, .id = id}, goaway = {.kind = CELL_FRAME_GOAWAY};
    size_t len = sizeof(sum_message);
    uint32_t bad[8];
    memcpy(bad, sum_message, sizeof(bad));
    if (action == GOAWAY_CLOSE || action == GOAWAY_ANSWER || action == GOAWAY_TWICE)
        raw_send(fd, goaway, NULL, 0, NULL, 0);
    switch (action) {
    case GOAWAY_CLOSE:
        return;
    case OTHER_ID:
        reply.id++;
        break;
    case OTHER_CHANNEL:
        reply.channel = CELL_CHANNEL_OPS;
        break;
    case OTHER_KIND:
        reply.kind = CELL_FRAME_CALL;
        break;
    case GOAWAY_TWICE:
        raw_send(fd, goaway, NULL, 0, NULL, 0);
        return;
    case BAD_MESSAGE:
        bad[2] = 4096;
        break;
    case NO_MESSAGE:
        len = 0;
        break;
    case UNKNOWN_STATUS:
        reply.code = -4711;
        len = 0;
        break;
    case REFUSE:
        send_with_meta(fd, (struct cell_frame){.kind = CELL_FRAME_WELCOME, .code = CELL_PROTOCOL_ERROR}, ":message",
                       "no frame");
        return;
    case STEERING_TEXT:
        reply.code = CELL_ABORTED;
        send_with_meta(fd, reply, ":message", "a\x1b[2Jb\xff");
        return;
    case BAD_META:
        raw_send(fd, reply, "\x09\x00\x00", 3, sum_message, sizeof(sum_message));
        return;
    case GARBAGE:
        CHECK(send(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, MSG_NOSIGNAL) == 28);
        return;
    case TOO_LONG: {
        uint8_t header[CELL_FRAME_HEADER];
        reply.length = UINT32_MAX;
        cell_frame_encode(&reply, header);
        CHECK(send(fd, header, sizeof(header), MSG_NOSIGNAL) == sizeof(header));
        return;
    }
    default:
        break;
    }
    raw_send(fd, reply, NULL, 0, bad, len);
}

/* True when a CALL may follow. */
static bool greet(int fd, enum action action)
{
    struct cell_frame f = {0};
    uint8_t *payload = NULL;
    bool got = raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_HELLO;
    free(payload);
    if (!got || action == HELLO_CLOSE)
        return false;
    if (action == HELLO_GOAWAY)
        raw_send(fd, (struct cell_frame){.kind = CELL_FRAME_GOAWAY}, NULL, 0, NULL, 0);
    else if (action == HELLO_GARBAGE)
        CHECK(send(fd, "\0\0\0\0", 4, MSG_NOSIGNAL) == 4);
    else
        send_welcome(fd, action == HELLO_NAME ? "other" : "demo", action == HELLO_TWICE);
    if (action == HELLO_TWICE) {
        payload = NULL;
        CHECK(raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_SCHEMA);
        free(payload);
        send_welcome(fd, "demo", true);
    }
    return action < HELLO_CLOSE;
}

/* The next CALL. False at the end. */
static bool next_call(struct script *s, int fd, uint64_t *id)
{
    struct cell_frame f = {0};
    uint8_t *payload = NULL;
    bool got = raw_recv(fd, &f, &payload);
    free(payload);
    *id = f.id;
    s->calls += got && f.kind == CELL_FRAME_CALL;
    return got && f.kind == CELL_FRAME_CALL;
}

static void *run_script(void *arg)
{
    struct script *s = arg;
    while (s->served < s->n) {
        enum action action = s->actions[s->served++];
        uint64_t id;
        int fd = accept(s->listener, NULL, NULL);
        if (greet(fd, action))
            while (next_call(s, fd, &id)) {
                if (action == CLOSE)
                    break;
                act(fd, action, id);
                if (action == GOAWAY_CLOSE)
                    break;
            }
        close(fd);
    }
    return NULL;
}

static void script_start(struct script *s, const enum action *actions, int n)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memset(s, 0, sizeof(*s));
    s->actions = actions;
    s->n = n;
    demo_setup();
    free(embed_schema(&demo, demo_fingerprint));
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", demo_address + 5);
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(s->listener, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(s->listener, 5) == 0);
    CHECK(pthread_create(&s->thread, NULL, run_script, s) == 0);
}

static void script_stop(struct script *s)
{
    pthread_join(s->thread, NULL); /* every connection of the script was made */
    close(s->listener);
    demo_teardown();
}

#define SCRIPT(...) static const enum action actions[] = {__VA_ARGS__}
#define START(s) script_start(&(s), actions, sizeof(actions) / sizeof(actions[0]))

TEST(an_idempotent_method_is_called_again_after_a_lost_connection)
{
    SCRIPT(CLOSE, CLOSE, ANSWER);
    struct script s;
    struct cell_client *client = NULL;
    int32_t sum = 0;
    START(s);
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_add(c, 40, 2, &sum) == 0 && sum == 42);
    cell_ctx_close(c);
    cell_client_close(client);
    script_stop(&s);
    CHECK(s.calls == 3);
}

TEST(after_three_attempts_its_outcome_is_unknown)
{
    SCRIPT(CLOSE, CLOSE, CLOSE);
    struct script s;
    struct cell_client *client = NULL;
    int32_t sum = 5;
    START(s);
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_add(c, 40, 2, &sum) == CELL_UNKNOWN_OUTCOME && sum == 5);
    cell_ctx_close(c);
    cell_client_close(client);
    script_stop(&s);
    CHECK(s.calls == 3);
}

TEST(a_method_that_is_not_idempotent_is_not_called_again_when_it_may_have_run)
{
    SCRIPT(CLOSE, GOAWAY_CLOSE, GOAWAY_CLOSE, CLOSE);
    struct script s;
    struct cell_client *client = NULL;
    struct echo_out o;
    START(s);
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_echo(c, CELL_STR("x"), (cell_bytes){NULL, 0}, &o) == CELL_UNKNOWN_OUTCOME);
    CHECK_STR(cell_ctx_message(c),
              "demo: the connection was lost before demo_echo was answered; it may have been executed: closed");
    CHECK(s.calls == 1);
    /* but it is when the server says that it did not begin it */
    CHECK(call_echo(c, CELL_STR("x"), (cell_bytes){NULL, 0}, &o) == CELL_UNKNOWN_OUTCOME);
    cell_ctx_close(c);
    cell_client_close(client);
    script_stop(&s);
    CHECK(s.calls == 4);
}

TEST(a_reply_after_goaway_counts_and_the_connection_is_not_used_again)
{
    SCRIPT(GOAWAY_ANSWER, ANSWER);
    struct script s;
    struct cell_client *client = NULL;
    int32_t sum = 0;
    START(s);
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_add(c, 40, 2, &sum) == 0 && sum == 42);
    CHECK(call_add(c, 40, 2, &sum) == 0 && s.served == 2);
    cell_ctx_close(c);
    cell_client_close(client);
    script_stop(&s);
}

TEST(the_budget_ends_repetitions)
{
    enum action actions[60];
    struct script s;
    struct cell_client *client = NULL;
    int32_t sum = 0;
    for (int i = 0; i < 60; i++)
        actions[i] = CLOSE;
    START(s);
    cell_ctx *c = demo_ctx(&client);
    for (int calls = 0; s.calls < 60; calls++) {
        int before = s.calls;
        CHECK(call_add(c, 40, 2, &sum) == CELL_UNKNOWN_OUTCOME);
        if (calls >= 5) /* ten repetitions are paid for: two each for five calls */
            CHECK(s.calls == before + 1);
    }
    cell_ctx_close(c);
    cell_client_close(client);
    script_stop(&s);
}

TEST(broken_answers_are_clear_errors)
{
    static const struct {
        enum action action;
        int status;
        const char *text;
    } cases[] = {{REFUSE, CELL_PROTOCOL_ERROR, "demo: no frame"},
                 {OTHER_ID, CELL_PROTOCOL_ERROR, "where REPLY to 1 belongs"},
                 {OTHER_CHANNEL, CELL_PROTOCOL_ERROR, "channel 1"},
                 {OTHER_KIND, CELL_PROTOCOL_ERROR, "frame kind 4"},
                 {GOAWAY_TWICE, CELL_PROTOCOL_ERROR, "frame kind 7"},
                 {GARBAGE, CELL_PROTOCOL_ERROR, "not a Cell frame"},
                 {BAD_META, CELL_PROTOCOL_ERROR, "metadata"},
                 {BAD_MESSAGE, CELL_PROTOCOL_ERROR, "demo_add: reply: out"},
                 {NO_MESSAGE, CELL_PROTOCOL_ERROR, "shorter than its header"},
                 {TOO_LONG, CELL_TOO_LARGE, "limit"},
                 {UNKNOWN_STATUS, CELL_UNKNOWN, "unknown error"},
                 {STEERING_TEXT, CELL_ABORTED, "a?[2Jb?"},
                 {HELLO_NAME, CELL_NOT_FOUND, "the cell there is 'other'"},
                 {HELLO_GARBAGE, CELL_PROTOCOL_ERROR, "not a Cell frame"},
                 {HELLO_TWICE, CELL_PROTOCOL_ERROR, "schema twice"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const enum action actions[] = {cases[i].action};
        struct script s;
        struct cell_client *client = NULL;
        int32_t sum = 5;
        START(s);
        cell_ctx *c = demo_ctx(&client);
        int r = call_add(c, 40, 2, &sum);
        if (r != cases[i].status || !strstr(cell_ctx_message(c), cases[i].text) || sum != 5) {
            printf("case %zu: %s\n", i, cell_status_name(r));
            CHECK_STR(cell_ctx_message(c), cases[i].text);
        }
        CHECK(cell_ctx_status(c) == r);
        cell_ctx_close(c);
        cell_client_close(client);
        script_stop(&s);
    }
}

TEST(a_handshake_that_is_not_completed_is_tried_again)
{
    SCRIPT(HELLO_CLOSE, HELLO_GOAWAY, ANSWER);
    struct script s;
    struct cell_client *client = NULL;
    int32_t sum = 0;
    START(s);
    cell_ctx *c = demo_ctx(&client);
    CHECK(call_add(c, 40, 2, &sum) == 0 && sum == 42);
    cell_ctx_close(c);
    cell_client_close(client);
    script_stop(&s);
    CHECK(s.calls == 1);
}
