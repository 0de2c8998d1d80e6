/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls to cells of other hosts: https.c. */
#ifndef CELL_CALL_HTTPS_H
#define CELL_CALL_HTTPS_H

#include "call.h"

/* The address of the call's cell when that is on another host; NULL: it is not, or has none. */
const char *cell_https_address(cell_ctx *c, const struct client_call *k);
/* Carries out a call whose request was encoded, and so checked. As cell_call_remote. */
int cell_call_https(cell_ctx *c, struct client_call *k, const char *address);
void cell_client_forget_origins(struct cell_client *client); /* when it is closed */

#endif
