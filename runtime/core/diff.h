/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What changed between two schemas of one cell, classified. Pure. Rules modelled on buf's WIRE and FILE categories
 * (https://buf.build/docs/breaking/rules/) plus an ABI class. */
#ifndef CELL_CORE_DIFF_H
#define CELL_CORE_DIFF_H

#include "core/schema.h"

/* What a change breaks, as bits; 0 = compatible. */
enum diff_breaks { DIFF_SOURCE = 1, DIFF_WIRE = 2, DIFF_ABI = 4 };

/* X(symbol, rule id, breaks) */
#define CELL_DIFF_RULE_MAP(X)                                                                                          \
    X(FIELD_REMOVED, "FIELD_NO_DELETE", DIFF_SOURCE | DIFF_WIRE | DIFF_ABI)                                            \
    X(FIELD_RENAMED, "FIELD_SAME_NAME", DIFF_SOURCE)                                                                   \
    X(FIELD_RETYPED, "FIELD_SAME_TYPE", DIFF_SOURCE | DIFF_WIRE | DIFF_ABI)                                            \
    X(FIELD_SIGN_CHANGED, "FIELD_SAME_SIGNEDNESS", DIFF_SOURCE | DIFF_WIRE | DIFF_ABI)                                 \
    X(FIELD_BOUND_CHANGED, "FIELD_SAME_ARRAY_BOUND", DIFF_SOURCE | DIFF_WIRE | DIFF_ABI)                               \
    X(FIELD_OPTIONALITY_CHANGED, "FIELD_SAME_OPTIONALITY", DIFF_SOURCE | DIFF_WIRE | DIFF_ABI)                         \
    X(FIELD_CARDINALITY_CHANGED, "FIELD_SAME_CARDINALITY", DIFF_SOURCE | DIFF_WIRE | DIFF_ABI)                         \
    X(FIELD_MOVED, "FIELD_SAME_OFFSET", DIFF_WIRE | DIFF_ABI)                                                          \
    X(FIELD_ADDED, "FIELD_ADDED", 0)                                                                                   \
    X(TYPE_REMOVED, "TYPE_NO_DELETE", DIFF_SOURCE)                                                                     \
    X(TYPE_ADDED, "TYPE_ADDED", 0)                                                                                     \
    X(TYPE_KIND_CHANGED, "TYPE_SAME_KIND", DIFF_SOURCE | DIFF_WIRE | DIFF_ABI)                                         \
    X(TYPE_SIZE_CHANGED, "TYPE_SAME_SIZE", DIFF_ABI)                                                                   \
    X(TYPE_ALIGN_CHANGED, "TYPE_SAME_ALIGNMENT", DIFF_ABI)                                                             \
    X(ENUM_VALUE_REMOVED, "ENUM_VALUE_NO_DELETE", DIFF_SOURCE)                                                         \
    X(ENUM_VALUE_RENAMED, "ENUM_VALUE_SAME_NAME", DIFF_SOURCE)                                                         \
    X(ENUM_VALUE_CHANGED, "ENUM_VALUE_SAME_NUMBER", DIFF_WIRE | DIFF_ABI)                                              \
    X(ENUM_VALUE_ADDED, "ENUM_VALUE_ADDED", 0)                                                                         \
    X(ENUM_TYPE_CHANGED, "ENUM_SAME_UNDERLYING_TYPE", DIFF_WIRE | DIFF_ABI)                                            \
    X(RULE_ADDED, "RULE_ADDED", DIFF_SOURCE)                                                                           \
    X(RULE_REMOVED, "RULE_REMOVED", 0)                                                                                 \
    X(RULE_TIGHTENED, "RULE_TIGHTENED", DIFF_SOURCE)                                                                   \
    X(RULE_LOOSENED, "RULE_LOOSENED", 0)                                                                               \
    X(RULE_CHANGED, "RULE_CHANGED", DIFF_SOURCE)                                                                       \
    X(RULE_SAME, "RULE_SAME_MEANING", 0)                                                                               \
    X(METHOD_REMOVED, "RPC_NO_DELETE", DIFF_SOURCE | DIFF_WIRE)                                                        \
    X(METHOD_RENAMED, "RPC_SAME_NAME", DIFF_SOURCE)                                                                    \
    X(METHOD_ADDED, "RPC_ADDED", 0)                                                                                    \
    X(PARAM_ADDED, "RPC_PARAM_ADDED", DIFF_SOURCE | DIFF_WIRE)                                                         \
    X(PARAM_REMOVED, "RPC_PARAM_NO_DELETE", DIFF_SOURCE | DIFF_WIRE)                                                   \
    X(PARAM_RENAMED, "RPC_SAME_PARAM_NAME", 0)                                                                         \
    X(PARAM_CHANGED, "RPC_SAME_PARAM_TYPE", DIFF_SOURCE | DIFF_WIRE)                                                   \
    X(IDEMPOTENCY_CHANGED, "RPC_SAME_IDEMPOTENCY_LEVEL", 0)                                                            \
    X(BINDING_CHANGED, "RPC_SAME_BINDING", 0)                                                                          \
    X(NEEDS_CHANGED, "RPC_SAME_NEEDS", 0)                                                                              \
    X(FALLBACK_CHANGED, "RPC_SAME_FALLBACK", 0)                                                                        \
    X(CONSTANT_REMOVED, "CONSTANT_NO_DELETE", DIFF_SOURCE)                                                             \
    X(CONSTANT_RENAMED, "CONSTANT_SAME_NAME", DIFF_SOURCE)                                                             \
    X(CONSTANT_RETYPED, "CONSTANT_SAME_TYPE", DIFF_SOURCE)                                                             \
    X(CONSTANT_CHANGED, "CONSTANT_SAME_VALUE", DIFF_SOURCE)                                                            \
    X(CONSTANT_ADDED, "CONSTANT_ADDED", 0)                                                                             \
    X(CAPABILITY_REMOVED, "CAPABILITY_NO_DELETE", DIFF_SOURCE)                                                         \
    X(CAPABILITY_LOST, "CAPABILITY_NO_LOSS", DIFF_SOURCE)                                                              \
    X(CAPABILITY_GAINED, "CAPABILITY_GAINED", 0)                                                                       \
    X(CAPABILITY_ADDED, "CAPABILITY_ADDED", 0)                                                                         \
    X(CAPABILITY_PARAM_REMOVED, "CAPABILITY_PARAM_NO_DELETE", DIFF_SOURCE)                                             \
    X(CAPABILITY_PARAM_CHANGED, "CAPABILITY_SAME_PARAM", DIFF_SOURCE)                                                  \
    X(CAPABILITY_PARAM_ADDED, "CAPABILITY_PARAM_ADDED", 0)                                                             \
    X(FUNCTION_REMOVED, "FUNCTION_NO_DELETE", DIFF_SOURCE)                                                             \
    X(FUNCTION_RENAMED, "FUNCTION_SAME_NAME", DIFF_SOURCE)                                                             \
    X(FUNCTION_RETYPED, "FUNCTION_SAME_SIGNATURE", DIFF_SOURCE)                                                        \
    X(FUNCTION_LOGIC_CHANGED, "FUNCTION_SAME_LOGIC", 0)                                                                \
    X(FUNCTION_ADDED, "FUNCTION_ADDED", 0)

enum diff_rule {
#define CELL_DIFF_ENUM(symbol, id, breaks) DIFF_##symbol,
    CELL_DIFF_RULE_MAP(CELL_DIFF_ENUM)
#undef CELL_DIFF_ENUM
};

/* What the rule breaks as a rule. */
unsigned diff_rule_breaks(enum diff_rule rule);
/* "FIELD_NO_DELETE" */
const char *diff_rule_id(enum diff_rule rule);
/* True for the rules of a field that has another type now. */
bool diff_rule_retyped(enum diff_rule rule);
/* True when values of a field or parameter are refused now that were not before. */
bool diff_rule_stricter(enum diff_rule rule);

struct diff_change {
    enum diff_rule rule;
    const char *id;       /* "FIELD_NO_DELETE" */
    unsigned breaks;      /* enum diff_breaks, for this occurrence (a parameter that only moved past one of the other
                           * direction breaks no wire) */
    const char *owner;    /* type, method, constant, capability or function name */
    const char *member;   /* field, value or parameter, by its old name; NULL when it concerns the owner as a whole */
    const char *now;      /* new name (renames), type text, value, size or offset; NULL */
    const char *before;   /* old type text, value, size or offset; NULL */
    const char *sentence; /* "Field 'email' no longer exists in Auth Cell" */
};

struct cell_diff {
    struct cell_arena arena;
    /* Types, constants, methods, functions and capabilities in the order of the old schema, within each its members in
     * the old order, then its new ones, then its size; after them new ones of each in the order of the new schema. */
    struct diff_change *changes;
    uint32_t n;
    unsigned breaks; /* all of them together */
};

/*
 * Fields, enumerators, constants, methods and functions are matched by name, then by `renamed_from`. What a message can
 * carry decides what breaks the wire: a struct may grow at its end, or in its padding; a field that is gone would be
 * read as zero, so that breaks it also at the end. A capability breaks no wire: whoever was built for one that is gone
 * is refused whole (cell_uses_check, the handshake). Of rules those that are carried out are compared, by the values
 * that they let through: a stricter one may refuse a call, and no wire. Docs, other rules, `since` and verbs are not
 * compared. Both schemas may be freed afterwards. CELL_INVALID_ARGUMENT for schemas of two cells.
 */
int cell_diff_new(const struct cell_schema *before, const struct cell_schema *after, struct cell_diff **diff,
                  struct cell_error *e);
void cell_diff_free(struct cell_diff *d);

/* The wire-breaking changes that reach method `name`: through its parameters and every type they use. Appends
 * "sentence; sentence" to `out` (NULL = only counts). Returns their number; 0 = a client of `before` may call it on a
 * server of `after`. `before` is the one that `d` was made of. CELL_NOT_FOUND when it has no such method. */
int cell_diff_method(const struct cell_diff *d, const struct cell_schema *before, const char *name,
                     struct cell_buffer *out);

/* What method `name` of the old schema is called in the new one: in memory of `d`, or `name` itself. NULL: it is gone.
 */
const char *cell_diff_method_now(const struct cell_diff *d, const char *name);

#endif
