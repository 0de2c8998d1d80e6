/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The compile-time client: one `cell_session` a compilation, which asks each cell at most once for its schema and keeps
 * the project's .cell/ folder. No transport and no Clang in here: the connection is handed in as a table, so that unit
 * tests answer from memory. Not thread-safe; any number of sessions, of any processes, may use one folder at once.
 *
 * .cell/ lies beside cell.json; without one, beside the main file. One that belongs to neither this user nor root, or
 * to which anybody can write, is refused: what is in it becomes part of the program. Everything in it can be deleted at
 * any time and is replaced by renaming; what is damaged counts as absent and is asked for again. A compilation that has
 * nothing new to store needs no right to write.
 *
 *   .cell/mirror/NAME.json         the last schema that the cell sent, canonical: its SHA-256 is the fingerprint.
 *                                  Replaced, and so newer than the objects, only when it changed
 *   .cell/known/NAME               the mirror's fingerprint with its inode, size and times: it need not be read
 *   .cell/schemas/FINGERPRINT.json every schema that some object was compiled against
 *   .cell/verbs/FINGERPRINT        the verbs of a cell with that schema (core/verbs_text.c)
 *   .cell/objects/KEY.json         per object: {"answers": {"db": [key]}, "cells": {"auth": FINGERPRINT}, "object":
 *                                  path}; KEY is from the path; "answers" are those that the object was made with
 *   .cell/identity/NAME            the schema that a cell has signed last: key, version, expiry, fingerprint, SHA-256
 * of the document, address. While it holds, no signature is asked for .cell/requests/NAME-HASH.json  the questions of
 * those answers, for `cell lock` to ask them again; HASH ends the key .cell/answers/NAME-HASH        what the cell
 * answered last to one question, what was pending for it included, with the fingerprint and the state that this is true
 * of, and a checksum .cell/included/KEY.json        per precompiled header, and per preamble of an editor: the
 * questions that it asked .cell/missing/NAME-HASH        an answer that a compilation wanted and the lock does not have
 *   .cell/used/FINGERPRINT         such a schema as objects have it (core/uses.h), and a checksum
 *   .cell/inject/NAME-HASH.h       the injected texts; the last line is a checksum in a comment
 *   .cell/down/DEV-INODE           a socket whose cell let the deadline pass; its mtime says when
 *   .cell/down/DEV-INODE-hurried   the same, but only the deadline of an editor
 *   .cell/sources/KEY.json         per main file, what .cell/objects holds of the object that was last made of it: for
 *                                  editors and others that make none
 *   .cell/down/NAME                who has explained that the cell is not there or hangs; its mtime says when this was
 *                                  last met
 *
 * All questions of a compilation together may wait for the config's timeout_ms; what is compiled in between does not
 * count, nor does, but in an editor, the first twentieth of that in the waiting for each answer, and for each plan that
 * is carried out. A cell that used it up is not asked again, by any compilation of the project, for 30 s or ten times
 * timeout_ms, whichever is more, unless its socket has been made anew. Cells that refuse, or have no socket, answer at
 * once and need no such memory.
 */
#ifndef CELL_CORE_ASK_H
#define CELL_CORE_ASK_H

#include "core/config.h"
#include "core/schema.h"

