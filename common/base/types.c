/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/types.h"

#include <arpa/inet.h>

#include "common/base/address.h"
#include "common/base/credential.h"
#include "common/base/name.h"
#include "common/base/parse.h"
#include "common/base/word.h"

#define DIGITS "0123456789"

bool unit_name_is_valid(const char *s) {
        static const char *const suffixes[] = { ".service", ".socket", ".target", ".timer", ".path",
                ".mount", ".automount", ".swap", ".slice", ".scope", ".device" };

        if (strlen(s) > 255 || s[str_span_alnum(s, ":-_.\\@")] != '\0' || *s == '@' || *s == '.')
                return false;

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++)
                if (str_ends_with(s, suffixes[i]) && strlen(s) > strlen(suffixes[i]))
                        return true;
        return false;
}

/* Whether @s, @n bytes long, is one of the words of @list, each separated from the next by a blank. */
static bool is_word_of(const char *list, const char *s, size_t n) {
        for (const char *p = list, *end;; p = end + 1) {
                end = strchrnul(p, ' ');
                if ((size_t) (end - p) == n && memcmp(p, s, n) == 0)
                        return true;
                if (!*end)
                        return false;
        }
}

/* The checks of single elements: NULL when @s is right, else what is wrong with it. */

static const char *check_boolean(const char *s) {
        return parse_boolean(s) >= 0 ? NULL : "not a boolean, such as 'yes' or 'no'";
}

static const char *check_ready(const char *s) {
        return strcmp(s, "healthy") == 0 || !check_boolean(s)
                ? NULL
                : "not a boolean, such as 'yes' or 'no', nor 'healthy'";
}

static const char *check_unit(const char *s) {
        return unit_name_is_valid(s) ? NULL : "not the name of a unit, such as 'nginx.service'";
}

static const char *check_path(const char *s) {
        return path_is_normalized(s) ? NULL
                                     : "not an absolute path without '..', '//' or '/' at its end";
}

static const char *check_environment(const char *s) {
        size_t n = str_span_alnum(s, "_");

        return n == 0 || (*s >= '0' && *s <= '9') || s[n] != '='
                ? "not an assignment, such as 'NAME=value'"
                : NULL;
}

/* capabilities(7); the last one is of Linux 5.9. */
static const char capabilities[] =
        "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap "
        "linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner "
        "sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice "
        "sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap "
        "mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf "
        "checkpoint_restore";

static const char *check_capability(const char *s) {
        char name[32];
        size_t n = 0;

        if (strcmp(s, "all") == 0) /* the one that nspawn takes in lower case only */
                return NULL;
        if (strncasecmp(s, "CAP_", 4) == 0)
                for (s += 4; *s && n < sizeof(name); s++)
                        name[n++] = (char) (*s >= 'A' && *s <= 'Z' ? *s | 0x20 : *s);
        return n > 0 && !*s && is_word_of(capabilities, name, n)
                ? NULL
                : "not the name of a capability, such as 'CAP_NET_RAW'";
}

static const char *check_call_filter(const char *s) {
        s += *s == '~';
        s += strspn(s, " \t");
        if (!*s)
                return "no system call is named";
        while (*s) {
                s += *s == '@';
                size_t n = str_span_alnum(s, "_-");
                if (n == 0 || (s[n] && !strchr(" \t", s[n])))
                        return "not system calls or groups, such as '@mount' or '~keyctl'";
                s += n + strspn(s + n, " \t");
        }
        return NULL;
}

static const char *check_address_families(const char *s) {
        if (strcmp(s, "none") == 0)
                return NULL;
        s += *s == '~';
        if (!*s)
                return "no address family is named";
        while (*s) {
                size_t n = str_span_alnum(s, "_");
                if (!str_starts_with(s, "AF_") || n < 5 || (s[n] && !strchr(" \t", s[n])))
                        return "not address families, such as 'AF_INET AF_INET6'";
                s += n + strspn(s + n, " \t");
        }
        return NULL;
}

