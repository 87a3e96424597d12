/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/init.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/base/file.h"
#include "common/base/init-protocol.h"
#include "common/base/parse.h"
#include "common/base/str.h"
#include "common/kernel/namespace.h"

/* /proc/PID/status has all groups of a process, which it chooses: 65536, credentials(7), of 11 characters. */
#define PROC_FILE_MAX (1024U * 1024U)
#define COMMAND_LINE_MAX (8U * 1024U * 1024U) /* more than the kernel takes, execve(2) */

static int read_proc(pid_t pid, const char *file, char **ret) {
        char path[96];
        int r;

        (void) snprintf(path, sizeof(path), "/proc/%i/%s", (int) pid, file);
        r = file_read(AT_FDCWD, path, PROC_FILE_MAX, ret, NULL);
        return r == -ENOENT ? -ESRCH : r;
}

/* The value of a line "NAME:\tVALUE" of /proc/PID/status, proc(5). Return: it, or NULL. */
static const char *status_field(const char *status, const char *name) {
        size_t n = strlen(name);

        for (const char *line = status; line && *line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, name, n) == 0 && line[n] == ':')
                        return line + n + 1 + strspn(line + n + 1, "\t ");
        }

        return NULL;
}

/* The states are in proc(5), /proc/PID/stat. What a debugger holds up is 't', and goes on for that alone. */
static bool status_is_stopped(const char *status) {
        const char *state = status_field(status, "State");

        return state && *state == 'T';
}

static int status_mask(const char *status, const char *name, uint64_t *ret) {
        const char *value = status_field(status, name);
        uint64_t mask;

        /* strtoull(3) would pass over the end of the line, and take a sign. */
        if (!value || !isxdigit((unsigned char) *value))
                return -EBADMSG;

        errno = 0;
        mask = strtoull(value, NULL, 16);
        if (errno > 0)
                return -EBADMSG;
        *ret = mask;
        return 0;
}

/* The PID that @text begins with. Return: it, 0 if there is none. */
static pid_t pid_at(const char *text) {
        long pid = *text >= '0' && *text <= '9' ? strtol(text, NULL, 10) : 0;

        return pid > 0 && pid <= INT_MAX ? (pid_t) pid : 0;
}

/* The last of the PIDs that a process has, one for each PID namespace that it is in; 0 if unknown. */
static pid_t innermost_pid(const char *status) {
        const char *p = status_field(status, "NSpid");
        pid_t last = 0;

        while (p && *p && *p != '\n') {
                last = pid_at(p);
                p += strcspn(p, "\t \n");
                p += strspn(p, "\t ");
        }

        return last;
}

/* Whether a status is that of a child of @parent that is PID 1 inside. */
static bool status_is_init_of(const char *status, pid_t parent) {
        const char *ppid = status_field(status, "PPid");

        return ppid && pid_at(ppid) == parent && innermost_pid(status) == 1;
}

/* Return: 1 if @pid is a child of @parent that is PID 1 inside, 0 if not, negative errno. */
static int is_init_of(pid_t pid, pid_t parent) {
        _cleanup_free_ char *status = NULL;
        int r;

        r = read_proc(pid, "status", &status);
        return r < 0 ? (r == -ESRCH ? 0 : r) : status_is_init_of(status, parent);
}

/* The next of the PIDs in a list of children, which *p moves past. Return: it, 0 at the end. */
static pid_t next_child(const char **p) {
        pid_t pid;

        do {
                *p += strspn(*p, " \n");
                pid = pid_at(*p);
                *p += strcspn(*p, " \n");
        } while (pid == 0 && **p);

        return pid;
}

