/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The `cell` program: the table of commands, help, and what several of them need. docs/cli.md is its manual. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

const struct cli_command cli_commands[] = {
    {"up", cmd_up, "[CELL…] [--foreground] [--timeout SECONDS]", "Start cells, and what they need, in order",
     "  --foreground        stay in this terminal and show what the cells print; Ctrl-C stops them\n"
     "  --timeout SECONDS   how long one cell may take until it serves (30)\n"
     "\n"
     "Reads cell.json, found in this folder or above it. Without names, starts every cell that has a command.\n"
     "A supervisor restarts cells that crash; `cell down` stops them.\n"},
    {"down", cmd_down, "[CELL…] [--timeout SECONDS]", "Stop cells that `cell up` started",
     "  --timeout SECONDS   how long running calls may take before a cell is killed (15)\n"
     "\n"
     "Cells that need a stopped cell are stopped before it. The supervisor ends with the last cell.\n"},
    {"status", cmd_status, "[CELL…]", "Show what runs: state, pid, uptime, restarts, memory, calls",
     "Exit code 0 when every listed cell serves, 3 otherwise.\n"},
    {"list", cmd_list, "", "List the cells of cell.json and the sockets in its run_dir", ""},
    {"schema", cmd_schema, "CELL [--mirror]", "Print a cell's methods and types as C declarations",
     "  --mirror            the last schema that a build has seen, without asking the cell\n"
     "\n"
     "With --json, the schema document in canonical form: its SHA-256 is the fingerprint.\n"},
    {"openapi", cmd_openapi, "CELL [--mirror]", "Describe what a cell serves over HTTPS, as OpenAPI 3.0",
     "  --mirror            of the last schema that a build has seen, without asking the cell\n"
     "\n"
     "One JSON document on standard output, made from the schema; a cell that listens for other hosts serves the same\n"
     "as /openapi.json.\n"},
    {"inspect", cmd_inspect, "BINARY [--uses]",
     "Print the schema that a program carries, and what it uses of other cells",
     "  --uses              only what it uses: fields, methods and values, with the source lines\n"
     "\n"
     "The program is not run.\n"},
    {"check", cmd_check, "--against NEWBINARY [PROGRAM…]",
     "Tell which programs a new version of a cell would break, and where",
     "  --against NEWBINARY the program of the cell as it would be deployed\n"
     "  --registry DIR      a folder of reported programs, in place of what the cell knows\n"
     "\n"
     "Without programs, checks those that were reported (`cell report`). Exit code 1 when one would be refused as it\n"
     "runs, or would not compile.\n"},
    {"report", cmd_report, "PROGRAM…", "Tell cells what programs use of them",
     "  --as NAME           under this name, wherever it was built; default: the file's name and path\n"
     "  --build             as a build does: to cells that run, silently, and never a failure\n"
     "  --registry DIR      into a folder, and to no cell\n"
     "\n"
     "The cell keeps it; when it does not run, .cell/consumers beside cell.json does. A later report of the same\n"
     "program replaces the earlier one.\n"},
    {"consumers", cmd_consumers, "[CELL]", "List the programs that were reported, and what they use",
     "  --forget PROGRAM    forget it\n"
     "  --path PATH         with --forget: only the one that was built there\n"
     "  --registry DIR      a folder of reported programs, in place of what the cell knows\n"},
    {"call", cmd_call, "CELL.METHOD [NAME=VALUE…] [-H KEY=VALUE…] [--timeout MS] [--address ADDRESS]",
     "Call one method of a running cell",
     "  -H, --meta K=V      request metadata; may be repeated\n"
     "  --timeout MS        deadline of the call in milliseconds (5000); 0 = none\n"
     "  --address ADDRESS   where the cell listens, \"unix:/path\" or \"https://HOST:PORT\"; default: where cell.json "
     "says\n"
     "\n"
     "Values: numbers, true/false, enumerators by name; text as it is; bytes as hex:…, base64:… or text; lists,\n"
     "arrays, structs and optionals as JSON.\n"
     "  NAME=@FILE          the value is what the file holds; NAME=@@… begins with one @\n"
     "  NAME=@-             standard input; on a terminal, asked for without showing it (for secrets)\n"
     "  NAME:=JSON          any value as JSON; NAME:=@FILE takes the JSON from a file\n"
     "\n"
     "Records of a stream are printed as they come; those that a method takes are lines of JSON on standard input.\n"},
    {"expand", cmd_expand, "FILE [-- CLANG-ARGUMENTS…]", "Print the declarations that the plugin injects into a file",
     "Runs clang with -fsyntax-only and the plugin. CELL_CLANG names the compiler, CELL_PLUGIN the plugin.\n"},
    {"sync", cmd_sync, "[CELL…]", "Bring the mirrors up to date, for make and ninja to see what has changed",
     "Asks each named cell, or each that a build here has seen, once. A cell that does not run is a warning.\n"},
    {"lock", cmd_lock, "[CELL…] [--check | --prune]", "Write what the cells offer now into cells.lock",
     "  --check             write nothing; exit code 1, with what differs, when cells.lock is not up to date\n"
     "  --prune             drop answers that no build here has used\n"
     "\n"
     "Without names: every cell that is locked or that a build here has used. Commit the files; docs/ci.md.\n"},
    {"trust", cmd_trust, "CELL [--key KEY] | --folder DIR | --list | --forget CELL | --forget --folder DIR",
     "Say whom builds and editors may ask, and by which key a cell is known",
     "  CELL                trust the cell that cell.json names here: it may be asked, and is known by the key that "
     "it\n"
     "                      shows now. This accepts a change of its key, and a schema that is older than one seen\n"
     "  --key KEY           only by this key, \"ed25519:…\": what `cell identity` prints where the cell runs. The "
     "cell\n"
     "                      need not run here\n"
     "  --folder DIR        every cell.json in this folder or below it may have any socket asked\n"
     "  --list              print what is trusted\n"
     "  --forget            take it back; of a cell: the key that it shows next is taken for its own\n"
     "\n"
     "Sockets in a project's own folder are asked without this: only what you have started listens there. Others,\n"
     "which a cell.json that came with a project may name, are not, by no compiler and no editor.\n"
     "\n"
     "A cell that has shown a key keeps it: builds refuse its schema unsigned, by another key, expired, or older than\n"
     "one seen. The key is kept in cells.lock where the cell is locked, else in known-cells in ~/.config/cell, or\n"
     "where CELL_KNOWN_CELLS says. docs/security.md tells what that protects from, and what not.\n"},
    {"identity", cmd_identity, "CELL", "Print the public key of a running cell",
     "And on standard error the version of its schema, until when it is signed, and whether it is known here by that\n"
     "key. Run it where the cell runs, and compare.\n"},
    {"diff", cmd_diff, "[CELL…] [--since REV [--locked]]", "Show how the cells differ from what is locked",
     "  --since REV         from what was locked in this revision of git\n"
     "  --locked            compare it with what is locked now; no cell is asked\n"
     "\n"
     "Each change has the id of its rule and what it breaks: source, wire, abi.\n"},
    {"plan", cmd_plan, "[CELL…] [--locked]", "Show what the cells would do for the declarations of the project",
     "  --locked            for the declarations in cells.lock, not those of the objects that were built here\n"
     "\n"
     "Such as to create and change tables. Nothing is done. Exit code 0 when there is nothing to do, 1 when there is\n"
     "something, 2 after an error.\n"},
    {"migrate", cmd_migrate, "[CELL…] [--locked] [--yes]", "Have the cells do what `cell plan` shows",
     "  --locked            for the declarations in cells.lock: needs no compiler and no build\n"
     "  --yes, -y           do not ask before\n"
     "\n"
     "Waits for as long as a step takes. What was done stays done when a later step fails, and is not done again.\n"},
    {"history", cmd_history, "[CELL] [--table NAME] [--limit N]", "Show what plans have done to the database of a cell",
     "  --table NAME        only to this table\n"
     "  --limit N           at most so many steps, the latest ones (20)\n"
     "\n"
     "CELL is postgres by default. A step that was interrupted says so; a later one has finished it.\n"},
    {"drift", cmd_drift, "[CELL] [TABLE [NAME]] [--adopt | --revert | --ignore] [--lossy]",
     "Show what was changed by hand in the database of a cell, or settle it",
     "  --adopt             it is right so, and from now on what is compared with\n"
     "  --revert            change the database back\n"
     "  --ignore            leave it, and report it no more as long as it stays as it is\n"
     "  --lossy        with --revert: also what loses data, such as dropping a column that was added\n"
     "\n"
     "TABLE and NAME (of a column, constraint or index) limit both. CELL is postgres by default. Exit code 0 when\n"
     "nothing was changed or all was settled or is ignored, 1 otherwise.\n"},
    {"pipelines", cmd_pipelines, "[CELL]", "Show how far indexes have got with what they index",
     "CELL is search by default. Of each index: its source, what it is doing, how many documents it has, how far it "
     "is\n"
     "behind, and what is wrong.\n"},
    {"sql", cmd_sql, "STATEMENT | --file FILE | --list",
     "Ask journals and aggregates of running cells in SQL, which is only read",
     "  --format FORMAT     table (default), csv, json, jsonl or parquet\n"
     "  --output, -o FILE   replace this file when all rows are in it; default: standard output\n"
     "  --file, -f FILE     the statement is in this file; -: standard input\n"
     "  --list              the tables that there are, and their columns\n"
     "  --journal [NAME=]DIR  a journal without its cell, as table NAME (journal); may be repeated\n"
     "  --timeout SECONDS   give up after that\n"
     "  --stats             say on standard error how many records were read\n"
     "\n"
     "Tables are CELL.STREAM, as ledger.transfers, and CELL.AGGREGATE, as analytics.flow_by_account. A statement sees\n"
     "what is durable when it begins. Names that are words of SQL stand in quotation marks:\n"
     "  cell sql 'select \"from\", sum(amount) from ledger.transfers where sequence >= 1000 group by 1'\n"},
    {"watch", cmd_watch, "[CELL.]AGGREGATE [--top FIELD] [--limit N] [--interval MS] [--once]",
     "Show the groups of an aggregate as they change",
     "  --top FIELD         those with the most of this field; default: the first one that is counted\n"
     "  --limit N           at most so many groups, up to 1000; default: what fits the terminal, else 20\n"
     "  --interval MS       time between two looks in milliseconds, from 50 (1000)\n"
     "  --once              look once\n"
     "\n"
     "On a terminal a table that stays in place: left and right choose the field, q quits. Else a table for each "
     "look;\n"
     "with --json a document for each, in a line. CELL is analytics by default.\n"},
    {"psql", cmd_psql, "[CELL] [-- PSQL-ARGUMENTS…]", "Open psql on the database of a cell",
     "The cell tells where the database is, and never a password: what psql needs of that comes from PGPASSWORD or\n"
     "~/.pgpass. CELL is postgres by default.\n"},
    {"dump", cmd_dump, "[CELL] [--output FILE] [-- PG_DUMP-ARGUMENTS…]", "Back up the database of a cell with pg_dump",
     "  --output FILE       write an archive for `cell restore` there; default: SQL on standard output\n"},
    {"restore", cmd_restore, "FILE [CELL] [--clean]", "Bring a backup into the database of a cell, all or nothing",
     "  --clean             drop what is there of it before\n"
     "\n"
     "FILE is an archive that `cell dump` has written, or SQL.\n"},
    {"upgrade", cmd_upgrade, "[CELL]", "Bring a cell's own PostgreSQL server to a newer version",
     "The cell must not run, and both versions must be installed. The old cluster is kept beside the new one.\n"},
    {"import", cmd_import, "CELL [SCHEMA] [--table TABLE]… [--rows] [--output FILE]",
     "Write the declarations of tables that a database has",
     "  --table, -t TABLE   only this one; may be repeated\n"
     "  --rows              structs that only read (CELL_ROWS)\n"
     "  --output, -o FILE   replace this file; default: standard output\n"
     "\n"
     "CELL is postgres. The header is C with annotations; compiled against the same database it changes nothing. What\n"
     "it cannot say is said on standard error, and in comments. Nothing changes in the database.\n"},
    {"test-db", cmd_test_db, "[--source NAME] [--cell NAME] -- COMMAND…", "Run a command with a database of its own",
     "  --source NAME       a copy of this database, to which nobody may be connected; default: the schema of the\n"
     "                      cell's own database, without rows\n"
     "  --cell NAME         the cell that makes it (postgres)\n"
     "\n"
     "The command finds it in PGHOST, PGPORT, PGUSER and PGDATABASE, and as a connection string in\n"
     "CELL_TEST_CONNINFO. When the command ends, the database is dropped. The exit code is the command's.\n"},
    {"clangd", cmd_clangd, "[CLANGD-OPTIONS…]",
     "The language server for editors: clangd that knows the project's cells",
     "Speaks LSP on standard input and output; docs/editors.md has the settings of editors. Options go to clangd, "
     "those\n"
     "behind -- also when they are of this program. CELL_CLANGD names clangd, CELL_PLUGIN the plugin.\n"
     "\n"
     "Nothing that is typed acts on a cell. Cells that do not answer hold nothing up: their last known schema is "
     "shown.\n"},
    {"export", cmd_export, "headers [DIR]", "Write the clients of the project's cells as plain headers",
     "For tools that cannot load the plugin: -IDIR before the folder of Cell's own headers makes sources compile "
     "without\n"
     "it. DIR is .cell/headers by default. Cells that do not answer are taken from their mirrors.\n"},
    {"doctor", cmd_doctor, "", "Check compiler, plugin, configuration and sockets, and say how to repair them", ""},
    {"systemd", cmd_systemd, "[CELL…] [--user | --system] [--output DIR]", "Write systemd units for cells",
     "  --user              units of the user's manager, in ~/.config/systemd/user (default)\n"
     "  --system            units of the system manager, in /etc/systemd/system\n"
     "  --output DIR        write them there instead\n"},
    {"completion", cmd_completion, "bash", "Print the shell completion: eval \"$(cell completion bash)\"", ""},
    {"help", cmd_help, "[COMMAND]", "Explain a command", ""},
};
const size_t cli_ncommands = sizeof(cli_commands) / sizeof(cli_commands[0]);

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < cli_ncommands; i++)
        if (strcmp(cli_commands[i].name, name) == 0)
            return &cli_commands[i];
    return NULL;
}

