/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of the compile session share. Internal to core/. */
#ifndef CELL_CORE_SESSION_PARTS_H
#define CELL_CORE_SESSION_PARTS_H

#include <string.h>

#include "core/ask.h"
#include "core/json.h"
#include "core/lock.h"
#include "core/store.h"
#include "core/trust.h"
#include "wire/frame.h"

struct asked;
struct known_cell {
    struct session_cell pub; /* first: what callers hold is this */
    void *link;              /* NULL = not connected */
    bool used;               /* something was asked over this link */
    bool started;            /* by cell_session_prefetch: the link is not open yet */
    bool asks_state;         /* that was asked over this link in advance, and the answer was not taken yet */
    bool hung;               /* let the deadline pass, now or for another compilation lately */
    struct store_socket socket;
    struct cell_schema *schema, *baseline;
    struct cell_schema *verbs; /* of the schema, which was not parsed for them */
    bool verbs_kept;           /* on the disk, as far as that is possible */
    bool baseline_sought;
    struct cell_lock *lock;
    char lock_content[CELL_FINGERPRINT_LEN + 1]; /* of the file it was read from; "" = that is not certain */
    bool lock_sought;
    struct cell_error lock_error; /* of reading it; status CELL_NOT_FOUND: there is none */
    struct used_answer *answers;  /* that this compilation used */
    bool pin_sought;
    struct cell_pin pin; /* what the cell is known by */
    enum { STATE_UNKNOWN, STATE_NONE, STATE_KNOWN } has_state;
    char state[CELL_STATE_MAX + 1];   /* KNOWN */
    struct asked *asked, **asked_end; /* all that it was asked to expand, in order */
    uint32_t nasked;
    uint32_t nplanned;          /* of those, whose answer had a plan */
    struct cell_sha256 pending; /* of the questions of these, once there are any */
    struct cell_buffer failed;  /* requests that failed, with commas between */
    struct known_cell *next;
};

/* A question of this compilation, without what is pending for it: those of the same cell before it with a plan, or
 * about the same. */
struct asked {
    const char *request; /* as the caller has it */
    size_t len;
    /* What of it an answer depends on, canonical, and its key in a lock; NULL = it is no request. */
    const char *question, *key;
    const char *location; /* of the annotation, "" = not known; NULL = it is no request */
    const char *verb;     /* NULL = it is no request */
    const char *subject;  /* its first argument; NULL when that is no text */
    bool planned;         /* its answer has a plan */
    bool good;            /* answered without an error: nothing has failed with it */
    char hash[33];        /* of that, of the cell's address, and of what is pending; "" = none */
    /* The answer, when the cell has given it in this compilation; NULL else. */
    const char *document;
    size_t document_len;
    struct answer_notes notes;          /* of the answer that this compilation uses */
    struct expansion_diagnostic *whole; /* of that answer: what it says of its subject as a whole */
    uint32_t nwhole;
    bool replaced; /* another declaration of the same verb and subject came later */
    struct asked *next;
};

/* An answer of a cell, by its key, and the question to it. */
struct used_answer {
    const char *key, *question;
    struct used_answer *next;
};

struct cell_session {
    struct cell_arena arena;
    struct cell_config *config;
    const struct cell_exchange *exchange;
    enum session_mode begun, mode; /* as the caller has it, and as the policy makes it */
    bool unreachable_lock;
    struct config_policy policy;
    const char *dir;    /* of the project: .cell and cells.lock are in it */
    const char *file;   /* the main file: below the project's folder, or absolute */
    const char *object; /* NULL = none */
    struct cell_store store;
    struct known_cell *cells, *built_on; /* that were asked; that came out of precompiled headers and modules */
    struct known_cell *ahead;            /* that cell_session_prefetch has begun to ask, and nobody has asked for yet */
    uint64_t budget_ns;                  /* waiting time that is left for all questions together */
    uint64_t more_ns;                    /* and what there is beside for the present one */
    bool hurried;                        /* that time is an editor's */

    /* .cell/objects/KEY.json of this object. */
    const char *record_path;
    const char *source_record_path; /* the same content, by main file: for sessions that have no object */
    bool record_sought;
    char *record;
    size_t record_len;
    struct cell_json record_doc;
};

static inline int session_no_memory(struct cell_error *e) { return cell_error_set(e, CELL_NO_MEMORY, "out of memory"); }

