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
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/sysmacros.h>

#include "common/base/log.h"
#include "common/base/notify.h"
#include "common/base/parse.h"
#include "common/base/str.h"
#include "common/base/terminal.h"
#include "common/kernel/confine.h"
#include "common/kernel/init.h"
#include "common/kernel/inside.h"
#include "common/kernel/root.h"

#define NIX_STORE "/nix/store/"

static void on_failure(int error, const char *action) {
        (void) log_error_errno(error, "Failed to %s: %m", action);
}

static int wait_for(pid_t waiter) {
        int r = inside_wait(waiter);

        return r < 0 ? log_error_errno(r, "Failed to wait for the command: %m") : r;
}

static bool on_output(TerminalForward *f, const char *data, size_t n) {
        const bool *is_terminal = f->terminal->is_terminal;

        return terminal_write(
                       is_terminal[STDOUT_FILENO] ? STDOUT_FILENO : STDERR_FILENO, data, n) >= 0;
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
        if (slave < 0)
                return -errno;
        /* Never wait for the command to read: it may wait for us to. */
        if (fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
                return -errno;

        *ret_master = TAKE_FD(master);
        *ret_slave = TAKE_FD(slave);
        return 0;
}

static int run_on_terminal(InsideCommand *command, const Terminal *terminal) {
        _cleanup_close_ int master = -EBADF, slave = -EBADF, pidfd = -EBADF;
        int r;

        r = open_terminal(command->init, &master, &slave);
        if (r < 0)
                return log_error_errno(r, "Failed to make a terminal in the container: %m");
        terminal_copy_size(terminal, master);

        r = terminal_connect(terminal, slave);
        if (r < 0)
                return log_error_errno(r, "Failed to set up the terminal: %m");

        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (terminal->is_terminal[fd])
                        command->stdio[fd] = slave;
        command->terminal = slave;
        pid_t child = inside_start(command);
        if (child < 0)
                return log_error_errno(child, "Failed to fork: %m");

        (void) close(TAKE_FD(slave));
        pidfd = pidfd_open(child, 0);
        if (pidfd < 0)
                return log_error_errno(errno, "Failed to watch the command: %m");

        TerminalForward forward = { .terminal = terminal,
                .pty = master,
                .end = pidfd,
                .input = terminal->is_terminal[STDIN_FILENO] ? STDIN_FILENO : -EBADF,
                .on_output = on_output };
        r = terminal_forward(&forward);
        if (r < 0)
                return log_error_errno(r, "Failed to watch the terminal: %m");
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
        Terminal terminal;
        pid_t init;
        int r;

        if (resolved)
                argv[0] = resolved;

        r = init_find(main_pid, &init, &pidfd);
        if (r == 0 || r == -ESRCH)
                return log_error_errno(ESRCH, "The container is not running");
        if (r < 0)
                return log_error_errno(r, "Failed to find the container's init: %m");

        r = terminal_find(&terminal);
        if (r < 0)
                return log_error_errno(r, "Failed to look at the terminal: %m");

        InsideCommand command = { .argv = argv,
                .init = init,
                .init_pidfd = pidfd,
                .stdio = { -EBADF, -EBADF, -EBADF },
                .terminal = -EBADF,
                .on_failure = on_failure };
        return terminal.any >= 0 ? run_on_terminal(&command, &terminal) : run_plainly(&command);
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

typedef struct Arguments {
        pid_t main_pid; /* systemd-nspawn */
        char **command; /* borrowed, as is */
        const char *store_path;
} Arguments;

/* Return: 1 to go on, 0 when all is done, negative errno on wrong usage, logged. */
static int parse_argv(int argc, char *argv[], Arguments *a) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "store-path", required_argument, NULL, 's' },
                {},
        };
        uint64_t pid;

        for (int c; (c = getopt_long(argc, argv, "+h", options, NULL)) >= 0;)
                switch (c) {
                case 'h':
                        help();
                        return 0;
                case 's':
                        a->store_path = optarg;
                        break;
                default:
                        return -EINVAL;
                }

        if (argc - optind < 2 || parse_unsigned(argv[optind], 2, INT32_MAX, &pid) < 0)
                return log_error_errno(
                        EINVAL, "Takes the PID of systemd-nspawn and a command, see --help");

        a->main_pid = (pid_t) pid;
        a->command = argv + optind + 1;
        if (strcmp(a->command[0], "--") == 0)
                a->command++;
        if (!a->command[0])
                return log_error_errno(EINVAL, "No command given, see --help");
        return 1;
}

int main(int argc, char *argv[]) {
        Arguments arguments = {};
        int r;

        log_setup("spawnlet-enter", log_target_of_service());
        log_on_error(notify_status);
        r = inside_protect(argv);
        if (r < 0) {
                (void) log_error_errno(
                        r, "Failed to execute this program from a read-only mount: %m");
                return INSIDE_CANNOT_EXECUTE;
        }
        r = confine("spawnlet-enter", NULL);
        if (r < 0) {
                (void) log_error_errno(r, "Failed to give up capabilities: %m");
                return INSIDE_CANNOT_EXECUTE;
        }

        r = parse_argv(argc, argv, &arguments);
        if (r <= 0)
                return r < 0 ? INSIDE_CANNOT_EXECUTE : EXIT_SUCCESS;

        r = run(arguments.main_pid, arguments.command, arguments.store_path);
        /* A reload command: on a terminal, the exit status says enough. */
        if (r > 0 && getenv("NOTIFY_SOCKET"))
                log_error("The reload command '%s' failed with exit status %i",
                        arguments.command[0], r);
        return r < 0 ? INSIDE_CANNOT_EXECUTE : r;
}
