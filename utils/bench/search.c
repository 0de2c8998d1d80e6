/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The search engine beside what it is made of, FTS5 and hnswlib, over documents in a file, one a line,
 * "KEY<tab>TITLE<tab>BODY<tab>KIND".
 *
 *   bench-search ingest DOCUMENTS FOLDER ROUNDS   "ENGINE-SECONDS FTS5-SECONDS" for each round
 *   bench-search relevance DOCUMENTS FOLDER N     "SAME N": queries whose ten best are those of FTS5 by hand;
 *                                                 then "ENGINE-US FTS5-US", medians of one query
 *   bench-search vectors DOCUMENTS DIMENSIONS N   names and values, one a line
 */
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "search/index.h"
#include "search/vectors.h"
#include "search_hnswlib.h"

#define BATCH 1000
#define BEST 10

struct document {
    const char *key, *title, *body, *kind;
};
static struct document *documents;
static size_t ndocuments;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench-search: %s\n", what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t seed = 1;
static size_t below(size_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)((seed >> 33) % n);
}

static void read_documents(const char *path)
{
    FILE *f = fopen(path, "r");
    char *line = NULL, *rest;
    size_t room = 0;

    if (!f)
        die(strerror(errno));
    while (getline(&line, &room, f) > 0) {
        documents = realloc(documents, (ndocuments + 1) * sizeof(*documents));
        rest = strdup(line);
        if (!documents || !rest)
            die("out of memory");
        rest[strcspn(rest, "\n")] = '\0';
        struct document *d = &documents[ndocuments++];
        d->key = strsep(&rest, "\t");
        d->title = strsep(&rest, "\t");
        d->body = strsep(&rest, "\t");
        d->kind = rest;
        if (!d->kind)
            die("a line has not four fields");
    }
    free(line);
    fclose(f);
}

/* ---- words ---- */

static const struct search_field fields[] = {{.name = "title", .kind = SEARCH_TEXT, .weight = 3},
                                             {.name = "body", .kind = SEARCH_TEXT, .weight = 1},
                                             {.name = "kind", .kind = SEARCH_KEYWORD}};
static const struct search_definition definition = {{fields, 3}, "none", true, NULL};
static struct search_failure f;

static void check(int r)
{
    if (r < 0)
        die(f.text);
}

static void execute(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    return s;
}

static struct search_content text(const char *t) { return (struct search_content){.text = {t, strlen(t)}}; }

static struct search_index *ingest_engine(const char *path)
{
    struct search_index *x = NULL;

    check(search_index_open(path, &definition, &x, &f));
    for (size_t i = 0; i < ndocuments;) {
        check(search_index_begin(x, &f));
        for (size_t n = 0; n < BATCH && i < ndocuments; n++, i++) {
            const struct document *d = &documents[i];
            const struct search_content c[] = {text(d->title), text(d->body), text(d->kind)};
            check(search_index_put(x, d->key, strlen(d->key), c, &f));
        }
        check(search_index_commit(x, &i, sizeof(i), &f));
    }
    return x;
}

static sqlite3 *ingest_fts5(const char *path)
{
    sqlite3 *db = NULL;

    if (sqlite3_open(path, &db) != SQLITE_OK)
        die("cannot make a database");
    execute(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                "CREATE VIRTUAL TABLE t USING fts5(title, body, kind UNINDEXED, key UNINDEXED, "
                "tokenize='unicode61 remove_diacritics 2')");
    sqlite3_stmt *s = prepare(db, "INSERT INTO t(rowid, title, body, kind, key) VALUES(?, ?, ?, ?, ?)");
    for (size_t i = 0; i < ndocuments;) {
        execute(db, "BEGIN");
        for (size_t n = 0; n < BATCH && i < ndocuments; n++, i++) {
            const struct document *d = &documents[i];
            sqlite3_bind_int64(s, 1, (sqlite3_int64)i + 1);
            sqlite3_bind_text(s, 2, d->title, -1, SQLITE_STATIC);
            sqlite3_bind_text(s, 3, d->body, -1, SQLITE_STATIC);
            sqlite3_bind_text(s, 4, d->kind, -1, SQLITE_STATIC);
            sqlite3_bind_text(s, 5, d->key, -1, SQLITE_STATIC);
            if (sqlite3_step(s) != SQLITE_DONE || sqlite3_reset(s) != SQLITE_OK)
                die(sqlite3_errmsg(db));
        }
        execute(db, "COMMIT");
    }
    sqlite3_finalize(s);
    return db;
}

