/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Mounts whose owners are mapped, so that files have the same owners inside a container with users of its
 * own as on the disk; mount_setattr(2), "ID-mapped mounts". Not every file system can have it, which
 * depends on the kernel: tmpfs from 6.3 on, overlayfs and those of /dev, /proc and /sys never.
 */

#include "common/base/definition.h"

/**
 * idmap_namespace() - a user namespace that says which owners are mapped to which
 * @inside: the first user and group in the file system
 * @outside: who that is for the kernel, as seen on the host
 * @count: how many, from there on
 *
 * Return: a descriptor, owned by the caller; negative errno.
 */
int idmap_namespace(uint32_t inside, uint32_t outside, uint32_t count);

/**
 * idmap_tree() - map the owners in what is cloned, and not attached yet
 * @tree: from open_tree(2), of one file system: see idmap_look_below()
 *
 * Return: 0 or negative errno, for idmap_explain().
 */
int idmap_tree(int tree, int namespace);

/**
 * idmap_look_below() - find out if something is mounted below a directory
 * @ret: where, owned by the caller; written only if so
 *
 * systemd-nspawn maps the owners in one file system only, and fails if there is another below it.
 *
 * Return: 1 if so, 0 if not, negative errno.
 */
int idmap_look_below(int directory, char **ret);

/* What is said then. */
#define IDMAP_BELOW "'%s' is mounted below it, and owners are mapped in one file system only"

/**
 * idmap_explain() - why the owners cannot be mapped
 * @fd: of what was to be mapped, on the host
 * @error: what idmap_tree() said
 * @ret: a clause, owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int idmap_explain(int fd, int error, char **ret);

/**
 * idmap_check() - find out if systemd-nspawn will be able to map owners
 * @root: the container's root directory; NULL if its owners are not to be mapped
 * @shared: another directory of the host that is bound with its owners mapped, or NULL
 * @settings: lines as in settings.h, of which those of Bind=, BindReadOnly= and Device= are looked at
 * @reterr: what cannot be mapped, why, and what to do about it; owned by the caller
 *
 * Only asks the kernel: nothing is mounted.
 *
 * Return: 0 or negative errno.
 */
int idmap_check(const char *root, const char *shared, char *const *settings, char **reterr);

/**
 * idmap_make_points() - make in a container's root what nspawn will mount something on
 * @root: a descriptor of it
 * @settings: lines as in settings.h
 *
 * What nspawn makes there itself, when the owners are mapped, belongs on the disk to the user that stands
 * for the host's root, 2147483646, and inside to nobody. What cannot be made is left to nspawn, which
 * knows better whether that is a failure.
 *
 * Return: 0 or -ENOMEM.
 */
int idmap_make_points(int root, char *const *settings);
