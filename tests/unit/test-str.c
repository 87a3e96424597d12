/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-str: the growing buffer, the string lists and the comparisons.
 */

#include "tests/unit/test.h"

#include "common/base/str.h"

static void test_buffer_grows(void **state) {
        _cleanup_str_ Str s = {};

        (void) state;

        /* Over every length at which the buffer may have to grow: the sanitizers look on. */
        for (size_t n = 0; n < 5000; n++) {
                assert_int_equal(s.len, n);
                str_append_char(&s, (char) ('a' + n % 26));
                assert_int_equal(strlen(s.data), n + 1);
        }

        for (size_t n = 0; n < 5000; n++)
                assert_int_equal(s.data[n], 'a' + n % 26);
        assert_int_equal(str_error(&s), 0);
}

static void test_buffer_takes_pieces_of_any_size(void **state) {
        static const size_t sizes[] = { 0, 1, 126, 127, 128, 129, 255, 256, 257, 65536 };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                for (size_t j = 0; j < ELEMENTSOF(sizes); j++) {
                        _cleanup_free_ char *text = malloc(65537);
                        _cleanup_str_ Str s = {};

                        assert_non_null(text);
                        memset(text, 'x', 65536);
                        text[65536] = '\0';
                        str_append_n(&s, text, sizes[i]);
                        str_appendf(&s, "%.*s", (int) sizes[j], text);
                        assert_int_equal(s.len, sizes[i] + sizes[j]);
                        assert_int_equal(strlen(s.data), s.len);
                }
}

static void test_take_gives_the_string_away(void **state) {
        _cleanup_free_ char *first = NULL, *second = NULL;
        Str s = {};

        (void) state;

        str_append(&s, "one");
        assert_int_equal(str_take(&s, &first), 0);
        assert_string_equal(first, "one");
        assert_null(s.data);

        /* Nothing appended is the empty string, not NULL. */
        assert_int_equal(str_take(&s, &second), 0);
        assert_string_equal(second, "");
}

static void test_failure_is_remembered(void **state) {
        _cleanup_free_ char *text = NULL;
        Str s = {};

        (void) state;

        str_append(&s, "text");
        s.failed = true;
        str_append(&s, "more");
        assert_int_equal(str_error(&s), -ENOMEM);
        assert_int_equal(str_take(&s, &text), -ENOMEM);
        assert_null(text);
        assert_null(s.data);
        assert_int_equal(str_error(&s), 0);
}

static void test_replace(void **state) {
        _cleanup_free_ char *p = NULL;

        (void) state;

        assert_int_equal(str_replace(&p, "one"), 0);
        assert_string_equal(p, "one");
        assert_int_equal(str_replace(&p, p + 1), 0);
        assert_string_equal(p, "ne");
        assert_int_equal(str_replace(&p, NULL), 0);
        assert_null(p);
}

static void test_equal(void **state) {
        (void) state;

        assert_true(str_equal(NULL, NULL));
        assert_true(str_equal("", ""));
        assert_true(str_equal("a", "a"));
        assert_false(str_equal("", NULL));
        assert_false(str_equal(NULL, ""));
        assert_false(str_equal("a", "A"));
        assert_false(str_equal("a", "ab"));
}

static void test_starts_and_ends(void **state) {
        (void) state;

        assert_string_equal(str_starts_with("foobar", "foo"), "bar");
        assert_string_equal(str_starts_with("foo", "foo"), "");
        assert_string_equal(str_starts_with("foo", ""), "foo");
        assert_null(str_starts_with("fo", "foo"));
        assert_null(str_starts_with("", "foo"));

        assert_string_equal(str_ends_with("foobar", "bar"), "bar");
        assert_string_equal(str_ends_with("bar", "bar"), "bar");
        assert_string_equal(str_ends_with("bar", ""), "");
        assert_null(str_ends_with("ar", "bar"));
        assert_null(str_ends_with("", "bar"));
}

