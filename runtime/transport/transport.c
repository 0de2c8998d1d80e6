/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "transport/transport.h"

#include <string.h>

static const struct cell_transport *const transports[] = {&cell_transport_unix, &cell_transport_shm};

const struct cell_transport *cell_transport_find(const char *address)
{
    for (size_t i = 0; address && i < sizeof(transports) / sizeof(transports[0]); i++) {
        size_t len = strlen(transports[i]->scheme);
        if (strncmp(address, transports[i]->scheme, len) == 0 && address[len] == ':')
            return transports[i];
    }
    return NULL;
}
