/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "email.h"

#include <stdbool.h>
#include <string.h>

/* Not <ctype.h>: its answers depend on the locale. */
static bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

static bool is_atext(char c) { return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL); }

/* Words of atext with single dots between them. */
static bool is_local_part(const char *s, size_t len)
{
    if (len == 0 || len > EMAIL_LOCAL_MAX || s[0] == '.' || s[len - 1] == '.')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_atext(s[i]) && (s[i] != '.' || s[i - 1] == '.'))
            return false;
    return true;
}

/* RFC 1123, 2.1: labels of 1 to 63 letters, digits and hyphens, no hyphen at either end. */
static bool is_domain(const char *s, size_t len)
{
    size_t label = 0;

    for (size_t i = 0; i <= len; i++) {
        if (i == len || s[i] == '.') {
            if (label == 0 || label > 63 || s[i - 1] == '-')
                return false;
            label = 0;
        } else {
            if (!is_alnum(s[i]) && (s[i] != '-' || label == 0))
                return false;
            label++;
        }
    }
    return true;
}

int email_normalize(const char *text, size_t len, char *out, struct failure *f)
{
    const char *at = len ? memchr(text, '@', len) : NULL;

    if (len > EMAIL_MAX)
        return fail(f, CELL_INVALID_ARGUMENT, "the e-mail address is longer than %d bytes", EMAIL_MAX);
    if (!at)
        return fail(f, CELL_INVALID_ARGUMENT, "the e-mail address has no '@'");
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] >= 0x80)
            return fail(f, CELL_INVALID_ARGUMENT, "the e-mail address has characters beyond ASCII");
    size_t local = (size_t)(at - text);
    if (!is_local_part(text, local))
        return fail(f, CELL_INVALID_ARGUMENT, "the e-mail address is not valid before the '@'");
    if (!is_domain(at + 1, len - local - 1))
        return fail(f, CELL_INVALID_ARGUMENT, "the e-mail address is not valid after the '@'");
    for (size_t i = 0; i < len; i++)
        out[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
    out[len] = '\0';
    return CELL_OK;
}
