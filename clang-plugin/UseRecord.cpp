/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "UseRecord.h"
#include "Buffer.h"
#include "Capability.h"
#include "ClangCompat.h"
#include "Diagnostics.h"
#include "Drift.h"
#include "Inject.h"
#include "UseVisitor.h"

#include "clang/AST/ASTConsumer.h"
#include "clang/AST/Attr.h"
#include "clang/AST/Expr.h"
#include "clang/Lex/Preprocessor.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"

extern "C" {
#include "core/uses.h"
}

using namespace clang;

namespace
{

/* Structs that were declared for cells in a precompiled header, when that was made: found again. */
class IncludedDeclarations
{
  public:
    explicit IncludedDeclarations(PluginState &plugin) : state(plugin) {}

    /* The questions that were asked then name those of the outermost scope; looking at each declaration would load all
     * of the header. */
    void find()
    {
        cell_session *session = state.includes.empty() ? nullptr : state.sessionIfAny();
        for (session_cell *cell = nullptr; session && cell_session_next(session, &cell);)
            for (uint32_t i = 0; const char *question = cell_session_asked(cell, i); i++)
                if (auto request = llvm::json::parse(question))
                    declareNamed(*request);
                else
                    llvm::consumeError(request.takeError());
    }

    /* One that is met otherwise. */
    void declareFor(const RecordDecl *record)
    {
        cell_session *session = state.sessionIfAny();
        if (!session || !record->isFromASTFile() || state.declared.count(record))
            return;
        for (const auto *a : record->specific_attrs<AnnotateAttr>()) {
            StringRef text = a->getAnnotation();
            session_cell *cell = nullptr;
            if (text.consume_front("cell:") && text.contains('.') && !a->isInherited() &&
                cell_session_cell(session, text.split('.').first.str().c_str(), &cell) >= 0)
                state.declared.insert({record, cell});
        }
    }

  private:
    void declareNamed(const llvm::json::Value &request)
    {
        const llvm::json::Object *root = request.getAsObject();
        const llvm::json::Object *declaration = root ? root->getObject("declaration") : nullptr;
        auto name = declaration ? declaration->getString("name") : std::nullopt;
        if (!name || declaration->getString("kind") != StringRef("struct"))
            return;
        const auto *scope = state.sema().getASTContext().getTranslationUnitDecl();
        for (const NamedDecl *found : scope->lookup(&state.pp.getIdentifierTable().get(*name)))
            if (const auto *record = dyn_cast<RecordDecl>(found))
                if (const RecordDecl *definition = record->getDefinition())
                    declareFor(definition);
    }

    PluginState &state;
};

/* What the unit uses, and of which schemas. */
class UsesOfUnit
{
  public:
    explicit UsesOfUnit(PluginState &plugin) : state(plugin), sema(plugin.sema()), included(plugin), found() {}
    ~UsesOfUnit()
    {
        free(found.uses);
        cell_arena_free(&found.arena);
    }
    UsesOfUnit(const UsesOfUnit &) = delete;
    UsesOfUnit &operator=(const UsesOfUnit &) = delete;

    void collect()
    {
        included.find();
        cellVisitUses(state, [&](const ValueDecl *d, SourceLocation loc) { use(d, loc); });
        /* What is declared for a cell is used, whether the program names it or not. */
        for (const auto &entry : state.declared)
            for (const FieldDecl *field : entry.first->fields())
                if (field->getIdentifier())
                    add(field, entry.second->name, entry.second->fingerprint, field->getLocation());
        addCapabilities();
        addResources();
        cell_uses_sort(&found);
    }

    const cell_uses &uses() const { return found; }
    /* By cell. */
    const std::set<std::pair<std::string, std::string>> &schemas() const { return fingerprints; }

  private:
    void use(const ValueDecl *d, SourceLocation loc)
    {
        if (const auto *field = dyn_cast<FieldDecl>(d))
            included.declareFor(field->getParent());
        if (cellIsDeclaredFor(state, d)) {
            auto cells = state.declared.equal_range(cast<FieldDecl>(d)->getParent());
            for (auto cell = cells.first; cell != cells.second; ++cell)
                add(d, cell->second->name, cell->second->fingerprint, loc);
            return;
        }
        std::string cell = cellOwnerOf(state, d->getLocation()).str();
        bool isCapability = cellcompat::startsWith(d->getName(), "cellgen_");
        if (!cell.empty() && !isCapability && (!isa<VarDecl>(d) || isa<EnumConstantDecl>(d)))
            add(d, cell, fingerprintOf(d, cell), loc);
    }

