/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Strings: a growing buffer that text is built in, string lists, and comparisons.
 *
 * The buffer remembers a failed allocation, so that a caller that appends fifty times
 * checks once, at the end, with str_take() or str_error().
 */

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "common/base/macro.h"

typedef struct Str {
        char *data; /* NUL-terminated once anything was appended, else NULL */
        size_t len;
        size_t allocated;
        bool failed; /* an allocation failed: the content is incomplete */
} Str;

/** str_done() - free the content of a buffer; it may be used again afterwards. */
void str_done(Str *s);

#define _cleanup_str_ _cleanup_(str_done)

/** str_reserve() - make room for @n bytes more. Return: whether there is. */
bool str_reserve(Str *s, size_t n);

/** str_append_n() - append @n bytes. */
static inline void str_append_n(Str *s, const char *text, size_t n) {
        if (n >= s->allocated - s->len && !str_reserve(s, n))
                return;

        memcpy(s->data + s->len, text, n);
        s->len += n;
        s->data[s->len] = '\0';
}

/** str_append() - append a string. */
static inline void str_append(Str *s, const char *text) {
        str_append_n(s, text, strlen(text));
}

/** str_append_char() - append one byte. */
static inline void str_append_char(Str *s, char c) {
        if (s->len + 1 >= s->allocated) {
                str_append_n(s, &c, 1);
                return;
        }
        s->data[s->len++] = c;
        s->data[s->len] = '\0';
}

#define STRINGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/** str_append_all() - append each of the strings. */
#define str_append_all(s, ...) str_append_strings((s), STRINGS(__VA_ARGS__))
void str_append_strings(Str *s, const char *const *texts);

/** str_appendf() - append printf(3)-formatted text. */
void str_appendf(Str *s, const char *format, ...) _printf_(2, 3);

/** str_append_unsigned() - append a number, as str_appendf() with "%u", at a tenth of its time. */
void str_append_unsigned(Str *s, uint64_t n);

/** str_error() - Return: 0, or -ENOMEM when something could not be appended. */
static inline int str_error(const Str *s) {
        return s->failed ? -ENOMEM : 0;
}

/**
 * str_take() - take the built string out of the buffer, which is empty then
 * @ret: the string, never NULL on success, owned by the caller
 *
 * Return: 0, or -ENOMEM when something could not be appended.
 */
int str_take(Str *s, char **ret);

/**
 * str_format() - printf(3) into a new string
 * @ret: the string, owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int str_format(char **ret, const char *format, ...) _printf_(2, 3);

/**
 * str_join() - the strings behind each other, as a new string in *@ret, owned by the caller
 *
 * As str_format(), for when there is nothing to format, at a tenth of its time.
 *
 * Return: 0 or -ENOMEM.
 */
#define str_join(ret, ...) str_join_strings((ret), STRINGS(__VA_ARGS__))
int str_join_strings(char **ret, const char *const *texts);

/**
 * str_replace() - free *@p and put a copy of @value there; NULL is copied as NULL
 *
 * Return: 0, or -ENOMEM, with *@p untouched.
 */
int str_replace(char **p, const char *value);

/** str_equal() - Return: whether two strings are the same; NULL equals only NULL. */
static inline bool str_equal(const char *a, const char *b) {
        if (!a || !b)
                return a == b;
        return *a == *b && strcmp(a, b) == 0; /* mostly the first byte tells */
}

/** str_starts_with() - Return: what follows @prefix in @s, or NULL if @s does not start so. */
static inline const char *str_starts_with(const char *s, const char *prefix) {
        size_t n = strlen(prefix);

        return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

/** str_ends_with() - Return: where @suffix begins in @s, or NULL if @s does not end so. */
const char *str_ends_with(const char *s, const char *suffix);

/** is_alnum() - Return: whether @c is an ASCII letter or digit, in any locale. */
static inline bool is_alnum(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/** str_span_alnum() - Return: how many bytes at the start of @s are alphanumeric or of @more. */
static inline size_t str_span_alnum(const char *s, const char *more) {
        size_t n = 0;

        while (is_alnum(s[n]) || (s[n] && strchr(more, s[n])))
                n++;
        return n;
}

/** str_characters() - Return: how many characters @n bytes of UTF-8 are. */
size_t str_characters(const char *s, size_t n);

/** str_is_utf8() - Return: whether @n bytes are valid UTF-8 without NUL (RFC 3629). */
bool str_is_utf8(const char *s, size_t n);

/**
 * str_distance() - edit distance of two strings, ASCII case ignored, for "did you mean"
 *
 * Return: the number of insertions, deletions and substitutions between the two, at
 * most 63 characters of each considered.
 */
unsigned str_distance(const char *a, const char *b);

/* A list of strings: NULL, or a NULL-terminated array; list and strings are owned together. */

/** strv_free() - free a list and its strings. Return: NULL. */
char **strv_free(char **l);
DEFINE_CLEANUP(char **, strv_free);
#define _cleanup_strv_ _cleanup_(strv_freep)

/** strv_length() - Return: the number of strings in @l. */
size_t strv_length(char *const *l);

/** strv_contains() - Return: whether @s is in @l. */
bool strv_contains(char *const *l, const char *s);

/** strv_extend() - append a copy of @s to *@l. Return: 0 or -ENOMEM. */
int strv_extend(char ***l, const char *s);

/** strv_extendf() - append printf(3)-formatted text to *@l. Return: 0 or -ENOMEM. */
int strv_extendf(char ***l, const char *format, ...) _printf_(2, 3);

/** strv_consume() - append @s, which is owned by the list from now on, also on failure. */
int strv_consume(char ***l, char *s);

/** strv_sort() - sort by strcmp(3), which no locale changes. */
void strv_sort(char **l);

/**
 * argv_cut() - take the command off the end of a program's arguments, what is behind the first "--"
 * @argc: what is left; getopt_long(3) would move the "--" to its front
 *
 * Return: the command; NULL if there is none. Nothing is copied.
 */
char **argv_cut(int *argc, char *argv[]);

#define STRV_FOREACH(s, l) for (char *const *s = (l); s && *s; s++)
