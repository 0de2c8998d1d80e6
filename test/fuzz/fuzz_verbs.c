/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The verbs of a cell as a compilation keeps them. What is taken is what a schema could have, and written as it was
 * read. The checksum stops nearly all that a fuzzer makes, so it is put right. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "core/schema_impl.h"
#include "fuzz.h"

static void check_verbs(const struct cell_schema *s)
{
    struct cell_buffer once = {0}, twice = {0};
    struct cell_schema *again = NULL;
    EXPECT(cell_schema_check(s, SCHEMA_OF_CELL, CELL_DATA_LOSS, NULL) == CELL_OK);
    for (uint32_t i = 0; i < s->nverbs; i++)
        EXPECT(cell_schema_verb(s, s->verbs[i].name) == &s->verbs[i]);
    cell_verbs_put(s, &once);
    EXPECT(cell_buffer_ok(&once) && cell_verbs_parse(once.data, once.len, "auth", &again) == CELL_OK);
    cell_verbs_put(again, &twice);
    EXPECT(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    cell_schema_free(again);
    cell_buffer_free(&once);
    cell_buffer_free(&twice);
}

static void check_text(const char *text, size_t len)
{
    struct cell_schema *s = NULL;
    int r = cell_verbs_parse(text, len, "auth", &s);
    EXPECT(r == CELL_OK ? s != NULL : !s && (r == CELL_DATA_LOSS || r == CELL_NO_MEMORY));
    if (s)
        check_verbs(s);
    cell_schema_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cell_buffer whole = {0};
    check_text((const char *)data, size);
    cell_buffer_append(&whole, data, size);
    cell_buffer_printf(&whole, "%016" PRIx64 "\n", cell_checksum(data, size));
    EXPECT(cell_buffer_ok(&whole));
    check_text(whole.data, whole.len);
    cell_buffer_free(&whole);
    return 0;
}
