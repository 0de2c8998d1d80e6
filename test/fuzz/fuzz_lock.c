/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A lock. What is taken must be written as it is read; whatever is left of a broken one must be whole. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "base/util.h"
#include "core/json.h"
#include "core/lock.h"
#include "wire/message.h"

#define LOCK_PATH "/p/cells.lock/auth.json"

static void check_error(int r, const struct cell_error *e)
{
    EXPECT(r < 0 && e->status == r && strstr(e->text, LOCK_PATH) && cell_utf8_valid(e->text, strlen(e->text)));
    for (const char *p = e->text; *p; p++)
        EXPECT(!cell_json_control(p));
}

/* Everything that users of a lock rely on without looking. */
static void check_lock(const struct cell_lock *lock)
{
    char hash[CELL_FINGERPRINT_LEN + 1];
    EXPECT(strcmp(lock->cell, "auth") == 0 && strlen(lock->schema) == lock->schema_len);
    cell_sha256_hex(lock->schema, lock->schema_len, hash);
    EXPECT(strcmp(hash, lock->fingerprint) == 0);
    for (uint32_t i = 0; i < lock->nanswers; i++) {
        const struct lock_answer *a = &lock->answers[i];
        struct cell_buffer request = {0};
        EXPECT(i == 0 || strcmp(lock->answers[i - 1].key, a->key) < 0);
        EXPECT(cell_lock_answer(lock, a->key) == a);
        EXPECT(strlen(a->document) == a->document_len && strlen(a->question) == a->question_len);
        EXPECT(cell_lock_request(a->question, a->question_len, "x", false, &request, NULL) == CELL_OK);
        cell_buffer_free(&request);
    }
}

static void check_again(const struct cell_lock *lock)
{
    struct cell_buffer once = {0}, twice = {0};
    struct cell_lock *again = NULL;
    struct cell_error e = {0};
    EXPECT(cell_lock_format(lock, &once) == CELL_OK);
    EXPECT(cell_lock_parse(LOCK_PATH, "auth", once.data, once.len, &again, &e) == CELL_OK);
    check_lock(again);
    EXPECT(again->nanswers == lock->nanswers && strcmp(again->schema, lock->schema) == 0);
    EXPECT(cell_lock_format(again, &twice) == CELL_OK);
    EXPECT(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    cell_lock_free(again);
    cell_buffer_free(&once);
    cell_buffer_free(&twice);
}

/* The checksums stop nearly all that a fuzzer makes: the schema's is put right, so that what lies behind is reached. */
static void check_repaired(const char *text, size_t size)
{
    static const char schema[] = "\n\"schema\":", mark[] = "\"fingerprint\":\"";
    struct cell_buffer flat = {0};
    struct cell_lock *lock = NULL;
    char hash[CELL_FINGERPRINT_LEN + 1];
    char *copy = malloc(size + 1);
    EXPECT(copy);
    memcpy(copy, text, size);
    copy[size] = '\0';
    char *body = strstr(copy, schema), *stated = strstr(copy, mark);
    if (body && stated && strlen(stated) > sizeof(mark) + CELL_FINGERPRINT_LEN && strlen(copy) == size && size > 3) {
        for (const char *p = body + sizeof(schema) - 1; p < copy + size - 2; p++)
            if (*p != '\n')
                cell_buffer_append(&flat, p, 1);
        EXPECT(cell_buffer_ok(&flat));
        cell_sha256_hex(flat.len ? flat.data : "", flat.len, hash);
        memcpy(stated + sizeof(mark) - 1, hash, CELL_FINGERPRINT_LEN);
        if (cell_lock_parse(LOCK_PATH, "auth", copy, size, &lock, NULL) == CELL_OK)
            check_lock(lock);
        cell_lock_free(lock);
    }
    cell_buffer_free(&flat);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cell_lock *lock = NULL;
    struct cell_error e = {0};
    char *text = malloc(size ? size : 1); /* of this size exactly: there is no NUL to run into */
    EXPECT(text);
    memcpy(text, data, size);
    int r = cell_lock_parse(LOCK_PATH, "auth", text, size, &lock, &e);
    EXPECT((r >= 0) == (lock != NULL));
    if (lock) {
        check_lock(lock);
        check_again(lock);
    } else {
        check_error(r, &e);
    }
    check_repaired(text, size);
    cell_lock_free(lock);
    free(text);
    return 0;
}
