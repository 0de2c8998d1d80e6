/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The upgrade to shared memory, with peers that keep to the protocol and peers that do not. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "shm_peer.h"
#include "temp_folder.h"

/* A connection that stayed a plain one still carries frames both ways. */
static void check_plain(struct peer *p)
{
    uint8_t payload[8];
    int fd;
    CHECK(peer_recv(p, CELL_FRAME_CALL, payload, 8, &fd) && fd < 0); /* of peer_offer */
    CHECK(peer_send(p, CELL_FRAME_SCHEMA, "schema", 6, NULL, 0));
    struct cell_received r;
    CHECK(cell_conn_recv(p->conn, &r, cell_now_ns() + 60000 * CELL_NS_PER_MS, &e) == CELL_OK);
    CHECK(r.frame.kind == CELL_FRAME_SCHEMA && r.message_len == 6 && memcmp(r.message, "schema", 6) == 0);
    CHECK(strcmp(cell_conn_ops(p->conn)->name, "unix") == 0);
}

static void decline(const void *payload, uint32_t len, const int *fds, int n, int status)
{
    struct peer p;
    struct cell_memory memory = {.limit = SIZE_MAX};
    unsigned before = shared_mappings();
    peer_memory = peer_memory ? peer_memory : &memory;
    REQUIRE(peer_open(&p, UNIX_STAGE_EXPECTED));
    int answer = peer_offer(&p, payload, len, fds, n);
    CHECK(answer == status);
    CHECK(atomic_load(&peer_memory->used) == 0);
    if (answer < 0) {
        CHECK(shared_mappings() == before + 1); /* the peer's own */
        check_plain(&p);
    }
    peer_close(&p);
    CHECK(atomic_load(&peer_memory->used) == 0);
    peer_memory = NULL;
}

CLEAN_TEST(an_offer_is_accepted)
{
    struct peer p;
    REQUIRE(peer_upgraded(&p));
    peer_close(&p);
}

CLEAN_TEST(what_an_offer_may_be_wrong_in_leaves_a_plain_connection)
{
    void *m = NULL;
    int fd = -1, pipes[2];
    REQUIRE(cell_shm_memory_new(REGION, &m, &fd, &e) == CELL_OK && pipe(pipes) == 0);
    const int two[] = {fd, fd}, many[] = {fd, fd, fd, fd, fd, fd, fd, fd}, other[] = {pipes[0]};
    const struct open_payload version = {CELL_SHM_VERSION + 1, REGION, 4096, 0},
                              region = {CELL_SHM_VERSION, REGION + 4096, 4096, 0},
                              reserved = {CELL_SHM_VERSION, REGION, 4096, 1};
    uint8_t longer[CELL_MAX_CONTROL] = {CELL_SHM_VERSION};
    decline(&good_open, sizeof(good_open), NULL, 0, CELL_PERMISSION_DENIED);
    decline(&good_open, sizeof(good_open), two, 2, CELL_PERMISSION_DENIED);
    decline(&good_open, sizeof(good_open), many, 8, CELL_PERMISSION_DENIED);
    decline(&good_open, sizeof(good_open), other, 1, CELL_PERMISSION_DENIED);
    decline(&version, sizeof(version), &fd, 1, CELL_UNIMPLEMENTED);
    decline(&region, sizeof(region), &fd, 1, CELL_UNIMPLEMENTED);
    decline(&reserved, sizeof(reserved), &fd, 1, CELL_UNIMPLEMENTED);
    decline(longer, sizeof(longer), &fd, 1, CELL_UNIMPLEMENTED);
    decline(&good_open, 4, &fd, 1, CELL_UNIMPLEMENTED);
    decline(NULL, 0, &fd, 1, CELL_UNIMPLEMENTED);
    cell_shm_memory_unmap(m, REGION);
    close(fd);
    close(pipes[0]);
    close(pipes[1]);
}