/* How a question reaches a cell. */
struct cell_exchange {
    /* Connects to `address` on the compile channel; *fingerprint is what the cell's WELCOME said. *link is NULL, or
     * what `start` has made of the same cell, and goes on from there: after an error it is closed, and NULL. The errors
     * of open and request name the socket. */
    int (*open)(const char *address, const char *cell, bool any_owner, uint64_t deadline_ns, void **link,
                char fingerprint[CELL_FINGERPRINT_LEN + 1], struct cell_error *e);
    /* One request, one reply of at most CELL_MAX_COMPILE_REPLY bytes. *reply lives until the next call. */
    int (*request)(void *link, uint32_t method, const char *json, size_t len, uint64_t deadline_ns, const char **reply,
                   size_t *reply_len, struct cell_error *e);
    void (*close)(void *link);
    /* The signature that came with the last reply, as it came: its length, 0 = none or more than `size` bytes. NULL =
     * cells that are reached so sign nothing. */
    size_t (*signature)(void *link, char *text, size_t size);
    /* Begins `open`, and asks for the state (CELL_COMPILE_STATE), without waiting for anything: the cell answers while
     * the caller does something else. The first request must be that one, and has its answer then. *link is set on
     * success. NULL = nothing can be begun. */
    int (*start)(const char *address, const char *cell, bool any_owner, uint32_t timeout_ms, void **link,
                 struct cell_error *e);
};

enum session_mode { SESSION_LIVE, SESSION_PLAN, SESSION_MIRROR, SESSION_LOCKED };

struct cell_session;

/*
 * LIVE makes an object and PLAN does not: both ask the cells. MIRROR asks nobody, and knows what is on the disk. The
 * config's policy goes over that: where it says "locked", nobody is ever asked, and where it says "plan", LIVE becomes
 * PLAN. Whatever it says, only what was begun as LIVE commits. LOCKED takes everything from cells.lock; a session that
 * is begun so is one that is not told what is made. `main_file` (there or not) and `output` (NULL = none) are absolute;
 * the config is found from main_file. Touches no network and writes nothing. `exchange` must outlive the session.
 * Errors: those of cell_config_find and cell_config_policy.
 */
int cell_session_new(const char *main_file, const char *output, enum session_mode mode,
                     const struct cell_exchange *exchange, struct cell_session **session, struct cell_error *e);
void cell_session_free(struct cell_session *s); /* closes the connections; NULL is accepted */
struct cell_config *cell_session_config(struct cell_session *s);
enum session_mode cell_session_mode(const struct cell_session *s); /* that holds, by the config's policy */

/*
 * For the beginning of a unit that may ask: begins to ask those cells whose answers this object was made with last, so
 * that they answer while the compiler reads what comes before the first question. Waits for nothing, and failures are
 * of no consequence: then cell_session_cell begins anew. Nothing happens in a hurried session, and where nobody is
 * asked.
 */
void cell_session_prefetch(struct cell_session *s);

/* For editors, before anything is asked: all questions together wait for `ms` at most. A cell that was too slow for
 * that is not asked again by such sessions; the others, which have more time, find out for themselves. A cell that
 * cannot be asked counts as known, and stale, when there is a mirror of it. The baseline is that of the object that was
 * last compiled from the main file. */
void cell_session_hurry(struct cell_session *s, uint32_t ms);

/* What a compilation knows of one cell. */
struct session_cell {
    const char *name;
    const char *address; /* "" when the name cannot be that of a cell */
    char fingerprint[CELL_FINGERPRINT_LEN + 1];
    const char *mirror_path; /* absolute; exists on success: a dependency of the object; NULL for such a name */
    int status;              /* of asking it: negative when it failed, error below */
    bool stale;              /* asking failed with `error`, and this is what the disk knows (cell_session_hurry) */
    struct cell_error error; /* names socket and cause; asked once, said for each annotation that needs it */
    const char *lock_path;   /* absolute; the schema and all answers are from this lock; NULL = from the cell */
    bool stands_in;          /* the lock does so because the cell cannot be reached; `error` says why */
    bool baseline_is_lock;   /* after cell_session_baseline */
    bool answer_differs;     /* after cell_session_expand: the lock has an answer that declares something else */
    /* After cell_session_expand: the cell did not answer, and this is what it answered once (cell_session_hurry). */
    bool answer_stale;
    struct cell_error answer_error; /* why */
    /* When this object's record and the mirror were written, seconds since 1970; 0 = not known. Set with the baseline.
     */
    int64_t baseline_time, schema_time;
    bool reported; /* for the caller: so that one error a build and cell is printed */
};

