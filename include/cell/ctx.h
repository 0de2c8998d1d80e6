/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The call context: first argument of every generated client function and of every handler. It owns the deadline,
 * cancellation, metadata in both directions, the caller's identity, the memory of replies and the error trail.
 *
 * Thread-safety: a context is used by one thread at a time; only cell_ctx_cancel may be called from any thread (not
 * from a signal handler). Every function accepts a NULL context and then fails with CELL_NO_MEMORY or does nothing, so
 * that the result of cell_ctx_open need not be checked before a call.
 */
#ifndef CELL_CTX_H
#define CELL_CTX_H
#pragma GCC system_header /* its macros use Clang extensions: silent under -pedantic */

#include "desc.h" // IWYU pragma: export

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

struct cell_ctx_options {
    uint32_t reserved;          /* 0 */
    uint32_t timeout_ms;        /* per call; 0 = the default, 5000; UINT32_MAX = none */
    struct cell_client *client; /* NULL = the cell's default client; borrowed, must outlive the context */
    uint64_t memory_limit;      /* bytes of replies and allocations at once; 0 = the default, 64 MiB */
};

/* A new context, or NULL when memory is short. Close it with cell_ctx_close, or use CELL_CTX below. */
cell_ctx *cell_ctx_open(const struct cell_ctx_options *options); /* NULL = all defaults */
void cell_ctx_close(cell_ctx *c);

/* Forgets replies, allocations, errors and incoming metadata, and ends streams that are open, whose iterators and
 * writers are not valid any more; keeps options and outgoing metadata. For loops. On a handler's own context, and
 * within an interceptor, it forgets errors only: the request and the reply live there. */
void cell_ctx_reset(cell_ctx *c);

/* Deadline of the calls that follow, as in cell_ctx_options. */
void cell_ctx_set_timeout_ms(cell_ctx *c, uint32_t timeout_ms);
void cell_ctx_set_client(cell_ctx *c, struct cell_client *client);

/* Nanoseconds left until the deadline of the running call (handlers), UINT64_MAX when it has none, 0 when it passed.
 * A handler passes its own context to the calls it makes: they inherit deadline, cancellation and trace. */
uint64_t cell_ctx_remaining_ns(const cell_ctx *c);

/* Cancels the call that runs on `c` now, or the next one: it returns CELL_CANCELLED. So do all steps of its streams.
 * Callable from any thread. */
void cell_ctx_cancel(cell_ctx *c);

/* True when the caller has cancelled, has gone, or the deadline has passed. A handler that works long asks this. */
CELL_BOOL_TYPE cell_ctx_cancelled(cell_ctx *c);

/*
 * Asynchronous calls. Each client function NAME has a form NAME_async, which sends the request and returns a ticket.
 * The out parameters are filled in by cell_wait, whose result is the call's. The calls of one context to one cell are
 * carried out one after the other in the order in which they were sent; calls to several cells, of methods that several
 * annotations have brought, and of several contexts, run at the same time. Each has its own deadline, counted from when
 * it was sent. A call that is lost with its connection is not made again, and is CELL_UNKNOWN_OUTCOME. Up to 1,024
 * calls of a context may be outstanding; a synchronous call in between is independent of them.
 *
 * cell_wait waits for one call, in any order; each ticket is good for one time, and a negative one is returned as it
 * is, so that cell_wait(c, f_async(c, …)) is f(c, …). CELL_INVALID_ARGUMENT for a ticket of another context, or used
 * up. cell_wait_any waits until one of n calls is complete, puts its result into *result and returns its index; or,
 * without waiting, CELL_INVALID_ARGUMENT (n is 0 or over 1,024) or CELL_NO_MEMORY. With interceptors, a fake client or
 * a server in this process a call is made as it is sent. cell_ctx_cancel ends all calls that are outstanding;
 * cell_ctx_reset and cell_ctx_close give them up.
 */
int cell_wait(cell_ctx *c, int ticket);
int cell_wait_any(cell_ctx *c, const int *tickets, size_t n, int *result);

/*
 * A batch: between these two the context's asynchronous calls may be kept back, and are then sent together, which costs
 * one system call, or none, for many. They are sent by the end of the batch, by cell_wait and cell_wait_any, by a
 * synchronous call of the context, and when no more can be kept back; a batch of more than 48 calls, or 8 KiB of
 * requests, is sent in pieces. Deadlines count from the call, not from then. What cannot be sent any more fails as any
 * asynchronous call does, when it is waited for.
 *
 * Batches count: within each other only the outermost end sends. cell_ctx_reset and cell_ctx_close end them all, and
 * the calls are given up whether they were sent or not; the end of a handler ends those of its context. begin: CELL_OK;
 * CELL_NO_MEMORY without a context. end: CELL_OK; CELL_FAILED_PRECONDITION when no batch was begun.
 */
int cell_batch_begin(cell_ctx *c);
int cell_batch_end(cell_ctx *c);

/* The stream of the call that a handler or a fake answers with `c`, for cell_stream_put and cell_stream_next (types.h).
 * NULL: its method has none. Lives as long as the call. */
struct cell_stream *cell_ctx_stream(cell_ctx *c);

/* Zeroed memory that lives until the context is reset or closed (a handler's: until its reply was sent). NULL when
 * memory is short or the context's limit is reached. */
