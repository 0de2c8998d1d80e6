/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

size_t search_utf8_length(const char *text, size_t left)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = s[0] == 0     ? 0
               : s[0] < 0x80 ? 1
               : s[0] < 0xc2 ? 0
               : s[0] < 0xe0 ? 2
               : s[0] < 0xf0 ? 3
               : s[0] < 0xf5 ? 4
                             : 0;

    if (n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0; /* overlong, a surrogate, beyond U+10FFFF */
    return n;
}

/* How many of the first bytes are ASCII and not NUL, looked at by eight. */
static size_t plain(const char *text, size_t length)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    size_t at = 0;

    for (uint64_t eight; length - at >= 8; at += 8) {
        memcpy(&eight, text + at, 8);
        /* A highest bit, or one that a NUL borrows from what is above it. */
        if (((eight - ones) | eight) & ones << 7)
            break;
    }
    return at;
}

bool search_is_utf8(const char *text, size_t length)
{
    for (size_t at = 0, n; at < length; at += n) {
        at += plain(text + at, length - at);
        if (at == length)
            break;
        if ((n = search_utf8_length(text + at, length - at)) == 0)
            return false;
    }
    return true;
}
