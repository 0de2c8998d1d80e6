/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The client of a method with a stream: functions that open it, take or put its records, and end it. */
#include "RenderText.h"

/* The iterator or writer that the functions share. */
static void render_handle(struct render *r, const struct schema_method *m, const struct schema_field *stream)
{
    render_printf(r, "/// %s of %s.\n", stream->out ? "The records" : "Takes the records", m->name);
    render_field_doc(r, "", NULL, stream);
    render_printf(r, "struct %s_%s {\n", m->name, stream->out ? "iter" : "writer");
    if (stream->out) {
        render_put(r, "    ");
        render_member(r, &stream->type, "row");
        render_put(r, "; ///< valid until the next call of the functions below\n");
    }
    render_printf(r, "    struct %scell_stream *stream;\n};\n", r->scope);
}

static void render_open(struct render *r, const struct schema_method *m, const struct schema_field *stream, uint32_t id)
{
    const char *context = render_local_name(m, "c", "cellgen_c"), *in = render_local_name(m, "in", "cellgen_in");
    const char *kind = stream->out ? "iter" : "writer", *handle = render_local_name(m, kind, "cellgen_handle");
    uint32_t nin = render_count_in(m);
    render_doc(r, "", NULL, m->doc);
    render_printf(r, "/// Opens the stream; what goes wrong, %s_end says.\n/// \\param %s the call's context\n",
                  m->name, context);
    for (uint32_t i = 0; i < m->nparams; i++)
        if (cell_param_goes_in(&m->params[i]))
            render_param_doc(r, &m->params[i]);
    render_printf(r, "static inline struct %s_%s %s(%scell_ctx *%s", m->name, kind, m->name, r->scope, context);
    for (uint32_t i = 0; i < m->nparams; i++)
        if (cell_param_goes_in(&m->params[i])) {
            render_put(r, ", ");
            render_param(r, &m->params[i]);
        }
    render_put(r, ")");
    render_refusals(r, m);
    render_put(r, "\n{\n");
    if (nin)
        render_request(r, m, in);
    render_printf(r, "    struct %s_%s %s = %s;\n", m->name, kind, handle, r->cpp ? "{}" : "{0}");
    render_printf(r, "    %s.stream = %scell_stream_open(%s, &cellgen_%s_service, %u, %s%s);\n    return %s;\n}\n",
                  handle, r->scope, context, r->unit, id, nin ? "&" : "", nin ? in : "0", handle);
}

static void render_steps(struct render *r, const struct schema_method *m, const struct schema_field *stream)
{
    if (!stream->out) {
        render_put(r, "/// Sends n records; blocks while the cell does not take them.\n");
        render_put(r, "/// \\returns 0, or what is wrong, which the end says too\n");
        render_printf(r, "static inline int %s_put(struct %s_writer *writer, const ", m->name, m->name);
        render_use(r, &stream->type);
        render_printf(r, " *records, %ssize_t n)\n{\n    return %scell_stream_put(writer->stream, records, n);\n}\n",
                      r->scope, r->scope);
        return;
    }
    render_put(r, "/// Waits for the next record, and puts it into iter->row.\n");
    render_put(r, "/// \\returns false at the end, also when something is wrong\n");
    render_printf(r, "static inline %s %s_next(struct %s_iter *iter)\n{\n", r->cpp ? "bool" : "_Bool", m->name,
                  m->name);
    render_printf(r, "    return %scell_stream_next(iter->stream, &iter->row) > 0;\n}\n", r->scope);
    render_put(r, "/// The same for up to `max` of those that came together.\n");
    render_printf(r, "static inline %ssize_t %s_next_n(struct %s_iter *iter, ", r->scope, m->name, m->name);
    render_use(r, &stream->type);
    render_printf(r, " *records, %ssize_t max)\n{\n    return %scell_stream_next_n(iter->stream, records, max);\n}\n",
                  r->scope, r->scope);
}

static void render_end(struct render *r, const struct schema_method *m, const struct schema_field *stream)
{
    const char *kind = stream->out ? "iter" : "writer", *handle = render_local_name(m, kind, "cellgen_handle");
    const char *outs = render_local_name(m, "outs", "cellgen_outs"), *own = render_local_name(m, "own", "cellgen_own");
    uint32_t nout = render_count_out(m);
    render_printf(r, "/// Ends the stream%s.\n",
                  stream->out ? "; before its end, the rest is not wanted, and nothing else is known"
                              : " and waits for the result");
    for (uint32_t i = 0; i < m->nparams; i++)
        if (cell_param_comes_out(&m->params[i]))
            render_param_doc(r, &m->params[i]);
    render_put(r, "/// \\returns the method's result, 0 or more; or a negative enum cell_status\n");
    render_printf(r, "static inline int %s_end(struct %s_%s *%s", m->name, m->name, kind, handle);
    for (uint32_t i = 0; i < m->nparams; i++)
        if (cell_param_comes_out(&m->params[i])) {
            render_put(r, ", ");
            render_param(r, &m->params[i]);
        }
    render_put(r, ")\n{\n");
    if (nout)
        render_outs(r, m, outs);
    render_printf(r, "    struct %scell_stream *%s = %s->stream;\n    %s->stream = 0;\n", r->scope, own, handle,
                  handle);
    render_printf(r, "    return %scell_stream_end(%s, %s);\n}\n", r->scope, own, nout ? outs : "0");
}

void render_client_stream(struct render *r, const struct schema_method *m, uint32_t id)
{
    const struct schema_field *stream = cell_schema_stream(m);
    render_handle(r, m, stream);
    render_open(r, m, stream, id);
    render_steps(r, m, stream);
    render_end(r, m, stream);
}
