/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Check digits and syntax. */
#include "functions.h"

/* The digit, or -1. */
static int32_t digit_of(char c) { return c >= '0' && c <= '9' ? c - '0' : -1; }

bool math_luhn_valid(cell_str number)
{
    const uint64_t n = number.len;
    int32_t sum = 0;

    if (n < 2 || n > 32)
        return false;
    for (uint64_t i = 0; i < n; i++) {
        int32_t d = digit_of(number.ptr[i]);
        if (d < 0)
            return false;
        if ((n - i) % 2 == 0) /* every other one, counted from the right */
            d = d < 5 ? 2 * d : 2 * d - 9;
        sum += d;
    }
    return sum % 10 == 0;
}

bool math_isbn10_valid(cell_str isbn)
{
    int32_t sum = 0;

    if (isbn.len != 10)
        return false;
    for (int32_t i = 0; i < 10; i++) {
        const char c = isbn.ptr[i];
        const int32_t d = i == 9 && c == 'X' ? 10 : digit_of(c);
        if (d < 0)
            return false;
        sum += (10 - i) * d;
    }
    return sum % 11 == 0;
}

bool math_isbn13_valid(cell_str isbn)
{
    int32_t sum = 0;

    if (isbn.len != 13)
        return false;
    for (int32_t i = 0; i < 13; i++) {
        const int32_t d = digit_of(isbn.ptr[i]);
        if (d < 0)
            return false;
        sum += i % 2 == 0 ? d : 3 * d;
    }
    if (isbn.ptr[0] != '9' || isbn.ptr[1] != '7' || (isbn.ptr[2] != '8' && isbn.ptr[2] != '9'))
        return false;
    return sum % 10 == 0;
}

/* Country and length: the IBAN registry of SWIFT, release 98. */
#define IBAN(first, second, length) (((first) * 256 + (second)) * 100 + (length))
static const int32_t iban_countries[] = {
    IBAN('A', 'D', 24), IBAN('A', 'E', 23), IBAN('A', 'L', 28), IBAN('A', 'T', 20), IBAN('A', 'Z', 28),
    IBAN('B', 'A', 20), IBAN('B', 'E', 16), IBAN('B', 'G', 22), IBAN('B', 'H', 22), IBAN('B', 'I', 27),
    IBAN('B', 'R', 29), IBAN('B', 'Y', 28), IBAN('C', 'H', 21), IBAN('C', 'R', 22), IBAN('C', 'Y', 28),
    IBAN('C', 'Z', 24), IBAN('D', 'E', 22), IBAN('D', 'J', 27), IBAN('D', 'K', 18), IBAN('D', 'O', 28),
    IBAN('E', 'E', 20), IBAN('E', 'G', 29), IBAN('E', 'S', 24), IBAN('F', 'I', 18), IBAN('F', 'K', 18),
    IBAN('F', 'O', 18), IBAN('F', 'R', 27), IBAN('G', 'B', 22), IBAN('G', 'E', 22), IBAN('G', 'I', 23),
    IBAN('G', 'L', 18), IBAN('G', 'R', 27), IBAN('G', 'T', 28), IBAN('H', 'R', 21), IBAN('H', 'U', 28),
    IBAN('I', 'E', 22), IBAN('I', 'L', 23), IBAN('I', 'Q', 23), IBAN('I', 'S', 26), IBAN('I', 'T', 27),
    IBAN('J', 'O', 30), IBAN('K', 'W', 30), IBAN('K', 'Z', 20), IBAN('L', 'B', 28), IBAN('L', 'C', 32),
    IBAN('L', 'I', 21), IBAN('L', 'T', 20), IBAN('L', 'U', 20), IBAN('L', 'V', 21), IBAN('L', 'Y', 25),
    IBAN('M', 'C', 27), IBAN('M', 'D', 24), IBAN('M', 'E', 22), IBAN('M', 'K', 19), IBAN('M', 'N', 20),
    IBAN('M', 'R', 27), IBAN('M', 'T', 31), IBAN('M', 'U', 30), IBAN('N', 'I', 28), IBAN('N', 'L', 18),
    IBAN('N', 'O', 15), IBAN('O', 'M', 23), IBAN('P', 'K', 24), IBAN('P', 'L', 28), IBAN('P', 'S', 29),
    IBAN('P', 'T', 25), IBAN('Q', 'A', 29), IBAN('R', 'O', 24), IBAN('R', 'S', 22), IBAN('R', 'U', 33),
    IBAN('S', 'A', 24), IBAN('S', 'C', 31), IBAN('S', 'D', 18), IBAN('S', 'E', 24), IBAN('S', 'I', 19),
    IBAN('S', 'K', 24), IBAN('S', 'M', 27), IBAN('S', 'O', 23), IBAN('S', 'T', 25), IBAN('S', 'V', 28),
    IBAN('T', 'L', 23), IBAN('T', 'N', 24), IBAN('T', 'R', 26), IBAN('U', 'A', 29), IBAN('V', 'A', 22),
    IBAN('V', 'G', 24), IBAN('X', 'K', 20), IBAN('Y', 'E', 30)};

