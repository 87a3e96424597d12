/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-ini: systemd.syntax(7) as the lexer reads it, and what it says of lines that it cannot
 * read. What is unusual here was compared with systemd 252 by `systemd-analyze verify`.
 *
 * Each text lies in memory of just its size, so that the sanitizers see a byte read too much:
 * ini_parse() takes a size and promises no more.
 */

#include "tests/unit/test.h"

#include "common/base/ini.h"

typedef struct Reading {
        Str lines; /* "[SECTION]@LINE" or "SECTION.KEY=VALUE@LINE", one a line */
        Diags diags;
        int stop_after; /* give this many lines, then fail */
} Reading;

static int note_line(const IniLine *line, void *userdata) {
        Reading *r = userdata;

        if (r->stop_after > 0 && --r->stop_after == 0)
                return -EXDEV;

        assert_non_null(line->section);
        if (line->key)
                str_appendf(&r->lines, "%s.%s=%s@%u\n", line->section, line->key, line->value,
                        line->line);
        else
                str_appendf(&r->lines, "[%s]@%u\n", line->section, line->line);
        return 0;
}

static void reading_done(Reading *r) {
        str_done(&r->lines);
        diags_done(&r->diags);
}

static int read_ini(Reading *r, const char *text, size_t size) {
        _cleanup_free_ char *exact = malloc(MAX(size, (size_t) 1));

        assert_non_null(exact);
        memcpy(exact, text, size);
        str_append(&r->lines, "");
        return ini_parse("f", exact, size, &r->diags, note_line, r);
}

static void assert_reads_n(const char *text, size_t size, const char *lines, const char *diags) {
        _cleanup_(reading_done) Reading r = {};

        assert_int_equal(read_ini(&r, text, size), 0);
        assert_string_equal(r.lines.data, lines);
        assert_diags(&r.diags, diags);
}

static void assert_reads(const char *text, const char *lines, const char *diags) {
        assert_reads_n(text, strlen(text), lines, diags);
}

static void test_plain(void **state) {
        (void) state;

        assert_reads("", "", "");
        assert_reads("\n\n", "", "");
        assert_reads("[S]", "[S]@1\n", "");
        assert_reads("[S]\nA=b\n", "[S]@1\nS.A=b@2\n", "");
        assert_reads("[S]\nA=b", "[S]@1\nS.A=b@2\n", "");
        assert_reads("[S]\nA=b\n[T]\nA=c\n[S]\nA=d\n",
                "[S]@1\nS.A=b@2\n[T]@3\nT.A=c@4\n[S]@5\nS.A=d@6\n", "");
}

static void test_blanks(void **state) {
        (void) state;

        assert_reads(" [S] \n\tA =  b c \t\n", "[S]@1\nS.A=b c@2\n", "");
        assert_reads("[S]\nA=\nB= \n=\n", "[S]@1\nS.A=@2\nS.B=@3\n",
                "f:4: [S]: nothing stands before the '=' (write Key=value)\n");
        assert_reads("  \t ", "", "");
        assert_reads("[S]\nA=b\n   ", "[S]@1\nS.A=b@2\n", "");
}

static void test_values_keep_everything(void **state) {
        (void) state;

        assert_reads("[S]\nA=b=c==\n", "[S]@1\nS.A=b=c==@2\n", "");
        assert_reads("[S]\nA=b # c ; d\n", "[S]@1\nS.A=b # c ; d@2\n", "");
        assert_reads("[S]\nA=\"b c\" 'd' \\x41\n", "[S]@1\nS.A=\"b c\" 'd' \\x41@2\n", "");
        assert_reads("[S]\nA=[x]\n", "[S]@1\nS.A=[x]@2\n", "");
}

static void test_comments(void **state) {
        (void) state;

        assert_reads("# a\n; b\n[S]\n  # c\n\t; d\nA=b\n#", "[S]@3\nS.A=b@6\n", "");
        assert_reads("[S]\n# continued? \\\nA=b\n", "[S]@1\nS.A=b@3\n", "");
        assert_reads("[S]\n# \xff\nA=b\n", "[S]@1\nS.A=b@3\n", "");
}

static void test_continuation(void **state) {
        (void) state;

        assert_reads("[S]\nA=b\\\nc\nD=e\n", "[S]@1\nS.A=b c@2\nS.D=e@4\n", "");
        assert_reads("[S]\nA=b \\\n  c \\\n  d\nD=e\n", "[S]@1\nS.A=b    c    d@2\nS.D=e@5\n", "");
        assert_reads("[S]\nA=\\\nb\nD=e\n", "[S]@1\nS.A=b@2\nS.D=e@4\n", "");
        assert_reads("[S]\nA=b\\\n\nD=e\n", "[S]@1\nS.A=b@2\nS.D=e@4\n", "");
        assert_reads("[S]\nA=b\\\nD=e\n", "[S]@1\nS.A=b D=e@2\n", "");
        assert_reads("[S]\nA=b\\", "[S]@1\nS.A=b@2\n", "");
        assert_reads("[S]\nA=b\\\n", "[S]@1\nS.A=b@2\n", "");
        assert_reads("[S]\nA=b\\c\\\n", "[S]@1\nS.A=b\\c@2\n", "");
}

