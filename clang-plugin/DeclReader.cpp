/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Definitions of types: structs, lists, optionals, enumerations; and constants. */
#include "DeclReaderImpl.h"

#include "ClangCompat.h"

#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/RecordLayout.h"

using namespace clang;

bool cellAnnotationSuffix(const AnnotateAttr *a, llvm::StringRef prefix, llvm::StringRef &suffix)
{
    llvm::StringRef text = a->getAnnotation();
    if (!text.consume_front(prefix))
        return false;
    suffix = text;
    return true;
}

const char *DeclReader::copy(llvm::StringRef text)
{
    char *copied = cell_arena_copy(&schema->arena, text.data(), text.size());
    if (!copied)
        llvm::report_bad_alloc_error("cell: out of memory");
    return copied;
}

bool cellTargetFits(const TargetInfo &target)
{
    return target.getPointerWidth(LangAS::Default) == 64 && target.getLongWidth() == 64 && target.getIntWidth() == 32 &&
           target.isLittleEndian();
}

bool DeclReader::checkTarget(SourceLocation loc)
{
    if (targetChecked)
        return targetUsable;
    targetChecked = true;
    targetUsable = cellTargetFits(ctx.getTargetInfo());
    return targetUsable || refuse(loc, CellDiag::ReadTarget, ctx.getTargetInfo().getTriple().str());
}

bool DeclReader::checkName(SourceLocation loc, llvm::StringRef name, llvm::StringRef what)
{
    std::string text = name.str();
    if (!cell_is_identifier(text.c_str()) && !cellcompat::startsWith(name, "_"))
        return refuse(loc, CellDiag::ReadLongName, what, name);
    if (cell_is_reserved(text.c_str()))
        return refuse(loc, CellDiag::ReadReservedName, what, name);
    if (cell_is_keyword(text.c_str()))
        return refuse(loc, CellDiag::ReadKeyword, what, name);
    return true;
}

/* Whether the plain name means this type where the annotated declaration stands, for there the expansion is. */
bool DeclReader::isNamed(const TagDecl *d)
{
    const DeclContext *scope = expanded->getDeclContext()->getRedeclContext();
    for (; scope; scope = scope->getParent() ? scope->getParent()->getRedeclContext() : nullptr)
        for (const NamedDecl *found : scope->lookup(d->getDeclName()))
            if (const auto *tag = dyn_cast<TagDecl>(found->getUnderlyingDecl()))
                return tag->getCanonicalDecl() == d->getCanonicalDecl();
    return false;
}

/* What is wrong with the declaration itself, whatever it holds. */
bool DeclReader::checkTag(const TagDecl *d)
{
    QualType type = ctx.getTypeDeclType(d);
    if (!d->getIdentifier())
        return refuse(d->getLocation(), CellDiag::ReadUnnamed, type, d->getKindName());
    const DeclContext *scope = d->getDeclContext()->getRedeclContext();
    if (expanded && ctx.getLangOpts().CPlusPlus && scope->isFileContext()) {
        if (!isNamed(d))
            return refuse(d->getLocation(), CellDiag::ReadHidden, type, cast<NamedDecl>(expanded), d->getName());
    } else if (!scope->isTranslationUnit()) {
        return refuse(d->getLocation(), CellDiag::ReadScope, type);
    }
    return checkName(d->getLocation(), d->getName(), d->isEnum() ? "enumeration's" : "struct's");
}

const schema_type *DeclReader::readType(const TagDecl *used)
{
    const TagDecl *d = used->getDefinition();
    if (!checkTarget(used->getLocation()))
        return nullptr;
    if (!d || !d->isCompleteDefinition()) {
        refuse(used->getLocation(), CellDiag::ReadIncomplete, ctx.getTypeDeclType(used));
        return nullptr;
    }
    auto seen = known.find(d);
    if (seen != known.end())
        return seen->second;
    if (!running.insert(d).second) {
        refuse(d->getLocation(), CellDiag::ReadRecursive, ctx.getTypeDeclType(d));
        return nullptr;
    }
    schema_type *t = make<schema_type>();
    bool good = !d->isInvalidDecl() && checkTag(d);
    if (good) {
        llvm::StringRef kind;
        t->name = copy(d->getName());
        t->size = static_cast<uint32_t>(ctx.getTypeSizeInChars(ctx.getTypeDeclType(d)).getQuantity());
        t->align = static_cast<uint32_t>(ctx.getTypeAlignInChars(ctx.getTypeDeclType(d)).getQuantity());
        t->doc = docOf(d);
        for (const auto *a : d->specific_attrs<AnnotateAttr>())
            if (cellAnnotationSuffix(a, "cell.type:", kind))
                break;
        if (const auto *e = dyn_cast<EnumDecl>(d))
            good = readEnum(e, *t);
        else if (kind == "list" || kind == "opt")
            good = readWrapper(cast<RecordDecl>(d), kind == "list", *t);
        else
            good = readStruct(cast<RecordDecl>(d), *t);
    }
    running.erase(d);
    known[d] = good ? t : nullptr;
    if (good)
        typesInOrder.push_back(t);
    return good ? t : nullptr;
}

