/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The annotations (docs/annotations.md). Each is an attribute that the plugin handles; a literal
 * __attribute__((annotate("cell:…"))) works as well as its macro. The macros hold no logic.
 */
#ifndef CELL_ATTRS_H
#define CELL_ATTRS_H
#pragma GCC system_header /* its macros use Clang extensions: silent under -pedantic */

#define CELL_PRAGMA(text) _Pragma(#text)
#define CELL_ANNOTATE(...) __attribute__((annotate(__VA_ARGS__)))

/*
 * CELL_REMOTE(auth);   imports types, constants and methods of the cell `auth` into this scope.
 * The first declaration ends what came before, so that the pragma is met in the right scope; the last takes the `;`.
 */
#define CELL_REMOTE(name)                                                                                              \
    struct cell_import;                                                                                                \
    CELL_PRAGMA(cell import_##name) /* pasted, so that a macro of that name is not expanded */                         \
    struct CELL_ANNOTATE("cell:" #name) cell_import

/* CELL_PROVIDE(auth, "Accounts and sessions");   this program is the cell `auth`. Once, in one file. */
#define CELL_PROVIDE(name, doc) struct CELL_ANNOTATE("cell.provide:" #name, doc) cell_provide

/* On a function's prototype or definition: it is a method of the cell that this program provides. */
#define CELL_METHOD CELL_ANNOTATE("cell.method")
/* On a method: calling it twice has the effect of calling it once, so that it may be retried. */
#define CELL_IDEMPOTENT CELL_ANNOTATE("cell.method:idempotent")
/* CELL_EXPORT(AUTH_MAX_SESSIONS, 32);   an integer constant of the cell: an enumerator here, and for clients. */
#define CELL_EXPORT(name, value) enum CELL_ANNOTATE("cell.constant") { name = (value) }

/*
 * CELL_CAPABILITY(vector_hnsw, "Nearest neighbours by HNSW", CELL_ARG(max_dimensions, 2048));   something that this
 * cell can do, unless it is started without it (cell_server_options.without), and numbers or texts that tell how far.
 */
#define CELL_CAPABILITY(name, ...) struct CELL_ANNOTATE("cell.capability:" #name, __VA_ARGS__) cell_capability
/* On a method: without this capability the cell cannot serve it. */
#define CELL_NEEDS(capability) CELL_ANNOTATE("cell.method:needs", #capability)
/* On such a method: clients call this one in its place then. It takes the same parameters, and needs no capability. */
#define CELL_FALLBACK(method) CELL_ANNOTATE("cell.method:fallback", #method)

/*
 * On a function's definition, or a prototype before it: programs that import the cell compile this function in
 * (docs/hot-functions.md, "Writing them"); in other programs a condition calls it (cell/watch.h). CELL_FAULT beside it:
 * the status with which an index out of range, a division by zero or a loop beyond its bound ends it, in place of
 * CELL_OUT_OF_RANGE.
 */
#define CELL_HOT CELL_ANNOTATE("cell.hot")
#define CELL_FAULT(status) CELL_ANNOTATE("cell.hot:fault", status)
/* CELL_BOUND(100);   at the beginning of a loop's body: it runs at most so often. To run it once more ends the served
 * function with its fault; the cell's own is not stopped. */
#define CELL_BOUND(n) struct CELL_ANNOTATE("cell.bound", n) cell_bound

/* On fields and parameters: CELL_FIELD("since", "1.2"). */
#define CELL_FIELD(...) CELL_ANNOTATE("cell.field:" __VA_ARGS__)
/* The schema version in which the field appeared; documentation. */
#define CELL_SINCE(version) CELL_ANNOTATE("cell.field:since", version)
/* The former name of a field, a method, an enumerator or (behind the name in CELL_EXPORT) a constant: clients that
 * still use it are told the new one. */
#define CELL_RENAMED_FROM(name) CELL_ANNOTATE("cell.field:renamed_from", #name)

#pragma cell capabilities /* tells the plugin that the macros below may be used */
/*
 * CELL_HAS(search, vector_hnsw): 1 or 0, whether the cell, which is imported, has that capability; an integer constant
 * expression, also in #if. What it rules out is not in the object. An error for what the cell does not declare.
 */
#define CELL_HAS(cell, capability) ((int)cellgen_has_##cell##__##capability)
/* CELL_CAPABILITY_VALUE(search, vector_hnsw, max_dimensions): a parameter that is a number, as an integer constant;
 * what it would be, if the cell has not that capability. */
#define CELL_CAPABILITY_VALUE(cell, capability, parameter) (+cellgen_value_##cell##__##capability##__##parameter)
/* CELL_REQUIRE(search, vector_hnsw);   does not compile if the cell has not that capability. */
#define CELL_REQUIRE(cell, capability)                                                                                 \
    CELL_STATIC_ASSERT((int)cellgen_requires_##cell##__##capability,                                                   \
                       "CELL_REQUIRE: cell '" #cell "' does not have '" #capability "', which this program requires")
/* CELL_REQUIRE_VALUE(search, vector_hnsw, max_dimensions, >= 768);   nor if that does not hold of the parameter. */
#define CELL_REQUIRE_VALUE(cell, capability, parameter, condition)                                                     \
    CELL_STATIC_ASSERT(                                                                                                \
        (int)cellgen_requires_##cell##__##capability &&CELL_CAPABILITY_VALUE(cell, capability, parameter) condition,   \
        "CELL_REQUIRE: cell '" #cell "' does not have '" #capability "' with '" #parameter "' '" #condition            \
        "', which this program requires")
#ifdef __cplusplus
#define CELL_STATIC_ASSERT static_assert
#else
#define CELL_STATIC_ASSERT _Static_assert
#endif

/*
 * Rules on fields of structs and on parameters of methods, for what goes in: a program is told before anything is sent,
 * with constants already by the compiler, and the server checks again before the handler is called. A last argument is
 * what it is told in place of what the rule says by itself:
 *     int64_t amount CELL_RANGE(1, 1000000, "amounts are positive, and at most a million")
 * Of an optional the value is checked that is there; of lists and arrays each element, but for the length of a list.
 *
 * CELL_RANGE(low, high)     of a number: both are included
 * CELL_LENGTH(low, high)    of a text in Unicode characters, of bytes in bytes, of a list in elements
 * CELL_PATTERN("[a-z]+")    of a text: all of it matches (docs/annotations.md, "Patterns")
 * CELL_RULE(bank_is_iban)   of a number, bool, enum, text or struct: a CELL_HOT function of the cell's, which takes one
 *                           by value and returns a bool, is true of it (the same, "Functions as rules")
 */
#define CELL_RANGE(low, ...) CELL_ANNOTATE("cell.field:range", low, __VA_ARGS__)
#define CELL_LENGTH(low, ...) CELL_ANNOTATE("cell.field:length", low, __VA_ARGS__)
#define CELL_PATTERN(...) CELL_ANNOTATE("cell.field:pattern", __VA_ARGS__)
#define CELL_RULE(...) CELL_ANNOTATE("cell.field:rule", __VA_ARGS__)

/* CELL_VERB("postgres.table", "users") on a declaration: asks the cell to expand it. The pragma is for code completion,
 * where the plugin hears of nothing else. */
#define CELL_VERB(...) CELL_PRAGMA(cell verb) CELL_ANNOTATE("cell:" __VA_ARGS__)
/* CELL_DECLARATION("index", "name, email") on a declaration with a verb: a rule for the cell, as CELL_FIELD on fields.
 */
#define CELL_DECLARATION(...) CELL_ANNOTATE("cell.declaration:" __VA_ARGS__)
/* In CELL_VERB, behind what has no name: CELL_VERB("search.index", "users", CELL_ARG(language, "en")). */
#define CELL_ARG(name, value) "cell.arg:" #name, value

#endif
