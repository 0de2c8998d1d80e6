/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell check`: what a new version of a cell would do to programs, told from the programs and its binary alone. */
#include <stdlib.h>
#include <string.h>

#include "consumers.h"
#include "inspect.h"

struct checking {
    struct cli *cli;
    const struct cell_schema *now;
    struct cli_json j;
    struct cell_buffer text;
    unsigned broken;
};

/* What was found of one program, over all schemas that its objects were compiled against. */
struct verdict {
    bool uses, compile, running, changes;
};

static void put_breaks(struct checking *c, unsigned breaks)
{
    out_begin(&c->j, "breaks", '[');
    if (breaks & DIFF_SOURCE)
        out_str(&c->j, NULL, "source");
    if (breaks & DIFF_WIRE)
        out_str(&c->j, NULL, "wire");
    if (breaks & DIFF_ABI)
        out_str(&c->j, NULL, "abi");
    out_end(&c->j, ']');
}

static void put_break(struct checking *c, const struct use_break *b, struct cell_buffer *lines)
{
    out_begin(&c->j, NULL, '{');
    out_str(&c->j, "rule", b->change->id);
    put_breaks(c, b->change->breaks);
    out_str(&c->j, "sentence", b->change->sentence);
    out_str(&c->j, "before", b->change->before);
    out_str(&c->j, "now", b->change->now);
    out_bool(&c->j, "compiles", !b->compile);
    out_bool(&c->j, "refused", b->running);
    out_begin(&c->j, "at", '[');
    cell_buffer_printf(lines, "  %s (%s%s%s)\n", b->change->sentence, b->change->id,
                       b->running ? ", refused as it runs" : "", b->compile ? ", does not compile" : "");
    for (uint32_t i = 0; i < b->nat; i++) {
        char place[4400];

        snprintf(place, sizeof(place), "%s:%u", b->at[i]->file, b->at[i]->line);
        out_str(&c->j, NULL, place);
        cell_buffer_printf(lines, "    %s\n", place);
    }
    out_end(&c->j, ']');
    out_end(&c->j, '}');
}

static const struct used_schema *find_schema(const struct cell_uses *u, const char *fingerprint)
{
    for (uint32_t i = 0; i < u->nschemas; i++)
        if (strcmp(u->schemas[i].fingerprint, fingerprint) == 0)
            return &u->schemas[i];
    return NULL;
}

/* The uses that were compiled against one schema. */
static int check_schema(struct checking *c, const struct cell_uses *u, const char *fingerprint, struct verdict *v,
                        struct cell_buffer *lines, struct cell_error *e)
{
    const struct used_schema *old = find_schema(u, fingerprint);
    struct cell_diff *diff = NULL;
    struct cell_arena arena = {0};
    struct use_break *breaks = NULL;
    uint32_t n = 0;

    if (strcmp(fingerprint, c->now->fingerprint) == 0)
        return CELL_OK;
    if (!old)
        return cell_error_set(e, CELL_FAILED_PRECONDITION, "the schema %.12s that it was compiled against is not in it",
                              fingerprint);
    int r = cell_diff_new(old->schema, c->now, &diff, e);
    if (r >= 0 && (r = cell_uses_check(u, c->now->cell, fingerprint, diff, old->schema, &arena, &breaks, &n)) < 0)
        cell_error_set(e, r, "out of memory");
    for (uint32_t i = 0; r >= 0 && i < n; i++) {
        put_break(c, &breaks[i], lines);
        v->compile |= breaks[i].compile;
        v->running |= breaks[i].running;
        v->changes |= !breaks[i].compile && !breaks[i].running;
    }
    cell_arena_free(&arena);
    cell_diff_free(diff);
    return r;
}

static const char *words(const struct verdict *v)
{
    return v->compile && v->running ? "is refused as it runs, and does not compile against it"
           : v->running             ? "is refused as it runs; compile it again"
           : v->compile             ? "works as it runs, but does not compile against it"
           : v->changes             ? "works, and compiles to something else"
           : v->uses                ? "compatible"
                                    : "does not use it";
}

/* `path`: where a program that was reported was built; NULL or "" = it is not known. */
static int check_uses(struct checking *c, const char *program, const char *path, const struct cell_uses *u,
                      struct cell_error *e)
{
    struct verdict v = {.uses = false};
    struct cell_buffer lines = {0};
    const char *before = NULL;
    int r = CELL_OK;

    out_begin(&c->j, NULL, '{');
    out_str(&c->j, "program", program);
    if (path)
        out_str(&c->j, "path", path);
    out_begin(&c->j, "changes", '[');
    for (uint32_t i = 0; r >= 0 && u && i < u->n; i++) {
        const struct use *x = &u->uses[i];

        if (strcmp(x->cell, c->now->cell) != 0 || (before && strcmp(before, x->fingerprint) == 0))
            continue;
        before = x->fingerprint;
        v.uses = true;
        r = check_schema(c, u, before, &v, &lines, e);
    }
    out_end(&c->j, ']');
    out_bool(&c->j, "uses", v.uses);
    out_bool(&c->j, "compiles", !v.compile);
    out_bool(&c->j, "refused", v.running);
    out_end(&c->j, '}');
    cell_buffer_puts(&c->text, program);
    if (path && *path)
        cell_buffer_printf(&c->text, " (%s)", path);
    cell_buffer_printf(&c->text, ": %s\n", words(&v));
    cell_buffer_append(&c->text, lines.data ? lines.data : "", lines.len);
    cell_buffer_free(&lines);
    c->broken += v.compile || v.running;
    return r;
}

static int check_program(struct checking *c, const char *program)
{
    struct cell_uses *u = NULL;
    struct cell_error e = {0};
    int r = inspect_read(program, NULL, &u, &e);

    if (r == CELL_NOT_FOUND && strstr(e.text, "uses no cell"))
        r = CELL_OK;
    if (r >= 0)
        r = check_uses(c, program, NULL, u, &e);
    cell_uses_free(u);
    return r < 0 ? cli_error(c->cli, CLI_FAILED, NULL, "%s: %s", program, e.text) : CLI_OK;
}

static int check_recorded(struct checking *c, const char *registry)
{
    struct consumer_set set;
    struct cell_error e = {0};
    int r = consumers_gather(c->cli, c->now->cell, registry, false, &set);

    if (r != CLI_OK)
        return r;
    if (set.n == 0)
        r = cli_error(c->cli, CLI_FAILED, "name programs, or report them with `cell report PROGRAM`",
                      "no program that uses %s was reported", c->now->cell);
    for (size_t i = 0; r == CLI_OK && i < set.n; i++) {
        const struct cell_consumer *consumer = set.items[i].consumer;

        if (check_uses(c, consumer->program, consumer->path, consumer->uses, &e) < 0)
            r = cli_error(c->cli, CLI_FAILED, "build and report it again, or forget it: `cell consumers --forget`",
                          "%s: %s", consumer->program, e.text);
    }
    consumers_free(&set);
    return r;
}

static int finish(struct checking *c)
{
    struct cell_buffer safe = {0};

    out_end(&c->j, ']');
    out_uint(&c->j, "broken", c->broken);
    out_end(&c->j, '}');
    int r = CLI_OK;
    if (c->cli->json) {
        r = out_print(c->cli, &c->j);
    } else {
        cli_safe(&safe, c->text.data ? c->text.data : "", c->text.len);
        cli_write(safe.data ? safe.data : "", safe.len);
        cell_buffer_free(&safe);
        r = cli_flush(c->cli);
    }
    return r == CLI_OK && c->broken ? CLI_FAILED : r;
}

static int run(struct cli *cli, const char *against, const char *registry, const struct cli_args *args)
{
    struct cell_schema *now = NULL;
    struct cell_error e = {0};

    if (inspect_read(against, &now, NULL, &e) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "%s: %s", against, e.text);
    struct checking c = {.cli = cli, .now = now};
    out_begin(&c.j, NULL, '{');
    out_str(&c.j, "cell", now->cell);
    out_str(&c.j, "fingerprint", now->fingerprint);
    out_begin(&c.j, "programs", '[');
    int r = args->n ? CLI_OK : check_recorded(&c, registry);
    for (int i = 0; r == CLI_OK && i < args->n; i++)
        r = check_program(&c, args->items[i]);
    if (r == CLI_OK)
        r = finish(&c);
    else
        cell_buffer_free(&c.j.b);
    if (!cli->json)
        cell_buffer_free(&c.j.b);
    cell_buffer_free(&c.text);
    cell_schema_free(now);
    return r;
}

int cmd_check(struct cli *cli, int argc, char **argv)
{
    const char *against = NULL, *registry = NULL;
    const struct cli_option options[] = {{.name = "against", .value = &against},
                                         {.name = "registry", .value = &registry}};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, options, 2, &args);

    if (r != 0)
        return r;
    if (!against)
        return cli_error(cli, CLI_USAGE, "run `cell help check`", "check needs --against, the new program of a cell");
    return run(cli, against, registry, &args);
}
