/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What anybody may report to a cell. What is taken is written as a document that reads back as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "core/consumer.h"
#include "core/json.h"

static void check_written(const struct cell_consumer *c)
{
    struct cell_buffer text = {0}, again = {0};
    struct cell_consumer *second = NULL;
    EXPECT(c->program[0] && c->program[0] != '.' && !strchr(c->program, '/'));
    EXPECT(!c->path[0] || c->path[0] == '/');
    for (uint32_t i = 0; i < c->uses->n; i++)
        EXPECT(strcmp(c->uses->uses[i].cell, c->cell) == 0);
    EXPECT(cell_consumer_format(c, &text) == CELL_OK);
    if (cell_consumer_parse(text.data, text.len, &second, NULL) == CELL_OK) { /* it may be too large by now */
        EXPECT(cell_consumer_format(second, &again) == CELL_OK);
        EXPECT(text.len == again.len && memcmp(text.data, again.data, text.len) == 0);
    }
    cell_consumer_free(second);
    cell_buffer_free(&text);
    cell_buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cell_consumer *c = NULL;
    struct cell_error e = {0};
    struct cell_json doc = {0};
    const char *program = NULL, *path = NULL;
    if (cell_consumer_key((const char *)data, size, &doc, &program, &path, &e) >= 0)
        EXPECT(program);
    cell_json_free(&doc);
    int r = cell_consumer_parse((const char *)data, size, &c, &e);
    if (r < 0) {
        EXPECT(!c && e.text[0]);
        return 0;
    }
    check_written(c);
    cell_consumer_free(c);
    return 0;
}
