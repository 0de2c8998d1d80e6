/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* State and apply on the compile channel: the cell's callbacks, and what it must not say. */
#include "call_fixture.h"

static int opened(uint8_t channel)
{
    struct cell_frame f = {0};
    uint8_t *payload = NULL;
    int fd = raw_connect();
    CHECK(raw_hello(fd, channel, "demo", NULL, "lp64-le"));
    CHECK(raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_WELCOME && f.code == 0);
    free(payload);
    return fd;
}

static void put(int fd, uint8_t channel, int32_t method, const char *message)
{
    CHECK(raw_send(fd, (struct cell_frame){.kind = CELL_FRAME_CALL, .channel = channel, .code = method, .id = 1}, NULL,
                   0, message, strlen(message)));
}

/* The message of the reply, or what it says of its failure; to be freed. */
static char *take(int fd, int *code)
{
    struct cell_frame f = {0};
    uint8_t *payload = NULL;
    CHECK(raw_recv(fd, &f, &payload) && f.kind == CELL_FRAME_REPLY);
    *code = f.code;
    char *text = f.code < 0 ? strdup(payload ? raw_meta(&f, payload, CELL_META_MESSAGE) : "")
                            : strndup((const char *)payload + f.meta_len, f.length - f.meta_len);
    free(payload);
    return text;
}

static char *asked(int fd, int32_t method, const char *message, int *code)
{
    put(fd, CELL_CHANNEL_COMPILE, method, message);
    return take(fd, code);
}

#define REQUEST "{\"requests\":[{\"declaration\":{\"kind\":\"function\",\"types\":[]}}]}"

static const char *token, *report;
static int status;
static sem_t entered, leave;
static bool waits;

static int demo_state(cell_ctx *c, cell_str *out)
{
    if (status < 0)
        return cell_fail(c, status, "not now");
    *out = (cell_str){token, token ? strlen(token) : 0};
    return 0;
}

static int demo_apply(cell_ctx *c, cell_str request, cell_str *reply)
{
    CHECK(request.len == strlen(request.ptr) && cell_ctx_remaining_ns(c) > 0);
    if (waits) {
        sem_post(&entered);
        wait_sem(&leave);
    }
    if (status < 0)
        return cell_fail(c, status, "not now");
    *reply = (cell_str){report, report ? strlen(report) : 0};
    return 0;
}

static void check(int fd, int32_t method, int expected, const char *text)
{
    int code;
    char *said = asked(fd, method, method == CELL_COMPILE_STATE ? "{}" : REQUEST, &code);
    CHECK(code == expected);
    if (!strstr(said, text))
        CHECK_STR(said, text);
    free(said);
}

TEST(a_cell_tells_its_state)
{
    struct demo_server d = {.options = {.state = demo_state}};
    demo_setup();
    demo_start(&d);
    int fd = opened(CELL_CHANNEL_COMPILE);
    token = "v1.2_3-x";
    check(fd, CELL_COMPILE_STATE, CELL_OK, "{\"state\":\"v1.2_3-x\"}");
    static const char *const bad[] = {
        NULL, "", "a b", "\"", "\xff", "00000000000000000000000000000000000000000000000000000000000000000"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        token = bad[i];
        check(fd, CELL_COMPILE_STATE, CELL_INTERNAL, "demo has a state that is no token");
    }
    status = CELL_UNAVAILABLE;
    check(fd, CELL_COMPILE_STATE, CELL_UNAVAILABLE, "not now");
    status = 0;
    check(fd, CELL_COMPILE_APPLY, CELL_UNIMPLEMENTED, "demo has no plans");
    close(fd);
    demo_stop(&d);
    demo_teardown();
}

TEST(a_cell_carries_plans_out_and_its_report_is_checked)
{
    struct demo_server d = {.options = {.apply = demo_apply}};
    int code;
    demo_setup();
    demo_start(&d);
    int fd = opened(CELL_CHANNEL_COMPILE);
    report = "{\"applied\":[{\"id\":\"ab\",\"steps\":1}]}";
    check(fd, CELL_COMPILE_APPLY, CELL_OK, report);
    report = "{\"applied\":[],\"failed\":{\"request\":0,\"text\":\"t\"},\"state\":\"s\"}";
    check(fd, CELL_COMPILE_APPLY, CELL_OK, report);
    report = "{\"applied\":[]}";
    check(fd, CELL_COMPILE_APPLY, CELL_INTERNAL,
          "demo wrote a report of what it has done that is not valid: applied: 0 entries for 1 requests");
    report = "no";
    check(fd, CELL_COMPILE_APPLY, CELL_INTERNAL, "demo wrote a report of what it has done that is not valid");
    report = NULL;
    check(fd, CELL_COMPILE_APPLY, CELL_INTERNAL, "demo wrote no report");
    status = CELL_FAILED_PRECONDITION;
    check(fd, CELL_COMPILE_APPLY, CELL_FAILED_PRECONDITION, "not now");
    status = 0;
    static const char *const bad[] = {"{}", "{\"requests\":[]}", "{\"requests\":[{\"declaration\":1}]}", "[", ""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        free(asked(fd, CELL_COMPILE_APPLY, bad[i], &code));
        CHECK(code == CELL_PROTOCOL_ERROR);
    }
    check(fd, CELL_COMPILE_STATE, CELL_UNIMPLEMENTED, "answers of demo are not to be kept");
    free(asked(fd, 4, "{}", &code));
    CHECK(code == CELL_UNIMPLEMENTED);
    close(fd);
    demo_stop(&d);
    demo_teardown();
}

TEST(others_are_served_while_a_plan_is_carried_out)
{
    struct demo_server d = {.options = {.apply = demo_apply, .state = demo_state, .max_threads = 4}};
    int code;
    demo_setup();
    CHECK(sem_init(&entered, 0, 0) == 0 && sem_init(&leave, 0, 0) == 0);
    demo_start(&d);
    int applying = opened(CELL_CHANNEL_COMPILE), other = opened(CELL_CHANNEL_COMPILE), ops = opened(CELL_CHANNEL_OPS);
    waits = true;
    token = "s";
    report = "{\"applied\":[{\"id\":\"\",\"steps\":0}]}";
    put(applying, CELL_CHANNEL_COMPILE, CELL_COMPILE_APPLY, REQUEST);
    wait_sem(&entered);
    check(other, CELL_COMPILE_STATE, CELL_OK, "{\"state\":\"s\"}");
    put(ops, CELL_CHANNEL_OPS, CELL_OPS_HEALTH, "");
    char *health = take(ops, &code);
    CHECK(code == CELL_OK && strstr(health, "\"serving\""));
    free(health);
    sem_post(&leave);
    char *said = take(applying, &code);
    CHECK(code == CELL_OK);
    CHECK_STR(said, report);
    free(said);
    waits = false;
    close(applying);
    close(other);
    close(ops);
    demo_stop(&d);
    demo_teardown();
}
