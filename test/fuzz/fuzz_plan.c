/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The documents that go with plans: expansions that have one, states, requests to carry plans out and reports of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "core/json.h"
#include "core/lock.h"
#include "core/schema.h"

static void check_error(const struct cell_error *e, int status)
{
    EXPECT(status < 0 && e->status == status && e->text[0]);
    for (const char *p = e->text; *p; p++)
        EXPECT(!cell_json_control(p));
}

/* What is printed must not steer a terminal. */
static void check_text(const char *text, const char *allowed)
{
    EXPECT(text);
    for (const char *p = text; *p; p++)
        EXPECT(!cell_json_control(p) || strchr(allowed, *p));
}

static void check_place(const struct expansion_place *place)
{
    EXPECT(place->at <= INT32_MAX && place->length <= INT32_MAX);
    EXPECT(place->has_at ? place->field != NULL : !place->at && !place->length);
    if (place->field)
        check_text(place->field, "");
}

static void check_diagnostic(const struct expansion_diagnostic *d)
{
    check_text(d->text, "\n");
    check_place(&d->place);
    for (uint32_t i = 0; i < d->nnotes; i++) {
        check_text(d->notes[i].text, "\n");
        check_place(&d->notes[i].place);
    }
    for (uint32_t i = 0; i < d->fix.nargs; i++)
        EXPECT(d->fix.name && d->fix.args[i]);
}

/* What a lock keeps of an answer is an answer that declares the same, and keeping that changes nothing. */
static void check_kept(const char *json, size_t size, const struct cell_expansion *x)
{
    struct cell_buffer once = {0}, twice = {0};
    struct cell_expansion *kept = NULL;
    EXPECT(cell_lock_document(json, size, &once, NULL) == CELL_OK);
    EXPECT(cell_expansion_parse(once.data, once.len, NULL, &kept, NULL) == CELL_OK);
    EXPECT(!kept->plan.id && !kept->ndiagnostics && kept->content->ntypes == x->content->ntypes &&
           kept->content->nmethods == x->content->nmethods && kept->content->nconstants == x->content->nconstants);
    EXPECT(cell_lock_document(once.data, once.len, &twice, NULL) == CELL_OK);
    EXPECT(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    cell_expansion_free(kept);
    cell_buffer_free(&once);
    cell_buffer_free(&twice);
}

static void check_expansion(const char *json, size_t size)
{
    struct cell_expansion *x = NULL;
    struct cell_error e = {0};
    int r = cell_expansion_parse(json, size, NULL, &x, &e);
    if (r != CELL_OK) {
        check_error(&e, r);
        return;
    }
    EXPECT(!x->plan.id == !x->plan.nsteps);
    for (uint32_t i = 0; i < x->plan.nsteps; i++) {
        check_text(x->plan.steps[i].text, "\n\t");
        check_text(x->plan.steps[i].kind, "");
        EXPECT(!x->plan.steps[i].hazard || x->plan.steps[i].hazard[0]);
    }
    for (uint32_t i = 0; i < x->ndiagnostics; i++)
        check_diagnostic(&x->diagnostics[i]);
    check_kept(json, size, x);
    cell_expansion_free(x);
}

static void check_applied(const char *json, size_t size, uint32_t requests)
{
    struct cell_applied *a = NULL;
    struct cell_error e = {0};
    int r = cell_applied_parse(json, size, requests, &a, &e);
    if (r != CELL_OK) {
        check_error(&e, r);
        return;
    }
    EXPECT(a->ndone <= requests && (a->failed ? a->failed_at < requests : a->ndone == requests));
    EXPECT(!a->state[0] || cell_is_state(a->state, strlen(a->state)));
    if (a->failed)
        check_diagnostic(&a->failure);
    cell_applied_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *json = (const char *)data;
    char token[CELL_STATE_MAX + 1] = "";
    struct cell_error e = {0};
    uint32_t requests = 0;
    check_expansion(json, size);
    check_applied(json, size, 1);
    check_applied(json, size, 3);
    int r = cell_state_parse(json, size, token, &e);
    if (r == CELL_OK)
        EXPECT(cell_is_state(token, strlen(token)));
    else
        check_error(&e, r);
    e = (struct cell_error){0};
    r = cell_apply_request_check(json, size, &requests, &e);
    if (r == CELL_OK)
        EXPECT(requests > 0);
    else
        check_error(&e, r);
    return 0;
}
