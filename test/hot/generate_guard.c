/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Statements that lean on what the verifier must prove: a condition around the border of what an operation needs, and
 * that operation where the condition holds, or does not, or was true a moment ago. */
#include <stdio.h>

#include "generate_impl.h"

static const char *const relations[] = {"<", "<=", ">", ">=", "==", "!="};

/* A variable to be guarded: an integer or float, and what it is needed for. */
struct guard {
    const char *name;
    enum type type, result; /* result: of the operation */
    enum { INDEX, BYTE, DIVISOR, COUNT, ARITHMETIC, CAST, NOT_NAN } use;
    char object[48]; /* the array or string */
    const char *operation;
    unsigned border; /* where the condition should be; with BYTE the length is it */
    bool loose;      /* the comparison may be any one */
};

static void number(struct maker *m, enum type t, int value)
{
    const bool is_signed = t == I8 || t == I16 || t == I32 || t == I64 || t >= F32;
    if (value < 0 && !is_signed)
        value = 0;
    if (t == F32 || t == F64)
        hot_put(m, "{\"%s\": \"%d\"}", hot_type_names[t], value);
    else
        hot_put(m, "{\"%s\": %d}", hot_type_names[t], value);
}

/* Around the border, and mostly right. */
static void above(struct maker *m, const struct guard *g)
{
    const char *relation = g->loose ? relations[below(m, 6)] : chance(m, 50) ? "<" : "<=";
    const bool text = g->use == BYTE && chance(m, 85);
    if (text && g->type != U64 && g->type != I64) {
        hot_put(m, "[\"%s\", [\"u64\", \"%s\"], [\"length\", %s]]", g->loose ? relation : "<", g->name, g->object);
        return;
    }
    hot_put(m, "[\"%s\", \"%s\", ", text && !g->loose ? "<" : relation, g->name);
    if (text)
        hot_put(m, g->type == U64 ? "[\"length\", %s]" : "[\"i64\", [\"length\", %s]]", g->object);
    else
        number(m, g->type, (int)g->border - (relation[1] == '=') + (g->loose ? (int)below(m, 3) - 1 : 0));
    hot_put(m, "]");
}

static void low(struct maker *m, const struct guard *g)
{
    const char *relation = g->loose ? relations[below(m, 6)] : ">=";
    const int least = g->use == DIVISOR ? 1 : 0;
    hot_put(m, "[\"%s\", \"%s\", ", relation, g->name);
    number(m, g->type, least - (g->loose && chance(m, 40)));
    hot_put(m, "]");
}

static void condition(struct maker *m, const struct guard *g)
{
    const char *both = g->loose && chance(m, 25) ? "||" : "&&";
    if (g->use == NOT_NAN) {
        static const char *const tests[] = {"[\"isfinite\", \"%s\"]", "[\"!\", [\"isnan\", \"%s\"]]",
                                            "[\"==\", \"%s\", \"%s\"]", "[\"<\", \"%s\", {\"f64\": \"3\"}]"};
        const unsigned test = below(m, g->type == F64 ? 4 : 3);
        hot_put(m, test == 2 ? tests[2] : tests[test], g->name, g->name);
    } else if (g->use == DIVISOR && chance(m, 40)) {
        hot_put(m, "[\"!=\", \"%s\", ", g->name);
        number(m, g->type, g->loose && chance(m, 30));
        hot_put(m, "]");
    } else if (chance(m, 20)) { /* the other way about */
        hot_put(m, "[\"!\", [\"%s\", [\"!\", ", both[0] == '&' ? "||" : "&&");
        low(m, g);
        hot_put(m, "], [\"!\", ");
        above(m, g);
        hot_put(m, "]]]");
    } else {
        hot_put(m, "[\"%s\", ", both);
        low(m, g);
        hot_put(m, ", ");
        above(m, g);
        if (chance(m, 15)) {
            hot_put(m, ", ");
            hot_expression(m, BOOL, 1);
        }
        hot_put(m, "]");
    }
}

