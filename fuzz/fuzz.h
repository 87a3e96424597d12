/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The interface of libFuzzer, which replay.c stands in for where there is none; and what several
 * targets look at their results with. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/str.h"

/** LLVMFuzzerTestOneInput() - run the target on one input; aborts when it finds a fault. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** count_lines() - Return: how many lines of @text begin with @beginning. */
static inline unsigned count_lines(const char *text, const char *beginning) {
        unsigned n = 0;

        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                n += str_starts_with(line, beginning) != NULL;
        }
        return n;
}
