/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "states.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "states_impl.h"

#define MOST_PATH 4096
#define MOST_NAMES 512 /* done since the folder was synced; the others become old */

uint32_t states_random(uint64_t *seed, uint32_t n)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return n ? (uint32_t)(*seed >> 33) % n : 0;
}

static void *grow(void *p, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return p;
    *room = *room ? 2 * *room : 64;
    p = realloc(p, *room * size);
    if (!p)
        abort();
    return p;
}

/* ---- the record ---- */

struct states *states_open(const char *log)
{
    struct states *s = calloc(1, sizeof(*s));
    struct stat st;
    size_t room = 0;
    int fd = open(log, O_RDONLY | O_CLOEXEC);

    if (!s || fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0)
        abort();
    s->size = (size_t)st.st_size;
    s->map = mmap(NULL, s->size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    for (size_t at = 0; at + sizeof(struct disk_entry) <= s->size;) {
        const struct disk_entry *e = (const void *)(s->map + at);
        s->entries = grow(s->entries, s->n, &room, sizeof(*s->entries));
        s->entries[s->n++] = e;
        s->nfiles = e->file > s->nfiles ? e->file : s->nfiles;
        if (e->kind == DISK_SYNC_BEGIN || e->kind == DISK_FOLDER_SYNC_BEGIN)
            s->nsyncs = e->value > s->nsyncs ? e->value : s->nsyncs;
        at += sizeof(*e) + ((e->length + 7u) & ~7u);
    }
    return s;
}

void states_close(struct states *s)
{
    if (!s)
        return;
    munmap((void *)(uintptr_t)s->map, s->size);
    free(s->entries);
    free(s);
}

size_t states_count(const struct states *s) { return s->n; }

uint64_t states_marked(const struct states *s, size_t point, uint64_t what)
{
    uint64_t most = 0;

    for (size_t i = 0; i < point; i++)
        if (s->entries[i]->kind == DISK_MARK && s->entries[i]->offset == what && s->entries[i]->value > most)
            most = s->entries[i]->value;
    return most;
}

size_t states_point(const struct states *s, uint64_t *seed)
{
    size_t at = states_random(seed, (uint32_t)s->n + 1);

    if (states_random(seed, 8) == 0) /* files are made in the beginning */
        return states_random(seed, s->n < 40 ? (uint32_t)s->n : 40);
    if (states_random(seed, 2))
        return at;
    while (at < s->n && s->entries[at]->kind != DISK_MARK && s->entries[at]->kind != DISK_SYNC_END &&
           s->entries[at]->kind != DISK_SYNC_BEGIN)
        at++;
    return at < s->n ? at + states_random(seed, 2) : s->n;
}

/* ---- names ---- */

static void set_name(struct names *names, const char *path, uint64_t file)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->at[i].path, path) == 0) {
            names->at[i].file = file;
            return;
        }
    names->at = grow(names->at, names->n, &names->room, sizeof(*names->at));
    snprintf(names->at[names->n].path, sizeof(names->at->path), "%s", path);
    names->at[names->n++].file = file;
}

static const struct name *get_name(const struct names *names, const char *path)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->at[i].path, path) == 0)
            return &names->at[i];
    return NULL;
}

static void drop_name(struct names *names, const char *path)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->at[i].path, path) == 0)
            names->at[i] = names->at[--names->n];
}

static const char *text_of(const struct disk_entry *e) { return (const char *)(e + 1); }

/* The file that is renamed: what has this name once all before it was done. */
static uint64_t renamed(const struct states *s, const struct disk_entry *e)
{
    size_t i = s->n;
    const char *name = text_of(e);

    while (i > 0 && s->entries[i - 1] != e)
        i--;
    while (i-- > 0) {
        const struct disk_entry *before = s->entries[i];
        if (before->kind == DISK_CREATE && strcmp(text_of(before), name) == 0)
            return before->file;
        if (before->kind == DISK_RENAME && strcmp(text_of(before) + strlen(text_of(before)) + 1, name) == 0)
            name = text_of(before);
    }
    return 0;
}

