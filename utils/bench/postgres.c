/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The same work through the postgres cell and straight through libpq, in one process, in turns. utils/bench/postgres
 * compiles it against a cell that runs, and reads its answers: a name and numbers on each line.
 */
#include <cell/cell.h>

#include <endian.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "postgres_direct.h"

/* For what keeps processors awake. */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

CELL_REMOTE(postgres);

struct CELL_TABLE("bench_users") user {
    int64_t id CELL_KEY CELL_AUTO;
    cell_str email CELL_UNIQUE;
    cell_str name;
    cell_opt_i32 age;
};

/* No key but the number, so that COPY and inserts measure the way and not an index of texts. */
struct CELL_TABLE("bench_points") point {
    int64_t id CELL_KEY;
    int64_t stamp;
    double value;
    cell_str label;
};

/* ---- one row, both ways ---- */

static void get_through_cell(cell_ctx *c, int64_t id)
{
    struct user u;

    if (user_get(c, id, &u) < 0 || u.id != id)
        die("get", cell_ctx_message(c));
    cell_ctx_reset(c);
}

static void insert_through_cell(cell_ctx *c, int64_t id)
{
    const struct point p = {id, 1, 0.5, CELL_STR("label")};

    if (point_insert(c, &p) < 0)
        die("insert", cell_ctx_message(c));
    cell_ctx_reset(c);
}

/* ---- one after the other ---- */

struct pair {
    PGconn *connection;
    cell_ctx *c;
    bool inserts;
};

static int64_t next_id = INT64_C(1) << 40; /* no other part of this program comes so far */

