/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a container's network is to be, as options: on the command line of spawnlet-network,
 * where the unit has them, and one on a line in the record that says what a running container
 * got. One table has the options, one function reads both.
 */

#include <net/if.h>

#include "common/base/address.h"
#include "common/base/str.h"
#include "common/base/types.h"

/* A veth pair. */
typedef struct Pair {
        char inside[IF_NAMESIZE];    /* the container's end: eth0, or NAME of [Veth NAME] */
        Address host[ADDRESSES_MAX]; /* of the host's end, or of the zone's bridge */
        size_t n_host;
        Address local[ADDRESSES_MAX]; /* of the container's end */
        size_t n_local;
        char bridge[IF_NAMESIZE]; /* that the host's end joins; "" for none */
        char zone[IF_NAMESIZE];   /* whose bridge it joins; "" for none */
        bool has_mac;
        uint8_t mac[6]; /* of the container's end; by default made from machine ID and name */
        unsigned mtu;   /* of both ends; 0: the kernel's default */
} Pair;

/* Something that comes from an interface of the host. */
typedef enum UplinkKind {
        UPLINK_MOVED,
        UPLINK_MACVLAN,
        UPLINK_IPVLAN,
} UplinkKind;

typedef struct Uplink {
        UplinkKind kind;
        char host[IF_NAMESIZE];
        char inside[IF_NAMESIZE];
} Uplink;

/* A forwarded port, or range of them. */
typedef struct Forward {
        bool udp;
        bool has_host; /* only connections to this address of the host: */
        Address host;
        uint16_t first, last; /* on the host */
        uint16_t inside;      /* the first one in the container */
} Forward;

typedef struct NetworkConfig {
        char *machine;
        Str text;    /* the options as they were set, one on a line: the record's content */
        Pair *pairs; /* the one with eth0 first, unless no_veth */
        size_t n_pairs;
        bool no_veth;
        Address gateway[2]; /* of the default routes; where there is none of a family that has */
        size_t n_gateway;   /* addresses, the first host address of that family is it */
        bool no_gateway;    /* no default routes at all */
        Forward *forwards;
        size_t n_forwards;
        bool masquerade;
        Uplink *uplinks;
        size_t n_uplinks;
} NetworkConfig;

/** netconfig_init() - the network of a container without any option. Return: 0 or -ENOMEM. */
int netconfig_init(NetworkConfig *c, const char *machine);

/** netconfig_done() - free the content. */
void netconfig_done(NetworkConfig *c);

#define _cleanup_netconfig_ _cleanup_(netconfig_done)

/* An option of spawnlet-network. */
typedef struct NetworkOption {
        const char *name;  /* without dashes */
        const char *value; /* what its value is called in the help; NULL if it takes none */
        const char *help;
        int (*set)(NetworkConfig *c, const char *value, const char **reterr);
        bool of_pair; /* it belongs to the last "veth" before it, and to eth0 without one */
} NetworkOption;

/** network_options - all of them; NULL at the end */
extern const NetworkOption network_options[];

/**
 * netconfig_set() - take an option
 * @value: NULL for an option without value
 * @reterr: on -EINVAL or -E2BIG, what is wrong with it, as a clause; a constant
 *
 * Return: 0, -EINVAL, -E2BIG, -ENOMEM.
 */
int netconfig_set(NetworkConfig *c, const char *option, const char *value, const char **reterr);

/**
 * netconfig_parse() - take all options of a text as in NetworkConfig.text
 * @text: is taken apart
 *
 * Return: as netconfig_set().
 */
int netconfig_parse(NetworkConfig *c, char *text, const char **reterr);

/**
 * netconfig_complete() - fill in what is meant, after the last option
 *
 * In a zone, an address without prefix length is in the network of the host's: so it has its length.
 */
void netconfig_complete(NetworkConfig *c);

/** netconfig_main_pair() - Return: the pair with eth0, borrowed; NULL if there is none. */
const Pair *netconfig_main_pair(const NetworkConfig *c);

/** netconfig_find_pair() - Return: the pair with that name inside, borrowed; NULL, also without @c. */
const Pair *netconfig_find_pair(const NetworkConfig *c, const char *inside);

/** pair_host_address() - Return: the first address of a family at the host's end, borrowed; NULL. */
const Address *pair_host_address(const Pair *p, int family);

/** pair_local_address() - Return: the first one at the container's end, borrowed; NULL. */
const Address *pair_local_address(const Pair *p, int family);

/** netconfig_gateway() - Return: where packets of a family go by default, borrowed; NULL. */
const Address *netconfig_gateway(const NetworkConfig *c, int family);

/**
 * netconfig_needs_firewall() - Return: whether packets have to be rewritten or forwarded for it.
 */
bool netconfig_needs_firewall(const NetworkConfig *c);

/** pair_name() - Return: NULL for the pair with eth0, else its name, for host_interface_name(). */
const char *pair_name(const NetworkConfig *c, const Pair *p);

/**
 * pair_host_interface() - name of the host's interface that has the pair's addresses
 *
 * That is the host's end, the zone's bridge, or somebody's bridge.
 */
void pair_host_interface(const NetworkConfig *c, const Pair *p, char ret[static IF_NAMESIZE]);
