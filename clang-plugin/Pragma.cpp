/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `#pragma cell import NAME`, with a parser behind the preprocessor and without (-E, -M). */
#include "Capability.h"
#include "Diagnostics.h"
#include "Editor.h"
#include "Import.h"
#include "Places.h"
#include "Pragmas.h"

#include "clang/Lex/LiteralSupport.h"
#include "clang/Lex/MacroInfo.h"
#include "clang/Lex/PPCallbacks.h"
#include "clang/Lex/Preprocessor.h"

#include <unistd.h>

extern "C" {
#include "base/util.h"
}

using namespace clang;

namespace
{

void enter(PluginState &state, const std::vector<Token> &tokens, bool macros)
{
    auto copy = std::make_unique<Token[]>(tokens.size());
    std::copy(tokens.begin(), tokens.end(), copy.get());
    state.pp.EnterTokenStream(std::move(copy), tokens.size(), !macros, /*IsReinject=*/true);
}

/*
 * A handler swallows its pragma, so under -E the line is printed as tokens. The printer begins a new line only for
 * what lies on one, or after a line marker: the pragma that follows makes one (endLine).
 */
void printAgain(PluginState &state, SourceLocation loc, const std::vector<Token> &rest)
{
    std::vector<Token> line, end;
    line.push_back(cellMarkToken(tok::hash, loc));
    state.pp.CreateString("#", line.back(), loc, loc);
    line.back().setFlag(Token::StartOfLine);
    line.push_back(cellWordToken(state, "pragma", loc));
    line.back().clearFlag(Token::LeadingSpace);
    line.push_back(cellWordToken(state, "cell", loc));
    for (const Token &token : rest) {
        line.push_back(token);
        line.back().setFlag(Token::LeadingSpace);
        line.back().clearFlag(Token::StartOfLine);
    }
    cellAppendPragma(state, "end", loc, end);
    enter(state, end, true);
    enter(state, line, false);
    state.printing++;
}

void endLine(PluginState &state, SourceLocation loc)
{
    state.printing--;
    if (PPCallbacks *callbacks = state.pp.getPPCallbacks())
        callbacks->FileChanged(state.sources().getFileLoc(loc), PPCallbacks::RenameFile, SrcMgr::C_User);
}

/* Prints line markers as for an include of `name`. */
void printMarker(PluginState &state, const std::string &name, SourceLocation loc)
{
    PPCallbacks *callbacks = state.pp.getPPCallbacks();
    if (!callbacks || !state.pp.isPreprocessedOutput())
        return;
    SourceManager &sm = state.sources();
    FileID file = sm.createFileID(llvm::MemoryBuffer::getMemBufferCopy("", name), SrcMgr::C_User, 0, 0, loc);
    callbacks->FileChanged(sm.getLocForStartOfFile(file), PPCallbacks::EnterFile, SrcMgr::C_User, sm.getFileID(loc));
    callbacks->FileChanged(loc, PPCallbacks::ExitFile, SrcMgr::C_User, file);
}

/*
 * For compiler caches: the cell's fingerprint becomes part of the preprocessed text. What the compiler will be told
 * when nothing is known yet cannot be said: a name that comes once keeps the result from being found again, and a file
 * that is not there keeps a cache from believing that it knows all files.
 */
void printSchema(PluginState &state, const session_cell *cell, SourceLocation loc)
{
    std::string name = std::string("<cell ") + cell->name + " ";
    if (cell->status >= 0) {
        printMarker(state, name + cell->fingerprint + (cell->lock_path ? " locked>" : " mirror>"), loc);
        return;
    }
    if (cell->mirror_path)
        printMarker(state, cell->mirror_path, loc);
    printMarker(state, name + "unknown " + std::to_string(getpid()) + "-" + std::to_string(cell_now_ns()) + ">", loc);
}

/* -E and -M: nobody is asked; what the compilation will depend on is listed from the disk. */
void withoutParser(PluginState &state, StringRef name, SourceLocation loc)
{
    cell_session *session = state.session(loc);
    session_cell *cell = nullptr;
    state.imported.insert(name.str());
    cellWatchCapabilities(state);
    if (!session)
        return;
    if (const char *path = cell_session_config(session)->path)
        cellAddDependency(state, path, loc);
    int r = cell_session_cell(session, name.str().c_str(), &cell);
    if (r < 0) {
        if (cell)
            printSchema(state, cell, state.sources().getFileLoc(loc));
        return;
    }
    if (cell->lock_path)
        cellAddDependency(state, cell->lock_path, loc);
    cellAddDependency(state, cell->mirror_path, loc);
    printSchema(state, cell, state.sources().getFileLoc(loc));
}

/* CELL_QUERY_FILE names the file in a pragma as well: nobody looks at annotations here, and what a compiler cache or
 * make is told must change with the file. */
void fileWithoutParser(PluginState &state, ArrayRef<Token> tokens, SourceLocation loc)
{
    for (const Token &token : tokens)
        if (token.isNot(tok::string_literal))
            return;
    if (tokens.empty())
        return;
    StringLiteralParser literal(tokens, state.pp);
    if (literal.hadError || literal.GetString().empty() || literal.GetString().contains('\0'))
        return;
    std::string path = cellPathBeside(state, loc, literal.GetString());
    SourceLocation from = state.sources().getFileLoc(loc);
    cellAddDependency(state, path, from);
    printMarker(state, "<cell file " + cellPrintable(path) + " " + cellFileMark(state, path) + ">", from);
}

/* The scope of a pragma on its own line may not be open yet: the parser has read the token after `{` before it enters
 * the namespace. A declaration in front makes it catch up; CELL_REMOTE brings its own. */
void onceMore(PluginState &state, StringRef name, SourceLocation loc)
{
    std::vector<Token> tokens;
    cellAppendForward(state, loc, tokens);
    cellAppendPragma(state, "import " + name.str(), loc, tokens);
    enter(state, tokens, true);
}

void reportUnknown(PluginState &state, const Token &word)
{
    if (word.is(tok::eod)) {
        cellReport(state.diags(), word.getLocation(), CellDiag::PragmaEmpty);
        return;
    }
    const char *const known[] = {"import", "plugin", "capabilities"};
    std::string spelling = state.pp.getSpelling(word);
    const char *nearest = cell_suggest(spelling.c_str(), known, std::size(known));
    if (!nearest) {
        cellReport(state.diags(), word.getLocation(), CellDiag::PragmaUnknown) << spelling;
        return;
    }
    auto d = cellReport(state.diags(), word.getLocation(), CellDiag::PragmaUnknownDidYouMean);
    d << spelling << nearest;
    if (word.getLocation().isFileID())
        d << FixItHint::CreateReplacement(word.getLocation(), nearest);
}

/* `#pragma cell plugin`: Cell's header asks whether somebody listens. */
void definePluginMacro(PluginState &state, SourceLocation loc)
{
    Token one = cellMarkToken(tok::numeric_constant, loc);
    state.pp.CreateString("1", one, loc, loc);
    MacroInfo *macro = state.pp.AllocateMacroInfo(loc);
    macro->setDefinitionEndLoc(loc);
    macro->setTokens({one}, state.pp.getPreprocessorAllocator());
    state.pp.appendDefMacroDirective(state.pp.getIdentifierInfo("CELL_PLUGIN"), macro);
}

/* Whether one of the files that include the header names anything of Cell's. They are in memory; who has just the
 * header must not cost a system call. */
bool isOfUse(SourceManager &sm, SourceLocation header)
{
    for (SourceLocation at = sm.getIncludeLoc(sm.getFileID(header)); at.isValid();
         at = sm.getIncludeLoc(sm.getFileID(at))) {
        auto buffer = sm.getBufferOrNone(sm.getFileID(at));
        if (buffer && memmem(buffer->getBufferStart(), buffer->getBufferSize(), "CELL_", 5))
            return true;
    }
    return false;
}

bool isWord(const Token &token, StringRef word)
{
    return token.getIdentifierInfo() && token.getIdentifierInfo()->getName() == word;
}

/* CELL_REMOTE writes `import_NAME`, for `import NAME`. */
void splitImport(PluginState &state, std::vector<Token> &rest)
{
    StringRef word = rest[0].getIdentifierInfo() ? rest[0].getIdentifierInfo()->getName() : StringRef();
    if (!word.consume_front("import_") || word.empty())
        return;
    SourceLocation loc = rest[0].getLocation();
    rest[0] = cellWordToken(state, "import", loc);
    rest.insert(rest.begin() + 1, cellWordToken(state, word, loc));
}

} // namespace

