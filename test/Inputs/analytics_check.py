# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program that compares the aggregates of a tape with what it counts itself, for tests that kill, cut and lose."""
from analytics_project import HEAD

CHECK = HEAD + """
struct CELL_WATCH(tape.moves) flow {
    uint64_t account CELL_GROUP(from);
    int64_t total CELL_SUM(amount);
    uint64_t n CELL_COUNT;
    int64_t largest CELL_MAX(amount);
    double p99 CELL_QUANTILE(amount, 0.99), variance CELL_VARIANCE(amount), rates CELL_SUM(rate);
    uint64_t codes CELL_DISTINCT(code);
};
struct CELL_WATCH(tape.moves, CELL_ARG(window, "2s"), CELL_ARG(keep, 3)) recent {
    int64_t begin CELL_WINDOW;
    uint64_t n CELL_COUNT;
    int64_t total CELL_SUM(amount);
};
/* FIRST END [COUNTED]: prints every group, all of it exactly; and compares counts and sums with the records from FIRST on,
 * before END, and those before COUNTED. */
int main(int argc, char **argv)
{
    CELL_CTX(c, .timeout_ms = 20000);
    static struct flow right[TAPE_ACCOUNTS];
    struct recent window = {.n = 0};
    uint64_t first = strtoull(argv[1], NULL, 10), end = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    uint64_t counted = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    int64_t begin = (int64_t)((end - 1) / 2000) * 2000000;
    for (uint64_t i = 0; i < end; i++) {
        if (i >= counted && i < first)
            continue;
        struct tape_move m = tape_move_at(i);
        struct flow *f = &right[m.from];
        f->total += m.amount;
        f->rates += m.rate;
        f->largest = f->n == 0 || m.amount > f->largest ? m.amount : f->largest;
        f->n++;
        if (m.time_us >= begin) {
            window.n++;
            window.total += m.amount;
        }
    }
    struct flow_page page;
    struct recent is;
    if (flow_scan(c, 0, 10000, &page) < 0 || recent_get(c, INT64_MAX, &is) < 0)
        return cell_perror(c, "scan");
    for (uint64_t i = 0; i < page.rows.len; i++) {
        const struct flow *f = &page.rows.ptr[i], *r = &right[f->account];
        if (f->n != r->n || f->total != r->total || f->largest != r->largest || f->rates != r->rates)
            printf("account %" PRIu64 " is wrong: %" PRIu64 " of %" PRIu64 " records\\n", f->account, f->n, r->n);
        printf("%" PRIu64 " %a %a %" PRIu64 "\\n", f->account, f->p99, f->variance, f->codes);
    }
    if (is.n != window.n || is.total != window.total || is.begin != begin)
        printf("the window is wrong: %" PRIu64 " of %" PRIu64 "\\n", is.n, window.n);
    printf("%" PRIu64 " at %" PRIu64 "\\n", (uint64_t)page.rows.len, page.position);
    return 0;
}
"""
