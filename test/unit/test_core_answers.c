/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Answers that are kept, what is pending, and what is carried out at the end of a compilation. */
#include "answers_fixture.h"

#include "core/consumer.h"
#include "core/store.h"

TEST(an_answer_is_kept_while_the_state_is_the_same)
{
    project_with("one", ANSWER("1"));
    begin_asking(SESSION_LIVE);
    CHECK_STR(expand("user"), "1");
    CHECK_STR(expand("user"), "1"); /* twice in one unit: not kept yet */
    CHECK(fake.states == 1 && fake.expands == 2);
    end_unit();
    CHECK(fake.states == 2 && count_files(".cell/answers") == 1);

    fake.expansion = ANSWER("2");
    begin_asking(SESSION_PLAN);
    CHECK_STR(expand_as("user", "plan", CELL_OK), "1");
    CHECK_STR(expand("user"), "1");
    CHECK(fake.states == 1 && fake.expands == 0);
    end_unit();
    CHECK(fake.states == 1);

    fake.state = "two";
    begin_asking(SESSION_LIVE);
    CHECK_STR(expand("user"), "2");
    CHECK(fake.expands == 1);
    end_unit();
    fake.version = "another";
    fake.expansion = ANSWER("3");
    begin_asking(SESSION_LIVE);
    CHECK_STR(expand("user"), "3");
    end_unit();
    CHECK(count_files(".cell/answers") == 1);
    project_remove();
}

TEST(an_answer_from_between_two_states_is_not_kept_for_builds)
{
    project_with("one", ANSWER("1"));
    begin_asking(SESSION_LIVE);
    expand("user");
    fake.state = "two";
    end_unit();
    fake.state = "one";
    fake.expansion = ANSWER("2");
    begin_asking(SESSION_LIVE);
    CHECK_STR(expand("user"), "2");
    project_remove();
}

TEST(what_is_damaged_is_asked_for_again)
{
    project_with("one", ANSWER("1"));
    learn("one", ANSWER("1"));
    const char *path = only_file(".cell/answers");
    char kept[256], *good;
    snprintf(kept, sizeof(kept), "%s", path);
    good = temp_read(kept);
    REQUIRE(good);
    const size_t len = strlen(good);
    for (size_t cut = 0; cut < len; cut++) {
        char *bad = strdup(good);
        bad[cut] = (char)(bad[cut] ^ 1);
        if (bad[cut])
            temp_write(kept, bad);
        free(bad);
        fake.expansion = ANSWER("2");
        begin_asking(SESSION_PLAN);
        CHECK_STR(expand("user"), "2");
        bad = strdup(good);
        bad[cut] = '\0';
        temp_write(kept, bad);
        free(bad);
        CHECK_STR(expand("user"), "2");
    }
    temp_write(kept, good);
    begin_asking(SESSION_PLAN);
    CHECK_STR(expand("user"), "1");
    free(good);
    project_remove();
}

TEST(a_cell_without_a_state_is_asked_each_time)
{
    project_with(NULL, ANSWER("1"));
    for (int i = 0; i < 2; i++) {
        begin_asking(SESSION_LIVE);
        CHECK_STR(expand("user"), "1");
        CHECK_STR(expand("other"), "1");
        end_unit();
        CHECK(fake.states == 1 && fake.expands == 2);
    }
    CHECK(fake.opens == 2); /* to be told that there is none is no failure of the connection */
    project_remove();
}

TEST(who_imports_only_asks_for_no_state)
{
    project_with("one", ANSWER("1"));
    begin_asking(SESSION_LIVE);
    ask("auth", CELL_OK);
    end_unit();
    CHECK(fake.states == 0);
    project_remove();
}

/* ---- editors ---- */

static void begin_hurried(enum session_mode mode)
{
    session_begin(mode);
    cell_session_hurry(session, 50);
    fake.states = fake.expands = 0;
}

