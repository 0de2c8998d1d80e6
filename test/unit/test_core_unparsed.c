/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a compilation with nothing new to say need not parse: answers that are kept, and verbs. */
#include "session_fixture.h"

#include <sys/stat.h>

#include "core/schema_impl.h"
#include "core/store.h"

#define CONSTANT "\"constants\":[{\"name\":\"N\",\"type\":\"i64\",\"value\":\"1\"}],\"expansion\":\"cell.expansion/1\""
#define REQUEST                                                                                                        \
    "{\"annotation\":{\"verb\":\"table\",\"args\":[],\"location\":\"a.c:1:1\"},\"declaration\":{\"kind\":\"struct\","  \
    "\"name\":\"user\",\"types\":[]},\"language\":\"c\",\"abi\":\"lp64-le\",\"mode\":\"live\"}"
#define SCHEMA                                                                                                         \
    "{\"abi\":\"lp64-le\",\"cell\":\"auth\",\"schema\":\"cell.schema/1\",\"verbs\":[{\"args\":[{\"name\":\"name\","    \
    "\"required\":true,\"type\":\"string\"},{\"default\":\"a b\",\"name\":\"where\",\"type\":\"string\"}],"            \
    "\"field_rules\":[\"key\"],\"name\":\"table\",\"on\":[\"enum\",\"struct\"],\"rules\":[\"index\",\"check\"]}]}"

static struct session_answer answer(void)
{
    struct session_answer a = {0};
    struct session_cell *cell = ask_unchecked("auth", CELL_OK);
    CHECK(cell_session_answer(session, cell, REQUEST, strlen(REQUEST), NULL, &a, &error) == CELL_OK);
    return a;
}

/* One compilation that asks; what its answer declares. */
static void learn(const char *expansion, char content[CELL_FINGERPRINT_LEN + 1])
{
    fake.state = "one";
    fake.expansion = expansion;
    session_begin(SESSION_LIVE);
    struct session_answer a = answer();
    CHECK(a.x != NULL);
    memcpy(content, a.x ? a.x->content->fingerprint : "", a.x ? CELL_FINGERPRINT_LEN + 1 : 1);
    cell_expansion_free(a.x);
    cell_session_settle(session);
    session_done();
    fake.expands = 0;
}

TEST(an_answer_that_only_declares_is_not_parsed_again)
{
    char content[CELL_FINGERPRINT_LEN + 1];
    project_make();
    learn("{" CONSTANT "}", content);
    session_begin(SESSION_LIVE);
    struct session_answer a = answer();
    CHECK(!a.x);
    CHECK_STR(a.content, content);
    /* Who has no text of that content gets it all the same. */
    struct session_cell *cell = ask_unchecked("auth", CELL_OK);
    CHECK(cell_session_parse_answer(session, cell, NULL, &a, &error) == CELL_OK && a.x);
    CHECK_STR(a.x->content->fingerprint, content);
    cell_expansion_free(a.x);
    CHECK(fake.expands == 0);

    /* Also when it has gone meanwhile. */
    a = answer();
    CHECK(!a.x && unlink(temp_path(only_file(".cell/answers"))) == 0);
    CHECK(cell_session_parse_answer(session, cell, NULL, &a, &error) == CELL_OK && a.x && fake.expands == 1);
    cell_expansion_free(a.x);
    project_remove();
}

TEST(an_answer_that_says_or_does_something_is_parsed)
{
    static const char *const expansions[] = {
        "{" CONSTANT ",\"diagnostics\":[{\"severity\":\"warning\",\"text\":\"careful\"}]}",
        "{" CONSTANT ",\"plan\":{\"id\":\"ab\",\"steps\":[{\"text\":\"t\",\"kind\":\"k\"}]}}",
        "{\"expansion\":\"cell.expansion/1\"}"};
    char content[CELL_FINGERPRINT_LEN + 1];
    for (size_t i = 0; i < sizeof(expansions) / sizeof(expansions[0]); i++) {
        project_make();
        learn(expansions[i], content);
        session_begin(SESSION_LIVE);
        struct session_answer a = answer();
        CHECK(a.x && fake.expands == 0);
        cell_expansion_free(a.x);
        project_remove();
    }
}

/* A lock with that answer to REQUEST, as old as a file must be to be known by its times. */
static void lock_answer(const char *document)
{
    CHECK(lock_fake(REQUEST, document));
    struct timespec now;
    struct stat st;
    do {
        CHECK(stat(temp_path("cells.lock/auth.json"), &st) == 0 && clock_gettime(CLOCK_REALTIME, &now) == 0);
    } while ((now.tv_sec - st.st_ctim.tv_sec) * 1000 + (now.tv_nsec - st.st_ctim.tv_nsec) / 1000000 < 60);
}

