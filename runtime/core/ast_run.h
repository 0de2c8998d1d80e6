/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Runs functions without compiling them, for constants at compile time and for tests: written from
 * docs/hot-functions.md and not from the renderer, so that what both agree on is what the language means. It makes
 * every check, also those that the verifier has proven not to be needed, and tells where such a proof is wrong.
 */
#ifndef CELL_CORE_AST_RUN_H
#define CELL_CORE_AST_RUN_H

#include "core/ast.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What functions use beside their arguments. Set `doc`, `steps` and `memory`, all else is 0; free the arena. */
struct ast_machine {
    const struct cell_ast *doc;
    uint64_t steps;  /* that may be made: one of each operation and turn of a loop, and more of those on long texts */
    uint64_t memory; /* bytes that may be used */
    struct cell_arena arena;
    void **tables; /* those that have been used */
    /* Memory that functions give back when they end, aligned to 16; NULL: theirs is of the arena, too. */
    char *stack;
    size_t stack_size, stack_used;
    /* Why a function did not come to its end: CELL_TOO_LARGE when steps or memory were used up, CELL_NO_MEMORY, or
     * CELL_INTERNAL when the verifier was wrong, `unsound` says in what. 0: it did. */
    int stopped;
    const char *unsound;
    const struct ast_node *unsound_at;
};

/* Calls f, of the machine's document. arguments[i] is the address of an object of the parameter's type; outputs are
 * written when the result is CELL_OK. `returns`: where the value of a function without a status goes. Returns the
 * function's status; or m->stopped, and nothing counts. Recursion is as deep as documents nest and calls are chained.
 */
int cell_ast_run(struct ast_machine *m, const struct ast_function *f, void *const *arguments, void *returns);

/* Lays out all tables of the document in the arena; other machines without a stack may use them, too, while it is
 * there. Returns m->stopped. */
int cell_ast_run_tables(struct ast_machine *m);

#ifdef __cplusplus
}
#endif
#endif
