/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Journals and aggregates as virtual tables of SQLite, which are read and never written. What a statement asks for is
 * taken over as far as it saves reading (sequences, times that are in order) or is cheap (numbers and names that are
 * compared); SQLite checks all of it again.
 */
#include "sql_filter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct table {
    sqlite3_vtab base;
    struct sql_table *table;
};

struct cursor {
    sqlite3_vtab_cursor base;
    struct sql_table *table;
    struct sql_scan *scan; /* of a journal */
    struct sql_filter filter;
    struct sql_batch batch;
    uint32_t page; /* of an aggregate: the next */
    uint32_t left; /* of the batch, with the current one */
    bool eof;
    const uint8_t *record; /* the current one */
    uint64_t sequence;
    uint64_t rows; /* before the batch, of an aggregate */
};

/* ---- the table ---- */

static int connect_table(sqlite3 *db, void *user, int argc, const char *const *argv, sqlite3_vtab **vtab, char **error)
{
    struct sql_table *t = user;
    struct cell_buffer b = {0};
    struct table *made;

    (void)argc;
    (void)argv;
    cell_buffer_puts(&b, "CREATE TABLE t(");
    for (uint32_t i = 0; i < t->layout.ncolumns; i++) {
        const struct sql_column *c = &t->layout.columns[i];
        const char *type = sql_column_type(c);
        cell_buffer_printf(&b, "%s\"%s\" %s%s%s", i ? ", " : "", c->name, type, c->hidden ? " HIDDEN" : "",
                           sql_column_is_wide(c) ? " COLLATE " SQL_WIDE : "");
    }
    cell_buffer_puts(&b, ")");
    int r = cell_buffer_ok(&b) ? sqlite3_declare_vtab(db, b.data) : SQLITE_NOMEM;
    cell_buffer_free(&b);
    if (r != SQLITE_OK) {
        *error = sqlite3_mprintf("%s", sqlite3_errmsg(db));
        return r;
    }
    made = sqlite3_malloc(sizeof(*made));
    if (!made)
        return SQLITE_NOMEM;
    *made = (struct table){.table = t};
    *vtab = &made->base;
    return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *vtab)
{
    sqlite3_free(vtab);
    return SQLITE_OK;
}

static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    return sql_filter_plan(((struct table *)vtab)->table, info);
}

/* ---- the cursor ---- */

static int fail(struct cursor *c, const struct cell_error *e)
{
    c->table->sql->failed = *e;
    sqlite3_free(c->base.pVtab->zErrMsg);
    c->base.pVtab->zErrMsg = sqlite3_mprintf("%s", e->text);
    return SQLITE_ERROR;
}

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **cursor)
{
    struct cursor *c = sqlite3_malloc(sizeof(*c));

    if (!c)
        return SQLITE_NOMEM;
    memset(c, 0, sizeof(*c));
    c->table = ((struct table *)vtab)->table;
    *cursor = &c->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *cursor)
{
    struct cursor *c = (struct cursor *)cursor;

    sql_scan_close(c->scan);
    sqlite3_free(c);
    return SQLITE_OK;
}

/* Batches may be empty. */
static int next_batch(struct cursor *c)
{
    struct cell_error e = {0};

    if (sql_stopped(c->table->sql) != SQL_GOES_ON)
        return SQLITE_INTERRUPT;
    c->rows += c->batch.count;
    int r = c->scan ? sql_scan_next(c->scan, &c->batch, &e) : sql_groups_page(c->table, c->page++, &c->batch, &e);
    if (r < 0)
        return fail(c, &e);
    c->eof = r == 0;
    c->left = r == 0 ? 0 : c->batch.count;
    if (!c->scan)
        c->batch.sequence = c->rows;
    return SQLITE_OK;
}

/* To the next record that passes the filter. */
static int advance(struct cursor *c)
{
    const uint32_t size = c->table->layout.record_size;

    for (;;) {
        while (c->left > 0) {
            uint32_t i = c->filter.range.backwards ? c->left - 1 : c->batch.count - c->left;
            c->left--;
            c->record = c->batch.records + (size_t)i * size;
            c->sequence = c->batch.sequence + i;
            c->table->records++;
            if (sql_filter_passes(&c->filter, c->record))
                return SQLITE_OK;
        }
        int r = next_batch(c);
        if (r != SQLITE_OK || c->eof)
            return r;
    }
}

static int filter_cursor(sqlite3_vtab_cursor *cursor, int number, const char *text, int argc, sqlite3_value **argv)
{
    struct cursor *c = (struct cursor *)cursor;
    struct cell_error e = {0};
    int r = CELL_OK;

    sql_filter_read(&c->filter, c->table, number, text, argc, argv);
    c->page = c->left = 0;
    c->rows = 0;
    c->batch = (struct sql_batch){.count = 0};
    c->eof = c->filter.impossible;
    if (c->eof)
        return SQLITE_OK;
    if (c->table->folder && !c->scan)
        r = sql_scan_open(c->table, &c->scan, &e);
    if (r >= 0 && c->scan)
        r = sql_scan_begin(c->scan, &c->filter.range, &e);
    return r < 0 ? fail(c, &e) : advance(c);
}

