/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "declare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/document.h"
#include "words.h"

void sc_say(struct sc_declared *declared, const char *severity, const char *field, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    document_say(declared->diagnostics, &declared->failed, severity, field, format, args);
    va_end(args);
}

/* ---- fields ---- */

static const char *first_argument(const json_t *rule)
{
    const char *text = json_string_value(json_array_get(json_object_get(rule, "args"), 0));

    return text ? text : "";
}

/* The type with builtin types only; "" for what is a struct or a list. */
static void plain_type(const json_t *types, const char *written, char plain[96])
{
    char base[160];
    const char *bracket = strchr(written, '[');

    snprintf(base, sizeof(base), "%.*s", bracket ? (int)(bracket - written) : (int)strlen(written), written);
    const json_t *entry = document_find(types, "name", base);
    const char *kind = document_text(entry, "kind");
    if (!entry) {
        snprintf(plain, 96, "%.95s", written);
    } else if (strcmp(kind, "enum") == 0) {
        snprintf(plain, 96, "%.40s%.40s", document_text(entry, "type"), bracket ? bracket : "");
    } else if (strcmp(kind, "opt") == 0) {
        char of[96];
        plain_type(types, document_text(entry, "of"), of);
        snprintf(plain, 96, "opt<%.80s>", of);
    } else {
        plain[0] = '\0';
    }
}

static void add_text(struct sc_declared *d, const json_t *from, json_t *field, bool keyword)
{
    const char *name = document_text(from, "name");
    const json_t *weight = document_rule(from, "weight");
    char *end;
    double value = weight ? strtod(first_argument(weight), &end) : 1;

    json_object_set_new(field, "as", json_string(keyword ? "keyword" : "text"));
    if (!keyword)
        json_object_set_new(field, "weight", json_real(value));
    if (weight && keyword)
        sc_say(d, "error", name, "'%s' is compared as a whole, and has no weight", name);
    else if (weight && (*end || end == first_argument(weight) || !(value > 0 && value <= 1e6)))
        sc_say(d, "error", name, "the weight of '%s' is a number greater than 0, and at most 1000000", name);
}

static void add_vector(struct sc_declared *d, const json_t *from, json_t *field, const struct sc_type *type)
{
    const char *name = document_text(from, "name"), *metric = first_argument(document_rule(from, "vector"));
    enum search_metric ignored;

    json_object_set_new(field, "as", json_string("vector"));
    json_object_set_new(field, "metric", json_string(metric));
    if (!sc_metric_parse(metric, &ignored))
        sc_say(d, "error", name, "'%s' is no way to compare vectors: cosine, inner_product or l2", metric);
    if (type->count > SEARCH_MOST_DIMENSIONS)
        sc_say(d, "error", name, "'%s' has more than %d dimensions", name, SEARCH_MOST_DIMENSIONS);
}

/* What the field is in the index; false: it is not in it, or there is an error. */
static bool make_field(struct sc_declared *d, const json_t *from, const struct sc_type *type, bool good, json_t *field)
{
    const char *name = document_text(from, "name");
    bool key = document_rule(from, "key") != NULL, vector = document_rule(from, "vector") != NULL;
    bool string = good && type->shape != SC_ARRAY && type->kind == CELL_KIND_STR;
    bool floats = good && type->shape == SC_ARRAY && type->kind == CELL_KIND_F32;

    if (vector && !floats)
        sc_say(d, "error", name, "CELL_VECTOR stands behind an array of float");
    else if (floats && !vector)
        sc_say(d, "error", name, "'%s' needs how it is compared: CELL_VECTOR(cosine), (inner_product) or (l2)", name);
    else if ((document_rule(from, "keyword") || document_rule(from, "weight")) && !string)
        sc_say(d, "error", name, "%s stands behind a cell_str",
               document_rule(from, "weight") ? "CELL_WEIGHT" : "CELL_KEYWORD");
    else if (floats)
        add_vector(d, from, field, type);
    else if (string)
        add_text(d, from, field, key || document_rule(from, "keyword"));
    else if (good && sc_type_is_integer(type) && type->shape != SC_ARRAY)
        json_object_set_new(field, "as", json_string("integer"));
    else if (good && type->kind == CELL_KIND_BOOL && type->shape != SC_ARRAY)
        json_object_set_new(field, "as", json_string("bool"));
    else if (good && (type->kind == CELL_KIND_F32 || type->kind == CELL_KIND_F64) && type->shape != SC_ARRAY)
        json_object_set_new(field, "as", json_string("real"));
    else if (!key || !good)
        sc_say(d, "error", name,
               "'%s' cannot be indexed: an index has cell_str, numbers, bool, optionals of these, and arrays of float",
               name);
    return !d->failed && json_object_get(field, "as");
}

