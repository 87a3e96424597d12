/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/parse.h"

#include <signal.h>

#include "common/base/str.h"

#define DIGITS "0123456789"

int parse_boolean(const char *s) {
        static const struct {
                const char *word;
                int value;
        } words[] = {
                { "1", 1 },
                { "yes", 1 },
                { "y", 1 },
                { "true", 1 },
                { "t", 1 },
                { "on", 1 },
                { "0", 0 },
                { "no", 0 },
                { "n", 0 },
                { "false", 0 },
                { "f", 0 },
                { "off", 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strcasecmp(s, words[i].word) == 0)
                        return words[i].value;

        return -EINVAL;
}

int parse_unsigned(const char *s, uint64_t min, uint64_t max, uint64_t *ret) {
        uint64_t value = 0;

        if (!*s)
                return -EINVAL;

        for (; *s; s++) {
                if (*s < '0' || *s > '9')
                        return -EINVAL;
                if (__builtin_mul_overflow(value, 10, &value) ||
                        __builtin_add_overflow(value, (uint64_t) (*s - '0'), &value))
                        return -EINVAL;
        }

        if (value < min || value > max)
                return -EINVAL;

        *ret = value;
        return 0;
}

/* "RTMIN", "RTMIN+N", "RTMAX" or "RTMAX-N". Return: the signal or -EINVAL. */
static int parse_realtime_signal(const char *s) {
        bool from_min = str_starts_with(s, "RTMIN");
        uint64_t n = 0;

        if (!from_min && !str_starts_with(s, "RTMAX"))
                return -EINVAL;

        s += strlen("RTMIN");
        if (*s &&
                (*s != (from_min ? '+' : '-') ||
                        parse_unsigned(s + 1, 0, (uint64_t) (SIGRTMAX - SIGRTMIN), &n) < 0))
                return -EINVAL;

        return from_min ? SIGRTMIN + (int) n : SIGRTMAX - (int) n;
}

int parse_signal(const char *s) {
        const char *rest;
        uint64_t n;

        if (parse_unsigned(s, 1, (uint64_t) SIGRTMAX, &n) == 0)
                return (int) n;

        rest = str_starts_with(s, "SIG");
        if (rest)
                s = rest;

        /* systemd and with it nspawn know this one by its other name. */
        if (strcmp(s, "IO") == 0)
                return SIGIO;
        for (int i = 1; i < SIGRTMIN; i++)
                if (i != SIGIO && str_equal(sigabbrev_np(i), s))
                        return i;

        return parse_realtime_signal(s);
}

/* The units of systemd.time(7). Return: microseconds, 0 if @s, @n bytes long, is none of them. */
static uint64_t time_unit(const char *s, size_t n) {
        static const struct {
                const char *names; /* separated by blanks, with one at both ends */
                uint64_t usec;
        } units[] = {
                { " us usec \xc2\xb5s \xce\xbcs ", 1 },
                { " ms msec ", USEC_PER_MSEC },
                { " s sec second seconds ", USEC_PER_SEC },
                { " m min minute minutes ", 60 * USEC_PER_SEC },
                { " h hr hour hours ", 3600 * USEC_PER_SEC },
                { " d day days ", 86400 * USEC_PER_SEC },
                { " w week weeks ", 7 * 86400 * USEC_PER_SEC },
                { " M month months ", UINT64_C(2629800) * USEC_PER_SEC },
                { " y year years ", UINT64_C(31557600) * USEC_PER_SEC },
        };
        char name[16];

        if (n == 0)
                return USEC_PER_SEC;
        if (n > sizeof(name) - 3)
                return 0;

        (void) snprintf(name, sizeof(name), " %.*s ", (int) n, s);
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (strstr(units[i].names, name))
                        return units[i].usec;
        return 0;
}

/* One "NUMBER[.FRACTION][UNIT]" of a time span. Return: where it ends, NULL if it is none. */
static const char *parse_time_part(const char *s, uint64_t *ret) {
        size_t n = strspn(s, DIGITS), n_fraction = 0;
        const char *fraction = NULL;
        uint64_t value = 0, unit;

        for (size_t i = 0; i < n; i++)
                if (__builtin_mul_overflow(value, 10, &value) ||
                        __builtin_add_overflow(value, (uint64_t) (s[i] - '0'), &value))
                        return NULL;

        s += n;
        if (*s == '.') {
                fraction = s + 1;
                n_fraction = strspn(fraction, DIGITS);
                s = fraction + n_fraction;
        }
        if (n + n_fraction == 0)
                return NULL;

        s += strspn(s, " \t");
        n = strcspn(s, " \t." DIGITS);
        unit = time_unit(s, n);
        if (unit == 0 || __builtin_mul_overflow(value, unit, &value))
                return NULL;

        for (size_t i = 0; i < n_fraction; i++) {
                unit /= 10;
                if (__builtin_add_overflow(value, unit * (uint64_t) (fraction[i] - '0'), &value))
                        return NULL;
        }

        *ret = value;
        return s + n;
}

int parse_timespan(const char *s, uint64_t *ret) {
        const char *infinity = "infinity";
        uint64_t sum = 0, part;

        s += strspn(s, " \t");
        if (strncmp(s, infinity, strlen(infinity)) == 0) {
                s += strlen(infinity);
                if (s[strspn(s, " \t")] != '\0')
                        return -EINVAL;
                *ret = UINT64_MAX;
                return 0;
        }
        if (!*s)
                return -EINVAL;

        while (*s) {
                s = parse_time_part(s, &part);
                if (!s || __builtin_add_overflow(sum, part, &sum))
                        return -EINVAL;
                s += strspn(s, " \t");
        }

        *ret = sum;
        return 0;
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -EINVAL;
}

int parse_mac(const char *s, uint8_t ret[static 6]) {
        uint8_t mac[6];

        if (strlen(s) != 17)
                return -EINVAL;

        for (size_t i = 0; i < 6; i++) {
                int high = hex_digit(s[i * 3]), low = hex_digit(s[i * 3 + 1]);

                if (high < 0 || low < 0 || s[i * 3 + 2] != (i < 5 ? ':' : '\0'))
                        return -EINVAL;
                mac[i] = (uint8_t) (high << 4 | low);
        }

        memcpy(ret, mac, sizeof(mac));
        return 0;
}

bool path_is_normalized(const char *s) {
        if (*s != '/')
                return false;
        if (!s[1])
                return true;

        for (const char *p = s; *p == '/';) {
                size_t n = strcspn(++p, "/");

                if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
                        return false;
                p += n;
        }

        return true;
}
