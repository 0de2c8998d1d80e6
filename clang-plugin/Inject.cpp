/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Inject.h"
#include "ClangCompat.h"
#include "Diagnostics.h"
#include "Pragmas.h"
#include "Collisions.h"

#include "clang/AST/RawCommentList.h"
#include "clang/Lex/Lexer.h"
#include "clang/Lex/PPCallbacks.h"
#include "clang/Lex/Preprocessor.h"
#include "llvm/Support/Chrono.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace clang;

namespace
{

/* A file of C_System kind is silent under -Weverything; the callbacks are told C_User, so that -MMD lists it. */
void reportFile(PluginState &state, FileID file, SourceLocation from)
{
    PPCallbacks *callbacks = state.pp.getPPCallbacks();
    if (!callbacks)
        return;
    SourceManager &sm = state.sources();
    SourceLocation start = sm.getLocForStartOfFile(file);
    FileID outer = sm.getFileID(from);
    callbacks->LexedFileChanged(file, PPCallbacks::LexedFileChangeReason::EnterFile, SrcMgr::C_User, outer, start);
    callbacks->FileChanged(start, PPCallbacks::EnterFile, SrcMgr::C_User, outer);
    callbacks->LexedFileChanged(outer, PPCallbacks::LexedFileChangeReason::ExitFile, SrcMgr::C_User, file, from);
    callbacks->FileChanged(from, PPCallbacks::ExitFile, SrcMgr::C_User, file);
}

/* The file manager knows files by their inodes. That of a mirror which another compilation has replaced in the meantime
 * may by now be that of a file which it would take for the mirror, with what stood there: such a one is entered anew.
 */
OptionalFileEntryRef fileAt(FileManager &files, StringRef path)
{
    OptionalFileEntryRef entry = files.getOptionalFileRef(path);
    llvm::vfs::Status now;
    if (!entry || files.getNoncachedStatValue(path, now) ||
        (static_cast<off_t>(now.getSize()) == entry->getSize() &&
         llvm::sys::toTimeT(now.getLastModificationTime()) == entry->getModificationTime()))
        return entry;
    return files.getBypassFile(*entry);
}

/* Enters `path` into the source manager as included at `loc` (a file location). Invalid when it cannot be read. */
FileID enterFile(PluginState &state, StringRef path, SourceLocation loc, SrcMgr::CharacteristicKind kind)
{
    SourceManager &sm = state.sources();
    if (OptionalFileEntryRef entry = fileAt(sm.getFileManager(), path))
        return sm.createFileID(*entry, loc, kind);
    /* A virtual file system may not reach the real disk: the text itself is enough. */
    auto buffer = llvm::MemoryBuffer::getFile(path);
    return buffer ? sm.createFileID(std::move(*buffer), kind, 0, 0, loc) : FileID();
}

/* A text and what the preprocessor would have made of it. */
struct LexedText {
    std::vector<Token> tokens;
    std::vector<SourceRange> comments;
    std::vector<std::pair<size_t, bool>> precise; /* from that token on, floats are to be computed as written, or not */
};

/* The tokens of a file as the parser wants them: identifiers looked up, keywords resolved, macros left alone. */
class TextLexer
{
  public:
    TextLexer(PluginState &plugin, FileID id, llvm::MemoryBufferRef buffer, StringRef name)
        : state(plugin), path(name), lexer(id, buffer, plugin.sources(), plugin.pp.getLangOpts())
    {
        lexer.SetCommentRetentionState(true);
    }

    void run(LexedText &text)
    {
        Token token;
        for (lexer.LexFromRawLexer(token); token.isNot(tok::eof);) {
            if (token.is(tok::hash) && token.isAtStartOfLine()) {
                directive(token, text);
                continue;
            }
            if (token.is(tok::comment)) {
                text.comments.emplace_back(token.getLocation(), token.getEndLoc());
            } else {
                if (token.is(tok::raw_identifier))
                    state.pp.LookUpIdentifierInfo(token);
                text.tokens.push_back(token);
                if (elsewhere)
                    follow(token);
            }
            lexer.LexFromRawLexer(token);
        }
    }

  private:
    /* `token`, the '#', becomes the first one of the next line. */
    void directive(Token &token, LexedText &text)
    {
        std::vector<Token> line;
        SourceLocation hash = token.getLocation();
        for (lexer.LexFromRawLexer(token); token.isNot(tok::eof) && !token.isAtStartOfLine();
             lexer.LexFromRawLexer(token))
            line.push_back(token);
        if (line.empty() || line[0].isNot(tok::raw_identifier))
            return;
        /* Clang's own pragmas would be read with the user's macros, of which `on` may be one. */
        if (line[0].getRawIdentifier() == "pragma" && isFloatControl(line))
            text.precise.emplace_back(text.tokens.size(), line.size() > 5);
        else if (line[0].getRawIdentifier() == "line" && line.size() == 3)
            place(hash, line[1], line[2]);
    }

