/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "RuleConstants.h"
#include "Capability.h"
#include "ClangCompat.h"
#include "Diagnostics.h"
#include "Drift.h"
#include "UseVisitor.h"

#include "clang/AST/Expr.h"
#include "llvm/ADT/APFloat.h"

extern "C" {
#include "core/ast_run.h"
#include "core/rule.h"
#include "wire/rules.h"
}

using namespace clang;

namespace
{

constexpr uint64_t mostSteps = 1000000;           /* of one call, some milliseconds */
constexpr uint64_t mostMemory = 16 * 1024 * 1024; /* bytes */

struct AstDelete {
    void operator()(cell_ast *doc) const { cell_ast_free(doc); }
};

/* A constant of Clang's as an object of the cell's type. */
class Constant
{
  public:
    /* `out` has the type's size and is zeroed. False: a text of it is no literal. */
    static bool write(const APValue &v, const schema_ref &use, char *out)
    {
        schema_ref one = use;
        uint32_t size = 0, align = 0;
        one.count = 0;
        if (!use.count)
            return writeOne(v, use, out);
        cell_schema_ref_layout(&one, &size, &align);
        for (unsigned i = 0; v.isArray() && i < use.count; i++) {
            bool there = i < v.getArrayInitializedElts();
            if ((there || v.hasArrayFiller()) &&
                !writeOne(there ? v.getArrayInitializedElt(i) : v.getArrayFiller(), one, out + size_t(i) * size))
                return false;
        }
        return v.isArray();
    }

  private:
    static bool writeOne(const APValue &v, const schema_ref &use, char *out)
    {
        switch (use.kind) {
        case CELL_KIND_STR:
            return writeText(v, out);
        case CELL_KIND_F32:
        case CELL_KIND_F64:
            return v.isFloat() && writeReal(v.getFloat(), use.kind, out);
        case CELL_KIND_STRUCT:
            if (!v.isStruct() || v.getStructNumBases() || v.getStructNumFields() != use.named->nfields)
                return false;
            for (unsigned i = 0; i < use.named->nfields; i++)
                if (!write(v.getStructField(i), use.named->fields[i].type, out + use.named->fields[i].offset))
                    return false;
            return true;
        case CELL_KIND_BYTES:
        case CELL_KIND_LIST:
        case CELL_KIND_OPT:
            return true; /* no function looks at them */
        default:
            return v.isInt() && writeInteger(v.getInt(), use, out);
        }
    }

    static bool writeInteger(const llvm::APSInt &value, const schema_ref &use, char *out)
    {
        uint32_t size = 0, align = 0;
        cell_schema_ref_layout(&use, &size, &align);
        int64_t bits = value.extOrTrunc(64).getSExtValue();
        memcpy(out, &bits, size); /* little-endian: the lower bytes come first */
        return true;
    }

    static bool writeReal(llvm::APFloat value, cell_kind kind, char *out)
    {
        bool inexact;
        value.convert(kind == CELL_KIND_F32 ? llvm::APFloat::IEEEsingle() : llvm::APFloat::IEEEdouble(),
                      llvm::APFloat::rmNearestTiesToEven, &inexact);
        uint64_t bits = value.bitcastToAPInt().getZExtValue();
        memcpy(out, &bits, kind == CELL_KIND_F32 ? 4 : 8);
        return true;
    }

    /* struct cell_str { const char *ptr; uint64_t len; } of a string literal */
    static bool writeText(const APValue &v, char *out)
    {
        if (!v.isStruct() || v.getStructNumFields() != 2 || !v.getStructField(0).isLValue() ||
            !v.getStructField(1).isInt())
            return false;
        const APValue &pointer = v.getStructField(0);
        cell_str text = {"", v.getStructField(1).getInt().getLimitedValue()};
        if (text.len) {
            const auto *base = pointer.getLValueBase().dyn_cast<const Expr *>();
            const auto *literal = dyn_cast_or_null<StringLiteral>(base);
            uint64_t offset = static_cast<uint64_t>(pointer.getLValueOffset().getQuantity());
            if (!literal || !cellcompat::isOrdinaryLiteral(literal) || offset > literal->getByteLength() ||
                text.len > literal->getByteLength() - offset)
                return false;
            text.ptr = literal->getBytes().data() + offset;
        }
        memcpy(out, &text, sizeof(text));
        return true;
    }
};

class Calls
{
  public:
    explicit Calls(PluginState &plugin) : state(plugin), ctx(plugin.sema().getASTContext()) {}

