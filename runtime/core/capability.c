/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Capabilities: what a cell can do, or could do if it were started otherwise, and the methods that need it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/schema_impl.h"
#include "wire/limits.h"

#define MAX_VALUE 1024u /* bytes of a parameter's value */

/* ---- looking up ---- */

/* Entries that begin with their name, sorted by it. */
static const void *find(const void *entries, uint32_t n, size_t size, const char *name)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *entry = (const char *)entries + (size_t)middle * size, *other;
        memcpy(&other, entry, sizeof(other));
        int order = strcmp(other, name);
        if (order == 0)
            return entry;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct schema_capability *cell_schema_capability(const struct cell_schema *s, const char *name)
{
    return find(s->capabilities, s->ncapabilities, sizeof(*s->capabilities), name);
}

const char *cell_schema_lacks(const struct cell_schema *s, const struct schema_method *m)
{
    for (uint32_t i = 0; i < m->nneeds; i++) {
        const struct schema_capability *c = cell_schema_capability(s, m->needs[i]);
        if (!c || c->absent)
            return m->needs[i];
    }
    return NULL;
}

const struct schema_method *cell_schema_served(const struct cell_schema *s, const struct schema_method *m)
{
    if (!cell_schema_lacks(s, m))
        return m;
    return m->fallback ? cell_schema_method(s, m->fallback) : NULL;
}

static bool same_param(const struct schema_field *a, const struct schema_field *b)
{
    return a->out == b->out && a->inout == b->inout && a->by_pointer == b->by_pointer && a->stream == b->stream &&
           a->type.kind == b->type.kind && a->type.elem == b->type.elem && a->type.named == b->type.named &&
           a->type.count == b->type.count;
}

bool cell_schema_same_params(const struct schema_method *a, const struct schema_method *b)
{
    bool same = a->nparams == b->nparams;
    for (uint32_t i = 0; same && i < a->nparams; i++)
        same = same_param(&a->params[i], &b->params[i]);
    return same;
}

bool cell_is_integer_text(const char *text)
{
    const char *digits = text + (text[0] == '-');
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || digits[n] || (digits[0] == '0' && (n > 1 || digits != text)))
        return false;
    errno = 0;
    if (digits != text)
        (void)strtoll(text, NULL, 10);
    else
        (void)strtoull(text, NULL, 10);
    return errno == 0;
}

bool cell_is_capability_name(const char *name)
{
    size_t len = strlen(name);
    return cell_is_identifier(name) && !cell_is_reserved(name) && !strstr(name, "__") && name[len - 1] != '_';
}

/* ---- from JSON and to it ---- */

static int no_memory(struct cell_error *e) { return cell_error_set(e, CELL_NO_MEMORY, "schema: out of memory"); }

static int compare_params(const void *a, const void *b)
{
    const struct schema_capability_param *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static void sort_params(struct schema_capability *c)
{
    if (c->nparams > 1)
        qsort(c->params, c->nparams, sizeof(*c->params), compare_params);
}

static int read_params(const struct json_at *at, struct cell_schema *s, struct schema_capability *c,
                       struct cell_error *e)
{
    struct json_at params = {0};
    void *iterator = NULL;
    int r = cell_json_object(at, "params", JSON_OPTIONAL, &params, e);
    if (r <= 0)
        return r;
    c->params = cell_arena_array(&s->arena, cell_json_count(&params), sizeof(*c->params));
    if (!c->params)
        return no_memory(e);
    for (const char *key; (key = cell_json_next(&params, &iterator));) {
        struct schema_capability_param *p = &c->params[c->nparams];
        if ((r = cell_copy_member(&params, key, JSON_REQUIRED, &s->arena, &p->value, e)) < 0)
            return r;
        p->name = cell_arena_copy(&s->arena, key, strlen(key));
        if (!p->name)
            return no_memory(e);
        c->nparams++;
    }
    sort_params(c);
    return CELL_OK;
}

static int read_capability(const struct json_at *at, struct cell_schema *s, struct schema_capability *c,
                           struct cell_error *e)
{
    int r = cell_copy_member(at, "name", JSON_REQUIRED, &s->arena, &c->name, e);
    if (r >= 0)
        r = cell_copy_member(at, "doc", JSON_OPTIONAL, &s->arena, &c->doc, e);
    if (r >= 0)
        r = cell_json_bool(at, "absent", JSON_OPTIONAL, &c->absent, e);
    return r < 0 ? r : read_params(at, s, c, e);
}

int cell_capabilities_read(const struct json_at *root, struct cell_schema *s, struct cell_error *e)
{
    struct json_at list = {0}, item;
    int r = cell_json_array(root, "capabilities", JSON_OPTIONAL, &list, e);
    if (r <= 0)
        return r;
    size_t n = cell_json_count(&list);
    s->capabilities = cell_arena_array(&s->arena, n, sizeof(*s->capabilities));
    if (!s->capabilities)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        r = cell_json_item_object(&list, i, &item, e);
        if (r >= 0)
            r = read_capability(&item, s, &s->capabilities[i], e);
        if (r < 0)
            return r;
        s->ncapabilities++;
    }
    return CELL_OK;
}

