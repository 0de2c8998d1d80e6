/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The server's interface without the annotations, for code that is compiled without the plugin. See cell/serve.h. */
#ifndef CELL_SERVER_H
#define CELL_SERVER_H

#include <stdbool.h>

#include "client.h" // IWYU pragma: export

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

struct cell_server;
struct cell_later; /* a call that is answered later */

/*
 * Methods that a program brings with it: an expansion (`expand` below) may have methods that are none of the cell's,
 * each with a `binding`, a text in which the cell says to itself what is to be done. It is compiled into the program
 * and comes back from there, so it is what a client says: it grants nothing, and is to be checked. `method` and all
 * that it refers to is as the client's schema has it, request and out parameters have the client's layout, and it lives
 * until `unbind`. All of these are called by any threads, at the same time for different methods.
 */
struct cell_bound_ops {
    /* Before the first call of a bound method, in the thread and with the context of that call: once for all clients of
     * the same schema, and again after a failure, cell_server_unbind, or when none of these clients had been there for
     * a while. Negative, with cell_fail: that call fails so. */
    int (*bind)(cell_ctx *c, const struct cell_method *method, void **bound);
    /* A call, as a handler gets it (cell_invoke_fn); by several threads at the same time for one `bound`. An out
     * parameter that is in `in` as well begins as a shallow copy of what came in. Records of a stream are put and taken
     * with cell_ctx_stream(c). */
    int (*invoke)(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out);
    /* After the last call with it; the latest before `stop`. `user` is cell_server_options.user. Without a call's
     * context, by any thread. NULL = nothing to do. */
    void (*unbind)(void *user, void *bound);
    /*
     * In place of `invoke`, for a call whose answer another thread will have: optional, all three NULL = never. When
     * more clients are busy than there are processors the server serves many connections with one thread, and offers it
     * small calls here that have no metadata and no stream. It must not block. False: not this one, nothing was done;
     * `invoke` has it in a thread of its own. True: the call goes on, its context, request and out parameters live, and
     * it has its place among max_threads, until cell_later_finish or cell_later_resume was called: exactly once for
     * each, by any thread, possibly before this returns, but not from in here. Until then the context is used by one
     * thread at a time. Neither its deadline nor that its client cancels or dies is told to who does so: a call that
     * may last is to be resumed, where cell_ctx_cancelled sees both. While the server drains calls go on, and count
     * towards drain_ms as others do.
     */
    bool (*begin)(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out,
                  struct cell_later *later);
    /* The rest of such a call, in a thread of the server's, which may block: as invoke, with what cell_later_resume was
     * given. */
    int (*resume)(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out,
                  void *state);
    /* After one or more calls were begun: what begin has kept back goes on its way. `user` as for unbind. Must not
     * block. */
    void (*flush)(void *user);
    /* Whether clients with this bound method can be served at all: of each one of a client's schema, before the first
     * `bind`, within the call that this is for; where that is over, the next call goes on. Negative, with cell_fail:
     * that call fails so, and the next one asks again. Optional, NULL = they can. */
    int (*check)(cell_ctx *c, const struct cell_method *method);
};

/* Ends a call that was begun: with what a handler returns, and what out parameters and context hold. Encodes and sends
 * the reply, without waiting: one that its client does not take at once is sent by another thread. `later` and the
 * call's context are not the caller's any more. */
void cell_later_finish(struct cell_later *later, int result);
/* Has the call go on in a thread of the server's, with `resume`. */
void cell_later_resume(struct cell_later *later, void *state);

/*
 * Listening for other hosts, beside the socket: docs/protocol.md, "HTTPS"; docs/security.md. Needs libcell_https.so,
 * which is loaded then. Files are read when the server begins to run. Nobody is served who is not known by a token or a
 * client certificate, unless allow_anonymous says so, and then no plans are carried out for those.
 */
struct cell_https_options {
    const char *address; /* "https://HOST:PORT", HOST numeric or localhost; port 0 = any, which health tells */
    const char *certificate, *key;  /* PEM files; the key must be its user's alone */
    const char *tokens;             /* file of lines "NAME TOKEN", its user's alone; NULL = none */
    const char *client_authorities; /* PEM file with who may vouch for client certificates; NULL = none */
    uint32_t max_connections;       /* 0 = 128 */
    uint32_t max_per_address;       /* connections of one address; 0 = 32 */
    uint32_t requests_per_s;        /* of one address, on average; 0 = 200 */
    bool allow_anonymous;
};

