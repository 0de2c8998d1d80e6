/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "declare.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/document.h"
#include "common/program.h"

#define DAY_US (INT64_C(86400) * 1000000)

static const char *const roles[] = {"group", "window", "count",    "sum",      "min",
                                    "max",   "mean",   "variance", "quantile", "distinct"};

void an_say(struct an_declared *declared, const char *severity, const char *field, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    document_say(declared->diagnostics, &declared->failed, severity, field, format, args);
    va_end(args);
}

static const char *argument(const json_t *rule, size_t i)
{
    const char *text = json_string_value(json_array_get(json_object_get(rule, "args"), i));

    return text ? text : "";
}

/* ---- columns ---- */

/* An enum is the number that it is. */
static const char *plain_type(const json_t *types, const char *written)
{
    const json_t *entry = document_find(types, "name", written);

    return entry && strcmp(document_text(entry, "kind"), "enum") == 0 ? document_text(entry, "type") : written;
}

static void read_quantile(struct an_declared *d, const json_t *rule, const char *name, json_t *column)
{
    char *end;
    double share = strtod(argument(rule, 1), &end);

    if (end == argument(rule, 1) || *end || !(share >= 0 && share <= 1))
        an_say(d, "error", name, "the quantile of '%s' is a number from 0 to 1, not '%s'", name, argument(rule, 1));
    json_object_set_new(column, "quantile", json_real(share));
}

static void read_column(struct an_declared *d, const json_t *types, const json_t *from)
{
    const char *name = document_text(from, "name"), *as = NULL;
    const json_t *rule = NULL;
    uint32_t n = 0;

    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (document_rule(from, roles[i])) {
            rule = document_rule(from, roles[i]);
            as = roles[i];
            n++;
        }
    if (n != 1) {
        an_say(d, "error", name,
               n ? "'%s' is one thing: CELL_GROUP or one aggregate"
                 : "'%s' needs what it is: CELL_GROUP, CELL_WINDOW, or an aggregate as CELL_SUM",
               name);
        return;
    }
    json_t *column = json_pack("{ss, ss, ss, ss}", "name", name, "type", plain_type(types, document_text(from, "type")),
                               "as", as, "of", argument(rule, 0));
    if (strcmp(as, "quantile") == 0)
        read_quantile(d, rule, name, column);
    json_array_append_new(json_object_get(d->definition, "columns"), column);
}

/* ---- the annotation ---- */

static void read_source(struct an_declared *d, const char *source)
{
    const char *point = strchr(source, '.');

    if (!point || !document_is_identifier(source, (size_t)(point - source), AN_MOST_NAME) ||
        !document_is_identifier(point + 1, strlen(point + 1), AN_MOST_NAME)) {
        an_say(d, "error", "source", "'%s' is no source: it is a cell and a stream of it, ledger.transfers", source);
        return;
    }
    snprintf(d->source, sizeof(d->source), "%.*s", (int)(point - source), source);
    snprintf(d->stream, sizeof(d->stream), "%s", point + 1);
    json_object_set_new(d->definition, "source", json_string(d->source));
    json_object_set_new(d->definition, "stream", json_string(d->stream));
}

/* "" is 0. */
static int64_t read_duration(struct an_declared *d, const char *what, const char *text)
{
    int64_t ms = 0;

    if (*text && (program_parse_duration(text, &ms) < 0 || ms < 0 || ms > 366 * DAY_US / 1000))
        an_say(d, "error", what, "'%s' is no duration of at most 366 days: 500ms, 30s, 15m, 12h, 7d", text);
    return ms * 1000;
}

static void read_windows(struct an_declared *d, const json_t *args)
{
    const char *texts[5];

    for (size_t i = 0; i < 5; i++) {
        const char *text = json_string_value(json_array_get(args, i + 1));
        texts[i] = text ? text : "";
    }
    int64_t window = read_duration(d, "window", texts[1]), slide = read_duration(d, "slide", texts[2]);
    int64_t keep = strtoll(*texts[4] ? texts[4] : "24", NULL, 10);
    slide = slide ? slide : window;
    if (!window && (slide || *texts[3]))
        an_say(d, "error", "slide", "without 'window' there is nothing that slides or is late");
    else if (slide && (slide > window || window % slide != 0))
        an_say(d, "error", "slide", "a window is a multiple of its slide");
    else if (keep < 1 || (slide && keep - 1 + window / slide > AN_MOST_PANES))
        an_say(d, "error", "keep", "with this slide %d windows can be kept, at least one",
               (int)(slide ? AN_MOST_PANES - window / slide + 1 : AN_MOST_PANES));
    json_object_set_new(d->definition, "where", json_string(texts[0]));
    json_object_set_new(d->definition, "window_us", json_integer(window));
    json_object_set_new(d->definition, "slide_us", json_integer(slide));
    json_object_set_new(d->definition, "lateness_us", json_integer(read_duration(d, "lateness", texts[3])));
    json_object_set_new(d->definition, "panes", json_integer(slide ? keep - 1 + window / slide : 0));
}

