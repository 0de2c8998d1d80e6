/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell up` and `cell down`: ask the supervisor, starting one when none runs, and tell what happens. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"

/* What the events of one request came to. */
struct outcome {
    struct cli *cli;
    struct cli_json json; /* {"cells": [… */
    bool ended, bye;
    int exit;
    char message[512];
    char busy[256]; /* the cells that are being started or stopped */
    uint64_t since_ns;
};

static void busy_add(struct outcome *o, const char *name)
{
    size_t used = strlen(o->busy);

    snprintf(o->busy + used, sizeof(o->busy) - used, " %s", name);
    if (used == 0)
        o->since_ns = cell_now_ns();
}

static void busy_remove(struct outcome *o, const char *name)
{
    char word[80];
    size_t len = (size_t)snprintf(word, sizeof(word), " %s", name);

    for (char *at = o->busy; (at = strstr(at, word)); at += len)
        if (at[len] == '\0' || at[len] == ' ') {
            memmove(at, at + len, strlen(at + len) + 1);
            return;
        }
}

static void json_cell(struct outcome *o, const char *name, const char *result, const char *pid, const char *message)
{
    out_begin(&o->json, NULL, '{');
    out_str(&o->json, "name", name);
    out_str(&o->json, "result", result);
    if (pid)
        out_int(&o->json, "pid", strtol(pid, NULL, 10));
    if (message)
        out_str(&o->json, "message", message);
    out_end(&o->json, '}');
}

/* On stderr only: the document of --json follows, with the cells and this message. */
static void say_error(struct outcome *o, const char *name, const char *text)
{
    snprintf(o->message, sizeof(o->message), "%s%s%s", name, name[0] ? " " : "", text);
    cli_complain(o->cli, NULL, "%s", o->message);
}

static void on_end(struct outcome *o, char **f, size_t n)
{
    o->ended = true;
    o->exit = n > 1 ? atoi(f[1]) : CLI_FAILED;
    o->bye = n > 2 && f[2][0] == '1';
    if (o->exit != CLI_OK && n > 3 && f[3][0] && !o->message[0])
        say_error(o, "", f[3]);
}

/* One event of the supervisor (supervisor.h). */
static void on_event(void *user, char **f, size_t n)
{
    struct outcome *o = user;
    struct cli *cli = o->cli;
    const char *word = f[0], *name = n > 1 ? f[1] : "", *third = n > 2 ? f[2] : "", *fourth = n > 3 ? f[3] : "";

    if (strcmp(word, "end") == 0) {
        on_end(o, f, n);
    } else if (strcmp(word, "starting") == 0) {
        busy_add(o, name);
    } else if (strcmp(word, "ready") == 0) {
        busy_remove(o, name);
        cli_say(cli, "%s serves (process %s, after %s ms)", name, third, fourth);
        json_cell(o, name, "started", third, NULL);
    } else if (strcmp(word, "running") == 0) {
        cli_say(cli, "%s is already running (process %s)", name, third);
        json_cell(o, name, "running", third, NULL);
    } else if (strcmp(word, "foreign") == 0) {
        busy_remove(o, name);
        cli_say(cli, "%s is already running (process %s, not started by `cell up`)", name, third);
        json_cell(o, name, "foreign", third, NULL);
    } else if (strcmp(word, "failed") == 0) {
        busy_remove(o, name);
        say_error(o, name, third);
        cli_say(cli, "  log: %s", fourth);
        json_cell(o, name, "failed", NULL, third);
    } else if (strcmp(word, "log") == 0) {
        cli_say(cli, "  | %s", third);
    } else if (strcmp(word, "stopping") == 0) {
        busy_add(o, name);
    } else if (strcmp(word, "stopped") == 0) {
        busy_remove(o, name);
        cli_say(cli, "%s has stopped", name);
        json_cell(o, name, "stopped", NULL, NULL);
    } else if (strcmp(word, "killed") == 0) {
        busy_remove(o, name);
        cli_say(cli, "%s did not stop in time and was killed", name);
        json_cell(o, name, "killed", NULL, NULL);
    }
}

static volatile sig_atomic_t interrupted;

/* The first signal asks politely, the next one ends this process; the supervisor takes its up back in both cases. */
static void on_interrupt(int sig)
{
    signal(sig, SIG_DFL);
    interrupted = 1;
}

/* What our caller has chosen to ignore, as shells do in the background, stays ignored. */
static void catch (int sig)
{
    if (signal(sig, on_interrupt) == SIG_IGN)
        signal(sig, SIG_IGN);
}

static void cancel(struct outcome *o, struct control *c)
{
    interrupted = 0;
    cli_progress(o->cli, "%s", "");
    cli_say(o->cli, "interrupted: stopping what was started");
    control_send(c, "cancel\n", NULL);
}

/* Reads events until the end. */
static int follow(struct outcome *o, struct control *c, const char *doing)
{
    struct cell_error e = {0};

    while (!o->ended) {
        char *fields[CONTROL_MAX_FIELDS], text[32];
        bool timed_out = false;
        size_t n = 0;
        int r = control_next(c, 250, fields, &n, &timed_out, &e);

        if (interrupted)
            cancel(o, c);
        if (r > 0) {
            on_event(o, fields, n);
        } else if (timed_out) {
            uint64_t ms = (cell_now_ns() - o->since_ns) / CELL_NS_PER_MS;
            if (o->busy[0] && ms >= 1000)
                cli_progress(o->cli, "%s%s … %s", doing, o->busy, cli_duration(ms, text));
        } else {
            cli_progress(o->cli, "%s", "");
            return cli_error(o->cli, CLI_FAILED, "run `cell status`",
                             "the supervisor (process %d) ended without an answer", (int)c->pid);
        }
    }
    cli_progress(o->cli, "%s", "");
    if (o->bye)
        control_wait_exit(c, 5000);
    return o->exit;
}

static int print_outcome(struct outcome *o, int code)
{
    out_end(&o->json, ']');
    if (code == CLI_OK) {
        out_null(&o->json, "error");
    } else {
        out_begin(&o->json, "error", '{');
        out_int(&o->json, "exit", code);
        out_str(&o->json, "message", o->message[0] ? o->message : "interrupted");
        out_null(&o->json, "hint");
        out_end(&o->json, '}');
    }
    out_end(&o->json, '}');
    if (o->cli->json && !o->cli->reported)
        return out_print(o->cli, &o->json) == CLI_OK ? code : CLI_FAILED;
    cell_buffer_free(&o->json.b);
    return code;
}

static char *request_line(const char *head, char *const *names, int n)
{
    struct cell_buffer line = {0};

    cell_buffer_puts(&line, head);
    for (int i = 0; i < n; i++)
        cell_buffer_printf(&line, "\t%s", names[i]);
    cell_buffer_puts(&line, "\n");
    if (cell_buffer_ok(&line))
        return line.data;
    cell_buffer_free(&line);
    return NULL;
}

/* In the daemon, between the forks and the loop: nothing of the terminal or the caller is kept. */
static void detach(int status_fd)
{
    int null = open("/dev/null", O_RDWR);

    setsid();
    if (chdir("/") < 0) /* no folder is kept from being removed or unmounted */
        _exit(1);
    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    if (status_fd > 3)
        close_range(3, (unsigned)status_fd - 1, 0);
    close_range((unsigned)status_fd + 1, ~0u, 0);
}

static _Noreturn void daemon_main(const struct cell_config *config, int status_fd)
{
    struct supervisor s = {.config_path = config->path, .run_dir = config->run_dir};
    struct cell_error e = {0};

    detach(status_fd);
    if (fork() != 0)
        _exit(0); /* not a session leader: it can never get a terminal */
    supervisor_guard(false);
    prctl(PR_SET_NAME, "cell-supervisor");
    int r = supervisor_open(&s, &e);
    ssize_t n = write(status_fd, &e, r < 0 ? sizeof(e) : 1);
    close(status_fd);
    if (r < 0 || n < 0)
        _exit(1);
    supervisor_run(&s);
    _exit(0);
}

/* CELL_OK when a supervisor runs now, ours or one that was faster. */
static int start_daemon(const struct cell_config *config, struct cell_error *e)
{
    struct cell_error answer = {0};
    int fds[2], status;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot make a pipe");
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        daemon_main(config, fds[1]);
    }
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot start the supervisor");
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    ssize_t n = read(fds[0], &answer, sizeof(answer));
    close(fds[0]);
    if (n == 1 || (n == (ssize_t)sizeof(answer) && answer.status == CELL_ALREADY_EXISTS))
        return CELL_OK;
    return n == (ssize_t)sizeof(answer) ? cell_error_set(e, answer.status, "%s", answer.text)
                                        : cell_error_set(e, CELL_INTERNAL, "the supervisor did not start");
}

/* Connects to the supervisor, starting it if need be. Several tries: one may be ending, or just starting. */
static int reach_supervisor(const struct cell_config *config, struct control *c, struct cell_error *e)
{
    int r = CELL_OK;

    for (int tries = 0; tries < 100; tries++) {
        struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};

        r = control_open(config->run_dir, c, e);
        if (r != CELL_UNAVAILABLE)
            return r;
        if ((r = start_daemon(config, e)) < 0)
            return r;
        if ((r = control_open(config->run_dir, c, e)) != CELL_UNAVAILABLE)
            return r;
        nanosleep(&pause, NULL);
    }
    return r;
}

static int up_foreground(struct outcome *o, const struct cell_config *config, char *line)
{
    struct supervisor s = {.cli = o->cli,
                           .config_path = config->path,
                           .run_dir = config->run_dir,
                           .foreground = true,
                           .local = on_event,
                           .local_user = o};
    struct cell_error e = {0};

    supervisor_guard(true);
    int r = supervisor_open(&s, &e);
    if (r == CELL_ALREADY_EXISTS)
        return cli_error(o->cli, CLI_FAILED, "run `cell down` first, or leave out --foreground",
                         "cells of %s are running already", config->path);
    if (r < 0)
        return cli_error(o->cli, CLI_FAILED, "run `cell doctor`", "%s", e.text);
    cli_say(o->cli, "Ctrl-C stops the cells");
    line[strcspn(line, "\n")] = '\0';
    sup_request_line(&s, &s.local_client, line);
    supervisor_run(&s);
    return s.local_exit;
}

static int up_daemon(struct outcome *o, const struct cell_config *config, const char *line)
{
    struct cell_error e = {0};
    struct control c;

    if (reach_supervisor(config, &c, &e) < 0)
        return cli_error(o->cli, CLI_FAILED, "run `cell doctor`", "%s", e.text);
    if (control_send(&c, line, &e) < 0) {
        control_close(&c);
        return cli_error(o->cli, CLI_FAILED, "run it again", "%s", e.text);
    }
    catch (SIGINT);
    catch (SIGTERM);
    int r = follow(o, &c, "starting");
    control_close(&c);
    return r;
}

int cmd_up(struct cli *cli, int argc, char **argv)
{
    const char *timeout = "30";
    bool foreground = false;
    const struct cli_option options[] = {{.name = "foreground", .flag = &foreground},
                                         {.name = "timeout", .value = &timeout}};
    struct outcome o = {.cli = cli};
    struct cell_error e = {0};
    struct cli_args args;
    uint32_t *order = NULL;
    uint64_t seconds;
    size_t count = 0;
    int r = cli_parse(cli, argc, argv, options, 2, &args);

    if (r != 0)
        return r;
    if (!cli_number(cli, "timeout", timeout, 1, 3600, &seconds))
        return CLI_USAGE;
    struct cell_config *config = cli_config(cli, true);
    if (!config)
        return CLI_FAILED;
    if (order_check_config(config->path, &e) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "%s", e.text);
    for (int i = 0; i < args.n; i++)
        if (!cli_config_cell(cli, args.items[i]))
            return CLI_FAILED;
    if (order_cells(config, args.items, (size_t)args.n, &order, &count, &e) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "%s", e.text);
    free(order);
    if (count == 0)
        return cli_error(cli, CLI_FAILED, "give a cell a \"command\"", "no cell of %s has a command to start",
                         config->path);
    char head[5000];
    snprintf(head, sizeof(head), "up\t%" PRIu64 "\t%s", seconds * 1000, config->path);
    char *line = request_line(head, args.items, args.n);
    if (!line)
        return cli_error(cli, CLI_FAILED, NULL, "out of memory");
    out_begin(&o.json, NULL, '{');
    out_begin(&o.json, "cells", '[');
    r = foreground ? up_foreground(&o, config, line) : up_daemon(&o, config, line);
    free(line);
    return print_outcome(&o, r);
}

int cmd_down(struct cli *cli, int argc, char **argv)
{
    const char *timeout = "15";
    const struct cli_option options[] = {{.name = "timeout", .value = &timeout}};
    struct outcome o = {.cli = cli};
    struct cell_error e = {0};
    struct control c;
    struct cli_args args;
    uint64_t seconds;
    char head[64];
    int r = cli_parse(cli, argc, argv, options, 1, &args);

    if (r != 0)
        return r;
    if (!cli_number(cli, "timeout", timeout, 0, 3600, &seconds))
        return CLI_USAGE;
    struct cell_config *config = cli_config(cli, true);
    if (!config)
        return CLI_FAILED;
    for (int i = 0; i < args.n; i++)
        if (!cli_config_cell(cli, args.items[i]))
            return CLI_FAILED;
    out_begin(&o.json, NULL, '{');
    out_begin(&o.json, "cells", '[');
    int reached = control_open(config->run_dir, &c, &e);
    if (reached == CELL_UNAVAILABLE) {
        cli_say(cli, "nothing to stop: `cell up` has started nothing here");
        return print_outcome(&o, CLI_OK);
    }
    if (reached < 0)
        return print_outcome(&o, cli_error(cli, CLI_FAILED, NULL, "%s", e.text));
    snprintf(head, sizeof(head), "down\t%" PRIu64, seconds * 1000);
    char *line = request_line(head, args.items, args.n);
    if (!line)
        r = cli_error(cli, CLI_FAILED, NULL, "out of memory");
    else if (control_send(&c, line, &e) < 0)
        r = cli_error(cli, CLI_FAILED, "run it again", "%s", e.text);
    else
        r = follow(&o, &c, "stopping");
    free(line);
    control_close(&c);
    return print_outcome(&o, r);
}
