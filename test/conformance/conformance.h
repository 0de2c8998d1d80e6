/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * One suite for all transports: what transport/transport.h promises, whatever carries the frames. Each test_*.c is
 * built once for each transport of CMakeLists.txt, with the file transport_NAME.c, which tells what the suite cannot
 * know.
 */
#ifndef CELL_CONFORMANCE_H
#define CELL_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "process_state.h"
#include "transport/transport.h"

/* What transport_NAME.c defines. The suite skips what a NULL would be needed for. */
struct conformance {
    const struct cell_transport *transport;
    /* An address that nobody else uses: `folder` is this test's alone, relative to the working folder, `n` a number. */
    void (*address)(const char *folder, unsigned n, char *out, size_t size);
    /* The longest address that has to work. */
    void (*longest_address)(const char *folder, char *out, size_t size);
    /* Connects as a peer that can send any bytes. Returns a descriptor for read and write, or -1. NULL: what travels is
     * not a stream of bytes. */
    int (*raw_connect)(const char *address);
    /* Puts something that is no listener in the place of the address; returns false when it could not. NULL: an address
     * is no place where anything else can be. */
    bool (*occupy)(const char *address);
    bool (*occupied)(const char *address); /* it is still there */
    /* Brings a new connection to where it stays; NULL: it is there from the beginning. */
    bool (*settle)(struct cell_conn *client, struct cell_conn *server);
    bool ends_with_a_fork; /* a connection belongs to the process that made it, else a fork's copy may go on with it */
};
extern const struct conformance conformance;
#define T (*conformance.transport)

#define ADDRESS_SIZE 4608u
#define WAIT_NS (60000u * CELL_NS_PER_MS) /* longer than anything takes; its end is a failure */

/* Two ends of a connection, and where they met. */
struct ends {
    char address[ADDRESS_SIZE];
    struct cell_listener *listener;
    struct cell_conn *client, *server;
    int raw; /* the client of raw_ends; -1 */
};

extern _Thread_local struct cell_error failure; /* the last one of the functions below and of the tests */

uint64_t deadline_in(uint64_t ms);
void new_address(char out[ADDRESS_SIZE]);
void longest_address(char out[ADDRESS_SIZE]);
/* Connects `*client` to `address`, on which `l` listens, and accepts it. */
bool join_ends(const char *address, struct cell_listener *l, uint32_t max_payload, struct cell_conn **client,
               struct cell_conn **server);
bool open_ends(struct ends *x, uint32_t max_payload);
bool raw_ends(struct ends *x, uint32_t max_payload); /* x->server receives what is written to x->raw */
void close_ends(struct ends *x);

/* Waits for a client and accepts it; negative on failure. */
int accept_one(struct cell_listener *l, uint32_t max_payload, struct cell_conn **conn);

/* `len` bytes that depend on `seed`; check_bytes tells whether they are. */
void fill_bytes(uint8_t *bytes, size_t len, uint32_t seed);
bool check_bytes(const uint8_t *bytes, size_t len, uint32_t seed);

/* A CALL frame with id `seed` whose payload of `len` bytes is of fill_bytes. */
int send_seeded(struct cell_conn *c, uint32_t seed, size_t len, uint64_t deadline_ns);
int send_more_seeded(struct cell_conn *c, uint32_t seed, size_t len, uint64_t deadline_ns);
/* Receives a frame and checks that it is send_seeded's. 0 = it is; else the status, or 1 when it is another. */
int recv_seeded(struct cell_conn *c, uint32_t seed, size_t len, uint64_t deadline_ns);
/* The bytes of such a frame, for raw peers; returns how many. Free *bytes. */
size_t seeded_frame(uint32_t seed, size_t len, uint8_t **bytes);
bool write_all(int fd, const void *bytes, size_t len);

size_t allocated_bytes(void); /* by this process, now */

#endif
