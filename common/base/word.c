/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/word.h"

#define BLANKS " \t\n\r"

/* Parse @digits digits of @base. Return: the number, or -1. */
static int64_t parse_digits(const char *s, size_t digits, unsigned base) {
        int64_t value = 0;

        for (size_t i = 0; i < digits; i++) {
                const char *hex = "0123456789abcdef";
                const char *p = s[i] ? strchr(hex, s[i] | (s[i] >= 'A' ? 0x20 : 0)) : NULL;

                if (!p || (unsigned) (p - hex) >= base)
                        return -1;
                value = value * base + (p - hex);
        }

        return value;
}

static void append_utf8(Str *s, uint32_t c) {
        if (c < 0x80) {
                str_append_char(s, (char) c);
        } else if (c < 0x800) {
                str_append_char(s, (char) (0xc0 | c >> 6));
                str_append_char(s, (char) (0x80 | (c & 0x3f)));
        } else if (c < 0x10000) {
                str_append_char(s, (char) (0xe0 | c >> 12));
                str_append_char(s, (char) (0x80 | (c >> 6 & 0x3f)));
                str_append_char(s, (char) (0x80 | (c & 0x3f)));
        } else {
                str_append_char(s, (char) (0xf0 | c >> 18));
                str_append_char(s, (char) (0x80 | (c >> 12 & 0x3f)));
                str_append_char(s, (char) (0x80 | (c >> 6 & 0x3f)));
                str_append_char(s, (char) (0x80 | (c & 0x3f)));
        }
}

const char *word_unescape(const char *p, bool accept_nul, Str *word) {
        static const char simple[] = "a\ab\bf\fn\nr\rt\tv\v\\\\\"\"''s ";
        static const struct {
                char letter;
                size_t digits;
                unsigned base;
                bool unicode;
        } numeric[] = {
                { 'x', 2, 16, false },
                { 'u', 4, 16, true },
                { 'U', 8, 16, true },
        };

        for (const char *e = simple; *e; e += 2)
                if (*p == *e) {
                        str_append_char(word, e[1]);
                        return p + 1;
                }

        for (size_t i = 0; i < ELEMENTSOF(numeric); i++) {
                if (*p != numeric[i].letter)
                        continue;

                int64_t c = parse_digits(p + 1, numeric[i].digits, numeric[i].base);
                if (c < !accept_nul)
                        return NULL;
                if (!numeric[i].unicode)
                        str_append_char(word, (char) c);
                else if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                        return NULL;
                else
                        append_utf8(word, (uint32_t) c);
                return p + 1 + numeric[i].digits;
        }

        int64_t c = parse_digits(p, 3, 8);
        if (c < !accept_nul || c > 255)
                return NULL;
        str_append_char(word, (char) c);
        return p + 3;
}

/* One word from @p, which is no blank. Return: where it ends, NULL with *reterr set. */
static const char *split_one(const char *p, WordFlags flags, Str *word, const char **reterr) {
        char quote = '\0';

        for (; *p; p++) {
                size_t n = strcspn(p, quote ? "\\\"'" : "\\\"'" BLANKS);

                str_append_n(word, p, n);
                p += n;
                if (!*p)
                        break;
                if (*p == '\\' && !(flags & WORD_RETAIN_ESCAPES)) {
                        p = word_unescape(p + 1, false, word);
                        if (!p) {
                                *reterr = "unknown escape after a backslash";
                                return NULL;
                        }
                        p--;
                } else if (quote) {
                        if (*p == quote)
                                quote = '\0';
                        else
                                str_append_char(word, *p);
                } else if (*p == '"' || *p == '\'') {
                        quote = *p;
                } else if (strchr(BLANKS, *p)) {
                        break;
                } else {
                        str_append_char(word, *p);
                }
        }

        if (quote) {
                *reterr = "a quote is not closed";
                return NULL;
        }

        return p;
}

int word_next(
        const char **p, WordFlags flags, char **ret, const char **ret_begin, const char **reterr) {
        _cleanup_str_ Str word = {};
        const char *end;

        *ret_begin = *p + strspn(*p, BLANKS);
        if (!**ret_begin)
                return 0;

        end = split_one(*ret_begin, flags, &word, reterr);
        if (!end)
                return -EINVAL;
        *p = end;

        int r = str_take(&word, ret);
        return r < 0 ? r : 1;
}

