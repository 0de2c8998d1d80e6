/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A server on a real socket that sends what a script says, byte for byte. One connection, in a thread of its own. */
#ifndef CELL_TEST_SCRIPTED_SERVER_H
#define CELL_TEST_SCRIPTED_SERVER_H

#include "test.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"
#include "wire/frame.h"
#include "wire/limits.h"

#define PRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHORT_MS 150u
#define LONG_MS 20000u

/* Bytes to send after a whole frame of the client has been read. */
struct step {
    struct cell_buffer bytes;
    bool hang; /* then it says nothing more; otherwise the next step, or the end */
};

struct server {
    char folder[32], path[64], address[80];
    int listener, stop[2];
    pthread_t thread;
    bool joined;
    struct step steps[4];
    unsigned nsteps;
    bool endless; /* after the last step, until the client is gone */
    struct cell_frame seen[4];
    struct cell_buffer messages[4];
    unsigned nseen;
};

static struct cell_error e;

/* ---- the server ---- */

static inline bool read_all(int fd, void *to, size_t len)
{
    for (size_t got = 0; got < len;) {
        ssize_t n = read(fd, (char *)to + got, len - got);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

static inline bool read_frame(struct server *s, int fd)
{
    uint8_t header[CELL_FRAME_HEADER];
    struct cell_frame *f = &s->seen[s->nseen];
    struct cell_buffer *b = &s->messages[s->nseen];
    if (!read_all(fd, header, sizeof(header)) || cell_frame_decode(header, sizeof(header), 1u << 20, f, NULL) != 1)
        return false;
    void *to = cell_buffer_reserve(b, f->length);
    if (!to || !read_all(fd, to, f->length))
        return false;
    b->len += f->length;
    s->nseen++;
    return true;
}

static inline bool send_all(int fd, const void *bytes, size_t len)
{
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(fd, (const char *)bytes + sent, len - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    return true;
}

static inline void *serve(void *arg)
{
    struct server *s = arg;
    char byte, spaces[4096];
    int fd = accept(s->listener, NULL, NULL);
    for (unsigned i = 0; fd >= 0 && i < s->nsteps; i++) {
        if (!read_frame(s, fd) || !send_all(fd, s->steps[i].bytes.data, s->steps[i].bytes.len))
            break;
        if (s->steps[i].hang) {
            CHECK(read(s->stop[0], &byte, 1) == 0);
            break;
        }
    }
    memset(spaces, ' ', sizeof(spaces));
    while (s->endless && send_all(fd, spaces, sizeof(spaces)))
        ;
    if (fd >= 0)
        close(fd);
    return NULL;
}

static inline void start(struct server *s)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(s->folder, "ask-XXXXXX");
    if (!mkdtemp(s->folder))
        abort();
    snprintf(s->path, sizeof(s->path), "%s/demo.sock", s->folder);
    snprintf(s->address, sizeof(s->address), "unix:%s", s->path);
    memcpy(a.sun_path, s->path, sizeof(s->path));
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s->listener, 5) < 0 ||
        pipe(s->stop) < 0 || pthread_create(&s->thread, NULL, serve, s) != 0)
        abort();
}

/* Waits until the script is over: then what the server has seen can be looked at. */
static inline void join(struct server *s)
{
    if (!s->joined)
        pthread_join(s->thread, NULL);
    s->joined = true;
}

static inline void finish(struct server *s)
{
    close(s->stop[1]);
    shutdown(s->listener, SHUT_RDWR);
    join(s);
    close(s->stop[0]);
    close(s->listener);
    unlink(s->path);
    rmdir(s->folder);
    for (size_t i = 0; i < 4; i++) {
        cell_buffer_free(&s->steps[i].bytes);
        cell_buffer_free(&s->messages[i]);
    }
}

/* ---- scripts ---- */

static inline void pair(struct cell_buffer *meta, const char *key, const char *value)
{
    if (cell_meta_append(meta, key, value, strlen(value)) < 0)
        abort();
}

/* Adds a frame to the current step; consumes `meta`. */
static inline void add_frame(struct server *s, struct cell_frame f, struct cell_buffer *meta, const char *message)
{
    uint8_t header[CELL_FRAME_HEADER];
    struct cell_buffer *to = &s->steps[s->nsteps].bytes;
    size_t meta_len = meta ? meta->len : 0, len = message ? strlen(message) : 0;
    f.meta_len = (uint16_t)meta_len;
    if (!f.length)
        f.length = (uint32_t)(meta_len + len);
    cell_frame_encode(&f, header);
    cell_buffer_append(to, header, sizeof(header));
    if (meta_len)
        cell_buffer_append(to, meta->data, meta_len);
    if (len)
        cell_buffer_append(to, message, len);
    if (meta)
        cell_buffer_free(meta);
}

static inline void welcome(struct server *s)
{
    struct cell_buffer meta = {0};
    pair(&meta, ":cell", "demo");
    pair(&meta, ":fingerprint", PRINT);
    pair(&meta, ":max-message", "4194304");
    add_frame(s, (struct cell_frame){.kind = CELL_FRAME_WELCOME, .channel = CELL_CHANNEL_COMPILE}, &meta, NULL);
    s->nsteps++;
}

static inline struct cell_frame reply_frame(void)
{
    return (struct cell_frame){.kind = CELL_FRAME_REPLY, .channel = CELL_CHANNEL_COMPILE, .id = 1};
}

static inline bool says(const char *part)
{
    bool found = strstr(e.text, part) != NULL;
    if (!found)
        printf("# \"%s\"\n", e.text);
    return found;
}

#endif
