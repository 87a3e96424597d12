/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-word: word lists read as systemd reads them, and words written so that systemd reads
 * the same word back.
 *
 * The second half holds against a model of what systemd does to an Exec line, written from
 * its documentation and kept apart from word.c: split at unquoted blanks and semicolons, C
 * escapes, then %% and $$. Any other '%' or '$' that is left would mean something to systemd,
 * and so fails the test.
 */

#include "tests/unit/test.h"

#include "common/base/word.h"

/* systemd's side */

typedef enum Escapes {
        ESCAPES_C,      /* EXTRACT_CUNESCAPE: Exec lines, Environment= */
        ESCAPES_SIMPLE, /* a backslash only protects: RequiresMountsFor= */
} Escapes;

static size_t model_number(const char *p, size_t digits, unsigned base, unsigned long *ret) {
        char text[9] = {}, *end;

        if (strnlen(p, digits) < digits)
                return 0;
        memcpy(text, p, digits);
        if (text[strspn(text, base == 8 ? "01234567" : "0123456789abcdefABCDEF")] != '\0')
                return 0;

        *ret = strtoul(text, &end, (int) base);
        return *end == '\0' && *ret > 0 ? digits : 0;
}

static void model_encode(Str *word, unsigned long c) {
        if (c >= 0x10000) {
                str_append_char(word, (char) (0xf0 + c / 0x40000));
                str_append_char(word, (char) (0x80 + c / 0x1000 % 0x40));
        } else if (c >= 0x800) {
                str_append_char(word, (char) (0xe0 + c / 0x1000));
        }
        if (c >= 0x800)
                str_append_char(word, (char) (0x80 + c / 0x40 % 0x40));
        else if (c >= 0x80)
                str_append_char(word, (char) (0xc0 + c / 0x40));
        str_append_char(word, (char) (c < 0x80 ? c : 0x80 + c % 0x40));
}

/* What follows a backslash. Return: its length, 0 if it is wrong. */
static size_t model_escape(const char *p, Str *word) {
        static const char letters[] = "abfnrtvs\\\"'", values[] = "\a\b\f\n\r\t\v \\\"'";
        const char *simple = *p ? strchr(letters, *p) : NULL;
        unsigned long c;
        size_t n;

        if (simple) {
                str_append_char(word, values[simple - letters]);
                return 1;
        }

        if (*p == 'x') {
                n = model_number(p + 1, 2, 16, &c);
                if (n > 0)
                        str_append_char(word, (char) c);
                return n > 0 ? n + 1 : 0;
        }
        if (*p == 'u' || *p == 'U') {
                n = model_number(p + 1, *p == 'u' ? 4 : 8, 16, &c);
                if (n == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
                        return 0;
                model_encode(word, c);
                return n + 1;
        }

        n = model_number(p, 3, 8, &c);
        if (n == 0 || c > 255)
                return 0;
        str_append_char(word, (char) c);
        return n;
}

/* The next word of *@p. Return: 1, 0 at the end, -1 if it cannot be read. */
static int model_next(const char **p, Escapes escapes, Str *word) {
        const char *s = *p + strspn(*p, " \t\n\r");
        char quote = '\0';

        if (!*s)
                return 0;

        str_append(word, "");
        for (; *s; s++) {
                if (*s == '\\' && escapes == ESCAPES_C) {
                        size_t n = model_escape(s + 1, word);

                        if (n == 0)
                                return -1;
                        s += n;
                } else if (*s == '\\') {
                        if (!*++s)
                                return -1;
                        str_append_char(word, *s);
                } else if (quote && *s == quote) {
                        quote = '\0';
                } else if (!quote && (*s == '"' || *s == '\'')) {
                        quote = *s;
                } else if (!quote && strchr(" \t\n\r", *s)) {
                        break;
                } else {
                        str_append_char(word, *s);
                }
        }

        *p = s;
        return quote ? -1 : 1;
}

/* "%%" and, if @c is '$', "$$": the character itself; alone it would mean something. */
static void model_expand(Str *word, char c) {
        Str expanded = {};

        str_append(&expanded, "");
        for (const char *p = word->data; *p; p++) {
                if (*p == c) {
                        if (p[1] != c)
                                fail_msg("'%c' has a meaning in '%s'", c, word->data);
                        p++;
                }
                str_append_char(&expanded, *p);
        }

        str_done(word);
        *word = expanded;
}

/* The line as systemd reads it, before it looks at words. */
static void assert_one_line(const char *line) {
        if (!str_is_utf8(line, strlen(line)))
                fail_msg("not UTF-8: %s", line);
        assert_null(strchr(line, '\n'));
        assert_null(strchr(line, '\r')); /* ends a line for systemd, too */

        size_t backslashes = 0;
        for (size_t n = strlen(line); n > 0 && line[n - 1] == '\\'; n--)
                backslashes++;
        assert_int_equal(backslashes % 2, 0); /* else it takes in the next line */
}

static void assert_reads_back(
        const char *line, char *const *words, Escapes escapes, bool variables) {
        const char *p = strchr(line, '=');

        assert_non_null(p);
        p++;
        assert_one_line(line);

        STRV_FOREACH(w, words) {
                _cleanup_str_ Str word = {};

                p += strspn(p, " \t");
                if (variables && *p == ';' && (!p[1] || strchr(" \t", p[1])))
                        fail_msg("a new command begins in: %s", line);
                if (model_next(&p, escapes, &word) != 1)
                        fail_msg("'%s' is not there in: %s", *w, line);
                model_expand(&word, '%');
                if (variables)
                        model_expand(&word, '$');
                if (!str_equal(word.data, *w))
                        fail_msg("'%s' became '%s' in: %s", *w, word.data, line);
        }

        assert_int_equal(p[strspn(p, " \t")], '\0');
}

/* Random words, the same in every run */

typedef struct Random {
        uint64_t state;
} Random;

static uint32_t random_below(Random *r, uint32_t n) {
        r->state = r->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t) (r->state >> 33) % n;
}

