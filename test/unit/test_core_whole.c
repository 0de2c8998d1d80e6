/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What answers say of their subject as a whole: it holds when no later declaration of the same is asked about. */
#include "session_fixture.h"

#define PLAIN "{\"expansion\":\"cell.expansion/1\"}"
#define SAID(severity, text, more) "{\"severity\":\"" severity "\",\"text\":\"" text "\",\"whole\":true" more "}"
#define ANSWER(said) "{\"diagnostics\":[" said "],\"expansion\":\"cell.expansion/1\"}"
#define ERROR                                                                                                          \
    ANSWER(SAID("error", "no id",                                                                                      \
                ",\"field\":\"x\",\"fix\":{\"rule\":\"key\",\"args\":[\"id\"]},"                                       \
                "\"notes\":[{\"text\":\"here\",\"field\":\"y\"}]"))

static const char *request_of(const char *verb, const char *subject, const char *name)
{
    static char json[1024];
    snprintf(json, sizeof(json),
             "{\"annotation\":{\"verb\":\"%s\",\"args\":[%s],\"location\":\"a.c:%s:1\"},\"declaration\":{\"kind\":"
             "\"struct\",\"name\":\"s%s\",\"type\":{\"name\":\"s%s\",\"kind\":\"struct\",\"size\":4,\"align\":4,"
             "\"fields\":[{\"name\":\"x\",\"type\":\"i32\",\"offset\":0}]},\"types\":[]},\"language\":\"c\",\"abi\":"
             "\"lp64-le\",\"mode\":\"live\"}",
             verb, subject, name, name, name);
    return json;
}

static struct session_cell *asked(void) { return ask_unchecked("auth", CELL_OK); }

static void expand(const char *verb, const char *subject, const char *name, const char *answer)
{
    struct cell_expansion *x = NULL;
    const char *json = request_of(verb, subject, name);
    fake.expansion = answer;
    CHECK(cell_session_expand(session, asked(), json, strlen(json), NULL, &x, &error) == CELL_OK);
    cell_expansion_free(x);
}

static void fail(const char *verb, const char *subject, const char *name)
{
    const char *json = request_of(verb, subject, name);
    CHECK(cell_session_failed(asked(), json, strlen(json)) == CELL_OK);
}

/* "QUESTION:TEXT …" */
static const char *standing(void)
{
    static char all[256];
    struct session_whole w;
    size_t n = 0;
    all[0] = '\0';
    for (uint32_t i = 0; cell_session_whole(asked(), i, &w); i++)
        n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%u:%s", i ? " " : "", w.question, w.said->text);
    return all;
}

static void begin(void)
{
    project_make();
    fake.state = "one";
    session_begin(SESSION_PLAN);
}

TEST(what_is_said_as_a_whole_is_there_at_the_end)
{
    struct session_whole w;
    begin();
    expand("table", "\"t\"", "1", ERROR);
    REQUIRE(cell_session_whole(asked(), 0, &w));
    CHECK(w.question == 0 && w.said->severity == EXPANSION_ERROR && w.said->whole && w.said->nnotes == 1);
    CHECK_STR(w.said->place.field, "x");
    CHECK_STR(w.said->fix.name, "key");
    CHECK_STR(w.said->fix.args[0], "id");
    CHECK_STR(w.said->notes[0].text, "here");
    CHECK_STR(w.said->notes[0].place.field, "y");
    CHECK(!cell_session_whole(asked(), 1, &w));
    project_remove();
}

TEST(a_later_declaration_of_the_same_replaces_it)
{
    begin();
    expand("table", "\"t\"", "1", ERROR);
    /* It was answered, so that the next one is told of it. */
    expand("table", "\"t\"", "2", PLAIN);
    CHECK(strstr(fake_last, "\"pending\":[") != NULL);
    CHECK_STR(standing(), "");
    expand("table", "\"t\"", "3", ANSWER(SAID("remark", "two", "")));
    CHECK_STR(standing(), "2:two");
    project_remove();
}