static bool may_be_key(const struct sc_type *type)
{
    return type->shape == SC_PLAIN || (type->shape == SC_ARRAY && type->kind == CELL_KIND_U8);
}

static void read_field(struct sc_declared *d, const json_t *types, const json_t *from, bool vectors)
{
    const char *name = document_text(from, "name");
    char plain[96];
    struct sc_type type = {0};

    plain_type(types, document_text(from, "type"), plain);
    bool good = sc_type_parse(plain, &type);
    json_t *field = json_pack("{ss, ss}", "name", name, "type", plain);
    json_array_append(d->seen, field);
    if (document_rule(from, "key") && good && may_be_key(&type))
        json_array_append(d->own_key, field);
    else if (document_rule(from, "key"))
        sc_say(d, "error", name, "'%s' cannot be part of a key", name);
    json_t *indexed = json_copy(field);
    if (make_field(d, from, &type, good, indexed) && (vectors || strcmp(document_text(indexed, "as"), "vector") != 0))
        json_array_append(json_object_get(d->definition, "fields"), indexed);
    json_decref(indexed);
    json_decref(field);
}

/* ---- the annotation ---- */

static void read_names(struct sc_declared *d, const char *source)
{
    const char *point = strchr(source, '.');

    if (!document_is_identifier(d->name, strlen(d->name), SC_MOST_NAME))
        sc_say(d, "error", "name",
               "'%s' cannot be the name of an index, which functions are called after: it is an identifier of at most "
               "%d bytes",
               d->name, SC_MOST_NAME);
    if (!point || !document_is_identifier(source, (size_t)(point - source), SC_MOST_NAME) ||
        !document_is_identifier(point + 1, strlen(point + 1), SC_MOST_NAME)) {
        sc_say(d, "error", "source", "'%s' is no source: it is a cell and a collection of it, store.articles", source);
        return;
    }
    snprintf(d->source, sizeof(d->source), "%.*s", (int)(point - source), source);
    snprintf(d->collection, sizeof(d->collection), "%s", point + 1);
    if (strcmp(d->source, "search") == 0)
        sc_say(d, "error", "source", "an index cannot have another index as its source: it would follow itself");
}

static void read_stop_words(struct sc_declared *d, const char *text)
{
    struct search_failure f;
    char *folded = NULL;

    if (!text || !*text)
        return;
    if (search_stop_words(text, &folded, &f) < 0)
        sc_say(d, "error", "stop_words", "%s", f.text);
    else if (*folded)
        json_object_set_new(d->definition, "stop_words", json_string(folded));
    free(folded);
}

static void read_annotation(struct sc_declared *d, const json_t *args)
{
    const char *language = json_string_value(json_array_get(args, 2)),
               *all = json_string_value(json_array_get(args, 3));

    language = language ? language : SEARCH_NO_LANGUAGE;
    if (!search_language_is_known(language))
        sc_say(d, "error", "language", "words are not known in the language '%s'", language);
    json_object_set_new(d->definition, "language", json_string(language));
    json_object_set_new(d->definition, "all_words", json_boolean(all && strcmp(all, "0") != 0));
    read_stop_words(d, json_string_value(json_array_get(args, 4)));
}

int sc_declare(const json_t *request, bool vectors, struct sc_declared *declared, struct search_failure *f)
{
    const json_t *args = json_object_get(json_object_get(request, "annotation"), "args");
    const json_t *declaration = json_object_get(request, "declaration"), *type = json_object_get(declaration, "type");
    const char *source = json_string_value(json_array_get(args, 1));
    struct sc_declared d = {.declaration = declaration,
                            .definition = json_pack("{s[], s[]}", "key", "fields"),
                            .own_key = json_array(),
                            .seen = json_array(),
                            .diagnostics = json_array()};
    json_t *field;
    size_t i;

    d.name = json_string_value(json_array_get(args, 0));
    d.tag = json_string_value(json_object_get(declaration, "name"));
    if (!d.name || !source || !json_is_object(type)) {
        sc_declared_free(&d);
        return search_fail(f, CELL_INVALID_ARGUMENT, "the request declares no index");
    }
    if (!d.tag)
        sc_say(&d, "error", NULL, "the struct needs a tag");
    read_names(&d, source);
    read_annotation(&d, args);
    json_object_set_new(d.definition, "name", json_string(d.name));
    json_object_set_new(d.definition, "source", json_string(d.source));
    json_object_set_new(d.definition, "collection", json_string(d.collection));
    json_array_foreach(json_object_get(type, "fields"), i, field)
        read_field(&d, json_object_get(declaration, "types"), field, vectors);
    size_t n = json_array_size(json_object_get(d.definition, "fields"));
    if (!d.failed && (n == 0 || n > SEARCH_MOST_FIELDS))
        sc_say(&d, "error", NULL, n ? "an index has at most %d fields" : "an index needs a field to look for",
               SEARCH_MOST_FIELDS);
    *declared = d;
    return CELL_OK;
}

