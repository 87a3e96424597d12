/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-init: which signal has which init shut down, what is read of a process, and how the processes
 * of a cgroup are counted. Cgroups are only directories with files here.
 */

#include "tests/unit/test.h"

#include <grp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/base/init-protocol.h"
#include "common/base/str.h"
#include "common/kernel/cgroup.h"
#include "common/kernel/init.h"

#define BIT(signal) (UINT64_C(1) << ((signal) -1))

/* An init that has been executed, and blocks @blocked. */
static InitState state_of(const char *executable, const char *name, uint64_t blocked) {
        InitState s = { .executed = true, .blocked = blocked };

        (void) snprintf(s.executable, sizeof(s.executable), "%s", executable);
        (void) snprintf(s.name, sizeof(s.name), "%s", name);
        return s;
}

static int halt_signal(const char *executable, const char *name, uint64_t blocked) {
        InitState s = state_of(executable, name, blocked);

        return init_halt_signal(&s);
}

static void test_known_inits(void **state) {
        uint64_t all = UINT64_MAX;

        (void) state;
        assert_int_equal(halt_signal("systemd", "systemd", all), SIGRTMIN + 3);
        assert_int_equal(halt_signal("systemd-nspawn", "(sd-stubinit)", all), SIGRTMIN + 3);
        assert_int_equal(halt_signal("busybox", "init", all), SIGUSR2);
        assert_int_equal(halt_signal("busybox.static", "init", all), SIGUSR2);
        assert_int_equal(halt_signal("busybox", "busybox", all), SIGUSR2);
        assert_int_equal(halt_signal("toybox", "init", all), SIGUSR2);
        assert_int_equal(halt_signal("procd", "procd", all), SIGUSR2);
        assert_int_equal(halt_signal("finit", "init", all), SIGUSR2);
        assert_int_equal(halt_signal("openrc-init", "init", all), SIGTERM);
        assert_int_equal(halt_signal("s6-svscan", "s6-svscan", all), SIGTERM);
        assert_int_equal(halt_signal("dinit", "init", all), SIGTERM);
        assert_int_equal(halt_signal("sinit", "init", all), SIGUSR1);
        assert_int_equal(halt_signal("dumb-init", "dumb-init", all), SIGTERM);
        assert_int_equal(halt_signal("tini", "tini", all), SIGTERM);
        assert_int_equal(halt_signal("catatonit", "catatonit", all), SIGTERM);
}

static void test_versions_of_runit(void **state) {
        (void) state;
        assert_int_equal(halt_signal("runit", "runit", BIT(SIGPWR) | BIT(SIGCONT)), SIGPWR);
        assert_int_equal(halt_signal("runit", "runit", BIT(SIGCONT) | BIT(SIGINT)), SIGCONT);
        assert_int_equal(halt_signal("runit", "runit", BIT(SIGINT)), 0);
}

/* One that is known is waited for, whatever else it takes already: that may be a reboot. */
static void test_not_ready_yet(void **state) {
        InitState s = state_of("systemd", "systemd", BIT(SIGTERM) | BIT(SIGPWR));

        (void) state;
        assert_int_equal(init_halt_signal(&s), 0);
        s.blocked = 0;
        s.caught = BIT(SIGRTMIN + 3);
        assert_int_equal(init_halt_signal(&s), SIGRTMIN + 3);
        assert_int_equal(halt_signal("busybox", "init", 0), 0);

        /* A mask that nspawn's child has before it executes anything. */
        s = state_of("systemd-nspawn", "(sd-inner)", UINT64_MAX);
        s.executed = false;
        assert_int_equal(init_halt_signal(&s), 0);
        assert_false(init_can_take(&s, SIGTERM));
        assert_true(init_can_take(&s, SIGKILL));
        assert_false(init_would_end(&s, SIGTERM));
}

