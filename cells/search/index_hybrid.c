/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Words and vectors together. */
#include "index_read_impl.h"

#include <stdlib.h>
#include <string.h>

#define FADES 60 /* how slowly a place loses its worth */
/* Of each list as many are looked at: who is far down in both is still before who is high up in one only. */
#define DEPTH 4
#define LEAST_DEPTH 100

struct ranked {
    int64_t id;
    double score;
};

struct ranking {
    struct ranked *at;
    uint32_t n, words; /* those from words are first */
};

static double worth(uint32_t place) { return 1.0 / (FADES + place + 1); }

static bool take_words(void *user, const struct search_hit *hit)
{
    struct ranking *ranking = user;

    ranking->at[ranking->n] = (struct ranked){hit->id, worth(ranking->n)};
    ranking->n++;
    return true;
}

static void add_near(struct ranking *ranking, const struct search_near *near, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = 0;
        while (k < ranking->words && ranking->at[k].id != (int64_t)near[i].id)
            k++;
        if (k == ranking->words) {
            k = ranking->n++;
            ranking->at[k] = (struct ranked){(int64_t)near[i].id, 0};
        }
        ranking->at[k].score += worth(i);
    }
}

static int compare(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

static int rank(struct search_reader *r, uint32_t field, const float *vector, uint32_t depth, const char *query,
                size_t length, struct ranking *ranking, struct search_failure *f)
{
    const struct search_request request = {.query = query, .query_length = length, .limit = depth};
    struct search_near near[SIMILAR_MOST];
    struct reading reading;
    uint32_t n = 0;
    int status = reading_begin(r, query, length, &reading, f);

    if (status < 0)
        return status;
    if (reading.query.match)
        status = search_run(r, &request, take_words, ranking, f);
    ranking->words = ranking->n;
    /* Only its conditions hold for the vectors. */
    search_query_free(&reading.query);
    reading.any = reading.query.nfilters == 0;
    if (status >= 0)
        status = similar_find(r, field, vector, depth < SIMILAR_MOST ? depth : SIMILAR_MOST, &reading, near, &n, f);
    if (status >= 0)
        add_near(ranking, near, n);
    reading_end(&reading);
    return status;
}

static int show(struct search_reader *r, const struct ranking *ranking, uint32_t k, search_take_hit *take, void *user,
                struct search_failure *f)
{
    sqlite3_stmt *s = NULL;
    int status = index_prepare(r->db, &s, f, "SELECT key FROM docs WHERE id = ?1");
    bool more = true;

    for (uint32_t i = 0, shown = 0; status >= 0 && more && shown < k && i < ranking->n; i++) {
        sqlite3_reset(s);
        sqlite3_bind_int64(s, 1, ranking->at[i].id);
        int step = sqlite3_step(s);
        if (step == SQLITE_DONE)
            continue; /* deleted meanwhile */
        if (step != SQLITE_ROW) {
            status = index_fail(r->db, f, "reading the index");
            break;
        }
        struct search_hit hit = {.id = ranking->at[i].id, .score = ranking->at[i].score};
        hit.key = sqlite3_column_blob(s, 0);
        hit.key_length = (size_t)sqlite3_column_bytes(s, 0);
        more = take(user, &hit);
        shown++;
    }
    sqlite3_finalize(s);
    return status;
}

int search_hybrid(struct search_reader *r, uint32_t field, const float *vector, uint32_t k, const char *query,
                  size_t length, search_take_hit *take, void *user, struct search_failure *f)
{
    if (k == 0 || k > SIMILAR_MOST)
        return search_fail(f, CELL_INVALID_ARGUMENT, "1 to %d documents can be asked for", SIMILAR_MOST);
    uint32_t depth = DEPTH * k > LEAST_DEPTH ? DEPTH * k : LEAST_DEPTH;
    struct ranking ranking = {calloc(2 * (size_t)depth, sizeof(*ranking.at)), 0, 0};
    if (!ranking.at)
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    int status = rank(r, field, vector, depth, query, length, &ranking, f);
    if (status >= 0) {
        qsort(ranking.at, ranking.n, sizeof(*ranking.at), compare);
        status = show(r, &ranking, k, take, user, f);
    }
    free(ranking.at);
    return status;
}
