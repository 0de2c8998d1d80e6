/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell sql`: the command line of it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sql_filter.h"
#include "sql_output.h"

#define MOST_STATEMENT (1u << 20)

struct asked {
    const char *format, *output, *file, *timeout;
    struct cli_list journals;
    bool list, stats;
    enum sql_format as;
    const char *statement;
    char *text; /* of the file */
};

/* ---- the command line ---- */

static int read_statement(struct cli *cli, struct asked *a)
{
    struct cell_error e = {0};
    size_t length = 0;

    if (strcmp(a->file, "-") != 0) {
        if (cell_file_read(a->file, MOST_STATEMENT, &a->text, &length, &e) < 0)
            return cli_error(cli, CLI_FAILED, NULL, "%s", e.text);
    } else {
        a->text = calloc(1, MOST_STATEMENT + 2);
        length = a->text ? fread(a->text, 1, MOST_STATEMENT + 1, stdin) : 0;
        if (!a->text || ferror(stdin) || length > MOST_STATEMENT)
            return cli_error(cli, CLI_FAILED, NULL, "standard input: %s",
                             !a->text        ? "out of memory"
                             : ferror(stdin) ? strerror(errno)
                                             : "more than 1 MiB");
    }
    a->statement = a->text;
    return strlen(a->text) == length ? CLI_OK : cli_error(cli, CLI_FAILED, NULL, "the statement has a zero byte in it");
}

static int check(struct cli *cli, struct asked *a, const struct cli_args *args)
{
    const char *format = a->format ? a->format : cli->json && !a->output ? "json" : "table";

    if (!sql_format_find(format, &a->as))
        return cli_error(cli, CLI_USAGE, NULL, "--format is table, csv, json, jsonl or parquet, not '%s'", format);
    if (cli->json && !a->output && a->as != SQL_JSON)
        return cli_error(cli, CLI_USAGE, "leave --json out, or write to a file with --output",
                         "--json prints one document, and --format %s is none", format);
    if (a->as == SQL_PARQUET && !a->output)
        return cli_error(cli, CLI_USAGE, NULL, "--format parquet needs a file: --output FILE");
    if (args->n > 1 || (args->n == 1) + (a->file != NULL) + a->list != 1)
        return cli_error(cli, CLI_USAGE, "run `cell help sql`", "sql takes one statement, or --file FILE, or --list");
    if (args->n == 1)
        a->statement = args->items[0];
    return a->file ? read_statement(cli, a) : CLI_OK;
}

static int parse(struct cli *cli, int argc, char **argv, struct asked *a, uint64_t *deadline_ns)
{
    const struct cli_option options[] = {{.name = "format", .value = &a->format},
                                         {.name = "output", .letter = 'o', .value = &a->output},
                                         {.name = "file", .letter = 'f', .value = &a->file},
                                         {.name = "journal", .list = &a->journals},
                                         {.name = "timeout", .value = &a->timeout},
                                         {.name = "list", .flag = &a->list},
                                         {.name = "stats", .flag = &a->stats}};
    struct cli_args args;
    uint64_t seconds;
    int r = cli_parse(cli, argc, argv, options, sizeof(options) / sizeof(options[0]), &args);

    *deadline_ns = CELL_NO_DEADLINE;
    if (r == 0 && a->timeout) {
        if (!cli_number(cli, "timeout", a->timeout, 1, 1000000, &seconds))
            return CLI_USAGE;
        *deadline_ns = cell_now_ns() + seconds * 1000 * CELL_NS_PER_MS;
    }
    return r == 0 ? check(cli, a, &args) : r;
}

/* ---- --list ---- */

static int by_name(const void *a, const void *b)
{
    const struct sql_table *const *x = a, *const *y = b;
    int schemas = strcmp((*x)->schema, (*y)->schema);

    return schemas ? schemas : strcmp((*x)->name, (*y)->name);
}

static const char *type_shown(const struct sql_column *c)
{
    const char *type = sql_column_type(c);

    return type[0] ? type : sql_column_is_wide(c) ? "INTEGER or TEXT" : "TEXT";
}

static void list_table(struct cli *cli, struct cli_json *j, const struct sql_table *t)
{
    char name[2 * SQL_MOST_NAME + 2];

    snprintf(name, sizeof(name), "%s%s%s", strcmp(t->schema, "main") == 0 ? "" : t->schema,
             strcmp(t->schema, "main") == 0 ? "" : ".", t->name);
    if (!cli->json) {
        printf("%s%s%s", cli_style(cli, stdout, CLI_BOLD), name, cli_style(cli, stdout, CLI_PLAIN));
        if (t->folder)
            printf("  %" PRIu64 " records", t->end);
        putchar('\n');
        for (uint32_t i = 0; i < t->layout.ncolumns; i++)
            printf("  %-20s %s%s\n", t->layout.columns[i].name, type_shown(&t->layout.columns[i]),
                   t->layout.columns[i].hidden ? ", hidden" : "");
        return;
    }
    out_begin(j, NULL, '{');
    out_str(j, "table", name);
    if (t->folder)
        out_uint(j, "records", t->end);
    else
        out_null(j, "records");
    out_begin(j, "columns", '[');
    for (uint32_t i = 0; i < t->layout.ncolumns; i++) {
        out_begin(j, NULL, '{');
        out_str(j, "name", t->layout.columns[i].name);
        out_str(j, "type", type_shown(&t->layout.columns[i]));
        out_bool(j, "hidden", t->layout.columns[i].hidden);
        out_end(j, '}');
    }
    out_end(j, ']');
    out_end(j, '}');
}

static void list_problem(struct cli *cli, struct cli_json *j, const struct sql_problem *p)
{
    if (p->error.status == CELL_UNIMPLEMENTED) /* it has no tables */
        return;
    cli_warn(cli, "%s%s%s: %s", p->cell, p->table ? "." : "", p->table ? p->table : "", p->error.text);
    out_begin(j, NULL, '{');
    out_str(j, "cell", p->cell);
    out_str(j, "table", p->table);
    out_str(j, "message", p->error.text);
    out_end(j, '}');
}

static int list(struct sql *sql)
{
    struct cli_json j = {0};
    struct cell_error e = {0};
    size_t n = 0;

    if (sql_find_all(sql, &e) < 0)
        return cli_error(sql->cli, CLI_FAILED, NULL, "%s", e.text);
    for (const struct sql_table *t = sql->tables; t; t = t->next)
        n++;
    struct sql_table **tables = cell_arena_array(&sql->arena, n + 1, sizeof(struct sql_table *));
    if (!tables)
        return cli_error(sql->cli, CLI_FAILED, NULL, "out of memory");
    n = 0;
    for (struct sql_table *t = sql->tables; t; t = t->next)
        tables[n++] = t;
    qsort(tables, n, sizeof(struct sql_table *), by_name);
    out_begin(&j, NULL, '{');
    out_begin(&j, "tables", '[');
    for (size_t i = 0; i < n; i++)
        list_table(sql->cli, &j, tables[i]);
    out_end(&j, ']');
    out_begin(&j, "problems", '[');
    for (const struct sql_problem *p = sql->problems; p; p = p->next)
        list_problem(sql->cli, &j, p);
    out_end(&j, ']');
    out_end(&j, '}');
    if (sql->cli->json)
        return out_print(sql->cli, &j);
    cell_buffer_free(&j.b);
    return cli_flush(sql->cli);
}

/* ---- a statement ---- */

static void print_stats(struct sql *sql)
{
    for (const struct sql_table *t = sql->tables; t; t = t->next)
        if (t->records > 0)
            fprintf(stderr, "%s.%s: %" PRIu64 " records were read\n", t->schema, t->name, t->records);
}

static int carry_out(struct sql *sql, const struct asked *a)
{
    struct cell_error e = {0};
    struct sql_output o;
    int r = CELL_OK;

    if (!a->list)
        r = sql_find_named(sql, a->statement, &e);
    if (r >= 0 && !a->list)
        r = sql_guard(sql, &e);
    if (r < 0)
        return cli_error(sql->cli, CLI_FAILED, NULL, "%s", e.text);
    if (a->list)
        return list(sql);
    r = sql_output_open(&o, sql->cli, a->as, a->output);
    if (r != CLI_OK)
        return sql_output_close(&o, r, "");
    r = sql_run(sql, a->statement, &o);
    if (a->stats)
        print_stats(sql);
    if (r == CLI_OK && sql->cli->json && a->output) {
        struct cli_json j = {0};
        out_begin(&j, NULL, '{');
        out_str(&j, "file", a->output);
        out_uint(&j, "rows", o.rows);
        out_end(&j, '}');
        r = out_print(sql->cli, &j);
    }
    return r;
}

static int open_database(struct sql *sql, const struct asked *a)
{
    struct cell_error e = {0};
    int r = sql_library_open(&sql->db, &e);

    if (r >= 0 && sqlite3_create_collation(sql->db, SQL_WIDE, SQLITE_UTF8, NULL, sql_filter_compare_wide) != SQLITE_OK)
        r = cell_error_set(&e, CELL_NO_MEMORY, "out of memory");
    for (size_t i = 0; r >= 0 && i < a->journals.n; i++)
        r = sql_find_folder(sql, a->journals.items[i], &e);
    return r < 0 ? cli_error(sql->cli, CLI_FAILED, NULL, "%s", e.text) : CLI_OK;
}

int cmd_sql(struct cli *cli, int argc, char **argv)
{
    struct asked a = {0};
    struct sql sql = {.cli = cli};
    int r = parse(cli, argc, argv, &a, &sql.deadline_ns);

    if (r == 0 && !cli_config(cli, false))
        r = CLI_FAILED;
    if (r == 0) {
        sql_stop_watch();
        r = open_database(&sql, &a);
        if (r == CLI_OK)
            r = carry_out(&sql, &a);
        if (sqlite3_api)
            sqlite3_close(sql.db);
        sql_tables_close(&sql);
        sql_cells_close(&sql);
        cell_arena_free(&sql.arena);
    }
    cli_list_free(&a.journals);
    free(a.text);
    return r;
}
