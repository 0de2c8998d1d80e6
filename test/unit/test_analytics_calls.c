/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Conditions call functions of the program: they get what C would give them, or are refused at their place; and no
 * document makes a cell do what it must not. */
// LIBS: cell_analytics_sanitized
#include "analytics_fixture.h"

#include "analytics/definition.h"
#include "analytics/state_impl.h"

#define DOCUMENT(functions) "{\"cell.ast\":1,\"functions\":[" functions "]}"
#define P(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\"}"
#define FUNCTION(name, returns, params, body)                                                                          \
    "{\"name\":\"" name "\",\"returns\":\"" returns "\",\"params\":[" params "],\"body\":[" body "]}"
#define RETURN(value) "[\"return\"," value "]"

#define IS_LARGE                                                                                                       \
    FUNCTION("is_large", "bool", P("amount", "i64") "," P("code", "u32"),                                              \
             "[\"if\",[\"==\",\"code\",{\"u32\":7}],[" RETURN("[\">\",\"amount\",{\"i64\":100}]") "]]," RETURN(        \
                 "[\">\",\"amount\",{\"i64\":1000000}]"))
/* It would take macros beside texts for one expression. */
/* clang-format off */
#define OTHERS                                                                                                         \
    FUNCTION("is_not", "bool", P("b", "bool"), RETURN("[\"!\",\"b\"]")) ","                                            \
    FUNCTION("is_half", "bool", P("x", "f32"), RETURN("[\"==\",\"x\",{\"f32\":\"0.5\"}]")) ","                         \
    FUNCTION("is_near", "bool", P("x", "f64"), RETURN("[\"<\",[\"fabs\",\"x\"],{\"f64\":\"1\"}]")) ","                 \
    FUNCTION("is_small", "bool", P("x", "i8"), RETURN("[\"<\",\"x\",{\"i8\":-100}]")) ","                              \
    FUNCTION("is_six", "bool", P("a", "u64") "," P("b", "i16") "," P("c", "u8"),                                       \
             RETURN("[\"==\",[\"+\",[\"i64\",\"a\"],[\"i64\",\"b\"],[\"i64\",\"c\"]],{\"i64\":6}]")) ","               \
    FUNCTION("always", "bool", "", RETURN("true")) ","                                                                 \
    FUNCTION("number", "i32", "", RETURN("7"))
/* clang-format on */

static struct an_problem problem;
static struct an_filter filter;
static struct cell_hot *hot;

static struct cell_hot *open_functions(const char *document)
{
    struct cell_error e = {0};
    struct cell_hot *opened = NULL;

    if (cell_hot_open(document, strlen(document), &opened, &e) < 0)
        printf("%s\n", e.text);
    return opened;
}

static bool parse(const char *text)
{
    bool done = an_filter_parse(text, hot, find_in_moves, NULL, &filter, &problem);

    CHECK(!done || an_filter_is_sound(&filter, sizeof(struct move)));
    return done;
}

static bool passes(const char *text, const struct move *move)
{
    bool good = parse(text);

    if (!good)
        printf("%s: %s (%u, %u)\n", text, problem.text, problem.at, problem.length);
    CHECK(good);
    return good && an_filter_passes(&filter, move);
}

static bool is_large(int64_t amount, uint32_t code)
{
    if (code == 7)
        return amount > 100;
    return amount > 1000000;
}

TEST(a_call_is_what_the_function_says)
{
    uint32_t yes = 0;

    hot = open_functions(DOCUMENT(IS_LARGE));
    REQUIRE(hot && parse("kind >= 0 && is_large(amount, code) || kind == -3 && !is_large(amount, 7)"));
    for (int i = 0; i < 20000; i++) {
        struct move m = any_move(100);
        m.code = (uint32_t)any(10);
        bool is = (m.kind >= 0 && is_large(m.amount, m.code)) || (m.kind == -3 && !is_large(m.amount, 7));
        yes += is;
        CHECK(an_filter_passes(&filter, &m) == is);
    }
    CHECK(yes > 1000 && yes < 19000);
    cell_hot_close(hot);
}