static const char *check_signal(const char *s) {
        return parse_signal(s) < 0 ? "not a signal, such as 'SIGTERM' or 'SIGRTMIN+3'" : NULL;
}

static const char *check_hostname(const char *s) {
        return machine_name_is_valid(s)
                ? NULL
                : "not a host name: 1 to 64 letters, digits, '-' and '.' are";
}

static const char *check_machine_id(const char *s) {
        bool zero = true;

        if (strlen(s) != 32 || s[strspn(s, DIGITS "abcdefABCDEF")] != '\0')
                return "neither 32 hexadecimal digits nor a UUID";
        for (; *s; s++)
                zero = zero && *s == '0';
        return zero ? "the machine ID must not be all zeros" : NULL;
}

/* systemd's relaxed rule for names that others made, systemd.io/USER_NAMES, and numbers. */
static const char *check_user(const char *s) {
        uint64_t uid;

        if (s[strspn(s, DIGITS)] == '\0')
                return parse_unsigned(s, 0, UINT32_MAX - 1, &uid) < 0 ? "not a user ID" : NULL;
        if (*s == '-' || strlen(s) > 255 || strpbrk(s, " \t:/,\"'\\%") || strcmp(s, ".") == 0 ||
                strcmp(s, "..") == 0)
                return "not the name of a user";
        return NULL;
}

int user_range_parse(const char *s, UserRange *ret) {
        const char *colon = strchr(s, ':');
        size_t size = colon ? (size_t) (colon - s) : strlen(s);
        uint64_t first, count = UINT16_MAX + 1;
        char number[16];

        (void) snprintf(number, sizeof(number), "%.*s", (int) MIN(size, sizeof(number) - 1), s);
        if (parse_boolean(s) >= 0 || size >= sizeof(number) ||
                parse_unsigned(number, 0, UINT32_MAX - 1, &first) < 0 ||
                (colon && parse_unsigned(colon + 1, 1, UINT32_MAX, &count) < 0) ||
                first == UINT16_MAX || first + count > UINT32_MAX)
                return -EINVAL;

        *ret = (UserRange){ (uint32_t) first, (uint32_t) (first + count - 1) };
        return 0;
}

static const char *check_private_users(const char *s) {
        UserRange range;

        if (parse_boolean(s) >= 0 || is_word_of("pick identity managed", s, strlen(s)) ||
                user_range_parse(s, &range) >= 0)
                return NULL;
        return "not one of no, yes, pick, identity, managed, or a first user ID with ':' and their "
               "number";
}

static const char *check_user_shell(const char *s) {
        return parse_boolean(s) >= 0 || path_is_normalized(s)
                ? NULL
                : "neither a boolean nor the absolute path of a shell";
}

static int parse_size(const char *s, uint64_t *ret) {
        static const char suffixes[] = "KMGTPE";
        size_t n = strspn(s, DIGITS);
        const char *suffix = s[n] ? strchr(suffixes, s[n]) : NULL;
        char number[24];

        if (n == 0 || n >= sizeof(number) || (s[n] && (!suffix || s[n + 1])))
                return -EINVAL;
        memcpy(number, s, n);
        number[n] = '\0';
        if (parse_unsigned(number, 0, UINT64_MAX - 1, ret) < 0)
                return -EINVAL;
        for (const char *p = suffixes; suffix && p <= suffix; p++)
                if (__builtin_mul_overflow(*ret, 1024, ret))
                        return -EINVAL;
        return 0;
}

static int parse_limit_count(const char *s, uint64_t *ret) {
        return parse_unsigned(s, 0, UINT64_MAX - 1, ret);
}

static int parse_limit_usec(const char *s, uint64_t *ret) {
        return s[strspn(s, DIGITS)] == '\0' ? parse_limit_count(s, ret) : parse_timespan(s, ret);
}