static void test_utf8(void **state) {
        static const struct {
                const char *text;
                bool valid;
        } cases[] = {
                { "", true },
                { "plain", true },
                { "\x7f", true },
                { "\xc2\x80", true },          /* U+0080, the first of two bytes */
                { "\xdf\xbf", true },          /* U+07FF, the last */
                { "\xe0\xa0\x80", true },      /* U+0800, the first of three */
                { "\xed\x9f\xbf", true },      /* U+D7FF, below the surrogates */
                { "\xee\x80\x80", true },      /* U+E000, above them */
                { "\xef\xbf\xbf", true },      /* U+FFFF, the last */
                { "\xf0\x90\x80\x80", true },  /* U+10000, the first of four */
                { "\xf4\x8f\xbf\xbf", true },  /* U+10FFFF, the last of all */
                { "\xf4\x90\x80\x80", false }, /* U+110000 */
                { "\xf5\x80\x80\x80", false },
                { "\xf8\x88\x80\x80\x80", false }, /* five bytes */
                { "\xff", false },
                { "\x80", false },             /* a continuation byte alone */
                { "\xc0\x80", false },         /* NUL, too long */
                { "\xc1\xbf", false },         /* U+007F, too long */
                { "\xe0\x9f\xbf", false },     /* U+07FF, too long */
                { "\xf0\x8f\xbf\xbf", false }, /* U+FFFF, too long */
                { "\xed\xa0\x80", false },     /* surrogates */
                { "\xed\xbf\xbf", false },
                { "a\xc3", false }, /* cut */
                { "a\xe2\x82", false },
                { "a\xf0\x9f\x98", false },
                { "\xc3(", false },
                { "\xe2\x82(", false },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t n = strlen(cases[i].text);
                _cleanup_free_ char *exact = malloc(MAX(n, (size_t) 1));

                assert_non_null(exact);
                memcpy(exact, cases[i].text, n);
                if (str_is_utf8(exact, n) != cases[i].valid)
                        fail_msg("case %zu is not %i", i, cases[i].valid);
        }

        assert_false(str_is_utf8("a\0b", 3));
}

static void test_distance(void **state) {
        char long_a[200] = {}, long_b[200] = {};

        (void) state;

        assert_int_equal(str_distance("", ""), 0);
        assert_int_equal(str_distance("", "abc"), 3);
        assert_int_equal(str_distance("abc", ""), 3);
        assert_int_equal(str_distance("kitten", "sitting"), 3);
        assert_int_equal(str_distance("LocalAddress", "localaddress"), 0);
        assert_int_equal(str_distance("LocalAddress", "LocalAdress"), 1);
        assert_int_equal(str_distance("ab", "ba"), 2);

        /* Only the first 63 characters count; what lies behind is not read. */
        memset(long_a, 'a', sizeof(long_a) - 1);
        memset(long_b, 'a', 63);
        assert_int_equal(str_distance(long_a, long_b), 0);
        assert_int_equal(str_distance(long_b, long_a), 0);
        long_b[62] = 'b';
        assert_int_equal(str_distance(long_a, long_b), 1);
        assert_int_equal(str_distance("", long_a), 63);
        assert_int_equal(str_distance(long_a, ""), 63);
}

static void test_list_basics(void **state) {
        _cleanup_strv_ char **l = NULL;

        (void) state;

        assert_int_equal(strv_length(NULL), 0);
        assert_false(strv_contains(NULL, "a"));
        assert_null(strv_free(NULL));
        strv_sort(NULL);

        for (int i = 0; i < 100; i++)
                assert_int_equal(strv_extendf(&l, "%i", i), 0);
        assert_int_equal(strv_length(l), 100);
        assert_null(l[100]);
        assert_true(strv_contains(l, "0"));
        assert_true(strv_contains(l, "99"));
        assert_false(strv_contains(l, "100"));
}

static void test_list_consume_refuses_null(void **state) {
        _cleanup_strv_ char **l = NULL;

        (void) state;

        assert_int_equal(strv_extend(&l, "a"), 0);
        assert_int_equal(strv_consume(&l, NULL), -ENOMEM);
        assert_int_equal(strv_length(l), 1);
}

static void test_list_sort_by_bytes(void **state) {
        static const char *const words[] = { "b", "B", "\xc3\xa4", "a", "", "ab", "10", "9" };
        _cleanup_strv_ char **l = NULL;
        _cleanup_free_ char *text = NULL;

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                assert_int_equal(strv_extend(&l, words[i]), 0);
        strv_sort(l);
        text = joined(l);
        assert_string_equal(text, "|10|9|B|a|ab|b|\xc3\xa4");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_buffer_grows),
                cmocka_unit_test(test_buffer_takes_pieces_of_any_size),
                cmocka_unit_test(test_take_gives_the_string_away),
                cmocka_unit_test(test_failure_is_remembered),
                cmocka_unit_test(test_replace),
                cmocka_unit_test(test_equal),
                cmocka_unit_test(test_starts_and_ends),
                cmocka_unit_test(test_utf8),
                cmocka_unit_test(test_distance),
                cmocka_unit_test(test_list_basics),
                cmocka_unit_test(test_list_consume_refuses_null),
                cmocka_unit_test(test_list_sort_by_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
