/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Questions of a compilation over a real socket, and what a cell can answer wrongly. */
#include "scripted_server.h"

#include "ask/ask_unix.h"

/* *link: NULL, or what was started. */
static int open_link(struct server *s, unsigned ms, void **link, char print[CELL_FINGERPRINT_LEN + 1])
{
    memset(&e, 0, sizeof(e));
    return cell_exchange_unix.open(s->address, "demo", false, cell_now_ns() + ms * CELL_NS_PER_MS, link, print, &e);
}

/* The whole of it against the script: the status of the first thing that fails. */
static int ask(struct server *s, unsigned ms)
{
    char print[CELL_FINGERPRINT_LEN + 1] = "";
    const char *reply = NULL;
    size_t len = 0;
    void *link = NULL;
    start(s);
    int r = open_link(s, ms, &link, print);
    CHECK(r >= 0 || (link == NULL && print[0] == '\0'));
    if (r >= 0) {
        r = cell_exchange_unix.request(link, CELL_COMPILE_SCHEMA, "{}", 2, cell_now_ns() + ms * CELL_NS_PER_MS, &reply,
                                       &len, &e);
        CHECK(r >= 0 || (reply == NULL && len == 0));
        cell_exchange_unix.close(link);
    }
    /* Every error names the socket, once, and can be shown. */
    const char *named = r < 0 ? strstr(e.text, s->path) : NULL;
    CHECK(r >= 0 || (named && !strstr(named + 1, s->path) && e.status == r));
    for (const char *p = e.text; *p; p++)
        CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
    finish(s);
    return r;
}

/* ---- what works ---- */

TEST(questions_are_answered_one_after_the_other)
{
    struct server s = {0};
    char print[CELL_FINGERPRINT_LEN + 1] = "";
    const char *reply = NULL;
    size_t len = 0;
    void *link = NULL;
    uint64_t deadline = cell_now_ns() + LONG_MS * CELL_NS_PER_MS;
    struct cell_frame f = reply_frame();
    welcome(&s);
    add_frame(&s, f, NULL, "{\"first\":1}");
    s.nsteps++;
    f.id = 2;
    add_frame(&s, f, NULL, "");
    s.nsteps++;
    start(&s);
    REQUIRE(open_link(&s, LONG_MS, &link, print) == CELL_OK);
    CHECK_STR(print, PRINT);
    CHECK(cell_exchange_unix.request(link, CELL_COMPILE_SCHEMA, "{}", 2, deadline, &reply, &len, &e) == CELL_OK);
    CHECK(len == 11 && memcmp(reply, "{\"first\":1}", 11) == 0);
    CHECK(cell_exchange_unix.request(link, CELL_COMPILE_EXPAND, "{\"x\":2}", 7, CELL_NO_DEADLINE, &reply, &len, &e) ==
          CELL_OK);
    CHECK(len == 0);
    cell_exchange_unix.close(link);
    cell_exchange_unix.close(NULL);
    join(&s);
    struct cell_meta_pair p;
    CHECK(s.nseen == 3 && s.seen[0].kind == CELL_FRAME_HELLO && s.seen[0].channel == CELL_CHANNEL_COMPILE);
    CHECK(cell_meta_find((uint8_t *)s.messages[0].data, s.messages[0].len, ":cell", &p) == 0 && p.value_len == 4);
    CHECK(cell_meta_find((uint8_t *)s.messages[0].data, s.messages[0].len, ":abi", &p) == 0 && p.value_len == 7);
    CHECK(cell_meta_find((uint8_t *)s.messages[0].data, s.messages[0].len, ":program", &p) == 0);
    CHECK(p.value_len == 8 && memcmp(p.value, "test_ask", 8) == 0);
    CHECK(s.seen[1].kind == CELL_FRAME_CALL && s.seen[1].code == CELL_COMPILE_SCHEMA && s.seen[1].id == 1);
    CHECK(s.seen[1].timeout_ms > 0 && s.seen[1].timeout_ms <= LONG_MS);
    CHECK(s.seen[2].code == CELL_COMPILE_EXPAND && s.seen[2].id == 2 && s.seen[2].timeout_ms == 0);
    CHECK(s.messages[2].len == 7 && memcmp(s.messages[2].data, "{\"x\":2}", 7) == 0);
    finish(&s);
}

