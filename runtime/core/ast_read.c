/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* JSON to functions: the document, its tables and signatures. Counts before anything else looks at what was read. */
#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/ast_impl.h"
#include "wire/limits.h"

struct ast_node *cell_ast_node(struct ast_reader *r, const struct json_at *at, enum ast_op op, int *status)
{
    struct cell_ast *doc = r->c->doc;
    if (doc->nodes >= r->c->limits.nodes) {
        cell_json_fail(at, NULL, r->c->e, "the functions have more than %u nodes", r->c->limits.nodes);
        *status = CELL_TOO_LARGE;
        return NULL;
    }
    doc->nodes++;
    struct ast_node *n = cell_arena_alloc(&doc->arena, sizeof(*n));
    if (!n) {
        *status = cell_ast_no_memory(r->c);
        return NULL;
    }
    n->op = op;
    n->at = (uint32_t)at->index;
    n->line = r->line;
    return n;
}

char *cell_ast_copy(struct ast_check *c, const char *text, int *status)
{
    char *copy = cell_arena_copy(&c->doc->arena, text, strlen(text));
    if (!copy)
        *status = cell_ast_no_memory(c);
    return copy;
}

int cell_ast_read_type(struct ast_check *c, const struct json_at *at, const char *text, struct schema_ref *use)
{
    char name[CELL_MAX_NAME + 1], quoted[CELL_QUOTE_SIZE];
    const size_t len = strcspn(text, "[");
    memset(use, 0, sizeof(*use));
    if (text[len] && !cell_use_bound(text + len, &use->count))
        return cell_json_fail(at, NULL, c->e, "'%s': the bound of an array is 1 to %u",
                              cell_json_quote(text, quoted, sizeof(quoted)), CELL_MAX_ARRAY);
    use->kind = cell_use_builtin(text, len);
    if (!use->kind && len < sizeof(name)) {
        memcpy(name, text, len);
        name[len] = '\0';
        use->named = cell_schema_type(c->doc->types, name);
        use->kind = use->named ? use->named->kind : (enum cell_kind)0;
    }
    if (!use->kind)
        return cell_json_fail(at, NULL, c->e, "unknown type '%s'", cell_json_quote(text, quoted, sizeof(quoted)));
    if (use->kind == CELL_KIND_BYTES || use->kind == CELL_KIND_LIST || use->kind == CELL_KIND_OPT)
        return cell_json_fail(at, NULL, c->e, "functions have no values of type '%s'",
                              cell_json_quote(text, quoted, sizeof(quoted)));
    return CELL_OK;
}

/* ---- literals ---- */

static int read_integer(struct ast_reader *r, const struct json_at *at, enum json_kind json, enum cell_kind kind,
                        struct ast_node *n)
{
    const unsigned width = cell_ast_width(kind);
    const bool is_signed = cell_ast_is_signed(kind);
    const uint64_t most =
        (is_signed ? UINT64_C(1) << (width - 1) : 0) - 1 + (is_signed || width == 64 ? 0 : UINT64_C(1) << width);
    uint64_t value = 0;
    bool negative = false, fits = true;
    if (json == JSON_IS_INTEGER) {
        negative = cell_json_integer_of(at) < 0;
        value = negative ? (uint64_t)0 - (uint64_t)cell_json_integer_of(at) : (uint64_t)cell_json_integer_of(at);
    } else {
        const char *text = json == JSON_IS_STRING ? cell_json_text_of(at) : "";
        negative = *text == '-';
        text += negative;
        fits = *text != '\0';
        for (; isdigit((unsigned char)*text); text++)
            if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
                __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
                fits = false;
        fits = fits && !*text;
    }
    if (!fits || value > most + (negative && is_signed) || (negative && !is_signed && value))
        return cell_json_fail(at, NULL, r->c->e, "no value of type %s", cell_kind_name(kind));
    n->bits = negative ? (uint64_t)0 - value : value;
    return CELL_OK;
}

/* Decimal or hexadecimal without white space, "inf" and "nan", each with a sign or without. */
static bool is_real(const char *text)
{
    text += *text == '-';
    if (strcmp(text, "inf") == 0 || strcmp(text, "nan") == 0)
        return true;
    const bool hex = text[0] == '0' && text[1] == 'x';
    const char *digits = hex ? "0123456789abcdef" : "0123456789";
    text += hex ? 2 : 0;
    size_t whole = strspn(text, digits), part = 0;
    text += whole;
    if (*text == '.') {
        part = strspn(text + 1, digits);
        text += part + 1;
    }
    if (!whole && !part)
        return false;
    if (*text != (hex ? 'p' : 'e'))
        return !*text;
    text += 1 + (text[1] == '+' || text[1] == '-');
    size_t exponent = strspn(text, "0123456789");
    return exponent >= 1 && exponent <= 4 && !text[exponent];
}

