/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Strings, by cell/text.h and by hand. */
#include <stdbool.h>

#include <cell/serve.h>
#include <cell/text.h>

CELL_PROVIDE(texts, "Strings");

static const cell_str words[] = {{"abc", 3}, {"12", 2}, CELL_STR("\xc3\xa9"), {0}};

CELL_HOT int32_t texts_compare(cell_str s, cell_str t, uint8_t w)
{
    int32_t n = cell_str_compare(s, t) * 100;
    n += cell_str_eq(s, t) + 2 * cell_str_starts(s, t) + 4 * cell_str_ends(s, t);
    n += (int32_t)cell_str_find(s, t) * 8 + (int32_t)cell_str_find(s, words[w % 4]) * 16;
    return n + (cell_str_starts(s, CELL_STR("abc")) ? 1000 : 0) + (s.len == 0 && cell_str_eq(s, cell_strz("")));
}

CELL_HOT cell_str texts_part(cell_str s, int8_t begin, uint64_t length, bool otherwise)
{
    cell_str part = cell_str_sub(s, (uint64_t)begin, length % 6);
    if (part.len == 0)
        return otherwise ? CELL_STR("none") : words[1];
    if (cell_str_sub(part, 1, 1).len == 1)
        part = cell_str_sub(part, 1, 100);
    return part;
}

CELL_HOT int32_t texts_characters(cell_str s, int32_t *sum)
{
    uint64_t at = 0;
    int32_t n = 0, total = 0;
    while (at < s.len) {
        CELL_BOUND(100);
        int32_t c = cell_str_utf8_at(s, at);
        total += c < 0 ? -100 : c;
        at = cell_str_utf8_next(s, at);
        n++;
    }
    *sum = total + n;
    return 0;
}

CELL_HOT int64_t texts_integer(cell_str s, int64_t otherwise)
{
    return cell_str_is_i64(s) ? cell_str_parse_i64(s, 0) : cell_str_parse_i64(cell_str_sub(s, 0, 3), otherwise);
}

CELL_HOT double texts_number(cell_str s, double otherwise)
{
    return cell_str_is_f64(s) ? cell_str_parse_f64(s, 0) : cell_str_parse_f64(cell_str_sub(s, 1, 200), otherwise);
}

CELL_HOT uint32_t texts_bytes(cell_str s)
{
    uint32_t h = 0;
    if (s.len > 0 && s.ptr[0] == 'a')
        h = 1;
    for (uint64_t i = 0; i < s.len && i < 50; i++) {
        char c = s.ptr[i];
        h = h * 33 + c + cell_str_byte(s, i);
        if (c >= '0' && c <= '9')
            h ^= (uint32_t)(c - '0');
    }
    return h;
}
