/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "utf8.h"

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

bool search_is_utf8(const char *text, size_t length)
{
    for (size_t at = 0, n; at < length; at += n)
        if ((n = search_utf8_length(text + at, length - at)) == 0)
            return false;
    return true;
}
