/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/check.h"

#include "common/base/hardening.h"
#include "common/base/name.h"
#include "common/base/parse.h"

static int complain(Diags *diags, const Setting *s, const char *hint, const char *message) {
        return definition_complain(diags, SEVERITY_ERROR, s, hint, message);
}

/* When a key is set, and to something else than "no". */
static const Setting *in_force(const Definition *d, KeyId id) {
        const Setting *s = definition_find(d, id);

        return s && strcmp(s->value, "no") != 0 ? s : NULL;
}

/* Two keys that cannot both be in force. */
static const struct {
        KeyId key, other; /* the finding stands at the first */
        const char *hint, *message;
} contradictions[] = {
        { KEY_IMAGE, KEY_ROOT, "remove one of the two",
                "contradicts Root=: the file system is in a directory or in an image" },
        { KEY_IMAGE, KEY_SYSTEM, "use Root=", "contradicts System=, which needs a directory" },
        { KEY_INIT, KEY_COMMAND, "remove one of the two",
                "contradicts Command=, which runs instead of an init" },
        { KEY_SERVICES, KEY_INIT, "remove this line or Init=",
                "only the host's systemd starts units, not another init" },
        { KEY_SERVICES, KEY_COMMAND,
                "remove this line or Command=", "no systemd runs inside with Command=" },
        { KEY_PARAMETERS, KEY_COMMAND, "write them behind the command",
                "Command= has its own arguments" },
        { KEY_READ_ONLY, KEY_VOLATILE, "remove this line",
                "contradicts Volatile=, which is read-only where it is not volatile" },
        { KEY_BRIDGE, KEY_HOST_ADDRESS, "give the bridge the address",
                "contradicts HostAddress=: the bridge keeps its own addresses" },
        { KEY_BRIDGE, KEY_ZONE, "remove one of the two",
                "contradicts Zone=, which has a bridge of its own" },
        { KEY_NAMESPACE_PATH, KEY_NAMESPACE, "remove one of the two",
                "contradicts Namespace=: there is one network namespace to join" },
        { KEY_DNS, KEY_RESOLV_CONF, "remove one of the two",
                "contradicts ResolvConf=: resolv.conf is written for DNS=" },
};

#define NO_HEALTH_COMMAND "has a meaning only with HealthCommand="

/* Keys that mean nothing where another is not in force. */
static const struct {
        KeyId key, needs;
        const char *hint, *message;
} needs[] = {
        { KEY_PROCESS_TWO, KEY_COMMAND, "remove this line",
                "has a meaning only with Command=: an init is PID 1" },
        { KEY_USER, KEY_COMMAND, "remove this line",
                "has a meaning only with Command=: an init runs as root" },
        { KEY_AMBIENT_CAPABILITY, KEY_COMMAND,
                "use Capability=", "has a meaning only with Command=" },
        { KEY_BIND_USER_SHELL, KEY_BIND_USER,
                "add BindUser=", "has a meaning only with BindUser=" },
        { KEY_PRIVATE_USERS_DELEGATE, KEY_PRIVATE_USERS, "add PrivateUsers=managed",
                "needs private users" },
        { KEY_HEALTH_INTERVAL, KEY_HEALTH_COMMAND, "add HealthCommand=", NO_HEALTH_COMMAND },
        { KEY_HEALTH_RETRIES, KEY_HEALTH_COMMAND, "add HealthCommand=", NO_HEALTH_COMMAND },
        { KEY_HEALTH_TIMEOUT, KEY_HEALTH_COMMAND, "add HealthCommand=", NO_HEALTH_COMMAND },
        { KEY_HEALTH_START_PERIOD, KEY_HEALTH_COMMAND, "add HealthCommand=", NO_HEALTH_COMMAND },
        { KEY_HEALTH_ON_FAILURE, KEY_HEALTH_COMMAND, "add HealthCommand=", NO_HEALTH_COMMAND },
        { KEY_SEARCH, KEY_DNS, "add DNS=", "needs DNS=: a resolv.conf without a name server" },
};

static int check_tables(const Definition *d, Diags *diags) {
        const Setting *s;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(contradictions); i++) {
                s = in_force(d, contradictions[i].key);
                if (s && in_force(d, contradictions[i].other))
                        r = complain(diags, s, contradictions[i].hint, contradictions[i].message);
        }
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(needs); i++) {
                s = in_force(d, needs[i].key);
                if (s && !in_force(d, needs[i].needs))
                        r = complain(diags, s, needs[i].hint, needs[i].message);
        }

        return r;
}

static int check_health(const Definition *d, Diags *diags) {
        const Setting *s = definition_find(d, KEY_NOTIFY_READY);

        if (!s || strcmp(s->value, "healthy") != 0 || definition_find(d, KEY_HEALTH_COMMAND))
                return 0;
        return complain(diags, s, "add HealthCommand=", "nothing says whether it is healthy");
}

/* Whether a word is one of a shell's own, which no program knows. */
static bool is_of_shell(const char *word) {
        static const char *const words[] = { "&&", "||", "|", ";", "&", ">", ">>", "<", "2>&1" };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strcmp(words[i], word) == 0)
                        return true;
        return false;
}