int init_find(pid_t main_pid, pid_t *ret_pid, int *ret_pidfd) {
        _cleanup_free_ char *children = NULL;
        char file[64];
        int r;

        (void) snprintf(file, sizeof(file), "task/%i/children", (int) main_pid);
        r = read_proc(main_pid, file, &children);
        if (r < 0)
                return r;

        const char *p = children;
        for (pid_t pid; (pid = next_child(&p)) > 0;) {
                _cleanup_close_ int pidfd = pidfd_open(pid, 0);

                if (pidfd < 0 && errno == ESRCH)
                        continue;
                if (pidfd < 0)
                        return -errno;

                /* Looked at after it was opened: the PID may have been another's before. */
                r = is_init_of(pid, main_pid);
                if (r < 0)
                        return r;
                if (r > 0) {
                        *ret_pid = pid;
                        *ret_pidfd = TAKE_FD(pidfd);
                        return 1;
                }
        }

        return 0;
}

/* Whether what follows is no option of spawnlet-init's own any more. */
static bool is_last_option(const char *option) {
        return strcmp(option, "--boot") == 0 || strcmp(option, "--") == 0;
}

/* @arguments: a command line as /proc/PID/cmdline has it, with one more NUL behind it */
static int parse_options(const char *arguments, size_t size, InitOptions *ret) {
        const char *end = arguments + size, *p = arguments;
        InitOptions options = {};

        /* About to execute nspawn. */
        if (str_ends_with(p, "/spawnlet-network"))
                for (bool found = false; p < end && !found; p += strlen(p) + 1)
                        found = strcmp(p, "--") == 0;

        for (; p < end; p += strlen(p) + 1) {
                const char *signal = str_starts_with(p, "--kill-signal=");

                if (strcmp(p, "--") == 0) {
                        /* Who finds an init is nspawn, or spawnlet-init, after its own options. */
                        p += strlen(p) + 1;
                        if (p >= end || strcmp(p, INIT_PATH) != 0)
                                break;
                        do
                                p += strlen(p) + 1;
                        while (p < end && str_starts_with(p, "--") && !is_last_option(p));
                        if (p < end && strcmp(p, "--boot") == 0)
                                options.boots = true;
                        break;
                }
                if (strcmp(p, "--boot") == 0 || strcmp(p, "--as-pid2") == 0)
                        options.boots = true;
                if (!signal)
                        continue;
                options.kill_signal = parse_signal(signal);
                if (options.kill_signal < 0)
                        return options.kill_signal;
        }

        *ret = options;
        return 0;
}

int init_options(pid_t main_pid, InitOptions *ret) {
        _cleanup_free_ char *arguments = NULL;
        char path[64];
        size_t size;
        int r;

        (void) snprintf(path, sizeof(path), "/proc/%i/cmdline", (int) main_pid);
        r = file_read(AT_FDCWD, path, COMMAND_LINE_MAX, &arguments, &size);
        if (r < 0)
                return r == -ENOENT ? -ESRCH : r;
        return parse_options(arguments, size, ret);
}

/* Make of a line of /proc/PID/comm, which the process chooses, what is fit to be shown. */
static void clean_name(const char *text, char ret[static PROCESS_NAME_MAX]) {
        size_t n = strlen(text);

        if (n > 0 && text[n - 1] == '\n')
                n--;
        n = MIN(n, (size_t) PROCESS_NAME_MAX - 1);
        for (size_t i = 0; i < n; i++)
                ret[i] = (char) (text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
        ret[n] = '\0';
}

int init_process_name(pid_t pid, char ret[static PROCESS_NAME_MAX]) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = read_proc(pid, "comm", &text);
        if (r >= 0)
                clean_name(text, ret);
        return r;
}

/* The 22nd field of /proc/PID/stat, proc(5). The second is the process's name in parentheses, which may have any
 * character. */
static int parse_start_time(const char *stat, uint64_t *ret) {
        const char *p = strrchr(stat, ')');

        for (unsigned field = 2; p && field < 22; field++)
                p = strchr(p + 1, ' ');
        if (!p || p[1] < '0' || p[1] > '9')
                return -EBADMSG;
        *ret = strtoull(p + 1, NULL, 10);
        return 0;
}

