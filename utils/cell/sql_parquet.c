/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Rows as a Parquet file (https://parquet.apache.org/docs/file-format/): columns that may be NULL, of INT64, DOUBLE,
 * strings or bytes, in row groups of some MiB. Each chunk is one page of version 1, plain and not compressed; chunks of
 * numbers tell their least and greatest. What describes the file is Thrift in its compact protocol, and stands at the
 * end.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sql_parquet.h"

#define GROUP_BYTES (16u << 20)
#define GROUP_ROWS (1u << 20)
#define MOST_EXACT (INT64_C(1) << 53) /* whole numbers that a double has */

/* Numbers of the format. */
enum { OPTIONAL = 1, PLAIN = 0, RLE = 3, INT64 = 2, DOUBLE = 5, BYTE_ARRAY = 6 };
enum { THRIFT_I32 = 5, THRIFT_I64 = 6, THRIFT_BINARY = 8, THRIFT_LIST = 9, THRIFT_STRUCT = 12 };

/* What is known of the part of a column that is in one group. */
struct chunk {
    uint64_t offset, bytes, rows, nulls; /* bytes: with the page's header */
    bool compared;                       /* least and greatest are known, as their 8 bytes */
    uint8_t least[8], greatest[8];
};

struct column {
    char *name;
    int type; /* SQLITE_INTEGER, …; 0: all was NULL */
    struct cell_buffer values, levels;
    struct chunk chunk;
};

struct sql_parquet {
    uint32_t ncolumns, ngroups, rows; /* rows: of the group that is filled */
    struct column *columns;
    struct chunk *chunks; /* of all groups, row by row */
    uint64_t all_rows, offset, bytes;
};

struct sql_parquet *sql_parquet_new(sqlite3_stmt *s)
{
    struct sql_parquet *p = calloc(1, sizeof(*p));
    uint32_t n = (uint32_t)sqlite3_column_count(s);

    if (!p)
        return NULL;
    p->columns = calloc(n + 1, sizeof(*p->columns));
    for (uint32_t i = 0; p->columns && i < n; i++) {
        const char *name = sqlite3_column_name(s, (int)i);
        p->columns[i].name = name ? strdup(name) : NULL;
        p->ncolumns = i + 1;
    }
    if (p->ncolumns == n && p->columns && (n == 0 || p->columns[n - 1].name))
        return p;
    sql_parquet_free(p);
    return NULL;
}

void sql_parquet_free(struct sql_parquet *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < p->ncolumns; i++) {
        free(p->columns[i].name);
        cell_buffer_free(&p->columns[i].values);
        cell_buffer_free(&p->columns[i].levels);
    }
    free(p->columns);
    free(p->chunks);
    free(p);
}

/* ---- Thrift ---- */

static void put_varint(struct cell_buffer *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        cell_buffer_append(b, &(uint8_t){(uint8_t)(v | 0x80)}, 1);
    cell_buffer_append(b, &(uint8_t){(uint8_t)v}, 1);
}

/* The header of a field; *last is the number of the field before it in its struct. */
static void put_field(struct cell_buffer *b, int *last, int number, int type)
{
    cell_buffer_append(b, &(uint8_t){(uint8_t)((number - *last) << 4 | type)}, 1); /* no gap here is above 15 */
    *last = number;
}