TEST(arguments_have_the_types_of_parameters)
{
    const struct move m = {.from = 1, .amount = -1000, .rate = 0.5, .code = 3, .kind = 2};
    static const struct {
        const char *text;
        bool is;
    } all[] = {
        {"is_not(kind == 3)", true},
        {"is_not(code)", false}, /* whether it is not 0 */
        {"is_not(is_not(kind == 2))", true},
        {"is_half(rate)", true},
        {"is_half(code / 6)", false},
        {"is_half(rate + 1e-12)", true}, /* in the precision of the parameter */
        {"is_near(rate) && !is_near(amount) && is_near(-rate / 3)", true},
        {"is_small(amount % 128)", true}, /* -104 */
        {"is_small(-101) && !is_small(-100)", true},
        {"is_six(from, kind, code & 0xff)", true},
        {"is_six ( 1 , -1 , 6 ) && !is_six(1, -1, 7)", true},
        {"is_six(from, kind, 4) || is_six(2, kind, 2)", true},
        {"always()", true},
        {"!always( )", false},
    };

    hot = open_functions(DOCUMENT(OTHERS));
    REQUIRE(hot);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        bool is = passes(all[i].text, &m);
        if (is != all[i].is)
            printf("%s\n", all[i].text);
        CHECK(is == all[i].is);
    }
    cell_hot_close(hot);
}

TEST(what_functions_call_may_do_more)
{
    static const char document[] =
        "{\"cell.ast\":1,\"tables\":[{\"name\":\"limits\",\"type\":\"i64[4]\",\"values\":[10,20,30,40]}],\"functions\":"
        "["
        "{\"name\":\"limit\",\"returns\":\"status\",\"internal\":true,\"params\":[" P(
            "i",
            "u32") ",{\"name\":\"out\","
                   "\"type\":\"i64\",\"dir\":\"out\"}],\"body\":[[\"=\",\"out\",[\"[]\",\"limits\",\"i\"]]]}," FUNCTION(
                       "is_below", "bool", P("amount", "i64") "," P("code", "u32"),
                       "[\"let\",\"l\",\"i64\",{\"i64\":0}],[\"let\",\"s\",\"i32\",0],"
                       "[\"for\",\"k\",0,10,10,[[\"status\",\"s\",\"limit\",\"code\",\"l\"]]]," RETURN(
                           "[\"&&\",[\"==\",\"s\",0],[\"<\",\"amount\",\"l\"]]")) "]}";
    static const int64_t limits[] = {10, 20, 30, 40};

    hot = open_functions(document);
    REQUIRE(hot && parse("is_below(amount, code)"));
    for (uint32_t code = 0; code < 6; code++)
        for (int64_t amount = 0; amount < 50; amount++) {
            const struct move m = {.amount = amount, .code = code};
            CHECK(an_filter_passes(&filter, &m) == (code < 4 && amount < limits[code]));
        }
    CHECK(cell_hot_find(hot, "limit") == -1);
    cell_hot_close(hot);
}

/* A function that reads a text of so many digits, which is no number of 64 bits, four times. */
static void document_with_text(char *document, size_t size, int digits)
{
#define PARSE "[\"parse_i64\",[\"[]\",\"text\",0],{\"i64\":1}]"
    snprintf(
        document, size,
        "{\"cell.ast\":1,\"tables\":[{\"name\":\"text\",\"type\":\"str[1]\",\"values\":[\"9%0*d\"]}],"
        "\"functions\":[" FUNCTION("is_one", "bool", P("n", "u32"),
                                   RETURN("[\"==\",[\"+\"," PARSE "," PARSE "," PARSE "," PARSE "],{\"i64\":4}]")) "]}",
        digits, 0);
}

TEST(memory_is_given_back_during_a_call)
{
    char document[8000];
    const struct move m = {.code = 1};

    document_with_text(document, sizeof(document), 5000);
    hot = open_functions(document);
    REQUIRE(hot);
    CHECK(passes("is_one(code)", &m));
    cell_hot_close(hot);
}

