/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What the plugin remembers of one translation unit. It is made with the first annotation, never before: an idle
 * compilation has none. What was imported is not part of it; that is asked of the AST, because precompiled headers and
 * preambles bypass the plugin.
 */
#ifndef CELL_STATE_H
#define CELL_STATE_H

#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "clang/Parse/Parser.h"
#include "clang/Sema/Sema.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

#include "Provide.h"

extern "C" {
#include "core/ask.h"
#include "core/ast.h"
#include "core/diff.h"
}

struct CellSessionDelete {
    void operator()(cell_session *s) const { cell_session_free(s); }
};
struct CellDiffDelete {
    void operator()(cell_diff *d) const { cell_diff_free(d); }
};
struct CellSchemaDelete {
    void operator()(cell_schema *s) const { cell_schema_free(s); }
};
struct CellExpansionDelete {
    void operator()(cell_expansion *x) const { cell_expansion_free(x); }
};

/* How one cell's schema differs from the one that this object was last compiled against (Drift.h). */
struct CellDrift {
    session_cell *cell;
    const cell_schema *baseline, *now;
    std::unique_ptr<cell_diff, CellDiffDelete> diff;
    clang::SourceLocation importLoc;
    /* What was said, with the raw location of the use: a macro may use its argument more than once, and what is an
     * error needs no remark. */
    std::set<std::pair<unsigned, const diff_change *>> reported;
    bool noted = false; /* since when was said */
};

/* Where a unit names a capability, or one of its parameters. */
struct CellCapabilityUse {
    std::string cell, capability, parameter;
    bool there;    /* the cell has it */
    bool required; /* CELL_REQUIRE */
    clang::SourceLocation loc;
    const clang::Decl *declared; /* in the text of the import; NULL for one in #if */
};

/* Records of a completion run whose `;` has not come yet (Editor.cpp). */
struct VerbWatchers;

/* Sema's stacks as they were before an injected text; Inject.cpp puts them back after it. */
struct SavedPragmas;
struct SavedPragmasDelete {
    void operator()(SavedPragmas *p) const;
};

struct PluginState {
    explicit PluginState(clang::Preprocessor &preprocessor) : pp(preprocessor) {}
    ~PluginState();
    PluginState(const PluginState &) = delete;
    PluginState &operator=(const PluginState &) = delete;

    clang::Preprocessor &pp;

    /* The live parser; NULL under -E and -M. */
    clang::Parser *parser() const { return static_cast<clang::Parser *>(pp.getCodeCompletionHandler()); }
    /* Only while a parser lives. */
    clang::Sema &sema() const { return parser()->getActions(); }
    clang::DiagnosticsEngine &diags() const { return pp.getDiagnostics(); }
    clang::SourceManager &sources() const { return pp.getSourceManager(); }

    session_mode mode = SESSION_MIRROR; /* whom to ask: the cells, or (-E, -M, completion) only the disk */
    std::string input, output;          /* as the compiler was given them; empty = none */
    /* Under which path questions of a precompiled header (or an editor's preamble) are kept: of the one that this unit
     * includes, and of the one that it becomes. Empty = none. */
    std::string includes, becomes;
    unsigned editorMs = 0; /* an editor waits (cellEditorMs) */

    /* The session, made with the first annotation that needs one. NULL when the configuration is unusable: that was
     * reported once, at `loc`. */
    cell_session *session(clang::SourceLocation loc);
    /* Prepares it, if it can be made, and begins to ask those cells that this unit needed when it was compiled
     * last. Silent: a unit that has Cell's header need not need a cell. */
    void prefetch();
    cell_session *sessionIfAny() const { return theSession.get(); }
    /* A session that asks nobody, for going on after a cell could not be reached. NULL when it cannot be had. */
    cell_session *mirrorSession();

    std::map<std::string, CellDrift> drifts; /* by cell */
    std::map<std::string, std::string>
        included; /* fingerprints by cell, of what precompiled headers and modules bring */
    std::set<std::pair<std::string, const clang::DeclContext *>> failed; /* imports that were reported */
    llvm::DenseSet<const clang::Attr *> handled;                         /* annotations that were acted on */
    llvm::DenseSet<clang::FileID> injected;                              /* the injected texts */
    std::map<clang::FileID, size_t> writtenFrom; /* of them and included ones: where functions begin that cells wrote */
    std::vector<std::unique_ptr<SavedPragmas, SavedPragmasDelete>> saved; /* of texts that are being parsed */
    std::list<std::vector<clang::Token>> streams;                         /* the tokens of those texts */
    std::set<std::string> dependencies;                                   /* paths reported to -MD */
    std::shared_ptr<struct CellPlans> plans;                              /* Plans.cpp's own */
    std::set<std::string> staleAnswers;                                   /* cells of which that was said */
    std::set<std::string> expansions;                                     /* what expansions call their own */
    std::multimap<const clang::RecordDecl *, session_cell *> declared;    /* structs that cells have expanded */
    unsigned printing = 0;                                                /* pragmas being printed under -E */
    std::shared_ptr<struct CellAbsent> absent;           /* Absent.cpp's own; none while all is there */
    std::shared_ptr<struct DriftErrorsLink> driftErrors; /* DriftErrors.cpp's own */
    bool driftSource = false;                            /* Drift.h's typo source is installed */

    std::vector<std::list<std::vector<clang::Token>>::iterator> texts; /* of `streams`, one for each of `saved` */
    std::vector<clang::Token> spare;                                   /* memory of one that was parsed, for the next */

    std::set<std::string> imported;                /* cells, in whatever scope */
    bool declaresCapabilities = false;             /* a text that was injected here */
    bool declaresRuleFunctions = false;            /* the same */
    bool watchesConditions = false;                /* CELL_HAS in #if works */
    bool watchesConstants = false;                 /* unknown capabilities are reported */
    std::vector<CellCapabilityUse> conditions;     /* in #if */
    std::vector<CellCapabilityUse> capabilityUses; /* all of the unit that are there, at its end */

    ProvideStatePtr provide;                    /* Provide.h's own */
    std::shared_ptr<VerbWatchers> verbWatchers; /* none before there is one to watch for */

  private:
    std::unique_ptr<cell_session, CellSessionDelete> open(session_mode sessionMode, cell_error &e);

    std::unique_ptr<cell_session, CellSessionDelete> theSession, theMirrorSession;
    std::unique_ptr<cell_session, CellSessionDelete> nextSession; /* becomes the session when there has to be one */
    bool sessionFailed = false, mirrorSessionFailed = false;
};

/* `cell clangd` sets CELL_EDITOR_MS: this is no build, nothing may act, and cells have so many milliseconds. 0 = it is
 * not set. */
unsigned cellEditorMs();

/* Tells what kind of compilation `pp` belongs to, before anything is known of annotations. */
void cellRegisterCompilation(clang::Preprocessor &pp, session_mode mode, llvm::StringRef input, llvm::StringRef output);

/* How a path of the compilation is called wherever it is compiled from. */
std::string cellAbsolutePath(PluginState &state, llvm::StringRef path);
/* The main file, absolute. */
std::string cellMainFile(PluginState &state);

/* The state of the translation unit that `pp` reads, made when there is none. Lives until the consumer (or, without
 * one, the preprocessor) goes. Thread-safe: several compilations may run in one process. */
PluginState &cellState(clang::Preprocessor &pp);
/* NULL when there is none yet. */
PluginState *cellStateIfAny(clang::Preprocessor &pp);
void cellStateRemove(clang::Preprocessor &pp);

#endif
