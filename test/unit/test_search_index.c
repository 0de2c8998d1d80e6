/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_search_sanitized
#include <fcntl.h>
#include <math.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#include "search_index.h"

static struct search_index *x;
static struct search_reader *r;

static void begin(const struct search_definition *definition)
{
    r = NULL;
    x = new_index(definition);
    CHECK(x && search_reader_open(x, &r, &f) == CELL_OK);
}

static void end(void)
{
    search_reader_close(r);
    search_index_close(x);
    temp_folder_remove();
}

static void write_articles(void)
{
    CHECK(search_index_begin(x, &f) == CELL_OK);
    CHECK(put(x, "a", "Black cats", "They are running in the garden of the house", "en", 1990, 0.5, false) == CELL_OK);
    CHECK(put(x, "b", "Dogs", "A dog runs after black and white cats", "en", 1995, 1.5, false) == CELL_OK);
    CHECK(put(x, "c", "Katzen",
              "Eine schwarze Katze, caf\xc3\xa9 und Gr\xc3\xbc\xc3\x9f"
              "e",
              "de", 1999, -1, true) == CELL_OK);
    CHECK(put(x, "d", "Operations", "To operate on generally black boxes", NULL, 2001, 0, false) == CELL_OK);
    CHECK(search_index_commit(x, "p1", 2, &f) == CELL_OK);
}

TEST(words_are_found_by_their_stems_and_folded)
{
    begin(&articles);
    write_articles();
    CHECK_STR(find(r, "run"), "a b");
    CHECK_STR(find(r, "RUNNING dog"), "b");
    CHECK_STR(find(r, "cafe"), "c");
    CHECK_STR(find(r, "gru\xc3\x9f"
                      "e"),
              "c");
    CHECK_STR(find(r, "operation"), "d");
    CHECK_STR(find(r, "opera*"), "d"); /* words, not their stems */
    CHECK_STR(find(r, "oper*"), "d");
    CHECK_STR(find(r, "runni*"), "a");
    CHECK_STR(find(r, "garden of the house"), "a");
    CHECK_STR(find(r, "\"garden house\""), "a"); /* what is common is not there */
    CHECK_STR(find(r, "\"black cats\""), "a");
    CHECK_STR(find(r, "\"black ca\"*"), "a");
    CHECK_STR(find(r, "title:cat"), "a");
    CHECK_STR(find(r, "cat OR katze"), "c a b");
    CHECK_STR(find(r, "black -cat"), "d");
    CHECK_STR(find(r, "black NOT (cat OR box)"), "");
    CHECK_STR(find(r, "zebra"), "");
    end();
}

TEST(conditions_choose_among_what_is_found)
{
    begin(&articles);
    write_articles();
    CHECK_STR(find(r, "black year:>1990"), "d b");
    CHECK_STR(find(r, "year:1990..1995"), "a b");
    CHECK_STR(find(r, "-year:1990..1995"), "c d");
    CHECK_STR(find(r, "score:<0"), "c");
    CHECK_STR(find(r, "score:0.5"), "a");
    CHECK_STR(find(r, "draft:true"), "c");
    CHECK_STR(find(r, "lang:en black"), "a b");
    CHECK_STR(find(r, "lang:EN"), "");
    CHECK_STR(find(r, "-lang:en"), "c d"); /* what has none is not en */
    CHECK_STR(find(r, "lang:\"de\" year:<2000 -draft:false"), "c");
    CHECK_STR(find(r, ""), "a b c d");
    CHECK_STR(find(r, "lang:\"en' OR '1'='1\""), "");
    CHECK(strstr(find(r, "year:x"), "whole number") && f.at == 6);
    end();
}

TEST(a_document_is_replaced_and_deleted_by_its_key)
{
    begin(&articles);
    write_articles();
    CHECK(search_index_begin(x, &f) == CELL_OK);
    CHECK(put(x, "a", "Foxes", "They sleep", "fr", 7, 0, false) == CELL_OK);
    CHECK(search_index_delete(x, "b", 1, &f) == CELL_OK);
    CHECK(search_index_delete(x, "nothing", 7, &f) == CELL_OK);
    CHECK_STR(find(r, "cat"), "a b"); /* not before the end of the batch */
    CHECK(search_index_commit(x, "p2", 2, &f) == CELL_OK);
    CHECK_STR(find(r, "cat"), "");
    CHECK_STR(find(r, "fox"), "a");
    CHECK_STR(find(r, ""), "a c d");
    CHECK(search_index_begin(x, &f) == CELL_OK);
    CHECK(search_index_delete(x, "a", 1, &f) == CELL_OK && search_index_delete(x, "c", 1, &f) == CELL_OK);
    search_index_rollback(x);
    CHECK_STR(find(r, ""), "a c d");
    end();
}

