/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
/* Bound statements with descriptors that are written by hand: every type there and back, and what is refused. */
#include "pg_fixture.h"
#include "postgres/statement.h"
#include "test.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

static const struct pg_patience forever = {UINT64_MAX, NULL, NULL};
static struct pg_pool *pool;

static struct pg_pool *the_pool(void)
{
    static bool tried;
    struct pg_failure f;

    if (tried)
        return pool;
    tried = true;
    const struct pg_pool_options options = {.conninfo = pg_fixture(NULL), .connections = 2};
    if (options.conninfo && pg_pool_open(&options, &pool, &f) < 0)
        exit(1);
    return pool;
}

static void execute(const char *sql)
{
    struct pg_link *link = NULL;
    struct pg_failure f = {0};

    if (pg_pool_pin(pool, &forever, &link, &f) < 0 || pg_link_exec(link, sql, &forever, NULL, &f) < 0) {
        printf("%s: %s\n", sql, f.text);
        exit(1);
    }
    pg_pool_unpin(pool, link, true);
}

/* The one value that `sql` selects, as text. */
static const char *ask(const char *sql)
{
    static char text[4096];
    struct pg_link *link = NULL;
    struct pg_failure f = {0};
    PGresult *result = NULL;

    if (pg_pool_pin(pool, &forever, &link, &f) < 0 || pg_link_exec(link, sql, &forever, &result, &f) < 0) {
        printf("%s: %s\n", sql, f.text);
        exit(1);
    }
    snprintf(text, sizeof(text), "%s", PQgetisnull(result, 0, 0) ? "NULL" : PQgetvalue(result, 0, 0));
    PQclear(result);
    pg_pool_unpin(pool, link, true);
    return text;
}

#define FIELD(S, member, T) {#member, T, offsetof(struct S, member), 0, 0, 0}
#define ARRAY(S, member, T, n) {#member, T, offsetof(struct S, member), n, 0, 0}
#define STRUCT(S, fields_)                                                                                             \
    {.name = #S,                                                                                                       \
     .kind = CELL_KIND_STRUCT,                                                                                         \
     .size = sizeof(struct S),                                                                                         \
     .align = 8,                                                                                                       \
     .nfields = sizeof(fields_) / sizeof(fields_[0]),                                                                  \
     .fields = fields_}

enum mood { SAD = -1, HAPPY = 7 };
static const struct cell_type mood_type = {"mood", CELL_KIND_ENUM, 4, 4, 0, NULL, &cell_type_i32};

struct inner {
    int32_t x;
    cell_str label;
    cell_opt_i32 maybe;
    uint64_t large;
    cell_bytes raw;
    cell_list_i32 numbers;
    uint8_t fixed[3];
    bool yes;
    double d;
};
static const struct cell_field inner_fields[] = {
    FIELD(inner, x, &cell_type_i32),         FIELD(inner, label, &cell_type_str),
    FIELD(inner, maybe, &cell_type_opt_i32), FIELD(inner, large, &cell_type_u64),
    FIELD(inner, raw, &cell_type_bytes),     FIELD(inner, numbers, &cell_type_list_i32),
    ARRAY(inner, fixed, &cell_type_u8, 3),   FIELD(inner, yes, &cell_type_bool),
    FIELD(inner, d, &cell_type_f64),
};
static const struct cell_type inner_type = STRUCT(inner, inner_fields);

