/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * `cell test-db`: a command with a database of its own. The call that makes the database is a stream that lasts as long
 * as the database does; another process of this program holds it, so that the database goes also when this one is
 * killed.
 */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

#define MAX_LINE 65536

/* `cell call CELL.postgres_test_database`, whose output is read from *out. */
static pid_t hold(const char *cell, const char *source, int *out)
{
    struct cell_buffer method = {0}, argument = {0};
    int pipes[2];

    cell_buffer_printf(&method, "%s.postgres_test_database", cell);
    cell_buffer_printf(&argument, "source=%s", source);
    pid_t parent = getpid(), pid = -1;
    if (cell_buffer_ok(&method) && cell_buffer_ok(&argument) && pipe(pipes) == 0) {
        pid = fork();
        if (pid == 0) {
            /* Nobody wants the database any more when this process has ended, in whatever way. */
            if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent && setpgid(0, 0) == 0 &&
                dup2(pipes[1], STDOUT_FILENO) >= 0)
                execl("/proc/self/exe", "cell", "call", "--json", "--timeout", "0", method.data, argument.data,
                      (char *)NULL);
            _exit(127);
        }
        close(pipes[1]);
        *out = pipes[0];
    }
    cell_buffer_free(&method);
    cell_buffer_free(&argument);
    return pid;
}

/* The first line that it prints. NULL when it ends before. */
static json_t *read_record(int fd)
{
    char *line = malloc(MAX_LINE);
    size_t n = 0;
    ssize_t got = 0;

    while (line && n < MAX_LINE && !memchr(line, '\n', n)) {
        got = read(fd, line + n, MAX_LINE - n);
        if (got == 0 || (got < 0 && errno != EINTR))
            break;
        n += got > 0 ? (size_t)got : 0;
    }
    json_t *root = line && got > 0 ? json_loadb(line, n, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    free(line);
    return root;
}

/* What the connection string (key='value' …) says, in libpq's variables. It is changed on the way. */
static bool set_variables(char *conninfo)
{
    static const char *const names[][2] = {{"host", "PGHOST"},
                                           {"hostaddr", "PGHOSTADDR"},
                                           {"port", "PGPORT"},
                                           {"user", "PGUSER"},
                                           {"dbname", "PGDATABASE"},
                                           {"sslmode", "PGSSLMODE"},
                                           {"sslrootcert", "PGSSLROOTCERT"},
                                           {"service", "PGSERVICE"}};
    bool set = setenv("CELL_TEST_CONNINFO", conninfo, 1) == 0;

    for (char *s = conninfo; set && *s;) {
        char *key = s + strspn(s, " "), *equals = strchr(key, '='), *to;
        if (!equals || equals[1] != '\'')
            return false;
        *equals = '\0';
        for (s = to = equals + 2; *s && *s != '\''; s++) {
            s += *s == '\\' && s[1];
            *to++ = *s;
        }
        s += *s == '\'';
        bool last = !*s;
        s += !last;
        *to = '\0';
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            if (strcmp(names[i][0], key) == 0)
                set = set && setenv(names[i][1], equals + 2, 1) == 0;
        if (last)
            break;
    }
    return set;
}

static int wait_for(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Its exit status. What the terminal interrupts is the command; this process waits for its end. */
static int run(struct cli *cli, char **argv)
{
    pid_t pid = fork();

    if (pid == 0) {
        execvp(argv[0], argv);
        fprintf(stderr, "cell: %s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    if (pid < 0)
        return cli_error(cli, CLI_FAILED, NULL, "fork: %s", strerror(errno));
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    return wait_for(pid);
}

int cmd_test_db(struct cli *cli, int argc, char **argv)
{
    const char *cell = "postgres", *source = "";
    const struct cli_option options[] = {{.name = "cell", .value = &cell}, {.name = "source", .value = &source}};
    struct cli_args args;
    int out = -1, r = cli_parse(cli, argc, argv, options, sizeof(options) / sizeof(options[0]), &args);

    if (r != 0)
        return r;
    args.items[args.n] = NULL;
    if (args.n == 0)
        return cli_error(cli, CLI_USAGE, "cell test-db -- make check", "the command is missing");
    pid_t holder = hold(cell, source, &out);
    if (holder < 0)
        return cli_error(cli, CLI_FAILED, NULL, "no process can be started: %s", strerror(errno));
    json_t *root = read_record(out), *record = json_object_get(root, "record");
    const char *conninfo = json_string_value(json_object_get(record, "conninfo"));
    char *copy = conninfo ? strdup(conninfo) : NULL;
    if (!copy)
        r = cli_error(cli, CLI_FAILED, NULL, "%s has made no database for the test", cell);
    else if (!set_variables(copy))
        r = cli_error(cli, CLI_FAILED, NULL, "what %s says of the database cannot be read", cell);
    else
        r = run(cli, args.items);
    free(copy);
    json_decref(root);
    close(out);
    kill(holder, SIGTERM);
    wait_for(holder);
    return r;
}
