/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Which tables there are. A statement is looked through for NAME.NAME before SQLite sees it: the first may be a cell,
 * and only those are asked. So a cell that hangs harms no statement about others.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/fields.h"
#include "sql.h"

static int note_problem(struct sql *sql, const char *cell, const char *table, const struct cell_error *error)
{
    struct sql_problem *p = cell_arena_alloc(&sql->arena, sizeof(*p));

    if (!p)
        return CELL_NO_MEMORY;
    *p = (struct sql_problem){.next = sql->problems, .error = *error};
    p->cell = cell_arena_copy(&sql->arena, cell, strlen(cell));
    p->table = table ? cell_arena_copy(&sql->arena, table, strlen(table)) : NULL;
    sql->problems = p;
    return p->cell && (p->table || !table) ? CELL_OK : CELL_NO_MEMORY;
}

const struct sql_problem *sql_find_problem(const struct sql *sql, const char *name)
{
    const char *dot = strchr(name, '.');
    size_t n = dot ? (size_t)(dot - name) : strlen(name);

    for (const struct sql_problem *p = sql->problems; p; p = p->next)
        if (strlen(p->cell) == n && strncmp(p->cell, name, n) == 0 &&
            (!p->table || (dot && strcmp(p->table, dot + 1) == 0)))
            return p;
    return NULL;
}

/* ---- what cells say ---- */

/* Texts of a reply end with a zero. One with a zero in it is cut, which leaves nothing that was not checked. */
static const char *text_of(const struct cell_type *type, const void *of, const char *name)
{
    cell_str s;

    sql_member(type, of, name, CELL_KIND_STR, &s, sizeof(s));
    return s.ptr ? s.ptr : "";
}

static uint32_t number_of(const struct cell_type *type, const void *of, const char *name)
{
    uint32_t value;

    sql_member(type, of, name, CELL_KIND_U32, &value, sizeof(value));
    return value;
}

static int read_layout(const struct cell_type *type, const void *of, bool journal, struct sql_table *table,
                       struct cell_error *e)
{
    struct cell_arena *arena = &table->sql->arena;
    struct cell_ref list = {0};
    const struct cell_type *field = sql_member_list(type, of, "fields", &list);
    uint32_t n = list.len <= SQL_MOST_FIELDS ? (uint32_t)list.len : SQL_MOST_FIELDS + 1;
    struct cell_journal_field *fields = cell_arena_array(arena, n + 1, sizeof(*fields));
    bool ordered = false;

    if (!field)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "the fields are missing in what it says of its tables");
    if (!fields)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < n && n <= SQL_MOST_FIELDS; i++) {
        const void *at = (const char *)list.ptr + (size_t)i * field->size;
        fields[i] = (struct cell_journal_field){.name = text_of(field, at, "name"),
                                                .type = text_of(field, at, "type"),
                                                .offset = number_of(field, at, "offset"),
                                                .names = text_of(field, at, "names")};
    }
    sql_member(type, of, "ordered", CELL_KIND_BOOL, &ordered, sizeof(ordered));
    return sql_layout_make(fields, n, number_of(type, of, "record_size"), text_of(type, of, "time"), ordered, journal,
                           arena, &table->layout, e);
}

static int add_journal(struct sql_table *table, const struct cell_type *type, const void *of, struct cell_error *e)
{
    table->folder = text_of(type, of, "folder");
    table->type = text_of(type, of, "type");
    if (table->folder[0] != '/')
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "the folder of a journal, '%s', is no absolute path",
                              table->folder);
    int r = read_layout(type, of, true, table, e);
    return r < 0 ? r : sql_journal_end(table->folder, table->type, table->layout.record_size, &table->end, e);
}

static int add_aggregate(struct sql_table *table, const struct cell_type *type, const void *of, struct cell_error *e)
{
    sql_member(type, of, "generation", CELL_KIND_U64, &table->generation, sizeof(table->generation));
    return read_layout(type, of, false, table, e);
}

/* Each of the list that the method gives; tables that cannot be made are problems of their own. */
static int add_tables(struct sql *sql, struct sql_cell *cell, const char *name, const char *method,
                      struct cell_error *e)
{
    const bool journals = strcmp(method, "streams") == 0;
    const struct cell_type *type;
    struct cell_ref out, list;
    int r = sql_cell_call(cell, method, NULL, 0, &sql->arena, &type, &out, e);

