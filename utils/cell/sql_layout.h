/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What lies in records of a fixed size, as columns of SQL. It is made of what a cell or a file says of its records,
 * which is not believed: after sql_layout_make has accepted it no value is read outside of a record.
 *
 * Columns are, in this order: `sequence` and `appended_us` (of journals; the second one hidden), the fields, and behind
 * them what is made of fields:
 *   NAME          of two u64 fields NAME_high and NAME_low, which are hidden then: 32 hexadecimal digits
 *   NAME_number   hidden, of a field whose values have names: the number
 *   NAME          hidden, of a time field NAME_us: "2026-01-31T23:59:59.000001Z"
 */
#ifndef CELL_CLI_SQL_LAYOUT_H
#define CELL_CLI_SQL_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "cell/journal.h"

#define SQL_MOST_FIELDS 256u
#define SQL_MOST_NAME 63u

enum sql_kind { SQL_UNSIGNED, SQL_SIGNED, SQL_REAL, SQL_BOOL, SQL_BYTES };

struct sql_name {
    const char *text;
    size_t length;
    int64_t number; /* the bits of an unsigned one */
};

struct sql_field {
    const char *name;
    enum sql_kind kind;
    uint32_t offset, size; /* bytes; of all but SQL_BYTES 1, 2, 4 or 8 */
    const struct sql_name *names;
    uint32_t nnames;
};

enum sql_role {
    SQL_SEQUENCE, /* of the record */
    SQL_APPENDED, /* when it was appended, µs */
    SQL_VALUE,    /* of the field; its name where it has one */
    SQL_NUMBER,   /* of a field whose values have names */
    SQL_PAIR,     /* of `field` and `low` */
    SQL_TIME      /* of the field, as text */
};

struct sql_column {
    const char *name;
    enum sql_role role;
    bool hidden;
    const struct sql_field *field, *low;
};

struct sql_layout {
    uint32_t record_size;
    const struct sql_field *fields, *time; /* time: NULL = none is known */
    uint32_t nfields;
    bool ordered; /* `time` never goes back */
    const struct sql_column *columns;
    uint32_t ncolumns;
};

/* `journal`: with the columns that only journals have. All is copied into the arena. CELL_INVALID_ARGUMENT says what
 * cannot be; CELL_NO_MEMORY. */
int sql_layout_make(const struct cell_journal_field *fields, uint32_t n, uint32_t record_size, const char *time,
                    bool ordered, bool journal, struct cell_arena *arena, struct sql_layout *layout,
                    struct cell_error *e);

/* A whole number or bool of a record, as 64 bits: extended by its sign, if it has one. */
uint64_t sql_field_bits(const struct sql_field *field, const uint8_t *record);
double sql_field_real(const struct sql_field *field, const uint8_t *record);
/* The name of a value; NULL: it has none. */
const struct sql_name *sql_field_name(const struct sql_field *field, int64_t number);

/* The type that is said of a column: "INTEGER", "TEXT", …; "" of one that has several. */
const char *sql_column_type(const struct sql_column *column);

/* Microseconds since 1970 as text of the calendar, "" for years that have not four digits. */
#define SQL_TIME_TEXT 32
void sql_time_text(int64_t us, char text[SQL_TIME_TEXT]);

#endif
