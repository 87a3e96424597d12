/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/keys.h"

#include "common/base/parse.h"
#include "common/base/word.h"

const Key keys[_KEY_MAX] = {
        [KEY_DESCRIPTION] = { "Container", "Description", TYPE_TEXT, .effect = EFFECT_NONE,
                .help = "Description of the unit" },
        [KEY_ROOT] = { "Container", "Root", TYPE_PATH,
                .help = "Directory that holds the container's file system" },
        [KEY_IMAGE] = { "Container", "Image", TYPE_PATH,
                .help = "Disk image that holds the container's file system, instead of Root=" },
        [KEY_SYSTEM] = { "Container", "System", TYPE_SYSTEM,
                .help = "Where the operating system comes from, if not from Root=" },
        [KEY_SERVICES] = { "Container", "Services", TYPE_UNITS, .flags = KEY_LIST,
                .effect = EFFECT_RELOAD, .help = "Units that a System=host container starts" },
        [KEY_INIT] = { "Container", "Init", TYPE_PATH,
                .help = "Program to start as the container's init" },
        [KEY_COMMAND] = { "Container", "Command", TYPE_COMMAND,
                .help = "Command to run instead of an init" },
        [KEY_AUTO_START] = { "Container", "AutoStart", TYPE_BOOLEAN, .effect = EFFECT_NONE,
                .help = "Whether the container starts at boot" },
        [KEY_RELOAD_COMMAND] = { "Container", "ReloadCommand", TYPE_COMMAND, .effect = EFFECT_NONE,
                .help = "Command to run inside on reload" },
        [KEY_RESTART_IF_CHANGED] = { "Container", "RestartIfChanged", TYPE_BOOLEAN,
                .effect = EFFECT_NONE,
                .help = "Whether a change of the definition may restart the container" },
        [KEY_HEALTH_COMMAND] = { "Container", "HealthCommand", TYPE_COMMAND, .effect = EFFECT_LIVE,
                .help = "Command inside that says whether the container is healthy" },
        [KEY_HEALTH_INTERVAL] = { "Container", "HealthInterval", TYPE_TIMESPAN,
                .effect = EFFECT_LIVE, .help = "Time between two health checks" },
        [KEY_HEALTH_RETRIES] = { "Container", "HealthRetries", TYPE_COUNT, .effect = EFFECT_LIVE,
                .help = "Failures in a row that make the container unhealthy" },
        [KEY_HEALTH_TIMEOUT] = { "Container", "HealthTimeout", TYPE_TIMESPAN, .effect = EFFECT_LIVE,
                .help = "Time that a health check may take" },
        [KEY_HEALTH_START_PERIOD] = { "Container", "HealthStartPeriod", TYPE_TIMESPAN,
                .effect = EFFECT_LIVE,
                .help = "Time after the start in which failures do not count" },
        [KEY_HEALTH_ON_FAILURE] = { "Container", "HealthOnFailure", TYPE_CHOICE,
                .choices = "none restart stop kill", .effect = EFFECT_LIVE,
                .help = "What to do with an unhealthy container" },
        [KEY_HARDENING] = { "Container", "Hardening", TYPE_CHOICE,
                .choices = "trusted default strict",
                .help = "Preset of what the container may do" },

        [KEY_PROCESS_TWO] = { "Exec", "ProcessTwo", TYPE_BOOLEAN, .flags = KEY_FLAG,
                .option = "--as-pid2",
                .help = "Whether Command= runs below a small init, as PID 2" },
        [KEY_PARAMETERS] = { "Exec", "Parameters", TYPE_WORDS, .flags = KEY_LIST,
                .help = "Arguments for the container's init" },
        [KEY_ENVIRONMENT] = { "Exec", "Environment", TYPE_ENVIRONMENT, .flags = KEY_LIST,
                .option = "--setenv=", .help = "Environment of the container's init" },
        [KEY_USER] = { "Exec", "User", TYPE_USER,
                .option = "--user=", .help = "User that Command= runs as" },
        [KEY_WORKING_DIRECTORY] = { "Exec", "WorkingDirectory", TYPE_PATH,
                .option = "--chdir=", .help = "Working directory of the container's init" },
        [KEY_PIVOT_ROOT] = { "Exec", "PivotRoot", TYPE_PIVOT, .option = "--pivot-root=",
                .help = "Directory inside that becomes the root, and where the old one goes" },
        [KEY_HOSTNAME] = { "Exec", "Hostname", TYPE_HOSTNAME,
                .option = "--hostname=", .help = "Host name inside" },
        [KEY_MACHINE_ID] = { "Exec", "MachineID", TYPE_MACHINE_ID,
                .option = "--uuid=", .help = "Machine ID inside" },
        [KEY_EPHEMERAL] = { "Exec", "Ephemeral", TYPE_BOOLEAN, .flags = KEY_FLAG,
                .option = "--ephemeral",
                .help = "Whether all changes to the file system are lost at the stop" },
        [KEY_PRIVATE_USERS] = { "Exec", "PrivateUsers", TYPE_PRIVATE_USERS,
                .help = "Whether the container has users of its own" },
        [KEY_PRIVATE_USERS_DELEGATE] = { "Exec", "PrivateUsersDelegate", TYPE_COUNT,
                .option = "--private-users-delegate=", .since = 260,
                .help = "Ranges of users for containers inside" },
        [KEY_NOTIFY_READY] = { "Exec", "NotifyReady", TYPE_READY, .effect = EFFECT_NONE,
                .help = "Whether start waits until the inner system is up, or healthy" },
        [KEY_KILL_SIGNAL] = { "Exec", "KillSignal", TYPE_SIGNAL, .effect = EFFECT_NONE,
                .help = "Signal that asks the container's init to shut down" },
        [KEY_CAPABILITY] = { "Exec", "Capability", TYPE_CAPABILITIES, .flags = KEY_LIST,
                .option = "--capability=", .help = "Capabilities to grant" },
        [KEY_DROP_CAPABILITY] = { "Exec", "DropCapability", TYPE_CAPABILITIES, .flags = KEY_LIST,
                .option = "--drop-capability=", .help = "Capabilities to take away" },
        [KEY_AMBIENT_CAPABILITY] = { "Exec", "AmbientCapability", TYPE_CAPABILITIES,
                .flags = KEY_LIST, .option = "--ambient-capability=",
                .help = "Capabilities that Command= keeps as another user than root" },
        [KEY_NO_NEW_PRIVILEGES] = { "Exec", "NoNewPrivileges", TYPE_BOOLEAN,
                .option = "--no-new-privileges=",
                .help = "Whether set-user-ID programs have no effect" },
        [KEY_SYSTEM_CALL_FILTER] = { "Exec", "SystemCallFilter", TYPE_CALL_FILTER,
                .flags = KEY_LIST, .option = "--system-call-filter=",
                .help = "System calls to allow or, with ~, to refuse" },
        [KEY_RESTRICT_ADDRESS_FAMILIES] = { "Exec", "RestrictAddressFamilies",
                TYPE_ADDRESS_FAMILIES, .flags = KEY_LIST, .option = "--restrict-address-families=",
                .since = 261, .help = "Kinds of sockets to allow or, with ~, to refuse" },
        [KEY_PERSONALITY] = { "Exec", "Personality", TYPE_CHOICE, .option = "--personality=",
                .choices =
                        "x86 x86-64 arm arm64 arm-be arm64-be ia64 loongarch64 m68k mips mips-le "
                        "mips64 mips64-le parisc parisc64 ppc ppc-le ppc64 ppc64-le riscv32 "
                        "riscv64 s390 s390x sparc sparc64 alpha arc arc-be cris tilegx sh sh64",
                .help = "Architecture that uname(2) inside reports" },
        [KEY_LIMIT_CPU] = { "Exec", "LimitCPU", TYPE_LIMIT_SECONDS,
                .option = "--rlimit=RLIMIT_CPU=", .help = "CPU time of a process" },
        [KEY_LIMIT_FSIZE] = { "Exec", "LimitFSIZE", TYPE_LIMIT_SIZE,
                .option = "--rlimit=RLIMIT_FSIZE=",
                .help = "Size of a file that a process writes" },
        [KEY_LIMIT_DATA] = { "Exec", "LimitDATA", TYPE_LIMIT_SIZE,
                .option = "--rlimit=RLIMIT_DATA=", .help = "Data segment of a process" },
        [KEY_LIMIT_STACK] = { "Exec", "LimitSTACK", TYPE_LIMIT_SIZE,
                .option = "--rlimit=RLIMIT_STACK=", .help = "Stack of a process" },
        [KEY_LIMIT_CORE] = { "Exec", "LimitCORE", TYPE_LIMIT_SIZE,
                .option = "--rlimit=RLIMIT_CORE=", .help = "Size of a core file" },
        [KEY_LIMIT_RSS] = { "Exec", "LimitRSS", TYPE_LIMIT_SIZE, .option = "--rlimit=RLIMIT_RSS=",
                .help = "Resident memory of a process; without effect on Linux" },
        [KEY_LIMIT_NOFILE] = { "Exec", "LimitNOFILE", TYPE_LIMIT,
                .option = "--rlimit=RLIMIT_NOFILE=", .help = "Open files of a process" },
        [KEY_LIMIT_AS] = { "Exec", "LimitAS", TYPE_LIMIT_SIZE,
                .option = "--rlimit=RLIMIT_AS=", .help = "Address space of a process" },
        [KEY_LIMIT_NPROC] = { "Exec", "LimitNPROC", TYPE_LIMIT,
                .option = "--rlimit=RLIMIT_NPROC=", .help = "Processes of a user" },
        [KEY_LIMIT_MEMLOCK] = { "Exec", "LimitMEMLOCK", TYPE_LIMIT_SIZE,
                .option = "--rlimit=RLIMIT_MEMLOCK=", .help = "Locked memory of a process" },
        [KEY_LIMIT_LOCKS] = { "Exec", "LimitLOCKS", TYPE_LIMIT, .option = "--rlimit=RLIMIT_LOCKS=",
                .help = "File locks of a process; without effect on Linux" },
        [KEY_LIMIT_SIGPENDING] = { "Exec", "LimitSIGPENDING", TYPE_LIMIT,
                .option = "--rlimit=RLIMIT_SIGPENDING=", .help = "Queued signals of a user" },
        [KEY_LIMIT_MSGQUEUE] = { "Exec", "LimitMSGQUEUE", TYPE_LIMIT_SIZE,
                .option = "--rlimit=RLIMIT_MSGQUEUE=", .help = "Message queues of a user" },
        [KEY_LIMIT_NICE] = { "Exec", "LimitNICE", TYPE_LIMIT_NICE,
                .option = "--rlimit=RLIMIT_NICE=", .help = "Nice level that a process may set" },
        [KEY_LIMIT_RTPRIO] = { "Exec", "LimitRTPRIO", TYPE_LIMIT,
                .option = "--rlimit=RLIMIT_RTPRIO=", .help = "Realtime priority of a process" },
        [KEY_LIMIT_RTTIME] = { "Exec", "LimitRTTIME", TYPE_LIMIT_USEC,
                .option = "--rlimit=RLIMIT_RTTIME=",
                .help = "CPU time of a realtime process without a blocking system call" },
        [KEY_OOM_SCORE_ADJUST] = { "Exec", "OOMScoreAdjust", TYPE_OOM_SCORE,
                .option = "--oom-score-adjust=",
                .help = "How likely the kernel kills the container out of memory" },
        [KEY_CPU_AFFINITY] = { "Exec", "CPUAffinity", TYPE_CPUS,
                .option = "--cpu-affinity=", .help = "CPUs that the container runs on" },
        [KEY_RESOLV_CONF] = { "Exec", "ResolvConf", TYPE_CHOICE, .option = "--resolv-conf=",
                .choices = "off copy-host copy-static copy-uplink copy-stub replace-host "
                           "replace-static replace-uplink replace-stub bind-host bind-static "
                           "bind-uplink bind-stub delete auto",
                .help = "How /etc/resolv.conf inside is handled" },
        [KEY_TIMEZONE] = { "Exec", "Timezone", TYPE_CHOICE,
                .option = "--timezone=", .choices = "off copy bind symlink delete auto",
                .help = "How /etc/localtime inside is handled" },
        [KEY_LINK_JOURNAL] = { "Exec", "LinkJournal", TYPE_CHOICE,
                .option = "--link-journal=", .choices = "no host try-host guest try-guest auto",
                .help = "Whether the host sees the container's journal" },
        [KEY_SUPPRESS_SYNC] = { "Exec", "SuppressSync", TYPE_BOOLEAN, .option = "--suppress-sync=",
                .help = "Whether fsync(2) and the like do nothing inside" },
        [KEY_LOAD_CREDENTIAL] = { "Exec", "LoadCredential", TYPE_LOAD_CREDENTIAL, .flags = KEY_LIST,
                .option = "--load-credential=", .help = "Credential to pass in from a file" },
        [KEY_SET_CREDENTIAL] = { "Exec", "SetCredential", TYPE_SET_CREDENTIAL, .flags = KEY_LIST,
                .help = "Credential to pass in as it stands here" },

        [KEY_READ_ONLY] = { "Files", "ReadOnly", TYPE_BOOLEAN, .flags = KEY_FLAG,
                .option = "--read-only", .help = "Whether the file system is read-only" },
        [KEY_VOLATILE] = { "Files", "Volatile", TYPE_CHOICE,
                .option = "--volatile=", .choices = "no yes state overlay",
                .help = "Which part of the file system is lost at the stop" },
        [KEY_BIND] = { "Files", "Bind", TYPE_BIND, .flags = KEY_LIST,
                .option = "--bind=", .effect = EFFECT_RELOAD,
                .help = "Files and directories of the host to mount writable" },
        [KEY_BIND_READ_ONLY] = { "Files", "BindReadOnly", TYPE_BIND, .flags = KEY_LIST,
                .option = "--bind-ro=", .effect = EFFECT_RELOAD,
                .help = "Files and directories of the host to mount read-only" },
        [KEY_BIND_USER] = { "Files", "BindUser", TYPE_USERS, .flags = KEY_LIST,
                .option = "--bind-user=",
                .help = "Users of the host that exist inside, too, with their homes" },
        [KEY_BIND_USER_SHELL] = { "Files", "BindUserShell", TYPE_USER_SHELL,
                .option = "--bind-user-shell=", .since = 258,
                .help = "Shell of the users of BindUser=" },
        [KEY_TEMPORARY_FILE_SYSTEM] = { "Files", "TemporaryFileSystem", TYPE_TMPFS,
                .flags = KEY_LIST, .option = "--tmpfs=", .help = "Where to mount a tmpfs inside" },
        [KEY_INACCESSIBLE] = { "Files", "Inaccessible", TYPE_PATH, .flags = KEY_LIST,
                .option = "--inaccessible=",
                .help = "Files and directories inside that nobody can open" },
        [KEY_OVERLAY] = { "Files", "Overlay", TYPE_OVERLAY, .flags = KEY_LIST,
                .option = "--overlay=",
                .help = "Directories to mount one above the other, writable" },
        [KEY_OVERLAY_READ_ONLY] = { "Files", "OverlayReadOnly", TYPE_OVERLAY, .flags = KEY_LIST,
                .option = "--overlay-ro=",
                .help = "Directories to mount one above the other, read-only" },
        [KEY_PRIVATE_USERS_OWNERSHIP] = { "Files", "PrivateUsersOwnership", TYPE_CHOICE,
                .option = "--private-users-ownership=", .choices = "off chown map auto",
                .help = "How files get the owners that PrivateUsers= needs" },
        [KEY_DEVICE] = { "Files", "Device", TYPE_DEVICE, .flags = KEY_LIST,
                .help = "Device node of the host to mount and to allow" },

        [KEY_PRIVATE] = { "Network", "Private", TYPE_BOOLEAN, .effect = EFFECT_RELOAD,
                .help = "Whether the container has a network of its own" },
        [KEY_HOST_ADDRESS] = { "Network", "HostAddress", TYPE_ADDRESS, .flags = KEY_LIST,
                .effect = EFFECT_RELOAD, .help = "Address of the host's end of the veth pair" },
        [KEY_LOCAL_ADDRESS] = { "Network", "LocalAddress", TYPE_ADDRESS, .flags = KEY_LIST,
                .effect = EFFECT_RELOAD,
                .help = "Address of the container's end of the veth pair, eth0" },
        [KEY_GATEWAY] = { "Network", "Gateway", TYPE_GATEWAY, .flags = KEY_LIST,
                .effect = EFFECT_RELOAD,
                .help = "Default gateway inside, by default the HostAddress=" },
        [KEY_BRIDGE] = { "Network", "Bridge", TYPE_INTERFACE, .effect = EFFECT_RELOAD,
                .help = "Bridge that the host's end of the veth pair joins" },
        [KEY_ZONE] = { "Network", "Zone", TYPE_ZONE, .effect = EFFECT_RELOAD,
                .help = "Group of containers that share a bridge of their own" },
        [KEY_MAC_ADDRESS] = { "Network", "MACAddress", TYPE_MAC, .effect = EFFECT_RELOAD,
                .help = "Ethernet address of eth0, by default a stable one" },
        [KEY_MTU] = { "Network", "MTU", TYPE_MTU, .effect = EFFECT_RELOAD,
                .help = "Largest packet that the veth pair carries, in bytes" },
        [KEY_PORT] = { "Network", "Port", TYPE_PORT, .flags = KEY_LIST, .effect = EFFECT_RELOAD,
                .help = "Port of the host to forward to the container" },
        [KEY_MASQUERADE] = { "Network", "Masquerade", TYPE_BOOLEAN, .effect = EFFECT_RELOAD,
                .help = "Whether the container's traffic leaves under the host's addresses" },
        [KEY_INTERFACE] = { "Network", "Interface", TYPE_INTERFACE_PAIR, .flags = KEY_LIST,
                .effect = EFFECT_RELOAD,
                .help = "Interface of the host to move into the container" },
        [KEY_MACVLAN] = { "Network", "MACVLAN", TYPE_INTERFACE_PAIR, .flags = KEY_LIST,
                .effect = EFFECT_RELOAD,
                .help = "Interface of the host to make a macvlan of, for the container" },
        [KEY_IPVLAN] = { "Network", "IPVLAN", TYPE_INTERFACE_PAIR, .flags = KEY_LIST,
                .effect = EFFECT_RELOAD,
                .help = "Interface of the host to make an ipvlan of, for the container" },
        [KEY_NAMESPACE_PATH] = { "Network", "NamespacePath", TYPE_PATH,
                .help = "Network namespace to join" },
        [KEY_NAMESPACE] = { "Network", "Namespace", TYPE_NAMESPACE,
                .help = "Container whose network namespace to join" },
        [KEY_DNS] = { "Network", "DNS", TYPE_NAMESERVER, .flags = KEY_LIST, .effect = EFFECT_RELOAD,
                .help = "Name servers for the container's resolv.conf" },
        [KEY_SEARCH] = { "Network", "Search", TYPE_DOMAINS, .flags = KEY_LIST,
                .effect = EFFECT_RELOAD, .help = "Search domains for the container's resolv.conf" },

        [KEY_VETH_HOST_ADDRESS] = { SECTION_VETH, "HostAddress", TYPE_ADDRESS, .flags = KEY_LIST,
                .effect = EFFECT_RELOAD, .help = "Address of the host's end of the pair" },
        [KEY_VETH_LOCAL_ADDRESS] = { SECTION_VETH, "LocalAddress", TYPE_ADDRESS, .flags = KEY_LIST,
                .effect = EFFECT_RELOAD, .help = "Address of the container's end of the pair" },
        [KEY_VETH_BRIDGE] = { SECTION_VETH, "Bridge", TYPE_INTERFACE, .effect = EFFECT_RELOAD,
                .help = "Bridge that the host's end of the pair joins" },
        [KEY_VETH_ZONE] = { SECTION_VETH, "Zone", TYPE_ZONE, .effect = EFFECT_RELOAD,
                .help = "Group of containers that share a bridge of their own" },
        [KEY_VETH_MAC_ADDRESS] = { SECTION_VETH, "MACAddress", TYPE_MAC, .effect = EFFECT_RELOAD,
                .help = "Ethernet address of the container's end" },
        [KEY_VETH_MTU] = { SECTION_VETH, "MTU", TYPE_MTU, .effect = EFFECT_RELOAD,
                .help = "Largest packet that the pair carries, in bytes" },
};

