/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Which collections there are. In `meta`: "c:" and a name → the document; 's' and a space → how many records and
 * changes; 'g' and a space → it is to be emptied; "spaces" → how many have been given.
 */
#include <stdio.h>

#include "engine_impl.h"

void st_meta_key(uint8_t key[5], char kind, uint32_t space)
{
    key[0] = (uint8_t)kind;
    for (int i = 0; i < 4; i++)
        key[1 + i] = (uint8_t)(space >> (24 - 8 * i));
}

int st_stat_read(struct st_engine *e, MDB_txn *txn, uint32_t space, struct st_stat *stat, struct st_failure *f)
{
    uint8_t name[5];
    MDB_val key = {sizeof(name), name}, value;

    st_meta_key(name, 's', space);
    int rc = mdb_get(txn, e->meta, &key, &value);
    if (rc == MDB_NOTFOUND) { /* made later than the snapshot that looks */
        *stat = (struct st_stat){.first = 1};
        return CELL_OK;
    }
    if (rc == 0 && value.mv_size != 40)
        rc = MDB_INVALID;
    if (rc != 0)
        return st_fail_mdb(e, f, rc, "reading the catalog");
    const uint8_t *at = value.mv_data;
    *stat =
        (struct st_stat){st_load64(at), st_load64(at + 8), st_load64(at + 16), st_load64(at + 24), st_load64(at + 32)};
    return CELL_OK;
}

int st_stat_write(struct st_engine *e, MDB_txn *txn, uint32_t space, const struct st_stat *stat, struct st_failure *f)
{
    uint8_t name[5], bytes[40];
    MDB_val key = {sizeof(name), name}, value = {sizeof(bytes), bytes};

    st_meta_key(name, 's', space);
    st_store64(bytes, stat->count);
    st_store64(bytes + 8, stat->last);
    st_store64(bytes + 16, stat->first);
    st_store64(bytes + 24, stat->feed_bytes);
    st_store64(bytes + 32, stat->thinned);
    return st_fail_mdb(e, f, mdb_put(txn, e->meta, &key, &value, 0), "writing");
}

static struct st_collection *find(struct st_engine *e, const char *name)
{
    for (size_t i = 0; i < e->ncollections; i++)
        if (strcmp(e->collections[i]->name, name) == 0)
            return e->collections[i];
    return NULL;
}

/* Room for one more, so that nothing can fail once it is on the disk. With the lock, by who writes. */
static int make_room(struct st_engine *e, struct st_failure *f)
{
    if (e->ncollections < e->room)
        return CELL_OK;
    size_t room = e->room ? 2 * e->room : 16;
    struct st_collection **more = realloc(e->collections, room * sizeof(struct st_collection *));
    if (!more)
        return st_fail(f, CELL_NO_MEMORY, "out of memory");
    e->collections = more;
    e->room = room;
    return CELL_OK;
}

static struct st_collection *collection_new(struct st_engine *e, struct st_schema *schema)
{
    struct st_collection *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->engine = e;
    c->first = st_schema_ref(schema);
    c->schema = schema;
    c->name = schema->name;
    c->space = schema->space;
    c->stat.first = 1;
    return c;
}

/* What is told by the text of a document; takes nothing over. */
static int load_one(struct st_engine *e, MDB_txn *txn, MDB_val text, struct st_failure *f)
{
    json_t *document = json_loadb(text.mv_data, text.mv_size, JSON_REJECT_DUPLICATES, NULL);
    struct st_schema *schema = NULL;
    struct st_collection *c = NULL;
    int r = st_schema_read(document, &schema, f);

    json_decref(document);
    if (r >= 0)
        r = make_room(e, f);
    if (r >= 0 && !(c = collection_new(e, schema)))
        r = st_fail(f, CELL_NO_MEMORY, "out of memory");
    if (r < 0) {
        st_schema_unref(schema);
        return r;
    }
    e->collections[e->ncollections++] = c;
    return st_stat_read(e, txn, c->space, &c->stat, f);
}