static int unknown_command(struct cli *cli, const char *name)
{
    const char *names[sizeof(cli_commands) / sizeof(cli_commands[0])];
    char hint[128];

    for (size_t i = 0; i < cli_ncommands; i++)
        names[i] = cli_commands[i].name;
    const char *near = cell_suggest(name, names, cli_ncommands);
    if (near)
        snprintf(hint, sizeof(hint), "did you mean `cell %s`?", near);
    else
        snprintf(hint, sizeof(hint), "run `cell help`");
    return cli_error(cli, CLI_USAGE, hint, "there is no command '%s'", name);
}

static void print_usage(FILE *out)
{
    fputs("usage: cell [-C DIR] [--json] COMMAND …\n\n", out);
    for (size_t i = 0; i < cli_ncommands; i++)
        fprintf(out, "  %-11s %s\n", cli_commands[i].name, cli_commands[i].summary);
    fputs("\n"
          "  -C DIR      work in this folder\n"
          "  --json      print one JSON document on standard output\n"
          "  --version   print the version\n"
          "\n"
          "`cell help COMMAND` explains one. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running.\n",
          out);
}

static int help_json(struct cli *cli, const struct cli_command *only)
{
    struct cli_json j = {0};

    out_begin(&j, NULL, '{');
    out_begin(&j, "commands", '[');
    for (size_t i = 0; i < cli_ncommands; i++) {
        if (only && only != &cli_commands[i])
            continue;
        out_begin(&j, NULL, '{');
        out_str(&j, "name", cli_commands[i].name);
        out_str(&j, "arguments", cli_commands[i].arguments);
        out_str(&j, "summary", cli_commands[i].summary);
        out_end(&j, '}');
    }
    out_end(&j, ']');
    out_end(&j, '}');
    return out_print(cli, &j);
}

