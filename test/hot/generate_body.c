/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Statements, functions, documents. */
#include <stdio.h>
#include <string.h>

#include "generate_impl.h"

static void type_name(struct maker *m, enum type t, char *text, size_t size)
{
    if (t == ENUM || t == PAIR || t == ARRAY_PAIR)
        snprintf(text, size, "d%u_%s", m->number, hot_type_names[t]);
    else
        snprintf(text, size, "%s", hot_type_names[t]);
}

static void block(struct maker *m, unsigned depth);

static struct variable *declare(struct maker *m, enum type t)
{
    struct variable *v = &m->variables[m->count];
    snprintf(v->name, sizeof(v->name), "v%u", m->made++);
    v->type = t;
    v->writable = true;
    v->assigned = t >= PAIR;
    return v;
}

static void let(struct maker *m)
{
    char type[32];
    const enum type t = (enum type)below(m, TYPES);
    struct variable *v = declare(m, t);
    type_name(m, t, type, sizeof(type));
    hot_put(m, "[\"let\", \"%s\", \"%s\"", v->name, type);
    if (t < PAIR || (t == PAIR && hot_variable(m, PAIR, false) >= 0 && chance(m, 40))) {
        hot_put(m, ", ");
        hot_value(m, t, 2 + m->size);
        v->assigned = true;
    }
    hot_put(m, "]");
    m->count++;
}

static void assign(struct maker *m)
{
    for (unsigned tries = 0; tries < 6; tries++) {
        const enum type t = (enum type)below(m, SCALARS);
        const size_t before = m->out->len;
        hot_put(m, "[\"=\", ");
        if (hot_place(m, t, true, 2)) {
            hot_put(m, ", ");
            hot_expression(m, t, 2 + m->size);
            hot_put(m, "]");
            return;
        }
        m->out->len = before;
    }
    hot_put(m, "[\"let\", \"v%u\", \"u8\"]", m->made++);
}

static void counted(struct maker *m, unsigned depth)
{
    static const enum type kinds[] = {I32, U32, U64, U8, I64};
    const enum type t = kinds[below(m, 5)];
    const unsigned bound = 1 + below(m, 9), count = m->count;
    char name[16];
    snprintf(name, sizeof(name), "v%u", m->made++);
    hot_put(m, "[\"%s\", \"%s\", ", chance(m, 70) ? "for" : "down", name);
    if (chance(m, 60)) {
        hot_put(m, "{\"%s\": %u}, {\"%s\": %u}", hot_type_names[t], below(m, 3), hot_type_names[t], below(m, 9));
    } else {
        hot_expression(m, t, 2);
        hot_put(m, ", ");
        if (t == U64 && chance(m, 60))
            hot_operands(m, "length", STR, 1, 0);
        else
            hot_expression(m, t, 2);
    }
    hot_put(m, ", %u, ", bound);
    struct variable *v = declare(m, t);
    m->made--;
    memcpy(v->name, name, sizeof(name));
    v->writable = false;
    v->assigned = true;
    m->count++;
    m->loops++;
    block(m, depth);
    m->loops--;
    m->count = count;
    hot_put(m, "]");
}

static void choose(struct maker *m, unsigned depth)
{
    const unsigned count = 1 + below(m, 3);
    const bool otherwise = chance(m, 60);
    const enum type t = chance(m, 50) ? I32 : (enum type)below(m, INTEGERS);
    hot_put(m, "[\"switch\", ");
    hot_expression(m, t, 1 + m->size);
    for (unsigned i = 0; i < count; i++) {
        hot_put(m, ", [%u, %d], ", i * 3, t == U8 || t == U16 || t == U32 || t == U64 ? 100 + (int)i : -1 - (int)i);
        block(m, depth);
    }
    if (otherwise) {
        hot_put(m, ", [], ");
        block(m, depth);
    }
    hot_put(m, "]");
}

static void branch(struct maker *m, unsigned depth)
{
    hot_put(m, "[\"if\"");
    for (unsigned i = 0, n = 1 + below(m, 2); i < n; i++) {
        hot_put(m, ", ");
        hot_expression(m, BOOL, 1 + m->size);
        hot_put(m, ", ");
        block(m, depth);
    }
    if (chance(m, 40)) {
        hot_put(m, ", ");
        block(m, depth);
    }
    hot_put(m, "]");
}

