/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The interpreter of functions, which here ends the program where a proof of the verifier's is wrong or a function
 * takes more operations than it may. */
#ifndef CELL_TEST_HOT_INTERPRET_H
#define CELL_TEST_HOT_INTERPRET_H

#include <stdio.h>
#include <stdlib.h>

#include "core/ast_impl.h"
#include "core/ast_run.h"

static inline int hot_interpret(struct ast_machine *m, const struct ast_function *f, void *const *arguments,
                                void *returns)
{
    m->steps = m->memory = UINT64_MAX;
    const int status = cell_ast_run(m, f, arguments, returns);
    if (!m->stopped)
        return status;
    fprintf(stderr, "%s: '%s' in '%s', statement of line %u: %s\n", m->unsound ? "unsound" : "stopped",
            m->unsound ? cell_ast_op_name(m->unsound_at->op) : "", f->name, m->unsound ? m->unsound_at->line : 0,
            m->unsound ? m->unsound : "");
    abort();
}

#endif
