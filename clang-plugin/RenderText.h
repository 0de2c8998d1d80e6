/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the renderers share: spelling of names, types, literals and comments. Internal to Render*.c. */
#ifndef CELL_RENDER_TEXT_H
#define CELL_RENDER_TEXT_H

#include "Render.h"

struct render {
    struct cell_buffer *out;
    bool cpp, plain;
    const char *unit;  /* names are cellgen_UNIT_… */
    const char *scope; /* "::" in C++: injected text must find the library's names from inside any namespace */
    bool serves;       /* the cell's own side, where its functions are declared */
    const struct cell_ast *functions; /* of a client: those that its text has, without those of floats if `no_floats` */
    bool no_floats;
};

struct render render_start(const char *cell, const struct render_options *o, struct cell_buffer *out);
#define render_put(r, text) cell_buffer_puts((r)->out, text)
#define render_printf(r, ...) cell_buffer_printf((r)->out, __VA_ARGS__)

/* Lines of `text` as `///` comments behind `indent` and, on the first one, `lead`. Whatever the text holds, it stays in
 * the comment. NULL and empty texts give `lead` alone, or nothing without one. */
void render_doc(struct render *r, const char *indent, const char *lead, const char *text);
/* Documentation of what has a former name; NULL = none. */
void render_named_doc(struct render *r, const char *indent, const char *doc, const char *former);
/* A field's documentation with `since`, former name and rules. */
void render_field_doc(struct render *r, const char *indent, const char *lead, const struct schema_field *f);
/* One byte of a string literal; `ascii`: any other is written in octal. */
void render_literal_byte(struct render *r, unsigned char byte, bool ascii);
/* A string literal. */
void render_string(struct render *r, const char *text);
/* A decimal number as a literal of at least its own width. */
void render_integer(struct render *r, const char *text);
/* True when the decimal `text` fits a C `int`. */
bool render_fits_int(const char *text);
bool render_fits_i64(const char *text);
/* A C name of a type use, without the array bound: "const struct auth_session", "::cell_str". */
void render_builtin(struct render *r, enum cell_kind kind);
void render_use(struct render *r, const struct schema_ref *u);
/* A declarator of that type: "cell_str email", "uint8_t key[16]". */
void render_member(struct render *r, const struct schema_ref *u, const char *name);
/* A parameter as the prototype has it: "const struct auth_user *user". */
void render_param(struct render *r, const struct schema_field *p);

/* `cellgen_T_type` or `cellgen_T_fields`; of a type of the program `cellgen_UNIT_T_…`, for every text that uses such a
 * type describes it for itself. */
void render_described_name(struct render *r, const struct schema_type *t, const char *what);
/* The name of a type use's descriptor. */
void render_descriptor_name(struct render *r, const struct schema_ref *u);
/* A type itself, documented, with an assertion of its layout. */
void render_type(struct render *r, const struct schema_type *t);
/* The descriptor of `t` and what it refers to; the descriptors of the types that it uses must stand before it. */
void render_type_descriptor(struct render *r, const struct schema_type *t);
/* `cellgen_M_params`: descriptors of the in parameters, then of the out parameters, then of the stream. Nothing for a
 * method without. */
void render_params_descriptor(struct render *r, const struct schema_method *m);
/* `cellgen_M_binding`, the text of a method that has a binding. */
void render_binding(struct render *r, const struct schema_method *m);
/* The initialiser of its struct cell_method; `invoke` NULL = the client's. */
void render_method_initializer(struct render *r, const struct schema_method *m, const char *invoke);
/* The members of the request struct, on one line. */
void render_request_members(struct render *r, const struct schema_method *m);
uint32_t render_count_in(const struct schema_method *m);
uint32_t render_count_out(const struct schema_method *m);
/* The short name unless a parameter has it. */
const char *render_local_name(const struct schema_method *m, const char *shorter, const char *longer);
/* Documentation of one parameter. */
void render_param_doc(struct render *r, const struct schema_field *p);
/* `const struct { … } in = {…};` and `void *const outs[] = {…};`, in a function body. */
void render_request(struct render *r, const struct schema_method *m, const char *in);
void render_outs(struct render *r, const struct schema_method *m, const char *outs);
/* RenderRuleFunctions.c: `cellgen_F__rule`, which rules refer to: a declaration and the descriptor, to stand before
 * them, and the definition, behind the function. */
void render_check(struct render *r, const char *function);
void render_check_body(struct render *r, const char *function, const struct schema_ref *value);
/* Whether the text has the function, so that rules can refer to it. A client whose flags or whose trust do not allow it
 * does without, and the server checks. */
bool render_has_function(const struct render *r, const char *function);
/* Calls `each` once for every function that rules name and the text has, with the type of its values. Returns how many
 * are named. */
uint32_t render_each_check(struct render *r, const struct cell_schema *s,
                           void (*each)(struct render *r, const char *function, const struct schema_ref *value));
/* RenderRules.c: what has fields, or parameters, with rules. */
struct rule_owner {
    const struct schema_type *type; /* or NULL, and */
    const struct schema_method *method;
    const struct schema_field *fields;
    uint32_t n;
};
/* `cellgen_T_rules`, of the rules of all fields; nothing without. */
void render_rules(struct render *r, const struct rule_owner *o);
/* Where the rules of field `index` begin in it, or 0. */
void render_rules_of(struct render *r, const struct rule_owner *o, uint32_t index);
/* Behind the prototype of a client function: attributes by which constants that break rules are errors. */
void render_refusals(struct render *r, const struct schema_method *m);
/* RenderStream.c: what a client declares for a method with a stream. */
void render_client_stream(struct render *r, const struct schema_method *m, uint32_t id);

/* True when the schema declares the name in the scope of the injected text. */
bool render_is_taken(const struct cell_schema *s, const char *name);
/* What the asynchronous form of a method is called. False: the schema itself has something of that name, so that there
 * is no such form. */
#define RENDER_FORM_NAME 144u
bool render_async_name(const struct cell_schema *s, const struct schema_method *m, char name[RENDER_FORM_NAME]);
/* What the functions are called that lend the request's memory and read the reply in place. False: there are none; the
 * method has no values whose size varies, or the schema itself has something of one of the names. */
struct render_in_place {
    char begin[RENDER_FORM_NAME], send[RENDER_FORM_NAME], release[RENDER_FORM_NAME];
};
bool render_in_place_names(const struct cell_schema *s, const struct schema_method *m, struct render_in_place *names);

/* RenderCapability.c: the mark of texts that have to do with capabilities, if this is one; what the cell can do, as
 * constants; of a method, what it needs, as the enumerators of `cellgen_needs_METHOD`, which tell whether the cell has
 * it and what is called in its place, and documentation of that. */
void render_capabilities(struct render *r, const struct cell_schema *s);
void render_capability(struct render *r, const struct cell_schema *s, const struct schema_capability *c);
void render_needs(struct render *r, const struct cell_schema *s, const struct schema_method *m);
/* An enumerator on its own, of a type that holds the number. */
void render_number(struct render *r, const char *name, const char *text);

/* Declares what the baseline had and the schema has not, as unavailable. */
void render_removed(struct render *r, const struct cell_schema *s, const struct render_options *o);

#endif
