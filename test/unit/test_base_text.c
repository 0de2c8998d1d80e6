/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* cell/text.h by itself; that hot functions do the same is what test/hot compares. */
#include <math.h>

#include "cell/text.h"
#include "test.h"

TEST(strings_are_compared_by_unsigned_bytes_and_then_by_length)
{
    CHECK(cell_str_compare(CELL_STR("a"), CELL_STR("\xc3\xa9")) == -1);
    CHECK(cell_str_compare(CELL_STR("ab"), CELL_STR("a")) == 1 && cell_str_compare(CELL_STR(""), CELL_STR("")) == 0);
    CHECK(cell_str_compare((cell_str){0}, CELL_STR("a")) == -1);
}

TEST(parts_are_found_and_taken)
{
    const cell_str s = CELL_STR("abcabc");
    CHECK(cell_str_find(s, CELL_STR("ca")) == 2 && cell_str_find(s, CELL_STR("cb")) == -1);
    CHECK(cell_str_find(s, CELL_STR("")) == 0 && cell_str_find((cell_str){0}, s) == -1);
    CHECK(cell_str_starts(s, CELL_STR("abca")) && !cell_str_starts(s, CELL_STR("b")) &&
          cell_str_starts(s, (cell_str){0}));
    CHECK(cell_str_ends(s, CELL_STR("bc")) && !cell_str_ends(CELL_STR("c"), CELL_STR("bc")));
    CHECK(cell_str_eq(cell_str_sub(s, 4, 100), CELL_STR("bc")) && cell_str_sub(s, 7, 1).len == 0);
    CHECK(cell_str_sub(s, 1, UINT64_MAX).len == 5 && cell_str_byte(s, 5) == 'c');
}

TEST(only_well_formed_characters_are_characters)
{
    CHECK(cell_str_utf8_at(CELL_STR("\xf0\x9f\x98\x80"), 0) == 0x1f600 &&
          cell_str_utf8_next(CELL_STR("\xc3\xa9x"), 0) == 2);
    CHECK(cell_str_utf8_at(CELL_STR("\xed\xa0\x80"), 0) == -1 && cell_str_utf8_at(CELL_STR("\xc0\x80"), 0) == -1);
    CHECK(cell_str_utf8_at(CELL_STR("\xe0\x9f\xbf"), 0) == -1 &&
          cell_str_utf8_at(CELL_STR("\xf4\x90\x80\x80"), 0) == -1);
    CHECK(cell_str_utf8_at(CELL_STR("\xe2\x82"), 0) == -1 && cell_str_utf8_next(CELL_STR("\xe2\x82"), 0) == 1);
    CHECK(cell_str_utf8_at(CELL_STR("a"), 1) == -1 && cell_str_utf8_next(CELL_STR("a"), 9) == 1);
}

TEST(integers_are_the_whole_text_and_fit)
{
    CHECK(cell_str_parse_i64(CELL_STR("-9223372036854775808"), 1) == INT64_MIN);
    CHECK(!cell_str_is_i64(CELL_STR("9223372036854775808")) && !cell_str_is_i64(CELL_STR("-9223372036854775809")));
    CHECK(cell_str_parse_i64(CELL_STR("+7"), 1) == 7 && cell_str_parse_i64(CELL_STR("7 "), 1) == 1);
    CHECK(!cell_str_is_i64(CELL_STR("")) && !cell_str_is_i64(CELL_STR("-")) && !cell_str_is_i64((cell_str){0}));
}

TEST(numbers_are_the_nearest_ones)
{
    CHECK(cell_str_parse_f64(CELL_STR("9007199254740993"), 0) == 9007199254740992.0);
    CHECK(cell_str_parse_f64(CELL_STR("1.7976931348623157e308"), 0) == 1.7976931348623157e308);
    CHECK(!cell_str_is_f64(CELL_STR("1.7976931348623159e308")) &&
          !cell_str_is_f64(CELL_STR("1e999999999999999999999")));
    CHECK(cell_str_parse_f64(CELL_STR("1e-999999999999999999999"), 1) == 0 && cell_str_is_f64(CELL_STR("0e999999999")));
    CHECK(signbit(cell_str_parse_f64(CELL_STR("-0"), 1)) && cell_str_parse_f64(CELL_STR(".5e+1"), 0) == 5);
    CHECK(!cell_str_is_f64(CELL_STR(".")) && !cell_str_is_f64(CELL_STR("1e")) && !cell_str_is_f64(CELL_STR("inf")));
    CHECK(cell_str_is_f64(CELL_STR("0001234567890123456789012345678901234567890")));
    CHECK(!cell_str_is_f64(CELL_STR("12345678901234567890123456789012345678901")) &&
          !cell_str_is_f64(CELL_STR("1..2")));
    CHECK(!cell_str_is_f64(CELL_STR("0x10")) && !cell_str_is_f64(CELL_STR(" 1")) && !cell_str_is_f64((cell_str){0}));
}
