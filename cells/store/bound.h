/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A method of a program (generate.h), on the collection that it is about. */
#ifndef CELLS_STORE_BOUND_H
#define CELLS_STORE_BOUND_H

#include "service.h"

enum st_op {
    ST_OP_PUT,
    ST_OP_PUT_MANY,
    ST_OP_PUT_IF,
    ST_OP_DELETE,
    ST_OP_DELETE_IF,
    ST_OP_GET,
    ST_OP_COUNT,
    ST_OP_SCAN,
    ST_OP_SCAN_EQUAL,
    ST_OP_LIST,
    ST_OP_CHANGES,
    ST_OP_SNAPSHOT,
    ST_OP_SNAPSHOT_END
};

/* Bounds of a range: optionals of a struct, one for each field of an order. */
struct st_bounds {
    struct cell_field fields[2 * ST_MOST_KEY_FIELDS]; /* under the names of the record's fields */
    uint32_t n;
    struct st_codec *codec;
};

struct st_bound {
    enum st_op op;
    struct st_collection *collection;
    struct st_schema *schema; /* of when it was bound; a reference */
    const struct cell_method *method;
    const struct cell_type *type; /* the program's struct */
    struct st_codec *record;
    int64_t version_offset;              /* in it; -1: it has no such field */
    struct st_codec *values;             /* of parameters, for the key or an index */
    const struct st_index *index;        /* NULL: the key */
    const struct st_field *const *order; /* what is ordered by, norder */
    uint32_t norder;
    struct st_bounds from, to, after;
    uint32_t descending_offset;
    uint32_t limit_offset, follow_offset;
    struct st_change_layout {
        uint32_t position, at_us, event, record;
    } change;
};

/* From a binding, which comes from a client: all of it is checked against the descriptors. CELL_INVALID_ARGUMENT for
 * what is none, CELL_FAILED_PRECONDITION for a collection that is not there or has changed. */
int st_binding_read(struct st_engine *engine, const struct cell_method *method, struct st_bound **bound,
                    struct st_failure *f);
void st_bound_free(struct st_bound *bound); /* NULL is accepted */

int st_call_put(struct st_service *s, cell_ctx *c, const struct st_bound *b, const void *in, void *const *out);
int st_call_delete(struct st_service *s, cell_ctx *c, const struct st_bound *b, const void *in);
int st_call_get(struct st_service *s, cell_ctx *c, const struct st_bound *b, const void *in, void *const *out);
int st_call_count(struct st_service *s, cell_ctx *c, const struct st_bound *b, void *const *out);
int st_call_scan(struct st_service *s, cell_ctx *c, const struct st_bound *b, const void *in, void *const *out);
int st_call_changes(struct st_service *s, cell_ctx *c, const struct st_bound *b, const void *in);
int st_call_snapshot(struct st_service *s, cell_ctx *c, const struct st_bound *b, const void *in, void *const *out);
int st_call_snapshot_end(struct st_service *s, cell_ctx *c, const void *in);

/* The body of the values that are parameters, and the key that they are, of the record or the index. */
int st_values_key(const struct st_bound *b, const void *in, struct st_buffer *key, struct st_failure *f);
/* The keys between which a range lies. */
int st_range_keys(const struct st_bound *b, const void *range, struct st_buffer *from, struct st_buffer *to,
                  struct st_failure *f);
/* The view that the call's metadata asks for. */
int st_call_view(struct st_service *s, cell_ctx *c, struct st_view *view, struct st_failure *f);
/* A record as the program has it. `body` must live as long as `row`. */
int st_row(const struct st_bound *b, struct st_bytes body, uint64_t version, void *row, struct st_memory memory,
           struct st_failure *f);
/* CELL_UNAVAILABLE, CELL_FAILED_PRECONDITION: the index is not there yet, or any more. */
int st_index_usable(struct st_service *s, const struct st_bound *b, struct st_failure *f);

/* Memory of a context. */
struct st_memory st_ctx_memory(cell_ctx *c);

static inline const void *st_pointer_at(const void *in, uint32_t offset)
{
    return ((const struct cell_ref *)(const void *)((const char *)in + offset))->ptr;
}

#endif
