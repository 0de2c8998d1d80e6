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

/// A schema of the database as declarations of C.
struct postgres_header {
    cell_str text;      ///< The header: a struct with CELL_TABLE for each table.
    uint32_t tables;    ///< How many it declares.
    cell_list_str lost; ///< What it could not say, a sentence each; it stands in the header too.
};

/// Writes the header of tables that exist, for a program that adopts them: compiled against this database it changes
/// nothing. Fails with CELL_NOT_FOUND for a schema or a table that is not there.
/// \param schema empty: the default one
/// \param tables only these; empty: all of the schema
/// \param rows the structs only read (CELL_ROWS)
CELL_METHOD CELL_IDEMPOTENT int postgres_import(cell_ctx *c, cell_str schema, cell_list_str tables, bool rows,
                                                struct postgres_header *header);

/// A value, as PostgreSQL writes it.
struct postgres_value {
    bool is_null;
    cell_str text; ///< Empty when it is NULL.
};
CELL_LIST(postgres_values, struct postgres_value);

/// A column of a result.
struct postgres_column {
    cell_str name;
    cell_str type; ///< As format_type() prints it: "integer", "character varying".
};
CELL_LIST(postgres_columns, struct postgres_column);

/// What a statement has given.
struct postgres_rows {
    postgres_columns columns;
    postgres_values values; ///< Row after row, one value for each column.
    uint64_t count;         ///< Rows in `values`.
    uint64_t affected;      ///< Rows that it has given, inserted, updated or deleted.
    cell_str command;       ///< What it was: "SELECT", "INSERT", "CREATE TABLE".
};

/// Executes a statement that is known only at run time; one that is known when the program is written is better a
/// CELL_QUERY. Values never become text of the statement: they are bound to $1, $2, … and take the types that those
/// have there. Within cell_transaction() it belongs to the transaction. Fails with CELL_INVALID_ARGUMENT for more than
/// one statement, and for BEGIN, SET, LISTEN, COPY and others that belong to a connection; CELL_TOO_LARGE for a result
/// of more than 8 MiB; with the detail "postgres" (SQLSTATE) when PostgreSQL refuses it.
/// \param sql one statement
CELL_METHOD int postgres_execute(cell_ctx *c, cell_str sql, postgres_values parameters, struct postgres_rows *rows);

/// What a listener is told.
enum postgres_event {
    POSTGRES_NOTIFICATION = 0, ///< Somebody has notified.
    POSTGRES_LISTENING = 1,    ///< From here on all is heard: the first record, and again after a lost connection.
    POSTGRES_OVERFLOW = 2      ///< Notifications are missing here, because they were not taken fast enough.
};

/// A notification, or that there may be a gap.
struct postgres_notification {
    enum postgres_event event;
    int32_t pid;      ///< The server process that has notified; 0 of other events.
    cell_str payload; ///< Empty of other events.
};
CELL_WRITER(postgres_notifications, struct postgres_notification);

/// The notifications of a channel, from the first record on, which is POSTGRES_LISTENING: who has read it, and then
/// reads what the notifications are about, misses nothing. The same is to be done whenever it comes again, and at
/// POSTGRES_OVERFLOW. All listeners share one connection to the database. The stream ends when the client ends it.
/// Fails with CELL_INVALID_ARGUMENT for a channel that has not 1 to 63 bytes, and CELL_RESOURCE_EXHAUSTED.
CELL_METHOD int postgres_listen(cell_ctx *c, cell_str channel, postgres_notifications out);

/// Notifies those that listen to the channel; within cell_transaction() when that commits.
/// \param payload less than 8000 bytes
CELL_METHOD int postgres_notify(cell_ctx *c, cell_str channel, cell_str payload);

/// A step that was carried out, or begun.
struct postgres_step {
    uint64_t id;          ///< In the order of time.
    cell_str plan;        ///< The plan's id.
    int32_t position;     ///< Of the step in its plan, from 1.
    cell_str kind;        ///< "create-table", "add-column", …
    cell_str text;        ///< The SQL, or what it does.
    cell_str hazard;      ///< The rule that it touched; empty when none.
    cell_str consent;     ///< The macro that allowed it; empty when none was needed.
    cell_str schema;      ///< Of the table.
    cell_str table;       ///< Empty when it was about none.
    cell_str fingerprint; ///< Of the declaration that wanted it.
    cell_str source;      ///< Where that stands: "src/users.c:12:8".
    cell_str who;         ///< Unix user and program that asked for it.
    cell_str role;        ///< The database's user who did it.
    int64_t began_us;     ///< Microseconds since 1970-01-01 UTC.
    int64_t done_us;      ///< Likewise; 0: it has failed or was cut off, and a later step finishes it.
};
CELL_LIST(postgres_steps, struct postgres_step);

/// The steps that were carried out in this database, the latest first.
/// \param table only those of this table; empty: of all
/// \param limit at most so many; 0: 100
CELL_METHOD CELL_IDEMPOTENT int postgres_history(cell_ctx *c, cell_str table, uint32_t limit, postgres_steps *steps);