/* Keys of systemd.nspawn(5), and near misses, whose place something else has taken. */
static const struct {
        const char *section, *name, *hint;
} elsewhere[] = {
        { "Exec", "Boot", "an init is booted unless Command= is set" },
        { "Files", "PrivateUsersChown", "use PrivateUsersOwnership=chown" },
        { "Network", "Address", "did you mean 'LocalAddress='?" },
        { "Network", "Domains", "did you mean 'Search='?" },
        { "Network", "IPMasquerade", "did you mean 'Masquerade='?" },
        { "Network", "NAT", "did you mean 'Masquerade='?" },
        { "Network", "Network", "use Bridge= or Zone=" },
        { "Network", "PortForward", "did you mean 'Port='?" },
        { "Network", "PublishPort", "did you mean 'Port='?" },
        { "Network", "VirtualEthernet", "use Private=yes" },
        { "Network", "VirtualEthernetExtra", "use a section [Veth NAME]" },
        { SECTION_VETH, "Gateway", "a further pair has no default route" },
        { "Container", "TimeoutStopSec", "'TimeoutStopSec=' belongs into [Service]" },
        { "Container", "After", "'After=' belongs into [Unit]" },
        { "Container", "Requires", "'Requires=' belongs into [Unit]" },
        { "Container", "MemoryMax", "'MemoryMax=' belongs into [Service]" },
        { "Container", "Restart", "'Restart=' belongs into [Service]" },
        { "Container", "WantedBy", "'WantedBy=' belongs into [Install]" },
};

