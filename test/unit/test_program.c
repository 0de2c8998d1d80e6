/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: cells/common/options.c cells/common/program.c
#include "common/program.h"

#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include "test.h"

const struct cell_provided cell_provided; /* of no cell: nothing is served here */

#define ARGC(argv) ((int)(sizeof(argv) / sizeof((argv)[0])) - 1)

/* Standard output and error go to /dev/null while a test makes them speak. */
static int parse(const struct program *p, int argc, char **argv)
{
    int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

    fflush(stdout);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    optind = 0; /* glibc: forget the last command line */
    int r = program_parse(p, argc, argv);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    close(out);
    close(err);
    close(null);
    return r;
}

struct values {
    const char *file;
    int64_t count, time_ms;
    struct cell_server_options server;
    const char *capabilities;
};

static int parse_into(struct values *v, int argc, char **argv)
{
    const struct program_option options[] = {
        {"file", "FILE", "a file", PROGRAM_TEXT, &v->file, 0, 0},
        {"count", "N", "a number,\nin two lines", PROGRAM_NUMBER, &v->count, -5, 100},
        {"time", "TIME", "a duration", PROGRAM_DURATION, &v->time_ms, 10, 60000},
    };
    const struct program p = {"test", "A program.", options, 3, &v->server, v->capabilities};

    return parse(&p, argc, argv);
}

TEST(durations_have_a_unit)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"0ms", 0},
                {"1500ms", 1500},
                {"30s", 30000},
                {"15m", 900000},
                {"12h", 43200000},
                {"7d", 604800000},
                {"106751991167d", INT64_C(9223372036828800000)}};
    static const char *const bad[] = {"",    "s",    "1",    "1 s",           "-1s",
                                      "+1s", "1.5s", "1w",   "1sec",          "s1",
                                      "1s ", " 1s",  "0x1s", "106751991168d", "99999999999999999999ms"};
    int64_t ms;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CHECK(program_parse_duration(good[i].text, &ms) == CELL_OK && ms == good[i].ms);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(program_parse_duration(bad[i], &ms) == CELL_INVALID_ARGUMENT);
}

TEST(defaults_stay_when_nothing_is_said)
{
    char *argv[] = {"test", NULL};
    struct values v = {.file = "f", .count = 7, .time_ms = 20};

    CHECK(parse_into(&v, ARGC(argv), argv) == PROGRAM_GO);
    CHECK_STR(v.file, "f");
    CHECK(v.count == 7 && v.time_ms == 20);
    CHECK(v.server.address == NULL && v.server.max_threads == 16 && v.server.max_connections == 0 &&
          v.server.drain_ms == 10000);
}

TEST(values_are_read_in_both_forms)
{
    char *argv[] = {"test",    "--file=g",        "--count",           "-5", "--time",     "1m", "--address",
                    "unix:/x", "--max-threads=3", "--max-connections", "9",  "--drain=2s", NULL};
    struct values v = {.file = "f"};

    CHECK(parse_into(&v, ARGC(argv), argv) == PROGRAM_GO);
    CHECK_STR(v.file, "g");
    CHECK_STR(v.server.address, "unix:/x");
    CHECK(v.count == -5 && v.time_ms == 60000);
    CHECK(v.server.max_threads == 3 && v.server.max_connections == 9 && v.server.drain_ms == 2000);
}

TEST(usage_errors_have_status_2)
{
    static char *const bad[][3] = {
        {"--nonsense", NULL},      {"--file", NULL},           {"--file=", NULL},  {"--count", "six"},
        {"--count", "101"},        {"--count", "-6"},          {"--count", ""},    {"--count", "99999999999999999999"},
        {"--time", "5"},           {"--time", "9ms"},          {"--time", "61s"},  {"--max-threads", "0"},
        {"--max-threads", "1025"}, {"--drain", "9999999999d"}, {"argument", NULL}, {"-x", NULL},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *argv[] = {"test", bad[i][0], bad[i][1], NULL};
        struct values v = {.file = "f", .count = 7, .time_ms = 20};
        CHECK(parse_into(&v, bad[i][1] ? 3 : 2, argv) == 2);
        CHECK_STR(v.file, "f");
        CHECK(v.count == 7 && v.time_ms == 20);
    }
}

TEST(help_and_version_end_with_status_0)
{
    char *help[] = {"test", "--help", NULL}, *version[] = {"test", "--version", NULL};
    struct values v = {.file = "f"};

    CHECK(parse_into(&v, ARGC(help), help) == 0);
    CHECK(parse_into(&v, ARGC(version), version) == 0);
}

TEST(standard_descriptors_are_open_after_preparation)
{
    int copy = dup(STDIN_FILENO);

    close(STDIN_FILENO);
    program_prepare();
    int fd = open("/dev/null", O_RDONLY);
    CHECK(fd > STDERR_FILENO);
    CHECK(fcntl(STDIN_FILENO, F_GETFD) >= 0);
    close(fd);
    if (copy >= 0) {
        dup2(copy, STDIN_FILENO);
        close(copy);
    }
}

TEST(a_cell_with_capabilities_may_do_without_them)
{
    char *argv[] = {"test", "--without", "vectors,facets", NULL};
    struct values v = {.capabilities = "vectors, facets"}, none = {.capabilities = NULL};
    CHECK(parse_into(&v, ARGC(argv), argv) == PROGRAM_GO);
    CHECK_STR(v.server.without, "vectors,facets");
    CHECK(parse_into(&none, ARGC(argv), argv) == 2); /* there is no such option */
    CHECK(none.server.without == NULL);
    char *help[] = {"test", "--help", NULL};
    CHECK(parse_into(&v, ARGC(help), help) == 0);
}