/* Finds out the fingerprint (live, plan: by connecting; mirror mode: from disk). Asks once, then remembers, failures
 * also. On success the mirror holds that schema; when it did before, nothing more was asked and nothing parsed.
 * *cell belongs to the session and is set unless memory was short. CELL_INVALID_ARGUMENT: no name of a cell;
 * CELL_NOT_FOUND: no mirror (mirror mode), no lock; CELL_DATA_LOSS and others: the lock cannot be used;
 * CELL_PERMISSION_DENIED: the user has not trusted the project with asking there; CELL_UNAUTHENTICATED: the schema is
 * not by the key that the cell is known by, or is old (core/trust.h); CELL_DEADLINE_EXCEEDED, also from memory;
 * CELL_PROTOCOL_ERROR: a schema that is not valid, another cell's, or not of the fingerprint that the cell stated;
 * those of the exchange and of writing.
 */
int cell_session_cell(struct cell_session *s, const char *name, struct session_cell **cell);

/* Brings the mirror up to date as asking does, but a lock never stands in for the cell: a cell that is down changes
 * nothing. `before` is the fingerprint of the mirror there was, "" = none. For a cell that was not asked yet. */
int cell_session_sync(struct cell_session *s, const char *name, struct session_cell **cell,
                      char before[CELL_FINGERPRINT_LEN + 1]);

/*
 * For saying once a build why a cell does not answer. NULL: explain it; the others of the build may leave that to this
 * compilation. Else the main file of the compilation that has explained it, below the project's folder or absolute; it
 * belongs to the session. Call once a cell, when its error is about to be printed.
 *
 * Only cells that are not there (CELL_UNAVAILABLE) or hang are left to others, and only in live mode: an editor shows
 * one file. What belongs to a build nobody tells a compiler. It is taken for over, and the next failure is explained
 * again, when the object that had the explanation is compiled again, when the cell has answered in between, when it
 * fails in the other way or at another address, and when no compilation has met the failure for 10 s and timeout_ms:
 * shorter than people take to read and to try again, longer than most files compile, and who waits for a hung cell
 * meets nothing meanwhile. Where .cell cannot be written to, each compilation explains.
 */
const char *cell_session_claim(struct cell_session *s, struct session_cell *cell);

/* The parsed schema; parses on first use only. NULL with error set when it is not valid, or cannot be had any more. It
 * belongs to the session. */
const struct cell_schema *cell_session_schema(struct cell_session *s, struct session_cell *cell, struct cell_error *e);

/* The schema as far as its verbs, without docs: from .cell/verbs where that has them, so that nothing need be parsed.
 */
const struct cell_schema *cell_session_verbs(struct cell_session *s, struct session_cell *cell, struct cell_error *e);

/* What is wrong with the lock of a cell that answered, for a warning: it is not the baseline then. CELL_OK when there
 * is none, or a good one. */
int cell_session_check_lock(struct cell_session *s, struct session_cell *cell, struct cell_error *e);

/*
 * Asks for an expansion, or finds the answer in the lock, or in .cell/answers, where it is good for as long as the cell
 * has the same schema and the same state: a session asks for that once, with its first question. *x belongs to the
 * caller. The answer may use the types of `declared` (cell_expansion_parse; NULL = none). `json` is the request without
 * "pending": a question whose answer had a plan is pending for those of the same cell that follow.
 *
 * Connects again, once, when the connection was lost since its last use; CELL_ABORTED when the cell has another schema
 * by then. In a hurried session a kept answer stands in for a cell that cannot be asked, whatever its state, also in
 * mirror mode; CELL_FAILED_PRECONDITION in mirror mode else. CELL_NOT_FOUND when the lock has no answer;
 * CELL_INVALID_ARGUMENT, and nobody is asked, for declared types that break a limit.
 */
int cell_session_expand(struct cell_session *s, struct session_cell *cell, const char *json, size_t len,
                        const struct cell_schema *declared, struct cell_expansion **x, struct cell_error *e);

