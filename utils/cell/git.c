/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Files of an earlier revision, by the git program. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "locks.h"

#define MAX_LINES (1u << 20)

/* Reads both pipes to their ends; output beyond `limit` fails. */
static int drain(int out, int err, size_t limit, struct cell_buffer *text, struct cell_buffer *said)
{
    struct pollfd fds[] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
    struct cell_buffer *to[] = {text, said};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return CELL_IO_ERROR;
        for (unsigned i = 0; i < 2; i++) {
            char bytes[16384];
            if (fds[i].fd < 0 || !fds[i].revents)
                continue;
            ssize_t n = read(fds[i].fd, bytes, sizeof(bytes));
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                fds[i].fd = -1;
            else if (to[i]->len + (size_t)n > limit)
                return CELL_TOO_LARGE;
            else
                cell_buffer_append(to[i], bytes, (size_t)n);
        }
    }
    return CELL_OK;
}

static int spawn_git(char *const *argv, int out, int err, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
    int cause = posix_spawnp(pid, "git", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return cause;
}

/* Runs git and collects what it prints. *code is its exit status. */
static int run_git(char *const *argv, size_t limit, struct cell_buffer *text, struct cell_buffer *said, int *code,
                   struct cell_error *e)
{
    int out[2], err[2], status = 0;
    pid_t pid;
    if (pipe2(out, O_CLOEXEC) < 0)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot run git");
    if (pipe2(err, O_CLOEXEC) < 0) {
        close(out[0]), close(out[1]);
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot run git");
    }
    int cause = spawn_git(argv, out[1], err[1], &pid);
    close(out[1]), close(err[1]);
    int r = cause ? cell_error_errno(e, CELL_FAILED_PRECONDITION, cause, "cannot run git")
                  : drain(out[0], err[0], limit, text, said);
    close(out[0]), close(err[0]);
    if (cause)
        return r;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    if (r < 0)
        return cell_error_set(e, r, "git printed more than %zu bytes, or could not be read", limit);
    return cell_buffer_ok(text) && cell_buffer_ok(said) ? CELL_OK : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
}

/* What git says when it fails, without its own words for it; one line. */
static int git_failed(const char *rev, const struct cell_buffer *said, struct cell_error *e)
{
    struct cell_buffer safe = {0};
    const char *text = said->len ? said->data : "";
    if (strncmp(text, "fatal: ", 7) == 0)
        text += 7;
    cli_safe(&safe, text, strcspn(text, "\n"));
    int r = cell_error_set(e, CELL_INVALID_ARGUMENT, "git does not give revision '%s': %s", rev,
                           cell_buffer_ok(&safe) && safe.len ? safe.data : "no reason is known");
    cell_buffer_free(&safe);
    return r;
}

/* The revision as a commit: so that what begins with '-' or names something else cannot be an option or a path. */
static int resolve(const char *dir, const char *rev, char commit[65], struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *wanted = NULL;
    struct cell_buffer text = {0}, said = {0};
    int code = 0;
    if (asprintf(&wanted, "%s^{commit}", rev) < 0)
        return wanted = NULL, cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    char *argv[] = {(char[]){"git"},
                    (char[]){"-C"},
                    (char *)(uintptr_t)dir,
                    (char[]){"rev-parse"},
                    (char[]){"--verify"},
                    (char[]){"--end-of-options"},
                    wanted,
                    NULL};
    int r = run_git(argv, MAX_LINES, &text, &said, &code, e);
    size_t len = r >= 0 && code == 0 && text.len ? strcspn(text.data, "\n") : 0;
    if (r >= 0 && (len < 40 || len > 64))
        r = git_failed(rev, &said, e);
    if (r >= 0)
        snprintf(commit, 65, "%.*s", (int)len, text.data);
    cell_buffer_free(&text);
    cell_buffer_free(&said);
    return r;
}

int git_show(const char *dir, const char *rev, const char *path, size_t limit, char **text, size_t *len,
             struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *object = NULL;
    struct cell_buffer out = {0}, said = {0};
    char commit[65];
    int code = 0, r = resolve(dir, rev, commit, e);
    if (r < 0)
        return r;
    if (asprintf(&object, "%s:./%s", commit, path) < 0)
        return object = NULL, cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    char *argv[] = {
        (char[]){"git"}, (char[]){"-C"}, (char *)(uintptr_t)dir, (char[]){"cat-file"}, (char[]){"blob"}, object, NULL};
    r = run_git(argv, limit, &out, &said, &code, e);
    if (r >= 0 && code != 0)
        r = cell_error_set(e, CELL_NOT_FOUND, "%s was not there in revision '%s'", path, rev);
    cell_buffer_free(&said);
    if (r >= 0 && !cell_buffer_reserve(&out, 1))
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r < 0) {
        cell_buffer_free(&out);
        return r;
    }
    out.data[out.len] = '\0';
    *text = out.data;
    *len = out.len;
    return CELL_OK;
}

int git_list(const char *dir, const char *rev, const char *path, char **lines, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *object = NULL;
    struct cell_buffer out = {0}, said = {0};
    char commit[65];
    int code = 0, r = resolve(dir, rev, commit, e);
    if (r < 0)
        return r;
    if (asprintf(&object, "%s:./%s", commit, path) < 0)
        return object = NULL, cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    char *argv[] = {(char[]){"git"},
                    (char[]){"-C"},
                    (char *)(uintptr_t)dir,
                    (char[]){"ls-tree"},
                    (char[]){"--name-only"},
                    object,
                    NULL};
    r = run_git(argv, MAX_LINES, &out, &said, &code, e);
    cell_buffer_free(&said);
    if (r >= 0 && code != 0)
        out.len = 0; /* no such folder: nothing was locked */
    cell_buffer_append(&out, "", 1);
    if (r >= 0 && !cell_buffer_ok(&out))
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r < 0)
        cell_buffer_free(&out);
    else
        *lines = out.data;
    return r;
}
