/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The functions of a schema, as far as a schema is concerned with them: their text, and the names that programs see.
 * What they say is checked by who compiles them (core/ast.h). */
#include <stdlib.h>
#include <string.h>

#include "core/schema_impl.h"
#include "wire/limits.h"

static int no_memory(struct cell_error *e) { return cell_error_set(e, CELL_NO_MEMORY, "schema: out of memory"); }

static int compare_functions(const void *a, const void *b)
{
    const struct schema_function *x = a, *y = b;
    const int r = strcmp(x->name, y->name);
    return r ? r : (x->index > y->index) - (x->index < y->index);
}

static bool is_hash(const char *text)
{
    return strlen(text) == CELL_FINGERPRINT_LEN && strspn(text, "0123456789abcdef") == CELL_FINGERPRINT_LEN;
}

/* Of a summary what it says, else what is made of the function. */
static int take_signature(const struct json_at *at, struct cell_schema *s, struct schema_function *f,
                          struct cell_error *e)
{
    struct cell_buffer text = {0};
    int r = cell_copy_member(at, "signature", JSON_OPTIONAL, &s->arena, &f->signature, e);
    if (r == CELL_OK && !f->signature) {
        cell_logic_signature(at, &text);
        f->signature = cell_buffer_ok(&text) ? cell_arena_copy(&s->arena, text.data, text.len) : NULL;
        r = f->signature ? CELL_OK : no_memory(e);
    }
    cell_buffer_free(&text);
    return r < 0 ? r : cell_check_text(at, "signature", f->signature, false, e);
}

static int take_logic(const struct json_at *at, struct function_logic *logic, struct schema_function *f,
                      struct cell_error *e)
{
    const char *hash = NULL;
    int r = cell_json_string(at, "logic", JSON_OPTIONAL, &hash, e);
    if (r < 0)
        return r;
    if (hash && !is_hash(hash))
        return cell_json_fail(at, "logic", e, "%u hex digits are expected", CELL_FINGERPRINT_LEN);
    if (hash)
        memcpy(f->logic, hash, sizeof(f->logic));
    else if (cell_logic_take(logic, at, f->logic) < 0)
        return no_memory(e);
    return CELL_OK;
}

/* *seen is left false for those that only others of the document call. */
static int read_function(const struct json_at *at, struct function_logic *logic, struct cell_schema *s,
                         struct schema_function *f, bool *seen, struct cell_error *e)
{
    const char *name = NULL;
    bool internal = false;
    int r = cell_json_string(at, "name", JSON_REQUIRED, &name, e);
    if (r >= 0)
        r = cell_json_bool(at, "internal", JSON_OPTIONAL, &internal, e);
    if (r >= 0)
        r = take_logic(at, logic, f, e);
    if (r < 0 || internal)
        return r;
    r = cell_check_name(at, "name", name, NAME_FUNCTION, e);
    if (r == CELL_OK)
        r = cell_copy_member(at, "doc", JSON_OPTIONAL, &s->arena, &f->doc, e);
    if (r == CELL_OK)
        r = cell_check_doc(at, f->doc, e);
    if (r == CELL_OK)
        r = cell_copy_member(at, "renamed_from", JSON_OPTIONAL, &s->arena, &f->renamed_from, e);
    if (r == CELL_OK && f->renamed_from)
        r = cell_check_name(at, "renamed_from", f->renamed_from, NAME_WORD, e);
    if (r == CELL_OK)
        r = take_signature(at, s, f, e);
    if (r < 0)
        return r;
    *seen = true;
    f->index = (uint32_t)at->index;
    f->name = cell_arena_copy(&s->arena, name, strlen(name));
    return f->name ? CELL_OK : no_memory(e);
}

static int read_list(const struct json_at *document, struct cell_schema *s, struct cell_error *e)
{
    struct json_at list = {0}, item;
    int r = cell_json_array(document, "functions", JSON_OPTIONAL, &list, e);
    if (r <= 0)
        return r;
    const size_t n = cell_json_count(&list);
    struct schema_function *to = cell_arena_array(&s->arena, n, sizeof(*to));
    struct function_logic *logic = cell_logic_new(document);
    uint32_t count = 0;
    if (!to || !logic)
        r = no_memory(e);
    for (size_t i = 0; i < n && r >= 0; i++) {
        bool seen = false;
        if ((r = cell_json_item_object(&list, i, &item, e)) > 0)
            r = read_function(&item, logic, s, &to[count], &seen, e);
        count += r >= 0 && seen;
    }
    cell_logic_free(logic);
    if (r < 0)
        return r;
    if (count > 1)
        qsort(to, count, sizeof(*to), compare_functions);
    s->visible_functions = to;
    s->nvisible_functions = count;
    return CELL_OK;
}

/* In canonical form, so that it is a part of the schema's. */
static int keep_text(const struct json_at *document, struct cell_schema *s, struct cell_error *e)
{
    struct cell_buffer text = {0};
    cell_json_put(&text, document);
    int r = cell_buffer_ok(&text) ? CELL_OK : no_memory(e);
    if (r == CELL_OK && text.len > CELL_MAX_FUNCTIONS)
        r = cell_json_fail(document, NULL, e, "%zu bytes of functions, %u is the limit", text.len, CELL_MAX_FUNCTIONS);
    if (r == CELL_OK) {
        s->functions = cell_arena_copy(&s->arena, text.data, text.len);
        s->functions_len = text.len;
        r = s->functions ? CELL_OK : no_memory(e);
    }
    cell_buffer_free(&text);
    return r;
}

int cell_schema_read_functions(const struct json_at *root, struct cell_schema *s, struct cell_error *e)
{
    struct json_at document = {.parent = root, .key = "functions", .status = root->status};
    enum json_kind kind;
    void *iterator = NULL;
    const char *key;
    while ((key = cell_json_next(root, &iterator)) && strcmp(key, "functions") != 0)
        ;
    if (!key)
        return CELL_OK;
    int r = cell_json_member(root, "functions", &document, &kind, e);
    if (r >= 0 && kind == JSON_IS_ARRAY && cell_json_count(&document) == 0)
        return CELL_OK; /* how a schema says that it has none */
    if (r >= 0)
        r = cell_json_object(root, "functions", JSON_REQUIRED, &document, e);
    if (r >= 0)
        r = keep_text(&document, s, e);
    return r < 0 ? r : read_list(&document, s, e);
}

int cell_schema_take_functions(struct cell_schema *s, int status, struct cell_error *e)
{
    struct cell_buffer text = {0};
    struct cell_json json = {0};
    if (!s->functions)
        return CELL_OK;
    /* As the member of a document, so that messages have the same path everywhere. */
    cell_buffer_puts(&text, "{\"functions\":");
    cell_buffer_append(&text, s->functions, s->functions_len);
    cell_buffer_puts(&text, "}");
    int r = cell_buffer_ok(&text) ? cell_json_load(text.data, text.len, status, &json, e) : no_memory(e);
    cell_buffer_free(&text);
    s->functions = NULL;
    if (r >= 0)
        r = cell_schema_read_functions(&json.root, s, e);
    cell_json_free(&json);
    return r;
}
