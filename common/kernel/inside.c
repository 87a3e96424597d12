/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/inside.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "common/kernel/confine.h"
#include "common/kernel/namespace.h"

/* Where commands are, also on NixOS. */
#define PATH_INSIDE                                                                                \
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:"                       \
        "/run/current-system/sw/bin:/run/current-system/sw/sbin"

/* How the waiting process says to inside_wait() that the time was over: no exit status can. */
#define SIGNAL_TIMEOUT SIGALRM

/* What the user's terminal sends to all, and what only the command is to react to. */
static const int terminal_signals[] = { SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU };

int inside_protect(char *argv[]) {
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_RDONLY };
        _cleanup_close_ int file = -EBADF;
        struct statvfs v;

        if (geteuid() != 0) /* who cannot enter a container either */
                return 0;
        if (statvfs("/proc/self/exe", &v) < 0)
                return -errno;
        if (v.f_flag & ST_RDONLY) {
                /* It was called after the descriptor that it was executed from. */
                (void) prctl(PR_SET_NAME, basename(argv[0]));
                return 0;
        }

        file = open_tree(AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (file < 0 || mount_setattr(file, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
                return -errno;
        (void) execveat(file, "", argv, environ, AT_EMPTY_PATH);
        return -errno;
}

static void fail(const InsideCommand *c, int error, const char *action) {
        if (c->on_failure)
                c->on_failure(error, action);
        _exit(error == ENOENT ? INSIDE_NOT_FOUND : INSIDE_CANNOT_EXECUTE);
}

/* Return: 0 or negative errno. */
static int set_up(const InsideCommand *c) {
        if (c->terminal >= 0 && (setsid() < 0 || ioctl(c->terminal, TIOCSCTTY, 0) < 0))
                return -errno;

        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (c->stdio[fd] >= 0 && dup2(c->stdio[fd], fd) < 0)
                        return -errno;
        return chdir("/") < 0 ? -errno : 0;
}

/* The command's own process. Does not return. */
static void execute(const InsideCommand *c) {
        char term[256], action[512];
        char *environment[] = { (char *) PATH_INSIDE, (char *) "HOME=/root", (char *) "USER=root",
                (char *) "LOGNAME=root", (char *) "container=systemd-nspawn", NULL, NULL };
        const char *outer_term = getenv("TERM");
        sigset_t none;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(terminal_signals); i++)
                (void) signal(terminal_signals[i], SIG_DFL);
        if (c->is_group) {
                (void) setpgid(0, 0);
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        } else if (c->terminal < 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        }

        if (outer_term) {
                (void) snprintf(term, sizeof(term), "TERM=%s", outer_term);
                environment[5] = term;
        }

        r = set_up(c);
        if (r < 0)
                fail(c, -r, "set up the command");

        /* Nothing else of the host's goes into the container. */
        (void) close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);

        environ = environment; /* execvpe(3) would look at the PATH that we have */
        (void) execvp(c->argv[0], c->argv);
        r = errno;
        (void) snprintf(action, sizeof(action), "run '%s' in the container", c->argv[0]);
        fail(c, r, action);
}

static int exit_status(int status) {
        return WIFEXITED(status) ? WEXITSTATUS(status) : INSIDE_SIGNAL_BASE + WTERMSIG(status);
}

/* Wait for a child's end, and reap it. Return: its wait status, or negative errno. */
static int reap(pid_t child) {
        int status;

        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;

        return status;
}

/* Wait until a child has ended, or SIGTERM, or the deadline. Both signals are blocked. Return: whether
 * the deadline came first. */
