/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A program's own methods for the cell "demo" of call_fixture.h: rows of a struct of the program's, and a cell that
 * understands bindings like "insert". */
#ifndef CELL_TEST_BOUND_FIXTURE_H
#define CELL_TEST_BOUND_FIXTURE_H

#include "call/server_parts.h"
#include "call_fixture.h"

struct row {
    uint64_t id;
    cell_str name;
    int32_t marks[3];
};
struct find_in {
    uint64_t id;
    struct cell_ref row; /* goes in and comes out */
    uint32_t more;
};

static const struct cell_field row_fields[] = {FIELD(struct row, id, cell_type_u64),
                                               FIELD(struct row, name, cell_type_str),
                                               {"marks", &cell_type_i32, offsetof(struct row, marks), 3, 0, 0}};
static const struct cell_type row_type = {"row", CELL_KIND_STRUCT, sizeof(struct row), 8, 3, row_fields, NULL};
#define OUT_REF (CELL_FIELD_REF | CELL_FIELD_OUT)
static const struct cell_field row_in[] = {{"row", &row_type, 0, 0, CELL_FIELD_REF, 0}};
static const struct cell_field row_out[] = {{"row", &row_type, 0, 0, OUT_REF, 0}};
static const struct cell_field find_in[] = {FIELD(struct find_in, id, cell_type_u64),
                                            {"row", &row_type, offsetof(struct find_in, row), 0, CELL_FIELD_REF, 0},
                                            FIELD(struct find_in, more, cell_type_u32)};
static const struct cell_field find_out[] = {{"before", &row_type, 0, 0, OUT_REF, 0},
                                             {"row", &row_type, 16, 0, OUT_REF, 0},
                                             {"after", &row_type, 32, 0, OUT_REF, 0}};
static const struct cell_field n_in[] = {{"n", &cell_type_u64, 0, 0, 0, 0}};
static const struct cell_field row_stream = {"rows", &row_type, 0, 0, 0, 0};

/* X(name, in, nin, out, nout, in_size, flags, stream, binding) */
#define ROW_METHODS(X)                                                                                                 \
    X(row_all, n_in, 1, NULL, 0, 8, 0, &row_stream, "all")                                                             \
    X(row_bad, NULL, 0, NULL, 0, 0, 0, NULL, "bad")                                                                    \
    X(row_find, find_in, 3, find_out, 3, sizeof(struct find_in), 0, NULL, "find")                                      \
    X(row_insert, row_in, 1, row_out, 1, 16, 0, NULL, "insert")                                                        \
    X(row_load, NULL, 0, row_out, 1, 0, CELL_METHOD_WRITES, &row_stream, "load")                                       \
    X(row_wait, n_in, 1, NULL, 0, 8, 0, NULL, "wait")
enum {
#define ROW_ID(name, in, nin, out, nout, size, flags, stream, binding) name,
    ROW_METHODS(ROW_ID) ROW_COUNT
#undef ROW_ID
};
#define ROW_METHOD(name, in, nin, out, nout, size, flags, stream, binding)                                             \
    {#name, in, out, nin, nout, size, flags, NULL, stream, binding},
static const struct cell_method row_methods[] = {ROW_METHODS(ROW_METHOD)};
static char row_fingerprint[65];
static struct cell_service rows = {CELL_DESC_ABI, ROW_COUNT, "demo", row_fingerprint, row_methods, NULL, NULL};

/* ---- the cell's side ---- */

/* What the callbacks tell tests, and are told. */
static struct {
    atomic_int binds, unbinds, alive, invokes, most_alive;
    atomic_int hold_bind;      /* bind waits while it is set */
    atomic_int fail_bind;      /* a status; for one bind */
    atomic_int unbind_in_bind; /* bind calls cell_server_unbind */
    sem_t binding;             /* posted when a bind has begun */
    struct cell_server *server;
    char last_method[128];
} seen;

struct bound_thing {
    char what[32];
    const struct cell_method *method;
    atomic_int uses, gone;
};

static UNUSED int bind_row(cell_ctx *c, const struct cell_method *method, void **bound)
{
    int status = atomic_exchange(&seen.fail_bind, 0);
    sem_post(&seen.binding);
    while (atomic_load(&seen.hold_bind) && !cell_ctx_cancelled(c))
        usleep(300);
    if (atomic_load(&seen.unbind_in_bind))
        cell_server_unbind(seen.server);
    if (status < 0)
        return status;
    if (!method->binding || strlen(method->binding) >= 32 || strcmp(method->binding, "bad") == 0)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "%s: its binding means nothing", method->name);
    struct bound_thing *t = calloc(1, sizeof(*t));
    strcpy(t->what, method->binding);
    t->method = method;
    atomic_fetch_add(&seen.binds, 1);
    atomic_fetch_add(&seen.alive, 1);
    *bound = t;
    return 0;
}

