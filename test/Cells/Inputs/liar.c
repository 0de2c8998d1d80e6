/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A source that lies: liar SOCKET, and what it lies about is in the file "lie" of its working folder. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cell/serve.h>

#define TEXT(s) {s, sizeof(s) - 1}

CELL_PROVIDE(liar, "A source that is none.");

struct liar_index {
    cell_str name;
};
CELL_LIST(liar_indexes, struct liar_index);
struct liar_field {
    cell_str name;
    cell_str type;
    bool key;
};
CELL_LIST(liar_fields, struct liar_field);
struct liar_collection {
    cell_str name;
    liar_fields fields;
    liar_indexes indexes;
    uint64_t count;
    uint64_t position;
    uint64_t oldest_position;
};
CELL_LIST(liar_collections_list, struct liar_collection);
struct liar_contents {
    cell_str identity;
    liar_collections_list collections;
};

CELL_METHOD CELL_IDEMPOTENT int liar_status(cell_ctx *c, struct liar_contents *contents);

static bool lies(const char *about)
{
    char text[32] = "";
    FILE *f = fopen("lie", "r");
    bool is = f && fgets(text, sizeof(text), f) && strcmp(text, about) == 0;

    if (f)
        fclose(f);
    return is;
}

int liar_status(cell_ctx *c, struct liar_contents *contents)
{
    static unsigned times;
    static struct liar_field fields[] = {{TEXT("id"), TEXT("i64"), true},
                                         {TEXT("title"), TEXT("str"), false},
                                         {TEXT("place"), TEXT("f32[3]"), false},
                                         {TEXT("place"), TEXT("f32[4]"), false},
                                         {{NULL, 0}, {NULL, 0}, false}};
    struct liar_collection *of = cell_ctx_alloc(c, sizeof(*of));

    *of = (struct liar_collection){.name = CELL_STR("things"), .fields = {fields, 3}, .count = 10, .position = 10};
    if (lies("type"))
        fields[1].type = CELL_STR("i64");
    else
        fields[1].type = CELL_STR("str");
    if (lies("dimensions")) {
        of->fields.ptr = cell_ctx_alloc(c, 3 * sizeof(fields[0]));
        memcpy((void *)of->fields.ptr, fields, 2 * sizeof(fields[0]));
        memcpy((void *)(of->fields.ptr + 2), &fields[3], sizeof(fields[0]));
    }
    if (lies("nothing"))
        of->fields.len = 5; /* names and types that are empty */
    if (lies("huge"))
        of->count = of->position = UINT64_MAX;
    if (lies("oldest"))
        of->oldest_position = 1000;
    contents->identity = lies("identity") ? cell_ctx_printf(c, "%032x", ++times) : CELL_STR("0123456789");
    contents->collections = (liar_collections_list){of, lies("absent") ? 0 : 1};
    return 0;
}

/* ---- records, as the client's descriptors have them ---- */

static const struct cell_field *field(const struct cell_type *type, const char *name)
{
    for (uint32_t i = 0; i < type->nfields; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            return &type->fields[i];
    return NULL;
}

static void fill(const struct cell_type *type, char *row, int64_t id)
{
    static char big[10 << 20];
    cell_str title = CELL_STR("one of many");
    float place[3] = {1, (float)id, 2};
    const struct cell_field *of;

    if (lies("big")) {
        memset(big, 'x', sizeof(big));
        title = (cell_str){big, sizeof(big)};
    } else if (lies("utf8")) {
        title = CELL_STR("\xff\xfe\x80");
    } else if (lies("nan")) {
        place[1] = __builtin_nanf("");
    }
    if ((of = field(type, "id")))
        memcpy(row + of->offset, &id, sizeof(id));
    if ((of = field(type, "title")))
        memcpy(row + of->offset, &title, sizeof(title));
    if ((of = field(type, "place")))
        memcpy(row + of->offset, place, sizeof(place));
}

/* The key behind which the records are wanted. */
static int64_t after_of(const struct cell_method *method, const void *in)
{
    const char *range = ((const struct cell_ref *)in)->ptr;
    const struct cell_field *of = field(method->in[0].type, "after_id");
    int64_t id = 0;

    if (range && of && range[of->offset])
        memcpy(&id, range + of->offset + 8, sizeof(id));
    return id;
}

static int scan(cell_ctx *c, const struct cell_type *type, char *row, int64_t after)
{
    int r = 0;

    for (int64_t i = lies("endless") || lies("order") ? 1 : after + 1; r >= 0 && (i <= 10 || lies("endless")); i++) {
        fill(type, row, lies("endless") ? i % 7 : lies("order") ? -i : i);
        r = cell_stream_put(cell_ctx_stream(c), row, 1);
    }
    return r;
}

static int changes(cell_ctx *c, const struct cell_type *type, char *row, const void *in)
{
    uint64_t after;
    int r = 0;

    memcpy(&after, in, sizeof(after));
    for (uint64_t i = 0; r >= 0 && (lies("backwards") || lies("same") || lies("forever")); i++) {
        uint64_t position = lies("backwards") ? after + 5 - i % 5 : lies("same") ? after + 1 : after + 1 + i % 9;
        memcpy(row + field(type, "position")->offset, &position, sizeof(position));
        fill(field(type, "record")->type, row + field(type, "record")->offset, (int64_t)(i % 7));
        r = cell_stream_put(cell_ctx_stream(c), row, 1);
    }
    while (r >= 0 && ((const char *)in)[8] && !cell_ctx_cancelled(c)) /* it follows */
        usleep(2000);
    return r;
}

static int bind_method(cell_ctx *c, const struct cell_method *method, void **bound)
{
    (void)c;
    *bound = (void *)(uintptr_t)(method->stream ? method->binding : NULL);
    return 0;
}

static int invoke(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out)
{
    const struct cell_type *type = method->stream->type;
    char *row = calloc(1, type->size);

    (void)out;
    if (lies("dies"))
        _exit(0);
    int r = strstr(bound, "\"scan\"") ? scan(c, type, row, after_of(method, in)) : changes(c, type, row, in);
    free(row);
    return r;
}

int main(int argc, char **argv)
{
    static const struct cell_bound_ops ops = {.bind = bind_method, .invoke = invoke};
    struct cell_server_options options = {.address = argv[1], .bound = &ops, .consumers = "", .drain_ms = 1};
    struct cell_server *server = NULL;
    int r = argc == 2 ? cell_server_new(&options, &server) : -1;

    if (r >= 0)
        r = cell_server_run(server);
    if (r < 0 && server)
        fprintf(stderr, "%s\n", cell_server_message(server));
    cell_server_free(server);
    return r < 0;
}
