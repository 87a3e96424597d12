/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/link.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#define ALTERNATIVE_NAME_MAX 128 /* ALTIFNAMSIZ of linux/if.h, which net/if.h does not go with */

static void put(struct nl_msg *m, int attribute, const void *data, size_t size) {
        /* The messages have a page; an attribute that does not fit cannot happen. */
        if (m && nla_put(m, attribute, (int) size, data) < 0)
                abort();
}

static void put_string(struct nl_msg *m, int attribute, const char *s) {
        put(m, attribute, s, strlen(s) + 1);
}

static void put_u32(struct nl_msg *m, int attribute, uint32_t value) {
        put(m, attribute, &value, sizeof(value));
}

static void put_mac(struct nl_msg *m, const uint8_t mac[static 6]) {
        put(m, IFLA_ADDRESS, mac, 6);
}

static struct nlattr *nest(struct nl_msg *m, int attribute) {
        struct nlattr *a = m ? nla_nest_start(m, attribute) : NULL;

        if (m && !a)
                abort(); /* as above */
        return a;
}

static void end_nest(struct nl_msg *m, struct nlattr *a) {
        if (m)
                nla_nest_end(m, a);
}

/* A message about an interface that is there. */
static struct nl_msg *change(Netlink *n, int index, const char *name, const char *what) {
        const struct ifinfomsg header = { .ifi_index = index };

        return netlink_add(n, RTM_NEWLINK, 0, &header, sizeof(header), "%s '%s'", what, name);
}

static void read_kind(struct nlattr *info, char ret[static LINK_KIND_MAX]) {
        struct nlattr *kind = info ? nla_find(nla_data(info), nla_len(info), IFLA_INFO_KIND) : NULL;

        if (kind)
                (void) nla_strlcpy(ret, kind, LINK_KIND_MAX);
}

/* What is read of them must be there. */
static const struct nla_policy link_policy[IFLA_MAX + 1] = {
        [IFLA_MTU] = { .minlen = sizeof(uint32_t) },
        [IFLA_MASTER] = { .minlen = sizeof(uint32_t) },
        [IFLA_LINK] = { .minlen = sizeof(uint32_t) },
};

static int read_link(struct nlmsghdr *answer, void *userdata) {
        const struct ifinfomsg *header = nlmsg_data(answer);
        struct nlattr *attributes[IFLA_MAX + 1];
        Link *link = userdata;

        if (answer->nlmsg_type != RTM_NEWLINK)
                return 0;
        if (nlmsg_parse(answer, sizeof(*header), attributes, IFLA_MAX, link_policy) < 0)
                return -EBADMSG;

        *link = (Link){ .index = header->ifi_index, .flags = header->ifi_flags };
        if (attributes[IFLA_IFNAME])
                (void) nla_strlcpy(link->name, attributes[IFLA_IFNAME], sizeof(link->name));
        if (attributes[IFLA_ADDRESS] && nla_len(attributes[IFLA_ADDRESS]) == sizeof(link->mac))
                memcpy(link->mac, nla_data(attributes[IFLA_ADDRESS]), sizeof(link->mac));
        if (attributes[IFLA_MTU])
                link->mtu = nla_get_u32(attributes[IFLA_MTU]);
        if (attributes[IFLA_MASTER])
                link->master = (int) nla_get_u32(attributes[IFLA_MASTER]);
        if (attributes[IFLA_LINK])
                link->peer = (int) nla_get_u32(attributes[IFLA_LINK]);
        read_kind(attributes[IFLA_LINKINFO], link->kind);
        return 0;
}

/* The answer to the one request in the batch. */
static int query_link(Netlink *n, Link *ret) {
        Link link = {};
        int r;

        r = netlink_query(n, read_link, &link, NULL);
        if (r < 0)
                return r;
        if (link.index <= 0)
                return -EBADMSG;

        *ret = link;
        return 0;
}

int link_find(Netlink *n, const char *name, Link *ret) {
        const struct ifinfomsg header = {};

        /* This attribute takes names of either sort; the other one only short ones. */
        put_string(netlink_add(n, RTM_GETLINK, 0, &header, sizeof(header), "find '%s'", name),
                IFLA_ALT_IFNAME, name);
        return query_link(n, ret);
}

int link_index(const Netlink *n, const char *name) {
        struct ifreq request = {};

        (void) snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
        /* Any socket will do; it tells the namespace. netdevice(7). */
        return ioctl(netlink_descriptor(n), SIOCGIFINDEX, &request) < 0 ? -errno
                                                                        : request.ifr_ifindex;
}

int link_find_index(Netlink *n, int index, Link *ret) {
        const struct ifinfomsg header = { .ifi_index = index };

        (void) netlink_add(n, RTM_GETLINK, 0, &header, sizeof(header), "find interface %i", index);
        return query_link(n, ret);
}

