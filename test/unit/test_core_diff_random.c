/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The diff finds exactly the edits that were made, and what they did to layouts. (Which of its rules a retyped field
 * breaks, test_core_diff.c tells.) */
#include "test.h"

#include "core/diff.h"
#include "schema_edit.h"

/* One line a change, "RULE owner member before now". */
struct lines {
    char *line[512];
    unsigned n;
};

static void add(struct lines *l, const char *rule, const char *owner, const char *member, const char *before,
                const char *now)
{
    struct cell_buffer b = {0};
    cell_buffer_printf(&b, "%s %s %s %s %s", rule, owner, member ? member : "-", before ? before : "-",
                       now ? now : "-");
    l->line[l->n++] = b.data;
}

static void add_numbers(struct lines *l, const char *rule, const char *owner, const char *member, uint32_t before,
                        uint32_t now)
{
    char old_text[16], now_text[16];
    snprintf(old_text, sizeof(old_text), "%u", before);
    snprintf(now_text, sizeof(now_text), "%u", now);
    if (before != now)
        add(l, rule, owner, member, old_text, now_text);
}

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool check_same(struct lines *expected, struct lines *found)
{
    bool same = expected->n == found->n;
    qsort(expected->line, expected->n, sizeof(char *), compare);
    qsort(found->line, found->n, sizeof(char *), compare);
    for (unsigned i = 0; i < expected->n && same; i++)
        same = strcmp(expected->line[i], found->line[i]) == 0;
    for (unsigned i = 0; i < expected->n && !same; i++)
        printf("  expected %s\n", expected->line[i]);
    for (unsigned i = 0; i < found->n && !same; i++)
        printf("  found    %s\n", found->line[i]);
    for (unsigned i = 0; i < expected->n; i++)
        free(expected->line[i]);
    for (unsigned i = 0; i < found->n; i++)
        free(found->line[i]);
    return same;
}

static const struct model_item *item_of(const struct model_item *items, unsigned n, int id)
{
    for (unsigned i = 0; i < n; i++)
        if (items[i].id == id)
            return &items[i];
    return NULL;
}

static const struct model_part *part_of(const struct model_item *item, int id, unsigned *place)
{
    for (*place = 0; *place < item->n; ++*place)
        if (item->parts[*place].id == id)
            return &item->parts[*place];
    return NULL;
}

struct pair {
    const struct model *old_model, *now_model;
    const struct cell_schema *old, *now;
    struct lines expected;
};

/* What the growth of the types that it uses did to a field in place: arrays. */
static void expect_elements(struct pair *p, const char *rule, const char *owner, const struct model_part *old)
{
    char name[32];
    snprintf(name, sizeof(name), "%s", old->type);
    char *bound = strchr(name, '[');
    if (!bound || strcmp(bound, "[1]") == 0)
        return;
    *bound = '\0';
    const struct schema_type *t = cell_schema_type(p->old, name), *now = cell_schema_type(p->now, name);
    if (t && now)
        add_numbers(&p->expected, rule, owner, old->name, t->size, now->size);
}

static void expect_struct(struct pair *p, const struct model_item *old, const struct model_item *now)
{
    const struct schema_type *t = cell_schema_type(p->old, old->name), *u = cell_schema_type(p->now, old->name);
    unsigned k;
    for (unsigned i = 0; i < old->n; i++) {
        const struct model_part *f = &old->parts[i], *g = part_of(now, f->id, &k);
        if (!g) {
            add(&p->expected, "FIELD_NO_DELETE", old->name, f->name, NULL, NULL);
            continue;
        }
        if (strcmp(f->name, g->name) != 0)
            add(&p->expected, "FIELD_SAME_NAME", old->name, f->name, NULL, g->name);
        if (strcmp(f->type, g->type) != 0)
            add(&p->expected, "FIELD_SAME_TYPE", old->name, f->name, f->type, g->type);
        else
            expect_elements(p, "FIELD_SAME_OFFSET", old->name, f);
        add_numbers(&p->expected, "FIELD_SAME_OFFSET", old->name, f->name, t->fields[i].offset, u->fields[k].offset);
    }
    for (unsigned i = 0; i < now->n; i++)
        if (!part_of(old, now->parts[i].id, &k))
            add(&p->expected, "FIELD_ADDED", old->name, now->parts[i].name, NULL, NULL);
}

