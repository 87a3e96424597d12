/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/network.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/name.h"
#include "common/kernel/firewall.h"
#include "common/kernel/link.h"
#include "common/kernel/namespace.h"
#include "common/kernel/pair.h"
#include "common/kernel/zone.h"

#define LOOPBACK_INDEX 1 /* in every namespace */

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
        /* Who can open a directory can lock it, flock(2): that of the records only root can. Whether there
         * is a record of some name anybody may know. */
        static const struct {
                const char *path;
                mode_t mode;
        } directories[] = {
                { SPAWNLET_RUN_DIR, 0755 },
                { SPAWNLET_HOSTS_DIR, 0755 },
                { SPAWNLET_NETNS_DIR, 0700 },
                { RECORDS_DIR, 0711 },
        };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                if (mkdir(directories[i].path, directories[i].mode) < 0 && errno != EEXIST)
                        return error_explain(
                                reterr, -errno, "make the directory", directories[i].path);
        return 0;
}

static int namespace_path(const char *machine, char **ret) {
        return str_join(ret, SPAWNLET_NETNS_DIR "/", machine);
}

/* Open what is needed on the host's side. */
static int open_host(Network *n, char **reterr) {
        int r;

        n->ends.host_namespace = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (n->ends.host_namespace < 0)
                return error_explain(reterr, -errno, "open", "/proc/self/ns/net");

        r = netlink_new(&n->ends.host);
        return r < 0 ? error_explain(reterr, r, "open a netlink socket for", n->machine) : 0;
}

/* Sockets belong to the namespace that the process is in when they are made. */
static int open_container(Network *n, char **reterr) {
        int r;

        r = netlink_new(&n->ends.container);
        if (setns(n->ends.host_namespace, CLONE_NEWNET) < 0 && r >= 0)
                r = -errno;
        return r < 0 ? error_explain(reterr, r, "open a netlink socket in", n->machine) : 0;
}

static int create_namespace(Network *n, int pidfd, char **reterr) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = namespace_path(n->machine, &path);
        if (r < 0)
                return r;

        r = namespace_create(path, pidfd, &n->ends.container_namespace);
        if (r < 0)
                return error_explain(reterr, r, "make the network namespace", path);
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
                return error_explain(reterr, -errno, "enter the network namespace", path);

        n->ends.container_namespace = TAKE_FD(fd);
        return open_container(n, reterr);
}

/* Zones */

