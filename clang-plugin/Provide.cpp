/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Provide.h"
#include "Buffer.h"

#include "ClangCompat.h"
#include "DeclReader.h"
#include "Hot.h"
#include "Inject.h"
#include "ProvideCapability.h"

#include "clang/AST/ASTConsumer.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/Lookup.h"
#include "llvm/ADT/StringMap.h"

extern "C" {
#include "Render.h"
#include "base/util.h"
#include "wire/limits.h"
}

using namespace clang;

struct ProvideState {
    explicit ProvideState(Sema &sema)
        : schema(cell_schema_new()), reader(sema, schema.get()), capabilities(sema, reader, schema.get())
    {
    }

    std::unique_ptr<cell_schema, CellSchemaDelete> schema;
    DeclReader reader;
    CapabilityReader capabilities;
    const Decl *provider = nullptr; /* CELL_PROVIDE's declaration */
    std::string cell;
    llvm::StringMap<const FunctionDecl *> methods;      /* by name: the canonical declaration of what was accepted */
    llvm::DenseMap<const FunctionDecl *, bool> checked; /* canonical declaration: may be a method */
    llvm::DenseSet<const FunctionDecl *> served;        /* canonical declarations whose descriptor was rendered */
    llvm::StringSet<> descriptors;                      /* names of what was rendered but perhaps not yet parsed */
    llvm::DenseSet<const Decl *> constants;             /* CELL_EXPORTs that were read */
    std::vector<const FunctionDecl *> hot;              /* CELL_HOTs: canonical declarations in their order */
    llvm::DenseSet<const FunctionDecl *> used;          /* those that conditions call, canonical */
};

void ProvideStateDelete::operator()(ProvideState *p) const { delete p; }

namespace
{

enum Role { Provide = 0, Method = 1, Export = 2, Capability = 3, Hot = 4 }; /* as the messages select them */

class Provider
{
  public:
    Provider(PluginState &plugin, ProvideState &own) : state(plugin), mine(own), sema(plugin.sema()) {}

    /* True when `d` or something in it was ours; what is to be injected is in `text`. */
    bool handle(Decl *d);
    void inject(SourceLocation loc);
    void endOfUnit();

  private:
    template <typename... Args> bool refuse(SourceLocation loc, CellDiag id, const Args &...args)
    {
        DiagnosticBuilder report = cellReport(sema, loc, id);
        (void)(report << ... << args);
        return false;
    }
    bool handleProvide(const Decl *d, const AnnotateAttr *a, llvm::StringRef name);
    bool handleMethod(const Decl *d);
    bool handleConstant(const Decl *d);
    bool handleHot(const Decl *d);
    bool serveHot();
    bool checkScope(const Decl *d, Role role);
    bool checkMethod(const FunctionDecl *f);
    bool checkAnnotations(const Decl *d);
    bool checkPrefix(const FunctionDecl *f);
    bool hasType(llvm::StringRef name);
    bool isDeclared(llvm::StringRef name);
    render_options options(const std::string &location) const;
    void serve(const FunctionDecl *f, const schema_method *m);
    void collect(const DeclContext *scope);
    bool seal();
    bool sealAgain();
    void checkHotUnprovided();
    void emitSchema(llvm::StringRef bytes);

