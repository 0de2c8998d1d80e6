/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * SQL as text: tokens, positions, what kind of statement it is. It needs no server, and never fails: what it cannot
 * read is a token that says so. PostgreSQL's rules of lexical structure (manual, 4.1), with
 * standard_conforming_strings.
 */
#ifndef CELLS_POSTGRES_SQLTEXT_H
#define CELLS_POSTGRES_SQLTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sql_kind {
    SQL_END,
    SQL_WORD,      /* a key word or a name without quotes */
    SQL_NAME,      /* "a name in quotes" */
    SQL_STRING,    /* 'a', E'a', B'1', U&'a', $$a$$ */
    SQL_NUMBER,    /* 1, 1.5e3 */
    SQL_PARAMETER, /* $1 */
    SQL_SYMBOL,    /* one of ( ) [ ] , ; . : or two colons */
    SQL_OPERATOR,  /* + - * / < > = ~ ! @ # % ^ & | ` ?, one or more of them */
    SQL_BROKEN     /* what ends before it is closed, or begins nothing */
};

struct sql_token {
    enum sql_kind kind;
    size_t at, length; /* bytes */
    uint32_t number;   /* PARAMETER: its number; one over 65535 is 65536 */
};

struct sql_lexer {
    const char *text;
    size_t length, at;
};

/* The next token; SQL_END again and again at the end. */
struct sql_token sql_next(struct sql_lexer *l);

/* True when the token is the word `word`, given in lower case. */
bool sql_is(const struct sql_lexer *l, struct sql_token t, const char *word);

/* Where character number `character` (from 1, as PostgreSQL reports positions) begins, in bytes; at most the length. */
size_t sql_byte_of_character(const char *text, size_t length, long character);

/* The extent of the token that covers byte `at`: *at is moved to its beginning, and its length is returned; 0 at the
 * end of the text and between tokens. */
size_t sql_token_at(const char *text, size_t length, size_t *at);

/* Why a statement cannot be a query. */
struct sql_refusal {
    char text[512];
    size_t at, length; /* what of the text it is about */
};

/* True for one statement that may be prepared as a query; false with the reason. */
bool sql_acceptable(const char *text, size_t length, struct sql_refusal *why);

/* The same for one that is executed once: also other statements, but those that change their connection or need it. */
bool sql_executable(const char *text, size_t length, struct sql_refusal *why);

/* Without what may stand behind it: white space, comments, semicolons. */
size_t sql_trimmed_length(const char *text, size_t length);

#endif
