/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is not as it was written: torn by a failure, it is cut off; damaged, nobody goes on as if nothing were. */
#include <fcntl.h>
#include <sys/mman.h>

#include "journal/tail.h"
#include "journal_fixture.h"

#define FIRST "j/0000000000000000.segment"

/* In a process that ends without a word, so that nothing of it is durable that was not synced. Returns where each block
 * begins: blocks of `sizes` records, of which the first `synced` are durable. */
static void leave_blocks(const uint32_t *sizes, int n, int synced)
{
    pid_t child = fork();
    if (child == 0) {
        struct cell_journal *j = open_journal();
        struct cell_error e;
        for (int i = 0; i < n; i++) {
            struct cell_position end;
            if (append(j, sizes[i], &end) < 0 || (i < synced && cell_journal_sync(j, &end, &e) < 0))
                _exit(1);
        }
        _exit(0);
    }
    int status = 1;
    waitpid(child, &status, 0);
    CHECK_INT(status, 0);
}

static uint64_t place_of(const uint32_t *sizes, int i)
{
    uint64_t at = CELL_SEGMENT_HEAD;
    for (int k = 0; k < i; k++)
        at += cell_block_size(sizes[k] * (uint32_t)sizeof(struct record));
    return at;
}

static void flip(const char *file, uint64_t at)
{
    uint8_t byte = 0;
    int fd = open(temp_path(file), O_RDWR);
    CHECK(pread(fd, &byte, 1, (off_t)at) == 1);
    byte ^= 0x10;
    CHECK(pwrite(fd, &byte, 1, (off_t)at) == 1);
    close(fd);
}

static int try_open(struct cell_error *e)
{
    struct cell_journal_options o = options();
    struct cell_journal *j = NULL;
    *e = (struct cell_error){0};
    int r = cell_journal_open(temp_path("j"), &o, &j, e);
    if (r == CELL_OK)
        cell_journal_close(j, NULL);
    return r;
}

static void check_whole(uint64_t n)
{
    struct cell_journal_reader *r = reader(0, NULL);
    struct cell_span s;
    struct cell_error e;
    read_to(r, n);
    CHECK_INT(read_one(r, 0, &s, &e), 0);
    cell_journal_reader_close(r);
}

static const uint32_t sizes[] = {7, 20, 20, 20};

TEST(a_torn_block_is_cut_off_with_what_is_behind_it)
{
    struct cell_error e;
    temp_folder_make();
    leave_blocks(sizes, 4, 1);
    flip(FIRST, place_of(sizes, 2) + 100);
    CHECK_INT(try_open(&e), CELL_OK);
    check_whole(27);
    leave_blocks(sizes + 2, 1,
                 1); /* as large as the one that was torn: the next one, which was whole, is no block now */
    CHECK_INT(try_open(&e), CELL_OK);
    check_whole(47);
    temp_folder_remove();
}

TEST(a_torn_header_is_cut_off)
{
    struct cell_error e;
    temp_folder_make();
    leave_blocks(sizes, 4, 1);
    flip(FIRST, place_of(sizes, 1)); /* its place */
    CHECK_INT(try_open(&e), CELL_OK);
    check_whole(7);
    temp_folder_remove();
}

/* Even when nobody had time to clear what was behind the torn one. */
TEST(a_block_of_an_earlier_epoch_is_none_behind_a_newer_one)
{
    struct cell_error e;
    uint8_t block[64 + 20 * 64];
    temp_folder_make();
    leave_blocks(sizes, 4, 1);
    int fd = open(temp_path(FIRST), O_RDWR);
    CHECK(pread(fd, block, sizeof(block), (off_t)place_of(sizes, 3)) == sizeof(block));
    flip(FIRST, place_of(sizes, 2) + 100);
    CHECK_INT(try_open(&e), CELL_OK);
    leave_blocks(sizes + 2, 1, 1);
    CHECK(pwrite(fd, block, sizeof(block), (off_t)place_of(sizes, 3)) == sizeof(block));
    close(fd);
    CHECK_INT(try_open(&e), CELL_OK);
    check_whole(47);
    temp_folder_remove();
}

/* Records are anybody's bytes: those of a block that was torn may spell a block, of any epoch, where one comes to
 * stand. */
TEST(what_is_left_of_a_torn_block_is_no_block_later)
{
    struct cell_error e;
    struct cell_description d;
    struct record record;
    temp_folder_make();
    leave_blocks(sizes, 4, 1);
    CHECK_INT(cell_description_read(temp_path("j"), &d, &e), CELL_OK);
    fill(&record, 666, 1);
    struct cell_block forged = {.position = place_of(sizes, 3),
                                .sequence = 47,
                                .length = sizeof(record),
                                .count = 1,
                                .epoch = d.epoch + 2,
                                .kind = CELL_BLOCK_RECORDS,
                                .journal = d.format.journal};
    forged.sum = cell_block_sum(&forged, &record);
    int fd = open(temp_path(FIRST), O_RDWR);
    CHECK(pwrite(fd, &forged, sizeof(forged), (off_t)forged.position) == sizeof(forged));
    CHECK(pwrite(fd, &record, sizeof(record), (off_t)(forged.position + sizeof(forged))) == sizeof(record));
    close(fd);
    flip(FIRST, place_of(sizes, 2) + 100);
    CHECK_INT(try_open(&e), CELL_OK);
    leave_blocks(sizes + 2, 1, 1);
    CHECK_INT(try_open(&e), CELL_OK);
    check_whole(47);
    temp_folder_remove();
}

