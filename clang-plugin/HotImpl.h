/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The parts of the serialiser; internal to Hot*.cpp. */
#ifndef CELL_HOTIMPL_H
#define CELL_HOTIMPL_H

#include <optional>
#include <set>

#include "ClangCompat.h"
#include "Hot.h"
#include "HotTree.h"
#include "State.h"

#include "clang/AST/Expr.h"
#include "clang/AST/Stmt.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

/* A C type as the document has it. */
struct HotType {
    std::string name;    /* "i32", "str", "point" */
    cell_kind kind = {}; /* of its values: that of an enum is its integer's; STRUCT, STR */
    uint64_t count = 0;  /* elements, of all dimensions together; 0 = no array */
    std::string text() const { return count ? name + "[" + std::to_string(count) + "]" : name; }
};

enum class HotMode {
    Value,   /* by value */
    In,      /* a pointer to a const struct, or an array of what is const */
    Out,     /* a pointer to, or an array of, what the function writes */
    InOut,   /* of static functions: what is read and written; two parameters of the document, NAME and the output */
    Unusable /* was reported */
};

struct HotParam {
    const clang::ParmVarDecl *decl;
    HotType type;
    HotMode mode;
    std::string name;
    std::string outName; /* of InOut */
};

struct HotFunction {
    const clang::FunctionDecl *decl; /* the definition */
    std::string name;
    bool internal = true, status = false;
    bool returnsVoid = false;
    bool open = false; /* it has a loop that only CELL_BOUND ends, which does nothing in C */
    int fault = 0;     /* 0 = the document's default */
    HotType returns;
    std::vector<HotParam> params;
    HotNode body;
    std::string file, doc;
    std::vector<std::string> paramDocs;
};

struct HotTable {
    std::string name;
    HotType type;
    HotNode values;
};

/* A counted loop of the document. */
struct HotLoop {
    clang::SourceLocation loc;
    uint64_t bound;   /* what the document says */
    bool known;       /* it is right; else what the verifier proves is */
    unsigned mayWrap; /* its beginning (1), its end (2) is a sum that must be proven to be exact */
    bool status;      /* of its function */
};

struct HotDocument {
    bool bare = false;  /* without comments, files and lines */
    std::string raiser; /* the internal function that fails with the status it is given; empty = none is needed */
    std::vector<HotFunction> functions;
    std::vector<HotTable> tables;
    std::vector<HotLoop> loops;
};

/* ---- HotFacts.cpp: what is found out before ---- */

/* Calls `see` for `root` and all below it, without recursion. */
void hotWalk(const clang::Stmt *root, llvm::function_ref<void(const clang::Stmt *)> see);
/* Something below `root` by more than `most` levels of Clang's tree; NULL = there is nothing. Without recursion. */
const clang::Stmt *hotBelow(const clang::Stmt *root, unsigned most);
/* The variable that a place is or lies in; NULL = there is none. */
const clang::VarDecl *hotRoot(const clang::Expr *e);
/* Whether anything in `s` may write `v`, or takes its address. */
bool hotWrites(const clang::Stmt *s, const clang::VarDecl *v);
unsigned hotUses(const clang::Stmt *s, const clang::VarDecl *v);
/* Whether what parameter `v` points to is read. */
bool hotReads(const clang::Stmt *body, const clang::VarDecl *v);
/* Whether a function is given the address of `v`, to write it. */
bool hotAddressTaken(const clang::Stmt *body, const clang::VarDecl *v);
/* Whether evaluating `e` may write something or call what does. */
bool hotHasEffects(const clang::Expr *e);
/* CELL_BOUND's constant in the loop's body itself; 0 = there is none. */
const clang::AnnotateAttr *hotStatedBound(const clang::Stmt *body);

/* The variable of which a condition says that it is not CELL_OK in what is run then; NULL = none. */
const clang::VarDecl *hotFailedStatus(const clang::IfStmt *s);
/* Whether `v` counts from `from` up to before `to`, or down, in steps of 1, and the loop's body leaves it alone. */
bool hotCountsOver(const clang::ASTContext &ctx, const clang::ForStmt *s, const clang::VarDecl *v, uint64_t &from,
                   uint64_t &to);

/* ---- HotUnit.cpp: the document as a whole ---- */

class HotUnit
{
  public:
    HotUnit(PluginState &plugin, DeclReader &declarations, HotDocument &d)
        : state(plugin), reader(declarations), ctx(plugin.sema().getASTContext()), document(d)
    {
    }
    bool serialise(const std::vector<const clang::FunctionDecl *> &functions);

