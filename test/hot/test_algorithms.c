/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* That the language suffices for real algorithms: the documents here, against values known from elsewhere. */
#include <math.h>
#include <stddef.h>

#include "../unit/test.h"
#include "base/util.h"
#include "interpret.h"

struct loaded {
    struct cell_ast *doc;
    struct ast_machine m;
};

static void load(struct loaded *l, const char *name)
{
    char path[1024], *text = NULL;
    size_t len = 0;
    struct cell_error e = {0};
    *l = (struct loaded){0};
    snprintf(path, sizeof(path), "%s/%s", HOT_DOCUMENTS, name);
    if (cell_file_read(path, CELL_AST_MAX_BYTES, &text, &len, &e) < 0 ||
        cell_ast_parse(text, len, NULL, &l->doc, &e) < 0) {
        printf("%s: %s\n", name, e.text);
        exit(1);
    }
    free(text);
    l->m.doc = l->doc;
}

static void unload(struct loaded *l)
{
    cell_arena_free(&l->m.arena);
    cell_ast_free(l->doc);
}

static int call(struct loaded *l, const char *name, void *const *arguments, void *returns)
{
    const struct ast_function *f = cell_ast_function(l->doc, name);
    if (!f)
        exit(1);
    return hot_interpret(&l->m, f, arguments, returns);
}

static bool near(double a, double b) { return fabs(a - b) <= 1e-12 * fmax(1, fabs(b)); }

TEST(newton_and_brent_find_the_root_of_wallis)
{
    struct loaded l;
    double x0 = 2, low = 0, high = 3, wrong = 1, root = 0;
    load(&l, "roots.json");
    CHECK(call(&l, "newton_root", (void *[]){&x0, &root}, NULL) == CELL_OK && near(root, 2.0945514815423265));
    root = 0;
    CHECK(call(&l, "brent_root", (void *[]){&low, &high, &root}, NULL) == CELL_OK && near(root, 2.0945514815423265));
    root = 7;
    CHECK(call(&l, "brent_root", (void *[]){&low, &wrong, &root}, NULL) == CELL_INVALID_ARGUMENT && root == 7);
    unload(&l);
}

TEST(a_cubic_has_the_roots_that_it_was_made_of)
{
    struct loaded l;
    struct {
        int32_t count;
        double x[3];
    } r;
    load(&l, "roots.json");
    double a = -6, b = 11, c = -6; /* (x - 1)(x - 2)(x - 3) */
    call(&l, "cubic_solve", (void *[]){&a, &b, &c}, &r);
    CHECK(r.count == 3 && near(r.x[0], 1) && near(r.x[1], 2) && near(r.x[2], 3));
    a = -3, b = 4, c = -2; /* (x - 1)(x^2 - 2x + 2) */
    call(&l, "cubic_solve", (void *[]){&a, &b, &c}, &r);
    CHECK(r.count == 1 && near(r.x[0], 1));
    a = 0, b = 0, c = -27;
    call(&l, "cubic_solve", (void *[]){&a, &b, &c}, &r);
    CHECK(r.count == 1 && near(r.x[0], 3));
    unload(&l);
}

static bool is(struct loaded *l, const char *function, const char *text)
{
    cell_str s = cell_strz(text);
    bool result = false;
    CHECK(call(l, function, (void *[]){&s}, &result) == CELL_OK);
    return result;
}

TEST(check_digits_are_checked)
{
    struct loaded l;
    load(&l, "numbers.json");
    CHECK(is(&l, "luhn_valid", "79927398713") && is(&l, "luhn_valid", "4111111111111111"));
    CHECK(!is(&l, "luhn_valid", "79927398710") && !is(&l, "luhn_valid", "4111a11111111111") &&
          !is(&l, "luhn_valid", ""));
    CHECK(is(&l, "isbn13_valid", "9780306406157") && !is(&l, "isbn13_valid", "9780306406158"));
    CHECK(!is(&l, "isbn13_valid", "978030640615") && !is(&l, "isbn13_valid", "978030640615X"));
    CHECK(is(&l, "iban_valid", "GB82WEST12345698765432") && is(&l, "iban_valid", "DE89370400440532013000"));
    CHECK(!is(&l, "iban_valid", "GB82WEST12345698765433") && !is(&l, "iban_valid", "DE8937040044053201300") &&
          !is(&l, "iban_valid", "de89370400440532013000"));
    unload(&l);
}

