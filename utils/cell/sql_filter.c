/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A plan is a text, of each constraint that is taken over its column and operation: "3= 5< ". What the value of one
 * does not allow to be compared here is left to SQLite.
 */
#include "sql_filter.h"

#include <stdlib.h>
#include <string.h>

#define BACKWARDS 1
#define SEEK 2000.0 /* what it costs to find a place, in records that are read */

bool sql_column_is_wide(const struct sql_column *c)
{
    return (c->role == SQL_VALUE || c->role == SQL_NUMBER) && c->field->kind == SQL_UNSIGNED && c->field->size == 8 &&
           (!c->field->names || c->role == SQL_NUMBER);
}

int sql_filter_compare_wide(void *user, int n, const void *a, int m, const void *b)
{
    (void)user;
    if (n != m)
        return n < m ? -1 : 1;
    return memcmp(a, b, (size_t)n);
}

/* ---- the plan ---- */

static const char operations[] = "=><)("; /* in the order of those below */
static const unsigned char constraints[] = {SQLITE_INDEX_CONSTRAINT_EQ, SQLITE_INDEX_CONSTRAINT_GT,
                                            SQLITE_INDEX_CONSTRAINT_LT, SQLITE_INDEX_CONSTRAINT_GE,
                                            SQLITE_INDEX_CONSTRAINT_LE};

static char letter_of(unsigned char constraint)
{
    const unsigned char *at = memchr(constraints, constraint, sizeof(constraints));

    return at ? operations[at - constraints] : '\0';
}

/* The column of a constraint or order; NULL: it is of none that is taken over. */
static const struct sql_column *column_at(const struct sql_table *t, int i)
{
    if (i < 0)
        return t->folder ? &t->layout.columns[0] : NULL; /* the rowid is the sequence */
    return &t->layout.columns[i];
}

static bool is_comparable(const struct sql_column *c, bool equal)
{
    switch (c->role) {
    case SQL_SEQUENCE:
        return true;
    case SQL_PAIR:
        return equal;
    case SQL_VALUE:
        return c->field->kind != SQL_REAL && c->field->kind != SQL_BYTES && (equal || !c->field->names);
    case SQL_NUMBER:
        return true;
    default:
        return false;
    }
}

static bool is_taken_over(const struct sql_table *t, sqlite3_index_info *info, int i)
{
    const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
    char letter = letter_of(constraint->op);
    const struct sql_column *c = letter ? column_at(t, constraint->iColumn) : NULL;
    const char *collation = c ? sqlite3_vtab_collation(info, i) : "";

    return c && constraint->usable && is_comparable(c, letter == '=') &&
           (strcmp(collation, "BINARY") == 0 || strcmp(collation, SQL_WIDE) == 0);
}

/* In the order of the sequence, or of what never goes back. */
static bool follows_order(const struct sql_table *t, const sqlite3_index_info *info)
{
    const struct sql_column *c = t->folder && info->nOrderBy == 1 ? column_at(t, info->aOrderBy[0].iColumn) : NULL;

    return c && (c->role == SQL_SEQUENCE || c->role == SQL_APPENDED ||
                 (c->role == SQL_VALUE && t->layout.ordered && c->field == t->layout.time));
}

/* A guess: what is limited on one side is a quarter, what is equal a tenth. */
static void estimate(const struct sql_table *t, sqlite3_index_info *info)
{
    double records = t->folder ? (double)t->end : 100000, rows;

    for (int i = 0; i < info->nConstraint; i++) {
        if (!info->aConstraintUsage[i].argvIndex)
            continue;
        const struct sql_column *c = column_at(t, info->aConstraint[i].iColumn);
        bool equal = info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ;
        if (c->role == SQL_SEQUENCE && equal)
            records = 1;
        else if (c->role == SQL_SEQUENCE || (t->layout.ordered && c->field == t->layout.time))
            records /= 4;
    }
    rows = records;
    for (int i = 0; i < info->nConstraint; i++)
        if (info->aConstraintUsage[i].argvIndex && info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ)
            rows /= 10;
    info->estimatedRows = rows < 1 ? 1 : (sqlite3_int64)rows;
    info->estimatedCost = SEEK + records;
}

