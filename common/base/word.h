/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Words: systemd's word lists read, and single words written so that systemd reads
 * back just the same word.
 *
 * A definition's value must never become another argument, variable or command in the
 * unit. All quoting happens here, see word_append_exec().
 */

#include "common/base/str.h"

typedef enum WordFlags {
        WORD_RETAIN_ESCAPES = 1 << 0, /* a backslash is a part of the word, as in names of units */
        WORD_INSTANCE = 1 << 1,       /* "%i" is the specifier, in the unit of a template */
} WordFlags;

/**
 * word_next() - take the next word of a value
 * @p: where to go on in the value, moved behind the word
 * @ret: the word, owned by the caller
 * @ret_begin: where it begins in the value, also on -EINVAL
 * @reterr: on -EINVAL, what is wrong, a constant string
 *
 * Words are as word_split() has them. Return: 1; 0 at the end; -EINVAL on a bad escape or an open
 * quote; -ENOMEM.
 */
int word_next(
        const char **p, WordFlags flags, char **ret, const char **ret_begin, const char **reterr);

/**
 * word_unescape() - decode one C escape
 * @p: what follows the backslash
 * @accept_nul: whether it may stand for a NUL byte
 * @word: gets what it stands for
 *
 * Return: where it ends; NULL if it is none.
 */
const char *word_unescape(const char *p, bool accept_nul, Str *word);

/**
 * word_split() - split a value into words as systemd.syntax(7) "QUOTING" has it
 * @value: the value
 * @flags: 0 or WORD_RETAIN_ESCAPES
 * @ret: the words, a list owned by the caller; NULL when there are none
 * @reterr: on -EINVAL, what is wrong, a constant string
 *
 * Words are separated by blanks, may be quoted whole or in part with " or ', and take
 * the C escapes \a \b \f \n \r \t \v \\ \" \' \s \xHH \OOO \uHHHH \UHHHHHHHH.
 *
 * Return: 0, -EINVAL on a bad escape or an open quote, -ENOMEM.
 */
int word_split(const char *value, WordFlags flags, char ***ret, const char **reterr);

/**
 * word_append_exec() - append a blank and one argument of an Exec line
 * @option, @value: what the argument is put together from; either may be empty
 *
 * Specifiers (%), variables ($), a lone semicolon, quotes and control characters are
 * escaped as systemd.service(5), "COMMAND LINES", wants it.
 * @flags: 0 or WORD_INSTANCE
 */
void word_append_exec(Str *s, const char *option, const char *value, WordFlags flags);

/** word_is_free() - Return: whether a word stands everywhere as it is, as most do. */
bool word_is_free(const char *word);

/**
 * word_quote_exec() - make what was appended to an Exec line one argument of it, as word_append_exec() does
 * @begin: the length of @s before that, behind a blank
 */
void word_quote_exec(Str *s, size_t begin, WordFlags flags);

/**
 * word_append_list() - append @word as one word of a list value
 *
 * As word_append_exec(), but without a blank, for lists of paths, units or assignments, where
 * systemd expands specifiers, but no variables.
 */
void word_append_list(Str *s, const char *word, WordFlags flags);

/**
 * word_append_text() - append @text as the rest of a line and end it; specifiers are escaped
 */
void word_append_text(Str *s, const char *text, WordFlags flags);

/**
 * word_end_line() - end a line, so that a backslash at its end does not continue it
 *
 * systemd looks for that backslash first and removes blanks at the end later.
 */
void word_end_line(Str *s);
