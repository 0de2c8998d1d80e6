/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Editor.h"
#include "Annotations.h"
#include "Drift.h"

#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/Lookup.h"

using namespace clang;

namespace
{

/* Follows the tokens from the annotation to behind the `;` of its record. */
struct Watcher {
    unsigned braces = 0, parentheses = 0;
    bool active = true, ended = false;               /* ended: the last token was that `;` */
    IdentifierInfo *word = nullptr, *name = nullptr; /* the last one outside of everything; the record's */

    bool step(const Token &token);
};

/* True when `token` is the first one behind the record. */
bool Watcher::step(const Token &token)
{
    if (ended) {
        active = false;
        return true;
    }
    switch (token.getKind()) {
    case tok::l_brace:
        if (!braces++ && !name)
            name = word;
        break;
    case tok::r_brace:
        active = braces > 0;
        braces -= active;
        break;
    case tok::l_paren:
        parentheses++;
        break;
    case tok::r_paren:
        active = parentheses > 0;
        parentheses -= active;
        break;
    case tok::semi:
        if (braces || parentheses)
            break;
        ended = active = name != nullptr; /* without a body there is no record */
        break;
    case tok::eof:
        active = false;
        break;
    default:
        if (!braces && !parentheses && token.getIdentifierInfo())
            word = token.getIdentifierInfo();
    }
    return false;
}

/* The parser has read on: its current token, `next`, goes behind what is injected. */
void injectBefore(PluginState &state, Token &next, IdentifierInfo *name)
{
    Parser *parser = state.parser();
    if (!parser || state.pp.isBacktrackEnabled())
        return;
    LookupResult found(state.sema(), name, SourceLocation(), Sema::LookupTagName);
    found.suppressDiagnostics();
    state.sema().LookupName(found, parser->getCurScope());
    auto *tag = found.getAsSingle<TagDecl>();
    if (!tag || !tag->isCompleteDefinition())
        return;
    Token kept = next;
    if (!kept.isAnnotation() && kept.getIdentifierInfo())
        kept.setFlag(Token::DisableExpand);
    state.streams.push_back({kept});
    state.pp.EnterTokenStream(state.streams.back(), /*DisableMacroExpansion=*/true, /*IsReinject=*/true);
    cellTagComplete(state, tag);
    state.pp.Lex(next);
}

} // namespace

/* There is a single place for a watcher of tokens, and one that runs must stay where it is: this one serves all. */
struct VerbWatchers {
    std::list<Watcher> all;
};

void cellWatchVerb(PluginState &state)
{
    if (state.mode != SESSION_MIRROR || !state.editorMs)
        return;
    if (!state.verbWatchers) {
        state.verbWatchers = std::make_shared<VerbWatchers>();
        state.pp.setTokenWatcher([&state, watchers = state.verbWatchers](const Token &token) {
            for (auto it = watchers->all.begin(); it != watchers->all.end();) {
                bool behind = it->step(token);
                IdentifierInfo *name = it->name;
                it = it->active ? std::next(it) : watchers->all.erase(it);
                if (behind) /* the token is the parser's own; it is another one now, which was not lexed here */
                    return injectBefore(state, const_cast<Token &>(token), name);
            }
        });
    }
    state.verbWatchers->all.emplace_back();
}

void cellDriftOfPreamble(PluginState &state)
{
    SourceManager &sm = state.sources();
    SourceLocation start = sm.getLocForStartOfFile(sm.getMainFileID());
    cell_session *session = state.session(start);
    void *iterator = nullptr;
    while (const char *name = session ? cell_session_recorded(session, &iterator) : nullptr) {
        session_cell *cell = nullptr;
        if (cell_session_cell(session, name, &cell) >= 0)
            cellDriftOf(state, session, cell, start);
    }
}
