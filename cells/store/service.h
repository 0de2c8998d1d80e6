/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the cell's handlers share: cell_ctx_user gives the struct st_service. */
#ifndef CELLS_STORE_SERVICE_H
#define CELLS_STORE_SERVICE_H

#include <cell/server.h>

#include "engine.h"

enum st_policy {
    ST_POLICY_APPLY,    /* compilations may do what their source consents to */
    ST_POLICY_ADDITIVE, /* … but nothing with a hazard */
    ST_POLICY_PLAN      /* nothing */
};

struct st_service {
    struct st_engine *engine;
    enum st_policy policy;
    uint32_t most_followers; /* calls that wait for changes: each keeps a thread */
    atomic_uint followers;
};

/* Hands *f to the caller of the handler that runs on `c`. Returns f->status. */
int st_answer_failure(cell_ctx *c, const struct st_failure *f);

/* ---- methods that programs bring with them ---- */

extern const struct cell_bound_ops st_bound_ops;

/* ---- what compilers ask ---- */

extern const char st_verbs[];
int st_expand(cell_ctx *c, cell_str request, cell_str *document);
int st_state(cell_ctx *c, cell_str *token);
int st_apply(cell_ctx *c, cell_str request, cell_str *reply);

#endif