    void add(const ValueDecl *d, const std::string &cell, const std::string &fingerprint, SourceLocation loc)
    {
        use_kind kind = isa<FieldDecl>(d) ? USE_FIELD : !isa<FunctionDecl>(d) ? USE_VALUE : USE_METHOD;
        if (kind == USE_METHOD && cellHasWritten(state, d))
            kind = USE_FUNCTION;
        addAt(kind, cellUsedName(d), cell, fingerprint, cellLocationText(state, loc));
    }

    /* `place` is FILE:LINE:COLUMN; of a precompiled header, FILE. */
    void addAt(use_kind kind, const std::string &name, const std::string &cell, const std::string &fingerprint,
               StringRef place)
    {
        auto [file, line] = place.rsplit(':').first.rsplit(':'); /* without the column */
        unsigned number = 0;
        if (kind == USE_RESOURCE && (line.empty() || line.getAsInteger(10, number))) {
            file = place;
            number = 1;
            line = "1";
        }
        if (fingerprint.size() != CELL_FINGERPRINT_LEN || file.empty() || line.getAsInteger(10, number))
            return;
        std::string path = cellPrintable(llvm::json::fixUTF8(file));
        if (llvm::sys::path::is_absolute(path))
            path = remapped(path);
        const struct use one = {cell.c_str(), fingerprint.c_str(), kind, name.c_str(), path.c_str(), number};
        if (cell_uses_add(&found, &one) < 0)
            llvm::report_bad_alloc_error("cell: out of memory");
        fingerprints.insert({cell, fingerprint});
    }

    void addCapabilities()
    {
        cell_session *session = state.sessionIfAny();
        session_cell *asked = nullptr;
        for (const CellCapabilityUse &use : state.capabilityUses) {
            std::string fingerprint;
            if (use.declared)
                fingerprint = fingerprintOf(use.declared, use.cell);
            else if (session && cell_session_cell(session, use.cell.c_str(), &asked) >= 0)
                fingerprint = asked->fingerprint;
            std::string name = use.capability + (use.parameter.empty() ? "" : "." + use.parameter);
            addAt(use.required ? USE_REQUIREMENT : USE_CAPABILITY, name, use.cell, fingerprint,
                  cellLocationText(state, use.loc));
        }
    }

    /* What the cells' answers rely on, where the annotations stand; those of a precompiled header stand in it. */
    void addResources()
    {
        cell_session *session = state.sessionIfAny();
        for (session_cell *cell = nullptr; session && cell_session_next(session, &cell);)
            for (uint32_t i = 0; cell_session_asked(cell, i); i++)
                for (uint32_t k = 0; const char *name = cell_session_asked_resource(cell, i, k); k++)
                    addAt(USE_RESOURCE, name, cell->name, cell->fingerprint, cell_session_asked_location(cell, i));
    }

    /* The schema that the text which declares `d` came from: the text of an import says so, also when it comes from a
     * precompiled header. An expansion's is that of this compilation. */
    const std::string &fingerprintOf(const Decl *d, const std::string &cell)
    {
        const SourceManager &sm = state.sources();
        FileID file = sm.getFileID(sm.getExpansionLoc(d->getLocation()));
        auto known = ofFile.find(file);
        if (known != ofFile.end())
            return known->second;
        std::string &fingerprint = ofFile[file];
        StringRef text = sm.getBufferDataOrNone(file).value_or("");
        size_t at = text.find("cellgen_" + cell + "_fingerprint[] = \"");
        session_cell *asked = nullptr;
        cell_session *session = state.sessionIfAny();
        if (at != StringRef::npos)
            fingerprint = text.substr(text.find('"', at) + 1, CELL_FINGERPRINT_LEN).str();
        else if (session && cell_session_cell(session, cell.c_str(), &asked) >= 0)
            fingerprint = asked->fingerprint;
        return fingerprint;
    }

