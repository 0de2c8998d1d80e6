/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How an `up` and a `down` proceed: each step does what can be done now; exits, probes and timers bring the next. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor.h"

#define SHOWN_LINES 16

static bool item_needs(const struct sup_item *a, const struct sup_item *b)
{
    for (char **need = a->cell->needs; need && *need; need++)
        if (strcmp(*need, b->cell->name) == 0)
            return true;
    return false;
}

/* ---- up ---- */

static int read_items(struct supervisor *s, char **names, size_t n, struct cell_error *e)
{
    struct sup_request *r = &s->request;
    struct cell_config *config = NULL;
    uint32_t *order = NULL;
    size_t count = 0;
    int status = order_check_config(s->config_path, e);

    if (status >= 0)
        status = cell_config_find(s->config_path, &config, e);
    if (status >= 0 && strcmp(config->run_dir, s->run_dir) != 0)
        status =
            cell_error_set(e, CELL_FAILED_PRECONDITION,
                           "run_dir has changed to %s while cells run in %s; run `cell down` with the old one first",
                           config->run_dir, s->run_dir);
    if (status >= 0)
        status = order_cells(config, names, n, &order, &count, e);
    if (status >= 0 && !(r->items = calloc(count + 1, sizeof(*r->items))))
        status = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    for (size_t i = 0; status >= 0 && i < count; i++) {
        r->items[i].cell = sup_cell_get(s, &config->cells[order[i]], config->dir, config->trust_any_owner, e);
        r->n = i + 1;
        if (!r->items[i].cell)
            status = e->status;
    }
    if (status < 0) {
        free(r->items);
        r->items = NULL;
        r->n = 0;
    }
    free(order);
    cell_config_free(config);
    return status;
}

void sup_begin_up(struct supervisor *s, struct sup_client *client, char **fields, size_t n)
{
    struct cell_error e = {0};
    char text[CELL_ERROR_TEXT + 4200];

    if (n < 3 || strcmp(fields[2], s->config_path) != 0) {
        snprintf(text, sizeof(text), "the cells of %s run in %s; two projects need two run_dirs", s->config_path,
                 s->run_dir);
        sup_refuse(s, client, CLI_FAILED, text);
        return;
    }
    if (s->stopping) {
        sup_refuse(s, client, CLI_FAILED, "the supervisor is being stopped");
        return;
    }
    s->request = (struct sup_request){.kind = REQUEST_UP, .client = client};
    s->request.timeout_ms = (uint32_t)strtoul(fields[1], NULL, 10);
    if (read_items(s, fields + 3, n - 3, &e) < 0) {
        s->request.kind = REQUEST_NONE;
        sup_refuse(s, client, CLI_FAILED, e.text);
    }
}

/* Where the last lines of a text begin. */
static const char *last_lines(const char *text, size_t len)
{
    const char *from = len > 0 ? text + len - 1 : text; /* the end of the last line ends no line before it */

    for (int lines = 0; from > text; from--)
        if (from[-1] == '\n' && ++lines == SHOWN_LINES)
            break;
    return from;
}

/* What the cell printed last, line by line. */
static void emit_log(struct supervisor *s, const struct sup_cell *c)
{
    const char *end = c->log.tail + c->log.tail_len;

    for (const char *from = last_lines(c->log.tail, c->log.tail_len); from < end;) {
        const char *stop = memchr(from, '\n', (size_t)(end - from));
        struct cell_buffer line = {0};

        stop = stop ? stop : end;
        for (const char *p = from; p < stop; p++)
            cell_buffer_append(&line, *p == '\t' ? " " : p, 1);
        if (cell_buffer_ok(&line) && line.len)
            sup_emit(s, s->request.client, "log\t%s\t%s", c->name, line.data);
        cell_buffer_free(&line);
        from = stop + 1;
    }
}

void sup_fail_up(struct supervisor *s, struct sup_item *item)
{
    struct sup_request *r = &s->request;

    r->exit = CLI_FAILED;
    if (item) {
        struct sup_cell *c = item->cell;

        sup_emit(s, r->client, "failed\t%s\t%s\t%s", c->name, c->why[0] ? c->why : "stopped", c->log.path);
        emit_log(s, c);
        snprintf(r->text, sizeof(r->text), "%s %s", c->name, c->why[0] ? c->why : "stopped");
    }
    r->undoing = true;
}

static bool needs_are_done(const struct sup_request *r, const struct sup_item *item)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->items[i].state != ITEM_DONE && item_needs(item, &r->items[i]))
            return false;
    return true;
}

static void begin_item(struct supervisor *s, struct sup_item *item)
{
    struct sup_cell *c = item->cell;

    if (c->state == SUP_STOPPING)
        return;
    item->since_ns = cell_now_ns();
    item->state = ITEM_BEGUN;
    if (c->state == SUP_RUNNING) {
        sup_emit(s, s->request.client, "running\t%s\t%d", c->name, (int)c->pid);
        item->state = ITEM_DONE;
        return;
    }
    sup_emit(s, s->request.client, "starting\t%s", c->name);
    if (c->state == SUP_STOPPED) {
        item->ours = true;
        sup_cell_begin(s, c, s->request.timeout_ms);
    } else if (c->state == SUP_BACKOFF) {
        c->next_ns = 0; /* somebody waits: the next attempt is now */
        sup_cell_tick(s, c, cell_now_ns(), false);
    }
}