static void test_comments_inside_continuation(void **state) {
        (void) state;

        assert_reads("[S]\nA=b\\\n# x\n; y \\\n   c\nD=e\n", "[S]@1\nS.A=b    c@2\nS.D=e@6\n", "");
        assert_reads("[S]\nA=b\\\n# x", "[S]@1\nS.A=b@2\n", "");
}

/* A backslash that another one protects does not continue the line. */
static void test_escaped_backslash_at_the_end(void **state) {
        (void) state;

        assert_reads("[S]\nA=b\\\\\nD=e\n", "[S]@1\nS.A=b\\\\@2\nS.D=e@3\n", "");
        assert_reads("[S]\nA=b\\\\\\\nc\n", "[S]@1\nS.A=b\\\\ c@2\n", "");
        assert_reads("[S]\nA=b\\\\\\\\\nD=e\n", "[S]@1\nS.A=b\\\\\\\\@2\nS.D=e@3\n", "");
}

static void test_backslash_before_blanks(void **state) {
        (void) state;

        assert_reads("[S]\nA=b\\ \nD=e\n", "[S]@1\nS.A=b\\@2\nS.D=e@3\n", "");
}

static void test_line_ends(void **state) {
        (void) state;

        assert_reads("[S]\r\nA=b\r\nC=d\r\n", "[S]@1\nS.A=b@2\nS.C=d@3\n", "");
        assert_reads("[S]\r\nA=b\\\r\nc\r\n", "[S]@1\nS.A=b c@2\n", "");
        assert_reads("\r\n\r\n[S]\r\n# x\r\nA=b", "[S]@3\nS.A=b@5\n", "");
}

/* A carriage return ends a line for systemd: one that stays in a value ends the unit's line. */
static void test_carriage_return_stays_in_no_value(void **state) {
        static const char text[] = "[S]\nA=b\rType=simple\nC=d\n";
        _cleanup_(reading_done) Reading r = {};

        (void) state;

        assert_int_equal(read_ini(&r, text, strlen(text)), 0);
        assert_null(strchr(r.lines.data, '\r'));
}

static void test_byte_order_mark(void **state) {
        (void) state;

        assert_reads("\xef\xbb\xbf[S]\nA=b\n", "[S]@1\nS.A=b@2\n", "");
        assert_reads("\xef\xbb\xbf", "", "");
        assert_reads("\xef\xbb\xbf# c\n[S]\n", "[S]@2\n", "");
}

static void test_nul(void **state) {
        (void) state;

        assert_reads_n("\0", 1, "", "f:1: the file contains a NUL byte\n");
        assert_reads_n("[S]\nA=b\nC=\0d\n", 13, "", "f:3: the file contains a NUL byte\n");
}

static void test_not_utf8(void **state) {
        (void) state;

        assert_reads("[S]\nA=\xff\nC=d\n", "[S]@1\nS.C=d@3\n",
                "f:2: [S]: the line is not valid UTF-8\n");
        assert_reads("[S]\nA=\xc3\\\n\xa4\nC=d\n", "[S]@1\nS.C=d@4\n",
                "f:2: [S]: the line is not valid UTF-8\n");
        assert_reads("[S]\nA=\xc3\xa4\n", "[S]@1\nS.A=\xc3\xa4@2\n", "");
}

static void test_broken_headers(void **state) {
        static const char *const headers[] = { "[S", "[", "[]", "[S]x", "[S] # c" };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(headers); i++) {
                _cleanup_free_ char *text = NULL;

                /* What follows belongs to no section, least of all to the one before. */
                assert_int_equal(str_format(&text, "%s\nA=b\n[T]\nC=d\n", headers[i]), 0);
                assert_reads(text, "[T]@3\nT.C=d@4\n",
                        "f:1: the section header is not closed (write [Section])\n");
        }
}

static void test_broken_header_is_not_the_section_before(void **state) {
        (void) state;

        assert_reads("[S]\n[T\nA=b\n[U]\n", "[S]@1\n[U]@4\n",
                "f:2: the section header is not closed (write [Section])\n");
}

/* A header that cannot be read for another reason ends the section before it just as well. */
static void test_unreadable_header_ends_the_section(void **state) {
        _cleanup_(reading_done) Reading r = {};
        static const char text[] = "[S]\nA=b\n[T\xff]\nC=d\n[U]\nE=f\n";

        (void) state;

        assert_int_equal(read_ini(&r, text, strlen(text)), 0);
        assert_string_equal(r.lines.data, "[S]@1\nS.A=b@2\n[U]@5\nU.E=f@6\n");
        assert_int_equal(diags_count(&r.diags, SEVERITY_ERROR), 1);
}

static void test_broken_assignments(void **state) {
        (void) state;

        assert_reads("A=b\n[S]\nC=d\n", "[S]@2\nS.C=d@3\n",
                "f:1: an assignment outside of any section (begin with [Container] or another "
                "section)\n");
        assert_reads("[S]\nnonsense\nA=b\n", "[S]@1\nS.A=b@3\n",
                "f:2: [S]: neither a section nor an assignment (write Key=value)\n");
        assert_reads("[S]\n =b\n", "[S]@1\n",
                "f:2: [S]: nothing stands before the '=' (write Key=value)\n");
}

