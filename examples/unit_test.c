/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A unit test of code that calls a cell, without the cell: a fake client answers. Only the compiler needs the auth cell
 * to run; the program does not.
 */
#include <stdio.h>

#include <cell/cell.h>
#include <cell/client.h>

CELL_REMOTE(auth);

/* ---- the code under test: who is allowed in? ---- */

enum verdict { ALLOWED, REFUSED, TRY_LATER };

static enum verdict judge(cell_ctx *c, cell_str token, cell_str domain)
{
    struct auth_account a;
    int r = auth_whoami(c, token, &a);

    if (r == CELL_UNAUTHENTICATED)
        return REFUSED;
    if (r < 0)
        return TRY_LATER;
    cell_str end = {a.email.ptr + a.email.len - domain.len, domain.len};
    return a.email.len > domain.len && cell_str_eq(end, domain) ? ALLOWED : REFUSED;
}

/* ---- the test ---- */

/* Answers auth_whoami as `user` says: with a status, or with an account. */
struct script {
    int status;
    const char *email;
    int calls;
};

static int answer(cell_ctx *c, const char *method, const void *in, void *const *out, void *user)
{
    struct script *script = user;
    struct auth_account *account = out[0];

    (void)in;
    script->calls++;
    if (strcmp(method, "auth_whoami") != 0)
        return cell_fail(c, CELL_UNIMPLEMENTED, "the test does not expect %s", method);
    if (script->status < 0)
        return cell_fail(c, script->status, "as the test wants it");
    account->id = 7;
    account->email = cell_ctx_copy(c, cell_strz(script->email));
    return 0;
}

static int failures;

static void expect(enum verdict expected, const char *what, struct script script)
{
    struct cell_client *fake;

    if (cell_client_fake(answer, &script, &fake) < 0) {
        failures++;
        return;
    }
    {
        CELL_CTX(c, .client = fake);
        enum verdict found = judge(c, CELL_STR("token"), CELL_STR("@example.org"));
        int good = found == expected && script.calls == 1;
        printf("%s %s\n", good ? "ok" : "not ok", what);
        failures += !good;
    } /* a context is closed before its client */
    cell_client_close(fake);
}

int main(void)
{
    expect(ALLOWED, "an address of the domain", (struct script){.email = "ada@example.org"});
    expect(REFUSED, "an address of another domain", (struct script){.email = "ada@example.com"});
    expect(REFUSED, "a session that has ended", (struct script){.status = CELL_UNAUTHENTICATED});
    expect(TRY_LATER, "a cell that does not answer", (struct script){.status = CELL_UNAVAILABLE});
    return failures != 0;
}
