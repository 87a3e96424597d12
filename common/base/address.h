/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * IPv4 and IPv6 addresses with an optional prefix length, as definitions and the
 * network helper's command line have them.
 */

#include <netinet/in.h>

#include "common/base/macro.h"

#define ADDRESSES_MAX 32U /* of one end of a veth pair */
#define ADDRESS_STRING_MAX (INET6_ADDRSTRLEN + sizeof("/128"))

typedef struct Address {
        int family; /* AF_INET or AF_INET6 */
        union {
                struct in_addr in;
                struct in6_addr in6;
        };
        unsigned prefix; /* bits; 32 or 128 when none was given: a host address */
} Address;

/**
 * address_parse() - parse "ADDRESS" or "ADDRESS/PREFIX"
 * @reterr: on -EINVAL, what is wrong, a constant string; may be NULL
 *
 * Only the forms of inet_pton(3) are taken: no octal, no short forms, no scope. Addresses
 * that no interface can have (unspecified, multicast, loopback, broadcast) are refused.
 *
 * Return: 0 or -EINVAL.
 */
int address_parse(const char *s, Address *ret, const char **reterr);

/** address_bytes() - Return: the address in network byte order, borrowed. */
const void *address_bytes(const Address *a);

/** address_length() - Return: the length of the address in bytes, 4 or 16. */
size_t address_length(const Address *a);

/** address_is_host() - Return: whether the prefix covers just this address. */
bool address_is_host(const Address *a);

/** address_contains() - Return: whether @b lies in the network of @a with its prefix. */
bool address_contains(const Address *a, const Address *b);

/** address_equal() - Return: whether two addresses are the same, prefix left aside. */
bool address_equal(const Address *a, const Address *b);

/** address_format() - write the address without prefix into @buf. Return: @buf. */
const char *address_format(const Address *a, char buf[static INET6_ADDRSTRLEN]);
