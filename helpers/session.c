/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "helpers/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/macro.h"
#include "common/base/session-protocol.h"

/* As a shell says it. */
#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND 127
#define EXIT_SIGNAL_BASE 128

/* Those that keys of the terminal send, or that writing to it from the background would: they are the
 * command's. */
static const int ignored[] = { SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE };

/* The command may have made the terminal non-blocking. Return: whether all was written. */
static bool write_all(const void *data, size_t n) {
        const char *p = data;

        while (n > 0) {
                ssize_t k = write(STDOUT_FILENO, p, n);

                if (k >= 0) {
                        p += k;
                        n -= (size_t) k;
                } else if (errno == EAGAIN) {
                        struct pollfd ready = { .fd = STDOUT_FILENO, .events = POLLOUT };

                        (void) poll(&ready, 1, -1);
                } else if (errno != EINTR)
                        return false;
        }
        return true;
}

static bool read_all(void *data, size_t n) {
        char *p = data;

        while (n > 0) {
                ssize_t k = read(STDIN_FILENO, p, n);

                if (k > 0) {
                        p += k;
                        n -= (size_t) k;
                } else if (k == 0 || errno != EINTR)
                        return false;
        }
        return true;
}

/* Say that we are here. Return: whether there was an answer. */
static bool greet(SessionSetup *ret) {
        static const char hello[] = { SESSION_VERSION };
        struct termios raw;

        if (tcgetattr(STDIN_FILENO, &raw) < 0)
                return false;
        cfmakeraw(&raw);
        return tcsetattr(STDIN_FILENO, TCSANOW, &raw) >= 0 &&
                write_all(SESSION_HELLO_START, strlen(SESSION_HELLO_START)) &&
                write_all(hello, sizeof(hello)) && read_all(ret, sizeof(*ret));
}

/* Return: the command and its arguments, none for the user's shell; NULL on failure. It stays allocated until
 * the end. */
static char **read_arguments(size_t size) {
        char *text = malloc(size + 1), **argv;
        size_t n = 0;

        if (!text)
                return NULL;
        if (!read_all(text, size)) {
                free(text);
                return NULL;
        }
        text[size] = '\0';
        for (size_t i = 0; i < size; i++)
                n += text[i] == '\0';
        argv = calloc(n + 1, sizeof(char *));
        if (!argv || n == 0) {
                free(text);
                return argv;
        }
        for (size_t i = 0; i < n; i++) {
                argv[i] = text;
                text += strlen(text) + 1;
        }
        return argv;
}

/* Become the command, or its user's shell as login(1) would start it. */
static void __attribute__((__noreturn__)) execute(char *argv[]) {
        const char *shell = getenv("SHELL") ?: "/bin/sh", *base = strrchr(shell, '/');
        char name[64] = "-";
        char *login[] = { name, NULL };

        (void) strncat(name, base ? base + 1 : shell, sizeof(name) - 2);
        (void) execvp(argv[0] ? argv[0] : shell, argv[0] ? argv : login);
        (void) fprintf(stderr, "spawnlet: Failed to execute '%s': %s\n", argv[0] ? argv[0] : shell,
                strerror(errno));
        _exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE);
}

/* @pipes: what becomes its standard input, output and error, without a terminal; else NULL
 * Return: its PID, or -1. */
