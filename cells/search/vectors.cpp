// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The graph of hnswlib 0.6, with what it has not: places of deleted vectors that are used again, room that grows, files
// that are trusted by their sum. vectors_walk.h searches in it.
#include "vectors_walk.h"

#include <atomic>
#include <exception>
#include <memory>
#include <new>
#include <thread>

#include <sys/mman.h>
#include <unistd.h>

namespace
{

constexpr size_t first_room = 1024;
// What the walk to one more that is kept costs, in distances, when all are.
constexpr double walk_cost = 10;

// What hnswlib is told about the vectors.
class Space final : public hnswlib::SpaceInterface<float>
{
  public:
    explicit Space(const search_vectors_options &o)
        : dimensions(o.dimensions), size(o.dimensions * (o.bytes ? 1 : sizeof(float))),
          distance(o.bytes                 ? search_distance_bytes
                   : o.metric == SEARCH_L2 ? search_distance_square
                                           : search_distance_product)
    {
    }
    size_t get_data_size() override { return size; }
    hnswlib::DISTFUNC<float> get_dist_func() override { return distance; }
    void *get_dist_func_param() override { return &dimensions; }

  private:
    size_t dimensions, size;
    hnswlib::DISTFUNC<float> distance;
};

// A walk jumps about in this memory: with fewer pages it waits less for where they are. A system without them refuses,
// and nothing is lost.
void preferHugePages(void *memory, size_t size)
{
    const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    const uintptr_t begin = (reinterpret_cast<uintptr_t>(memory) + page - 1) & ~(page - 1);
    const uintptr_t end = (reinterpret_cast<uintptr_t>(memory) + size) & ~(page - 1);
    if (end > begin)
        madvise(reinterpret_cast<void *>(begin), end - begin, MADV_HUGEPAGE);
}

class Graph final : public Walk
{
  public:
    Graph(Space *space, size_t room, size_t links, size_t breadth) : Walk(space, room, links, breadth) {}
    Graph(Space *space, const std::string &path) : Walk(space, path)
    {
        preferHugePages(data_level0_memory_, max_elements_ * size_data_per_element_); // by and by: it is full already
        for (hnswlib::tableint i = 0; i < cur_element_count; i++)
            if (isMarkedDeleted(i))
                free_.push_back(i);
        num_deleted_ = free_.size(); // reading only adds to what was in the memory
    }

    // Whether nothing that is there is touched when it is put, so that several may be put at once.
    bool isAppended(uint64_t id) const { return free_.empty() && !label_lookup_.count(id); }

    void put(const void *data, uint64_t id)
    {
        if (label_lookup_.count(id) || free_.empty()) {
            if (!label_lookup_.count(id))
                reserve(1);
            addPoint(data, id);
            return;
        }
        hnswlib::tableint slot = free_.back();
        label_lookup_[id] = slot; // the only thing that may fail
        free_.pop_back();
        label_lookup_.erase(getExternalLabel(slot));
        setExternalLabel(slot, id);
        unmarkDeletedInternal(slot);
        updatePoint(data, slot, 1.0F);
    }

    // A number that was deleted is forgotten: its place is anybody's.
    void remove(uint64_t id)
    {
        auto found = label_lookup_.find(id);
        if (found == label_lookup_.end() || isMarkedDeleted(found->second))
            return;
        hnswlib::tableint slot = found->second;
        label_lookup_[forgotten(slot)] = slot; // these two may fail, and nothing has happened then
        free_.push_back(slot);
        markDeletedInternal(slot);
        setExternalLabel(slot, forgotten(slot));
        label_lookup_.erase(id);
    }

    void reserve(size_t n)
    {
        if (cur_element_count + n > max_elements_) {
            resizeIndex(std::max(cur_element_count + n, max_elements_ * 2));
            preferHugePages(data_level0_memory_, max_elements_ * size_data_per_element_);
        }
    }
    size_t count() const { return cur_element_count - num_deleted_; }

    // How large the file is that saveIndex writes, which does not say whether it could.
    uint64_t sizeOfFile() const
    {
        uint64_t size = sizeof(offsetLevel0_) + sizeof(max_elements_) + sizeof(cur_element_count) +
                        sizeof(size_data_per_element_) + sizeof(label_offset_) + sizeof(offsetData_) +
                        sizeof(maxlevel_) + sizeof(enterpoint_node_) + sizeof(maxM_) + sizeof(maxM0_) + sizeof(M_) +
                        sizeof(mult_) + sizeof(ef_construction_);
        for (hnswlib::tableint i = 0; i < cur_element_count; i++)
            size += size_data_per_element_ + sizeof(unsigned) +
                    (element_levels_[i] > 0 ? size_links_per_element_ * static_cast<unsigned>(element_levels_[i]) : 0);
        return size;
    }

