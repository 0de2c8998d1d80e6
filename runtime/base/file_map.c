/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "base/file_map.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOST 64

/* What is mapped, for the handler; an end of 0: nothing. */
static struct {
    _Atomic uintptr_t begin, end;
    atomic_bool lost;
} maps[MOST];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows, and of taking a place */
static uint32_t nmaps;
static struct sigaction before;

/* ---- the handler ---- */

static bool put_memory(uintptr_t address)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = address & ~(page - 1);

    for (size_t i = 0; i < MOST; i++) {
        if (address < atomic_load(&maps[i].begin) || address >= atomic_load(&maps[i].end))
            continue;
        if (mmap((void *)begin, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
            MAP_FAILED)
            return false;
        atomic_store(&maps[i].lost, true);
        return true;
    }
    return false;
}

static void on_bus(int signal, siginfo_t *info, void *context)
{
    int error = errno;
    bool sent = info->si_code <= 0; /* by somebody, and about no address */
    bool done = !sent && put_memory((uintptr_t)info->si_addr);

    errno = error;
    if (done)
        return;
    if (before.sa_flags & SA_SIGINFO)
        before.sa_sigaction(signal, info, context);
    else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
        before.sa_handler(signal);
    else if (sigaction(SIGBUS, &before, NULL) == 0 && sent)
        raise(signal); /* when this returns; the kernel sends it again by itself */
}

/* With the lock. The handler is there while something is mapped, as far as nobody has put another one in its place. */
static bool install(void)
{
    struct sigaction ours = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

    sigemptyset(&ours.sa_mask);
    if (nmaps == 0 && sigaction(SIGBUS, &ours, &before) < 0)
        return false;
    nmaps++;
    return true;
}

static void uninstall(void)
{
    struct sigaction now;

    if (--nmaps == 0 && sigaction(SIGBUS, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_bus)
        sigaction(SIGBUS, &before, NULL);
}

/* ---- maps ---- */

/* With the lock. MOST: there are too many. */
static uint32_t take_place(uint8_t *at, size_t bytes)
{
    uint32_t i = 0;

    while (i < MOST && atomic_load(&maps[i].end))
        i++;
    if (i == MOST || !install())
        return MOST;
    atomic_store(&maps[i].lost, false);
    atomic_store(&maps[i].begin, (uintptr_t)at);
    atomic_store(&maps[i].end, (uintptr_t)at + bytes);
    return i;
}

bool cell_file_map_open(int fd, size_t bytes, struct cell_file_map *map)
{
    *map = (struct cell_file_map){.at = NULL};
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return false;
    pthread_mutex_lock(&lock);
    uint32_t place = take_place(at, bytes);
    pthread_mutex_unlock(&lock);
    if (place == MOST) {
        munmap(at, bytes);
        return false;
    }
    *map = (struct cell_file_map){at, bytes, place};
    return true;
}

void cell_file_map_close(struct cell_file_map *map)
{
    if (!map->at)
        return;
    pthread_mutex_lock(&lock);
    munmap(map->at, map->bytes);
    atomic_store(&maps[map->place].end, 0);
    uninstall();
    pthread_mutex_unlock(&lock);
    *map = (struct cell_file_map){.at = NULL};
}

bool cell_file_map_put(struct cell_file_map *map, uint64_t at, const struct iovec *parts, int n)
{
    if (!map->at || atomic_load_explicit(&maps[map->place].lost, memory_order_relaxed))
        return false;
    for (int i = 0; i < n; i++) {
        if (at > map->bytes || parts[i].iov_len > map->bytes - at)
            return false;
        memcpy(map->at + at, parts[i].iov_base, parts[i].iov_len);
        at += parts[i].iov_len;
    }
    atomic_signal_fence(memory_order_seq_cst); /* the handler runs in the middle of a copy, in this thread */
    return !atomic_load_explicit(&maps[map->place].lost, memory_order_relaxed);
}
