/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The text of a signature, the file of what a user trusts, and the judgement of both. */
#include "fuzz.h"

#include <string.h>

#include "core/trust.h"

/* One spelling: what is taken is what would be written. */
static void read_signature(const char *text, size_t len)
{
    struct cell_signature s = {.version = 0}, again;
    struct cell_error e = {0};
    char made[CELL_SIGNATURE_MAX];
    if (cell_signature_parse(text, len, &s, &e) < 0) {
        EXPECT(e.status == CELL_PROTOCOL_ERROR && e.text[0]);
        return;
    }
    cell_signature_format(&s, made);
    EXPECT(strlen(made) == len && memcmp(made, text, len) == 0);
    EXPECT(cell_signature_parse(made, len, &again, &e) == CELL_OK);
}

/* No signature that was not made with the key is believed. */
static void judge(const char *text, size_t len)
{
    const char document[] = "{}";
    struct cell_pin pin = {.version = 1};
    struct cell_signature s = {.version = 0};
    struct cell_error e = {0};
    const struct cell_claim claim = {"auth", "/a.sock", text, len, document, 2, 0};
    memset(pin.key, 'a', CELL_KEY_DIGITS);
    EXPECT(cell_trust_judge(&pin, true, &claim, &s, &e) < 0 && e.text[0]);
}

static void read_known(const char *text, size_t len)
{
    struct cell_trusted t;
    struct cell_error e = {0};
    if (cell_trusted_parse(&t, "/known-cells", text, len, &e) < 0) {
        EXPECT(e.text[0]);
        return;
    }
    for (uint32_t i = 0; i < t.n; i++) {
        const struct trust_entry *x = &t.entries[i];
        EXPECT(x->kind == TRUST_FOLDER || (x->name && x->address));
        EXPECT(x->kind != TRUST_KEY || (cell_trusted_key(&t, x->name, x->address) && strlen(x->pin.key) == 64));
        EXPECT(x->kind == TRUST_KEY || x->folder[0] == '/');
    }
    cell_trusted_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size ? size : 1); /* no NUL behind it */
    EXPECT(text);
    memcpy(text, bytes, size);
    read_signature(text, size);
    judge(text, size);
    read_known(text, size);
    free(text);
    return 0;
}
