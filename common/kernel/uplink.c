/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/uplink.h"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/kernel/link.h"
#include "common/kernel/mac.h"

#define SAVED_SIZE_MAX (16 * 1024 * 1024)

/* An index that no interface of a new namespace has, so that the one that it gets can be told. */
#define INSIDE_INDEX 0x10000

/* What was saved of a moved interface: a file has the one and then the other. */
typedef struct Saved {
        Link link;
        char *messages; /* of rtnetlink, one behind the other */
        size_t size;
        char *data; /* what holds the messages */
} Saved;

static void saved_done(Saved *s) {
        free(s->data);
}

static void saved_name(const Uplink *u, char ret[static IF_NAMESIZE + 8]) {
        (void) snprintf(ret, IF_NAMESIZE + 8, "moved:%s", u->host);
}

/* Where messages are collected, and of which interface. */
typedef struct Collection {
        int index;
        Str *messages;
} Collection;

static int collect_address(struct nlmsghdr *answer, void *userdata) {
        const struct ifaddrmsg *a = nlmsg_data(answer);
        Collection *c = userdata;

        /* Neither what a daemon will ask for again nor what the kernel makes by itself. */
        if (answer->nlmsg_type == RTM_NEWADDR && nlmsg_valid_hdr(answer, sizeof(*a)) &&
                (int) a->ifa_index == c->index && (a->ifa_flags & IFA_F_PERMANENT) &&
                !(a->ifa_family == AF_INET6 && a->ifa_scope == RT_SCOPE_LINK))
                str_append_n(c->messages, (const char *) answer, NLMSG_ALIGN(answer->nlmsg_len));
        return 0;
}

static const struct nla_policy route_policy[RTA_MAX + 1] = {
        [RTA_OIF] = { .minlen = sizeof(uint32_t) },
};

static int collect_route(struct nlmsghdr *answer, void *userdata) {
        const struct rtmsg *route = nlmsg_data(answer);
        struct nlattr *attributes[RTA_MAX + 1];
        Collection *c = userdata;

        if (answer->nlmsg_type != RTM_NEWROUTE || !nlmsg_valid_hdr(answer, sizeof(*route)) ||
                (route->rtm_flags & RTM_F_CLONED) || route->rtm_table == RT_TABLE_LOCAL ||
                route->rtm_protocol == RTPROT_KERNEL || route->rtm_protocol == RTPROT_RA)
                return 0;
        if (nlmsg_parse(answer, sizeof(*route), attributes, RTA_MAX, route_policy) < 0)
                return -EBADMSG;

        if (attributes[RTA_OIF] && (int) nla_get_u32(attributes[RTA_OIF]) == c->index)
                str_append_n(c->messages, (const char *) answer, NLMSG_ALIGN(answer->nlmsg_len));
        return 0;
}

static int list(Netlink *n, uint16_t type, size_t header_size, NetlinkHandler collect, int index,
        Str *messages) {
        const uint8_t header[MAX(sizeof(struct ifaddrmsg), sizeof(struct rtmsg))] = {};
        size_t before = messages->len;
        int r;

        do {
                Collection c = { index, messages };

                messages->len = before;
                (void) netlink_add(n, type, NLM_F_DUMP, header, header_size, "list");
                r = netlink_query(n, collect, &c, NULL);
        } while (r == -EAGAIN);

        return r;
}

/* The alternative names, as a message that gives them. */
static int save_names(Netlink *n, int index, Str *messages) {
        struct {
                struct nlmsghdr header;
                struct ifinfomsg link;
                struct nlattr list;
        } message = { .header.nlmsg_type = RTM_NEWLINKPROP,
                .list.nla_type = IFLA_PROP_LIST | NLA_F_NESTED };
        _cleanup_str_ Str names = {};
        int r;

        r = link_list_names(n, index, &names);
        if (r < 0 || names.len == 0)
                return r;

        message.list.nla_len = (uint16_t) (sizeof(message.list) + names.len);
        message.header.nlmsg_len = (uint32_t) (sizeof(message) + names.len);
        str_append_n(messages, (const char *) &message, sizeof(message));
        str_append_n(messages, names.data, names.len); /* a multiple of the alignment */
        return 0;
}

