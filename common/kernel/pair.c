/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/pair.h"

#include <net/if.h>
#include <sched.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/name.h"
#include "common/kernel/link.h"
#include "common/kernel/mac.h"
#include "common/kernel/sysctl.h"
#include "common/kernel/zone.h"

#define MTU_DEFAULT 1500U

/* An interface's index and name, for messages. */
typedef struct Interface {
        int index;
        char name[IF_NAMESIZE];
} Interface;

static bool has_address(const Address *list, size_t n, const Address *a) {
        for (size_t i = 0; i < n; i++)
                if (address_equal(&list[i], a) && list[i].prefix == a->prefix)
                        return true;
        return false;
}

static int find_bridge(Netlink *host, const char *name, int *ret, char **reterr) {
        Link link;
        int r;

        r = link_find(host, name, &link);
        if (r == -ENODEV)
                return str_format(reterr,
                               "There is no bridge '%s': make it, or use Zone= for one of ours",
                               name) < 0
                        ? -ENOMEM
                        : r;
        if (r < 0)
                return error_explain(reterr, r, "find the bridge", name);
        if (strcmp(link.kind, "bridge") != 0)
                return str_format(reterr, "'%s' is not a bridge", name) < 0 ? -ENOMEM : -EINVAL;

        *ret = link.index;
        return 0;
}

/*
 * What the kernel does by itself with IPv6 on the host's end: a container must not tell the host about
 * routes and addresses, CVE-2020-13401; and its link-local address need not wait a second or two until
 * it can be the source of a neighbour solicitation, for nobody else has it.
 */
static int tame_ipv6(const char *interface, char **reterr) {
        int r = sysctl_init(AF_INET6, interface, "accept_ra", 0, reterr);

        return r < 0 ? r : sysctl_init(AF_INET6, interface, "accept_dad", 0, reterr);
}

/* The same inside; /proc/sys/net is that of the namespace that a process is in. */
static int tame_ipv6_inside(Network *n, const char *interface, char **reterr) {
        int r;

        if (setns(n->ends.container_namespace, CLONE_NEWNET) < 0)
                return error_explain(reterr, -errno, "enter the network namespace of", n->machine);
        r = sysctl_init(AF_INET6, interface, "accept_dad", 0, reterr);
        if (setns(n->ends.host_namespace, CLONE_NEWNET) < 0)
                r = error_explain(reterr, -errno, "leave the network namespace of", n->machine);
        return r;
}

/* The alternative names of the host's end: whose it is, and what it would be called in full. */
static void add_names(Network *n, const Pair *p, const Interface *host) {
        char full_name[INTERFACE_FULL_NAME_MAX], name[IF_NAMESIZE], owner[OWNER_NAME_MAX];

        host_interface_name(n->machine, pair_name(n->config, p), name, full_name);
        owner_name(n->machine, pair_name(n->config, p), owner);
        link_add_names(n->ends.host, host->index, host->name, owner, full_name);
}

static int create_pair(Network *n, const Pair *p, int master, Interface *ret_host,
        Interface *ret_inside, char **reterr) {
        char full_name[INTERFACE_FULL_NAME_MAX];
        const char *name = pair_name(n->config, p);
        NewPair pair = {
                .host_name = ret_host->name,
                .inside = p->inside,
                .mtu = p->mtu,
                .master = master,
                .namespace = n->ends.container_namespace,
        };
        int r;

        host_interface_name(n->machine, name, ret_host->name, full_name);
        mac_of(n->machine, name, MAC_SEED_HOST, pair.host_mac);
        mac_of(n->machine, name, MAC_SEED_CONTAINER, pair.mac);
        if (p->has_mac)
                memcpy(pair.mac, p->mac, sizeof(pair.mac));

        link_add_pair(n->ends.host, &pair);
        r = netlink_run(n->ends.host, reterr);
        if (r >= 0)
                r = tame_ipv6(ret_host->name, reterr);
        if (r >= 0)
                r = tame_ipv6_inside(n, p->inside, reterr);
        if (r < 0)
                return r;

        ret_host->index = link_index(n->ends.host, ret_host->name);
        ret_inside->index = link_index(n->ends.container, p->inside);
        if (ret_host->index < 0 || ret_inside->index < 0)
                return error_explain(reterr, MIN(ret_host->index, ret_inside->index),
                        "find the interfaces of", p->inside);

        add_names(n, p, ret_host);
        return 0;
}

