/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The lexer for systemd.syntax(7): sections, assignments, comments, continuation lines.
 *
 * It knows no key; it calls back for each section header and each assignment, and adds
 * what it cannot read to the list of findings, one per line, going on behind it.
 *
 * inih, the library for this, cannot serve: it has no continuation lines, cuts values at
 * 200 bytes, takes ':' for '=' and gives no line numbers.
 */

#include "common/base/diag.h"

#define INI_FILE_MAX (1024U * 1024U)
#define INI_LINE_MAX (64U * 1024U)

typedef struct IniLine {
        const char *section; /* without brackets; "" only where key is NULL, too */
        const char *key;     /* NULL for a section header */
        const char *value;   /* blanks at both ends removed, continuations joined; may be "" */
        unsigned line;       /* where it begins, from 1 */
        unsigned column;     /* where the key or the header begins in that line, from 1 */

        const char *raw; /* these four are for ini_locate() */
        const char *raw_end;
        unsigned raw_line;
        size_t value_offset;
} IniLine;

/* Called for each line; the strings are gone afterwards. Return: 0 or negative errno. */
typedef int (*IniHandler)(const IniLine *line, void *userdata);

/**
 * ini_locate() - where a part of a value stands in the file
 * @offset: where it begins in the value, in bytes
 * @ret_line, @ret_column: from 1; the column is counted in characters
 *
 * A value that is continued stands in several lines.
 */
void ini_locate(const IniLine *line, size_t offset, unsigned *ret_line, unsigned *ret_column);

/**
 * ini_parse() - read the text of a file
 * @file: its name, for findings
 * @text, @size: its content, not changed
 * @diags: gets what cannot be read, as errors
 *
 * Return: 0 also when there were findings; what @handler returned if negative; -ENOMEM.
 */
int ini_parse(const char *file, const char *text, size_t size, Diags *diags, IniHandler handler,
        void *userdata);
