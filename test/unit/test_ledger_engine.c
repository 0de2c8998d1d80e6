/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_ledger_sanitized
/* A ledger in its folder: what was accepted is there when it is opened again, from whatever snapshots and tags are
 * left. */
#include <fcntl.h>
#include <pthread.h>

#include <ledger/history.h>

#include "ledger_fixture.h"

static void same_counts(uint64_t n)
{
    struct counts is = ledger_counts(), should = expected_counts(n);

    CHECK(memcmp(&is, &should, sizeof(is)) == 0);
    if (is.records != should.records)
        printf("%" PRIu64 " records, not %" PRIu64 "\n", is.records, should.records);
}

static void begin(const struct lg_engine_options *options)
{
    temp_folder_make();
    CHECK(ledger_begin(options) && ledger_accounts_opened() == CELL_OK);
    if (failure.text[0])
        printf("%s\n", failure.text);
}

static void end(void)
{
    ledger_end();
    temp_folder_remove();
}

/* 1 to n, where n % 10 is not 0. No call ends with a linked order. */
static void order_all(uint64_t n)
{
    struct told told;

    for (uint64_t i = 1, end; i <= n; i = end) {
        end = i / 2000 * 2000 + 2000;
        end = end < n + 1 ? end : n + 1;
        CHECK(order_many(i, (uint32_t)(end - i), &told) == CELL_OK && told.refused == 0);
    }
}

TEST(what_was_accepted_is_there_again_and_once)
{
    struct told told;

    begin(NULL);
    order_all(9999);
    same_counts(9999);
    ledger_end();
    CHECK(ledger_begin(NULL));
    same_counts(9999);
    CHECK(order_many(1, 1999, &told) == CELL_OK && told.refused == 0 && told.written == 0);
    CHECK(order_many(9001, 1999, &told) == CELL_OK && told.refused == 0 && told.written == 1000);
    CHECK(ledger_accounts_opened() == CELL_OK);
    same_counts(10999);
    check_sound(10999 + LEDGER_ACCOUNTS);
    end();
}

/* It is one block of the journal, whole or torn. */
TEST(a_call_may_be_one_chain)
{
    static struct ledger_order orders[LG_MOST];
    struct told told;

    begin(NULL);
    for (uint32_t i = 0; i < LG_MOST; i++) {
        orders[i] = numbered_order(i * 7 + 3); /* transfers at once */
        orders[i].linked = i + 1 < LG_MOST;
    }
    CHECK(lg_engine_orders(engine, orders, LG_MOST, tell, &told, &failure) == CELL_OK);
    CHECK(told.refused == 0 && told.written == LG_MOST);
    ledger_end();
    CHECK(ledger_begin(NULL) && ledger_counts().records == LEDGER_ACCOUNTS + LG_MOST);
    end();
}

TEST(an_order_that_comes_again_with_other_content_is_refused_after_a_start)
{
    struct ledger_order o = numbered_order(5);
    struct told told;

    begin(NULL);
    order_all(99);
    ledger_end();
    CHECK(ledger_begin(NULL));
    o.code++;
    CHECK(lg_engine_orders(engine, &o, 1, tell, &told, &failure) == CELL_OK);
    CHECK(told.refused == 1 && told.first.reason == LEDGER_ID_USED);
    CHECK_STR(told.first.field, "code");
    same_counts(99);
    end();
}

static void remove_files(const char *beginning)
{
    DIR *dir = opendir(temp_path("ledger"));

    for (struct dirent *e; dir && (e = readdir(dir));)
        if (strncmp(e->d_name, beginning, strlen(beginning)) == 0)
            CHECK(unlinkat(dirfd(dir), e->d_name, 0) == 0);
    closedir(dir);
}

