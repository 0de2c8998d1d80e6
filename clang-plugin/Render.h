/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* From the schema model to C and C++ text. Pure: no Clang, no files. The text uses no macro and is balanced. */
#ifndef CELL_RENDER_H
#define CELL_RENDER_H

#include "base/buffer.h"
#include "core/diff.h"
#include "core/schema.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Changes whenever the same input gives another text: part of every cached text's name. */
#define CELL_RENDER_VERSION "8"

struct cell_ast;

struct render_options {
    bool cplusplus;
    const char *location;               /* "examples/frontend.c:4", for the header comment */
    const struct cell_diff *drift;      /* removed methods, constants and enumerators stay, unavailable; or NULL */
    const struct cell_schema *baseline; /* of the drift */
    bool plain;                         /* for compilers without the plugin, of C before C23: the types of enumerations
                                         * stand in CELL_ENUM_BASE(…), refusals of constants in CELL_REFUSE_IF(…),
                                         * macros that whoever stores the text defines */
    const struct cell_ast *functions;   /* those of the schema, or NULL: the text does without */
    bool fences;                        /* as struct ast_render_options has them */
    const char *no_floats;              /* the same */
    const char *unit; /* what the text's own names begin with, after "cellgen_"; NULL = the cell's name. An expansion's
                       * differ from those of the import. */
};

/* The client of a cell, or an expansion: types, constants, descriptors, one documented function a method, and, last,
 * the cell's own functions, whose lines are those of their author's files (#line). Types that the program declares are
 * not defined again, and described under names of the text's own: other texts do the same. */
int cell_render_client(const struct cell_schema *s, const struct render_options *o, struct cell_buffer *out,
                       struct cell_error *e);

/* The server's side of method `m`, to stand after its definition: request struct, thunk, descriptor in the section
 * "cell_methods". `have(name, user)` tells which named types' descriptors the translation unit has already. */
int cell_render_method(const struct cell_schema *s, const struct schema_method *m, const struct render_options *o,
                       bool (*have)(const char *identifier, void *user), void *user, struct cell_buffer *out,
                       struct cell_error *e);

/* What CELL_PROVIDE stands for: the bounds of the section "cell_methods", the declaration of `cell_provided_schema` and
 * the definition of `cell_provided` (cell/desc.h). `cell` is an identifier. */
int cell_render_provide(const char *cell, const struct render_options *o, struct cell_buffer *out,
                        struct cell_error *e);

#ifdef __cplusplus
}
#endif
#endif
