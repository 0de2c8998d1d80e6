/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Journals in one process: what is appended is read, from the tail and from the segments, from any position. */
#include <pthread.h>

#include "journal_fixture.h"

TEST(readers_get_what_was_appended)
{
    temp_folder_make();
    struct cell_error e;
    struct cell_span s;
    struct cell_journal *j = open_journal();
    struct cell_position now = cell_journal_committed(j);
    CHECK_INT(now.sequence, 0);
    struct cell_journal_reader *live = reader(CELL_JOURNAL_VOLATILE, NULL), *durable = reader(0, NULL);
    CHECK_INT(read_one(live, 0, &s, &e), CELL_DEADLINE_EXCEEDED);
    struct cell_position end;
    CHECK_INT(append(j, 5, &end), CELL_OK);
    CHECK_INT(end.sequence, 5);
    read_to(live, 5);
    CHECK_INT(read_one(durable, 0, &s, &e), CELL_DEADLINE_EXCEEDED);
    CHECK_INT(cell_journal_reader_lag(durable), 0);
    CHECK_INT(cell_journal_sync(j, &end, &e), CELL_OK);
    CHECK_INT(cell_journal_durable(j).sequence, 5);
    CHECK_INT(cell_journal_reader_lag(durable), 5);
    read_to(durable, 5);
    CHECK_INT(cell_journal_reader_lag(durable), 0);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    CHECK_INT(read_one(live, 1000, &s, &e), 0);
    CHECK_INT(read_one(durable, 1000, &s, &e), 0);
    j = open_journal(); /* both go on with another writer */
    CHECK_INT(cell_journal_committed(j).epoch, now.epoch + 1);
    append_all(j, 1000);
    read_to(live, 1005);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    read_to(durable, 1005);
    cell_journal_reader_close(live);
    cell_journal_reader_close(durable);
    temp_folder_remove();
}

/* More than the tail, and more than a segment: what a reader that is behind gets comes from the files. */
TEST(what_is_behind_comes_from_the_segments)
{
    temp_folder_make();
    struct cell_error e;
    struct cell_span s;
    struct cell_journal *j = open_journal();
    struct cell_journal_reader *behind = reader(CELL_JOURNAL_VOLATILE, NULL);
    append_all(j, 100000);
    read_to(behind, 100000);
    for (uint64_t from = 1; from < 100000; from = from * 3 + 1) {
        struct cell_position p = {.sequence = from};
        struct cell_journal_reader *r = reader(CELL_JOURNAL_VOLATILE, &p);
        read_to(r, 100000);
        p = cell_journal_reader_position(r);
        append_all(j, 10);
        read_to(r, 100010);
        CHECK_INT(cell_journal_reader_seek(r, &p, &e), CELL_OK);
        read_to(r, 100010);
        struct cell_position never = {.sequence = 200000, .epoch = p.epoch};
        CHECK_INT(cell_journal_reader_seek(r, &never, &e), CELL_OUT_OF_RANGE);
        append_all(j, 10);
        read_to(r, 100020); /* it is where it was */
        CHECK_INT(cell_journal_reader_seek(r, &(struct cell_position){.sequence = 77}, &e), CELL_OK);
        CHECK_INT(read_one(r, 0, &s, &e), 1);
        CHECK(s.sequence == 77 && is_right(&s));
        cell_journal_reader_close(r);
        CHECK_INT(cell_journal_close(j, &e), CELL_OK);
        remove_tree(temp_path("j"));
        j = open_journal();
        append_all(j, 100000);
    }
    cell_journal_reader_close(behind);
    struct cell_journal_reader_options o = {.flags = 0};
    struct cell_journal_reader *nobody = NULL;
    e = (struct cell_error){0};
    CHECK_INT(cell_journal_reader_open(temp_path("j"), &o, &(struct cell_position){.sequence = 200000}, &nobody, &e),
              CELL_OUT_OF_RANGE);
    CHECK(strstr(e.text, "100000 records"));
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    temp_folder_remove();
}

/* Everything that was appended before is there, wherever the blocks end. */
TEST(a_journal_goes_on_where_it_was)
{
    temp_folder_make();
    struct cell_error e;
    uint64_t all = 0;
    for (int i = 0; i < 20; i++) {
        struct cell_journal *j = open_journal();
        CHECK_INT(cell_journal_committed(j).sequence, all);
        append_all(j, 5000 + (uint64_t)i * 131);
        all += 5000 + (uint64_t)i * 131;
        CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    }
    struct cell_journal_reader *r = reader(0, NULL);
    struct cell_span s;
    read_to(r, all);
    CHECK_INT(read_one(r, 1000, &s, &e), 0);
    cell_journal_reader_close(r);
    temp_folder_remove();
}

