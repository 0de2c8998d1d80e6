/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One direction of a shared-memory connection, also between threads and processes. Built for ThreadSanitizer as well.
 */
#include "test.h"

#include "base/error.h"
#include "ring_fixture.h"

static bool receive(struct ring *r)
{
    uint32_t number = r->c.next;
    const uint8_t *slot = cell_ring_peek(&r->c);
    if (!slot || !ring_whole(r->c.other, slot, number))
        return false;
    cell_ring_take(&r->c);
    return true;
}

TEST(messages_of_every_size_arrive_whole)
{
    struct ring r;
    ring_open(&r, NEAR_WRAP);
    for (uint32_t data = 0; data <= CELL_RING_DATA; data += data < 700 || data + 300 > CELL_RING_DATA ? 1 : 61) {
        REQUIRE(cell_ring_peek(&r.c) == NULL);
        REQUIRE(ring_send(&r.p, data) == 0);
        REQUIRE(receive(&r));
        cell_ring_release(&r.c);
    }
    ring_close(&r);
}

TEST(a_reservation_is_not_visible_and_is_replaced_by_the_next_one)
{
    struct ring r;
    uint8_t *slot, *again, *bytes;
    uint32_t offset;
    ring_open(&r, 0);
    REQUIRE(cell_ring_reserve(&r.p, CELL_RING_DATA, &slot, &bytes, &offset) == 0);
    CHECK(bytes == r.a->data && offset == 0);
    CHECK(cell_ring_peek(&r.c) == NULL);
    REQUIRE(cell_ring_reserve(&r.p, 0, &again, &bytes, &offset) == 0);
    CHECK(again == slot && bytes == NULL && offset == 0);
    REQUIRE(cell_ring_reserve(&r.p, 100, &again, &bytes, &offset) == 0);
    CHECK(again == slot && bytes == r.a->data);
    CHECK(ring_send(&r.p, CELL_RING_DATA) == 0);
    CHECK(receive(&r));
    ring_close(&r);
}

TEST(more_data_than_there_is_room_for_is_refused_at_once)
{
    struct ring r;
    uint8_t *slot = NULL, *bytes = NULL;
    uint32_t offset = 7, bell = 7;
    ring_open(&r, 0);
    CHECK(cell_ring_reserve(&r.p, CELL_RING_DATA + 1, &slot, &bytes, &offset) == CELL_INVALID_ARGUMENT);
    CHECK(cell_ring_reserve(&r.p, UINT32_MAX, &slot, &bytes, &offset) == CELL_INVALID_ARGUMENT);
    CHECK(slot == NULL && bytes == NULL && offset == 7);
    CHECK(!cell_ring_sender_begin_sleep(&r.p, UINT32_MAX, &bell) && bell == 7);
    ring_close(&r);
}

TEST(a_producer_can_wait_for_one_message_to_be_released)
{
    static const uint32_t first[] = {0, NEAR_WRAP};
    for (size_t k = 0; k < 2; k++) {
        struct ring r;
        uint32_t bell = 7;
        ring_open(&r, first[k]);
        for (int i = 0; i < 5; i++)
            REQUIRE(ring_send(&r.p, 100) == 0);
        for (uint32_t i = 0; i < 5; i++) {
            CHECK(cell_ring_is_released(&r.p, first[k] + i) == 0);
            REQUIRE(cell_ring_sender_begin_sleep_until(&r.p, first[k] + i + 1, &bell));
            CHECK(atomic_load(&r.a->sender_wants) == first[k] + i + 1);
            CHECK(atomic_load(&r.a->sender_sleeps) != CELL_RING_AWAKE);
            uint32_t rung = atomic_load(&r.b->bell);
            REQUIRE(receive(&r));
            cell_ring_release(&r.c); /* wakes it, though the ring was never full */
            CHECK(atomic_load(&r.b->bell) == rung + 1);
            cell_ring_sender_end_sleep(&r.p);
            CHECK(cell_ring_is_released(&r.p, first[k] + i) == 1);
            CHECK(!cell_ring_sender_begin_sleep_until(&r.p, first[k] + i + 1, &bell));
            CHECK(atomic_load(&r.a->sender_sleeps) == CELL_RING_AWAKE);
        }
        atomic_store(&r.b->head, first[k] + 6); /* of five */
        CHECK(cell_ring_is_released(&r.p, first[k] + 4) == CELL_PROTOCOL_ERROR);
        CHECK(!cell_ring_sender_begin_sleep_until(&r.p, first[k] + 6, &bell));
        ring_close(&r);
    }
}

