/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* nng, request and reply over ipc. */
#include "driver.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>

struct side {
    char address[256];
    nng_socket socket;
};

static char payload[64 << 10], reply[64 << 10];

static void check(int result, const char *what)
{
    if (result != 0)
        bench_die("%s: %s", what, nng_strerror(result));
}

static void serve(struct bench *b, void *user)
{
    struct side *s = user;
    check(nng_rep0_open(&s->socket), "nng_rep0_open");
    check(nng_listen(s->socket, s->address, NULL, 0), "nng_listen");
    bench_ready(b);
    for (;;) {
        size_t n = sizeof payload;
        check(nng_recv(s->socket, payload, &n, 0), "nng_recv");
        check(nng_send(s->socket, payload, n, 0), "nng_send");
    }
}

static void call_run(void *user, const struct bench_case *c)
{
    struct side *s = user;
    size_t n = sizeof reply;
    check(nng_send(s->socket, payload, c->size, 0), "nng_send");
    check(nng_recv(s->socket, reply, &n, 0), "nng_recv");
    if (n != c->size)
        bench_die("a reply of %zu bytes", n);
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {{"call-64", 1, 64, 0, call_run, NULL},
                                              {"call-65536", 1, sizeof payload, 0, call_run, NULL}};
    struct bench b;
    struct side s;
    bench_init(&b, argc, argv);
    snprintf(s.address, sizeof s.address, "ipc://%s/nng.sock", b.folder);
    bench_start(&b, serve, &s);
    check(nng_req0_open(&s.socket), "nng_req0_open");
    check(nng_dial(s.socket, s.address, NULL, 0), "nng_dial");
    const struct bench_program program = {cases, sizeof cases / sizeof *cases, &s, NULL};
    return bench_serve(&b, &program);
}
