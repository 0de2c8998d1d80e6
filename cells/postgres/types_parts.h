/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the files about types share. */
#ifndef CELLS_POSTGRES_TYPES_PARTS_H
#define CELLS_POSTGRES_TYPES_PARTS_H

#include "types.h"

struct pg_integer_range {
    int64_t low;
    uint64_t high;
    enum pg_base base; /* the column that it has by itself */
};

/* "i32"; "enum" and "struct" for those. */
const char *pg_ckind_name(enum pg_ckind kind);
bool pg_is_integer(enum pg_ckind kind); /* enums are none */
struct pg_integer_range pg_integer_range(enum pg_ckind kind);
/* Of smallint, integer, bigint; base is PG_BASE_NONE for others. */
struct pg_integer_range pg_base_range(enum pg_base base);

/* Gives the values of an enum, at least one, the labels that their names stand for (pg_cvalue.label): without the
 * prefix; NULL = the one that all have. */
void pg_enum_labels(struct pg_arena *arena, struct pg_cvalue *values, uint32_t n, const char *prefix);
/* The same with the *prefix that leaves the values of a type that is there what they are called, as far as there is
 * one: with others the prefix that all have is another one. False when it is not that one. */
bool pg_enum_keep_labels(struct pg_arena *arena, struct pg_cvalue *values, uint32_t n, const struct pg_enum *there,
                         const char **prefix);

#endif
