/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One request of the app channel, from its id to its counters. */
#include "server_parts.h"

int cell_server_answer(struct cell_server *s, const struct server_match *match, cell_ctx *c, uint32_t id,
                       const uint8_t *message, size_t len, const struct cell_buffer **meta)
{
    struct cell_error e; /* set where it is used */
    uint32_t known = match ? match->n : s->schema->nmethods;
    if (id >= known) {
        cell_error_set(&e, CELL_UNIMPLEMENTED, "%s has no method %d", s->cell, (int)id);
        return cell_serve_refusal(c, &e, meta);
    }
    if (len > s->options.max_message) {
        cell_error_set(&e, CELL_TOO_LARGE, "the request is larger than the cell's limit");
        return cell_serve_refusal(c, &e, meta);
    }
    if (match && match->methods[id].why) {
        cell_error_set(&e, CELL_SCHEMA_MISMATCH, "%s", match->methods[id].why);
        return cell_serve_refusal(c, &e, meta);
    }
    if (match)
        id = match->methods[id].id;
    struct method_counters *n = &s->method_counters[id];
    const struct call_target t = {s->cell, s->methods[id], s->layouts[id],        &s->hooks,
                                  NULL,    NULL,           s->options.max_message};
    cell_count(&n->calls, 1);
    cell_count(&n->bytes_in, len);
    int code = cell_serve_request(c, &t, message, len, meta);
    if (code < 0) {
        cell_count(&n->errors, 1);
        cell_count(&n->by_status[-code < (int)CELL_STATUS_COUNT ? -code : -CELL_UNKNOWN], 1);
    }
    cell_count(&n->bytes_out, c->message.len);
    cell_count(&n->done, 1);
    return code;
}
