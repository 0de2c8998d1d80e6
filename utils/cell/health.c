/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a cell says on the operations channel: health and counters. It is bounded, and may lack anything. Pure. */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "link_health.h"

/* A text that may be missing or too long, and is "" then. */
static void copy_text(const struct json_at *object, const char *key, char *out, size_t size)
{
    const char *text = "";

    cell_json_string(object, key, JSON_OPTIONAL, &text, NULL);
    snprintf(out, size, "%s", strlen(text) < size ? text : "");
}

static uint64_t number(const struct json_at *object, const char *key)
{
    uint64_t value = 0;

    cell_json_uint(object, key, JSON_OPTIONAL, 0, (UINT64_C(1) << 53) - 1, &value, NULL);
    return value;
}

void link_health_status(const char *json, size_t len, char status[32])
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};

    status[0] = '\0';
    if (cell_json_load(json, len, CELL_PROTOCOL_ERROR, &doc, NULL) >= 0)
        copy_text(&doc.root, "status", status, 32);
}

int link_health_read(const char *json, size_t len, struct link_health *h, struct cell_error *e)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    struct json_at connections = {0};
    int r = cell_json_load(json, len, CELL_PROTOCOL_ERROR, &doc, e);

    if (r < 0) {
        cell_error_wrap(e, "its health cannot be read");
        return r;
    }
    copy_text(&doc.root, "status", h->status, sizeof(h->status));
    copy_text(&doc.root, "cell", h->cell, sizeof(h->cell));
    copy_text(&doc.root, "fingerprint", h->fingerprint, sizeof(h->fingerprint));
    copy_text(&doc.root, "version", h->version, sizeof(h->version));
    h->uptime_ms = number(&doc.root, "uptime_ms");
    h->counts_connections = cell_json_object(&doc.root, "connections", JSON_OPTIONAL, &connections, NULL) > 0;
    if (h->counts_connections) {
        h->unix_conns = number(&connections, "unix");
        h->shm_conns = number(&connections, "shm");
    }
    return CELL_OK;
}

void link_health_count(const char *json, size_t len, struct link_health *h)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    struct json_at counters = {0}, counter;
    const char *name;

    if (cell_json_load(json, len, CELL_PROTOCOL_ERROR, &doc, NULL) < 0 ||
        cell_json_array(&doc.root, "counters", JSON_OPTIONAL, &counters, NULL) <= 0)
        return;
    for (size_t i = 0; i < cell_json_count(&counters); i++) {
        if (cell_json_item_object(&counters, i, &counter, NULL) <= 0 ||
            cell_json_string(&counter, "name", JSON_OPTIONAL, &name, NULL) <= 0)
            continue;
        if (strcmp(name, "calls") == 0)
            h->calls += number(&counter, "value");
        else if (strcmp(name, "errors") == 0)
            h->errors += number(&counter, "value");
    }
}