struct cell_server_options {
    const char *address; /* "unix:/run/cell/auth.sock"; NULL = the cell's default place */
    /* 0 = three quarters of the descriptors that the process may open (RLIMIT_NOFILE), at most 16384. Beyond, an idle
     * client is sent away, of the user who has the most connections, or a new one waits. */
    uint32_t max_connections;
    uint32_t max_threads;     /* 0 = 16; handlers that run at once */
    uint32_t max_message;     /* bytes; 0 = 16 MiB */
    uint32_t drain_ms;        /* on SIGTERM: how long running calls may take; 0 = 10000 */
    void *user;               /* for cell_ctx_user */
    int (*start)(void *user); /* after the socket is open, before the first call: negative stops the server */
    void (*stop)(void *user); /* after the last call */
    /* Answers an annotation "cell:NAME.VERB": request and document are JSON (docs/protocol.md, "expand"). The reply's
     * memory comes from `c`. NULL = this cell has no verbs. */
    int (*expand)(cell_ctx *c, cell_str request, cell_str *document);
    const char *verbs; /* JSON array of the verbs that `expand` answers, docs/protocol.md; NULL = none */
    /* Connections, and so descriptors, of one user; beyond, new ones are refused with CELL_RESOURCE_EXHAUSTED. 0 =
     * three quarters of max_connections, but no limit for root and the user that the server runs as, who could take all
     * there is in other ways. A number holds for everybody. */
    uint32_t max_connections_per_uid;
    uint32_t reserved; /* 0 */
    /* Bytes of requests that are being received, of replies that are not taken yet and of shared memory that is mapped,
     * of all connections of one user; what would be more is refused with CELL_RESOURCE_EXHAUSTED. When half of it is in
     * use, new connections get no shared memory. 0 = 16 messages of max_message; at least 2 are allowed in any case. */
    uint64_t max_bytes_per_uid;
    /* Calls with a stream that run at once; each holds a thread, and one of max_threads only while its handler does not
     * wait for the client. Beyond, and beyond three quarters of them for one user (but root and the user that the
     * server runs as), CELL_RESOURCE_EXHAUSTED. 0 = 256. */
    uint32_t max_streams;
    uint32_t reserved2; /* 0 */
    /* Folder in which the cell keeps what programs use of it (docs/drift.md, "Consumers"), as they report it: its own,
     * not another cell's. NULL = NAME.consumers, in $STATE_DIRECTORY (systemd's), else beside the socket, where that
     * stands or would stand. "" = this cell keeps none. */
    const char *consumers;
    const struct cell_bound_ops *bound; /* for methods with a binding; NULL = there are none here. Borrowed */
    /*
     * What an answer of `expand` depends on beside schema and question, as a token of 1 to 64 letters, digits, '.', '_'
     * and '-': while it stays the same, so do all answers, and compilers keep them. Its memory comes from `c` or lives
     * for ever. A compilation asks for it once and waits for it, so it should take well under a millisecond. Called by
     * several threads at the same time. Negative, with cell_fail: the annotation fails so; but CELL_UNIMPLEMENTED, as
     * NULL, means that answers are never kept.
     */
    int (*state)(cell_ctx *c, cell_str *token);
    /*
     * Carries out what the plans of `expand` say. `request` is JSON with the requests for expansions whose answer had a
     * plan, `reply` JSON that tells what was done (docs/protocol.md, "Apply"); its memory comes from `c`. It makes the
     * plans again from the requests and what is there by then: nothing left to do is success. Compilers run at once, so
     * several threads may be in here, and a deadline may end a call at any step, after which it comes again. NULL =
     * this cell's expansions have no plans.
     */
    int (*apply)(cell_ctx *c, cell_str request, cell_str *reply);
    /*
     * File with the cell's key, with which its schema is signed for those who compile (docs/security.md). It is made,
     * with mode 0600, when it is not there; FILE.version is kept beside it. NULL = $CELL_IDENTITY, else NAME.key in
     * $STATE_DIRECTORY (systemd's), else none. "" = none. A key cannot be taken back: clients refuse a cell that has
     * lost it. Needs libsodium; CELL_FAILED_PRECONDITION without.
     */
    const char *identity;
    /*
     * Capabilities of the cell that this server has not: names that CELL_CAPABILITY declares, separated by commas. The
     * schema that it serves says so, programs are built accordingly, and methods that need one of them answer
     * CELL_UNIMPLEMENTED without their handler being called. NULL = it has them all.
     */
    const char *without;
    const struct cell_https_options *https; /* NULL = only the socket. Borrowed until the server is freed */
};