static void put_member(struct cell_buffer *out, const char *key, const char *text)
{
    cell_json_put_string(out, key);
    cell_buffer_puts(out, ":");
    cell_json_put_string(out, text);
}

void cell_capabilities_put(const struct cell_schema *s, bool docs, struct cell_buffer *out)
{
    cell_buffer_puts(out, "[");
    for (uint32_t i = 0; i < s->ncapabilities; i++) {
        const struct schema_capability *c = &s->capabilities[i];
        cell_buffer_puts(out, i ? ",{" : "{");
        cell_buffer_puts(out, c->absent ? "\"absent\":true," : "");
        if (docs && c->doc) {
            put_member(out, "doc", c->doc);
            cell_buffer_puts(out, ",");
        }
        put_member(out, "name", c->name);
        for (uint32_t k = 0; k < c->nparams; k++) {
            cell_buffer_puts(out, k ? "," : ",\"params\":{");
            put_member(out, c->params[k].name, c->params[k].value);
        }
        cell_buffer_puts(out, c->nparams ? "}}" : "}");
    }
    cell_buffer_puts(out, "]");
}

/* ---- checking ---- */

static struct json_at member(const struct json_at *of, const char *key)
{
    return (struct json_at){.parent = of, .key = key, .status = of->status};
}

static struct json_at element(const struct json_at *of, size_t index)
{
    return (struct json_at){.parent = of, .index = index, .status = of->status};
}

static int check_name(const struct json_at *at, const char *key, const char *name, struct cell_error *e)
{
    char quoted[CELL_QUOTE_SIZE];
    int r = cell_check_name(at, key, name, NAME_WORD, e);
    if (r < 0 || cell_is_capability_name(name))
        return r;
    return cell_json_fail(at, key, e, "'%s' has two underscores in a row, or one at its end",
                          cell_json_quote(name, quoted, sizeof(quoted)));
}

static int check_capability(const struct json_at *at, const struct schema_capability *c, struct cell_error *e)
{
    const struct json_at params = member(at, "params");
    int r = check_name(at, "name", c->name, e);
    if (r == CELL_OK)
        r = cell_check_doc(at, c->doc, e);
    for (uint32_t i = 0; r == CELL_OK && i < c->nparams; i++) {
        const struct schema_capability_param *p = &c->params[i];
        r = check_name(&params, p->name, p->name, e);
        if (r == CELL_OK && !p->value)
            r = cell_json_fail(&params, p->name, e, "missing");
        if (r == CELL_OK && strlen(p->value) > MAX_VALUE)
            r = cell_json_fail(&params, p->name, e, "the value is longer than %u bytes", MAX_VALUE);
        if (r == CELL_OK)
            r = cell_check_text(&params, p->name, p->value, false, e);
        if (r == CELL_OK && i && strcmp(c->params[i - 1].name, p->name) == 0)
            r = cell_json_fail(&params, p->name, e, "it is there twice");
    }
    return r;
}

static int check_order(const struct json_at *at, const char *key, const char *before, const char *name,
                       const char *list, struct cell_error *e)
{
    int order = strcmp(before, name);
    if (order < 0)
        return CELL_OK;
    return order == 0 ? cell_json_fail(at, key, e, "'%s' is there twice", name)
                      : cell_json_fail(at, key, e, "'%s' after '%s': %s are sorted by name", name, before, list);
}

static int check_fallback(const struct cell_schema *s, const struct json_at *at, const struct schema_method *m,
                          struct cell_error *e)
{
    char quoted[CELL_QUOTE_SIZE];
    if (!m->fallback)
        return CELL_OK;
    if (m->nneeds == 0)
        return cell_json_fail(at, "fallback", e, "the method needs no capability");
    const struct schema_method *other = find(s->methods, s->nmethods, sizeof(*s->methods), m->fallback);
    if (!other)
        return cell_json_fail(at, "fallback", e, "there is no method '%s'",
                              cell_json_quote(m->fallback, quoted, sizeof(quoted)));
    if (other->nneeds)
        return cell_json_fail(at, "fallback", e, "'%s' needs a capability itself", other->name);
    if (!cell_schema_same_params(m, other))
        return cell_json_fail(at, "fallback", e, "'%s' has other parameters", other->name);
    return CELL_OK;
}

