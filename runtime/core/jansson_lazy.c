/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The functions of jansson that core calls, each handed on to the library, which is loaded with the first document.
 * Most compilations read none, and loading it costs as much as loading the plugin. Thread-safe.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#define LIBRARY "libjansson.so.4"

/* X(result, name, parameters, arguments, what it gives without the library) */
#define JANSSON_MAP(X)                                                                                                 \
    X(json_t *, json_array_get, (const json_t *array, size_t i), (array, i), NULL)                                     \
    X(size_t, json_array_size, (const json_t *array), (array), 0)                                                      \
    X(void, json_delete, (json_t * value), (value), )                                                                  \
    X(json_int_t, json_integer_value, (const json_t *value), (value), 0)                                               \
    X(json_t *, json_object_get, (const json_t *object, const char *key), (object, key), NULL)                         \
    X(void *, json_object_iter, (json_t * object), (object), NULL)                                                     \
    X(const char *, json_object_iter_key, (void *iter), (iter), "")                                                    \
    X(void *, json_object_iter_next, (json_t * object, void *iter), (object, iter), NULL)                              \
    X(json_t *, json_object_iter_value, (void *iter), (iter), NULL)                                                    \
    X(void *, json_object_key_to_iter, (const char *key), (key), NULL)                                                 \
    X(size_t, json_object_size, (const json_t *object), (object), 0)                                                   \
    X(const char *, json_string_value, (const json_t *value), (value), "")

struct library {
#define MEMBER(result, name, parameters, arguments, without) result(*name) parameters;
    JANSSON_MAP(MEMBER)
#undef MEMBER
    json_t *(*json_loadb)(const char *text, size_t len, size_t flags, json_error_t *error);
};

static _Atomic(struct library *) loaded; /* never freed: documents live until the process ends */

static struct library *load(void)
{
    struct library *l = calloc(1, sizeof(*l)), *first = NULL;
    void *handle = l ? dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL) : NULL;
    bool all = handle != NULL;
#define FIND(result, name, parameters, arguments, without) all = all && (*(void **)&l->name = dlsym(handle, #name));
    JANSSON_MAP(FIND)
    FIND(, json_loadb, , , )
#undef FIND
    if (all && atomic_compare_exchange_strong(&loaded, &first, l))
        return l;
    free(l); /* unusable, or another thread was faster */
    return first;
}

/* There is no value of a document before this has given one. */
json_t *json_loadb(const char *text, size_t len, size_t flags, json_error_t *error)
{
    const struct library *l = atomic_load(&loaded);
    if (!l)
        l = load();
    if (l)
        return l->json_loadb(text, len, flags, error);
    if (error) {
        *error = (json_error_t){.line = 1, .column = 1};
        snprintf(error->text, sizeof(error->text), "%s cannot be loaded", LIBRARY);
    }
    return NULL;
}

#define DEFINE(result, name, parameters, arguments, without)                                                           \
    result name parameters                                                                                             \
    {                                                                                                                  \
        const struct library *l = atomic_load(&loaded);                                                                \
        if (!l)                                                                                                        \
            return without;                                                                                            \
        return l->name arguments;                                                                                      \
    }
JANSSON_MAP(DEFINE)