struct all {
    int64_t id;
    bool b;
    int8_t i8;
    uint16_t u16;
    uint64_t u64;
    float f32;
    double f64;
    cell_str dec, text, uid_text, doc;
    cell_bytes raw;
    uint8_t uid[16], three[3];
    int32_t day;
    int64_t stamp;
    enum mood mood, mood_number;
    cell_list_i32 ints;
    int64_t two[2];
    cell_list_str words;
    struct inner inner;
    cell_opt_i32 age;
    cell_opt_str nick;
    float v[3];
};
static const struct cell_field all_fields[] = {
    FIELD(all, id, &cell_type_i64),        FIELD(all, b, &cell_type_bool),      FIELD(all, i8, &cell_type_i8),
    FIELD(all, u16, &cell_type_u16),       FIELD(all, u64, &cell_type_u64),     FIELD(all, f32, &cell_type_f32),
    FIELD(all, f64, &cell_type_f64),       FIELD(all, dec, &cell_type_str),     FIELD(all, text, &cell_type_str),
    FIELD(all, uid_text, &cell_type_str),  FIELD(all, doc, &cell_type_str),     FIELD(all, raw, &cell_type_bytes),
    ARRAY(all, uid, &cell_type_u8, 16),    ARRAY(all, three, &cell_type_u8, 3), FIELD(all, day, &cell_type_i32),
    FIELD(all, stamp, &cell_type_i64),     FIELD(all, mood, &mood_type),        FIELD(all, mood_number, &mood_type),
    FIELD(all, ints, &cell_type_list_i32), ARRAY(all, two, &cell_type_i64, 2),  FIELD(all, words, &cell_type_list_str),
    FIELD(all, inner, &inner_type),        FIELD(all, age, &cell_type_opt_i32), FIELD(all, nick, &cell_type_opt_str),
    ARRAY(all, v, &cell_type_f32, 3),
};
static const struct cell_type all_type = STRUCT(all, all_fields);
static const struct cell_type all_list = {"alls", CELL_KIND_LIST, 16, 8, 0, NULL, &all_type};

/* name, C field, type */
#define COLUMNS(X)                                                                                                     \
    X("id", "bigint", "")                                                                                              \
    X("b", "boolean", "")                                                                                              \
    X("i8", "smallint", "")                                                                                            \
    X("u16", "integer", "")                                                                                            \
    X("u64", "numeric(20,0)", "")                                                                                      \
    X("f32", "real", "")                                                                                               \
    X("f64", "double precision", "")                                                                                   \
    X("dec", "numeric", "")                                                                                            \
    X("text", "text", "")                                                                                              \
    X("uid_text", "uuid", "")                                                                                          \
    X("doc", "jsonb", "")                                                                                              \
    X("raw", "bytea", "")                                                                                              \
    X("uid", "uuid", "")                                                                                               \
    X("three", "bytea", "")                                                                                            \
    X("day", "date", "")                                                                                               \
    X("stamp", "timestamp with time zone", "")                                                                         \
    X("mood", "mood", ",\"enum\":{\"sad\":-1,\"happy\":7}")                                                            \
    X("mood_number", "integer", "")                                                                                    \
    X("ints", "integer[]", "")                                                                                         \
    X("two", "bigint[]", "")                                                                                           \
    X("words", "text[]", "")                                                                                           \
    X("inner", "jsonb", "")                                                                                            \
    X("age", "integer", "")                                                                                            \
    X("nick", "text", "")                                                                                              \
    X("v", "real[]", "")

#define DEFINE(name, type, more) ",\"" name "\" " type
#define NAME(name, type, more) ",\"" name "\""
#define IN_ROW(name, type, more) ",{\"from\":\"row." name "\",\"type\":\"" type "\"" more "}"
#define IN_LIST(name, type, more) ",{\"from\":\"rows." name "\",\"type\":\"" type "\"" more "}"
#define OUT_ROW(name, type, more) ",{\"to\":\"row." name "\",\"type\":\"" type "\"" more "}"
#define OUT_LIST(name, type, more) ",{\"to\":\"rows." name "\",\"type\":\"" type "\"" more "}"
#define REST(x) (&(x)[1]) /* without the first comma */

static const char *format(char *out, size_t size, const char *f, const char *a, const char *b, const char *c)
{
    if ((size_t)snprintf(out, size, f, a, b, c) >= size)
        exit(1);
    return out;
}

