/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A table for a terminal. Widths are those of the characters, of which some take two places and some none. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "sql_output.h"

#define MOST_ROWS 1000u
#define MOST_BYTES (1u << 20)

struct sql_grid {
    int columns;
    bool known; /* the widths: rows are printed as they come */
    uint32_t rows;
    size_t *widths;
    struct cell_buffer kept; /* of each value 'r' or 'l', its text, a zero */
    struct cell_buffer cell; /* the value that is made ready */
    locale_t locale;         /* of UTF-8 */
};

struct sql_grid *sql_grid_new(int columns)
{
    struct sql_grid *g = calloc(1, sizeof(*g));

    if (g)
        g->widths = calloc((size_t)columns + 1, sizeof(*g->widths));
    if (!g || !g->widths) {
        free(g);
        return NULL;
    }
    g->columns = columns;
    g->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return g;
}

void sql_grid_free(struct sql_grid *g)
{
    if (!g)
        return;
    if (g->locale)
        freelocale(g->locale);
    cell_buffer_free(&g->kept);
    cell_buffer_free(&g->cell);
    free(g->widths);
    free(g);
}

static size_t width_of(const struct sql_grid *g, const char *text)
{
    locale_t before = g->locale ? uselocale(g->locale) : (locale_t)0;
    size_t width = 0, left = strlen(text), n;
    mbstate_t state = {0};
    wchar_t c;

    for (; left > 0; text += n, left -= n) {
        n = mbrtowc(&c, text, left, &state);
        if (n == 0 || n > left)
            break;
        width += wcwidth(c) > 0 ? (size_t)wcwidth(c) : 0;
    }
    if (g->locale)
        uselocale(before);
    return width + left;
}

static void spaces(struct cell_buffer *b, size_t n)
{
    for (; n > 0; n--)
        cell_buffer_append(b, " ", 1);
}

static void print_cell(struct sql_grid *g, struct cell_buffer *b, int column, const char *kept)
{
    size_t width = width_of(g, kept + 1), fill = g->widths[column] > width ? g->widths[column] - width : 0;

    spaces(b, column ? 2 : 0);
    if (kept[0] == 'r')
        spaces(b, fill);
    cell_buffer_puts(b, kept + 1);
    if (kept[0] == 'l' && column + 1 < g->columns)
        spaces(b, fill);
    if (column + 1 == g->columns)
        cell_buffer_puts(b, "\n");
}

static void print_line(const struct sql_grid *g, struct cell_buffer *b)
{
    for (int i = 0; i < g->columns; i++) {
        spaces(b, i ? 2 : 0);
        for (size_t k = 0; k < g->widths[i]; k++)
            cell_buffer_puts(b, "-");
    }
    cell_buffer_puts(b, "\n");
}

static char *next_cell(char *at) { return at + strlen(at) + 1; }

/* A name stands as the first value below it. */
static void align_names(struct sql_grid *g)
{
    char *name = g->kept.data, *value = name;

    for (int i = 0; i < g->columns; i++)
        value = next_cell(value);
    for (int i = 0; i < g->columns; i++, name = next_cell(name), value = next_cell(value))
        name[0] = value[0];
}

/* All that is kept; the first row are the names. */
static void print_kept(struct sql_grid *g, struct cell_buffer *b)
{
    if (g->rows > 1 && cell_buffer_ok(&g->kept))
        align_names(g);
    char *at = g->kept.data;

    if (!cell_buffer_ok(&g->kept))
        b->failed = true;
    for (uint32_t row = 0; at && cell_buffer_ok(&g->kept) && row < g->rows; row++) {
        for (int i = 0; i < g->columns; i++, at = next_cell(at))
            print_cell(g, b, i, at);
        if (row == 0)
            print_line(g, b);
    }
    g->known = true;
    cell_buffer_free(&g->kept);
}

void sql_grid_add(struct sql_grid *g, struct cell_buffer *b, int column, const char *text, size_t length, bool right)
{
    struct cell_buffer *cell = g->known ? &g->cell : &g->kept;
    size_t begin = cell->len = g->known ? 0 : cell->len;

    cell_buffer_append(cell, right ? "r" : "l", 1);
    for (size_t i = 0, n; i < length; i += n + 1) { /* a value stays in its line */
        n = strcspn(text + i, "\n\t");
        n = n < length - i ? n : length - i;
        cli_safe(cell, text + i, n);
        if (i + n < length)
            cell_buffer_puts(cell, text[i + n] == '\n' ? "\\n" : text[i + n] == '\t' ? "\\t" : "\\0");
    }
    cell_buffer_append(cell, "", 1);
    if (!cell_buffer_ok(cell)) {
        b->failed = true;
        return;
    }
    size_t width = width_of(g, cell->data + begin + 1);
    if (g->known)
        print_cell(g, b, column, cell->data);
    else if (width > g->widths[column])
        g->widths[column] = width;
}

void sql_grid_end_row(struct sql_grid *g, struct cell_buffer *b)
{
    g->rows++;
    if (!g->known && (g->rows > MOST_ROWS || g->kept.len > MOST_BYTES))
        print_kept(g, b);
}

void sql_grid_end(struct sql_grid *g, struct cell_buffer *b)
{
    if (!g->known)
        print_kept(g, b);
}