static int save(const Ends *ends, const Record *record, const Uplink *u, const Link *link) {
        char name[IF_NAMESIZE + 8];
        _cleanup_str_ Str s = {};
        int r;

        str_append_n(&s, (const char *) link, sizeof(*link));
        r = save_names(ends->host, link->index, &s);
        if (r >= 0)
                r = list(ends->host, RTM_GETADDR, sizeof(struct ifaddrmsg), collect_address,
                        link->index, &s);
        if (r >= 0)
                r = list(ends->host, RTM_GETROUTE, sizeof(struct rtmsg), collect_route, link->index,
                        &s);
        if (r >= 0)
                r = str_error(&s);
        if (r < 0)
                return r;

        saved_name(u, name);
        return file_replace(record->directory, name, s.data, s.len, 0600);
}

static int read_saved(const Record *record, const Uplink *u, Saved *ret) {
        _cleanup_free_ char *data = NULL;
        char name[IF_NAMESIZE + 8];
        size_t size;
        int r;

        saved_name(u, name);
        r = file_read(record->directory, name, SAVED_SIZE_MAX, &data, &size);
        if (r < 0)
                return r;
        if (size < sizeof(ret->link))
                return -EBADMSG;

        memcpy(&ret->link, data, sizeof(ret->link));
        ret->link.name[sizeof(ret->link.name) - 1] = '\0';
        ret->link.kind[sizeof(ret->link.kind) - 1] = '\0';
        ret->messages = data + sizeof(ret->link);
        ret->size = size - sizeof(ret->link);
        ret->data = TAKE_PTR(data);
        return 0;
}

static int move_in(
        const Ends *ends, const Record *record, const Uplink *u, const Link *link, char **reterr) {
        const int index = INSIDE_INDEX + link->index;
        int r;

        r = save(ends, record, u, link);
        if (r < 0)
                return error_explain(reterr, r, "save the addresses and routes of", u->host);

        link_move(ends->host, link->index, u->host, ends->container_namespace, u->inside, index);
        r = netlink_run(ends->host, reterr);
        if (r < 0)
                return r;

        link_set_up(ends->container, index, u->inside, true);
        return netlink_run(ends->container, reterr);
}

static int add_child(const Ends *ends, const Record *record, const Uplink *u, const Link *parent,
        char **reterr) {
        uint8_t mac[6];
        Link link;
        int r;

        mac_of(record->machine, u->inside, MAC_SEED_CONTAINER, mac);
        link_add_child(ends->host, u, parent->index, ends->container_namespace, mac);
        r = netlink_run(ends->host, reterr);
        if (r < 0)
                return r;

        r = link_find(ends->container, u->inside, &link);
        if (r < 0)
                return error_explain(reterr, r, "find the interface", u->inside);

        link_set_up(ends->container, link.index, u->inside, true);
        netlink_tolerate(ends->container, ENETDOWN); /* it comes up with the host's */
        return netlink_run(ends->container, reterr);
}

int uplink_give(const Ends *ends, const Record *record, const Uplink *u, char **reterr) {
        Link link;
        int r;

        r = link_find(ends->host, u->host, &link);
        if (r == -ENODEV)
                return str_format(reterr, "There is no interface '%s' on the host", u->host) < 0
                        ? -ENOMEM
                        : r;
        if (r < 0)
                return error_explain(reterr, r, "find the interface", u->host);

        return u->kind == UPLINK_MOVED ? move_in(ends, record, u, &link, reterr)
                                       : add_child(ends, record, u, &link, reterr);
}

bool uplink_is_given(const Ends *ends, const Record *record, const Uplink *u) {
        _cleanup_(saved_done) Saved saved = {};
        Link link;

        if (read_saved(record, u, &saved) < 0)
                return false;

        /* Root inside may have done away with it: it is not on the host then. */
        return link_find_index(ends->container, INSIDE_INDEX + saved.link.index, &link) >= 0 ||
                link_index(ends->host, u->host) < 0;
}

