/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Whoever sleeps on a tail is woken, each time: the sleeper would sleep for a minute, and the test has no time for two
 * of these. With the barrier that a sleeper asks the system for, and with the writer's own fence. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "journal/tail.h"

#include "test.h"

#define ROUNDS 20000u
#define MINUTE_NS (UINT64_C(60) * 1000 * CELL_NS_PER_MS)
#define BLOCK 64u

struct pair {
    struct cell_tail writer, reader;
    _Alignas(64) _Atomic uint64_t read; /* blocks */
};

static void open_pair(struct pair *p, bool sleepers_fence)
{
    struct cell_error e = {0};
    const struct cell_journal_format format = {.journal = 7, .record_size = BLOCK};
    CHECK(cell_tail_make(&format, "record", 1, CELL_TAIL_MIN, &p->writer, &e) == CELL_OK);
    CHECK(p->writer.sleepers_fence); /* a kernel of this decade */
    p->writer.sleepers_fence = sleepers_fence;
    p->writer.head->sleepers_fence = sleepers_fence;
    cell_tail_begin(&p->writer, BLOCK, 0, UINT64_MAX);
    CHECK(cell_tail_map(p->writer.fd, p->writer.sleepers_fd, &p->reader, &e) == CELL_OK);
    CHECK(p->reader.sleepers_fence == sleepers_fence);
}

static void close_pair(struct pair *p)
{
    cell_tail_unmap(&p->reader);
    cell_tail_close(&p->writer);
}

static void *read_all(void *arg)
{
    struct pair *p = arg;
    for (uint64_t n = 1; n <= ROUNDS; n++) {
        while (!cell_tail_has(&p->reader, n * BLOCK)) {
            uint32_t bell = cell_tail_bell(&p->reader);
            cell_tail_nap_begin(&p->reader);
            if (!cell_tail_has(&p->reader, n * BLOCK))
                cell_tail_nap(&p->reader, bell, MINUTE_NS);
        }
        atomic_store(&p->read, n);
    }
    return NULL;
}

static void each_block_wakes(bool sleepers_fence)
{
    struct pair p = {0};
    pthread_t reader;
    open_pair(&p, sleepers_fence);
    CHECK(pthread_create(&reader, NULL, read_all, &p) == 0);
    for (uint64_t n = 1; n <= ROUNDS; n++) {
        struct cell_block *b = cell_tail_reserve(&p.writer, n * BLOCK, BLOCK);
        cell_tail_publish(&p.writer, b, n * BLOCK, (n + 1) * BLOCK, n);
        cell_tail_wake(&p.writer);
        while (atomic_load(&p.read) < n)
            continue;
    }
    CHECK(pthread_join(reader, NULL) == 0);
    close_pair(&p);
}

TEST(a_sleeper_that_has_its_sleep_fenced_is_woken) { each_block_wakes(true); }
TEST(a_sleeper_is_woken_by_a_writer_that_fences) { each_block_wakes(false); }

/* From here on this thread may not ask for barriers. */
static int forbid_barriers(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : -errno;
}

static void *sleep_unheard(void *arg)
{
    struct pair *p = arg;
    if (forbid_barriers() < 0)
        return arg;
    uint32_t bell = cell_tail_bell(&p->reader);
    cell_tail_nap_begin(&p->reader);
    cell_tail_nap(&p->reader, bell, MINUTE_NS); /* nobody wakes it */
    return p->reader.unheard ? NULL : arg;
}

TEST(a_sleeper_in_a_sandbox_without_the_barrier_does_not_sleep_long)
{
    struct pair p = {0};
    pthread_t reader;
    void *failed = NULL;
    open_pair(&p, true);
    CHECK(pthread_create(&reader, NULL, sleep_unheard, &p) == 0);
    CHECK(pthread_join(reader, &failed) == 0);
    CHECK(failed == NULL);
    close_pair(&p);
}

static void *open_sandboxed(void *arg)
{
    struct pair *p = arg;
    struct cell_error e = {0};
    const struct cell_journal_format format = {.journal = 7, .record_size = BLOCK};
    if (forbid_barriers() < 0 || cell_tail_make(&format, "record", 1, CELL_TAIL_MIN, &p->writer, &e) < 0)
        return arg;
    return p->writer.sleepers_fence || p->writer.head->sleepers_fence ? arg : NULL;
}

TEST(a_writer_in_a_sandbox_without_the_barrier_fences)
{
    struct pair p = {0};
    pthread_t writer;
    void *failed = NULL;
    CHECK(pthread_create(&writer, NULL, open_sandboxed, &p) == 0);
    CHECK(pthread_join(writer, &failed) == 0);
    CHECK(failed == NULL);
    cell_tail_close(&p.writer);
}
