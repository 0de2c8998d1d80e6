/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "failed.h"

#include <string.h>
#include <strings.h>

static bool is_of_table(const json_t *request)
{
    const char *verb = json_string_value(json_object_get(json_object_get(request, "annotation"), "verb"));

    return verb && strcmp(verb, "table") == 0;
}

static bool declares(const json_t *request, const char *name, size_t length, bool exact)
{
    const json_t *annotation = json_object_get(request, "annotation");
    const char *table = json_string_value(json_array_get(json_object_get(annotation, "args"), 0));

    if (!is_of_table(request) || !table || strlen(table) != length)
        return false;
    return exact ? memcmp(table, name, length) == 0 : strncasecmp(table, name, length) == 0;
}

bool pg_failed_table(const json_t *failed, const char *name, size_t length, bool exact)
{
    for (size_t i = 0; i < json_array_size(failed); i++)
        if (declares(json_array_get(failed, i), name, length, exact))
            return true;
    return false;
}

bool pg_failed_any_table(const json_t *failed)
{
    for (size_t i = 0; i < json_array_size(failed); i++)
        if (is_of_table(json_array_get(failed, i)))
            return true;
    return false;
}
