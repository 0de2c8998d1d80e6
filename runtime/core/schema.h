/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The schema model: what one cell offers, as plain C structs. It comes from JSON (cell_schema_parse, which checks
 * everything a renderer or a decoder relies on) or is built from declarations by the plugin; it goes out as canonical
 * JSON (RFC 8785, integers only) whose SHA-256 is the fingerprint. Format: docs/protocol.md, "Schema".
 *
 * Lifetime: every pointer in a schema belongs to its arena. A schema is immutable after parse/seal and may then be read
 * by any thread.
 */
#ifndef CELL_CORE_SCHEMA_H
#define CELL_CORE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "cell/desc.h"

#define CELL_SCHEMA_FORMAT "cell.schema/1"
#define CELL_ABI_NAME "lp64-le"
#define CELL_FINGERPRINT_LEN 64

struct schema_type;

/*
 * A use of a type. Text form: "i32", "str", "list<u8>", "opt<str>", "auth_session" (a named type), with "[16]" after it
 * for a fixed array. `named` is set for user types, `kind` always (for a named type its own kind, for list<…> and
 * opt<…> CELL_KIND_LIST/OPT with `elem` the built-in element's kind).
 */
struct schema_ref {
    enum cell_kind kind;
    enum cell_kind elem;             /* LIST/OPT of a built-in; 0 otherwise */
    const struct schema_type *named; /* NULL for built-ins */
    uint32_t count;                  /* fixed array bound, 0 = not an array */
};

/* A rule on a field or parameter as the author wrote it: {"rule": "range", "args": ["0", "150"]}. core/rule.h says what
 * those mean that are carried out; of others the cell alone knows. */
struct schema_rule {
    const char *name;
    const char *const *args;
    uint32_t nargs;
    const char *message; /* what a program is told when it is broken; NULL = what the rule says by itself */
};

/* A field of a struct, or a parameter of a method. */
struct schema_field {
    const char *name;
    const char *doc; /* NULL = none; UTF-8, "\n" between lines */
    struct schema_ref type;
    uint32_t offset;          /* fields: bytes; parameters: offset of the slot in the request struct */
    bool out;                 /* parameters: the callee fills it */
    bool inout;               /* parameters that are out: it goes in as well; only of methods with a binding */
    bool by_pointer;          /* parameters: `const struct T *` in, `T *` out, arrays: the REF form */
    bool stream;              /* parameters: records of `type`, out = from the server; at most one of a method */
    const char *handle;       /* streams in the cell's own program: the type that CELL_WRITER or CELL_READER made */
    const char *renamed_from; /* fields; NULL */
    const char *since;        /* fields; NULL */
    const struct schema_rule *rules;
    uint32_t nrules;
    bool ruled; /* it has rules that are carried out, or what it is made of has; cell_rule_mark sets it */
};

struct schema_value { /* enumerator */
    const char *name;
    const char *doc;
    const char *text;         /* decimal, with sign: exact for every 64-bit type */
    const char *renamed_from; /* NULL */
};

struct schema_type {
    const char *name;
    const char *doc;
    enum cell_kind kind;         /* STRUCT, ENUM, LIST, OPT */
    uint32_t size, align;        /* bytes */
    struct schema_field *fields; /* STRUCT: in offset order */
    uint32_t nfields;
    struct schema_ref elem; /* LIST, OPT: of what (never an array); ENUM: the integer type below it */
    struct schema_value *values;
    uint32_t nvalues;
    bool declared;  /* by the program that asks for an expansion, which uses it: never rendered */
    bool ruled;     /* a field is */
    bool annotated; /* read from a declaration that has annotations of verbs itself, whose rules it has */
    char fingerprint[CELL_FINGERPRINT_LEN + 1]; /* covers every type it uses, not docs */
};

struct schema_method {
    const char *name;
    const char *doc;
    bool idempotent;
    bool whole;                  /* who ends its stream early takes the rest and drops it, for the result counts */
    struct schema_field *params; /* without the context; in the prototype's order */
    uint32_t nparams;
    uint32_t in_size;         /* bytes of the request struct */
    const char *renamed_from; /* NULL */
    const char *binding;      /* what the cell is to do, in its own words; NULL = it is the cell's own method */
    const char *const *needs; /* capabilities without which the cell cannot serve it, sorted */
    uint32_t nneeds;
    const char *fallback; /* the method of the same parameters that is called when one of them is absent; NULL */
    char fingerprint[CELL_FINGERPRINT_LEN + 1];
};

