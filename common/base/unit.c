/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/unit.h"

#include "common/base/credential.h"
#include "common/base/hardening.h"
#include "common/base/health.h"
#include "common/base/init-protocol.h"
#include "common/base/name.h"
#include "common/base/parse.h"
#include "common/base/settings.h"
#include "common/base/word.h"
#include "config.h"

#define UNIT_SIZE_USUAL 6000 /* bytes, allocated at once */

/* Of ephemeral containers, a directory for each: that of LogsDirectory=spawnlet, systemd.exec(5). */
#define JOURNALS_DIR "/var/log/spawnlet"

#define TIMEOUT_START "5min"
#define TIMEOUT_STOP_USEC (180 * USEC_PER_SEC)

/*
 * What a System=host container must not do, for which the host's /usr brings units along: those that
 * systemd and others do not keep off containers themselves.
 *
 * Mounts: not only useless. systemd makes the first four over and over until its rate limit for mount
 * events holds up local-fs.target for a second (measured on 257 and 262).
 *
 * Consoles: nobody has one here, nspawn's is the journal. Each path unit costs one of the kernel's few
 * inotify instances, too.
 *
 * Devices: those in /dev are made by nspawn.
 *
 * Sockets: what is behind them acts on the machine.
 */
#define HOST_MASKS(MASK)                                                                           \
        MASK("dev-hugepages.mount")                                                                \
        MASK("run-lock.mount")                                                                     \
        MASK("tmp.mount")                                                                          \
        MASK("var-lib-machines.mount")                                                             \
        MASK("sys-fs-fuse-connections.mount")                                                      \
        MASK("console-getty.service")                                                              \
        MASK("systemd-ask-password-console.path")                                                  \
        MASK("systemd-ask-password-wall.path")                                                     \
        MASK("plymouth-quit.service")                                                              \
        MASK("plymouth-quit-wait.service")                                                         \
        MASK("plymouth-read-write.service")                                                        \
        MASK("systemd-remount-fs.service")                                                         \
        MASK("systemd-tmpfiles-setup-dev.service")                                                 \
        MASK("systemd-tmpfiles-setup-dev-early.service")                                           \
        MASK("systemd-udev-load-credentials.service")                                              \
        MASK("systemd-factory-reset.socket")                                                       \
        MASK("systemd-importd.socket")                                                             \
        MASK("systemd-storage-block.socket")                                                       \
        MASK("systemd-storage-fs.socket")                                                          \
        MASK("systemd-sysinstall.socket")                                                          \
        MASK("systemd-sysupdate.socket")

#define MASK_NAME(name) name,
#define MASK_OPTION(name) " systemd.mask=" name

static const char *const host_masks[] = { HOST_MASKS(MASK_NAME) };

/* From 256 on, a host that has sshd would let itself in over a socket. */
#define SSH_OPTION " systemd.ssh_auto=no"

/* All of it, as most containers have it: to put it together for each costs a tenth of its unit. */
static const char host_options[] = HOST_MASKS(MASK_OPTION) SSH_OPTION;

/* The NixOS store as it is shared; destinations are the same paths. */
#define NIX_STORE "/nix/store"
#define NIX_VAR "/nix/var/nix"

/* Where a profile that is not in the store is bound. Elsewhere below /run than in host/ it would
 * show as a failed unmount when the container shuts down. */
#define PROFILE_INSIDE "/run/host/spawnlet-system"

/* systemd-nspawn --keep-unit exits with 133 when the system inside wants to reboot. A Command= is no
 * system, and may exit with that number as with any other. */
#define REBOOT_LINES "RestartForceExitStatus=133\nSuccessExitStatus=133\n"

/* What is the same in every unit. */
static const char service_head[] = "\n[Service]\n"
                                   "Type=notify\n"
                                   "NotifyAccess=exec\n"
                                   "Slice=machine.slice\n"
                                   "Delegate=yes\n"
                                   "KillMode=mixed\n"
                                   "TasksMax=16384\n"
                                   "# A helper that is interrupted by a stop is no failure.\n"
                                   "SuccessExitStatus=SIGTERM\n"
                                   "TimeoutStartSec=" TIMEOUT_START "\n"
                                   "TimeoutStopSec=3min\n";

/* What stands in several lines of a unit. */
typedef struct Parts {
        const char *root; /* the directory or image */
        Str network;      /* options of spawnlet-network */
        Str reloadable;   /* settings, for spawnlet-reload */
} Parts;

static void parts_done(Parts *p) {
        str_done(&p->network);
        str_done(&p->reloadable);
}

static void append_part(Str *s, const Str *part) {
        if (part->failed)
                s->failed = true;
        str_append_n(s, part->data ? part->data : "", part->len);
}

/* @option: a constant, which needs no quoting by itself */
static void append_option(Str *s, const Definition *d, const char *option, const char *value) {
        str_append_char(s, ' ');
        size_t begin = s->len;

        str_append(s, option);
        str_append(s, value);
        if (!word_is_free(value)) /* most are */
                word_quote_exec(s, begin, definition_word_flags(d));
}

static void append_options(Str *s, const Definition *d, KeyId id, const char *option) {
        for (const Setting *i = NULL; (i = definition_next(d, id, i));)
                append_option(s, d, option, i->value);
}

