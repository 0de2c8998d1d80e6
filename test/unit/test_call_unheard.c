/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Answers that were on their way when their client gave the call up. */
#include "call_fixture.h"

static sem_t undone;
static char of[CELL_MAX_UNHEARD];

static void undo(void *user, const char *what)
{
    CHECK(user == &undone);
    strcpy(of, what);
    sem_post(&undone);
}

/* Asks for it when b is not 0. */
static int handle_add_with_undo(cell_ctx *c, const void *in, void *const *out)
{
    const struct add_in *i = in;
    char what[CELL_MAX_UNHEARD + 1];
    memset(what, 'x', sizeof(what) - 1);
    what[sizeof(what) - 1] = '\0';
    CHECK(!cell_ctx_if_unheard(c, undo, &undone, what));
    snprintf(what, sizeof(what), "%d", i->a);
    if (i->b)
        CHECK(cell_ctx_if_unheard(c, undo, &undone, what));
    *(int32_t *)out[0] = i->a + i->b;
    return 0;
}

static bool send_add(int fd, uint64_t id, int32_t a, int32_t b)
{
    const uint32_t message[] = {16, 8, (uint32_t)a, (uint32_t)b};
    struct cell_frame f = {.kind = CELL_FRAME_CALL, .channel = CELL_CHANNEL_APP, .code = demo_add, .id = id};
    uint8_t *payload = NULL;
    bool answered = raw_send(fd, f, NULL, 0, message, sizeof(message)) && raw_recv(fd, &f, &payload) &&
                    f.kind == CELL_FRAME_REPLY && f.id == id && f.code == 0;
    free(payload);
    return answered;
}

static bool cancel(int fd, uint64_t id)
{
    return raw_send(fd, (struct cell_frame){.kind = CELL_FRAME_CANCEL, .channel = CELL_CHANNEL_APP, .id = id}, NULL, 0,
                    NULL, 0);
}

TEST(what_was_begun_for_who_has_not_heard_is_undone)
{
    const struct cell_method *handlers[DEMO_COUNT];
    struct cell_method add = server_methods[demo_add];
    struct demo_server d = {.handlers = handlers};
    struct cell_frame f;
    uint8_t *payload = NULL;
    memcpy(handlers, demo_handlers, sizeof(handlers));
    add.invoke = handle_add_with_undo;
    handlers[demo_add] = &add;
    sem_init(&undone, 0, 0);
    demo_setup();
    demo_start(&d);
    int fd = raw_connect();
    CHECK(raw_hello(fd, CELL_CHANNEL_APP, "demo", demo_fingerprint, "lp64-le"));
    REQUIRE(raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_WELCOME);
    free(payload);
    /* One that asks for nothing, and two that were heard. */
    CHECK(send_add(fd, 1, 7, 0) && cancel(fd, 1));
    CHECK(send_add(fd, 2, 8, 1) && send_add(fd, 3, 9, 1));
    CHECK(cancel(fd, 2) && cancel(fd, 3));
    wait_sem(&undone);
    CHECK_STR(of, "9");
    /* Once only, and the next call is another one. */
    CHECK(cancel(fd, 3) && send_add(fd, 4, 10, 1) && cancel(fd, 4));
    wait_sem(&undone);
    CHECK_STR(of, "10");
    close(fd);
    demo_stop(&d);
    CHECK(sem_trywait(&undone) < 0);
    demo_teardown();
}

TEST(in_this_process_nobody_says_so)
{
    CELL_CTX(c);
    CHECK(!cell_ctx_if_unheard(c, undo, &undone, "x") && !cell_ctx_if_unheard(NULL, undo, &undone, "x"));
}
