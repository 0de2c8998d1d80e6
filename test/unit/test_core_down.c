/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The memory of cells that do not answer. */
#include "session_fixture.h"

/* A compilation that meets a cell which would hang; true when it was asked. */
static bool asks_hung_cell(void)
{
    fake.opens = 0;
    session_begin(SESSION_LIVE);
    ask("auth", CELL_DEADLINE_EXCEEDED);
    session_done();
    return fake.opens > 0;
}

/* Makes the note about the cell this old. */
static void age_note(int seconds)
{
    struct timeval then[2];
    gettimeofday(&then[0], NULL);
    then[0].tv_sec -= seconds;
    then[1] = then[0];
    CHECK(utimes(temp_path(only_file(".cell/down")), then) == 0);
}

static void hung_project(void)
{
    project_make();
    temp_make_folder("run");
    temp_write("run/auth.sock", "");
    temp_write("cell.json", "{ \"run_dir\": \"run\", \"timeout_ms\": 20, \"cells\": { \"auth\": {} } }");
    fake.open_status = CELL_DEADLINE_EXCEEDED;
    fake.uses_time = true;
}

TEST(a_hung_cell_is_not_asked_by_each_compilation)
{
    hung_project();
    CHECK(asks_hung_cell());
    CHECK(!asks_hung_cell());
    session_begin(SESSION_PLAN);
    struct session_cell *cell = ask("auth", CELL_DEADLINE_EXCEEDED);
    CHECK(strstr(cell->error.text, "run/auth.sock: the cell did not answer ") &&
          strstr(cell->error.text, "asked again"));
    age_note(20);
    CHECK(!asks_hung_cell());
    age_note(31);
    CHECK(asks_hung_cell());
    CHECK(!asks_hung_cell());
    project_remove();
}

TEST(a_long_deadline_is_remembered_longer)
{
    hung_project();
    CHECK(asks_hung_cell());
    temp_write("cell.json", "{ \"run_dir\": \"run\", \"timeout_ms\": 10000 }");
    fake.uses_time = false;
    age_note(90);
    CHECK(!asks_hung_cell());
    age_note(101);
    CHECK(asks_hung_cell());
    project_remove();
}

TEST(a_cell_that_hangs_in_its_answer_is_remembered_too)
{
    hung_project();
    fake.open_status = 0;
    fake.request_status = CELL_DEADLINE_EXCEEDED;
    CHECK(asks_hung_cell());
    CHECK(!asks_hung_cell());
    project_remove();
}

TEST(a_cell_that_hangs_over_a_declaration_is_remembered_too)
{
    struct cell_expansion *x = NULL;
    hung_project();
    fake.open_status = 0;
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_OK);
    fake.request_status = CELL_DEADLINE_EXCEEDED;
    CHECK(cell_session_expand(session, cell, "{}", 2, NULL, &x, &error) == CELL_DEADLINE_EXCEEDED);
    CHECK(!asks_hung_cell());
    project_remove();

    hung_project(); /* not when the compilation had used up most of its time before */
    temp_write("cell.json", "{ \"run_dir\": \"run\", \"timeout_ms\": 1000 }");
    fake.open_status = 0;
    fake.takes_ms = 550;
    session_begin(SESSION_LIVE);
    cell = ask("auth", CELL_OK);
    fake.request_status = CELL_DEADLINE_EXCEEDED;
    CHECK(cell_session_expand(session, cell, "{}", 2, NULL, &x, &error) == CELL_DEADLINE_EXCEEDED);
    CHECK(!temp_exists(".cell/down"));
    project_remove();
}

TEST(a_cell_that_was_started_again_is_asked_at_once)
{
    hung_project();
    CHECK(asks_hung_cell());
    CHECK(!asks_hung_cell());
    /* It may get the number of the old one, but it is younger: by the deadline at least. */
    CHECK(unlink(temp_path("run/auth.sock")) == 0);
    temp_write("run/auth.sock", "");
    CHECK(asks_hung_cell());
    project_remove();
}

TEST(a_cell_that_answers_again_is_forgotten)
{
    hung_project();
    CHECK(asks_hung_cell());
    age_note(31);
    fake.open_status = 0;
    compile("a.c");
    CHECK(count_files(".cell/down") == 0);
    project_remove();
}

TEST(cells_that_answer_at_once_are_not_remembered)
{
    hung_project();
    const int statuses[] = {CELL_UNAVAILABLE, CELL_PERMISSION_DENIED, CELL_PROTOCOL_ERROR, CELL_NOT_FOUND};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        fake.open_status = statuses[i];
        session_begin(SESSION_LIVE);
        ask("auth", statuses[i]);
    }
    temp_write("cell.json", "{ \"run_dir\": \"run\", \"timeout_ms\": 600000 }");
    fake.open_status = CELL_DEADLINE_EXCEEDED; /* of its own: the answer came at once */
    fake.uses_time = false;
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_DEADLINE_EXCEEDED);
    CHECK(strstr(cell->error.text, "fake open") != NULL);
    CHECK(!temp_exists(".cell/down"));
    temp_write("cell.json", "{ \"run_dir\": \"run\", \"timeout_ms\": 20 }");
    fake.uses_time = true;
    CHECK(unlink(temp_path("run/auth.sock")) == 0);
    fake.open_status = CELL_DEADLINE_EXCEEDED;
    CHECK(asks_hung_cell());
    CHECK(asks_hung_cell()); /* without a socket file there is nothing to remember it by */
    project_remove();
}

TEST(only_a_cell_that_had_the_time_is_blamed)
{
    hung_project();
    temp_write("run/mail.sock", "");
    session_begin(SESSION_LIVE);
    ask("auth", CELL_DEADLINE_EXCEEDED);
    ask("mail", CELL_DEADLINE_EXCEEDED);
    CHECK(count_files(".cell/down") == 1);
    fake.open_status = 0;
    session_begin(SESSION_LIVE);
    ask("mail", CELL_OK);
    ask("auth", CELL_DEADLINE_EXCEEDED);
    project_remove();

    hung_project(); /* here the first answers, but leaves the other one less than half of the time */
    temp_write("run/mail.sock", "");
    temp_write("cell.json", "{ \"run_dir\": \"run\", \"timeout_ms\": 1000 }");
    fake.open_status = 0;
    fake.takes_ms = 550;
    session_begin(SESSION_LIVE);
    ask("auth", CELL_OK);
    fake.open_status = CELL_DEADLINE_EXCEEDED;
    ask("mail", CELL_DEADLINE_EXCEEDED);
    CHECK(count_files(".cell/down") == 0);
    project_remove();
}

TEST(damaged_and_future_notes_are_ignored)
{
    hung_project();
    CHECK(asks_hung_cell());
    const char *damaged[] = {"", "x", "1.000000000\n"};
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        temp_write(only_file(".cell/down"), damaged[i]);
        CHECK(asks_hung_cell());
        CHECK(!asks_hung_cell());
    }
    age_note(-100);
    CHECK(asks_hung_cell());
    project_remove();
}

TEST(old_notes_are_removed)
{
    hung_project();
    CHECK(asks_hung_cell());
    age_note(31);
    temp_write(".cell/down/1-1", "");
    make_old(".cell/down/1-1");
    CHECK(asks_hung_cell());
    CHECK(!temp_exists(".cell/down/1-1"));
    CHECK(count_files(".cell/down") == 1);
    project_remove();
}
