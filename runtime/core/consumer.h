/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A consumer of a cell: a program, and what it uses of that cell. As a document it is reported to the cell, which keeps
 * it (docs/protocol.md, "Consumers"); in a folder there is one file a consumer. Nobody vouches for either.
 */
#ifndef CELL_CORE_CONSUMER_H
#define CELL_CORE_CONSUMER_H

#include "core/uses.h"
#include "wire/limits.h"

#define CELL_CONSUMER_FORMAT "cell.consumer/1"
#define CELL_MAX_CONSUMERS 1000u              /* of one cell */
#define CELL_MAX_CONSUMER_BYTES (4u << 20)    /* one document */
#define CELL_MAX_CONSUMERS_BYTES (64u << 20)  /* all of one cell */
#define CELL_MAX_CONSUMER_PATH 4096u          /* bytes */
#define CELL_CONSUMER_FILE_SIZE (32u + 5 + 1) /* 32 hex digits, ".json", NUL */

/* The texts belong to whoever made it; to it, when it was read. */
struct cell_consumer {
    const char *cell;
    const char *program; /* a file's name, at most 127 bytes */
    const char *path;    /* of that file, absolute, where it was built; "" = this name alone stands for the program */
    const char *build;   /* SHA-256 of the file, in hex; "" = unknown */
    const char *project; /* cell_project_id of the project that builds it; NULL or "" = unknown, as of deployed ones */
    int64_t reported;    /* seconds since 1970, by the clock of who keeps it; 0 = nobody does yet */
    struct cell_uses *uses;
};

/* Stands for a project, by its folder, without naming it: what is compiled and what is reported can be told to belong
 * together. */
void cell_project_id(const char *folder, char id[CELL_FINGERPRINT_LEN + 1]);

/* Appends the document: of the uses those of its cell. CELL_NO_MEMORY. */
int cell_consumer_format(const struct cell_consumer *c, struct cell_buffer *out);
/* Reads one. CELL_PROTOCOL_ERROR, CELL_TOO_LARGE, CELL_NO_MEMORY. */
int cell_consumer_parse(const char *json, size_t len, struct cell_consumer **c, struct cell_error *e);
void cell_consumer_free(struct cell_consumer *c); /* of cell_consumer_parse; NULL is accepted */
/* Puts a file's name into the form that `program` must have: what it may not hold becomes '_'. */
void cell_consumer_name(const char *path, char name[CELL_MAX_NAME + 1]);
/* {"program", "path"}: which consumer is meant. *path is NULL when it is not there. The texts live as long as `doc`,
 * which is to be freed in any case. CELL_INVALID_ARGUMENT. */
struct cell_json;
int cell_consumer_key(const char *json, size_t len, struct cell_json *doc, const char **program, const char **path,
                      struct cell_error *e);

/* ---- a folder of them; files are replaced by renaming, and whoever writes takes turns ---- */

/* The names of the files of one folder. */
struct cell_consumer_list {
    char (*files)[CELL_CONSUMER_FILE_SIZE];
    size_t n, capacity;
    uint64_t bytes; /* of all together */
};
/* Sorted. No folder is an empty one. CELL_IO_ERROR, CELL_NO_MEMORY. */
int cell_consumers_list(const char *folder, struct cell_consumer_list *list, struct cell_error *e);
void cell_consumers_list_free(struct cell_consumer_list *list);
/* A hash of which files there are, and of what changes with each of them when it is written or replaced. */
int cell_consumers_stamp(const char *folder, uint64_t *stamp, struct cell_error *e);
/* CELL_NOT_FOUND when it has gone meanwhile; the errors of cell_consumer_parse for a file that is none. */
int cell_consumers_read(const char *folder, const char *file, struct cell_consumer **c, struct cell_error *e);
/* Of that key; CELL_NOT_FOUND. */
int cell_consumers_find(const char *folder, const char *program, const char *path, struct cell_consumer **c,
                        struct cell_error *e);

/* Keeps it in place of the one with the same program and path; makes the folder. It is on the disk on success, and the
 * earlier one still there otherwise. CELL_RESOURCE_EXHAUSTED at the limits; CELL_TOO_LARGE; CELL_IO_ERROR. */
int cell_consumers_put(const char *folder, const struct cell_consumer *c, bool *replaced, struct cell_error *e);
/* Removes it; of all paths when that is NULL. *n is how many there were. CELL_IO_ERROR. */
int cell_consumers_forget(const char *folder, const char *program, const char *path, uint32_t *n, struct cell_error *e);

#endif
