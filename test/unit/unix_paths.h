/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Sockets in a folder of the test's own, for the tests of the Unix socket transport. */
#ifndef CELL_TEST_UNIX_PATHS_H
#define CELL_TEST_UNIX_PATHS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "remove_tree.h"
#include "process_state.h"
#include "transport/transport.h"

#define T cell_transport_unix
#define NOBODY 65534u

static char folder[64]; /* of this process, relative to where the test runs; removed at its end */
static struct cell_error e;

static inline void leave_folder(void) { remove_tree(folder); }

/* A path in the folder; four of them live at a time. */
static inline const char *at(const char *name)
{
    static char paths[4][4400];
    static unsigned next;
    char *path = paths[next++ % 4];
    if (!folder[0]) {
        strcpy(folder, "unix-XXXXXX");
        if (!mkdtemp(folder))
            abort();
        atexit(leave_folder);
    }
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static inline const char *address(const char *path)
{
    static char text[4500];
    snprintf(text, sizeof(text), "unix:%s", path);
    return text;
}

static inline int connect_to(const char *path, uint64_t wait_ms, bool any_owner, struct cell_conn **c)
{
    struct cell_connect_options o = {
        .deadline_ns = cell_now_ns() + wait_ms * CELL_NS_PER_MS, .max_payload = 4096, .any_owner = any_owner};
    memset(&e, 0, sizeof(e));
    return T.connect(address(path), &o, c, &e);
}

static inline int listen_on(const char *path, struct cell_listener **l)
{
    memset(&e, 0, sizeof(e));
    return T.listen(address(path), -1, l, &e);
}

static inline int raw_bind(const char *path, int type)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        abort();
    return fd;
}

static inline int raw_listen(const char *path, int backlog)
{
    int fd = raw_bind(path, SOCK_STREAM);
    if (listen(fd, backlog) < 0)
        abort();
    return fd;
}

static inline void make_stale(const char *path) { close(raw_listen(path, 1)); }

static inline bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static inline unsigned mode_of(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 ? st.st_mode & 07777 : 0xffff;
}

/* True when a client reaches this listener at this path. */
static inline bool reaches(const char *path, struct cell_listener *l)
{
    struct cell_conn *c = NULL, *s = NULL;
    const struct cell_frame f = {.kind = CELL_FRAME_GOAWAY};
    struct cell_received got;
    bool ok = connect_to(path, 10000, false, &c) == CELL_OK && T.accept(l, 4096, &s, &e) == CELL_OK &&
              cell_conn_send(c, &f, NULL, 0, CELL_NO_DEADLINE, &e) == CELL_OK &&
              cell_conn_recv(s, &got, CELL_NO_DEADLINE, &e) == CELL_OK && got.frame.kind == CELL_FRAME_GOAWAY;
    if (!ok)
        printf("# %s\n", e.text);
    cell_conn_close(c);
    cell_conn_close(s);
    return ok;
}

/* A path of `length` bytes whose last part has `name` of them. */
static inline const char *long_path(size_t length, size_t name)
{
    static char path[4400];
    size_t n = (size_t)snprintf(path, sizeof(path), "%s", at(""));
    while (n + name + 202 < length) {
        memset(path + n, 'd', 200);
        path[n + 200] = '/';
        n += 201;
    }
    if (n + name < length) {
        size_t rest = length - n - name - 1;
        memset(path + n, 'r', rest);
        n += rest;
        path[n++] = '/';
    }
    memset(path + n, 's', name);
    path[n + name] = '\0';
    return path;
}

#endif
