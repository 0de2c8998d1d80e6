/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Which descriptors are taken for shared memory: those sealed exactly as the protocol says, and no others. */
#include "unit/test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "temp_folder.h"
#include "transport/shm.h"

#define SIZE sizeof(struct cell_ring_region)
#define NEEDED (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)

static struct cell_error e;

static int map_as(int fd, size_t size, uint32_t uid)
{
    const void *p = NULL;
    int r = cell_shm_memory_map(fd, size, uid, &p, &e);
    CHECK((r == CELL_OK) == (p != NULL));
    cell_shm_memory_unmap(p, size);
    return r;
}

static int map(int fd) { return map_as(fd, SIZE, geteuid()); }

/* Memory of `size` bytes of which `there` are allocated, with these seals. */
static int memory(off_t size, off_t there, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, size) < 0 || (there && fallocate(fd, 0, 0, there) < 0))
        abort();
    /* The seal on seals has to be the last one. */
    if (fcntl(fd, F_ADD_SEALS, seals & ~F_SEAL_SEAL) < 0 || fcntl(fd, F_ADD_SEALS, seals & F_SEAL_SEAL) < 0)
        abort();
    return fd;
}

TEST(what_is_made_here_is_taken)
{
    void *p = NULL;
    int fd = -1;
    REQUIRE(cell_shm_memory_new(SIZE, &p, &fd, &e) == CELL_OK);
    CHECK(map(fd) == CELL_OK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    const volatile uint8_t *seen = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
    REQUIRE(seen != MAP_FAILED);
    ((uint8_t *)p)[SIZE - 1] = 7; /* its owner still writes */
    CHECK(seen[SIZE - 1] == 7);
    munmap((void *)(uintptr_t)seen, SIZE);
    cell_shm_memory_unmap(p, SIZE);
    close(fd);
}

/* What a peer can do with the descriptor that it gets, also by opening it once more. */
TEST(a_peer_can_neither_write_nor_resize_nor_punch_holes)
{
    char path[64];
    void *p = NULL;
    int fd = -1;
    REQUIRE(cell_shm_memory_new(SIZE, &p, &fd, &e) == CELL_OK);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int again = open(path, O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        int f = i ? again : fd;
        if (f < 0)
            continue;
        CHECK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0) == MAP_FAILED);
        CHECK(pwrite(f, "x", 1, 0) < 0);
        CHECK(ftruncate(f, 0) < 0 && ftruncate(f, 2 * SIZE) < 0);
        CHECK(fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) < 0);
        CHECK(fcntl(f, F_ADD_SEALS, F_SEAL_WRITE) < 0);
        /* All blocks inside are there, and outside it gets none: it cannot make the owner pay for more. */
        struct stat before, after;
        CHECK(fstat(f, &before) == 0 && (size_t)before.st_blocks * 512 >= SIZE);
        fallocate(f, 0, 0, SIZE);
        CHECK(fallocate(f, FALLOC_FL_KEEP_SIZE, SIZE, 1 << 20) < 0);
        CHECK(fstat(f, &after) == 0 && after.st_blocks == before.st_blocks && after.st_size == before.st_size);
        void *m = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, f, 0);
        REQUIRE(m != MAP_FAILED);
        CHECK(mprotect(m, SIZE, PROT_READ | PROT_WRITE) < 0);
        munmap(m, SIZE);
    }
    if (again >= 0)
        close(again);
    cell_shm_memory_unmap(p, SIZE);
    close(fd);
}

TEST(every_other_set_of_seals_is_refused)
{
    static const int seals[5] = {F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_FUTURE_WRITE};
    unsigned taken = 0;
    for (unsigned set = 0; set < 32; set++) {
        int mask = 0;
        for (unsigned i = 0; i < 5; i++)
            mask |= set & 1u << i ? seals[i] : 0;
        int fd = memory(SIZE, SIZE, mask);
        int r = map(fd);
        CHECK(r == (mask == NEEDED ? CELL_OK : CELL_PERMISSION_DENIED));
        taken += r == CELL_OK;
        close(fd);
    }
    CHECK(taken == 1);
}

TEST(memory_of_another_size_is_refused)
{
    const off_t sizes[] = {0, 1, 4096, SIZE - 4096, SIZE - 1, SIZE + 1, 2 * SIZE};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int fd = memory(sizes[i], sizes[i], NEEDED);
        CHECK(map(fd) == CELL_PERMISSION_DENIED);
        close(fd);
    }
}

/* Where no page is there yet, reading one could fail for want of memory, which is a signal. */
TEST(memory_with_pages_missing_is_refused)
{
    int fd = memory(SIZE, 0, NEEDED), most = memory(SIZE, SIZE - 4096, NEEDED);
    CHECK(map(fd) == CELL_PERMISSION_DENIED);
    CHECK(map(most) == CELL_PERMISSION_DENIED);
    close(fd);
    close(most);
}

TEST(memory_of_another_user_is_refused)
{
    int fd = memory(SIZE, SIZE, NEEDED);
    CHECK(map_as(fd, SIZE, geteuid()) == CELL_OK);
    CHECK(map_as(fd, SIZE, geteuid() + 1) == CELL_PERMISSION_DENIED);
    close(fd);
}

TEST(other_files_are_refused)
{
    int ends[2], pair[2];
    temp_folder_make();
    int file = open(temp_path("file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int folder = open(temp_folder, O_RDONLY | O_CLOEXEC);
    int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
    REQUIRE(file >= 0 && folder >= 0 && zero >= 0 && pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    REQUIRE(ftruncate(file, SIZE) == 0);
    const int others[] = {file, folder, zero, ends[0], ends[1], pair[0], pair[1], -1, 1 << 20};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        CHECK(map(others[i]) == CELL_PERMISSION_DENIED);
    for (size_t i = 0; i < 7; i++)
        close(others[i]);
    temp_folder_remove();
}

TEST(a_file_in_a_memory_file_system_is_refused)
{
    char name[] = "/dev/shm/cell-test-XXXXXX";
    int fd = mkstemp(name);
    if (fd < 0) /* there is none here */
        return;
    unlink(name);
    CHECK(ftruncate(fd, SIZE) == 0 && fallocate(fd, 0, 0, SIZE) == 0);
    CHECK(map(fd) == CELL_PERMISSION_DENIED);
    close(fd);
}
