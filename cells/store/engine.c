/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_impl.h"

#define MOST_READERS 1024

int st_fail_mdb(struct st_engine *e, struct st_failure *f, int rc, const char *doing)
{
    switch (rc) {
    case MDB_SUCCESS:
        return CELL_OK;
    case MDB_MAP_FULL:
        return st_fail(f, CELL_RESOURCE_EXHAUSTED, "%s: the store has its greatest size, %llu MiB (--max-size)", doing,
                       (unsigned long long)(e->options.max_bytes >> 20));
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return st_fail(f, CELL_RESOURCE_EXHAUSTED, "%s: the disk has no room left for the store", doing);
    case MDB_READERS_FULL:
        return st_fail(f, CELL_RESOURCE_EXHAUSTED, "%s: too many readers at once", doing);
    case MDB_TXN_FULL:
        return st_fail(f, CELL_TOO_LARGE, "%s: it changes too much at once", doing);
    case MDB_BAD_VALSIZE:
        return st_fail(f, CELL_TOO_LARGE, "%s: a key is too long", doing);
    case ENOMEM:
        return st_fail(f, CELL_NO_MEMORY, "out of memory");
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
        return st_fail(f, CELL_DATA_LOSS, "%s: the data file is damaged, or none of a store (%s)", doing,
                       mdb_strerror(rc));
    case MDB_PANIC:
        return st_fail(f, CELL_IO_ERROR, "%s: writing has failed before, so that the cell has to be started again",
                       doing);
    case MDB_NOTFOUND:
        return st_fail(f, CELL_DATA_LOSS, "%s: what should be there is not", doing);
    default:
        return st_fail(f, rc > 0 ? CELL_IO_ERROR : CELL_INTERNAL, "%s: %s", doing, mdb_strerror(rc));
    }
}

int st_random_token(char token[ST_TOKEN_SIZE])
{
    uint8_t bytes[16];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return CELL_INTERNAL;
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    return CELL_OK;
}

const char *st_engine_identity(const struct st_engine *engine) { return engine->identity; }

void st_engine_stamp(struct st_engine *engine, char stamp[ST_TOKEN_SIZE])
{
    pthread_mutex_lock(&engine->lock);
    memcpy(stamp, engine->stamp, ST_TOKEN_SIZE);
    pthread_mutex_unlock(&engine->lock);
}

/* A file that lost its end would end whoever reads there: zeros are a page that LMDB sees to be damaged. One that was
 * never written may be missing in a good file as well. */
static int lengthen(struct st_engine *e)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct stat st;
    int fd = -1, rc = mdb_env_info(e->env, &info);

    if (rc == 0)
        rc = mdb_env_stat(e->env, &stat);
    if (rc == 0)
        rc = mdb_env_get_fd(e->env, &fd);
    if (rc != 0 || fstat(fd, &st) < 0)
        return rc ? rc : errno;
    off_t size = (off_t)((info.me_last_pgno + 1) * stat.ms_psize);
    return st.st_size >= size || ftruncate(fd, size) == 0 ? 0 : errno;
}

static int open_env(struct st_engine *e, const char *path, unsigned flags, struct st_failure *f)
{
    int rc = mdb_env_create(&e->env);

    if (rc == 0)
        rc = mdb_env_set_maxdbs(e->env, 3);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(e->env, MOST_READERS);
    if (rc == 0)
        rc = mdb_env_set_mapsize(e->env, e->options.max_bytes);
    /* Transactions of readers go from thread to thread; pages far from each other need no read-ahead. */
    if (rc == 0)
        rc = mdb_env_open(e->env, path, MDB_NOTLS | MDB_NORDAHEAD | flags, 0600);
    if (rc == 0)
        rc = lengthen(e);
    return st_fail_mdb(e, f, rc, "opening the store");
}

static int open_tables(struct st_engine *e, struct st_failure *f)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(e->env, NULL, 0, &txn);

    if (rc == 0)
        rc = mdb_dbi_open(txn, "meta", MDB_CREATE, &e->meta);
    if (rc == 0)
        rc = mdb_dbi_open(txn, "data", MDB_CREATE, &e->data);
    if (rc == 0)
        rc = mdb_dbi_open(txn, "feed", MDB_CREATE, &e->feed);
    int r = st_fail_mdb(e, f, rc, "opening the store");
    if (r >= 0)
        r = st_identity_read(e, txn, f);
    if (r >= 0)
        r = st_catalog_load(e, txn, f);
    if (r < 0) {
        mdb_txn_abort(txn);
        return r;
    }
    return st_fail_mdb(e, f, mdb_txn_commit(txn), "opening the store");
}

