/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* https://spec.openapis.org/oas/v3.0.3. Names of a schema are identifiers, so only texts need escaping. */
#include "core/openapi.h"

#include <stdio.h>
#include <string.h>

#include "core/rule.h"
#include "core/value.h"

static void put_doc(struct cell_buffer *out, const char *key, const char *doc)
{
    if (!doc || !doc[0])
        return;
    cell_buffer_printf(out, ",\"%s\":", key);
    cell_value_put_text(out, doc, strlen(doc));
}

/* ---- types ---- */

struct range {
    const char *min, *max;
};

static void put_integer(struct cell_buffer *out, enum cell_kind kind)
{
    static const struct range ranges[] = {
        [CELL_KIND_I8] = {"-128", "127"},
        [CELL_KIND_U8] = {"0", "255"},
        [CELL_KIND_I16] = {"-32768", "32767"},
        [CELL_KIND_U16] = {"0", "65535"},
        [CELL_KIND_I32] = {"-2147483648", "2147483647"},
        [CELL_KIND_U32] = {"0", "4294967295"},
        [CELL_KIND_I64] = {"-9223372036854775808", "9223372036854775807"},
        [CELL_KIND_U64] = {"0", "18446744073709551615"},
    };
    bool wide = kind == CELL_KIND_I64 || kind == CELL_KIND_U64 || kind == CELL_KIND_U32;
    cell_buffer_printf(out, "{\"type\":\"integer\",\"format\":\"%s\",\"minimum\":%s,\"maximum\":%s}",
                       wide ? "int64" : "int32", ranges[kind].min, ranges[kind].max);
}

static void put_builtin(struct cell_buffer *out, enum cell_kind kind)
{
    switch (kind) {
    case CELL_KIND_BOOL:
        cell_buffer_puts(out, "{\"type\":\"boolean\"}");
        break;
    case CELL_KIND_F32:
    case CELL_KIND_F64: /* JSON has no number for these */
        cell_buffer_printf(out,
                           "{\"oneOf\":[{\"type\":\"number\",\"format\":\"%s\"},"
                           "{\"type\":\"string\",\"enum\":[\"NaN\",\"Infinity\",\"-Infinity\"]}]}",
                           kind == CELL_KIND_F32 ? "float" : "double");
        break;
    case CELL_KIND_STR:
        cell_buffer_puts(out, "{\"type\":\"string\"}");
        break;
    case CELL_KIND_BYTES:
        cell_buffer_puts(out, "{\"type\":\"string\",\"pattern\":\"^(hex:([0-9a-f]{2})*|base64:.*)$\"}");
        break;
    default:
        put_integer(out, kind);
    }
}

static void put_element(struct cell_buffer *out, const struct schema_ref *ref)
{
    if (ref->named)
        cell_buffer_printf(out, "{\"$ref\":\"#/components/schemas/%s\"}", ref->named->name);
    else
        put_builtin(out, ref->kind);
}

static void put_list(struct cell_buffer *out, const struct schema_ref *elem)
{
    cell_buffer_puts(out, "{\"type\":\"array\",\"items\":");
    put_element(out, elem);
    cell_buffer_puts(out, "}");
}

static void put_optional(struct cell_buffer *out, const struct schema_ref *elem)
{
    cell_buffer_puts(out, "{\"nullable\":true,\"allOf\":[");
    put_element(out, elem);
    cell_buffer_puts(out, "]}");
}

static void put_ref(struct cell_buffer *out, const struct schema_ref *ref)
{
    const struct schema_ref elem = {.kind = ref->elem};
    if (ref->count && ref->kind == CELL_KIND_U8) {
        cell_buffer_printf(out, "{\"type\":\"string\",\"description\":\"%u bytes, hex: or base64:\"}", ref->count);
    } else if (ref->count) {
        const struct schema_ref one = {ref->kind, ref->elem, ref->named, 0};
        cell_buffer_printf(out, "{\"type\":\"array\",\"minItems\":%u,\"maxItems\":%u,\"items\":", ref->count,
                           ref->count);
        put_element(out, &one);
        cell_buffer_puts(out, "}");
    } else if (!ref->named && ref->kind == CELL_KIND_LIST) {
        put_list(out, &elem);
    } else if (!ref->named && ref->kind == CELL_KIND_OPT) {
        put_optional(out, &elem);
    } else {
        put_element(out, ref);
    }
}

/* ---- rules ---- */

