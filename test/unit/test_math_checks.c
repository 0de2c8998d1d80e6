/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: cells/math/checks.c
#include "math/functions.h"
#include "test.h"

#define LUHN(text) math_luhn_valid(cell_strz(text))
#define ISBN10(text) math_isbn10_valid(cell_strz(text))
#define ISBN13(text) math_isbn13_valid(cell_strz(text))
#define IBAN(text) math_iban_valid(cell_strz(text))
#define EMAIL(text) math_email_valid(cell_strz(text))

TEST(card_numbers_are_checked)
{
    CHECK(LUHN("79927398713") && LUHN("4111111111111111") && LUHN("378282246310005") && LUHN("18"));
    CHECK(!LUHN("79927398710") && !LUHN("4111111111111112") && !LUHN("4111a11111111111") && !LUHN("0") && !LUHN(""));
    CHECK(!LUHN("4111 1111 1111 1111"));
    CHECK(LUHN("00000000000000000000000000000000") && !LUHN("000000000000000000000000000000000"));
}

TEST(one_wrong_digit_or_two_swapped_ones_are_noticed)
{
    char text[] = "4111111111111111";
    for (int i = 0; i < 16; i++) {
        const char was = text[i];
        for (text[i] = '0'; text[i] <= '9'; text[i]++)
            CHECK(LUHN(text) == (text[i] == was));
        text[i] = was;
    }
    CHECK(LUHN("5500005555555559") && !LUHN("5500005555555595"));
}

TEST(isbn_are_checked)
{
    CHECK(ISBN10("0306406152") && ISBN10("080442957X") && ISBN10("0131103628"));
    CHECK(!ISBN10("0306406153") && !ISBN10("08044295X7") && !ISBN10("030640615") && !ISBN10("0804429570"));
    CHECK(!ISBN10("080442957x") && !ISBN10("0-30640615"));
    CHECK(ISBN13("9780306406157") && ISBN13("9791090636071") && !ISBN13("9780306406158") && !ISBN13("978030640615"));
    CHECK(!ISBN13("978030640615X") && !ISBN13("4006381333931")); /* a right EAN that is no book */
}

TEST(iban_are_checked)
{
    /* The examples of the registry. */
    CHECK(IBAN("GB29NWBK60161331926819") && IBAN("DE89370400440532013000") && IBAN("FR1420041010050500013M02606"));
    CHECK(IBAN("NO9386011117947") && IBAN("MT84MALT011000012345MTLCAST001S") && IBAN("CH9300762011623852957"));
    CHECK(IBAN("SE4550000000058398257466") && IBAN("NL91ABNA0417164300") && IBAN("BR9700360305000010009795493P1"));
    CHECK(!IBAN("GB29NWBK60161331926818") && !IBAN("DE8937040044053201300") && !IBAN("de89370400440532013000"));
    CHECK(!IBAN("DE89 3704 0044 0532 0130 00") && !IBAN("") && !IBAN("DE") && !IBAN("DEX9370400440532013000"));
    CHECK(!IBAN("ZZ89370400440532013000"));                      /* no such country */
    CHECK(!IBAN("NO93860111179470000000000000000000000000000")); /* longer than any */
}

TEST(mail_addresses_are_told_from_others)
{
    CHECK(EMAIL("ada@example.org") && EMAIL("a.b+c@sub.example.co.uk") && EMAIL("!#$%&'*+-/=?^_`{|}~@x.y"));
    CHECK(EMAIL("1@2.3") && EMAIL("a@b-c.d"));
    CHECK(!EMAIL("ada") && !EMAIL("@example.org") && !EMAIL("a@b") && !EMAIL("") && !EMAIL("a@") && !EMAIL("a@.b"));
    CHECK(!EMAIL(".a@b.c") && !EMAIL("a.@b.c") && !EMAIL("a..b@c.d") && !EMAIL("a@b@c.d") && !EMAIL("a b@c.d"));
    CHECK(!EMAIL("a@b_c.d") && !EMAIL("a@-b.c") && !EMAIL("a@b-.c") && !EMAIL("a@b.c-") && !EMAIL("a@b.c."));
    CHECK(!EMAIL("a@b..c") && !EMAIL("\xc3\xa4@b.c") && !EMAIL("\"a\"@b.c") && !EMAIL("a@[1.2.3.4]"));
}

TEST(parts_of_mail_addresses_have_limits)
{
    char text[512];
    snprintf(text, sizeof(text), "%064d@b.c", 1);
    CHECK(EMAIL(text));
    snprintf(text, sizeof(text), "%065d@b.c", 1);
    CHECK(!EMAIL(text));
    snprintf(text, sizeof(text), "a@%063d.c", 1);
    CHECK(EMAIL(text));
    snprintf(text, sizeof(text), "a@%064d.c", 1);
    CHECK(!EMAIL(text));
    snprintf(text, sizeof(text), "%064d@%063d.%063d.%061d", 1, 1, 1, 1);
    CHECK(strlen(text) == 254 && EMAIL(text));
    snprintf(text, sizeof(text), "%064d@%063d.%063d.%062d", 1, 1, 1, 1);
    CHECK(!EMAIL(text));
}

TEST(telephone_numbers_are_read)
{
    struct math_phone p = {0};
    CHECK(math_phone_parse(CELL_STR("+49 (30) 1234-567"), &p) == CELL_OK && p.number == 49301234567 && p.digits == 11);
    CHECK(math_phone_parse(CELL_STR("+1.202.555.0123"), &p) == CELL_OK && p.number == 12025550123 && p.digits == 11);
    CHECK(math_phone_parse(CELL_STR("+123456789012345"), &p) == CELL_OK && p.number == 123456789012345);
    p.digits = 7;
    static const char *const wrong[] = {
        "0301234567", "+49 30 x", "+1234567890123456", "+0123456789", "+123456", "++49301234567",
        "",           "+",        "+-49301234567"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CHECK(math_phone_parse(cell_strz(wrong[i]), &p) == CELL_INVALID_ARGUMENT);
    CHECK(p.digits == 7);
}
