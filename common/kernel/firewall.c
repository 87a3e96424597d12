/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/firewall.h"

#include <fcntl.h>

#include "common/base/file.h"
#include "common/kernel/nft.h"
#include "common/kernel/sysctl.h"

#define TABLE "inet spawnlet"

#define CONTAINER_PREFIX "c-" /* of the host's interfaces of containers */
#define ZONE_PREFIX "z-"      /* of the bridges of zones */

/* The rules are the same for all. What differs are the elements of these sets and maps. */
typedef enum List {
        IP_ADDRESS_PORTS,
        IP6_ADDRESS_PORTS,
        IP_PORTS,
        IP6_PORTS,
        LOOPBACK_INTERFACES,
        SAME_INTERFACES,
        IP_SELF,
        IP6_SELF,
        IP_NO_WAY_BACK,
        IP6_NO_WAY_BACK,
        IP_MASQUERADED,
        IP6_MASQUERADED,
        _LIST_MAX,
} List;

static const char *const lists[_LIST_MAX] = {
        /* Ports of one address of the host, and of any: where they are forwarded to. */
        [IP_ADDRESS_PORTS] = "map ip_address_ports {\n"
                             "\t\ttype ipv4_addr . inet_proto . inet_service"
                             " : ipv4_addr . inet_service\n",
        [IP6_ADDRESS_PORTS] = "map ip6_address_ports {\n"
                              "\t\ttype ipv6_addr . inet_proto . inet_service"
                              " : ipv6_addr . inet_service\n",
        [IP_PORTS] = "map ip_ports {\n"
                     "\t\ttype inet_proto . inet_service : ipv4_addr . inet_service\n",
        [IP6_PORTS] = "map ip6_ports {\n"
                      "\t\ttype inet_proto . inet_service : ipv6_addr . inet_service\n",
        /* By which what the host sends to 127.0.0.1 is forwarded. */
        [LOOPBACK_INTERFACES] = "set loopback_interfaces {\n"
                                "\t\ttype ifname\n",
        /* Each with itself: by which what came in may leave again. */
        [SAME_INTERFACES] = "set same_interfaces {\n"
                            "\t\ttype ifname . ifname\n",
        /* Each with itself: members of zones that have ports. */
        [IP_SELF] = "set ip_self {\n"
                    "\t\ttype ipv4_addr . ipv4_addr\n",
        [IP6_SELF] = "set ip6_self {\n"
                     "\t\ttype ipv6_addr . ipv6_addr\n",
        /* Containers whose packets to others do not go by the host. */
        [IP_NO_WAY_BACK] = "set ip_no_way_back {\n"
                           "\t\ttype ipv4_addr\n",
        [IP6_NO_WAY_BACK] = "set ip6_no_way_back {\n"
                            "\t\ttype ipv6_addr\n",
        /* Masquerade= */
        [IP_MASQUERADED] = "set ip_masqueraded {\n"
                           "\t\ttype ifname . ipv4_addr\n",
        [IP6_MASQUERADED] = "set ip6_masqueraded {\n"
                            "\t\ttype ifname . ipv6_addr\n",
};

/*
 * guard: with route_localnet, see firewall_set_sysctls(), the kernel takes packets for and from
 * 127.0.0.0/8 from an interface, and so opens to the container what the host offers to itself only
 * (CVE-2020-8558). These have to go before conntrack gives replies to 127.0.0.1 that destination.
 *
 * forward_ports: of 127.0.0.0/8, only 127.0.0.1 is any address: the host's resolved listens on
 * 127.0.0.53:53. From ::1 the kernel routes nothing to another interface (IPv6 has no
 * route_localnet): a connection to it has to be refused at once, so that "localhost" falls back to
 * IPv4.
 *
 * prerouting: packets that the host sends to itself have been through output. Those from elsewhere
 * for 127.0.0.0/8 are a neighbour's that wants to reach what is forwarded for this host alone.
 *
 * postrouting: replies have to come back through the host. So connections get an address of the
 * host as their source if they come from 127.0.0.0/8, which is another host inside; if the sender
 * is beside the container, or is the container itself; and if it has no route by the host.
 *
 * Where br_netfilter is loaded, frames that only pass a bridge come here too, without iifname. Of
 * them, a container's to itself have to be masqueraded (and its port needs hairpin mode). Those of
 * Masquerade= must not be, so it goes by iifname. Between containers, addresses stay.
 */
