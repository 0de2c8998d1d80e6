/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
/* Bound statements with descriptors that are written by hand: every type there and back, and what is refused. */
#include "pg_all.h"

#include <math.h>

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
        {"two = '{1}'", "two: 1 element is in the database, and not 2"},
        {"three = '\\x01'", "three: 1 byte is in the database, and not 3"},
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

TEST(a_result_that_no_reply_can_hold_is_refused_with_what_to_do)
{
    if (!the_pool())
        return;
    CELL_CTX(c);
    struct pg_statement *insert, *get, *list;
    struct pg_failure f;
    struct all row = sample(), got = {0};
    const struct cell_ref in = {&row, 1};
    struct {
        const struct all *ptr;
        uint64_t len;
    } rows;
    void *const one[] = {&got}, *const all[] = {&rows};
    /* Each is less than what is received at most. */
    static const struct {
        const char *set;
        bool fits;
    } cases[] = {
        {"text = repeat('x', 15 << 20)", true},
        {"text = repeat('x', 16 << 20)", false},
        {"text = repeat('x', 20 << 20)", false},
        {"text = repeat('x', 8 << 20), nick = repeat('x', 8 << 20)", false},
        {"ints = array_fill(1, ARRAY[2600000])", true},
        {"words = array_fill('x'::text, ARRAY[800000])", false},
    };

    create_all();
    REQUIRE(bind(&insert_method, insert_binding("exec", REST(COLUMNS(IN_ROW)), ""), &insert, &f) == CELL_OK);
    REQUIRE(bind(&get_method,
                 select_binding("row", "WHERE id=$1", "{\"from\":\"id\",\"type\":\"bigint\"}", REST(COLUMNS(OUT_ROW))),
                 &get, &f) == CELL_OK);
    REQUIRE(bind(&list_method, select_binding("rows", "WHERE id = 1", "", REST(COLUMNS(OUT_LIST))), &list, &f) ==
            CELL_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char sql[256];
        execute("TRUNCATE alls");
        CHECK(pg_statement_run(insert, c, NULL, &in, NULL, &f) == 1);
        execute(format(sql, sizeof(sql), "UPDATE alls SET %s%s%s", cases[i].set, "", ""));
        for (int k = 0; k < 2; k++) {
            int r = k ? pg_statement_run(list, c, NULL, NULL, all, &f)
                      : pg_statement_run(get, c, NULL, &(int64_t){1}, one, &f);
            CHECK(r == (cases[i].fits ? CELL_OK : CELL_TOO_LARGE));
            CHECK(r >= 0 || (strstr(f.text, "larger than 16 MiB") && strstr(f.text, "use LIMIT") &&
                             strstr(f.text, "as a stream")));
        }
        cell_ctx_reset(c);
    }
    pg_statement_free(insert);
    pg_statement_free(get);
    pg_statement_free(list);
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
    for (int i = 0; i < 2; i++) { /* PostgreSQL 13 knows none */
        const cell_str in = i ? CELL_STR("-Infinity") : CELL_STR("Infinity");
        int r = pg_statement_run(s, c, NULL, &in, out, &f);
        CHECK(r == CELL_OK ? strcmp(got.ptr, in.ptr) == 0
                           : f.sqlstate[0] && atoi(ask("SHOW server_version_num")) < 140000);
    }
    pg_statement_free(s);
}

TEST(the_end) { pg_pool_close(pool); }