int init_start_time(pid_t pid, uint64_t *ret) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = read_proc(pid, "stat", &text);
        return r < 0 ? r : parse_start_time(text, ret);
}

bool init_is_stopped(pid_t pid) {
        _cleanup_free_ char *status = NULL;

        return read_proc(pid, "status", &status) >= 0 && status_is_stopped(status);
}

/* user_namespaces(7): lines of INSIDE OUTSIDE COUNT, that of root inside first. */
static int parse_users(const char *text, uint32_t *ret_first, uint32_t *ret_count) {
        unsigned first = 0, end = 0;

        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
                unsigned inside, outside, count;

                if (sscanf(line, "%u %u %u", &inside, &outside, &count) != 3 ||
                        count > UINT32_MAX - inside || (line == text && inside != 0))
                        return -EBADMSG;
                if (line == text)
                        first = outside;
                if (outside - inside == first)
                        end = MAX(end, inside + count);
        }

        if (end == 0)
                return -EBADMSG;
        *ret_first = first;
        *ret_count = end;
        return 0;
}

int init_users(pid_t pid, uint32_t *ret_first, uint32_t *ret_count) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = read_proc(pid, "uid_map", &text);
        return r < 0 ? r : parse_users(text, ret_first, ret_count);
}

/*
 * The system call that a process is in: proc(5), /proc/PID/syscall.
 *
 * In sigwaitinfo(2), the signals that it waits for are not blocked as far as /proc shows, and still not lost:
 * do_sigtimedwait() of the kernel keeps the real mask aside. nspawn's own init for --as-pid2 is one of
 * these, busybox and dumb-init are others.
 */
static void parse_syscall(const char *text, InitState *state) {
        static const long forks[] = {
                SYS_clone,
                SYS_clone3,
#ifdef SYS_fork
                SYS_fork,
                SYS_vfork,
#endif
        };
        char *end;
        long number = strtol(text, &end, 10); /* or "running"; -1 is a page fault */

        state->waits = number == SYS_rt_sigtimedwait;
        state->sleeps = end != text && number >= 0;
        for (size_t i = 0; i < ELEMENTSOF(forks); i++)
                state->sleeps = state->sleeps && number != forks[i];
}

/* The last part of what the link /proc/PID/exe leads to. proc(5) says what is behind it when the file was
 * replaced meanwhile, as by an upgrade. */
static void executable_name(char *target, char *ret, size_t size) {
        const char *deleted = str_ends_with(target, " (deleted)");

        if (deleted)
                target[deleted - target] = '\0';

        const char *slash = strrchr(target, '/');
        (void) snprintf(ret, size, "%.*s", (int) size - 1, slash ? slash + 1 : target);
}

/* The name of the file that a process was executed from, "" if it is not to be had. */
static void read_executable(pid_t pid, char *ret, size_t size) {
        char path[32], target[PATH_MAX];
        ssize_t n;

        *ret = '\0';
        (void) snprintf(path, sizeof(path), "/proc/%i/exe", (int) pid);
        n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
                return;
        target[n] = '\0';
        executable_name(target, ret, size);
}

/* Whether two processes run the same file. The links in /proc lead to the file itself, not to
 * whatever has its name now. */
