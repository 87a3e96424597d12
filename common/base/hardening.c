/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/hardening.h"

#include "common/base/name.h"

#define TRUSTED (1U << HARDENING_TRUSTED)
#define DEFAULT (1U << HARDENING_DEFAULT)
#define STRICT (1U << HARDENING_STRICT)

/*
 * Neither systemd-nspawn nor a helper of ours needs these, and nspawn hands none on by default. What has users
 * of its own has a set of its own, whatever the unit's.
 */
static const char not_outside[] =
        "CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_TIME CAP_WAKE_ALARM CAP_SYSLOG CAP_SYS_PACCT "
        "CAP_BLOCK_SUSPEND CAP_MAC_ADMIN CAP_MAC_OVERRIDE CAP_IPC_LOCK CAP_PERFMON CAP_BPF "
        "CAP_CHECKPOINT_RESTORE CAP_AUDIT_READ";

/*
 * What nspawn hands on, and the kernel takes from the host's users alone: without effect for the users of a
 * container, as long as there is no bug in the kernel. Programs see that they cannot, and do not try.
 */
static const char not_inside[] = "CAP_AUDIT_CONTROL,CAP_AUDIT_WRITE,CAP_LEASE,CAP_LINUX_IMMUTABLE,"
                                 "CAP_MKNOD,CAP_NET_BROADCAST,CAP_SYS_TTY_CONFIG";

/* Of nspawn's list of allowed ones, those that attacks on the kernel need and a usual system does not. */
static const char not_called[] = "io_uring_enter io_uring_register io_uring_setup userfaultfd";

/* Lines of [Service]. The value of one with names is these, but for those that the definition asks for. */
static const struct {
        unsigned presets, with_image; /* those of the second have it only with Image= */
        const char *text, *names;
        bool is_inherited; /* by all processes of the container */
} lines[] = {
        { TRUSTED | DEFAULT | STRICT, 0, "DevicePolicy=closed\n" },
        { TRUSTED | DEFAULT, 0, "DeviceAllow=/dev/net/tun rwm\n" },
        /* systemd-nspawn of 252 fails if it cannot make the node; nobody can open it. */
        { STRICT, 0, "DeviceAllow=/dev/net/tun m\n" },
        { TRUSTED, 0, "DeviceAllow=char-pts rw\n" }, /* as with DevicePolicy=closed by itself */
        { TRUSTED | DEFAULT, 0, "DeviceAllow=/dev/fuse rwm\n" },
        { TRUSTED, DEFAULT | STRICT,
                "DeviceAllow=/dev/loop-control rw\n"
                "DeviceAllow=block-loop rw\n"
                "DeviceAllow=block-blkext rw\n"
                "DeviceAllow=/dev/mapper/control rw\n"
                "DeviceAllow=block-device-mapper rw\n" },
        { DEFAULT | STRICT, 0, "CapabilityBoundingSet=~", not_outside },
        { STRICT, 0, "SystemCallArchitectures=native\n", NULL, true },
        { STRICT, 0, "RestrictRealtime=yes\n", NULL, true },
        { STRICT, 0, "RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6 AF_PACKET\n",
                NULL, true },
};

/* Options of systemd-nspawn. */
static const struct {
        unsigned presets;
        const char *text, *names;
        KeyId unless; /* the key that comes in its place; _KEY_MAX for none */
} options[] = {
        { TRUSTED | DEFAULT, "--link-journal=try-guest", NULL, KEY_LINK_JOURNAL },
        { STRICT, "--link-journal=no", NULL, KEY_LINK_JOURNAL },
        /* Elsewhere below /run than in host/ it would show as a failed unmount at the stop. */
        { TRUSTED | DEFAULT, "--bind-ro=" SPAWNLET_HOSTS_DIR ":/run/host/spawnlet/hosts", NULL,
                _KEY_MAX },
        { STRICT, "--no-new-privileges=yes", NULL, KEY_NO_NEW_PRIVILEGES },
        { STRICT, "--drop-capability=", not_inside, _KEY_MAX },
        { STRICT, "--system-call-filter=~", not_called, _KEY_MAX },
};

