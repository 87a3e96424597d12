/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/network.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "common/base/name.h"
#include "common/kernel/firewall.h"
#include "common/kernel/link.h"
#include "common/kernel/mac.h"
#include "common/kernel/namespace.h"
#include "common/kernel/record.h"
#include "common/kernel/sysctl.h"
#include "common/kernel/uplink.h"
#include "common/kernel/zone.h"

#define HOSTS_DIR SPAWNLET_RUN_DIR "/hosts"
#define NETNS_DIR SPAWNLET_RUN_DIR "/netns"

#define LOOPBACK_INDEX 1 /* in every namespace */

#define MTU_DEFAULT 1500U

/* What is known while a network is being made, changed or taken down. */
typedef struct Network {
        const char *machine;
        const NetworkConfig *config; /* what it is to be; NULL when it is taken down */
        Record record;
        NetworkConfig before[2]; /* what it may have been made with until now */
        size_t n_before;
        Ends ends;
        int lock; /* of what is shared; held from when the firewall forgets it until the record does */
        bool is_new;
} Network;

/* An interface's index and name, for messages. */
typedef struct Interface {
        int index;
        char name[IF_NAMESIZE];
} Interface;

static int explain(char **reterr, int error, const char *what, const char *subject) {
        if (*reterr) /* the first failure is the cause of the others */
                return error;
        return str_format(reterr, "Failed to %s '%s': %s", what, subject, strerror(-error)) < 0
                ? -ENOMEM
                : error;
}

static void network_done(Network *n) {
        for (size_t i = 0; i < n->n_before; i++)
                netconfig_done(&n->before[i]);
        netlink_free(n->ends.container);
        netlink_free(n->ends.host);
        if (n->ends.container_namespace >= 0)
                (void) close(n->ends.container_namespace);
        if (n->ends.host_namespace >= 0)
                (void) close(n->ends.host_namespace);
        record_done(&n->record);
        if (n->lock >= 0)
                (void) close(n->lock);
}

#define _cleanup_network_ _cleanup_(network_done)

static int make_directories(char **reterr) {
        static const char *const directories[] = { SPAWNLET_RUN_DIR, HOSTS_DIR, NETNS_DIR,
                SPAWNLET_RUN_DIR "/network" };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                if (mkdir(directories[i], 0755) < 0 && errno != EEXIST)
                        return explain(reterr, -errno, "make the directory", directories[i]);
        return 0;
}

static int namespace_path(const char *machine, char **ret) {
        return str_join(ret, NETNS_DIR "/", machine);
}

/* Open what is needed on the host's side. */
static int open_host(Network *n, char **reterr) {
        int r;

        n->ends.host_namespace = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (n->ends.host_namespace < 0)
                return explain(reterr, -errno, "open", "/proc/self/ns/net");

        r = netlink_new(&n->ends.host);
        return r < 0 ? explain(reterr, r, "open a netlink socket for", n->machine) : 0;
}

/* Sockets belong to the namespace that the process is in when they are made. */
static int open_container(Network *n, char **reterr) {
        int r;

        r = netlink_new(&n->ends.container);
        if (setns(n->ends.host_namespace, CLONE_NEWNET) < 0 && r >= 0)
                r = -errno;
        return r < 0 ? explain(reterr, r, "open a netlink socket in", n->machine) : 0;
}

static int create_namespace(Network *n, char **reterr) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = namespace_path(n->machine, &path);
        if (r < 0)
                return r;

        r = namespace_create(path, &n->ends.container_namespace);
        if (r < 0)
                return explain(reterr, r, "make the network namespace", path);
        return open_container(n, reterr);
}

static int enter_namespace(Network *n, char **reterr) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = namespace_path(n->machine, &path);
        if (r < 0)
                return r;

        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
                return explain(reterr, -errno, "enter the network namespace", path);

        n->ends.container_namespace = TAKE_FD(fd);
        return open_container(n, reterr);
}

/* Pairs */

