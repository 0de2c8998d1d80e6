/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Seeds of binary formats are kept as text: an input that begins with "hex\n" stands for the bytes that its hex digits
 * spell; `#` begins a comment that lasts to the end of its line. */
#ifndef CELL_TEST_HEX_SEED_H
#define CELL_TEST_HEX_SEED_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Memory of exactly *len bytes, so that a read beyond them is found; the caller frees it. */
static uint8_t *hex_seed(const uint8_t *data, size_t size, size_t *len)
{
    size_t n = 0;
    int high = -1, comment = 0;
    if (size < 4 || memcmp(data, "hex\n", 4) != 0) {
        uint8_t *copy = malloc(size);
        if (size)
            memcpy(copy, data, size);
        *len = size;
        return copy;
    }
    uint8_t *bytes = malloc(size);
    for (size_t i = 4; i < size; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = data[i] ? strchr(digits, data[i]) : NULL;
        comment = data[i] == '#' || (comment && data[i] != '\n');
        if (comment || !digit)
            continue;
        if (high < 0) {
            high = (int)(digit - digits);
        } else {
            bytes[n++] = (uint8_t)(high << 4 | (digit - digits));
            high = -1;
        }
    }
    *len = n;
    uint8_t *exact = malloc(n);
    if (n)
        memcpy(exact, bytes, n);
    free(bytes);
    return exact;
}

#endif
