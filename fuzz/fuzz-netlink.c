/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Fuzzes what rtnetlink answers, from the bytes to what is asked of the kernel next: whatever comes, an
 * interface has a name that ends, and only whole messages are sent. The kernel's answers have what root inside
 * chose, such as names.
 *
 * The input is a byte that chooses what is done, and answers: each is two bytes of length, little-endian, and
 * so many bytes of messages, whose sequence numbers count from 0. sendmsg() and nl_recv() are ours.
 */

#include <assert.h>
#include <fcntl.h>

#include "common/kernel/link.h"
#include "common/kernel/netlink.h"
#include "common/kernel/uplink.c" /* NOLINT: its file of what was saved is its own */
#include "fuzz/fuzz.h"

#define ANSWER_MAX (96U * 1024U)

static const uint8_t *input;
static size_t input_size;
static uint32_t first_sequence;

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
int __wrap_nl_recv(struct nl_sock *socket, struct sockaddr_nl *from, unsigned char **buffer,
        struct ucred **ucred);

/* Every attribute lies in the one around it, and is long enough for what is in it. */
static void check_request(const struct nlmsghdr *h) {
        static const struct {
                uint16_t type;
                int header_size;
        } headers[] = {
                { RTM_GETLINK, sizeof(struct ifinfomsg) },
                { RTM_NEWLINK, sizeof(struct ifinfomsg) },
                { RTM_NEWLINKPROP, sizeof(struct ifinfomsg) },
                { RTM_DELLINKPROP, sizeof(struct ifinfomsg) },
                { RTM_NEWADDR, sizeof(struct ifaddrmsg) },
                { RTM_GETADDR, sizeof(struct ifaddrmsg) },
                { RTM_NEWROUTE, sizeof(struct rtmsg) },
                { RTM_GETROUTE, sizeof(struct rtmsg) },
        };
        size_t i = 0;

        while (i < ELEMENTSOF(headers) && headers[i].type != h->nlmsg_type)
                i++;
        assert(i < ELEMENTSOF(headers) && nlmsg_valid_hdr(h, headers[i].header_size));
        assert(h->nlmsg_flags & NLM_F_REQUEST);
        if (h->nlmsg_type != RTM_DELLINKPROP)
                return;

        struct nlattr *list = nlmsg_find_attr(
                              (struct nlmsghdr *) h, sizeof(struct ifinfomsg), IFLA_PROP_LIST),
                      *name = list ? nla_data(list) : NULL;
        assert(name && nla_ok(name, nla_len(list)) && nla_len(name) > 1);
        assert(memchr(nla_data(name), '\0', (size_t) nla_len(name)));
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags) {
        ssize_t size = 0;

        (void) fd;
        (void) flags;
        assert(message->msg_iovlen > 0);
        first_sequence = ((const struct nlmsghdr *) message->msg_iov[0].iov_base)->nlmsg_seq;
        for (size_t i = 0; i < message->msg_iovlen; i++) {
                const struct iovec *part = &message->msg_iov[i];

                assert(nlmsg_ok(part->iov_base, (int) part->iov_len));
                check_request(part->iov_base);
                size += (ssize_t) part->iov_len;
        }
        return size;
}

/* The next answer, in memory of just its size. Return: its size, 0 at the end. */
int __wrap_nl_recv(struct nl_sock *socket, struct sockaddr_nl *from, unsigned char **buffer,
        struct ucred **ucred) {
        (void) socket;
        (void) ucred;
        if (input_size < 2)
                return 0;

        size_t size = MIN((size_t) (input[0] | input[1] << 8), input_size - 2);
        size = MIN(size, (size_t) ANSWER_MAX);
        unsigned char *answer = malloc(size);

        assert(answer || size == 0);
        if (size > 0)
                memcpy(answer, input + 2, size);
        input += 2 + size;
        input_size -= 2 + size;

        int left = (int) size;
        for (struct nlmsghdr *h = (void *) answer; nlmsg_ok(h, left); h = nlmsg_next(h, &left))
                h->nlmsg_seq += first_sequence;
        *from = (struct sockaddr_nl){ .nl_family = AF_NETLINK };
        *buffer = answer;
        return (int) size;
}