void cellPragma(Preprocessor &pp, PragmaIntroducer introducer, Token &name)
{
    PluginState &state = cellState(pp);
    SourceLocation loc = name.getLocation();
    std::vector<Token> rest;
    Token token;
    for (pp.LexUnexpandedToken(token); token.isNot(tok::eod); pp.LexUnexpandedToken(token))
        rest.push_back(token);

    if (rest.size() == 1 && isWord(rest[0], "import_") && state.parser())
        return; /* CELL_REMOTE of what is no name: its annotation is the error */
    if (!rest.empty())
        splitImport(state, rest);
    bool import = rest.size() >= 2 && isWord(rest[0], "import") && rest[1].getIdentifierInfo();
    StringRef cell = import ? rest[1].getIdentifierInfo()->getName() : StringRef();
    bool end = rest.size() == 1 && isWord(rest[0], "end");
    /* What -E prints needs neither: they stand in the middle of declarations, which say all. */
    if (rest.size() == 1 && isWord(rest[0], "verb")) {
        if (state.parser())
            cellWatchVerb(state);
        return;
    }
    if (!rest.empty() && isWord(rest[0], "file")) {
        if (!state.parser())
            fileWithoutParser(state, ArrayRef<Token>(rest).drop_front(), loc);
        return;
    }
    if (rest.size() == 1 && isWord(rest[0], "capabilities")) {
        cellWatchCapabilities(state);
        return;
    }
    if (rest.size() == 1 && isWord(rest[0], "plugin")) {
        definePluginMacro(state, loc);
        if (state.parser() && isOfUse(state.sources(), loc))
            state.prefetch();
        return;
    }
    if (!state.parser()) {
        if (end && state.printing) {
            endLine(state, introducer.Loc);
            return;
        }
        if (import)
            withoutParser(state, cell, loc);
        if (pp.isPreprocessedOutput())
            printAgain(state, introducer.Loc, rest);
        return;
    }
    if (end && !state.saved.empty()) {
        cellEndInjection(state);
    } else if (rest.size() == 1 && !state.saved.empty() && (isWord(rest[0], "precise") || isWord(rest[0], "usual"))) {
        cellFloats(state, isWord(rest[0], "precise"));
    } else if (rest.empty() || !isWord(rest[0], "import")) {
        reportUnknown(state, rest.empty() ? token : rest[0]);
    } else if (!import) {
        cellReport(state.diags(), rest.size() > 1 ? rest[1].getLocation() : token.getLocation(), CellDiag::PragmaName);
    } else {
        if (rest.size() > 2)
            cellReport(state.diags(), rest[2].getLocation(), CellDiag::PragmaExtra);
        if (introducer.Kind == PIK_HashPragma)
            onceMore(state, cell, rest[1].getLocation());
        else
            cellImport(state, cell, rest[1].getLocation(), InjectAt::Pragma);
    }
}
