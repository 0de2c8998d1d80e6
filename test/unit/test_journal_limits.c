/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Old segments go, but not from under who still needs them, for as long as that says so; and many read at once. */
#include <sys/resource.h>

#include "journal_fixture.h"

#define WAIT_MS 30000

static struct cell_journal *open_limited(uint64_t keep_bytes, uint64_t keep_ms)
{
    struct cell_journal_options o = options();
    o.keep_bytes = keep_bytes;
    o.keep_ms = keep_ms;
    return open_with(&o);
}

static struct cell_journal_reader *named(const char *name, uint64_t lease_ms)
{
    struct cell_journal_reader_options o = {.name = name, .lease_ms = lease_ms};
    struct cell_journal_reader *r = NULL;
    struct cell_error e = {0};
    CHECK_INT(cell_journal_reader_open(temp_path("j"), &o, NULL, &r, &e), CELL_OK);
    if (!r)
        printf("%s\n", e.text);
    return r;
}

static void sync_all(struct cell_journal *j)
{
    struct cell_error e = {0};
    struct cell_position now = cell_journal_committed(j);
    CHECK_INT(cell_journal_sync(j, &now, &e), CELL_OK);
}

/* Until a record is the first; false: it never was. */
static bool first_moves(struct cell_journal *j)
{
    for (int i = 0; i < WAIT_MS / 10; i++) {
        if (cell_journal_first(j).sequence > 0)
            return true;
        usleep(10000);
    }
    return false;
}

/* Until nothing more goes: for longer than two rounds of the keeper. */
static void settle(struct cell_journal *j)
{
    uint64_t first = cell_journal_first(j).sequence;
    for (int same = 0; same < 25; same++) {
        usleep(100000);
        uint64_t now = cell_journal_first(j).sequence;
        same = now == first ? same : 0;
        first = now;
    }
}

static void acknowledge(struct cell_journal_reader *r)
{
    struct cell_error e = {0};
    struct cell_position p = cell_journal_reader_position(r);
    CHECK_INT(cell_journal_reader_acknowledge(r, &p, &e), CELL_OK);
}

TEST(what_is_beyond_the_limit_goes_and_readers_are_told)
{
    struct cell_error e;
    struct cell_span s;
    temp_folder_make();
    struct cell_journal *j = open_limited(SEGMENT, 0);
    struct cell_journal_reader *behind = reader(0, NULL);
    append_all(j, 200000);
    sync_all(j);
    CHECK(first_moves(j));
    settle(j); /* else more goes while somebody reads what was kept */
    int x = 1;
    while (x == 1) /* what it has open it reads to its end */
        x = read_one(behind, 0, &s, &e);
    CHECK_INT(x, CELL_OUT_OF_RANGE);
    CHECK(strstr(e.text, "were removed by the journal's limits"));
    uint64_t first = cell_journal_reader_position(behind).sequence;
    CHECK(first > 0);
    read_to(behind, 200000);
    cell_journal_reader_close(behind);
    struct cell_position beginning = {.sequence = 3};
    behind = reader(0, &beginning);
    CHECK_INT(read_one(behind, 0, &s, &e), CELL_OUT_OF_RANGE);
    read_to(behind, 200000);
    cell_journal_reader_close(behind);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    j = open_limited(SEGMENT, 0);
    CHECK_INT(cell_journal_committed(j).sequence, 200000);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    temp_folder_remove();
}

TEST(what_a_registered_reader_needs_stays_until_its_lease_is_over)
{
    struct cell_error e;
    struct cell_span s;
    temp_folder_make();
    struct cell_journal *j = open_limited(SEGMENT, 0);
    struct cell_journal_reader *slow = named("slow", 0), *dead = NULL;
    append_all(j, 200000);
    sync_all(j);
    usleep(2500000); /* two rounds of the keeper */
    CHECK_INT(cell_journal_first(j).sequence, 0);
    CHECK_INT(read_one(slow, 0, &s, &e), 1);
    read_to(slow, 200000);
    cell_journal_reader_close(slow);
    slow = named("slow", 0); /* it had acknowledged nothing */
    CHECK_INT(cell_journal_reader_position(slow).sequence, 0);
    read_to(slow, 200000);
    acknowledge(slow);
    cell_journal_reader_close(slow);
    slow = named("slow", 0);
    CHECK_INT(cell_journal_reader_position(slow).sequence, 200000);
    CHECK(first_moves(j));
    settle(j);
    dead = named("dead", 1); /* a lease of a millisecond */
    uint64_t first = cell_journal_reader_position(dead).sequence;
    cell_journal_reader_close(dead);
    append_all(j, 200000);
    sync_all(j);
    read_to(slow, 400000);
    acknowledge(slow);
    for (int i = 0; i < WAIT_MS / 10 && cell_journal_first(j).sequence <= first; i++)
        usleep(10000);
    CHECK(cell_journal_first(j).sequence > first);
    cell_journal_reader_close(slow);
    CHECK_INT(cell_journal_forget_reader(temp_path("j"), "slow", &e), CELL_OK);
    CHECK_INT(cell_journal_forget_reader(temp_path("j"), "slow", &e), CELL_NOT_FOUND);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    temp_folder_remove();
}

TEST(a_registration_that_cannot_be_read_keeps_everything)
{
    struct cell_error e;
    temp_folder_make();
    struct cell_journal *j = open_limited(SEGMENT, 0);
    temp_make_folder("j/readers");
    temp_write("j/readers/torn", "CELLRDR1");
    append_all(j, 200000);
    sync_all(j);
    usleep(2500000);
    CHECK_INT(cell_journal_first(j).sequence, 0);
    CHECK_INT(cell_journal_forget_reader(temp_path("j"), "torn", &e), CELL_OK);
    CHECK(first_moves(j));
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    temp_folder_remove();
}

TEST(old_segments_go_by_age)
{
    struct cell_error e;
    temp_folder_make();
    struct cell_journal *j = open_limited(0, 1);
    append_all(j, 200000);
    sync_all(j);
    CHECK(first_moves(j));
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    temp_folder_remove();
}

#define READERS 1000

TEST(a_thousand_readers)
{
    static struct cell_journal_reader *readers[READERS];
    struct rlimit files;
    struct cell_error e;
    CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
    files.rlim_cur = files.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
    temp_folder_make();
    struct cell_journal *j = open_journal();
    append_all(j, 100);
    sync_all(j);
    for (int i = 0; i < READERS; i++)
        readers[i] = reader(i % 2 ? CELL_JOURNAL_VOLATILE : 0, NULL);
    append_all(j, 100);
    sync_all(j);
    for (int i = 0; i < READERS; i++)
        read_to(readers[i], 200);
    for (int i = 0; i < READERS; i++)
        cell_journal_reader_close(readers[i]);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    temp_folder_remove();
}
