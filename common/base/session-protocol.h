/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * How the command line, outside, and spawnlet-init, inside, have a command run for a user who is not root.
 *
 * All that systemd-machined gives such a user is the other end of a terminal, on which a program runs inside;
 * how that ends it does not tell. So the program is spawnlet-init. It has the terminal pass everything on as
 * it is, and prints a hello; what came before was systemd's and PAM's. The answer is a SessionSetup with the
 * command: on a command line systemd would expand variables in it.
 *
 * - If the user has a terminal, the session's becomes the command's. When the command has ended, spawnlet-init
 *   prints a trailer: SESSION_TRAILER_START, the setup's mark, ':', three digits of the exit status, and
 *   SESSION_TRAILER_END. To a terminal it would be a string without a meaning (ECMA-48, APC).
 * - Else the command gets pipes, and on the terminal there are frames in both ways: a SessionFrame, and as
 *   many bytes as it says.
 *
 * In the end spawnlet-init waits for the hangup: when it ends, systemd throws away what nobody has read
 * yet. Both sides run on the same machine, so structures are sent as they are in memory. What the container
 * says is not believed to be well-formed: all that it can make up is its command's output and exit status.
 */

#include <stdint.h>
#include <termios.h>

/* The last character is the version of all this: a container that runs has the spawnlet-init with which it
 * was started. */
#define SESSION_HELLO_START "\033_spawnlet-session:"
#define SESSION_VERSION '1'

/* Hexadecimal digits, random: the command may print what looks like a trailer by chance. */
#define SESSION_MARK_SIZE 32
#define SESSION_TRAILER_START "\033_"
#define SESSION_TRAILER_END "\033\\"

typedef struct SessionSetup {
        char mark[SESSION_MARK_SIZE];
        uint32_t stays_home;  /* is to run in its user's directory, else in "/" */
        uint32_t is_terminal; /* gets the terminal */
        struct termios modes; /* that it has then */
        uint32_t
                argument_size; /* of what follows: the command and its arguments, each with its NUL;
                                   without any, it is the shell of the session's user */
} SessionSetup;

#define SESSION_DATA_MAX 4096

typedef enum SessionStream {
        SESSION_INPUT, /* without data: it has ended */
        SESSION_OUTPUT,
        SESSION_ERROR,
        SESSION_STATUS, /* the exit status, one byte; nothing follows */
} SessionStream;

typedef struct SessionFrame {
        uint16_t stream;
        uint16_t size; /* at most SESSION_DATA_MAX */
} SessionFrame;
