/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell doctor`: everything between an editor and a running cell, checked one after the other. Changes nothing. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "link_health.h"
#include "supervisor.h"
#include "toolchain.h"

#define HEALTH_MS 1000u

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL };

struct doctor {
    struct cli *cli;
    struct cli_json json;
    unsigned failed, warned;
};

static void report(struct doctor *d, enum verdict v, const char *check, const char *fix, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
static void report(struct doctor *d, enum verdict v, const char *check, const char *fix, const char *format, ...)
{
    static const char *const names[] = {"ok", "warn", "fail"};
    static const enum cli_style styles[] = {CLI_GREEN, CLI_YELLOW, CLI_RED};
    struct cell_buffer text = {0};
    va_list args;

    va_start(args, format);
    cell_buffer_vprintf(&text, format, args);
    va_end(args);
    const char *message = cell_buffer_ok(&text) && text.data ? text.data : "";
    d->failed += v == VERDICT_FAIL;
    d->warned += v == VERDICT_WARN;
    if (d->cli->json) {
        out_begin(&d->json, NULL, '{');
        out_str(&d->json, "check", check);
        out_str(&d->json, "result", names[v]);
        out_str(&d->json, "message", message);
        out_str(&d->json, "fix", v == VERDICT_OK ? NULL : fix);
        out_end(&d->json, '}');
    } else {
        printf("%s%-4s%s  ", cli_style(d->cli, stdout, styles[v]), names[v], cli_style(d->cli, stdout, CLI_PLAIN));
        cli_print_safe(stdout, check);
        fputs(": ", stdout);
        cli_print_safe(stdout, message);
        putchar('\n');
        if (fix && v != VERDICT_OK) {
            fputs("      → ", stdout);
            cli_print_safe(stdout, fix);
            putchar('\n');
        }
        cli_flush(d->cli);
    }
    cell_buffer_free(&text);
}

/* ---- compiler and plugin ---- */

/* The first line of a small file that says something. */
static void first_line(const char *path, char text[256])
{
    FILE *f = fopen(path, "re");

    text[0] = '\0';
    while (f && fgets(text, 256, f) && text[0] == '\n')
        ;
    if (f)
        fclose(f);
    text[strcspn(text, "\n")] = '\0';
}

static void check_plugin_loads(struct doctor *d, const struct toolchain *t)
{
    /* The test of cell/cell.h: before LLVM 17 plugins are not asked about attributes, but answer the pragma. */
    static const char source[] = "#if !__has_attribute(cell_plugin)\n"
                                 "#pragma cell plugin\n"
                                 "#ifndef CELL_PLUGIN\n"
                                 "#error the plugin did not register\n"
                                 "#endif\n"
                                 "#endif\n";
    char dir[4096], file[4110], errors[4110], plugin[4200], line[256];
    struct cell_error e = {0};
    int code = 1;

    toolchain_temporary("doctor", dir, sizeof(dir));
    if (!mkdtemp(dir)) {
        report(d, VERDICT_FAIL, "plugin", "name a folder that can be written to in TMPDIR", "cannot make %s: %s", dir,
               strerror(errno));
        return;
    }
    snprintf(file, sizeof(file), "%s/check.c", dir);
    snprintf(errors, sizeof(errors), "%s/errors", dir);
    snprintf(plugin, sizeof(plugin), "-fplugin=%s", t->plugin);
    char *argv[] = {(char *)(uintptr_t)t->clang, plugin, (char[]){"-fsyntax-only"}, file, NULL};
    int r = cell_file_replace(file, source, sizeof(source) - 1, &e);
    if (r >= 0)
        r = toolchain_run(argv, errors, errors, &code, &e);
    first_line(errors, line);
    if (r < 0)
        report(d, VERDICT_FAIL, "plugin", NULL, "%s", e.text);
    else if (code != 0)
        report(d, VERDICT_FAIL, "plugin", "build the plugin for this clang again: cmake --build build",
               "%s does not load in %s: %s", t->plugin, t->clang, line);
    else
        report(d, VERDICT_OK, "plugin", NULL, "%s loads in %s", t->plugin, t->clang);
    unlink(file);
    unlink(errors);
    rmdir(dir);
}

static void check_compiler(struct doctor *d)
{
    struct toolchain t;
    struct cell_error e = {0};
    int r = toolchain_find(&t, &e);

    if (!t.clang[0]) {
        report(d, VERDICT_FAIL, "compiler", "apt install clang-19", "%s", e.text);
        return;
    }
    report(d, VERDICT_OK, "compiler", NULL, "%s (LLVM %u)", t.clang, t.version);
    if (r < 0)
        report(d, VERDICT_FAIL, "plugin",
               "build it for this clang: cmake -DCELL_LLVM_VERSIONS=VERSION, or set CELL_PLUGIN", "%s", e.text);
    else
        check_plugin_loads(d, &t);
}

/* What `cell clangd` would start. Only editors need it, so that nothing here is a failure. */
static void check_clangd(struct doctor *d)
{
    struct toolchain t;
    struct cell_error e = {0};
    char fix[200];

    if (toolchain_find_clangd(&t, &e) >= 0) {
        report(d, VERDICT_OK, "clangd", NULL, "%s (LLVM %u, linked dynamically) loads %s", t.clang, t.version,
               t.plugin);
        return;
    }
    const char *export =
        "use the distribution's clangd, as apt install clangd-19, or `cell export headers` for this one";
    if (!t.clang[0]) {
        report(d, VERDICT_WARN, "clangd", "apt install clangd-19; only `cell clangd` needs it", "%s", e.text);
    } else if (!t.plugin[0]) {
        snprintf(fix, sizeof(fix), "build it: cmake -DCELL_LLVM_VERSIONS=%u; or install another clangd", t.version);
        report(d, VERDICT_WARN, "clangd", t.version ? fix : "CELL_CLANGD must name a clangd", "%s", e.text);
    } else if (toolchain_linkage(t.clang) == LINKAGE_STATIC) {
        report(d, VERDICT_WARN, "clangd", export, "%s (LLVM %u) is linked statically, so that it cannot load %s",
               t.clang, t.version, t.plugin);
    } else {
        report(d, VERDICT_WARN, "clangd", export, "%s (LLVM %u) does not run with %s in it: another build of LLVM",
               t.clang, t.version, t.plugin);
    }
}

/* The library that programs will load, by the loader's own search, must be the one that this program belongs to. */
static void check_runtime(struct doctor *d)
{
    char path[4200];
    void *library = NULL;

    snprintf(path, sizeof(path), "%s/../lib/libcell.so.0", cli_program_dir());
    if (access(path, R_OK) < 0)
        snprintf(path, sizeof(path), "%s/../%s/libcell.so.0", cli_program_dir(), CELL_LIBDIR);
    if (access(path, R_OK) < 0)
        snprintf(path, sizeof(path), "libcell.so.0");
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        report(d, VERDICT_WARN, "runtime", "install it, or run ldconfig; programs linked with libcell.a need none",
               "libcell.so.0 cannot be loaded: %s", dlerror());
        return;
    }
    char *real = realpath(path, NULL);
    const char *suffix = real ? strstr(real, ".so.") : NULL;
    const char *found = suffix ? suffix + 4 : "unknown";
    if (strcmp(found, CELL_VERSION) != 0)
        report(d, VERDICT_FAIL, "runtime", "install library and program from the same build",
               "%s is version %s, cell is %s", real ? real : path, found, CELL_VERSION);
    else
        report(d, VERDICT_OK, "runtime", NULL, "%s, version %s", real ? real : path, found);
    free(real);
    dlclose(library);
}

/* ---- the project ---- */

static void check_config(struct doctor *d, struct cell_config *c)
{
    struct cell_error e = {0};
    uint32_t *order = NULL;
    size_t count;
    char fix[4200];

    if (!c->path) {
        report(d, VERDICT_WARN, "cell.json", "write one; docs/cli.md describes it",
               "there is none in this folder or above it; defaults are used");
        return;
    }
    snprintf(fix, sizeof(fix), "chmod go-w %s", c->path);
    if (order_check_config(c->path, &e) < 0)
        report(d, VERDICT_FAIL, "cell.json", fix, "%s", e.text);
    else if (order_cells(c, NULL, 0, &order, &count, &e) < 0)
        report(d, VERDICT_FAIL, "cell.json", "take one \"needs\" out", "%s", e.text);
    else
        report(d, VERDICT_OK, "cell.json", NULL, "%s, %" PRIu32 " cell%s", c->path, c->ncells,
               c->ncells == 1 ? "" : "s");
    free(order);
    for (uint32_t i = 0; i < c->ncells; i++) {
        char *program = NULL;

        if (!c->cells[i].command)
            continue;
        if (order_find_program(c->cells[i].command[0], &program, &e) < 0)
            report(d, VERDICT_FAIL, c->cells[i].name, "build or install it, or correct \"command\"", "%s", e.text);
        free(program);
    }
}

static void check_folder(struct doctor *d, const char *check, const char *path, mode_t forbidden)
{
    struct stat st;
    char fix[4200];

    if (lstat(path, &st) < 0) {
        if (errno == ENOENT)
            report(d, VERDICT_OK, check, NULL, "%s is not there yet and will be made", path);
        else
            report(d, VERDICT_FAIL, check, NULL, "cannot look at %s: %s", path, strerror(errno));
        return;
    }
    snprintf(fix, sizeof(fix), "chmod go-w %s", path);
    if (!S_ISDIR(st.st_mode))
        report(d, VERDICT_FAIL, check, "remove it", "%s is no folder", path);
    else if (st.st_uid != geteuid() && st.st_uid != 0)
        report(d, VERDICT_FAIL, check, "choose another \"run_dir\" in cell.json", "%s belongs to uid %u", path,
               (unsigned)st.st_uid);
    else if ((st.st_mode & forbidden) && !(st.st_mode & S_ISVTX))
        report(d, VERDICT_FAIL, check, fix, "others may write to %s", path);
    else if (access(path, W_OK | X_OK) < 0)
        report(d, VERDICT_FAIL, check, "chmod u+wx it, or run as its owner", "%s cannot be written: %s", path,
               strerror(errno));
    else
        report(d, VERDICT_OK, check, NULL, "%s", path);
}

/* The mirror's fingerprint: of the last schema that a build has seen. "" when there is none. */
static void mirror_fingerprint(const struct cell_config *c, const char *name, char hex[65])
{
    char path[4400], *json = NULL;
    size_t len = 0;

    hex[0] = '\0';
    if (!c->dir)
        return;
    snprintf(path, sizeof(path), "%s/.cell/mirror/%s.json", c->dir, name);
    if (cell_file_read(path, CELL_MAX_COMPILE_REPLY, &json, &len, NULL) < 0)
        return;
    while (len > 0 && json[len - 1] == '\n') /* mirrors are canonical; a line end would not be part of it */
        len--;
    cell_sha256_hex(json, len, hex);
    free(json);
}

static void check_cell(struct doctor *d, struct cell_config *c, const struct config_cell *cell)
{
    struct link_health h = {0};
    struct cell_error e = {0};
    char mirror[65], fix[200];
    int r =
        link_health(cell->address, cell->name, c->trust_any_owner, cell_now_ns() + HEALTH_MS * CELL_NS_PER_MS, &h, &e);

    snprintf(fix, sizeof(fix), "cell up %s", cell->name);
    if (r == CELL_UNAVAILABLE) {
        report(d, VERDICT_WARN, cell->name, fix, "is not running: %s", e.text);
        return;
    }
    if (r < 0) {
        const char *repair = r == CELL_PERMISSION_DENIED
                                 ? "remove the socket, or set \"trust_any_owner\" when that is meant"
                             : r == CELL_NOT_FOUND ? "give each cell an \"address\" of its own"
                                                   : "restart it: cell down, cell up";

        report(d, VERDICT_FAIL, cell->name, repair, "%s: %s", cell->address, e.text);
        return;
    }
    mirror_fingerprint(c, cell->name, mirror);
    if (strcmp(h.status, "serving") != 0)
        report(d, VERDICT_WARN, cell->name, "wait, or see its log", "process %" PRId64 " is %s", h.pid, h.status);
    else if (mirror[0] && h.fingerprint[0] && strcmp(mirror, h.fingerprint) != 0)
        report(d, VERDICT_WARN, cell->name, "build again",
               "its schema (%.12s) differs from the last one built against (%.12s)", h.fingerprint, mirror);
    else
        report(d, VERDICT_OK, cell->name, NULL, "process %" PRId64 " serves, version %s, fingerprint %.12s", h.pid,
               h.version[0] ? h.version : "unknown", h.fingerprint);
}

static void check_project(struct doctor *d)
{
    struct cell_error e = {0};
    char *cache = NULL;

    if (cli_find_config(d->cli, &e) < 0) {
        report(d, VERDICT_FAIL, "cell.json", "correct it; docs/cli.md describes it", "%s", e.text);
        return;
    }
    struct cell_config *c = d->cli->config;
    check_config(d, c);
    check_folder(d, "run_dir", c->run_dir, S_IWGRP | S_IWOTH);
    if (c->dir) {
        struct cell_buffer b = {0};

        cell_buffer_printf(&b, "%s/.cell", c->dir);
        cache = b.data;
        if (cache)
            check_folder(d, "cache", cache, S_IWOTH);
        free(cache);
    }
    for (uint32_t i = 0; i < c->ncells; i++)
        check_cell(d, c, &c->cells[i]);
}

int cmd_doctor(struct cli *cli, int argc, char **argv)
{
    struct doctor d = {.cli = cli};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, NULL, 0, &args);

    if (r != 0)
        return r;
    if (args.n > 0)
        return cli_error(cli, CLI_USAGE, "run `cell help doctor`", "doctor takes no arguments");
    out_begin(&d.json, NULL, '{');
    out_begin(&d.json, "checks", '[');
    check_compiler(&d);
    check_clangd(&d);
    check_runtime(&d);
    check_project(&d);
    out_end(&d.json, ']');
    out_uint(&d.json, "failed", d.failed);
    out_uint(&d.json, "warned", d.warned);
    out_end(&d.json, '}');
    r = CLI_OK;
    if (cli->json)
        r = out_print(cli, &d.json);
    else
        cell_buffer_free(&d.json.b);
    return d.failed ? CLI_FAILED : r;
}