struct schema_constant {
    const char *name;
    const char *doc;
    enum cell_kind kind;      /* an integer kind */
    const char *text;         /* decimal */
    const char *renamed_from; /* NULL */
};

/* Something a cell can do, or could do if it were started otherwise. */
struct schema_capability_param {
    const char *name;
    const char *value; /* a decimal integer of 64 bits (cell_is_integer_text), or any other text */
};
struct schema_capability {
    const char *name;
    const char *doc;
    bool absent;                            /* declared, and not there now; its parameters are what they would be */
    struct schema_capability_param *params; /* sorted by name */
    uint32_t nparams;
};

struct schema_verb_arg {
    const char *name;
    const char *type;  /* "string", "integer", "name", "file": a path in the source, and what is in it for the cell */
    const char *value; /* "default": what is sent for one that is left out, a text of its type; NULL = none */
    bool required;
};

struct schema_verb {
    const char *name;
    const char *doc;
    bool on_struct, on_enum, on_function, on_variable; /* "on": what declarations may carry it */
    struct schema_verb_arg *args;                      /* in order; required ones first */
    uint32_t nargs;
    const char *const *field_rules; /* names for annotate("cell.field:NAME") that this verb understands */
    uint32_t nfield_rules;
    const char *const *rules; /* names for annotate("cell.declaration:NAME") on what carries the verb */
    uint32_t nrules;
};

/* A function that programs compile in; what the schema itself knows of it. */
struct schema_function {
    const char *name;
    const char *doc;
    const char *renamed_from; /* NULL */
    /* What a call of it looks like, without names: "f64(f64, struct *)", "status(str, out f64)". */
    const char *signature;
    /* Of what it computes, with all that it calls and the tables that it reads; not of names of its own, of docs, and
     * where it was written. A change of it is one of the document, not necessarily of a result. */
    char logic[CELL_FINGERPRINT_LEN + 1];
    uint32_t index; /* in the document's "functions" */
};

struct cell_schema {
    struct cell_arena arena;
    const char *cell;
    const char *doc;
    /* All sorted by name (byte order) except types, which are in dependency order: used before using. */
    struct schema_type *types;
    uint32_t ntypes;
    struct schema_constant *constants;
    uint32_t nconstants;
    struct schema_method *methods; /* index = method id */
    uint32_t nmethods;
    struct schema_verb *verbs;
    uint32_t nverbs;
    struct schema_capability *capabilities; /* of a client: those that it was built for */
    uint32_t ncapabilities;
    /* A document "cell.ast/1" without "types", in canonical form: functions over the types of this schema. NULL = none.
     * Who makes a schema sets these two; parse and seal fill in the rest. Nothing but what struct schema_function holds
     * is checked here: core/ast.h reads and verifies the document. In a schema without docs, as programs carry it, a
     * function has its "signature" and "logic" in place of what those are made of, and cannot be compiled. */
    const char *functions;
    size_t functions_len;
    struct schema_function *visible_functions; /* without those that only others of the document call */
    uint32_t nvisible_functions;
    bool functions_follow; /* while a schema is made: rules may name functions that it does not have yet */
    char fingerprint[CELL_FINGERPRINT_LEN + 1]; /* of the canonical form */
    const struct schema_type **types_by_name;   /* the same types, sorted; NULL before parse/seal */
    const char *received; /* canonical form of the document that was parsed when format would write another one */
    size_t received_len;  /* (it holds members that this version does not know, or states a default) */
};

/*
 * Parses and checks one schema document of `len` bytes. Guarantees on success: every name is an identifier, no keyword
 * of C or C++ (verbs, rules and arguments of verbs may be keywords: they never become C), not reserved (leading
 * underscore, "cell_", "cellgen_", intN_t), unique in its scope; types exist, are not recursive, and have exactly the
 * LP64 layout stated; method slots have the layout of their struct; all sizes fit the limits; docs hold no control
 * characters and nothing that ends or continues a comment.
 * The fingerprint is that of the document as it was received, unknown members included: the one that its sender states.
 * CELL_PROTOCOL_ERROR with JSON path and cause ("methods[3].params[0].type: unknown type 'foo'"); CELL_TOO_LARGE;
 * CELL_NO_MEMORY.
 */
