/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_search_sanitized
/* Documents that are made to be too much, and an index that has its greatest size. */
#include <stdlib.h>

#include "search_index.h"

static struct search_index *x;
static struct search_reader *r;

static void begin(void)
{
    r = NULL;
    x = new_index(&articles);
    CHECK(x && search_reader_open(x, &r, &f) == CELL_OK);
}

static void end(void)
{
    search_reader_close(r);
    search_index_close(x);
    temp_folder_remove();
}

static int put_one(const char *key, const char *body)
{
    int status = search_index_begin(x, &f);

    if (status >= 0)
        status = put(x, key, "One", body, "en", 1990, 0.5, false);
    if (status >= 0)
        return search_index_commit(x, "p", 1, &f);
    search_index_rollback(x);
    return status;
}

static bool take_word(void *user, const char *word, size_t length, uint64_t documents)
{
    (void)word, (void)documents;
    *(size_t *)user += length;
    return true;
}

TEST(a_text_may_be_one_word_or_nothing_but_different_ones)
{
    char *body = malloc(SEARCH_MOST_TEXT + 1);
    size_t n = 0, suggested = 0;

    begin();
    memset(body, 'w', SEARCH_MOST_TEXT);
    memcpy(body, "sea ", 4);
    body[SEARCH_MOST_TEXT] = '\0';
    CHECK(put_one("word", body) == CELL_OK);
    for (unsigned i = 0; n + 12 < SEARCH_MOST_TEXT; i++)
        n += (size_t)sprintf(body + n, "x%x ", i);
    CHECK(put_one("many", body) == CELL_OK);
    CHECK(put_one("other", "land") == CELL_OK);
    CHECK_STR(find(r, "sea"), "word");
    CHECK_STR(find(r, "x1fff"), "many");
    CHECK_STR(find(r, "land"), "other");
    /* A word that is as long as a text is not suggested. */
    CHECK(search_suggest(r, "www", 3, 10, take_word, &suggested, &f) == CELL_OK && suggested == 0);
    CHECK(search_suggest(r, "x1f", 3, 10, take_word, &suggested, &f) == CELL_OK && suggested > 0);
    free(body);
    end();
}

TEST(an_index_has_a_greatest_size)
{
    char *body = calloc(SEARCH_MOST_TEXT / 4 + 1, 1), key[16];
    int status = CELL_OK, n = 0;

    memset(body, 'a', SEARCH_MOST_TEXT / 4);
    begin();
    search_index_limit(x, 1 << 20);
    for (; status >= 0 && n < 50; n++) {
        snprintf(key, sizeof(key), "k%d", n);
        status = put_one(key, body);
    }
    CHECK(status == CELL_RESOURCE_EXHAUSTED && n >= 3 && n < 10);
    CHECK_STR(f.text, "the index has its greatest size, 1 MiB (--max-index)");
    CHECK_STR(find(r, "year:1990 one -two"), find(r, "one"));
    CHECK(strstr(find(r, "one"), "k0"));
    search_index_limit(x, 0);
    CHECK(put_one("behind", "the sea") == CELL_OK);
    CHECK_STR(find(r, "sea"), "behind");
    CHECK(search_index_begin(x, &f) == CELL_OK); /* and what is taken out makes room */
    for (int i = 0; i < n; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        CHECK(search_index_delete(x, key, strlen(key), &f) == CELL_OK);
    }
    CHECK(search_index_commit(x, "q", 1, &f) == CELL_OK);
    search_index_limit(x, 1 << 20);
    CHECK(put_one("again", "the lake") == CELL_OK);
    free(body);
    end();
}
