/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The page of the analytics cell: a path, and behind a zero records whose groups are any bytes. Whatever they are, the
 * answer has no markup that page_html.c has not written, and JSON is JSON. */
// LINK: cells/analytics/aggregator.c cells/analytics/entry.c cells/analytics/pane.c cells/analytics/plan.c
// LINK: cells/analytics/sketch.c cells/analytics/state.c cells/analytics/state_read.c cells/analytics/view.c
// LINK: cells/analytics/failure.c cells/analytics/rank.c cells/analytics/show.c cells/analytics/definition.c
// LINK: cells/analytics/filter.c cells/analytics/filter_parse.c cells/analytics/filter_range.c cells/analytics/pool.c
// LINK: cells/analytics/filter_call.c cells/analytics/quantiles.c cells/analytics/page.c cells/analytics/page_html.c
// LIBS: z
#include "analytics/page.h"
#include "fuzz.h"

struct record {
    uint8_t tag[8];
    int64_t amount;
    double rate;
};

static const char definition_json[] =
    "{\"name\":\"flow\",\"source\":\"tape\",\"stream\":\"moves\",\"type\":\"move\",\"record_size\":24,\"time\":\"\","
    "\"where\":\"\","
    "\"window_us\":0,\"slide_us\":0,\"lateness_us\":0,\"panes\":1,\"columns\":["
    "{\"name\":\"tag\",\"type\":\"u8[8]\",\"as\":\"group\",\"of\":\"tag\"},"
    "{\"name\":\"total\",\"type\":\"i64\",\"as\":\"sum\",\"of\":\"amount\"},"
    "{\"name\":\"most\",\"type\":\"f64\",\"as\":\"max\",\"of\":\"rate\"}],\"fields\":["
    "{\"name\":\"tag\",\"type\":\"u8[8]\",\"offset\":0},{\"name\":\"amount\",\"type\":\"i64\",\"offset\":8},"
    "{\"name\":\"rate\",\"type\":\"f64\",\"offset\":16}]}";

const struct an_asset an_assets[] = {{"page.html", "text/html", "{{title}}{{base}}{{feed}}{{heading}}{{main}}", 44},
                                     {"page.js", "text/javascript", "//", 2},
                                     {NULL, NULL, NULL, 0}};

/* One aggregate, in place of a service. */
static struct an_part part;

struct an_part *an_part_take(struct an_service *service, const char *name)
{
    (void)service;
    return strcmp(name, "flow") == 0 ? &part : NULL;
}
struct an_part *an_part_at(struct an_service *service, uint32_t i, bool *building)
{
    (void)service;
    *building = i == 1;
    return i < 2 ? &part : NULL;
}
void an_part_give(struct an_part *p) { (void)p; }
void an_part_lock(struct an_part *p) { (void)p; }
void an_part_unlock(struct an_part *p) { (void)p; }

/* What the page would listen with; nobody opens it here. */
int cell_page_open(const struct cell_page_options *o, struct cell_page **page, struct cell_error *e)
{
    (void)o;
    (void)page;
    (void)e;
    return CELL_UNIMPLEMENTED;
}
const char *cell_page_address(const struct cell_page *page) { return (const char *)page; }
void cell_page_close(struct cell_page *page) { (void)page; }
int an_fail_io(struct an_failure *f, const char *path) { return an_fail(f, CELL_IO_ERROR, "%s", path); }

/* Every '<' begins an element of ours. */
static void check_html(const char *html)
{
    static const char *const ours[] = {
        "section", "/section", "table", "/table", "thead", "/thead", "tbody", "/tbody", "tr",   "/tr",   "th",
        "/th",     "td",       "/td",   "a ",     "/a>",   "p ",     "/p>",   "dl",     "/dl",  "div",   "/div",
        "dt",      "/dt",      "dd",    "/dd",    "h2",    "/h2",    "svg",   "/svg",   "rect", "span>", "/span>"};
    for (const char *at = html; (at = strchr(at, '<')); at++) {
        bool known = false;
        for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
            known = known || strncmp(at + 1, ours[i], strlen(ours[i])) == 0;
        if (!known)
            abort();
    }
}

static void ask(const char *path)
{
    const struct cell_page_request r = {path, "/base/"};
    struct cell_page_reply reply = {0};

    an_page_answer(NULL, &r, &reply);
    if (!reply.type || !reply.body || (reply.status != 200 && reply.status != 404))
        abort();
    char *text = strndup(reply.body, reply.len);
    if (strstr(reply.type, "html"))
        check_html(text);
    json_t *json = strcmp(reply.type, "application/json") == 0 ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (strcmp(reply.type, "application/json") == 0 && !json)
        abort();
    json_decref(json);
    free(text);
    free(reply.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    const size_t length = zero ? (size_t)(zero - data) : size;
    const uint32_t n = zero ? (uint32_t)((size - length - 1) / sizeof(struct record)) : 0;
    struct an_failure f;
    json_t *json = json_loads(definition_json, 0, NULL);
    struct record *records = malloc((n + 1) * sizeof(*records));
    char *path = strndup((const char *)data, length);

    if (an_definition_read(json, &part.definition, &f) < 0 || an_open(&part.definition->plan, &part.aggregator, &f) < 0)
        abort();
    if (n > 0)
        memcpy(records, zero + 1, n * sizeof(*records));
    if (an_take(part.aggregator, records, n, &f) < 0)
        abort();
    /* A path as its error, which the page shows. */
    snprintf(part.progress.error, sizeof(part.progress.error), "%s", path);
    ask(path);
    ask("");
    ask("data");
    ask("of/flow");
    ask("data/flow/most");
    an_close(part.aggregator);
    an_definition_unref(part.definition);
    json_decref(json);
    free(records);
    free(path);
    return 0;
}
