/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The methods about the server itself. */
#include "postgres.h"

#include "service.h"

int postgres_connection(cell_ctx *c, struct postgres_server *server)
{
    struct pg_service *s = cell_ctx_user(c);
    PGconn *conn = NULL;
    struct pg_failure f;
    int r = pg_connect(&s->target, 0, &conn, &f);

    if (r < 0)
        return pg_answer_failure(c, &f);
    *server = (struct postgres_server){
        .conninfo = cell_strz(s->conninfo),
        .bindir = cell_strz(s->bindir),
        .version = PQserverVersion(conn),
        .is_private = s->cluster != NULL,
        .policy = cell_strz(pg_policy_name(s->policy)),
        .state = cell_strz(s->cluster ? s->state : ""),
    };
    PQfinish(conn);
    return CELL_OK;
}