/* Whether the MTU was set, so that it has to be set back. */
static bool had_mtu(const Network *n, const Pair *p) {
        for (size_t i = 0; i < n->n_before; i++) {
                const Pair *old = netconfig_find_pair(&n->before[i], p->inside);

                if (old && old->mtu > 0)
                        return true;
        }
        return false;
}

/* A pair that is there: what differs is set. */
static int adjust_pair(Network *n, const Pair *p, int master, const Link *link, Interface *ret_host,
        Interface *ret_inside) {
        unsigned mtu = p->mtu > 0 || !had_mtu(n, p) ? p->mtu : MTU_DEFAULT;
        uint8_t mac[6];
        Link inside;
        int r;

        r = link_find_index(n->ends.container, link->peer, &inside);
        if (r < 0)
                return r;

        memcpy(ret_host->name, link->name, sizeof(ret_host->name));
        ret_host->index = link->index;
        ret_inside->index = link->peer;

        mac_of(n->machine, pair_name(n->config, p), MAC_SEED_CONTAINER, mac);
        if (p->has_mac)
                memcpy(mac, p->mac, sizeof(mac));

        if (mtu > 0 && link->mtu != mtu)
                link_set_mtu(n->ends.host, link->index, link->name, mtu);
        if (mtu > 0 && inside.mtu != mtu)
                link_set_mtu(n->ends.container, inside.index, inside.name, mtu);
        if (memcmp(inside.mac, mac, sizeof(mac)) != 0)
                link_set_mac(n->ends.container, inside.index, inside.name, mac);
        if (link->master != master)
                link_set_master(n->ends.host, link->index, link->name, master);
        if (!(link->flags & IFF_UP))
                link_set_up(n->ends.host, link->index, link->name, true);
        if (link->is_unnamed)
                add_names(n, p, ret_host);
        return 0;
}

static int find_pair_link(Network *n, const NetworkConfig *c, const Pair *p, Link *ret) {
        char full_name[INTERFACE_FULL_NAME_MAX], name[IF_NAMESIZE], owner[OWNER_NAME_MAX];
        LinkIdentity identity = { .owner = owner, .name = name, .kind = "veth" };

        host_interface_name(n->machine, pair_name(c, p), name, full_name);
        owner_name(n->machine, pair_name(c, p), owner);
        mac_of(n->machine, pair_name(c, p), MAC_SEED_HOST, identity.mac);
        return link_find_own(n->ends.host, &identity, ret);
}

/* The pair itself, on its bridge if it is to be on one. */
static int make_pair(Network *n, const Pair *p, int master, Interface *ret_host,
        Interface *ret_inside, char **reterr) {
        Link link;
        int r;

        (void) snprintf(ret_inside->name, sizeof(ret_inside->name), "%s", p->inside);
        if (n->is_new)
                return create_pair(n, p, master, ret_host, ret_inside, reterr);

        r = find_pair_link(n, n->config, p, &link);
        if (r == -ENODEV)
                return create_pair(n, p, master, ret_host, ret_inside, reterr);
        if (r < 0)
                return error_explain(reterr, r, "find the interface of", p->inside);
        if (link.is_unnamed) { /* whoever made it was killed, perhaps before this */
                r = tame_ipv6(link.name, reterr);
                if (r < 0)
                        return r;
        }
        r = adjust_pair(n, p, master, &link, ret_host, ret_inside);
        return r < 0 ? error_explain(reterr, r, "find the interface in the container", p->inside)
                     : 0;
}

/* Whether an address was in use by this pair already, so that its route may be there. */
static bool was_local(const Network *n, const Pair *p, const Address *a) {
        for (size_t i = 0; i < n->n_before; i++) {
                const Pair *old = netconfig_find_pair(&n->before[i], p->inside);

                if (old && has_address(old->local, old->n_local, a))
                        return true;
        }
        return false;
}

/* @on: the interface that has the addresses, the host's end or the zone's bridge */
static void configure_host(Network *n, const Pair *p, const Interface *on) {
        for (size_t i = 0; i < p->n_host; i++)
                address_add(n->ends.host, on->index, on->name, &p->host[i]);
        for (size_t i = 0; i < p->n_local; i++)
                route_add_host(n->ends.host, on->index, on->name, &p->local[i],
                        pair_host_address(p, p->local[i].family), was_local(n, p, &p->local[i]));
}

