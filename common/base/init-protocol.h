/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What spawnlet-init, which is linked with nothing of ours, and those who start it have to agree on. See
 * also session-protocol.h.
 */

/* Where it is inside, in every container, and the resolv.conf that it is to put in its place. Elsewhere below
 * /run than in host/ they would show as failed unmounts when the container shuts down. */
#define INIT_PATH "/run/host/spawnlet/init"
#define INIT_RESOLV_CONF "/run/host/spawnlet/resolv.conf"

/* The gate of gate.h: its descriptor is the last of those of sd_listen_fds(3). A byte each: "here", "go on",
 * and back "gone". */
#define GATE_VARIABLE "LISTEN_FDS"
#define GATE_FIRST_FD 3 /* SD_LISTEN_FDS_START */
