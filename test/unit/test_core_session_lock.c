/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The lock in a compilation: nobody is asked, or the cell first and the lock in its place. */
#include "session_fixture.h"

#define REQUEST                                                                                                        \
    "{\"annotation\":{\"verb\":\"table\",\"args\":[],\"location\":\"a.c:1:1\"},\"declaration\":{\"name\":\"user\"},"   \
    "\"language\":\"c\",\"abi\":\"lp64-le\",\"mode\":\"live\"}"
#define ANSWER "{\"expansion\":\"cell.expansion/1\"}"

static void project(const char *config)
{
    project_make();
    temp_write("cell.json", config);
}

/* Locks what the fake cell says now, with an answer to REQUEST if wanted. */
static void lock_now(bool with_answer) { lock_fake(REQUEST, with_answer ? ANSWER : NULL); }

static int expand(struct session_cell *cell)
{
    struct cell_expansion *x = NULL;
    int r = cell_session_expand(session, cell, REQUEST, strlen(REQUEST), NULL, &x, &error);
    cell_expansion_free(x);
    return r;
}

TEST(locked_means_that_nobody_is_asked)
{
    project("{ \"mode\": \"locked\" }");
    lock_now(true);
    for (int mode = SESSION_LIVE; mode <= SESSION_MIRROR; mode++) {
        session_begin((enum session_mode)mode);
        CHECK(cell_session_mode(session) == SESSION_LOCKED);
        struct session_cell *cell = ask("auth", CELL_OK);
        CHECK_STR(cell->lock_path, temp_path("cells.lock/auth.json"));
        CHECK(!cell->stands_in);
        const struct cell_schema *schema = cell_session_schema(session, cell, &error);
        REQUIRE(schema);
        CHECK_STR(schema->fingerprint, cell->fingerprint);
        CHECK(expand(cell) == CELL_OK);
        CHECK(cell_session_baseline(session, cell) == NULL);
        CHECK(cell_session_commit(session, &error) == CELL_OK);
        CHECK((count_files(".cell/objects") == 1) == true);
    }
    CHECK(fake.opens == 0 && fake.requests == 0);
    CHECK(temp_exists(".cell/mirror/auth.json"));
    project_remove();
}

TEST(what_is_not_locked_names_the_command_that_locks_it)
{
    project("{ \"mode\": \"locked\" }");
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_NOT_FOUND);
    CHECK(strstr(cell->error.text, "cells.lock/auth.json; run 'cell lock auth' where the cell runs") != NULL);
    lock_now(false);
    session_begin(SESSION_LIVE);
    cell = ask("auth", CELL_OK);
    CHECK(expand(cell) == CELL_NOT_FOUND);
    CHECK(strstr(error.text, "cells.lock/auth.json has no answer 'user.table' for it; run 'cell lock auth'") != NULL);
    CHECK(count_files(".cell/missing") == 1 && count_files(".cell/requests") == 1);
    CHECK(fake.opens == 0);
    project_remove();
}

TEST(a_lock_that_cannot_be_used_is_an_error_when_it_is_needed)
{
    project("{ \"mode\": \"locked\" }");
    temp_make_folder("cells.lock");
    temp_write("cells.lock/auth.json", "{\n<<<<<<< HEAD\n");
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_DATA_LOSS);
    CHECK(strstr(cell->error.text, "conflict markers") != NULL);
    project_remove();
}

TEST(a_cell_that_answers_goes_before_its_lock_which_is_the_baseline)
{
    project("{ \"unreachable\": \"lock\" }");
    lock_now(false);
    compile("a.c"); /* the object's own record is of the same schema */
    fake.version = "second";
    compile("a.c");
    fake.version = "third";
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_OK);
    CHECK(!cell->lock_path && !cell->stands_in);
    const struct cell_schema *before = cell_session_baseline(session, cell);
    REQUIRE(before);
    CHECK_STR(before->doc, "first");
    CHECK(cell->baseline_is_lock);
    CHECK(cell_session_check_lock(session, cell, &error) == CELL_OK);
    CHECK(unlink(temp_path("cells.lock/auth.json")) == 0);
    session_begin(SESSION_LIVE);
    cell = ask("auth", CELL_OK);
    before = cell_session_baseline(session, cell);
    REQUIRE(before);
    CHECK_STR(before->doc, "second");
    CHECK(!cell->baseline_is_lock);
    project_remove();
}

