/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Vectors as they are stored, locks, and files with sums. The graph itself is vectors.cpp's. */
#include "vectors.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "vectors_graph.h"

#define LINKS 16
#define BREADTH 200
/* Kept on the way when nothing is said: enough for a recall of 0.95 at a hundred thousand vectors that are alike. */
#define LEAST_BREADTH 100
#define MOST_THREADS 64
#define LEAST_OF_THREAD 4 /* vectors: with fewer it is not worth one */
#define OF_THREAD 16      /* vectors, while those who search wait: some ten milliseconds */
#define PIECE (size_t)(1 << 20)

struct search_vectors {
    struct search_vectors_options options;
    size_t size; /* bytes of a vector as it is stored */
    struct search_graph *graph;
    pthread_rwlock_t lock;
};

static int check_options(struct search_vectors_options *o, struct search_failure *f)
{
    if (o->dimensions == 0 || o->dimensions > SEARCH_MOST_DIMENSIONS)
        return search_fail(f, CELL_INVALID_ARGUMENT, "a vector has 1 to %d dimensions", SEARCH_MOST_DIMENSIONS);
    if (o->bytes && o->metric != SEARCH_COSINE)
        return search_fail(f, CELL_INVALID_ARGUMENT, "vectors of bytes are compared by the cosine");
    o->links = o->links ? o->links : LINKS;
    o->breadth = o->breadth ? o->breadth : BREADTH;
    if (o->links < 2 || o->links > 100)
        return search_fail(f, CELL_INVALID_ARGUMENT, "a vector has 2 to 100 links");
    return CELL_OK;
}

/* Who changes the graph is not kept waiting for ever by those who ask, one after the other. */
static int init_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t a;

    pthread_rwlockattr_init(&a);
    pthread_rwlockattr_setkind_np(&a, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    int r = pthread_rwlock_init(lock, &a);
    pthread_rwlockattr_destroy(&a);
    return r;
}

/* With a graph that is still to come. */
static int prepare(const struct search_vectors_options *options, struct search_vectors **vectors,
                   struct search_failure *f)
{
    struct search_vectors_options checked = *options;
    int r = check_options(&checked, f);

    if (r < 0)
        return r;
    struct search_vectors *v = calloc(1, sizeof(*v));
    if (!v || init_lock(&v->lock) != 0) {
        free(v);
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    v->options = checked;
    v->size = checked.dimensions * (checked.bytes ? 1 : sizeof(float));
    *vectors = v;
    return CELL_OK;
}

int search_vectors_new(const struct search_vectors_options *options, struct search_vectors **vectors,
                       struct search_failure *f)
{
    struct search_vectors *v;
    int r = prepare(options, &v, f);

    if (r < 0)
        return r;
    v->graph = search_graph_new(&v->options, f);
    if (!v->graph) {
        search_vectors_free(v);
        return CELL_NO_MEMORY;
    }
    *vectors = v;
    return CELL_OK;
}

void search_vectors_free(struct search_vectors *v)
{
    if (!v)
        return;
    search_graph_free(v->graph);
    pthread_rwlock_destroy(&v->lock);
    free(v);
}

/* `vector` as it is stored, into `data`, which is aligned for floats. */
static void store(const struct search_vectors *v, const float *vector, void *data)
{
    float direction[SEARCH_MOST_DIMENSIONS];
    size_t n = v->options.dimensions;

    if (v->options.metric != SEARCH_COSINE) {
        memcpy(data, vector, v->size);
        return;
    }
    search_normalize(vector, v->options.bytes ? direction : data, n);
    if (v->options.bytes)
        search_to_bytes(direction, data, n);
}

int search_vectors_put(struct search_vectors *v, uint64_t id, const float *vector, struct search_failure *f)
{
    float data[SEARCH_MOST_DIMENSIONS];

    store(v, vector, data);
    pthread_rwlock_wrlock(&v->lock);
    int r = search_graph_put(v->graph, data, id, f);
    pthread_rwlock_unlock(&v->lock);
    return r;
}

struct many {
    const struct search_vectors *v;
    const float *vectors;
};

static void store_one(const void *user, size_t i, void *data)
{
    const struct many *m = user;

    store(m->v, m->vectors + i * m->v->options.dimensions, data);
}

/* Threads beside the callers' that put vectors, in all graphs. */
static atomic_uint most_threads, taken;

void search_vectors_threads(unsigned n) { atomic_store(&most_threads, n < MOST_THREADS ? n : MOST_THREADS); }

static unsigned allowed_threads(void)
{
    unsigned n = atomic_load(&most_threads);
    long processors = n > 0 ? 0 : sysconf(_SC_NPROCESSORS_ONLN);

    return n > 0 ? n : processors < 1 ? 1 : processors < MOST_THREADS ? (unsigned)processors : MOST_THREADS;
}

/* How many of `wanted` there are, to be given back. */
static unsigned take_threads(unsigned wanted)
{
    unsigned most = allowed_threads() - 1, now = atomic_load(&taken), n;

    do {
        n = now >= most ? 0 : most - now < wanted ? most - now : wanted;
    } while (!atomic_compare_exchange_weak(&taken, &now, now + n));
    return n;
}

static int put_piece(struct search_vectors *v, const uint64_t *ids, const float *vectors, size_t n, unsigned threads,
                     struct search_failure *f)
{
    const struct many m = {v, vectors};

