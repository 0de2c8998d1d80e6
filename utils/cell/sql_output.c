/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "sql_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/value.h"
#include "sql_parquet.h"

#define WRITE_BYTES (64u << 10)

bool sql_format_find(const char *name, enum sql_format *format)
{
    static const char *const names[] = {"table", "csv", "json", "jsonl", "parquet"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0) {
            *format = (enum sql_format)i;
            return true;
        }
    return false;
}

/* ---- the file ---- */

static int fail_file(struct sql_output *o, const char *path)
{
    return cli_error(o->cli, CLI_FAILED, NULL, "%s: %s", path, strerror(errno));
}

static int make_part(struct sql_output *o)
{
    struct stat st;
    mode_t mask = umask(0);

    umask(mask);
    if (stat(o->path, &st) == 0 && !S_ISREG(st.st_mode))
        return cli_error(o->cli, CLI_USAGE, NULL, "--output: %s is there, and is no file that can be replaced",
                         o->path);
    if (asprintf(&o->part, "%s.XXXXXX", o->path) < 0) {
        o->part = NULL;
        return cli_error(o->cli, CLI_FAILED, NULL, "out of memory");
    }
    int fd = mkostemp(o->part, O_CLOEXEC);
    if (fd < 0) {
        int r = fail_file(o, o->path);
        free(o->part);
        o->part = NULL;
        return r;
    }
    sql_stop_file(o->part);
    o->file = fchmod(fd, 0666 & ~mask) == 0 ? fdopen(fd, "w") : NULL;
    if (o->file)
        return CLI_OK;
    close(fd);
    return fail_file(o, o->part);
}

int sql_output_open(struct sql_output *o, struct cli *cli, enum sql_format format, const char *path)
{
    *o = (struct sql_output){.cli = cli, .format = format, .path = path};
    return path ? make_part(o) : CLI_OK;
}

/* ---- bytes ---- */

static bool write_out(struct sql_output *o)
{
    struct cell_buffer *b = &o->j.b;

    if (b->len > 0 && cell_buffer_ok(b)) {
        if (!o->file)
            cli_write(b->data, b->len);
        else if (fwrite(b->data, 1, b->len, o->file) != b->len && !o->cause)
            o->cause = errno;
        b->len = 0;
    }
    return cell_buffer_ok(b) && !ferror(o->file ? o->file : stdout);
}

/* Whoever reads standard output may take his time. */
static bool write_some(struct sql_output *o)
{
    if (o->j.b.len < WRITE_BYTES)
        return cell_buffer_ok(&o->j.b);
    sql_stop_wait(!o->file);
    bool written = write_out(o);
    sql_stop_wait(false);
    return written;
}

/* ---- values ---- */

/* Most values of most exports are such: printf takes several times as long. */
static void format_whole(int64_t value, char text[CELL_VALUE_SCALAR_MAX])
{
    char digits[20];
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    size_t n = 0, at = 0;

    do
        digits[n++] = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0)
        text[at++] = '-';
    while (n > 0)
        text[at++] = digits[--n];
    text[at] = '\0';
}

/* JSON of a number, as in the replies of `cell call`: infinities are texts. */
static void format_number(sqlite3_stmt *s, int i, char text[CELL_VALUE_SCALAR_MAX])
{
    double real;

    if (sqlite3_column_type(s, i) == SQLITE_INTEGER) {
        format_whole(sqlite3_column_int64(s, i), text);
        return;
    }
    real = sqlite3_column_double(s, i);
    cell_value_format(&cell_type_f64, &real, text);
}