static int read_real(struct ast_reader *r, const struct json_at *at, enum json_kind json, enum cell_kind kind,
                     struct ast_node *n)
{
    const char *text = json == JSON_IS_STRING ? cell_json_text_of(at) : "";
    if (json == JSON_IS_INTEGER) {
        n->real = (double)cell_json_integer_of(at);
    } else if (is_real(text)) {
        locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        if (!c)
            return cell_ast_no_memory(r->c);
        n->real = kind == CELL_KIND_F32 ? (double)strtof_l(text, NULL, c) : strtod_l(text, NULL, c);
        freelocale(c);
    } else {
        return cell_json_fail(at, NULL, r->c->e, "no value of type %s", cell_kind_name(kind));
    }
    if (kind == CELL_KIND_F32)
        n->real = (double)(float)n->real;
    if (isinf(n->real) && !strstr(text, "inf"))
        return cell_json_fail(at, NULL, r->c->e, "the number is out of the range of %s", cell_kind_name(kind));
    return CELL_OK;
}

int cell_ast_read_value(struct ast_reader *r, const struct json_at *at, enum cell_kind kind, struct ast_node **node)
{
    const struct json_at *where = at;
    struct json_at element = {.parent = at->parent, .index = 0, .value = at->value, .status = at->status};
    int status = CELL_OK;
    enum json_kind json = JSON_IS_NULL;
    if (at->key) { /* {"f64": "1.5"}: the value is a member, and its place that of the object */
        struct json_at member;
        if ((status = cell_json_member(at->parent, at->key, &member, &json, r->c->e)) < 0)
            return status;
        where = at->parent;
    } else if ((status = cell_json_item(at->parent, at->index, &element, &json, r->c->e)) < 0) {
        return status;
    }
    struct ast_node *n = cell_ast_node(r, where, AST_INTEGER, &status);
    if (!n)
        return status;
    n->type.kind = kind;
    status = CELL_OK;
    if (kind == CELL_KIND_BOOL) {
        if (json != JSON_IS_BOOL)
            return cell_json_fail(at, NULL, r->c->e, "true or false is expected");
        n->bits = cell_json_bool_of(at);
    } else if (kind == CELL_KIND_STR) {
        if (json != JSON_IS_STRING)
            return cell_json_fail(at, NULL, r->c->e, "a string is expected");
        n->op = AST_STRING;
        n->text = cell_ast_copy(r->c, cell_json_text_of(at), &status);
        n->text_len = n->text ? strlen(n->text) : 0;
    } else if (cell_ast_is_float(kind)) {
        n->op = AST_REAL;
        status = read_real(r, at, json, kind, n);
    } else {
        status = read_integer(r, at, json, kind, n);
    }
    *node = n;
    return status;
}

/* ---- tables and functions ---- */

static int only_members(struct ast_check *c, const struct json_at *at, const char *const *known)
{
    char quoted[CELL_QUOTE_SIZE];
    void *iterator = NULL;
    for (const char *key; (key = cell_json_next(at, &iterator));) {
        const char *const *k = known;
        while (*k && strcmp(*k, key) != 0)
            k++;
        if (!*k)
            return cell_json_fail(at, NULL, c->e, "unknown member '%s'", cell_json_quote(key, quoted, sizeof(quoted)));
    }
    return CELL_OK;
}

/* A name that no function, table or type has yet. */
static int read_name(struct ast_check *c, const struct json_at *at, const char **name)
{
    const char *text = NULL;
    int r = cell_json_string(at, "name", JSON_REQUIRED, &text, c->e);
    if (r >= 0)
        r = cell_check_name(at, "name", text, NAME_C, c->e);
    if (r < 0)
        return r;
    bool taken = cell_ast_function(c->doc, text) || cell_schema_type(c->doc->types, text);
    for (uint32_t i = 0; i < c->doc->ntables; i++)
        taken = taken || strcmp(c->doc->tables[i].name, text) == 0;
    if (taken)
        return cell_json_fail(at, "name", c->e, "'%s' is there twice", text);
    *name = cell_ast_copy(c, text, &r);
    return *name ? CELL_OK : r;
}

