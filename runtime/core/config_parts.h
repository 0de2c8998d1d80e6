/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What reading a cell.json and finding one share. Internal to core/. */
#ifndef CELL_CORE_CONFIG_PARTS_H
#define CELL_CORE_CONFIG_PARTS_H

#include "core/config.h"
#include "core/json.h"

#define CELL_CONFIG_MAX_BYTES (1u << 20)

/* A config of defaults but for run_dir, which the caller sets; NULL when memory is short. */
struct cell_config *cell_config_new(void);

/* `path`, if relative as seen from the absolute folder `dir`, without "//" and "/./". NULL when memory is short. */
char *cell_config_join(struct cell_arena *a, const char *dir, const char *path);

/* "unix:PATH" with an absolute path, or "https://HOST:PORT". CELL_INVALID_ARGUMENT for anything else, naming what is
 * known. */
int cell_config_resolve(struct cell_arena *a, const char *dir, const char *text, const char **address,
                        struct cell_error *e);

/* Every member of `object` must be one of the `n` `known`; the error suggests one. */
int cell_config_check_members(const struct json_at *object, const char *const *known, size_t n, struct cell_error *e);

/* config_policy.c: "mode", "unreachable", "environment", "environments". */
/* An optional member "trust": 1 when it is there. */
int cell_config_read_trust(const struct json_at *object, enum config_trust *trust, struct cell_error *e);
int cell_config_read_policy(struct cell_config *c, const struct json_at *root, struct cell_error *e);

bool cell_config_is_name(const char *name);

/* The line of the well-formed document `json` on which the member or element stands that `where` begins with, as in
 * "cells.auth.needs[1]: there is no such cell"; of the nearest one around it when it is missing; 0 when even the first
 * step is not there. */
unsigned cell_config_line(const char *json, size_t len, const char *where);

#endif
