/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Transfers through the ledger cell, and the same in SQLite and PostgreSQL. Compiled by utils/bench/ledger; in the
 * working folder are cell.json and, with WITH_POSTGRES, the connection in $BENCH_POSTGRES. Reads "WHAT N" from stdin,
 * and answers with what each of N took, in nanoseconds.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cell/cell.h>
#include <cell/journal.h>
#include <sqlite3.h>
#ifdef WITH_POSTGRES
#include <libpq-fe.h>
#endif

CELL_REMOTE(ledger);

#define ACCOUNTS 100000
#define MOST_THREADS 8

static uint64_t next_id; /* of this process; `own` tells processes apart */
static uint64_t own;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench-ledger: %s: %s\n", what, why);
    exit(1);
}

struct pair {
    uint64_t from, to;
};

static struct pair any_pair(uint64_t *seed)
{
    struct pair p;

    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    p.from = 1 + (*seed >> 33) % ACCOUNTS;
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    p.to = 1 + (*seed >> 33) % (ACCOUNTS - 1);
    p.to += p.to >= p.from;
    return p;
}

/* ---- the cell ---- */

static void open_accounts(void)
{
    static struct ledger_new_account accounts[LEDGER_MOST];
    CELL_CTX(c, .timeout_ms = 30000);
    ledger_refusals refused;

    for (uint64_t id = 1; id <= ACCOUNTS;) {
        uint64_t n = 0;
        for (; n < LEDGER_MOST && id <= ACCOUNTS; n++)
            accounts[n] = (struct ledger_new_account){.id = id++, .overdraft = INT64_MAX, .currency = 978};
        if (ledger_open(c, (ledger_new_accounts){accounts, n}, &refused) < 0 || refused.len)
            die("open", cell_ctx_message(c));
    }
}

struct work {
    uint64_t n, batch, seed;
};

static void fill(struct ledger_order *orders, uint64_t n, uint64_t *seed)
{
    uint64_t id = __atomic_fetch_add(&next_id, n, __ATOMIC_RELAXED);

    for (uint64_t i = 0; i < n; i++) {
        struct pair p = any_pair(seed);
        orders[i] = (struct ledger_order){.id_high = own, .id_low = ++id, .from = p.from, .to = p.to, .amount = 1};
    }
}

static void *order_batches(void *user)
{
    const struct work *w = user;
    struct ledger_order *orders = calloc(w->batch, sizeof(*orders));
    uint64_t seed = w->seed;
    CELL_CTX(c, .timeout_ms = 30000);

    for (uint64_t done = 0; done < w->n; done += w->batch) {
        ledger_refusals refused;
        fill(orders, w->batch, &seed);
        if (ledger_transfer_many(c, (ledger_orders){orders, w->batch}, &refused) < 0)
            die("transfers", cell_ctx_message(c));
        if (refused.len)
            die("transfers", "some were refused");
        cell_ctx_reset(c);
    }
    free(orders);
    return NULL;
}

static double batches(uint64_t n, int threads)
{
    pthread_t each[MOST_THREADS];
    struct work work[MOST_THREADS];
    double begin = now();

    for (int i = 0; i < threads; i++) {
        work[i] = (struct work){n / (uint64_t)threads, LEDGER_MOST, next_id + (uint64_t)i * 77};
        if (pthread_create(&each[i], NULL, order_batches, &work[i]) != 0)
            die("a thread", "cannot be made");
    }
    for (int i = 0; i < threads; i++)
        pthread_join(each[i], NULL);
    return (now() - begin) / (double)n;
}

static double single(uint64_t n)
{
    CELL_CTX(c, .timeout_ms = 30000);
    struct ledger_receipt receipt;
    struct ledger_order order;
    uint64_t seed = next_id;
    double begin = now();

    for (uint64_t i = 0; i < n; i++) {
        fill(&order, 1, &seed);
        if (ledger_transfer(c, &order, &receipt) < 0)
            die("transfer", cell_ctx_message(c));
    }
    return (now() - begin) / (double)n;
}