static pid_t start(char *argv[], const int pipes[3]) {
        pid_t parent = getpid(), child = fork();
        sigset_t none;

        if (child != 0)
                return child;

        for (size_t i = 0; i < ELEMENTSOF(ignored); i++)
                (void) signal(ignored[i], SIG_DFL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        /* The terminal is ours, so its hangup ends us alone. */
        if (pipes && (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent))
                _exit(EXIT_CANNOT_EXECUTE);
        for (int fd = STDIN_FILENO; pipes && fd <= STDERR_FILENO; fd++)
                if (dup2(pipes[fd], fd) < 0)
                        _exit(EXIT_CANNOT_EXECUTE);
        execute(argv);
}

static int exit_status(int status) {
        return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL_BASE + WTERMSIG(status);
}

/* Return: whether the other side knows the exit status. */
static bool run_on_terminal(char *argv[], const SessionSetup *setup) {
        char trailer[64];
        int status;
        pid_t child;

        (void) tcsetattr(STDIN_FILENO, TCSANOW, &setup->modes); /* else it stays as it is */
        child = start(argv, NULL);
        if (child < 0)
                return false;
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return false;

        (void) snprintf(trailer, sizeof(trailer), "%s%.*s:%03i%s", SESSION_TRAILER_START,
                SESSION_MARK_SIZE, setup->mark, exit_status(status), SESSION_TRAILER_END);
        return write_all(trailer, strlen(trailer));
}

/* A command on pipes. */
typedef struct Relay {
        int input, output, error; /* our ends; -EBADF: closed */
        int child_ended;          /* a descriptor that says so */
        pid_t child;

        /* The frame that is read from the terminal: how much there is of it, and how much of its data the
         * command has taken. */
        char frame[sizeof(SessionFrame) + SESSION_DATA_MAX];
        size_t n_read, n_written;
} Relay;

static void close_end(int *fd) {
        if (*fd >= 0)
                (void) close(*fd);
        *fd = -EBADF;
}

static bool send_frame(SessionStream stream, char *frame, size_t size) {
        SessionFrame head = { .stream = (uint16_t) stream, .size = (uint16_t) size };

        memcpy(frame, &head, sizeof(head));
        return write_all(frame, sizeof(head) + size);
}

/* Return: how many bytes that were. */
static size_t forward_output(SessionStream stream, int *fd) {
        char frame[sizeof(SessionFrame) + SESSION_DATA_MAX];
        ssize_t n = read(*fd, frame + sizeof(SessionFrame), SESSION_DATA_MAX);

        if (n > 0)
                return send_frame(stream, frame, (size_t) n) ? (size_t) n : 0;
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
                close_end(fd);
        return 0;
}

/* Pass on what the command has left in a pipe. What it has started may keep that open, and write for ever. */
static void forward_rest(SessionStream stream, int *fd) {
        int left = 0;

        if (*fd < 0 || ioctl(*fd, FIONREAD, &left) < 0)
                return;
        for (size_t n; left > 0 && (n = forward_output(stream, fd)) > 0;)
                left -= (int) n;
}

/* How many bytes the frame has that is being read: at first only its head is known to be there. */
static size_t frame_size(const Relay *r) {
        SessionFrame head;

        if (r->n_read < sizeof(head))
                return sizeof(head);
        memcpy(&head, r->frame, sizeof(head));
        return sizeof(head) + head.size;
}

static bool is_complete(const Relay *r) {
        return r->n_read >= sizeof(SessionFrame) && r->n_read == frame_size(r);
}

/* Return: whether the other side is there, and keeps to the protocol. */
static bool read_frame(Relay *r) {
        ssize_t n = read(STDIN_FILENO, r->frame + r->n_read, frame_size(r) - r->n_read);

        if (n <= 0)
                return n < 0 && (errno == EINTR || errno == EAGAIN);
        r->n_read += (size_t) n;
        if (frame_size(r) > sizeof(r->frame))
                return false;

        if (r->n_read == sizeof(SessionFrame) && is_complete(r)) { /* the end of input */
                if (r->input >= 0)
                        close_end(&r->input);
                r->n_read = 0;
        }
        return true;
}

static void forward_input(Relay *r) {
        const char *data = r->frame + sizeof(SessionFrame);
        size_t size = r->n_read - sizeof(SessionFrame);
        ssize_t n = write(r->input, data + r->n_written, size - r->n_written);

        if (n >= 0)
                r->n_written += (size_t) n;
        else if (errno != EAGAIN && errno != EINTR)
                close_end(&r->input);
        if (r->n_written == size)
                r->n_read = r->n_written = 0;
}

/* Return: its exit status, or -1 as long as it runs. */
static int look_at_child(Relay *r) {
        struct signalfd_siginfo info;
        int status;

        (void) !read(r->child_ended, &info, sizeof(info));
        return waitpid(r->child, &status, WNOHANG) == r->child ? exit_status(status) : -1;
}

/* Return: the command's exit status, or -1 if the other side is gone. */
static int relay(Relay *r) {
        for (;;) {
                bool complete = is_complete(r);
                struct pollfd fds[] = {
                        { .fd = complete ? -1 : STDIN_FILENO, .events = POLLIN },
                        { .fd = complete ? r->input : -1, .events = POLLOUT },
                        { .fd = r->output, .events = POLLIN },
                        { .fd = r->error, .events = POLLIN },
                        { .fd = r->child_ended, .events = POLLIN },
                };

                if (complete && r->input < 0) { /* that nobody takes any more */
                        r->n_read = r->n_written = 0;
                        continue;
                }
                if (poll(fds, ELEMENTSOF(fds), -1) < 0 && errno != EINTR)
                        return -1;
                if (fds[0].revents && !read_frame(r))
                        return -1;
                if (fds[1].revents)
                        forward_input(r);
                if (fds[2].revents)
                        (void) forward_output(SESSION_OUTPUT, &r->output);
                if (fds[3].revents)
                        (void) forward_output(SESSION_ERROR, &r->error);
                if (fds[4].revents) {
                        int status = look_at_child(r);

                        if (status >= 0)
                                return status;
                }
        }
}

static int make_pipe(int *ret_read, int *ret_write) {
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -1;
        *ret_read = fds[0];
        *ret_write = fds[1];
        return 0;
}

static int watch_children(void) {
        sigset_t mask;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGCHLD);
        return sigprocmask(SIG_BLOCK, &mask, NULL) < 0 ? -1 : signalfd(-1, &mask, SFD_CLOEXEC);
}

