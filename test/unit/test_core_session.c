/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Asking cells: once, in time, and not again when nothing changed. What is kept on the disk: test_core_store.c. */
#include "session_fixture.h"

TEST(a_session_needs_absolute_paths)
{
    CHECK(cell_session_new("a.c", NULL, SESSION_LIVE, &fake_exchange, &session, &error) == CELL_INVALID_ARGUMENT);
    CHECK(cell_session_new("/a.c", "a.o", SESSION_LIVE, &fake_exchange, &session, &error) == CELL_INVALID_ARGUMENT);
    CHECK(session == NULL);
    cell_session_free(NULL);
}

TEST(a_session_without_questions_touches_nothing)
{
    project_make();
    session_begin(SESSION_LIVE);
    CHECK_STR(cell_session_config(session)->path, temp_path("cell.json"));
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    session_done();
    CHECK(fake.opens == 0 && !temp_exists(".cell"));
    project_remove();
}

TEST(errors_of_the_configuration_are_errors_of_the_session)
{
    project_make();
    temp_write("cell.json", "{ \"cels\": {} }");
    CHECK(session_begin_of("a.c", SESSION_LIVE) == CELL_INVALID_ARGUMENT);
    CHECK(session == NULL);
    CHECK(strstr(error.text, "cell.json:1: cels: ") != NULL);
    project_remove();
}

TEST(a_cell_is_asked_once_a_session)
{
    project_make();
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_OK);
    CHECK(ask("auth", CELL_OK) == cell);
    CHECK(fake.opens == 1 && fake.requests == 1);
    CHECK_STR(cell->name, "auth");
    char expected[256];
    snprintf(expected, sizeof(expected), "unix:%s/run/auth.sock", temp_folder);
    CHECK_STR(cell->address, expected);
    CHECK_STR(fake.address, expected);
    CHECK_STR(cell->mirror_path, temp_path(".cell/mirror/auth.json"));
    CHECK(!fake.any_owner);
    const struct cell_schema *schema = cell_session_schema(session, cell, &error);
    REQUIRE(schema);
    CHECK_STR(schema->fingerprint, cell->fingerprint);
    CHECK_STR(schema->cell, "auth");
    CHECK(cell_session_schema(session, cell, &error) == schema);
    CHECK(fake.opens == 1 && fake.requests == 1);
    session_done();
    CHECK(fake.closes == 1);
    project_remove();
}

TEST(a_failure_is_remembered_in_the_session_too)
{
    project_make();
    fake.open_status = CELL_UNAVAILABLE;
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_UNAVAILABLE);
    CHECK(strstr(cell->error.text, "run/auth.sock: fake open") != NULL);
    fake.open_status = 0;
    CHECK(ask("auth", CELL_UNAVAILABLE) == cell);
    CHECK(fake.opens == 1);
    CHECK(cell_session_schema(session, cell, &error) == NULL);
    CHECK(error.status == CELL_UNAVAILABLE);
    CHECK_STR(error.text, cell->error.text);
    CHECK(cell_session_baseline(session, cell) == NULL);
    struct cell_expansion *x = NULL;
    CHECK(cell_session_expand(session, cell, "{}", 2, NULL, &x, &error) == CELL_UNAVAILABLE);
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    session_done();
    CHECK(!temp_exists(".cell"));
    session_begin(SESSION_LIVE); /* another compilation asks again */
    ask("auth", CELL_OK);
    project_remove();
}

TEST(a_cell_whose_mirror_is_up_to_date_is_only_greeted)
{
    project_make();
    compile("a.c");
    CHECK(fake.opens == 1 && fake.requests == 1);
    compile("b.c");
    CHECK(fake.opens == 2 && fake.requests == 1);
    session_begin(SESSION_PLAN);
    struct session_cell *cell = ask("auth", CELL_OK);
    const struct cell_schema *schema = cell_session_schema(session, cell, &error);
    REQUIRE(schema);
    CHECK_STR(schema->fingerprint, cell->fingerprint);
    CHECK(fake.opens == 3 && fake.requests == 1);
    project_remove();
}

TEST(the_mirror_changes_only_when_its_content_does)
{
    project_make();
    compile("a.c");
    make_old(".cell/mirror/auth.json");
    compile("a.c");
    CHECK(is_old(".cell/mirror/auth.json"));
    fake.version = "second";
    compile("a.c");
    CHECK(!is_old(".cell/mirror/auth.json"));
    char *mirror = temp_read(".cell/mirror/auth.json");
    CHECK_STR(mirror, fake_schema("auth"));
    free(mirror);
    CHECK(fake.requests == 2);
    project_remove();
}

