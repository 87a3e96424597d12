/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/netconfig.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/base/name.h"
#include "common/base/parse.h"

#define MAIN_INTERFACE "eth0"
#define PAIRS_MAX 65U   /* eth0 and as many sections [Veth NAME] as a definition may have */
#define UPLINKS_MAX 64U /* anything more is a mistake */
#define FORWARDS_MAX 4096U

static int refuse(const char **reterr, int error, const char *why) {
        *reterr = why;
        return error;
}

/* Room for one more in an array; the array stays as it is on failure. */
static int grow(void **array, size_t n, size_t max, size_t size, const char **reterr) {
        void *grown;

        if (n >= max)
                return refuse(reterr, -E2BIG, "too many of them");

        grown = reallocarray(*array, n + 1, size);
        if (!grown)
                return -ENOMEM;

        *array = grown;
        memset((char *) grown + n * size, 0, size);
        return 0;
}

static Pair *last_pair(NetworkConfig *c) {
        return c->n_pairs > 0 ? &c->pairs[c->n_pairs - 1] : NULL;
}

static int add_address(Address *list, size_t *n, const char *value, const char **reterr) {
        if (*n >= ADDRESSES_MAX)
                return refuse(reterr, -E2BIG, "too many of them");
        if (address_parse(value, &list[*n], reterr) < 0)
                return -EINVAL;

        (*n)++;
        return 0;
}

static int set_host_address(NetworkConfig *c, const char *value, const char **reterr) {
        Pair *p = last_pair(c);

        return add_address(p->host, &p->n_host, value, reterr);
}

static int set_local_address(NetworkConfig *c, const char *value, const char **reterr) {
        Pair *p = last_pair(c);

        return add_address(p->local, &p->n_local, value, reterr);
}

static int set_interface_name(
        char ret[static IF_NAMESIZE], const char *value, const char **reterr) {
        if (!interface_name_is_valid(value))
                return refuse(reterr, -EINVAL, "not a name that an interface may have");

        (void) snprintf(ret, IF_NAMESIZE, "%s", value);
        return 0;
}

static int set_bridge(NetworkConfig *c, const char *value, const char **reterr) {
        return set_interface_name(last_pair(c)->bridge, value, reterr);
}

static int set_zone(NetworkConfig *c, const char *value, const char **reterr) {
        char bridge[IF_NAMESIZE];

        if (strlen(value) + strlen("z-") >= sizeof(bridge))
                return refuse(reterr, -EINVAL, "longer than 13 characters");

        (void) snprintf(bridge, sizeof(bridge), "z-%s", value);
        if (!interface_name_is_valid(bridge))
                return refuse(reterr, -EINVAL, "not a name that a zone may have");
        (void) snprintf(last_pair(c)->zone, IF_NAMESIZE, "%s", value);
        return 0;
}

static int set_mac_address(NetworkConfig *c, const char *value, const char **reterr) {
        Pair *p = last_pair(c);

        if (parse_mac(value, p->mac) < 0)
                return refuse(reterr, -EINVAL, "not an Ethernet address");
        p->has_mac = true;
        return 0;
}

static int set_mtu(NetworkConfig *c, const char *value, const char **reterr) {
        uint64_t mtu;

        if (parse_unsigned(value, 68, 65535, &mtu) < 0)
                return refuse(reterr, -EINVAL, "not an MTU, 68 to 65535");
        last_pair(c)->mtu = (unsigned) mtu;
        return 0;
}

static int add_pair(NetworkConfig *c, const char *inside, const char **reterr) {
        int r;

        r = grow((void **) &c->pairs, c->n_pairs, PAIRS_MAX, sizeof(Pair), reterr);
        if (r >= 0)
                r = set_interface_name(c->pairs[c->n_pairs].inside, inside, reterr);
        if (r >= 0)
                c->n_pairs++;
        return r;
}

static int set_veth(NetworkConfig *c, const char *value, const char **reterr) {
        if (netconfig_find_pair(c, value))
                return refuse(reterr, -EINVAL, "there is one of this name already");
        return add_pair(c, value, reterr);
}

/* Comes before all options of pairs. */
static int set_no_veth(NetworkConfig *c, const char *value, const char **reterr) {
        (void) value;
        (void) reterr;
        c->no_veth = true;
        c->n_pairs = 0;
        return 0;
}

static int set_gateway(NetworkConfig *c, const char *value, const char **reterr) {
        if (strcmp(value, "none") == 0) {
                c->no_gateway = true;
                return 0;
        }
        if (c->n_gateway >= ELEMENTSOF(c->gateway))
                return refuse(reterr, -E2BIG, "too many of them");
        if (address_parse(value, &c->gateway[c->n_gateway], reterr) < 0)
                return -EINVAL;

        c->n_gateway++;
        return 0;
}

