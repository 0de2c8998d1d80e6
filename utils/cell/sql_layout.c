/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "sql_layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/util.h"

#define MOST_NAMES 4096u
#define MOST_BYTES 4096u /* of one field */
#define US INT64_C(1000000)

/* ---- fields ---- */

static bool read_type(const char *text, struct sql_field *f)
{
    static const struct {
        const char *text;
        enum sql_kind kind;
        uint32_t size;
    } types[] = {{"u8", SQL_UNSIGNED, 1}, {"u16", SQL_UNSIGNED, 2}, {"u32", SQL_UNSIGNED, 4}, {"u64", SQL_UNSIGNED, 8},
                 {"i8", SQL_SIGNED, 1},   {"i16", SQL_SIGNED, 2},   {"i32", SQL_SIGNED, 4},   {"i64", SQL_SIGNED, 8},
                 {"f32", SQL_REAL, 4},    {"f64", SQL_REAL, 8},     {"bool", SQL_BOOL, 1}};
    char *end;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(text, types[i].text) == 0) {
            f->kind = types[i].kind;
            f->size = types[i].size;
            return true;
        }
    if (strncmp(text, "u8[", 3) != 0 || text[3] < '1' || text[3] > '9')
        return false;
    unsigned long count = strtoul(text + 3, &end, 10);
    f->kind = SQL_BYTES;
    f->size = count <= MOST_BYTES ? (uint32_t)count : 0;
    return f->size > 0 && strcmp(end, "]") == 0;
}

/* NAME=NUMBER; the number must be one of the field's type. */
static bool read_name(const struct sql_field *f, const char *text, size_t length, struct sql_name *name)
{
    const char *equals = memchr(text, '=', length), *end = text + length;
    uint64_t value = 0, most = f->size == 8 ? UINT64_MAX : (UINT64_C(1) << f->size * 8) - 1;

    if (!equals || equals == text || equals - text > (long)(2 * SQL_MOST_NAME))
        return false;
    bool negative = equals + 1 < end && equals[1] == '-' && f->kind == SQL_SIGNED;
    const char *digits = equals + 1 + negative;
    if (digits == end)
        return false;
    for (; digits < end; digits++)
        if (*digits < '0' || *digits > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*digits - '0'), &value))
            return false;
    if (f->kind == SQL_SIGNED)
        most = most / 2 + negative;
    *name = (struct sql_name){text, (size_t)(equals - text), (int64_t)(negative ? 0 - value : value)};
    return value <= most;
}

static int by_number(const void *a, const void *b)
{
    const struct sql_name *x = a, *y = b;

    return x->number < y->number ? -1 : x->number > y->number;
}

static int read_names(const char *text, struct sql_field *f, struct cell_arena *arena, struct cell_error *e)
{
    const char *copy = cell_arena_copy(arena, text, strlen(text));
    uint32_t n = 1;

    for (const char *comma = text; (comma = strchr(comma, ',')); comma++)
        n++;
    struct sql_name *names = n <= MOST_NAMES ? cell_arena_array(arena, n, sizeof(*names)) : NULL;
    if (n <= MOST_NAMES && (!names || !copy))
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    bool good = n <= MOST_NAMES && f->kind <= SQL_SIGNED;
    for (uint32_t i = 0; good && i < n; i++) {
        size_t length = strcspn(copy, ",");
        good = read_name(f, copy, length, &names[i]);
        copy += length + 1;
    }
    if (!good)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "the names of the values of field '%s' are none", f->name);
    qsort(names, n, sizeof(*names), by_number);
    f->names = names;
    f->nnames = n;
    return CELL_OK;
}

static bool is_name(const char *name) { return cell_is_identifier(name) && strlen(name) <= SQL_MOST_NAME; }

static int read_field(const struct cell_journal_field *from, uint32_t record_size, struct sql_field *f,
                      struct cell_arena *arena, struct cell_error *e)
{
    if (!is_name(from->name))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%s' is no name of a field", from->name);
    f->name = cell_arena_copy(arena, from->name, strlen(from->name));
    f->offset = from->offset;
    if (!f->name)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (!read_type(from->type, f))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "the type '%s' of field '%s' is none that records have",
                              from->type, f->name);
    if (f->size > record_size || f->offset > record_size - f->size)
        return cell_error_set(e, CELL_INVALID_ARGUMENT,
                              "field '%s' has bytes %u to %" PRIu64 " of a record, which has only %u", f->name,
                              f->offset, (uint64_t)f->offset + f->size - 1, record_size);
    return from->names && from->names[0] ? read_names(from->names, f, arena, e) : CELL_OK;
}

