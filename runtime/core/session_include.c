/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Questions of what a unit includes as a precompiled header: its compilation had them, and carries nothing out. A
 * record is {"auth": [question, …]}, in the order in which they were asked, under the hash of a path. What failed there
 * has a record {"cells": {"auth": [request, …]}, "names": ["user", …]}.
 */
#include <stdlib.h>
#include <unistd.h>

#include "core/session_parts.h"

#define MAX_RECORD (16u << 20)

static const char *include_path(struct cell_session *s, const char *folder, const char *path)
{
    char key[CELL_FINGERPRINT_LEN + 1];
    cell_sha256_hex(path, strlen(path), key);
    key[32] = '\0';
    return cell_store_path(&s->store, folder, key, ".json");
}

static bool put_cell(const struct known_cell *c, bool first, struct cell_buffer *out)
{
    bool any = false, acts = c->has_state == STATE_KNOWN || c->nplanned;
    for (const struct asked *a = c->asked; a && !acts; a = a->next)
        acts = a->nwhole > 0;
    for (const struct asked *a = acts ? c->asked : NULL; a; a = a->next) {
        if (!a->question)
            continue;
        if (!any)
            cell_buffer_printf(out, "%s\"%s\":[", first ? "" : ",", c->pub.name);
        cell_buffer_puts(out, any ? "," : "");
        cell_buffer_puts(out, a->question);
        any = true;
    }
    cell_buffer_puts(out, any ? "]" : "");
    return any;
}

static void write_record(struct cell_session *s, const char *file, bool any, const struct cell_buffer *text)
{
    if (file && any && cell_buffer_ok(text))
        cell_store_write(&s->store, file, text->data, text->len, NULL);
    else if (file && cell_store_check(&s->store, NULL) >= 0)
        unlink(file);
}

void cell_session_keep_included(struct cell_session *s, const char *path)
{
    struct cell_buffer b = {0};
    const char *file = include_path(s, "included", path);
    bool any = false;
    cell_buffer_puts(&b, "{");
    for (const struct known_cell *c = s->cells; c; c = c->next)
        any |= put_cell(c, !any, &b);
    cell_buffer_puts(&b, "}");
    write_record(s, file, any, &b);
    cell_buffer_free(&b);
}

void cell_session_keep_failed(struct cell_session *s, const char *path, const char *const *names, size_t n)
{
    struct cell_buffer b = {0};
    bool any = false;
    cell_buffer_puts(&b, "{\"cells\":{");
    for (const struct known_cell *c = s->cells; c; c = c->next) {
        if (!c->failed.len)
            continue;
        cell_buffer_printf(&b, "%s\"%s\":[", any ? "," : "", c->pub.name);
        cell_buffer_append(&b, c->failed.data, c->failed.len);
        cell_buffer_puts(&b, "]");
        any = true;
    }
    cell_buffer_puts(&b, "},\"names\":[");
    for (size_t i = 0; i < n; i++) {
        cell_buffer_puts(&b, i ? "," : "");
        cell_json_put_string(&b, names[i]);
    }
    cell_buffer_puts(&b, "]}");
    write_record(s, include_path(s, "failed", path), any || n, &b);
    cell_buffer_free(&b);
}

/* Who includes a header, and gets the answers to what that asked. */
struct including {
    struct cell_session *s;
    const char *path;
    cell_included_answer *each;
    void *user;
};

static int ask_one(const struct including *by, struct session_cell *cell, const struct json_at *question,
                   struct cell_error *e)
{
    struct cell_session *s = by->s;
    struct cell_buffer text = {0}, request = {0};
    struct cell_schema *declared = NULL;
    struct cell_expansion *x = NULL;
    cell_json_put(&text, question);
    int r = cell_buffer_ok(&text)
                ? cell_lock_request(text.data, text.len, by->path, s->mode == SESSION_LIVE, &request, e)
                : session_no_memory(e);
    if (r >= 0)
        r = cell_request_declared(request.data, request.len, &declared, e);
    if (r >= 0)
        r = cell_session_expand(s, cell, request.data, request.len, declared, &x, e);
    if (r >= 0 && cell_expansion_refusal(x)) /* it can be had no more: what follows from that is not said again */
        r = cell_session_failed(cell, request.data, request.len);
    if (r >= 0)
        by->each(by->user, cell, x);
    else
        cell_expansion_free(x);
    cell_schema_free(declared);
    cell_buffer_free(&text);
    cell_buffer_free(&request);
    return r;
}

