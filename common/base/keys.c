/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/keys.h"

#include "common/base/address.h"
#include "common/base/parse.h"
#include "common/base/word.h"

const Key keys[_KEY_MAX] = {
        [KEY_DESCRIPTION] = { "Container", "Description", TYPE_TEXT,
                .help = "Description of the unit" },
        [KEY_ROOT] = { "Container", "Root", TYPE_PATH,
                .help = "Directory that holds the container's file system" },
        [KEY_SYSTEM] = { "Container", "System", TYPE_SYSTEM,
                .help = "Where the operating system comes from, if not from Root=" },
        [KEY_SERVICES] = { "Container", "Services", TYPE_UNITS, true,
                .help = "Units that a System=host container starts" },
        [KEY_INIT] = { "Container", "Init", TYPE_PATH,
                .help = "Program to start as the container's init" },
        [KEY_AUTO_START] = { "Container", "AutoStart", TYPE_BOOLEAN,
                .help = "Whether the container starts at boot" },
        [KEY_RELOAD_COMMAND] = { "Container", "ReloadCommand", TYPE_COMMAND,
                .help = "Command to run inside on reload" },

        [KEY_PARAMETERS] = { "Exec", "Parameters", TYPE_WORDS, true,
                .help = "Arguments for the container's init" },
        [KEY_ENVIRONMENT] = { "Exec", "Environment", TYPE_ENVIRONMENT, true,
                "--setenv=", .help = "Environment of the container's init" },
        [KEY_HOSTNAME] = { "Exec", "Hostname", TYPE_TEXT, false,
                "--hostname=", .help = "Host name inside" },
        [KEY_MACHINE_ID] = { "Exec", "MachineID", TYPE_MACHINE_ID, false,
                "--uuid=", .help = "Machine ID inside" },
        [KEY_PRIVATE_USERS] = { "Exec", "PrivateUsers", TYPE_TEXT, false,
                "--private-users=", .help = "Whether the container has users of its own" },
        [KEY_NOTIFY_READY] = { "Exec", "NotifyReady", TYPE_BOOLEAN,
                .help = "Whether start waits until the inner system is up" },
        [KEY_KILL_SIGNAL] = { "Exec", "KillSignal", TYPE_SIGNAL,
                .help = "Signal that asks the container's init to shut down" },
        [KEY_CAPABILITY] = { "Exec", "Capability", TYPE_CAPABILITIES, true,
                "--capability=", .help = "Capabilities to grant" },
        [KEY_DROP_CAPABILITY] = { "Exec", "DropCapability", TYPE_CAPABILITIES, true,
                "--drop-capability=", .help = "Capabilities to take away" },
        [KEY_NO_NEW_PRIVILEGES] = { "Exec", "NoNewPrivileges", TYPE_BOOLEAN, false,
                "--no-new-privileges=", .help = "Whether set-user-ID programs have no effect" },
        [KEY_SYSTEM_CALL_FILTER] = { "Exec", "SystemCallFilter", TYPE_TEXT, true,
                "--system-call-filter=", .help = "System calls to allow or, with ~, to refuse" },
        [KEY_RESOLV_CONF] = { "Exec", "ResolvConf", TYPE_TEXT, false,
                "--resolv-conf=", .help = "How /etc/resolv.conf inside is handled" },
        [KEY_TIMEZONE] = { "Exec", "Timezone", TYPE_TEXT, false,
                "--timezone=", .help = "How /etc/localtime inside is handled" },
        [KEY_LINK_JOURNAL] = { "Exec", "LinkJournal", TYPE_TEXT,
                .help = "Whether the host sees the container's journal" },

        [KEY_BIND] = { "Files", "Bind", TYPE_BIND, true,
                "--bind=", .help = "Files and directories of the host to mount writable" },
        [KEY_BIND_READ_ONLY] = { "Files", "BindReadOnly", TYPE_BIND, true,
                "--bind-ro=", .help = "Files and directories of the host to mount read-only" },
        [KEY_TEMPORARY_FILE_SYSTEM] = { "Files", "TemporaryFileSystem", TYPE_TEXT, true,
                "--tmpfs=", .help = "Where to mount a tmpfs inside" },

        [KEY_PRIVATE] = { "Network", "Private", TYPE_BOOLEAN,
                .help = "Whether the container has a network of its own" },
        [KEY_HOST_ADDRESS] = { "Network", "HostAddress", TYPE_ADDRESS, true,
                .help = "Address of the host's end of the veth pair" },
        [KEY_LOCAL_ADDRESS] = { "Network", "LocalAddress", TYPE_ADDRESS, true,
                .help = "Address of the container's end of the veth pair, eth0" },
        [KEY_GATEWAY] = { "Network", "Gateway", TYPE_GATEWAY, true,
                .help = "Default gateway inside, by default the HostAddress=" },
        [KEY_MAC_ADDRESS] = { "Network", "MACAddress", TYPE_MAC,
                .help = "Ethernet address of eth0, by default a stable one" },
        [KEY_MTU] = { "Network", "MTU", TYPE_MTU,
                .help = "Largest packet that the veth pair carries, in bytes" },
};