static void once(const struct pair *p, bool through_cell)
{
    int64_t id = p->inserts ? next_id++ : 1 + random() % USERS;

    if (p->inserts)
        through_cell ? insert_through_cell(p->c, id) : insert_directly(p->connection, id);
    else
        through_cell ? get_through_cell(p->c, id) : get_directly(p->connection, id);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static uint64_t median_of(const struct pair *p, bool through_cell, int n, int pause_us)
{
    static uint64_t samples[100000];

    for (int i = 0; i < n; i++) {
        if (pause_us)
            nanosleep(&(struct timespec){.tv_nsec = (long)pause_us * 1000}, NULL);
        uint64_t begin = now_ns();
        once(p, through_cell);
        samples[i] = now_ns() - begin;
    }
    qsort(samples, (size_t)n, sizeof(samples[0]), compare);
    return samples[n / 2];
}

/* Rounds in turns: "pair DIRECT CELL" in nanoseconds, the medians of a round. */
static void run_pairs(bool inserts, int rounds, int n, int pause_us)
{
    CELL_CTX(c);
    const struct pair p = {connect_directly(), c, inserts};

    median_of(&p, false, n, 0);
    median_of(&p, true, n, 0);
    for (int i = 0; i < rounds; i++) {
        uint64_t first = median_of(&p, i % 2, n, pause_us), second = median_of(&p, !(i % 2), n, pause_us);
        printf("pair %" PRIu64 " %" PRIu64 "\n", i % 2 ? second : first, i % 2 ? first : second);
    }
    PQfinish(p.connection);
}

/* What Cell's own wake-ups are made of: a futex in memory of two processes. */
static void wake(_Atomic uint32_t *word)
{
    atomic_fetch_add(word, 1);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void sleep_while(_Atomic uint32_t *word, uint32_t value)
{
    while (atomic_load(word) == value)
        syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

/* A bare wake-up: there and back between two processes that sleep, halved. */
static void run_wakes(int rounds, int n, int pause_us)
{
    static uint64_t samples[100000];
    _Atomic uint32_t *words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    _Atomic uint32_t *there = words, *back = words + 64;
    uint32_t total = (uint32_t)(rounds * n);

    pid_t child = fork();
    if (child == 0) {
        for (uint32_t i = 0; i < total; i++) {
            sleep_while(there, i);
            wake(back);
        }
        _exit(0);
    }
    for (uint32_t i = 0; i < total; i++) {
        nanosleep(&(struct timespec){.tv_nsec = (long)pause_us * 1000}, NULL);
        uint64_t begin = now_ns();
        wake(there);
        sleep_while(back, i);
        samples[i % (uint32_t)n] = now_ns() - begin;
        if (i % (uint32_t)n != (uint32_t)n - 1)
            continue;
        qsort(samples, (size_t)n, sizeof(samples[0]), compare);
        printf("wake %" PRIu64 "\n", samples[n / 2] / 2);
    }
    waitpid(child, NULL, 0);
}

/* ---- many at once ---- */

static void *begin_cell(void *user)
{
    (void)user;
    return cell_ctx_open(NULL);
}

static void get_once(void *c, int64_t number) { get_through_cell(c, number); }
static void insert_once(void *c, int64_t number) { insert_through_cell(c, number); }
static void end_cell(void *c) { cell_ctx_close(c); }

static const struct crowd crowd_get = {begin_cell, get_once, end_cell, NULL, false};
static const struct crowd crowd_insert = {begin_cell, insert_once, end_cell, NULL, true};

/* ---- many rows ---- */

static void append(char **at, const void *bytes, size_t n)
{
    memcpy(*at, bytes, n);
    *at += n;
}

static void append_value(char **at, const void *bytes, uint32_t n)
{
    uint32_t length = htobe32(n);

    append(at, &length, 4);
    append(at, bytes, n);
}

/* Binary COPY as one would write it by hand. */
static void copy_directly(PGconn *connection, const struct point *points, int n)
{
    static char buffer[65536];
    char *at = buffer;
    uint16_t fields = htobe16(4), end = 0xffff;
    PGresult *r = PQexec(connection, "COPY bench_points (id, stamp, value, label) FROM STDIN (FORMAT binary)");

    if (PQresultStatus(r) != PGRES_COPY_IN)
        die("copy", PQerrorMessage(connection));
    PQclear(r);
    append(&at, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0", 19);
    for (int i = 0; i < n; i++) {
        uint64_t id = htobe64((uint64_t)points[i].id), stamp = htobe64((uint64_t)points[i].stamp), value;
        memcpy(&value, &points[i].value, sizeof(value));
        value = htobe64(value);
        append(&at, &fields, 2);
        append_value(&at, &id, 8);
        append_value(&at, &stamp, 8);
        append_value(&at, &value, 8);
        append_value(&at, points[i].label.ptr, (uint32_t)points[i].label.len);
        if (at - buffer > 60000) {
            PQputCopyData(connection, buffer, (int)(at - buffer));
            at = buffer;
        }
    }
    append(&at, &end, 2);
    PQputCopyData(connection, buffer, (int)(at - buffer));
    PQputCopyEnd(connection, NULL);
    r = PQgetResult(connection);
    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        die("copy", PQerrorMessage(connection));
    PQclear(r);
    PQclear(PQgetResult(connection));
}

/* "pair DIRECT CELL": nanoseconds of n rows. */
static void run_copies(int rounds, int n)
{
    CELL_CTX(c, .timeout_ms = UINT32_MAX);
    PGconn *connection = connect_directly();
    struct point *points = calloc((size_t)n, sizeof(*points));

    for (int i = 0; i < n; i++)
        points[i] = (struct point){i, i, 0.5 * i, CELL_STR("a label of some length")};
    for (int i = -1; i < rounds; i++) {
        uint64_t of[2];
        for (int k = 0; k < 2; k++) {
            bool cell = (i + 1 + k) % 2;
            execute(connection, "TRUNCATE bench_points");
            uint64_t begin = now_ns();
            if (!cell)
                copy_directly(connection, points, n);
            else if (point_insert_many(c, (point_rows){points, (uint64_t)n}) != n)
                die("insert_many", cell_ctx_message(c));
            of[cell] = now_ns() - begin;
            cell_ctx_reset(c);
        }
        if (i >= 0) /* the first one warms up */
            printf("pair %" PRIu64 " %" PRIu64 "\n", of[0], of[1]);
    }
    execute(connection, "TRUNCATE bench_points");
    PQfinish(connection);
    free(points);
}

/* "stream ROWS NS PEAK-KIB": reads the table that holds n rows, and what this process needed for it. */
static void run_stream(int64_t n)
{
    CELL_CTX(c, .timeout_ms = UINT32_MAX);
    PGconn *connection = connect_directly();
    char sql[256];
    struct point rows[64];
    uint64_t seen = 0, sum = 0;

    execute(connection, "TRUNCATE bench_points");
    snprintf(sql, sizeof(sql),
             "INSERT INTO bench_points SELECT i, i, i, 'row ' || i FROM generate_series(1, %" PRId64 ") i", n);
    execute(connection, sql);
    uint64_t begin = now_ns();
    struct point_all_iter it = point_all(c);
    for (size_t k; (k = point_all_next_n(&it, rows, 64)) > 0;) {
        for (size_t i = 0; i < k; i++)
            sum += (uint64_t)rows[i].id;
        seen += k;
    }
    if (point_all_end(&it) < 0)
        die("stream", cell_ctx_message(c));
    if ((int64_t)seen != n || sum != (uint64_t)n * ((uint64_t)n + 1) / 2)
        die("stream", "rows are missing");
    struct rusage usage;
    uint64_t ns = now_ns() - begin;
    getrusage(RUSAGE_SELF, &usage);
    printf("stream %" PRIu64 " %" PRIu64 " %ld\n", seen, ns, usage.ru_maxrss);
    execute(connection, "TRUNCATE bench_points");
    PQfinish(connection);
}

/*
 * Keeps the processors from halting, at a priority that takes nothing from others, until the input ends: waking a
 * halted processor of a virtual machine takes longer than everything that is compared, and depends on where the system
 * has put which process.
 */
static void run_spinners(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    const struct sched_param none = {0};

    for (long i = 0; i < n; i++) {
        if (fork() != 0)
            continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sched_setscheduler(0, SCHED_IDLE, &none);
        for (;;)
            atomic_signal_fence(memory_order_seq_cst);
    }
    puts("spinning");
    while (getchar() != EOF)
        continue;
}

static void prepare(void)
{
    PGconn *connection = PQconnectdb(getenv("PG_URL"));

    execute(connection, "TRUNCATE bench_users, bench_points");
    execute(connection,
            "INSERT INTO bench_users (email, name, age) SELECT 'user' || i || '@example.org', 'Name ' || i, i "
            "% 100 FROM generate_series(1, 10000) i");
    execute(connection, "UPDATE bench_users SET id = id - (SELECT min(id) FROM bench_users) + 1 WHERE (SELECT min(id) "
                        "FROM bench_users) <> 1");
    execute(connection, "VACUUM ANALYZE bench_users");
    PQfinish(connection);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    int a = argc > 2 ? atoi(argv[2]) : 0, b = argc > 3 ? atoi(argv[3]) : 0, pause = argc > 4 ? atoi(argv[4]) : 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strcmp(mode, "prepare") == 0)
        prepare();
    else if (strcmp(mode, "get") == 0 || strcmp(mode, "insert") == 0)
        run_pairs(mode[0] == 'i', a, b, pause);
    else if (strcmp(mode, "spin") == 0)
        run_spinners();
    else if (strcmp(mode, "wake") == 0)
        run_wakes(a, b, pause);
    else if (strcmp(mode, "crowd-get") == 0 || strcmp(mode, "crowd-insert") == 0)
        crowd_rounds(strcmp(mode, "crowd-insert") == 0 ? &crowd_insert : &crowd_get, strcmp(mode, "crowd-insert") == 0,
                     a, b);
    else if (strcmp(mode, "copy") == 0)
        run_copies(a, b);
    else if (strcmp(mode, "stream") == 0)
        run_stream(a);
    else
        die("usage",
            "postgres prepare | get|insert ROUNDS N PAUSE-US | wake … | crowd-get|crowd-insert ROUNDS MS | copy "
            "ROUNDS N | stream N");
    return 0;
}
