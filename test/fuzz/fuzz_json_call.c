/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a client reads of an answer over HTTPS, and a cell of a request: HTTP is parsed by libraries, the documents by
 * core/json_call.c. The first byte chooses. What is taken must be written as a document that reads back as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "core/json.h"
#include "../call_schema.h"
#include "core/json_call.h"
#include "core/schema.h"
#include "wire/frame.h"

static const struct cell_method *method(void)
{
    static struct cell_schema *schema;
    static const struct cell_method *m;
    struct cell_error e = {0};

    if (!schema) {
        EXPECT(cell_schema_parse(call_schema, sizeof(call_schema) - 1, &schema, &e) == CELL_OK);
        EXPECT(cell_schema_describe(schema, &m, &e) == CELL_OK);
    }
    return m;
}

static void check_error(const struct cell_error *e, int status)
{
    EXPECT(status < 0 && e->status == status && e->text[0]);
    for (const char *p = e->text; *p; p++)
        EXPECT(!cell_json_control(p));
}

static void request(const struct value_env *env, const char *text, size_t size)
{
    const struct cell_method *m = method();
    struct cell_buffer meta = {0}, first = {0}, second = {0};
    struct cell_error e = {0};
    void *in = NULL;
    int r = cell_json_take_request(text, size, env, m, &in, &meta, &e);

    if (r < 0) {
        check_error(&e, r);
    } else if (meta.len == 0 || cell_meta_check((const uint8_t *)meta.data, meta.len, NULL) == CELL_OK) {
        const struct value_env strict = {.arena = env->arena};

        cell_json_put_request(&first, m, in, meta.data, meta.len);
        meta.len = 0;
        EXPECT(cell_json_take_request(first.data, first.len, &strict, m, &in, &meta, &e) == CELL_OK);
        cell_json_put_request(&second, m, in, meta.data, meta.len);
        EXPECT(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    }
    cell_buffer_free(&meta);
    cell_buffer_free(&first);
    cell_buffer_free(&second);
}

static void reply(const struct value_env *env, const struct cell_method *m, const char *text, size_t size)
{
    struct cell_buffer meta = {0}, first = {0};
    struct cell_ref refs[1] = {{NULL, 0}};
    struct cell_error e = {0};
    int code = 0;
    int r = cell_json_take_reply(text, size, env, m, &code, refs, &meta, &e);

    if (r < 0) {
        check_error(&e, r);
    } else {
        cell_json_put_reply(&first, m ? m : method(), code, code < 0 ? NULL : refs, meta.data, meta.len);
        EXPECT(cell_buffer_ok(&first));
    }
    cell_buffer_free(&meta);
    cell_buffer_free(&first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cell_arena arena = {.limit = 16u << 20};
    unsigned which = size ? data[0] : 0;
    const struct value_env env = {.arena = &arena, .skips_unknown = which & 4, .allows_missing = which & 8};
    /* Bytes of their own: reading behind them is found. */
    char *exact = size ? malloc(size) : NULL;

    if (!exact)
        return 0;
    memcpy(exact, data + 1, size - 1);
    exact = realloc(exact, size > 1 ? size - 1 : 1);
    if (which & 1)
        request(&env, exact, size - 1);
    else
        reply(&env, which & 2 ? NULL : method(), exact, size - 1);
    free(exact);
    cell_arena_free(&arena);
    return 0;
}