/* C++ lets a struct be more than C's. */
bool DeclReader::checkPlainRecord(const RecordDecl *d)
{
    QualType type = ctx.getTypeDeclType(d);
    if (const auto *cxx = dyn_cast<CXXRecordDecl>(d)) {
        if (isa<ClassTemplateSpecializationDecl>(cxx) || cxx->getDescribedClassTemplate())
            return refuse(d->getLocation(), CellDiag::ReadNotPlain, type, 2);
        if (cxx->getNumBases() > 0 || cxx->isDynamicClass())
            return refuse(d->getLocation(), CellDiag::ReadNotPlain, type, 0);
        if (!cxx->isAggregate() || !cxx->isTriviallyCopyable() || !cxx->isStandardLayout())
            return refuse(d->getLocation(), CellDiag::ReadNotPlain, type, 1);
    }
    if (d->field_empty())
        return refuse(d->getLocation(), CellDiag::ReadNoFields, type);
    return true;
}

static unsigned countVerbs(const RecordDecl *d)
{
    llvm::StringRef verb;
    unsigned n = 0;
    for (const auto *a : d->specific_attrs<AnnotateAttr>())
        n += cellAnnotationSuffix(a, "cell:", verb);
    return n;
}

bool DeclReader::readStruct(const RecordDecl *d, schema_type &t)
{
    if (d->isUnion())
        return refuse(d->getLocation(), CellDiag::ReadUnion, d->getName(), ctx.getTypeDeclType(d));
    if (!checkPlainRecord(d))
        return false;
    t.kind = CELL_KIND_STRUCT;
    t.nfields = static_cast<uint32_t>(std::distance(d->field_begin(), d->field_end()));
    t.fields = make<schema_field>(t.nfields);
    uint32_t i = 0;
    /* Rules of another verb are that verb's business. */
    bool good = true, anyRule = countVerbs(d) > (d == expanded ? 1u : 0u);
    t.annotated = anyRule && d != expanded;
    for (const FieldDecl *f : d->fields()) {
        schema_field &field = t.fields[i++];
        if (!readField(f, field) || !readRules(f, anyRule, field))
            good = false;
        else
            field.offset = static_cast<uint32_t>(ctx.getFieldOffset(f) / 8);
    }
    t.ruled = good && cell_rule_mark(t.fields, t.nfields);
    return good && checkLayout(d, t);
}

bool DeclReader::readField(const FieldDecl *f, schema_field &out)
{
    SourceLocation loc = f->getLocation();
    if (f->isAnonymousStructOrUnion())
        return refuse(loc, CellDiag::ReadFieldUnnamed, 0);
    if (!f->getIdentifier())
        return refuse(loc, CellDiag::ReadFieldUnnamed, f->isBitField() ? 1 : 2);
    QualType type = f->getType();
    if (f->isBitField())
        return refuse(loc, CellDiag::ReadBitField, f->getName(), type.getAsString(ctx.getPrintingPolicy()));
    if (!checkName(loc, f->getName(), "field"))
        return false;
    out.name = copy(f->getName());
    out.doc = docOf(f);
    Place at = {f->getName(), loc, type};
    if (const ArrayType *array = ctx.getAsArrayType(type)) {
        QualType element;
        return readArray(array, at, out.type, element) && readValue(element, at, out.type);
    }
    return readValue(type, at, out.type);
}

/* Fields lie where a C compiler puts them without packing or alignment: the receiver computes the same. */
bool DeclReader::checkLayout(const RecordDecl *d, const schema_type &t)
{
    uint32_t end = 0, most = 1;
    for (uint32_t i = 0; i < t.nfields; i++) {
        uint32_t size, align;
        cell_schema_ref_layout(&t.fields[i].type, &size, &align);
        uint32_t place = (end + align - 1) / align * align;
        if (place != t.fields[i].offset)
            return refuse(d->getLocation(), CellDiag::ReadLayout, ctx.getTypeDeclType(d), t.fields[i].name,
                          t.fields[i].offset, place);
        end = place + size;
        most = std::max(most, align);
    }
    uint32_t whole = (end + most - 1) / most * most;
    if (whole != t.size || most != t.align)
        return refuse(d->getLocation(), CellDiag::ReadLayoutSize, ctx.getTypeDeclType(d), t.size, t.align, whole, most);
    return true;
}