/* A script that sends nothing before it has got both the greeting and the request. */
static void answer_both_at_once(struct server *s, const char *state)
{
    s->nsteps = 1;
    welcome(s);
    s->nsteps--;
    add_frame(s, reply_frame(), NULL, state);
    s->nsteps++;
}

static void *start_asking(struct server *s)
{
    void *link = NULL;
    start(s);
    memset(&e, 0, sizeof(e));
    CHECK(cell_exchange_unix.start(s->address, "demo", false, LONG_MS, &link, &e) == CELL_OK && link);
    return link;
}

static int request(void *link, uint32_t method, const char **reply, size_t *len)
{
    return cell_exchange_unix.request(link, method, "{}", 2, cell_now_ns() + LONG_MS * CELL_NS_PER_MS, reply, len, &e);
}

TEST(a_cell_is_asked_before_it_has_greeted)
{
    struct server s = {0};
    char print[CELL_FINGERPRINT_LEN + 1] = "";
    const char *reply = NULL;
    size_t len = 0;
    struct cell_frame f = reply_frame();
    answer_both_at_once(&s, "{\"state\":\"x\"}");
    f.id = 2;
    add_frame(&s, f, NULL, "later");
    s.nsteps++;
    void *link = start_asking(&s);
    REQUIRE(open_link(&s, LONG_MS, &link, print) == CELL_OK);
    CHECK_STR(print, PRINT);
    CHECK(request(link, CELL_COMPILE_STATE, &reply, &len) == CELL_OK);
    CHECK(len == 13 && memcmp(reply, "{\"state\":\"x\"}", 13) == 0);
    CHECK(request(link, CELL_COMPILE_STATE, &reply, &len) == CELL_OK);
    CHECK(len == 5 && memcmp(reply, "later", 5) == 0);
    cell_exchange_unix.close(link);
    join(&s);
    CHECK(s.nseen == 3 && s.seen[0].kind == CELL_FRAME_HELLO && s.seen[1].kind == CELL_FRAME_CALL);
    CHECK(s.seen[1].code == CELL_COMPILE_STATE && s.seen[1].id == 1 && s.seen[1].timeout_ms == LONG_MS);
    CHECK(s.seen[2].code == CELL_COMPILE_STATE && s.seen[2].id == 2);
    finish(&s);
}

TEST(what_was_started_fails_as_the_rest_does)
{
    struct server s = {0};
    char print[CELL_FINGERPRINT_LEN + 1] = "";
    const char *reply = NULL;
    size_t len = 0;
    void *link = start_asking(&s); /* a script without steps: it is closed */
    CHECK(open_link(&s, LONG_MS, &link, print) == CELL_UNAVAILABLE && !link && says(s.path));
    CHECK(print[0] == '\0');
    finish(&s);

    s = (struct server){0};
    s.nsteps = 1;
    welcome(&s); /* and then no answer */
    link = start_asking(&s);
    REQUIRE(open_link(&s, LONG_MS, &link, print) == CELL_OK);
    CHECK(request(link, CELL_COMPILE_STATE, &reply, &len) == CELL_UNAVAILABLE && says(s.path));
    CHECK(request(link, CELL_COMPILE_STATE, &reply, &len) == CELL_UNAVAILABLE);
    cell_exchange_unix.close(link);
    finish(&s);

    s = (struct server){0};
    struct cell_frame f = reply_frame();
    f.id = 3;
    s.nsteps = 1;
    welcome(&s);
    s.nsteps--;
    add_frame(&s, f, NULL, "{}");
    s.nsteps++;
    link = start_asking(&s);
    REQUIRE(open_link(&s, LONG_MS, &link, print) == CELL_OK);
    CHECK(request(link, CELL_COMPILE_STATE, &reply, &len) == CELL_PROTOCOL_ERROR && says("request id 3, not 1"));
    cell_exchange_unix.close(link);
    finish(&s);

    link = NULL;
    CHECK(cell_exchange_unix.start("unix:no/such.sock", "demo", false, LONG_MS, &link, &e) == CELL_UNAVAILABLE);
    CHECK(cell_exchange_unix.start("https://localhost:1", "demo", false, LONG_MS, &link, &e) == CELL_UNIMPLEMENTED);
    CHECK(!link);
}

