/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A schema as C declarations for people, and one method's signature for messages. */
#ifndef CELL_CLI_SCHEMA_TEXT_H
#define CELL_CLI_SCHEMA_TEXT_H

#include "cli.h"
#include "core/schema.h"

void schema_text(struct cell_buffer *out, const struct cell_schema *s);
/* "int auth_login(cell_ctx *c, cell_str email, struct auth_session *out)" */
void schema_signature(struct cell_buffer *out, const struct schema_method *m);
/* As a call is written on the command line: "auth.auth_login email=STR key=U8[16]". */
void schema_call_signature(struct cell_buffer *out, const struct cell_schema *s, const struct schema_method *m);

/* Prints the whole schema: as text, or as the canonical document with --json. Frees nothing. enum cli_exit. */
int schema_show(struct cli *cli, const struct cell_schema *s);

/* Reads the operands of a command that is about one cell's schema, "CELL [--mirror]", and gets that. As cli_parse, or
 * an enum cli_exit, reported; *schema is set with CLI_OK, and the caller's. */
int cli_schema(struct cli *cli, int argc, char **argv, struct cell_schema **schema);

#endif
