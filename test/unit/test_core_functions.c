/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Functions of two schemas compared: which changes there are, what counts as another logic, and what a program's record
 * keeps of them. */
#include "schema_document.h"

#include "core/diff.h"
#include "core/uses.h"

static struct cell_error error;

#define HEAD "{\"abi\":\"lp64-le\",\"cell\":\"maths\",\"schema\":\"cell.schema/1\",\"functions\":{\"cell.ast\":1,"
#define TABLE "\"tables\":[{\"name\":\"t\",\"type\":\"i32[2]\",\"values\":[1,2]}],"
#define HELPER                                                                                                         \
    "{\"name\":\"half\",\"internal\":true,\"returns\":\"i32\",\"params\":[{\"name\":\"x\",\"type\":\"i32\"}],"         \
    "\"body\":[4,[\"return\",[\"/\",\"x\",2]]]}"
#define F                                                                                                              \
    "{\"name\":\"f\",\"doc\":\"Does it.\",\"file\":\"f.c\",\"line\":7,\"returns\":\"i32\",\"params\":["                \
    "{\"name\":\"x\",\"type\":\"i32\",\"doc\":\"what\"},{\"name\":\"p\",\"type\":\"i32[2]\"}],"                        \
    "\"body\":[8,[\"if\",[\"<\",\"x\",9],[10,[\"return\",[\"call\",\"half\",\"x\"]]],[11]],"                           \
    "[\"switch\",\"x\",[1,2],[12,[\"break\"]],[],[13]],[\"for\",\"i\",0,2,2,[14]],[\"loop\",3,[15]],16,"               \
    "[\"return\",[\"[]\",\"t\",1]]]}"
#define G                                                                                                              \
    "{\"name\":\"g\",\"returns\":\"status\",\"fault\":\"not-found\",\"params\":["                                      \
    "{\"name\":\"s\",\"type\":\"str\"},{\"dir\":\"out\",\"name\":\"o\",\"type\":\"f64\"}],\"body\":[]}"
#define WHOLE HEAD TABLE "\"functions\":[" HELPER "," F "," G "]}}"

static struct cell_schema *parse(const char *json)
{
    struct cell_schema *s = parse_schema(json, &error);
    if (!s) {
        printf("  %s in\n%s\n", error.text, json);
        exit(1);
    }
    return s;
}

/* The changes as "RULE owner; …". */
static void check_diff(const char *before, const char *after, const char *expected)
{
    struct cell_schema *a = parse(before), *b = parse(after);
    struct cell_diff *d = NULL;
    char text[400] = "";
    REQUIRE(cell_diff_new(a, b, &d, &error) == CELL_OK);
    for (uint32_t i = 0; i < d->n; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s %s", i ? "; " : "", d->changes[i].id,
                 d->changes[i].owner);
    CHECK_STR(text, expected);
    cell_diff_free(d);
    cell_schema_free(a);
    cell_schema_free(b);
}

static void check_edit(const char *from, const char *to, const char *expected)
{
    char *after = replaced(WHOLE, from, to);
    check_diff(WHOLE, after, expected);
    free(after);
}

TEST(signatures_say_how_functions_are_called)
{
    struct cell_schema *s = parse(WHOLE);
    CHECK_STR(cell_schema_function(s, "f")->signature, "i32(i32, i32[2])");
    CHECK_STR(cell_schema_function(s, "g")->signature, "status(str, out f64)");
    cell_schema_free(s);
    check_edit("\"name\":\"o\",\"type\":\"f64\"", "\"name\":\"o\",\"type\":\"f32\"", "FUNCTION_SAME_SIGNATURE g");
    check_edit("\"returns\":\"status\"", "\"returns\":\"i32\"", "FUNCTION_SAME_SIGNATURE g");
    check_edit("{\"name\":\"s\",\"type\":\"str\"},", "", "FUNCTION_SAME_SIGNATURE g");
    check_edit("{\"dir\":\"out\",\"name\":\"o\"", "{\"name\":\"o\"", "FUNCTION_SAME_SIGNATURE g");
    check_edit("{\"name\":\"s\",\"type\":\"str\"}", "{\"name\":\"s\",\"pointer\":true,\"type\":\"str\"}",
               "FUNCTION_SAME_SIGNATURE g");
}

