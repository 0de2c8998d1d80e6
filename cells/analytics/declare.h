/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a struct with CELL_WATCH declares, from an expansion request, and what a program gets for it. */
#ifndef CELLS_ANALYTICS_DECLARE_H
#define CELLS_ANALYTICS_DECLARE_H

#include "service.h"

/* Everything is JSON and belongs to it, but for `declaration`, which is the request's. */
struct an_declared {
    const char *name; /* of the struct, and of the aggregate */
    char source[AN_MOST_NAME + 1], stream[AN_MOST_NAME + 1];
    json_t *definition;  /* definition.h; what the source says of its records is there after an_declare_check */
    json_t *diagnostics; /* as in an expansion document */
    const json_t *declaration;
    bool failed; /* there is an error */
};

/* CELL_INVALID_ARGUMENT: it is no such request; CELL_NO_MEMORY. */
int an_declare(const json_t *request, struct an_declared *declared, struct an_failure *f);
void an_declared_free(struct an_declared *declared);

/* `field` NULL: the declaration as a whole. */
void an_say(struct an_declared *declared, const char *severity, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Compares the fields with the source's, `stream` as in source.h, and completes the definition. */
void an_declare_check(struct an_declared *declared, const json_t *stream);

/*
 * The functions of an aggregate, for an expansion document. With N its name and T its struct:
 *
 *   N_get(groups…, [at_us], out T)                      N_scan(cursor, limit, [at_us], out N_page)
 *   N_top_F(limit, [at_us], out N_rows)                 of each aggregate F
 *   N_watch(all, stream of T)
 *
 * A binding is JSON: {"v": 1, "name": N, "op": …, "field": F}.
 */
int an_generate(struct an_declared *declared, json_t *document);

#endif