/* The string literal in JSON: only quotes have to be escaped. */
static const char *quoted(char *out, const char *sql)
{
    size_t n = 0;

    for (; *sql; sql++) {
        if (*sql == '"')
            out[n++] = '\\';
        out[n++] = *sql;
    }
    out[n] = '\0';
    return out;
}

static const struct cell_field row_in[] = {{"row", &all_type, 0, 0, CELL_FIELD_REF, 0}};
static const struct cell_field rows_in[] = {{"rows", &all_list, 0, 0, 0, 0}};
static const struct cell_field id_in[] = {{"id", &cell_type_i64, 0, 0, 0, 0}};
static const struct cell_field row_out[] = {{"row", &all_type, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};
static const struct cell_field rows_out[] = {{"rows", &all_list, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};
static const struct cell_field text_in[] = {{"text", &cell_type_str, 0, 0, 0, 0}};

static const struct cell_method insert_method = {.name = "insert", .in = row_in, .nin = 1, .in_size = 16};
static const struct cell_method many_method = {.name = "many", .in = rows_in, .nin = 1, .in_size = 16};
static const struct cell_method get_method = {
    .name = "get", .in = id_in, .nin = 1, .in_size = 8, .out = row_out, .nout = 1};
static const struct cell_method list_method = {.name = "list", .out = rows_out, .nout = 1};
static const struct cell_method id_method = {.name = "exec", .in = id_in, .nin = 1, .in_size = 8};
static const struct cell_method text_method = {.name = "text", .in = text_in, .nin = 1, .in_size = 16};

static int bind(const struct cell_method *m, const char *binding, struct pg_statement **s, struct pg_failure *f)
{
    *s = NULL;
    return pg_statement_bind(pool, m, binding, &forever, s, f);
}

static void create_all(void)
{
    execute("DROP TABLE IF EXISTS alls; DROP TYPE IF EXISTS mood; CREATE TYPE mood AS ENUM ('sad', 'happy')");
    char sql[4096];
    execute(format(sql, sizeof(sql), "CREATE TABLE alls(%s%s%s)", REST(COLUMNS(DEFINE)), "", ""));
}

static const char *values_list(void)
{
    static char text[256];
    size_t n = 0;

    for (int i = 1; i <= 25; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s$%d", i > 1 ? "," : "", i);
    return text;
}

static const char *insert_binding(const char *op, const char *parts, const char *copy)
{
    static char text[8192];
    char sql[4096], escaped[4096], head[4600];

    format(sql, sizeof(sql), "INSERT INTO alls(%s) VALUES (%s)%s", REST(COLUMNS(NAME)), values_list(), "");
    format(head, sizeof(head), "{\"v\":1,\"op\":\"%s\",\"write\":true,\"sql\":\"%s\"%s", op, quoted(escaped, sql),
           copy);
    return format(text, sizeof(text), "%s,\"in\":[%s]%s", head, parts, "}");
}

static const char *select_binding(const char *op, const char *where, const char *in, const char *out)
{
    static char text[8192];
    char sql[4096], escaped[4096], head[4600];

    format(sql, sizeof(sql), "SELECT %s FROM alls %s%s", REST(COLUMNS(NAME)), where, "");
    format(head, sizeof(head), "{\"v\":1,\"op\":\"%s\",\"table\":\"alls\",\"sql\":\"%s\",\"in\":[%s]", op,
           quoted(escaped, sql), in);
    return format(text, sizeof(text), "%s,\"out\":[%s]%s", head, out, "}");
}

static struct all sample(void)
{
    static const int32_t ints[] = {1, -2, 3}, numbers[] = {4};
    static const cell_str words[] = {{"a", 1}, {"", 0}, {"\xc3\xa4 b", 4}};

    return (struct all){
        .id = 1,
        .b = true,
        .i8 = -128,
        .u16 = 65535,
        .u64 = UINT64_MAX,
        .f32 = 1.5f,
        .f64 = 0.1,
        .dec = cell_strz("-12345678901234567890.000123400"),
        .text = cell_strz("J\xc3\xbcrgen"),
        .uid_text = cell_strz("00112233-4455-6677-8899-aabbccddeeff"),
        .doc = cell_strz("{\"a\": [1, 2]}"),
        .raw = {(const uint8_t *)"\0\1\xff", 3},
        .uid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
        .three = {7, 8, 9},
        .day = 19358,
        .stamp = INT64_C(1672531200123456),
        .mood = SAD,
        .mood_number = HAPPY,
        .ints = {ints, 3},
        .two = {INT64_MIN, INT64_MAX},
        .words = {words, 3},
        .inner = {.x = -5,
                  .label = cell_strz("q\"\\\n\xe2\x82\xac"),
                  .large = UINT64_MAX,
                  .raw = {(const uint8_t *)"hello", 5},
                  .numbers = {numbers, 1},
                  .fixed = {1, 2, 3},
                  .yes = true,
                  .d = 0.1},
        .age = CELL_SOME(36),
        .v = {0.5f, -1, 2},
    };
}

static bool same_str(cell_str a, const char *b) { return a.len == strlen(b) && memcmp(a.ptr, b, a.len) == 0; }

static void check_sample(const struct all *a)
{
    const struct all s = sample();

    CHECK(a->id == 1 && a->b && a->i8 == -128 && a->u16 == 65535 && a->u64 == UINT64_MAX);
    CHECK(a->f32 == s.f32 && a->f64 == s.f64);
    CHECK(same_str(a->dec, s.dec.ptr) && same_str(a->text, s.text.ptr) && same_str(a->uid_text, s.uid_text.ptr));
    CHECK(same_str(a->doc, s.doc.ptr));
    CHECK(a->raw.len == 3 && memcmp(a->raw.ptr, s.raw.ptr, 3) == 0);
    CHECK(memcmp(a->uid, s.uid, 16) == 0 && memcmp(a->three, s.three, 3) == 0);
    CHECK(a->day == s.day && a->stamp == s.stamp && a->mood == SAD && a->mood_number == HAPPY);
    CHECK(a->ints.len == 3 && memcmp(a->ints.ptr, s.ints.ptr, 12) == 0);
    CHECK(a->two[0] == INT64_MIN && a->two[1] == INT64_MAX);
    CHECK(a->words.len == 3 && same_str(a->words.ptr[0], "a") && a->words.ptr[1].len == 0 &&
          same_str(a->words.ptr[2], "\xc3\xa4 b"));
    CHECK(a->inner.x == -5 && same_str(a->inner.label, s.inner.label.ptr) && !a->inner.maybe.has);
    CHECK(a->inner.large == UINT64_MAX && a->inner.raw.len == 5 && memcmp(a->inner.raw.ptr, "hello", 5) == 0);
    CHECK(a->inner.numbers.len == 1 && a->inner.numbers.ptr[0] == 4 && a->inner.fixed[2] == 3 && a->inner.yes &&
          a->inner.d == 0.1);
    CHECK(a->age.has && a->age.value == 36 && !a->nick.has);
    CHECK(a->v[0] == 0.5f && a->v[1] == -1 && a->v[2] == 2);
}

TEST(every_type_arrives_and_comes_back)
{
    if (!the_pool())
        return;
    CELL_CTX(c);
    struct pg_statement *insert, *get;
    struct pg_failure f;
    struct all row = sample(), got = {0};
    const struct cell_ref in = {&row, 1};
    void *const out[] = {&got};

    create_all();
    int r = bind(&insert_method, insert_binding("exec", REST(COLUMNS(IN_ROW)), ""), &insert, &f);
    if (r < 0)
        printf("%s\n", f.text);
    REQUIRE(r == CELL_OK);
    CHECK(pg_statement_run(insert, c, NULL, &in, NULL, &f) == 1);
    CHECK_STR(ask("SELECT i8 || ' ' || u16 || ' ' || u64 || ' ' || f32 || ' ' || f64 || ' ' || dec FROM alls"),
              "-128 65535 18446744073709551615 1.5 0.1 -12345678901234567890.000123400");
    CHECK_STR(
        ask("SELECT uid || ' ' || day || ' ' || stamp || ' ' || mood || ' ' || ints::text || words::text FROM alls"),
        "01020304-0506-0708-090a-0b0c0d0e0f10 2023-01-01 2023-01-01 00:00:00.123456+00 sad {1,-2,3}{a,\"\",\"\xc3\xa4 "
        "b\"}");
    CHECK_STR(ask("SELECT (\"inner\"->'large')::text || (\"inner\"->>'raw') || (nick IS NULL)::text FROM alls"),
              "\"18446744073709551615\"aGVsbG8=true");
    r = bind(&get_method,
             select_binding("row", "WHERE id=$1", "{\"from\":\"id\",\"type\":\"bigint\"}", REST(COLUMNS(OUT_ROW))),
             &get, &f);
    if (r < 0)
        printf("%s\n", f.text);
    REQUIRE(r == CELL_OK);
    CHECK(pg_statement_run(get, c, NULL, &(int64_t){1}, out, &f) == CELL_OK);
    check_sample(&got);
    CHECK(pg_statement_run(get, c, NULL, &(int64_t){2}, out, &f) == CELL_NOT_FOUND);
    CHECK_STR(f.text, "there is no such row in 'alls'");
    pg_statement_free(insert);
    pg_statement_free(get);
}

TEST(many_rows_go_through_copy_and_come_back_as_a_list)
{
    if (!the_pool())
        return;
    CELL_CTX(c);
    struct pg_statement *many, *one_by_one, *list;
    struct pg_failure f;
    enum { N = 300 };
    static struct all rows[N];
    struct {
        const struct all *ptr;
        uint64_t len;
    } in = {rows, N}, got = {0};
    void *const out[] = {&got};
    char copy[2048], escaped[2048], sql[2048];

    create_all();
    for (int i = 0; i < N; i++) {
        rows[i] = sample();
        rows[i].id = i + 1;
    }
    format(sql, sizeof(sql), "COPY alls(%s) FROM STDIN (FORMAT binary)%s%s", REST(COLUMNS(NAME)), "", "");
    format(copy, sizeof(copy), ",\"copy\":\"%s\"%s%s", quoted(escaped, sql), "", "");
    int r = bind(&many_method, insert_binding("many", REST(COLUMNS(IN_LIST)), copy), &many, &f);
    REQUIRE(r == CELL_OK);
    CHECK(pg_statement_run(many, c, NULL, &in, NULL, &f) == N);
    REQUIRE(bind(&many_method, insert_binding("many", REST(COLUMNS(IN_LIST)), ""), &one_by_one, &f) == CELL_OK);
    CHECK(pg_statement_run(one_by_one, c, NULL, &in, NULL, &f) == N);
    CHECK_STR(ask("SELECT count(*) FROM alls"), "600");
    REQUIRE(bind(&list_method, select_binding("rows", "WHERE id = 1", "", REST(COLUMNS(OUT_LIST))), &list, &f) ==
            CELL_OK);
    CHECK(pg_statement_run(list, c, NULL, NULL, out, &f) == CELL_OK && got.len == 2);
    check_sample(&got.ptr[1]);
    /* All or nothing. */
    execute("TRUNCATE alls; CREATE UNIQUE INDEX ON alls(id)");
    rows[N - 1].id = 1;
    CHECK(pg_statement_run(many, c, NULL, &in, NULL, &f) == CELL_ALREADY_EXISTS);
    CHECK_STR(f.text, "id already exists");
    CHECK(pg_statement_run(one_by_one, c, NULL, &in, NULL, &f) == CELL_ALREADY_EXISTS);
    rows[N - 1].id = N;
    rows[N - 1].dec = cell_strz("1x");
    CHECK(pg_statement_run(many, c, NULL, &in, NULL, &f) == CELL_INVALID_ARGUMENT);
    CHECK_STR(f.text, "dec is no decimal number");
    CHECK_STR(ask("SELECT count(*) FROM alls"), "0");
    pg_statement_free(many);
    pg_statement_free(one_by_one);
    pg_statement_free(list);
}

TEST(what_a_column_cannot_hold_is_refused_by_name)
{
    if (!the_pool())
        return;
    CELL_CTX(c);
    struct pg_statement *insert;
    struct pg_failure f;
    struct all row = sample();
    const struct cell_ref in = {&row, 1};

    create_all();
    REQUIRE(bind(&insert_method, insert_binding("exec", REST(COLUMNS(IN_ROW)), ""), &insert, &f) == CELL_OK);
#define REFUSED(change, status, text_)                                                                                 \
    row = sample();                                                                                                    \
    change;                                                                                                            \
    CHECK(pg_statement_run(insert, c, NULL, &in, NULL, &f) == (status));                                               \
    CHECK_STR(f.text, text_)
    REFUSED(row.text = ((cell_str){"a\0b", 3}), CELL_INVALID_ARGUMENT,
            "text has a NUL in it, which no text of the database can have");
    REFUSED(row.dec = cell_strz("1e5"), CELL_INVALID_ARGUMENT, "dec is no decimal number");
    REFUSED(row.dec = cell_strz(""), CELL_INVALID_ARGUMENT, "dec is no decimal number");
    REFUSED(row.uid_text = cell_strz("00112233-4455-6677-8899-aabbccddeefg"), CELL_INVALID_ARGUMENT,
            "uid_text is no UUID");
    REFUSED(row.day = INT32_MIN, CELL_OUT_OF_RANGE, "day is out of the range of its column");
    REFUSED(row.stamp = INT64_MIN, CELL_OUT_OF_RANGE, "stamp is out of the range of its column");
    REFUSED(row.mood = (enum mood)3, CELL_INVALID_ARGUMENT, "mood is none of its values");
    REFUSED(row.inner.d = INFINITY, CELL_INVALID_ARGUMENT, "inner has a value that JSON cannot hold");
    pg_statement_free(insert);
}

TEST(what_a_field_cannot_hold_is_data_loss_by_name)
{
    if (!the_pool())
        return;
    CELL_CTX(c);
    struct pg_statement *insert, *get;
    struct pg_failure f;
    struct all row = sample(), got = {0};
    const struct cell_ref in = {&row, 1};
    void *const out[] = {&got};
    static const struct {
        const char *set, *text;
    } cases[] = {
        {"i8 = 128", "i8: the value in the database is out of the range of the field"},
        {"u16 = -1", "u16: the value in the database is out of the range of the field"},
        {"u64 = -1", "u64: the value in the database is out of the range of the field"},
        {"text = NULL", "text is NULL in the database, and the field is not optional"},
        {"day = 'infinity'", "day: the date in the database is infinity"},
        {"stamp = '-infinity'", "stamp: the time in the database is infinity"},
        {"ints = '{1,NULL}'", "ints: the array in the database has a NULL in it"},
        {"ints = '{{1},{2}}'", "ints: the array in the database has several dimensions"},
        {"two = '{1}'", "two: 1 elements are in the database, and not 2"},
        {"three = '\\x0102'", "three: 2 bytes are in the database, and not 3"},
        {"\"inner\" = '{\"x\": 3000000000}'", "inner: the JSON in the database is not of the struct's form"},
        {"\"inner\" = '[]'", "inner: the JSON in the database is not of the struct's form"},
    };

    create_all();
    REQUIRE(bind(&insert_method, insert_binding("exec", REST(COLUMNS(IN_ROW)), ""), &insert, &f) == CELL_OK);
    REQUIRE(bind(&get_method,
                 select_binding("row", "WHERE id=$1", "{\"from\":\"id\",\"type\":\"bigint\"}", REST(COLUMNS(OUT_ROW))),
                 &get, &f) == CELL_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char sql[256];
        execute("TRUNCATE alls");
        CHECK(pg_statement_run(insert, c, NULL, &in, NULL, &f) == 1);
        execute(format(sql, sizeof(sql), "UPDATE alls SET %s%s%s", cases[i].set, "", ""));
        CHECK(pg_statement_run(get, c, NULL, &(int64_t){1}, out, &f) == CELL_DATA_LOSS);
        CHECK_STR(f.text, cases[i].text);
    }
    pg_statement_free(insert);
    pg_statement_free(get);
}

TEST(numbers_of_any_length_come_back_as_they_were_written)
{
    if (!the_pool())
        return;
    CELL_CTX(c);
    static const struct cell_field text_out[] = {{"n", &cell_type_str, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};
    static const struct cell_method echo = {
        .name = "echo", .in = text_in, .nin = 1, .in_size = 16, .out = text_out, .nout = 1};
    static const char *const numbers[] = {"0",
                                          "1",
                                          "-1",
                                          "10000",
                                          "9999",
                                          "10001",
                                          "0.0001",
                                          "0.00001",
                                          "0.10",
                                          "-0.5",
                                          "123456789.987654321",
                                          "100000000000000000000",
                                          "0.000000000000000000001",
                                          "12340000.00005678",
                                          "NaN",
                                          "0.000",
                                          "99999999.9999"};
    struct pg_statement *s;
    struct pg_failure f;
    cell_str got;
    void *const out[] = {&got};

    REQUIRE(
        bind(&echo,
             "{\"v\":1,\"op\":\"row\",\"sql\":\"SELECT $1::numeric\",\"in\":[{\"from\":\"text\",\"type\":\"numeric\"}],"
             "\"out\":[{\"to\":\"n\",\"type\":\"numeric\"}]}",
             &s, &f) == CELL_OK);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const cell_str in = cell_strz(numbers[i]);
        REQUIRE(pg_statement_run(s, c, NULL, &in, out, &f) == CELL_OK);
        CHECK_STR(got.ptr, numbers[i]);
    }
    pg_statement_free(s);
}

TEST(tables_that_are_behind_the_program_are_refused)
{
    if (!the_pool())
        return;
    struct pg_statement *s;
    struct pg_failure f;

    execute("DROP TABLE IF EXISTS behind; CREATE TABLE behind(id bigint, age bigint)");
    CHECK(bind(&id_method,
               "{\"v\":1,\"op\":\"exec\",\"table\":\"behind\",\"sql\":\"DELETE FROM behind WHERE behind.\\\"agee\\\" = "
               "$1\","
               "\"in\":[{\"from\":\"id\",\"type\":\"bigint\"}]}",
               &s, &f) == CELL_FAILED_PRECONDITION);
    CHECK_STR(f.text, "table 'behind' has no column 'agee': it is behind this program; run 'cell migrate'");
    CHECK(bind(&id_method,
               "{\"v\":1,\"op\":\"exec\",\"sql\":\"DELETE FROM nowhere WHERE id = $1\","
               "\"in\":[{\"from\":\"id\",\"type\":\"bigint\"}]}",
               &s, &f) == CELL_FAILED_PRECONDITION);
    CHECK_STR(f.text, "there is no table 'nowhere': the database is behind this program; run 'cell migrate'");
    CHECK(bind(&text_method,
               "{\"v\":1,\"op\":\"exec\",\"table\":\"behind\",\"sql\":\"SELECT age FROM behind WHERE "
               "$1 = 'x'\",\"in\":[{\"from\":\"text\",\"type\":\"text\"}]}",
               &s, &f) == CELL_INVALID_ARGUMENT);
    CHECK(bind(&list_method,
               "{\"v\":1,\"op\":\"rows\",\"table\":\"behind\",\"sql\":\"SELECT age FROM behind\","
               "\"out\":[{\"to\":\"rows.age\",\"type\":\"integer\"}]}",
               &s, &f) == CELL_FAILED_PRECONDITION);
    CHECK(strstr(f.text, "table 'behind': age is of another type") != NULL);
}

TEST(a_table_that_changes_while_the_program_runs_is_noticed)
{
    if (!the_pool())
        return;
    CELL_CTX(c);
    struct pg_statement *s;
    struct pg_failure f;
    struct {
        const struct all *ptr;
        uint64_t len;
    } got;
    void *const out[] = {&got};

    execute("DROP TABLE IF EXISTS moving; CREATE TABLE moving(age int); INSERT INTO moving VALUES (5)");
    REQUIRE(bind(&list_method,
                 "{\"v\":1,\"op\":\"rows\",\"table\":\"moving\",\"sql\":\"SELECT age FROM moving\","
                 "\"out\":[{\"to\":\"rows.age\",\"type\":\"integer\"}]}",
                 &s, &f) == CELL_OK);
    CHECK(pg_statement_run(s, c, NULL, NULL, out, &f) == CELL_OK && got.len == 1 && got.ptr[0].age.value == 5);
    execute("ALTER TABLE moving ADD COLUMN other int");
    CHECK(pg_statement_run(s, c, NULL, NULL, out, &f) == CELL_OK && got.len == 1);
    execute("ALTER TABLE moving ALTER age TYPE real");
    CHECK(pg_statement_run(s, c, NULL, NULL, out, &f) == CELL_FAILED_PRECONDITION);
    CHECK(strstr(f.text, "table 'moving' was changed") != NULL);
    pg_statement_free(s);
}

TEST(hostile_bindings_are_refused)
{
    if (!the_pool())
        return;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"v\":2}",
        "{\"v\":1,\"op\":\"drop\"}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"BEGIN\"}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"/* select */ COMMIT\"}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SET search_path = x\"}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"COPY t FROM STDIN\"}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SELECT 1; COMMIT\",\"in\":[]}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SELECT $1::bigint\",\"in\":[{\"from\":\"no\",\"type\":\"bigint\"}]}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SELECT $1::bigint\",\"in\":[{\"from\":\"id.x\",\"type\":\"bigint\"}]}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SELECT $1::bigint\",\"in\":[{\"from\":\"id\",\"type\":\"text\"}]}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SELECT $1::bigint\",\"in\":[{\"from\":\"id\",\"type\":\")\"}]}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SELECT $1::bigint\",\"in\":{\"from\":\"id\"}}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SELECT $1::bigint\",\"in\":[]}",
        "{\"v\":1,\"op\":\"row\",\"sql\":\"SELECT 1\",\"out\":[{\"to\":\"id\",\"type\":\"integer\"}]}",
        "{\"v\":1,\"op\":\"stream\",\"sql\":\"SELECT 1\",\"out\":[{\"to\":\"id\",\"type\":\"integer\"}]}",
        "{\"v\":1,\"op\":\"load\",\"sql\":\"INSERT INTO t VALUES (1)\"}",
        "{\"v\":1,\"op\":\"many\",\"sql\":\"INSERT INTO t VALUES (1)\",\"copy\":\"COPY t FROM '/etc/passwd'\"}",
        "{\"v\":1,\"op\":\"many\",\"sql\":\"INSERT INTO t VALUES (1)\",\"copy\":\"COPY t FROM PROGRAM 'id'\"}",
        "{\"v\":1,\"op\":\"many\",\"sql\":\"INSERT INTO t VALUES (1)\",\"copy\":\"COPY t TO STDOUT; COPY t FROM "
        "STDIN\"}",
    };
    struct pg_statement *s;
    struct pg_failure f;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int r = bind(&id_method, bad[i], &s, &f);
        if (r >= 0)
            printf("%s\n", bad[i]);
        CHECK(r < 0 && !s && f.text[0]);
    }
}

TEST(the_end) { pg_pool_close(pool); }
