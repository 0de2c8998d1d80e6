/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A machine's memory, and why it stops. */
#include <string.h>

#include "core/ast_run_impl.h"

void cell_ast_run_stop(struct ast_machine *m, int status)
{
    if (!m->stopped)
        m->stopped = status;
}

void cell_ast_unsound(struct ast_machine *m, const struct ast_node *n, const char *why)
{
    if (m->stopped)
        return;
    m->stopped = CELL_INTERNAL;
    m->unsound = why;
    m->unsound_at = n;
}

void *cell_ast_run_room(struct ast_machine *m, size_t size)
{
    void *p = NULL;
    if (m->stack) {
        const size_t whole = (size + 15) & ~(size_t)15;
        if (size > m->stack_size || whole > m->stack_size - m->stack_used) {
            cell_ast_run_stop(m, CELL_TOO_LARGE);
            return NULL;
        }
        p = memset(m->stack + m->stack_used, 0, size);
        m->stack_used += whole;
    } else if (m->memory >= size && (p = cell_arena_alloc(&m->arena, size)))
        m->memory -= size;
    else
        cell_ast_run_stop(m, m->memory < size ? CELL_TOO_LARGE : CELL_NO_MEMORY);
    return p;
}
