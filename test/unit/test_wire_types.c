/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* UTF-8 and the descriptors of the built-in types. */
#include "test.h"

#include "wire/message.h"

TEST(utf8_is_that_of_rfc_3629)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "abcdefgh\xc3\xa9 12345678",
                                       "1234567\xf0\x9f\xa6\x80"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x7f",
                                      "\xc2\xc0",
                                      "\xe0\x9f\xbf",
                                      "\xe0\xa0",
                                      "\xe1\x80",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xe1\x80\x41",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf0\x90\x80",
                                      "\xf1\x80\x80\x41",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xfe",
                                      "12345678\x80",
                                      "1234567\xc3",
                                      "\xf8\x88\x80\x80\x80"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CHECK(cell_utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *exact = malloc(strlen(bad[i])); /* a read beyond the end is an error of the sanitizer */
        REQUIRE(exact);
        memcpy(exact, bad[i], strlen(bad[i]));
        CHECK(!cell_utf8_valid(exact, strlen(bad[i])));
        free(exact);
    }
    CHECK(cell_utf8_valid("a\0b", 3));
}

/* Words are looked at as a whole, and the last one overlaps the one before it. */
TEST(one_bad_byte_is_found_wherever_it_stands)
{
    for (size_t n = 1; n <= 40; n++) {
        char text[40];
        memset(text, 'a', n);
        CHECK(cell_utf8_valid(text, n));
        for (size_t i = 0; i < n; i++) {
            text[i] = (char)0x80;
            CHECK(!cell_utf8_valid(text, n));
            text[i] = 'a';
            if (i + 1 == n)
                continue;
            memcpy(text + i, "\xc3\xa9", 2);
            CHECK(cell_utf8_valid(text, n) && !cell_utf8_valid(text, i + 1));
            memcpy(text + i, "aa", 2);
        }
    }
}

TEST(every_code_point_is_valid_and_every_surrogate_is_not)
{
    int wrong = 0;
    for (uint32_t c = 0; c <= 0x110000; c++) {
        char s[4];
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        static const unsigned char lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
        uint32_t rest = c;
        for (size_t i = n; i-- > 1; rest >>= 6)
            s[i] = (char)(0x80 | (rest & 0x3f));
        s[0] = (char)(lead[n] | rest);
        wrong += cell_utf8_valid(s, n) != (c < 0x110000 && (c < 0xd800 || c > 0xdfff));
    }
    CHECK(wrong == 0);
}

TEST(builtin_types_describe_their_c_types)
{
#define CHECK_TYPES(suffix, T)                                                                                         \
    CHECK_STR(cell_type_##suffix.name, #suffix);                                                                       \
    CHECK(cell_type_##suffix.size == sizeof(T) && cell_type_##suffix.align == _Alignof(T));                            \
    CHECK_STR(cell_type_list_##suffix.name, "list<" #suffix ">");                                                      \
    CHECK(cell_type_list_##suffix.kind == CELL_KIND_LIST && cell_type_list_##suffix.elem == &cell_type_##suffix);      \
    CHECK(cell_type_list_##suffix.size == 16 && cell_type_list_##suffix.align == 8);                                   \
    CHECK_STR(cell_type_opt_##suffix.name, "opt<" #suffix ">");                                                        \
    CHECK(cell_type_opt_##suffix.kind == CELL_KIND_OPT && cell_type_opt_##suffix.elem == &cell_type_##suffix);         \
    CHECK(cell_type_opt_##suffix.size == sizeof(cell_opt_##suffix));                                                   \
    CHECK(offsetof(cell_opt_##suffix, value) == cell_type_##suffix.align);
    CELL_SCALAR_MAP(CHECK_TYPES)
#undef CHECK_TYPES
#define CHECK_KIND(symbol, number, schema_name, fixed)                                                                 \
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)                                                          \
        if (all[i]->kind == number)                                                                                    \
            CHECK(strcmp(all[i]->name, schema_name) == 0 && all[i]->size == fixed);
#define ADDRESS(suffix, T) &cell_type_##suffix,
    static const struct cell_type *const all[] = {CELL_SCALAR_MAP(ADDRESS)};
    CELL_KIND_MAP(CHECK_KIND)
    CHECK(sizeof(all) / sizeof(all[0]) == 13);
#undef CHECK_KIND
#undef ADDRESS
}
