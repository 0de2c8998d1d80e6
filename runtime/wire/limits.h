/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Every bound on what a peer can make us do, in one place. docs/protocol.md repeats them. */
#ifndef CELL_WIRE_LIMITS_H
#define CELL_WIRE_LIMITS_H

#define CELL_MAX_MESSAGE (16u << 20)      /* payload of a frame on the app channel, bytes */
#define CELL_MAX_HELLO (4096u)            /* payload of HELLO and WELCOME */
#define CELL_MAX_CONTROL (256u)           /* payload of the frames about shared memory */
#define CELL_MAX_COMPILE_REPLY (4u << 20) /* payload on the compile channel */
#define CELL_MAX_OPS (4u << 20)           /* payload on the operations channel */
#define CELL_MAX_OPS_REPLY (256u << 10)   /* of health and metrics */
#define CELL_MAX_META_BYTES (16u << 10)   /* metadata block, with error texts and details */
#define CELL_MAX_META_PAIRS 128u
#define CELL_MAX_FUNCTIONS (1u << 20) /* the functions of a schema, as JSON */
#define CELL_MAX_JSON_DEPTH 64u
#define CELL_MAX_JSON_MEMBERS 100000u /* object members and array elements together */
#define CELL_MAX_DEPTH 32u            /* nesting of structs, lists and optionals in a message */
#define CELL_MAX_DECODED (256u << 20) /* memory that one decoded message may need */
#define CELL_MAX_NAME 127u            /* bytes of an identifier */
#define CELL_MAX_CELL_NAME 63u
#define CELL_MAX_ARRAY 65536u         /* elements of a fixed array */
#define CELL_MAX_TYPE_SIZE (1u << 20) /* sizeof a type, of an array and of a request struct, bytes */
#define CELL_MAX_PARAMS 64u           /* of a method, without the context */

#endif
