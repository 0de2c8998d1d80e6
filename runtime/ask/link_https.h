/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A link to a cell of another host: what link.c hands on. The requests of the compile and operations channels as
 * documents over HTTPS; docs/protocol.md, "HTTPS". */
#ifndef CELL_ASK_LINK_HTTPS_H
#define CELL_ASK_LINK_HTTPS_H

#include "ask/link.h"
#include "wire/hello.h"

struct https_link;

/* On the compile channel it asks who is there, which *server then says; on the operations channel nobody is asked yet.
 * Calls have an interface of their own (call/https.c, core/json_call.h): CELL_UNIMPLEMENTED. */
int cell_https_link_open(const char *address, const char *cell, enum cell_channel channel, uint64_t deadline_ns,
                         struct https_link **link, struct cell_greeting *server, struct cell_error *e);
void cell_https_link_close(struct https_link *l); /* NULL is accepted */
/* As cell_link_request; the metadata is put together from what the cell has answered. */
int cell_https_link_request(struct https_link *l, int32_t method, const void *json, size_t len, uint32_t timeout_ms,
                            uint64_t deadline_ns, struct cell_link_reply *reply, struct cell_error *e);

#endif
