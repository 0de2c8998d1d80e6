/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cells.lock/NAME.json, beside cell.json: what one cell offered when `cell lock` last asked it, and what it answered to
 * the annotations in use. Committed with the source. Format and why it is laid out so: docs/ci.md, "The file".
 *
 * The document is JSON in canonical form (RFC 8785) with line ends between its tokens, and nothing else added: without
 * its line ends it is the canonical document. Each member begins a line. Nothing here asks a cell.
 */
#ifndef CELL_CORE_LOCK_H
#define CELL_CORE_LOCK_H

#include "core/identity.h"
#include "core/schema.h"

#define CELL_LOCK_FORMAT "cell.lock/1"
#define CELL_LOCK_FOLDER "cells.lock"
#define CELL_LOCK_MAX_BYTES (64u << 20)

/* What a cell answered to one annotation. The key is "user.table 3fa91c…": the declaration's name, the verb, and 32 hex
 * digits of the hash of the question. All texts end in NUL as well. */
struct lock_answer {
    const char *key;
    const char *question; /* canonical; as cell_lock_question makes it */
    size_t question_len;
    const char *document; /* the expansion document, canonical */
    size_t document_len;
};

struct cell_lock {
    struct cell_arena arena;
    const char *cell;
    char fingerprint[CELL_FINGERPRINT_LEN + 1];
    const char *schema; /* canonical; its SHA-256 is the fingerprint */
    size_t schema_len;
    struct lock_answer *answers; /* sorted by key */
    uint32_t nanswers;
    char identity[CELL_KEY_DIGITS + 1]; /* the key that the cell is known by; "" = none */
    uint64_t version;                   /* of the schema, as the cell has signed it */
};

/*
 * Parses the lock of cell `name`, which stands in `path` (for messages; no file is touched). On success the schema has
 * the fingerprint that the file states, though it is not parsed yet, and each answer its checksum and key. Answers may
 * stand in any order, and twice when they are the same: a merge puts them so. The errors say what to do:
 * CELL_FAILED_PRECONDITION, another version of the format; CELL_TOO_LARGE; CELL_DATA_LOSS, cut off, with conflict
 * markers, edited by hand, put together from two schemas, or of another cell.
 */
int cell_lock_parse(const char *path, const char *name, const char *text, size_t len, struct cell_lock **lock,
                    struct cell_error *e);
/* Reads DIR/cells.lock/NAME.json. CELL_NOT_FOUND when there is none; CELL_IO_ERROR, also for a symbolic link: what it
 * leads to is not in the history of this project. */
int cell_lock_read(const char *dir, const char *name, struct cell_lock **lock, struct cell_error *e);
/* The answers of a file that cannot be used as it is, as far as each by itself is whole: so that a lock which a merge
 * has broken can be written anew with all that both sides had. Nothing but `answers` and `identity` is set. Errors of
 * reading the file. */
int cell_lock_salvage(const char *dir, const char *name, struct cell_lock **lock, struct cell_error *e);
void cell_lock_free(struct cell_lock *lock); /* NULL is accepted */

/* The answer of that key, or NULL. */
const struct lock_answer *cell_lock_answer(const struct cell_lock *lock, const char *key);

/* The names of the cells that have a lock, sorted, NULL-terminated, in `arena`. CELL_DATA_LOSS for a file whose name is
 * not that of a cell's lock. No folder: none. */
int cell_lock_list(const char *dir, struct cell_arena *arena, const char *const **names, struct cell_error *e);

/* DIR/cells.lock/NAME.json, to be freed by the caller; NULL when memory is short. */
char *cell_lock_path(const char *dir, const char *name);

/* Appends the text of the file. CELL_NO_MEMORY. */
int cell_lock_format(const struct cell_lock *lock, struct cell_buffer *out);
/*
 * Writes DIR/cells.lock/NAME.json if its content is another one; *changed tells. It is on the disk when this returns;
 * the old file stays when anything fails. A new folder gets a .gitattributes that lets git put answers together which
 * two people have added. CELL_IO_ERROR, CELL_NO_MEMORY.
 */
int cell_lock_write(const char *dir, const struct cell_lock *lock, bool *changed, struct cell_error *e);

/* ---- what builds have used, from .cell (core/ask.h) ---- */

struct record_use {
    const char *cell, *key; /* key NULL: the cell itself */
    bool missing;           /* a compilation found no answer to it in the lock */
};
struct cell_records {
    struct cell_arena arena;
    struct record_use *uses; /* sorted by cell and key, each once */
    uint32_t n;
};
/* Reads what is recorded of objects that are still there, and what compilations have missed. Nothing there: no uses.
 * What is damaged in there counts as absent. Errors: a .cell that must not be believed; CELL_NO_MEMORY. */
int cell_records_read(const char *dir, struct cell_records *records, struct cell_error *e);
void cell_records_free(struct cell_records *records);
/* The question of a use, canonical, to be freed by the caller; NULL when it is not there any more. */
char *cell_records_question(const char *dir, const struct record_use *use);
/* Forgets that it was missed. */
void cell_records_found(const char *dir, const struct record_use *use);

/* What else a request says. */
struct lock_asked {
    char *location; /* "" when it does not say */
    char *verb;
    char *subject; /* what it is about: its first argument; NULL when that is no text */
};
/* What of an expansion request an answer depends on, canonical: all but its location and mode. Appends it to
 * `question`, and sets *key, to be freed by the caller, and, unless it is NULL, *asked, to be freed with
 * cell_lock_asked_free. CELL_INVALID_ARGUMENT for what is no request. */
int cell_lock_question(const char *request, size_t len, struct cell_buffer *question, char **key,
                       struct lock_asked *asked, struct cell_error *e);
void cell_lock_asked_free(struct lock_asked *asked); /* its members; nothing of one that is zeroed */
/* The other way: a request to be sent, in live mode or in plan mode. `location` is where the cell believes the
 * annotation to be. */
int cell_lock_request(const char *question, size_t len, const char *location, bool live, struct cell_buffer *request,
                      struct cell_error *e);
/* Appends what a lock keeps of an expansion document, canonical: it without plan and diagnostics, which tell of one
 * moment. CELL_PROTOCOL_ERROR for what is no JSON. */
int cell_lock_document(const char *reply, size_t len, struct cell_buffer *document, struct cell_error *e);

#endif
