/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: cells/auth/email.c cells/auth/failure.c
#include "auth/email.h"
#include "test.h"

static int normalize(const char *text, char out[EMAIL_MAX + 1])
{
    struct failure f = {{0}, 0};

    out[0] = '\0';
    int r = email_normalize(text, strlen(text), out, &f);
    CHECK(r >= 0 || f.text[0] != '\0');
    return r;
}

TEST(addresses_are_folded_to_lower_case)
{
    char out[EMAIL_MAX + 1];

    CHECK(normalize("Ada.Lovelace+Tag@Example.ORG", out) == CELL_OK);
    CHECK_STR(out, "ada.lovelace+tag@example.org");
    CHECK(normalize("root@localhost", out) == CELL_OK);
    CHECK_STR(out, "root@localhost");
    CHECK(normalize("!#$%&'*+-/=?^_`{|}~@x-1.y", out) == CELL_OK);
}

TEST(malformed_addresses_are_refused)
{
    static const char *const bad[] = {
        "",
        "ada",
        "@",
        "@example.org",
        "ada@",
        "ada@@example.org",
        "a@b@c",
        ".a@b",
        "a.@b",
        "a..b@c",
        "a b@c",
        "a@b c",
        "a@-b",
        "a@b-",
        "a@b-.c",
        "a@.b",
        "a@b.",
        "a@b..c",
        "\"a b\"@c",
        "a@[127.0.0.1]",
        "a@b\n",
        "a\n@b",
        "ad\xc3\xa1@b",
        "a@b\xc3\xa1",
        "a(comment)@b.org",
        "a@b_c",
        "a,b@c",
        "<a@b>",
    };
    char out[EMAIL_MAX + 1];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (normalize(bad[i], out) != CELL_INVALID_ARGUMENT)
            printf("accepted: %s\n", bad[i]);
        CHECK(normalize(bad[i], out) == CELL_INVALID_ARGUMENT);
        CHECK_STR(out, "");
    }
}

TEST(lengths_are_bounded)
{
    char text[EMAIL_MAX + 10], out[EMAIL_MAX + 1];

    memset(text, 'a', sizeof(text));
    memcpy(text + EMAIL_LOCAL_MAX, "@b", 3);
    CHECK(normalize(text, out) == CELL_OK);
    memset(text, 'a', sizeof(text));
    memcpy(text + EMAIL_LOCAL_MAX + 1, "@b", 3);
    CHECK(normalize(text, out) == CELL_INVALID_ARGUMENT);
    /* labels of 63, 255 in all */
    memset(text, 'a', sizeof(text));
    text[1] = '@';
    for (int i = 2 + 63; i < EMAIL_MAX; i += 64)
        text[i] = '.';
    text[EMAIL_MAX] = '\0';
    CHECK(normalize(text, out) == CELL_OK);
    text[EMAIL_MAX] = 'a';
    text[EMAIL_MAX + 1] = '\0';
    CHECK(normalize(text, out) == CELL_INVALID_ARGUMENT);
    memset(text, 'a', 80);
    text[1] = '@';
    text[2 + 64] = '\0';
    CHECK(normalize(text, out) == CELL_INVALID_ARGUMENT);
}

TEST(a_zero_byte_does_not_end_an_address)
{
    char out[EMAIL_MAX + 1] = "";
    struct failure f;

    CHECK(email_normalize("a@b.org\0x", 9, out, &f) == CELL_INVALID_ARGUMENT);
    CHECK(email_normalize("a\0b@c.org", 9, out, &f) == CELL_INVALID_ARGUMENT);
    CHECK(email_normalize(NULL, 0, out, &f) == CELL_INVALID_ARGUMENT);
}