static void put_bounds(struct cell_buffer *out, const struct schema_rule *rule, const char *low, const char *high)
{
    cell_buffer_printf(out, "\"%s\":%s,\"%s\":%s", low, rule->args[0], high, rule->args[1]);
}

/* What JSON Schema has for a rule of the value itself, or of a list's length; nothing for lengths of bytes, which are
 * encoded. */
static void put_rule(struct cell_buffer *out, const struct schema_field *f, const struct schema_rule *rule)
{
    const enum cell_rule_kind kind = cell_rule_named(rule->name);
    const uint32_t value = cell_rule_value_kind(&f->type, kind);
    if (kind == CELL_RULE_SIGNED)
        put_bounds(out, rule, "minimum", "maximum");
    else if (kind == CELL_RULE_LENGTH && value != CELL_KIND_BYTES)
        put_bounds(out, rule, value == CELL_KIND_STR ? "minLength" : "minItems",
                   value == CELL_KIND_STR ? "maxLength" : "maxItems");
    if (kind == CELL_RULE_FUNCTION)
        cell_buffer_printf(out, "\"x-rule\":\"%s\"", rule->args[0]);
    if (kind != CELL_RULE_PATTERN)
        return;
    struct cell_buffer whole = {0}; /* theirs need not match all of a text */
    cell_buffer_printf(&whole, "^(?:%s)$", rule->args[0]);
    cell_buffer_puts(out, "\"pattern\":");
    if (cell_buffer_ok(&whole))
        cell_value_put_text(out, whole.data, whole.len);
    out->failed |= whole.failed;
    cell_buffer_free(&whole);
}

/* What programs are told when they break a rule. */
static void put_told(struct cell_buffer *out, const struct schema_field *f)
{
    struct cell_buffer text = {0};
    cell_buffer_puts(&text, "going in: ");
    for (uint32_t i = 0, n = 0; i < f->nrules; i++) {
        const struct schema_rule *rule = &f->rules[i];
        const enum cell_rule_kind kind = cell_rule_named(rule->name);
        if (kind == CELL_RULE_END)
            continue;
        cell_buffer_puts(&text, n++ ? "; " : "");
        if (rule->message)
            cell_buffer_puts(&text, rule->message);
        else if (rule->nargs == 1)
            cell_buffer_printf(&text, "%s %s", rule->name, rule->args[0]);
        else
            cell_buffer_printf(&text, "%s %s to %s", rule->name, rule->args[0], rule->args[1]);
    }
    if (cell_buffer_ok(&text))
        put_doc(out, "description", text.data);
    out->failed |= text.failed;
    cell_buffer_free(&text);
}

/* A property; beside a reference nothing else counts, so that rules stand in an allOf. What rules ask for holds for
 * `parameters` that go in; a struct is described once, and may come out as well, which nobody checks. */
static void put_property(struct cell_buffer *out, const struct schema_field *f, bool parameters)
{
    bool any = false;
    for (uint32_t i = 0; i < f->nrules; i++)
        any |= cell_rule_named(f->rules[i].name) != CELL_RULE_END;
    if (!any) {
        put_ref(out, &f->type);
        return;
    }
    cell_buffer_puts(out, "{\"allOf\":[");
    put_ref(out, &f->type);
    for (uint32_t i = 0; parameters && i < f->nrules; i++) {
        const enum cell_rule_kind kind = cell_rule_named(f->rules[i].name);
        const bool list = f->type.count || f->type.kind == CELL_KIND_LIST;
        const bool elements = list && cell_rule_value_kind(&f->type, kind) != CELL_KIND_LIST;
        if (kind == CELL_RULE_END)
            continue;
        cell_buffer_puts(out, elements ? ",{\"items\":{" : ",{");
        put_rule(out, f, &f->rules[i]);
        cell_buffer_puts(out, elements ? "}}" : "}");
    }
    cell_buffer_puts(out, "]");
    put_told(out, f);
    cell_buffer_puts(out, "}");
}

static bool is_optional(const struct schema_ref *ref) { return ref->kind == CELL_KIND_OPT && !ref->count; }

