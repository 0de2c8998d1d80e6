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

/* {"requests": [R]}. One at a time, so that it is seen how far it has come. The place of the declaration is not
 * recorded: in its stead stands where the question is from. */
static int put_request(const struct plans *p, const struct lock_plan *plan, struct cell_buffer *out,
                       struct cell_error *e)
{
    cell_buffer_puts(out, "{\"requests\":[");
    int r = cell_lock_request(plan->question, strlen(plan->question), p->locked ? CELL_LOCK_FOLDER "/" : ".cell/", true,
                              out, e);
    cell_buffer_puts(out, "]}");
    if (r >= 0 && !cell_buffer_ok(out))
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    return r;
}

/* Waits for as long as it takes. */
static int apply_one(const struct plans *p, void *link, const struct lock_plan *plan, uint64_t *steps,
                     struct cell_error *e)
{
    struct cell_buffer request = {0};
    struct cell_applied *applied = NULL;
    const char *reply;
    size_t len;
    int r = put_request(p, plan, &request, e);
    if (r >= 0)
        r = cell_exchange_unix.request(link, CELL_COMPILE_APPLY, request.data, request.len, CELL_NO_DEADLINE, &reply,
                                       &len, e);
    if (r >= 0) {
        r = cell_applied_parse(reply, len, 1, &applied, e);
        if (r < 0)
            r = cell_error_wrap(e, "its report of what it has done is not valid");
    }
    if (r >= 0 && applied->failed)
        r = cell_error_set(e, CELL_FAILED_PRECONDITION, "%s", applied->failure.text);
    if (r >= 0)
        *steps = applied->done[0].steps;
    cell_applied_free(applied);
    cell_buffer_free(&request);
    return r;
}

static int apply_all(struct plans *p, const char *name, const struct lock_live *live, void *link, struct cell_error *e)
{
    struct migration *m = p->user;
    int r = CELL_OK;
    for (uint32_t i = 0; i < live->nplans && r >= 0; i++) {
        const char *key = live->plans[i].key;
        uint64_t steps = 0;
        cli_progress(p->cli, "%s: %.*s (%u of %u)", name, (int)strcspn(key, " "), key, i + 1, live->nplans);
        r = apply_one(p, link, &live->plans[i], &steps, e);
        cli_progress(p->cli, "");
        if (r < 0 && e)
            return cell_error_wrap(e, "'%.*s' was not carried out", (int)strcspn(key, " "), key);
        m->done += (unsigned)steps;
        if (p->cli->json) {
            out_begin(&p->j, NULL, '{');
            out_str(&p->j, "answer", key);
            out_uint(&p->j, "steps", steps);
            out_end(&p->j, '}');
        } else {
            printf("  %.*s: %llu step%s done\n", (int)strcspn(key, " "), key, (unsigned long long)steps,
                   steps == 1 ? "" : "s");
            cli_flush(p->cli);
        }
    }
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
