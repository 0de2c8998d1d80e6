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

/// Begins a transaction of the calling process, for the calls that carry its token as metadata "transaction". Programs
/// use cell_transaction, which does all of this. Fails with CELL_RESOURCE_EXHAUSTED when too many are open.
/// \param isolation 0: the database's default; 1: read committed; 2: repeatable read; 3: serializable; 16 more: read
/// only
/// \param token 32 hex digits, a secret of this process
CELL_METHOD int postgres_begin(cell_ctx *c, uint32_t isolation, cell_str *token);

/// Commits it. Fails with CELL_ABORTED when it could not be serialised or was aborted before, CELL_NOT_FOUND for no
/// transaction of this process.
CELL_METHOD int postgres_commit(cell_ctx *c, cell_str token);

/// Rolls it back. Fails with CELL_NOT_FOUND for no transaction of this process.
CELL_METHOD int postgres_rollback(cell_ctx *c, cell_str token);

#endif
