/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Clients that know nothing of rules, or do not look, against a server that checks them: on every way of a call. */
#include "async_calls.h"
#include "crowd_fixture.h"
#include "stream_fixture.h"

#define SIGNED(low, high) {{CELL_RULE_SIGNED, 0, (uint64_t)(low), (uint64_t)(high), NULL, NULL}, {0}}
#define LENGTH(low, high, message) {{CELL_RULE_LENGTH, 0, low, high, NULL, message}, {0}}

static const struct cell_rule a_rules[] = SIGNED(-5, 1000), text_rules[] = LENGTH(0, 5, "short words only"),
                              data_rules[] = LENGTH(0, 100000, NULL);
static const struct cell_field ruled_add[] = {{"a", &cell_type_i32, 0, 0, CELL_FIELD_RULED, a_rules},
                                              {"b", &cell_type_i32, 4, 0, 0, NULL}};
static const struct cell_field ruled_echo[] = {{"text", &cell_type_str, 0, 0, CELL_FIELD_RULED, text_rules},
                                               {"data", &cell_type_bytes, 16, 0, CELL_FIELD_RULED, data_rules}};
/* The account, with rules on tags: a struct in a list in a struct by pointer. */
static struct cell_field ruled_tag_fields[COUNT(tag_type_fields)], ruled_account_fields[COUNT(account_type_fields)];
static struct cell_type ruled_tag, ruled_tags, ruled_account;
static const struct cell_rule key_rules[] = LENGTH(2, 4, NULL), note_rules[] = LENGTH(1, 3, "no such note");
static const struct cell_field ruled_rich[] = {{"in", &ruled_account, 0, 0, CELL_FIELD_REF | CELL_FIELD_RULED, NULL}};

static void rule_account(void)
{
    memcpy(ruled_tag_fields, tag_type_fields, sizeof(ruled_tag_fields));
    memcpy(ruled_account_fields, account_type_fields, sizeof(ruled_account_fields));
    ruled_tag = tag_type;
    ruled_tag.fields = ruled_tag_fields;
    for (uint32_t i = 0; i < ruled_tag.nfields; i++) {
        bool key = strcmp(ruled_tag_fields[i].name, "key") == 0;
        if (!key && strcmp(ruled_tag_fields[i].name, "note") != 0)
            continue;
        ruled_tag_fields[i].rules = key ? key_rules : note_rules;
        ruled_tag_fields[i].flags = CELL_FIELD_RULED;
    }
    ruled_account = account_type;
    ruled_account.fields = ruled_account_fields;
    for (uint32_t i = 0; i < ruled_account.nfields; i++)
        if (strcmp(ruled_account_fields[i].name, "tags") == 0) {
            ruled_tags = *ruled_account_fields[i].type;
            ruled_tags.elem = &ruled_tag;
            ruled_account_fields[i].type = &ruled_tags;
            ruled_account_fields[i].flags = CELL_FIELD_RULED;
        }
}

static struct cell_client *client;

/* A server with rules of which the client's descriptors say nothing. */
static cell_ctx *begin(struct demo_server *d, bool shm)
{
    static struct cell_method methods[DEMO_COUNT];
    static const struct cell_method *handlers[DEMO_COUNT];
    *d = (struct demo_server){0};
    demo_setup();
    rule_account();
    call_over(shm);
    for (int i = 0; i < DEMO_COUNT; i++) {
        methods[i] = server_methods[i];
        handlers[i] = &methods[i];
    }
    methods[demo_add].in = ruled_add;
    methods[demo_echo].in = ruled_echo;
    methods[demo_rich].in = ruled_rich;
    d->handlers = handlers;
    demo_start(d);
    CHECK(cell_client_open(demo_address, &client) == CELL_OK);
    return cell_ctx_open(&(struct cell_ctx_options){.client = client});
}

