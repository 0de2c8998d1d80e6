/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_store_sanitized
/* Buffers that grow. */
#include "test.h"

#include <string.h>

#include "store/bytes.h"

static void fill(struct st_buffer *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        st_put_byte(b, (uint8_t)i);
}

static bool is_filled(const struct st_buffer *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (b->data[i] != (uint8_t)i)
            return false;
    return b->len == n && !b->failed;
}

TEST(a_buffer_grows_and_keeps_what_it_has)
{
    struct st_buffer b = {0};
    fill(&b, 1000);
    CHECK(is_filled(&b, 1000));
    st_buffer_free(&b);
    CHECK(!b.data && !b.len);
}

TEST(a_buffer_leaves_the_array_that_is_too_short)
{
    uint8_t array[16];
    struct st_buffer b = ST_BUFFER_IN(array);
    fill(&b, 16);
    CHECK(b.data == array && is_filled(&b, 16));
    st_put_byte(&b, 16);
    CHECK(b.data != array && is_filled(&b, 17));
    memset(array, 0xff, sizeof(array));
    CHECK(is_filled(&b, 17));
    st_buffer_free(&b);

    b = ST_BUFFER_IN(array);
    CHECK(st_grow(&b, 17) && b.data != array && b.len == 17);
    st_buffer_free(&b);
    b = ST_BUFFER_IN(array);
    st_put_byte(&b, 1);
    st_buffer_free(&b); /* the array is not freed */
    CHECK(!b.data);
}