/* An object of those of the fields that `wanted` says; those that may be left out are not required. */
static void put_object(struct cell_buffer *out, const struct schema_field *fields, uint32_t n,
                       bool (*wanted)(const struct schema_field *f), bool optional, const char *doc)
{
    unsigned all = 0, required = 0;
    cell_buffer_puts(out, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (uint32_t i = 0; i < n; i++) {
        if (wanted && !wanted(&fields[i]))
            continue;
        cell_buffer_printf(out, "%s\"%s\":", all++ ? "," : "", fields[i].name);
        put_property(out, &fields[i], wanted == cell_param_goes_in);
    }
    cell_buffer_puts(out, "}");
    for (uint32_t i = 0; i < n; i++)
        if ((!wanted || wanted(&fields[i])) && !(optional && is_optional(&fields[i].type)))
            cell_buffer_printf(out, "%s\"%s\"", required++ ? "," : ",\"required\":[", fields[i].name);
    if (required)
        cell_buffer_puts(out, "]");
    put_doc(out, "description", doc);
    cell_buffer_puts(out, "}");
}

static void put_enum(struct cell_buffer *out, const struct schema_type *t)
{
    cell_buffer_puts(out, "{\"type\":\"string\",\"enum\":[");
    for (uint32_t i = 0; i < t->nvalues; i++)
        cell_buffer_printf(out, "%s\"%s\"", i ? "," : "", t->values[i].name);
    cell_buffer_puts(out, "]");
    put_doc(out, "description", t->doc);
    cell_buffer_puts(out, "}");
}

static void put_types(struct cell_buffer *out, const struct cell_schema *s)
{
    for (uint32_t i = 0; i < s->ntypes; i++) {
        const struct schema_type *t = &s->types[i];
        cell_buffer_printf(out, "\"%s\":", t->name);
        if (t->kind == CELL_KIND_STRUCT)
            put_object(out, t->fields, t->nfields, NULL, true, t->doc);
        else if (t->kind == CELL_KIND_ENUM)
            put_enum(out, t);
        else if (t->kind == CELL_KIND_LIST)
            put_list(out, &t->elem);
        else
            put_optional(out, &t->elem);
        cell_buffer_puts(out, ",");
    }
}

/* ---- paths ---- */

#define CONTENT(schema) "\"content\":{\"application/json\":{\"schema\":" schema "}}"
#define FAILURE "\"default\":{\"$ref\":\"#/components/responses/failure\"}"
#define DOCUMENT "{\"type\":\"object\"}"

static void put_reply(struct cell_buffer *out, const struct schema_method *m)
{
    cell_buffer_puts(out, "{\"type\":\"object\",\"required\":[\"result\",\"out\"],\"properties\":{\"result\":"
                          "{\"type\":\"integer\",\"minimum\":0},\"out\":");
    put_object(out, m->params, m->nparams, cell_param_comes_out, false, NULL);
    cell_buffer_puts(out, ",\"metadata\":{\"$ref\":\"#/components/schemas/Metadata\"}}}");
}

static void put_content(struct cell_buffer *out, const struct schema_method *m)
{
    cell_buffer_puts(out,
                     "{\"description\":\"what the method returns\",\"content\":{\"application/json\":{\"schema\":");
    put_reply(out, m);
    cell_buffer_puts(out, "}}}");
}

/* What one line of the answer is; OpenAPI has no word for lines. */
static void put_lines(struct cell_buffer *out, const struct schema_method *m)
{
    const struct schema_field *stream = cell_schema_stream(m);
    cell_buffer_puts(out,
                     "{\"description\":\"lines, each a JSON document: records as they come, and at the end what the "
                     "method returns, or why not; lines may be empty\",\"content\":{\"application/x-ndjson\":"
                     "{\"schema\":{\"oneOf\":[{\"type\":\"object\",\"required\":[\"records\"],\"properties\":"
                     "{\"records\":{\"type\":\"array\",\"minItems\":1,\"items\":");
    put_ref(out, &stream->type);
    cell_buffer_puts(out, "}}},");
    put_reply(out, m);
    cell_buffer_puts(out, ",{\"$ref\":\"#/components/schemas/Failure\"}]}}}}");
}

static void put_call(struct cell_buffer *out, const struct schema_method *m)
{
    cell_buffer_printf(out, ",\"/v1/call/%s\":{\"post\":{\"operationId\":\"%s\"", m->name, m->name);
    put_doc(out, "description", m->doc);
    if (m->idempotent)
        cell_buffer_puts(out, ",\"x-idempotent\":true");
    cell_buffer_puts(out, ",\"parameters\":[{\"$ref\":\"#/components/parameters/timeout\"}],\"requestBody\":"
                          "{\"required\":true,\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\","
                          "\"properties\":{\"in\":");
    put_object(out, m->params, m->nparams, cell_param_goes_in, true, NULL);
    cell_buffer_puts(out, ",\"metadata\":{\"$ref\":\"#/components/schemas/Metadata\"}}}}}},\"responses\":{\"200\":");
    if (cell_schema_stream(m))
        put_lines(out, m);
    else
        put_content(out, m);
    cell_buffer_puts(out, "," FAILURE "}}}");
}

static void put_get(struct cell_buffer *out, const char *path, const char *id, const char *what)
{
    cell_buffer_printf(
        out,
        ",\"%s\":{\"get\":{\"operationId\":\"%s\",\"responses\":{\"200\":{\"description\":\"%s\"," CONTENT(
            DOCUMENT) "}," FAILURE "}}}",
        path, id, what);
}

static void put_post(struct cell_buffer *out, const char *path, const char *id, const char *verb, const char *what)
{
    cell_buffer_printf(out,
                       ",\"%s\":{\"%s\":{\"operationId\":\"%s\",\"requestBody\":{\"required\":true," CONTENT(
                           DOCUMENT) "},\"responses\":{\"200\":{\"description\":\"%s\"," CONTENT(DOCUMENT) "}," FAILURE
                                                                                                           "}}}",
                       path, verb, id, what);
}

/* What every cell has; those names cannot be methods of one, which are no identifiers of that form. */
static void put_common_paths(struct cell_buffer *out)
{
    cell_buffer_puts(out,
                     "\"/v1/cell\":{\"get\":{\"operationId\":\"cell.who\",\"responses\":{\"200\":{\"description\":"
                     "\"which cell this is, and the fingerprint of its schema\"," CONTENT(DOCUMENT) "}," FAILURE "}}}");
    put_get(out, "/v1/schema", "cell.schema", "the schema, cell.schema/1, signed by Cell-Signature");
    put_get(out, "/v1/health", "cell.health", "the state of the process");
    put_get(out, "/v1/metrics", "cell.metrics", "its counters");
    put_post(out, "/v1/expand", "cell.expand", "post", "an expansion document, cell.expansion/1");
    put_post(out, "/v1/state", "cell.state", "post", "what expansions depend on, as a token");
    put_post(out, "/v1/apply", "cell.apply", "post", "what was carried out");
    put_post(out, "/v1/client", "cell.client", "put", "how many methods of the client's schema are refused");
}

static const char components_end[] =
    "\"Metadata\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}},"
    "\"Failure\":{\"type\":\"object\",\"required\":[\"error\"],\"properties\":{\"error\":{\"type\":\"object\","
    "\"required\":[\"status\",\"code\",\"message\"],\"properties\":{\"status\":{\"type\":\"string\"},\"code\":"
    "{\"type\":\"integer\",\"maximum\":-1},\"message\":{\"type\":\"string\"},\"details\":"
    "{\"$ref\":\"#/components/schemas/Metadata\"}}},\"metadata\":{\"$ref\":\"#/components/schemas/Metadata\"}}}},"
    "\"responses\":{\"failure\":{\"description\":\"why not\"," CONTENT(
        "{\"$ref\":\"#/components/schemas/Failure\"}") "}},"
                                                       "\"parameters\":{\"timeout\":{\"name\":\"Cell-Timeout-Ms\","
                                                       "\"in\":\"header\",\"schema\":{\"type\":\"integer\","
                                                       "\"minimum\":1}}},\"securitySchemes\":{\"token\":{\"type\":"
                                                       "\"http\",\"scheme\":\"bearer\"}}},"
                                                       "\"security\":[{\"token\":[]}]}";

/* Records that go in are not carried over HTTPS. */
static bool is_carried(const struct schema_method *m)
{
    const struct schema_field *stream = cell_schema_stream(m);
    return !stream || stream->out;
}

void cell_openapi_put(struct cell_buffer *out, const struct cell_schema *s)
{
    cell_buffer_printf(out, "{\"openapi\":\"3.0.3\",\"info\":{\"title\":\"%s\",\"version\":\"%.12s\"", s->cell,
                       s->fingerprint);
    put_doc(out, "description", s->doc);
    cell_buffer_printf(out, ",\"x-fingerprint\":\"%s\"},\"paths\":{", s->fingerprint);
    put_common_paths(out);
    for (uint32_t i = 0; i < s->nmethods; i++)
        if (is_carried(&s->methods[i]))
            put_call(out, &s->methods[i]);
    cell_buffer_puts(out, "},\"components\":{\"schemas\":{");
    put_types(out, s);
    cell_buffer_puts(out, components_end);
}
