/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * `cell completion`: the script for the shell, and the words that it asks for. Names come from the mirrors on disk;
 * only a cell that no build has seen is asked, and briefly: a completion must not hang because a cell does.
 */
#include <stdlib.h>
#include <string.h>

#include "ask/link.h"
#include "core/trust.h"
#include "schema_text.h"

#define ASK_MS 300u

static struct cell_schema *quick_schema(struct cli *cli, const char *name)
{
    struct cell_schema *schema = NULL;
    char path[4400], *json = NULL;
    size_t len = 0;
    int r = CELL_NOT_FOUND;

    if (cli->config->dir) {
        snprintf(path, sizeof(path), "%s/.cell/mirror/%s.json", cli->config->dir, name);
        r = cell_file_read(path, CELL_MAX_COMPILE_REPLY, &json, &len, NULL);
    }
    if (r < 0) {
        const char *address = cell_config_address(cli->config, name);

        /* Nor must it contact somebody whom a project names that was never looked at. */
        r = address && cell_trust_contact(cli->config, name, address, NULL) < 0 ? CELL_PERMISSION_DENIED
            : address ? cell_link_schema(address, name, cli->config->trust_any_owner,
                                         cell_now_ns() + ASK_MS * CELL_NS_PER_MS, &json, &len, NULL)
                      : CELL_NO_MEMORY;
    }
    if (r >= 0)
        cell_schema_parse(json, len, &schema, NULL);
    free(json);
    return schema;
}

static void print_arguments(const struct cell_schema *s, const char *method)
{
    char prefixed[2 * CELL_MAX_NAME + 2];

    snprintf(prefixed, sizeof(prefixed), "%s_%.127s", s->cell, method);
    const struct schema_method *m = cell_schema_method(s, method);
    if (!m)
        m = cell_schema_method(s, prefixed);
    for (uint32_t i = 0; m && i < m->nparams; i++)
        if (!m->params[i].out)
            printf("%s=\n", m->params[i].name);
}

/* Silent when there is nothing to say: the shell shows no completion then. */
static int print_words(struct cli *cli, const char *what, const char *of)
{
    const char *dot = strchr(of, '.');
    char name[CELL_MAX_CELL_NAME + 1];

    snprintf(name, sizeof(name), "%.*s", (int)(dot ? dot - of : (long)strlen(of)), of);
    if (!cell_is_identifier(name) || cli_find_config(cli, NULL) < 0)
        return CLI_FAILED;
    struct cell_schema *s = quick_schema(cli, name);
    if (!s)
        return CLI_UNAVAILABLE;
    if (strcmp(what, "arguments") == 0 && dot)
        print_arguments(s, dot + 1);
    for (uint32_t i = 0; strcmp(what, "methods") == 0 && i < s->nmethods; i++)
        printf("%s.%s\n", s->cell, s->methods[i].name);
    cell_schema_free(s);
    return cli_flush(cli);
}

int cmd_completion(struct cli *cli, int argc, char **argv)
{
    struct cli_args args;
    struct cli_json j = {0};
    int r = cli_parse(cli, argc, argv, NULL, 0, &args);

    if (r != 0)
        return r;
    if (args.n == 2 && (strcmp(args.items[0], "methods") == 0 || strcmp(args.items[0], "arguments") == 0))
        return print_words(cli, args.items[0], args.items[1]);
    if (args.n != 1 || strcmp(args.items[0], "bash") != 0)
        return cli_error(cli, CLI_USAGE, "run `eval \"$(cell completion bash)\"`",
                         "completion is there for one shell: bash");
    if (!cli->json) {
        cli_write(cli_completion_bash, strlen(cli_completion_bash));
        return cli_flush(cli);
    }
    out_begin(&j, NULL, '{');
    out_str(&j, "shell", "bash");
    out_str(&j, "script", cli_completion_bash);
    out_end(&j, '}');
    return out_print(cli, &j);
}