int cell_schema_parse(const char *json, size_t len, struct cell_schema **schema, struct cell_error *e);
/* The same for the schema of a client, whose methods may have bindings; a cell's own may not. */
int cell_schema_parse_client(const char *json, size_t len, struct cell_schema **schema, struct cell_error *e);

/* An empty schema to be filled in by the plugin; strings must be copied into its arena. */
struct cell_schema *cell_schema_new(void);
/* Sorts, computes slots' offsets, checks as parse_client does, computes all fingerprints. Types must be in dependency
 * order and `named` point into s->types. CELL_INVALID_ARGUMENT with path and cause; CELL_TOO_LARGE when the document
 * would be refused for its size; CELL_NO_MEMORY. */
int cell_schema_seal(struct cell_schema *s, struct cell_error *e);
/* Appends the canonical JSON, whose SHA-256 is s->fingerprint: of a parsed schema exactly the document that was
 * received, in canonical form. CELL_NO_MEMORY. */
int cell_schema_format(const struct cell_schema *s, struct cell_buffer *out);
void cell_schema_free(struct cell_schema *s); /* NULL is accepted */

/* Whether a parameter is one of the request, or of the reply. */
static inline bool cell_param_goes_in(const struct schema_field *p) { return !p->stream && (!p->out || p->inout); }
static inline bool cell_param_comes_out(const struct schema_field *p) { return !p->stream && p->out; }
/* The method's stream parameter; NULL = it has none. */
const struct schema_field *cell_schema_stream(const struct schema_method *m);
/* X(suffix): names that a client declares for such a method besides its own: for one whose stream it reads, and one
 * whose stream it writes. */
#define CELL_STREAM_READER_NAMES(X) X("_iter") X("_next") X("_next_n") X("_end")
#define CELL_STREAM_WRITER_NAMES(X) X("_writer") X("_put") X("_end")
/* And for one without. */
#define CELL_METHOD_NAMES(X) X("_async") X("_begin") X("_send") X("_release")

const struct schema_type *cell_schema_type(const struct cell_schema *s, const char *name);
const struct schema_method *cell_schema_method(const struct cell_schema *s, const char *name);
/* The method that a function of its client belongs to: NAME itself, or one of its forms, as NAME_async or NAME_next;
 * NULL = none. Forms that a client leaves out, because the name is taken or for want of use, are not told apart. */
const struct schema_method *cell_schema_method_of(const struct cell_schema *s, const char *function);
const struct schema_verb *cell_schema_verb(const struct cell_schema *s, const char *name);
/* One that programs see. */
const struct schema_function *cell_schema_function(const struct cell_schema *s, const char *name);

/* Capabilities. Of a schema after parse or seal. */
const struct schema_capability *cell_schema_capability(const struct cell_schema *s, const char *name);
/* A capability that the method needs and the cell has not; NULL = it has them all. */
const char *cell_schema_lacks(const struct cell_schema *s, const struct schema_method *m);
/* What a call of `m` calls: `m` itself, its fallback when something is lacking, NULL when there is none. */
const struct schema_method *cell_schema_served(const struct cell_schema *s, const struct schema_method *m);
/* Whether two methods take the same parameters; their names do not matter. */
bool cell_schema_same_params(const struct schema_method *a, const struct schema_method *b);
/* Whether a parameter's value is an integer constant for programs: a decimal number that fits i64 or u64. */
bool cell_is_integer_text(const char *text);
/* Whether names of capabilities and of their parameters, which become parts of longer names, are good as such: an
 * identifier that is not reserved, without two underscores in a row or one at its end. */
bool cell_is_capability_name(const char *name);
/* *schema as it is without the capabilities of `names`, separated by commas: they are declared, and absent. Replaces
 * *schema on success. CELL_NOT_FOUND for one that it does not declare; CELL_FAILED_PRECONDITION for a document with
 * members that this version does not know; CELL_NO_MEMORY. */
int cell_schema_without(struct cell_schema **schema, const char *names, struct cell_error *e);