/* The enumerators of the struct's enums that the condition may mean: what is an identifier there. */
static void read_numbers(struct an_declared *d, const json_t *types)
{
    const char *where = document_text(d->definition, "where");
    json_t *numbers = json_object(), *type, *value;
    size_t i, k;

    json_array_foreach(types, i, type) json_array_foreach(json_object_get(type, "values"), k, value)
    {
        const char *name = document_text(value, "name");
        if (document_has_word(where, name))
            json_object_set(numbers, name, json_object_get(value, "value"));
    }
    if (json_object_size(numbers))
        json_object_set(d->definition, "numbers", numbers);
    json_decref(numbers);
}

int an_declare(const json_t *request, struct an_declared *declared, struct an_failure *f)
{
    const json_t *annotation = json_object_get(request, "annotation"), *args = json_object_get(annotation, "args");
    const json_t *declaration = json_object_get(request, "declaration"), *type = json_object_get(declaration, "type");
    const char *source = json_string_value(json_array_get(args, 0));
    struct an_declared d = {.declaration = declaration,
                            .definition = json_pack("{s[], s[]}", "columns", "fields"),
                            .diagnostics = json_array()};
    json_t *field;
    size_t i;

    if (!source || !json_is_object(type)) {
        an_declared_free(&d);
        return an_fail(f, CELL_INVALID_ARGUMENT, "the request declares no aggregate");
    }
    d.name = document_text(declaration, "name");
    if (!document_is_identifier(d.name, strlen(d.name), AN_MOST_NAME))
        an_say(&d, "error", NULL, "the struct needs a tag of at most %d bytes, which its functions are called after",
               AN_MOST_NAME);
    read_source(&d, source);
    read_windows(&d, args);
    read_numbers(&d, json_object_get(declaration, "types"));
    if (json_object_get(annotation, "functions"))
        json_object_set(d.definition, "functions", json_object_get(annotation, "functions"));
    json_object_set_new(d.definition, "name", json_string(d.name));
    json_array_foreach(json_object_get(type, "fields"), i, field)
        read_column(&d, json_object_get(declaration, "types"), field);
    *declared = d;
    return CELL_OK;
}

void an_declared_free(struct an_declared *declared)
{
    json_decref(declared->definition);
    json_decref(declared->diagnostics);
    *declared = (struct an_declared){0};
}

/* ---- against the source ---- */

static const json_t *use_field(struct an_declared *d, const json_t *stream, const char *name)
{
    json_t *fields = json_object_get(d->definition, "fields");
    const json_t *found = document_find(json_object_get(stream, "fields"), "name", name);

    if (found && !document_find(fields, "name", name))
        json_array_append(fields, (json_t *)found);
    return found;
}

struct looking {
    struct an_declared *d;
    const json_t *stream;
};

static enum an_name look_up(void *user, const char *name, struct an_field *field, __int128 *number)
{
    struct looking *l = user;
    const json_t *found = use_field(l->d, l->stream, name);
    struct an_type type;

    if (found && an_type_parse(document_text(found, "type"), &type)) {
        *field = (struct an_field){0, (uint16_t)an_type_size(&type), (uint16_t)an_type_class(&type)};
        return AN_NAME_FIELD;
    }
    return an_definition_number(l->d->definition, name, number) ? AN_NAME_NUMBER : AN_NAME_NONE;
}

/* What is wrong with the type of an aggregate, as the end of a sentence; NULL: nothing. */
static const char *type_problem(const char *as, const char *own, const struct an_type *of)
{
    enum an_class class = an_type_class(of);
    bool real = strcmp(own, "f64") == 0, is_signed = strcmp(own, "i64") == 0, is_unsigned = strcmp(own, "u64") == 0;

    if (strcmp(as, "sum") == 0) {
        if (class == AN_REAL)
            return real ? NULL : "is double";
        if (class == AN_UNSIGNED)
            return real || is_signed || is_unsigned ? NULL : "is uint64_t, int64_t or double: others would overflow";
        return real || is_signed ? NULL : "is int64_t or double: others would overflow";
    }
    if (strcmp(as, "mean") == 0 || strcmp(as, "variance") == 0 || strcmp(as, "quantile") == 0)
        return real ? NULL : "is double";
    return is_unsigned ? NULL : "is uint64_t";
}