KeyId key_id(const Key *key) {
        return (KeyId) (key - keys);
}

/* Where the rows of a section begin and end. */
static const struct {
        const char *name;
        KeyId first, end;
} sections[] = {
        { "Container", 0, KEY_PROCESS_TWO },
        { "Exec", KEY_PROCESS_TWO, KEY_READ_ONLY },
        { "Files", KEY_READ_ONLY, KEY_PRIVATE },
        { "Network", KEY_PRIVATE, KEY_VETH_HOST_ADDRESS },
        { SECTION_VETH, KEY_VETH_HOST_ADDRESS, _KEY_MAX },
};

const Key *key_find(const char *section, const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(sections); i++) {
                if (*sections[i].name != *section || strcmp(sections[i].name, section) != 0)
                        continue;
                for (KeyId id = sections[i].first; id < sections[i].end; id++)
                        if (*keys[id].name == *name && strcmp(keys[id].name, name) == 0)
                                return &keys[id];
        }
        return NULL;
}

unsigned key_since(const Key *key, const char *value) {
        const char *options = key->type == TYPE_BIND ? strrchr(value, ':') : NULL;

        /* The one value that is newer than its key; systemd-nspawn(1), --bind=. */
        if (options && options[1] != '/' && strstr(options, "owneridmap"))
                return MAX(key->since, 256U);
        return key->since;
}