/*
 * The arguments of an annotation as they were written, `n` texts: first those without a name, in the verb's order, then
 * any others, each two texts: CELL_VERB_ARG "NAME" and the value. A text with that beginning is never a value. A text
 * that is NULL is a value.
 */
#define CELL_VERB_ARG "cell.arg:"
#define CELL_VERB_ARG_ABSENT UINT32_MAX
struct verb_mistake {
    enum {
        VERB_ARG_UNKNOWN = 1,  /* there is no argument `name` */
        VERB_ARG_TWICE,        /* `name` has its value from text `first` */
        VERB_ARG_NO_VALUE,     /* nothing follows `name`, or another name */
        VERB_ARG_BEHIND_NAMES, /* a value without a name */
        VERB_ARG_TOO_MANY,     /* `given` values */
        VERB_ARG_MISSING       /* `name` is required */
    } kind;
    uint32_t at;         /* the text where it is wrong; `n` when something is missing */
    const char *name;    /* of the verb or of `texts`; NULL = none */
    const char *nearest; /* UNKNOWN: an argument of the verb with a name like it, or NULL */
    uint32_t first, given;
};
/* values[i] becomes the number of the text that is the value of verb->args[i], CELL_VERB_ARG_ABSENT for one that is
 * left out. Whether values have the right type is not looked at. CELL_INVALID_ARGUMENT: *wrong says why, and
 * values are of no use. */
int cell_verb_bind(const struct schema_verb *verb, const char *const *texts, uint32_t n, uint32_t *values,
                   struct verb_mistake *wrong);
/* What the cell gets to see of that: list[i], of verb->nargs entries, is the value of verb->args[i], else its default,
 * else NULL. The result is the number of entries up to the last that is not NULL. */
uint32_t cell_verb_complete(const struct schema_verb *verb, const char *const *texts, const uint32_t *values,
                            const char **list);

/* Text form of a type use ("opt<i32>", "u8[32]"). Returns snprintf's result. */
int cell_schema_ref_format(const struct schema_ref *r, char *text, size_t size);
/* sizeof/alignof of one use, arrays included; UINT32_MAX for a size beyond that. */
void cell_schema_ref_layout(const struct schema_ref *r, uint32_t *size, uint32_t *align);

/* True for the keywords of C23 and C++23 and the alternative tokens. */
bool cell_is_keyword(const char *name);
/* True for functions of the C library that compilers call by themselves: a function of that name would be called
 * instead. */
bool cell_is_library_function(const char *name);
/* True for names that the texts made from a schema use themselves: `_…`, `cell_…`, `cellgen_…`, int8_t to uint64_t. */
bool cell_is_reserved(const char *name);

/* Builds descriptors for a whole schema in the schema's arena, for programs that learn a schema at run time (cell call,
 * the server's answer to an older client). methods[i] describes s->methods[i]; invoke is NULL. Not thread-safe: the
 * arena grows. Rules are not described: whoever receives checks them. CELL_NO_MEMORY, CELL_INVALID_ARGUMENT for a type
 * of another schema. */
int cell_schema_describe(struct cell_schema *s, const struct cell_method **methods, struct cell_error *e);
/* The other way: the schema that a client's descriptors stand for. It has no docs, constants, former names and rules,
 * of capabilities only the names of those that it was built for, and not the order of in and out parameters among each
 * other (ins come first, as far as those that do both allow, a stream last). An enum whose descriptor tells no
 * enumerators has one placeholder, "unnamed_N". CELL_FAILED_PRECONDITION for descriptors of another version,
 * CELL_INVALID_ARGUMENT for such as no renderer makes: methods not sorted, types of one name that differ, recursion,
 * layouts that are not LP64's. */
int cell_schema_from_service(const struct cell_service *service, struct cell_schema **schema, struct cell_error *e);

/*
 * An expansion document ("cell.expansion/1"): what a cell answers to an annotation with a verb. `content` holds its
 * types, constants and methods, checked as a schema is.
 */