static void end(struct demo_server *d, cell_ctx *c)
{
    cell_ctx_close(c);
    cell_client_close(client);
    demo_stop(d);
    demo_teardown();
    unsetenv("CELL_TRANSPORT");
}

#define REFUSED(c, call, message)                                                                                      \
    do {                                                                                                               \
        CHECK((call) == CELL_INVALID_ARGUMENT);                                                                        \
        CHECK_STR(cell_ctx_message(c), message);                                                                       \
    } while (0)

TEST(a_server_checks_what_clients_did_not)
{
    for (int shm = 0; shm < 2; shm++) {
        struct demo_server d;
        struct echo_out o;
        int32_t sum = 0;
        static uint8_t large[100008];
        cell_ctx *c = begin(&d, shm);
        CHECK(call_add(c, 1000, 1, &sum) == 7 && sum == 1001);
        sum = 77;
        for (int i = 0; i < 20; i++) { /* the later ones are short calls, in shared memory */
            REFUSED(c, call_add(c, 1001, 1, &sum), "demo_add: a must be -5 to 1000, not 1001");
            CHECK(sum == 77);
        }
        CHECK(call_add(c, -5, 1, &sum) == 0 && sum == -4);
        CHECK(atomic_load(&shared->calls) == 2);

        CHECK(call_echo(c, CELL_STR("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"), (cell_bytes){NULL, 0}, &o) == 0);
        REFUSED(c, call_echo(c, CELL_STR("longer"), (cell_bytes){NULL, 0}, &o), "demo_echo: short words only");
        CHECK(call_echo(c, CELL_STR("a"), (cell_bytes){large, 100000}, &o) == 0);
        REFUSED(c, call_echo(c, CELL_STR("a"), (cell_bytes){large, 100001}, &o),
                "demo_echo: data must have at most 100000 bytes, not 100001");
        CHECK(atomic_load(&shared->calls) == 4);
        end(&d, c);
    }
}

TEST(rules_inside_of_lists_and_structs_are_checked)
{
    for (int shm = 0; shm < 2; shm++) {
        struct demo_server d;
        struct tag tags[3] = {
            {.key = {"key", 3}, .note = {true, {"abc", 3}}}, {.key = {"ab", 2}}, {.key = {"abcd", 4}}};
        struct account a = {.id = 7, .email = CELL_STR("ada@example.org"), .tags = {tags, 3}}, got;
        cell_ctx *c = begin(&d, shm);
        CHECK(call_rich(c, &a, &got) == 0 && got.tags.len == 3);
        tags[2].key.len = 1;
        REFUSED(c, call_rich(c, &a, &got), "demo_rich: in.tags[2].key must have 2 to 4 characters, not 1");
        tags[1].note.has = true;
        REFUSED(c, call_rich(c, &a, &got), "demo_rich: in.tags[1].note: no such note");
        a.tags.len = 1;
        CHECK(call_rich(c, &a, &got) == 0);
        end(&d, c);
    }
}

TEST(asynchronous_calls_and_those_of_batches_are_checked)
{
    for (int shm = 0; shm < 2; shm++) {
        struct demo_server d;
        int32_t sums[8];
        int tickets[8];
        cell_ctx *c = begin(&d, shm);
        for (int batch = 0; batch < 2; batch++) {
            if (batch)
                cell_batch_begin(c);
            for (int i = 0; i < 8; i++)
                tickets[i] = add_async(c, i % 2 ? i : 2000, 1, &sums[i]);
            if (batch)
                cell_batch_end(c);
            for (int i = 0; i < 8; i++)
                CHECK(cell_wait(c, tickets[i]) == (i % 2 ? 0 : CELL_INVALID_ARGUMENT));
        }
        CHECK(atomic_load(&shared->calls) == 8);
        end(&d, c);
    }
}

