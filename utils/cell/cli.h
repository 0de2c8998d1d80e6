/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What the commands of the `cell` program share: exit codes, options, output. One thread. Commands print results on
 * stdout and everything else on stderr; with --json stdout holds exactly one JSON document, also after an error.
 */
#ifndef CELL_CLI_H
#define CELL_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/util.h"
#include "core/config.h"

/* Exit codes, documented in docs/cli.md. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,      /* it was tried and did not work */
    CLI_USAGE = 2,       /* the command line is wrong; nothing was done */
    CLI_UNAVAILABLE = 3, /* the cell is not running or cannot be reached */
    CLI_INTERRUPTED = 130
};

struct cli {
    const char *command; /* its name, "up" */
    bool json;
    bool color; /* of stderr */
    bool color_out;
    bool reported;              /* an error document was printed */
    bool write_failed;          /* standard output failed, and that was said */
    struct cell_config *config; /* NULL until cli_config */
};

struct cli_command {
    const char *name;
    int (*run)(struct cli *cli, int argc, char **argv); /* argv[0] is the command's name; returns enum cli_exit */
    const char *arguments;
    const char *summary;
    const char *detail; /* options and notes, whole lines */
};
extern const struct cli_command cli_commands[];
extern const size_t cli_ncommands;

int cmd_up(struct cli *cli, int argc, char **argv);
int cmd_down(struct cli *cli, int argc, char **argv);
int cmd_status(struct cli *cli, int argc, char **argv);
int cmd_list(struct cli *cli, int argc, char **argv);
int cmd_schema(struct cli *cli, int argc, char **argv);
int cmd_inspect(struct cli *cli, int argc, char **argv);
int cmd_check(struct cli *cli, int argc, char **argv);
int cmd_report(struct cli *cli, int argc, char **argv);
int cmd_consumers(struct cli *cli, int argc, char **argv);
int cmd_call(struct cli *cli, int argc, char **argv);
int cmd_expand(struct cli *cli, int argc, char **argv);
int cmd_sync(struct cli *cli, int argc, char **argv);
int cmd_openapi(struct cli *cli, int argc, char **argv);
int cmd_lock(struct cli *cli, int argc, char **argv);
int cmd_trust(struct cli *cli, int argc, char **argv);
int cmd_identity(struct cli *cli, int argc, char **argv);
int cmd_diff(struct cli *cli, int argc, char **argv);
int cmd_plan(struct cli *cli, int argc, char **argv);
int cmd_migrate(struct cli *cli, int argc, char **argv);
int cmd_history(struct cli *cli, int argc, char **argv);
int cmd_drift(struct cli *cli, int argc, char **argv);
int cmd_pipelines(struct cli *cli, int argc, char **argv);
int cmd_sql(struct cli *cli, int argc, char **argv);
int cmd_watch(struct cli *cli, int argc, char **argv);
int cmd_psql(struct cli *cli, int argc, char **argv);
int cmd_dump(struct cli *cli, int argc, char **argv);
int cmd_restore(struct cli *cli, int argc, char **argv);
int cmd_upgrade(struct cli *cli, int argc, char **argv);
int cmd_test_db(struct cli *cli, int argc, char **argv);
int cmd_import(struct cli *cli, int argc, char **argv);
int cmd_clangd(struct cli *cli, int argc, char **argv);
int cmd_export(struct cli *cli, int argc, char **argv);
int cmd_doctor(struct cli *cli, int argc, char **argv);
int cmd_systemd(struct cli *cli, int argc, char **argv);
int cmd_completion(struct cli *cli, int argc, char **argv);
int cmd_help(struct cli *cli, int argc, char **argv);

/* ---- options.c ---- */

/* One option of a command; exactly one of flag, value, list is set. A value may be written --name=V or --name V. */
struct cli_option {
    const char *name; /* without the dashes */
    char letter;      /* its short form, 0 = none */
    bool *flag;
    const char **value;
    struct cli_list *list; /* the option may be repeated */
};
struct cli_list {
    const char **items;
    size_t n;
};
struct cli_args {
    char **items; /* operands, in order */
    int n;
    int nafter; /* how many of them, the last ones, stand behind "--" */
};

/* Takes the command's options and the common ones out of argv (which it reorders). 0; else what the command returns:
 * CLI_DONE when --help was answered, an enum cli_exit when the usage is wrong and was reported. */
