/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/failure.h"

#include <fcntl.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/name.h"

#define FAILURE_MAX (64U * 1024)

int failure_write(const char *machine, const char *text) {
        return file_write(SPAWNLET_FAILURES_DIR, machine, text);
}

int failure_take(const char *machine, char **ret) {
        _cleanup_close_ int directory = -EBADF;
        _cleanup_free_ char *text = NULL;
        int r;

        directory = open(SPAWNLET_FAILURES_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return errno == ENOENT ? 0 : -errno;
        r = file_read(directory, machine, FAILURE_MAX, &text, NULL);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = file_remove(SPAWNLET_FAILURES_DIR, machine);
        if (r >= 0)
                *ret = TAKE_PTR(text);
        return r;
}
