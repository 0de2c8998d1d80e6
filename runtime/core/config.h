/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cell.json, and where a cell is found.
 *
 *   { "run_dir": ".cell/run",                         where sockets are; relative to the file; optional
 *     "trust_any_owner": false,                       contact sockets of other users; optional
 *     "timeout_ms": 2000,                             for all questions of one compilation; optional;
 *                                                     5000 for one that asks a cell of another host
 *     "mode": "live",                                 how cells are asked: "live", "plan" or "locked"; optional
 *     "unreachable": "fail",                          without the cell: "fail", or "lock" = use its lock; optional
 *     "trust": "pinned",                              by what a cell is known: core/trust.h; optional
 *     "environment": "dev",                           the one of these that holds unless CELL_ENV names one; optional
 *     "environments": { "ci": { "mode": "locked", "unreachable": … } },    where they differ from the above; optional
 *     "cells": { "auth": { "command": ["auth", "--db", ".cell/auth.db"],   how `cell up` starts it; optional
 *                          "address": "unix:…",       where it listens, or "https://HOST:PORT"; default
 *                                                     RUN_DIR/NAME.sock
 *                          "needs": ["postgres"],     started before it; optional
 *                          "trust": "strict",         of this cell; optional
 *                          "env": { "K": "V" } } } }
 *
 * Relative paths and commands with a slash are relative to the file and are absolute in the structs below; a command
 * without a slash is searched beside the `cell` program, then in PATH. Without "run_dir" it is .cell/run beside the
 * file. Unknown members, unknown cells in "needs" and circles of "needs" are errors, with suggestions.
 */
#ifndef CELL_CORE_CONFIG_H
#define CELL_CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "wire/limits.h"

/* By what a cell is known to be the right one (docs/security.md). PINNED: by the key that it was first seen with, if it
 * had one. STRICT: by a key that was made known before. LOCAL: by its socket, whose owner the kernel tells. */
enum config_trust { CONFIG_TRUST_PINNED, CONFIG_TRUST_STRICT, CONFIG_TRUST_LOCAL };

/* Whether a cell is reached over the network. */
static inline bool cell_config_is_remote(const char *address) { return strncmp(address, "https://", 8) == 0; }

struct config_cell {
    const char *name;
    const char *address;        /* always set, absolute: "unix:/…", or "https://…" */
    const char *const *command; /* NULL-terminated; NULL = not started by us */
    const char *const *needs;   /* NULL-terminated */
    const char *const *env;     /* NULL-terminated "K=V" */
    bool has_trust;             /* `trust` is said of this cell */
    enum config_trust trust;
};

/* How a compilation may ask cells. */
enum config_mode { CONFIG_LIVE, CONFIG_PLAN, CONFIG_LOCKED };
struct config_policy {
    const char *environment; /* NULL = none has been chosen */
    enum config_mode mode;
    bool unreachable_lock; /* a cell that cannot be reached is replaced by its lock, with a warning */
    enum config_trust trust;
};

struct cell_config {
    struct cell_arena arena;
    const char *path;    /* of cell.json; NULL when there is none: all defaults */
    const char *dir;     /* its folder, absolute; NULL likewise */
    const char *run_dir; /* absolute */
    bool trust_any_owner;
    uint32_t timeout_ms;
    bool has_timeout; /* it was said */
    struct config_cell *cells;
    uint32_t ncells;
    struct config_policy policy;        /* as the file has it, without an environment */
    struct config_policy *environments; /* complete: what one leaves out is that of `policy` */
    uint32_t nenvironments;
    const char *environment; /* that holds by default; NULL = none */
};

/* Parses `json`, which stands in `path` (absolute; no file is touched). CELL_INVALID_ARGUMENT with path, line where
 * known and cause: "/p/cell.json:3: cells.auth.needs: …"; CELL_TOO_LARGE over 1 MiB. */
int cell_config_parse(const char *path, const char *json, size_t len, struct cell_config **config,
                      struct cell_error *e);
/*
 * Searches cell.json in the folder of `start` (a file or folder, there or not; relative paths begin in the working
 * folder) and its parents, by name: "/a/link/.." is "/a". Not found: a config of defaults. When `start` itself ends in
 * "/cell.json" it is that file, and CELL_NOT_FOUND when it is missing.
 * The first file of that name ends the search, also when it cannot be used: one that is owned by neither this user nor
 * root, or not readable, is CELL_PERMISSION_DENIED; a symbolic link (relative paths in it would have two meanings) or a
 * folder is CELL_INVALID_ARGUMENT; over 1 MiB CELL_TOO_LARGE.
 */
int cell_config_find(const char *start, struct cell_config **config, struct cell_error *e);
void cell_config_free(struct cell_config *c); /* NULL is accepted */

const struct config_cell *cell_config_cell(const struct cell_config *c, const char *name);

/* Where `name` is reached: its "address", else "unix:RUN_DIR/NAME.sock". Lives in the config's arena. NULL when `name`
 * cannot be the name of a cell, or memory is short. */
const char *cell_config_address(struct cell_config *c, const char *name);

/* What holds for this process: the environment that $CELL_ENV names, else the file's own choice; $CELL_MODE ("live",
 * "plan", "locked") goes over its mode. Lives as long as `c`. CELL_INVALID_ARGUMENT for an environment that the file
 * does not have, or another mode, naming what is known. Not thread-safe beside setenv. */
int cell_config_policy(const struct cell_config *c, struct config_policy *policy, struct cell_error *e);
const char *cell_config_mode_name(enum config_mode mode);
/* What holds for one cell under `policy`: what is said of it, else of the environment, else of all. */
enum config_trust cell_config_trust(const struct cell_config *c, const struct config_policy *policy, const char *name);

/* The default run_dir without a cell.json: $CELL_RUN_DIR, else $XDG_RUNTIME_DIR/cell, else /run/cell for root,
 * else /tmp/cell-UID. Makes nothing. CELL_PERMISSION_DENIED when /tmp/cell-UID is there but is no folder of this user's
 * that is closed to all others: somebody else may have put it there. CELL_TOO_LARGE when it does not fit. */
int cell_default_run_dir(char *path, size_t size);

/* Where a program finds `name` at run time: $CELL_ADDRESS_<NAME> (upper case), else by $CELL_CONFIG (a cell.json, or
 * where to search one from; finding none is an error), else by the cell.json found upwards from the working folder,
 * else the default run_dir. Programs that run with another user's rights (setuid) ignore the environment.
 * Caller frees *address. */
int cell_locate(const char *name, char **address, struct cell_error *e);

#endif
