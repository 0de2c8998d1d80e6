/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The answers that `cell watch` shows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "watch.h"

#define MOST INT64_C(9007199254740991)

void watch_shot_free(struct watch_shot *shot)
{
    if (!shot)
        return;
    cell_json_free(&shot->document);
    free(shot->values);
    free(shot);
}

bool watch_is_counted(const struct watch_column *column)
{
    return strcmp(column->as, "group") != 0 && strcmp(column->as, "window") != 0;
}

const char *watch_shown(const struct watch_column *column, const char *value, char text[64])
{
    char *end;

    if (strcmp(column->as, "window") == 0) {
        const time_t at = (time_t)(strtoll(value, NULL, 10) / 1000000);
        struct tm tm;
        return gmtime_r(&at, &tm) && strftime(text, 64, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0 ? text : value;
    }
    const double n = strtod(value, &end);
    if (column->type[0] != 'f' || *end || (n != 0 && (fabs(n) < 0.01 || fabs(n) >= 1e15)) || isnan(n))
        return value;
    snprintf(text, 64, "%.2f", n);
    return text;
}

static int read_pipeline(struct watch_shot *s, const struct json_at *p, struct cell_error *e)
{
    const char *phase = "";
    int r = cell_json_string(p, "index", JSON_REQUIRED, &s->name, e);

    if (r >= 0)
        r = cell_json_string(p, "source", JSON_REQUIRED, &s->source, e);
    if (r >= 0)
        r = cell_json_string(p, "phase", JSON_REQUIRED, &phase, e);
    if (r >= 0)
        r = cell_json_string(p, "error", JSON_REQUIRED, &s->error, e);
    const struct {
        const char *key;
        uint64_t *into;
    } numbers[] = {{"position", &s->position},
                   {"lag_records", &s->lag_records},
                   {"lag_ms", &s->lag_ms},
                   {"groups", &s->groups},
                   {"missed", &s->missed}};
    for (size_t i = 0; r >= 0 && i < sizeof(numbers) / sizeof(numbers[0]); i++)
        r = cell_json_uint(p, numbers[i].key, JSON_REQUIRED, 0, MOST, numbers[i].into, e);
    /* "ANALYTICS_CATCHING_UP" as "catching up" */
    const char *word = strchr(phase, '_');
    word = word ? word + 1 : phase;
    for (size_t i = 0; word[i] && i + 1 < sizeof(s->phase); i++)
        s->phase[i] = (char)(word[i] == '_' ? ' ' : word[i] >= 'A' && word[i] <= 'Z' ? word[i] + 32 : word[i]);
    return r;
}

static int read_columns(struct watch_shot *s, const struct json_at *columns, struct cell_error *e)
{
    struct json_at item;
    int r = CELL_OK;

    s->ncolumns = cell_json_count(columns);
    if (s->ncolumns == 0 || s->ncolumns > WATCH_MOST_COLUMNS)
        return cell_json_fail(columns, NULL, e, "there are %zu columns", s->ncolumns);
    for (size_t i = 0; r >= 0 && i < s->ncolumns; i++) {
        struct watch_column *c = &s->columns[i];
        r = cell_json_item_object(columns, i, &item, e);
        if (r >= 0)
            r = cell_json_string(&item, "name", JSON_REQUIRED, &c->name, e);
        if (r >= 0)
            r = cell_json_string(&item, "type", JSON_REQUIRED, &c->type, e);
        if (r >= 0)
            r = cell_json_string(&item, "as", JSON_REQUIRED, &c->as, e);
    }
    return r;
}

static int read_values(struct watch_shot *s, const struct json_at *values, struct cell_error *e)
{
    size_t n = cell_json_count(values);
    int r = CELL_OK;

    if (n % s->ncolumns != 0 || n / s->ncolumns > WATCH_MOST_ROWS)
        return cell_json_fail(values, NULL, e, "there are %zu values for %zu columns", n, s->ncolumns);
    s->nrows = n / s->ncolumns;
    s->values = calloc(n + 1, sizeof(*s->values));
    if (!s->values)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = cell_json_item_string(values, i, &s->values[i], e);
    return r;
}

static int read_table(struct watch_shot *s, struct cell_error *e)
{
    struct json_at out, table, part;
    enum json_kind kind;
    int r = cell_json_object(&s->document.root, "out", JSON_REQUIRED, &out, e);

    if (r >= 0)
        r = cell_json_object(&out, "table", JSON_REQUIRED, &table, e);
    if (r >= 0)
        r = cell_json_object(&table, "pipeline", JSON_REQUIRED, &part, e);
    if (r >= 0)
        r = read_pipeline(s, &part, e);
    if (r >= 0)
        r = cell_json_string(&table, "by", JSON_REQUIRED, &s->by, e);
    if (r >= 0 && cell_json_member(&table, "window_us", &part, &kind, e) > 0 && kind == JSON_IS_INTEGER)
        s->window_us = cell_json_integer_of(&part);
    if (r >= 0)
        r = cell_json_array(&table, "columns", JSON_REQUIRED, &part, e);
    if (r >= 0)
        r = read_columns(s, &part, e);
    if (r >= 0)
        r = cell_json_array(&table, "values", JSON_REQUIRED, &part, e);
    return r < 0 ? r : read_values(s, &part, e);
}

int watch_shot_read(const struct cell_buffer *reply, struct watch_shot **shot, struct cell_error *e)
{
    struct watch_shot *s = calloc(1, sizeof(*s));
    int r = s ? cell_json_load(reply->data, reply->len, CELL_PROTOCOL_ERROR, &s->document, e)
              : cell_error_set(e, CELL_NO_MEMORY, "out of memory");

    if (r >= 0)
        r = read_table(s, e);
    if (r < 0) {
        watch_shot_free(s);
        return r;
    }
    s->at_ns = cell_now_ns();
    *shot = s;
    return CELL_OK;
}
