/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Deadlines: times of CLOCK_MONOTONIC in microseconds, UINT64_MAX for never, and what poll(2) wants
 * of them.
 */

#include <time.h>

#include "common/base/macro.h"

/** clock_usec() - Return: the time of a clock, which cannot fail for those of Linux itself. */
uint64_t clock_usec(clockid_t clock);

/** now_usec() - Return: that of CLOCK_MONOTONIC. */
static inline uint64_t now_usec(void) {
        return clock_usec(CLOCK_MONOTONIC);
}

/** after_usec() - Return: the time in @usec from now; UINT64_MAX stays that. */
uint64_t after_usec(uint64_t usec);

/** poll_timeout() - Return: the milliseconds until @until, rounded up, for poll(2); -1 for never. */
int poll_timeout(uint64_t until);
