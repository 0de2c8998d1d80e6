/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "checksum.h"

#include <pthread.h>
#include <string.h>

static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? (c >> 1) ^ UINT32_C(0x82f63b78) : c >> 1;
        table[0][i] = c;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t i = 0; i < 256; i++)
            table[k][i] = (table[k - 1][i] >> 8) ^ table[0][table[k - 1][i] & 0xff];
}

/* Eight bytes a step, each through a table of its own (Kounavis and Berry, 2005). Files are little-endian, as hosts
 * are. */
uint32_t lg_checksum(uint32_t before, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint32_t c = ~before;

    pthread_once(&once, fill);
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof(word));
        word ^= c;
        c = 0;
        for (int k = 0; k < 8; k++)
            c ^= table[7 - k][(word >> (8 * k)) & 0xff];
    }
    for (; n > 0; n--, p++)
        c = (c >> 8) ^ table[0][(c ^ *p) & 0xff];
    return ~c;
}
