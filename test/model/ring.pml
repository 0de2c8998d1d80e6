/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Model of runtime/transport/ring.c, and of how shm.c and shm_wait.c use it, for Spin: one producer, one consumer, two
 * slots, four messages. The producer waits for room on a futex; the consumer sleeps on a futex, in poll, or has told
 * that it will be in poll and is, by its own program (`armed`). Verified: every message is received whole and in order,
 * and nobody sleeps, or wakes the other, for ever. test/model/run verifies the model, and that it fails without any one
 * of the parts that are marked with #ifndef WITHOUT_….
 * progress shows it sooner: WITHOUT_ARMED_LOOK_FOR_A_SENDER
 *
 * Memory is weaker than that of x86: a store first goes into its process' buffer and becomes visible at any later time,
 * in any order with the others in the buffer; a release store becomes visible after all that were before it, and a
 * fence waits for the empty buffer. Each word has one writer, which never reads it back, so nothing is forwarded. Loads
 * happen in program order; what could move because acquire is missing is written where it could move to.
 *
 * With END one of the two may be killed before any of its statements, with three messages. The other one learns of it,
 * and not before it has received what was sent.
 *
 * Data is modelled as messages that need more free slots than their own: which message needs how much, and how much
 * more than that a sleeping producer wants, is chosen freely. So is the size of batches, on both sides.
 */
#define SLOTS 2
#if defined(END) || defined(PROGRESS) /* one more than slots: what goes round needs no more */
#define MESSAGES 3
#else
#define MESSAGES 4
#endif

/* The words of shared memory: the producer's, then the consumer's. */
#define BODY(n) ((n) % SLOTS)
#define COMMIT(n) (SLOTS + (n) % SLOTS)
#define SENDER_SLEEPS 4
#define SENDER_WANTS 5
#define HEAD 6
#define RECEIVER_SLEEPS 7
#define WORDS 8
#define PRODUCERS 63
#define CONSUMERS 192

byte memory[WORDS];
byte buffered[WORDS];
byte after[WORDS]; /* set of the words whose stores have to become visible before this one's */
byte pending;      /* set of the words with a store in a buffer */

#define store_after(word, value, set)                                                                                  \
    atomic {                                                                                                           \
        !(pending & (1 << (word)));                                                                                    \
        buffered[word] = value;                                                                                        \
        after[word] = pending & (set);                                                                                 \
        pending = pending | (1 << (word))                                                                              \
    }
#define store(word, value) store_after(word, value, 0)
#define store_release(word, value, own) store_after(word, value, own)
#define fence(own) (pending & (own)) == 0

inline becomes_visible(word)
{
    d_step {
        (pending & (1 << word)) && after[word] == 0;
        memory[word] = buffered[word];
        buffered[word] = 0;
        pending = pending & ~(1 << word);
        other = 0;
        do
        :: other < WORDS ->
            after[other] = after[other] & ~(1 << word);
            other++
        :: else ->
            other = 0;
            break
        od
    }
}

active proctype buffers()
{
    byte other;
end:
    do
    :: becomes_visible(0)
    :: becomes_visible(1)
    :: becomes_visible(2)
    :: becomes_visible(3)
    :: becomes_visible(4)
    :: becomes_visible(5)
    :: becomes_visible(6)
    :: becomes_visible(7)
    od
}

/* ---- sleeping ---- */

/*
 * Whoever sleeps says the number of this sleep, which stands for mode and count: odd ones are by futex, even ones by
 * poll. Numbers are only compared for equality, so the smallest that is nowhere any more is as good as one that was
 * never used, and keeps the model small. In the same way a bell only has to say whether it was raised since the one who
 * is going to wait has read it, and the socket whether there is something in it.
 */
#define AWAKE 0
#define SENDER 0
#define RECEIVER 1
byte heard[2]; /* what the other side last read of this one's sleep, */
byte woken[2]; /* and for which sleep it woke this one already */

#define UNREAD 0
#define READ 1
#define RAISED 2
byte bell[2]; /* the one that this one waits for, as it sees it */
bool waits[2];

/*
 * How the ring is used. BARE, as ring.h demands it at least: who sent wakes before it waits for room, and a receiver
 * releases everything before it sleeps. SHM, as shm.c and shm_wait.c do it: who sent wakes when it has said that it is
 * going to wait, because a receiver that is armed may hold what it took.
 */
#define BARE 1
#define SHM 2
byte use;
active proctype user()
{
    if
    :: use = BARE
    :: use = SHM
    fi
}

bool socket; /* the receiver's: something was sent that it has not taken */

