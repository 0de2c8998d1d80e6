/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Cells that are asked in advance, as the object was made with their answers before. */
#include "session_fixture.h"

#define REQUEST                                                                                                        \
    "{\"annotation\":{\"verb\":\"table\",\"args\":[\"users\"],\"location\":\"a.c:1:1\"},\"declaration\":{\"kind\":"    \
    "\"struct\",\"name\":\"user\",\"type\":{\"name\":\"user\",\"kind\":\"struct\",\"size\":4,\"align\":4,\"fields\":[" \
    "{"                                                                                                                \
    "\"name\":\"x\",\"type\":\"i32\",\"offset\":0}]},\"types\":[]},\"language\":\"c\",\"abi\":\"lp64-le\",\"mode\":"   \
    "\"live\"}"

static void expand(const char *cell)
{
    struct cell_expansion *x = NULL;
    CHECK(cell_session_expand(session, ask(cell, CELL_OK), REQUEST, strlen(REQUEST), NULL, &x, &error) == CELL_OK);
    cell_expansion_free(x);
}

/* An object that was made with an answer of `auth`; that imports `mail` says nothing of its answers. */
static void project_with_object(void)
{
    project_make();
    fake.expansion = "{\"expansion\":\"cell.expansion/1\"}";
    fake.state = "one";
    session_begin(SESSION_LIVE);
    expand("auth");
    ask("mail", CELL_OK);
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    cell_session_settle(session);
    session_done();
    CHECK(fake.opens == 2 && fake.closes == 2 && fake.expands == 1);
    fake.opens = fake.requests = fake.closes = fake.states = fake.expands = 0;
}

TEST(what_answered_before_is_asked_in_advance)
{
    project_with_object();
    session_begin(SESSION_LIVE);
    cell_session_prefetch(session);
    CHECK(fake.starts == 1 && fake.opens == 0 && fake.requests == 0);
    CHECK(strstr(fake.address, "run/auth.sock") != NULL && fake.granted_ms == 200 && !fake.any_owner);
    struct session_cell *cell = NULL;
    CHECK(!cell_session_next(session, &cell)); /* nobody has asked for it yet */
    cell_session_prefetch(session);
    CHECK(fake.starts == 1);
    expand("auth");
    CHECK(fake.opens == 1 && fake.states == 1 && fake.expands == 0 && fake.requests == 1);
    CHECK(cell_session_next(session, &cell) && strcmp(cell->name, "auth") == 0);
    session_done();
    CHECK(fake.closes == 1);
    project_remove();
}

TEST(what_is_not_needed_after_all_is_given_up)
{
    project_with_object();
    session_begin(SESSION_LIVE);
    cell_session_prefetch(session);
    ask("mail", CELL_OK);
    CHECK(fake.starts == 1 && fake.opens == 1);
    session_done();
    CHECK(fake.closes == 2);
    project_remove();
}

TEST(what_was_begun_and_is_lost_is_begun_again)
{
    project_with_object();
    fake.lost = true;
    session_begin(SESSION_LIVE);
    cell_session_prefetch(session);
    expand("auth");
    CHECK(fake.starts == 1 && fake.opens == 2 && fake.states == 1);

    /* Also when it is lost behind its greeting. */
    fake.lost = false;
    fake.opens = fake.states = 0;
    session_begin(SESSION_LIVE);
    cell_session_prefetch(session);
    ask("auth", CELL_OK);
    fake.request_status = CELL_UNAVAILABLE;
    fake.fails_once = true;
    expand("auth");
    CHECK(fake.starts == 2 && fake.opens == 2 && fake.states == 2);

    /* What cannot be begun is asked as ever; what says no is not asked twice. */
    fake.start_status = CELL_UNAVAILABLE;
    fake.opens = 0;
    session_begin(SESSION_LIVE);
    cell_session_prefetch(session);
    expand("auth");
    CHECK(fake.starts == 3 && fake.opens == 1);
    fake.start_status = 0;
    fake.opens = 0;
    fake.open_status = CELL_NOT_FOUND;
    session_begin(SESSION_LIVE);
    cell_session_prefetch(session);
    ask("auth", CELL_NOT_FOUND);
    CHECK(fake.starts == 4 && fake.opens == 1);
    project_remove();
}

