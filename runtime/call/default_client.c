/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The default client of each cell: one per process and name, however many files import the cell. Made with the first
 * call, kept until the process ends: a thread may use it at any time.
 */
#include <stdlib.h>
#include <string.h>

#include "pool.h"

struct default_client {
    struct default_client *next;
    char *name;
    struct cell_client *client;
};

static pthread_mutex_t defaults_lock = PTHREAD_MUTEX_INITIALIZER;
static struct default_client *defaults;

void cell_defaults_lock(void) { pthread_mutex_lock(&defaults_lock); }
void cell_defaults_unlock(void) { pthread_mutex_unlock(&defaults_lock); }

static struct default_client *new_default(const char *name)
{
    struct default_client *d = calloc(1, sizeof(*d));
    if (!d)
        return NULL;
    d->name = strdup(name);
    if (!d->name || cell_client_open(NULL, &d->client) < 0) {
        free(d->name);
        free(d);
        return NULL;
    }
    d->next = defaults;
    defaults = d;
    return d;
}

int cell_default_client(const struct cell_service *service, struct cell_client **client, struct cell_error *e)
{
    struct cell_client *found = service->slot ? __atomic_load_n(service->slot, __ATOMIC_ACQUIRE) : NULL;
    if (found) {
        *client = found;
        return CELL_OK;
    }
    pthread_mutex_lock(&defaults_lock);
    struct default_client *d = defaults;
    while (d && strcmp(d->name, service->name) != 0)
        d = d->next;
    if (!d)
        d = new_default(service->name);
    if (d && service->slot)
        __atomic_store_n(service->slot, d->client, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&defaults_lock);
    if (!d)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    *client = d->client;
    return CELL_OK;
}
