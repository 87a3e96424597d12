/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/sysctl.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/file.h"
#include "common/base/str.h"

static const char *family_directory(int family) {
        return family == AF_INET ? "ipv4" : "ipv6";
}

static int setting_path(int family, const char *interface, const char *key, char **ret) {
        return str_join(
                ret, "/proc/sys/net/", family_directory(family), "/conf/", interface, "/", key);
}

int sysctl_read(int family, const char *interface, const char *key) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        int r;

        r = setting_path(family, interface, key, &path);
        if (r >= 0)
                r = file_read(AT_FDCWD, path, 64, &text, NULL);
        return r < 0 ? r : text[0] - '0';
}

static int write_digit(
        int family, const char *interface, const char *key, int value, char **reterr) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        const char digit = (char) ('0' + value);
        int r;

        r = setting_path(family, interface, key, &path);
        if (r < 0)
                return r;

        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && write(fd, &digit, 1) == 1)
                return 0;

        r = -errno;
        return str_format(reterr, "Failed to write %c to '%s': %s", digit, path, strerror(-r)) < 0
                ? -ENOMEM
                : r;
}

int sysctl_write(int family, const char *interface, const char *key, int value, char **reterr) {
        return sysctl_read(family, interface, key) == value
                ? 0
                : write_digit(family, interface, key, value, reterr);
}

int sysctl_init(int family, const char *interface, const char *key, int value, char **reterr) {
        _cleanup_free_ char *error = NULL;
        int r;

        r = write_digit(family, interface, key, value, &error);
        if (r == -ENOENT)
                return 0;
        if (r < 0 && !*reterr)
                *reterr = TAKE_PTR(error);
        return r;
}
