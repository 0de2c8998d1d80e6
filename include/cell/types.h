/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The value types that methods and fields may use beside C's own scalars, enums, fixed arrays and structs.
 * All are plain values: copying one copies the reference, never the bytes. In a message the pointer slot holds an
 * offset and a stride instead (docs/protocol.md), which is why every one of them is exactly 16 bytes.
 */
#ifndef CELL_TYPES_H
#define CELL_TYPES_H
#pragma GCC system_header /* its macros use Clang extensions: silent under -pedantic */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* UTF-8 text of `len` bytes; not necessarily NUL-terminated when you pass it, always when you receive it. */
typedef struct cell_str {
    const char *ptr;
    uint64_t len;
} cell_str;

/* `len` arbitrary bytes. */
typedef struct cell_bytes {
    const uint8_t *ptr;
    uint64_t len;
} cell_bytes;

/*
 * CELL_LIST(name, T);  declares `name`, a list of T:        struct { const T *ptr; uint64_t len; }
 * CELL_OPT(name, T);   declares `name`, an optional T:      struct { bool has; T value; }
 * T is any type a field may have except an array, a list or an optional. The annotation is what the plugin recognises.
 */
#if defined(__clang__)
#define CELL_TYPE_ANNOTATION(kind) __attribute__((annotate("cell.type:" kind)))
#else
#define CELL_TYPE_ANNOTATION(kind)
#endif
#ifdef __cplusplus
#define CELL_BOOL_TYPE bool
#else
#define CELL_BOOL_TYPE _Bool
#endif
#define CELL_LIST(name, T)                                                                                             \
    typedef struct CELL_TYPE_ANNOTATION("list") name {                                                                 \
        const T *ptr;                                                                                                  \
        uint64_t len;                                                                                                  \
    } name
#define CELL_OPT(name, T)                                                                                              \
    typedef struct CELL_TYPE_ANNOTATION("opt") name {                                                                  \
        CELL_BOOL_TYPE has;                                                                                            \
        T value;                                                                                                       \
    } name

/* X(suffix, C type): the built-in element types; each has cell_list_<suffix>, cell_opt_<suffix>. */
#define CELL_SCALAR_MAP(X)                                                                                             \
    X(bool, CELL_BOOL_TYPE)                                                                                            \
    X(i8, int8_t)                                                                                                      \
    X(u8, uint8_t)                                                                                                     \
    X(i16, int16_t)                                                                                                    \
    X(u16, uint16_t)                                                                                                   \
    X(i32, int32_t)                                                                                                    \
    X(u32, uint32_t)                                                                                                   \
    X(i64, int64_t)                                                                                                    \
    X(u64, uint64_t)                                                                                                   \
    X(f32, float)                                                                                                      \
    X(f64, double)                                                                                                     \
    X(str, cell_str)                                                                                                   \
    X(bytes, cell_bytes)

#define CELL_DECLARE_BUILTIN(suffix, T)                                                                                \
    CELL_LIST(cell_list_##suffix, T);                                                                                  \
    CELL_OPT(cell_opt_##suffix, T);
CELL_SCALAR_MAP(CELL_DECLARE_BUILTIN)
#undef CELL_DECLARE_BUILTIN

/*
 * CELL_WRITER(name, T);  CELL_READER(name, T);   declare the type of a method's stream parameter: with a writer the
 * method sends records to its client, with a reader it receives them. T is what a list may be of.
 *
 * int name_put(name w, const T *records, size_t n)   sends n records at once. Blocks while the client takes none and
 *     what lies between has no room; 0, or negative when nobody wants them any more: the client has cancelled or gone,
 *     the deadline has passed, or the server drains.
 * int name_next(name r, T *record)   waits for the next record. 1; 0: the client has no more; negative as for put.
 * size_t name_next_n(name r, T *records, size_t max)   the same for up to `max` of those that came together; 0: the
 *     end, or what name_next says then.
 * What a record refers to lives until the next call of either. An error stays: what follows gives it again.
 */
#define CELL_WRITER(name, T)                                                                                           \
    CELL_STREAM_TYPE("writer", name, T)                                                                                \
    static inline int name##_put(name w, const T *records, size_t n)                                                   \
    {                                                                                                                  \
        return CELL_STREAM_SCOPE cell_stream_put(w.stream, records, n);                                                \
    }                                                                                                                  \
    typedef name CELL_STREAM_TYPEDEF(name)
#define CELL_READER(name, T)                                                                                           \
    CELL_STREAM_TYPE("reader", name, T)                                                                                \
    static inline int name##_next(name r, T *record) { return CELL_STREAM_SCOPE cell_stream_next(r.stream, record); }  \
    static inline size_t name##_next_n(name r, T *records, size_t max)                                                 \
    {                                                                                                                  \
        return CELL_STREAM_SCOPE cell_stream_next_n(r.stream, records, max);                                           \
    }                                                                                                                  \
    typedef name CELL_STREAM_TYPEDEF(name)

/* One pointer; the other member only says of what type the records are. */
#define CELL_STREAM_TYPE(kind, name, T)                                                                                \
    typedef struct CELL_TYPE_ANNOTATION(kind) name {                                                                   \
        union {                                                                                                        \
            struct cell_stream *stream;                                                                                \
            const T *record;                                                                                           \
        };                                                                                                             \
    } name;
#define CELL_STREAM_TYPEDEF(name) cell_stream_##name /* takes the `;` */
#ifdef __cplusplus
#define CELL_STREAM_SCOPE ::
#else
#define CELL_STREAM_SCOPE
#endif

struct cell_stream;
#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif
/* What the functions above do, for records of the stream's type. NULL: CELL_INVALID_ARGUMENT. One thread at a time. */
int cell_stream_put(struct cell_stream *s, const void *records, size_t n);
int cell_stream_next(struct cell_stream *s, void *record);
size_t cell_stream_next_n(struct cell_stream *s, void *records, size_t max);
/* For who takes records: false when the next step would wait for them. True also at the end, after an error and of
 * NULL; now and then true when a step waits a moment. Never waits, and fails not. One thread at a time, that of the
 * stream. */
CELL_BOOL_TYPE cell_stream_ready(struct cell_stream *s);
#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

/* Initialiser of an optional: `.age = CELL_SOME(36)`; an absent one is `{0}`. */
#define CELL_SOME(...) {1, __VA_ARGS__}

/* A string literal as cell_str, usable in expressions. */
#ifdef __cplusplus
#define CELL_STR(literal) (::cell_str{"" literal, sizeof(literal) - 1})
#else
#define CELL_STR(literal) ((cell_str){"" literal, sizeof(literal) - 1})
#endif

/* printf("%.*s", CELL_FMT(s)); the length is cut to INT_MAX. Evaluates `s` twice. */
#define CELL_FMT(s) cell_fmt_len(s), cell_fmt_ptr(s)
static inline int cell_fmt_len(cell_str s) { return s.len > 0x7fffffff ? 0x7fffffff : (int)s.len; }
static inline const char *cell_fmt_ptr(cell_str s) { return s.ptr ? s.ptr : ""; }

/* A cell_str over a NUL-terminated string; NULL gives the empty string. Borrows `z`. */
static inline cell_str cell_strz(const char *z)
{
    cell_str s = {z ? z : "", z ? (uint64_t)strlen(z) : 0};
    return s;
}

/* Byte-wise equality. Not constant-time: never compare secrets with it. */
static inline CELL_BOOL_TYPE cell_str_eq(cell_str a, cell_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, (size_t)a.len) == 0);
}

#endif
