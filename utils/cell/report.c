/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell report`: tells cells what programs use of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "consumers.h"
#include "inspect.h"

#define REPORT_MS 5000u
#define BUILD_MS 500u /* a build does not wait for a cell that hangs */

struct reporting {
    struct cli *cli;
    const char *registry; /* NULL: the cells are told */
    const char *as;       /* NULL: the program's name and path */
    bool build;           /* cells that run are told, and nothing is said */
    struct cli_json j;
};

/* SHA-256 of a file of any size. */
static int hash_file(const char *path, char hex[65], struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    unsigned char bytes[65536];
    uint8_t digest[32];
    struct cell_sha256 h;
    ssize_t n = -1;

    cell_sha256_init(&h);
    while (fd >= 0 && ((n = read(fd, bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0)
            cell_sha256_update(&h, bytes, (size_t)n);
    if (n < 0)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot read it");
    cell_sha256_final(&h, digest);
    for (unsigned i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return CELL_OK;
}

/* Into the folder, when the cell is not there. */
static int keep_in_folder(struct reporting *p, const struct cell_consumer *c, struct cell_error *e)
{
    struct cell_buffer folder = {0};
    bool replaced;
    char *dir = p->registry || p->cli->config->dir ? consumers_dir(p->cli, p->registry) : NULL;

    if (!dir)
        return cell_error_set(e, CELL_FAILED_PRECONDITION, "there is no cell.json beside which to record it");
    cell_buffer_printf(&folder, "%s/%s", dir, c->cell);
    free(dir);
    int r = cell_buffer_ok(&folder) ? cell_consumers_put(folder.data, c, &replaced, e)
                                    : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    cell_buffer_free(&folder);
    return r;
}

/* What the folder has of it from before is not news any more. */
static void drop_from_folder(struct reporting *p, const struct cell_consumer *c)
{
    struct cell_buffer folder = {0};
    uint32_t n;

    if (!p->cli->config->dir)
        return;
    cell_buffer_printf(&folder, "%s/.cell/consumers/%s", p->cli->config->dir, c->cell);
    if (cell_buffer_ok(&folder))
        cell_consumers_forget(folder.data, c->program, c->path, &n, NULL);
    cell_buffer_free(&folder);
}

static int tell(struct reporting *p, struct cell_consumer *c, bool *told, struct cell_error *e)
{
    const struct consumer_link to = {cell_config_address(p->cli->config, c->cell), c->cell,
                                     p->cli->config->trust_any_owner, p->build ? BUILD_MS : REPORT_MS};
    struct cell_error why = {0};
    int r = to.address ? link_report(&to, c, &why) : cell_error_set(&why, CELL_NO_MEMORY, "out of memory");

    *told = r >= 0;
    if (r >= 0) {
        drop_from_folder(p, c);
        return r;
    }
    if (p->build || !link_is_closed(r) || !p->cli->config->dir)
        return cell_error_set(e, r, "%s", why.text);
    c->reported = (int64_t)time(NULL);
    r = keep_in_folder(p, c, e);
    if (r >= 0)
        cli_warn(p->cli, "%s was not told: %s; recorded in .cell/consumers instead", c->cell, why.text);
    return r;
}

static int report_to(struct reporting *p, struct cell_consumer *c, struct cell_error *e)
{
    bool told = false;
    int r;

    if (p->registry) {
        c->reported = (int64_t)time(NULL);
        r = keep_in_folder(p, c, e);
    } else {
        r = tell(p, c, &told, e);
    }
    if (r < 0)
        return p->build ? CELL_OK : cell_error_wrap(e, "%s", c->cell);
    out_begin(&p->j, NULL, '{');
    out_str(&p->j, "cell", c->cell);
    out_str(&p->j, "kept_by", told ? "cell" : "folder");
    out_end(&p->j, '}');
    if (!p->build)
        cli_say(p->cli, "%s uses %s", c->program, c->cell);
    return r;
}

static int report_cells(struct reporting *p, const char *program, struct cell_uses *uses, struct cell_error *e)
{
    char name[CELL_MAX_NAME + 1], build[65];
    CELL_CLEANUP(cell_cleanup_free) char *path = p->as ? strdup("") : realpath(program, NULL);
    char project[CELL_FINGERPRINT_LEN + 1] = "";
    struct cell_consumer c = {.program = name, .path = path, .build = build, .project = project, .uses = uses};
    int r = path ? hash_file(program, build, e) : cell_error_errno(e, CELL_IO_ERROR, errno, "cannot find it");

    cell_consumer_name(p->as ? p->as : program, name);
    /* A name alone stands for what was deployed, which no build of a project replaces. */
    if (!p->as && p->cli->config && p->cli->config->dir)
        cell_project_id(p->cli->config->dir, project);
    out_begin(&p->j, NULL, '{');
    out_str(&p->j, "program", name);
    out_begin(&p->j, "cells", '[');
    for (uint32_t i = 0; r >= 0 && i < uses->n; i++) {
        if (c.cell && strcmp(c.cell, uses->uses[i].cell) == 0)
            continue;
        c.cell = uses->uses[i].cell;
        r = report_to(p, &c, e);
    }
    out_end(&p->j, ']');
    out_end(&p->j, '}');
    return r;
}

static int report_program(struct reporting *p, const char *program)
{
    struct cell_uses *uses = NULL;
    struct cell_error e = {0};
    int r = inspect_read(program, NULL, &uses, &e);

    if (r >= 0)
        r = report_cells(p, program, uses, &e);
    cell_uses_free(uses);
    return r < 0 && !p->build ? cli_error(p->cli, CLI_FAILED, NULL, "%s: %s", program, e.text) : CLI_OK;
}

static int run(struct reporting *p, const struct cli_args *args)
{
    int r = CLI_OK;

    if (!p->registry && !cli_config(p->cli, false))
        return CLI_FAILED;
    out_begin(&p->j, NULL, '{');
    out_begin(&p->j, "programs", '[');
    for (int i = 0; r == CLI_OK && i < args->n; i++)
        r = report_program(p, args->items[i]);
    out_end(&p->j, ']');
    out_end(&p->j, '}');
    if (r == CLI_OK && p->cli->json)
        return out_print(p->cli, &p->j);
    cell_buffer_free(&p->j.b);
    return r;
}

int cmd_report(struct cli *cli, int argc, char **argv)
{
    struct reporting p = {.cli = cli};
    const struct cli_option options[] = {{.name = "registry", .value = &p.registry},
                                         {.name = "as", .value = &p.as},
                                         {.name = "build", .flag = &p.build}};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, options, 3, &args);

    if (r != 0)
        return r;
    if (args.n == 0)
        return cli_error(cli, CLI_USAGE, "run `cell help report`", "report takes the programs to report");
    if (p.as && (args.n != 1 || !*p.as))
        return cli_error(cli, CLI_USAGE, "run `cell help report`", "--as names one program");
    if (p.build && p.registry)
        return cli_error(cli, CLI_USAGE, "run `cell help report`", "--build tells cells, --registry names a folder");
    r = run(&p, &args);
    return p.build && !cli->json ? CLI_OK : r;
}
