/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is written goes into the file, the log does not grow for ever, and segments are merged, while somebody writes
 * all the time. */
// LIBS: cell_search_sanitized
#include <sys/stat.h>

#include <sqlite3.h>

#include "search_index.h"

#define MOST_LOG ((3000 + 100) * 4120L) /* bytes: 3,000 pages, and those of the last batch */
#define DOCUMENTS 800
#define LONG 65000

static long size_of(const char *file)
{
    struct stat st;

    return stat(file, &st) == 0 ? (long)st.st_size : 0;
}

static void write_one(struct search_index *x, int i, const char *long_text)
{
    char key[16];

    snprintf(key, sizeof(key), "%d", i);
    CHECK(search_index_begin(x, &f) == CELL_OK);
    CHECK(put(x, key, "a title", "some words", long_text, i, 0, false) == CELL_OK);
    CHECK(search_index_commit(x, key, strlen(key), &f) == CELL_OK);
}

TEST(the_log_begins_anew_while_it_is_written)
{
    struct search_index *x = new_index(&articles);
    char log[160], *long_text = malloc(LONG + 1);
    long most = 0;

    memset(long_text, 'x', LONG);
    long_text[LONG] = '\0';
    snprintf(log, sizeof(log), "%s-wal", path);
    for (int i = 0; i < DOCUMENTS; i++) {
        write_one(x, i, long_text);
        most = size_of(log) > most ? size_of(log) : most;
    }
    CHECK(most < MOST_LOG);
    CHECK((long)DOCUMENTS * LONG > MOST_LOG + (4L << 20)); /* so some of it is in the file */
    CHECK(size_of(path) > 4L << 20);
    search_index_close(x);
    CHECK(size_of(path) > (long)DOCUMENTS * LONG); /* and all of it at the end */
    free(long_text);
    temp_folder_remove();
}

static int number_of(const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *query = NULL;
    int n = -1;

    if (sqlite3_open(path, &db) == SQLITE_OK && sqlite3_prepare_v2(db, sql, -1, &query, NULL) == SQLITE_OK &&
        sqlite3_step(query) == SQLITE_ROW)
        n = sqlite3_column_int(query, 0);
    sqlite3_finalize(query);
    sqlite3_close(db);
    return n;
}

TEST(each_batch_merges_in_its_turn)
{
    struct search_index *x = new_index(&articles);

    for (int i = 0; i < 495; i++)
        write_one(x, i, "a text");
    search_index_close(x);
    /* By itself FTS5 would merge hundreds of pages at once, now and then. Who only told it not to would have 15
     * segments here, for it merges 16 of a kind whatever it is told. */
    CHECK(number_of("SELECT v FROM text_config WHERE k = 'automerge'") == 0);
    int segments = number_of("SELECT count(DISTINCT segid) FROM text_idx");
    CHECK(segments > 0 && segments <= 8);
    /* As in a file of before. */
    CHECK(number_of("INSERT INTO text_config(k, v) VALUES('automerge', 4) ON CONFLICT(k) DO UPDATE SET v = 4 "
                    "RETURNING v") == 4);
    search_index_close(open_index(&articles));
    CHECK(number_of("SELECT v FROM text_config WHERE k = 'automerge'") == 0);
    temp_folder_remove();
}

TEST(what_is_committed_is_found_at_once_and_when_it_is_opened_again)
{
    struct search_index *x = new_index(&articles);
    char *long_text = malloc(LONG + 1);
    struct search_reader *r = NULL;
    uint64_t n = 0;

    memset(long_text, 'x', LONG);
    long_text[LONG] = '\0';
    CHECK(search_reader_open(x, &r, &f) == CELL_OK);
    for (int i = 0; i < 200; i++) {
        write_one(x, i, long_text);
        CHECK(search_count(r, "title", 5, &n, &f) == CELL_OK && n == (uint64_t)i + 1);
    }
    search_reader_close(r);
    search_index_close(x);
    x = open_index(&articles);
    CHECK(search_reader_open(x, &r, &f) == CELL_OK);
    CHECK(search_count(r, "", 0, &n, &f) == CELL_OK && n == 200);
    search_reader_close(r);
    search_index_close(x);
    free(long_text);
    temp_folder_remove();
}
