/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is asked of the kernel about interfaces, addresses and routes: one rtnetlink message for each
 * function, rtnetlink(7). Those that return nothing add to the batch of the socket, which
 * netlink_run() sends.
 */

#include "common/base/address.h"
#include "common/base/str.h"
#include "common/kernel/netconfig.h"
#include "common/kernel/netlink.h"

#define LINK_KIND_MAX 32U

typedef struct Link {
        int index;
        char name[IF_NAMESIZE];
        char kind[LINK_KIND_MAX]; /* "veth", "bridge", ...; "" for a device */
        uint8_t mac[6];           /* zeroes for one without */
        unsigned flags;           /* IFF_UP, ... */
        unsigned mtu;
        int master;      /* index of the bridge that it is on; 0 for none */
        int peer;        /* index of a veth's other end, in the namespace where that is */
        bool is_unnamed; /* of link_find_own(): it was found without its alternative name */
} Link;

/**
 * link_find() - find an interface
 * @name: its name, or an alternative one
 *
 * Return: 0, -ENODEV, other negative errno.
 */
int link_find(Netlink *n, const char *name, Link *ret);

/** link_index() - find an interface's index alone, which is faster. Return: it, negative errno. */
int link_index(const Netlink *n, const char *name);

/** link_find_index() - as link_find(), by index. */
int link_find_index(Netlink *n, int index, Link *ret);

/* How an interface that we made is known. */
typedef struct LinkIdentity {
        const char *owner; /* the alternative name that only it has */
        const char *name;  /* where that is missing, as whoever made it was killed: its name, */
        const char *kind;  /* its kind, and the Ethernet address that nobody else gives one */
        uint8_t mac[6];
} LinkIdentity;

/** link_find_own() - as link_find(), for an interface that we made and none that others did. */
int link_find_own(Netlink *n, const LinkIdentity *identity, Link *ret);

/** link_has_ports() - whether a bridge has any. Return: 1, 0, negative errno. */
int link_has_ports(Netlink *n, int bridge);

/* A veth pair to be made. */
typedef struct NewPair {
        const char *host_name;
        const char *inside;
        uint8_t host_mac[6], mac[6];
        unsigned mtu;  /* of both; 0: the kernel's default */
        int master;    /* what the host's end joins; 0: nothing */
        int namespace; /* of the container's end */
} NewPair;

/**
 * link_add_pair() - make a veth pair, the host's end up
 *
 * One message makes both ends. The container's is born in its namespace and with its final name, so
 * that no udev rule of the host ever sees it.
 */
void link_add_pair(Netlink *n, const NewPair *pair);

/** link_add_bridge() - make a bridge, up. An existing interface of that name is an error. */
void link_add_bridge(Netlink *n, const char *name, const uint8_t mac[static 6]);

/**
 * link_add_child() - make a macvlan or ipvlan
 * @parent: index of the interface that it is of
 * @namespace: where it is born, as @u->inside
 * @mac: of a macvlan
 */
void link_add_child(
        Netlink *n, const Uplink *u, int parent, int namespace, const uint8_t mac[static 6]);

/** link_add_names() - add alternative names; NULL and "" are passed over. */
void link_add_names(Netlink *n, int index, const char *name, const char *first, const char *second);

/** link_delete_name() - remove an alternative name; it need not be there. */
void link_delete_name(Netlink *n, int index, const char *name);

/**
 * link_list_names() - list the alternative names of an interface
 * @ret: attributes IFLA_ALT_IFNAME, one behind the other
 *
 * Return: 0 or negative errno.
 */
int link_list_names(Netlink *n, int index, Str *ret);

/** link_set_up() - set an interface up, or down. */
void link_set_up(Netlink *n, int index, const char *name, bool up);

/** link_set_mtu() - set the MTU. */
void link_set_mtu(Netlink *n, int index, const char *name, unsigned mtu);

/** link_set_mac() - set the Ethernet address. */
void link_set_mac(Netlink *n, int index, const char *name, const uint8_t mac[static 6]);

/** link_set_master() - let it join a bridge; 0: leave the one that it is on. */
void link_set_master(Netlink *n, int index, const char *name, int master);

/** link_set_hairpin() - let a bridge send out by this port what has come in by it. */
void link_set_hairpin(Netlink *n, int index, const char *name);

/** link_rename() - give it another name. */
void link_rename(Netlink *n, int index, const char *name, const char *new_name);

/**
 * link_move() - move an interface to another namespace
 * @new_name: what it is called there
 * @new_index: its index there, which must be free; 0: the kernel takes one
 */
void link_move(Netlink *n, int index, const char *name, int namespace, const char *new_name,
        int new_index);

/** link_delete() - delete an interface. */
void link_delete(Netlink *n, int index, const char *name);

/** address_add() - give an interface an address; one that it has stays. */
void address_add(Netlink *n, int index, const char *interface, const Address *a);

/** address_delete() - take an address from an interface; it need not have it. */
void address_delete(Netlink *n, int index, const char *interface, const Address *a);

/**
 * route_add_host() - add a route to one host on a link
 * @source: the address that packets to it are sent from; NULL: the kernel's choice
 * @tolerate: whether the route may be there already
 */
void route_add_host(Netlink *n, int index, const char *interface, const Address *to,
        const Address *source, bool tolerate);

/** route_delete_host() - undo route_add_host(); it need not be there. */
void route_delete_host(Netlink *n, int index, const char *interface, const Address *to);

/** route_set_default() - let all else go to @gateway; replaces another default route. */
void route_set_default(Netlink *n, int index, const Address *gateway);

/** route_delete_default() - undo route_set_default(); it need not be there. */
void route_delete_default(Netlink *n, int index, const Address *gateway);
