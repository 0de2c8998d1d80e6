/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include <time.h>

#include "ask/ask_unix.h"
#include "trust.h"

int trust_pin(struct cli *cli, const char *name, const struct cell_lock *lock, struct cell_pin *pin,
              struct cell_error *e)
{
    const char *address = cell_config_address(cli->config, name);
    struct cell_trusted t;
    *pin = (struct cell_pin){.version = 0};
    if (!address)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (lock && lock->identity[0]) {
        pin->in_lock = true;
        pin->version = lock->version;
        memcpy(pin->key, lock->identity, sizeof(pin->key));
        memcpy(pin->sha256, lock->fingerprint, sizeof(pin->sha256));
        return CELL_OK;
    }
    int r = cell_trusted_read(&t, e);
    if (r < 0)
        return r == CELL_FAILED_PRECONDITION ? CELL_OK : r;
    const struct cell_pin *known = cell_trusted_key(&t, name, address);
    if (known)
        *pin = *known;
    cell_trusted_free(&t);
    return CELL_OK;
}

int trust_judge(struct cli *cli, const char *name, void *link, const struct cell_pin *pin, const char *schema,
                size_t len, struct cell_signature *s, struct cell_error *e)
{
    static const struct cell_pin any;
    char text[CELL_SIGNATURE_MAX];
    const char *address = cell_config_address(cli->config, name);
    struct config_policy policy;
    *s = (struct cell_signature){.version = 0};
    int r = cell_config_policy(cli->config, &policy, e);
    if (r < 0)
        return r;
    enum config_trust trust = cell_config_trust(cli->config, &policy, name);
    if (pin && trust == CONFIG_TRUST_LOCAL && !(address && cell_config_is_remote(address)) &&
        !cli->config->trust_any_owner)
        return CELL_OK;
    const struct cell_claim claim = {.cell = name,
                                     .place = !address                         ? name
                                              : cell_config_is_remote(address) ? address
                                                                               : strchr(address, ':') + 1,
                                     .signature = text,
                                     .signature_len = cell_exchange_unix.signature(link, text, sizeof(text)),
                                     .document = schema,
                                     .len = len,
                                     .now = (int64_t)time(NULL)};
    return cell_trust_judge(pin ? pin : &any, pin && trust == CONFIG_TRUST_STRICT, &claim, s, e);
}
