/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Puts and deletes within a write transaction: the record, its places in the indexes, and the change in the feed. */
#include "engine_impl.h"

/* How a record's place in one index changes. */
struct place {
    struct st_buffer before, after; /* empty: it has none */
    bool same;
};

struct applying {
    struct st_engine *e;
    MDB_txn *txn;
    struct st_collection *c;
    const struct st_schema *schema;
    struct st_write *w;
    struct st_bytes old; /* body; in the map, so good until something is written */
    uint64_t old_version;
    struct st_buffer merged, only;
    struct place places[ST_MOST_INDEXES];
    bool *dirty;
    struct st_failure *f;
};

void st_touch(struct st_collection *c)
{
    if (c->touched)
        return;
    pthread_mutex_lock(&c->engine->lock);
    c->work = c->stat;
    pthread_mutex_unlock(&c->engine->lock);
    c->added = 0;
    c->touched = true;
}

int st_index_key(const struct st_index *index, struct st_bytes body, struct st_bytes record_key, struct st_buffer *key,
                 struct st_failure *f)
{
    bool absent = false;

    st_key_begin(key, index->space);
    int r = st_key_of(body, index->fields, index->n, true, key, &absent, f);
    /* What is absent is equal to nothing, so that there may be many. */
    if (r >= 0 && (!index->unique || absent))
        st_put(key, record_key.p + 4, record_key.n - 4);
    if (r >= 0 && key->failed)
        return st_fail(f, CELL_NO_MEMORY, "out of memory");
    if (r >= 0 && key->len > ST_MOST_KEY)
        return st_fail(f, CELL_TOO_LARGE, "the values of index '%s' and the key have more than %d bytes together",
                       index->name, ST_MOST_KEY - 8);
    return r;
}

int st_key_body(const struct st_schema *schema, struct st_bytes body, struct st_buffer *only, struct st_failure *f)
{
    struct st_item item;
    int r;

    while ((r = st_body_next(&body, &item)) > 0)
        for (uint32_t i = 0; i < schema->nkey; i++)
            if (schema->key[i]->id == item.id)
                st_put(only, item.whole.p, item.whole.n);
    if (r < 0)
        return st_fail(f, r, "a stored record is damaged");
    return only->failed ? st_fail(f, CELL_NO_MEMORY, "out of memory") : CELL_OK;
}

static int look(struct applying *a)
{
    MDB_val key = st_val(a->w->key), value;
    int rc = mdb_get(a->txn, a->e->data, &key, &value);

    a->w->existed = rc == 0;
    if (rc == MDB_NOTFOUND)
        return CELL_OK;
    if (rc == 0 && value.mv_size < 8)
        rc = MDB_INVALID;
    if (rc != 0)
        return st_fail_mdb(a->e, a->f, rc, "reading a record");
    a->old_version = st_load64(value.mv_data);
    a->old = (struct st_bytes){(const uint8_t *)value.mv_data + 8, value.mv_size - 8};
    return CELL_OK;
}

static int check(struct applying *a)
{
    const struct st_write *w = a->w;

    if (!w->existed && (w->kind == ST_DELETE || (w->check && w->expected != 0)))
        return st_fail(a->f, CELL_NOT_FOUND, "there is no such record in '%s'", a->c->name);
    if (!w->check || (w->existed ? w->expected == a->old_version : w->expected == 0))
        return CELL_OK;
    if (w->expected == 0 && w->kind == ST_PUT)
        return st_fail(a->f, CELL_ALREADY_EXISTS, "there is such a record in '%s' already", a->c->name);
    return st_fail(a->f, CELL_ABORTED, "the record has version %llu, not %llu any more",
                   (unsigned long long)a->old_version, (unsigned long long)w->expected);
}

static bool is_live(const struct st_schema *schema, uint32_t id)
{
    for (uint32_t i = 0; i < schema->record.n; i++)
        if (schema->record.fields[i].id == id)
            return true;
    return false;
}

/* A program that does not know a field has no opinion about it. */
static int merge(struct applying *a)
{
    struct st_write *w = a->w;
    struct st_bytes rest = a->old;
    struct st_item item;
    int r;

    if (w->kind != ST_PUT || !w->existed || !w->codec)
        return CELL_OK;
    st_put(&a->merged, w->body.p, w->body.n);
    while ((r = st_body_next(&rest, &item)) > 0)
        if (!st_codec_knows(w->codec, item.id) && is_live(a->schema, item.id))
            st_put(&a->merged, item.whole.p, item.whole.n);
    if (r < 0)
        return st_fail(a->f, r, "a stored record is damaged");
    if (a->merged.failed)
        return st_fail(a->f, CELL_NO_MEMORY, "out of memory");
    w->body = st_bytes_of(&a->merged);
    return CELL_OK;
}

static int is_free(struct applying *a, const struct st_index *index, const struct st_buffer *key)
{
    MDB_val at = st_val(st_bytes_of(key)), owner;
    int rc = mdb_get(a->txn, a->e->data, &at, &owner);

    if (rc == MDB_NOTFOUND)
        return CELL_OK;
    if (rc == 0 && st_compare(st_of_val(owner), a->w->key) != 0)
        return st_fail(a->f, CELL_ALREADY_EXISTS, "another record in '%s' has the same %s", a->c->name, index->name);
    return st_fail_mdb(a->e, a->f, rc, "reading an index");
}

