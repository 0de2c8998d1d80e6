/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell report` records what programs use; `cell consumers` lists it. */
#include "consumers.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "inspect.h"

#define RECORD_MAGIC "CELLCON1" /* then the size of the uses as u64 little-endian, the uses, the schemas */

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

void consumers_free(struct consumer_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i].program);
        free(list->items[i].path);
    }
    free(list->items);
    *list = (struct consumer_list){0};
}

/* A program's name as that of a file: what cannot be part of one, and what begins as a hidden file does, becomes '_'.
 */
static void file_name(const char *program, char out[128])
{
    const char *slash = strrchr(program, '/');
    const char *base = slash ? slash + 1 : program;
    size_t n = 0;

    for (; base[n] && n < 120; n++) {
        unsigned char c = (unsigned char)base[n];
        out[n] = c > ' ' && c < 0x7f && !(n == 0 && c == '.') ? (char)c : '_';
    }
    out[n] = '\0';
}

static int compare_consumers(const void *a, const void *b)
{
    const struct consumer *x = a, *y = b;

    return strcmp(x->program, y->program);
}

static int add_consumer(struct consumer_list *list, const char *folder, const char *name)
{
    struct cell_buffer path = {0};
    struct stat st;

    cell_buffer_printf(&path, "%s/%s", folder, name);
    if (!cell_buffer_ok(&path) || stat(path.data, &st) < 0 || !S_ISREG(st.st_mode)) {
        int r = cell_buffer_ok(&path) ? CELL_OK : CELL_NO_MEMORY;
        cell_buffer_free(&path);
        return r; /* it has gone meanwhile, or is something else */
    }
    struct consumer *grown = realloc(list->items, (list->n + 1) * sizeof(*grown));
    char *program = strdup(name);
    if (grown)
        list->items = grown;
    if (!grown || !program) {
        free(program);
        cell_buffer_free(&path);
        return CELL_NO_MEMORY;
    }
    list->items[list->n++] = (struct consumer){program, path.data, (int64_t)st.st_mtime};
    return CELL_OK;
}

int consumers_list(const char *dir, const char *cell, struct consumer_list *list, struct cell_error *e)
{
    struct cell_buffer folder = {0};
    int r = CELL_OK;

    *list = (struct consumer_list){0};
    cell_buffer_printf(&folder, "%s/%s", dir, cell);
    if (!cell_buffer_ok(&folder))
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    DIR *open = opendir(folder.data);
    if (!open && errno != ENOENT)
        r = cell_error_errno(e, CELL_IO_ERROR, errno, "cannot read %s", folder.data);
    for (struct dirent *d; open && r >= 0 && (d = readdir(open)) != NULL;)
        if (d->d_name[0] != '.' && !strchr(d->d_name, '~') && list->n < CONSUMERS_MAX &&
            add_consumer(list, folder.data, d->d_name) < 0)
            r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (open)
        closedir(open);
    cell_buffer_free(&folder);
    if (r < 0)
        consumers_free(list);
    else if (list->n > 1)
        qsort(list->items, list->n, sizeof(*list->items), compare_consumers);
    return r;
}

int consumers_read(const char *path, struct cell_uses **uses, struct cell_error *e)
{
    char *data = NULL;
    size_t len = 0;
    uint64_t size = 0;
    int r = cell_file_read(path, CONSUMERS_MAX_BYTES, &data, &len, e);

    if (r < 0)
        return r;
    for (unsigned i = 0; len >= 16 && i < 8; i++)
        size |= (uint64_t)(unsigned char)data[8 + i] << (8 * i);
    if (len < 16 || memcmp(data, RECORD_MAGIC, 8) != 0 || size > len - 16)
        r = cell_error_set(e, CELL_PROTOCOL_ERROR, "it is no record of a program; remove it and report again");
    else
        r = cell_uses_read(data + 16, (size_t)size, data + 16 + size, len - 16 - (size_t)size, uses, e);
    free(data);
    return r;
}

/* ---- report ---- */

/* Of all uses those of one cell, as a record. */
static int format_record(const struct cell_uses *all, const char *cell, struct cell_buffer *out)
{
    struct cell_uses mine = {.truncated = all->truncated};
    struct cell_buffer uses = {0}, schemas = {0};
    int r = CELL_OK;

    for (uint32_t i = 0; r >= 0 && i < all->n; i++)
        if (strcmp(all->uses[i].cell, cell) == 0)
            r = cell_uses_add(&mine, &all->uses[i]);
    if (r >= 0)
        r = cell_uses_record(&mine, &uses);
    for (uint32_t i = 0; r >= 0 && i < all->nschemas; i++)
        if (strcmp(all->schemas[i].cell, cell) == 0)
            r = cell_used_schema_record_as(all->schemas[i].schema, all->schemas[i].fingerprint, &schemas);
    uint64_t size = uses.len;
    unsigned char bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(size >> (8 * i));
    cell_buffer_append(out, RECORD_MAGIC, 8);
    cell_buffer_append(out, bytes, 8);
    cell_buffer_append(out, uses.data, uses.len);
    cell_buffer_append(out, schemas.data ? schemas.data : "", schemas.len);
    cell_buffer_free(&uses);
    cell_buffer_free(&schemas);
    free(mine.uses);
    cell_arena_free(&mine.arena);
    return r < 0 || !cell_buffer_ok(out) ? CELL_NO_MEMORY : CELL_OK;
}

static bool is_recorded(const struct consumer_list *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->items[i].program, name) == 0)
            return true;
    return false;
}

static int record(const char *dir, const char *program, const struct cell_uses *uses, const char *cell,
                  struct cell_error *e)
{
    struct cell_buffer path = {0}, data = {0};
    struct consumer_list list;
    char name[128];
    int r = consumers_list(dir, cell, &list, e);

    if (r < 0)
        return r;
    file_name(program, name);
    if (list.n >= CONSUMERS_MAX && !is_recorded(&list, name))
        r = cell_error_set(e, CELL_RESOURCE_EXHAUSTED,
                           "%s/%s holds %u programs, which is the limit; remove those that are gone", dir, cell,
                           CONSUMERS_MAX);
    consumers_free(&list);
    cell_buffer_printf(&path, "%s/%s", dir, cell);
    if (r >= 0 && (!cell_buffer_ok(&path) || format_record(uses, cell, &data) < 0))
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0 && data.len > CONSUMERS_MAX_BYTES)
        r = cell_error_set(e, CELL_TOO_LARGE, "its record takes %zu bytes, %u is the limit", data.len,
                           CONSUMERS_MAX_BYTES);
    if (r >= 0)
        r = cell_mkdirs(path.data, e);
    cell_buffer_printf(&path, "/%s", name);
    if (r >= 0)
        r = cell_buffer_ok(&path) ? cell_file_replace(path.data, data.data, data.len, e)
                                  : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    cell_buffer_free(&path);
    cell_buffer_free(&data);
    return r;
}

static int report_program(struct cli *cli, const char *dir, const char *program, struct cli_json *j)
{
    struct cell_uses *uses = NULL;
    struct cell_error e = {0};
    char name[128];
    const char *before = NULL;
    int r = inspect_read(program, NULL, &uses, &e);

    file_name(program, name);
    out_begin(j, NULL, '{');
    out_str(j, "program", name);
    out_begin(j, "cells", '[');
    for (uint32_t i = 0; r >= 0 && i < uses->n; i++) {
        const char *cell = uses->uses[i].cell;

        if (before && strcmp(before, cell) == 0)
            continue;
        before = cell;
        r = record(dir, program, uses, cell, &e);
        out_str(j, NULL, cell);
        if (r >= 0)
            cli_say(cli, "%s uses %s", name, cell);
    }
    out_end(j, ']');
    out_end(j, '}');
    cell_uses_free(uses);
    return r < 0 ? cli_error(cli, CLI_FAILED, NULL, "%s: %s", program, e.text) : CLI_OK;
}

int cmd_report(struct cli *cli, int argc, char **argv)
{
    const char *registry = NULL;
    const struct cli_option options[] = {{.name = "registry", .value = &registry}};
    struct cli_json j = {0};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, options, 1, &args);

    if (r != 0)
        return r;
    if (args.n == 0)
        return cli_error(cli, CLI_USAGE, "run `cell help report`", "report takes the programs to record");
    char *dir = consumers_dir(cli, registry);
    if (!dir)
        return CLI_FAILED;
    out_begin(&j, NULL, '{');
    out_begin(&j, "programs", '[');
    for (int i = 0; r == CLI_OK && i < args.n; i++)
        r = report_program(cli, dir, args.items[i], &j);
    out_end(&j, ']');
    out_end(&j, '}');
    free(dir);
    if (r == CLI_OK && cli->json)
        return out_print(cli, &j);
    cell_buffer_free(&j.b);
    return r;
}

/* ---- consumers ---- */

static const char *day(int64_t seconds, char text[32])
{
    time_t when = (time_t)seconds;
    struct tm parts;

    text[0] = '\0';
    if (gmtime_r(&when, &parts))
        strftime(text, 32, "%Y-%m-%d", &parts);
    return text;
}

static int show_consumer(struct cli *cli, const struct consumer *c, struct cli_json *j, struct cell_buffer *text)
{
    struct cell_uses *uses = NULL;
    struct cell_error e = {0};
    struct cell_buffer json = {0};
    char when[32];
    int r = consumers_read(c->path, &uses, &e);

    if (r < 0)
        return cli_error(cli, CLI_FAILED, NULL, "%s: %s", c->path, e.text);
    out_begin(j, NULL, '{');
    out_str(j, "program", c->program);
    out_int(j, "reported", c->reported);
    cell_uses_format(uses, &json);
    if (json.data)
        out_raw(j, "uses", json.data, json.len);
    out_end(j, '}');
    cell_buffer_printf(text, "%s%s, reported on %s\n", text->len ? "\n" : "", c->program, day(c->reported, when));
    uses_text(text, uses);
    cell_buffer_free(&json);
    cell_uses_free(uses);
    return CLI_OK;
}

/* The names of the folders in the registry. */
static int show_cells(struct cli *cli, const char *dir)
{
    struct dirent **found = NULL;
    struct cli_json j = {0};
    int n = scandir(dir, &found, NULL, alphasort);

    out_begin(&j, NULL, '{');
    out_begin(&j, "cells", '[');
    for (int i = 0; i < n; i++) {
        struct consumer_list list = {0};
        char line[200];

        if (cell_is_identifier(found[i]->d_name) && consumers_list(dir, found[i]->d_name, &list, NULL) >= 0) {
            out_begin(&j, NULL, '{');
            out_str(&j, "cell", found[i]->d_name);
            out_uint(&j, "programs", list.n);
            out_end(&j, '}');
            int len =
                snprintf(line, sizeof(line), "%s: %zu program%s\n", found[i]->d_name, list.n, list.n == 1 ? "" : "s");
            if (!cli->json)
                cli_write(line, (size_t)len);
            consumers_free(&list);
        }
        free(found[i]);
    }
    free(found);
    out_end(&j, ']');
    out_end(&j, '}');
    if (cli->json)
        return out_print(cli, &j);
    cell_buffer_free(&j.b);
    return CLI_OK;
}

static int show_all(struct cli *cli, const char *dir, const char *cell)
{
    struct consumer_list list;
    struct cell_error e = {0};
    struct cli_json j = {0};
    struct cell_buffer text = {0}, safe = {0};
    int r = CLI_OK;

    if (consumers_list(dir, cell, &list, &e) < 0)
        return cli_error(cli, CLI_FAILED, NULL, "%s", e.text);
    out_begin(&j, NULL, '{');
    out_str(&j, "cell", cell);
    out_begin(&j, "programs", '[');
    for (size_t i = 0; r == CLI_OK && i < list.n; i++)
        r = show_consumer(cli, &list.items[i], &j, &text);
    out_end(&j, ']');
    out_end(&j, '}');
    if (r == CLI_OK && !cli->json && text.len) {
        cli_safe(&safe, text.data, text.len);
        cli_write(safe.data ? safe.data : "", safe.len);
    }
    if (r == CLI_OK && list.n == 0)
        cli_say(cli, "no program that uses %s was reported: run `cell report PROGRAM`", cell);
    cell_buffer_free(&text);
    cell_buffer_free(&safe);
    consumers_free(&list);
    if (r == CLI_OK && cli->json)
        return out_print(cli, &j);
    cell_buffer_free(&j.b);
    return r;
}

int cmd_consumers(struct cli *cli, int argc, char **argv)
{
    const char *registry = NULL;
    const struct cli_option options[] = {{.name = "registry", .value = &registry}};
    struct cli_args args;
    int r = cli_parse(cli, argc, argv, options, 1, &args);

    if (r != 0)
        return r;
    if (args.n > 1 || (args.n && !cell_is_identifier(args.items[0])))
        return cli_error(cli, CLI_USAGE, "run `cell help consumers`", "consumers takes the name of one cell");
    char *dir = consumers_dir(cli, registry);
    if (!dir)
        return CLI_FAILED;
    r = args.n ? show_all(cli, dir, args.items[0]) : show_cells(cli, dir);
    free(dir);
    return r;
}