void sql_output_text(struct cell_buffer *b, sqlite3_stmt *s, int i)
{
    char text[CELL_VALUE_SCALAR_MAX];
    int type = sqlite3_column_type(s, i);

    if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) {
        format_number(s, i, text);
        size_t n = strlen(text), quoted = text[0] == '"';
        cell_buffer_append(b, text + quoted, n - 2 * quoted);
    } else if (type == SQLITE_BLOB) {
        const uint8_t *bytes = sqlite3_column_blob(s, i);
        cell_buffer_puts(b, "hex:");
        for (int k = 0; k < sqlite3_column_bytes(s, i); k++)
            cell_buffer_printf(b, "%02x", bytes[k]);
    } else if (type == SQLITE_TEXT) {
        const unsigned char *bytes = sqlite3_column_text(s, i);
        cell_buffer_append(b, bytes, (size_t)sqlite3_column_bytes(s, i));
    }
}

static void json_value(struct cli_json *j, const char *key, sqlite3_stmt *s, int i)
{
    char text[CELL_VALUE_SCALAR_MAX];
    struct cell_buffer b = {0};
    int type = sqlite3_column_type(s, i);

    if (type == SQLITE_NULL) {
        out_null(j, key);
    } else if (type == SQLITE_TEXT) {
        const char *value = (const char *)sqlite3_column_text(s, i);
        out_strn(j, key, value ? value : "", (size_t)sqlite3_column_bytes(s, i));
    } else if (type == SQLITE_BLOB) {
        sql_output_text(&b, s, i);
        out_strn(j, key, b.data ? b.data : "", b.len);
        j->b.failed = j->b.failed || b.failed;
        cell_buffer_free(&b);
    } else {
        format_number(s, i, text);
        if (text[0] == '"')
            out_strn(j, key, text + 1, strlen(text) - 2);
        else
            out_raw(j, key, text, strlen(text));
    }
}

/* RFC 4180. An empty text is quoted, so that it is not NULL. */
static void csv_value(struct cell_buffer *b, int column, const char *text, size_t length, bool is_null)
{
    bool quoted = length == 0 && !is_null;

    for (size_t i = 0; i < length && !quoted; i++)
        quoted = text[i] == ',' || text[i] == '"' || text[i] == '\r' || text[i] == '\n';
    if (column)
        cell_buffer_append(b, ",", 1);
    if (!quoted) {
        cell_buffer_append(b, text, length);
        return;
    }
    cell_buffer_append(b, "\"", 1);
    for (size_t i = 0; i < length; i++)
        cell_buffer_append(b, text[i] == '"' ? "\"\"" : &text[i], text[i] == '"' ? 2 : 1);
    cell_buffer_append(b, "\"", 1);
}

/* ---- rows ---- */

static void text_cell(struct sql_output *o, int i, const char *text, size_t length, int type)
{
    if (o->format == SQL_CSV)
        csv_value(&o->j.b, i, text, length, type == SQLITE_NULL);
    else
        sql_grid_add(o->grid, &o->j.b, i, text, length, type == SQLITE_INTEGER || type == SQLITE_FLOAT);
}

static void end_text_row(struct sql_output *o)
{
    if (o->format == SQL_CSV)
        cell_buffer_puts(&o->j.b, "\r\n");
    else
        sql_grid_end_row(o->grid, &o->j.b);
}

bool sql_output_begin(struct sql_output *o, sqlite3_stmt *s)
{
    o->columns = sqlite3_column_count(s);
    o->begun = true;
    if ((o->format == SQL_TABLE && !(o->grid = sql_grid_new(o->columns))) ||
        (o->format == SQL_PARQUET && !(o->parquet = sql_parquet_new(s)))) {
        o->j.b.failed = true;
        return false;
    }
    if (o->format == SQL_PARQUET)
        return true;
    if (o->format == SQL_JSON) {
        out_begin(&o->j, NULL, '{');
        out_begin(&o->j, "columns", '[');
    }
    for (int i = 0; i < o->columns; i++) {
        const char *name = sqlite3_column_name(s, i);
        name = name ? name : "";
        if (o->format == SQL_JSON)
            out_str(&o->j, NULL, name);
        else if (o->format != SQL_JSONL)
            text_cell(o, i, name, strlen(name), SQLITE_TEXT);
    }
    if (o->format == SQL_JSON) {
        out_end(&o->j, ']');
        out_begin(&o->j, "rows", '[');
    } else if (o->format != SQL_JSONL) {
        end_text_row(o);
    }
    return write_some(o);
}

