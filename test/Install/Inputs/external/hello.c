/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A cell of one method. */
#include <stdio.h>

#include <cell/serve.h>

CELL_PROVIDE(hello, "Says hello");

struct hello_reply {
    cell_str text;
};

/// Greets somebody.
CELL_METHOD int hello_greet(cell_ctx *c, cell_str name, struct hello_reply *reply)
{
    reply->text = cell_ctx_printf(c, "hello %.*s", CELL_FMT(name));
    return reply->text.ptr ? 0 : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}

int main(void)
{
    struct cell_server *server = NULL;
    int r = cell_server_new(NULL, &server);
    if (r >= 0)
        r = cell_server_run(server);
    if (r < 0)
        fprintf(stderr, "hello: %s\n", server ? cell_server_message(server) : cell_status_text(r));
    cell_server_free(server);
    return r < 0;
}
