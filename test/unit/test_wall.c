/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The wall clock that is mostly counted on: never far from the system's. */
#include <time.h>

#include "base/ticks.h"

#include "test.h"

#define LOOKS 3000000u
#define APART_US 500 /* of the counted one: what it is late by, and what its rate is wrong by */

static uint64_t system_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

TEST(the_wall_clock_is_the_systems)
{
    struct cell_wall wall = {0};
    uint64_t counted = 0;
    cell_ticks_begin();
    for (uint32_t i = 0; i < LOOKS; i++) {
        uint64_t before = i % 64 == 0 ? system_us() : 0, ticks = wall.ticks;
        uint64_t us = cell_wall_us(&wall);
        if (i % 64 == 0)
            CHECK(us + APART_US >= before && us <= system_us() + APART_US);
        counted += wall.valid && ticks == wall.ticks;
    }
    if (cell_ticks_counted)
        CHECK(counted > LOOKS / 2); /* else it was no saving */
}

TEST(a_wall_clock_that_was_not_asked_for_long_looks)
{
    struct cell_wall wall = {0};
    cell_ticks_begin();
    cell_wall_us(&wall);
    wall.us = 1; /* what was known is long ago */
    wall.ticks -= wall.valid;
    CHECK(cell_wall_us(&wall) > UINT64_C(1700000000) * 1000000);
}