/* An answer as far as a compilation needs it. */
struct session_answer {
    struct cell_expansion *x; /* NULL: it is a kept one that says and plans nothing, and was not parsed; caller's */
    char content[CELL_FINGERPRINT_LEN + 1]; /* without x: the fingerprint that x->content would have */
    bool unparsed;                          /* the session's own, as is what follows */
    struct asked *asked;
};

/* The same as cell_session_expand, which parses nothing that need not be: who has made something of that content
 * before, of the same `declared`, need not see it. */
int cell_session_answer(struct cell_session *s, struct session_cell *cell, const char *json, size_t len,
                        const struct cell_schema *declared, struct session_answer *answer, struct cell_error *e);
/* For who needs it after all, before the next question: answer->x is set on success. */
int cell_session_parse_answer(struct cell_session *s, struct session_cell *cell, const struct cell_schema *declared,
                              struct session_answer *answer, struct cell_error *e);

/* Tells the cell with its next questions that this one failed: an expansion request, or the part of one that is known.
 * An answer may say then that it depends on that (cell_expansion.depends); such an answer is not kept. */
int cell_session_failed(struct session_cell *cell, const char *json, size_t len);

/* The state of the cell's answers, asked once a session. CELL_UNIMPLEMENTED: it has none. */
int cell_session_state(struct cell_session *s, struct session_cell *cell, char token[CELL_STATE_MAX + 1],
                       struct cell_error *e);

/* How many questions the cell was asked in this session. */
uint32_t cell_session_questions(const struct session_cell *cell);
/* Question number `i` to the cell in this session, as it was given; NULL behind the last. */
const char *cell_session_asked(const struct session_cell *cell, uint32_t i);
/* Where its annotation stands; "" when it does not say. */
const char *cell_session_asked_location(const struct session_cell *cell, uint32_t i);
/* Resource number `k` of the answer to it; NULL behind the last. */
const char *cell_session_asked_resource(const struct session_cell *cell, uint32_t i, uint32_t k);

/* What an answer has said of its subject as a whole. */
struct session_whole {
    uint32_t question; /* to which it was said: for cell_session_asked */
    const struct expansion_diagnostic *said;
};
/* For the end of a unit, before cell_session_whole: has the cell say again, beside all that the unit has, what it has
 * said as a whole before it knew of plans that came later, or that something failed. When it cannot be asked that
 * holds. */
void cell_session_judge_whole(struct cell_session *s, struct session_cell *cell);
/*
 * For the end of a unit, before anything is carried out: number `i` of what the cell has said as a whole
 * (expansion_diagnostic.whole) and still holds; false behind the last. Of several declarations of one verb with the
 * same first argument that is what the answer to the last says, and nothing when that one failed before it was
 * answered. What an earlier answer has said in the same words stands where that has it. `w` is good for as long as the
 * session.
 */
bool cell_session_whole(const struct session_cell *cell, uint32_t i, struct session_whole *w);

/* For the end of a unit that carries nothing out: the answer to question number `i` beside all that the unit has, whose
 * plan is what a build would carry out for it; the caller's. NULL: the answer that it had holds, or the cell cannot be
 * asked. */
struct cell_expansion *cell_session_beside(struct cell_session *s, struct session_cell *cell, uint32_t i);

/* How many questions to the cell had an answer with a plan so far. */
uint32_t cell_session_planned(const struct session_cell *cell);

/*
 * For the end of a unit without errors: has the cell carry out the plans of this session, and asks it again what it was
 * asked, so that the next compilation finds the answers as they are by then. It is given the questions whose answers
 * had plans, and the others with their verbs, which the plans must not contradict. In live mode, once; nothing is asked
 * when there is no plan, and *applied is NULL then. It belongs to the caller, and is good for as long as the session.
 * An error of the request itself is none here, but applied->failed. CELL_DEADLINE_EXCEEDED: the cell may be going on.
 */
