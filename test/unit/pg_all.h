/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A struct with a field of every kind, its table, and bindings for both: for tests of bound statements. */
#ifndef TEST_PG_ALL_H
#define TEST_PG_ALL_H

#include "pg_pool.h"
#include "postgres/statement.h"
#include "test.h"

#include <stdbool.h>
#include <stddef.h>

static struct pg_pool *the_pool(void) { return pool_of(2); }

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
static inline const char *ask(const char *sql)
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

static inline const char *format(char *out, size_t size, const char *f, const char *a, const char *b, const char *c)
{
    if ((size_t)snprintf(out, size, f, a, b, c) >= size)
        exit(1);
    return out;
}

/* The string literal in JSON: only quotes have to be escaped. */
static inline const char *quoted(char *out, const char *sql)
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

static inline void create_all(void)
{
    execute("DROP TABLE IF EXISTS alls; DROP TYPE IF EXISTS mood; CREATE TYPE mood AS ENUM ('sad', 'happy')");
    char sql[4096];
    execute(format(sql, sizeof(sql), "CREATE TABLE alls(%s%s%s)", REST(COLUMNS(DEFINE)), "", ""));
}

static inline const char *values_list(void)
{
    static char text[256];
    size_t n = 0;

    for (int i = 1; i <= 25; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s$%d", i > 1 ? "," : "", i);
    return text;
}

static inline const char *insert_binding(const char *op, const char *parts, const char *copy)
{
    static char text[8192];
    char sql[4096], escaped[4096], head[4600];

    format(sql, sizeof(sql), "INSERT INTO alls(%s) VALUES (%s)%s", REST(COLUMNS(NAME)), values_list(), "");
    format(head, sizeof(head), "{\"v\":1,\"op\":\"%s\",\"write\":true,\"sql\":\"%s\"%s", op, quoted(escaped, sql),
           copy);
    return format(text, sizeof(text), "%s,\"in\":[%s]%s", head, parts, "}");
}

static inline const char *select_binding(const char *op, const char *where, const char *in, const char *out)
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

static inline void check_sample(const struct all *a)
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

#endif