static int ask_cell(const struct including *by, const char *name, const struct json_at *questions, struct cell_error *e)
{
    struct session_cell *cell = NULL;
    struct json_at question;
    int r = cell_session_cell(by->s, name, &cell);
    if (r < 0)
        return cell ? session_fail_again(cell, e) : session_no_memory(e);
    for (size_t i = 0; r >= 0 && i < cell_json_count(questions); i++) {
        r = cell_json_item_object(questions, i, &question, e);
        if (r >= 0)
            r = ask_one(by, cell, &question, e);
    }
    return r;
}

int cell_session_ask_included(struct cell_session *s, const char *path, cell_included_answer *each, void *user,
                              struct cell_error *e)
{
    const struct including by = {s, path, each, user};
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    CELL_CLEANUP(cell_cleanup_free) char *text = NULL;
    const char *file = include_path(s, "included", path), *name;
    void *iterator = NULL;
    size_t len;
    if (file && access(file, F_OK) < 0)
        return CELL_OK;
    int r = file ? cell_store_check(&s->store, e) : session_no_memory(e);
    if (r < 0 || cell_file_read(file, MAX_RECORD, &text, &len, NULL) < 0 ||
        cell_json_load(text, len, CELL_DATA_LOSS, &doc, NULL) < 0 || text[0] != '{')
        return r < 0 ? r : CELL_OK;
    while (r >= 0 && (name = cell_json_next(&doc.root, &iterator))) {
        struct json_at questions;
        if (cell_json_array(&doc.root, name, JSON_REQUIRED, &questions, NULL) >= 0)
            r = ask_cell(&by, name, &questions, e);
    }
    return r;
}

static void fail_again(struct cell_session *s, const char *name, const struct json_at *requests)
{
    struct session_cell *cell = NULL;
    struct json_at request;
    if (cell_session_cell(s, name, &cell) < 0)
        return;
    for (size_t i = 0; i < cell_json_count(requests); i++) {
        struct cell_buffer text = {0};
        if (cell_json_item_object(requests, i, &request, NULL) >= 0)
            cell_json_put(&text, &request);
        if (text.len && cell_buffer_ok(&text))
            cell_session_failed(cell, text.data, text.len);
        cell_buffer_free(&text);
    }
}

void cell_session_take_failed(struct cell_session *s, const char *path, void (*each)(void *user, const char *name),
                              void *user)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    CELL_CLEANUP(cell_cleanup_free) char *text = NULL;
    const char *file = include_path(s, "failed", path), *name;
    struct json_at cells, list;
    void *iterator = NULL;
    size_t len;
    if (!file || cell_store_check(&s->store, NULL) < 0 || cell_file_read(file, MAX_RECORD, &text, &len, NULL) < 0 ||
        cell_json_load(text, len, CELL_DATA_LOSS, &doc, NULL) < 0 ||
        cell_json_object(&doc.root, "cells", JSON_REQUIRED, &cells, NULL) < 0)
        return;
    while ((name = cell_json_next(&cells, &iterator)))
        if (cell_json_array(&cells, name, JSON_REQUIRED, &list, NULL) >= 0)
            fail_again(s, name, &list);
    if (cell_json_array(&doc.root, "names", JSON_REQUIRED, &list, NULL) < 0)
        return;
    for (size_t i = 0; i < cell_json_count(&list); i++)
        if (cell_json_item_string(&list, i, &name, NULL) >= 0)
            each(user, name);
}
