/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_search_sanitized
#include <stdlib.h>

#include "search_index.h"

static struct search_index *x;
static struct search_reader *r;

static void begin(const char *title, const char *body)
{
    r = NULL;
    x = new_index(&articles);
    CHECK(x && search_reader_open(x, &r, &f) == CELL_OK);
    CHECK(search_index_begin(x, &f) == CELL_OK);
    CHECK(put(x, "a", title, body, "en", 1990, 0.5, false) == CELL_OK);
    CHECK(search_index_commit(x, "p1", 2, &f) == CELL_OK);
}

static void end(void)
{
    search_reader_close(r);
    search_index_close(x);
    temp_folder_remove();
}

/* The first hit's, in brackets. */
static const char *excerpt(const char *query, uint32_t words)
{
    static struct found found;
    const struct search_request request = {.query = query, .query_length = strlen(query), .limit = 1, .excerpt = words};

    found = (struct found){0};
    if (search_run(r, &request, take_hit, &found, &f) < 0)
        return f.text;
    return found.excerpt;
}

static const char *highlight(uint32_t field, const char *query)
{
    static char text[1024];
    struct search_passage passage;

    text[0] = '\0';
    if (search_highlight(r, "a", 1, field, query, strlen(query), &passage, &f) < 0)
        return f.text;
    bracket(&passage, text, sizeof(text));
    return text;
}

TEST(what_was_found_is_marked_as_the_text_has_it)
{
    begin("Caf\xc3\xa9 of cats", "They are RUNNING in the Garden of the house, a cat ran after <b>cats</b>");
    CHECK_STR(excerpt("running garden", 24),
              "They are [RUNNING] in the [Garden] of the house, a cat ran after <b>cats</b>");
    CHECK_STR(excerpt("\"garden house\"", 24), /* a phrase is one, with the words in it that say nothing */
              "They are RUNNING in the [Garden of the house], a cat ran after <b>cats</b>");
    CHECK_STR(excerpt("gard*", 24), "They are RUNNING in the [Garden] of the house, a cat ran after <b>cats</b>");
    CHECK_STR(excerpt("cafe", 24), "[Caf\xc3\xa9] of cats"); /* by stems, folded, with whole characters */
    CHECK_STR(excerpt("title:cat", 24), "Caf\xc3\xa9 of [cats]");
    CHECK_STR(excerpt("body:cat", 24), "They are RUNNING in the Garden of the house, a [cat] ran after <b>[cats]</b>");
    CHECK_STR(excerpt("house -zebra", 24),
              "They are RUNNING in the Garden of the [house], a cat ran after <b>cats</b>");
    CHECK_STR(excerpt("house OR \"house cat\"", 24), /* one in the other */
              "They are RUNNING in the Garden of the [house, a cat] ran after <b>cats</b>");
    CHECK_STR(excerpt("house", 0), ""); /* it was not asked for */
    CHECK_STR(excerpt("year:1990", 24), "");
    CHECK_STR(excerpt("house", 501), "an excerpt has at most 500 words");
    end();
}

TEST(what_is_not_to_be_found_is_not_marked)
{
    begin("Cats", "white cats and black dogs");
    CHECK_STR(excerpt("cats NOT (dogs zebra)", 24), "[Cats]");
    CHECK_STR(highlight(BODY, "cats NOT (dogs zebra)"), "white [cats] and black dogs");
    end();
}

TEST(an_excerpt_is_where_most_of_it_stands_together)
{
    begin("One", "red one two three four five six seven red blue eight nine ten eleven twelve red green blue thirteen");
    CHECK_STR(excerpt("red blue green", 4), "\xe2\x80\xa6[red] [green] [blue] thirteen");
    CHECK_STR(excerpt("red blue", 4), "\xe2\x80\xa6seven [red] [blue] eight\xe2\x80\xa6");
    CHECK_STR(excerpt("thirteen", 4), "\xe2\x80\xa6red green blue [thirteen]");
    CHECK_STR(excerpt("six", 1), "\xe2\x80\xa6[six]\xe2\x80\xa6");
    CHECK_STR(excerpt("\"one two three\"", 2), "\xe2\x80\xa6[one two]\xe2\x80\xa6"); /* cut off where it ends */
    end();
}