TEST(a_state_that_was_asked_in_advance_is_asked_once)
{
    project_with_object();
    fake.version = "second"; /* so that its schema is asked for, before anything else */
    session_begin(SESSION_LIVE);
    cell_session_prefetch(session);
    ask("auth", CELL_OK);
    CHECK(fake.opens == 1 && fake.states == 1 && fake.requests == 2);
    expand("auth");
    CHECK(fake.opens == 1 && fake.expands == 1 && fake.states == 1);
    session_done();

    /* The link is lost behind its greeting, and the schema is asked for over another one. */
    fake.version = "third";
    fake.request_status = CELL_UNAVAILABLE;
    fake.fails_once = true;
    fake.opens = fake.states = 0;
    session_begin(SESSION_LIVE);
    cell_session_prefetch(session);
    ask("auth", CELL_OK);
    CHECK(fake.opens == 2 && fake.states == 2);
    session_done();

    /* A cell that does not answer costs its deadline once. */
    fake.version = "fourth";
    fake.request_status = CELL_DEADLINE_EXCEEDED;
    fake.fails_once = false;
    fake.uses_time = true;
    fake.requests = 0;
    session_begin(SESSION_LIVE);
    cell_session_prefetch(session);
    ask("auth", CELL_DEADLINE_EXCEEDED);
    CHECK(fake.requests == 1);
    project_remove();
}

TEST(who_asks_nobody_asks_nobody_in_advance)
{
    project_make();
    session_begin(SESSION_LIVE); /* nothing is known of the object */
    cell_session_prefetch(session);
    CHECK(fake.starts == 0);
    project_remove();

    project_with_object();
    const enum session_mode modes[] = {SESSION_MIRROR, SESSION_LOCKED};
    for (size_t i = 0; i < 2; i++) {
        session_begin(modes[i]);
        cell_session_prefetch(session);
        CHECK(fake.starts == 0);
    }
    session_begin(SESSION_LIVE);
    cell_session_hurry(session, 100);
    cell_session_prefetch(session);
    CHECK(fake.starts == 0);
    session_begin(SESSION_LIVE);
    ask("mail", CELL_OK); /* it is not the beginning any more */
    cell_session_prefetch(session);
    CHECK(fake.starts == 0);
    session_begin(SESSION_PLAN);
    cell_session_prefetch(session);
    CHECK(fake.starts == 1);
    project_remove();
}

TEST(a_cell_that_let_a_deadline_pass_is_not_asked_in_advance)
{
    project_with_object();
    temp_make_folder("run");
    temp_write("run/auth.sock", "");
    fake.open_status = CELL_DEADLINE_EXCEEDED;
    fake.uses_time = true;
    session_begin(SESSION_LIVE);
    cell_session_prefetch(session);
    ask("auth", CELL_DEADLINE_EXCEEDED);
    CHECK(fake.starts == 1 && fake.opens == 1);
    session_begin(SESSION_LIVE);
    cell_session_prefetch(session);
    CHECK(fake.starts == 1);
    project_remove();
}

TEST(a_record_may_name_many)
{
    char record[2048] = "{\"answers\":{\"7 of them\":[\"k\"],\"no-name\":[\"k\"]";
    project_with_object();
    for (int i = 0; i < 40; i++)
        snprintf(record + strlen(record), sizeof(record) - strlen(record), ",\"c%d\":[\"k\"]", i);
    strcat(record, "},\"cells\":{},\"object\":\"a.o\"}");
    char path[256];
    snprintf(path, sizeof(path), "%s", only_file(".cell/objects"));
    temp_write(path, record);
    session_begin(SESSION_LIVE);
    cell_session_prefetch(session);
    CHECK(fake.starts > 0 && fake.starts <= 8);
    project_remove();
}
