/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A call with a stream, as the server's connection sees it. */
#ifndef CELL_CALL_SERVER_STREAM_H
#define CELL_CALL_SERVER_STREAM_H

#include <semaphore.h>

#include "server_parts.h"
#include "stream.h"

struct server_stream {
    struct cell_stream base;
    struct server_conn *conn;
    cell_ctx *c;
    uint64_t id;
    bool ended;  /* the client said that there are no more */
    bool broken; /* it broke the protocol */
    bool placed; /* the handler has its place at the gate */
    bool done;   /* it has returned, and needs none */
    uint64_t entered_ns;
    sem_t turn; /* the place that it waits for */
};

/* Whether the CALL is for a method with a stream. */
bool cell_server_streams(const struct cell_server *s, const struct server_conn *conn, const struct cell_frame *f);
/* Whether the client may have sent records behind a CALL that is refused unseen, by a schema or for want of something.
 */
bool cell_server_records_follow(const struct cell_server *s, const struct server_conn *conn,
                                const struct cell_frame *f);
/* One more call that has a thread for long, and one less. CELL_RESOURCE_EXHAUSTED: there are as many as there may be.
 */
int cell_server_count_stream(struct cell_server *s, struct caller_uid *u, struct cell_error *e);
void cell_server_stream_over(struct cell_server *s, struct caller_uid *u);
/* The handler leaves its place until it has put or taken something. */
void cell_server_stream_aside(struct server_stream *t);
/* Before the handler, which has its place. CELL_RESOURCE_EXHAUSTED: too many. In any case to be finished and ended. */
int cell_server_stream_begin(struct cell_server *s, struct server_conn *conn, cell_ctx *c, const struct cell_frame *f,
                             uint64_t entered_ns, struct server_stream *t, struct cell_error *e);
/* After it: leaves the gate, and waits until a reply of `length` bytes can be sent. False: the connection is over. */
bool cell_server_stream_finish(struct server_stream *t, uint32_t length);
/* After the reply. */
void cell_server_stream_end(struct cell_server *s, struct server_conn *conn, struct server_stream *t);

#endif
