/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "ask/ask_unix.h"

#include <string.h>

#include "ask/link.h"
#include "wire/frame.h"

static int ask_start(const char *address, const char *cell, bool any_owner, uint32_t timeout_ms, void **link,
                     struct cell_error *e)
{
    struct cell_link *l = NULL;
    int r =
        cell_link_start(address, cell, CELL_CHANNEL_COMPILE, any_owner, CELL_COMPILE_STATE, "{}", 2, timeout_ms, &l, e);
    if (r >= 0)
        *link = l;
    return r;
}

static int ask_open(const char *address, const char *cell, bool any_owner, uint64_t deadline_ns, void **link,
                    char fingerprint[CELL_FINGERPRINT_LEN + 1], struct cell_error *e)
{
    struct cell_link *l = *link;
    int r = l ? cell_link_welcomed(l, cell, deadline_ns, e)
              : cell_link_open(address, cell, CELL_CHANNEL_COMPILE, NULL, any_owner, deadline_ns, &l, e);
    const char *said = r < 0 ? "" : cell_link_fingerprint(l);
    if (r >= 0 && !said[0])
        r = cell_error_set(e, CELL_PROTOCOL_ERROR, "%s: its greeting has no fingerprint",
                           cell_config_is_remote(address) ? address : strchr(address, ':') + 1);
    if (r < 0) {
        cell_link_close(l);
        l = NULL;
    } else {
        memcpy(fingerprint, said, CELL_FINGERPRINT_LEN + 1);
    }
    *link = l;
    return r;
}

/* The time that is left, for the cell to know; 0 would mean that there is no limit. */
static uint32_t time_left_ms(uint64_t deadline_ns)
{
    uint64_t now = cell_now_ns();
    if (deadline_ns == CELL_NO_DEADLINE)
        return 0;
    uint64_t ms = deadline_ns > now ? (deadline_ns - now) / CELL_NS_PER_MS : 0;
    return ms == 0 ? 1 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

static int ask_request(void *link, uint32_t method, const char *json, size_t len, uint64_t deadline_ns,
                       const char **reply, size_t *reply_len, struct cell_error *e)
{
    struct cell_link_reply got;
    int r = cell_link_has_started(link) ? cell_link_started(link, deadline_ns, &got, e)
                                        : cell_link_request(link, (int32_t)method, NULL, 0, json, len,
                                                            time_left_ms(deadline_ns), deadline_ns, &got, e);
    if (r < 0)
        return r;
    if (got.code < 0)
        return cell_link_failure(link, &got, e);
    *reply = (const char *)got.message;
    *reply_len = got.message_len;
    return CELL_OK;
}

static void ask_close(void *link) { cell_link_close(link); }

static size_t ask_signature(void *link, char *text, size_t size)
{
    return cell_link_replied(link, CELL_META_SIGNATURE, text, size);
}

const struct cell_exchange cell_exchange_unix = {
    .open = ask_open,
    .request = ask_request,
    .close = ask_close,
    .signature = ask_signature,
    .start = ask_start,
};
