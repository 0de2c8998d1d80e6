/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What each function of a collection does, printed. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include <cell/cell.h>

enum state { DRAFT, PUBLISHED };
struct place {
    double x, y;
    cell_str name;
};
CELL_LIST(places, struct place);

struct CELL_STORE(articles) CELL_INDEX("state, year") article {
    int64_t id CELL_KEY;
    cell_str title;
    cell_str author CELL_INDEXED;
    cell_opt_str slug CELL_UNIQUE;
    int32_t year;
    enum state state;
    cell_list_str tags;
    places where;
    float embedding[4];
    uint64_t version CELL_VERSION;
};

/* A key of two fields, one of them an array of bytes. */
struct CELL_STORE(parts) part {
    uint8_t whole[16] CELL_KEY;
    uint32_t number CELL_KEY;
    cell_bytes data;
};

static void print(const char *what, const struct article *a)
{
    printf("%s %" PRId64 " '%.*s' by %.*s %d %s version %" PRIu64 "\n", what, a->id, CELL_FMT(a->title),
           CELL_FMT(a->author), a->year, a->state == PUBLISHED ? "published" : "draft", a->version);
}

static struct article make(int64_t id, const char *author, int32_t year)
{
    struct article a = {.id = id, .title = CELL_STR("A title"), .author = cell_strz(author), .year = year};
    a.state = id % 2 ? PUBLISHED : DRAFT;
    return a;
}

static int writes(cell_ctx *c)
{
    const cell_str tags[] = {CELL_STR("new"), CELL_STR("short")};
    const struct place where[] = {{1.5, -2, CELL_STR("here")}, {3, 4, CELL_STR("there")}};
    struct article a = make(1, "Ada", 1843), got;

    a.slug = (cell_opt_str)CELL_SOME(CELL_STR("notes"));
    a.tags = (cell_list_str){tags, 2};
    a.where = (places){where, 2};
    a.embedding[3] = 0.25f;
    printf("put %d, again %d\n", articles_put(c, &a), articles_put(c, &a));
    if (articles_get(c, 1, &got) < 0)
        return cell_perror(c, "get");
    print("got", &got);
    printf("%.*s, %" PRIu64 " tags, the last %.*s, the last place %.*s at %g, %g\n", CELL_FMT(got.slug.value),
           got.tags.len, CELL_FMT(got.tags.ptr[1]), CELL_FMT(got.where.ptr[1].name), got.where.ptr[1].y,
           (double)got.embedding[3]);
    printf("none: %s\n", cell_status_name(articles_get(c, 2, &got)));
    a = make(2, "Bob", 1900);
    a.slug = (cell_opt_str)CELL_SOME(CELL_STR("notes"));
    printf("same slug: %s: ", cell_status_name(articles_put(c, &a)));
    printf("%s\n", cell_ctx_message(c));
    return 0;
}

static int versions(cell_ctx *c)
{
    struct article a = make(3, "Cid", 1990), b;

    int r = articles_put_if(c, &a);
    printf("made %d, version %" PRIu64 "\n", r, a.version);
    b = a;
    b.year = 1991;
    r = articles_put_if(c, &b);
    printf("changed %d, version %" PRIu64 "\n", r, b.version);
    printf("seen too early: %s: ", cell_status_name(articles_put_if(c, &a)));
    printf("%s\n", cell_ctx_message(c));
    a.version = 0;
    printf("there already: %s\n", cell_status_name(articles_put_if(c, &a)));
    printf("delete the old one: %s, ", cell_status_name(articles_delete_if(c, &a)));
    r = articles_delete_if(c, &b);
    printf("the new one: %s, again: %s\n", cell_status_name(r), cell_status_name(articles_delete(c, 3)));
    return 0;
}