/* ---- columns ---- */

struct making {
    struct sql_layout *layout;
    struct sql_column *columns;
    struct cell_arena *arena;
};

/* SQL does not tell upper from lower case. */
static bool is_field(const struct sql_layout *l, const char *name)
{
    for (uint32_t i = 0; i < l->nfields; i++)
        if (strcasecmp(l->fields[i].name, name) == 0)
            return true;
    return strcasecmp(name, "sequence") == 0 || strcasecmp(name, "appended_us") == 0;
}

static bool is_taken(const struct making *m, const char *name)
{
    for (uint32_t i = 0; i < m->layout->ncolumns; i++)
        if (strcasecmp(m->columns[i].name, name) == 0)
            return true;
    return is_field(m->layout, name);
}

static struct sql_column *add(struct making *m, const char *name, enum sql_role role, const struct sql_field *field)
{
    struct sql_column *c = &m->columns[m->layout->ncolumns++];

    *c = (struct sql_column){.name = name, .role = role, .field = field};
    return c;
}

/* NAME of "NAME" + ending; NULL: it ends otherwise, or memory is short. */
static const char *stem_of(struct making *m, const char *name, const char *ending)
{
    size_t n = strlen(name), k = strlen(ending);

    return n > k && strcmp(name + n - k, ending) == 0 ? cell_arena_copy(m->arena, name, n - k) : NULL;
}

static const struct sql_field *find_field(const struct sql_layout *l, const char *stem, const char *ending)
{
    for (uint32_t i = 0; i < l->nfields; i++)
        if (strncmp(l->fields[i].name, stem, strlen(stem)) == 0 &&
            strcmp(l->fields[i].name + strlen(stem), ending) == 0)
            return &l->fields[i];
    return NULL;
}

static bool is_u64(const struct sql_field *f) { return f && f->kind == SQL_UNSIGNED && f->size == 8 && !f->names; }

/* The other half of a number of 128 bits. */
static const struct sql_field *half(struct making *m, const struct sql_field *f, const char *own, const char *other,
                                    const char **stem)
{
    *stem = is_u64(f) ? stem_of(m, f->name, own) : NULL;
    const struct sql_field *found = *stem ? find_field(m->layout, *stem, other) : NULL;
    return is_u64(found) && !is_field(m->layout, *stem) ? found : NULL;
}

static void add_fields(struct making *m)
{
    const struct sql_layout *l = m->layout;
    const char *stem;

    for (uint32_t i = 0; i < l->nfields; i++) {
        const struct sql_field *f = &l->fields[i], *low = half(m, f, "_high", "_low", &stem);
        if (low)
            add(m, stem, SQL_PAIR, f)->low = low;
        else if (!half(m, f, "_low", "_high", &stem))
            add(m, f->name, SQL_VALUE, f);
    }
}

/* What is hidden stands behind what is not. */
static void add_hidden(struct making *m)
{
    const struct sql_layout *l = m->layout;
    const uint32_t shown = l->ncolumns;

    for (uint32_t i = 0; i < l->nfields; i++) {
        const struct sql_field *f = &l->fields[i];
        bool is_shown = false;
        for (uint32_t k = 0; k < shown; k++)
            is_shown = is_shown || (m->columns[k].field == f && m->columns[k].role == SQL_VALUE);
        if (!is_shown)
            add(m, f->name, SQL_VALUE, f)->hidden = true;
        const char *number = f->names ? cell_arena_printf(m->arena, "%s_number", f->name) : NULL;
        if (number && !is_taken(m, number))
            add(m, number, SQL_NUMBER, f)->hidden = true;
    }
    const char *stem = l->time ? stem_of(m, l->time->name, "_us") : NULL;
    if (stem && !is_taken(m, stem))
        add(m, stem, SQL_TIME, l->time)->hidden = true;
}

static int make_columns(struct making *m, bool journal, struct cell_error *e)
{
    static const char *const own[] = {"sequence", "appended_us"};
    const struct sql_layout *l = m->layout;

    m->columns = cell_arena_array(m->arena, 2 * (size_t)l->nfields + 4, sizeof(*m->columns));
    if (!m->columns)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; journal && i < l->nfields; i++)
        for (uint32_t k = 0; k < 2; k++)
            if (strcasecmp(l->fields[i].name, own[k]) == 0)
                return cell_error_set(e, CELL_INVALID_ARGUMENT, "a field is called '%s' as a column of all journals",
                                      own[k]);
    if (journal)
        add(m, own[0], SQL_SEQUENCE, NULL);
    add_fields(m);
    if (journal)
        add(m, own[1], SQL_APPENDED, NULL)->hidden = true;
    add_hidden(m);
    m->layout->columns = m->columns;
    return CELL_OK;
}

