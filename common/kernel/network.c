/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/network.h"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "common/base/name.h"
#include "common/kernel/namespace.h"
#include "common/kernel/netlink.h"

#define HOSTS_DIR SPAWNLET_RUN_DIR "/hosts"
#define NETNS_DIR SPAWNLET_RUN_DIR "/netns"

#define CONTAINER_INTERFACE "eth0"

/* In a new namespace the loopback interface is 1, so that the veth's end can be told to be 2. */
#define LOOPBACK_INDEX 1
#define CONTAINER_INDEX 2

#define HOST_MAC_SEED 1
#define CONTAINER_MAC_SEED 2

/* What is known while a network is being made. */
typedef struct Network {
        const NetworkConfig *config;
        Netlink *host; /* a socket in the host's namespace */
        Netlink *container;
        int namespace;
        int host_index;
        char host_name[IF_NAMESIZE];
        char full_name[2 + MACHINE_NAME_MAX + 1];
        char owner[10 + MACHINE_NAME_MAX + 1];
} Network;

static int describe(char **reterr, int error, const char *what, const char *subject) {
        if (*reterr) /* the first failure is the cause of the others */
                return error;
        return str_format(reterr, "Failed to %s '%s': %s", what, subject, strerror(-error)) < 0
                ? -ENOMEM
                : error;
}

/*
 * A locally administered address that stays the same for a container on one host, and differs
 * between hosts cloned from one image, whose machine IDs differ.
 */
static void stable_mac(const char *machine, uint64_t seed, uint8_t ret[static 6]) {
        _cleanup_free_ char *id = NULL;
        size_t size;

        if (file_read(AT_FDCWD, "/etc/machine-id", 64, &id, &size) == 0)
                seed = hash64(seed, id, size);
        seed = hash64(seed, machine, strlen(machine));

        memcpy(ret, &seed, 6);
        ret[0] = (uint8_t) ((ret[0] & 0xfe) | 0x02);
}

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

/* One message makes both ends: the container's is born in its namespace, with its final name,
 * so that no udev rule of the host ever sees it. */
static int create_pair(Network *n, char **reterr) {
        const NetworkConfig *c = n->config;
        const struct ifinfomsg host = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
        const struct ifinfomsg peer = { .ifi_index = CONTAINER_INDEX };
        uint8_t host_mac[6], mac[6];

        stable_mac(c->machine, HOST_MAC_SEED, host_mac);
        stable_mac(c->machine, CONTAINER_MAC_SEED, mac);
        if (c->has_mac)
                memcpy(mac, c->mac, sizeof(mac));

        struct nl_msg *m =
                netlink_add(n->host, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &host, sizeof(host),
                        "make the veth pair '%s' and '" CONTAINER_INTERFACE "'", n->host_name);
        if (m) {
                put_string(m, IFLA_IFNAME, n->host_name);
                put(m, IFLA_ADDRESS, host_mac, sizeof(host_mac));
                if (c->mtu > 0)
                        put_u32(m, IFLA_MTU, c->mtu);

                struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO);
                put_string(m, IFLA_INFO_KIND, "veth");
                struct nlattr *data = nla_nest_start(m, IFLA_INFO_DATA);
                struct nlattr *other = nla_nest_start(m, VETH_INFO_PEER);
                if (!info || !data || !other ||
                        nlmsg_append(m, (void *) &peer, sizeof(peer), 0) < 0)
                        return -ENOMEM;
                put_string(m, IFLA_IFNAME, CONTAINER_INTERFACE);
                put(m, IFLA_ADDRESS, mac, sizeof(mac));
                put_u32(m, IFLA_NET_NS_FD, (uint32_t) n->namespace);
                if (c->mtu > 0)
                        put_u32(m, IFLA_MTU, c->mtu);
                nla_nest_end(m, other);
                nla_nest_end(m, data);
                nla_nest_end(m, info);
        }

        return netlink_run(n->host, reterr);
}

static void add_address(Netlink *netlink, int index, const char *interface, const Address *a) {
        char text[INET6_ADDRSTRLEN];
        const struct ifaddrmsg header = { .ifa_family = (uint8_t) a->family,
                .ifa_prefixlen = (uint8_t) a->prefix,
                /* The address is ours to give: the first packet need not wait for a second
                 * of duplicate address detection, RFC 4862. */
                .ifa_flags = a->family == AF_INET6 ? IFA_F_NODAD : 0,
                .ifa_index = (uint32_t) index };

        struct nl_msg *m = netlink_add(netlink, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header,
                sizeof(header), "give %s the address %s/%u", interface, address_format(a, text),
                a->prefix);
        put(m, IFA_LOCAL, address_bytes(a), address_length(a));
        put(m, IFA_ADDRESS, address_bytes(a), address_length(a));
}