/* True when the item's cell is ready or has failed. */
static void watch_item(struct supervisor *s, struct sup_item *item)
{
    struct sup_cell *c = item->cell;

    if (c->state == SUP_RUNNING) {
        sup_emit(s, s->request.client, "ready\t%s\t%d\t%" PRIu64, c->name, (int)c->pid,
                 (cell_now_ns() - item->since_ns) / CELL_NS_PER_MS);
        item->state = ITEM_DONE;
    } else if (c->state == SUP_STOPPED && c->serving_elsewhere) {
        sup_emit(s, s->request.client, "foreign\t%s\t%d", c->name, (int)c->other_pid);
        item->ours = false;
        item->state = ITEM_DONE;
    } else if (c->state == SUP_STOPPED || c->state == SUP_BACKOFF) {
        sup_fail_up(s, item);
    }
}

void sup_step_up(struct supervisor *s)
{
    struct sup_request *r = &s->request;
    bool moved;

    do {
        size_t done = 0;

        moved = false;
        for (size_t i = 0; i < r->n && !r->undoing; i++) {
            struct sup_item *item = &r->items[i];
            enum sup_item_state before = item->state;

            if (item->state == ITEM_WAITING && needs_are_done(r, item))
                begin_item(s, item);
            else if (item->state == ITEM_BEGUN)
                watch_item(s, item);
            moved = moved || item->state != before;
            done += item->state == ITEM_DONE;
        }
        if (done == r->n) {
            sup_finish(s, CLI_OK);
            return;
        }
    } while (moved && !r->undoing);
}

/* ---- down, and taking back an up ---- */

static bool is_down(const struct sup_cell *c) { return c->state == SUP_STOPPED && c->pid == 0; }

static bool dependents_are_down(const struct sup_request *r, const struct sup_item *item)
{
    for (size_t i = 0; i < r->n; i++)
        if (!is_down(r->items[i].cell) && &r->items[i] != item && (r->kind == REQUEST_DOWN || r->items[i].ours) &&
            item_needs(&r->items[i], item))
            return false;
    return true;
}

static void stop_item(struct supervisor *s, struct sup_item *item)
{
    struct sup_request *r = &s->request;

    sup_emit(s, r->client, "stopping\t%s\t%d", item->cell->name, (int)item->cell->pid);
    item->since_ns = cell_now_ns();
    item->state = ITEM_BEGUN;
    sup_cell_stop(s, item->cell, r->kind == REQUEST_DOWN ? r->timeout_ms : SUP_UNDO_MS);
}

void sup_step_stopping(struct supervisor *s)
{
    struct sup_request *r = &s->request;
    struct sup_item *first = NULL;
    size_t active = 0;
    bool moved;

    do {
        moved = false;
        active = 0;
        first = NULL;
        for (size_t i = 0; i < r->n; i++) {
            struct sup_item *item = &r->items[i];

            if (item->state == ITEM_DONE)
                continue;
            if (item->state == ITEM_WAITING && dependents_are_down(r, item))
                stop_item(s, item);
            if (item->state == ITEM_BEGUN && is_down(item->cell)) {
                sup_emit(s, r->client, "%s\t%s\t%" PRIu64, item->cell->killed ? "killed" : "stopped", item->cell->name,
                         (cell_now_ns() - item->since_ns) / CELL_NS_PER_MS);
                item->state = ITEM_DONE;
                moved = true;
            }
            active += item->state == ITEM_BEGUN;
            if (item->state == ITEM_WAITING && !first)
                first = item;
        }
        /* Definitions read at different times can form a circle; then any order will do. */
        if (!moved && active == 0 && first) {
            stop_item(s, first);
            moved = true;
        }
    } while (moved);
    if (active == 0 && !first)
        sup_finish(s, r->kind == REQUEST_DOWN ? CLI_OK : r->exit);
}

/* The items of a failed up become those to be stopped. */
void sup_begin_undo(struct supervisor *s)
{
    struct sup_request *r = &s->request;

    for (size_t i = 0; i < r->n; i++)
        r->items[i].state = r->items[i].ours && !is_down(r->items[i].cell) ? ITEM_WAITING : ITEM_DONE;
}

static void add_dependents(struct supervisor *s)
{
    struct sup_request *r = &s->request;

    for (size_t k = 0; k < r->n; k++) {
        for (size_t i = 0; i < s->ncells; i++) {
            struct sup_item other = {.cell = s->cells[i]};
            bool listed = is_down(s->cells[i]) || !item_needs(&other, &r->items[k]);

            for (size_t m = 0; m < r->n && !listed; m++)
                listed = r->items[m].cell == s->cells[i];
            if (!listed)
                r->items[r->n++].cell = s->cells[i];
        }
    }
}

void sup_begin_down(struct supervisor *s, struct sup_client *client, uint32_t timeout_ms, char **names, size_t n)
{
    struct sup_request *r = &s->request;

    *r = (struct sup_request){.kind = REQUEST_DOWN, .client = client, .timeout_ms = timeout_ms};
    r->items = calloc(s->ncells + 1, sizeof(*r->items));
    if (!r->items) {
        r->kind = REQUEST_NONE;
        if (client)
            sup_refuse(s, client, CLI_FAILED, "out of memory");
        return;
    }
    for (size_t i = 0; i < s->ncells; i++) {
        struct sup_cell *c = s->cells[i];
        bool named = n == 0;

        c->serving_elsewhere = false;
        for (size_t k = 0; k < n; k++)
            named = named || strcmp(names[k], c->name) == 0;
        if (named && !is_down(c))
            r->items[r->n++].cell = c;
    }
    add_dependents(s);
}