TEST(a_full_ring_takes_one_message_for_each_that_is_released)
{
    struct ring r;
    ring_open(&r, NEAR_WRAP);
    for (uint32_t i = 0; i < CELL_RING_SLOTS; i++)
        REQUIRE(ring_send(&r.p, 0) == 0);
    for (uint32_t i = 0; i < 5 * CELL_RING_SLOTS; i++) {
        REQUIRE(ring_send(&r.p, 0) == CELL_RESOURCE_EXHAUSTED);
        REQUIRE(receive(&r));
        REQUIRE(ring_send(&r.p, 0) == CELL_RESOURCE_EXHAUSTED); /* taken is not released */
        cell_ring_release(&r.c);
        REQUIRE(ring_send(&r.p, 0) == 0);
    }
    ring_close(&r);
}

TEST(data_lies_in_one_piece_and_waits_for_what_it_would_overwrite)
{
    struct ring r;
    uint8_t *slot, *bytes;
    uint32_t offset, piece = CELL_RING_DATA / 4;
    ring_open(&r, 0);
    for (int i = 0; i < 3; i++)
        REQUIRE(ring_send(&r.p, piece) == 0);
    REQUIRE(cell_ring_reserve(&r.p, piece + 1, &slot, &bytes, &offset) == CELL_RESOURCE_EXHAUSTED);
    CHECK(receive(&r));
    cell_ring_release(&r.c); /* half is free now, in two pieces */
    CHECK(cell_ring_reserve(&r.p, piece + 1, &slot, &bytes, &offset) == CELL_RESOURCE_EXHAUSTED);
    CHECK(receive(&r));
    cell_ring_release(&r.c);
    REQUIRE(ring_send(&r.p, piece + 1) == 0); /* the last quarter is skipped */
    CHECK(r.p.data_used == 3 * piece + CELL_RING_LINE);
    CHECK(receive(&r) && receive(&r));
    cell_ring_release(&r.c);
    CHECK(ring_send(&r.p, CELL_RING_DATA) == 0); /* all is free: from the start again */
    CHECK(receive(&r));
    ring_close(&r);
}

TEST(random_messages_keep_their_bytes_until_they_are_released)
{
    struct ring r;
    uint32_t seed = 1, sent = 0, waiting = 0;
    ring_open(&r, NEAR_WRAP);
    while (sent < 20000) {
        uint32_t data = ring_random_size(&seed);
        int result = ring_send(&r.p, data);
        REQUIRE(result == 0 || result == CELL_RESOURCE_EXHAUSTED);
        if (result == 0) {
            sent++;
            waiting++;
            REQUIRE(r.p.data_used <= CELL_RING_DATA && r.p.data_next <= CELL_RING_DATA);
        } else {
            REQUIRE(waiting > 0); /* an empty ring takes everything */
        }
        uint32_t take = ring_random(&seed) % 4 == 0 || result < 0 ? ring_random(&seed) % (waiting + 1) : 0;
        for (; take > 0; take--, waiting--)
            REQUIRE(receive(&r));
        cell_ring_release(&r.c);
    }
    ring_close(&r);
}

TEST(the_other_head_is_read_only_when_room_is_short)
{
    struct ring r;
    ring_open(&r, 0);
    atomic_store(&r.b->head, 12345);
    for (uint32_t i = 0; i < CELL_RING_SLOTS; i++)
        REQUIRE(ring_send(&r.p, 0) == 0);
    CHECK(ring_send(&r.p, 0) == CELL_PROTOCOL_ERROR);
    ring_close(&r);
}

TEST(an_impossible_head_is_refused)
{
    static const uint32_t first[] = {0, NEAR_WRAP, 0x7fffffc0u};
    for (size_t k = 0; k < sizeof(first) / sizeof(first[0]); k++) {
        struct ring r;
        uint32_t bell;
        ring_open(&r, first[k]);
        for (uint32_t i = 0; i < CELL_RING_SLOTS; i++)
            REQUIRE(ring_send(&r.p, 100) == 0);
        for (int bit = 0; bit < 32; bit++)
            for (int sign = -1; sign <= 1; sign += 2) {
                uint32_t off = (uint32_t)sign << bit;
                if (off > 0 && off <= CELL_RING_SLOTS)
                    continue; /* possible */
                atomic_store(&r.b->head, first[k] + off);
                REQUIRE(ring_send(&r.p, 0) == CELL_PROTOCOL_ERROR);
                REQUIRE(!cell_ring_sender_begin_sleep(&r.p, 0, &bell));
                REQUIRE(atomic_load(&r.a->sender_sleeps) == CELL_RING_AWAKE);
            }
        atomic_store(&r.b->head, first[k] + 3); /* and is not believed to move backwards */
        REQUIRE(ring_send(&r.p, 0) == 0 && ring_send(&r.p, 0) == 0 && ring_send(&r.p, 0) == 0);
        atomic_store(&r.b->head, first[k] + 2);
        REQUIRE(ring_send(&r.p, 0) == CELL_PROTOCOL_ERROR);
        ring_close(&r);
    }
}