const char *key_section(const char *section) {
        for (size_t i = 0; i < ELEMENTSOF(sections); i++)
                if (str_equal(sections[i].name, section))
                        return keys[sections[i].first].section;
        return NULL;
}

/* Whether a distance is small enough for a typing error in a name of this length. */
static bool is_near(unsigned distance, const char *name) {
        return distance <= MIN(3U, 1 + (unsigned) strlen(name) / 4);
}

static const Key *suggest(const char *section, const char *name) {
        const Key *best = NULL;
        unsigned best_distance = UINT32_MAX;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                unsigned distance = str_distance(keys[i].name, name);

                /* In another section only the very name: a wrong header, not a typing error. */
                if (strcmp(keys[i].section, section) != 0 && distance > 0)
                        continue;
                if (!is_near(distance, name) || distance > best_distance)
                        continue;
                if (distance < best_distance || strcmp(keys[i].section, section) == 0) {
                        best = &keys[i];
                        best_distance = distance;
                }
        }

        return best;
}

int key_hint(const char *section, const char *name, char **ret) {
        for (size_t i = 0; i < ELEMENTSOF(elsewhere); i++)
                if (strcmp(elsewhere[i].section, section) == 0 &&
                        strcmp(elsewhere[i].name, name) == 0)
                        return str_join(ret, elsewhere[i].hint);

        const Key *key = suggest(section, name);
        if (!key) {
                *ret = NULL;
                return 0;
        }
        return strcmp(key->section, section) == 0
                ? str_format(ret, "did you mean '%s='?", key->name)
                : str_format(ret, "'%s=' belongs into [%s]", key->name, key->section);
}

