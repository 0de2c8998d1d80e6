/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* JSON to model. What a value must be is checked here; what the values must be together, in schema_check.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/schema_impl.h"
#include "wire/limits.h"

/* Types by name while they are read: a use refers to a type before it. */
struct known_type {
    const char *name;
    uint32_t index;
};

struct reader {
    struct cell_schema *s;
    struct cell_error *e;
    const struct cell_schema *declared;
    struct known_type *known; /* sorted by name */
    uint32_t nknown;
    uint32_t defined; /* types before this one may be used */
};

static int no_memory(struct reader *r) { return cell_error_set(r->e, CELL_NO_MEMORY, "schema: out of memory"); }

/* The member as a string in the arena; NULL when it is absent and optional. */
static int read_string(struct reader *r, const struct json_at *at, const char *key, enum json_need need,
                       const char **text)
{
    const char *found = NULL;
    int n = cell_json_string(at, key, need, &found, r->e);
    *text = NULL;
    if (n <= 0)
        return n;
    *text = cell_arena_copy(&r->s->arena, found, strlen(found));
    return *text ? CELL_OK : no_memory(r);
}

static int read_u32(struct reader *r, const struct json_at *at, const char *key, uint32_t min, uint32_t max,
                    uint32_t *value)
{
    uint64_t wide = 0;
    int n = cell_json_uint(at, key, JSON_REQUIRED, min, max, &wide, r->e);
    *value = (uint32_t)wide;
    return n < 0 ? n : CELL_OK;
}

/* An array of strings in the arena. */
static int read_strings(struct reader *r, const struct json_at *at, const char *key, const char *const **texts,
                        uint32_t *n)
{
    struct json_at array = {0};
    int found = cell_json_array(at, key, JSON_OPTIONAL, &array, r->e);
    *texts = NULL;
    *n = 0;
    if (found <= 0)
        return found;
    size_t count = cell_json_count(&array);
    const char **to = cell_arena_array(&r->s->arena, count, sizeof(*to));
    if (!to)
        return no_memory(r);
    for (size_t i = 0; i < count; i++) {
        const char *text;
        int bad = cell_json_item_string(&array, i, &text, r->e);
        if (bad < 0)
            return bad;
        to[i] = cell_arena_copy(&r->s->arena, text, strlen(text));
        if (!to[i])
            return no_memory(r);
    }
    *texts = to;
    *n = (uint32_t)count;
    return CELL_OK;
}

/* Reads each object of an array into an entry of `size` bytes. */
typedef int read_entry_fn(struct reader *r, const struct json_at *at, void *entry);

static int read_entries(struct reader *r, const struct json_at *at, const char *key, size_t size, read_entry_fn *read,
                        void *entries, uint32_t *n)
{
    struct json_at array = {0}, item;
    int found = cell_json_array(at, key, JSON_OPTIONAL, &array, r->e);
    if (found < 0)
        return found;
    size_t count = found ? cell_json_count(&array) : 0;
    char *to = cell_arena_array(&r->s->arena, count, size);
    if (!to)
        return no_memory(r);
    for (size_t i = 0; i < count; i++) {
        int bad = cell_json_item_object(&array, i, &item, r->e);
        if (bad >= 0)
            bad = read(r, &item, to + i * size);
        if (bad < 0)
            return bad;
    }
    memcpy(entries, &to, sizeof(to));
    *n = (uint32_t)count;
    return CELL_OK;
}

static int compare_known(const void *a, const void *b)
{
    const struct known_type *x = a, *y = b;
    int r = strcmp(x->name, y->name);
    return r ? r : (x->index > y->index) - (x->index < y->index);
}