TEST(only_the_number_that_is_expected_is_a_message)
{
    struct ring r;
    ring_open(&r, 0);
    for (uint32_t i = 0; i < CELL_RING_SLOTS; i++)
        atomic_store(&r.a->slots[i].commit, 2);
    CHECK(cell_ring_peek(&r.c) == NULL);
    for (int bit = 0; bit < 32; bit++) {
        atomic_store(&r.a->slots[0].commit, 1u ^ 1u << bit);
        CHECK(cell_ring_peek(&r.c) == NULL);
    }
    atomic_store(&r.a->slots[0].commit, 1);
    CHECK(cell_ring_peek(&r.c) == r.a_seen->slots[0].bytes);
    ring_close(&r);
}

TEST(whatever_the_other_side_writes_nothing_outside_is_touched)
{
    struct ring r;
    uint32_t seed = 7, bell;
    size_t refused = 0, sent = 0, received = 0;
    ring_open(&r, NEAR_WRAP);
    for (int step = 0; step < 60000; step++) {
        uint32_t data = ring_random_size(&seed);
        ring_scramble(r.b, &seed, r.p.next); /* the producer's peer lies */
        int result = ring_send(&r.p, data);
        REQUIRE(result == 0 || result == CELL_RESOURCE_EXHAUSTED || result == CELL_PROTOCOL_ERROR);
        refused += result == CELL_PROTOCOL_ERROR;
        sent += result == 0;
        cell_ring_wake_receiver(&r.p);
        if (cell_ring_sender_begin_sleep(&r.p, data, &bell))
            cell_ring_sender_end_sleep(&r.p);
        REQUIRE(r.p.next - r.p.head <= CELL_RING_SLOTS);
        REQUIRE(r.p.data_used <= CELL_RING_DATA && r.p.data_next <= CELL_RING_DATA);

        ring_scramble(r.a, &seed, r.c.next); /* and now the consumer's */
        const uint8_t *slot = cell_ring_peek(&r.c);
        if (slot) {
            REQUIRE(slot == r.a_seen->slots[r.c.next % CELL_RING_SLOTS].bytes);
            cell_ring_take(&r.c);
            received++;
        }
        cell_ring_release(&r.c);
        cell_ring_wake_sender(&r.c);
        if (cell_ring_receiver_begin_sleep(&r.c, step % 2 ? CELL_RING_FUTEX : CELL_RING_POLL, &bell)) {
            cell_ring_wait(r.c.other, bell, 0);
            cell_ring_receiver_end_sleep(&r.c);
        }
    }
    CHECK(refused > 100 && sent > 100 && received > 100);
    ring_close(&r);
}

/* ---- sleeping ---- */

TEST(a_sleeping_receiver_is_woken_once_for_each_sleep)
{
    struct ring r;
    uint32_t bell;
    ring_open(&r, 0);
    CHECK(!cell_ring_wake_receiver(&r.p) && atomic_load(&r.a->bell) == 0);
    for (uint32_t i = 1; i <= 3; i++) {
        REQUIRE(cell_ring_receiver_begin_sleep(&r.c, CELL_RING_FUTEX, &bell));
        CHECK(bell == i - 1);
        for (int again = 0; again < 3; again++) {
            REQUIRE(ring_send(&r.p, 0) == 0);
            CHECK(!cell_ring_wake_receiver(&r.p));
            CHECK(atomic_load(&r.a->bell) == i);
        }
        cell_ring_receiver_end_sleep(&r.c);
        CHECK(receive(&r) && receive(&r) && receive(&r));
        CHECK(ring_send(&r.p, 0) == 0 && !cell_ring_wake_receiver(&r.p) && atomic_load(&r.a->bell) == i);
        CHECK(receive(&r));
    }
    for (uint32_t i = 1; i <= 3; i++) {
        REQUIRE(cell_ring_receiver_begin_sleep(&r.c, CELL_RING_POLL, &bell));
        CHECK(cell_ring_wake_receiver(&r.p));
        CHECK(!cell_ring_wake_receiver(&r.p));
        CHECK(atomic_load(&r.a->bell) == 3); /* which is not what it sleeps on */
        cell_ring_receiver_end_sleep(&r.c);
    }
    ring_close(&r);
}

TEST(nobody_sleeps_when_a_message_is_there)
{
    struct ring r;
    uint32_t bell = 7;
    ring_open(&r, 0);
    CHECK(ring_send(&r.p, 0) == 0);
    CHECK(!cell_ring_receiver_begin_sleep(&r.c, CELL_RING_FUTEX, &bell) && bell == 7);
    CHECK(!cell_ring_wake_receiver(&r.p) && atomic_load(&r.a->bell) == 0);
    CHECK(receive(&r));
    CHECK(cell_ring_receiver_begin_sleep(&r.c, CELL_RING_FUTEX, &bell) && bell == 0);
    ring_close(&r);
}

