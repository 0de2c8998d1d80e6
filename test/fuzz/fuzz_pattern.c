/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A pattern, and behind the first NUL a text: whatever they are, the automaton is whole, and says what it should. */
#include <string.h>

#include "fuzz.h"
#include "core/pattern.h"
#include "wire/message.h"
#include "wire/rules.h"

static void check_automaton(const struct cell_pattern *p, const char *text)
{
    size_t entries = (size_t)p->nstates * p->nclasses;
    EXPECT(strcmp(p->text, text) == 0 && p->nclasses >= 1 && p->nclasses <= 256);
    EXPECT(p->start < p->nstates && p->accepting <= p->nstates && p->accepting >= 1);
    EXPECT(entries * (p->wide ? 2 : 1) <= CELL_PATTERN_MAX_TABLE);
    for (unsigned b = 0; b < 256; b++)
        EXPECT(p->classes[b] < p->nclasses);
    for (size_t i = 0; i < entries; i++) {
        unsigned to = p->wide ? p->next[2 * i] | (unsigned)p->next[2 * i + 1] << 8 : p->next[i];
        EXPECT(to < p->nstates && (i >= p->nclasses || to == 0));
    }
}

static void check_match(const struct cell_pattern *p, const struct pattern_facts *f, const char *text, size_t len)
{
    if (!cell_pattern_matches(p, text, len))
        return;
    EXPECT(len >= f->least && len <= f->most);
    EXPECT(cell_utf8_valid(text, len)); /* no pattern lets through what is no text */
    for (uint32_t i = 0; i < f->nneeded; i++)
        EXPECT(memchr(text, f->needed[i], len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cell_arena arena = {0};
    struct cell_pattern *p = NULL;
    struct pattern_mistake wrong = {0};
    struct pattern_facts facts;
    enum pattern_relation relation;
    uint64_t steps = 1u << 20;
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t len = nul ? (size_t)(nul - data) : size;
    char *text = malloc(len + 1);
    EXPECT(text);
    if (len)
        memcpy(text, data, len);
    text[len] = '\0';
    int r = cell_pattern_compile(text, &arena, &steps, &p, &wrong);
    if (r == CELL_OK) {
        check_automaton(p, text);
        EXPECT(cell_pattern_facts(p, &facts) == CELL_OK);
        if (nul)
            check_match(p, &facts, (const char *)nul + 1, size - len - 1);
        EXPECT(cell_pattern_compare(p, p, &relation) == CELL_OK);
        EXPECT(relation == PATTERN_SAME || (uint64_t)p->nstates * p->nstates > 1u << 20);
    } else {
        EXPECT(r == CELL_INVALID_ARGUMENT && wrong.text[0] && wrong.at <= len && !p);
    }
    cell_arena_free(&arena);
    free(text);
    return 0;
}
