/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "conformance/conformance.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *path_of(const char *address) { return address + strlen("shm:"); }

static void shm_address(const char *folder, unsigned n, char *out, size_t size)
{
    snprintf(out, size, "shm:%s/%u.sock", folder, n);
}

/* 4095 bytes is the longest path that Linux takes. */
static void shm_longest(const char *folder, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, "shm:%s/", folder), end = strlen("shm:") + 4095;
    while (end - at > 256) {
        memset(out + at, 'd', 200);
        out[at + 200] = '/';
        at += 201;
    }
    memset(out + at, 's', end - at);
    if (end - at > 255)
        out[end - 2] = '/';
    out[end] = '\0';
}

static bool shm_occupy(const char *address)
{
    int fd = open(path_of(address), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd >= 0 && write(fd, "precious", 8) == 8 && close(fd) == 0;
}

static bool shm_occupied(const char *address)
{
    struct stat st;
    return lstat(path_of(address), &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 8;
}

static bool pass(struct cell_conn *from, struct cell_conn *to, uint32_t seed)
{
    return send_seeded(from, seed, 8, deadline_in(60000)) == CELL_OK &&
           recv_seeded(to, seed, 8, deadline_in(60000)) == CELL_OK;
}

/* The offer travels before the first frame, the answer before the first answer, its answer before the second frame. */
static bool shm_settle(struct cell_conn *client, struct cell_conn *server)
{
    return pass(client, server, 1) && pass(server, client, 2) && pass(client, server, 3) &&
           strcmp(cell_conn_ops(client)->name, "shm") == 0 && strcmp(cell_conn_ops(server)->name, "shm") == 0;
}

const struct conformance conformance = {
    .transport = &cell_transport_shm,
    .address = shm_address,
    .longest_address = shm_longest,
    .occupy = shm_occupy,
    .occupied = shm_occupied,
    .settle = shm_settle,
    .ends_with_a_fork = true,
};
