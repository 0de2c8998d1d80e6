/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell plan`: what the cells would do for the declarations of the project. */
#include <stdlib.h>
#include <string.h>

#include "locks.h"

void plans_fail(struct plans *p, const char *name, int status, const char *hint, const char *text)
{
    bool unavailable = cli_exit_of(status) == CLI_UNAVAILABLE;
    p->failed++;
    p->unavailable += unavailable;
    if (!p->error[0])
        snprintf(p->error, sizeof(p->error), "%s: %s", name, text);
    if (p->cli->json)
        out_str(&p->j, "message", text);
    else
        cli_complain(p->cli, hint ? hint : unavailable ? "start it with `cell up`" : NULL, "%s: %s", name, text);
}

/* ---- what is shown ---- */

static bool has_step(const struct lock_plan *plan, const struct expansion_step *step, bool same_text)
{
    const struct expansion_plan *of = &plan->x->plan;
    bool found = false;
    for (uint32_t i = 0; i < of->nsteps && step->id && !found; i++)
        found = of->steps[i].id && strcmp(of->steps[i].id, step->id) == 0 &&
                (!same_text || strcmp(of->steps[i].text, step->text) == 0);
    return found;
}

/* A plan before number `i` has the step already: it is one step, whoever needs it. */
static bool is_before(const struct lock_live *live, uint32_t i, const struct expansion_step *step, bool same_text)
{
    bool found = false;
    for (uint32_t k = 0; k < i && !found; k++)
        found = has_step(&live->plans[k], step, same_text);
    return found;
}

/* The other answers that need it. */
static void put_shared(struct cli_json *j, const struct lock_live *live, uint32_t self,
                       const struct expansion_step *step)
{
    bool any = false;
    for (uint32_t i = 0; i < live->nplans; i++) {
        if (i == self || !has_step(&live->plans[i], step, false))
            continue;
        if (!any)
            out_begin(j, "shared", '[');
        any = true;
        out_str(j, NULL, live->plans[i].key);
    }
    if (any)
        out_end(j, ']');
}

static void put_plan(struct cli_json *j, const struct lock_live *live, uint32_t self)
{
    const struct lock_plan *plan = &live->plans[self];
    const struct expansion_plan *of = &plan->x->plan;
    out_begin(j, NULL, '{');
    out_str(j, "answer", plan->key);
    out_str(j, "id", of->id);
    out_begin(j, "steps", '[');
    for (uint32_t i = 0; i < of->nsteps; i++) {
        out_begin(j, NULL, '{');
        out_str(j, "text", of->steps[i].text);
        out_str(j, "kind", of->steps[i].kind);
        out_str(j, "hazard", of->steps[i].hazard);
        put_shared(j, live, self, &of->steps[i]);
        out_end(j, '}');
    }
    out_end(j, ']');
    out_end(j, '}');
}

static void put_plans(struct cli_json *j, const struct lock_live *live)
{
    out_begin(j, "plans", '[');
    for (uint32_t i = 0; i < live->nplans; i++)
        put_plan(j, live, i);
    out_end(j, ']');
    out_begin(j, "refused", '[');
    for (uint32_t i = 0; i < live->nrefused; i++) {
        out_begin(j, NULL, '{');
        out_str(j, "answer", live->refused[i].key);
        out_str(j, "message", live->refused[i].text);
        out_end(j, '}');
    }
    out_end(j, ']');
}

/* Lines of a step stand below each other. */
static void print_step(const struct cli *cli, const struct expansion_step *step)
{
    const char *indent = "    ";
    for (const char *line = step->text; line;) {
        size_t len = strcspn(line, "\n");
        struct cell_buffer safe = {0};
        cli_safe(&safe, line, len);
        printf("%s%s\n", indent, cell_buffer_ok(&safe) && safe.data ? safe.data : "");
        cell_buffer_free(&safe);
        line = line[len] ? line + len + 1 : NULL;
        indent = "        ";
    }
    if (!step->hazard)
        return;
    printf("      %s", cli_style(cli, stdout, CLI_YELLOW));
    cli_print_safe(stdout, step->hazard);
    printf("%s\n", cli_style(cli, stdout, CLI_PLAIN));
}

static unsigned count_steps(const struct lock_live *live)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < live->nplans; i++)
        for (uint32_t k = 0; k < live->plans[i].x->plan.nsteps; k++)
            n += !is_before(live, i, &live->plans[i].x->plan.steps[k], false);
    return n;
}

void plans_show(struct plans *p, const char *name, const struct lock_live *live)
{
    unsigned steps = count_steps(live);
    p->steps += steps;
    if (p->cli->json) {
        put_plans(&p->j, live);
        return;
    }
    if (!steps)
        printf("%s: nothing to do\n", name);
    else
        printf("%s%s%s: %u step%s\n", cli_style(p->cli, stdout, CLI_BOLD), name, cli_style(p->cli, stdout, CLI_PLAIN),
               steps, steps == 1 ? "" : "s");
    for (uint32_t i = 0; i < live->nplans; i++) {
        bool any = false;
        for (uint32_t k = 0; k < live->plans[i].x->plan.nsteps; k++) {
            const struct expansion_step *step = &live->plans[i].x->plan.steps[k];
            if (is_before(live, i, step, true))
                continue;
            if (!any)
                printf("  %.*s\n", (int)strcspn(live->plans[i].key, " "), live->plans[i].key);
            any = true;
            print_step(p->cli, step);
        }
    }
}

/* ---- which cells ---- */

/* What is refused keeps a build from succeeding; it is told with each cell. */
static void tell_refused(struct plans *p, const char *name, const struct lock_live *live)
{
    for (uint32_t i = 0; i < live->nrefused; i++) {
        char text[CELL_ERROR_TEXT + 160];
        snprintf(text, sizeof(text), "it refuses '%.*s': %s", (int)strcspn(live->refused[i].key, " "),
                 live->refused[i].key, live->refused[i].text);
        if (!p->error[0])
            snprintf(p->error, sizeof(p->error), "%s: %.500s", name, text);
        if (!p->cli->json)
            cli_complain(p->cli, NULL, "%s: %s", name, text);
        p->failed++;
    }
}

static int ask_cell(struct plans *p, const char *name, struct lock_live *live, struct cell_error *e)
{
    struct cell_lock *lock = NULL;
    int r = p->locked ? cell_lock_read(p->dir, name, &lock, e) : CELL_OK;
    const struct lock_wanted wanted = {
        .locks = {lock, NULL}, .records = p->locked ? NULL : &p->records, .dir = p->dir, .only_used = !p->locked};
    if (r >= 0)
        r = locks_ask(p->cli, name, &wanted, live, e);
    cell_lock_free(lock);
    return r;
}

static void each(struct plans *p, const char *name)
{
    struct lock_live live = {.lock = {.cell = name}};
    struct cell_error e = {0};
    if (p->cli->json) {
        out_begin(&p->j, NULL, '{');
        out_str(&p->j, "name", name);
    }
    int r = ask_cell(p, name, &live, &e);
    if (r < 0) {
        plans_fail(p, name, r, NULL, e.text);
    } else {
        tell_refused(p, name, &live);
        p->each(p, name, &live);
        locks_live_free(&live);
    }
    if (p->cli->json)
        out_end(&p->j, '}');
}

static bool has_answer(const struct cell_records *records, const char *name)
{
    for (uint32_t i = 0; i < records->n; i++)
        if (records->uses[i].key && strcmp(records->uses[i].cell, name) == 0)
            return true;
    return false;
}

static int every(struct plans *p, struct cell_error *e)
{
    struct cell_arena arena = {0};
    const char *const *names = NULL;
    const char *last = "";
    int r = p->locked ? cell_lock_list(p->dir, &arena, &names, e) : CELL_OK;
    for (size_t i = 0; r >= 0 && p->locked && names[i]; i++)
        each(p, names[i]);
    bool built = false;
    for (uint32_t i = 0; r >= 0 && !p->locked && i < p->records.n; i++) {
        const char *name = p->records.uses[i].cell;
        if (strcmp(name, last) != 0 && has_answer(&p->records, name)) {
            each(p, name);
            built = true;
        }
        last = name;
    }
    if (r >= 0 && !p->locked && !built)
        cli_warn(p->cli,
                 "no object was built here that asks a cell for something, and a build that failed has made none: "
                 "build with CELL_MODE=plan, which needs nothing done, or use --locked");
    cell_arena_free(&arena);
    return r;
}

static int finish(struct plans *p)
{
    int code = p->failed > p->unavailable ? CLI_FAILED : p->unavailable ? CLI_UNAVAILABLE : CLI_OK;
    if (!p->cli->json)
        return code;
    out_end(&p->j, ']');
    if (code == CLI_OK) {
        out_null(&p->j, "error");
    } else {
        out_begin(&p->j, "error", '{');
        out_int(&p->j, "exit", p->failure ? p->failure : code);
        out_str(&p->j, "message", p->error);
        out_str(&p->j, "hint", code == CLI_UNAVAILABLE ? "run `cell up`" : NULL);
        out_end(&p->j, '}');
    }
    out_end(&p->j, '}');
    int printed = out_print(p->cli, &p->j);
    return code != CLI_OK ? code : printed;
}

int plans_run(struct plans *p, const struct cli_args *args)
{
    struct cell_error e = {0};
    for (int i = 0; i < args->n; i++)
        if (!cell_is_identifier(args->items[i]))
            return cli_error(p->cli, CLI_USAGE, "run `cell list`", "'%s' cannot be the name of a cell", args->items[i]);
    p->dir = locks_dir(p->cli);
    if (!p->dir)
        return CLI_FAILED;
    int r = cell_records_read(p->dir, &p->records, &e);
    if (r >= 0 && p->cli->json) {
        out_begin(&p->j, NULL, '{');
        out_begin(&p->j, "cells", '[');
    }
    for (int i = 0; r >= 0 && i < args->n; i++)
        each(p, args->items[i]);
    if (r >= 0 && !args->n)
        r = every(p, &e);
    cell_records_free(&p->records);
    if (r >= 0)
        return finish(p);
    cell_buffer_free(&p->j.b);
    return cli_error(p->cli, CLI_FAILED, NULL, "%s", e.text);
}

/* 0: there is nothing to do. As of `diff`: a script asks this. */
enum { PLAN_STEPS = 1, PLAN_ERROR = 2 };

int cmd_plan(struct cli *cli, int argc, char **argv)
{
    struct plans p = {.cli = cli, .each = plans_show, .failure = PLAN_ERROR};
    const struct cli_option options[] = {{.name = "locked", .flag = &p.locked}};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, options, 1, &args);

    if (r != 0)
        return r;
    r = plans_run(&p, &args);
    return r != CLI_OK ? p.failure : p.steps ? PLAN_STEPS : CLI_OK;
}
