/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: clang-plugin/Render.c clang-plugin/RenderText.c clang-plugin/RenderTypes.c clang-plugin/RenderDrift.c
// LINK: clang-plugin/RenderStream.c clang-plugin/RenderCapability.c clang-plugin/RenderRules.c clang-plugin/RenderRuleFunctions.c
/* Properties of the rendered text that need no compiler; that it compiles, the tests of test/Plugin show. */
#include "render_fixture.h"

TEST(client_declares_types_with_their_layout)
{
    char *c = client(FULL, false);
    CHECK(has(c, "enum auth_role {\n"));
    CHECK(has(c, "enum auth_flag : uint8_t {\n"));
    CHECK(has(c, "    cell_str email;\n"));
    CHECK(has(c, "    uint8_t key[8];\n"));
    CHECK(has(c, "    cell_opt_i32 age;\n"));
    CHECK(has(c, "    enum auth_role role;\n"));
    CHECK(has(c, "_Static_assert(sizeof(struct auth_session) == 40 && _Alignof(struct auth_session) == 8"));
    CHECK(has(c, "__builtin_offsetof(struct auth_session, role) == 32"));
    CHECK(has(c, "typedef struct __attribute__((annotate(\"cell.type:list\"))) auth_session_list {\n"
                 "    const struct auth_session *ptr;\n    uint64_t len;\n} auth_session_list;\n"));
    CHECK(has(c, "    _Bool has;\n    enum auth_role value;\n} auth_opt_role;\n"));
    free(c);
}

TEST(rules_are_tables_and_constants_that_break_them_are_refused)
{
    static const char method[] =
        "{\"name\":\"auth_ask\",\"params\":["
        "{\"name\":\"n\",\"type\":\"i64\",\"dir\":\"in\",\"rules\":[{\"rule\":\"other\",\"args\":[]},"
        "{\"rule\":\"range\",\"args\":[\"-9223372036854775808\",\"7\"],\"message\":\"\\\"few\\\" ?\"}]},"
        "{\"name\":\"x\",\"type\":\"opt<f64>\",\"dir\":\"in\",\"rules\":[{\"rule\":\"range\",\"args\":[\"0.1\",\"2\"]}]"
        "},"
        "{\"name\":\"t\",\"type\":\"str\",\"dir\":\"in\",\"rules\":[{\"rule\":\"pattern\",\"args\":[\"a{2}\"]},"
        "{\"rule\":\"length\",\"args\":[\"1\",\"18446744073709551615\"]}]},"
        "{\"name\":\"l\",\"type\":\"list<u8>\",\"dir\":\"in\",\"rules\":[{\"rule\":\"range\",\"args\":[\"1\",\"2\"]}]}]"
        "}";
    char json[4096];
    snprintf(
        json, sizeof(json),
        "{\"schema\":\"cell.schema/1\",\"cell\":\"auth\",\"abi\":\"lp64-le\",\"types\":[],\"constants\":[],\"methods\":"
        "[%s],\"streams\":[],\"capabilities\":[],\"functions\":[],\"verbs\":[]}",
        method);
    for (int cpp = 0; cpp < 2; cpp++) {
        char *c = client(json, cpp);
        CHECK(has(c, "cell_rule cellgen_auth_ask_rules[] = {\n"
                     "    {1, 0, 9223372036854775808u, 7u, 0, \"\\\"few\\\" \\?\", 0},\n"
                     "    {0, 0, 0, 0, 0, 0, 0},\n"
                     "    {3, 0, 4591870180066957722u, 4611686018427387904u, 0, 0, 0},\n"
                     "    {0, 0, 0, 0, 0, 0, 0},\n"
                     "    {5, 0, 0u, 0u, &cellgen_auth_ask_pattern_2, 0, 0},\n"
                     "    {4, 0, 1u, 18446744073709551615u, 0, 0, 0},\n"
                     "    {0, 0, 0, 0, 0, 0, 0},\n"
                     "    {2, 0, 1u, 2u, 0, 0, 0},\n"));
        CHECK(has(c, "cell_type_list_u8, 40, 0, 4, cellgen_auth_ask_rules + 7}"));
        CHECK(has(c, "cell_pattern cellgen_auth_ask_pattern_2 = {\"a{2}\", cellgen_auth_ask_classes_2, "
                     "cellgen_auth_ask_next_2, 2, 4, 1, 3, 0};\n"));
        CHECK(has(c, "diagnose_if(n > 7, \"\\\"few\\\" \\?\", \"error\")"));
        CHECK(has(
            c, "diagnose_if(x.has && (!(x.value >= 0.10000000000000001 && x.value <= 2.0)), \"x must be 0.1 to 2\""));
        CHECK(has(c, "diagnose_if(t.len < 2u || t.len > 2u || !__builtin_memchr(t.ptr, 97, t.len), "
                     "\"t must match the pattern a{2}\", \"error\")"));
        CHECK(has(c, "diagnose_if(t.len < 1u, \"t must have at least 1 character\", \"error\")"));
        CHECK(!has(c, "diagnose_if(l"));
        free(c);
    }
}