const char *key_suggest_section(const char *section) {
        const char *best = NULL;
        unsigned best_distance = UINT32_MAX;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                unsigned distance = str_distance(keys[i].section, section);

                if (is_near(distance, section) && distance < best_distance) {
                        best = keys[i].section;
                        best_distance = distance;
                }
        }

        return best;
}

static int refuse(char **reterr, const char *text) {
        *reterr = strdup(text);
        return *reterr ? -EINVAL : -ENOMEM;
}

/* A UUID is a machine ID when its dashes are left out; sd_id128_from_string(3). */
static int remove_dashes(char **text) {
        char id[33] = "";
        size_t n = 0;

        if (strlen(*text) != 36)
                return 0;
        for (size_t i = 0; i < 36; i++) {
                bool dash = i == 8 || i == 13 || i == 18 || i == 23;

                if (dash != ((*text)[i] == '-'))
                        return 0; /* the check says so */
                if (!dash)
                        id[n++] = (*text)[i];
        }
        return str_replace(text, id);
}

int key_expand(char **text, const char *instance) {
        _cleanup_str_ Str s = {};
        int r;

        for (const char *p = *text; *p; p++)
                if (p[0] == '%' && p[1] == 'i') {
                        str_append(&s, instance);
                        p++;
                } else {
                        str_append_char(&s, *p);
                }

        char *expanded;
        r = str_take(&s, &expanded);
        if (r < 0)
                return r;
        free(*text);
        *text = expanded;
        return 0;
}

