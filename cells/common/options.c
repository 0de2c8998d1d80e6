/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

#define MAX_OPTIONS 32
#define NCOMMON 12

int program_parse_duration(const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return CELL_INVALID_ARGUMENT;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno != 0)
        return CELL_INVALID_ARGUMENT;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(end, units[i].unit) == 0)
            return __builtin_mul_overflow((int64_t)n, units[i].ms, ms) ? CELL_INVALID_ARGUMENT : CELL_OK;
    return CELL_INVALID_ARGUMENT;
}

static int usage_error(const struct program *p, const char *name, const char *what, const char *value)
{
    program_error(p->name, "--%s: %s, not '%s'; try '%s --help'", name, what, value, p->name);
    return 2;
}

/* A duration in the largest unit that divides it, as a user would write it. */
static void format_duration(int64_t ms, char *text, size_t size)
{
    if (ms % 86400000 == 0)
        snprintf(text, size, "%" PRId64 "d", ms / 86400000);
    else if (ms % 3600000 == 0)
        snprintf(text, size, "%" PRId64 "h", ms / 3600000);
    else if (ms % 60000 == 0)
        snprintf(text, size, "%" PRId64 "m", ms / 60000);
    else if (ms % 1000 == 0)
        snprintf(text, size, "%" PRId64 "s", ms / 1000);
    else
        snprintf(text, size, "%" PRId64 "ms", ms);
}

static int range_error(const struct program *p, const struct program_option *o, const char *value)
{
    char what[96], low[32], high[32];

    if (o->kind == PROGRAM_DURATION) {
        format_duration(o->min, low, sizeof(low));
        format_duration(o->max, high, sizeof(high));
    } else {
        snprintf(low, sizeof(low), "%" PRId64, o->min);
        snprintf(high, sizeof(high), "%" PRId64, o->max);
    }
    snprintf(what, sizeof(what), "must be %s from %s to %s",
             o->kind == PROGRAM_DURATION ? "a duration (500ms, 30s, 15m, 12h, 7d)" : "a number", low, high);
    return usage_error(p, o->name, what, value);
}

static int parse_number(const char *text, int64_t *number)
{
    char *end;

    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return CELL_INVALID_ARGUMENT;
    *number = n;
    return CELL_OK;
}

/* PROGRAM_GO or an exit status. */
static int store_value(const struct program *p, const struct program_option *o, const char *value)
{
    int64_t n = 0;

    if (o->kind == PROGRAM_FLAG) {
        memcpy(o->into, &(bool){true}, sizeof(bool));
        return PROGRAM_GO;
    }
    if (o->kind == PROGRAM_TEXT) {
        if (value[0] == '\0')
            return usage_error(p, o->name, "must not be empty", value);
        memcpy(o->into, &value, sizeof(value));
        return PROGRAM_GO;
    }
    int r = o->kind == PROGRAM_DURATION ? program_parse_duration(value, &n) : parse_number(value, &n);
    if (r < 0 || n < o->min || n > o->max)
        return range_error(p, o, value);
    memcpy(o->into, &n, sizeof(n));
    return PROGRAM_GO;
}

static void print_default(const struct program_option *o)
{
    const char *text;
    int64_t n;
    char duration[32];

    if (o->kind == PROGRAM_FLAG)
        return;
    if (o->kind == PROGRAM_TEXT) {
        memcpy(&text, o->into, sizeof(text));
        if (text)
            printf(" (default: %s)", text);
        return;
    }
    memcpy(&n, o->into, sizeof(n));
    if (o->kind == PROGRAM_DURATION) {
        format_duration(n, duration, sizeof(duration));
        printf(" (default: %s)", duration);
    } else {
        printf(" (default: %" PRId64 ")", n);
    }
}

static void print_option(const struct program_option *o)
{
    const char *line = o->help;
    char left[64];

    snprintf(left, sizeof(left), "--%s %s", o->name, o->value);
    printf("  %-26s", left);
    for (;;) {
        size_t n = strcspn(line, "\n");
        printf("%.*s", (int)n, line);
        if (line[n] == '\0')
            break;
        printf("\n%28s", "");
        line += n + 1;
    }
    print_default(o);
    putchar('\n');
}

static void print_help(const struct program *p, const struct program_option *options, size_t n)
{
    printf("usage: %s [OPTION…]\n\n%s\n\n", p->name, p->summary);
    for (size_t i = 0; i < n; i++)
        print_option(&options[i]);
    printf("  %-26s%s\n  %-26s%s\n", "--help", "print this text", "--version", "print the version");
}

/* Values of the options that every cell has, before they go into the server's options. */
struct common {
    const char *address, *identity, *without;
    int64_t connections, threads, drain_ms;
    char without_help[512];
    struct cell_https_options https;
};

