/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What the parts of `cell watch` share. The program's own thread draws and hears keys and signals; another one
 * (watch_ask.c) asks the cell, so that nothing has to wait for a cell that does not answer.
 */
#ifndef CELL_CLI_WATCH_H
#define CELL_CLI_WATCH_H

#include "cli.h"
#include "core/json.h"

#define WATCH_MOST_ROWS 1000u /* that the cell gives */
#define WATCH_MOST_COLUMNS 64u

struct watch_column {
    const char *name, *type, *as; /* as analytics_column says */
};

/* What the cell has answered. Its texts are the document's. */
struct watch_shot {
    struct cell_json document;
    uint64_t at_ns;
    const char *name, *source, *by, *error;
    char phase[32]; /* "catching up" */
    uint64_t position, lag_records, lag_ms, groups, missed;
    int64_t window_us;
    size_t ncolumns, nrows;
    struct watch_column columns[WATCH_MOST_COLUMNS];
    const char **values; /* row after row */
};
void watch_shot_free(struct watch_shot *shot); /* NULL is accepted */
/* Reads the reply of analytics_top, as `cell call --json` prints it. CELL_PROTOCOL_ERROR, CELL_NO_MEMORY. */
int watch_shot_read(const struct cell_buffer *reply, struct watch_shot **shot, struct cell_error *e);
/* A value for people: times as such, and no more digits than can be read. */
const char *watch_shown(const struct watch_column *column, const char *value, char text[64]);
bool watch_is_counted(const struct watch_column *column); /* neither a group's name nor its window */

/* ---- watch_ask.c ---- */

struct watch_asker;

/* What there is to show: the last answer, and why there is none since. */
struct watch_news {
    struct watch_shot *shot; /* the receiver's from now on; NULL = none since the last time */
    struct cell_error error; /* status CELL_OK = the last question was answered */
    bool refused;            /* the cell itself has said so */
};

/* Begins to ask, every `interval_ms`. Signals that its thread is not to take are blocked before. CELL_NO_MEMORY. */
int watch_asker_open(const struct cell_config *config, const char *cell, const char *aggregate, uint64_t interval_ms,
                     const char *by, uint32_t limit, struct watch_asker **asker, struct cell_error *e);
int watch_asker_fd(const struct watch_asker *asker); /* readable while there is news */
void watch_asker_take(struct watch_asker *asker, struct watch_news *news);
/* Asks so from now on, and at once. */
void watch_asker_change(struct watch_asker *asker, const char *by, uint32_t limit);
/* Ends it; a question that is on its way is left to the end of the process. */
void watch_asker_close(struct watch_asker *asker);

/* ---- watch_frame.c ---- */

/* A shot, and what it is compared with. */
struct watch_frame {
    const struct cli *cli;
    const struct watch_shot *shot, *before; /* before: NULL = none of the same columns */
    const char *outage;                     /* why there is no newer one; "" = nothing is wrong */
    double rate;                            /* records a second; negative = not known yet */
};
/* For a pipe or a file. */
void watch_print_text(const struct watch_frame *f);
/* One line of JSON. */
int watch_print_json(struct cli *cli, const struct watch_frame *f);
/* For the screen: exactly `rows` lines of at most `columns` characters, with the sequences that put them there. */
void watch_draw(const struct watch_frame *f, unsigned rows, unsigned columns, struct cell_buffer *out);
#define WATCH_OTHER_LINES 6u /* of a screen: those that are no groups */

/* ---- watch_screen.c ---- */

enum watch_event { WATCH_NEWS, WATCH_LEFT, WATCH_RIGHT, WATCH_QUIT, WATCH_RESIZED, WATCH_ENDED };

/* Signals as events, and with `live` the terminal as a screen. One at a time. */
struct watch_screen {
    bool live, shown; /* shown: it has the terminal */
    int signals;      /* signalfd */
    unsigned rows, columns;
};
bool watch_screen_open(struct watch_screen *s, bool live); /* false, with errno: no descriptors */
void watch_screen_show(struct watch_screen *s, const struct cell_buffer *frame);
enum watch_event watch_screen_wait(struct watch_screen *s, int news);
void watch_screen_close(struct watch_screen *s); /* the terminal is as it was */

#endif