TEST(a_draining_cell_still_answers)
{
    struct server s = {0};
    welcome(&s);
    add_frame(&s, (struct cell_frame){.kind = CELL_FRAME_GOAWAY, .channel = CELL_CHANNEL_COMPILE}, NULL, NULL);
    add_frame(&s, reply_frame(), NULL, "{}");
    s.nsteps++;
    CHECK(ask(&s, LONG_MS) == CELL_OK);
}

/* ---- what does not ---- */

TEST(nobody_there_is_said_with_the_path)
{
    char print[CELL_FINGERPRINT_LEN + 1] = "kept";
    void *link = NULL;
    CHECK(cell_exchange_unix.open("unix:none/demo.sock", "demo", false, CELL_NO_DEADLINE, &link, print, &e) ==
          CELL_UNAVAILABLE);
    CHECK_STR(e.text, "no socket at none/demo.sock: nobody listens there");
    CHECK(cell_exchange_unix.open("ftp:x", "demo", false, CELL_NO_DEADLINE, &link, print, &e) == CELL_INVALID_ARGUMENT);
    CHECK(cell_exchange_unix.open("unix:x", "demo", false, CELL_NO_DEADLINE, &link, print, NULL) == CELL_UNAVAILABLE);
    CHECK(link == NULL);
    CHECK_STR(print, "kept");
}

TEST(silence_ends_with_the_deadline)
{
    struct server greets = {.nsteps = 1, .steps[0].hang = true}, answers = {0};
    CHECK(ask(&greets, SHORT_MS) == CELL_DEADLINE_EXCEEDED);
    CHECK(says("it did not answer") && greets.nseen == 1);
    welcome(&answers);
    answers.steps[answers.nsteps++].hang = true;
    CHECK(ask(&answers, SHORT_MS) == CELL_DEADLINE_EXCEEDED);
    CHECK(says("it did not answer") && answers.nseen == 2);
}

TEST(half_an_answer_ends_with_the_deadline)
{
    struct server s = {0};
    struct cell_frame f = reply_frame();
    welcome(&s);
    f.length = 100;
    add_frame(&s, f, NULL, "{\"half\":");
    s.steps[s.nsteps++].hang = true;
    CHECK(ask(&s, SHORT_MS) == CELL_DEADLINE_EXCEEDED);
    CHECK(says("it did not answer"));
}

TEST(the_end_of_the_connection_is_an_error)
{
    struct server at_once = {0}, after_hello = {.nsteps = 1}, after_call = {0}, middle = {0};
    struct cell_frame f = reply_frame();
    CHECK(ask(&at_once, LONG_MS) == CELL_UNAVAILABLE && says("closed"));
    CHECK(ask(&after_hello, LONG_MS) == CELL_UNAVAILABLE && says("no greeting: closed"));
    welcome(&after_call);
    after_call.nsteps++;
    CHECK(ask(&after_call, LONG_MS) == CELL_UNAVAILABLE && says("no answer: closed"));
    welcome(&middle);
    f.length = 100;
    add_frame(&middle, f, NULL, "{\"half\":");
    middle.nsteps++;
    CHECK(ask(&middle, LONG_MS) == CELL_UNAVAILABLE && says("closed in the middle"));
}

