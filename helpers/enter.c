/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spawnlet-enter: runs a command inside a running container.
 *
 * Used by ExecReload= of container-NAME.service and by `spawnlet run`. It needs nothing inside
 * but the command: no D-Bus, no systemd. The command runs in the container's cgroup, so that it
 * ends with the container, and with no capability that the container's init could not have.
 *
 * On a terminal the command gets a terminal of its own: the user's would let the container put
 * characters into the user's input (TIOCSTI).
 */

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <utmp.h>

#include "common/base/log.h"
#include "common/base/parse.h"
#include "common/base/str.h"
#include "common/kernel/init.h"
#include "common/kernel/namespace.h"

/* As a shell says it: 126 found, but cannot be run; 127 not found; 128 + signal. */
#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND 127
#define EXIT_SIGNAL_BASE 128

#define NIX_STORE "/nix/store/"

/* Where commands are, also on NixOS. */
#define PATH_INSIDE                                                                                \
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:"                       \
        "/run/current-system/sw/bin:/run/current-system/sw/sbin"

static struct termios saved_termios;

static void restore_terminal(void) {
        (void) tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_termios); /* at exit, nobody to tell */
}

/* The first process inside: executes the command. Does not return. */
static void execute(char *argv[], int terminal) {
        char term[256];
        char *environment[] = { (char *) PATH_INSIDE, (char *) "HOME=/root", (char *) "USER=root",
                (char *) "LOGNAME=root", (char *) "container=systemd-nspawn", NULL, NULL };
        const char *outer_term = getenv("TERM");
        sigset_t none;

        if (outer_term) {
                (void) snprintf(term, sizeof(term), "TERM=%s", outer_term);
                environment[5] = term;
        }

        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        if (terminal >= 0 && login_tty(terminal) < 0)
                _exit(EXIT_CANNOT_EXECUTE);
        if (chdir("/") < 0)
                _exit(EXIT_CANNOT_EXECUTE);

        (void) execvpe(argv[0], argv, environment);
        int error = errno;
        (void) log_error_errno(error, "Failed to run '%s' in the container: %m", argv[0]);
        _exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE);
}

static int exit_status(pid_t child) {
        int status;

        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return log_error_errno(errno, "Failed to wait for the command: %m");

        return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL_BASE + WTERMSIG(status);
}

/* Copy what there is from one descriptor to the other. Return: whether there may be more. */
static bool forward(int from, int to) {
        char buffer[4096];
        ssize_t n = read(from, buffer, sizeof(buffer));

        for (ssize_t done = 0; done < n;) {
                ssize_t k = write(to, buffer + done, (size_t) (n - done));

                if (k < 0 && errno != EINTR)
                        return false;
                done += MAX(k, (ssize_t) 0);
        }

        return n > 0 || (n < 0 && errno == EINTR);
}

static void copy_window_size(int to) {
        struct winsize size;

        if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
                (void) ioctl(to, TIOCSWINSZ, &size); /* a wrong size is no reason to stop */
}

/* Connect the user's terminal with the command's until the command's other end is closed. */
static void forward_terminal(int master, int signals) {
        struct pollfd fds[] = {
                { .fd = master, .events = POLLIN },
                { .fd = STDIN_FILENO, .events = POLLIN },
                { .fd = signals, .events = POLLIN },
        };

        for (;;) {
                if (poll(fds, ELEMENTSOF(fds), -1) < 0 && errno != EINTR)
                        return;
                if (fds[0].revents && !forward(master, STDOUT_FILENO))
                        return;
                if (fds[1].revents && !forward(STDIN_FILENO, master))
                        fds[1].fd = -1;
                if (fds[2].revents) {
                        struct signalfd_siginfo info;

                        (void) !read(signals, &info, sizeof(info));
                        copy_window_size(master);
                }
        }
}

