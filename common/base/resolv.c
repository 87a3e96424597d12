/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/resolv.h"

#include <fcntl.h>

#include "common/base/file.h"
#include "common/base/name.h"

int resolv_format(char *const *servers, char *const *domains, char **ret) {
        _cleanup_str_ Str s = {};

        str_append(
                &s, "# Written by spawnlet for DNS= and Search= of the container's definition.\n");
        STRV_FOREACH(server, servers)
                str_append_all(&s, "nameserver ", *server, "\n");
        STRV_FOREACH(domain, domains)
                str_append_all(&s, domain == domains ? "search " : " ", *domain);
        if (domains)
                str_append(&s, "\n");

        return str_take(&s, ret);
}

int resolv_make(const char *machine, const char *text) {
        return file_write(SPAWNLET_RESOLV_DIR, machine, text);
}

int resolv_rewrite(const char *machine, const char *text) {
        size_t size = strlen(text), done = 0;
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;

        if (str_join(&path, SPAWNLET_RESOLV_DIR "/", machine) < 0)
                return -ENOMEM;
        fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;

        /* Cut off at the end, not before: whoever reads meanwhile finds a name server. */
        while (done < size) {
                ssize_t n = write(fd, text + done, size - done);

                if (n < 0 && errno != EINTR)
                        return -errno;
                done += (size_t) MAX(n, (ssize_t) 0);
        }
        return ftruncate(fd, (off_t) size) < 0 ? -errno : 0;
}
