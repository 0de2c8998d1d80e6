/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A unit test of the greeter cell in one process: link it with greeter.c. The calls go through encoding, checks,
 * interceptors and handlers as they do over a socket; there is no socket and no thread.
 */
#include <stdio.h>

#include <cell/cell.h>
#include <cell/server.h>

CELL_REMOTE(greeter); /* the client's side of what is linked: static functions, so that the names do not clash */

static int failures;

static void check(int good, const char *what)
{
    printf("%s %s\n", good ? "ok" : "not ok", what);
    failures += !good;
}

/* A server interceptor: what each call was, and how it ended. */
static int log_call(cell_ctx *c, const struct cell_call_info *info, struct cell_chain *chain, void *user)
{
    int r = cell_next(c, chain);

    fprintf(user, "%s: %s\n", info->method, cell_status_name(r));
    return r;
}

static void run_tests(struct cell_client *client)
{
    CELL_CTX(c, .client = client);
    struct greeter_greeting g = {0};
    greeter_greeting_list list = {0};

    check(greeter_hello(c, CELL_STR("Ada"), GREETER_WARM, &g) >= 0 &&
              cell_str_eq(g.text, CELL_STR("How nice to see you, Ada!")) && g.number == 1,
          "a warm greeting");
    check(greeter_hello(c, CELL_STR(""), GREETER_PLAIN, &g) == CELL_INVALID_ARGUMENT && g.number == 1,
          "an empty name is refused, and the result is as it was");
    check(greeter_many(c, CELL_STR("Bob"), GREETER_MAX_TIMES, &list) >= 0 && list.len == GREETER_MAX_TIMES &&
              list.ptr[9].number == 11,
          "as many greetings as are allowed");
    check(greeter_many(c, CELL_STR("Bob"), GREETER_MAX_TIMES + 1, &list) == CELL_OUT_OF_RANGE, "and no more");
    cell_ctx_reset(c);
    check(greeter_many(c, CELL_STR(""), 1, &list) == CELL_INVALID_ARGUMENT &&
              strstr(cell_ctx_message(c), "greeting 1: the name is empty") != NULL,
          "the message says where it failed");
}

int main(void)
{
    struct cell_server *server = NULL;
    struct cell_client *client = NULL;

    check(cell_server_new(NULL, &server) >= 0 && cell_server_intercept(server, log_call, stdout) >= 0 &&
              cell_client_in_process(server, &client) >= 0,
          "a server in this process");
    if (client)
        run_tests(client);
    cell_client_close(client);
    cell_server_free(server);
    return failures != 0;
}
