/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Capability.h"
#include "CapabilityCondition.h"
#include "ClangCompat.h"
#include "Diagnostics.h"
#include "Drift.h"

#include "clang/AST/Decl.h"
#include "clang/Basic/DiagnosticSema.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/ExternalSemaSource.h"
#include "clang/Sema/Lookup.h"

extern "C" {
#include "base/util.h"
}

using namespace clang;

CellConstant CellConstant::of(StringRef identifier)
{
    CellConstant c;
    Kind kind = identifier.consume_front("cellgen_has_")        ? Has
                : identifier.consume_front("cellgen_requires_") ? Requires
                : identifier.consume_front("cellgen_value_")    ? Value
                                                                : None;
    if (kind == Value) {
        auto [front, parameter] = identifier.rsplit("__");
        identifier = front;
        c.parameter = parameter.str();
    }
    auto [cell, capability] = identifier.rsplit("__");
    if (kind == None || cell.empty() || capability.empty() || (kind == Value && c.parameter.empty()))
        return CellConstant();
    c.kind = kind;
    c.cell = cell.str();
    c.capability = capability.str();
    return c;
}

const cell_schema *cellSchemaOf(PluginState &state, StringRef cell)
{
    cell_session *session = state.session(SourceLocation());
    session_cell *asked = nullptr;
    cell_error e = {};
    if (!session || cell_session_cell(session, cell.str().c_str(), &asked) < 0)
        return nullptr;
    return cell_session_schema(session, asked, &e);
}

bool cellIsImportedAnywhere(PluginState &state, StringRef cell)
{
    for (const auto &failed : state.failed)
        if (cell == failed.first)
            return true;
    /* The import has declared it, here or where the identifier comes from. */
    std::string marker = ("cellgen_" + cell + "_fingerprint").str();
    IdentifierTable &table = state.pp.getIdentifierTable();
    return state.imported.count(cell.str()) || table.get(marker).isFromAST();
}

static void suggest(PluginState &state, SourceLocation loc, const std::string &name,
                    const std::vector<const char *> &known, CellDiag plain, CellDiag didYouMean,
                    const std::string &owner)
{
    if (const char *nearest = cell_suggest(name.c_str(), known.data(), known.size()))
        cellReport(state.diags(), loc, didYouMean) << owner << name << nearest;
    else
        cellReport(state.diags(), loc, plain) << owner << name;
    std::string all;
    for (const char *one : known)
        all += (all.empty() ? "'" : ", '") + std::string(one) + "'";
    if (!all.empty())
        cellReport(state.diags(), loc, CellDiag::CapabilityKnownNote) << owner << all;
}

/* One that the cell declared when this object was last compiled, or locked. */
static bool reportGone(PluginState &state, const CellConstant &name, SourceLocation loc)
{
    auto drift = state.drifts.find(name.cell);
    if (drift == state.drifts.end())
        return false;
    for (uint32_t i = 0; i < drift->second.diff->n; i++) {
        const diff_change &c = drift->second.diff->changes[i];
        bool capability = c.rule == DIFF_CAPABILITY_REMOVED && name.capability == c.owner;
        bool parameter = c.rule == DIFF_CAPABILITY_PARAM_REMOVED && name.capability == c.owner &&
                         name.kind == CellConstant::Value && name.parameter == c.member;
        if (!capability && !parameter)
            continue;
        unsigned place = state.sources().getFileLoc(loc).getRawEncoding();
        if (drift->second.reported.insert({place, &c}).second) {
            cellReport(state.diags(), loc, CellDiag::DriftGone) << c.sentence;
            cellDriftNote(state.diags(), drift->second);
        }
        return true;
    }
    return false;
}

static void reportParameter(PluginState &state, const CellConstant &name, const schema_capability &c,
                            SourceLocation loc)
{
    std::vector<const char *> known;
    for (uint32_t i = 0; i < c.nparams; i++) {
        const schema_capability_param &p = c.params[i];
        if (name.parameter == p.name && !cell_is_integer_text(p.value)) {
            cellReport(state.diags(), loc, CellDiag::CapabilityText) << p.name << c.name << cellPrintable(p.value);
            return;
        }
        known.push_back(p.name);
    }
    suggest(state, loc, name.parameter, known, CellDiag::CapabilityNoParameter,
            CellDiag::CapabilityNoParameterDidYouMean, c.name);
}

void cellReportNoConstant(PluginState &state, const CellConstant &name, SourceLocation loc)
{
    if (!cellIsImportedAnywhere(state, name.cell)) {
        cellReport(state.diags(), loc, CellDiag::CapabilityNotImported) << name.cell;
        return;
    }
    const cell_schema *schema = cellSchemaOf(state, name.cell);
    if (!schema) /* which was reported where it is imported */
        return;
    const schema_capability *c = cell_schema_capability(schema, name.capability.c_str());
    if (reportGone(state, name, loc))
        return;
    if (c && name.kind == CellConstant::Value) {
        reportParameter(state, name, *c, loc);
        return;
    }
    if (c) { /* imported into a namespace that is not looked into here */
        cellReport(state.diags(), loc, CellDiag::CapabilityNotImported) << name.cell;
        return;
    }
    std::vector<const char *> known;
    for (uint32_t i = 0; i < schema->ncapabilities; i++)
        known.push_back(schema->capabilities[i].name);
    if (known.empty())
        cellReport(state.diags(), loc, CellDiag::CapabilityNone) << name.cell << name.capability;
    else
        suggest(state, loc, name.capability, known, CellDiag::CapabilityUnknown, CellDiag::CapabilityUnknownDidYouMean,
                name.cell);
}

