/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Names and texts of a schema: what may become an identifier or a comment in someone's program. */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cell/server.h"
#include "core/schema_impl.h"
#include "wire/limits.h"
#include "wire/message.h"

#define SHARED_SCOPE "types, constants, enumerators, methods and functions share one scope"

/* The injected text uses these without a scope, where a parameter of that name would hide them. */
static const char *const used_in_text[] = {"int8_t",  "uint8_t",  "int16_t", "uint16_t",
                                           "int32_t", "uint32_t", "int64_t", "uint64_t"};

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

bool cell_is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof(used_in_text) / sizeof(used_in_text[0]); i++)
        if (strcmp(name, used_in_text[i]) == 0)
            return true;
    return name[0] == '_' || begins(name, "cell_") || begins(name, "cellgen_");
}

const char *cell_name_problem(const char *name, size_t length)
{
    char text[CELL_MAX_NAME + 1];
    if (length == 0)
        return "has no name";
    if (length > CELL_MAX_NAME)
        return "has a name of more than 127 bytes";
    memcpy(text, name, length);
    text[length] = '\0';
    if (strlen(text) != length || !cell_is_identifier(text))
        return "has a name that is no identifier of C";
    if (text[0] == '_')
        return "has a name that begins with an underscore";
    if (cell_is_reserved(text))
        return "has a name that is reserved, as all that begin with cell_ are";
    return cell_is_keyword(text) ? "has a keyword of C or C++ as its name" : NULL;
}

int cell_check_name(const struct json_at *at, const char *key, const char *name, enum name_use use,
                    struct cell_error *e)
{
    char quoted[CELL_QUOTE_SIZE];
    if (!name)
        return cell_json_fail(at, key, e, "missing");
    bool identifier = cell_is_identifier(name);
    if (identifier && !cell_is_reserved(name) && !(use != NAME_WORD && cell_is_keyword(name)) &&
        !(use == NAME_FUNCTION && cell_is_library_function(name)))
        return CELL_OK;
    cell_json_quote(name, quoted, sizeof(quoted));
    if (strnlen(name, CELL_MAX_NAME + 1) > CELL_MAX_NAME)
        return cell_json_fail(at, key, e, "the name '%s' is longer than %u bytes", quoted, CELL_MAX_NAME);
    if (!identifier)
        return cell_json_fail(at, key, e, "'%s' is not an identifier", quoted);
    if (cell_is_reserved(name))
        return cell_json_fail(at, key, e, "the name '%s' is reserved", quoted);
    return cell_json_fail(
        at, key, e, cell_is_keyword(name) ? "'%s' is a keyword of C or C++" : "'%s' is a function of the C library",
        quoted);
}

int cell_check_text(const struct json_at *at, const char *key, const char *text, bool lines, struct cell_error *e)
{
    if (!text)
        return CELL_OK;
    if (!cell_utf8_valid(text, strlen(text)))
        return cell_json_fail(at, key, e, "the text is not valid UTF-8");
    for (const char *p = text; *p; p++)
        if (cell_json_control(p) && !(lines && *p == '\n'))
            return cell_json_fail(at, key, e, "the text holds a control or bidirectional control character");
    return CELL_OK;
}

/* A comment's line that ends in a backslash, or in the trigraph for one, goes on in the next line, also with blanks
 * after it. */
static bool is_continued(const char *line, size_t len)
{
    while (len > 0 && line[len - 1] == ' ')
        len--;
    return (len >= 1 && line[len - 1] == '\\') || (len >= 3 && memcmp(line + len - 3, "\?\?/", 3) == 0);
}

int cell_check_doc(const struct json_at *at, const char *doc, struct cell_error *e)
{
    int r = cell_check_text(at, "doc", doc, true, e);
    if (r < 0 || !doc)
        return r;
    if (strstr(doc, "*/"))
        return cell_json_fail(at, "doc", e, "'*/' would end a comment");
    for (const char *line = doc; line;) {
        size_t len = strcspn(line, "\n");
        if (is_continued(line, len))
            return cell_json_fail(at, "doc", e, "a line ends in a backslash, which would continue a comment");
        line = line[len] ? line + len + 1 : NULL;
    }
    return CELL_OK;
}

/* A name and where it stands: sorted by name, then by place, so that the later one is reported. */
struct entry {
    const char *name;
    const char *list; /* "types" */
    uint32_t order, index;
    uint32_t value; /* of an enumerator; NO_VALUE otherwise */
};
#define NO_VALUE UINT32_MAX
#define OF_STREAM (UINT32_MAX - 1) /* declared by a client for the method's stream */
#define OF_FUNCTION (UINT32_MAX - 2)
#define STREAM_NAMES 4u /* at most, of a method */

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int r = strcmp(x->name, y->name);
    return r ? r : (x->order > y->order) - (x->order < y->order);
}

/* The first entry that repeats the name of another, NULL when there is none. Those before `own` in order may repeat
 * each other. Sorts. */
static const struct entry *find_repeated(struct entry *entries, size_t n, size_t own)
{
    if (n > 1)
        qsort(entries, n, sizeof(*entries), compare_entries);
    for (size_t i = 1; i < n; i++)
        if (entries[i].order >= own && strcmp(entries[i - 1].name, entries[i].name) == 0)
            return &entries[i];
    return NULL;
}