/* Commands that were written for a shell, as those of Docker's health checks are. */
static int check_commands(const Definition *d, Diags *diags) {
        for (size_t i = 0; i < d->n_settings; i++) {
                const Setting *s = &d->settings[i];

                if (!s->key || s->key->type != TYPE_COMMAND || !is_of_shell(s->value))
                        continue;
                int r = definition_complain(diags, SEVERITY_WARNING, s,
                        "write /bin/sh -c '...' if it is meant for a shell",
                        "goes to the command as an argument: there is no shell");
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Definitions in the place of their units, in [Unit] and [Install]. */
static int check_dependencies(const Definition *d, Diags *diags) {
        for (size_t i = 0; i < d->n_settings; i++) {
                const Setting *s = &d->settings[i];
                const char *end = s->key || strcmp(s->section, "Service") == 0 ||
                                strcmp(s->name, "Description") == 0
                        ? NULL
                        : strstr(s->value, ".container");

                end = end ? end + strlen(".container") : NULL;
                if (!end || (*end && *end != ' '))
                        continue;
                int r = definition_complain(diags, SEVERITY_WARNING, s,
                        "write container-NAME.service", "a definition is no unit");
                if (r < 0)
                        return r;
        }

        return 0;
}

static int check_system(const Definition *d, Diags *diags) {
        const Setting *s;
        int r = 0;

        s = definition_find(d, KEY_SERVICES);
        if (s && definition_system(d) != SYSTEM_HOST)
                r = complain(diags, s, "enable the units inside the container",
                        "has a meaning only with System=host");

        s = definition_find(d, KEY_INIT);
        if (r >= 0 && s && definition_system(d) == SYSTEM_PATH)
                r = complain(diags, s, "remove this line",
                        "contradicts System=, which brings its own init");

        s = definition_find(d, KEY_COMMAND);
        if (r >= 0 && s && definition_system(d) == SYSTEM_PATH)
                r = complain(diags, s, "remove this line",
                        "contradicts System=, which brings its own init");

        /* nspawn makes the root of it, and links nothing in it to /usr. */
        s = definition_find(d, KEY_VOLATILE);
        if (r >= 0 && s && strcmp(s->value, "yes") == 0 && definition_system(d) != SYSTEM_ROOT)
                r = complain(diags, s, "use Volatile=overlay or Ephemeral=yes",
                        "the root would be empty, and its system find no libraries");

        s = definition_find(d, KEY_ROOT);
        if (r >= 0 && s && strcmp(s->value, "/") == 0)
                r = complain(diags, s, "use System=host to share the host's /usr",
                        "the host's own root directory cannot be a container's");

        return r;
}

/* What systemd-nspawn would refuse at the start, in its verify_arguments(). */
static int check_files(const Definition *d, Diags *diags) {
        const Setting *journal = definition_find(d, KEY_LINK_JOURNAL),
                      *ownership = definition_find(d, KEY_PRIVATE_USERS_OWNERSHIP);
        int r = 0;

        if (journal && in_force(d, KEY_EPHEMERAL) &&
                (strcmp(journal->value, "host") == 0 || strcmp(journal->value, "guest") == 0))
                r = complain(diags, journal, "use try-host or try-guest",
                        "contradicts Ephemeral=: the journal would be lost");

        if (r >= 0 && ownership && strcmp(ownership->value, "chown") == 0 &&
                (in_force(d, KEY_READ_ONLY) || in_force(d, KEY_VOLATILE)))
                r = complain(diags, ownership, "use PrivateUsersOwnership=map",
                        "files of a read-only file system cannot be given to others");

        return r;
}

static int check_address_count(const Definition *d, KeyId id, Diags *diags) {
        unsigned n = 0;

        for (const Setting *s = NULL; (s = definition_next(d, id, s));)
                if (++n > ADDRESSES_MAX)
                        return complain(diags, s, NULL, "more than 32 addresses");
        return 0;
}

/* The family that an address of the definition has; AF_UNSPEC for "none". */
static int family_of(const char *value) {
        Address a;

        return address_parse(value, &a, NULL) < 0 ? AF_UNSPEC : a.family;
}

static int check_gateway(const Definition *d, const Setting *gateway, Diags *diags) {
        int family = family_of(gateway->value);
        bool found = family == AF_UNSPEC;

        for (const Setting *l = NULL; (l = definition_next(d, KEY_LOCAL_ADDRESS, l));)
                found = found || family_of(l->value) == family;
        if (!found)
                return complain(diags, gateway,
                        "add a LocalAddress=", "the container has no address of this family");

        for (const Setting *g = NULL; (g = definition_next(d, KEY_GATEWAY, g)) && g != gateway;) {
                if (family == AF_UNSPEC || family_of(g->value) == AF_UNSPEC)
                        return complain(diags, gateway, "remove one of the two",
                                "'none' contradicts another gateway");
                if (family_of(g->value) == family)
                        return complain(diags, gateway, "remove one of the two",
                                "there is a gateway of this family already");
        }

        return 0;
}

static int check_gateways(const Definition *d, Diags *diags) {
        for (const Setting *s = NULL; (s = definition_next(d, KEY_GATEWAY, s));) {
                int r = check_gateway(d, s, diags);

                if (r < 0)
                        return r;
        }

        return 0;
}

typedef struct Assigned {
        Address address;
        const Setting *setting;
} Assigned;

static const char *veth_of(const Setting *s) {
        return s->veth ? s->veth : "";
}

static int compare_assigned(const void *a, const void *b) {
        const Assigned *x = a, *y = b;
        int c = (x->address.family > y->address.family) - (x->address.family < y->address.family);

        if (c == 0)
                c = memcmp(address_bytes(&x->address), address_bytes(&y->address),
                        address_length(&x->address));
        if (c == 0)
                c = strcmp(veth_of(x->setting), veth_of(y->setting));
        return c != 0 ? c : (x->setting > y->setting) - (x->setting < y->setting);
}

/* All addresses of the definition, those that are the same beside each other. */
static int collect_addresses(const Definition *d, Assigned **ret, size_t *ret_n) {
        Assigned *items = NULL;
        size_t n = 0;

        for (size_t i = 0; i < d->n_settings; i++) {
                const Setting *s = &d->settings[i];

                if (!s->key || s->key->type != TYPE_ADDRESS)
                        continue;
                if (!items)
                        items = reallocarray(NULL, d->n_settings - i, sizeof(Assigned));
                if (!items)
                        return -ENOMEM;
                items[n].setting = s;
                n += address_parse(s->value, &items[n].address, NULL) >= 0;
        }

        if (n > 1)
                qsort(items, n, sizeof(Assigned), compare_assigned);
        *ret = items;
        *ret_n = n;
        return 0;
}

/* No address twice in one container, on whichever ends. */
static int check_addresses_once(const Definition *d, Diags *diags) {
        _cleanup_free_ Assigned *items = NULL;
        size_t n = 0;
        int r;

        r = collect_addresses(d, &items, &n);
        for (size_t i = 1; r >= 0 && i < n; i++) {
                const Setting *s = items[i].setting, *other = items[i - 1].setting;

                if (!address_equal(&items[i].address, &items[i - 1].address))
                        continue;
                /* The host may have the same address on each of its ends. */
                if (s->veth != other->veth && strcmp(s->key->name, "HostAddress") == 0 &&
                        strcmp(other->key->name, "HostAddress") == 0)
                        continue;
                r = complain(diags, s, "give each end an address of its own",
                        strcmp(s->key->name, other->key->name) == 0
                                ? "the address stands here twice"
                                : "both ends of the network have this address");
        }
        return r;
}

/* The name inside of "HOST[:INSIDE]", as netconfig.c has it. */
static void name_inside(const Setting *s, char ret[static IF_NAMESIZE]) {
        const char *colon = strchr(s->value, ':');
        char full[IF_NAMESIZE + 3];

        (void) snprintf(full, sizeof(full), "%s%s",
                colon || key_id(s->key) == KEY_INTERFACE ? ""
                        : key_id(s->key) == KEY_MACVLAN  ? "mv-"
                                                         : "iv-",
                colon ? colon + 1 : s->value);
        (void) interface_name_shorten(full, ret);
}

static bool is_uplink(const Setting *s) {
        return s->key && s->key->type == TYPE_INTERFACE_PAIR;
}

/* Whether an interface of that name comes before the setting. */
static bool name_is_taken(const Definition *d, const Setting *s, const char *name) {
        char other[IF_NAMESIZE];

        if ((strcmp(name, "eth0") == 0 && definition_has_veth(d)) || strcmp(name, "lo") == 0 ||
                strv_contains(d->veths, name))
                return true;
        for (const Setting *o = d->settings; o < s; o++) {
                if (!is_uplink(o))
                        continue;
                name_inside(o, other);
                if (strcmp(other, name) == 0)
                        return true;
        }
        return false;
}

/* Interfaces inside need different names. */
static int check_interfaces(const Definition *d, Diags *diags) {
        for (size_t i = 0; i < d->n_settings; i++) {
                const Setting *s = &d->settings[i];
                char name[IF_NAMESIZE];

                if (!is_uplink(s))
                        continue;
                name_inside(s, name);
                if (!name_is_taken(d, s, name))
                        continue;
                int r = complain(diags, s, "choose another name with HOST:INSIDE",
                        "another interface inside has this name already");
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Whether an end of a pair has an address of a family. */
static bool pair_has(const Definition *d, const char *veth, KeyId id, int family) {
        for (const Setting *a = NULL; (a = definition_pair_next(d, veth, id, a));)
                if (family_of(a->value) == family)
                        return true;
        return false;
}

/* RFC 8200, 5.: the kernel has no IPv6 on an interface with less. */
#define IPV6_MTU_MIN 1280

/* @veth: NULL for the pair with eth0 */
static int check_mtu(const Definition *d, const char *veth, Diags *diags) {
        const Setting *mtu = definition_pair_next(d, veth, KEY_MTU, NULL);
        uint64_t bytes;

        if (!mtu || parse_unsigned(mtu->value, 0, UINT32_MAX, &bytes) < 0 || bytes >= IPV6_MTU_MIN)
                return 0;

        if (pair_has(d, veth, KEY_HOST_ADDRESS, AF_INET6) ||
                pair_has(d, veth, KEY_LOCAL_ADDRESS, AF_INET6))
                return complain(diags, mtu, "use 1280 or more",
                        "too small for the IPv6 addresses of this interface");
        return 0;
}

static int check_veths(const Definition *d, Diags *diags) {
        STRV_FOREACH(v, d->veths) {
                const Setting *bridge = definition_veth_next(d, *v, KEY_VETH_BRIDGE, NULL);
                int r = check_mtu(d, *v, diags);

                if (r >= 0 && bridge && definition_veth_next(d, *v, KEY_VETH_HOST_ADDRESS, NULL))
                        r = complain(diags, bridge, "give the bridge the address",
                                "contradicts HostAddress=: the bridge keeps its own addresses");
                if (r >= 0 && bridge && definition_veth_next(d, *v, KEY_VETH_ZONE, NULL))
                        r = complain(diags, bridge, "remove one of the two",
                                "contradicts Zone=, which has a bridge of its own");
                if (r < 0)
                        return r;
        }

        return 0;
}

static bool has_local_address(const Definition *d, int family) {
        for (const Setting *s = NULL; (s = definition_next(d, KEY_LOCAL_ADDRESS, s));)
                if (family == AF_UNSPEC || family_of(s->value) == family)
                        return true;
        return false;
}

/* What is forwarded, or rewritten, needs an address of eth0. */
static int check_forwards(const Definition *d, Diags *diags) {
        const Setting *masquerade = in_force(d, KEY_MASQUERADE);
        const char *error;
        Port port;
        int r = 0;

        for (const Setting *s = NULL; r >= 0 && (s = definition_next(d, KEY_PORT, s));) {
                int family = AF_UNSPEC;

                if (port_parse(s->value, &port, &error) < 0)
                        continue; /* was said when it was read */
                if (port.host)
                        family = memchr(port.host, ':', port.host_size) ? AF_INET6 : AF_INET;
                if (port.host && port.host_size == 3 && memcmp(port.host, "::1", 3) == 0)
                        r = complain(diags, s, "use 127.0.0.1, or no address for all",
                                "the kernel cannot forward what comes to ::1");
                else if (!has_local_address(d, family))
                        r = complain(diags, s, "add a LocalAddress=",
                                family == AF_UNSPEC
                                        ? "the container has no address to forward to"
                                        : "the container has no address of this family");
        }

        if (r >= 0 && masquerade && !has_local_address(d, AF_UNSPEC))
                r = complain(diags, masquerade,
                        "add a LocalAddress=", "the container has no address to masquerade");
        return r;
}

static int warn(Diags *diags, const Setting *s, const char *hint, const char *message) {
        return definition_complain(diags, SEVERITY_WARNING, s, hint, message);
}

static bool has_gateway(const Definition *d, int family) {
        for (const Setting *g = NULL; (g = definition_next(d, KEY_GATEWAY, g));)
                if (family_of(g->value) == family)
                        return true;
        return false;
}

/* An address on a bridge that reaches nobody there. */
static int check_reach(const Definition *d, const Setting *local, Diags *diags) {
        bool on_bridge = definition_pair_next(d, local->veth, KEY_BRIDGE, NULL) ||
                definition_pair_next(d, local->veth, KEY_ZONE, NULL);
        Address a;

        if (!on_bridge || address_parse(local->value, &a, NULL) < 0 || !address_is_host(&a) ||
                pair_has(d, local->veth, KEY_HOST_ADDRESS, a.family) ||
                (!local->veth && has_gateway(d, a.family)))
                return 0;
        return warn(diags, local, "give it a prefix length, or add HostAddress= or Gateway=",
                "reaches nobody: there is no route");
}

/* The host's address in a zone, whose prefix is the members'. */
static int check_zone_address(const Definition *d, const Setting *host, Diags *diags) {
        const Setting *zone = definition_pair_next(d, host->veth, KEY_ZONE, NULL);
        Address a;

        if (!zone || address_parse(host->value, &a, NULL) < 0 || !address_is_host(&a))
                return 0;
        return warn(diags, host, "give it the prefix length of the zone's network",
                "members of the zone do not reach each other");
}

/* What is masqueraded goes to the world outside, over a default route. */
static int check_masquerade(const Definition *d, Diags *diags) {
        const Setting *masquerade = in_force(d, KEY_MASQUERADE);

        if (!masquerade || !definition_find(d, KEY_LOCAL_ADDRESS))
                return 0;

        for (const Setting *l = NULL; (l = definition_next(d, KEY_LOCAL_ADDRESS, l));) {
                int family = family_of(l->value);

                if (has_gateway(d, family) || pair_has(d, NULL, KEY_HOST_ADDRESS, family))
                        return 0;
        }
        return warn(diags, masquerade,
                "add HostAddress= or Gateway=", "of no use: the container has no default route");
}

static int check_routes(const Definition *d, Diags *diags) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < d->n_settings; i++) {
                const Setting *s = &d->settings[i];

                if (!s->key || s->key->type != TYPE_ADDRESS)
                        continue;
                r = strcmp(s->key->name, "LocalAddress") == 0 ? check_reach(d, s, diags)
                                                              : check_zone_address(d, s, diags);
        }
        return r < 0 ? r : check_masquerade(d, diags);
}

/* What is ours to give is not to be taken. */
static int check_owned(const Definition *d, Diags *diags) {
        for (size_t i = 0; i < d->n_settings; i++) {
                const Setting *s = &d->settings[i];
                int r = 0;

                if (!is_uplink(s) && (!s->key || s->key->type != TYPE_INTERFACE))
                        continue;
                if (str_starts_with(s->value, "c-"))
                        r = complain(diags, s, "interfaces of that name are spawnlet's",
                                "belongs to a container");
                else if (str_starts_with(s->value, "z-"))
                        r = complain(diags, s, "use Zone=", "belongs to a zone");
                else if (key_id(s->key) == KEY_INTERFACE &&
                        (strcmp(s->value, "lo") == 0 || str_starts_with(s->value, "lo:")))
                        r = complain(diags, s, "every container has its own",
                                "the loopback interface cannot be moved");
                if (r < 0)
                        return r;
        }

        return 0;
}

/* A moved interface is not on the host any more, for others to be made of it. */
static int check_parents(const Definition *d, Diags *diags) {
        for (const Setting *moved = NULL; (moved = definition_next(d, KEY_INTERFACE, moved));) {
                size_t n = strcspn(moved->value, ":");

                for (size_t i = 0; i < d->n_settings; i++) {
                        const Setting *s = &d->settings[i];

                        if (!is_uplink(s) || s == moved || strcspn(s->value, ":") != n ||
                                memcmp(s->value, moved->value, n) != 0 ||
                                (key_id(s->key) == KEY_INTERFACE && s < moved))
                                continue;
                        int r = complain(diags, s, "remove one of the two",
                                "Interface= moves it into the container");
                        if (r < 0)
                                return r;
                }
        }

        return 0;
}

/* A resolver on a loopback address is another one in a network of its own. */
static int check_resolvers(const Definition *d, Diags *diags) {
        for (const Setting *s = NULL; (s = definition_next(d, KEY_DNS, s));) {
                if (!str_starts_with(s->value, "127.") && strcmp(s->value, "::1") != 0)
                        continue;
                int r = warn(diags, s, NULL, "a loopback address answers in the container only");
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Whoever joins a namespace finds its interfaces as they are. */
static int check_joined(const Definition *d, const Setting *join, Diags *diags) {
        const char *other = str_starts_with(join->value, "container:");
        int r = 0;

        if (other && strcmp(other, d->name) == 0)
                r = complain(diags, join, "name another container, or remove this line",
                        "a container cannot join its own network namespace");

        for (size_t i = 0; r >= 0 && i < d->n_settings; i++)
                if (d->settings[i].key && definition_implies_private(key_id(d->settings[i].key)))
                        r = complain(diags, &d->settings[i],
                                "set it where the network namespace comes from",
                                "contradicts Namespace= and NamespacePath=: the network is made "
                                "by another");
        return r;
}

static int check_not_private(const Definition *d, Diags *diags) {
        for (size_t i = 0; i < d->n_settings; i++) {
                const Setting *s = &d->settings[i];

                if (!s->key || !definition_implies_private(key_id(s->key)))
                        continue;
                int r = complain(
                        diags, s, "remove this line or Private=no", "contradicts Private=no");
                if (r < 0)
                        return r;
        }

        return 0;
}

static int check_network(const Definition *d, Diags *diags) {
        const Setting *join = definition_find(d, KEY_NAMESPACE_PATH),
                      *private = definition_find(d, KEY_PRIVATE);
        int r = 0;

        if (!join)
                join = definition_find(d, KEY_NAMESPACE);
        if (join)
                r = check_joined(d, join, diags);
        if (r >= 0 && private && strcmp(private->value, "no") == 0)
                r = join ? complain(diags, private, "remove this line",
                                   "contradicts Namespace= and NamespacePath=")
                         : check_not_private(d, diags);

        if (r >= 0)
                r = check_address_count(d, KEY_HOST_ADDRESS, diags);
        if (r >= 0)
                r = check_address_count(d, KEY_LOCAL_ADDRESS, diags);
        if (r >= 0)
                r = check_addresses_once(d, diags);
        if (r >= 0)
                r = check_gateways(d, diags);
        if (r >= 0)
                r = check_interfaces(d, diags);
        if (r >= 0)
                r = check_mtu(d, NULL, diags);
        if (r >= 0)
                r = check_owned(d, diags);
        if (r >= 0)
                r = check_parents(d, diags);
        if (r >= 0 && definition_network(d) != NETWORK_HOST)
                r = check_resolvers(d, diags);
        if (r >= 0 && definition_network(d) == NETWORK_OWN)
                r = check_forwards(d, diags);
        if (r >= 0 && definition_network(d) == NETWORK_OWN)
                r = check_routes(d, diags);
        return r < 0 ? r : check_veths(d, diags);
}

static bool is_credential(const Setting *s) {
        return s->key == &keys[KEY_SET_CREDENTIAL] || s->key == &keys[KEY_LOAD_CREDENTIAL];
}

static int compare_ids(const void *a, const void *b) {
        const Setting *const *one = a, *const *other = b;
        size_t n = strcspn((*one)->value, ":"), m = strcspn((*other)->value, ":");
        int c = strncmp((*one)->value, (*other)->value, MIN(n, m));

        if (c == 0)
                c = (n > m) - (n < m);
        return c != 0 ? c : (*one > *other) - (*one < *other); /* in their order, else */
}

/* systemd-nspawn fails where two credentials have the same name. */
static int check_credentials(const Definition *d, Diags *diags) {
        _cleanup_free_ const Setting **all = NULL;
        size_t n = 0;

        for (size_t i = 0; i < d->n_settings; i++)
                n += is_credential(&d->settings[i]);
        if (n < 2)
                return 0;
        all = reallocarray(NULL, n, sizeof(Setting *));
        if (!all)
                return -ENOMEM;
        n = 0;
        for (size_t i = 0; i < d->n_settings; i++)
                if (is_credential(&d->settings[i]))
                        all[n++] = &d->settings[i];
        qsort(all, n, sizeof(Setting *), compare_ids);

        for (size_t i = 1; i < n; i++) {
                size_t size = strcspn(all[i]->value, ":") + 1;
                int r;

                if (strncmp(all[i - 1]->value, all[i]->value, size) != 0)
                        continue;
                r = complain(diags, all[i], "an empty assignment before it removes the others",
                        "there is a credential of this name already");
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Owners of what is bound. With an option that maps them, nspawn fails at the start where there is nothing
 * to map, or where they are mapped already. */
static int check_bind_owners(const Definition *d, const Setting *s, Diags *diags) {
        Idmap idmap = bind_idmap(s->value);

        if (idmap <= IDMAP_NONE)
                return 0;
        if (!bind_is_live(s->value))
                return complain(diags, s, "remove the option",
                        "owners cannot be mapped here: the source is the container's already");
        if (idmap == IDMAP_SAME && !definition_shifts_users(d))
                return complain(diags, s, "remove the option, or use PrivateUsers=pick",
                        "idmap needs users with other numbers outside than inside");
        return 0;
}

/* An explicit first user leaves it to the administrator whom files are given to on the host. */
static bool owners_may_fit(const Definition *d) {
        const char *users = definition_value(d, KEY_PRIVATE_USERS);

        return users && *users >= '0' && *users <= '9';
}

/* What has no owners inside, as an overlay cannot be id-mapped: nobody's, to which root cannot write. */
static int check_overlay_owners(const Definition *d, const Setting *s, Diags *diags) {
        if (owners_may_fit(d))
                return 0;
        if (key_id(s->key) == KEY_OVERLAY)
                return complain(diags, s, "use Bind=, or PrivateUsers=no",
                        "with private users nobody could write to it: overlays cannot have their "
                        "owners mapped");
        return warn(diags, s, "use BindReadOnly=, or PrivateUsers=no",
                "with private users its files belong to nobody inside: overlays cannot have their "
                "owners mapped");
}

static int check_owners(const Definition *d, Diags *diags) {
        const Setting *v = in_force(d, KEY_VOLATILE);
        int r = 0;

        for (size_t i = 0; r >= 0 && i < d->n_settings; i++) {
                const Setting *s = &d->settings[i];

                if (s->key && s->key->type == TYPE_BIND)
                        r = check_bind_owners(d, s, diags);
                if (s->key && s->key->type == TYPE_OVERLAY && definition_shifts_users(d))
                        r = check_overlay_owners(d, s, diags);
        }

        /* nspawn maps the owners of the overlay that it has made, which the kernel refuses. */
        if (r >= 0 && v && strcmp(v->value, "overlay") == 0 && definition_shifts_users(d) &&
                !str_equal(definition_value(d, KEY_PRIVATE_USERS_OWNERSHIP), "off"))
                r = complain(diags, v, "use Ephemeral=yes or Volatile=yes, or PrivateUsers=no",
                        "overlays cannot have their owners mapped, which private users need");
        return r;
}

/* Keys that mean nothing without private users. */
static int check_needs_users(const Definition *d, Diags *diags) {
        static const KeyId keys_of_users[] = { KEY_BIND_USER, KEY_PRIVATE_USERS_OWNERSHIP };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(keys_of_users); i++) {
                const Setting *s = in_force(d, keys_of_users[i]);

                if (s)
                        r = complain(diags, s, "use PrivateUsers=pick", "needs private users");
        }
        return r;
}

/* systemd-nspawn drops the capability, which the container's users have not in a network that is not theirs,
 * and then misses it. */
static int check_ambient(const Definition *d, Diags *diags) {
        for (const Setting *s = NULL; (s = definition_next(d, KEY_AMBIENT_CAPABILITY, s));)
                if (strcasecmp(s->value, "CAP_NET_BIND_SERVICE") == 0)
                        return complain(diags, s, "remove it: ports below 1024 can be used without",
                                "private users have no capability in a network of others");
        return 0;
}

/* Below, the host's own users are, and those that systemd gives out; systemd.io/UIDS-GIDS. */
#define RANGE_FIRST_USUAL 65536

/* A range of the definition's own; not from 0 on, which is meant to be the host's. */
static bool has_range(const Setting *users, UserRange *ret) {
        return users && user_range_parse(users->value, ret) >= 0 && ret->first > 0;
}

static int check_range(const Setting *users, Diags *diags) {
        UserRange range;

        if (!has_range(users, &range) || range.first >= RANGE_FIRST_USUAL)
                return 0;
        return warn(diags, users, "use PrivateUsers=pick, or a range from 65536 on",
                "users of the host may be among them");
}

static int check_users(const Definition *d, Diags *diags) {
        const Setting *users = definition_find(d, KEY_PRIVATE_USERS),
                      *image = definition_find(d, KEY_IMAGE);
        bool managed = users && strcmp(users->value, "managed") == 0;
        int r;

        if (!definition_has_private_users(d))
                return check_needs_users(d, diags);
        if (managed &&
                (definition_network(d) != NETWORK_HOST || definition_system(d) != SYSTEM_ROOT))
                return complain(diags, users, "use PrivateUsers=pick",
                        "systemd-nspawn allows neither a network of its own nor what is shared "
                        "with "
                        "the host with these users");
        /* nspawn is executed in the namespace then, and refuses images where udev is not;
         * nspawn.c, cant_be_in_netns(). */
        if (image && definition_network(d) == NETWORK_JOIN)
                return complain(diags, image, "use Root=, or PrivateUsers=no",
                        "an image contradicts private users in a network namespace that is joined");
        r = check_range(users, diags);
        return r < 0 || definition_network(d) == NETWORK_OWN ? r : check_ambient(d, diags);
}

/* What strict does not stand for by itself. */
static int check_hardening(const Definition *d, Diags *diags) {
        const Setting *preset = definition_find(d, KEY_HARDENING),
                      *users = definition_find(d, KEY_PRIVATE_USERS);
        int r = 0;

        if (hardening_of(d) != HARDENING_STRICT)
                return 0;

        if (users && !definition_shifts_users(d))
                r = complain(diags, users, "use PrivateUsers=pick, or Hardening=default",
                        "contradicts Hardening=strict: root inside would be root outside");
        for (const Setting *s = NULL; r >= 0 && (s = definition_next(d, KEY_CAPABILITY, s));)
                if (strcmp(s->value, "all") == 0)
                        r = complain(diags, s,
                                "name those that are needed, or use Hardening=default",
                                "contradicts Hardening=strict, which gives no more than is needed");
        /* What is written down is meant so. */
        if (r >= 0 && definition_network(d) == NETWORK_HOST && !definition_find(d, KEY_PRIVATE))
                r = warn(diags, preset,
                        "set Private=yes in [Network], or Private=no if it is meant",
                        "the container shares the host's network: it reaches the host's abstract "
                        "sockets, and all that listens on 127.0.0.1");
        return r;
}

int check_definition(const Definition *d, Diags *diags) {
        int r;

        r = check_tables(d, diags);
        if (r >= 0)
                r = check_hardening(d, diags);
        if (r >= 0)
                r = check_health(d, diags);
        if (r >= 0)
                r = check_commands(d, diags);
        if (r >= 0)
                r = check_dependencies(d, diags);
        if (r >= 0)
                r = check_system(d, diags);
        if (r >= 0)
                r = check_files(d, diags);
        if (r >= 0)
                r = check_users(d, diags);
        if (r >= 0)
                r = check_credentials(d, diags);
        if (r >= 0)
                r = check_owners(d, diags);
        return r < 0 ? r : check_network(d, diags);
}

/* What is claimed. Only within one of these can two claims meet. */
typedef enum ClaimKind {
        CLAIM_MACHINE,   /* a name for machined */
        CLAIM_NAMESPACE, /* the network namespace of another; looked up among the machines */
        CLAIM_PAIR,      /* the name of a [Veth NAME] on the host; looked up there, too */
        CLAIM_ZONE,      /* a zone, whose addresses are to be the same with all members */
        CLAIM_INTERFACE, /* an interface that moves into the container */
        CLAIM_ADDRESS,
        CLAIM_MAC,
        /* From here on ranges of numbers, which meet where they overlap. */
        CLAIM_PORT_TCP,
        CLAIM_PORT_UDP,
        CLAIM_USERS,
} ClaimKind;

struct Claim {
        ClaimKind kind;
        uint64_t order; /* the same for claims of the same thing; what they are sorted by */
        char *what;     /* the thing; it holds the next three strings, too */
        const char *definition, *file, *value;
        const char *section; /* with the name of a [Veth NAME] */
        const char *segment; /* the bridge that an address or Ethernet address is on, "" for none;
                                the addresses of a zone */
        const Key *key;      /* NULL for the whole file */
        unsigned line, column;
        bool at_boot;
        bool said;            /* a finding about it is there: one is enough */
        bool on_host;         /* a HostAddress=: others may have it, too */
        NetworkKind network;  /* of a machine */
        unsigned first, last; /* of a range of ports or users */
};

void claims_done(Claims *c) {
        strv_free(c->blocks);
        free(c->items);
        *c = (Claims){};
}

#define BLOCK_SIZE 16384U

/* Room for strings that stay until claims_done(); NULL if there is no memory. */
static char *take_room(Claims *c, size_t size) {
        if (size > c->left) {
                size_t block = MAX(size, BLOCK_SIZE);
                char *room = malloc(block);

                if (strv_consume(&c->blocks, room) < 0)
                        return NULL;
                c->room = room;
                c->left = block;
        }
        c->left -= size;
        return c->room + c->left;
}

/* @new without its strings; what is claimed, and by which setting (NULL for the whole file). */
static int add_claim(
        Claims *c, Claim new, const Definition *d, const char *what, const Setting *setting) {
        char veth[sizeof(SECTION_VETH) + IF_NAMESIZE + 1];
        const char *section = setting ? setting->section : "";

        if (setting && setting->veth) {
                (void) snprintf(veth, sizeof(veth), SECTION_VETH " %s", setting->veth);
                section = veth;
        }

        const char *texts[] = { what, d->name, setting ? setting->file : d->files[0],
                setting ? setting->value : "", new.segment ? new.segment : "", section };
        const char **places[] = { NULL, &new.definition, &new.file, &new.value, &new.segment,
                &new.section };
        size_t size = 0;

        if (c->n == c->n_allocated) {
                size_t allocated = c->n_allocated * 2 + 64;
                Claim *grown = reallocarray(c->items, allocated, sizeof(Claim));

                if (!grown)
                        return -ENOMEM;
                c->items = grown;
                c->n_allocated = allocated;
        }

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                size += strlen(texts[i]) + 1;
        char *p = take_room(c, size);
        if (!p)
                return -ENOMEM;

        new.what = p;
        /* Ranges meet by their numbers, ports whatever their addresses. */
        new.order = (uint64_t) new.kind << 56 |
                (new.kind >= CLAIM_PORT_TCP ? new.first : hash64(0, what, strlen(what)) >> 8);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                if (places[i])
                        *places[i] = p;
                p = stpcpy(p, texts[i]) + 1;
        }

        new.at_boot = definition_boolean(d, KEY_AUTO_START, true);
        if (setting) {
                new.key = setting->key;
                new.line = setting->line;
                new.column = setting->column;
        }
        c->items[c->n++] = new;
        return 0;
}

/* The bridge that the setting's pair is on; NULL if it is on none. */
static const char *segment_of(const Definition *d, const Setting *s) {
        const Setting *bridge = definition_pair_next(d, s->veth, KEY_BRIDGE, NULL);

        return bridge ? bridge->value : NULL;
}

/* The host's addresses in a zone are the bridge's: all that give some have to give the same. */
static int add_zone_claim(Claims *c, const Definition *d, const Setting *s) {
        _cleanup_strv_ char **addresses = NULL;
        _cleanup_str_ Str text = {};
        int r;

        for (const Setting *a = NULL;
                (a = definition_pair_next(d, s->veth, KEY_HOST_ADDRESS, a));) {
                char buffer[INET6_ADDRSTRLEN];
                Address address;

                if (address_parse(a->value, &address, NULL) < 0)
                        continue; /* was said when it was read */
                r = strv_extendf(
                        &addresses, "%s/%u ", address_format(&address, buffer), address.prefix);
                if (r < 0)
                        return r;
        }

        if (!addresses)
                return 0;
        strv_sort(addresses);
        STRV_FOREACH(a, addresses)
                str_append(&text, *a);
        r = str_error(&text);
        return r < 0
                ? r
                : add_claim(c, (Claim){ .kind = CLAIM_ZONE, .segment = text.data }, d, s->value, s);
}

/* c-NAME-PAIR is c-NAME of a container that is called NAME-PAIR. */
static int add_pair_claims(Claims *c, const Definition *d) {
        STRV_FOREACH(v, d->veths) {
                _cleanup_free_ char *machine = NULL;
                int r;

                r = str_join(&machine, d->machine, "-", *v);
                if (r >= 0)
                        r = add_claim(c, (Claim){ .kind = CLAIM_PAIR }, d, machine, NULL);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int add_setting_claim(Claims *c, const Definition *d, const Setting *s) {
        Claim new = {};
        char text[INET6_ADDRSTRLEN];
        const char *error;
        UserRange range;
        Address a;
        Port port;

        switch (s->key->type) {
        case TYPE_PRIVATE_USERS:
                if (!has_range(s, &range))
                        return 0;
                new.kind = CLAIM_USERS;
                new.first = range.first;
                new.last = range.last;
                return add_claim(c, new, d, "", s);
        case TYPE_ADDRESS:
                new.kind = CLAIM_ADDRESS;
                new.segment = segment_of(d, s);
                new.on_host = strcmp(s->key->name, "HostAddress") == 0;
                /* Of IPv4 there is one way to write it. */
                if (!strchr(s->value, ':'))
                        *stpncpy(text, s->value, MIN(strcspn(s->value, "/"), sizeof(text) - 1)) =
                                '\0';
                else if (address_parse(s->value, &a, NULL) >= 0)
                        (void) address_format(&a, text);
                else
                        return 0; /* was checked when it was read */
                return add_claim(c, new, d, text, s);
        case TYPE_MAC:
                new.kind = CLAIM_MAC;
                new.segment = segment_of(d, s);
                return new.segment ? add_claim(c, new, d, s->value, s) : 0;
        case TYPE_PORT:
                if (port_parse(s->value, &port, &error) < 0)
                        return 0;
                new.kind = port.udp ? CLAIM_PORT_UDP : CLAIM_PORT_TCP;
                new.first = port.first;
                new.last = port.last;
                (void) snprintf(text, sizeof(text), "%.*s", (int) port.host_size,
                        port.host ? port.host : "");
                return add_claim(c, new, d, text, s);
        case TYPE_INTERFACE_PAIR:
                new.kind = CLAIM_INTERFACE;
                if (key_id(s->key) != KEY_INTERFACE)
                        return 0;
                (void) snprintf(text, sizeof(text), "%.*s", (int) strcspn(s->value, ":"), s->value);
                return add_claim(c, new, d, text, s);
        case TYPE_ZONE:
                return add_zone_claim(c, d, s);
        case TYPE_NAMESPACE:
                new.kind = CLAIM_NAMESPACE;
                return add_claim(c, new, d, s->value + strlen("container:"), s);
        default:
                return 0;
        }
}

int claims_add(Claims *c, const Definition *d) {
        int r;

        if (definition_is_template(d))
                return 0;

        r = add_claim(c, (Claim){ .kind = CLAIM_MACHINE, .network = definition_network(d) }, d,
                d->machine, NULL);
        for (size_t i = 0; r >= 0 && i < d->n_settings; i++)
                if (d->settings[i].key)
                        r = add_setting_claim(c, d, &d->settings[i]);
        return r < 0 ? r : add_pair_claims(c, d);
}

static int compare_claims(const void *a, const void *b) {
        const Claim *x = a, *y = b;

        if (x->order != y->order)
                return x->order < y->order ? -1 : 1;

        int c = x->kind >= CLAIM_PORT_TCP ? 0 : strcmp(x->what, y->what);
        if (c == 0)
                c = strcmp(x->definition, y->definition);
        return c != 0 ? c : (x->line > y->line) - (x->line < y->line);
}

static bool is_any_host(const char *host) {
        return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* Without an address it is any of both families. */
static bool hosts_overlap(const char *a, const char *b) {
        if (!*a || !*b)
                return true;
        return (strchr(a, ':') != NULL) == (strchr(b, ':') != NULL) &&
                (is_any_host(a) || is_any_host(b) || strcmp(a, b) == 0);
}

static bool meet(const Claim *a, const Claim *b) {
        if (strcmp(a->definition, b->definition) == 0 && a->kind < CLAIM_PORT_TCP)
                return false; /* said when the definition was checked */

        switch (a->kind) {
        case CLAIM_ADDRESS:
                if (a->on_host && b->on_host)
                        return false;
                return !*a->segment || !*b->segment || strcmp(a->segment, b->segment) == 0;
        case CLAIM_MAC:
                return strcmp(a->segment, b->segment) == 0;
        case CLAIM_ZONE:
                return strcmp(a->segment, b->segment) != 0;
        case CLAIM_PORT_TCP:
        case CLAIM_PORT_UDP:
        case CLAIM_USERS: /* without an address */
                return a->first <= b->last && b->first <= a->last &&
                        hosts_overlap(a->what, b->what);
        default:
                return true;
        }
}

static Place place_of(const Claim *c) {
        return (Place){ .file = c->file,
                .line = c->line,
                .column = c->column,
                .section = c->key ? c->section : NULL,
                .key = c->key ? c->key->name : NULL,
                .value = c->key ? c->value : NULL };
}

static int report(const Claim *here, const Claim *there, Diags *diags) {
        static const char *const things[] = {
                [CLAIM_MACHINE] = "machine name",
                [CLAIM_INTERFACE] = "interface",
                [CLAIM_ADDRESS] = "address",
                [CLAIM_MAC] = "Ethernet address",
                [CLAIM_PORT_TCP] = "port",
                [CLAIM_PORT_UDP] = "port",
        };
        bool error = here->at_boot && there->at_boot;
        const Place place = place_of(here);
        char line[16] = "";

        if (there->line > 0)
                (void) snprintf(line, sizeof(line), ":%u", there->line);
        if (here->kind == CLAIM_ZONE)
                return diags_add(diags, error ? SEVERITY_ERROR : SEVERITY_WARNING, &place,
                        "all members of a zone that have a HostAddress= have the same",
                        "other addresses of the host in this zone than '%s' has in %s%s",
                        there->definition, there->file, line);
        if (here->kind == CLAIM_USERS)
                return diags_add(diags, error ? SEVERITY_ERROR : SEVERITY_WARNING, &place,
                        "use PrivateUsers=pick, or ranges that do not overlap",
                        "users of '%s' in %s%s are among them", there->definition, there->file,
                        line);
        return diags_add(diags, error ? SEVERITY_ERROR : SEVERITY_WARNING, &place,
                error ? NULL : "they cannot run at the same time",
                "the same %s as that of '%s' in %s%s", things[here->kind], there->definition,
                there->file, line);
}

/* Whether two claims are so far apart that this and all that follow cannot meet. */
static bool is_beyond(const Claim *a, const Claim *b) {
        if (a->kind != b->kind)
                return true;
        return a->kind >= CLAIM_PORT_TCP ? b->first > a->last : strcmp(a->what, b->what) != 0;
}

static int check_pair(const Claims *c, const Claim *claim, Diags *diags) {
        const Place place = place_of(claim);

        for (size_t i = 0; i < c->n && c->items[i].kind == CLAIM_MACHINE; i++)
                if (strcmp(c->items[i].what, claim->what) == 0 &&
                        c->items[i].network == NETWORK_OWN)
                        return diags_add(diags, SEVERITY_ERROR, &place, "rename the pair",
                                "'c-%s' would be the interface of '%s' in %s, too", claim->what,
                                c->items[i].definition, c->items[i].file);
        return 0;
}

static int check_reference(const Claims *c, const Claim *claim, Diags *diags) {
        const Place place = place_of(claim);

        for (size_t i = 0; i < c->n && c->items[i].kind == CLAIM_MACHINE; i++) {
                if (strcmp(c->items[i].definition, claim->what) != 0)
                        continue;
                if (c->items[i].network == NETWORK_OWN)
                        return 0;
                return diags_add(diags, SEVERITY_ERROR, &place, "give it Private=yes",
                        "'%s' in %s has no network namespace of its own", claim->what,
                        c->items[i].file);
        }

        return diags_add(diags, SEVERITY_WARNING, &place, NULL,
                "there is no valid definition of '%s'", claim->what);
}

int claims_check(Claims *c, const char *name, Diags *diags) {
        if (c->n > 0)
                qsort(c->items, c->n, sizeof(Claim), compare_claims);

        for (size_t i = 0; i < c->n; i++) {
                Claim *a = &c->items[i];
                int r = 0;

                if (a->kind == CLAIM_NAMESPACE || a->kind == CLAIM_PAIR) {
                        if (!name || strcmp(name, a->definition) == 0)
                                r = a->kind == CLAIM_PAIR ? check_pair(c, a, diags)
                                                          : check_reference(c, a, diags);
                        if (r < 0)
                                return r;
                        continue;
                }
                for (size_t k = i + 1; k < c->n && !is_beyond(a, &c->items[k]); k++) {
                        Claim *b = &c->items[k];

                        if (b->said || !meet(a, b))
                                continue;
                        if (!name || strcmp(name, b->definition) == 0) {
                                r = report(b, a, diags);
                                b->said = true;
                        } else if (strcmp(name, a->definition) == 0 && !a->said) {
                                r = report(a, b, diags);
                                a->said = true;
                        }
                        if (r < 0)
                                return r;
                }
        }

        return 0;
}