/* What callers hold is the first member of what the session knows. */
static inline struct known_cell *session_known(struct session_cell *cell) { return (struct known_cell *)(void *)cell; }

/* The part of an address that people look for. */
static inline const char *session_place(const struct known_cell *c)
{
    const char *colon = cell_config_is_remote(c->pub.address) ? NULL : strchr(c->pub.address, ':');
    return colon ? colon + 1 : c->pub.address;
}

static inline bool session_is_fingerprint(const char *text)
{
    return strlen(text) == CELL_FINGERPRINT_LEN && strspn(text, "0123456789abcdef") == CELL_FINGERPRINT_LEN;
}

/* The error of asking the cell, again. */
static inline int session_fail_again(const struct session_cell *cell, struct cell_error *e)
{
    return cell_error_set(e, cell->status, "%s", cell->error.text);
}

/* session.c: one question, within the time that the compilation has left. Connects when there is no connection, and
 * only to a cell that still has the fingerprint that is known of it. */
int cell_session_request(struct cell_session *s, struct known_cell *c, enum cell_compile_method method,
                         const char *json, size_t len, const char **reply, size_t *reply_len, struct cell_error *e);

/* session.c: a cell that nothing is known of yet. NULL: memory was short. */
struct known_cell *cell_session_make_known(struct cell_session *s, const char *name);
/* session.c: whether the project may ask the cell at all, and it has not lately let a deadline pass. */
int cell_session_may_ask(struct cell_session *s, struct known_cell *c, struct cell_error *e);

/* session.c: how long an answer may take and not count. */
uint64_t cell_session_prompt_ns(const struct cell_session *s);

/* session.c: notes that a question used up its time. Only who had the time to answer is blamed for not answering. */
void cell_session_remember_hung(struct cell_session *s, struct known_cell *c, uint64_t granted_ns);

/* session_record.c: the next cell whose answers this object was made with last; *iterator is NULL at first. NULL behind
 * the last. */
const char *cell_session_answered(struct cell_session *s, void **iterator);

/* session_answer.c: what is kept of answers. */
/* Finds out the state of the cell's answers, once; c->has_state tells. */
int cell_session_know_state(struct cell_session *s, struct known_cell *c, struct cell_error *e);
/* Remembers a question, with its hash for what is pending now. */
int cell_session_add_asked(struct cell_session *s, struct known_cell *c, const char *json, size_t len,
                           struct asked **asked, struct cell_error *e);
void cell_session_hash_asked(const struct known_cell *c, struct asked *a);
/* Its answer has a plan: it is pending for those that come. */
void cell_session_add_planned(struct known_cell *c, struct asked *a);
/* Both have the same text as first argument. */
bool cell_session_same_subject(const struct asked *a, const struct asked *b);
/* Also of the same verb: what the answer to the one says of it as a whole, that to the other does as well. */
bool cell_session_same_whole(const struct asked *a, const struct asked *b);
/* Nothing is planned any more. */
void cell_session_forget_planned(struct known_cell *c);
/* The answer that is kept, to be freed by the caller; `any`: also one of another state or schema. NULL: there is none.
 */
char *cell_session_kept(struct cell_session *s, const struct known_cell *c, const struct asked *a, bool any,
                        struct answer_notes *notes, size_t *len);
/* Notes what can be known of the answer without parsing it again. CELL_NO_MEMORY. */
int cell_session_note(struct cell_session *s, struct asked *a, const struct cell_expansion *x);
/* session_whole.c */
/* Notes what the answer says of its subject as a whole. CELL_NO_MEMORY. */
int cell_session_note_whole(struct cell_session *s, struct asked *a, const struct cell_expansion *x);
/* A question has come, `a` being the last: what answers before it have said as a whole does not hold any more. */
void cell_session_replace_whole(struct known_cell *c, const struct asked *a);
/* The same for one that has failed, and may not even have been asked. */
void cell_session_fail_whole(struct known_cell *c, const char *json, size_t len);
/* After some were added: what was not used for long goes. */
void cell_session_prune_answers(struct cell_session *s);
/* Asks for the expansion, with what is pending now; keeps the document with the question. */
int cell_session_ask_expand(struct cell_session *s, struct known_cell *c, struct asked *a, struct cell_error *e);
/* Behind it come plans of other subjects, of which the cell did not know. */
bool cell_session_has_behind(const struct asked *a);
/* At the end of a unit: what the cell answers beside all that the unit has, for the caller to free. NULL: it cannot be
 * asked. */
