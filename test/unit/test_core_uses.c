/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What programs use: the record in a binary, read back and checked; and what a new schema does to it. */
#include "test.h"

#include "core/uses.h"
#include "schema_build.h"

#define OLD                                                                                                            \
    "enum auth_role i32 AUTH_USER=0 AUTH_ROOT=1 ; struct auth_session str:email u64:expires auth_role:role ;"          \
    "const AUTH_MAX i64 3 ; method auth_login str:email >auth_session*:out ; method auth_ping u32:n ;"                 \
    "method auth_tail >str+:out ;"

static char fingerprint[65];
static const char *const *extra; /* two more methods that the program uses; NULL = none */

static void add(struct cell_uses *u, enum use_kind kind, const char *name, const char *file, uint32_t line)
{
    const struct use use = {"auth", fingerprint, kind, name, file, line};
    if (cell_uses_add(u, &use) < 0)
        exit(2);
}

static void fill(struct cell_uses *u, const struct cell_schema *old)
{
    memcpy(fingerprint, old->fingerprint, sizeof(fingerprint));
    add(u, USE_METHOD, "auth_login", "b.c", 12);
    add(u, USE_FIELD, "auth_session.email", "b.c", 30);
    add(u, USE_FIELD, "auth_session.email", "b.c", 4);
    add(u, USE_FIELD, "auth_session.email", "a.c", 5);
    add(u, USE_FIELD, "auth_session.email", "b.c", 30);
    add(u, USE_VALUE, "AUTH_MAX", "b.c", 7);
    for (uint32_t i = 0; extra && i < 2; i++)
        add(u, USE_METHOD, extra[i], "c.c", i + 1);
    cell_uses_sort(u);
}

static struct cell_uses *read_back(const struct cell_buffer *uses, const struct cell_buffer *schemas)
{
    struct cell_uses *u = NULL;
    struct cell_error e = {0};
    if (cell_uses_read(uses->data, uses->len, schemas ? schemas->data : NULL, schemas ? schemas->len : 0, &u, &e) < 0) {
        printf("  %s\n", e.text);
        exit(2);
    }
    return u;
}

TEST(uses_are_sorted_written_and_read_back)
{
    struct cell_schema *old = build_schema(OLD);
    struct cell_uses u = {.n = 0};
    struct cell_buffer json = {0}, again = {0}, section = {0}, schemas = {0};
    fill(&u, old);
    CHECK(cell_uses_format(&u, &json) == CELL_OK);
    char expected[1024];
    snprintf(expected, sizeof(expected),
             "{\"cells\":[{\"cell\":\"auth\",\"fingerprint\":\"%s\",\"uses\":["
             "{\"at\":[\"a.c:5\",\"b.c:4\",\"b.c:30\"],\"kind\":\"field\",\"name\":\"auth_session.email\"},"
             "{\"at\":[\"b.c:12\"],\"kind\":\"method\",\"name\":\"auth_login\"},"
             "{\"at\":[\"b.c:7\"],\"kind\":\"value\",\"name\":\"AUTH_MAX\"}]}],\"truncated\":false}",
             fingerprint);
    CHECK_STR(json.data, expected);
    /* Two objects with the same uses, and padding: as a linker leaves them. */
    CHECK(cell_uses_record(&u, &section) == CELL_OK && cell_uses_record(&u, &section) == CELL_OK);
    CHECK(section.len % 8 == 0);
    cell_buffer_append(&section, "\0\0\0\0\0\0\0", 8);
    CHECK(cell_used_schema_record(old, &schemas) == CELL_OK && cell_used_schema_record(old, &schemas) == CELL_OK);
    struct cell_uses *r = read_back(&section, &schemas);
    CHECK(cell_uses_format(r, &again) == CELL_OK);
    CHECK_STR(again.data, expected);
    REQUIRE(r->nschemas == 1);
    CHECK_STR(r->schemas[0].fingerprint, old->fingerprint);
    CHECK_STR(r->schemas[0].cell, "auth");
    CHECK(r->schemas[0].schema->nmethods == 3);
    cell_uses_free(r);
    cell_buffer_free(&json);
    cell_buffer_free(&again);
    cell_buffer_free(&section);
    cell_buffer_free(&schemas);
    free(u.uses);
    cell_arena_free(&u.arena);
    cell_schema_free(old);
}