    if (r >= 0 && (type->kind != CELL_KIND_LIST || type->elem->kind != CELL_KIND_STRUCT))
        r = cell_error_set(e, CELL_PROTOCOL_ERROR, "what it says of its tables is no list");
    if (r < 0)
        return r;
    memcpy(&list, out.ptr, sizeof(list));
    for (uint64_t i = 0; i < list.len; i++) {
        const void *at = (const char *)list.ptr + i * type->elem->size;
        struct sql_table *table = cell_arena_alloc(&sql->arena, sizeof(*table));
        if (!table)
            return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
        *table = (struct sql_table){
            .sql = sql, .schema = name, .name = text_of(type->elem, at, "name"), .cell = journals ? NULL : cell};
        r = journals ? add_journal(table, type->elem, at, e) : add_aggregate(table, type->elem, at, e);
        if (r >= 0)
            r = sql_table_add(sql, table, e);
        if (r < 0 && note_problem(sql, name, table->name, e) < 0)
            return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    return CELL_OK;
}

/* What it has of both; neither is a problem. */
static int ask(struct sql *sql, const char *name, struct cell_error *e)
{
    struct sql_cell *cell;
    char *kept = cell_arena_copy(&sql->arena, name, strlen(name));
    int r = kept ? sql_cell_open(sql, name, &cell, e) : cell_error_set(e, CELL_NO_MEMORY, "out of memory");

    if (r < 0)
        return r;
    int streams = add_tables(sql, cell, kept, "streams", e);
    if (streams < 0 && streams != CELL_UNIMPLEMENTED)
        return streams;
    r = add_tables(sql, cell, kept, "layouts", e);
    if (r == CELL_UNIMPLEMENTED && streams < 0)
        return cell_error_set(e, CELL_UNIMPLEMENTED, "it has no tables: no method %s_streams or %s_layouts", kept,
                              kept);
    return r == CELL_UNIMPLEMENTED ? CELL_OK : r;
}

static int ask_noting(struct sql *sql, const char *name, struct cell_error *e)
{
    int r = ask(sql, name, e);

    if (r >= 0 || r == CELL_NO_MEMORY)
        return r;
    return note_problem(sql, name, NULL, e) < 0 ? cell_error_set(e, CELL_NO_MEMORY, "out of memory") : CELL_OK;
}

/* ---- which cells ---- */

static bool has_socket(const struct sql *sql, const char *name)
{
    char path[4096];
    struct stat st;

    return snprintf(path, sizeof(path), "%s/%s.sock", sql->cli->config->run_dir, name) < (int)sizeof(path) &&
           stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static bool is_known(const struct sql *sql, const char *name)
{
    for (const struct sql_table *t = sql->tables; t; t = t->next)
        if (strcmp(t->schema, name) == 0)
            return true;
    return sql_find_problem(sql, name) != NULL;
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80; }

/* Behind a text in quotation marks that begins at `at`. */
static const char *skip_quoted(const char *at)
{
    const char end = *at == '[' ? ']' : *at;

    for (at++; *at && (*at != end || (end != ']' && at[1] == end)); at++)
        at += *at == end;
    return *at ? at + 1 : at;
}

static const char *skip_comment(const char *at)
{
    const char *end = at[0] == '-' ? strchr(at, '\n') : strstr(at + 2, "*/");

    return !end ? at + strlen(at) : at[0] == '-' ? end : end + 2;
}

/* The next name, bare or in quotation marks, of a statement; false at its end. */
static bool next_name(const char **statement, char name[SQL_MOST_NAME + 1], const char **behind)
{
    for (const char *at = *statement, *end; *at; at = end) {
        bool quoted = strchr("\"`[", *at) != NULL;
        if (*at == '\'')
            end = skip_quoted(at);
        else if (strncmp(at, "--", 2) == 0 || strncmp(at, "/*", 2) == 0)
            end = skip_comment(at);
        else if (quoted)
            end = skip_quoted(at);
        else
            for (end = at + 1; is_word(*at) && is_word(*end); end++)
                continue;
        size_t n = (size_t)(end - at) - (quoted ? 2 : 0);
        if ((!quoted && !is_word(*at)) || end - at < 1 + 2 * quoted || n > SQL_MOST_NAME)
            continue;
        snprintf(name, SQL_MOST_NAME + 1, "%.*s", (int)n, at + quoted);
        *statement = end;
        *behind = end + strspn(end, " \t\r\n");
        return true;
    }
    return false;
}

int sql_find_named(struct sql *sql, const char *statement, struct cell_error *e)
{
    char name[SQL_MOST_NAME + 1];
    const char *behind;
    int r = CELL_OK;

    while (r >= 0 && next_name(&statement, name, &behind))
        if (*behind == '.' && cell_is_identifier(name) && !is_known(sql, name) &&
            (cell_config_cell(sql->cli->config, name) || has_socket(sql, name)))
            r = ask_noting(sql, name, e);
    return r;
}

int sql_find_all(struct sql *sql, struct cell_error *e)
{
    const struct cell_config *config = sql->cli->config;
    DIR *folder = opendir(config->run_dir);
    char name[SQL_MOST_NAME + 1];
    int r = CELL_OK;

    for (uint32_t i = 0; r >= 0 && i < config->ncells; i++)
        r = ask_noting(sql, config->cells[i].name, e);
    for (struct dirent *entry; r >= 0 && folder && (entry = readdir(folder));) {
        size_t n = strlen(entry->d_name);
        if (n < 6 || n - 5 > SQL_MOST_NAME || strcmp(entry->d_name + n - 5, ".sock") != 0)
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)(n - 5), entry->d_name);
        if (cell_is_identifier(name) && !cell_config_cell(config, name) && !is_known(sql, name) &&
            has_socket(sql, name))
            r = ask_noting(sql, name, e);
    }
    if (folder)
        closedir(folder);
    return r;
}

/* ---- folders ---- */

int sql_find_folder(struct sql *sql, const char *operand, struct cell_error *e)
{
    const char *equals = strchr(operand, '=');
    size_t n = equals ? (size_t)(equals - operand) : 0;
    struct sql_table *table = cell_arena_alloc(&sql->arena, sizeof(*table));

    if (!table)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    *table = (struct sql_table){.sql = sql, .schema = "main", .name = "journal", .folder = operand};
    if (n > 0 && n <= SQL_MOST_NAME) {
        char *name = cell_arena_copy(&sql->arena, operand, n);
        if (!name)
            return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
        if (cell_is_identifier(name)) { /* else the folder has a '=' in its name */
            table->name = name;
            table->folder = equals + 1;
        }
    }
    int r = sql_journal_describe(table->folder, &sql->arena, &table->type, &table->layout, e);
    if (r >= 0)
        r = sql_journal_end(table->folder, table->type, table->layout.record_size, &table->end, e);
    return r < 0 ? r : sql_table_add(sql, table, e);
}