static int check_element(const Key *key, char **text, const char *instance, char **reterr) {
        int r;

        if (instance && strstr(*text, "%i")) {
                r = key_expand(text, instance);
                if (r < 0)
                        return r;

                /* In a template nobody knows the value yet: some instance stands for all. */
                if (strcmp(instance, "%i") == 0) {
                        _cleanup_free_ char *example = strdup(*text);

                        r = example ? key_expand(&example, "1") : -ENOMEM;
                        return r < 0 ? r : type_check(key->type, key->choices, example, reterr);
                }
        }

        r = key->type == TYPE_MACHINE_ID ? remove_dashes(text) : 0;
        if (r >= 0)
                r = type_check(key->type, key->choices, *text, reterr);
        if (r >= 0 && (key->type == TYPE_BOOLEAN || key->type == TYPE_READY) &&
                parse_boolean(*text) >= 0)
                r = str_replace(text, parse_boolean(*text) > 0 ? "yes" : "no");
        return r;
}

static void elements_clear(Elements *e) {
        for (size_t i = 0; i < e->n; i++)
                free(e->items[i].text);
        e->n = 0;
}

void elements_done(Elements *e) {
        elements_clear(e);
        free(e->items);
        *e = (Elements){};
}

/* Takes over @text, also on failure. */
static int add_element(Elements *e, char *text, size_t offset) {
        Element *items = e->items;

        if (text && e->n == e->n_allocated) {
                items = reallocarray(items, e->n_allocated * 2 + 8, sizeof(Element));
                if (items) {
                        e->items = items;
                        e->n_allocated = e->n_allocated * 2 + 8;
                }
        }
        if (!text || !items) {
                free(text);
                return -ENOMEM;
        }

        e->items[e->n++] = (Element){ text, offset };
        return 0;
}