static void expect_enum(struct pair *p, const struct model_item *old, const struct model_item *now)
{
    unsigned k;
    if (strcmp(old->of, now->of) != 0)
        add(&p->expected, "ENUM_SAME_UNDERLYING_TYPE", old->name, NULL, old->of, now->of);
    for (unsigned i = 0; i < old->n; i++) {
        const struct model_part *v = &old->parts[i], *w = part_of(now, v->id, &k);
        if (!w)
            add(&p->expected, "ENUM_VALUE_NO_DELETE", old->name, v->name, NULL, NULL);
        if (w && strcmp(v->name, w->name) != 0)
            add(&p->expected, "ENUM_VALUE_SAME_NAME", old->name, v->name, NULL, w->name);
        if (w && strcmp(v->type, w->type) != 0)
            add(&p->expected, "ENUM_VALUE_SAME_NUMBER", old->name, v->name, v->type, w->type);
    }
    for (unsigned i = 0; i < now->n; i++)
        if (!part_of(old, now->parts[i].id, &k))
            add(&p->expected, "ENUM_VALUE_ADDED", old->name, now->parts[i].name, NULL, NULL);
}

static void expect_type(struct pair *p, const struct model_item *old)
{
    const struct model_item *now = item_of(p->now_model->types, p->now_model->ntypes, old->id);
    const struct schema_type *t = cell_schema_type(p->old, old->name), *u = cell_schema_type(p->now, old->name);
    char before[64], after[64];
    if (!now) {
        add(&p->expected, "TYPE_NO_DELETE", old->name, NULL, NULL, NULL);
        return;
    }
    if (strcmp(old->word, "struct") == 0) {
        expect_struct(p, old, now);
    } else if (strcmp(old->word, "enum") == 0) {
        expect_enum(p, old, now);
        return;
    } else if (strcmp(old->of, now->of) != 0) {
        snprintf(before, sizeof(before), "%s<%s>", old->word, old->of);
        snprintf(after, sizeof(after), "%s<%s>", now->word, now->of);
        add(&p->expected, "TYPE_SAME_KIND", old->name, NULL, before, after);
        return;
    } else if (strcmp(old->word, "opt") == 0) {
        add_numbers(&p->expected, "FIELD_SAME_OFFSET", old->name, "value", t->align, u->align);
    }
    add_numbers(&p->expected, "TYPE_SAME_SIZE", old->name, NULL, t->size, u->size);
    add_numbers(&p->expected, "TYPE_SAME_ALIGNMENT", old->name, NULL, t->align, u->align);
}

static void expect_slots(struct pair *p, const struct model_item *old)
{
    const struct model_item *now = item_of(p->now_model->methods, p->now_model->nmethods, old->id);
    const struct schema_method *m = cell_schema_method(p->old, old->name), *n = cell_schema_method(p->now, now->name);
    unsigned k;
    for (unsigned i = 0; i < old->n; i++)
        if (!m->params[i].out && part_of(now, old->parts[i].id, &k))
            add_numbers(&p->expected, "RPC_SAME_PARAM_TYPE", old->name, old->parts[i].name, m->params[i].offset,
                        n->params[k].offset);
}

static unsigned travels_at(const struct model_item *method, unsigned place)
{
    unsigned n = 0;
    for (unsigned i = 0; i < place; i++)
        n += method->parts[i].out == method->parts[place].out;
    return n;
}

