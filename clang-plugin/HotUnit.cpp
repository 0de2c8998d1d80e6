/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The document as a whole: which functions, in which order, with which signatures. */
#include "HotImpl.h"

#include "Inject.h"

#include "clang/AST/Attr.h"
#include "clang/Basic/TargetInfo.h"
#include "llvm/Support/Path.h"

extern "C" {
#include "base/util.h"
#include "cell/errors.h"
}

using namespace clang;

void HotDocumentDelete::operator()(HotDocument *d) const { delete d; }

bool hotIsMarked(const FunctionDecl *f)
{
    for (const auto *a : f->getMostRecentDecl()->specific_attrs<AnnotateAttr>())
        if (a->getAnnotation() == "cell.hot")
            return true;
    return false;
}

HotDocumentPtr cellHotSerialise(PluginState &state, DeclReader &reader,
                                const std::vector<const FunctionDecl *> &functions, bool bare)
{
    HotDocumentPtr document(new HotDocument());
    document->bare = bare;
    HotUnit unit(state, reader, *document);
    return unit.serialise(functions) ? std::move(document) : nullptr;
}

bool HotUnit::serialise(const std::vector<const FunctionDecl *> &functions)
{
    std::vector<const FunctionDecl *> sorted;
    for (const Decl *d : ctx.getTranslationUnitDecl()->decls()) /* names that types may have */
        if (const auto *t = dyn_cast<TagDecl>(d); t && t->getIdentifier())
            names.insert(t->getName());
    for (const FunctionDecl *f : functions) {
        hot.insert(f->getCanonicalDecl());
        names.insert(f->getName());
    }
    for (const FunctionDecl *f : functions)
        if (!order(f, sorted))
            return false;
    document.functions.reserve(sorted.size() + 1); /* bodies hold references, and one may be added */
    for (const FunctionDecl *f : sorted) {
        HotFunction function;
        bool before = std::exchange(failed, false);
        bool good = declare(f, function);
        failed |= before;
        if (!good) {
            broken.insert(f->getCanonicalDecl());
            continue;
        }
        document.functions.push_back(std::move(function));
        HotBody(*this, document.functions.back()).run();
    }
    return !failed;
}

/* What `root` calls of the author's, before it. The walk keeps its own stack: chains of calls may be long. */
bool HotUnit::order(const FunctionDecl *root, std::vector<const FunctionDecl *> &sorted)
{
    struct Entry {
        const FunctionDecl *f;
        std::vector<const CallExpr *> calls;
    };
    std::vector<Entry> stack;
    llvm::DenseSet<const FunctionDecl *> running;
    const auto enter = [&](const FunctionDecl *f) {
        Entry entry = {f, {}};
        hotWalk(f->getBody(), [&](const Stmt *s) {
            if (const auto *c = dyn_cast<CallExpr>(s))
                entry.calls.push_back(c);
        });
        std::reverse(entry.calls.begin(), entry.calls.end());
        running.insert(f->getCanonicalDecl());
        stack.push_back(std::move(entry));
    };
    if (!done.count(root->getCanonicalDecl()))
        enter(root);
    while (!stack.empty()) {
        Entry &top = stack.back();
        if (top.calls.empty()) {
            running.erase(top.f->getCanonicalDecl());
            done.insert(top.f->getCanonicalDecl());
            sorted.push_back(top.f);
            stack.pop_back();
            continue;
        }
        const CallExpr *c = top.calls.back();
        top.calls.pop_back();
        const FunctionDecl *g = c->getDirectCallee(), *definition = nullptr;
        if (!g || !g->isDefined(definition) || definition->isInvalidDecl() ||
            (g->getStorageClass() != SC_Static && !hot.count(g->getCanonicalDecl()) && !hotIsMarked(g)) ||
            state.sources().isInSystemHeader(definition->getLocation()))
            continue; /* said where it is called, if it cannot be */
        if (running.count(g->getCanonicalDecl()))
            return refuse(c->getBeginLoc(), CellDiag::HotRecursion, g);
        if (!done.count(g->getCanonicalDecl()))
            enter(definition);
    }
    return true;
}

const HotFunction *HotUnit::find(const FunctionDecl *f) const
{
    for (const HotFunction &g : document.functions)
        if (g.decl && g.decl->getCanonicalDecl() == f->getCanonicalDecl())
            return &g;
    return nullptr;
}

