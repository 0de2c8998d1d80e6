/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Sessions of editors: little time, the last known schema, and the baseline of what builds have made. */
#include "session_fixture.h"

static struct session_cell *hurried(const char *name, uint32_t ms, int expected)
{
    CHECK(session_begin_of(name, SESSION_PLAN) == CELL_OK);
    cell_session_hurry(session, ms);
    return ask("auth", expected);
}

TEST(an_editor_waits_no_longer_than_it_says)
{
    project_make();
    hurried("a.c", 50, CELL_OK);
    CHECK(fake.granted_ms <= 50);
    project_remove();
}

TEST(an_editor_waits_no_longer_than_the_project_says)
{
    project_make();
    hurried("a.c", 60000, CELL_OK);
    CHECK(fake.granted_ms <= 200);
    project_remove();
}

TEST(the_last_known_schema_stands_in_for_a_cell_that_does_not_answer)
{
    project_make();
    fake.open_status = CELL_UNAVAILABLE;
    CHECK(!hurried("a.c", 50, CELL_UNAVAILABLE)->stale);
    fake.open_status = 0;
    compile("a.c");
    fake.open_status = CELL_UNAVAILABLE;
    struct session_cell *cell = hurried("a.c", 50, CELL_OK);
    CHECK(cell->stale);
    CHECK(strstr(cell->error.text, "fake open"));
    CHECK(cell_session_schema(session, cell, &error));
    struct cell_expansion *x = NULL;
    CHECK(cell_session_expand(session, cell, "{}", 2, NULL, &x, &error) == CELL_UNAVAILABLE && !x);
    CHECK(fake.expands == 0);
    session_begin(SESSION_PLAN); /* of no editor */
    CHECK(!ask("auth", CELL_UNAVAILABLE)->stale);
    project_remove();
}

TEST(the_haste_of_editors_is_no_matter_of_builds)
{
    project_make();
    temp_make_folder("run");
    temp_write("run/auth.sock", "");
    compile("a.c");
    fake.open_status = CELL_DEADLINE_EXCEEDED;
    fake.uses_time = true;
    CHECK(hurried("a.c", 20, CELL_OK)->stale);
    int asked = fake.opens;
    CHECK(hurried("a.c", 20, CELL_OK)->stale);
    CHECK(fake.opens == asked);
    fake.open_status = 0;
    session_begin(SESSION_LIVE);
    ask("auth", CELL_OK);
    CHECK(fake.opens == asked + 1);
    project_remove();
}

TEST(what_builds_have_found_editors_need_not_find_again)
{
    project_make();
    temp_make_folder("run");
    temp_write("run/auth.sock", "");
    compile("a.c");
    fake.open_status = CELL_DEADLINE_EXCEEDED;
    fake.uses_time = true;
    session_begin(SESSION_LIVE);
    ask("auth", CELL_DEADLINE_EXCEEDED);
    int asked = fake.opens;
    CHECK(hurried("a.c", 20, CELL_OK)->stale);
    CHECK(fake.opens == asked);
    project_remove();
}

TEST(the_baseline_is_that_of_what_was_last_made_of_the_file)
{
    project_make();
    compile("a.c");
    fake.version = "second";
    struct session_cell *cell = hurried("a.c", 50, CELL_OK);
    const struct cell_schema *before = cell_session_baseline(session, cell);
    CHECK(before && strcmp(before->doc, "first") == 0);
    void *iterator = NULL;
    const char *name = cell_session_recorded(session, &iterator);
    CHECK(name && strcmp(name, "auth") == 0);
    CHECK(!cell_session_recorded(session, &iterator));
    cell = hurried("b.c", 50, CELL_OK);
    CHECK(!cell_session_baseline(session, cell));
    iterator = NULL;
    CHECK(!cell_session_recorded(session, &iterator));

    compile("a.c");
    cell = hurried("a.c", 50, CELL_OK);
    CHECK(!cell_session_baseline(session, cell));
    project_remove();
}