void *cell_ctx_alloc(cell_ctx *c, size_t size);
/* Copies into such memory, NUL-terminated; {NULL, 0} when memory is short. */
cell_str cell_ctx_copy(cell_ctx *c, cell_str s);
cell_str cell_ctx_printf(cell_ctx *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * A transaction with `cell`, which must have the methods CELL_begin(c, uint32_t isolation, cell_str *token),
 * CELL_commit(c, cell_str token) and CELL_rollback(c, cell_str token), of that cell's name. Begins one, runs `body`,
 * and commits when its result is 0 or more, else rolls back. While `body` runs, calls with `c` to this cell carry the
 * metadata "transaction" with the token, and so belong to the transaction; calls to others do not.
 *
 * When the body or the commit fails with CELL_ABORTED, which says that the same may succeed when it is tried again (a
 * deadlock, a serialisation failure, a connection that was lost before the commit), everything is done again from the
 * beginning, after a short random pause: up to 10 times in all, and no longer than the context's timeout from the first
 * time on, or the deadline of the handler whose context `c` is. So `body` must not rely on what it did before outside
 * of the transaction. What it began with `c` (an asynchronous call, a stream) it must have ended when it returns 0 or
 * more, else the transaction is rolled back with CELL_FAILED_PRECONDITION; a stream of it that is still open then is
 * given up in any case. Nor can it call anything of the transaction while a stream that it has opened in it has neither
 * ended nor been read to its end: such a call fails at once with CELL_FAILED_PRECONDITION, and nothing was sent.
 *
 * Returns the body's result, or a negative enum cell_status with the trail in `c`: CELL_FAILED_PRECONDITION within
 * another transaction of `c` (and nothing was done); the body's own error after the rollback; that of the beginning or
 * of the commit. A commit whose reply does not come (CELL_UNKNOWN_OUTCOME, CELL_DEADLINE_EXCEEDED, CELL_CANCELLED) may
 * have happened. Rolling back is tried for up to two seconds also when `c` is cancelled or out of time; a cell ends by
 * itself a transaction of which it does not hear any more. Thread-safety as any call with `c`.
 */
typedef int cell_transaction_fn(cell_ctx *c, void *user);
int cell_transaction(cell_ctx *c, const char *cell, cell_transaction_fn *body, void *user);
/* The same with an isolation level, a number of the cell's; 0 = its default, as above. */
int cell_transaction_isolated(cell_ctx *c, const char *cell, uint32_t isolation, cell_transaction_fn *body, void *user);

/*
 * Metadata: up to 64 pairs, 8 KiB together; keys are lower-case [a-z0-9._-]+, values any bytes. Clients set request
 * metadata before the call and read reply metadata after it; handlers read the request's and set the reply's, and the
 * calls that they make with their own context carry only the request's "traceparent" and "tracestate" (W3C trace
 * context), unchanged, and what the client's interceptors set, and receive none.
 * set: CELL_INVALID_ARGUMENT for a bad key, CELL_TOO_LARGE over the limits; copies. get: CELL_NOT_FOUND; the value
 * lives until reset.
 */
int cell_ctx_set_metadata(cell_ctx *c, const char *key, cell_str value);
int cell_ctx_metadata(const cell_ctx *c, const char *key, cell_str *value);

/* Who called this handler. pid is informative only: it may have been reused. */
struct cell_caller {
    uint32_t uid, gid;
    int32_t pid;
    cell_str program; /* as the client names itself; not verified */
};
/* CELL_NOT_FOUND on a client's context. */
int cell_ctx_caller(const cell_ctx *c, struct cell_caller *caller);

/*
 * The error trail. cell_fail records `status` with a message and returns it: `return cell_fail(c, CELL_NOT_FOUND, "no
 * account %s", id)`. What a handler records travels to the client. cell_trail adds a level of context to an error that
 * is already there ("while renewing the session") and returns the status unchanged. Details are typed bytes beside the
 * message, for programs (up to 16, 4 KiB together); the type is a key as in metadata.
 */
int cell_fail(cell_ctx *c, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
int cell_trail(cell_ctx *c, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
int cell_add_detail(cell_ctx *c, const char *type, cell_bytes value);
int cell_detail(const cell_ctx *c, const char *type, cell_bytes *value);

/* The last error: its status (0 = none) and its message with the trail, outermost first, "a: b: c". Until reset. */
int cell_ctx_status(const cell_ctx *c);
const char *cell_ctx_message(const cell_ctx *c);

/* Prints "what: message (status-name)" to stderr; returns 1, to be returned from main. */
int cell_perror(const cell_ctx *c, const char *what);

/* Support of CELL_CTX. */
cell_ctx *cell_ctx_open_value(struct cell_ctx_options options);
void cell_ctx_cleanup(cell_ctx **c);

#pragma GCC visibility pop
#ifdef __cplusplus
}
/* Designated initializers are an extension before C++20, and Clang warns of those members that are left out. */
#ifdef __clang__
#define CELL_CTX_QUIET(...)                                                                                            \
    _Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Wmissing-field-initializers\"")              \
        __VA_ARGS__ _Pragma("clang diagnostic pop")
#else
#define CELL_CTX_QUIET(...) __VA_ARGS__
#endif
#define CELL_CTX_VALUE(...) (CELL_CTX_QUIET(__extension__ ::cell_ctx_options{__VA_ARGS__}))
#else
#define CELL_CTX_VALUE(...) ((struct cell_ctx_options){.reserved = 0, __VA_ARGS__})
#endif

/* CELL_CTX(c);  CELL_CTX(c, .timeout_ms = 2000);   declares `cell_ctx *c`, closed at the end of the scope. */
#define CELL_CTX(...) CELL_CTX_DECLARE(__VA_ARGS__, )
#define CELL_CTX_DECLARE(name, ...)                                                                                    \
    __attribute__((cleanup(cell_ctx_cleanup))) cell_ctx *name = cell_ctx_open_value(CELL_CTX_VALUE(__VA_ARGS__))

#endif
