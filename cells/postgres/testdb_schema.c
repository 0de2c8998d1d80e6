/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The template that has the schema of a database: what pg_dump prints of it, executed in a new one. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "catalog.h"
#include "testdb.h"

#define MAX_DUMP (64u << 20)

extern char **environ;

static bool put_pair(char *text, size_t size, size_t *n, const char *key, const char *value)
{
    *n += (size_t)snprintf(text + *n, size - *n, "%s%s='", *n ? " " : "", key);
    for (const char *c = value; *c && *n + 4 < size; c++) {
        if (*c == '\'' || *c == '\\')
            text[(*n)++] = '\\';
        text[(*n)++] = *c;
    }
    if (*n + 2 >= size)
        return false;
    text[(*n)++] = '\'';
    text[*n] = '\0';
    return true;
}

char *pg_testdb_target(const char *conninfo, const char *database)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    size_t size = 4 * strlen(conninfo) + 2 * strlen(database) + 512, n = 0;
    char *text = malloc(size);
    bool whole = text && options;

    for (PQconninfoOption *o = options; whole && o->keyword; o++)
        if (o->val && strcmp(o->keyword, "dbname") != 0 && strstr(o->keyword, "password") == NULL)
            whole = put_pair(text, size, &n, o->keyword, o->val);
    whole = whole && put_pair(text, size, &n, "dbname", database);
    PQconninfoFree(options);
    if (!whole) {
        free(text);
        return NULL;
    }
    return text;
}

/* All of it, NUL-terminated. NULL when it is too much. */
static char *read_all(int fd)
{
    size_t n = 0, room = 65536;
    char *text = malloc(room);
    ssize_t got = -1;

    while (text && (got = read(fd, text + n, room - n - 1)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        n += (size_t)got;
        if (n + 1 < room)
            continue;
        char *more = room < MAX_DUMP ? realloc(text, room *= 2) : NULL;
        if (!more)
            break;
        text = more;
    }
    if (!text || got != 0) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    return text;
}

/* The commands of psql's own, as pg_dump prints some since 2025: lines that begin with a backslash. */
static void blank_commands(char *text)
{
    for (char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "\\restrict", 9) == 0 || strncmp(line, "\\unrestrict", 11) == 0)
            memset(line, ' ', strcspn(line, "\n"));
    }
}

/* With this process's environment: libpq finds there what the connection string does not say. */
static int dump(const struct pg_testdb_options *options, const char *conninfo, char **text, struct pg_failure *f)
{
    char program[512];
    const char *argv[] = {program, "--schema-only", "--no-owner", "--no-password", "-d", conninfo, NULL};
    posix_spawn_file_actions_t actions;
    int out[2], status = 0;
    pid_t pid = -1;

    snprintf(program, sizeof(program), "%s%spg_dump", options->bindir ? options->bindir : "",
             options->bindir && *options->bindir ? "/" : "");
    if (pipe2(out, O_CLOEXEC) < 0)
        return pg_fail(f, CELL_RESOURCE_EXHAUSTED, "pipe: %s", strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    int error = posix_spawnp(&pid, program, &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    *text = error ? NULL : read_all(out[0]);
    close(out[0]);
    while (!error && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!error && *text && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return CELL_OK;
    free(*text);
    return pg_fail(f, CELL_FAILED_PRECONDITION,
                   "%s failed%s%s: it is needed to copy the schema, in a version that is not "
                   "older than the server's",
                   program, error ? ": " : "", error ? strerror(error) : "");
}

static int fill(const struct pg_testdb_options *options, const char *name, char *sql, struct pg_failure *f)
{
    char *conninfo = pg_testdb_target(options->target->conninfo, name);
    const struct pg_target target = {conninfo, "cell test-db"};
    PGconn *conn = NULL;
    int r = conninfo ? pg_connect(&target, 0, &conn, f) : pg_fail(f, CELL_NO_MEMORY, "out of memory");

    blank_commands(sql);
    /* The schema public is there already, and the dump says so again when it belongs to somebody. */
    if (r >= 0)
        r = pg_run(conn, "DROP SCHEMA IF EXISTS public; CREATE SCHEMA public", f);
    if (r >= 0)
        r = pg_run(conn, sql, f);
    PQfinish(conn);
    free(conninfo);
    return r < 0 ? pg_fail_context(f, r, "copying the schema") : r;
}

/* Like the database of `conn`, but empty. */
static int create_like(PGconn *conn, const char *name, struct pg_failure *f)
{
    const char *params[] = {name};
    PGresult *sql = NULL;
    int r = pg_query(
        conn,
        "SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', $1::text,"
        " pg_encoding_to_char(encoding), datcollate, datctype) FROM pg_database WHERE datname = current_database()",
        1, params, &sql, f);
    if (r >= 0)
        r = pg_run(conn, PQgetvalue(sql, 0, 0), f);
    PQclear(sql);
    return r;
}

static int remake(PGconn *conn, const struct pg_testdb_options *options, const char *name, const char *state,
                  struct pg_failure *f)
{
    char sql[256], *text = NULL;
    int r;

    snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS %s WITH (FORCE)", name);
    r = pg_run(conn, sql, f);
    if (r >= 0)
        r = create_like(conn, name, f);
    if (r >= 0)
        r = dump(options, options->target->conninfo, &text, f);
    if (r >= 0) {
        r = fill(options, name, text, f);
        free(text);
    }
    snprintf(sql, sizeof(sql), "COMMENT ON DATABASE %s IS '%s'", name, state); /* last: it is complete */
    return r < 0 ? r : pg_run(conn, sql, f);
}

int pg_testdb_template(PGconn *conn, const struct pg_testdb_options *options, char name[64], struct pg_failure *f)
{
    /* One at a time: others wait, and find it made. */
    static const char find[] =
        "SELECT n, (SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = n)"
        " FROM (SELECT 'cell_schema_' || substr(md5(current_database()), 1, 8) AS n) q";
    char state[PG_STATE_TOKEN_SIZE];
    PGresult *result = NULL;
    int r = pg_run(conn, "SELECT pg_advisory_lock(hashtext('cell template'))", f);

    if (r >= 0)
        r = pg_catalog_state(conn, NULL, state, f);
    if (r >= 0)
        r = pg_query(conn, find, 0, NULL, &result, f);
    if (r >= 0) {
        snprintf(name, 64, "%s", PQgetvalue(result, 0, 0));
        if (strcmp(PQgetvalue(result, 0, 1), state) != 0)
            r = remake(conn, options, name, state, f);
    }
    PQclear(result);
    pg_run(conn, "SELECT pg_advisory_unlock(hashtext('cell template'))", NULL);
    return r;
}
