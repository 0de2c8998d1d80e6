/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell watch`: the groups of an aggregate, as they change. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "watch.h"

#define DEFAULT_ROWS 20u
#define RATE_NS (900 * CELL_NS_PER_MS) /* of at least so much time is a rate */

struct watch {
    struct cli *cli;
    const char *cell, *by;
    bool once, fits; /* fits: as many groups as the screen has room for */
    uint32_t limit;
    struct watch_screen screen;
    struct watch_asker *asker;
    struct watch_shot *shot, *before;
    struct cell_error outage; /* status CELL_OK = none */
    uint64_t base_ns, base_position;
    double rate;
    char chosen[CELL_MAX_NAME + 1]; /* `by`, once keys have changed it */
};

/* ---- what comes ---- */

static bool same_columns(const struct watch_shot *a, const struct watch_shot *b)
{
    bool same = a && b && a->ncolumns == b->ncolumns && strcmp(a->by, b->by) == 0;

    for (size_t i = 0; same && i < a->ncolumns; i++)
        same = strcmp(a->columns[i].name, b->columns[i].name) == 0;
    return same;
}

static void take_shot(struct watch *w, struct watch_shot *shot)
{
    watch_shot_free(w->before);
    w->before = w->shot;
    w->shot = shot;
    if (w->base_ns == 0 || shot->position < w->base_position) { /* the first, or it is counted anew */
        w->rate = -1;
    } else if (shot->at_ns - w->base_ns < RATE_NS) {
        return;
    } else {
        w->rate = (double)(shot->position - w->base_position) * 1e9 / (double)(shot->at_ns - w->base_ns);
    }
    w->base_ns = shot->at_ns;
    w->base_position = shot->position;
}

static int give_up(struct watch *w, const struct watch_news *news)
{
    const struct cell_error *e = &news->error;
    char hint[200];

    snprintf(hint, sizeof(hint), news->refused ? "run `cell pipelines %s`" : "run `cell up %s`, or `cell doctor`",
             w->cell);
    if (news->refused)
        return cli_error(w->cli, CLI_FAILED, hint, "%s", e->text);
    return cli_error(w->cli, cli_exit_of(e->status), hint, "%s cannot be asked: %s", w->cell, e->text);
}

/* ---- what is shown ---- */

static struct watch_frame frame_of(const struct watch *w, char outage[CELL_ERROR_TEXT + 80])
{
    outage[0] = '\0';
    if (w->outage.status != CELL_OK)
        snprintf(outage, CELL_ERROR_TEXT + 80, "%s cannot be asked, trying again: %s", w->cell, w->outage.text);
    return (struct watch_frame){.cli = w->cli,
                                .shot = w->shot,
                                .before = same_columns(w->shot, w->before) ? w->before : NULL,
                                .outage = outage,
                                .rate = w->rate};
}

static void draw(struct watch *w)
{
    char outage[CELL_ERROR_TEXT + 80];
    const struct watch_frame f = frame_of(w, outage);
    struct cell_buffer out = {0};

    if (!w->shot)
        return;
    watch_draw(&f, w->screen.rows, w->screen.columns, &out);
    if (cell_buffer_ok(&out))
        watch_screen_show(&w->screen, &out);
    cell_buffer_free(&out);
}

static int print(struct watch *w)
{
    char outage[CELL_ERROR_TEXT + 80];
    const struct watch_frame f = frame_of(w, outage);

    if (w->cli->json)
        return watch_print_json(w->cli, &f);
    watch_print_text(&f);
    return cli_flush(w->cli);
}

/* Takes the news and shows it. CLI_OK: it goes on. */
static int take_news(struct watch *w)
{
    struct watch_news news;
    bool was_well = w->outage.status == CELL_OK;

    watch_asker_take(w->asker, &news);
    if (news.shot)
        take_shot(w, news.shot);
    if (!w->shot)
        return news.error.status == CELL_OK ? CLI_OK : give_up(w, &news);
    w->outage = news.error;
    if (w->screen.live)
        draw(w);
    else if (news.shot)
        return print(w);
    else if (was_well && w->outage.status != CELL_OK)
        cli_warn(w->cli, "%s cannot be asked, trying again: %s", w->cell, w->outage.text);
    return CLI_OK;
}

/* ---- what is wanted ---- */

static uint32_t rows_wanted(const struct watch *w)
{
    uint32_t room = w->screen.rows > WATCH_OTHER_LINES ? w->screen.rows - WATCH_OTHER_LINES : 1;

    room = room < WATCH_MOST_ROWS ? room : WATCH_MOST_ROWS;
    return w->fits ? room : w->limit;
}

/* The next field to the left or to the right by which can be ordered. */
static void choose(struct watch *w, bool right)
{
    const struct watch_shot *s = w->shot;
    size_t at = 0;

    if (!s || !s->by[0])
        return;
    while (at < s->ncolumns && strcmp(s->columns[at].name, w->chosen[0] ? w->chosen : s->by) != 0)
        at++;
    for (size_t i = 0; i < s->ncolumns; i++) {
        at = (at + (right ? 1 : s->ncolumns - 1)) % s->ncolumns;
        if (watch_is_counted(&s->columns[at]))
            break;
    }
    snprintf(w->chosen, sizeof(w->chosen), "%s", s->columns[at].name);
    w->by = w->chosen;
    watch_asker_change(w->asker, w->by, rows_wanted(w));
}

static int run(struct watch *w)
{
    int r = CLI_OK;

    while (r == CLI_OK) {
        switch (watch_screen_wait(&w->screen, watch_asker_fd(w->asker))) {
        case WATCH_NEWS:
            r = take_news(w);
            if (r == CLI_OK && w->once && w->shot)
                return CLI_OK;
            break;
        case WATCH_LEFT:
            choose(w, false);
            break;
        case WATCH_RIGHT:
            choose(w, true);
            break;
        case WATCH_RESIZED:
            if (w->screen.live)
                draw(w);
            if (w->fits)
                watch_asker_change(w->asker, w->by, rows_wanted(w));
            break;
        case WATCH_QUIT:
            return CLI_OK;
        case WATCH_ENDED:
            return CLI_INTERRUPTED;
        }
    }
    return r;
}

/* ---- the command ---- */

static int begin(struct watch *w, const char *aggregate, uint64_t interval_ms)
{
    const char *term = getenv("TERM");
    struct cell_error e = {0};
    bool live = !w->once && !w->cli->json && isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;

    w->fits = live && w->limit == 0;
    w->limit = w->limit ? w->limit : DEFAULT_ROWS;
    if (!watch_screen_open(&w->screen, live))
        return cli_error(w->cli, CLI_FAILED, NULL, "there are no descriptors left");
    int r = watch_asker_open(w->cli->config, w->cell, aggregate, interval_ms, w->by, rows_wanted(w), &w->asker, &e) < 0
                ? cli_error(w->cli, CLI_FAILED, NULL, "%s", e.text)
                : run(w);
    watch_screen_close(&w->screen);
    if (w->asker)
        watch_asker_close(w->asker);
    watch_shot_free(w->shot);
    watch_shot_free(w->before);
    return r;
}

/* "flow" or "analytics.flow" into its parts. */
static bool split(const char *operand, char cell[CELL_MAX_CELL_NAME + 1], const char **aggregate)
{
    const char *dot = strchr(operand, '.');
    size_t n = dot ? (size_t)(dot - operand) : 0;

    if (n > CELL_MAX_CELL_NAME)
        return false;
    snprintf(cell, CELL_MAX_CELL_NAME + 1, "%.*s", dot ? (int)n : 9, dot ? operand : "analytics");
    *aggregate = dot ? dot + 1 : operand;
    return cell_is_identifier(cell) && cell_is_identifier(*aggregate);
}

int cmd_watch(struct cli *cli, int argc, char **argv)
{
    const char *by = "", *limit = "0", *interval = "1000", *aggregate;
    struct watch w = {.cli = cli, .rate = -1};
    const struct cli_option options[] = {{.name = "top", .value = &by},
                                         {.name = "limit", .value = &limit},
                                         {.name = "interval", .value = &interval},
                                         {.name = "once", .flag = &w.once}};
    char cell[CELL_MAX_CELL_NAME + 1];
    struct cli_args args;
    uint64_t rows = 0, interval_ms;
    int r = cli_parse(cli, argc, argv, options, 4, &args);

    if (r == 0 && (args.n != 1 || !split(args.items[0], cell, &aggregate)))
        r = cli_error(cli, CLI_USAGE, "run `cell pipelines analytics`", "watch takes one aggregate: [CELL.]AGGREGATE");
    if (r == 0 && ((strcmp(limit, "0") != 0 && !cli_number(cli, "limit", limit, 1, WATCH_MOST_ROWS, &rows)) ||
                   !cli_number(cli, "interval", interval, 50, 3600000, &interval_ms)))
        r = CLI_USAGE;
    if (r == 0 && by[0] && !cell_is_identifier(by))
        r = cli_error(cli, CLI_USAGE, NULL, "--top takes the name of a field, not '%s'", by);
    if (r != 0)
        return r;
    if (!cli_config(cli, false))
        return CLI_FAILED;
    w.cell = cell;
    w.by = by;
    w.limit = (uint32_t)rows;
    return begin(&w, aggregate, interval_ms);
}
