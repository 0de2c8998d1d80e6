/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The interpreter's limits, and that it tells where a proof is wrong. What it computes, test/hot compares. */
#include "test.h"

#include "ast_document.h"
#include "core/ast_run.h"

struct run {
    struct cell_ast *doc;
    struct ast_machine m;
    int32_t result;
};

static int run(struct run *r, const char *text, int32_t i, cell_str s, uint64_t steps, uint64_t memory)
{
    struct cell_error e = {0};
    uint64_t u = 3;
    double d = 0.5;
    int32_t a[8] = {0}, o = 0;
    struct point {
        double x;
        int32_t n[3], hue;
    } p = {0};
    *r = (struct run){.m = {.steps = steps, .memory = memory}};
    CHECK(ast_parse(text, NULL, &r->doc, &e) == CELL_OK);
    CHECK_STR(e.text, "");
    if (!r->doc)
        exit(1);
    r->m.doc = r->doc;
    const struct ast_function *f = cell_ast_function(r->doc, "f");
    return cell_ast_run(&r->m, f, (void *[]){&i, &u, &d, &s, &p, a, &o}, &r->result);
}

static void end(struct run *r)
{
    cell_arena_free(&r->m.arena);
    cell_ast_free(r->doc);
}

#define COUNTS                                                                                                         \
    AST_VALUE("['let', 'n', 'i32', 0], ['loop', 1000, [['=', 'n', ['+', 'n', 1]], ['if', ['==', 'n', 'i'], "           \
              "[['break']]]]], ['return', 'n']")

TEST(steps_are_bounded)
{
    struct run r;
    CHECK(run(&r, COUNTS, 10, CELL_STR(""), 1000, 100000) == CELL_OK && r.result == 10);
    end(&r);
    CHECK(run(&r, COUNTS, 2000, CELL_STR(""), 1000000, 100000) == CELL_OK && r.result == 1000);
    CHECK(r.m.steps < 1000000 - 5000 && !r.m.stopped);
    end(&r);
    CHECK(run(&r, COUNTS, 2000, CELL_STR(""), 1000, 100000) == CELL_TOO_LARGE && r.m.stopped == CELL_TOO_LARGE);
    CHECK(r.m.steps == 0);
    end(&r);
    /* A body without statements, and a text that is looked at as a whole. */
    CHECK(run(&r, AST_VALUE("['loop', 1000000, []], ['return', 1]"), 0, CELL_STR(""), 1000, 100000) == CELL_TOO_LARGE);
    end(&r);
    static const char many[100000];
    CHECK(run(&r, AST_VALUE("['return', ['i32', ['find', 's', 's']]]"), 0, (cell_str){many, sizeof(many)}, 1000000,
              100000) == CELL_TOO_LARGE);
    end(&r);
}

TEST(memory_is_bounded)
{
    struct run r;
    static const char digits[] = "00000000000000000000000000000000000000000000000000000000000000000000000000000012";
    const cell_str text = {digits, sizeof(digits) - 1};
    static const char parse[] = AST_VALUE("['return', ['i32', ['parse_i64', 's', {'i64': '0'}]]]");
    CHECK(run(&r, parse, 0, text, 1000, 100000) == CELL_OK && r.result == 12);
    const uint64_t used = 100000 - r.m.memory;
    end(&r);
    for (uint64_t memory = 0; memory < used; memory++) {
        CHECK(run(&r, parse, 0, text, 1000, memory) == CELL_TOO_LARGE && r.m.stopped == CELL_TOO_LARGE);
        end(&r);
    }
    CHECK(run(&r, parse, 0, text, 1000, used) == CELL_OK && r.result == 12);
    end(&r);
}

TEST(calls_stop_with_what_they_call)
{
    struct run r;
    static const char calls[] = AST_STATUS(
        "['let', 'r', 'i32', 0], ['=', 'o', 0], ['status', 'r', 'half', 'i', 'o'], ['try', 'half', 'i', 'o']");
    CHECK(run(&r, calls, 6, CELL_STR(""), 1000, 100000) == CELL_OK);
    const uint64_t used = 1000 - r.m.steps;
    end(&r);
    for (uint64_t steps = 0; steps < used; steps++) {
        CHECK(run(&r, calls, 6, CELL_STR(""), steps, 100000) == CELL_TOO_LARGE);
        end(&r);
    }
}

/* As if the verifier had been wrong. */
static struct ast_node *find(const struct ast_node *n, enum ast_op op)
{
    struct ast_node *found = NULL;
    for (uint32_t i = 0; i < n->nargs && !found; i++)
        found = n->args[i]->op == op ? n->args[i] : find(n->args[i], op);
    return found;
}

static void check_unsound(const char *text, enum ast_op op, int32_t i, const char *why)
{
    struct run r;
    int32_t a[8] = {0}, o = 0;
    uint64_t u = 0;
    double d = 0;
    cell_str s = CELL_STR("abc");
    double p[3] = {0};
    run(&r, text, 1, s, 1000, 100000);
    cell_arena_free(&r.m.arena);
    const struct ast_function *f = cell_ast_function(r.doc, "f");
    find(f->body, op)->proven |= AST_IN_BOUNDS | AST_NO_OVERFLOW;
    r.m = (struct ast_machine){.doc = r.doc, .steps = 1000, .memory = 100000};
    CHECK(cell_ast_run(&r.m, f, (void *[]){&i, &u, &d, &s, p, a, &o}, &r.result) == CELL_INTERNAL);
    CHECK(r.m.stopped == CELL_INTERNAL && r.m.unsound && r.m.unsound_at);
    if (r.m.unsound)
        CHECK_STR(r.m.unsound, why);
    end(&r);
}

TEST(wrong_proofs_are_told_and_nothing_is_read_out_of_bounds)
{
    check_unsound(AST_STATUS("['=', 'o', ['[]', 'a', 'i']]"), AST_ELEMENT, 8, "the index is out of range");
    check_unsound(AST_STATUS("['=', 'o', ['i32', ['byte', 's', 'i']]]"), AST_BYTE, 3, "the index is out of the string");
    check_unsound(AST_STATUS("['=', 'o', ['/', 7, 'i']]"), AST_DIV, 0, "the divisor is 0");
    check_unsound(AST_VALUE("['return', ['+', 'i', 1]]"), AST_ADD, INT32_MAX, "the result wraps");
}
