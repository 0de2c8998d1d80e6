/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Uses of types: what a field, a parameter or a list element may be, and what to write where it may not. */
#include "DeclReaderImpl.h"

#include "clang/AST/DeclTemplate.h"
#include "llvm/ADT/StringSwitch.h"

using namespace clang;

static enum cell_kind integerKind(uint64_t bits, bool isSigned)
{
    switch (bits) {
    case 8:
        return isSigned ? CELL_KIND_I8 : CELL_KIND_U8;
    case 16:
        return isSigned ? CELL_KIND_I16 : CELL_KIND_U16;
    case 32:
        return isSigned ? CELL_KIND_I32 : CELL_KIND_U32;
    default:
        return isSigned ? CELL_KIND_I64 : CELL_KIND_U64;
    }
}

/* The number of a built-in's schema name ("i32"), 0 when there is none. Only what cell_list_… and cell_opt_… have. */
static unsigned kindOfSuffix(llvm::StringRef suffix)
{
    llvm::StringSwitch<unsigned> kinds(suffix);
#define SUFFIX(symbol, number, name, size)                                                                             \
    if (number < CELL_KIND_STRUCT)                                                                                     \
        kinds.Case(name, number);
    CELL_KIND_MAP(SUFFIX)
#undef SUFFIX
    return kinds.Default(0);
}

static const char *kindName(unsigned kind)
{
    switch (kind) {
#define NAME(symbol, number, name, size)                                                                               \
    case number:                                                                                                       \
        return name;
        CELL_KIND_MAP(NAME)
#undef NAME
    }
    return "u8";
}

bool DeclReader::refuseBuiltin(const BuiltinType *type, const Place &at)
{
    switch (type->getKind()) {
    case BuiltinType::LongDouble:
    case BuiltinType::Float128:
    case BuiltinType::Ibm128:
    case BuiltinType::Half:
    case BuiltinType::Float16:
    case BuiltinType::BFloat16:
        return refuse(at.loc, CellDiag::ReadLongDouble, at.name, at.written);
    case BuiltinType::Int128:
    case BuiltinType::UInt128:
        return refuse(at.loc, CellDiag::ReadWideInteger, at.name, at.written);
    case BuiltinType::WChar_S:
    case BuiltinType::WChar_U:
    case BuiltinType::Char8:
    case BuiltinType::Char16:
    case BuiltinType::Char32:
        return refuse(at.loc, CellDiag::ReadWideChar, at.name, at.written);
    default:
        return refuse(at.loc, CellDiag::ReadOtherType, at.name, at.written);
    }
}

bool DeclReader::readBuiltin(const BuiltinType *type, const Place &at, schema_ref &use)
{
    switch (type->getKind()) {
    case BuiltinType::Bool:
        use.kind = CELL_KIND_BOOL;
        return true;
    case BuiltinType::Float:
        use.kind = CELL_KIND_F32;
        return true;
    case BuiltinType::Double:
        use.kind = CELL_KIND_F64;
        return true;
    case BuiltinType::Char_S:
    case BuiltinType::Char_U:
    case BuiltinType::SChar:
    case BuiltinType::UChar:
    case BuiltinType::Short:
    case BuiltinType::UShort:
    case BuiltinType::Int:
    case BuiltinType::UInt:
    case BuiltinType::Long:
    case BuiltinType::ULong:
    case BuiltinType::LongLong:
    case BuiltinType::ULongLong:
        use.kind = integerKind(ctx.getTypeSize(type), type->isSignedInteger());
        return true;
    default:
        return refuseBuiltin(type, at);
    }
}

bool DeclReader::checkQualifiers(QualType type, const Place &at)
{
    if (type.isVolatileQualified())
        return refuse(at.loc, CellDiag::ReadQualifier, at.name, at.written, "volatile");
    if (type->isAtomicType())
        return refuse(at.loc, CellDiag::ReadQualifier, at.name, at.written, "_Atomic");
    return true;
}

/* What CELL_WRITER or CELL_READER has declared; `kind` says which. NULL: another type. */
static const RecordDecl *streamOf(QualType type, llvm::StringRef &kind)
{
    const auto *record = type.getCanonicalType()->getAs<RecordType>();
    const RecordDecl *d = record ? record->getDecl() : nullptr;
    if (d && d->hasAttrs())
        for (const auto *a : d->specific_attrs<AnnotateAttr>())
            if (cellAnnotationSuffix(a, "cell.type:", kind) && (kind == "writer" || kind == "reader"))
                return d;
    return nullptr;
}

