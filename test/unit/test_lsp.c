/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the proxy of `cell clangd` reads out of messages, and their framing. */
// LINK: utils/cell/lsp_json.c utils/cell/lsp_stream.c utils/cell/lsp_docs.c
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../utils/cell/lsp_docs.h"
#include "test.h"

#define CHECK_INT(a, b) CHECK((long long)(a) == (long long)(b))

static struct json_span value(const char *text) { return lsp_json_value(text, text + strlen(text)); }

static bool is(struct json_span s, const char *text)
{
    return s.at && s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

TEST(values_and_members)
{
    static const char text[] =
        " {\"a\" : [1, {\"b]\": \"x}\\\"y\"}] ,\"c\":-2.5e3,\"d\":{\"e\":null,\"a\":true}, \"s\":\"\\\\\"} ";

    CHECK(is(lsp_json_member(value(text), "a"), "[1, {\"b]\": \"x}\\\"y\"}]"));
    CHECK(is(lsp_json_member(value(text), "c"), "-2.5e3"));
    CHECK(is(lsp_json_path(value(text), "d.e"), "null"));
    CHECK(is(lsp_json_path(value(text), "d.a"), "true"));
    CHECK(is(lsp_json_member(value(text), "s"), "\"\\\\\""));
    CHECK(!lsp_json_member(value(text), "b").at);
    CHECK(!lsp_json_path(value(text), "c.e").at);
    CHECK(lsp_json_is(lsp_json_member(value(text), "s"), "\\"));
    CHECK(lsp_json_is(value("\"text\\/\\u0041\""), "text/A"));
    CHECK(!lsp_json_is(value("\"text\\/\\u0041\""), "text/B"));
    CHECK(is(lsp_json_member(value("{\"a\\/b\":1}"), "a/b"), "1"));
}

TEST(elements)
{
    static const char *const texts[] = {"[]", "[1]", "[ 1 , [2,3],\"4\" ]", "[1,]", "[1 2]", "[,1]", "{}", "[1"};
    static const size_t counts[] = {0, 1, 3, 1, 1, 0, 0, 0};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct json_span element;
        size_t n = 0;
        for (size_t at = 0; lsp_json_element(value(texts[i]), &at, &element);)
            n++;
        CHECK_INT(n, counts[i]);
    }
}

TEST(texts)
{
    char out[32];

    CHECK(lsp_json_text(value("\"a\\n\\u00e9\\ud83d\\ude00\\/\""), out, sizeof(out)));
    CHECK_STR(out, "a\n\xc3\xa9\xf0\x9f\x98\x80/");
    CHECK(!lsp_json_text(value("\"\\u0000\""), out, sizeof(out)));
    CHECK(!lsp_json_text(value("\"\\ud83d\""), out, sizeof(out)));
    CHECK(!lsp_json_text(value("\"\\udc00\""), out, sizeof(out)));
    CHECK(!lsp_json_text(value("\"\\u12g4\""), out, sizeof(out)));
    CHECK(!lsp_json_text(value("\"\\x\""), out, sizeof(out)));
    CHECK(!lsp_json_text(value("12"), out, sizeof(out)));
    CHECK(!lsp_json_text(value("\"1234\""), out, 4));
    CHECK(lsp_json_text(value("\"123\""), out, 4));
}

/* Every beginning of a text, and every text with a byte changed, ends and stays inside (the sanitizers look). */
TEST(broken_texts)
{
    static const char text[] =
        "{\"method\":\"textDocument/didOpen\",\"params\":{\"textDocument\":{\"uri\":\"file:///\\u00e9\","
        "\"version\":3,\"text\":\"a\\\"b\"}},\"x\":[1,{\"y\":[]}]}";
    static const char bytes[] = "\"\\{}[]:,\0u 1";

    for (size_t len = 0; len < sizeof(text); len++)
        for (size_t i = 0; i < sizeof(bytes); i++) {
            char *copy = malloc(len ? len : 1);
            struct lsp_docs docs = {0};
            struct lsp_doc *doc;
            CHECK(copy);
            memcpy(copy, text, len);
            if (len)
                copy[len / 2] = i ? bytes[i] : copy[len / 2];
            struct lsp_message m = {copy, len, copy, len};
            lsp_docs_note(&docs, &m, &doc);
            lsp_docs_free(&docs);
            free(copy);
        }
}

