/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A condition that somebody has written: it is refused at a place of its text, or it is sound, and runs on any record
 * without doing anything that is undefined. The first 32 bytes are the record; behind a NUL in the text there may be
 * functions that it calls, as somebody has sent them. */
// LINK: cells/analytics/filter.c cells/analytics/filter_parse.c cells/analytics/filter_range.c
// LINK: cells/analytics/filter_call.c cells/analytics/plan.c
#include <stdlib.h>
#include <string.h>

#include "analytics/filter.h"
#include "fuzz.h"

#define RECORD 32

static enum an_name find(void *user, const char *name, struct an_field *field, __int128 *number)
{
    static const struct {
        char name;
        struct an_field field;
    } all[] = {{'a', {0, 8, AN_SIGNED}},    {'b', {8, 8, AN_UNSIGNED}}, {'c', {16, 1, AN_SIGNED}},
               {'d', {17, 2, AN_UNSIGNED}}, {'e', {20, 4, AN_REAL}},    {'f', {24, 8, AN_REAL}},
               {'g', {19, 3, AN_BYTES}}};

    (void)user;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (name[0] == all[i].name && name[1] == '\0') {
            *field = all[i].field;
            return AN_NAME_FIELD;
        }
    *number = -7;
    return strcmp(name, "N") == 0 ? AN_NAME_NUMBER : AN_NAME_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct an_filter filter;
    struct an_problem problem;
    struct cell_hot *functions = NULL;
    struct cell_error e = {0};

    if (size < RECORD)
        return 0;
    char *text = malloc(size - RECORD + 1), *record = malloc(RECORD); /* of these sizes exactly */
    EXPECT(text && record);
    memcpy(record, data, RECORD);
    memcpy(text, data + RECORD, size - RECORD);
    text[size - RECORD] = '\0';
    size_t length = strlen(text);
    if (length < size - RECORD && cell_hot_open(text + length + 1, size - RECORD - length - 1, &functions, &e) < 0)
        EXPECT(!functions && e.status < 0 && e.text[0]);
    if (an_filter_parse(text, functions, find, NULL, &filter, &problem)) {
        EXPECT(an_filter_is_sound(&filter, RECORD));
        an_filter_passes(&filter, record);
    } else {
        EXPECT(problem.text[0] && problem.at + problem.length <= strlen(text));
    }
    cell_hot_close(functions);
    free(text);
    free(record);
    return 0;
}
