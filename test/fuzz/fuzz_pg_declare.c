/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* An expansion request of whatever shape: a declaration or a refusal, whose plan for an empty database is made, and
 * once that is carried out nothing is left to do. Texts for people are fit for them. */
// LINK: cells/postgres/memory.c cells/postgres/model.c cells/postgres/model_equal.c cells/postgres/sql.c
// LINK: cells/postgres/sql_name.c cells/postgres/sql_normal.c cells/postgres/sql_objects.c cells/postgres/sql_same.c cells/postgres/sql_token.c
// LINK: cells/postgres/type_name.c cells/postgres/types.c cells/postgres/types_back.c cells/postgres/ctype.c
// LINK: cells/postgres/declare.c cells/postgres/declare_field.c cells/postgres/declare_objects.c
// LINK: cells/postgres/declare_rule.c cells/postgres/pattern.c cells/postgres/diagnostic.c cells/postgres/diff.c cells/postgres/diff_check.c
// LINK: cells/postgres/diff_column.c cells/postgres/diff_consent.c cells/postgres/diff_rows.c cells/postgres/diff_fill.c
// LINK: cells/postgres/diff_give_way.c cells/postgres/diff_keys.c cells/postgres/diff_step.c cells/postgres/diff_table.c cells/postgres/diff_advice.c
// LINK: cells/postgres/diff_name.c cells/postgres/diff_replace.c cells/postgres/diff_undeclared.c
// LINK: cells/postgres/diff_begin.c cells/postgres/diff_create.c cells/postgres/diff_order.c cells/postgres/diff_generated.c cells/postgres/diff_kept.c cells/postgres/diff_typed.c cells/postgres/diff_hand.c
// LINK: cells/postgres/diff_numbers.c cells/postgres/diff_outer.c cells/postgres/diff_shape.c
// LINK: cells/postgres/declare_members.c
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "fuzz.h"
#include "core/json.h"
#include "postgres/diff.h"

static void check_texts(const pg_diagnostics *list)
{
    for (uint32_t i = 0; i < list->n; i++)
        for (const char *p = list->at[i].text; *p; p++)
            EXPECT(*p == '\n' || !cell_json_control(p));
    json_t *json = pg_diagnostics_json(list, UINT32_MAX);
    EXPECT(json_array_size(json) == list->n);
    json_decref(json);
}

/* As if the plan had been carried out. */
static void check_again(const struct pg_plan *first, const struct pg_declared *d)
{
    struct pg_model m = {.default_schema = "public", .tables = first->tables, .ntables = 1};
    struct pg_plan *p = NULL;
    m.schemas = (const char **)&first->tables[0].schema;
    m.nschemas = 1;
    m.enums = d->enums;
    m.nenums = d->nenums;
    if (pg_diff(&m, &d, 1, NULL, &p) < 0)
        return;
    check_texts(&p->diagnostics);
    EXPECT(p->nsteps == 0);
    pg_plan_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pg_model m = {.default_schema = "public"};
    struct pg_declared *d = NULL;
    struct pg_plan *p = NULL;
    char why[256];
    json_t *request = json_loadb((const char *)data, size, 0, NULL);
    int r = request ? pg_declare(request, &m, &d, why) : -1;
    if (r == 0) {
        check_texts(&d->diagnostics);
        const struct pg_declared *list[] = {d};
        if (pg_diff(&m, list, 1, NULL, &p) == 0) {
            check_texts(&p->diagnostics);
            bool fine = !pg_has_errors(&d->diagnostics, UINT32_MAX) && !pg_has_errors(&p->diagnostics, UINT32_MAX);
            /* What another struct may lift keeps the plan, which is carried out when one has. */
            EXPECT(p->nsteps == 0 ||
                   (!pg_has_refusals(&d->diagnostics, UINT32_MAX) && !pg_has_refusals(&p->diagnostics, UINT32_MAX)));
            if (fine && d->owned)
                check_again(p, d);
            json_decref(pg_plan_json(p));
        }
    }
    json_decref(request);
    pg_plan_free(p);
    pg_declared_free(d);
    return 0;
}
