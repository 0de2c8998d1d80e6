/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Schemas that come out of precompiled headers and modules are of an object's record, though nobody was asked. */
#include "session_fixture.h"

/* What an object is compared with that is made now. */
static const char *baseline_of(const char *name)
{
    static char doc[64];
    CHECK(session_begin_of(name, SESSION_LIVE) == CELL_OK);
    const struct cell_schema *before = cell_session_baseline(session, ask("auth", CELL_OK));
    snprintf(doc, sizeof(doc), "%s", before ? before->doc : "");
    session_done();
    return doc;
}

static void build_on(const char *name, const char *fingerprint)
{
    CHECK(session_begin_of(name, SESSION_LIVE) == CELL_OK);
    CHECK(cell_session_built_on(session, "auth", fingerprint) == CELL_OK);
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    session_done();
}

static char first[CELL_FINGERPRINT_LEN + 1];

static void make_header(void)
{
    project_make();
    CHECK(session_begin_of("header.h", SESSION_PLAN) == CELL_OK);
    memcpy(first, ask("auth", CELL_OK)->fingerprint, sizeof(first));
    session_done();
}

TEST(an_object_is_compared_with_what_it_was_built_on)
{
    make_header();
    int asked = fake.opens;
    build_on("a.c", first);
    CHECK(fake.opens == asked && count_files(".cell/schemas") == 1);
    fake.version = "second";
    CHECK_STR(baseline_of("a.c"), "first");
    CHECK_STR(baseline_of("b.c"), "");
    project_remove();
}

TEST(what_was_asked_goes_before_what_a_header_brought)
{
    make_header();
    fake.version = "second";
    CHECK(session_begin_of("a.c", SESSION_LIVE) == CELL_OK);
    CHECK(cell_session_built_on(session, "auth", first) == CELL_OK);
    ask("auth", CELL_OK);
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    session_done();
    CHECK_STR(baseline_of("a.c"), "");
    fake.version = "third";
    CHECK_STR(baseline_of("a.c"), "second");
    project_remove();
}

TEST(a_schema_that_nobody_has_is_no_baseline_and_no_failure)
{
    char unknown[CELL_FINGERPRINT_LEN + 1];
    make_header();
    memset(unknown, 'a', CELL_FINGERPRINT_LEN);
    unknown[CELL_FINGERPRINT_LEN] = '\0';
    build_on("a.c", unknown);
    CHECK(!temp_exists(".cell/objects"));
    CHECK_STR(baseline_of("a.c"), "");
    CHECK(session_begin_of("a.c", SESSION_LIVE) == CELL_OK);
    CHECK(cell_session_built_on(session, "no-name", first) == CELL_INVALID_ARGUMENT);
    CHECK(cell_session_built_on(session, "../x", first) == CELL_INVALID_ARGUMENT);
    CHECK(cell_session_built_on(session, "auth", "0") == CELL_INVALID_ARGUMENT);
    CHECK(cell_session_commit(session, &error) == CELL_OK);
    project_remove();
}
