/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Random documents, changes and queries: what is found is what a walk over all documents finds, and the best of it,
 * with its scores, is what FTS5 says when it is asked by hand.
 */
// LIBS: cell_search_sanitized
#include <math.h>
#include <sqlite3.h>
#include <stdint.h>

#include "search_index.h"
#include "search/query.h"

#define NKEYS 60
#define NWORDS 8 /* of the vocabulary: w0, w1, …; so is w the beginning of all */
#define MOST 12  /* words of a text */

static const struct search_definition plain = {{article_fields, NFIELDS}, "none", true, NULL};

static uint64_t seed;
static unsigned below(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

/* ---- documents ---- */

struct document {
    bool there;
    unsigned ntitle, nbody;
    uint8_t title[MOST], body[MOST];
    int64_t year;
};
static struct document model[NKEYS];

static void spell(const uint8_t *words, unsigned n, char *to)
{
    *to = '\0';
    for (unsigned i = 0; i < n; i++)
        to += sprintf(to, "%sw%u", i ? " " : "", words[i]);
}

static void change(struct search_index *x, unsigned k)
{
    struct document *d = &model[k];
    char key[16], title[128], body[128];

    sprintf(key, "k%u", k);
    if (below(4) == 0) {
        d->there = false;
        CHECK(search_index_delete(x, key, strlen(key), &f) == CELL_OK);
        return;
    }
    *d = (struct document){.there = true, .ntitle = below(4), .nbody = below(MOST + 1), .year = below(10)};
    for (unsigned i = 0; i < MOST; i++) {
        d->title[i] = (uint8_t)below(NWORDS);
        d->body[i] = (uint8_t)below(NWORDS);
    }
    spell(d->title, d->ntitle, title);
    spell(d->body, d->nbody, body);
    CHECK(put(x, key, title, body, "en", d->year, 0, false) == CELL_OK);
}

/* ---- queries ---- */

enum { ANYWHERE, IN_TITLE, IN_BODY };

static bool has_words(const uint8_t *words, unsigned n, const unsigned *phrase, unsigned length, bool prefix)
{
    for (unsigned at = 0; at + length <= n; at++) {
        unsigned i = 0;
        while (i < length && (words[at + i] == phrase[i] || (prefix && i == length - 1)))
            i++;
        if (i == length)
            return true;
    }
    return false;
}

/* Writes a random query and returns by `match` which documents it finds. Begins are all "w", those of any word. */
static void make(unsigned depth, unsigned where, char *query, bool *match);

static void make_term(unsigned where, char *query, bool *match)
{
    unsigned length = 1 + below(3), phrase[3];
    bool prefix = below(6) == 0, quoted = length > 1 || below(2);

    for (unsigned i = 0; i < 3; i++)
        phrase[i] = below(NWORDS);
    query += sprintf(query, "%s", quoted ? "\"" : "");
    for (unsigned i = 0; i < length; i++)
        query += prefix && i == length - 1 ? sprintf(query, "%sw", i ? " " : "")
                                           : sprintf(query, "%sw%u", i ? " " : "", phrase[i]);
    sprintf(query, "%s%s", quoted ? "\"" : "", prefix ? "*" : "");
    for (unsigned k = 0; k < NKEYS; k++)
        match[k] = (where != IN_BODY && has_words(model[k].title, model[k].ntitle, phrase, length, prefix)) ||
                   (where != IN_TITLE && has_words(model[k].body, model[k].nbody, phrase, length, prefix));
}

static void make_field(unsigned depth, char *query, bool *match)
{
    unsigned where = 1 + below(2);

    query += sprintf(query, where == IN_TITLE ? "title:" : "body:");
    if (below(2)) {
        make_term(where, query, match);
        return;
    }
    *query++ = '(';
    make(depth, where, query, match);
    strcat(query, ")");
}

static void make_list(unsigned depth, unsigned where, bool or, char *query, bool *match)
{
    unsigned n = 2 + below(2);
    bool item[NKEYS];

    *query = '\0';
    for (unsigned i = 0; i < n; i++) {
        bool not = !or && i > 0 && below(3) == 0;
        query += sprintf(query, "%s%s(",
                         i == 0 ? "" : or     ? " OR "
                                   : below(2) ? " AND "
                                              : " ",
                         not? (below(2) ? "-" : "NOT ") : "");
        make(depth, where, query, item);
        query += strlen(query);
        query += sprintf(query, ")");
        for (unsigned k = 0; k < NKEYS; k++)
            match[k] = i == 0 ? item[k] : or ? match[k] || item[k] : match[k] && item[k] != not;
    }
}

static void make(unsigned depth, unsigned where, char *query, bool *match)
{
    unsigned what = depth == 0 ? 0 : below(5);

    if (what < 2)
        make_term(where, query, match);
    else if (what == 2 && where == ANYWHERE)
        make_field(depth - 1, query, match);
    else
        make_list(depth - 1, where, what == 3, query, match);
}

static bool mark(void *user, const struct search_hit *hit)
{
    bool *found = user;
    unsigned k = (unsigned)atoi((const char *)hit->key + 1);

    CHECK(k < NKEYS && !found[k]); /* nothing twice */
    found[k] = true;
    return true;
}

static void check_query(struct search_reader *r)
{
    static char query[1 << 16];
    bool match[NKEYS], found[NKEYS] = {0};
    unsigned low = below(10), high = low + below(10 - low);
    bool filtered = below(3) == 0;
    uint64_t count = 0, expected = 0;

    make(3, ANYWHERE, query, match);
    if (filtered)
        sprintf(query + strlen(query), strstr(query, " OR ") ? " " : " year:%u..%u", low, high);
    filtered = strstr(query, "year:") != NULL;
    const struct search_request request = {.query = query, .query_length = strlen(query), .limit = NKEYS + 1};
    int status = search_run(r, &request, mark, found, &f);
    if (status == CELL_INVALID_ARGUMENT && (strlen(query) > SEARCH_MOST_QUERY || strstr(f.text, "too long")))
        return;
    CHECK(status == CELL_OK);
    for (unsigned k = 0; k < NKEYS; k++) {
        bool is = model[k].there && match[k] && (!filtered || (model[k].year >= low && model[k].year <= high));
        expected += is;
        if (is != found[k])
            printf("%s: k%u is %sfound\n", query, k, found[k] ? "" : "not ");
        CHECK(is == found[k]);
    }
    CHECK(search_count(r, query, strlen(query), &count, &f) == CELL_OK && count == expected);
}

TEST(what_is_found_is_what_a_walk_over_all_finds)
{
    for (seed = 1; seed <= 12; seed++) {
        uint64_t next = seed;
        memset(model, 0, sizeof(model));
        struct search_index *x = new_index(&plain);
        struct search_reader *r = NULL;
        REQUIRE(x && search_reader_open(x, &r, &f) == CELL_OK);
        for (unsigned round = 0; round < 6; round++) {
            CHECK(search_index_begin(x, &f) == CELL_OK);
            for (unsigned i = 0; i < 40; i++)
                change(x, below(NKEYS));
            CHECK(search_index_commit(x, "", 0, &f) == CELL_OK);
            for (unsigned i = 0; i < 60; i++)
                check_query(r);
        }
        search_reader_close(r);
        search_index_close(x);
        temp_folder_remove();
        seed = next;
    }
}

/* ---- by hand ---- */

static sqlite3 *copy_by_hand(void)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    char title[128], body[128];

    CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, "CREATE VIRTUAL TABLE t USING fts5(title, body, tokenize = 'unicode61 remove_diacritics 2')",
                       NULL, NULL, NULL) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(db, "INSERT INTO t(rowid, title, body) VALUES(?, ?, ?)", -1, &s, NULL) == SQLITE_OK);
    for (unsigned k = 0; k < NKEYS; k++) {
        if (!model[k].there)
            continue;
        spell(model[k].title, model[k].ntitle, title);
        spell(model[k].body, model[k].nbody, body);
        sqlite3_bind_int(s, 1, (int)k + 1);
        sqlite3_bind_text(s, 2, title, -1, SQLITE_TRANSIENT);
        sqlite3_bind_text(s, 3, body, -1, SQLITE_TRANSIENT);
        CHECK(sqlite3_step(s) == SQLITE_DONE && sqlite3_reset(s) == SQLITE_OK);
    }
    sqlite3_finalize(s);
    return db;
}

