/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How the groups look: on a screen, in a pipe, and as JSON. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "watch.h"

/* ---- what both texts share ---- */

static const char *value_at(const struct watch_shot *s, size_t row, size_t column)
{
    return s->values[row * s->ncolumns + column];
}

/* Characters, not bytes; every one counts as one column. */
static unsigned width_of(const char *text, size_t n)
{
    unsigned width = 0;

    for (size_t i = 0; i < n; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

/* A piece of a line of at most `left` characters, without what steers a terminal. */
static void put(struct cell_buffer *out, unsigned *left, const char *text)
{
    struct cell_buffer safe = {0};
    size_t n = 0;
    unsigned width = 0;

    cli_safe(&safe, text, strlen(text));
    for (; n < safe.len; n++) {
        bool begins = ((unsigned char)safe.data[n] & 0xc0) != 0x80;
        if (begins && width == *left)
            break;
        width += begins;
    }
    cell_buffer_append(out, safe.data ? safe.data : "", n);
    *left -= width;
    out->failed = out->failed || safe.failed;
    cell_buffer_free(&safe);
}

static void pad(struct cell_buffer *out, unsigned *left, unsigned n)
{
    for (; n > 0 && *left > 0; n--, --*left)
        cell_buffer_puts(out, " ");
}

static void measure(const struct watch_shot *s, unsigned widths[WATCH_MOST_COLUMNS])
{
    char text[64];

    for (size_t k = 0; k < s->ncolumns; k++) {
        widths[k] = width_of(s->columns[k].name, strlen(s->columns[k].name)) + watch_is_counted(&s->columns[k]);
        for (size_t i = 0; i < s->nrows; i++) {
            const char *shown = watch_shown(&s->columns[k], value_at(s, i, k), text);
            unsigned n = width_of(shown, strlen(shown));
            widths[k] = n > widths[k] ? n : widths[k];
        }
    }
}

/* One value in its column: names to the left, what is counted to the right. */
static void put_cell(struct cell_buffer *out, unsigned *left, const struct watch_column *column, const char *shown,
                     unsigned width, const char *before, const char *after)
{
    unsigned n = width_of(shown, strlen(shown));

    if (watch_is_counted(column))
        pad(out, left, width > n ? width - n : 0);
    if (*left > 0) {
        cell_buffer_puts(out, before);
        put(out, left, shown);
        cell_buffer_puts(out, after);
    }
    if (!watch_is_counted(column))
        pad(out, left, width > n ? width - n : 0);
    pad(out, left, 2);
}

static void put_head(struct cell_buffer *out, unsigned *left, const struct watch_shot *s, const unsigned *widths,
                     const char *bold, const char *plain)
{
    char text[160];

    for (size_t k = 0; k < s->ncolumns; k++) {
        bool by = strcmp(s->columns[k].name, s->by) == 0;
        snprintf(text, sizeof(text), "%s%s", s->columns[k].name, by ? "↓" : "");
        put_cell(out, left, &s->columns[k], text, widths[k], by ? bold : "", by ? plain : "");
    }
}

static void put_facts(struct cell_buffer *out, unsigned *left, const struct watch_frame *f)
{
    const struct watch_shot *s = f->shot;
    char text[256], rate[40] = "–";

    if (f->rate >= 0)
        snprintf(rate, sizeof(rate), "%.0f", f->rate);
    snprintf(text, sizeof(text),
             "position %" PRIu64 "  behind %" PRIu64 " records, %" PRIu64 " ms  %s records/s  %" PRIu64 " groups",
             s->position, s->lag_records, s->lag_ms, rate, s->groups);
    put(out, left, text);
    if (s->missed) {
        snprintf(text, sizeof(text), "  missed %" PRIu64, s->missed);
        put(out, left, text);
    }
}

/* ---- a pipe ---- */

void watch_print_text(const struct watch_frame *f)
{
    const struct watch_shot *s = f->shot;
    unsigned widths[WATCH_MOST_COLUMNS], left = UINT32_MAX;
    struct cell_buffer out = {0};
    char text[64];

    measure(s, widths);
    put(&out, &left, s->name);
    put(&out, &left, "  of ");
    put(&out, &left, s->source);
    put(&out, &left, "  ");
    put(&out, &left, s->phase);
    put(&out, &left, "  ");
    put_facts(&out, &left, f);
    if (s->error[0]) {
        cell_buffer_puts(&out, "\nerror  ");
        put(&out, &left, s->error);
    }
    cell_buffer_puts(&out, "\n");
    put_head(&out, &left, s, widths, "", "");
    for (size_t i = 0; i < s->nrows; i++) {
        cell_buffer_puts(&out, "\n");
        for (size_t k = 0; k < s->ncolumns; k++)
            put_cell(&out, &left, &s->columns[k], watch_shown(&s->columns[k], value_at(s, i, k), text), widths[k], "",
                     "");
    }
    cell_buffer_puts(&out, "\n\n");
    if (cell_buffer_ok(&out))
        cli_write(out.data, out.len);
    cell_buffer_free(&out);
}

/* ---- JSON ---- */

static void out_value(struct cli_json *j, const struct watch_column *column, const char *value)
{
    bool text = strcmp(column->as, "group") == 0 && strchr(column->type, '[');

    if (text)
        out_str(j, column->name, value);
    else if (strcmp(value, "nan") == 0)
        out_str(j, column->name, "NaN");
    else if (strcmp(value, "inf") == 0 || strcmp(value, "-inf") == 0)
        out_str(j, column->name, value[0] == '-' ? "-Infinity" : "Infinity");
    else if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
        out_bool(j, column->name, value[0] == 't');
    else if (value[0] && value[strspn(value, "0123456789+-.e")] == '\0')
        out_raw(j, column->name, value, strlen(value));
    else
        out_str(j, column->name, value);
}

int watch_print_json(struct cli *cli, const struct watch_frame *f)
{
    const struct watch_shot *s = f->shot;
    struct cli_json j = {0};

    out_begin(&j, NULL, '{');
    out_str(&j, "aggregate", s->name);
    out_str(&j, "source", s->source);
    out_str(&j, "phase", s->phase);
    out_uint(&j, "position", s->position);
    out_uint(&j, "lag_records", s->lag_records);
    out_uint(&j, "lag_ms", s->lag_ms);
    if (f->rate >= 0)
        out_uint(&j, "records_per_s", (uint64_t)(f->rate + 0.5));
    else
        out_null(&j, "records_per_s");
    out_uint(&j, "groups", s->groups);
    out_uint(&j, "missed", s->missed);
    out_str(&j, "error", s->error);
    out_str(&j, "by", s->by);
    out_int(&j, "window_us", s->window_us);
    out_begin(&j, "rows", '[');
    for (size_t i = 0; i < s->nrows; i++) {
        out_begin(&j, NULL, '{');
        for (size_t k = 0; k < s->ncolumns; k++)
            out_value(&j, &s->columns[k], value_at(s, i, k));
        out_end(&j, '}');
    }
    out_end(&j, ']');
    out_end(&j, '}');
    return out_print(cli, &j);
}

/* ---- a screen ---- */

static bool same_group(const struct watch_shot *a, size_t i, const struct watch_shot *b, size_t k)
{
    for (size_t c = 0; c < a->ncolumns; c++)
        if (strcmp(a->columns[c].as, "group") == 0 && strcmp(value_at(a, i, c), value_at(b, k, c)) != 0)
            return false;
    return true;
}

/* The row of the same group in the shot before; SIZE_MAX: it had none. */
static size_t row_before(const struct watch_frame *f, size_t row)
{
    for (size_t i = 0; f->before && i < f->before->nrows; i++)
        if (same_group(f->shot, row, f->before, i))
            return i;
    return SIZE_MAX;
}

static void end_line(struct cell_buffer *out, const char *plain)
{
    cell_buffer_puts(out, plain);
    cell_buffer_puts(out, "\033[K\r\n");
}

static void draw_row(const struct watch_frame *f, size_t row, const unsigned *widths, unsigned left,
                     struct cell_buffer *out)
{
    const struct watch_shot *s = f->shot;
    const size_t old = row_before(f, row);
    char text[64], fresh[16];

    snprintf(fresh, sizeof(fresh), "\033[1m%s", cli_style(f->cli, stdout, CLI_YELLOW));
    for (size_t k = 0; k < s->ncolumns; k++) {
        const char *value = value_at(s, row, k);
        bool changed = f->before && (old == SIZE_MAX || strcmp(value_at(f->before, old, k), value) != 0);
        put_cell(out, &left, &s->columns[k], watch_shown(&s->columns[k], value, text), widths[k], changed ? fresh : "",
                 changed ? "\033[0m" : "");
    }
    end_line(out, "");
}

static void draw_title(const struct watch_frame *f, unsigned columns, struct cell_buffer *out)
{
    const struct watch_shot *s = f->shot;
    bool well = strcmp(s->phase, "following") == 0;
    unsigned left = columns;

    cell_buffer_puts(out, "\033[1m");
    put(out, &left, s->name);
    cell_buffer_puts(out, "\033[0m");
    put(out, &left, "  of ");
    put(out, &left, s->source);
    put(out, &left, "  ");
    cell_buffer_puts(out, cli_style(f->cli, stdout, well ? CLI_GREEN : CLI_YELLOW));
    put(out, &left, s->phase);
    end_line(out, "\033[0m");
    left = columns;
    put_facts(out, &left, f);
    end_line(out, "");
    left = columns;
    cell_buffer_puts(out, cli_style(f->cli, stdout, CLI_RED));
    put(out, &left, f->outage[0] ? f->outage : s->error);
    end_line(out, "\033[0m");
}

void watch_draw(const struct watch_frame *f, unsigned rows, unsigned columns, struct cell_buffer *out)
{
    const struct watch_shot *s = f->shot;
    unsigned widths[WATCH_MOST_COLUMNS], left = columns;
    size_t room = rows > WATCH_OTHER_LINES ? rows - WATCH_OTHER_LINES : 0, n = s->nrows < room ? s->nrows : room;

    measure(s, widths);
    cell_buffer_puts(out, "\033[H");
    draw_title(f, columns, out);
    put_head(out, &left, s, widths, "\033[1m", "\033[0m");
    end_line(out, "");
    for (size_t i = 0; i < n; i++)
        draw_row(f, i, widths, columns, out);
    cell_buffer_puts(out, "\033[J");
    if (rows > WATCH_OTHER_LINES) {
        left = columns;
        cell_buffer_printf(out, "\033[%u;1H\033[2m", rows);
        put(out, &left, s->by[0] ? "← → order by another field   q quit" : "q quit");
        cell_buffer_puts(out, "\033[0m");
    }
}