/* Killed, then: what it has stored becomes visible, and its end of the socket is closed. */
#define NOBODY 2
#ifdef END
byte killed = NOBODY;
bool ended;
active proctype killer()
{
    if
    :: killed = SENDER
    :: killed = RECEIVER
    :: true
    fi
}
#define unless_killed(who, own) unless { killed == who -> fence(own); ended = true }
#else
#define ended false
#define unless_killed(who, own)
#endif

#define FUTEX 1
#define POLL 2

inline number_sleep(who, word, mode)
{
#ifndef WITHOUT_SLEEP_COUNT
    d_step {
        number = mode;
        do
        :: number == heard[who] || number == woken[who] || number == memory[word] || number == buffered[word] ->
            number = number + 2
        :: else -> break
        od
    }
#else
    number = mode
#endif
}

inline futex_wait(who)
{
    atomic {
        if
        :: bell[who] == READ -> waits[who] = true
        :: else
        fi
    };
#ifndef WITHOUT_SLICES
    !waits[who] || ended /* a wait by futex is cut into slices, and the socket looked at in between */
#else
    !waits[who]
#endif
}

inline end_sleep(who, word)
{
    bell[who] = UNREAD;
    store(word, AWAKE)
}

/* By the bell: a read-modify-write with release, then the system call. */
inline wake(who, own)
{
    if
    :: atomic { heard[who] % 2 == 1 && heard[who] != woken[who] -> woken[who] = heard[who]; heard[who] = AWAKE };
        atomic {
            fence(own);
            if
            :: bell[who] == READ -> bell[who] = RAISED
            :: else
            fi
        };
        waits[who] = false
    :: atomic { heard[who] % 2 == 0 || heard[who] == woken[who] -> heard[who] = AWAKE }
    fi
}

/* ---- the producer ---- */

#define has_room (next - head + need <= SLOTS)

inline wake_receiver()
{
#ifndef WITHOUT_PRODUCERS_FENCE
    fence(PRODUCERS);
#endif
    heard[RECEIVER] = memory[RECEIVER_SLEEPS];
    if
    :: atomic {
            heard[RECEIVER] != AWAKE && heard[RECEIVER] % 2 == 0 && heard[RECEIVER] != woken[RECEIVER] ->
            woken[RECEIVER] = heard[RECEIVER];
            heard[RECEIVER] = AWAKE
        };
        /* A system call; who receives from a socket sees what was written before the send. */
        atomic { fence(PRODUCERS); socket = true }
    :: else -> wake(RECEIVER, PRODUCERS)
    fi
}

inline wait_for_room()
{
#ifndef WITHOUT_BELL_READ_BEFORE_SENDERS_LOOK
    bell[SENDER] = READ;
#endif
    /* The head that is waited for: any from where there is room, up to all that was sent. */
    if
    :: store(SENDER_WANTS, next + need - SLOTS)
    :: store(SENDER_WANTS, next)
    fi;
    atomic {
        number_sleep(SENDER, SENDER_SLEEPS, FUTEX);
        store(SENDER_SLEEPS, number);
        number = 0
    };
#ifndef WITHOUT_SENDERS_FENCE
    fence(PRODUCERS);
#endif
#ifndef WITHOUT_SENDERS_LOOK
    head = memory[HEAD];
#endif
    if
    :: has_room
    :: else ->
#ifndef WITHOUT_WAKE_WHEN_WAITING_FOR_ROOM
        if
        :: use == SHM -> wake_receiver()
        :: else
        fi;
#endif
#ifdef WITHOUT_BELL_READ_BEFORE_SENDERS_LOOK
        bell[SENDER] = READ;
#endif
        futex_wait(SENDER)
    fi;
    end_sleep(SENDER, SENDER_SLEEPS)
}

active proctype producer()
{
    byte next, head, need, number;
    use != 0;
    {
    do
    :: next < MESSAGES ->
        if
        :: need = 1
        :: need = 2
        fi;
        do
        :: has_room -> break
#ifdef END
        :: !has_room && ended -> goto over
#endif
        :: else ->
#ifdef WITHOUT_HEAD_ACQUIRE
            store(BODY(next), next + 1);
#endif
            head = memory[HEAD];
            if
            :: has_room
            :: else ->
#ifndef WITHOUT_WAKE_BEFORE_WAITING_FOR_ROOM
                if
                :: use == BARE -> wake_receiver()
                :: else
                fi;
#endif
                wait_for_room()
            fi
        od;
        need = 0;
        store(BODY(next), next + 1);
#ifndef WITHOUT_COMMIT_RELEASE
        store_release(COMMIT(next), next + 1, PRODUCERS);
#else
        store(COMMIT(next), next + 1);
#endif
        next++;
progress_sent:
        if
        :: wake_receiver()
        :: next < MESSAGES
        fi
    :: else -> break
    od
    } unless_killed(SENDER, PRODUCERS);
#ifdef END
over:
    skip
#endif
}

