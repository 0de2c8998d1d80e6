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