static const char chains[] =
        "\tchain guard {\n"
        "\t\ttype filter hook prerouting priority raw; policy accept;\n"
        "\t\tiifname @loopback_interfaces ip saddr 127.0.0.0/8 drop\n"
        "\t\tiifname @loopback_interfaces ip daddr 127.0.0.0/8 drop\n"
        "\t}\n"
        "\n"
        "\tchain forward_ports {\n"
        "\t\tfib daddr type != local return\n"
        "\t\tdnat ip to ip daddr . meta l4proto . th dport map @ip_address_ports\n"
        "\t\tdnat ip6 to ip6 daddr . meta l4proto . th dport map @ip6_address_ports\n"
        "\t\tip daddr 127.0.0.0/8 ip daddr != 127.0.0.1 return\n"
        "\t\tip6 daddr ::1 return\n"
        "\t\tmeta nfproto ipv4 dnat ip to meta l4proto . th dport map @ip_ports\n"
        "\t\tmeta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @ip6_ports\n"
        "\t}\n"
        "\n"
        "\tchain prerouting {\n"
        "\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
        "\t\tip daddr 127.0.0.0/8 return\n"
        "\t\tjump forward_ports\n"
        "\t}\n"
        "\n"
        "\tchain output {\n"
        "\t\ttype nat hook output priority -100; policy accept;\n"
        "\t\tjump forward_ports\n"
        "\t}\n"
        "\n"
        "\tchain postrouting {\n"
        "\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
        "\t\tct status dnat ip saddr 127.0.0.0/8 oifname @loopback_interfaces masquerade\n"
        "\t\tct status dnat iifname . oifname @same_interfaces masquerade\n"
        "\t\tct status dnat ip saddr . ip daddr @ip_self masquerade\n"
        "\t\tct status dnat ip6 saddr . ip6 daddr @ip6_self masquerade\n"
        "\t\tct status dnat ip daddr @ip_no_way_back masquerade\n"
        "\t\tct status dnat ip6 daddr @ip6_no_way_back masquerade\n"
        "\t\tiifname . ip saddr @ip_masqueraded oifname != \"" CONTAINER_PREFIX
        "*\" oifname != \"" ZONE_PREFIX "*\" masquerade\n"
        "\t\tiifname . ip6 saddr @ip6_masqueraded oifname != \"" CONTAINER_PREFIX
        "*\" oifname != \"" ZONE_PREFIX "*\" masquerade\n"
        "\t}\n";

static const int families[] = { AF_INET, AF_INET6 };

static bool is_any(const Address *a) {
        return a->family == AF_INET ? a->in.s_addr == htonl(INADDR_ANY)
                                    : IN6_IS_ADDR_UNSPECIFIED(&a->in6);
}

static bool is_loopback(const Address *a) {
        return a->family == AF_INET ? ntohl(a->in.s_addr) >> 24 == IN_LOOPBACKNET
                                    : IN6_IS_ADDR_LOOPBACK(&a->in6);
}

/* The address that ports are forwarded to. A link-local one would need its interface beside it. */
static const Address *forward_target(const NetworkConfig *c, int family) {
        const Pair *p = netconfig_main_pair(c);

        for (size_t i = 0; p && i < p->n_local; i++)
                if (p->local[i].family == family &&
                        (family == AF_INET || !IN6_IS_ADDR_LINKLOCAL(&p->local[i].in6)))
                        return &p->local[i];
        return NULL;
}

static bool forwards_family(const NetworkConfig *c, const Forward *f, int family) {
        return (!f->has_host || f->host.family == family) && forward_target(c, family);
}

