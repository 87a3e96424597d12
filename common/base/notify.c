/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/macro.h"

#define STATUS_MAX 1024

/* Return: a socket that is connected to the service manager; -ENOENT if there is none; other negative
 * errno. */
static int connect_manager(void) {
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        size_t n = path ? strlen(path) : 0;
        _cleanup_close_ int fd = -EBADF;

        if (n < 2 || n >= sizeof(address.sun_path))
                return -ENOENT;
        memcpy(address.sun_path, path, n);
        if (*path == '@')
                address.sun_path[0] = '\0'; /* unix(7), abstract */

        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 ||
                connect(fd, (struct sockaddr *) &address,
                        (socklen_t) (offsetof(struct sockaddr_un, sun_path) + n)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

void notify_status(const char *text) {
        _cleanup_close_ int fd = connect_manager();
        char message[STATUS_MAX];

        if (fd < 0)
                return;

        int k = snprintf(message, sizeof(message), "STATUS=%s", text);

        /* For people only: the journal has it, too. */
        (void) !send(fd, message, MIN((size_t) MAX(k, 0), sizeof(message) - 1), MSG_NOSIGNAL);
}

/* @type: of the control message with @data, unix(7), of at most the size of struct ucred */
static int send_with(int fd, const char *text, int type, const void *data, size_t size) {
        union {
                struct cmsghdr header; /* for its alignment */
                char space[CMSG_SPACE(sizeof(struct ucred))];
        } control = {};
        struct iovec vector = { .iov_base = (char *) text, .iov_len = strlen(text) };
        struct msghdr message = { .msg_iov = &vector,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = CMSG_SPACE(size) };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);

        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = type;
        header->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(header), data, size);
        return sendmsg(fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int notify_ready_of(pid_t main_pid) {
        _cleanup_close_ int fd = connect_manager();
        struct ucred name = { .pid = main_pid, .uid = getuid(), .gid = getgid() };

        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        return send_with(fd, "READY=1", SCM_CREDENTIALS, &name, sizeof(name));
}

int notify_barrier(int timeout_msec) {
        _cleanup_close_ int fd = connect_manager(), reader = -EBADF, writer = -EBADF;
        int ends[2], r;

        if (fd < 0)
                return fd;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        reader = ends[0];
        writer = ends[1];

        r = send_with(fd, "BARRIER=1", SCM_RIGHTS, &writer, sizeof(writer));
        if (r < 0)
                return r;

        /* The manager closes its copy of the other end when it comes to the message. */
        (void) close(TAKE_FD(writer));
        r = poll(&(struct pollfd){ .fd = reader }, 1, timeout_msec);
        return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}
