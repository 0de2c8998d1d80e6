/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Finding PostgreSQL's server programs. */
#ifndef CELLS_POSTGRES_PROGRAMS_H
#define CELLS_POSTGRES_PROGRAMS_H

#include "spawn.h"

#define PG_MAJOR_OLDEST 13
#define PG_MAJOR_NEWEST 17

struct pg_programs {
    char bindir[256];
    int major;
};

/*
 * The folder that holds initdb and postgres of the version `major`, or of the newest supported one when it is 0.
 * `bindir` is the only place to look when it is not NULL; else those of Debian's and other packages, and PATH.
 * CELL_FAILED_PRECONDITION says which version is missing, which are there, and what to install.
 */
int pg_programs_find(const char *bindir, int major, const struct pg_account *account, struct pg_programs *programs,
                     struct pg_failure *f);

#endif
