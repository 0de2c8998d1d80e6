/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Documents as C, many in one file, and that file as a shared object. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "Render.h"
#include "RenderText.h"
#include "base/util.h"
#include "differential.h"

/* The last ones have no sanitizer, whose checks keep optimisers from much. */
static const struct {
    const char *name, *flags;
    bool sanitized, cplusplus, fences;
} ways[HOT_WAYS] = {
    {"O0", "-std=c11 -O0", true, false, false},
    {"O2", "-std=c11 -O2", true, false, false},
    {"fast", "-std=c11 -O3 -march=native -ffast-math -fno-finite-math-only -ffp-contract=fast -mno-daz-ftz", false,
     false, true},
    {"cpp", "-x c++ -std=c++11 -O2 -march=native", false, true, false},
};
/* Of a batch only whether something is found matters, and how fast. What UndefinedBehaviorSanitizer asks about pointers
 * AddressSanitizer finds when they are used, and takes half of the time: not in every batch. */
static const char one_flags[] = "-fsanitize=address,undefined -fno-sanitize-recover=all",
                  batch_flags[] = "-fsanitize=address,undefined -fsanitize-trap=undefined "
                                  "-mllvm -asan-instrumentation-with-call-threshold=0",
                  most_batches_flags[] = "-fno-sanitize=null,alignment,object-size,pointer-overflow";

static bool is_rare(const struct hot_options *o, unsigned long batch)
{
    return o->rarely < 2 || batch % o->rarely == 0;
}

bool hot_way_applies(const struct hot_options *o, unsigned way, unsigned long batch)
{
    return o->compiler && (ways[way].sanitized || is_rare(o, batch));
}

const char *hot_way_name(unsigned way) { return ways[way].name; }

void hot_entry_name(const struct hot_entry *one, uint32_t function, char *name, size_t size)
{
    snprintf(name, size, "run_%lu_%u", one->number, function);
}

/* Appends a document's text without helpers that the file has already. They stand behind the pragmas, end in "\n}\n",
 * and the first name before a bracket is one of `unit`. */
static void append_without(const char *text, const char *unit, struct cell_buffer *out, struct cell_buffer *helpers)
{
    char prefix[64];
    const char *p = strstr(text, "fp contract(off)\n");
    snprintf(prefix, sizeof(prefix), "cellgen_%s_h_", unit);
    p = p ? strchr(p, '\n') + 1 : text;
    cell_buffer_append(out, text, (size_t)(p - text));
    for (;;) {
        const char *bracket = strchr(p, '('), *end = strstr(p, "\n}\n"), *name = bracket;
        while (name && name > p && strchr(" *", name[-1]) == NULL)
            name--;
        if (!end || !name || strncmp(name, prefix, strlen(prefix)) != 0)
            break;
        char *copy = strndup(p, (size_t)(end + 3 - p));
        if (!cell_buffer_ok(helpers) || !strstr(helpers->data ? helpers->data : "", copy)) {
            cell_buffer_puts(helpers, copy);
            cell_buffer_puts(out, copy);
        }
        free(copy);
        p = end + 3;
    }
    cell_buffer_puts(out, p);
}

/* The names are none that a document can have. */
static void render_caller(struct render *r, const struct hot_entry *one, uint32_t index, bool cplusplus)
{
    char name[64];
    struct cell_buffer *out = r->out;
    const struct ast_function *f = &one->doc->functions[index];
    hot_entry_name(one, index, name, sizeof(name));
    cell_buffer_printf(out,
                       "%sint %s(void *const *cellgen_in, void *cellgen_r)\n{\n    (void)cellgen_in; (void)cellgen_r; ",
                       cplusplus ? "extern \"C\" " : "", name);
    if (f->status) {
        cell_buffer_puts(out, "return ");
    } else {
        cell_buffer_puts(out, "*(");
        render_use(r, &f->returns);
        cell_buffer_puts(out, " *)cellgen_r = ");
    }
    cell_buffer_printf(out, "%s(", f->name);
    for (uint32_t k = 0; k < f->nparams; k++) {
        cell_buffer_puts(out, k ? ", " : "");
        cell_buffer_puts(out, f->params[k].pointer ? "(" : "*(");
        render_use(r, &f->params[k].type);
        cell_buffer_printf(out, " *)cellgen_in[%u]", k);
    }
    cell_buffer_puts(out, f->status ? ");\n}\n" : "); return 0;\n}\n");
}

/* Most documents share their helpers. Where each has its own, which optimisers treat otherwise, they are much to
 * compile. */
static void render_entry(const struct hot_entry *one, unsigned way, struct cell_buffer *out,
                         struct cell_buffer *helpers)
{
    const bool cplusplus = ways[way].cplusplus;
    struct cell_buffer text = {0};
    char unit[32] = "shared";
    if (one->number % 64 == 0)
        snprintf(unit, sizeof(unit), "d%lu", one->number);
    const struct render_options o = {.cplusplus = cplusplus};
    struct render r = render_start(unit, &o, out);
    for (uint32_t i = 0; i < one->doc->types->ntypes; i++)
        render_type(&r, &one->doc->types->types[i]);
    const struct ast_render_options options = {.cplusplus = cplusplus, .fences = ways[way].fences, .unit = unit};
    if (cell_ast_render(one->doc, &options, &text) < 0)
        abort();
    append_without(text.data, unit, out, helpers);
    cell_buffer_free(&text);
    for (uint32_t i = 0; i < one->doc->nfunctions; i++)
        if (!one->doc->functions[i].internal)
            render_caller(&r, one, i, cplusplus);
}

bool hot_compile(const struct hot_options *o, unsigned way, const struct hot_entry *entries, size_t n,
                 unsigned long batch, char *object, size_t object_size, char *command, size_t command_size)
{
    char source[512];
    struct cell_buffer text = {0}, helpers = {0};
    struct cell_error e = {0};
    cell_buffer_puts(&text, "#include <cell/types.h>\n");
    for (size_t i = 0; i < n; i++)
        render_entry(&entries[i], way, &text, &helpers);
    cell_buffer_free(&helpers);
    snprintf(source, sizeof(source), "%s/%lu-%s.%s", o->folder, entries[0].number, ways[way].name,
             ways[way].cplusplus ? "cpp" : "c");
    snprintf(object, object_size, "%s/%lu-%s.so", o->folder, entries[0].number, ways[way].name);
    if (cell_file_replace(source, text.data, text.len, &e) < 0) {
        fprintf(stderr, "differential: %s\n", e.text);
        exit(2);
    }
    cell_buffer_free(&text);
    snprintf(command, command_size, "'%s' -w -shared -fPIC -I'%s' %s %s '%s' -o '%s' -lm", o->compiler, o->include,
             ways[way].flags,
             !ways[way].sanitized ? ""
             : n > 1              ? batch_flags
                                  : one_flags,
             source, object);
    if (system(command) != 0)
        return false;
    if (n > 1)
        remove(source);
    return true;
}