static void remove_database(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char name[4096];

    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%s%s", path, ends[i]);
        unlink(name);
    }
}

static double time_engine(const char *path)
{
    remove_database(path);
    double begin = now();
    search_index_close(ingest_engine(path));
    return now() - begin;
}

static double time_fts5(const char *path)
{
    remove_database(path);
    double begin = now();
    sqlite3_close(ingest_fts5(path));
    return now() - begin;
}

static void ingest(const char *folder, int rounds)
{
    char engine[4096], hand[4096];

    snprintf(engine, sizeof(engine), "%s/engine.db", folder);
    snprintf(hand, sizeof(hand), "%s/hand.db", folder);
    for (int i = 0; i < rounds; i++) {
        double a, b;
        if (i % 2 == 0) {
            a = time_engine(engine);
            b = time_fts5(hand);
        } else {
            b = time_fts5(hand);
            a = time_engine(engine);
        }
        printf("%.6f %.6f\n", a, b);
    }
}

/* Two words of some document, one of them rare enough for it. */
static void make_query(char *query, size_t room)
{
    const char *words[64];
    size_t n = 0;
    char *copy = strdup(documents[below(ndocuments)].body), *rest = copy, *word;

    while (copy && n < 64 && (word = strsep(&rest, " ,.;:()\"'-/`")))
        if (strlen(word) > 3 && strspn(word, "abcdefghijklmnopqrstuvwxyz") == strlen(word))
            words[n++] = word;
    if (n < 2)
        snprintf(query, room, "animal");
    else
        snprintf(query, room, below(3) ? "%s %s" : "%s OR %s", words[below(n)], words[below(n)]);
    free(copy);
}

struct best {
    char keys[BEST][32];
    uint32_t n;
};

static bool take(void *user, const struct search_hit *hit)
{
    struct best *b = user;

    snprintf(b->keys[b->n++], sizeof(b->keys[0]), "%.*s", (int)hit->key_length, (const char *)hit->key);
    return true;
}

static void ask_by_hand(sqlite3_stmt *s, const char *query, struct best *b)
{
    sqlite3_bind_text(s, 1, query, -1, SQLITE_STATIC);
    for (b->n = 0; sqlite3_step(s) == SQLITE_ROW; b->n++)
        snprintf(b->keys[b->n], sizeof(b->keys[0]), "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_reset(s);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void relevance(const char *folder, size_t n)
{
    char engine[4096], hand[4096], query[256];
    struct search_reader *r = NULL;
    double *us = calloc(2 * n, sizeof(*us));
    size_t same = 0;

    snprintf(engine, sizeof(engine), "%s/engine.db", folder);
    snprintf(hand, sizeof(hand), "%s/hand.db", folder);
    remove_database(engine);
    remove_database(hand);
    struct search_index *x = ingest_engine(engine);
    sqlite3 *db = ingest_fts5(hand);
    check(search_reader_open(x, &r, &f));
    sqlite3_stmt *s = prepare(db, "SELECT key FROM t WHERE t MATCH ? AND rank MATCH 'bm25(3.0, 1.0)' "
                                  "ORDER BY rank, rowid LIMIT 10");
    for (size_t i = 0; us && i < n; i++) {
        struct best ours = {.n = 0}, theirs;
        make_query(query, sizeof(query));
        const struct search_request request = {.query = query, .query_length = strlen(query), .limit = BEST};
        double begin = now();
        check(search_run(r, &request, take, &ours, &f));
        double middle = now();
        ask_by_hand(s, query, &theirs);
        us[i] = (middle - begin) * 1e6;
        us[n + i] = (now() - middle) * 1e6;
        bool equal = ours.n == theirs.n;
        for (uint32_t k = 0; equal && k < ours.n; k++)
            equal = strcmp(ours.keys[k], theirs.keys[k]) == 0;
        same += equal;
    }
    qsort(us, n, sizeof(*us), compare_doubles);
    qsort(us + n, n, sizeof(*us), compare_doubles);
    printf("%zu %zu\n%.2f %.2f\n", same, n, us[n / 2], us[n + n / 2]);
    sqlite3_finalize(s);
    sqlite3_close(db);
    search_reader_close(r);
    search_index_close(x);
    free(us);
}

/* ---- vectors ---- */

#define BUCKETS (1U << 20)

static uint64_t hash(const char *word, size_t n)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)(word[i] | 32)) * UINT64_C(1099511628211);
    return h ^ h >> 29;
}

