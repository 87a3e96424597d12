/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fuzzes what `spawnlet run` of an ordinary user reads from a container: the hello, then the command's output
 * with the trailer, or frames. Whatever comes, all output is passed on, in its order, and an exit status is one.
 *
 * The input is a byte that chooses what is read, a byte that says how much is read at a time, and what comes
 * from the container. A file in memory is the standard output.
 */

#include <assert.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "cli/session.c" /* NOLINT: its parsers are its own */
#include "fuzz/fuzz.h"

#define MARK "0123456789abcdef0123456789abcdef"
#define TRAILER SESSION_TRAILER_START MARK ":"

static int output = -EBADF;

/* Return: what was written to standard output, and its size. */
static char *take_output(size_t *ret_size) {
        off_t size = lseek(output, 0, SEEK_END);
        char *text = malloc((size_t) size + 1);

        assert(text && pread(output, text, (size_t) size, 0) == size);
        assert(ftruncate(output, 0) == 0 && lseek(output, 0, SEEK_SET) == 0);
        *ret_size = (size_t) size;
        return text;
}

static void try_output(const char *data, size_t size, size_t step) {
        const char *trailer = memmem(data, size, TRAILER, strlen(TRAILER));
        _cleanup_free_ char *shown = NULL;
        Output o = {};
        TerminalForward f = { .userdata = &o };
        size_t n, wanted = trailer ? (size_t) (trailer - data) : size;

        memcpy(o.trailer, TRAILER, sizeof(o.trailer));
        for (size_t i = 0; i < size; i += n) {
                n = MIN(step, size - i);
                if (!on_output(&f, data + i, n))
                        break;
        }
        assert(o.error == 0);
        shown = take_output(&n);
        assert(n == wanted - (trailer ? 0 : o.n_matched) && memcmp(shown, data, n) == 0);
        assert((o.n_digits == STATUS_DIGITS) ==
                (trailer && size - wanted >= strlen(TRAILER) + STATUS_DIGITS));
}

/* What comes is in a socket that is closed then. */
static void try_stream(const char *data, size_t size, bool is_hello) {
        _cleanup_free_ char *shown = NULL;
        int fds[2], k;
        size_t n;

        assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        assert(write(fds[1], data, size) == (ssize_t) size);
        (void) close(fds[1]);

        if (is_hello) {
                const char *start =
                        memmem(data, size, SESSION_HELLO_START, strlen(SESSION_HELLO_START));
                const char *version = start ? start + strlen(SESSION_HELLO_START) : NULL;

                k = await_hello("web", fds[0]);
                assert((k == 0) ==
                        (version && version < data + size && *version == SESSION_VERSION));
        } else {
                Relay r = { .pty = fds[0], .input = -EBADF };

                do
                        k = read_frame(&r);
                while (k == -EAGAIN);
                assert(k <= UINT8_MAX && (k >= 0 || k == -EPROTO || k == -ECONNRESET));
        }
        (void) close(fds[0]);
        shown = take_output(&n);
        assert(n <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        if (size < 2 || size > 65536)
                return 0;

        if (output < 0) {
                output = memfd_create("output", MFD_CLOEXEC);
                assert(output >= 0 && dup2(output, STDOUT_FILENO) >= 0);
        }
        if (data[0] % 3 == 0)
                try_output((const char *) data + 2, size - 2, (size_t) data[1] + 1);
        else
                try_stream((const char *) data + 2, size - 2, data[0] % 3 == 1);
        return 0;
}
