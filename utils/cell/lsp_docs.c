/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "lsp_docs.h"

#include <stdlib.h>
#include <string.h>

#define MAX_URI 8192u

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The path of a "file:///…" URI; NULL for another one. */
static char *path_of(const char *uri)
{
    if (strncmp(uri, "file://", 7) != 0)
        return NULL;
    const char *from = strchr(uri + 7, '/'); /* behind a host's name, which is empty or this one's */
    char *path = from ? malloc(strlen(from) + 1) : NULL, *to = path;
    for (; path && *from && *from != '?' && *from != '#'; from++) {
        int high = *from == '%' ? hex(from[1]) : -1, low = high >= 0 ? hex(from[2]) : -1;
        *to++ = low >= 0 ? (char)(high * 16 + low) : *from;
        from += low >= 0 ? 2 : 0;
    }
    if (!path)
        return NULL;
    *to = '\0';
    return path;
}

struct lsp_doc *lsp_docs_find(struct lsp_docs *docs, struct json_span uri)
{
    char name[MAX_URI];

    if (!lsp_json_text(uri, name, sizeof(name)))
        return NULL;
    for (size_t i = 0; i < docs->n; i++)
        if (strcmp(docs->items[i].name, name) == 0)
            return &docs->items[i];
    return NULL;
}

static void set_version(struct lsp_doc *doc, struct json_span version)
{
    if (version.at && version.len < sizeof(doc->version) && strspn(version.at, "-0123456789") >= version.len) {
        memcpy(doc->version, version.at, version.len);
        doc->version[version.len] = '\0';
    }
}

static void clear(struct lsp_doc *doc)
{
    free(doc->uri);
    free(doc->name);
    free(doc->path);
}

static struct lsp_doc *add(struct lsp_docs *docs, struct json_span uri)
{
    char name[MAX_URI];

    if (docs->n >= LSP_MAX_DOCS || !lsp_json_text(uri, name, sizeof(name)))
        return NULL;
    struct lsp_doc *items = realloc(docs->items, (docs->n + 1) * sizeof(*items));
    if (!items)
        return NULL;
    docs->items = items;
    struct lsp_doc doc = {
        .uri = strndup(uri.at, uri.len), .name = strdup(name), .path = path_of(name), .version = "null", .project = -1};
    if (!doc.uri || !doc.name) {
        clear(&doc);
        return NULL;
    }
    items[docs->n] = doc;
    return &items[docs->n++];
}

static void forget(struct lsp_docs *docs, struct lsp_doc *doc)
{
    clear(doc);
    *doc = docs->items[--docs->n];
}

enum lsp_event lsp_docs_note(struct lsp_docs *docs, const struct lsp_message *m, struct lsp_doc **doc)
{
    static const char *const methods[] = {[LSP_OPENED] = "textDocument/didOpen",
                                          [LSP_CHANGED] = "textDocument/didChange",
                                          [LSP_SAVED] = "textDocument/didSave",
                                          [LSP_CLOSED] = "textDocument/didClose"};
    struct json_span message = lsp_json_value(m->body, m->body + m->body_len);
    struct json_span method = lsp_json_member(message, "method");
    enum lsp_event event = LSP_OTHER;

    *doc = NULL;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (methods[i] && lsp_json_is(method, methods[i]))
            event = (enum lsp_event)i;
    if (event == LSP_OTHER)
        return event;
    struct json_span document = lsp_json_path(message, "params.textDocument");
    struct json_span uri = lsp_json_member(document, "uri");
    *doc = lsp_docs_find(docs, uri);
    if (event == LSP_CLOSED) {
        if (*doc)
            forget(docs, *doc);
        *doc = NULL;
        return event;
    }
    if (!*doc && event == LSP_OPENED)
        *doc = add(docs, uri);
    if (*doc && event != LSP_SAVED)
        set_version(*doc, lsp_json_member(document, "version"));
    return event;
}

void lsp_docs_put_rebuild(const struct lsp_doc *doc, struct lsp_out *out)
{
    struct cell_buffer b = {0};

    /* An extension of clangd's: everything of this document is made anew, its preamble also. The version is the one
     * that the editor knows, or it would drop what is said of the document. */
    cell_buffer_printf(&b,
                       "{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/didChange\",\"params\":{\"textDocument\":"
                       "{\"uri\":%s,\"version\":%s},\"contentChanges\":[],\"forceRebuild\":true}}",
                       doc->uri, doc->version);
    if (cell_buffer_ok(&b))
        lsp_out_put_body(out, b.data, b.len);
    cell_buffer_free(&b);
}

void lsp_docs_free(struct lsp_docs *docs)
{
    while (docs->n)
        forget(docs, &docs->items[docs->n - 1]);
    free(docs->items);
    *docs = (struct lsp_docs){0};
}
