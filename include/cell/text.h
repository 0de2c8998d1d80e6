/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What hot functions do with text (docs/hot-functions.md), for any code. In a function that is served these are
 * operations of the document, with the same results. Strings are bytes, UTF-8 by convention; a part of one is a view of
 * the same memory, valid as long as that. Nothing here allocates, fails or looks at the locale. Thread-safe.
 */
#ifndef CELL_TEXT_H
#define CELL_TEXT_H
#pragma GCC system_header /* as types.h */

#include "types.h"

/* The byte at `i`, which must be less than s.len; in a served function anything else is a fault. */
static inline uint8_t cell_str_byte(cell_str s, uint64_t i) { return (uint8_t)s.ptr[i]; }

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* -1, 0 or 1: by unsigned bytes, then by length. */
int32_t cell_str_compare(cell_str a, cell_str b);
/* Where `part` begins in `s` for the first time, -1: nowhere. The empty string is at 0. */
int64_t cell_str_find(cell_str s, cell_str part);
CELL_BOOL_TYPE cell_str_starts(cell_str s, cell_str part);
CELL_BOOL_TYPE cell_str_ends(cell_str s, cell_str part);
/* What there is of the `len` bytes from `begin` on. */
cell_str cell_str_sub(cell_str s, uint64_t begin, uint64_t len);

/* The character whose first byte is at `i`; -1 when none begins there (RFC 3629: no overlong forms, no surrogates). */
int32_t cell_str_utf8_at(cell_str s, uint64_t i);
/* Where the next one begins: behind that character, or one byte on; at most s.len. */
uint64_t cell_str_utf8_next(cell_str s, uint64_t i);

/* Whether the whole of `s` is [+-] digits and fits; its value, or `otherwise`. */
CELL_BOOL_TYPE cell_str_is_i64(cell_str s);
int64_t cell_str_parse_i64(cell_str s, int64_t otherwise);
/* Whether the whole of `s` is [+-] digits with at most one point, and [eE][+-] digits or nothing; at most 40 digits
 * from the first that is not 0, and not nearer to infinity than to any number. The nearest double, ties to even. */
CELL_BOOL_TYPE cell_str_is_f64(cell_str s);
double cell_str_parse_f64(cell_str s, double otherwise);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