static void check_column(struct an_declared *d, const json_t *column, const json_t *stream)
{
    const char *name = document_text(column, "name"), *as = document_text(column, "as"),
               *of = document_text(column, "of");
    const char *own = document_text(column, "type"), *problem = NULL;
    const json_t *field = *of ? use_field(d, stream, of) : NULL;
    const char *type_text = document_text(field, "type");
    struct an_type type = {0, 0};

    if (strcmp(as, "count") == 0 || strcmp(as, "window") == 0) {
        const char *wanted = *as == 'c' ? "u64" : "i64";
        if (strcmp(own, wanted) != 0)
            an_say(d, "error", name, "'%s' is %s", name, *as == 'c' ? "a count: uint64_t" : "a time: int64_t");
        return;
    }
    if (!field) {
        an_say(d, "error", name, "%s.%s has no field '%s'", d->source, d->stream, of);
        return;
    }
    if (!an_type_parse(type_text, &type) ||
        (an_type_class(&type) == AN_BYTES && strcmp(as, "group") != 0 && strcmp(as, "distinct") != 0)) {
        an_say(d, "error", name, "field '%s' of %s.%s is %s, of which there is no %s", of, d->source, d->stream,
               type_text, as);
        return;
    }
    if (strcmp(as, "group") == 0 && an_type_class(&type) == AN_REAL)
        an_say(d, "error", name, "'%s' cannot be a group: it has fractions", of);
    if (strcmp(as, "group") == 0 || strcmp(as, "min") == 0 || strcmp(as, "max") == 0) {
        if (strcmp(own, type_text) != 0)
            an_say(d, "error", name, "'%s' has type %s here, and '%s' of %s.%s is %s", name, own, of, d->source,
                   d->stream, type_text);
        return;
    }
    problem = type_problem(as, own, &type);
    if (problem)
        an_say(d, "error", name, "the %s of '%s' (%s) %s, not %s", as, of, type_text, problem, own);
}

/* What the plan says that is made of it, where no field is to blame. */
static void check_plan(struct an_declared *d)
{
    struct an_definition *made = NULL;
    struct an_aggregator *a = NULL;
    struct an_failure f;

    if (an_definition_read(d->definition, &made, &f) < 0 || an_open(&made->plan, &a, &f) < 0)
        an_say(
            d, "error", NULL,
            "this cannot be aggregated: at most %d groups of %d bytes together and %d aggregates, and records as the "
            "source says",
            AN_MOST_KEYS, AN_MOST_KEY, AN_MOST_AGGREGATES);
    an_close(a);
    an_definition_unref(made);
}

static void check_condition(struct an_declared *d, struct looking *looking)
{
    struct an_problem problem;
    struct an_filter ignored;
    struct cell_hot *functions = NULL;
    struct cell_error e = {0};

    if (an_definition_functions(d->definition, &functions, &e) < 0) {
        an_say(d, "error", "where", "what the condition calls is refused: %s",
               e.text[0] ? e.text : cell_status_text(CELL_NO_MEMORY));
        return;
    }
    bool good = an_filter_parse(document_text(d->definition, "where"), functions, look_up, looking, &ignored, &problem);
    cell_hot_close(functions);
    if (good)
        return;
    an_say(d, "error", "where", "%s.%s: %s", d->source, d->stream, problem.text);
    json_t *said = json_array_get(d->diagnostics, json_array_size(d->diagnostics) - 1);
    json_object_set_new(said, "at", json_integer(problem.at));
    json_object_set_new(said, "length", json_integer(problem.length));
}

void an_declare_check(struct an_declared *d, const json_t *stream)
{
    const char *time = document_text(stream, "time");
    struct looking looking = {d, stream};
    json_t *column;
    size_t i;

    json_object_set(d->definition, "type", json_object_get(stream, "type"));
    json_object_set(d->definition, "record_size", json_object_get(stream, "record_size"));
    json_object_set(d->definition, "time", json_object_get(stream, "time"));
    json_array_foreach(json_object_get(d->definition, "columns"), i, column) check_column(d, column, stream);
    check_condition(d, &looking);
    if (json_integer_value(json_object_get(d->definition, "slide_us")) > 0 && !use_field(d, stream, time))
        an_say(d, "error", "window", "records of %s.%s have no time of which there could be windows", d->source,
               d->stream);
    if (!d->failed)
        check_plan(d);
}