CLEAN_TEST(regions_are_taken_from_the_memory_of_the_user)
{
    struct cell_memory memory = {.limit = 4 * REGION};
    struct peer p;
    peer_memory = &memory;
    REQUIRE(peer_upgraded(&p));
    CHECK(atomic_load(&memory.used) == 2 * REGION);
    peer_close(&p);
    CHECK(atomic_load(&memory.used) == 0);
    peer_memory = NULL;
}

CLEAN_TEST(without_memory_for_the_regions_the_connection_stays_a_plain_one)
{
    /* The second half of what there is is not for regions. */
    static const size_t limits[] = {4 * REGION - 1, 2 * REGION, 4096};
    void *m = NULL;
    int fd = -1;
    REQUIRE(cell_shm_memory_new(REGION, &m, &fd, &e) == CELL_OK);
    for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct cell_memory memory = {.limit = limits[i]};
        peer_memory = &memory;
        decline(&good_open, sizeof(good_open), &fd, 1, CELL_RESOURCE_EXHAUSTED);
    }
    cell_shm_memory_unmap(m, REGION);
    close(fd);
}

/* What the server, in this stage, is sent is an error, after which it can still say why. */
static void refuse(struct peer *p)
{
    const struct cell_frame f = {.kind = CELL_FRAME_GOAWAY};
    CHECK(recv_now(p) == CELL_PROTOCOL_ERROR);
    CHECK(cell_conn_readable(p->conn));
    CHECK(recv_now(p) == CELL_UNAVAILABLE);
    CHECK(cell_conn_send(p->conn, &f, NULL, 0, 0, &e) == CELL_OK);
}

CLEAN_TEST(frames_that_do_not_begin_an_offer_are_refused)
{
    static const uint8_t kinds[] = {CELL_FRAME_SHM_ACCEPT, CELL_FRAME_SHM_READY, CELL_FRAME_SHM_WAKE,
                                    CELL_FRAME_SHM_BLOB};
    for (unsigned i = 0; i < sizeof(kinds); i++)
        for (unsigned with = 0; with < 2; with++) {
            struct peer p;
            REQUIRE(peer_open(&p, UNIX_STAGE_EXPECTED));
            uint32_t len = kinds[i] == CELL_FRAME_SHM_WAKE ? 0 : 32;
            CHECK(peer_send(&p, kinds[i], p.own, len, &p.memory, (int)with));
            if (with) /* who looks first loses nothing */
                CHECK(cell_conn_readable(p.conn));
            refuse(&p);
            peer_close(&p);
        }
}

CLEAN_TEST(an_offer_comes_before_the_first_call_or_never)
{
    struct peer p;
    REQUIRE(peer_open(&p, UNIX_STAGE_EXPECTED));
    CHECK(peer_send(&p, CELL_FRAME_SCHEMA, "schema", 6, NULL, 0));
    CHECK(recv_now(&p) == CELL_OK);
    CHECK(peer_offer(&p, &good_open, sizeof(good_open), &p.memory, 1) == CELL_OK);
    peer_close(&p);
    REQUIRE(peer_open(&p, UNIX_STAGE_EXPECTED));
    const struct cell_frame call = {.kind = CELL_FRAME_CALL, .id = 1};
    uint8_t header[CELL_FRAME_HEADER];
    cell_frame_encode(&call, header);
    CHECK(send(p.fd, header, sizeof(header), MSG_NOSIGNAL) == (ssize_t)sizeof(header));
    CHECK(recv_now(&p) == CELL_OK);
    CHECK(peer_send(&p, CELL_FRAME_SHM_OPEN, &good_open, sizeof(good_open), &p.memory, 1));
    refuse(&p);
    peer_close(&p);
}

CLEAN_TEST(a_plain_connection_takes_no_part)
{
    struct peer p;
    REQUIRE(peer_open(&p, UNIX_STAGE_NONE));
    CHECK(peer_send(&p, CELL_FRAME_SHM_OPEN, &good_open, sizeof(good_open), &p.memory, 1));
    refuse(&p);
    peer_close(&p);
}