int st_catalog_load(struct st_engine *e, MDB_txn *txn, struct st_failure *f)
{
    MDB_cursor *cursor = NULL;
    MDB_val key = {2, "c:"}, value;
    int rc = mdb_cursor_open(txn, e->meta, &cursor), r = CELL_OK;

    if (rc == 0)
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && r >= 0 && key.mv_size > 2 && memcmp(key.mv_data, "c:", 2) == 0) {
        r = load_one(e, txn, value, f);
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (cursor)
        mdb_cursor_close(cursor);
    return r < 0 || rc == MDB_NOTFOUND ? r : st_fail_mdb(e, f, rc, "reading the catalog");
}

struct st_collection *st_collection_find(struct st_engine *engine, const char *name)
{
    pthread_mutex_lock(&engine->lock);
    struct st_collection *c = find(engine, name);
    pthread_mutex_unlock(&engine->lock);
    return c;
}

struct st_collection *st_collection_at(struct st_engine *engine, size_t i)
{
    pthread_mutex_lock(&engine->lock);
    struct st_collection *c = i < engine->ncollections ? engine->collections[i] : NULL;
    pthread_mutex_unlock(&engine->lock);
    return c;
}

struct st_schema *st_collection_schema(struct st_collection *collection)
{
    pthread_mutex_lock(&collection->engine->lock);
    struct st_schema *schema = st_schema_ref(collection->schema);
    pthread_mutex_unlock(&collection->engine->lock);
    return schema;
}

uint32_t st_collection_space(const struct st_collection *collection) { return collection->space; }

void st_catalog_lock(struct st_engine *engine) { pthread_mutex_lock(&engine->catalog); }
void st_catalog_unlock(struct st_engine *engine) { pthread_mutex_unlock(&engine->catalog); }

static int document_key(const char *name, char text[ST_MOST_NAME + 3], MDB_val *key)
{
    int n = snprintf(text, ST_MOST_NAME + 3, "c:%s", name);

    *key = (MDB_val){(size_t)n, text};
    return n > 2 && n < ST_MOST_NAME + 3 ? CELL_OK : CELL_INVALID_ARGUMENT;
}

json_t *st_catalog_get(struct st_engine *engine, const char *name)
{
    char text[ST_MOST_NAME + 3];
    MDB_val key, value;
    struct st_view view;
    json_t *document = NULL;

    if (document_key(name, text, &key) < 0 || st_view_begin(engine, NULL, &view, NULL) < 0)
        return NULL;
    if (mdb_get(view.txn, engine->meta, &key, &value) == 0)
        document = json_loadb(value.mv_data, value.mv_size, JSON_REJECT_DUPLICATES, NULL);
    st_view_end(&view);
    return document;
}

/* One document that is being put. */
struct putting {
    json_t *document;
    struct st_schema *schema, *before; /* before: NULL when it is new; borrowed, for the catalog is locked */
    struct st_collection *collection;
};

static int give_space(struct st_engine *e, MDB_txn *txn, json_t *of, struct st_failure *f)
{
    MDB_val key = {6, "spaces"}, value;
    uint8_t bytes[8];
    uint64_t n = 0;

    if (json_integer_value(json_object_get(of, "space")) != 0)
        return CELL_OK;
    int rc = mdb_get(txn, e->meta, &key, &value);
    if (rc == 0 && value.mv_size == 8)
        n = st_load64(value.mv_data);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return st_fail_mdb(e, f, rc, "reading the catalog");
    if (++n >= INT32_MAX)
        return st_fail(f, CELL_RESOURCE_EXHAUSTED, "too many collections and indexes were made");
    st_store64(bytes, n);
    value = (MDB_val){8, bytes};
    json_object_set_new(of, "space", json_integer((json_int_t)n));
    return st_fail_mdb(e, f, mdb_put(txn, e->meta, &key, &value, 0), "writing the catalog");
}

