/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_static
/* The power fails while a journal is written: what was durable is there, what is behind it is whole or gone, and the
 * journal goes on. Who had read what is gone is told so. */
#include "power.h"

#include "journal_fixture.h"

#define OPENINGS 6
#define RECORDS 12000
#define DURABLE 1
#define BEGUN 2 /* appended, or about to be */
#define EPOCH 3

static const char *folder_of_journal;

static struct cell_journal *open_at(const char *folder)
{
    struct cell_journal_options o = options();
    struct cell_error e = {0};
    struct cell_journal *j = NULL;
    folder_of_journal = folder;
    CHECK_INT(cell_journal_open(folder, &o, &j, &e), CELL_OK);
    if (!j)
        printf("%s: %s\n", folder, e.text);
    return j;
}

static void check_records(uint64_t n)
{
    struct cell_journal_reader *r = NULL;
    struct cell_span s;
    struct cell_error e = {0};
    CHECK_INT(cell_journal_reader_open(folder_of_journal, NULL, NULL, &r, &e), CELL_OK);
    if (!r)
        return;
    read_to(r, n);
    CHECK_INT(cell_journal_read(r, &s, 0, &e), 0);
    cell_journal_reader_close(r);
}

/* One that had read all that was committed, durable or not. */
static void check_reader(uint64_t read, uint64_t epoch, uint64_t there)
{
    struct cell_position p = {.sequence = read, .epoch = epoch};
    struct cell_journal_reader *r = NULL;
    struct cell_span s;
    struct cell_error e = {0};
    CHECK_INT(cell_journal_reader_open(folder_of_journal, NULL, &p, &r, &e), CELL_OK);
    if (!r)
        return;
    CHECK_INT(cell_journal_read(r, &s, 0, &e), read > there ? CELL_ABORTED : 0);
    CHECK_INT(cell_journal_reader_position(r).sequence, there);
    cell_journal_reader_close(r);
}

static void look(const struct states *states, size_t point, const char *folder)
{
    uint64_t durable = states_marked(states, point, DURABLE), begun = states_marked(states, point, BEGUN);
    uint64_t epoch = states_marked(states, point, EPOCH);
    char path[200];
    struct cell_error e = {0};

    snprintf(path, sizeof(path), "%s/j", folder);
    struct cell_journal *j = open_at(path);
    if (!j)
        return;
    uint64_t there = cell_journal_committed(j).sequence;
    if (there < durable || there > begun)
        printf("%llu records, of %llu that were durable and %llu that were begun\n", (unsigned long long)there,
               (unsigned long long)durable, (unsigned long long)begun);
    CHECK(there >= durable && there <= begun);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    check_records(there);
    if (epoch) /* before an opening has ended nothing was read of its epoch */
        check_reader(begun > there ? begun : there, epoch, there);
    j = open_at(path);
    if (!j)
        return;
    append_all(j, 300); /* over what was cut off */
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    check_records(there + 300);
}

TEST(a_journal)
{
    uint64_t seed = power_number("CELL_TEST_SEED", 1), n = 0;
    struct cell_error e = {0};

    power_record();
    for (uint32_t opening = 0; opening < OPENINGS; opening++) {
        struct cell_journal *j = open_at(temp_path("disk/j"));
        disk_mark(EPOCH, cell_journal_committed(j).epoch);
        while (n < RECORDS * (uint64_t)(opening + 1)) {
            uint32_t some = 1 + states_random(&seed, states_random(&seed, 4) ? 10 : 120);
            disk_mark(BEGUN, n + some);
            CHECK_INT(append(j, some, NULL), CELL_OK);
            n += some;
            struct cell_position now = cell_journal_committed(j);
            if (states_random(&seed, opening % 2 ? 100 : 3)) /* what is seldom synced is stored in memory */
                continue;
            CHECK_INT(cell_journal_sync(j, &now, &e), CELL_OK);
            disk_mark(DURABLE, now.sequence);
        }
        CHECK_INT(cell_journal_close(j, &e), CELL_OK);
        disk_mark(DURABLE, n);
    }
    power_look(150, look);
}
