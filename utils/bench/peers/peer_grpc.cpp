/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* gRPC over a Unix socket: the synchronous interface, and the asynchronous one of the client with 64 calls in flight.
 */
#include "driver.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "echo.grpc.pb.h"

namespace
{

constexpr uint32_t in_flight = 64, async_calls = 1024;

struct Side {
    std::string address;
    std::unique_ptr<peers::Echo::Stub> stub;
};

class Service final : public peers::Echo::Service
{
    grpc::Status Call(grpc::ServerContext *, const peers::Payload *request, peers::Payload *reply) override
    {
        reply->set_data(request->data());
        return grpc::Status::OK;
    }
};

void serve(struct bench *b, void *user)
{
    Service service;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(static_cast<Side *>(user)->address, grpc::InsecureServerCredentials());
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server)
        bench_die("the server does not start");
    bench_ready(b);
    server->Wait();
}

void call_run(void *user, const struct bench_case *c)
{
    auto *s = static_cast<Side *>(user);
    grpc::ClientContext context;
    peers::Payload request, reply;
    request.set_data(std::string(c->size, 'x'));
    grpc::Status status = s->stub->Call(&context, request, &reply);
    if (!status.ok() || reply.data().size() != c->size)
        bench_die("call: %s", status.error_message().c_str());
}

struct Pending {
    grpc::ClientContext context;
    peers::Payload reply;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<peers::Payload>> reader;
};

void async_run(void *user, const struct bench_case *c)
{
    auto *s = static_cast<Side *>(user);
    grpc::CompletionQueue queue;
    peers::Payload request;
    request.set_data(std::string(c->size, 'x'));
    auto begin = [&] {
        auto *pending = new Pending;
        pending->reader = s->stub->AsyncCall(&pending->context, request, &queue);
        pending->reader->Finish(&pending->reply, &pending->status, pending);
    };
    for (uint32_t i = 0; i < in_flight; i++)
        begin();
    for (uint32_t done = 0; done < c->operations; done++) {
        void *tag = nullptr;
        bool ok = false;
        if (!queue.Next(&tag, &ok) || !ok)
            bench_die("the completion queue ended");
        std::unique_ptr<Pending> pending(static_cast<Pending *>(tag));
        if (!pending->status.ok())
            bench_die("call: %s", pending->status.error_message().c_str());
        if (done + in_flight < c->operations)
            begin();
    }
    queue.Shutdown();
    void *tag = nullptr;
    bool ok = false;
    while (queue.Next(&tag, &ok))
        continue;
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
    s.address = std::string("unix:") + b.folder + "/grpc.sock";
    bench_start(&b, serve, &s);
    s.stub = peers::Echo::NewStub(grpc::CreateChannel(s.address, grpc::InsecureChannelCredentials()));
    const struct bench_program program = {cases, sizeof cases / sizeof *cases, &s, nullptr};
    return bench_serve(&b, &program);
}
