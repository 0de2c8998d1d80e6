/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: utils/cell/sql_layout.c
/* What columns are made of the fields of records. test/Cells/sql-odd.test has what is refused. */
#include "test.h"

#include "../../utils/cell/sql_layout.h"

/* "sequence id amount (id_high) …": hidden ones in parentheses. */
static const char *columns_of(const struct cell_journal_field *fields, uint32_t n, const char *time, bool journal)
{
    static char text[1000];
    struct cell_arena arena = {0};
    struct sql_layout l;
    struct cell_error e = {0};

    text[0] = '\0';
    if (sql_layout_make(fields, n, 64, time, false, journal, &arena, &l, &e) < 0)
        snprintf(text, sizeof(text), "%s", e.text);
    else
        for (uint32_t i = 0; i < l.ncolumns; i++)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), l.columns[i].hidden ? "%s(%s)" : "%s%s",
                     i ? " " : "", l.columns[i].name);
    cell_arena_free(&arena);
    return text;
}

#define F(name, type) {name, type, 0, NULL}

TEST(two_halves_are_one_number_unless_something_else_has_its_name)
{
    static const struct cell_journal_field pair[] = {F("id_low", "u64"), F("a", "u8"), F("id_high", "u64")};
    static const struct cell_journal_field taken[] = {F("id_low", "u64"), F("ID", "u8"), F("id_high", "u64")};
    static const struct cell_journal_field narrow[] = {F("id_low", "u64"), F("id_high", "u32")};
    static const struct cell_journal_field alone[] = {F("id_low", "u64"), F("_high", "u64")};

    CHECK_STR(columns_of(pair, 3, "", true), "sequence a id (appended_us) (id_low) (id_high)");
    CHECK_STR(columns_of(pair, 3, "", false), "a id (id_low) (id_high)");
    CHECK_STR(columns_of(taken, 3, "", true), "sequence id_low ID id_high (appended_us)");
    CHECK_STR(columns_of(narrow, 2, "", false), "id_low id_high");
    CHECK_STR(columns_of(alone, 2, "", false), "id_low _high");
}

TEST(names_and_times_have_columns_beside_them)
{
    static const struct cell_journal_field fields[] = {{"kind", "u8", 0, "A=0,B=1"}, F("time_us", "i64")};
    static const struct cell_journal_field taken[] = {
        {"kind", "u8", 0, "A=0"}, F("kind_number", "u8"), F("when", "i64")};

    CHECK_STR(columns_of(fields, 2, "time_us", false), "kind time_us (kind_number) (time)");
    CHECK_STR(columns_of(fields, 2, "", false), "kind time_us (kind_number)");
    CHECK_STR(columns_of(taken, 3, "when", false), "kind kind_number when");
}

static const char *time_text(int64_t us)
{
    static char text[SQL_TIME_TEXT];

    sql_time_text(us, text);
    return text;
}

TEST(times_are_those_of_the_calendar)
{
    CHECK_STR(time_text(0), "1970-01-01T00:00:00.000000Z");
    CHECK_STR(time_text(-1), "1969-12-31T23:59:59.999999Z");
    CHECK_STR(time_text(951782400000001), "2000-02-29T00:00:00.000001Z");
    CHECK_STR(time_text(INT64_C(253402300799999999)), "9999-12-31T23:59:59.999999Z");
    CHECK_STR(time_text(INT64_C(253402300800000000)), "");
    CHECK_STR(time_text(INT64_MIN), "");
    CHECK_STR(time_text(INT64_MAX), "");
}

TEST(numbers_are_those_of_the_record)
{
    static const uint8_t record[8] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct sql_field f = {.kind = SQL_SIGNED, .size = 1};

    CHECK(sql_field_bits(&f, record) == (uint64_t)-2);
    f.size = 8;
    CHECK(sql_field_bits(&f, record) == (uint64_t)-2);
    f.kind = SQL_UNSIGNED;
    CHECK(sql_field_bits(&f, record) == UINT64_MAX - 1);
    f.size = 4;
    CHECK(sql_field_bits(&f, record) == UINT32_MAX - 1);
    f = (struct sql_field){.kind = SQL_BOOL, .size = 1};
    CHECK(sql_field_bits(&f, record) == 1);
}
