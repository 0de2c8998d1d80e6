/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "show.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <cell/desc.h>

#include "rank.h"

#define MOST_VALUE 160 /* bytes of a text: a key of 64 bytes in hex */

const char *an_phase_name(enum an_phase phase)
{
    static const char *const names[] = {"waiting", "catching up", "following", "stopped"};

    return names[phase];
}

/* With its lock. */
static void summarize(const struct an_part *part, bool building, struct an_summary *s)
{
    const struct an_definition *d = part->definition;
    const struct an_progress *p = &part->progress;

    *s = (struct an_summary){.building = building,
                             .phase = p->phase,
                             .position = part->place.position.sequence,
                             .lag_records = p->lag,
                             .lag_ms = p->lag_ms,
                             .missed = part->place.missed,
                             .snapshot = p->snapshot,
                             .errors = p->errors};
    if (part->aggregator)
        s->counters = an_counters(part->aggregator);
    snprintf(s->name, sizeof(s->name), "%s", d->name);
    snprintf(s->source, sizeof(s->source), "%s.%s", d->source, d->stream);
    snprintf(s->error, sizeof(s->error), "%s", p->error);
}

void an_summarize(struct an_part *part, bool building, struct an_summary *s)
{
    an_part_lock(part);
    summarize(part, building, s);
    an_part_unlock(part);
}

/* ---- values ---- */

static void put_wide(char *text, __int128 value)
{
    unsigned __int128 left = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    char digits[48];
    size_t at = sizeof(digits);

    digits[--at] = '\0';
    do
        digits[--at] = (char)('0' + (int)(left % 10));
    while ((left /= 10) != 0);
    if (value < 0)
        digits[--at] = '-';
    snprintf(text, MOST_VALUE, "%s", digits + at);
}