TEST(client_declares_constants_as_constant_expressions_of_any_size)
{
    char *c = client(FULL, false);
    CHECK(has(c, "enum { AUTH_MAX = 32 };\n"));
    CHECK(has(c, "enum : uint64_t { AUTH_HUGE = 18446744073709551615u };\n"));
    CHECK(has(c, "enum : int64_t { AUTH_LOWEST = (-9223372036854775807 - 1) };\n"));
    free(c);
}

TEST(client_functions_fill_a_request_and_call)
{
    char *c = client(FULL, false);
    CHECK(has(c, "static inline int auth_login(cell_ctx *c, cell_str email, const uint8_t in[16], "
                 "const struct auth_session *template_of, struct auth_session *out)\n"));
    CHECK(has(c, "const struct { cell_str email; struct cell_ref in; struct cell_ref template_of; } cellgen_in = "
                 "{email, {in, 16}, {template_of, 1}};\n"));
    CHECK(has(c, "void *const outs[] = {out};\n"));
    CHECK(has(c, "return cell_call(c, &cellgen_auth_service, 0, &cellgen_in, outs);"));
    CHECK(has(c, "return cell_call(c, &cellgen_auth_service, 1, 0, 0);"));
    free(c);
}

TEST(client_descriptors_hold_slots_flags_and_counts)
{
    char *c = client(FULL, false);
    CHECK(has(c, "{\"email\", &cell_type_str, 0, 0, 0, 0},\n    {\"in\", &cell_type_u8, 16, 16, 1, 0},\n"
                 "    {\"template_of\", &cellgen_auth_session_type, 32, 0, 5, 0},\n"
                 "    {\"out\", &cellgen_auth_session_type, 0, 0, 3, 0},\n"));
    CHECK(has(c, "{\"auth_login\", cellgen_auth_login_params, cellgen_auth_login_params + 3, 3, 1, 48, 0, 0, 0, 0}"));
    CHECK(has(c, "{\"auth_ping\", 0, 0, 0, 0, 0, 1, 0, 0, 0}"));
    CHECK(has(c, "{\"auth_session\", 14, 40, 8, 4, cellgen_auth_session_fields, 0}"));
    CHECK(has(c, "{\"auth_session_list\", 16, 16, 8, 0, 0, &cellgen_auth_session_type}"));
    CHECK(has(c, "{\"AUTH_USER\", 0, 0u, 0u, 0, 0},\n"));
    CHECK(has(c, "{\"auth_role\", 15, 4, 4, 2, cellgen_auth_role_values, &cell_type_u32}"));
    CHECK(has(c, "{\"age\", &cell_type_opt_i32, 24, 0, 4, cellgen_auth_session_rules + 0}"));
    free(c);
}

