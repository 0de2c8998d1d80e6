/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cluster_files.h"

#define POLL_MS 5
#define REPORT_MS 5000    /* between reports of a start that takes long */
#define STOP_S 30         /* for a shutdown with its checkpoint */
#define HEALTHY_S 10      /* after which a crash is a first one again */
#define LONGEST_PAUSE_S 8 /* between starts of a server that crashes */
#define SOCKET_PATH 107   /* bytes of a socket's path */
#define SOCKET "/.s.PGSQL.5432"

/* `lock` guards what follows it. One thread, the keeper, starts the server and waits for it: its end would be the
 * server's (PR_SET_PDEATHSIG). */
struct pg_cluster {
    struct pg_state state;
    struct pg_programs programs;
    struct pg_cluster_options options;
    char *conninfo;
    pthread_t keeper;
    bool kept; /* the thread exists */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pid_t server; /* 0 = none */
    bool stopping, started, ended;
    int first; /* how the first start came out, when `started` */
    struct pg_failure failure;
};

static void report(const struct pg_cluster *c, const char *text)
{
    if (c->options.progress)
        c->options.progress(c->options.user, text);
}

/* The server says in its pid file when it accepts connections. */
static bool is_ready(const struct pg_cluster *c, pid_t pid)
{
    char text[1024], *rest = text, *line = NULL;
    int fd = openat(c->state.folder, "data/postmaster.pid", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    if (atol(text) != (long)pid)
        return false;
    for (int i = 0; i < 8; i++)
        line = strsep(&rest, "\n");
    return line && strncmp(line, "ready", 5) == 0;
}

/* The reason in the log since `from`; at most one line. */
static void read_reason(int log, off_t from, char *text, size_t size)
{
    char bytes[8192], *rest = bytes;
    struct stat s;

    snprintf(text, size, "see postgres.log");
    if (fstat(log, &s) < 0)
        return;
    if (s.st_size - from > (off_t)sizeof(bytes) - 1)
        from = s.st_size - (off_t)sizeof(bytes) + 1;
    ssize_t n = pread(log, bytes, sizeof(bytes) - 1, from);
    bytes[n > 0 ? n : 0] = '\0';
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *at = strstr(line, "FATAL:  ");
        at = at ? at : strstr(line, "PANIC:  ");
        if (at)
            snprintf(text, size, "%s", at + 8);
    }
}

/* Waits until the process of the server ends, without freeing its number, so that nobody signals another one. */
static bool has_ended(pid_t pid, bool wait)
{
    siginfo_t info = {0};
    int r;

    while ((r = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | (wait ? 0 : WNOHANG))) < 0 && errno == EINTR)
        continue;
    return r < 0 || info.si_pid == pid;
}

static int wait_until_ready(struct pg_cluster *c, pid_t pid, int log, off_t from, struct pg_failure *f)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000};
    int64_t next = pg_now_ms() + REPORT_MS;
    char reason[256];

    while (!is_ready(c, pid)) {
        if (has_ended(pid, false)) {
            read_reason(log, from, reason, sizeof(reason));
            return pg_fail(f, strstr(reason, "No space left") ? CELL_RESOURCE_EXHAUSTED : CELL_UNAVAILABLE,
                           "the server of %s does not start: %s", c->state.path, reason);
        }
        if (pg_now_ms() >= next) {
            report(c, "the server is starting; after a crash it reads what was written since its last checkpoint");
            next = pg_now_ms() + REPORT_MS;
        }
        nanosleep(&pause, NULL);
    }
    return CELL_OK;
}

static int start_server(struct pg_cluster *c, struct pg_failure *f)
{
    char program[320];
    /* What must not be changed comes from here; the rest from postgresql.conf. */
    const char *const argv[] = {program,
                                "-D",
                                PG_DATA_PATH,
                                "-p",
                                "5432",
                                "-c",
                                "listen_addresses=",
                                "-c",
                                "unix_socket_directories=" PG_RUN_PATH,
                                "-c",
                                "unix_socket_permissions=0700",
                                "-c",
                                "logging_collector=off",
                                NULL};
    pid_t pid;
    int r = pg_state_end_others(&c->state, c->options.progress, c->options.user, f);
    int log = r >= 0 ? pg_state_open_log(&c->state, f) : r;
    if (log < 0)
        return log;
    struct pg_spawn spawn = {argv, &c->state.account, -1, log, c->state.data, c->state.run, SIGINT};
    off_t from = lseek(log, 0, SEEK_END);

    snprintf(program, sizeof(program), "%s/postgres", c->programs.bindir);
    pthread_mutex_lock(&c->lock);
    r = c->stopping ? pg_fail(f, CELL_CANCELLED, "stopped") : pg_spawn(&spawn, &pid, f);
    if (r >= 0)
        c->server = pid;
    pthread_mutex_unlock(&c->lock);
    if (r >= 0)
        r = wait_until_ready(c, pid, log, from, f);
    close(log);
    return r;
}

/* Waits for the end of the server, if it runs. */
static void reap(struct pg_cluster *c)
{
    pid_t pid = c->server;

    if (!pid)
        return;
    has_ended(pid, true);
    pthread_mutex_lock(&c->lock);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    c->server = 0;
    pthread_mutex_unlock(&c->lock);
}

static void tell_first(struct pg_cluster *c, int r, const struct pg_failure *f)
{
    pthread_mutex_lock(&c->lock);
    c->started = true;
    c->first = r;
    if (r < 0)
        c->failure = *f;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* True when the cluster is to be stopped. */
static bool pause_or_stop(struct pg_cluster *c, int seconds)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&c->lock);
    while (!c->stopping && pthread_cond_timedwait(&c->changed, &c->lock, &until) == 0)
        continue;
    bool stopping = c->stopping;
    pthread_mutex_unlock(&c->lock);
    return stopping;
}

