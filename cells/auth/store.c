/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "store_open.h"

struct store_connection {
    pthread_mutex_t lock;
    sqlite3 *db;
    sqlite3_stmt *statements[STORE_NSTATEMENTS];
};

struct store {
    struct store_connection writer, reader;
    int lock_fd;
};

static const char *const sql_of[STORE_NSTATEMENTS] = {
#define STORE_SQL(name, sql) sql,
    STORE_STATEMENTS(STORE_SQL)
#undef STORE_SQL
};

static void close_connection(struct store_connection *c)
{
    for (int i = 0; i < STORE_NSTATEMENTS; i++)
        sqlite3_finalize(c->statements[i]);
    sqlite3_close(c->db);
    pthread_mutex_destroy(&c->lock);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    /* The writer last: the last connection to close moves the log into the database and removes it. */
    close_connection(&s->reader);
    close_connection(&s->writer);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s);
}

static int prepare_all(struct store_connection *c, const char *path, struct failure *f)
{
    for (int i = 0; i < STORE_NSTATEMENTS; i++)
        if (sqlite3_prepare_v3(c->db, sql_of[i], -1, SQLITE_PREPARE_PERSISTENT, &c->statements[i], NULL) != SQLITE_OK)
            return store_open_failure(c->db, path, f);
    return CELL_OK;
}

int store_open(const char *path, struct store **s, struct failure *f)
{
    struct store *made = calloc(1, sizeof(*made));

    if (!made)
        return fail(f, CELL_NO_MEMORY, "out of memory");
    made->lock_fd = -1;
    pthread_mutex_init(&made->writer.lock, NULL);
    pthread_mutex_init(&made->reader.lock, NULL);
    int r = store_lock_file(path, &made->lock_fd, f);
    if (r >= 0)
        r = store_connect(path, &made->writer.db, f);
    if (r >= 0)
        r = store_create_schema(made->writer.db, path, f);
    if (r >= 0)
        r = prepare_all(&made->writer, path, f);
    if (r >= 0)
        r = store_connect(path, &made->reader.db, f);
    if (r >= 0)
        r = prepare_all(&made->reader, path, f);
    if (r < 0) {
        store_close(made);
        return r;
    }
    *s = made;
    return CELL_OK;
}

int store_failure(struct transaction *t, struct failure *f)
{
    sqlite3 *db = t->on->db;
    int code = sqlite3_extended_errcode(db);

    if (code == SQLITE_CONSTRAINT_UNIQUE)
        return fail(f, CELL_ALREADY_EXISTS, "already exists");
    char line[256];
    int n = snprintf(line, sizeof(line), "auth: database: %s (%d)\n", sqlite3_errmsg(db), code);
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1) < 0)
        errno = 0;
    switch (code & 0xff) {
    case SQLITE_FULL:
        return fail(f, CELL_RESOURCE_EXHAUSTED, "the disk of the account database is full");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return fail(f, CELL_UNAVAILABLE, "another program has locked the account database");
    case SQLITE_READONLY:
        return fail(f, CELL_FAILED_PRECONDITION, "the account database cannot be written");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return fail(f, CELL_DATA_LOSS, "the account database is damaged");
    case SQLITE_NOMEM:
        return fail(f, CELL_NO_MEMORY, "not enough memory for the account database");
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return fail(f, CELL_IO_ERROR, "the account database could not be read or written");
    default:
        return fail(f, CELL_INTERNAL, "the account database failed");
    }
}

static int execute(struct transaction *t, const char *sql, struct failure *f)
{
    return sqlite3_exec(t->on->db, sql, NULL, NULL, NULL) == SQLITE_OK ? CELL_OK : store_failure(t, f);
}

int store_begin(struct store *s, bool write, struct transaction *t, struct failure *f)
{
    *t = (struct transaction){s, write ? &s->writer : &s->reader, write};
    pthread_mutex_lock(&t->on->lock);
    int r = execute(t, write ? "BEGIN IMMEDIATE" : "BEGIN", f);
    if (r < 0)
        pthread_mutex_unlock(&t->on->lock);
    return r;
}

int store_end(struct transaction *t, int status, struct failure *f)
{
    /* A statement that was not read to its end would keep the transaction open. Bindings may be secrets. */
    for (int i = 0; i < STORE_NSTATEMENTS; i++) {
        sqlite3_reset(t->on->statements[i]);
        sqlite3_clear_bindings(t->on->statements[i]);
    }
    if (status >= 0) {
        int r = execute(t, "COMMIT", f);
        status = r < 0 ? r : status;
    }
    /* Some failures have rolled back already; then there is nothing to do. */
    if (!sqlite3_get_autocommit(t->on->db))
        sqlite3_exec(t->on->db, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&t->on->lock);
    return status;
}

sqlite3_stmt *store_statement(struct transaction *t, enum store_statement which)
{
    sqlite3_stmt *q = t->on->statements[which];

    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return q;
}

int store_step(struct transaction *t, sqlite3_stmt *statement, struct failure *f)
{
    int r = sqlite3_step(statement);

    return r == SQLITE_ROW ? 1 : r == SQLITE_DONE ? 0 : store_failure(t, f);
}

int store_run(struct transaction *t, sqlite3_stmt *statement, struct failure *f)
{
    int r = store_step(t, statement, f);

    return r < 0 ? r : sqlite3_changes(t->on->db);
}
