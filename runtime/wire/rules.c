/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wire/rules.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "wire/integer.h"
#include "wire/walk.h"

#define PATTERN_SHOWN 100 /* bytes of a pattern in a message */

bool cell_pattern_matches(const struct cell_pattern *p, const void *text, size_t len)
{
    const unsigned char *t = text;
    size_t state = p->start;
    for (size_t i = 0; i < len && state; i++) {
        size_t at = state * p->nclasses + p->classes[t[i]];
        state = p->wide ? p->next[2 * at] | (size_t)p->next[2 * at + 1] << 8 : p->next[at];
    }
    return state >= p->accepting;
}

size_t cell_utf8_length(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

/* ---- what rules say ---- */

static double real_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* The fewest digits that give the number again. */
static void put_real(double value, char text[32])
{
    for (int digits = 6; digits <= 17; digits++) {
        double again = 0;
        snprintf(text, 32, "%.*g", digits, value);
        if (sscanf(text, "%lf", &again) != 1 || again == value)
            break;
    }
    if (isnan(value)) /* some have a sign */
        snprintf(text, 32, "nan");
    if (!isfinite(value))
        return;
    size_t n = 0; /* whatever the program's locale has for a point */
    for (const char *p = text; *p; p++)
        if (strchr("0123456789+-e", *p))
            text[n++] = *p;
        else if (n == 0 || text[n - 1] != '.')
            text[n++] = '.';
    text[n] = '\0';
}

static void put_bound(const struct cell_rule *rule, uint64_t value, char text[32])
{
    if (rule->kind == CELL_RULE_SIGNED)
        snprintf(text, 32, "%" PRId64, (int64_t)value);
    else if (rule->kind == CELL_RULE_REAL)
        put_real(real_of(value), text);
    else
        snprintf(text, 32, "%" PRIu64, value);
}

void cell_rule_open_ends(const struct cell_rule *rule, uint32_t kind, bool *no_low, bool *no_high)
{
    static const int64_t most[] = {INT8_MAX, INT16_MAX, INT32_MAX, INT64_MAX};
    static const uint64_t umost[] = {UINT8_MAX, UINT16_MAX, UINT32_MAX, UINT64_MAX};
    *no_low = *no_high = false;
    if (rule->kind == CELL_RULE_LENGTH) {
        *no_low = rule->low == 0;
        *no_high = rule->high == UINT64_MAX;
    } else if (rule->kind == CELL_RULE_SIGNED && kind >= CELL_KIND_I8 && kind <= CELL_KIND_I64) {
        *no_low = (int64_t)rule->low == -most[(kind - CELL_KIND_I8) / 2] - 1;
        *no_high = (int64_t)rule->high == most[(kind - CELL_KIND_I8) / 2];
    } else if (rule->kind == CELL_RULE_UNSIGNED && kind >= CELL_KIND_U8 && kind <= CELL_KIND_U64) {
        *no_low = rule->low == 0;
        *no_high = rule->high == umost[(kind - CELL_KIND_U8) / 2];
    }
}

/* " characters" */
static const char *unit_of(const struct cell_rule *rule, uint32_t kind, bool one)
{
    if (rule->kind != CELL_RULE_LENGTH)
        return "";
    switch (kind) {
    case CELL_KIND_STR:
        return one ? " character" : " characters";
    case CELL_KIND_BYTES:
        return one ? " byte" : " bytes";
    default:
        return one ? " element" : " elements";
    }
}

void cell_rule_says(const struct cell_rule *rule, uint32_t kind, char text[CELL_RULE_TEXT])
{
    const char *verb = rule->kind == CELL_RULE_LENGTH ? "must have" : "must be";
    char low[32], high[32];
    bool no_low, no_high;
    if (rule->kind == CELL_RULE_FUNCTION) {
        snprintf(text, CELL_RULE_TEXT, "must satisfy %s", rule->function->name);
        return;
    }
    if (rule->kind == CELL_RULE_PATTERN) {
        size_t len = strlen(rule->pattern->text), shown = len < PATTERN_SHOWN ? len : PATTERN_SHOWN;
        while (shown < len && ((unsigned char)rule->pattern->text[shown] & 0xc0) == 0x80)
            shown--;
        snprintf(text, CELL_RULE_TEXT, "must match the pattern %.*s%s", (int)shown, rule->pattern->text,
                 shown < len ? "..." : "");
        return;
    }
    put_bound(rule, rule->low, low);
    put_bound(rule, rule->high, high);
    cell_rule_open_ends(rule, kind, &no_low, &no_high);
    bool one = rule->high == 1 || (no_high && rule->low == 1);
    const char *unit = unit_of(rule, kind, one);
    if (rule->low == rule->high)
        snprintf(text, CELL_RULE_TEXT, "%s %s%s%s", verb, *unit ? "exactly " : "", low, unit);
    else if (no_low)
        snprintf(text, CELL_RULE_TEXT, "%s at most %s%s", verb, high, unit);
    else if (no_high)
        snprintf(text, CELL_RULE_TEXT, "%s at least %s%s", verb, low, unit);
    else
        snprintf(text, CELL_RULE_TEXT, "%s %s to %s%s", verb, low, high, unit);
}

/* ---- checking ---- */

struct checking {
    struct cell_walk walk;
    const char *message; /* of the broken rule; NULL = the walk's reason is what the rule says */
    unsigned depth;      /* names and indexes in the path */
};

static int check_fields(struct checking *c, const struct cell_field *fields, uint32_t n, const uint8_t *p);
static int check_type(struct checking *c, const struct cell_type *type, const struct cell_rule *rules, bool element,
                      const uint8_t *p);

static int break_rule(struct checking *c, const struct cell_rule *rule, uint32_t kind, const char *but)
{
    char says[CELL_RULE_TEXT];
    cell_rule_says(rule, kind, says);
    c->message = rule->message;
    return cell_walk_fail(&c->walk, CELL_INVALID_ARGUMENT, "%s%s%s", says, *but ? ", not " : "", but);
}

static bool load_real(uint32_t kind, const uint8_t *p, double *value)
{
    float f;
    if (kind == CELL_KIND_F64) {
        memcpy(value, p, sizeof(*value));
        return true;
    }
    if (kind != CELL_KIND_F32)
        return false;
    memcpy(&f, p, sizeof(f));
    *value = (double)f;
    return true;
}

static int check_number(struct checking *c, const struct cell_rule *rule, uint32_t kind, const uint8_t *p)
{
    char but[32];
    uint64_t value = 0;
    double real = 0;
    bool within = true;
    if (rule->kind == CELL_RULE_REAL) {
        if (!load_real(kind, p, &real))
            return CELL_OK;
        within = real >= real_of(rule->low) && real <= real_of(rule->high);
    } else if (!cell_integer_load(kind, p, &value)) {
        return CELL_OK;
    } else if (rule->kind == CELL_RULE_SIGNED) {
        within = (int64_t)value >= (int64_t)rule->low && (int64_t)value <= (int64_t)rule->high;
    } else {
        within = value >= rule->low && value <= rule->high;
    }
    if (within)
        return CELL_OK;
    if (rule->kind == CELL_RULE_REAL)
        memcpy(&value, &real, sizeof(value));
    put_bound(rule, value, but);
    return break_rule(c, rule, kind, but);
}

static int check_length(struct checking *c, const struct cell_rule *rule, uint32_t kind, const struct cell_ref *ref)
{
    char but[32];
    uint64_t n = ref->len;
    if (kind != CELL_KIND_STR && kind != CELL_KIND_BYTES && kind != CELL_KIND_LIST)
        return CELL_OK;
    if (n && !ref->ptr)
        return CELL_OK;
    if (kind == CELL_KIND_STR)
        n = cell_utf8_length(ref->ptr, n);
    if (n >= rule->low && n <= rule->high)
        return CELL_OK;
    snprintf(but, sizeof(but), "%" PRIu64, n);
    return break_rule(c, rule, kind, but);
}

/* Whether all texts in a value are there that a function could look at; optionals, lists and bytes it cannot. */
static bool is_whole(const struct cell_type *type, const uint8_t *p)
{
    struct cell_ref ref;
    if (type->kind == CELL_KIND_STR) {
        memcpy(&ref, p, sizeof(ref));
        return ref.ptr || !ref.len;
    }
    for (uint32_t i = 0; type->kind == CELL_KIND_STRUCT && i < type->nfields; i++) {
        const struct cell_field *f = &type->fields[i];
        for (uint32_t k = 0; k < (f->count ? f->count : 1); k++)
            if (!is_whole(f->type, p + f->offset + (size_t)k * f->type->size))
                return false;
    }
    return true;
}

static int check_value(struct checking *c, const struct cell_rule *rule, const struct cell_type *type, const uint8_t *p)
{
    struct cell_ref ref; /* a text, bytes or a list */
    switch (rule->kind) {
    case CELL_RULE_SIGNED:
    case CELL_RULE_UNSIGNED:
    case CELL_RULE_REAL:
        return check_number(c, rule, type->kind, p);
    case CELL_RULE_LENGTH:
        memcpy(&ref, p, sizeof(ref));
        return check_length(c, rule, type->kind, &ref);
    case CELL_RULE_PATTERN:
        if (type->kind != CELL_KIND_STR)
            return CELL_OK;
        memcpy(&ref, p, sizeof(ref));
        if ((ref.len && !ref.ptr) || cell_pattern_matches(rule->pattern, ref.ptr, ref.len))
            return CELL_OK;
        return break_rule(c, rule, type->kind, "");
    case CELL_RULE_FUNCTION:
        return !is_whole(type, p) || rule->function->check(p) ? CELL_OK : break_rule(c, rule, type->kind, "");
    default:
        return CELL_OK;
    }
}

static int check_elements(struct checking *c, const struct cell_type *type, const struct cell_rule *rules,
                          const void *elements, uint64_t n)
{
    bool looks = rules || type->kind >= CELL_KIND_STRUCT;
    for (uint64_t i = 0; looks && elements && i < n; i++) {
        int r = check_type(c, type, rules, true, (const uint8_t *)elements + i * type->size);
        if (r < 0) {
            c->depth++;
            cell_walk_index(&c->walk, i);
            return r;
        }
    }
    return CELL_OK;
}

/* A value and what it is made of, which nests no deeper than CELL_MAX_DEPTH. The length that a rule speaks of is the
 * list's, not its elements'. */
static int check_type(struct checking *c, const struct cell_type *type, const struct cell_rule *rules, bool element,
                      const uint8_t *p)
{
    struct cell_ref list;
    int r = CELL_OK;
    bool own = false; /* there are rules for elements */
    switch (type->kind) {
    case CELL_KIND_STRUCT:
        r = check_fields(c, type->fields, type->nfields, p);
        for (const struct cell_rule *rule = rules; rule && rule->kind && r == CELL_OK; rule++)
            r = rule->kind == CELL_RULE_FUNCTION ? check_value(c, rule, type, p) : CELL_OK;
        return r;
    case CELL_KIND_OPT:
        return *p == 1 ? check_type(c, type->elem, rules, element, p + cell_opt_offset(type)) : CELL_OK;
    case CELL_KIND_LIST:
        for (const struct cell_rule *rule = rules; rule && rule->kind && r == CELL_OK; rule++) {
            own |= rule->kind != CELL_RULE_LENGTH;
            if (rule->kind == CELL_RULE_LENGTH)
                r = check_value(c, rule, type, p);
        }
        memcpy(&list, p, sizeof(list));
        return r < 0 ? r : check_elements(c, type->elem, own ? rules : NULL, list.ptr, list.len);
    default:
        for (const struct cell_rule *rule = rules; rule && rule->kind && r == CELL_OK; rule++)
            r = element && rule->kind == CELL_RULE_LENGTH ? CELL_OK : check_value(c, rule, type, p);
        return r;
    }
}

static int check_field(struct checking *c, const struct cell_field *f, const uint8_t *p)
{
    struct cell_ref ref;
    const uint8_t *at = p + f->offset;
    if (f->flags & CELL_FIELD_REF) {
        memcpy(&ref, at, sizeof(ref));
        if (!ref.ptr)
            return CELL_OK;
        at = ref.ptr;
    }
    return f->count ? check_elements(c, f->type, f->rules, at, f->count) : check_type(c, f->type, f->rules, false, at);
}

static int check_fields(struct checking *c, const struct cell_field *fields, uint32_t n, const uint8_t *p)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!(fields[i].flags & CELL_FIELD_RULED))
            continue;
        int r = check_field(c, &fields[i], p);
        if (r < 0) {
            c->depth++;
            cell_walk_name(&c->walk, fields[i].name);
            return r;
        }
    }
    return CELL_OK;
}