TEST(who_has_read_what_was_torn_is_told)
{
    struct cell_error e;
    struct cell_span s;
    temp_folder_make();
    leave_blocks(sizes, 4, 1);
    struct cell_journal_reader *r = reader(CELL_JOURNAL_VOLATILE, NULL);
    read_to(r, 67);
    struct cell_position p = cell_journal_reader_position(r);
    flip(FIRST, place_of(sizes, 2) + 100);
    CHECK_INT(try_open(&e), CELL_OK);
    CHECK_INT(read_one(r, 0, &s, &e), CELL_ABORTED);
    CHECK(strstr(e.text, "records 27 to 66 were read before they were durable"));
    CHECK_INT(cell_journal_reader_position(r).sequence, 27);
    cell_journal_reader_close(r);
    leave_blocks(sizes, 1, 1);
    r = reader(CELL_JOURNAL_VOLATILE, &p); /* the same for one that was away */
    CHECK_INT(read_one(r, 0, &s, &e), CELL_ABORTED);
    CHECK_INT(read_one(r, 0, &s, &e), 1);
    CHECK(s.sequence == 27 && s.count == 7);
    cell_journal_reader_close(r);
    temp_folder_remove();
}

TEST(damage_of_what_was_durable_is_no_torn_write)
{
    struct cell_error e;
    struct cell_span s;
    temp_folder_make();
    leave_blocks(sizes, 4, 4);
    flip(FIRST, place_of(sizes, 1) + 100); /* the last block says that it was durable */
    CHECK_INT(try_open(&e), CELL_DATA_LOSS);
    CHECK(strstr(e.text, "damaged at byte 4608 of segment 0000000000000000, record 7"));
    struct cell_journal_reader *r = reader(0, NULL);
    CHECK_INT(read_one(r, 0, &s, &e), 0); /* without a writer the damaged one would have to say what was durable */
    cell_journal_reader_close(r);
    flip(FIRST, place_of(sizes, 1) + 100);
    CHECK_INT(try_open(&e), CELL_OK);
    flip(FIRST, place_of(sizes, 3) + 100); /* from here on recovery does not look at it, but who reads it does */
    r = reader(0, NULL);
    read_to(r, 47);
    CHECK_INT(read_one(r, 0, &s, &e), CELL_DATA_LOSS);
    CHECK(strstr(e.text, "record 47"));
    CHECK_INT(read_one(r, 0, &s, &e), CELL_DATA_LOSS);
    cell_journal_reader_close(r);
    temp_folder_remove();
}

TEST(files_that_are_none_of_a_journal)
{
    struct cell_error e;
    temp_folder_make();
    struct cell_journal *j = open_journal();
    append_all(j, 80000); /* into a third segment */
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    flip("j/0000000000000001.segment", 20);
    CHECK_INT(try_open(&e), CELL_DATA_LOSS);
    CHECK(strstr(e.text, "beginning of the segment is damaged"));
    flip("j/0000000000000001.segment", 20);
    CHECK_INT(try_open(&e), CELL_OK);
    CHECK(rename(temp_path("j/0000000000000001.segment"), temp_path("kept")) == 0);
    CHECK_INT(try_open(&e), CELL_DATA_LOSS);
    CHECK(strstr(e.text, "a segment is missing between 0000000000000000 and"));
    CHECK(rename(temp_path("kept"), temp_path("j/0000000000000001.segment")) == 0);
    flip("j/journal", 30);
    CHECK_INT(try_open(&e), CELL_DATA_LOSS);
    CHECK(strstr(e.text, "j/journal is damaged"));
    CHECK(unlink(temp_path("j/journal")) == 0);
    CHECK_INT(try_open(&e), CELL_DATA_LOSS);
    CHECK(strstr(e.text, "no description of the journal"));
    temp_folder_remove();
}

TEST(memory_that_is_no_sealed_tail_is_not_mapped)
{
    struct cell_error e = {0};
    struct cell_tail t;
    size_t size = CELL_TAIL_HEAD + CELL_TAIL_MIN;
    int fd = memfd_create("tail", MFD_CLOEXEC | MFD_ALLOW_SEALING), page = memfd_create("page", MFD_CLOEXEC);
    CHECK(ftruncate(page, 4096) == 0 && ftruncate(fd, (off_t)size) == 0);
    CHECK_INT(cell_tail_map(fd, page, &t, &e), CELL_PERMISSION_DENIED);
    CHECK(strstr(e.text, "seals"));
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | 0x10 /* FUTURE_WRITE */) == 0);
    CHECK_INT(cell_tail_map(fd, page, &t, &e), CELL_PERMISSION_DENIED);
    CHECK_INT(cell_tail_map(page, page, &t, &e), CELL_PERMISSION_DENIED);
    close(fd);
    close(page);
}