/* A route to one host on a link, with @source as the address that the host then answers from. */
static void add_host_route(Netlink *netlink, int index, const char *interface, const Address *to,
        const Address *source) {
        char text[INET6_ADDRSTRLEN];
        const struct rtmsg header = { .rtm_family = (uint8_t) to->family,
                .rtm_dst_len = (uint8_t) (address_length(to) * 8),
                .rtm_table = RT_TABLE_MAIN,
                .rtm_protocol = RTPROT_STATIC,
                .rtm_scope = RT_SCOPE_LINK,
                .rtm_type = RTN_UNICAST };

        struct nl_msg *m = netlink_add(netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &header,
                sizeof(header), "route %s to %s", address_format(to, text), interface);
        put(m, RTA_DST, address_bytes(to), address_length(to));
        put_u32(m, RTA_OIF, (uint32_t) index);
        if (source)
                put(m, RTA_PREFSRC, address_bytes(source), address_length(source));
}

static void add_default_route(Netlink *netlink, int index, const Address *gateway) {
        char text[INET6_ADDRSTRLEN];
        const struct rtmsg header = { .rtm_family = (uint8_t) gateway->family,
                .rtm_table = RT_TABLE_MAIN,
                .rtm_protocol = RTPROT_STATIC,
                .rtm_scope = RT_SCOPE_UNIVERSE,
                .rtm_type = RTN_UNICAST };

        struct nl_msg *m = netlink_add(netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &header,
                sizeof(header), "route everything else to %s", address_format(gateway, text));
        put(m, RTA_GATEWAY, address_bytes(gateway), address_length(gateway));
        put_u32(m, RTA_OIF, (uint32_t) index);
}

static const Address *first_of_family(const Address *addresses, size_t n, int family) {
        for (size_t i = 0; i < n; i++)
                if (addresses[i].family == family)
                        return &addresses[i];
        return NULL;
}

static void add_alternative_names(Network *n) {
        const struct ifinfomsg header = { .ifi_index = n->host_index };
        struct nl_msg *m = netlink_add(n->host, RTM_NEWLINKPROP,
                NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, &header, sizeof(header),
                "give '%s' the alternative name '%s'", n->host_name, n->owner);
        struct nlattr *list = m ? nla_nest_start(m, IFLA_PROP_LIST) : NULL;

        if (!list)
                return; /* out of memory, netlink_run() says so */

        put_string(m, IFLA_ALT_IFNAME, n->owner);
        if (*n->full_name)
                put_string(m, IFLA_ALT_IFNAME, n->full_name);
        nla_nest_end(m, list);
}

static int configure_host(Network *n, char **reterr) {
        const NetworkConfig *c = n->config;

        add_alternative_names(n);
        for (size_t i = 0; i < c->n_host; i++)
                add_address(n->host, n->host_index, n->host_name, &c->host[i]);
        for (size_t i = 0; i < c->n_local; i++)
                add_host_route(n->host, n->host_index, n->host_name, &c->local[i],
                        first_of_family(c->host, c->n_host, c->local[i].family));

        return netlink_run(n->host, reterr);
}

static void set_up(Netlink *netlink, int index, const char *name) {
        const struct ifinfomsg header = {
                .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP
        };

        (void) netlink_add(netlink, RTM_NEWLINK, 0, &header, sizeof(header), "set '%s' up", name);
}

/* The default route of a family, with a route to the gateway where no address's network has it. */
static void add_gateway(Network *n, int family) {
        const NetworkConfig *c = n->config;
        const Address *gateway = first_of_family(c->gateway, c->n_gateway, family);
        bool on_link = false;

        if (!gateway)
                gateway = first_of_family(c->host, c->n_host, family);
        if (!gateway || c->no_gateway || !first_of_family(c->local, c->n_local, family))
                return;

        for (size_t i = 0; i < c->n_local; i++)
                on_link = on_link || address_contains(&c->local[i], gateway);
        if (!on_link)
                add_host_route(n->container, CONTAINER_INDEX, CONTAINER_INTERFACE, gateway, NULL);
        add_default_route(n->container, CONTAINER_INDEX, gateway);
}

static int configure_container(Network *n, char **reterr) {
        const NetworkConfig *c = n->config;

        set_up(n->container, LOOPBACK_INDEX, "lo");
        set_up(n->container, CONTAINER_INDEX, CONTAINER_INTERFACE);
        for (size_t i = 0; i < c->n_local; i++)
                add_address(n->container, CONTAINER_INDEX, CONTAINER_INTERFACE, &c->local[i]);
        add_gateway(n, AF_INET);
        add_gateway(n, AF_INET6);

        return netlink_run(n->container, reterr);
}

