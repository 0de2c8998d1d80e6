/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "store_open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "store.h"

/* PRAGMA application_id: "cAut". It tells an auth cell's file from any other SQLite database. */
#define APPLICATION_ID 0x63417574

#define BUSY_MS 2000

/* Tokens are stored as hashes only. `state` is enum session_state. AUTOINCREMENT: an id is never used again. */
static const char schema_sql[] =
    "CREATE TABLE account(id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE, password TEXT NOT NULL,"
    " version INTEGER NOT NULL, created_ms INTEGER NOT NULL) STRICT;"
    "CREATE TABLE session(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE, token BLOB NOT NULL UNIQUE,"
    " state INTEGER NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, ended_ms INTEGER,"
    " uid INTEGER NOT NULL, program TEXT NOT NULL) STRICT;"
    "CREATE INDEX session_account ON session(account, id);";

int store_lock_file(const char *path, int *fd, struct failure *f)
{
    char *name = NULL;

    if (asprintf(&name, "%s.lock", path) < 0)
        return fail(f, CELL_NO_MEMORY, "out of memory");
    *fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int error = errno;
    free(name);
    if (*fd < 0)
        return fail(f, CELL_IO_ERROR, "cannot create %s.lock: %s", path, strerror(error));
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return CELL_OK;
    return fail(f, CELL_FAILED_PRECONDITION, "%s is in use by another auth cell", path);
}

int store_open_failure(sqlite3 *db, const char *path, struct failure *f)
{
    int code = db ? sqlite3_errcode(db) & 0xff : SQLITE_NOMEM, error = db ? sqlite3_system_errno(db) : 0;

    switch (code) {
    case SQLITE_NOMEM:
        return fail(f, CELL_NO_MEMORY, "out of memory");
    case SQLITE_NOTADB:
        return fail(f, CELL_DATA_LOSS, "%s is not a database", path);
    case SQLITE_CORRUPT:
        return fail(f, CELL_DATA_LOSS, "%s is damaged (%s); restore it from a backup", path, sqlite3_errmsg(db));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return fail(f, CELL_UNAVAILABLE, "%s is locked by another program", path);
    case SQLITE_FULL:
        return fail(f, CELL_RESOURCE_EXHAUSTED, "the disk of %s is full", path);
    case SQLITE_READONLY:
        return fail(f, CELL_FAILED_PRECONDITION, "%s cannot be written", path);
    default:
        return fail(f, CELL_IO_ERROR, "%s: %s%s%s", path, sqlite3_errmsg(db), error ? ": " : "",
                    error ? strerror(error) : "");
    }
}

static int read_number(sqlite3 *db, const char *sql, int64_t *n)
{
    sqlite3_stmt *q = NULL;
    int r = sqlite3_prepare_v2(db, sql, -1, &q, NULL);

    if (r == SQLITE_OK && (r = sqlite3_step(q)) == SQLITE_ROW)
        *n = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return r == SQLITE_ROW ? CELL_OK : CELL_IO_ERROR;
}

/* 1 = an empty file, 0 = ours. Before anything is written: WAL mode would change another program's database. */
static int check_version(sqlite3 *db, const char *path, struct failure *f)
{
    int64_t id = 0, version = 0, tables = 0;

    if (read_number(db, "PRAGMA application_id", &id) < 0 || read_number(db, "PRAGMA user_version", &version) < 0 ||
        read_number(db, "SELECT count(*) FROM sqlite_schema", &tables) < 0)
        return store_open_failure(db, path, f);
    if (id == 0 && version == 0 && tables == 0)
        return 1;
    if (id != APPLICATION_ID)
        return fail(f, CELL_FAILED_PRECONDITION, "%s is a database of another program", path);
    if (version != STORE_VERSION)
        return fail(f, CELL_FAILED_PRECONDITION,
                    "%s has version %lld of the schema, and this program knows only version %d: use a newer one", path,
                    (long long)version, STORE_VERSION);
    return CELL_OK;
}

/* WAL: readers and the writer do not wait for each other. FULL: what was answered survives a power failure too. */
int store_connect(const char *path, sqlite3 **db, struct failure *f)
{
    static const char settings[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                                   "PRAGMA cache_size=-256; PRAGMA journal_size_limit=4194304;"
                                   "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;";
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;

    if (strcmp(path, ":memory:") == 0)
        return fail(f, CELL_INVALID_ARGUMENT, "the database must be a file, not %s", path);
    if (sqlite3_open_v2(path, db, flags, NULL) != SQLITE_OK)
        return store_open_failure(*db, path, f);
    sqlite3_extended_result_codes(*db, 1);
    sqlite3_busy_timeout(*db, BUSY_MS);
    /* SQLite opens a file that it may not write all the same; without this the first registration would fail. */
    if (sqlite3_db_readonly(*db, "main") != 0)
        return fail(f, CELL_FAILED_PRECONDITION, "%s cannot be written", path);
    int r = check_version(*db, path, f);
    if (r < 0)
        return r;
    if (sqlite3_exec(*db, settings, NULL, NULL, NULL) != SQLITE_OK)
        return store_open_failure(*db, path, f);
    return CELL_OK;
}

int store_create_schema(sqlite3 *db, const char *path, struct failure *f)
{
    char marks[96];
    int r = check_version(db, path, f);

    if (r <= 0)
        return r;
    snprintf(marks, sizeof(marks), "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;", APPLICATION_ID,
             STORE_VERSION);
    if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, schema_sql, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, marks, NULL, NULL, NULL) != SQLITE_OK)
        return store_open_failure(db, path, f);
    return CELL_OK;
}
