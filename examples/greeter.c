/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "greeter.h"

#include <stdatomic.h>

CELL_PROVIDE(greeter, "Says hello");

static atomic_uint_fast64_t greetings; /* handlers run in several threads */

int greeter_hello(cell_ctx *c, cell_str name, enum greeter_tone tone, struct greeter_greeting *greeting)
{
    if (name.len == 0)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "the name is empty");
    cell_str text =
        cell_ctx_printf(c, tone == GREETER_WARM ? "How nice to see you, %.*s!" : "Hello, %.*s", CELL_FMT(name));
    if (!text.ptr)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    *greeting = (struct greeter_greeting){text, atomic_fetch_add(&greetings, 1) + 1};
    return 0;
}

int greeter_many(cell_ctx *c, cell_str name, uint32_t times, greeter_greeting_list *list)
{
    if (times > GREETER_MAX_TIMES)
        return cell_fail(c, CELL_OUT_OF_RANGE, "%u greetings are too many; at most %d", times, GREETER_MAX_TIMES);
    struct greeter_greeting *all = cell_ctx_alloc(c, (times + 1) * sizeof(*all));
    if (!all)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < times; i++) {
        int r = greeter_hello(c, name, i ? GREETER_PLAIN : GREETER_WARM, &all[i]);
        if (r < 0)
            return cell_trail(c, r, "greeting %u", i + 1);
    }
    *list = (greeter_greeting_list){all, times};
    return 0;
}
