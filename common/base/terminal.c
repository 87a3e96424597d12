/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/terminal.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>

/* What ends the input of a terminal by default; termios(3), VEOF. */
#define END_OF_INPUT 0x04

static Terminal to_restore; /* for the function at exit alone */

int terminal_find(Terminal *ret) {
        Terminal t = { .any = -EBADF };

        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
                t.is_terminal[fd] = isatty(fd);
                if (t.is_terminal[fd] && t.any < 0)
                        t.any = fd;
        }
        if (t.any >= 0 && tcgetattr(t.any, &t.saved) < 0)
                return -errno;

        *ret = t;
        return 0;
}

bool terminal_is_interactive(const Terminal *t) {
        return t->is_terminal[STDIN_FILENO] && t->is_terminal[STDOUT_FILENO];
}

static void restore(void) {
        /* At exit, nobody to tell. */
        (void) tcsetattr(to_restore.any, TCSADRAIN, &to_restore.saved);
}

int terminal_connect(const Terminal *t, int pty) {
        struct termios inner = t->saved;

        if (!terminal_is_interactive(t)) {
                inner.c_lflag &= ~(tcflag_t) ECHO;
                inner.c_oflag &= ~(tcflag_t) OPOST;
        }
        if (tcsetattr(pty, TCSANOW, &inner) < 0)
                return -errno;
        return terminal_is_interactive(t) ? terminal_make_raw(t) : 0;
}

int terminal_make_raw(const Terminal *t) {
        struct termios raw = t->saved;

        cfmakeraw(&raw);
        if (tcsetattr(t->any, TCSADRAIN, &raw) < 0)
                return -errno;
        to_restore = *t;
        (void) atexit(restore);
        return 0;
}

void terminal_copy_size(const Terminal *t, int pty) {
        struct winsize size;

        if (t->any >= 0 && ioctl(t->any, TIOCGWINSZ, &size) == 0)
                (void) ioctl(pty, TIOCSWINSZ, &size); /* a wrong size is no reason to stop */
}

int terminal_write(int fd, const char *data, size_t n) {
        while (n > 0) {
                ssize_t k = write(fd, data, n);

                if (k >= 0) {
                        data += k;
                        n -= (size_t) k;
                } else if (errno == EAGAIN) {
                        struct pollfd ready = { .fd = fd, .events = POLLOUT };

                        (void) poll(&ready, 1, -1);
                } else if (errno != EINTR)
                        return -errno;
        }
        return 0;
}

/* Return: whether there may be more. */
static bool forward_output(TerminalForward *f) {
        char buffer[4096];
        ssize_t n = read(f->pty, buffer, sizeof(buffer));

        if (n > 0)
                return f->on_output(f, buffer, (size_t) n);
        return n < 0 && (errno == EINTR || errno == EAGAIN);
}

/* Pass on what the command has printed and nobody has read yet. */
static void forward_rest(TerminalForward *f) {
        struct pollfd fd = { .fd = f->pty, .events = POLLIN };

        while (poll(&fd, 1, 0) > 0 && (fd.revents & POLLIN) && forward_output(f))
                ;
}

static void read_input(TerminalForward *f) {
        ssize_t n = read(f->input, f->typed, sizeof(f->typed));

        if (n > 0)
                f->n_typed = (size_t) n;
        else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
                /* The first one ends a line begun. */
                f->typed[f->n_typed++] = END_OF_INPUT;
                f->typed[f->n_typed++] = END_OF_INPUT;
                f->input = -EBADF;
        }
}

static void forward_typed(TerminalForward *f) {
        ssize_t n = write(f->pty, f->typed, f->n_typed);

        if (n > 0)
                memmove(f->typed, f->typed + n, f->n_typed -= (size_t) n);
}

/* Return: the signal descriptor for changes of the window's size, or negative errno. */
static int watch_size(void) {
        sigset_t window;
        int fd;

        (void) sigemptyset(&window);
        (void) sigaddset(&window, SIGWINCH);
        if (sigprocmask(SIG_BLOCK, &window, NULL) < 0)
                return -errno;
        fd = signalfd(-1, &window, SFD_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int terminal_forward(TerminalForward *f) {
        _cleanup_close_ int signals = watch_size();
        struct pollfd fds[] = {
                { .fd = f->pty },
                { .events = POLLIN },
                { .fd = signals, .events = POLLIN },
                { .fd = f->end, .events = POLLIN },
        };

        if (signals < 0)
                return signals;
        terminal_copy_size(f->terminal, f->pty); /* it may have changed before it was watched */

        for (;;) {
                fds[0].events = (short) (POLLIN | (f->n_typed > 0 ? POLLOUT : 0));
                fds[1].fd = f->n_typed > 0 ? -1 : f->input;
                if (poll(fds, ELEMENTSOF(fds), -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }

                if (fds[3].revents) {
                        forward_rest(f);
                        return 0;
                }
                if (fds[0].revents & ~POLLOUT && !forward_output(f)) {
                        if (f->end < 0)
                                return 0;
                        fds[0].fd = -1; /* closed by all: it ends or goes on without a terminal */
                        f->input = -EBADF;
                }
                if (fds[0].revents & POLLOUT)
                        forward_typed(f);
                if (fds[1].revents && f->input >= 0)
                        read_input(f);
                if (fds[2].revents) {
                        struct signalfd_siginfo info;

                        (void) !read(signals, &info, sizeof(info));
                        terminal_copy_size(f->terminal, f->pty);
                }
        }
}