/* Whether an address is reached over this end by the prefix of one of its own. */
static bool is_on_link(const Pair *p, const Address *a) {
        for (size_t i = 0; i < p->n_local; i++)
                if (address_contains(&p->local[i], a))
                        return true;
        return false;
}

static void configure_inside(Network *n, const Pair *p, const Interface *inside) {
        link_set_up(n->ends.container, inside->index, inside->name, true);
        for (size_t i = 0; i < p->n_local; i++)
                address_add(n->ends.container, inside->index, inside->name, &p->local[i]);

        /* Of eth0 the gateway's route has that. */
        for (size_t i = 0; i < p->n_host && p != netconfig_main_pair(n->config); i++)
                if (!is_on_link(p, &p->host[i]) && pair_local_address(p, p->host[i].family))
                        route_add_host(n->ends.container, inside->index, inside->name, &p->host[i],
                                NULL, true);
}

/* The default route of a family, with a route to the gateway where no address's network has it. */
static void add_gateway(Network *n, const Pair *p, const Interface *inside, int family) {
        const Address *gateway = netconfig_gateway(n->config, family);

        if (!gateway)
                return;

        if (!is_on_link(p, gateway))
                route_add_host(
                        n->ends.container, inside->index, inside->name, gateway, NULL, !n->is_new);
        route_set_default(n->ends.container, inside->index, gateway);
}

/*
 * A connection of a container to its own forwarded port comes back the way that it went. With
 * br_netfilter, which Docker loads, addresses are rewritten inside the bridge, which sends nothing out
 * where it came in unless it is told to.
 */
static void set_hairpin(Network *n, const Pair *p, const Interface *host, bool is_on_bridge) {
        if (is_on_bridge && n->config->n_forwards > 0 && p == netconfig_main_pair(n->config))
                link_set_hairpin(n->ends.host, host->index, host->name);
}

int pair_set_up(Network *n, const Pair *p, char **reterr) {
        _cleanup_close_ int lock = -EBADF;
        Interface host = {}, inside = {}, bridge = {};
        int r = 0;

        /* The lock keeps a zone's bridge from being removed until this pair is on it. */
        if (*p->zone) {
                lock = records_lock();
                r = lock < 0 ? lock : zone_up(n->ends.host, p->zone, &bridge.index, reterr);
                pair_host_interface(n->config, p, bridge.name);
        } else if (*p->bridge) {
                r = find_bridge(n->ends.host, p->bridge, &bridge.index, reterr);
        }
        if (r >= 0)
                r = make_pair(n, p, bridge.index, &host, &inside, reterr);
        if (r < 0)
                return r;

        set_hairpin(n, p, &host, bridge.index > 0);
        if (!*p->bridge)
                configure_host(n, p, *p->zone ? &bridge : &host);
        r = netlink_run(n->ends.host, reterr);
        if (r < 0)
                return r;

        configure_inside(n, p, &inside);
        if (p == netconfig_main_pair(n->config)) {
                add_gateway(n, p, &inside, AF_INET);
                add_gateway(n, p, &inside, AF_INET6);
        }
        return netlink_run(n->ends.container, reterr);
}

/* Whether packets of the host to a container have the same source with both. */
static bool same_source(const Pair *a, const Pair *b, int family) {
        const Address *x = pair_host_address(a, family), *y = pair_host_address(b, family);

        return x && y ? address_equal(x, y) : !x && !y;
}

