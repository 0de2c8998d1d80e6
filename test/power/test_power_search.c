/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_search_lib
/*
 * The power fails while an index is written: it has what the batches up to its position have made, of words and of
 * vectors, and what comes behind that position makes it whole again. And the catalog has what was acknowledged.
 */
#include <search/index_impl.h>
#include <search/service.h>

#include "power.h"

#define NKEYS 120
#define MOST_CHANGES 3000
#define DIMENSIONS 4
#define CREATED 1

static const struct search_field fields[] = {
    {.name = "title", .kind = SEARCH_TEXT, .weight = 1},
    {.name = "year", .kind = SEARCH_INTEGER},
    {.name = "place", .kind = SEARCH_VECTOR, .dimensions = DIMENSIONS, .metric = SEARCH_L2},
};
static const struct search_definition definition = {{fields, 3}, "none", true, NULL};

/* The source: change `i` puts a record, or deletes it. Everything in a record follows from its change. */
static struct {
    uint32_t key;
    bool there;
} changes[MOST_CHANGES + 1];
static uint8_t is_batch[MOST_CHANGES + 1]; /* a batch ends with that change */
static uint32_t newest[NKEYS];             /* of a state: the change that made it; 0: there is none */
static struct search_failure f;

static void vector_of(uint32_t change, float vector[DIMENSIONS])
{
    uint64_t seed = change;

    for (int i = 0; i < DIMENSIONS; i++)
        vector[i] = (float)states_random(&seed, 1000000) / 1000;
}

static int apply(struct search_index *x, uint32_t change)
{
    char key[16], title[400];
    float vector[DIMENSIONS];
    int n = snprintf(key, sizeof(key), "k%u", changes[change].key);

    if (!changes[change].there)
        return search_index_delete(x, key, (size_t)n, &f);
    vector_of(change, vector);
    int at = snprintf(title, sizeof(title), "word%u common", change);
    for (uint32_t i = 0; i < change % 40; i++)
        at += snprintf(title + at, sizeof(title) - (size_t)at, " w%u", change * 31 % (100 + i));
    const struct search_content content[] = {
        {.text = {title, (size_t)at}}, {.integer = change}, {.absent = change % 10 == 0, .vector = vector}};
    return search_index_put(x, key, (size_t)n, content, &f);
}

/* Batches up to the end of the source, as a pipeline writes them. */
static void catch_up(struct search_index *x, uint32_t from, uint64_t seed, bool whole)
{
    struct search_reader *reader = NULL;
    uint64_t count;

    while (from < MOST_CHANGES && !test_failures) {
        uint32_t to = from + 1 + states_random(&seed, states_random(&seed, 6) ? 8 : 60);
        uint64_t position;
        to = to > MOST_CHANGES ? MOST_CHANGES : to;
        CHECK(search_index_begin(x, &f) == CELL_OK);
        for (uint32_t i = from + 1; i <= to; i++)
            CHECK(apply(x, i) == CELL_OK);
        if (whole && states_random(&seed, 12) == 0) { /* it fails, and comes again */
            search_index_rollback(x);
            continue;
        }
        position = to;
        CHECK(search_index_commit(x, &position, sizeof(position), &f) == CELL_OK);
        if (whole)
            is_batch[to] = 1;
        if (whole && states_random(&seed, 25) == 0)
            CHECK(search_index_checkpoint(x, &f) == CELL_OK);
        if (whole && !reader && states_random(&seed, 10) == 0)
            CHECK(search_reader_open(x, &reader, &f) == CELL_OK);
        if (reader)
            CHECK(search_count(reader, "common", 6, &count, &f) == CELL_OK);
        from = to;
    }
    search_reader_close(reader);
}

/* SQLite moves what is in the -wal after so many pages: often, that it happens often. */
static bool hasten(struct search_index *x)
{
    return sqlite3_exec(x->db, "PRAGMA wal_autocheckpoint = 60", NULL, NULL, NULL) == SQLITE_OK;
}

