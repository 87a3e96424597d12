/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/parse.h"

#include <signal.h>

#include "common/base/str.h"

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

int parse_signal(const char *s) {
        const char *rest;
        uint64_t n;

        if (parse_unsigned(s, 1, (uint64_t) SIGRTMAX, &n) == 0)
                return (int) n;

        rest = str_starts_with(s, "SIG");
        if (rest)
                s = rest;

        rest = str_starts_with(s, "RTMIN");
        if (rest && !*rest)
                return SIGRTMIN;
        if (rest && *rest == '+' &&
                parse_unsigned(rest + 1, 0, (uint64_t) (SIGRTMAX - SIGRTMIN), &n) == 0)
                return SIGRTMIN + (int) n;

        for (int i = 1; i < SIGRTMIN; i++)
                if (str_equal(sigabbrev_np(i), s))
                        return i;

        return -EINVAL;
}

int parse_timespan(const char *s, uint64_t *ret) {
        static const struct {
                const char *suffix;
                uint64_t usec;
        } units[] = {
                { "us", 1 },
                { "usec", 1 },
                { "ms", USEC_PER_MSEC },
                { "msec", USEC_PER_MSEC },
                { "", USEC_PER_SEC },
                { "s", USEC_PER_SEC },
                { "sec", USEC_PER_SEC },
                { "second", USEC_PER_SEC },
                { "seconds", USEC_PER_SEC },
                { "m", 60 * USEC_PER_SEC },
                { "min", 60 * USEC_PER_SEC },
                { "minute", 60 * USEC_PER_SEC },
                { "minutes", 60 * USEC_PER_SEC },
                { "h", 3600 * USEC_PER_SEC },
                { "hr", 3600 * USEC_PER_SEC },
                { "hour", 3600 * USEC_PER_SEC },
                { "hours", 3600 * USEC_PER_SEC },
                { "d", 86400 * USEC_PER_SEC },
                { "day", 86400 * USEC_PER_SEC },
                { "days", 86400 * USEC_PER_SEC },
                { "w", 7 * 86400 * USEC_PER_SEC },
                { "week", 7 * 86400 * USEC_PER_SEC },
                { "weeks", 7 * 86400 * USEC_PER_SEC },
        };
        uint64_t sum = 0;

        if (strcmp(s, "infinity") == 0) {
                *ret = UINT64_MAX;
                return 0;
        }

        s += strspn(s, " \t");
        if (!*s)
                return -EINVAL;

        while (*s) {
                char digits[20];
                size_t n = strspn(s, "0123456789");
                uint64_t value, factor = 0;

                if (n == 0 || n >= sizeof(digits))
                        return -EINVAL;
                memcpy(digits, s, n);
                digits[n] = '\0';
                if (parse_unsigned(digits, 0, UINT64_MAX, &value) < 0)
                        return -EINVAL;

                s += n;
                s += strspn(s, " \t");
                n = strcspn(s, " \t0123456789");
                for (size_t i = 0; i < ELEMENTSOF(units); i++)
                        if (strlen(units[i].suffix) == n && memcmp(units[i].suffix, s, n) == 0)
                                factor = units[i].usec;

                if (factor == 0 || __builtin_mul_overflow(value, factor, &value) ||
                        __builtin_add_overflow(sum, value, &sum))
                        return -EINVAL;

                s += n;
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
