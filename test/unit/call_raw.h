/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A client of call_fixture.h's server that is spoken by hand, over the socket. */
#ifndef CELL_TEST_CALL_RAW_H
#define CELL_TEST_CALL_RAW_H

#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "wire/frame.h"

#define UNUSED __attribute__((unused))

static char demo_address[4200];

static UNUSED int raw_connect(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = 60};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", demo_address + 5);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

static UNUSED bool raw_send(int fd, struct cell_frame f, const void *meta, size_t meta_len, const void *message,
                            size_t len)
{
    uint8_t header[CELL_FRAME_HEADER];
    f.length = (uint32_t)(meta_len + len);
    f.meta_len = (uint16_t)meta_len;
    cell_frame_encode(&f, header);
    return send(fd, header, sizeof(header), MSG_NOSIGNAL) == (ssize_t)sizeof(header) &&
           (!meta_len || send(fd, meta, meta_len, MSG_NOSIGNAL) == (ssize_t)meta_len) &&
           (!len || send(fd, message, len, MSG_NOSIGNAL) == (ssize_t)len);
}

static bool raw_read(int fd, void *to, size_t len)
{
    for (size_t got = 0; got < len;) {
        ssize_t n = recv(fd, (char *)to + got, len - got, 0);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

/* The next frame; its payload at *payload, to be freed. False at the end. */
static UNUSED bool raw_recv(int fd, struct cell_frame *f, uint8_t **payload)
{
    uint8_t header[CELL_FRAME_HEADER];
    if (!raw_read(fd, header, sizeof(header)) || cell_frame_decode(header, sizeof(header), 1u << 24, f, NULL) != 1)
        return false;
    *payload = calloc(1, f->length + 1);
    return raw_read(fd, *payload, f->length);
}

/* True when the peer has closed, without another frame. */
static UNUSED bool raw_ended(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, 0);
    return n == 0 || (n < 0 && errno == ECONNRESET);
}

static UNUSED bool raw_hello(int fd, uint8_t channel, const char *cell, const char *fingerprint, const char *abi)
{
    struct cell_buffer b = {0};
    if (cell)
        cell_meta_append(&b, CELL_META_CELL, cell, strlen(cell));
    if (fingerprint)
        cell_meta_append(&b, CELL_META_FINGERPRINT, fingerprint, strlen(fingerprint));
    if (abi)
        cell_meta_append(&b, CELL_META_ABI, abi, strlen(abi));
    bool sent = raw_send(fd, (struct cell_frame){.kind = CELL_FRAME_HELLO, .channel = channel}, b.data, b.len, NULL, 0);
    cell_buffer_free(&b);
    return sent;
}

/* The value of `key` in a frame's metadata as text, for one use. */
static UNUSED const char *raw_meta(const struct cell_frame *f, const uint8_t *payload, const char *key)
{
    static char text[4][1024];
    static unsigned next;
    struct cell_meta_pair p;
    char *t = text[next++ % 4];
    t[0] = '\0';
    if (cell_meta_find(payload, f->meta_len, key, &p) == CELL_OK && p.value_len < sizeof(text[0])) {
        memcpy(t, p.value, p.value_len);
        t[p.value_len] = '\0';
    }
    return t;
}

#endif
