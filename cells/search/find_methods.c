/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Searching by hand: `cell call search.search_find index=article query=sea limit=10`. */
#include "search.h"

#include <string.h>

#include "service.h"

#define PAGE 10u
#define MOST_PAGE 1000u
#define EXCERPT_WORDS 24

struct finding {
    cell_ctx *c;
    const struct sc_definition *d;
    struct search_found *rows;
    uint32_t n;
    int status;
};

/* With [brackets] around what was found. */
static cell_str bracket(cell_ctx *c, const struct search_passage *p)
{
    char *text = cell_ctx_alloc(c, p->length + 2 * p->nmarks + 1), *to = text;
    size_t at = 0;

    for (size_t i = 0; text && i < p->nmarks; i++) {
        const struct search_mark m = p->marks[i];
        to = mempcpy(to, p->text + at, m.begin - at);
        *to++ = '[';
        to = mempcpy(to, p->text + m.begin, m.length);
        *to++ = ']';
        at = m.begin + m.length;
    }
    if (text && p->length > at)
        to = mempcpy(to, p->text + at, p->length - at);
    return (cell_str){text, text ? (uint64_t)(to - text) : 0};
}

static bool take(void *user, const struct search_hit *hit)
{
    struct finding *finding = user;
    struct search_found *row = &finding->rows[finding->n];
    struct sc_key_value values[SC_MOST_KEYS];
    struct search_failure f;
    char key[240];

    finding->status = sc_key_read(finding->d, hit->key, hit->key_length, values, &f);
    if (finding->status < 0)
        return false;
    sc_key_print(finding->d, values, key, sizeof(key));
    *row = (struct search_found){cell_ctx_copy(finding->c, cell_strz(key)), hit->score,
                                 bracket(finding->c, &hit->excerpt)};
    if (!row->key.ptr || !row->excerpt.ptr)
        finding->status = CELL_NO_MEMORY;
    finding->n++;
    return finding->status >= 0;
}

static bool caller_is_gone(void *user) { return cell_ctx_cancelled(user); }

int search_find(cell_ctx *c, cell_str index, cell_str query, uint32_t limit, search_found_list *found)
{
    uint32_t most = limit == 0 ? PAGE : limit < MOST_PAGE ? limit : MOST_PAGE;
    struct finding finding = {.c = c, .rows = cell_ctx_alloc(c, most * sizeof(struct search_found))};
    const struct search_request request = {
        .query = query.ptr ? query.ptr : "", .query_length = query.len, .limit = most, .excerpt = EXCERPT_WORDS};
    struct search_failure f = {0};
    struct search_reader *reader;
    struct sc_part *part;
    char name[SC_MOST_NAME + 1] = "";

    if (!finding.rows)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    if (index.len > 0 && index.len <= SC_MOST_NAME)
        memcpy(name, index.ptr, index.len);
    int r = sc_reader_take(cell_ctx_user(c), name, &part, &reader, &f);
    if (r < 0)
        return sc_answer_failure(c, &f);
    finding.d = part->definition;
    search_reader_watch(reader, caller_is_gone, c);
    r = search_run(reader, &request, take, &finding, &f);
    search_reader_watch(reader, NULL, NULL);
    if (r == CELL_DATA_LOSS)
        sc_part_damaged(part);
    sc_reader_give(part, reader);
    if (r < 0)
        return sc_answer_failure(c, &f);
    *found = (search_found_list){finding.n ? finding.rows : NULL, finding.n};
    return finding.status < 0 ? cell_fail(c, finding.status, "out of memory, or the index is damaged") : CELL_OK;
}
