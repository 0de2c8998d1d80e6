/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The arguments of a verb: from the order in which they were written to the verb's own. */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/schema.h"

/* The name in a text that says whose value follows, or NULL. */
static const char *name_in(const char *text)
{
    const size_t len = sizeof(CELL_VERB_ARG) - 1;
    return text && strncmp(text, CELL_VERB_ARG, len) == 0 ? text + len : NULL;
}

static uint32_t find_arg(const struct schema_verb *verb, const char *name)
{
    for (uint32_t i = 0; i < verb->nargs; i++)
        if (strcmp(verb->args[i].name, name) == 0)
            return i;
    return CELL_VERB_ARG_ABSENT;
}

/* The argument with a name like it; none when memory is short: it is only a suggestion. */
static const char *nearest_arg(const struct schema_verb *verb, const char *name)
{
    CELL_CLEANUP(cell_cleanup_free) const char **names = calloc(verb->nargs + 1, sizeof(*names));
    for (uint32_t i = 0; names && i < verb->nargs; i++)
        names[i] = verb->args[i].name;
    return names ? cell_suggest(name, names, verb->nargs) : NULL;
}

static uint32_t count_values(const char *const *texts, uint32_t n)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++)
        count += !name_in(texts[i]);
    return count;
}

/* texts[at] is a name: the next text is the value of that argument. */
static int bind_named(const struct schema_verb *verb, const char *const *texts, uint32_t n, uint32_t at,
                      uint32_t *values, struct verb_mistake *wrong)
{
    const char *name = name_in(texts[at]);
    uint32_t arg = find_arg(verb, name);
    if (arg == CELL_VERB_ARG_ABSENT)
        *wrong =
            (struct verb_mistake){.kind = VERB_ARG_UNKNOWN, .at = at, .name = name, .nearest = nearest_arg(verb, name)};
    else if (at + 1 == n || name_in(texts[at + 1]))
        *wrong = (struct verb_mistake){.kind = VERB_ARG_NO_VALUE, .at = at, .name = name};
    else if (values[arg] != CELL_VERB_ARG_ABSENT)
        *wrong = (struct verb_mistake){.kind = VERB_ARG_TWICE, .at = at, .name = name, .first = values[arg]};
    else {
        values[arg] = at + 1;
        return CELL_OK;
    }
    return CELL_INVALID_ARGUMENT;
}

int cell_verb_bind(const struct schema_verb *verb, const char *const *texts, uint32_t n, uint32_t *values,
                   struct verb_mistake *wrong)
{
    uint32_t unnamed = 0;
    while (unnamed < n && !name_in(texts[unnamed]))
        unnamed++;
    uint32_t most = verb->nargs ? unnamed : count_values(texts, n);
    if (most > verb->nargs) {
        *wrong = (struct verb_mistake){.kind = VERB_ARG_TOO_MANY, .at = verb->nargs, .given = count_values(texts, n)};
        return CELL_INVALID_ARGUMENT;
    }
    for (uint32_t i = 0; i < verb->nargs; i++)
        values[i] = i < unnamed ? i : CELL_VERB_ARG_ABSENT;
    for (uint32_t i = unnamed; i < n; i += 2) {
        if (!name_in(texts[i])) {
            *wrong = (struct verb_mistake){.kind = VERB_ARG_BEHIND_NAMES, .at = i};
            return CELL_INVALID_ARGUMENT;
        }
        int r = bind_named(verb, texts, n, i, values, wrong);
        if (r < 0)
            return r;
    }
    for (uint32_t i = 0; i < verb->nargs; i++)
        if (verb->args[i].required && values[i] == CELL_VERB_ARG_ABSENT) {
            *wrong = (struct verb_mistake){.kind = VERB_ARG_MISSING, .at = n, .name = verb->args[i].name};
            return CELL_INVALID_ARGUMENT;
        }
    return CELL_OK;
}

uint32_t cell_verb_complete(const struct schema_verb *verb, const char *const *texts, const uint32_t *values,
                            const char **list)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < verb->nargs; i++) {
        list[i] = values[i] == CELL_VERB_ARG_ABSENT ? verb->args[i].value : texts[values[i]];
        if (list[i])
            n = i + 1;
    }
    return n;
}