std::string HotUnit::globalName(llvm::StringRef wanted)
{
    std::string base = wanted.str(), name = base;
    if (!cell_is_identifier(base.c_str()) || cell_is_keyword(base.c_str()) || cell_is_reserved(base.c_str()))
        base = name = "v" + base.substr(0, 100);
    for (unsigned n = 2; names.count(name) || localNames.count(name); n++)
        name = base + "_" + std::to_string(n);
    names.insert(name);
    return name;
}

/* ---- the author's files ---- */

unsigned HotUnit::lineOf(SourceLocation loc) const
{
    PresumedLoc p = state.sources().getPresumedLoc(state.sources().getFileLoc(loc));
    return p.isValid() ? p.getLine() : 0;
}

/* As it is called in the project, or by -ffile-prefix-map; no path of this machine. */
std::string HotUnit::fileOf(SourceLocation loc) const
{
    std::string text = cellLocationText(state, loc);
    for (int colon = 0; colon < 2; colon++)
        text = text.substr(0, text.rfind(':'));
    llvm::SmallString<128> path(text);
    ctx.getLangOpts().remapPathPrefix(path);
    if (llvm::sys::path::is_absolute(path))
        return llvm::sys::path::filename(path).str();
    llvm::sys::path::remove_dots(path);
    return std::string(path);
}

/* ---- signatures ---- */

bool HotUnit::checkFunction(const FunctionDecl *f)
{
    SourceLocation loc = f->getLocation();
    if (ctx.getLangOpts().CPlusPlus)
        return refuse(loc, CellDiag::HotLanguage, f);
    if (f->isVariadic())
        return refuse(loc, CellDiag::HotVariadic, f);
    if (!f->hasPrototype() && f->getNumParams() == 0 && hot.count(f->getCanonicalDecl()))
        return refuse(loc, CellDiag::HotPrototype, f);
    if (f->getNumParams() > 32)
        return refuse(loc, CellDiag::HotTooMany, f);
    std::string name = f->getName().str();
    if (hot.count(f->getCanonicalDecl()) &&
        (!cell_is_identifier(name.c_str()) || cell_is_keyword(name.c_str()) || cell_is_reserved(name.c_str())))
        return refuse(loc, CellDiag::HotName, f->getName());
    if (const Stmt *s = hotBelow(f->getBody(), hotMostLevels))
        return refuse(s->getBeginLoc(), CellDiag::HotDeep, static_cast<int>(hotMostDepth));
    return checkFloats(f);
}

/* Products that are fused with sums compute other values than the document says, and so does -ffast-math. */
bool HotUnit::checkFloats(const FunctionDecl *f)
{
    const TargetInfo &target = ctx.getTargetInfo();
    bool fuses = !target.getTriple().isX86() || target.hasFeature("fma") || target.hasFeature("fma4") ||
                 f->hasAttr<TargetAttr>();
    bool good = true;
    hotWalk(f->getBody(), [&](const Stmt *s) {
        const auto *e = dyn_cast<Expr>(s);
        if (!good || !e || !e->getType()->isRealFloatingType())
            return;
        FPOptions o = e->getFPFeaturesInEffect(ctx.getLangOpts());
        if (o.getAllowFPReassociate() || o.getNoHonorNaNs() || o.getNoHonorInfs() || o.getNoSignedZero() ||
            o.getAllowReciprocal() || o.getAllowApproxFunc() || o.isFPConstrained())
            good = refuse(e->getExprLoc(), CellDiag::HotFast, f);
        const auto *b = dyn_cast<BinaryOperator>(e);
        if (good && fuses && b && b->isAdditiveOp() && o.allowFPContractWithinStatement()) {
            const auto *l = dyn_cast<BinaryOperator>(b->getLHS()->IgnoreParens());
            const auto *r = dyn_cast<BinaryOperator>(b->getRHS()->IgnoreParens());
            if ((l && l->getOpcode() == BO_Mul) || (r && r->getOpcode() == BO_Mul))
                good = refuse(e->getExprLoc(), CellDiag::HotContract, f);
        }
    });
    return good;
}

