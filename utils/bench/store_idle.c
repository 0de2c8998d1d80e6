/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A cell that gives the same record for every key, for utils/bench/store: what a call costs without any store. */
#include <stdio.h>

#include <cell/serve.h>

CELL_PROVIDE(idle, "Does nothing");

struct idle_record {
    int64_t id;
    cell_str title;
    cell_str body;
    int32_t year;
    double score;
};

static char body[200];

CELL_METHOD CELL_IDEMPOTENT int idle_get(cell_ctx *c, int64_t id, struct idle_record *row);
int idle_get(cell_ctx *c, int64_t id, struct idle_record *row)
{
    (void)c;
    *row = (struct idle_record){id, CELL_STR("a title of some length"), {body, sizeof(body)}, 1990, 0.5};
    return 0;
}

int main(int argc, char **argv)
{
    const struct cell_server_options options = {.address = argc > 1 ? argv[1] : NULL};
    struct cell_server *server = NULL;

    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = 'b';
    int r = cell_server_new(&options, &server);
    if (r >= 0)
        r = cell_server_run(server);
    if (r < 0)
        fprintf(stderr, "idle: %s\n", server ? cell_server_message(server) : cell_status_text(r));
    cell_server_free(server);
    return r < 0;
}
