/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Lines of a stream, in parts as they arrive: any bytes are lines of records or one error, and records that were read
 * are written as a line that reads back as the same. */
#include <stdlib.h>
#include <string.h>

#include "base/lines.h"
#include "../call_schema.h"
#include "core/json_call.h"
#include "core/schema.h"
#include "fuzz.h"
#include "wire/records.h"

static const struct cell_records *format(void)
{
    static struct cell_schema *schema;
    static struct cell_records f;
    const struct cell_method *m;
    struct cell_error e = {0};

    if (!schema) {
        EXPECT(cell_schema_parse(call_schema, sizeof(call_schema) - 1, &schema, &e) == CELL_OK);
        EXPECT(cell_schema_describe(schema, &m, &e) == CELL_OK);
        cell_records_init(&f, m->in[2].type);
    }
    return &f;
}

static void write_back(struct cell_arena *arena, const struct cell_ref *records)
{
    const struct value_env strict = {.arena = arena};
    const struct cell_type *list = &format()->list;
    struct cell_buffer first = {0}, second = {0};
    struct cell_ref again = {0};
    struct cell_error e = {0};

    cell_json_put_records(&first, list->elem, records->ptr, records->len);
    EXPECT(cell_buffer_ok(&first) && first.data[first.len - 1] == '\n');
    EXPECT(!memchr(first.data, '\n', first.len - 1));
    EXPECT(cell_json_take_records(first.data, first.len - 1, &strict, list, &again, &e) == 1);
    EXPECT(again.len == records->len);
    cell_json_put_records(&second, list->elem, again.ptr, again.len);
    EXPECT(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    cell_buffer_free(&first);
    cell_buffer_free(&second);
}

static void take_line(const struct value_env *env, const char *line, size_t len)
{
    struct cell_ref records = {0};
    struct cell_error e = {0};
    int r = cell_json_take_records(line, len, env, &format()->list, &records, &e);

    EXPECT(!memchr(line, '\n', len));
    if (r > 0) {
        EXPECT(records.len > 0);
        write_back(env->arena, &records);
    } else if (r < 0) {
        EXPECT(e.status == r && r != CELL_INVALID_ARGUMENT && e.text[0]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cell_arena arena = {.limit = 16u << 20};
    struct cell_lines lines = {0};
    const char *line;
    size_t len, ends = 0, seen = 0;

    if (size < 2)
        return 0;
    const struct value_env env = {.arena = &arena, .skips_unknown = data[0] & 1, .allows_missing = data[0] & 2};
    const size_t part = 1 + data[1];
    for (size_t at = 2; at < size; at += part) {
        size_t n = size - at < part ? size - at : part;
        EXPECT(cell_lines_add(&lines, data + at, n));
        while (cell_lines_next(&lines, &line, &len)) {
            seen++;
            take_line(&env, line, len);
            cell_arena_reset(&arena);
        }
    }
    for (size_t at = 2; at < size; at++)
        ends += data[at] == '\n';
    EXPECT(seen == ends && !cell_lines_any(&lines));
    cell_lines_free(&lines);
    cell_arena_free(&arena);
    return 0;
}
