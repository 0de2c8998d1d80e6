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
    if (t < PAIR) {
        hot_put(m, ", ");
        hot_expression(m, t, 4);
        v->assigned = true;
    } else if (t == PAIR) {
        int from = hot_variable(m, PAIR, false);
        if (from >= 0 && chance(m, 30))
            hot_put(m, ", \"%s\"", m->variables[from].name);
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
            hot_expression(m, t, 4);
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
    hot_put(m, "[\"switch\", ");
    hot_expression(m, I32, 3);
    for (unsigned i = 0; i < count; i++) {
        hot_put(m, ", [%u, %d], ", i * 3, -1 - (int)i);
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
        hot_expression(m, BOOL, 3);
        hot_put(m, ", ");
        block(m, depth);
    }
    if (chance(m, 40)) {
        hot_put(m, ", ");
        block(m, depth);
    }
    hot_put(m, "]");
}

/* A call of a function with a status. */
static bool attempt(struct maker *m)
{
    for (unsigned i = 0; i < m->functions; i++) {
        const int out = m->f[i].status ? hot_variable(m, m->f[i].out, true) : -1;
        const int status = hot_variable(m, I32, true);
        const bool look = !m->status || chance(m, 50);
        if (out < 0 || (look && (status < 0 || !m->variables[out].assigned)))
            continue;
        if (look)
            hot_put(m, "[\"status\", \"%s\", ", m->variables[status].name);
        else
            hot_put(m, "[\"try\", ");
        hot_put(m, "\"d%u_f%u\"", m->number, i);
        for (unsigned k = 0; k < m->f[i].nparams; k++) {
            hot_put(m, ", ");
            hot_expression(m, m->f[i].params[k], 2);
        }
        hot_put(m, ", \"%s\"]", m->variables[out].name);
        return true;
    }
    return false;
}

static void statement(struct maker *m, unsigned depth)
{
    const unsigned kind = below(m, 20);
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
    else if (kind < 19 && attempt(m))
        return;
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

static void function(struct maker *m)
{
    char type[32];
    const unsigned self = m->functions;
    m->count = m->made = 0;
    m->loops = 0;
    m->budget = 150;
    m->f[self].status = m->status = chance(m, 70);
    m->f[self].nparams = below(m, 4);
    hot_put(m, "{\"name\": \"d%u_f%u\", \"params\": [", m->number, self);
    for (unsigned i = 0; i < m->f[self].nparams; i++) {
        const enum type t = (enum type)below(m, SCALARS);
        struct variable *v = declare(m, t);
        v->writable = false;
        v->assigned = true;
        m->f[self].params[i] = t;
        m->count++;
        hot_put(m, "%s{\"name\": \"%s\", \"type\": \"%s\"}", i ? ", " : "", v->name, hot_type_names[t]);
    }
    const enum type out = m->f[self].out = m->f[self].returns = (enum type)below(m, m->status ? TYPES : SCALARS);
    type_name(m, out, type, sizeof(type));
    if (m->status) {
        struct variable *v = declare(m, out);
        hot_put(m, "%s{\"name\": \"%s\", \"type\": \"%s\", \"dir\": \"out\"}", m->f[self].nparams ? ", " : "", v->name,
                type);
        m->count++;
        hot_put(m, "], \"returns\": \"status\", \"fault\": \"%s\", \"body\": [",
                chance(m, 50) ? "aborted" : "out-of-range");
        if (out < PAIR) {
            hot_put(m, "[\"=\", \"%s\", ", v->name);
            hot_expression(m, out, 3);
            hot_put(m, "], ");
            v->assigned = true;
        }
    } else {
        hot_put(m, "], \"returns\": \"%s\", \"body\": [", type);
    }
    for (unsigned i = 0, n = 2 + below(m, 6); i < n; i++) {
        hot_put(m, "%u, ", i + 1);
        statement(m, 3);
        hot_put(m, ", ");
    }
    hot_put(m, m->status ? "[\"return\"" : "[\"return\", ");
    m->budget = 30;
    if (!m->status)
        hot_expression(m, out, 4);
    hot_put(m, "]]}");
    m->functions++;
}

void hot_generate(struct hot_random *random, unsigned number, struct cell_buffer *out)
{
    static struct maker maker;
    struct maker *m = &maker;
    memset(m, 0, sizeof(*m));
    m->random = random;
    m->out = out;
    m->number = number;
    hot_put(
        m,
        "{\"cell.ast\": 1, \"types\": [{\"name\": \"d%u_enum\", \"kind\": \"enum\", \"type\": \"i32\", \"size\": 4, "
        "\"align\": 4, \"values\": [{\"name\": \"d%u_zero\", \"value\": \"0\"}]}, {\"name\": \"d%u_pair\", \"kind\": "
        "\"struct\", \"size\": 40, \"align\": 8, \"fields\": [{\"name\": \"kind\", \"type\": \"i16\", \"offset\": 0}, "
        "{\"name\": \"bytes\", \"type\": \"u8[4]\", \"offset\": 2}, {\"name\": \"x\", \"type\": \"f64\", \"offset\": "
        "8}, "
        "{\"name\": \"text\", \"type\": \"str\", \"offset\": 16}, {\"name\": \"role\", \"type\": \"d%u_enum\", "
        "\"offset\": 32}]}], \"functions\": [",
        number, number, number, number);
    for (unsigned i = 0, n = 1 + hot_below(random, 3); i < n; i++) {
        hot_put(m, i ? ", " : "");
        function(m);
    }
    hot_put(m, "]}");
}