    /* `#pragma float_control(precise, on, push)`, and `(pop)`. What else renderers write is part of the first one. */
    static bool isFloatControl(const std::vector<Token> &line)
    {
        return line.size() > 1 && line[1].is(tok::raw_identifier) && line[1].getRawIdentifier() == "float_control";
    }

    /* `#line NUMBER "FILE"`: what follows stands there, up to the end of the function that it begins or is in. */
    void place(SourceLocation hash, const Token &number, const Token &name)
    {
        unsigned line = 0;
        StringRef text(name.getLiteralData(), name.getLength());
        std::string unescaped;
        if (number.isNot(tok::numeric_constant) || name.isNot(tok::string_literal) ||
            StringRef(number.getLiteralData(), number.getLength()).getAsInteger(10, line) || text.size() < 3)
            return;
        text = text.drop_front().drop_back();
        for (size_t i = 0; i < text.size(); i++) {
            i += text[i] == '\\' && i + 1 < text.size();
            unescaped += text[i];
        }
        note(hash, line, unescaped);
        elsewhere = true;
    }

    void note(SourceLocation loc, unsigned line, StringRef name)
    {
        SourceManager &sm = state.sources();
        sm.AddLineNote(loc, line, sm.getLineTableFilenameID(name), false, false, SrcMgr::C_System);
    }

    /* Behind the brace that ends the function the lines are the text's own again. */
    void follow(const Token &token)
    {
        depth += token.is(tok::l_brace);
        if (token.isNot(tok::r_brace) || --depth > 0)
            return;
        note(token.getEndLoc(), state.sources().getSpellingLineNumber(token.getLocation()) + 1, path);
        elsewhere = false;
        depth = 0;
    }

    PluginState &state;
    StringRef path;
    Lexer lexer;
    bool elsewhere = false; /* lines are those of another file */
    int depth = 0;          /* of braces since then */
};

bool lexFile(PluginState &state, FileID file, StringRef path, LexedText &text)
{
    auto buffer = state.sources().getBufferOrNone(file);
    if (!buffer)
        return false;
    text.tokens.swap(state.spare);
    text.tokens.reserve(buffer->getBufferSize() / 4); /* touched only as far as it is used; growing would copy it all */
    TextLexer(state, file, *buffer, path).run(text);
    return true;
}

/* Sema drops comments of system headers; hover wants them. */
void addComments(PluginState &state, const std::vector<SourceRange> &comments)
{
    if (!cellcompat::mayAddSystemComments)
        return;
    ASTContext &ast = state.sema().getASTContext();
    for (SourceRange range : comments) {
        RawComment comment(state.sources(), range, ast.getLangOpts().CommentOpts, false);
        if (comment.isDocumentation())
            ast.addComment(comment);
    }
}

/* The preprocessor reads them where they are. */
void enterTokens(PluginState &state, std::vector<Token> tokens, bool macros)
{
    state.streams.push_back(std::move(tokens));
    if (!state.streams.back().empty())
        state.pp.EnterTokenStream(state.streams.back(), !macros, /*IsReinject=*/true);
}

/* What stands last is entered first. */
void enterText(PluginState &state, LexedText text, SourceLocation loc)
{
    for (; !text.precise.empty(); text.precise.pop_back()) {
        auto from = text.tokens.begin() + text.precise.back().first;
        std::vector<Token> pragma;
        enterTokens(state, std::vector<Token>(from, text.tokens.end()), false);
        text.tokens.erase(from, text.tokens.end());
        cellAppendForward(state, loc, pragma);
        cellAppendPragma(state, text.precise.back().second ? "precise" : "usual", loc, pragma);
        enterTokens(state, std::move(pragma), true);
    }
    enterTokens(state, std::move(text.tokens), false);
    state.texts.push_back(std::prev(state.streams.end()));
}

} // namespace

Token cellMarkToken(tok::TokenKind kind, SourceLocation loc)
{
    Token token;
    token.startToken();
    token.setKind(kind);
    token.setLocation(loc);
    token.setLength(1);
    return token;
}

Token cellWordToken(PluginState &state, StringRef word, SourceLocation loc)
{
    Token token = cellMarkToken(tok::identifier, loc);
    token.setLength(word.size());
    token.setIdentifierInfo(state.pp.getIdentifierInfo(word));
    token.setFlag(Token::LeadingSpace);
    return token;
}

void cellAppendPragma(PluginState &state, StringRef text, SourceLocation loc, std::vector<Token> &tokens)
{
    Token literal = cellMarkToken(tok::string_literal, loc);
    state.pp.CreateString(("\"cell " + text + "\"").str(), literal, loc, loc);
    tokens.push_back(cellWordToken(state, "_Pragma", loc));
    tokens.push_back(cellMarkToken(tok::l_paren, loc));
    tokens.push_back(literal);
    tokens.push_back(cellMarkToken(tok::r_paren, loc));
}

