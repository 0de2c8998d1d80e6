/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What the auth cell does, without calls and contexts: each method of auth.h has its function here. They are
 * thread-safe, return a negative enum cell_status with *f on failure, and take the time and the caller from *by.
 */
#ifndef CELLS_AUTH_SERVICE_H
#define CELLS_AUTH_SERVICE_H

#include <cell/types.h>

#include "session.h"

/* Lengths of new passwords: code points at least, bytes at most. */
#define SERVICE_MIN_PASSWORD 8
#define SERVICE_MAX_PASSWORD 1024

struct service_options {
    const char *database;
    int64_t session_ttl_ms;
    int64_t login_limit;  /* failed log-ins of an account at once; one more every minute / login_limit */
    int64_t caller_limit; /* the same for each calling user, over all accounts, with failed registrations */
    struct password_cost cost;
};

struct service;

/* As store_open; prints nothing. */
int service_open(const struct service_options *options, struct service **s, struct failure *f);
void service_close(struct service *s); /* no function may be running; NULL is accepted */

/* One call: who makes it, and when. */
struct request {
    int64_t now_ms;       /* CLOCK_REALTIME */
    int64_t monotonic_ms; /* CLOCK_MONOTONIC */
    uint32_t uid;
    cell_str program; /* as the caller names itself */
    struct patience patience;
};

int service_register(struct service *s, const struct request *by, cell_str email, cell_str password,
                     struct account *out, struct failure *f);
int service_login(struct service *s, const struct request *by, cell_str email, cell_str password,
                  struct account *account, struct session *session, struct session_token *token, struct failure *f);
int service_whoami(struct service *s, const struct request *by, cell_str token, struct account *out, struct failure *f);
/* The number of other sessions that it ended. */
int service_change_password(struct service *s, const struct request *by, cell_str token, cell_str old_password,
                            cell_str new_password, struct failure *f);
int service_logout(struct service *s, const struct request *by, cell_str token, struct failure *f);
/* The number of sessions; *current is the id of the token's own. */
int service_list(struct service *s, const struct request *by, cell_str token, struct session out[SESSION_MAX_LISTED],
                 int64_t *current, struct failure *f);
int service_revoke(struct service *s, const struct request *by, cell_str token, uint64_t id, struct failure *f);

#endif
