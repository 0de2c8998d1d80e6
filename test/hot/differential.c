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
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "differential.h"
#include "interpret.h"
#include "values.h"
#include "wire/limits.h"

static const char usage[] =
    "usage: hot_differential [--first N] [--documents N] [--seed S] [--compiler CLANG] [--include DIR]\n"
    "                        [--batch N] [--rarely N] [--folder DIR] [--statistics] [--complete] [FILE]\n"
    "Makes the random documents number N and up (default 0; 100 of them) of the sequence S, half of them broken by a\n"
    "random change, and compares what is accepted, --batch of them (default 50) in one file for the compiler.\n"
    "Without --compiler they are only interpreted, where every proof of the verifier is checked. --rarely: only every\n"
    "Nth batch is compiled as C++ and with -ffast-math, and with the checks of pointers, too. --statistics says what "
    "the documents consisted of;\n"
    "--complete fails when some operation, type, proof or check does not occur in them. With FILE, that document is\n"
    "compared instead, with its functions' arguments random.\n";

#define RUNS 6u /* of each function, with other arguments */

static struct counts {
    unsigned long interpreted, compiled[HOT_WAYS], functions, runs, faults, overlaps;
} *counts; /* shared with the processes that compare */

static unsigned long accepted[2], refused[2]; /* as they were made, and changed */
static const char *looked_at;                 /* the document that the verifier is at */

static void die(const char *what)
{
    fprintf(stderr, "differential: %s: %s\n", what, strerror(errno));
    exit(2);
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

typedef int hot_compiled(void *const *arguments, void *returns);

/* Outputs may lie where inputs do: `output` becomes the object of `input`. False: there are no two of one type. */
static bool overlap(const struct ast_function *f, void **arguments, uint32_t *output, uint32_t *input)
{
    for (uint32_t o = 0; o < f->nparams; o++)
        for (uint32_t i = 0; f->params[o].out && i < f->nparams; i++)
            if (f->params[i].pointer && !f->params[i].out &&
                cell_ast_same_type(&f->params[i].type, &f->params[o].type)) {
                free(arguments[o]);
                arguments[o] = arguments[i];
                *output = o;
                *input = i;
                return true;
            }
    return false;
}

/* Whether compiled code gives that status and those results. */
static bool computes(const struct ast_function *f, hot_compiled *compiled, void *const *arguments, bool may_overlap,
                     int status, void *const *right, const void *result)
{
    void *theirs[CELL_MAX_PARAMS + 1];
    void *returns = clone_outputs(f, arguments, theirs);
    uint32_t output = UINT32_MAX, input = UINT32_MAX;
    const bool one = may_overlap && overlap(f, theirs, &output, &input);
    bool same = compiled(theirs, returns) == status;
    for (uint32_t i = 0; i < f->nparams && same; i++)
        if (!one || i != (status < 0 ? output : input)) /* of the two only one is left */
            same = hot_same_object(right[i], theirs[i], &f->params[i].type);
    if (same && !f->status)
        same = hot_same_object(result, returns, &f->returns);
    counts->overlaps += one;
    for (uint32_t i = 0; i < f->nparams; i++)
        if (!one || i != output)
            free(theirs[i]);
    free(returns);
    return same;
}

static void compare(const struct hot_entry *one, const struct ast_function *f, hot_compiled *const *compiled,
                    void *const *arguments, bool may_overlap)
{
    struct hot_machine m = {.doc = one->doc};
    void *mine[CELL_MAX_PARAMS + 1];
    void *result = clone_outputs(f, arguments, mine);
    const int status = hot_interpret(&m, f, mine, result);
    counts->runs++;
    counts->faults += status < 0;
    for (unsigned w = 0; w < HOT_WAYS; w++)
        if (compiled[w] && !computes(f, compiled[w], arguments, may_overlap, status, mine, result)) {
            fprintf(stderr, "differential: '%s' compiled as %s is not what the interpreter computes (status %d)%s\n",
                    f->name, hot_way_name(w), status, may_overlap ? ", or not where an output is an input" : "");
            _exit(1);
        }
    for (uint32_t i = 0; i < f->nparams; i++)
        free(mine[i]);
    free(result);
    cell_arena_free(&m.arena);
}

static void compare_entry(const struct hot_entry *one, void *const *libraries)
{
    struct hot_random random = one->random;
    for (uint32_t k = 0; k < one->doc->nfunctions; k++) {
        const struct ast_function *f = &one->doc->functions[k];
        hot_compiled *compiled[HOT_WAYS] = {NULL};
        char name[64];
        if (f->internal)
            continue;
        hot_entry_name(one, k, name, sizeof(name));
        for (unsigned w = 0; w < HOT_WAYS; w++)
            if (libraries[w] && !(*(void **)&compiled[w] = dlsym(libraries[w], name)))
                die(name);
        counts->functions++;
        for (unsigned run = 0; run < RUNS; run++) {
            void *arguments[CELL_MAX_PARAMS + 1];
            for (uint32_t p = 0; p < f->nparams; p++)
                arguments[p] = hot_random_object(&random, &f->params[p].type);
            compare(one, f, compiled, arguments, run % 2 == 1);
            for (uint32_t p = 0; p < f->nparams; p++)
                free(arguments[p]);
        }
    }
    counts->interpreted++;
    for (unsigned w = 0; w < HOT_WAYS; w++)
        counts->compiled[w] += libraries[w] != NULL;
}

/* Loads what was compiled and compares, in a process of its own, since a disagreement may well end it; what that writes
 * goes to `log`, or with NULL to whoever looks on. */
static bool compare_all(const struct hot_entry *entries, size_t n, char (*objects)[512], const char *log)
{
    int status = 0;
    void *libraries[HOT_WAYS] = {NULL};
    fflush(stdout);
    const pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        if (log && !freopen(log, "w", stderr))
            _exit(2);
        for (unsigned w = 0; w < HOT_WAYS; w++)
            if (*objects[w] && !(libraries[w] = dlopen(objects[w], RTLD_NOW | RTLD_LOCAL))) {
                fprintf(stderr, "differential: %s\n", dlerror());
                _exit(2);
            }
        for (size_t i = 0; i < n; i++)
            compare_entry(&entries[i], libraries);
        _exit(0);
    }
    if (waitpid(pid, &status, 0) != pid)
        die("waitpid");
    return status == 0;
}