static void test_unknown_inits(void **state) {
        uint64_t term = BIT(SIGTERM), power = BIT(SIGPWR), halt = BIT(SIGRTMIN + 3);

        (void) state;
        assert_int_equal(halt_signal("init", "init", term | power | halt), SIGRTMIN + 3);
        assert_int_equal(halt_signal("init", "init", term | power), SIGPWR);
        assert_int_equal(halt_signal("init", "init", term), SIGTERM);
        assert_int_equal(halt_signal("init", "init", BIT(SIGINT)), 0);
        assert_int_equal(halt_signal("", "", 0), 0);
        /* What takes all, as a program in Go does, has none of its own. */
        assert_int_equal(halt_signal("init", "init", UINT64_MAX), SIGTERM);
        /* A shell of busybox is not its init, nor is a script that is called so. */
        assert_int_equal(halt_signal("busybox", "sh", term | BIT(SIGUSR2)), SIGTERM);
        assert_int_equal(halt_signal("busybox", "init", term), SIGTERM);
        assert_int_equal(halt_signal("dash", "init", term), SIGTERM);
        assert_int_equal(halt_signal("bash", "busybox", term), SIGTERM);
        /* The emulator of another processor executes it. */
        assert_int_equal(halt_signal("qemu-aarch64", "systemd", term), 0);
        assert_int_equal(halt_signal("qemu-aarch64", "openrc-init", UINT64_MAX), SIGTERM);
}

/* What waits in sigwaitinfo(2) seems to block nothing. */
static void test_waits_for_signals(void **state) {
        InitState s = state_of("busybox", "init", 0);

        (void) state;
        assert_int_equal(init_halt_signal(&s), 0);
        s.waits = true;
        assert_int_equal(init_halt_signal(&s), SIGUSR2);
        s = state_of("something", "something", 0);
        s.waits = true;
        assert_int_equal(init_halt_signal(&s), SIGTERM);
}

static void test_default_actions(void **state) {
        InitState s = state_of("server", "server", 0);

        (void) state;
        assert_true(init_would_end(&s, SIGTERM));
        assert_true(init_would_end(&s, SIGPWR));
        assert_true(init_would_end(&s, SIGRTMIN + 3));
        assert_false(init_would_end(&s, SIGKILL)); /* it is heard */
        assert_false(init_would_end(&s, SIGWINCH));
        assert_false(init_would_end(&s, SIGCONT));
        assert_false(init_would_end(&s, SIGTSTP));

        s.ignored = BIT(SIGTERM);
        assert_false(init_would_end(&s, SIGTERM));
        s.ignored = 0;
        s.caught = BIT(SIGTERM);
        assert_false(init_would_end(&s, SIGTERM));
        s.caught = 0;
        s.blocked = BIT(SIGTERM);
        assert_false(init_would_end(&s, SIGTERM));
        s.blocked = 0;
        s.waits = true;
        assert_false(init_would_end(&s, SIGTERM));
}

static void handler(int signal) {
        (void) signal;
}

/* As many groups as there may be, with the longest numbers: all are in /proc/PID/status. */
static void join_groups(void) {
        static gid_t groups[65536];

        for (size_t i = 0; i < ELEMENTSOF(groups); i++)
                groups[i] = UINT32_MAX - 1 - (gid_t) i;
        (void) setgroups(ELEMENTSOF(groups), groups); /* which root may */
}

/* Be a process of which all is known, say so through @fd, and wait. */
static _Noreturn void be_looked_at(int fd) {
        sigset_t blocked;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves it behind */
        join_groups();
        (void) sigemptyset(&blocked);
        (void) sigaddset(&blocked, SIGRTMIN + 3);
        (void) sigprocmask(SIG_SETMASK, &blocked, NULL);
        (void) signal(SIGUSR2, handler);
        (void) signal(SIGHUP, SIG_IGN);
        (void) prctl(PR_SET_NAME, "a\nb\tc\x1b\xff,d");
        (void) !write(fd, "", 1);
        for (;;)
                (void) pause();
}

static void test_look(void **state) {
        char name[PROCESS_NAME_MAX], c;
        uint64_t before, after;
        int fds[2];
        InitState s;

        (void) state;
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                be_looked_at(fds[1]);
        assert_int_equal(read(fds[0], &c, 1), 1);

        assert_int_equal(init_look(pid, getpid(), &s), 0);
        assert_false(s.executed); /* it is what we are */
        assert_false(s.waits);
        assert_true(s.blocked == BIT(SIGRTMIN + 3));
        assert_false(s.blocks_all);
        assert_true(s.caught & BIT(SIGUSR2));
        assert_false(s.caught & BIT(SIGTERM));
        assert_true(s.ignored & BIT(SIGHUP));
        assert_string_equal(s.executable, "test-init");
        assert_string_equal(s.name, "a?b?c??,d");
        assert_false(init_is_stopped(pid));
        assert_int_equal(kill(pid, SIGSTOP), 0);
        assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
        assert_true(init_is_stopped(pid));
        assert_int_equal(init_start_time(getpid(), &before), 0);
        assert_int_equal(init_start_time(pid, &after), 0);
        assert_true(before > 0 && after >= before);

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(init_look(pid, getpid(), &s), -ESRCH);
        assert_int_equal(init_process_name(pid, name), -ESRCH);
        assert_int_equal(init_start_time(pid, &after), -ESRCH);
        assert_false(init_is_stopped(pid));
        (void) close(fds[0]);
        (void) close(fds[1]);
}

