/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/ini.h"

typedef struct Lexer {
        const char *file;
        Diags *diags;
        IniHandler handler;
        void *userdata;
        const char *section; /* NULL before the first header */
        Str name;            /* what it points to */
        bool skip_section;   /* its header was broken: its lines belong to nothing */
        bool clean;          /* all of the text is UTF-8 without a carriage return */
} Lexer;

/* A logical line while it is read. */
typedef struct Line {
        Str joined;
        unsigned number; /* of the physical line that it begins with; 0 before the first */
        const char *raw; /* where that begins in the text */
} Line;

static void line_done(Line *l) {
        str_done(&l->joined);
}

static int complain(
        Lexer *l, unsigned line, unsigned column, const char *hint, const char *message) {
        return diags_add(l->diags, SEVERITY_ERROR,
                &(Place){ .file = l->file, .line = line, .column = column, .section = l->section },
                hint, "%s", message);
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r';
}

/* Cut the blanks off both ends of a text that ends at @end. Return: where it begins. */
static char *strip(char *s, char **end) {
        while (is_blank(*s))
                s++;
        while (*end > s && is_blank((*end)[-1]))
                (*end)--;
        **end = '\0';
        return s;
}

/* A header that cannot be read: what follows is in no section, not in the one before. */
static int broken_header(Lexer *l, const IniLine *line, const char *message) {
        l->section = NULL;
        l->skip_section = true;
        return complain(l, line->line, line->column, "write [Section]", message);
}

static int section_header(Lexer *l, const char *text, size_t n, IniLine *line) {
        int r;

        if (n < 3 || text[n - 1] != ']')
                return broken_header(l, line, "the section header is not closed");

        l->skip_section = false;
        l->name.len = 0;
        str_append_n(&l->name, text + 1, n - 2);
        r = str_error(&l->name);
        if (r < 0)
                return r;

        line->section = l->section = l->name.data;
        return l->handler(line, l->userdata);
}

static int assignment(Lexer *l, char *text, char *end, IniLine *line, const char *joined) {
        char *equals = strchr(text, '='), *key_end = equals;

        if (l->skip_section)
                return 0;
        if (!equals)
                return complain(l, line->line, line->column, "write Key=value",
                        "neither a section nor an assignment");
        text = strip(text, &key_end);
        if (!*text)
                return complain(l, line->line, line->column, "write Key=value",
                        "nothing stands before the '='");
        if (!l->section)
                return complain(l, line->line, line->column,
                        "begin with [Container] or another section",
                        "an assignment outside of any section");

        line->section = l->section;
        line->key = text;
        line->value = strip(equals + 1, &end);
        line->value_offset = (size_t) (line->value - joined);
        return l->handler(line, l->userdata);
}

/* What makes a line unreadable; NULL if nothing does. */
static const char *unreadable_reason(const Lexer *l, const Str *line) {
        if (line->len > INI_LINE_MAX)
                return "the line is longer than 64 KiB";
        if (l->clean)
                return NULL;
        if (!str_is_utf8(line->data, line->len))
                return "the line is not valid UTF-8";
        /* To systemd it ends a line: what follows would become a line of the unit. */
        if (memchr(line->data, '\r', line->len))
                return "a carriage return within the line";
        return NULL;
}

/* A line as it stands in the file. */
typedef struct Physical {
        const char *text;
        size_t size; /* without its end and the backslash that continues it */
        bool continued;
        bool comment;
} Physical;

/* Take the line at @text. Return: where the next one begins. */
static const char *take_physical(const char *text, const char *end, Physical *ret) {
        const char *newline = memchr(text, '\n', (size_t) (end - text));
        size_t n = (size_t) ((newline ? newline : end) - text), blanks = 0, backslashes = 0;

        while (blanks < n && is_blank(text[blanks]))
                blanks++;
        bool comment = blanks < n && (text[blanks] == '#' || text[blanks] == ';');

        while (n > 0 && text[n - 1] == '\r')
                n--;

        /* One backslash at the end continues the line; two are one that is escaped. */
        while (backslashes < n && text[n - 1 - backslashes] == '\\')
                backslashes++;
        bool continued = backslashes % 2 == 1;

        *ret = (Physical){ text, continued ? n - 1 : n, continued, comment };
        return newline ? newline + 1 : end;
}

