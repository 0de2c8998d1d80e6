/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Where the parts of an annotated declaration stand, and what a cell says of them. */
#ifndef CELL_PLACES_H
#define CELL_PLACES_H

#include <string>
#include <vector>

#include "State.h"

#include "clang/AST/Attr.h"

extern "C" {
#include "core/schema.h"
}

/* What an argument of type "file" names. */
struct CellFile {
    std::string path;     /* as it was found; empty = the argument is no file, or was left out */
    unsigned skipped = 0; /* bytes before its text: a byte order mark */
};

/* An annotated declaration: valid as long as the unit. Without one (`d` NULL) it is not known where that is. */
struct CellPlaces {
    const clang::NamedDecl *d = nullptr;
    const clang::AnnotateAttr *a = nullptr;
    const schema_verb *verb = nullptr;
    std::vector<const clang::Expr *> given; /* the verb's arguments as written; NULL where one is left out */
    std::vector<CellFile> files;            /* by argument */

    clang::SourceLocation loc() const { return a ? a->getLocation() : clang::SourceLocation(); }
};

/* Shows one diagnostic, with its notes and the fix that it offers. `severity` false: it is an error. */
void cellSay(PluginState &state, const CellPlaces &places, const expansion_diagnostic &said);

/* The literal behind an argument of an annotation; NULL when it is none. */
const clang::StringLiteral *cellLiteralOf(const clang::Expr *e);

/* The macro that writes a rule, "CELL_RENAMED_FROM(mail)"; empty for one that cannot be written. */
std::string cellRuleText(const schema_rule &rule, bool onField);

/* The path of a file that is named at `loc`: relative to the file which that is in. */
std::string cellPathBeside(PluginState &state, clang::SourceLocation loc, llvm::StringRef path);
/* Reads the file that an argument names. False after reporting at `loc`, which is the argument's. */
bool cellReadFile(PluginState &state, clang::SourceLocation loc, llvm::StringRef name, CellFile &file,
                  std::string &text);
/* What stands for the content of a file: its hash, or why it cannot be used. */
std::string cellFileMark(PluginState &state, llvm::StringRef path);

#endif
