/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wire/message.h"

#include <string.h>

/* The length of the valid sequence at `p` of at most `left` bytes that begins with a byte >= 0x80; 0 if there is none.
 * The narrowed ranges of the second byte are those of RFC 3629, section 4. */
static size_t sequence(const unsigned char *p, size_t left)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t n;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        n = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        n = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        n = 4;
    else
        return 0;
    if (n > left)
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0; /* shorter forms exist below */
    else if (p[0] == 0xed)
        high = 0x9f; /* surrogates above */
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f; /* U+10FFFF is the last */
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return n;
}

#define NOT_ASCII UINT64_C(0x8080808080808080)

static uint64_t word_at(const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

/* How many bytes at the beginning are ASCII: all of them, or a multiple of 8. The last word overlaps the one before it.
 */
static size_t ascii(const unsigned char *p, size_t len)
{
    size_t i = 0;
    while (len - i >= sizeof(uint64_t) && !(word_at(p + i) & NOT_ASCII))
        i += sizeof(uint64_t);
    return i && len - i < sizeof(uint64_t) && !(word_at(p + len - sizeof(uint64_t)) & NOT_ASCII) ? len : i;
}

int cell_utf8_valid(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = ascii(p, len);
    while (i < len) {
        if (len - i >= sizeof(uint64_t) && !(word_at(p + i) & NOT_ASCII)) {
            i += sizeof(uint64_t);
            continue;
        }
        if (p[i] < 0x80) {
            i++;
            continue;
        }
        size_t n = sequence(p + i, len - i);
        if (!n)
            return 0;
        i += n;
    }
    return 1;
}
