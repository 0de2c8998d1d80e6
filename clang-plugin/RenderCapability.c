/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a cell can do. Enumerators: they are integer constant expressions in C too, and what their value rules out is
 * gone from the object. CELL_HAS, CELL_REQUIRE and CELL_CAPABILITY_VALUE (attrs.h) make their names, which stand for
 * one cell and capability only, because capabilities and parameters have no two underscores in a row.
 */
#include "RenderText.h"

static void render_value(struct render *r, const struct cell_schema *s, const struct schema_capability *c,
                         const struct schema_capability_param *p)
{
    struct cell_buffer name = {0};
    if (!cell_is_integer_text(p->value))
        return;
    cell_buffer_printf(&name, "cellgen_value_%s__%s__%s", s->cell, c->name, p->name);
    if (cell_buffer_ok(&name))
        render_number(r, name.data, p->value);
    else
        r->out->failed = true;
    cell_buffer_free(&name);
}

void render_capabilities(struct render *r, const struct cell_schema *s)
{
    if (s->ncapabilities)
        render_put(r, "struct cellgen_capabilities;\n");
}

void render_capability(struct render *r, const struct cell_schema *s, const struct schema_capability *c)
{
    render_doc(r, "", "Capability:", c->name);
    render_doc(r, "", NULL, c->doc);
    for (uint32_t k = 0; k < c->nparams; k++) {
        struct cell_buffer lead = {0};
        cell_buffer_printf(&lead, "%s:", c->params[k].name);
        render_doc(r, "", cell_buffer_ok(&lead) ? lead.data : "", c->params[k].value);
        cell_buffer_free(&lead);
    }
    render_printf(r, "enum { cellgen_has_%s__%s = %d, cellgen_requires_%s__%s = %d };\n", s->cell, c->name, !c->absent,
                  s->cell, c->name, !c->absent);
    for (uint32_t k = 0; k < c->nparams; k++)
        render_value(r, s, c, &c->params[k]);
}

void render_needs(struct render *r, const struct cell_schema *s, const struct schema_method *m)
{
    if (m->nneeds == 0)
        return;
    render_printf(r, "enum cellgen_needs_%s { ", m->name);
    for (uint32_t i = 0; i < m->nneeds; i++) {
        const struct schema_capability *c = cell_schema_capability(s, m->needs[i]);
        render_printf(r, "%scellgen_needs_%s__%s = %d", i ? ", " : "", m->name, m->needs[i], c && !c->absent);
    }
    if (m->fallback)
        render_printf(r, ", cellgen_instead_%s__%s = 1", m->name, m->fallback);
    render_put(r, " };\n");
    const char *lacking = cell_schema_lacks(s, m);
    if (lacking)
        render_printf(r, "/// %s: it needs '%s', which cell '%s' does not have.\n",
                      m->fallback ? "Calls its fallback" : "Not to be called", lacking, s->cell);
}
