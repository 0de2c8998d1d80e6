/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The project's .cell folder, for the compile session only; core/ask.h lists what is in it. Everything in it can be
 * deleted at any time, is replaced by renaming only, and is checked when it is read: what is cut, edited or foreign
 * counts as absent. Several processes may use one folder. Internal to core/.
 */
#ifndef CELL_CORE_STORE_H
#define CELL_CORE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/util.h"
#include "core/schema.h"

struct cell_store {
    struct cell_arena *arena; /* of the paths that are handed out; borrowed */
    const char *root;         /* DIR/.cell, absolute */
    bool usable;              /* it is there and was found good */
};

/* Prepares for DIR/.cell without touching it. CELL_NO_MEMORY. */
int cell_store_init(struct cell_store *s, struct cell_arena *arena, const char *dir);

/* CELL_OK when .cell is not there yet, or is a folder that belongs to this user or root and that others cannot write
 * to; else CELL_PERMISSION_DENIED or CELL_IO_ERROR. */
int cell_store_check(struct cell_store *s, struct cell_error *e);

/* .cell/FOLDER/NAME SUFFIX, in the arena; NULL when memory is short. */
char *cell_store_path(struct cell_store *s, const char *folder, const char *name, const char *suffix);

/* Makes a folder of the store, and .cell itself, if need be. */
int cell_store_make_folder(struct cell_store *s, const char *path, struct cell_error *e);

/* Replaces a file of the store, making its folder if need be. */
int cell_store_write(struct cell_store *s, const char *path, const void *data, size_t len, struct cell_error *e);

/*
 * A mirror's fingerprint without reading it: .cell/known/NAME holds it with the size, times and inode of the file that
 * it was true of, as an index of source files does. (Hashing 100 KiB takes 0.3 ms, looking that up 0.01 ms.) The same
 * of any other file under another name.
 */
bool cell_store_known(struct cell_store *s, const char *name, const char *mirror,
                      char fingerprint[CELL_FINGERPRINT_LEN + 1]);

/* A file of the store with its hash. Caller frees data. */
struct store_file {
    char *data;
    size_t len;
    char sha256[CELL_FINGERPRINT_LEN + 1];
    struct stat st;
    bool stable; /* st is of the very file that was read */
};
int cell_store_read(const char *path, struct store_file *file, struct cell_error *e);

/* Remembers that the mirror `file` is a valid schema of the cell. A failure is of no consequence. */
void cell_store_learn(struct cell_store *s, const char *name, const struct store_file *file);

/* Texts with a checksum in a last line, a comment: whole or absent. */
bool cell_store_text_is_whole(const char *path);
int cell_store_put_text(struct cell_store *s, const char *path, const char *text, size_t len, struct cell_error *e);

/* What is known of an answer without parsing it. */
struct answer_notes {
    char content[CELL_FINGERPRINT_LEN + 1]; /* the fingerprint of what it declares; "" = it must be parsed */
    const char **resources;                 /* as in the expansion; in the arena of the store or session */
    uint32_t nresources;
};

/* Answers to expansions (store_answers.c): .cell/answers/NAME-HASH, with what they are true of. `state` NULL = of none
 * that could be told. */
/* The document, NUL-terminated after *len bytes, to be freed by the caller; NULL when there is none that is whole, and
 * was kept for this fingerprint and this state. With fingerprint NULL, any will do. */
char *cell_store_answer(struct cell_store *s, const char *name, const char *hash, const char *fingerprint,
                        const char *state, struct answer_notes *notes, size_t *len);
/* Keeps one; *added tells that there was none before. A failure is of no consequence. */
void cell_store_keep_answer(struct cell_store *s, const char *name, const char *hash, const char *fingerprint,
                            const char *state, const struct answer_notes *notes, const char *document, size_t len,
                            bool *added);
/* Removes those that were not used for longest, when there are more than `most` or they have more than `bytes`. */
void cell_store_prune_answers(struct cell_store *s, size_t most, uint64_t bytes);

/* The socket file behind an address at one moment; a cell that is started again has another one. */
struct store_socket {
    bool there;
    bool noted;   /* .cell/down knows this one, in time or not */
    bool hurried; /* for the caller: the note is of those that editors keep for themselves */
    dev_t dev;
    ino_t ino;
    struct timespec changed;
};
void cell_store_look(const char *address, struct store_socket *socket);

/* True when the cell behind `socket` was noted as not answering less than lifetime_ms ago; *age_ms says when. */
bool cell_store_is_down(struct cell_store *s, struct store_socket *socket, uint64_t lifetime_ms, uint64_t *age_ms);
/* Notes it now, and forgets notes of the past; failures are of no consequence. */
void cell_store_set_down(struct cell_store *s, const struct store_socket *socket);
void cell_store_clear_down(struct cell_store *s, const struct store_socket *socket);

/* What one compilation of a build explains for all of them. */
struct store_report {
    const char *subject; /* what is wrong with the cell: another subject is another report */
    const char *object;  /* what the compilation makes */
    const char *file;    /* its main file, for people */
};
/* NULL: nobody has reported the same of cell `name` less than lifetime_ms ago, for another object; this compilation has
 * now, if that could be written. Else the file of the one that has, in the arena, and its report lives longer. Of any
 * number of compilations that ask at the same time one gets NULL. */
const char *cell_store_claim(struct cell_store *s, const char *name, const struct store_report *report,
                             uint64_t lifetime_ms);
void cell_store_clear_report(struct cell_store *s, const char *name);

#endif