/* The name of a variable to be written; if there is none, one is declared. */
static void target(struct maker *m, enum type t, const char *value, char *name, size_t size)
{
    char type[32];
    int v = hot_variable(m, t, true);
    if (v >= 0 && m->variables[v].assigned) {
        snprintf(name, size, "%s", m->variables[v].name);
        return;
    }
    struct variable *made = declare(m, t);
    type_name(m, t, type, sizeof(type));
    hot_put(m, "[\"let\", \"%s\", \"%s\"", made->name, type);
    if (value)
        hot_put(m, ", %s", value);
    else if (t < PAIR) {
        hot_put(m, ", ");
        hot_expression(m, t, 1);
    }
    hot_put(m, "], ");
    made->assigned = true;
    m->count++;
    snprintf(name, size, "%s", made->name);
}

/* A call of a function with a status. */
static bool attempt(struct maker *m)
{
    char out[16], status[16];
    const size_t before = m->out->len;
    const unsigned count = m->count;
    for (unsigned i = 0; i < m->functions && m->count < 40; i++) {
        const bool look = !m->status || chance(m, 50);
        if (!m->f[i].status || chance(m, 30))
            continue;
        target(m, m->f[i].out, NULL, out, sizeof(out));
        if (look)
            target(m, I32, "0", status, sizeof(status));
        if (look)
            hot_put(m, "[\"status\", \"%s\", ", status);
        else
            hot_put(m, "[\"try\", ");
        hot_put(m, "\"d%u_f%u\"", m->number, i);
        if (hot_arguments(m, i, 2)) {
            hot_put(m, ", \"%s\"]", out);
            return true;
        }
        m->out->len = before;
        m->count = count;
    }
    return false;
}

static void statement(struct maker *m, unsigned depth)
{
    const unsigned kind = below(m, 26);
    if (m->functions && chance(m, 15) && attempt(m))
        return;
    if (kind >= 20 && m->budget >= 5 && hot_guarded(m))
        return;
    if (kind < 6 && m->count < 40)
        let(m);
    else if (kind < 10 || depth == 0 || m->budget < 10)
        assign(m);
    else if (kind < 13)
        branch(m, depth - 1);
    else if (kind < 15)
        counted(m, depth - 1);
    else if (kind < 16)
        choose(m, depth - 1);
    else if (kind < 17 && m->loops)
        hot_put(m, "[\"if\", true, [[\"%s\"]]]", chance(m, 50) ? "break" : "continue");
    else if (kind < 18 && m->status)
        hot_put(m, "[\"if\", %s, [[\"fail\", \"not-found\"]]]", chance(m, 50) ? "[\"isnan\", {\"f64\": 1}]" : "false");
    else if (chance(m, 30)) {
        hot_put(m, "[\"loop\", %u, ", 1 + below(m, 6));
        m->loops++;
        block(m, depth - 1);
        m->loops--;
        hot_put(m, "]");
    } else
        assign(m);
}

static void block(struct maker *m, unsigned depth)
{
    const unsigned count = m->count;
    hot_put(m, "[");
    for (unsigned i = 0, n = 1 + below(m, 3); i < n; i++) {
        hot_put(m, i ? ", " : "");
        statement(m, depth);
    }
    hot_put(m, "]");
    m->count = count;
}

static void parameter(struct maker *m, unsigned self, unsigned i)
{
    char type[32];
    const enum type t = chance(m, 75) ? (enum type)below(m, SCALARS) : (enum type)below(m, TYPES);
    struct variable *v = declare(m, t);
    v->writable = false;
    v->assigned = true;
    m->f[self].params[i] = t;
    m->count++;
    type_name(m, t, type, sizeof(type));
    hot_put(m, "%s{\"name\": \"%s\", \"type\": \"%s\"%s}", i ? ", " : "", v->name, type,
            t == PAIR && chance(m, 50) ? ", \"pointer\": true" : "");
}

/* The output of a function with a status: it has a value from the beginning. */
static void output(struct maker *m, unsigned self, enum type out)
{
    char type[32];
    struct variable *v = declare(m, out);
    type_name(m, out, type, sizeof(type));
    hot_put(m, "%s{\"name\": \"%s\", \"type\": \"%s\", \"dir\": \"out\"}", m->f[self].nparams ? ", " : "", v->name,
            type);
    m->count++;
    hot_put(m, "], \"returns\": \"status\", \"fault\": \"%s\", \"body\": [",
            chance(m, 50) ? "aborted" : "out-of-range");
    if (out < PAIR) {
        hot_put(m, "[\"=\", \"%s\", ", v->name);
        hot_expression(m, out, 1 + m->size);
        hot_put(m, "], ");
        v->assigned = true;
    }
}

