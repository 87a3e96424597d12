/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Files inside a container's root. The root is hostile: whoever is root in the container
 * may have put links, FIFOs and devices wherever a file is expected, and may change them
 * while we look. Every access starts at a descriptor of the root and follows no link.
 */

#include <sys/types.h>

#include "common/base/macro.h"

/**
 * root_open() - open a container's root directory
 * @path: the directory; made if it does not exist, with what is missing above it, which is closed to others
 *
 * Links in @path itself are followed: it is the administrator's.
 *
 * Return: a descriptor, owned by the caller; -EXDEV if it leads to the host's own root; other
 * negative errno.
 */
int root_open(const char *path);

/**
 * root_look_above() - what others than root can do by the directories that lead to a root
 * @ret_writable: one in which they could put something else in its place, owned by the caller; NULL if there
 *                is none
 * @ret_reachable: whether they can reach it, and execute what is in it
 *
 * Return: 0 or negative errno.
 */
int root_look_above(const char *path, char **ret_writable, bool *ret_reachable);

/**
 * root_resolve() - find a place in the root, the container's links followed within the root
 *
 * Return: a descriptor, opened with O_PATH, owned by the caller; negative errno.
 */
int root_resolve(int root, const char *path);

/**
 * root_has_file() - whether a regular file exists in the root, the container's links followed
 * within the root
 *
 * Return: 1 or 0; -EBADFD if something else is there, such as a FIFO that would block whoever reads
 * it; other negative errno.
 */
int root_has_file(int root, const char *path);

/**
 * root_leads_out() - whether somebody who follows the container's links on the host, as it should not
 * be, finds something else at a path than the container does
 *
 * Return: 1 or 0, negative errno.
 */
int root_leads_out(int root, const char *path);

/**
 * root_open_device() - open a character device in the root for reading and writing
 * @device: its number; what has another, or is none, is not opened
 *
 * Return: a descriptor, owned by the caller; -ENOENT; -ENODEV if something else is there; other
 * negative errno.
 */
int root_open_device(int root, const char *path, dev_t device);

/**
 * root_mkdir() - make a directory and what is missing above it
 * @path: relative to @root
 * @mode: of the last part; what is missing above it gets 0755
 *
 * Return: a descriptor of the directory, owned by the caller; -ELOOP or -ENOTDIR if a part
 * of @path is a link or no directory; other negative errno.
 */
int root_mkdir(int root, const char *path, mode_t mode);

/**
 * root_create() - make a file with a content, unless something of that name is there
 * @directory: the directory, inside the root
 *
 * Never seen half-written, also after a crash.
 *
 * Return: 1 if made, 0 if something is there, negative errno.
 */
int root_create(int directory, const char *name, const void *data, size_t size, mode_t mode);

/** root_symlink() - make a link, unless something is there. Return: 1, 0, negative errno. */
int root_symlink(int directory, const char *name, const char *target);

/**
 * root_copy() - copy a file, link or directory of the host, unless something is there
 *
 * Files that not everybody may read stay behind.
 *
 * @source: absolute path on the host; nothing is done when it does not exist
 * @directory, @name: where to, inside the root
 *
 * Return: 1 if copied, 0 if something is there or there is no source, negative errno.
 */
int root_copy(const char *source, int directory, const char *name);

/**
 * root_remove() - remove a file, a link, or a directory with all that is in it
 *
 * However deep the directory is, which is for the container to choose: it takes a few descriptors and
 * no recursion. What is mounted in there is never entered.
 *
 * @directory: a descriptor, or AT_FDCWD
 *
 * Return: 0, also if there is nothing of that name; -EBUSY if something is mounted in there; other
 * negative errno.
 */
int root_remove(int directory, const char *name);