/* A stream parameter. The record's type is that of the handle's other pointer. */
bool DeclReader::readStream(const RecordDecl *handle, llvm::StringRef kind, schema_field &out)
{
    const RecordDecl *d = handle->getDefinition();
    const FieldDecl *record = nullptr;
    bool writer = kind == "writer";
    if (d && std::distance(d->field_begin(), d->field_end()) == 1)
        if (const auto *pointers = d->field_begin()->getType()->getAs<RecordType>())
            for (const FieldDecl *f : pointers->getDecl()->fields())
                record = f->getName() == "record" ? f : record;
    const auto *pointer = record ? record->getType()->getAs<PointerType>() : nullptr;
    if (!pointer || !pointer->getPointeeType().isConstQualified())
        return refuse(handle->getLocation(), CellDiag::ReadWrapperShape, ctx.getTypeDeclType(handle), writer ? 2 : 3,
                      handle->getName());
    if (!handle->getDeclContext()->getRedeclContext()->isTranslationUnit())
        return refuse(handle->getLocation(), CellDiag::ReadScope, ctx.getTypeDeclType(handle));
    QualType element = pointer->getPointeeType().getUnqualifiedType();
    const auto hold = [&] { return refuse(handle->getLocation(), CellDiag::ReadWrapperElement, 2, element); };
    if (element->isArrayType())
        return hold();
    Place inner = {handle->getName(), handle->getLocation(), element};
    if (!readValue(element, inner, out.type))
        return false;
    if (out.type.kind == CELL_KIND_LIST || out.type.kind == CELL_KIND_OPT)
        return hold();
    out.stream = true;
    out.out = writer;
    out.handle = copy(handle->getName());
    return true;
}

/* A struct or enumeration: Cell's own value types first. */
bool DeclReader::readNamed(const TagDecl *d, const Place &at, schema_ref &use)
{
    llvm::StringRef name = d->getName();
    if (d->getDeclContext()->getRedeclContext()->isTranslationUnit() && d->isStruct()) {
        if (name == "cell_str" || name == "cell_bytes") {
            use.kind = name == "cell_str" ? CELL_KIND_STR : CELL_KIND_BYTES;
            return true;
        }
        llvm::StringRef suffix = name;
        bool list = suffix.consume_front("cell_list_");
        if (list || suffix.consume_front("cell_opt_"))
            if (unsigned kind = kindOfSuffix(suffix)) {
                use.kind = list ? CELL_KIND_LIST : CELL_KIND_OPT;
                use.elem = static_cast<enum cell_kind>(kind);
                return true;
            }
    }
    llvm::StringRef stream;
    if (streamOf(ctx.getTypeDeclType(d), stream))
        return refuse(at.loc, CellDiag::ReadStreamPlace, at.name, at.written);
    if (const auto *record = dyn_cast<RecordDecl>(d))
        if (record->isUnion())
            return refuse(at.loc, CellDiag::ReadUnion, at.name, at.written);
    if (isa<ClassTemplateSpecializationDecl>(d))
        return refuse(d->getLocation(), CellDiag::ReadNotPlain, ctx.getTypeDeclType(d), 2);
    if (!d->getDefinition())
        return refuse(at.loc, CellDiag::ReadIncomplete, ctx.getTypeDeclType(d));
    use.named = readType(d);
    if (use.named)
        use.kind = use.named->kind;
    return use.named != nullptr;
}

/* A value: a field's, a by-value parameter's or an element's type. Sets all of `use` but the count. */
bool DeclReader::readValue(QualType type, const Place &at, schema_ref &use)
{
    if (!checkTarget(at.loc) || !checkQualifiers(type, at))
        return false;
    QualType plain = type.getCanonicalType().getUnqualifiedType();
    if (const auto *builtin = plain->getAs<BuiltinType>())
        return readBuiltin(builtin, at, use);
    if (const auto *tag = plain->getAs<TagType>())
        return readNamed(tag->getDecl(), at, use);
    if (plain->isReferenceType())
        return refuse(at.loc, CellDiag::ReadReference, at.name, at.written);
    if (const auto *pointer = plain->getAs<PointerType>())
        return refusePointer(pointer->getPointeeType(), at);
    if (const auto *array = ctx.getAsArrayType(plain)) {
        QualType element;
        return readArray(array, at, use, element) && refuse(at.loc, CellDiag::ReadNestedArray, at.name, at.written);
    }
    if (plain->isBitIntType())
        return refuse(at.loc, CellDiag::ReadWideInteger, at.name, at.written);
    return refuse(at.loc, CellDiag::ReadOtherType, at.name, at.written);
}