/* ---- the consumer ---- */

inline release()
{
    if
    :: released != next ->
        released = next;
        store_release(HEAD, released, CONSUMERS);
        heard[SENDER] = memory[SENDER_SLEEPS];
        if
        :: heard[SENDER] == AWAKE || released < memory[SENDER_WANTS] -> heard[SENDER] = AWAKE
        :: else -> wake(SENDER, CONSUMERS)
        fi
    :: else
    fi
}

inline say_that_receiver_sleeps(mode)
{
    atomic {
        number_sleep(RECEIVER, RECEIVER_SLEEPS, mode);
        store(RECEIVER_SLEEPS, number);
        number = 0
    };
#ifndef WITHOUT_RECEIVERS_FENCE
    fence(CONSUMERS)
#endif
}

/* It was looked at behind the fence. */
inline wake_sender_before_sleep()
{
#ifndef WITHOUT_SENDER_WOKEN_BEFORE_SLEEP
    wake(SENDER, CONSUMERS)
#else
    heard[SENDER] = AWAKE
#endif
}

inline sleep_by_futex()
{
#ifndef WITHOUT_BELL_READ_BEFORE_RECEIVERS_LOOK
    bell[RECEIVER] = READ;
#endif
    say_that_receiver_sleeps(FUTEX);
    heard[SENDER] = memory[SENDER_SLEEPS];
    if
#ifndef WITHOUT_RECEIVERS_LOOK
    :: memory[COMMIT(next)] == next + 1 -> heard[SENDER] = AWAKE
#endif
    :: else ->
        wake_sender_before_sleep();
#ifdef WITHOUT_BELL_READ_BEFORE_RECEIVERS_LOOK
        bell[RECEIVER] = READ;
#endif
        futex_wait(RECEIVER)
    fi;
    end_sleep(RECEIVER, RECEIVER_SLEEPS)
}

/* In recv, which has released everything; or armed: who was asked whether it would have to wait says that it sleeps, and
 * its program polls. What it took last is still in use then, and is given back when the sender waits for it. */
inline sleep_by_poll()
{
#ifndef WITHOUT_DRAIN_BEFORE_RECEIVERS_LOOK
    socket = false;
#endif
    say_that_receiver_sleeps(POLL);
    heard[SENDER] = memory[SENDER_SLEEPS];
    if
#ifndef WITHOUT_RECEIVERS_LOOK
    :: memory[COMMIT(next)] == next + 1 ->
        heard[SENDER] = AWAKE;
        end_sleep(RECEIVER, RECEIVER_SLEEPS)
#endif
#ifndef WITHOUT_ARMED_LOOK_FOR_A_SENDER
    :: released != next && heard[SENDER] != AWAKE ->
        heard[SENDER] = AWAKE;
        end_sleep(RECEIVER, RECEIVER_SLEEPS);
        release()
#endif
    :: else ->
        wake_sender_before_sleep();
#ifdef WITHOUT_DRAIN_BEFORE_RECEIVERS_LOOK
        socket = false;
#endif
        socket || ended;
        end_sleep(RECEIVER, RECEIVER_SLEEPS)
    fi
}

active proctype consumer()
{
    byte next, released, body, number;
    use != 0;
    {
    do
    :: next < MESSAGES ->
#ifdef WITHOUT_COMMIT_ACQUIRE
        body = memory[BODY(next)];
#endif
        if
        :: memory[COMMIT(next)] == next + 1 ->
#ifdef WITHOUT_HEAD_RELEASE
            next++;
            release();
            next--;
#endif
#ifndef WITHOUT_COMMIT_ACQUIRE
            body = memory[BODY(next)];
#endif
            assert(body == next + 1);
            body = 0;
            next++;
progress_received:
            if
            :: release()
            :: true
            fi
        :: else ->
            if
            :: true -> release(); sleep_by_futex()
            :: true ->
                if
                :: release()
                :: use == SHM
                fi;
                sleep_by_poll()
#ifdef END
            :: ended ->
#ifndef WITHOUT_LOOK_AFTER_THE_END
                if
                :: memory[COMMIT(next)] == next + 1
                :: else -> break
                fi
#else
                assert(memory[COMMIT(next)] != next + 1);
                break
#endif
#endif
            fi
        fi
    :: else -> break
    od
    } unless_killed(RECEIVER, CONSUMERS)
}
