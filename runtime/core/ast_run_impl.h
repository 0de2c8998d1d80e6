/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of the interpreter share. Internal to ast_run*.c and ast_hot.c. */
#ifndef CELL_CORE_AST_RUN_IMPL_H
#define CELL_CORE_AST_RUN_IMPL_H

#include "cell/types.h"
#include "core/ast_impl.h"
#include "core/ast_run.h"

union ast_value {
    uint64_t bits; /* integers and bools, extended to 64 bits as their type is */
    double real;
    cell_str str;
    const void *memory; /* of structs and arrays */
};

/* ast_run_text.c: operations on strings. */
union ast_value cell_ast_run_text(struct ast_machine *m, const struct ast_node *n, const union ast_value *v,
                                  const enum cell_kind *kinds, bool *fault);
/* ast_run_math.c: everything on numbers. */
union ast_value cell_ast_run_number(struct ast_machine *m, const struct ast_node *n, const union ast_value *v,
                                    const enum cell_kind *kinds, bool *fault);
/* Memory up to the machine's end; NULL: it has stopped. */
void *cell_ast_run_room(struct ast_machine *m, size_t size);
void cell_ast_run_stop(struct ast_machine *m, int status);
static inline void cell_ast_run_charge(struct ast_machine *m, uint64_t steps)
{
    if (m->steps < steps)
        cell_ast_run_stop(m, CELL_TOO_LARGE);
    m->steps -= m->steps < steps ? m->steps : steps;
}
/* The verifier was wrong. */
void cell_ast_unsound(struct ast_machine *m, const struct ast_node *n, const char *why);

#endif