static const AnnotateAttr *annotation(const FunctionDecl *f, llvm::StringRef text)
{
    for (const auto *a : f->getMostRecentDecl()->specific_attrs<AnnotateAttr>())
        if (a->getAnnotation() == text)
            return a;
    return nullptr;
}

static bool isStatusEnum(QualType type)
{
    const auto *e = type->getAs<EnumType>();
    return e && e->getDecl()->getName() == "cell_status";
}

bool HotUnit::declare(const FunctionDecl *f, HotFunction &out)
{
    if (!checkFunction(f))
        return false;
    out.decl = f;
    out.internal = !hot.count(f->getCanonicalDecl());
    out.name = out.internal ? globalName(f->getName()) : f->getName().str();
    if (!document.bare)
        out.file = fileOf(f->getLocation());
    for (const ParmVarDecl *p : f->parameters())
        readParam(f, p, out);
    bool outputs = false;
    for (const HotParam &p : out.params)
        outputs |= p.mode == HotMode::Out || p.mode == HotMode::InOut;
    QualType returns = f->getReturnType();
    out.returnsVoid = returns->isVoidType();
    if (out.returnsVoid && !out.internal)
        return refuse(f->getLocation(), CellDiag::HotVoid, f);
    out.status =
        out.returnsVoid || isStatusEnum(returns) || (outputs && ctx.hasSameUnqualifiedType(returns, ctx.IntTy));
    if (outputs && !out.status)
        return refuse(f->getLocation(), CellDiag::HotOutputs, f, returns);
    if (!out.status && !typeOf(returns, f->getLocation(), out.returns))
        return false;
    if (const AnnotateAttr *a = annotation(f, "cell.hot:fault")) {
        std::string text;
        if (a->args_size() != 1 || !cellAnnotationArgument(ctx, *a->args_begin(), text) || !out.status ||
            llvm::StringRef(text).getAsInteger(10, out.fault) || out.fault >= 0 || out.fault < CELL_UNKNOWN_OUTCOME)
            return refuse(a->getLocation(), CellDiag::HotFault, f);
    }
    if (!out.internal && !document.bare)
        reader.documentFunction(f, out.doc, out.paramDocs);
    return !failed;
}

bool HotUnit::readPointer(const FunctionDecl *f, const ParmVarDecl *p, QualType pointee, HotParam &out)
{
    SourceLocation loc = p->getLocation();
    if (pointee->isFunctionType())
        return refuse(loc, CellDiag::HotFunctionPointer, p->getName());
    if (pointee->isPointerType() || pointee->isVoidType() || pointee->isCharType() || pointee->isIncompleteType())
        return refuse(loc, CellDiag::HotPointer, p->getName(), p->getType());
    if (!typeOf(pointee.getUnqualifiedType(), loc, out.type))
        return false;
    bool isConst = pointee.isConstQualified();
    if (isConst && out.type.kind != CELL_KIND_STRUCT)
        return refuse(loc, CellDiag::HotConstPointer, p->getName(),
                      pointee.getUnqualifiedType().getAsString(ctx.getPrintingPolicy()));
    bool readsFirst = out.type.kind == CELL_KIND_STRUCT || hotReads(f->getBody(), p);
    out.mode = isConst ? HotMode::In : hot.count(f->getCanonicalDecl()) || !readsFirst ? HotMode::Out : HotMode::InOut;
    return true;
}

void HotUnit::readParam(const FunctionDecl *f, const ParmVarDecl *p, HotFunction &out)
{
    HotParam param = {p, {}, HotMode::Value, "", ""};
    QualType type = p->getOriginalType();
    SourceLocation loc = p->getLocation();
    bool internal = !hot.count(f->getCanonicalDecl()), good = true;
    if (p->getName().empty() && !internal)
        good = refuse(loc, CellDiag::HotUnnamed, f);
    if (const ArrayType *array = ctx.getAsArrayType(type)) {
        if (!isa<ConstantArrayType>(array))
            good = refuse(loc, CellDiag::HotArrayBound, p->getName());
        else if (!internal && array->getElementType()->isArrayType())
            good = refuse(loc, CellDiag::HotArrayParam, p->getName());
        good = good && typeOf(type, loc, param.type);
        bool isConst = ctx.getBaseElementType(type).isConstQualified();
        param.mode = isConst ? HotMode::In : internal ? HotMode::InOut : HotMode::Out;
    } else if (const auto *pointer = type->getAs<PointerType>()) {
        good = good && readPointer(f, p, pointer->getPointeeType(), param);
    } else {
        good = good && typeOf(type, loc, param.type);
    }
    if (!good)
        param.mode = HotMode::Unusable;
    out.params.push_back(std::move(param));
}

