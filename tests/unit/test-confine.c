/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-confine: that each helper has its row, and what is left of a process that is confined.
 */

#include "tests/unit/test.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/kernel/confine.h"

/* All that helpers/meson.build makes. */
static const char *const programs[] = { "spawnlet-cleanup", "spawnlet-enter", "spawnlet-health",
        "spawnlet-network", "spawnlet-reload", "spawnlet-root", "spawnlet-stop" };

static bool has(const Confinement *c, unsigned capability) {
        return c->capabilities & UINT64_C(1) << capability;
}

static void test_table(void **state) {
        /* Each of them is as good as all, or has nothing to do with a container. */
        static const unsigned never[] = { CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_TIME, CAP_SYSLOG,
                CAP_MKNOD, CAP_DAC_READ_SEARCH, CAP_LINUX_IMMUTABLE, CAP_SYS_RESOURCE, CAP_SETFCAP,
                CAP_MAC_ADMIN, CAP_BPF, CAP_PERFMON, CAP_CHOWN, CAP_NET_RAW };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(programs); i++)
                assert_non_null(confinement_find(programs[i], NULL));
        assert_null(confinement_find("spawnlet", NULL));

        for (const Confinement *c = confinements; c->program; c++) {
                const Confinement *general = confinement_find(c->program, NULL);

                assert_ptr_equal(confinement_find(c->program, c->verb), c);
                assert_non_null(general);
                assert_null(general->verb);
                for (size_t i = 0; i < ELEMENTSOF(never); i++)
                        assert_false(has(c, never[i]));
                /* Both sets of a process are left as they are only where a command needs them. */
                assert_true(!c->runs_commands || has(c, CAP_SETPCAP));
        }

        assert_ptr_equal(confinement_find("spawnlet-network", "up"),
                confinement_find("spawnlet-network", NULL));
        assert_true(has(confinement_find("spawnlet-network", "start"), CAP_SYS_PTRACE));
        /* It may execute spawnlet-network. */
        assert_int_equal(confinement_find("spawnlet-network", "up")->capabilities &
                        ~confinement_find("spawnlet-root", "network")->capabilities,
                0);
        /* The second time it is called, it is not to need anything back. */
        assert_int_equal(confinement_find("spawnlet-stop", NULL)->capabilities &
                        ~confinement_find("spawnlet-stop", "command")->capabilities,
                0);
}

static bool bounding_set_is_within(uint64_t set) {
        for (int c = 0; c < 64; c++)
                if (prctl(PR_CAPBSET_READ, c, 0, 0, 0) > 0 && !(set & UINT64_C(1) << c))
                        return false;
        return true;
}

/* Return: a line number if something is wrong, 0 if not. */
static int confined(void) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct before[_LINUX_CAPABILITY_U32S_3] = {},
                                      after[_LINUX_CAPABILITY_U32S_3] = {};
        const Confinement *c = confinement_find("spawnlet-stop", "command");

        (void) setenv("NLDBG", "4", 1);
        (void) setenv("NOTIFY_SOCKET", "/run/notify", 1);
        (void) setenv("NOTIFY_SOCKET_", "x", 1);
        const char *others = getenv("NLDBG");
        if (syscall(SYS_capget, &header, before) < 0 || confine(c->program, c->verb) < 0 ||
                syscall(SYS_capget, &header, after) < 0)
                return __LINE__;

        for (size_t i = 0; i < ELEMENTSOF(after); i++) {
                uint32_t kept = before[i].permitted & (uint32_t) (c->capabilities >> (32 * i));

                if (after[i].permitted != kept || after[i].effective & ~kept ||
                        after[i].inheritable)
                        return __LINE__;
        }
        if (before[0].effective & CAP_TO_MASK(CAP_SETPCAP) &&
                !bounding_set_is_within(c->capabilities))
                return __LINE__;
        if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
                return __LINE__;
        if (*others || getenv("NLDBG") || getenv("PATH") || getenv("NOTIFY_SOCKET_") ||
                !str_equal(getenv("NOTIFY_SOCKET"), "/run/notify"))
                return __LINE__;

        /* Once more, with less; and what it needs SETPCAP for is no failure without. */
        c = confinement_find("spawnlet-stop", NULL);
        if (confine(c->program, c->verb) < 0 || syscall(SYS_capget, &header, after) < 0 ||
                after[0].permitted & ~(uint32_t) c->capabilities)
                return __LINE__;
        if (confine("spawnlet-cleanup", NULL) < 0 || confine("spawnlet-enter", NULL) < 0)
                return __LINE__;
        return confine("spawnlet", NULL) == -ENOENT ? 0 : __LINE__;
}

/* What can bring capabilities of the bounding set back is left to those who run commands. */
static int inside(void) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
        bool had = prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0) > 0;

        if (confine("spawnlet-enter", NULL) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0 ||
                (prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0) > 0) != had)
                return __LINE__;

        /* As namespace_enter() does it for a container without this one. */
        if (prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0) < 0)
                return errno == EPERM ? 0 : __LINE__;
        if (confine_inside() < 0 || syscall(SYS_capget, &header, data) < 0)
                return __LINE__;
        if ((data[0].permitted | data[0].effective) & CAP_TO_MASK(CAP_SYS_ADMIN))
                return __LINE__;
        return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : __LINE__;
}

/* Nothing of it can be undone. */
static void in_child(int (*function)(void)) {
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                int line = function();

                if (line > 0)
                        (void) fprintf(stderr, "test-confine.c:%i: not so\n", line);
                _exit(line > 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void test_confine(void **state) {
        (void) state;
        in_child(confined);
}

static void test_inside(void **state) {
        (void) state;
        in_child(inside);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_confine),
                cmocka_unit_test(test_inside),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
