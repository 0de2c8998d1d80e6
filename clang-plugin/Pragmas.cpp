/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Pragmas.h"

#include "clang/Lex/Preprocessor.h"

using namespace clang;

namespace
{

constexpr unsigned sectionCount = 5;

Sema::PragmaClangSection *section(Sema &s, unsigned i)
{
    Sema::PragmaClangSection *all[sectionCount] = {&s.PragmaClangBSSSection, &s.PragmaClangDataSection,
                                                   &s.PragmaClangRodataSection, &s.PragmaClangRelroSection,
                                                   &s.PragmaClangTextSection};
    return all[i];
}

} // namespace

struct SavedPragmas {
    Sema::AlignPackInfo pack;
    SourceLocation packLoc;
    bool msStruct;
    void *visibility;
    decltype(Sema::PragmaAttributeStack) attributes;
    Sema::PragmaClangSection sections[sectionCount];
    FPOptions fp;
    FPOptionsOverride fpOverride;
    SourceLocation optimizeOff, assumeNonNull;
};

void SavedPragmasDelete::operator()(SavedPragmas *p) const { delete p; }

std::unique_ptr<SavedPragmas, SavedPragmasDelete> cellSuspendPragmas(PluginState &state)
{
    Sema &s = state.sema();
    std::unique_ptr<SavedPragmas, SavedPragmasDelete> saved(new SavedPragmas);

    saved->pack = s.AlignPackStack.CurrentValue;
    saved->packLoc = s.AlignPackStack.CurrentPragmaLocation;
    /* -fpack-struct has no pragma to take back; 16 is no bound, because no type of a schema is aligned to more. */
    s.AlignPackStack.CurrentValue = s.getLangOpts().PackStruct
                                        ? Sema::AlignPackInfo(Sema::AlignPackInfo::Native, 16, false)
                                        : s.AlignPackStack.DefaultValue;
    saved->msStruct = s.MSStructPragmaOn;
    s.MSStructPragmaOn = false;

    saved->visibility = s.VisContext;
    s.VisContext = nullptr;
    saved->attributes = std::move(s.PragmaAttributeStack);
    s.PragmaAttributeStack.clear();
    for (unsigned i = 0; i < sectionCount; i++) {
        saved->sections[i] = *section(s, i);
        *section(s, i) = {};
    }

    saved->fp = s.CurFPFeatures;
    saved->fpOverride = s.FpPragmaStack.CurrentValue;
    s.CurFPFeatures = FPOptions(s.getLangOpts());
    s.FpPragmaStack.CurrentValue = FPOptionsOverride();

    saved->optimizeOff = s.getOptimizeOffPragmaLocation();
    if (saved->optimizeOff.isValid())
        s.ActOnPragmaOptimize(true, SourceLocation());
    saved->assumeNonNull = state.pp.getPragmaAssumeNonNullLoc();
    state.pp.setPragmaAssumeNonNullLoc(SourceLocation());
    return saved;
}

void cellFloats(PluginState &state, bool precise)
{
    FPOptionsOverride options;
    if (precise) {
        options.setFPPreciseEnabled(true);
        options.setDisallowFPContract();
    }
    state.sema().FpPragmaStack.CurrentValue = options;
    state.sema().CurFPFeatures = options.applyOverrides(state.sema().getLangOpts());
}

void cellResumePragmas(PluginState &state, SavedPragmas &saved)
{
    Sema &s = state.sema();
    s.AlignPackStack.CurrentValue = saved.pack;
    s.AlignPackStack.CurrentPragmaLocation = saved.packLoc;
    s.MSStructPragmaOn = saved.msStruct;
    s.VisContext = saved.visibility;
    s.PragmaAttributeStack = std::move(saved.attributes);
    for (unsigned i = 0; i < sectionCount; i++)
        *section(s, i) = saved.sections[i];
    s.CurFPFeatures = saved.fp;
    s.FpPragmaStack.CurrentValue = saved.fpOverride;
    if (saved.optimizeOff.isValid())
        s.ActOnPragmaOptimize(false, saved.optimizeOff);
    state.pp.setPragmaAssumeNonNullLoc(saved.assumeNonNull);
}
