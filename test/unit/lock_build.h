/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Locks for tests, and the questions and keys of their answers. */
#ifndef CELL_TEST_LOCK_BUILD_H
#define CELL_TEST_LOCK_BUILD_H

#include "test.h"

#include "base/util.h"
#include "core/lock.h"
#include "schema_document.h"

static struct cell_error error;

/* A request as the compiler sends it. */
__attribute__((unused)) static const char *request_of(const char *name, const char *location, const char *mode)
{
    static char texts[4][512];
    static unsigned next;
    char *text = texts[next++ % 4];
    snprintf(text, sizeof(texts[0]),
             "{\"annotation\":{\"verb\":\"table\",\"args\":[\"users\",null],\"location\":\"%s\"},\"declaration\":"
             "{\"name\":\"%s\",\"kind\":\"struct\"},\"language\":\"c\",\"abi\":\"lp64-le\",\"mode\":\"%s\"}",
             location, name, mode);
    return text;
}

__attribute__((unused)) static char *key_of(const char *request, struct cell_buffer *question)
{
    struct cell_buffer scratch = {0};
    char *key = NULL;
    CHECK(cell_lock_question(request, strlen(request), question ? question : &scratch, &key, NULL, &error) == CELL_OK);
    cell_buffer_free(&scratch);
    return key;
}

/* A lock of the schema, with answers to the names (NULL-terminated, sorted). */
__attribute__((unused)) static struct cell_lock *make_lock(const char *cell, const char *schema,
                                                           const char *const *names)
{
    struct cell_lock *lock = calloc(1, sizeof(*lock));
    lock->cell = cell;
    lock->schema = schema;
    lock->schema_len = strlen(schema);
    cell_sha256_hex(schema, lock->schema_len, lock->fingerprint);
    lock->answers = cell_arena_array(&lock->arena, 8, sizeof(*lock->answers));
    for (; names && *names; names++) {
        struct cell_buffer question = {0};
        char *key = key_of(request_of(*names, "a.c:1:1", "live"), &question);
        struct lock_answer *a = &lock->answers[lock->nanswers++];
        a->key = cell_arena_copy(&lock->arena, key, strlen(key));
        a->question = cell_arena_copy(&lock->arena, question.data, question.len);
        a->question_len = question.len;
        a->document = "{\"expansion\":\"cell.expansion/1\",\"types\":[{\"a\":\"}\\\"{\"}]}";
        a->document_len = strlen(a->document);
        free(key);
        cell_buffer_free(&question);
    }
    return lock;
}

__attribute__((unused)) static char *lock_text(const char *cell, const char *schema, const char *const *names)
{
    struct cell_lock *lock = make_lock(cell, schema, names);
    struct cell_buffer b = {0};
    CHECK(cell_lock_format(lock, &b) == CELL_OK);
    cell_lock_free(lock);
    return b.data;
}

__attribute__((unused)) static const char *const two[] = {"account", "user", NULL};

#endif
