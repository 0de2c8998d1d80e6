/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Patterns of rules as PostgreSQL's regular expressions: what they become, what has none, and that the server takes the
 * same texts as the automaton that programs carry. */
// LIBS: cell_postgres_sanitized
#include <libpq-fe.h>

#include "pg_build.h"
#include "pg_fixture.h"

#include "core/pattern.h"
#include "postgres/pattern.h"
#include "wire/rules.h"

static void check_translation(const char *pattern, const char *expression)
{
    struct pg_arena arena = {0};
    struct pg_pattern_mistake wrong = {0, ""};
    const char *got = pg_pattern_translate(&arena, pattern, &wrong);
    CHECK_STR(wrong.why, "");
    CHECK_STR(got ? got : "", expression);
    pg_arena_free(&arena);
}

TEST(classes_and_anchors_are_spelt_out)
{
    check_translation("abc", "^(?:abc)$");
    check_translation("^a$|^b$", "^(?:a|b)$");
    check_translation(".", "^(?:[^\\n])$");
    check_translation("\\d+", "^(?:[0-9]+)$");
    check_translation("\\W", "^(?:[^0-9A-Z_a-z])$");
    check_translation("[^\\s]", "^(?:[^\\u0009-\\u000D ])$");
    check_translation("[\\D]", "^(?:[^0-9])$");
    check_translation("[\\d\\D]", "^(?:.)$");
    check_translation("[^\\D]", "^(?:[0-9])$");
    check_translation("[c-eab]", "^(?:[a-e])$");
    check_translation("[\\]\\-\\\\^\\[]", "^(?:[\\-\\[-\\^])$");
    check_translation("\\.\\*\\x41\\u00e9\\u{1F600}", "^(?:\\.\\*A\xc3\xa9\xf0\x9f\x98\x80)$");
    check_translation("\\n\\t\\x01", "^(?:\\u000A\\u0009\\u0001)$");
    check_translation("(a|(?:b|))*c{2}d{1,}e{0,255}", "^(?:(?:a|(?:b|))*c{2}d{1,}e{0,255})$");
    check_translation("it's \"x\", a_b:c", "^(?:it's \"x\", a_b:c)$");
    check_translation("[a]", "^(?:a)$");
}

