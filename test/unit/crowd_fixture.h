/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Many clients at one server: connections by hand, handlers of the test's own, and what the server says of itself. */
#ifndef CELL_TEST_CROWD_FIXTURE_H
#define CELL_TEST_CROWD_FIXTURE_H

#include "call_fixture.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "wire/limits.h"
#include "wire/message.h"

/* Replaces one handler of the demo service in `d`. */
static struct cell_method crowd_methods[DEMO_COUNT];
static UNUSED void crowd_handler(struct demo_server *d, int method, cell_invoke_fn *handler)
{
    struct cell_method *methods = crowd_methods;
    static const struct cell_method *handlers[DEMO_COUNT];
    for (int i = 0; i < DEMO_COUNT; i++) {
        if (!d->handlers)
            methods[i] = server_methods[i];
        handlers[i] = &methods[i];
    }
    methods[method].invoke = handler;
    d->handlers = handlers;
}

/* And then the descriptors of what goes in. */
static UNUSED void crowd_rules(int method, const struct cell_field *in) { crowd_methods[method].in = in; }

/* Connects and shakes hands; the code of WELCOME at *code. With `text` this must stand in WELCOME. */
static UNUSED int crowd_connect(int *code, const char *text)
{
    struct cell_frame f = {0};
    uint8_t *payload = NULL;
    int fd = raw_connect();
    raw_hello(fd, CELL_CHANNEL_APP, "demo", demo_fingerprint, "lp64-le"); /* fails when the answer came first */
    *code = raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_WELCOME ? f.code : CELL_UNKNOWN;
    CHECK(!text || (payload && memmem(payload, f.length, text, strlen(text)) != NULL));
    free(payload);
    return fd;
}

/* An encoded request of one method; to be freed. */
static UNUSED struct cell_buffer crowd_request(int method, const void *in)
{
    struct cell_buffer b = {0};
    const struct cell_method *m = &client_methods[method];
    const struct cell_layout layout = {m->in, m->nin, m->in_size};
    CHECK(cell_message_encode(&layout, in, CELL_MAX_MESSAGE, &b, NULL) >= 0);
    return b;
}

static UNUSED bool crowd_send(int fd, int method, uint64_t id, const struct cell_buffer *request)
{
    const struct cell_frame f = {.kind = CELL_FRAME_CALL, .code = method, .id = id};
    return raw_send(fd, f, NULL, 0, request->data, request->len);
}

/* The code of the next reply; CELL_UNKNOWN when none came. */
static UNUSED int crowd_reply(int fd, uint64_t id)
{
    struct cell_frame f;
    uint8_t *payload = NULL;
    bool got = raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_REPLY && f.id == id;
    free(payload);
    return got ? f.code : CELL_UNKNOWN;
}

/* The answer on the operations channel; to be freed. Asks again while the user is over his limit: that a connection was
 * closed is not seen at once. */
static UNUSED char *crowd_ask(int method)
{
    const struct cell_frame call = {.kind = CELL_FRAME_CALL, .channel = CELL_CHANNEL_OPS, .code = method, .id = 1};
    struct cell_frame f = {.code = CELL_RESOURCE_EXHAUSTED};
    uint8_t *payload = NULL;
    int fd = -1;
    while (f.code == CELL_RESOURCE_EXHAUSTED) {
        if (fd >= 0)
            close(fd);
        fd = raw_connect();
        raw_hello(fd, CELL_CHANNEL_OPS, "demo", NULL, "lp64-le");
        f.code = CELL_UNKNOWN;
        CHECK(raw_recv(fd, &f, &payload));
        free(payload);
        payload = NULL;
    }
    CHECK(f.code == 0);
    CHECK(raw_send(fd, call, NULL, 0, NULL, 0) && raw_recv(fd, &f, &payload));
    close(fd);
    char *text = payload ? strndup((const char *)payload, f.length) : strdup("");
    free(payload);
    return text;
}

static UNUSED uint64_t crowd_counter(const char *name)
{
    char quoted[64], *text = crowd_ask(CELL_OPS_METRICS);
    snprintf(quoted, sizeof(quoted), "\"%s\",\"value\":", name);
    const char *at = strstr(text, quoted);
    uint64_t value = at ? strtoull(at + strlen(quoted), NULL, 10) : 0;
    free(text);
    return value;
}

/* Open connections of the app channel, as the server's health has them. */
struct crowd_connections {
    unsigned plain, shm;
};
static UNUSED struct crowd_connections crowd_connections(void)
{
    struct crowd_connections n = {UINT32_MAX, UINT32_MAX};
    char *text = crowd_ask(CELL_OPS_HEALTH);
    const char *at = strstr(text, "\"connections\":{");
    CHECK(at && sscanf(at, "\"connections\":{\"unix\":%u,\"shm\":%u}", &n.plain, &n.shm) == 2);
    free(text);
    return n;
}

/* Whether a thread has begun to exit: PF_EXITING in the ninth field of its stat (proc_pid_stat(5)), or nothing is left.
 */
static UNUSED bool crowd_thread_exits(int tasks, const char *tid)
{
    char path[64], stat[512] = "";
    unsigned flags = 0;
    snprintf(path, sizeof(path), "%s/stat", tid);
    int fd = openat(tasks, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
    if (fd >= 0)
        close(fd);
    const char *after_name = n > 0 ? strrchr(stat, ')') : NULL;
    if (!after_name)
        return true;
    CHECK(sscanf(after_name, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1);
    return flags & 0x4;
}

/* The threads of this process. A thread that was joined may still be listed for a moment, so those that exit are not
   counted: the system marks them before it lets the one that joins go on. */
static UNUSED int crowd_threads(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/task");
    for (const struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.' && !crowd_thread_exits(dirfd(dir), e->d_name);
    closedir(dir);
    return n;
}

/* Waits until the server has no threads: then all connections are idle. `before` are those without any server. */
static UNUSED void crowd_wait_for_threads(int before)
{
    while (crowd_threads() > before + 1) /* the one that runs the server */
        usleep(10000);
}

/* Descriptors for `connections` at both of their ends: how many there can be. */
static UNUSED int crowd_descriptors(int connections)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    rlim_t can = (limit.rlim_cur - 100) / 2;
    if (can >= (rlim_t)connections)
        return connections;
    printf("# only %d connections: the hard limit of descriptors is %d\n", (int)can, (int)limit.rlim_max);
    return (int)can;
}

#endif