CLEAN_TEST(an_offer_comes_in_one_piece)
{
    struct peer p;
    const struct cell_frame f = {.kind = CELL_FRAME_SHM_OPEN, .length = sizeof(good_open)};
    uint8_t bytes[CELL_FRAME_HEADER + sizeof(good_open)];
    cell_frame_encode(&f, bytes);
    memcpy(bytes + CELL_FRAME_HEADER, &good_open, sizeof(good_open));
    for (size_t n = 1; n < sizeof(bytes); n++) {
        REQUIRE(peer_open(&p, UNIX_STAGE_EXPECTED));
        CHECK(send(p.fd, bytes, n, 0) == (ssize_t)n);
        int r = recv_now(&p);
        CHECK(r == (n < CELL_FRAME_HEADER ? CELL_DEADLINE_EXCEEDED : CELL_PROTOCOL_ERROR));
        CHECK(send(p.fd, bytes + n, sizeof(bytes) - n, 0) == (ssize_t)(sizeof(bytes) - n));
        CHECK(recv_now(&p) == (r == CELL_PROTOCOL_ERROR ? CELL_UNAVAILABLE : CELL_PROTOCOL_ERROR));
        peer_close(&p);
    }
}

CLEAN_TEST(descriptors_that_nobody_asked_for_are_closed)
{
    struct peer p;
    for (int stage = UNIX_STAGE_NONE; stage <= UNIX_STAGE_EXPECTED; stage++) {
        REQUIRE(peer_open(&p, (enum unix_stage)stage));
        for (int i = 0; i < 3; i++) {
            const int fds[] = {p.memory, p.memory, p.memory};
            CHECK(peer_send(&p, CELL_FRAME_SCHEMA, "schema", 6, fds, i + 1));
            unsigned before = open_descriptors();
            CHECK(recv_now(&p) == CELL_OK);
            CHECK(open_descriptors() == before);
        }
        peer_close(&p);
    }
    REQUIRE(peer_open(&p, UNIX_STAGE_EXPECTED));
    CHECK(peer_offer(&p, &good_open, sizeof(good_open), &p.memory, 1) == 0);
    CHECK(peer_send(&p, CELL_FRAME_SCHEMA, "schema", 6, &p.memory, 1)); /* before SHM_READY */
    CHECK(recv_now(&p) == CELL_OK);
    peer_close(&p);
    REQUIRE(peer_upgraded(&p));
    CHECK(peer_send(&p, CELL_FRAME_SHM_WAKE, NULL, 0, &p.memory, 1));
    refuse(&p);
    peer_close(&p);
}

static void accept_then(uint8_t kind, const void *payload, uint32_t len, int fds)
{
    struct peer p;
    REQUIRE(peer_open(&p, UNIX_STAGE_EXPECTED));
    CHECK(peer_offer(&p, &good_open, sizeof(good_open), &p.memory, 1) == 0);
    CHECK(peer_send(&p, kind, payload ? payload : p.token, len, &p.memory, fds));
    refuse(&p);
    CHECK(strcmp(cell_conn_ops(p.conn)->name, "unix") == 0);
    peer_close(&p);
}

