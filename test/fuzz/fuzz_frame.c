/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A frame's header, then its metadata. */
#include "fuzz.h"
#include "hex_seed.h"

#include "wire/frame.h"
#include "wire/limits.h"

/* A prefix of a header that is valid, or of which more is needed, is never invalid, and what is invalid stays so. */
static void check_header(const uint8_t *bytes, size_t len)
{
    struct cell_frame f = {0};
    struct cell_error e = {0};
    int whole = cell_frame_decode(bytes, len, CELL_MAX_MESSAGE, &f, &e);
    EXPECT(whole < 0 ? e.status == whole && e.text[0] : whole == (len >= CELL_FRAME_HEADER));
    int before = 0;
    for (size_t n = 0; n <= len && n <= CELL_FRAME_HEADER; n++) {
        struct cell_frame part;
        int r = cell_frame_decode(bytes, n, CELL_MAX_MESSAGE, &part, NULL);
        EXPECT(before >= 0 || r < 0);
        EXPECT(r <= 0 || n == CELL_FRAME_HEADER);
        before = r;
    }
    if (whole == 1) {
        uint8_t header[CELL_FRAME_HEADER];
        cell_frame_encode(&f, header);
        EXPECT(memcmp(header, bytes, sizeof(header)) == 0);
        EXPECT(f.meta_len <= f.length && f.length <= CELL_MAX_MESSAGE && f.meta_len <= CELL_MAX_META_BYTES);
    }
}

/* A good block is the same after its pairs were taken out and put in again. */
static void check_meta(const uint8_t *block, size_t len)
{
    struct cell_meta_pair p;
    struct cell_buffer b = {0};
    struct cell_error e = {0};
    size_t offset = 0, pairs = 0;
    int good = cell_meta_check(block, len, &e), r;
    while ((r = cell_meta_next(block, len, &offset, &p)) > 0) {
        struct cell_meta_pair found;
        EXPECT(offset <= len && ++pairs <= len / 4);
        if (good < 0)
            continue;
        char key[CELL_MAX_META_BYTES + 1];
        memcpy(key, p.key, p.key_len);
        key[p.key_len] = '\0';
        EXPECT(cell_meta_append(&b, key, p.value, p.value_len) == CELL_OK);
        EXPECT(cell_meta_find(block, len, key, &found) == CELL_OK && found.value <= p.value);
    }
    EXPECT(good < 0 || (r == 0 && b.len == len && (len == 0 || memcmp(b.data, block, len) == 0)));
    EXPECT(r == 0 || good < 0);
    cell_buffer_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len;
    uint8_t *bytes = hex_seed(data, size, &len);
    check_header(bytes, len);
    if (len >= CELL_FRAME_HEADER)
        check_meta(bytes + CELL_FRAME_HEADER, len - CELL_FRAME_HEADER);
    free(bytes);
    return 0;
}
