/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The few macros that every file uses: cleanup attributes and ownership transfer, as
 * systemd's coding style has them. Nothing in here allocates, logs or can fail.
 */

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((__cleanup__(f)))
#define _printf_(a, b) __attribute__((__format__(__printf__, a, b)))
#define _unused_ __attribute__((__unused__))

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define MIN(a, b) ((a) < (b) ? (a) : (b))

#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)

/* Hand over a pointer or a descriptor: the variable no longer owns it. */
#define TAKE_PTR(p)                                                                                \
        ({                                                                                         \
                __typeof__(p) _taken_ = (p);                                                       \
                (p) = NULL;                                                                        \
                _taken_;                                                                           \
        })
#define TAKE_FD(fd)                                                                                \
        ({                                                                                         \
                int _taken_ = (fd);                                                                \
                (fd) = -EBADF;                                                                     \
                _taken_;                                                                           \
        })

/* Define f##p(), the function for _cleanup_() on a variable of pointer type. */
#define DEFINE_CLEANUP(type, f)                                                                    \
        static inline void f##p(type *p) {                                                         \
                if (*p)                                                                            \
                        f(*p);                                                                     \
        }

static inline void freep(void *p) {
        free(*(void **) p);
}

static inline void close_fdp(int *fd) {
        if (*fd >= 0)
                (void) close(*fd);
}

DEFINE_CLEANUP(DIR *, closedir);
DEFINE_CLEANUP(FILE *, fclose);

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(close_fdp)
#define _cleanup_closedir_ _cleanup_(closedirp)
#define _cleanup_fclose_ _cleanup_(fclosep)
