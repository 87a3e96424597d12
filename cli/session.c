/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli/session.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>

#include "common/base/init-protocol.h"
#include "common/base/log.h"
#include "common/base/name.h"
#include "common/base/session-protocol.h"
#include "common/base/str.h"
#include "common/base/terminal.h"

static int open_shell(Bus *bus, const char *name, int *ret, char **reterr) {
        const char *const argv[] = { INIT_PATH, "--session", NULL };
        _cleanup_strv_ char **environment = NULL;
        _cleanup_free_ char *machine = NULL;
        const char *term = getenv("TERM");
        int r;

        r = definition_name_to_machine(name, &machine);
        if (r >= 0 && term)
                r = strv_extendf(&environment, "TERM=%s", term);
        return r < 0 ? r
                     : bus_open_shell(bus, &(BusShell){ machine, INIT_PATH, argv, environment },
                               ret, reterr);
}

int session_open(Bus *bus, const Session *s, int *ret) {
        _cleanup_free_ char *error = NULL;
        _cleanup_close_ int pty = -EBADF;
        int r;

        r = open_shell(bus, s->name, &pty, &error);
        /* Never wait for the command to read: it may wait for us to. */
        if (r >= 0 && fcntl(pty, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
                r = -errno;
        if (r < 0) {
                log_error("Container '%s' cannot be entered: %s", s->name,
                        error ? error : strerror(-r));
                return r;
        }

        *ret = TAKE_FD(pty);
        return 0;
}

/* Return: how many bytes were read, 0 at the end, negative errno. */
static ssize_t read_some(int pty, char *data, size_t n) {
        struct pollfd ready = { .fd = pty, .events = POLLIN };
        ssize_t k;

        do {
                (void) poll(&ready, 1, -1);
                k = read(pty, data, n);
        } while (k < 0 && (errno == EINTR || errno == EAGAIN));
        if (k < 0)
                return errno == EIO ? 0 : -errno; /* nobody has the other end open, pty(7) */
        return k;
}

/* Wait until spawnlet-init is there, and has set up the terminal. */
static int await_hello(const char *name, int pty) {
        static const char hello[] = SESSION_HELLO_START;
        size_t n_matched = 0;
        ssize_t n;
        char c;

        /* It says no more until it is answered, so nothing of it is read too early. Only the first
         * character of what it says is an escape: where it is something else, only there it may begin. */
        while ((n = read_some(pty, &c, 1)) > 0)
                if (n_matched == sizeof(hello) - 1) {
                        if (c == SESSION_VERSION)
                                return 0;
                        log_error("Container '%s' was started by another version of spawnlet: to "
                                  "be entered, it has to be restarted.",
                                name);
                        return -EPROTO;
                } else if (c == hello[n_matched]) {
                        n_matched++;
                } else {
                        n_matched = c == hello[0];
                }
        if (n < 0)
                return log_error_errno((int) n, "Failed to read from container '%s': %m", name);

        log_error("Container '%s' cannot be entered: no session could be opened in it; "
                  "`journalctl -M %s` may show why. It may have been started by another version of "
                  "spawnlet.",
                name, name);
        return -ECONNREFUSED;
}

static int make_mark(char ret[static SESSION_MARK_SIZE]) {
        static const char digits[] = "0123456789abcdef";
        uint8_t random[SESSION_MARK_SIZE];

        if (getrandom(random, sizeof(random), 0) < 0)
                return -errno;
        for (size_t i = 0; i < sizeof(random); i++)
                ret[i] = digits[random[i] % 16];
        return 0;
}

/* The end of the command's output on a terminal is known by the trailer. */
#define TRAILER_SIZE (sizeof(SESSION_TRAILER_START) - 1 + SESSION_MARK_SIZE + 1)
#define STATUS_DIGITS 3

typedef struct Output {
        char trailer[TRAILER_SIZE];
        size_t n_matched; /* how much of it was read, and is not shown yet */
        int status;
        size_t n_digits; /* of the status, that were read */
        int error;
} Output;

static bool on_output(TerminalForward *f, const char *data, size_t n) {
        Output *o = f->userdata;
        size_t shown = 0; /* until where all is shown */

        for (size_t i = 0; i < n && o->error >= 0; i++) {
                if (o->n_matched == TRAILER_SIZE) {
                        o->status = 10 * o->status + (data[i] - '0');
                        if (++o->n_digits == STATUS_DIGITS)
                                return false;
                        continue;
                }
                /* Only its first character is an escape: so it can begin here, and nowhere before. */
                if (o->n_matched > 0 && data[i] != o->trailer[o->n_matched]) {
                        o->error = terminal_write(STDOUT_FILENO, o->trailer, o->n_matched);
                        o->n_matched = 0;
                        shown = i;
                }
                if (data[i] == o->trailer[o->n_matched]) {
                        if (o->n_matched++ == 0 && o->error >= 0)
                                o->error = terminal_write(STDOUT_FILENO, data + shown, i - shown);
                        shown = i + 1;
                }
        }
        if (o->error >= 0 && o->n_matched == 0)
                o->error = terminal_write(STDOUT_FILENO, data + shown, n - shown);
        return o->error >= 0;
}

static int forward_terminal(const Terminal *t, int pty, const SessionSetup *setup) {
        Output o = {};
        TerminalForward f = { .terminal = t,
                .pty = pty,
                .end = -EBADF,
                .input = STDIN_FILENO,
                .on_output = on_output,
                .userdata = &o };
        int r;

        (void) snprintf(o.trailer, sizeof(o.trailer), "%s%.*s", SESSION_TRAILER_START,
                SESSION_MARK_SIZE, setup->mark);
        o.trailer[TRAILER_SIZE - 1] = ':';

        r = terminal_make_raw(t);
        if (r >= 0)
                r = terminal_forward(&f);
        if (r >= 0)
                r = o.error;
        if (r < 0)
                return r;
        return o.n_digits == STATUS_DIGITS && o.status >= 0 && o.status <= UINT8_MAX
                ? o.status
                : -ECONNRESET;
}

/* Input and output that are no terminal, in frames. */
typedef struct Relay {
        int pty, input; /* -EBADF: closed */
        char in[sizeof(SessionFrame) + SESSION_DATA_MAX];
        size_t n_in; /* bytes of the frame that is being read from the container */
        char out[sizeof(SessionFrame) + SESSION_DATA_MAX];
        size_t n_out; /* bytes of frames that are not yet written to it */
} Relay;

/* A frame is complete. Return: the exit status; -EAGAIN if it is not known yet; other negative errno. */
static int take_frame(Relay *r) {
        const char *data = r->in + sizeof(SessionFrame);
        SessionFrame head;
        int k;

        memcpy(&head, r->in, sizeof(head));
        r->n_in = 0;
        switch (head.stream) {
        case SESSION_OUTPUT:
        case SESSION_ERROR:
                k = terminal_write(head.stream == SESSION_OUTPUT ? STDOUT_FILENO : STDERR_FILENO,
                        data, head.size);
                return k < 0 ? k : -EAGAIN;
        case SESSION_STATUS:
                return head.size == 1 ? (uint8_t) *data : -EPROTO;
        default:
                return -EPROTO;
        }
}

/* Return: as take_frame(). */
static int read_frame(Relay *r) {
        size_t wanted = sizeof(SessionFrame);
        SessionFrame head;
        ssize_t n;

        if (r->n_in >= sizeof(head)) {
                memcpy(&head, r->in, sizeof(head));
                wanted += head.size;
        }
        n = read_some(r->pty, r->in + r->n_in, wanted - r->n_in);
        if (n <= 0)
                return n < 0 ? (int) n : -ECONNRESET;

        r->n_in += (size_t) n;
        if (r->n_in < wanted)
                return -EAGAIN;
        if (wanted > sizeof(head))
                return take_frame(r);
        memcpy(&head, r->in, sizeof(head));
        return head.size == 0 || head.size > SESSION_DATA_MAX ? -EPROTO : -EAGAIN;
}

static void read_input(Relay *r) {
        ssize_t n = read(r->input, r->out + sizeof(SessionFrame), SESSION_DATA_MAX);
        SessionFrame head = { .stream = SESSION_INPUT };

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return;
        if (n > 0)
                head.size = (uint16_t) n;
        else
                r->input = -EBADF;
        memcpy(r->out, &head, sizeof(head));
        r->n_out = sizeof(head) + head.size;
}

static void write_frame(Relay *r) {
        ssize_t n = write(r->pty, r->out, r->n_out);

        if (n > 0)
                memmove(r->out, r->out + n, r->n_out -= (size_t) n);
}

static int forward_pipes(int pty) {
        Relay r = { .pty = pty, .input = STDIN_FILENO };
        int k = -EAGAIN;

        while (k == -EAGAIN) {
                struct pollfd fds[] = {
                        { .fd = pty, .events = (short) (POLLIN | (r.n_out > 0 ? POLLOUT : 0)) },
                        { .fd = r.n_out > 0 ? -1 : r.input, .events = POLLIN },
                };

                if (poll(fds, ELEMENTSOF(fds), -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (fds[0].revents & POLLOUT)
                        write_frame(&r);
                if (fds[1].revents)
                        read_input(&r);
                if (fds[0].revents & ~POLLOUT)
                        k = read_frame(&r);
        }

        return k;
}

static int send_setup(const Session *s, int pty, SessionSetup *setup) {
        int r;

        STRV_FOREACH(a, s->command)
                setup->argument_size += (uint32_t) strlen(*a) + 1;
        r = terminal_write(pty, (const char *) setup, sizeof(*setup));
        STRV_FOREACH(a, s->command)
                if (r >= 0)
                        r = terminal_write(pty, *a, strlen(*a) + 1);
        return r;
}

int session_run(const Session *s, int pty) {
        SessionSetup setup = { .stays_home = s->stays_home };
        Terminal t;
        int r;

        r = terminal_find(&t);
        if (r >= 0)
                r = make_mark(setup.mark);
        if (r < 0)
                return log_error_errno(r, "Failed to prepare a session: %m");
        r = await_hello(s->name, pty);
        if (r < 0)
                return r;

        setup.is_terminal = terminal_is_interactive(&t);
        if (setup.is_terminal)
                setup.modes = t.saved;
        terminal_copy_size(&t, pty);
        r = send_setup(s, pty, &setup);
        if (r >= 0)
                r = setup.is_terminal ? forward_terminal(&t, pty, &setup) : forward_pipes(pty);
        if (r == -ECONNRESET)
                log_error("Container '%s' has ended the session: how the command ended is not "
                          "known.",
                        s->name);
        else if (r < 0)
                (void) log_error_errno(r, "Failed to pass on input and output: %m");
        return r;
}
