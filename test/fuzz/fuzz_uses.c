/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The sections in which a program tells what it uses. What is taken is written again as the same, and can be checked
 * against the schemas that came with it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "core/uses.h"

static void check_written(const struct cell_uses *u)
{
    struct cell_buffer text = {0}, record = {0}, again = {0};
    struct cell_uses *second = NULL;
    EXPECT(cell_uses_format(u, &text) == CELL_OK && cell_uses_record(u, &record) == CELL_OK);
    if (cell_uses_read(record.data, record.len, NULL, 0, &second, NULL) == CELL_OK) { /* it may be too large by now */
        EXPECT(cell_uses_format(second, &again) == CELL_OK);
        EXPECT(text.len == again.len && memcmp(text.data, again.data, text.len) == 0);
    }
    cell_uses_free(second);
    cell_buffer_free(&text);
    cell_buffer_free(&record);
    cell_buffer_free(&again);
}

static void check_schemas(const struct cell_uses *u)
{
    for (uint32_t i = 0; i < u->nschemas; i++)
        for (uint32_t k = 0; k < u->nschemas; k++) {
            const struct used_schema *old = &u->schemas[i];
            struct cell_arena arena = {0};
            struct cell_diff *d = NULL;
            struct use_break *breaks = NULL;
            uint32_t n = 0;
            if (cell_diff_new(old->schema, u->schemas[k].schema, &d, NULL) < 0)
                continue;
            EXPECT(cell_uses_check(u, old->cell, old->fingerprint, d, old->schema, &arena, &breaks, &n) == CELL_OK);
            for (uint32_t b = 0; b < n; b++)
                EXPECT(breaks[b].nat > 0 && breaks[b].change);
            cell_diff_free(d);
            cell_arena_free(&arena);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cell_uses *u = NULL;
    struct cell_error e = {0};
    /* The first two bytes say where the second section begins. */
    size_t split = size >= 2 ? (size_t)data[0] | (size_t)data[1] << 8 : 0;
    if (size < 2 || split > size - 2)
        return 0;
    const char *text = (const char *)data + 2;
    int r = cell_uses_read(text, split, text + split, size - 2 - split, &u, &e);
    if (r < 0) {
        EXPECT(!u && e.text[0]);
        return 0;
    }
    check_written(u);
    check_schemas(u);
    cell_uses_free(u);
    return 0;
}