int cli_help(struct cli *cli, const char *topic)
{
    const struct cli_command *command = topic ? find_command(topic) : NULL;

    if (topic && !command)
        return unknown_command(cli, topic);
    if (cli->json)
        return help_json(cli, command);
    if (!command) {
        print_usage(stdout);
    } else {
        printf("usage: cell %s%s%s\n\n%s.\n", command->name, command->arguments[0] ? " " : "", command->arguments,
               command->summary);
        if (command->detail[0])
            printf("\n%s", command->detail);
    }
    return cli_flush(cli);
}

int cmd_help(struct cli *cli, int argc, char **argv)
{
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, NULL, 0, &args);

    if (r != 0)
        return r;
    if (args.n > 1)
        return cli_error(cli, CLI_USAGE, "run `cell help`", "help explains one command at a time");
    return cli_help(cli, args.n ? args.items[0] : NULL);
}

static int print_version(struct cli *cli)
{
    struct cli_json j = {0};

    if (!cli->json) {
        puts("cell " CELL_VERSION);
        return cli_flush(cli);
    }
    out_begin(&j, NULL, '{');
    out_str(&j, "version", CELL_VERSION);
    out_end(&j, '}');
    return out_print(cli, &j);
}

int cli_find_config(struct cli *cli, struct cell_error *e)
{
    const char *named = getenv("CELL_CONFIG");
    char cwd[4096];

    if (cli->config)
        return CELL_OK;
    if (named && named[0])
        return cell_config_find(named, &cli->config, e);
    if (!getcwd(cwd, sizeof(cwd)))
        return cell_error_errno(e, CELL_IO_ERROR, errno, "the working folder cannot be found");
    return cell_config_find(cwd, &cli->config, e);
}