TEST(what_has_no_expression_is_refused_at_its_byte)
{
    static const struct {
        const char *pattern;
        size_t at;
        const char *why;
        bool rule; /* programs know it */
    } rows[] = {
        {"", 0, "an empty pattern", false},
        {"a{256}", 1, "PostgreSQL repeats at most 255 times", true},
        {"a{1,1000}", 1, "PostgreSQL repeats at most 255 times", true},
        {"a{99999999999999999999}", 1, "PostgreSQL repeats at most 255 times", false},
        {"a|[^\\d\\D]", 2, "no character matches this class", false},
        {"(a)\\1", 3, "there is no such escape", false},
        {"\\b", 0, "there is no such escape", false},
        {"a\\", 1, "there is no such escape", false},
        {"a+?", 2, "a repetition of a repetition; lazy and possessive ones have no meaning here", false},
        {"(?=a)", 1, "of groups with (? only (?: is known", false},
        {"(?i)a", 1, "of groups with (? only (?: is known", false},
        {"***:a", 0, "nothing to repeat here; write it with a backslash", false},
        {"a (b", 2, "a ( without its )", false},
        {"a)", 1, "a ) without its (", false},
        {"[a", 2, "a class without its ]", false},
        {"[]a]", 0, "an empty class; write ] as \\]", false},
        {"[[:alpha:]]", 1, "classes with names are not known: write [ as \\[", false},
        {"[z-a]", 1, "a range that ends before it begins", false},
        {"[\\d-z]", 1, "a range between what is no character; write - as \\-", false},
        {"[a-\\d]", 1, "a range between what is no character; write - as \\-", false},
        {"a^b", 1, "the whole text is matched; write ^ and $ only around it, or with a backslash", false},
        {"(a$)", 2, "the whole text is matched; write ^ and $ only around it, or with a backslash", false},
        {"a]", 1, "it closes nothing; write it with a backslash", false},
        {"a{2,1}", 1, "a repetition that ends before it begins", false},
        {"a{,1}", 1, "{n}, {n,} or {n,m} is expected; write { as \\{", false},
        {"\\x4", 0, "\\xHH, \\uHHHH or \\u{HHHHHH} is expected", false},
        {"\\u{}", 0, "\\xHH, \\uHHHH or \\u{HHHHHH} is expected", false},
        {"\\u{110000}", 0, "there is no such character", false},
        {"\\ud800", 0, "there is no such character", false},
        {"\\x00", 0, "there is no such character", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pg_arena arena = {0};
        struct cell_arena automaton = {0};
        struct pg_pattern_mistake wrong = {0, ""};
        struct pattern_mistake mistake;
        struct cell_pattern *p = NULL;
        CHECK(!pg_pattern_translate(&arena, rows[i].pattern, &wrong));
        CHECK_STR(wrong.why, rows[i].why);
        if (wrong.at != rows[i].at)
            printf("%s: at %zu, not %zu\n", rows[i].pattern, wrong.at, rows[i].at);
        CHECK(wrong.at == rows[i].at);
        CHECK((cell_pattern_compile(rows[i].pattern, &automaton, NULL, &p, &mistake) == CELL_OK) == rows[i].rule);
        pg_arena_free(&arena);
        cell_arena_free(&automaton);
    }
    char deep[101] = "", large[1100];
    struct pg_arena arena = {0};
    struct pg_pattern_mistake wrong = {0, ""};
    memset(deep, '(', 33);
    memset(deep + 33, ')', 33);
    CHECK(!pg_pattern_translate(&arena, deep, &wrong) && wrong.at == 32);
    memset(large, 'a', sizeof(large) - 1);
    large[1025] = '\0';
    CHECK(!pg_pattern_translate(&arena, large, &wrong));
    large[1024] = '\0';
    CHECK(pg_pattern_translate(&arena, large, &wrong));
    pg_arena_free(&arena);
}

/* ---- against a server ---- */

static uint64_t seed = 1;

static unsigned below(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static const char *const characters[] = {"a",
                                         "b",
                                         "z",
                                         "A",
                                         "1",
                                         "9",
                                         "_",
                                         "-",
                                         ".",
                                         "\n",
                                         " ",
                                         "]",
                                         "[",
                                         "^",
                                         "$",
                                         "\xc3\xa9",
                                         "\xe4\xb8\xad",
                                         "\xf0\x9f\x98\x80",
                                         "\\",
                                         "'",
                                         "|",
                                         "(",
                                         "\t",
                                         "{",
                                         "\x7f",
                                         "\x01",
                                         "\xc2\xa0",
                                         "\xc3\x89"};
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define TEXTS 400

static void random_class(char *to)
{
    static const char *const items[] = {"a-z",
                                        "A-Z",
                                        "0-9",
                                        "\\d",
                                        "\\w",
                                        "\\s",
                                        "\\D",
                                        "\\W",
                                        "\\S",
                                        "\\]",
                                        "\\-",
                                        "\\^",
                                        "_",
                                        "\\x00-"
                                        "\x7f",
                                        "\xc3\xa0-\xc3\xbf",
                                        "\\u{4e00}-\\u{9fff}",
                                        ".",
                                        "\\[",
                                        "\\\\",
                                        "\xf0\x9f\x98\x80",
                                        "$"};
    strcat(to, below(3) ? "[" : "[^");
    for (unsigned n = 1 + below(3); n > 0; n--) {
        const char *item = items[below(COUNT_OF(items))];
        strcat(to, strncmp(item, "\\x00", 4) == 0 ? "\\x01-\x7f" : item);
    }
    strcat(to, "]");
}

static void random_pattern(char *to, unsigned depth)
{
    static const char *const atoms[] = {"a",   "b",   "1",        "_",       ".",          "\\d",  "\\w",
                                        "\\s", "\\D", "\\W",      "\\S",     "\\.",        "\\n",  "\\[",
                                        "-",   "'",   "\xc3\xa9", "\\u4e2d", "\\u{1F600}", "\\\\", " "};
    static const char *const quantifiers[] = {"*", "+", "?", "{0}", "{2}", "{1,}", "{0,3}"};
    for (unsigned n = below(4); n > 0; n--) {
        unsigned which = below(8);
        if (which == 0 && depth < 3) {
            strcat(to, below(2) ? "(" : "(?:");
            random_pattern(to, depth + 1);
            strcat(to, ")");
        } else if (which < 4) {
            random_class(to);
        } else {
            strcat(to, atoms[below(COUNT_OF(atoms))]);
        }
        if (below(3) == 0)
            strcat(to, quantifiers[below(COUNT_OF(quantifiers))]);
    }
    if (below(4) == 0 && depth < 3) {
        strcat(to, "|");
        random_pattern(to, depth + 1);
    }
}

static char texts[TEXTS][32];

/* '1' or '0' of each text. */
static PGresult *ask(PGconn *conn, const char *expression)
{
    const char *values[] = {expression};
    return PQexecParams(
        conn, "SELECT string_agg(CASE WHEN t COLLATE \"C\" ~ $1 THEN '1' ELSE '0' END, '' ORDER BY n) FROM texts", 1,
        NULL, values, NULL, NULL, 0);
}

static unsigned compare(PGconn *conn, const char *pattern)
{
    struct pg_arena arena = {0};
    struct cell_arena automaton = {0};
    struct pg_pattern_mistake wrong = {0, ""};
    struct pattern_mistake mistake;
    struct cell_pattern *p = NULL;
    unsigned matches = 0;
    const char *expression = pg_pattern_translate(&arena, pattern, &wrong);
    const int r = cell_pattern_compile(pattern, &automaton, NULL, &p, &mistake);
    /* A class without characters, or an automaton that is too large: random patterns may have them. */
    const bool differs = (r == CELL_OK) != (expression != NULL);
    const bool may =
        expression ? strstr(mistake.text, "states") || strstr(mistake.text, "work") || strstr(mistake.text, "large")
                   : strcmp(wrong.why, "no character matches this class") == 0;
    if (differs && !may)
        printf("'%s': %s, %s\n", pattern, mistake.text, wrong.why);
    CHECK(!differs || may);
    if (r == CELL_OK && expression) {
        PGresult *result = ask(conn, expression);
        const char *got = PQresultStatus(result) == PGRES_TUPLES_OK ? PQgetvalue(result, 0, 0) : "";
        if (!*got)
            printf("%s: %s\n", expression, PQerrorMessage(conn));
        CHECK(strlen(got) == TEXTS);
        for (unsigned i = 0; strlen(got) == TEXTS && i < TEXTS; i++) {
            const bool matching = cell_pattern_matches(p, texts[i], strlen(texts[i]));
            matches += matching;
            if (matching != (got[i] == '1')) {
                printf("'%s' as '%s' of '%s'\n", pattern, expression, texts[i]);
                test_failures++;
            }
        }
        PQclear(result);
    }
    pg_arena_free(&arena);
    cell_arena_free(&automaton);
    return matches;
}

static void make_texts(PGconn *conn)
{
    PQclear(PQexec(conn, "CREATE TEMPORARY TABLE texts (n int, t text)"));
    for (unsigned i = 0; i < TEXTS; i++) {
        char number[16];
        for (unsigned n = i % 6; n > 0; n--)
            strcat(texts[i], characters[below(COUNT_OF(characters))]);
        snprintf(number, sizeof(number), "%u", i);
        const char *values[] = {number, texts[i]};
        PGresult *r = PQexecParams(conn, "INSERT INTO texts VALUES ($1::int, $2)", 2, NULL, values, NULL, NULL, 0);
        CHECK(PQresultStatus(r) == PGRES_COMMAND_OK);
        PQclear(r);
    }
}

TEST(a_server_takes_the_same_texts)
{
    static const char *const patterns[] = {"[a-z]+@[a-z]+(\\.[a-z]+)+",
                                           ".*",
                                           ".",
                                           "\\d{1,2}|",
                                           "[^a]?",
                                           "(a|b)*1?",
                                           "\\s*",
                                           "\\S+",
                                           "\\w*",
                                           "\\W*",
                                           "[\\d\\D]{2}",
                                           "a$|^b",
                                           "[\\]\\-\\^\\\\\\[]*"};
    const char *url = pg_fixture(NULL);
    if (!url)
        return;
    PGconn *conn = PQconnectdb(url);
    REQUIRE(PQstatus(conn) == CONNECTION_OK);
    PQsetClientEncoding(conn, "UTF8");
    make_texts(conn);
    unsigned matches = 0;
    for (size_t i = 0; i < COUNT_OF(patterns); i++)
        matches += compare(conn, patterns[i]);
    CHECK(matches > 100);
    for (unsigned i = 0; i < 1500; i++) {
        char pattern[4096] = "";
        random_pattern(pattern, 0);
        matches += pattern[0] && strlen(pattern) <= 1024 ? compare(conn, pattern) : 0;
    }
    CHECK(matches > 5000);
    PQfinish(conn);
}