/* A file's name may have a line feed in it, which would make a line of the unit. */
static bool makes_line(const char *path) {
        return strpbrk(path, "\n\r") != NULL;
}

/* The drop-ins, which SourcePath= has no place for, stand in comments. */
static void append_header(Str *s, const Definition *d) {
        str_append(s, "# Automatically generated by spawnlet-generator\n");
        STRV_FOREACH(f, d->files)
                if (f != d->files && !makes_line(*f))
                        str_append_all(s, "# with ", *f, "\n");
}

static void append_source_path(Str *s, const Definition *d) {
        if (d->files && !makes_line(d->files[0])) {
                str_append(s, "SourcePath=");
                word_append_text(s, d->files[0], 0);
        }
        str_append(s, "Documentation=man:spawnlet.container(5)\n");
}

static void append_assignment(Str *s, const char *name, const char *value) {
        str_append_all(s, name, "=", value);
        word_end_line(s);
}

static void append_pass_through(Str *s, const Definition *d, const char *section) {
        for (size_t i = 0; i < d->n_settings; i++) {
                const Setting *setting = &d->settings[i];

                if (!setting->key && strcmp(setting->section, section) == 0)
                        append_assignment(s, setting->name, setting->value);
        }
}

static void append_mount_for(Str *s, const Definition *d, const char *path) {
        if (s->len > 0 && s->data[s->len - 1] != '=')
                str_append_char(s, ' ');
        word_append_list(s, path, definition_word_flags(d));
}

/* The source of a Bind= may end with a slash, for which nspawn does not care, but systemd does. */
static void append_mount_for_bind(Str *s, const Definition *d, const char *bind) {
        _cleanup_free_ char *source = NULL;

        if (bind_source(bind, &source) < 0) {
                s->failed = true;
                return;
        }

        for (size_t n = source ? strlen(source) : 0; n > 1 && source[n - 1] == '/'; n--)
                source[n - 1] = '\0';
        if (source && path_is_normalized(source))
                append_mount_for(s, d, source);
}

/* All paths of an overlay but the last, which is inside. */
static void append_mounts_for_overlay(Str *s, const Definition *d, const char *overlay) {
        for (const char *p = overlay; p;) {
                const char *rest = part_end(p);

                if (!*rest && p != overlay)
                        return;
                append_mount_for_bind(s, d, p);
                p = *rest ? rest + 1 : NULL;
        }
}

/* @root: the directory or image, as in the unit */
static void append_mounts_for(Str *s, const Definition *d, const char *root) {
        str_append(s, "RequiresMountsFor=");
        append_mount_for(s, d, root);
        if (definition_system(d) == SYSTEM_PATH) {
                append_mount_for(s, d, definition_value(d, KEY_SYSTEM));
                append_mount_for(s, d, NIX_STORE);
                append_mount_for(s, d, NIX_VAR);
        }

        for (size_t i = 0; i < d->n_settings; i++) {
                const Setting *b = &d->settings[i];

                if (b->key && b->key->type == TYPE_BIND)
                        append_mount_for_bind(s, d, b->value);
                else if (b->key && b->key->type == TYPE_OVERLAY)
                        append_mounts_for_overlay(s, d, b->value);
        }
        str_append(s, "\n");
}

/* The unit of a network interface, systemd.device(5). @name is escaped as unit names are. */
static void append_device_unit(Str *s, const char *name) {
        str_append(s, "sys-subsystem-net-devices-");
        for (const char *p = name; *p; p++) {
                const char c[] = { *p, '\0' };

                if (str_span_alnum(c, ":_.") == 1 && (*p != '.' || p != name))
                        str_append_char(s, *p);
                else
                        str_appendf(s, "\\x%02x", (unsigned char) *p);
        }
        str_append(s, ".device");
}

/* Interfaces of the host that have to be there first. */
static void append_interfaces(Str *s, const Definition *d) {
        _cleanup_strv_ char **names = NULL;

        if (definition_is_template(d))
                return;

        for (size_t i = 0; i < d->n_settings; i++) {
                const Setting *o = &d->settings[i];
                _cleanup_free_ char *name = NULL;

                if (!o->key ||
                        (o->key->type != TYPE_INTERFACE && o->key->type != TYPE_INTERFACE_PAIR))
                        continue;
                name = strndup(o->value, strcspn(o->value, ":"));
                if (!name || (!strv_contains(names, name) && strv_extend(&names, name) < 0)) {
                        s->failed = true;
                        return;
                }
        }

        for (unsigned i = 0; names && i < 2; i++) {
                str_append(s, i == 0 ? "Wants=" : "After=");
                STRV_FOREACH(name, names) {
                        if (name != names)
                                str_append_char(s, ' ');
                        append_device_unit(s, *name);
                }
                str_append_char(s, '\n');
        }
}

/* What repairs the network after a firewall, say, has been restarted, is there first. */
static void append_repair(Str *s, const Definition *d) {
        if (definition_network(d) == NETWORK_OWN)
                str_append(s,
                        "Wants=spawnlet-repair.service\n"
                        "After=spawnlet-repair.service\n");
}

