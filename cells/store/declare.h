/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a struct with CELL_STORE declares, from an expansion request; and what has to be done so that it holds. */
#ifndef CELLS_STORE_DECLARE_H
#define CELLS_STORE_DECLARE_H

#include "schema.h"

/*
 * All are JSON and belong to it. `fields` are as in a collection's document (schema.h), without numbers; a field may
 * have "renamed_from". `key` and the "fields" of `indexes` are names. With an error among the diagnostics the rest may
 * be incomplete.
 */
struct st_declared {
    const char *name;    /* of the collection */
    const char *tag;     /* of the struct */
    const char *version; /* the field that has the record's version; NULL = none */
    json_t *fields, *key, *indexes, *dropped;
    json_t *diagnostics;       /* as in an expansion document */
    const json_t *declaration; /* the request's; borrowed */
    bool failed;               /* there is an error */
};

/* CELL_INVALID_ARGUMENT: it is no such request; CELL_NO_MEMORY. */
int st_declare(const json_t *request, struct st_declared *declared, struct st_failure *f);
void st_declared_free(struct st_declared *declared);

/* `field` NULL: the declaration as a whole. */
void st_say(struct st_declared *declared, const char *severity, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Offers `rule` with `argument`, before the declaration's name or behind `field`, in the last that was said. */
void st_offer(struct st_declared *declared, const char *rule, const char *argument);

/* How a type of the request is stored. */
struct st_seen_type {
    const char *kind; /* of one value */
    const char *base; /* the type of one value as the request writes it: "i64", "user_role" */
    enum st_shape shape;
    uint32_t count;       /* of an array */
    const json_t *record; /* the entry of a struct; else NULL */
    const json_t *entry;  /* the entry of an enum or a struct; else NULL */
    char text[128];       /* what `base` may point to */
};
/* False: it cannot be stored; why is then a sentence's end. */
bool st_see_type(const json_t *types, const char *text, struct st_seen_type *seen, const char **why);

/* ---- plans ---- */

struct st_plan {
    json_t *document; /* the collection as it will be; NULL: nothing is to be done */
    json_t *steps;    /* of an expansion document's plan */
    char id[33];      /* PLAN_ID */
};
/*
 * `before` is the collection's document, NULL when there is none yet. What would lose something without consent is an
 * error among the diagnostics of `declared`. CELL_NO_MEMORY.
 */
int st_plan_make(struct st_declared *declared, const json_t *before, struct st_plan *plan);
void st_plan_free(struct st_plan *plan);

#endif