/* What is saved of an interface. */
static const struct {
        uint16_t type;
        int header_size;
        const char *what;
} kinds[] = {
        { RTM_NEWLINKPROP, sizeof(struct ifinfomsg), "names" },
        { RTM_NEWADDR, sizeof(struct ifaddrmsg), "address" },
        { RTM_NEWROUTE, sizeof(struct rtmsg), "route" },
};

/* Return: what a saved message is about, NULL if it is none. */
static const char *saved_kind(const struct nlmsghdr *h) {
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (h->nlmsg_type == kinds[i].type && nlmsg_valid_hdr(h, kinds[i].header_size))
                        return kinds[i].what;
        return NULL;
}

/* The index of the interface is in its header for an address, and an attribute for a route. */
static void restore_message(
        Netlink *n, const char *name, struct nlmsghdr *h, const char *what, int index) {
        if (h->nlmsg_type == RTM_NEWLINKPROP) {
                struct ifinfomsg *link = nlmsg_data(h);

                link->ifi_index = index;
        } else if (h->nlmsg_type == RTM_NEWADDR) {
                struct ifaddrmsg *a = nlmsg_data(h);

                a->ifa_index = (uint32_t) index;
        } else {
                struct rtmsg *route = nlmsg_data(h);
                struct nlattr *oif = nlmsg_find_attr(h, sizeof(*route), RTA_OIF);

                route->rtm_flags &= RTNH_F_ONLINK; /* the others are the kernel's to tell */
                if (oif && nla_len(oif) >= (int) sizeof(uint32_t))
                        memcpy(nla_data(oif), &(uint32_t){ (uint32_t) index }, sizeof(uint32_t));
        }

        (void) netlink_add(n, h->nlmsg_type,
                NLM_F_CREATE | NLM_F_EXCL | (h->nlmsg_type == RTM_NEWLINKPROP ? NLM_F_APPEND : 0),
                nlmsg_data(h), (size_t) nlmsg_datalen(h), "give '%s' its %s again", name, what);
        netlink_tolerate(n, EEXIST);
}

/* A route by a gateway needs the one to the gateway. */
static bool has_gateway(struct nlmsghdr *h) {
        return h->nlmsg_type == RTM_NEWROUTE &&
                (nlmsg_find_attr(h, sizeof(struct rtmsg), RTA_GATEWAY) ||
                        nlmsg_find_attr(h, sizeof(struct rtmsg), RTA_VIA));
}

/* All that was saved. A failure with one does not keep the others away. */
static int restore(const Ends *ends, const Saved *saved, const Link *link, char **reterr) {
        const int index = link->index;
        const char *name = saved->link.name;
        int r;

        /* Some cannot change it while they are up, as one is that was not moved yet. */
        if (memcmp(saved->link.mac, link->mac, sizeof(link->mac)) != 0)
                link_set_mac(ends->host, index, name, saved->link.mac);
        if (saved->link.master > 0) {
                link_set_master(ends->host, index, name, saved->link.master);
                netlink_tolerate(ends->host, EINVAL); /* it is gone */
        }
        link_set_mtu(ends->host, index, name, saved->link.mtu);
        if (saved->link.flags & IFF_UP)
                link_set_up(ends->host, index, name, true);
        r = netlink_run(ends->host, reterr);

        for (int pass = 0; pass < 2; pass++) {
                struct nlmsghdr *h = (void *) saved->messages;

                for (int left = (int) saved->size; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
                        const char *what = saved_kind(h);

                        if (!what || has_gateway(h) != (pass == 1))
                                continue;
                        restore_message(ends->host, name, h, what, index);

                        int q = netlink_run(ends->host, reterr);
                        r = r < 0 ? r : q;
                }
        }

        return r;
}

/*
 * Root inside may have given it the alternative name of something of the host: with that it could not
 * go there, or would be taken for a container's interface.
 */
