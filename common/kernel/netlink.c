/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/netlink.h"

#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/str.h"

#define ANSWER_MAX (96 * 1024)
#define ERRNO_MAX 4095 /* MAX_ERRNO of linux/err.h */

typedef struct Request {
        struct nl_msg *message;
        char *what;
        int tolerated[2]; /* errnos that are no failure, or 0 */
} Request;

struct Netlink {
        struct nl_sock *socket;
        Request requests[NETLINK_BATCH_MAX];
        size_t n_requests;
        bool failed; /* a request could not be added */
};

/* What came back for a batch. */
typedef struct Reply {
        uint32_t first_sequence;
        bool is_complete; /* the last request is done, and so all are */
        size_t failed;    /* index of the first request that failed */
        int error;        /* its negative errno, or 0 */
        char *reason;     /* the kernel's words for it, or NULL */
        bool interrupted; /* what was listed changed meanwhile */
        NetlinkHandler handler;
        void *userdata;
} Reply;

static void clear(Netlink *n) {
        for (size_t i = 0; i < n->n_requests; i++) {
                nlmsg_free(n->requests[i].message);
                free(n->requests[i].what);
        }
        n->n_requests = 0;
        n->failed = false;
}

Netlink *netlink_free(Netlink *n) {
        if (!n)
                return NULL;

        clear(n);
        if (n->socket)
                nl_socket_free(n->socket);
        free(n);
        return NULL;
}

int netlink_new(Netlink **ret) {
        _cleanup_(netlink_freep) Netlink *n = calloc(1, sizeof(Netlink));
        int on = 1;

        if (!n)
                return -ENOMEM;

        n->socket = nl_socket_alloc();
        if (!n->socket)
                return -ENOMEM;

        /* The one failure in there that is not memory's is of socket(2) and bind(2). */
        errno = 0;
        if (nl_connect(n->socket, NETLINK_ROUTE) < 0)
                return errno > 0 ? -errno : -ENOMEM;

        /* Every answer fits: it need not look at each first to learn its size. The alternative names
         * of an interface, which a container may give to its own, have up to 64 KiB. */
        nl_socket_disable_msg_peek(n->socket);
        (void) nl_socket_set_msg_buf_size(n->socket, ANSWER_MAX);
        nl_socket_disable_auto_ack(n->socket); /* see send_batch() */

        int fd = nl_socket_get_fd(n->socket);
        const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

        /* In the container's namespace its root may write to this socket, too: then it would answer in
         * the kernel's place, or fill the buffer. To a connected one only its peer may. What came
         * before is found by its sender, see receive(). */
        if (connect(fd, (const struct sockaddr *) &kernel, sizeof(kernel)) < 0)
                return -errno;

        /* Errors with the kernel's own words, and without a copy of the request. */
        if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) < 0 ||
                setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) < 0)
                return -errno;

        *ret = TAKE_PTR(n);
        return 0;
}

int netlink_descriptor(const Netlink *n) {
        return nl_socket_get_fd(n->socket);
}

struct nl_msg *netlink_add(Netlink *n, uint16_t type, int flags, const void *header, size_t size,
        const char *format, ...) {
        _cleanup_free_ char *what = NULL;
        va_list ap;

        va_start(ap, format);
        int k = vasprintf(&what, format, ap);
        va_end(ap);

        struct nl_msg *m = k < 0 || n->n_requests >= NETLINK_BATCH_MAX
                ? NULL
                : nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);
        if (!m || nlmsg_append(m, (void *) header, size, NLMSG_ALIGNTO) < 0) {
                if (k < 0)
                        what = NULL;
                nlmsg_free(m);
                n->failed = true;
                return NULL;
        }

        n->requests[n->n_requests++] = (Request){ .message = m, .what = TAKE_PTR(what) };
        return m;
}

void netlink_tolerate(Netlink *n, int error) {
        if (n->failed)
                return;

        int *tolerated = n->requests[n->n_requests - 1].tolerated;
        tolerated[tolerated[0] > 0] = error;
}

