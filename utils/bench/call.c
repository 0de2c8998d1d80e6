/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Alternates rounds of a bare echo over a Unix socket and of calls that carry as many bytes, each to a process of its
 * own, and prints the nanoseconds of one exchange: "echo NS call NS". Usage: bench-call one-cpu|two-cpus [ROUNDS]. See
 * utils/bench/call.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "cell/server.h"
#include "core/schema.h"

#define SIZE 64
#define PER_ROUND 2000

static const struct cell_field in_fields[] = {{"data", &cell_type_u8, 0, SIZE, CELL_FIELD_REF, 0}};
static const struct cell_field out_fields[] = {{"out", &cell_type_u8, 0, SIZE, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};

static int invoke_echo(cell_ctx *c, const void *in, void *const *out)
{
    (void)c;
    memcpy(out[0], ((const struct cell_ref *)in)->ptr, SIZE);
    return 0;
}

static const struct cell_method client_method = {"bench_echo", in_fields, out_fields, 1, 1, 16, 0, NULL};
static const struct cell_method server_method = {"bench_echo", in_fields, out_fields, 1, 1, 16, 0, invoke_echo};
static const struct cell_method *const server_methods[] = {&server_method};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* The schema that the descriptors stand for, as CELL_PROVIDE would have embedded it; *fingerprint gets 64 digits. */
static char *embedded_schema(char fingerprint[65])
{
    const struct cell_service service = {CELL_DESC_ABI, 1, "bench", "", &client_method, NULL};
    struct cell_schema *schema = NULL;
    struct cell_error e = {0};
    struct cell_buffer json = {0};
    if (cell_schema_from_service(&service, &schema, &e) < 0 || cell_schema_format(schema, &json) < 0) {
        fprintf(stderr, "bench-call: %s\n", e.text);
        exit(1);
    }
    memcpy(fingerprint, schema->fingerprint, 65);
    struct cell_schema_header header = {.size = json.len};
    memcpy(header.magic, CELL_SCHEMA_MAGIC, sizeof header.magic);
    memcpy(header.fingerprint, fingerprint, sizeof header.fingerprint);
    char *blob = malloc(sizeof header + json.len);
    if (!blob)
        die("malloc");
    memcpy(blob, &header, sizeof header);
    memcpy(blob + sizeof header, json.data, json.len);
    cell_buffer_free(&json);
    cell_schema_free(schema);
    return blob;
}

/* Pins this process and what it starts to the n-th of the CPUs that it may use, counted round. */
static void pin(const cpu_set_t *all, int n)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    n %= CPU_COUNT(all);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, all) && n-- == 0)
            CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) < 0)
        die("sched_setaffinity");
}

static pid_t start_cell(const char *address, const char *schema)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const struct cell_provided provided = {CELL_DESC_ABI, 0, "bench", schema, server_methods, server_methods + 1};
    const struct cell_server_options options = {.address = address};
    struct cell_server *server = NULL;
    if (cell_server_new_from(&provided, &options, &server) < 0 || cell_server_run(server) < 0)
        fprintf(stderr, "bench-call: %s\n", cell_server_message(server));
    _exit(1);
}

/* Starts a process that sends back what it gets; returns the connected socket. */
static int start_echo(const char *path, pid_t *pid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1) < 0)
        die(path);
    *pid = fork();
    if (*pid == 0) {
        char bytes[SIZE];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = accept(listener, NULL, NULL);
        while (recv(fd, bytes, sizeof bytes, 0) == SIZE && send(fd, bytes, sizeof bytes, 0) == SIZE)
            continue;
        _exit(0);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("connect");
    close(listener);
    return fd;
}

static uint64_t echo_round(int fd)
{
    char bytes[SIZE] = {1};
    uint64_t start = cell_now_ns();
    for (int i = 0; i < PER_ROUND; i++)
        if (send(fd, bytes, SIZE, 0) != SIZE || recv(fd, bytes, SIZE, 0) != SIZE)
            die("echo");
    return (cell_now_ns() - start) / PER_ROUND;
}

static uint64_t call_round(cell_ctx *c, const struct cell_service *service)
{
    uint8_t bytes[SIZE] = {1}, back[SIZE];
    const struct cell_ref in = {bytes, SIZE};
    void *const out[] = {back};
    uint64_t start = cell_now_ns();
    for (int i = 0; i < PER_ROUND; i++) {
        if (cell_call(c, service, 0, &in, out) < 0)
            exit(cell_perror(c, "bench-call"));
        cell_ctx_reset(c);
    }
    return (cell_now_ns() - start) / PER_ROUND;
}

static cell_ctx *connect_cell(const char *address, struct cell_client **client)
{
    if (cell_client_open(address, client) < 0)
        die("cell_client_open");
    const struct cell_ctx_options options = {.client = *client};
    return cell_ctx_open(&options);
}

int main(int argc, char **argv)
{
    int two = argc > 1 && strcmp(argv[1], "two-cpus") == 0, rounds = argc > 2 ? atoi(argv[2]) : 100;
    char folder[] = "/tmp/bench-call-XXXXXX", address[128], path[128], fingerprint[65];
    if (!mkdtemp(folder))
        die(folder);
    snprintf(address, sizeof address, "unix:%s/cell.sock", folder);
    snprintf(path, sizeof path, "%s/echo.sock", folder);
    cpu_set_t cpus;
    if (sched_getaffinity(0, sizeof cpus, &cpus) < 0)
        die("sched_getaffinity");
    pin(&cpus, two);
    char *schema = embedded_schema(fingerprint);
    pid_t cell = start_cell(address, schema), echo;
    int fd = start_echo(path, &echo);
    pin(&cpus, 0);
    struct cell_client *client = NULL, *slot = NULL;
    const struct cell_service service = {CELL_DESC_ABI, 1, "bench", fingerprint, &client_method, &slot};
    cell_ctx *c = connect_cell(address, &client);
    while (access(address + strlen("unix:"), F_OK) != 0)
        usleep(1000);
    call_round(c, &service);
    echo_round(fd);
    for (int i = 0; i < rounds; i++) {
        uint64_t e = echo_round(fd), k = call_round(c, &service);
        printf("echo %llu call %llu\n", (unsigned long long)e, (unsigned long long)k);
    }
    cell_ctx_close(c);
    cell_client_close(client);
    free(schema);
    kill(cell, SIGKILL);
    kill(echo, SIGKILL);
    while (wait(NULL) > 0)
        continue;
    unlink(path);
    unlink(address + strlen("unix:"));
    rmdir(folder);
    return 0;
}
