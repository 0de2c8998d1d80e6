/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A schema with everything in it, and what is rendered of it. */
#ifndef CELL_RENDER_FIXTURE_H
#define CELL_RENDER_FIXTURE_H

#include "test.h"

#include <ctype.h>

#include "Render.h"

#define ROLE                                                                                                           \
    "{\"name\":\"auth_role\",\"kind\":\"enum\",\"type\":\"u32\",\"size\":4,\"align\":4,\"doc\":\"What one may do.\","  \
    "\"values\":[{\"name\":\"AUTH_USER\",\"value\":\"0\"},{\"name\":\"AUTH_ADMIN\",\"value\":\"1\",\"doc\":\"All.\"}]" \
    "}"
#define SMALL                                                                                                          \
    "{\"name\":\"auth_flag\",\"kind\":\"enum\",\"type\":\"u8\",\"size\":1,\"align\":1,"                                \
    "\"values\":[{\"name\":\"AUTH_OFF\",\"value\":\"0\"},{\"name\":\"AUTH_ON\",\"value\":\"1\"}]}"
#define SESSION                                                                                                        \
    "{\"name\":\"auth_session\",\"kind\":\"struct\",\"size\":40,\"align\":8,\"doc\":\"One login.\",\"fields\":["       \
    "{\"name\":\"email\",\"type\":\"str\",\"offset\":0,\"doc\":\"The "                                                 \
    "address.\",\"since\":\"1.1\",\"renamed_from\":\"mail\"},"                                                         \
    "{\"name\":\"key\",\"type\":\"u8[8]\",\"offset\":16,\"rules\":[{\"rule\":\"secret\",\"args\":[]}]},"               \
    "{\"name\":\"age\",\"type\":\"opt<i32>\",\"offset\":24,\"rules\":[{\"rule\":\"range\",\"args\":[\"0\",\"1\"]}]},"  \
    "{\"name\":\"role\",\"type\":\"auth_role\",\"offset\":32}"                                                         \
    "]}"
#define LISTS                                                                                                          \
    "{\"name\":\"auth_session_list\",\"kind\":\"list\",\"of\":\"auth_session\",\"size\":16,\"align\":8},"              \
    "{\"name\":\"auth_opt_role\",\"kind\":\"opt\",\"of\":\"auth_role\",\"size\":8,\"align\":4}"
#define LOGIN                                                                                                          \
    "{\"name\":\"auth_login\",\"doc\":\"Logs in.\",\"params\":["                                                       \
    "{\"name\":\"email\",\"type\":\"str\",\"dir\":\"in\",\"doc\":\"whose account\"},"                                  \
    "{\"name\":\"in\",\"type\":\"u8[16]\",\"dir\":\"in\",\"pointer\":true},"                                           \
    "{\"name\":\"template_of\",\"type\":\"auth_session\",\"dir\":\"in\",\"pointer\":true},"                            \
    "{\"name\":\"out\",\"type\":\"auth_session\",\"dir\":\"out\",\"pointer\":true}]}"
#define PING "{\"name\":\"auth_ping\",\"idempotent\":true,\"params\":[]}"
#define LARGE                                                                                                          \
    "{\"name\":\"AUTH_HUGE\",\"type\":\"u64\",\"value\":\"18446744073709551615\"},"                                    \
    "{\"name\":\"AUTH_LOWEST\",\"type\":\"i64\",\"value\":\"-9223372036854775808\"},"
#define MAX "{\"name\":\"AUTH_MAX\",\"type\":\"i64\",\"value\":\"32\",\"doc\":\"Sessions at once.\"}"
#define DOCUMENT(types, constants, methods)                                                                            \
    "{\"schema\":\"cell.schema/1\",\"cell\":\"auth\",\"abi\":\"lp64-le\",\"doc\":\"Accounts\",\"types\":[" types       \
    "],\"constants\":[" constants "],\"methods\":[" methods                                                            \
    "],\"streams\":[],\"capabilities\":[],\"functions\":[],\"verbs\":[]}"
#define FULL DOCUMENT(ROLE "," SMALL "," SESSION "," LISTS, LARGE MAX, LOGIN "," PING)

static inline struct cell_schema *parse(const char *json)
{
    struct cell_schema *s = NULL;
    struct cell_error e = {0};
    if (cell_schema_parse(json, strlen(json), &s, &e) < 0) {
        printf("%s\n", e.text);
        exit(1);
    }
    return s;
}

static inline char *client(const char *json, bool cplusplus)
{
    struct render_options o = {.cplusplus = cplusplus, .location = "src/a.c:4:1"};
    struct cell_schema *s = parse(json);
    struct cell_buffer out = {0};
    struct cell_error e = {0};
    CHECK(cell_render_client(s, &o, &out, &e) == CELL_OK);
    cell_schema_free(s);
    return out.data;
}

static inline bool has(const char *text, const char *part) { return text && strstr(text, part) != NULL; }

/* The text without comments and with empty string literals. */
static inline char *code_of(const char *text)
{
    char *code = calloc(1, strlen(text) + 1), *to = code;
    for (const char *p = text; *p;) {
        if (p[0] == '/' && p[1] == '/') {
            p += strcspn(p, "\n");
        } else if (*p == '"') {
            for (p++; *p && *p != '"'; p++)
                p += *p == '\\';
            p++;
        } else {
            *to++ = *p++;
        }
    }
    return code;
}

static inline bool is_balanced(const char *code)
{
    char stack[64];
    size_t depth = 0;
    for (; *code; code++) {
        if (strchr("({[", *code)) {
            if (depth == sizeof(stack))
                return false;
            stack[depth++] = *code == '(' ? ')' : *code == '{' ? '}' : ']';
        } else if (strchr(")}]", *code)) {
            if (depth == 0 || stack[--depth] != *code)
                return false;
        }
    }
    return depth == 0;
}

static inline char *drifted(const char *before, const char *after)
{
    struct cell_schema *old = parse(before), *now = parse(after);
    struct cell_diff *d = NULL;
    struct cell_buffer out = {0};
    if (cell_diff_new(old, now, &d, NULL) < 0)
        exit(1);
    struct render_options o = {.drift = d, .baseline = old};
    CHECK(cell_render_client(now, &o, &out, NULL) == CELL_OK);
    cell_diff_free(d);
    cell_schema_free(old);
    cell_schema_free(now);
    return out.data;
}

#endif
