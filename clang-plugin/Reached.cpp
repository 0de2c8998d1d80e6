/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Reached.h"

#include "clang/Analysis/CFG.h"

using namespace clang;

bool Reached::comesTo(const Expr *reference, const FunctionDecl *in)
{
    if (in->isDependentContext())
        return false;
    if (!reference)
        return true;
    auto found = functions.find(in);
    if (found == functions.end())
        found = functions.insert({in, find(in)}).first;
    return !found->second.known || found->second.reached.count(reference);
}

Reached::References Reached::find(const FunctionDecl *in) const
{
    References found;
    CFG::BuildOptions options;
    options.setAllAlwaysAdd();
    options.AddInitializers = true; /* of constructors */
    std::unique_ptr<CFG> graph = CFG::buildCFG(in, in->getBody(), &ctx, options);
    if (!graph)
        return found;
    found.known = true;
    std::vector<const CFGBlock *> todo = {&graph->getEntry()};
    llvm::DenseSet<const CFGBlock *> seen = {&graph->getEntry()};
    while (!todo.empty()) {
        const CFGBlock *block = todo.back();
        todo.pop_back();
        for (const CFGElement &element : *block)
            if (auto statement = element.getAs<CFGStmt>())
                if (isa<DeclRefExpr>(statement->getStmt()))
                    found.reached.insert(statement->getStmt());
        for (const CFGBlock::AdjacentBlock &next : block->succs())
            if (const CFGBlock *reachable = next.getReachableBlock())
                if (seen.insert(reachable).second)
                    todo.push_back(reachable);
    }
    return found;
}
