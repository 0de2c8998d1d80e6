/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The injected texts of a unit, as far as capabilities are concerned: what RenderCapability.c has declared in them. */
#ifndef CELL_CAPABILITYTEXTS_H
#define CELL_CAPABILITYTEXTS_H

#include "State.h"

/* The enumeration `cellgen_needs_METHOD` that stands beside the functions of a method. */
struct CellNeeds {
    explicit CellNeeds(const clang::EnumDecl *e = nullptr) : declared(e) {}
    explicit operator bool() const { return declared != nullptr; }

    llvm::StringRef method() const;
    std::vector<std::string> capabilities() const;
    /* One that the cell has not; empty = it has them all. */
    llvm::StringRef lacking() const;
    /* The method that is called in its place; empty = none. */
    llvm::StringRef fallback() const;

    const clang::EnumDecl *declared;
};

class CapabilityTexts
{
  public:
    explicit CapabilityTexts(PluginState &plugin) : state(plugin) {}

    /* Finds them: imports of this file, and what others have brought along without being asked for. */
    void collect();
    /* The enumerations of capabilities and needs in them. */
    std::vector<clang::EnumDecl *> enums() const;

    /* Nothing: the function belongs to a method that needs nothing, or to none. */
    CellNeeds needsOf(const clang::FunctionDecl *f) const;
    /* Whether the method is used, in any of its forms. */
    bool isMethodUsed(const CellNeeds &needs) const;

    /* The text that declares `e` was built for these capabilities. */
    void use(const clang::EnumDecl *e, llvm::ArrayRef<std::string> capabilities);
    /* Each text of the cell was: a condition of the preprocessor stands in no scope. */
    void useEverywhere(llvm::StringRef cell, const std::string &capability);
    /* Writes that into their descriptors. */
    void tell();

  private:
    struct Text {
        clang::VarDecl *list = nullptr; /* "cellgen_UNIT_capabilities" */
        std::vector<clang::EnumDecl *> enums;
        std::set<std::string> used;
    };

    void collect(clang::DeclContext *scope);
    clang::FileID fileOf(const clang::Decl *d) const;
    clang::VarDecl *findList(const clang::DeclContext *scope, llvm::StringRef cell) const;
    Text &textOf(const clang::EnumDecl *e);
    void tell(Text &text);

    PluginState &state;
    std::map<clang::FileID, Text> texts;
};

#endif
