/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell consumers`: who uses a cell, and what of it. */
#include "consumers.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inspect.h"

#define ASK_MS 5000u

char *consumers_dir(struct cli *cli, const char *registry)
{
    struct cell_buffer path = {0};

    if (registry) {
        cell_buffer_puts(&path, registry);
    } else {
        if (!cli_config(cli, true))
            return NULL;
        cell_buffer_printf(&path, "%s/.cell/consumers", cli->config->dir);
    }
    if (cell_buffer_ok(&path))
        return path.data;
    cell_buffer_free(&path);
    cli_error(cli, CLI_FAILED, NULL, "out of memory");
    return NULL;
}

/* ---- the set ---- */

void consumers_free(struct consumer_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        cell_consumer_free(set->items[i].consumer);
    free(set->items);
    *set = (struct consumer_set){0};
}

int consumers_add(struct consumer_set *set, struct cell_consumer *c, bool in_cell, struct cell_error *e)
{
    struct known_consumer *grown = realloc(set->items, (set->n + 1) * sizeof(*grown));

    if (!grown) {
        cell_consumer_free(c);
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    set->items = grown;
    set->items[set->n++] = (struct known_consumer){c, in_cell};
    return CELL_OK;
}

static int compare(const void *a, const void *b)
{
    const struct known_consumer *x = a, *y = b;
    int r = strcmp(x->consumer->program, y->consumer->program);

    return r ? r : strcmp(x->consumer->path, y->consumer->path);
}

static bool is_known(const struct consumer_set *set, const struct cell_consumer *c)
{
    for (size_t i = 0; i < set->n; i++)
        if (strcmp(set->items[i].consumer->program, c->program) == 0 &&
            strcmp(set->items[i].consumer->path, c->path) == 0)
            return true;
    return false;
}

static int add_folder(const char *dir, const char *cell, struct consumer_set *set, struct cell_error *e)
{
    struct cell_buffer folder = {0};
    struct cell_consumer_list list = {0};

    cell_buffer_printf(&folder, "%s/%s", dir, cell);
    int r = cell_buffer_ok(&folder) ? cell_consumers_list(folder.data, &list, e)
                                    : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    for (size_t i = 0; r >= 0 && i < list.n; i++) {
        struct cell_consumer *c = NULL;

        r = cell_consumers_read(folder.data, list.files[i], &c, e);
        if (r < 0 || is_known(set, c) || strcmp(c->cell, cell) != 0)
            cell_consumer_free(c);
        else
            r = consumers_add(set, c, false, e);
        if (r == CELL_NOT_FOUND)
            r = CELL_OK; /* it has gone meanwhile */
    }
    cell_consumers_list_free(&list);
    cell_buffer_free(&folder);
    return r;
}

static int add_cell(struct cli *cli, const char *cell, bool quiet, struct consumer_set *set, struct cell_error *e)
{
    const struct consumer_link from = {cell_config_address(cli->config, cell), cell, cli->config->trust_any_owner,
                                       ASK_MS};
    int r = from.address ? link_consumers(&from, set, e) : cell_error_set(e, CELL_NO_MEMORY, "out of memory");

    if (r >= 0 || !link_is_closed(r))
        return r;
    if (!quiet)
        cli_warn(cli, "%s cannot be asked: %s; only what .cell/consumers holds is known", cell, e->text);
    return CELL_OK;
}

int consumers_gather(struct cli *cli, const char *cell, const char *registry, bool quiet, struct consumer_set *set)
{
    struct cell_error e = {0};
    int r = CELL_OK;

    *set = (struct consumer_set){0};
    if (!registry) {
        if (!cli_config(cli, false))
            return CLI_FAILED;
        r = add_cell(cli, cell, quiet, set, &e);
    }
    if (r >= 0 && (registry || cli->config->dir)) {
        char *dir = consumers_dir(cli, registry);

        r = dir ? add_folder(dir, cell, set, &e) : cell_error_set(&e, CELL_NO_MEMORY, "out of memory");
        free(dir);
    }
    if (r < 0) {
        consumers_free(set);
        return cli_error(cli, cli_exit_of(r), NULL, "%s: %s", cell, e.text);
    }
    if (set->left_out)
        cli_warn(cli, "%s: %" PRIu64 " of its records cannot be read", cell, set->left_out);
    if (set->n > 1)
        qsort(set->items, set->n, sizeof(*set->items), compare);
    return CLI_OK;
}

/* ---- of one cell ---- */

static const char *day(int64_t seconds, char text[32])
{
    time_t when = (time_t)seconds;
    struct tm parts;

    text[0] = '\0';
    if (gmtime_r(&when, &parts))
        strftime(text, 32, "%Y-%m-%d", &parts);
    return text;
}

static void show_consumer(const struct known_consumer *known, struct cli_json *j, struct cell_buffer *text)
{
    const struct cell_consumer *c = known->consumer;
    struct cell_buffer json = {0};
    char when[32];

    out_begin(j, NULL, '{');
    out_str(j, "program", c->program);
    out_str(j, "path", c->path);
    out_str(j, "build", c->build);
    out_int(j, "reported", c->reported);
    out_str(j, "kept_by", known->in_cell ? "cell" : "folder");
    cell_uses_format(c->uses, &json);
    if (json.data)
        out_raw(j, "uses", json.data, json.len);
    out_end(j, '}');
    cell_buffer_printf(text, "%s%s", text->len ? "\n" : "", c->program);
    if (*c->path)
        cell_buffer_printf(text, " (%s)", c->path);
    cell_buffer_printf(text, ", reported on %s%s\n", day(c->reported, when), known->in_cell ? "" : ", not to the cell");
    uses_text(text, c->uses);
    cell_buffer_free(&json);
}

static int show_all(struct cli *cli, const char *cell, const char *registry)
{
    struct consumer_set set;
    struct cli_json j = {0};
    struct cell_buffer text = {0}, safe = {0};
    int r = consumers_gather(cli, cell, registry, false, &set);

    if (r != CLI_OK)
        return r;
    out_begin(&j, NULL, '{');
    out_str(&j, "cell", cell);
    out_begin(&j, "programs", '[');
    for (size_t i = 0; i < set.n; i++)
        show_consumer(&set.items[i], &j, &text);
    out_end(&j, ']');
    out_end(&j, '}');
    if (!cli->json && text.len) {
        cli_safe(&safe, text.data, text.len);
        cli_write(safe.data ? safe.data : "", safe.len);
    }
    if (set.n == 0)
        cli_say(cli, "no program that uses %s was reported: run `cell report PROGRAM`", cell);
    cell_buffer_free(&text);
    cell_buffer_free(&safe);
    consumers_free(&set);
    if (cli->json)
        return out_print(cli, &j);
    cell_buffer_free(&j.b);
    return r;
}

/* ---- of all ---- */

/* Cells of cell.json and those of which the folder knows something, each once, sorted. */
struct names {
    char **items;
    size_t n;
};

static bool add_name(struct names *names, const char *name)
{
    char **grown = realloc(names->items, (names->n + 1) * sizeof(*grown));

    if (!grown)
        return false;
    names->items = grown;
    names->items[names->n] = strdup(name);
    return names->items[names->n] && ++names->n;
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool find_names(struct cli *cli, const char *registry, struct names *names)
{
    char *dir = consumers_dir(cli, registry);
    DIR *open = dir ? opendir(dir) : NULL;
    bool good = true;

    for (uint32_t i = 0; good && !registry && i < cli->config->ncells; i++)
        good = add_name(names, cli->config->cells[i].name);
    for (const struct dirent *d; good && open && (d = readdir(open)) != NULL;)
        if (cell_is_identifier(d->d_name))
            good = add_name(names, d->d_name);
    if (open)
        closedir(open);
    free(dir);
    if (names->n > 1)
        qsort(names->items, names->n, sizeof(*names->items), compare_names);
    return good;
}

static int show_cell(struct cli *cli, const char *cell, const char *registry, struct cli_json *j)
{
    struct consumer_set set;
    char line[200];
    int r = consumers_gather(cli, cell, registry, true, &set);

    if (r != CLI_OK || set.n == 0)
        return r;
    out_begin(j, NULL, '{');
    out_str(j, "cell", cell);
    out_uint(j, "programs", set.n);
    out_end(j, '}');
    int len = snprintf(line, sizeof(line), "%s: %zu program%s\n", cell, set.n, set.n == 1 ? "" : "s");
    if (!cli->json)
        cli_write(line, (size_t)len);
    consumers_free(&set);
    return CLI_OK;
}

static int show_cells(struct cli *cli, const char *registry)
{
    struct names names = {0};
    struct cli_json j = {0};
    int r = CLI_OK;

    if (!registry && !cli_config(cli, true))
        return CLI_FAILED;
    if (!find_names(cli, registry, &names))
        r = cli_error(cli, CLI_FAILED, NULL, "out of memory");
    out_begin(&j, NULL, '{');
    out_begin(&j, "cells", '[');
    for (size_t i = 0; r == CLI_OK && i < names.n; i++)
        if (i == 0 || strcmp(names.items[i - 1], names.items[i]) != 0)
            r = show_cell(cli, names.items[i], registry, &j);
    out_end(&j, ']');
    out_end(&j, '}');
    for (size_t i = 0; i < names.n; i++)
        free(names.items[i]);
    free(names.items);
    if (r == CLI_OK && cli->json)
        return out_print(cli, &j);
    cell_buffer_free(&j.b);
    return r;
}

/* ---- forgetting ---- */

static int forget(struct cli *cli, const char *cell, const char *registry, const char *program, const char *path)
{
    struct cell_buffer folder = {0};
    struct cli_json j = {0};
    struct cell_error e = {0};
    uint32_t in_cell = 0, in_folder = 0;
    char name[CELL_MAX_NAME + 1];
    int r = CELL_OK;

    cell_consumer_name(program, name);
    if (!registry) {
        if (!cli_config(cli, false))
            return CLI_FAILED;
        const struct consumer_link from = {cell_config_address(cli->config, cell), cell, cli->config->trust_any_owner,
                                           ASK_MS};
        r = from.address ? link_forget(&from, name, path, &in_cell, &e) : CELL_NO_MEMORY;
        if (link_is_closed(r)) {
            cli_warn(cli, "%s cannot be asked: %s; only .cell/consumers is cleared of it", cell, e.text);
            r = CELL_OK;
        }
    }
    if (r >= 0 && (registry || cli->config->dir)) {
        char *dir = consumers_dir(cli, registry);

        cell_buffer_printf(&folder, "%s/%s", dir ? dir : "", cell);
        free(dir);
        r = dir && cell_buffer_ok(&folder) ? cell_consumers_forget(folder.data, name, path, &in_folder, &e)
                                           : cell_error_set(&e, CELL_NO_MEMORY, "out of memory");
        cell_buffer_free(&folder);
    }
    if (r < 0)
        return cli_error(cli, cli_exit_of(r), NULL, "%s: %s", cell, e.text);
    if (in_cell + in_folder == 0)
        return cli_error(cli, CLI_FAILED, "`cell consumers` lists them", "no program '%s' that uses %s was reported",
                         name, cell);
    out_begin(&j, NULL, '{');
    out_str(&j, "cell", cell);
    out_uint(&j, "forgotten", in_cell + in_folder);
    out_end(&j, '}');
    if (cli->json)
        return out_print(cli, &j);
    cell_buffer_free(&j.b);
    return CLI_OK;
}

int cmd_consumers(struct cli *cli, int argc, char **argv)
{
    const char *registry = NULL, *program = NULL, *path = NULL;
    const struct cli_option options[] = {{.name = "registry", .value = &registry},
                                         {.name = "forget", .value = &program},
                                         {.name = "path", .value = &path}};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, options, 3, &args);

    if (r != 0)
        return r;
    if (args.n > 1 || (args.n && !cell_is_identifier(args.items[0])))
        return cli_error(cli, CLI_USAGE, "run `cell help consumers`", "consumers takes the name of one cell");
    if ((program && !args.n) || (path && !program))
        return cli_error(cli, CLI_USAGE, "run `cell help consumers`", "%s",
                         path ? "--path says which program --forget means" : "--forget needs the name of the cell");
    if (program)
        return forget(cli, args.items[0], registry, program, path);
    return args.n ? show_all(cli, args.items[0], registry) : show_cells(cli, registry);
}
