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
 * On a function's definition, or a prototype before it: programs that import the cell compile this function in
 * (docs/hot-functions.md, "Writing them"). CELL_FAULT beside it: the status with which an index out of range, a
 * division by zero or a loop beyond its bound ends it, in place of CELL_OUT_OF_RANGE.
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

/* CELL_VERB("postgres.table", "users") on a declaration: asks the cell to expand it. The pragma is for code completion,
 * where the plugin hears of nothing else. */
#define CELL_VERB(...) CELL_PRAGMA(cell verb) CELL_ANNOTATE("cell:" __VA_ARGS__)
/* CELL_DECLARATION("index", "name, email") on a declaration with a verb: a rule for the cell, as CELL_FIELD on fields.
 */
#define CELL_DECLARATION(...) CELL_ANNOTATE("cell.declaration:" __VA_ARGS__)
/* In CELL_VERB, behind what has no name: CELL_VERB("search.index", "users", CELL_ARG(language, "en")). */
#define CELL_ARG(name, value) "cell.arg:" #name, value

#endif