static int read_text(struct ast_check *c, const struct json_at *at, const char *key, const char **text)
{
    const char *found = NULL;
    int r = cell_json_string(at, key, JSON_OPTIONAL, &found, c->e);
    if (r <= 0)
        return r;
    r = strcmp(key, "doc") == 0 ? cell_check_doc(at, found, c->e) : cell_check_text(at, key, found, false, c->e);
    if (r < 0)
        return r;
    *text = cell_ast_copy(c, found, &r);
    return *text ? CELL_OK : r;
}

static int read_type_member(struct ast_check *c, const struct json_at *at, const char *key, struct schema_ref *use)
{
    const char *text = NULL;
    int r = cell_json_string(at, key, JSON_REQUIRED, &text, c->e);
    const struct json_at member = {.parent = at, .key = key, .status = at->status};
    return r < 0 ? r : cell_ast_read_type(c, &member, text, use);
}

static int read_table(struct ast_check *c, const struct json_at *at, struct ast_table *t)
{
    static const char *const known[] = {"name", "type", "values", NULL};
    struct json_at values;
    struct ast_reader reader = {.c = c};
    int r = only_members(c, at, known);
    if (r == CELL_OK)
        r = read_name(c, at, &t->name);
    if (r == CELL_OK)
        r = read_type_member(c, at, "type", &t->type);
    if (r == CELL_OK && (r = cell_json_array(at, "values", JSON_REQUIRED, &values, c->e)) > 0)
        r = CELL_OK;
    if (r < 0)
        return r;
    if (!t->type.count || t->type.named)
        return cell_json_fail(at, "type", c->e, "a table is an array of numbers, bools or strings");
    if (cell_json_count(&values) != t->type.count)
        return cell_json_fail(&values, NULL, c->e, "%zu values for %u elements", cell_json_count(&values),
                              t->type.count);
    t->values = cell_arena_array(&c->doc->arena, t->type.count, sizeof(struct ast_node *));
    if (!t->values)
        return cell_ast_no_memory(c);
    for (uint32_t i = 0; i < t->type.count && r == CELL_OK; i++) {
        struct json_at item;
        enum json_kind kind;
        if ((r = cell_json_item(&values, i, &item, &kind, c->e)) > 0)
            r = cell_ast_read_value(&reader, &item, t->type.kind, &t->values[i]);
    }
    return r;
}

static int read_param(struct ast_check *c, const struct json_at *at, struct ast_param *p)
{
    static const char *const known[] = {"name", "type", "dir", "pointer", "doc", NULL};
    const char *name = NULL, *dir = "in";
    int r = only_members(c, at, known);
    if (r == CELL_OK)
        r = cell_json_string(at, "name", JSON_REQUIRED, &name, c->e);
    if (r >= 0)
        r = cell_check_name(at, "name", name, NAME_C, c->e);
    if (r >= 0 && !(p->name = cell_ast_copy(c, name, &r)))
        return r;
    if (r >= 0)
        r = read_type_member(c, at, "type", &p->type);
    if (r >= 0)
        r = read_text(c, at, "doc", &p->doc);
    if (r >= 0)
        r = cell_json_bool(at, "pointer", JSON_OPTIONAL, &p->pointer, c->e);
    if (r >= 0)
        r = cell_json_string(at, "dir", JSON_OPTIONAL, &dir, c->e);
    if (r < 0)
        return r;
    if (strcmp(dir, "in") != 0 && strcmp(dir, "out") != 0)
        return cell_json_fail(at, "dir", c->e, "\"in\" or \"out\" is expected");
    p->out = *dir == 'o';
    p->pointer = p->pointer || p->out || p->type.count;
    if (p->pointer && !p->out && !cell_ast_is_aggregate(&p->type))
        return cell_json_fail(at, "pointer", c->e, "only structs and arrays go in by pointer");
    return CELL_OK;
}

static int read_returns(struct ast_check *c, const struct json_at *at, struct ast_function *f)
{
    const char *returns = NULL, *fault = NULL;
    int r = cell_json_string(at, "returns", JSON_REQUIRED, &returns, c->e);
    f->fault = CELL_OUT_OF_RANGE;
    if (r < 0)
        return r;
    f->status = strcmp(returns, "status") == 0;
    if (!f->status && (r = read_type_member(c, at, "returns", &f->returns)) < 0)
        return r;
    if (f->returns.count)
        return cell_json_fail(at, "returns", c->e, "an array cannot be returned; it may be an output");
    r = cell_json_string(at, "fault", JSON_OPTIONAL, &fault, c->e);
    if (r <= 0)
        return r;
    f->fault = cell_ast_status_of(fault);
    if (!f->status || !f->fault)
        return cell_json_fail(at, "fault", c->e, f->status ? "unknown status" : "the function returns no status");
    return CELL_OK;
}

