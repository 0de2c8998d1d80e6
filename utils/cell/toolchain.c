/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "elf_file.h"
#include "toolchain.h"

#define PLUGIN_NAME "libcellplugin.so"
#define NEWEST_CLANG 40u
#define OLDEST_CLANG 14u

extern char **environ;

int toolchain_run(char *const *argv, const char *out, const char *err, int *exit_code, struct cell_error *e)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t standard;
    pid_t pid;
    int status;

    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE); /* which this program ignores */
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &standard);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_init(&actions);
    if (out)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (err && out && strcmp(out, err) == 0)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    else if (err)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int r = posix_spawn(&pid, argv[0], &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (r != 0)
        return cell_error_errno(e, CELL_IO_ERROR, r, "cannot run %s", argv[0]);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot wait for %s", argv[0]);
    *exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return CELL_OK;
}

void toolchain_temporary(const char *name, char *path, size_t size)
{
    const char *dir = getenv("TMPDIR");

    if (!dir || dir[0] != '/' || (size_t)snprintf(path, size, "%s/cell-%s-XXXXXX", dir, name) >= size)
        snprintf(path, size, "/tmp/cell-%s-XXXXXX", name);
}

static bool is_file(const char *path, int mode)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, mode) == 0;
}

/* Finds a program in PATH, or takes a path as it is. */
static bool find_program(const char *name, char path[4096])
{
    const char *at = getenv("PATH");

    if (strchr(name, '/')) {
        snprintf(path, 4096, "%s", name);
        return is_file(path, X_OK);
    }
    for (at = at ? at : "/usr/local/bin:/usr/bin:/bin"; *at;) {
        int len = (int)strcspn(at, ":");

        if (len > 0 && snprintf(path, 4096, "%.*s/%s", len, at, name) < 4096 && is_file(path, X_OK))
            return true;
        at += len;
        at += *at == ':';
    }
    path[0] = '\0';
    return false;
}

/* What a program prints when it is asked for its version; false when it fails. */
static bool ask_program(const char *program, const char *option, char text[256])
{
    char name[4096];
    char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)option, NULL};
    int code = 1;
    ssize_t n = 0;

    toolchain_temporary("version", name, sizeof(name));
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        return false;
    if (toolchain_run(argv, name, "/dev/null", &code, NULL) >= 0 && code == 0)
        n = pread(fd, text, 255, 0);
    close(fd);
    unlink(name);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* "19.1.4" from `clang -dumpversion`, or 0. */
static unsigned ask_version(const char *clang)
{
    char text[256];

    return ask_program(clang, "-dumpversion", text) ? (unsigned)strtoul(text, NULL, 10) : 0;
}

/* "Debian clangd version 19.1.7 (…)", or 0. */
static unsigned ask_clangd_version(const char *clangd)
{
    static const char before[] = "clangd version ";
    char text[256];
    const char *at = ask_program(clangd, "--version", text) ? strstr(text, before) : NULL;

    return at ? (unsigned)strtoul(at + sizeof(before) - 1, NULL, 10) : 0;
}

/* Whether the program runs with the plugin in it. */
static bool can_preload(const char *clangd, const char *plugin)
{
    const char *was = getenv("LD_PRELOAD");
    char *before = was ? strdup(was) : NULL, text[256];

    setenv("LD_PRELOAD", plugin, 1);
    bool can = ask_program(clangd, "--version", text);
    if (before)
        setenv("LD_PRELOAD", before, 1);
    else
        unsetenv("LD_PRELOAD");
    free(before);
    return can;
}

static bool find_plugin(unsigned version, char path[4096])
{
    static const char *const folders[] = {"lib", CELL_LIBDIR, "lib64"};
    const char *named = getenv("CELL_PLUGIN");

    if (named && named[0]) {
        snprintf(path, 4096, "%s", named);
        return is_file(path, R_OK);
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, 4096, "%s/../%s/llvm-%u/" PLUGIN_NAME, cli_program_dir(), folders[i], version);
        if (is_file(path, R_OK))
            return true;
        snprintf(path, 4096, "%s/../%s/cell/llvm-%u/" PLUGIN_NAME, cli_program_dir(), folders[i], version);
        if (is_file(path, R_OK))
            return true;
    }
    path[0] = '\0';
    return false;
}

static void find_include(struct toolchain *t)
{
    char header[4200];

    snprintf(t->include, sizeof(t->include), "%s/../include", cli_program_dir());
    snprintf(header, sizeof(header), "%s/cell/cell.h", t->include);
    if (!is_file(header, R_OK) || strncmp(t->include, "/usr/bin/", 9) == 0)
        t->include[0] = '\0'; /* /usr/include is searched anyway, and must not be moved forward */
}

/* Makes "/a/bin/../lib" readable in messages. */
static void simplify(char path[4096])
{
    char *real = path[0] ? realpath(path, NULL) : NULL;

    if (real)
        snprintf(path, 4096, "%s", real);
    free(real);
}