static void look(cell_ctx *c)
{
    struct ledger_account account;

    if (ledger_account_of(c, 1, &account) < 0)
        die("an account", cell_ctx_message(c));
}

static double looks(uint64_t n)
{
    CELL_CTX(c, .timeout_ms = 30000);
    double begin = now();

    for (uint64_t i = 0; i < n; i++)
        look(c);
    return (now() - begin) / (double)n;
}

/* What it costs to put one record into a journal: each behind the last one, or behind a call that reads an account. */
static double append(uint64_t n, bool between_calls)
{
    CELL_CTX(c, .timeout_ms = 30000);
    static struct cell_journal *journal;
    const struct cell_journal_options options = {.type = "bench", .record_size = sizeof(struct ledger_entry)};
    const struct ledger_entry entry = {.amount = 1};
    struct cell_error e = {0};

    if (!journal && cell_journal_open("journal", &options, &journal, &e) < 0)
        die("the journal", e.text);
    double begin = now();
    for (uint64_t i = 0; i < n; i++) {
        if (between_calls)
            look(c);
        if (cell_journal_append(journal, &entry, 1, sizeof(entry), NULL, &e) < 0)
            die("the journal", e.text);
    }
    return (now() - begin) / (double)n;
}

/* ---- the disk ---- */

static double syncs(uint64_t n)
{
    static char block[4096];
    int fd = open("disk", O_RDWR | O_CREAT | O_TRUNC, 0600);

    for (int i = 0; i < 256; i++)
        if (write(fd, block, sizeof(block)) != sizeof(block))
            die("the disk", "cannot be written");
    fsync(fd);
    double begin = now();
    for (uint64_t i = 0; i < n; i++)
        if (pwrite(fd, block, sizeof(block), (off_t)(i % 256 * sizeof(block))) < 0 || fdatasync(fd) < 0)
            die("the disk", "cannot be synced");
    double each = (now() - begin) / (double)n;
    close(fd);
    return each;
}

/* ---- SQLite ---- */

static sqlite3 *db;
static sqlite3_stmt *subtract, *add, *record;

static void sqlite_run(const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die("SQLite", sqlite3_errmsg(db));
}

static void sqlite_open(void)
{
    if (sqlite3_open("sqlite.db", &db) != SQLITE_OK)
        die("SQLite", sqlite3_errmsg(db));
    sqlite_run(
        "pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -200000;"
        "create table account (id integer primary key, balance integer not null);"
        "create table transfer (id integer primary key, payer integer, payee integer, amount integer);"
        "insert into account select value, 0 from (with recursive n(value) as (select 1 union all select value + 1 "
        "from n where value < 100000) select value from n);");
    sqlite3_prepare_v2(db, "update account set balance = balance - ?1 where id = ?2", -1, &subtract, NULL);
    sqlite3_prepare_v2(db, "update account set balance = balance + ?1 where id = ?2", -1, &add, NULL);
    sqlite3_prepare_v2(db, "insert into transfer values (?1, ?2, ?3, ?4)", -1, &record, NULL);
}

static void step(sqlite3_stmt *s, const int64_t *values, int n)
{
    for (int i = 0; i < n; i++)
        sqlite3_bind_int64(s, i + 1, values[i]);
    if (sqlite3_step(s) != SQLITE_DONE)
        die("SQLite", sqlite3_errmsg(db));
    sqlite3_reset(s);
}

static double in_sqlite(uint64_t n, uint64_t batch)
{
    uint64_t seed = next_id;

    if (!db)
        sqlite_open();
    double begin = now();
    for (uint64_t done = 0; done < n; done += batch) {
        sqlite_run("begin");
        for (uint64_t i = 0; i < batch; i++) {
            struct pair p = any_pair(&seed);
            step(subtract, (const int64_t[]){1, (int64_t)p.from}, 2);
            step(add, (const int64_t[]){1, (int64_t)p.to}, 2);
            step(record, (const int64_t[]){(int64_t)++next_id, (int64_t)p.from, (int64_t)p.to, 1}, 4);
        }
        sqlite_run("commit");
    }
    return (now() - begin) / (double)n;
}