static const Pair *find_pair(const NetworkConfig *c, const char *inside) {
        for (size_t i = 0; c && i < c->n_pairs; i++)
                if (strcmp(c->pairs[i].inside, inside) == 0)
                        return &c->pairs[i];
        return NULL;
}

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
                return str_format(reterr, "There is no bridge '%s'", name) < 0 ? -ENOMEM : r;
        if (r < 0)
                return explain(reterr, r, "find the bridge", name);

        *ret = link.index;
        return 0;
}

/* A container must not tell the host about routes and addresses, CVE-2020-13401. */
static int refuse_advertisements(const char *interface, char **reterr) {
        if (sysctl_read(AF_INET6, interface, "accept_ra") == -ENOENT)
                return 0; /* no IPv6 */
        return sysctl_write(AF_INET6, interface, "accept_ra", 0, reterr);
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
                r = refuse_advertisements(ret_host->name, reterr);
        if (r < 0)
                return r;

        ret_host->index = link_index(n->ends.host, ret_host->name);
        ret_inside->index = link_index(n->ends.container, p->inside);
        if (ret_host->index < 0 || ret_inside->index < 0)
                return explain(reterr, MIN(ret_host->index, ret_inside->index),
                        "find the interfaces of", p->inside);

        add_names(n, p, ret_host);
        return 0;
}