/* A line of @size bytes: "A=" and an 'x' for each of the rest. */
static void append_line(Str *s, size_t size) {
        str_append(s, "A=");
        for (size_t i = 2; i < size; i++)
                str_append_char(s, 'x');
        str_append(s, "\n");
}

static void test_line_length(void **state) {
        static const struct {
                size_t size;
                bool fits;
        } cases[] = { { INI_LINE_MAX - 1, true }, { INI_LINE_MAX, true },
                { INI_LINE_MAX + 1, false } };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(reading_done) Reading r = {};
                _cleanup_str_ Str s = {};

                str_append(&s, "[S]\n");
                append_line(&s, cases[i].size);
                str_append(&s, "C=d\n");
                assert_int_equal(read_ini(&r, s.data, s.len), 0);
                assert_diags(&r.diags,
                        cases[i].fits ? "" : "f:2: [S]: the line is longer than 64 KiB\n");
                assert_contains(r.lines.data, "S.C=d@3\n");
                assert_int_equal(!!strstr(r.lines.data, "S.A="), cases[i].fits);
        }
}

/* Continued lines are one line, and a comment has no length. */
static void test_length_of_continued_lines(void **state) {
        _cleanup_(reading_done) Reading r = {};
        _cleanup_str_ Str s = {};

        (void) state;

        str_append(&s, "# ");
        append_line(&s, INI_LINE_MAX + 1);
        str_append(&s, "[S]\nA=b \\\n");
        for (size_t i = 0; i < 1024; i++)
                str_append(
                        &s, "0123456789012345678901234567890123456789012345678901234567890123\\\n");
        str_append(&s, "c\nD=e\n");

        assert_int_equal(read_ini(&r, s.data, s.len), 0);
        assert_string_equal(r.lines.data, "[S]@2\nS.D=e@1029\n");
        assert_diags(&r.diags, "f:3: [S]: the line is longer than 64 KiB\n");
}

static void test_many_lines(void **state) {
        _cleanup_(reading_done) Reading r = {};
        _cleanup_str_ Str s = {};

        (void) state;

        str_append(&s, "[S]\n");
        while (s.len + 4 <= INI_FILE_MAX)
                str_append(&s, "A=b\n");
        assert_int_equal(read_ini(&r, s.data, s.len), 0);
        assert_contains(r.lines.data, "S.A=b@262144\n");
        assert_int_equal(r.diags.n, 0);
}

static void test_handler_stops(void **state) {
        _cleanup_(reading_done) Reading header = { .stop_after = 1 }, key = { .stop_after = 2 };

        (void) state;

        assert_int_equal(read_ini(&header, "[S]\nA=b\nC=d\n", 12), -EXDEV);
        assert_string_equal(header.lines.data, "");
        assert_int_equal(read_ini(&key, "[S]\nA=b\nC=d\n", 12), -EXDEV);
        assert_string_equal(key.lines.data, "[S]@1\n");
}

/* Whatever comes: no crash, and lines in order. */
static void test_random_bytes(void **state) {
        static const char alphabet[] = "[]=\\#; \t\r\n\nAb\xc3\xa4\xff\"'";
        uint32_t random = 1;

        (void) state;

        for (unsigned i = 0; i < test_rounds(); i++) {
                _cleanup_(reading_done) Reading r = {};
                char text[64];
                size_t n = i % sizeof(text);

                for (size_t k = 0; k < n; k++) {
                        random = random * 1103515245U + 12345U;
                        text[k] = alphabet[(random >> 16) % (sizeof(alphabet) - 1)];
                }
                assert_int_equal(read_ini(&r, text, n), 0);
                for (size_t k = 1; k < r.diags.n; k++)
                        assert_true(r.diags.items[k - 1].line <= r.diags.items[k].line);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),
                cmocka_unit_test(test_blanks),
                cmocka_unit_test(test_values_keep_everything),
                cmocka_unit_test(test_comments),
                cmocka_unit_test(test_continuation),
                cmocka_unit_test(test_comments_inside_continuation),
                cmocka_unit_test(test_escaped_backslash_at_the_end),
                cmocka_unit_test(test_backslash_before_blanks),
                cmocka_unit_test(test_line_ends),
                cmocka_unit_test(test_carriage_return_stays_in_no_value),
                cmocka_unit_test(test_byte_order_mark),
                cmocka_unit_test(test_nul),
                cmocka_unit_test(test_not_utf8),
                cmocka_unit_test(test_broken_headers),
                cmocka_unit_test(test_broken_header_is_not_the_section_before),
                cmocka_unit_test(test_unreadable_header_ends_the_section),
                cmocka_unit_test(test_broken_assignments),
                cmocka_unit_test(test_line_length),
                cmocka_unit_test(test_length_of_continued_lines),
                cmocka_unit_test(test_many_lines),
                cmocka_unit_test(test_handler_stops),
                cmocka_unit_test(test_random_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
