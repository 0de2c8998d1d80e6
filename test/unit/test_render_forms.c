/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: clang-plugin/Render.c clang-plugin/RenderText.c clang-plugin/RenderTypes.c clang-plugin/RenderDrift.c
// LINK: clang-plugin/RenderStream.c clang-plugin/RenderCapability.c clang-plugin/RenderRules.c clang-plugin/RenderRuleFunctions.c
/* What is declared beside the plain function: of what has drifted, asynchronous, lending and streaming forms. */
#include "render_fixture.h"

TEST(removed_methods_and_constants_stay_declared_unavailable)
{
    char *c = drifted(FULL, DOCUMENT(ROLE "," SESSION, "", PING));
    CHECK(has(c, "int auth_login(cell_ctx *, cell_str email, const uint8_t in[16], const struct auth_session *"));
    CHECK(has(c, "__attribute__((unavailable(\"Method 'auth_login' no longer exists in Auth Cell\")))"));
    CHECK(has(c, "enum { AUTH_MAX __attribute__((unavailable(\""));
    CHECK(has(c, "no longer exists in Auth Cell\"))) = 32 };"));
    CHECK(has(c, "struct __attribute__((unavailable(\""));
    CHECK(has(c, " auth_session_list;\ntypedef struct auth_session_list auth_session_list __attribute__"));
    CHECK(has(c, " auth_flag : uint8_t {\n    AUTH_OFF __attribute__((unavailable("));
    CHECK(!has(c, "static inline int auth_login("));
    free(c);
}

TEST(removed_enumerators_stay_outside_their_enum)
{
    static const char fewer[] = "{\"name\":\"auth_role\",\"kind\":\"enum\",\"type\":\"u32\",\"size\":4,\"align\":4,"
                                "\"values\":[{\"name\":\"AUTH_USER\",\"value\":\"0\"}]}";
    char after[1024];
    snprintf(after, sizeof(after),
             "{\"schema\":\"cell.schema/1\",\"cell\":\"auth\",\"abi\":\"lp64-le\",\"types\":[%s],\"constants\":[],"
             "\"methods\":[]}",
             fewer);
    char *c = drifted(DOCUMENT(ROLE, "", ""), after);
    CHECK(has(c, "enum auth_role {\n    AUTH_USER = 0,\n};\n"));
    CHECK(has(c, "enum { AUTH_ADMIN __attribute__((unavailable(\""));
    free(c);
}

TEST(a_removed_name_that_means_something_else_now_is_not_declared_twice)
{
    static const char moved[] = "{\"name\":\"auth_login\",\"kind\":\"opt\",\"of\":\"u8\",\"size\":2,\"align\":1}";
    char after[1024];
    snprintf(after, sizeof(after),
             "{\"schema\":\"cell.schema/1\",\"cell\":\"auth\",\"abi\":\"lp64-le\",\"types\":[%s],\"constants\":[],"
             "\"methods\":[%s]}",
             moved, PING);
    char *c = drifted(FULL, after);
    CHECK(has(c, "} auth_login;\n"));
    CHECK(!has(c, "int auth_login("));
    free(c);
}

#define VARYING                                                                                                        \
    LOGIN "," PING ",{\"name\":\"auth_renew\",\"params\":["                                                            \
          "{\"name\":\"c\",\"type\":\"auth_session_list\",\"dir\":\"in\"}]},"                                          \
          "{\"name\":\"auth_role_of\",\"params\":[{\"name\":\"r\",\"type\":\"auth_opt_role\",\"dir\":\"in\"}]},"       \
          "{\"name\":\"auth_said\",\"params\":[{\"name\":\"s\",\"type\":\"opt<str>\",\"dir\":\"in\"}]}"

TEST(methods_with_values_of_any_size_have_forms_that_lend_memory)
{
    static const char full[] = DOCUMENT(ROLE "," SMALL "," SESSION "," LISTS, "", VARYING);
    for (int cpp = 0; cpp < 2; cpp++) {
        char *c = client(full, cpp);
        CHECK(has(c, cpp ? "static inline void *auth_login_begin(::cell_ctx *c, ::size_t bytes)\n{\n"
                           "    return ::cell_begin(c, &cellgen_auth_service, 0, bytes);\n}\n"
                         : "static inline void *auth_login_begin(cell_ctx *c, size_t bytes)\n{\n"
                           "    return cell_begin(c, &cellgen_auth_service, 0, bytes);\n}\n"));
        CHECK(has(c, "int auth_login_send("));
        CHECK(has(c, "cell_send(c, &cellgen_auth_service, 0, &cellgen_in, "));
        CHECK(has(c, cpp ? "static inline void auth_login_release(::cell_ctx *c) { ::cell_release(c); }"
                         : "static inline void auth_login_release(cell_ctx *c) { cell_release(c); }"));
        CHECK(has(c, "cell_send(cellgen_c, &cellgen_auth_service, 2,")); /* a parameter is named c */
        CHECK(has(c, "auth_said_begin(") && !has(c, "auth_ping_send(") && !has(c, "auth_role_of_send("));
        free(c);
    }
}