/* The type of that name, also one that may not be used yet. */
static const struct schema_type *find_known(const struct reader *r, const char *name)
{
    uint32_t low = 0, high = r->nknown;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(r->known[middle].name, name);
        if (order == 0)
            return &r->s->types[r->known[middle].index];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int read_use(struct reader *r, const struct json_at *at, const char *key, struct schema_ref *use)
{
    const char *text;
    char name[CELL_MAX_NAME + 1], quoted[CELL_QUOTE_SIZE];
    int bad = cell_json_string(at, key, JSON_REQUIRED, &text, r->e);
    if (bad < 0)
        return bad;
    size_t len = strcspn(text, "[");
    if (text[len] && !cell_use_bound(text + len, &use->count))
        return cell_json_fail(at, key, r->e, "'%s': the bound of an array is 1 to %u",
                              cell_json_quote(text, quoted, sizeof(quoted)), CELL_MAX_ARRAY);
    use->kind = cell_use_builtin(text, len);
    if (use->kind || cell_use_wrapper(text, len, use))
        return CELL_OK;
    snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : 0), text);
    use->named = find_known(r, name);
    if (!use->named)
        return cell_json_fail(at, key, r->e, "unknown type '%s'", cell_json_quote(text, quoted, sizeof(quoted)));
    if (use->named >= r->s->types + r->defined)
        return cell_json_fail(at, key, r->e, "type '%s' is used before it is defined", name);
    use->kind = use->named->kind;
    return CELL_OK;
}

static int read_rule(struct reader *r, const struct json_at *at, void *entry)
{
    struct schema_rule *rule = entry;
    int bad = read_string(r, at, "rule", JSON_REQUIRED, &rule->name);
    if (bad == CELL_OK)
        bad = read_string(r, at, "message", JSON_OPTIONAL, &rule->message);
    return bad < 0 ? bad : read_strings(r, at, "args", &rule->args, &rule->nargs);
}

static int read_member(struct reader *r, const struct json_at *at, struct schema_field *f)
{
    int bad = read_string(r, at, "name", JSON_REQUIRED, &f->name);
    if (bad == CELL_OK)
        bad = read_use(r, at, "type", &f->type);
    if (bad == CELL_OK)
        bad = read_string(r, at, "doc", JSON_OPTIONAL, &f->doc);
    return bad < 0 ? bad : read_entries(r, at, "rules", sizeof(struct schema_rule), read_rule, &f->rules, &f->nrules);
}

static int read_field(struct reader *r, const struct json_at *at, void *entry)
{
    struct schema_field *f = entry;
    int bad = read_member(r, at, f);
    if (bad == CELL_OK)
        bad = read_u32(r, at, "offset", 0, CELL_MAX_TYPE_SIZE, &f->offset);
    if (bad == CELL_OK)
        bad = read_string(r, at, "renamed_from", JSON_OPTIONAL, &f->renamed_from);
    return bad < 0 ? bad : read_string(r, at, "since", JSON_OPTIONAL, &f->since);
}

static int read_param(struct reader *r, const struct json_at *at, void *entry)
{
    struct schema_field *p = entry;
    const char *dir = "";
    char quoted[CELL_QUOTE_SIZE];
    int bad = read_member(r, at, p);
    if (bad == CELL_OK)
        bad = cell_json_string(at, "dir", JSON_REQUIRED, &dir, r->e);
    if (bad < 0)
        return bad;
    p->inout = strcmp(dir, "inout") == 0;
    p->out = p->inout || strcmp(dir, "out") == 0;
    if (!p->out && strcmp(dir, "in") != 0)
        return cell_json_fail(at, "dir", r->e, "\"in\", \"out\" or \"inout\" is expected, not '%s'",
                              cell_json_quote(dir, quoted, sizeof(quoted)));
    bad = cell_json_bool(at, "pointer", JSON_OPTIONAL, &p->by_pointer, r->e);
    bad = bad < 0 ? bad : cell_json_bool(at, "stream", JSON_OPTIONAL, &p->stream, r->e);
    return bad < 0 ? bad : CELL_OK;
}

