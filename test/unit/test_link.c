/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Links as the command line uses them. Answers that break the protocol are in test_ask.c. */
#include "scripted_server.h"

#include "ask/link.h"

TEST(a_schema_is_fetched_in_one_call)
{
    struct server s = {0};
    char *json = NULL;
    size_t len = 0;
    welcome(&s);
    add_frame(&s, reply_frame(), NULL, "{\"schema\":\"x\"}");
    s.nsteps++;
    start(&s);
    CHECK(cell_link_schema(s.address, "demo", false, CELL_NO_DEADLINE, &json, &len, &e) == CELL_OK);
    CHECK(len == 14);
    CHECK_STR(json, "{\"schema\":\"x\"}");
    free(json);
    finish(&s);
}

TEST(requests_beyond_the_limit_are_not_sent)
{
    struct server s = {0};
    struct cell_link *l = NULL;
    struct cell_link_reply reply = {0};
    static char big[1001];
    struct cell_buffer meta = {0};
    pair(&meta, ":fingerprint", PRINT);
    pair(&meta, ":max-message", "1000");
    add_frame(&s, (struct cell_frame){.kind = CELL_FRAME_WELCOME, .channel = CELL_CHANNEL_COMPILE}, &meta, NULL);
    s.nsteps++;
    add_frame(&s, reply_frame(), NULL, "{}");
    s.nsteps++;
    start(&s);
    REQUIRE(cell_link_open(s.address, NULL, CELL_CHANNEL_COMPILE, NULL, false, CELL_NO_DEADLINE, &l, &e) == CELL_OK);
    CHECK_STR(cell_link_cell(l), "");
    CHECK(cell_link_request(l, 0, NULL, 0, big, 1001, 0, CELL_NO_DEADLINE, &reply, &e) == CELL_TOO_LARGE);
    CHECK(says("1001 bytes is over the limit of 1000"));
    CHECK(cell_link_request(l, 0, NULL, 0, big, 1000, 0, CELL_NO_DEADLINE, &reply, &e) == CELL_OK);
    CHECK(reply.code == 0 && reply.message_len == 2);
    /* The script is over: the connection ends, and stays ended. */
    CHECK(cell_link_request(l, 0, NULL, 0, big, 1, 0, CELL_NO_DEADLINE, &reply, &e) == CELL_UNAVAILABLE);
    CHECK(cell_link_request(l, 0, NULL, 0, big, 1, 0, CELL_NO_DEADLINE, &reply, NULL) == CELL_UNAVAILABLE);
    cell_link_close(l);
    cell_link_close(NULL);
    finish(&s);
}

TEST(a_late_answer_is_not_taken_for_the_next)
{
    struct server s = {0};
    struct cell_link *l = NULL;
    struct cell_link_reply reply = {0};
    welcome(&s);
    s.steps[s.nsteps++].hang = true;
    start(&s);
    REQUIRE(cell_link_open(s.address, "demo", CELL_CHANNEL_COMPILE, NULL, false, CELL_NO_DEADLINE, &l, &e) == CELL_OK);
    struct cell_peer peer = {0};
    cell_link_peer(l, &peer);
    CHECK(peer.pid == getpid() && peer.uid == getuid());
    CHECK_STR(cell_link_cell(l), "demo");
    CHECK_STR(cell_link_fingerprint(l), PRINT);
    uint64_t deadline = cell_now_ns() + SHORT_MS * CELL_NS_PER_MS;
    CHECK(cell_link_request(l, 0, NULL, 0, "{}", 2, 0, deadline, &reply, &e) == CELL_DEADLINE_EXCEEDED);
    CHECK(cell_link_request(l, 0, NULL, 0, "{}", 2, 0, CELL_NO_DEADLINE, &reply, &e) == CELL_UNAVAILABLE);
    CHECK(says("the connection is broken"));
    cell_link_close(l);
    finish(&s);
}

TEST(names_that_cannot_be_sent_are_refused)
{
    struct server s = {0};
    struct cell_link *l = NULL;
    char name[100];
    memset(name, 'n', sizeof(name) - 1);
    name[99] = '\0';
    start(&s);
    CHECK(cell_link_open(s.address, name, CELL_CHANNEL_COMPILE, NULL, false, CELL_NO_DEADLINE, &l, &e) ==
          CELL_INVALID_ARGUMENT);
    CHECK(says("too long"));
    finish(&s);
    CHECK(l == NULL);
}
