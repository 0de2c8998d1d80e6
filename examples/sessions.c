/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Logs in, lists the sessions of the account, and ends all others: a loop of calls on one context.
 *
 *   ./sessions ada@example.org 'correct horse battery staple'
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <cell/cell.h>

CELL_REMOTE(auth);

static const char *state_name(enum auth_state state)
{
    switch (state) {
    case AUTH_ACTIVE:
        return "active";
    case AUTH_EXPIRED:
        return "expired";
    case AUTH_LOGGED_OUT:
        return "logged out";
    case AUTH_REVOKED:
        return "revoked";
    }
    return "unknown to this program"; /* a later cell may have more states */
}

/* Ends every session of the list but the one that asks; the number, or a negative status. */
static int revoke_others(cell_ctx *calls, cell_str token, auth_session_list list)
{
    int revoked = 0;

    for (uint64_t i = 0; i < list.len; i++) {
        const struct auth_session_info *s = &list.ptr[i];
        printf("session %" PRIu64 "%s: %s, by %.*s\n", s->id, s->current ? " (this one)" : "", state_name(s->state),
               CELL_FMT(s->program));
        if (s->current || s->state != AUTH_ACTIVE)
            continue;
        int r = auth_revoke_session(calls, token, s->id);
        if (r < 0)
            return r;
        revoked++;
        cell_ctx_reset(calls); /* what this round received is no longer needed */
    }
    return revoked;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s EMAIL PASSWORD\n", argv[0]);
        return 2;
    }
    /* Two contexts: the list lives in the first one, so that it must not be reset while the loop reads it. */
    CELL_CTX(c, .timeout_ms = 10000);
    CELL_CTX(calls, .timeout_ms = 2000);

    struct auth_session s;
    int r = auth_login(c, cell_strz(argv[1]), cell_strz(argv[2]), &s);
    if (r == CELL_RESOURCE_EXHAUSTED) {
        cell_bytes wait;
        if (cell_detail(c, "retry-after-ms", &wait) >= 0)
            fprintf(stderr, "try again in %.*s ms\n", (int)wait.len, (const char *)wait.ptr);
    }
    if (r < 0)
        return cell_perror(c, "log in");

    auth_session_list list;
    if (auth_list_sessions(c, s.token, &list) < 0)
        return cell_perror(c, "list sessions");
    r = revoke_others(calls, s.token, list);
    if (r < 0)
        return cell_perror(calls, "revoke");
    printf("%d revoked\n", r);
    return auth_logout(c, s.token) < 0 ? cell_perror(c, "log out") : 0;
}