static void expect_place(struct pair *p, const struct model_item *old, unsigned i, const struct model_item *now,
                         unsigned k)
{
    char old_text[16], now_text[16];
    snprintf(old_text, sizeof(old_text), "%u", i + 1);
    snprintf(now_text, sizeof(now_text), "%u", k + 1);
    if (i != k || travels_at(old, i) != travels_at(now, k))
        add(&p->expected, "RPC_SAME_PARAM_TYPE", old->name, old->parts[i].name, old_text, now_text);
}

static void expect_method(struct pair *p, const struct model_item *old)
{
    const struct model_item *now = item_of(p->now_model->methods, p->now_model->nmethods, old->id);
    bool same = now && old->n == now->n;
    unsigned k;
    if (!now) {
        add(&p->expected, "RPC_NO_DELETE", old->name, NULL, NULL, NULL);
        return;
    }
    if (strcmp(old->name, now->name) != 0)
        add(&p->expected, "RPC_SAME_NAME", old->name, NULL, NULL, now->name);
    if (strcmp(old->word, now->word) != 0)
        add(&p->expected, "RPC_SAME_IDEMPOTENCY_LEVEL", old->name, NULL, old->word[6] ? "idempotent" : "not idempotent",
            now->word[6] ? "idempotent" : "not idempotent");
    for (unsigned i = 0; i < old->n; i++) {
        const struct model_part *x = &old->parts[i], *y = part_of(now, x->id, &k);
        if (!y)
            add(&p->expected, "RPC_PARAM_NO_DELETE", old->name, x->name, NULL, NULL);
        else if (strcmp(x->name, y->name) != 0)
            add(&p->expected, "RPC_SAME_PARAM_NAME", old->name, x->name, NULL, y->name);
        else if (old->n == now->n)
            expect_place(p, old, i, now, k);
        same = same && y && travels_at(old, i) == travels_at(now, k);
    }
    for (unsigned i = 0; i < now->n; i++)
        if (!part_of(old, now->parts[i].id, &k))
            add(&p->expected, "RPC_PARAM_ADDED", old->name, now->parts[i].name, NULL, NULL);
    if (same)
        expect_slots(p, old);
}

static void expect_items(struct lines *l, const char *rule, const struct model_item *now, unsigned n,
                         const struct model_item *old, unsigned nold)
{
    for (unsigned i = 0; i < n; i++)
        if (!item_of(old, nold, now[i].id))
            add(l, rule, now[i].name, NULL, NULL, NULL);
}

static void expect_capability(struct pair *p, const struct model_item *old)
{
    const struct model_item *now = item_of(p->now_model->capabilities, p->now_model->ncapabilities, old->id);
    unsigned k;
    if (!now) {
        add(&p->expected, "CAPABILITY_NO_DELETE", old->name, NULL, NULL, NULL);
        return;
    }
    if (old->absent != now->absent)
        add(&p->expected, now->absent ? "CAPABILITY_NO_LOSS" : "CAPABILITY_GAINED", old->name, NULL, NULL, NULL);
    for (unsigned i = 0; i < old->n; i++) {
        const struct model_part *x = &old->parts[i], *y = part_of(now, x->id, &k);
        if (!y)
            add(&p->expected, "CAPABILITY_PARAM_NO_DELETE", old->name, x->name, NULL, NULL);
        else if (strcmp(x->type, y->type) != 0)
            add(&p->expected, "CAPABILITY_SAME_PARAM", old->name, x->name, x->type, y->type);
    }
    for (unsigned i = 0; i < now->n; i++)
        if (!part_of(old, now->parts[i].id, &k))
            add(&p->expected, "CAPABILITY_PARAM_ADDED", old->name, now->parts[i].name, NULL, NULL);
}

static void expect_needs(struct pair *p, const struct model_item *old)
{
    const struct model_item *now = item_of(p->now_model->methods, p->now_model->nmethods, old->id);
    char before[24] = "nothing", after[24] = "nothing";
    if (!now || strcmp(old->need, now->need) == 0)
        return;
    if (old->need[0])
        snprintf(before, sizeof(before), "'%s'", old->need);
    if (now->need[0])
        snprintf(after, sizeof(after), "'%s'", now->need);
    add(&p->expected, "RPC_SAME_NEEDS", old->name, NULL, before, after);
}