    template <typename... Args> bool refuse(clang::SourceLocation loc, CellDiag id, const Args &...args)
    {
        failed = true;
        if (!loc.isMacroID() && !reported.insert(loc.getRawEncoding()).second)
            return false;
        clang::DiagnosticBuilder report = cellReport(state.sema(), loc, id);
        (void)(report << ... << args);
        return false;
    }
    /* What is not served, and why not; each place once. */
    bool typeOf(clang::QualType type, clang::SourceLocation loc, HotType &out);
    /* The function of the document; NULL = there is none of it. */
    const HotFunction *find(const clang::FunctionDecl *f) const;
    /* The table of a constant array; a field's of one of structs. NULL = reported. */
    const HotTable *table(const clang::VarDecl *v, const clang::FieldDecl *field, clang::SourceLocation loc);
    /* That outputs are written, all of them and before they are read. */
    void checkOutputs(const HotFunction &function);
    /* The internal function that fails with the status it is given. */
    const std::string &raise();
    std::string fileOf(clang::SourceLocation loc) const;
    unsigned lineOf(clang::SourceLocation loc) const;
    bool isHidden(const clang::FunctionDecl *g) const { return broken.count(g->getCanonicalDecl()) != 0; }
    /* A name of the document that nothing has yet. */
    std::string globalName(llvm::StringRef wanted);
    bool isGlobalName(llvm::StringRef name) const { return names.count(name) != 0; }
    void noteLocalName(llvm::StringRef name) { localNames.insert(name); }

    PluginState &state;
    DeclReader &reader;
    clang::ASTContext &ctx;
    HotDocument &document;
    bool failed = false;

  private:
    bool order(const clang::FunctionDecl *root, std::vector<const clang::FunctionDecl *> &sorted);
    bool declare(const clang::FunctionDecl *f, HotFunction &out);
    bool checkFunction(const clang::FunctionDecl *f);
    bool checkFloats(const clang::FunctionDecl *f);
    void readParam(const clang::FunctionDecl *f, const clang::ParmVarDecl *p, HotFunction &out);
    bool readPointer(const clang::FunctionDecl *f, const clang::ParmVarDecl *p, clang::QualType pointee, HotParam &out);
    bool arrayOf(clang::QualType type, clang::QualType written, clang::SourceLocation loc, HotType &out);
    bool namedType(const clang::TagDecl *d, HotType &out);
    bool builtin(const clang::BuiltinType *type, clang::QualType written, clang::SourceLocation loc, HotType &out);
    bool entry(const clang::Expr *init, const HotType &type, HotNode &values);
    bool entries(const clang::Expr *init, clang::QualType written, const HotType &type, int field, HotNode &values);
    bool texts(const clang::Expr *init, const HotType &type, int field, HotNode &values);

    std::set<unsigned> reported;
    llvm::StringSet<> names, localNames;
    llvm::DenseSet<const clang::FunctionDecl *> hot, done;
    std::map<std::pair<const clang::VarDecl *, const clang::FieldDecl *>, size_t> tables; /* index + 1; 0 = reported */
    llvm::DenseSet<const clang::FunctionDecl *> broken;                                   /* reported */
};

/* CELL_STR("…"), cell_strz("…") and {0}: false when `e` is none of these. What cannot be served was reported. */
bool hotStringLiteral(HotUnit &unit, const clang::Expr *e, HotNode &n);

/* ---- HotBody.cpp and others: one function ---- */

/* What becomes of a function of math.h, stdlib.h or cell/text.h. */
struct HotLibrary {
    const char *name, *operation;
    bool isTest; /* its result is a truth value, in C an int that may be any but 0 */
};

class HotBody
{
  public:
    HotBody(HotUnit &whole, HotFunction &function) : unit(whole), ctx(whole.ctx), f(function) {}
    void run();

  private:
    /* What a variable of C is here. */
    struct Binding {
        std::string name;
        HotType type;
        HotMode mode;     /* of what it points to; Value for what is no parameter */
        std::string read; /* for reading, when that is another one */
    };
    struct Deeper {
        explicit Deeper(HotBody &b) : body(b) { body.depth++; }
        ~Deeper() { body.depth--; }
        HotBody &body;
    };

    template <typename... Args> HotNode refuse(clang::SourceLocation loc, CellDiag id, const Args &...args)
    {
        unit.refuse(loc, id, args...);
        return hotBool(false, loc);
    }
    bool tooDeep(clang::SourceLocation loc);

    /* Statements (HotBody.cpp) */
    void statement(const clang::Stmt *s);
    HotNode block(const clang::Stmt *s);
    void line(clang::SourceLocation loc);
    void emit(HotNode n) { out->push_back(std::move(n)); }
    void ifStatement(const clang::IfStmt *s);
    void switchStatement(const clang::SwitchStmt *s);
    void switchGroup(std::vector<const clang::Stmt *> &body, HotNode labels, bool isDefault, bool last, HotNode &all,
                     HotNode &otherwise);
    bool labelOf(const clang::SwitchCase *label, HotNode &labels, bool &isDefault);
    void declaration(const clang::DeclStmt *s);
    void variable(const clang::VarDecl *v);
    void returnStatement(const clang::ReturnStmt *s);
    void returnStatus(const clang::Expr *e, clang::SourceLocation loc);
    bool isStatus(const clang::Expr *e) const;