struct scores {
    double at[NKEYS];
    unsigned n;
};

static bool take_score(void *user, const struct search_hit *hit)
{
    struct scores *s = user;
    s->at[s->n++] = hit->score;
    return true;
}

TEST(the_best_are_those_of_fts5_by_hand)
{
    static const char *const queries[][2] = {
        {"w1 w2", "w1 w2"},       {"w1 OR w3", "w1 OR w3"}, {"\"w1 w2\" OR w5", "\"w1 w2\" OR w5"},
        {"title:w4", "title:w4"}, {"w6 -w7", "w6 NOT w7"},  {"w0 (w1 OR w2)", "w0 AND (w1 OR w2)"},
    };
    struct search_reader *r = NULL;

    seed = 77;
    memset(model, 0, sizeof(model));
    struct search_index *x = new_index(&plain);
    REQUIRE(x && search_reader_open(x, &r, &f) == CELL_OK && search_index_begin(x, &f) == CELL_OK);
    for (unsigned i = 0; i < 200; i++)
        change(x, below(NKEYS));
    CHECK(search_index_commit(x, "", 0, &f) == CELL_OK);
    sqlite3 *db = copy_by_hand();
    for (size_t q = 0; q < sizeof(queries) / sizeof(*queries); q++) {
        struct scores ours = {.n = 0};
        sqlite3_stmt *s = NULL;
        const struct search_request request = {
            .query = queries[q][0], .query_length = strlen(queries[q][0]), .limit = 10};
        CHECK(search_run(r, &request, take_score, &ours, &f) == CELL_OK && ours.n > 2);
        CHECK(sqlite3_prepare_v2(db, "SELECT bm25(t, 3.0, 1.0) FROM t WHERE t MATCH ? ORDER BY 1 LIMIT 10", -1, &s,
                                 NULL) == SQLITE_OK);
        sqlite3_bind_text(s, 1, queries[q][1], -1, SQLITE_STATIC);
        for (unsigned i = 0; i < ours.n; i++)
            CHECK(sqlite3_step(s) == SQLITE_ROW && fabs(-sqlite3_column_double(s, 0) - ours.at[i]) < 1e-12);
        sqlite3_finalize(s);
    }
    sqlite3_close(db);
    search_reader_close(r);
    search_index_close(x);
    temp_folder_remove();
}
