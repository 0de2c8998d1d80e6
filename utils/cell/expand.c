/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * `cell expand`: what the plugin adds to a file. The compiler lists the injected files among the dependencies, in the
 * order in which they were entered; nothing else about the plugin needs to be known here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "toolchain.h"

#define MAX_DEPENDENCIES (16u << 20)
#define MAX_TEXT (64u << 20)
#define INJECT_FOLDER "/.cell/inject/"

/* The next path of a dependency file in make's syntax, unescaped in place; NULL at the end. */
static char *next_path(char **at)
{
    char *from, *to;

    for (;;) {
        *at += strspn(*at, " \t\r\n");
        if ((*at)[0] == '\\' && ((*at)[1] == '\n' || (*at)[1] == '\r'))
            *at += 2;
        else
            break;
    }
    if (!**at)
        return NULL;
    from = to = *at;
    while (**at && !strchr(" \t\r\n", **at)) {
        if ((*at)[0] == '\\' && (*at)[1] && strchr(" #\\", (*at)[1]))
            ++*at;
        else if ((*at)[0] == '$' && (*at)[1] == '$')
            ++*at;
        else if ((*at)[0] == '\\' && (*at)[1] == '\n')
            break;
        *to++ = *(*at)++;
    }
    if (**at)
        ++*at;
    *to = '\0';
    return from;
}

static int print_file(struct cli *cli, struct cli_json *j, const char *path)
{
    struct cell_error e = {0};
    char *text = NULL;
    size_t len = 0;

    if (cell_file_read(path, MAX_TEXT, &text, &len, &e) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "%s", e.text);
    if (cli->json) {
        out_begin(j, NULL, '{');
        out_str(j, "path", path);
        out_strn(j, "text", text, len);
        out_end(j, '}');
    } else {
        struct cell_buffer safe = {0};

        cli_safe(&safe, text, len);
        printf("%s/* %s */%s\n", cli_style(cli, stdout, CLI_DIM), path, cli_style(cli, stdout, CLI_PLAIN));
        if (cell_buffer_ok(&safe) && safe.len)
            cli_write(safe.data, safe.len);
        cell_buffer_free(&safe);
    }
    free(text);
    return CLI_OK;
}

static int print_injected(struct cli *cli, const char *dependencies)
{
    struct cli_json j = {0};
    struct cell_error e = {0};
    char *text = NULL, *path;
    size_t len = 0, found = 0;
    int r = CLI_OK;

    if (cell_file_read(dependencies, MAX_DEPENDENCIES, &text, &len, &e) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "the compiler wrote no list of dependencies: %s", e.text);
    char *at = strstr(text, ": "); /* behind the target */
    out_begin(&j, NULL, '{');
    out_begin(&j, "files", '[');
    for (at = at ? at + 2 : text + len; r == CLI_OK && (path = next_path(&at));) {
        bool relative = strncmp(path, &INJECT_FOLDER[1], strlen(INJECT_FOLDER) - 1) == 0;

        if (!relative && !strstr(path, INJECT_FOLDER))
            continue;
        found++;
        r = print_file(cli, &j, path);
    }
    free(text);
    out_end(&j, ']');
    out_end(&j, '}');
    if (r != CLI_OK || !cli->json) {
        cell_buffer_free(&j.b);
        if (r == CLI_OK && found == 0)
            cli_say(cli, "nothing was injected");
        return r != CLI_OK ? r : cli_flush(cli);
    }
    return out_print(cli, &j);
}

static int run_clang(struct cli *cli, const struct toolchain *t, const char *file, const struct cli_args *args,
                     const char *dependencies)
{
    char plugin[4200], include[4200];
    char **argv = calloc((size_t)args->nafter + 16, sizeof(*argv));
    struct cell_error e = {0};
    int n = 0, code = 0;

    if (!argv)
        return cli_error(cli, CLI_FAILED, NULL, "out of memory");
    snprintf(plugin, sizeof(plugin), "-fplugin=%s", t->plugin);
    snprintf(include, sizeof(include), "-I%s", t->include);
    char *fixed[] = {(char *)(uintptr_t)t->clang, plugin};
    char *last[] = {(char[]){"-fsyntax-only"}, (char[]){"-MD"}, (char[]){"-MT"},
                    (char[]){"cell"},          (char[]){"-MF"}, (char *)(uintptr_t)dependencies,
                    (char *)(uintptr_t)file};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        argv[n++] = fixed[i];
    for (int i = 0; i < args->nafter; i++)
        argv[n++] = args->items[args->n - args->nafter + i];
    if (t->include[0])
        argv[n++] = include;
    for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++)
        argv[n++] = last[i];
    int r = toolchain_run(argv, "/dev/null", NULL, &code, &e);
    free(argv);
    if (r < 0)
        return cli_error(cli, CLI_FAILED, "run `cell doctor`", "%s", e.text);
    if (code != 0)
        return cli_error(cli, CLI_FAILED, "give the file's own compiler arguments after --",
                         "%s does not compile: %s ended with status %d", file, t->clang, code);
    return CLI_OK;
}

int cmd_expand(struct cli *cli, int argc, char **argv)
{
    char dependencies[4096];
    struct toolchain t;
    struct cell_error e = {0};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, NULL, 0, &args);

    if (r != 0)
        return r;
    if (args.n - args.nafter != 1)
        return cli_error(cli, CLI_USAGE, "run `cell help expand`",
                         "expand takes one file; clang's arguments follow --");
    if (access(args.items[0], R_OK) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "cannot read %s: %s", args.items[0], strerror(errno));
    if (toolchain_find(&t, &e) < 0)
        return cli_error(cli, CLI_FAILED, "run `cell doctor`", "%s", e.text);
    toolchain_temporary("expand", dependencies, sizeof(dependencies));
    int fd = mkostemp(dependencies, O_CLOEXEC);
    if (fd < 0)
        return cli_error(cli, CLI_FAILED, NULL, "cannot write %s: %s", dependencies, strerror(errno));
    close(fd);
    r = run_clang(cli, &t, args.items[0], &args, dependencies);
    if (r == CLI_OK)
        r = print_injected(cli, dependencies);
    unlink(dependencies);
    return r;
}