TEST(where_and_why_something_was_written_is_no_logic)
{
    static const char *const same[][2] = {
        {"\"doc\":\"Does it.\",", ""},
        {",\"doc\":\"what\"", ""},
        {"\"file\":\"f.c\",\"line\":7,", ""},
        {"[8,[\"if\"", "[[\"if\""},
        {"[10,[\"return\"", "[99,[\"return\""},
        {"[11]", "[]"},
        {"[12,[", "[["},
        {"[13]]", "[7]]"},
        {"[14]", "[]"},
        {"[15]", "[1]"},
        {"16,", ""},
        {"[4,[\"return\"", "[5,[\"return\""},
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        check_edit(same[i][0], same[i][1], "");
}

TEST(what_is_computed_is)
{
    static const char *const other[][2] = {
        {"\"x\",9]", "\"x\",8]"},         {"[1,2],[12", "[1,3],[12"}, {"\"i\",0,2,2,", "\"i\",0,2,3,"},
        {"[\"loop\",3,", "[\"loop\",4,"}, {"\"t\",1]", "\"t\",0]"},   {"[\"break\"]", "[\"continue\"]"},
    };
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        check_edit(other[i][0], other[i][1], "FUNCTION_SAME_LOGIC f");
    check_edit("\"fault\":\"not-found\"", "\"fault\":\"aborted\"", "FUNCTION_SAME_LOGIC g");
}

TEST(logic_is_also_that_of_what_is_used)
{
    check_edit("[\"/\",\"x\",2]", "[\"/\",\"x\",4]", "FUNCTION_SAME_LOGIC f");
    check_edit("\"values\":[1,2]", "\"values\":[1,3]", "FUNCTION_SAME_LOGIC f");
    /* Through one more function; and nothing of what is not used. */
    check_edit("," G "]}}",
               ",{\"name\":\"g\",\"returns\":\"status\",\"fault\":\"not-found\",\"params\":["
               "{\"name\":\"s\",\"type\":\"str\"},{\"dir\":\"out\",\"name\":\"o\",\"type\":\"f64\"}],"
               "\"body\":[[\"let\",\"y\",\"i32\",[\"call\",\"f\",1]]]}]}}",
               "FUNCTION_SAME_LOGIC g");
    check_edit("{\"name\":\"t\",", "{\"name\":\"u\",\"type\":\"i32[1]\",\"values\":[3]},{\"name\":\"t\",", "");
}

TEST(functions_come_go_and_are_renamed)
{
    check_edit("," G, "", "FUNCTION_NO_DELETE g");
    check_diff(HEAD TABLE "\"functions\":[" HELPER "," F "]}}", WHOLE, "FUNCTION_ADDED g");
    check_edit("\"name\":\"g\",", "\"name\":\"h\",", "FUNCTION_NO_DELETE g; FUNCTION_ADDED h");
    check_edit("\"name\":\"g\",", "\"name\":\"h\",\"renamed_from\":\"g\",", "FUNCTION_SAME_NAME g");
    check_edit("\"name\":\"g\",", "\"name\":\"g\",\"internal\":true,", "FUNCTION_NO_DELETE g");
    struct cell_schema *s = parse_schema(HEAD "\"functions\":[{\"name\":\"h\",\"renamed_from\":\"a b\"}]}}", &error);
    CHECK(!s);
    CHECK_STR(error.text, "functions.functions[0].renamed_from: 'a b' is not an identifier");
}

TEST(sentences_name_the_cell)
{
    char *after = replaced(WHOLE, "\"dir\":\"out\",\"name\":\"o\",\"type\":\"f64\"", "\"name\":\"o\",\"type\":\"f64\"");
    struct cell_schema *a = parse(WHOLE), *b = parse(after);
    struct cell_diff *d = NULL;
    REQUIRE(cell_diff_new(a, b, &d, &error) == CELL_OK && d->n == 1);
    CHECK_STR(d->changes[0].sentence,
              "Function 'g' changed from 'status(str, out f64)' to 'status(str, f64)' in Maths Cell");
    CHECK(d->changes[0].breaks == DIFF_SOURCE && d->breaks == DIFF_SOURCE);
    cell_diff_free(d);
    cell_schema_free(a);
    cell_schema_free(b);
    free(after);
}

/* Nobody wants all of a cell's functions in every object. */
TEST(a_program_keeps_what_tells_changes)
{
    struct cell_schema *s = parse(WHOLE);
    struct cell_buffer out = {0};
    cell_used_schema_format(s, s->fingerprint, &out);
    REQUIRE(cell_buffer_ok(&out));
    CHECK(!strstr(out.data, "body") && !strstr(out.data, "half"));
    char *begin = strstr(out.data, "\"schema\":") + 9;
    out.data[out.len - 1] = '\0';
    check_diff(begin, WHOLE, "");
    char *after = replaced(WHOLE, "[\"/\",\"x\",2]", "[\"/\",\"x\",4]");
    check_diff(begin, after, "FUNCTION_SAME_LOGIC f");
    struct cell_schema *kept = parse(begin);
    CHECK_STR(cell_schema_function(kept, "g")->signature, "status(str, out f64)");
    struct cell_buffer again = {0};
    cell_used_schema_format(kept, s->fingerprint, &again);
    out.data[out.len - 1] = '}';
    CHECK(again.len == out.len && memcmp(again.data, out.data, out.len) == 0);
    cell_schema_free(kept);
    cell_schema_free(s);
    free(after);
    cell_buffer_free(&again);
    cell_buffer_free(&out);
    CHECK(!parse_schema(HEAD "\"functions\":[{\"name\":\"f\",\"logic\":\"7\"}]}}", &error));
    CHECK_STR(error.text, "functions.functions[0].logic: 64 hex digits are expected");
}

static void use(struct cell_uses *u, const char *fingerprint, enum use_kind kind, const char *name)
{
    const struct use one = {"maths", fingerprint, kind, name, "a.c", 3};
    REQUIRE(cell_uses_add(u, &one) == CELL_OK);
}

TEST(programs_notice_what_they_use)
{
    char *after = replaced(WHOLE, "," G, "");
    struct cell_schema *a = parse(WHOLE), *b = parse(after);
    struct cell_uses *u = calloc(1, sizeof(*u));
    struct cell_diff *d = NULL;
    struct cell_arena arena = {0};
    struct use_break *breaks = NULL;
    uint32_t n = 0;
    use(u, a->fingerprint, USE_FUNCTION, "g");
    use(u, a->fingerprint, USE_METHOD, "f"); /* of another kind */
    cell_uses_sort(u);
    REQUIRE(cell_diff_new(a, b, &d, &error) == CELL_OK);
    REQUIRE(cell_uses_check(u, "maths", a->fingerprint, d, a, &arena, &breaks, &n) == CELL_OK);
    REQUIRE(n == 1 && breaks[0].nat == 1);
    CHECK(breaks[0].compile && !breaks[0].running && breaks[0].change->rule == DIFF_FUNCTION_REMOVED);
    cell_diff_free(d);
    cell_schema_free(b);
    free(after);

    after = replaced(WHOLE, "\"fault\":\"not-found\"", "\"fault\":\"aborted\"");
    b = parse(after);
    REQUIRE(cell_diff_new(a, b, &d, &error) == CELL_OK);
    REQUIRE(cell_uses_check(u, "maths", a->fingerprint, d, a, &arena, &breaks, &n) == CELL_OK);
    REQUIRE(n == 1); /* it compiles, to something else */
    CHECK(!breaks[0].compile && !breaks[0].running && breaks[0].change->rule == DIFF_FUNCTION_LOGIC_CHANGED);
    cell_diff_free(d);
    cell_schema_free(a);
    cell_schema_free(b);
    cell_uses_free(u);
    cell_arena_free(&arena);
    free(after);
}