/* Compiles, compares, and removes what was compiled. */
static bool run_some(const struct hot_options *o, const struct hot_entry *entries, size_t n, unsigned long batch,
                     const char *log)
{
    char objects[HOT_WAYS][512] = {{0}}, command[2048];
    const struct counts before = *counts;
    bool good = true;
    for (unsigned w = 0; w < HOT_WAYS && good; w++) {
        if (!hot_way_applies(o, w, batch))
            continue;
        good = hot_compile(o, w, entries, n, batch, objects[w], sizeof(objects[w]), command, sizeof(command));
        if (!good && n == 1)
            fprintf(stderr, "differential: does not compile: %s\n", command);
    }
    good = good && compare_all(entries, n, objects, log);
    for (unsigned w = 0; w < HOT_WAYS; w++)
        if (*objects[w])
            unlink(objects[w]);
    if (!good)
        *counts = before;
    return good;
}

/* Where something is wrong in a batch, its documents are tried one by one. */
static void run_batch(const struct hot_options *o, struct hot_entry *entries, size_t n, unsigned long batch)
{
    char log[512];
    snprintf(log, sizeof(log), "%s/batch.log", o->folder);
    const bool good = n > 1 && run_some(o, entries, n, batch, log);
    for (size_t i = 0; i < n && !good; i++)
        if (!run_some(o, &entries[i], 1, batch, NULL)) {
            fprintf(stderr, "differential: document %lu of seed %llu:\n%s\n", entries[i].number,
                    (unsigned long long)o->seed, entries[i].json);
            exit(1);
        }
    if (!good && n > 1) {
        fprintf(stderr, "differential: %zu documents from %lu of seed %llu on fail together, and none by itself: %s\n",
                n, entries[0].number, (unsigned long long)o->seed, log);
        exit(1);
    }
    for (size_t i = 0; i < n; i++) {
        cell_ast_free(entries[i].doc);
        free(entries[i].json);
    }
}

/* ---- documents ---- */

static bool take(struct cell_buffer *text, bool changed, struct hot_entry *one)
{
    static const struct ast_limits limits = {.cost = 20000}; /* the interpreter is not fast */
    struct cell_error e = {0};
    looked_at = text->data;
    const int r = cell_ast_parse(text->data, text->len, &limits, &one->doc, &e);
    looked_at = NULL;
    (r < 0 ? refused : accepted)[changed]++;
    if (r < 0) {
        hot_count_refused(e.text);
        cell_buffer_free(text);
        return false;
    }
    hot_count_accepted(one->doc);
    one->json = text->data;
    return true;
}