namespace
{

/* Asked for names that are not found. A constant stands in for one of ours, so that nothing else is wrong. */
class ConstantSource : public ExternalSemaSource
{
  public:
    explicit ConstantSource(PluginState &plugin) : state(plugin) {}

    bool LookupUnqualified(LookupResult &r, Scope *) override
    {
        const IdentifierInfo *id = r.getLookupName().getAsIdentifierInfo();
        if (!id || r.getLookupKind() != Sema::LookupOrdinaryName || r.isForRedeclaration() ||
            !cellcompat::startsWith(id->getName(), "cellgen_"))
            return false;
        CellConstant name = CellConstant::of(id->getName());
        if (name.kind == CellConstant::None)
            return false;
        if (!state.sema().isSFINAEContext() && reported.insert({id, place(r.getNameLoc())}).second)
            cellReportNoConstant(state, name, r.getNameLoc());
        r.addDecl(standIn(state.pp.getIdentifierInfo(id->getName()), name.kind));
        return true;
    }

  private:
    unsigned place(SourceLocation loc) const { return state.sources().getFileLoc(loc).getRawEncoding(); }

    NamedDecl *standIn(IdentifierInfo *id, CellConstant::Kind kind)
    {
        EnumConstantDecl *&made = standIns[id];
        if (made)
            return made;
        ASTContext &ctx = state.sema().getASTContext();
        DeclContext *scope = ctx.getTranslationUnitDecl();
        SourceLocation none;
        EnumDecl *of = EnumDecl::Create(ctx, scope, none, none, nullptr, nullptr, false, false, false);
        /* A requirement that cannot be told fails only once, and an array needs elements. */
        llvm::APSInt value(llvm::APInt(ctx.getIntWidth(ctx.IntTy), kind == CellConstant::Has ? 0 : 1), false);
        made = EnumConstantDecl::Create(ctx, of, none, id, ctx.IntTy, nullptr, value);
        made->setImplicit();
        return made;
    }

    PluginState &state;
    std::set<std::pair<const IdentifierInfo *, unsigned>> reported;
    llvm::DenseMap<const IdentifierInfo *, EnumConstantDecl *> standIns;
};

/* The next text between ' and ' in a message of attrs.h, without another quote in it. */
std::string quoted(StringRef &message)
{
    StringRef text = message.split('\'').second.split('\'').first;
    message = message.split('\'').second.split('\'').second;
    return text.str();
}

} // namespace

bool cellHasCapabilities(PluginState &state)
{
    return state.declaresCapabilities || state.pp.getIdentifierTable().get("cellgen_capabilities").isFromAST();
}

void cellWatchCapabilities(PluginState &state)
{
    if (!state.watchesConditions) {
        state.watchesConditions = true;
        cellWatchConditions(state.pp);
    }
    if (!state.watchesConstants && state.parser()) {
        state.watchesConstants = true;
        state.sema().addExternalSource(new ConstantSource(state));
    }
    if (state.parser() && cellHasCapabilities(state))
        cellWatchErrors(state); /* of CELL_REQUIRE */
}

bool cellReportRequired(PluginState &state, DiagnosticsEngine &diags, const Diagnostic &info)
{
    if (info.getID() != diag::err_static_assert_failed && info.getID() != diag::err_static_assert_requirement_failed)
        return false;
    for (unsigned i = 0; i < info.getNumArgs(); i++) {
        if (info.getArgKind(i) != DiagnosticsEngine::ak_std_string)
            continue;
        StringRef message = info.getArgStdStr(i);
        if (!message.consume_front("CELL_REQUIRE: "))
            continue;
        std::string cell = quoted(message), capability = quoted(message), parameter = quoted(message),
                    condition = quoted(message);
        const cell_schema *schema = cellSchemaOf(state, cell);
        const schema_capability *c = schema ? cell_schema_capability(schema, capability.c_str()) : nullptr;
        std::string value;
        for (uint32_t k = 0; c && k < c->nparams; k++)
            if (parameter == c->params[k].name)
                value = c->params[k].value;
        if (c && !c->absent && !value.empty()) {
            cellReport(diags, info.getLocation(), CellDiag::RequireValue)
                << cell << capability << parameter << value << condition;
            return true;
        }
        cellReport(diags, info.getLocation(), CellDiag::RequireAbsent) << cell << capability;
        cellReport(diags, info.getLocation(), CellDiag::RequireNote) << cell << capability;
        return true;
    }
    return false;
}
