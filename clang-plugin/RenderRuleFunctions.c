/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Rules that a function of the cell checks: how the library calls it, with the address of a value. */
#include <stdlib.h>
#include <string.h>

#include "RenderText.h"
#include "core/ast.h"
#include "core/rule.h"

bool render_has_function(const struct render *r, const char *function)
{
    if (r->serves)
        return true;
    const struct ast_function *f = r->functions ? cell_ast_function(r->functions, function) : NULL;
    if (!f || !r->no_floats)
        return f != NULL;
    bool *floats = calloc((size_t)r->functions->nfunctions + 1, sizeof(*floats));
    r->out->failed |= !floats;
    if (floats)
        cell_ast_find_floats(r->functions, floats);
    const bool has = floats && !floats[f - r->functions->functions];
    free(floats);
    return has;
}

void render_check(struct render *r, const char *function)
{
    render_printf(r, "static int cellgen_%s__rule_check(const void *value);\n", function);
    render_printf(r, "static const struct %scell_rule_function cellgen_%s__rule = {\"%s\", cellgen_%s__rule_check};\n",
                  r->scope, function, function, function);
}

void render_check_body(struct render *r, const char *function, const struct schema_ref *value)
{
    render_printf(r, "static int cellgen_%s__rule_check(const void *value) { return %s%s(*(const ", function,
                  r->serves ? r->scope : "", function);
    render_use(r, value);
    render_put(r, " *)value); }\n");
}

struct naming {
    const char *function;
    struct schema_ref value;
};

/* The first field that names the function. */
static bool find_naming(const struct schema_field *fields, uint32_t n, struct naming *found)
{
    for (uint32_t i = 0; i < n; i++) {
        const char *name = cell_rule_function_of(&fields[i]);
        if (name && strcmp(name, found->function) == 0) {
            found->value = cell_rule_value_type(&fields[i].type);
            return true;
        }
    }
    return false;
}

uint32_t render_each_check(struct render *r, const struct cell_schema *s,
                           void (*each)(struct render *r, const char *function, const struct schema_ref *value))
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->nvisible_functions; i++) {
        struct naming naming = {.function = s->visible_functions[i].name};
        bool found = false;
        for (uint32_t k = 0; k < s->ntypes && !found; k++)
            found = !s->types[k].declared && find_naming(s->types[k].fields, s->types[k].nfields, &naming);
        for (uint32_t k = 0; k < s->nmethods && !found; k++)
            found = find_naming(s->methods[k].params, s->methods[k].nparams, &naming);
        n += found;
        if (found && render_has_function(r, naming.function))
            each(r, naming.function, &naming.value);
    }
    return n;
}
