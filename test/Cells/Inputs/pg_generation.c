/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One of two programs on one table that were built from different declarations (postgres-expand.test). Each runs for
 * the whole test, so that statements that it prepared before a migration are used after it. */
#include <cell/cell.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CELL_REMOTE(postgres);

#include "users.h"

CELL_QUERY(aged, "SELECT count(*) AS n FROM users WHERE " COLUMN " = $1", age);

static int add(cell_ctx *c, char *name, const char *value)
{
    struct user u = {.name = cell_strz(name), AGE_IS(value)};
    int r = user_insert(c, &u);

    if (r >= 0)
        printf("added %" PRId64 "\n", u.id);
    return r;
}

static int set(cell_ctx *c, int64_t id, const char *value)
{
    struct user u;
    int r = user_get(c, id, &u);

    if (r < 0)
        return r;
    u = (struct user){.id = id, .name = u.name, AGE_IS(value)};
    r = user_update(c, &u);
    if (r >= 0)
        printf("set\n");
    return r;
}

static int show(cell_ctx *c)
{
    user_rows rows;
    int r = user_list(c, (cell_opt_i64){0}, 100, &rows);

    for (uint32_t i = 0; r >= 0 && i < rows.len; i++) {
        printf("%s%.*s=", i ? "," : "", CELL_FMT(rows.ptr[i].name));
        PRINT_AGE(rows.ptr[i]);
    }
    if (r >= 0)
        printf("\n");
    return r;
}

static int count(cell_ctx *c, const char *value)
{
    struct aged_iter it = aged(c, AGE_OF(value));

    while (aged_next(&it))
        printf("%" PRId64 "\n", AGED_N(it.row.n));
    return aged_end(&it);
}

int main(void)
{
    char line[256], *word[3];

    while (fgets(line, sizeof(line), stdin)) {
        CELL_CTX(c, .timeout_ms = 20000);
        for (int i = 0; i < 3; i++)
            word[i] = strtok(i ? NULL : line, "/\n");
        int r = strcmp(word[0], "add") == 0     ? add(c, word[1], word[2])
                : strcmp(word[0], "set") == 0   ? set(c, atoll(word[1]), word[2])
                : strcmp(word[0], "count") == 0 ? count(c, word[1])
                                                : show(c);
        if (r < 0)
            printf("failed: %s\n", cell_ctx_message(c));
        fflush(stdout);
    }
    return 0;
}