/* The timer of its health checks, see health.c, comes and goes with the container. */
static void append_health(Str *s, const Definition *d) {
        if (!definition_find(d, KEY_HEALTH_COMMAND))
                return;
        str_append(s, "Wants=" HEALTH_UNIT_PREFIX);
        definition_append_instance(s, d);
        str_append(s, ".timer\n");
}

/* Whoever joins another container's network lives and dies with it. */
static void append_joined(Str *s, const Definition *d) {
        const char *namespace = definition_value(d, KEY_NAMESPACE);
        const char *other = namespace ? str_starts_with(namespace, "container:") : NULL;

        if (other)
                str_append_all(s, "BindsTo=container-", other, ".service\n", "After=container-",
                        other, ".service\n");
}

static void append_unit_section(Str *s, const Definition *d, const char *root) {
        const char *description = definition_value(d, KEY_DESCRIPTION);

        str_append(s, "\n[Unit]\nDescription=");
        if (description)
                word_append_text(s, description, definition_word_flags(d));
        else
                str_append_all(s, "Container '", d->machine, "'\n");
        append_source_path(s, d);
        /*
         * Stopped while it starts, systemd runs no ExecStop=, but only signals nspawn, whose
         * signal the container's init may not be able to take yet. The guard stops it then.
         */
        str_append(s, "Wants=spawnlet-stop@");
        definition_append_instance(s, d);
        str_append(s,
                ".service\n"
                "PartOf=machines.target\n"
                "Before=machines.target\n"
                "After=network.target\n");
        /* DeviceAllow=block-loop names a driver, which has to be there when the unit starts. */
        if (definition_find(d, KEY_IMAGE))
                str_append(s,
                        "Wants=modprobe@loop.service modprobe@dm_mod.service\n"
                        "After=modprobe@loop.service modprobe@dm_mod.service\n");
        append_health(s, d);
        append_repair(s, d);
        append_interfaces(s, d);
        append_joined(s, d);
        append_mounts_for(s, d, root);
        append_pass_through(s, d, "Unit");
}

/* The options of a pair; those of eth0 come first, and without a name. */
static void append_pair(Str *s, const Definition *d, const char *veth) {
        static const struct {
                KeyId id;
                const char *option;
        } options[] = {
                { KEY_HOST_ADDRESS, "--host-address=" },
                { KEY_LOCAL_ADDRESS, "--local-address=" },
                { KEY_BRIDGE, "--bridge=" },
                { KEY_ZONE, "--zone=" },
                { KEY_MAC_ADDRESS, "--mac-address=" },
                { KEY_MTU, "--mtu=" },
        };

        if (veth)
                append_option(s, d, "--veth=", veth);
        for (size_t i = 0; i < ELEMENTSOF(options); i++) {
                const Setting *o = NULL;

                while ((o = definition_pair_next(d, veth, options[i].id, o)))
                        append_option(s, d, options[i].option, o->value);
        }
}

static void append_network_options(Str *s, const Definition *d) {
        static const struct {
                KeyId id;
                const char *option;
        } options[] = {
                { KEY_GATEWAY, "--gateway=" },
                { KEY_PORT, "--port=" },
                { KEY_INTERFACE, "--interface=" },
                { KEY_MACVLAN, "--macvlan=" },
                { KEY_IPVLAN, "--ipvlan=" },
        };

        if (!definition_has_veth(d))
                str_append(s, " --no-veth");
        append_pair(s, d, NULL);
        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                append_options(s, d, options[i].id, options[i].option);
        if (definition_boolean(d, KEY_MASQUERADE, false))
                str_append(s, " --masquerade");
        STRV_FOREACH(v, d->veths)
                append_pair(s, d, *v);
}

/* Whether spawnlet-init waits for the network: systemd-nspawn, which makes users, makes the namespace, too. */
static bool waits_for_network(const Definition *d) {
        return definition_has_private_users(d) && definition_network(d) == NETWORK_OWN;
}

static bool waits_for_health(const Definition *d) {
        return str_equal(definition_value(d, KEY_NOTIFY_READY), "healthy");
}

/* Whether the init says when it is up. One that is to be healthy, too, is waited for afterwards. */
static bool notifies_ready(const Definition *d) {
        return waits_for_health(d) ? definition_boots(d)
                                   : definition_boolean(d, KEY_NOTIFY_READY, definition_boots(d));
}

/* Whether a capability is taken away: by name or with all. */
static bool drops_capability(const Definition *d, const char *name) {
        for (const Setting *s = NULL; (s = definition_next(d, KEY_DROP_CAPABILITY, s));)
                if (strcmp(s->value, "all") == 0 || strcasecmp(s->value, name) == 0)
                        return true;
        return false;
}

/* Whether root inside has no right to ports below 1024, and nobody wants it not to: the users are the
 * container's, and the network is not. */
static bool lacks_low_ports(const Definition *d) {
        return definition_has_private_users(d) && definition_network(d) != NETWORK_OWN &&
                !drops_capability(d, "CAP_NET_BIND_SERVICE");
}

/* @verb: up, start, reload */
static void append_network(Str *s, const Definition *d, const Parts *p, const char *verb) {
        str_append_all(s, LIBEXEC_DIR "/spawnlet-network ", verb, " ", d->machine);
        append_part(s, &p->network);
}

