/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Annotated declarations: which are ours, what they ask for, and whether they ask for it rightly. */
#ifndef CELL_ANNOTATIONS_H
#define CELL_ANNOTATIONS_H

#include "Inject.h"

#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclTemplate.h"

/* Decides in a few instructions that a declaration cannot concern the plugin. */
inline bool cellWorthALook(const clang::Decl *d)
{
    return d->hasAttrs() || d->getKind() == clang::Decl::LinkageSpec || d->getKind() == clang::Decl::Namespace ||
           d->getKind() == clang::Decl::Export || clang::isa<clang::RedeclarableTemplateDecl>(d);
}

/* From HandleTopLevelDecl, for declarations that are worth it. */
void cellTopLevel(clang::Preprocessor &pp, clang::Decl *d);

/* From HandleTagDeclDefinition, for those with attributes. */
void cellTagDefinition(clang::Preprocessor &pp, clang::TagDecl *d);

/* In a completion run, for a record that is complete: the parser goes on with what is injected. */
void cellTagComplete(PluginState &state, clang::TagDecl *d);

/* From wherever a function's body or a record ends: what is annotated in there, where nothing can be injected. */
void cellMembers(clang::Preprocessor &pp, clang::DeclContext *scope);

/* From HandleTranslationUnit, when there is a state. */
void cellUnitEnds(PluginState &state);

#endif
