/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A schema document with one of everything, and edits of it. */
#ifndef CELL_TEST_SCHEMA_DOCUMENT_H
#define CELL_TEST_SCHEMA_DOCUMENT_H

#include "test.h"

#include "core/schema.h"

/* In canonical form. */
#define FULL_SCHEMA                                                                                                    \
    "{\"abi\":\"lp64-le\",\"capabilities\":[],\"cell\":\"auth\",\"constants\":["                                       \
    "{\"doc\":\"Sessions at once.\",\"name\":\"AUTH_MAX\",\"type\":\"i64\",\"value\":\"32\"},"                         \
    "{\"name\":\"AUTH_TOP\",\"type\":\"u64\",\"value\":\"18446744073709551615\"}],"                                    \
    "\"doc\":\"Accounts and sessions\",\"functions\":[],\"methods\":["                                                 \
    "{\"doc\":\"Logs in.\\nTwice.\",\"name\":\"auth_login\",\"params\":["                                              \
    "{\"dir\":\"in\",\"doc\":\"whose\",\"name\":\"email\",\"rules\":[{\"args\":[\"3\",\"64\"],\"rule\":\"length\"}],"  \
    "\"type\":\"str\"},"                                                                                               \
    "{\"dir\":\"in\",\"name\":\"role\",\"type\":\"auth_role\"},"                                                       \
    "{\"dir\":\"in\",\"name\":\"key\",\"pointer\":true,\"type\":\"u8[16]\"},"                                          \
    "{\"dir\":\"in\",\"name\":\"flag\",\"type\":\"bool\"},"                                                            \
    "{\"dir\":\"in\",\"name\":\"like\",\"type\":\"auth_session\"},"                                                    \
    "{\"dir\":\"out\",\"name\":\"out\",\"pointer\":true,\"type\":\"auth_session\"}]},"                                 \
    "{\"idempotent\":true,\"name\":\"auth_ping\",\"params\":[]}],"                                                     \
    "\"schema\":\"cell.schema/1\",\"streams\":[],\"types\":["                                                          \
    "{\"align\":4,\"doc\":\"What one may do.\",\"kind\":\"enum\",\"name\":\"auth_role\",\"size\":4,\"type\":\"i32\","  \
    "\"values\":[{\"doc\":\"All.\",\"name\":\"AUTH_ROOT\",\"value\":\"-1\"},{\"name\":\"AUTH_USER\",\"value\":\"0\"}]" \
    "},"                                                                                                               \
    "{\"align\":8,\"doc\":\"One login.\",\"fields\":["                                                                 \
    "{\"doc\":\"The address.\",\"name\":\"email\",\"offset\":0,\"renamed_from\":\"mail\","                             \
    "\"rules\":[{\"args\":[],\"rule\":\"secret\"}],\"since\":\"1.1\",\"type\":\"str\"},"                               \
    "{\"name\":\"role\",\"offset\":16,\"type\":\"auth_role\"},"                                                        \
    "{\"name\":\"mark\",\"offset\":20,\"type\":\"u8[3]\"},"                                                            \
    "{\"name\":\"until\",\"offset\":24,\"type\":\"opt<i64>\"},"                                                        \
    "{\"name\":\"ids\",\"offset\":40,\"type\":\"list<u32>\"}],"                                                        \
    "\"kind\":\"struct\",\"name\":\"auth_session\",\"size\":56},"                                                      \
    "{\"align\":8,\"kind\":\"list\",\"name\":\"auth_sessions\",\"of\":\"auth_session\",\"size\":16},"                  \
    "{\"align\":4,\"kind\":\"opt\",\"name\":\"auth_opt_role\",\"of\":\"auth_role\",\"size\":8}],"                      \
    "\"verbs\":[{\"args\":[{\"name\":\"name\",\"required\":true,\"type\":\"string\"},"                                 \
    "{\"name\":\"limit\",\"type\":\"integer\"}],\"doc\":\"A table\",\"field_rules\":[\"key\",\"auto\"],"               \
    "\"name\":\"table\",\"on\":[\"struct\",\"enum\",\"function\",\"variable\"]}]}"
/* Its SHA-256. */
#define FULL_FINGERPRINT "762a1baef089457b45f995c92a67332ccdf0ed859e693772a77a95c132b659ce"

/* `text` with its only `from` replaced by `to`; the caller frees it. */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    if (!at || strstr(at + 1, from)) {
        printf("'%s' is not there once\n", from);
        exit(1);
    }
    size_t size = strlen(text) + strlen(to) + 1;
    char *out = malloc(size);
    snprintf(out, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out;
}

/* The schema, NULL with the message in *e. */
static struct cell_schema *parse_schema(const char *json, struct cell_error *e)
{
    struct cell_schema *s = NULL;
    *e = (struct cell_error){0};
    int r = cell_schema_parse(json, strlen(json), &s, e);
    CHECK((r == CELL_OK) == (s != NULL));
    CHECK(e->status == r);
    return s;
}

#endif