CLEAN_TEST(only_the_token_of_the_connection_makes_it_ready)
{
    uint8_t token[CELL_SHM_TOKEN] = {0};
    struct peer p, other;
    accept_then(CELL_FRAME_SHM_READY, token, sizeof(token), 0);
    accept_then(CELL_FRAME_SHM_READY, NULL, CELL_SHM_TOKEN - 1, 0);
    accept_then(CELL_FRAME_SHM_READY, NULL, 0, 0);
    accept_then(CELL_FRAME_SHM_READY, NULL, CELL_SHM_TOKEN, 1); /* the right one, with a descriptor */
    accept_then(CELL_FRAME_SHM_OPEN, &good_open, sizeof(good_open), 1);
    accept_then(CELL_FRAME_SHM_BLOB, &good_open, 8, 1);
    for (unsigned i = 0; i < CELL_SHM_TOKEN; i++) { /* every byte counts */
        REQUIRE(peer_open(&p, UNIX_STAGE_EXPECTED));
        CHECK(peer_offer(&p, &good_open, sizeof(good_open), &p.memory, 1) == 0);
        p.token[i] ^= 1u << i % 8;
        CHECK(peer_send(&p, CELL_FRAME_SHM_READY, p.token, sizeof(p.token), NULL, 0));
        refuse(&p);
        peer_close(&p);
    }
    REQUIRE(peer_open(&p, UNIX_STAGE_EXPECTED) && peer_open(&other, UNIX_STAGE_EXPECTED));
    CHECK(peer_offer(&p, &good_open, sizeof(good_open), &p.memory, 1) == 0);
    CHECK(peer_offer(&other, &good_open, sizeof(good_open), &other.memory, 1) == 0);
    CHECK(memcmp(p.token, other.token, sizeof(p.token)) != 0);
    CHECK(peer_send(&p, CELL_FRAME_SHM_READY, other.token, sizeof(p.token), NULL, 0));
    refuse(&p);
    peer_close(&p);
    peer_close(&other);
}

CLEAN_TEST(the_handshake_happens_once)
{
    struct peer p;
    REQUIRE(peer_upgraded(&p));
    CHECK(peer_send(&p, CELL_FRAME_SHM_READY, p.token, sizeof(p.token), NULL, 0));
    refuse(&p);
    peer_close(&p);
    REQUIRE(peer_upgraded(&p));
    CHECK(peer_send(&p, CELL_FRAME_SHM_OPEN, &good_open, sizeof(good_open), &p.memory, 1));
    refuse(&p);
    peer_close(&p);
    REQUIRE(peer_upgraded(&p));
    CHECK(peer_send(&p, CELL_FRAME_SCHEMA, "schema", 6, NULL, 0)); /* over the socket no more */
    refuse(&p);
    peer_close(&p);
}

/* Two sides that have one and the same CPU must not keep it from each other. */
CLEAN_TEST(who_shares_its_only_cpu_does_not_spin)
{
    cpu_set_t before, one;
    unsigned cpu = 0;
    REQUIRE(sched_getaffinity(0, sizeof(before), &before) == 0);
    while (!CPU_ISSET(cpu, &before))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    REQUIRE(sched_setaffinity(0, sizeof(one), &one) == 0);
    for (unsigned other = 0; other <= cpu + 2; other++) {
        struct peer p;
        REQUIRE(peer_open(&p, UNIX_STAGE_EXPECTED));
        memcpy(p.own->handshake, &other, sizeof(other));
        CHECK(peer_offer(&p, &good_open, sizeof(good_open), &p.memory, 1) == 0);
        bool spins = ((struct unix_conn *)p.conn)->shm->may_spin;
        CHECK(spins == (other != cpu + 1 && sysconf(_SC_NPROCESSORS_ONLN) > 1));
        uint32_t said;
        memcpy(&said, p.seen->handshake, sizeof(said));
        CHECK(said == cpu + 1);
        peer_close(&p);
    }
    CHECK(sched_setaffinity(0, sizeof(before), &before) == 0);
}

/* ---- the client ---- */

static bool open_client(struct peer *p)
{
    struct open_payload o;
    int fd = -1;
    const void *m = NULL;
    if (!peer_open(p, UNIX_STAGE_NONE) || cell_shm_offer((struct unix_conn *)p->conn, true, &e) < 0 ||
        !peer_recv(p, CELL_FRAME_SHM_OPEN, &o, sizeof(o), &fd))
        return false;
    CHECK(memcmp(&o, &good_open, sizeof(o)) == 0);
    CHECK(cell_shm_memory_map(fd, REGION, geteuid(), &m, &e) == CELL_OK);
    p->seen = m;
    close(fd);
    return true;
}

