/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Answers that their clients have not heard: a client that gives a call up says CANCEL, and when the call has been
 * answered by then that comes between calls. What the handler asked for is kept with the connection until its next call
 * asks for something; it is known by the call's id, so that nothing has to be forgotten before.
 */
#include <string.h>

#include "server_parts.h"

bool cell_ctx_if_unheard(cell_ctx *c, cell_unheard_fn *undo, void *user, const char *what)
{
    struct ctx_origin *origin = c ? c->origin : NULL;
    return origin && origin->if_unheard && strlen(what) < CELL_MAX_UNHEARD &&
           (origin->if_unheard(origin, undo, user, what), true);
}

void cell_server_if_unheard(struct ctx_origin *origin, cell_unheard_fn *undo, void *user, const char *what)
{
    struct server_conn *conn = (struct server_conn *)origin;
    conn->unheard.id = conn->current_id;
    conn->unheard.undo = undo;
    conn->unheard.user = user;
    strcpy(conn->unheard.what, what);
}

void cell_server_unheard(struct server_conn *conn, uint64_t id)
{
    cell_unheard_fn *undo = conn->unheard.undo;
    if (!undo || conn->unheard.id != id)
        return;
    conn->unheard.undo = NULL;
    undo(conn->unheard.user, conn->unheard.what);
}
