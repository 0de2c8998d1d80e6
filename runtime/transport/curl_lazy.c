/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * libcurl, loaded with the first request to another host. Loading it and what it needs takes about 4 ms, as long as all
 * else that the plugin does in a compilation.
 */
#include "transport/curl_lazy.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct curl_functions functions;
static bool loaded;

/* Both are the same library, with another TLS library below it. */
static const char *const libraries[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};

static void load(void)
{
    void *handle = NULL;
    bool all;
    for (unsigned i = 0; i < sizeof(libraries) / sizeof(libraries[0]) && !handle; i++)
        handle = dlopen(libraries[i], RTLD_LAZY | RTLD_LOCAL);
    all = handle != NULL;
#define FIND(member) all = all && (*(void **)&functions.member = dlsym(handle, "curl_" #member));
    FIND(global_init)
    FIND(easy_init)
    FIND(easy_setopt)
    FIND(easy_getinfo)
    FIND(easy_reset)
    FIND(easy_cleanup)
    FIND(easy_strerror)
    FIND(multi_init)
    FIND(multi_add_handle)
    FIND(multi_remove_handle)
    FIND(multi_perform)
    FIND(multi_poll)
    FIND(multi_wakeup)
    FIND(multi_info_read)
    FIND(multi_cleanup)
    FIND(slist_append)
    FIND(slist_free_all)
#undef FIND
    loaded = all && functions.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

const struct curl_functions *cell_curl(struct cell_error *e)
{
    pthread_once(&once, load);
    if (loaded)
        return &functions;
    cell_error_set(e, CELL_FAILED_PRECONDITION,
                   "%s cannot be loaded, which cells of other hosts need: install libcurl4", libraries[0]);
    return NULL;
}
