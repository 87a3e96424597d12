/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The least that any private network takes of the kernel: a network namespace that a mount keeps,
 * and one veth pair, made by one message, with both ends up. No addresses, no routes, no checks.
 *
 * network-floor up|down DIRECTORY NAME
 * network-floor pair DIRECTORY NAME COMMAND [ARGUMENT...]
 * network-floor nothing
 *
 * The namespace is mounted at DIRECTORY/NAME, and NAME is the host's end. "down" is the opposite of
 * "up". "pair" leaves both ends down and executes a command in the namespace, as systemd-nspawn
 * does. "nothing" is what it costs to start this program.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of the container's end; in a new namespace the loopback interface is 1. */
#define CONTAINER_INDEX 2

#define CONTAINER_INTERFACE "host0" /* the name that systemd-nspawn gives it */

typedef struct Message {
        struct nlmsghdr header;
        struct ifinfomsg link;
        char attributes[512];
} Message;

static void *end(Message *m) {
        return (char *) m + NLMSG_ALIGN(m->header.nlmsg_len);
}

/* Return: the attribute, which is a nest as long as close_nest() has not been called. */
static struct rtattr *put(Message *m, unsigned short type, const void *data, size_t size) {
        struct rtattr *a = end(m);

        *a = (struct rtattr){ .rta_len = (unsigned short) RTA_LENGTH(size), .rta_type = type };
        if (size > 0)
                memcpy(RTA_DATA(a), data, size);
        m->header.nlmsg_len = NLMSG_ALIGN(m->header.nlmsg_len) + (unsigned) RTA_ALIGN(a->rta_len);
        return a;
}

static void close_nest(Message *m, struct rtattr *nest) {
        nest->rta_len = (unsigned short) ((char *) end(m) - (char *) nest);
}

static int open_netlink(void) {
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

        if (fd < 0)
                err(EXIT_FAILURE, "socket");
        return fd;
}

static void request(int fd, Message *m) {
        struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        struct {
                struct nlmsghdr header;
                struct nlmsgerr error;
                char rest[1024];
        } reply;

        if (sendto(fd, m, m->header.nlmsg_len, 0, (void *) &kernel, sizeof(kernel)) < 0 ||
                recv(fd, &reply, sizeof(reply), 0) < (ssize_t) NLMSG_LENGTH(sizeof(reply.error)))
                err(EXIT_FAILURE, "netlink");
        if (reply.error.error != 0) {
                errno = -reply.error.error;
                err(EXIT_FAILURE, "the kernel");
        }
}

/* The host's end is up at once. The other cannot be: veth_open() refuses an end without a peer. */
static void make_pair(int fd, const char *name, int namespace, unsigned flags) {
        const struct ifinfomsg other = { .ifi_index = CONTAINER_INDEX };
        Message m = { .header = { .nlmsg_len = NLMSG_LENGTH(sizeof(m.link)),
                              .nlmsg_type = RTM_NEWLINK,
                              .nlmsg_flags =
                                      NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL },
                .link = { .ifi_flags = flags, .ifi_change = flags } };

        (void) put(&m, IFLA_IFNAME, name, strlen(name) + 1);
        struct rtattr *info = put(&m, IFLA_LINKINFO, NULL, 0);
        (void) put(&m, IFLA_INFO_KIND, "veth", sizeof("veth"));
        struct rtattr *data = put(&m, IFLA_INFO_DATA, NULL, 0);
        struct rtattr *peer = put(&m, VETH_INFO_PEER, &other, sizeof(other));
        (void) put(&m, IFLA_IFNAME, CONTAINER_INTERFACE, sizeof(CONTAINER_INTERFACE));
        (void) put(&m, IFLA_NET_NS_FD, &namespace, sizeof(namespace));
        close_nest(&m, peer);
        close_nest(&m, data);
        close_nest(&m, info);
        request(fd, &m);
}

static void set_up(int fd) {
        Message m = { .header = { .nlmsg_len = NLMSG_LENGTH(sizeof(m.link)),
                              .nlmsg_type = RTM_NEWLINK,
                              .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
                .link = {
                        .ifi_index = CONTAINER_INDEX, .ifi_flags = IFF_UP, .ifi_change = IFF_UP } };

        request(fd, &m);
}

/* The process is in the new namespace afterwards. */
static void make_network(const char *path, const char *name, unsigned flags) {
        int fd = open_netlink(); /* which stays in the host's namespace */
        int mountpoint = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

        if (mountpoint < 0 || unshare(CLONE_NEWNET) < 0 ||
                mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0)
                err(EXIT_FAILURE, "%s", path);

        int namespace = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

        if (namespace < 0)
                err(EXIT_FAILURE, "/proc/self/ns/net");
        make_pair(fd, name, namespace, flags);
}

static void down(const char *path, const char *name) {
        Message m = { .header = { .nlmsg_len = NLMSG_LENGTH(sizeof(m.link)),
                              .nlmsg_type = RTM_DELLINK,
                              .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK } };

        (void) put(&m, IFLA_IFNAME, name, strlen(name) + 1);
        request(open_netlink(), &m);
        if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 || unlink(path) < 0)
                err(EXIT_FAILURE, "%s", path);
}

int main(int argc, char *argv[]) {
        const char *verb = argc > 1 ? argv[1] : "";
        char path[4096];

        if (argc == 2 && strcmp(verb, "nothing") == 0)
                return EXIT_SUCCESS;
        if (argc < 4)
                errx(EXIT_FAILURE, "Usage: %s up|down|pair DIRECTORY NAME", argv[0]);

        (void) snprintf(path, sizeof(path), "%s/%s", argv[2], argv[3]);
        if (strcmp(verb, "up") == 0) {
                make_network(path, argv[3], IFF_UP);
                set_up(open_netlink());
        } else if (strcmp(verb, "pair") == 0 && argc > 4) {
                make_network(path, argv[3], 0);
                (void) execv(argv[4], argv + 4);
                err(EXIT_FAILURE, "%s", argv[4]);
        } else
                down(path, argv[3]);

        return EXIT_SUCCESS;
}
