/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/clock.h"

uint64_t clock_usec(clockid_t clock) {
        struct timespec t;

        (void) clock_gettime(clock, &t);
        return (uint64_t) t.tv_sec * USEC_PER_SEC + (uint64_t) t.tv_nsec / 1000;
}

uint64_t after_usec(uint64_t usec) {
        uint64_t until;

        return __builtin_add_overflow(now_usec(), usec, &until) ? UINT64_MAX : until;
}

int poll_timeout(uint64_t until) {
        uint64_t now = now_usec();

        if (until == UINT64_MAX)
                return -1;
        if (until <= now)
                return 0;
        return (int) MIN((until - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC, (uint64_t) INT32_MAX);
}