static int read_value(struct reader *r, const struct json_at *at, void *entry)
{
    struct schema_value *v = entry;
    int bad = read_string(r, at, "name", JSON_REQUIRED, &v->name);
    if (bad == CELL_OK)
        bad = read_string(r, at, "value", JSON_REQUIRED, &v->text);
    if (bad == CELL_OK)
        bad = read_string(r, at, "renamed_from", JSON_OPTIONAL, &v->renamed_from);
    return bad < 0 ? bad : read_string(r, at, "doc", JSON_OPTIONAL, &v->doc);
}

/* One of the kinds that an entry of "types" can be. */
static int read_kind(struct reader *r, const struct json_at *at, enum cell_kind *kind)
{
    const char *text;
    char quoted[CELL_QUOTE_SIZE];
    int bad = cell_json_string(at, "kind", JSON_REQUIRED, &text, r->e);
    if (bad < 0)
        return bad;
    for (unsigned k = CELL_KIND_STRUCT; k <= CELL_KIND_OPT; k++)
        if (strcmp(text, cell_kind_name(k)) == 0) {
            *kind = (enum cell_kind)k;
            return CELL_OK;
        }
    return cell_json_fail(at, "kind", r->e, "unknown kind '%s'", cell_json_quote(text, quoted, sizeof(quoted)));
}

static int read_type(struct reader *r, const struct json_at *at, struct schema_type *t)
{
    int bad = read_kind(r, at, &t->kind);
    if (bad == CELL_OK)
        bad = read_string(r, at, "doc", JSON_OPTIONAL, &t->doc);
    if (bad == CELL_OK)
        bad = read_u32(r, at, "size", 1, CELL_MAX_TYPE_SIZE, &t->size);
    if (bad == CELL_OK)
        bad = read_u32(r, at, "align", 1, 8, &t->align);
    if (bad < 0)
        return bad;
    if (t->kind == CELL_KIND_STRUCT)
        return read_entries(r, at, "fields", sizeof(struct schema_field), read_field, &t->fields, &t->nfields);
    if (t->kind != CELL_KIND_ENUM)
        return read_use(r, at, "of", &t->elem);
    if ((bad = read_use(r, at, "type", &t->elem)) < 0)
        return bad;
    return read_entries(r, at, "values", sizeof(struct schema_value), read_value, &t->values, &t->nvalues);
}

static int read_type_name(struct reader *r, const struct json_at *at, void *entry)
{
    struct schema_type *t = entry;
    int bad = read_string(r, at, "name", JSON_REQUIRED, &t->name);
    return bad < 0 ? bad : cell_check_name(at, "name", t->name, NAME_C, r->e);
}

/* Names first, so that a use can be looked up; a name that is there twice would make that ambiguous. */
static int sort_types(struct reader *r, const struct json_at *types)
{
    r->nknown = r->s->ntypes;
    r->known = calloc((size_t)r->nknown + 1, sizeof(*r->known));
    if (!r->known)
        return no_memory(r);
    for (uint32_t i = 0; i < r->nknown; i++)
        r->known[i] = (struct known_type){r->s->types[i].name, i};
    qsort(r->known, r->nknown, sizeof(*r->known), compare_known);
    for (uint32_t i = 1; i < r->nknown; i++)
        if (strcmp(r->known[i - 1].name, r->known[i].name) == 0) {
            uint32_t declared = r->defined, index = r->known[i].index - declared;
            const struct json_at at = {.parent = types, .index = index, .status = types->status};
            return r->known[i - 1].index < declared
                       ? cell_declared_again(&at, r->known[i].name, r->e)
                       : cell_json_fail(&at, "name", r->e, "'%s' is there twice", r->known[i].name);
        }
    return CELL_OK;
}

/* The document's own types, so far only their names, after those that are declared. */
static int join_types(struct reader *r, struct schema_type *own, uint32_t n)
{
    struct cell_schema *s = r->s;
    if (!r->declared) {
        s->types = own;
        s->ntypes = n;
        return CELL_OK;
    }
    int bad = cell_declared_copy(r->declared, n, s, r->e);
    if (bad < 0)
        return bad;
    if (n)
        memcpy(s->types + s->ntypes, own, n * sizeof(*own));
    r->defined = s->ntypes;
    s->ntypes += n;
    return CELL_OK;
}

