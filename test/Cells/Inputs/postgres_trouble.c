/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls while the database is in trouble. Usage: trouble write FIRST N | read N | hold */
#include <cell/cell.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

CELL_REMOTE(postgres);

struct CELL_TABLE("events") event {
    int64_t id CELL_KEY;
    cell_str what;
};

/* "ID STATUS" for each of the rows that it adds. */
static int write_rows(int64_t first, int64_t n)
{
    CELL_CTX(c, .timeout_ms = 20000);

    for (int64_t id = first; id < first + n; id++) {
        const struct event e = {id, CELL_STR("something")};
        printf("%" PRId64 " %s\n", id, cell_status_name(event_insert(c, &e)));
        cell_ctx_reset(c);
    }
    return 0;
}

static int read_rows(int64_t n)
{
    CELL_CTX(c, .timeout_ms = 20000);
    int failed = 0;

    for (int64_t i = 0; i < n; i++) {
        uint64_t count;
        if (event_count(c, &count) < 0) {
            cell_perror(c, "count");
            failed++;
        }
        cell_ctx_reset(c);
    }
    printf("failed %d\n", failed);
    return 0;
}

static int hold(cell_ctx *c, void *user)
{
    const struct event e = {-1, CELL_STR("not for long")};
    int r = event_insert(c, &e);

    (void)user;
    if (r < 0)
        return r;
    puts("held");
    fflush(stdout);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "write") == 0)
        return write_rows(atoll(argv[2]), atoll(argv[3]));
    if (argc == 3 && strcmp(argv[1], "read") == 0)
        return read_rows(atoll(argv[2]));
    CELL_CTX(c, .timeout_ms = 20000);
    return cell_transaction(c, "postgres", hold, NULL) < 0 ? cell_perror(c, "hold") : 0;
}