/*
 * A server of the cell described by `provided`. Copies the options (strings are borrowed); NULL = all defaults.
 * CELL_FAILED_PRECONDITION when methods and schema do not match. *server is set also on failure (unless memory was
 * short), so that cell_server_message can be asked; free it in any case. Thread-safe.
 */
int cell_server_new_from(const struct cell_provided *provided, const struct cell_server_options *options,
                         struct cell_server **server);

/* This program's own cell, as CELL_PROVIDE defines it. */
extern const struct cell_provided cell_provided __attribute__((visibility("hidden")));
static inline int cell_server_new(const struct cell_server_options *options, struct cell_server **server)
{
    return cell_server_new_from(&cell_provided, options, server);
}
void cell_server_free(struct cell_server *server); /* NULL is accepted; must not be running */

/*
 * What keeps `length` bytes at `name` from being the name of a field, parameter, type, constant or method in a schema
 * or an expansion (docs/protocol.md, "Schema"): the rest of a sentence about what has that name, "has a keyword of C or
 * C++ as its name"; NULL = nothing. For cells that make names of what they find elsewhere. Lives for ever; thread-safe.
 */
const char *cell_name_problem(const char *name, size_t length);

/* Interceptors around every handler; see client.h. At most 16; before the server runs. */
int cell_server_intercept(struct cell_server *server, cell_interceptor_fn *fn, void *user);

/*
 * Opens the socket (or takes it from LISTEN_FDS), tells the supervisor (NOTIFY_SOCKET, WATCHDOG_USEC) and serves until
 * cell_server_stop or SIGTERM/SIGINT: then it accepts nothing new, lets running calls finish within drain_ms, tells
 * clients to go elsewhere, removes the socket file it made, and returns CELL_OK. Blocks. CELL_DEADLINE_EXCEEDED when a
 * handler did not end in spite of all that: then `stop` was not called, for the handler still uses what it would close.
 * May be called again afterwards; CELL_FAILED_PRECONDITION while it runs or such a handler does.
 */
int cell_server_run(struct cell_server *server);

/* Makes cell_server_run drain and return. Callable from any thread and from a signal handler. */
void cell_server_stop(struct cell_server *server);

/* Everything that is bound is unbound as soon as no call uses it, and bound anew with its next call: for when what
 * bindings refer to has changed. Callable from any thread, also from handlers, bind and invoke. */
void cell_server_unbind(struct cell_server *server);

/*
 * Begins the calls that have come on connections which share a thread; for who ends calls in batches, and so knows when
 * others come. With `more` clients wake nobody for their calls from here on, but wait for the next time, which must
 * come soon: within a millisecond, whether something has ended or not. The last time is without. By one thread that
 * holds no lock that begin, resume or flush take; while the server runs, or some call that was begun has not ended.
 */
void cell_server_gather(struct cell_server *server, bool more);

/* The last error of new/run in words, for the main function to print. Lives as long as the server. */
const char *cell_server_message(const struct cell_server *server);

/*
 * Memory for large values of a handler's reply, from where they are sent without being copied: text, bytes and lists of
 * plain values in out parameters that begin there at a multiple of 8. Aligned to 16, not initialised, valid until the
 * reply was sent. Where the connection shares memory with the client, that can read it at once, whatever the handler
 * returns, and what an earlier reply to it had may still be there; it counts towards max_bytes_per_uid. Elsewhere it is
 * what cell_ctx_alloc returns, as is less than 4 KiB. NULL when memory is short. By the thread that runs the handler.
 */
void *cell_ctx_lend(cell_ctx *c, size_t bytes);

/* cell_server_options.user of the server that runs this handler. */
void *cell_ctx_user(const cell_ctx *c);

/* The server that runs this handler; NULL elsewhere. */
struct cell_server *cell_ctx_server(const cell_ctx *c);