static int check_needs(const struct cell_schema *s, const struct json_at *at, const struct schema_method *m,
                       struct cell_error *e)
{
    const struct json_at needs = member(at, "needs");
    char quoted[CELL_QUOTE_SIZE];
    for (uint32_t i = 0; i < m->nneeds; i++) {
        const struct json_at need = element(&needs, i);
        if (!cell_schema_capability(s, m->needs[i]))
            return cell_json_fail(&need, NULL, e, "there is no capability '%s'",
                                  cell_json_quote(m->needs[i], quoted, sizeof(quoted)));
        int r = i ? check_order(&need, NULL, m->needs[i - 1], m->needs[i], "needs", e) : CELL_OK;
        if (r < 0)
            return r;
    }
    return check_fallback(s, at, m, e);
}

int cell_capabilities_check(const struct cell_schema *s, const struct json_at *root, struct cell_error *e)
{
    const struct json_at list = member(root, "capabilities"), methods = member(root, "methods");
    int r = CELL_OK;
    for (uint32_t i = 0; r == CELL_OK && i < s->ncapabilities; i++) {
        const struct json_at at = element(&list, i);
        r = check_capability(&at, &s->capabilities[i], e);
        if (r == CELL_OK && i)
            r = check_order(&at, "name", s->capabilities[i - 1].name, s->capabilities[i].name, list.key, e);
    }
    for (uint32_t i = 0; r == CELL_OK && i < s->nmethods; i++) {
        const struct json_at at = element(&methods, i);
        r = check_needs(s, &at, &s->methods[i], e);
    }
    return r;
}

/* ---- building ---- */

static int compare_capabilities(const void *a, const void *b)
{
    const struct schema_capability *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int compare_texts(const void *a, const void *b)
{
    const char *x, *y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return strcmp(x, y);
}

/* What a method needs stands in its builder's memory. */
static void sort_needs(struct cell_schema *s, struct schema_method *m)
{
    const char **sorted = m->nneeds > 1 ? cell_arena_array(&s->arena, m->nneeds, sizeof(*sorted)) : NULL;
    if (!sorted)
        return; /* the check finds what is not in order */
    memcpy(sorted, m->needs, m->nneeds * sizeof(*sorted));
    qsort(sorted, m->nneeds, sizeof(*sorted), compare_texts);
    m->needs = sorted;
}

void cell_capabilities_sort(struct cell_schema *s)
{
    if (s->ncapabilities > 1)
        qsort(s->capabilities, s->ncapabilities, sizeof(*s->capabilities), compare_capabilities);
    for (uint32_t i = 0; i < s->ncapabilities; i++)
        sort_params(&s->capabilities[i]);
    for (uint32_t i = 0; i < s->nmethods; i++)
        sort_needs(s, &s->methods[i]);
}

/* ---- a cell that was started without some ---- */

static int switch_off(struct cell_schema *s, const char *names, struct cell_error *e)
{
    for (const char *at = names; *at;) {
        char name[CELL_MAX_NAME + 1], quoted[CELL_QUOTE_SIZE];
        size_t len = strcspn(at, ","), kept = len < sizeof(name) ? len : 0;
        memcpy(name, at, kept);
        name[kept] = '\0';
        struct schema_capability *c =
            (struct schema_capability *)find(s->capabilities, s->ncapabilities, sizeof(*c), name);
        if (!c)
            return cell_error_set(e, CELL_NOT_FOUND, "it declares no capability '%s'",
                                  cell_json_quote(name, quoted, sizeof(quoted)));
        c->absent = true;
        at += len + (at[len] == ',');
    }
    return CELL_OK;
}

int cell_schema_without(struct cell_schema **schema, const char *names, struct cell_error *e)
{
    struct cell_buffer json = {0};
    struct cell_schema *changed = NULL, *made = NULL;
    if ((*schema)->received)
        return cell_error_set(e, CELL_FAILED_PRECONDITION, "the schema has members that this version does not know");
    cell_schema_put(*schema, &json);
    int r = cell_buffer_ok(&json) ? cell_schema_parse(json.data, json.len, &changed, e) : no_memory(e);
    if (r >= 0)
        r = switch_off(changed, names, e);
    json.len = 0;
    if (r >= 0)
        cell_schema_put(changed, &json);
    if (r >= 0)
        r = cell_buffer_ok(&json) ? cell_schema_parse(json.data, json.len, &made, e) : no_memory(e);
    cell_buffer_free(&json);
    cell_schema_free(changed);
    if (r < 0)
        return r;
    cell_schema_free(*schema);
    *schema = made;
    return CELL_OK;
}