int toolchain_find(struct toolchain *t, struct cell_error *e)
{
    const char *named = getenv("CELL_CLANG");
    char name[32];

    *t = (struct toolchain){.version = 0};
    find_include(t);
    simplify(t->include);
    if (named && named[0]) {
        if (!find_program(named, t->clang))
            return cell_error_set(e, CELL_NOT_FOUND, "CELL_CLANG names %s, which is no program", named);
        t->version = ask_version(t->clang);
        if (!find_plugin(t->version, t->plugin))
            return cell_error_set(e, CELL_NOT_FOUND, "there is no plugin for %s (LLVM %u)", t->clang, t->version);
        simplify(t->plugin);
        return CELL_OK;
    }
    for (unsigned version = NEWEST_CLANG; version + 1 >= OLDEST_CLANG; version--) {
        char clang[4096], plugin[4096];
        bool plain = version < OLDEST_CLANG;

        snprintf(name, sizeof(name), plain ? "clang" : "clang-%u", version);
        if (!find_program(name, clang))
            continue;
        unsigned number = plain || getenv("CELL_PLUGIN") ? ask_version(clang) : version;
        bool match = find_plugin(number, plugin);
        if (match || !t->clang[0]) {
            memcpy(t->clang, clang, sizeof(clang));
            memcpy(t->plugin, plugin, sizeof(plugin));
            t->version = number;
        }
        if (match) {
            simplify(t->plugin);
            return CELL_OK;
        }
    }
    return t->clang[0] ? cell_error_set(e, CELL_NOT_FOUND,
                                        "there is no plugin for any clang in PATH (the newest is %s)", t->clang)
                       : cell_error_set(e, CELL_NOT_FOUND, "there is no clang in PATH");
}

enum toolchain_linkage toolchain_linkage(const char *program)
{
    static const struct elf_wanted names = {".dynstr", "names of libraries", 1, 64u << 20};
    static const char *const libraries[] = {"libclang-cpp.so", "libLLVM"};
    struct cell_buffer text = {0};
    struct elf_file f;
    enum toolchain_linkage found = LINKAGE_UNKNOWN;

    if (elf_open(program, &f, NULL) < 0)
        return found;
    int r = elf_read(&f, &names, &text, NULL);
    if (r >= 0 || r == CELL_NOT_FOUND)
        found = LINKAGE_STATIC;
    for (size_t i = 0; r >= 0 && i < sizeof(libraries) / sizeof(libraries[0]); i++)
        if (memmem(text.data, text.len, libraries[i], strlen(libraries[i])))
            found = LINKAGE_DYNAMIC;
    cell_buffer_free(&text);
    elf_close(&f);
    return found;
}

/* One candidate: true when it can be used, else `e` says what is wrong with it. `t` becomes this one, or stays what was
 * looked at first. */
static bool try_clangd(const char *clangd, unsigned version, struct toolchain *t, struct cell_error *e)
{
    char plugin[4096];
    bool known = find_plugin(version, plugin), first = !t->clang[0];

    simplify(plugin);
    bool good = known && can_preload(clangd, plugin);
    if (good || first) {
        snprintf(t->clang, sizeof(t->clang), "%s", clangd);
        memcpy(t->plugin, plugin, sizeof(plugin));
        t->version = version;
    }
    if (good || !first)
        return good;
    if (!known) {
        t->plugin[0] = '\0';
        cell_error_set(e, CELL_NOT_FOUND, "there is no plugin for %s (LLVM %u)", clangd, version);
    } else {
        cell_error_set(e, CELL_NOT_FOUND,
                       "%s cannot load %s: it is linked statically, or of another LLVM; use `cell export headers`",
                       clangd, plugin);
    }
    return false;
}

int toolchain_find_clangd(struct toolchain *t, struct cell_error *e)
{
    const char *named = getenv("CELL_CLANGD");
    char clangd[4096], name[32];

    *t = (struct toolchain){.version = 0};
    if (named && named[0]) {
        if (!find_program(named, clangd))
            return cell_error_set(e, CELL_NOT_FOUND, "CELL_CLANGD names %s, which is no program", named);
        return try_clangd(clangd, ask_clangd_version(clangd), t, e) ? CELL_OK : CELL_NOT_FOUND;
    }
    for (unsigned version = NEWEST_CLANG; version + 1 >= OLDEST_CLANG; version--) {
        bool plain = version < OLDEST_CLANG;

        snprintf(name, sizeof(name), plain ? "clangd" : "clangd-%u", version);
        if (!find_program(name, clangd))
            continue;
        unsigned number = plain || getenv("CELL_PLUGIN") ? ask_clangd_version(clangd) : version;
        if (try_clangd(clangd, number, t, e))
            return CELL_OK;
    }
    return t->clang[0] ? CELL_NOT_FOUND : cell_error_set(e, CELL_NOT_FOUND, "there is no clangd in PATH");
}