static const char *const nasty[] = { "%", "%%", "%i", "%n", "$", "$$", "$A", "${", "${A}", "}", ";",
        "\"", "'", "\\", "\\n", "\\x41", "\\101", "\\;", " ", "  ", "\t", "=", "#", "@", "-", "+",
        "!", ":", "|", "~", "[", "]", "*", "?", "a", "A=", "z", "0", "7", "/", ".", ",", "&", "<",
        "\x01", "\x1b[0m", "\x7f", "\n", "\r", "\r\n", "\v", "\xc3\xa4", "\xe2\x82\xac",
        "\xf0\x9f\x98\x80", "\xc2\x85", "\xe2\x80\xa8", "\xef\xbb\xbf" };

static char *random_word(Random *r, const char *const *pieces, size_t n_pieces) {
        Str s = {};
        char *word = NULL;

        for (uint32_t n = random_below(r, 8); n > 0; n--)
                str_append(&s, pieces[random_below(r, (uint32_t) n_pieces)]);
        assert_int_equal(str_take(&s, &word), 0);
        return word;
}

/* Reading */

static void test_split(void **state) {
        static const struct {
                const char *value, *words; /* with '|' between */
        } cases[] = {
                { "a", "a" },
                { "a b\tc  d", "a|b|c|d" },
                { "  a  ", "a" },
                { "\"a b\" c", "a b|c" },
                { "'a b' c", "a b|c" },
                { "a'b c'd\"e f\"", "ab cde f" },
                { "\"it's\" 'say \"x\"'", "it's|say \"x\"" },
                { "\"\"", "" },
                { "a '' b", "a||b" },
                { "a\\sb c", "a b|c" },
                { "\\a\\b\\f\\n\\r\\t\\v", "\a\b\f\n\r\t\v" },
                { "\\\\ \\\" \\'", "\\|\"|'" },
                { "\"\\\"\" '\\''", "\"|'" },
                { "\\x41\\x7a\\x4B", "AzK" },
                { "\\101\\001\\377", "A\001\377" },
                { "\\u00e4\\u20aC", "\xc3\xa4\xe2\x82\xac" },
                { "\\U0001F600", "\xf0\x9f\x98\x80" },
                { "\\U0010ffff", "\xf4\x8f\xbf\xbf" },
                { "\\x414", "A4" },
                { "$A %i ;", "$A|%i|;" },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_strv_ char **words = NULL;
                _cleanup_free_ char *text = NULL;
                const char *error;

                assert_int_equal(word_split(cases[i].value, 0, &words, &error), 0);
                text = joined(words);
                assert_string_equal(text, cases[i].words);
        }
}