static void *keep(void *user)
{
    struct pg_cluster *c = user;
    struct pg_failure f = {0};
    int pause = 1, r = start_server(c, &f);

    if (r < 0)
        reap(c);
    tell_first(c, r, &f);
    while (r >= 0) {
        int64_t since = pg_now_ms();
        reap(c);
        if (pause_or_stop(c, 0))
            break;
        report(c, "the server has ended; it is started again");
        pause = pg_now_ms() - since > HEALTHY_S * 1000 ? 1 : pause;
        while (start_server(c, &f) < 0) {
            reap(c);
            if (pause_or_stop(c, pause))
                goto out;
            report(c, f.text);
            pause = pause < LONGEST_PAUSE_S ? pause * 2 : pause;
        }
    }
out:
    pthread_mutex_lock(&c->lock);
    c->ended = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static int start_keeper(struct pg_cluster *c, struct pg_failure *f)
{
    sigset_t all, before;

    /* Signals are for the threads of the cell's server. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&c->keeper, NULL, keep, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return pg_fail(f, CELL_RESOURCE_EXHAUSTED, "a thread: %s", strerror(failed));
    c->kept = true;
    pthread_mutex_lock(&c->lock);
    while (!c->started)
        pthread_cond_wait(&c->changed, &c->lock);
    int r = c->first;
    if (r < 0)
        *f = c->failure;
    pthread_mutex_unlock(&c->lock);
    return r;
}

/* A path that is too long for a socket goes through this process' descriptor: every process of this user can use it. */
static int name_socket(struct pg_cluster *c, struct pg_failure *f)
{
    bool fits = strlen(c->state.path) + strlen("/run" SOCKET) <= SOCKET_PATH && !strpbrk(c->state.path, "'\\,@");
    int n = fits ? asprintf(&c->conninfo, "host='%s/run' port=5432 user=cell dbname=cell", c->state.path)
                 : asprintf(&c->conninfo, "host=/proc/%ld/fd/%d port=5432 user=cell dbname=cell", (long)getpid(),
                            c->state.run);

    if (n < 0) {
        c->conninfo = NULL;
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    return CELL_OK;
}

/* The cell's own database: initdb makes only those of PostgreSQL. */
static int make_database(const struct pg_cluster *c, struct pg_failure *f)
{
    char conninfo[512];
    const struct pg_target target = {conninfo, NULL};
    PGconn *conn = NULL;
    PGresult *result = NULL;

    snprintf(conninfo, sizeof(conninfo), "%.*s dbname=postgres", (int)(strlen(c->conninfo) - strlen(" dbname=cell")),
             c->conninfo);
    int r = pg_connect(&target, 0, &conn, f);
    if (r < 0)
        return r;
    r = pg_query(conn, "SELECT FROM pg_catalog.pg_database WHERE datname = 'cell'", 0, NULL, &result, f);
    if (r >= 0 && PQntuples(result) == 0)
        r = pg_run(conn, "CREATE DATABASE cell", f);
    PQclear(result);
    PQfinish(conn);
    return r;
}

static int prepare(struct pg_cluster *c, struct pg_failure *f)
{
    char text[512];
    int r = pg_state_open(c->options.state, &c->state, f);

    if (r < 0)
        return r;
    pg_state_clean(&c->state);
    int major = pg_state_version(&c->state, f);
    if (major < 0)
        return major;
    r = pg_programs_find(c->options.bindir, major, &c->state.account, &c->programs, f);
    if (r < 0)
        return r;
    if (major == 0) {
        snprintf(text, sizeof(text), "making a PostgreSQL %d cluster in %.300s", c->programs.major, c->state.path);
        report(c, text);
        r = pg_state_init(&c->state, &c->programs, f);
    }
    return r < 0 ? r : pg_state_open_parts(&c->state, f);
}

int pg_cluster_start(const struct pg_cluster_options *options, struct pg_cluster **cluster, struct pg_failure *f)
{
    struct pg_cluster *c = calloc(1, sizeof(*c));
    pthread_condattr_t monotonic;

    if (!c)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    c->options = *options;
    c->state = (struct pg_state){.folder = -1, .lock = -1, .data = -1, .run = -1};
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int r = prepare(c, f);
    if (r >= 0)
        r = name_socket(c, f);
    if (r >= 0)
        r = start_keeper(c, f);
    if (r >= 0)
        r = make_database(c, f);
    if (r < 0) {
        pg_cluster_stop(c);
        return r;
    }
    *cluster = c;
    return CELL_OK;
}

static void stop_server(struct pg_cluster *c)
{
    struct timespec until;

    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_broadcast(&c->changed);
    if (c->server)
        kill(c->server, SIGINT);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += STOP_S;
    while (!c->ended && pthread_cond_timedwait(&c->changed, &c->lock, &until) == 0)
        continue;
    if (!c->ended && c->server)
        kill(c->server, SIGQUIT);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->keeper, NULL);
}

void pg_cluster_stop(struct pg_cluster *c)
{
    if (!c)
        return;
    if (c->kept)
        stop_server(c);
    pg_state_close(&c->state);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c->conninfo);
    free(c);
}

const char *pg_cluster_conninfo(const struct pg_cluster *c) { return c->conninfo; }
const char *pg_cluster_bindir(const struct pg_cluster *c) { return c->programs.bindir; }
const char *pg_cluster_state(const struct pg_cluster *c) { return c->state.path; }