TEST(client_is_documented_from_the_schema)
{
    char *c = client(FULL, false);
    CHECK(has(c, "/// Client of the cell: auth\n/// Schema: "));
    CHECK(has(c, "/// Imported at: src/a.c:4:1\n/// Accounts\n"));
    CHECK(has(c, "/// Logs in.\n/// \\param c the call's context\n/// \\param email whose account\n"));
    CHECK(has(c, "/// \\param[out] out\n"));
    CHECK(has(c, "    /// The address.\n    /// Since 1.1. Formerly 'mail'.\n    cell_str email;\n"));
    CHECK(has(c, "    /// Rule: secret.\n"));
    CHECK(has(c, "    /// Rule: range(0, 1).\n"));
    CHECK(has(c, "/// Idempotent: it may be retried.\n"));
    CHECK(has(c, "    /// All.\n    AUTH_ADMIN = 1,\n"));
    CHECK(has(c, "/// Sessions at once.\nenum { AUTH_MAX"));
    free(c);
}

TEST(client_in_cplusplus_names_the_library_from_the_global_scope)
{
    char *c = client(FULL, true), *code = code_of(c);
    CHECK(has(c, "enum auth_role : ::uint32_t {\n"));
    CHECK(has(c, "static inline int auth_login(::cell_ctx *c, ::cell_str email"));
    CHECK(has(c, "    bool has;\n"));
    CHECK(has(c, "return ::cell_call(c, "));
    CHECK(has(c, "static_assert(sizeof(struct auth_session) == 40 && alignof("));
    for (const char *p = code; (p = strstr(p, "cell_")); p += 5)
        CHECK(p > code && (p[-1] == ':' || isalnum((unsigned char)p[-1]) || p[-1] == '_'));
    free(code);
    free(c);
}

TEST(client_is_balanced_and_uses_no_directive_or_macro)
{
    static const char *const macros[] = {"NULL", "INT64_MAX", "INT64_C", "offsetof(", "bool ", "true", "CELL_"};
    for (int cplusplus = 0; cplusplus < 2; cplusplus++) {
        char *c = client(FULL, cplusplus != 0), *code = code_of(c);
        CHECK(is_balanced(code));
        CHECK(!strchr(code, '#'));
        for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++)
            if (!(cplusplus && i == 4) && i != 3)
                CHECK(!has(code, macros[i]));
        for (const char *p = code; (p = strstr(p, "offsetof(")); p++)
            CHECK(p - code > 10 && memcmp(p - 10, "__builtin_", 10) == 0);
        free(code);
        free(c);
    }
}

TEST(client_is_the_same_each_time)
{
    char *a = client(FULL, false), *b = client(FULL, false);
    CHECK_STR(a, b);
    free(a);
    free(b);
}

TEST(client_of_a_cell_without_anything_is_its_marker)
{
    char *c = client(DOCUMENT("", "", ""), false);
    CHECK(has(c, "static const char cellgen_auth_fingerprint[] = \""));
    CHECK(!has(c, "cellgen_auth_service"));
    free(c);
}

/* Documentation is not trusted, whatever the parser checked before. */
TEST(documentation_stays_inside_its_comment)
{
    static const char *const docs[] = {
        "ends \\",  "ends \\ \t", "trigraph ?\?/",      "a */ int x; /*",    "two\nlines \\\nthree",
        "\r\n\v\f", "*/*/*/",     "\xe2\x80\xa8int y;", "\xe2\x80\xae txet", "\n\n",
        "//",       "\\",
    };
    struct cell_schema *s = parse(FULL);
    struct render_options o = {0};
    struct cell_buffer plain = {0};
    CHECK(cell_render_client(s, &o, &plain, NULL) == CELL_OK);
    char *expected = code_of(plain.data);
    for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
        struct cell_buffer out = {0};
        s->doc = s->types[0].doc = s->types[0].values[0].doc = s->methods[0].doc = docs[i];
        s->methods[0].params[0].doc = s->constants[0].doc = docs[i];
        o.location = docs[i];
        CHECK(cell_render_client(s, &o, &out, NULL) == CELL_OK);
        char *code = code_of(out.data);
        size_t lines = 0;
        for (const char *p = out.data; *p; p += strcspn(p, "\n") + 1) {
            size_t len = strcspn(p, "\n");
            CHECK(len == 0 || (p[len - 1] != '\\' && !(len > 2 && memcmp(p + len - 3, "?\?/", 3) == 0)));
            CHECK(!(len && memchr(p, '\r', len)));
            lines++;
        }
        CHECK(lines > 0);
        CHECK(!has(out.data, "*/") && !has(out.data, "/*"));
        CHECK(!has(out.data, "\xe2\x80\xa8") && !has(out.data, "\xe2\x80\xae"));
        /* Only comment lines differ: the rest is the same but for the newlines that comments end with. */
        char *a = expected, *b = code;
        while (*a || *b) {
            a += strspn(a, "\n ");
            b += strspn(b, "\n ");
            if (*a != *b || !*a)
                break;
            a++, b++;
        }
        CHECK(!*a && !*b);
        free(code);
        cell_buffer_free(&out);
    }
    free(expected);
    cell_buffer_free(&plain);
    cell_schema_free(s);
}