KeyId key_id(const Key *key) {
        return (KeyId) (key - keys);
}

const Key *key_find(const char *section, const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (strcmp(keys[i].name, name) == 0 && strcmp(keys[i].section, section) == 0)
                        return &keys[i];
        return NULL;
}

bool key_section_exists(const char *section) {
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (strcmp(keys[i].section, section) == 0)
                        return true;
        return false;
}

/* Whether a distance is small enough for a typing error in a name of this length. */
static bool is_near(unsigned distance, const char *name) {
        return distance <= MIN(3U, 1 + (unsigned) strlen(name) / 4);
}

const Key *key_suggest(const char *section, const char *name) {
        const Key *best = NULL;
        unsigned best_distance = UINT32_MAX;

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                unsigned distance = str_distance(keys[i].name, name);

                /* In another section only the very name: a wrong header, not a typing error. */
                if (strcmp(keys[i].section, section) != 0 && distance > 0)
                        continue;
                if (is_near(distance, name) && distance < best_distance) {
                        best = &keys[i];
                        best_distance = distance;
                }
        }

        return best;
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

bool unit_name_is_valid(const char *s) {
        static const char *const suffixes[] = { ".service", ".socket", ".target", ".timer", ".path",
                ".mount", ".automount", ".swap", ".slice", ".scope", ".device" };
        static const char valid[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    ":-_.\\@";

        if (strlen(s) > 255 || s[strspn(s, valid)] != '\0' || *s == '@' || *s == '.')
                return false;

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++)
                if (str_ends_with(s, suffixes[i]) && strlen(s) > strlen(suffixes[i]))
                        return true;
        return false;
}

/* The checks of single elements: NULL when @s is right, else what is wrong with it. */

static const char *check_unit(const char *s) {
        return unit_name_is_valid(s) ? NULL : "not the name of a unit, such as 'nginx.service'";
}

static const char *check_path(const char *s) {
        return path_is_normalized(s) ? NULL
                                     : "not an absolute path without '..', '//' or '/' at its end";
}

