/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What an error of the server is to a client, by its SQLSTATE: PostgreSQL's manual, appendix A. */
#include "failure.h"

#include <string.h>

/* Of several the longest prefix counts. https://www.postgresql.org/docs/15/errcodes-appendix.html */
static const struct {
    const char *prefix;
    int status;
} statuses[] = {
    {"08", CELL_UNAVAILABLE},
    {"08007", CELL_UNKNOWN_OUTCOME},
    {"0A", CELL_FAILED_PRECONDITION}, /* feature not supported */
    {"22", CELL_INVALID_ARGUMENT},
    {"22003", CELL_OUT_OF_RANGE},
    {"22008", CELL_OUT_OF_RANGE},
    {"23", CELL_FAILED_PRECONDITION},
    {"23502", CELL_INVALID_ARGUMENT}, /* not null */
    {"23505", CELL_ALREADY_EXISTS},
    {"23514", CELL_INVALID_ARGUMENT}, /* check */
    {"23P01", CELL_ALREADY_EXISTS},   /* exclusion */
    {"2D", CELL_FAILED_PRECONDITION}, /* the end of a transaction where none can be */
    {"25", CELL_FAILED_PRECONDITION}, /* read-only, or the transaction has failed before */
    {"28", CELL_PERMISSION_DENIED},
    {"3D", CELL_NOT_FOUND},
    {"40", CELL_ABORTED},
    {"40003", CELL_UNKNOWN_OUTCOME},
    {"42", CELL_INTERNAL},
    {"42P18", CELL_INVALID_ARGUMENT}, /* a parameter whose type nothing tells */
    {"42501", CELL_PERMISSION_DENIED},
    {"42703", CELL_FAILED_PRECONDITION}, /* no such column */
    {"42P01", CELL_FAILED_PRECONDITION}, /* no such table */
    {"42704", CELL_FAILED_PRECONDITION}, /* no such type */
    {"44", CELL_FAILED_PRECONDITION},    /* WITH CHECK OPTION */
    {"53", CELL_RESOURCE_EXHAUSTED},
    {"54", CELL_TOO_LARGE},
    {"55", CELL_FAILED_PRECONDITION},
    {"55P03", CELL_DEADLINE_EXCEEDED}, /* lock_timeout */
    {"57", CELL_UNAVAILABLE},
    {"57014", CELL_DEADLINE_EXCEEDED}, /* cancelled */
    {"58", CELL_IO_ERROR},
    {"P0", CELL_FAILED_PRECONDITION}, /* raised by a function or trigger */
    {"XX001", CELL_DATA_LOSS},
    {"XX002", CELL_DATA_LOSS},
};

int pg_status_of(const char *sqlstate)
{
    size_t best = 0;
    int status = CELL_INTERNAL;

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        size_t n = strlen(statuses[i].prefix);
        if (n > best && strncmp(sqlstate, statuses[i].prefix, n) == 0) {
            best = n;
            status = statuses[i].status;
        }
    }
    return status;
}

bool pg_is_stale_plan(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *where = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION); /* the text is of any language */

    return state && where && strcmp(state, "0A000") == 0 && strcmp(where, "RevalidateCachedQuery") == 0;
}
