/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Questions of a compilation, and what the cell answers. */
#ifndef CELL_TEST_ANSWERS_FIXTURE_H
#define CELL_TEST_ANSWERS_FIXTURE_H

#include "session_fixture.h"

#pragma clang diagnostic ignored "-Wunused-function"

#define ANSWER(n)                                                                                                      \
    "{\"constants\":[{\"name\":\"N\",\"type\":\"i64\",\"value\":\"" n "\"}],\"expansion\":\"cell.expansion/1\"}"
#define PLANNED(n)                                                                                                     \
    "{\"constants\":[{\"name\":\"N\",\"type\":\"i64\",\"value\":\"" n                                                  \
    "\"}],\"expansion\":\"cell.expansion/1\",\"plan\":"                                                                \
    "{\"id\":\"ab\",\"steps\":[{\"text\":\"t\",\"kind\":\"k\"}]}}"
#define ERRONEOUS                                                                                                      \
    "{\"diagnostics\":[{\"severity\":\"error\",\"text\":\"it is so\"}],\"expansion\":\"cell.expansion/1\"}"
#define DONE "{\"applied\":[{\"id\":\"ab\",\"steps\":1}],\"state\":\"after\"}"

/* A request as a compiler makes it; "query" is another verb than all others. */
static const char *request_of(const char *name, const char *mode)
{
    static char json[512];
    snprintf(
        json, sizeof(json),
        "{\"annotation\":{\"verb\":\"%s\",\"args\":[\"%ss\"],\"location\":\"a.c:%zu:1\"},\"declaration\":{\"kind\":"
        "\"struct\",\"name\":\"%s\",\"type\":{\"name\":\"%s\",\"kind\":\"struct\",\"size\":4,\"align\":4,\"fields\":[{"
        "\"name\":\"x\",\"type\":\"i32\",\"offset\":0}]},\"types\":[]},\"language\":\"c\",\"abi\":\"lp64-le\",\"mode\":"
        "\"%s\"}",
        strcmp(name, "query") == 0 ? name : "table", name, (size_t)rand() % 1000, name, name, mode);
    return json;
}

/* The answer's constant, "" when there was none. */
static const char *expand_as(const char *name, const char *mode, int expected)
{
    static char value[32];
    struct cell_expansion *x = NULL;
    const char *json = request_of(name, mode);
    struct session_cell *cell = ask_unchecked("auth", CELL_OK);
    error = (struct cell_error){0};
    int r = cell_session_expand(session, cell, json, strlen(json), NULL, &x, &error);
    if (r != expected)
        printf("expand %s: %d %s\n", name, r, error.text);
    CHECK(r == expected);
    snprintf(value, sizeof(value), "%s", x ? x->content->constants[0].text : "");
    cell_expansion_free(x);
    return value;
}

static const char *expand(const char *name) { return expand_as(name, "live", CELL_OK); }

static void begin_asking(enum session_mode mode)
{
    session_begin(mode);
    fake.states = fake.expands = fake.applies = 0;
}

static void end_unit(void)
{
    cell_session_settle(session);
    session_done();
}

static void project_with(const char *state, const char *expansion)
{
    project_make();
    fake.state = state;
    fake.expansion = expansion;
}

/* One whole compilation of one question in plan mode, as in an editor or with -fsyntax-only. */
static void learn(const char *state, const char *expansion)
{
    fake.state = state;
    fake.expansion = expansion;
    begin_asking(SESSION_PLAN);
    expand("user");
    end_unit();
}

static void expand_request(const char *json)
{
    struct cell_expansion *x = NULL;
    error = (struct cell_error){0};
    CHECK(cell_session_expand(session, ask_unchecked("auth", CELL_OK), json, strlen(json), NULL, &x, &error) ==
          CELL_OK);
    cell_expansion_free(x);
}

static struct cell_applied *apply(int expected)
{
    struct cell_applied *applied = NULL;
    error = (struct cell_error){0};
    int r = cell_session_apply(session, ask_unchecked("auth", CELL_OK), &applied, &error);
    if (r != expected)
        printf("apply: %d %s\n", r, error.text);
    CHECK(r == expected && (r >= 0 || error.text[0]));
    return applied;
}

#endif