TEST(what_is_wrong_is_told_with_its_place)
{
    static const struct {
        const char *text, *says;
        uint32_t at, length;
    } all[] = {{"kind == 1 && is_lrge(code)", "no function 'is_lrge'", 13, 7},
               {"is_six(from, kind)", "'is_six' takes 3 arguments, not 2", 0, 6},
               {"is_six(from, kind, 1, 2)", "takes 3 arguments, not 4", 0, 6},
               {"always(1)", "takes 0 arguments, not 1", 0, 6},
               {"is_six(from, code, 1)", "argument 2 of 'is_six', a signed number of 16 bits", 13, 4},
               {"is_six(kind, kind, 1)", "argument 1 of 'is_six', an unsigned number of 64 bits", 7, 4},
               {"is_six(from, kind, 256)", "an unsigned number of 8 bits", 19, 3},
               {"is_six(rate, kind, 1)", "argument 1 of 'is_six' a whole one", 7, 4},
               {"is_six(from == 1, kind, 1)", "argument 1 of 'is_six' is a number", 7, 4},
               {"is_near(kind == 1)", "argument 1 of 'is_near' is a number", 8, 4},
               {"is_near(tag)", "compared with text", 8, 3},
               {"is_not(rate)", "compare it", 7, 4},
               {"is_near(rate", "')' is missing here, behind what 'is_near'", 12, 0},
               {"is_near(rate,)", "a field, a number", 13, 1},
               {"is_near rate", "no field", 0, 7},
               {"is_near(rate) + 1 > 1", "a comparison is no number", 0, 7},
               {"number() == 7", "does not return a bool", 0, 6},
               {"in (1)", "no function 'in'", 0, 2}};

    hot = open_functions(DOCUMENT(OTHERS));
    REQUIRE(hot);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        bool good = parse(all[i].text);
        bool said =
            !good && strstr(problem.text, all[i].says) && problem.at == all[i].at && problem.length == all[i].length;
        if (!said)
            printf("%s: %s (%u, %u)\n", all[i].text, good ? "accepted" : problem.text, problem.at, problem.length);
        CHECK(said);
    }
    cell_hot_close(hot);
    hot = NULL;
    CHECK(!parse("is_not(code)") && strstr(problem.text, "no function 'is_not'"));
}

TEST(what_no_parser_made_is_not_run)
{
    hot = open_functions(DOCUMENT(OTHERS "," IS_LARGE));
    REQUIRE(hot && parse("is_not(kind == 1) && is_near(rate) && is_six(from, kind, 1)"));
    struct an_filter good = filter;
    for (uint32_t i = 0; i < good.nops; i++)
        for (uint32_t number = 0; good.ops[i].code == AN_OP_CALL && number < 12; number++) {
            filter = good;
            filter.ops[i].text = number == 11 ? UINT32_MAX : number;
            bool of_one_kind = (number == 1 || number == 2) && (good.ops[i].text == 1 || good.ops[i].text == 2);
            CHECK(an_filter_is_sound(&filter, sizeof(struct move)) == (number == good.ops[i].text || of_one_kind));
        }
    filter = good;
    filter.functions = NULL;
    CHECK(!an_filter_is_sound(&filter, sizeof(struct move)));
    cell_hot_close(hot);
}

