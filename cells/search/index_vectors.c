/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Vectors of documents. They are in the file with everything else; the graphs are in memory, and follow:
 *
 *   vectors(id, "f_NAME"…)     floats as they lie in memory; NULL where a document has none
 *   vector_changes(seq, id)    which documents changed, in order
 *   meta "graph_NAME"          "SEQ SUM": the file PATH.NAME.SEQ.graph is the graph after that change
 *
 * A graph is read from its file if that is what it was, and brought forward by the changes since; else it is built from
 * the vectors. So a file that is lost or torn costs time, and nothing else.
 */
#include "index_impl.h"

#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_AT_ONCE 4096            /* documents whose vectors are put together */
#define MOST_PILE (size_t)(16 << 20) /* bytes of them */

char *index_vector_tables(const struct search_index *x)
{
    if (x->nvectors == 0)
        return sqlite3_mprintf("");
    char *columns = index_list_columns(x, index_is_vector, true);
    char *sql = columns
                    ? sqlite3_mprintf("CREATE TABLE vectors(id INTEGER PRIMARY KEY%s);"
                                      "CREATE TABLE vector_changes(seq INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER);",
                                      columns)
                    : NULL;

    sqlite3_free(columns);
    return sql;
}

/* ---- the tables ---- */

static int fail_writing(struct search_index *x, struct search_failure *f)
{
    return index_fail(x->db, f, "writing the index");
}

static int run(struct search_index *x, sqlite3_stmt *s, struct search_failure *f)
{
    int r = sqlite3_step(s) == SQLITE_DONE ? CELL_OK : fail_writing(x, f);

    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return r;
}

static int note_change(struct search_index *x, int64_t id, struct search_failure *f)
{
    sqlite3_bind_int64(x->note_change, 1, id);
    return run(x, x->note_change, f);
}

int index_put_vectors(struct search_index *x, int64_t id, const struct search_content *content,
                      struct search_failure *f)
{
    int at = 2;

    if (x->nvectors == 0)
        return CELL_OK;
    sqlite3_bind_int64(x->put_vectors, 1, id);
    for (uint32_t i = 0; i < x->definition.fields.n; i++) {
        const struct search_field *field = &x->definition.fields.at[i];
        if (!index_is_vector(field))
            continue;
        if (!content[i].absent)
            sqlite3_bind_blob(x->put_vectors, at, content[i].vector, (int)(field->dimensions * sizeof(float)),
                              SQLITE_STATIC);
        at++;
    }
    int r = run(x, x->put_vectors, f);
    return r < 0 ? r : note_change(x, id, f);
}

int index_erase_vectors(struct search_index *x, int64_t id, struct search_failure *f)
{
    if (x->nvectors == 0)
        return CELL_OK;
    sqlite3_bind_int64(x->erase_vectors, 1, id);
    int r = run(x, x->erase_vectors, f);
    return r < 0 ? r : note_change(x, id, f);
}

/* Column `at` of the row as a vector of the field; NULL when it is none. */
static const float *read_vector(sqlite3_stmt *s, int at, const struct search_field *field)
{
    const float *vector = sqlite3_column_blob(s, at);

    return vector && (size_t)sqlite3_column_bytes(s, at) == field->dimensions * sizeof(float) ? vector : NULL;
}

/* ---- building ---- */

static struct search_vectors_options options_of(const struct search_field *field)
{
    return (struct search_vectors_options){
        .dimensions = field->dimensions, .metric = field->metric, .bytes = field->bytes};
}

/* Vectors that are put together, by several threads. */
struct pile {
    struct search_vectors *graph;
    uint32_t dimensions;
    uint64_t *ids;
    float *vectors;
    size_t n, most;
};

/* Of at most `n`; to be ended in any case. */
static int begin_pile(struct pile *p, struct search_vectors *graph, uint32_t dimensions, size_t n,
                      struct search_failure *f)
{
    size_t size = dimensions * sizeof(float), most = MOST_PILE / size;

    most = n < most ? n : most;
    *p = (struct pile){graph, dimensions, malloc(most * sizeof(*p->ids)), malloc(most * size), 0, most};
    return p->ids && p->vectors ? CELL_OK : search_fail(f, CELL_NO_MEMORY, "out of memory");
}

