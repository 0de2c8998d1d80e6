/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of the interpreter share. Internal to ast_run*.c. */
#ifndef CELL_CORE_AST_RUN_IMPL_H
#define CELL_CORE_AST_RUN_IMPL_H

#include "cell/types.h"
#include "core/ast_impl.h"
#include "core/ast_run.h"

struct ast_value {
    uint64_t bits; /* integers and bools, extended to 64 bits as their type is */
    double real;
    cell_str str;
    const void *memory; /* of structs and arrays */
};

/* ast_run_text.c: operations on strings. */
struct ast_value cell_ast_run_text(struct ast_machine *m, const struct ast_node *n, const struct ast_value *v,
                                   const enum cell_kind *kinds, bool *fault);
/* ast_run_math.c: everything on numbers. */
struct ast_value cell_ast_run_number(struct ast_machine *m, const struct ast_node *n, const struct ast_value *v,
                                     const enum cell_kind *kinds, bool *fault);
/* Memory up to the machine's end; NULL: it has stopped. */
void *cell_ast_run_room(struct ast_machine *m, size_t size);
void cell_ast_run_charge(struct ast_machine *m, uint64_t steps);
void cell_ast_run_stop(struct ast_machine *m, int status);
/* The verifier was wrong. */
void cell_ast_unsound(struct ast_machine *m, const struct ast_node *n, const char *why);

#endif
