/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A cell with a journal of deterministic records, for tests:  tape ADDRESS FOLDER. Compile with the plugin. */
#include <cell/journal.h>
#include <cell/serve.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "analytics_tape.h"

CELL_PROVIDE(tape, "Records for tests");

struct tape_journal_field {
    cell_str name, type;
    uint32_t offset;
};
CELL_LIST(tape_journal_fields, struct tape_journal_field);
struct tape_journal {
    cell_str name, folder, type, time;
    uint32_t record_size;
    tape_journal_fields fields;
};
CELL_LIST(tape_journals, struct tape_journal);

static struct cell_journal *journal;
static char folder[PATH_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

CELL_METHOD CELL_IDEMPOTENT int tape_streams(cell_ctx *c, tape_journals *journals)
{
#define FIELD(n, t) {CELL_STR(#n), CELL_STR(t), offsetof(struct tape_move, n)}
    static const struct tape_journal_field fields[] = {FIELD(from, "u64"), FIELD(amount, "i64"), FIELD(time_us, "i64"),
                                                       FIELD(rate, "f64"), FIELD(code, "u32"),   FIELD(kind, "i32"),
                                                       FIELD(tag, "u8[8]")};
    struct tape_journal *one = cell_ctx_alloc(c, sizeof(*one));
    *one = (struct tape_journal){CELL_STR("moves"),   cell_strz(folder),        CELL_STR("move"),
                                 CELL_STR("time_us"), sizeof(struct tape_move), {fields, 7}};
    *journals = (tape_journals){one, 1};
    return CELL_OK;
}

struct tape_end {
    uint64_t sequence;
};

/* Appends n records, durably; `amount` is that of the first when it is not 0. */
CELL_METHOD int tape_append(cell_ctx *c, uint32_t n, int64_t amount, struct tape_end *end)
{
    struct cell_error e = {0};
    struct cell_position at = {0};
    int r = CELL_OK;

    pthread_mutex_lock(&lock);
    while (r == CELL_OK && n > 0) {
        uint32_t some = n < 500 ? n : 500;
        void *memory;
        r = cell_journal_reserve(journal, some * (uint32_t)sizeof(struct tape_move), &memory, &e);
        for (uint32_t i = 0; r == CELL_OK && i < some; i++) {
            struct tape_move move = tape_move_at(cell_journal_committed(journal).sequence + i);
            move.amount = amount ? amount : move.amount;
            amount = 0;
            ((struct tape_move *)memory)[i] = move;
        }
        if (r == CELL_OK)
            r = cell_journal_commit(journal, some, some * (uint32_t)sizeof(struct tape_move), &at, &e);
        n -= some;
    }
    if (r == CELL_OK)
        r = cell_journal_sync(journal, &at, &e);
    end->sequence = at.sequence;
    pthread_mutex_unlock(&lock);
    return r < 0 ? cell_fail(c, r, "%s", e.text) : r;
}

int main(int argc, char **argv)
{
    const struct cell_journal_options how = {.type = "move",
                                             .record_size = sizeof(struct tape_move),
                                             .segment_bytes = UINT64_C(2) << 20,
                                             .keep_bytes = argc > 3 ? strtoull(argv[3], NULL, 10) : 0};
    const struct cell_server_options options = {.address = argv[1]};
    struct cell_server *server = NULL;
    struct cell_error e = {0};

    if (argc < 3 || cell_journal_open(argv[2], &how, &journal, &e) < 0 || !realpath(argv[2], folder)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    int r = cell_server_new(&options, &server);
    if (r == CELL_OK)
        r = cell_server_run(server);
    if (r < 0)
        fprintf(stderr, "%s\n", cell_server_message(server));
    cell_server_free(server);
    cell_journal_close(journal, &e);
    return r < 0;
}
