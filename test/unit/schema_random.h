/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Random schemas and random edits of them, for properties of what compares or translates schemas. Everything in a model
 * has a number that it keeps whatever it is called and wherever it stands, so that a test knows what became of it.
 */
#ifndef CELL_TEST_SCHEMA_RANDOM_H
#define CELL_TEST_SCHEMA_RANDOM_H

#include "schema_build.h"

#define MODEL_PARTS 24
#define MODEL_ITEMS 16

struct model_part { /* a field, a parameter, an enumerator (its value in `type`) */
    int id;
    char name[16], former[16], type[32];
    bool out, pointer;
};

/* A type, a method, a constant (its value in `of`), a capability (its parameters, values in `type`). */
struct model_item {
    int id;
    char name[16], former[16], word[8], of[24];
    struct model_part parts[MODEL_PARTS];
    unsigned n;
    bool edited;     /* a method whose parameters were edited */
    char stream[32]; /* a method's, which is never edited: the type of its records; "" = it has none */
    bool stream_out;
    char need[16]; /* a method's: a capability; "" = none */
    bool absent;   /* a capability */
};

struct model {
    struct model_item types[MODEL_ITEMS], methods[MODEL_ITEMS], constants[MODEL_ITEMS], capabilities[MODEL_ITEMS];
    unsigned ntypes, nmethods, nconstants, ncapabilities;
    int next; /* number for the next thing */
    uint64_t random;
};

static inline unsigned model_random(struct model *m, unsigned below)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (unsigned)((m->random >> 11) % below);
}

static inline const char *model_builtin(struct model *m)
{
    static const char *const names[] = {"bool", "i8",  "u8",  "i16", "u16", "i32",  "u32",
                                        "i64",  "u64", "f32", "f64", "str", "bytes"};
    return names[model_random(m, 13)];
}

/* A type that one of the types before `limit` or a built-in gives. Lists and optionals stand in no array. */
static inline void model_type_text(struct model *m, unsigned limit, bool array, char text[32])
{
    char base[24];
    switch (model_random(m, limit ? 6 : 4)) {
    case 0:
        snprintf(base, sizeof(base), "list<%s>", model_builtin(m));
        break;
    case 1:
        snprintf(base, sizeof(base), "opt<%s>", model_builtin(m));
        break;
    case 2:
    case 3:
        snprintf(base, sizeof(base), "%s", model_builtin(m));
        break;
    default:
        snprintf(base, sizeof(base), "%s", m->types[model_random(m, limit)].name);
    }
    if (array && model_random(m, 4) == 0)
        snprintf(text, 32, "%s[%u]", base, 1 + model_random(m, 3));
    else
        snprintf(text, 32, "%s", base);
}

static inline struct model_part *model_add_part(struct model_item *item, unsigned at, int id, const char *prefix)
{
    struct model_part *p = &item->parts[at];
    memmove(p + 1, p, (item->n - at) * sizeof(*p));
    memset(p, 0, sizeof(*p));
    p->id = id;
    snprintf(p->name, sizeof(p->name), "%s%d", prefix, id);
    item->n++;
    return p;
}

static inline void model_remove_part(struct model_item *item, unsigned at)
{
    memmove(&item->parts[at], &item->parts[at + 1], (item->n - at - 1) * sizeof(item->parts[0]));
    item->n--;
}

/* The index of a struct, MODEL_ITEMS when there is none. */
static inline unsigned model_find_struct(struct model *m)
{
    for (unsigned tries = 0; m->ntypes && tries < 20; tries++) {
        unsigned i = model_random(m, m->ntypes);
        if (strcmp(m->types[i].word, "struct") == 0)
            return i;
    }
    return MODEL_ITEMS;
}

static inline void model_add_field(struct model *m, unsigned type, unsigned at)
{
    struct model_part *p = model_add_part(&m->types[type], at, m->next++, "f");
    model_type_text(m, type, true, p->type);
}

static inline void model_add_type(struct model *m)
{
    unsigned i = m->ntypes, sort = i < 2 ? i : model_random(m, 5);
    struct model_item *t = &m->types[i];
    unsigned of = model_find_struct(m);
    memset(t, 0, sizeof(*t));
    t->id = m->next++;
    snprintf(t->name, sizeof(t->name), "auth_t%d", t->id);
    if (sort == 0) {
        snprintf(t->word, sizeof(t->word), "enum");
        snprintf(t->of, sizeof(t->of), "%s", model_random(m, 2) ? "i32" : "u8");
        for (unsigned k = 0; k < 3; k++) {
            int id = m->next++;
            snprintf(model_add_part(t, t->n, id, "E")->type, 32, "%u", model_random(m, 100));
        }
    } else if (sort <= 2 && of < MODEL_ITEMS) {
        snprintf(t->word, sizeof(t->word), sort == 1 ? "list" : "opt");
        snprintf(t->of, sizeof(t->of), "%s", m->types[of].name);
    } else {
        snprintf(t->word, sizeof(t->word), "struct");
        for (unsigned k = 1 + model_random(m, 5); k > 0; k--)
            model_add_field(m, i, t->n);
    }
    m->ntypes++;
}

/* Arrays and structs by pointer or (structs) by value; what comes out is always by pointer. */
static inline void model_param_type(struct model *m, struct model_part *p)
{
    unsigned s = model_find_struct(m);
    p->pointer = p->out || model_random(m, 3) == 0;
    if (!p->pointer)
        model_type_text(m, m->ntypes, false, p->type);
    else if (s < MODEL_ITEMS && model_random(m, 2))
        snprintf(p->type, sizeof(p->type), "%s", m->types[s].name);
    else
        snprintf(p->type, sizeof(p->type), "%s[%u]", model_builtin(m), 1 + model_random(m, 3));
}

