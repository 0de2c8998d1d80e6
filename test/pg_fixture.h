/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A PostgreSQL server for a unit test: a fresh one, made by test/Inputs/pg_cluster.py, which stops it when this process
 * ends in whatever way. Tests that use it say `// LIBS: cell_postgres_sanitized`.
 */
#ifndef TEST_PG_FIXTURE_H
#define TEST_PG_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * libpq's connection string of a superuser of an empty database `test`. NULL when PostgreSQL is not installed: then the
 * test has nothing to do. `arguments` are more of the script's ("--set fsync=on"), NULL = none. Once a process.
 */
static char pg_fixture_url[256]; /* the same, once it was made */
static inline const char *pg_fixture(const char *arguments)
{
    char command[1024];
    int in[2];

    if (system(CELL_TEST_PYTHON " " CELL_TEST_INPUTS "/pg_cluster.py --find >/dev/null") != 0)
        return NULL;
    /* The script stops when its standard input ends: nobody but this process holds the other end. */
    if (pipe(in) < 0)
        return NULL;
    snprintf(command, sizeof(command), "exec %s %s/pg_cluster.py --template %s/pg-template %s --hold <&%d %d>&- %d<&-",
             CELL_TEST_PYTHON, CELL_TEST_INPUTS, CELL_TEST_BUILD, arguments ? arguments : "", in[0], in[1], in[0]);
    FILE *f = popen(command, "re");
    close(in[0]);
    if (!f || !fgets(pg_fixture_url, sizeof(pg_fixture_url), f)) {
        fprintf(stderr, "the server did not start\n");
        exit(1);
    }
    pg_fixture_url[strcspn(pg_fixture_url, "\n")] = '\0';
    return pg_fixture_url;
}

/* The major version of the server that pg_fixture() starts; 0 when there is none. */
static inline int pg_fixture_version(void)
{
    static int version = -1;
    FILE *f = version < 0 ? popen(CELL_TEST_PYTHON " " CELL_TEST_INPUTS "/pg_cluster.py --version", "r") : NULL;

    if (f && fscanf(f, "%d", &version) != 1)
        version = 0;
    if (f)
        pclose(f);
    return version;
}

#endif
