// RUN: rm -rf %t && split-file %s %t
// RUN: %clang_cell -std=c11 -Wall -Wextra -Werror -O0 -c %t/auth.c -o %t/auth.o
// RUN: %python %inputs/show_schema.py %t/auth.o | FileCheck --check-prefix=SCHEMA %s
// RUN: %clang_cell -std=c17 -Weverything -Werror -O2 -flto=thin -fno-lto -c %t/auth.c -o %t/auth2.o -Wno-unknown-warning-option -Wno-pre-c2x-compat -Wno-pre-c23-compat -Wno-missing-prototypes -Wno-padded -Wno-pre-c11-compat -Wno-declaration-after-statement
// RUN: %python %inputs/show_schema.py %t/auth2.o | FileCheck --check-prefix=SCHEMA %s
// RUN: llvm-readelf -S --symbols %t/auth2.o | FileCheck --check-prefix=ELF %s
// The same source gives the same bytes.
// RUN: %clang_cell -std=c11 -O0 -c %t/auth.c -o %t/again.o && cmp %t/auth.o %t/again.o
// The schema does not depend on the order of declarations.
// RUN: %clang_cell -std=c11 -c %t/shuffled.c -o %t/shuffled.o
// RUN: %python %inputs/show_schema.py %t/auth.o > %t/a && %python %inputs/show_schema.py %t/shuffled.o > %t/b
// RUN: grep '^method' %t/a > %t/a.methods && grep '^method' %t/b > %t/b.methods && diff %t/a.methods %t/b.methods
// C23
// RUN: %clang_cell -std=c2x -c %t/auth.c -o %t/auth23.o
// RUN: %python %inputs/show_schema.py %t/auth23.o | FileCheck --check-prefix=SCHEMA %s

// SCHEMA: fingerprint {{[0-9a-f]{64}$}}
// SCHEMA: type {"align": 4, "doc": "What an account may do.", "kind": "enum", "name": "auth_role", "size": 4, "type": "u32", "values": [{"doc": "Calls methods.", "name": "AUTH_USER", "value": "0"}, {"doc": "Everything.", "name": "AUTH_ADMIN", "value": "1"}]}
// SCHEMA: type {"align": 8, "doc": "One login.", "fields": [{"doc": "The account's address.", "name": "email", "offset": 0, "type": "str"}, {"name": "token", "offset": 16, "since": "1.1", "type": "u8[32]"}, {"name": "role", "offset": 48, "renamed_from": "kind", "type": "auth_role"}], "kind": "struct", "name": "auth_session", "size": 56}
// SCHEMA: type {{.*}}"kind": "list", "name": "auth_session_list", "of": "auth_session", "size": 16}
// SCHEMA: constant {"doc": "Sessions of one account.", "name": "AUTH_MAX_SESSIONS", "type": "i64", "value": "32"}
// SCHEMA: method {"idempotent": true, "name": "auth_list", "params": [{"dir": "out", "name": "out", "pointer": true, "type": "auth_session_list"}]}
// SCHEMA: method {"doc": "Opens a session.\nIt expires.", "name": "auth_login", "params": [{"dir": "in", "doc": "the address\nof the account", "name": "email", "type": "str"}, {"dir": "in", "name": "password", "type": "str"}, {"dir": "out", "doc": "the session", "name": "out", "pointer": true, "type": "auth_session"}]}
// SCHEMA: method {"name": "auth_ping", "params": []}
// SCHEMA: cell {"abi": "lp64-le", {{.*}}"cell": "auth", {{.*}}"doc": "Accounts and sessions"

// ELF: ] cell_methods
// ELF: ] cell_schema
// ELF-DAG: OBJECT GLOBAL HIDDEN {{.*}} cell_provided
// ELF-DAG: OBJECT GLOBAL HIDDEN {{.*}} cell_provided_schema
// ELF-DAG: OBJECT LOCAL {{.*}} cellgen_entry_auth_login
// ELF-DAG: NOTYPE WEAK HIDDEN UND __start_cell_methods
// ELF-DAG: NOTYPE WEAK HIDDEN UND __stop_cell_methods

//--- cell.json
{
}

//--- auth.c
#include "auth.h"

CELL_PROVIDE(auth, "Accounts and sessions");

int auth_login(cell_ctx *c, cell_str email, cell_str password, struct auth_session *out)
{
    (void)password;
    out->email = email;
    return cell_ctx_cancelled(c) ? CELL_CANCELLED : 0;
}

CELL_METHOD CELL_IDEMPOTENT int auth_list(cell_ctx *c, auth_session_list *out)
{
    (void)c;
    out->len = 0;
    return 0;
}

CELL_METHOD int auth_ping(cell_ctx *c) { return c ? 1 : 0; }

//--- auth.h
#include <cell/serve.h>

/// What an account may do.
enum auth_role {
    AUTH_USER, ///< Calls methods.
    /** Everything. */
    AUTH_ADMIN
};

/** One login. */
struct auth_session {
    cell_str email; /**< The account's address. */
    unsigned char token[32] CELL_SINCE("1.1");
    enum auth_role role CELL_RENAMED_FROM(kind);
};
CELL_LIST(auth_session_list, struct auth_session);

/// Sessions of one account.
CELL_EXPORT(AUTH_MAX_SESSIONS, 32);

/**
 * \brief Opens a session.
 * It expires.
 *
 * \param email the address
 *              of the account
 * @param[out] out the session
 */
CELL_METHOD int auth_login(cell_ctx *c, cell_str email, cell_str password, struct auth_session *out);

//--- shuffled.c
#include "auth.h"

CELL_METHOD int auth_ping(cell_ctx *c);
CELL_METHOD CELL_IDEMPOTENT int auth_list(cell_ctx *c, auth_session_list *out);
CELL_PROVIDE(auth, "Accounts and sessions");
