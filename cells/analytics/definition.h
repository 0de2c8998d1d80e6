/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a struct with CELL_WATCH says, together with what the source says of its records: JSON, which is kept, and the
 * plan that is made of it.
 *
 *   {"name", "source", "stream", "type", "record_size", "time", "where", "numbers": {NAME: "NUMBER"}, "window_us",
 *    "slide_us", "lateness_us", "panes", "columns": [{"name", "type", "as", "of", "quantile"}],
 *    "fields": [{"name", "type", "offset"}], "functions": {…}}
 *
 * "fields" are those of the source that are used, and "numbers" the enumerators that "where" uses; none: it is missing.
 * "functions" is the document "cell.ast/1" of those that "where" calls; none: it is missing, too.
 *
 * "as" is group, window, count, sum, min, max, mean, variance, quantile or distinct. Types are written as in schemas:
 * "u64", "i32", "f64", "bool", "u8[16]". Without windows "slide_us" is 0.
 */
#ifndef CELLS_ANALYTICS_DEFINITION_H
#define CELLS_ANALYTICS_DEFINITION_H

#include <stdatomic.h>

#include <cell/types.h>
#include <jansson.h>

#include "failure.h"
#include "plan.h"

#define AN_MOST_NAME 63
#define AN_MOST_COLUMNS (AN_MOST_KEYS + AN_MOST_AGGREGATES + 1)

struct an_type {
    uint32_t kind;  /* CELL_KIND_*, of a number or bool */
    uint32_t count; /* of an array of u8; else 0 */
};

enum an_role { AN_GROUP, AN_WINDOW, AN_AGGREGATE };

struct an_column {
    const char *name; /* the JSON's */
    enum an_role role;
    struct an_type type;
    uint32_t index;  /* of the key or the aggregate in the plan */
    uint32_t key_at; /* of AN_GROUP: bytes into the packed key */
};

struct an_definition {
    atomic_uint references;
    json_t *json;
    const char *name, *source, *stream, *type, *time;
    struct an_plan plan;
    struct cell_hot *functions; /* the plan's filter calls them; NULL: none */
    struct an_column columns[AN_MOST_COLUMNS];
    uint32_t ncolumns;
};

/* False: it is none that records can have. */
bool an_type_parse(const char *text, struct an_type *type);
uint32_t an_type_size(const struct an_type *type);
enum an_class an_type_class(const struct an_type *type);

/* Takes a reference to `json`. CELL_DATA_LOSS: it is none. */
int an_definition_read(json_t *json, struct an_definition **definition, struct an_failure *f);
struct an_definition *an_definition_ref(struct an_definition *definition);
void an_definition_unref(struct an_definition *definition); /* NULL is accepted */
/* The member "functions" of a definition, verified; NULL in *functions: there are none. Close them. */
int an_definition_functions(const json_t *definition, struct cell_hot **functions, struct cell_error *e);
/* An enumerator that the condition of a definition uses; false: it is none. */
bool an_definition_number(const json_t *definition, const char *name, __int128 *number);
/* NULL: there is none. */
const struct an_column *an_definition_column(const struct an_definition *definition, const char *name);

#endif
