/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "base/util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_WORD 255u

CELL_HOT uint64_t cell_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

CELL_HOT uint64_t cell_coarse_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

void cell_cleanup_fd(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    errno = saved;
}

void cell_cleanup_free(void *p)
{
    void *memory;
    memcpy(&memory, p, sizeof(memory));
    free(memory);
}

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

/* Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours, where no part is
 * edited twice. Three rows of the usual matrix are enough. Stops with limit + 1 when no result within it is left. */
static unsigned distance(const char *a, unsigned na, const char *b, unsigned nb, unsigned limit)
{
    unsigned rows[3][LONGEST_WORD + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (unsigned j = 0; j <= nb; j++)
        above[j] = before[j] = j;
    for (unsigned i = 1; i <= na; i++) {
        unsigned best = row[0] = i;
        for (unsigned j = 1; j <= nb; j++) {
            unsigned d = above[j - 1] + (a[i - 1] != b[j - 1]);
            d = least(d, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d = least(d, before[j - 2] + 1);
            row[j] = d;
            best = least(best, d);
        }
        /* Each row's least value is at most one more than that of the row above, so a swap cannot undercut it. */
        if (best > limit)
            return limit + 1;
        unsigned *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[nb];
}

const char *cell_suggest(const char *word, const char *const *candidates, size_t n)
{
    const char *found = NULL;
    unsigned best = UINT32_MAX;
    size_t length = strlen(word);
    if (length == 0 || length > LONGEST_WORD)
        return NULL;
    for (size_t i = 0; i < n && best > 0; i++) {
        size_t other = candidates[i] ? strlen(candidates[i]) : 0;
        if (other == 0 || other > LONGEST_WORD)
            continue;
        unsigned limit = (unsigned)(other > length ? other : length) / 3;
        if (limit >= best)
            limit = best - 1;
        if ((other > length ? other - length : length - other) > limit)
            continue;
        unsigned d = distance(word, (unsigned)length, candidates[i], (unsigned)other, limit);
        if (d <= limit) {
            best = d;
            found = candidates[i];
        }
    }
    return found;
}

bool cell_is_identifier(const char *s)
{
    size_t n = 0;
    if (!s)
        return false;
    for (; s[n]; n++) {
        char c = s[n];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (n == 127 || (!letter && (n == 0 || c < '0' || c > '9')))
            return false;
    }
    return n > 0;
}

uint64_t cell_checksum(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    uint64_t sum = UINT64_C(14695981039346656037), word;
    for (size_t left = len; left; p += sizeof(word), left = left > sizeof(word) ? left - sizeof(word) : 0) {
        word = 0;
        memcpy(&word, p, left < sizeof(word) ? left : sizeof(word));
        sum = (sum ^ word) * UINT64_C(1099511628211);
    }
    return (sum ^ len) * UINT64_C(1099511628211);
}

bool cell_same_secret(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a, *y = b;
    uint8_t differ = 0;
    for (size_t i = 0; i < len; i++) {
        differ |= x[i] ^ y[i];
        __asm__ volatile("" : "+r"(differ)); /* or the compiler might see that it need not go on */
    }
    return differ == 0;
}