static bool forwards_loopback(const NetworkConfig *c) {
        for (size_t i = 0; i < c->n_forwards; i++) {
                const Forward *f = &c->forwards[i];

                if (forwards_family(c, f, AF_INET) &&
                        (!f->has_host || is_any(&f->host) || is_loopback(&f->host)))
                        return true;
        }
        return false;
}

static bool hosts_overlap(const Forward *a, const Forward *b) {
        if (!a->has_host || !b->has_host)
                return true;
        return a->host.family == b->host.family &&
                (is_any(&a->host) || is_any(&b->host) || address_equal(&a->host, &b->host));
}

bool firewall_conflict(const NetworkConfig *a, const NetworkConfig *b, const Forward **ret_a,
        const Forward **ret_b) {
        for (size_t i = 0; i < a->n_forwards; i++)
                for (size_t j = a == b ? i + 1 : 0; j < b->n_forwards; j++) {
                        const Forward *f = &a->forwards[i], *g = &b->forwards[j];

                        if (f->udp != g->udp || f->first > g->last || g->first > f->last ||
                                !hosts_overlap(f, g))
                                continue;

                        *ret_a = f;
                        *ret_b = g;
                        return true;
                }
        return false;
}

/* Each port is an element: a map with ranges has one value for the whole range. */
static void add_forward(
        Str elements[static _LIST_MAX], const NetworkConfig *c, const Forward *f, int family) {
        bool any = !f->has_host || is_any(&f->host);
        List list = family == AF_INET ? (any ? IP_PORTS : IP_ADDRESS_PORTS)
                                      : (any ? IP6_PORTS : IP6_ADDRESS_PORTS);
        char host[INET6_ADDRSTRLEN] = "", target[INET6_ADDRSTRLEN];

        if (!forwards_family(c, f, family))
                return;
        if (family == AF_INET6 && f->has_host && is_loopback(&f->host))
                return; /* see above, forward_ports */

        if (!any)
                (void) address_format(&f->host, host);
        (void) address_format(forward_target(c, family), target);
        for (unsigned port = f->first; port <= f->last; port++)
                str_appendf(&elements[list], "\t\t\t%s%s%s . %u : %s . %u,\n", host,
                        any ? "" : " . ", f->udp ? "udp" : "tcp", port, target,
                        f->inside + (port - f->first));
}

/* An element that more than one container may need. */
static void add_once(Str *list, const char *format, ...) _printf_(2, 3);
static void add_once(Str *list, const char *format, ...) {
        char element[2 * INET6_ADDRSTRLEN + 16];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(element, sizeof(element), format, ap);
        va_end(ap);

        if (!list->data || !strstr(list->data, element))
                str_append(list, element);
}

/*
 * Whether replies to a connection from anywhere come back to the host. On a pair of its own, the
 * host is all that the container can send to. On a bridge it sends to its gateway.
 */
static bool replies_come_back(const NetworkConfig *c, int family) {
        const Pair *p = netconfig_main_pair(c);
        const Address *gateway = netconfig_gateway(c, family);

        if (!gateway || *p->bridge)
                return false;
        if (!*p->zone)
                return true;
        for (size_t i = 0; i < p->n_host; i++)
                if (address_equal(&p->host[i], gateway))
                        return true;
        return false;
}

static void add_forwards(Str elements[static _LIST_MAX], const NetworkConfig *c) {
        const Pair *p = netconfig_main_pair(c);
        char interface[IF_NAMESIZE], address[INET6_ADDRSTRLEN];

        if (!p || c->n_forwards == 0)
                return;

        for (size_t i = 0; i < c->n_forwards; i++)
                for (size_t k = 0; k < ELEMENTSOF(families); k++)
                        add_forward(elements, c, &c->forwards[i], families[k]);

        pair_host_interface(c, p, interface);
        add_once(&elements[SAME_INTERFACES], "\t\t\t\"%s\" . \"%s\",\n", interface, interface);
        if (forwards_loopback(c))
                add_once(&elements[LOOPBACK_INTERFACES], "\t\t\t\"%s\",\n", interface);

        for (size_t k = 0; k < ELEMENTSOF(families); k++) {
                const Address *target = forward_target(c, families[k]);
                bool v4 = families[k] == AF_INET;

                if (!target)
                        continue;
                (void) address_format(target, address);
                if (*p->zone)
                        add_once(&elements[v4 ? IP_SELF : IP6_SELF], "\t\t\t%s . %s,\n", address,
                                address);
                if (!replies_come_back(c, families[k]))
                        add_once(&elements[v4 ? IP_NO_WAY_BACK : IP6_NO_WAY_BACK], "\t\t\t%s,\n",
                                address);
        }
}

