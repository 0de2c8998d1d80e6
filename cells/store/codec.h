/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Between the structs of a program, as its descriptors tell them, and the bodies of stored records. Fields belong
 * together by their names, or names that they had. A program may know fewer fields than the collection has.
 */
#ifndef CELLS_STORE_CODEC_H
#define CELLS_STORE_CODEC_H

#include "body.h"
#include "schema.h"

struct st_codec;

/*
 * For `n` fields of a program, which are fields of `record`. `ignored` (NULL = none) is one that is not stored. Those
 * that are optional in the program and not in the record, as the bounds of a range are, are only written when present,
 * with `partial`. CELL_FAILED_PRECONDITION when a field is not in the record or has a type that cannot hold the same
 * values: the sentence says which. CELL_NO_MEMORY.
 */
int st_codec_new(const struct st_record *record, const struct cell_field *fields, uint32_t n, const char *ignored,
                 struct st_codec **codec, struct st_failure *f);
void st_codec_free(struct st_codec *codec); /* NULL is accepted */

/* Appends the body of what lies at `data`. */
void st_encode(const struct st_codec *codec, const void *data, struct st_buffer *body);
/* One field, whose value (of the type that the program's field has) lies at `at`, as a body would have it; what is
 * neither an integer nor a text is put into `body` for that. False: it is an optional one that is absent, or memory is
 * short, which `body` knows. */
bool st_field_value(const struct st_codec *codec, uint32_t i, const void *at, struct st_buffer *body,
                    struct st_value *value);

/*
 * Fills in `data`, whose memory is zero. Text and bytes refer to `body`; lists are put into `memory`. What the body has
 * and the program does not know is left out. CELL_DATA_LOSS, CELL_OUT_OF_RANGE (a number that the program's type does
 * not hold), CELL_NO_MEMORY.
 */
int st_decode(const struct st_codec *codec, struct st_bytes body, void *data, struct st_memory memory,
              struct st_failure *f);

/* Whether the record has fields that the program does not know, and whether it knows this one. */
bool st_codec_is_partial(const struct st_codec *codec);
bool st_codec_knows(const struct st_codec *codec, uint32_t id);

#endif