static int ranges(cell_ctx *c)
{
    struct article many[200], got;
    articles_records rows;
    uint64_t n = 0, pages = 0;

    for (int64_t i = 0; i < 200; i++)
        many[i] = make(100 + i, i % 4 ? "Eve" : "Dan", (int32_t)(1900 + i / 10));
    printf("put many: %d", articles_put_many(c, (articles_records){many, 200}));
    if (articles_count(c, &n) < 0)
        return cell_perror(c, "count");
    printf(", now %" PRIu64 "\n", n);

    struct articles_range range = {.from_id = CELL_SOME(150), .to_id = CELL_SOME(155), .descending = true};
    struct articles_scan_iter it = articles_scan(c, &range);
    printf("scan:");
    while (articles_scan_next(&it))
        printf(" %" PRId64, it.row.id);
    printf(" %s\n", cell_status_name(articles_scan_end(&it)));

    range = (struct articles_range){.descending = false};
    for (n = 0;; pages++) {
        if (articles_list(c, &range, 64, &rows) < 0)
            return cell_perror(c, "list");
        if (rows.len == 0)
            break;
        n += rows.len;
        range.after_id = (cell_opt_i64)CELL_SOME(rows.ptr[rows.len - 1].id);
    }
    printf("%" PRIu64 " pages, %" PRIu64 " records\n", pages, n);

    struct articles_by_author_iter by = articles_by_author(c, CELL_STR("Dan"));
    for (n = 0; articles_by_author_next(&by);)
        n += by.row.id % 4 == 0;
    printf("of Dan %" PRIu64 ", %s\n", n, cell_status_name(articles_by_author_end(&by)));
    if (articles_by_slug(c, CELL_STR("notes"), &got) < 0)
        return cell_perror(c, "by slug");
    print("by slug", &got);
    printf("no such slug: %s\n", cell_status_name(articles_by_slug(c, CELL_STR("none"), &got)));

    struct articles_state_year_range years = {.from_state = CELL_SOME(PUBLISHED), .from_year = CELL_SOME(1918)};
    years.to_state = (articles_opt_state)CELL_SOME(PUBLISHED);
    years.to_year = (cell_opt_i32)CELL_SOME(1919);
    for (n = pages = 0; articles_list_by_state_year(c, &years, 2, &rows) >= 0 && rows.len > 0; pages++) {
        const struct article *last = &rows.ptr[rows.len - 1];
        n += rows.len;
        years.after_state = (articles_opt_state)CELL_SOME(last->state);
        years.after_year = (cell_opt_i32)CELL_SOME(last->year);
        years.after_id = (cell_opt_i64)CELL_SOME(last->id);
    }
    printf("published in 1918: %" PRIu64 " in %" PRIu64 " pages\n", n, pages);
    years = (struct articles_state_year_range){.from_year = CELL_SOME(1918)};
    printf("a year without a state: %s: ", cell_status_name(articles_list_by_state_year(c, &years, 0, &rows)));
    printf("%s\n", cell_ctx_message(c));
    return 0;
}

static int composite(cell_ctx *c)
{
    struct part p = {.whole = {1, 2, 3}, .data = {(const uint8_t *)"abc", 3}}, got;
    struct parts_range range = {.from_whole = CELL_SOME({p.whole, 16}), .from_number = CELL_SOME(2)};
    parts_records rows;

    for (p.number = 0; p.number < 5; p.number++)
        if (parts_put(c, &p) != 1)
            return cell_perror(c, "put");
    if (parts_get(c, p.whole, 4, &got) < 0 || parts_delete(c, p.whole, 3) < 0 || parts_list(c, &range, 0, &rows) < 0)
        return cell_perror(c, "parts");
    printf("part %u of %zu bytes, from 2 on %" PRIu64 "\n", got.number, (size_t)got.data.len, rows.len);
    range.from_whole.value.len = 3;
    printf("a short bound: %s: ", cell_status_name(parts_list(c, &range, 0, &rows)));
    printf("%s\n", cell_ctx_message(c));
    return 0;
}

static int feed(cell_ctx *c)
{
    struct articles_view view;
    struct article got;
    uint64_t count = 0;

    if (articles_snapshot(c, 60000, &view) < 0)
        return cell_perror(c, "snapshot");
    printf("snapshot of %" PRIu64 " at %" PRIu64 "\n", view.count, view.position);
    struct article a = make(1, "Ada", 1844);
    if (articles_put(c, &a) < 0 || articles_delete(c, 100) < 0)
        return cell_perror(c, "write");
    struct articles_changes_iter it = articles_changes(c, view.position, false);
    while (articles_changes_next(&it))
        printf("change %" PRIu64 " %s %" PRId64 " %d\n", it.row.position - view.position,
               it.row.event == ARTICLES_PUT ? "put" : "deleted", it.row.record.id, it.row.record.year);
    printf("%s\n", cell_status_name(articles_changes_end(&it)));
    it = articles_changes(c, view.position, true);
    for (int i = 0; i < 2 && articles_changes_next(&it); i++)
        count++;
    printf("followed %" PRIu64 ", %s\n", count, cell_status_name(articles_changes_end(&it)));
    cell_ctx_set_metadata(c, "snapshot", view.token);
    if (articles_get(c, 1, &got) < 0 || articles_count(c, &count) < 0)
        return cell_perror(c, "in the snapshot");
    printf("in the snapshot %d, %" PRIu64 "; ", got.year, count);
    printf("end %s, again ", cell_status_name(articles_snapshot_end(c, view.token)));
    printf("%s, then get %s\n", cell_status_name(articles_snapshot_end(c, view.token)),
           cell_status_name(articles_get(c, 1, &got)));
    cell_ctx_set_metadata(c, "snapshot", CELL_STR(""));
    printf("now %s %d\n", cell_status_name(articles_get(c, 1, &got)), got.year);
    it = articles_changes(c, 100000, false);
    printf("beyond: %d, ", articles_changes_next(&it));
    printf("%s\n", cell_status_name(articles_changes_end(&it)));
    return 0;
}

int main(void)
{
    CELL_CTX(c, .timeout_ms = 20000);

    return writes(c) || versions(c) || ranges(c) || composite(c) || feed(c);
}
