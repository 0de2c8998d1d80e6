/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The meter cell as a program. `meter [ADDRESS]` */
#include <stdio.h>

#include <cell/server.h>

int main(int argc, char **argv)
{
    const struct cell_server_options options = {.address = argc > 1 ? argv[1] : NULL};
    struct cell_server *server = NULL;
    int r = cell_server_new(&options, &server);

    if (r >= 0)
        r = cell_server_run(server); /* until SIGTERM or SIGINT */
    if (r < 0)
        fprintf(stderr, "meter: %s\n", server ? cell_server_message(server) : cell_status_text(r));
    cell_server_free(server);
    return r < 0;
}