static void write_index(void)
{
    uint64_t seed = 5;
    struct search_index *x = NULL;

    for (uint32_t i = 1; i <= MOST_CHANGES; i++) {
        changes[i].key = states_random(&seed, NKEYS);
        changes[i].there = states_random(&seed, 4) > 0;
    }
    memset(is_batch, 0, sizeof(is_batch));
    power_record();
    CHECK(search_index_open(temp_path("disk/a.1.index"), &definition, &x, &f) == CELL_OK);
    REQUIRE(x && hasten(x));
    catch_up(x, 0, 99, true);
    search_index_close(x);
}

/* ---- what is there ---- */

struct seen {
    uint32_t n;
    bool twice;
    uint8_t keys[NKEYS];
};

static bool take(void *user, const struct search_hit *hit)
{
    struct seen *s = user;
    uint32_t k = (uint32_t)atoi((const char *)hit->key + 1);

    s->twice = s->twice || k >= NKEYS || s->keys[k];
    if (k < NKEYS)
        s->keys[k] = 1;
    s->n++;
    return true;
}

static bool finds(struct search_reader *r, const char *query, struct seen *seen)
{
    const struct search_request request = {.query = query, .query_length = strlen(query), .limit = NKEYS + 1};

    *seen = (struct seen){0};
    return search_run(r, &request, take, seen, &f) == CELL_OK && !seen->twice;
}

/* What the changes up to that one have made: each record by its word, its number and its vector; and nothing else. */
static void compare(struct search_index *x, uint32_t upto)
{
    struct search_reader *r = NULL;
    struct seen all, common, one;
    uint32_t there = 0;

    memset(newest, 0, sizeof(newest));
    for (uint32_t i = 1; i <= upto; i++)
        newest[changes[i].key] = changes[i].there ? i : 0;
    REQUIRE(search_reader_open(x, &r, &f) == CELL_OK);
    CHECK(finds(r, "", &all) && finds(r, "common", &common));
    for (uint32_t k = 0; k < NKEYS; k++) {
        char query[64];
        float vector[DIMENSIONS];
        there += newest[k] != 0;
        CHECK(all.keys[k] == (newest[k] != 0) && common.keys[k] == all.keys[k]);
        if (!newest[k])
            continue;
        snprintf(query, sizeof(query), "word%u year:%u", newest[k], newest[k]);
        CHECK(finds(r, query, &one) && one.n == 1 && one.keys[k]);
        vector_of(newest[k], vector);
        one = (struct seen){0};
        CHECK(search_similar(r, 2, vector, 1, "", 0, take, &one, &f) == CELL_OK);
        CHECK(newest[k] % 10 == 0 || (one.n == 1 && one.keys[k]));
    }
    CHECK(all.n == there && common.n == there);
    search_reader_close(r);
    CHECK(sqlite3_exec(x->db, "INSERT INTO text(text, rank) VALUES('integrity-check', 0)", NULL, NULL, NULL) ==
          SQLITE_OK);
    sqlite3_stmt *s = NULL;
    CHECK(sqlite3_prepare_v2(x->db, "PRAGMA integrity_check", -1, &s, NULL) == SQLITE_OK);
    CHECK(sqlite3_step(s) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0);
    sqlite3_finalize(s);
}

static uint32_t position_of(struct search_index *x)
{
    uint8_t bytes[SEARCH_MOST_POSITION];
    uint64_t position = 0;
    int n = search_index_position(x, bytes, &f);

    CHECK(n == 0 || n == 8);
    if (n == 8)
        memcpy(&position, bytes, 8);
    return (uint32_t)position;
}

static void look(const struct states *states, size_t point, const char *folder)
{
    struct search_index *x = NULL;
    char path[200];

    snprintf(path, sizeof(path), "%s/a.1.index", folder);
    if (search_index_open(path, &definition, &x, &f) < 0)
        printf("%s\n", f.text);
    REQUIRE(x != NULL);
    uint32_t position = position_of(x);
    CHECK(position == 0 || (position <= MOST_CHANGES && is_batch[position]));
    compare(x, position);
    if (!test_failures && hasten(x)) {
        catch_up(x, position, point, false);
        compare(x, MOST_CHANGES);
    }
    search_index_close(x);
    (void)states;
}

TEST(an_index_has_what_its_position_says)
{
    write_index();
    power_look(60, look);
}