/* Changes a byte behind the middle of the last of these files. */
static void damage(const char *beginning)
{
    char name[300] = "", path[400];
    DIR *dir = opendir(temp_path("ledger"));
    struct stat st;
    uint8_t byte = 0;

    for (struct dirent *e; dir && (e = readdir(dir));)
        if (strncmp(e->d_name, beginning, strlen(beginning)) == 0 && strcmp(e->d_name, name) > 0)
            snprintf(name, sizeof(name), "%s", e->d_name);
    closedir(dir);
    snprintf(path, sizeof(path), "%s/%s", temp_path("ledger"), name);
    int fd = open(path, O_RDWR);
    CHECK(fd >= 0 && fstat(fd, &st) == 0 && pread(fd, &byte, 1, st.st_size * 2 / 3) == 1);
    byte ^= 1;
    CHECK(pwrite(fd, &byte, 1, st.st_size * 2 / 3) == 1);
    close(fd);
}

static void again_after(void (*what)(const char *), const char *files)
{
    struct told told;

    ledger_end();
    if (what)
        what(files);
    CHECK(ledger_begin(NULL));
    if (!engine) {
        printf("%s\n", failure.text);
        return;
    }
    same_counts(19999);
    CHECK(order_many(3, 1997, &told) == CELL_OK && told.refused == 0 && told.written == 0);
    for (uint64_t i = 10001; i < 19000; i += 1000)
        CHECK(order_many(i, 999, &told) == CELL_OK && told.refused == 0 && told.written == 0);
}

TEST(a_start_needs_snapshots_and_tags_to_be_fast_and_not_to_be_right)
{
    begin(NULL);
    order_all(9999);
    CHECK(lg_engine_take_snapshot(engine, &failure) == CELL_OK);
    CHECK(lg_engine_snapshot(engine) == 9999 + LEDGER_ACCOUNTS);
    struct told told;
    CHECK(order_many(10000, 5000, &told) == CELL_OK && order_many(15000, 4999, &told) == CELL_OK);
    CHECK(order_many(19999, 1, &told) == CELL_OK && told.refused == 0);
    CHECK(lg_engine_take_snapshot(engine, &failure) == CELL_OK);
    again_after(NULL, NULL);
    check_sound(19999 + LEDGER_ACCOUNTS);
    again_after(damage, "ids"); /* as long as the newest snapshot relies on it */
    again_after(damage, "snapshot-");
    again_after(remove_files, "ids");
    again_after(remove_files, "snapshot-");
    CHECK(lg_engine_take_snapshot(engine, &failure) == CELL_OK);
    again_after(NULL, NULL);
    check_sound(19999 + LEDGER_ACCOUNTS);
    end();
}

TEST(snapshots_are_written_while_orders_come)
{
    static const struct lg_engine_options often = {.snapshot_every = 3000};

    begin(&often);
    order_all(59999);
    uint64_t least = 50000; /* the keeper is as far as this, sooner or later */
    for (int i = 0; i < 2000 && lg_engine_snapshot(engine) < least; i++)
        usleep(10000);
    CHECK(lg_engine_snapshot(engine) >= least || lg_engine_take_snapshot(engine, &failure) == CELL_OK);
    CHECK(lg_engine_snapshot(engine) > LEDGER_ACCOUNTS);
    ledger_end();
    check_sound(59999 + LEDGER_ACCOUNTS);
    CHECK(ledger_begin(&often));
    same_counts(59999);
    end();
}

TEST(a_snapshot_of_more_than_the_journal_has_is_said_to_be_one)
{
    begin(NULL);
    order_all(999);
    CHECK(lg_engine_take_snapshot(engine, &failure) == CELL_OK);
    ledger_end();
    remove_tree(temp_path("ledger/journal"));
    CHECK(!ledger_begin(NULL) && failure.status == CELL_DATA_LOSS);
    CHECK(strstr(failure.text, "a snapshot of 1019 records, and the journal has 0: restore") != NULL);
    temp_folder_remove();
}

TEST(a_ledger_is_served_by_one_process)
{
    struct lg_engine *second = NULL;

    begin(NULL);
    const struct lg_engine_options same = {.folder = temp_path("ledger")};
    CHECK(lg_engine_open(&same, &second, &failure) == CELL_UNAVAILABLE && !second);
    end();
}

/* ---- many threads ---- */

struct thread {
    uint64_t first;
    int status;
};