TEST(in_a_hurry_an_old_answer_is_better_than_none)
{
    project_with("one", ANSWER("1"));
    learn("one", ANSWER("1"));
    fake.state = "two";
    fake.request_status = CELL_DEADLINE_EXCEEDED;
    begin_hurried(SESSION_PLAN);
    struct session_cell *cell = ask("auth", CELL_OK);
    CHECK_STR(expand("user"), "1");
    CHECK(cell->answer_stale && cell->answer_error.status == CELL_DEADLINE_EXCEEDED && cell->answer_error.text[0]);
    CHECK_STR(expand_as("other", "plan", CELL_DEADLINE_EXCEEDED), "");
    CHECK(!cell->answer_stale);
    end_unit();
    begin_asking(SESSION_LIVE); /* a build fails */
    expand_as("user", "live", CELL_DEADLINE_EXCEEDED);
    end_unit();

    fake.request_status = 0;
    fake.open_status = CELL_UNAVAILABLE;
    begin_hurried(SESSION_PLAN);
    CHECK_STR(expand("user"), "1");
    CHECK(ask_unchecked("auth", CELL_OK)->answer_stale);
    end_unit();

    /* Completion asks nobody. */
    begin_hurried(SESSION_MIRROR);
    CHECK_STR(expand("user"), "1");
    CHECK(fake.states == 0 && fake.expands == 0);
    end_unit();
    session_begin(SESSION_MIRROR);
    expand_as("user", "plan", CELL_FAILED_PRECONDITION);
    project_remove();
}

TEST(an_editor_knows_answers_of_cells_without_states_too)
{
    project_with(NULL, ANSWER("1"));
    learn(NULL, ANSWER("1"));
    fake.open_status = CELL_UNAVAILABLE;
    begin_hurried(SESSION_PLAN);
    CHECK_STR(expand("user"), "1");
    project_remove();
}

/* ---- plans ---- */

TEST(what_has_a_plan_is_pending_for_what_follows)
{
    project_with("one", ANSWER("1"));
    begin_asking(SESSION_LIVE);
    expand("plain");
    fake.expansion = PLANNED("2");
    expand("user");
    CHECK(!strstr(fake_last, "pending"));
    expand("other");
    CHECK(strncmp(fake_last, "{\"pending\":[{\"annotation\"", 25) == 0 && strstr(fake_last, "\"name\":\"user\""));
    CHECK(!strstr(fake_last, "\"name\":\"plain\""));
    fake.expansion = ANSWER("3");
    expand("query");
    CHECK(strstr(fake_last, "\"name\":\"user\"") && strstr(fake_last, "\"name\":\"other\""));
    CHECK(cell_session_planned(ask("auth", CELL_OK)) == 2);
    end_unit();

    /* Kept with what was pending. */
    fake.expansion = ANSWER("9");
    begin_asking(SESSION_PLAN);
    expand("plain");
    expand("user");
    expand("other");
    CHECK_STR(expand("query"), "3");
    CHECK(fake.expands == 0);
    end_unit();
    begin_asking(SESSION_PLAN);
    CHECK_STR(expand("query"), "9");
    CHECK(fake.expands == 1);
    project_remove();
}

/* Another struct of what `name` is of. */
static const char *second_of(const char *name)
{
    static char json[512];
    char *at, tag[64];
    snprintf(json, sizeof(json), "%s", request_of(name, "live"));
    snprintf(tag, sizeof(tag), "\"name\":\"%s\"", name);
    while ((at = strstr(json, tag)))
        at[8] = 'X';
    return json;
}

TEST(a_second_struct_of_something_is_asked_about_beside_the_first)
{
    project_with("one", ANSWER("1"));
    begin_asking(SESSION_LIVE);
    expand("user");
    expand("other");
    expand_request(second_of("user"));
    CHECK(strncmp(fake_last, "{\"pending\":[{\"annotation\"", 25) == 0 && strstr(fake_last, "\"name\":\"user\""));
    CHECK(!strstr(fake_last, "\"name\":\"other\""));
    end_unit();

    /* What is kept is the answer beside the first. */
    fake.expansion = ANSWER("9");
    begin_asking(SESSION_LIVE);
    expand("user");
    expand_request(second_of("user"));
    CHECK(fake.expands == 0);
    end_unit();
    begin_asking(SESSION_LIVE);
    expand_request(second_of("user"));
    CHECK(fake.expands == 1 && !strstr(fake_last, "pending"));
    end_unit();
    project_remove();
}

TEST(what_has_failed_is_not_beside_what_follows)
{
    project_with("one", ERRONEOUS);
    begin_asking(SESSION_LIVE);
    expand_request(request_of("user", "live"));
    fake.expansion = ANSWER("1");
    expand_request(second_of("user"));
    CHECK(!strstr(fake_last, "pending"));
    end_unit();
    project_remove();
}