static int check_names(const struct sql_layout *l, struct cell_error *e)
{
    for (uint32_t i = 0; i < l->nfields; i++)
        for (uint32_t k = 0; k < i; k++)
            if (strcasecmp(l->fields[i].name, l->fields[k].name) == 0)
                return cell_error_set(e, CELL_INVALID_ARGUMENT,
                                      "there are fields '%s' and '%s', which SQL does not tell apart",
                                      l->fields[k].name, l->fields[i].name);
    return CELL_OK;
}

int sql_layout_make(const struct cell_journal_field *fields, uint32_t n, uint32_t record_size, const char *time,
                    bool ordered, bool journal, struct cell_arena *arena, struct sql_layout *layout,
                    struct cell_error *e)
{
    struct making m = {.layout = layout, .arena = arena};
    struct sql_field *list = n <= SQL_MOST_FIELDS ? cell_arena_array(arena, n + 1, sizeof(*list)) : NULL;
    int r = CELL_OK;

    *layout = (struct sql_layout){.record_size = record_size, .fields = list, .nfields = n};
    if (n == 0 || n > SQL_MOST_FIELDS || record_size == 0 || record_size > CELL_JOURNAL_BLOCK_MAX)
        return cell_error_set(e, CELL_INVALID_ARGUMENT,
                              "records of %u bytes with %u fields are none that SQL can be made of", record_size, n);
    if (!list)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; r == CELL_OK && i < n; i++)
        r = read_field(&fields[i], record_size, &list[i], arena, e);
    if (r == CELL_OK)
        r = check_names(layout, e);
    if (r < 0)
        return r;
    for (uint32_t i = 0; time && time[0] && i < n; i++)
        if (strcmp(list[i].name, time) == 0 && list[i].kind == SQL_SIGNED && list[i].size == 8)
            layout->time = &list[i];
    if (time && time[0] && !layout->time)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "the time of records, '%s', is no field of 64 bits", time);
    layout->ordered = ordered && layout->time;
    return make_columns(&m, journal, e);
}

/* ---- values ---- */

uint64_t sql_field_bits(const struct sql_field *f, const uint8_t *record)
{
    const uint8_t *at = record + f->offset;
    uint64_t bits = 0;

    memcpy(&bits, at, f->size); /* the least byte first */
    if (f->kind == SQL_BOOL)
        return bits != 0;
    if (f->kind == SQL_SIGNED && f->size < 8 && bits >> (f->size * 8 - 1))
        bits |= UINT64_MAX << f->size * 8;
    return bits;
}

double sql_field_real(const struct sql_field *f, const uint8_t *record)
{
    double wide;
    float narrow;

    if (f->size == 4) {
        memcpy(&narrow, record + f->offset, 4);
        return (double)narrow;
    }
    memcpy(&wide, record + f->offset, 8);
    return wide;
}

const struct sql_name *sql_field_name(const struct sql_field *f, int64_t number)
{
    const struct sql_name key = {.number = number};

    return f->nnames ? bsearch(&key, f->names, f->nnames, sizeof(key), by_number) : NULL;
}

const char *sql_column_type(const struct sql_column *c)
{
    switch (c->role) {
    case SQL_SEQUENCE:
    case SQL_APPENDED:
        return "INTEGER";
    case SQL_PAIR:
    case SQL_TIME:
        return "TEXT";
    default:
        break;
    }
    if (c->field->kind == SQL_REAL)
        return "REAL";
    if (c->field->kind == SQL_BYTES)
        return "BLOB";
    if (c->role == SQL_VALUE && c->field->names)
        return "";
    return is_u64(c->field) ? "" : "INTEGER";
}

void sql_time_text(int64_t us, char text[SQL_TIME_TEXT])
{
    time_t seconds = (time_t)(us / US - (us % US < 0));
    struct tm t;

    text[0] = '\0';
    if (gmtime_r(&seconds, &t) && t.tm_year > -1900 && t.tm_year < 10000 - 1900)
        snprintf(text, SQL_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                 t.tm_hour, t.tm_min, t.tm_sec, (int)(us - (int64_t)seconds * US));
}