static bool wait_for_end(pid_t child, const sigset_t *signals, uint64_t deadline) {
        for (;;) {
                siginfo_t info = {};
                uint64_t now = now_usec(), rest = deadline > now ? deadline - now : 0;
                struct timespec timeout = { .tv_sec = (time_t) (rest / USEC_PER_SEC),
                        .tv_nsec = (long) (rest % USEC_PER_SEC) * 1000 };

                if (waitid(P_PID, (id_t) child, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
                        info.si_pid == child)
                        return false;
                if (rest == 0)
                        return true;
                if (sigtimedwait(signals, NULL, &timeout) == SIGTERM)
                        return false;
        }
}

/*
 * Wait for the command as the leader of a process group, and kill what is left of that. Until the
 * leader is reaped, its number is no other group's.
 */
static int wait_for_group(pid_t child, const sigset_t *signals, uint64_t deadline) {
        bool timed_out;

        (void) setpgid(child, child); /* whoever of the two comes first */

        timed_out = wait_for_end(child, signals, deadline);
        (void) kill(-child, SIGKILL);
        int status = reap(child);

        if (timed_out) {
                (void) signal(SIGNAL_TIMEOUT, SIG_DFL);
                (void) raise(SIGNAL_TIMEOUT);
        }
        return status;
}

/*
 * Close what the command does not get. From the fork to execve(2) the child is seen inside, and root there
 * may take its descriptors, pidfd_getfd(2): among them may be one of systemd-nspawn.
 */
static void close_others(const InsideCommand *c) {
        const int kept[] = { c->stdio[0], c->stdio[1], c->stdio[2], c->terminal };

        for (int from = STDERR_FILENO + 1;;) {
                int next = INT_MAX;

                for (size_t i = 0; i < ELEMENTSOF(kept); i++)
                        if (kept[i] >= from)
                                next = MIN(next, kept[i]);
                if (next > from) /* at worst they stay open */
                        (void) close_range(
                                (unsigned) from, next == INT_MAX ? ~0U : (unsigned) next - 1, 0);
                if (next == INT_MAX)
                        return;
                from = next + 1;
        }
}

/* The process that waits. Does not return. */
static void wait_inside(const InsideCommand *c, pid_t caller) {
        uint64_t deadline = after_usec(c->timeout_usec);
        sigset_t signals;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(terminal_signals); i++)
                (void) signal(terminal_signals[i], SIG_IGN);
        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGCHLD);
        (void) sigaddset(&signals, SIGTERM);
        if (c->is_group) {
                (void) signal(SIGCHLD, SIG_DFL); /* ignored, it would have the kernel reap */
                (void) sigprocmask(SIG_BLOCK, &signals, NULL);
        }

        r = namespace_enter(c->init, c->init_pidfd);
        if (r >= 0)
                r = confine_inside();
        if (r < 0) {
                if (c->on_failure)
                        c->on_failure(-r, "enter the container");
                _exit(INSIDE_CANNOT_EXECUTE);
        }
        if (c->terminal < 0) /* after the change of the user, which would reset it */
                (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (c->is_group && getppid() != caller) /* gone before that */
                _exit(INSIDE_CANNOT_EXECUTE);

        close_others(c);
        pid_t child = fork();
        if (child == 0)
                execute(c);
        if (child < 0) {
                if (c->on_failure)
                        c->on_failure(errno, "fork in the container");
                _exit(INSIDE_CANNOT_EXECUTE);
        }

        /* A terminal has to hang up, and a pipe to end, when those have gone who are to have it. */
        (void) close_range(STDERR_FILENO + 1, ~0U, 0);
        r = c->is_group ? wait_for_group(child, &signals, deadline) : reap(child);
        _exit(r < 0 ? INSIDE_CANNOT_EXECUTE : exit_status(r));
}

pid_t inside_start(const InsideCommand *command) {
        pid_t caller = getpid(), waiter = fork();

        if (waiter == 0)
                wait_inside(command, caller);
        return waiter < 0 ? -errno : waiter;
}

int inside_wait(pid_t waiter) {
        int status = reap(waiter);

        if (status < 0)
                return status;
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGNAL_TIMEOUT ? -ETIMEDOUT
                                                                         : exit_status(status);
}
