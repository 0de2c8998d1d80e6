/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * `cell export headers`: what the plugin would inject, as files, for tools that cannot load it. DIR/cell/clients/NAME.h
 * is a cell's client; DIR/cell/cell.h takes the place of the header of that name, includes all of them, and makes the
 * annotations say nothing. What the files say depends on the schemas alone.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "Render.h"
#include "ask/ask_unix.h"
#include "cli.h"
#include "core/ask.h"
#include "core/ast.h"

#define MAX_CELLS 256u

struct export
{
    struct cli *cli;
    const char *dir;
    char names[MAX_CELLS][CELL_MAX_CELL_NAME + 1];
    size_t n;
    struct cell_session *asking, *mirrors;
    struct cli_json json;
};

static void add_name(struct export *x, const char *name, size_t len)
{
    char copy[CELL_MAX_CELL_NAME + 1];

    if (len > CELL_MAX_CELL_NAME || x->n == MAX_CELLS)
        return;
    memcpy(copy, name, len);
    copy[len] = '\0';
    if (!cell_is_identifier(copy))
        return;
    for (size_t i = 0; i < x->n; i++)
        if (strcmp(x->names[i], copy) == 0)
            return;
    memcpy(x->names[x->n++], copy, sizeof(copy));
}

static int compare_names(const void *a, const void *b) { return strcmp(a, b); }

/* The project's cells: those of cell.json, and those that some file has imported. */
static void list_cells(struct export *x)
{
    const struct cell_config *c = x->cli->config;
    const struct dirent *entry;
    char path[4400];

    for (uint32_t i = 0; i < c->ncells; i++)
        add_name(x, c->cells[i].name, strlen(c->cells[i].name));
    snprintf(path, sizeof(path), "%s/.cell/mirror", c->dir);
    DIR *folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot && strcmp(dot, ".json") == 0)
            add_name(x, entry->d_name, (size_t)(dot - entry->d_name));
    }
    if (folder)
        closedir(folder);
    qsort(x->names, x->n, sizeof(x->names[0]), compare_names);
}

/* Replaces a file unless it says the same already: what depends on it is not built again for nothing. */
static int store(const char *path, const struct cell_buffer *b, struct cell_error *e)
{
    char *now = NULL;
    size_t len = 0;

    if (!cell_buffer_ok(b))
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    bool same =
        cell_file_read(path, b->len + 1, &now, &len, NULL) >= 0 && len == b->len && memcmp(now, b->data, len) == 0;
    free(now);
    return same ? CELL_OK : cell_file_replace(path, b->data, b->len, e);
}

static int render_client(const struct cell_schema *schema, struct cell_buffer *b, struct cell_error *e)
{
    struct render_options c = {.plain = true}, cplusplus = {.plain = true, .cplusplus = true};
    struct cell_ast *functions = NULL;

    int r = cell_ast_of_schema(schema, NULL, &functions, e);
    if (r < 0) {
        cell_error_wrap(e, "the functions of %s are refused", schema->cell);
        return r;
    }
    c.functions = cplusplus.functions = functions;

    cell_buffer_printf(b,
                       "/* The client of cell '%s', made by `cell export headers`; schema\n * %s */\n"
                       "#ifndef CELL_CLIENTS_%s_H\n#define CELL_CLIENTS_%s_H\n#pragma GCC system_header\n\n"
                       "#include <cell/ctx.h>\n#include <cell/desc.h>\n\n"
                       "#ifndef CELL_ENUM_BASE\n"
                       "#if defined(__cplusplus) || defined(__clang__) || \\\n"
                       "    (defined(__STDC_VERSION__) && __STDC_VERSION__ > 201710L && __GNUC__ > 12)\n"
                       "#define CELL_ENUM_BASE(type) : type\n"
                       "#else\n"
                       "#define CELL_ENUM_BASE(type) /* assertions tell when that makes a difference */\n"
                       "#endif\n#endif\n"
                       "#ifndef CELL_REFUSE_IF\n"
                       "#if defined(__clang__)\n"
                       "#define CELL_REFUSE_IF(condition, text) "
                       "__attribute__((diagnose_if(condition, text, \"error\")))\n"
                       "#else\n"
                       "#define CELL_REFUSE_IF(condition, text) /* checked when the call is made */\n"
                       "#endif\n#endif\n\n#ifdef __cplusplus\n",
                       schema->cell, schema->fingerprint, schema->cell, schema->cell);
    r = cell_render_client(schema, &cplusplus, b, e);
    cell_buffer_puts(b, "#else\n");
    if (r >= 0)
        r = cell_render_client(schema, &c, b, e);
    cell_buffer_puts(b, "#endif\n\n#endif\n");
    cell_ast_free(functions);
    return r;
}

/* The schema of a cell, from itself or from its mirror; NULL after reporting. */
static const struct cell_schema *find_schema(struct export *x, const char *name, bool *stale)
{
    struct session_cell *cell = NULL, *mirror = NULL;
    struct cell_error e = {0};

    *stale = false;
    if (cell_session_cell(x->asking, name, &cell) >= 0) {
        const struct cell_schema *schema = cell_session_schema(x->asking, cell, &e);
        if (!schema)
            cli_error(x->cli, CLI_FAILED, NULL, "%s", e.text);
        return schema;
    }
    *stale = true;
    if (cell && cell_session_cell(x->mirrors, name, &mirror) >= 0) {
        const struct cell_schema *schema = cell_session_schema(x->mirrors, mirror, &e);
        if (schema)
            cli_warn(x->cli, "%s does not answer, so this is its last known schema: %s", name, cell->error.text);
        else
            cli_error(x->cli, CLI_FAILED, NULL, "%s", e.text);
        return schema;
    }
    cli_error(x->cli, CLI_UNAVAILABLE, "start it with `cell up`", "%s cannot be asked: %s", name,
              cell ? cell->error.text : "out of memory");
    return NULL;
}