TEST(the_mirror_is_canonical_whatever_the_cell_sends)
{
    project_make();
    char canonical[1024], hash[65], sent[1200];
    strcpy(canonical, fake_schema("auth"));
    cell_sha256_hex(canonical, strlen(canonical), hash);
    snprintf(sent, sizeof(sent), " {\n%s\n", canonical + 1);
    fake.schema = sent;
    fake.fingerprint = hash;
    compile("a.c");
    char *mirror = temp_read(".cell/mirror/auth.json");
    CHECK_STR(mirror, canonical);
    free(mirror);
    project_remove();
}

/* Asks once and expects this failure, with a text that has `part`, and no mirror. */
static void refused(int status, const char *part)
{
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", status);
    if (!cell || !strstr(cell->error.text, part)) {
        printf("\"%s\" has no \"%s\"\n", cell ? cell->error.text : "", part);
        test_failures++;
    }
    CHECK(cell && strstr(cell->error.text, "run/auth.sock"));
    CHECK(!temp_exists(".cell/mirror/auth.json"));
    session_done();
    CHECK(fake.closes == fake.opens);
}

TEST(what_a_cell_states_must_be_true)
{
    project_make();
    fake.fingerprint = "abababababababababababababababababababababababababababababababab";
    refused(CELL_PROTOCOL_ERROR, "its greeting said abababababab");
    fake.fingerprint = "ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB";
    refused(CELL_PROTOCOL_ERROR, "the fingerprint in its greeting is not 64 hex digits");
    fake.fingerprint = "abab";
    refused(CELL_PROTOCOL_ERROR, "the fingerprint in its greeting is not 64 hex digits");
    fake.fingerprint = "";
    refused(CELL_PROTOCOL_ERROR, "the fingerprint in its greeting is not 64 hex digits");
    fake.fingerprint = NULL;
    fake.schema = "{\"abi\":\"lp64-le\",\"cell\":\"mail\",\"schema\":\"cell.schema/1\"}";
    refused(CELL_PROTOCOL_ERROR, "'mail'");
    fake.schema = "{\"abi\":\"lp64-le\"";
    refused(CELL_PROTOCOL_ERROR, "JSON");
    fake.schema = "";
    refused(CELL_PROTOCOL_ERROR, "its schema is not valid");
    fake.schema = "{\"abi\":\"lp64-le\",\"cell\":\"auth\",\"methods\":7,\"schema\":\"cell.schema/1\"}";
    refused(CELL_PROTOCOL_ERROR, "methods");
    project_remove();
}

TEST(failures_of_the_question_itself_are_said)
{
    project_make();
    fake.request_status = CELL_INTERNAL;
    refused(CELL_INTERNAL, "fake request");
    fake.request_status = CELL_UNAVAILABLE;
    refused(CELL_UNAVAILABLE, "fake request");
    CHECK(fake.opens == 2); /* a fresh connection that breaks is not tried again */
    project_remove();
}

TEST(names_that_no_cell_can_have_are_refused_before_anything_is_touched)
{
    project_make();
    session_begin(SESSION_LIVE);
    const char *names[] = {"../../x", "",    "a b",
                           "1a",      "a/b", "n123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct session_cell *cell = ask(names[i], CELL_INVALID_ARGUMENT);
        CHECK_STR(cell->name, names[i]);
        CHECK_STR(cell->address, "");
        char *path = NULL;
        bool exists;
        CHECK(cell_session_inject_path(session, names[i], "key", &path, &exists) == CELL_INVALID_ARGUMENT);
    }
    CHECK(fake.opens == 0);
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    project_remove();
}

TEST(sockets_of_others_are_asked_only_when_the_project_says_so)
{
    project_make();
    temp_write("cell.json", "{ \"trust_any_owner\": true }");
    session_begin(SESSION_LIVE);
    ask("auth", CELL_OK);
    CHECK(fake.any_owner);
    project_remove();
}

TEST(all_questions_share_one_deadline)
{
    project_make();
    fake.open_status = CELL_DEADLINE_EXCEEDED;
    fake.uses_time = true;
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_DEADLINE_EXCEEDED);
    CHECK(fake.granted_ms <= 200);
    char expected[256];
    snprintf(expected, sizeof(expected), "%s/run/auth.sock: the cell did not answer within 200 ms", temp_folder);
    CHECK_STR(cell->error.text, expected);
    fake.open_status = 0;
    cell = ask("mail", CELL_DEADLINE_EXCEEDED);
    CHECK(fake.opens == 1);
    CHECK(strstr(cell->error.text, "run/mail.sock was not asked: the 200 ms ") != NULL);
    project_remove();
}