/* CELL_LIST and CELL_OPT, or what looks as if it was one. */
bool DeclReader::readWrapper(const RecordDecl *d, bool list, schema_type &t)
{
    const FieldDecl *first = nullptr, *second = nullptr;
    unsigned n = 0;
    for (const FieldDecl *f : d->fields())
        (n++ == 0 ? first : second) = f;
    const auto shape = [&] {
        return refuse(d->getLocation(), CellDiag::ReadWrapperShape, ctx.getTypeDeclType(d), list ? 0 : 1, d->getName());
    };
    if (n != 2 || d->isUnion() || first->getName() != (list ? "ptr" : "has") ||
        second->getName() != (list ? "len" : "value"))
        return shape();
    QualType element = second->getType();
    if (list) {
        const auto *pointer = first->getType()->getAs<PointerType>();
        if (!pointer || !pointer->getPointeeType().isConstQualified() ||
            !ctx.hasSameType(element, ctx.getIntTypeForBitwidth(64, 0)))
            return shape();
        element = pointer->getPointeeType().getUnqualifiedType();
    } else if (!first->getType()->isBooleanType()) {
        return shape();
    }
    t.kind = list ? CELL_KIND_LIST : CELL_KIND_OPT;
    if (element->isArrayType())
        return refuse(d->getLocation(), CellDiag::ReadWrapperElement, list ? 0 : 1, element);
    Place at = {d->getName(), d->getLocation(), element};
    if (!readValue(element, at, t.elem))
        return false;
    if (t.elem.kind == CELL_KIND_LIST || t.elem.kind == CELL_KIND_OPT)
        return refuse(d->getLocation(), CellDiag::ReadWrapperElement, list ? 0 : 1, element);
    return true;
}

bool DeclReader::readEnum(const EnumDecl *d, schema_type &t)
{
    QualType type = ctx.getTypeDeclType(d);
    if (d->isScoped())
        return refuse(d->getLocation(), CellDiag::ReadScopedEnum, type, d->getName());
    t.kind = CELL_KIND_ENUM;
    const auto *below = d->getIntegerType()->getAs<BuiltinType>();
    Place at = {d->getName(), d->getLocation(), d->getIntegerType()};
    if (!below || !below->isInteger() || below->getKind() == BuiltinType::Bool || ctx.getTypeSize(below) > 64)
        return refuse(d->getLocation(), CellDiag::ReadEnumType, type, d->getIntegerType());
    if (!readBuiltin(below, at, t.elem))
        return false;
    t.nvalues = static_cast<uint32_t>(std::distance(d->enumerator_begin(), d->enumerator_end()));
    if (t.nvalues == 0)
        return refuse(d->getLocation(), CellDiag::ReadNoValues, type);
    t.values = make<schema_value>(t.nvalues);
    schema_value *value = t.values;
    for (const EnumConstantDecl *e : d->enumerators()) {
        if (!checkName(e->getLocation(), e->getName(), "enumerator's"))
            return false;
        value->name = copy(e->getName());
        value->doc = docOf(e);
        if (!readFormer(e, FormerEnumerator, value->renamed_from))
            return false;
        value++->text = copy(llvm::toString(e->getInitVal(), 10));
    }
    return true;
}

bool DeclReader::readConstants(const EnumDecl *d)
{
    bool good = true;
    for (const EnumConstantDecl *e : d->enumerators()) {
        if (!checkName(e->getLocation(), e->getName(), "constant's")) {
            good = false;
            continue;
        }
        schema_constant *k = make<schema_constant>();
        const llvm::APSInt &value = e->getInitVal();
        k->name = copy(e->getName());
        k->doc = docOf(e);
        if (!k->doc)
            k->doc = docOf(d); /* CELL_EXPORT: the comment stands before the macro */
        k->kind = value.isSigned() || value.getActiveBits() < 64 ? CELL_KIND_I64 : CELL_KIND_U64;
        k->text = copy(llvm::toString(value, 10));
        good = readFormer(e, FormerConstant, k->renamed_from) && good;
        constants.push_back(k);
    }
    return good;
}

void DeclReader::finish()
{
    llvm::DenseMap<const schema_type *, const schema_type *> moved;
    const auto follow = [&](schema_ref &use) {
        if (use.named)
            use.named = moved.lookup(use.named);
    };
    schema->ntypes = static_cast<uint32_t>(typesInOrder.size());
    schema->types = make<schema_type>(schema->ntypes);
    for (uint32_t i = 0; i < schema->ntypes; i++) {
        schema_type &t = schema->types[i] = *typesInOrder[i];
        moved[typesInOrder[i]] = &t;
        follow(t.elem);
        for (uint32_t k = 0; k < t.nfields; k++)
            follow(t.fields[k].type);
    }
    schema->nconstants = static_cast<uint32_t>(constants.size());
    schema->constants = make<schema_constant>(schema->nconstants);
    for (uint32_t i = 0; i < schema->nconstants; i++)
        schema->constants[i] = *constants[i];
    schema->nmethods = static_cast<uint32_t>(methods.size());
    schema->methods = make<schema_method>(schema->nmethods);
    for (uint32_t i = 0; i < schema->nmethods; i++) {
        documentMethod(*methods[i].first, methods[i].second);
        schema_method &m = schema->methods[i] = *methods[i].first;
        for (uint32_t k = 0; k < m.nparams; k++)
            follow(m.params[k].type);
    }
}
