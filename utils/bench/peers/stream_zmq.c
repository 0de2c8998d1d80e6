/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* ZeroMQ, PUSH and PULL over ipc, a message for each record:  peer-stream-zeromq FOLDER N */
#include <string.h>
#include <zmq.h>

#include "stream_run.h"

static void *open_socket(int type)
{
    void *context = zmq_ctx_new();
    void *socket = context ? zmq_socket(context, type) : NULL;

    if (!socket)
        bench_die("zmq_socket: %s", zmq_strerror(zmq_errno()));
    return socket;
}

static const char *address_of(const struct stream_run *s, char address[4096])
{
    snprintf(address, 4096, "ipc://%s/zmq.sock", s->where);
    return address;
}

static void *write_all(void *user)
{
    struct stream_run *s = user;
    void *socket = open_socket(ZMQ_PUSH);
    uint64_t record[RECORD / 8] = {0};
    char address[4096];

    stream_pin(0);
    if (zmq_connect(socket, address_of(s, address)) != 0)
        bench_die("zmq_connect: %s", zmq_strerror(zmq_errno()));
    pthread_barrier_wait(&s->begin);
    for (record[0] = 0; record[0] < s->n; record[0]++)
        if (zmq_send(socket, record, sizeof(record), 0) < 0)
            bench_die("zmq_send: %s", zmq_strerror(zmq_errno()));
    return NULL;
}

static void *read_all(void *user)
{
    struct stream_run *s = user;
    void *socket = open_socket(ZMQ_PULL);
    uint64_t record[RECORD / 8];
    char address[4096];

    stream_pin(1);
    if (zmq_bind(socket, address_of(s, address)) != 0)
        bench_die("zmq_bind: %s", zmq_strerror(zmq_errno()));
    pthread_barrier_wait(&s->begin);
    for (uint64_t i = 0; i < s->n; i++)
        if (zmq_recv(socket, record, sizeof(record), 0) != (int)sizeof(record) || record[0] != i)
            bench_die("record %llu is another one", (unsigned long long)i);
    return NULL;
}

int main(int argc, char **argv) { return argc == 3 ? stream_run(write_all, read_all, argv[1], argv[2]) : 2; }