/* What belongs on the interfaces of @old, and not on those of @p, which is NULL if it goes. */
static int strip_pair(Network *n, const NetworkConfig *old_config, const Pair *old, const Pair *p,
        const Link *link, char **reterr) {
        bool same_place =
                p && strcmp(p->zone, old->zone) == 0 && strcmp(p->bridge, old->bridge) == 0;
        /* The addresses of a zone are its other members', too; who has any has the new ones. */
        bool owns_addresses = !*old->zone || (same_place && p->n_host > 0);
        bool on_host = !*old->bridge;
        Link on = *link;
        int r = 0;

        if (*old->zone) {
                char bridge[IF_NAMESIZE];

                pair_host_interface(old_config, old, bridge);
                r = link_find(n->ends.host, bridge, &on);
                if (r == -ENODEV) { /* and with it all that was on it */
                        owns_addresses = false;
                        on_host = false;
                        r = 0;
                }
        }

        for (size_t i = 0; r >= 0 && on_host && i < old->n_local; i++)
                if (!same_place || !has_address(p->local, p->n_local, &old->local[i]) ||
                        !same_source(old, p, old->local[i].family))
                        route_delete_host(n->ends.host, on.index, on.name, &old->local[i]);
        for (size_t i = 0; r >= 0 && owns_addresses && i < old->n_host; i++)
                if (!same_place || !has_address(p->host, p->n_host, &old->host[i]))
                        address_delete(n->ends.host, on.index, on.name, &old->host[i]);
        if (r >= 0)
                r = netlink_run(n->ends.host, reterr);
        if (r < 0 || !p)
                return r;

        for (size_t i = 0; i < old->n_local; i++)
                if (!has_address(p->local, p->n_local, &old->local[i]))
                        address_delete(n->ends.container, link->peer, old->inside, &old->local[i]);
        for (size_t i = 0; old == netconfig_main_pair(old_config) && i < 2; i++) {
                const int family = i == 0 ? AF_INET : AF_INET6;
                const Address *gateway = netconfig_gateway(old_config, family),
                              *now = netconfig_gateway(n->config, family);

                if (!gateway || (now && address_equal(now, gateway)))
                        continue;
                if (!now)
                        route_delete_default(n->ends.container, link->peer, gateway);
                route_delete_host(n->ends.container, link->peer, old->inside, gateway);
        }
        return netlink_run(n->ends.container, reterr);
}

int pair_reduce(Network *n, const NetworkConfig *old_config, const Pair *old, char **reterr) {
        const Pair *p = netconfig_find_pair(n->config, old->inside);
        Link link;
        int r;

        r = find_pair_link(n, old_config, old, &link);
        if (r == -ENODEV)
                return 0;
        if (r >= 0)
                r = strip_pair(n, old_config, old, p, &link, reterr);
        if (r < 0 || p)
                return r < 0 ? error_explain(reterr, r, "change the interface of", old->inside) : 0;

        link_delete(n->ends.host, link.index, link.name);
        return netlink_run(n->ends.host, reterr);
}

/*
 * To delete an interface takes the kernel a grace period or two, 10 to 40 ms, in which we would wait.
 * It does the same when it frees the namespace of the other end, by itself and for all interfaces
 * together. So the host's end is only taken out of the way: down, without routes, and its names are
 * free for the next start.
 */
int pair_retire(Network *n, const NetworkConfig *c, const Pair *p, char **reterr) {
        char full_name[INTERFACE_FULL_NAME_MAX], name[IF_NAMESIZE], owner[OWNER_NAME_MAX];
        Link link;
        int r;

        r = find_pair_link(n, c, p, &link);
        if (r == -ENODEV)
                return 0;
        if (r < 0)
                return error_explain(reterr, r, "find the interface of", p->inside);

        /* The other end is not where it should be, and will not be freed with it. */
        if (n->ends.container_namespace < 0) {
                link_delete(n->ends.host, link.index, link.name);
                return netlink_run(n->ends.host, reterr);
        }

        r = strip_pair(n, c, p, NULL, &link, reterr);
        host_interface_name(n->machine, pair_name(c, p), name, full_name);
        owner_name(n->machine, pair_name(c, p), owner);
        link_set_up(n->ends.host, link.index, link.name, false);
        if (link.master > 0)
                link_set_master(n->ends.host, link.index, link.name, 0);
        /* systemd-networkd 252 does not see that the last alternative name is gone, and would take the
         * next interface of that name for a mistake: so one is left. */
        (void) snprintf(name, sizeof(name), "c-~~%i", link.index);
        link_add_names(n->ends.host, link.index, link.name, name, NULL);
        netlink_tolerate(n->ends.host, EEXIST);
        link_delete_name(n->ends.host, link.index, owner);
        if (*full_name)
                link_delete_name(n->ends.host, link.index, full_name);
        /* No container can be called that; but what leaves our interfaces alone knows the pattern. */
        (void) snprintf(name, sizeof(name), "c-~%i", link.index);
        link_rename(n->ends.host, link.index, link.name, name);

        int q = netlink_run(n->ends.host, *reterr ? NULL : reterr);
        return r < 0 ? r : q;
}