/* LMDB begins a file with what it does not sync: one that the power has failed in would be no store any more. So it is
 * made under another name. */
static int make_data(struct st_engine *e, struct st_failure *f)
{
    char path[PATH_MAX];

    st_folder_new_file(e, path);
    int r = open_env(e, path, MDB_NOSUBDIR, f);
    if (r >= 0)
        r = open_tables(e, f);
    if (e->env)
        mdb_env_close(e->env);
    e->env = NULL;
    return r < 0 ? r : st_folder_keep_new_file(e, f);
}

static int open_data(struct st_engine *e, struct st_failure *f)
{
    int r = st_folder_lock(e, f);

    if (r >= 0 && !st_folder_has_data(e))
        r = make_data(e, f);
    if (r >= 0)
        r = open_env(e, e->options.path, e->options.lazy ? MDB_NOMETASYNC : 0u, f);
    if (r >= 0)
        r = open_tables(e, f);
    if (r >= 0)
        st_readers_go_on(e); /* nobody else has the engine yet */
    if (r >= 0 && e->options.lazy) {
        r = st_engine_sync(e, f); /* that it is run so, before anything else is written */
        e->settles = r >= 0;
    }
    return r < 0 ? r : st_folder_sync(e, f);
}

static void set_defaults(struct st_engine_options *o)
{
    o->max_bytes = o->max_bytes ? o->max_bytes : UINT64_C(64) << 30;
    o->sync_ms = o->sync_ms ? o->sync_ms : 1000;
    o->most_lease_ms = o->most_lease_ms ? o->most_lease_ms : 600000;
    o->most_snapshots = o->most_snapshots ? o->most_snapshots : 32;
    o->pause_ms = o->pause_ms ? o->pause_ms : 500;
}

static void init_monotonic(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

int st_engine_open(const struct st_engine_options *options, struct st_engine **engine, struct st_failure *f)
{
    struct st_engine *e = calloc(1, sizeof(*e));

    if (!e)
        return st_fail(f, CELL_NO_MEMORY, "out of memory");
    e->options = *options;
    set_defaults(&e->options);
    e->lock_file = -1;
    e->last = &e->first;
    pthread_mutex_init(&e->lock, NULL);
    pthread_mutex_init(&e->catalog, NULL);
    init_monotonic(&e->changed);
    init_monotonic(&e->work);
    init_monotonic(&e->rest);
    int r = CELL_OK;
    if (e->options.cache_bytes && !(e->cache = st_cache_new(e->options.cache_bytes)))
        r = st_fail(f, CELL_NO_MEMORY, "there is no memory for a cache of %llu bytes",
                    (unsigned long long)e->options.cache_bytes);
    if (r >= 0)
        r = open_data(e, f);
    if (r >= 0)
        r = st_background_start(e, f);
    if (r < 0) {
        st_engine_close(e);
        return r;
    }
    *engine = e;
    return CELL_OK;
}

void st_engine_close(struct st_engine *engine)
{
    struct st_engine *e = engine;

    if (!e)
        return;
    st_background_stop(e);
    st_snapshots_free(e);
    for (uint32_t i = 0; i < e->nidle; i++)
        mdb_txn_abort(e->idle[i].txn);
    for (size_t i = 0; i < e->ncollections; i++) {
        st_schema_unref(e->collections[i]->schema);
        st_schema_unref(e->collections[i]->first);
        free(e->collections[i]);
    }
    free(e->collections);
    if (e->settles)
        st_identity_settle(e);
    if (e->env)
        mdb_env_close(e->env);
    if (e->lock_file >= 0)
        close(e->lock_file);
    st_cache_free(e->cache);
    pthread_cond_destroy(&e->rest);
    pthread_cond_destroy(&e->work);
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->catalog);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

int st_engine_sync(struct st_engine *engine, struct st_failure *f)
{
    return st_fail_mdb(engine, f, mdb_env_sync(engine->env, 1), "writing to the disk");
}