void states_carry_out(const struct states *s, struct names *names, const struct disk_entry *e)
{
    const char *path = text_of(e);

    switch (e->kind) {
    case DISK_CREATE:
        set_name(names, path, e->file);
        break;
    case DISK_FOLDER:
        set_name(names, path, 0);
        break;
    case DISK_UNLINK:
        drop_name(names, path);
        break;
    default: /* DISK_RENAME */
        drop_name(names, path);
        set_name(names, path + strlen(path) + 1, renamed(s, e));
    }
}

static bool is_in(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    if (n > 0 && (strncmp(path, folder, n) != 0 || path[n] != '/'))
        return false;
    return strchr(path + (n ? n + 1 : 0), '/') == NULL;
}

/* What was done in the folder before that entry is there for ever. */
static void sync_names(struct disk_state *d, const char *folder, size_t before)
{
    size_t kept = 0;

    for (size_t i = 0; i < d->ndoings; i++) {
        if (d->doings[i].index < before && is_in(text_of(d->doings[i].entry), folder))
            states_carry_out(d->of, &d->names, d->doings[i].entry);
        else
            d->doings[kept++] = d->doings[i];
    }
    d->ndoings = kept;
}

/* ---- files ---- */

void states_apply(uint8_t **bytes, uint64_t *size, uint64_t *room, const struct change *c)
{
    uint64_t end = c->at + c->n > c->size ? c->at + c->n : c->size;

    if (end > *room) {
        uint64_t more = end + end / 2 + 4096;
        *bytes = realloc(*bytes, more);
        if (!*bytes)
            abort();
        memset(*bytes + *room, 0, more - *room);
        *room = more;
    }
    if (c->bytes)
        memcpy(*bytes + c->at, c->bytes, c->n);
    else
        memset(*bytes + c->at, 0, c->n);
    *size = c->size;
}

static void add_change(struct image *m, const struct disk_entry *e, size_t entry)
{
    struct change c = {.entry = entry, .size = m->now};

    if (e->kind == DISK_WRITE) {
        c.at = e->offset;
        c.n = e->length;
        c.bytes = (const uint8_t *)(e + 1);
        c.size = c.at + c.n > m->now ? c.at + c.n : m->now;
        c.forced = e->value != 0;
    } else {
        c.size = e->offset;
        c.at = e->offset < m->now ? e->offset : m->now;
        c.n = (e->offset < m->now ? m->now : e->offset) - c.at;
    }
    m->now = c.size;
    m->changes = grow(m->changes, m->nchanges, &m->changes_room, sizeof(*m->changes));
    m->changes[m->nchanges++] = c;
}

static void sync_image(struct image *m, size_t before)
{
    size_t done = 0;

    while (done < m->nchanges && m->changes[done].entry < before)
        states_apply(&m->bytes, &m->size, &m->room, &m->changes[done++]);
    memmove(m->changes, m->changes + done, (m->nchanges - done) * sizeof(*m->changes));
    m->nchanges -= done;
}

/* ---- up to a point ---- */

static void play_names(struct disk_state *d, const struct disk_entry *e, size_t i)
{
    if (e->kind == DISK_FOLDER_SYNC_BEGIN) {
        d->begun[e->value] = i;
    } else if (e->kind == DISK_FOLDER_SYNC_END) {
        sync_names(d, text_of(e), d->begun[e->value]);
    } else {
        states_carry_out(d->of, &d->now, e);
        if (e->kind == DISK_CREATE)
            d->files[e->file].noise = e->value != 0;
        if (d->ndoings == MOST_NAMES) {
            states_carry_out(d->of, &d->names, d->doings[0].entry);
            memmove(d->doings, d->doings + 1, --d->ndoings * sizeof(*d->doings));
        }
        d->doings = grow(d->doings, d->ndoings, &d->doings_room, sizeof(*d->doings));
        d->doings[d->ndoings++] = (struct doing){e, i};
    }
}

static void play(struct disk_state *d, size_t point)
{
    for (size_t i = 0; i < point; i++) {
        const struct disk_entry *e = d->of->entries[i];
        struct image *m = &d->files[e->file];
        if (e->kind == DISK_WRITE || e->kind == DISK_SIZE) {
            add_change(m, e, i);
        } else if (e->kind == DISK_SYNC_BEGIN) {
            d->begun[e->value] = i;
        } else if (e->kind == DISK_SYNC_END) {
            sync_image(m, d->begun[e->value]);
        } else if (e->kind != DISK_MARK) {
            play_names(d, e, i);
        }
    }
}

