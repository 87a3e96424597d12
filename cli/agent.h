/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Who asks for a password when polkit(8) wants one: on a terminal without a desktop, nobody would.
 */

/**
 * agent_start() - have pkttyagent(1) ask on the terminal, as systemctl(1) does
 *
 * Until agent_stop() or the end of the program. Not for root, nor without a terminal, nor if there is an
 * agent of the session already. Where it cannot be run, polkit says what is not permitted.
 */
void agent_start(void);

/** agent_stop() - have nobody ask any more: the terminal is needed for something else. */
void agent_stop(void);
