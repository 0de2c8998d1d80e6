/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Between the files of the program. */
#ifndef CELLS_LEDGER_SERVICE_H
#define CELLS_LEDGER_SERVICE_H

#include "engine.h"
#include "ledger.h"

_Static_assert((int)LEDGER_MOST == LG_MOST, "the interface says what the book takes");
_Static_assert(sizeof(struct ledger_entry) == 128, "records of the journal have no padding");

static inline struct lg_engine *service_engine(cell_ctx *c) { return cell_ctx_user(c); }

static inline int service_failed(cell_ctx *c, int status, const struct lg_failure *f)
{
    return cell_fail(c, status, "%s", f->text);
}

#endif
