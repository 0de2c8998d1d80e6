/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: utils/cell/call_print.c utils/cell/output.c
// LINK: utils/cell/inspect_read.c utils/cell/elf_file.c utils/cell/health.c
/*
 * What the command line reads from outside: values of arguments (what is taken must print as JSON that reads back as
 * the same), programs to inspect, and what cells say of their health. The first byte chooses.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "../../utils/cell/call_value.h"
#include "../../utils/cell/inspect.h"
#include "../../utils/cell/link_health.h"
#include "../../utils/cell/schema_text.h"

static const char document[] =
    "{\"schema\":\"cell.schema/1\",\"cell\":\"demo\",\"abi\":\"lp64-le\",\"doc\":\"\",\"types\":["
    "{\"name\":\"demo_color\",\"kind\":\"enum\",\"type\":\"u8\",\"size\":1,\"align\":1,\"values\":["
    "{\"name\":\"RED\",\"value\":\"1\"},{\"name\":\"GREEN\",\"value\":\"200\"}]},"
    "{\"name\":\"demo_point\",\"kind\":\"struct\",\"size\":40,\"align\":8,\"fields\":["
    "{\"name\":\"x\",\"type\":\"i32\",\"offset\":0},{\"name\":\"age\",\"type\":\"opt<i32>\",\"offset\":4},"
    "{\"name\":\"label\",\"type\":\"str\",\"offset\":16},{\"name\":\"pair\",\"type\":\"u16[2]\",\"offset\":32}]},"
    "{\"name\":\"demo_points\",\"kind\":\"list\",\"of\":\"demo_point\",\"size\":16,\"align\":8},"
    "{\"name\":\"demo_maybe\",\"kind\":\"opt\",\"of\":\"demo_point\",\"size\":48,\"align\":8}],"
    "\"constants\":[],\"methods\":[{\"name\":\"demo_all\",\"params\":["
    "{\"name\":\"a\",\"type\":\"bool\",\"dir\":\"in\"},{\"name\":\"b\",\"type\":\"i8\",\"dir\":\"in\"},"
    "{\"name\":\"c\",\"type\":\"u64\",\"dir\":\"in\"},{\"name\":\"d\",\"type\":\"i64\",\"dir\":\"in\"},"
    "{\"name\":\"e\",\"type\":\"f32\",\"dir\":\"in\"},{\"name\":\"f\",\"type\":\"f64\",\"dir\":\"in\"},"
    "{\"name\":\"g\",\"type\":\"demo_color\",\"dir\":\"in\"},{\"name\":\"h\",\"type\":\"str\",\"dir\":\"in\"},"
    "{\"name\":\"i\",\"type\":\"bytes\",\"dir\":\"in\"},{\"name\":\"j\",\"type\":\"list<f64>\",\"dir\":\"in\"},"
    "{\"name\":\"k\",\"type\":\"opt<str>\",\"dir\":\"in\"},{\"name\":\"l\",\"type\":\"demo_points\",\"dir\":\"in\"},"
    "{\"name\":\"m\",\"type\":\"u8[4]\",\"dir\":\"in\",\"pointer\":true},"
    "{\"name\":\"n\",\"type\":\"demo_maybe\",\"dir\":\"in\"},"
    "{\"name\":\"o\",\"type\":\"list<bytes>\",\"dir\":\"in\"}]}],"
    "\"streams\":[],\"capabilities\":[],\"functions\":[],\"verbs\":[]}";

static struct cell_buffer print(const struct cell_field *f, const void *value)
{
    struct cli_json j = {0};

    value_print(&j, NULL, f->type, f->count, value);
    EXPECT(cell_buffer_ok(&j.b) && j.b.len > 0 && strlen(j.b.data) == j.b.len);
    return j.b;
}

static void values(unsigned which, const uint8_t *data, size_t size)
{
    static struct cell_schema *schema;
    static const struct cell_method *method;
    struct cell_arena arena = {.limit = 64u << 20};
    const struct value_env env = {.arena = &arena};
    struct cell_error e = {0};
    _Alignas(16) char value[64] = {0}, again[64] = {0};

    if (!schema) {
        EXPECT(cell_schema_parse(document, sizeof(document) - 1, &schema, &e) == CELL_OK);
        EXPECT(cell_schema_describe(schema, &method, &e) == CELL_OK);
        values(which, data, size);
        return;
    }
    const struct cell_field *f = &method->in[which / 2 % method->nin];
    const char *text = (const char *)data;
    int r = which % 2 ? cell_value_json(&env, f->type, f->count, text, size, value, &e)
                      : cell_value_text(&env, f->type, f->count, text, size, value, &e);
    if (r < 0) {
        EXPECT(e.status == r && e.text[0]);
    } else {
        struct cell_buffer first = print(f, value);

        EXPECT(cell_value_json(&env, f->type, f->count, first.data, first.len, again, &e) == CELL_OK);
        struct cell_buffer second = print(f, again);
        EXPECT(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
        cell_buffer_free(&first);
        cell_buffer_free(&second);
    }
    cell_arena_free(&arena);
}

static void program(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    struct cell_schema *schema = NULL;
    struct cell_uses *uses = NULL;
    struct cell_error e = {0};

    if (fd < 0) {
        fd = memfd_create("program", MFD_CLOEXEC);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    EXPECT(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    int r = inspect_read(path, &schema, &uses, &e);
    EXPECT(r < 0 ? e.status == r && e.text[0] && !schema && !uses : schema || uses);
    cell_schema_free(schema);
    cell_uses_free(uses);
}

static void health(const char *json, size_t size)
{
    struct link_health h = {0};
    struct cell_error e = {0};
    char status[32];

    int r = link_health_read(json, size, &h, &e);
    EXPECT(r == CELL_OK || (e.status == r && e.text[0]));
    link_health_status(json, size, status);
    EXPECT(r < 0 || strcmp(status, h.status) == 0);
    link_health_count(json, size, &h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] == 'P')
        program(data + 1, size - 1);
    else if (data[0] == 'H')
        health((const char *)data + 1, size - 1);
    else
        values(data[0], data + 1, size - 1);
    return 0;
}
