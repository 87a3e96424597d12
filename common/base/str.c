/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/str.h"

void str_done(Str *s) {
        free(s->data);
        *s = (Str){};
}

bool str_reserve(Str *s, size_t n) {
        if (s->failed)
                return false;

        if (n < s->allocated - s->len)
                return true;

        size_t wanted = MAX(s->allocated * 2, s->len + n + 1);
        wanted = MAX(wanted, (size_t) 128);

        char *data = realloc(s->data, wanted);
        if (!data) {
                s->failed = true;
                return false;
        }

        s->data = data;
        s->allocated = wanted;
        return true;
}

void str_append_strings(Str *s, const char *const *texts) {
        for (; *texts; texts++)
                str_append(s, *texts);
}

_printf_(2, 0) static void str_vappendf(Str *s, const char *format, va_list ap) {
        va_list again;

        /* Room for what is common, so that most texts are formatted once. */
        if (!str_reserve(s, strlen(format) + 64))
                return;

        va_copy(again, ap);
        int n = vsnprintf(s->data + s->len, s->allocated - s->len, format, again);
        va_end(again);

        if (n < 0) {
                s->failed = true;
                return;
        }

        if ((size_t) n >= s->allocated - s->len) {
                if (!str_reserve(s, (size_t) n))
                        return;
                (void) vsnprintf(s->data + s->len, (size_t) n + 1, format, ap);
        }
        s->len += (size_t) n;
}

void str_appendf(Str *s, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        str_vappendf(s, format, ap);
        va_end(ap);
}

void str_append_unsigned(Str *s, uint64_t n) {
        char digits[20]; /* of UINT64_MAX */
        size_t i = sizeof(digits);

        do {
                digits[--i] = (char) ('0' + n % 10);
                n /= 10;
        } while (n > 0);
        str_append_n(s, digits + i, sizeof(digits) - i);
}

int str_take(Str *s, char **ret) {
        str_append_n(s, "", 0); /* an empty string is a string, too */

        if (s->failed) {
                str_done(s);
                return -ENOMEM;
        }

        *ret = s->data;
        *s = (Str){};
        return 0;
}

int str_format(char **ret, const char *format, ...) {
        _cleanup_str_ Str s = {};
        va_list ap;

        va_start(ap, format);
        str_vappendf(&s, format, ap);
        va_end(ap);

        return str_take(&s, ret);
}

int str_join_strings(char **ret, const char *const *texts) {
        size_t n = 0;

        for (const char *const *t = texts; *t; t++)
                n += strlen(*t);

        char *end = malloc(n + 1);
        if (!end)
                return -ENOMEM;

        *ret = end;
        for (const char *const *t = texts; *t; t++)
                end = stpcpy(end, *t);
        return 0;
}

int str_replace(char **p, const char *value) {
        char *copy = NULL;

        if (value) {
                copy = strdup(value);
                if (!copy)
                        return -ENOMEM;
        }

        free(*p);
        *p = copy;
        return 0;
}

const char *str_ends_with(const char *s, const char *suffix) {
        size_t n = strlen(s), k = strlen(suffix);

        if (n < k || memcmp(s + n - k, suffix, k) != 0)
                return NULL;

        return s + n - k;
}

/* The length of the UTF-8 sequence at @s with @n bytes left, 0 if it is none. */
static size_t utf8_sequence(const unsigned char *s, size_t n) {
        static const struct {
                unsigned char mask, lead;
                size_t length;
                uint32_t min;
        } forms[] = {
                { 0x80, 0x00, 1, 0x01 }, /* NUL is not text */
                { 0xe0, 0xc0, 2, 0x80 },
                { 0xf0, 0xe0, 3, 0x800 },
                { 0xf8, 0xf0, 4, 0x10000 },
        };

        for (size_t i = 0; i < ELEMENTSOF(forms); i++) {
                if ((s[0] & forms[i].mask) != forms[i].lead)
                        continue;
                if (forms[i].length > n)
                        return 0;

                uint32_t c = s[0] & (unsigned char) ~forms[i].mask;
                for (size_t k = 1; k < forms[i].length; k++) {
                        if ((s[k] & 0xc0) != 0x80)
                                return 0;
                        c = c << 6 | (s[k] & 0x3f);
                }

                bool surrogate = c >= 0xd800 && c <= 0xdfff;
                return c >= forms[i].min && c <= 0x10ffff && !surrogate ? forms[i].length : 0;
        }

        return 0;
}

