/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "transport/transport.h"

#include <string.h>

static const struct cell_transport *const transports[] = {&cell_transport_unix, &cell_transport_shm};

int cell_memory_fail(const struct cell_memory *m, struct cell_error *e)
{
    return cell_error_set(e, CELL_RESOURCE_EXHAUSTED,
                          "what the connections of this user hold is at the limit of %zu bytes", m->limit);
}

const struct cell_transport *cell_transport_find(const char *address)
{
    for (size_t i = 0; address && i < sizeof(transports) / sizeof(transports[0]); i++) {
        size_t len = strlen(transports[i]->scheme);
        if (strncmp(address, transports[i]->scheme, len) == 0 && address[len] == ':')
            return transports[i];
    }
    return NULL;
}
