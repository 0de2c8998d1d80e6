/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Explicit clients, interceptors, and the fake and in-process clients of unit tests. A program that only calls the
 * default cells needs none of this. All functions here are thread-safe; a client may be shared by any threads.
 */
#ifndef CELL_CLIENT_H
#define CELL_CLIENT_H

#include "ctx.h" // IWYU pragma: export

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

struct cell_client;
struct cell_server;

/*
 * A client of the instance at `address` ("unix:/run/cell/auth.sock"; "https://HOST:PORT" for another host, where calls
 * have no streams, and asynchronous ones are made at once; NULL = where the cell is found, docs/operations).
 * Connects on the first call. CELL_INVALID_ARGUMENT for an address of unknown form.
 */
int cell_client_open(const char *address, struct cell_client **client);

/* Closes its connections. No call may be running on it. NULL is accepted. */
void cell_client_close(struct cell_client *client);

/*
 * A client without a cell: every call arrives at `answer` with the decoded request struct and the out pointers, which
 * it fills as a handler would (memory from `c`); one that is in `in` as well begins as it came in. A method with a
 * stream puts and takes its records with cell_ctx_stream(c), in a thread of its own. `method` is the function's name.
 * Returns as a handler. `user` is passed through and must outlive the client.
 */
typedef int cell_fake_fn(cell_ctx *c, const char *method, const void *in, void *const *out, void *user);
int cell_client_fake(cell_fake_fn *answer, void *user, struct cell_client **client);

/* A client of a server in this process: same encoding, checks, interceptors and handlers, no socket, and no
 * thread but one for each stream that is open (at most 256; its end waits for the handler). The server (cell/serve.h,
 * cell_server_new) must outlive it and need not be running. */
int cell_client_in_process(struct cell_server *server, struct cell_client **client);

/* What an interceptor sees. Strings live during the call. */
struct cell_call_info {
    const char *cell;   /* "auth" */
    const char *method; /* "auth_login" */
    const void *in;     /* the request struct */
    void *const *out;   /* NULL on the client's side of a stream: there it is opened, and the result comes later */
    uint32_t nout;
    CELL_BOOL_TYPE server_side;
};

/*
 * Runs around each call. It calls cell_next(c, chain) once to go on, and returns its result or a status of its own; it
 * may read and set metadata before and after. Interceptors run in the order they were added, outermost first.
 */
struct cell_chain;
typedef int cell_interceptor_fn(cell_ctx *c, const struct cell_call_info *info, struct cell_chain *chain, void *user);
int cell_next(cell_ctx *c, struct cell_chain *chain);

/* At most 16 a client; add them before the first call. */
int cell_client_intercept(struct cell_client *client, cell_interceptor_fn *fn, void *user);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
