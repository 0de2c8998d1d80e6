/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Values on their way between structs of C and PostgreSQL's binary format. A place says where a value is in C, by
 * descriptors, and of what type it is in the database; enum pg_codec (types.h) names how one becomes the other.
 *
 * What comes from the database is believed as little as what comes from a client: every length is checked, and what the
 * other side cannot hold is an error that names the field. Formats: the *_send and *_recv functions of PostgreSQL's
 * source, src/backend/utils/adt/. All functions are thread-safe on different arenas.
 */
#ifndef CELLS_POSTGRES_CODEC_H
#define CELLS_POSTGRES_CODEC_H

#include <cell/desc.h>

#include "failure.h"
#include "types.h"

/* A label of a native enum, or a text that stands for an enumerator. */
struct pg_label {
    const char *text;
    size_t length;
    int64_t number;
};

/* Everything in the arena of whoever made it. */
struct pg_slot {
    const char *name;                /* of the field or parameter, for sentences */
    const char *column;              /* that it is the value of; NULL = the one of this name, or none */
    uint32_t offset;                 /* of the value in its struct, or in what its parameter refers to */
    const struct cell_type *type;    /* of the value: of an optional what it may hold, of a list or array an element */
    const struct cell_type *integer; /* of an enum the type below it; else `type` */
    uint32_t count;                  /* elements of a fixed array; 0 = none */
    bool list, optional;
    uint32_t value_offset; /* of an optional's value from `offset` */

    struct pg_type_use in_database;
    Oid oid, element;    /* of the type, and of an array's elements; set when the database was asked */
    enum pg_codec codec; /* of each element when in_database.array */
    struct pg_label *labels;
    uint32_t nlabels;
};

/* Of PG_CODEC_BYTES: a value is a reference and a length; else the bytes of an array are in the struct itself. */
static inline bool pg_slot_refers_to_bytes(const struct pg_slot *p)
{
    return p->count == 0 || p->type->kind == CELL_KIND_BYTES;
}

/*
 * Sets `codec` for the type in the database and the one in C. CELL_INVALID_ARGUMENT when one cannot become the other;
 * `reading` when it goes from the database to C. A type that is not built in is taken for an enum, or one like text.
 */
int pg_codec_choose(struct pg_slot *p, bool reading, struct pg_failure *f);

/* The OID of a built-in type; 0 for others. */
Oid pg_type_oid(const struct pg_type_use *type, Oid *element);

/* Where an encoded value is: in the program's own memory, in `small`, or in the arena that it was encoded with. NULL is
 * an SQL NULL. */
struct pg_encoded {
    const char *data;
    int length;
    char small[16];
};

/*
 * The value of `p` in the struct at `base`. CELL_INVALID_ARGUMENT, CELL_OUT_OF_RANGE, CELL_TOO_LARGE, CELL_NO_MEMORY;
 * all name the field.
 */
int pg_encode(const struct pg_slot *p, const void *base, struct pg_arena *arena, struct pg_encoded *value,
              struct pg_failure *f);

/* Where decoded texts and lists go: memory of `c`, or of `arena` when that is not NULL. With `borrow` texts stay where
 * they came. */
struct pg_sink {
    cell_ctx *c;
    struct pg_arena *arena;
    bool borrow;
};
void *pg_sink_alloc(const struct pg_sink *sink, size_t size);

/* Fills in the value of `p` in the struct at `base`, zeroed before, from `length` bytes; `data` NULL is an SQL NULL.
 * CELL_DATA_LOSS, CELL_NO_MEMORY; all name the field. */
int pg_decode(const struct pg_slot *p, const char *data, int length, void *base, const struct pg_sink *sink,
              struct pg_failure *f);

/* codec_number.c, codec_json.c: parts of the two. Lengths and ranges are checked there; texts of errors are here. */
int pg_numeric_from_text(const char *text, size_t length, struct pg_arena *arena, struct pg_encoded *value);
int pg_numeric_from_integer(bool negative, uint64_t absolute, struct pg_arena *arena, struct pg_encoded *value);
int pg_numeric_to_text(const char *data, int length, const struct pg_sink *sink, cell_str *text);
int pg_numeric_to_integer(const char *data, int length, bool *negative, uint64_t *absolute);
/* With CELL_OUT_OF_RANGE of these: an enum that is none of its values. */
struct pg_json_wrong {
    char where[160]; /* in the value: ".inner.kinds[2]"; "" = it is that itself */
    char value[64];
    const char *type; /* of the enum */
};
/* `n` values of `type` that lie one after the other, as a JSON array; n = UINT64_MAX: one, as itself. */
int pg_json_write(const struct cell_type *type, const void *values, uint64_t n, struct pg_text *out,
                  struct pg_json_wrong *wrong);
int pg_json_read(const struct pg_slot *p, const char *text, size_t length, void *at, const struct pg_sink *sink,
                 struct pg_json_wrong *wrong);

/* Reads and writes integers of C; `type` is an integer, bool or enum type. store: false when it does not fit. */
void pg_load_integer(const struct cell_type *type, const void *at, bool *negative, uint64_t *absolute);
bool pg_store_integer(const struct cell_type *type, void *at, bool negative, uint64_t absolute);

/* How many bytes of a message a value refers to, beside its own; `count`: of an array, 0 = it is none. */
uint64_t pg_referred_bytes(const struct cell_type *type, uint32_t count, const void *value);

/* Whether these are valid UTF-8 (RFC 3629) without NUL. */
bool pg_is_text(const char *text, size_t length);

#endif
