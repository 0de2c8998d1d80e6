/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Which store it is: who has a position of another one has none of this. A store that was run lazily when the system
 * went down may have lost changes that somebody has seen, and gives their numbers to others: it is another store then.
 * So the key "lazy" in `meta` has the boot of the system in which it is run so, as long as it is.
 */
#include <stdio.h>

#include "engine_impl.h"

static MDB_val text_val(const char *text) { return (MDB_val){strlen(text), (void *)(uintptr_t)text}; }

/* What of the system is the same until it starts again. Not known: something that nobody else says. */
static int read_boot(const struct st_engine *e, char boot[64], struct st_failure *f)
{
    FILE *file = e->options.boot ? NULL : fopen("/proc/sys/kernel/random/boot_id", "re");
    bool known = e->options.boot != NULL || (file && fscanf(file, "%63s", boot) == 1);

    if (file)
        fclose(file);
    if (e->options.boot)
        snprintf(boot, 64, "%s", e->options.boot);
    if (!known && st_random_token(boot) < 0)
        return st_fail(f, CELL_INTERNAL, "there are no random numbers");
    return CELL_OK;
}

static int make_identity(struct st_engine *e, MDB_txn *txn, struct st_failure *f)
{
    MDB_val format = text_val("format"), store = text_val("store"), value = text_val(ST_FORMAT);

    if (st_random_token(e->identity) < 0)
        return st_fail(f, CELL_INTERNAL, "there are no random numbers");
    int rc = mdb_put(txn, e->meta, &format, &value, 0);
    value = (MDB_val){ST_TOKEN_SIZE - 1, e->identity};
    if (rc == 0)
        rc = mdb_put(txn, e->meta, &store, &value, 0);
    return st_fail_mdb(e, f, rc, "making the store");
}

static int look_at_boot(struct st_engine *e, MDB_txn *txn, struct st_failure *f)
{
    char boot[64];
    MDB_val lazy = text_val("lazy"), value;
    int r = read_boot(e, boot, f), rc = r < 0 ? 0 : mdb_get(txn, e->meta, &lazy, &value);
    bool was = r >= 0 && rc == 0;
    bool lost = was && (value.mv_size != strlen(boot) || memcmp(value.mv_data, boot, value.mv_size) != 0);

    if (r >= 0 && rc != 0 && rc != MDB_NOTFOUND)
        r = st_fail_mdb(e, f, rc, "opening the store");
    if (r >= 0 && lost)
        r = make_identity(e, txn, f);
    value = text_val(boot);
    rc = 0;
    if (r >= 0 && e->options.lazy && (!was || lost))
        rc = mdb_put(txn, e->meta, &lazy, &value, 0);
    else if (r >= 0 && !e->options.lazy && was) /* what was written so far is synced before this is */
        rc = mdb_del(txn, e->meta, &lazy, NULL);
    return r < 0 ? r : st_fail_mdb(e, f, rc, "opening the store");
}

int st_identity_read(struct st_engine *e, MDB_txn *txn, struct st_failure *f)
{
    MDB_val format = text_val("format"), store = text_val("store"), value;
    int r = CELL_OK, rc = mdb_get(txn, e->meta, &format, &value);

    if (rc == MDB_NOTFOUND) {
        r = make_identity(e, txn, f);
        return r < 0 ? r : look_at_boot(e, txn, f);
    }
    if (rc == 0 && (value.mv_size != strlen(ST_FORMAT) || memcmp(value.mv_data, ST_FORMAT, value.mv_size) != 0))
        return st_fail(f, CELL_DATA_LOSS, "the store was written by another version of this cell");
    if (rc == 0)
        rc = mdb_get(txn, e->meta, &store, &value);
    if (rc == 0 && value.mv_size != ST_TOKEN_SIZE - 1)
        rc = MDB_INVALID;
    if (rc == 0)
        memcpy(e->identity, value.mv_data, ST_TOKEN_SIZE - 1);
    r = st_fail_mdb(e, f, rc, "opening the store");
    return r < 0 ? r : look_at_boot(e, txn, f);
}

/* Nobody is left to be told when it fails: then it is another store the next time, which costs time. */
void st_identity_settle(struct st_engine *e)
{
    MDB_txn *txn = NULL;
    MDB_val lazy = text_val("lazy");

    if (mdb_env_sync(e->env, 1) != 0 || mdb_txn_begin(e->env, NULL, 0, &txn) != 0)
        return;
    if (mdb_del(txn, e->meta, &lazy, NULL) != 0)
        mdb_txn_abort(txn);
    else if (mdb_txn_commit(txn) == 0)
        mdb_env_sync(e->env, 1);
}