/* Each thread orders its own, singly and in batches, and some of what another one orders as well. */
static void *order_some(void *user)
{
    struct thread *t = user;
    struct ledger_order orders[50];
    struct told told;
    struct lg_failure f;

    for (uint64_t i = 0; i < 2000 && t->status == 0; i += 50) {
        for (uint64_t k = 0; k < 50; k++) {
            orders[k] =
                (struct ledger_order){.id_low = t->first + i + k, .from = 1 + k % 7, .to = 8 + k % 5, .amount = 1};
            if (k == 0)
                t->status = lg_engine_orders(engine, orders, 1, tell, &told, &f);
        }
        if (t->status == 0)
            t->status = lg_engine_orders(engine, orders, 50, tell, &told, &f);
        CHECK(told.refused == 0);
    }
    return NULL;
}

static void many_threads(const struct lg_engine_options *options)
{
    enum { THREADS = 6 };
    pthread_t threads[THREADS];
    struct thread each[THREADS];

    begin(options);
    for (uint64_t i = 0; i < THREADS; i++) {
        each[i] = (struct thread){1000000 * (1 + i / 2), 0};
        CHECK(pthread_create(&threads[i], NULL, order_some, &each[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(each[i].status == CELL_OK);
    }
    struct counts counts = ledger_counts();
    CHECK(counts.transfers == 3 * 2000);
    ledger_end();
    check_sound(6000 + LEDGER_ACCOUNTS);
    CHECK(ledger_begin(options));
    struct counts again = ledger_counts();
    CHECK(memcmp(&counts, &again, sizeof(counts)) == 0);
    end();
}

TEST(threads_that_order_the_same_get_it_once) { many_threads(NULL); }

TEST(the_same_without_waiting_for_the_disk)
{
    static const struct lg_engine_options memory = {.memory = true, .sync_ms = 5, .snapshot_every = 1500};
    many_threads(&memory);
}

/* ---- what was, and the stream ---- */

static bool never(void *user)
{
    (void)user;
    return false;
}

TEST(the_history_of_an_account_is_all_of_its_records)
{
    struct ledger_record *page = calloc(400, sizeof(*page));
    uint64_t account = 4, found = 0, last = 0, next;
    struct counts counts;
    uint32_t n;

    begin(NULL);
    order_all(7999);
    counts = ledger_counts();
    struct lg_cursor *cursor;
    struct ledger_entry e;
    REQUIRE(lg_archive_take(lg_engine_archive(engine), &cursor, &failure) == CELL_OK);
    for (uint64_t i = 0; i < counts.records; i++) {
        CHECK(lg_cursor_read(cursor, i, &e, &failure) == CELL_OK);
        if (e.from == account || e.to == account) {
            last = i;
            found++;
        }
    }
    lg_archive_give(lg_engine_archive(engine), cursor);
    struct lg_range range = {account, UINT64_MAX, INT64_MIN, INT64_MAX};
    int64_t balance = counts.balances[account];
    uint64_t seen = 0, before = UINT64_MAX;
    for (next = last; next != UINT64_MAX;) {
        CHECK(lg_history(lg_engine_archive(engine), &range, next, page, 400, &n, &next, never, NULL, &failure) ==
              CELL_OK);
        for (uint32_t i = 0; i < n; i++) {
            CHECK(page[i].sequence < before && lg_balance_after(&page[i].entry, account) == balance);
            balance -= lg_moved(&page[i].entry, account);
            before = page[i].sequence;
        }
        seen += n;
        if (!n)
            break;
    }
    CHECK(seen == found && balance == 0);
    free(page);
    end();
}

TEST(a_follower_reads_from_where_it_says)
{
    struct cell_journal_reader *reader = NULL;
    struct cell_error error = {0};
    struct cell_span span;

    begin(NULL);
    order_all(4999);
    CHECK(lg_engine_follow(engine, 5020, &reader, &failure) == CELL_OUT_OF_RANGE);
    for (uint64_t from = 0; from < 5000; from += 777) {
        REQUIRE(lg_engine_follow(engine, from, &reader, &failure) == CELL_OK);
        CHECK(cell_journal_read(reader, &span, 1000, &error) == 1);
        CHECK(span.sequence <= from && from - span.sequence < 1024);
        cell_journal_reader_close(reader);
    }
    end();
}
