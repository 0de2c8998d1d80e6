/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* When an offer of shared memory is sent, and what it needs made. */
#include <errno.h>

#include "shm_peer.h"

static void offer_with_next_frame(bool prepared, bool more)
{
    struct peer p;
    struct open_payload o;
    uint8_t payload[8], byte;
    int fd = -1, none;
    REQUIRE(peer_open(&p, UNIX_STAGE_NONE));
    if (prepared)
        cell_conn_prepare_shm(p.conn);
    CHECK(cell_conn_offer_shm(p.conn, &e) == CELL_OK);
    CHECK(recv(p.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN);
    const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = 1, .length = sizeof(payload)};
    const struct iovec part = {payload, sizeof(payload)};
    memset(payload, 'x', sizeof(payload));
    if (more) {
        CHECK(cell_conn_send_more(p.conn, &f, &part, 1, 0, &e) == CELL_OK);
        CHECK(recv(p.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN);
        CHECK(cell_conn_flush(p.conn, 0, &e) == CELL_OK);
    } else {
        CHECK(cell_conn_send(p.conn, &f, &part, 1, 0, &e) == CELL_OK);
    }
    CHECK(peer_recv(&p, CELL_FRAME_SHM_OPEN, &o, sizeof(o), &fd) && fd >= 0);
    CHECK(memcmp(&o, &good_open, sizeof(o)) == 0);
    CHECK(peer_recv(&p, CELL_FRAME_CALL, payload, sizeof(payload), &none) && none < 0);
    CHECK(send_one(&p, 2, 8) == CELL_OK);
    CHECK(peer_recv(&p, CELL_FRAME_CALL, payload, sizeof(payload), &none) && none < 0); /* without another offer */
    close(fd);
    peer_close(&p);
}

CLEAN_TEST(an_offer_goes_with_the_next_frame)
{
    for (int i = 0; i < 4; i++)
        offer_with_next_frame(i & 1, i & 2);
}

CLEAN_TEST(what_an_offer_needs_goes_with_a_connection_that_never_sends_one)
{
    struct peer p;
    for (int i = 0; i < 2; i++) {
        REQUIRE(peer_open(&p, UNIX_STAGE_NONE));
        cell_conn_prepare_shm(p.conn);
        CHECK(i == 0 || cell_conn_offer_shm(p.conn, &e) == CELL_OK);
        peer_close(&p);
    }
}
