/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * cell.json, and where a cell is found.
 *
 *   { "run_dir": ".cell/run",                         where sockets are; relative to the file; optional
 *     "trust_any_owner": false,                       contact sockets of other users; optional
 *     "timeout_ms": 2000,                             for all questions of one compilation; optional
 *     "cells": { "auth": { "command": ["auth", "--db", ".cell/auth.db"],   how `cell up` starts it; optional
 *                          "address": "unix:…",       where it listens; default RUN_DIR/NAME.sock
 *                          "needs": ["postgres"],     started before it; optional
 *                          "env": { "K": "V" } } } }
 *
 * Relative paths and commands with a slash are relative to the file; a command without one is searched beside the
 * `cell` program, then in PATH. Unknown members are errors with a suggestion.
 */
#ifndef CELL_CORE_CONFIG_H
#define CELL_CORE_CONFIG_H
#include <stdbool.h>
#include <stdint.h>


#include "base/arena.h"
#include "base/error.h"
#include "wire/limits.h"

struct config_cell {
    const char *name;
    const char *address;     /* always set, absolute: "unix:/…" */
    const char *const *command; /* NULL-terminated; NULL = not started by us */
    const char *const *needs;   /* NULL-terminated */
    const char *const *env;     /* NULL-terminated "K=V" */
};

struct cell_config {
    struct cell_arena arena;
    const char *path;    /* of cell.json; NULL when there is none: all defaults */
    const char *dir;     /* its folder, absolute; NULL likewise */
    const char *run_dir; /* absolute */
    bool trust_any_owner;
    uint32_t timeout_ms;
    struct config_cell *cells;
    uint32_t ncells;
};

/* Parses `json`, which stands in `path` (absolute). CELL_INVALID_ARGUMENT with path, line where known, and cause. */
int cell_config_parse(const char *path, const char *json, size_t len, struct cell_config **config,
                      struct cell_error *e);
/* Searches cell.json in the folder of `start` (a file or folder) and its parents. Not found: a config of defaults.
 * A cell.json that is owned by neither this user nor root is an error (CELL_PERMISSION_DENIED). */
int cell_config_find(const char *start, struct cell_config **config, struct cell_error *e);
void cell_config_free(struct cell_config *c);

const struct config_cell *cell_config_cell(const struct cell_config *c, const char *name);

/* Where `name` is reached: its "address", else "unix:RUN_DIR/NAME.sock". Lives in the config's arena. */
const char *cell_config_address(struct cell_config *c, const char *name);

/* The default run_dir without a cell.json: $CELL_RUN_DIR, else $XDG_RUNTIME_DIR/cell, else /run/cell for root,
 * else /tmp/cell-UID. */
int cell_default_run_dir(char *path, size_t size);

/* Where a program finds `name` at run time: $CELL_ADDRESS_<NAME> (upper case), else by $CELL_CONFIG, else by the
 * cell.json found upwards from the working folder, else the default run_dir. Caller frees *address. */
int cell_locate(const char *name, char **address, struct cell_error *e);

#endif