static inline void model_add_param(struct model *m, struct model_item *method, unsigned at)
{
    struct model_part *p = model_add_part(method, at, m->next++, "p");
    p->out = model_random(m, 3) == 0;
    model_param_type(m, p);
}

static inline void model_add_method(struct model *m)
{
    struct model_item *method = &m->methods[m->nmethods++];
    memset(method, 0, sizeof(*method));
    method->id = m->next++;
    snprintf(method->name, sizeof(method->name), "auth_m%d", method->id);
    snprintf(method->word, sizeof(method->word), "method%s", model_random(m, 2) ? "!" : "");
    method->edited = true;
    for (unsigned k = model_random(m, 5); k > 0; k--)
        model_add_param(m, method, method->n);
    unsigned record = model_random(m, 3) == 0 ? model_find_struct(m) : MODEL_ITEMS;
    method->stream_out = model_random(m, 2);
    if (record < MODEL_ITEMS)
        snprintf(method->stream, sizeof(method->stream), "%s", m->types[record].name);
    else if (model_random(m, 4) == 0)
        snprintf(method->stream, sizeof(method->stream), "%s", model_builtin(m));
}

static inline void model_add_constant(struct model *m)
{
    struct model_item *k = &m->constants[m->nconstants++];
    memset(k, 0, sizeof(*k));
    k->id = m->next++;
    snprintf(k->name, sizeof(k->name), "AUTH_K%d", k->id);
    snprintf(k->of, sizeof(k->of), "%u", model_random(m, 1000));
}

static inline void model_add_capability_param(struct model *m, struct model_item *c)
{
    int id = m->next++;
    snprintf(model_add_part(c, c->n, id, "p")->type, 32, "%u", model_random(m, 1000));
}

static inline void model_add_capability(struct model *m)
{
    struct model_item *c = &m->capabilities[m->ncapabilities++];
    memset(c, 0, sizeof(*c));
    c->id = m->next++;
    c->absent = model_random(m, 3) == 0;
    snprintf(c->name, sizeof(c->name), "c%d", c->id);
    for (unsigned k = model_random(m, 4); k > 0; k--)
        model_add_capability_param(m, c);
}

/* Another capability that method `i` needs, or none. */
static inline void model_set_need(struct model *m, unsigned i)
{
    unsigned at = model_random(m, m->ncapabilities + 1);
    snprintf(m->methods[i].need, sizeof(m->methods[i].need), "%s",
             at < m->ncapabilities ? m->capabilities[at].name : "");
}

/* Apart from model_new: clients' descriptors do not tell them. */
static inline void model_add_capabilities(struct model *m)
{
    for (unsigned i = 0; i < 4; i++)
        model_add_capability(m);
    for (unsigned i = 0; i < m->nmethods; i++)
        model_set_need(m, i);
}

static inline void model_new(struct model *m, uint64_t seed)
{
    memset(m, 0, sizeof(*m));
    m->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (unsigned i = 0; i < 8; i++)
        model_random(m, 2);
    m->next = 1;
    for (unsigned i = 0; i < 8; i++)
        model_add_type(m);
    for (unsigned i = 0; i < 5; i++)
        model_add_method(m);
    for (unsigned i = 0; i < 3; i++)
        model_add_constant(m);
    for (unsigned i = 0; i < m->nmethods; i++)
        m->methods[i].edited = false;
}

static inline void model_put_parts(const struct model_item *item, bool values, struct cell_buffer *b)
{
    for (unsigned k = 0; k < item->n; k++) {
        const struct model_part *p = &item->parts[k];
        bool former = p->former[0] != '\0';
        if (values)
            cell_buffer_printf(b, " %s=%s%s%s", p->name, p->type, former ? "<" : "", p->former);
        else
            cell_buffer_printf(b, " %s%s%s:%s%s%s", p->out ? ">" : "", p->type, p->pointer ? "*" : "", p->name,
                               former ? "<" : "", p->former);
    }
    if (item->need[0])
        cell_buffer_printf(b, " ~%s", item->need);
    if (item->stream[0])
        cell_buffer_printf(b, " %s%s+:stream", item->stream_out ? ">" : "", item->stream);
    cell_buffer_puts(b, " ;\n");
}

static inline struct cell_schema *model_build(const struct model *m)
{
    struct cell_buffer b = {0};
    for (unsigned i = 0; i < m->ntypes; i++) {
        const struct model_item *t = &m->types[i];
        cell_buffer_printf(&b, "%s %s %s", t->word, t->name, t->of);
        model_put_parts(t, strcmp(t->word, "enum") == 0, &b);
    }
    for (unsigned i = 0; i < m->nconstants; i++) {
        const struct model_item *k = &m->constants[i];
        cell_buffer_printf(&b, "const %s%s%s i64 %s ;\n", k->name, k->former[0] ? "<" : "", k->former, k->of);
    }
    for (unsigned i = 0; i < m->nmethods; i++) {
        const struct model_item *method = &m->methods[i];
        cell_buffer_printf(&b, "%s %s%s%s", method->word, method->name, method->former[0] ? "<" : "", method->former);
        model_put_parts(&m->methods[i], false, &b);
    }
    for (unsigned i = 0; i < m->ncapabilities; i++) {
        const struct model_item *c = &m->capabilities[i];
        cell_buffer_printf(&b, "capability%s %s", c->absent ? "!" : "", c->name);
        model_put_parts(c, true, &b);
    }
    struct cell_schema *s = build_schema(b.data);
    cell_buffer_free(&b);
    return s;
}

#endif
