/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Documents from a store into an index that follows it. utils/bench/search compiles this against the two cells, tells
 * it over stdin what to do, and reads a line of numbers:
 *
 *   ingest            seconds until all documents were acknowledged by the store, and until all were found
 *   lag RATE SECONDS  that many more a second: how many a second there were, and milliseconds from the acknowledgement
 *                     of a record until it was found, the median, those of 99 and of 99.9 in a hundred, and the most;
 *                     and the longest that a pause between two looks took: so long the machine has let nobody run
 *
 * The documents are in a file, one a line: "KEY<tab>TITLE<tab>BODY<tab>KIND".
 */
#include <cell/cell.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 1000
#define LAST "zzlastofall" /* a word that no document has */
#define PAUSE_US 500       /* between two looks */
#define PUT_EVERY_US 2000  /* of the records of `lag`: those that are due */
#define WORD "zzn%07zu"    /* that only one of these has */

struct CELL_STORE(documents) document {
    cell_str key CELL_KEY;
    cell_str title;
    cell_str body;
    cell_str kind;
};

struct CELL_SEARCH(entry, store.documents, CELL_ARG(all_words, 1)) document_index {
    cell_str key CELL_KEY;
    cell_str title CELL_WEIGHT(3);
    cell_str body;
    cell_str kind CELL_KEYWORD;
};

static struct document *documents;
static size_t ndocuments;

static _Noreturn void die(cell_ctx *c, const char *what)
{
    fprintf(stderr, "search_pipeline: %s: %s\n", what, c ? cell_ctx_message(c) : "failed");
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void sleep_us(uint64_t us)
{
    const struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};

    nanosleep(&t, NULL);
}

static void read_documents(const char *path)
{
    FILE *f = fopen(path, "r");
    char *line = NULL, *rest;
    size_t room = 0;

    while (f && getline(&line, &room, f) > 0) {
        if (ndocuments % BATCH == 0)
            documents = realloc(documents, (ndocuments + BATCH) * sizeof(*documents));
        rest = strdup(line);
        if (!documents || !rest)
            die(NULL, "memory");
        rest[strcspn(rest, "\n")] = '\0';
        struct document *d = &documents[ndocuments++];
        d->key = cell_strz(strsep(&rest, "\t"));
        d->title = cell_strz(strsep(&rest, "\t"));
        d->body = cell_strz(strsep(&rest, "\t"));
        d->kind = cell_strz(rest);
    }
    free(line);
    if (!f || ndocuments == 0)
        die(NULL, path);
    fclose(f);
}

static void put(cell_ctx *c, struct document *rows, size_t n)
{
    if (documents_put_many(c, (documents_records){rows, n}) < 0)
        die(c, "put");
    cell_ctx_reset(c);
}

static uint64_t count(cell_ctx *c, const char *query)
{
    uint64_t n = 0;

    if (entry_count(c, cell_strz(query), &n) < 0)
        die(c, "count");
    cell_ctx_reset(c);
    return n;
}

/* ---- all of them, as fast as it goes ---- */

static void ingest(cell_ctx *c)
{
    struct document last = {CELL_STR("zz"), CELL_STR(LAST), CELL_STR(""), CELL_STR("end")};
    uint64_t begun = now_ns();

    for (size_t i = 0; i < ndocuments; i += BATCH)
        put(c, &documents[i], ndocuments - i < BATCH ? ndocuments - i : BATCH);
    put(c, &last, 1);
    uint64_t acknowledged = now_ns();
    while (count(c, LAST) == 0) /* changes come in their order */
        sleep_us(PAUSE_US);
    uint64_t found = now_ns();
    if (count(c, "") != ndocuments + 1)
        die(NULL, "not all documents were found");
    printf("%.6f %.6f\n", (double)(acknowledged - begun) / 1e9, (double)(found - begun) / 1e9);
}

/* ---- some a second ---- */

struct flow {
    size_t rate, n;
    uint64_t *acknowledged, *lag; /* ns, of each record */
    atomic_size_t done;           /* those that are acknowledged */
    uint64_t begun, ended, longest_pause;
};