static int finish(const struct checking *c, int r, struct cell_error *e)
{
    const char *path = c->walk.path + c->walk.begin;
    if (!c->message)
        return cell_error_set(e, r, "%s %s", path, c->walk.reason);
    if (c->depth > 1)
        return cell_error_set(e, r, "%s: %s", path, c->message);
    return cell_error_set(e, r, "%s", c->message);
}

int cell_rules_check(const struct cell_field *fields, uint32_t n, const void *in, struct cell_error *e)
{
    struct checking c; /* not initialised as a whole: its texts are big */
    c.message = NULL;
    c.depth = 0;
    cell_walk_begin(&c.walk);
    int r = check_fields(&c, fields, n, in);
    return r < 0 ? finish(&c, r, e) : r;
}

int cell_rules_check_records(const struct cell_field *stream, const void *records, uint64_t n, uint64_t *good,
                             struct cell_error *e)
{
    struct checking c; /* not initialised as a whole: its texts are big */
    int r = CELL_OK;
    uint64_t i = 0;
    c.message = NULL;
    c.depth = 0;
    cell_walk_begin(&c.walk);
    for (; r == CELL_OK && i < n; i++)
        r = check_type(&c, stream->type, stream->rules, false, (const uint8_t *)records + i * stream->type->size);
    if (good)
        *good = r < 0 ? i - 1 : n;
    if (r == CELL_OK)
        return CELL_OK;
    c.depth++;
    cell_walk_name(&c.walk, stream->name);
    return finish(&c, r, e);
}
