/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Functions that somebody else has written, run without a compiler: documents "cell.ast/1" (docs/hot-functions.md),
 * which the plugin makes of CELL_HOT functions and verifies, and which are verified once more here. For cells that are
 * sent conditions of programs; in libcellast.a, over libcell.
 *
 *     struct cell_hot *hot = NULL;
 *     if (cell_hot_open(json, length, &hot, &e) < 0) …          "functions[0].body[1]: the index may be out of range,
 * …" int is_large = cell_hot_find(hot, "is_large"); cell_hot_call(hot, is_large, (union cell_hot_value[]){{.bits =
 * 1000}, {.bits = 7}}).bits cell_hot_close(hot);
 *
 * An open document is immutable: any number of threads may use it.
 */
#ifndef CELL_HOT_CALL_H
#define CELL_HOT_CALL_H

#include <stddef.h>
#include <stdint.h>

#include <cell/desc.h>
#include <cell/errors.h>

/* What is refused beyond: bytes of a document, operations of a call at worst, bytes that it needs for variables. */
#define CELL_HOT_MOST_BYTES (64u << 10)
#define CELL_HOT_MOST_COST 1000u
#define CELL_HOT_MOST_MEMORY (16u << 10)
#define CELL_HOT_MOST_PARAMETERS 32u

/* By its kind: a whole number, extended to 64 bits as its type is, or a bool, 0 or 1; or a float or double. */
union cell_hot_value {
    uint64_t bits;
    double real;
};

struct cell_hot_function {
    const char *name;
    uint64_t cost;         /* operations of a call, at worst */
    enum cell_kind result; /* CELL_KIND_BOOL to CELL_KIND_F64; an enum is the whole number below it */
    uint32_t nparameters;
    enum cell_kind parameters[CELL_HOT_MOST_PARAMETERS]; /* as `result` */
};

struct cell_hot; /* a document */

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/*
 * Reads and verifies. Each function that is not internal takes numbers, bools and enums by value and returns one; what
 * it calls may do what the language can. CELL_PROTOCOL_ERROR with path and cause; CELL_TOO_LARGE over a limit;
 * CELL_INVALID_ARGUMENT for a function of another kind; CELL_NO_MEMORY.
 */
int cell_hot_open(const char *json, size_t length, struct cell_hot **hot, struct cell_error *e);
void cell_hot_close(struct cell_hot *hot); /* NULL is accepted */

/* The number of a function, from 0; -1: there is none, or an internal one. `hot` NULL has none. */
int cell_hot_find(const struct cell_hot *hot, const char *name);
/* NULL: there is none of that number. It lives as long as the document. */
const struct cell_hot_function *cell_hot_function(const struct cell_hot *hot, int number);

/* Calls one that there is, with as many arguments as it has parameters; of a whole number the lower bits are taken that
 * its type has. Allocates nothing, and uses at most CELL_HOT_MOST_COST times some 500 bytes of the thread's stack. */
union cell_hot_value cell_hot_call(const struct cell_hot *hot, int number, const union cell_hot_value *arguments);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