CLEAN_TEST(a_client_goes_on_over_the_socket_until_it_is_answered)
{
    struct peer p;
    uint8_t payload[32];
    const struct accept_payload a = {0, MAX_PAYLOAD, "token"};
    int fd;
    REQUIRE(open_client(&p));
    CHECK(send_one(&p, 1, 8) == CELL_OK);
    CHECK(peer_recv(&p, CELL_FRAME_CALL, payload, 8, &fd) && fd < 0);
    CHECK(peer_send(&p, CELL_FRAME_SCHEMA, "schema", 6, NULL, 0));
    CHECK(recv_now(&p) == CELL_OK);
    CHECK(!cell_conn_readable(p.conn));
    CHECK(peer_send(&p, CELL_FRAME_SHM_ACCEPT, &a, sizeof(a), &p.memory, 1));
    CHECK(!cell_conn_readable(p.conn)); /* that is no frame for the caller */
    CHECK(recv_now(&p) == CELL_DEADLINE_EXCEEDED);
    CHECK(send_one(&p, 2, 8) == CELL_OK);
    CHECK(peer_recv(&p, CELL_FRAME_SHM_READY, payload, 32, &fd) && fd < 0 && memcmp(payload, "token", 6) == 0);
    CHECK(atomic_load(&p.seen->slots[0].commit) == 1 && atomic_load(&p.seen->slots[1].commit) == 0);
    peer_close(&p);
}

/* An answer that is none ends the connection: the server sends through the ring from there on. */
static void answer(struct accept_payload a, uint32_t len, const int *fds, int n, int status)
{
    struct peer p;
    REQUIRE(open_client(&p));
    CHECK(peer_send(&p, CELL_FRAME_SHM_ACCEPT, &a, len, fds, n));
    CHECK(recv_now(&p) == status);
    CHECK(recv_now(&p) == (status == CELL_DEADLINE_EXCEEDED ? status : CELL_UNAVAILABLE));
    if (status == CELL_PERMISSION_DENIED) /* nor would the server still read what is sent */
        CHECK(send_one(&p, 1, 8) == CELL_UNAVAILABLE);
    CHECK(strcmp(cell_conn_ops(p.conn)->name, "unix") == 0);
    peer_close(&p);
}

CLEAN_TEST(a_client_checks_the_answer)
{
    const struct accept_payload good = {0, MAX_PAYLOAD, {1}}, no = {CELL_NO_MEMORY, 0, {0}}, positive = {1, 0, {0}};
    void *m = NULL;
    int fd = -1, pipes[2];
    REQUIRE(cell_shm_memory_new(REGION, &m, &fd, &e) == CELL_OK && pipe(pipes) == 0);
    const int two[] = {fd, fd};
    answer(no, sizeof(no), NULL, 0, CELL_DEADLINE_EXCEEDED); /* declined, and nothing else came */
    answer(no, sizeof(no), &fd, 1, CELL_PROTOCOL_ERROR);
    answer(positive, sizeof(no), NULL, 0, CELL_PROTOCOL_ERROR);
    answer(good, sizeof(good), NULL, 0, CELL_PERMISSION_DENIED);
    answer(good, sizeof(good), two, 2, CELL_PERMISSION_DENIED);
    answer(good, sizeof(good), pipes, 1, CELL_PERMISSION_DENIED);
    answer(good, sizeof(good) - 1, &fd, 1, CELL_PROTOCOL_ERROR);
    answer(good, 0, &fd, 1, CELL_PROTOCOL_ERROR);
    cell_shm_memory_unmap(m, REGION);
    close(fd);
    close(pipes[0]);
    close(pipes[1]);
}

