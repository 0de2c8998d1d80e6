/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_search_sanitized
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdint.h>
#include <sys/wait.h>

#include "search_index.h"

#define DIMENSIONS 8
#define NKEYS 200

static const struct search_field pictures_fields[] = {
    {.name = "title", .kind = SEARCH_TEXT, .weight = 1},
    {.name = "year", .kind = SEARCH_INTEGER},
    {.name = "look", .kind = SEARCH_VECTOR, .dimensions = DIMENSIONS, .metric = SEARCH_COSINE},
    {.name = "sound", .kind = SEARCH_VECTOR, .dimensions = 2, .metric = SEARCH_L2},
};
enum { P_TITLE, P_YEAR, P_LOOK, P_SOUND };
static const struct search_definition pictures = {{pictures_fields, 4}, "english", false, NULL};

static struct search_index *x;
static struct search_reader *r;

static void make_look(unsigned id, float *v)
{
    unsigned state = id * 2654435761U + 7;
    for (int i = 0; i < DIMENSIONS; i++) {
        state = state * 1664525U + 1013904223U;
        v[i] = (float)(state >> 8) / (float)(1 << 23) - 1;
    }
}

/* Document `k`, as it looks in its version. */
static int put_picture(unsigned k, unsigned version)
{
    char key[16], title[64];
    float look[DIMENSIONS];
    const float sound[] = {(float)k, (float)version};

    sprintf(key, "k%u", k);
    sprintf(title, "picture %s version%u", k % 2 ? "odd" : "even", version);
    make_look(k + 1000 * version, look);
    const struct search_content c[] = {
        text(title), {.integer = (int64_t)k}, {.vector = look}, {.absent = k % 10 == 9, .vector = sound}};
    return search_index_put(x, key, strlen(key), c, &f);
}

static void put_all(void)
{
    CHECK(search_index_begin(x, &f) == CELL_OK);
    for (unsigned k = 0; k < NKEYS; k++)
        CHECK(put_picture(k, 0) == CELL_OK);
    CHECK(search_index_commit(x, "", 0, &f) == CELL_OK);
}

static void begin(void)
{
    r = NULL;
    x = new_index(&pictures);
    CHECK(x && search_reader_open(x, &r, &f) == CELL_OK);
}

static void end(void)
{
    search_reader_close(r);
    search_index_close(x);
    temp_folder_remove();
}

static void reopen(void)
{
    search_reader_close(r);
    search_index_close(x);
    r = NULL;
    x = open_index(&pictures);
    CHECK(x && search_reader_open(x, &r, &f) == CELL_OK);
}

static const char *similar(uint32_t field, const float *v, uint32_t k, const char *query)
{
    static struct found found;

    found = (struct found){0};
    return search_similar(r, field, v, k, query, strlen(query), take_hit, &found, &f) < 0 ? f.text : found.keys;
}

static const char *like(unsigned k, unsigned version, uint32_t n, const char *query)
{
    float look[DIMENSIONS];

    make_look(k + 1000 * version, look);
    return similar(P_LOOK, look, n, query);
}

TEST(documents_are_found_by_their_vectors)
{
    const float at[] = {50.2F, 0};

    begin();
    put_all();
    CHECK_STR(like(17, 0, 1, ""), "k17");
    CHECK_STR(similar(P_SOUND, at, 3, ""), "k50 k51 k52"); /* k49 has none */
    CHECK_STR(similar(P_SOUND, at, 2, "year:100.."), "k100 k101");
    CHECK_STR(similar(P_SOUND, at, 3, "odd"), "k51 k53 k47");
    CHECK_STR(similar(P_SOUND, at, 3, "odd year:..40"), "k37 k35 k33");
    CHECK_STR(similar(P_SOUND, at, 3, "zebra"), "");
    end();
}

static const char *hybrid(const float *sound, uint32_t k, const char *query)
{
    static struct found found;

    found = (struct found){0};
    return search_hybrid(r, P_SOUND, sound, k, query, strlen(query), take_hit, &found, &f) < 0 ? f.text : found.keys;
}

TEST(words_and_vectors_rank_together)
{
    const float at[] = {61.2F, 0};

    begin();
    put_all();
    /* By words all odd ones are the same, in their order: k1 k3 k5 …; by vectors k61 k62 k60 k63 k58 …. Being second in
     * one list is worth 1/62 = 0.0161, being 31st and first 1/91 + 1/61 = 0.0274. */
    CHECK_STR(hybrid(at, 3, "odd"), "k61 k63 k57");
    CHECK_STR(hybrid(at, 3, "odd year:..62"), "k61 k57 k55");
    CHECK_STR(hybrid(at, 3, ""), "k61 k62 k60");
    CHECK_STR(hybrid(at, 2, "zebra"), "k61 k62"); /* no words: the vectors alone */
    CHECK_STR(hybrid(at, 2, "year:100.."), "k100 k101");
    CHECK(strstr(hybrid(at, 0, "odd"), "1 to 1000"));
    CHECK(strstr(hybrid(at, 2, "odd ("), "nothing to look for"));
    end();
}