TEST(position_and_documents_are_of_the_same_batch)
{
    char position[SEARCH_MOST_POSITION];

    begin(&articles);
    CHECK(search_index_position(x, position, &f) == 0);
    write_articles();
    CHECK(search_index_position(x, position, &f) == 2 && memcmp(position, "p1", 2) == 0);
    CHECK(search_index_begin(x, &f) == CELL_OK);
    CHECK(put(x, "e", "Cat", "", "en", 1, 1, true) == CELL_OK);
    /* Closed in the middle, as a crash would. */
    search_reader_close(r);
    search_index_close(x);
    x = open_index(&articles);
    REQUIRE(x && search_reader_open(x, &r, &f) == CELL_OK);
    CHECK(search_index_position(x, position, &f) == 2 && memcmp(position, "p1", 2) == 0);
    CHECK_STR(find(r, ""), "a b c d");
    CHECK(search_index_begin(x, &f) == CELL_OK);
    memset(position, 'p', sizeof(position));
    CHECK(search_index_commit(x, position, sizeof(position), &f) == CELL_OK);
    CHECK(search_index_position(x, position, &f) == SEARCH_MOST_POSITION);
    end();
}

struct facets {
    char text[512];
};

static bool take_facet(void *user, const struct search_facet *facet)
{
    struct facets *to = user;
    size_t at = strlen(to->text);

    if (facet->absent)
        snprintf(to->text + at, sizeof(to->text) - at, "-=%d ", (int)facet->count);
    else if (facet->text)
        snprintf(to->text + at, sizeof(to->text) - at, "%.*s=%d ", (int)facet->length, facet->text, (int)facet->count);
    else
        snprintf(to->text + at, sizeof(to->text) - at, "%d=%d ", (int)facet->integer, (int)facet->count);
    return true;
}

static const char *facets(const char *query, uint32_t field, uint32_t limit)
{
    static struct facets found;

    found.text[0] = '\0';
    return search_facets(r, query, strlen(query), field, limit, take_facet, &found, &f) < 0 ? f.text : found.text;
}

TEST(what_is_found_is_counted_by_values)
{
    uint64_t n = 0;

    begin(&articles);
    write_articles();
    CHECK_STR(facets("", LANG, 10), "en=2 -=1 de=1 ");
    CHECK_STR(facets("black", LANG, 10), "en=2 -=1 ");
    CHECK_STR(facets("black year:>1990", LANG, 1), "-=1 ");
    CHECK_STR(facets("", DRAFT, 10), "0=3 1=1 ");
    CHECK_STR(facets("year:<2000", YEAR, 2), "1990=1 1995=1 ");
    CHECK(strstr(facets("", SCORE, 2), "are not counted") && strstr(facets("", TITLE, 2), "are not counted"));
    CHECK(strstr(facets("", 99, 2), "are not counted"));
    CHECK(search_count(r, "black", 5, &n, &f) == CELL_OK && n == 3);
    CHECK(search_count(r, "black lang:en", 13, &n, &f) == CELL_OK && n == 2);
    CHECK(search_count(r, "  ", 2, &n, &f) == CELL_OK && n == 4);
    end();
}

static bool take_word(void *user, const char *word, size_t length, uint64_t documents)
{
    char *to = user;

    sprintf(to + strlen(to), "%.*s=%d ", (int)length, word, (int)documents);
    return true;
}

TEST(words_are_suggested_as_they_are_written)
{
    char words[256] = "";

    begin(&articles);
    write_articles();
    CHECK(search_suggest(r, "white CA", 8, 10, take_word, words, &f) == CELL_OK);
    CHECK_STR(words, "cats=2 cafe=1 ");
    *words = '\0';
    CHECK(search_suggest(r, "ru", 2, 1, take_word, words, &f) == CELL_OK);
    CHECK_STR(words, "running=1 ");
    *words = '\0';
    CHECK(search_suggest(r, "", 0, 10, take_word, words, &f) == CELL_OK && !*words);
    CHECK(search_suggest(r, "oper", 4, 10, take_word, words, &f) == CELL_OK);
    CHECK_STR(words, "operate=1 operations=1 "); /* not "=oper", which is a stem */
    end();
}