static int read_params(struct ast_check *c, const struct json_at *at, struct ast_function *f)
{
    struct json_at params = {0}, item;
    int r = cell_json_array(at, "params", JSON_OPTIONAL, &params, c->e);
    if (r < 0)
        return r;
    const size_t n = r ? cell_json_count(&params) : 0;
    if (n > CELL_MAX_PARAMS)
        return cell_json_fail(&params, NULL, c->e, "more than %u parameters", CELL_MAX_PARAMS);
    f->params = cell_arena_array(&c->doc->arena, n, sizeof(*f->params));
    if (!f->params)
        return cell_ast_no_memory(c);
    for (r = CELL_OK; f->nparams < n && r >= 0; f->nparams++)
        if ((r = cell_json_item_object(&params, f->nparams, &item, c->e)) > 0)
            r = read_param(c, &item, &f->params[f->nparams]);
    for (uint32_t i = 0; i < n && r >= 0; i++)
        if (f->params[i].out && !f->status) {
            cell_json_item_object(&params, i, &item, c->e);
            r = cell_json_fail(&item, "dir", c->e, "only a function that returns a status has outputs");
        }
    return r;
}

static int read_function(struct ast_check *c, const struct json_at *at, struct ast_function *f)
{
    static const char *const known[] = {"name",  "doc",    "file", "line", "renamed_from", "internal", "returns",
                                        "fault", "params", "body", NULL};
    struct json_at body;
    struct ast_reader reader = {.c = c};
    uint64_t line = 0;
    int r = only_members(c, at, known);
    if (r >= 0)
        r = read_name(c, at, &f->name);
    if (r >= 0)
        r = read_text(c, at, "doc", &f->doc);
    if (r >= 0)
        r = read_text(c, at, "file", &f->file);
    if (r >= 0)
        r = cell_json_uint(at, "line", JSON_OPTIONAL, 1, CELL_AST_MAX_LINE, &line, c->e);
    f->line = (uint32_t)line;
    if (r >= 0)
        r = read_text(c, at, "renamed_from", &f->renamed_from);
    if (r >= 0 && f->renamed_from)
        r = cell_check_name(at, "renamed_from", f->renamed_from, NAME_WORD, c->e);
    if (r >= 0)
        r = cell_json_bool(at, "internal", JSON_OPTIONAL, &f->internal, c->e);
    if (r >= 0 && !f->internal) /* the names of others begin with the document's own */
        r = cell_check_name(at, "name", f->name, NAME_FUNCTION, c->e);
    if (r >= 0)
        r = read_returns(c, at, f);
    if (r >= 0)
        r = read_params(c, at, f);
    if (r >= 0)
        r = cell_json_array(at, "body", JSON_REQUIRED, &body, c->e);
    return r < 0 ? r : cell_ast_read_block(&reader, &body, 1, &f->body);
}

static int read_all(struct ast_check *c, const struct json_at *object)
{
    struct json_at tables = {0}, functions = {0}, item;
    int r = cell_json_array(object, "tables", JSON_OPTIONAL, &tables, c->e);
    if (r >= 0)
        r = cell_json_array(object, "functions", JSON_OPTIONAL, &functions, c->e);
    if (r < 0)
        return r;
    const size_t ntables = tables.value ? cell_json_count(&tables) : 0;
    const size_t n = functions.value ? cell_json_count(&functions) : 0;
    c->doc->tables = cell_arena_array(&c->doc->arena, ntables, sizeof(*c->doc->tables));
    c->doc->functions = cell_arena_array(&c->doc->arena, n, sizeof(*c->doc->functions));
    if (!c->doc->tables || !c->doc->functions)
        return cell_ast_no_memory(c);
    for (size_t i = 0; i < ntables; i++, c->doc->ntables++)
        if ((r = cell_json_item_object(&tables, i, &item, c->e)) < 0 ||
            (r = read_table(c, &item, &c->doc->tables[i])) < 0)
            return r;
    for (size_t i = 0; i < n; i++, c->doc->nfunctions++)
        if ((r = cell_json_item_object(&functions, i, &item, c->e)) < 0 ||
            (r = read_function(c, &item, &c->doc->functions[i])) < 0)
            return r;
    return CELL_OK;
}

