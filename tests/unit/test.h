/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the unit tests share: cmocka with the headers that it wants to see first, a definition
 * made from text, and a directory for a test that needs files. Every failure here is a
 * failure of the test, so nothing returns an error.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/file.h"

/* A definition of @name, read from @text and checked; what is wrong with it is in @diags. */
_unused_ static Definition *define(const char *name, const char *text, Diags *diags) {
        Definition *d = NULL;

        assert_int_equal(definition_new(name, &d), 0);
        assert_int_equal(definition_parse(d, "test.container", text, strlen(text), diags), 0);
        assert_int_equal(check_definition(d, diags), 0);
        return d;
}

/* All findings, one a line; owned by the caller. */
_unused_ static char *diags_text(const Diags *diags) {
        Str s = {};
        char *text = NULL;

        for (size_t i = 0; i < diags->n; i++) {
                _cleanup_free_ char *line = NULL;

                assert_int_equal(diag_format(&diags->items[i], &line), 0);
                str_appendf(&s, "%s%s\n",
                        diags->items[i].severity == SEVERITY_WARNING ? "warning: " : "", line);
        }

        assert_int_equal(str_take(&s, &text), 0);
        return text;
}

_unused_ static void assert_diags(const Diags *diags, const char *expected) {
        _cleanup_free_ char *text = diags_text(diags);

        assert_string_equal(text, expected);
}

/* How often to try what is random. What only valgrind finds, it finds in fewer. */
_unused_ static unsigned test_rounds(void) {
        return getenv("SPAWNLET_TEST_UNDER_VALGRIND") ? 2000 : 20000;
}

_unused_ static void assert_contains(const char *text, const char *part) {
        if (!strstr(text, part))
                fail_msg("'%s' is not in:\n%s", part, text);
}

_unused_ static void assert_contains_not(const char *text, const char *part) {
        if (strstr(text, part))
                fail_msg("'%s' is in:\n%s", part, text);
}

/* A string list as one string with '|' between, to compare and to print; owned by the caller. */
_unused_ static char *joined(char *const *l) {
        Str s = {};
        char *text = NULL;

        STRV_FOREACH(i, l)
                str_appendf(&s, "%s%s", i == l ? "" : "|", *i);
        assert_int_equal(str_take(&s, &text), 0);
        return text;
}

/* The directory of a test */

_unused_ static int directory_setup(void **state) {
        char *path = strdup("/tmp/spawnlet-test-XXXXXX");

        assert_non_null(path);
        assert_non_null(mkdtemp(path));
        *state = path;
        return 0;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
        (void) st;
        (void) kind;
        (void) ftw;
        return remove(path);
}

_unused_ static int directory_teardown(void **state) {
        assert_int_equal(nftw(*state, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
        free(*state);
        return 0;
}

/* @directory/@name in a buffer of the caller. */
_unused_ static const char *path_in(const char *directory, const char *name, char buf[PATH_MAX]) {
        int n = snprintf(buf, PATH_MAX, "%s/%s", directory, name);

        assert_true(n > 0 && n < PATH_MAX);
        return buf;
}

/* Write a file, and make the directories it lies in. */
_unused_ static void write_bytes(
        const char *directory, const char *name, const void *data, size_t size) {
        char path[PATH_MAX], parent[PATH_MAX];

        (void) path_in(directory, name, path);
        (void) strcpy(parent, path);
        *strrchr(parent, '/') = '\0';
        assert_int_equal(mkdir_parents(parent, 0755), 0);
        (void) unlink(path); /* mostly not there */
        assert_int_equal(file_create(AT_FDCWD, path, data, size, 0644), 0);
}

_unused_ static void write_text(const char *directory, const char *name, const char *text) {
        write_bytes(directory, name, text, strlen(text));
}
