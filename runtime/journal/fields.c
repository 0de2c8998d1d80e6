/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "journal/fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "journal/files.h"

#define FIRST "cell-journal-fields 1"
#define MOST_BYTES (1u << 20)

/* ---- written ---- */

static bool is_word(const char *text)
{
    if (!text || !text[0])
        return false;
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

static int format(const struct cell_journal_options *o, struct cell_buffer *b, struct cell_error *e)
{
    if (o->nfields > CELL_JOURNAL_MOST_FIELDS)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "a journal tells of at most %u fields, not of %u",
                              CELL_JOURNAL_MOST_FIELDS, o->nfields);
    if (o->time && !is_word(o->time))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "the name of the field with a record's time is none");
    cell_buffer_puts(b, FIRST "\n");
    if (o->time)
        cell_buffer_printf(b, "time %s %s\n", o->time, o->ordered ? "ordered" : "unordered");
    for (uint32_t i = 0; i < o->nfields; i++) {
        const struct cell_journal_field *f = &o->fields[i];
        bool named = f->names && f->names[0];
        if (!is_word(f->name) || !is_word(f->type) || (named && !is_word(f->names)))
            return cell_error_set(e, CELL_INVALID_ARGUMENT,
                                  "name, type or names of field %u of the journal's records are no words", i);
        cell_buffer_printf(b, "field %s %s %u%s%s\n", f->name, f->type, f->offset, named ? " " : "",
                           named ? f->names : "");
    }
    return cell_buffer_ok(b) ? CELL_OK : cell_error_set(e, CELL_NO_MEMORY, "no memory for the journal");
}

int cell_journal_fields_write(const char *folder, const struct cell_journal_options *o, struct cell_error *e)
{
    struct cell_buffer b = {0};
    char path[PATH_MAX];
    int r = cell_journal_path(folder, CELL_JOURNAL_FIELDS_FILE, path, e);
    if (r == CELL_OK)
        r = format(o, &b, e);
    if (r == CELL_OK)
        r = cell_file_replace_synced(path, b.data, b.len, e);
    cell_buffer_free(&b);
    return r;
}

/* ---- read ---- */

/* The words of a line, which it cuts; how many there are, `most` + 1 for more. */
static uint32_t words_of(char *line, char **words, uint32_t most)
{
    uint32_t n = 0;
    for (char *at = line; at; n++) {
        char *space = strchr(at, ' ');
        if (n == most)
            return most + 1;
        if (space)
            *space++ = '\0';
        words[n] = at;
        at = space;
    }
    return n;
}

static bool read_offset(const char *text, uint32_t *offset)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long long value = digits && digits < 11 && !text[digits] ? strtoull(text, NULL, 10) : UINT64_MAX;
    *offset = (uint32_t)value;
    return value <= UINT32_MAX;
}

static bool read_line(char *line, struct cell_journal_field *list, struct cell_journal_fields *f)
{
    char *words[5];
    uint32_t n = words_of(line, words, 5);
    for (uint32_t i = 0; i < n && i < 5; i++)
        if (!is_word(words[i]))
            return false;
    if (n == 3 && strcmp(words[0], "time") == 0 && !f->time) {
        f->time = words[1];
        f->ordered = strcmp(words[2], "ordered") == 0;
        return f->ordered || strcmp(words[2], "unordered") == 0;
    }
    if ((n != 4 && n != 5) || strcmp(words[0], "field") != 0 || f->nfields == CELL_JOURNAL_MOST_FIELDS)
        return false;
    struct cell_journal_field *to = &list[f->nfields++];
    *to = (struct cell_journal_field){.name = words[1], .type = words[2], .names = n == 5 ? words[4] : NULL};
    return read_offset(words[3], &to->offset);
}

int cell_journal_fields_parse(const char *text, size_t length, struct cell_arena *arena,
                              struct cell_journal_fields *fields, struct cell_error *e)
{
    struct cell_journal_field *list = cell_arena_array(arena, CELL_JOURNAL_MOST_FIELDS, sizeof(*list));
    char *at = cell_arena_copy(arena, text, length);
    uint32_t line = 0;
    *fields = (struct cell_journal_fields){.fields = list};
    if (!list || !at)
        return cell_error_set(e, CELL_NO_MEMORY, "no memory for the fields of the journal");
    bool good = length > 0 && text[length - 1] == '\n' && !memchr(text, '\0', length);
    while (good && *at) {
        char *end = strchr(at, '\n');
        *end = '\0';
        good = line++ == 0 ? strcmp(at, FIRST) == 0 : read_line(at, list, fields);
        at = end + 1;
    }
    return good ? CELL_OK : cell_error_set(e, CELL_DATA_LOSS, "line %u does not say what a field is", line ? line : 1);
}

int cell_journal_fields_read(const char *folder, struct cell_arena *arena, struct cell_journal_fields *fields,
                             struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *bytes = NULL;
    char path[PATH_MAX];
    size_t length;
    int r = cell_journal_path(folder, CELL_JOURNAL_FIELDS_FILE, path, e);
    if (r == CELL_OK)
        r = cell_file_read(path, MOST_BYTES, &bytes, &length, e);
    if (r == CELL_TOO_LARGE)
        return cell_error_set(e, CELL_DATA_LOSS, "%s is too long", path);
    if (r < 0)
        return r;
    r = cell_journal_fields_parse(bytes, length, arena, fields, e);
    if (r < 0)
        cell_error_wrap(e, "%s", path);
    return r;
}