static void function(struct maker *m, bool last)
{
    static const unsigned budgets[] = {25, 60, 150}, statements[] = {2, 4, 6};
    char type[32];
    const unsigned self = m->functions;
    m->count = m->made = 0;
    m->loops = 0;
    m->budget = budgets[m->size];
    m->f[self].status = m->status = chance(m, 70);
    m->f[self].nparams = below(m, 4);
    hot_put(m, "{\"name\": \"d%u_f%u\", %s\"params\": [", m->number, self,
            !last && chance(m, 30) ? "\"internal\": true, " : "");
    for (unsigned i = 0; i < m->f[self].nparams; i++)
        parameter(m, self, i);
    const enum type out = (enum type)below(m, m->status ? TYPES : ARRAY_I32);
    m->f[self].out = m->f[self].returns = m->output = m->returns = out;
    if (m->status) {
        output(m, self, out);
    } else {
        type_name(m, out, type, sizeof(type));
        hot_put(m, "], \"returns\": \"%s\", \"body\": [", type);
        if (out == PAIR) /* one of which something can be returned */
            hot_put(m, "[\"let\", \"s\", \"%s\"], ", type);
    }
    for (unsigned i = 0, n = 1 + below(m, statements[m->size]); i < n; i++) {
        hot_put(m, "%u, ", i + 1);
        statement(m, 1 + m->size);
        hot_put(m, ", ");
    }
    hot_put(m, m->status ? "[\"return\"" : "[\"return\", ");
    m->budget = 10 + 10 * m->size;
    if (!m->status)
        hot_value(m, out, 2 + m->size);
    hot_put(m, "]]}");
    m->functions++;
}

static void tables(struct maker *m)
{
    hot_put(m, "\"tables\": [");
    for (unsigned n = chance(m, 40) ? 1 + below(m, 3) : 0; m->ntables < n; m->ntables++) {
        const enum type t = (enum type)below(m, SCALARS);
        const unsigned count = 1 + below(m, 9);
        m->tables[m->ntables].type = t;
        m->tables[m->ntables].count = count;
        hot_put(m, "%s{\"name\": \"d%u_t%u\", \"type\": \"%s[%u]\", \"values\": [", m->ntables ? ", " : "", m->number,
                m->ntables, hot_type_names[t], count);
        for (unsigned i = 0; i < count; i++) {
            hot_put(m, i ? ", " : "");
            hot_literal(m, t, true);
        }
        hot_put(m, "]}");
    }
    hot_put(m, "], ");
}

void hot_generate(struct hot_random *random, unsigned number, struct cell_buffer *out)
{
    static struct maker maker;
    struct maker *m = &maker;
    memset(m, 0, sizeof(*m));
    m->random = random;
    m->out = out;
    m->number = number;
    const unsigned size = hot_below(random, 100);
    m->size = size < 86 ? 0 : size < 98 ? 1 : 2; /* a compiler takes as long as there is text */
    hot_put(
        m,
        "{\"cell.ast\": 1, \"types\": [{\"name\": \"d%u_enum\", \"kind\": \"enum\", \"type\": \"i32\", \"size\": 4, "
        "\"align\": 4, \"values\": [{\"name\": \"d%u_zero\", \"value\": \"0\"}]}, {\"name\": \"d%u_pair\", \"kind\": "
        "\"struct\", \"size\": 40, \"align\": 8, \"fields\": [{\"name\": \"kind\", \"type\": \"i16\", \"offset\": 0}, "
        "{\"name\": \"bytes\", \"type\": \"u8[4]\", \"offset\": 2}, {\"name\": \"x\", \"type\": \"f64\", \"offset\": "
        "8}, "
        "{\"name\": \"text\", \"type\": \"str\", \"offset\": 16}, {\"name\": \"role\", \"type\": \"d%u_enum\", "
        "\"offset\": 32}]}], ",
        number, number, number, number);
    tables(m);
    hot_put(m, "\"functions\": [");
    for (unsigned i = 0, n = 1 + hot_below(random, m->size ? 3 : 2); i < n; i++) {
        hot_put(m, i ? ", " : "");
        function(m, i + 1 == n);
    }
    hot_put(m, "]}");
}
