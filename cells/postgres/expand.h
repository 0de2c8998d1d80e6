/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What compilers ask: cell_server_options.expand, .state, .apply and .verbs. cell_ctx_user gives the struct pg_service.
 */
#ifndef CELLS_POSTGRES_EXPAND_H
#define CELLS_POSTGRES_EXPAND_H

#include <cell/server.h>

int pg_expand(cell_ctx *c, cell_str request, cell_str *document);
int pg_state(cell_ctx *c, cell_str *token);
int pg_apply_requests(cell_ctx *c, cell_str request, cell_str *reply);

/* JSON, to be freed; NULL when memory is short. */
char *pg_verbs(void);

#endif