#define OTHER "\"constants\":[{\"name\":\"N\",\"type\":\"i64\",\"value\":\"2\"}],\"expansion\":\"cell.expansion/1\""

/* What one compilation gets: its content if it was not parsed. */
static const char *compiled(bool *parsed, bool *differs)
{
    static char content[CELL_FINGERPRINT_LEN + 1];
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_OK);
    struct session_answer a = answer();
    memcpy(content, a.x ? a.x->content->fingerprint : a.content, sizeof(content));
    *parsed = a.x != NULL;
    *differs = cell->answer_differs;
    cell_expansion_free(a.x);
    cell_session_settle(session);
    session_done();
    return content;
}

TEST(an_answer_of_the_lock_is_parsed_once)
{
    char first[CELL_FINGERPRINT_LEN + 1];
    bool parsed, differs;
    project_make();
    temp_write("cell.json", "{ \"mode\": \"locked\" }");
    lock_answer("{" CONSTANT "}");
    memcpy(first, compiled(&parsed, &differs), sizeof(first));
    CHECK(parsed);
    CHECK_STR(compiled(&parsed, &differs), first);
    CHECK(!parsed);
    lock_answer("{" OTHER "}");
    CHECK(strcmp(compiled(&parsed, &differs), first) != 0 && parsed);
    CHECK(strcmp(compiled(&parsed, &differs), first) != 0 && !parsed);
    CHECK(fake.opens == 0);
    project_remove();
}

TEST(an_answer_that_is_as_locked_is_compared_once)
{
    char content[CELL_FINGERPRINT_LEN + 1];
    bool parsed, differs;
    project_make();
    lock_answer("{" CONSTANT "}");
    learn("{" CONSTANT "}", content);
    CHECK_STR(compiled(&parsed, &differs), content);
    CHECK(parsed && !differs);
    CHECK_STR(compiled(&parsed, &differs), content);
    CHECK(!parsed && !differs);
    /* Another one is compared whenever it is used, for that is to be told. */
    lock_answer("{" OTHER "}");
    for (int i = 0; i < 2; i++) {
        CHECK_STR(compiled(&parsed, &differs), content);
        CHECK(parsed && differs);
    }
    project_remove();
}

/* The head has the fingerprint as its last word. */
TEST(an_answer_with_another_head_is_asked_for_again)
{
    static const char *const heads[] = {"", " ", " 0", " -x"};
    char content[CELL_FINGERPRINT_LEN + 1], path[256];
    project_make();
    learn("{" CONSTANT "}", content);
    snprintf(path, sizeof(path), "%s", temp_path(only_file(".cell/answers")));
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        CELL_CLEANUP(cell_cleanup_free) char *text = NULL;
        struct cell_buffer b = {0};
        size_t len = 0;
        CHECK(cell_file_read(path, 65536, &text, &len, NULL) == CELL_OK);
        char *line = text ? strchr(text, '\n') : NULL;
        CHECK(line != NULL);
        if (!line)
            break;
        cell_buffer_append(&b, text, (size_t)(line - text) - CELL_FINGERPRINT_LEN - 1);
        cell_buffer_puts(&b, heads[i]);
        cell_buffer_append(&b, line, len - (size_t)(line - text) - 18);
        cell_buffer_printf(&b, "\n%016llx\n", (unsigned long long)cell_checksum(b.data, b.len));
        CHECK(cell_file_replace(path, b.data, b.len, NULL) == CELL_OK);
        cell_buffer_free(&b);
        learn("{" CONSTANT "}", content);
        session_begin(SESSION_LIVE);
        CHECK(!answer().x && fake.expands == 0);
        session_done();
    }
    project_remove();
}

static void check_verbs(const struct cell_schema *s)
{
    CHECK(s && s->nverbs == 1);
    if (!s || s->nverbs != 1)
        return;
    const struct schema_verb *v = s->verbs;
    CHECK_STR(v->name, "table");
    CHECK(v->on_struct && v->on_enum && !v->on_function && !v->on_variable);
    CHECK(v->nargs == 2 && v->args[0].required && !v->args[0].value && !v->args[1].required);
    CHECK_STR(v->args[1].type, "string");
    CHECK_STR(v->args[1].value, "a b");
    CHECK(v->nfield_rules == 1 && v->nrules == 2);
    CHECK_STR(v->rules[1], "check");
}

static void see_verbs(bool parsed)
{
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_OK);
    const struct cell_schema *s = cell_session_verbs(session, cell, &error);
    check_verbs(s);
    CHECK((s == cell_session_schema(session, cell, &error)) == parsed);
    session_done();
}

