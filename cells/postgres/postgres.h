/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The postgres cell's interface: this header is its schema. Comments with three slashes reach the programs that use it.
 */
#ifndef CELLS_POSTGRES_POSTGRES_H
#define CELLS_POSTGRES_POSTGRES_H

#include <stdbool.h>

#include <cell/serve.h>

/// How to reach the database that the cell uses, for psql and its like.
struct postgres_server {
    cell_str conninfo; ///< As libpq reads it. Without a password: that is the caller's own.
    cell_str bindir;   ///< Folder of PostgreSQL's programs; empty when the cell does not know it.
    int32_t version;   ///< Of the server: 150004 is 15.4.
    bool is_private;   ///< The cell runs the server itself.
    cell_str policy;   ///< What compilations may do: apply, additive or plan.
    cell_str state;    ///< The folder of a private cluster; else empty.
};

/// Where the database is.
CELL_METHOD CELL_IDEMPOTENT int postgres_connection(cell_ctx *c, struct postgres_server *server);

#endif
