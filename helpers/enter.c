/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spawnlet-enter: runs a command inside a running container.
 *
 * Used by ExecReload= of container-NAME.service and by `spawnlet run`. It needs nothing inside
 * but the command: no D-Bus, no systemd. The command runs in the container's cgroup, so that it
 * ends with the container, and with no capability that the container's init could not have.
 *
 * Whatever of standard input, output and error is a terminal becomes one of the command's own: with
 * the user's the container could put characters into the user's input (TIOCSTI).
 */

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "common/base/log.h"
#include "common/base/notify.h"
#include "common/base/parse.h"
#include "common/base/str.h"
#include "common/kernel/init.h"
#include "common/kernel/inside.h"
#include "common/kernel/root.h"

#define NIX_STORE "/nix/store/"

/* The user's terminal. */
typedef struct Terminal {
        bool is_terminal[3]; /* standard input, output, error */
        int any;             /* one of those that are; -EBADF if none is */
        struct termios saved;
} Terminal;

static Terminal terminal = { .any = -EBADF }; /* global for the function at exit alone */

static void restore_terminal(void) {
        (void) tcsetattr(terminal.any, TCSADRAIN, &terminal.saved); /* at exit, nobody to tell */
}

static int find_terminal(void) {
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
                terminal.is_terminal[fd] = isatty(fd);
                if (terminal.is_terminal[fd] && terminal.any < 0)
                        terminal.any = fd;
        }

        if (terminal.any >= 0 && tcgetattr(terminal.any, &terminal.saved) < 0)
                return log_error_errno(errno, "Failed to look at the terminal: %m");
        return 0;
}

static void on_failure(int error, const char *action) {
        (void) log_error_errno(error, "Failed to %s: %m", action);
}

static int wait_for(pid_t waiter) {
        int r = inside_wait(waiter);

        return r < 0 ? log_error_errno(r, "Failed to wait for the command: %m") : r;
}