int link_find_own(Netlink *n, const LinkIdentity *identity, Link *ret) {
        int r;

        r = link_find(n, identity->owner, ret);
        if (r >= 0 && strcmp(ret->kind, identity->kind) != 0)
                r = -ENODEV;
        if (r != -ENODEV)
                return r;

        r = link_find(n, identity->name, ret);
        if (r >= 0 &&
                (strcmp(ret->name, identity->name) != 0 || strcmp(ret->kind, identity->kind) != 0 ||
                        memcmp(ret->mac, identity->mac, sizeof(ret->mac)) != 0))
                return -ENODEV;
        ret->is_unnamed = true;
        return r;
}

static int count_port(struct nlmsghdr *answer, void *userdata) {
        if (answer->nlmsg_type == RTM_NEWLINK)
                ++*(unsigned *) userdata;
        return 0;
}

int link_has_ports(Netlink *n, int bridge) {
        const struct ifinfomsg header = {};
        unsigned ports;
        int r;

        do {
                ports = 0;
                put_u32(netlink_add(n, RTM_GETLINK, NLM_F_DUMP, &header, sizeof(header),
                                "list the ports of a bridge"),
                        IFLA_MASTER, (uint32_t) bridge);
                r = netlink_query(n, count_port, &ports, NULL);
        } while (r == -EAGAIN);

        return r < 0 ? r : ports > 0;
}

/*
 * A pair uses one queue each way; the kernel makes one for each CPU and takes the others away again,
 * for which it waits until all CPUs have passed a quiescent state (veth_init_queues(),
 * netif_set_real_num_tx_queues()): up to 50 ms on a busy machine.
 */
static void put_queues(struct nl_msg *m) {
        put_u32(m, IFLA_NUM_TX_QUEUES, 1);
        put_u32(m, IFLA_NUM_RX_QUEUES, 1);
}

static void put_peer(struct nl_msg *m, const NewPair *pair) {
        const struct ifinfomsg header = {};
        struct nlattr *data = nest(m, IFLA_INFO_DATA), *peer = nest(m, VETH_INFO_PEER);

        if (m && nlmsg_append(m, (void *) &header, sizeof(header), 0) < 0)
                abort(); /* as in put() */
        put_string(m, IFLA_IFNAME, pair->inside);
        put_mac(m, pair->mac);
        put_queues(m);
        put_u32(m, IFLA_NET_NS_FD, (uint32_t) pair->namespace);
        if (pair->mtu > 0)
                put_u32(m, IFLA_MTU, pair->mtu);
        end_nest(m, peer);
        end_nest(m, data);
}

void link_add_pair(Netlink *n, const NewPair *pair) {
        const struct ifinfomsg header = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

        struct nl_msg *m = netlink_add(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header,
                sizeof(header), "make the veth pair '%s' and '%s'", pair->host_name, pair->inside);
        put_string(m, IFLA_IFNAME, pair->host_name);
        put_mac(m, pair->host_mac);
        put_queues(m);
        if (pair->mtu > 0)
                put_u32(m, IFLA_MTU, pair->mtu);
        if (pair->master > 0)
                put_u32(m, IFLA_MASTER, (uint32_t) pair->master);

        struct nlattr *info = nest(m, IFLA_LINKINFO);
        put_string(m, IFLA_INFO_KIND, "veth");
        put_peer(m, pair);
        end_nest(m, info);
}

void link_add_bridge(Netlink *n, const char *name, const uint8_t mac[static 6]) {
        const struct ifinfomsg header = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

        struct nl_msg *m = netlink_add(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header,
                sizeof(header), "make the bridge '%s'", name);
        put_string(m, IFLA_IFNAME, name);
        /* Without one of its own a bridge changes its address as ports come and go. */
        put_mac(m, mac);

        struct nlattr *info = nest(m, IFLA_LINKINFO);
        put_string(m, IFLA_INFO_KIND, "bridge");
        end_nest(m, info);
}