static int clear_names(Netlink *n, const Link *link) {
        _cleanup_str_ Str names = {};
        struct nlattr *a;
        int left, r;

        r = link_list_names(n, link->index, &names);
        if (r < 0)
                return r;

        unsigned k = 0;
        nla_for_each_attr(a, (void *) names.data, (int) names.len, left) {
                link_delete_name(n, link->index, nla_data(a));
                if (++k % NETLINK_BATCH_MAX > 0)
                        continue;
                r = netlink_run(n, NULL);
                if (r < 0)
                        return r;
        }
        return netlink_run(n, NULL);
}

/* @ret_name: what it is called on the host now */
static int move_out(const Ends *ends, const Saved *saved, const Link *link,
        char ret_name[static IF_NAMESIZE], char **reterr) {
        char other_name[IF_NAMESIZE];
        /* Its old name and index may be taken by now. */
        const struct {
                const char *name;
                int index;
        } attempts[] = {
                { saved->link.name, saved->link.index },
                { saved->link.name, 0 },
                { other_name, 0 },
        };
        int r = 0;

        (void) clear_names(ends->container, link); /* if they are in the way, the move says so */
        (void) snprintf(other_name, sizeof(other_name), "moved%i", saved->link.index);
        for (size_t i = 0; i < ELEMENTSOF(attempts); i++) {
                free(*reterr);
                *reterr = NULL;
                /* What it is called inside is not ours to repeat. */
                link_set_up(ends->container, link->index, saved->link.name, false);
                link_move(ends->container, link->index, saved->link.name, ends->host_namespace,
                        attempts[i].name, attempts[i].index);
                r = netlink_run(ends->container, reterr);
                if (r >= 0) {
                        (void) snprintf(ret_name, IF_NAMESIZE, "%s", attempts[i].name);
                        break;
                }
        }

        return r;
}

/* Whether it is the interface that was moved: root inside may have put another in its place. */
static bool is_same(const Saved *saved, const Link *link) {
        return strcmp(saved->link.kind, link->kind) == 0;
}

static int bring_back(const Ends *ends, const Saved *saved, char **reterr) {
        char name[IF_NAMESIZE];
        Link link;
        int r;

        /* If it is not inside, it was not moved yet, or is back without all that it had. */
        memcpy(name, saved->link.name, sizeof(name));
        if (ends->container &&
                link_find_index(ends->container, INSIDE_INDEX + saved->link.index, &link) >= 0 &&
                is_same(saved, &link)) {
                r = move_out(ends, saved, &link, name, reterr);
                if (r < 0)
                        return r;
        }

        r = link_find(ends->host, name, &link);
        if (r < 0 || !is_same(saved, &link))
                return error_explain(
                        reterr, r < 0 ? r : -ENODEV, "bring back the interface", saved->link.name);
        return restore(ends, saved, &link, reterr);
}

static int take_back_moved(const Ends *ends, const Record *record, const Uplink *u, char **reterr) {
        _cleanup_(saved_done) Saved saved = {};
        char name[IF_NAMESIZE + 8];
        int r;

        r = read_saved(record, u, &saved);
        if (r == -ENOENT)
                return 0; /* it was not moved, or is back */
        if (r < 0)
                return error_explain(reterr, r, "read what was saved of", u->host);

        r = bring_back(ends, &saved, reterr);
        saved_name(u, name);
        if (unlinkat(record->directory, name, 0) < 0 && r >= 0)
                return error_explain(reterr, -errno, "remove what was saved of", u->host);
        return r;
}

int uplink_take_back(const Ends *ends, const Record *record, const Uplink *u, char **reterr) {
        Link link;

        if (u->kind == UPLINK_MOVED)
                return take_back_moved(ends, record, u, reterr);

        /* It goes with the namespace. */
        if (!ends->container || link_find(ends->container, u->inside, &link) < 0)
                return 0;
        if (strcmp(link.kind, u->kind == UPLINK_MACVLAN ? "macvlan" : "ipvlan") != 0)
                return 0;
        link_delete(ends->container, link.index, u->inside);
        return netlink_run(ends->container, reterr);
}