    PluginState &state;
    ProvideState &mine;
    Sema &sema;
    CellBuffer text;
};

/* The annotation of `d` itself that begins with `prefix`; what it inherited was handled where it was written. */
const AnnotateAttr *annotation(const Decl *d, llvm::StringRef prefix, llvm::StringRef &suffix, bool inherited)
{
    if (d->hasAttrs())
        for (const auto *a : d->specific_attrs<AnnotateAttr>())
            if ((inherited || !a->isInherited()) && cellAnnotationSuffix(a, prefix, suffix))
                return a;
    return nullptr;
}

bool Provider::handle(Decl *d)
{
    llvm::StringRef suffix;
    if (isa<LinkageSpecDecl>(d) || isa<NamespaceDecl>(d)) {
        bool any = false;
        for (Decl *inner : cast<DeclContext>(d)->decls())
            any |= inner->isImplicit() ? false : handle(inner);
        return any;
    }
    if (auto *t = dyn_cast<FunctionTemplateDecl>(d))
        d = t->getTemplatedDecl();
    if (!d->hasAttrs())
        return false;
    if (annotation(d, "cell.method", suffix, true)) {
        handleMethod(d);
        return true;
    }
    if (annotation(d, "cell.constant", suffix, false)) {
        handleConstant(d);
        return true;
    }
    if (const AnnotateAttr *a = annotation(d, "cell.capability:", suffix, false)) {
        if (checkScope(d, Capability))
            mine.capabilities.read(d, a, suffix);
        return true;
    }
    if (annotation(d, "cell.hot", suffix, true)) {
        handleHot(d);
        return true;
    }
    const AnnotateAttr *a = annotation(d, "cell.provide:", suffix, false);
    if (a)
        handleProvide(d, a, suffix);
    return a != nullptr;
}

bool Provider::checkScope(const Decl *d, Role role)
{
    const DeclContext *scope = d->getDeclContext()->getRedeclContext();
    if (scope->isTranslationUnit())
        scope = d->getLexicalDeclContext()->getRedeclContext(); /* declared in a block */
    if (scope->isTranslationUnit())
        return true;
    int where = scope->isRecord() ? 1 : scope->isFunctionOrMethod() ? 2 : 0;
    return refuse(d->getLocation(), CellDiag::ProvideScope, static_cast<int>(role), where);
}

bool Provider::isDeclared(llvm::StringRef name)
{
    IdentifierInfo &id = state.pp.getIdentifierTable().get(name);
    return sema.LookupSingleName(sema.TUScope, &id, SourceLocation(), Sema::LookupOrdinaryName) != nullptr;
}

/* Cell's own header must have been included: the rendered text uses its types. */
bool Provider::hasType(llvm::StringRef name)
{
    IdentifierInfo &id = state.pp.getIdentifierTable().get(name);
    auto *tag =
        dyn_cast_or_null<TagDecl>(sema.LookupSingleName(sema.TUScope, &id, SourceLocation(), Sema::LookupTagName));
    return tag && tag->getDefinition();
}

render_options Provider::options(const std::string &location) const
{
    render_options o = {};
    o.cplusplus = sema.getLangOpts().CPlusPlus;
    o.location = location.c_str();
    return o;
}

bool Provider::handleProvide(const Decl *d, const AnnotateAttr *a, llvm::StringRef name)
{
    SourceLocation loc = a->getLocation();
    if (mine.provider == d)
        return true;
    if (mine.provider) {
        refuse(loc, CellDiag::ProvideTwice, mine.cell);
        return refuse(mine.provider->getLocation(), CellDiag::ProvideHere, mine.cell);
    }
    if (!checkScope(d, Provide))
        return false;
    std::string cell = name.str();
    if (!cell_is_identifier(cell.c_str()) || cell_is_keyword(cell.c_str()) || cell_is_reserved(cell.c_str()) ||
        cell.size() > CELL_MAX_CELL_NAME)
        return refuse(loc, CellDiag::ProvideName, cell);
    std::vector<std::string> args;
    const Expr *bad = nullptr;
    if (!cellAnnotationArguments(sema.getASTContext(), a, args, &bad) || args.size() != 1)
        return refuse(bad ? bad->getBeginLoc() : loc, CellDiag::ProvideDoc);
    if (!hasType("cell_provided"))
        return refuse(loc, CellDiag::ProvideHeader, static_cast<int>(Provide));
    mine.provider = d;
    mine.cell = cell;
    mine.schema->cell = mine.reader.copy(cell);
    mine.schema->doc = mine.reader.documentation(args[0]);
    for (auto &method : mine.methods)
        checkPrefix(method.second);
    std::string location = cellLocationText(state, loc);
    render_options o = options(location);
    return cell_render_provide(cell.c_str(), &o, &text, nullptr) == CELL_OK;
}

bool Provider::handleConstant(const Decl *d)
{
    const auto *e = dyn_cast<EnumDecl>(d);
    if (!e)
        return refuse(d->getLocation(), CellDiag::ConstantNotEnum);
    if (!mine.constants.insert(e).second || !checkScope(e, Export) || e->isInvalidDecl())
        return false;
    return mine.reader.readConstants(e);
}

bool Provider::checkPrefix(const FunctionDecl *f)
{
    if (mine.cell.empty() || cellcompat::startsWith(f->getName(), mine.cell + "_"))
        return true;
    if (f->getName().contains('_'))
        return refuse(f->getLocation(), CellDiag::MethodPrefixOther, mine.cell, f->getName());
    return refuse(f->getLocation(), CellDiag::MethodPrefix, f->getName(), mine.cell);
}

/* Which of "cell.method…" annotations a declaration has. */
bool Provider::checkAnnotations(const Decl *d)
{
    static const char *const known[] = {"cell.method:idempotent", "cell.method:needs", "cell.method:fallback"};
    bool isMethod = false;
    int first = -1; /* of the others */
    for (const auto *a : d->specific_attrs<AnnotateAttr>()) {
        std::string whole = a->getAnnotation().str();
        llvm::StringRef suffix;
        isMethod |= whole == "cell.method";
        if (whole == "cell.method" || !cellAnnotationSuffix(a, "cell.method", suffix))
            continue;
        int which = static_cast<int>(llvm::find(known, whole) - std::begin(known));
        if (which == std::size(known)) {
            const char *nearest = cell_suggest(whole.c_str(), known, std::size(known));
            return refuse(a->getLocation(), CellDiag::MethodUnknownFlag, whole, nearest ? nearest : known[0]);
        }
        first = first < 0 ? which : first;
    }
    return isMethod || refuse(d->getLocation(), CellDiag::MethodNotMethod, cast<NamedDecl>(d), first);
}

/* Whether a function may be called by a server, whatever its parameters are. */
bool Provider::checkMethod(const FunctionDecl *f)
{
    SourceLocation loc = f->getLocation();
    if (!checkAnnotations(f))
        return false;
    if (isa<CXXMethodDecl>(f))
        return refuse(loc, CellDiag::MethodMember, f);
    if (f->getDescribedFunctionTemplate() || f->isTemplateInstantiation() || f->isFunctionTemplateSpecialization())
        return refuse(loc, CellDiag::MethodTemplate, f);
    if (!checkScope(f, Method))
        return false;
    if (f->getStorageClass() == SC_Static)
        return refuse(loc, CellDiag::MethodStatic, f);
    if (f->isDeleted())
        return refuse(loc, CellDiag::MethodDeleted, f);
    if (f->isInlined())
        return refuse(loc, CellDiag::MethodInline, f);
    if (!f->getIdentifier())
        return refuse(loc, CellDiag::MethodNotFunction);
    auto known = mine.methods.find(f->getName());
    if (known != mine.methods.end() && known->second != f->getCanonicalDecl())
        return refuse(loc, CellDiag::MethodOverload, f);
    return checkPrefix(f);
}

bool Provider::handleMethod(const Decl *d)
{
    const auto *f = dyn_cast<FunctionDecl>(d);
    if (!f)
        return refuse(d->getLocation(), CellDiag::MethodNotFunction);
    const FunctionDecl *canonical = f->getCanonicalDecl();
    auto checked = mine.checked.find(canonical);
    bool good = checked != mine.checked.end() ? checked->second : !f->isInvalidDecl() && checkMethod(f);
    if (good && f->isWeak())
        good = refuse(f->getLocation(), CellDiag::MethodWeak, f);
    mine.checked[canonical] = good;
    if (!good)
        return false;
    mine.methods[f->getName()] = canonical;
    const schema_method *m = mine.reader.readMethod(f);
    const FunctionDecl *definition = nullptr;
    if (m && f->isDefined(definition) && !definition->isFromASTFile() && cellMayInjectAfterDeclaration(state) &&
        mine.served.insert(canonical).second)
        serve(definition, m);
    return m != nullptr;
}

/* Renders thunk and descriptor of a method that is defined here. */
void Provider::serve(const FunctionDecl *f, const schema_method *m)
{
    if (!hasType("cell_method")) {
        refuse(f->getLocation(), CellDiag::ProvideHeader, static_cast<int>(Method));
        return;
    }
    const auto have = [](const char *name, void *user) {
        auto *self = static_cast<Provider *>(user);
        return self->mine.descriptors.insert(name).second ? self->isDeclared(name) : true;
    };
    std::string location = cellLocationText(state, f->getLocation());
    render_options o = options(location);
    cell_render_method(mine.schema.get(), m, &o, have, this, &text, nullptr);
}

void Provider::inject(SourceLocation loc)
{
    if (text.len == 0 || sema.getDiagnostics().hasErrorOccurred())
        return;
    if (!cell_buffer_ok(&text))
        llvm::report_bad_alloc_error("cell: out of memory");
    cellInjectText(state, mine.cell.empty() ? "methods" : mine.cell, text.text(), loc, InjectAt::Declaration);
}

/* Also what came from a precompiled header, which HandleTopLevelDecl never saw. */
void Provider::collect(const DeclContext *scope)
{
    for (Decl *d : scope->decls())
        if (isa<LinkageSpecDecl>(d))
            collect(cast<LinkageSpecDecl>(d));
        else if (d->hasAttrs())
            handle(d);
}

bool Provider::handleHot(const Decl *d)
{
    const auto *f = dyn_cast<FunctionDecl>(d);
    bool marked = false;
    for (const auto *a : d->specific_attrs<AnnotateAttr>())
        if (cellcompat::startsWith(a->getAnnotation(), "cell.hot"))
            marked |= a->getAnnotation() == "cell.hot";
    if (!f || !f->getIdentifier() || !marked)
        return refuse(d->getLocation(), CellDiag::HotNotFunction);
    if (!checkScope(f, Hot))
        return false;
    if (!llvm::is_contained(mine.hot, f->getCanonicalDecl()))
        mine.hot.push_back(f->getCanonicalDecl());
    return true;
}

/* The functions are a part of the schema, whose types they use. */
bool Provider::serveHot()
{
    std::vector<const FunctionDecl *> definitions;
    for (const FunctionDecl *f : mine.hot) {
        const FunctionDecl *definition = nullptr;
        if (!f->isDefined(definition))
            return refuse(f->getLocation(), CellDiag::HotUndefined, f);
        definitions.push_back(definition);
    }
    HotDocumentPtr document = cellHotSerialise(state, mine.reader, definitions);
    mine.schema->functions_follow = true;
    if (!document || !seal())
        return false;
    mine.schema->functions_follow = false;
    std::string json;
    if (!cellHotVerify(state, *document, mine.schema.get(), json))
        return false;
    mine.schema->functions = mine.reader.copy(json);
    mine.schema->functions_len = json.size();
    return sealAgain();
}

/* Functions of a file that does not provide: served they are where CELL_PROVIDE sees them. */
void Provider::checkHotUnprovided()
{
    for (const FunctionDecl *f : mine.hot) {
        const FunctionDecl *definition = nullptr;
        if (!mine.used.count(f) && f->isDefined(definition) && state.sources().isInMainFile(definition->getLocation()))
            refuse(definition->getLocation(), CellDiag::HotElsewhere, definition);
    }
}

bool Provider::seal()
{
    mine.reader.finish();
    if (!mine.capabilities.finish(mine.methods))
        return false;
    return sealAgain();
}

bool Provider::sealAgain()
{
    cell_error e = {};
    if (cell_schema_seal(mine.schema.get(), &e) == CELL_OK)
        return true;
    return refuse(mine.provider->getLocation(), CellDiag::ProvideSchema, mine.cell, e.text);
}

void Provider::endOfUnit()
{
    if (!mine.provider)
        return checkHotUnprovided();
    collect(sema.getASTContext().getTranslationUnitDecl());
    for (auto &method : mine.methods)
        if (mine.checked.lookup(method.second) && method.second->getMostRecentDecl()->isWeak())
            refuse(method.second->getLocation(), CellDiag::MethodWeak, method.second);
    if (sema.getDiagnostics().hasErrorOccurred() || !(mine.hot.empty() ? seal() : serveHot()))
        return;
    CellBuffer json;
    if (cell_schema_format(mine.schema.get(), &json) < 0 || !cell_buffer_ok(&json))
        llvm::report_bad_alloc_error("cell: out of memory");
    cell_schema_header header = {};
    static_assert(sizeof(header.magic) == sizeof(CELL_SCHEMA_MAGIC) - 1, "the magic has no NUL");
    memcpy(header.magic, CELL_SCHEMA_MAGIC, sizeof(header.magic));
    memcpy(header.fingerprint, mine.schema->fingerprint, sizeof(header.fingerprint));
    header.size = json.len;
    std::string bytes(reinterpret_cast<const char *>(&header), sizeof(header));
    bytes += json.text().str();
    emitSchema(bytes);
}

/* Defines `cell_provided_schema`. By hand: a literal of this size costs the lexer and the parser more than all else,
 * and the parser has reached the end of the file. */
void Provider::emitSchema(llvm::StringRef bytes)
{
    ASTContext &ctx = sema.getASTContext();
    SourceLocation loc = mine.provider->getLocation();
    IdentifierInfo &id = state.pp.getIdentifierTable().get("cell_provided_schema");
    VarDecl *declared = nullptr;
    for (NamedDecl *found : ctx.getTranslationUnitDecl()->lookup(&id)) /* Sema has closed the scope */
        declared = dyn_cast<VarDecl>(found);
    if (!declared)
        return; /* its injection failed and was reported */
    QualType type = ctx.getStringLiteralArrayType(ctx.CharTy.withConst(), static_cast<unsigned>(bytes.size()));
    DeclContext *scope = declared->getDeclContext();
    VarDecl *v = VarDecl::Create(ctx, scope, loc, loc, &id, type, ctx.getTrivialTypeSourceInfo(type, loc), SC_Extern);
    v->setPreviousDecl(declared->getMostRecentDecl());
    using Kind = decltype(std::declval<const StringLiteral &>().getKind());
    auto *literal = StringLiteral::Create(ctx, bytes, Kind::Ordinary, false, type, loc);
    literal->setValueKind(VK_PRValue); /* the characters, not an object that holds them */
    v->setInit(literal);
    v->addAttr(UsedAttr::CreateImplicit(ctx));
    v->addAttr(RetainAttr::CreateImplicit(ctx));
    v->addAttr(SectionAttr::CreateImplicit(ctx, "cell_schema"));
    v->addAttr(VisibilityAttr::CreateImplicit(ctx, VisibilityAttr::Hidden));
    Expr *eight = IntegerLiteral::Create(ctx, llvm::APInt(32, 8), ctx.IntTy, loc);
    v->addAttr(AlignedAttr::CreateImplicit(ctx, true, eight));
    scope->addDecl(v);
    sema.getASTConsumer().HandleTopLevelDecl(DeclGroupRef(v));
}

} // namespace

bool cellHandleTopLevel(PluginState &state, Decl *d)
{
    if (!state.provide)
        state.provide.reset(new ProvideState(state.sema()));
    Provider provider(state, *state.provide);
    bool ours = provider.handle(d);
    if (ours)
        provider.inject(d->getLocation());
    return ours;
}

void hotIsUsed(PluginState &state, const FunctionDecl *f)
{
    if (!state.provide)
        state.provide.reset(new ProvideState(state.sema()));
    state.provide->used.insert(f->getCanonicalDecl());
}

void cellEndOfUnit(PluginState &state)
{
    if (state.provide && state.parser())
        Provider(state, *state.provide).endOfUnit();
}
