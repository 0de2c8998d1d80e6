/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What functions of a schema are for who compares two schemas: how they are called, and a hash of what they compute.
 * Read from the JSON as it is, for that needs nobody who can verify or print functions. What is no such document gives
 * some signature and some hash; who compiles it refuses it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/schema_impl.h"

/* A table or function by its name: what others that use it depend on. */
struct known {
    const char *name;
    uint32_t user; /* the function, from 1, that was seen last to use it */
    bool hashed;
    char hash[CELL_FINGERPRINT_LEN + 1];
};

struct function_logic {
    struct known *known; /* sorted by name; of several of one name the first that was sorted so counts */
    size_t nknown;
    uint32_t user;
    struct cell_buffer text, used;
};

static int compare_known(const void *a, const void *b)
{
    return strcmp(((const struct known *)a)->name, ((const struct known *)b)->name);
}

static struct known *find_known(const struct function_logic *l, const char *name)
{
    const struct known key = {.name = name};
    return l->nknown ? bsearch(&key, l->known, l->nknown, sizeof(key), compare_known) : NULL;
}

/* What an array of the document's code uses of others, whatever else its names may be. */
static void take_uses(struct function_logic *l, const char *name)
{
    struct known *k = find_known(l, name);
    if (!k || !k->hashed || k->user == l->user)
        return;
    k->user = l->user;
    cell_buffer_printf(&l->used, "%s %s\n", name, k->hash);
}

static void put_array(struct function_logic *l, const struct json_at *array, bool block);

/* An element of the statement or expression `op`: some are blocks, in which numbers are lines and not logic. */
static bool is_block(const char *op, size_t i, size_t n)
{
    if (strcmp(op, "if") == 0)
        return i % 2 == 0 || (i > 1 && i + 1 == n);
    if (strcmp(op, "switch") == 0)
        return i > 2 && i % 2 == 1;
    return ((strcmp(op, "for") == 0 || strcmp(op, "down") == 0) && i == 5) || (strcmp(op, "loop") == 0 && i == 2);
}

/* As deep as JSON may be. */
static void put_array(struct function_logic *l, const struct json_at *array, bool block)
{
    const size_t n = cell_json_count(array);
    const char *op = "";
    cell_buffer_puts(&l->text, "[");
    for (size_t i = 0; i < n; i++) {
        struct json_at item;
        enum json_kind kind;
        if (cell_json_item(array, i, &item, &kind, NULL) < 0)
            return;
        if (kind == JSON_IS_ARRAY) {
            put_array(l, &item, !block && is_block(op, i, n));
        } else if (kind == JSON_IS_INTEGER && block) {
            continue;
        } else {
            cell_json_put(&l->text, &item);
            if (kind == JSON_IS_STRING && i == 0 && !block)
                op = cell_json_text_of(&item);
            else if (kind == JSON_IS_STRING)
                take_uses(l, cell_json_text_of(&item));
        }
        cell_buffer_puts(&l->text, ",");
    }
    cell_buffer_puts(&l->text, "]");
}

static void put_member(struct function_logic *l, const struct json_at *object, const char *key)
{
    const char *const none[] = {"doc", NULL};
    struct json_at member, item;
    enum json_kind kind;
    if (cell_json_member(object, key, &member, &kind, NULL) < 0)
        return;
    cell_buffer_printf(&l->text, "\"%s\":", key);
    if (kind != JSON_IS_ARRAY) {
        cell_json_put(&l->text, &member);
    } else if (strcmp(key, "body") == 0) {
        put_array(l, &member, true);
    } else { /* parameters */
        for (size_t i = 0; i < cell_json_count(&member); i++)
            if (cell_json_item_object(&member, i, &item, NULL) > 0)
                cell_json_put_without(&l->text, &item, none);
    }
}

static void hash_function(struct function_logic *l, const struct json_at *at, char hash[CELL_FINGERPRINT_LEN + 1])
{
    static const char *const members[] = {"body", "fault", "params", "returns"};
    l->text.len = l->used.len = 0;
    l->user++;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        put_member(l, at, members[i]);
    cell_buffer_append(&l->text, l->used.data, l->used.len);
    cell_sha256_hex(l->text.data, l->text.len, hash);
}

