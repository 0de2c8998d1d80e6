/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Descriptors: the constant tables from which messages are encoded, checked and decoded. The plugin renders them; you
 * only write them by hand to test without a compiler. All are immutable with static lifetime, so reading them is
 * thread-safe. CELL_DESC_ABI changes when any of these structs changes; a library refuses a table of another version.
 */
#ifndef CELL_DESC_H
#define CELL_DESC_H

#include "errors.h" // IWYU pragma: export
#include "types.h"  // IWYU pragma: export

#define CELL_DESC_ABI 5u

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

typedef struct cell_ctx cell_ctx;
struct cell_client;

/* X(symbol suffix, number, schema name, size in bytes or 0 when it depends). Numbers are part of CELL_DESC_ABI. */
#define CELL_KIND_MAP(X)                                                                                               \
    X(BOOL, 1, "bool", 1)                                                                                              \
    X(I8, 2, "i8", 1)                                                                                                  \
    X(U8, 3, "u8", 1)                                                                                                  \
    X(I16, 4, "i16", 2)                                                                                                \
    X(U16, 5, "u16", 2)                                                                                                \
    X(I32, 6, "i32", 4)                                                                                                \
    X(U32, 7, "u32", 4)                                                                                                \
    X(I64, 8, "i64", 8)                                                                                                \
    X(U64, 9, "u64", 8)                                                                                                \
    X(F32, 10, "f32", 4)                                                                                               \
    X(F64, 11, "f64", 8)                                                                                               \
    X(STR, 12, "str", 16)                                                                                              \
    X(BYTES, 13, "bytes", 16)                                                                                          \
    X(STRUCT, 14, "struct", 0)                                                                                         \
    X(ENUM, 15, "enum", 0)                                                                                             \
    X(LIST, 16, "list", 16)                                                                                            \
    X(OPT, 17, "opt", 0)

enum cell_kind {
#define CELL_KIND_ENUM(symbol, number, name, size) CELL_KIND_##symbol = number,
    CELL_KIND_MAP(CELL_KIND_ENUM)
#undef CELL_KIND_ENUM
};

struct cell_field;

/* One type. `name` is the C tag or typedef name without `struct`/`enum`; the schema name for built-ins. */
struct cell_type {
    const char *name;
    uint32_t kind;                   /* enum cell_kind */
    uint32_t size;                   /* sizeof, bytes */
    uint32_t align;                  /* alignof, bytes */
    uint32_t nfields;                /* STRUCT, ENUM */
    const struct cell_field *fields; /* STRUCT: in offset order; ENUM: its enumerators, for servers to compare */
    const struct cell_type *elem;    /* LIST, OPT: of what; ENUM: the integer type below it */
};

/* Flags of a parameter; of a plain field only CELL_FIELD_RULED. */
enum cell_field_flags {
    CELL_FIELD_REF = 1,  /* a `const struct T *`, `T *out` or array parameter: the slot is {pointer, count} */
    CELL_FIELD_OUT = 2,  /* the callee fills it */
    CELL_FIELD_RULED = 4 /* it has rules, or something that it is made of has: without, nobody looks for them */
};
/* A parameter that goes in and comes out again (a `struct T *` of a method with a binding) is one field of `in` and one
 * of `out`, of the same name, type and pointer. */

/*
 * A regular expression, as the automaton that a program carries: whole texts are matched, byte by byte, in a time that
 * depends on their length alone. Of a state `s` and a byte `b` the next state is entry s * nclasses + classes[b] of
 * `next`: a byte, or with `wide` two, the lower one first. State 0 is never left and accepts nothing; the states from
 * `accepting` on accept.
 */
struct cell_pattern {
    const char *text;             /* as its author wrote it */
    const unsigned char *classes; /* 256 */
    const unsigned char *next;
    uint16_t nclasses, nstates, start, accepting;
    uint32_t wide;
};

/* A function of the cell's that says whether a value keeps a rule (CELL_RULE). `check` is given the address of a value
 * of the field's type, whose texts are there; 0 = the value breaks it. It has no effect but its result. */
struct cell_rule_function {
    const char *name; /* "bank_is_iban" */
    int (*check)(const void *value);
};

