/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The sentence that a library gives for an error, where it knows more than the errno. */

/**
 * error_explain() - "Failed to WHAT 'SUBJECT': the errno's text"
 * @reterr: gets the sentence, owned by the caller; left alone if it has one: the first failure is the
 *          cause of the others
 * @error: a negative errno
 *
 * Return: @error, so that a caller can explain and return in one line; -ENOMEM.
 */
int error_explain(char **reterr, int error, const char *what, const char *subject);
