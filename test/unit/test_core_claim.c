/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Which compilation of a build explains that a cell does not answer. */
#include "session_fixture.h"

#include <fcntl.h>
#include <sys/file.h>

#define REPORT ".cell/down/auth"

/* One compilation of src/NAME that meets the failure of `cell`: who has explained it, or NULL. */
static const char *claim_of(const char *name, const char *cell, enum session_mode mode)
{
    CHECK(session_begin_of(name, mode) == CELL_OK);
    return cell_session_claim(session, ask(cell, fake.open_status));
}

static const char *claim(const char *name) { return claim_of(name, "auth", SESSION_LIVE); }

static bool is(const char *found, const char *expected) { return found && strcmp(found, expected) == 0; }

static void stopped_project(void)
{
    project_make();
    fake.open_status = CELL_UNAVAILABLE;
}

static void age_report(int seconds)
{
    struct timeval then[2];
    gettimeofday(&then[0], NULL);
    then[0].tv_sec -= seconds;
    then[1] = then[0];
    CHECK(utimes(temp_path(REPORT), then) == 0);
}

TEST(the_first_of_a_build_explains)
{
    stopped_project();
    CHECK(!claim("a.c"));
    CHECK(is(claim("b.c"), "src/a.c"));
    CHECK(is(claim("c.c"), "src/a.c"));
    CHECK(fake.opens == 3); /* it is asked all the same */
    project_remove();
}

TEST(an_object_that_is_made_again_is_of_the_next_build)
{
    stopped_project();
    CHECK(!claim("a.c"));
    CHECK(is(claim("b.c"), "src/a.c"));
    CHECK(!claim("a.c"));
    CHECK(is(claim("b.c"), "src/a.c"));
    CHECK(is(claim("b.c"), "src/a.c")); /* not the one that explained */
    project_remove();
}

TEST(one_source_makes_several_objects)
{
    stopped_project();
    CHECK(!claim("a.c"));
    session_done();
    CHECK(cell_session_new(temp_path("src/a.c"), temp_path("a.pic.o"), SESSION_LIVE, &fake_exchange, &session,
                           &error) == CELL_OK);
    CHECK(is(cell_session_claim(session, ask("auth", CELL_UNAVAILABLE)), "src/a.c"));
    session_done();
    /* To the standard output, say: the source stands for the object. */
    CHECK(cell_session_new(temp_path("src/b.c"), NULL, SESSION_LIVE, &fake_exchange, &session, &error) == CELL_OK);
    CHECK(is(cell_session_claim(session, ask("auth", CELL_UNAVAILABLE)), "src/a.c"));
    project_remove();
}

TEST(after_an_answer_the_next_failure_is_explained)
{
    stopped_project();
    CHECK(!claim("a.c"));
    fake.open_status = CELL_OK;
    compile("b.c");
    CHECK(!temp_exists(REPORT));
    fake.open_status = CELL_UNAVAILABLE;
    CHECK(!claim("c.c"));
    CHECK(is(claim("a.c"), "src/c.c"));
    fake.open_status = CELL_OK;
    session_begin(SESSION_PLAN);
    ask("auth", CELL_OK);
    CHECK(!temp_exists(REPORT));
    project_remove();
}

TEST(a_report_lives_while_it_is_met)
{
    struct stat then, now;
    stopped_project();
    CHECK(!claim("a.c"));
    age_report(5);
    CHECK(stat(temp_path(REPORT), &then) == 0);
    CHECK(is(claim("b.c"), "src/a.c"));
    CHECK(stat(temp_path(REPORT), &now) == 0 && now.st_mtime > then.st_mtime);
    age_report(11);
    CHECK(!claim("b.c"));
    CHECK(is(claim("a.c"), "src/b.c"));
    age_report(-100); /* of the future */
    CHECK(!claim("a.c"));
    /* Others may be waiting for the cell. */
    temp_write("cell.json", "{ \"run_dir\": \"run\", \"timeout_ms\": 60000 }");
    age_report(65);
    CHECK(is(claim("b.c"), "src/a.c"));
    age_report(75);
    CHECK(!claim("b.c"));
    project_remove();
}

TEST(each_cell_is_explained)
{
    stopped_project();
    CHECK(!claim("a.c"));
    CHECK(!claim_of("b.c", "mail", SESSION_LIVE));
    CHECK(is(claim("c.c"), "src/a.c"));
    CHECK(is(claim_of("c.c", "mail", SESSION_LIVE), "src/b.c"));
    project_remove();
}

TEST(another_failure_is_explained)
{
    stopped_project();
    CHECK(!claim("a.c"));
    temp_write("cell.json", "{ \"run_dir\": \"other\", \"timeout_ms\": 20 }");
    CHECK(!claim("b.c"));
    CHECK(is(claim("c.c"), "src/b.c"));
    fake.open_status = CELL_DEADLINE_EXCEEDED;
    fake.uses_time = true;
    CHECK(!claim("a.c"));
    CHECK(is(claim("b.c"), "src/a.c"));
    /* Wrong answers differ, and each is said. */
    const int statuses[] = {CELL_PERMISSION_DENIED, CELL_PROTOCOL_ERROR, CELL_NOT_FOUND, CELL_INVALID_ARGUMENT};
    fake.uses_time = false;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        fake.open_status = statuses[i];
        CHECK(!claim("c.c"));
        CHECK(!claim("d.c"));
    }
    fake.open_status = CELL_DEADLINE_EXCEEDED; /* of the cell's own */
    CHECK(!claim("c.c"));
    project_remove();
}

