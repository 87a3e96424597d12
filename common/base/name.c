/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/name.h"

#define UNIT_PREFIX "container-"
#define UNIT_SUFFIX ".service"

bool machine_name_is_valid(const char *s) {
        bool label_start = true;
        char last = '.';

        for (size_t i = 0; s[i]; i++) {
                char c = s[i];

                if (i >= MACHINE_NAME_MAX)
                        return false;
                if (c == '.' ? label_start || last == '-' : !is_alnum(c) && c != '-')
                        return false;
                if (c == '-' && label_start)
                        return false;

                label_start = c == '.';
                last = c;
        }

        return last != '.' && last != '-';
}

bool interface_name_is_valid(const char *s) {
        size_t n = strlen(s);

        if (n == 0 || n >= IF_NAMESIZE || str_equal(s, ".") || str_equal(s, ".."))
                return false;
        /* These two name settings for all interfaces below /proc/sys/net/ipv4/conf. */
        if (str_equal(s, "all") || str_equal(s, "default"))
                return false;

        bool digits_only = true;
        for (; *s; s++) {
                /* The last three mean something to nft(8), inside quotation marks as well. */
                if (*s <= ' ' || *s >= 0x7f || strchr("/:%\"\\*", *s))
                        return false;
                digits_only = digits_only && *s >= '0' && *s <= '9';
        }

        return !digits_only; /* would be taken for an interface index */
}

const char *definition_name_instance(const char *name) {
        const char *at = strchr(name, '@');

        return at ? at + 1 : NULL;
}

bool definition_name_is_valid(const char *s) {
        const char *instance = definition_name_instance(s);
        char machine[MACHINE_NAME_MAX + 2];
        int n;

        if (!instance)
                return machine_name_is_valid(s);

        /* For the template itself, with an instance that every machine's name can have. */
        n = snprintf(machine, sizeof(machine), "%.*s-%s", (int) (instance - 1 - s), s,
                *instance ? instance : "i");
        return n > 0 && (size_t) n < sizeof(machine) && !str_starts_with(s, "getty@") &&
                machine_name_is_valid(machine);
}

int definition_name_to_machine(const char *name, char **ret) {
        const char *instance = definition_name_instance(name);

        if (!instance)
                return str_join(ret, name);
        return str_format(
                ret, "%.*s-%s", (int) (instance - 1 - name), name, *instance ? instance : "%i");
}

int unit_name(const char *definition, char **ret) {
        return str_join(ret, UNIT_PREFIX, definition, UNIT_SUFFIX);
}

int unit_name_to_definition(const char *unit, char **ret) {
        const char *name = str_starts_with(unit, UNIT_PREFIX);
        const char *end = name ? str_ends_with(name, UNIT_SUFFIX) : NULL;
        _cleanup_free_ char *definition = NULL;

        if (!end)
                return -EINVAL;

        definition = strndup(name, (size_t) (end - name));
        if (!definition)
                return -ENOMEM;
        if (!definition_name_is_valid(definition))
                return -EINVAL;

        *ret = TAKE_PTR(definition);
        return 0;
}

uint64_t hash64(uint64_t seed, const void *data, size_t n) {
        const uint8_t *p = data;
        uint64_t h = seed ^ UINT64_C(0xcbf29ce484222325);

        for (size_t i = 0; i < n; i++)
                h = (h ^ p[i]) * UINT64_C(0x100000001b3); /* FNV-1a */

        /* FNV leaves the high bits of short strings alike; MurmurHash3's finalizer mixes them. */
        h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
        h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
        return h ^ h >> 33;
}

bool interface_name_shorten(const char *full, char ret[static IF_NAMESIZE]) {
        static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
        size_t n = strlen(full);

        if (n < IF_NAMESIZE) {
                memcpy(ret, full, n + 1);
                return false;
        }

        /* As systemd's net_shorten_ifname(): 11 characters of the name, 4 of a hash. */
        uint64_t h = hash64(0, full, n);

        memcpy(ret, full, 11);
        for (size_t i = 11; i < IF_NAMESIZE - 1; i++, h /= sizeof(digits) - 1)
                ret[i] = digits[h % (sizeof(digits) - 1)];
        ret[IF_NAMESIZE - 1] = '\0';
        return true;
}

void host_interface_name(const char *machine, const char *pair, char ret[static IF_NAMESIZE],
        char ret_full[static INTERFACE_FULL_NAME_MAX]) {
        (void) snprintf(ret_full, INTERFACE_FULL_NAME_MAX, "c-%s%s%s", machine, pair ? "-" : "",
                pair ? pair : "");
        if (!interface_name_shorten(ret_full, ret))
                ret_full[0] = '\0';
}

void owner_name(const char *machine, const char *pair, char ret[static OWNER_NAME_MAX]) {
        (void) snprintf(ret, OWNER_NAME_MAX, "container-%s%s%s", machine, pair ? ":" : "",
                pair ? pair : "");
}