/* What a shell with these arguments looks like, that says that it runs and reads from us then. */
static void look_at_command(const char *const arguments[], InitOptions *options, InitState *init) {
        posix_spawn_file_actions_t actions;
        int in[2], out[2];
        pid_t pid;
        char c;

        assert_int_equal(pipe2(in, O_CLOEXEC), 0);
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO), 0);
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO), 0);
        assert_int_equal(
                posix_spawn(&pid, "/bin/sh", &actions, NULL, (char *const *) arguments, environ),
                0);
        (void) posix_spawn_file_actions_destroy(&actions);
        assert_int_equal(read(out[0], &c, 1), 1);

        assert_int_equal(init_options(pid, options), 0);
        assert_int_equal(init_look(pid, getpid(), init), 0);

        (void) close(in[0]);
        (void) close(in[1]); /* ends it */
        (void) close(out[0]);
        (void) close(out[1]);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(init_options(pid, &(InitOptions){}), -ESRCH);
}

static void test_options(void **state) {
        const char *boots[] = { "sh", "-c", "echo; read x", "--boot", "--kill-signal=SIGUSR1", "--",
                "--kill-signal=9", NULL };
        const char *second[] = { "sh", "-c", "echo; read x", "--kill-signal=SIGRTMIN+3",
                "--as-pid2", NULL };
        const char *command[] = { "sh", "-c", "echo; read x", "--", "--boot", NULL };
        const char *waits[] = { "sh", "-c", "echo; read x", "--kill-signal=SIGUSR1", "--",
                INIT_PATH, "--network", "--resolv-conf", "--boot", NULL };
        const char *executes[] = { "sh", "-c", "echo; read x", "--kill-signal=SIGUSR1", "--",
                INIT_PATH, "--network", "--", "--boot", NULL };
        const char *second_waits[] = { "sh", "-c", "echo; read x", "--as-pid2", "--", INIT_PATH,
                "--network", "--", "x", NULL };
        const char *launcher[] = { "/x/spawnlet-network", "-c", "echo; read x", "--port=80", "--",
                "systemd-nspawn", "--kill-signal=SIGUSR1", "--as-pid2", "--", "x", NULL };
        InitOptions o;
        InitState s;

        (void) state;
        look_at_command(boots, &o, &s);
        assert_true(s.executed);
        assert_string_equal(s.name, "sh");
        assert_int_equal(o.kill_signal, SIGUSR1);
        assert_true(o.boots);

        look_at_command(second, &o, &s);
        assert_int_equal(o.kill_signal, SIGRTMIN + 3);
        assert_true(o.boots);

        look_at_command(command, &o, &s);
        assert_int_equal(o.kill_signal, 0);
        assert_false(o.boots);

        look_at_command(waits, &o, &s);
        assert_int_equal(o.kill_signal, SIGUSR1);
        assert_true(o.boots);

        look_at_command(executes, &o, &s);
        assert_int_equal(o.kill_signal, SIGUSR1);
        assert_false(o.boots);

        look_at_command(second_waits, &o, &s);
        assert_true(o.boots);

        look_at_command(launcher, &o, &s);
        assert_int_equal(o.kill_signal, SIGUSR1);
        assert_true(o.boots);
}

/* Processes @first to @last, one a line, as the kernel lists them. */
static void write_processes(const char *directory, const char *name, int first, int last) {
        char file[PATH_MAX];
        Str text = {};

        for (int pid = first; pid <= last; pid++)
                str_appendf(&text, "%i\n", pid);
        (void) snprintf(file, sizeof(file), "%s/cgroup.procs", name);
        write_bytes(directory, file, text.data, text.len);
        str_done(&text);
}

