/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/zone.h"

#include <string.h>
#include <sys/socket.h>

#include "common/kernel/link.h"
#include "common/kernel/mac.h"
#include "common/kernel/sysctl.h"

/* The bridge's name, and the alternative one that says that it is ours. */
typedef struct ZoneNames {
        char bridge[IF_NAMESIZE];
        char owner[IF_NAMESIZE + sizeof("spawnlet-zone-")];
} ZoneNames;

static ZoneNames names_of(const char *zone) {
        ZoneNames names;

        (void) snprintf(names.bridge, sizeof(names.bridge), "z-%s", zone);
        (void) snprintf(names.owner, sizeof(names.owner), "spawnlet-zone-%s", zone);
        return names;
}

static int find(Netlink *host, const char *zone, const ZoneNames *names, Link *ret) {
        LinkIdentity identity = { .owner = names->owner, .name = names->bridge, .kind = "bridge" };

        mac_of(zone, NULL, MAC_SEED_ZONE, identity.mac);
        return link_find_own(host, &identity, ret);
}

static int make(Netlink *host, const char *zone, const ZoneNames *names, char **reterr) {
        uint8_t mac[6];

        mac_of(zone, NULL, MAC_SEED_ZONE, mac);
        link_add_bridge(host, names->bridge, mac);
        return netlink_run(host, reterr);
}

/* What is still to be done, of one that was made now or by somebody who was killed over it. */
static int complete(Netlink *host, const ZoneNames *names, int *ret_index, char **reterr) {
        Link link;
        int r;

        /* Its members must not tell the host about routes and addresses, CVE-2020-13401. */
        r = sysctl_init(AF_INET6, names->bridge, "accept_ra", 0, reterr);
        if (r >= 0)
                r = sysctl_init(AF_INET6, names->bridge, "accept_dad", 0, reterr);
        if (r >= 0)
                r = link_find(host, names->bridge, &link);
        if (r < 0)
                return r;

        link_add_names(host, link.index, names->bridge, names->owner, NULL);
        *ret_index = link.index;
        return netlink_run(host, reterr);
}

int zone_up(Netlink *host, const char *zone, int *ret_index, char **reterr) {
        const ZoneNames names = names_of(zone);
        Link link;
        int r;

        r = find(host, zone, &names, &link);
        if (r >= 0 && !link.is_unnamed) {
                *ret_index = link.index;
                return 0;
        }
        if (r == -ENODEV)
                r = make(host, zone, &names, reterr);
        return r < 0 ? r : complete(host, &names, ret_index, reterr);
}

int zone_down(Netlink *host, const char *zone, char **reterr) {
        const ZoneNames names = names_of(zone);
        Link link;
        int r;

        r = find(host, zone, &names, &link);
        if (r == -ENODEV)
                return 0;
        if (r >= 0)
                r = link_has_ports(host, link.index);
        if (r != 0)
                return r < 0 ? r : 0;

        link_delete(host, link.index, names.bridge);
        return netlink_run(host, reterr);
}

static bool same_addresses(const Pair *a, const Pair *b) {
        if (a->n_host != b->n_host)
                return false;

        for (size_t i = 0; i < a->n_host; i++) {
                bool found = false;

                for (size_t k = 0; k < b->n_host; k++)
                        found = found ||
                                (address_equal(&a->host[i], &b->host[k]) &&
                                        a->host[i].prefix == b->host[k].prefix);
                if (!found)
                        return false;
        }
        return true;
}

int zone_agrees(const NetworkConfig *a, const NetworkConfig *b, char **reterr) {
        for (size_t i = 0; i < a->n_pairs; i++)
                for (size_t k = 0; k < b->n_pairs; k++) {
                        const Pair *x = &a->pairs[i], *y = &b->pairs[k];

                        if (!*x->zone || strcmp(x->zone, y->zone) != 0 || x->n_host == 0 ||
                                y->n_host == 0 || same_addresses(x, y))
                                continue;
                        return str_format(reterr,
                                       "Zone '%s' has other HostAddress= lines in container '%s': "
                                       "restart all its "
                                       "members at once",
                                       x->zone, b->machine) < 0
                                ? -ENOMEM
                                : -EINVAL;
                }

        return 0;
}