static enum lsp_event note(struct lsp_docs *docs, const char *text, struct lsp_doc **doc)
{
    struct lsp_message m = {text, strlen(text), text, strlen(text)};

    return lsp_docs_note(docs, &m, doc);
}

TEST(documents)
{
    struct lsp_docs docs = {0};
    struct lsp_doc *doc;
    struct lsp_out out = {0};

    CHECK_INT(note(&docs,
                   "{\"params\":{\"textDocument\":{\"uri\":\"file:///a%20b/%C3%A9.c\",\"version\":4,\"text\":\"\"}},"
                   "\"method\":\"textDocument/didOpen\"}",
                   &doc),
              LSP_OPENED);
    CHECK(doc);
    CHECK_STR(doc->path, "/a b/\xc3\xa9.c");
    CHECK_INT(note(&docs,
                   "{\"method\":\"textDocument/didChange\",\"params\":{\"textDocument\":{\"version\":12,\"uri\":"
                   "\"file:///a%20b/%C3%A9.c\"},\"contentChanges\":[]}}",
                   &doc),
              LSP_CHANGED);
    CHECK(doc);
    lsp_docs_put_rebuild(doc, &out);
    CHECK(out.b.data && strstr(out.b.data, "{\"uri\":\"file:///a%20b/%C3%A9.c\",\"version\":12}"));
    CHECK(strstr(out.b.data, "\"forceRebuild\":true"));
    lsp_out_free(&out);
    CHECK_INT(note(&docs,
                   "{\"method\":\"textDocument/didChange\",\"params\":{\"textDocument\":{\"uri\":\"file:///b\"}}}",
                   &doc),
              LSP_CHANGED);
    CHECK(!doc);
    CHECK_INT(note(&docs,
                   "{\"method\":\"textDocument/didOpen\",\"params\":{\"textDocument\":{\"uri\":\"untitled:1\","
                   "\"version\":{}}}}",
                   &doc),
              LSP_OPENED);
    CHECK(doc && !doc->path);
    CHECK_STR(doc->version, "null");
    CHECK_INT(docs.n, 2);
    CHECK_INT(note(&docs,
                   "{\"method\":\"textDocument\\/didClose\",\"params\":{\"textDocument\":{\"uri\":"
                   "\"file:///a%20b/%C3%A9.c\"}}}",
                   &doc),
              LSP_CLOSED);
    CHECK_INT(docs.n, 1);
    CHECK_INT(note(&docs, "{\"method\":\"$\\/other\"}", &doc), LSP_OTHER);
    lsp_docs_free(&docs);
}

TEST(many_documents_are_bounded)
{
    struct lsp_docs docs = {0};
    struct lsp_doc *doc;
    char text[200];

    for (unsigned i = 0; i < LSP_MAX_DOCS + 2; i++) {
        snprintf(text, sizeof(text),
                 "{\"method\":\"textDocument/didOpen\",\"params\":{\"textDocument\":{\"uri\":\"file:///%u\"}}}", i);
        CHECK_INT(note(&docs, text, &doc), LSP_OPENED);
        CHECK((doc != NULL) == (i < LSP_MAX_DOCS));
    }
    CHECK_INT(docs.n, LSP_MAX_DOCS);
    lsp_docs_free(&docs);
}

TEST(frames)
{
    static const char text[] =
        "Content-Length: 2\r\n\r\n{}CONTENT-LENGTH:3\r\nX: y\r\n\r\n[1]Content-Length: 9\r\n\r\n{";
    struct lsp_in in = {0};
    struct lsp_message m;
    struct cell_error e = {0};
    int fds[2];

    CHECK_INT(pipe(fds), 0);
    CHECK_INT(write(fds[1], text, sizeof(text) - 1), sizeof(text) - 1);
    close(fds[1]);
    CHECK_INT(lsp_in_read(&in, fds[0], &e), 1);
    CHECK_INT(lsp_in_next(&in, &m, &e), 1);
    CHECK(m.body_len == 2 && memcmp(m.body, "{}", 2) == 0 && m.frame_len == 23);
    CHECK_INT(lsp_in_next(&in, &m, &e), 1);
    CHECK(m.body_len == 3 && memcmp(m.body, "[1]", 3) == 0);
    CHECK_INT(lsp_in_next(&in, &m, &e), 0);
    CHECK_INT(lsp_in_read(&in, fds[0], &e), 0);
    CHECK_INT(lsp_in_next(&in, &m, &e), 0);
    close(fds[0]);
    lsp_in_free(&in);
}
