/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell migrate`: has the cells carry out what they would do for the declarations of the project, without a compiler.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask/ask_unix.h"
#include "locks.h"
#include "transport/transport.h"
#include "wire/frame.h"

struct migration {
    bool yes, declined;
    unsigned done; /* steps */
};

/* One declaration that a cell is asked about. */
struct part {
    const char *key, *question;
    bool planned;
    struct lock_asked says;
};

/* All that a build of these declarations would have the cell carry out, which is planned as one. */
struct work {
    const struct plans *p;
    struct part *parts;
    uint32_t n;
    struct cell_buffer request; /* {"requests": […]} of those that take part, which come first in `parts` */
    uint32_t taken;
};

static int no_memory(struct cell_error *e) { return cell_error_set(e, CELL_NO_MEMORY, "out of memory"); }

static void free_work(struct work *w)
{
    for (uint32_t i = 0; w->parts && i < w->n; i++)
        cell_lock_asked_free(&w->parts[i].says);
    free(w->parts);
    cell_buffer_free(&w->request);
}

/* The plans, then what has none. */
static int list_parts(struct work *w, const struct lock_live *live, struct cell_error *e)
{
    w->parts = calloc(live->nplans + live->lock.nanswers + 1u, sizeof(*w->parts));
    if (!w->parts)
        return no_memory(e);
    for (uint32_t i = 0; i < live->nplans; i++)
        w->parts[w->n++] = (struct part){live->plans[i].key, live->plans[i].question, true, {0}};
    for (uint32_t i = 0; i < live->lock.nanswers; i++) {
        const struct lock_answer *answer = &live->lock.answers[i];
        uint32_t k = 0;
        while (k < live->nplans && strcmp(live->plans[k].key, answer->key) != 0)
            k++;
        if (k == live->nplans)
            w->parts[w->n++] = (struct part){answer->key, answer->question, false, {0}};
    }
    return CELL_OK;
}

/* As of a build (runtime/core/session_apply.c): what has no plan, and the verb or the subject of what has one. */
static bool takes_part(const struct work *w, const struct part *part)
{
    bool found = part->planned;
    for (uint32_t i = 0; i < w->n && w->parts[i].planned && !found; i++) {
        const struct lock_asked *other = &w->parts[i].says;
        found = strcmp(other->verb, part->says.verb) == 0 ||
                (other->subject && part->says.subject && strcmp(other->subject, part->says.subject) == 0);
    }
    return found;
}

/* The place of the declaration is not recorded: in its stead stands where the question is from. */
static int put_part(struct work *w, struct part *part, struct cell_error *e)
{
    struct cell_buffer request = {0}, question = {0};
    char *key = NULL;
    int r = cell_lock_request(part->question, strlen(part->question), w->p->locked ? CELL_LOCK_FOLDER "/" : ".cell/",
                              true, &request, e);
    if (r >= 0)
        r = cell_lock_question(request.data, request.len, &question, &key, &part->says, e);
    if (r >= 0 && takes_part(w, part)) {
        const struct part taken = *part;
        *part = w->parts[w->taken];
        w->parts[w->taken++] = taken;
        cell_buffer_puts(&w->request, w->taken == 1 ? "{\"requests\":[" : ",");
        cell_buffer_append(&w->request, request.data, request.len);
    }
    free(key);
    cell_buffer_free(&request);
    cell_buffer_free(&question);
    return r;
}

static int make_work(struct work *w, const struct lock_live *live, struct cell_error *e)
{
    int r = list_parts(w, live, e);
    for (uint32_t i = 0; r >= 0 && i < w->n; i++)
        r = put_part(w, &w->parts[i], e);
    cell_buffer_puts(&w->request, "]}");
    return r >= 0 && !cell_buffer_ok(&w->request) ? no_memory(e) : r;
}

static void show_done(struct plans *p, const char *key, uint32_t steps)
{
    struct migration *m = p->user;
    m->done += steps;
    if (p->cli->json) {
        out_begin(&p->j, NULL, '{');
        out_str(&p->j, "answer", key);
        out_uint(&p->j, "steps", steps);
        out_end(&p->j, '}');
    } else {
        printf("  %.*s: %u step%s done\n", (int)strcspn(key, " "), key, steps, steps == 1 ? "" : "s");
        cli_flush(p->cli);
    }
}

/* Waits for as long as it takes. */
static int apply(struct plans *p, const char *name, const struct work *w, void *link, struct cell_error *e)
{
    struct cell_applied *applied = NULL;
    const char *reply;
    size_t len;
    cli_progress(p->cli, "%s: carrying out what %u declaration%s need%s", name, w->taken, w->taken == 1 ? "" : "s",
                 w->taken == 1 ? "s" : "");
    int r = cell_exchange_unix.request(link, CELL_COMPILE_APPLY, w->request.data, w->request.len, CELL_NO_DEADLINE,
                                       &reply, &len, e);
    cli_progress(p->cli, "");
    if (r < 0) /* each step is recorded when it is done */
        return e ? cell_error_wrap(e, "how much was carried out is not known, the next run goes on from there") : r;
    r = cell_applied_parse(reply, len, w->taken, &applied, e);
    if (r < 0)
        return cell_error_wrap(e, "its report of what it has done is not valid");
    for (uint32_t i = 0; i < applied->ndone; i++)
        if (applied->done[i].steps)
            show_done(p, w->parts[i].key, (uint32_t)applied->done[i].steps);
    if (applied->failed) {
        const char *key = w->parts[applied->failed_at].key;
        r = cell_error_set(e, CELL_FAILED_PRECONDITION, "'%.*s' was not carried out: %s", (int)strcspn(key, " "), key,
                           applied->failure.text);
    }
    cell_applied_free(applied);
    return r;
}

static int apply_all(struct plans *p, const char *name, const struct lock_live *live, void *link, struct cell_error *e)
{
    struct work w = {.p = p};
    int r = make_work(&w, live, e);
    if (r >= 0)
        r = apply(p, name, &w, link, e);
    free_work(&w);
    return r;
}

static bool confirm(const struct migration *m, const char *name, const struct lock_live *live)
{
    char answer[16] = "";
    if (m->yes)
        return true;
    fprintf(stderr, "Carry out what '%s' is to do for %u declaration%s? [y/N] ", name, live->nplans,
            live->nplans == 1 ? "" : "s");
    fflush(stderr);
    return fgets(answer, sizeof(answer), stdin) && tolower((unsigned char)answer[0]) == 'y';
}

static void migrate_cell(struct plans *p, const char *name, const struct lock_live *live)
{
    struct cell_error e = {0};
    char fingerprint[CELL_FINGERPRINT_LEN + 1] = "";
    void *link = NULL;
    plans_show(p, name, live);
    if (p->cli->json)
        out_begin(&p->j, "applied", '[');
    struct migration *m = p->user;
    int r = CELL_OK;
    bool go = live->nplans && !live->nrefused; /* all of it or nothing */
    if (go && !confirm(m, name, live)) {
        m->declined = true;
        go = false;
    }
    if (go)
        r = cell_exchange_unix.open(cell_config_address(p->cli->config, name), name, p->cli->config->trust_any_owner,
                                    CELL_NO_DEADLINE, &link, fingerprint, &e);
    if (go && r >= 0)
        r = apply_all(p, name, live, link, &e);
    if (link)
        cell_exchange_unix.close(link);
    if (p->cli->json)
        out_end(&p->j, ']');
    if (r < 0)
        plans_fail(p, name, r, NULL, e.text);
}

int cmd_migrate(struct cli *cli, int argc, char **argv)
{
    struct migration m = {.yes = false};
    struct plans p = {.cli = cli, .each = migrate_cell, .user = &m};
    const struct cli_option options[] = {{.name = "locked", .flag = &p.locked},
                                         {.name = "yes", .letter = 'y', .flag = &m.yes}};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, options, 2, &args);

    if (r != 0)
        return r;
    if (!m.yes && (cli->json || !isatty(STDIN_FILENO)))
        return cli_error(cli, CLI_USAGE, "run `cell migrate --yes`", "nobody can be asked whether to go on");
    r = plans_run(&p, &args);
    return r == CLI_OK && m.declined ? CLI_FAILED : r;
}