TEST(schema_of_a_program_holds_no_documentation_but_its_fingerprint)
{
    static const char document[] =
        "{\"schema\":\"cell.schema/1\",\"abi\":\"lp64-le\",\"cell\":\"auth\",\"doc\":\"secret\",\"methods\":"
        "[{\"name\":\"auth_a\",\"doc\":\"secret\",\"params\":[]}],\"constants\":[{\"name\":\"A\",\"type\":\"i64\","
        "\"value\":\"1\",\"doc\":\"secret\"}]}";
    struct cell_schema *s = NULL;
    struct cell_buffer schemas = {0};
    REQUIRE(cell_schema_parse(document, sizeof(document) - 1, &s, NULL) == CELL_OK);
    CHECK(cell_used_schema_record(s, &schemas) == CELL_OK);
    CHECK(!memmem(schemas.data, schemas.len, "secret", 6));
    CHECK(memmem(schemas.data, schemas.len, s->fingerprint, 64) != NULL);
    cell_buffer_free(&schemas);
    cell_schema_free(s);
}

TEST(places_of_one_use_are_bounded)
{
    struct cell_uses u = {.n = 0};
    struct cell_schema *old = build_schema(OLD);
    memcpy(fingerprint, old->fingerprint, sizeof(fingerprint));
    for (uint32_t line = 1; line <= 2 * CELL_MAX_PLACES; line++)
        add(&u, USE_METHOD, "auth_ping", "a.c", line);
    add(&u, USE_METHOD, "auth_login", "a.c", 1);
    cell_uses_sort(&u);
    CHECK(u.n == CELL_MAX_PLACES + 1 && u.truncated);
    for (uint32_t i = 0; i < CELL_MAX_USES + 10; i++)
        add(&u, USE_METHOD, "auth_ping", "a.c", i);
    CHECK(u.n == CELL_MAX_USES);
    free(u.uses);
    cell_arena_free(&u.arena);
    cell_schema_free(old);
}

TEST(resources_have_names_of_their_own_and_no_change_of_the_schema_concerns_them)
{
    struct cell_schema *old = build_schema(OLD), *now = build_schema("method auth_ping u32:n ;");
    struct cell_uses u = {.n = 0};
    struct cell_buffer section = {0};
    struct cell_arena arena = {0};
    struct cell_diff *diff = NULL;
    struct use_break *breaks = NULL;
    uint32_t n = 0;
    memcpy(fingerprint, old->fingerprint, sizeof(fingerprint));
    add(&u, USE_RESOURCE, "public.\"Us ers\".\xc3\xa4ge integer", "a.c", 3);
    add(&u, USE_RESOURCE, "auth_session.email", "a.c", 3);
    cell_uses_sort(&u);
    CHECK(cell_uses_record(&u, &section) == CELL_OK);
    CHECK(memmem(section.data, section.len, "\"kind\":\"resource\"", 17) != NULL);
    struct cell_uses *r = read_back(&section, NULL);
    REQUIRE(r->n == 2 && r->uses[1].kind == USE_RESOURCE);
    CHECK_STR(r->uses[1].name, "public.\"Us ers\".\xc3\xa4ge integer");
    REQUIRE(cell_diff_new(old, now, &diff, NULL) == CELL_OK);
    CHECK(cell_uses_check(r, "auth", old->fingerprint, diff, old, &arena, &breaks, &n) == CELL_OK && n == 0);
    cell_uses_free(r);
    cell_diff_free(diff);
    cell_arena_free(&arena);
    /* They are not lost to the many uses of everything else. */
    for (uint32_t i = 0; i < CELL_MAX_USES + 10; i++)
        add(&u, USE_METHOD, "auth_ping", "a.c", i);
    CHECK(u.n == CELL_MAX_USES && u.truncated);
    add(&u, USE_RESOURCE, "one more", "a.c", 3);
    CHECK(u.n == CELL_MAX_USES + 1);
    CHECK(!cell_is_resource("") && !cell_is_resource("a\nb") && !cell_is_resource("\xff"));
    char longest[CELL_MAX_RESOURCE_NAME + 2];
    memset(longest, 'x', sizeof(longest));
    longest[CELL_MAX_RESOURCE_NAME + 1] = '\0';
    CHECK(!cell_is_resource(longest));
    longest[CELL_MAX_RESOURCE_NAME] = '\0';
    CHECK(cell_is_resource(longest));
    cell_buffer_free(&section);
    free(u.uses);
    cell_arena_free(&u.arena);
    cell_schema_free(old);
    cell_schema_free(now);
}

static void refused(const char *magic, const char *document, uint64_t size, int status, const char *text)
{
    struct cell_buffer b = {0};
    struct cell_uses *u = NULL;
    struct cell_error e = {0};
    cell_buffer_append(&b, magic, strlen(magic));
    if (size == 0)
        size = strlen(document);
    cell_buffer_append(&b, &size, 8);
    cell_buffer_puts(&b, document);
    CHECK(cell_uses_read(b.data, b.len, NULL, 0, &u, &e) == status);
    CHECK(!u);
    if (!strstr(e.text, text)) {
        printf("  %s\n", e.text);
        CHECK(strstr(e.text, text) != NULL);
    }
    cell_buffer_free(&b);
}