int sql_filter_plan(const struct sql_table *t, sqlite3_index_info *info)
{
    struct cell_buffer plan = {0};
    int n = 0;

    for (int i = 0; i < info->nConstraint && n < SQL_MOST_COMPARISONS / 2; i++) {
        if (!is_taken_over(t, info, i))
            continue;
        int column = info->aConstraint[i].iColumn < 0 ? 0 : info->aConstraint[i].iColumn;
        cell_buffer_printf(&plan, "%d%c", column, letter_of(info->aConstraint[i].op));
        info->aConstraintUsage[i].argvIndex = ++n;
    }
    estimate(t, info);
    if (follows_order(t, info)) {
        info->orderByConsumed = 1;
        info->idxNum = info->aOrderBy[0].desc ? BACKWARDS : 0;
    }
    info->idxStr = cell_buffer_ok(&plan) ? sqlite3_mprintf("%s", plan.data ? plan.data : "") : NULL;
    info->needToFreeIdxStr = 1;
    cell_buffer_free(&plan);
    return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

/* ---- its values ---- */

static void limit_sequence(struct sql_range *range, char letter, int64_t v)
{
    uint64_t at = v < 0 ? 0 : (uint64_t)v, behind = v < 0 ? 0 : (uint64_t)v + 1;
    uint64_t from = letter == '>' ? behind : letter == '=' || letter == ')' ? at : 0;
    uint64_t to = letter == '<' ? at : letter == '=' || letter == '(' ? behind : UINT64_MAX;

    range->from = from > range->from ? from : range->from;
    range->to = to < range->to ? to : range->to;
}

static void limit_time(struct sql_range *range, char letter, int64_t v)
{
    int64_t from = letter == '>' && v < INT64_MAX ? v + 1 : v, to = letter == '<' && v > INT64_MIN ? v - 1 : v;

    if (strchr("=>)", letter) && from > range->time_from)
        range->time_from = from;
    if (strchr("=<(", letter) && to < range->time_to)
        range->time_to = to;
}

static void compare(struct sql_filter *f, const struct sql_field *field, char letter, uint64_t with)
{
    if (f->n < SQL_MOST_COMPARISONS)
        f->comparisons[f->n++] = (struct sql_comparison){
            .field = field, .operation = constraints[strchr(operations, letter) - operations], .with = with};
}

static void compare_number(struct sql_filter *f, const struct sql_column *c, char letter, int64_t v)
{
    if (c->field->kind == SQL_SIGNED || v >= 0)
        compare(f, c->field, letter, (uint64_t)v);
    else if (letter != '>' && letter != ')') /* no unsigned number is as small */
        f->impossible = true;
}

static bool read_hex(const char *text, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < 16; i++) {
        const char *at = text[i] ? strchr("0123456789abcdef", text[i]) : NULL;
        if (!at)
            return false;
        *value = *value << 4 | (uint64_t)(at - "0123456789abcdef");
    }
    return true;
}

/* A text that is equal to a value of the column, or to none. */
static void compare_text(struct sql_filter *f, const struct sql_column *c, const char *text)
{
    uint64_t high, low;

    if (c->role == SQL_PAIR) {
        if (strlen(text) != 32 || !read_hex(text, &high) || !read_hex(text + 16, &low)) {
            f->impossible = true;
            return;
        }
        compare(f, c->field, '=', high);
        compare(f, c->low, '=', low);
    } else if (c->role == SQL_VALUE && c->field->names) {
        for (uint32_t i = 0; i < c->field->nnames; i++)
            if (strlen(text) == c->field->names[i].length &&
                memcmp(text, c->field->names[i].text, c->field->names[i].length) == 0) {
                compare(f, c->field, '=', (uint64_t)c->field->names[i].number);
                return;
            }
        f->impossible = true;
    }
}

static void take_value(struct sql_filter *f, const struct sql_table *t, const struct sql_column *c, char letter,
                       sqlite3_value *value)
{
    int type = sqlite3_value_type(value);

    f->impossible = f->impossible || type == SQLITE_NULL; /* nothing compares with it */
    if (type == SQLITE_TEXT && letter == '=') {
        const char *text = (const char *)sqlite3_value_text(value);
        if (text && strlen(text) == (size_t)sqlite3_value_bytes(value))
            compare_text(f, c, text);
        return;
    }
    if (type != SQLITE_INTEGER || c->role == SQL_PAIR || (c->role == SQL_VALUE && c->field->names))
        return;
    int64_t v = sqlite3_value_int64(value);
    if (c->role == SQL_SEQUENCE) {
        limit_sequence(&f->range, letter, v);
        f->impossible = f->impossible || (v < 0 && strchr("=<(", letter));
        return;
    }
    if (t->layout.ordered && c->field == t->layout.time)
        limit_time(&f->range, letter, v);
    compare_number(f, c, letter, v);
}

void sql_filter_read(struct sql_filter *f, const struct sql_table *t, int number, const char *text, int argc,
                     sqlite3_value **argv)
{
    f->range = (struct sql_range){
        .to = UINT64_MAX, .backwards = number & BACKWARDS, .time_from = INT64_MIN, .time_to = INT64_MAX};
    f->impossible = false;
    f->n = 0;
    for (int i = 0; i < argc; i++) {
        char *end;
        long column = strtol(text, &end, 10);
        take_value(f, t, &t->layout.columns[column], *end, argv[i]);
        text = end + 1;
    }
}

bool sql_filter_compares(const struct sql_comparison *c, const uint8_t *record)
{
    uint64_t bits = sql_field_bits(c->field, record);
    bool less = c->field->kind == SQL_SIGNED ? (int64_t)bits < (int64_t)c->with : bits < c->with;

    switch (c->operation) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
        return bits == c->with;
    case SQLITE_INDEX_CONSTRAINT_GT:
        return !less && bits != c->with;
    case SQLITE_INDEX_CONSTRAINT_GE:
        return !less;
    case SQLITE_INDEX_CONSTRAINT_LT:
        return less;
    default:
        return less || bits == c->with;
    }
}