void cellAppendForward(PluginState &state, SourceLocation loc, std::vector<Token> &tokens)
{
    Token word = cellMarkToken(tok::kw_struct, loc);
    word.setIdentifierInfo(state.pp.getIdentifierInfo("struct"));
    word.setLength(6);
    word.setFlag(Token::DisableExpand);
    tokens.push_back(word);
    tokens.push_back(cellWordToken(state, "cell_import", loc));
    tokens.back().setFlag(Token::DisableExpand);
    tokens.push_back(cellMarkToken(tok::semi, loc));
}

bool cellMayInjectAfterDeclaration(PluginState &state) { return state.sema().CurContext->isTranslationUnit(); }

bool cellInjectFile(PluginState &state, StringRef cell, StringRef path, SourceLocation loc, InjectAt at)
{
    SourceLocation from = state.sources().getFileLoc(loc);
    FileID file = enterFile(state, path, from, SrcMgr::C_System);
    LexedText text;
    if (file.isInvalid() || !lexFile(state, file, path, text)) {
        cellReport(state.diags(), loc, CellDiag::InjectStore) << cell << "cannot read " + path.str();
        return false;
    }
    if (!cellCheckCollisions(state, cell, text.tokens, loc))
        return false;
    const IdentifierInfo *capabilities = state.pp.getIdentifierInfo("cellgen_capabilities");
    const IdentifierInfo *checks = state.pp.getIdentifierInfo("cellgen_rule_functions");
    for (const Token &t : text.tokens) {
        state.declaresCapabilities |= t.getIdentifierInfo() == capabilities;
        state.declaresRuleFunctions |= t.getIdentifierInfo() == checks;
    }
    reportFile(state, file, from);
    state.dependencies.insert(path.str());
    state.injected.insert(file);
    addComments(state, text.comments);
    /* The parser leaves a function's body only after it has read on: the pragma must not be handled while
     * floating-point options still are that function's own. */
    if (!text.tokens.empty())
        cellAppendForward(state, text.tokens.back().getLocation(), text.tokens);

    std::vector<Token> end;
    cellAppendPragma(state, "end", from, end); /* handled when the parser has taken the last token of the text */
    if (at == InjectAt::Declaration) {
        end.push_back(state.parser()->getCurToken());
        if (!end.back().isAnnotation() && end.back().getIdentifierInfo())
            end.back().setFlag(Token::DisableExpand); /* macros were expanded when it was read first */
    }
    state.saved.push_back(cellSuspendPragmas(state));
    enterTokens(state, std::move(end), true);
    enterText(state, std::move(text), from);
    if (at == InjectAt::Declaration)
        state.parser()->ConsumeAnyToken();
    return true;
}

bool cellInjectText(PluginState &state, StringRef cell, StringRef text, SourceLocation loc, InjectAt at)
{
    cell_session *session = state.session(loc);
    if (!session)
        return false;
    char *path = nullptr;
    bool exists = false;
    cell_error e = {};
    int r = cell_session_inject_path(session, cell.str().c_str(), text.str().c_str(), &path, &exists);
    std::string kept = r < 0 ? "" : path;
    free(path);
    if (r >= 0 && !exists)
        r = cell_session_put(session, kept.c_str(), text.data(), text.size(), &e);
    if (r < 0) {
        cellReport(state.diags(), loc, CellDiag::InjectStore)
            << cell << cellPrintable(e.text[0] ? e.text : cell_status_text(r));
        return false;
    }
    return cellInjectFile(state, cell, kept, loc, at);
}

std::string cellLocationText(PluginState &state, SourceLocation loc)
{
    PresumedLoc p = state.sources().getPresumedLoc(state.sources().getFileLoc(loc));
    if (p.isInvalid())
        return "";
    std::string file = p.getFilename();
    cell_session *session = state.session(loc);
    if (const char *project = session ? cell_session_config(session)->dir : nullptr) {
        SmallString<256> full(file);
        state.sources().getFileManager().makeAbsolutePath(full);
        llvm::sys::path::remove_dots(full, true);
        StringRef inside = full;
        if (inside.consume_front(project) && inside.consume_front("/"))
            file = inside.str();
    }
    return file + ":" + std::to_string(p.getLine()) + ":" + std::to_string(p.getColumn());
}

void cellAddDependency(PluginState &state, StringRef path, SourceLocation loc)
{
    if (path.empty() || !state.dependencies.insert(path.str()).second)
        return;
    SourceLocation from = state.sources().getFileLoc(loc);
    OptionalFileEntryRef entry = fileAt(state.sources().getFileManager(), path);
    if (entry)
        reportFile(state, state.sources().createFileID(*entry, from, SrcMgr::C_User), from);
}

void cellEndInjection(PluginState &state)
{
    if (state.saved.empty())
        return;
    cellResumePragmas(state, *state.saved.back());
    state.saved.pop_back();
    /* Its last token was read before the pragma that this is the handler of. */
    state.spare = std::move(*state.texts.back());
    state.spare.clear();
    state.streams.erase(state.texts.back());
    state.texts.pop_back();
}