/*
 * Which resolv.conf of the host is the container's: host, static, uplink or stub. NULL if none, or
 * if systemd-nspawn sees to it. It would bring a resolver on a loopback address along, which is
 * another one in a network of its own.
 */
static const char *host_resolv_conf(const Definition *d) {
        const char *mode = definition_value(d, KEY_RESOLV_CONF),
                   *dash = mode ? strchr(mode, '-') : NULL; /* as in copy-host, bind-stub */

        return dash && definition_network(d) != NETWORK_HOST ? dash + 1 : NULL;
}

/* Whether spawnlet-root writes a resolv.conf, which is to be bound over the container's. */
static bool has_resolv_conf(const Definition *d) {
        return definition_find(d, KEY_DNS) || host_resolv_conf(d);
}

/* Whether spawnlet-init binds it, for the sake of a system inside; what may not mount leaves it to nspawn. */
static bool binds_resolv_conf(const Definition *d) {
        return has_resolv_conf(d) && definition_boots(d) && !drops_capability(d, "CAP_SYS_ADMIN");
}

/* Whether eth0 has addresses, of ours or of the container whose network it shares. */
static bool has_addresses(const Definition *d) {
        return definition_find(d, KEY_LOCAL_ADDRESS) || definition_find(d, KEY_NAMESPACE);
}

/* Whether spawnlet-init keeps systemd-networkd inside from putting its own idea of an interface in the place
 * of ours. One that gets no addresses is left to it: it may be there to ask for some. */
static bool has_unmanaged(const Definition *d) {
        bool has = has_addresses(d);

        STRV_FOREACH(v, d->veths)
                has = has || definition_veth_next(d, *v, KEY_VETH_LOCAL_ADDRESS, NULL);
        return has && definition_boots(d);
}

/* Whether spawnlet-init is the container's first process. */
static bool starts_with_ours(const Definition *d) {
        return waits_for_network(d) || binds_resolv_conf(d) || has_unmanaged(d);
}

/*
 * The network is made by the same process: spawnlet-root executes what follows "--". A process less
 * for systemd to start: that takes it longer than either of the two needs for its work.
 */
static void append_prepare(Str *s, const Definition *d, Parts *p) {
        static const char *const kinds[] = { "root", "host", "nix" };

        str_append(s, "ExecStartPre=" LIBEXEC_DIR "/spawnlet-root");
        if (definition_find(d, KEY_IMAGE)) {
                str_append(s, " --image");
        } else {
                append_option(s, d, "--root=", p->root);
                append_option(s, d, "--system=", kinds[definition_system(d)]);
                append_options(s, d, KEY_MACHINE_ID, "--machine-id=");
        }
        if (definition_shifts_users(d))
                str_append(s, definition_maps_root(d) ? " --idmap=root" : " --idmap=binds");
        if (lacks_low_ports(d))
                str_append(s, " --low-ports");
        append_options(s, d, KEY_DNS, "--dns=");
        append_options(s, d, KEY_SEARCH, "--search=");
        if (host_resolv_conf(d))
                str_append_all(s, " --resolv-conf=", host_resolv_conf(d));
        credentials_append_sources(s, d);
        str_append_char(s, ' ');
        definition_append_instance(s, d);
        settings_append(s, d, &p->reloadable);
        if (definition_network(d) == NETWORK_OWN && !waits_for_network(d)) {
                str_append(s, " -- ");
                append_network(s, d, p, "up");
        }
        str_append_char(s, '\n');
}

/*
 * The profile as the container sees it. A path in the store is the same in both. Any other is, or
 * leads through, links that the container does not have: where they point at the start is bound.
 */
static const char *profile_inside(const Definition *d) {
        const char *profile = definition_value(d, KEY_SYSTEM);

        return str_starts_with(profile, NIX_STORE "/") ? profile : PROFILE_INSIDE;
}

static void append_nix(Str *s, const Definition *d) {
        static const char *const shared[] = { NIX_STORE, NIX_VAR "/db", NIX_VAR "/daemon-socket" };
        static const char *const own[] = { NIX_VAR "/profiles", NIX_VAR "/gcroots" };
        const char *idmap = definition_shifts_users(d) ? ":idmap" : "";
        _cleanup_str_ Str bind = {};

        for (size_t i = 0; i < ELEMENTSOF(shared); i++) {
                str_append_all(s, " --bind-ro=", shared[i]);
                if (*idmap)
                        str_append_all(s, ":", shared[i], idmap);
        }
        for (size_t i = 0; i < ELEMENTSOF(own); i++)
                str_append_all(
                        s, " --bind=", own[i], "/per-container/", d->machine, ":", own[i], idmap);

        if (strcmp(profile_inside(d), PROFILE_INSIDE) != 0)
                return;

        /* A colon in a path is to be escaped; systemd-nspawn(1), --bind=. */
        for (const char *p = definition_value(d, KEY_SYSTEM); *p; p++) {
                if (*p == ':' || *p == '\\')
                        str_append_char(&bind, '\\');
                str_append_char(&bind, *p);
        }
        str_append_all(&bind, ":" PROFILE_INSIDE, idmap);
        if (str_error(&bind) < 0)
                s->failed = true;
        else
                append_option(s, d, "--bind-ro=", bind.data);
}