/* Where a byte of a joined line stands that begins at @raw, in line @number. */
static void locate(const char *raw, const char *raw_end, unsigned number, size_t offset,
        unsigned *ret_line, unsigned *ret_column) {
        const char *newline = memchr(raw, '\n', (size_t) (raw_end - raw));
        Physical p = { .text = raw };

        if (!newline || newline + 1 == raw_end) { /* a single line, as most are */
                *ret_line = number;
                *ret_column =
                        1 + (unsigned) str_characters(raw, MIN(offset, (size_t) (raw_end - raw)));
                return;
        }

        for (; raw < raw_end; number++) {
                raw = take_physical(raw, raw_end, &p);
                if (p.comment)
                        continue;
                if (offset <= p.size || !p.continued)
                        break;
                offset -= p.size + 1; /* the backslash became a blank */
        }

        *ret_line = number;
        *ret_column = 1 + (unsigned) str_characters(p.text, MIN(offset, p.size));
}

void ini_locate(const IniLine *line, size_t offset, unsigned *ret_line, unsigned *ret_column) {
        locate(line->raw, line->raw_end, line->raw_line, line->value_offset + offset, ret_line,
                ret_column);
}

static int logical_line(Lexer *l, Line *line, const char *raw_end) {
        const char *reason = unreadable_reason(l, &line->joined);
        char *end = line->joined.data + line->joined.len, *text = strip(line->joined.data, &end);
        IniLine out = {
                .line = line->number,
                .column = 1,
                .raw = line->raw,
                .raw_end = raw_end,
                .raw_line = line->number,
        };

        if (text > line->joined.data) /* indented, or what is before it was continued */
                locate(line->raw, raw_end, line->number, (size_t) (text - line->joined.data),
                        &out.line, &out.column);

        if (!*text)
                return 0;
        if (reason)
                return *text == '[' ? broken_header(l, &out, reason)
                                    : complain(l, out.line, out.column, NULL, reason);
        return *text == '[' ? section_header(l, text, (size_t) (end - text), &out)
                            : assignment(l, text, end, &out, line->joined.data);
}

static int parse_lines(Lexer *l, const char *text, const char *end) {
        _cleanup_(line_done) Line line = {};
        unsigned number = 0;
        Physical p;
        int r;

        while (text < end) {
                const char *begin = text;

                number++;
                text = take_physical(text, end, &p);
                if (line.number == 0) {
                        line.number = number;
                        line.raw = begin;
                }

                /* Comments may stand between the parts of a continued line, too. */
                bool more = p.comment ? line.number != number : p.continued;
                if (!p.comment) {
                        str_append_n(&line.joined, p.text, p.size);
                        if (p.continued)
                                str_append_char(&line.joined, ' ');
                }
                if (str_error(&line.joined) < 0)
                        return -ENOMEM;
                if (more && text < end)
                        continue;

                if (line.joined.len > 0) {
                        r = logical_line(l, &line, text);
                        if (r < 0)
                                return r;
                        line.joined.len = 0;
                }
                line.number = 0;
        }

        return 0;
}

int ini_parse(const char *file, const char *text, size_t size, Diags *diags, IniHandler handler,
        void *userdata) {
        Lexer l = { .file = file, .diags = diags, .handler = handler, .userdata = userdata };
        const char *nul = memchr(text, '\0', size);
        int r;

        if (nul) {
                unsigned line = 1;

                for (const char *p = text; p < nul; p++)
                        line += *p == '\n';
                return complain(&l, line, 0, NULL, "the file contains a NUL byte");
        }

        l.clean = str_is_utf8(text, size) && !memchr(text, '\r', size);
        if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* byte order mark */
                r = parse_lines(&l, text + 3, text + size);
        else
                r = parse_lines(&l, text, text + size);

        str_done(&l.name);
        return r;
}