bool math_iban_valid(cell_str iban)
{
    const uint64_t n = iban.len;
    bool known = false;
    int32_t rest = 0;

    if (n < 15 || n > 34 || digit_of(iban.ptr[2]) < 0 || digit_of(iban.ptr[3]) < 0)
        return false;
    const int32_t country = (iban.ptr[0] * 256 + iban.ptr[1]) * 100 + (int32_t)n;
    for (uint32_t i = 0; i < sizeof(iban_countries) / sizeof(iban_countries[0]); i++)
        known = known || iban_countries[i] == country;
    if (!known)
        return false;
    for (uint64_t i = 0; i < n; i++) { /* country and check digits last */
        const char c = iban.ptr[(i + 4) % n];
        const int32_t d = digit_of(c);
        if (d >= 0)
            rest = (rest * 10 + d) % 97;
        else if (c >= 'A' && c <= 'Z')
            rest = (rest * 100 + (c - 'A' + 10)) % 97;
        else
            return false;
    }
    return rest == 1;
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 5322, 3.2.3, beside letters and digits. */
static const char atom_signs[] = {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '/',
                                  '=', '?', '^', '_', '`', '{',  '|', '}', '~'};

static bool is_atom(char c)
{
    for (uint32_t i = 0; i < sizeof(atom_signs); i++)
        if (atom_signs[i] == c)
            return true;
    return is_letter_or_digit(c);
}

bool math_email_valid(cell_str address)
{
    const uint64_t n = address.len;
    uint64_t local = 0, label = 0, labels = 0;
    char before = '.';

    if (n < 3 || n > 254) /* RFC 5321, 4.5.3.1, erratum 1690 */
        return false;
    for (uint64_t i = 0; i < n; i++) {
        const char c = address.ptr[i];
        if (labels == 0) {
            if (c == '@' && before != '.') {
                labels = 1;
                before = '.';
                continue;
            }
            if (i >= 64 || (c == '.' ? before == '.' : !is_atom(c)))
                return false;
            local++;
        } else if (c == '.') {
            if (label == 0 || before == '-')
                return false;
            labels++;
            label = 0;
        } else {
            if ((!is_letter_or_digit(c) && (c != '-' || label == 0)) || label >= 63)
                return false;
            label++;
        }
        before = c;
    }
    return local > 0 && labels >= 2 && label > 0 && before != '-';
}

enum cell_status math_phone_parse(cell_str text, struct math_phone *phone)
{
    const uint64_t n = text.len;
    struct math_phone read = {0};

    if (n < 8 || n > 40 || text.ptr[0] != '+')
        return CELL_INVALID_ARGUMENT;
    for (uint64_t i = 1; i < n; i++) {
        const char c = text.ptr[i];
        const int32_t d = digit_of(c);
        if (d < 0) {
            if (read.digits == 0 || (c != ' ' && c != '-' && c != '.' && c != '/' && c != '(' && c != ')'))
                return CELL_INVALID_ARGUMENT;
            continue;
        }
        if ((d == 0 && read.digits == 0) || read.digits >= 15) /* no country code begins with 0 */
            return CELL_INVALID_ARGUMENT;
        read.number = read.number * 10 + d;
        read.digits++;
    }
    if (read.digits < 7)
        return CELL_INVALID_ARGUMENT;
    *phone = read;
    return CELL_OK;
}
