/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-netlink: who is believed to answer. Root inside a container may write to our sockets in its
 * network namespace, and knows their port from /proc/net/netlink.
 */

#include "tests/unit/test.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>

#include "common/kernel/link.h"
#include "common/kernel/netlink.h"

/* A network namespace of our own, in which we may do what its root may. */
static void enter_namespace(void) {
        if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
                skip();
}

/* Answer whatever is asked next with an error that the kernel would not give. Return: 0 or negative errno. */
static int forge_answers(int fd, uint32_t port) {
        const struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_pid = port };
        uint32_t now = (uint32_t) time(NULL); /* what libnl begins to count at */

        for (uint32_t sequence = now - 5; sequence < now + 5; sequence++) {
                struct {
                        struct nlmsghdr header;
                        struct nlmsgerr error;
                } answer = { { sizeof(answer), NLMSG_ERROR, 0, sequence, port },
                        { .error = -EXDEV } };

                if (sendto(fd, &answer, sizeof(answer), 0, (const struct sockaddr *) &to,
                            sizeof(to)) < 0)
                        return -errno;
        }
        return 0;
}

static void test_only_the_kernel_answers(void **state) {
        const struct sockaddr_nl nobody = { .nl_family = AF_UNSPEC };
        _cleanup_close_ int forger = -EBADF;
        _cleanup_(netlink_freep) Netlink *n = NULL;
        struct sockaddr_nl us = {};
        socklen_t size = sizeof(us);
        Link link;

        (void) state;
        enter_namespace();
        forger = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        assert_true(forger >= 0);

        assert_int_equal(netlink_new(&n), 0);
        assert_int_equal(getsockname(netlink_descriptor(n), (struct sockaddr *) &us, &size), 0);

        /* It does not even get into the buffer, which could be filled that way. */
        assert_int_equal(forge_answers(forger, us.nl_pid), -ECONNREFUSED);
        assert_int_equal(link_find(n, "lo", &link), 0);
        assert_string_equal(link.name, "lo");

        /* What came before the socket was connected is in there. */
        assert_int_equal(
                connect(netlink_descriptor(n), (const struct sockaddr *) &nobody, sizeof(nobody)),
                0);
        assert_int_equal(forge_answers(forger, us.nl_pid), 0);
        assert_int_equal(link_find(n, "lo", &link), 0);
        assert_string_equal(link.name, "lo");
        assert_int_equal(link_find(n, "missing", &link), -ENODEV);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_only_the_kernel_answers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