int cell_check_unique(const struct json_at *list, const void *items, size_t n, size_t stride, struct cell_error *e)
{
    struct entry *entries = calloc(n + 1, sizeof(*entries));
    if (!entries)
        return cell_error_set(e, CELL_NO_MEMORY, "schema: out of memory");
    for (size_t i = 0; i < n; i++) {
        memcpy(&entries[i].name, (const char *)items + i * stride, sizeof(entries[i].name));
        entries[i].order = entries[i].index = (uint32_t)i;
    }
    const struct entry *twice = find_repeated(entries, n, 0);
    int r = CELL_OK;
    if (twice) {
        const struct json_at item = {.parent = list, .index = twice->index, .status = list->status};
        r = cell_json_fail(&item, "name", e, "'%s' is there twice", twice->name);
    }
    free(entries);
    return r;
}

/* *own is where the names begin that are not of the declaration. */
static size_t collect(const struct cell_schema *s, struct entry *to, size_t *own)
{
    size_t n = 0;
    uint32_t declared = cell_declared_count(s);
    *own = 0;
    for (uint32_t i = 0; i < s->ntypes; i++) {
        const struct schema_type *t = &s->types[i];
        to[n] = (struct entry){t->name, "types", (uint32_t)n, i - declared, NO_VALUE};
        n++;
        for (uint32_t k = 0; k < t->nvalues; k++, n++)
            to[n] = (struct entry){t->values[k].name, "types", (uint32_t)n, i - declared, k};
        if (t->declared)
            *own = n;
    }
    for (uint32_t i = 0; i < s->nconstants; i++, n++)
        to[n] = (struct entry){s->constants[i].name, "constants", (uint32_t)n, i, NO_VALUE};
    for (uint32_t i = 0; i < s->nmethods; i++, n++)
        to[n] = (struct entry){s->methods[i].name, "methods", (uint32_t)n, i, NO_VALUE};
    for (uint32_t i = 0; i < s->nvisible_functions; i++, n++)
        to[n] = (struct entry){s->visible_functions[i].name, "functions", (uint32_t)n, s->visible_functions[i].index,
                               OF_FUNCTION};
    return n;
}

/* What clients declare for streams. The texts are in `arena`. */
static size_t collect_stream_names(const struct cell_schema *s, struct entry *to, size_t n, struct cell_arena *arena)
{
#define SUFFIX(suffix) suffix,
    static const char *const reader[] = {CELL_STREAM_READER_NAMES(SUFFIX)}, *const writer[] = {
                                                                                CELL_STREAM_WRITER_NAMES(SUFFIX)};
#undef SUFFIX
    for (uint32_t i = 0; i < s->nmethods; i++) {
        const struct schema_field *stream = cell_schema_stream(&s->methods[i]);
        size_t names = !stream       ? 0
                       : stream->out ? sizeof(reader) / sizeof(reader[0])
                                     : sizeof(writer) / sizeof(writer[0]);
        for (size_t k = 0; k < names; k++, n++) {
            const char *name =
                cell_arena_printf(arena, "%s%s", s->methods[i].name, stream->out ? reader[k] : writer[k]);
            if (!name)
                return 0;
            to[n] = (struct entry){name, "methods", (uint32_t)n, i, OF_STREAM};
        }
    }
    return n;
}

int cell_declared_again(const struct json_at *entry, const char *name, struct cell_error *e)
{
    return cell_json_fail(entry, "name", e, "'%s' is a name of the declaration: it is used, not defined again", name);
}

static int report_scope(const struct json_at *root, const struct entry *twice, bool again, struct cell_error *e)
{
    const struct json_at document = {.parent = root, .key = "functions", .status = root->status};
    const struct json_at list = {
        .parent = twice->value == OF_FUNCTION ? &document : root, .key = twice->list, .status = root->status};
    const struct json_at entry = {.parent = &list, .index = twice->index, .status = root->status};
    const struct json_at values = {.parent = &entry, .key = "values", .status = root->status};
    const struct json_at value = {.parent = &values, .index = twice->value, .status = root->status};
    const struct json_at *at = twice->value >= OF_FUNCTION ? &entry : &value;
    if (twice->value == OF_STREAM)
        return cell_json_fail(at, "name", e, "'%s' is there already, and clients declare it for this method's stream",
                              twice->name);
    return again ? cell_declared_again(at, twice->name, e)
                 : cell_json_fail(at, "name", e, "'%s' is there twice: %s", twice->name, SHARED_SCOPE);
}

int cell_check_scope(const struct json_at *root, const struct cell_schema *s, struct cell_error *e)
{
    size_t n = (size_t)s->ntypes + s->nconstants + (1 + STREAM_NAMES) * (size_t)s->nmethods + s->nvisible_functions;
    struct cell_arena names = {0};
    for (uint32_t i = 0; i < s->ntypes; i++)
        n += s->types[i].nvalues;
    struct entry *entries = calloc(n + 1, sizeof(*entries));
    if (!entries)
        return cell_error_set(e, CELL_NO_MEMORY, "schema: out of memory");
    size_t own, count = collect(s, entries, &own), all = collect_stream_names(s, entries, count, &names);
    const struct entry *twice = find_repeated(entries, all, own);
    int r = twice ? report_scope(root, twice, twice[-1].order < own, e) : CELL_OK;
    if (all < count)
        r = cell_error_set(e, CELL_NO_MEMORY, "schema: out of memory");
    cell_arena_free(&names);
    free(entries);
    return r;
}