/* Whether the MTU was set, so that it has to be set back. */
static bool had_mtu(const Network *n, const Pair *p) {
        for (size_t i = 0; i < n->n_before; i++) {
                const Pair *old = find_pair(&n->before[i], p->inside);

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
                return explain(reterr, r, "find the interface of", p->inside);
        if (link.is_unnamed) { /* whoever made it was killed, perhaps before this */
                r = refuse_advertisements(link.name, reterr);
                if (r < 0)
                        return r;
        }
        r = adjust_pair(n, p, master, &link, ret_host, ret_inside);
        return r < 0 ? explain(reterr, r, "find the interface in the container", p->inside) : 0;
}

/* Whether an address was in use by this pair already, so that its route may be there. */
static bool was_local(const Network *n, const Pair *p, const Address *a) {
        for (size_t i = 0; i < n->n_before; i++) {
                const Pair *old = find_pair(&n->before[i], p->inside);

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

static void configure_inside(Network *n, const Pair *p, const Interface *inside) {
        link_set_up(n->ends.container, inside->index, inside->name, true);
        for (size_t i = 0; i < p->n_local; i++)
                address_add(n->ends.container, inside->index, inside->name, &p->local[i]);
}

/* The default route of a family, with a route to the gateway where no address's network has it. */
static void add_gateway(Network *n, const Pair *p, const Interface *inside, int family) {
        const Address *gateway = netconfig_gateway(n->config, family);
        bool on_link = false;

        if (!gateway)
                return;

        for (size_t i = 0; i < p->n_local; i++)
                on_link = on_link || address_contains(&p->local[i], gateway);
        if (!on_link)
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

static int set_up_pair(Network *n, const Pair *p, char **reterr) {
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

/* Remove of a running container's pairs what is no longer wanted, or the whole pair. */
static int reduce_pair(
        Network *n, const NetworkConfig *old_config, const Pair *old, char **reterr) {
        const Pair *p = find_pair(n->config, old->inside);
        Link link;
        int r;

        r = find_pair_link(n, old_config, old, &link);
        if (r == -ENODEV)
                return 0;
        if (r >= 0)
                r = strip_pair(n, old_config, old, p, &link, reterr);
        if (r < 0 || p)
                return r < 0 ? explain(reterr, r, "change the interface of", old->inside) : 0;

        link_delete(n->ends.host, link.index, link.name);
        return netlink_run(n->ends.host, reterr);
}

/*
 * To delete an interface takes the kernel a grace period or two, 10 to 40 ms, in which we would wait.
 * It does the same when it frees the namespace of the other end, by itself and for all interfaces
 * together. So the host's end is only taken out of the way: down, without routes, and its names are
 * free for the next start.
 */
static int retire_pair(Network *n, const NetworkConfig *c, const Pair *p, char **reterr) {
        char full_name[INTERFACE_FULL_NAME_MAX], name[IF_NAMESIZE], owner[OWNER_NAME_MAX];
        Link link;
        int r;

        r = find_pair_link(n, c, p, &link);
        if (r == -ENODEV)
                return 0;
        if (r < 0)
                return explain(reterr, r, "find the interface of", p->inside);

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
        link_delete_name(n->ends.host, link.index, owner);
        if (*full_name)
                link_delete_name(n->ends.host, link.index, full_name);
        /* No container can be called that; but what leaves our interfaces alone knows the pattern. */
        (void) snprintf(name, sizeof(name), "c-~%i", link.index);
        link_rename(n->ends.host, link.index, link.name, name);

        int q = netlink_run(n->ends.host, *reterr ? NULL : reterr);
        return r < 0 ? r : q;
}

/* Zones that @c is in, and @now is not. */
static int leave_zones(
        Network *n, const NetworkConfig *c, const NetworkConfig *now, char **reterr) {
        int r = 0;

        for (size_t i = 0; i < c->n_pairs; i++) {
                const Pair *old = &c->pairs[i], *p = find_pair(now, old->inside);
                _cleanup_close_ int lock = -EBADF;
                char *error = NULL;
                int q;

                if (!*old->zone || (p && strcmp(p->zone, old->zone) == 0))
                        continue;
                lock = records_lock();
                q = lock < 0 ? lock : zone_down(n->ends.host, old->zone, &error);
                if (q < 0 && r >= 0) {
                        r = q;
                        if (!*reterr)
                                *reterr = TAKE_PTR(error);
                }
                free(error);
        }

        return r;
}

/* Uplinks */

static const Uplink *find_uplink(const NetworkConfig *c, const Uplink *u) {
        for (size_t i = 0; c && i < c->n_uplinks; i++)
                if (c->uplinks[i].kind == u->kind && strcmp(c->uplinks[i].host, u->host) == 0 &&
                        strcmp(c->uplinks[i].inside, u->inside) == 0)
                        return &c->uplinks[i];
        return NULL;
}

static bool had_uplink(const Network *n, const Uplink *u) {
        for (size_t i = 0; i < n->n_before; i++)
                if (find_uplink(&n->before[i], u))
                        return true;
        return false;
}

static int take_back_uplinks(Network *n, const NetworkConfig *c, char **reterr) {
        int r = 0;

        for (size_t i = 0; i < c->n_uplinks; i++) {
                char *error = NULL;
                int q;

                if (find_uplink(n->config, &c->uplinks[i]))
                        continue;
                q = uplink_take_back(&n->ends, &n->record, &c->uplinks[i], &error);
                if (q < 0 && !*reterr)
                        *reterr = TAKE_PTR(error);
                free(error);
                r = r < 0 ? r : q;
        }

        return r;
}

static int give_uplinks(Network *n, char **reterr) {
        const NetworkConfig *c = n->config;

        for (size_t i = 0; i < c->n_uplinks; i++) {
                const Uplink *u = &c->uplinks[i];
                Link link;
                int r = 0;

                /* What the container has already may have another name there by now. */
                if (had_uplink(n, u)) {
                        if (u->kind == UPLINK_MOVED
                                        ? uplink_is_given(&n->ends, &n->record, u)
                                        : link_find(n->ends.container, u->inside, &link) >= 0)
                                continue;
                        /* One that was interrupted on its way is whole first. */
                        r = uplink_take_back(&n->ends, &n->record, u, reterr);
                }
                if (r >= 0)
                        r = uplink_give(&n->ends, &n->record, &c->uplinks[i], reterr);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* What is shared with other containers */

/* What nss-spawnlet reads to resolve NAME.containers: an address a line. */
static int write_hosts(const NetworkConfig *c, char **reterr) {
        _cleanup_close_ int directory = -EBADF;
        const Pair *p = netconfig_main_pair(c);
        char address[INET6_ADDRSTRLEN];
        _cleanup_str_ Str text = {};
        int r;

        for (size_t i = 0; p && i < p->n_local; i++)
                str_append_all(&text, address_format(&p->local[i], address), "\n");
        if (str_error(&text) < 0)
                return -ENOMEM;

        directory = open(HOSTS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return explain(reterr, -errno, "open", HOSTS_DIR);

        r = text.len > 0 ? file_replace(directory, c->machine, text.data, text.len, 0644)
                         : file_remove(HOSTS_DIR, c->machine);
        return r < 0 ? explain(reterr, r, "write the addresses of", c->machine) : 0;
}

static int refuse_conflict(const NetworkConfig *c, const NetworkConfig *other, char **reterr) {
        const Forward *here, *there;
        int r;

        if (!firewall_conflict(c, other, &here, &there))
                return 0;

        r = str_format(reterr, "%s port %u is forwarded to container '%s' already",
                here->udp ? "UDP" : "TCP", MAX(here->first, there->first), other->machine);
        return r < 0 ? r : -EADDRINUSE;
}

static int check_conflicts(const NetworkConfig *c, const Records *others, char **reterr) {
        int r;

        r = refuse_conflict(c, c, reterr);
        for (size_t i = 0; r >= 0 && i < others->n; i++) {
                r = zone_agrees(c, &others->items[i], reterr);
                if (r >= 0)
                        r = refuse_conflict(c, &others->items[i], reterr);
        }
        return r;
}

static bool needs_others(const NetworkConfig *c) {
        for (size_t i = 0; i < c->n_pairs; i++)
                if (*c->pairs[i].zone)
                        return true;
        return netconfig_needs_firewall(c);
}

/*
 * Before anything is made, it is written down. That it is there is also the claim on ports: between
 * the look at what others have and that, nobody else may look.
 */
static int claim(Network *n, const char *file, char **reterr) {
        _cleanup_records_ Records others = {};
        _cleanup_close_ int lock = -EBADF;
        int r = 0;

        if (needs_others(n->config)) {
                lock = records_lock();
                r = lock < 0 ? lock : records_read(n->machine, &others);
                if (r < 0)
                        return explain(reterr, r, "read the networks of", "other containers");
                r = check_conflicts(n->config, &others, reterr);
                if (r < 0)
                        return r;
        }

        r = record_write(&n->record, file, n->config);
        return r < 0 ? explain(reterr, r, "write down the network of", n->machine) : 0;
}

/* Others' records tell what they need, @now what this container does; NULL for nothing. */
static int update_firewall(Network *n, const NetworkConfig *now, char **reterr) {
        _cleanup_close_ int lock = records_lock();
        _cleanup_records_ Records all = {};
        NetworkConfig *items;
        int r;

        r = lock < 0 ? lock : records_read(n->machine, &all);
        if (r < 0)
                return explain(reterr, r, "read the networks of", "other containers");
        if (!now)
                n->lock = TAKE_FD(lock); /* else another would write the table with this record */

        items = reallocarray(all.items, all.n + 1, sizeof(NetworkConfig));
        if (!items)
                return -ENOMEM;
        all.items = items;
        if (now)
                all.items[all.n] = *now; /* borrowed: all.n does not count it */

        for (size_t i = 0; i < n->n_before; i++) {
                r = firewall_unset_sysctls(&n->before[i], all.items, all.n + (now != NULL), reterr);
                if (r < 0)
                        return r;
        }
        r = firewall_apply(all.items, all.n + (now != NULL), reterr);
        return r < 0 || !now ? r : firewall_set_sysctls(now, reterr);
}

static bool any_needs_firewall(const Network *n) {
        for (size_t i = 0; i < n->n_before; i++)
                if (netconfig_needs_firewall(&n->before[i]))
                        return true;
        return false;
}

/* The whole */

static int set_up(Network *n, char **reterr) {
        const NetworkConfig *c = n->config;
        int r;

        if (n->is_new)
                link_set_up(n->ends.container, LOOPBACK_INDEX, "lo", true);
        for (size_t i = 0; i < c->n_pairs; i++) {
                r = set_up_pair(n, &c->pairs[i], reterr);
                if (r < 0)
                        return r;
        }

        r = give_uplinks(n, reterr);
        if (r >= 0)
                r = netlink_run(n->ends.container, reterr); /* "lo", without a pair */
        if (r >= 0)
                r = write_hosts(c, reterr);
        if (r >= 0 && (netconfig_needs_firewall(c) || any_needs_firewall(n)))
                r = update_firewall(n, c, reterr);
        return r;
}

static int read_before(Network *n) {
        static const char *const files[] = { RECORD_OPTIONS, RECORD_NEXT };

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                int r = record_read(&n->record, files[i], &n->before[n->n_before]);
                if (r == -ENOMEM)
                        return r;
                if (r >= 0)
                        n->n_before++;
        }

        return 0;
}

static int remove_namespace(const char *machine, char **reterr) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = namespace_path(machine, &path);
        if (r < 0)
                return r;

        r = namespace_remove(path);
        return r < 0 ? explain(reterr, r, "remove the network namespace", path) : 0;
}

/* Everything is tried, whatever fails before. */
static int take_down_one(Network *n, const NetworkConfig *c, char **reterr) {
        int r, q;

        r = take_back_uplinks(n, c, reterr);
        for (size_t i = 0; i < c->n_pairs; i++) {
                q = retire_pair(n, c, &c->pairs[i], reterr);
                r = r < 0 ? r : q;
        }
        q = leave_zones(n, c, NULL, reterr);
        return r < 0 ? r : q;
}

static int take_down(Network *n, char **reterr) {
        _cleanup_netconfig_ NetworkConfig minimal = {};
        int r, q;

        r = file_remove(HOSTS_DIR, n->machine);
        if (r < 0)
                r = explain(reterr, r, "remove the addresses of", n->machine);

        /* Without a record, or with one that is of no use: at least the pair that most have. */
        if (n->n_before == 0) {
                q = netconfig_init(&minimal, n->machine);
                if (q >= 0)
                        q = take_down_one(n, &minimal, reterr);
                r = r < 0 ? r : q;
        }
        for (size_t i = 0; i < n->n_before; i++) {
                q = take_down_one(n, &n->before[i], reterr);
                r = r < 0 ? r : q;
        }

        if (any_needs_firewall(n)) {
                char *error = NULL;

                q = update_firewall(n, NULL, &error);
                if (q < 0 && !*reterr)
                        *reterr = TAKE_PTR(error);
                free(error);
                r = r < 0 ? r : q;
        }

        q = remove_namespace(n->machine, reterr);
        return r < 0 ? r : q;
}

/* What there may be of a network; @ret->record is open and locked, if there is one. */
static int open_existing(Network *n, char **reterr) {
        char *ignored = NULL;
        int r;

        r = open_host(n, reterr);
        if (r >= 0 && n->record.directory >= 0)
                r = read_before(n);
        if (r < 0)
                return r;

        /* After a crash it may be gone, and what is on the host is still to be removed. */
        (void) enter_namespace(n, &ignored);
        free(ignored);
        return 0;
}

static Network network_of(const char *machine) {
        return (Network){ .machine = machine,
                .record = { .machine = machine, .directory = -EBADF },
                .lock = -EBADF,
                .ends = { .host_namespace = -EBADF, .container_namespace = -EBADF } };
}

int network_down(const char *machine, char **reterr) {
        _cleanup_network_ Network n = network_of(machine);
        int r, q;

        *reterr = NULL;
        r = record_open(machine, false, &n.record);
        if (r < 0 && r != -ENOENT)
                return explain(reterr, r, "open what is written down of", machine);
        r = open_existing(&n, reterr);
        if (r < 0)
                return r;

        r = take_down(&n, reterr);
        if (n.record.directory < 0)
                return r;
        q = record_remove(&n.record);
        if (q < 0)
                q = explain(reterr, q, "remove what is written down of", machine);
        return r < 0 ? r : q;
}

/* Take back what was made, with what is open: there may be no more descriptors to have. */
static void undo(Network *n) {
        char *ignored = NULL; /* the failure before is the one to report */

        n->before[0] = *n->config; /* borrowed: n_before is set back */
        n->n_before = 1;
        n->config = NULL;
        if (n->ends.host) /* else nothing was made */
                (void) take_down(n, &ignored);
        n->n_before = 0;
        free(ignored);
        (void) record_remove(&n->record);
}

static int build(const NetworkConfig *config, char **reterr) {
        _cleanup_network_ Network n = network_of(config->machine);
        int r;

        n.config = config;
        n.is_new = true;
        r = record_open(config->machine, true, &n.record);
        if (r == 0)
                return -EEXIST; /* of another start: the caller takes that down */
        if (r < 0)
                return explain(reterr, r, "write down the network of", config->machine);

        r = claim(&n, RECORD_OPTIONS, reterr);
        if (r >= 0)
                r = open_host(&n, reterr);
        if (r >= 0)
                r = create_namespace(&n, reterr);
        if (r >= 0)
                r = set_up(&n, reterr);
        if (r < 0)
                undo(&n);
        return r;
}

int network_up(const NetworkConfig *config, char **reterr) {
        char *error = NULL;
        int r;

        *reterr = NULL;
        r = make_directories(reterr);
        if (r < 0)
                return r;

        r = build(config, reterr);
        if (r != -EEXIST)
                return r;

        /* What is in the way may be left from a start that was cut off: that is taken down, and
         * if it is not ours it is in the way once more. */
        free(*reterr);
        (void) network_down(config->machine, &error); /* as above */
        free(error);
        *reterr = NULL;
        return build(config, reterr);
}

int network_reload(const char *machine, const NetworkConfig *config, char **reterr) {
        _cleanup_network_ Network n = network_of(machine);
        int r;

        *reterr = NULL;
        r = record_open(machine, false, &n.record);
        if (r == -ENOENT)
                return str_format(reterr,
                               "Container '%s' was started without a network of its own: restart "
                               "it",
                               machine) < 0
                        ? -ENOMEM
                        : r;
        if (r < 0)
                return explain(reterr, r, "open what is written down of", machine);

        r = open_host(&n, reterr);
        if (r >= 0)
                r = read_before(&n);
        if (r < 0)
                return r;
        if (n.n_before == 0 && faccessat(n.record.directory, RECORD_OPTIONS, F_OK, 0) < 0)
                return -ENOENT; /* it is about to be made */
        if (n.n_before == 0)
                return explain(reterr, -EBADMSG, "read what is written down of", machine);

        n.config = config ? config : &n.before[n.n_before - 1];
        r = enter_namespace(&n, reterr);
        if (r >= 0)
                r = claim(&n, RECORD_NEXT, reterr);
        for (size_t i = 0; r >= 0 && i < n.n_before; i++) {
                r = take_back_uplinks(&n, &n.before[i], reterr);
                for (size_t k = 0; r >= 0 && k < n.before[i].n_pairs; k++)
                        r = reduce_pair(&n, &n.before[i], &n.before[i].pairs[k], reterr);
        }
        if (r >= 0)
                r = set_up(&n, reterr);
        for (size_t i = 0; r >= 0 && i < n.n_before; i++)
                r = leave_zones(&n, &n.before[i], n.config, reterr);
        if (r < 0)
                return r;

        r = record_commit(&n.record);
        return r < 0 ? explain(reterr, r, "write down the network of", machine) : 0;
}

int network_names(char ***ret) {
        return records_names(ret);
}
