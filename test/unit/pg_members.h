/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* For tests of structs within columns. */
#ifndef CELL_TEST_PG_MEMBERS_H
#define CELL_TEST_PG_MEMBERS_H

#include <cell/errors.h>

#include "pg_build.h"

/* Declares `fields`, which may use the structs address (`members`; also addresses, opt_address) and place (`inner`). */
static inline struct pg_declared *pg_build_members(const struct pg_model *catalog, const char *verb, const char *fields,
                                                   const char *members, const char *inner, const char *rules,
                                                   bool annotated)
{
    json_t *request = pg_build_request(verb, "users", fields, rules), *types = pg_build_types();
    json_t *address =
        json_pack("{s:s, s:s, s:o}", "name", "address", "kind", "struct", "fields", pg_build_fields(members));
    if (annotated)
        json_object_set_new(address, "annotated", json_true());
    json_array_append_new(types, address);
    json_array_append_new(
        types, json_pack("{s:s, s:s, s:o}", "name", "place", "kind", "struct", "fields", pg_build_fields(inner)));
    json_array_append_new(types, json_pack("{s:s, s:s, s:s}", "name", "places", "kind", "list", "of", "place"));
    json_array_append_new(types, json_pack("{s:s, s:s, s:s}", "name", "addresses", "kind", "list", "of", "address"));
    json_array_append_new(types, json_pack("{s:s, s:s, s:s}", "name", "opt_address", "kind", "opt", "of", "address"));
    json_object_set_new(json_object_get(request, "declaration"), "types", types);
    struct pg_declared *d = NULL;
    char why[256] = "";
    CHECK(pg_declare(request, catalog, &d, why) == CELL_OK);
    json_decref(request);
    return d;
}

#endif