static UNUSED void unbind_row(void *user, void *bound)
{
    struct bound_thing *t = bound;
    CHECK(user && strcmp(user, "the user") == 0);
    CHECK(atomic_load(&t->uses) == 0 && !atomic_exchange(&t->gone, 1));
    CHECK_STR(t->method->binding, t->what); /* the descriptor is still there */
    atomic_fetch_add(&seen.unbinds, 1);
    atomic_fetch_sub(&seen.alive, 1);
    free(t);
}

static int all_rows(cell_ctx *c, uint64_t n)
{
    int r = 0;
    for (uint64_t i = 0; r >= 0 && i < n; i++) {
        struct row one = {i, CELL_STR("one of all"), {1, 2, (int32_t)i}};
        r = cell_stream_put(cell_ctx_stream(c), &one, 1);
    }
    return r;
}

static int load_rows(cell_ctx *c, struct row *out)
{
    struct row one;
    int n = 0, r;
    while ((r = cell_stream_next(cell_ctx_stream(c), &one)) > 0) {
        out->id += one.id + one.name.len;
        n++;
    }
    return r < 0 ? r : n;
}

static UNUSED int invoke_row(cell_ctx *c, const struct cell_method *method, void *bound, const void *in,
                             void *const *out)
{
    struct bound_thing *t = bound;
    int r = 0;
    CHECK(!atomic_load(&t->gone) && t->method == method && strcmp(t->what, method->binding) == 0);
    atomic_fetch_add(&t->uses, 1);
    atomic_fetch_add(&seen.invokes, 1);
    if (strcmp(t->what, "insert") == 0) {
        struct row *row = out[0];
        const struct row *given = ((const struct cell_ref *)in)->ptr;
        CHECK(row->name.ptr == given->name.ptr && row->marks[1] == given->marks[1]); /* it begins as it came */
        row->id = 42;
        r = given->id == 7 ? cell_fail(c, CELL_ALREADY_EXISTS, "there is a row 7") : 3;
    } else if (strcmp(t->what, "find") == 0) {
        const struct find_in *f = in;
        const struct row *given = f->row.ptr;
        ((struct row *)out[0])->id = f->id;
        ((struct row *)out[1])->name = cell_ctx_printf(c, "<%.*s>", CELL_FMT(given->name));
        ((struct row *)out[2])->id = f->more;
    } else if (strcmp(t->what, "all") == 0) {
        r = all_rows(c, *(const uint64_t *)in);
    } else if (strcmp(t->what, "load") == 0) {
        r = load_rows(c, out[0]);
    } else if (strcmp(t->what, "wait") == 0 && *(const uint64_t *)in == 2) {
        cell_server_unbind(cell_ctx_user(c) ? seen.server : NULL);
    } else if (strcmp(t->what, "wait") == 0 && *(const uint64_t *)in) {
        sem_post(&shared->entered);
        while (!atomic_load(&shared->release))
            usleep(300);
    }
    CHECK(!atomic_load(&t->gone));
    atomic_fetch_sub(&t->uses, 1);
    return r;
}

static const struct cell_bound_ops row_ops = {bind_row, invoke_row, unbind_row, NULL, NULL, NULL};

/* Calls of a method, begun or done, those included that only a thread of the server has counted yet. */
static UNUSED uint64_t counted_calls(struct cell_server *s, const struct method_counters *n, bool done)
{
    pthread_mutex_lock(&s->lock);
    uint64_t calls =
        done ? cell_server_counted(s, n, offsetof(struct method_counters, done), offsetof(struct tally, done))
             : cell_server_counted(s, n, offsetof(struct method_counters, calls), offsetof(struct tally, calls));
    pthread_mutex_unlock(&s->lock);
    return calls;
}

/* A server that takes bindings; started, unless its only client is in this process. */
static UNUSED void bound_setup(struct demo_server *d, bool run)
{
    demo_setup();
    memset(&seen, 0, sizeof(seen));
    sem_init(&seen.binding, 0, 0);
    free(embed_schema(&rows, row_fingerprint));
    if (!d->options.bound)
        d->options.bound = &row_ops;
    d->options.user = (void *)(uintptr_t)"the user";
    demo_new(d);
    seen.server = d->server;
    if (run)
        demo_start(d);
}

static UNUSED void bound_teardown(struct demo_server *d, bool run)
{
    if (run)
        demo_stop(d);
    else
        demo_free(d);
    CHECK(atomic_load(&seen.alive) == 0 && atomic_load(&seen.binds) == atomic_load(&seen.unbinds));
    sem_destroy(&seen.binding);
    demo_teardown();
}

/* ---- the program's side ---- */

static UNUSED int call_insert(cell_ctx *c, struct row *row)
{
    const struct cell_ref in = {row, 1};
    void *const out[] = {row};
    return cell_call(c, &rows, row_insert, &in, out);
}
static UNUSED int call_wait(cell_ctx *c, uint64_t how) { return cell_call(c, &rows, row_wait, &how, NULL); }
static UNUSED int call_bad(cell_ctx *c) { return cell_call(c, &rows, row_bad, NULL, NULL); }

#endif