/* setpriority(2): "+5" and "-5" are levels, a bare number is the limit, 20 - level. */
static int parse_limit_nice(const char *s, uint64_t *ret) {
        if (*s == '+' || *s == '-') {
                if (parse_unsigned(s + 1, 0, *s == '+' ? 19 : 20, ret) < 0)
                        return -EINVAL;
                *ret = *s == '+' ? 20 - *ret : 20 + *ret;
                return 0;
        }
        return parse_unsigned(s, 1, 40, ret);
}

static int check_limit(const char *s, int (*parse)(const char *s, uint64_t *ret)) {
        const char *colon = strchr(s, ':');
        const char *parts[] = { s, colon ? colon + 1 : s };
        uint64_t limits[2];

        for (size_t i = 0; i < 2; i++) {
                size_t n = i == 0 && colon ? (size_t) (colon - s) : strlen(parts[i]);
                char text[64];

                if (n >= sizeof(text))
                        return -EINVAL;
                memcpy(text, parts[i], n);
                text[n] = '\0';
                if (strcmp(text, "infinity") == 0)
                        limits[i] = UINT64_MAX;
                else if (parse(text, &limits[i]) < 0)
                        return -EINVAL;
        }

        return limits[0] > limits[1] ? -ERANGE : 0;
}

static const char *check_limit_of(
        const char *s, int (*parse)(const char *s, uint64_t *ret), const char *what) {
        int r = check_limit(s, parse);

        return r == -ERANGE ? "the soft limit, before the ':', is above the hard one"
                : r < 0     ? what
                            : NULL;
}

static const char *check_limit_number(const char *s) {
        return check_limit_of(s, parse_limit_count,
                "not a limit: a number or 'infinity', or two of them with ':'");
}

static const char *check_limit_size(const char *s) {
        return check_limit_of(
                s, parse_size, "not a size such as '512M', 'infinity', or two of them with ':'");
}

static const char *check_limit_seconds(const char *s) {
        return check_limit_of(s, parse_timespan,
                "not a time span such as '5min', 'infinity', or two of them with ':'");
}

static const char *check_limit_microseconds(const char *s) {
        return check_limit_of(s, parse_limit_usec,
                "not a time span such as '100ms', 'infinity', or two of them with ':'");
}

static const char *check_limit_nice(const char *s) {
        return check_limit_of(s, parse_limit_nice,
                "not a nice level with sign, -20 to +19, or a limit from 1 to 40");
}

static const char *check_oom_score(const char *s) {
        uint64_t n;

        return parse_unsigned(s + (*s == '-'), 0, 1000, &n) < 0 ? "not a number from -1000 to 1000"
                                                                : NULL;
}

static const char *check_cpus(const char *s) {
        static const char error[] = "not CPUs, such as '0-3 8'";

        for (s += strspn(s, ", \t"); *s; s += strspn(s, ", \t")) {
                uint64_t first = 0, last = 0;
                char range[32];
                size_t n = strcspn(s, ", \t");

                if (n >= sizeof(range))
                        return error;
                memcpy(range, s, n);
                range[n] = '\0';

                char *dash = strchr(range, '-');
                if (dash)
                        *dash = '\0';
                /* As many as the kernel can have, CONFIG_NR_CPUS. */
                if (parse_unsigned(range, 0, 8191, &first) < 0 ||
                        parse_unsigned(dash ? dash + 1 : range, 0, 8191, &last) < 0)
                        return error;
                if (first > last)
                        return "the range of CPUs ends before it begins";
                s += n;
        }
        return NULL;
}

const char *part_end(const char *part) {
        for (part += strcspn(part, ":\\"); *part == '\\'; part += strcspn(part, ":\\"))
                part += part[1] ? 2 : 1;
        return part;
}

/* Cut the first of the parts of @s that colons separate. Return: what follows it, NULL if it was the last. */
static const char *next_part(const char *s, size_t *ret_size) {
        const char *end = part_end(s);

        *ret_size = (size_t) (end - s);
        return *end ? end + 1 : NULL;
}