static void expect_all(struct pair *p)
{
    const struct model *a = p->old_model, *b = p->now_model;
    for (unsigned i = 0; i < a->ntypes; i++)
        expect_type(p, &a->types[i]);
    for (unsigned i = 0; i < a->nmethods; i++)
        expect_method(p, &a->methods[i]);
    for (unsigned i = 0; i < a->nconstants; i++) {
        const struct model_item *k = &a->constants[i], *now = item_of(b->constants, b->nconstants, k->id);
        if (!now)
            add(&p->expected, "CONSTANT_NO_DELETE", k->name, NULL, NULL, NULL);
        if (now && strcmp(k->name, now->name) != 0)
            add(&p->expected, "CONSTANT_SAME_NAME", k->name, NULL, NULL, now->name);
        if (now && strcmp(k->of, now->of) != 0)
            add(&p->expected, "CONSTANT_SAME_VALUE", k->name, NULL, k->of, now->of);
    }
    for (unsigned i = 0; i < a->nmethods; i++)
        expect_needs(p, &a->methods[i]);
    for (unsigned i = 0; i < a->ncapabilities; i++)
        expect_capability(p, &a->capabilities[i]);
    expect_items(&p->expected, "CAPABILITY_ADDED", b->capabilities, b->ncapabilities, a->capabilities,
                 a->ncapabilities);
    expect_items(&p->expected, "TYPE_ADDED", b->types, b->ntypes, a->types, a->ntypes);
    expect_items(&p->expected, "RPC_ADDED", b->methods, b->nmethods, a->methods, a->nmethods);
    expect_items(&p->expected, "CONSTANT_ADDED", b->constants, b->nconstants, a->constants, a->nconstants);
}

static struct model before, after;

TEST(diff_finds_exactly_the_edits)
{
    unsigned total = 0;
    for (unsigned seed = 1; seed <= 1000; seed++) {
        model_new(&before, seed);
        model_add_capabilities(&before);
        after = before;
        for (unsigned edits = model_random(&after, 12); edits > 0; edits--)
            model_random(&after, 4) ? edit_model(&after) : edit_capability(&after);
        struct cell_schema *old = model_build(&before), *now = model_build(&after);
        struct pair p = {.old_model = &before, .now_model = &after, .old = old, .now = now};
        struct lines found = {.n = 0};
        struct cell_diff *d = NULL;
        REQUIRE(cell_diff_new(old, now, &d, NULL) == CELL_OK);
        for (uint32_t i = 0; i < d->n; i++)
            add(&found, diff_rule_retyped(d->changes[i].rule) ? "FIELD_SAME_TYPE" : d->changes[i].id,
                d->changes[i].owner, d->changes[i].member, d->changes[i].before, d->changes[i].now);
        expect_all(&p);
        total += found.n;
        bool same = check_same(&p.expected, &found);
        if (!same)
            printf("  seed %u\n", seed);
        cell_diff_free(d);
        cell_schema_free(old);
        cell_schema_free(now);
        REQUIRE(same);
    }
    CHECK(total > 5000); /* the edits are not mostly none */
}

TEST(nothing_differs_from_itself)
{
    for (unsigned seed = 1; seed <= 100; seed++) {
        model_new(&before, seed);
        model_add_capabilities(&before);
        struct cell_schema *a = model_build(&before), *b = model_build(&before);
        struct cell_diff *d = NULL;
        REQUIRE(cell_diff_new(a, b, &d, NULL) == CELL_OK);
        CHECK(d->n == 0 && d->breaks == 0);
        cell_diff_free(d);
        cell_schema_free(a);
        cell_schema_free(b);
    }
}