static void end_pile(struct pile *p)
{
    free(p->ids);
    free(p->vectors);
}

static int flush(struct pile *p, struct search_failure *f)
{
    int r = p->n ? search_vectors_put_many(p->graph, p->ids, p->vectors, p->n, 0, f) : CELL_OK;

    p->n = 0;
    return r;
}

static int add_to_pile(struct pile *p, uint64_t id, const float *vector, struct search_failure *f)
{
    p->ids[p->n] = id;
    memcpy(p->vectors + p->n * p->dimensions, vector, p->dimensions * sizeof(float));
    return ++p->n == p->most ? flush(p, f) : CELL_OK;
}

static int read_all(struct search_index *x, sqlite3_stmt *s, const struct search_field *field, struct pile *p,
                    struct search_failure *f)
{
    int step = SQLITE_DONE, r = CELL_OK;

    while (r >= 0 && (step = sqlite3_step(s)) == SQLITE_ROW) {
        const float *vector = read_vector(s, 1, field);
        if (vector)
            r = add_to_pile(p, (uint64_t)sqlite3_column_int64(s, 0), vector, f);
    }
    if (r >= 0 && step != SQLITE_DONE)
        return index_fail(x->db, f, "reading the index");
    return r < 0 ? r : flush(p, f);
}

static int build(struct search_index *x, uint32_t i, struct search_failure *f)
{
    const struct search_field *field = &x->definition.fields.at[i];
    const struct search_vectors_options options = options_of(field);
    struct pile p = {0};
    sqlite3_stmt *s = NULL;
    int r = search_vectors_new(&options, &x->graphs[i], f);

    if (r >= 0)
        r = begin_pile(&p, x->graphs[i], field->dimensions, MOST_AT_ONCE, f);
    if (r >= 0)
        r = index_prepare(x->db, &s, f, "SELECT id, \"f_%s\" FROM vectors WHERE \"f_%s\" IS NOT NULL", field->name,
                          field->name);
    if (r >= 0)
        r = read_all(x, s, field, &p, f);
    sqlite3_finalize(s);
    end_pile(&p);
    return r;
}

/* ---- following ---- */

struct changed {
    int64_t ids[MOST_AT_ONCE], seq; /* seq: of the last one */
    size_t n;
};

/* The next ones that changed, each once. */
static int read_changes(struct search_index *x, struct changed *c, struct search_failure *f)
{
    int step = SQLITE_ROW;

    c->n = 0;
    sqlite3_bind_int64(x->read_changes, 1, x->applied);
    while (c->n < MOST_AT_ONCE && (step = sqlite3_step(x->read_changes)) == SQLITE_ROW) {
        c->seq = sqlite3_column_int64(x->read_changes, 0);
        c->ids[c->n++] = sqlite3_column_int64(x->read_changes, 1);
    }
    int r = step == SQLITE_ROW || step == SQLITE_DONE ? CELL_OK : index_fail(x->db, f, "reading the index");
    sqlite3_reset(x->read_changes);
    return r;
}

/* Brings the graph of the field, column `at` of read_vectors, to what the table has of those documents. */
static int apply(struct search_index *x, uint32_t field, int at, const struct changed *c, struct pile *p,
                 struct search_failure *f)
{
    int r = CELL_OK;

    for (size_t i = 0; r >= 0 && i < c->n; i++) {
        sqlite3_bind_int64(x->read_vectors, 1, c->ids[i]);
        int step = sqlite3_step(x->read_vectors);
        const float *vector =
            step == SQLITE_ROW ? read_vector(x->read_vectors, at, &x->definition.fields.at[field]) : NULL;
        if (step != SQLITE_ROW && step != SQLITE_DONE)
            r = index_fail(x->db, f, "reading the index");
        else if (vector)
            r = add_to_pile(p, (uint64_t)c->ids[i], vector, f);
        else
            search_vectors_delete(x->graphs[field], (uint64_t)c->ids[i]);
        sqlite3_reset(x->read_vectors);
    }
    return r < 0 ? r : flush(p, f);
}

