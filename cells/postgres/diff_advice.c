/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Advice on what is new: columns and tables that are there already are as somebody wanted them. */
#include "diff_parts.h"

static unsigned alignment(const struct pg_column *c)
{
    if (pg_carrier(&c->type)->array)
        return 4;
    switch (pg_carrier(&c->type)->base) {
    case PG_BASE_BOOL:
    case PG_BASE_UUID:
        return 1;
    case PG_BASE_INT2:
        return 2;
    case PG_BASE_INT8:
    case PG_BASE_FLOAT8:
    case PG_BASE_TIME:
    case PG_BASE_TIMESTAMP:
    case PG_BASE_TIMESTAMPTZ:
    case PG_BASE_INTERVAL:
    case PG_BASE_MONEY:
        return 8;
    default:
        return 4;
    }
}

/* 0 for those whose size differs from row to row: short ones are not aligned. */
static unsigned fixed_size(const struct pg_column *c)
{
    if (pg_carrier(&c->type)->array)
        return 0;
    switch (pg_carrier(&c->type)->base) {
    case PG_BASE_BOOL:
        return 1;
    case PG_BASE_UUID:
    case PG_BASE_INTERVAL:
        return 16;
    case PG_BASE_INT4:
    case PG_BASE_FLOAT4:
    case PG_BASE_DATE:
    case PG_BASE_OID:
        return 4;
    default:
        return alignment(c) == 4 ? 0 : alignment(c);
    }
}

/* Bytes of padding between columns of fixed size that another order would not need. */
static void remark_padding(struct diffing *s, const struct pg_table *t)
{
    unsigned at = 0, padding = 0, sum = 0;

    for (uint32_t i = 0; i < t->ncolumns; i++) {
        unsigned size = fixed_size(&t->columns[i]), align = alignment(&t->columns[i]);
        if (size == 0) {
            at = 0; /* what follows may begin anywhere */
            continue;
        }
        padding += (align - at % align) % align;
        at = (at + align - 1) / align * align + size;
        sum += size;
    }
    if (padding >= 8 && padding * 4 >= sum)
        pg_plan_diagnose(s, PG_REMARK, PG_RULE_COLUMN_ALIGNMENT, PG_AT_ANNOTATION,
                         "each row of '%s' has %u bytes of padding: fields of 8 bytes first, then those of 4, 2 and 1, "
                         "leave less",
                         t->name, padding);
}

static void advise_type(struct diffing *s, const struct pg_field *f)
{
    const struct pg_type_use *type = &f->mapping.type;
    enum pg_rule rule;

    if (type->base == PG_BASE_BPCHAR)
        rule = PG_RULE_CHAR_TYPE;
    else if (type->base == PG_BASE_VARCHAR && type->modifier >= 0)
        rule = PG_RULE_VARCHAR_TYPE;
    else if (type->base == PG_BASE_TIMESTAMP)
        rule = PG_RULE_TIMESTAMP_TYPE;
    else
        return;
    pg_plan_diagnose(s, PG_REMARK, rule, pg_at_field(f->name), "%s: %s", f->sql_type ? f->sql_type : f->c.text,
                     pg_rule(rule)->sentence);
}

void pg_advise_column(struct diffing *s, const struct pg_field *f)
{
    const struct pg_column *c = &s->d->table.columns[f->column];

    advise_type(s, f);
    if (c->identity && c->type.base != PG_BASE_INT8)
        pg_plan_diagnose(s, PG_WARNING, PG_RULE_SMALL_KEY, pg_at_field(f->name),
                         "%s will run out of numbers at %s: int64_t does not", f->name,
                         c->type.base == PG_BASE_INT2 ? "32767" : "2147483647");
}

void pg_advise_table(struct diffing *s)
{
    const struct field_turn at_hand = {s->current, NULL, false};
    const field_turns fields = pg_fields_of_table(s);

    for (uint32_t i = 0; i < fields.n; i++) {
        pg_take_turn(s, &fields.at[i]);
        pg_advise_column(s, fields.at[i].field);
    }
    pg_take_turn(s, &at_hand);
    remark_padding(s, &s->w->now);
}

void pg_advise_sequences(struct diffing *s)
{
    for (uint32_t i = 0; i < s->d->nfields; i++) {
        const struct pg_field *f = &s->d->fields[i];
        const struct pg_column *want = &s->d->table.columns[f->column];
        const struct pg_column *now = pg_table_column(&s->w->now, want->name);
        if (want->identity && now && now->identity && now->standard.sql)
            pg_plan_diagnose(s, PG_REMARK, PG_RULE_SERIAL_TYPE, pg_at_field(f->name),
                             "column '%s' has a sequence of its own, which serves as an identity column", want->name);
    }
}
