/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-mount: values of Bind= taken apart, and which of them a running container can be given. What
 * the kernel makes of them is a scenario, test_live.py.
 */

#include "tests/unit/test.h"

static void test_bind_parse(void **state) {
        static const struct {
                const char *value, *source, *destination;
                bool recursive;
        } cases[] = {
                { "/a", "/a", "/a", true },
                { "/a:/b", "/a", "/b", true },
                { "/a:/b:norbind", "/a", "/b", false },
                { "/a:/b:noidmap,norbind", "/a", "/b", false },
                { "/a:/b:norbind,rbind", "/a", "/b", true },
                { "/a:/b:rbind,norbind", "/a", "/b", false },
                { "/a:/b:", "/a", "/b", true },
                { "/a::norbind", "/a", "/a", false },
                { "/a\\:b", "/a:b", "/a:b", true },
                { "/a\\:b:/c\\:d", "/a:b", "/c:d", true },
                { "/a\\\\:/b", "/a\\", "/b", true },
                { "/a/", "/a/", "/a", true },
                { "/a:/b//c/./d/", "/a", "/b/c/d", true },
                { "/a:/", "/a", "/", true },
                { "/a:/./", "/a", "/", true },
                { "/a:/.b/..c", "/a", "/.b/..c", true },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Bind b;

                assert_true(bind_is_live(cases[i].value));
                assert_int_equal(bind_parse(cases[i].value, &b), 0);
                assert_string_equal(b.source, cases[i].source);
                assert_string_equal(b.destination, cases[i].destination);
                assert_int_equal(b.recursive, cases[i].recursive);
                bind_done(&b);
        }
}

static void test_not_live(void **state) {
        static const char *const values[] = { "+/a:/b", "+/a", ":/b", "/a:/b:idmap",
                "/a:/b:rootidmap", "/a:/b:rbind,owneridmap", "/a:/b:noidmap,idmap",
                "/a\\::/b:idmap" };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(values); i++)
                assert_false(bind_is_live(values[i]));

        assert_true(bind_is_live("/idmap:/b/idmap"));
        assert_true(bind_is_live("/a:/b:noidmap"));
        assert_true(bind_is_live("/a\\:/b\\:idmap"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bind_parse),
                cmocka_unit_test(test_not_live),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