/* Zones that @c is in, and @now is not. */
static int leave_zones(
        Network *n, const NetworkConfig *c, const NetworkConfig *now, char **reterr) {
        int r = 0;

        for (size_t i = 0; i < c->n_pairs; i++) {
                const Pair *old = &c->pairs[i], *p = netconfig_find_pair(now, old->inside);
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
                        r = uplink_give(&n->ends, &n->record, u, reterr);
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

        directory = open(SPAWNLET_HOSTS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return error_explain(reterr, -errno, "open", SPAWNLET_HOSTS_DIR);

        r = text.len > 0 ? file_replace(directory, c->machine, text.data, text.len, 0644)
                         : file_remove(SPAWNLET_HOSTS_DIR, c->machine);
        return r < 0 ? error_explain(reterr, r, "write the addresses of", c->machine) : 0;
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

/* On somebody's bridge an address is known to its neighbours alone; all others have a route here. */
static bool has_local_address(const NetworkConfig *c, const Address *a) {
        for (size_t i = 0; i < c->n_pairs; i++)
                for (size_t k = 0; !*c->pairs[i].bridge && k < c->pairs[i].n_local; k++)
                        if (address_equal(&c->pairs[i].local[k], a))
                                return true;
        return false;
}

static int refuse_address(const NetworkConfig *c, const NetworkConfig *other, char **reterr) {
        char text[INET6_ADDRSTRLEN];

        for (size_t i = 0; i < c->n_pairs; i++)
                for (size_t k = 0; !*c->pairs[i].bridge && k < c->pairs[i].n_local; k++) {
                        const Address *a = &c->pairs[i].local[k];

                        if (!has_local_address(other, a))
                                continue;
                        return str_format(reterr, "Address %s is that of container '%s' already",
                                       address_format(a, text), other->machine) < 0
                                ? -ENOMEM
                                : -EADDRINUSE;
                }
        return 0;
}

static int check_conflicts(const NetworkConfig *c, const Records *others, char **reterr) {
        int r;

        r = refuse_conflict(c, c, reterr);
        for (size_t i = 0; r >= 0 && i < others->n; i++) {
                r = zone_agrees(c, &others->items[i], reterr);
                if (r >= 0)
                        r = refuse_conflict(c, &others->items[i], reterr);
                if (r >= 0)
                        r = refuse_address(c, &others->items[i], reterr);
        }
        return r;
}

/* The kernel says no more than that a route is there; whose it is, the records know. */
static int explain_existing(const NetworkConfig *c, int error, char **reterr) {
        _cleanup_records_ Records others = {};
        char *better = NULL;
        int r;

        if (error != -EEXIST || records_read(c->machine, &others) < 0)
                return error;

        r = check_conflicts(c, &others, &better);
        if (r >= 0 || !better)
                return error;
        free(*reterr);
        *reterr = better;
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
                        return error_explain(reterr, r, "read the networks of", "other containers");
                r = check_conflicts(n->config, &others, reterr);
                if (r < 0)
                        return r;
        }

        r = record_write(&n->record, file, n->config);
        return r < 0 ? error_explain(reterr, r, "write down the network of", n->machine) : 0;
}

/* Others' records tell what they need, @now what this container does; NULL for nothing. */
static int update_firewall(Network *n, const NetworkConfig *now, char **reterr) {
        _cleanup_close_ int lock = records_lock();
        _cleanup_records_ Records all = {};
        NetworkConfig *items;
        int r;

        r = lock < 0 ? lock : records_read(n->machine, &all);
        if (r < 0)
                return error_explain(reterr, r, "read the networks of", "other containers");
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
                r = pair_set_up(n, &c->pairs[i], reterr);
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
        return r < 0 ? error_explain(reterr, r, "remove the network namespace", path) : 0;
}

/* Everything is tried, whatever fails before. */
static int take_down_one(Network *n, const NetworkConfig *c, char **reterr) {
        int r, q;

        r = take_back_uplinks(n, c, reterr);
        for (size_t i = 0; i < c->n_pairs; i++) {
                q = pair_retire(n, c, &c->pairs[i], reterr);
                r = r < 0 ? r : q;
        }
        q = leave_zones(n, c, NULL, reterr);
        return r < 0 ? r : q;
}

static int take_down(Network *n, char **reterr) {
        _cleanup_netconfig_ NetworkConfig minimal = {};
        int r, q;

        r = file_remove(SPAWNLET_HOSTS_DIR, n->machine);
        if (r < 0)
                r = error_explain(reterr, r, "remove the addresses of", n->machine);

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
                return error_explain(reterr, r, "open what is written down of", machine);
        r = open_existing(&n, reterr);
        if (r < 0)
                return r;

        r = take_down(&n, reterr);
        if (n.record.directory < 0)
                return r;
        q = record_remove(&n.record);
        if (q < 0)
                q = error_explain(reterr, q, "remove what is written down of", machine);
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

static int build(const NetworkConfig *config, int pidfd, char **reterr) {
        _cleanup_network_ Network n = network_of(config->machine);
        int r;

        n.config = config;
        n.is_new = true;
        r = record_open(config->machine, true, &n.record);
        if (r == 0)
                return -EEXIST; /* of another start: the caller takes that down */
        if (r < 0)
                return error_explain(reterr, r, "write down the network of", config->machine);

        r = claim(&n, RECORD_OPTIONS, reterr);
        if (r >= 0)
                r = open_host(&n, reterr);
        if (r >= 0)
                r = create_namespace(&n, pidfd, reterr);
        if (r >= 0)
                r = set_up(&n, reterr);
        if (r < 0)
                undo(&n);
        return r;
}

int network_up(const NetworkConfig *config, int pidfd, char **reterr) {
        char *error = NULL;
        int r;

        *reterr = NULL;
        r = make_directories(reterr);
        if (r < 0)
                return r;

        r = build(config, pidfd, reterr);
        if (r != -EEXIST)
                return r;

        /* What is in the way may be left from a start that was cut off: that is taken down, and
         * if it is not ours it is in the way once more. */
        free(*reterr);
        (void) network_down(config->machine, &error); /* as above */
        free(error);
        *reterr = NULL;
        return explain_existing(config, build(config, pidfd, reterr), reterr);
}

/* Of a running container: give the pairs and interfaces that it has what n->config says. */
static int change(Network *n, bool *ret_changing, char **reterr) {
        int r;

        r = enter_namespace(n, reterr);
        if (r >= 0)
                r = claim(n, RECORD_NEXT, reterr);
        if (r < 0)
                return r;

        *ret_changing = true;
        for (size_t i = 0; r >= 0 && i < n->n_before; i++) {
                r = take_back_uplinks(n, &n->before[i], reterr);
                for (size_t k = 0; r >= 0 && k < n->before[i].n_pairs; k++)
                        r = pair_reduce(n, &n->before[i], &n->before[i].pairs[k], reterr);
        }
        if (r >= 0)
                r = set_up(n, reterr);
        for (size_t i = 0; r >= 0 && i < n->n_before; i++)
                r = leave_zones(n, &n->before[i], n->config, reterr);
        if (r < 0)
                return explain_existing(n->config, r, reterr);

        r = record_commit(&n->record);
        return r < 0 ? error_explain(reterr, r, "write down the network of", n->machine) : 0;
}

/* To what a running container's network is changed. */
typedef enum Target {
        TARGET_NEW,    /* what is given */
        TARGET_REPAIR, /* what it is, or was about to be */
        TARGET_BACK,   /* what it was before a change that failed */
} Target;

/* @ret_changing: whether it came so far that something may be changed */
static int reload(const char *machine, const NetworkConfig *config, Target target,
        bool *ret_changing, char **reterr) {
        _cleanup_network_ Network n = network_of(machine);
        int r;

        r = record_open(machine, false, &n.record);
        if (r == -ENOENT)
                return str_format(reterr,
                               "Container '%s' was started without a network of its own: restart "
                               "it",
                               machine) < 0
                        ? -ENOMEM
                        : r;
        if (r < 0)
                return error_explain(reterr, r, "open what is written down of", machine);

        r = open_host(&n, reterr);
        if (r >= 0)
                r = read_before(&n);
        if (r < 0)
                return r;
        if (n.n_before == 0 && faccessat(n.record.directory, RECORD_OPTIONS, F_OK, 0) < 0)
                return -ENOENT; /* it is about to be made */
        if (n.n_before == 0)
                return error_explain(reterr, -EBADMSG, "read what is written down of", machine);

        n.config = target == TARGET_NEW ? config
                : target == TARGET_BACK ? &n.before[0]
                                        : &n.before[n.n_before - 1];
        return change(&n, ret_changing, reterr);
}

int network_reload(const char *machine, const NetworkConfig *config, char **reterr) {
        _cleanup_free_ char *error = NULL, *ignored = NULL;
        bool changing = false;
        int r;

        *reterr = NULL;
        r = reload(machine, config, config ? TARGET_NEW : TARGET_REPAIR, &changing, reterr);
        if (r >= 0 || !config || !changing)
                return r;

        /* A running container must not be left with half of a network. */
        if (reload(machine, NULL, TARGET_BACK, &changing, &ignored) >= 0)
                return r;

        error = TAKE_PTR(*reterr);
        return str_join(reterr, error ? error : strerror(-r),
                       "; its network is incomplete until a reload succeeds") < 0
                ? -ENOMEM
                : r;
}

int network_names(char ***ret) {
        return records_names(ret);
}
