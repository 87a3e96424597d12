/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/ini.h"

typedef struct Lexer {
        const char *file;
        Diags *diags;
        IniHandler handler;
        void *userdata;
        char *section;     /* NULL before the first header */
        bool skip_section; /* its header was broken: its lines belong to nothing */
} Lexer;

static int complain(Lexer *l, unsigned line, const char *hint, const char *message) {
        return diags_add(l->diags, SEVERITY_ERROR,
                &(Place){ .file = l->file, .line = line, .section = l->section }, hint, "%s",
                message);
}

static char *strip(char *s) {
        s += strspn(s, " \t\r");

        size_t n = strlen(s);
        while (n > 0 && strchr(" \t\r", s[n - 1]))
                s[--n] = '\0';
        return s;
}

/* A header that cannot be read: what follows is in no section, not in the one before. */
static int broken_header(Lexer *l, unsigned line, const char *message) {
        free(l->section);
        l->section = NULL;
        l->skip_section = true;
        return complain(l, line, "write [Section]", message);
}

static int section_header(Lexer *l, char *text, unsigned line) {
        size_t n = strlen(text);
        int r;

        if (n < 3 || text[n - 1] != ']')
                return broken_header(l, line, "the section header is not closed");

        l->skip_section = false;
        text[n - 1] = '\0';
        r = str_replace(&l->section, text + 1);
        if (r < 0)
                return r;

        return l->handler(&(IniLine){ .section = l->section, .line = line }, l->userdata);
}

static int assignment(Lexer *l, char *text, unsigned line) {
        char *equals = strchr(text, '=');

        if (l->skip_section)
                return 0;
        if (!equals)
                return complain(l, line, "write Key=value", "neither a section nor an assignment");
        *equals = '\0';
        if (!*strip(text))
                return complain(l, line, "write Key=value", "nothing stands before the '='");
        if (!l->section)
                return complain(l, line, "begin with [Container] or another section",
                        "an assignment outside of any section");

        return l->handler(&(IniLine){ .section = l->section,
                                  .key = strip(text),
                                  .value = strip(equals + 1),
                                  .line = line },
                l->userdata);
}

/* What makes a line unreadable; NULL if nothing does. */
static const char *unreadable_reason(const Str *line) {
        if (line->len > INI_LINE_MAX)
                return "the line is longer than 64 KiB";
        if (!str_is_utf8(line->data, line->len))
                return "the line is not valid UTF-8";
        /* To systemd it ends a line: what follows would become a line of the unit. */
        if (memchr(line->data, '\r', line->len))
                return "a carriage return within the line";
        return NULL;
}

static int logical_line(Lexer *l, Str *joined, unsigned line) {
        if (str_error(joined) < 0)
                return -ENOMEM;

        const char *reason = unreadable_reason(joined);
        char *text = strip(joined->data);
        if (!*text)
                return 0;
        if (reason)
                return *text == '[' ? broken_header(l, line, reason)
                                    : complain(l, line, NULL, reason);
        return *text == '[' ? section_header(l, text, line) : assignment(l, text, line);
}

/* Append a physical line to the logical one. Return: whether the next one continues it. */
static bool join_line(Str *joined, const char *text, size_t n) {
        while (n > 0 && text[n - 1] == '\r')
                n--;

        /* One backslash at the end continues the line; two are one that is escaped. */
        size_t backslashes = 0;
        while (backslashes < n && text[n - 1 - backslashes] == '\\')
                backslashes++;
        bool continued = backslashes % 2 == 1;

        str_append_n(joined, text, continued ? n - 1 : n);
        if (continued)
                str_append_char(joined, ' '); /* the backslash becomes a blank */
        return continued;
}

static int parse_lines(Lexer *l, const char *text, const char *end) {
        _cleanup_str_ Str joined = {};
        unsigned line = 0, start = 0;
        int r;

        while (text < end) {
                const char *newline = memchr(text, '\n', (size_t) (end - text));
                const char *stop = newline ? newline : end;
                size_t blanks = 0;

                line++;
                if (start == 0)
                        start = line;

                while (text + blanks < stop && strchr(" \t\r", text[blanks]))
                        blanks++;

                /* Comments may stand between the parts of a continued line, too. */
                bool comment = text + blanks < stop && strchr("#;", text[blanks]);
                bool more =
                        comment ? start != line : join_line(&joined, text, (size_t) (stop - text));

                text = newline ? newline + 1 : end;
                if (more && text < end)
                        continue;

                if (joined.len > 0) {
                        r = logical_line(l, &joined, start);
                        if (r < 0)
                                return r;
                        joined.len = 0;
                }
                start = 0;
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
                return complain(&l, line, NULL, "the file contains a NUL byte");
        }

        if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* byte order mark */
                r = parse_lines(&l, text + 3, text + size);
        else
                r = parse_lines(&l, text, text + size);

        free(l.section);
        return r;
}
