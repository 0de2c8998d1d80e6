/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A query that somebody writes: what is made of it is an expression that FTS5 takes, and an error has its place. */
// LINK: cells/search/query.c cells/search/query_filter.c cells/search/query_match.c cells/search/failure.c
// LINK: cells/search/utf8.c cells/search/words.c cells/search/words_common.c
// LIBS: sqlite3 stemmer
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "search/query.h"
#include "search/words.h"

static const struct search_field all[] = {{.name = "t", .kind = SEARCH_TEXT, .weight = 3},
                                          {.name = "u", .kind = SEARCH_TEXT, .weight = 1},
                                          {.name = "k", .kind = SEARCH_KEYWORD},
                                          {.name = "i", .kind = SEARCH_INTEGER},
                                          {.name = "r", .kind = SEARCH_REAL},
                                          {.name = "b", .kind = SEARCH_BOOL},
                                          {.name = "v", .kind = SEARCH_VECTOR, .dimensions = 3}};
static const struct search_fields fields = {all, sizeof(all) / sizeof(*all)};

static sqlite3_stmt *match;
static struct search_words *words;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct search_failure f;
    sqlite3 *db = NULL;

    (void)argc, (void)argv;
    EXPECT(sqlite3_open(":memory:", &db) == SQLITE_OK && search_words_register(db, &f) == CELL_OK);
    EXPECT(sqlite3_exec(db,
                        "CREATE VIRTUAL TABLE x USING fts5(f_t, f_u, tokenize='cell english');"
                        "INSERT INTO x VALUES('running cats', 'the house and a cat'), ('b', 'i t u k v r')",
                        NULL, NULL, NULL) == SQLITE_OK);
    EXPECT(sqlite3_prepare_v2(db, "SELECT count(*) FROM x WHERE x MATCH ?", -1, &match, NULL) == SQLITE_OK);
    EXPECT(search_words_new(db, "english", false, NULL, &words, &f) == CELL_OK);
    return 0;
}

static void check_query(const struct search_query *q, const char *text, size_t size)
{
    EXPECT(q->match || q->nfilters);
    EXPECT(q->nfilters <= SEARCH_MOST_FILTERS);
    for (uint32_t i = 0; i < q->nfilters; i++) {
        const struct search_filter *filter = &q->filters[i];
        EXPECT(filter->field < fields.n && all[filter->field].kind != SEARCH_TEXT &&
               all[filter->field].kind != SEARCH_VECTOR);
        if (all[filter->field].kind == SEARCH_KEYWORD)
            EXPECT(filter->value.text.bytes >= text &&
                   filter->value.text.bytes + filter->value.text.length <= text + size);
        if (all[filter->field].kind == SEARCH_REAL)
            EXPECT(filter->value.real == filter->value.real);
    }
    EXPECT(!q->match == !q->found);
    if (!q->match)
        return;
    const char *const expressions[] = {q->match, q->found};
    for (int i = 0; i < 2; i++) {
        sqlite3_bind_text(match, 1, expressions[i], -1, SQLITE_STATIC);
        EXPECT(sqlite3_step(match) == SQLITE_ROW);
        sqlite3_reset(match);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct search_query q = {0};
    struct search_failure f = {0};
    char *text = malloc(size ? size : 1); /* of this size exactly: there is no NUL to run into */

    EXPECT(text);
    memcpy(text, data, size);
    int r = search_query_parse(&fields, text, size, search_words_count, words, &q, &f);
    EXPECT(r == CELL_OK || (r == CELL_INVALID_ARGUMENT && f.status == r && f.text[0]));
    EXPECT(r == CELL_OK || size > SEARCH_MOST_QUERY || (f.at >= 1 && f.at + f.count <= size + 1));
    if (r == CELL_OK)
        check_query(&q, text, size);
    search_query_free(&q);
    free(text);
    return 0;
}
