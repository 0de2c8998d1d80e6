/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "failed.h"

#include <string.h>
#include <strings.h>

static bool declares(const json_t *request, const char *name, size_t length, bool exact)
{
    const json_t *annotation = json_object_get(request, "annotation");
    const char *verb = json_string_value(json_object_get(annotation, "verb"));
    const char *table = json_string_value(json_array_get(json_object_get(annotation, "args"), 0));

    if (!verb || strcmp(verb, "table") != 0 || !table || strlen(table) != length)
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
