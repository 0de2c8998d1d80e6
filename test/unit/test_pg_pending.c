/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
/* What of the declarations before one can matter to it. */
#include "postgres/pending.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

#define TABLE(name, more) "{\"annotation\":{\"verb\":\"table\",\"args\":[\"" name "\"]},\"declaration\":{" more "}}"
#define QUERY(sql) "{\"annotation\":{\"verb\":\"query\",\"args\":[\"found\",\"" sql "\",\"\"]}}"
#define REFERS(table) "\"rules\":[{\"rule\":\"references\",\"args\":[\"" table "\",\"id\"]}]"
#define RULE(name) "\"rules\":[{\"rule\":\"" name "\",\"args\":[\"x\"]}]"

/* The request `last` behind `pending`, with what is left of that; NULL = all of it. Freed with the next one. */
static const char *left_of(const char *pending, const char *last)
{
    static char *text;
    char request[4096];
    size_t len = 0;

    free(text);
    snprintf(request, sizeof(request), "{\"pending\":[%s],%s", pending, last + 1);
    text = pg_pending_that_matter(request, strlen(request), &len);
    CHECK(!text || strlen(text) == len);
    return text;
}

#define LEAVES(pending, last, left)                                                                                    \
    do {                                                                                                               \
        char expected[4096];                                                                                           \
        const char *all = last;                                                                                        \
        snprintf(expected, sizeof(expected), "{\"pending\":[%s],%s", left, all + 1);                                   \
        const char *got = left_of(pending, all);                                                                       \
        CHECK(got &&strcmp(got, expected) == 0);                                                                       \
    } while (0)
#define LEAVES_ALL(pending, last) CHECK(!left_of(pending, last))

#define A TABLE("aa", "")
#define B TABLE("bb", "")
#define TO_A TABLE("dd", REFERS("aa"))

TEST(what_has_nothing_to_do_with_it_is_left_out)
{
    LEAVES(A "," B, TABLE("cc", ""), "");
    LEAVES(A "," B, TABLE("cc", REFERS("bb")), B);
    LEAVES(A "," B, TABLE("bb", ""), B);
    LEAVES(A "," B, QUERY("SELECT 1 FROM AA"), A);
    LEAVES(A "," B, QUERY("SELECT 1 FROM \\\"aa\\\""), A);
    LEAVES_ALL(A "," B, QUERY("SELECT 1 FROM aa, bb"));
}

TEST(what_names_it_stays_and_what_those_name)
{
    LEAVES(A "," B "," TO_A, TABLE("cc", REFERS("dd")), A "," TO_A);
    LEAVES(TO_A "," B, A, TO_A);
    /* But not what names those: in the end that would be all. */
    LEAVES(A "," TO_A, TABLE("cc", REFERS("aa")), A);
    /* A part of another name is enough. */
    LEAVES(TABLE("aab", "") "," B, A, TABLE("aab", ""));
}

TEST(what_may_concern_any_table_stays)
{
    const char *const rules[] = {"step", "schema", "sql_type"};

    for (int i = 0; i < 3; i++) {
        char table[256];
        snprintf(table, sizeof(table), TABLE("ee", "\"rules\":[{\"rule\":\"%s\",\"args\":[\"x\"]}]"), rules[i]);
        LEAVES_ALL(table, TABLE("cc", ""));
        LEAVES_ALL(A, table);
    }
    LEAVES_ALL(TABLE("t e", ""), TABLE("cc", ""));
    LEAVES_ALL(TABLE("s.ee", ""), TABLE("cc", ""));
    LEAVES_ALL(A, QUERY("SELECT 1 FROM U&\\\"\\\\0061a\\\""));
    LEAVES_ALL(TABLE("ee", "\"type\":\"f32[3]\""), TABLE("cc", ""));
}

TEST(what_is_no_such_request_is_left_alone)
{
    static const char *const texts[] = {
        "",
        "{}",
        "{\"pending\":[",
        "{\"pending\":[]",
        "{\"pending\":[],\"a\":1}",
        "{\"pending\":[{}",
        "{\"pending\":[{},",
        "{\"pending\":[{},]}",
        "{\"pending\":[{\"}],\"a\":1}",
        "{\"pending\":[{\"\\",
        "{\"pending\":[{\"a\":\"\\\"}\"",
        "{\"pending\":[1,2],\"a\":1}",
        "{\"pending\":[}],\"a\":1}",
        "{\"pending\":[" A "]",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        size_t len = 0, n = strlen(texts[i]);
        /* Without a NUL behind it, so that a look too far is noticed. */
        char *exact = malloc(n + (n == 0));
        memcpy(exact, texts[i], n);
        char *got = pg_pending_that_matter(exact, n, &len);
        CHECK(!got);
        free(got);
        free(exact);
    }
    /* A brace in a text ends nothing. */
    LEAVES(TABLE("bb", "\"doc\":\"}]{ \\\" \"") "," A, QUERY("SELECT 1 FROM aa"), A);
}