TEST(another_verb_or_subject_replaces_nothing)
{
    begin();
    expand("table", "\"t\"", "1", ERROR);
    expand("table", "\"u\"", "2", PLAIN);
    expand("query", "\"t\"", "3", PLAIN);
    CHECK_STR(standing(), "0:no id");
    expand("table", "null", "4", ANSWER(SAID("remark", "of nothing", "")));
    expand("table", "null", "5", PLAIN);
    CHECK_STR(standing(), "0:no id 3:of nothing");
    project_remove();
}

TEST(what_was_said_before_in_the_same_words_stands_there)
{
    begin();
    expand("table", "\"t\"", "1", ERROR);
    expand("table", "\"t\"", "2", ANSWER(SAID("error", "no id", "") "," SAID("warning", "no id", "")));
    CHECK_STR(standing(), "0:no id 1:no id");
    project_remove();
}

TEST(one_that_failed_lifts_it_and_one_that_was_refused_does_not)
{
    begin();
    expand("table", "\"t\"", "1", ERROR);
    fail("table", "\"u\"", "2");
    CHECK_STR(standing(), "0:no id");
    fail("table", "\"t\"", "2");
    CHECK_STR(standing(), "");
    expand("table", "\"t\"", "3", ANSWER("{\"severity\":\"error\",\"text\":\"no\"}," SAID("error", "whole", "")));
    fail("table", "\"t\"", "3");
    CHECK_STR(standing(), "1:whole");
    CHECK(cell_session_failed(asked(), "{}", 2) == CELL_OK);
    CHECK_STR(standing(), "1:whole");
    project_remove();
}

#define PLANNED(said) "{\"diagnostics\":[" said "],\"expansion\":\"cell.expansion/1\",\"plan\":" PLAN "}"
#define PLAN "{\"id\":\"1\",\"steps\":[{\"text\":\"step\",\"kind\":\"step\"}]}"

static void judge(const char *answer)
{
    fake.expansion = answer;
    fake.expands = 0;
    fake_last[0] = '\0';
    cell_session_judge_whole(session, asked());
}

TEST(an_error_is_judged_again_beside_what_came_later)
{
    begin();
    expand("table", "\"t\"", "1", PLANNED(SAID("error", "u is there", "")));
    expand("table", "\"u\"", "2", PLANNED(""));
    CHECK_STR(standing(), "0:u is there");
    judge(PLAIN);
    CHECK(fake.expands == 1);
    /* The first is asked about, the second is pending. */
    const char *pending = strstr(fake_last, "\"pending\":["), *other = strstr(fake_last, "a.c:2:1");
    CHECK(pending && other && strstr(other, "a.c:1:1") && strstr(fake_last, "a.c:1:1") > other);
    CHECK_STR(standing(), "");
    judge(PLAIN); /* there is none any more */
    CHECK(fake.expands == 0);
    project_remove();
}

TEST(an_error_that_is_said_again_holds)
{
    begin();
    expand("table", "\"t\"", "1", PLANNED(SAID("error", "u is there", "") "," SAID("remark", "and v", "")));
    expand("table", "\"u\"", "2", PLANNED(""));
    judge(PLANNED(SAID("error", "u is there", "")));
    CHECK_STR(standing(), "0:u is there");
    fake.request_status = CELL_UNAVAILABLE;
    judge(PLAIN);
    CHECK_STR(standing(), "0:u is there");
    project_remove();
}

TEST(nothing_is_asked_again_without_a_reason)
{
    begin();
    expand("table", "\"t\"", "1", PLANNED(SAID("error", "u is there", "")));
    judge(PLAIN); /* nothing came later */
    expand("table", "\"u\"", "2", PLAIN);
    judge(PLAIN); /* … that changes anything */
    CHECK(fake.expands == 0);
    CHECK_STR(standing(), "0:u is there");
    fail("table", "\"v\"", "3"); /* which might have lifted it */
    judge(PLAIN);
    CHECK(fake.expands == 1 && strstr(fake_last, "\"failed\":[") != NULL);
    CHECK_STR(standing(), "");
    expand("table", "\"w\"", "4", PLANNED(SAID("error", "first", "")));
    expand("table", "\"w\"", "5", PLANNED(SAID("error", "second", "")));
    expand("table", "\"x\"", "6", PLANNED(SAID("remark", "a remark", "")));
    judge(PLAIN); /* the last of a subject alone, and of it not what is no error */
    CHECK(fake.expands == 1 && strstr(strrchr(fake_last, '{'), "a.c:5:1") == NULL);
    CHECK_STR(standing(), "4:a remark");
    project_remove();
}

