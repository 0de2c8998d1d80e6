/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Every function of a table, over a cell that runs; postgres-table.test reads what it prints. */
#include <cell/cell.h>

#include <inttypes.h>
#include <stdio.h>

CELL_REMOTE(postgres);

enum role { ROLE_USER, ROLE_ADMIN };

struct CELL_TABLE("users") user {
    int64_t id CELL_KEY CELL_AUTO;
    cell_str email CELL_UNIQUE;
    cell_str name CELL_INDEXED;
    cell_opt_i32 age CELL_RANGE(0, 150);
    enum role role;
    cell_opt_i64 made CELL_DEFAULT("42");
};

/* A key of two columns, none of which the database fills in; and nothing but the key. */
struct CELL_TABLE("memberships") CELL_PRIMARY_KEY("person, team") member {
    int64_t person CELL_REFERENCES(users, id);
    cell_str team;
};

struct CELL_ROWS("users") reader {
    int64_t id;
    cell_str email;
};

#define MANY 500

static int one_by_one(cell_ctx *c)
{
    struct user u = {.email = CELL_STR("ada@x"), .name = CELL_STR("Ada"), .age = CELL_SOME(36), .role = ROLE_ADMIN},
                got;
    cell_bytes detail;

    if (user_insert(c, &u) < 0)
        return cell_perror(c, "insert");
    printf("inserted %" PRId64 ", made %d %" PRId64 "\n", u.id, u.made.has, u.made.value);
    if (user_insert(c, &u) >= 0)
        return 1;
    printf("again: %s\n", cell_ctx_message(c));
    if (cell_detail(c, "postgres", &detail) >= 0)
        printf("detail: %.*s\n", (int)detail.len, (const char *)detail.ptr);
    if (user_get(c, u.id, &got) < 0)
        return cell_perror(c, "get");
    printf("got %.*s %d %d\n", CELL_FMT(got.name), got.age.value, got.role);
    got.name = CELL_STR("Ada L");
    if (user_update(c, &got) < 0 || user_find_by_email(c, CELL_STR("ada@x"), &got) < 0)
        return cell_perror(c, "update");
    printf("updated %.*s\n", CELL_FMT(got.name));
    got.age = (cell_opt_i32)CELL_SOME(200);
    if (user_update(c, &got) >= 0)
        return 1;
    printf("range: %s\n", cell_ctx_message(c));
    u = (struct user){.email = CELL_STR("ada@x"), .name = CELL_STR("Up"), .made = CELL_SOME(7)};
    if (user_upsert(c, &u) < 0)
        return cell_perror(c, "upsert");
    printf("upserted %" PRId64 ", made %" PRId64 "\n", u.id, u.made.value);
    got.id = 999;
    got.age.has = 0;
    printf("update of none: %s\n", cell_status_name(user_update(c, &got)));
    printf("delete of none: %s\n", cell_status_name(user_delete(c, 999)));
    return 0;
}

static int many(cell_ctx *c)
{
    static struct user all[MANY];
    static char mails[MANY][16];
    uint64_t count, seen = 0;

    for (int i = 0; i < MANY; i++)
        all[i] = (struct user){.email = {mails[i], (uint64_t)sprintf(mails[i], "u%d@x", i)}, .name = CELL_STR("N")};
    int n = user_insert_many(c, (user_rows){all, MANY});
    if (n < 0 || user_count(c, &count) < 0)
        return cell_perror(c, "many");
    printf("inserted %d of %" PRIu64 "\n", n, count);
    struct user_load_writer w = user_load(c);
    for (int i = 0; i < MANY; i++) {
        all[i].email.len = (uint64_t)sprintf(mails[i], "l%d@x", i);
        if (user_load_put(&w, &all[i], 1) < 0)
            break;
    }
    n = user_load_end(&w);
    if (n < 0)
        return cell_perror(c, "load");
    /* One of these is there already: none is stored. */
    w = user_load(c);
    for (int i = MANY - 1; i >= 0 && user_load_put(&w, &all[i], 1) >= 0; i--)
        continue;
    int r = user_load_end(&w);
    printf("loaded %d, again %s: %s\n", n, cell_status_name(r), cell_ctx_message(c));
    struct user_all_iter it = user_all(c);
    while (user_all_next(&it))
        seen++;
    if (user_all_end(&it) < 0)
        return cell_perror(c, "all");
    printf("streamed %" PRIu64 "\n", seen);
    struct user_find_by_name_iter named = user_find_by_name(c, CELL_STR("Up"));
    for (seen = 0; user_find_by_name_next(&named);)
        seen++;
    if (user_find_by_name_end(&named) < 0)
        return cell_perror(c, "find_by_name");
    printf("of that name %" PRIu64 "\n", seen);
    return 0;
}

