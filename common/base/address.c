/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/base/parse.h"

const void *address_bytes(const Address *a) {
        return a->family == AF_INET ? (const void *) &a->in : (const void *) &a->in6;
}

size_t address_length(const Address *a) {
        return a->family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

bool address_is_host(const Address *a) {
        return a->prefix == address_length(a) * 8;
}

bool address_contains(const Address *a, const Address *b) {
        const uint8_t *x = address_bytes(a), *y = address_bytes(b);
        size_t whole = a->prefix / 8, rest = a->prefix % 8;

        if (a->family != b->family || memcmp(x, y, whole) != 0)
                return false;

        return rest == 0 || (x[whole] ^ y[whole]) >> (8 - rest) == 0;
}

bool address_equal(const Address *a, const Address *b) {
        return a->family == b->family &&
                memcmp(address_bytes(a), address_bytes(b), address_length(a)) == 0;
}

const char *address_format(const Address *a, char buf[static INET6_ADDRSTRLEN]) {
        return inet_ntop(a->family, address_bytes(a), buf, INET6_ADDRSTRLEN);
}

static const char *unusable_reason(const Address *a) {
        if (a->family == AF_INET) {
                uint32_t n = ntohl(a->in.s_addr);

                if (n == INADDR_ANY)
                        return "the unspecified address cannot be given to an interface";
                if (n >> 24 == IN_LOOPBACKNET)
                        return "a loopback address cannot be given to an interface";
                if (IN_MULTICAST(n))
                        return "a multicast address cannot be given to an interface";
                if (n == INADDR_BROADCAST)
                        return "the broadcast address cannot be given to an interface";
                return NULL;
        }

        if (IN6_IS_ADDR_UNSPECIFIED(&a->in6))
                return "the unspecified address cannot be given to an interface";
        if (IN6_IS_ADDR_LOOPBACK(&a->in6))
                return "the loopback address cannot be given to an interface";
        if (IN6_IS_ADDR_MULTICAST(&a->in6))
                return "a multicast address cannot be given to an interface";
        if (IN6_IS_ADDR_V4MAPPED(&a->in6))
                return "an IPv4-mapped address cannot be given to an interface";
        return NULL;
}

int address_parse(const char *s, Address *ret, const char **reterr) {
        const char *slash = strchr(s, '/'), *ignored;
        size_t n = slash ? (size_t) (slash - s) : strlen(s);
        char text[INET6_ADDRSTRLEN];
        Address a = {};
        uint64_t prefix;

        if (!reterr)
                reterr = &ignored;

        *reterr = "not an IPv4 or IPv6 address";
        if (n >= sizeof(text))
                return -EINVAL;

        memcpy(text, s, n);
        text[n] = '\0';

        if (inet_pton(AF_INET, text, &a.in) == 1)
                a.family = AF_INET;
        else if (inet_pton(AF_INET6, text, &a.in6) == 1)
                a.family = AF_INET6;
        else
                return -EINVAL;

        a.prefix = (unsigned) address_length(&a) * 8;
        if (slash) {
                if (parse_unsigned(slash + 1, 1, a.prefix, &prefix) < 0) {
                        *reterr = a.family == AF_INET ? "the prefix length must be 1 to 32"
                                                      : "the prefix length must be 1 to 128";
                        return -EINVAL;
                }
                a.prefix = (unsigned) prefix;
        }

        *reterr = unusable_reason(&a);
        if (*reterr)
                return -EINVAL;

        *ret = a;
        return 0;
}