enum cell_rule_kind {
    CELL_RULE_END = 0,      /* the end of a field's rules */
    CELL_RULE_SIGNED = 1,   /* a number is `low` to `high`, both int64_t, both included */
    CELL_RULE_UNSIGNED = 2, /* … both uint64_t */
    CELL_RULE_REAL = 3,     /* … both the bits of a double; NaN is never within */
    CELL_RULE_LENGTH = 4,   /* a text has so many Unicode characters, bytes so many bytes, a list so many elements */
    CELL_RULE_PATTERN = 5,  /* a text matches `pattern` */
    CELL_RULE_FUNCTION = 6  /* `function` says so */
};

/* What the values of a field must be; of an optional the one that is there, of lists and arrays each element, but for
 * CELL_RULE_LENGTH of a list. */
struct cell_rule {
    uint32_t kind; /* enum cell_rule_kind */
    uint32_t reserved;
    uint64_t low, high;
    const struct cell_pattern *pattern;
    const char *message; /* what a program is told when it is broken; NULL = what the rule says by itself */
    const struct cell_rule_function *function;
};

/* One field of a struct or one parameter of a method. Of an enumerator `type` is NULL, and `offset` and `count` are the
 * lower and the upper half of its value, as a number of 64 bits. */
struct cell_field {
    const char *name;
    const struct cell_type *type;
    uint32_t offset; /* bytes from the start of the struct (of the slot in the request struct for parameters) */
    uint32_t count;  /* 0: one value; n: a fixed array of n */
    uint32_t flags;  /* enum cell_field_flags */
    const struct cell_rule *rules; /* up to CELL_RULE_END, checked in what goes in; NULL = none */
};

/* How a REF parameter sits in the request struct: 16 bytes, as every reference. */
struct cell_ref {
    const void *ptr;
    uint64_t len; /* 1, or the array bound */
};

enum cell_method_flags {
    CELL_METHOD_IDEMPOTENT = 1,
    CELL_METHOD_WRITES = 2, /* with a stream: the client sends its records; else the server does */
    CELL_METHOD_WHOLE = 4,  /* its stream comes from the server, and is never left: ending it waits for the result */
};

/* Calls the handler with the decoded request struct and one pointer per out parameter. */
typedef int cell_invoke_fn(cell_ctx *c, const void *in, void *const *out);

struct cell_method {
    const char *name;             /* the C function, "auth_login" */
    const struct cell_field *in;  /* parameters that go in, in order */
    const struct cell_field *out; /* parameters that come out, in order; all REF */
    uint32_t nin, nout;
    uint32_t in_size;                /* sizeof the request struct */
    uint32_t flags;                  /* enum cell_method_flags */
    cell_invoke_fn *invoke;          /* NULL on the client's side */
    const struct cell_field *stream; /* the stream's parameter, of the type of its records; NULL = it has none */
    /* What the cell is to do, in words of its own, of a method that the program brings with it (cell_bound_ops in
     * server.h); at most CELL_MAX_BINDING bytes of UTF-8. NULL: it is a method of the cell. */
    const char *binding;
};
#define CELL_MAX_BINDING 65536u

/* One imported cell, as a translation unit knows it. Methods are sorted by name; the index is the method id. */
struct cell_service {
    uint32_t abi; /* CELL_DESC_ABI */
    uint32_t nmethods;
    const char *name;        /* "auth" */
    const char *fingerprint; /* 64 hex digits */
    const struct cell_method *methods;
    struct cell_client **slot; /* where the library keeps the default client; NULL-initialised, accessed atomically */
    /* Points to the names, separated by commas, of those of the cell's capabilities that the unit was built for,
     * because it asked for them and had them; or to NULL, or is NULL: none. A cell that has lost one of them refuses
     * the unit. */
    const char *const *capabilities;
};

/* What CELL_PROVIDE leaves in the section "cell_schema" of a cell's binary: this header, then `size` bytes of JSON. */
#define CELL_SCHEMA_MAGIC "CELLSCH1"
struct cell_schema_header {
    char magic[8];
    uint64_t size;        /* bytes of JSON that follow */
    char fingerprint[64]; /* lower-case hex, no NUL */
};

/*
 * What CELL_PROVIDE leaves for cell_server_new: one per program, named cell_provided. Each handler's definition adds a
 * pointer to its descriptor to the section "cell_methods"; begin and end are that section's bounds (NULL when empty).
 */
