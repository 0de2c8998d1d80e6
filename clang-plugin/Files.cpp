/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Files that arguments of annotations name: what is in them is the argument's text. */
#include "Diagnostics.h"
#include "Inject.h"
#include "Places.h"

#include "clang/Lex/Preprocessor.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

extern "C" {
#include "base/util.h"
#include "wire/message.h"
}

using namespace clang;

static constexpr uint64_t mostBytes = 1u << 20;

/* Where preprocessed text says that it comes from. */
std::string cellPathBeside(PluginState &state, SourceLocation loc, StringRef path)
{
    if (llvm::sys::path::is_absolute(path))
        return path.str();
    PresumedLoc place = state.sources().getPresumedLoc(state.sources().getFileLoc(loc));
    SmallString<256> full(place.isValid() ? llvm::sys::path::parent_path(place.getFilename()) : StringRef());
    llvm::sys::path::append(full, path);
    return std::string(full.str());
}

/* NULL, or why the file cannot be used. */
static const char *readText(FileManager &files, const std::string &path, CellFile &file, std::string &text,
                            std::string &cause)
{
    auto entry = files.getFileRef(path);
    if (!entry) {
        std::error_code code = llvm::errorToErrorCode(entry.takeError());
        return (cause = code.message()).c_str();
    }
    if (entry->getFileEntry().isNamedPipe())
        return "it is not a regular file";
    if (static_cast<uint64_t>(entry->getSize()) > mostBytes)
        return "it is larger than 1 MiB";
    auto buffer = files.getBufferForFile(*entry);
    if (!buffer)
        return (cause = buffer.getError().message()).c_str();
    StringRef content = (*buffer)->getBuffer();
    if (content.size() > mostBytes)
        return "it is larger than 1 MiB";
    file.skipped = content.consume_front("\xef\xbb\xbf") ? 3 : 0;
    if (content.contains('\0') || !cell_utf8_valid(content.data(), content.size()))
        return "it is not UTF-8 text";
    text = content.str();
    return nullptr;
}

std::string cellFileMark(PluginState &state, StringRef path)
{
    CellFile file;
    std::string text, cause;
    char hash[65];
    if (const char *wrong = readText(state.sources().getFileManager(), path.str(), file, text, cause))
        return wrong;
    cell_sha256_hex(text.data(), text.size(), hash);
    return hash;
}

bool cellReadFile(PluginState &state, SourceLocation loc, StringRef name, CellFile &file, std::string &text)
{
    std::string path = cellPathBeside(state, loc, text), cause;
    const char *wrong = StringRef(text).contains('\0') || text.empty()
                            ? "it has no name"
                            : readText(state.sources().getFileManager(), path, file, text, cause);
    if (wrong) {
        cellReport(state.diags(), loc, CellDiag::VerbArgumentFile) << cellPrintable(path) << name << wrong;
        return false;
    }
    file.path = path;
    cellAddDependency(state, path, loc);
    return true;
}
