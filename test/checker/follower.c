/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Follows the ledger's stream, for utils/checker:
 *
 *     follower SEQUENCE HASH TIME END
 *
 * goes on where another one has stopped, up to the record END, or for ever with 0. Lines: "saw SEQUENCE HASH TIME",
 * now and then. It ends with 1 when the stream says what cannot be.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cell/cell.h>

CELL_REMOTE(ledger);

#include "records.h"

#define EACH 1000 /* records between lines */

static void say(const struct so_far *f)
{
    printf("saw %" PRIu64 " %" PRIu64 " %" PRId64 "\n", f->n, f->hash, f->time_us);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    CELL_CTX(c, .timeout_ms = 1000);

    if (argc != 5)
        return 2;
    struct so_far f = {strtoull(argv[1], NULL, 10), strtoull(argv[2], NULL, 10), strtoll(argv[3], NULL, 10)};
    uint64_t end = strtoull(argv[4], NULL, 10);
    while (!end || f.n < end) {
        cell_ctx_reset(c);
        struct ledger_transfers_iter it = ledger_transfers(c, f.n);
        while ((!end || f.n < end) && ledger_transfers_next(&it)) {
            const char *wrong = take_record(&f, it.row.sequence, &it.row.entry);
            if (wrong)
                return fprintf(stderr, "follower: record %" PRIu64 " instead of %" PRIu64 ": %s\n", it.row.sequence,
                               f.n, wrong);
            if (f.n % EACH == 0)
                say(&f);
        }
        int r = ledger_transfers_end(&it);
        if (r == CELL_OUT_OF_RANGE) /* the ledger has fewer records than it has told */
            return cell_perror(c, "follower");
        nanosleep(&pause, NULL);
    }
    say(&f);
    return 0;
}