TEST(a_cell_that_is_shutting_down_says_so)
{
    struct server s = {0}, first = {0}, twice = {0};
    const struct cell_frame goaway = {.kind = CELL_FRAME_GOAWAY, .channel = CELL_CHANNEL_COMPILE};
    welcome(&s);
    add_frame(&s, goaway, NULL, NULL);
    s.nsteps++;
    CHECK(ask(&s, LONG_MS) == CELL_UNAVAILABLE && says("it is shutting down"));
    add_frame(&first, goaway, NULL, NULL);
    first.nsteps++;
    CHECK(ask(&first, LONG_MS) == CELL_UNAVAILABLE && says("it is shutting down"));
    welcome(&twice);
    add_frame(&twice, goaway, NULL, NULL);
    add_frame(&twice, goaway, NULL, NULL);
    twice.nsteps++;
    CHECK(ask(&twice, LONG_MS) == CELL_PROTOCOL_ERROR && says("second GOAWAY"));
}

TEST(bytes_that_are_no_frames_are_refused)
{
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\nand a body that is longer than a header";
    struct server greets = {0}, answers = {0}, zero = {0};
    cell_buffer_append(&greets.steps[0].bytes, http, sizeof(http));
    greets.steps[greets.nsteps++].hang = true;
    CHECK(ask(&greets, LONG_MS) == CELL_PROTOCOL_ERROR && says("does not keep to the protocol"));
    welcome(&answers);
    cell_buffer_append(&answers.steps[1].bytes, http, sizeof(http));
    answers.steps[answers.nsteps++].hang = true;
    CHECK(ask(&answers, LONG_MS) == CELL_PROTOCOL_ERROR && says("not a Cell frame"));
    cell_buffer_append(&zero.steps[0].bytes, "\0\0\0\0\0\0\0\0", 8);
    zero.steps[zero.nsteps++].hang = true;
    CHECK(ask(&zero, LONG_MS) == CELL_PROTOCOL_ERROR && says("protocol"));
}

TEST(other_versions_are_refused_by_name)
{
    struct server s = {0};
    welcome(&s);
    s.steps[0].bytes.data[8] = 9;
    s.steps[0].hang = true;
    CHECK(ask(&s, LONG_MS) == CELL_PROTOCOL_ERROR && says("version 9"));
}

TEST(sizes_beyond_the_limit_are_refused_before_they_are_read)
{
    static const uint32_t lengths[] = {CELL_MAX_COMPILE_REPLY + 1, 5u << 20, 1u << 31, UINT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        struct server s = {.endless = i % 2};
        struct cell_frame f = reply_frame();
        welcome(&s);
        f.length = lengths[i];
        add_frame(&s, f, NULL, NULL);
        s.steps[s.nsteps++].hang = !s.endless; /* not one byte of it is needed */
        CHECK(ask(&s, LONG_MS) == CELL_TOO_LARGE && says("the limit is 4194304"));
    }
    struct server greets = {0};
    struct cell_frame f = {.kind = CELL_FRAME_WELCOME, .channel = CELL_CHANNEL_COMPILE, .length = CELL_MAX_HELLO + 1};
    add_frame(&greets, f, NULL, NULL);
    greets.steps[greets.nsteps++].hang = true;
    CHECK(ask(&greets, LONG_MS) == CELL_TOO_LARGE && says("the limit is 4096"));
}

TEST(frames_that_do_not_belong_there_are_refused)
{
    struct server early = {0}, late = {0}, id = {0}, channel = {0};
    add_frame(&early, reply_frame(), NULL, NULL);
    early.nsteps++;
    CHECK(ask(&early, LONG_MS) == CELL_PROTOCOL_ERROR && says("kind 5 where WELCOME belongs"));

    welcome(&late);
    add_frame(&late, (struct cell_frame){.kind = CELL_FRAME_WELCOME, .channel = CELL_CHANNEL_COMPILE}, NULL, NULL);
    late.nsteps++;
    CHECK(ask(&late, LONG_MS) == CELL_PROTOCOL_ERROR && says("kind 2 where REPLY belongs"));

    welcome(&id);
    struct cell_frame f = reply_frame();
    f.id = 77;
    add_frame(&id, f, NULL, "{}");
    id.nsteps++;
    CHECK(ask(&id, LONG_MS) == CELL_PROTOCOL_ERROR && says("request id 77, not 1"));

    welcome(&channel);
    f = reply_frame();
    f.channel = CELL_CHANNEL_OPS;
    add_frame(&channel, f, NULL, "{}");
    channel.nsteps++;
    CHECK(ask(&channel, LONG_MS) == CELL_PROTOCOL_ERROR && says("on channel 1, not 2"));
}

