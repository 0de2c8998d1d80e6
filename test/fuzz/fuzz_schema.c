/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Schema and expansion documents. What is taken must come out canonical, and read back as the same. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "base/util.h"
#include "core/json.h"
#include "core/schema.h"

static void check_error(const struct cell_error *e, int status)
{
    EXPECT(e->status == status && e->text[0]);
    for (const char *p = e->text; *p; p++)
        EXPECT(!cell_json_control(p));
}

static void check_lookup(const struct cell_schema *s)
{
    for (uint32_t i = 0; i < s->ntypes; i++) {
        EXPECT(cell_schema_type(s, s->types[i].name) == &s->types[i]);
        EXPECT(strlen(s->types[i].fingerprint) == CELL_FINGERPRINT_LEN);
    }
    for (uint32_t i = 0; i < s->nmethods; i++)
        EXPECT(cell_schema_method(s, s->methods[i].name) == &s->methods[i]);
    for (uint32_t i = 0; i < s->nverbs; i++)
        EXPECT(cell_schema_verb(s, s->verbs[i].name) == &s->verbs[i]);
    for (uint32_t i = 0; i < s->nvisible_functions; i++)
        EXPECT(cell_schema_function(s, s->visible_functions[i].name) == &s->visible_functions[i]);
}

static void check_same_entries(const struct cell_schema *a, const struct cell_schema *b)
{
    EXPECT(a->ntypes == b->ntypes && a->nmethods == b->nmethods && a->nvisible_functions == b->nvisible_functions);
    EXPECT(a->functions_len == b->functions_len && !a->functions == !b->functions);
    EXPECT(!a->functions || memcmp(a->functions, b->functions, a->functions_len) == 0);
    for (uint32_t i = 0; i < a->ntypes; i++)
        EXPECT(strcmp(a->types[i].fingerprint, b->types[i].fingerprint) == 0);
    for (uint32_t i = 0; i < a->nmethods; i++)
        EXPECT(strcmp(a->methods[i].fingerprint, b->methods[i].fingerprint) == 0);
}

/* parse(format(s)) is s; what the model alone would write is a fixed point too, and a seal changes nothing in it. */
static void check_fixpoint(struct cell_schema *s)
{
    struct cell_buffer text = {0}, again = {0};
    struct cell_schema *second = NULL;
    struct cell_error e = {0};
    char hex[CELL_FINGERPRINT_LEN + 1];
    EXPECT(cell_schema_format(s, &text) == CELL_OK);
    cell_sha256_hex(text.data, text.len, hex);
    EXPECT(strcmp(hex, s->fingerprint) == 0);
    EXPECT(cell_schema_parse_client(text.data, text.len, &second, &e) == CELL_OK);
    EXPECT(strcmp(second->fingerprint, s->fingerprint) == 0);
    check_same_entries(s, second);
    cell_schema_free(second);
    second = NULL;

    s->received = NULL;
    int sealed = cell_schema_seal(s, &e);
    EXPECT(sealed == CELL_OK || sealed == CELL_TOO_LARGE);
    if (sealed == CELL_OK) {
        EXPECT(cell_schema_format(s, &again) == CELL_OK);
        EXPECT(cell_schema_parse_client(again.data, again.len, &second, &e) == CELL_OK);
        EXPECT(!second->received && strcmp(second->fingerprint, s->fingerprint) == 0);
        check_same_entries(s, second);
        cell_schema_free(second);
    }
    cell_buffer_free(&text);
    cell_buffer_free(&again);
}

static void check_same_fields(const struct cell_field *a, const struct cell_field *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        EXPECT(strcmp(a[i].name, b[i].name) == 0 && strcmp(a[i].type->name, b[i].type->name) == 0 &&
               a[i].offset == b[i].offset && a[i].count == b[i].count && a[i].flags == b[i].flags);
}

/* Whatever a client's schema says, its descriptors stand for messages of the same form. */
static void check_descriptors(struct cell_schema *s)
{
    struct cell_schema *back = NULL;
    struct cell_error e = {0};
    const struct cell_method *made = NULL, *again = NULL;
    EXPECT(cell_schema_describe(s, &made, &e) == CELL_OK);
    const struct cell_service service = {CELL_DESC_ABI, s->nmethods, s->cell, s->fingerprint, made, NULL, NULL};
    int r = cell_schema_from_service(&service, &back, &e);
    EXPECT(r == CELL_OK || r == CELL_TOO_LARGE);
    if (r != CELL_OK)
        return;
    EXPECT(cell_schema_describe(back, &again, &e) == CELL_OK && back->nmethods == s->nmethods);
    for (uint32_t i = 0; i < s->nmethods; i++) {
        const struct cell_method *a = &made[i], *b = &again[i];
        EXPECT(a->nin == b->nin && a->nout == b->nout && a->in_size == b->in_size && a->flags == b->flags);
        EXPECT(!a->binding == !b->binding && (!a->binding || strcmp(a->binding, b->binding) == 0));
        EXPECT(!a->stream == !b->stream);
        check_same_fields(a->in, b->in, a->nin);
        check_same_fields(a->out, b->out, a->nout);
    }
    cell_schema_free(back);
}

/* A cell's own schema is a client's without bindings. */
static void check_own(const uint8_t *data, size_t size, const struct cell_schema *client)
{
    struct cell_schema *own = NULL;
    struct cell_error e = {0};
    bool bound = false;
    int r = cell_schema_parse((const char *)data, size, &own, &e);
    for (uint32_t i = 0; client && i < client->nmethods; i++)
        bound |= client->methods[i].binding != NULL;
    EXPECT((r == CELL_OK) == (client && !bound));
    cell_schema_free(own);
}

static void check_expansion(const uint8_t *data, size_t size, const struct cell_schema *declared)
{
    struct cell_expansion *x = NULL;
    struct cell_error e = {0};
    int r = cell_expansion_parse((const char *)data, size, declared, &x, &e);
    if (r != CELL_OK) {
        check_error(&e, r);
        return;
    }
    check_lookup(x->content);
    for (uint32_t i = 0; i < x->content->ntypes; i++)
        EXPECT(x->content->types[i].declared == (declared && i < declared->ntypes));
    cell_expansion_free(x);
}

/* struct point { int32_t x; }; as a program may declare it. */
static const struct cell_schema *point(void)
{
    static struct schema_field field = {.name = "x", .type = {.kind = CELL_KIND_I32}};
    static struct schema_type type = {
        .name = "point", .kind = CELL_KIND_STRUCT, .size = 4, .align = 4, .fields = &field, .nfields = 1};
    static const struct cell_schema declared = {.types = &type, .ntypes = 1};
    return &declared;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cell_schema *s = NULL;
    struct cell_error e = {0};
    int r = cell_schema_parse_client((const char *)data, size, &s, &e);
    check_own(data, size, s);
    if (r == CELL_OK) {
        check_lookup(s);
        check_fixpoint(s);
        check_descriptors(s);
    } else {
        check_error(&e, r);
    }
    check_expansion(data, size, NULL);
    static const char own[] = "{\"expansion\":\"cell.expansion/1\"}";
    check_expansion(data, size, point());
    if (s)
        check_expansion((const uint8_t *)own, sizeof(own) - 1, s);
    cell_schema_free(s);
    return 0;
}
