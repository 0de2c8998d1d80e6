// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <fstream>

#include <hnswlib/hnswlib.h>

#include "search_hnswlib.h"

#include <atomic>
#include <cmath>
#include <memory>
#include <thread>
#include <vector>

struct bench_hnswlib {
    size_t dimensions;
    hnswlib::InnerProductSpace space;
    std::unique_ptr<hnswlib::HierarchicalNSW<float>> graph;
};

static std::vector<float> normalized(const float *x, size_t n)
{
    std::vector<float> v(x, x + n);
    float sum = 0;
    for (float f : v)
        sum += f * f;
    for (float &f : v)
        f /= std::sqrt(sum);
    return v;
}

bench_hnswlib *bench_hnswlib_new(const float *all, size_t dimensions, size_t n, unsigned threads)
{
    auto *h = new bench_hnswlib{dimensions, hnswlib::InnerProductSpace(dimensions), nullptr};
    h->graph.reset(new hnswlib::HierarchicalNSW<float>(&h->space, n, 16, 200));
    std::atomic<size_t> next{0};
    std::vector<std::thread> workers;
    for (unsigned t = 0; t < threads; t++)
        workers.emplace_back([&] {
            for (size_t i; (i = next++) < n;)
                h->graph->addPoint(normalized(all + i * dimensions, dimensions).data(), i);
        });
    for (std::thread &t : workers)
        t.join();
    return h;
}

void bench_hnswlib_free(bench_hnswlib *h) { delete h; }

uint32_t bench_hnswlib_find(bench_hnswlib *h, const float *x, uint32_t k, uint32_t breadth, uint64_t *ids)
{
    h->graph->setEf(breadth);
    auto found = h->graph->searchKnn(normalized(x, h->dimensions).data(), k);
    uint32_t n = 0;
    for (; !found.empty(); found.pop())
        ids[n++] = found.top().second;
    return n;
}