/* With as few digits as tell it from every other one. */
static void put_real(char *text, double value, bool is_float)
{
    if (isnan(value) || isinf(value)) {
        snprintf(text, MOST_VALUE, "%s", isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return;
    }
    for (int digits = is_float ? FLT_DIG : DBL_DIG; digits <= (is_float ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG);
         digits++) {
        snprintf(text, MOST_VALUE, "%.*g", digits, value);
        if (is_float ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            return;
    }
}

static void put_bytes(char *text, const uint8_t *bytes, uint32_t n)
{
    bool plain = true;

    for (; n > 0 && bytes[n - 1] == 0; n--)
        continue;
    for (uint32_t i = 0; i < n; i++)
        plain = plain && bytes[i] >= 0x20 && bytes[i] < 0x7f;
    if (plain && (n < 4 || memcmp(bytes, "hex:", 4) != 0)) {
        snprintf(text, MOST_VALUE, "%.*s", (int)n, (const char *)bytes);
        return;
    }
    memcpy(text, "hex:", 5);
    for (uint32_t i = 0; i < n; i++)
        snprintf(text + 4 + (size_t)2 * i, 3, "%02x", bytes[i]);
}

static void put_number(char *text, const struct an_type *type, enum an_class class, union an_number n)
{
    if (type->kind == CELL_KIND_BOOL)
        snprintf(text, MOST_VALUE, "%s", n.u ? "true" : "false");
    else if (class == AN_REAL)
        put_real(text, n.d, type->kind == CELL_KIND_F32);
    else
        put_wide(text, class == AN_SIGNED ? (__int128)n.i : (__int128)n.u);
}

static void put_value(const struct an_aggregator *a, const struct an_definition *d, const struct an_column *column,
                      const struct an_entry *entry, int64_t begin_us, char text[MOST_VALUE])
{
    if (column->role == AN_WINDOW) {
        put_wide(text, begin_us);
    } else if (column->role == AN_GROUP) {
        const uint8_t *key = (const uint8_t *)an_entry_key(entry) + column->key_at;
        union an_number n;
        if (column->type.count) {
            put_bytes(text, key, column->type.count);
            return;
        }
        memcpy(&n, key, sizeof(n));
        put_number(text, &column->type, an_type_class(&column->type), n);
    } else {
        struct an_value v = an_value_of(a, entry, column->index);
        if (d->plan.aggregates[column->index].kind == AN_SUM && v.class != AN_REAL)
            put_wide(text, v.sum);
        else
            put_number(text, &column->type, v.class, v.number);
    }
}

/* ---- the table ---- */

const char *an_table_as(const struct an_table *table, uint32_t column)
{
    return json_string_value(
        json_object_get(json_array_get(json_object_get(table->columns->json, "columns"), column), "as"));
}

const char *an_table_type(const struct an_table *table, uint32_t column)
{
    return json_string_value(
        json_object_get(json_array_get(json_object_get(table->columns->json, "columns"), column), "type"));
}

static int find_by(const struct an_definition *d, const char *by, const struct an_column **column, struct an_failure *f)
{
    *column = by[0] ? an_definition_column(d, by) : NULL;
    for (uint32_t i = 0; !by[0] && !*column && i < d->ncolumns; i++)
        if (d->columns[i].role == AN_AGGREGATE)
            *column = &d->columns[i];
    if (by[0] && (!*column || (*column)->role != AN_AGGREGATE))
        return an_fail(f, CELL_INVALID_ARGUMENT, "'%.63s' of aggregate '%s' is %s", by, d->name,
                       *column ? "what its groups are of: they are ordered by what is counted" : "no field");
    return CELL_OK;
}

static int put_rows(struct an_table *table, const struct an_part *part, const struct an_view *view,
                    const uint32_t *numbers, struct an_failure *f)
{
    const struct an_definition *d = table->columns;
    size_t capacity = 0;

    for (uint32_t i = 0; i < table->rows; i++) {
        const struct an_entry *entry = an_view_entry(view, numbers ? numbers[i] : i);
        if (capacity - table->size < (size_t)d->ncolumns * MOST_VALUE) {
            capacity = 2 * capacity + (size_t)d->ncolumns * MOST_VALUE;
            char *grown = realloc(table->values, capacity);
            if (!grown)
                return an_fail(f, CELL_NO_MEMORY, "out of memory");
            table->values = grown;
        }
        for (uint32_t k = 0; k < d->ncolumns; k++) {
            char *text = table->values + table->size;
            put_value(part->aggregator, d, &d->columns[k], entry, table->window_us, text);
            table->size += strlen(text) + 1;
        }
    }
    return CELL_OK;
}

/* With the part's lock. */
static int fill(struct an_table *table, struct an_part *part, const char *by, uint32_t limit, struct an_failure *f)
{
    const struct an_column *column;
    struct an_view *view = NULL;
    uint32_t *numbers = NULL;
    int r = find_by(part->definition, by, &column, f);

    if (r < 0)
        return r;
    summarize(part, false, &table->summary);
    table->columns = an_definition_ref(part->definition);
    table->by = column ? column->name : "";
    if (limit == 0 || !part->aggregator)
        return CELL_OK;
    r = an_view_open(part->aggregator, INT64_MAX, NULL, &view, f);
    if (r == CELL_NOT_FOUND)
        return CELL_OK;
    if (r < 0)
        return r;
    table->window_us = an_view_begin(view);
    table->rows = an_view_count(view) < limit ? an_view_count(view) : limit;
    if (column)
        r = an_rank(part->aggregator, view, column->index, limit, &numbers, &table->rows, f);
    if (r >= 0)
        r = put_rows(table, part, view, numbers, f);
    an_view_close(view);
    free(numbers);
    return r;
}

int an_table_make(struct an_service *service, const char *name, const char *by, uint32_t limit, struct an_table *table,
                  struct an_failure *f)
{
    *table = (struct an_table){0};
    struct an_part *part = an_part_take(service, name);
    if (!part)
        return an_fail(f, CELL_NOT_FOUND, "there is no aggregate '%.63s'", name);
    an_part_lock(part);
    int r = fill(table, part, by, limit < AN_MOST_SHOWN ? limit : AN_MOST_SHOWN, f);
    an_part_unlock(part);
    an_part_give(part);
    if (r < 0)
        an_table_free(table);
    return r;
}

void an_table_free(struct an_table *table)
{
    an_definition_unref(table->columns);
    free(table->values);
    *table = (struct an_table){0};
}