TEST(what_cannot_be_compared_is_refused)
{
    float v[DIMENSIONS] = {0};

    begin();
    put_all();
    CHECK(strstr(similar(P_LOOK, v, 3, ""), "no direction"));
    v[3] = NAN;
    CHECK(strstr(similar(P_LOOK, v, 3, ""), "value 3 of the vector is no number"));
    CHECK(strstr(similar(P_TITLE, v, 3, ""), "'title' is no vector"));
    CHECK(strstr(similar(99, v, 3, ""), "is no vector"));
    v[3] = 1;
    CHECK(strstr(similar(P_LOOK, v, 0, ""), "1 to 1000"));
    CHECK(strstr(similar(P_LOOK, v, 1, "year:x"), "whole number") && f.at == 6);
    CHECK(search_index_begin(x, &f) == CELL_OK);
    const struct search_content c[] = {
        text("a"), {.integer = 1}, {.vector = (const float[DIMENSIONS]){0}}, {.absent = true}};
    CHECK(search_index_put(x, "a", 1, c, &f) == CELL_INVALID_ARGUMENT && strstr(f.text, "'look' is zero"));
    search_index_rollback(x);
    end();
}

TEST(vectors_follow_their_documents)
{
    begin();
    put_all();
    CHECK(search_index_begin(x, &f) == CELL_OK);
    CHECK(put_picture(17, 1) == CELL_OK && search_index_delete(x, "k18", 3, &f) == CELL_OK);
    CHECK_STR(like(17, 0, 1, ""), "k17"); /* not yet */
    CHECK(search_index_commit(x, "", 0, &f) == CELL_OK);
    CHECK_STR(like(17, 1, 1, ""), "k17");
    CHECK(strcmp(like(17, 0, 1, ""), "k17") != 0 && strcmp(like(18, 0, 1, ""), "k18") != 0);
    CHECK(search_index_begin(x, &f) == CELL_OK && put_picture(18, 0) == CELL_OK);
    search_index_rollback(x);
    CHECK(strcmp(like(18, 0, 1, ""), "k18") != 0);
    end();
}

/* ---- files ---- */

static unsigned count_graphs(void)
{
    DIR *d = opendir(temp_folder);
    unsigned n = 0;

    for (struct dirent *e; d && (e = readdir(d));)
        n += strstr(e->d_name, ".graph") != NULL;
    closedir(d);
    return n;
}

static void check_all_there(void)
{
    char key[16];

    for (unsigned k = 0; k < NKEYS; k += 7) {
        sprintf(key, "k%u", k);
        CHECK_STR(like(k, 0, 1, ""), key);
    }
}

TEST(graphs_are_there_again_after_a_restart)
{
    begin();
    put_all();
    reopen(); /* built from the vectors */
    check_all_there();
    CHECK(search_index_checkpoint(x, &f) == CELL_OK && count_graphs() == 2);
    reopen(); /* read */
    check_all_there();
    CHECK(search_index_begin(x, &f) == CELL_OK && put_picture(17, 1) == CELL_OK);
    CHECK(search_index_delete(x, "k18", 3, &f) == CELL_OK && search_index_commit(x, "", 0, &f) == CELL_OK);
    reopen(); /* read, and brought forward */
    CHECK_STR(like(17, 1, 1, ""), "k17");
    CHECK(strcmp(like(18, 0, 1, ""), "k18") != 0);
    CHECK(search_index_checkpoint(x, &f) == CELL_OK && count_graphs() == 2); /* the older ones are gone */
    CHECK(search_index_checkpoint(x, &f) == CELL_OK && count_graphs() == 2);
    reopen();
    CHECK_STR(like(17, 1, 1, ""), "k17");
    end();
}