static int export_cell(struct export *x, const char *name)
{
    struct cell_buffer b = {0};
    struct cell_error e = {0};
    char path[4400];
    bool stale;
    const struct cell_schema *schema = find_schema(x, name, &stale);

    if (!schema)
        return CLI_UNAVAILABLE;
    snprintf(path, sizeof(path), "%s/cell/clients/%s.h", x->dir, name);
    int r = render_client(schema, &b, &e);
    if (r >= 0)
        r = store(path, &b, &e);
    cell_buffer_free(&b);
    if (r < 0)
        return cli_error(x->cli, CLI_FAILED, NULL, "%s: %s", path, e.text[0] ? e.text : cell_status_text(r));
    out_begin(&x->json, NULL, '{');
    out_str(&x->json, "cell", name);
    out_str(&x->json, "fingerprint", schema->fingerprint);
    out_bool(&x->json, "from_mirror", stale);
    out_str(&x->json, "path", path);
    out_end(&x->json, '}');
    if (!x->cli->json) {
        cli_write(path, strlen(path));
        cli_write("\n", 1);
    }
    return CLI_OK;
}

/* The header that stands before cell.h. */
static int export_entry(struct export *x)
{
    struct cell_buffer b = {0};
    struct cell_error e = {0};
    char path[4400];

    cell_buffer_puts(
        &b, "/* <cell/cell.h> without the plugin, made by `cell export headers`: every cell of the project "
            "is imported. */\n"
            "#ifndef CELL_CELL_H\n#define CELL_CELL_H\n#pragma GCC system_header\n\n"
            "#include <cell/attrs.h> // IWYU pragma: export\n"
            "#include <cell/ctx.h>   // IWYU pragma: export\n"
            "#include <cell/sql.h>   // IWYU pragma: export\n\n"
            "#undef CELL_ANNOTATE\n#define CELL_ANNOTATE(...)\n#undef CELL_PRAGMA\n#define CELL_PRAGMA(text)\n\n");
    for (size_t i = 0; i < x->n; i++)
        cell_buffer_printf(&b, "#include \"clients/%s.h\" // IWYU pragma: export\n", x->names[i]);
    cell_buffer_puts(&b, "\n#endif\n");
    snprintf(path, sizeof(path), "%s/cell/cell.h", x->dir);
    int r = store(path, &b, &e);
    cell_buffer_free(&b);
    return r < 0 ? cli_error(x->cli, CLI_FAILED, NULL, "%s", e.text) : CLI_OK;
}

static int export_all(struct export *x)
{
    struct cell_error e = {0};
    char path[4400];
    int r = CLI_OK;

    if ((size_t)snprintf(path, sizeof(path) - CELL_MAX_CELL_NAME - 3, "%s/cell/clients", x->dir) >=
        sizeof(path) - CELL_MAX_CELL_NAME - 3)
        return cli_error(x->cli, CLI_FAILED, NULL, "the name of the folder is too long");
    const char *project = x->cli->config->path;
    if (cell_mkdirs(path, &e) < 0 ||
        cell_session_new(project, NULL, SESSION_PLAN, &cell_exchange_unix, &x->asking, &e) < 0 ||
        cell_session_new(project, NULL, SESSION_MIRROR, &cell_exchange_unix, &x->mirrors, &e) < 0)
        return cli_error(x->cli, CLI_FAILED, NULL, "%s", e.text);
    for (size_t i = 0; i < x->n && r == CLI_OK; i++)
        r = export_cell(x, x->names[i]);
    /* Last: it names nothing that is not there. */
    return r == CLI_OK ? export_entry(x) : r;
}

int cmd_export(struct cli *cli, int argc, char **argv)
{
    struct cli_args args;
    char standard[4400];
    int r = cli_parse(cli, argc, argv, NULL, 0, &args);

    if (r != 0)
        return r;
    if (args.n < 1 || args.n > 2 || strcmp(args.items[0], "headers") != 0)
        return cli_error(cli, CLI_USAGE, "run `cell help export`", "what can be exported are headers");
    if (!cli_config(cli, true))
        return CLI_FAILED;
    snprintf(standard, sizeof(standard), "%s/.cell/headers", cli->config->dir);
    struct export *x = calloc(1, sizeof(*x));
    if (!x)
        return cli_error(cli, CLI_FAILED, NULL, "out of memory");
    x->cli = cli;
    x->dir = args.n == 2 ? args.items[1] : standard;
    list_cells(x);
    out_begin(&x->json, NULL, '{');
    out_begin(&x->json, "headers", '[');
    r = x->n ? export_all(x)
             : cli_error(cli, CLI_FAILED, "name cells in cell.json, or compile a file that imports one",
                         "the project has no cells");
    out_end(&x->json, ']');
    out_end(&x->json, '}');
    if (r == CLI_OK && cli->json)
        r = out_print(cli, &x->json);
    else
        cell_buffer_free(&x->json.b);
    cell_session_free(x->asking);
    cell_session_free(x->mirrors);
    free(x);
    return r;
}