/*
 * For a handler that is going to wait for what other calls of the cell bring about: those find its place among
 * max_threads free, for the rest of this call (of one with a stream, until it has put or taken a record), so that what
 * is waited for cannot wait for it. It counts as a call with a stream meanwhile (max_streams). False: there are too
 * many of these; then it had better not wait. By the thread that runs the handler; again is nothing.
 */
bool cell_ctx_stand_aside(cell_ctx *c);

/*
 * For a handler that puts records and holds what others wait for: a step that has waited for room for so many
 * milliseconds, because its client takes nothing, fails with CELL_DEADLINE_EXCEEDED; the client hears of the result
 * when it goes on. 0 = it waits as long as it takes. By the thread that runs the handler. A client in this process is
 * waited for all the same.
 */
void cell_ctx_limit_stream(cell_ctx *c, uint32_t ms);

/*
 * For a handler whose answer somebody has to know of, since it has begun what only he can end. When the client gives
 * the call up after all, and so does not hear of the answer that was on its way, `undo` is called with `user`, which
 * lives until `stop`, and `what`, a text of less than CELL_MAX_UNHEARD bytes that is copied: once, by a thread of the
 * server's, soon after; it must not block. A client that dies says nothing. The last one that a call asks for counts.
 * False: such a client does not say so (of another host, in this process), or `what` is too long. By the thread that
 * runs the handler.
 */
#define CELL_MAX_UNHEARD 64
typedef void cell_unheard_fn(void *user, const char *what);
bool cell_ctx_if_unheard(cell_ctx *c, cell_unheard_fn *undo, void *user, const char *what);

/*
 * Who uses what of the cell: what programs reported when they were built (docs/drift.md, "Consumers"), at most 1,000 of
 * them. A program that nobody reported is not among them, and one that is gone is until somebody forgets it.
 */
/* VALUE: a constant or an enumerator. FUNCTION: one that is compiled in. RESOURCE: what an expansion of the cell has named
 * as such ("resources"). CAPABILITY: one that the program asked for and had, REQUIREMENT: one without which it does not
 * compile; "NAME", or "NAME.PARAMETER". */
enum cell_use_kind {
    CELL_USE_FIELD,
    CELL_USE_METHOD,
    CELL_USE_VALUE,
    CELL_USE_RESOURCE,
    CELL_USE_CAPABILITY,
    CELL_USE_REQUIREMENT,
    CELL_USE_FUNCTION
};

/* One use at one place. The texts are UTF-8 without control characters, and live until the next call of next. */
struct cell_consumer_use {
    const char *program;     /* the name of the program's file */
    const char *path;        /* of the file, absolute, where it was built; "" = it was reported under its name alone */
    const char *build;       /* SHA-256 of the file, in hex; "" = unknown */
    const char *project;     /* as in the requests of that project's compilations, "project"; "" = unknown */
    int64_t reported_s;      /* seconds since 1970, by this host's clock */
    const char *fingerprint; /* of the schema that it was compiled against */
    enum cell_use_kind kind;
    const char *name; /* "auth_session.email", "auth_login", "auth_login_async", "AUTH_MAX" */
    const char *file; /* source: below the program's project, or absolute */
    uint32_t line;
};
struct cell_consumer_uses; /* by one thread at a time */

/*
 * The uses of `name`, and of its fields when it is a type's name; NULL = all. They are those of this moment; records
 * are read from the disk one after the other, so this blocks. *uses is to be freed. CELL_UNIMPLEMENTED when the cell
 * keeps none; CELL_IO_ERROR, CELL_NO_MEMORY. Thread-safe.
 */
int cell_server_consumers(struct cell_server *server, const char *name, struct cell_consumer_uses **uses);
/* 1: *use is the next one. 0: there are no more. CELL_PROTOCOL_ERROR, CELL_IO_ERROR: a record cannot be read, and the
 * next call goes on behind it; whoever must not miss a program stops here. CELL_NO_MEMORY. */
int cell_consumer_uses_next(struct cell_consumer_uses *uses, struct cell_consumer_use *use);
void cell_consumer_uses_free(struct cell_consumer_uses *uses); /* NULL is accepted */

/*
 * A number that is another one whenever a record has come, gone or changed; for as long as it stays the same, so does
 * what cell_server_consumers gives. Looks at the folder, and reads no record: some microseconds for each. Errors as
 * cell_server_consumers. Thread-safe.
 */
int cell_server_consumers_stamp(struct cell_server *server, uint64_t *stamp);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