static void test_split_nothing(void **state) {
        static const char *const values[] = { "", " ", "\t \n" };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                char **words = (char *[]){ NULL };
                const char *error;

                assert_int_equal(word_split(values[i], 0, &words, &error), 0);
                assert_null(words);
        }
}

static void test_split_refuses(void **state) {
        static const char *const values[] = { "\"a", "'a", "a\"", "a\"b'c", "\\", "a\\", "\"a\\",
                "\\q", "\\x", "\\x4", "\\x4g", "\\x00", "\\000", "\\400", "\\8", "\\12", "\\128",
                "\\u00e", "\\u0000", "\\ud800", "\\udfff", "\\U00110000", "\\U0000000",
                "\\\xc3\xa4" };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                char **words = NULL;
                const char *error = NULL;

                if (word_split(values[i], 0, &words, &error) != -EINVAL)
                        fail_msg("'%s' was taken", values[i]);
                assert_null(words);
                assert_non_null(error);
        }
}

/* What the model of systemd makes of a value, word_split() makes of it, too. */
static void test_split_as_systemd(void **state) {
        Random random = { 1 };

        (void) state;

        for (unsigned i = 0; i < test_rounds(); i++) {
                _cleanup_free_ char *value = random_word(&random, nasty, ELEMENTSOF(nasty));
                _cleanup_strv_ char **expected = NULL, **words = NULL;
                _cleanup_free_ char *expected_text = NULL, *text = NULL;
                const char *p = value, *error;
                int r;

                for (;;) {
                        _cleanup_str_ Str word = {};

                        r = model_next(&p, ESCAPES_C, &word);
                        if (r <= 0)
                                break;
                        assert_int_equal(strv_extend(&expected, word.data), 0);
                }

                assert_int_equal(word_split(value, 0, &words, &error), r < 0 ? -EINVAL : 0);
                if (r < 0)
                        continue;
                expected_text = joined(expected);
                text = joined(words);
                assert_string_equal(text, expected_text);
        }
}

/* Writing */

static void test_append_exec(void **state) {
        static const struct {
                const char *word, *written;
        } cases[] = {
                { "plain", "plain" },
                { "--bind=/srv/a:/b", "--bind=/srv/a:/b" },
                { "", "\"\"" },
                { "a b", "\"a b\"" },
                { ";", "\";\"" },
                { "100%", "100%%" },
                { "$HOME", "$$HOME" },
                { "it's", "\"it's\"" },
                { "say \"x\"", "\"say \\\"x\\\"\"" },
                { "C:\\dir", "\"C:\\\\dir\"" },
                { "\t\n\r\x1b\x7f", "\"\\x09\\x0a\\x0d\\x1b\\x7f\"" },
                { "\xc3\xa4", "\"\xc3\xa4\"" },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_str_ Str s = {};

                word_append_exec(&s, "", cases[i].word, 0);
                assert_int_equal(s.data[0], ' ');
                assert_string_equal(s.data + 1, cases[i].written);
        }
}

/* Also behind a word that ends in '=', as a variable without value does. */
static void test_blank_between_words(void **state) {
        _cleanup_str_ Str s = {};

        (void) state;

        str_append(&s, "ExecStart=a");
        word_append_exec(&s, "--setenv=", "EMPTY=", 0);
        word_append_exec(&s, "b", "", 0);
        assert_string_equal(s.data, "ExecStart=a --setenv=EMPTY= b");
}

