/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Random documents; what the verifier accepts is run by the interpreter and as compiled code, in several ways, and all
 * must agree bit for bit. See usage below.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "Render.h"
#include "RenderText.h"
#include "base/util.h"
#include "interpret.h"
#include "values.h"
#include "wire/limits.h"

static const char usage[] =
    "usage: differential [--documents N] [--seed S] [--batch N] [--folder DIR] [--compiler CLANG] [--include DIR] "
    "[FILE]\n"
    "Makes N random documents (default 100), half of them broken by a random change, and compares what is accepted.\n"
    "Without --compiler they are only interpreted, where every proof of the verifier is checked. With FILE, that\n"
    "document is compared instead, with its functions' arguments random.\n";

#define RUNS 5u /* of each function, with other arguments */

struct options {
    unsigned long documents, batch;
    uint64_t seed;
    const char *folder, *compiler, *include, *file;
};

struct entry {
    struct cell_ast *doc;
    char *json;
    unsigned number;
};

static struct {
    unsigned long accepted, refused, functions, runs, faults;
} counts;

/* Ways to compile. The last ones have no sanitizer, whose checks keep optimisers from much. */
static const struct {
    const char *name, *flags;
    bool cplusplus, fences;
} ways[] = {
    {"O0", "-std=c11 -O0 -fsanitize=address,undefined -fno-sanitize-recover=all", false, false},
    {"O2", "-std=c11 -O2 -fsanitize=address,undefined -fno-sanitize-recover=all", false, false},
    {"fast", "-std=c11 -O3 -march=native -ffast-math -fno-finite-math-only -ffp-contract=fast -mno-daz-ftz", false,
     true},
    {"cpp", "-x c++ -std=c++11 -O2 -march=native", true, false},
};

static void die(const char *what)
{
    fprintf(stderr, "differential: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* ---- rendering a batch ---- */

static void render_entry(const struct entry *one, unsigned way, struct cell_buffer *out)
{
    const bool cplusplus = ways[way].cplusplus;
    char unit[32];
    snprintf(unit, sizeof(unit), "d%u", one->number);
    const struct render_options o = {.cplusplus = cplusplus};
    struct render r = render_start(unit, &o, out);
    for (uint32_t i = 0; i < one->doc->types->ntypes; i++)
        render_type(&r, &one->doc->types->types[i]);
    const struct ast_render_options text = {.cplusplus = cplusplus, .fences = ways[way].fences, .unit = unit};
    cell_ast_render(one->doc, &text, out);
    for (uint32_t i = 0; i < one->doc->nfunctions; i++) {
        const struct ast_function *f = &one->doc->functions[i];
        if (f->internal)
            continue;
        cell_buffer_printf(out, "%sint run_%u_%u(void *const *a, void *r)\n{\n    (void)a; (void)r; ",
                           cplusplus ? "extern \"C\" " : "", one->number, i);
        if (f->status) {
            cell_buffer_puts(out, "return ");
        } else {
            cell_buffer_puts(out, "*(");
            render_use(&r, &f->returns);
            cell_buffer_puts(out, " *)r = ");
        }
        cell_buffer_printf(out, "%s(", f->name);
        for (uint32_t k = 0; k < f->nparams; k++) {
            cell_buffer_puts(out, k ? ", " : "");
            cell_buffer_puts(out, f->params[k].pointer ? "(" : "*(");
            render_use(&r, &f->params[k].type);
            cell_buffer_printf(out, " *)a[%u]", k);
        }
        cell_buffer_puts(out, f->status ? ");\n}\n" : "); return 0;\n}\n");
    }
}

static void *compile(const struct options *o, unsigned way, const struct entry *entries, size_t n, unsigned batch)
{
    char source[512], object[512], command[2048];
    struct cell_buffer text = {0};
    cell_buffer_puts(&text, "#include <cell/types.h>\n");
    for (size_t i = 0; i < n; i++)
        render_entry(&entries[i], way, &text);
    snprintf(source, sizeof(source), "%s/%u-%s.%s", o->folder, batch, ways[way].name,
             ways[way].cplusplus ? "cpp" : "c");
    snprintf(object, sizeof(object), "%s/%u-%s.so", o->folder, batch, ways[way].name);
    if (cell_file_replace(source, text.data, text.len, NULL) < 0)
        die(source);
    cell_buffer_free(&text);
    snprintf(command, sizeof(command), "'%s' -w -shared -fPIC -I'%s' %s '%s' -o '%s' -lm", o->compiler, o->include,
             ways[way].flags, source, object);
    if (system(command) != 0) {
        fprintf(stderr, "differential: does not compile: %s\n", command);
        exit(1);
    }
    void *library = dlopen(object, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "differential: %s\n", dlerror());
        exit(1);
    }
    unlink(object);
    return library;
}

/* ---- running ---- */

static void *clone_outputs(const struct ast_function *f, void *const *arguments, void **copies)
{
    for (uint32_t i = 0; i < f->nparams; i++) {
        const size_t size = cell_schema_use_size(&f->params[i].type);
        copies[i] = malloc(size);
        memcpy(copies[i], arguments[i], size);
    }
    return f->status ? NULL : calloc(1, cell_schema_use_size(&f->returns));
}

static void report(const struct entry *one, const struct ast_function *f, const char *way, int right, int got)
{
    fprintf(stderr, "differential: '%s' compiled as %s is not what the interpreter computes (status %d, not %d):\n%s\n",
            f->name, way, got, right, one->json);
    exit(1);
}

static void compare(const struct entry *one, uint32_t index, void *const *libraries, void *const *arguments)
{
    const struct ast_function *f = &one->doc->functions[index];
    struct ast_machine m = {.doc = one->doc};
    void *mine[CELL_MAX_PARAMS + 1], *theirs[CELL_MAX_PARAMS + 1];
    void *result = clone_outputs(f, arguments, mine);
    const int status = hot_interpret(&m, f, mine, result);
    counts.runs++;
    counts.faults += status < 0;
    for (unsigned w = 0; libraries && w < sizeof(ways) / sizeof(ways[0]); w++) {
        char name[64];
        snprintf(name, sizeof(name), "run_%u_%u", one->number, index);
        int (*run)(void *const *, void *) = NULL;
        if (!libraries[w])
            continue;
        *(void **)&run = dlsym(libraries[w], name);
        if (!run)
            die(name);
        void *returns = clone_outputs(f, arguments, theirs);
        const int got = run(theirs, returns);
        bool same = got == status;
        for (uint32_t i = 0; i < f->nparams && same; i++)
            same = hot_same_object(mine[i], theirs[i], &f->params[i].type);
        if (same && !f->status)
            same = hot_same_object(result, returns, &f->returns);
        if (!same)
            report(one, f, ways[w].name, status, got);
        for (uint32_t i = 0; i < f->nparams; i++)
            free(theirs[i]);
        free(returns);
    }
    for (uint32_t i = 0; i < f->nparams; i++)
        free(mine[i]);
    free(result);
    cell_arena_free(&m.arena);
}

static void run_batch(const struct options *o, struct hot_random *random, struct entry *entries, size_t n,
                      unsigned batch)
{
    void *libraries[sizeof(ways) / sizeof(ways[0])] = {NULL};
    for (unsigned w = 0; o->compiler && w < sizeof(ways) / sizeof(ways[0]); w++)
        libraries[w] = compile(o, w, entries, n, batch);
    for (size_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < entries[i].doc->nfunctions; k++) {
            const struct ast_function *f = &entries[i].doc->functions[k];
            if (f->internal)
                continue;
            counts.functions++;
            for (unsigned run = 0; run < RUNS; run++) {
                void *arguments[CELL_MAX_PARAMS + 1];
                for (uint32_t p = 0; p < f->nparams; p++)
                    arguments[p] = hot_random_object(random, &f->params[p].type);
                compare(&entries[i], k, o->compiler ? libraries : NULL, arguments);
                for (uint32_t p = 0; p < f->nparams; p++)
                    free(arguments[p]);
            }
        }
        cell_ast_free(entries[i].doc);
        free(entries[i].json);
    }
    for (unsigned w = 0; w < sizeof(ways) / sizeof(ways[0]); w++)
        if (libraries[w])
            dlclose(libraries[w]);
}