/* Return: whether the other side knows the exit status. */
static bool run_on_pipes(char *argv[]) {
        Relay r = { .input = -EBADF, .output = -EBADF, .error = -EBADF };
        char frame[sizeof(SessionFrame) + 1];
        int theirs[3], status;

        r.child_ended = watch_children();
        if (r.child_ended < 0 || make_pipe(&theirs[0], &r.input) < 0 ||
                make_pipe(&r.output, &theirs[1]) < 0 || make_pipe(&r.error, &theirs[2]) < 0 ||
                fcntl(r.input, F_SETFL, O_NONBLOCK) < 0 ||
                fcntl(r.output, F_SETFL, O_NONBLOCK) < 0 || fcntl(r.error, F_SETFL, O_NONBLOCK) < 0)
                return false;
        r.child = start(argv, theirs);
        if (r.child < 0)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(theirs); i++)
                (void) close(theirs[i]);

        status = relay(&r);
        if (status < 0)
                return false;
        forward_rest(SESSION_OUTPUT, &r.output);
        forward_rest(SESSION_ERROR, &r.error);
        frame[sizeof(SessionFrame)] = (char) status;
        return send_frame(SESSION_STATUS, frame, 1);
}

int session_run(void) {
        struct pollfd hangup = { .fd = STDOUT_FILENO };
        SessionSetup setup;
        char **argv;

        for (size_t i = 0; i < ELEMENTSOF(ignored); i++)
                (void) signal(ignored[i], SIG_IGN);
        if (!greet(&setup))
                return EXIT_FAILURE;
        argv = read_arguments(setup.argument_size);
        if (!argv || (!setup.stays_home && chdir("/") < 0))
                return EXIT_FAILURE;
        if (!(setup.is_terminal ? run_on_terminal(argv, &setup) : run_on_pipes(argv)))
                return EXIT_FAILURE;

        while (poll(&hangup, 1, -1) < 0 && errno == EINTR)
                ;
        return EXIT_FAILURE; /* SIGHUP was there first */
}