/* Copy what there is from the command to the user. Return: whether there may be more. */
static bool forward(int from, int to) {
        char buffer[4096];
        ssize_t n = read(from, buffer, sizeof(buffer));

        for (ssize_t done = 0; done < n;) {
                ssize_t k = write(to, buffer + done, (size_t) (n - done));

                if (k < 0 && errno == EAGAIN) { /* others may have made it so */
                        struct pollfd fd = { .fd = to, .events = POLLOUT };

                        (void) poll(&fd, 1, -1);
                } else if (k < 0 && errno != EINTR)
                        return false;
                done += MAX(k, (ssize_t) 0);
        }

        return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static void copy_window_size(int to) {
        struct winsize size;

        if (ioctl(terminal.any, TIOCGWINSZ, &size) == 0)
                (void) ioctl(to, TIOCSWINSZ, &size); /* a wrong size is no reason to stop */
}

/* Pass on what the command has printed and nobody has read yet. */
static void forward_rest(int master, int output) {
        struct pollfd fd = { .fd = master, .events = POLLIN };

        while (poll(&fd, 1, 0) > 0 && (fd.revents & POLLIN) && forward(master, output))
                ;
}

/* Connect the user's terminal with the command's until the command has ended. (What it leaves in the
 * background may keep the terminal open.) */
static void forward_terminal(int master, int signals, int child) {
        int output = terminal.is_terminal[STDOUT_FILENO] ? STDOUT_FILENO : STDERR_FILENO;
        int input = terminal.is_terminal[STDIN_FILENO] ? STDIN_FILENO : -1;
        char typed[4096]; /* not yet taken by the command */
        size_t n_typed = 0;
        struct pollfd fds[] = {
                { .fd = master },
                { .events = POLLIN },
                { .fd = signals, .events = POLLIN },
                { .fd = child, .events = POLLIN },
        };

        for (;;) {
                fds[0].events = (short) (POLLIN | (n_typed > 0 ? POLLOUT : 0));
                fds[1].fd = n_typed > 0 ? -1 : input;
                if (poll(fds, ELEMENTSOF(fds), -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        return;
                }

                if (fds[3].revents) {
                        forward_rest(master, output);
                        return;
                }
                if (fds[0].revents & ~POLLOUT && !forward(master, output)) {
                        fds[0].fd = -1; /* closed by all: it ends or goes on without a terminal */
                        input = -1;
                }
                if (fds[0].revents & POLLOUT) {
                        ssize_t k = write(master, typed, n_typed);

                        if (k > 0)
                                memmove(typed, typed + k, n_typed -= (size_t) k);
                }
                if (fds[1].revents) {
                        ssize_t k = read(STDIN_FILENO, typed, sizeof(typed));

                        if (k > 0)
                                n_typed = (size_t) k;
                        else if (k == 0 || (errno != EINTR && errno != EAGAIN)) {
                                /* The end of input, to a terminal; one more ends a line begun. */
                                memcpy(typed, "\x04\x04", n_typed = 2);
                                input = -1;
                        }
                }
                if (fds[2].revents) {
                        struct signalfd_siginfo info;

                        (void) !read(signals, &info, sizeof(info));
                        copy_window_size(master);
                }
        }
}

/*
 * With input and output on the terminal, the user's passes everything on, and the command's does
 * what terminals do. In a pipeline it is the other way round: others use the user's terminal, too.
 */
static int set_up_terminal(int slave) {
        struct termios raw = terminal.saved, quiet = terminal.saved;

        if (!terminal.is_terminal[STDIN_FILENO] || !terminal.is_terminal[STDOUT_FILENO]) {
                quiet.c_lflag &= ~(tcflag_t) ECHO;
                quiet.c_oflag &= ~(tcflag_t) OPOST;
                return tcsetattr(slave, TCSANOW, &quiet) < 0 ? -errno : 0;
        }

        cfmakeraw(&raw);
        if (tcsetattr(terminal.any, TCSADRAIN, &raw) < 0)
                return -errno;
        (void) atexit(restore_terminal);
        return 0;
}

/* Make a terminal in the container's own devpts, where the command finds its name. */
static int open_terminal(pid_t init, int *ret_master, int *ret_slave) {
        _cleanup_close_ int root = -EBADF, master = -EBADF, slave = -EBADF;
        char path[64];
        int locked = 0;

        (void) snprintf(path, sizeof(path), "/proc/%i/root", (int) init);
        root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return -errno;

        master = root_open_device(root, "dev/pts/ptmx", makedev(5, 2)); /* devices.txt: /dev/ptmx */
        if (master < 0)
                return master;

        /* Not by its name, as libc would: that is for the container to choose. ioctl_tty(2). */
        if (ioctl(master, TIOCSPTLCK, &locked) < 0)
                return -errno;
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (slave < 0 || tcsetattr(slave, TCSANOW, &terminal.saved) < 0)
                return -errno;
        /* Never wait for the command to read: it may wait for us to. */
        if (fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
                return -errno;

        *ret_master = TAKE_FD(master);
        *ret_slave = TAKE_FD(slave);
        return 0;
}

static int run_on_terminal(InsideCommand *command) {
        _cleanup_close_ int master = -EBADF, slave = -EBADF, signals = -EBADF, pidfd = -EBADF;
        sigset_t window;
        int r;

        (void) sigemptyset(&window);
        (void) sigaddset(&window, SIGWINCH);
        if (sigprocmask(SIG_BLOCK, &window, NULL) < 0)
                return log_error_errno(errno, "Failed to block a signal: %m");
        signals = signalfd(-1, &window, SFD_CLOEXEC);
        if (signals < 0)
                return log_error_errno(errno, "Failed to make a signal descriptor: %m");

        r = open_terminal(command->init, &master, &slave);
        if (r < 0)
                return log_error_errno(r, "Failed to make a terminal in the container: %m");
        copy_window_size(master);

        r = set_up_terminal(slave);
        if (r < 0)
                return log_error_errno(r, "Failed to set up the terminal: %m");

        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (terminal.is_terminal[fd])
                        command->stdio[fd] = slave;
        command->terminal = slave;
        pid_t child = inside_start(command);
        if (child < 0)
                return log_error_errno(child, "Failed to fork: %m");

        (void) close(TAKE_FD(slave));
        pidfd = pidfd_open(child, 0);
        if (pidfd < 0)
                return log_error_errno(errno, "Failed to watch the command: %m");
        forward_terminal(master, signals, pidfd);
        return wait_for(child);
}

static int run_plainly(const InsideCommand *command) {
        /* Ctrl-C and the like reach the command by itself; its exit status says what came of it. */
        (void) signal(SIGINT, SIG_IGN);
        (void) signal(SIGQUIT, SIG_IGN);

        pid_t child = inside_start(command);
        if (child < 0)
                return log_error_errno(child, "Failed to fork: %m");

        return wait_for(child);
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

        r = find_terminal();
        if (r < 0)
                return r;

        InsideCommand command = { .argv = argv,
                .init = init,
                .init_pidfd = pidfd,
                .stdio = { -EBADF, -EBADF, -EBADF },
                .terminal = -EBADF,
                .on_failure = on_failure };
        return terminal.any >= 0 ? run_on_terminal(&command) : run_plainly(&command);
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
        log_on_error(notify_status);
        r = inside_protect(argv);
        if (r < 0) {
                (void) log_error_errno(
                        r, "Failed to execute this program from a read-only mount: %m");
                return INSIDE_CANNOT_EXECUTE;
        }

        for (int c; (c = getopt_long(argc, argv, "+h", options, NULL)) >= 0;)
                switch (c) {
                case 'h':
                        help();
                        return EXIT_SUCCESS;
                case 's':
                        store_path = optarg;
                        break;
                default:
                        return INSIDE_CANNOT_EXECUTE;
                }

        if (argc - optind < 2 || parse_unsigned(argv[optind], 2, INT32_MAX, &pid) < 0) {
                log_error("Takes the PID of systemd-nspawn and a command, see --help");
                return INSIDE_CANNOT_EXECUTE;
        }

        char **command = argv + optind + 1;
        if (strcmp(command[0], "--") == 0)
                command++;
        if (!command[0]) {
                log_error("No command given, see --help");
                return INSIDE_CANNOT_EXECUTE;
        }

        r = run((pid_t) pid, command, store_path);
        /* A reload command: on a terminal, the exit status says enough. */
        if (r > 0 && getenv("NOTIFY_SOCKET"))
                log_error("The reload command '%s' failed with exit status %i", command[0], r);
        return r < 0 ? INSIDE_CANNOT_EXECUTE : r;
}