CLEAN_TEST(a_client_that_is_declined_goes_on_over_the_socket)
{
    struct peer p;
    uint8_t payload[8];
    const struct accept_payload no = {CELL_PERMISSION_DENIED, 0, {0}};
    int fd;
    REQUIRE(open_client(&p));
    CHECK(peer_send(&p, CELL_FRAME_SHM_ACCEPT, &no, sizeof(no), NULL, 0));
    CHECK(peer_send(&p, CELL_FRAME_SCHEMA, "schema", 6, NULL, 0));
    CHECK(recv_now(&p) == CELL_OK);
    CHECK(shared_mappings() == 2); /* the test's own: the client's region is given back */
    CHECK(send_one(&p, 1, 8) == CELL_OK);
    CHECK(peer_recv(&p, CELL_FRAME_CALL, payload, 8, &fd));
    CHECK(peer_send(&p, CELL_FRAME_SHM_ACCEPT, &no, sizeof(no), NULL, 0)); /* once is enough */
    refuse(&p);
    peer_close(&p);
}

/* ---- who insists ---- */

CLEAN_TEST(a_server_that_insists_serves_nobody_without)
{
    struct peer p;
    const struct open_payload version = {CELL_SHM_VERSION + 1, REGION, 4096, 0};
    REQUIRE(peer_open(&p, UNIX_STAGE_EXPECTED));
    ((struct unix_conn *)p.conn)->insists = true;
    CHECK(peer_send(&p, CELL_FRAME_SCHEMA, "schema", 6, NULL, 0));
    CHECK(recv_now(&p) == CELL_UNAVAILABLE && strstr(e.text, "shared memory"));
    CHECK(recv_now(&p) == CELL_UNAVAILABLE);
    peer_close(&p);
    REQUIRE(peer_open(&p, UNIX_STAGE_EXPECTED));
    ((struct unix_conn *)p.conn)->insists = true;
    CHECK(peer_send(&p, CELL_FRAME_SHM_OPEN, &version, sizeof(version), &p.memory, 1));
    CHECK(recv_now(&p) == CELL_UNAVAILABLE && strstr(e.text, "version 3"));
    peer_close(&p);
    REQUIRE(peer_open(&p, UNIX_STAGE_EXPECTED));
    ((struct unix_conn *)p.conn)->insists = true;
    CHECK(peer_send(&p, CELL_FRAME_SHM_OPEN, &good_open, sizeof(good_open), NULL, 0));
    CHECK(recv_now(&p) == CELL_PERMISSION_DENIED);
    peer_close(&p);
}

CLEAN_TEST(a_client_that_insists_is_not_served_without)
{
    static const int32_t statuses[][2] = {{CELL_PERMISSION_DENIED, CELL_PERMISSION_DENIED},
                                          {CELL_NO_MEMORY, CELL_UNAVAILABLE}};
    for (int i = 0; i < 2; i++) {
        struct peer p;
        const struct accept_payload no = {statuses[i][0], 0, {0}};
        REQUIRE(open_client(&p));
        ((struct unix_conn *)p.conn)->insists = true;
        CHECK(peer_send(&p, CELL_FRAME_SHM_ACCEPT, &no, sizeof(no), NULL, 0));
        CHECK(recv_now(&p) == statuses[i][1] && strstr(e.text, "declined"));
        CHECK(recv_now(&p) == CELL_UNAVAILABLE);
        peer_close(&p);
    }
}

/* ---- real sockets ---- */

static bool pass(struct cell_conn *from, struct cell_conn *to, uint64_t id)
{
    const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = id};
    struct cell_received r;
    uint64_t deadline = cell_now_ns() + 60000 * CELL_NS_PER_MS;
    return cell_conn_send(from, &f, NULL, 0, deadline, &e) == CELL_OK &&
           cell_conn_recv(to, &r, deadline, &e) == CELL_OK && r.frame.id == id;
}

