/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Interceptors: each runs around the rest of the chain. */
#include "call.h"

/* What one interceptor is given: everything behind it. */
struct cell_chain {
    const struct call_hooks *hooks;
    const struct cell_call_info *info;
    int (*last)(cell_ctx *c, void *arg);
    void *arg;
    uint32_t next;
    bool used;
};

int cell_hooks_add(struct call_hooks *h, cell_interceptor_fn *fn, void *user)
{
    if (!fn)
        return CELL_INVALID_ARGUMENT;
    if (h->n == CELL_MAX_HOOKS)
        return CELL_RESOURCE_EXHAUSTED;
    h->hook[h->n].fn = fn;
    h->hook[h->n].user = user;
    h->n++;
    return CELL_OK;
}

int cell_next(cell_ctx *c, struct cell_chain *chain)
{
    if (!chain)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "cell_next without a chain");
    if (chain->used)
        return cell_fail(c, CELL_FAILED_PRECONDITION, "an interceptor called cell_next twice");
    chain->used = true;
    if (chain->next == chain->hooks->n)
        return chain->last(c, chain->arg);
    struct cell_chain rest = *chain;
    rest.used = false;
    rest.next++;
    return chain->hooks->hook[chain->next].fn(c, chain->info, &rest, chain->hooks->hook[chain->next].user);
}

int cell_hooks_run(const struct call_hooks *h, cell_ctx *c, const struct cell_call_info *info,
                   int (*last)(cell_ctx *c, void *arg), void *arg)
{
    if (h->n == 0)
        return last(c, arg);
    struct cell_chain chain = {.hooks = h, .info = info, .last = last, .arg = arg};
    return cell_next(c, &chain);
}
