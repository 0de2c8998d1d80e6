/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How a compilation reaches cells: core's questions as requests on the compile channel of a link, which is a socket, or
 * to another host HTTPS (ask/link.h). */
#ifndef CELL_ASK_UNIX_H
#define CELL_ASK_UNIX_H

#include "core/ask.h"

/* Each link is used by one thread at a time. Every error names the socket or the host. */
extern const struct cell_exchange cell_exchange_unix;

#endif
