/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the diff calls compatible is: a client of the old schema and a server of the new one understand each other. */
#include "test.h"

#include "core/diff.h"
#include "message_random.h"
#include "schema_edit.h"
#include "wire/limits.h"
#include "wire/message.h"

static struct model before, after;

static uint8_t *zeroed(struct cell_arena *a, uint32_t size) { return cell_arena_array(a, 1, size ? size : 1); }

static bool pass(const struct cell_layout *from, const void *in, const struct cell_layout *to, void *out,
                 struct cell_arena *a)
{
    struct cell_buffer b = {0};
    struct cell_error e = {0};
    bool ok = cell_message_encode(from, in, CELL_MAX_MESSAGE, &b, &e) == CELL_OK &&
              cell_message_decode(to, (const uint8_t *)b.data, b.len, a, out, &e) == CELL_OK;
    if (!ok)
        printf("  %s\n", e.text);
    cell_buffer_free(&b);
    return ok;
}

/* The request goes from the old client to the new server, where what it does not say is zero. */
static bool request_arrives(struct filler *f, const struct cell_method *old, const struct cell_method *now)
{
    static const struct arrival strict = {true};
    struct cell_layout from = {old->in, old->nin, old->in_size}, to = {now->in, now->nin, now->in_size};
    uint8_t *in = zeroed(f->arena, from.size), *out = zeroed(f->arena, to.size);
    fill_fields(f, old->in, old->nin, in);
    return old->nin == now->nin && pass(&from, in, &to, out, f->arena) &&
           arrived_params(&strict, old->in, in, now->in, out, old->nin);
}

/* The reply comes back: the client reads what it knows. `arrived` compares in the client's terms. */
static bool reply_arrives(struct filler *f, const struct cell_method *old, const struct cell_method *now)
{
    static const struct arrival known = {false};
    struct cell_layout from = {now->out, now->nout, now->nout * 16}, to = {old->out, old->nout, old->nout * 16};
    uint8_t *in = zeroed(f->arena, from.size), *out = zeroed(f->arena, to.size);
    fill_fields(f, now->out, now->nout, in);
    return old->nout == now->nout && pass(&from, in, &to, out, f->arena) &&
           arrived_params(&known, old->out, out, now->out, in, old->nout);
}

static const struct cell_method *method_of(const struct cell_schema *s, const struct cell_method *methods,
                                           const char *name)
{
    const struct schema_method *m = cell_schema_method(s, name);
    return m ? &methods[m - s->methods] : NULL;
}

struct count {
    unsigned same, compatible, refused;
};

static bool check_methods(struct cell_schema *old, struct cell_schema *now, unsigned seed, struct count *n)
{
    const struct cell_method *old_methods, *now_methods;
    struct cell_diff *d = NULL;
    bool ok = cell_schema_describe(old, &old_methods, NULL) == CELL_OK &&
              cell_schema_describe(now, &now_methods, NULL) == CELL_OK && cell_diff_new(old, now, &d, NULL) == CELL_OK;
    for (uint32_t i = 0; i < old->nmethods && ok; i++) {
        const char *name = old->methods[i].name;
        if (cell_diff_method(d, old, name, NULL) != 0) {
            n->refused++;
            continue;
        }
        const char *now_name = cell_diff_method_now(d, name);
        const struct cell_method *m = now_name ? method_of(now, now_methods, now_name) : NULL;
        ok = m != NULL;
        for (unsigned k = 0; k < 5 && ok; k++) {
            struct cell_arena a = {0};
            struct filler f = {seed * 1000 + k, &a};
            ok = request_arrives(&f, &old_methods[i], m) && reply_arrives(&f, &old_methods[i], m);
            cell_arena_free(&a);
        }
        if (ok && strcmp(old->methods[i].fingerprint, cell_schema_method(now, now_name)->fingerprint) == 0)
            n->same++;
        else if (ok)
            n->compatible++;
        else
            printf("  seed %u: method '%s'\n", seed, name);
    }
    cell_diff_free(d);
    return ok;
}

TEST(what_the_diff_allows_arrives)
{
    struct count n = {0, 0, 0};
    for (unsigned seed = 1; seed <= 1500; seed++) {
        model_new(&before, seed);
        after = before;
        for (unsigned edits = 1 + model_random(&after, 5); edits > 0; edits--)
            model_random(&after, 4) ? edit_fields(&after) : edit_model(&after);
        struct cell_schema *old = model_build(&before), *now = model_build(&after);
        bool ok = check_methods(old, now, seed, &n);
        cell_schema_free(old);
        cell_schema_free(now);
        REQUIRE(ok);
    }
    /* Each of the three is common, or the test would show nothing. */
    printf("  %u methods the same, %u compatible, %u refused\n", n.same, n.compatible, n.refused);
    CHECK(n.same > 500 && n.compatible > 500 && n.refused > 500);
}

TEST(appended_fields_alone_are_refused_only_where_others_move)
{
    struct count n = {0, 0, 0};
    for (unsigned seed = 1; seed <= 500; seed++) {
        model_new(&before, seed);
        after = before;
        for (unsigned edits = 4; edits > 0; edits--) {
            unsigned i = model_find_struct(&after);
            if (i < MODEL_ITEMS && after.types[i].n < MODEL_PARTS)
                model_add_field(&after, i, after.types[i].n);
        }
        struct cell_schema *old = model_build(&before), *now = model_build(&after);
        bool ok = check_methods(old, now, seed, &n);
        cell_schema_free(old);
        cell_schema_free(now);
        REQUIRE(ok);
    }
    printf("  %u methods the same, %u compatible, %u refused\n", n.same, n.compatible, n.refused);
    CHECK(n.compatible > 500);
}