TEST(a_damaged_lock_is_told_and_is_no_baseline)
{
    project("{}");
    compile("a.c");
    fake.version = "second";
    temp_make_folder("cells.lock");
    temp_write("cells.lock/auth.json", "{}");
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_OK);
    CHECK(cell_session_check_lock(session, cell, &error) == CELL_DATA_LOSS && strstr(error.text, "auth.json"));
    const struct cell_schema *before = cell_session_baseline(session, cell);
    REQUIRE(before);
    CHECK_STR(before->doc, "first");
    project_remove();
}

TEST(the_lock_stands_in_for_a_cell_that_cannot_be_reached_only_where_the_policy_says_so)
{
    project("{ \"unreachable\": \"lock\" }");
    lock_now(true);
    fake.open_status = CELL_UNAVAILABLE;
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask_unchecked("auth", CELL_OK);
    CHECK(cell->stands_in && cell->lock_path && strstr(cell->error.text, "fake open"));
    CHECK(expand(cell) == CELL_OK);
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    fake.open_status = CELL_PROTOCOL_ERROR; /* what answers wrongly is not passed over */
    session_begin(SESSION_LIVE);
    ask("auth", CELL_PROTOCOL_ERROR);
    fake.open_status = CELL_UNAVAILABLE;
    CHECK(unlink(temp_path("cells.lock/auth.json")) == 0);
    session_begin(SESSION_LIVE);
    cell = ask("auth", CELL_UNAVAILABLE);
    CHECK(strstr(cell->error.text, "fake open; nor can its lock be used: there is no ") != NULL);
    lock_now(true);
    temp_write("cell.json", "{ \"unreachable\": \"fail\" }");
    session_begin(SESSION_LIVE);
    ask("auth", CELL_UNAVAILABLE);
    project_remove();
}

TEST(a_cell_that_hangs_is_replaced_too)
{
    project("{ \"unreachable\": \"lock\", \"timeout_ms\": 20 }");
    lock_now(true);
    fake.open_status = CELL_DEADLINE_EXCEEDED;
    fake.uses_time = true;
    session_begin(SESSION_LIVE);
    CHECK(ask_unchecked("auth", CELL_OK)->stands_in);
    project_remove();
}

TEST(an_object_records_the_answers_it_was_made_with)
{
    project("{}");
    fake.expansion = ANSWER;
    session_begin(SESSION_PLAN);
    CHECK(expand(ask("auth", CELL_OK)) == CELL_OK);
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    CHECK(!temp_exists(".cell/requests"));
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_OK);
    CHECK(expand(cell) == CELL_OK && expand(cell) == CELL_OK);
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    CHECK(count_files(".cell/requests") == 1);
    char *record = temp_read(only_file(".cell/objects"));
    CHECK(strstr(record, "{\"answers\":{\"auth\":[\"user.table ") == record);
    CHECK(strstr(record, "\"]},\"cells\":{\"auth\":\"") != NULL);
    free(record);
    project_remove();
}

TEST(a_configured_plan_commits_what_was_begun_live)
{
    project("{ \"mode\": \"plan\" }");
    session_begin(SESSION_LIVE);
    CHECK(cell_session_mode(session) == SESSION_PLAN);
    ask("auth", CELL_OK);
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    CHECK(count_files(".cell/objects") == 1);
    session_begin(SESSION_MIRROR);
    CHECK(cell_session_mode(session) == SESSION_MIRROR);
    project_remove();
}