static void test_append_list(void **state) {
        _cleanup_str_ Str s = {};

        (void) state;

        str_append(&s, "RequiresMountsFor=");
        word_append_list(&s, "/a=", 0);
        str_append_char(&s, ' ');
        word_append_list(&s, "/b $c 100%", 0);
        assert_string_equal(s.data, "RequiresMountsFor=/a= \"/b $c 100%%\"");
}

/* @n_words of @pieces on one line, read back, over and over. */
static void read_back(uint64_t seed, const char *const *pieces, size_t n_pieces, bool many) {
        Random random = { seed };

        for (unsigned i = 0; i < test_rounds(); i++) {
                _cleanup_strv_ char **words = NULL;
                _cleanup_str_ Str s = {};

                str_append(&s, "ExecStart=");
                for (uint32_t n = many ? random_below(&random, 6) + 1 : 1; n > 0; n--)
                        assert_int_equal(
                                strv_consume(&words, random_word(&random, pieces, n_pieces)), 0);
                STRV_FOREACH(w, words)
                        word_append_exec(&s, "", *w, 0);

                assert_reads_back(s.data, words, ESCAPES_C, true);
        }
}

static void test_exec_word_reads_back(void **state) {
        (void) state;
        read_back(2, nasty, ELEMENTSOF(nasty), false);
}

static void test_exec_words_read_back(void **state) {
        (void) state;
        read_back(3, nasty, ELEMENTSOF(nasty), true);
}

/* A word may be made of any bytes (\xff in a word list); a unit file has to be UTF-8. */
static void test_exec_bytes_read_back(void **state) {
        static const char *const bytes[] = { "\xff", "\x80", "\xc3", "\xa4", "\xc3\xa4", "\xe2\x82",
                "\xac", "\xf0\x9f", "\xed\xa0\x80", "a", " ", "%", "\\" };

        (void) state;
        read_back(4, bytes, ELEMENTSOF(bytes), false);
}

/* systemd reads some lists with C escapes and some without: what is written suits both. */
static void test_list_words_read_back(void **state) {
        Random random = { 5 };

        (void) state;

        for (unsigned i = 0; i < test_rounds(); i++) {
                _cleanup_free_ char *word = random_word(&random, nasty, ELEMENTSOF(nasty));
                char *words[] = { word, NULL };
                _cleanup_str_ Str s = {};

                if (strpbrk(word, "\r\n")) /* cannot be written without C escapes */
                        continue;
                str_append(&s, "RequiresMountsFor=");
                word_append_list(&s, word, 0);
                assert_reads_back(s.data, words, ESCAPES_C, false);
                assert_reads_back(s.data, words, ESCAPES_SIMPLE, false);
        }
}

static void test_append_text(void **state) {
        static const struct {
                const char *text, *line;
        } cases[] = {
                { "", "Description=\n" },
                { "100% \"$HOME\" it's; ok %i", "Description=100%% \"$HOME\" it's; ok %%i\n" },
                { "a\\", "Description=a\\ \n" }, /* else the next line would belong to it */
                { "a\\b", "Description=a\\b\n" },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_str_ Str s = {};

                str_append(&s, "Description=");
                word_append_text(&s, cases[i].text, 0);
                assert_string_equal(s.data, cases[i].line);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_split),
                cmocka_unit_test(test_split_nothing),
                cmocka_unit_test(test_split_refuses),
                cmocka_unit_test(test_split_as_systemd),
                cmocka_unit_test(test_append_exec),
                cmocka_unit_test(test_blank_between_words),
                cmocka_unit_test(test_append_list),
                cmocka_unit_test(test_exec_word_reads_back),
                cmocka_unit_test(test_exec_words_read_back),
                cmocka_unit_test(test_exec_bytes_read_back),
                cmocka_unit_test(test_list_words_read_back),
                cmocka_unit_test(test_append_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
