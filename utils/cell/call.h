/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of `cell call` share. */
#ifndef CELL_CLI_CALL_H
#define CELL_CLI_CALL_H

#include "ask/link.h"
#include "call_value.h"

struct call {
    struct cli *cli;
    struct cell_arena arena;
    struct cell_schema *schema;
    const struct cell_method *descriptor;
    const struct schema_method *method;
    uint32_t id;
    const char *address, *cell;
    bool any_owner;
    void *request; /* the request struct */
    bool *given;   /* which of its parameters have a value */
    bool stdin_read;
    struct cell_buffer *into; /* where the reply goes, as JSON; NULL = it is printed */
};

/* call_stream.c: opens the stream of a method that has one, and prints its records or sends what standard input holds.
 * enum cli_exit, reported; or with *reply set, the call's reply. */
int call_stream(struct call *c, struct cell_link *l, const struct cell_buffer *meta, const struct cell_buffer *message,
                uint64_t timeout_ms, struct cell_link_reply *reply, bool *replied);
/* call_https.c: a call to a cell of another host; *reply lies in *meta and *message. Errors of cell_http_request. */
int call_https(struct call *c, const struct cell_buffer *request_meta, uint64_t timeout_ms, struct cell_buffer *meta,
               struct cell_buffer *message, struct cell_link_reply *reply, struct cell_error *e);
/* The same of a method with a stream, whose records are printed as they come. *replied: there is a reply, or the error
 * is in *e; else something was reported, and an enum cli_exit is returned. */
int call_https_stream(struct call *c, const struct cell_buffer *request_meta, uint64_t timeout_ms,
                      struct cell_buffer *meta, struct cell_buffer *message, struct cell_link_reply *reply,
                      bool *replied, struct cell_error *e);
/* call_stream.c: prints one record. enum cli_exit, reported. */
int call_print_record(struct call *c, const struct cell_type *type, const void *record);
/* The call failed, here (`reply` NULL) or in the cell. Reported; returns an enum cli_exit. */
int call_failed(struct call *c, int status, const char *message, const struct cell_link_reply *reply);

/*
 * Calls a method as `cell call` does, with operands "NAME=VALUE" (at most 15), and gives its reply as the document that
 * `cell call --json` prints. enum cli_exit, reported; *reply is set with CLI_OK, and is to be freed.
 */
int call_method(struct cli *cli, const char *cell, const char *method, char **operands, int n, uint64_t timeout_ms,
                struct cell_buffer *reply);

/* Reads the operands "NAME=VALUE" into c->request, which it makes. enum cli_exit, reported. */
int call_read_arguments(struct call *c, char **operands, int n);
/* Reports a wrong use together with the method's signature; returns CLI_USAGE. */
int call_bad_usage(struct call *c, const char *text);

#endif