typedef void each_word(void *user, uint64_t h);
static void walk(const char *t, each_word *each, void *user)
{
    while (*t) {
        size_t n = strspn(t, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
        if (n > 1)
            each(user, hash(t, n));
        t += n + (n == 0);
    }
}

static void count_word(void *user, uint64_t h) { ((uint32_t *)user)[h % BUCKETS]++; }

struct vector {
    float *at;
    size_t dimensions;
    const uint32_t *counts;
};

/* The hashing trick: a word is some direction with a sign, and counts the more the rarer it is. */
static void add_word(void *user, uint64_t h)
{
    struct vector *v = user;
    float weight = logf((float)ndocuments / (float)(v->counts[h % BUCKETS] + 1)) + 1;

    for (int i = 0; i < 3; i++, h = h * UINT64_C(6364136223846793005) + 1)
        v->at[(h >> 20) % v->dimensions] += h >> 60 & 1 ? weight : -weight;
}

static float *make_vectors(size_t dimensions)
{
    uint32_t *counts = calloc(BUCKETS, sizeof(*counts));
    float *all = calloc(ndocuments * dimensions, sizeof(*all));

    if (!counts || !all)
        die("out of memory");
    for (size_t i = 0; i < ndocuments; i++)
        walk(documents[i].body, count_word, counts);
    for (size_t i = 0; i < ndocuments; i++) {
        struct vector v = {all + i * dimensions, dimensions, counts};
        walk(documents[i].title, add_word, &v);
        walk(documents[i].body, add_word, &v);
        v.at[0] += 1e-3F; /* none is zero */
    }
    free(counts);
    return all;
}

static double recall(const struct search_near *exact, uint32_t n, const uint64_t *ids, uint32_t nids)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < nids; k++)
            found += exact[i].id == ids[k];
    return n ? (double)found / n : 1;
}

/* Medians of the seconds that a question took, and means of recall. */
struct answers {
    double ours, theirs, recall, their_recall;
};

/* What a condition leaves out is taken out afterwards. */
static uint32_t keep_allowed(const struct search_allowed *allowed, uint64_t *ids, uint32_t n)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n; i++)
        if (!allowed || (allowed->bits[ids[i] / 64] >> (ids[i] % 64) & 1))
            ids[kept++] = ids[i];
    return kept;
}

static uint32_t find_ours(struct search_vectors *v, const float *x, uint32_t breadth,
                          const struct search_allowed *allowed, uint64_t *ids, double *seconds)
{
    struct search_near near[BEST];
    uint32_t n;
    double begin = now();

    check(search_vectors_find(v, x, BEST, breadth, allowed, near, &n, &f));
    *seconds = now() - begin;
    for (uint32_t i = 0; i < n; i++)
        ids[i] = near[i].id;
    return n;
}

static uint32_t find_theirs(struct bench_hnswlib *h, const float *x, uint32_t breadth, uint64_t *ids, double *seconds)
{
    double begin = now();
    uint32_t n = bench_hnswlib_find(h, x, BEST, breadth, ids);

    *seconds = now() - begin;
    return n;
}