/* Whether a unit is one of Services=, and so not to be kept off. */
static bool is_service(const Definition *d, const char *unit) {
        for (const Setting *s = NULL; (s = definition_next(d, KEY_SERVICES, s));)
                if (strcmp(s->value, unit) == 0)
                        return true;
        return false;
}

static void append_host_options(Str *s, const Definition *d) {
        bool any = false;

        for (const Setting *i = NULL; (i = definition_next(d, KEY_SERVICES, i));)
                for (size_t k = 0; k < ELEMENTSOF(host_masks); k++)
                        any = any || str_equal(i->value, host_masks[k]);
        if (!any) {
                str_append_n(s, host_options, sizeof(host_options) - 1);
                return;
        }

        for (size_t i = 0; i < ELEMENTSOF(host_masks); i++)
                if (!is_service(d, host_masks[i]))
                        str_append_all(s, " systemd.mask=", host_masks[i]);
        str_append(s, SSH_OPTION);
}

/* Whether the init is where systemd-nspawn(1), --boot, or spawnlet-init in its place, looks for one. */
static bool finds_init(const Definition *d) {
        return definition_boots(d) && definition_system(d) != SYSTEM_PATH &&
                !definition_find(d, KEY_INIT);
}

/* With what it does before it executes the container's own. */
static void append_first_process(Str *s, const Definition *d) {
        const char *separator = "";

        str_append_all(s, " " INIT_PATH, waits_for_network(d) ? " --network" : "",
                binds_resolv_conf(d) ? " --resolv-conf" : "");
        if (has_unmanaged(d)) {
                str_append_char(s, ' ');
                size_t begin = s->len;

                str_append(s, "--unmanaged=");
                if (has_addresses(d)) {
                        str_append(s, "eth0");
                        separator = " ";
                }
                STRV_FOREACH(v, d->veths)
                        if (definition_veth_next(d, *v, KEY_VETH_LOCAL_ADDRESS, NULL)) {
                                str_append_all(s, separator, *v);
                                separator = " ";
                        }
                word_quote_exec(s, begin, definition_word_flags(d));
        }
        str_append(s, finds_init(d) ? " --boot" : " --");
}

/* What follows nspawn's own options: the init, unless nspawn finds it, and its arguments. */
static void append_init(Str *s, const Definition *d) {
        const char *init = definition_value(d, KEY_INIT);

        str_append(s, " --");

        if (starts_with_ours(d))
                append_first_process(s, d);
        if (!definition_boots(d)) {
                append_options(s, d, KEY_COMMAND, "");
                return;
        }
        if (definition_system(d) == SYSTEM_PATH)
                word_append_exec(s, profile_inside(d), "/init", definition_word_flags(d));
        else if (init)
                append_option(s, d, "", init);

        /* In a container systemd takes from its own arguments what it takes from the kernel
         * command line on a host; kernel-command-line(7). */
        if (definition_system(d) == SYSTEM_HOST && !init) {
                append_host_options(s, d);
                append_options(s, d, KEY_SERVICES, "systemd.wants=");
        }
        append_options(s, d, KEY_PARAMETERS, "");
}

/* An init, and nspawn's own PID 1 for ProcessTwo=, know systemd's signal; another program the
 * usual one. */
static const char *kill_signal(const Definition *d) {
        const char *signal = definition_value(d, KEY_KILL_SIGNAL);

        if (signal)
                return signal;
        return definition_boots(d) || definition_boolean(d, KEY_PROCESS_TWO, false) ? SIGNAL_HALT
                                                                                    : "SIGTERM";
}

/* @option: what the namespace's path is appended to, which is not the host's */
static void append_namespace_path(Str *s, const Definition *d, const char *option) {
        const char *path = definition_value(d, KEY_NAMESPACE_PATH),
                   *other = definition_value(d, KEY_NAMESPACE);
        _cleanup_free_ char *machine = NULL;

        if (path)
                append_option(s, d, option, path);
        else if (!other)
                str_append_all(s, " ", option, SPAWNLET_NETNS_DIR "/", d->machine);
        else if (definition_name_to_machine(other + strlen("container:"), &machine) < 0)
                s->failed = true;
        else
                str_append_all(s, " ", option, SPAWNLET_NETNS_DIR "/", machine);
}

/*
 * What executes systemd-nspawn, if it cannot find the network by itself: with users of its own it cannot join
 * a namespace before 261, and could not administer it. See helpers/network.c.
 */
static void append_launcher(Str *s, const Definition *d, const Parts *p) {
        if (!definition_has_private_users(d) || definition_network(d) == NETWORK_HOST)
                return;
        if (definition_network(d) == NETWORK_OWN) {
                append_network(s, d, p, "start");
                /* nspawn would say it before there is a network. */
                if (!notifies_ready(d))
                        str_append(s, " --notify-ready");
        } else {
                str_append(s, LIBEXEC_DIR "/spawnlet-network join");
                append_namespace_path(s, d, "");
        }
        str_append(s, " -- ");
}

