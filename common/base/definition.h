/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A container's definition: its file and drop-ins read into a list of settings, checked
 * one by one and against each other. Pure data: what unit.c makes of it does not look at
 * the system, so the same definition gives the same unit everywhere.
 */

#include "common/base/address.h"
#include "common/base/diag.h"
#include "common/base/keys.h"
#include "common/base/word.h"

typedef struct Setting {
        const Key *key;      /* NULL for a line of [Unit], [Service] or [Install] */
        const char *section; /* a constant */
        const char *veth; /* of [Veth NAME], the NAME, borrowed from Definition.veths; else NULL */
        char *name;       /* the key as written, where key is NULL; else NULL */
        char *value;      /* one element, checked and in canonical form */
        const char *file; /* borrowed from Definition.files */
        unsigned line, column; /* of the value, from 1 */
} Setting;

typedef struct Definition {
        char *name;           /* NAME, TEMPLATE@ or TEMPLATE@INSTANCE */
        char *machine;        /* NAME, "TEMPLATE-%i" or TEMPLATE-INSTANCE */
        const char *instance; /* what "%i" in a value becomes, borrowed; NULL without '@' */
        char **files;         /* the definition's file, then its drop-ins, in the order read */
        char **veths;         /* the names of the [Veth NAME] sections */
        Setting *settings;
        size_t n_settings, n_allocated;
        size_t last[_KEY_MAX]; /* the last setting of each KeyId, counted from 1; 0 for none */
        bool misspelt_network; /* something was meant to be [Network], or a key of it */
} Definition;

/** definition_free() - free a definition. Return: NULL. */
Definition *definition_free(Definition *d);
DEFINE_CLEANUP(Definition *, definition_free);

/** definition_new() - an empty definition called @name. Return: 0 or -ENOMEM. */
int definition_new(const char *name, Definition **ret);

/**
 * definition_read() - add what a file says
 * @path: the file
 * @diags: gets what is wrong in it
 *
 * Settings of a later file replace or extend those of earlier ones as later lines do.
 *
 * Return: 0 also when there were findings; -ENOMEM.
 */
int definition_read(Definition *d, const char *path, Diags *diags);

/**
 * definition_parse() - as definition_read(), with the text given
 * @path: the name of the text, in findings and as source
 */
int definition_parse(Definition *d, const char *path, const char *text, size_t size, Diags *diags);

/** definition_is_template() - Return: whether this is TEMPLATE@, whose values may have "%i". */
bool definition_is_template(const Definition *d);

/** definition_word_flags() - Return: how its values are quoted for its units, "%i" left in a template. */
WordFlags definition_word_flags(const Definition *d);

/** definition_append_instance() - append its name in its units: NAME, TEMPLATE@INSTANCE or TEMPLATE@%i */
void definition_append_instance(Str *s, const Definition *d);

/** definition_find() - Return: the setting of @id that counts, the last; NULL if none. */
static inline const Setting *definition_find(const Definition *d, KeyId id) {
        return d->last[id] > 0 ? &d->settings[d->last[id] - 1] : NULL;
}

/** definition_next() - walk a list key: the first setting of @id after @previous (or NULL). */
const Setting *definition_next(const Definition *d, KeyId id, const Setting *previous);

/** definition_value() - Return: the value of @id, borrowed; NULL if it is not set. */
static inline const char *definition_value(const Definition *d, KeyId id) {
        const Setting *s = definition_find(d, id);

        return s ? s->value : NULL;
}

/** definition_boolean() - Return: the value of a boolean key, or @otherwise. */
static inline bool definition_boolean(const Definition *d, KeyId id, bool otherwise) {
        const char *value = definition_value(d, id);

        return value ? strcmp(value, "yes") == 0 : otherwise;
}

/**
 * definition_complain() - add a finding about a setting
 * @hint: may be NULL
 */
int definition_complain(
        Diags *diags, Severity severity, const Setting *s, const char *hint, const char *message);

/** definition_veth_next() - as definition_next(), within one [Veth NAME] section. */
const Setting *definition_veth_next(
        const Definition *d, const char *veth, KeyId id, const Setting *previous);

