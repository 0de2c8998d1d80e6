/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Any SQL, analysed for NULLs against tables, views and functions of any names. The first byte is the number of columns
 * that the server is supposed to have found.
 */
// LINK: cells/postgres/nullable.c cells/postgres/nullable_with.c cells/postgres/nullable_from.c
// LINK: cells/postgres/nullable_value.c cells/postgres/nullable_function.c cells/postgres/nullable_fact.c
// LINK: cells/postgres/nullable_name.c cells/postgres/nullable_effect.c cells/postgres/memory.c
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "postgres/nullable.h"

/* Tables have columns of these names; a name that begins with v is a view's, and with z nobody's. */
static const struct null_column columns[] = {{"id", true, 'N'}, {"n", false, 'N'}, {"s", true, 'S'}, {"k", true, 'G'}};

static bool relation(void *user, const char *schema, const char *name, struct null_relation *out)
{
    static const char *const views[] = {"SELECT t.id, u.n, t.s, 1 FROM t LEFT JOIN u USING (id)", "SELECT * FROM vx, v",
                                        "no SQL", "SELECT 1; SELECT 2"};
    (void)user, (void)schema;
    if (name[0] == 'z')
        return false;
    *out = (struct null_relation){columns, strlen(name) % 5, NULL, name[0] != 'r'};
    if (name[0] == 'v')
        out->view = views[strlen(name) % 4];
    return true;
}

static bool function(void *user, const char *schema, const char *name, int nargs, struct null_callable *out)
{
    (void)user, (void)nargs;
    if (name[0] == 'z')
        return false;
    *out = (struct null_callable){name[0] != 'c', !schema || strcmp(schema, "pg_catalog") == 0,
                                  true,           name[0] != 'r',
                                  name[0] == 'g', name[0] == 'e'};
    return true;
}

static bool operation(void *user, const char *name, int nargs, struct null_callable *out)
{
    (void)user;
    *out = (struct null_callable){name[0] != '|', true, true, true, false, false};
    return nargs > 0;
}

static bool cast_effects(void *user, const char *schema, const char *name)
{
    (void)user, (void)schema;
    return name && name[0] == 'e';
}

static bool notation_effects(void *user, const char *name)
{
    (void)user;
    return name[0] == 'e';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct null_catalog catalog = {relation, function, operation, cast_effects, notation_effects, NULL};
    const bool optional[] = {false, true};
    struct null_statement statement;
    bool never[256];

    if (size == 0)
        return 0;
    size_t n = data[0];
    char *sql = malloc(size);
    if (!sql)
        abort();
    memcpy(sql, data + 1, size - 1);
    sql[size - 1] = '\0';
    memset(never, 1, sizeof(never));
    nullable_analyse(sql, &catalog, optional, 2, never, n, &statement);
    for (size_t i = 0; i < n; i++)
        if (never[i] && !statement.understood)
            abort();
    free(sql);
    return 0;
}