static int next_row(sqlite3_vtab_cursor *cursor) { return advance((struct cursor *)cursor); }

static int at_end(sqlite3_vtab_cursor *cursor) { return ((struct cursor *)cursor)->eof; }

static int row_id(sqlite3_vtab_cursor *cursor, sqlite3_int64 *id)
{
    *id = (sqlite3_int64)((struct cursor *)cursor)->sequence;
    return SQLITE_OK;
}

/* ---- values ---- */

static void give_text(sqlite3_context *context, const char *format, uint64_t a, uint64_t b)
{
    char text[40];
    int n = snprintf(text, sizeof(text), format, a, b);

    sqlite3_result_text(context, text, n, SQLITE_TRANSIENT);
}

static void give_value(sqlite3_context *context, const struct sql_column *column, const uint8_t *record)
{
    const struct sql_field *f = column->field;

    if (f->kind == SQL_BYTES) {
        sqlite3_result_blob(context, record + f->offset, (int)f->size, SQLITE_TRANSIENT);
        return;
    }
    if (f->kind == SQL_REAL) {
        sqlite3_result_double(context, sql_field_real(f, record));
        return;
    }
    uint64_t bits = sql_field_bits(f, record);
    const struct sql_name *name = column->role == SQL_VALUE ? sql_field_name(f, (int64_t)bits) : NULL;
    if (name)
        sqlite3_result_text(context, name->text, (int)name->length, SQLITE_STATIC);
    else if (f->kind == SQL_UNSIGNED && bits > INT64_MAX)
        give_text(context, "%" PRIu64, bits, 0);
    else
        sqlite3_result_int64(context, (sqlite3_int64)bits);
}

static int column_value(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int i)
{
    const struct cursor *c = (struct cursor *)cursor;
    const struct sql_column *column = &c->table->layout.columns[i];
    char text[SQL_TIME_TEXT];

    switch (column->role) {
    case SQL_SEQUENCE:
        sqlite3_result_int64(context, (sqlite3_int64)c->sequence);
        break;
    case SQL_APPENDED:
        sqlite3_result_int64(context, c->batch.appended_us);
        break;
    case SQL_PAIR:
        give_text(context, "%016" PRIx64 "%016" PRIx64, sql_field_bits(column->field, c->record),
                  sql_field_bits(column->low, c->record));
        break;
    case SQL_TIME:
        sql_time_text((int64_t)sql_field_bits(column->field, c->record), text);
        if (text[0])
            sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
        break;
    default:
        give_value(context, column, c->record);
    }
    return SQLITE_OK;
}

/* ---- the database ---- */

static const sqlite3_module module = {.xCreate = connect_table,
                                      .xConnect = connect_table,
                                      .xBestIndex = best_index,
                                      .xDisconnect = disconnect_table,
                                      .xDestroy = disconnect_table,
                                      .xOpen = open_cursor,
                                      .xClose = close_cursor,
                                      .xFilter = filter_cursor,
                                      .xNext = next_row,
                                      .xEof = at_end,
                                      .xColumn = column_value,
                                      .xRowid = row_id};

static int execute(struct sql *sql, struct cell_error *e, const char *format, const char *a, const char *b, uint32_t n)
{
    char *text = sqlite3_mprintf(format, a, b, n);
    int r = text ? sqlite3_exec(sql->db, text, NULL, NULL, NULL) : SQLITE_NOMEM;

    sqlite3_free(text);
    return r == SQLITE_OK ? CELL_OK
                          : cell_error_set(e, CELL_FAILED_PRECONDITION, "table %s.%s cannot be made: %s", a, b,
                                           sqlite3_errmsg(sql->db));
}

int sql_table_add(struct sql *sql, struct sql_table *table, struct cell_error *e)
{
    char name[16];
    uint32_t n = 0;

    if (!cell_is_identifier(table->name) || strlen(table->name) > SQL_MOST_NAME)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%s' is no name of a table", table->name);
    for (const struct sql_table *t = sql->tables; t; t = t->next)
        n++;
    snprintf(name, sizeof(name), "cell%u", n);
    if (sqlite3_create_module_v2(sql->db, name, &module, table, NULL) != SQLITE_OK)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (sqlite3_db_readonly(sql->db, table->schema) < 0) { /* there is none of that name yet */
        int r = execute(sql, e, "ATTACH ':memory:' AS \"%w\"", table->schema, table->name, n);
        if (r < 0)
            return r;
    }
    table->next = sql->tables;
    sql->tables = table;
    int r = execute(sql, e, "CREATE VIRTUAL TABLE \"%w\".\"%w\" USING cell%u", table->schema, table->name, n);
    if (r < 0)
        sql->tables = table->next;
    return r;
}

void sql_tables_close(struct sql *sql)
{
    for (struct sql_table *t = sql->tables; t; t = t->next)
        sql_groups_free(t);
}