TEST(a_whole_text_is_marked)
{
    begin("Cats", "A cat, and another cat.");
    CHECK_STR(highlight(BODY, "cat zebra"), "A [cat], and another [cat]."); /* also where the query finds nothing */
    CHECK_STR(highlight(BODY, "title:cat"), "A cat, and another cat.");
    CHECK_STR(highlight(BODY, ""), "A cat, and another cat.");
    CHECK_STR(highlight(TITLE, "cat year:1"), "[Cats]");
    CHECK_STR(highlight(YEAR, "cat"), "what is found is marked in texts only");
    CHECK_STR(highlight(BODY, "(cat"), "a parenthesis is opened here and never closed");
    struct search_passage passage;
    CHECK(search_highlight(r, "b", 1, BODY, "cat", 3, &passage, &f) == CELL_NOT_FOUND);
    end();
    begin("Cats", NULL);
    CHECK_STR(highlight(BODY, "cat"), "");
    end();
}

/* ---- large ones ---- */

static const char *repeat(const char *what, size_t size)
{
    static char text[SEARCH_MOST_TEXT + 1];
    size_t n = strlen(what);

    for (size_t i = 0; i < size; i++)
        text[i] = what[i % n];
    text[size] = '\0';
    return text;
}

TEST(an_excerpt_of_a_large_text_is_short)
{
    struct search_passage passage;

    begin("One", repeat("ab ", SEARCH_MOST_TEXT)); /* 349,525 words, all of which are found */
    CHECK_STR(excerpt("ab", 3), "[ab] [ab] [ab]\xe2\x80\xa6");
    CHECK(search_highlight(r, "a", 1, BODY, "ab", 2, &passage, &f) == CELL_OK);
    CHECK(passage.length == SEARCH_MOST_TEXT && passage.nmarks == (SEARCH_MOST_TEXT + 2) / 3 - 1);
    CHECK(passage.marks[passage.nmarks - 1].begin == (passage.nmarks - 1) * 3);
    end();
}

TEST(a_word_without_end_is_cut_between_characters)
{
    char *body = strdup(repeat("\xc3\xa9", SEARCH_MOST_TEXT - 8));
    const char *found;

    memcpy(body, "sea ", 4); /* and now the first byte is one of a character */
    begin("One", body);
    found = excerpt("sea", 2);
    CHECK(strncmp(found, "[sea] \xc3\xa9", 8) == 0 && strlen(found) <= 128 + 2 + 3 && strlen(found) > 100);
    CHECK(strcmp(found + strlen(found) - 5, "\xc3\xa9\xe2\x80\xa6") == 0);
    end();
    free(body);
    body = strdup(repeat(".", 1000));
    memcpy(body + 990, " sea", 4);
    begin("One", body);
    found = excerpt("sea", 2);
    CHECK(strncmp(found, "\xe2\x80\xa6.", 4) == 0 && strlen(found) < 100 && strstr(found, ". [sea]......"));
    end();
    free(body);
}

static bool at_once(void *user)
{
    (void)user;
    return true;
}

TEST(marking_is_stopped)
{
    struct search_passage passage;

    begin("One", repeat("ab ", 3000));
    search_reader_watch(r, at_once, NULL);
    CHECK(search_highlight(r, "a", 1, BODY, "ab", 2, &passage, &f) == CELL_CANCELLED);
    search_reader_watch(r, NULL, NULL);
    CHECK_STR(excerpt("ab", 1), "[ab]\xe2\x80\xa6"); /* and the reader is as before */
    end();
}