static int mark_garbage(struct st_engine *e, MDB_txn *txn, const struct putting *p, struct st_failure *f)
{
    int rc = 0;

    for (uint32_t i = 0; p->before && rc == 0 && i < p->before->nindexes; i++) {
        uint8_t name[5];
        MDB_val key = {sizeof(name), name}, value = {0, NULL};
        bool kept = false;
        for (uint32_t k = 0; k < p->schema->nindexes; k++)
            kept = kept || p->schema->indexes[k].space == p->before->indexes[i].space;
        st_meta_key(name, 'g', p->before->indexes[i].space);
        if (!kept)
            rc = mdb_put(txn, e->meta, &key, &value, 0);
    }
    return st_fail_mdb(e, f, rc, "writing the catalog");
}

static int put_document(struct st_engine *e, MDB_txn *txn, struct putting *p, struct st_failure *f)
{
    char name[ST_MOST_NAME + 3];
    MDB_val key, value;
    char *text = json_dumps(p->document, JSON_COMPACT | JSON_SORT_KEYS);

    if (!text)
        return st_fail(f, CELL_NO_MEMORY, "out of memory");
    value = (MDB_val){strlen(text), text};
    int r = document_key(p->schema->name, name, &key);
    if (r >= 0)
        r = st_fail_mdb(e, f, mdb_put(txn, e->meta, &key, &value, 0), "writing the catalog");
    free(text);
    const struct st_stat nothing = {.first = 1};
    if (r >= 0 && !p->before)
        r = st_stat_write(e, txn, p->schema->space, &nothing, f);
    return r < 0 ? r : mark_garbage(e, txn, p, f);
}

static int write_document(struct st_engine *e, MDB_txn *txn, void *user, struct st_failure *f)
{
    struct putting *p = user;
    json_t *index;
    size_t i;

    pthread_mutex_lock(&e->lock);
    int r = make_room(e, f);
    pthread_mutex_unlock(&e->lock);
    if (r >= 0)
        r = give_space(e, txn, p->document, f);
    json_array_foreach(json_object_get(p->document, "indexes"), i, index) if (r >= 0) r = give_space(e, txn, index, f);
    if (r >= 0) { /* it may come here twice */
        st_schema_unref(p->schema);
        p->schema = NULL;
        r = st_schema_read(p->document, &p->schema, f);
    }
    if (r >= 0 && !p->before && !p->collection) {
        p->collection = collection_new(e, p->schema);
        r = p->collection ? r : st_fail(f, CELL_NO_MEMORY, "out of memory");
    } else if (r >= 0 && !p->before) {
        st_schema_unref(p->collection->first);
        p->collection->first = st_schema_ref(p->schema);
        p->collection->schema = p->schema;
        p->collection->name = p->schema->name;
        p->collection->space = p->schema->space;
    }
    return r < 0 ? r : put_document(e, txn, p, f);
}

/* It is on the disk, and nobody writes yet: from here on it holds. */
static void show_document(struct st_engine *e, void *user)
{
    struct putting *p = user;

    pthread_mutex_lock(&e->lock);
    if (p->before) {
        p->collection->schema = p->schema;
        st_schema_unref(p->before);
    } else {
        e->collections[e->ncollections++] = p->collection;
    }
    p->schema = NULL;
    p->collection = NULL;
    e->generation++;
    st_background_wake(e);
    pthread_mutex_unlock(&e->lock);
}

int st_catalog_put(struct st_engine *engine, json_t *document, struct st_failure *f)
{
    struct st_engine *e = engine;
    struct putting p = {.document = document};
    const char *name = json_string_value(json_object_get(document, "name"));

    pthread_mutex_lock(&e->lock);
    p.collection = name ? find(e, name) : NULL;
    p.before = p.collection ? p.collection->schema : NULL;
    pthread_mutex_unlock(&e->lock);
    int r = st_engine_work(e, write_document, show_document, &p, f);
    if (r < 0) {
        if (p.collection && !p.before) {
            st_schema_unref(p.collection->first);
            free(p.collection);
        }
        st_schema_unref(p.schema);
    }
    return r;
}
