/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The writer is killed at any moment, again and again: what it had committed is there, and readers go on. More with
 * CELL_TEST_KILLS. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "journal_fixture.h"

#define KILLS 40

/* What the child says to have done. */
struct said {
    _Atomic uint64_t committed, durable;
};

static void write_until_killed(struct said *said, unsigned seed)
{
    struct cell_journal *j = open_journal();
    struct cell_error e;
    bool stores = seed % 2; /* small blocks that are seldom synced */
    srand(seed);
    while (j) {
        struct cell_position end;
        if (append(j, 1 + (uint32_t)rand() % (stores ? 20 : 120), &end) < 0)
            _exit(1);
        atomic_store(&said->committed, end.sequence);
        if (rand() % (stores ? 400 : 8))
            continue;
        if (cell_journal_sync(j, &end, &e) < 0)
            _exit(1);
        atomic_store(&said->durable, end.sequence);
    }
    _exit(1);
}

static _Atomic bool stops;

/* Reads all the time, whoever writes; ends when all is over. */
static void *follow(void *arg)
{
    struct cell_error e = {0};
    struct cell_span s;
    uint64_t next = 0;
    for (int x = 1; x >= 0 && !(x == 0 && atomic_load(&stops));) {
        bool last = atomic_load(&stops);
        x = cell_journal_read(arg, &s, 50, &e);
        if (x == CELL_DEADLINE_EXCEEDED || (x == 0 && !last)) {
            x = 1;
            usleep(1000);
            continue;
        }
        if (x == 1 && (s.sequence != next || !is_right(&s))) {
            printf("record %" PRIu64 " in place of %" PRIu64 "\n", s.sequence, next);
            test_failures++;
            return NULL;
        }
        next += x == 1 ? s.count : 0;
        if (x < 0) {
            printf("%d: %s\n", x, e.text);
            test_failures++;
        }
    }
    return (void *)(uintptr_t)next;
}

static void kill_one(struct said *said, unsigned seed)
{
    uint64_t before = atomic_load(&said->committed);
    pid_t child = fork();
    if (child == 0)
        write_until_killed(said, seed);
    while (atomic_load(&said->committed) == before && waitpid(child, NULL, WNOHANG) == 0)
        usleep(100);
    usleep((unsigned)rand() % 20000);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(what_a_killed_writer_has_committed_is_there)
{
    const char *kills = getenv("CELL_TEST_KILLS");
    int n = kills ? atoi(kills) : KILLS;
    struct said *said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct cell_error e = {0};
    pthread_t threads[2];
    void *read[2];
    temp_folder_make();
    struct cell_journal *j = open_journal();
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    struct cell_journal_reader *readers[2] = {reader(0, NULL), reader(CELL_JOURNAL_VOLATILE, NULL)};
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, follow, readers[i]);
    for (int i = 0; i < n && !test_failures; i++)
        kill_one(said, (unsigned)i);
    j = open_journal();
    uint64_t there = cell_journal_committed(j).sequence;
    CHECK(there >= atomic_load(&said->committed));
    CHECK(atomic_load(&said->durable) > 0);
    CHECK_INT(cell_journal_close(j, &e), CELL_OK);
    atomic_store(&stops, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &read[i]);
        CHECK_INT((uintptr_t)read[i], there);
        cell_journal_reader_close(readers[i]);
    }
    struct cell_journal_reader *r = reader(0, NULL);
    read_to(r, there);
    cell_journal_reader_close(r);
    temp_folder_remove();
}

/* Appends one record, says so, and waits to be killed. */
static pid_t start_writer(void)
{
    int ends[2];
    char said = 0;
    CHECK_INT(pipe(ends), 0);
    pid_t child = fork();
    if (child < 0)
        abort(); /* nobody is to be killed by that number */
    if (child == 0) {
        struct cell_position end;
        struct cell_error e;
        struct cell_journal *j = open_journal();
        if (!j || append(j, 1, &end) < 0 || cell_journal_sync(j, &end, &e) < 0 || write(ends[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    CHECK_INT(read(ends[0], &said, 1), 1);
    close(ends[0]);
    return child;
}

TEST(a_reader_goes_on_with_a_writer_that_follows_at_once)
{
    struct cell_error e = {0};
    struct cell_span s;
    temp_folder_make();
    pid_t writer = start_writer();
    struct cell_journal_reader *r = reader(0, NULL);
    for (uint64_t i = 0; i < 3; i++) {
        CHECK_INT(cell_journal_read(r, &s, 20000, &e), 1);
        CHECK_INT(s.sequence, i);
        /* The reader does not look in between, so that for all it knows there was a writer all the time. */
        kill(writer, SIGKILL);
        CHECK_INT(waitpid(writer, NULL, 0), writer);
        writer = i < 2 ? start_writer() : -1;
    }
    cell_journal_reader_close(r);
    temp_folder_remove();
}
