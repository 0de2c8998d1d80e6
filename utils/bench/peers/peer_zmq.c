/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* ZeroMQ, REQ and REP over ipc. */
#include "driver.h"

#include <stdio.h>
#include <string.h>
#include <zmq.h>

struct side {
    char address[256];
    void *socket;
};

static char payload[64 << 10], reply[64 << 10];

static void *open_socket(int type)
{
    void *context = zmq_ctx_new();
    void *socket = context ? zmq_socket(context, type) : NULL;
    if (!socket)
        bench_die("zmq_socket: %s", zmq_strerror(zmq_errno()));
    return socket;
}

static void serve(struct bench *b, void *user)
{
    struct side *s = user;
    void *socket = open_socket(ZMQ_REP);
    if (zmq_bind(socket, s->address) != 0)
        bench_die("zmq_bind: %s", zmq_strerror(zmq_errno()));
    bench_ready(b);
    for (;;) {
        int n = zmq_recv(socket, payload, sizeof payload, 0);
        if (n < 0 || zmq_send(socket, payload, (size_t)n, 0) < 0)
            bench_die("server: %s", zmq_strerror(zmq_errno()));
    }
}

static void call_run(void *user, const struct bench_case *c)
{
    struct side *s = user;
    if (zmq_send(s->socket, payload, c->size, 0) < 0 || zmq_recv(s->socket, reply, sizeof reply, 0) != (int)c->size)
        bench_die("call: %s", zmq_strerror(zmq_errno()));
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {{"call-64", 1, 64, 0, call_run, NULL},
                                              {"call-65536", 1, sizeof payload, 0, call_run, NULL}};
    struct bench b;
    struct side s;
    bench_init(&b, argc, argv);
    snprintf(s.address, sizeof s.address, "ipc://%s/zmq.sock", b.folder);
    bench_start(&b, serve, &s);
    s.socket = open_socket(ZMQ_REQ);
    if (zmq_connect(s.socket, s.address) != 0)
        bench_die("zmq_connect: %s", zmq_strerror(zmq_errno()));
    const struct bench_program program = {cases, sizeof cases / sizeof *cases, &s, NULL};
    return bench_serve(&b, &program);
}