struct cell_config *cli_config(struct cli *cli, bool required)
{
    struct cell_error e = {0};

    if (cli_find_config(cli, &e) < 0) {
        cli_error(cli, CLI_FAILED, NULL, "%s", e.text);
        return NULL;
    }
    if (required && !cli->config->path) {
        cli_error(cli, CLI_FAILED,
                  "write {\"cells\": {\"NAME\": {\"command\": [\"PROGRAM\"]}}} into cell.json; docs/cli.md",
                  "there is no cell.json in this folder or above it");
        return NULL;
    }
    return cli->config;
}

void cli_near_cell(const struct cli *cli, const char *name, char *hint, size_t size)
{
    const struct cell_config *c = cli->config;
    const char **names = calloc(c->ncells + 1, sizeof(*names));

    for (uint32_t i = 0; names && i < c->ncells; i++)
        names[i] = c->cells[i].name;
    const char *near = names ? cell_suggest(name, names, c->ncells) : NULL;
    if (near && strcmp(near, name) != 0)
        snprintf(hint, size, "did you mean '%s'?", near);
    else
        hint[0] = '\0';
    free(names);
}

const struct config_cell *cli_config_cell(struct cli *cli, const char *name)
{
    struct cell_config *c = cli->config;
    const struct config_cell *cell = cell_config_cell(c, name);
    char hint[128];

    if (cell)
        return cell;
    cli_near_cell(cli, name, hint, sizeof(hint));
    cli_error(cli, CLI_FAILED, hint[0] ? hint : "run `cell list`", "%s has no cell '%s'",
              c->path ? c->path : "the configuration", name);
    return NULL;
}