TEST(a_plan_is_asked_for_again_beside_what_came_later)
{
    struct cell_expansion *x = NULL;
    begin();
    expand("table", "\"t\"", "1", PLANNED(""));
    CHECK(!cell_session_beside(session, asked(), 0));
    expand("table", "\"t\"", "2", PLANNED("")); /* which is told of the first, and not the first of it */
    CHECK(!cell_session_beside(session, asked(), 0));
    expand("table", "\"u\"", "3", PLANNED(""));
    REQUIRE(x = cell_session_beside(session, asked(), 0));
    CHECK(x->plan.nsteps == 1 && !strstr(fake_last, "a.c:2:1") && strstr(fake_last, "a.c:3:1"));
    cell_expansion_free(x);
    REQUIRE(x = cell_session_beside(session, asked(), 1));
    CHECK(strstr(fake_last, "a.c:1:1") && strstr(fake_last, "a.c:3:1"));
    cell_expansion_free(x);
    CHECK(!cell_session_beside(session, asked(), 2) && !cell_session_beside(session, asked(), 3));
    project_remove();
}

TEST(a_kept_answer_says_it_too_and_replaces)
{
    begin();
    expand("table", "\"t\"", "1", ERROR);
    expand("table", "\"t\"", "2",
           "{\"constants\":[{\"name\":\"N\",\"type\":\"i64\",\"value\":\"1\"}],"
           "\"expansion\":\"cell.expansion/1\"}");
    cell_session_settle(session);
    session_begin(SESSION_PLAN);
    fake.expands = 0;
    const char *json = request_of("table", "\"t\"", "1");
    struct session_answer answer = {0};
    REQUIRE(cell_session_answer(session, asked(), json, strlen(json), NULL, &answer, &error) == CELL_OK && answer.x);
    cell_expansion_free(answer.x);
    CHECK_STR(standing(), "0:no id");
    json = request_of("table", "\"t\"", "2");
    REQUIRE(cell_session_answer(session, asked(), json, strlen(json), NULL, &answer, &error) == CELL_OK && !answer.x);
    CHECK_STR(standing(), "");
    CHECK(fake.expands == 0);
    project_remove();
}

/* All else is said at once: nobody can make a compiler compare without end. */
TEST(an_answer_has_a_bounded_number_of_them)
{
    struct cell_buffer b = {0};
    struct session_whole w;
    begin();
    cell_buffer_puts(&b, "{\"expansion\":\"cell.expansion/1\",\"diagnostics\":[");
    for (int i = 0; i < 1500; i++)
        cell_buffer_printf(&b, "%s" SAID("note", "%d", ""), i ? "," : "", i);
    cell_buffer_puts(&b, "]}");
    expand("table", "\"t\"", "1", b.data);
    expand("table", "\"t\"", "2", b.data);
    CHECK(cell_session_whole(asked(), 999, &w) && w.question == 0);
    CHECK_STR(w.said->text, "999");
    CHECK(!cell_session_whole(asked(), 1000, &w));
    cell_buffer_free(&b);
    project_remove();
}

TEST(the_flag_is_a_bool)
{
    static const char *const bad[] = {"1", "\"true\"", "[]", "null"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char json[256];
        struct cell_expansion *x = NULL;
        snprintf(json, sizeof(json), ANSWER("{\"severity\":\"error\",\"text\":\"t\",\"whole\":%s}"), bad[i]);
        CHECK(cell_expansion_parse(json, strlen(json), NULL, &x, &error) == CELL_PROTOCOL_ERROR);
    }
}