/* Returns how many there are. */
static size_t append_common(const struct program *p, struct common *v, struct program_option *out)
{
    const struct program_option common[] = {
        {"address", "ADDRESS", "where to listen, as unix:/run/cell/NAME.sock;\ndefault: NAME.sock in $CELL_RUN_DIR",
         PROGRAM_TEXT, &v->address, 0, 0},
        {"identity", "FILE",
         "the cell's key, made when it is not there; default:\nNAME.key in $STATE_DIRECTORY, or no key", PROGRAM_TEXT,
         &v->identity, 0, 0},
        {"listen", "https://HOST:PORT",
         "listen for other hosts as well, at this address;\nport 0: any, which its health document tells", PROGRAM_TEXT,
         &v->https.address, 0, 0},
        {"tls-certificate", "FILE", "what it shows them, PEM", PROGRAM_TEXT, &v->https.certificate, 0, 0},
        {"tls-key", "FILE", "and its key, its user's alone", PROGRAM_TEXT, &v->https.key, 0, 0},
        {"tokens", "FILE", "whom it lets in: lines of NAME and TOKEN", PROGRAM_TEXT, &v->https.tokens, 0, 0},
        {"tls-client-ca", "FILE", "or by certificates of these authorities, PEM", PROGRAM_TEXT,
         &v->https.client_authorities, 0, 0},
        {"allow-anonymous", "", "lets in everybody: schema, questions and calls, no plans", PROGRAM_FLAG,
         &v->https.allow_anonymous, 0, 0},
        {"max-connections", "N", "connections at once; 0: as many as descriptors allow", PROGRAM_NUMBER,
         &v->connections, 0, 100000},
        {"max-threads", "N", "calls that are handled at once", PROGRAM_NUMBER, &v->threads, 1, 1024},
        {"drain", "TIME", "how long running calls may take after SIGTERM", PROGRAM_DURATION, &v->drain_ms, 1, 3600000},
    };
    size_t n = sizeof(common) / sizeof(common[0]);
    memcpy(out, common, sizeof(common));
    if (p->capabilities)
        out[n++] = (struct program_option){"without", "NAME[,NAME…]", v->without_help, PROGRAM_TEXT, &v->without, 0, 0};
    return n;
}

static int parse(const struct program *p, const struct program_option *options, size_t n, int argc, char **argv)
{
    struct option table[MAX_OPTIONS + NCOMMON + 3] = {{0}};
    int i, r;

    for (size_t k = 0; k < n; k++)
        table[k] = (struct option){options[k].name, options[k].kind == PROGRAM_FLAG ? no_argument : required_argument,
                                   NULL, 0};
    table[n] = (struct option){"help", no_argument, NULL, 'h'};
    table[n + 1] = (struct option){"version", no_argument, NULL, 'v'};
    opterr = 1;
    while ((r = getopt_long(argc, argv, "+", table, &i)) != -1) {
        if (r == 'h') {
            print_help(p, options, n);
            return fflush(stdout) != 0;
        }
        if (r == 'v') {
            printf("%s (Cell) %s\n", p->name, CELL_VERSION);
            return fflush(stdout) != 0;
        }
        if (r == '?') {
            program_error(p->name, "try '%s --help'", p->name);
            return 2;
        }
        r = store_value(p, &options[i], optarg);
        if (r != PROGRAM_GO)
            return r;
    }
    if (optind < argc) {
        program_error(p->name, "unexpected argument '%s'; try '%s --help'", argv[optind], p->name);
        return 2;
    }
    return PROGRAM_GO;
}

/* What units and containers set; the command line goes over it. */
static void from_environment(struct cell_https_options *https)
{
    const struct {
        const char *name, **into;
    } known[] = {{"CELL_LISTEN", &https->address},
                 {"CELL_TLS_CERTIFICATE", &https->certificate},
                 {"CELL_TLS_KEY", &https->key},
                 {"CELL_TOKENS", &https->tokens},
                 {"CELL_TLS_CLIENT_CA", &https->client_authorities}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const char *value = getenv(known[i].name);
        if (value && value[0])
            *known[i].into = value;
    }
}

int program_parse(const struct program *p, int argc, char **argv)
{
    struct cell_server_options *server = p->server;
    struct common values = {.address = server->address,
                            .identity = server->identity,
                            .without = server->without,
                            .connections = server->max_connections,
                            .threads = server->max_threads ? server->max_threads : 16,
                            .drain_ms = server->drain_ms ? server->drain_ms : 10000};
    struct program_option options[MAX_OPTIONS + NCOMMON];
    static struct cell_https_options https; /* the server reads it later */
    size_t n = p->noptions < MAX_OPTIONS ? p->noptions : MAX_OPTIONS;

    from_environment(&values.https);
    memcpy(options, p->options, n * sizeof(options[0]));
    snprintf(values.without_help, sizeof(values.without_help), "capabilities to do without: %s",
             p->capabilities ? p->capabilities : "none");
    n += append_common(p, &values, options + n);
    int r = parse(p, options, n, argc, argv);
    server->address = values.address;
    server->identity = values.identity;
    server->without = values.without;
    server->max_connections = (uint32_t)values.connections;
    server->max_threads = (uint32_t)values.threads;
    server->drain_ms = (uint32_t)values.drain_ms;
    https = values.https;
    server->https = https.address ? &https : NULL;
    return r;
}