/* Any address of the host, also its loopback. */
static int parse_forward_host(const char *text, size_t size, Address *ret) {
        char address[INET6_ADDRSTRLEN];

        if (size >= sizeof(address))
                return -EINVAL;
        memcpy(address, text, size);
        address[size] = '\0';

        if (inet_pton(AF_INET, address, &ret->in) == 1)
                ret->family = AF_INET;
        else if (inet_pton(AF_INET6, address, &ret->in6) == 1)
                ret->family = AF_INET6;
        else
                return -EINVAL;

        ret->prefix = (unsigned) address_length(ret) * 8;
        return 0;
}

static int set_port(NetworkConfig *c, const char *value, const char **reterr) {
        Forward f = {};
        Port port;
        int r;

        if (port_parse(value, &port, reterr) < 0)
                return -EINVAL;
        if (port.host && parse_forward_host(port.host, port.host_size, &f.host) < 0)
                return refuse(reterr, -EINVAL, "not an address of the host");

        r = grow((void **) &c->forwards, c->n_forwards, FORWARDS_MAX, sizeof(Forward), reterr);
        if (r < 0)
                return r;

        f.udp = port.udp;
        f.has_host = port.host != NULL;
        f.first = (uint16_t) port.first;
        f.last = (uint16_t) port.last;
        f.inside = (uint16_t) port.inside;
        c->forwards[c->n_forwards++] = f;
        return 0;
}

static int set_masquerade(NetworkConfig *c, const char *value, const char **reterr) {
        (void) value;
        (void) reterr;
        c->masquerade = true;
        return 0;
}

/* HOST[:INSIDE]; without INSIDE the name is nspawn's, systemd-nspawn(1). */
static int add_uplink(NetworkConfig *c, UplinkKind kind, const char *value, const char **reterr) {
        static const char *const prefixes[] = {
                [UPLINK_MOVED] = "",
                [UPLINK_MACVLAN] = "mv-",
                [UPLINK_IPVLAN] = "iv-",
        };
        char host[IF_NAMESIZE] = "", full[IF_NAMESIZE + 3];
        size_t n = strcspn(value, ":");
        Uplink *u;
        int r;

        if (n >= sizeof(host))
                return refuse(reterr, -EINVAL, "not a name that an interface may have");
        memcpy(host, value, n);

        r = grow((void **) &c->uplinks, c->n_uplinks, UPLINKS_MAX, sizeof(Uplink), reterr);
        if (r < 0)
                return r;

        u = &c->uplinks[c->n_uplinks];
        u->kind = kind;
        r = set_interface_name(u->host, host, reterr);
        if (r < 0)
                return r;

        if (value[n] == ':') {
                r = set_interface_name(u->inside, value + n + 1, reterr);
                if (r < 0)
                        return r;
        } else {
                (void) snprintf(full, sizeof(full), "%s%s", prefixes[kind], host);
                (void) interface_name_shorten(full, u->inside);
        }

        c->n_uplinks++;
        return 0;
}

static int set_interface(NetworkConfig *c, const char *value, const char **reterr) {
        return add_uplink(c, UPLINK_MOVED, value, reterr);
}

static int set_macvlan(NetworkConfig *c, const char *value, const char **reterr) {
        return add_uplink(c, UPLINK_MACVLAN, value, reterr);
}

static int set_ipvlan(NetworkConfig *c, const char *value, const char **reterr) {
        return add_uplink(c, UPLINK_IPVLAN, value, reterr);
}

const NetworkOption network_options[] = {
        { "no-veth", NULL, "No pair with eth0", set_no_veth },
        { "veth", "NAME", "A further pair, NAME inside", set_veth },
        { "host-address", "ADDRESS", "Address of the host's end", set_host_address, true },
        { "local-address", "ADDRESS", "Address of the container's end", set_local_address, true },
        { "bridge", "NAME", "Bridge that the host's end joins", set_bridge, true },
        { "zone", "NAME", "Zone whose bridge the host's end joins", set_zone, true },
        { "mac-address", "ADDRESS", "Ethernet address of the container's end", set_mac_address,
                true },
        { "mtu", "BYTES", "MTU of both ends", set_mtu, true },
        { "gateway", "ADDRESS|none", "Default gateway inside, one for each family", set_gateway },
        { "port", "PORT", "Port to forward, as Port= has it", set_port },
        { "masquerade", NULL, "Let packets leave under the host's addresses", set_masquerade },
        { "interface", "HOST[:NAME]", "Interface of the host to move", set_interface },
        { "macvlan", "HOST[:NAME]", "Interface to make a macvlan of", set_macvlan },
        { "ipvlan", "HOST[:NAME]", "Interface to make an ipvlan of", set_ipvlan },
        {},
};

