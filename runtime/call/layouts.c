/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The layouts of methods, prepared once: a server's when it is made, a client's with the first call of each method. */
#include <stdlib.h>

#include "pool.h"

int cell_method_layouts_new(const struct cell_method *m, struct method_layouts **layouts)
{
    struct method_layouts *l = calloc(1, sizeof(*l));
    if (!l)
        return CELL_NO_MEMORY;
    l->in = (struct cell_layout){.fields = m->in, .n = m->nin, .size = m->in_size};
    l->out = (struct cell_layout){.fields = m->out, .n = m->nout, .size = m->nout * (uint32_t)sizeof(struct cell_ref)};
    if (cell_layout_prepare(&l->in) < 0 || cell_layout_prepare(&l->out) < 0) {
        cell_method_layouts_free(l);
        return CELL_NO_MEMORY;
    }
    if (m->stream) /* never a short call: there is more than the request and the reply */
        l->in.short_size = l->out.short_size = 0;
    *layouts = l;
    return CELL_OK;
}

void cell_method_layouts_free(struct method_layouts *l)
{
    if (!l)
        return;
    cell_layout_release(&l->in);
    cell_layout_release(&l->out);
    free(l);
}

static struct client_service *find_service(const struct cell_client *client, const struct cell_service *service)
{
    struct client_service *s = atomic_load_explicit(&client->services, memory_order_acquire);
    while (s && s->service != service)
        s = s->next;
    return s;
}

const struct client_service *cell_client_find(const struct cell_client *client, const struct cell_service *service)
{
    return find_service(client, service);
}

/* Adds the service, the method, or both; another thread may have been faster. */
static int add(struct cell_client *client, const struct cell_service *service, uint32_t method,
               const struct method_layouts **layouts)
{
    struct method_layouts *l = NULL;
    int r = CELL_OK;
    pthread_mutex_lock(&client->lock);
    struct client_service *s = find_service(client, service);
    if (!s) {
        s = calloc(1, sizeof(*s) + service->nmethods * sizeof(s->layouts[0]));
        if (s) {
            s->service = service;
            s->next = atomic_load_explicit(&client->services, memory_order_relaxed);
            atomic_store_explicit(&client->services, s, memory_order_release);
            client->nservices++;
        }
    }
    if (s)
        l = atomic_load_explicit(&s->layouts[method], memory_order_relaxed);
    if (!s)
        r = CELL_NO_MEMORY;
    else if (!l && (r = cell_method_layouts_new(&service->methods[method], &l)) == CELL_OK)
        atomic_store_explicit(&s->layouts[method], l, memory_order_release);
    pthread_mutex_unlock(&client->lock);
    if (r == CELL_OK)
        *layouts = l;
    return r;
}

int cell_client_layouts(struct cell_client *client, const struct cell_service *service, uint32_t method,
                        const struct method_layouts **layouts)
{
    struct client_service *s = find_service(client, service);
    struct method_layouts *l = s ? atomic_load_explicit(&s->layouts[method], memory_order_acquire) : NULL;
    if (!l)
        return add(client, service, method, layouts);
    *layouts = l;
    return CELL_OK;
}

void cell_client_forget_services(struct cell_client *client)
{
    struct client_service *s = atomic_load(&client->services), *next;
    for (; s; s = next) {
        next = s->next;
        for (uint32_t i = 0; i < s->service->nmethods; i++)
            cell_method_layouts_free(atomic_load(&s->layouts[i]));
        free(s);
    }
}
