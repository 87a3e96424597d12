/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The init of a running container: found from systemd-nspawn's PID alone, with no help
 * of D-Bus or machined, which may be gone when containers are stopped at shutdown.
 */

#include <sys/types.h>

#include "common/base/macro.h"

/**
 * init_find() - find the container's init
 * @main_pid: systemd-nspawn
 * @ret_pid: the init's PID on the host
 * @ret_pidfd: a descriptor of it, owned by the caller
 *
 * Return: 1 if found; 0 if systemd-nspawn has not made it yet, or it is gone; -ESRCH if
 * there is no process @main_pid; other negative errno.
 */
int init_find(pid_t main_pid, pid_t *ret_pid, int *ret_pidfd);

/* What systemd-nspawn was told to run. */
typedef struct InitOptions {
        int kill_signal; /* what nspawn sends to the init when it is to stop; 0 if none is given */
        bool boots;      /* an init, or nspawn's own for --as-pid2; else any program */
} InitOptions;

/**
 * init_options() - what the command line of a systemd-nspawn says of the init
 * @main_pid: systemd-nspawn
 *
 * Return: 0; -ESRCH if it is gone; other negative errno.
 */
int init_options(pid_t main_pid, InitOptions *ret);

/* What a process is called, with a NUL. The kernel cuts longer names off. */
#define PROCESS_NAME_MAX 16

/**
 * init_process_name() - what a process is called, fit to be shown
 * @ret: its name; all but printable ASCII became '?', as it is the process that chooses it
 *
 * Return: 0; -ESRCH if the process is gone; other negative errno.
 */
int init_process_name(pid_t pid, char ret[static PROCESS_NAME_MAX]);

/**
 * init_start_time() - when a process was started, in clock ticks after the boot of the host
 *
 * Return: 0; -ESRCH if the process is gone; other negative errno.
 */
int init_start_time(pid_t pid, uint64_t *ret);

/** init_is_stopped() - Return: whether a process was stopped by a signal, and takes none but SIGCONT and SIGKILL. */
bool init_is_stopped(pid_t pid);

/**
 * init_users() - the users of a container, as numbers of the host's
 * @pid: its init
 * @ret_first: root inside
 * @ret_count: how many follow it, with itself; UINT32_MAX if the container has the host's
 *
 * A user of the host's that exists inside, too (BindUser=), is none of them, but leaves a number unused.
 *
 * Return: 0; -ESRCH if the process is gone; other negative errno.
 */
int init_users(pid_t pid, uint32_t *ret_first, uint32_t *ret_count);

/* What is known of a running init. Masks have bit N - 1 for signal N. */
typedef struct InitState {
        bool executed;    /* it is a program of the container, and no more a part of nspawn */
        bool waits;       /* in sigwaitinfo(2) */
        uint64_t blocked; /* signals that stay pending; systemd blocks what it takes */
        bool blocks_all;  /* as fork(3) and posix_spawn(3) do for a moment: that says nothing */
        bool sleeps;      /* in a system call, and not in one that these two are in */
        uint64_t caught;  /* signals that have a handler */
        uint64_t ignored;
        char executable[256]; /* the name of the file that it was executed from, "" if unknown */
        char name[PROCESS_NAME_MAX];
} InitState;

/**
 * init_look() - look at an init
 * @main_pid: systemd-nspawn
 *
 * Return: 0; -ESRCH if the process is gone; other negative errno.
 */
int init_look(pid_t pid, pid_t main_pid, InitState *ret);

/**
 * init_can_take() - whether a signal sent to an init would be heard
 *
 * The kernel drops signals to the first process of a PID namespace that it neither
 * handles nor blocks, without a trace; pid_namespaces(7). What is blocked stays pending,
 * and systemd blocks what it reads from a signalfd.
 */
bool init_can_take(const InitState *init, int signal);

/**
 * init_would_end() - whether a signal that is not heard would end the process if it was not PID 1
 *
 * That is so if it is not ignored and its default action is to terminate, signal(7).
 */
bool init_would_end(const InitState *init, int signal);

/**
 * init_halt_signal() - the signal that has this kind of init shut the container down
 *
 * Never one that is known to have it reboot.
 *
 * Return: the signal; 0 if the init takes none of those that it could be, now.
 */
int init_halt_signal(const InitState *init);

/**
 * init_power_off() - end all processes of a container at once, as if it had powered itself off
 * @init, @pidfd: as in namespace_enter()
 *
 * To systemd-nspawn this is success, which an init that is killed is not.
 *
 * Return: 0, negative errno.
 */
int init_power_off(pid_t init, int pidfd);

/**
 * init_privileges() - what an init can ever get
 * @ret_capabilities: its bounding set
 * @ret_no_more: whether nothing that it executes gets more than it has, prctl(2), PR_SET_NO_NEW_PRIVS
 *
 * Return: 0 or negative errno.
 */
int init_privileges(pid_t pid, uint64_t *ret_capabilities, bool *ret_no_more);
