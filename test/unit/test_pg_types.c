/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* C types and PostgreSQL types, both ways. */
// LIBS: cell_postgres_sanitized
#include "pg_build.h"
#include "postgres/codec.h"
#include "postgres/sql.h"
#include "postgres/types_parts.h"

static struct pg_arena arena;

static const char *printed(const char *text)
{
    struct pg_type_use t;
    char why[128];
    return pg_type_parse(&arena, text, &t, why) < 0 ? why[0] ? "refused" : "no reason" : pg_type_name(&arena, &t);
}

TEST(what_is_no_number_is_no_numeric_also_where_there_is_no_text)
{
    static const char *const bad[] = {"", "-", ".", "-.", "1.2.3", "1e3", "NaN ", "0x1", " 1"};
    struct pg_encoded value;

    CHECK(pg_numeric_from_text(NULL, 0, &arena, &value) == CELL_INVALID_ARGUMENT);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(pg_numeric_from_text(bad[i], strlen(bad[i]), &arena, &value) == CELL_INVALID_ARGUMENT);
    CHECK(pg_numeric_from_text("-1.", 3, &arena, &value) == CELL_OK && value.length == 10);
    pg_arena_free(&arena);
}

TEST(names_of_types_are_printed_as_format_type_does)
{
    static const char *const pairs[][2] = {{"int", "integer"},
                                           {"INT8", "bigint"},
                                           {"pg_catalog.int4", "integer"},
                                           {"float", "double precision"},
                                           {"float(24)", "real"},
                                           {"double precision", "double precision"},
                                           {"varchar(20)", "character varying(20)"},
                                           {"character varying", "character varying"},
                                           {"char", "character(1)"},
                                           {"char(3)", "character(3)"},
                                           {"bpchar", "bpchar"},
                                           {"decimal(12,2)", "numeric(12,2)"},
                                           {"numeric(12)", "numeric(12,0)"},
                                           {"numeric(3,-2)", "numeric(3,-2)"},
                                           {"timestamptz", "timestamp with time zone"},
                                           {"timestamp(3) with time zone", "timestamp(3) with time zone"},
                                           {"time", "time without time zone"},
                                           {"time(0) without time zone", "time(0) without time zone"},
                                           {"text[]", "text[]"},
                                           {"int[3][3]", "integer[]"},
                                           {"integer array", "integer[]"},
                                           {"timestamp with time zone[]", "timestamp with time zone[]"},
                                           {"bit varying(5)", "bit varying(5)"},
                                           {"vector(3)", "vector(3)"},
                                           {"public.vector(3)", "vector(3)"},
                                           {"mood", "mood"},
                                           {"app.Mood", "app.mood"},
                                           {"\"Mood\"", "\"Mood\""},
                                           {"\"order\"", "\"order\""},
                                           {"\"char\"", "\"char\""},
                                           {"geometry(1,4326)", "geometry(1,4326)"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        CHECK_STR(printed(pairs[i][0]), pairs[i][1]);
        CHECK_STR(printed(pairs[i][1]), pairs[i][1]); /* and it is read again as the same */
    }
    static const char *const bad[] = {"",          "int(3)",    "varchar(x)", "varchar(1,2)", "a b",
                                      "serial",    "a.b.c",     "text[",      "'text'",       "text; x",
                                      "float(99)", "numeric(1", "1",          "text)",        "varchar()"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_STR(printed(bad[i]), "refused");
    pg_arena_free(&arena);
}

TEST(types_are_equal_by_what_they_say)
{
    struct pg_type_use a, b;
    pg_type_parse(&arena, "mood", &a, NULL);
    pg_type_parse(&arena, "app.mood", &b, NULL);
    CHECK(pg_type_equal(&a, &b)); /* the one that the search path finds */
    pg_type_parse(&arena, "other.mood", &a, NULL);
    CHECK(!pg_type_equal(&a, &b));
    pg_type_parse(&arena, "varchar(3)", &a, NULL);
    pg_type_parse(&arena, "varchar(4)", &b, NULL);
    CHECK(!pg_type_equal(&a, &b));
    pg_arena_free(&arena);
}

/* "type codec check", or "refused: why". */
static const char *mapped(const char *c, const char *sql_type, enum pg_extension vector)
{
    static const char *const codecs[] = {
#define NAME(symbol, meaning) #symbol,
        PG_CODEC_MAP(NAME)
#undef NAME
    };
    struct pg_model catalog = {.vector = vector, .default_schema = "public"};
    json_t *list = pg_build_types();
    struct pg_types types = {list, &catalog};
    struct pg_ctype ctype;
    struct pg_mapping m;
    char why[256] = "";
    int r = pg_ctype_parse(&arena, &types, c, &ctype, why);
    if (r >= 0)
        r = pg_map_field(&arena, &types, &ctype, sql_type, "c", &m, why);
    json_decref(list);
    if (r < 0)
        return pg_printf(&arena, "refused: %s", why);
    return pg_printf(&arena, "%s %s%s%s", pg_type_name(&arena, &m.type), codecs[m.codec], m.check ? " " : "",
                     m.check ? m.check : "");
}

TEST(every_c_type_has_a_column)
{
    static const char *const rows[][3] = {
        {"bool", NULL, "boolean BOOL"},
        {"i8", NULL, "smallint INTEGER \"c\" BETWEEN -128 AND 127"},
        {"u8", NULL, "smallint INTEGER \"c\" BETWEEN 0 AND 255"},
        {"i16", NULL, "smallint INTEGER"},
        {"u16", NULL, "integer INTEGER \"c\" BETWEEN 0 AND 65535"},
        {"i32", NULL, "integer INTEGER"},
        {"u32", NULL, "bigint INTEGER \"c\" BETWEEN 0 AND 4294967295"},
        {"i64", NULL, "bigint INTEGER"},
        {"u64", NULL, "numeric(20,0) NUMERIC_INTEGER \"c\" BETWEEN 0 AND 18446744073709551615"},
        {"u64", "bigint", "bigint INTEGER 0 <= \"c\""},
        {"i32", "bigint", "bigint INTEGER \"c\" BETWEEN -2147483648 AND 2147483647"},
        {"i64", "int", "integer INTEGER"},
        {"f32", NULL, "real FLOAT"},
        {"f64", NULL, "double precision FLOAT"},
        {"f64", "real", "real FLOAT"},
        {"str", NULL, "text TEXT"},
        {"str", "varchar(20)", "character varying(20) TEXT"},
        {"str", "numeric(12,2)", "numeric(12,2) NUMERIC_TEXT"},
        {"str", "uuid", "uuid UUID_TEXT"},
        {"str", "jsonb", "jsonb JSONB_TEXT"},
        {"str", "json", "json TEXT"},
        {"str", "inet", "inet TEXT_FORM"},
        {"str", "citext", "citext TEXT"},
        {"bytes", NULL, "bytea BYTES"},
        {"u8[16]", NULL, "bytea BYTES octet_length(\"c\") = 16"},
        {"u8[16]", "uuid", "uuid UUID"},
        {"list<u8>", NULL, "bytea BYTES"},
        {"i32", "date", "date DATE"},
        {"i64", "timestamptz", "timestamp with time zone TIMESTAMP"},
        {"i64", "timestamp", "timestamp without time zone TIMESTAMP"},
        {"i64", "time", "time without time zone TIME"},
        {"mood", NULL, "smallint INTEGER \"c\" IN (0, 1, 2)"},
        {"mood", "mood", "mood ENUM_LABEL"},
        {"opt_mood", NULL, "smallint INTEGER \"c\" IN (0, 1, 2)"},
        {"mood[2]", NULL, "smallint[] INTEGER cardinality(\"c\") = 2 AND \"c\" <@ ARRAY[0, 1, 2]::smallint[]"},
        {"point", NULL, "jsonb JSON_STRUCT"},
        {"point", "json", "json JSON_STRUCT"},
        {"points", NULL, "jsonb JSON_STRUCT"},
        {"point[3]", NULL, "jsonb JSON_STRUCT jsonb_array_length(\"c\") = 3"},
        {"list<i64>", NULL, "bigint[] INTEGER"},
        {"list<u16>", NULL, "integer[] INTEGER 0 <= ALL (\"c\") AND 65535 >= ALL (\"c\")"},
        {"list<str>", "uuid[]", "uuid[] UUID_TEXT"},
        {"str[2]", NULL, "text[] TEXT cardinality(\"c\") = 2"},
        {"f32[3]", NULL, "real[] FLOAT cardinality(\"c\") = 3"},
        {"list<f32>", "vector(3)", "vector(3) VECTOR"},
        {"opt<i32>", NULL, "integer INTEGER"},
        {"opt<str>", "timestamptz", "timestamp with time zone TEXT_FORM"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_STR(mapped(rows[i][0], rows[i][1], PG_EXTENSION_NONE), rows[i][2]);
    CHECK_STR(mapped("f32[3]", NULL, PG_EXTENSION_INSTALLED), "vector(3) VECTOR");
    CHECK_STR(mapped("f32[3]", "real[]", PG_EXTENSION_INSTALLED), "real[] FLOAT cardinality(\"c\") = 3");
    pg_arena_free(&arena);
}

TEST(pairs_that_lose_something_are_refused_with_what_fits)
{
    static const char *const rows[][3] = {
        {"f32", "float8", "refused: a field of type f32 cannot hold every value of type double precision: f64 can"},
        {"f64", "numeric(10,2)", "refused: a field of type f64 cannot hold every value of type numeric(10,2): str can"},
        {"i32", "timestamptz",
         "refused: a field of type i32 cannot hold every value of type timestamp with time zone: i64 can"},
        {"i64", "text", "refused: a field of type i64 cannot hold every value of type text: str can"},
        {"bool", "int", "refused: a field of type bool cannot hold every value of type integer: i32 can"},
        {"i64", "numeric", "refused: a field of type i64 cannot hold every value of type numeric: str can"},
        {"opt<i32>", "text", "refused: a field of type opt<i32> cannot hold every value of type text: opt<str> can"},
        {"u8[8]", "uuid", "refused: a field of type u8[8] cannot hold every value of type uuid: u8[16] can"},
        {"f32[3]", "vector(4)",
         "refused: a field of type f32[3] cannot hold every value of type vector(4): list<f32> can"},
        {"i64", "bigint[]", "refused: a field of type i64 cannot hold every value of type bigint[]: list<i64> can"},
        {"str", "textt", "refused: unknown type 'textt'; did you mean 'text'?"},
        {"i64", "bigintt", "refused: unknown type 'bigintt'; did you mean 'bigint'?"},
        {"str", "a b", "refused: 'a b' is no name of a type: something stands behind it"},
        {"thing", NULL, "refused: 'thing' is no type that this request describes"},
        {"i32[0]", NULL, "refused: 'i32[0]' is no type that this request describes"},
        {"list<point>", NULL, "refused: 'list<point>' is no type that this request describes"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_STR(mapped(rows[i][0], rows[i][1], PG_EXTENSION_NONE), rows[i][2]);
    pg_arena_free(&arena);
}

TEST(labels_are_what_enumerators_do_not_share)
{
    json_t *list = pg_build_types();
    struct pg_types types = {list, NULL};
    struct pg_ctype c;
    char why[256];
    REQUIRE(pg_ctype_parse(&arena, &types, "opt_mood", &c, why) == 0);
    CHECK(c.optional && c.nvalues == 3 && c.integer == PG_C_U8);
    CHECK_STR(c.wrapper, "opt_mood");
    CHECK_STR(c.tag, "mood");
    CHECK_STR(c.values[0].label, "sad");
    CHECK_STR(c.values[2].number, "2");
    json_decref(list);
    pg_arena_free(&arena);
}

/* The labels that the enumerators have beside those that are there, "sad glad"; behind them, when it is not the one
 * that all have, the prefix. */
static const char *kept(const char *enumerators, const char *there)
{
    const char *names[8];
    struct pg_cvalue values[8];
    struct pg_enum e = {.name = "mood", .labels = names};
    struct pg_text text = {.arena = &arena};
    char part[64];
    uint32_t n = 0;

    while (pg_build_part(&there, ' ', part))
        names[e.n++] = pg_strdup(&arena, part);
    while (pg_build_part(&enumerators, ' ', part))
        values[n++] = (struct pg_cvalue){.name = pg_strdup(&arena, part)};
    const char *prefix = NULL;
    bool common = pg_enum_keep_labels(&arena, values, n, &e, &prefix);
    for (uint32_t i = 0; i < n; i++)
        pg_putf(&text, "%s%s", i ? " " : "", values[i].label);
    if (!common)
        pg_putf(&text, ", '%s'", prefix);
    return text.data;
}

TEST(labels_that_are_there_stay_when_the_enumerators_have_something_else_in_common)
{
    static const char *const rows[][3] = {
        {"MOOD_SAD MOOD_GLAD", "sad glad", "sad glad"},
        {"MOOD_SAD MOOD_GLAD MOOD_X_NEW", "sad glad", "sad glad x_new"},
        {"MOOD_SAD MOOD_GLAD FEELING_NONE", "sad glad", "sad glad feeling_none, 'MOOD_'"},
        {"MOOD_X_A MOOD_X_B MOOD_Y", "a b", "a b y, 'MOOD_X_'"},
        {"MOOD_X_A MOOD_X_B MOOD_Y MOOD_Z MOOD_U", "a b y z", "a b y z u, 'MOOD_X_'"},
        {"MOOD_X_A MOOD_X_B MOOD_A", "a b", "a b mood_a, 'MOOD_X_'"},
        {"MOOD_SAD MOOD_GLAD", "mood_sad", "mood_sad mood_glad, ''"},
        {"MOOD_SAD", "sad glad", "sad, 'MOOD_'"},
        {"MOOD_X_SAD MOOD_X_GLAD", "x_sad x_glad", "x_sad x_glad, 'MOOD_'"},
        /* Others than those that are there are others. */
        {"MOOD_SAD MOOD_VERY_GLAD", "sad glad", "sad very_glad"},
        {"MOOD_SAD MOOD_GLAD", "", "sad glad"},
        {"MOOD_SAD MOOD_GLAD", "Sad other", "sad glad"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_STR(kept(rows[i][0], rows[i][1]), rows[i][2]);
    pg_arena_free(&arena);
}

TEST(a_column_has_a_c_type_that_holds_all_its_values)
{
    static const char *const rows[][3] = {{"boolean", "bool", "opt<bool>"},
                                          {"smallint", "i16", "opt<i16>"},
                                          {"integer", "i32", "opt<i32>"},
                                          {"bigint", "i64", "opt<i64>"},
                                          {"real", "f32", "opt<f32>"},
                                          {"float8", "f64", "opt<f64>"},
                                          {"numeric(10,2)", "str", "opt<str>"},
                                          {"varchar(3)", "str", "opt<str>"},
                                          {"bytea", "bytes", "opt<bytes>"},
                                          {"uuid", "u8[16]", "opt<str>"},
                                          {"date", "i32", "opt<i32>"},
                                          {"timestamptz", "i64", "opt<i64>"},
                                          {"jsonb", "str", "opt<str>"},
                                          {"int[]", "list<i32>", "opt<str>"},
                                          {"uuid[]", "list<str>", "opt<str>"},
                                          {"inet[]", "str", "opt<str>"},
                                          {"vector(3)", "list<f32>", "opt<str>"},
                                          {"interval", "str", "opt<str>"},
                                          {"mood", "str", "opt<str>"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int nullable = 0; nullable < 2; nullable++) {
            struct pg_type_use type;
            struct pg_ctype c, again;
            enum pg_codec codec, other;
            char why[256];
            REQUIRE(pg_type_parse(&arena, rows[i][0], &type, NULL) == 0);
            CHECK_STR(pg_ctype_for(&arena, &type, nullable, &c, &codec), rows[i][1 + nullable]);
            /* and the way there agrees with the way back */
            REQUIRE(pg_ctype_parse(&arena, NULL, c.text, &again, why) == 0);
            CHECK(again.kind == c.kind && again.list == c.list && again.optional == c.optional &&
                  again.count == c.count);
            CHECK(pg_map_existing(&arena, NULL, &again, &type, &other, why) == 0 && other == codec);
        }
    }
    pg_arena_free(&arena);
}