TEST(mail_addresses_are_told_from_others)
{
    struct loaded l;
    load(&l, "numbers.json");
    CHECK(is(&l, "email_valid", "ada@example.org") && is(&l, "email_valid", "a.b+c@sub.example.co.uk"));
    CHECK(!is(&l, "email_valid", "ada") && !is(&l, "email_valid", "@example.org") && !is(&l, "email_valid", "a@b"));
    CHECK(!is(&l, "email_valid", ".a@b.c") && !is(&l, "email_valid", "a.@b.c") && !is(&l, "email_valid", "a..b@c.d"));
    CHECK(!is(&l, "email_valid", "a@b@c.d") && !is(&l, "email_valid", "a b@c.d") && !is(&l, "email_valid", "a@b_c.d"));
    CHECK(!is(&l, "email_valid", "a@-b.c") && !is(&l, "email_valid", "a@b.c-") && !is(&l, "email_valid", "a@b.c."));
    unload(&l);
}

TEST(phone_numbers_become_digits)
{
    struct loaded l;
    uint8_t digits[15] = {0};
    int32_t count = 0;
    cell_str good = CELL_STR("+49 (30) 1234-567"), bad = CELL_STR("0301234567"), letter = CELL_STR("+49 30 x");
    cell_str many = CELL_STR("+1234567890123456");
    load(&l, "numbers.json");
    CHECK(call(&l, "phone_digits", (void *[]){&good, digits, &count}, NULL) == CELL_OK && count == 11);
    CHECK(memcmp(digits, (uint8_t[]){4, 9, 3, 0, 1, 2, 3, 4, 5, 6, 7}, 11) == 0);
    count = 5;
    CHECK(call(&l, "phone_digits", (void *[]){&bad, digits, &count}, NULL) == CELL_INVALID_ARGUMENT && count == 5);
    CHECK(call(&l, "phone_digits", (void *[]){&letter, digits, &count}, NULL) == CELL_INVALID_ARGUMENT);
    CHECK(call(&l, "phone_digits", (void *[]){&many, digits, &count}, NULL) == CELL_INVALID_ARGUMENT); /* a fault */
    unload(&l);
}

TEST(least_squares_find_the_parabola)
{
    struct loaded l;
    double x[16] = {0}, y[16] = {0}, c[3] = {0};
    int32_t n = 9, none = 0;
    load(&l, "fitting.json");
    for (int i = 0; i < 9; i++) {
        x[i] = i - 4;
        y[i] = 2 - 3 * x[i] + 0.5 * x[i] * x[i];
    }
    CHECK(call(&l, "fit_quadratic", (void *[]){x, y, &n, c}, NULL) == CELL_OK);
    CHECK(near(c[0], 2) && near(c[1], -3) && near(c[2], 0.5));
    CHECK(call(&l, "fit_quadratic", (void *[]){x, y, &none, c}, NULL) == CELL_FAILED_PRECONDITION && near(c[2], 0.5));
    unload(&l);
}

TEST(a_spline_runs_through_its_points)
{
    struct loaded l;
    struct {
        double x[5], y[5], second[5];
    } s;
    double x[] = {0, 1, 2, 3, 4}, y[] = {0, 1, 0, 1, 0}, v = 0;
    load(&l, "fitting.json");
    CHECK(call(&l, "spline_make", (void *[]){x, y, &s}, NULL) == CELL_OK);
    CHECK(near(s.second[0], 0) && near(s.second[4], 0));
    /* second derivatives solve M[i-1] + 4 M[i] + M[i+1] = 6 (y[i-1] - 2 y[i] + y[i+1]) = -12, 12, -12 */
    CHECK(near(4 * s.second[1] + s.second[2], -12) && near(s.second[1] + 4 * s.second[2] + s.second[3], 12) &&
          near(s.second[2] + 4 * s.second[3], -12));
    for (int i = 0; i < 5; i++) {
        CHECK(call(&l, "spline_at", (void *[]){&s, &x[i]}, &v) == CELL_OK);
        CHECK(near(v, y[i]));
    }
    double middle = 0.5; /* (y0 + y1) / 2 - (M0 + M1) / 16 */
    call(&l, "spline_at", (void *[]){&s, &middle}, &v);
    CHECK(near(v, 0.5 - s.second[1] / 16));
    x[2] = 1;
    CHECK(call(&l, "spline_make", (void *[]){x, y, &s}, NULL) == CELL_INVALID_ARGUMENT);
    unload(&l);
}

TEST(the_simplex_method_finds_the_corner)
{
    struct loaded l;
    double c[] = {3, 5}, a[] = {1, 0, 0, 2, 3, 2}, b[] = {4, 12, 18}, best = 0, at[2] = {0}; /* Hillier, Lieberman */
    load(&l, "fitting.json");
    CHECK(call(&l, "simplex2", (void *[]){c, a, b, &best, at}, NULL) == CELL_OK);
    CHECK(near(best, 36) && near(at[0], 2) && near(at[1], 6));
    double open[] = {-1, 0, 0, -1, -1, -1};
    CHECK(call(&l, "simplex2", (void *[]){c, open, b, &best, at}, NULL) == CELL_OUT_OF_RANGE && near(best, 36));
    unload(&l);
}