static void append_namespace(Str *s, const Definition *d) {
        NetworkKind network = definition_network(d);

        if (network == NETWORK_HOST)
                return;
        if (network == NETWORK_JOIN && definition_has_private_users(d)) {
                /* nspawn takes what it was started in for the host's network, and would copy the
                 * host's resolv.conf. Of several --resolv-conf=, the last one counts. */
                str_append(s, " --resolv-conf=off");
                return;
        }

        str_append(s, " --private-network");
        /* Only both together give the container a sysfs of its own namespace. */
        if (!waits_for_network(d))
                append_namespace_path(s, d, "--network-namespace-path=");
        str_append(s, " --capability=CAP_NET_ADMIN");
}

static void append_device(Str *s, const Definition *d, const char *device) {
        _cleanup_free_ char *node = strndup(device, strcspn(device, " \t"));

        if (!node)
                s->failed = true;
        else
                append_option(s, d, "--bind=", node);
}

/* Without a word about owners, all that is bound would be nobody's for private users. */
static void append_bind(Str *s, const Definition *d, const char *option, const char *value) {
        str_append_char(s, ' ');
        size_t begin = s->len;

        str_append(s, option);
        if (definition_shifts_users(d))
                bind_append_mapped(s, value);
        else
                str_append(s, value);
        if (!word_is_free(value))
                word_quote_exec(s, begin, definition_word_flags(d));
}

/*
 * "yes" is the users that own the root: the host's own, mostly, which would be no users of its own. So it is
 * "pick", which looks at the owner first. Without a word about it, files stay whose they are on disk:
 * systemd-nspawn's own default may give them all away, and not back.
 */
static void append_users(Str *s, const Definition *d) {
        const char *users = definition_value(d, KEY_PRIVATE_USERS);

        if (!users && !definition_has_private_users(d))
                return;
        append_option(
                s, d, "--private-users=", !users || parse_boolean(users) > 0 ? "pick" : users);
        if (definition_shifts_users(d) && !definition_find(d, KEY_PRIVATE_USERS_OWNERSHIP))
                str_append(s, " --private-users-ownership=map");
}

/* The settings that become an option of nspawn by the table alone. */
static void append_table_options(Str *s, const Definition *d) {
        for (size_t i = 0; i < d->n_settings; i++) {
                const Setting *o = &d->settings[i];

                if (!o->key)
                        continue;
                if (o->key->flags & KEY_FLAG) {
                        if (strcmp(o->value, "yes") == 0)
                                append_option(s, d, o->key->option, "");
                } else if (o->key->type == TYPE_BIND) {
                        append_bind(s, d, o->key->option, o->value);
                } else if (o->key->option) {
                        append_option(s, d, o->key->option, o->value);
                } else if (o->key->type == TYPE_DEVICE) {
                        append_device(s, d, o->value);
                }
        }
}

/*
 * Where an ephemeral container keeps its journal, which would be lost with the copy of its root:
 * systemd-nspawn links none with --ephemeral, whatever --link-journal= says.
 */
static bool keeps_journal_outside(const Definition *d) {
        const char *link = definition_value(d, KEY_LINK_JOURNAL);
        bool is_seen = link ? strcmp(link, "no") != 0 : hardening_of(d) != HARDENING_STRICT;

        return is_seen && definition_boots(d) && definition_boolean(d, KEY_EPHEMERAL, false);
}

static void append_nspawn(Str *s, const Definition *d, const Parts *p) {
        str_append(s, "ExecStart=");
        append_launcher(s, d, p);
        str_append_all(
                s, "systemd-nspawn --quiet --keep-unit --settings=no --machine=", d->machine);
        append_option(s, d, definition_find(d, KEY_IMAGE) ? "--image=" : "--directory=", p->root);
        if (finds_init(d) && !starts_with_ours(d))
                str_append(s, " --boot");
        append_option(
                s, d, "--notify-ready=", notifies_ready(d) || waits_for_network(d) ? "yes" : "no");
        append_option(s, d, "--kill-signal=", kill_signal(d));
        hardening_append_options(s, d);
        append_namespace(s, d);
        if (definition_system(d) == SYSTEM_HOST)
                str_append_all(
                        s, " --bind-ro=/usr", definition_shifts_users(d) ? ":/usr:idmap" : "");
        if (definition_system(d) == SYSTEM_PATH)
                append_nix(s, d);
        str_append(s, " --bind-ro=" LIBEXEC_DIR "/spawnlet-init:" INIT_PATH);
        if (keeps_journal_outside(d))
                str_append_all(s, " --bind=" JOURNALS_DIR "/", d->machine, ":/var/log/journal",
                        definition_shifts_users(d) ? ":idmap" : "");
        append_users(s, d);
        append_table_options(s, d);
        credentials_append_options(s, d);
        /* Last: of several --resolv-conf=, the last one counts. */
        if (has_resolv_conf(d))
                str_append_all(s, " --resolv-conf=off --bind-ro=" SPAWNLET_RESOLV_DIR "/",
                        d->machine,
                        binds_resolv_conf(d) ? ":" INIT_RESOLV_CONF : ":/etc/resolv.conf");
        append_init(s, d);
        str_append(s, "\n");
}

