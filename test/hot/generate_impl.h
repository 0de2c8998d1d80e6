/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of the generator share. */
#ifndef CELL_TEST_HOT_GENERATE_IMPL_H
#define CELL_TEST_HOT_GENERATE_IMPL_H

#include <stdbool.h>

#include "generate.h"

/* The types of values; the last ones are made of the first ones. */
enum type { I8, U8, I16, U16, I32, U32, I64, U64, F32, F64, BOOL, STR, ENUM, PAIR, ARRAY_I32, ARRAY_F64, ARRAY_PAIR };
#define INTEGERS F32
#define SCALARS ENUM
#define TYPES (ARRAY_PAIR + 1)
extern const char *const hot_type_names[];

struct variable {
    char name[16];
    enum type type;
    bool writable, assigned;
};

struct maker {
    struct hot_random *random;
    struct cell_buffer *out;
    unsigned number;
    struct variable variables[48];
    unsigned count, made; /* variables in scope, and names given */
    unsigned functions;
    struct {
        bool status;
        enum type returns, params[4], out;
        unsigned nparams;
    } f[6];
    bool status;
    enum type returns, output; /* of this function; without a status, with one */
    unsigned loops, budget;
    unsigned size; /* 0 small, 1, 2 large */
    struct {
        enum type type;
        unsigned count;
    } tables[3];
    unsigned ntables;
};

static inline uint32_t below(struct maker *m, uint32_t n) { return hot_below(m->random, n); }
static inline bool chance(struct maker *m, uint32_t percent) { return below(m, 100) < percent; }

/* generate.c */
void hot_put(struct maker *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `plain`: as in a table. */
void hot_literal(struct maker *m, enum type t, bool plain);
void hot_expression(struct maker *m, enum type t, unsigned depth);
/* The same, or a struct. */
void hot_value(struct maker *m, enum type t, unsigned depth);
/* The arguments of a call, each behind ", "; false: there are none, and nothing was written. */
bool hot_arguments(struct maker *m, unsigned function, unsigned depth);
/* generate_guard.c: one or several statements; false: there is nothing to guard, and nothing was written. */
bool hot_guarded(struct maker *m);
/* generate.c. An operation on n operands of that type. */
void hot_operands(struct maker *m, const char *op, enum type t, unsigned n, unsigned depth);
/* A variable of the type, as its index; -1 = none. */
int hot_variable(struct maker *m, enum type t, bool writable);
/* A place of scalar type, if there is one. */
bool hot_place(struct maker *m, enum type t, bool writable, unsigned depth);

#endif
