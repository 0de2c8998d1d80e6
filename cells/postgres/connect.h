/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Where the database is, and opening connections to it. Thread-safe. */
#ifndef CELLS_POSTGRES_CONNECT_H
#define CELLS_POSTGRES_CONNECT_H

#include <stdint.h>

#include "failure.h"

/* The oldest and the newest server that the cell has been written for, as PQserverVersion counts. */
#define PG_SERVER_OLDEST 130000
#define PG_SERVER_NEWEST 179999

/* The same for all connections, so that what one prints another one reads. Several statements. */
#define PG_SETTINGS                                                                                                    \
    "SET search_path = public; SET client_min_messages = warning; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; "  \
    "SET intervalstyle = 'iso_8601'; SET bytea_output = 'hex'; SET extra_float_digits = 1; "                           \
    "SET standard_conforming_strings = on"

/* In one message: what a session has become by SQL of others is taken back. Several statements; not within a
 * transaction. */
#define PG_RESET                                                                                                       \
    "RESET SESSION AUTHORIZATION; RESET ALL; CLOSE ALL; SELECT pg_catalog.pg_advisory_unlock_all(); "                  \
    "DISCARD SEQUENCES; DISCARD TEMP; " PG_SETTINGS

struct pg_target {
    /* A URL or keyword=value pairs, as libpq reads them; what they do not say comes from libpq's environment variables,
     * ~/.pgpass and service files. Never holds a password (pg_target_check). "" = the environment alone. */
    const char *conninfo;
    const char *application_name; /* NULL = "cell" */
};

/* CELL_INVALID_ARGUMENT for a string that libpq cannot read or that holds a password. Never prints the string. */
int pg_target_check(const char *conninfo, struct pg_failure *f);

/*
 * Opens a blocking connection: UTF-8, search_path = public, timestamps in UTC and ISO, standard_conforming_strings,
 * notices dropped. `timeout_ms` bounds all of it; 0 = 10 s. CELL_UNAVAILABLE when nobody answers,
 * CELL_PERMISSION_DENIED when the server refuses the user, CELL_FAILED_PRECONDITION for a server older than
 * PG_SERVER_OLDEST. *conn is for PQfinish.
 */
int pg_connect(const struct pg_target *target, int64_t timeout_ms, PGconn **conn, struct pg_failure *f);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t pg_now_ms(void);

/* Runs one statement without parameters whose rows do not matter. */
int pg_run(PGconn *conn, const char *sql, struct pg_failure *f);

/* Runs one statement with text parameters and text results; *result is for PQclear, NULL on failure. */
int pg_query(PGconn *conn, const char *sql, int nparams, const char *const *params, PGresult **result,
             struct pg_failure *f);

#endif