/* What somebody is told about: a field or argument, and when that is an argument a part of its text. */
struct expansion_place {
    const char *field; /* NULL = the annotation itself */
    bool has_at;
    uint32_t at, length; /* bytes of the argument's text, at most 2^31 - 1 each; not checked against it */
};
struct expansion_note {
    const char *text;
    struct expansion_place place;
};
struct expansion_diagnostic {
    enum { EXPANSION_ERROR, EXPANSION_WARNING, EXPANSION_NOTE, EXPANSION_REMARK } severity;
    const char *text;
    struct expansion_place place;
    struct schema_rule fix; /* a rule that would put it right; name NULL = none is known */
    struct expansion_note *notes;
    uint32_t nnotes;
    /* It is about all declarations of the unit with this verb and this first argument, as far as the cell knew them: to
     * be said at the end of the unit, unless a later one of them was asked about (cell_session_whole). */
    bool whole;
};
/* What the cell would do for the declaration, beside its answer. */
struct expansion_step {
    const char *id;     /* 1 to 64 hex digits, the same in each plan that needs it; NULL = no other one does */
    const char *text;   /* for people, may have several lines */
    const char *kind;   /* "create-table": letters, digits and '-' */
    const char *hazard; /* what could go wrong; NULL = nothing */
};
struct expansion_plan {
    const char *id; /* 1 to 64 hex digits; NULL = there is nothing to do */
    struct expansion_step *steps;
    uint32_t nsteps;
};
struct cell_expansion {
    struct cell_schema *content;
    struct expansion_diagnostic *diagnostics;
    uint32_t ndiagnostics;
    struct expansion_plan plan;
    const char **resources; /* what of the cell's own a program relies on with this; as cell_is_resource has it */
    uint32_t nresources;
    bool depends; /* nothing can be said before what failed earlier in the compilation is put right */
};
/*
 * `declared` (NULL = none) holds the types of the annotated declaration in dependency order, sealed or not; nothing
 * else of it is looked at. The document may use them, not define types, constants, enumerators or methods of their
 * names. They are copied, without docs and rules, and come first in content->types, marked. content->cell is NULL,
 * content->fingerprint that of the document but for "diagnostics", "plan" and "resources", and of the declared types.
 * Errors as cell_schema_parse, and CELL_INVALID_ARGUMENT for declared types that break a limit
 * ("declaration.types[0].size: …").
 */
int cell_expansion_parse(const char *json, size_t len, const struct cell_schema *declared, struct cell_expansion **x,
                         struct cell_error *e);
void cell_expansion_free(struct cell_expansion *x);
/* The first error of an answer that refuses this declaration, whatever follows; NULL when there is none. */
const struct expansion_diagnostic *cell_expansion_refusal(const struct cell_expansion *x);

/* The documents of the compile channel that go with plans; errors as cell_schema_parse. */
#define CELL_STATE_MAX 64u
/* 1 to 64 of [A-Za-z0-9._-]. NULL is none. */
bool cell_is_state(const char *token, size_t len);
/* {"state": TOKEN} */
int cell_state_parse(const char *json, size_t len, char token[CELL_STATE_MAX + 1], struct cell_error *e);
/* What a cell has carried out. */
struct apply_done {
    const char *id; /* of the plan as the cell made it now; "" = there was nothing left to do */
    uint64_t steps;
};
struct cell_applied {
    struct cell_arena arena;
    struct apply_done *done; /* one for each request that it came to, in order */
    uint32_t ndone;
    const uint32_t *questions; /* of each request, which it was: for cell_session_asked. NULL from cell_applied_parse */
    char state[CELL_STATE_MAX + 1]; /* afterwards; "" = the cell has none */
    bool failed;                    /* at request `failed_at`; those before it are done */
    uint32_t failed_at;
    struct expansion_diagnostic failure;
};
/* `requests` is how many there were. Free *applied with cell_applied_free. */
int cell_applied_parse(const char *json, size_t len, uint32_t requests, struct cell_applied **applied,
                       struct cell_error *e);
void cell_applied_free(struct cell_applied *applied); /* NULL is accepted */
/* Checks a request for apply as a server gets it: how many requests it holds, at least one, and that the answer to each
 * may use what it declares. */
int cell_apply_request_check(const char *json, size_t len, uint32_t *requests, struct cell_error *e);

/* The types of the declaration in an expansion request: what the answer to it may use. None for a request without a
 * declaration. *declared is the caller's, and not sealed. Errors as cell_schema_parse, and CELL_INVALID_ARGUMENT for
 * types that break a limit. */
int cell_request_declared(const char *json, size_t len, struct cell_schema **declared, struct cell_error *e);

#endif