static struct ast_limits complete(const struct ast_limits *given)
{
    struct ast_limits l = given ? *given : (struct ast_limits){0};
    l.bytes = l.bytes ? l.bytes : CELL_AST_MAX_BYTES;
    l.nodes = l.nodes ? l.nodes : CELL_AST_MAX_NODES;
    l.depth = l.depth ? l.depth : CELL_AST_MAX_DEPTH;
    l.variables = l.variables ? l.variables : CELL_AST_MAX_VARIABLES;
    l.locals = l.locals ? l.locals : CELL_AST_MAX_LOCALS;
    l.stack = l.stack ? l.stack : CELL_AST_MAX_STACK;
    l.cost = l.cost ? l.cost : CELL_AST_MAX_COST;
    return l;
}

int cell_ast_read(const struct json_at *object, const struct cell_schema *types, const struct ast_limits *limits,
                  struct cell_ast **doc, struct cell_error *e)
{
    struct ast_check c = {
        .doc = calloc(1, sizeof(struct cell_ast)), .limits = complete(limits), .status = object->status, .e = e};
    if (!c.doc)
        return cell_ast_no_memory(&c);
    c.doc->types = types;
    int r = read_all(&c, object);
    if (r >= 0)
        r = cell_ast_verify(&c);
    if (r >= 0)
        r = cell_ast_flow(&c);
    if (r >= 0)
        *doc = c.doc;
    else
        cell_ast_free(c.doc);
    if (r == CELL_TOO_LARGE && e)
        e->status = r;
    return r < 0 ? r : CELL_OK;
}

static int read_of_schema(const struct json_at *root, const struct cell_schema *s, const struct ast_limits *limits,
                          struct cell_ast **doc, struct cell_error *e)
{
    static const char *const known[] = {"cell.ast", "tables", "functions", NULL};
    struct ast_check c = {.e = e};
    uint64_t version = 0;
    int r = cell_json_uint(root, "cell.ast", JSON_REQUIRED, 1, 1, &version, e);
    if (r >= 0)
        r = only_members(&c, root, known);
    return r < 0 ? r : cell_ast_read(root, s, limits, doc, e);
}

int cell_ast_of_schema(const struct cell_schema *s, const struct ast_limits *limits, struct cell_ast **doc,
                       struct cell_error *e)
{
    struct cell_json json = {0};
    *doc = NULL;
    if (!s->functions)
        return CELL_OK;
    if (s->functions_len > complete(limits).bytes)
        return cell_error_set(e, CELL_TOO_LARGE, "%zu bytes of functions, %u is the limit", s->functions_len,
                              complete(limits).bytes);
    int r = cell_json_load(s->functions, s->functions_len, CELL_PROTOCOL_ERROR, &json, e);
    if (r >= 0)
        r = read_of_schema(&json.root, s, limits, doc, e);
    cell_json_free(&json);
    return r < 0 ? r : CELL_OK;
}

static int parse_root(const struct json_at *root, const struct ast_limits *limits, struct cell_ast **doc,
                      struct cell_error *e)
{
    static const char *const known[] = {"cell.ast", "types", "tables", "functions", NULL};
    struct ast_check c = {.e = e};
    uint64_t version = 0;
    int r = cell_json_uint(root, "cell.ast", JSON_REQUIRED, 1, 1, &version, e);
    if (r >= 0)
        r = only_members(&c, root, known);
    if (r < 0)
        return r;
    struct cell_schema *own = cell_schema_new();
    if (!own)
        return cell_ast_no_memory(&c);
    r = cell_schema_read(root, false, NULL, own, e);
    if (r >= 0)
        r = cell_schema_check(own, SCHEMA_OF_EXPANSION, root->status, e);
    if (r >= 0)
        r = cell_schema_index(own, e);
    if (r >= 0)
        r = cell_ast_read(root, own, limits, doc, e);
    if (r >= 0)
        (*doc)->own = own;
    else
        cell_schema_free(own);
    return r;
}

int cell_ast_parse(const char *json, size_t len, const struct ast_limits *limits, struct cell_ast **doc,
                   struct cell_error *e)
{
    const uint32_t most = complete(limits).bytes;
    struct cell_json root = {0};
    if (len > most)
        return cell_error_set(e, CELL_TOO_LARGE, "%zu bytes of functions, %u is the limit", len, most);
    int r = cell_json_load(json, len, CELL_PROTOCOL_ERROR, &root, e);
    if (r >= 0)
        r = parse_root(&root.root, limits, doc, e);
    cell_json_free(&root);
    return r;
}