/* Where the record was and will be in the indexes; nothing is written yet. */
static int find_places(struct applying *a)
{
    int r = CELL_OK;

    for (uint32_t i = 0; r >= 0 && i < a->schema->nindexes; i++) {
        const struct st_index *index = &a->schema->indexes[i];
        struct place *p = &a->places[i];
        if (index->state == ST_INDEX_FAILED)
            continue;
        if (a->w->existed)
            r = st_index_key(index, a->old, a->w->key, &p->before, a->f);
        if (r >= 0 && a->w->kind == ST_PUT)
            r = st_index_key(index, a->w->body, a->w->key, &p->after, a->f);
        p->same = p->before.len > 0 && st_compare(st_bytes_of(&p->before), st_bytes_of(&p->after)) == 0;
        if (r >= 0 && index->unique && p->after.len > 0 && !p->same)
            r = is_free(a, index, &p->after);
    }
    return r;
}

/* In an index that is being built the old place may be missing, and one that stays too. */
static int move_place(struct applying *a, const struct st_index *index, const struct place *p)
{
    MDB_val before = st_val(st_bytes_of(&p->before)), after = st_val(st_bytes_of(&p->after));
    MDB_val owner = st_val(a->w->key);
    int rc = 0;

    if (p->same && index->state == ST_INDEX_READY)
        return CELL_OK;
    if (p->before.len > 0 && !p->same)
        rc = mdb_del(a->txn, a->e->data, &before, NULL);
    if (rc == MDB_NOTFOUND && index->state == ST_INDEX_BUILDING)
        rc = 0;
    if (rc == 0 && p->after.len > 0)
        rc = mdb_put(a->txn, a->e->data, &after, &owner, 0);
    return st_fail_mdb(a->e, a->f, rc, "writing an index");
}

static int write_record(struct applying *a)
{
    MDB_val key = st_val(a->w->key), value = {a->w->body.n + 8, NULL};
    int rc;

    if (a->w->kind == ST_DELETE) {
        rc = mdb_del(a->txn, a->e->data, &key, NULL);
        a->c->work.count--;
        return st_fail_mdb(a->e, a->f, rc, "deleting a record");
    }
    rc = mdb_put(a->txn, a->e->data, &key, &value, MDB_RESERVE);
    if (rc != 0)
        return st_fail_mdb(a->e, a->f, rc, "writing a record");
    st_store64(value.mv_data, a->w->version);
    if (a->w->body.n > 0)
        memcpy((uint8_t *)value.mv_data + 8, a->w->body.p, a->w->body.n);
    a->c->work.count += !a->w->existed;
    return CELL_OK;
}

static int apply_one(struct applying *a)
{
    struct st_bytes body = a->w->body;
    int r = look(a);

    if (r >= 0)
        r = check(a);
    if (r >= 0)
        r = merge(a);
    if (r >= 0)
        r = find_places(a);
    if (r >= 0 && a->w->kind == ST_DELETE)
        r = st_key_body(a->schema, a->old, &a->only, a->f);
    if (r < 0) {
        a->w->body = body;
        return r;
    }
    *a->dirty = true;
    for (uint32_t i = 0; r >= 0 && i < a->schema->nindexes; i++)
        if (a->schema->indexes[i].state != ST_INDEX_FAILED)
            r = move_place(a, &a->schema->indexes[i], &a->places[i]);
    a->w->version = a->c->work.last + 1;
    if (r >= 0)
        r = write_record(a);
    if (r >= 0)
        r = st_feed_append(a->e, a->txn, a->c, a->w->kind == ST_PUT ? ST_CHANGE_PUT : ST_CHANGE_DELETE,
                           a->w->kind == ST_PUT ? a->w->body : st_bytes_of(&a->only), a->f);
    a->w->body = body;
    return r;
}

/* Between two records the memory of buffers is kept. */
static void begin_next(struct applying *a, struct st_write *w)
{
    a->w = w;
    a->old = (struct st_bytes){0};
    a->old_version = 0;
    a->merged.len = a->only.len = 0;
    for (uint32_t i = 0; i < a->schema->nindexes; i++) {
        a->places[i].before.len = a->places[i].after.len = 0;
        a->places[i].same = false;
    }
}

int st_apply_writes(struct st_engine *e, MDB_txn *txn, struct st_collection *c, struct st_write *writes, uint32_t n,
                    bool *dirty, struct st_failure *f)
{
    /* Only who writes changes the schema. */
    struct applying a = {.e = e, .txn = txn, .c = c, .schema = c->schema, .dirty = dirty, .f = f};
    int r = CELL_OK;

    st_touch(c);
    for (uint32_t i = 0; r >= 0 && i < n; i++) {
        begin_next(&a, &writes[i]);
        r = apply_one(&a);
    }
    for (uint32_t i = 0; i < a.schema->nindexes; i++) {
        st_buffer_free(&a.places[i].before);
        st_buffer_free(&a.places[i].after);
    }
    st_buffer_free(&a.merged);
    st_buffer_free(&a.only);
    return r;
}
