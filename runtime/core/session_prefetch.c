/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Cells are asked before it is known that they will have to be: whoever compiles a file again asks the same again. */
#include "core/session_parts.h"

#define MOST_AHEAD 8u /* a record may name any number; connections that nobody needs are not free for the cells */

static void prefetch(struct cell_session *s, const char *name)
{
    struct known_cell *c = cell_session_make_known(s, name);
    struct cell_error ignored;
    if (!c || c->pub.status < 0 || cell_session_may_ask(s, c, &ignored) < 0)
        return;
    if (s->exchange->start(c->pub.address, name, s->config->trust_any_owner, s->config->timeout_ms, &c->link,
                           &ignored) < 0)
        return;
    c->started = true;
    c->next = s->ahead;
    s->ahead = c;
}

void cell_session_prefetch(struct cell_session *s)
{
    void *iterator = NULL;
    const char *name;
    bool asks = s->mode == SESSION_LIVE || s->mode == SESSION_PLAN;
    if (!asks || s->hurried || s->cells || s->ahead || !s->exchange->start || cell_store_check(&s->store, NULL) < 0)
        return;
    for (unsigned n = 0; n < MOST_AHEAD && (name = cell_session_answered(s, &iterator)); n++)
        prefetch(s, name);
}
