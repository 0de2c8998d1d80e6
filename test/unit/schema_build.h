/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Schemas for unit tests, from a text that computes all layouts itself. Statements end with `;`, words with white
 * space:
 *
 *   enum auth_role i32 AUTH_USER=0 AUTH_ADMIN=1<AUTH_ROOT ;    value<former
 *   struct auth_session str:email u64:expires_at<expires auth_role:role u8[16]:key ;     type:name<former
 *   list auth_sessions auth_session ;       opt auth_opt_role auth_role ;
 *   const AUTH_MAX i64 32 ;
 *   method auth_login str:email u8[16]*:key >auth_session*:out ;    * by pointer, > out; method! is idempotent
 *   const AUTH_NEW<AUTH_OLD i64 1 ;         method auth_new<auth_old ;
 *   capability vectors size=64 metric=cosine ;   capability! is absent;   method auth_near ~vectors ?auth_find str:x ;
 */
#ifndef CELL_TEST_SCHEMA_BUILD_H
#define CELL_TEST_SCHEMA_BUILD_H

#include "core/schema.h"

#define BUILD_MAX 64 /* statements of one sort, words of one statement */

struct build {
    struct cell_schema *s;
    char *words[BUILD_MAX];
    uint32_t n;
};

__attribute__((noreturn)) static inline void build_fail(const char *what, const char *text)
{
    printf("the test's schema is wrong: %s: %s\n", what, text);
    exit(2);
}

static inline char *build_copy(struct build *b, const char *text)
{
    return cell_arena_copy(&b->s->arena, text, strlen(text));
}

static inline enum cell_kind build_kind(const char *text)
{
    static const char *const names[] = {
#define BUILD_NAME(symbol, number, name, size) [number] = name,
        CELL_KIND_MAP(BUILD_NAME)
#undef BUILD_NAME
    };
    for (unsigned i = 1; i <= CELL_KIND_BYTES; i++)
        if (strcmp(names[i], text) == 0)
            return (enum cell_kind)i;
    return 0;
}

static inline struct schema_ref build_ref(struct build *b, char *text)
{
    struct schema_ref r = {0};
    char *bound = strchr(text, '['), *elem = strchr(text, '<');
    if (bound) {
        r.count = (uint32_t)strtoul(bound + 1, NULL, 10);
        *bound = '\0';
    }
    if (elem) {
        *strchr(elem, '>') = '\0';
        r.kind = text[0] == 'l' ? CELL_KIND_LIST : CELL_KIND_OPT;
        r.elem = build_kind(elem + 1);
        return r;
    }
    r.kind = build_kind(text);
    r.named = r.kind ? NULL : cell_schema_type(b->s, text);
    if (!r.kind && !r.named)
        build_fail("unknown type", text);
    if (r.named)
        r.kind = r.named->kind;
    return r;
}

/* "type:name<former", "type*:name", ">type*:name"; a stream is "type+:name" or ">type+:name" */
static inline void build_field(struct build *b, char *word, struct schema_field *f)
{
    char *name = strchr(word, ':');
    if (!name)
        build_fail("a field without a name", word);
    *name++ = '\0';
    f->out = *word == '>';
    word += f->out;
    char *star = strchr(word, '*'), *plus = strchr(word, '+'), *former = strchr(name, '<');
    if (star)
        *star = '\0';
    if (plus)
        *plus = '\0';
    f->stream = plus != NULL;
    if (former)
        *former++ = '\0';
    f->by_pointer = star != NULL;
    f->name = build_copy(b, name);
    f->renamed_from = former ? build_copy(b, former) : NULL;
    f->type = build_ref(b, word);
}

/* "name<former" */
static inline const char *build_name(struct build *b, char *word, const char **former_name)
{
    char *former = strchr(word, '<');
    if (former)
        *former++ = '\0';
    *former_name = former ? build_copy(b, former) : NULL;
    return build_copy(b, word);
}

static inline void build_struct(struct build *b, struct schema_type *t)
{
    uint32_t end = 0, size, align;
    t->align = 1;
    t->nfields = b->n - 2;
    t->fields = cell_arena_array(&b->s->arena, t->nfields, sizeof(*t->fields));
    for (uint32_t i = 0; i < t->nfields; i++) {
        struct schema_field *f = &t->fields[i];
        build_field(b, b->words[i + 2], f);
        cell_schema_ref_layout(&f->type, &size, &align);
        f->offset = (end + align - 1) / align * align;
        end = f->offset + size;
        t->align = align > t->align ? align : t->align;
    }
    t->size = (end + t->align - 1) / t->align * t->align;
}

static inline void build_wrapper(struct build *b, struct schema_type *t)
{
    uint32_t size, align;
    t->elem = build_ref(b, b->words[2]);
    cell_schema_ref_layout(&t->elem, &size, &align);
    t->align = t->kind == CELL_KIND_LIST ? 8 : align;
    t->size = t->kind == CELL_KIND_LIST ? 16 : align + size; /* a size is a multiple of the alignment */
}