static int apply_all(struct search_index *x, const struct changed *c, struct search_failure *f)
{
    int at = 0, r = CELL_OK;

    for (uint32_t i = 0; r >= 0 && i < x->definition.fields.n; i++) {
        struct pile p;
        if (!index_is_vector(&x->definition.fields.at[i]))
            continue;
        r = begin_pile(&p, x->graphs[i], x->definition.fields.at[i].dimensions, c->n, f);
        if (r >= 0)
            r = apply(x, i, at++, c, &p, f);
        end_pile(&p);
    }
    return r;
}

int index_vectors_follow(struct search_index *x, struct search_failure *f)
{
    if (x->nvectors == 0)
        return CELL_OK;
    struct changed *c = malloc(sizeof(*c));
    int r = c ? CELL_OK : search_fail(f, CELL_NO_MEMORY, "out of memory");

    do {
        if (r >= 0)
            r = read_changes(x, c, f);
        if (r >= 0 && c->n > 0)
            r = apply_all(x, c, f);
        if (r >= 0 && c->n > 0)
            x->applied = c->seq;
    } while (r >= 0 && c->n == MOST_AT_ONCE);
    free(c);
    return r;
}

/* ---- opening ---- */

static char *graph_path(const struct search_index *x, const char *name, int64_t seq)
{
    return sqlite3_mprintf("%s.%s.%lld.graph", x->path, name, (long long)seq);
}

/* From its file, if there is one that fits. *seq is the change that it has last. */
static bool load(struct search_index *x, uint32_t i, int64_t *seq)
{
    const struct search_field *field = &x->definition.fields.at[i];
    const struct search_vectors_options options = options_of(field);
    struct search_failure ignored;
    char name[80], *is = NULL;
    uint64_t sum;
    bool loaded = false;

    snprintf(name, sizeof(name), "graph_%s", field->name);
    if (index_read_meta(x->db, name, &is, &ignored) < 0 || !is)
        return false;
    if (sscanf(is, "%" SCNd64 " %" SCNu64, seq, &sum) == 2) {
        char *path = graph_path(x, field->name, *seq);
        loaded = path && search_vectors_load(&options, path, sum, &x->graphs[i], &ignored) >= 0;
        sqlite3_free(path);
    }
    sqlite3_free(is);
    return loaded;
}

static int last_change(struct search_index *x, int64_t *seq, struct search_failure *f)
{
    sqlite3_stmt *s = NULL;
    int r = index_prepare(x->db, &s, f,
                          "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'vector_changes'), 0)");

    if (r >= 0)
        r = sqlite3_step(s) == SQLITE_ROW ? CELL_OK : index_fail(x->db, f, "reading the index");
    if (r >= 0)
        *seq = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return r;
}

static int prepare(struct search_index *x, struct search_failure *f)
{
    char *columns = index_list_columns(x, index_is_vector, true), *values = index_list_parameters(x->nvectors);
    int r = columns && values ? CELL_OK : search_fail(f, CELL_NO_MEMORY, "out of memory");

    if (r >= 0)
        r = index_prepare(x->db, &x->put_vectors, f, "INSERT OR REPLACE INTO vectors(id%s) VALUES(?%s)", columns,
                          values);
    if (r >= 0)
        r = index_prepare(x->db, &x->read_vectors, f, "SELECT %s FROM vectors WHERE id = ?", columns + 2);
    if (r >= 0)
        r = index_prepare(x->db, &x->erase_vectors, f, "DELETE FROM vectors WHERE id = ?");
    if (r >= 0)
        r = index_prepare(x->db, &x->note_change, f, "INSERT INTO vector_changes(id) VALUES(?)");
    if (r >= 0)
        r = index_prepare(x->db, &x->read_changes, f,
                          "SELECT max(seq) AS last, id FROM vector_changes WHERE seq > ? GROUP BY id ORDER BY last");
    sqlite3_free(columns);
    sqlite3_free(values);
    return r;
}