TEST(plans_are_carried_out_once_and_what_follows_is_learnt)
{
    project_with("one", PLANNED("1"));
    begin_asking(SESSION_LIVE);
    expand("user");
    fake.applied = DONE;
    fake.expansion = ANSWER("2");
    expand("query");
    struct cell_applied *applied = apply(CELL_OK);
    REQUIRE(applied);
    CHECK(applied->ndone == 1 && applied->done[0].steps == 1);
    cell_applied_free(applied);
    CHECK(fake.applies == 1 && fake.expands == 4); /* both again, with nothing pending */
    CHECK(!strstr(fake_last, "pending"));
    CHECK(!apply(CELL_OK));
    CHECK(fake.applies == 1);
    fake.state = "after";
    end_unit();

    begin_asking(SESSION_LIVE);
    CHECK_STR(expand("user"), "2");
    CHECK_STR(expand("query"), "2");
    CHECK(fake.states == 1 && fake.expands == 0 && !apply(CELL_OK));
    end_unit();
    CHECK(fake.states == 1);
    project_remove();
}

TEST(plans_are_carried_out_beside_what_has_none)
{
    project_with("one", ANSWER("1"));
    begin_asking(SESSION_LIVE);
    expand("plain");
    expand("query");
    fake.expansion = PLANNED("1");
    expand("user");
    fake.applied = "{\"applied\":[{\"id\":\"\",\"steps\":0}],\"state\":\"after\",\"failed\":{\"request\":1,\"text\":"
                   "\"t\"}}";
    struct cell_applied *applied = apply(CELL_OK);
    REQUIRE(applied);
    CHECK(strstr(fake_last, "\"name\":\"plain\"") && strstr(fake_last, "\"name\":\"user\""));
    CHECK(!strstr(fake_last, "\"name\":\"query\""));
    CHECK(applied->failed && applied->questions[0] == 0 && applied->questions[1] == 2);
    CHECK(cell_session_questions(ask("auth", CELL_OK)) == 3);
    cell_applied_free(applied);
    session_done();
    project_remove();
}

TEST(only_what_makes_an_object_carries_out_anything)
{
    project_with("one", PLANNED("1"));
    fake.applied = DONE;
    for (int mode = SESSION_LIVE; mode <= SESSION_PLAN; mode++) {
        begin_asking(mode);
        expand("user");
        cell_applied_free(apply(CELL_OK));
        CHECK(fake.applies == (mode == SESSION_LIVE));
        end_unit();
        temp_write("cell.json", "{ \"run_dir\": \"run\", \"timeout_ms\": 200, \"cells\": { \"auth\": {} } }");
    }
    temp_write("cell.json", "{ \"run_dir\": \"run\", \"mode\": \"plan\", \"cells\": { \"auth\": {} } }");
    begin_asking(SESSION_LIVE);
    expand("user");
    CHECK(!apply(CELL_OK) && fake.applies == 0);
    project_remove();
}

TEST(an_apply_that_fails_leaves_nothing_kept)
{
    static const struct {
        const char *reply;
        int status, expected;
    } bad[] = {{"{}", 0, CELL_PROTOCOL_ERROR},
               {DONE, CELL_UNAVAILABLE, CELL_UNAVAILABLE},
               {DONE, CELL_DEADLINE_EXCEEDED, CELL_DEADLINE_EXCEEDED},
               {"{\"applied\":[],\"failed\":{\"request\":0,\"text\":\"no\"},\"state\":\"one\"}", 0, CELL_OK}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        project_with("one", PLANNED("1"));
        begin_asking(SESSION_LIVE);
        expand("user");
        fake.applied = bad[i].reply;
        fake.request_status = bad[i].status;
        struct cell_applied *applied = apply(bad[i].expected);
        CHECK(!applied == (bad[i].expected < 0) && (!applied || applied->failed));
        cell_applied_free(applied);
        fake.request_status = 0;
        CHECK(fake.expands == 1);
        end_unit();
        begin_asking(SESSION_LIVE);
        expand("user");
        CHECK(fake.expands == 1);
        project_remove();
    }
}

/* ---- the folder ---- */