static bool make(const struct hot_options *o, unsigned long number, struct hot_entry *one)
{
    struct cell_buffer text = {0}, changed = {0};
    *one = (struct hot_entry){.number = number};
    one->random.state = ((o->seed + 1) * UINT64_C(0x9e3779b97f4a7c15)) ^ ((number + 1) * UINT64_C(0xd1342543de82ef95));
    one->random.state += one->random.state == 0;
    for (unsigned i = 0; i < 4; i++) /* the first ones of neighbours are alike */
        hot_next(&one->random);
    hot_generate(&one->random, (unsigned)number, &text);
    if (number % 2 == 0)
        return take(&text, false, one);
    hot_mutate(&one->random, &text, &changed);
    cell_buffer_free(&text);
    return take(&changed, true, one);
}

static int run_file(const struct hot_options *o)
{
    struct hot_entry one = {.random = {(o->seed + 1) * UINT64_C(0x9e3779b97f4a7c15)}};
    struct cell_error e = {0};
    size_t len;
    if (cell_file_read(o->file, CELL_AST_MAX_BYTES, &one.json, &len, &e) < 0 ||
        cell_ast_parse(one.json, len, NULL, &one.doc, &e) < 0) {
        fprintf(stderr, "%s: %s\n", o->file, e.text);
        free(one.json);
        return 1;
    }
    run_batch(o, &one, 1, 0);
    return 0;
}

/* Whether all names are its own: a change may have given it those of another one. */
static bool fits_batch(const struct hot_entry *one)
{
    char own[32];
    bool fits = true;
    const int len = snprintf(own, sizeof(own), "d%lu_", one->number);
    for (uint32_t i = 0; i < one->doc->nfunctions; i++)
        fits = fits && strncmp(one->doc->functions[i].name, own, (size_t)len) == 0;
    return fits;
}

static void run_documents(const struct hot_options *o)
{
    struct hot_entry *entries = calloc(o->batch, sizeof(*entries));
    size_t n = 0;
    unsigned long batch = 0;
    for (unsigned long i = 0; i < o->documents; i++) {
        if (!make(o, o->first + i, &entries[n]))
            continue;
        if (!fits_batch(&entries[n])) {
            run_batch(o, &entries[n], 1, 1);
        } else if (++n == o->batch) {
            run_batch(o, entries, n, batch++);
            n = 0;
        }
    }
    if (n)
        run_batch(o, entries, n, batch);
    free(entries);
}

static void print_counts(void)
{
    const unsigned long all = accepted[0] + accepted[1] + refused[0] + refused[1];
    printf("%lu documents generated; accepted %lu: %lu of %lu as made, %lu of %lu changed\n", all,
           accepted[0] + accepted[1], accepted[0], accepted[0] + refused[0], accepted[1], accepted[1] + refused[1]);
    printf("interpreted %lu", counts->interpreted);
    for (unsigned w = 0; w < HOT_WAYS; w++)
        printf(", compiled as %s %lu", hot_way_name(w), counts->compiled[w]);
    printf("; %lu functions, %lu runs, of which %lu failed as they should; %lu with an output on an input\n",
           counts->functions, counts->runs, counts->faults, counts->overlaps);
}

/* Where the verifier itself crashes or leaves its limits, the sanitizers do not know the document. */
static void last_words(void)
{
    if (looked_at)
        fprintf(stderr, "differential: the verifier was at:\n%s\n", looked_at);
}

void __sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));

static const char *value_of(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return otherwise;
}

static bool has(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    if (has(argc, argv, "--help")) {
        fputs(usage, stdout);
        return 0;
    }
    const bool statistics = has(argc, argv, "--statistics"), complete = has(argc, argv, "--complete");
    struct hot_options o = {.documents = strtoul(value_of(argc, argv, "--documents", "100"), NULL, 10),
                            .first = strtoul(value_of(argc, argv, "--first", "0"), NULL, 10),
                            .batch = strtoul(value_of(argc, argv, "--batch", "50"), NULL, 10),
                            .rarely = strtoul(value_of(argc, argv, "--rarely", "1"), NULL, 10),
                            .seed = strtoull(value_of(argc, argv, "--seed", "1"), NULL, 10),
                            .folder = value_of(argc, argv, "--folder", "."),
                            .compiler = value_of(argc, argv, "--compiler", NULL),
                            .include = value_of(argc, argv, "--include", "include"),
                            .file = (argc - statistics - complete) % 2 == 0 ? argv[argc - 1] : NULL};
    o.batch += o.batch == 0;
    counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED || cell_mkdirs(o.folder, NULL) < 0)
        die(o.folder);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(last_words);
    if (o.file)
        return run_file(&o);
    run_documents(&o);
    print_counts();
    if (statistics)
        hot_print_statistics();
    if (complete && !hot_statistics_complete())
        return 1;
    return (accepted[0] + accepted[1]) * 4 < o.documents || counts->faults == 0; /* else this test is none */
}
