/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the main function of every cell does: options, --help and --version, and serving until it is told to stop. */
#ifndef CELLS_COMMON_PROGRAM_H
#define CELLS_COMMON_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include <cell/server.h>

enum program_option_kind {
    PROGRAM_TEXT,     /* into: const char ** */
    PROGRAM_NUMBER,   /* into: int64_t *, min to max */
    PROGRAM_DURATION, /* into: int64_t *, milliseconds, min to max; written 500ms, 30s, 15m, 12h, 7d */
    PROGRAM_FLAG      /* into: bool *; it takes no value, and `value` is "" */
};

struct program_option {
    const char *name;  /* "database", for --database */
    const char *value; /* what --help calls its value: "PATH" */
    const char *help;  /* one or more lines */
    enum program_option_kind kind;
    void *into; /* holds the default */
    int64_t min, max;
};

struct program {
    const char *name;
    const char *summary; /* one line for --help */
    const struct program_option *options;
    size_t noptions;                    /* at most 32 */
    struct cell_server_options *server; /* gets what the options of every cell say: --address, --max-threads, … */
    const char *capabilities;           /* that --without may name, for --help; NULL = the cell has none */
};

/* program_parse's answer when main is to go on. */
#define PROGRAM_GO (-1)

/*
 * Reads the command line. PROGRAM_GO, or the exit status that main returns: 0 after --help and --version, 2 after a
 * usage error, which was printed to stderr. Strings that it stores point into argv.
 */
int program_parse(const struct program *p, int argc, char **argv);

/*
 * Process-wide settings of a service: files that it makes are its own (umask), a reader that went away or a limit on
 * file sizes is an error of the write and not a signal, descriptors 0 to 2 are open, and there may be as many as the
 * hard limit allows, up to 65536. Call it first.
 */
void program_prepare(void);

/*
 * Serves this program's cell until SIGTERM, SIGINT or an error, which it prints. Returns the exit status: 0 or 1. When
 * calls did not end although they were told to it does not return: the process ends with status 1, for they still use
 * what main would close. So whatever is to outlive the process must be good without that, as after a kill.
 */
int program_serve(const struct program *p);

/* Prints "name: message" to stderr in one write. */
void program_error(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Parses "1500ms", "30s", "15m", "12h", "7d". CELL_INVALID_ARGUMENT for anything else and for what overflows. */
int program_parse_duration(const char *text, int64_t *ms);

#endif
