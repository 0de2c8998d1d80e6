/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How cells are asked in which environment. */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/config_parts.h"

static const char *const mode_names[] = {[CONFIG_LIVE] = "live", [CONFIG_PLAN] = "plan", [CONFIG_LOCKED] = "locked"};
#define NMODES (sizeof(mode_names) / sizeof(mode_names[0]))

const char *cell_config_mode_name(enum config_mode mode) { return mode_names[mode]; }

static bool find_mode(const char *text, enum config_mode *mode)
{
    for (unsigned i = 0; i < NMODES; i++)
        if (strcmp(text, mode_names[i]) == 0) {
            *mode = (enum config_mode)i;
            return true;
        }
    return false;
}

int cell_config_read_trust(const struct json_at *object, enum config_trust *trust, struct cell_error *e)
{
    static const char *const names[] = {
        [CONFIG_TRUST_PINNED] = "pinned", [CONFIG_TRUST_STRICT] = "strict", [CONFIG_TRUST_LOCAL] = "local"};
    const char *text;
    int r = cell_json_string(object, "trust", JSON_OPTIONAL, &text, e);
    if (r <= 0)
        return r;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(text, names[i]) == 0) {
            *trust = (enum config_trust)i;
            return 1;
        }
    return cell_json_fail(object, "trust", e, "expected \"pinned\", \"strict\" or \"local\"");
}

enum config_trust cell_config_trust(const struct cell_config *c, const struct config_policy *policy, const char *name)
{
    const struct config_cell *cell = cell_config_cell(c, name);
    return cell && cell->has_trust ? cell->trust : policy->trust;
}

/* Replaces those of *policy that `object` states. */
static int read_policy(const struct json_at *object, struct config_policy *policy, struct cell_error *e)
{
    const char *text;
    int r = cell_json_string(object, "mode", JSON_OPTIONAL, &text, e);
    if (r > 0 && !find_mode(text, &policy->mode))
        return cell_json_fail(object, "mode", e, "expected \"live\", \"plan\" or \"locked\"");
    if (r >= 0)
        r = cell_config_read_trust(object, &policy->trust, e);
    if (r >= 0)
        r = cell_json_string(object, "unreachable", JSON_OPTIONAL, &text, e);
    if (r <= 0)
        return r;
    policy->unreachable_lock = strcmp(text, "lock") == 0;
    if (!policy->unreachable_lock && strcmp(text, "fail") != 0)
        return cell_json_fail(object, "unreachable", e, "expected \"fail\" or \"lock\"");
    return CELL_OK;
}

static const struct config_policy *find_environment(const struct cell_config *c, const char *name)
{
    for (uint32_t i = 0; i < c->nenvironments; i++)
        if (strcmp(c->environments[i].environment, name) == 0)
            return &c->environments[i];
    return NULL;
}

static int read_environments(struct cell_config *c, const struct json_at *root, struct cell_error *e)
{
    static const char *const known[] = {"mode", "unreachable", "trust"};
    struct json_at all = {0}, object = {0};
    void *iterator = NULL;
    const char *name;
    int r = cell_json_object(root, "environments", JSON_OPTIONAL, &all, e);
    if (r <= 0)
        return r;
    c->environments = cell_arena_array(&c->arena, cell_json_count(&all) + 1, sizeof(*c->environments));
    if (!c->environments)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    while ((name = cell_json_next(&all, &iterator))) {
        struct config_policy *p = &c->environments[c->nenvironments];
        *p = c->policy;
        if (!cell_is_identifier(name))
            return cell_json_fail(&all, name, e, "not the name of an environment: letters, digits and '_' are");
        r = cell_json_object(&all, name, JSON_REQUIRED, &object, e);
        if (r >= 0)
            r = cell_config_check_members(&object, known, 3, e);
        if (r >= 0)
            r = read_policy(&object, p, e);
        if (r < 0)
            return r;
        p->environment = cell_arena_copy(&c->arena, name, strlen(name));
        if (!p->environment)
            return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
        c->nenvironments++;
    }
    return CELL_OK;
}

int cell_config_read_policy(struct cell_config *c, const struct json_at *root, struct cell_error *e)
{
    const char *name;
    char quoted[CELL_QUOTE_SIZE];
    int r = read_policy(root, &c->policy, e);
    if (r >= 0)
        r = read_environments(c, root, e);
    if (r >= 0)
        r = cell_json_string(root, "environment", JSON_OPTIONAL, &name, e);
    if (r <= 0)
        return r;
    const struct config_policy *found = find_environment(c, name);
    if (!found)
        return cell_json_fail(root, "environment", e, "there is no environment '%s' in \"environments\"",
                              cell_json_quote(name, quoted, sizeof(quoted)));
    c->environment = found->environment;
    return CELL_OK;
}

static int unknown_environment(const struct cell_config *c, const char *name, struct cell_error *e)
{
    char quoted[CELL_QUOTE_SIZE];
    const char **names = calloc(c->nenvironments + 1, sizeof(*names)), *near = NULL;
    for (uint32_t i = 0; names && i < c->nenvironments; i++)
        names[i] = c->environments[i].environment;
    if (names)
        near = cell_suggest(name, names, c->nenvironments);
    free(names);
    return cell_error_set(e, CELL_INVALID_ARGUMENT, "CELL_ENV is '%s', and %s has no such environment%s%s%s",
                          cell_json_quote(name, quoted, sizeof(quoted)), c->path ? c->path : "without a cell.json it",
                          near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

int cell_config_policy(const struct cell_config *c, struct config_policy *policy, struct cell_error *e)
{
    char quoted[CELL_QUOTE_SIZE];
    const char *environment = secure_getenv("CELL_ENV"), *mode = secure_getenv("CELL_MODE");
    if (!environment || !*environment)
        environment = c->environment;
    const struct config_policy *found = environment ? find_environment(c, environment) : &c->policy;
    if (!found)
        return unknown_environment(c, environment, e);
    struct config_policy made = *found;
    if (mode && *mode && !find_mode(mode, &made.mode))
        return cell_error_set(e, CELL_INVALID_ARGUMENT,
                              "CELL_MODE is '%s'; \"live\", \"plan\" and \"locked\" are known",
                              cell_json_quote(mode, quoted, sizeof(quoted)));
    *policy = made;
    return CELL_OK;
}
