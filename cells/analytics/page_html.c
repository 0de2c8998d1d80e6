/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The page as it is before any script: everything that comes from outside is escaped here, and nowhere else. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "page.h"

static void put(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc(*text, out);
        }
}

/* As part of an address: names of aggregates and fields are words, whatever else may come. */
static void put_address(FILE *out, const char *text)
{
    for (; *text; text++)
        if ((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9') ||
            *text == '_')
            fputc(*text, out);
        else
            fprintf(out, "%%%02X", (unsigned char)*text);
}

/* page.html with its marks replaced: {{title}}, {{base}}, {{feed}}, {{heading}}, {{main}}. */
struct document {
    const char *base, *name, *by; /* name "" = the list */
    void (*content)(FILE *out, const void *of);
    const void *of;
};

static void put_mark(FILE *out, const struct document *d, const char *mark)
{
    if (strncmp(mark, "title", 5) == 0) {
        put(out, d->name);
        fputs(d->name[0] ? " – analytics" : "Analytics", out);
    } else if (strncmp(mark, "base", 4) == 0) {
        put(out, d->base);
    } else if (strncmp(mark, "feed", 4) == 0) {
        fputs(d->name[0] ? "data/" : "data", out);
        put_address(out, d->name);
        fputs(d->by[0] ? "/" : "", out);
        put_address(out, d->by);
    } else if (strncmp(mark, "heading", 7) == 0 && d->name[0]) {
        fputs(" <span>", out);
        put(out, d->name);
        fputs("</span>", out);
    } else if (strncmp(mark, "main", 4) == 0) {
        d->content(out, d->of);
    }
}

static void put_document(FILE *out, const struct document *d)
{
    const char *at = an_assets[0].bytes, *mark;

    while ((mark = strstr(at, "{{"))) {
        const char *end = strstr(mark, "}}");
        fwrite(at, 1, (size_t)(mark - at), out);
        put_mark(out, d, mark + 2);
        at = end + 2;
    }
    fputs(at, out);
}

static const char *phase_class(enum an_phase phase)
{
    return phase == AN_CATCHING_UP ? "catching-up" : an_phase_name(phase);
}

/* ---- all aggregates ---- */

struct list {
    const struct an_summary *all;
    uint32_t n;
};

static void put_list(FILE *out, const void *of)
{
    const struct list *list = of;

    fputs("<section id=\"aggregates\">\n", out);
    if (list->n == 0) {
        fputs("<p class=\"empty\">There is no aggregate yet: building a program with a struct of CELL_WATCH makes "
              "one.</p>\n</section>\n",
              out);
        return;
    }
    fputs(
        "<table><thead><tr><th>Aggregate</th><th>Of</th><th>State</th><th class=\"n\">Groups</th>"
        "<th class=\"n\">Position</th><th class=\"n\">Records behind</th><th class=\"n\">ms behind</th></tr></thead>\n"
        "<tbody>\n",
        out);
    for (uint32_t i = 0; i < list->n; i++) {
        const struct an_summary *s = &list->all[i];
        fputs("<tr><th scope=\"row\"><a href=\"of/", out);
        put_address(out, s->name);
        fputs("\">", out);
        put(out, s->name);
        fputs("</a></th><td>", out);
        put(out, s->source);
        fprintf(out, "</td><td class=\"%s\">%s%s", phase_class(s->phase), s->building ? "rebuilding: " : "",
                an_phase_name(s->phase));
        fprintf(out,
                "</td><td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64
                "</td><td class=\"n\">%" PRIu64 "</td></tr>\n",
                s->counters.groups, s->position, s->lag_records, s->lag_ms);
    }
    fputs("</tbody></table>\n</section>\n", out);
}

void an_page_list(FILE *out, const char *base, const struct an_summary *all, uint32_t n)
{
    const struct list list = {all, n};

    put_document(out, &(struct document){base, "", "", put_list, &list});
}

/* ---- one ---- */

/* For people: times as such, and no more digits than can be read. page.js does the same. */
static void put_shown(FILE *out, const char *text, const char *as, const char *type)
{
    char *end;

    if (strcmp(as, "window") == 0) {
        const time_t at = (time_t)(strtoll(text, NULL, 10) / 1000000);
        struct tm tm;
        char shown[64];
        if (gmtime_r(&at, &tm) && strftime(shown, sizeof(shown), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
            put(out, shown);
        return;
    }
    const double n = strtod(text, &end);
    if (type[0] == 'f' && !*end && (strcmp(text, "0") == 0 || (fabs(n) >= 0.01 && fabs(n) < 1e15)))
        fprintf(out, "%.2f", n);
    else
        put(out, text);
}

static void put_fact(FILE *out, const char *label, const char *id, const char *class, const char *value)
{
    fprintf(out, "<div><dt>%s</dt><dd id=\"%s\" class=\"%s\">", label, id, class);
    put(out, value);
    fputs("</dd></div>\n", out);
}

static void put_number(FILE *out, const char *label, const char *id, uint64_t value, const char *unit)
{
    char text[40];

    snprintf(text, sizeof(text), "%" PRIu64 "%s", value, unit);
    put_fact(out, label, id, "", text);
}

static void put_head(FILE *out, const struct an_table *t)
{
    fputs("<thead><tr>", out);
    for (uint32_t i = 0; i < t->columns->ncolumns; i++) {
        const struct an_column *column = &t->columns->columns[i];
        const bool counted = column->role == AN_AGGREGATE, by = strcmp(column->name, t->by) == 0;
        fprintf(out, "<th scope=\"col\"%s%s data-column=\"", counted ? " class=\"n\"" : "",
                by ? " aria-sort=\"descending\"" : "");
        put(out, column->name);
        fputs("\">", out);
        if (counted) {
            fputs("<a href=\"of/", out);
            put_address(out, t->summary.name);
            fputc('/', out);
            put_address(out, column->name);
            fputs("\">", out);
        }
        put(out, column->name);
        fputs(counted ? "</a></th>" : "</th>", out);
    }
    fputs(t->by[0] ? "<th></th></tr></thead>\n" : "</tr></thead>\n", out);
}

static void put_bar(FILE *out, double value, double most)
{
    const double part = most > 0 && value > 0 ? value / most : 0;

    fprintf(out,
            "<td class=\"bar\" aria-hidden=\"true\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\">"
            "<rect width=\"%.1f\" height=\"10\" rx=\"0.5\"/></svg></td>",
            100 * part);
}

static void put_rows(FILE *out, const struct an_table *t)
{
    const char *value = t->values;
    double most = 0, by = 0;

    fputs("<tbody>\n", out);
    for (uint32_t i = 0; i < t->rows; i++) {
        fputs("<tr>", out);
        for (uint32_t k = 0; k < t->columns->ncolumns; k++, value += strlen(value) + 1) {
            const struct an_column *column = &t->columns->columns[k];
            fputs(column->role == AN_AGGREGATE ? "<td class=\"n\">" : "<td>", out);
            put_shown(out, value, an_table_as(t, k), an_table_type(t, k));
            fputs("</td>", out);
            if (strcmp(column->name, t->by) == 0)
                by = strtod(value, NULL);
        }
        most = i == 0 ? by : most; /* the first has the most */
        if (t->by[0])
            put_bar(out, by, most);
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table>\n", out);
}

static void put_table(FILE *out, const void *of)
{
    const struct an_table *t = of;
    const struct an_summary *s = &t->summary;

    fprintf(out, "<p id=\"problem\" class=\"problem\" role=\"alert\"%s>", s->error[0] ? "" : " hidden");
    put(out, s->error);
    fputs("</p>\n<dl class=\"facts\">\n", out);
    put_fact(out, "Of", "source", "", s->source);
    put_fact(out, "State", "phase", phase_class(s->phase), an_phase_name(s->phase));
    put_number(out, "Records counted", "position", s->position, "");
    put_number(out, "Groups", "count", s->counters.groups, "");
    put_number(out, "Records behind", "lag_records", s->lag_records, "");
    put_number(out, "Behind", "lag_ms", s->lag_ms, " ms");
    fputs("</dl>\n<section id=\"groups\">\n<h2>", out);
    if (t->by[0]) {
        fputs("Groups with the most of ", out);
        put(out, t->by);
    } else {
        fputs("Groups", out);
    }
    fputs("</h2>\n<table>", out);
    put_head(out, t);
    put_rows(out, t);
    fputs("</section>\n", out);
}

void an_page_table(FILE *out, const char *base, const struct an_table *table)
{
    put_document(out, &(struct document){base, table->summary.name, table->by, put_table, table});
}