TEST(what_is_no_record_is_refused)
{
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ONE(cell, print, kind, name, at)                                                                               \
    "{\"cells\":[{\"cell\":\"" cell "\",\"fingerprint\":\"" print "\",\"uses\":[{\"kind\":\"" kind                     \
    "\",\"name\":\"" name "\",\"at\":[" at "]}]}]}"
    refused("CELLUSE9", "{}", 0, CELL_PROTOCOL_ERROR, "another version");
    refused("CELLUSE1", "{}", 3, CELL_PROTOCOL_ERROR, "cut off");
    refused("CELLUSE1", "{}", UINT64_MAX, CELL_PROTOCOL_ERROR, "cut off");
    refused("CELLUSE1", "{}", 0, CELL_PROTOCOL_ERROR, "cells: missing");
    refused("CELLUSE1", "[", 0, CELL_PROTOCOL_ERROR, "line 1");
    refused("CELLUSE1", ONE("a b", HEX, "field", "a.b", "\"a.c:1\""), 0, CELL_PROTOCOL_ERROR, "cells[0].cell");
    refused("CELLUSE1", ONE("auth", "12", "field", "a.b", "\"a.c:1\""), 0, CELL_PROTOCOL_ERROR, "fingerprint");
    refused("CELLUSE1", ONE("auth", HEX, "fields", "a.b", "\"a.c:1\""), 0, CELL_PROTOCOL_ERROR, "kind");
    refused("CELLUSE1", ONE("auth", HEX, "field", "ab", "\"a.c:1\""), 0, CELL_PROTOCOL_ERROR, "no name of a field");
    refused("CELLUSE1", ONE("auth", HEX, "method", "a.b", "\"a.c:1\""), 0, CELL_PROTOCOL_ERROR, "no name of a method");
    refused("CELLUSE1", ONE("auth", HEX, "method", "a", "\"a.c\""), 0, CELL_PROTOCOL_ERROR, "at[0]");
    refused("CELLUSE1", ONE("auth", HEX, "method", "a", "\"a.c:-1\""), 0, CELL_PROTOCOL_ERROR, "at[0]");
    refused("CELLUSE1", ONE("auth", HEX, "method", "a", "\"a.c:99999999999\""), 0, CELL_PROTOCOL_ERROR, "at[0]");
    refused("CELLUSE1", ONE("auth", HEX, "method", "a", "\":1\""), 0, CELL_PROTOCOL_ERROR, "at[0]");
    refused("CELLUSE1", ONE("auth", HEX, "method", "a", "\"\\u001b[2J:1\""), 0, CELL_PROTOCOL_ERROR,
            "control character");
}

/* "C- Sentence: a.c:1 b.c:2\n"; C: does not compile, R: refused as it runs, - neither. */
static char *what_breaks(const char *after)
{
    struct cell_schema *old = build_schema(OLD), *now = build_schema(after);
    struct cell_uses u = {.n = 0};
    struct cell_arena arena = {0};
    struct cell_buffer b = {0};
    struct cell_diff *d = NULL;
    struct use_break *breaks = NULL;
    uint32_t n = 0;
    fill(&u, old);
    if (cell_diff_new(old, now, &d, NULL) < 0 ||
        cell_uses_check(&u, "auth", fingerprint, d, old, &arena, &breaks, &n) < 0)
        exit(2);
    cell_buffer_puts(&b, "");
    for (uint32_t i = 0; i < n; i++) {
        cell_buffer_printf(&b, "%s%s %s:", breaks[i].compile ? "C" : "-", breaks[i].running ? "R" : "-",
                           breaks[i].change->sentence);
        for (uint32_t k = 0; k < breaks[i].nat; k++)
            cell_buffer_printf(&b, " %s:%u", breaks[i].at[k]->file, breaks[i].at[k]->line);
        cell_buffer_puts(&b, "\n");
    }
    struct use_break *other = NULL;
    CHECK(cell_uses_check(&u, "mail", fingerprint, d, old, &arena, &other, &n) == CELL_OK && n == 0);
    cell_diff_free(d);
    cell_schema_free(old);
    cell_schema_free(now);
    free(u.uses);
    cell_arena_free(&u.arena);
    cell_arena_free(&arena);
    return b.data;
}

#define CHECK_BREAKS(after, expected)                                                                                  \
    do {                                                                                                               \
        char *found_ = what_breaks(after);                                                                             \
        CHECK_STR(found_, expected);                                                                                   \
        free(found_);                                                                                                  \
    } while (0)

