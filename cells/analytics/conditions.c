/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Conditions on records as they are written, `kind == 0 && amount >= 100 || code < 10`. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "definition.h"

static const char *skip(const char *at)
{
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

static size_t word_length(const char *at)
{
    size_t n = 0;

    while (isalnum((unsigned char)at[n]) || at[n] == '_' || at[n] == '.')
        n++;
    return isdigit((unsigned char)at[0]) ? 0 : n;
}

static bool read_comparison(const char **at, enum an_compare *compare)
{
    static const struct {
        const char *text;
        enum an_compare is;
    } all[] = {{"==", AN_EQUAL},         {"!=", AN_UNEQUAL}, {"<=", AN_LESS_EQUAL},
               {">=", AN_GREATER_EQUAL}, {"<", AN_LESS},     {">", AN_GREATER}};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strncmp(*at, all[i].text, strlen(all[i].text)) == 0) {
            *at += strlen(all[i].text);
            *compare = all[i].is;
            return true;
        }
    return false;
}

/* As a number of the field's class; what does not fit into its 64 bits is none. */
static bool read_number(const char **at, enum an_class class, union an_number *number)
{
    char *end;
    bool minus = **at == '-';

    errno = 0;
    if (class == AN_REAL)
        number->d = strtod(*at, &end);
    else if (class == AN_SIGNED)
        number->i = strtoll(*at, &end, 0);
    else
        number->u = strtoull(*at, &end, 0);
    if (end == *at || errno == ERANGE || (class == AN_UNSIGNED && minus) ||
        (class == AN_REAL && !isfinite(number->d)) || isalnum((unsigned char)*end) || *end == '.')
        return false;
    *at = end;
    return true;
}

static bool read_condition(const char **at, an_find_fn *find, void *user, struct an_condition *c, char problem[200])
{
    char name[AN_MOST_NAME + 1];
    size_t n = word_length(*at);

    if (n == 0 || n > AN_MOST_NAME)
        return snprintf(problem, 200, "a condition begins with the name of a field, not with '%.20s'", *at), false;
    memcpy(name, *at, n);
    name[n] = '\0';
    if (!find(user, name, &c->field))
        return snprintf(problem, 200, "there is no field '%s'", name), false;
    if (c->field.class == AN_BYTES)
        return snprintf(problem, 200, "field '%s' is no number, and cannot be compared", name), false;
    *at = skip(*at + n);
    if (!read_comparison(at, &c->compare))
        return snprintf(problem, 200, "behind '%s' there is none of == != < <= > >=", name), false;
    *at = skip(*at);
    if (!read_number(at, (enum an_class)c->field.class, &c->with))
        return snprintf(problem, 200, "'%.20s' is no number with which '%s' can be compared", *at, name), false;
    *at = skip(*at);
    return true;
}

bool an_conditions_parse(const char *text, an_find_fn *find, void *user, struct an_plan *plan, char problem[200])
{
    bool alternative = false;

    plan->nconditions = 0;
    for (const char *at = skip(text); *text;) {
        if (plan->nconditions == AN_MOST_CONDITIONS)
            return snprintf(problem, 200, "there are more than %d conditions", AN_MOST_CONDITIONS), false;
        struct an_condition *c = &plan->conditions[plan->nconditions];
        if (!read_condition(&at, find, user, c, problem))
            return false;
        c->alternative = alternative;
        plan->nconditions++;
        if (!*at)
            break;
        if (strncmp(at, "&&", 2) != 0 && strncmp(at, "||", 2) != 0)
            return snprintf(problem, 200, "conditions are joined by && or ||, not by '%.20s'", at), false;
        alternative = *at == '|';
        at = skip(at + 2);
    }
    return true;
}