TEST(a_hung_cell_is_explained_once)
{
    stopped_project();
    temp_make_folder("run");
    temp_write("run/auth.sock", "");
    temp_write("cell.json", "{ \"run_dir\": \"run\", \"timeout_ms\": 20 }");
    fake.open_status = CELL_DEADLINE_EXCEEDED;
    fake.uses_time = true;
    CHECK(!claim("a.c"));
    CHECK(is(claim("b.c"), "src/a.c"));
    CHECK(is(claim("c.c"), "src/a.c"));
    CHECK(fake.opens == 1);
    CHECK(unlink(temp_path("run/auth.sock")) == 0); /* started again, and hangs again */
    temp_write("run/auth.sock", "");
    CHECK(!claim("c.c"));
    CHECK(is(claim("a.c"), "src/c.c"));
    CHECK(fake.opens == 2);
    project_remove();
}

TEST(only_what_makes_an_object_takes_part)
{
    stopped_project();
    CHECK(!claim_of("a.c", "auth", SESSION_PLAN));
    CHECK(!temp_exists(".cell"));
    CHECK(!claim("b.c"));
    CHECK(!claim_of("a.c", "auth", SESSION_PLAN));
    session_begin(SESSION_MIRROR);
    CHECK(!cell_session_claim(session, ask("auth", CELL_NOT_FOUND)));
    CHECK(is(claim("c.c"), "src/b.c"));
    project_remove();
}

TEST(damaged_reports_count_as_absent)
{
    char text[CELL_FINGERPRINT_LEN * 2 + 8];
    const char *damaged[] = {"", "x", text};
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    stopped_project();
    CHECK(!claim("a.c"));
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        temp_write(REPORT, damaged[i]);
        CHECK(!claim("b.c"));
        CHECK(is(claim("c.c"), "src/b.c"));
    }
    char *whole = temp_read(REPORT);
    for (size_t len = 0; whole && len < CELL_FINGERPRINT_LEN * 2 + 3; len++) {
        char *cut = strndup(whole, len);
        temp_write(REPORT, cut);
        free(cut);
        CHECK(!claim("c.c"));
    }
    free(whole);
    CHECK(unlink(temp_path(REPORT)) == 0 && mkdir(temp_path(REPORT), 0700) == 0);
    CHECK(!claim("b.c"));
    CHECK(!claim("c.c"));
    project_remove();
}

TEST(reports_of_the_past_are_removed)
{
    stopped_project();
    CHECK(!claim_of("a.c", "mail", SESSION_LIVE));
    make_old(".cell/down/mail");
    CHECK(!claim("a.c"));
    CHECK(!temp_exists(".cell/down/mail"));
    CHECK(count_files(".cell/down") == 1);
    project_remove();
}

static void explains_each_time(void)
{
    CHECK(!claim("b.c"));
    CHECK(!claim("c.c"));
}

TEST(who_cannot_write_explains)
{
    stopped_project();
    CHECK(!claim("a.c"));
    /* Of root, and there to be read; nobody else could keep it from growing old. */
    CHECK(chmod(temp_path("src"), 0755) == 0 && chmod(temp_path(".cell"), 0755) == 0 &&
          chmod(temp_path(".cell/down"), 0555) == 0);
    if (geteuid() == 0)
        temp_run_as(TEMP_NOBODY, explains_each_time);
    CHECK(chmod(temp_path(".cell/down"), 0700) == 0 && unlink(temp_path(REPORT)) == 0 &&
          chmod(temp_path(".cell/down"), 0555) == 0);
    temp_run_as(TEMP_NOBODY, explains_each_time);
    CHECK(!temp_exists(REPORT));
    CHECK(chmod(temp_path(".cell/down"), 0700) == 0);
    project_remove();
}

TEST(a_compilation_that_was_stopped_in_its_turn_stops_no_other)
{
    stopped_project();
    CHECK(!claim("a.c"));
    int folder = open(temp_path(".cell/down"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(folder >= 0 && flock(folder, LOCK_EX) == 0);
    CHECK(!claim("b.c"));
    close(folder);
    CHECK(is(claim("b.c"), "src/a.c"));
    project_remove();
}

/* One of several compilations that begin at the same time: 1 when it has to explain. */
static int compete(int number, int begin)
{
    char name[16], byte;
    test_failures = 0;
    snprintf(name, sizeof(name), "%d.c", number);
    CHECK(session_begin_of(name, SESSION_LIVE) == CELL_OK);
    struct session_cell *cell = ask("auth", CELL_UNAVAILABLE);
    while (read(begin, &byte, 1) > 0)
        continue;
    bool first = cell_session_claim(session, cell) == NULL;
    session_done();
    fflush(stdout);
    return test_failures ? 2 : first;
}

TEST(of_many_at_the_same_time_one_explains)
{
    enum { ROUNDS = 20, PROCESSES = 8 };
    stopped_project();
    for (int round = 0; round < ROUNDS; round++) {
        int begin[2], explained = 0;
        CHECK(pipe(begin) == 0);
        fflush(stdout);
        for (int i = 0; i < PROCESSES; i++)
            if (fork() == 0) {
                close(begin[1]);
                _exit(compete(round * PROCESSES + i, begin[0]));
            }
        close(begin[0]);
        close(begin[1]);
        for (int i = 0, status; i < PROCESSES; i++) {
            CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) < 2);
            explained += WEXITSTATUS(status);
        }
        CHECK(explained == 1);
        age_report(11); /* the next round replaces it */
    }
    project_remove();
}