    void look(const CallExpr *call)
    {
        const FunctionDecl *f = call->getDirectCallee();
        std::string owner = cellOwnerOf(state, f->getLocation()).str();
        Cell *cell = owner.empty() || !f->getIdentifier() ? nullptr : cellOf(owner);
        const schema_method *m = cell ? cell_schema_method_of(cell->schema, f->getName().str().c_str()) : nullptr;
        for (uint32_t i = 0; m && i < m->nparams; i++) {
            const char *function = cell_rule_function_of(&m->params[i]);
            if (function && !m->params[i].by_pointer && !m->params[i].stream)
                for (unsigned k = 0; k < f->getNumParams() && k < call->getNumArgs(); k++)
                    if (f->getParamDecl(k)->getName() == m->params[i].name)
                        check(*cell, f, m->params[i], function, call->getArg(k));
        }
    }

  private:
    struct Cell {
        const cell_schema *schema = nullptr;
        std::unique_ptr<cell_ast, AstDelete> functions;
        bool read = false;
    };

    Cell *cellOf(const std::string &name)
    {
        Cell &cell = cells[name];
        if (!cell.schema)
            cell.schema = cellSchemaOf(state, name);
        return cell.schema && cell.schema->nvisible_functions ? &cell : nullptr;
    }

    const ast_function *functionOf(Cell &cell, const char *name)
    {
        cell_ast *doc = nullptr;
        cell_error e = {};
        if (!cell.read && cell_ast_of_schema(cell.schema, nullptr, &doc, &e) >= 0)
            cell.functions.reset(doc);
        cell.read = true;
        return cell.functions ? cell_ast_function(cell.functions.get(), name) : nullptr;
    }

    void check(Cell &cell, const FunctionDecl *f, const schema_field &p, const char *function, const Expr *argument)
    {
        Expr::EvalResult result;
        schema_ref value = cell_rule_value_type(&p.type);
        uint32_t size = 0, align = 0;
        if (p.type.kind == CELL_KIND_LIST || p.type.count || argument->isValueDependent() ||
            argument->containsErrors() || !argument->EvaluateAsRValue(result, ctx) || result.HasSideEffects)
            return;
        const APValue *constant = &result.Val;
        if (p.type.kind == CELL_KIND_OPT) {
            if (!constant->isStruct() || constant->getStructNumFields() != 2 || !constant->getStructField(0).isInt() ||
                constant->getStructField(0).getInt() == 0)
                return;
            constant = &constant->getStructField(1);
        }
        cell_schema_ref_layout(&value, &size, &align);
        std::vector<uint64_t> object((size + 7) / 8);
        if (!Constant::write(*constant, value, reinterpret_cast<char *>(object.data())))
            return;
        const ast_function *logic = functionOf(cell, function);
        if (logic && isBroken(cell.functions.get(), logic, object.data()))
            report(f, p, function, cell.schema->cell, argument);
    }

    static bool isBroken(const cell_ast *doc, const ast_function *f, void *value)
    {
        ast_machine m = {};
        m.doc = doc;
        m.steps = mostSteps;
        m.memory = mostMemory;
        void *arguments[] = {value};
        bool holds = true;
        int r = cell_ast_run(&m, f, arguments, &holds);
        cell_arena_free(&m.arena);
        return r == CELL_OK && !holds;
    }

    void report(const FunctionDecl *f, const schema_field &p, const char *function, const char *cell,
                const Expr *argument)
    {
        SourceLocation at = state.sources().getFileLoc(argument->getBeginLoc());
        if (!told.insert({at.getRawEncoding(), p.name}).second) /* another instance of the template */
            return;
        std::string text = std::string(p.name) + " must satisfy " + function;
        for (uint32_t i = 0; i < p.nrules; i++)
            if (cell_rule_named(p.rules[i].name) == CELL_RULE_FUNCTION && p.rules[i].message)
                text = p.rules[i].message;
        cellReport(state.diags(), at, CellDiag::RuleConstant) << cellPrintable(text);
        cellReport(state.diags(), f->getLocation(), CellDiag::RuleConstantNote) << p.name << f << function << cell;
    }

    PluginState &state;
    ASTContext &ctx;
    std::map<std::string, Cell> cells;
    std::set<std::pair<unsigned, std::string>> told;
};

} // namespace

void cellRuleConstants(PluginState &state)
{
    bool declared =
        state.declaresRuleFunctions || state.pp.getIdentifierTable().get("cellgen_rule_functions").isFromAST();
    if (!declared || !state.parser())
        return;
    Calls calls(state);
    cellVisitCalls(state, [&](const CallExpr *call) { calls.look(call); });
}
