/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The auth cell's interface: this header is its schema. Comments with three slashes reach the programs that use it. */
#ifndef CELLS_AUTH_AUTH_H
#define CELLS_AUTH_AUTH_H

#include <stdbool.h>

#include <cell/serve.h>

/// Fewest characters (Unicode code points) of a new password.
CELL_EXPORT(AUTH_MIN_PASSWORD, 8);
/// Most bytes of a password.
CELL_EXPORT(AUTH_MAX_PASSWORD, 1024);
/// Sessions that an account can have at once; a further log-in ends the oldest.
CELL_EXPORT(AUTH_MAX_SESSIONS, 32);

/// Whether a session can be used, or why not.
enum auth_state {
    AUTH_ACTIVE = 0,     ///< It can be used.
    AUTH_EXPIRED = 1,    ///< Its time is over.
    AUTH_LOGGED_OUT = 2, ///< Its holder logged out.
    AUTH_REVOKED = 3     ///< It was ended by another session, a change of password, or too many log-ins.
};

/// An account.
struct auth_account {
    uint64_t id;        ///< Never used again, also when the account is gone.
    cell_str email;     ///< In lower case.
    int64_t created_ms; ///< Milliseconds since 1970-01-01 UTC.
};

/// A session that was just opened.
struct auth_session {
    uint64_t id;    ///< For auth_revoke_session; no secret.
    cell_str token; ///< The secret that stands for the session in every other call: 43 characters. Never log it.
#ifndef AUTH_DRIFT
    cell_str email; ///< Of the account, in lower case.
#endif
    int64_t created_ms; ///< Milliseconds since 1970-01-01 UTC.
    int64_t expires_ms; ///< Likewise. Nothing prolongs a session.
};

/// A session in a list.
struct auth_session_info {
    uint64_t id;
    enum auth_state state;
    bool current; ///< It is the session that asks.
    int64_t created_ms;
    int64_t expires_ms;
    uint32_t uid;     ///< The Unix user whose program logged in.
    cell_str program; ///< That program, as it named itself.
};
CELL_LIST(auth_session_list, struct auth_session_info);

/* What every address that the cell takes looks like, so that most mistakes are found before a call is made: words of
 * what RFC 5322 calls atext with single dots between them, and labels of letters, digits and hyphens. The cell looks
 * closer. */
#define AUTH_ATEXT "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
#define AUTH_LABEL "[A-Za-z0-9]+(-+[A-Za-z0-9]+)*"
#define AUTH_EMAIL                                                                                                     \
    CELL_PATTERN(AUTH_ATEXT "(\\." AUTH_ATEXT ")*@" AUTH_LABEL "(\\." AUTH_LABEL ")*", "this is no e-mail address")    \
    CELL_LENGTH(3, 254, "an e-mail address has 3 to 254 characters")
#define AUTH_NEW_PASSWORD CELL_LENGTH(AUTH_MIN_PASSWORD, AUTH_MAX_PASSWORD)

/// Creates an account. Fails with CELL_INVALID_ARGUMENT when the address is malformed or the password too short or too
/// long, CELL_ALREADY_EXISTS, and CELL_RESOURCE_EXHAUSTED as auth_login.
/// \param email compared without regard to case; ASCII, at most 254 bytes
/// \param password AUTH_MIN_PASSWORD characters to AUTH_MAX_PASSWORD bytes
CELL_METHOD int auth_register(cell_ctx *c, cell_str email AUTH_EMAIL, cell_str password AUTH_NEW_PASSWORD,
                              struct auth_account *account);

/// Opens a session. Fails with CELL_UNAUTHENTICATED for a wrong password and for an unknown account alike. After too
/// many failed log-ins of the account or of the calling user, or while too many log-ins are being checked, it fails
/// with CELL_RESOURCE_EXHAUSTED and the detail "retry-after-ms", a decimal number.
CELL_METHOD int auth_login(cell_ctx *c, cell_str email, cell_str password, struct auth_session *session);

/// The account of a session. Fails with CELL_UNAUTHENTICATED when the session has ended, and says how.
CELL_METHOD CELL_IDEMPOTENT int auth_whoami(cell_ctx *c, cell_str token, struct auth_account *account);

/// Replaces the password and ends every other session of the account; returns how many those were. Fails with
/// CELL_PERMISSION_DENIED when the old password is wrong (counted as a failed log-in), CELL_ABORTED when it was changed
/// at the same time, CELL_UNAUTHENTICATED, CELL_INVALID_ARGUMENT and CELL_RESOURCE_EXHAUSTED as auth_login.
CELL_METHOD int auth_change_password(cell_ctx *c, cell_str token, cell_str old_password,
                                     cell_str new_password AUTH_NEW_PASSWORD);

/// Ends the session. A session that has ended already is no error.
CELL_METHOD CELL_IDEMPOTENT int auth_logout(cell_ctx *c, cell_str token);

/// The account's sessions, the newest first: those that are active, and those that ended in the last 30 days; at
/// most 64.
CELL_METHOD CELL_IDEMPOTENT int auth_list_sessions(cell_ctx *c, cell_str token, auth_session_list *sessions);

/// Ends a session of the same account, which may be the one that asks. Fails with CELL_NOT_FOUND when the account has
/// no such session; one that has ended already is no error.
/// \param id auth_session_info.id
CELL_METHOD CELL_IDEMPOTENT int auth_revoke_session(cell_ctx *c, cell_str token, uint64_t id);

#endif