static void put_number(struct cell_buffer *b, int *last, int number, int type, int64_t v)
{
    put_field(b, last, number, type);
    put_varint(b, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static void put_binary(struct cell_buffer *b, const void *bytes, size_t n)
{
    put_varint(b, n);
    cell_buffer_append(b, bytes, n);
}

static void put_list(struct cell_buffer *b, int *last, int number, int type, uint64_t n)
{
    put_field(b, last, number, THRIFT_LIST);
    cell_buffer_append(b, &(uint8_t){(uint8_t)((n < 15 ? n : 15) << 4 | (unsigned)type)}, 1);
    if (n >= 15)
        put_varint(b, n);
}

static void end_struct(struct cell_buffer *b) { cell_buffer_append(b, "", 1); }

/* ---- a group ---- */

/* Definition levels: runs of 1 (there is a value) and 0 (NULL), behind their length. */
static void put_levels(struct cell_buffer *b, const struct cell_buffer *levels)
{
    struct cell_buffer runs = {0};

    for (size_t at = 0, n; at < levels->len; at += n) {
        for (n = 1; at + n < levels->len && levels->data[at + n] == levels->data[at]; n++)
            continue;
        put_varint(&runs, (uint64_t)n << 1);
        cell_buffer_append(&runs, &levels->data[at], 1);
    }
    cell_buffer_append(b, &(uint32_t){(uint32_t)runs.len}, 4);
    cell_buffer_append(b, runs.data ? runs.data : "", runs.len);
    b->failed = b->failed || runs.failed;
    cell_buffer_free(&runs);
}

static void put_page(struct sql_parquet *p, struct column *c, struct cell_buffer *b)
{
    struct cell_buffer levels = {0};
    size_t before = b->len;
    int last = 0, inner = 0;

    put_levels(&levels, &c->levels);
    put_number(b, &last, 1, THRIFT_I32, 0); /* a page of data */
    put_number(b, &last, 2, THRIFT_I32, (int64_t)(levels.len + c->values.len));
    put_number(b, &last, 3, THRIFT_I32, (int64_t)(levels.len + c->values.len));
    put_field(b, &last, 5, THRIFT_STRUCT);
    put_number(b, &inner, 1, THRIFT_I32, (int64_t)c->levels.len);
    put_number(b, &inner, 2, THRIFT_I32, PLAIN);
    put_number(b, &inner, 3, THRIFT_I32, RLE);
    put_number(b, &inner, 4, THRIFT_I32, RLE);
    end_struct(b);
    end_struct(b);
    cell_buffer_append(b, levels.data ? levels.data : "", levels.len);
    cell_buffer_append(b, c->values.data ? c->values.data : "", c->values.len);
    b->failed = b->failed || levels.failed || c->levels.failed || c->values.failed;
    cell_buffer_free(&levels);
    c->chunk.offset = p->offset;
    c->chunk.bytes = b->len - before;
    c->chunk.rows = p->rows;
    p->offset += c->chunk.bytes;
    c->levels.len = c->values.len = 0;
}

static void end_group(struct sql_parquet *p, struct cell_buffer *b)
{
    size_t n = (size_t)p->ngroups * p->ncolumns;
    struct chunk *grown = realloc(p->chunks, (n + p->ncolumns + 1) * sizeof(*grown));

    if (!grown) {
        b->failed = true;
        return;
    }
    p->chunks = grown;
    for (uint32_t i = 0; i < p->ncolumns; i++) {
        put_page(p, &p->columns[i], b);
        p->chunks[n + i] = p->columns[i].chunk;
        p->columns[i].chunk = (struct chunk){.offset = 0};
    }
    p->ngroups++;
    p->bytes = p->rows = 0;
}

/* ---- rows ---- */

static void compare(struct chunk *c, const void *value, bool less, bool greater)
{
    if (less || !c->compared)
        memcpy(c->least, value, 8);
    if (greater || !c->compared)
        memcpy(c->greatest, value, 8);
    c->compared = true;
}

static void add_whole(struct column *c, int64_t v)
{
    int64_t least, greatest;

    memcpy(&least, c->chunk.least, 8);
    memcpy(&greatest, c->chunk.greatest, 8);
    compare(&c->chunk, &v, v<least, v> greatest);
    cell_buffer_append(&c->values, &v, 8);
}

static void add_real(struct column *c, double v)
{
    double least, greatest;

    memcpy(&least, c->chunk.least, 8);
    memcpy(&greatest, c->chunk.greatest, 8);
    compare(&c->chunk, &v, v<least, v> greatest);
    cell_buffer_append(&c->values, &v, 8);
}

static void add_bytes(struct column *c, const void *bytes, size_t n)
{
    cell_buffer_append(&c->values, &(uint32_t){(uint32_t)n}, 4);
    cell_buffer_append(&c->values, n ? bytes : "", n);
}

static const char *name_of(int type)
{
    return type == SQLITE_INTEGER ? "a whole number"
           : type == SQLITE_FLOAT ? "REAL"
           : type == SQLITE_TEXT  ? "TEXT"
                                  : "BLOB";
}

static int add_value(struct sql_parquet *p, struct column *c, sqlite3_stmt *s, int i, struct cell_error *e)
{
    int type = sqlite3_column_type(s, i);
    int64_t whole = sqlite3_column_int64(s, i);
    bool whole_in_real =
        type == SQLITE_INTEGER && c->type == SQLITE_FLOAT && whole >= -MOST_EXACT && whole <= MOST_EXACT;

    cell_buffer_append(&c->levels, type == SQLITE_NULL ? "\0" : "\1", 1);
    c->chunk.nulls += type == SQLITE_NULL;
    if (type == SQLITE_NULL)
        return CELL_OK;
    c->type = c->type ? c->type : type;
    if (c->type != type && !whole_in_real)
        return cell_error_set(e, CELL_INVALID_ARGUMENT,
                              "column '%s' is %s in row %" PRIu64 " and %s before it, and Parquet has one type for a "
                              "column: write cast(… as text)",
                              c->name, name_of(type), p->all_rows + 1, name_of(c->type));
    if (c->type == SQLITE_INTEGER)
        add_whole(c, whole);
    else if (c->type == SQLITE_FLOAT)
        add_real(c, sqlite3_column_double(s, i));
    else if (type == SQLITE_TEXT) {
        const unsigned char *text = sqlite3_column_text(s, i);
        add_bytes(c, text, text ? (size_t)sqlite3_column_bytes(s, i) : 0);
    } else {
        const void *bytes = sqlite3_column_blob(s, i);
        add_bytes(c, bytes, (size_t)sqlite3_column_bytes(s, i));
    }
    return CELL_OK;
}

int sql_parquet_row(struct sql_parquet *p, sqlite3_stmt *s, struct cell_buffer *b, struct cell_error *e)
{
    int r = CELL_OK;

    if (p->offset == 0) {
        cell_buffer_puts(b, "PAR1");
        p->offset = 4;
    }
    p->bytes = 0;
    for (uint32_t i = 0; r == CELL_OK && i < p->ncolumns; i++) {
        r = add_value(p, &p->columns[i], s, (int)i, e);
        p->bytes += p->columns[i].values.len;
    }
    p->rows++;
    p->all_rows++;
    if (r == CELL_OK && (p->bytes >= GROUP_BYTES || p->rows == GROUP_ROWS))
        end_group(p, b);
    return r;
}

/* ---- the end ---- */

static int physical(const struct column *c)
{
    return c->type == SQLITE_INTEGER ? INT64 : c->type == SQLITE_FLOAT ? DOUBLE : BYTE_ARRAY;
}

static void put_schema(const struct sql_parquet *p, struct cell_buffer *b, int *last)
{
    int root = 0;

    put_list(b, last, 2, THRIFT_STRUCT, p->ncolumns + 1);
    put_field(b, &root, 4, THRIFT_BINARY);
    put_binary(b, "rows", 4);
    put_number(b, &root, 5, THRIFT_I32, p->ncolumns);
    end_struct(b);
    for (uint32_t i = 0; i < p->ncolumns; i++) {
        const struct column *c = &p->columns[i];
        int at = 0, kind = 0;
        put_number(b, &at, 1, THRIFT_I32, physical(c));
        put_number(b, &at, 3, THRIFT_I32, OPTIONAL);
        put_field(b, &at, 4, THRIFT_BINARY);
        put_binary(b, c->name, strlen(c->name));
        if (physical(c) == BYTE_ARRAY && c->type != SQLITE_BLOB) {
            put_number(b, &at, 6, THRIFT_I32, 0); /* UTF8, and the same as a newer reader has it: STRING */
            put_field(b, &at, 10, THRIFT_STRUCT);
            put_field(b, &kind, 1, THRIFT_STRUCT);
            end_struct(b);
            end_struct(b);
        }
        end_struct(b);
    }
}

static void put_statistics(const struct chunk *c, struct cell_buffer *b, int *last)
{
    int at = 0;

    put_field(b, last, 12, THRIFT_STRUCT);
    put_number(b, &at, 3, THRIFT_I64, (int64_t)c->nulls);
    if (c->compared) {
        put_field(b, &at, 5, THRIFT_BINARY);
        put_binary(b, c->greatest, 8);
        put_field(b, &at, 6, THRIFT_BINARY);
        put_binary(b, c->least, 8);
    }
    end_struct(b);
}

static void put_chunk(const struct column *column, const struct chunk *c, struct cell_buffer *b)
{
    int last = 0, at = 0;

    put_number(b, &last, 2, THRIFT_I64, 0); /* where a copy of what follows is: nowhere */
    put_field(b, &last, 3, THRIFT_STRUCT);
    put_number(b, &at, 1, THRIFT_I32, physical(column));
    put_list(b, &at, 2, THRIFT_I32, 2);
    put_varint(b, PLAIN << 1);
    put_varint(b, RLE << 1);
    put_list(b, &at, 3, THRIFT_BINARY, 1);
    put_binary(b, column->name, strlen(column->name));
    put_number(b, &at, 4, THRIFT_I32, 0); /* not compressed */
    put_number(b, &at, 5, THRIFT_I64, (int64_t)c->rows);
    put_number(b, &at, 6, THRIFT_I64, (int64_t)c->bytes);
    put_number(b, &at, 7, THRIFT_I64, (int64_t)c->bytes);
    put_number(b, &at, 9, THRIFT_I64, (int64_t)c->offset);
    put_statistics(c, b, &at);
    end_struct(b);
    end_struct(b);
}

static void put_groups(const struct sql_parquet *p, struct cell_buffer *b, int *last)
{
    put_list(b, last, 4, THRIFT_STRUCT, p->ngroups);
    for (uint32_t g = 0; g < p->ngroups; g++) {
        const struct chunk *chunks = &p->chunks[(size_t)g * p->ncolumns];
        int at = 0;
        uint64_t bytes = 0;
        put_list(b, &at, 1, THRIFT_STRUCT, p->ncolumns);
        for (uint32_t i = 0; i < p->ncolumns; i++) {
            put_chunk(&p->columns[i], &chunks[i], b);
            bytes += chunks[i].bytes;
        }
        put_number(b, &at, 2, THRIFT_I64, (int64_t)bytes);
        put_number(b, &at, 3, THRIFT_I64, (int64_t)chunks[0].rows);
        end_struct(b);
    }
}

void sql_parquet_end(struct sql_parquet *p, struct cell_buffer *b)
{
    static const char maker[] = "cell sql";
    int last = 0;

    if (p->offset == 0)
        cell_buffer_puts(b, "PAR1");
    if (p->rows > 0)
        end_group(p, b);
    size_t before = b->len;
    put_number(b, &last, 1, THRIFT_I32, 1);
    put_schema(p, b, &last);
    put_number(b, &last, 3, THRIFT_I64, (int64_t)p->all_rows);
    put_groups(p, b, &last);
    put_field(b, &last, 6, THRIFT_BINARY);
    put_binary(b, maker, sizeof(maker) - 1);
    put_list(b, &last, 7, THRIFT_STRUCT, p->ncolumns); /* least and greatest are by the order of the type */
    for (uint32_t i = 0; i < p->ncolumns; i++) {
        int at = 0;
        put_field(b, &at, 1, THRIFT_STRUCT);
        end_struct(b);
        end_struct(b);
    }
    end_struct(b);
    cell_buffer_append(b, &(uint32_t){(uint32_t)(b->len - before)}, 4);
    cell_buffer_puts(b, "PAR1");
}
