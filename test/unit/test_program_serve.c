/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: cells/common/program.c
/* What becomes of a cell's program when its calls end, and when they do not. */
#include "call_fixture.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "common/program.h"

/* As CELL_PROVIDE would define it; its schema is made when the program starts. */
static _Alignas(8) char schema[65536];
const struct cell_provided cell_provided = {
    CELL_DESC_ABI, 0, "demo", schema, demo_handlers, demo_handlers + DEMO_COUNT};

#define CLOSED 7 /* exit status of a main that went on */

/* What the main function of a cell does. */
static void run_program(void)
{
    char address[sizeof(demo_address)];
    struct cell_server_options options = {.address = address, .drain_ms = 1, .start = say_started};
    const struct program p = {"demo", "A cell.", NULL, 0, &options};

    memcpy(address, demo_address, sizeof(address));
    dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
    int status = program_serve(&p);
    _exit(status == 0 ? CLOSED : CLOSED + 1);
}

static void *block_in_thread(void *arg)
{
    struct cell_client *client = NULL;
    cell_ctx *c = demo_ctx(&client);

    call_block(c, (int32_t)(intptr_t)arg);
    cell_ctx_close(c);
    cell_client_close(client);
    return NULL;
}

/* The socket's file is there a moment before somebody listens on it. */
static bool is_listening(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", temp_path("demo.sock"));
    int r = connect(fd, (struct sockaddr *)&a, sizeof(a));
    close(fd);
    return r == 0;
}

/* Its exit status when it is told to stop while a call runs that ends, or does not. */
static int stopped_during(int how)
{
    pthread_t thread;
    int status = -1;

    demo_setup();
    char *made = embed_schema(&demo, demo_fingerprint);
    memcpy(schema, made, malloc_usable_size(made));
    free(made);
    pid_t pid = fork();
    if (pid == 0)
        run_program();
    while (!is_listening())
        usleep(1000);
    pthread_create(&thread, NULL, block_in_thread, (void *)(intptr_t)how);
    wait_sem(&shared->entered);
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    pthread_join(thread, NULL);
    demo_teardown();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(main_goes_on_when_the_calls_have_ended) { CHECK(stopped_during(BLOCK_CANCEL) == CLOSED); }

TEST(main_closes_nothing_while_a_call_still_runs) { CHECK(stopped_during(BLOCK_DEAF) == 1); }
