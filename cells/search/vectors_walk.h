// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Searching in a graph of hnswlib 0.6, with conditions that are looked at on the way, which it has not. Its own reading
// ahead is left out, because it looks behind the ends of lists.
#ifndef CELLS_SEARCH_VECTORS_WALK_H
#define CELLS_SEARCH_VECTORS_WALK_H

#define NO_MANUAL_VECTORIZATION
#include <fstream>

#include <hnswlib/hnswlib.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "vectors_graph.h"

using Best = std::priority_queue<std::pair<float, hnswlib::tableint>>; // the farthest first

// What is only read; what changes it is Graph's (vectors.cpp).
class Walk : public hnswlib::HierarchicalNSW<float>
{
  public:
    using Base = hnswlib::HierarchicalNSW<float>;
    using Base::Base;

    Best find(const void *data, size_t k, size_t breadth, const search_allowed *allowed) const
    {
        Best best;
        if (cur_element_count == 0)
            return best;
        best = walk(descend(data), data, std::max(k, breadth), allowed);
        while (best.size() > k)
            best.pop();
        return best;
    }

    Best findExactly(const void *data, size_t k, const search_allowed *allowed) const
    {
        Best best;
        if (allowed && allowed->count < cur_element_count) {
            for (uint64_t word = 0; word * 64 < allowed->nbits; word++)
                for (uint64_t bits = allowed->bits[word]; bits; bits &= bits - 1) {
                    auto found = label_lookup_.find(word * 64 + static_cast<unsigned>(__builtin_ctzll(bits)));
                    if (found != label_lookup_.end() && isAllowed(allowed, found->first))
                        keep(best, k, distanceTo(data, found->second), found->second);
                }
            return best;
        }
        for (hnswlib::tableint i = 0; i < cur_element_count; i++)
            if (!isMarkedDeleted(i) && isAllowed(allowed, getExternalLabel(i)))
                keep(best, k, distanceTo(data, i), i);
        return best;
    }

  private:
    static bool isAllowed(const search_allowed *allowed, uint64_t id)
    {
        return !allowed || (id < allowed->nbits && (allowed->bits[id / 64] >> (id % 64) & 1));
    }

    float distanceTo(const void *data, hnswlib::tableint i) const
    {
        return fstdistfunc_(data, getDataByInternalId(i), dist_func_param_);
    }

    static void keep(Best &best, size_t k, float distance, hnswlib::tableint i)
    {
        if (best.size() == k && distance >= best.top().first)
            return;
        best.emplace(distance, i);
        if (best.size() > k)
            best.pop();
    }

    const hnswlib::tableint *links(hnswlib::tableint i, int level, size_t *n) const
    {
        hnswlib::linklistsizeint *list = get_linklist_at_level(i, level);
        *n = getListCount(list);
        return list + 1;
    }

    // To the nearest in the sparse layers above the one that has all.
    hnswlib::tableint descend(const void *data) const
    {
        hnswlib::tableint at = enterpoint_node_;
        float nearest = distanceTo(data, at);
        for (int level = maxlevel_; level > 0; level--)
            for (bool changed = true; changed;) {
                size_t n;
                const hnswlib::tableint *to = links(at, level, &n);
                changed = false;
                for (size_t i = 0; i < n; i++) {
                    float distance = distanceTo(data, to[i]);
                    if (distance < nearest) {
                        nearest = distance;
                        at = to[i];
                        changed = true;
                    }
                }
            }
        return at;
    }

    // All are walked over, those that are deleted or not allowed as well; the others are kept.
    bool isKept(hnswlib::tableint i, const search_allowed *allowed) const
    {
        return !(num_deleted_ && isMarkedDeleted(i)) && (!allowed || isAllowed(allowed, getExternalLabel(i)));
    }

    // Vectors that are on their way from memory while the distance to one is computed.
    static constexpr size_t ahead = 2;

    void fetch(hnswlib::tableint i) const
    {
        const char *vector = getDataByInternalId(i);
        for (size_t line = 0; line < data_size_; line += 64)
            __builtin_prefetch(vector + line);
    }

    // Those that `at` leads to and that were not seen; the first of them are on their way. `fresh` has room for all.
    size_t unseen(hnswlib::tableint at, hnswlib::vl_type *seen, hnswlib::vl_type now, hnswlib::tableint *fresh) const
    {
        size_t n, left = 0;
        const hnswlib::tableint *to = links(at, 0, &n);
        n = std::min(n, maxM0_); // it is written behind `fresh` otherwise, whatever a file says
        for (size_t i = 0; i < n; i++) {
            if (i + 1 < n)
                __builtin_prefetch(seen + to[i + 1]);
            if (seen[to[i]] == now)
                continue;
            seen[to[i]] = now;
            if (left < ahead)
                fetch(to[i]);
            fresh[left++] = to[i];
        }
        return left;
    }

    Best walk(hnswlib::tableint from, const void *data, size_t breadth, const search_allowed *allowed) const
    {
        struct Visited {
            hnswlib::VisitedListPool *pool;
            hnswlib::VisitedList *list;
            ~Visited() { pool->releaseVisitedList(list); }
        } visited{visited_list_pool_, visited_list_pool_->getFreeVisitedList()};
        hnswlib::vl_type *seen = visited.list->mass, now = visited.list->curV;
        Best best, open; // of the second the distances are negative: the nearest first
        std::vector<hnswlib::tableint> fresh(maxM0_);
        float farthest = std::numeric_limits<float>::max(), distance = distanceTo(data, from);
        open.emplace(-distance, from);
        seen[from] = now;
        if (isKept(from, allowed)) {
            best.emplace(distance, from);
            farthest = distance;
        }
        while (!open.empty() && (-open.top().first <= farthest || best.size() < breadth)) {
            hnswlib::tableint at = open.top().second;
            open.pop();
            size_t n = unseen(at, seen, now, fresh.data());
            for (size_t i = 0; i < n; i++) {
                if (i + ahead < n)
                    fetch(fresh[i + ahead]);
                distance = distanceTo(data, fresh[i]);
                if (best.size() >= breadth && distance >= farthest)
                    continue;
                open.emplace(-distance, fresh[i]);
                __builtin_prefetch(get_linklist0(open.top().second));
                if (isKept(fresh[i], allowed))
                    keep(best, breadth, distance, fresh[i]);
                if (!best.empty())
                    farthest = best.top().first;
            }
        }
        return best;
    }
};

#endif
