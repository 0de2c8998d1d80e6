/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "State.h"
#include "Diagnostics.h"
#include "Drift.h"

#include <cstdlib>
#include <mutex>
#include <unordered_map>

#include "clang/Basic/FileManager.h"
#include "clang/Lex/Preprocessor.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

extern "C" {
#include "ask/ask_unix.h"
}

using namespace clang;

namespace
{

struct Compilation {
    session_mode mode = SESSION_MIRROR;
    std::string input, output;
    std::unique_ptr<PluginState> state;
};

struct Compilations {
    std::mutex lock;
    std::unordered_map<const Preprocessor *, Compilation> known;
};

/* Never destroyed: Clang leaves consumers alive at exit (-disable-free), and they may come here later than that. */
Compilations &compilations()
{
    static Compilations *all = new Compilations;
    return *all;
}

/* The driver's temporary objects have another name each time: the source stands for them. */
bool isTemporary(StringRef path)
{
    SmallString<128> folder;
    llvm::sys::path::system_temp_directory(true, folder);
    llvm::sys::path::remove_dots(folder, true);
    return llvm::sys::path::parent_path(path) == StringRef(folder);
}

std::string absolutePath(FileManager &files, StringRef path)
{
    SmallString<256> full(path);
    files.makeAbsolutePath(full);
    llvm::sys::path::remove_dots(full, true);
    return std::string(full.str());
}

/* The object that is recorded for an output, if there is one. */
std::string objectOf(FileManager &files, StringRef output, const std::string &source)
{
    std::string object = output.empty() || output == "-" ? "" : absolutePath(files, output);
    return isTemporary(object) ? source : object;
}

} // namespace

/* Absolute in the compilation's own idea of the working directory (-working-directory, tools with virtual files). */
std::string cellAbsolutePath(PluginState &state, StringRef path)
{
    return absolutePath(state.sources().getFileManager(), path);
}

std::string cellMainFile(PluginState &state)
{
    StringRef name = state.input;
    SourceManager &sm = state.sources();
    if (name.empty())
        if (auto entry = sm.getFileEntryRefForID(sm.getMainFileID()))
            name = entry->getName();
    if (name.empty() || name == "-" || name.front() == '<')
        name = "stdin";
    return cellAbsolutePath(state, name);
}

unsigned cellEditorMs()
{
    static const unsigned ms = [] {
        const char *text = getenv("CELL_EDITOR_MS");
        unsigned value = 0;
        return text && !StringRef(text).getAsInteger(10, value) ? value : 0;
    }();
    return ms;
}

void cellRegisterCompilation(Preprocessor &pp, session_mode mode, StringRef input, StringRef output)
{
    Compilations &all = compilations();
    std::lock_guard<std::mutex> guard(all.lock);
    Compilation &c = all.known[&pp];
    c.mode = mode;
    c.input = input.str();
    c.output = output.str();
    c.state.reset();
}

PluginState *cellStateIfAny(Preprocessor &pp)
{
    Compilations &all = compilations();
    std::lock_guard<std::mutex> guard(all.lock);
    auto found = all.known.find(&pp);
    return found == all.known.end() ? nullptr : found->second.state.get();
}

PluginState &cellState(Preprocessor &pp)
{
    Compilations &all = compilations();
    std::lock_guard<std::mutex> guard(all.lock);
    Compilation &c = all.known[&pp];
    if (!c.state) {
        c.state = std::make_unique<PluginState>(pp);
        c.state->mode = c.mode;
        c.state->editorMs = cellEditorMs();
        c.state->input = c.input;
        c.state->output = c.output;
    }
    return *c.state;
}

void cellStateRemove(Preprocessor &pp)
{
    Compilation removed; /* destroyed without the lock: it closes connections */
    Compilations &all = compilations();
    std::lock_guard<std::mutex> guard(all.lock);
    auto found = all.known.find(&pp);
    if (found == all.known.end())
        return;
    removed = std::move(found->second);
    all.known.erase(found);
}

PluginState::~PluginState() { cellDriftEnd(*this); }

std::unique_ptr<cell_session, CellSessionDelete> PluginState::open(session_mode sessionMode, cell_error &e)
{
    std::string source = cellMainFile(*this);
    std::string object = objectOf(sources().getFileManager(), output, source);
    cell_session *s = nullptr;
    if (cell_session_new(source.c_str(), object.empty() ? nullptr : object.c_str(), sessionMode, &cell_exchange_unix,
                         &s, &e) < 0)
        return nullptr;
    if (editorMs)
        cell_session_hurry(s, editorMs);
    return std::unique_ptr<cell_session, CellSessionDelete>(s);
}

cell_session *PluginState::session(SourceLocation loc)
{
    if (!theSession && !sessionFailed) {
        cell_error e = {};
        theSession = nextSession ? std::move(nextSession) : open(mode, e);
        if (!theSession) {
            sessionFailed = true;
            if (parser() || mode != SESSION_MIRROR)
                cellReport(diags(), loc, CellDiag::Config) << cellPrintable(e.text);
        }
    }
    return theSession.get();
}

void PluginState::prefetch()
{
    cell_error ignored = {};
    if (theSession || nextSession || sessionFailed || editorMs || mode == SESSION_MIRROR)
        return;
    nextSession = open(mode, ignored);
    if (nextSession)
        cell_session_prefetch(nextSession.get());
}

cell_session *PluginState::mirrorSession()
{
    if (mode == SESSION_MIRROR)
        return theSession.get();
    if (!theMirrorSession && !mirrorSessionFailed) {
        cell_error e = {};
        theMirrorSession = open(SESSION_MIRROR, e);
        mirrorSessionFailed = !theMirrorSession;
    }
    return theMirrorSession.get();
}
