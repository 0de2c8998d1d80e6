/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Whom builds and editors of this user ask, and by which key a cell is known. docs/security.md says why.
 *
 * What the user has decided is in one file of theirs, $CELL_KNOWN_CELLS, else $XDG_CONFIG_HOME/cell/known-cells, else
 * $HOME/.config/cell/known-cells. A line each, with tabs between the words:
 *
 *   key      NAME  ADDRESS  ed25519:KEY  VERSION  SHA256    the cell there is known by this key; the last schema seen
 *   contact  NAME  ADDRESS  FOLDER                          the cell.json in that folder may have it asked
 *   folder   FOLDER                                         so may every cell.json in or below it, whatever it names
 *
 * Several processes may change it at once. Thread-safe.
 */
#ifndef CELL_CORE_TRUST_H
#define CELL_CORE_TRUST_H

#include "core/config.h"
#include "core/identity.h"

/* What a cell is known by. */
struct cell_pin {
    char key[CELL_KEY_DIGITS + 1]; /* "" = it has shown none */
    uint64_t version;              /* of the last schema that was seen */
    char sha256[64 + 1];           /* of that; "" = not known */
    bool in_lock;                  /* cells.lock says so; else known-cells */
};

enum trust_kind { TRUST_KEY, TRUST_CONTACT, TRUST_FOLDER };
struct trust_entry {
    enum trust_kind kind;
    const char *name, *address; /* NULL in a FOLDER */
    const char *folder;         /* NULL in a KEY */
    struct cell_pin pin;        /* of a KEY */
};
struct cell_trusted {
    struct cell_arena arena;
    struct trust_entry *entries; /* as the file has them */
    uint32_t n;
};

/* Where the file is, to be freed by the caller. CELL_FAILED_PRECONDITION when no variable says so. */
int cell_trusted_path(char **path, struct cell_error *e);
/* A file that is not there: no entries. CELL_PERMISSION_DENIED when others could have written it; CELL_DATA_LOSS for a
 * line that is none of the above. */
int cell_trusted_read(struct cell_trusted *t, struct cell_error *e);
int cell_trusted_parse(struct cell_trusted *t, const char *path, const char *text, size_t len, struct cell_error *e);
void cell_trusted_free(struct cell_trusted *t);
/* The key that the cell at this address is known by, or NULL. */
const struct cell_pin *cell_trusted_key(const struct cell_trusted *t, const char *name, const char *address);

/* Entries are the same when all but the pin is. */
enum trust_change {
    TRUST_ADD,     /* CELL_ALREADY_EXISTS when there is the same with another key: somebody was faster */
    TRUST_REPLACE, /* adds it if need be */
    TRUST_REMOVE   /* CELL_NOT_FOUND */
};
/* Changes the file; it is on the disk when this returns. CELL_INVALID_ARGUMENT for a path that no line can hold. */
int cell_trusted_change(enum trust_change change, const struct trust_entry *entry, struct cell_error *e);

/*
 * Whether a compilation or an editor may contact the cell, which `c` says is at `address`. A cell.json comes with a
 * project, so what it names is not the user's word. Without asking, only sockets are contacted that lie in the
 * project's own folder, symbolic links resolved, or in the user's default folder of sockets: nothing listens there but
 * what this user, or root, has started. CELL_PERMISSION_DENIED, with what to run, for all else that known-cells does
 * not allow. A socket that is not there is no error.
 */
int cell_trust_contact(const struct cell_config *c, const char *name, const char *address, struct cell_error *e);

/* What a cell has sent. */
struct cell_claim {
    const char *cell, *place; /* its name, and where it is, for messages */
    const char *signature;    /* as it came */
    size_t signature_len;     /* 0 = there is none */
    const void *document;
    size_t len;
    int64_t now; /* seconds since 1970 */
};
/*
 * Whether `claim` is to be believed of the cell that `pin` is known of, before anything in the document is looked at;
 * `strict`: a cell must be known by a key. *s is its signature, with an empty key when it has none and need have none.
 * CELL_UNAUTHENTICATED, with what to do, for a document that is not signed, by another key, of another cell or
 * document, expired, or older than what was seen. CELL_PROTOCOL_ERROR; CELL_FAILED_PRECONDITION: libsodium is missing.
 */
int cell_trust_judge(const struct cell_pin *pin, bool strict, const struct cell_claim *claim, struct cell_signature *s,
                     struct cell_error *e);

#endif
