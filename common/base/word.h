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

/**
 * word_split() - split a value into words as systemd.syntax(7) "QUOTING" has it
 * @value: the value
 * @ret: the words, a list owned by the caller; NULL when there are none
 * @reterr: on -EINVAL, what is wrong, a constant string
 *
 * Words are separated by blanks, may be quoted whole or in part with " or ', and take
 * the C escapes \a \b \f \n \r \t \v \\ \" \' \s \xHH \OOO \uHHHH \UHHHHHHHH.
 *
 * Return: 0, -EINVAL on a bad escape or an open quote, -ENOMEM.
 */
int word_split(const char *value, char ***ret, const char **reterr);

/**
 * word_append_exec() - append @word as one argument of an Exec line
 *
 * A blank comes first, unless the line's '=' does.
 *
 * Specifiers (%), variables ($), a lone semicolon, quotes and control characters are
 * escaped as systemd.service(5), "COMMAND LINES", wants it.
 */
void word_append_exec(Str *s, const char *word);

/**
 * word_append_list() - append @word as one word of a list value
 *
 * As word_append_exec(), for lists of paths, units or assignments, where systemd expands
 * specifiers, but no variables.
 */
void word_append_list(Str *s, const char *word);

/**
 * word_append_text() - append @text as a whole value, specifiers escaped
 */
void word_append_text(Str *s, const char *text);