static bool have_session(const char *name, void *user)
{
    (*(int *)user)++;
    return strcmp(name, "cellgen_auth_session_type") == 0;
}

static bool have_none(const char *name, void *user)
{
    (void)name;
    (void)user;
    return false;
}

TEST(method_has_its_thunk_descriptor_and_section_entry)
{
    struct cell_schema *s = parse(FULL);
    struct render_options o = {.location = "auth.c:9:1"};
    struct cell_buffer out = {0};
    REQUIRE(cell_render_method(s, cell_schema_method(s, "auth_login"), &o, have_none, NULL, &out, NULL) == CELL_OK);
    const char *role = strstr(out.data, " cellgen_auth_role_type = ");
    const char *session = strstr(out.data, " cellgen_auth_session_type = ");
    CHECK(role && session && role < session);
    CHECK(!has(out.data, "cellgen_auth_flag_type"));
    CHECK(has(out.data, "struct cellgen_auth_login_in { cell_str email; struct cell_ref in; "
                        "struct cell_ref template_of; };\n"));
    CHECK(has(out.data, "static int cellgen_invoke_auth_login(cell_ctx *c, const void *in, void *const *out)\n"));
    CHECK(has(out.data, "return auth_login(c, args->email, (const uint8_t *)args->in.ptr, "
                        "(const struct auth_session *)args->template_of.ptr, (struct auth_session *)out[0]);\n"));
    CHECK(has(out.data, ", cellgen_invoke_auth_login, 0, 0};\n"));
    CHECK(has(out.data, "static const struct cell_method *const cellgen_entry_auth_login\n"
                        "    __attribute__((used, retain, section(\"cell_methods\"))) = &cellgen_method_auth_login;"));
    char *code = code_of(out.data);
    CHECK(is_balanced(code));
    free(code);
    cell_buffer_free(&out);
    cell_schema_free(s);
}

TEST(method_does_not_repeat_descriptors_that_the_unit_has)
{
    struct cell_schema *s = parse(FULL);
    struct render_options o = {.cplusplus = true};
    struct cell_buffer out = {0};
    int asked = 0;
    REQUIRE(cell_render_method(s, cell_schema_method(s, "auth_login"), &o, have_session, &asked, &out, NULL) == 0);
    CHECK(asked == 1);
    CHECK(!has(out.data, "cellgen_auth_session_type = "));
    CHECK(!has(out.data, "cellgen_auth_role_type = "));
    CHECK(has(out.data, "return ::auth_login(c, "));
    cell_buffer_free(&out);
    cell_schema_free(s);
}