int cell_session_apply(struct cell_session *s, struct session_cell *cell, struct cell_applied **applied,
                       struct cell_error *e);

/*
 * What is in a precompiled header was asked when that was made, where nothing is carried out. `keep` is for the end of
 * that unit, and remembers its questions under `path`; `ask` is for the beginning of a unit that includes it, and asks
 * them again, so that their plans are pending and are carried out with those of the unit. Without such a record nothing
 * happens. `each` gets the answers in their order, each when its question is the session's last one to that cell; `x`
 * is its own. What is refused now is told the cell as failed. Errors of `ask`: those of cell_session_cell and
 * cell_session_expand.
 */
typedef void cell_included_answer(void *user, struct session_cell *cell, struct cell_expansion *x);
void cell_session_keep_included(struct cell_session *s, const char *path);
/*
 * The same of what failed there: an editor has preambles with errors in them, and what follows from those errors is not
 * to be said in the file again. `names` are those whose expansion is missing; `each` gets them, and whatever the cells
 * are told has failed they are told again.
 */
void cell_session_keep_failed(struct cell_session *s, const char *path, const char *const *names, size_t n);
void cell_session_take_failed(struct cell_session *s, const char *path, void (*each)(void *user, const char *name),
                              void *user);
int cell_session_ask_included(struct cell_session *s, const char *path, cell_included_answer *each, void *user,
                              struct cell_error *e);

/* The cells that were asked so far, with *cell = NULL to begin with; false at the end. */
bool cell_session_next(struct cell_session *s, struct session_cell **cell);

/* For the end of a unit, with errors or without: keeps the answers that cells gave, in .cell/answers. Those that were
 * given while the cell's state changed stand in for it in hurried sessions only. Failures are of no consequence. */
void cell_session_settle(struct cell_session *s);

/* Path for an injected text identified by `key` (everything the text depends on), to be freed by the caller; *exists
 * tells that it is there and whole. cell_session_put writes it (renamed into place, with the checksum after it) and
 * must be given the text that `key` stands for; a whole one that is there by then stays. */
int cell_session_inject_path(struct cell_session *s, const char *name, const char *key, char **path, bool *exists);
int cell_session_put(struct cell_session *s, const char *path, const char *text, size_t len, struct cell_error *e);

/* The schema that what has changed is told by: that of the lock, and without one of use that of this object's (without
 * an output: the main file's last object's) last successful compilation; cell->baseline_is_lock tells which. NULL =
 * none, or it is the present one. Belongs to the session. */
const struct cell_schema *cell_session_baseline(struct cell_session *s, struct session_cell *cell);

/* Appends the record of the schema `fingerprint` of cell `name` for the objects that use it (core/uses.h). Asks nobody:
 * it must be a schema that the mirror or an earlier compilation has. Those of reading, CELL_NOT_FOUND. */
int cell_session_used_schema(struct cell_session *s, const char *name, const char *fingerprint, struct cell_buffer *out,
                             struct cell_error *e);

/* The names of the cells that this object was compiled against, in the order of the record, then NULL. Begin with
 * *iterator = NULL. */
const char *cell_session_recorded(struct cell_session *s, void **iterator);

/* For before cell_session_commit: this unit was compiled against schema `fingerprint` of cell `name` as well, which
 * came out of a precompiled header or a module, so that nobody was asked. What the session has asked itself goes before
 * it. CELL_INVALID_ARGUMENT for what is no name or no fingerprint; CELL_NO_MEMORY. */
int cell_session_built_on(struct cell_session *s, const char *name, const char *fingerprint);

/* Call when the translation unit ended without any error: records the schemas and answers in use as this object's. Does
 * nothing but in sessions begun in live mode (an editor's run must not move the baseline of the object that the build
 * makes), and without an output. Writes nothing when nothing changed. */
int cell_session_commit(struct cell_session *s, struct cell_error *e);

#endif