static const char *check_environment(const char *s) {
        static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
        static const char rest[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

        if (strspn(s, first) == 0 || s[strspn(s, rest)] != '=')
                return "not an assignment, such as 'NAME=value'";
        return NULL;
}

static const char *check_capability(const char *s) {
        static const char letters[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

        if (strcmp(s, "all") == 0) /* the one that nspawn takes in lower case only */
                return NULL;
        if (strncasecmp(s, "CAP_", 4) != 0 || !s[4] || s[strspn(s, letters)] != '\0')
                return "not the name of a capability, such as 'CAP_NET_RAW'";
        return NULL;
}

static const char *check_bind(const char *s) {
        /* "+/path" is a source inside the container's root, an empty one a temporary directory of
         * the host; systemd-nspawn(1), --bind=. */
        if (*s == '+')
                s++;
        return *s == '/' || *s == ':'
                ? NULL
                : "not SOURCE[:DESTINATION[:OPTIONS]] with an absolute SOURCE";
}

static const char *check_machine_id(const char *s) {
        bool zero = true;

        if (strlen(s) != 32 || s[strspn(s, "0123456789abcdefABCDEF")] != '\0')
                return "not 32 hexadecimal digits";
        for (; *s; s++)
                zero = zero && *s == '0';
        return zero ? "the machine ID must not be all zeros" : NULL;
}

static const char *check_address(const char *s) {
        const char *error;
        Address a;

        return address_parse(s, &a, &error) < 0 ? error : NULL;
}

static const char *check_gateway(const char *s) {
        if (strcmp(s, "none") == 0)
                return NULL;
        if (strchr(s, '/'))
                return "an address without prefix length is needed";
        return check_address(s);
}

static const char *check_mac(const char *s) {
        uint8_t mac[6];

        if (parse_mac(s, mac) < 0)
                return "not an Ethernet address, such as '02:00:00:00:00:01'";
        if (memcmp(mac, (const uint8_t[6]){}, sizeof(mac)) == 0)
                return "the Ethernet address must not be all zeros";
        if (mac[0] & 1)
                return "a multicast address cannot be an interface's own";
        return NULL;
}

static const char *check_mtu(const char *s) {
        uint64_t mtu;

        /* ETH_MIN_MTU and ETH_MAX_MTU of the kernel, which veth has for its limits. */
        return parse_unsigned(s, 68, 65535, &mtu) < 0 ? "not a number from 68 to 65535" : NULL;
}

static const char *check_signal(const char *s) {
        return parse_signal(s) < 0 ? "not a signal, such as 'SIGTERM' or 'SIGRTMIN+3'" : NULL;
}

static const char *check_system(const char *s) {
        if (strcmp(s, "host") == 0)
                return NULL;
        return path_is_normalized(s) ? NULL : "neither 'host' nor an absolute path";
}

typedef struct TypeInfo {
        bool words; /* the value is a list of words, not one element */
        const char *(*check)(const char *s);
} TypeInfo;

static const TypeInfo types[] = {
        [TYPE_TEXT] = {},
        [TYPE_BOOLEAN] = {},
        [TYPE_PATH] = { false, check_path },
        [TYPE_SYSTEM] = { false, check_system },
        [TYPE_UNITS] = { true, check_unit },
        [TYPE_COMMAND] = { true },
        [TYPE_WORDS] = { true },
        [TYPE_ENVIRONMENT] = { true, check_environment },
        [TYPE_CAPABILITIES] = { true, check_capability },
        [TYPE_SIGNAL] = { false, check_signal },
        [TYPE_MACHINE_ID] = { false, check_machine_id },
        [TYPE_BIND] = { false, check_bind },
        [TYPE_ADDRESS] = { false, check_address },
        [TYPE_GATEWAY] = { false, check_gateway },
        [TYPE_MAC] = { false, check_mac },
        [TYPE_MTU] = { false, check_mtu },
};

static int refuse(char **reterr, const char *text) {
        *reterr = strdup(text);
        return *reterr ? -EINVAL : -ENOMEM;
}

static int parse_one(const Key *key, const char *value, char ***ret, char **reterr) {
        if (key->type == TYPE_BOOLEAN) {
                int b = parse_boolean(value);

                if (b < 0)
                        return refuse(reterr, "not a boolean, such as 'yes' or 'no'");
                value = b ? "yes" : "no";
        }

        /* A UUID is one, too, when its dashes are left out; sd_id128_from_string(3). */
        if (key->type == TYPE_MACHINE_ID && strlen(value) == 36) {
                char id[37] = "";
                size_t n = 0;

                for (size_t i = 0; i < 36; i++) {
                        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

                        if (dash != (value[i] == '-'))
                                return refuse(reterr, "neither 32 hexadecimal digits nor a UUID");
                        if (!dash)
                                id[n++] = value[i];
                }
                return strv_extend(ret, id);
        }

        return strv_extend(ret, value);
}

int key_parse(const Key *key, const char *value, char ***ret, char **reterr) {
        _cleanup_strv_ char **elements = NULL;
        const TypeInfo *type = &types[key->type];
        const char *error;
        int r;

        if (type->words) {
                r = word_split(value, key->type == TYPE_UNITS ? WORD_RETAIN_ESCAPES : 0, &elements,
                        &error);
                if (r == -EINVAL)
                        return refuse(reterr, error);
        } else {
                r = parse_one(key, value, &elements, reterr);
        }
        if (r < 0)
                return r;

        if (key->type == TYPE_COMMAND && elements && !path_is_normalized(elements[0]))
                return refuse(reterr, "the command must begin with an absolute path");

        STRV_FOREACH(e, elements) {
                if (!str_is_utf8(*e, strlen(*e)))
                        return refuse(reterr, "with its escapes it is not valid UTF-8");
                error = type->check ? type->check(*e) : NULL;
                if (!error)
                        continue;
                if (!type->words)
                        return refuse(reterr, error);
                r = str_format(reterr, "'%s' is %s", *e, error);
                return r < 0 ? r : -EINVAL;
        }

        *ret = TAKE_PTR(elements);
        return 0;
}