static int run_on_terminal(char *argv[]) {
        _cleanup_close_ int master = -EBADF, slave = -EBADF, signals = -EBADF;
        struct termios raw;
        sigset_t window;

        (void) sigemptyset(&window);
        (void) sigaddset(&window, SIGWINCH);
        if (sigprocmask(SIG_BLOCK, &window, NULL) < 0)
                return log_error_errno(errno, "Failed to block a signal: %m");
        signals = signalfd(-1, &window, SFD_CLOEXEC);
        if (signals < 0)
                return log_error_errno(errno, "Failed to make a signal descriptor: %m");

        if (openpty(&master, &slave, NULL, &saved_termios, NULL) < 0)
                return log_error_errno(errno, "Failed to make a terminal: %m");
        copy_window_size(master);

        raw = saved_termios;
        cfmakeraw(&raw);
        if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
                return log_error_errno(errno, "Failed to set up the terminal: %m");
        (void) atexit(restore_terminal);

        pid_t child = fork();
        if (child < 0)
                return log_error_errno(errno, "Failed to fork: %m");
        if (child == 0) {
                (void) close(master);
                execute(argv, slave);
        }

        (void) close(TAKE_FD(slave));
        forward_terminal(master, signals);
        return exit_status(child);
}

static int run_plainly(char *argv[]) {
        /* Ctrl-C and the like reach the command by itself; its exit status says what came of it. */
        (void) signal(SIGINT, SIG_IGN);
        (void) signal(SIGQUIT, SIG_IGN);

        pid_t child = fork();
        if (child < 0)
                return log_error_errno(errno, "Failed to fork: %m");
        if (child == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
                (void) signal(SIGINT, SIG_DFL);
                (void) signal(SIGQUIT, SIG_DFL);
                execute(argv, -1);
        }

        return exit_status(child);
}

/* What a path on the host leads to, if that is in the store, which the container shares. */
static char *resolve_in_store(const char *path) {
        char *resolved = realpath(path, NULL);

        if (resolved && !str_starts_with(resolved, NIX_STORE)) {
                free(resolved);
                return NULL;
        }

        return resolved;
}

static int run(pid_t main_pid, char *argv[], const char *store_path) {
        _cleanup_free_ char *resolved = store_path ? resolve_in_store(store_path) : NULL;
        _cleanup_close_ int pidfd = -EBADF;
        pid_t init;
        int r;

        if (resolved)
                argv[0] = resolved;

        r = init_find(main_pid, &init, &pidfd);
        if (r == 0 || r == -ESRCH)
                return log_error_errno(ESRCH, "The container is not running");
        if (r < 0)
                return log_error_errno(r, "Failed to find the container's init: %m");

        bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
                tcgetattr(STDIN_FILENO, &saved_termios) == 0;

        r = namespace_enter(init, pidfd);
        if (r < 0)
                return log_error_errno(r, "Failed to enter the container: %m");

        return terminal ? run_on_terminal(argv) : run_plainly(argv);
}

static void help(void) {
        printf("%s [OPTION...] PID [--] COMMAND [ARGUMENT...]\n\n"
               "Run a command inside the container whose systemd-nspawn is process PID.\n\n"
               "  -h --help             Show this help\n"
               "     --store-path=PATH  Run what PATH leads to on the host instead of COMMAND, if\n"
               "                        that is in /nix/store\n\n"
               "The exit status is the command's. See `spawnlet run` in spawnlet(1).\n",
                program_invocation_short_name);
}

int main(int argc, char *argv[]) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "store-path", required_argument, NULL, 's' },
                {},
        };
        const char *store_path = NULL;
        uint64_t pid;
        int r;

        log_setup("spawnlet-enter", log_target_of_service());

        for (int c; (c = getopt_long(argc, argv, "+h", options, NULL)) >= 0;)
                switch (c) {
                case 'h':
                        help();
                        return EXIT_SUCCESS;
                case 's':
                        store_path = optarg;
                        break;
                default:
                        return EXIT_CANNOT_EXECUTE;
                }

        if (argc - optind < 2 || parse_unsigned(argv[optind], 2, INT32_MAX, &pid) < 0) {
                log_error("Takes the PID of systemd-nspawn and a command, see --help");
                return EXIT_CANNOT_EXECUTE;
        }

        char **command = argv + optind + 1;
        if (strcmp(command[0], "--") == 0)
                command++;
        if (!command[0]) {
                log_error("No command given, see --help");
                return EXIT_CANNOT_EXECUTE;
        }

        r = run((pid_t) pid, command, store_path);
        return r < 0 ? EXIT_CANNOT_EXECUTE : r;
}