#define ROLE "enum auth_role i32 AUTH_USER=0 AUTH_ROOT=1 ;"
#define SESSION "struct auth_session str:email u64:expires auth_role:role ;"
#define METHODS "method auth_login str:email >auth_session*:out ; method auth_ping u32:n ;"

TEST(what_the_program_does_not_use_breaks_nothing)
{
    CHECK_BREAKS(OLD, "");
    /* A method that nobody calls, an enumerator that nobody names, a field at the end. */
    CHECK_BREAKS("enum auth_role i32 AUTH_USER=0 ; struct auth_session str:email u64:expires auth_role:role u64:more ;"
                 "const AUTH_MAX i64 3 ; method auth_login str:email >auth_session*:out ;",
                 "");
}

TEST(field_that_is_gone_breaks_where_it_is_used_and_where_its_type_travels)
{
    CHECK_BREAKS(ROLE "struct auth_session u64:expires auth_role:role ; const AUTH_MAX i64 3 ;" METHODS,
                 "CR Field 'email' no longer exists in Auth Cell: a.c:5 b.c:4 b.c:12 b.c:30\n"
                 "-R Field 'expires' of 'auth_session' moved from offset 16 to 0 in Auth Cell: b.c:12\n"
                 "-R Field 'role' of 'auth_session' moved from offset 24 to 8 in Auth Cell: b.c:12\n");
    /* One that it does not use by name is refused as it runs, and compiles. */
    CHECK_BREAKS(ROLE "struct auth_session str:email u64:expires ; const AUTH_MAX i64 3 ;" METHODS,
                 "-R Field 'role' no longer exists in Auth Cell: b.c:12\n");
}

TEST(renaming_breaks_the_next_compilation_only)
{
    CHECK_BREAKS(ROLE "struct auth_session str:address<email u64:expires auth_role:role ; const AUTH_MAX i64 3 ;"
                      "method auth_open<auth_login str:email >auth_session*:out ; method auth_ping u32:n ;",
                 "C- Field 'email' is now 'address' in Auth Cell: a.c:5 b.c:4 b.c:30\n"
                 "C- Method 'auth_login' is now 'auth_open' in Auth Cell: b.c:12\n");
}

TEST(field_of_another_type_breaks_the_compilation_where_it_is_used)
{
    CHECK_BREAKS(ROLE "struct auth_session bytes:email f64:expires auth_role:role ; const AUTH_MAX i64 3 ;" METHODS,
                 "CR Field 'email' of 'auth_session' changed its type from 'str' to 'bytes' in Auth Cell:"
                 " a.c:5 b.c:4 b.c:12 b.c:30\n"
                 "-R Field 'expires' of 'auth_session' changed its type from 'u64' to 'f64' in Auth Cell: b.c:12\n");
}

TEST(other_values_and_parameters)
{
    CHECK_BREAKS(ROLE SESSION "const AUTH_MAX i64 4 ;"
                              "method auth_login str:email u32:n >auth_session*:out ; method auth_ping u64:n ;",
                 "-- Constant 'AUTH_MAX' changed from 3 to 4 in Auth Cell: b.c:7\n"
                 "CR Parameter 'n' of 'auth_login' is new in Auth Cell: b.c:12\n");
}

TEST(forms_of_a_method_are_uses_of_it)
{
    static const char *const forms[] = {"auth_login_async", "auth_login_begin", "auth_login_send",
                                        "auth_login_release"};
    struct cell_schema *old = build_schema(OLD);
    for (unsigned i = 0; i < 4; i++)
        CHECK(cell_schema_method_of(old, forms[i]) == cell_schema_method(old, "auth_login"));
    CHECK(cell_schema_method_of(old, "auth_tail_next_n") == cell_schema_method(old, "auth_tail"));
    CHECK(cell_schema_method_of(old, "auth_tail_end") == cell_schema_method(old, "auth_tail"));
    CHECK(!cell_schema_method_of(old, "auth_tail_put") && !cell_schema_method_of(old, "auth_tail_async"));
    CHECK(!cell_schema_method_of(old, "auth_login_next") && !cell_schema_method_of(old, "auth_login_") &&
          !cell_schema_method_of(old, "_") && !cell_schema_method_of(old, ""));
    cell_schema_free(old);

    static const char *const used[] = {"auth_login_send", "auth_tail_next"};
    extra = used;
    CHECK_BREAKS(ROLE SESSION "const AUTH_MAX i64 3 ; method auth_ping u32:n ;",
                 "CR Method 'auth_login' no longer exists in Auth Cell: b.c:12 c.c:1\n"
                 "CR Method 'auth_tail' no longer exists in Auth Cell: c.c:2\n");
    extra = NULL;
}
