/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The parts of the Unix socket transport. Internal to transport/. */
#ifndef CELL_TRANSPORT_UNIX_H
#define CELL_TRANSPORT_UNIX_H

#include "transport/transport.h"

/* A connection over a connected, blocking stream socket, which it owns from here on, also when this fails. */
int cell_unix_conn_new(int fd, uint32_t max_payload, struct cell_conn **conn, struct cell_error *e);

int cell_unix_connect(const char *address, const struct cell_connect_options *options, struct cell_conn **conn,
                      struct cell_error *e);

int cell_unix_listen(const char *address, int fd, struct cell_listener **listener, struct cell_error *e);
int cell_unix_accept(struct cell_listener *l, uint32_t max_payload, struct cell_conn **conn, struct cell_error *e);
int cell_unix_listener_fd(const struct cell_listener *l);
void cell_unix_listener_close(struct cell_listener *l);

/* Limits blocking operations in one direction (SO_RCVTIMEO or SO_SNDTIMEO) of `fd` to `ms`; 0 = no limit. */
int cell_unix_set_timeout(int fd, int option, uint32_t ms);

/* The largest power of two of milliseconds within `left_ns`, at least 1: what a timeout is set to, so that it hardly
 * ever changes between calls with one and the same limit. */
uint32_t cell_unix_timeout_step(uint64_t left_ns);

#endif