/* `n` records from `at` on. */
static void put_new(cell_ctx *c, size_t at, size_t n)
{
    struct document rows[BATCH];
    char keys[BATCH][16], words[BATCH][16];

    for (size_t i = 0; i < n; i++) {
        const struct document *d = &documents[(at + i) % ndocuments];
        snprintf(keys[i], sizeof(keys[i]), "zz%07zu", at + i);
        snprintf(words[i], sizeof(words[i]), WORD, at + i);
        rows[i] = (struct document){cell_strz(keys[i]), cell_strz(words[i]), d->body, d->kind};
    }
    put(c, rows, n);
}

static void *write_records(void *user)
{
    struct flow *f = user;
    size_t at = 0;
    CELL_CTX(c, .timeout_ms = 60000);

    f->begun = now_ns();
    for (uint64_t next = f->begun; at < f->n;) {
        uint64_t now = now_ns();
        if (now < next) {
            sleep_us((next - now) / 1000);
            continue;
        }
        next += PUT_EVERY_US * UINT64_C(1000);
        size_t due = (size_t)((now - f->begun) * f->rate / 1000000000) + 1;
        size_t n = (due < f->n ? due : f->n) - at;
        n = n < BATCH ? n : BATCH;
        if (n == 0)
            continue;
        put_new(c, at, n);
        now = now_ns();
        for (size_t i = 0; i < n; i++)
            f->acknowledged[at + i] = now;
        at += n;
        atomic_store(&f->done, at);
    }
    f->ended = now_ns();
    return NULL;
}

static bool is_found(cell_ctx *c, size_t record)
{
    char word[16];

    snprintf(word, sizeof(word), WORD, record);
    return count(c, word) == 1;
}

/* Records are found in the order in which they were put: the last that is, between `from`, which is, and `to`. */
static size_t last_found(cell_ctx *c, size_t from, size_t to)
{
    size_t step = 1;

    while (from + step < to && is_found(c, from + step)) {
        from += step;
        step *= 2;
    }
    to = from + step < to ? from + step : to;
    while (to - from > 1) {
        size_t middle = from + (to - from) / 2;
        if (is_found(c, middle))
            from = middle;
        else
            to = middle;
    }
    return from;
}

static void watch_records(cell_ctx *c, struct flow *f)
{
    for (size_t seen = 0; seen < f->n;) {
        size_t done = atomic_load(&f->done);
        if (seen == done || !is_found(c, seen)) {
            uint64_t before = now_ns();
            sleep_us(PAUSE_US);
            uint64_t pause = now_ns() - before;
            f->longest_pause = pause > f->longest_pause ? pause : f->longest_pause;
            continue;
        }
        size_t last = last_found(c, seen, done);
        uint64_t now = now_ns();
        for (; seen <= last; seen++)
            f->lag[seen] = now - f->acknowledged[seen];
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void measure_lag(cell_ctx *c, size_t rate, size_t seconds)
{
    struct flow f = {.rate = rate, .n = rate * seconds};
    pthread_t writer;

    f.acknowledged = calloc(f.n, sizeof(*f.acknowledged));
    f.lag = calloc(f.n, sizeof(*f.lag));
    if (!f.acknowledged || !f.lag || pthread_create(&writer, NULL, write_records, &f) != 0)
        die(NULL, "memory");
    watch_records(c, &f);
    pthread_join(writer, NULL);
    qsort(f.lag, f.n, sizeof(*f.lag), compare);
    printf("%.0f %.3f %.3f %.3f %.3f %.3f\n", (double)f.n / ((double)(f.ended - f.begun) / 1e9),
           (double)f.lag[f.n / 2] / 1e6, (double)f.lag[f.n / 100 * 99] / 1e6, (double)f.lag[f.n / 1000 * 999] / 1e6,
           (double)f.lag[f.n - 1] / 1e6, (double)f.longest_pause / 1e6);
    free(f.acknowledged);
    free(f.lag);
}

int main(int argc, char **argv)
{
    CELL_CTX(c, .timeout_ms = 60000);
    char what[16];
    size_t rate, seconds;

    if (argc != 2)
        die(NULL, "usage: search_pipeline DOCUMENTS");
    read_documents(argv[1]);
    count(c, ""); /* connects */
    printf("ready %zu\n", ndocuments);
    fflush(stdout);
    while (scanf("%15s", what) == 1) {
        if (strcmp(what, "ingest") == 0)
            ingest(c);
        else if (strcmp(what, "lag") == 0 && scanf("%zu %zu", &rate, &seconds) == 2 && rate > 0 && seconds > 0)
            measure_lag(c, rate, seconds);
        else
            die(NULL, what);
        fflush(stdout);
    }
    return 0;
}