/* Whether there is a ".." in a path, @n bytes long. */
static bool leads_up(const char *path, size_t n) {
        for (size_t i = 0; i + 2 <= n; i++)
                if (memcmp(path + i, "..", 2) == 0 && (i == 0 || path[i - 1] == '/') &&
                        (i + 2 == n || path[i + 2] == '/'))
                        return true;
        return false;
}

#define VITAL "the destination cannot be /, /dev, /proc, /run or /sys"

/* What systemd-nspawn mounts there, nothing inside can be without. */
static bool is_vital(const char *path, size_t n) {
        return is_word_of("/ /dev /proc /run /sys", path, n > 1 && path[n - 1] == '/' ? n - 1 : n);
}

static const char *check_bind(const char *s) {
        static const char options[] = "rbind norbind idmap noidmap rootidmap owneridmap";
        size_t n;

        /* "+/path" is a source inside the container's root, an empty one a temporary directory of
         * the host; systemd-nspawn(1), --bind=. */
        s += *s == '+';
        const char *rest = next_part(s, &n);
        if (*s != '/' && !(n == 0 && rest))
                return "not SOURCE[:DESTINATION[:OPTIONS]] with an absolute SOURCE";
        if (leads_up(s, n))
                return "the source has a '..' in it";
        if (!rest)
                return is_vital(s, n) ? "add a destination: no container can be without its own"
                                      : NULL;

        s = rest;
        rest = next_part(s, &n);
        if (is_vital(s, n))
                return VITAL;
        if (*s != '/' && n > 0)
                return "the destination is not an absolute path";
        if (n == 0 && !rest)
                return "the destination is missing behind the ':'";
        if (leads_up(s, n))
                return "the destination has a '..' in it";
        for (s = rest; s && *s;) {
                n = strcspn(s, ",");
                if (!is_word_of(options, s, n))
                        return "its options are not of rbind, norbind, idmap, noidmap, rootidmap "
                               "and owneridmap";
                s += n + (s[n] == ',');
        }
        return NULL;
}

static const char *check_tmpfs(const char *s) {
        size_t n;

        (void) next_part(s, &n);
        return *s == '/' && !leads_up(s, n) ? NULL : "not PATH[:OPTIONS] with an absolute PATH";
}

static const char *check_overlay(const char *s) {
        unsigned parts = 0;

        for (const char *rest; s; s = rest, parts++) {
                size_t n;

                rest = next_part(s, &n);
                if (n == 0 && parts > 0 && rest)
                        continue; /* an empty one is a temporary directory */
                s += *s == '+';
                if (*s != '/' || leads_up(s, n))
                        return "not absolute paths, separated by ':'";
        }
        return parts >= 2 ? NULL : "not LOWER[:...]:UPPER[:DESTINATION], two paths at least";
}

static const char *check_pivot(const char *s) {
        unsigned parts = 0;

        for (const char *rest; s; s = rest, parts++) {
                size_t n;

                rest = next_part(s, &n);
                if (*s != '/' || leads_up(s, n))
                        return "not PATH[:PATH] with absolute paths";
        }
        return parts <= 2 ? NULL : "not PATH[:PATH], at most two paths";
}

static const char *check_credential_id(const char *s, const char **ret_rest) {
        size_t n = strcspn(s, ":");

        /* credential_name_valid(): what a file may be called, in ASCII. A backslash nspawn drops. */
        if (n == 0 || n > 255 || s[n] != ':' || *s == '.')
                return "not ID:VALUE with an ID that could be the name of a file";
        for (size_t i = 0; i < n; i++)
                if (s[i] < ' ' || s[i] > '~' || s[i] == '/' || s[i] == '\\')
                        return "not ID:VALUE with an ID that could be the name of a file";
        *ret_rest = s + n + 1;
        return NULL;
}

static const char *check_load_credential(const char *s) {
        const char *error = check_credential_id(s, &s);

        if (error)
                return error;
        return path_is_normalized(s) || (*s && !strchr(s, '/') && *s != '.')
                ? NULL
                : "behind the ':' is neither an absolute path nor the name of a credential of the "
                  "unit";
}