TEST(what_one_question_took_is_missing_to_the_next)
{
    project_make();
    temp_write("cell.json", "{ \"timeout_ms\": 1000 }");
    fake.takes_ms = 200;
    session_begin(SESSION_LIVE);
    ask("auth", CELL_OK); /* greets and sends its schema; 50 ms of each are nothing to speak of */
    fake.takes_ms = 0;
    ask("mail", CELL_OK);
    CHECK(fake.granted_ms <= 700);
    project_remove();
}

TEST(time_that_passes_between_questions_does_not_count)
{
    project_make();
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_OK);
    uint64_t later = cell_now_ns() + 250 * CELL_NS_PER_MS; /* the deadline is 200 ms */
    while (cell_now_ns() < later)
        ;
    struct cell_expansion *x = NULL;
    fake.expansion = "{\"expansion\":\"cell.expansion/1\"}";
    CHECK(cell_session_expand(session, cell, "{}", 2, NULL, &x, &error) == CELL_OK);
    cell_expansion_free(x);
    project_remove();
}

TEST(an_expansion_is_asked_for_over_the_same_connection)
{
    project_make();
    fake.expansion = "{\"expansion\":\"cell.expansion/1\",\"diagnostics\":[{\"severity\":\"note\",\"text\":\"x\"}]}";
    session_begin(SESSION_PLAN);
    struct session_cell *cell = ask("auth", CELL_OK);
    struct cell_expansion *x = NULL;
    REQUIRE(cell_session_expand(session, cell, "{}", 2, NULL, &x, &error) == CELL_OK);
    CHECK(x->ndiagnostics == 1);
    CHECK_STR(x->diagnostics[0].text, "x");
    cell_expansion_free(x);
    CHECK(fake.opens == 1 && fake.expands == 1);
    fake.expansion = "{\"expansion\":7}";
    x = NULL;
    CHECK(cell_session_expand(session, cell, "{}", 2, NULL, &x, &error) == CELL_PROTOCOL_ERROR);
    CHECK(strstr(error.text, "run/auth.sock: its answer is not valid: ") != NULL);
    CHECK(x == NULL);
    project_remove();
}

TEST(an_expansion_uses_the_types_of_the_declaration_that_was_sent)
{
    struct schema_field field = {.name = "x", .type = {.kind = CELL_KIND_I32}};
    struct schema_type point = {
        .name = "point", .kind = CELL_KIND_STRUCT, .size = 4, .align = 4, .fields = &field, .nfields = 1};
    struct cell_schema declared = {.types = &point, .ntypes = 1};
    project_make();
    fake.expansion = "{\"expansion\":\"cell.expansion/1\",\"methods\":[{\"name\":\"point_put\",\"params\":["
                     "{\"name\":\"p\",\"type\":\"point\",\"dir\":\"in\"}]}]}";
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_OK);
    struct cell_expansion *x = NULL;
    REQUIRE(cell_session_expand(session, cell, "{}", 2, &declared, &x, &error) == CELL_OK);
    CHECK(x->content->ntypes == 1 && x->content->types[0].declared);
    cell_expansion_free(x);
    x = NULL;
    CHECK(cell_session_expand(session, cell, "{}", 2, NULL, &x, &error) == CELL_PROTOCOL_ERROR);
    CHECK(strstr(error.text, "its answer is not valid: methods[0].params[0].type: unknown type 'point'") != NULL);
    CHECK(fake.expands == 2);
    error = (struct cell_error){0};
    point.size = 8; /* what cannot travel is not sent: the cell might act on it */
    CHECK(cell_session_expand(session, cell, "{}", 2, &declared, &x, &error) == CELL_INVALID_ARGUMENT);
    CHECK_STR(error.text, "declaration.types[0].size: the size is 8, but the layout gives 4");
    CHECK(!x && fake.expands == 2);
    project_remove();
}

TEST(a_cell_learns_what_failed_and_only_then_an_answer_may_depend_on_it)
{
    project_make();
    fake.expansion = "{\"expansion\":\"cell.expansion/1\",\"depends\":true}";
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_OK);
    struct cell_expansion *x = NULL;
    CHECK(cell_session_expand(session, cell, "{\"a\":1}", 7, NULL, &x, &error) == CELL_PROTOCOL_ERROR && !x);
    CHECK(strstr(error.text, "depends: nothing has failed before") != NULL);
    CHECK(cell_session_failed(cell, "{\"b\":1}", 7) == CELL_OK && cell_session_failed(cell, "{\"b\":2}", 7) == CELL_OK);
    error = (struct cell_error){0};
    REQUIRE(cell_session_expand(session, cell, "{\"a\":1}", 7, NULL, &x, &error) == CELL_OK);
    CHECK(x->depends);
    CHECK(strstr(fake_last, "{\"failed\":[{\"b\":1},{\"b\":2}],\"project\":\"") == fake_last);
    CHECK(strcmp(fake_last + strlen(fake_last) - 8, "\",\"a\":1}") == 0);
    cell_expansion_free(x);
    project_remove();
}