TEST(answers_do_not_grow_without_bound)
{
    struct cell_arena arena = {0};
    struct cell_store store;
    char name[64], print[CELL_FINGERPRINT_LEN + 1];
    const char *resources[] = {"a b", "c"};
    const struct answer_notes none = {0}, two = {.resources = resources, .nresources = 2};
    struct answer_notes notes;
    bool added = false;
    memset(print, 'a', CELL_FINGERPRINT_LEN);
    print[CELL_FINGERPRINT_LEN] = '\0';
    temp_folder_make();
    REQUIRE(cell_store_init(&store, &arena, temp_folder) == CELL_OK);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "%032d", i);
        cell_store_keep_answer(&store, "db", name, print, "s", &none, "{}", 2, &added);
        CHECK(added);
        snprintf(name, sizeof(name), ".cell/answers/db-%032d", i);
        const struct timeval then[2] = {{1000000000 + i, 0}, {1000000000 + i, 0}};
        CHECK(utimes(temp_path(name), then) == 0);
    }
    cell_store_prune_answers(&store, 20, 1 << 20);
    CHECK(count_files(".cell/answers") == 20);
    /* The oldest is in use. */
    size_t len = 0;
    snprintf(name, sizeof(name), "%032d", 0);
    char *text = cell_store_answer(&store, "db", name, print, "s", &notes, &len);
    CHECK(text && len == 2 && strcmp(text, "{}") == 0);
    free(text);
    cell_store_prune_answers(&store, 16, 1 << 20);
    CHECK(count_files(".cell/answers") == 12);
    CHECK(access(temp_path(".cell/answers/db-00000000000000000000000000000000"), F_OK) == 0);
    CHECK(access(temp_path(".cell/answers/db-00000000000000000000000000000001"), F_OK) < 0);
    CHECK(access(temp_path(".cell/answers/db-00000000000000000000000000000019"), F_OK) == 0);
    cell_store_prune_answers(&store, 16, 400);
    CHECK(count_files(".cell/answers") > 0 && count_files(".cell/answers") < 5);
    cell_store_prune_answers(&store, 16, 0);
    CHECK(count_files(".cell/answers") == 0);

    added = false;
    snprintf(name, sizeof(name), "%032d", 3);
    cell_store_keep_answer(&store, "db", name, print, NULL, &two, "{}", 2, &added);
    CHECK(added && !cell_store_answer(&store, "db", name, print, NULL, &notes, &len));
    text = cell_store_answer(&store, "db", name, NULL, NULL, &notes, &len);
    CHECK(text && len == 2 && strcmp(text, "{}") == 0 && !notes.content[0] && notes.nresources == 2);
    CHECK_STR(notes.resources[0], "a b");
    CHECK_STR(notes.resources[1], "c");
    free(text);
    added = false;
    cell_store_keep_answer(&store, "db", name, print, "s", &none, "{}", 2, &added);
    CHECK(!added);
    cell_arena_free(&arena);
    project_remove();
}

TEST(what_an_answer_relies_on_is_known_of_each_also_when_it_is_kept)
{
    project_with("one", "{\"constants\":[{\"name\":\"N\",\"type\":\"i64\",\"value\":\"1\"}],\"expansion\":\"cell."
                        "expansion/1\",\"resources\":[\"a b\",\"c\"]}");
    for (int i = 0; i < 2; i++) {
        struct session_cell *cell = NULL;
        begin_asking(SESSION_LIVE);
        expand("user");
        REQUIRE(cell_session_next(session, &cell));
        CHECK(fake.expands == (i == 0));
        CHECK_STR(cell_session_asked_resource(cell, 0, 0), "a b");
        CHECK_STR(cell_session_asked_resource(cell, 0, 1), "c");
        CHECK(!cell_session_asked_resource(cell, 0, 2) && !cell_session_asked_resource(cell, 1, 0));
        end_unit();
    }
    project_remove();
}

TEST(who_asks_says_for_which_project)
{
    char id[CELL_FINGERPRINT_LEN + 1], member[128];
    project_with("one", PLANNED("1"));
    cell_project_id(temp_folder, id);
    snprintf(member, sizeof(member), "\"project\":\"%s\"", id);
    begin_asking(SESSION_LIVE);
    expand("user");
    CHECK(strstr(fake_last, member) != NULL);
    fake.applied = DONE;
    cell_applied_free(apply(CELL_OK));
    CHECK(fake.applies == 1 && strstr(fake_last, member) != NULL);
    end_unit();
    project_remove();
}