static void add_masquerade(Str elements[static _LIST_MAX], const NetworkConfig *c) {
        char interface[IF_NAMESIZE], address[INET6_ADDRSTRLEN];

        for (size_t i = 0; c->masquerade && i < c->n_pairs; i++) {
                const Pair *p = &c->pairs[i];

                pair_host_interface(c, p, interface);
                for (size_t j = 0; j < p->n_local; j++)
                        add_once(&elements[p->local[j].family == AF_INET ? IP_MASQUERADED
                                                                         : IP6_MASQUERADED],
                                "\t\t\t\"%s\" . %s,\n", interface,
                                address_format(&p->local[j], address));
        }
}

/* Every list is there, also an empty one: the rules name them all. */
static void append_table(Str *text, const Str elements[static _LIST_MAX]) {
        str_append(text, "table " TABLE " {\n");
        for (List i = 0; i < _LIST_MAX; i++) {
                str_append_all(text, "\t", lists[i]);
                if (elements[i].len > 0)
                        str_append_all(text, "\t\telements = {\n", elements[i].data, "\t\t}\n");
                str_append(text, "\t}\n\n");
        }
        str_append_all(text, chains, "}\n");
}

/* nft(8) has no way to write these in a name, and they would end it. */
static bool names_are_plain(const NetworkConfig *c) {
        char interface[IF_NAMESIZE];

        for (size_t i = 0; i < c->n_pairs; i++) {
                pair_host_interface(c, &c->pairs[i], interface);
                if (strpbrk(interface, "\"\\*"))
                        return false;
        }
        return true;
}

int firewall_ruleset(const NetworkConfig *all, size_t n, char **ret) {
        Str elements[_LIST_MAX] = {};
        _cleanup_str_ Str text = {};
        bool needed = false;

        for (size_t i = 0; i < n; i++)
                if (netconfig_needs_firewall(&all[i])) {
                        if (!names_are_plain(&all[i]))
                                return -EINVAL;
                        needed = true;
                }

        for (size_t i = 0; i < n; i++) {
                add_forwards(elements, &all[i]);
                add_masquerade(elements, &all[i]);
        }

        /* It can be deleted only if it is there; "destroy" is of nft 1.0.7 and Linux 6.3. */
        str_append(&text, "add table " TABLE "\ndelete table " TABLE "\n");
        if (needed)
                append_table(&text, elements);

        for (List i = 0; i < _LIST_MAX; i++) {
                text.failed = text.failed || elements[i].failed;
                str_done(&elements[i]);
        }
        return str_take(&text, ret);
}

int firewall_apply(const NetworkConfig *all, size_t n, char **reterr) {
        _cleanup_free_ char *text = NULL, *reason = NULL;
        int r;

        *reterr = NULL;
        r = firewall_ruleset(all, n, &text);
        if (r == -EINVAL && str_replace(&reason, "the name of a bridge has \", \\ or * in it") < 0)
                return -ENOMEM;
        if (r >= 0)
                r = nft_run(text, &reason);
        if (r >= 0)
                return 0;

        return str_format(reterr, "Failed to write the nftables table '" TABLE "': %s",
                       reason ? reason : strerror(-r)) < 0
                ? -ENOMEM
                : r;
}

/*
 * Give a setting a value at all interfaces by which the host reaches others: not at its loopback
 * and not at containers'. Those that are down or have no address yet are among them, as DHCP may be
 * slower than the first container.
 */
