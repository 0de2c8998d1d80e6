/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_store_sanitized
/* Processes that are killed while they write: nothing that was acknowledged is lost, and nothing is half there. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "store_fixture.h"

#ifndef KILLS
#define KILLS 300
#endif
#define WRITERS 3
#define IDS 40 /* of each writer */

static struct st_arena arena;

/* What a writer tells when a write has returned: the state that it has left. */
struct acknowledged {
    uint32_t writer, id;
    int32_t year; /* 0: it was deleted */
    uint32_t reserved;
};
static int pipe_of_child[2];
static int32_t known[WRITERS][IDS], begun[WRITERS][IDS];

struct writer {
    uint32_t number;
    int32_t year;
    uint64_t seed;
};

static void *write_for_ever(void *user)
{
    struct writer *w = user;

    for (;;) {
        w->seed = w->seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint32_t id = (uint32_t)(w->seed >> 33) % IDS;
        bool del = (w->seed >> 20) % 4 == 0;
        int64_t whole = (int64_t)w->number * IDS + id;
        struct acknowledged ack = {w->number, id, del ? 0 : ++w->year, 1};
        /* What is begun is told, too, for it may be there although nobody was told so. */
        if (write(pipe_of_child[1], &ack, sizeof(ack)) != sizeof(ack))
            _exit(3);
        char name[16];
        snprintf(name, sizeof(name), "%d", w->year % 7);
        int r = del ? store_delete(whole)
                    : store_put(&(struct item){.id = whole, .year = w->year, .name = cell_strz(name), .score = 1});
        if (r < 0 && !(del && r == CELL_NOT_FOUND))
            _exit(4);
        ack.reserved = 2;
        if (write(pipe_of_child[1], &ack, sizeof(ack)) != sizeof(ack))
            _exit(3);
    }
    return NULL;
}

static void run_child(uint64_t seed)
{
    static struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    static const struct st_engine_options lazy = {.lazy = true};

    if (!store_open(seed % 2 ? NULL : &lazy)) /* a process that dies takes nothing from the disk in either case */
        _exit(5);
    for (uint32_t i = 0; i < WRITERS; i++) {
        int32_t year = 0;
        for (uint32_t k = 0; k < IDS; k++)
            year = begun[i][k] > year ? begun[i][k] : year;
        writers[i] = (struct writer){i, year, seed * 31 + i};
        if (pthread_create(&threads[i], NULL, write_for_ever, &writers[i]) != 0)
            _exit(6);
    }
    pthread_join(threads[0], NULL);
}

/* Lets a child write, kills it after some acknowledgements, and takes the rest of what it has said. */
static void let_write(uint64_t seed)
{
    struct acknowledged ack;
    uint32_t enough = 1 + (uint32_t)(seed * 2654435761u % 60), n = 0;
    int status = 0;

    CHECK(pipe(pipe_of_child) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(pipe_of_child[0]);
        run_child(seed);
        _exit(7);
    }
    close(pipe_of_child[1]);
    while (read(pipe_of_child[0], &ack, sizeof(ack)) == sizeof(ack)) {
        if (ack.reserved == 2)
            known[ack.writer][ack.id] = begun[ack.writer][ack.id] = ack.year;
        else
            begun[ack.writer][ack.id] = ack.year;
        if (++n == enough)
            kill(pid, SIGKILL);
    }
    close(pipe_of_child[0]);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
    if (!WIFSIGNALED(status))
        printf("the child ended with %d\n", WEXITSTATUS(status));
}

static int count_found(void *user, const struct st_found *found)
{
    struct item item = {0};

    CHECK(st_decode(codec, found->body, &item, st_arena_memory(&arena), &failure) >= 0);
    CHECK(store_get(NULL, item.id, &item, NULL, &arena) == CELL_OK);
    ++*(uint64_t *)user;
    return 1;
}

struct replay {
    int32_t years[WRITERS][IDS];
    uint64_t number;
};