static void test_processes_are_counted(void **state) {
        CgroupProcesses p;
        char path[PATH_MAX];

        assert_int_equal(cgroup_processes(path_in(*state, "missing", path), &p), -ENOENT);

        write_processes(*state, "payload", 1, 0);
        assert_int_equal(cgroup_processes(path_in(*state, "payload", path), &p), 0);
        assert_int_equal(p.n, 0);
        assert_int_equal(p.some[0], 0);
        assert_false(p.more);

        write_processes(*state, "payload/a.service", 10, 12);
        write_processes(*state, "payload/a.service/below", 20, 20);
        assert_int_equal(mkdir(path_in(*state, "payload/gone", path), 0755), 0);
        assert_int_equal(cgroup_processes(path_in(*state, "payload", path), &p), 0);
        assert_int_equal(p.n, 4);
        assert_int_equal(p.some[0], 20);
        assert_int_equal(p.some[1], 10);
        assert_int_equal(p.some[3], 12);
        assert_int_equal(p.some[4], 0);

        /* More than is read at once: numbers are torn. */
        write_processes(*state, "payload/many.slice", 1000000, 1004999);
        assert_int_equal(cgroup_processes(path_in(*state, "payload", path), &p), 0);
        assert_int_equal(p.n, 5004);
        for (size_t i = 0; i < ELEMENTSOF(p.some); i++)
                assert_true(p.some[i] > 0);
        assert_false(p.more);
}

static void test_cgroups_have_a_limit(void **state) {
        CgroupProcesses p;
        char name[PATH_MAX], path[PATH_MAX];

        for (int i = 0; i < 1100; i++) {
                (void) snprintf(name, sizeof(name), "payload/%i", i);
                write_processes(*state, name, 1 + i, 1 + i);
        }
        assert_int_equal(cgroup_processes(path_in(*state, "payload", path), &p), 0);
        assert_true(p.more);
        assert_int_equal(p.n, 999);
}

static void test_depth_has_a_limit(void **state) {
        CgroupProcesses p;
        char name[PATH_MAX], path[PATH_MAX];
        size_t n = (size_t) snprintf(name, sizeof(name), "payload");

        for (int i = 0; i < 100; i++) {
                write_processes(*state, name, 1 + i, 1 + i);
                n += (size_t) snprintf(name + n, sizeof(name) - n, "/%i", i);
        }
        assert_int_equal(cgroup_processes(path_in(*state, "payload", path), &p), 0);
        assert_true(p.more);
        assert_int_equal(p.n, 16);
}

static void test_remove_cgroups(void **state) {
        char path[PATH_MAX];
        int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_true(fd >= 0);
        for (unsigned i = 0; i < 300; i++) {
                assert_int_equal(mkdirat(fd, "deep", 0755), 0);
                assert_int_equal(mkdirat(fd, ".beside", 0755), 0);
                int next = openat(fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                assert_true(next >= 0);
                (void) close(fd);
                fd = next;
        }
        (void) close(fd);
        assert_int_equal(cgroup_remove_below(*state), 0);
        assert_int_equal(rmdir(*state), 0);
        assert_int_equal(cgroup_remove_below(*state), 0);

        /* What cannot be removed ends it. */
        assert_int_equal(mkdir(*state, 0755), 0);
        write_text(*state, "a/b/busy/file", "");
        assert_int_equal(cgroup_remove_below(*state), -ENOTEMPTY);
        assert_int_equal(access(path_in(*state, "a/b/busy/file", path), F_OK), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_known_inits),
                cmocka_unit_test(test_versions_of_runit),
                cmocka_unit_test(test_not_ready_yet),
                cmocka_unit_test(test_unknown_inits),
                cmocka_unit_test(test_waits_for_signals),
                cmocka_unit_test(test_default_actions),
                cmocka_unit_test(test_look),
                cmocka_unit_test(test_options),
                cmocka_unit_test_setup_teardown(
                        test_processes_are_counted, directory_setup, directory_teardown),
                cmocka_unit_test_setup_teardown(
                        test_cgroups_have_a_limit, directory_setup, directory_teardown),
                cmocka_unit_test_setup_teardown(
                        test_depth_has_a_limit, directory_setup, directory_teardown),
                cmocka_unit_test_setup_teardown(
                        test_remove_cgroups, directory_setup, directory_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