static struct disk_state *state_at(const struct states *s, size_t point)
{
    struct disk_state *d = calloc(1, sizeof(*d));

    if (!d || !(d->files = calloc(s->nfiles + 1, sizeof(*d->files))) ||
        !(d->begun = calloc(s->nsyncs + 1, sizeof(*d->begun))))
        abort();
    d->of = s;
    play(d, point);
    return d;
}

static void state_free(struct disk_state *d)
{
    for (uint64_t i = 0; i <= d->of->nfiles; i++) {
        free(d->files[i].bytes);
        free(d->files[i].changes);
    }
    free(d->files);
    free(d->names.at);
    free(d->now.at);
    free(d->doings);
    free(d->begun);
    free(d);
}

/* ---- writing it ---- */

static bool make_folder(const struct names *names, const char *folder, const char *path)
{
    char part[256], whole[MOST_PATH];

    for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
        snprintf(part, sizeof(part), "%.*s", (int)(at - path), path);
        const struct name *is = get_name(names, part);
        if (!is || is->file != 0)
            return false; /* nobody finds what is in it */
        snprintf(whole, sizeof(whole), "%s/%s", folder, part);
        mkdir(whole, 0700);
    }
    return true;
}

static bool write_file(const char *path, const struct image *m, uint64_t *seed)
{
    uint8_t noise[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool done = fd >= 0;

    for (uint32_t k = m->noise ? states_random(seed, 9) : 0; done && k > 0; k--) {
        for (size_t i = 0; i < sizeof(noise); i++)
            noise[i] = (uint8_t)states_random(seed, 256);
        done = write(fd, noise, sizeof(noise)) == (ssize_t)sizeof(noise);
    }
    if (done && !m->noise)
        done = (m->size == 0 || write(fd, m->bytes, m->size < m->room ? m->size : m->room) >= 0) &&
               ftruncate(fd, (off_t)m->size) == 0;
    if (fd >= 0)
        close(fd);
    return done;
}

bool states_build(const struct states *s, size_t point, uint64_t seed, const char *folder)
{
    struct disk_state *d = state_at(s, point);
    uint32_t sector = states_random(&seed, 2) ? 512 : 4096;
    enum way names = states_random(&seed, 3) ? ALL : (enum way)states_random(&seed, NWAYS);
    char path[MOST_PATH];
    bool done = mkdir(folder, 0700) == 0;

    states_choose_names(d, names, &seed);
    for (uint64_t i = 1; i <= s->nfiles; i++)
        states_choose_image(&d->files[i], (enum way)states_random(&seed, NWAYS), sector, &seed);
    for (size_t i = 0; done && i < d->names.n; i++) {
        const struct name *n = &d->names.at[i];
        if (!make_folder(&d->names, folder, n->path))
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, n->path);
        done = n->file ? write_file(path, &d->files[n->file], &seed) : (mkdir(path, 0700), true);
    }
    state_free(d);
    return done;
}

/* ---- whether it is whole ---- */

static bool is_same(const char *path, const struct image *m)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool same = fd >= 0 && fstat(fd, &st) == 0 && (m->noise || (uint64_t)st.st_size == m->size);

    if (same && !m->noise && m->size > 0) {
        void *is = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, fd, 0);
        same = is != MAP_FAILED && memcmp(is, m->bytes, m->size) == 0;
        munmap(is, m->size);
    }
    if (fd >= 0)
        close(fd);
    return same;
}

bool states_is_whole(const struct states *s, const char *folder)
{
    struct disk_state *d = state_at(s, s->n);
    char path[MOST_PATH];
    bool whole = d->now.n > 0;

    for (size_t i = 0; i < d->now.n; i++) {
        const struct name *n = &d->now.at[i];
        struct image *m = &d->files[n->file];
        snprintf(path, sizeof(path), "%s/%s", folder, n->path);
        if (n->file == 0)
            continue;
        sync_image(m, s->n);
        if (!is_same(path, m)) {
            printf("the record does not lead to what is in %s\n", n->path);
            whole = false;
        }
    }
    state_free(d);
    return whole;
}
