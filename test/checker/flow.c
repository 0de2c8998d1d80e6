/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Compares aggregates of the ledger's transfers with what it counts itself from the journal, for utils/checker:
 *
 *     flow JOURNAL END
 *
 * looks at them time and again, and each time counts the records up to where they were; with END 0 for ever, otherwise
 * until they have all END records. Lines: "flow POSITION HASH", HASH of all records before it (records.h). Whatever
 * differs ends it with 1.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cell/cell.h>
#include <cell/journal.h>
#include <cell/watch.h>

CELL_REMOTE(ledger);

#include "records.h"

struct CELL_WATCH(ledger.transfers) flow {
    uint64_t account CELL_GROUP(from);
    uint64_t n CELL_COUNT;
    int64_t total CELL_SUM(amount), codes CELL_SUM(code), latest CELL_MAX(time_us);
};
struct CELL_WATCH(ledger.transfers, CELL_ARG(window, "1h"), CELL_ARG(keep, 2)) hours {
    int64_t begin CELL_WINDOW;
    uint64_t n CELL_COUNT;
    int64_t codes CELL_SUM(code);
};

#define ACCOUNTS 2000
#define HOUR_US INT64_C(3600000000)
#define PATIENCE_MS 60000 /* for records that aggregates have and the files do not tell yet: the ledger is away */

/* What was counted up to a position; and where the journal is read. */
struct counted {
    struct cell_journal_reader *reader;
    struct cell_span span;
    uint32_t taken; /* of the span */
    struct so_far so_far;
    struct flow groups[ACCOUNTS];
    struct hours hour;
};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "flow: %s: %s\n", what, why);
    exit(1);
}

static void count_record(struct counted *w, uint64_t sequence, const struct ledger_entry *e)
{
    const char *wrong = take_record(&w->so_far, sequence, e);
    if (wrong || e->from >= ACCOUNTS)
        die("the journal", wrong ? wrong : "an account that nobody has opened");
    struct flow *f = &w->groups[e->from];
    f->account = e->from;
    f->n++;
    f->total += e->amount;
    f->codes += e->code;
    f->latest = e->time_us;
    if (w->hour.n == 0 || e->time_us / HOUR_US * HOUR_US != w->hour.begin)
        w->hour = (struct hours){.begin = e->time_us / HOUR_US * HOUR_US};
    w->hour.n++;
    w->hour.codes += e->code;
}

static void open_journal(struct counted *w, const char *folder)
{
    struct cell_error e = {0};

    cell_journal_reader_close(w->reader);
    memset(w, 0, sizeof(*w));
    if (cell_journal_reader_open(folder, NULL, NULL, &w->reader, &e) < 0)
        die("the journal", e.text);
}

/* Up to the position; from the beginning when it was further. */
static void count_to(struct counted *w, const char *folder, uint64_t position)
{
    struct cell_error e = {0};
    int waited = 0;

    if (!w->reader || position < w->so_far.n)
        open_journal(w, folder);
    while (w->so_far.n < position) {
        for (; w->taken < w->span.count && w->so_far.n < position; w->taken++)
            count_record(w, w->span.sequence + w->taken, (const struct ledger_entry *)w->span.records + w->taken);
        if (w->so_far.n == position)
            break;
        w->taken = w->span.count = 0;
        int r = cell_journal_read(w->reader, &w->span, 10, &e);
        if (r < 0 && r != CELL_DEADLINE_EXCEEDED)
            die("the journal", e.text);
        if (r == 0)
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        if (r != 1 && ++waited > PATIENCE_MS / 10)
            die("the journal", "has fewer records than were counted");
    }
}

static void differs(const char *what, uint64_t which, uint64_t position, uint64_t is, uint64_t should)
{
    fprintf(stderr,
            "flow: %s %" PRIu64 " at %" PRIu64 ": %" PRIu64 " records were counted, or their sums differ, of %" PRIu64
            "\n",
            what, which, position, is, should);
    exit(1);
}

/* The position; 0: there was no answer, or there is nothing yet. */
static uint64_t look_at_groups(cell_ctx *c, struct counted *w, const char *folder)
{
    struct flow_page page;
    uint64_t rows = 0, groups = 0;

    cell_ctx_reset(c);
    if (flow_scan(c, 0, 10000, &page) < 0 || page.position == 0)
        return 0;
    count_to(w, folder, page.position);
    for (uint64_t i = 0; i < ACCOUNTS; i++)
        groups += w->groups[i].n > 0;
    for (; rows < page.rows.len; rows++) {
        const struct flow *is = &page.rows.ptr[rows], *should = &w->groups[is->account % ACCOUNTS];
        if (is->account >= ACCOUNTS || is->n != should->n || is->total != should->total || is->codes != should->codes ||
            is->latest != should->latest)
            differs("account", is->account, page.position, is->n, should->n);
    }
    if (rows != groups)
        differs("groups", 0, page.position, rows, groups);
    return page.position;
}

static uint64_t look_at_hours(cell_ctx *c, struct counted *w, const char *folder)
{
    struct hours_page page;

    cell_ctx_reset(c);
    if (hours_scan(c, 0, 10, INT64_MAX, &page) < 0 || page.position == 0)
        return 0;
    count_to(w, folder, page.position);
    const struct hours *is = page.rows.ptr;
    if (page.rows.len != 1 || is->begin != w->hour.begin || is->n != w->hour.n || is->codes != w->hour.codes)
        differs("hour", page.rows.len ? (uint64_t)is->begin : 0, page.position, page.rows.len ? is->n : 0, w->hour.n);
    return page.position;
}

int main(int argc, char **argv)
{
    static struct counted groups, hours; /* each at its own position */
    CELL_CTX(c, .timeout_ms = 3000);

    if (argc != 3)
        return 2;
    uint64_t end = strtoull(argv[2], NULL, 10), a = 0, b = 0;
    for (int tries = 0; !end || a != end || b != end; tries++) {
        a = look_at_groups(c, &groups, argv[1]);
        b = look_at_hours(c, &hours, argv[1]);
        if (a && b) {
            printf("flow %" PRIu64 " %" PRIu64 "\n", a, groups.so_far.hash);
            fflush(stdout);
        }
        if (end && tries > PATIENCE_MS / 20) {
            fprintf(stderr,
                    "flow: aggregates are at %" PRIu64 " and %" PRIu64 ", and there are %" PRIu64 " records: %s\n", a,
                    b, end, cell_ctx_message(c));
            return 1;
        }
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return 0;
}
