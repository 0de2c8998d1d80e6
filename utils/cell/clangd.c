/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * `cell clangd`: clangd with the plugin in it, and a proxy before it that has open files parsed again when a schema
 * changes. docs/editors.md. What editor and clangd say to each other passes byte for byte; one thread serves both with
 * poll, another one (lsp_watch.h) asks the cells.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lsp_docs.h"
#include "lsp_filter.h"
#include "lsp_watch.h"
#include "toolchain.h"

extern char **environ;

#define EDITOR_MS "250"  /* how long one parse waits for cells: less than people notice */
#define LEAVE_MS 5000    /* how long clangd may take to end when its editor has gone, or after SIGTERM */
#define PATIENCE_MS 2000 /* how long it may after a signal to this program */

struct proxy {
    struct cli *cli;
    struct lsp_in from_editor, from_clangd;
    struct lsp_out to_editor, to_clangd;
    int clangd_in, clangd_out; /* -1 = closed */
    int signals;
    pid_t pid;
    bool editor_left;  /* no more from it */
    uint64_t leave_ns; /* when to stop waiting for the end, 0 = it has not come yet */
    int signal;        /* that ends this program, 0 = none */
    struct lsp_docs docs;
    struct lsp_watch *watch; /* NULL: schemas are not watched */
    struct cell_error e;
};

/* ---- starting ---- */

/* Whoever has slow cells gives them more. Nothing that the plugin could take for "this is no editor" is kept. */
static const char *editor_ms(void)
{
    const char *text = getenv("CELL_EDITOR_MS");
    char *end = NULL;
    long ms = text ? strtol(text, &end, 10) : 0;

    return ms > 0 && ms <= 600000 && text[0] > '0' && text[0] <= '9' && *end == '\0' ? text : EDITOR_MS;
}

/* The plugin looks at these (clang-plugin/State.cpp): nothing that is typed acts, and no cell holds up a parse. */
static bool prepare_environment(const struct toolchain *t)
{
    const char *before = getenv("LD_PRELOAD");
    char *preload = NULL;
    bool more = before && before[0];

    if (asprintf(&preload, "%s%s%s", t->plugin, more ? ":" : "", more ? before : "") < 0)
        return false;
    bool good = setenv("LD_PRELOAD", preload, 1) == 0 && setenv("CELL_EDITOR_MS", editor_ms(), 1) == 0;
    free(preload);
    return good;
}

static int start_clangd(struct proxy *p, char *const *argv)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, standard;

    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        return cell_error_errno(&p->e, CELL_IO_ERROR, errno, "cannot make a pipe");
    sigemptyset(&none);
    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE); /* which this program ignores */
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &standard);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    int r = posix_spawn(&p->pid, argv[0], &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(in[0]);
    close(out[1]);
    p->clangd_in = in[1];
    p->clangd_out = out[0];
    if (r != 0)
        return cell_error_errno(&p->e, CELL_IO_ERROR, r, "cannot run %s", argv[0]);
    return CELL_OK;
}

/* Others may use the same open file (a terminal): the caller gives back what it was. */
static int not_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    return flags;
}

/* ---- messages ---- */

static void note_from_editor(struct proxy *p, const struct lsp_message *m)
{
    struct lsp_doc *doc;
    enum lsp_event event = lsp_docs_note(&p->docs, m, &doc);

    if (!p->watch || event == LSP_OTHER)
        return;
    if (doc && doc->path && doc->project < 0)
        doc->project = lsp_watch_project(p->watch, doc->path);
    lsp_watch_kick(p->watch, event == LSP_OPENED || event == LSP_SAVED);
}

static int take_from_editor(struct proxy *p)
{
    struct lsp_message m;
    int r = lsp_in_read(&p->from_editor, STDIN_FILENO, &p->e);

    if (r == 0)
        p->editor_left = true;
    while (r >= 0 && (r = lsp_in_next(&p->from_editor, &m, &p->e)) > 0) {
        lsp_out_put(&p->to_clangd, m.frame, m.frame_len);
        note_from_editor(p, &m);
    }
    return r < 0 ? cell_error_wrap(&p->e, "from the editor") : CELL_OK;
}

static int take_from_clangd(struct proxy *p)
{
    struct lsp_message m;
    int r = lsp_in_read(&p->from_clangd, p->clangd_out, &p->e);

    if (r == 0) {
        close(p->clangd_out);
        p->clangd_out = -1;
    }
    while (r >= 0 && (r = lsp_in_next(&p->from_clangd, &m, &p->e)) > 0)
        if (!p->watch || !lsp_filter(&m, &p->docs, p->watch, &p->to_editor))
            lsp_out_put(&p->to_editor, m.frame, m.frame_len);
    return r < 0 ? cell_error_wrap(&p->e, "from clangd") : CELL_OK;
}

