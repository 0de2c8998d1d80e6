/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The one list of status codes. Every function that can fail returns a negative value of this list, and CELL_OK or a
 * non-negative result otherwise. The numbers travel on the wire and never change; the first sixteen have the meaning
 * and (negated) the number of the gRPC status codes, https://grpc.io/docs/guides/status-codes/.
 *
 * What a call that failed has done. CELL_UNAVAILABLE: the cell did not begin it. CELL_UNKNOWN_OUTCOME: the connection
 * was lost after the request was sent and before the answer came; whether the call was carried out is not known, and it
 * is made again by itself only if the method is idempotent. CELL_DEADLINE_EXCEEDED, CELL_CANCELLED and CELL_PROTOCOL_
 * ERROR may come after the request was sent as well, and then say as little about that. Every other status is the
 * cell's answer, or was found before anything was sent. (A handler may return any of these itself, and means what its
 * documentation says.)
 */
#ifndef CELL_ERRORS_H
#define CELL_ERRORS_H

/* X(symbol, value, name for scripts, text for people) */
#define CELL_STATUS_MAP(X)                                                                                             \
    X(CELL_CANCELLED, -1, "cancelled", "the call was cancelled")                                                       \
    X(CELL_UNKNOWN, -2, "unknown", "unknown error")                                                                    \
    X(CELL_INVALID_ARGUMENT, -3, "invalid-argument", "an argument is invalid")                                         \
    X(CELL_DEADLINE_EXCEEDED, -4, "deadline-exceeded", "the deadline passed before the call was complete")             \
    X(CELL_NOT_FOUND, -5, "not-found", "not found")                                                                    \
    X(CELL_ALREADY_EXISTS, -6, "already-exists", "already exists")                                                     \
    X(CELL_PERMISSION_DENIED, -7, "permission-denied", "permission denied")                                            \
    X(CELL_RESOURCE_EXHAUSTED, -8, "resource-exhausted", "a limit was reached")                                        \
    X(CELL_FAILED_PRECONDITION, -9, "failed-precondition", "the state does not allow this")                            \
    X(CELL_ABORTED, -10, "aborted", "aborted by a conflict")                                                           \
    X(CELL_OUT_OF_RANGE, -11, "out-of-range", "out of range")                                                          \
    X(CELL_UNIMPLEMENTED, -12, "unimplemented", "the cell has no such method")                                         \
    X(CELL_INTERNAL, -13, "internal", "internal error")                                                                \
    X(CELL_UNAVAILABLE, -14, "unavailable", "the cell cannot be reached")                                              \
    X(CELL_DATA_LOSS, -15, "data-loss", "data was lost or is corrupt")                                                 \
    X(CELL_UNAUTHENTICATED, -16, "unauthenticated", "the caller is not authenticated")                                 \
    X(CELL_SCHEMA_MISMATCH, -17, "schema-mismatch", "client and cell were built from different schemas")               \
    X(CELL_PROTOCOL_ERROR, -18, "protocol-error", "the peer broke the protocol")                                       \
    X(CELL_NO_MEMORY, -19, "no-memory", "out of memory")                                                               \
    X(CELL_TOO_LARGE, -20, "too-large", "larger than the limit")                                                       \
    X(CELL_IO_ERROR, -21, "io-error", "input or output failed")                                                        \
    X(CELL_UNKNOWN_OUTCOME, -22, "unknown-outcome", "the connection was lost before the call was answered")

enum cell_status {
    CELL_OK = 0,
#define CELL_STATUS_ENUM(symbol, value, name, text) symbol = value,
    CELL_STATUS_MAP(CELL_STATUS_ENUM)
#undef CELL_STATUS_ENUM
};

#define CELL_ERROR_TEXT 512

/* A status and a sentence with its trail, of what works without a context. Zero-initialise. Where a function takes a
 * pointer to one, NULL is accepted: the status is returned, the text dropped. */
struct cell_error {
    int status;
    char text[CELL_ERROR_TEXT]; /* NUL-terminated; cut at the end, on a UTF-8 boundary, when too long */
};

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* The script name ("not-found") of a status; "ok" for any value >= 0, "unknown" for one outside the list.
 * Static memory; thread-safe; cannot fail. */
const char *cell_status_name(int status);

/* The sentence for people ("not found"). Static memory; thread-safe; cannot fail. */
const char *cell_status_text(int status);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