/**
 * definition_pair_next() - as definition_next(), within one pair
 * @veth: the name of a [Veth NAME], from Definition.veths; NULL for the pair with eth0
 * @id: the key as it is called in [Network], KEY_HOST_ADDRESS to KEY_MTU but KEY_GATEWAY
 */
const Setting *definition_pair_next(
        const Definition *d, const char *veth, KeyId id, const Setting *previous);

typedef enum NetworkKind {
        NETWORK_HOST, /* the host's interfaces */
        NETWORK_OWN,  /* a namespace of its own, made by spawnlet-network */
        NETWORK_JOIN, /* the namespace of something else */
} NetworkKind;

/** definition_network() - Return: what network the container has. */
NetworkKind definition_network(const Definition *d);

/** definition_has_veth() - Return: whether its own network has the pair with eth0. */
bool definition_has_veth(const Definition *d);

/** definition_implies_private() - Return: whether a key needs a network of the container's own. */
bool definition_implies_private(KeyId id);

/**
 * users_are_private() - whether a container has users of its own
 * @private_users, @hardening: the values of PrivateUsers= and Hardening=, NULL where they are not set
 */
bool users_are_private(const char *private_users, const char *hardening);

/** definition_has_private_users() - Return: whether the container has users of its own. */
bool definition_has_private_users(const Definition *d);

/** definition_shifts_users() - Return: whether they have other numbers outside than inside. */
bool definition_shifts_users(const Definition *d);

/** definition_maps_root() - Return: whether the owners in its root directory are mapped at each start. */
bool definition_maps_root(const Definition *d);

/** definition_since() - Return: the version of systemd that can do what a setting says; 0: 252. */
unsigned definition_since(const Definition *d, const Setting *s);

/** definition_boots() - Return: whether an init is booted, not a Command= run. */
bool definition_boots(const Definition *d);

typedef enum SystemKind {
        SYSTEM_ROOT, /* Root= or Image= is a whole system */
        SYSTEM_HOST, /* the host's /usr, shared */
        SYSTEM_PATH, /* a NixOS system profile */
} SystemKind;

/** definition_system() - Return: where the operating system comes from. */
SystemKind definition_system(const Definition *d);

/**
 * definition_root() - the directory of the container's file system
 * @ret: the path, owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int definition_root(const Definition *d, char **ret);

/**
 * bind_source() - the host path of a Bind= value
 * @ret: the path, owned by the caller; NULL if the source lies inside the container
 *
 * Return: 0 or -ENOMEM.
 */
int bind_source(const char *value, char **ret);

/* Whom the files of a bind mount belong to inside; systemd-nspawn(1), --bind=. */
typedef enum Idmap {
        IDMAP_UNSET, /* nothing is said: IDMAP_SAME with private users, else IDMAP_NONE */
        IDMAP_NONE,  /* noidmap: whom they belong to on the host; with private users nobody */
        IDMAP_SAME,  /* idmap: who has the same number inside */
        IDMAP_ROOT,  /* rootidmap: those of the source's owner, root; all others, nobody */
        IDMAP_OWNER, /* owneridmap: those of the source's owner, the destination's; others, nobody */
} Idmap;

/* A Bind= value taken apart. */
typedef struct Bind {
        char *source;      /* on the host */
        char *destination; /* inside; no part of it is empty or "." */
        bool recursive;    /* with what is mounted below the source */
        Idmap idmap;
} Bind;

/** bind_done() - free the content of @b. */
void bind_done(Bind *b);

/**
 * bind_parse() - take a Bind= value apart
 * @value: one whose source is on the host, bind_is_live()
 *
 * Return: 0; -EINVAL if its destination is no absolute path, which no valid one has; -ENOMEM.
 */
int bind_parse(const char *value, Bind *ret);

/**
 * bind_is_live() - whether a Bind= value can be mounted into a running container
 *
 * Not what is in the container already, or is made for it at its start.
 */
bool bind_is_live(const char *value);

/** bind_idmap() - Return: what the options of a Bind= value say about owners. */
Idmap bind_idmap(const char *value);

/**
 * bind_append_mapped() - append a Bind= value for a container whose users have other numbers outside
 *
 * With the option idmap where it says nothing about owners. What is in the container's root, or made for
 * it, is the container's as it is.
 */
void bind_append_mapped(Str *s, const char *value);
