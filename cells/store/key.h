/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Keys: bytes that sort as the values do. One field after the other, each so that none is the beginning of another one:
 *
 *   integers, bool  a byte, 0x80 + n for a number of n bytes from 0 on, 0x7f - n below; then its n lowest bytes, the
 *                   greatest first. So the same number is the same key, whatever the type of its field
 *   real numbers    as a double, 8 bytes: the sign bit flipped, or all bits of a negative one. -0 is 0; NaN is refused
 *   text, bytes     the bytes, 0x00 as 0x00 0xff, then 0x00 0x00
 *   u8[N]           its N bytes
 *
 * In an index each field has a byte before it: 0 when it is absent, which comes first, else 1.
 */
#ifndef CELLS_STORE_KEY_H
#define CELLS_STORE_KEY_H

#include "body.h"
#include "schema.h"

#define ST_MOST_KEY 511 /* bytes, with the space: LMDB's limit */

/* Appends the first n of `fields`, as `body` has them; what it has not is zero, or absent. *absent: whether one of an
 * index is (NULL = not asked). CELL_DATA_LOSS, CELL_INVALID_ARGUMENT (NaN), CELL_TOO_LARGE, CELL_NO_MEMORY. */
int st_key_of(struct st_bytes body, const struct st_field *const *fields, uint32_t n, bool index, struct st_buffer *key,
              bool *absent, struct st_failure *f);

/* Appends one field (`v` NULL: it is not there). The same failures; CELL_DATA_LOSS: the value is none of that field. */
int st_key_put(struct st_buffer *key, const struct st_field *field, const struct st_value *v, bool index,
               struct st_failure *f);

/* Makes of a key the first one behind all that begin with it. False: there is none. */
bool st_key_successor(struct st_buffer *key);

#endif
