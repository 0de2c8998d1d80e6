/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_search_sanitized
#include <stdlib.h>

#include "search_index.h"

#include "search/words.h"
#include "search/words_common.h"

static struct search_index *x;
static struct search_reader *r;

static void begin(const char *language, bool all, const char *stop_words, const char *body)
{
    const struct search_definition definition = {{article_fields, NFIELDS}, language, all, stop_words};

    r = NULL;
    x = new_index(&definition);
    CHECK(x && search_reader_open(x, &r, &f) == CELL_OK);
    CHECK(search_index_begin(x, &f) == CELL_OK);
    CHECK(put(x, "a", "One", body, "en", 1990, 0.5, false) == CELL_OK);
    CHECK(search_index_commit(x, "p1", 2, &f) == CELL_OK);
}

static void end(void)
{
    search_reader_close(r);
    search_index_close(x);
    temp_folder_remove();
}

#define NOTHING "there is nothing to look for: these words are in nearly every text"

TEST(a_language_has_words_that_say_nothing)
{
    begin("german", false, NULL, "Das Haus f\xc3\xbcr die Katze, da\xc3\x9f sie nicht fror");
    CHECK_STR(find(r, "f\xc3\xbcr da\xc3\x9f"), NOTHING);
    CHECK_STR(find(r, "f\xc3\xbcr year:1990"), "a"); /* the condition is left */
    CHECK_STR(find(r, "\"Haus f\xc3\xbcr die Katze\""), "a");
    CHECK_STR(find(r, "\"Haus der Katzen\""), "a"); /* any of them, or none, may stand there */
    CHECK_STR(find(r, "Haus NOT die"), "a");        /* what says nothing forbids nothing */
    CHECK_STR(find(r, "the"), "");                  /* a word in that language */
    end();
    begin("german", true, NULL, "Das Haus f\xc3\xbcr die Katze");
    CHECK_STR(find(r, "f\xc3\xbcr"), "a");
    CHECK_STR(find(r, "\"Haus der Katzen\""), "");
    end();
    begin("none", false, NULL, "the house");
    CHECK_STR(find(r, "the"), "a");
    end();
}

TEST(others_are_named)
{
    begin("english", false, "acme gmbh", "The house of ACME, a GmbH, of the acmeists");
    CHECK_STR(find(r, "acme"), NOTHING);
    CHECK_STR(find(r, "Acme the"), NOTHING);
    CHECK_STR(find(r, "acmeist"), "a");
    CHECK_STR(find(r, "acm*"), "a"); /* the beginning of one is no stop word */
    CHECK_STR(find(r, "\"house acmeists\""), "a");
    CHECK_STR(find(r, "house acme"), "a");
    end();
    begin("english", true, "acme", "The house of ACME"); /* these alone */
    CHECK_STR(find(r, "the"), "a");
    CHECK_STR(find(r, "acme"), NOTHING);
    end();
    begin("none", false, "all listed \xc3\xa6\xc3\xb8",
          "All listed \xc3\x86\xc3\xb8 houses"); /* words, whatever they are */
    CHECK_STR(find(r, "all listed \xc3\x86\xc3\xb8"), NOTHING);
    CHECK_STR(find(r, "houses"), "a");
    end();
}

TEST(another_list_is_another_index)
{
    const struct search_definition other = {{article_fields, NFIELDS}, "english", false, "acme"};
    struct search_index *second = NULL;

    begin("english", false, NULL, "The house");
    search_reader_close(r);
    search_index_close(x);
    CHECK(search_index_open(path, &other, &second, &f) == CELL_FAILED_PRECONDITION && !second);
    temp_folder_remove();
}

static const char *folded(const char *text)
{
    static char is[256];
    char *made = NULL;

    if (search_stop_words(text, &made, &f) < 0)
        return f.text;
    snprintf(is, sizeof(is), "%s", made);
    free(made);
    return is;
}

TEST(a_list_is_folded_sorted_and_bounded)
{
    char many[201 * 5 + 1], large[80];

    CHECK_STR(folded("Zoo, Caf\xc3\xa9 zoo'); DROP acme-GmbH"), "acme cafe drop gmbh zoo");
    CHECK_STR(folded(""), "");
    CHECK_STR(folded(" ., "), "");
    for (int i = 0; i < 201; i++)
        snprintf(many + 5 * i, 6, "w%03d ", i);
    CHECK_STR(folded(many), "there are more than 200 stop words");
    many[200 * 5] = '\0';
    CHECK(strlen(folded(many)) == 255);
    memset(large, 'x', 64);
    large[64] = '\0';
    CHECK_STR(folded(large), "a stop word has more than 63 bytes");
}

/* A word that is not as texts are folded would never be met. */
TEST(lists_are_as_texts_are_folded)
{
    static const char *const languages[] = {"danish",  "dutch",     "english",    "french",  "german",
                                            "italian", "norwegian", "portuguese", "spanish", "swedish"};
    static const char *const words[] = {"v\xc3\xa6ret", "zelf",        "yours", "etre",    "da\xc3\x9f",
                                        "perche",       "v\xc3\xa6rt", "voces", "tambien", "nagon"};

    for (size_t i = 0; i < 10; i++) {
        struct search_common *common = search_common_new(languages[i], "");
        CHECK(search_language_is_known(languages[i]) && common);
        CHECK(search_common_has(common, words[i], strlen(words[i])));
        CHECK(!search_common_has(common, "qqq", 3) && !search_common_has(common, words[i], 0));
        CHECK_STR(folded(words[i]), words[i]);
        search_common_free(common);
    }
}
