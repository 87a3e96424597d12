/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-mount: values of Bind= taken apart, and which of them a running container can be given. What
 * the kernel makes of them is a scenario, test_live.py.
 */

#include "tests/unit/test.h"

#include <fcntl.h>
#include <string.h>

#include "common/base/definition.h"
#include "common/kernel/idmap.h"

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
        static const char *const values[] = { "+/a:/b", "+/a", ":/b" };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(values); i++)
                assert_false(bind_is_live(values[i]));
        assert_true(bind_is_live("/a:/b:noidmap,idmap"));
}

/* What is said about owners, and what the unit has where the container's users are private. */
static void test_idmap(void **state) {
        static const struct {
                const char *value, *mapped;
                Idmap idmap;
        } cases[] = {
                { "/a", "/a:/a:idmap", IDMAP_UNSET },
                { "/a:/b", "/a:/b:idmap", IDMAP_UNSET },
                { "/a:/b:", "/a:/b:idmap", IDMAP_UNSET },
                { "/a::norbind", "/a::norbind,idmap", IDMAP_UNSET },
                { "/a:/b:norbind", "/a:/b:norbind,idmap", IDMAP_UNSET },
                { "/a\\:b", "/a\\:b:/a\\:b:idmap", IDMAP_UNSET },
                { "/a\\:b:/c\\:idmap", "/a\\:b:/c\\:idmap:idmap", IDMAP_UNSET },
                { "/a\\\\:/b", "/a\\\\:/b:idmap", IDMAP_UNSET },
                { "/idmap:/b/idmap", "/idmap:/b/idmap:idmap", IDMAP_UNSET },
                { "/a:/b:noidmap", "/a:/b:noidmap", IDMAP_NONE },
                { "/a:/b:idmap", "/a:/b:idmap", IDMAP_SAME },
                { "/a:/b:rootidmap", "/a:/b:rootidmap", IDMAP_ROOT },
                { "/a:/b:rbind,owneridmap", "/a:/b:rbind,owneridmap", IDMAP_OWNER },
                { "/a:/b:idmap,noidmap,rbind", "/a:/b:idmap,noidmap,rbind", IDMAP_NONE },
                { "/a:/b:noidmap,idmap", "/a:/b:noidmap,idmap", IDMAP_SAME },
                { "+/a:/b", "+/a:/b", IDMAP_UNSET },
                { "+/a:/b:idmap", "+/a:/b:idmap", IDMAP_SAME },
                { ":/b", ":/b", IDMAP_UNSET },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_str_ Str s = {};
                Bind b;

                assert_int_equal(bind_idmap(cases[i].value), cases[i].idmap);
                bind_append_mapped(&s, cases[i].value);
                assert_int_equal(str_error(&s), 0);
                assert_string_equal(s.data, cases[i].mapped);
                if (!bind_is_live(cases[i].value))
                        continue;
                assert_int_equal(bind_parse(cases[i].value, &b), 0);
                assert_int_equal(b.idmap, cases[i].idmap);
                bind_done(&b);
        }
}

