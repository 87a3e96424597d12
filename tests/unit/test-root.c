/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-root: what a container's root has, looked at while its links lead out of it, and while
 * others rename.
 */

#include "tests/unit/test.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/kernel/root.h"

static int open_root(const char *directory) {
        int root = root_open(directory);

        assert_true(root >= 0);
        return root;
}

static void test_links_stay_inside(void **state) {
        _cleanup_close_ int root = open_root(*state);

        write_text(*state, "usr/lib/os-release", "");
        assert_int_equal(mkdirat(root, "etc", 0755), 0);
        assert_int_equal(symlinkat("../usr/lib/os-release", root, "etc/os-release"), 0);
        assert_int_equal(symlinkat("/usr/lib/os-release", root, "absolute"), 0);
        assert_int_equal(symlinkat("../../../../../../proc/self/status", root, "etc/above"), 0);
        assert_int_equal(symlinkat("/proc/self/status", root, "etc/outside"), 0);
        assert_int_equal(symlinkat("loop", root, "loop"), 0);

        assert_int_equal(root_has(root, "usr/lib/os-release"), 1);
        assert_int_equal(root_has(root, "etc/os-release"), 1);
        assert_int_equal(root_has(root, "absolute"), 1);
        assert_int_equal(root_has(root, "etc/above"), 0);
        assert_int_equal(root_has(root, "etc/outside"), 0);
        assert_int_equal(root_has(root, "loop"), 0);
        assert_int_equal(root_has(root, "usr/lib/os-release/x"), 0);
        assert_int_equal(root_has(root, "missing"), 0);
}

/* A rename anywhere makes openat2(2) give up on a path with "..". */
static void test_renames_meanwhile(void **state) {
        _cleanup_close_ int root = open_root(*state);

        write_text(*state, "usr/lib/os-release", "");
        assert_int_equal(mkdirat(root, "etc", 0755), 0);
        assert_int_equal(mkdirat(root, "a", 0755), 0);
        assert_int_equal(symlinkat("../usr/lib/os-release", root, "etc/os-release"), 0);

        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                while (renameat(root, "a", root, "b") == 0 && renameat(root, "b", root, "a") == 0)
                        ;

        for (unsigned i = 0; i < 20000; i++) {
                int r = root_has(root, "etc/os-release");

                if (r != 1) {
                        (void) kill(pid, SIGKILL);
                        fail_msg("%u: %s", i, strerror(-r));
                }
        }

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        test_links_stay_inside, directory_setup, directory_teardown),
                cmocka_unit_test_setup_teardown(
                        test_renames_meanwhile, directory_setup, directory_teardown),
        };

        return cmocka_run_group_tests_name("root", tests, NULL, NULL);
}
