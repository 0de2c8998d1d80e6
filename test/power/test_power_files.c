/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_static
/* The power fails while a file is replaced: it has what the last call that has returned wrote, or what came after it.
 */
#include <base/util.h>

#include "power.h"

#define TIMES 60
#define REPLACED 1
#define BEGUN 2

static size_t text_of(uint32_t time, char text[20000])
{
    size_t n = 1 + time * 7919 % 19000;

    memset(text, 'a' + (int)(time % 26), n);
    return n + (size_t)sprintf(text + n, "%u", time);
}

static void look(const struct states *states, size_t point, const char *folder)
{
    uint64_t replaced = states_marked(states, point, REPLACED), begun = states_marked(states, point, BEGUN);
    char path[200], expected[20000], *text = NULL;
    size_t n = 0;
    bool is_one = replaced == 0; /* before the first there may be none */

    snprintf(path, sizeof(path), "%s/file", folder);
    if (cell_file_read(path, sizeof(expected), &text, &n, NULL) >= 0) {
        for (uint64_t time = replaced; time <= begun; time++)
            is_one = is_one || (time > 0 && text_of((uint32_t)time, expected) == n && memcmp(text, expected, n) == 0);
    }
    CHECK(is_one);
    free(text);
}

TEST(a_file_that_is_replaced)
{
    char text[20000];

    power_record();
    for (uint32_t time = 1; time <= TIMES; time++) {
        size_t n = text_of(time, text);
        disk_mark(BEGUN, time);
        CHECK(cell_file_replace_synced(temp_path("disk/file"), text, n, NULL) == CELL_OK);
        disk_mark(REPLACED, time);
    }
    power_look(500, look);
}