/* Everything that a name can stand for, so far without hashes. */
static void take_names(struct function_logic *l, const struct json_at *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct json_at item;
        const char *name = NULL;
        if (cell_json_item_object(list, i, &item, NULL) > 0 &&
            cell_json_string(&item, "name", JSON_REQUIRED, &name, NULL) > 0)
            l->known[l->nknown++] = (struct known){.name = name};
    }
}

struct function_logic *cell_logic_new(const struct json_at *document)
{
    struct json_at tables = {0}, functions = {0}, item;
    if (cell_json_array(document, "tables", JSON_OPTIONAL, &tables, NULL) < 0 ||
        cell_json_array(document, "functions", JSON_OPTIONAL, &functions, NULL) < 0)
        tables = functions = (struct json_at){0};
    const size_t ntables = tables.value ? cell_json_count(&tables) : 0;
    const size_t nfunctions = functions.value ? cell_json_count(&functions) : 0;
    struct function_logic *l = calloc(1, sizeof(*l));
    if (l)
        l->known = calloc(ntables + nfunctions + 1, sizeof(*l->known));
    if (!l || !l->known) {
        free(l);
        return NULL;
    }
    take_names(l, &tables, ntables);
    take_names(l, &functions, nfunctions);
    qsort(l->known, l->nknown, sizeof(*l->known), compare_known);
    for (size_t i = 0; i < ntables; i++) {
        const char *name = NULL;
        if (cell_json_item_object(&tables, i, &item, NULL) < 0 ||
            cell_json_string(&item, "name", JSON_REQUIRED, &name, NULL) < 0)
            continue;
        struct known *k = find_known(l, name);
        l->text.len = 0;
        cell_json_put(&l->text, &item);
        cell_sha256_hex(l->text.data, l->text.len, k->hash);
        k->hashed = true;
    }
    return l;
}

void cell_logic_free(struct function_logic *l)
{
    if (!l)
        return;
    cell_buffer_free(&l->text);
    cell_buffer_free(&l->used);
    free(l->known);
    free(l);
}

int cell_logic_take(struct function_logic *l, const struct json_at *at, char logic[CELL_FINGERPRINT_LEN + 1])
{
    const char *name = NULL;
    hash_function(l, at, logic);
    if (cell_json_string(at, "name", JSON_REQUIRED, &name, NULL) > 0) {
        struct known *k = find_known(l, name);
        memcpy(k->hash, logic, sizeof(k->hash));
        k->hashed = true;
    }
    return cell_buffer_ok(&l->text) && cell_buffer_ok(&l->used) ? CELL_OK : CELL_NO_MEMORY;
}

static void put_parameter(const struct json_at *p, struct cell_buffer *out)
{
    const char *type = "?", *dir = "in";
    bool pointer = false;
    cell_json_string(p, "type", JSON_OPTIONAL, &type, NULL);
    cell_json_string(p, "dir", JSON_OPTIONAL, &dir, NULL);
    cell_json_bool(p, "pointer", JSON_OPTIONAL, &pointer, NULL);
    /* What is always a pointer need not say so. */
    const bool out_of = strcmp(dir, "out") == 0, by_pointer = pointer && !out_of && !strchr(type, '[');
    cell_buffer_printf(out, "%s%s%s", out_of ? "out " : "", type, by_pointer ? " *" : "");
}

void cell_logic_signature(const struct json_at *at, struct cell_buffer *out)
{
    struct json_at params = {0}, item;
    const char *returns = "?";
    cell_json_string(at, "returns", JSON_OPTIONAL, &returns, NULL);
    cell_buffer_printf(out, "%s(", returns);
    if (cell_json_array(at, "params", JSON_OPTIONAL, &params, NULL) > 0)
        for (size_t i = 0; i < cell_json_count(&params); i++)
            if (cell_json_item_object(&params, i, &item, NULL) > 0) {
                cell_buffer_puts(out, i ? ", " : "");
                put_parameter(&item, out);
            }
    cell_buffer_puts(out, ")");
}
