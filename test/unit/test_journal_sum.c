/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The sums in files are the same whatever the processor that wrote them can do. */
#include "journal/sum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "test.h"

TEST(sums_do_not_depend_on_the_processor)
{
    static uint8_t bytes[5000];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 31 + i / 256);
    CHECK(cell_journal_sum("", 0, 0) == UINT64_C(0x2d06800538d394c2)); /* xxHash's own test vector */
    for (size_t n = 0; n <= sizeof(bytes); n += n < 300 ? 1 : 37)
        for (uint64_t seed = 0; seed < 3; seed++) {
            uint64_t right = XXH3_64bits_withSeed(bytes, n, seed);
            CHECK(cell_journal_sum(bytes, n, seed) == right);
#if defined(__x86_64__)
            if (__builtin_cpu_supports("avx2"))
                CHECK(cell_journal_sum_avx2(bytes, n, seed) == right);
#endif
        }
}
