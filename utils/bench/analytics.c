/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * How many transfers a second are aggregated, on one core, over random accounts, and what a group costs:
 *
 *     bench-analytics [ACCOUNTS [RECORDS]]
 *
 * Records are as large as the ledger's (128 bytes), and come in spans of 8,192, as from a journal's reader. Four
 * definitions: sum and count; sum, count, least and largest; these while a snapshot is taken; and with a sketch.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "analytics/state.h"

#define SPAN 8192

struct record {
    uint64_t id[2], from, to;
    int64_t amount;
    uint64_t more[11];
};
_Static_assert(sizeof(struct record) == 128, "as the ledger's");

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct record *make_records(uint64_t n, uint64_t accounts)
{
    struct record *records = calloc(n, sizeof(*records));
    uint64_t x = 88172645463325252u;

    for (uint64_t i = 0; records && i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        records[i] = (struct record){.from = x % accounts, .amount = (int64_t)(x >> 44)};
    }
    return records;
}

static void fail(const char *text)
{
    fprintf(stderr, "bench-analytics: %s\n", text);
    exit(1);
}

/* Records a second of a pass over all of them, after one that made the groups. */
static void measure(const char *name, uint32_t naggregates, bool saving, const struct record *records, uint64_t n)
{
    const struct an_field from = {offsetof(struct record, from), 8, AN_UNSIGNED};
    const struct an_field amount = {offsetof(struct record, amount), 8, AN_SIGNED};
    const struct an_plan plan = {.record_size = sizeof(struct record),
                                 .nkeys = 1,
                                 .keys = {from},
                                 .naggregates = naggregates,
                                 .aggregates = {{AN_SUM, amount, 0},
                                                {AN_COUNT, amount, 0},
                                                {AN_MIN, amount, 0},
                                                {AN_MAX, amount, 0},
                                                {AN_QUANTILE, amount, 0.99}}};
    struct an_aggregator *a = NULL;
    struct an_failure f = {0};
    const void *data;
    double begin = 0, made = 0;
    size_t some, saved = 0;
    int more = 0;

    if (an_open(&plan, &a, &f) < 0)
        fail(f.text);
    for (int pass = 0; pass < 2; pass++) {
        begin = seconds();
        if (pass == 1 && saving)
            more = an_save_begin(a, &(struct an_place){.missed = 0}, &f) >= 0;
        for (uint64_t at = 0; at < n; at += SPAN) {
            if (an_take(a, records + at, n - at < SPAN ? (uint32_t)(n - at) : SPAN, &f) < 0)
                fail(f.text);
            if (more) {
                more = an_save_step(a, 256 << 10, &data, &some, &f);
                saved += some;
            }
        }
        if (pass == 0)
            made = seconds() - begin;
    }
    double took = seconds() - begin;
    struct an_counters c = an_counters(a);
    printf("%-32s %6.2f million a second (%.2f while groups are made), %" PRIu64 " groups, %.1f bytes each", name,
           (double)n / took / 1e6, (double)n / made / 1e6, c.groups, (double)c.bytes / (double)c.groups);
    printf(saved ? ", snapshot of %.1f MB\n" : "\n", (double)saved / 1e6);
    an_close(a);
}

int main(int argc, char **argv)
{
    uint64_t accounts = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 4000000;
    struct record *records = accounts && n ? make_records(n, accounts) : NULL;

    if (!records)
        fail("usage: bench-analytics [ACCOUNTS [RECORDS]], and 128 bytes of memory for each record");
    measure("sum, count", 2, false, records, n);
    measure("sum, count, min, max", 4, false, records, n);
    measure("the same beside a snapshot", 4, true, records, n);
    measure("with a quantile", 5, false, records, n);
    free(records);
    return 0;
}
