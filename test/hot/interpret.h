/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * An interpreter of functions, written from docs/hot-functions.md and not from the renderer: what both agree on is what
 * the language means. It makes every check, also those that the verifier has proven not to be needed, and ends the
 * program where such a proof is wrong or a function takes more operations than it may.
 */
#ifndef CELL_TEST_HOT_INTERPRET_H
#define CELL_TEST_HOT_INTERPRET_H

#include "cell/types.h"
#include "core/ast_impl.h"

struct hot_value {
    uint64_t bits; /* integers and bools, extended to 64 bits as their type is */
    double real;
    cell_str str;
    const void *memory; /* of structs and arrays */
};

/* What functions use beside their own variables. */
struct hot_machine {
    const struct cell_ast *doc;
    struct cell_arena arena;
};

/* Calls f. arguments[i] is the address of an object of the parameter's type; outputs are written when the result is
 * CELL_OK. `returns`: where the value of a function without a status goes. Returns the status. */
int hot_interpret(struct hot_machine *m, const struct ast_function *f, void *const *arguments, void *returns);

/* interpret_text.c: operations on strings. */
struct hot_value hot_text(const struct ast_node *n, const struct hot_value *v, const enum cell_kind *kinds,
                          bool *fault);
/* interpret_math.c: everything on numbers. */
struct hot_value hot_number(const struct ast_node *n, const struct hot_value *v, const enum cell_kind *kinds,
                            bool *fault);
/* Ends the program: the verifier was wrong. */
_Noreturn void hot_unsound(const struct ast_node *n, const char *why);

#endif