/* What nss-spawnlet reads to resolve NAME.containers: an address a line. */
static int write_hosts(const NetworkConfig *c, char **reterr) {
        _cleanup_close_ int directory = -EBADF;
        _cleanup_str_ Str text = {};
        char address[INET6_ADDRSTRLEN];
        int r;

        if (c->n_local == 0)
                return 0;

        for (size_t i = 0; i < c->n_local; i++)
                str_appendf(&text, "%s\n", address_format(&c->local[i], address));
        if (str_error(&text) < 0)
                return -ENOMEM;

        directory = open(HOSTS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = directory < 0 ? -errno : file_replace(directory, c->machine, text.data, text.len, 0644);
        return r < 0 ? describe(reterr, r, "write", HOSTS_DIR) : 0;
}

static int make_directories(char **reterr) {
        static const char *const directories[] = { SPAWNLET_RUN_DIR, HOSTS_DIR, NETNS_DIR };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                if (mkdir(directories[i], 0755) < 0 && errno != EEXIST)
                        return describe(reterr, -errno, "make the directory", directories[i]);
        return 0;
}

static int create_namespace(Network *n, char **reterr) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = str_format(&path, NETNS_DIR "/%s", n->config->machine);
        if (r < 0)
                return r;

        r = namespace_create(path, &n->namespace);
        return r < 0 ? describe(reterr, r, "make the network namespace", path) : 0;
}

static int build(Network *n, char **reterr) {
        int r;

        r = create_namespace(n, reterr);
        if (r < 0)
                return r;

        r = netlink_new(&n->container); /* in the new namespace, which the process is in now */
        if (r < 0)
                return describe(reterr, r, "open a netlink socket in", n->config->machine);

        r = create_pair(n, reterr);
        if (r < 0)
                return r;

        n->host_index = netlink_link_index(n->host, n->host_name);
        if (n->host_index < 0)
                return describe(reterr, n->host_index, "find the interface", n->host_name);

        r = configure_host(n, reterr);
        if (r < 0)
                return r;

        r = configure_container(n, reterr);
        if (r < 0)
                return r;

        return write_hosts(n->config, reterr);
}

/* Interfaces are deleted by the alternative name that only ours have. */
static int delete_links(Netlink *host, const char *machine, char **reterr) {
        const struct ifinfomsg header = {};
        char owner[10 + MACHINE_NAME_MAX + 1];
        int r;

        owner_name(machine, owner);
        struct nl_msg *m = netlink_add(
                host, RTM_DELLINK, 0, &header, sizeof(header), "delete the interface '%s'", owner);
        put_string(m, IFLA_ALT_IFNAME, owner);

        char *error = NULL;
        r = netlink_run(host, &error);
        if (r >= 0 || r == -ENODEV) {
                free(error);
                return 0;
        }

        if (*reterr || !error)
                free(error);
        else
                *reterr = error;
        return r;
}

static int remove_hosts(const char *machine, char **reterr) {
        int r = file_remove(HOSTS_DIR, machine);

        return r < 0 ? describe(reterr, r, "remove the addresses of", machine) : 0;
}

static int remove_namespace(const char *machine, char **reterr) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = str_format(&path, NETNS_DIR "/%s", machine);
        if (r < 0)
                return r;

        r = namespace_remove(path);
        return r < 0 ? describe(reterr, r, "remove the network namespace", path) : 0;
}

static int tear_down(Netlink *host, const char *machine, char **reterr) {
        int r, q;

        r = remove_hosts(machine, reterr);

        q = delete_links(host, machine, reterr);
        r = r < 0 ? r : q;

        q = remove_namespace(machine, reterr);
        return r < 0 ? r : q;
}

int network_down(const char *machine, char **reterr) {
        _cleanup_(netlink_freep) Netlink *host = NULL;
        int r;

        *reterr = NULL;
        r = netlink_new(&host);
        if (r < 0)
                return describe(reterr, r, "open a netlink socket for", machine);

        return tear_down(host, machine, reterr);
}

int network_up(const NetworkConfig *config, char **reterr) {
        Network n = { .config = config, .namespace = -EBADF };
        int r;

        *reterr = NULL;
        host_interface_name(config->machine, n.host_name, n.full_name);
        owner_name(config->machine, n.owner);

        r = make_directories(reterr);
        if (r < 0)
                return r;

        r = netlink_new(&n.host);
        if (r < 0)
                return describe(reterr, r, "open a netlink socket for", config->machine);

        r = tear_down(n.host, config->machine, reterr);
        if (r >= 0) {
                r = build(&n, reterr);
                if (r < 0) {
                        char *ignored = NULL; /* the failure before is the one to report */

                        (void) tear_down(n.host, config->machine, &ignored);
                        free(ignored);
                }
        }

        netlink_free(n.container);
        netlink_free(n.host);
        if (n.namespace >= 0)
                (void) close(n.namespace);
        return r;
}