  private:
    std::vector<hnswlib::tableint> free_;

    // Numbers that nobody else has: bit 63 is not set in those that are given.
    static uint64_t forgotten(hnswlib::tableint slot) { return UINT64_C(1) << 63 | slot; }
};

} // namespace

struct search_graph {
    Space space;
    std::unique_ptr<Graph> graph;
};

// What hnswlib throws is that memory is short: what else it could complain of is excluded before.
template <typename Do> static int guarded(search_failure *f, Do work)
{
    try {
        return work();
    } catch (const std::exception &) {
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    }
}

search_graph *search_graph_new(const search_vectors_options *options, search_failure *f)
{
    search_graph *made = nullptr;
    guarded(f, [&] {
        std::unique_ptr<search_graph> g(new search_graph{Space(*options), nullptr});
        g->graph.reset(new Graph(&g->space, first_room, options->links, options->breadth));
        made = g.release();
        return CELL_OK;
    });
    return made;
}

void search_graph_free(search_graph *g) { delete g; }

int search_graph_put(search_graph *g, const void *data, uint64_t id, search_failure *f)
{
    return guarded(f, [&] {
        g->graph->put(data, id);
        return CELL_OK;
    });
}

// Those that take the place of others are put by one thread, and before: what is left appends.
static std::vector<size_t> putThatReplace(search_graph *g, const uint64_t *ids, size_t n, search_prepare *prepare,
                                          const void *user)
{
    std::vector<char> data(g->space.get_data_size());
    std::vector<size_t> left;

    for (size_t i = 0; i < n; i++) {
        if (g->graph->isAppended(ids[i])) {
            left.push_back(i);
            continue;
        }
        prepare(user, i, data.data());
        g->graph->put(data.data(), ids[i]);
    }
    return left;
}

int search_graph_put_many(search_graph *g, const uint64_t *ids, size_t n, unsigned threads, search_prepare *prepare,
                          const void *user, search_failure *f)
{
    return guarded(f, [&] {
        std::atomic<size_t> next{0};
        std::atomic<bool> failed{false};
        std::vector<std::thread> workers;
        const std::vector<size_t> left = putThatReplace(g, ids, n, prepare, user);
        g->graph->reserve(left.size());
        auto work = [&] {
            try {
                std::vector<char> data(g->space.get_data_size());
                for (size_t i; !failed && (i = next++) < left.size();) {
                    prepare(user, left[i], data.data());
                    g->graph->addPoint(data.data(), ids[left[i]]);
                }
            } catch (const std::exception &) {
                failed = true;
            }
        };
        try {
            for (unsigned i = 1; i < threads && i < left.size(); i++)
                workers.emplace_back(work);
        } catch (const std::exception &) {
            // There are fewer then.
        }
        work();
        for (std::thread &t : workers)
            t.join();
        return failed ? search_fail(f, CELL_NO_MEMORY, "out of memory") : static_cast<int>(CELL_OK);
    });
}

void search_graph_delete(search_graph *g, uint64_t id)
{
    search_failure ignored;
    guarded(&ignored, [&] {
        g->graph->remove(id);
        return CELL_OK;
    });
}

size_t search_graph_count(const search_graph *g) { return g->graph->count(); }

int search_graph_find(const search_graph *g, const void *data, uint32_t k, uint32_t breadth, bool exactly,
                      const search_allowed *allowed, search_near *near, uint32_t *n, search_failure *f)
{
    return guarded(f, [&] {
        // The rarer they are the more others are walked over for each: breadth * all / allowed of them. Where there are
        // few at all, none is missed so that many changes have left without a way to it.
        double all = static_cast<double>(g->graph->count());
        double count = allowed ? static_cast<double>(allowed->count) : all;
        bool few = count * count <= walk_cost * breadth * all;
        Best best =
            exactly || few ? g->graph->findExactly(data, k, allowed) : g->graph->find(data, k, breadth, allowed);
        *n = static_cast<uint32_t>(best.size());
        for (uint32_t i = *n; i > 0; i--) {
            near[i - 1] = {g->graph->getExternalLabel(best.top().second), best.top().first};
            best.pop();
        }
        return CELL_OK;
    });
}

int search_graph_write(search_graph *g, const char *path, uint64_t *size, search_failure *f)
{
    return guarded(f, [&] {
        g->graph->saveIndex(path);
        *size = g->graph->sizeOfFile();
        return CELL_OK;
    });
}

search_graph *search_graph_read(const search_vectors_options *options, const char *path, search_failure *f)
{
    search_graph *made = nullptr;
    guarded(f, [&] {
        std::unique_ptr<search_graph> g(new search_graph{Space(*options), nullptr});
        g->graph.reset(new Graph(&g->space, path));
        made = g.release();
        return CELL_OK;
    });
    return made;
}
