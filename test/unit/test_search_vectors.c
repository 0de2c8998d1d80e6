/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_search_sanitized
#include "search/vectors.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "temp_folder.h"

#define DIMENSIONS 24

static struct search_failure f;
static const struct search_vectors_options cosine = {.dimensions = DIMENSIONS, .metric = SEARCH_COSINE};

static _Thread_local uint64_t seed = 1;
static unsigned below(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

/* Points around a few centres, as those of texts are. */
static void make(uint64_t id, float *v)
{
    uint64_t kept = seed;
    seed = id % 20 + 1000;
    for (int i = 0; i < DIMENSIONS; i++)
        v[i] = (float)below(1000) / 500 - 1;
    seed = id * 7919 + 17;
    for (int i = 0; i < DIMENSIONS; i++)
        v[i] += (float)below(1000) / 1000 - 0.5F;
    seed = kept;
}

static struct search_vectors *filled(const struct search_vectors_options *o, uint64_t from, uint64_t to)
{
    struct search_vectors *v = NULL;
    float x[DIMENSIONS];

    CHECK(search_vectors_new(o, &v, &f) == CELL_OK);
    for (uint64_t id = from; id < to; id++) {
        make(id, x);
        CHECK(search_vectors_put(v, id, x, &f) == CELL_OK);
    }
    return v;
}

/* How much of the exact ten is found, over 100 questions, 1 = all. */
static double recall_of(struct search_vectors *v, const struct search_allowed *allowed, uint32_t breadth)
{
    unsigned found = 0, all = 0;
    float x[DIMENSIONS];

    for (unsigned q = 0; q < 100; q++) {
        struct search_near near[10], exact[10];
        uint32_t n, nexact;
        make(1000000 + q, x);
        CHECK(search_vectors_find(v, x, 10, breadth, allowed, near, &n, &f) == CELL_OK);
        CHECK(search_vectors_find_exactly(v, x, 10, allowed, exact, &nexact, &f) == CELL_OK && n <= nexact);
        for (uint32_t i = 1; i < n; i++)
            CHECK(near[i - 1].distance <= near[i].distance);
        all += nexact;
        for (uint32_t i = 0; i < nexact; i++)
            for (uint32_t k = 0; k < n; k++)
                found += near[k].id == exact[i].id;
    }
    return all ? (double)found / all : 1;
}

static double recall(struct search_vectors *v, const struct search_allowed *allowed)
{
    return recall_of(v, allowed, 0);
}

TEST(the_nearest_are_found)
{
    for (int metric = SEARCH_COSINE; metric <= SEARCH_L2; metric++) {
        const struct search_vectors_options o = {.dimensions = DIMENSIONS, .metric = (enum search_metric)metric};
        struct search_vectors *v = filled(&o, 0, 3000);
        CHECK(search_vectors_count(v) == 3000);
        CHECK(recall(v, NULL) >= 0.95);
        search_vectors_free(v);
    }
}

TEST(distances_are_those_of_the_metric)
{
    static const float a[] = {3, 4, 0}, b[] = {0, 2, 0};
    const float expected[] = {1 - 0.8F, 1 - 8, 9 + 4};

    for (int metric = SEARCH_COSINE; metric <= SEARCH_L2; metric++) {
        const struct search_vectors_options o = {.dimensions = 3, .metric = (enum search_metric)metric};
        struct search_vectors *v = NULL;
        struct search_near near;
        uint32_t n;
        REQUIRE(search_vectors_new(&o, &v, &f) == CELL_OK && search_vectors_put(v, 7, a, &f) == CELL_OK);
        CHECK(search_vectors_find(v, b, 1, 0, NULL, &near, &n, &f) == CELL_OK && n == 1 && near.id == 7);
        CHECK(fabsf(near.distance - expected[metric]) < 1e-5F);
        search_vectors_free(v);
    }
}

TEST(vectors_of_bytes_find_nearly_the_same)
{
    struct search_vectors_options bytes = cosine;
    unsigned same = 0;
    float x[DIMENSIONS];

    bytes.bytes = true;
    struct search_vectors *v = filled(&cosine, 0, 2000), *w = filled(&bytes, 0, 2000);
    CHECK(recall(w, NULL) >= 0.95);
    for (unsigned q = 0; q < 100; q++) {
        struct search_near a[10], b[10];
        uint32_t n;
        make(2000000 + q, x);
        CHECK(search_vectors_find_exactly(v, x, 10, NULL, a, &n, &f) == CELL_OK && n == 10);
        CHECK(search_vectors_find_exactly(w, x, 10, NULL, b, &n, &f) == CELL_OK && n == 10);
        CHECK(fabsf(a[0].distance - b[0].distance) < 0.02F);
        for (int i = 0; i < 10; i++)
            for (int k = 0; k < 10; k++)
                same += a[i].id == b[k].id;
    }
    CHECK(same >= 900);
    bytes.metric = SEARCH_L2;
    struct search_vectors *none = NULL;
    CHECK(search_vectors_new(&bytes, &none, &f) == CELL_INVALID_ARGUMENT && !none);
    search_vectors_free(v);
    search_vectors_free(w);
}

/* Every `every`th is allowed. */
static struct search_allowed allow(uint64_t *bits, uint64_t n, unsigned every)
{
    struct search_allowed a = {bits, n, 0};

    memset(bits, 0, (n + 63) / 64 * 8);
    for (uint64_t i = 0; i < n; i += every) {
        bits[i / 64] |= UINT64_C(1) << (i % 64);
        a.count++;
    }
    return a;
}

TEST(conditions_do_not_take_the_place_of_what_is_found)
{
    enum { N = 10000 };
    static uint64_t bits[N / 64 + 1];
    static const unsigned every[] = {2, 3, 5, 20, 1000, N};
    struct search_vectors *v = NULL;
    uint64_t *ids = calloc(N, sizeof(*ids));
    float *all = calloc((size_t)N * DIMENSIONS, sizeof(*all)), x[DIMENSIONS];

    for (uint64_t i = 0; i < N; i++) {
        ids[i] = i;
        make(i, all + i * DIMENSIONS);
    }
    REQUIRE(search_vectors_new(&cosine, &v, &f) == CELL_OK);
    CHECK(search_vectors_put_many(v, ids, all, N, 2, &f) == CELL_OK && search_vectors_count(v) == N);
    CHECK(recall(v, NULL) >= 0.95);
    for (size_t i = 0; i < sizeof(every) / sizeof(*every); i++) {
        struct search_allowed a = allow(bits, N, every[i]);
        struct search_near near[10];
        uint32_t n;
        CHECK(recall(v, &a) >= 0.95);
        CHECK(recall_of(v, &a, 30) >= 0.9); /* the less breadth the sooner the graph is walked */
        make(3000000, x);
        CHECK(search_vectors_find(v, x, 10, 0, &a, near, &n, &f) == CELL_OK && n == (a.count < 10 ? a.count : 10));
        for (uint32_t k = 0; k < n; k++)
            CHECK(near[k].id % every[i] == 0);
    }
    struct search_allowed nobody = {bits, 0, 0};
    struct search_near near[10];
    uint32_t n = 9;
    CHECK(search_vectors_find(v, x, 10, 0, &nobody, near, &n, &f) == CELL_OK && n == 0);
    free(ids);
    free(all);
    search_vectors_free(v);
}

TEST(a_vector_is_replaced_and_deleted)
{
    struct search_vectors *v = filled(&cosine, 0, 500);
    struct search_near near[2];
    uint32_t n;
    float x[DIMENSIONS], y[DIMENSIONS];

    make(3, x);
    make(777777, y);
    CHECK(search_vectors_find(v, x, 1, 0, NULL, near, &n, &f) == CELL_OK && near[0].id == 3);
    CHECK(search_vectors_put(v, 3, y, &f) == CELL_OK && search_vectors_count(v) == 500);
    CHECK(search_vectors_find(v, x, 1, 0, NULL, near, &n, &f) == CELL_OK && near[0].id != 3);
    CHECK(search_vectors_find(v, y, 1, 0, NULL, near, &n, &f) == CELL_OK && near[0].id == 3);
    search_vectors_delete(v, 3);
    search_vectors_delete(v, 3);
    search_vectors_delete(v, 99999);
    CHECK(search_vectors_count(v) == 499);
    CHECK(search_vectors_find(v, y, 2, 0, NULL, near, &n, &f) == CELL_OK && n == 2 && near[0].id != 3 &&
          near[1].id != 3);
    CHECK(search_vectors_put(v, 3, x, &f) == CELL_OK && search_vectors_count(v) == 500);
    CHECK(search_vectors_find(v, x, 1, 0, NULL, near, &n, &f) == CELL_OK && near[0].id == 3);
    search_vectors_free(v);
}

/* Everything is replaced by others many times: places are used again, and what is there is found. */
TEST(places_are_used_again)
{
    struct search_vectors *v = filled(&cosine, 0, 1000);
    float x[DIMENSIONS];

    for (uint64_t id = 1000; id < 11000; id++) {
        search_vectors_delete(v, id - 1000);
        make(id, x);
        CHECK(search_vectors_put(v, id, x, &f) == CELL_OK);
    }
    CHECK(search_vectors_count(v) == 1000);
    CHECK(recall(v, NULL) >= 0.95);
    for (uint64_t id = 10000; id < 11000; id++)
        search_vectors_delete(v, id);
    struct search_near near[3];
    uint32_t n;
    CHECK(search_vectors_count(v) == 0);
    CHECK(search_vectors_find(v, x, 3, 0, NULL, near, &n, &f) == CELL_OK && n == 0);
    for (uint64_t id = 20000; id < 23000; id++) {
        make(id, x);
        CHECK(search_vectors_put(v, id, x, &f) == CELL_OK);
    }
    CHECK(recall(v, NULL) >= 0.95);
    search_vectors_free(v);
}

/* Some take the place of their former selves, some of others that are deleted, and the rest come behind. */
TEST(many_are_put_at_once)
{
    enum { N = 3000 };
    struct search_vectors *v = filled(&cosine, 0, 1000);
    static uint64_t ids[N];
    static float all[N * DIMENSIONS];
    struct search_near near;
    uint32_t n;

    for (uint64_t id = 100; id < 300; id++)
        search_vectors_delete(v, id);
    for (uint64_t i = 0; i < N; i++) {
        ids[i] = i + 500;
        make(i + 50000, all + i * DIMENSIONS);
    }
    CHECK(search_vectors_put_many(v, ids, all, N, 3, &f) == CELL_OK);
    CHECK(search_vectors_count(v) == 3300 && recall(v, NULL) >= 0.95);
    for (uint64_t i = 0; i < N; i += 50) {
        CHECK(search_vectors_find(v, all + i * DIMENSIONS, 1, 0, NULL, &near, &n, &f) == CELL_OK);
        CHECK(n == 1 && near.id == ids[i]);
    }
    search_vectors_free(v);
}

/* One thread makes the same graph of the same vectors each time; several do not. */
TEST(threads_are_bounded)
{
    enum { N = 2000 };
    static uint64_t ids[N];
    static float all[N * DIMENSIONS];
    uint64_t sums[2];
    char path[160];

    for (uint64_t i = 0; i < N; i++) {
        ids[i] = i;
        make(i, all + i * DIMENSIONS);
    }
    temp_folder_make();
    snprintf(path, sizeof(path), "%s/graph", temp_folder);
    search_vectors_threads(1);
    for (int i = 0; i < 2; i++) {
        struct search_vectors *v = NULL;
        REQUIRE(search_vectors_new(&cosine, &v, &f) == CELL_OK);
        CHECK(search_vectors_put_many(v, ids, all, N, 0, &f) == CELL_OK);
        CHECK(search_vectors_save(v, path, &sums[i], &f) == CELL_OK);
        search_vectors_free(v);
    }
    search_vectors_threads(0);
    CHECK(sums[0] == sums[1]);
    temp_folder_remove();
}

TEST(an_empty_graph_finds_nothing)
{
    struct search_vectors *v = NULL;
    struct search_near near[3];
    uint32_t n = 7;
    float x[DIMENSIONS];

    make(1, x);
    REQUIRE(search_vectors_new(&cosine, &v, &f) == CELL_OK);
    CHECK(search_vectors_find(v, x, 3, 0, NULL, near, &n, &f) == CELL_OK && n == 0);
    search_vectors_delete(v, 1);
    CHECK(search_vectors_put_many(v, NULL, NULL, 0, 0, &f) == CELL_OK && search_vectors_count(v) == 0);
    search_vectors_free(v);
    static const struct search_vectors_options bad[] = {{.dimensions = 0},
                                                        {.dimensions = SEARCH_MOST_DIMENSIONS + 1},
                                                        {.dimensions = 3, .links = 1},
                                                        {.dimensions = 3, .links = 101}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CHECK(search_vectors_new(&bad[i], &v, &f) == CELL_INVALID_ARGUMENT);
}

TEST(a_graph_is_read_as_it_was_written)
{
    struct search_vectors *v = filled(&cosine, 0, 1500), *w = NULL;
    uint64_t sum = 0;
    float x[DIMENSIONS];

    temp_folder_make();
    for (uint64_t id = 0; id < 300; id++)
        search_vectors_delete(v, id * 3);
    REQUIRE(search_vectors_save(v, temp_path("graph"), &sum, &f) == CELL_OK);
    REQUIRE(search_vectors_load(&cosine, temp_path("graph"), sum, &w, &f) == CELL_OK);
    CHECK(search_vectors_count(w) == 1200);
    for (unsigned q = 0; q < 50; q++) {
        struct search_near a[10], b[10];
        uint32_t n, m;
        make(4000000 + q, x);
        CHECK(search_vectors_find(v, x, 10, 0, NULL, a, &n, &f) == CELL_OK && n == 10);
        CHECK(search_vectors_find(w, x, 10, 0, NULL, b, &m, &f) == CELL_OK && m == 10);
        for (int i = 0; i < 10; i++)
            CHECK(a[i].id == b[i].id && a[i].distance == b[i].distance);
    }
    for (uint64_t id = 5000; id < 6000; id++) {
        make(id, x);
        CHECK(search_vectors_put(w, id, x, &f) == CELL_OK);
    }
    CHECK(search_vectors_count(w) == 2200 && recall(w, NULL) >= 0.95);
    search_vectors_free(w);
    search_vectors_free(v);
    temp_folder_remove();
}

TEST(a_file_that_is_not_the_graph_is_refused)
{
    struct search_vectors *v = filled(&cosine, 0, 300), *w = NULL;
    struct search_vectors_options other = cosine;
    uint64_t sum = 0;

    temp_folder_make();
    REQUIRE(search_vectors_save(v, temp_path("graph"), &sum, &f) == CELL_OK);
    CHECK(search_vectors_load(&cosine, temp_path("graph"), sum + 1, &w, &f) == CELL_DATA_LOSS);
    CHECK(search_vectors_load(&cosine, temp_path("other"), sum, &w, &f) == CELL_DATA_LOSS);
    other.dimensions--;
    CHECK(search_vectors_load(&other, temp_path("graph"), sum, &w, &f) == CELL_DATA_LOSS);
    int fd = open(temp_path("graph"), O_RDWR | O_CLOEXEC);
    for (off_t at = 0; at < 20000; at += 911) {
        unsigned char kept, torn;
        CHECK(pread(fd, &kept, 1, at) == 1);
        torn = kept ^ 0x10;
        CHECK(pwrite(fd, &torn, 1, at) == 1);
        CHECK(search_vectors_load(&cosine, temp_path("graph"), sum, &w, &f) == CELL_DATA_LOSS && !w);
        CHECK(pwrite(fd, &kept, 1, at) == 1);
    }
    CHECK(ftruncate(fd, 10000) == 0);
    close(fd);
    CHECK(search_vectors_load(&cosine, temp_path("graph"), sum, &w, &f) == CELL_DATA_LOSS && !w);
    search_vectors_free(v);
    temp_folder_remove();
}

TEST(a_full_disk_is_noticed_when_a_graph_is_written)
{
    struct search_vectors *v = filled(&cosine, 0, 1000);
    struct rlimit before, small;
    uint64_t sum;

    temp_folder_make();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 100000;
    setrlimit(RLIMIT_FSIZE, &small);
    CHECK(search_vectors_save(v, temp_path("graph"), &sum, &f) == CELL_RESOURCE_EXHAUSTED);
    CHECK(search_vectors_save(v, temp_path("nowhere/graph"), &sum, &f) == CELL_UNAVAILABLE);
    setrlimit(RLIMIT_FSIZE, &before);
    search_vectors_free(v);
    temp_folder_remove();
}

struct crowd {
    struct search_vectors *v;
    atomic_bool stop;
    atomic_uint found;
};

static void *ask(void *user)
{
    struct crowd *c = user;
    float x[DIMENSIONS];

    for (uint64_t q = 0; !atomic_load(&c->stop); q++) {
        struct search_near near[5];
        struct search_failure own;
        uint32_t n;
        make(q % 100, x);
        if (search_vectors_find(c->v, x, 5, 0, NULL, near, &n, &own) != CELL_OK || n != 5 || near[0].id != q % 100)
            abort();
        atomic_fetch_add(&c->found, 1);
    }
    return NULL;
}

TEST(questions_are_answered_while_the_graph_changes)
{
    struct crowd c = {.v = filled(&cosine, 0, 200)};
    pthread_t threads[3];
    float x[DIMENSIONS];

    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&threads[i], NULL, ask, &c) == 0);
    for (uint64_t id = 1000; id < 2500 || atomic_load(&c.found) < 100; id++) {
        make(id, x);
        CHECK(search_vectors_put(c.v, id, x, &f) == CELL_OK);
        if (id % 2)
            search_vectors_delete(c.v, id - 1);
    }
    atomic_store(&c.stop, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    search_vectors_free(c.v);
}

/* A graph loses the ways to some of its points when they come and go for long. */
TEST(among_few_each_is_found_after_many_changes)
{
    static const struct search_vectors_options plane = {.dimensions = 4, .metric = SEARCH_L2};

    for (unsigned round = 0; round < 20; round++) {
        struct search_vectors *v = filled(&plane, 0, 0);
        uint64_t ids[120] = {0}, next = 1;
        float x[120][4];
        seed = round + 1;
        for (unsigned i = 0; i < 3000; i++) {
            unsigned k = below(120);
            if (ids[k] && below(4) == 0) {
                search_vectors_delete(v, ids[k]);
                ids[k] = 0;
                continue;
            }
            ids[k] = ids[k] ? ids[k] : next++;
            for (int d = 0; d < 4; d++)
                x[k][d] = (float)below(1000000) / 1000;
            CHECK(search_vectors_put(v, ids[k], x[k], &f) == CELL_OK);
        }
        for (unsigned k = 0; k < 120; k++) {
            struct search_near near;
            uint32_t n;
            CHECK(!ids[k] ||
                  (search_vectors_find(v, x[k], 1, 0, NULL, &near, &n, &f) == CELL_OK && n == 1 && near.id == ids[k]));
        }
        search_vectors_free(v);
    }
}