static bool same_executable(pid_t a, pid_t b) {
        char path[32];
        struct stat x, y;

        (void) snprintf(path, sizeof(path), "/proc/%i/exe", (int) a);
        if (stat(path, &x) < 0)
                return false;
        (void) snprintf(path, sizeof(path), "/proc/%i/exe", (int) b);
        if (stat(path, &y) < 0)
                return false;
        return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool is_in(uint64_t mask, int signal) {
        return (mask & (UINT64_C(1) << (signal - 1))) != 0;
}

/* The signals of /proc/PID/status. */
static int parse_signals(const char *status, InitState *state) {
        int r;

        r = status_mask(status, "SigBlk", &state->blocked);
        if (r >= 0)
                r = status_mask(status, "SigCgt", &state->caught);
        if (r >= 0)
                r = status_mask(status, "SigIgn", &state->ignored);
        /* Who blocks signals to take them leaves out those of the processor's. */
        state->blocks_all = is_in(state->blocked, SIGSEGV);
        return r;
}

int init_look(pid_t pid, pid_t main_pid, InitState *ret) {
        _cleanup_free_ char *status = NULL, *syscall = NULL;
        InitState state = {};
        int r;

        /* First: a mask that nspawn's process had is not taken for that of a program executed later. */
        if (read_proc(pid, "syscall", &syscall) >= 0)
                parse_syscall(syscall, &state);
        state.executed = state.waits || !same_executable(pid, main_pid);

        r = read_proc(pid, "status", &status);
        if (r >= 0)
                r = parse_signals(status, &state);
        if (r >= 0)
                r = init_process_name(pid, state.name);
        if (r < 0)
                return r;

        read_executable(pid, state.executable, sizeof(state.executable));
        *ret = state;
        return 0;
}

bool init_can_take(const InitState *init, int signal) {
        if (signal == SIGKILL) /* never dropped when it comes from outside */
                return true;
        return init->executed && (is_in(init->blocked | init->caught, signal) || init->waits);
}

bool init_would_end(const InitState *init, int signal) {
        static const int harmless[] = { SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGSTOP, SIGTSTP,
                SIGTTIN, SIGTTOU };

        for (size_t i = 0; i < ELEMENTSOF(harmless); i++)
                if (signal == harmless[i])
                        return false;
        return init->executed && !init_can_take(init, signal) && !is_in(init->ignored, signal);
}

/*
 * What shuts the system down, by the name of the program. Several rows for one program are for its
 * versions: the first is used whose signal it takes. No row is for /sbin/init of sysvinit and Upstart:
 * everything may be called so, and they take SIGPWR, see below.
 */
static const struct {
        const char *executable;
        const char *use; /* one of several: the process is called so, or as the executable */
        const char *signal;
} halt_signals[] = {
        { "systemd", NULL, SIGNAL_HALT },        /* systemd(1), SIGNALS */
        { "systemd-nspawn", NULL, SIGNAL_HALT }, /* --as-pid2; nspawn-stub-pid1.c */
        /* SIGTERM has these reboot: init/init.c of busybox, check_delayed_sigs(); reboot.c of toybox;
         * signal.c of OpenWrt's procd; doc/signals.md of finit. */
        { "busybox", "init", "SIGUSR2" },
        { "busybox.static", "init", "SIGUSR2" },
        { "toybox", "init", "SIGUSR2" },
        { "procd", NULL, "SIGUSR2" },
        { "finit", NULL, "SIGUSR2" },
        /* It blocks all other signals, also systemd's: openrc-init.c. */
        { "openrc-init", NULL, "SIGTERM" },
        /* runit(8) of Debian; elsewhere SIGCONT, if /etc/runit/stopit may be executed. LXC sends that,
         * too: voidlinux.common.conf. */
        { "runit", NULL, "SIGPWR" },
        { "runit", NULL, "SIGCONT" },
        /* s6-svscan.html, and s6-linux-init-maker.html for containers (-C). */
        { "s6-svscan", NULL, "SIGTERM" },
        { "dinit", NULL, "SIGTERM" }, /* dinit(8), SIGNALS; SIGINT reboots */
        { "sinit", NULL, "SIGUSR1" }, /* sinit(8) */
        /* They pass on what they get to the program below them, which knows SIGTERM: dumb-init(1),
         * and the README of tini and of catatonit. */
        { "dumb-init", NULL, "SIGTERM" },
        { "tini", NULL, "SIGTERM" },
        { "tini-static", NULL, "SIGTERM" },
        { "docker-init", NULL, "SIGTERM" },
        { "catatonit", NULL, "SIGTERM" },
};

/* Return: the signal; 0 if the init is in the table, but takes none of its signals now; -ENOENT if it
 * is not in the table. */
static int known_signal(const InitState *init, const char *program) {
        int r = -ENOENT;

        for (size_t i = 0; i < ELEMENTSOF(halt_signals); i++) {
                const char *use = halt_signals[i].use;

                if (strcmp(halt_signals[i].executable, program) != 0 ||
                        (use && strcmp(use, init->name) != 0 && strcmp(program, init->name) != 0))
                        continue;

                int signal = parse_signal(halt_signals[i].signal);
                if (init_can_take(init, signal))
                        return signal;
                if (!use) /* else it may be a shell, too */
                        r = 0;
        }

        return r;
}

int init_halt_signal(const InitState *init) {
        /* As LXC does it: lxccontainer.c, do_lxcapi_shutdown(). SIGPWR stands before SIGTERM, as that
         * is what more of them reboot at. */
        const int guesses[] = { parse_signal(SIGNAL_HALT), SIGPWR, SIGTERM };
        int r;

        r = known_signal(init, init->executable);
        if (r == -ENOENT) /* of an emulated processor the executable is the emulator */
                r = known_signal(init, init->name);
        if (r != -ENOENT)
                return r;

        /* What takes every signal says nothing by it. It passes them on, or its language's runtime
         * has handlers for all, as Go's. */
        if (init_can_take(init, SIGRTMAX))
                return SIGTERM;
        for (size_t i = 0; i < ELEMENTSOF(guesses); i++)
                if (init_can_take(init, guesses[i]))
                        return guesses[i];
        return 0;
}

/* Wait for a child. Return: 0 if it succeeded, -ECHILD if not; other negative errno. */
static int waited(pid_t pid) {
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS ? 0 : -ECHILD;
}

/* In a PID namespace reboot(2) ends the first process, with the status that nspawn takes for a
 * power-off. Only where there is no parent: on the host it would be the host that goes down. */
static int power_off_inside(void) {
        if (getppid() != 0)
                return -EXDEV;
        return reboot(RB_POWER_OFF) < 0 ? -errno : 0;
}

/* Give up all capabilities but one, capset(2). */
static int keep_only(unsigned capability) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

        data[CAP_TO_INDEX(capability)].effective = CAP_TO_MASK(capability);
        data[CAP_TO_INDEX(capability)].permitted = CAP_TO_MASK(capability);
        return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int enter_and_power_off(pid_t init, int pidfd) {
        pid_t pid;
        int r;

        /* All namespaces, and nothing that is not needed: what is inside can look into a process that
         * is in its PID namespace. */
        r = namespace_enter(init, pidfd);
        if (r >= 0)
                r = keep_only(CAP_SYS_BOOT);
        if (r < 0)
                return r;
        (void) close_range(STDERR_FILENO + 1, ~0U, 0); /* at worst they stay open */

        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                _exit(power_off_inside() < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
        return waited(pid);
}

int init_power_off(pid_t init, int pidfd) {
        pid_t pid = fork();

        if (pid < 0)
                return -errno;
        if (pid == 0)
                _exit(enter_and_power_off(init, pidfd) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
        return waited(pid);
}

int init_privileges(pid_t pid, uint64_t *ret_capabilities, bool *ret_no_more) {
        _cleanup_free_ char *status = NULL;
        uint64_t capabilities, no_more;
        int r;

        r = read_proc(pid, "status", &status);
        if (r >= 0)
                r = status_mask(status, "CapBnd", &capabilities);
        if (r >= 0)
                r = status_mask(status, "NoNewPrivs", &no_more);
        if (r < 0)
                return r;

        *ret_capabilities = capabilities;
        *ret_no_more = no_more != 0;
        return 0;
}