/* With rules in the client's descriptors nothing reaches the server. */
TEST(a_client_that_knows_the_rules_sends_nothing_that_breaks_them)
{
    for (int shm = 0; shm < 2; shm++) {
        struct demo_server d = {0};
        struct cell_method methods[DEMO_COUNT];
        struct cell_service service = demo;
        int32_t sum = 5;
        demo_setup();
        call_over(shm);
        demo_start(&d); /* without rules of its own */
        memcpy(methods, client_methods, sizeof(methods));
        methods[demo_add].in = ruled_add;
        service.methods = methods;
        void *const out[] = {&sum};
        struct add_in in = {1, 2};
        CHECK(cell_client_open(demo_address, &client) == CELL_OK);
        cell_ctx *c = cell_ctx_open(&(struct cell_ctx_options){.client = client});
        for (int i = 0; i < 20; i++) {
            in.a = 1;
            CHECK(cell_call(c, &service, demo_add, &in, out) == 0 && sum == 3);
            in.a = -6;
            REFUSED(c, cell_call(c, &service, demo_add, &in, out), "demo_add: a must be -5 to 1000, not -6");
            REFUSED(c, cell_call_async(c, &service, demo_add, &in, out), "demo_add: a must be -5 to 1000, not -6");
            CHECK(sum == 3);
        }
        CHECK(atomic_load(&shared->calls) == 20);
        end(&d, c);
    }
}

/* ---- records of streams ---- */

static int sum_numbers(cell_ctx *c, const void *in, void *const *out)
{
    struct total *o = out[0];
    struct item some[3];
    size_t n;
    int r;
    (void)in;
    while ((n = cell_stream_next_n(cell_ctx_stream(c), some, 3)) > 0)
        for (size_t i = 0; i < n; i++) {
            CHECK(some[i].n <= 10);
            o->count++;
        }
    r = cell_stream_next(cell_ctx_stream(c), some);
    atomic_store(&flow_taken, o->count);
    return r;
}

TEST(each_record_that_a_client_sends_is_checked)
{
    static const struct cell_rule most[] = {{CELL_RULE_UNSIGNED, 0, 0, 10, NULL, NULL}, {0}};
    static const struct cell_field fields[] = {{"n", &cell_type_u64, 0, 0, CELL_FIELD_RULED, most},
                                               {"rest", &cell_type_u64, offsetof(struct item, rest), 7, 0, NULL}};
    static const struct cell_type type = {"item", CELL_KIND_STRUCT, sizeof(struct item), 8, 2, fields, NULL};
    static const struct cell_field ruled = {"items", &type, 0, 0, CELL_FIELD_RULED, NULL};
    for (enum carrier k = 0; k < CARRIERS; k++) {
        struct cell_method methods[FLOW_COUNT];
        const struct cell_method *handlers[FLOW_COUNT];
        struct flow f;
        struct total t = {0};
        struct item some[8] = {{.n = 1}, {.n = 2}, {.n = 10}, {.n = 3}, {.n = 4}, {.n = 11}, {.n = 5}};
        memcpy(methods, flow_handlers, sizeof(methods));
        methods[flow_sum].stream = &ruled;
        methods[flow_sum].invoke = sum_numbers;
        for (int i = 0; i < FLOW_COUNT; i++)
            handlers[i] = &methods[i];
        flow_served = handlers;
        flow_begin(&f, k, (struct cell_server_options){0});
        struct cell_stream *s = open_sum(f.c, 99, 0);
        CHECK(cell_stream_put(s, some, 5) == 0);
        CHECK(end_total(s, &t) == 0 && t.count == 5);
        s = open_sum(f.c, 99, 0);
        CHECK(cell_stream_put(s, some, 7) == 0); /* the client's descriptors have no rules */
        CHECK(end_total(s, &t) == CELL_INVALID_ARGUMENT);
        CHECK_STR(cell_ctx_message(f.c), "flow_sum: items.n must be at most 10, not 11");
        CHECK(atomic_load(&flow_taken) == 5);
        flow_end(&f);
        flow_served = NULL;
    }
}