/* The operation, a value of g->result. */
static void use(struct maker *m, const struct guard *g)
{
    const unsigned moved = g->loose && chance(m, 20) ? 1 : 0; /* by one more than the condition says */
    switch (g->use) {
    case INDEX:
    case BYTE:
        hot_put(m, "[\"%s\", %s, ", g->use == INDEX ? "[]" : "byte", g->object);
        if (moved)
            hot_put(m, "[\"%s\", ", chance(m, 50) ? "+" : "-");
        hot_put(m, "\"%s\"", g->name);
        if (moved) {
            hot_put(m, ", ");
            number(m, g->type, 1);
            hot_put(m, "]");
        }
        hot_put(m, "]");
        break;
    case CAST:
        hot_put(m, "[\"%s\", \"%s\"]", hot_type_names[g->result], g->name);
        break;
    case NOT_NAN:
        if (g->result == BOOL)
            hot_put(m, "[\"signbit\", \"%s\"]", g->name);
        else
            hot_operands(m, g->operation, g->type, 1, 1);
        if (g->result != BOOL) { /* the variable is the second operand */
            m->out->len--;
            hot_put(m, ", \"%s\"]", g->name);
        }
        break;
    default: /* DIVISOR, COUNT: the right operand; ARITHMETIC: either one */
        hot_put(m, "[\"%s\", ", g->operation);
        if (g->use == ARITHMETIC && chance(m, 50)) {
            hot_put(m, "\"%s\", ", g->name);
            number(m, g->type, (int)below(m, 5) - 1);
        } else {
            hot_expression(m, g->result, 1);
            hot_put(m, ", \"%s\"", g->name);
        }
        hot_put(m, "]");
    }
}

/* An array or string that can be named. */
static bool choose_object(struct maker *m, struct guard *g)
{
    static const enum type arrays[] = {ARRAY_I32, ARRAY_F64};
    const unsigned kind = below(m, 4);
    if (kind < 2) {
        const int v = hot_variable(m, arrays[kind], false);
        if (v >= 0) {
            snprintf(g->object, sizeof(g->object), "\"%s\"", m->variables[v].name);
            g->border = kind == 0 ? 8 : 5;
            g->result = kind == 0 ? I32 : F64;
            g->use = INDEX;
            return true;
        }
    }
    if (kind == 2 && m->ntables) {
        const unsigned t = below(m, m->ntables);
        snprintf(g->object, sizeof(g->object), "\"d%u_t%u\"", m->number, t);
        g->border = m->tables[t].count;
        g->result = m->tables[t].type;
        g->use = INDEX;
        return true;
    }
    const int v = hot_variable(m, STR, false);
    if (v >= 0)
        snprintf(g->object, sizeof(g->object), "\"%s\"", m->variables[v].name);
    g->border = 3;
    g->result = U8;
    g->use = BYTE;
    return v >= 0;
}

static bool choose_use(struct maker *m, struct guard *g)
{
    static const char *const pairs[] = {"fmin", "fmax", "copysign"}, *const arithmetic[] = {"+", "-", "*"};
    g->result = g->type;
    if (g->type == F32 || g->type == F64) {
        g->use = chance(m, 50) ? CAST : NOT_NAN;
        g->result = g->use == CAST ? (enum type)below(m, INTEGERS) : chance(m, 30) ? BOOL : g->type;
        g->operation = pairs[below(m, 3)];
        static const unsigned ends[] = {128, 256, 32768, 65536, 1000000000, 1000000000, 1000000000, 1000000000};
        g->border = g->use == CAST ? ends[g->result] : 0;
        return true;
    }
    switch (below(m, 7)) {
    case 0:
        g->use = DIVISOR;
        g->operation = chance(m, 50) ? "/" : "%";
        g->border = 100;
        return true;
    case 1: {
        static const unsigned widths[] = {8, 8, 16, 16, 32, 32, 64, 64};
        g->use = COUNT;
        g->result = (enum type)below(m, INTEGERS);
        g->operation = chance(m, 50) ? "<<" : ">>";
        g->border = widths[g->result];
        return true;
    }
    case 2:
        g->use = ARITHMETIC;
        g->operation = arithmetic[below(m, 3)];
        g->border = 1 + below(m, 120);
        return true;
    default:
        return choose_object(m, g);
    }
}

/* Ends what follows. */
static void leave(struct maker *m)
{
    if (m->loops && chance(m, 50)) {
        hot_put(m, "[[\"%s\"]]", chance(m, 50) ? "break" : "continue");
    } else if (m->status) {
        hot_put(m, "[[\"fail\", \"not-found\"]]");
    } else {
        hot_put(m, "[[\"return\", ");
        hot_value(m, m->returns, 2);
        hot_put(m, "]]");
    }
}

