/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What was reported to this cell of programs, read again when it has changed. */
#ifndef CELLS_POSTGRES_RECORDED_H
#define CELLS_POSTGRES_RECORDED_H

#include <pthread.h>

#include <cell/server.h>

#include "failure.h"
#include "uses.h"

struct pg_records {
    pthread_mutex_t lock;
    uint64_t stamp;
    struct pg_recorded *now; /* NULL = not read yet */
};

void pg_records_init(struct pg_records *r);
void pg_records_close(struct pg_records *r);

/*
 * What is recorded now, for pg_records_give. A record that cannot be read makes it `unknown`, and is no failure.
 * CELL_NO_MEMORY. Thread-safe.
 */
int pg_records_take(struct pg_records *r, struct cell_server *server, struct pg_recorded **recorded,
                    struct pg_failure *f);
void pg_records_give(struct pg_records *r, struct pg_recorded *recorded); /* NULL is accepted */

#endif