struct cell_expansion *cell_session_beside_all(struct cell_session *s, struct known_cell *c, const struct asked *a);

/* session_lock.c */
/* The lock, read once; NULL when there is none of use, and c->lock_error says why. */
const struct cell_lock *cell_session_lock(struct cell_session *s, struct known_cell *c);
/* Sets the fingerprint of the schema that is locked, and makes the mirror hold it if that can be written. */
int cell_session_use_lock(struct cell_session *s, struct known_cell *c, struct cell_error *e);
/* True when the fingerprint of the schema that is locked is known, be it that the lock was read before and has not
 * changed since: then it is of use, and need not be read for this. */
bool cell_session_locked_as(struct cell_session *s, struct known_cell *c, char fingerprint[CELL_FINGERPRINT_LEN + 1]);
/* The locked answer to a question. */
int cell_session_locked_answer(struct cell_session *s, struct known_cell *c, const struct asked *a,
                               const struct lock_answer **answer, struct cell_error *e);
/* What was noted when the lock's answer to the question was parsed last, if nothing has changed since and it need not
 * be parsed again; and parses and keeps it for that, when it is there. */
bool cell_session_kept_locked(struct cell_session *s, struct known_cell *c, const struct asked *a,
                              struct answer_notes *notes);
void cell_session_keep_locked(struct cell_session *s, struct known_cell *c, const struct asked *a,
                              const struct cell_schema *declared);
/* True when the lock has an answer to the question that declares something else than `reply`. What is said beside, as
 * what would be done and was, is not compared. */
bool cell_session_answer_differs(struct cell_session *s, struct known_cell *c, const struct asked *a, const char *reply,
                                 size_t reply_len);
/* Remembers that the answer to a question is used; nothing for what is no request. */
int cell_session_used_answer(struct cell_session *s, struct known_cell *c, const struct asked *a, struct cell_error *e);
/* Makes .cell/requests hold the questions of what was used. */
int cell_session_keep_questions(struct cell_session *s, const struct known_cell *c, struct cell_error *e);

/* session_trust.c */
/* True when what the cell greets with needs no signature, or its signature was seen before and still holds. An error
 * when what it is known by cannot be found out. */
int cell_session_vouched(struct cell_session *s, struct known_cell *c, bool *vouched, struct cell_error *e);
/* Whether the schema that has just come may be looked at; *signature is to be kept if it turns out well. */
int cell_session_judge(struct cell_session *s, struct known_cell *c, const char *schema, size_t len,
                       struct cell_signature *signature, struct cell_error *e);
/* The schema was good: remembers the key with which it was signed, if it was, and that it need not be asked again. */
int cell_session_believe(struct cell_session *s, struct known_cell *c, const struct cell_signature *signature,
                         struct cell_error *e);
/* What the lock says of the key, as noted when it was read last; false when it must be read for that. */
bool cell_session_locked_key(struct cell_session *s, struct known_cell *c, char key[CELL_KEY_DIGITS + 1]);

/* session_schema.c. All need the fingerprint in c->pub. */
/* Makes the mirror hold the schema that the cell has now; its time changes only when its content does. */
int cell_session_update_mirror(struct cell_session *s, struct known_cell *c, struct cell_error *e);
/* Mirror mode: sets the fingerprint of the schema that is on the disk, when it is one. */
int cell_session_read_mirror(struct cell_session *s, struct known_cell *c, struct cell_error *e);
/* Parses the locked schema into c->schema, and makes the mirror hold it if that can be written. */
int cell_session_take_lock(struct cell_session *s, struct known_cell *c, struct cell_error *e);
/* Parses the file at `path` (NULL: memory was short) into c->schema if it holds the schema of c's fingerprint. */
int cell_session_load_schema(struct known_cell *c, const char *path, struct cell_error *e);
/* Makes .cell/schemas hold the schema, for later comparisons. */
int cell_session_keep_schema(struct cell_session *s, struct known_cell *c, struct cell_error *e);
/* The same of a cell of s->built_on, as far as the disk has its schema; asks nobody. */
bool cell_session_keep_built_on(struct cell_session *s, struct known_cell *c);

#endif