/* The same questions to both by turns, and each of them first as often as the other. */
static struct answers ask_both(struct search_vectors *v, struct bench_hnswlib *h, const float *all, size_t dimensions,
                               size_t n, uint32_t breadth, const struct search_allowed *allowed)
{
    struct answers a = {0};
    double *seconds = calloc(2 * n, sizeof(*seconds));

    for (size_t q = 0; seconds && q < n; q++) {
        const float *x = all + below(ndocuments) * dimensions;
        struct search_near exact[BEST];
        uint64_t ids[BEST], theirs[BEST];
        uint32_t found = 0, ntheirs = 0, nexact;
        for (int turn = 0; turn < 2; turn++)
            if ((q + (size_t)turn) % 2)
                found = find_ours(v, x, breadth, allowed, ids, &seconds[q]);
            else
                ntheirs = keep_allowed(allowed, theirs, find_theirs(h, x, breadth, theirs, &seconds[n + q]));
        check(search_vectors_find_exactly(v, x, BEST, allowed, exact, &nexact, &f));
        a.recall += recall(exact, nexact, ids, found) / (double)n;
        a.their_recall += recall(exact, nexact, theirs, ntheirs) / (double)n;
    }
    if (!seconds)
        die("out of memory");
    qsort(seconds, n, sizeof(*seconds), compare_doubles);
    qsort(seconds + n, n, sizeof(*seconds), compare_doubles);
    a.ours = seconds[n / 2];
    a.theirs = seconds[n + n / 2];
    free(seconds);
    return a;
}

static void vectors(size_t dimensions, size_t n)
{
    const struct search_vectors_options options = {.dimensions = (uint32_t)dimensions, .metric = SEARCH_COSINE};
    float *all = make_vectors(dimensions);
    uint64_t *ids = calloc(ndocuments, sizeof(*ids)), *bits = calloc(ndocuments / 64 + 1, sizeof(*bits));
    struct search_vectors *v = NULL;
    struct search_allowed few = {bits, ndocuments, 0};

    if (!ids || !bits)
        die("out of memory");
    for (size_t i = 0; i < ndocuments; i++)
        ids[i] = i;
    for (size_t i = 0; i < ndocuments; i += 20, few.count++)
        bits[i / 64] |= UINT64_C(1) << (i % 64);
    check(search_vectors_new(&options, &v, &f));
    double begin = now();
    check(search_vectors_put_many(v, ids, all, ndocuments, 0, &f));
    double middle = now();
    struct bench_hnswlib *h = bench_hnswlib_new(all, dimensions, ndocuments, (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
    printf("build-ours %.3f\nbuild-hnswlib %.3f\n", middle - begin, now() - middle);
    static const uint32_t breadths[] = {50, 100, 200, 400};
    for (size_t i = 0; i < sizeof(breadths) / sizeof(*breadths); i++) {
        struct answers a = ask_both(v, h, all, dimensions, n, breadths[i], NULL);
        printf("find-%u %.6f %.6f %.4f %.4f\n", breadths[i], a.ours, a.theirs, a.recall, a.their_recall);
    }
    struct answers a = ask_both(v, h, all, dimensions, n, 100, &few);
    printf("filtered %.6f %.6f %.4f %.4f\n", a.ours, a.theirs, a.recall, a.their_recall);
    search_vectors_free(v);
    bench_hnswlib_free(h);
    free(all);
    free(ids);
    free(bits);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        die("usage: bench-search ingest|relevance|vectors DOCUMENTS FOLDER|DIMENSIONS N");
    read_documents(argv[2]);
    if (strcmp(argv[1], "ingest") == 0)
        ingest(argv[3], atoi(argv[4]));
    else if (strcmp(argv[1], "relevance") == 0)
        relevance(argv[3], (size_t)atol(argv[4]));
    else
        vectors((size_t)atol(argv[3]), (size_t)atol(argv[4]));
    return 0;
}