void sc_declared_free(struct sc_declared *declared)
{
    json_decref(declared->definition);
    json_decref(declared->own_key);
    json_decref(declared->seen);
    json_decref(declared->diagnostics);
    *declared = (struct sc_declared){0};
}

/* ---- against the source ---- */

/* How many letters have to be changed, taken out or put in; for names up to 31. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[32];
    size_t n = strlen(a), m = strlen(b);

    if (n > 31 || m > 31)
        return 99;
    for (size_t k = 0; k <= m; k++)
        row[k] = (unsigned)k;
    for (size_t i = 1; i <= n; i++) {
        unsigned corner = row[0];
        row[0] = (unsigned)i;
        for (size_t k = 1; k <= m; k++) {
            unsigned up = row[k], best = corner + (a[i - 1] != b[k - 1]);
            best = row[k - 1] + 1 < best ? row[k - 1] + 1 : best;
            row[k] = up + 1 < best ? up + 1 : best;
            corner = up;
        }
    }
    return row[m];
}

static const char *meant(const struct sc_source_status *status, const char *name)
{
    const char *best = NULL;
    unsigned least = 3;

    for (size_t i = 0; i < status->nfields; i++) {
        unsigned d = distance(name, status->fields[i].name);
        if (d < least) {
            least = d;
            best = status->fields[i].name;
        }
    }
    return best;
}

static void check_field(struct sc_declared *d, const json_t *field, const struct sc_source_status *status,
                        const struct sc_definition *known)
{
    const char *name = document_text(field, "name"), *type = document_text(field, "type");
    const struct sc_source_field *is = sc_source_find(status, name);
    const char *other = is ? NULL : meant(status, name);

    if (!is && known && sc_definition_field(known, name) != UINT32_MAX)
        sc_say(d, "error", name, "Field '%s' no longer exists in %s.%s%s%s%s", name, d->source, d->collection,
               other ? "; did you mean '" : "", other ? other : "", other ? "'?" : "");
    else if (!is)
        sc_say(d, "error", name, "%s.%s has no field '%s'%s%s%s", d->source, d->collection, name,
               other ? "; did you mean '" : "", other ? other : "", other ? "'?" : "");
    else if (strcmp(is->type, type) != 0)
        sc_say(d, "error", name, "field '%s' has type %s here, and %s in %s.%s", name, type, is->type, d->source,
               d->collection);
    else if (document_find(d->own_key, "name", name) && !is->key)
        sc_say(d, "error", name, "'%s' is not in the key of %s.%s", name, d->source, d->collection);
}

void sc_declare_check(struct sc_declared *declared, const struct sc_source_status *status,
                      const struct sc_definition *known)
{
    json_t *key = json_object_get(declared->definition, "key"), *field;
    size_t i;

    json_array_foreach(declared->seen, i, field) check_field(declared, field, status, known);
    for (i = 0; i < status->nfields; i++)
        if (status->fields[i].key)
            json_array_append_new(
                key, json_pack("{ss, ss}", "name", status->fields[i].name, "type", status->fields[i].type));
    if (!declared->failed && json_array_size(key) < 1)
        sc_say(declared, "error", NULL,
               "%s.%s has no key by which it could be followed; 'cell call %s.%s_status' tells more", declared->source,
               declared->collection, declared->source, declared->source);
    if (!declared->failed && json_array_size(declared->own_key) > 0 &&
        json_array_size(declared->own_key) != json_array_size(key))
        sc_say(declared, "error", NULL, "the key of %s.%s has %zu fields, and %zu here have CELL_KEY", declared->source,
               declared->collection, json_array_size(key), json_array_size(declared->own_key));
    if (!declared->failed && json_array_size(key) > SC_MOST_KEYS)
        sc_say(declared, "error", NULL, "%s.%s has a key that an index cannot have", declared->source,
               declared->collection);
}
