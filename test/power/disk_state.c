/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* disk_state LOG SEED FOLDER: makes the folder as the disk may have it when the power fails at a random moment of the
 * record, for tests of whole cells (disk.h). Prints the moment. */
#include <stdio.h>
#include <stdlib.h>

#include "states.h"

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    struct states *states = states_open(argv[1]);
    uint64_t seed = strtoull(argv[2], NULL, 10) * UINT64_C(0x9e3779b97f4a7c15);
    size_t point = states_point(states, &seed);
    bool built = states_build(states, point, seed, argv[3]);

    printf("%zu of %zu\n", point, states_count(states));
    states_close(states);
    return built ? 0 : 1;
}