static int send_batch(Netlink *n, Reply *reply) {
        struct iovec iov[NETLINK_BATCH_MAX];

        /* The kernel takes them in order and tells of failures in any case: so the last one's
         * acknowledgement is that of all. */
        nlmsg_hdr(n->requests[n->n_requests - 1].message)->nlmsg_flags |= NLM_F_ACK;

        for (size_t i = 0; i < n->n_requests; i++) {
                struct nl_msg *m = n->requests[i].message;

                nl_complete_msg(n->socket, m); /* numbers them one after the other */
                iov[i] = (struct iovec){ nlmsg_hdr(m), nlmsg_hdr(m)->nlmsg_len };
        }
        reply->first_sequence = nlmsg_hdr(n->requests[0].message)->nlmsg_seq;

        struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        struct msghdr mh = { .msg_name = &kernel,
                .msg_namelen = sizeof(kernel),
                .msg_iov = iov,
                .msg_iovlen = n->n_requests };

        return sendmsg(nl_socket_get_fd(n->socket), &mh, 0) < 0 ? -errno : 0;
}

/* The text that the kernel adds to an error, netlink(7), NETLINK_EXT_ACK. */
static int copy_reason(struct nlmsghdr *h, Reply *reply) {
        struct nlattr *text;

        if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
                return 0;

        text = nlmsg_find_attr(h, sizeof(struct nlmsgerr), NLMSGERR_ATTR_MSG);
        return text ? str_format(&reply->reason, "%.*s", nla_len(text), (char *) nla_data(text))
                    : 0;
}

/* The error in the message that ends an answer; a list has it in NLMSG_DONE. Return: it or 0, as a negative
 * errno in *ret; -EBADMSG if the message is not whole. */
static int read_error(struct nlmsghdr *h, int *ret) {
        int size = h->nlmsg_type == NLMSG_ERROR ? (int) sizeof(struct nlmsgerr) : (int) sizeof(int);

        *ret = 0;
        if (nlmsg_datalen(h) < size)
                return h->nlmsg_type == NLMSG_ERROR ? -EBADMSG : 0;
        memcpy(ret, nlmsg_data(h), sizeof(*ret)); /* both begin with it */
        return *ret > 0 || *ret < -ERRNO_MAX ? -EBADMSG : 0;
}

static int read_message(const Netlink *n, struct nlmsghdr *h, Reply *reply) {
        size_t request = h->nlmsg_seq - reply->first_sequence;
        int error, r;

        if (request >= n->n_requests)
                return 0;
        if (h->nlmsg_flags & NLM_F_DUMP_INTR)
                reply->interrupted = true;
        if (h->nlmsg_type != NLMSG_ERROR && h->nlmsg_type != NLMSG_DONE)
                return reply->handler ? reply->handler(h, reply->userdata) : 0;

        r = read_error(h, &error);
        if (r < 0)
                return r;
        reply->is_complete = request == n->n_requests - 1;
        const int *tolerated = n->requests[request].tolerated;
        if (error == 0 || reply->error != 0 || error == -tolerated[0] || error == -tolerated[1])
                return 0;

        reply->error = error;
        reply->failed = request;
        return copy_reason(h, reply);
}

static int receive(const Netlink *n, Reply *reply) {
        while (!reply->is_complete) {
                struct sockaddr_nl from;
                _cleanup_free_ unsigned char *buffer = NULL;

                errno = 0;
                int size = nl_recv(n->socket, &from, &buffer, NULL);
                if (size <= 0)
                        return errno > 0 ? -errno : -EIO;
                if (from.nl_pid != 0)
                        continue; /* not the kernel */

                for (struct nlmsghdr *h = (void *) buffer; nlmsg_ok(h, size);
                        h = nlmsg_next(h, &size)) {
                        int r = read_message(n, h, reply);
                        if (r < 0)
                                return r;
                }
        }

        return 0;
}

static int run(Netlink *n, Reply *reply, char **reterr) {
        int r;

        if (n->failed)
                return -ENOMEM;
        if (n->n_requests == 0)
                return 0;

        r = send_batch(n, reply);
        if (r < 0)
                return r;

        r = receive(n, reply);
        if (r < 0 || reply->error == 0)
                return r;

        const char *what = n->requests[reply->failed].what, *reason = reply->reason;
        if (reterr && !*reterr &&
                str_format(reterr, "Failed to %s: %s%s%s%s", what, strerror(-reply->error),
                        reason ? " (" : "", reason ? reason : "", reason ? ")" : "") < 0)
                return -ENOMEM;

        return reply->error;
}

int netlink_query(Netlink *n, NetlinkHandler handler, void *userdata, char **reterr) {
        Reply reply = { .handler = handler, .userdata = userdata };
        int r;

        r = run(n, &reply, reterr);
        free(reply.reason);
        clear(n);
        return r >= 0 && reply.interrupted ? -EAGAIN : r;
}

int netlink_run(Netlink *n, char **reterr) {
        return netlink_query(n, NULL, NULL, reterr);
}
