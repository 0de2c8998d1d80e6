/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Two schemas of one cell, with a NUL between them. A schema does not differ from itself; what differs has a sentence.
 */
#include <stdlib.h>
#include <string.h>

#include "core/diff.h"
#include "core/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static void check_text(const char *text)
{
    for (const char *p = text; p && *p; p++)
        EXPECT(!cell_json_control(p));
}

static void check_changes(const struct cell_diff *d)
{
    unsigned all = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        const struct diff_change *c = &d->changes[i];
        EXPECT(c->id && c->owner && c->sentence && c->sentence[0]);
        check_text(c->sentence);
        check_text(c->owner);
        all |= c->breaks;
    }
    EXPECT(all == d->breaks);
}

/* A method that is not reached by what breaks the wire is not counted. */
static void check_methods(const struct cell_diff *d, const struct cell_schema *before)
{
    for (uint32_t i = 0; i < before->nmethods; i++) {
        struct cell_buffer said = {0};
        int n = cell_diff_method(d, before, before->methods[i].name, &said);
        EXPECT(n >= 0 && (n == 0) == (said.len == 0));
        EXPECT(n == 0 || (d->breaks & DIFF_WIRE));
        cell_buffer_free(&said);
    }
}

static void compare(const struct cell_schema *before, const struct cell_schema *after)
{
    struct cell_diff *d = NULL;
    int r = cell_diff_new(before, after, &d, NULL);
    EXPECT(r == CELL_OK || (r == CELL_INVALID_ARGUMENT && strcmp(before->cell, after->cell) != 0));
    if (r == CELL_OK) {
        check_changes(d);
        check_methods(d, before);
        EXPECT(strcmp(before->fingerprint, after->fingerprint) != 0 || d->n == 0);
    }
    cell_diff_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cell_schema *before = NULL, *after = NULL;
    const uint8_t *split = size ? memchr(data, 0, size) : NULL;
    size_t first = split ? (size_t)(split - data) : size;
    if (cell_schema_parse((const char *)data, first, &before, NULL) == CELL_OK)
        compare(before, before);
    if (split)
        cell_schema_parse((const char *)split + 1, size - first - 1, &after, NULL);
    if (before && after) {
        compare(before, after);
        compare(after, before);
    }
    cell_schema_free(before);
    cell_schema_free(after);
    return 0;
}
