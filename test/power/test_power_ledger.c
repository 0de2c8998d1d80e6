/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_ledger_lib
/* The power fails while a ledger is written: what was acknowledged is there, each order once, and chains are whole. */
#include "power.h"

#include "../unit/ledger_fixture.h"

#define ACKNOWLEDGED 1
#define ORDERS 3999

static const struct lg_engine_options often = {.snapshot_every = 700};

static void write_ledger(void)
{
    struct told told;
    uint64_t seed = 5;

    power_record();
    strcat(temp_folder, "/disk"); /* where the fixture puts its ledger */
    CHECK(ledger_begin(&often) && ledger_accounts_opened() == CELL_OK);
    for (uint64_t i = 1; i <= ORDERS;) {
        uint64_t n = 1 + states_random(&seed, 90);
        n = n < ORDERS + 1 - i ? n : ORDERS + 1 - i;
        n += (i + n - 1) % 10 == 0; /* chains are not cut */
        CHECK(order_many(i, (uint32_t)n, &told) == CELL_OK && told.refused == 0);
        i += n;
        disk_mark(ACKNOWLEDGED, i - 1);
        if (states_random(&seed, 12) == 0)
            CHECK(lg_engine_take_snapshot(engine, &failure) == CELL_OK);
    }
    ledger_end();
    *strrchr(temp_folder, '/') = '\0';
}

static void look(const struct states *states, size_t point, const char *folder)
{
    uint64_t acknowledged = states_marked(states, point, ACKNOWLEDGED);
    char before[sizeof(temp_folder)];
    struct told told;

    strcpy(before, temp_folder);
    strcpy(temp_folder, folder);
    bool open = ledger_begin(NULL);
    CHECK(open);
    if (open) {
        struct counts is = ledger_counts();
        uint64_t n = is.transfers;
        struct counts should = expected_counts(n);
        CHECK(n >= acknowledged && n <= ORDERS && (n == 0 || n % 10 != 0));
        if (n)
            CHECK(memcmp(&is, &should, sizeof(is)) == 0);
        /* And it goes on, with what came before sent again. */
        CHECK(ledger_accounts_opened() == CELL_OK);
        uint64_t first = n > 500 ? n - 500 : 1;
        CHECK(order_many(first, (uint32_t)(n + 8 - first + ((n + 7) % 10 == 0)), &told) == CELL_OK &&
              told.refused == 0);
        ledger_end();
    } else {
        printf("%s\n", failure.text);
    }
    strcpy(temp_folder, before);
}

TEST(what_was_acknowledged_is_there_after_a_failure_of_power)
{
    write_ledger();
    power_look(60, look);
}