TEST(pages_follow_each_other)
{
    char key[16], all[8192] = "";
    static struct found found;

    begin(&articles);
    CHECK(search_index_begin(x, &f) == CELL_OK);
    for (int i = 0; i < 500; i++) {
        sprintf(key, "k%03d", i);
        CHECK(put(x, key, "same title", i % 3 ? "word" : "word and word", "en", i, 0, false) == CELL_OK);
    }
    CHECK(search_index_commit(x, "", 0, &f) == CELL_OK);
    struct search_request request = {.query = "word", .query_length = 4, .limit = 7};
    for (int pages = 0;; pages++) {
        found = (struct found){0};
        CHECK(search_run(r, &request, take_hit, &found, &f) == CELL_OK);
        sprintf(all + strlen(all), "%s%s", pages && found.n ? " " : "", found.keys);
        if (found.n < 7)
            break;
        REQUIRE(pages < 100);
        request.after = found.last;
    }
    struct found *whole = calloc(1, sizeof(*whole));
    request = (struct search_request){.query = "word", .query_length = 4, .limit = 1000};
    CHECK(search_run(r, &request, take_hit, whole, &f) == CELL_OK && whole->n == 500);
    CHECK_STR(all, whole->keys);
    free(whole);
    end();
}

TEST(a_document_that_is_none_leaves_the_batch_as_it_was)
{
    static char large[SEARCH_MOST_TEXT + 2];

    memset(large, 'x', SEARCH_MOST_TEXT + 1);
    begin(&articles);
    CHECK(search_index_begin(x, &f) == CELL_OK);
    CHECK(put(x, "a", "Cat", "", "en", 1, 1, true) == CELL_OK);
    CHECK(put(x, "b", "Cat \xff", "", "en", 1, 1, true) == CELL_INVALID_ARGUMENT &&
          strstr(f.text, "'title' is not UTF-8"));
    CHECK(put(x, "b", "Cat", "", "\xed\xa0\x80", 1, 1, true) == CELL_INVALID_ARGUMENT && strstr(f.text, "'lang'"));
    CHECK(put(x, "b", "Cat", large, "en", 1, 1, true) == CELL_INVALID_ARGUMENT && strstr(f.text, "longer than"));
    CHECK(put(x, "b", "Cat", "", "en", 1, NAN, true) == CELL_INVALID_ARGUMENT && strstr(f.text, "no number"));
    CHECK(put(x, "", "Cat", "", "en", 1, 1, true) == CELL_INVALID_ARGUMENT && strstr(f.text, "key"));
    large[SEARCH_MOST_TEXT] = '\0';
    CHECK(put(x, "c", "Dog", large, "en", 1, 1, true) == CELL_OK);
    CHECK(search_index_commit(x, "", 0, &f) == CELL_OK);
    CHECK_STR(find(r, ""), "a c");
    end();
}

TEST(an_index_for_something_else_is_not_opened)
{
    struct search_definition other = articles;
    struct search_index *y = NULL;

    begin(&articles);
    write_articles();
    other.language = "german";
    CHECK(search_index_open(path, &other, &y, &f) == CELL_FAILED_PRECONDITION && !y);
    other = articles;
    other.fields.n--;
    CHECK(search_index_open(path, &other, &y, &f) == CELL_FAILED_PRECONDITION && !y);
    other = articles;
    other.language = "klingon";
    CHECK(search_index_open(path, &other, &y, &f) == CELL_INVALID_ARGUMENT && strstr(f.text, "klingon"));
    CHECK(search_index_open("/nowhere/index.db", &articles, &y, &f) == CELL_PERMISSION_DENIED);
    end();
}

