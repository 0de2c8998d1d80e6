/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The command line: options before and after operands, "--" ends them, unknown ones come with a suggestion. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define MAX_OPTIONS 24

static int unknown_option(struct cli *cli, const char *name, size_t len, const struct cli_option *options, size_t n)
{
    const char *names[MAX_OPTIONS + 2];
    char word[64], hint[128];
    size_t count = 0;

    for (size_t i = 0; i < n && count < MAX_OPTIONS; i++)
        names[count++] = options[i].name;
    names[count++] = "json";
    names[count++] = "help";
    snprintf(word, sizeof(word), "%.*s", (int)(len < 60 ? len : 60), name);
    const char *near = cell_suggest(word, names, count);
    if (near)
        snprintf(hint, sizeof(hint), "did you mean --%s?", near);
    else
        snprintf(hint, sizeof(hint), "run `cell help %s`", cli->command);
    return cli_error(cli, CLI_USAGE, hint, "cell %s has no option --%s", cli->command, word);
}

static int list_add(struct cli *cli, struct cli_list *list, const char *value)
{
    const char **grown = realloc(list->items, (list->n + 1) * sizeof(*grown));

    if (!grown)
        return cli_error(cli, CLI_FAILED, NULL, "out of memory");
    list->items = grown;
    list->items[list->n++] = value;
    return 0;
}

void cli_list_free(struct cli_list *list)
{
    free(list->items);
    list->items = NULL;
    list->n = 0;
}

/* Enters the folder of -C, as make and git do, so that every relative path means the same. */
static int enter(struct cli *cli, const char *dir)
{
    if (chdir(dir) == 0)
        return 0;
    return cli_error(cli, CLI_USAGE, NULL, "cannot enter the folder of -C, %s: %s", dir, strerror(errno));
}

/* Takes the value of option `o`: what stands behind "=" or the letter, else the next word. */
static int take_value(struct cli *cli, int argc, char **argv, int *i, const struct cli_option *o, const char *value)
{
    if (o->flag) {
        *o->flag = true;
        return value ? cli_error(cli, CLI_USAGE, NULL, "--%s takes no value", o->name) : 0;
    }
    if (!value && *i + 1 >= argc)
        return cli_error(cli, CLI_USAGE, NULL, "--%s needs a value", o->name);
    value = value ? value : argv[++*i];
    if (o->list)
        return list_add(cli, o->list, value);
    *o->value = value;
    return 0;
}

/* Handles argv[*i], which begins with "--". */
static int long_option(struct cli *cli, int argc, char **argv, int *i, const struct cli_option *options, size_t n)
{
    const char *name = argv[*i] + 2;
    const char *value = strchr(name, '=');
    size_t len = value ? (size_t)(value - name) : strlen(name);

    if (len == 4 && memcmp(name, "json", 4) == 0 && !value) {
        cli->json = true;
        return 0;
    }
    for (size_t k = 0; k < n; k++)
        if (strlen(options[k].name) == len && memcmp(options[k].name, name, len) == 0)
            return take_value(cli, argc, argv, i, &options[k], value ? value + 1 : NULL);
    return unknown_option(cli, name, len, options, n);
}

/* Handles argv[*i], which begins with one "-" and a letter. */
static int short_option(struct cli *cli, int argc, char **argv, int *i, const struct cli_option *options, size_t n)
{
    const char *word = argv[*i];
    char hint[80];

    if (word[1] == 'C') {
        if (!word[2] && *i + 1 >= argc)
            return cli_error(cli, CLI_USAGE, NULL, "-C needs a folder");
        return enter(cli, word[2] ? word + 2 : argv[++*i]);
    }
    for (size_t k = 0; k < n; k++)
        if (options[k].letter == word[1])
            return take_value(cli, argc, argv, i, &options[k], word[2] ? word + 2 : NULL);
    snprintf(hint, sizeof(hint), "run `cell help %s`", cli->command);
    return cli_error(cli, CLI_USAGE, hint, "cell %s has no option %s", cli->command, word);
}

int cli_parse(struct cli *cli, int argc, char **argv, const struct cli_option *options, size_t n, struct cli_args *args)
{
    bool help = false;
    int kept = 1;

    *args = (struct cli_args){.items = argv + 1};
    for (int i = 1; i < argc; i++) {
        char *a = argv[i];
        int r = 0;

        if (strcmp(a, "--") == 0) {
            args->nafter = argc - i - 1;
            while (++i < argc)
                argv[kept++] = argv[i];
        } else if (strcmp(a, "-h") == 0 || strcmp(a, "--help") == 0) {
            help = true;
        } else if (a[0] != '-' || a[1] == '\0') {
            argv[kept++] = a;
        } else {
            r = a[1] == '-' ? long_option(cli, argc, argv, &i, options, n)
                            : short_option(cli, argc, argv, &i, options, n);
        }
        if (r != 0)
            return r;
    }
    args->n = kept - 1;
    if (help)
        return cli_help(cli, cli->command) == CLI_OK ? CLI_DONE : CLI_FAILED;
    return 0;
}

bool cli_number(struct cli *cli, const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    char *end;

    errno = 0;
    unsigned long long v = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : (end = NULL, 0);
    if (!end || *end || errno || v < min || v > max) {
        cli_error(cli, CLI_USAGE, NULL, "--%s takes a whole number from %" PRIu64 " to %" PRIu64 ", not '%s'", name,
                  min, max, text);
        return false;
    }
    *value = v;
    return true;
}
