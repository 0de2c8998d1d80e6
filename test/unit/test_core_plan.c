/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Plans, places and fixes in expansion documents; the documents of apply and state. */
#include "test.h"

#include "core/lock.h"
#include "core/schema.h"

static struct cell_error error;

static struct cell_expansion *parse(const char *json)
{
    struct cell_expansion *x = NULL;
    error = (struct cell_error){0};
    int r = cell_expansion_parse(json, strlen(json), NULL, &x, &error);
    CHECK((r == CELL_OK) == (x != NULL) && error.status == r);
    return x;
}

#define WITH(members) "{\"expansion\":\"cell.expansion/1\"," members "}"
#define SAID(members) WITH("\"diagnostics\":[{\"severity\":\"error\",\"text\":\"t\"," members "}]")

TEST(a_plan_has_steps)
{
    struct cell_expansion *x = parse(
        WITH("\"plan\":{\"id\":\"0fa9\",\"steps\":[{\"text\":\"CREATE\\n\\tTABLE\",\"kind\":\"create-table\","
             "\"hazard\":\"\"},"
             "{\"text\":\"DROP\",\"kind\":\"X-9\",\"hazard\":\"loses values\"},{\"text\":\"\",\"kind\":\"a\"}]}"));
    REQUIRE(x);
    CHECK_STR(x->plan.id, "0fa9");
    REQUIRE(x->plan.nsteps == 3);
    CHECK_STR(x->plan.steps[0].text, "CREATE\n\tTABLE");
    CHECK_STR(x->plan.steps[0].kind, "create-table");
    CHECK(!x->plan.steps[0].hazard && !x->plan.steps[2].hazard);
    CHECK_STR(x->plan.steps[1].hazard, "loses values");
    cell_expansion_free(x);
}

TEST(without_steps_there_is_no_plan)
{
    static const char *const none[] = {WITH("\"plan\":{}"), WITH("\"plan\":{\"id\":\"no hex\",\"steps\":[]}"),
                                       WITH("\"plan\":{\"id\":\"\"}"), WITH("\"x\":1")};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        struct cell_expansion *x = parse(none[i]);
        REQUIRE(x);
        CHECK(!x->plan.id && !x->plan.nsteps && !x->plan.steps);
        cell_expansion_free(x);
    }
}

TEST(an_expansion_may_name_what_it_relies_on)
{
    struct cell_expansion *x = parse(WITH("\"resources\":[\"public.users.age integer\",\"b\"]"));
    struct cell_expansion *none = parse(WITH("\"resources\":[]"));
    REQUIRE(x && none);
    REQUIRE(x->nresources == 2 && none->nresources == 0);
    CHECK_STR(x->resources[0], "public.users.age integer");
    CHECK_STR(x->resources[1], "b");
    CHECK_STR(x->content->fingerprint, none->content->fingerprint); /* no part of what it declares */
    cell_expansion_free(x);
    cell_expansion_free(none);
    CHECK(!parse(WITH("\"resources\":[\"a\",\"b\\n\"]")));
    CHECK(strstr(error.text, "resources[1]: no name of a resource") != NULL);
    CHECK(!parse(WITH("\"resources\":[7]")) && !parse(WITH("\"resources\":\"a\"")));
}

TEST(diagnostics_have_places_notes_and_fixes)
{
    struct cell_expansion *x = parse(SAID(
        "\"field\":\"sql\",\"at\":7,\"length\":3,\"fix\":{\"rule\":\"renamed_from\",\"args\":[\"a\",\"\"]},\"notes\":["
        "{\"text\":\"n\",\"field\":\"sql\",\"at\":0},{\"text\":\"m\"}]"));
    REQUIRE(x && x->ndiagnostics == 1);
    const struct expansion_diagnostic *d = x->diagnostics;
    CHECK(d->place.has_at && d->place.at == 7 && d->place.length == 3);
    CHECK_STR(d->fix.name, "renamed_from");
    REQUIRE(d->fix.nargs == 2 && d->nnotes == 2);
    CHECK_STR(d->fix.args[0], "a");
    CHECK_STR(d->fix.args[1], "");
    CHECK_STR(d->notes[0].text, "n");
    CHECK(d->notes[0].place.has_at && d->notes[0].place.at == 0 && d->notes[0].place.length == 0);
    CHECK(!d->notes[1].place.field && !d->notes[1].place.has_at);
    cell_expansion_free(x);
    x = parse(SAID("\"field\":\"sql\",\"length\":3"));
    REQUIRE(x);
    CHECK(!x->diagnostics[0].place.has_at && !x->diagnostics[0].place.length && !x->diagnostics[0].fix.name);
    cell_expansion_free(x);
}

