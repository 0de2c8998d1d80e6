/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The database: one SQLite file in WAL mode. Two connections, one for all writes and one for reads, so that a read does
 * not wait while a write reaches the disk. A commit that returned is on the disk (synchronous=FULL). While it is open
 * the file belongs to one process, by a lock on FILE.lock.
 */
#ifndef CELLS_AUTH_STORE_H
#define CELLS_AUTH_STORE_H

#include <sqlite3.h>
#include <stdbool.h>

#include "failure.h"

#define STORE_VERSION 1 /* PRAGMA user_version */

/* Every statement of the cell, prepared once for each connection. X(name, sql) */
#define STORE_STATEMENTS(X)                                                                                            \
    X(ACCOUNT_INSERT, "INSERT INTO account(email, password, version, created_ms) VALUES(?1, ?2, 1, ?3)")               \
    X(ACCOUNT_BY_EMAIL, "SELECT id, email, password, version, created_ms FROM account WHERE email = ?1")               \
    X(ACCOUNT_BY_ID, "SELECT id, email, password, version, created_ms FROM account WHERE id = ?1")                     \
    X(ACCOUNT_SET_PASSWORD, "UPDATE account SET password = ?3, version = version + 1 WHERE id = ?1 AND version = ?2")  \
    X(ACCOUNT_REHASH, "UPDATE account SET password = ?3 WHERE id = ?1 AND version = ?2")                               \
    X(SESSION_INSERT, "INSERT INTO session(account, token, state, created_ms, expires_ms, uid, program) "              \
                      "SELECT id, ?3, 0, ?4, ?5, ?6, ?7 FROM account WHERE id = ?1 AND version = ?2")                  \
    X(SESSION_BY_TOKEN, "SELECT id, account, token, state, created_ms, expires_ms FROM session WHERE token = ?1")      \
    X(SESSION_LIST, "SELECT id, state, created_ms, expires_ms, uid, program FROM session WHERE account = ?1 "          \
                    "ORDER BY id DESC LIMIT ?2")                                                                       \
    X(SESSION_EXISTS, "SELECT 1 FROM session WHERE account = ?1 AND id = ?2")                                          \
    X(SESSION_END, "UPDATE session SET state = ?3, ended_ms = ?4 "                                                     \
                   "WHERE account = ?1 AND id = ?2 AND state = 0 AND expires_ms > ?4")                                 \
    X(SESSION_END_OTHERS, "UPDATE session SET state = ?3, ended_ms = ?4 "                                              \
                          "WHERE account = ?1 AND id <> ?2 AND state = 0 AND expires_ms > ?4")                         \
    X(SESSION_END_OLDEST, "UPDATE session SET state = ?2, ended_ms = ?3 WHERE id IN (SELECT id FROM session "          \
                          "WHERE account = ?1 AND state = 0 AND expires_ms > ?3 ORDER BY id DESC LIMIT -1 OFFSET ?4)") \
    X(SESSION_FORGET, "DELETE FROM session WHERE account = ?1 AND (state <> 0 OR expires_ms <= ?2) "                   \
                      "AND (coalesce(ended_ms, expires_ms) < ?3 OR id NOT IN "                                         \
                      "(SELECT id FROM session WHERE account = ?1 ORDER BY id DESC LIMIT ?4))")

enum store_statement {
#define STORE_ENUM(name, sql) name,
    STORE_STATEMENTS(STORE_ENUM)
#undef STORE_ENUM
        STORE_NSTATEMENTS
};

struct store;
struct store_connection;

/*
 * Opens or creates `path`. Failures say what to do about them, with the path: they are for whoever starts the cell.
 * CELL_FAILED_PRECONDITION (another cell has it, not ours, newer than this program, read-only), CELL_DATA_LOSS (not a
 * database, damaged), CELL_UNAVAILABLE (locked), CELL_IO_ERROR, CELL_NO_MEMORY.
 */
int store_open(const char *path, struct store **s, struct failure *f);
void store_close(struct store *s); /* NULL is accepted */

/* A transaction belongs to the thread that began it, which must end it. Reads see one state of the database. */
struct transaction {
    struct store *store;
    struct store_connection *on;
    bool write;
};

int store_begin(struct store *s, bool write, struct transaction *t, struct failure *f);

/* Commits when `status` >= 0, else rolls back. Returns `status`, or the commit's failure. */
int store_end(struct transaction *t, int status, struct failure *f);

/* The statement, ready for its bindings; valid until it is asked for again or the transaction ends. */
sqlite3_stmt *store_statement(struct transaction *t, enum store_statement which);

/* Runs one without rows. The number of changed rows, or as store_failure. */
int store_run(struct transaction *t, sqlite3_stmt *statement, struct failure *f);

/* 1 = a row, 0 = the end, or as store_failure. */
int store_step(struct transaction *t, sqlite3_stmt *statement, struct failure *f);

/* The status and the caller's text for the connection's last error; the cause goes to stderr. CELL_ALREADY_EXISTS is a
 * unique constraint, and nothing is printed for it. */
int store_failure(struct transaction *t, struct failure *f);

#endif
