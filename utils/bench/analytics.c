/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * How many transfers a second are aggregated, on one core, over random accounts, and what a group costs:
 *
 *     bench-analytics DEFINITION [ACCOUNTS [RECORDS]]
 *
 * Definitions: `plain`: sum and count; `example`: that of docs/analytics.md, sum, count, the largest and a quantile;
 * `snapshot`: the same beside a snapshot of the first half's; `where` and `function`: sum and count of those records,
 * of 1,000 all but one, for which a condition holds that is written out, or is in a function that it calls. Records are
 * as large as the ledger's (128 bytes), and come in spans of 8,192, as from a journal's reader; making them is not
 * measured. Prints records a second of all, and of the last quarter; bytes a group in entries and tables, and in
 * sketches; and groups.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analytics/state.h"

#define SPAN 8192u
#define AT_ONCE (SPAN * 128)

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

static void fail(const char *text)
{
    fprintf(stderr, "bench-analytics: %s\n", text);
    exit(1);
}

/* Of 2^20 amounts, each as likely as any other. */
static void make_records(struct record *records, uint32_t n, uint64_t accounts, uint64_t *x)
{
    for (uint32_t i = 0; i < n; i++) {
        *x ^= *x << 13;
        *x ^= *x >> 7;
        *x ^= *x << 17;
        records[i] = (struct record){.from = *x % accounts, .amount = (int64_t)(*x >> 44)};
    }
}

static const struct an_field from = {offsetof(struct record, from), 8, AN_UNSIGNED};
static const struct an_field amount = {offsetof(struct record, amount), 8, AN_SIGNED};
static const char where[] = "from == 7 && amount > 100 || amount > 1000";
static const char is_large[] = /* if (from == 7) return amount > 100; return amount > 1000; */
    "{\"cell.ast\":1,\"functions\":[{\"name\":\"is_large\",\"returns\":\"bool\",\"params\":["
    "{\"name\":\"amount\",\"type\":\"i64\"},{\"name\":\"from\",\"type\":\"u64\"}],\"body\":["
    "[\"if\",[\"==\",\"from\",{\"u64\":7}],[[\"return\",[\">\",\"amount\",{\"i64\":100}]]]],"
    "[\"return\",[\">\",\"amount\",{\"i64\":1000}]]]}]}";

static enum an_name find(void *user, const char *name, struct an_field *field, __int128 *number)
{
    (void)user;
    (void)number;
    *field = *name == 'f' ? from : amount;
    return AN_NAME_FIELD;
}

static void add_condition(struct an_plan *plan, const char *what)
{
    struct an_problem problem;
    struct cell_hot *functions = NULL; /* until the end */
    struct cell_error e = {0};

    if (strcmp(what, "function") == 0 && cell_hot_open(is_large, strlen(is_large), &functions, &e) < 0)
        fail(e.text);
    if (!an_filter_parse(functions ? "is_large(amount, from)" : where, functions, find, NULL, &plan->filter, &problem))
        fail(problem.text);
}

static struct an_aggregator *open_plan(const char *what, uint32_t naggregates)
{
    struct an_plan plan = {
        .record_size = sizeof(struct record),
        .nkeys = 1,
        .keys = {from},
        .naggregates = naggregates,
        .aggregates = {{AN_SUM, amount, 0}, {AN_COUNT, amount, 0}, {AN_MAX, amount, 0}, {AN_QUANTILE, amount, 0.99}}};
    struct an_aggregator *a = NULL;
    struct an_failure f = {0};

    if (strcmp(what, "where") == 0 || strcmp(what, "function") == 0)
        add_condition(&plan, what);
    if (an_open(&plan, &a, &f) < 0)
        fail(f.text);
    return a;
}

/* Seconds for the records, and for as much of a snapshot as there is still to be taken. */
static double take(struct an_aggregator *a, const struct record *records, uint32_t n, int *saving)
{
    struct an_failure f = {0};
    const void *data;
    size_t some;
    double begin = seconds();

    for (uint32_t at = 0; at < n; at += SPAN) {
        if (an_take(a, records + at, n - at < SPAN ? n - at : SPAN, &f) < 0)
            fail(f.text);
        if (*saving > 0)
            *saving = an_save_step(a, 256 << 10, &data, &some, &f);
    }
    return seconds() - begin;
}

static void measure(struct an_aggregator *a, uint64_t accounts, uint64_t n, bool snapshot)
{
    struct record *records = malloc(AT_ONCE * sizeof(*records));
    struct an_failure f = {0};
    double all = 0, last = 0;
    uint64_t x = 88172645463325252u, nlast = 0;
    int saving = 0;

    if (!records)
        fail("out of memory");
    for (uint64_t at = 0; at < n; at += AT_ONCE) {
        uint32_t some = n - at < AT_ONCE ? (uint32_t)(n - at) : AT_ONCE;
        make_records(records, some, accounts, &x);
        if (snapshot && at >= n / 2) {
            snapshot = false;
            saving = an_save_begin(a, &(struct an_place){.missed = 0}, &f) >= 0;
        }
        double took = take(a, records, some, &saving);
        all += took;
        last += at >= n / 4 * 3 ? took : 0;
        nlast += at >= n / 4 * 3 ? some : 0;
    }
    struct an_counters c = an_counters(a);
    printf("%.0f %.0f %.1f %.1f %" PRIu64 "\n", (double)n / all, (double)nlast / last,
           (double)c.bytes / (double)c.groups, (double)c.sketch_bytes / (double)c.groups, c.groups);
    free(records);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    uint64_t accounts = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
    uint64_t n = argc > 3 ? strtoull(argv[3], NULL, 10) : 8000000;
    bool plain = strcmp(what, "plain") == 0 || strcmp(what, "where") == 0 || strcmp(what, "function") == 0;
    bool snapshot = strcmp(what, "snapshot") == 0;

    if (accounts == 0 || n == 0 || !(plain || snapshot || strcmp(what, "example") == 0))
        fail("usage: bench-analytics plain|example|snapshot|where|function [ACCOUNTS [RECORDS]]");
    struct an_aggregator *a = open_plan(what, plain ? 2 : 4);
    measure(a, accounts, n, snapshot);
    an_close(a);
    return 0;
}
