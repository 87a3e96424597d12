/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Runs a command and prints its wall time in seconds and its peak memory in KiB.
 *
 * measure [-n COUNT] [-l LINKS] COMMAND [ARGUMENT...]
 *
 * With -n, it is started COUNT times at once, "{}" in its arguments being 0, 1, ...; the time is
 * until the last one exits, the memory that of the largest. With -l, a third figure is the time
 * until LINKS network interfaces have gone: the kernel deletes those of a namespace after it.
 *
 * A program of its own, and a small one: the peak that wait4(2) tells begins with that of the
 * process that called execve(2), which must not be an interpreter's.
 */

#include <err.h>
#include <linux/rtnetlink.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* So that no message is lost while nobody reads them. */
#define RECEIVE_BUFFER (16 * 1024 * 1024)

static double now(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* Return: @argument with @number for each "{}". */
static char *fill_in(const char *argument, int number) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                err(EXIT_FAILURE, "open_memstream");
        for (const char *hole; (hole = strstr(argument, "{}")); argument = hole + 2)
                (void) fprintf(f, "%.*s%i", (int) (hole - argument), argument, number);
        (void) fputs(argument, f);
        if (fclose(f) != 0)
                err(EXIT_FAILURE, "fclose");
        return text;
}

/* Return: the command line of each of @count, one behind the other, NULL at the end of each. */
static char **fill_in_all(char *argv[], int argc, int count) {
        char **all = calloc((size_t) count * (size_t) (argc + 1), sizeof(*all));

        if (!all)
                err(EXIT_FAILURE, "calloc");
        for (int i = 0; i < count; i++)
                for (int k = 0; k < argc; k++)
                        all[i * (argc + 1) + k] = fill_in(argv[k], i);
        return all;
}

/* As systemd does. fork(2) would copy page tables, which is no cost of the command. */
static void start(char *argv[]) {
        pid_t pid;
        int r = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);

        if (r != 0)
                errx(EXIT_FAILURE, "%s: %s", argv[0], strerror(r));
}

/* Return: the first exit status that is not 0. */
static int wait_for(int n, long *ret_peak) {
        int status, failure = EXIT_SUCCESS;
        struct rusage usage;

        *ret_peak = 0;
        for (int i = 0; i < n; i++) {
                if (wait4(-1, &status, 0, &usage) < 0)
                        err(EXIT_FAILURE, "wait4");
                if (usage.ru_maxrss > *ret_peak)
                        *ret_peak = usage.ru_maxrss;
                if (status != 0 && failure == EXIT_SUCCESS)
                        failure = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
        }

        return failure;
}

/* Return: a socket that is told of the interfaces of this network namespace. */
static int watch_links(void) {
        const struct sockaddr_nl links = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
        int size = RECEIVE_BUFFER;
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
                bind(fd, (const struct sockaddr *) &links, sizeof(links)) < 0)
                err(EXIT_FAILURE, "netlink");
        return fd;
}

static void wait_until_gone(int fd, int links) {
        union {
                struct nlmsghdr header;
                char bytes[16384];
        } message;

        while (links > 0) {
                ssize_t size = recv(fd, &message, sizeof(message), 0);

                if (size < (ssize_t) sizeof(message.header))
                        err(EXIT_FAILURE, "recv");
                if (message.header.nlmsg_type == RTM_DELLINK)
                        links--;
        }
}

int main(int argc, char *argv[]) {
        int count = 1, links = 0, watch = -1;
        char **commands;
        long peak;

        for (int c; (c = getopt(argc, argv, "+n:l:")) >= 0;)
                if (c == 'n')
                        count = atoi(optarg);
                else if (c == 'l')
                        links = atoi(optarg);
                else
                        return EXIT_FAILURE;
        if (optind >= argc)
                errx(EXIT_FAILURE, "Usage: measure [-n COUNT] [-l LINKS] COMMAND [ARGUMENT...]");
        if (links > 0)
                watch = watch_links();
        argc -= optind;
        commands = fill_in_all(argv + optind, argc, count);

        double started = now();

        for (int i = 0; i < count; i++)
                start(commands + i * (argc + 1));

        int status = wait_for(count, &peak);
        double exited = now();

        if (status == EXIT_SUCCESS && links > 0)
                wait_until_gone(watch, links);

        double gone = now();

        /* The command lines go with the process. */
        printf("%.9f %ld", exited - started, peak);
        if (links > 0)
                printf(" %.9f", gone - started);
        printf("\n");
        return status;
}