/* How many messages of `n`, with `data` bytes each, are released before a sender that wants `more` is woken. */
static uint32_t released_before_wake(uint32_t n, uint32_t data, uint32_t more)
{
    struct ring r;
    uint32_t bell, released = 0;
    ring_open(&r, NEAR_WRAP);
    for (uint32_t i = 0; i < n; i++)
        if (ring_send(&r.p, data) < 0)
            abort();
    if (!cell_ring_sender_begin_sleep(&r.p, more, &bell))
        abort();
    while (atomic_load(&r.b->bell) == 0 && receive(&r)) {
        CHECK(!cell_ring_release(&r.c));
        released++;
    }
    CHECK(ring_send(&r.p, more) == 0);
    ring_close(&r);
    return released;
}

TEST(a_sender_is_woken_when_it_has_room_and_not_for_every_slot)
{
    CHECK(released_before_wake(CELL_RING_SLOTS, 0, 0) == CELL_RING_SLOTS / 4);
    CHECK(released_before_wake(CELL_RING_SLOTS, 0, 64) == CELL_RING_SLOTS / 4);
    CHECK(released_before_wake(4, CELL_RING_DATA / 4, 1) == 1);
    CHECK(released_before_wake(4, CELL_RING_DATA / 4, CELL_RING_DATA / 4) == 1);
    CHECK(released_before_wake(4, CELL_RING_DATA / 4, CELL_RING_DATA / 4 + 1) == 2);
    CHECK(released_before_wake(4, CELL_RING_DATA / 4, CELL_RING_DATA) == 4);
    CHECK(released_before_wake(1, 1, CELL_RING_DATA) == 1);
}

TEST(a_sender_that_wants_more_is_woken_before_the_receiver_waits_for_something_else)
{
    struct ring r;
    uint32_t bell;
    ring_open(&r, 0);
    for (uint32_t i = 0; i < CELL_RING_SLOTS; i++)
        REQUIRE(ring_send(&r.p, 0) == 0);
    REQUIRE(cell_ring_sender_begin_sleep(&r.p, 0, &bell));
    CHECK(receive(&r) && !cell_ring_release(&r.c) && atomic_load(&r.b->bell) == 0);
    CHECK(!cell_ring_wake_sender(&r.c) && atomic_load(&r.b->bell) == 1);
    cell_ring_sender_end_sleep(&r.p);
    CHECK(!cell_ring_sender_begin_sleep(&r.p, 0, &bell)); /* there is room */

    REQUIRE(ring_send(&r.p, 0) == 0);
    REQUIRE(cell_ring_sender_begin_sleep(&r.p, 0, &bell) && bell == 1);
    CHECK(receive(&r) && !cell_ring_release(&r.c) && atomic_load(&r.b->bell) == 1);
    while (receive(&r)) /* and holds these */
        ;
    CHECK(!cell_ring_receiver_begin_sleep(&r.c, CELL_RING_POLL, &bell) && bell == 1); /* it is to release them */
    CHECK(atomic_load(&r.b->receiver_sleeps) == CELL_RING_AWAKE && atomic_load(&r.b->bell) == 1);
    cell_ring_release(&r.c);
    CHECK(atomic_load(&r.b->bell) == 2);
    cell_ring_sender_end_sleep(&r.p);
    CHECK(cell_ring_receiver_begin_sleep(&r.c, CELL_RING_POLL, &bell));
    cell_ring_receiver_end_sleep(&r.c);
    CHECK(atomic_load(&r.b->bell) == 2);
    atomic_store(&r.a->sender_sleeps, 400 | CELL_RING_FUTEX); /* it had begun to, when the last release looked */
    CHECK(cell_ring_receiver_begin_sleep(&r.c, CELL_RING_POLL, &bell));
    CHECK(atomic_load(&r.b->bell) == 3);
    ring_close(&r);
}

TEST(whether_the_last_message_was_taken_is_known)
{
    struct ring r;
    ring_open(&r, 0);
    for (int i = 0; i < 200; i++) {
        REQUIRE(ring_send(&r.p, 0) == 0);
        CHECK(cell_ring_untaken(&r.p));
        REQUIRE(ring_send(&r.p, 100) == 0);
        REQUIRE(receive(&r));
        CHECK(cell_ring_untaken(&r.p)); /* the first of two was */
        REQUIRE(receive(&r));
        CHECK(!cell_ring_untaken(&r.p)); /* without being released */
        cell_ring_release(&r.c);
        CHECK(!cell_ring_untaken(&r.p));
    }
    ring_close(&r);
}
