/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Files that are written through memory, and what becomes of it when a page cannot be had. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file_map.h"
#include "journal/journal_impl.h"
#include "journal_fixture.h"

#define PAGES 4
#define PAGE ((size_t)sysconf(_SC_PAGESIZE))

static int new_file(size_t size)
{
    temp_folder_make();
    int fd = open(temp_path("file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    return fd;
}

static bool put(struct cell_file_map *map, size_t at, const char *text)
{
    const struct iovec parts[2] = {{(void *)(uintptr_t)text, 1}, {(void *)(uintptr_t)(text + 1), strlen(text) - 1}};
    return cell_file_map_put(map, at, parts, 2);
}

static bool has(int fd, size_t at, const char *text)
{
    char found[64] = "";
    return pread(fd, found, strlen(text), (off_t)at) == (ssize_t)strlen(text) && strcmp(found, text) == 0;
}

TEST(what_is_put_is_in_the_file)
{
    struct cell_file_map map;
    int fd = new_file(PAGES * PAGE);
    CHECK(cell_file_map_open(fd, PAGES * PAGE, &map));
    CHECK(put(&map, 0, "first") && put(&map, PAGE - 2, "over the edge") && put(&map, PAGES * PAGE - 4, "last"));
    CHECK(has(fd, 0, "first") && has(fd, PAGE - 2, "over the edge") && has(fd, PAGES * PAGE - 4, "last"));
    CHECK(!put(&map, PAGES * PAGE - 3, "last") && !put(&map, SIZE_MAX, "far"));
    cell_file_map_close(&map);
    CHECK(!put(&map, 0, "later") && has(fd, 0, "first"));
    cell_file_map_close(&map);
    close(fd);
    temp_folder_remove();
}

TEST(what_cannot_be_mapped_is_no_map)
{
    struct cell_file_map map, many[80];
    int fd = new_file(PAGE), ends[2], n = 0;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(!cell_file_map_open(ends[0], PAGE, &map) && !map.at && !put(&map, 0, "text"));
    while (n < 80 && cell_file_map_open(fd, PAGE, &many[n]))
        n++;
    CHECK_INT(n, 64);
    cell_file_map_close(&many[7]);
    CHECK(cell_file_map_open(fd, PAGE, &many[7]) && put(&many[7], 0, "text"));
    while (n > 0)
        cell_file_map_close(&many[--n]);
    close(ends[0]);
    close(ends[1]);
    close(fd);
    temp_folder_remove();
}

TEST(a_page_that_is_gone_is_told)
{
    struct cell_file_map map, other;
    int fd = new_file(PAGES * PAGE);
    CHECK(cell_file_map_open(fd, PAGES * PAGE, &map) && cell_file_map_open(fd, PAGES * PAGE, &other));
    CHECK(put(&map, 0, "first"));
    CHECK(ftruncate(fd, (off_t)PAGE) == 0);
    CHECK(!put(&map, PAGE - 4, "over the edge")); /* a part of it is there */
    CHECK(!put(&map, 0, "again") && has(fd, 0, "first"));
    CHECK(put(&other, 8, "whole") && has(fd, 8, "whole"));
    CHECK(!put(&other, 2 * PAGE, "gone"));
    cell_file_map_close(&map);
    cell_file_map_close(&other);
    CHECK(cell_file_map_open(fd, PAGE, &map) && put(&map, 0, "anew") && has(fd, 0, "anew"));
    cell_file_map_close(&map);
    close(fd);
    temp_folder_remove();
}

/* ---- other places ---- */

static sigjmp_buf back;
static volatile int heard;

static void hear(int signal)
{
    heard += signal == SIGBUS;
    siglongjmp(back, 1);
}

static void hear_more(int signal, siginfo_t *info, void *context)
{
    (void)context;
    heard += signal == SIGBUS && info->si_addr ? 10 : 0;
    siglongjmp(back, 1);
}

/* Touches a page of a file that has none. */
static void touch(int fd)
{
    volatile char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    if (sigsetjmp(back, 1) == 0)
        *p = 1;
    munmap((void *)(uintptr_t)p, PAGE);
}

TEST(other_places_go_to_who_was_there_before)
{
    struct cell_file_map map;
    struct sigaction was, handler = {.sa_handler = hear}, more = {.sa_sigaction = hear_more, .sa_flags = SA_SIGINFO},
                          now;
    int fd = new_file(PAGE), empty = open(temp_path("empty"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(sigaction(SIGBUS, &handler, &was) == 0);
    CHECK(cell_file_map_open(fd, PAGE, &map));
    CHECK(sigaction(SIGBUS, NULL, &now) == 0 && now.sa_handler != hear); /* there while there is a map */
    touch(empty);
    CHECK_INT(heard, 1);
    cell_file_map_close(&map);
    CHECK(sigaction(SIGBUS, &more, &now) == 0 && now.sa_handler == hear); /* as before */
    CHECK(cell_file_map_open(fd, PAGE, &map));
    touch(empty);
    CHECK_INT(heard, 11);
    CHECK(sigaction(SIGBUS, &handler, NULL) == 0); /* one that came later stays */
    cell_file_map_close(&map);
    CHECK(sigaction(SIGBUS, &was, &now) == 0 && now.sa_handler == hear);
    close(empty);
    close(fd);
    temp_folder_remove();
}

static void end_by_touch(int empty) { touch(empty); }
static void end_by_signal(int empty) { kill(getpid(), empty >= 0 ? SIGBUS : 0); }

static void check_end(void (*end)(int empty))
{
    int fd = new_file(PAGE), empty = open(temp_path("empty"), O_RDWR | O_CREAT | O_CLOEXEC, 0600), status = 0;
    pid_t child = fork();
    if (child == 0) {
        struct cell_file_map map;
        signal(SIGBUS, SIG_DFL);
        if (!cell_file_map_open(fd, PAGE, &map))
            _exit(1);
        end(empty);
        _exit(2);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    close(empty);
    close(fd);
    temp_folder_remove();
}

TEST(without_one_before_it_is_the_end)
{
    check_end(end_by_touch);
    check_end(end_by_signal);
}

/* ---- a journal ---- */

static void check_read(uint64_t n)
{
    struct cell_journal_reader *r = NULL;
    struct cell_span s;
    struct cell_error e = {0};
    CHECK_INT(cell_journal_reader_open(temp_path("j"), NULL, NULL, &r, &e), CELL_OK);
    read_to(r, n);
    CHECK_INT(cell_journal_read(r, &s, 0, &e), 0);
    cell_journal_reader_close(r);
}

/* Behind so many blocks that the next ones are stored, unless something is synced. */
static struct cell_journal *open_warm(void)
{
    temp_folder_make();
    struct cell_journal *j = open_journal();
    for (int i = 0; i < 20; i++)
        CHECK_INT(append(j, 1, NULL), CELL_OK);
    return j;
}

/* Of n records, while nothing can be written into the segment's file. */
static int append_unwritten(struct cell_journal *j, uint32_t n)
{
    int writable = j->segment_fd;
    j->segment_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int r = append(j, n, NULL);
    close(j->segment_fd);
    j->segment_fd = writable;
    return r;
}

TEST(small_blocks_are_stored)
{
    struct cell_error e = {0};
    struct cell_journal *j = open_warm();
    for (uint32_t i = 0; i < 20; i++)
        CHECK_INT(append_unwritten(j, 1 + i), CELL_OK);
    CHECK_INT(append(j, 100, NULL), CELL_OK);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    check_read(20 + 210 + 100);
    temp_folder_remove();
}

TEST(large_blocks_are_written)
{
    struct cell_error e = {0};
    struct cell_journal *j = open_warm();
    CHECK_INT(append_unwritten(j, 100), CELL_IO_ERROR);
    CHECK(cell_journal_close(j, &e) < 0); /* nobody knows what the disk has */
    temp_folder_remove();
}

/* What is synced every few blocks is written. */
TEST(synced_blocks_are_written)
{
    struct cell_error e = {0};
    struct cell_journal *j = open_warm();
    struct cell_position now = cell_journal_committed(j);
    CHECK_INT(cell_journal_sync(j, &now, &e), CELL_OK);
    CHECK_INT(append_unwritten(j, 1), CELL_IO_ERROR);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK); /* everything else was synced */
    check_read(20);
    temp_folder_remove();
}

/* The disk has no page: the block is written, and the next ones are. */
TEST(a_journal_goes_on_without_a_page)
{
    struct cell_error e = {0};
    struct stat st;
    struct cell_journal *j = open_warm();
    CHECK(j->map.at && ftruncate(j->segment_fd, (off_t)(2 * PAGE)) == 0);
    for (int i = 0; i < 100; i++)
        CHECK_INT(append(j, 1, NULL), CELL_OK);
    CHECK(fstat(j->segment_fd, &st) == 0 && (size_t)st.st_size > 3 * PAGE && (uint64_t)st.st_size < SEGMENT);
    CHECK(ftruncate(j->segment_fd, (off_t)SEGMENT) == 0);
    append_all(j, 60000); /* into the next segment, which is mapped again */
    CHECK(cell_journal_committed(j).offset > SEGMENT);
    for (int i = 0; i < 20; i++)
        CHECK_INT(append_unwritten(j, 1), CELL_OK);
    struct cell_segment_head head; /* it has the segment's number */
    CHECK(pread(j->segment_fd, &head, sizeof(head), 0) == sizeof(head) && memcmp(j->map.at, &head, sizeof(head)) == 0);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    check_read(20 + 100 + 60000 + 20);
    temp_folder_remove();
}
