/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The interface of libFuzzer, which replay.c stands in for where there is none; and what several
 * targets look at their results with. */

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/str.h"

/** LLVMFuzzerTestOneInput() - run the target on one input; aborts when it finds a fault. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/**
 * fuzz_directory() - make a directory for the files of a target, in $TMPDIR; or in memory, where that
 *                    takes a third of the time; or in /tmp
 * @ret: its path
 *
 * Return: whether it could be made.
 */
static inline bool fuzz_directory(char ret[static PATH_MAX]) {
        const char *const places[] = { getenv("TMPDIR"), "/dev/shm", "/tmp" };

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                if (!places[i])
                        continue;
                (void) snprintf(ret, PATH_MAX, "%s/spawnlet-fuzz-XXXXXX", places[i]);
                if (mkdtemp(ret))
                        return true;
        }
        return false;
}

/** count_lines() - Return: how many lines of @text begin with @beginning. */
static inline unsigned count_lines(const char *text, const char *beginning) {
        unsigned n = 0;

        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                n += str_starts_with(line, beginning) != NULL;
        }
        return n;
}
