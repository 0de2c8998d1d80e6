/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The requests up, down and status. One that changes something runs at a time; the loop drives it by events. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

void sup_emit(struct supervisor *s, struct sup_client *client, const char *format, ...)
{
    struct cell_buffer line = {0};
    va_list args;

    if (!client)
        return;
    va_start(args, format);
    cell_buffer_vprintf(&line, format, args);
    va_end(args);
    for (size_t i = 0; i < line.len; i++)
        if (line.data[i] == '\n' || line.data[i] == '\r')
            line.data[i] = ' ';
    if (client->fd >= 0) {
        cell_buffer_puts(&line, "\n");
        if (cell_buffer_ok(&line))
            cell_buffer_append(&client->out, line.data, line.len);
    } else if (s->local && cell_buffer_ok(&line) && line.data) {
        char *fields[CONTROL_MAX_FIELDS];
        size_t n = control_split(line.data, fields, CONTROL_MAX_FIELDS);

        s->local(s->local_user, fields, n);
    }
    cell_buffer_free(&line);
}

void sup_finish(struct supervisor *s, int code)
{
    struct sup_request *r = &s->request;
    struct sup_client *client = r->client;
    enum sup_kind kind = r->kind;
    char text[sizeof(r->text)];

    snprintf(text, sizeof(text), "%s", r->text);
    free(r->items);
    *r = (struct sup_request){.kind = REQUEST_NONE};
    s->served = true;
    if (!client)
        return;
    if (client->fd < 0 && kind == REQUEST_UP)
        s->local_exit = code;
    client->closing = true;
    sup_emit(s, client, "end\t%d\t%d\t%s", code, sup_idle(s), text);
}

void sup_refuse(struct supervisor *s, struct sup_client *client, int code, const char *text)
{
    s->served = true;
    if (client->fd < 0)
        s->local_exit = code;
    client->closing = true;
    sup_emit(s, client, "end\t%d\t%d\t%s", code, sup_idle(s), text);
}

bool sup_idle(const struct supervisor *s)
{
    if (s->request.kind != REQUEST_NONE)
        return false;
    for (size_t i = 0; i < s->ncells; i++)
        if (s->cells[i]->state != SUP_STOPPED || s->cells[i]->pid)
            return false;
    for (size_t i = 0; i < s->nclients; i++)
        if (!s->clients[i]->closing && !s->clients[i]->eof)
            return false;
    return true;
}

static void answer_status(struct supervisor *s, struct sup_client *client)
{
    uint64_t now = cell_now_ns();

    for (size_t i = 0; i < s->ncells; i++) {
        const struct sup_cell *c = s->cells[i];

        sup_emit(s, client, "cell\t%s\t%s\t%d\t%u\t%" PRIu64 "\t%s", c->name, sup_state_name(c), (int)c->pid,
                 c->restarts, c->pid ? (now - c->started_ns) / CELL_NS_PER_MS : 0,
                 c->state == SUP_RUNNING ? "" : c->why);
    }
    client->closing = true;
    sup_emit(s, client, "end\t0\t0\t");
}

/* True for a `down` of all cells or of one that the running `up` is about. */
static bool ends_up(const struct supervisor *s, const char *line)
{
    char *fields[CONTROL_MAX_FIELDS], *copy = strdup(line);
    size_t n = copy ? control_split(copy, fields, CONTROL_MAX_FIELDS) : 0;
    bool ends = n > 0 && strcmp(fields[0], "down") == 0 && n <= 2;

    for (size_t i = 0; n > 0 && strcmp(fields[0], "down") == 0 && i < s->request.n; i++)
        for (size_t k = 2; k < n; k++)
            ends = ends || strcmp(fields[k], s->request.items[i].cell->name) == 0;
    free(copy);
    return ends;
}

/* The client of an up does not want it any more, but waits until all is as it was. */
static void cancel(struct supervisor *s, struct sup_client *client)
{
    struct sup_request *r = &s->request;

    if (client->waiting) {
        free(client->waiting);
        client->waiting = NULL;
        sup_refuse(s, client, CLI_INTERRUPTED, "");
    } else if (r->client == client && r->kind == REQUEST_UP && !r->undoing) {
        sup_fail_up(s, NULL);
        sup_begin_undo(s);
        r->exit = CLI_INTERRUPTED;
    }
}

void sup_request_line(struct supervisor *s, struct sup_client *client, char *line)
{
    char *fields[CONTROL_MAX_FIELDS];

    if (strcmp(line, "cancel") == 0) {
        cancel(s, client);
        return;
    }
    if (client->waiting || client->closing)
        return; /* one request a connection */
    if (strcmp(line, "status") == 0) {
        answer_status(s, client);
        return;
    }
    if (s->request.kind != REQUEST_NONE) {
        client->waiting = strdup(line);
        if (!client->waiting)
            client->closing = true;
        if (s->request.kind == REQUEST_UP && !s->request.undoing && ends_up(s, line)) {
            snprintf(s->request.text, sizeof(s->request.text), "`cell down` ended it");
            sup_fail_up(s, NULL);
            sup_begin_undo(s);
        }
        return;
    }
    size_t n = control_split(line, fields, CONTROL_MAX_FIELDS);
    if (n >= 3 && strcmp(fields[0], "up") == 0)
        sup_begin_up(s, client, fields, n);
    else if (n >= 2 && strcmp(fields[0], "down") == 0)
        sup_begin_down(s, client, (uint32_t)strtoul(fields[1], NULL, 10), fields + 2, n - 2);
    else
        sup_refuse(s, client, CLI_FAILED, "the supervisor does not know this request");
}

static void next_waiting(struct supervisor *s)
{
    for (size_t i = 0; i < s->nclients && s->request.kind == REQUEST_NONE; i++) {
        struct sup_client *client = s->clients[i];
        char *line = client->waiting;

        if (!line || client->eof)
            continue;
        client->waiting = NULL;
        sup_request_line(s, client, line);
        free(line);
    }
}

void sup_request_step(struct supervisor *s)
{
    for (;;) {
        struct sup_request *r = &s->request;

        if (r->kind == REQUEST_UP && !r->undoing) {
            sup_step_up(s);
            if (r->kind == REQUEST_UP && r->undoing)
                sup_begin_undo(s);
        }
        if (r->kind == REQUEST_DOWN || r->undoing)
            sup_step_stopping(s);
        if (r->kind != REQUEST_NONE)
            return;
        next_waiting(s);
        if (r->kind == REQUEST_NONE)
            return;
    }
}

void sup_request_gone(struct supervisor *s, struct sup_client *client)
{
    struct sup_request *r = &s->request;

    if (r->client != client || r->kind == REQUEST_NONE)
        return;
    r->client = NULL;
    if (r->kind == REQUEST_UP && !r->undoing) {
        sup_fail_up(s, NULL);
        sup_begin_undo(s);
    }
}

void sup_request_stop_all(struct supervisor *s)
{
    struct sup_request *r = &s->request;

    if (r->kind != REQUEST_NONE) {
        bool local = r->client == &s->local_client;

        if (!local)
            snprintf(r->text, sizeof(r->text), "the supervisor was stopped");
        sup_finish(s, local ? CLI_INTERRUPTED : CLI_FAILED);
    }
    sup_begin_down(s, s->foreground ? &s->local_client : NULL, SUP_UNDO_MS, NULL, 0);
}