static int set_uplinks(int family, const char *key, int from, int to, char **reterr) {
        struct if_nameindex *interfaces = if_nameindex();
        int r = 0;

        if (!interfaces) {
                r = -errno;
                return str_format(reterr, "Failed to list the interfaces: %s", strerror(-r)) < 0
                        ? -ENOMEM
                        : r;
        }

        for (struct if_nameindex *i = interfaces; r >= 0 && i->if_index > 0; i++) {
                if (strcmp(i->if_name, "lo") == 0 ||
                        str_starts_with(i->if_name, CONTAINER_PREFIX) ||
                        str_starts_with(i->if_name, ZONE_PREFIX))
                        continue;
                /* One with a tiny MTU has no IPv6, and any may be gone meanwhile. */
                if (sysctl_read(family, i->if_name, key) == from)
                        r = sysctl_write(family, i->if_name, key, to, reterr);
                if (r == -ENOENT) {
                        free(TAKE_PTR(*reterr));
                        r = 0;
                }
        }

        if_freenameindex(interfaces);
        return r;
}

/*
 * Before Linux 6.17, which has force_forwarding, IPv6 is forwarded at all interfaces or at none. A
 * host that forwards takes router advertisements only where accept_ra is 2, and would lose its own
 * addresses and routes; ip-sysctl.rst, "accept_ra".
 */
static int forward_all_ipv6(char **reterr) {
        int r;

        if (sysctl_read(AF_INET6, "all", "forwarding") == 1)
                return 0;

        r = set_uplinks(AF_INET6, "accept_ra", 1, 2, reterr);
        return r < 0 ? r : sysctl_write(AF_INET6, "all", "forwarding", 1, reterr);
}

static int forward_family(const NetworkConfig *c, int family, char **reterr) {
        const char *key = family == AF_INET ? "forwarding" : "force_forwarding";
        char interface[IF_NAMESIZE];
        size_t n_found = 0;
        int r;

        for (size_t i = 0; i < c->n_pairs; i++)
                n_found += pair_local_address(&c->pairs[i], family) != NULL;
        if (n_found == 0)
                return 0;

        if (family == AF_INET6 && sysctl_read(AF_INET6, "all", key) == -ENOENT)
                return forward_all_ipv6(reterr);

        for (size_t i = 0; i < c->n_pairs; i++) {
                if (!pair_local_address(&c->pairs[i], family))
                        continue;
                pair_host_interface(c, &c->pairs[i], interface);
                r = sysctl_write(family, interface, key, 1, reterr);
                if (r < 0)
                        return r;
        }

        return set_uplinks(family, key, 0, 1, reterr);
}

int firewall_set_sysctls(const NetworkConfig *c, char **reterr) {
        char interface[IF_NAMESIZE];
        int r;

        *reterr = NULL;
        if (!netconfig_needs_firewall(c))
                return 0;

        for (size_t k = 0; k < ELEMENTSOF(families); k++) {
                r = forward_family(c, families[k], reterr);
                if (r < 0)
                        return r;
        }

        if (!forwards_loopback(c))
                return 0;
        pair_host_interface(c, netconfig_main_pair(c), interface);
        return sysctl_write(AF_INET, interface, "route_localnet", 1, reterr);
}

int firewall_unset_sysctls(
        const NetworkConfig *c, const NetworkConfig *all, size_t n, char **reterr) {
        char interface[IF_NAMESIZE], other[IF_NAMESIZE];

        *reterr = NULL;
        if (!forwards_loopback(c))
                return 0;

        pair_host_interface(c, netconfig_main_pair(c), interface);
        for (size_t i = 0; i < n; i++) {
                if (!forwards_loopback(&all[i]))
                        continue;
                pair_host_interface(&all[i], netconfig_main_pair(&all[i]), other);
                if (strcmp(interface, other) == 0)
                        return 0;
        }

        if (sysctl_read(AF_INET, interface, "route_localnet") == -ENOENT)
                return 0; /* the interface is gone */
        return sysctl_write(AF_INET, interface, "route_localnet", 0, reterr);
}