/// How an object differs from what the last plan has made.
enum postgres_change {
    POSTGRES_ADDED = 0,   ///< It was not there.
    POSTGRES_REMOVED = 1, ///< It is gone.
    POSTGRES_CHANGED = 2  ///< Its definition is another one.
};

/// An object that was changed by hand.
struct postgres_drifted {
    cell_str schema, table;
    cell_str kind; ///< "table", "column", "constraint" or "index".
    cell_str name; ///< Empty for the table itself.
    enum postgres_change change;
    cell_str was; ///< Its definition when the last plan was carried out; empty when it was not there.
    cell_str is;  ///< And now; empty when it is gone.
    bool ignored; ///< Somebody has settled that it is right so.
};
CELL_LIST(postgres_drift_list, struct postgres_drifted);

/// What was changed by hand in tables that plans have made or changed.
CELL_METHOD CELL_IDEMPOTENT int postgres_drift(cell_ctx *c, postgres_drift_list *drift);

/// What to do about it.
enum postgres_settlement {
    POSTGRES_ADOPT = 0,  ///< It is right so, and from now on what is compared with.
    POSTGRES_REVERT = 1, ///< The database is changed back.
    POSTGRES_IGNORE = 2  ///< It stays, and is not reported as long as it stays as it is.
};

/// Settles what was changed by hand, and returns how many objects that were. Fails with CELL_PERMISSION_DENIED when the
/// policy does not allow it, CELL_NOT_FOUND when nothing was changed there, CELL_FAILED_PRECONDITION for a revert that
/// needs `loses`, CELL_DEADLINE_EXCEEDED when a table is locked. The failure is that of the first object that could not
/// be settled; others are settled all the same, and the details `settled` and `unsettled` are JSON lists of both, the
/// latter with the reason of each. Doing it again goes on with those.
/// \param table its name, or schema and name with a dot between; empty: all tables
/// \param name of the column, constraint or index; empty: all
/// \param loses a revert may lose data: what is in a column that was added, or what another type cannot hold
CELL_METHOD int postgres_settle(cell_ctx *c, cell_str table, cell_str name, enum postgres_settlement how, bool loses);

/// A column of a table, as the field of a record.
struct postgres_field {
    cell_str name;
    cell_str type; ///< "i64", "opt<str>", "f32[384]"; "str" for what has no type of its own in C.
    bool key;      ///< Of the primary key. None of a table that cannot be followed.
};
CELL_LIST(postgres_fields, struct postgres_field);

/// An index of a table.
struct postgres_index {
    cell_str name;
};
CELL_LIST(postgres_indexes, struct postgres_index);

/// A table of the schema public, as a collection of a source.
struct postgres_collection {
    cell_str name;
    postgres_fields fields;
    postgres_indexes indexes;
    uint64_t count;           ///< Of rows: PostgreSQL's estimate, for showing it.
    uint64_t position;        ///< The number of its last change; 0 when it was never followed.
    uint64_t oldest_position; ///< Who has got as far as this, or farther, misses nothing.
    bool followed;            ///< Its changes are written down.
    cell_str problem;         ///< Why they cannot be; empty when they can.
};
CELL_LIST(postgres_collections_list, struct postgres_collection);

/// The tables that others can follow.
struct postgres_contents {
    cell_str identity; ///< 32 hex digits. Positions of a database with another one mean nothing in this.
    postgres_collections_list collections;
};

/// The tables of the schema public, and which of them are followed. Fails with CELL_RESOURCE_EXHAUSTED for more than
/// 10,000.
CELL_METHOD CELL_IDEMPOTENT int postgres_status(cell_ctx *c, struct postgres_contents *contents);

/// Follows a table: triggers write the keys of rows that are changed to the table cell.changes. This happens by itself
/// when somebody reads changes, if the policy allows it. Returns 1 when it was not followed before, else 0. Fails with
/// CELL_PERMISSION_DENIED under the policy plan, CELL_FAILED_PRECONDITION for a table without a primary key and others
/// that cannot be followed, CELL_UNAVAILABLE while a transaction holds the table.
CELL_METHOD CELL_IDEMPOTENT int postgres_follow(cell_ctx *c, cell_str table);

/// Ends that: the triggers are removed, and what they have written. Whoever follows the table reads all of it again,
/// for which it is followed anew. Returns 1 when it was followed, else 0. Fails as postgres_follow.
CELL_METHOD CELL_IDEMPOTENT int postgres_unfollow(cell_ctx *c, cell_str table);

/// A database for a test.
struct postgres_test {
    cell_str name;
    cell_str conninfo; ///< As libpq reads it, without a password.
};
CELL_WRITER(postgres_tests, struct postgres_test);

/// Makes a database for a test, which is the only record, and drops it when the stream ends, in whatever way. It has
/// the schema of the cell's own database and no rows, or is a copy of the database `source`. Fails with
/// CELL_PERMISSION_DENIED without the right to create databases, CELL_NOT_FOUND, and CELL_FAILED_PRECONDITION.
/// \param source empty, or a database that nobody is connected to
CELL_METHOD int postgres_test_database(cell_ctx *c, cell_str source, postgres_tests out);

#endif