int netconfig_init(NetworkConfig *c, const char *machine) {
        const char *error;

        *c = (NetworkConfig){ .machine = strdup(machine) };
        return c->machine ? add_pair(c, MAIN_INTERFACE, &error) : -ENOMEM;
}

void netconfig_done(NetworkConfig *c) {
        free(c->machine);
        str_done(&c->text);
        free(c->pairs);
        free(c->forwards);
        free(c->uplinks);
        *c = (NetworkConfig){};
}

int netconfig_set(NetworkConfig *c, const char *option, const char *value, const char **reterr) {
        for (const NetworkOption *o = network_options; o->name; o++) {
                if (strcmp(o->name, option) != 0)
                        continue;
                if ((o->value != NULL) != (value != NULL))
                        return refuse(reterr, -EINVAL,
                                o->value ? "takes a value" : "does not take a value");
                if (o->of_pair && c->n_pairs == 0)
                        return refuse(reterr, -EINVAL, "belongs to a pair, and there is none");
                int r = o->set(c, value, reterr);
                if (r < 0)
                        return r;
                str_append_all(&c->text, option, value ? "=" : "", value ? value : "", "\n");
                return str_error(&c->text);
        }

        return refuse(reterr, -EINVAL, "unknown option");
}

int netconfig_parse(NetworkConfig *c, char *text, const char **reterr) {
        for (char *line = text, *next; line && *line; line = next) {
                char *end = strchr(line, '\n'), *value;
                int r;

                next = end ? end + 1 : NULL;
                if (end)
                        *end = '\0';
                value = strchr(line, '=');
                if (value)
                        *value++ = '\0';

                r = netconfig_set(c, line, value, reterr);
                if (r < 0)
                        return r;
        }

        return 0;
}

void netconfig_complete(NetworkConfig *c) {
        for (size_t i = 0; i < c->n_pairs; i++) {
                Pair *p = &c->pairs[i];

                for (size_t k = 0; *p->zone && k < p->n_local; k++)
                        for (size_t h = 0; h < p->n_host; h++)
                                if (address_is_host(&p->local[k]) &&
                                        address_contains(&p->host[h], &p->local[k]))
                                        p->local[k].prefix = p->host[h].prefix;
        }
}

const Pair *netconfig_main_pair(const NetworkConfig *c) {
        return c->no_veth ? NULL : &c->pairs[0];
}

const Pair *netconfig_find_pair(const NetworkConfig *c, const char *inside) {
        for (size_t i = 0; c && i < c->n_pairs; i++)
                if (strcmp(c->pairs[i].inside, inside) == 0)
                        return &c->pairs[i];
        return NULL;
}

static const Address *first_of_family(const Address *addresses, size_t n, int family) {
        for (size_t i = 0; i < n; i++)
                if (addresses[i].family == family)
                        return &addresses[i];
        return NULL;
}

const Address *pair_host_address(const Pair *p, int family) {
        return first_of_family(p->host, p->n_host, family);
}

const Address *pair_local_address(const Pair *p, int family) {
        return first_of_family(p->local, p->n_local, family);
}

const Address *netconfig_gateway(const NetworkConfig *c, int family) {
        const Pair *p = netconfig_main_pair(c);
        const Address *gateway;

        if (!p || c->no_gateway || !pair_local_address(p, family))
                return NULL;

        gateway = first_of_family(c->gateway, c->n_gateway, family);
        return gateway ? gateway : pair_host_address(p, family);
}

bool netconfig_needs_firewall(const NetworkConfig *c) {
        return c->n_forwards > 0 || c->masquerade;
}

const char *pair_name(const NetworkConfig *c, const Pair *p) {
        return p == netconfig_main_pair(c) ? NULL : p->inside;
}

void pair_host_interface(const NetworkConfig *c, const Pair *p, char ret[static IF_NAMESIZE]) {
        char full[INTERFACE_FULL_NAME_MAX];

        if (*p->bridge)
                (void) snprintf(ret, IF_NAMESIZE, "%s", p->bridge);
        else if (*p->zone)
                (void) snprintf(ret, IF_NAMESIZE, "z-%.*s", IF_NAMESIZE - 3, p->zone);
        else
                host_interface_name(c->machine, pair_name(c, p), ret, full);
}
