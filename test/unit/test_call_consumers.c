/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Consumers as a server keeps them: who may report and ask, where they are, and what the cell's own code sees. */
#include "call_fixture.h"

#include "ask/link.h"

#define FINGERPRINT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct cell_error error;

/* One request; its code, and the reply in *text when that is not NULL. */
static int ask(int32_t method, const char *message, char text[4096])
{
    struct cell_link *l = NULL;
    struct cell_link_reply reply;
    uint64_t deadline = cell_now_ns() + 20000 * CELL_NS_PER_MS;
    int r = cell_link_open(demo_address, "demo", CELL_CHANNEL_OPS, NULL, false, deadline, &l, &error);
    if (r < 0)
        return r;
    r = cell_link_request(l, method, NULL, 0, message, strlen(message), 0, deadline, &reply, &error);
    if (r >= 0)
        r = reply.code;
    if (r >= 0 && text)
        snprintf(text, 4096, "%.*s", (int)reply.message_len, (const char *)reply.message);
    cell_link_close(l);
    return r;
}

static int report(const char *program, const char *use, const char *place)
{
    char document[2048];
    snprintf(document, sizeof(document),
             "{\"consumer\":\"cell.consumer/1\",\"cell\":\"demo\",\"program\":\"%s\",\"path\":\"/bin/%s\",\"uses\":"
             "{\"cells\":[{\"cell\":\"demo\",\"fingerprint\":\"" FINGERPRINT "\",\"uses\":[%s,"
             "{\"kind\":\"method\",\"name\":\"demo_add\",\"at\":[\"%s\"]}]}]}}",
             program, program, use, place);
    return ask(CELL_OPS_REPORT, document, NULL);
}

#define FIELD_OF(name) "{\"kind\":\"field\",\"name\":\"" name "\",\"at\":[\"f.c:9\"]}"

static unsigned count(struct cell_server *s, const char *name, int expected)
{
    struct cell_consumer_uses *uses = NULL;
    struct cell_consumer_use use;
    unsigned n = 0;
    int r = cell_server_consumers(s, name, &uses);
    while (r >= 0 && (r = cell_consumer_uses_next(uses, &use)) > 0)
        n++;
    CHECK(r == expected);
    cell_consumer_uses_free(uses);
    return n;
}

TEST(what_was_reported_is_told_to_the_cell_and_survives_it)
{
    struct demo_server d = {.options = {.drain_ms = 1000}};
    struct cell_consumer_uses *uses = NULL;
    struct cell_consumer_use use;
    demo_setup();
    demo_start(&d);
    CHECK(count(d.server, NULL, 0) == 0 && access(temp_path("demo.consumers"), F_OK) < 0);
    CHECK(report("b", FIELD_OF("item.name"), "b.c:7") == CELL_OK);
    CHECK(report("a", FIELD_OF("items.name"), "a.c:3") == CELL_OK);
    demo_stop(&d);
    d.options.drain_ms = 1000;
    demo_start(&d);
    CHECK(access(temp_path("demo.consumers"), F_OK) == 0);
    CHECK(count(d.server, NULL, 0) == 4 && count(d.server, "demo_add", 0) == 2);
    CHECK(count(d.server, "item", 0) == 1 && count(d.server, "item.name", 0) == 1);
    CHECK(count(d.server, "item.na", 0) == 0 && count(d.server, "name", 0) == 0 && count(d.server, "", 0) == 0);
    REQUIRE(cell_server_consumers(d.server, "item", &uses) == CELL_OK);
    REQUIRE(cell_consumer_uses_next(uses, &use) == 1);
    CHECK_STR(use.program, "b");
    CHECK_STR(use.path, "/bin/b");
    CHECK_STR(use.build, "");
    CHECK_STR(use.fingerprint, FINGERPRINT);
    CHECK_STR(use.name, "item.name");
    CHECK_STR(use.file, "f.c");
    CHECK(use.kind == CELL_USE_FIELD && use.line == 9 && use.reported_s > 1700000000);
    CHECK(cell_consumer_uses_next(uses, &use) == 0 && cell_consumer_uses_next(uses, &use) == 0);
    cell_consumer_uses_free(uses);
    /* What was forgotten after the beginning is only missing. */
    REQUIRE(cell_server_consumers(d.server, "demo_add", &uses) == CELL_OK);
    CHECK(ask(CELL_OPS_FORGET, "{\"program\":\"a\"}", NULL) == CELL_OK);
    CHECK(ask(CELL_OPS_FORGET, "{\"program\":\"b\"}", NULL) == CELL_OK);
    CHECK(cell_consumer_uses_next(uses, &use) == 0);
    cell_consumer_uses_free(uses);
    demo_stop(&d);
    demo_teardown();
}

TEST(the_cell_sees_resources_and_when_something_has_changed)
{
    struct demo_server d = {.options = {.drain_ms = 1000}};
    struct cell_consumer_uses *uses = NULL;
    struct cell_consumer_use use;
    uint64_t before = 0, after = 0, again = 0;
    demo_setup();
    demo_start(&d);
    CHECK(cell_server_consumers_stamp(d.server, &before) == CELL_OK);
    CHECK(report("b", "{\"kind\":\"resource\",\"name\":\"a table, a column\",\"at\":[\"f.c:9\"]}", "b.c:7") == CELL_OK);
    CHECK(cell_server_consumers_stamp(d.server, &after) == CELL_OK && after != before);
    CHECK(cell_server_consumers_stamp(d.server, &again) == CELL_OK && after == again);
    REQUIRE(cell_server_consumers(d.server, "a table, a column", &uses) == CELL_OK);
    REQUIRE(cell_consumer_uses_next(uses, &use) == 1);
    CHECK(use.kind == CELL_USE_RESOURCE && use.line == 9);
    CHECK_STR(use.project, "");
    cell_consumer_uses_free(uses);
    CHECK(cell_server_consumers_stamp(NULL, &again) == CELL_INVALID_ARGUMENT);
    CHECK(cell_server_consumers_stamp(d.server, NULL) == CELL_INVALID_ARGUMENT);
    demo_stop(&d);
    demo_teardown();
}

