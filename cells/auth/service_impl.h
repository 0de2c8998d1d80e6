/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What service.c and service_session.c share. */
#ifndef CELLS_AUTH_SERVICE_IMPL_H
#define CELLS_AUTH_SERVICE_IMPL_H

#include "service.h"

struct limiter;

struct service {
    struct store *store;
    struct hasher *hasher;
    struct limiter *of_account, *of_caller;
    int64_t session_ttl_ms;
};

/* The active session of the token. CELL_UNAUTHENTICATED when there is none, with the reason. */
int service_find_active(struct transaction *t, const struct request *by, cell_str token, struct session *out,
                        struct failure *f);

/* The active session of the token and its account, in a transaction of its own. CELL_UNAUTHENTICATED. */
int service_authenticate(struct service *s, const struct request *by, cell_str token, struct session *session,
                         struct account *account, struct failure *f);

#endif
