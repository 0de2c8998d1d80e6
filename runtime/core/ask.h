/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The compile-time client: one `cell_session` a compilation, which asks each cell at most once for its schema, within one
 * deadline for all of them, and keeps the project's .cell/ folder. No transport and no Clang in here: the connection is
 * handed in as a table, so that unit tests answer from memory. Not thread-safe.
 *
 *   .cell/mirror/NAME.json         the last schema that the cell sent, canonical; replaced only when it changed
 *   .cell/schemas/FINGERPRINT.json every schema that some object was compiled against
 *   .cell/objects/KEY.json         per object: {"object": path, "cells": {"auth": FINGERPRINT}}
 *   .cell/inject/NAME-HASH.h       the injected texts
 *   .cell/down/DEV-INODE           a cell that did not answer; its mtime says when
 */
#ifndef CELL_CORE_ASK_H
#define CELL_CORE_ASK_H

#include "core/config.h"
#include "core/schema.h"

/* How a question reaches a cell. */
struct cell_exchange {
    /* Connects to `address` on the compile channel; *fingerprint is what the cell's WELCOME said. */
    int (*open)(const char *address, const char *cell, bool any_owner, uint64_t deadline_ns, void **link,
                char fingerprint[CELL_FINGERPRINT_LEN + 1], struct cell_error *e);
    /* One request, one reply of at most CELL_MAX_COMPILE_REPLY bytes. *reply lives until the next call. */
    int (*request)(void *link, uint32_t method, const char *json, size_t len, uint64_t deadline_ns,
                   const char **reply, size_t *reply_len, struct cell_error *e);
    void (*close)(void *link);
};

enum session_mode { SESSION_LIVE, SESSION_PLAN, SESSION_MIRROR };

struct cell_session;

/* `main_file` and `output` (NULL = none) are absolute; the config is found from main_file. Touches no network. */
int cell_session_new(const char *main_file, const char *output, enum session_mode mode,
                     const struct cell_exchange *exchange, struct cell_session **session, struct cell_error *e);
void cell_session_free(struct cell_session *s);
struct cell_config *cell_session_config(struct cell_session *s);

/* What a compilation knows of one cell. */
struct session_cell {
    const char *name;
    const char *address;
    char fingerprint[CELL_FINGERPRINT_LEN + 1];
    const char *mirror_path; /* absolute; exists on success: a dependency of the object */
    int status;              /* of asking it: negative when it failed, error below */
    struct cell_error error; /* names socket and cause; asked once, said for each annotation that needs it */
    bool reported;           /* for the caller: so that one error a build and cell is printed */
};

/* Finds out the fingerprint (live, plan: by connecting; mirror mode: from disk). Asks once, then remembers, failures
 * also. On success the mirror holds that schema. The result belongs to the session. */
int cell_session_cell(struct cell_session *s, const char *name, struct session_cell **cell);

/* The parsed schema; parses on first use only. NULL with error set when the mirror is bad. */
const struct cell_schema *cell_session_schema(struct cell_session *s, struct session_cell *cell,
                                              struct cell_error *e);

/* Sends `expand`; *x belongs to the caller. */
int cell_session_expand(struct cell_session *s, struct session_cell *cell, const char *json, size_t len,
                        struct cell_expansion **x, struct cell_error *e);

/* Path for an injected text identified by `key` (everything the text depends on); *exists tells that it is there and
 * whole. cell_session_put writes it (renamed into place) and must be given the text that `key` stands for. */
int cell_session_inject_path(struct cell_session *s, const char *name, const char *key, char **path, bool *exists);
int cell_session_put(struct cell_session *s, const char *path, const char *text, size_t len, struct cell_error *e);

/* The schema of `name` that this object was last successfully compiled against, when it differs from the present one;
 * NULL = no baseline or the same. Belongs to the session. */
const struct cell_schema *cell_session_baseline(struct cell_session *s, struct session_cell *cell);

/* Call when the translation unit ended without any error: records the schemas in use as this object's baseline. */
int cell_session_commit(struct cell_session *s, struct cell_error *e);

#endif
