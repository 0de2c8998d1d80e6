/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "lsp_filter.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/util.h"

#define MAX_TEXTS 4096u /* injected texts that are looked at */
#define UNUSED "unused-includes"
#define REMOVE_ALL "remove all unused includes"

static bool has(const struct lsp_message *m, const char *text)
{
    return memmem(m->body, m->body_len, text, strlen(text)) != NULL;
}

/* Whether the injected text in file `name` of `folder` says that it was injected into a file that is called `header`.
 */
static bool injected_into(int folder, const char *name, const char *header)
{
    static const char before[] = "/// Imported at: ";
    char head[2048];
    CELL_CLEANUP(cell_cleanup_fd) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head) - 1);

    if (n <= 0)
        return false;
    head[n] = '\0';
    const char *at = strstr(head, before);
    const char *end = at ? strchr(at, '\n') : NULL;
    if (!end)
        return false;
    at += sizeof(before) - 1;
    /* PATH:LINE:COLUMN */
    for (int colons = 0; colons < 2 && end > at;)
        colons += *--end == ':';
    const char *base = end;
    while (base > at && base[-1] != '/')
        base--;
    return (size_t)(end - base) == strlen(header) && memcmp(base, header, strlen(header)) == 0;
}

/* Whether a client of a cell was injected into a file of that name in the project. */
static bool brings_client(const char *dir, const char *header)
{
    const struct dirent *entry;
    char path[4200];
    bool found = false;

    if ((size_t)snprintf(path, sizeof(path), "%s/.cell/inject", dir) >= sizeof(path))
        return false;
    DIR *folder = opendir(path);
    for (unsigned i = 0; folder && !found && i < MAX_TEXTS && (entry = readdir(folder)); i++)
        found = injected_into(dirfd(folder), entry->d_name, header);
    if (folder)
        closedir(folder);
    return found;
}

static bool is_false(struct json_span diagnostic, const char *dir)
{
    static const char before[] = "Included header ", after[] = " is not used directly";
    char text[512];

    if (!lsp_json_is(lsp_json_member(diagnostic, "code"), UNUSED) ||
        !lsp_json_is(lsp_json_member(diagnostic, "source"), "clangd") ||
        !lsp_json_text(lsp_json_member(diagnostic, "message"), text, sizeof(text)) ||
        strncasecmp(text, before, sizeof(before) - 1) != 0)
        return false;
    char *name = text + sizeof(before) - 1, *end = strstr(name, after);
    if (!end)
        return false;
    *end = '\0';
    return brings_client(dir, name);
}

/* Puts the message without the elements of `array` for which `drop` is true. */
static bool put_without(const struct lsp_message *m, struct json_span array,
                        bool (*drop)(struct json_span element, const char *dir), const char *dir, struct lsp_out *out)
{
    struct cell_buffer b = {0};
    struct json_span element;
    size_t at = 0, kept = 0, dropped = 0;

    cell_buffer_append(&b, m->body, (size_t)(array.at + 1 - m->body));
    while (lsp_json_element(array, &at, &element)) {
        if (drop(element, dir)) {
            dropped++;
            continue;
        }
        cell_buffer_append(&b, ",", kept++ ? 1 : 0);
        cell_buffer_append(&b, element.at, element.len);
    }
    cell_buffer_append(&b, array.at + array.len - 1, (size_t)(m->body + m->body_len - (array.at + array.len - 1)));
    bool changed = dropped > 0 && cell_buffer_ok(&b);
    if (changed)
        lsp_out_put_body(out, b.data, b.len);
    cell_buffer_free(&b);
    return changed;
}

/* Tells the watcher of cells that did not answer when the file was parsed (clang-plugin/Diagnostics.def). */
static void note_doubts(struct json_span diagnostics, int project, struct lsp_watch *w)
{
    static const char *const before[] = {"cell '", "annot import cell '"}, *const after[] = {"' does not answer", "'"};
    struct json_span diagnostic;
    char text[2048];

    for (size_t at = 0; lsp_json_element(diagnostics, &at, &diagnostic);)
        for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
            if (!lsp_json_text(lsp_json_member(diagnostic, "message"), text, sizeof(text)))
                continue;
            char *name = strcasestr(text, before[i]), *end = NULL;
            if (name)
                end = strchr(name += strlen(before[i]), '\'');
            if (!end || strncmp(end, after[i], strlen(after[i])) != 0)
                continue;
            *end = '\0';
            lsp_watch_doubt(w, project, name);
        }
}

static bool filter_diagnostics(const struct lsp_message *m, struct json_span message, struct lsp_docs *docs,
                               struct lsp_watch *w, struct lsp_out *out)
{
    struct json_span params = lsp_json_member(message, "params");
    struct lsp_doc *doc = lsp_docs_find(docs, lsp_json_member(params, "uri"));

    if (!doc)
        return false;
    struct json_span diagnostics = lsp_json_member(params, "diagnostics");
    if (doc->project >= 0 && has(m, "ell '"))
        note_doubts(diagnostics, doc->project, w);
    doc->spared = doc->project >= 0 && has(m, UNUSED) &&
                  put_without(m, diagnostics, is_false, lsp_watch_dir(w, doc->project), out);
    return doc->spared;
}

static bool removes_all(struct json_span action, const char *dir)
{
    (void)dir;
    return lsp_json_is(lsp_json_member(action, "title"), REMOVE_ALL);
}

bool lsp_filter(const struct lsp_message *m, struct lsp_docs *docs, struct lsp_watch *w, struct lsp_out *out)
{
    struct json_span message = lsp_json_value(m->body, m->body + m->body_len);
    struct json_span method = lsp_json_member(message, "method");

    if (lsp_json_is(method, "textDocument/publishDiagnostics"))
        return filter_diagnostics(m, message, docs, w, out);
    if (method.at || !has(m, REMOVE_ALL))
        return false;
    /* An answer to a request for code actions; whose, only its number tells. */
    for (size_t i = 0; i < docs->n; i++)
        if (docs->items[i].spared)
            return put_without(m, lsp_json_member(message, "result"), removes_all, NULL, out);
    return false;
}
