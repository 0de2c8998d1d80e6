/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Cap'n Proto RPC over a Unix socket: one call at a time, and 64 in flight. */
#include "driver.h"

#include <capnp/ez-rpc.h>
#include <kj/vector.h>

#include <string>

#include "echo.capnp.h"

namespace
{

constexpr uint32_t in_flight = 64, async_calls = 1024;

struct Side {
    std::string address;
    capnp::EzRpcClient *client = nullptr;
    Echo::Client *echo = nullptr;
};

class Service final : public Echo::Server
{
    kj::Promise<void> call(CallContext context) override
    {
        context.getResults().setData(context.getParams().getData());
        return kj::READY_NOW;
    }
};

void serve(struct bench *b, void *user)
{
    capnp::EzRpcServer server(kj::heap<Service>(), static_cast<Side *>(user)->address);
    server.getPort().wait(server.getWaitScope());
    bench_ready(b);
    kj::NEVER_DONE.wait(server.getWaitScope());
}

kj::Promise<void> send(Side *s, const struct bench_case *c)
{
    auto request = s->echo->callRequest();
    memset(request.initData(c->size).begin(), 'x', c->size);
    return request.send().then([c](capnp::Response<Echo::CallResults> reply) {
        if (reply.getData().size() != c->size)
            bench_die("a reply of another size");
    });
}

void call_run(void *user, const struct bench_case *c)
{
    auto *s = static_cast<Side *>(user);
    send(s, c).wait(s->client->getWaitScope());
}

/* A chain of calls; `in_flight` of them run beside each other. */
kj::Promise<void> chain(Side *s, const struct bench_case *c, uint32_t left)
{
    if (left == 0)
        return kj::READY_NOW;
    return send(s, c).then([s, c, left] { return chain(s, c, left - 1); });
}

void async_run(void *user, const struct bench_case *c)
{
    auto *s = static_cast<Side *>(user);
    kj::Vector<kj::Promise<void>> chains(in_flight);
    for (uint32_t i = 0; i < in_flight; i++)
        chains.add(chain(s, c, c->operations / in_flight));
    kj::joinPromises(chains.releaseAsArray()).wait(s->client->getWaitScope());
}

} // namespace

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {{"call-64", 1, 64, 0, call_run, nullptr},
                                              {"call-65536", 1, 64 << 10, 0, call_run, nullptr},
                                              {"async-64-in-flight-64", async_calls, 64, 0, async_run, nullptr}};
    struct bench b;
    Side s;
    bench_init(&b, argc, argv);
    s.address = std::string("unix:") + b.folder + "/capnp.sock";
    bench_start(&b, serve, &s);
    capnp::EzRpcClient client(s.address);
    Echo::Client echo = client.getMain<Echo>();
    s.client = &client;
    s.echo = &echo;
    const struct bench_program program = {cases, sizeof cases / sizeof *cases, &s, nullptr};
    return bench_serve(&b, &program);
}