CLEAN_TEST(a_client_chooses_whether_it_offers)
{
    char address[128];
    struct cell_listener *l = NULL;
    temp_folder_make();
    snprintf(address, sizeof(address), "unix:%s/s", temp_folder);
    REQUIRE(cell_transport_unix.listen(address, -1, &l, &e) == CELL_OK);
    for (int shm = 0; shm < 2; shm++) {
        const struct cell_connect_options o = {.deadline_ns = CELL_NO_DEADLINE, .max_payload = 4096, .shm = shm};
        struct cell_conn *c = NULL, *s = NULL;
        REQUIRE(cell_transport_unix.connect(address, &o, &c, &e) == CELL_OK);
        REQUIRE(cell_transport_unix.accept(l, 4096, &s, &e) == CELL_OK);
        CHECK(pass(c, s, 1) && pass(s, c, 2) && pass(c, s, 3) && pass(s, c, 4));
        CHECK(strcmp(cell_conn_ops(c)->name, shm ? "shm" : "unix") == 0);
        CHECK(strcmp(cell_conn_ops(s)->name, shm ? "shm" : "unix") == 0);
        /* An upgraded connection costs one descriptor a side. */
        CHECK(shared_mappings() == (shm ? 4 : 0));
        cell_conn_close(c);
        cell_conn_close(s);
    }
    cell_transport_unix.listener_close(l);
    temp_folder_remove();
}

/* Connects as another user, and is served over the socket. */
static void connect_as_nobody(void)
{
    char address[128];
    const struct cell_connect_options o = {
        .deadline_ns = CELL_NO_DEADLINE, .max_payload = 4096, .shm = true, .any_owner = true};
    struct cell_conn *c = NULL;
    struct cell_received r;
    const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = 1};
    snprintf(address, sizeof(address), "unix:%s/s", temp_folder);
    REQUIRE(cell_transport_unix.connect(address, &o, &c, &e) == CELL_OK);
    CHECK(cell_conn_send(c, &f, NULL, 0, CELL_NO_DEADLINE, &e) == CELL_OK);
    CHECK(cell_conn_recv(c, &r, CELL_NO_DEADLINE, &e) == CELL_OK && r.frame.id == 2);
    CHECK(strcmp(cell_conn_ops(c)->name, "unix") == 0);
    cell_conn_close(c);
}

static void *serve_one(void *arg)
{
    struct cell_conn *s = NULL;
    struct cell_received r;
    const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = 2};
    struct pollfd p = {.fd = cell_transport_unix.listener_fd(arg), .events = POLLIN};
    CHECK(poll(&p, 1, 60000) == 1);
    CHECK(cell_transport_unix.accept(arg, 4096, &s, &e) == CELL_OK);
    if (s) {
        CHECK(cell_conn_recv(s, &r, cell_now_ns() + 60000 * CELL_NS_PER_MS, &e) == CELL_OK && r.frame.id == 1);
        CHECK(cell_conn_send(s, &f, NULL, 0, CELL_NO_DEADLINE, &e) == CELL_OK);
        CHECK(cell_conn_recv(s, &r, cell_now_ns() + 60000 * CELL_NS_PER_MS, &e) == CELL_UNAVAILABLE);
        CHECK(strcmp(cell_conn_ops(s)->name, "unix") == 0);
    }
    cell_conn_close(s);
    return NULL;
}

CLEAN_TEST(memory_is_not_shared_with_another_user)
{
    char address[128];
    struct cell_listener *l = NULL;
    pthread_t thread;
    if (geteuid() != 0)
        return;
    temp_folder_make();
    snprintf(address, sizeof(address), "unix:%s/s", temp_folder);
    REQUIRE(cell_transport_unix.listen(address, -1, &l, &e) == CELL_OK);
    REQUIRE(chmod(address + strlen("unix:"), 0666) == 0);
    REQUIRE(pthread_create(&thread, NULL, serve_one, l) == 0);
    temp_run_as(TEMP_NOBODY, connect_as_nobody);
    pthread_join(thread, NULL);
    cell_transport_unix.listener_close(l);
    temp_folder_remove();
}
