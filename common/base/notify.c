/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/notify.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/macro.h"

#define STATUS_MAX 1024

void notify_status(const char *text) {
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        size_t n = path ? strlen(path) : 0;
        _cleanup_close_ int fd = -EBADF;
        char message[STATUS_MAX];

        if (n < 2 || n >= sizeof(address.sun_path))
                return;
        memcpy(address.sun_path, path, n);
        if (*path == '@')
                address.sun_path[0] = '\0'; /* unix(7), abstract */

        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return;

        int k = snprintf(message, sizeof(message), "STATUS=%s", text);

        /* For people only: the journal has it, too. */
        (void) !sendto(fd, message, MIN((size_t) MAX(k, 0), sizeof(message) - 1), MSG_NOSIGNAL,
                (struct sockaddr *) &address,
                (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n));
}
