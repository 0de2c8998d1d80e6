/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What precompiled headers have asked. */
#include "answers_fixture.h"

/* The answers, and the first error among them. */
struct included {
    int n;
    char error[32];
};

static void take_included(void *user, struct session_cell *cell, struct cell_expansion *x)
{
    struct included *all = user;
    const struct expansion_diagnostic *refusal = cell_expansion_refusal(x);
    CHECK(cell_session_questions(cell) > 0);
    all->n++;
    if (refusal && !all->error[0])
        snprintf(all->error, sizeof(all->error), "%s", refusal->text);
    cell_expansion_free(x);
}

static int ask_included(const char *path, struct included *all)
{
    *all = (struct included){0};
    return cell_session_ask_included(session, path, take_included, all, &error);
}

TEST(what_a_precompiled_header_asked_is_asked_again_by_who_includes_it)
{
    struct included all;
    project_with("one", PLANNED("1"));
    begin_asking(SESSION_PLAN);
    expand("user");
    fake.expansion = ANSWER("2");
    expand("plain");
    cell_session_keep_included(session, "/x/pre.pch");
    end_unit();
    CHECK(count_files(".cell/included") == 1);

    fake.expansion = PLANNED("3");
    begin_asking(SESSION_LIVE);
    CHECK(ask_included("/x/other.pch", &all) == CELL_OK && all.n == 0);
    CHECK(fake.states == 0 && fake.expands == 0);
    CHECK(ask_included("/x/pre.pch", &all) == CELL_OK && all.n == 2 && !all.error[0]);
    CHECK(fake.states == 1 && fake.expands == 0); /* both are kept */
    struct session_cell *cell = NULL;
    REQUIRE(cell_session_next(session, &cell));
    CHECK_STR(cell->name, "auth");
    CHECK(cell_session_planned(cell) == 1 && !cell_session_next(session, &cell));
    fake.expansion = ANSWER("4");
    expand("query");
    CHECK(strstr(fake_last, "{\"pending\":[{\"abi\"") && strstr(fake_last, "\"location\":\"/x/pre.pch\""));
    fake.applied = "{\"applied\":[{\"id\":\"ab\",\"steps\":1},{\"id\":\"\",\"steps\":0}],\"state\":\"after\"}";
    struct cell_applied *applied = apply(CELL_OK);
    CHECK(applied && fake.applies == 1);
    cell_applied_free(applied);
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    end_unit();
    CHECK(count_files(".cell/requests") == 3); /* the object needs them all */

    /* What it needs cannot be had any more. */
    fake.state = "another";
    fake.expansion = ERRONEOUS;
    begin_asking(SESSION_LIVE);
    CHECK(ask_included("/x/pre.pch", &all) == CELL_OK && all.n == 2);
    CHECK_STR(all.error, "it is so");
    expand_request(request_of("query", "live"));
    CHECK(strstr(fake_last, "\"failed\":[{\"abi\"") != NULL);
    end_unit();

    /* Without the cell it cannot be known; damaged, there is none. */
    fake.open_status = CELL_UNAVAILABLE;
    session_begin(SESSION_LIVE);
    CHECK(ask_included("/x/pre.pch", &all) == CELL_UNAVAILABLE && error.text[0]);
    static const char *const bad[] = {"", "{", "[1]", "{\"auth\":1}", "{\"auth\":[]}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char path[256];
        snprintf(path, sizeof(path), "%s", only_file(".cell/included"));
        temp_write(path, bad[i]);
        session_begin(SESSION_LIVE);
        int r = ask_included("/x/pre.pch", &all);
        CHECK(r == (i == 4 ? CELL_UNAVAILABLE : CELL_OK));
    }
    fake.open_status = 0;

    /* One that asks nothing any more leaves none. */
    begin_asking(SESSION_PLAN);
    ask("auth", CELL_OK);
    cell_session_keep_included(session, "/x/pre.pch");
    CHECK(count_files(".cell/included") == 0);
    project_remove();
}