/* Files of graphs that nothing speaks of: a crash has left them. `seq` is that of the one that stays, or -1. */
static void remove_others(struct search_index *x, uint32_t i, int64_t seq)
{
    const char *name = x->definition.fields.at[i].name;
    char *kept = graph_path(x, name, seq), *pattern = sqlite3_mprintf("%s.%s.*.graph", x->path, name);
    glob_t found = {0};

    if (kept && pattern && glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
        for (size_t k = 0; k < found.gl_pathc; k++)
            if (strcmp(found.gl_pathv[k], kept) != 0)
                unlink(found.gl_pathv[k]);
    globfree(&found);
    sqlite3_free(kept);
    sqlite3_free(pattern);
}

/* Graphs are of different ages: the changes since the oldest are applied to all, which does no harm to the others. */
int index_vectors_open(struct search_index *x, struct search_failure *f)
{
    int64_t last = 0;

    if (x->nvectors == 0)
        return CELL_OK;
    int r = prepare(x, f);
    if (r >= 0)
        r = last_change(x, &last, f);
    x->applied = last;
    for (uint32_t i = 0; r >= 0 && i < x->definition.fields.n; i++) {
        int64_t seq = -1;
        if (!index_is_vector(&x->definition.fields.at[i]))
            continue;
        bool loaded = load(x, i, &seq);
        remove_others(x, i, seq);
        if (!loaded)
            r = build(x, i, f);
        else if (seq < x->applied)
            x->applied = seq;
    }
    return r < 0 ? r : index_vectors_follow(x, f);
}

void index_vectors_close(struct search_index *x)
{
    sqlite3_stmt *const all[] = {x->put_vectors, x->erase_vectors, x->read_vectors, x->note_change, x->read_changes};

    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        sqlite3_finalize(all[i]);
    for (uint32_t i = 0; i < SEARCH_MOST_FIELDS; i++)
        search_vectors_free(x->graphs[i]);
}

/* ---- saving ---- */

/* Names of files that a graph has, before and after. */
struct saved {
    char *path, *before;
};

static int save(struct search_index *x, uint32_t i, struct saved *s, struct search_failure *f)
{
    const char *name = x->definition.fields.at[i].name;
    char meta[80], *is = NULL;
    int64_t seq;
    uint64_t sum;

    snprintf(meta, sizeof(meta), "graph_%s", name);
    int r = index_read_meta(x->db, meta, &is, f);
    if (r >= 0 && is && sscanf(is, "%" SCNd64, &seq) == 1 && seq != x->applied)
        s->before = graph_path(x, name, seq);
    sqlite3_free(is);
    s->path = graph_path(x, name, x->applied);
    if (r >= 0 && !s->path)
        r = search_fail(f, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = search_vectors_save(x->graphs[i], s->path, &sum, f);
    if (r < 0)
        return r;
    char *sql = sqlite3_mprintf("INSERT OR REPLACE INTO meta(name, value) VALUES(%Q, '%lld %llu')", meta,
                                (long long)x->applied, (unsigned long long)sum);
    r = sql ? index_execute(x->db, f, "writing the index", sql) : search_fail(f, CELL_NO_MEMORY, "out of memory");
    sqlite3_free(sql);
    return r;
}

static int forget_changes(struct search_index *x, struct search_failure *f)
{
    char *sql = sqlite3_mprintf("DELETE FROM vector_changes WHERE seq <= %lld", (long long)x->applied);
    int r = sql ? index_execute(x->db, f, "writing the index", sql) : search_fail(f, CELL_NO_MEMORY, "out of memory");

    sqlite3_free(sql);
    return r;
}

/* The files are there, whole and synced, before the table says so; what it said before goes after that. */
int search_index_checkpoint(struct search_index *x, struct search_failure *f)
{
    struct saved saved[SEARCH_MOST_FIELDS] = {{0}};
    int r = index_vectors_follow(x, f);

    if (r < 0 || x->nvectors == 0)
        return r;
    r = index_execute(x->db, f, "writing the index", "BEGIN IMMEDIATE");
    for (uint32_t i = 0; r >= 0 && i < x->definition.fields.n; i++)
        if (x->graphs[i])
            r = save(x, i, &saved[i], f);
    if (r >= 0)
        r = forget_changes(x, f);
    if (r >= 0)
        r = index_execute(x->db, f, "writing the index", "COMMIT");
    if (r < 0 && !sqlite3_get_autocommit(x->db))
        sqlite3_exec(x->db, "ROLLBACK", NULL, NULL, NULL);
    for (uint32_t i = 0; i < SEARCH_MOST_FIELDS; i++) {
        const char *old = r >= 0 ? saved[i].before : NULL;
        if (old)
            unlink(old);
        sqlite3_free(saved[i].path);
        sqlite3_free(saved[i].before);
    }
    return r;
}