Hardening hardening_of(const Definition *d) {
        static const char *const names[_HARDENING_MAX] = {
                [HARDENING_TRUSTED] = "trusted",
                [HARDENING_DEFAULT] = "default",
                [HARDENING_STRICT] = "strict",
        };
        const char *value = definition_value(d, KEY_HARDENING);

        for (Hardening h = 0; value && h < _HARDENING_MAX; h++)
                if (strcmp(names[h], value) == 0)
                        return h;
        return HARDENING_DEFAULT;
}

/* Keys that give what a preset would take. */
static const KeyId giving[] = { KEY_CAPABILITY, KEY_AMBIENT_CAPABILITY, KEY_SYSTEM_CALL_FILTER };

#define SEPARATORS " \t," /* of names, in a value or in the text of a preset */

/* Whether a name of this length is one of those in a text. */
static bool has_name(const char *text, const char *name, size_t size) {
        size_t n;

        for (const char *p = text; *p; p += n + (p[n] != '\0')) {
                n = strcspn(p, SEPARATORS);
                if (n == size && strncasecmp(p, name, n) == 0)
                        return true;
        }
        return false;
}

/* Whether the definition asks for a capability or system call. */
static bool is_asked_for(const Definition *d, const char *name, size_t size) {
        for (size_t i = 0; i < ELEMENTSOF(giving); i++)
                for (const Setting *k = NULL; (k = definition_next(d, giving[i], k));)
                        if (strcmp(k->value, "all") == 0 ||
                                (*k->value != '~' && has_name(k->value, name, size)))
                                return true;
        return false;
}

/* Whether it asks for one of these. Its own names are few, and mostly others. */
static bool asks_for_any(const Definition *d, const char *names) {
        size_t n;

        for (size_t i = 0; i < ELEMENTSOF(giving); i++)
                for (const Setting *k = NULL; (k = definition_next(d, giving[i], k));) {
                        if (strcmp(k->value, "all") == 0)
                                return true;
                        for (const char *p = k->value; *p && *k->value != '~';
                                p += n + (p[n] != '\0')) {
                                n = strcspn(p, SEPARATORS);
                                if (n > 0 && has_name(names, p, n))
                                        return true;
                        }
                }
        return false;
}

/* Return: whether a name is left; else nothing is appended. */
static bool append_names(Str *s, const Definition *d, const char *text, const char *names) {
        bool any = false;
        size_t n;

        if (!asks_for_any(d, names)) { /* most do not */
                str_append_all(s, text, names);
                return true;
        }

        for (const char *p = names; *p; p += n + (p[n] != '\0')) {
                n = strcspn(p, SEPARATORS);
                if (is_asked_for(d, p, n))
                        continue;
                if (any)
                        str_append_char(s, p[-1]);
                else
                        str_append(s, text);
                str_append_n(s, p, n);
                any = true;
        }
        return any;
}

void hardening_append_lines(Str *s, const Definition *d, Hardening hardening) {
        bool has_image = definition_find(d, KEY_IMAGE) != NULL;

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                unsigned presets = lines[i].presets | (has_image ? lines[i].with_image : 0);

                if (!(presets & 1U << hardening))
                        continue;
                if (!lines[i].names)
                        str_append(s, lines[i].text);
                else if (append_names(s, d, lines[i].text, lines[i].names))
                        str_append_char(s, '\n');
        }
}

void hardening_append_filters(Str *s, const Definition *d) {
        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                if (lines[i].is_inherited && lines[i].presets & 1U << hardening_of(d))
                        str_append(s, lines[i].text);
}

static void append_quoted(Str *s, const Definition *d, const char *text, const char *names) {
        _cleanup_str_ Str option = {};

        if (append_names(&option, d, text, names) && str_error(&option) >= 0)
                word_append_exec(s, option.data, "", definition_word_flags(d));
        if (str_error(&option) < 0)
                s->failed = true;
}

void hardening_append_options(Str *s, const Definition *d) {
        for (size_t i = 0; i < ELEMENTSOF(options); i++) {
                if (!(options[i].presets & 1U << hardening_of(d)) ||
                        (options[i].unless < _KEY_MAX && definition_find(d, options[i].unless)))
                        continue;
                if (options[i].names)
                        append_quoted(s, d, options[i].text, options[i].names);
                else
                        str_append_all(s, " ", options[i].text);
        }
}