/* What Hardening= allows is in the unit already. */
static void append_devices(Str *s, const Definition *d) {
        for (const Setting *i = NULL; (i = definition_next(d, KEY_DEVICE, i));) {
                const char *access = i->value + strcspn(i->value, " \t");
                _cleanup_free_ char *node = strndup(i->value, (size_t) (access - i->value));

                if (!node) {
                        s->failed = true;
                        return;
                }
                access += strspn(access, " \t");
                str_append(s, "DeviceAllow=");
                word_append_list(s, node, definition_word_flags(d));
                str_append_all(s, " ", *access ? access : "rwm", "\n");
        }
}

static void append_reload(Str *s, const Definition *d, const Parts *p) {
        bool has_command = definition_find(d, KEY_RELOAD_COMMAND) != NULL;

        if (definition_network(d) == NETWORK_OWN) {
                str_append(s, "ExecReload=");
                append_network(s, d, p, "reload");
                str_append_char(s, '\n');
        }

        str_append(s, "ExecReload=" LIBEXEC_DIR "/spawnlet-reload ");
        if (definition_system(d) == SYSTEM_HOST)
                str_append(s, "--system=host ");
        if (definition_find(d, KEY_HEALTH_COMMAND))
                str_append(s, "--health ");
        definition_append_instance(s, d);
        str_append(s, " $MAINPID");
        append_part(s, &p->reloadable);
        str_append_char(s, '\n');

        if (!has_command && definition_system(d) != SYSTEM_PATH)
                return;

        str_append(s, "ExecReload=" LIBEXEC_DIR "/spawnlet-enter");
        if (has_command) {
                str_append(s, " $MAINPID --");
                append_options(s, d, KEY_RELOAD_COMMAND, "");
        } else {
                _cleanup_free_ char *switcher = NULL;
                const char *profile = definition_value(d, KEY_SYSTEM);

                /* By now a link may lead to another system in the store than at the start: it is
                 * that one which is to be switched to. */
                if (str_join(&switcher, profile, "/bin/switch-to-configuration") < 0)
                        s->failed = true;
                else if (profile != profile_inside(d))
                        append_option(s, d, "--store-path=", switcher);
                str_append(s, " $MAINPID --");
                word_append_exec(s, profile_inside(d), "/bin/switch-to-configuration",
                        definition_word_flags(d));
                str_append(s, " test");
        }
        str_append(s, "\n");
}

/* Whether a setting is a line of [Service] that says how long a stop may take. */
static bool is_stop_timeout(const Setting *s) {
        return !s->key && strcmp(s->section, "Service") == 0 &&
                (strcmp(s->name, "TimeoutStopSec") == 0 || strcmp(s->name, "TimeoutSec") == 0);
}

/*
 * How long the stop helper may take: less than the unit's own timeout, so that it, which knows
 * how, ends a container that will not, and systemd's SIGKILL remains for when it fails.
 */
static uint64_t stop_timeout(const Definition *d) {
        uint64_t timeout = TIMEOUT_STOP_USEC, value;

        for (size_t i = 0; i < d->n_settings; i++)
                if (is_stop_timeout(&d->settings[i]) &&
                        parse_timespan(d->settings[i].value, &value) == 0)
                        timeout = value == 0 ? UINT64_MAX : value; /* 0 turns the timeout off */

        return timeout == UINT64_MAX ? UINT64_MAX : timeout - timeout / 10;
}

static void append_stop(Str *s, const Definition *d) {
        uint64_t timeout = stop_timeout(d);

        str_append(s, "ExecStop=" LIBEXEC_DIR "/spawnlet-stop");
        /* Without a signal it looks what kind of init there is. */
        if (definition_find(d, KEY_KILL_SIGNAL) || !definition_boots(d))
                str_append_all(s, " --signal=", kill_signal(d));
        if (!definition_boots(d) && !definition_boolean(d, KEY_PROCESS_TWO, false))
                str_append(s, " --command");
        str_append(s, " --timeout=");
        if (timeout == UINT64_MAX) {
                str_append(s, "infinity");
        } else {
                str_append_unsigned(s, timeout / USEC_PER_MSEC);
                str_append(s, "ms");
        }
        str_append(s, " $MAINPID\n");

        str_append(s, "ExecStopPost=" LIBEXEC_DIR "/spawnlet-cleanup ");
        definition_append_instance(s, d);
        str_append_char(s, '\n');
}

int unit_text(const Definition *d, char **ret) {
        _cleanup_free_ char *directory = NULL;
        _cleanup_(parts_done) Parts p = { .root = definition_value(d, KEY_IMAGE) };
        _cleanup_str_ Str s = {};
        int r;

        r = definition_root(d, &directory);
        if (r < 0)
                return r;
        if (!p.root)
                p.root = directory;
        if (definition_network(d) == NETWORK_OWN)
                append_network_options(&p.network, d);

        (void) str_reserve(&s, UNIT_SIZE_USUAL); /* a failure shows at the end */
        append_header(&s, d);
        append_unit_section(&s, d, p.root);

        str_append(&s, service_head);
        hardening_append_lines(&s, d, hardening_of(d));
        append_devices(&s, d);
        str_append(&s, "Restart=on-failure\n");
        if (definition_boots(d))
                str_append(&s, REBOOT_LINES);
        /* The only hint nspawn 252 takes about a root whose systemd it cannot look at. */
        if (definition_system(d) != SYSTEM_ROOT)
                str_append(&s, "Environment=SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1\n");
        str_append_all(&s, "SyslogIdentifier=container-", d->machine, "\n");
        if (keeps_journal_outside(d))
                /* Closed above: a set-user-ID program in it would be root's for the host's users. */
                str_append_all(&s, "LogsDirectory=spawnlet spawnlet/", d->machine, "\n",
                        "LogsDirectoryMode=0700\n");
        append_prepare(&s, d, &p);
        append_nspawn(&s, d, &p);
        if (waits_for_health(d))
                health_append_wait(&s, d);
        append_reload(&s, d, &p);
        append_stop(&s, d);
        append_pass_through(&s, d, "Service");

        return str_take(&s, ret);
}