struct cell_provided {
    uint32_t abi; /* CELL_DESC_ABI */
    uint32_t reserved;
    const char *name;   /* "auth" */
    const char *schema; /* struct cell_schema_header, then the JSON; 8-aligned */
    const struct cell_method *const *methods_begin;
    const struct cell_method *const *methods_end;
};

/* The built-in types: cell_type_i32, cell_type_list_i32, cell_type_opt_i32, … */
#define CELL_DECLARE_TYPES(suffix, T)                                                                                  \
    extern const struct cell_type cell_type_##suffix, cell_type_list_##suffix, cell_type_opt_##suffix;
CELL_SCALAR_MAP(CELL_DECLARE_TYPES)
#undef CELL_DECLARE_TYPES

/*
 * What every generated client function does: encode `in` by the method's descriptor, call, decode into `out`
 * (nout pointers). Returns the handler's non-negative result, or a negative enum cell_status with the trail in `c`;
 * `out` changes only on success; a NULL in it is CELL_INVALID_ARGUMENT, before anything is sent. Blocks until the
 * context's deadline at the longest. Thread-safe for different contexts; one context belongs to one thread at a time.
 */
int cell_call(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in, void *const *out);

/* What every generated NAME_async does: encodes and sends, and returns a ticket for cell_wait (ctx.h), 0 or more; or a
 * negative enum cell_status with the trail in `c`, when nothing was sent: as cell_call, and CELL_RESOURCE_EXHAUSTED
 * with 1,024 tickets outstanding. `in` is not used afterwards; what `out` points to must live until the ticket was
 * waited for, and is written to then. Connects and makes room if need be, so it may block, until the context's deadline
 * at the longest. Thread-safety as cell_call. */
int cell_call_async(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in, void *const *out);

/*
 * What every generated NAME_begin, NAME_send and NAME_release does: a call that copies neither its request nor its
 * reply, where the transport has memory that both sides see. Everywhere else the same code works with private memory.
 *
 * cell_begin lends `bytes` bytes for the large values of the next request, aligned to 64, not initialised. They are the
 * caller's until cell_send, cell_release or cell_ctx_reset; the cell may see at once what is written there. NULL with
 * the trail in `c`: CELL_INVALID_ARGUMENT (0 bytes), CELL_TOO_LARGE, CELL_FAILED_PRECONDITION (begun already),
 * CELL_NO_MEMORY. May connect, and so block until the context's deadline. Without it the next cell_send copies its
 * request as cell_call does.
 *
 * cell_send is cell_call, but: text, bytes and lists of plain values in `in` that begin in the lent memory at a
 * multiple of 8 from its beginning are not copied; and what those in `out` refer to stays where the reply arrived. Text
 * has no NUL behind it there, and a cell that means harm can still change the bytes: what is to be relied on is copied
 * before it is checked. Everything else in `out` is a checked copy, as are replies under 4 KiB. The lent memory is used
 * up, whatever the result. A reply that is held keeps its connection to itself, so that it delays no other call; a
 * context holds up to 16, more are CELL_FAILED_PRECONDITION before anything is sent.
 *
 * cell_release gives back all replies that `c` holds, and request memory that was not sent. cell_ctx_reset and
 * cell_ctx_close do as well. What is held stays readable when the cell dies; in a fork's child neither kind of memory
 * is there. Within an interceptor cell_release does nothing. Thread-safety as cell_call.
 */
void *cell_begin(cell_ctx *c, const struct cell_service *service, uint32_t method, size_t bytes);
int cell_send(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in, void *const *out);
void cell_release(cell_ctx *c);

/*
 * What the generated functions of a method with a stream do. open: encodes `in` and sends the request, on a connection
 * of the stream's own; it may block until the context's deadline. The result belongs to the context, until
 * cell_stream_end, or until that is reset or closed. It is never NULL; what went wrong, the end says.
 * cell_stream_end: ends the stream; a client that writes waits for the result, one that reads and has not met the end
 * tells the server that the rest is not wanted. Fills in `out` and returns as cell_call; CELL_OK when it gave up the
 * rest. CELL_INVALID_ARGUMENT for NULL: it was ended before. Thread-safety as cell_call; a stream is its context's.
 */
struct cell_stream *cell_stream_open(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in);
int cell_stream_end(struct cell_stream *s, void *const *out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
