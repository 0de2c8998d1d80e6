/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Functions as their author writes them: compiled as they stand, and served, that is serialised by the plugin, read,
 * verified, and interpreted or rendered and compiled. All must compute the same, bit for bit. See usage below.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "Render.h"
#include "RenderText.h"
#include "base/util.h"
#include "interpret.h"
#include "values.h"
#include "wire/limits.h"

static const char usage[] =
    "usage: authored --compiler CLANG --sanitizing CLANG --plugin SO --include DIR --library LIBCELL --folder DIR\n"
    "       [--runs N] [--seed S] FILE...\n"
    "Each FILE is a cell in C with hot functions, free of what C does not define but for overflow. Each function is "
    "run\n"
    "N times (default 400) with random arguments.\n";

struct options {
    const char *compiler, *sanitizing, *plugin, *include, *library, *folder;
    unsigned long runs;
};

/* One set of compiled functions. The author's own does not look at overflow as something that cannot be. */
static const struct {
    const char *name, *flags;
    bool own, sanitized;
} ways[] = {
    {"own-O0", "-std=c11 -O0 -fwrapv", true, false},
    {"own-O2", "-std=c11 -O2 -fwrapv", true, false},
    {"served-O0", "-std=c11 -O0 -fsanitize=address,undefined -fno-sanitize-recover=all", false, true},
    {"served-O2", "-std=c11 -O2", false, false},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static void die(const char *what, const char *why)
{
    fprintf(stderr, "authored: %s: %s\n", what, why);
    exit(1);
}

static void run_command(const char *command)
{
    if (system(command) != 0)
        die("failed", command);
}

/* ---- the document ---- */

/* The schema that is embedded in the object. */
static struct cell_schema *read_schema(const char *object)
{
    static const char magic[] = CELL_SCHEMA_MAGIC;
    struct cell_schema_header header;
    struct cell_schema *schema = NULL;
    struct cell_error e = {0};
    char *bytes = NULL;
    size_t len = 0;
    if (cell_file_read(object, 1 << 24, &bytes, &len, &e) < 0)
        die(object, e.text);
    const char *at = memmem(bytes, len, magic, sizeof(magic) - 1);
    if (!at || (size_t)(bytes + len - at) < sizeof(header))
        die(object, "there is no schema in it");
    memcpy(&header, at, sizeof(header));
    if (cell_schema_parse(at + sizeof(header), (size_t)header.size, &schema, &e) < 0)
        die(object, e.text);
    free(bytes);
    if (!schema->functions)
        die(object, "no functions are served");
    return schema;
}

static struct cell_ast *read_functions(const struct cell_schema *schema)
{
    struct cell_json json = {0};
    struct cell_ast *doc = NULL;
    struct cell_error e = {0};
    if (cell_json_load(schema->functions, schema->functions_len, CELL_PROTOCOL_ERROR, &json, &e) < 0 ||
        cell_ast_read(&json.root, schema, NULL, &doc, &e) < 0)
        die("the served functions", e.text);
    cell_json_free(&json);
    return doc;
}

/* ---- compiling ---- */

/* int run_I(void *const *arguments, void *result), whoever wrote the function. */
static void wrap(const struct cell_ast *doc, uint32_t i, struct render *r, struct cell_buffer *out)
{
    const struct ast_function *f = &doc->functions[i];
    cell_buffer_printf(out, "int run_%u(void *const *a, void *r)\n{\n    (void)a; (void)r; ", i);
    if (f->status) {
        cell_buffer_puts(out, "return ");
    } else {
        cell_buffer_puts(out, "*(");
        render_use(r, &f->returns);
        cell_buffer_puts(out, " *)r = ");
    }
    cell_buffer_printf(out, "%s(", f->name);
    for (uint32_t k = 0; k < f->nparams; k++) {
        cell_buffer_puts(out, k ? ", " : "");
        cell_buffer_puts(out, f->params[k].pointer ? "(" : "*(");
        render_use(r, &f->params[k].type);
        cell_buffer_printf(out, " *)a[%u]", k);
    }
    cell_buffer_puts(out, f->status ? ");\n}\n" : "); return 0;\n}\n");
}

static void *compile(const struct options *o, const struct cell_ast *doc, const char *file, unsigned way)
{
    char source[1024], object[1024], command[4096];
    struct cell_buffer text = {0};
    const struct render_options plain = {.cplusplus = false};
    struct render r = render_start("u", &plain, &text);
    if (ways[way].own) {
        cell_buffer_printf(&text, "#include \"%s\"\n", file);
    } else {
        cell_buffer_puts(&text, "#include <cell/types.h>\n");
        for (uint32_t i = 0; i < doc->types->ntypes; i++)
            render_type(&r, &doc->types->types[i]);
        cell_ast_render(doc, &(struct ast_render_options){.unit = "u"}, &text);
    }
    for (uint32_t i = 0; i < doc->nfunctions; i++)
        if (!doc->functions[i].internal)
            wrap(doc, i, &r, &text);
    snprintf(source, sizeof(source), "%s/%s.c", o->folder, ways[way].name);
    snprintf(object, sizeof(object), "%s/%s.so", o->folder, ways[way].name);
    if (cell_file_replace(source, text.data, text.len, NULL) < 0)
        die(source, strerror(errno));
    cell_buffer_free(&text);
    snprintf(command, sizeof(command),
             "'%s' -w -shared -fPIC -I'%s' %s%s%s %s '%s' -o '%s' '%s' -lm -Wl,-rpath,\"$(dirname '%s')\"",
             ways[way].sanitized ? o->sanitizing : o->compiler, o->include, ways[way].own ? "-fplugin='" : "",
             ways[way].own ? o->plugin : "", ways[way].own ? "'" : "", ways[way].flags, source, object, o->library,
             o->library);
    run_command(command);
    void *library = dlopen(object, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        die(object, dlerror());
    return library;
}

/* ---- comparing ---- */

struct outcome {
    int status;
    void *arguments[CELL_MAX_PARAMS + 1], *result;
};

static void prepare(const struct ast_function *f, void *const *arguments, struct outcome *to)
{
    for (uint32_t i = 0; i < f->nparams; i++) {
        const size_t size = cell_schema_use_size(&f->params[i].type);
        to->arguments[i] = malloc(size);
        memcpy(to->arguments[i], arguments[i], size);
    }
    to->result = f->status ? NULL : calloc(1, cell_schema_use_size(&f->returns));
}

static void finish(const struct ast_function *f, struct outcome *o)
{
    for (uint32_t i = 0; i < f->nparams; i++)
        free(o->arguments[i]);
    free(o->result);
}

/* What a failure leaves in outputs is not looked at. */
static bool is_same(const struct ast_function *f, const struct outcome *a, const struct outcome *b)
{
    bool same = a->status == b->status;
    for (uint32_t i = 0; i < f->nparams && same; i++)
        if (a->status == CELL_OK || !f->params[i].out)
            same = hot_same_object(a->arguments[i], b->arguments[i], &f->params[i].type);
    return same && (f->status || hot_same_object(a->result, b->result, &f->returns));
}

/* 1 when it succeeded */
static int compare(const struct cell_ast *doc, uint32_t index, void *const *libraries, void *const *arguments)
{
    const struct ast_function *f = &doc->functions[index];
    struct ast_machine m = {.doc = doc};
    struct outcome right, got;
    char name[32];
    prepare(f, arguments, &right);
    right.status = hot_interpret(&m, f, right.arguments, right.result);
    for (unsigned w = 0; w < WAYS; w++) {
        int (*run)(void *const *, void *) = NULL;
        snprintf(name, sizeof(name), "run_%u", index);
        *(void **)&run = dlsym(libraries[w], name);
        if (!run)
            die(name, dlerror());
        prepare(f, arguments, &got);
        got.status = run(got.arguments, got.result);
        if (!is_same(f, &right, &got)) {
            fprintf(stderr, "authored: '%s' as %s is not what the interpreter computes (status %d, not %d)\n", f->name,
                    ways[w].name, got.status, right.status);
            exit(1);
        }
        finish(f, &got);
    }
    const int status = right.status;
    finish(f, &right);
    cell_arena_free(&m.arena);
    return status == CELL_OK;
}

static void run_file(const struct options *o, struct hot_random *random, const char *file)
{
    char object[1024], command[4096];
    void *libraries[WAYS];
    snprintf(object, sizeof(object), "%s/cell.o", o->folder);
    snprintf(command, sizeof(command), "'%s' -std=c11 -w -I'%s' -fplugin='%s' -c '%s' -o '%s'", o->compiler, o->include,
             o->plugin, file, object);
    run_command(command);
    struct cell_schema *schema = read_schema(object);
    struct cell_ast *doc = read_functions(schema);
    for (unsigned w = 0; w < WAYS; w++)
        libraries[w] = compile(o, doc, file, w);
    for (uint32_t k = 0; k < doc->nfunctions; k++) {
        const struct ast_function *f = &doc->functions[k];
        unsigned long successes = 0;
        for (unsigned long run = 0; run < o->runs && !f->internal; run++) {
            void *arguments[CELL_MAX_PARAMS + 1];
            for (uint32_t p = 0; p < f->nparams; p++)
                arguments[p] = hot_random_object(random, &f->params[p].type);
            successes += (unsigned long)compare(doc, k, libraries, arguments);
            for (uint32_t p = 0; p < f->nparams; p++)
                free(arguments[p]);
        }
        if (!f->internal && successes == 0)
            die(f->name, "never succeeded: the test says nothing about it");
        if (!f->internal)
            printf("%s: %lu of %lu succeeded\n", f->name, successes, o->runs);
    }
    for (unsigned w = 0; w < WAYS; w++)
        dlclose(libraries[w]);
    cell_ast_free(doc);
    cell_schema_free(schema);
}

int main(int argc, char **argv)
{
    struct options o = {.runs = 400};
    uint64_t seed = 1;
    int i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        const char *name = argv[i] + 2, *value = argv[i + 1];
        const char **text = strcmp(name, "compiler") == 0     ? &o.compiler
                            : strcmp(name, "sanitizing") == 0 ? &o.sanitizing
                            : strcmp(name, "plugin") == 0     ? &o.plugin
                            : strcmp(name, "include") == 0    ? &o.include
                            : strcmp(name, "library") == 0    ? &o.library
                            : strcmp(name, "folder") == 0     ? &o.folder
                                                              : NULL;
        if (text)
            *text = value;
        else if (strcmp(name, "runs") == 0)
            o.runs = strtoul(value, NULL, 10);
        else
            seed = strtoull(value, NULL, 10);
    }
    if (i == argc || !o.compiler || !o.sanitizing || !o.plugin || !o.include || !o.library || !o.folder) {
        fputs(usage, stderr);
        return 2;
    }
    struct hot_random random = {(seed + 1) * UINT64_C(0x9e3779b97f4a7c15)};
    if (cell_mkdirs(o.folder, NULL) < 0)
        die(o.folder, strerror(errno));
    for (; i < argc; i++)
        run_file(&o, &random, argv[i]);
    return 0;
}