/* Documents of the projects whose schemas changed are parsed again. */
static void rebuild(struct proxy *p)
{
    for (int project; (project = lsp_watch_take(p->watch)) >= 0;)
        for (size_t i = 0; i < p->docs.n; i++)
            if (p->docs.items[i].project == project && p->clangd_in >= 0)
                lsp_docs_put_rebuild(&p->docs.items[i], &p->to_clangd);
}

/* ---- the loop ---- */

static void take_signal(struct proxy *p)
{
    struct signalfd_siginfo info;

    while (read(p->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        if (info.ssi_signo != SIGCHLD && !p->signal)
            p->signal = (int)info.ssi_signo;
}

static int send_to_clangd(struct proxy *p)
{
    int r = lsp_out_write(&p->to_clangd, p->clangd_in, &p->e);

    if (r == CELL_UNAVAILABLE) { /* it is ending; what it still says is passed on */
        close(p->clangd_in);
        p->clangd_in = -1;
        lsp_out_free(&p->to_clangd);
        p->to_clangd = (struct lsp_out){0};
        return CELL_OK;
    }
    return r;
}

/* For poll: until the end must have come, or for ever. */
static int time_left(const struct proxy *p)
{
    uint64_t now_ns = cell_now_ns();

    if (!p->leave_ns)
        return -1;
    return now_ns < p->leave_ns ? (int)((p->leave_ns - now_ns) / CELL_NS_PER_MS) + 1 : 0;
}

/* One round of waiting and moving bytes. A side is read only while the other one takes. */
static int step(struct proxy *p)
{
    bool to_clangd = p->clangd_in >= 0 && lsp_out_pending(&p->to_clangd) > 0;
    bool hear_editor = !p->editor_left && p->clangd_in >= 0 && lsp_out_pending(&p->to_clangd) < LSP_MAX_QUEUE;
    bool hear_clangd = lsp_out_pending(&p->to_editor) < LSP_MAX_QUEUE;
    struct pollfd fds[] = {
        {.fd = hear_editor ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = lsp_out_pending(&p->to_editor) > 0 ? STDOUT_FILENO : -1, .events = POLLOUT},
        {.fd = to_clangd ? p->clangd_in : -1, .events = POLLOUT},
        {.fd = hear_clangd ? p->clangd_out : -1, .events = POLLIN},
        {.fd = p->watch ? lsp_watch_fd(p->watch) : -1, .events = POLLIN},
        {.fd = p->signals, .events = POLLIN},
    };
    int r = CELL_OK;

    if (poll(fds, sizeof(fds) / sizeof(fds[0]), time_left(p)) < 0)
        return errno == EINTR ? CELL_OK : cell_error_errno(&p->e, CELL_IO_ERROR, errno, "cannot wait");
    if (fds[5].revents)
        take_signal(p);
    if (fds[4].revents)
        rebuild(p);
    if (fds[0].revents)
        r = take_from_editor(p);
    if (r >= 0 && fds[3].revents)
        r = take_from_clangd(p);
    if (r >= 0 && fds[1].revents)
        r = lsp_out_write(&p->to_editor, STDOUT_FILENO, &p->e);
    if (r >= 0 && fds[2].revents)
        r = send_to_clangd(p);
    return r;
}

/* Until clangd has closed its output and the editor has it all, this program is signalled, or something is wrong. When
 * the editor has left, clangd may take a while to end. */
static int serve(struct proxy *p)
{
    int r = CELL_OK;

    while (r >= 0 && !p->signal && (p->clangd_out >= 0 || lsp_out_pending(&p->to_editor) > 0)) {
        if (p->editor_left && p->clangd_in >= 0 && lsp_out_pending(&p->to_clangd) == 0) {
            close(p->clangd_in);
            p->clangd_in = -1;
        }
        if (p->clangd_in < 0 || p->clangd_out < 0)
            p->leave_ns = p->leave_ns ? p->leave_ns : cell_now_ns() + LEAVE_MS * CELL_NS_PER_MS;
        if (p->leave_ns && time_left(p) == 0)
            break;
        r = step(p);
    }
    return r;
}

/* ---- ending ---- */

/* Waits until clangd has ended, at most until `deadline_ns`. */
static bool reap(struct proxy *p, uint64_t deadline_ns, int *status)
{
    for (;;) {
        if (waitpid(p->pid, status, WNOHANG) == p->pid)
            return true;
        uint64_t now = cell_now_ns();
        if (now >= deadline_ns)
            return false;
        struct pollfd fds[] = {{.fd = p->signals, .events = POLLIN}, {.fd = p->clangd_out, .events = POLLIN}};
        poll(fds, 2, (int)((deadline_ns - now) / CELL_NS_PER_MS) + 1);
        if (fds[0].revents)
            take_signal(p);
        if (fds[1].revents) { /* nobody reads that any more, but it must not wait for that */
            char rest[4096];
            if (read(p->clangd_out, rest, sizeof(rest)) == 0) {
                close(p->clangd_out);
                p->clangd_out = -1;
            }
        }
    }
}

/* Ends clangd, and returns its status. */
static int end_clangd(struct proxy *p, bool kindly)
{
    int status = 0;

    if (p->clangd_in >= 0)
        close(p->clangd_in);
    p->clangd_in = -1;
    uint64_t now_ns = cell_now_ns(), until_ns = p->leave_ns ? p->leave_ns : now_ns + LEAVE_MS * CELL_NS_PER_MS;
    if (kindly && reap(p, until_ns, &status))
        return status;
    kill(p->pid, SIGTERM);
    if (reap(p, cell_now_ns() + PATIENCE_MS * CELL_NS_PER_MS, &status))
        return status;
    kill(p->pid, SIGKILL);
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static int run_proxy(struct proxy *p, char *const *argv)
{
    struct cell_error why = {0};
    sigset_t taken;

    sigemptyset(&taken);
    for (const int *s = (const int[]){SIGCHLD, SIGTERM, SIGINT, SIGHUP, 0}; *s; s++)
        sigaddset(&taken, *s);
    sigprocmask(SIG_BLOCK, &taken, NULL);
    p->signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    if (p->signals < 0 || start_clangd(p, argv) < 0)
        return cli_error(p->cli, CLI_FAILED, NULL, "%s", p->e.text[0] ? p->e.text : "signals cannot be taken");
    if (lsp_watch_new(&p->watch, &why) < 0)
        cli_warn(p->cli, "%s; open files are not parsed again when a cell changes", why.text);
    int in_flags = not_blocking(STDIN_FILENO), out_flags = not_blocking(STDOUT_FILENO);
    not_blocking(p->clangd_in);
    not_blocking(p->clangd_out);
    int r = serve(p);
    fcntl(STDIN_FILENO, F_SETFL, in_flags);
    fcntl(STDOUT_FILENO, F_SETFL, out_flags);
    int status = end_clangd(p, r >= 0 && !p->signal);
    if (p->signal)
        return 128 + p->signal;
    if (r == CELL_UNAVAILABLE) /* the editor does not read any more: it has gone */
        return CLI_OK;
    if (r < 0)
        return cli_error(p->cli, CLI_FAILED, NULL, "%s", p->e.text);
    if (WIFSIGNALED(status))
        return cli_error(p->cli, 128 + WTERMSIG(status), "the editor starts it again, or has a command for that",
                         "%s was ended by signal %d (%s)", argv[0], WTERMSIG(status), strsignal(WTERMSIG(status)));
    return WEXITSTATUS(status);
}

/* clangd's options that make it do something else than serve an editor. */
static bool serves(char **argv)
{
    static const char *const others[] = {"--check", "-check", "--version", "-version", "--help-list", "-help-list"};

    for (; *argv; argv++)
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
            size_t len = strlen(others[i]);
            if (strncmp(*argv, others[i], len) == 0 && (!(*argv)[len] || (*argv)[len] == '='))
                return false;
        }
    return true;
}

int cmd_clangd(struct cli *cli, int argc, char **argv)
{
    struct proxy p = {.cli = cli, .clangd_in = -1, .clangd_out = -1, .signals = -1};
    struct toolchain t;
    int from = 1;

    /* Everything is clangd's, but for what asks this program for help. */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            cli->json = true;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return cli_help(cli, "clangd");
    if (cli->json)
        return cli_error(cli, CLI_USAGE, "run it without --json", "clangd speaks the language server protocol");
    if (argc > 1 && strcmp(argv[1], "--") == 0)
        from = 2;
    if (toolchain_find_clangd(&t, &p.e) < 0)
        return cli_error(cli, CLI_FAILED, "run `cell doctor`; docs/editors.md says what an editor needs", "%s",
                         p.e.text);
    argv[from - 1] = t.clang;
    if (!prepare_environment(&t))
        return cli_error(cli, CLI_FAILED, NULL, "out of memory");
    if (!serves(argv + from)) {
        signal(SIGPIPE, SIG_DFL);
        execv(t.clang, argv + from - 1);
        return cli_error(cli, CLI_FAILED, NULL, "cannot run %s: %s", t.clang, strerror(errno));
    }
    return run_proxy(&p, argv + from - 1);
}
