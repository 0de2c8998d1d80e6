/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The annotations that the cell answers. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expand.h"
#include "expand_parts.h"
#include "query.h"

#define ARGS "\"args\": [{\"name\": \"name\", \"type\": \"string\", \"required\": true}], "

static const char tables[] =
    "{\"name\": \"rows\", \"on\": [\"struct\"], " ARGS
    "\"doc\": \"Rows of a table or view that is somebody else's: it is checked and read, and never changed.\", "
    "\"field_rules\": [\"column\", \"index\", \"key\", \"sql_type\", \"unique\"], \"rules\": [\"schema\"]}, "
    "{\"name\": \"table\", \"on\": [\"struct\"], " ARGS
    "\"doc\": \"The struct is the table of that name: it is made or changed to be as the struct says.\", "
    "\"field_rules\": [\"auto\", \"backfill\", \"check\", \"column\", \"default\", \"generated\", \"index\", \"key\", "
    "\"length\", \"pattern\", \"range\", \"references\", \"replaces\", \"sql_type\", \"unique\"], "
    "\"rules\": [\"check\", \"dropped\", \"foreign_key\", \"index\", \"primary_key\", \"retyped\", \"schema\", "
    "\"step\", "
    "\"table_renamed_from\", \"unique_index\"]}";

static int by_name(const void *a, const void *b)
{
    json_t *const *x = a, *const *y = b;

    return strcmp(json_string_value(json_object_get(*x, "name")), json_string_value(json_object_get(*y, "name")));
}

int pg_sort_by_name(json_t *array)
{
    size_t n = json_array_size(array);
    json_t **sorted = calloc(n + 1, sizeof(json_t *));

    if (!sorted)
        return CELL_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        sorted[i] = json_incref(json_array_get(array, i));
    qsort(sorted, n, sizeof(json_t *), by_name);
    json_array_clear(array);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, sorted[i]);
    free(sorted);
    return json_array_size(array) == n ? CELL_OK : CELL_NO_MEMORY;
}

char *pg_verbs(void)
{
    char text[8192];

    snprintf(text, sizeof(text), "[%s, %s]", pg_query_verbs, tables);
    json_t *all = json_loads(text, 0, NULL);
    char *out = pg_sort_by_name(all) < 0 ? NULL : json_dumps(all, JSON_COMPACT);
    json_decref(all);
    return out;
}