static inline void build_enum(struct build *b, struct schema_type *t)
{
    t->elem = build_ref(b, b->words[2]);
    cell_schema_ref_layout(&t->elem, &t->size, &t->align);
    t->nvalues = b->n - 3;
    t->values = cell_arena_array(&b->s->arena, t->nvalues, sizeof(*t->values));
    for (uint32_t i = 0; i < t->nvalues; i++) {
        char *text = strchr(b->words[i + 3], '=');
        *text = '\0';
        t->values[i].name = build_copy(b, b->words[i + 3]);
        t->values[i].text = build_name(b, text + 1, &t->values[i].renamed_from);
    }
}

static inline void build_type(struct build *b)
{
    static const char *const sorts[] = {"struct", "enum", "list", "opt"};
    struct schema_type *t = &b->s->types[b->s->ntypes];
    t->name = build_copy(b, b->words[1]);
    for (unsigned i = 0; i < 4; i++)
        if (strcmp(b->words[0], sorts[i]) == 0)
            t->kind = (enum cell_kind)(CELL_KIND_STRUCT + i);
    if (t->kind == CELL_KIND_STRUCT)
        build_struct(b, t);
    else if (t->kind == CELL_KIND_ENUM)
        build_enum(b, t);
    else if (t->kind)
        build_wrapper(b, t);
    else
        build_fail("unknown word", b->words[0]);
    b->s->ntypes++;
}

/* "~capability" and "?fallback" among the parameters. */
static inline void build_method(struct build *b, struct schema_method *m)
{
    struct cell_schema *s = b->s;
    const char **needs = cell_arena_array(&s->arena, b->n, sizeof(*needs));
    m->name = build_name(b, b->words[1], &m->renamed_from);
    m->idempotent = b->words[0][6] == '!';
    m->params = cell_arena_array(&s->arena, b->n - 2, sizeof(*m->params));
    m->needs = needs;
    for (uint32_t i = 2; i < b->n; i++)
        if (b->words[i][0] == '~')
            needs[m->nneeds++] = build_copy(b, b->words[i] + 1);
        else if (b->words[i][0] == '?')
            m->fallback = build_copy(b, b->words[i] + 1);
        else
            build_field(b, b->words[i], &m->params[m->nparams++]);
}

static inline void build_capability(struct build *b, struct schema_capability *c)
{
    c->name = build_copy(b, b->words[1]);
    c->absent = strchr(b->words[0], '!') != NULL;
    c->params = cell_arena_array(&b->s->arena, b->n - 2, sizeof(*c->params));
    for (uint32_t i = 2; i < b->n; i++) {
        char *value = strchr(b->words[i], '=');
        *value++ = '\0';
        c->params[c->nparams].name = build_copy(b, b->words[i]);
        c->params[c->nparams++].value = build_copy(b, value);
    }
}

static inline void build_statement(struct build *b)
{
    struct cell_schema *s = b->s;
    if (strcmp(b->words[0], "const") == 0) {
        struct schema_constant *k = &s->constants[s->nconstants++];
        k->name = build_name(b, b->words[1], &k->renamed_from);
        k->kind = build_kind(b->words[2]);
        k->text = build_copy(b, b->words[3]);
    } else if (strncmp(b->words[0], "method", 6) == 0) {
        build_method(b, &s->methods[s->nmethods++]);
    } else if (strncmp(b->words[0], "capability", 10) == 0) {
        build_capability(b, &s->capabilities[s->ncapabilities++]);
    } else {
        build_type(b);
    }
}

/* A copy with white space around each `;`. */
static inline char *build_spaced(const char *source)
{
    char *text = malloc(3 * strlen(source) + 1), *to = text;
    for (; *source; source++) {
        if (*source == ';')
            *to++ = ' ';
        *to++ = *source;
        if (*source == ';')
            *to++ = ' ';
    }
    *to = '\0';
    return text;
}

/* A sealed schema of the cell "auth". Ends the program when the text is wrong. */
static inline struct cell_schema *build_schema(const char *source)
{
    struct build b = {.s = cell_schema_new()};
    struct cell_error e = {0};
    char *text = build_spaced(source);
    b.s->cell = build_copy(&b, "auth");
    b.s->types = cell_arena_array(&b.s->arena, BUILD_MAX, sizeof(*b.s->types));
    b.s->constants = cell_arena_array(&b.s->arena, BUILD_MAX, sizeof(*b.s->constants));
    b.s->methods = cell_arena_array(&b.s->arena, BUILD_MAX, sizeof(*b.s->methods));
    b.s->capabilities = cell_arena_array(&b.s->arena, BUILD_MAX, sizeof(*b.s->capabilities));
    for (char *save, *word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
        if (strcmp(word, ";") != 0) {
            if (b.n == BUILD_MAX)
                build_fail("too many words", word);
            b.words[b.n++] = word;
        } else if (b.n) {
            if (b.s->ntypes == BUILD_MAX || b.s->nconstants == BUILD_MAX || b.s->nmethods == BUILD_MAX ||
                b.s->ncapabilities == BUILD_MAX)
                build_fail("too many statements", b.words[0]);
            build_statement(&b);
            b.n = 0;
        }
    }
    if (b.n)
        build_fail("a statement without an end", b.words[0]);
    free(text);
    if (cell_schema_seal(b.s, &e) < 0)
        build_fail(e.text, source);
    return b.s;
}

#endif