/* ---- documents ---- */

static bool take(struct cell_buffer *text, unsigned number, struct entry *one)
{
    static const struct ast_limits limits = {.cost = 20000}; /* the interpreter is not fast */
    struct cell_error e = {0};
    struct cell_ast *doc = NULL;
    const int r = cell_ast_parse(text->data, text->len, &limits, &doc, &e);
    if (r < 0) {
        if (getenv("HOT_REASONS"))
            fprintf(stderr, "refused %u: %s\n", number, e.text);
        counts.refused++;
        cell_buffer_free(text);
        return false;
    }
    counts.accepted++;
    *one = (struct entry){doc, text->data, number};
    return true;
}

static bool make(struct hot_random *random, unsigned number, struct entry *one)
{
    struct cell_buffer text = {0}, changed = {0};
    hot_generate(random, number, &text);
    if (number % 2 == 0)
        return take(&text, number, one);
    hot_mutate(random, &text, &changed);
    cell_buffer_free(&text);
    return take(&changed, number, one);
}

static int run_file(const struct options *o, struct hot_random *random)
{
    struct entry one = {.number = 0};
    struct cell_error e = {0};
    size_t len;
    if (cell_file_read(o->file, CELL_AST_MAX_BYTES, &one.json, &len, &e) < 0 ||
        cell_ast_parse(one.json, len, NULL, &one.doc, &e) < 0) {
        fprintf(stderr, "%s: %s\n", o->file, e.text);
        free(one.json);
        return 1;
    }
    run_batch(o, random, &one, 1, 0);
    return 0;
}

static const char *value_of(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return otherwise;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    const struct options o = {.documents = strtoul(value_of(argc, argv, "--documents", "100"), NULL, 10),
                              .batch = strtoul(value_of(argc, argv, "--batch", "50"), NULL, 10),
                              .seed = strtoull(value_of(argc, argv, "--seed", "1"), NULL, 10),
                              .folder = value_of(argc, argv, "--folder", "."),
                              .compiler = value_of(argc, argv, "--compiler", NULL),
                              .include = value_of(argc, argv, "--include", "include"),
                              .file = argc % 2 == 0 ? argv[argc - 1] : NULL};
    struct hot_random random = {(o.seed + 1) * UINT64_C(0x9e3779b97f4a7c15)};
    struct entry *entries = calloc(o.batch ? o.batch : 1, sizeof(*entries));
    size_t n = 0;
    if (cell_mkdirs(o.folder, NULL) < 0)
        die(o.folder);
    if (o.file) {
        free(entries);
        return run_file(&o, &random);
    }
    for (unsigned long i = 0; i < o.documents; i++) {
        n += make(&random, (unsigned)i, &entries[n]);
        if (n == o.batch || (i + 1 == o.documents && n)) {
            run_batch(&o, &random, entries, n, (unsigned)i);
            n = 0;
        }
    }
    free(entries);
    printf("%lu documents accepted, %lu refused; %lu functions, %lu runs, %lu of them failed as they should\n",
           counts.accepted, counts.refused, counts.functions, counts.runs, counts.faults);
    return counts.accepted * 4 < o.documents || counts.faults == 0; /* else this test is none */
}