TEST(forms_that_lend_memory_come_together_or_not_at_all)
{
    static const char *const taken[] = {"auth_login_begin", "auth_login_send", "auth_login_release"};
    for (int i = 0; i < 3; i++) {
        char json[8192];
        snprintf(json, sizeof(json), DOCUMENT(ROLE "," SMALL "," SESSION "," LISTS, "", LOGIN ",{\"name\":\"%s\"}"),
                 taken[i]);
        char *c = client(json, false);
        for (int k = 0; k < 3; k++)
            CHECK(!has(c, taken[k]) == (k != i));
        CHECK(has(c, "auth_login_async("));
        free(c);
    }
}

TEST(each_method_has_an_asynchronous_form_unless_the_name_is_taken)
{
    static const char both[] = DOCUMENT("", "", "{\"name\":\"auth_ping\"},{\"name\":\"auth_ping_async\"}");
    char *c = drifted(both, both);
    CHECK(has(c,
              "static inline int auth_ping(cell_ctx *c)\n{\n    return cell_call(c, &cellgen_auth_service, 0, 0, 0);"));
    CHECK(
        has(c, "static inline int auth_ping_async(cell_ctx *c)\n{\n    return cell_call(c, &cellgen_auth_service, 1,"));
    CHECK(has(c, "int auth_ping_async_async(cell_ctx *c)\n{\n    return cell_call_async(c, &cellgen_auth_service, 1,"));
    CHECK(!has(c, "cell_call_async(c, &cellgen_auth_service, 0,"));
    free(c);
    /* Of a method that is gone both forms are; of one that remains, none is. */
    c = drifted(both, DOCUMENT("", "", "{\"name\":\"auth_ping\"}"));
    CHECK(has(c, "static inline int auth_ping_async(cell_ctx *c)"));
    CHECK(has(c, "int auth_ping_async_async(cell_ctx *) __attribute__((unavailable("));
    free(c);
    c = drifted(DOCUMENT(ROLE "," SESSION, "", LOGIN), DOCUMENT(ROLE "," SESSION, "", ""));
    CHECK(has(c, "void *auth_login_begin(cell_ctx *, size_t bytes) __attribute__((unavailable("));
    CHECK(has(c, "int auth_login_send(cell_ctx *, cell_str email, "));
    CHECK(has(c, "void auth_login_release(cell_ctx *) __attribute__((unavailable("));
    free(c);
}

#define TAIL                                                                                                           \
    "{\"name\":\"auth_tail\",\"params\":[{\"dir\":\"in\",\"name\":\"iter\",\"type\":\"u64\"},"                         \
    "{\"dir\":\"out\",\"name\":\"to\",\"stream\":true,\"type\":\"str\"},"                                              \
    "{\"dir\":\"out\",\"name\":\"outs\",\"pointer\":true,\"type\":\"str\"}]}"

TEST(a_method_with_a_stream_has_an_iterator_and_no_asynchronous_form)
{
    char *c = client(DOCUMENT("", "", TAIL), false);
    CHECK(has(c, "struct auth_tail_iter {\n    cell_str row;"));
    CHECK(has(c, "static inline struct auth_tail_iter auth_tail(cell_ctx *c, uint64_t iter)\n"));
    CHECK(has(c, "static inline _Bool auth_tail_next(struct auth_tail_iter *iter)\n"));
    CHECK(
        has(c, "static inline size_t auth_tail_next_n(struct auth_tail_iter *iter, cell_str *records, size_t max)\n"));
    CHECK(has(c, "static inline int auth_tail_end(struct auth_tail_iter *cellgen_handle, cell_str *outs)\n"));
    CHECK(has(c, "{\"auth_tail\", cellgen_auth_tail_params, cellgen_auth_tail_params + 1, 1, 1, 8, 0, 0, "
                 "cellgen_auth_tail_params + 2, 0}"));
    CHECK(!has(c, "_async"));
    free(c);
}

TEST(a_removed_method_with_a_stream_stays_declared_as_it_was_opened)
{
    char *c = drifted(DOCUMENT("", "", TAIL), DOCUMENT("", "", PING));
    CHECK(has(c, " auth_tail_iter {\n    cell_str row;\n    struct cell_stream *stream;\n};\n"));
    CHECK(has(c, "struct auth_tail_iter auth_tail(cell_ctx *, uint64_t iter) __attribute__((unavailable("));
    CHECK(has(c, "_Bool auth_tail_next(struct auth_tail_iter *) __attribute__((unavailable("));
    CHECK(has(c, "size_t auth_tail_next_n(struct auth_tail_iter *, cell_str *, size_t) __attribute__((unavailable("));
    CHECK(has(c, "int auth_tail_end(struct auth_tail_iter *, cell_str *outs) __attribute__((unavailable("));
    free(c);
    /* What has its names now is not declared twice. */
    c = drifted(DOCUMENT("", "", "{\"name\":\"auth_tail_next\",\"params\":[]}"), DOCUMENT("", "", TAIL));
    CHECK(!has(c, "int auth_tail_next(cell_ctx *)"));
    free(c);
    /* And what has one of them does not take the others. */
    c = drifted(DOCUMENT("", "", TAIL), DOCUMENT("", "", "{\"name\":\"auth_tail_next\",\"params\":[]}"));
    CHECK(has(c, "int auth_tail(cell_ctx *, uint64_t iter) __attribute__((unavailable("));
    CHECK(!has(c, "auth_tail_iter"));
    free(c);
}