static void let_result(struct maker *m, const struct guard *g, bool after_all)
{
    const unsigned made = m->made++;
    hot_put(m, "[\"let\", \"v%u\", \"%s\", ", made, hot_type_names[g->result]);
    use(m, g);
    hot_put(m, "]");
    const int out = hot_variable(m, m->output, true); /* so that it is seen from outside */
    if (m->status && out >= 0 && m->output <= F64 && g->result <= F64)
        hot_put(m, ", [\"=\", \"%s\", [\"%s\", \"v%u\"]]", m->variables[out].name, hot_type_names[m->output], made);
    if (after_all) {
        struct variable *v = &m->variables[m->count++];
        snprintf(v->name, sizeof(v->name), "v%u", made);
        v->type = g->result;
        v->writable = v->assigned = true;
    }
}

/* A counter from or to around the border, up or down. */
static void guarded_loop(struct maker *m, struct guard *g)
{
    const bool down = chance(m, 40);
    char name[16];
    snprintf(name, sizeof(name), "v%u", m->made++);
    g->name = name;
    hot_put(m, "[\"%s\", \"%s\", ", down ? "down" : "for", name);
    char end[80];
    if (g->use == BYTE && g->type == U64)
        snprintf(end, sizeof(end), "[\"length\", %s]", g->object);
    else
        snprintf(end, sizeof(end), "{\"%s\": %u}", hot_type_names[g->type], g->border + (g->loose && chance(m, 30)));
    if (down)
        hot_put(m, "%s, ", end);
    number(m, g->type, (g->use == DIVISOR) - (g->loose && chance(m, 30)));
    if (!down)
        hot_put(m, ", %s", end);
    hot_put(m, ", %u, [", 1 + below(m, 9));
    m->loops++;
    if (chance(m, 30)) {
        hot_put(m, "[\"if\", ");
        hot_expression(m, BOOL, 2);
        hot_put(m, ", ");
        leave(m);
        hot_put(m, "], ");
    }
    let_result(m, g, false);
    m->loops--;
    hot_put(m, "]]");
}

static void guarded_switch(struct maker *m, const struct guard *g)
{
    const unsigned first = below(m, 3);
    hot_put(m, "[\"switch\", \"%s\", [", g->name);
    for (unsigned i = 0, n = 1 + below(m, 3); i < n; i++)
        hot_put(m, "%s%u", i ? ", " : "", first + i * (1 + below(m, 2)));
    hot_put(m, "], [");
    let_result(m, g, false);
    hot_put(m, "]");
    if (chance(m, 50)) {
        hot_put(m, ", [], ");
        leave(m);
    }
    hot_put(m, "]");
}

bool hot_guarded(struct maker *m)
{
    static const enum type types[] = {I32, U32, U8, U64, I64, I16, I8, U16, F64, F32};
    struct guard g = {.type = types[below(m, 10)], .loose = m->status ? chance(m, 40) : chance(m, 10)};
    char name[16];
    if (m->count + 3 > sizeof(m->variables) / sizeof(m->variables[0]) || !choose_use(m, &g))
        return false;
    const unsigned form = below(m, 6);
    if (form == 0 && g.type < F32 && g.use != COUNT && g.border < 128) {
        guarded_loop(m, &g);
        return true;
    }
    const int old = hot_variable(m, g.type, false);
    if (old >= 0) {
        g.name = m->variables[old].name;
    } else {
        snprintf(name, sizeof(name), "v%u", m->made++);
        hot_put(m, "[\"let\", \"%s\", \"%s\", ", name, hot_type_names[g.type]);
        hot_expression(m, g.type, 2);
        hot_put(m, "], ");
        g.name = name;
    }
    if (form == 1 && g.type < F32) {
        guarded_switch(m, &g);
    } else if (form == 2) {
        hot_put(m, "[\"if\", [\"!\", ");
        condition(m, &g);
        hot_put(m, "], ");
        leave(m);
        hot_put(m, "], ");
        let_result(m, &g, true);
    } else if (form == 3) {
        hot_put(m, "[\"let\", \"v%u\", \"%s\", [\"?:\", ", m->made++, hot_type_names[g.result]);
        condition(m, &g);
        hot_put(m, ", ");
        use(m, &g);
        hot_put(m, ", ");
        hot_expression(m, g.result, 0);
        hot_put(m, "]]");
    } else {
        hot_put(m, "[\"if\", ");
        condition(m, &g);
        hot_put(m, ", [");
        let_result(m, &g, false);
        hot_put(m, "]]");
    }
    return true;
}
