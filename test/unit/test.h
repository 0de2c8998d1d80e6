/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A unit test program: TEST(name_says_the_behaviour) { CHECK(…); }  and no main. Prints one line a test, "ok NAME" or
 * "not ok NAME", and exits 1 when one failed. An argument runs only the tests whose name contains it. A failed CHECK
 * prints the expression and goes on; REQUIRE leaves the test.
 */
#ifndef CELL_TEST_H
#define CELL_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_case {
    const char *name;
    void (*run)(void);
    struct test_case *next;
};
static struct test_case *test_first, **test_last = &test_first;
static int test_failures;

#define TEST(id)                                                                                                       \
    static void test_##id(void);                                                                                       \
    static struct test_case test_case_##id = {#id, test_##id, NULL};                                                   \
    __attribute__((constructor)) static void test_add_##id(void)                                                       \
    {                                                                                                                  \
        *test_last = &test_case_##id;                                                                                  \
        test_last = &test_case_##id.next;                                                                              \
    }                                                                                                                  \
    static void test_##id(void)

#define CHECK_(cond, leave)                                                                                            \
    do {                                                                                                               \
        if (!(cond)) {                                                                                                 \
            printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #cond);                                                  \
            test_failures++;                                                                                           \
            leave;                                                                                                     \
        }                                                                                                              \
    } while (0)
#define CHECK(cond) CHECK_(cond, )
#define REQUIRE(cond) CHECK_(cond, return)
#define CHECK_STR(a, b)                                                                                                \
    do {                                                                                                               \
        const char *a_ = (a), *b_ = (b);                                                                               \
        if (!a_ || !b_ || strcmp(a_, b_) != 0) {                                                                       \
            printf("%s:%d: failed: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #a, a_ ? a_ : "(null)",            \
                   b_ ? b_ : "(null)");                                                                                \
            test_failures++;                                                                                           \
        }                                                                                                              \
    } while (0)

int main(int argc, char **argv)
{
    int failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (struct test_case *t = test_first; t; t = t->next) {
        if (argc > 1 && !strstr(t->name, argv[1]))
            continue;
        test_failures = 0;
        t->run();
        printf("%s %s\n", test_failures ? "not ok" : "ok", t->name);
        failed += test_failures != 0;
    }
    return failed != 0;
}

#endif
