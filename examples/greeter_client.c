/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A program that calls the greeter cell. `greeter_client NAME [TIMES]` */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <cell/cell.h>

CELL_REMOTE(greeter);

int main(int argc, char **argv)
{
    CELL_CTX(c, .timeout_ms = 2000);
    cell_str name = cell_strz(argc > 1 ? argv[1] : "world");
    greeter_greeting_list list;

    if (greeter_many(c, name, argc > 2 ? (uint32_t)atoi(argv[2]) : 1, &list) < 0)
        return cell_perror(c, "greeter");
    for (uint64_t i = 0; i < list.len; i++)
        printf("%" PRIu64 ": %.*s\n", list.ptr[i].number, CELL_FMT(list.ptr[i].text));
    return 0;
}