/* ---- PostgreSQL: a function that moves money once, and one that calls it for arrays ---- */

#ifdef WITH_POSTGRES
static PGconn *pg;

static void pg_run(const char *sql)
{
    PGresult *r = PQexec(pg, sql);
    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
        die("PostgreSQL", PQerrorMessage(pg));
    PQclear(r);
}

static void pg_open(void)
{
    pg = PQconnectdb(getenv("BENCH_POSTGRES"));
    pg_run(
        "create table account (id bigint primary key, balance bigint not null) with (fillfactor = 50);"
        "create table transfer (id bigint primary key, payer bigint, payee bigint, amount bigint);"
        "insert into account select n, 0 from generate_series(1, 100000) n; analyze account;"
        "create function move(i bigint, f bigint, t bigint, a bigint) returns void language plpgsql as $$ begin "
        "update account set balance = balance - a where id = f; update account set balance = balance + a where id = t; "
        "insert into transfer values (i, f, t, a); end $$;"
        "create function move_many(i bigint, f bigint[], t bigint[]) returns void language plpgsql as $$ begin "
        "for k in 1 .. array_length(f, 1) loop perform move(i + k, f[k], t[k], 1); end loop; end $$;");
}

static double in_postgres(uint64_t n, uint64_t batch)
{
    uint64_t seed = next_id, room = batch * 8 + 16;
    char *from = malloc(room), *to = malloc(room), id[24];

    if (!pg)
        pg_open();
    double begin = now();
    for (uint64_t done = 0; done < n; done += batch) {
        char *f = from, *t = to;
        for (uint64_t i = 0; i < batch; i++) {
            struct pair p = any_pair(&seed);
            f += sprintf(f, "%c%d", i ? ',' : '{', (int)p.from);
            t += sprintf(t, "%c%d", i ? ',' : '{', (int)p.to);
        }
        strcpy(f, "}");
        strcpy(t, "}");
        snprintf(id, sizeof(id), "%llu", (unsigned long long)next_id);
        next_id += batch;
        PGresult *r = PQexecParams(pg, "select move_many($1, $2, $3)", 3, NULL, (const char *const[]){id, from, to},
                                   NULL, NULL, 0);
        if (PQresultStatus(r) != PGRES_TUPLES_OK)
            die("PostgreSQL", PQerrorMessage(pg));
        PQclear(r);
    }
    free(from);
    free(to);
    return (now() - begin) / (double)n;
}
#endif

static double run(const char *what, uint64_t n)
{
    if (strncmp(what, "batches-", 8) == 0)
        return batches(n, atoi(what + 8));
    if (strcmp(what, "single") == 0)
        return single(n);
    if (strcmp(what, "append") == 0)
        return append(n, false);
    if (strcmp(what, "look") == 0)
        return looks(n);
    if (strcmp(what, "look-append") == 0)
        return append(n, true);
    if (strcmp(what, "sync") == 0)
        return syncs(n);
    if (strcmp(what, "sqlite") == 0)
        return in_sqlite(n, LEDGER_MOST);
    if (strcmp(what, "sqlite-single") == 0)
        return in_sqlite(n, 1);
#ifdef WITH_POSTGRES
    if (strcmp(what, "postgres") == 0)
        return in_postgres(n, LEDGER_MOST);
    if (strcmp(what, "postgres-single") == 0)
        return in_postgres(n, 1);
#endif
    die(what, "is nothing that is measured");
    return 0;
}

int main(void)
{
    char what[32];
    unsigned long long n;

    own = (uint64_t)now();
    open_accounts();
    puts("ready");
    fflush(stdout);
    while (scanf("%31s %llu", what, &n) == 2) {
        printf("%.1f\n", run(what, n));
        fflush(stdout);
    }
    return 0;
}
