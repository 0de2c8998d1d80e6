/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * From declarations to the schema model. What cannot travel in a message is reported at the author's declaration, with
 * what to write instead; each declaration is reported once. Not thread-safe: one reader belongs to one Sema.
 */
#ifndef CELL_DECLREADER_H
#define CELL_DECLREADER_H

#include <string>
#include <vector>

#include "Diagnostics.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/Decl.h"
#include "clang/Basic/TargetInfo.h"
#include "clang/Sema/Sema.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

extern "C" {
#include "core/rule.h"
#include "core/schema.h"
}

/* The text after `prefix` in the annotation's string ("list" of "cell.type:list"); false when it does not begin so. */
bool cellAnnotationSuffix(const clang::AnnotateAttr *a, llvm::StringRef prefix, llvm::StringRef &suffix);

/* An annotation's argument as text: a string literal as it is, an integer constant in decimal, a function or variable
 * by its name, with `reals` a floating constant in decimal. False when it is something else. */
bool cellAnnotationArgument(const clang::ASTContext &ctx, const clang::Expr *e, std::string &text, bool reals = false);
/* All of them. False when one is something else: nothing was reported and *bad is that expression. */
bool cellAnnotationArguments(const clang::ASTContext &ctx, const clang::AnnotateAttr *a, std::vector<std::string> &args,
                             const clang::Expr **bad, bool reals = false);

/* True when code is generated for the one ABI that messages have (CELL_ABI_NAME). */
bool cellTargetFits(const clang::TargetInfo &target);

/* Reads declarations of one translation unit into one schema. Types are read once, however often they are used. */
class DeclReader
{
  public:
    /* `s` is filled in and must outlive the reader; its arena holds all strings. */
    DeclReader(clang::Sema &semantics, cell_schema *s) : sema(semantics), ctx(semantics.getASTContext()), schema(s) {}
    DeclReader(const DeclReader &) = delete;
    DeclReader &operator=(const DeclReader &) = delete;

    /* Names that annotate("cell.field:NAME") may use besides `since` and `renamed_from`: those of the verb on `d`. */
    void allowRules(const char *const *names, size_t n, const clang::Decl *d)
    {
        rules.assign(names, names + n);
        expanded = d;
    }

    /* Each returns NULL after reporting. The result lives in the schema's arena. */
    const schema_type *readType(const clang::TagDecl *d);
    /* One method; the slots of its request are laid out. Whether the function may be one (linkage, place) is the
     * caller's business. */
    const schema_method *readMethod(const clang::FunctionDecl *f);
    /* The enumerators of CELL_EXPORT's enum become constants. */
    bool readConstants(const clang::EnumDecl *d);
    /* The type of a variable, for verbs on variables. */
    bool readUse(const clang::ValueDecl *d, schema_ref &use);

    /* Copies into the schema's arena; documentation() makes it fit for the schema (control characters, UTF-8) and gives
     * NULL for what is empty. */
    const char *copy(llvm::StringRef text);
    const char *documentation(llvm::StringRef text);
    /* The documentation of a function, and of its parameters in their order. */
    void documentFunction(const clang::FunctionDecl *f, std::string &doc, std::vector<std::string> &ofParams);
    /* Moves everything read into the schema's arrays (types in dependency order) and takes documentation from
     * whichever declaration of a method has some. Call once, at the end; then cell_schema_seal. */
    void finish();
    /* What was read so far, used types before using ones. */
    const std::vector<schema_type *> &types() const { return typesInOrder; }

  private:
    /* Where a type stands: decides what may be there and what the message calls it. */
    struct Place {
        llvm::StringRef name; /* of the field, parameter or list */
        clang::SourceLocation loc;
        clang::QualType written; /* the whole type, for messages */
    };

    template <typename... Args> bool refuse(clang::SourceLocation loc, CellDiag id, const Args &...args);
    template <typename T> T *make(size_t n = 1);
    const char *docOf(const clang::Decl *d);
    bool checkTarget(clang::SourceLocation loc);
    bool checkName(clang::SourceLocation loc, llvm::StringRef name, llvm::StringRef what);

    /* Uses of types (DeclReaderUse.cpp) */
    bool readValue(clang::QualType type, const Place &at, schema_ref &use);
    bool readBuiltin(const clang::BuiltinType *type, const Place &at, schema_ref &use);
    bool readArray(const clang::ArrayType *type, const Place &at, schema_ref &use, clang::QualType &element);
    bool readNamed(const clang::TagDecl *d, const Place &at, schema_ref &use);
    bool readStream(const clang::RecordDecl *handle, llvm::StringRef kind, schema_field &out);
    bool readParamPointer(clang::QualType pointee, const Place &at, schema_field &out);
    bool refusePointer(clang::QualType pointee, const Place &at);
    bool refuseBuiltin(const clang::BuiltinType *type, const Place &at);
    bool checkQualifiers(clang::QualType type, const Place &at);

    /* Definitions */
    bool isNamed(const clang::TagDecl *d);
    bool checkTag(const clang::TagDecl *d);
    bool checkPlainRecord(const clang::RecordDecl *d);
    bool readStruct(const clang::RecordDecl *d, schema_type &t);
    bool readWrapper(const clang::RecordDecl *d, bool list, schema_type &t);
    bool readEnum(const clang::EnumDecl *d, schema_type &t);
    bool readField(const clang::FieldDecl *f, schema_field &out);
    bool checkLayout(const clang::RecordDecl *d, const schema_type &t);

    /* Rules and methods */
    bool readRules(const clang::Decl *d, bool anyRule, schema_field &out);
    struct RulePlace {
        bool isParam = false;
        bool anyRule = false; /* rules of any name may stand there */
        bool ofVerb = false;  /* the verb's own rules and no others, which mean what it says */
    };
    bool readRule(const clang::AnnotateAttr *a, llvm::StringRef name, const RulePlace &place, schema_field &out,
                  std::vector<schema_rule> &found);
    bool checkRule(const clang::AnnotateAttr *a, const schema_rule &rule, const schema_field &out);
    bool checkRuleFunction(const clang::AnnotateAttr *a, const schema_rule &rule, const schema_field &out);
    clang::SourceLocation placeOf(const clang::AnnotateAttr *a, const rule_mistake &wrong);
    /* The former name of a method, an enumerator or a constant, which have no other rule. */
    bool readFormer(const clang::Decl *d, int what, const char *&former);
    bool checkLaterRules(const clang::FunctionDecl *f, const schema_method &first);
    bool checkPrototype(const clang::FunctionDecl *f);
    bool readParam(const clang::ParmVarDecl *p, schema_field &out);
    void layoutSlots(schema_method &m);
    void documentMethod(schema_method &m, const clang::FunctionDecl *f);

    clang::Sema &sema;
    clang::ASTContext &ctx;
    cell_schema *schema;
    std::vector<std::string> rules;
    const clang::Decl *expanded = nullptr; /* what has the verb that the rules are of */
    std::vector<schema_type *> typesInOrder;
    std::vector<std::pair<schema_method *, const clang::FunctionDecl *>> methods;
    std::vector<schema_constant *> constants;
    llvm::DenseMap<const clang::Decl *, schema_type *> known;          /* by definition; NULL = reported */
    llvm::DenseMap<const clang::Decl *, schema_method *> knownMethods; /* by canonical declaration; NULL = reported */
    llvm::DenseSet<const clang::Decl *> laterRules; /* declarations of methods whose rules were looked at */
    llvm::DenseSet<const clang::Decl *> running;    /* being read: finds recursion */
    bool targetChecked = false, targetUsable = false;
};

#endif
