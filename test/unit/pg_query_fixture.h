/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Queries against the tables of pg_null_fixture.h, and their answers taken apart. */
#ifndef TEST_PG_QUERY_FIXTURE_H
#define TEST_PG_QUERY_FIXTURE_H

#include <jansson.h>

#include "pg_null_fixture.h"
#include "postgres/query.h"

struct answer {
    json_t *document; /* NULL: none */
    int status;
    struct pg_failure failure;
};

static struct answer ask_with(const struct pg_query_check *check, const char *sql, const char *parameters, bool one)
{
    struct pg_query query = {"q", sql, parameters, one};
    struct answer a = {0};

    a.status = pg_query_expand(null_connection(), &query, check, &a.document, &a.failure);
    if (PQtransactionStatus(null_connection()) != PQTRANS_IDLE) {
        printf("%s\n  leaves its connection in another state\n", sql);
        test_failures++;
    }
    return a;
}

static struct answer ask(const char *sql, const char *parameters)
{
    struct pg_query_check check = {0};

    return ask_with(&check, sql, parameters, false);
}

static json_t *at(const struct answer *a, const char *list, size_t i)
{
    return json_array_get(json_object_get(a->document, list), i);
}

static const char *text(const json_t *object, const char *member)
{
    const char *value = json_string_value(json_object_get(object, member));

    return value ? value : "";
}

/* "NAME TYPE, …" of the fields of the row or the parameters of the method. */
static const char *members(json_t *list, char out[1024])
{
    size_t i, n = 0;
    json_t *one;

    out[0] = '\0';
    json_array_foreach(list, i, one) n += (size_t)snprintf(out + n, n < 1024 ? 1024 - n : 0, "%s%s %s", i ? ", " : "",
                                                           text(one, "name"), text(one, "type"));
    return out;
}

/* The method's binding; a new reference. */
static json_t *binding(const struct answer *a)
{
    const char *binding_text = text(at(a, "methods", 0), "binding");

    return json_loads(binding_text, 0, NULL);
}

#endif
