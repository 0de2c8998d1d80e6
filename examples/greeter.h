/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The interface of the greeter cell: docs/writing-a-cell.md explains it. */
#ifndef GREETER_H
#define GREETER_H

#include <cell/serve.h>

/// Most greetings of one call.
CELL_EXPORT(GREETER_MAX_TIMES, 10);

/// How warm a greeting is.
enum greeter_tone { GREETER_PLAIN, GREETER_WARM };

/// A greeting, and which one it was.
struct greeter_greeting {
    cell_str text;
    uint64_t number; ///< Counts from 1 since the cell was started.
};
CELL_LIST(greeter_greeting_list, struct greeter_greeting);

/// Greets somebody.
/// \param name must not be empty
CELL_METHOD int greeter_hello(cell_ctx *c, cell_str name, enum greeter_tone tone, struct greeter_greeting *greeting);

/// Greets somebody `times` times; CELL_OUT_OF_RANGE above GREETER_MAX_TIMES.
CELL_METHOD int greeter_many(cell_ctx *c, cell_str name, uint32_t times, greeter_greeting_list *greetings);

#endif
