/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The asynchronous calls of a context; see async.c. */
#ifndef CELL_CALL_ASYNC_H
#define CELL_CALL_ASYNC_H

#include "pool.h"

/* Ends everything that is outstanding: nobody can wait for it any more, and its connections are closed. */
void cell_async_drop(cell_ctx *c);
/* The same, and gives back all memory. */
void cell_async_free(cell_ctx *c);
/* Ends waiting; the context's lock is held. Any thread. */
void cell_async_interrupt(cell_ctx *c);

#endif