/* Whether eight bytes are ASCII without NUL. */
static bool is_ascii_word(const char *s) {
        uint64_t word;

        memcpy(&word, s, sizeof(word));
        return ((word | (word - UINT64_C(0x0101010101010101))) & UINT64_C(0x8080808080808080)) == 0;
}

size_t str_characters(const char *s, size_t n) {
        size_t characters = 0;

        while (n > 0) {
                size_t k = n >= sizeof(uint64_t) && is_ascii_word(s) ? sizeof(uint64_t) : 1;

                characters += k > 1 || (*s & 0xc0) != 0x80 ? k : 0;
                s += k;
                n -= k;
        }

        return characters;
}

bool str_is_utf8(const char *s, size_t n) {
        while (n > 0) {
                if (n >= sizeof(uint64_t) && is_ascii_word(s)) {
                        s += sizeof(uint64_t);
                        n -= sizeof(uint64_t);
                        continue;
                }

                size_t k = utf8_sequence((const unsigned char *) s, n);
                if (k == 0)
                        return false;
                s += k;
                n -= k;
        }

        return true;
}

static char ascii_lower(char c) {
        return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

unsigned str_distance(const char *a, const char *b) {
        size_t n = strnlen(a, 63), m = strnlen(b, 63);
        unsigned row[64];

        for (size_t j = 0; j <= m; j++)
                row[j] = (unsigned) j;

        for (size_t i = 1; i <= n; i++) {
                unsigned diagonal = row[0];

                row[0] = (unsigned) i;
                for (size_t j = 1; j <= m; j++) {
                        unsigned same = ascii_lower(a[i - 1]) == ascii_lower(b[j - 1]) ? 0 : 1;
                        unsigned best = MIN(row[j], row[j - 1]) + 1;

                        best = MIN(best, diagonal + same);
                        diagonal = row[j];
                        row[j] = best;
                }
        }

        return row[m];
}

char **strv_free(char **l) {
        STRV_FOREACH(s, l)
                free(*s);
        free(l);
        return NULL;
}

size_t strv_length(char *const *l) {
        size_t n = 0;

        STRV_FOREACH(s, l)
                n++;
        return n;
}

bool strv_contains(char *const *l, const char *s) {
        STRV_FOREACH(i, l)
                if (strcmp(*i, s) == 0)
                        return true;
        return false;
}

int strv_consume(char ***l, char *s) {
        size_t n = strv_length(*l);

        if (!s)
                return -ENOMEM;

        char **grown = reallocarray(*l, n + 2, sizeof(char *));
        if (!grown) {
                free(s);
                return -ENOMEM;
        }

        grown[n] = s;
        grown[n + 1] = NULL;
        *l = grown;
        return 0;
}

int strv_extend(char ***l, const char *s) {
        return strv_consume(l, strdup(s));
}

int strv_extendf(char ***l, const char *format, ...) {
        _cleanup_str_ Str s = {};
        char *text;
        va_list ap;
        int r;

        va_start(ap, format);
        str_vappendf(&s, format, ap);
        va_end(ap);

        r = str_take(&s, &text);
        if (r < 0)
                return r;

        return strv_consume(l, text);
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

void strv_sort(char **l) {
        size_t n = strv_length(l);

        if (n > 1)
                qsort(l, n, sizeof(char *), compare_strings);
}

char **argv_cut(int *argc, char *argv[]) {
        for (int i = 1; i < *argc; i++)
                if (strcmp(argv[i], "--") == 0) {
                        argv[i] = NULL;
                        *argc = i;
                        return argv[i + 1] ? argv + i + 1 : NULL;
                }
        return NULL;
}