    /* Statements that are expressions (HotEffects.cpp) */
    void effect(const clang::Expr *e);
    HotNode assign(const clang::BinaryOperator *e);
    void assignTo(const clang::Expr *place, const clang::Expr *value);
    HotNode compound(const clang::CompoundAssignOperator *e);
    HotNode step(const clang::UnaryOperator *e, bool wantsOld);
    HotNode hoist(const HotType &type, HotNode value, clang::SourceLocation loc);
    HotNode temporary(const HotType &type, clang::SourceLocation loc);
    void initialise(const HotNode &place, clang::QualType type, const clang::Expr *init, const HotNode *array,
                    uint64_t first);
    bool mayHoist(clang::SourceLocation loc);
    /* Whether serving `e` needs no statements before it. */
    bool isSimple(const clang::Expr *e) const;
    HotNode zero(const HotType &type, clang::SourceLocation loc) const;

    /* Loops (HotLoop.cpp) */
    struct Counted;
    void forStatement(const clang::ForStmt *s);
    bool counted(const clang::ForStmt *s, Counted &c);
    bool condition(const clang::ForStmt *s, const clang::Expr *cond, Counted &c);
    bool stepOf(const clang::ForStmt *s, Counted &c);
    bool reaches(const Counted &c) const;
    bool strided(Counted &c);
    HotNode endOf(const clang::Expr *e, bool more, unsigned which, Counted &c);
    void beginCounted(const Counted &c, const std::string &counter, uint64_t stated, clang::SourceLocation loc);
    bool emitCounted(const clang::ForStmt *s, Counted &c);
    void openLoop(const clang::Stmt *s, const clang::Expr *cond, const clang::Expr *inc, const clang::Stmt *body,
                  bool testsLast);
    uint64_t statedBound(const clang::Stmt *body);
    const char *faultName() const;

    /* Expressions (HotExpr.cpp) */
    HotNode value(const clang::Expr *e);
    HotNode boolean(const clang::Expr *e);
    bool constant(const clang::Expr *e, HotNode &n);
    HotNode castOf(const clang::CastExpr *e);
    HotNode binary(const clang::BinaryOperator *e);
    HotNode arithmetic(const clang::BinaryOperator *e, llvm::StringRef name);
    HotNode unary(const clang::UnaryOperator *e);
    HotNode choice(const clang::AbstractConditionalOperator *e);
    HotNode convert(HotNode n, cell_kind from, cell_kind to);
    HotNode notServed(const clang::Expr *e);
    bool isRefused(const clang::Expr *e) const;
    HotNode comparedPointer(const clang::BinaryOperator *e);
    bool isComparison(const clang::Expr *e) const;

    /* Places (HotPlace.cpp) */
    HotNode place(const clang::Expr *e, bool reads);
    HotNode placeOfVariable(const clang::DeclRefExpr *e, bool reads);
    HotNode placeOfPointer(const clang::Expr *e, bool reads);
    HotNode indexed(const clang::ArraySubscriptExpr *e, bool reads);
    HotNode element(const clang::ArraySubscriptExpr *e, bool reads);
    HotNode member(const clang::MemberExpr *e, bool reads);
    HotNode byteOf(const clang::Expr *string, HotNode index, const clang::Expr *whole);
    HotNode compoundLiteral(const clang::CompoundLiteralExpr *e);
    bool stringLiteral(const clang::Expr *e, HotNode &n) { return hotStringLiteral(unit, e, n); }
    bool isString(clang::QualType type) const;

    /* Calls (HotCall.cpp) */
    HotNode call(const clang::CallExpr *e);
    bool test(const clang::CallExpr *e, HotNode &n);
    HotNode libraryCall(const clang::CallExpr *e, const HotLibrary &l);
    HotNode callOf(const HotFunction &g, const clang::CallExpr *e, HotNode n);
    HotNode statusCall(const HotFunction &g, const clang::CallExpr *e);
    HotNode argument(const HotParam &p, const clang::Expr *e, bool reads);
    const HotFunction *statusFunction(const clang::Expr *e) const;
    void callStatement(const clang::CallExpr *e);

    /* Names */
    std::string declareName(llvm::StringRef wanted);
    const Binding *find(const clang::VarDecl *v) const;

    HotUnit &unit;
    clang::ASTContext &ctx;
    HotFunction &f;
    std::map<const clang::VarDecl *, Binding> bindings;
    std::vector<std::string> visible;
    std::vector<HotNode> *out = nullptr;
    std::vector<const clang::VarDecl *> failing; /* of the ifs around: statuses that are not CELL_OK there; or NULL */
    bool hoists = true;                          /* what is evaluated now is evaluated in any case */
    bool saidDeep = false;                       /* once is enough */
    unsigned depth = 0, lastLine = 0;
};

/* The operand depth of what C and the document may be nested. */
constexpr unsigned hotMostDepth = 64;
/* Of Clang's tree, which has casts and brackets besides: what is deeper is deeper here, too, and is not entered. */
constexpr unsigned hotMostLevels = hotMostDepth * 5;

#endif