/* What private users mean for owners, and for the systemd that is needed. */
static void test_users(void **state) {
        static const struct {
                const char *text;
                bool has, shifts, maps_root;
                unsigned since; /* of Volatile= */
        } cases[] = {
                { "[Files]\nVolatile=state\n", true, true, true, 255 },
                { "[Exec]\nPrivateUsers=no\n[Files]\nVolatile=state\n", false, false, false, 0 },
                { "[Exec]\nPrivateUsers=pick\n[Files]\nVolatile=state\n", true, true, true, 255 },
                { "[Exec]\nPrivateUsers=pick\n[Files]\nVolatile=no\n", true, true, true, 0 },
                { "[Exec]\nPrivateUsers=pick\n[Files]\nPrivateUsersOwnership=map\nVolatile=yes\n",
                        true, true, true, 255 },
                { "[Exec]\nPrivateUsers=pick\n[Files]\nPrivateUsersOwnership=off\nVolatile=yes\n",
                        true, true, false, 0 },
                { "[Exec]\nPrivateUsers=1000000:65536\n[Files]\nVolatile=yes\n", true, true, true,
                        255 },
                { "[Exec]\nPrivateUsers=identity\n[Files]\nPrivateUsersOwnership=map\nVolatile="
                  "yes\n",
                        true, false, false, 0 },
                { "[Exec]\nPrivateUsers=0:65536\n[Files]\nVolatile=yes\n", true, false, false, 0 },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(definition_freep) Definition *d = NULL;
                _cleanup_(diags_done) Diags diags = {};

                assert_int_equal(definition_new("web", &d), 0);
                assert_int_equal(
                        definition_parse(d, "text", cases[i].text, strlen(cases[i].text), &diags),
                        0);
                assert_int_equal(diags.n, 0);
                assert_int_equal(definition_has_private_users(d), cases[i].has);
                assert_int_equal(definition_shifts_users(d), cases[i].shifts);
                assert_int_equal(definition_maps_root(d), cases[i].maps_root);
                assert_int_equal(
                        definition_since(d, definition_find(d, KEY_VOLATILE)), cases[i].since);
        }
}

/* Needs no privileges: in a place where nothing is mounted, and at the top, where something is. */
static void test_look_below(void **state) {
        _cleanup_close_ int none = open("/proc/self/fd", O_PATH | O_CLOEXEC),
                            top = open("/", O_PATH | O_CLOEXEC);
        _cleanup_free_ char *below = NULL;

        (void) state;
        assert_true(none >= 0 && top >= 0);
        assert_int_equal(idmap_look_below(none, &below), 0);
        assert_null(below);
        assert_int_equal(idmap_look_below(top, &below), 1);
        assert_int_equal(*below, '/');
}

static void test_explain(void **state) {
        _cleanup_close_ int proc = open("/proc/self", O_PATH | O_CLOEXEC);
        _cleanup_free_ char *type = NULL, *mapped = NULL, *other = NULL;

        (void) state;
        assert_true(proc >= 0);
        assert_int_equal(idmap_explain(proc, -EINVAL, &type), 0);
        assert_string_equal(type, "file system 'proc' cannot be id-mapped on this kernel");
        assert_int_equal(idmap_explain(proc, -EPERM, &mapped), 0);
        assert_non_null(strstr(mapped, "already"));
        assert_int_equal(idmap_explain(proc, -EIO, &other), 0);
        assert_non_null(strstr(other, strerror(EIO)));
}

/* Nothing is to be mapped: the kernel is not asked, and nobody needs to be root. */
static void test_check_nothing(void **state) {
        char *settings[] = { (char *) "[Files]Bind=/missing:/b:noidmap",
                (char *) "[Files]Bind=+/a:/b", (char *) "[Files]BindReadOnly=:/b",
                (char *) "[Exec]User=x", NULL };
        _cleanup_free_ char *error = NULL;

        (void) state;
        assert_int_equal(idmap_check(NULL, NULL, settings, &error), 0);
        assert_int_equal(idmap_check(NULL, NULL, NULL, &error), 0);
        assert_null(error);
}

/* None of a valid definition: check_bind() in types.c. */
static void test_bind_relative(void **state) {
        static const char *const values[] = { "/a:b", "/a:b/c", "/a:.", "/a:\\:/b",
                "/a:b:norbind" };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(values); i++)
                assert_int_equal(bind_parse(values[i], &(Bind){}), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bind_parse),
                cmocka_unit_test(test_bind_relative),
                cmocka_unit_test(test_not_live),
                cmocka_unit_test(test_idmap),
                cmocka_unit_test(test_users),
                cmocka_unit_test(test_look_below),
                cmocka_unit_test(test_explain),
                cmocka_unit_test(test_check_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