TEST(verbs_are_read_without_the_schema)
{
    project_make();
    fake.schema = SCHEMA;
    see_verbs(true);
    see_verbs(false);
    CELL_CLEANUP(cell_cleanup_free) char *good = NULL, *again = NULL;
    char path[256];
    size_t len = 0, now = 0;
    snprintf(path, sizeof(path), "%s", temp_path(only_file(".cell/verbs")));
    CHECK(cell_file_read(path, 65536, &good, &len, NULL) == CELL_OK);
    /* Whatever is wrong with the file, the schema is there, and it is written anew. */
    for (size_t cut = 0; cut < len; cut += 7) {
        CHECK(cell_file_replace(path, good, cut, NULL) == CELL_OK);
        see_verbs(true);
    }
    CHECK(cell_file_read(path, 65536, &again, &now, NULL) == CELL_OK && now == len && !memcmp(good, again, len));
    project_remove();
}

static int parse_lines(const char *lines, struct cell_schema **s)
{
    struct cell_buffer b = {0};
    cell_buffer_printf(&b, "cell.verbs/1\n%s", lines);
    cell_buffer_printf(&b, "%016llx\n", (unsigned long long)cell_checksum(b.data, b.len));
    int r = cell_verbs_parse(b.data, b.len, "auth", s);
    cell_buffer_free(&b);
    return r;
}

TEST(verbs_that_no_schema_has_are_refused)
{
    static const char *const bad[] = {"verb\n",
                                      "verb t\n",
                                      "verb t \n",
                                      "verb t x\n",
                                      "verb 1 s\n",
                                      "arg a string required\n",
                                      "verb t s\narg\n",
                                      "verb t s\narg a\n",
                                      "verb t s\narg a string\n",
                                      "verb t s\narg a string maybe\n",
                                      "verb t s\narg a nothing required\n",
                                      "verb t s\narg a string required x\n",
                                      "verb t s\narg a string optional\narg b string required\n",
                                      "verb t s\nfield 1x\n",
                                      "verb t s\nrule\n",
                                      "verb t s\nelse x\n",
                                      "verb t s\nverb s s\n",
                                      "verb t s\nverb t s\n",
                                      "verb t s",
                                      "\n",
                                      "verb t s\n\n",
                                      "verb t s\narg a string required\narg a string required\n"};
    struct cell_schema *s = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int r = parse_lines(bad[i], &s);
        if (r != CELL_DATA_LOSS)
            printf("taken: %s", bad[i]);
        CHECK(r == CELL_DATA_LOSS && !s);
    }
    CHECK(parse_lines("verb t sefv\narg a string optional \nfield x\n", &s) == CELL_OK && s);
    CHECK_STR(s->verbs[0].args[0].value, "");
    cell_schema_free(s);
}

TEST(prompt_answers_use_up_no_time)
{
    char content[CELL_FINGERPRINT_LEN + 1];
    project_make();
    temp_write("cell.json", "{ \"run_dir\": \"run\", \"timeout_ms\": 60000, \"cells\": { \"auth\": {} } }");
    learn("{" CONSTANT "}", content);
    session_begin(SESSION_LIVE);
    ask("auth", CELL_OK);
    fake.state = "two";
    fake.takes_ms = 20; /* each answer, which is less than a twentieth */
    for (int i = 0; i < 10; i++)
        cell_expansion_free(answer().x);
    CHECK(fake.expands == 10 && fake.granted_ms >= 59900);
    project_remove();

    /* In an editor all of it counts. */
    project_make();
    temp_write("cell.json", "{ \"run_dir\": \"run\", \"timeout_ms\": 60000, \"cells\": { \"auth\": {} } }");
    fake.state = "one";
    fake.expansion = "{" CONSTANT "}";
    session_begin(SESSION_PLAN);
    cell_session_hurry(session, 20000);
    ask("auth", CELL_OK);
    fake.takes_ms = 20;
    for (int i = 0; i < 10; i++)
        cell_expansion_free(answer().x);
    CHECK(fake.granted_ms <= 19800);
    project_remove();
}

/* As much more time as the prompt answers that would be for the declarations one by one. */
TEST(many_plans_have_more_time)
{
    struct cell_applied *applied = NULL;
    project_make();
    temp_write("cell.json", "{ \"run_dir\": \"run\", \"timeout_ms\": 60000, \"cells\": { \"auth\": {} } }");
    fake.state = "one";
    fake.expansion = "{" CONSTANT ",\"plan\":{\"id\":\"ab\",\"steps\":[{\"text\":\"t\",\"kind\":\"k\"}]}}";
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_OK);
    for (int i = 0; i < 40; i++)
        cell_expansion_free(answer().x);
    fake.request_status = CELL_INTERNAL;
    fake.fails_once = true;
    CHECK(cell_session_apply(session, cell, &applied, &error) == CELL_INTERNAL && !applied);
    CHECK(fake.applies == 1 && fake.granted_ms > 170000 && fake.granted_ms <= 180000);
    cell_expansion_free(answer().x);
    CHECK(fake.granted_ms <= 60000);
    project_remove();
}
