/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Random edits of a random schema. */
#ifndef CELL_TEST_SCHEMA_EDIT_H
#define CELL_TEST_SCHEMA_EDIT_H

#include "schema_random.h"

static inline bool edit_part_uses(const struct model_item *item, const char *name)
{
    size_t len = strlen(name);
    for (unsigned k = 0; k < item->n; k++)
        if (strncmp(item->parts[k].type, name, len) == 0 && strchr("[", item->parts[k].type[len]))
            return true;
    return strcmp(item->of, name) == 0 || strcmp(item->stream, name) == 0;
}

static inline bool edit_is_used(const struct model *m, const char *name)
{
    for (unsigned i = 0; i < m->ntypes; i++)
        if (edit_part_uses(&m->types[i], name))
            return true;
    for (unsigned i = 0; i < m->nmethods; i++)
        if (edit_part_uses(&m->methods[i], name))
            return true;
    return false;
}

static inline void edit_remove_item(struct model_item *items, unsigned *n, unsigned at)
{
    memmove(&items[at], &items[at + 1], (*n - at - 1) * sizeof(items[0]));
    (*n)--;
}

static inline void edit_swap(struct model_item *item, unsigned a, unsigned b)
{
    struct model_part p = item->parts[a];
    item->parts[a] = item->parts[b];
    item->parts[b] = p;
}

static inline void edit_rename(struct model *m, struct model_part *p, bool field)
{
    if (field) {
        if (p->former[0])
            return;
        memcpy(p->former, p->name, sizeof(p->former));
    }
    snprintf(p->name, sizeof(p->name), "r%d", m->next++);
}

static inline void edit_rename_item(struct model *m, struct model_item *item, const char *format)
{
    if (item->former[0])
        return;
    memcpy(item->former, item->name, sizeof(item->former));
    snprintf(item->name, sizeof(item->name), format, m->next++);
}

static inline void edit_fields(struct model *m)
{
    unsigned i = model_find_struct(m);
    if (i == MODEL_ITEMS)
        return;
    struct model_item *t = &m->types[i];
    unsigned at = model_random(m, t->n);
    bool room = t->n < MODEL_PARTS;
    switch (model_random(m, 7)) {
    case 0:
        if (t->n > 1)
            model_remove_part(t, at);
        break;
    case 1:
        edit_rename(m, &t->parts[at], true);
        break;
    case 2:
        model_type_text(m, i, true, t->parts[at].type);
        break;
    case 3:
        edit_swap(t, at, model_random(m, t->n));
        break;
    case 4:
        if (room)
            model_add_field(m, i, at);
        break;
    default: /* the usual one */
        if (room)
            model_add_field(m, i, t->n);
    }
}

static inline void edit_type(struct model *m)
{
    unsigned i = model_random(m, m->ntypes);
    struct model_item *t = &m->types[i];
    if (model_random(m, 4) == 0) {
        if (m->ntypes < MODEL_ITEMS)
            model_add_type(m);
    } else if (model_random(m, 3) == 0) {
        if (m->ntypes > 3 && !edit_is_used(m, t->name))
            edit_remove_item(m->types, &m->ntypes, i);
    } else if (strcmp(t->word, "list") == 0 || strcmp(t->word, "opt") == 0) {
        snprintf(t->of, sizeof(t->of), "%s", model_builtin(m));
    } else if (strcmp(t->word, "enum") == 0) {
        unsigned at = model_random(m, t->n);
        int id = m->next++;
        switch (model_random(m, 5)) {
        case 4:
            edit_rename(m, &t->parts[at], true);
            break;
        case 0:
            snprintf(t->of, sizeof(t->of), "u16");
            break;
        case 1:
            if (t->n > 1)
                model_remove_part(t, at);
            break;
        case 2:
            if (t->n < MODEL_PARTS)
                snprintf(model_add_part(t, at, id, "E")->type, 32, "100");
            break;
        default:
            snprintf(t->parts[at].type, 32, "101");
        }
    }
}

/* One edit a method: with more of them it is a matter of taste which parameter became which. */
static inline void edit_method(struct model *m)
{
    if (m->nmethods < MODEL_ITEMS && model_random(m, 8) == 0)
        model_add_method(m);
    unsigned i = model_random(m, m->nmethods);
    struct model_item *method = &m->methods[i];
    if (m->nmethods > 2 && model_random(m, 8) == 0) {
        edit_remove_item(m->methods, &m->nmethods, i);
        return;
    }
    if (model_random(m, 6) == 0)
        edit_rename_item(m, method, "auth_r%d");
    if (method->edited)
        return;
    method->edited = true;
    unsigned at = method->n ? model_random(m, method->n) : 0, sort = model_random(m, 5);
    if (sort == 0)
        snprintf(method->word, sizeof(method->word), strlen(method->word) > 6 ? "method" : "method!");
    else if (sort == 1)
        model_add_param(m, method, at);
    else if (method->n && sort == 2)
        model_remove_part(method, at);
    else if (method->n && sort == 3)
        edit_rename(m, &method->parts[at], false);
    else if (method->n)
        edit_swap(method, at, model_random(m, method->n));
}

static inline void edit_constant(struct model *m)
{
    unsigned i = model_random(m, m->nconstants);
    switch (model_random(m, 4)) {
    case 3:
        edit_rename_item(m, &m->constants[i], "AUTH_R%d");
        break;
    case 0:
        if (m->nconstants < MODEL_ITEMS)
            model_add_constant(m);
        break;
    case 1:
        if (m->nconstants > 1)
            edit_remove_item(m->constants, &m->nconstants, i);
        break;
    default:
        snprintf(m->constants[i].of, sizeof(m->constants[i].of), "%u", 1000 + model_random(m, 1000));
    }
}

/* A method that needed what is gone needs nothing then. */
static inline void edit_remove_capability(struct model *m, unsigned at)
{
    for (unsigned i = 0; i < m->nmethods; i++)
        if (strcmp(m->methods[i].need, m->capabilities[at].name) == 0)
            m->methods[i].need[0] = '\0';
    edit_remove_item(m->capabilities, &m->ncapabilities, at);
}

static inline void edit_capability(struct model *m)
{
    unsigned at = m->ncapabilities ? model_random(m, m->ncapabilities) : 0;
    struct model_item *c = &m->capabilities[at];
    unsigned sort = m->ncapabilities ? model_random(m, 7) : 0, part = c->n ? model_random(m, c->n) : 0;
    if (sort == 0 && m->ncapabilities < MODEL_ITEMS)
        model_add_capability(m);
    else if (sort == 1)
        edit_remove_capability(m, at);
    else if (sort == 2 && c->n < MODEL_PARTS)
        model_add_capability_param(m, c);
    else if (sort == 3 && c->n)
        model_remove_part(c, part);
    else if (sort == 4 && c->n)
        snprintf(c->parts[part].type, sizeof(c->parts[part].type), "other");
    else if (sort == 5)
        model_set_need(m, model_random(m, m->nmethods));
    else
        c->absent = !c->absent;
}

static inline void edit_model(struct model *m)
{
    switch (model_random(m, 8)) {
    case 0:
        edit_type(m);
        break;
    case 1:
        edit_method(m);
        break;
    case 2:
        edit_constant(m);
        break;
    default:
        edit_fields(m);
    }
}

#endif
