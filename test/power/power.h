/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What tests of power failures share: a folder whose writes are recorded, and a look at many states that its disk may
 * be in. CELL_TEST_STATES says how many each test looks at, CELL_TEST_SEED where they begin; a state that fails is made
 * again by CELL_TEST_STATE, its number.
 */
#ifndef CELL_TEST_POWER_H
#define CELL_TEST_POWER_H

#include "disk.h"
#include "states.h"

#include "temp_folder.h"

/* Looks at what is in the folder; what the disk must have is in the marks before the point. */
typedef void power_look_fn(const struct states *states, size_t point, const char *folder);

static unsigned long power_number(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 10) : otherwise;
}

static void power_record(void)
{
    char log[128];
    temp_folder_make();
    temp_make_folder("disk");
    snprintf(log, sizeof(log), "%s", temp_path("log"));
    CHECK(disk_record(temp_path("disk"), log));
}

/* Of what was recorded until now: the power fails at any point, or `behind` all of it. */
static void power_look_at(unsigned long most, bool behind, power_look_fn *look)
{
    unsigned long n = power_number("CELL_TEST_STATES", most), only = power_number("CELL_TEST_STATE", 0);
    char folder[128];

    disk_stop();
    struct states *states = states_open(temp_path("log"));
    CHECK(states_is_whole(states, temp_path("disk")));
    snprintf(folder, sizeof(folder), "%s", temp_path("state"));
    disk_hurry(true);
    for (unsigned long i = 1; i <= n && !test_failures; i++) {
        uint64_t seed =
            power_number("CELL_TEST_SEED", 1) * UINT64_C(0x9e3779b97f4a7c15) + i * UINT64_C(0xd1342543de82ef95);
        if (only && i != only)
            continue;
        size_t point = behind || i == n ? states_count(states) : states_point(states, &seed);
        CHECK(states_build(states, point, seed, folder));
        look(states, point, folder);
        if (test_failures)
            printf("state %lu: the power fails at entry %zu of %zu\n", i, point, states_count(states));
        else
            remove_tree(folder);
    }
    disk_hurry(false);
    printf("%lu states of %zu writes\n", only ? 1 : n, states_count(states));
    states_close(states);
    if (!test_failures)
        temp_folder_remove();
}

__attribute__((unused)) static void power_look(unsigned long most, power_look_fn *look)
{
    power_look_at(most, false, look);
}

#endif