/* The bound of an array, and what it is an array of. */
bool DeclReader::readArray(const ArrayType *type, const Place &at, schema_ref &use, QualType &element)
{
    element = type->getElementType();
    if (isa<IncompleteArrayType>(type))
        return refuse(at.loc, CellDiag::ReadFlexibleArray, at.name);
    const auto *constant = dyn_cast<ConstantArrayType>(type);
    if (!constant)
        return refuse(at.loc, CellDiag::ReadVariableArray, at.name);
    uint64_t n = constant->getSize().getLimitedValue();
    if (n == 0)
        return refuse(at.loc, CellDiag::ReadZeroArray, at.name);
    if (n > 65536)
        return refuse(at.loc, CellDiag::ReadLongArray, at.name, std::to_string(n));
    if (element->isArrayType())
        return refuse(at.loc, CellDiag::ReadNestedArray, at.name, at.written);
    use.count = static_cast<uint32_t>(n);
    return true;
}

/* A pointer where none may be: says which of Cell's types was probably meant. */
bool DeclReader::refusePointer(QualType pointee, const Place &at)
{
    QualType plain = pointee.getCanonicalType().getUnqualifiedType();
    if (plain->isFunctionType())
        return refuse(at.loc, CellDiag::ReadFunctionPointer, at.name, at.written);
    if (plain->isPointerType() || plain->isArrayType())
        return refuse(at.loc, CellDiag::ReadPointerPointer, at.name, at.written);
    if (plain->isEnumeralType())
        return refuse(at.loc, CellDiag::ReadEnumPointer, at.name, at.written,
                      plain.getAsString(ctx.getPrintingPolicy()));
    if (plain->isRecordType())
        return refuse(at.loc, CellDiag::ReadStructPointer, at.name, at.written,
                      plain.getAsString(ctx.getPrintingPolicy()));
    const auto *builtin = plain->getAs<BuiltinType>();
    if (!builtin)
        return refuse(at.loc, CellDiag::ReadOtherType, at.name, at.written);
    if (builtin->getKind() == BuiltinType::Char_S || builtin->getKind() == BuiltinType::Char_U)
        return refuse(at.loc, CellDiag::ReadCharPointer, at.name, at.written);
    if (plain->isVoidType() || builtin->getKind() == BuiltinType::UChar)
        return refuse(at.loc, CellDiag::ReadBytePointer, at.name, at.written);
    schema_ref use = {};
    if (!readBuiltin(builtin, at, use))
        return false;
    return refuse(at.loc, CellDiag::ReadScalarPointer, at.name, at.written,
                  std::string("cell_list_") + kindName(use.kind));
}

/* `const struct T *` in, `struct T *` out. */
bool DeclReader::readParamPointer(QualType pointee, const Place &at, schema_field &out)
{
    llvm::StringRef stream;
    if (!checkQualifiers(pointee, at))
        return false;
    if (const RecordDecl *handle = streamOf(pointee, stream))
        return refuse(at.loc, CellDiag::ReadStreamPointer, at.name, handle->getName());
    if (!pointee->isRecordType())
        return refusePointer(pointee, at);
    out.by_pointer = true;
    out.out = !pointee.isConstQualified();
    return readValue(pointee.getUnqualifiedType(), at, out.type);
}

bool DeclReader::readParam(const ParmVarDecl *p, schema_field &out)
{
    QualType type = p->getOriginalType();
    Place at = {p->getName(), p->getLocation(), type};
    llvm::StringRef stream;
    out.name = copy(p->getName());
    if (const RecordDecl *handle = streamOf(type, stream))
        return checkQualifiers(type, at) && readStream(handle, stream, out);
    if (const ArrayType *array = ctx.getAsArrayType(type)) {
        QualType element;
        if (!readArray(array, at, out.type, element) || !checkQualifiers(element, at))
            return false;
        out.by_pointer = true;
        out.out = !element.isConstQualified();
        return readValue(element.getUnqualifiedType(), at, out.type);
    }
    if (!checkQualifiers(type, at))
        return false;
    if (const auto *pointer = type->getAs<PointerType>())
        return readParamPointer(pointer->getPointeeType(), at, out);
    return readValue(type, at, out.type);
}

bool DeclReader::readUse(const ValueDecl *d, schema_ref &use)
{
    Place at = {d->getName(), d->getLocation(), d->getType()};
    if (const ArrayType *array = ctx.getAsArrayType(d->getType())) {
        QualType element;
        return readArray(array, at, use, element) && readValue(element, at, use);
    }
    return readValue(d->getType(), at, use);
}