/* A unit that cannot be started, but can stop what was started before the definition was lost
 * or spoiled: systemd forgets the unit's former commands at a daemon-reload. */
static int stub_text(const Definition *d, const char *reason, char **ret) {
        _cleanup_str_ Str s = {};

        append_header(&s, d);
        str_append_all(&s, "\n[Unit]\nDescription=Container '", d->machine, "', ");
        word_append_text(&s, reason, 0);
        append_source_path(&s, d);
        /* A start of what is not valid must not use up the starts that it has when it is. */
        str_append(&s, "StartLimitIntervalSec=0\n");

        str_append(&s, service_head);
        hardening_append_lines(&s, d, HARDENING_TRUSTED);
        /* What nspawn exits with after a reboot inside, which is not to be done here. */
        if (definition_boots(d))
                str_append(&s, "SuccessExitStatus=133\n");
        str_append_all(&s, "SyslogIdentifier=container-", d->machine, "\n");
        str_append(&s, "ExecStart=" BIN_DIR "/spawnlet check --from-unit ");
        definition_append_instance(&s, d);
        /* Of a container that runs since it was valid: says what is wrong, too. */
        str_append(&s, "\nExecReload=" BIN_DIR "/spawnlet check --from-unit ");
        definition_append_instance(&s, d);
        str_append_char(&s, '\n');
        append_stop(&s, d);
        for (size_t i = 0; i < d->n_settings; i++)
                if (is_stop_timeout(&d->settings[i]))
                        append_assignment(&s, d->settings[i].name, d->settings[i].value);

        return str_take(&s, ret);
}

int unit_stub_text(const Definition *d, const Diags *diags, char **ret) {
        _cleanup_free_ char *text = NULL, *reason = NULL;
        int r;

        for (size_t i = 0; i < diags->n && !text; i++)
                if (diags->items[i].severity == SEVERITY_ERROR) {
                        r = diag_format(&diags->items[i], &text);
                        if (r < 0)
                                return r;
                }

        r = str_join(&reason, "not valid: ", text ? text : "");
        return r < 0 ? r : stub_text(d, reason, ret);
}

int unit_orphan_text(const char *name, char **ret) {
        _cleanup_(definition_freep) Definition *d = NULL;
        int r;

        r = definition_new(name, &d);
        return r < 0 ? r : stub_text(d, "whose definition is gone", ret);
}

static int append_install_links(const Setting *s, const char *unit, char ***links) {
        static const struct {
                const char *key, *suffix;
        } dirs[] = {
                { "WantedBy", ".wants" },
                { "RequiredBy", ".requires" },
                { "UpheldBy", ".upholds" },
        };
        _cleanup_strv_ char **words = NULL;
        const char *error;
        int r;

        r = word_split(s->value, WORD_RETAIN_ESCAPES, &words, &error);
        if (r < 0)
                return r == -EINVAL ? 0 : r; /* was checked when it was read */

        STRV_FOREACH(w, words) {
                if (strcmp(s->name, "Alias") == 0 && !str_equal(*w, unit)) {
                        r = strv_extend(links, *w);
                        if (r < 0)
                                return r;
                }
                for (size_t i = 0; i < ELEMENTSOF(dirs); i++) {
                        if (strcmp(s->name, dirs[i].key) != 0)
                                continue;
                        r = strv_extendf(links, "%s%s/%s", *w, dirs[i].suffix, unit);
                        if (r < 0)
                                return r;
                }
        }

        return 0;
}

int unit_links(const Definition *d, char ***ret) {
        _cleanup_strv_ char **links = NULL;
        _cleanup_free_ char *unit = NULL;
        int r;

        r = unit_name(d->name, &unit);
        if (r < 0)
                return r;

        /* A template is no container: its instances are. */
        if (definition_is_template(d)) {
                *ret = NULL;
                return 0;
        }

        if (definition_boolean(d, KEY_AUTO_START, true)) {
                char *link;

                r = str_join(&link, "machines.target.wants/", unit);
                if (r >= 0)
                        r = strv_consume(&links, link);
                if (r < 0)
                        return r;
        }

        for (size_t i = 0; i < d->n_settings; i++) {
                if (d->settings[i].key || strcmp(d->settings[i].section, "Install") != 0)
                        continue;
                r = append_install_links(&d->settings[i], unit, &links);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(links);
        return 0;
}