static int split(const Key *key, const char *value, Elements *elements, char **reterr,
        size_t *reterr_offset) {
        WordFlags flags = key->type == TYPE_UNITS ? WORD_RETAIN_ESCAPES : 0;
        const char *error, *p = value;
        int r;

        for (;;) {
                const char *begin = p;
                char *word;

                r = word_next(&p, flags, &word, &begin, &error);
                if (r == -EINVAL) {
                        *reterr_offset = (size_t) (begin - value);
                        return refuse(reterr, error);
                }
                if (r <= 0)
                        return r;
                r = add_element(elements, word, (size_t) (begin - value));
                if (r < 0)
                        return r;
        }
}

int key_parse(const Key *key, const char *value, const char *instance, Elements *ret, char **reterr,
        size_t *reterr_offset) {
        int r;

        elements_clear(ret);
        *reterr_offset = 0;
        r = type_is_words(key->type) ? split(key, value, ret, reterr, reterr_offset)
                                     : add_element(ret, strdup(value), 0);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ret->n; i++) {
                r = check_element(key, &ret->items[i].text, instance, reterr);
                if (r < 0) {
                        *reterr_offset = ret->items[i].offset;
                        return r;
                }
        }

        if (key->type == TYPE_COMMAND && ret->n > 0 && !path_is_normalized(ret->items[0].text))
                return refuse(reterr, "the command must begin with an absolute path");
        return 0;
}