/* ---- types ---- */

bool HotUnit::builtin(const BuiltinType *type, QualType written, SourceLocation loc, HotType &out)
{
    switch (type->getKind()) {
    case BuiltinType::Bool:
        out.kind = CELL_KIND_BOOL;
        break;
    case BuiltinType::Float:
        out.kind = CELL_KIND_F32;
        break;
    case BuiltinType::Double:
        out.kind = CELL_KIND_F64;
        break;
    case BuiltinType::LongDouble:
        return refuse(loc, CellDiag::HotLongDouble);
    default:
        if (!type->isInteger() || ctx.getTypeSize(type) > 64 || type->isWideCharType() || type->isChar16Type() ||
            type->isChar32Type())
            return refuse(loc, CellDiag::HotType, written);
        out.kind = static_cast<cell_kind>(CELL_KIND_I8 + 2 * llvm::Log2_64(ctx.getTypeSize(type) / 8) +
                                          !type->isSignedInteger());
    }
    out.name = hotKindName(out.kind);
    return true;
}

/* Of several dimensions the elements lie one after the other, as in C. */
bool HotUnit::arrayOf(QualType type, QualType written, SourceLocation loc, HotType &out)
{
    uint64_t count = 1;
    while (const ArrayType *array = ctx.getAsArrayType(type)) {
        const auto *constant = dyn_cast<ConstantArrayType>(array);
        if (!constant)
            return refuse(loc, CellDiag::HotVla, written);
        count *= constant->getSize().getLimitedValue(1u << 20);
        if (count == 0 || count > 65536)
            return refuse(loc, CellDiag::HotArraySize, written);
        type = array->getElementType();
    }
    if (!typeOf(type.getUnqualifiedType(), loc, out))
        return false;
    out.count = count;
    return true;
}

bool HotUnit::namedType(const TagDecl *d, HotType &out)
{
    const schema_type *t = reader.readType(d);
    failed |= !t;
    if (!t)
        return false;
    out.name = t->name;
    names.insert(out.name);
    return true;
}

bool HotUnit::typeOf(QualType written, SourceLocation loc, HotType &out)
{
    QualType type = written.getCanonicalType();
    if (type.isVolatileQualified() || type->isAtomicType())
        return refuse(loc, CellDiag::HotVolatile, written);
    out.count = 0;
    if (type->isArrayType())
        return arrayOf(type, written, loc, out);
    type = type.getUnqualifiedType();
    if (const auto *b = type->getAs<BuiltinType>())
        return builtin(b, written, loc, out);
    if (const auto *e = type->getAs<EnumType>()) {
        const auto *below = e->getDecl()->getIntegerType()->getAs<BuiltinType>();
        if (!below || !builtin(below, written, loc, out))
            return false;
        if (e->getDecl()->getName() == "cell_status" || !e->getDecl()->getIdentifier())
            return true; /* a number */
        return namedType(e->getDecl(), out);
    }
    if (const auto *r = type->getAs<RecordType>()) {
        const RecordDecl *d = r->getDecl();
        if (d->isUnion())
            return refuse(loc, CellDiag::HotUnion);
        if (d->getName() == "cell_str") {
            out.name = "str";
            out.kind = CELL_KIND_STR;
            return true;
        }
        if (cellcompat::startsWith(d->getName(), "cell_"))
            return refuse(loc, CellDiag::HotType, written);
        out.kind = CELL_KIND_STRUCT;
        for (const auto *a : d->specific_attrs<AnnotateAttr>())
            if (cellcompat::startsWith(a->getAnnotation(), "cell.type:"))
                return refuse(loc, CellDiag::HotType, written);
        return namedType(d, out);
    }
    if (type->isFunctionPointerType())
        return refuse(loc, CellDiag::HotFunctionPointer, "this");
    if (type->isPointerType())
        return refuse(loc, CellDiag::HotPointerValue, written);
    return refuse(loc, CellDiag::HotType, written);
}
