/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Documents by their vectors. */
#include "index_read_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int fail_reading(struct search_reader *r, struct search_failure *f)
{
    return index_fail(r->db, f, "reading the index");
}

static int check(const struct search_reader *r, uint32_t field, const float *vector, uint32_t k,
                 struct search_failure *f)
{
    const struct search_fields *fields = &r->index->definition.fields;
    double square = 0;

    if (k == 0 || k > SIMILAR_MOST)
        return search_fail(f, CELL_INVALID_ARGUMENT, "1 to %d similar documents can be asked for", SIMILAR_MOST);
    if (field >= fields->n || !index_is_vector(&fields->at[field]))
        return search_fail(f, CELL_INVALID_ARGUMENT, "field '%s' is no vector",
                           field < fields->n ? fields->at[field].name : "?");
    for (uint32_t i = 0; i < fields->at[field].dimensions; i++) {
        if (!isfinite(vector[i]))
            return search_fail(f, CELL_INVALID_ARGUMENT, "value %u of the vector is no number", i);
        square += (double)vector[i] * (double)vector[i];
    }
    if (square == 0 && fields->at[field].metric == SEARCH_COSINE)
        return search_fail(f, CELL_INVALID_ARGUMENT, "the vector is zero, and has no direction");
    return CELL_OK;
}

/* ---- what the query allows ---- */

static int allow(struct search_allowed *a, uint64_t *room, uint64_t id, struct search_failure *f)
{
    if (id >= *room) {
        uint64_t wanted = (id + 1 > 2 * *room ? id + 1 : 2 * *room) + 63;
        uint64_t *bits = realloc((void *)(uintptr_t)a->bits, wanted / 64 * sizeof(*bits));
        if (!bits)
            return search_fail(f, CELL_NO_MEMORY, "out of memory");
        memset(bits + *room / 64, 0, (wanted / 64 - *room / 64) * sizeof(*bits));
        a->bits = bits;
        *room = wanted / 64 * 64;
    }
    ((uint64_t *)(uintptr_t)a->bits)[id / 64] |= UINT64_C(1) << (id % 64);
    a->nbits = *room;
    a->count++;
    return CELL_OK;
}

static int read_allowed(struct search_reader *r, const struct reading *reading, struct search_allowed *a,
                        struct search_failure *f)
{
    sqlite3_str *sql = sqlite3_str_new(r->db);
    sqlite3_stmt *s = NULL;
    uint64_t room = 0;
    int step = SQLITE_DONE;

    sqlite3_str_appendall(sql, reading->query.match ? "SELECT text.rowid" : "SELECT d.id");
    reading_append_from(r, reading, sql);
    int status = reading_prepare(r, reading, sql, &s, f);
    if (status < 0)
        return status;
    while (status >= 0 && (step = sqlite3_step(s)) == SQLITE_ROW)
        status = allow(a, &room, (uint64_t)sqlite3_column_int64(s, 0), f);
    if (status >= 0 && step != SQLITE_DONE)
        status = fail_reading(r, f);
    sqlite3_finalize(s);
    return status;
}

/* ---- what is near ---- */

static float score_of(enum search_metric metric, float distance)
{
    return metric == SEARCH_L2 ? -distance : 1 - distance;
}

/* The graph may be a moment ahead of what this reader sees: what it does not see was not found. */
static int show(struct search_reader *r, enum search_metric metric, const struct search_near *near, uint32_t n,
                search_take_hit *take, void *user, struct search_failure *f)
{
    sqlite3_stmt *s = NULL;
    int status = index_prepare(r->db, &s, f, "SELECT key FROM docs WHERE id = ?1");
    bool more = true;

    for (uint32_t i = 0; status >= 0 && more && i < n; i++) {
        sqlite3_reset(s);
        sqlite3_bind_int64(s, 1, (int64_t)near[i].id);
        int step = sqlite3_step(s);
        if (step == SQLITE_DONE)
            continue;
        if (step != SQLITE_ROW) {
            status = fail_reading(r, f);
            break;
        }
        struct search_hit hit = {.id = (int64_t)near[i].id, .score = (double)score_of(metric, near[i].distance)};
        hit.key = sqlite3_column_blob(s, 0);
        hit.key_length = (size_t)sqlite3_column_bytes(s, 0);
        more = take(user, &hit);
    }
    sqlite3_finalize(s);
    return status;
}

int similar_find(struct search_reader *r, uint32_t field, const float *vector, uint32_t k,
                 const struct reading *reading, struct search_near *near, uint32_t *n, struct search_failure *f)
{
    struct search_allowed allowed = {0};
    int status = check(r, field, vector, k, f);

    if (status >= 0 && !reading->any)
        status = read_allowed(r, reading, &allowed, f);
    if (status >= 0)
        status = search_vectors_find(r->index->graphs[field], vector, k, 0, reading->any ? NULL : &allowed, near, n, f);
    free((void *)(uintptr_t)allowed.bits);
    return status;
}

int search_similar(struct search_reader *r, uint32_t field, const float *vector, uint32_t k, const char *query,
                   size_t length, search_take_hit *take, void *user, struct search_failure *f)
{
    struct search_near near[SIMILAR_MOST];
    struct reading reading;
    uint32_t n = 0;
    int status = reading_begin(r, query, length, &reading, f);

    if (status >= 0)
        status = similar_find(r, field, vector, k, &reading, near, &n, f);
    if (status >= 0)
        status = show(r, r->index->definition.fields.at[field].metric, near, n, take, user, f);
    reading_end(&reading);
    return status;
}
