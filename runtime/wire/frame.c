/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wire/frame.h"

#include "wire/limits.h"

static void store16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void store32(uint8_t *p, uint32_t v)
{
    store16(p, (uint16_t)v);
    store16(p + 2, (uint16_t)(v >> 16));
}

static uint16_t load16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t load32(const uint8_t *p) { return load16(p) | (uint32_t)load16(p + 2) << 16; }
static uint64_t load64(const uint8_t *p) { return load32(p) | (uint64_t)load32(p + 4) << 32; }

void cell_frame_encode(const struct cell_frame *f, uint8_t header[CELL_FRAME_HEADER])
{
    store32(header, CELL_FRAME_MAGIC);
    store32(header + 4, f->length);
    header[8] = CELL_FRAME_VERSION;
    header[9] = f->kind;
    header[10] = f->channel;
    header[11] = 0;
    store16(header + 12, f->meta_len);
    store16(header + 14, 0);
    store32(header + 16, (uint32_t)f->code);
    store32(header + 20, f->timeout_ms);
    store32(header + 24, (uint32_t)f->id);
    store32(header + 28, (uint32_t)(f->id >> 32));
}

/* What each kind may carry; docs/protocol.md, "Frame". */
enum payload { PAYLOAD_NONE, PAYLOAD_META, PAYLOAD_ANY, PAYLOAD_CONTROL, PAYLOAD_MESSAGE };
struct frame_rule {
    const char *name;
    enum payload payload;
    bool code, timeout, id;
};

static const struct frame_rule rules[] = {
    [CELL_FRAME_HELLO] = {"HELLO", PAYLOAD_META, false, false, false},
    [CELL_FRAME_WELCOME] = {"WELCOME", PAYLOAD_META, true, false, false},
    [CELL_FRAME_SCHEMA] = {"SCHEMA", PAYLOAD_ANY, false, false, false},
    [CELL_FRAME_CALL] = {"CALL", PAYLOAD_ANY, true, true, true},
    [CELL_FRAME_REPLY] = {"REPLY", PAYLOAD_ANY, true, false, true},
    [CELL_FRAME_CANCEL] = {"CANCEL", PAYLOAD_NONE, false, false, true},
    [CELL_FRAME_GOAWAY] = {"GOAWAY", PAYLOAD_NONE, false, false, false},
    [CELL_FRAME_SHM_OPEN] = {"SHM_OPEN", PAYLOAD_CONTROL, false, false, false},
    [CELL_FRAME_SHM_ACCEPT] = {"SHM_ACCEPT", PAYLOAD_CONTROL, false, false, false},
    [CELL_FRAME_SHM_READY] = {"SHM_READY", PAYLOAD_CONTROL, false, false, false},
    [CELL_FRAME_SHM_WAKE] = {"SHM_WAKE", PAYLOAD_NONE, false, false, false},
    [CELL_FRAME_SHM_BLOB] = {"SHM_BLOB", PAYLOAD_CONTROL, false, false, false},
    [CELL_FRAME_RECORDS] = {"RECORDS", PAYLOAD_MESSAGE, false, false, true},
    [CELL_FRAME_END] = {"END", PAYLOAD_NONE, false, false, true},
};

static int check_start(const uint8_t *b, size_t len, uint32_t max_payload, struct cell_error *e)
{
    static const uint8_t magic[4] = {'C', 'E', 'L', 'L'};
    for (size_t i = 0; i < 4 && i < len; i++)
        if (b[i] != magic[i])
            return cell_error_set(e, CELL_PROTOCOL_ERROR, "not a Cell frame: byte %zu is 0x%02x", i, b[i]);
    if (len >= 9 && b[8] != CELL_FRAME_VERSION)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "frame of protocol version %u; this is version %u", b[8],
                              CELL_FRAME_VERSION);
    if (len >= 8 && load32(b + 4) > max_payload)
        return cell_error_set(e, CELL_TOO_LARGE, "frame of %u bytes; the limit is %u", load32(b + 4), max_payload);
    if (len >= 10 && (b[9] < CELL_FRAME_HELLO || b[9] > CELL_FRAME_END))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "frame of unknown kind %u", b[9]);
    if (len >= 11 && b[10] > CELL_CHANNEL_COMPILE)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "frame of unknown channel %u", b[10]);
    if ((len >= 12 && b[11]) || (len >= 15 && b[14]) || (len >= 16 && b[15]))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "a reserved byte of the frame is not 0");
    return CELL_OK;
}

/* What depends on the kind; called with at least ten bytes, when the kind is known to be valid. */
static int check_rules(const uint8_t *b, size_t len, struct cell_error *e)
{
    const struct frame_rule *r = &rules[b[9]];
    uint32_t length = load32(b + 4);
    if (r->payload == PAYLOAD_NONE && length)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "%s frame with a payload of %u bytes", r->name, length);
    if (r->payload == PAYLOAD_META && length > CELL_MAX_HELLO)
        return cell_error_set(e, CELL_TOO_LARGE, "%s frame of %u bytes; the limit is %u", r->name, length,
                              CELL_MAX_HELLO);
    if (r->payload == PAYLOAD_CONTROL && length > CELL_MAX_CONTROL)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "%s frame with a payload of %u bytes", r->name, length);
    if (len >= 14) {
        uint16_t meta_len = load16(b + 12);
        if (meta_len > length || meta_len > CELL_MAX_META_BYTES)
            return cell_error_set(e, CELL_PROTOCOL_ERROR, "%s frame of %u bytes with %u bytes of metadata", r->name,
                                  length, meta_len);
        if (r->payload == PAYLOAD_META && meta_len != length)
            return cell_error_set(e, CELL_PROTOCOL_ERROR, "%s frame with bytes beyond its metadata", r->name);
        if ((r->payload == PAYLOAD_CONTROL || r->payload == PAYLOAD_MESSAGE) && meta_len)
            return cell_error_set(e, CELL_PROTOCOL_ERROR, "%s frame with metadata", r->name);
    }
    if (len >= 20 && !r->code && load32(b + 16))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "%s frame with a code", r->name);
    if (len >= 24 && !r->timeout && load32(b + 20))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "%s frame with a timeout", r->name);
    if (len >= 32 && r->id != (load64(b + 24) != 0))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "%s frame with%s a request id", r->name, r->id ? "out" : "");
    return CELL_OK;
}

int cell_frame_decode(const uint8_t *bytes, size_t len, uint32_t max_payload, struct cell_frame *f,
                      struct cell_error *e)
{
    int r = check_start(bytes, len, max_payload, e);
    if (r == CELL_OK && len >= 10)
        r = check_rules(bytes, len, e);
    if (r < 0)
        return r;
    if (len < CELL_FRAME_HEADER)
        return 0;
    f->length = load32(bytes + 4);
    f->kind = bytes[9];
    f->channel = bytes[10];
    f->meta_len = load16(bytes + 12);
    f->code = (int32_t)load32(bytes + 16);
    f->timeout_ms = load32(bytes + 20);
    f->id = load64(bytes + 24);
    return 1;
}

int cell_frame_check(const struct cell_frame *f, uint32_t max_payload, struct cell_error *e)
{
    uint8_t header[CELL_FRAME_HEADER];
    cell_frame_encode(f, header);
    int r = check_start(header, sizeof(header), max_payload, e);
    return r < 0 ? r : check_rules(header, sizeof(header), e);
}
