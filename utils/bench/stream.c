/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Streams of records of 64 bytes between two threads, one on each of two processors: through a journal, and through
 * what is as little as it can be. utils/bench/stream runs it: "bench-stream WHAT [FOLDER]" prints one number.
 *
 *   ring     a bare ring of 4096 records, one writer, one reader, indices told every 64 records: records a second
 *   tail     a journal without a folder, 64 records in a block: records a second
 *   pipe     write and read of 4 KiB: records a second
 *   visible  a record at a time, the reader awake: the median of nanoseconds from before it is appended to after it is
 * read sync     a record at a time, appended and synced in FOLDER: nanoseconds disk     write of 4 KiB in place and
 * fdatasync, in FOLDER: nanoseconds write    10 million records into FOLDER, 1000 in a block: records a second behind
 * a reader of these 10 million, with the sums of blocks: records a second copy     memory of that size copied by pread
 * from a file in FOLDER in pieces of 1 MiB: 64 bytes a second
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cell/journal.h>

#define RECORD 64u
#define BATCH 64u
#define RING 4096u
#define RECORDS UINT64_C(20000000)
#define BEHIND UINT64_C(10000000)
#define BLOCK 1000u
#define TIMES 20000u

struct record {
    uint64_t number, more[7];
};

static _Noreturn void die(const char *what, const struct cell_error *e)
{
    fprintf(stderr, "bench-stream: %s: %s\n", what, e ? e->text : "failed");
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

/* Both sides wait for each other, then run; the time is from there to when both have ended. */
static pthread_barrier_t begin;
static uint64_t began_ns;

static double run_both(void *(*writer)(void *), void *(*reader)(void *), void *arg)
{
    pthread_t threads[2];
    pthread_barrier_init(&begin, NULL, 3);
    pthread_create(&threads[0], NULL, writer, arg);
    pthread_create(&threads[1], NULL, reader, arg);
    pthread_barrier_wait(&begin);
    began_ns = now_ns();
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return (double)(now_ns() - began_ns);
}

static void ready(int cpu)
{
    pin(cpu);
    pthread_barrier_wait(&begin);
}

static void check_sum(uint64_t sum, uint64_t n)
{
    if (sum != n * (n - 1) / 2)
        die("records", NULL);
}

/* ---- a bare ring ---- */

static struct {
    _Alignas(64) _Atomic uint64_t head;
    _Alignas(64) _Atomic uint64_t tail;
    _Alignas(64) struct record records[RING];
} ring;

static void *ring_writer(void *arg)
{
    uint64_t head = 0;
    (void)arg;
    ready(0);
    for (uint64_t n = 0; n < RECORDS; n += BATCH) {
        while (n + BATCH - head > RING)
            head = atomic_load_explicit(&ring.head, memory_order_acquire);
        for (uint64_t i = n; i < n + BATCH; i++)
            ring.records[i % RING] = (struct record){.number = i};
        atomic_store_explicit(&ring.tail, n + BATCH, memory_order_release);
    }
    return NULL;
}

static void *ring_reader(void *arg)
{
    uint64_t tail = 0, sum = 0;
    (void)arg;
    ready(1);
    for (uint64_t n = 0; n < RECORDS; atomic_store_explicit(&ring.head, n, memory_order_release)) {
        while (tail == n)
            tail = atomic_load_explicit(&ring.tail, memory_order_acquire);
        for (; n < tail; n++)
            sum += ring.records[n % RING].number;
    }
    check_sum(sum, RECORDS);
    return NULL;
}

/* ---- the tail of a journal; the writer does not wait for the reader by itself, so here it is told how far that is
 * ---- */

struct tail {
    struct cell_journal *journal;
    struct cell_journal_reader *reader;
    _Alignas(64) _Atomic uint64_t read;
};

static const struct cell_journal_options in_cache = {.type = "record", .record_size = RECORD, .tail_bytes = 256u << 10};

static void *tail_writer(void *arg)
{
    struct tail *t = arg;
    struct cell_error e = {0};
    uint64_t read = 0;
    ready(0);
    for (uint64_t n = 0; n < RECORDS; n += BATCH) {
        void *memory;
        while (n + BATCH - read > RING / 2)
            read = atomic_load_explicit(&t->read, memory_order_acquire);
        if (cell_journal_reserve(t->journal, BATCH * RECORD, &memory, &e) < 0)
            die("reserve", &e);
        struct record *records = memory;
        for (uint64_t i = 0; i < BATCH; i++)
            records[i] = (struct record){.number = n + i};
        if (cell_journal_commit(t->journal, BATCH, BATCH * RECORD, NULL, &e) < 0)
            die("commit", &e);
    }
    return NULL;
}

static void *tail_reader(void *arg)
{
    struct tail *t = arg;
    struct cell_error e = {0};
    struct cell_span s;
    uint64_t sum = 0;
    ready(1);
    for (uint64_t n = 0; n < RECORDS; n += s.count) {
        if (cell_journal_read(t->reader, &s, -1, &e) != 1)
            die("read", &e);
        const struct record *records = s.records;
        for (uint32_t i = 0; i < s.count; i++)
            sum += records[i].number;
        if ((n / BATCH) % 8 == 7)
            atomic_store_explicit(&t->read, n + s.count, memory_order_release);
    }
    check_sum(sum, RECORDS);
    return NULL;
}

static void open_tail(struct tail *t)
{
    struct cell_error e = {0};
    if (cell_journal_open_memory(&in_cache, &t->journal, &e) < 0 ||
        cell_journal_reader_open_local(t->journal, NULL, NULL, &t->reader, &e) < 0)
        die("open", &e);
}

/* ---- a pipe ---- */

static void *pipe_writer(void *arg)
{
    static struct record records[BATCH];
    int *ends = arg;
    ready(0);
    for (uint64_t n = 0; n < RECORDS; n += BATCH)
        if (write(ends[1], records, sizeof(records)) != (ssize_t)sizeof(records))
            die("write", NULL);
    close(ends[1]);
    return NULL;
}

static void *pipe_reader(void *arg)
{
    static struct record records[BATCH * 16];
    int *ends = arg;
    uint64_t all = 0;
    ready(1);
    for (ssize_t n; (n = read(ends[0], records, sizeof(records))) > 0;)
        all += (uint64_t)n / RECORD;
    if (all != RECORDS / BATCH * BATCH)
        die("pipe", NULL);
    return NULL;
}

/* ---- how soon ---- */

static uint64_t latencies[TIMES];

static void *one_writer(void *arg)
{
    struct tail *t = arg;
    ready(0);
    for (uint32_t n = 0; n < TIMES; n++) {
        while (atomic_load_explicit(&t->read, memory_order_acquire) != n)
            continue;
        for (uint64_t pause = now_ns() + 2000; now_ns() < pause;)
            continue;
        struct record record = {.number = now_ns()};
        if (cell_journal_append(t->journal, &record, 1, RECORD, NULL, NULL) < 0)
            die("append", NULL);
    }
    return NULL;
}

static void *one_reader(void *arg)
{
    struct tail *t = arg;
    struct cell_span s;
    ready(1);
    for (uint32_t n = 0; n < TIMES; n++) {
        if (cell_journal_read(t->reader, &s, -1, NULL) != 1)
            die("read", NULL);
        latencies[n] = now_ns() - ((const struct record *)s.records)->number;
        atomic_store_explicit(&t->read, n + 1, memory_order_release);
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double visible(const char *folder)
{
    struct tail t = {0};
    struct cell_error e = {0};
    const struct cell_journal_options o = {.type = "record", .record_size = RECORD};
    const struct cell_journal_reader_options ro = {.flags = CELL_JOURNAL_VOLATILE};
    int r = folder ? cell_journal_open(folder, &o, &t.journal, &e) : cell_journal_open_memory(&o, &t.journal, &e);
    if (r < 0 || cell_journal_reader_open_local(t.journal, &ro, NULL, &t.reader, &e) < 0)
        die("open", &e);
    run_both(one_writer, one_reader, &t);
    cell_journal_reader_close(t.reader);
    cell_journal_close(t.journal, NULL);
    qsort(latencies, TIMES, sizeof(latencies[0]), compare);
    return (double)latencies[TIMES / 2];
}

/* ---- the disk ---- */

/* The second segment is written when a journal is opened, once: it is no part of what a record costs. */
static void wait_for_second(const char *folder)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/0000000000000001.segment", folder);
    while (access(path, F_OK) != 0)
        usleep(1000);
}

static double synced(const char *folder)
{
    struct cell_journal *j = NULL;
    struct cell_error e = {0};
    const struct cell_journal_options o = {.type = "record", .record_size = RECORD};
    struct record record = {0};
    struct cell_position end;
    if (cell_journal_open(folder, &o, &j, &e) < 0)
        die("open", &e);
    wait_for_second(folder);
    uint64_t from = now_ns();
    for (uint32_t n = 0; n < TIMES / 10; n++)
        if (cell_journal_append(j, &record, 1, RECORD, &end, &e) < 0 || cell_journal_sync(j, &end, &e) < 0)
            die("append", &e);
    double ns = (double)(now_ns() - from) / (TIMES / 10.0);
    cell_journal_close(j, NULL);
    return ns;
}

static int open_plain(const char *folder, size_t bytes)
{
    char path[4096];
    static char zeros[1 << 20];
    snprintf(path, sizeof(path), "%s/plain", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (size_t at = 0; at < bytes; at += sizeof(zeros))
        if (fd < 0 || pwrite(fd, zeros, sizeof(zeros), (off_t)at) != (ssize_t)sizeof(zeros))
            die("write", NULL);
    return fd;
}

static double disk(const char *folder)
{
    static char page[4096];
    int fd = open_plain(folder, 16u << 20);
    fdatasync(fd);
    uint64_t from = now_ns();
    for (uint32_t n = 0; n < TIMES / 10; n++)
        if (pwrite(fd, page, sizeof(page), (off_t)(n % 4096) * 4096) != (ssize_t)sizeof(page) || fdatasync(fd) < 0)
            die("write", NULL);
    return (double)(now_ns() - from) / (TIMES / 10.0);
}

static double written(const char *folder)
{
    struct cell_journal *j = NULL;
    struct cell_error e = {0};
    const struct cell_journal_options o = {.type = "record", .record_size = RECORD};
    if (cell_journal_open(folder, &o, &j, &e) < 0)
        die("open", &e);
    uint64_t from = now_ns();
    for (uint64_t n = 0; n < BEHIND; n += BLOCK) {
        void *memory;
        if (cell_journal_reserve(j, BLOCK * RECORD, &memory, &e) < 0)
            die("reserve", &e);
        struct record *records = memory;
        for (uint64_t i = 0; i < BLOCK; i++)
            records[i] = (struct record){.number = n + i};
        if (cell_journal_commit(j, BLOCK, BLOCK * RECORD, NULL, &e) < 0)
            die("commit", &e);
    }
    double seconds = (double)(now_ns() - from) / 1e9;
    cell_journal_close(j, NULL);
    return (double)BEHIND / seconds;
}

static double behind(const char *folder)
{
    struct cell_journal_reader *r = NULL;
    struct cell_error e = {0};
    struct cell_span s;
    uint64_t sum = 0, n = 0, from = now_ns();
    if (cell_journal_reader_open(folder, NULL, NULL, &r, &e) < 0)
        die("open", &e);
    while (cell_journal_read(r, &s, 0, &e) == 1) {
        const struct record *records = s.records;
        for (uint32_t i = 0; i < s.count; i++)
            sum += records[i].number;
        n += s.count;
    }
    double seconds = (double)(now_ns() - from) / 1e9;
    check_sum(sum, BEHIND);
    if (n != BEHIND)
        die("read", &e);
    return (double)n / seconds;
}

static double copied(const char *folder)
{
    static char piece[1 << 20];
    size_t all = BEHIND * RECORD / sizeof(piece) * sizeof(piece);
    int fd = open_plain(folder, all);
    uint64_t from = now_ns();
    for (size_t at = 0; at < all; at += sizeof(piece))
        if (pread(fd, piece, sizeof(piece), (off_t)at) != (ssize_t)sizeof(piece))
            die("read", NULL);
    return (double)all / RECORD / ((double)(now_ns() - from) / 1e9);
}

static double without_disk(const char *what)
{
    struct tail t = {0};
    int ends[2];
    if (strcmp(what, "ring") == 0)
        return (double)RECORDS / run_both(ring_writer, ring_reader, NULL) * 1e9;
    if (strcmp(what, "tail") == 0) {
        open_tail(&t);
        return (double)RECORDS / run_both(tail_writer, tail_reader, &t) * 1e9;
    }
    if (strcmp(what, "visible") == 0)
        return visible(NULL);
    if (strcmp(what, "pipe") == 0 && pipe(ends) == 0)
        return (double)RECORDS / run_both(pipe_writer, pipe_reader, ends) * 1e9;
    return -1;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        double (*run)(const char *folder);
    } with_disk[] = {{"visible", visible}, {"sync", synced},   {"disk", disk},
                     {"write", written},   {"behind", behind}, {"copy", copied}};
    double result = argc == 2 ? without_disk(argv[1]) : -1;
    for (size_t i = 0; argc == 3 && i < sizeof(with_disk) / sizeof(with_disk[0]); i++)
        if (strcmp(argv[1], with_disk[i].name) == 0)
            result = with_disk[i].run(argv[2]);
    if (result < 0) {
        fprintf(stderr, "usage: bench-stream ring|tail|pipe|visible, or visible|sync|disk|write|behind|copy FOLDER\n");
        return 2;
    }
    printf("%.1f\n", result);
    return 0;
}
