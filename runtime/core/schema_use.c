/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The text form of a type's use, read. */
#include <string.h>

#include "core/schema_impl.h"
#include "wire/limits.h"

enum cell_kind cell_use_builtin(const char *name, size_t len)
{
    for (unsigned kind = CELL_KIND_BOOL; kind <= CELL_KIND_BYTES; kind++)
        if (strlen(cell_kind_name(kind)) == len && memcmp(cell_kind_name(kind), name, len) == 0)
            return (enum cell_kind)kind;
    return (enum cell_kind)0;
}

bool cell_use_bound(const char *text, uint32_t *bound)
{
    size_t n = text[0] == '[' ? strspn(text + 1, "0123456789") : 0;
    *bound = 0;
    if (n == 0 || n > 5 || text[1] == '0' || strcmp(text + 1 + n, "]") != 0)
        return false;
    for (size_t i = 1; i <= n; i++)
        *bound = *bound * 10 + (uint32_t)(text[i] - '0');
    return *bound <= CELL_MAX_ARRAY;
}

bool cell_use_wrapper(const char *text, size_t len, struct schema_ref *use)
{
    static const enum cell_kind kinds[] = {CELL_KIND_LIST, CELL_KIND_OPT};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t n = strlen(cell_kind_name(kinds[i]));
        if (len < n + 2 || memcmp(text, cell_kind_name(kinds[i]), n) != 0 || text[n] != '<' || text[len - 1] != '>')
            continue;
        use->kind = kinds[i];
        use->elem = cell_use_builtin(text + n + 1, len - n - 2);
        return use->elem != 0;
    }
    return false;
}
