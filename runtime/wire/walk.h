/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What encoding and decoding share while they walk a struct by its descriptor. Internal to wire/. */
#ifndef CELL_WIRE_WALK_H
#define CELL_WIRE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "cell/desc.h"

#define CELL_MESSAGE_HEADER 8u

/* A reference as it travels. */
struct cell_wire_ref {
    uint32_t offset, stride;
    uint64_t count;
};

/* One step of a prepared layout. */
enum cell_step_kind {
    CELL_STEP_COPY,  /* bytes that are copied as they are: plain fields that adjoin */
    CELL_STEP_PLAIN, /* a parameter by pointer or an array, of a plain type */
    CELL_STEP_FIELD  /* anything else: the field decides */
};
struct cell_layout_step {
    uint32_t kind;
    uint32_t offset;                /* in the struct and in the fixed part */
    uint32_t size;                  /* COPY, PLAIN: bytes */
    struct cell_wire_ref ref;       /* PLAIN, of a short message: the reference as it always is */
    const struct cell_field *field; /* PLAIN, FIELD */
};

/*
 * Why and where a walk failed. The reason is set where the error is found, the path from the inside out while the
 * walk unwinds, so that success costs nothing. Initialise with cell_walk_begin.
 */
struct cell_walk {
    int status;
    size_t begin;   /* of the path, which stands at the end of `path` */
    char path[256]; /* "accounts[3].email" */
    char reason[160];
};

static inline void cell_walk_begin(struct cell_walk *w)
{
    w->status = CELL_OK;
    w->begin = sizeof(w->path) - 1;
    w->path[w->begin] = '\0';
}

/* Sets the reason; returns `status`. */
int cell_walk_fail(struct cell_walk *w, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Put a field's name, an element's index before the path. When it gets too long its inner part is what stays. */
void cell_walk_name(struct cell_walk *w, const char *name);
void cell_walk_index(struct cell_walk *w, uint64_t index);
/* The result as an error, "path: reason"; returns the status. */
int cell_walk_error(const struct cell_walk *w, struct cell_error *e);

/* True when every byte of the type is a value that needs no check: integers and floats, and structs of nothing else
 * without padding. Arrays of these are copied whole. */
bool cell_walk_plain(const struct cell_type *type);

/* Where the value of an optional stands: `has` is one byte, the value follows at its own alignment. */
static inline uint32_t cell_opt_offset(const struct cell_type *opt) { return opt->elem->align; }

static inline uint64_t cell_round_up8(uint64_t n) { return (n + 7) & ~UINT64_C(7); }

/*
 * A struct as runs of plain fields that lie side by side, and the fields between them: what an array of them is copied
 * by, found out once for all elements.
 */
#define CELL_WALK_RUNS 16u
#define CELL_WALK_MANY 4u /* elements that it is worth it for */
struct cell_run {
    const struct cell_field *field; /* NULL: a run of plain ones */
    uint32_t offset, size;          /* of a run, bytes */
};
/* How many; 0: there are more than CELL_WALK_RUNS, or the type is no struct. */
uint32_t cell_walk_runs(const struct cell_type *type, struct cell_run *runs);

#endif