void link_add_child(
        Netlink *n, const Uplink *u, int parent, int namespace, const uint8_t mac[static 6]) {
        const bool is_macvlan = u->kind == UPLINK_MACVLAN;
        const struct ifinfomsg header = {};

        struct nl_msg *m = netlink_add(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header,
                sizeof(header), "make the %s '%s' of '%s'", is_macvlan ? "macvlan" : "ipvlan",
                u->inside, u->host);
        put_string(m, IFLA_IFNAME, u->inside);
        put_u32(m, IFLA_LINK, (uint32_t) parent);
        put_u32(m, IFLA_NET_NS_FD, (uint32_t) namespace);
        if (is_macvlan)
                put_mac(m, mac);

        /* The modes are those of systemd-nspawn. */
        struct nlattr *info = nest(m, IFLA_LINKINFO);
        put_string(m, IFLA_INFO_KIND, is_macvlan ? "macvlan" : "ipvlan");
        struct nlattr *data = nest(m, IFLA_INFO_DATA);
        if (is_macvlan)
                put_u32(m, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
        else
                put(m, IFLA_IPVLAN_MODE, &(const uint16_t){ IPVLAN_MODE_L2 }, sizeof(uint16_t));
        end_nest(m, data);
        end_nest(m, info);
}

void link_add_names(
        Netlink *n, int index, const char *name, const char *first, const char *second) {
        const struct ifinfomsg header = { .ifi_index = index };
        struct nl_msg *m = netlink_add(n, RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND,
                &header, sizeof(header), "give '%s' the alternative name '%s'", name, first);
        struct nlattr *list = nest(m, IFLA_PROP_LIST);

        put_string(m, IFLA_ALT_IFNAME, first);
        if (second && *second)
                put_string(m, IFLA_ALT_IFNAME, second);
        end_nest(m, list);
}

void link_delete_name(Netlink *n, int index, const char *name) {
        const struct ifinfomsg header = { .ifi_index = index };
        struct nl_msg *m = netlink_add(n, RTM_DELLINKPROP, 0, &header, sizeof(header),
                "remove the alternative name '%s'", name);
        struct nlattr *list = nest(m, IFLA_PROP_LIST);

        put_string(m, IFLA_ALT_IFNAME, name);
        end_nest(m, list);
        netlink_tolerate(n, ENOENT);
}

/* Whether an attribute is an alternative name, as it may be sent to the kernel again. */
static bool is_alternative_name(const struct nlattr *a) {
        size_t n = (size_t) nla_len(a);

        return nla_type(a) == IFLA_ALT_IFNAME && n > 1 && n <= ALTERNATIVE_NAME_MAX &&
                strnlen(nla_data(a), n) == n - 1;
}

static int copy_names(struct nlmsghdr *answer, void *userdata) {
        static const char padding[NLA_ALIGNTO];
        struct nlattr *a;
        int left;

        struct nlattr *list = answer->nlmsg_type == RTM_NEWLINK
                ? nlmsg_find_attr(answer, sizeof(struct ifinfomsg), IFLA_PROP_LIST)
                : NULL;

        if (!list)
                return 0;
        nla_for_each_nested(a, list, left) {
                if (!is_alternative_name(a))
                        continue;
                str_append_n(userdata, (const char *) a, a->nla_len);
                str_append_n(userdata, padding, (size_t) NLA_ALIGN(a->nla_len) - a->nla_len);
        }
        return 0;
}

int link_list_names(Netlink *n, int index, Str *ret) {
        const struct ifinfomsg header = { .ifi_index = index };
        int r;

        (void) netlink_add(n, RTM_GETLINK, 0, &header, sizeof(header), "list the names");
        r = netlink_query(n, copy_names, ret, NULL);
        return r < 0 ? r : str_error(ret);
}

void link_set_up(Netlink *n, int index, const char *name, bool up) {
        const struct ifinfomsg header = {
                .ifi_index = index, .ifi_flags = up ? IFF_UP : 0, .ifi_change = IFF_UP
        };

        (void) netlink_add(n, RTM_NEWLINK, 0, &header, sizeof(header), "set '%s' %s", name,
                up ? "up" : "down");
}

void link_set_mtu(Netlink *n, int index, const char *name, unsigned mtu) {
        put_u32(change(n, index, name, "set the MTU of"), IFLA_MTU, mtu);
}

void link_set_mac(Netlink *n, int index, const char *name, const uint8_t mac[static 6]) {
        put_mac(change(n, index, name, "set the Ethernet address of"), mac);
}

void link_set_master(Netlink *n, int index, const char *name, int master) {
        put_u32(change(n, index, name, master > 0 ? "put on its bridge" : "take off its bridge"),
                IFLA_MASTER, (uint32_t) master);
}

void link_set_hairpin(Netlink *n, int index, const char *name) {
        struct nl_msg *m = change(n, index, name, "set the mode of the bridge port");
        struct nlattr *info = nest(m, IFLA_LINKINFO);

        put_string(m, IFLA_INFO_SLAVE_KIND, "bridge");
        struct nlattr *data = nest(m, IFLA_INFO_SLAVE_DATA);
        put(m, IFLA_BRPORT_MODE, &(const uint8_t){ 1 }, sizeof(uint8_t));
        end_nest(m, data);
        end_nest(m, info);
}

void link_rename(Netlink *n, int index, const char *name, const char *new_name) {
        put_string(change(n, index, name, "rename"), IFLA_IFNAME, new_name);
}

void link_move(Netlink *n, int index, const char *name, int namespace, const char *new_name,
        int new_index) {
        struct nl_msg *m = change(n, index, name, "move the interface");

        put_u32(m, IFLA_NET_NS_FD, (uint32_t) namespace);
        put_string(m, IFLA_IFNAME, new_name);
        if (new_index > 0)
                put_u32(m, IFLA_NEW_IFINDEX, (uint32_t) new_index);
}

void link_delete(Netlink *n, int index, const char *name) {
        const struct ifinfomsg header = { .ifi_index = index };

        (void) netlink_add(
                n, RTM_DELLINK, 0, &header, sizeof(header), "delete the interface '%s'", name);
        netlink_tolerate(n, ENODEV);
}

static void address_request(Netlink *n, uint16_t type, int flags, int index, const char *what,
        const char *interface, const Address *a) {
        char text[INET6_ADDRSTRLEN];
        const struct ifaddrmsg header = { .ifa_family = (uint8_t) a->family,
                .ifa_prefixlen = (uint8_t) a->prefix,
                /* The address is ours to give: the first packet need not wait for a second
                 * of duplicate address detection, RFC 4862. */
                .ifa_flags = a->family == AF_INET6 ? IFA_F_NODAD : 0,
                .ifa_index = (uint32_t) index };

        struct nl_msg *m = netlink_add(n, type, flags, &header, sizeof(header),
                "%s %s the address %s/%u", what, interface, address_format(a, text), a->prefix);
        put(m, IFA_LOCAL, address_bytes(a), address_length(a));
        put(m, IFA_ADDRESS, address_bytes(a), address_length(a));
}

void address_add(Netlink *n, int index, const char *interface, const Address *a) {
        address_request(n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, "give", interface, a);
        netlink_tolerate(n, EEXIST);
}

void address_delete(Netlink *n, int index, const char *interface, const Address *a) {
        address_request(n, RTM_DELADDR, 0, index, "take from", interface, a);
        netlink_tolerate(n, EADDRNOTAVAIL);
        netlink_tolerate(n, ENXIO); /* IPv6 is off there, as with an MTU below 1280 */
}

static struct nl_msg *host_route_request(
        Netlink *n, uint16_t type, int flags, int index, const char *interface, const Address *to) {
        char text[INET6_ADDRSTRLEN];
        const struct rtmsg header = { .rtm_family = (uint8_t) to->family,
                .rtm_dst_len = (uint8_t) (address_length(to) * 8),
                .rtm_table = RT_TABLE_MAIN,
                .rtm_protocol = RTPROT_STATIC,
                .rtm_scope = RT_SCOPE_LINK,
                .rtm_type = RTN_UNICAST };

        struct nl_msg *m = netlink_add(n, type, flags, &header, sizeof(header), "route %s to %s",
                address_format(to, text), interface);
        put(m, RTA_DST, address_bytes(to), address_length(to));
        put_u32(m, RTA_OIF, (uint32_t) index);
        return m;
}

void route_add_host(Netlink *n, int index, const char *interface, const Address *to,
        const Address *source, bool tolerate) {
        struct nl_msg *m = host_route_request(
                n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, index, interface, to);

        if (source)
                put(m, RTA_PREFSRC, address_bytes(source), address_length(source));
        if (tolerate)
                netlink_tolerate(n, EEXIST);
}

void route_delete_host(Netlink *n, int index, const char *interface, const Address *to) {
        (void) host_route_request(n, RTM_DELROUTE, 0, index, interface, to);
        netlink_tolerate(n, ESRCH);
}

static void default_route_request(
        Netlink *n, uint16_t type, int flags, int index, const Address *gateway) {
        char text[INET6_ADDRSTRLEN];
        const struct rtmsg header = { .rtm_family = (uint8_t) gateway->family,
                .rtm_table = RT_TABLE_MAIN,
                .rtm_protocol = RTPROT_STATIC,
                .rtm_scope = RT_SCOPE_UNIVERSE,
                .rtm_type = RTN_UNICAST };

        struct nl_msg *m = netlink_add(n, type, flags, &header, sizeof(header),
                "route everything else to %s", address_format(gateway, text));
        put(m, RTA_GATEWAY, address_bytes(gateway), address_length(gateway));
        put_u32(m, RTA_OIF, (uint32_t) index);
}

void route_set_default(Netlink *n, int index, const Address *gateway) {
        default_route_request(n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, index, gateway);
}

void route_delete_default(Netlink *n, int index, const Address *gateway) {
        default_route_request(n, RTM_DELROUTE, 0, index, gateway);
        netlink_tolerate(n, ESRCH);
}
