/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What stands between a pool and its server, and says some things in its own words. */
#ifndef TEST_PG_RELAY_H
#define TEST_PG_RELAY_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "temp_folder.h"

#define RELAY_MOST 32

/* In temp_folder. Whatever the server says has `to` in place of `from`, of one length. */
static struct relay {
    int listener, stop[2];
    pthread_t thread;
    struct sockaddr_un real;
    int pairs[RELAY_MOST][2]; /* program, server */
    _Atomic(const char *) from, to;
} relay;

static void relay_rewrite(char *bytes, size_t n)
{
    const char *from = atomic_load(&relay.from), *to = atomic_load(&relay.to);
    size_t len = from ? strlen(from) : 0;

    for (char *at = bytes; len && (at = memmem(at, n - (size_t)(at - bytes), from, len)) != NULL; at += len)
        memcpy(at, to, len);
}

/* False: one of the two has ended. */
static bool relay_pass(int from, int to, bool rewrites)
{
    char bytes[65536];
    ssize_t n = read(from, bytes, sizeof(bytes)), sent = 0;

    if (n <= 0)
        return false;
    if (rewrites)
        relay_rewrite(bytes, (size_t)n);
    while (sent < n) {
        ssize_t r = send(to, bytes + sent, (size_t)(n - sent), MSG_NOSIGNAL);
        if (r < 0)
            return false;
        sent += r;
    }
    return true;
}

static void relay_close(int *pair)
{
    close(pair[0]);
    close(pair[1]);
    pair[0] = pair[1] = -1;
}

static void relay_accept(void)
{
    int i = 0;

    while (i < RELAY_MOST && relay.pairs[i][0] >= 0)
        i++;
    if (i == RELAY_MOST)
        exit(1);
    relay.pairs[i][0] = accept(relay.listener, NULL, NULL);
    relay.pairs[i][1] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(relay.pairs[i][1], (const struct sockaddr *)&relay.real, sizeof(relay.real)) < 0)
        relay_close(relay.pairs[i]);
}

static void *relay_run(void *user)
{
    for (;;) {
        struct pollfd all[2 + 2 * RELAY_MOST] = {{relay.stop[0], POLLIN, 0}, {relay.listener, POLLIN, 0}};
        for (int i = 0; i < 2 * RELAY_MOST; i++)
            all[2 + i] = (struct pollfd){relay.pairs[i / 2][i % 2], POLLIN, 0};
        if (poll(all, 2 + 2 * RELAY_MOST, -1) < 0)
            continue;
        if (all[0].revents)
            return user;
        for (int i = 0; i < 2 * RELAY_MOST; i++) {
            int *pair = relay.pairs[i / 2];
            if (all[2 + i].revents && pair[0] >= 0 && !relay_pass(pair[i % 2], pair[1 - i % 2], i % 2))
                relay_close(pair);
        }
        if (all[1].revents)
            relay_accept();
    }
}

/* To the server on the unix socket of `conn`, in whose place `conninfo` then names this. */
static void relay_start(const PGconn *conn, char *conninfo, size_t size)
{
    struct sockaddr_un own = {.sun_family = AF_UNIX};

    temp_folder_make();
    relay.real = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(relay.real.sun_path, sizeof(own.sun_path), "%.80s/.s.PGSQL.%.8s", PQhost(conn), PQport(conn));
    snprintf(own.sun_path, sizeof(own.sun_path), "%.64s/.s.PGSQL.%.8s", temp_folder, PQport(conn));
    snprintf(conninfo, size, "host=%s port=%s user=%s dbname=%s", temp_folder, PQport(conn), PQuser(conn), PQdb(conn));
    memset(relay.pairs, -1, sizeof(relay.pairs));
    relay.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(relay.listener, (const struct sockaddr *)&own, sizeof(own)) < 0 || listen(relay.listener, 64) < 0 ||
        pipe(relay.stop) < 0 || pthread_create(&relay.thread, NULL, relay_run, NULL) != 0)
        exit(1);
}

static void relay_says(const char *from, const char *to)
{
    atomic_store(&relay.from, NULL);
    atomic_store(&relay.to, to);
    atomic_store(&relay.from, from);
}

static void relay_stop(void)
{
    close(relay.stop[1]);
    pthread_join(relay.thread, NULL);
    for (int i = 0; i < RELAY_MOST; i++)
        if (relay.pairs[i][0] >= 0)
            relay_close(relay.pairs[i]);
    close(relay.stop[0]);
    close(relay.listener);
    temp_folder_remove();
}

#endif