static int read_types(struct reader *r, const struct json_at *root)
{
    struct json_at types = {0}, at;
    struct schema_type *own = NULL;
    uint32_t n = 0;
    int bad = read_entries(r, root, "types", sizeof(*own), read_type_name, &own, &n);
    if (bad == CELL_OK)
        bad = join_types(r, own, n);
    if (bad < 0 || r->s->ntypes == 0)
        return bad;
    if ((bad = cell_json_array(root, "types", JSON_OPTIONAL, &types, r->e)) < 0 || (bad = sort_types(r, &types)) < 0)
        return bad;
    for (uint32_t i = 0; i < n; i++, r->defined++) {
        bad = cell_json_item_object(&types, i, &at, r->e);
        if (bad >= 0)
            bad = read_type(r, &at, &r->s->types[r->defined]);
        if (bad < 0)
            return bad;
    }
    return CELL_OK;
}

static int read_constant(struct reader *r, const struct json_at *at, void *entry)
{
    struct schema_constant *k = entry;
    const char *type = "";
    int bad = read_string(r, at, "name", JSON_REQUIRED, &k->name);
    if (bad == CELL_OK)
        bad = cell_json_string(at, "type", JSON_REQUIRED, &type, r->e);
    if (bad < 0)
        return bad;
    k->kind = cell_use_builtin(type, strlen(type)); /* 0, which is no integer, is refused by the check */
    if ((bad = read_string(r, at, "value", JSON_REQUIRED, &k->text)) < 0 ||
        (bad = read_string(r, at, "renamed_from", JSON_OPTIONAL, &k->renamed_from)) < 0)
        return bad;
    return read_string(r, at, "doc", JSON_OPTIONAL, &k->doc);
}

static int read_method(struct reader *r, const struct json_at *at, void *entry)
{
    struct schema_method *m = entry;
    int bad = read_string(r, at, "name", JSON_REQUIRED, &m->name);
    if (bad == CELL_OK)
        bad = read_string(r, at, "doc", JSON_OPTIONAL, &m->doc);
    if (bad == CELL_OK)
        bad = read_string(r, at, "renamed_from", JSON_OPTIONAL, &m->renamed_from);
    if (bad == CELL_OK)
        bad = read_string(r, at, "binding", JSON_OPTIONAL, &m->binding);
    if (bad == CELL_OK)
        bad = cell_json_bool(at, "idempotent", JSON_OPTIONAL, &m->idempotent, r->e);
    if (bad >= 0)
        bad = cell_json_bool(at, "whole", JSON_OPTIONAL, &m->whole, r->e);
    if (bad >= 0)
        bad = read_strings(r, at, "needs", &m->needs, &m->nneeds);
    if (bad >= 0)
        bad = read_string(r, at, "fallback", JSON_OPTIONAL, &m->fallback);
    if (bad < 0)
        return bad;
    return read_entries(r, at, "params", sizeof(struct schema_field), read_param, &m->params, &m->nparams);
}

static int read_verb_arg(struct reader *r, const struct json_at *at, void *entry)
{
    struct schema_verb_arg *arg = entry;
    int bad = read_string(r, at, "name", JSON_REQUIRED, &arg->name);
    if (bad == CELL_OK)
        bad = read_string(r, at, "type", JSON_REQUIRED, &arg->type);
    if (bad == CELL_OK)
        bad = read_string(r, at, "default", JSON_OPTIONAL, &arg->value);
    if (bad == CELL_OK)
        bad = cell_json_bool(at, "required", JSON_OPTIONAL, &arg->required, r->e);
    return bad < 0 ? bad : CELL_OK;
}

