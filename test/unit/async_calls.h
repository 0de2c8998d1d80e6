/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Asynchronous calls of the fixture's cell, as its generated client would make them. */
#ifndef CELL_TEST_ASYNC_CALLS_H
#define CELL_TEST_ASYNC_CALLS_H

#include "call_fixture.h"

static inline int add_async(cell_ctx *c, int32_t a, int32_t b, int32_t *sum)
{
    const struct add_in in = {a, b};
    void *const out[] = {sum};
    return cell_call_async(c, &demo, demo_add, &in, out);
}
static inline int echo_async(cell_ctx *c, cell_bytes data, struct echo_out *o)
{
    const struct echo_in in = {CELL_STR(""), data};
    void *const out[] = {o};
    return cell_call_async(c, &demo, demo_echo, &in, out);
}

#endif