/* A block that ends where its segment does. */
TEST(a_block_may_end_where_its_segment_does)
{
    temp_folder_make();
    struct cell_error e;
    struct cell_journal_options o = options();
    o.tail_bytes = UINT64_C(16) << 20;
    struct cell_journal *j = open_with(&o);
    uint32_t rest = (uint32_t)(SEGMENT - CELL_SEGMENT_HEAD), most = 1 << 20;
    CHECK_INT(append(j, most / 64, NULL), CELL_OK);
    CHECK_INT(append(j, (rest - most - 64 - 64) / 64, NULL), CELL_OK);
    CHECK_INT(cell_journal_committed(j).offset, SEGMENT + CELL_SEGMENT_HEAD);
    CHECK_INT(append(j, most / 64, NULL), CELL_OK); /* leaves one line, for an END */
    CHECK_INT(append(j, (rest - most - 64 - 128) / 64, NULL), CELL_OK);
    CHECK_INT(cell_journal_committed(j).offset % SEGMENT, SEGMENT - 64);
    CHECK_INT(append(j, 1, NULL), CELL_OK);
    uint64_t all = cell_journal_committed(j).sequence;
    struct cell_journal_reader *r = reader(CELL_JOURNAL_VOLATILE, NULL);
    read_to(r, all);
    cell_journal_reader_close(r);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    j = open_journal();
    CHECK_INT(cell_journal_committed(j).sequence, all);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    temp_folder_remove();
}

TEST(what_cannot_be_is_refused)
{
    temp_folder_make();
    struct cell_error e = {0};
    struct cell_journal *j = open_journal(), *other = NULL;
    struct cell_journal_options o = options();
    struct cell_position end;
    CHECK_INT(cell_journal_open(temp_path("j"), &o, &other, &e), CELL_UNAVAILABLE);
    CHECK_INT(cell_journal_append(j, "x", 0, 1, &end, &e), CELL_INVALID_ARGUMENT);
    CHECK_INT(cell_journal_append(j, "x", 1, 1, &end, &e), CELL_INVALID_ARGUMENT);
    CHECK(strstr(e.text, "1 records of 64 bytes are not 1 bytes"));
    CHECK_INT(cell_journal_append(j, "", 0, 0, &end, &e), CELL_INVALID_ARGUMENT);
    CHECK_INT(cell_journal_append(j, "x", 1u << 20, 1u << 26, &end, &e), CELL_INVALID_ARGUMENT);
    CHECK_INT(cell_journal_commit(j, 1, 64, &end, &e), CELL_INVALID_ARGUMENT);
    end = (struct cell_position){.offset = 1u << 30};
    CHECK_INT(cell_journal_sync(j, &end, &e), CELL_INVALID_ARGUMENT);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    o.type = "other";
    CHECK_INT(cell_journal_open(temp_path("j"), &o, &other, &e), CELL_FAILED_PRECONDITION);
    CHECK(strstr(e.text, "records of type record, 64 bytes each; not other"));
    o.type = "";
    CHECK_INT(cell_journal_open(temp_path("j"), &o, &other, &e), CELL_INVALID_ARGUMENT);
    o = options();
    o.segment_bytes = 12345;
    CHECK_INT(cell_journal_open(temp_path("j"), &o, &other, &e), CELL_INVALID_ARGUMENT);
    o = options();
    o.tail_bytes = 12345;
    CHECK_INT(cell_journal_open(temp_path("j"), &o, &other, &e), CELL_INVALID_ARGUMENT);
    struct cell_journal_reader_options ro = {.type = "other", .record_size = 64};
    struct cell_journal_reader *r = NULL;
    CHECK_INT(cell_journal_reader_open(temp_path("j"), &ro, NULL, &r, &e), CELL_FAILED_PRECONDITION);
    ro = (struct cell_journal_reader_options){.name = "a/b"};
    CHECK_INT(cell_journal_reader_open(temp_path("j"), &ro, NULL, &r, &e), CELL_INVALID_ARGUMENT);
    CHECK_INT(cell_journal_reader_open(temp_path("none"), NULL, NULL, &r, &e), CELL_NOT_FOUND);
    temp_folder_remove();
}

/* ---- many at once ---- */

#define MANY 200000

static void *read_many(void *arg)
{
    read_to(arg, MANY);
    return NULL;
}

static void *sync_many(void *arg)
{
    struct cell_error e = {0};
    for (;;) {
        struct cell_position p = cell_journal_committed(arg);
        CHECK_INT(cell_journal_sync(arg, &p, &e), CELL_OK);
        CHECK(cell_journal_durable(arg).offset >= p.offset);
        if (p.sequence >= MANY)
            return NULL;
    }
}

TEST(appends_syncs_and_readers_at_once)
{
    temp_folder_make();
    struct cell_error e;
    struct cell_journal *j = open_journal();
    struct cell_journal_reader *readers[4];
    pthread_t threads[6];
    for (int i = 0; i < 4; i++) {
        readers[i] = reader(i % 2 ? CELL_JOURNAL_VOLATILE : 0, NULL);
        pthread_create(&threads[i], NULL, read_many, readers[i]);
    }
    for (int i = 4; i < 6; i++)
        pthread_create(&threads[i], NULL, sync_many, j);
    append_all(j, MANY);
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++)
        cell_journal_reader_close(readers[i]);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    temp_folder_remove();
}

