/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "testdb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* The first half of the keys of advisory locks; the second is the hash of the database's name. */
#define LOCK_CLASS "1667591276"

struct pg_testdb {
    PGconn *conn; /* holds the lock */
    char name[64];
    char *conninfo;
};

const char *pg_testdb_name(const struct pg_testdb *db) { return db->name; }
const char *pg_testdb_conninfo(const struct pg_testdb *db) { return db->conninfo; }

/* CREATE or DROP with names in quotes. `template` NULL = none. */
static int command(PGconn *conn, const char *before, const char *name, const char *middle, const char *other,
                   const char *after, struct pg_failure *f)
{
    char *a = PQescapeIdentifier(conn, name, strlen(name)), *b = NULL, sql[512];
    int r = CELL_OK;

    if (other)
        b = PQescapeIdentifier(conn, other, strlen(other));
    if (!a || (other && !b))
        r = pg_fail(f, CELL_NO_MEMORY, "out of memory");
    else if (snprintf(sql, sizeof(sql), "%s%s%s%s%s", before, a, middle, b ? b : "", after) >= (int)sizeof(sql))
        r = pg_fail(f, CELL_INVALID_ARGUMENT, "the name of a database has at most 63 bytes");
    else
        r = pg_run(conn, sql, f);
    PQfreemem(a);
    PQfreemem(b);
    return r;
}

static int drop(PGconn *conn, const char *name, struct pg_failure *f)
{
    return command(conn, "DROP DATABASE IF EXISTS ", name, " WITH (FORCE)", NULL, "", f);
}

/* Those whose lease has ended without that they were dropped. What cannot be dropped is left to the next time. */
static void sweep(PGconn *conn)
{
    static const char sql[] = "SELECT datname FROM pg_database WHERE datname ~ ('^cell_test_' || "
                              "substr(md5(current_database()), 1, 8) || '_[0-9a-f]{16}$')"
                              " AND pg_try_advisory_lock(" LOCK_CLASS ", hashtext(datname))";
    PGresult *left = NULL;

    if (pg_query(conn, sql, 0, NULL, &left, NULL) < 0)
        return;
    for (int i = 0; i < PQntuples(left); i++) {
        const char *params[] = {PQgetvalue(left, i, 0)};
        PGresult *unlocked = NULL;
        drop(conn, params[0], NULL);
        pg_query(conn, "SELECT pg_advisory_unlock(" LOCK_CLASS ", hashtext($1))", 1, params, &unlocked, NULL);
        PQclear(unlocked);
    }
    PQclear(left);
}

/* A new name, whose lock is held before there is a database of that name. */
static int take_name(PGconn *conn, char name[64], struct pg_failure *f)
{
    uint64_t number;
    char hex[20];
    const char *params[] = {hex};
    PGresult *result = NULL;

    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        return pg_fail(f, CELL_INTERNAL, "no random numbers");
    snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)number);
    int r = pg_query(conn,
                     "SELECT n, pg_advisory_lock(" LOCK_CLASS ", hashtext(n)) FROM (SELECT 'cell_test_' || "
                     "substr(md5(current_database()), 1, 8) || '_' || $1 AS n) q",
                     1, params, &result, f);
    if (r >= 0)
        snprintf(name, 64, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return r;
}

static int make(struct pg_testdb *db, const struct pg_testdb_options *options, struct pg_failure *f)
{
    char kept[64];
    const char *source = options->source;
    int r = take_name(db->conn, db->name, f);

    if (r >= 0 && (!source || !*source)) {
        r = pg_testdb_template(db->conn, options, kept, f);
        source = kept;
    }
    if (r >= 0)
        r = command(db->conn, "CREATE DATABASE ", db->name, " TEMPLATE ", source, "", f);
    if (r >= 0)
        db->conninfo = pg_testdb_target(options->target->conninfo, db->name);
    return r >= 0 && !db->conninfo ? pg_fail(f, CELL_NO_MEMORY, "out of memory") : r;
}

int pg_testdb_create(const struct pg_testdb_options *options, struct pg_testdb **db, struct pg_failure *f)
{
    struct pg_testdb *made = calloc(1, sizeof(*made));
    const struct pg_target target = {options->target->conninfo, "cell test-db"};

    if (!made)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    int r = pg_connect(&target, 0, &made->conn, f);
    if (r >= 0) {
        sweep(made->conn);
        r = make(made, options, f);
    }
    if (r < 0) {
        pg_testdb_drop(made);
        return r;
    }
    *db = made;
    return CELL_OK;
}

void pg_testdb_drop(struct pg_testdb *db)
{
    if (!db)
        return;
    if (db->conn && db->name[0])
        drop(db->conn, db->name, NULL);
    PQfinish(db->conn);
    free(db->conninfo);
    free(db);
}