static void json_row(struct sql_output *o, sqlite3_stmt *s)
{
    struct cli_json line = {.b = o->j.b};
    bool lines = o->format == SQL_JSONL;
    struct cli_json *j = lines ? &line : &o->j;

    out_begin(j, NULL, lines ? '{' : '[');
    for (int i = 0; i < o->columns; i++)
        json_value(j, lines ? sqlite3_column_name(s, i) : NULL, s, i);
    out_end(j, lines ? '}' : ']');
    if (lines) {
        cell_buffer_puts(&line.b, "\n");
        o->j.b = line.b;
    }
}

bool sql_output_row(struct sql_output *o, sqlite3_stmt *s)
{
    struct cell_buffer text = {0};

    o->rows++;
    if (o->format == SQL_JSON || o->format == SQL_JSONL) {
        json_row(o, s);
        return write_some(o);
    }
    if (o->format == SQL_PARQUET)
        return sql_parquet_row(o->parquet, s, &o->j.b, &o->refused) == CELL_OK && write_some(o);
    for (int i = 0; i < o->columns; i++) {
        text.len = 0;
        sql_output_text(&text, s, i);
        text_cell(o, i, text.data ? text.data : "", text.len, sqlite3_column_type(s, i));
    }
    o->j.b.failed = o->j.b.failed || text.failed;
    cell_buffer_free(&text);
    end_text_row(o);
    return write_some(o);
}

/* ---- the end ---- */

static void end_document(struct sql_output *o, int code, const char *message)
{
    if (o->grid)
        sql_grid_end(o->grid, &o->j.b);
    if (o->parquet)
        sql_parquet_end(o->parquet, &o->j.b);
    if (o->format != SQL_JSON)
        return;
    out_end(&o->j, ']');
    if (code == CLI_OK) {
        out_null(&o->j, "error");
    } else {
        out_begin(&o->j, "error", '{');
        out_int(&o->j, "exit", code);
        out_str(&o->j, "message", message);
        out_null(&o->j, "hint");
        out_end(&o->j, '}');
        o->cli->reported = true;
    }
    out_end(&o->j, '}');
    cell_buffer_puts(&o->j.b, "\n");
}

/* Gives the file its name, or removes it. */
static int close_file(struct sql_output *o, int code)
{
    bool written = o->file && !o->cause && fflush(o->file) == 0 && !ferror(o->file) && fsync(fileno(o->file)) == 0;
    int cause = o->cause ? o->cause : errno;

    if (o->file)
        fclose(o->file);
    if (code == CLI_OK && written && rename(o->part, o->path) < 0) {
        written = false;
        cause = errno;
    }
    if (code != CLI_OK || !written)
        unlink(o->part);
    sql_stop_file(NULL);
    errno = cause;
    return code == CLI_OK && !written ? fail_file(o, o->path) : code;
}

int sql_output_close(struct sql_output *o, int code, const char *message)
{
    if (code == CLI_OK && o->refused.status)
        code = cli_error(o->cli, CLI_FAILED, NULL, "%s", o->refused.text);
    if (o->begun && (code == CLI_OK || !o->path))
        end_document(o, code, message);
    bool memory = cell_buffer_ok(&o->j.b);
    if (o->begun && (code == CLI_OK || !o->path))
        write_out(o);
    if (o->part)
        code = close_file(o, memory ? code : CLI_FAILED);
    if (!memory)
        code = cli_error(o->cli, CLI_FAILED, NULL, "out of memory");
    cell_buffer_free(&o->j.b);
    sql_grid_free(o->grid);
    sql_parquet_free(o->parquet);
    free(o->part);
    return code;
}