static void *interrupt_soon(void *arg)
{
    usleep(20000);
    cell_journal_reader_interrupt(arg);
    return NULL;
}

TEST(a_read_that_waits_is_interrupted)
{
    temp_folder_make();
    struct cell_error e;
    struct cell_span s;
    pthread_t thread;
    struct cell_journal *j = open_journal();
    struct cell_journal_reader *r = reader(0, NULL);
    pthread_create(&thread, NULL, interrupt_soon, r);
    CHECK_INT(read_one(r, -1, &s, &e), CELL_CANCELLED);
    pthread_join(thread, NULL);
    CHECK_INT(read_one(r, 0, &s, &e), CELL_DEADLINE_EXCEEDED);
    cell_journal_reader_close(r);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    temp_folder_remove();
}

/* ---- without a folder ---- */

TEST(without_a_folder_what_was_written_over_is_told)
{
    temp_folder_make();
    struct cell_error e = {0};
    struct cell_span s;
    struct cell_journal *j = NULL;
    struct cell_journal_options o = options();
    CHECK_INT(cell_journal_open_memory(&o, &j, &e), CELL_OK);
    struct cell_journal_reader *r = NULL;
    CHECK_INT(cell_journal_reader_open_local(j, NULL, NULL, &r, &e), CELL_OK);
    append_all(j, 100);
    read_to(r, 100);
    append_all(j, 5000); /* more than there is room for */
    CHECK_INT(read_one(r, 0, &s, &e), CELL_DEADLINE_EXCEEDED);
    append_all(j, 1);
    CHECK_INT(read_one(r, 0, &s, &e), CELL_OUT_OF_RANGE);
    CHECK(strstr(e.text, "records 100 to 5099 were written over"));
    read_to(r, 5101);
    cell_journal_reader_close(r);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    temp_folder_remove();
}

/* What a record says may be where a block will be looked for, a round of the ring later. */
TEST(records_are_not_taken_for_blocks)
{
    struct cell_error e = {0};
    struct cell_span s;
    struct cell_journal *j = NULL;
    struct cell_journal_reader *r = NULL;
    struct cell_journal_options o = options();
    uint64_t words[1016];
    o.record_size = 0;
    CHECK_INT(cell_journal_open_memory(&o, &j, &e), CELL_OK);
    for (int block = 0; block < 8; block++) {
        uint64_t payload = cell_journal_committed(j).offset + sizeof(struct cell_block);
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            words[i] = payload + i * sizeof(words[0]) + TAIL;
        CHECK_INT(cell_journal_append(j, words, 1, sizeof(words), NULL, &e), CELL_OK);
    }
    CHECK_INT(cell_journal_reader_open_local(j, NULL, NULL, &r, &e), CELL_OK);
    for (int block = 0; block < 20; block++) {
        CHECK_INT(cell_journal_append(j, "one", 1, 3, NULL, &e), CELL_OK);
        CHECK_INT(read_one(r, 0, &s, &e), 1);
        CHECK(s.bytes == 3 && memcmp(s.records, "one", 3) == 0);
        CHECK_INT(read_one(r, 0, &s, &e), CELL_DEADLINE_EXCEEDED);
    }
    cell_journal_reader_close(r);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
}

TEST(records_of_several_sizes_are_told_apart_by_their_reader)
{
    temp_folder_make();
    struct cell_error e = {0};
    struct cell_span s;
    struct cell_journal_options o = options();
    o.record_size = 0;
    struct cell_journal *j = open_with(&o);
    CHECK_INT(cell_journal_append(j, "one two three", 3, 13, NULL, &e), CELL_OK);
    CHECK_INT(cell_journal_append(j, "four", 1, 4, NULL, &e), CELL_OK);
    struct cell_journal_reader_options ro = {.flags = CELL_JOURNAL_VOLATILE};
    struct cell_journal_reader *r = NULL;
    CHECK_INT(cell_journal_reader_open(temp_path("j"), &ro, &(struct cell_position){.sequence = 2}, &r, &e), CELL_OK);
    CHECK_INT(read_one(r, 0, &s, &e), 1);
    CHECK_INT(s.sequence, 0);
    CHECK_INT(s.count, 3);
    CHECK(s.bytes == 13 && memcmp(s.records, "one two three", 13) == 0);
    CHECK_INT(read_one(r, 0, &s, &e), 1);
    CHECK(s.sequence == 3 && s.count == 1 && s.bytes == 4 && memcmp(s.records, "four", 4) == 0);
    cell_journal_reader_close(r);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    temp_folder_remove();
}