TEST(record_that_cannot_be_read_is_an_error_that_ends_nothing)
{
    struct demo_server d = {.options = {.drain_ms = 1000}};
    char text[4096];
    demo_setup();
    demo_start(&d);
    CHECK(report("b", FIELD_OF("item.name"), "b.c:7") == CELL_OK);
    temp_write("demo.consumers/00000000000000000000000000000000.json", "{}");
    struct cell_consumer_uses *uses = NULL;
    struct cell_consumer_use use;
    REQUIRE(cell_server_consumers(d.server, "item", &uses) == CELL_OK);
    CHECK(cell_consumer_uses_next(uses, &use) == CELL_PROTOCOL_ERROR);
    CHECK(cell_consumer_uses_next(uses, &use) == 1 && cell_consumer_uses_next(uses, &use) == 0);
    cell_consumer_uses_free(uses);
    CHECK(ask(CELL_OPS_CONSUMERS, "", text) == CELL_OK);
    CHECK(strstr(text, "\"program\":\"b\"") && strstr(text, "\"left_out\":1"));
    demo_stop(&d);
    demo_teardown();
}

TEST(arguments_and_a_cell_that_keeps_none)
{
    struct demo_server d = {.options = {.drain_ms = 1000, .consumers = ""}};
    struct cell_consumer_uses *uses = NULL;
    struct cell_consumer_use use;
    demo_setup();
    demo_start(&d);
    CHECK(cell_server_consumers(d.server, NULL, &uses) == CELL_UNIMPLEMENTED && !uses);
    CHECK(report("b", FIELD_OF("item.name"), "b.c:7") == CELL_UNIMPLEMENTED);
    CHECK(ask(CELL_OPS_CONSUMERS, "", NULL) == CELL_UNIMPLEMENTED);
    CHECK(cell_server_consumers_stamp(d.server, &(uint64_t){0}) == CELL_UNIMPLEMENTED);
    CHECK(cell_server_consumers(NULL, NULL, &uses) == CELL_INVALID_ARGUMENT);
    CHECK(cell_server_consumers(d.server, NULL, NULL) == CELL_INVALID_ARGUMENT);
    CHECK(cell_consumer_uses_next(NULL, &use) == CELL_INVALID_ARGUMENT);
    CHECK(!cell_ctx_server(NULL));
    cell_consumer_uses_free(NULL);
    demo_stop(&d);
    demo_teardown();
}

TEST(cell_without_a_place_of_its_own_keeps_them_where_its_socket_would_be)
{
    struct demo_server d = {.options = {.address = NULL}};
    demo_setup();
    setenv("CELL_RUN_DIR", temp_folder, 1);
    CHECK(chdir(temp_folder) == 0);
    demo_new(&d);
    /* Before it runs, and by the options that the test did not set: its place is the one of CELL_RUN_DIR. */
    CHECK(count(d.server, NULL, 0) == 0);
    demo_start(&d);
    CHECK(report("b", FIELD_OF("item.name"), "b.c:7") == CELL_OK);
    CHECK(access(temp_path("demo.consumers"), F_OK) == 0 && count(d.server, "item", 0) == 1);
    demo_stop(&d);
    unsetenv("CELL_RUN_DIR");
    demo_teardown();
}

/* As another user. */
static int as_nobody(void)
{
    if (setgid(65534) < 0 || setuid(65534) < 0)
        return 1;
    if (ask(CELL_OPS_HEALTH, "", NULL) != CELL_OK)
        return 2;
    if (report("b", FIELD_OF("item.name"), "b.c:7") != CELL_PERMISSION_DENIED)
        return 3;
    return ask(CELL_OPS_CONSUMERS, "", NULL) == CELL_PERMISSION_DENIED &&
                   ask(CELL_OPS_CONSUMER, "{\"program\":\"a\",\"path\":\"\"}", NULL) == CELL_PERMISSION_DENIED &&
                   ask(CELL_OPS_FORGET, "{\"program\":\"a\"}", NULL) == CELL_PERMISSION_DENIED
               ? 0
               : 4;
}

TEST(only_the_own_user_and_root_may_report_and_ask)
{
    struct demo_server d = {.options = {.drain_ms = 1000}};
    if (geteuid() != 0) {
        printf("skipped: it takes two users\n");
        return;
    }
    demo_setup();
    demo_start(&d);
    CHECK(report("a", FIELD_OF("item.name"), "b.c:7") == CELL_OK);
    CHECK(chmod(temp_folder, 0755) == 0 && chmod(temp_path("demo.sock"), 0666) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(as_nobody());
    CHECK(demo_wait(pid) == 0);
    CHECK(count(d.server, "demo_add", 0) == 1);
    demo_stop(&d);
    demo_teardown();
}
