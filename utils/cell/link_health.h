/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The operations channel as the command line uses it: health and counters of a running cell. */
#ifndef CELL_CLI_LINK_HEALTH_H
#define CELL_CLI_LINK_HEALTH_H

#include "ask/link.h"

/* The answer to health and the counters, as far as the cell sent them. */
struct link_health {
    bool answered; /* false: everything else is unset */
    char status[32], cell[64], fingerprint[65], version[64];
    int64_t pid; /* by SO_PEERCRED, not by what the cell says */
    uint32_t uid;
    uint64_t uptime_ms, calls, errors;
    bool counts_connections;        /* false: the next two are unset */
    uint64_t unix_conns, shm_conns; /* open ones of the app channel, by what carries them */
};

/* The "status" of a health reply; "" when it cannot be read. */
void link_health_status(const char *json, size_t len, char status[32]);

/* Read the replies of health and of metrics; what is missing stays as it is. CELL_PROTOCOL_ERROR for no JSON object. */
int link_health_read(const char *json, size_t len, struct link_health *h, struct cell_error *e);
void link_health_count(const char *json, size_t len, struct link_health *h);

/* CELL_OK, or the reason why the cell did not answer. Never prints. */
int link_health(const char *address, const char *cell, bool any_owner, uint64_t deadline_ns, struct link_health *h,
                struct cell_error *e);

#endif