const char *cli_program_dir(void)
{
    static char dir[4096];

    if (!dir[0]) {
        ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
        dir[n > 0 ? n : 0] = '\0';
        char *slash = strrchr(dir, '/');
        if (slash)
            *slash = '\0';
    }
    return dir;
}

/* A descriptor that was closed by the caller must not be reused by a file of ours; writing to these fails, and says so.
 */
static void occupy_standard_descriptors(void)
{
    int fd;

    while ((fd = open("/dev/null", O_RDONLY)) >= 0 && fd <= STDERR_FILENO)
        ;
    if (fd >= 0)
        close(fd);
}

/* The options before the command. The index of the command, or -1 - enum cli_exit when all is done. */
static int before_command(struct cli *cli, int argc, char **argv)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        const char *a = argv[i];

        if (strcmp(a, "--json") == 0) {
            cli->json = true;
        } else if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0) {
            return -1 - cli_help(cli, NULL);
        } else if (strcmp(a, "--version") == 0) {
            cli->json = cli->json || (argv[i + 1] && strcmp(argv[i + 1], "--json") == 0);
            return -1 - print_version(cli);
        } else if (a[1] == 'C' && (a[2] || i + 1 < argc)) {
            const char *dir = a[2] ? a + 2 : argv[++i];

            if (chdir(dir) < 0)
                return -1 -
                       cli_error(cli, CLI_USAGE, NULL, "cannot enter the folder of -C, %s: %s", dir, strerror(errno));
        } else {
            return -1 - cli_error(cli, CLI_USAGE, "run `cell help`", "there is no option %s before the command", a);
        }
    }
    if (i < argc)
        return i;
    if (cli->json)
        return -1 - cli_error(cli, CLI_USAGE, "run `cell help`", "there is no command");
    print_usage(stderr);
    return -1 - CLI_USAGE;
}

int main(int argc, char **argv)
{
    struct cli cli = {.command = "cell"};
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool plain = (no_color && no_color[0]) || !term || strcmp(term, "dumb") == 0;

    occupy_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    cli.color = !plain && isatty(STDERR_FILENO);
    cli.color_out = !plain && isatty(STDOUT_FILENO);
    int at = before_command(&cli, argc, argv);
    if (at < 0)
        return -1 - at;
    const struct cli_command *command = find_command(argv[at]);
    if (!command)
        return unknown_command(&cli, argv[at]);
    cli.command = command->name;
    int r = command->run(&cli, argc - at, argv + at);
    cell_config_free(cli.config);
    r = r == CLI_DONE ? CLI_OK : r;
    return cli_flush(&cli) == CLI_OK || r != CLI_OK ? r : CLI_FAILED;
}
