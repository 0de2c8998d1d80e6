/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_search_sanitized
/* What is UTF-8 and has no NUL, wherever it is in a text: most of that is looked at by eight bytes at once. */
#include <stdlib.h>
#include <string.h>

#include <search/utf8.h>

#include "test.h"

#define MOST 40

/* `what` between plain letters, at each place of texts of each length; exact memory, so that a byte behind it is seen.
 */
static bool is_everywhere(bool right, const char *what, size_t n)
{
    for (size_t length = n; length <= MOST; length++)
        for (size_t at = 0; at + n <= length; at++) {
            char *text = malloc(length);
            if (!text)
                abort();
            memset(text, at % 2 ? 'a' : 0x7f, length);
            memcpy(text + at, what, n);
            bool found = search_is_utf8(text, length);
            free(text);
            if (found != right)
                return false;
        }
    return true;
}

TEST(characters_are_found_at_any_place)
{
    CHECK(search_is_utf8("", 0));
    CHECK(is_everywhere(true, "\x01", 1));
    CHECK(is_everywhere(true, "\xc3\xa9", 2));
    CHECK(is_everywhere(true, "\xe2\x82\xac", 3));
    CHECK(is_everywhere(true, "\xf4\x8f\xbf\xbf", 4));
    CHECK(is_everywhere(true, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9 plain again", 20));
}

TEST(what_is_none_is_found_at_any_place)
{
    CHECK(is_everywhere(false, "\0", 1));
    CHECK(is_everywhere(false, "\x80", 1));
    CHECK(is_everywhere(false, "\xc3", 1));
    CHECK(is_everywhere(false, "\xc0\x80", 2));
    CHECK(is_everywhere(false, "\xed\xa0\x80", 3));
    CHECK(is_everywhere(false, "\xf4\x90\x80\x80", 4));
    CHECK(is_everywhere(false, "\x01\0\x01", 3));
    CHECK(is_everywhere(false, "\xc3\xa9\0", 3));
}