TEST(provider_is_c_linkage_in_cplusplus)
{
    struct render_options c = {.location = "a.c:1:1"}, cpp = {.cplusplus = true};
    struct cell_buffer out = {0}, outpp = {0};
    CHECK(cell_render_provide("auth", &c, &out, NULL) == CELL_OK);
    CHECK(cell_render_provide("auth", &cpp, &outpp, NULL) == CELL_OK);
    CHECK(!has(out.data, "extern \"C\""));
    CHECK(has(outpp.data, "extern \"C\" {\n"));
    CHECK(has(out.data, "__start_cell_methods[] __attribute__((weak, visibility(\"hidden\")));"));
    CHECK(has(out.data, "\"auth\", cell_provided_schema, __start_cell_methods, __stop_cell_methods};"));
    char *code = code_of(outpp.data);
    CHECK(is_balanced(code));
    free(code);
    cell_buffer_free(&out);
    cell_buffer_free(&outpp);
}

#define HOME                                                                                                           \
    "{\"name\":\"home\",\"kind\":\"struct\",\"size\":16,\"align\":8,\"fields\":["                                      \
    "{\"name\":\"street\",\"type\":\"str\",\"offset\":0}]}"
#define GUEST                                                                                                          \
    "{\"name\":\"guest\",\"kind\":\"struct\",\"size\":16,\"align\":8,\"fields\":["                                     \
    "{\"name\":\"home\",\"type\":\"home\",\"offset\":0}]}"

static char *expansion(const char *json, bool cplusplus)
{
    const struct render_options o = {.cplusplus = cplusplus, .unit = "db_guest_table"};
    struct cell_schema *declared = parse(DOCUMENT(ROLE "," HOME "," GUEST, "", ""));
    struct cell_expansion *x = NULL;
    struct cell_buffer out = {0};
    struct cell_error e = {0};
    CHECK(cell_expansion_parse(json, strlen(json), declared, &x, &e) == CELL_OK);
    if (!x)
        exit(1);
    x->content->cell = "db";
    CHECK(cell_render_client(x->content, &o, &out, &e) == CELL_OK);
    cell_expansion_free(x);
    cell_schema_free(declared);
    return out.data;
}

TEST(types_of_the_program_are_described_but_not_defined)
{
    static const char json[] =
        "{\"expansion\":\"cell.expansion/1\",\"types\":["
        "{\"name\":\"guests\",\"kind\":\"list\",\"of\":\"guest\",\"size\":16,\"align\":8}],\"methods\":["
        "{\"name\":\"guest_all\",\"params\":[{\"name\":\"out\",\"type\":\"guests\",\"dir\":\"out\",\"pointer\":true},"
        "{\"name\":\"like\",\"type\":\"guest\",\"dir\":\"in\",\"pointer\":true}]}]}";
    for (int cplusplus = 0; cplusplus < 2; cplusplus++) {
        char *c = expansion(json, cplusplus);
        CHECK(has(c, "const struct guest *ptr;"));
        CHECK(!has(c, "struct guest {") && !has(c, "struct home {") && !has(c, "sizeof(struct guest)"));
        CHECK(has(c, "cellgen_db_guest_table_home_fields[] = {"));
        CHECK(has(
            c,
            "cellgen_db_guest_table_guest_type = {\"guest\", 14, 16, 8, 1, cellgen_db_guest_table_guest_fields, 0};"));
        CHECK(has(c, "{\"home\", &cellgen_db_guest_table_home_type, 0, 0, 0, 0}"));
        CHECK(has(c, "cellgen_guests_type = {\"guests\", 16, 16, 8, 0, 0, &cellgen_db_guest_table_guest_type};"));
        CHECK(has(c, "{\"like\", &cellgen_db_guest_table_guest_type, 0, 0, 1, 0}"));
        CHECK(strstr(c, "home_type = {") < strstr(c, "guest_type = {"));
        CHECK(!has(c, "auth_role")); /* which nothing uses */
        free(c);
    }
}

TEST(an_expansion_without_a_use_describes_no_type_of_the_program)
{
    char *c = expansion("{\"expansion\":\"cell.expansion/1\",\"constants\":["
                        "{\"name\":\"GUESTS\",\"type\":\"i32\",\"value\":\"3\"}]}",
                        false);
    CHECK(has(c, "enum { GUESTS = 3 };"));
    CHECK(!has(c, "cell_type"));
    free(c);
}
