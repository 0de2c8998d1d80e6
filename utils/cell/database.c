/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell psql`, `cell dump`, `cell restore`, `cell upgrade`: PostgreSQL's own programs on the database of a cell. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"
#include "core/json.h"
#include "supervisor.h"

#define TIMEOUT_MS 10000
#define MAX_ARGUMENTS 64

/* Where the cell says that its database is. */
struct database {
    struct cell_buffer reply;
    struct cell_json doc;
    struct json_at out, server;
    const char *conninfo, *bindir;
};

static void database_free(struct database *d)
{
    cell_json_free(&d->doc);
    cell_buffer_free(&d->reply);
}

static int database_find(struct cli *cli, const char *cell, struct database *d)
{
    struct cell_error e = {0};
    int r = call_method(cli, cell, "connection", NULL, 0, TIMEOUT_MS, &d->reply);

    if (r != CLI_OK)
        return r;
    if (cell_json_load(d->reply.data, d->reply.len, CELL_PROTOCOL_ERROR, &d->doc, &e) < 0 ||
        cell_json_object(&d->doc.root, "out", JSON_REQUIRED, &d->out, &e) < 0 ||
        cell_json_object(&d->out, "server", JSON_REQUIRED, &d->server, &e) < 0 ||
        cell_json_string(&d->server, "conninfo", JSON_REQUIRED, &d->conninfo, &e) < 0 ||
        cell_json_string(&d->server, "bindir", JSON_REQUIRED, &d->bindir, &e) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "the cell's answer is not what was expected: %s", e.text);
    return CLI_OK;
}

/* A program of the server's version where the cell knows one; else from PATH. */
static void name_program(const struct database *d, const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", d->bindir, name);
    if (!d->bindir[0] || access(path, X_OK) < 0)
        snprintf(path, size, "%s", name);
}

static int not_started(struct cli *cli, const char *program)
{
    return cli_error(cli, CLI_FAILED, errno == ENOENT ? "install the package postgresql-client" : NULL, "%s: %s",
                     program, strerror(errno));
}

/* Waits for a program that does what the command is for; its own messages say why when it fails. */
static int run_program(struct cli *cli, const char *const *argv)
{
    pid_t pid = fork();
    int status = 0;

    if (pid < 0)
        return cli_error(cli, CLI_FAILED, NULL, "fork: %s", strerror(errno));
    if (pid == 0) {
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(not_started(cli, argv[0]));
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? CLI_OK : CLI_FAILED;
}

/* The cell among the operands before "--", and what stands behind. */
static int take_operands(struct cli *cli, const struct cli_args *args, int from, const char **cell, const char **argv,
                         int *n)
{
    int before = args->n - args->nafter - from;

    if (before > 1)
        return cli_error(cli, CLI_USAGE, NULL, "%s is about one cell; arguments of the program stand behind --",
                         cli->command);
    *cell = before == 1 ? args->items[from] : "postgres";
    for (int i = args->n - args->nafter; i < args->n; i++) {
        if (*n == MAX_ARGUMENTS - 1)
            return cli_error(cli, CLI_USAGE, NULL, "too many arguments");
        argv[(*n)++] = args->items[i];
    }
    argv[*n] = NULL;
    return CLI_OK;
}

int cmd_psql(struct cli *cli, int argc, char **argv)
{
    char program[4096];
    const char *args[MAX_ARGUMENTS] = {program, "-d", NULL}, *cell;
    struct cli_args operands;
    struct database d = {0};
    int n = 3, r = cli_parse(cli, argc, argv, NULL, 0, &operands);

    if (r == 0)
        r = take_operands(cli, &operands, 0, &cell, args, &n);
    if (r == 0)
        r = database_find(cli, cell, &d);
    if (r == 0) {
        name_program(&d, "psql", program, sizeof(program));
        args[2] = d.conninfo;
        execvp(program, (char *const *)(uintptr_t)args);
        r = not_started(cli, program);
    }
    database_free(&d);
    return r;
}

int cmd_dump(struct cli *cli, int argc, char **argv)
{
    char program[4096], part[4096];
    const char *output = NULL, *cell;
    const struct cli_option options[] = {{.name = "output", .letter = 'o', .value = &output}};
    const char *args[MAX_ARGUMENTS] = {program, "-d", NULL, NULL};
    struct cli_args operands;
    struct database d = {0};
    int n = 3, r = cli_parse(cli, argc, argv, options, 1, &operands);

    if (r == 0 && output) {
        args[n++] = "-Fc";
        args[n++] = "-f";
        args[n++] = part;
    }
    if (r == 0)
        r = take_operands(cli, &operands, 0, &cell, args, &n);
    if (r == 0 && output && snprintf(part, sizeof(part), "%s.part", output) >= (int)sizeof(part))
        r = cli_error(cli, CLI_USAGE, NULL, "--output: the path is too long");
    if (r == 0)
        r = database_find(cli, cell, &d);
    if (r == 0) {
        name_program(&d, "pg_dump", program, sizeof(program));
        args[2] = d.conninfo;
        r = run_program(cli, args);
    }
    /* A file of that name is a backup that is complete. */
    if (r == 0 && output && rename(part, output) < 0)
        r = cli_error(cli, CLI_FAILED, NULL, "%s: %s", output, strerror(errno));
    if (r != 0 && output)
        unlink(part);
    database_free(&d);
    return r;
}

/* Archives of pg_dump begin with this. */
static int is_archive(struct cli *cli, const char *path, bool *archive)
{
    char magic[5] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return cli_error(cli, CLI_FAILED, NULL, "%s: %s", path, strerror(errno));
    *archive = read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) && memcmp(magic, "PGDMP", sizeof(magic)) == 0;
    close(fd);
    return CLI_OK;
}

static int restore(struct cli *cli, const struct database *d, const char *file, bool archive, bool clean)
{
    char program[4096];
    const char *const with_psql[] = {program,     "-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-d",
                                     d->conninfo, "-f", file, NULL};
    const char *with_restore[12] = {program, "--single-transaction", "--exit-on-error", "-d", d->conninfo};
    int n = 5;

    name_program(d, archive ? "pg_restore" : "psql", program, sizeof(program));
    if (!archive)
        return run_program(cli, with_psql);
    if (clean) {
        with_restore[n++] = "--clean";
        with_restore[n++] = "--if-exists";
    }
    with_restore[n] = file;
    return run_program(cli, with_restore);
}

int cmd_restore(struct cli *cli, int argc, char **argv)
{
    bool clean = false, archive = false;
    const struct cli_option options[] = {{.name = "clean", .flag = &clean}};
    const char *none[MAX_ARGUMENTS], *cell;
    struct cli_args operands;
    struct database d = {0};
    int n = 0, r = cli_parse(cli, argc, argv, options, 1, &operands);

    if (r == 0 && operands.n == 0)
        r = cli_error(cli, CLI_USAGE, "run `cell help restore`", "restore needs the file of a backup");
    if (r == 0)
        r = take_operands(cli, &operands, 1, &cell, none, &n);
    if (r == 0)
        r = is_archive(cli, operands.items[0], &archive);
    if (r == 0 && clean && !archive)
        r = cli_error(cli, CLI_USAGE, NULL, "--clean is for archives of `cell dump --output`");
    if (r == 0)
        r = database_find(cli, cell, &d);
    if (r == 0)
        r = restore(cli, &d, operands.items[0], archive, clean);
    database_free(&d);
    return r;
}

int cmd_upgrade(struct cli *cli, int argc, char **argv)
{
    const char *args[MAX_ARGUMENTS] = {NULL};
    struct cli_args operands;
    struct cell_error e = {0};
    char *program = NULL;
    int n = 0, r = cli_parse(cli, argc, argv, NULL, 0, &operands);

    if (r == 0 && operands.n > 1)
        r = cli_error(cli, CLI_USAGE, NULL, "upgrade is about one cell");
    if (r == 0 && !cli_config(cli, true))
        r = CLI_FAILED;
    if (r != 0)
        return r;
    const struct config_cell *cell = cli_config_cell(cli, operands.n ? operands.items[0] : "postgres");
    if (!cell)
        return CLI_FAILED;
    if (!cell->command || !cell->command[0])
        return cli_error(cli, CLI_FAILED, NULL, "%s has no command in cell.json", cell->name);
    if (order_find_program(cell->command[0], &program, &e) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "%s", e.text);
    args[n++] = program;
    for (int i = 1; cell->command[i] && n < MAX_ARGUMENTS - 2; i++)
        args[n++] = cell->command[i];
    args[n] = "--upgrade";
    for (int i = 0; cell->env && cell->env[i]; i++)
        putenv((char *)(uintptr_t)cell->env[i]);
    r = chdir(cli->config->dir) < 0 ? cli_error(cli, CLI_FAILED, NULL, "%s: %s", cli->config->dir, strerror(errno))
                                    : run_program(cli, args);
    free(program);
    return r;
}