static void check_link(int r, const Link *link) {
        assert(r <= 0);
        if (r < 0)
                return;
        assert(link->index > 0);
        assert(memchr(link->name, '\0', sizeof(link->name)));
        assert(memchr(link->kind, '\0', sizeof(link->kind)));
}

static void find(Netlink *n) {
        const LinkIdentity identity = { .owner = "container-web", .name = "c-web", .kind = "veth" };
        Link link = {};

        check_link(link_find(n, "c-web", &link), &link);
        check_link(link_find_index(n, 7, &link), &link);

        int r = link_find_own(n, &identity, &link);
        check_link(r, &link);
        assert(r < 0 || strcmp(link.kind, "veth") == 0);
        assert(link_has_ports(n, 7) <= 1);
}

static void list_names(Netlink *n) {
        _cleanup_str_ Str names = {};
        struct nlattr *a;
        int left;

        if (link_list_names(n, 7, &names) < 0)
                return;
        nla_for_each_attr(a, (void *) names.data, (int) names.len, left)
                assert(strnlen(nla_data(a), 128) + 1 == (size_t) nla_len(a));
        assert(left == 0);
        (void) clear_names(n, &(const Link){ .index = 7 });
}

/* An error that is no request's: there is no text. One that is, has it. */
static void run_batch(Netlink *n) {
        _cleanup_free_ char *error = NULL;

        for (int i = 1; i < 4; i++)
                link_set_up(n, i, "eth0", true);
        netlink_tolerate(n, ENODEV);

        int r = netlink_run(n, &error);
        assert(r <= 0 && (!error || r < 0));
        assert(!error || str_starts_with(error, "Failed to set 'eth0' up: "));
}

/* There and back again. */
static void move(Netlink *n) {
        const Uplink uplink = { .kind = UPLINK_MOVED, .host = "eth1", .inside = "lan0" };
        char directory[PATH_MAX], name[IF_NAMESIZE + 8];
        Record record = { .machine = "web" };
        const Ends ends = { .host = n, .container = n };
        _cleanup_free_ char *error = NULL, *back = NULL;

        assert(fuzz_directory(directory));
        record.directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert(record.directory >= 0);

        (void) uplink_give(&ends, &record, &uplink, &error);
        (void) uplink_take_back(&ends, &record, &uplink, &back);

        /* Whatever came of it, nothing is to be taken back any more. */
        saved_name(&uplink, name);
        assert(faccessat(record.directory, name, F_OK, 0) < 0 && rmdir(directory) == 0);
        (void) close(record.directory);
}

/* What a file has that is not ours. */
static void restore_saved(Netlink *n) {
        const Uplink uplink = { .kind = UPLINK_MOVED, .host = "eth1" };
        char directory[PATH_MAX], name[IF_NAMESIZE + 8];
        _cleanup_(saved_done) Saved saved = {};
        _cleanup_free_ char *error = NULL;
        Record record = { .machine = "web" };

        assert(fuzz_directory(directory));
        record.directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert(record.directory >= 0);
        saved_name(&uplink, name);
        assert(file_create(record.directory, name, input, input_size, 0600) == 0);

        input_size = 0; /* no answers */
        if (read_saved(&record, &uplink, &saved) >= 0)
                (void) restore(
                        &(const Ends){ .host = n }, &saved, &(const Link){ .index = 7 }, &error);
        assert(unlinkat(record.directory, name, 0) == 0 && rmdir(directory) == 0);
        (void) close(record.directory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static void (*const actions[])(Netlink * n) = {
                find,
                list_names,
                run_batch,
                move,
                restore_saved,
        };
        _cleanup_(netlink_freep) Netlink *n = NULL;

        if (size == 0)
                return 0;
        input = data + 1;
        input_size = size - 1;

        assert(netlink_new(&n) == 0);
        actions[data[0] % ELEMENTSOF(actions)](n);
        return 0;
}