static int read_targets(struct reader *r, const struct json_at *at, struct schema_verb *v)
{
    struct json_at on;
    int bad = cell_json_array(at, "on", JSON_REQUIRED, &on, r->e);
    for (size_t i = 0; bad >= 0 && i < cell_json_count(&on); i++) {
        const char *text;
        if ((bad = cell_json_item_string(&on, i, &text, r->e)) < 0)
            break;
        bool *flag = strcmp(text, "struct") == 0     ? &v->on_struct
                     : strcmp(text, "enum") == 0     ? &v->on_enum
                     : strcmp(text, "function") == 0 ? &v->on_function
                     : strcmp(text, "variable") == 0 ? &v->on_variable
                                                     : NULL;
        if (!flag)
            return cell_json_fail(at, "on", r->e, "\"struct\", \"enum\", \"function\" or \"variable\" is expected");
        *flag = true;
    }
    return bad < 0 ? bad : CELL_OK;
}

static int read_verb(struct reader *r, const struct json_at *at, void *entry)
{
    struct schema_verb *v = entry;
    int bad = read_string(r, at, "name", JSON_REQUIRED, &v->name);
    if (bad == CELL_OK)
        bad = read_string(r, at, "doc", JSON_OPTIONAL, &v->doc);
    if (bad == CELL_OK)
        bad = read_targets(r, at, v);
    if (bad == CELL_OK)
        bad = read_entries(r, at, "args", sizeof(struct schema_verb_arg), read_verb_arg, &v->args, &v->nargs);
    if (bad == CELL_OK)
        bad = read_strings(r, at, "field_rules", &v->field_rules, &v->nfield_rules);
    return bad < 0 ? bad : read_strings(r, at, "rules", &v->rules, &v->nrules);
}

/* What this version gives no meaning must at least be what it will be. */
static int check_ignored(struct reader *r, const struct json_at *root)
{
    static const char *const keys[] = {"streams"};
    struct json_at array;
    int bad = CELL_OK;
    for (size_t i = 0; bad >= 0 && i < sizeof(keys) / sizeof(keys[0]); i++)
        bad = cell_json_array(root, keys[i], JSON_OPTIONAL, &array, r->e);
    return bad < 0 ? bad : CELL_OK;
}

int cell_schema_read(const struct json_at *root, bool verbs, const struct cell_schema *declared, struct cell_schema *s,
                     struct cell_error *e)
{
    struct reader r = {.s = s, .e = e, .declared = declared};
    int bad = read_types(&r, root);
    if (bad == CELL_OK)
        bad = read_entries(&r, root, "constants", sizeof(*s->constants), read_constant, &s->constants, &s->nconstants);
    if (bad == CELL_OK)
        bad = read_entries(&r, root, "methods", sizeof(*s->methods), read_method, &s->methods, &s->nmethods);
    if (bad == CELL_OK && verbs)
        bad = read_entries(&r, root, "verbs", sizeof(*s->verbs), read_verb, &s->verbs, &s->nverbs);
    if (bad == CELL_OK)
        bad = cell_capabilities_read(root, s, e);
    if (bad == CELL_OK && verbs)
        bad = cell_schema_read_functions(root, s, e);
    if (bad == CELL_OK && verbs)
        bad = check_ignored(&r, root);
    free(r.known);
    cell_schema_layout_methods(s);
    return bad;
}

int cell_schema_read_type(const struct json_at *at, const struct cell_schema *declared, struct cell_schema *s,
                          struct cell_error *e)
{
    struct reader r = {.s = s, .e = e, .declared = declared};
    struct schema_type *own = cell_arena_array(&s->arena, 1, sizeof(*own));
    int bad = own ? read_type_name(&r, at, own) : no_memory(&r);
    if (bad == CELL_OK)
        bad = join_types(&r, own, 1);
    if (bad == CELL_OK)
        bad = sort_types(&r, at->parent);
    if (bad == CELL_OK)
        bad = read_type(&r, at, &s->types[r.defined]);
    free(r.known);
    return bad;
}