static int carry_out(void *user, const struct st_change *change)
{
    struct replay *replay = user;
    struct item item = {0};

    CHECK(change->number == ++replay->number);
    CHECK(st_decode(codec, change->body, &item, st_arena_memory(&arena), &failure) >= 0);
    if (item.id >= 0 && item.id < WRITERS * IDS)
        replay->years[item.id / IDS][item.id % IDS] = change->kind == ST_CHANGE_PUT ? item.year : 0;
    return 1;
}

static void check_all(void)
{
    struct replay replay = {.number = 0};
    struct st_view view;
    struct st_stat stat;
    uint64_t there = 0, in_index = 0;

    for (uint32_t w = 0; w < WRITERS; w++)
        for (uint32_t i = 0; i < IDS; i++) {
            struct item item = {0};
            int r = store_get(NULL, w * IDS + i, &item, NULL, &arena);
            int32_t year = r == CELL_NOT_FOUND ? 0 : item.year;
            CHECK(r >= 0 || r == CELL_NOT_FOUND);
            CHECK(year == known[w][i] || year == begun[w][i]);
            known[w][i] = begun[w][i] = year;
            there += r >= 0;
        }
    CHECK(st_view_begin(engine, NULL, &view, &failure) >= 0);
    CHECK(st_view_stat(&view, items, &stat, &failure) >= 0);
    CHECK(st_view_changes(&view, items, 0, carry_out, &replay, &failure) == 0);
    for (uint32_t i = 0; i < schema->nindexes; i++) {
        struct st_buffer from = {0}, to = {0};
        st_key_begin(&from, schema->indexes[i].space);
        st_key_begin(&to, schema->indexes[i].space + 1);
        const struct st_range range = {st_bytes_of(&from), st_bytes_of(&to), true, false};
        CHECK(st_view_scan(&view, &range, count_found, &in_index, &failure) == 0);
        st_buffer_free(&from);
        st_buffer_free(&to);
    }
    st_view_end(&view);
    CHECK(stat.count == there && in_index == there * schema->nindexes && stat.last == replay.number);
    CHECK(memcmp(replay.years, known, sizeof(known)) == 0);
    st_arena_reset(&arena);
}

TEST(what_was_acknowledged_survives_a_kill)
{
    temp_folder_make();
    for (uint64_t i = 0; i < KILLS && !test_failures; i++) {
        let_write(i + 1);
        CHECK(store_open(NULL));
        check_all();
        store_close();
        if (test_failures)
            printf("kill %u: %s\n", (unsigned)i, failure.text);
    }
    temp_folder_remove();
    st_arena_free(&arena);
}

/* A limit on the size of files fails as a disk does that is full. */
static void fill_the_disk(void)
{
    const struct rlimit limit = {256 << 10, 256 << 10};
    char *text = calloc(1, 20000);
    const cell_str tag = {text, 20000};
    int64_t n = 0;
    int r;

    signal(SIGXFSZ, SIG_IGN);
    CHECK(store_open(NULL));
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    while ((r = store_put(&(struct item){.id = n, .tags = {&tag, 1}})) >= 0 && n < 1000)
        n++;
    CHECK(r == CELL_RESOURCE_EXHAUSTED && strstr(failure.text, "the disk has no room left for the store") != NULL);
    CHECK(n > 3 && store_stat().count == (uint64_t)n);
    /* Reading goes on, and so does what needs no more room. */
    struct item out;
    CHECK(store_get(NULL, n - 1, &out, NULL, &arena) == CELL_OK);
    CHECK(store_get(NULL, n, &out, NULL, &arena) == CELL_NOT_FOUND);
    free(text);
    store_close();
    st_arena_free(&arena);
}

TEST(a_full_disk_is_an_error_and_nothing_is_lost)
{
    int status = 0;

    temp_folder_make();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        test_failures = 0;
        fill_the_disk();
        fflush(stdout);
        _exit(test_failures != 0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(store_open(NULL));
    uint64_t count = store_stat().count;
    CHECK(count > 3 && store_put(&(struct item){.id = 100000}) == CELL_OK && store_stat().count == count + 1);
    store_end();
}