static const char *check_set_credential(const char *s) {
        _cleanup_free_ char *data = NULL;
        const char *error = check_credential_id(s, &s);
        size_t size;

        if (error)
                return error;
        return credential_decode(s, &data, &size) == -EINVAL
                ? "an unknown escape is behind a backslash: a backslash itself is two"
                : NULL; /* out of memory: it is said when the value is needed */
}

static const char *check_device(const char *s) {
        size_t n = strcspn(s, " \t");
        char node[256];

        if (n >= sizeof(node))
                return "the path is too long";
        memcpy(node, s, n);
        node[n] = '\0';
        if (!path_is_normalized(node) || !str_starts_with(node, "/dev/") || strchr(node, ':'))
                return "not a device node below /dev, such as '/dev/net/tun'";

        s += n + strspn(s + n, " \t");
        if (s[strspn(s, "rwm")] != '\0' || strlen(s) > 3)
                return "what is allowed is not of the letters r, w and m";
        return NULL;
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

static const char *check_nameserver(const char *s) {
        struct in6_addr a;

        /* A loopback address, too: a resolver may run inside. */
        return inet_pton(AF_INET, s, &a) == 1 || inet_pton(AF_INET6, s, &a) == 1
                ? NULL
                : "not an IPv4 or IPv6 address";
}

static const char *check_domain(const char *s) {
        if (strcmp(s, ".") == 0)
                return NULL;
        if (strlen(s) > 253 || *s == '.' || strstr(s, "..") || s[str_span_alnum(s, "-_.")] != '\0')
                return "not a domain, such as 'example.com'";
        return NULL;
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

static const char *check_interface(const char *s) {
        return interface_name_is_valid(s)
                ? NULL
                : "not the name of an interface: at most 15 characters, no '/', ':' or blank";
}

/* Its bridge is z-ZONE, which must fit into the name of an interface. */
static const char *check_zone(const char *s) {
        return interface_name_is_valid(s) && strlen(s) <= IF_NAMESIZE - 1 - strlen("z-")
                ? NULL
                : "not the name of a zone: at most 13 characters, no '/', ':' or blank";
}

static const char *check_interface_pair(const char *s) {
        const char *colon = strchr(s, ':');
        char host[IF_NAMESIZE];
        size_t n = colon ? (size_t) (colon - s) : strlen(s);

        if (n < sizeof(host)) {
                memcpy(host, s, n);
                host[n] = '\0';
                if (interface_name_is_valid(host) && (!colon || interface_name_is_valid(colon + 1)))
                        return NULL;
        }
        return "not HOST[:INSIDE], names of interfaces of at most 15 characters";
}

static const char *check_namespace(const char *s) {
        const char *other = str_starts_with(s, "container:");

        return other && definition_name_is_valid(other) && !str_ends_with(other, "@")
                ? NULL
                : "not container:NAME";
}

static const char *check_timespan(const char *s) {
        uint64_t usec;

        return parse_timespan(s, &usec) < 0 ? "not a time span, such as '30s' or '1min 30s'" : NULL;
}

static const char *check_count(const char *s) {
        uint64_t n;

        return parse_unsigned(s, 1, 1000, &n) < 0 ? "not a number from 1 to 1000" : NULL;
}

static const char *check_system(const char *s) {
        if (strcmp(s, "host") == 0)
                return NULL;
        return path_is_normalized(s) ? NULL : "neither 'host' nor an absolute path";
}

/* One number or range of ports at *@s, which is moved behind it. */
static const char *parse_port_range(const char **s, unsigned *ret_first, unsigned *ret_last) {
        unsigned *const numbers[] = { ret_first, ret_last };

        for (size_t i = 0; i < 2; i++) {
                size_t n = strspn(*s, DIGITS);
                char digits[8];
                uint64_t value;

                if (n == 0 || n >= sizeof(digits))
                        return "not a port, 1 to 65535";
                memcpy(digits, *s, n);
                digits[n] = '\0';
                if (parse_unsigned(digits, 1, 65535, &value) < 0)
                        return "not a port, 1 to 65535";
                *numbers[i] = (unsigned) value;
                *s += n;

                if (i == 0 && **s != '-') {
                        *ret_last = *ret_first;
                        return NULL;
                }
                *s += i == 0;
        }

        return *ret_last < *ret_first ? "the range of ports ends before it begins" : NULL;
}

/* The host's address in front of a port, an IPv6 one in brackets. */
static const char *parse_port_host(const char **s, Port *port) {
        char host[INET6_ADDRSTRLEN];
        struct in6_addr a;
        bool bracket = **s == '[';
        size_t n;

        port->host = *s + bracket;
        n = strcspn(port->host, bracket ? "]" : ":");
        if (n >= sizeof(host) || port->host[n] == '\0')
                return bracket ? "the bracket is not closed"
                               : "not an IPv4 or IPv6 address in front of the port";
        memcpy(host, port->host, n);
        host[n] = '\0';
        if (inet_pton(bracket ? AF_INET6 : AF_INET, host, &a) != 1)
                return bracket ? "not an IPv6 address in the brackets"
                               : "not an IPv4 address, or an IPv6 one in brackets, in front of "
                                 "the port";

        port->host_size = n;
        *s = port->host + n + bracket;
        if (**s != ':')
                return "no port behind the address";
        (*s)++;
        return NULL;
}

int port_parse(const char *s, Port *ret, const char **reterr) {
        const char *rest = str_starts_with(s, "udp:"), *error = NULL;
        Port port = { .udp = rest != NULL };

        if (!rest)
                rest = str_starts_with(s, "tcp:");
        s = rest ? rest : s;

        /* Only an address has a '.' or a bracket. */
        if (*s == '[' || strchr(s, '.'))
                error = parse_port_host(&s, &port);
        if (!error)
                error = parse_port_range(&s, &port.first, &port.last);

        port.inside = port.first;
        if (!error && *s == ':') {
                unsigned last;

                s++;
                error = parse_port_range(&s, &port.inside, &last);
                if (!error && last - port.inside != port.last - port.first && last != port.inside)
                        error = "the two ranges of ports have not the same length";
                if (!error && port.inside + (port.last - port.first) > 65535)
                        error = "the ports inside end above 65535";
        }
        if (!error && *s)
                error = "not [tcp:|udp:][ADDRESS:]PORT[-PORT][:PORT[-PORT]]";

        if (error) {
                *reterr = error;
                return -EINVAL;
        }
        *ret = port;
        return 0;
}

static const char *check_port(const char *s) {
        const char *error;
        Port port;

        return port_parse(s, &port, &error) < 0 ? error : NULL;
}

typedef struct TypeInfo {
        const char *name;
        bool words; /* the value is a list of words, not one element */
        const char *(*check)(const char *s);
} TypeInfo;

static const TypeInfo types[_TYPE_MAX] = {
        [TYPE_TEXT] = { "text" },
        [TYPE_BOOLEAN] = { "boolean", .check = check_boolean },
        [TYPE_READY] = { "boolean or healthy", .check = check_ready },
        [TYPE_CHOICE] = { "choice" },
        [TYPE_PATH] = { "path", .check = check_path },
        [TYPE_SYSTEM] = { "system", .check = check_system },
        [TYPE_UNITS] = { "units", true, check_unit },
        [TYPE_COMMAND] = { "command", true },
        [TYPE_WORDS] = { "words", true },
        [TYPE_ENVIRONMENT] = { "assignments", true, check_environment },
        [TYPE_CAPABILITIES] = { "capabilities", true, check_capability },
        [TYPE_CALL_FILTER] = { "system calls", .check = check_call_filter },
        [TYPE_ADDRESS_FAMILIES] = { "address families", .check = check_address_families },
        [TYPE_SIGNAL] = { "signal", .check = check_signal },
        [TYPE_HOSTNAME] = { "host name", .check = check_hostname },
        [TYPE_MACHINE_ID] = { "machine ID", .check = check_machine_id },
        [TYPE_USER] = { "user", .check = check_user },
        [TYPE_USERS] = { "users", true, check_user },
        [TYPE_PRIVATE_USERS] = { "private users", .check = check_private_users },
        [TYPE_USER_SHELL] = { "shell", .check = check_user_shell },
        [TYPE_LIMIT] = { "limit", .check = check_limit_number },
        [TYPE_LIMIT_SIZE] = { "limit of a size", .check = check_limit_size },
        [TYPE_LIMIT_SECONDS] = { "limit of a time", .check = check_limit_seconds },
        [TYPE_LIMIT_USEC] = { "limit of a time", .check = check_limit_microseconds },
        [TYPE_LIMIT_NICE] = { "limit of a nice level", .check = check_limit_nice },
        [TYPE_OOM_SCORE] = { "number", .check = check_oom_score },
        [TYPE_CPUS] = { "CPUs", .check = check_cpus },
        [TYPE_BIND] = { "bind", .check = check_bind },
        [TYPE_TMPFS] = { "tmpfs", .check = check_tmpfs },
        [TYPE_OVERLAY] = { "overlay", .check = check_overlay },
        [TYPE_PIVOT] = { "pivot", .check = check_pivot },
        [TYPE_LOAD_CREDENTIAL] = { "credential", .check = check_load_credential },
        [TYPE_SET_CREDENTIAL] = { "credential", .check = check_set_credential },
        [TYPE_DEVICE] = { "device", .check = check_device },
        [TYPE_ADDRESS] = { "address", .check = check_address },
        [TYPE_GATEWAY] = { "gateway", .check = check_gateway },
        [TYPE_NAMESERVER] = { "addresses", true, check_nameserver },
        [TYPE_DOMAINS] = { "domains", true, check_domain },
        [TYPE_MAC] = { "Ethernet address", .check = check_mac },
        [TYPE_MTU] = { "number", .check = check_mtu },
        [TYPE_INTERFACE] = { "interface", .check = check_interface },
        [TYPE_ZONE] = { "zone", .check = check_zone },
        [TYPE_INTERFACE_PAIR] = { "interfaces", true, check_interface_pair },
        [TYPE_NAMESPACE] = { "namespace", .check = check_namespace },
        [TYPE_PORT] = { "port", .check = check_port },
        [TYPE_TIMESPAN] = { "time span", .check = check_timespan },
        [TYPE_COUNT] = { "number", .check = check_count },
};

const char *type_name(ValueType type) {
        return types[type].name;
}

bool type_is_words(ValueType type) {
        return types[type].words;
}

static int refuse(char **reterr, const char *text) {
        *reterr = strdup(text);
        return *reterr ? -EINVAL : -ENOMEM;
}

static int refuse_choice(const char *choices, char **reterr) {
        _cleanup_str_ Str list = {};
        int r;

        for (const char *p = choices; *p; p++)
                if (*p == ' ')
                        str_append(&list, strchr(p + 1, ' ') ? ", " : " and ");
                else
                        str_append_char(&list, *p);
        if (str_error(&list) < 0)
                return -ENOMEM;

        r = str_format(reterr, "not one of %s", list.data);
        return r < 0 ? r : -EINVAL;
}

int type_check(ValueType type, const char *choices, const char *s, char **reterr) {
        const TypeInfo *info = &types[type];

        if (!str_is_utf8(s, strlen(s)))
                return refuse(reterr, "with its escapes it is not valid UTF-8");
        if (type == TYPE_CHOICE)
                return is_word_of(choices, s, strlen(s)) ? 0 : refuse_choice(choices, reterr);

        const char *error = info->check ? info->check(s) : NULL;
        if (!error)
                return 0;
        if (!info->words)
                return refuse(reterr, error);

        int r = str_format(reterr, "'%s' is %s", s, error);
        return r < 0 ? r : -EINVAL;
}