TEST(what_is_wrong_with_them_is_told)
{
#define STEP(members) WITH("\"plan\":{\"id\":\"a\",\"steps\":[" members "]}")
    static const struct {
        const char *json, *message;
    } bad[] = {
        {WITH("\"plan\":[]"), "plan: an object is expected, not an array"},
        {WITH("\"plan\":{\"id\":\"a\",\"steps\":{}}"), "plan.steps: an array is expected, not an object"},
        {WITH("\"plan\":{\"steps\":[{\"text\":\"a\",\"kind\":\"b\"}]}"), "plan.id: missing"},
        {WITH("\"plan\":{\"id\":\"A\",\"steps\":[{\"text\":\"a\",\"kind\":\"b\"}]}"),
         "plan.id: 1 to 64 lower-case hex digits are expected"},
        {WITH("\"plan\":{\"id\":\"\",\"steps\":[{\"text\":\"a\",\"kind\":\"b\"}]}"),
         "plan.id: 1 to 64 lower-case hex digits are expected"},
        {WITH("\"plan\":{\"id\":\"00000000000000000000000000000000000000000000000000000000000000000\",\"steps\":[{}]}"),
         "plan.id: 1 to 64 lower-case hex digits are expected"},
        {STEP("1"), "plan.steps[0]: an object is expected, not an integer"},
        {STEP("{\"kind\":\"b\"}"), "plan.steps[0].text: missing"},
        {STEP("{\"text\":\"a\"}"), "plan.steps[0].kind: missing"},
        {STEP("{\"text\":\"a\",\"kind\":\"b c\"}"), "plan.steps[0].kind: 1 to 64 letters, digits and '-' are expected"},
        {STEP("{\"text\":\"\\u001b[2J\",\"kind\":\"b\"}"),
         "plan.steps[0].text: the text holds a control or bidirectional control character"},
        {STEP("{\"text\":\"a\",\"kind\":\"b\",\"hazard\":\"\\u202e\"}"),
         "plan.steps[0].hazard: the text holds a control or bidirectional control character"},
        {SAID("\"at\":1"), "diagnostics[0].at: it is a place in the text of 'field', which is not there"},
        {SAID("\"field\":\"a\",\"at\":-1"), "diagnostics[0].at: "},
        {SAID("\"field\":\"a\",\"at\":2147483648"), "diagnostics[0].at: "},
        {SAID("\"field\":\"a\",\"at\":0,\"length\":2147483648"), "diagnostics[0].length: "},
        {SAID("\"fix\":{}"), "diagnostics[0].fix.rule: missing"},
        {SAID("\"fix\":{\"rule\":\"a b\"}"), "diagnostics[0].fix.rule: 'a b' is not an identifier"},
        {SAID("\"fix\":{\"rule\":\"a\",\"args\":[1]}"), "diagnostics[0].fix.args[0]: a string is expected"},
        {SAID("\"notes\":[{}]"), "diagnostics[0].notes[0].text: missing"},
        {SAID("\"notes\":[{\"text\":\"a\",\"at\":1}]"), "diagnostics[0].notes[0].at: it is a place"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cell_expansion *x = parse(bad[i].json);
        CHECK(!x && error.status == CELL_PROTOCOL_ERROR);
        if (strncmp(error.text, bad[i].message, strlen(bad[i].message)) != 0)
            CHECK_STR(error.text, bad[i].message);
        cell_expansion_free(x);
    }
}

/* ---- state ---- */

TEST(a_state_is_a_short_token)
{
    char token[CELL_STATE_MAX + 1] = "unchanged";
    CHECK(cell_state_parse("{\"state\":\"Az09._-\"}", 19, token, &error) == CELL_OK);
    CHECK_STR(token, "Az09._-");
    static const char *const bad[] = {
        "{}",
        "{\"state\":1}",
        "{\"state\":\"\"}",
        "{\"state\":\"a b\"}",
        "[]",
        "",
        "{\"state\":\"\xc3\xa4\"}",
        "{\"state\":\"00000000000000000000000000000000000000000000000000000000000000000\"}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(cell_state_parse(bad[i], strlen(bad[i]), token, &error) == CELL_PROTOCOL_ERROR);
    CHECK_STR(token, "Az09._-");
    CHECK(!cell_is_state(NULL, 0) && !cell_is_state("", 0) && !cell_is_state("a\0b", 3) && cell_is_state("ab", 1));
}

/* ---- apply ---- */

static struct cell_applied *applied_of(const char *json, uint32_t requests)
{
    struct cell_applied *a = NULL;
    error = (struct cell_error){0};
    int r = cell_applied_parse(json, strlen(json), requests, &a, &error);
    CHECK((r == CELL_OK) == (a != NULL) && error.status == r);
    return a;
}

TEST(a_report_tells_what_was_done)
{
    struct cell_applied *a = applied_of(
        "{\"applied\":[{\"id\":\"ab\",\"steps\":2},{\"id\":\"\",\"steps\":0}],\"state\":\"s.1\",\"later\":1}", 2);
    REQUIRE(a && a->ndone == 2);
    CHECK_STR(a->done[0].id, "ab");
    CHECK(a->done[0].steps == 2 && a->done[1].steps == 0 && !a->failed);
    CHECK_STR(a->done[1].id, "");
    CHECK_STR(a->state, "s.1");
    cell_applied_free(a);
    cell_applied_free(NULL);
}

TEST(a_report_tells_where_it_failed)
{
    struct cell_applied *a =
        applied_of("{\"applied\":[{\"id\":\"ab\",\"steps\":2}],\"failed\":{\"request\":1,\"text\":\"full\","
                   "\"field\":\"name\",\"at\":3,\"notes\":[{\"text\":\"n\"}]}}",
                   3);
    REQUIRE(a);
    CHECK(a->failed && a->failed_at == 1 && a->ndone == 1 && a->failure.severity == EXPANSION_ERROR);
    CHECK_STR(a->failure.text, "full");
    CHECK(a->failure.place.at == 3 && a->failure.nnotes == 1);
    CHECK_STR(a->state, "");
    cell_applied_free(a);
}

TEST(a_report_that_cannot_be_is_refused)
{
    static const struct {
        const char *json, *message;
    } bad[] = {
        {"{}", "applied: missing"},
        {"{\"applied\":[]}", "applied: 0 entries for 2 requests, and no failure"},
        {"{\"applied\":[1,2,3]}", "applied: 3 entries for 2 requests"},
        {"{\"applied\":[{\"id\":\"g\",\"steps\":1}]}", "applied[0].id: 1 to 64 lower-case hex digits are expected"},
        {"{\"applied\":[{\"id\":\"a\"}]}", "applied[0].steps: missing"},
        {"{\"applied\":[{\"steps\":1}]}", "applied[0].id: missing"},
        {"{\"applied\":[],\"state\":\"\"}", "state: 1 to 64 letters, digits, '.', '_' and '-' are expected"},
        {"{\"applied\":[],\"failed\":{\"text\":\"a\"}}", "failed.request: missing"},
        {"{\"applied\":[],\"failed\":{\"request\":2,\"text\":\"a\"}}", "failed.request: "},
        {"{\"applied\":[],\"failed\":{\"request\":1}}", "failed.text: missing"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!applied_of(bad[i].json, 2) && error.status == CELL_PROTOCOL_ERROR);
        if (strncmp(error.text, bad[i].message, strlen(bad[i].message)) != 0)
            CHECK_STR(error.text, bad[i].message);
    }
}

#define REQUEST                                                                                                        \
    "{\"declaration\":{\"kind\":\"struct\",\"name\":\"p\",\"type\":{\"name\":\"p\",\"kind\":\"struct\",\"size\":4,"    \
    "\"align\":4,\"fields\":[{\"name\":\"x\",\"type\":\"i32\",\"offset\":0}]},\"types\":[]}}"

TEST(a_request_for_apply_holds_requests)
{
    uint32_t n = 0;
    const char *good = "{\"requests\":[" REQUEST "," REQUEST "]}";
    CHECK(cell_apply_request_check(good, strlen(good), &n, &error) == CELL_OK && n == 2);
    static const char *const bad[] = {"{}", "{\"requests\":[]}", "{\"requests\":[1]}", "[]",
                                      "{\"requests\":[{\"declaration\":{\"kind\":\"struct\"}}]}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        n = 7;
        error = (struct cell_error){0};
        CHECK(cell_apply_request_check(bad[i], strlen(bad[i]), &n, &error) < 0 && n == 7 && error.text[0]);
    }
    CHECK(strncmp(error.text, "requests[0]: ", 13) == 0);
}

/* ---- what a lock keeps ---- */

TEST(a_lock_keeps_neither_plan_nor_diagnostics)
{
    struct cell_buffer b = {0};
    const char *reply =
        "{\"plan\":{\"id\":\"a\",\"steps\":[]},\"expansion\":\"cell.expansion/1\",\"zeta\":{\"plan\":1},"
        "\"diagnostics\":[{\"severity\":\"note\",\"text\":\"a\"}],\"constants\":[]}";
    CHECK(cell_lock_document(reply, strlen(reply), &b, &error) == CELL_OK);
    CHECK_STR(b.data, "{\"constants\":[],\"expansion\":\"cell.expansion/1\",\"zeta\":{\"plan\":1}}");
    cell_buffer_free(&b);
    CHECK(cell_lock_document("[1]", 3, &b, &error) == CELL_OK);
    CHECK(cell_lock_document("{", 1, &b, &error) == CELL_PROTOCOL_ERROR);
    cell_buffer_free(&b);
}

/* ---- rules on declarations in a schema ---- */

static int parse_verb(const char *members, struct cell_schema **s)
{
    char json[1024];
    snprintf(json, sizeof(json),
             "{\"abi\":\"lp64-le\",\"cell\":\"db\",\"schema\":\"cell.schema/"
             "1\",\"verbs\":[{\"name\":\"v\",\"on\":[\"struct\"],%s}]}",
             members);
    error = (struct cell_error){0};
    return cell_schema_parse(json, strlen(json), s, &error);
}

TEST(a_verb_may_have_rules_and_files)
{
    struct cell_schema *s = NULL;
    struct cell_buffer b = {0};
    REQUIRE(
        parse_verb("\"args\":[{\"name\":\"sql\",\"type\":\"file\",\"required\":true}],\"rules\":[\"index\",\"check\"]",
                   &s) == CELL_OK);
    REQUIRE(s->nverbs == 1 && s->verbs[0].nrules == 2);
    CHECK_STR(s->verbs[0].rules[1], "check");
    CHECK_STR(s->verbs[0].args[0].type, "file");
    s->received = NULL;
    CHECK(cell_schema_format(s, &b) == CELL_OK);
    CHECK(strstr(b.data, "\"on\":[\"struct\"],\"rules\":[\"index\",\"check\"]}"));
    cell_buffer_free(&b);
    cell_schema_free(s);
    s = NULL;
    CHECK(parse_verb("\"rules\":[\"a b\"]", &s) == CELL_PROTOCOL_ERROR);
    CHECK_STR(error.text, "verbs[0].rules[0]: 'a b' is not an identifier");
    CHECK(parse_verb("\"args\":[{\"name\":\"f\",\"type\":\"file\",\"default\":\"x\"}]", &s) == CELL_PROTOCOL_ERROR);
    CHECK_STR(error.text, "verbs[0].args[0].default: a file has no default: it would belong to no source");
    CHECK(parse_verb("\"args\":[{\"name\":\"f\",\"type\":\"folder\"}]", &s) == CELL_PROTOCOL_ERROR);
    CHECK(!s);
}