int word_split(const char *value, WordFlags flags, char ***ret, const char **reterr) {
        _cleanup_strv_ char **words = NULL;
        const char *begin;
        char *word;
        int r;

        while ((r = word_next(&value, flags, &word, &begin, reterr)) > 0) {
                r = strv_consume(&words, word);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;

        *ret = TAKE_PTR(words);
        return 0;
}

/* What may be done with a byte of a word. */
enum {
        PLAIN = 1 << 0, /* stands without quotes; only what certainly can, the rest is quoted */
        EXEC = 1 << 1,  /* stands as it is in an Exec line */
        LIST = 1 << 2,  /* stands as it is in a list */
        HIGH = 1 << 3,  /* is no ASCII: stands as it is where the word is UTF-8 */
        FREE = 1 << 4,  /* all of the first three */
};

#define FREE_BYTE (PLAIN | EXEC | LIST | FREE)

static const unsigned char bytes[256] = {
        [0x01 ... 0x1f] = LIST,
        [' ' ... '!'] = EXEC | LIST,
        ['#'] = EXEC | LIST,
        ['$'] = PLAIN | LIST, /* in an Exec line it is doubled */
        ['%'] = PLAIN,        /* as in all values */
        ['&' ... '*'] = EXEC | LIST,
        ['+' ... ':'] = FREE_BYTE,
        [';' ... '<'] = EXEC | LIST,
        ['='] = FREE_BYTE,
        ['>' ... '?'] = EXEC | LIST,
        ['@' ... '['] = FREE_BYTE,
        [']' ... '_'] = FREE_BYTE,
        ['`'] = EXEC | LIST,
        ['a' ... 'z'] = FREE_BYTE,
        ['{' ... '}'] = EXEC | LIST,
        ['~'] = FREE_BYTE,
        [0x7f] = LIST,
        [0x80 ... 0xff] = LIST | HIGH,
};

/* How many bytes of @s are all of @kind. */
static size_t span(const char *s, unsigned kind) {
        const char *p = s;

        while (bytes[(unsigned char) *p] & kind)
                p++;
        return (size_t) (p - s);
}

bool word_is_free(const char *word) {
        return *word && word[span(word, FREE)] == '\0';
}

static bool is_plain(const char *s) {
        return s[span(s, PLAIN)] == '\0';
}

/* A percent sign: doubled, so that systemd sees no specifier, unless it is to see this one. */
static void append_percent(Str *s, const char *p, WordFlags flags) {
        str_append(s, (flags & WORD_INSTANCE) && p[1] == 'i' ? "%" : "%%");
}

/* What a list takes: quotes and backslashes can be escaped, control characters only stand there. */
static void append_escaped(Str *s, const char *word, WordFlags flags) {
        for (const char *p = word;; p++) {
                size_t n = span(p, LIST);

                str_append_n(s, p, n);
                p += n;
                if (!*p)
                        return;
                if (*p == '%') {
                        append_percent(s, p, flags);
                        continue;
                }
                str_append_char(s, '\\');
                str_append_char(s, *p);
        }
}

/* What an Exec line takes: C escapes, too. A unit has to be UTF-8, an argument has not. */
static void append_escaped_exec(Str *s, const char *word, WordFlags flags) {
        unsigned kind = EXEC;
        bool known = false;

        for (const char *p = word;; p++) {
                size_t n = span(p, kind);

                if (!known && (bytes[(unsigned char) p[n]] & HIGH)) {
                        known = true;
                        if (str_is_utf8(word, strlen(word))) {
                                kind |= HIGH;
                                n += span(p + n, kind);
                        }
                }
                str_append_n(s, p, n);
                p += n;
                switch (*p) {
                case '\0':
                        return;
                case '%':
                        append_percent(s, p, flags);
                        break;
                case '$':
                        str_append(s, "$$");
                        break;
                case '"':
                case '\\':
                        str_append_char(s, '\\');
                        str_append_char(s, *p);
                        break;
                default:
                        str_appendf(s, "\\x%02x", (unsigned char) *p);
                }
        }
}

void word_quote_exec(Str *s, size_t begin, WordFlags flags) {
        if (s->failed || word_is_free(s->data + begin)) /* most are free */
                return;

        _cleanup_free_ char *word = strdup(s->data + begin);
        if (!word) {
                s->failed = true;
                return;
        }
        bool quote = !is_plain(word) || !*word;

        s->len = begin;
        if (quote)
                str_append_char(s, '"');
        append_escaped_exec(s, word, flags);
        if (quote)
                str_append_char(s, '"');
}

void word_append_exec(Str *s, const char *option, const char *value, WordFlags flags) {
        str_append_char(s, ' ');
        size_t begin = s->len;

        str_append(s, option);
        str_append(s, value);
        word_quote_exec(s, begin, flags);
}

void word_append_list(Str *s, const char *word, WordFlags flags) {
        if (word_is_free(word)) { /* most are so */
                str_append(s, word);
                return;
        }

        bool quote = !is_plain(word) || !*word;

        if (quote)
                str_append_char(s, '"');
        append_escaped(s, word, flags);
        if (quote)
                str_append_char(s, '"');
}

void word_append_text(Str *s, const char *text, WordFlags flags) {
        for (const char *p = text;; p++) {
                size_t n = strcspn(p, "%");

                str_append_n(s, p, n);
                p += n;
                if (!*p)
                        break;
                append_percent(s, p, flags);
        }
        word_end_line(s);
}

void word_end_line(Str *s) {
        size_t n = 0;

        while (n < s->len && s->data[s->len - 1 - n] == '\\')
                n++;
        str_append(s, n % 2 == 1 ? " \n" : "\n"); /* an even number is that of escaped ones */
}
