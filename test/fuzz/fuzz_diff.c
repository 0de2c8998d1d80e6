/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Two schema documents, one behind the other with a zero between: the diff of whatever is a schema. Its sentences are
 * texts for people, and what it calls compatible must be so in both of its ways to say it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "core/diff.h"
#include "core/json.h"

/* The sentences are made from patterns with places, "$old": none is left in them. In a schema `dollars` may be. */
static void check_changes(const struct cell_diff *d, bool dollars)
{
    unsigned all = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        const struct diff_change *c = &d->changes[i];
        EXPECT(c->owner && c->sentence && c->sentence[0] && (dollars || !strchr(c->sentence, '$')) &&
               c->id == diff_rule_id(c->rule));
        for (const char *p = c->sentence; *p; p++)
            EXPECT(!cell_json_control(p));
        all |= c->breaks;
    }
    EXPECT(all == d->breaks);
}

static void check_methods(const struct cell_diff *d, const struct cell_schema *before, const struct cell_schema *after)
{
    unsigned refused = 0;
    for (uint32_t i = 0; i < before->nmethods; i++) {
        const char *now = cell_diff_method_now(d, before->methods[i].name);
        int n = cell_diff_method(d, before, before->methods[i].name, NULL);
        EXPECT(n >= 0 && (now || n > 0));
        EXPECT(!now || cell_schema_method(after, now));
        refused += n > 0;
    }
    EXPECT(refused == 0 || (d->breaks & DIFF_WIRE));
}

static void check_pair(const struct cell_schema *before, const struct cell_schema *after, bool dollars)
{
    struct cell_diff *d = NULL;
    struct cell_error e = {0};
    int r = cell_diff_new(before, after, &d, &e);
    EXPECT(r == CELL_OK || strcmp(before->cell, after->cell) != 0);
    if (r < 0)
        return;
    check_changes(d, dollars);
    check_methods(d, before, after);
    EXPECT(before != after || d->n == 0);
    cell_diff_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    struct cell_schema *before = NULL, *after = NULL;
    if (!zero)
        return 0;
    size_t first = (size_t)(zero - data);
    bool dollars = memchr(data, '$', size);
    if (cell_schema_parse_client((const char *)data, first, &before, NULL) == CELL_OK)
        check_pair(before, before, dollars);
    if (before && cell_schema_parse_client((const char *)zero + 1, size - first - 1, &after, NULL) == CELL_OK) {
        check_pair(before, after, dollars);
        check_pair(after, before, dollars);
    }
    cell_schema_free(before);
    cell_schema_free(after);
    return 0;
}
