/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What is pending before a declaration, as far as it can matter to it. A file with many tables sends each request with
 * all that were planned before, and most of them have nothing to do with it.
 */
#ifndef CELLS_POSTGRES_PENDING_H
#define CELLS_POSTGRES_PENDING_H

#include <stddef.h>

/*
 * The request without the pending ones that cannot matter: those that are not named by what is asked about, nor by
 * others that are, do not name it, and do nothing that may concern any table. What may be a name is enough; a
 * request too many costs time only. NULL when there is nothing to leave out, the text is not as the plugin writes it,
 * or memory is short: then the request is what it is. To be freed by the caller; *out_len: its length.
 */
char *pg_pending_that_matter(const char *request, size_t len, size_t *out_len);

#endif