#define CLI_DONE (-1)
int cli_parse(struct cli *cli, int argc, char **argv, const struct cli_option *options, size_t n,
              struct cli_args *args);
void cli_list_free(struct cli_list *list);
/* A decimal number in [min, max] as the value of option `name`; false after reporting. */
bool cli_number(struct cli *cli, const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *value);

/* ---- output.c ---- */

/* Reports an error: message on stderr, `hint` (or NULL) on a line of its own, a document on stdout with --json.
 * Returns `code`. */
int cli_error(struct cli *cli, int code, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The part of cli_error that is for people; for commands whose own document tells of the error. */
void cli_complain(struct cli *cli, const char *hint, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The exit code that stands for a status: CLI_UNAVAILABLE when the cell cannot be reached, else CLI_FAILED. */
int cli_exit_of(int status);
/* A warning or a remark on stderr; also with --json. */
void cli_warn(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Something that happened, for people: stderr, silent with --json. */
void cli_say(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line that is overwritten by the next one; only on a terminal and not with --json. Empty text removes it. */
void cli_progress(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum cli_style { CLI_PLAIN, CLI_BOLD, CLI_RED, CLI_GREEN, CLI_YELLOW, CLI_DIM };
/* The escape sequence of a style for a stream, "" when it has no colours. */
const char *cli_style(const struct cli *cli, FILE *stream, enum cli_style style);

/* "3 s", "2 m 5 s", "1 h 4 m", "2 d 3 h". */
const char *cli_duration(uint64_t ms, char text[32]);
/* "340 KiB", "1.2 MiB". */
const char *cli_size(uint64_t bytes, char text[32]);
/* Copies text with control characters made visible ("\x1b"): what came from a cell must not drive the terminal. */
void cli_safe(struct cell_buffer *out, const char *text, size_t len);
void cli_print_safe(FILE *stream, const char *text);
/* Writes to stdout; a failure is remembered for cli_flush. */
void cli_write(const char *bytes, size_t len);
/* Flushes stdout and reports, once, that it cannot be written (silently when its reader has gone). enum cli_exit. */
int cli_flush(struct cli *cli);

/* A writer of one JSON document. Keys are NULL inside arrays. */
struct cli_json {
    struct cell_buffer b;
    bool text; /* indented "key: value" lines for people instead */
    unsigned depth;
    bool first, inlined; /* inlined: the next member goes behind the "- " of its element */
};
void out_begin(struct cli_json *j, const char *key, char bracket);   /* '{' or '[' */
void out_end(struct cli_json *j, char bracket);                      /* '}' or ']' */
void out_str(struct cli_json *j, const char *key, const char *text); /* NULL text is null */
void out_strn(struct cli_json *j, const char *key, const char *text,
              size_t len); /* bytes that are not UTF-8 become U+FFFD */
void out_int(struct cli_json *j, const char *key, int64_t value);
void out_uint(struct cli_json *j, const char *key, uint64_t value);
void out_bool(struct cli_json *j, const char *key, bool value);
void out_null(struct cli_json *j, const char *key);
void out_raw(struct cli_json *j, const char *key, const char *json, size_t len);
/* Prints the document and a newline on stdout and frees it. CLI_OK, or CLI_FAILED when memory or stdout failed. */
int out_print(struct cli *cli, struct cli_json *j);

/* ---- main.c ---- */

/* Explains a command, or all with NULL; prints nothing else. enum cli_exit. */
int cli_help(struct cli *cli, const char *topic);

/* Reads the project's config into cli->config: the one that CELL_CONFIG names, else from the working folder upwards. */
int cli_find_config(struct cli *cli, struct cell_error *e);
/* The project's config, read once. NULL after reporting. With `required`, a missing cell.json is an error. */
struct cell_config *cli_config(struct cli *cli, bool required);
/* An argument that should name a cell of cell.json: reports with a suggestion when it does not. */
const struct config_cell *cli_config_cell(struct cli *cli, const char *name);
/* "did you mean 'auth'?" when cell.json has such a cell, "" otherwise; in `hint`. */
void cli_near_cell(const struct cli *cli, const char *name, char *hint, size_t size);
/* Folder of this program's file, links resolved ("/usr/bin"). Static; "" when unknown. */
const char *cli_program_dir(void);
/* The completion script, compiled in. */
extern const char cli_completion_bash[];

#endif