static int pages(cell_ctx *c)
{
    user_rows page;
    cell_opt_i64 after = {0};
    cell_opt_str name = {0};
    int n = 0, r;
    uint64_t seen = 0;

    while ((r = user_list(c, after, 300, &page)) >= 0 && page.len > 0) {
        for (uint64_t i = 0; i < page.len; i++)
            if (after.has && page.ptr[i].id <= after.value)
                return 1;
        n++;
        seen += page.len;
        after = (cell_opt_i64)CELL_SOME(page.ptr[page.len - 1].id);
    }
    if (r < 0)
        return cell_perror(c, "list");
    printf("%d pages, %" PRIu64 " rows\n", n, seen);
    for (n = 0, seen = 0, after.has = 0; (r = user_list_by_name(c, name, after, 300, &page)) >= 0 && page.len > 0;
         n++) {
        seen += page.len;
        name = (cell_opt_str)CELL_SOME(page.ptr[page.len - 1].name);
        after = (cell_opt_i64)CELL_SOME(page.ptr[page.len - 1].id);
    }
    if (r < 0)
        return cell_perror(c, "list_by_name");
    printf("by name %d pages, %" PRIu64 " rows, the last %.*s\n", n, seen, CELL_FMT(name.value));
    after.has = 0;
    printf("half an end: %s\n", cell_status_name(user_list_by_name(c, name, after, 300, &page)));
    return 0;
}

static int move(cell_ctx *c, void *user)
{
    struct user b = {.email = CELL_STR("tx@x"), .name = CELL_STR("Tx")};
    int r = user_insert(c, &b);

    (void)user;
    if (r >= 0) {
        /* Streams see what the transaction has done, and may be left early. */
        struct user_find_by_name_iter it = user_find_by_name(c, CELL_STR("N"));
        user_find_by_name_next(&it);
        r = user_find_by_name_end(&it);
    }
    return r < 0 ? r : user_delete(c, 1);
}

static int give_up(cell_ctx *c, void *user)
{
    struct user b = {.email = CELL_STR("bad@x"), .name = CELL_STR("Bad")};
    int r = user_insert(c, &b);

    (void)user;
    return r < 0 ? r : cell_fail(c, CELL_CANCELLED, "no");
}

static int transactions(cell_ctx *c)
{
    struct user got;

    if (cell_transaction(c, "postgres", move, NULL) < 0)
        return cell_perror(c, "transaction");
    int r = cell_transaction(c, "postgres", give_up, NULL);
    printf("given up: %s\n", cell_status_name(r));
    printf("then %s, %s, %s\n", cell_status_name(user_find_by_email(c, CELL_STR("tx@x"), &got)),
           cell_status_name(user_find_by_email(c, CELL_STR("bad@x"), &got)), cell_status_name(user_get(c, 1, &got)));
    printf("%s\n", cell_ctx_message(c));
    return 0;
}

static int others(cell_ctx *c)
{
    struct user u;
    struct reader r;
    uint64_t n;

    if (user_find_by_email(c, CELL_STR("u1@x"), &u) < 0)
        return cell_perror(c, "find");
    const struct member m = {u.id, CELL_STR("core")}, none = {999999, CELL_STR("core")};
    if (member_insert(c, &m) < 0 || member_upsert(c, &m) < 0 || member_count(c, &n) < 0)
        return cell_perror(c, "member");
    struct member same;
    printf("members %" PRIu64 ", %s\n", n, cell_status_name(member_get(c, u.id, CELL_STR("core"), &same)));
    printf("nobody: %s", cell_status_name(member_insert(c, &none)));
    printf(": %s\n", cell_ctx_message(c));
    printf("held: %s", cell_status_name(user_delete(c, u.id)));
    printf(": %s\n", cell_ctx_message(c));
    if (reader_get(c, u.id, &r) < 0 || reader_find_by_email(c, CELL_STR("u1@x"), &r) < 0)
        return cell_perror(c, "reader");
    printf("reader %.*s\n", CELL_FMT(r.email));
    return 0;
}

int main(void)
{
    CELL_CTX(c, .timeout_ms = 60000);

    return one_by_one(c) || many(c) || pages(c) || transactions(c) || others(c);
}
