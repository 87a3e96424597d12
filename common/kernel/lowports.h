/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Ports below 1024 for a container with users of its own on a network that is not.
 *
 * The kernel asks whoever binds one for CAP_NET_BIND_SERVICE in the user namespace that the network namespace
 * belongs to: the host's, or another container's. Nobody inside can have that. A program that is attached to
 * a cgroup may waive it for the processes there (BPF_RET_BIND_NO_CAP_NET_BIND_SERVICE, Linux 5.12).
 *
 * It waives it for all of them, as the setting net.ipv4.ip_unprivileged_port_start=0 does, and not for root
 * inside alone: a service that has dropped root and kept the capability has a user that we do not know.
 *
 * Only who has CAP_NET_ADMIN on the host attaches and detaches programs, so what runs inside can neither
 * remove it nor have it where it has no business. One that forbids something, of SocketBindDeny=, prevails.
 * The program goes with the cgroup, which systemd makes for each start.
 */

#include "common/base/macro.h"

/**
 * lowports_allow() - let the processes of a cgroup, and of all below it, bind ports below 1024
 * @cgroup: its absolute path
 * @reterr: what failed, a clause, owned by the caller; NULL if there is no memory for it
 *
 * TCP and UDP alone have the hook. Needs CAP_NET_ADMIN and CAP_SYS_ADMIN (or CAP_BPF).
 *
 * Return: 0; -EINVAL if the kernel is older than 5.12 or built without CONFIG_CGROUP_BPF; -ENOSYS without
 * CONFIG_BPF_SYSCALL; -EPERM; other negative errno.
 */
int lowports_allow(const char *cgroup, char **reterr);