TEST(a_graph_is_read_from_its_file)
{
    sqlite3 *db = NULL;

    begin();
    put_all();
    CHECK(search_index_checkpoint(x, &f) == CELL_OK);
    /* So it cannot be built from what is here. */
    CHECK(sqlite3_open(path, &db) == SQLITE_OK &&
          sqlite3_exec(db, "DELETE FROM vectors", NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
    reopen();
    check_all_there();
    end();
}

/* Does something to every file of a graph. */
static void spoil(void (*how)(const char *path))
{
    DIR *d = opendir(temp_folder);

    for (struct dirent *e; d && (e = readdir(d));)
        if (strstr(e->d_name, ".graph"))
            how(temp_path(e->d_name));
    closedir(d);
}

static void tear(const char *name)
{
    int fd = open(name, O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0 && pwrite(fd, "torn torn torn", 14, 300) == 14 && close(fd) == 0);
}
static void cut(const char *name) { CHECK(truncate(name, 1000) == 0); }
static void lose(const char *name) { CHECK(unlink(name) == 0); }

TEST(a_graph_that_is_lost_or_torn_is_built_again)
{
    static void (*const ways[])(const char *) = {tear, cut, lose};

    for (size_t i = 0; i < 3; i++) {
        begin();
        put_all();
        CHECK(search_index_checkpoint(x, &f) == CELL_OK);
        spoil(ways[i]);
        reopen();
        check_all_there();
        CHECK(search_index_checkpoint(x, &f) == CELL_OK && count_graphs() == 2);
        end();
    }
}

TEST(files_that_a_crash_left_are_removed)
{
    begin();
    put_all();
    CHECK(search_index_checkpoint(x, &f) == CELL_OK);
    temp_write("index.db.look.99999.graph", "left");
    temp_write("index.db.look.3.graph", "left");
    reopen();
    CHECK(count_graphs() == 2);
    check_all_there();
    end();
}

/* ---- being killed ---- */

/* What batch `b` does is known from its number: one document in three goes, others change their version. */
static void write_batch(unsigned b)
{
    char key[16];

    CHECK(search_index_begin(x, &f) == CELL_OK);
    for (unsigned i = 0; i < 10; i++) {
        unsigned k = (b * 7 + i * 13) % NKEYS;
        sprintf(key, "k%u", k);
        if ((b + i) % 3 == 0)
            CHECK(search_index_delete(x, key, strlen(key), &f) == CELL_OK);
        else
            CHECK(put_picture(k, b) == CELL_OK);
    }
    CHECK(search_index_commit(x, &b, sizeof(b), &f) == CELL_OK);
}

static void write_for_ever(int acknowledged)
{
    unsigned b = 0;

    x = open_index(&pictures);
    if (!x || search_index_position(x, &b, &f) < 0)
        _exit(1);
    for (b++;; b++) {
        write_batch(b);
        if (write(acknowledged, &b, sizeof(b)) != sizeof(b))
            _exit(1);
        if (b % 5 == 0 && search_index_checkpoint(x, &f) < 0)
            _exit(1);
    }
}

/* The index is what it is after the batches up to its position. */
static void check_batches(unsigned acknowledged)
{
    unsigned version[NKEYS] = {0}, position = 0;
    uint64_t n = 0, there = 0;
    char key[16], query[64];

    CHECK(search_index_position(x, &position, &f) >= 0 && position >= acknowledged);
    for (unsigned b = 1; b <= position; b++)
        for (unsigned i = 0; i < 10; i++)
            version[(b * 7 + i * 13) % NKEYS] = (b + i) % 3 == 0 ? 0 : b;
    for (unsigned k = 0; k < NKEYS; k++) {
        there += version[k] != 0;
        sprintf(query, "version%u year:%u", version[k], k);
        CHECK(search_count(r, query, strlen(query), &n, &f) == CELL_OK && n == (version[k] != 0));
        sprintf(key, "k%u", k);
        if (version[k])
            CHECK_STR(like(k, version[k], 1, ""), key);
    }
    CHECK(search_count(r, "", 0, &n, &f) == CELL_OK && n == there);
}

TEST(killed_at_any_time_it_is_what_its_position_says)
{
    unsigned acknowledged = 0, state = 12345;

    begin();
    search_reader_close(r);
    search_index_close(x);
    for (int kills = 0; kills < 25; kills++) {
        int fds[2];
        REQUIRE(pipe(fds) == 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(fds[0]);
            write_for_ever(fds[1]);
        }
        close(fds[1]);
        state = state * 1664525U + 1013904223U;
        /* After some batches, and then some more of a moment. */
        for (unsigned batches = state >> 8 & 7, b; batches > 0 && read(fds[0], &b, sizeof(b)) == sizeof(b); batches--)
            acknowledged = b;
        usleep(state >> 16 & 0x3fff);
        kill(pid, SIGKILL);
        for (unsigned b; read(fds[0], &b, sizeof(b)) == sizeof(b);)
            acknowledged = b;
        close(fds[0]);
        int status;
        CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
        x = open_index(&pictures);
        REQUIRE(x && search_reader_open(x, &r, &f) == CELL_OK);
        check_batches(acknowledged);
        search_reader_close(r);
        search_index_close(x);
    }
    CHECK(acknowledged > 10);
    x = NULL;
    temp_folder_remove();
}