TEST(documents_that_could_harm_are_refused)
{
    static const struct {
        const char *document, *says;
    } all[] = {
        {"", "JSON"},
        {"[]", "object"},
        {DOCUMENT(FUNCTION("f", "bool", P("n", "i32"), RETURN("[\"call\",\"f\",\"n\"]"))), "f"}, /* no recursion */
        {"{\"cell.ast\":1,\"tables\":[{\"name\":\"t\",\"type\":\"i32[2]\",\"values\":[1,2]}],\"functions\":[" FUNCTION(
             "f", "bool", P("n", "i32"), RETURN("[\"==\",[\"[]\",\"t\",\"n\"],1]")) "]}",
         "may be out of range"},
        {DOCUMENT(FUNCTION("f", "bool", P("n", "i32"), RETURN("[\"==\",[\"/\",1,\"n\"],1]"))), "0"},
        {DOCUMENT(FUNCTION("f", "bool", "",
                           "[\"let\",\"s\",\"i32\",0],[\"for\",\"i\",0,1000,1000,[[\"=\",\"s\",\"i\"]]]," RETURN(
                               "[\"==\",\"s\",1]"))),
         "1000"},
        {DOCUMENT(FUNCTION("f", "bool", P("s", "str"), RETURN("true"))), "parameter 's' of 'f'"},
        {DOCUMENT(FUNCTION("f", "bool", P("a", "i32[4]"), RETURN("true"))), "parameter 'a' of 'f'"},
        {DOCUMENT(FUNCTION("f", "status", "{\"name\":\"o\",\"type\":\"i32\",\"dir\":\"out\"}", "[\"=\",\"o\",1]")),
         "'f' does not return"},
        {DOCUMENT(FUNCTION("f", "bool", "", "[\"let\",\"a\",\"i64[800]\"]," RETURN("true")) "," FUNCTION(
             "g", "bool", "",
             "[\"let\",\"a\",\"i64[800]\"]," RETURN(
                 "true")) "," FUNCTION("h", "bool", "",
                                       "[\"let\",\"a\",\"i64[1600]\"]," RETURN(
                                           "[\"&&\",[\"call\",\"f\"],[\"call\",\"g\"]]"))),
         "1000"},
    };
    struct cell_error e;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        e.text[0] = '\0';
        hot = NULL;
        int r = cell_hot_open(all[i].document, strlen(all[i].document), &hot, &e);
        if (r >= 0 || !strstr(e.text, all[i].says))
            printf("%s: %s\n", all[i].document, r < 0 ? e.text : "accepted");
        CHECK(r < 0 && strstr(e.text, all[i].says) && !hot);
        cell_hot_close(hot);
    }
    static char large[CELL_HOT_MOST_BYTES + 64];
    snprintf(large, sizeof(large), "%s%*s", DOCUMENT(IS_LARGE), (int)CELL_HOT_MOST_BYTES, "");
    CHECK(cell_hot_open(large, strlen(large), &hot, &e) == CELL_TOO_LARGE);
    document_with_text(large, sizeof(large), 17000);
    CHECK(cell_hot_open(large, strlen(large), &hot, &e) == CELL_TOO_LARGE && strstr(e.text, "'is_one' needs"));
}

/* ---- definitions ---- */

static json_t *definition_with(const char *functions)
{
    json_t *json = json_loads("{\"name\":\"n\",\"source\":\"s\",\"stream\":\"r\",\"type\":\"t\",\"record_size\":16,"
                              "\"where\":\"is_large(amount, code)\",\"columns\":[{\"name\":\"c\",\"type\":\"u64\","
                              "\"as\":\"count\",\"of\":\"\"}],\"fields\":[{\"name\":\"amount\",\"type\":\"i64\","
                              "\"offset\":0},{\"name\":\"code\",\"type\":\"u32\",\"offset\":8}]}",
                              0, NULL);

    if (functions)
        json_object_set_new(json, "functions", json_loads(functions, 0, NULL));
    return json;
}

static uint64_t hash_of(const char *functions)
{
    struct an_definition *definition = NULL;
    struct an_failure f = {0};
    json_t *json = definition_with(functions);
    uint64_t hash = 0;

    if (an_definition_read(json, &definition, &f) >= 0)
        hash = an_plan_hash(&definition->plan);
    else
        CHECK(f.status == CELL_DATA_LOSS);
    an_definition_unref(definition);
    json_decref(json);
    return hash;
}

TEST(a_definition_is_kept_with_its_functions)
{
    const uint64_t hash = hash_of(DOCUMENT(IS_LARGE));

    CHECK(hash && hash == hash_of(DOCUMENT(IS_LARGE)));
    CHECK(hash_of(NULL) == 0 && hash_of("{}") == 0 && hash_of("[]") == 0 && hash_of(DOCUMENT("{}")) == 0);
    const uint64_t other =
        hash_of(DOCUMENT(FUNCTION("is_large", "bool", P("amount", "i64") "," P("code", "u32"), RETURN("false"))));
    CHECK(other && other != hash); /* no snapshot of the one is taken for one of the other */
    CHECK(hash_of(DOCUMENT(FUNCTION("is_large", "bool", P("amount", "i32") "," P("code", "u32"), RETURN("false")))) ==
          0);
}