TEST(a_file_that_is_damaged_is_an_error)
{
    struct search_index *y = NULL;
    char position[SEARCH_MOST_POSITION];

    begin(&articles);
    search_reader_close(r);
    r = NULL;
    CHECK(search_index_begin(x, &f) == CELL_OK);
    for (int i = 0; i < 300; i++) {
        char key[8];
        sprintf(key, "%d", i);
        CHECK(put(x, key, "Some words of a title", "and more of them in the body", "en", i, 1, true) == CELL_OK);
    }
    CHECK(search_index_commit(x, "p", 1, &f) == CELL_OK);
    search_index_close(x);
    for (long from = 0; from < 60000; from += 997) {
        /* A page is torn here. */
        int fd = open(path, O_RDWR | O_CLOEXEC);
        char kept[700], torn[700];
        memset(torn, (int)(from % 251), sizeof(torn));
        ssize_t n = pread(fd, kept, sizeof(kept), from);
        CHECK(n > 0 && pwrite(fd, torn, (size_t)n, from) == n);
        int status = search_index_open(path, &articles, &y, &f);
        if (status == CELL_OK) {
            CHECK(search_index_position(y, position, &f) >= 0 || f.status == CELL_DATA_LOSS);
            if (search_reader_open(y, &r, &f) == CELL_OK) {
                find(r, "words year:>100");
                find(r, "");
                facets("more", LANG, 10);
            }
            search_reader_close(r);
            r = NULL;
        } else {
            CHECK((status == CELL_DATA_LOSS || status == CELL_FAILED_PRECONDITION || status == CELL_INTERNAL) &&
                  f.text[0]);
        }
        search_index_close(y);
        y = NULL;
        CHECK(pwrite(fd, kept, (size_t)n, from) == n);
        close(fd);
    }
    x = NULL;
    temp_folder_remove();
}

TEST(a_full_disk_loses_nothing)
{
    struct rlimit before, small;
    char position[SEARCH_MOST_POSITION], key[16];
    int status = CELL_OK;

    begin(&articles);
    write_articles();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 400000; /* files end there, as on a disk that is full */
    setrlimit(RLIMIT_FSIZE, &small);
    CHECK(search_index_begin(x, &f) == CELL_OK);
    for (int i = 0; status >= 0 && i < 100000; i++) {
        sprintf(key, "%d", i);
        status = put(x, key, key, "body", "en", i, 1, true);
    }
    if (status >= 0)
        status = search_index_commit(x, "p2", 2, &f);
    CHECK(status < 0 && f.text[0]);
    search_index_rollback(x);
    setrlimit(RLIMIT_FSIZE, &before);
    CHECK(search_index_position(x, position, &f) == 2 && memcmp(position, "p1", 2) == 0);
    CHECK_STR(find(r, ""), "a b c d");
    CHECK(search_index_begin(x, &f) == CELL_OK);
    CHECK(put(x, "e", "Cat", "", "en", 1, 1, true) == CELL_OK && search_index_commit(x, "p3", 2, &f) == CELL_OK);
    CHECK_STR(find(r, ""), "a b c d e");
    end();
}

static bool stop_now(void *user)
{
    ++*(int *)user;
    return true;
}

TEST(a_search_is_stopped)
{
    int asked = 0;
    char key[16];

    begin(&articles);
    CHECK(search_index_begin(x, &f) == CELL_OK);
    for (int i = 0; i < 3000; i++) {
        sprintf(key, "k%d", i);
        CHECK(put(x, key, "title", "word", "en", i, 0, false) == CELL_OK);
    }
    CHECK(search_index_commit(x, "", 0, &f) == CELL_OK);
    search_reader_watch(r, stop_now, &asked);
    CHECK_STR(find(r, "word year:>5"), "cancelled");
    CHECK(f.status == CELL_CANCELLED && asked > 0);
    search_reader_watch(r, NULL, NULL);
    CHECK(strncmp(find(r, "word year:>5"), "k6 k7 ", 6) == 0);
    end();
}

TEST(an_index_needs_no_texts)
{
    const struct search_definition plain = {{article_fields + 2, 2}, "none", true, NULL};
    const struct search_content c[] = {text("en"), {.integer = 5}};

    begin(&plain);
    CHECK(search_index_begin(x, &f) == CELL_OK && search_index_put(x, "k", 1, c, &f) == CELL_OK);
    CHECK(search_index_commit(x, "", 0, &f) == CELL_OK);
    CHECK_STR(find(r, "year:5"), "k");
    CHECK(strstr(find(r, "word"), "has no texts"));
    CHECK(search_index_begin(x, &f) == CELL_OK && search_index_delete(x, "k", 1, &f) == CELL_OK);
    CHECK(search_index_commit(x, "", 0, &f) == CELL_OK);
    CHECK_STR(find(r, ""), "");
    end();
}
