/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * SQLite, loaded by the command that needs it. Its functions come as the table that SQLite gives to extensions
 * (sqlite3ext.h): an extension of ours, which every connection begins with, takes it.
 */
#include "sql.h"

#include <dlfcn.h>

#define LIBRARY "libsqlite3.so.0"
#define OLDEST 3038000 /* sqlite3_error_offset */

const sqlite3_api_routines *sqlite3_api;

static int take_table(sqlite3 *db, char **error, const sqlite3_api_routines *table)
{
    (void)db;
    (void)error;
    sqlite3_api = table;
    return SQLITE_OK;
}

static int fail_load(struct cell_error *e)
{
    return cell_error_set(e, CELL_FAILED_PRECONDITION,
                          "%s cannot be loaded, or is older than 3.38: install libsqlite3-0", LIBRARY);
}

int sql_library_open(sqlite3 **db, struct cell_error *e)
{
    int (*open_database)(const char *, sqlite3 **, int, const char *);
    int (*begin_with)(void (*)(void));
    int (*version)(void);
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

    if (!library || !(*(void **)&open_database = dlsym(library, "sqlite3_open_v2")) ||
        !(*(void **)&begin_with = dlsym(library, "sqlite3_auto_extension")) ||
        !(*(void **)&version = dlsym(library, "sqlite3_libversion_number")) || version() < OLDEST)
        return fail_load(e);
    if (begin_with((void (*)(void))take_table) != SQLITE_OK || open_database(":memory:", db, flags, NULL) != SQLITE_OK)
        return cell_error_set(e, CELL_NO_MEMORY, "SQLite cannot be started");
    return sqlite3_api ? CELL_OK : fail_load(e);
}
