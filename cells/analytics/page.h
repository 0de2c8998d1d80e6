/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The cell's web page: the files of page/, into which page_html.c writes what there is, so that it can be read without
 * scripts; page.js then brings it up to date. Below the page's address:
 *
 *   ""                    all aggregates          "data"                      the same as JSON
 *   "of/NAME[/FIELD]"     the groups of one with the most of a field          "data/NAME[/FIELD]"
 */
#ifndef CELLS_ANALYTICS_PAGE_H
#define CELLS_ANALYTICS_PAGE_H

#include <stdio.h>

#include <cell/page.h>

#include "show.h"

#define AN_PAGE_ROWS 20u

/* A file of page/, compiled in. */
struct an_asset {
    const char *path, *type;
    const char *bytes; /* with a zero behind them */
    size_t len;
};
extern const struct an_asset an_assets[]; /* the first is page.html; path NULL = no more */

/*
 * Opens the page, prints its address, and writes that to FOLDER/page, its user's alone, which goes when it is closed.
 * Errors of cell_page_open; CELL_IO_ERROR.
 */
int an_page_open(struct an_service *service, const char *address, struct cell_page **page, struct an_failure *f);
void an_page_close(struct an_service *service, struct cell_page *page); /* NULL is accepted */
/* Answers one request: the callback of cell_page_options, `user` is the service. Thread-safe. */
void an_page_answer(void *user, const struct cell_page_request *r, struct cell_page_reply *reply);

/* page_html.c: whole documents, to `out`. */
void an_page_list(FILE *out, const char *base, const struct an_summary *all, uint32_t n);
void an_page_table(FILE *out, const char *base, const struct an_table *table);

#endif