    pthread_rwlock_wrlock(&v->lock);
    int r = search_graph_put_many(v->graph, ids, n, threads, store_one, &m, f);
    pthread_rwlock_unlock(&v->lock);
    return r;
}

int search_vectors_put_many(struct search_vectors *v, const uint64_t *ids, const float *vectors, size_t n,
                            unsigned threads, struct search_failure *f)
{
    size_t most = n / LEAST_OF_THREAD, piece;
    unsigned wanted = threads == 0 ? MOST_THREADS : threads;
    int r = CELL_OK;

    wanted = most < 1 ? 1 : most < wanted ? (unsigned)most : wanted;
    unsigned others = threads == 0 ? take_threads(wanted - 1) : 0;
    if (threads == 0)
        wanted = others + 1;
    for (size_t at = 0; r >= 0 && at < n; at += piece) {
        piece = n - at < (size_t)wanted * OF_THREAD ? n - at : (size_t)wanted * OF_THREAD;
        r = put_piece(v, ids + at, vectors + at * v->options.dimensions, piece, wanted, f);
    }
    atomic_fetch_sub(&taken, others);
    return r;
}

void search_vectors_delete(struct search_vectors *v, uint64_t id)
{
    pthread_rwlock_wrlock(&v->lock);
    search_graph_delete(v->graph, id);
    pthread_rwlock_unlock(&v->lock);
}

size_t search_vectors_count(struct search_vectors *v)
{
    pthread_rwlock_rdlock(&v->lock);
    size_t n = search_graph_count(v->graph);
    pthread_rwlock_unlock(&v->lock);
    return n;
}

static int find(struct search_vectors *v, const float *vector, uint32_t k, uint32_t breadth, bool exactly,
                const struct search_allowed *allowed, struct search_near *near, uint32_t *n, struct search_failure *f)
{
    float data[SEARCH_MOST_DIMENSIONS];

    *n = 0;
    if (k == 0)
        return CELL_OK;
    store(v, vector, data);
    pthread_rwlock_rdlock(&v->lock);
    int r = search_graph_find(v->graph, data, k, breadth, exactly, allowed, near, n, f);
    pthread_rwlock_unlock(&v->lock);
    return r;
}

int search_vectors_find(struct search_vectors *v, const float *vector, uint32_t k, uint32_t breadth,
                        const struct search_allowed *allowed, struct search_near *near, uint32_t *n,
                        struct search_failure *f)
{
    if (breadth == 0)
        breadth = 2 * k > LEAST_BREADTH ? 2 * k : LEAST_BREADTH;
    return find(v, vector, k, breadth, false, allowed, near, n, f);
}

int search_vectors_find_exactly(struct search_vectors *v, const float *vector, uint32_t k,
                                const struct search_allowed *allowed, struct search_near *near, uint32_t *n,
                                struct search_failure *f)
{
    return find(v, vector, k, k, true, allowed, near, n, f);
}

/* ---- files ---- */

/* The sum over what is read from fd, and over how the vectors in it are to be read. */
static int sum_file(const struct search_vectors *v, int fd, uint64_t *sum)
{
    const uint32_t how[] = {v->options.dimensions, v->options.metric, v->options.bytes, v->options.links};
    uint64_t size = 0;
    ssize_t n;
    uLong crc = crc32(0, (const Bytef *)how, sizeof(how));
    unsigned char *piece = malloc(PIECE);

    if (!piece)
        return -ENOMEM;
    while ((n = read(fd, piece, PIECE)) > 0 || (n < 0 && errno == EINTR)) {
        if (n < 0)
            continue;
        crc = crc32(crc, piece, (uInt)n);
        size += (uint64_t)n;
    }
    int r = n < 0 ? -errno : 0;
    free(piece);
    *sum = size << 32 ^ size >> 32 ^ crc;
    return r;
}

static int sync_and_sum(const struct search_vectors *v, const char *path, uint64_t size, uint64_t *sum)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC), r = fd < 0 ? -errno : 0;

    if (r == 0 && (fsync(fd) != 0 || fstat(fd, &st) != 0))
        r = -errno;
    if (r == 0 && (uint64_t)st.st_size != size)
        r = -ENOSPC; /* nearly always */
    if (r == 0)
        r = sum_file(v, fd, sum);
    if (fd >= 0)
        close(fd);
    return r;
}

int search_vectors_save(struct search_vectors *v, const char *path, uint64_t *sum, struct search_failure *f)
{
    uint64_t size = 0;

    pthread_rwlock_rdlock(&v->lock);
    int r = search_graph_write(v->graph, path, &size, f);
    pthread_rwlock_unlock(&v->lock);
    if (r < 0)
        return r;
    int error = sync_and_sum(v, path, size, sum);
    if (error == 0)
        return CELL_OK;
    return search_fail(f, error == -ENOSPC ? CELL_RESOURCE_EXHAUSTED : CELL_UNAVAILABLE, "writing the graph: %s",
                       strerror(-error));
}

int search_vectors_load(const struct search_vectors_options *options, const char *path, uint64_t sum,
                        struct search_vectors **vectors, struct search_failure *f)
{
    struct search_vectors *v;
    uint64_t is = 0;
    int r = prepare(options, &v, f);

    if (r < 0)
        return r;
    int fd = open(path, O_RDONLY | O_CLOEXEC), error = fd < 0 ? -errno : sum_file(v, fd, &is);
    if (fd >= 0)
        close(fd);
    if (error == -ENOMEM)
        r = search_fail(f, CELL_NO_MEMORY, "out of memory");
    else if (error < 0 || is != sum)
        r = search_fail(f, CELL_DATA_LOSS, "the graph's file is %s", error == -ENOENT ? "not there" : "damaged");
    else if (!(v->graph = search_graph_read(&v->options, path, f)))
        r = f->status;
    if (r < 0) {
        search_vectors_free(v);
        return r;
    }
    *vectors = v;
    return CELL_OK;
}