TEST(a_connection_that_was_closed_meanwhile_is_made_again_once)
{
    project_make();
    fake.expansion = "{\"expansion\":\"cell.expansion/1\"}";
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_OK);
    fake.request_status = CELL_UNAVAILABLE;
    fake.fails_once = true;
    struct cell_expansion *x = NULL;
    CHECK(cell_session_expand(session, cell, "{}", 2, NULL, &x, &error) == CELL_OK);
    cell_expansion_free(x);
    CHECK(fake.opens == 2 && fake.states == 2 && fake.expands == 1);
    fake.request_status = CELL_UNAVAILABLE;
    fake.fails_once = false;
    CHECK(cell_session_expand(session, cell, "{}", 2, NULL, &x, &error) == CELL_UNAVAILABLE);
    CHECK(fake.opens == 3 && fake.expands == 3);
    project_remove();
}

TEST(a_cell_that_changed_meanwhile_expands_nothing)
{
    project_make();
    fake.expansion = "{\"expansion\":\"cell.expansion/1\"}";
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_OK);
    fake.request_status = CELL_UNAVAILABLE;
    fake.version = "second";
    struct cell_expansion *x = NULL;
    CHECK(cell_session_expand(session, cell, "{}", 2, NULL, &x, &error) == CELL_ABORTED);
    CHECK(fake.states == 1 && fake.expands == 0);
    project_remove();
}

TEST(mirror_mode_asks_nobody)
{
    project_make();
    session_begin(SESSION_MIRROR);
    struct session_cell *cell = ask("auth", CELL_NOT_FOUND);
    CHECK(strstr(cell->error.text, ".cell/mirror/auth.json") != NULL);
    compile("a.c");
    fake.opens = 0;
    for (int i = 0; i < 2; i++) {
        session_begin(SESSION_MIRROR);
        cell = ask("auth", CELL_OK);
        char hash[65];
        cell_sha256_hex(fake_schema("auth"), strlen(fake_schema("auth")), hash);
        CHECK_STR(cell->fingerprint, hash);
        CHECK(cell_session_schema(session, cell, &error) != NULL);
        struct cell_expansion *x = NULL;
        CHECK(cell_session_expand(session, cell, "{}", 2, NULL, &x, &error) == CELL_FAILED_PRECONDITION);
        session_done();
        CHECK(unlink(temp_path(".cell/known/auth")) == 0 || i); /* the second time without the short cut */
    }
    CHECK(fake.opens == 0);
    project_remove();
}

TEST(a_damaged_mirror_is_no_mirror)
{
    project_make();
    compile("a.c");
    const char *damaged[] = {"", "{", "garbage",
                             "{\"abi\":\"lp64-le\",\"cell\":\"mail\",\"schema\":\"cell.schema/1\"}"};
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        temp_write(".cell/mirror/auth.json", damaged[i]);
        session_begin(SESSION_MIRROR);
        ask("auth", CELL_PROTOCOL_ERROR);
        fake.requests = 0;
        compile("a.c"); /* asks again */
        CHECK(fake.requests == 1);
        session_begin(SESSION_MIRROR);
        ask("auth", CELL_OK);
    }
    project_remove();
}

TEST(a_mirror_that_another_compilation_replaces_is_not_mixed_up)
{
    project_make();
    compile("a.c");
    session_begin(SESSION_LIVE);
    struct session_cell *cell = ask("auth", CELL_OK);
    temp_write(".cell/mirror/auth.json", "{}");
    fake.requests = 0;
    const struct cell_schema *schema = cell_session_schema(session, cell, &error);
    REQUIRE(schema);
    CHECK_STR(schema->fingerprint, cell->fingerprint);
    CHECK(fake.requests == 0); /* an object was compiled against it, so there is a copy */
    session_begin(SESSION_LIVE);
    fake.version = "second";
    cell = ask("auth", CELL_OK);
    remove_tree(temp_path(".cell"));
    schema = cell_session_schema(session, cell, &error);
    REQUIRE(schema);
    CHECK_STR(schema->doc, "second");
    project_remove();
}