    /* What lies outside of the project has the name that -ffile-prefix-map gives it. */
    std::string remapped(StringRef path) const
    {
        SmallString<256> text(path);
        sema.getLangOpts().remapPathPrefix(text);
        return text.str().str();
    }

    PluginState &state;
    Sema &sema;
    IncludedDeclarations included;
    cell_uses found;
    std::set<std::pair<std::string, std::string>> fingerprints;
    std::map<FileID, std::string> ofFile;
};

/* Leaves records in the object. */
class RecordWriter
{
  public:
    explicit RecordWriter(PluginState &plugin) : state(plugin), sema(plugin.sema()) {}

    void write(const UsesOfUnit &unit)
    {
        CellBuffer record;
        if (cell_uses_record(&unit.uses(), &record) < 0)
            llvm::report_bad_alloc_error("cell: out of memory");
        emit("cellgen_uses", CELL_USES_SECTION, {record.data, record.len}, false);
        for (const auto &cell : unit.schemas())
            recordSchema(cell.first, cell.second);
    }

  private:
    void recordSchema(const std::string &cell, const std::string &fingerprint)
    {
        CellBuffer record;
        cell_error e = {};
        cell_session *session = state.session(SourceLocation());
        int r = session ? cell_session_used_schema(session, cell.c_str(), fingerprint.c_str(), &record, &e)
                        : CELL_FAILED_PRECONDITION;
        if (r < 0)
            cellReport(state.diags(), SourceLocation(), CellDiag::UsesFailed) << cell << cellPrintable(e.text);
        else
            emit("cellgen_used_" + cell + "_" + fingerprint.substr(0, 12), CELL_USED_SCHEMAS_SECTION,
                 {record.data, record.len}, true);
    }

    /* Defines a constant of these bytes. By hand, as the parser has reached the end of the file. `once`: the linker
     * keeps one of all objects' of that name. */
    void emit(const std::string &name, StringRef section, StringRef bytes, bool once)
    {
        ASTContext &ctx = sema.getASTContext();
        DeclContext *scope = ctx.getTranslationUnitDecl();
        SourceLocation loc = state.sources().getLocForStartOfFile(state.sources().getMainFileID());
        IdentifierInfo &id = state.pp.getIdentifierTable().get(name);
        QualType type = ctx.getStringLiteralArrayType(ctx.CharTy.withConst(), static_cast<unsigned>(bytes.size()));
        VarDecl *v = VarDecl::Create(ctx, scope, loc, loc, &id, type, ctx.getTrivialTypeSourceInfo(type, loc),
                                     once ? SC_Extern : SC_Static);
        using Kind = decltype(std::declval<const StringLiteral &>().getKind());
        auto *literal = StringLiteral::Create(ctx, bytes, Kind::Ordinary, false, type, loc);
        literal->setValueKind(VK_PRValue); /* the characters, not an object that holds them */
        v->setInit(literal);
        v->addAttr(UsedAttr::CreateImplicit(ctx));
        v->addAttr(RetainAttr::CreateImplicit(ctx));
        v->addAttr(NoDebugAttr::CreateImplicit(ctx));
        v->addAttr(SectionAttr::CreateImplicit(ctx, section));
        v->addAttr(
            AlignedAttr::CreateImplicit(ctx, true, IntegerLiteral::Create(ctx, llvm::APInt(32, 8), ctx.IntTy, loc)));
        if (once) {
            v->addAttr(SelectAnyAttr::CreateImplicit(ctx));
            v->addAttr(VisibilityAttr::CreateImplicit(ctx, VisibilityAttr::Hidden));
        }
        scope->addDecl(v);
        sema.getASTConsumer().HandleTopLevelDecl(DeclGroupRef(v));
    }

    PluginState &state;
    Sema &sema;
};

} // namespace

void cellRecordUses(PluginState &state)
{
    if (state.mode != SESSION_LIVE || !state.parser())
        return;
    UsesOfUnit unit(state);
    unit.collect();
    if (unit.uses().n == 0)
        return;
    RecordWriter(state).write(unit);
    for (const auto &cell : unit.schemas())
        state.included[cell.first] = cell.second; /* what the text says goes before what the mirror has by now */
}