TEST(broken_metadata_is_refused)
{
    struct server greets = {0}, answers = {0};
    struct cell_frame f = {.kind = CELL_FRAME_WELCOME, .channel = CELL_CHANNEL_COMPILE};
    struct cell_buffer meta = {0};
    cell_buffer_append(&meta,
                       "\xff\xff\xff\xff"
                       "ab",
                       6);
    add_frame(&greets, f, &meta, NULL);
    greets.nsteps++;
    CHECK(ask(&greets, LONG_MS) == CELL_PROTOCOL_ERROR && says("metadata"));
    welcome(&answers);
    meta = (struct cell_buffer){0};
    cell_buffer_append(&meta, "\1\0\1\0KV", 6);
    add_frame(&answers, reply_frame(), &meta, "{}");
    answers.nsteps++;
    CHECK(ask(&answers, LONG_MS) == CELL_PROTOCOL_ERROR && says("invalid key"));
}

/* A server whose WELCOME has one pair. */
static struct server greeting(const char *key, const char *value, int code)
{
    struct server s = {0};
    struct cell_buffer meta = {0};
    pair(&meta, key, value);
    add_frame(&s, (struct cell_frame){.kind = CELL_FRAME_WELCOME, .channel = CELL_CHANNEL_COMPILE, .code = code}, &meta,
              NULL);
    s.nsteps++;
    return s;
}

TEST(greetings_that_do_not_fit_are_refused)
{
    struct server s = greeting(":cell", "demo", 0);
    CHECK(ask(&s, LONG_MS) == CELL_PROTOCOL_ERROR && says("no fingerprint"));
    s = greeting(":fingerprint", "abc", 0);
    CHECK(ask(&s, LONG_MS) == CELL_PROTOCOL_ERROR && says("invalid fingerprint"));
    s = greeting(":cell", "other", 0);
    CHECK(ask(&s, LONG_MS) == CELL_NOT_FOUND && says("cell 'other' answers there, not 'demo'"));
    s = greeting(":need-schema", "1", 0);
    CHECK(ask(&s, LONG_MS) == CELL_SCHEMA_MISMATCH && says("schema"));
    s = greeting(":message", "go \x1b[31maway\n", CELL_PERMISSION_DENIED);
    CHECK(ask(&s, LONG_MS) == CELL_PERMISSION_DENIED && says("go ?[31maway?"));
    s = greeting(":cell", "demo", -1000);
    CHECK(ask(&s, LONG_MS) == CELL_UNKNOWN && says("unknown error"));
}

TEST(an_error_of_the_cell_is_passed_on)
{
    struct server s = {0}, silent = {0}, strange = {0};
    struct cell_buffer meta = {0};
    struct cell_frame f = reply_frame();
    welcome(&s);
    f.code = CELL_INTERNAL;
    pair(&meta, ":message", "broken\x07 disk");
    add_frame(&s, f, &meta, NULL);
    s.nsteps++;
    CHECK(ask(&s, LONG_MS) == CELL_INTERNAL && says(": broken? disk"));
    welcome(&silent);
    add_frame(&silent, f, NULL, NULL);
    silent.nsteps++;
    CHECK(ask(&silent, LONG_MS) == CELL_INTERNAL && says(": internal error"));
    welcome(&strange);
    f.code = INT32_MIN;
    add_frame(&strange, f, NULL, NULL);
    strange.nsteps++;
    CHECK(ask(&strange, LONG_MS) == CELL_UNKNOWN && says(": unknown error"));
}
