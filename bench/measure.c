/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Runs a command and prints its wall time in seconds and its peak memory in KiB.
 *
 * A program of its own, and a small one: the peak that wait4(2) tells begins with that of the
 * process that called execve(2), which must not be an interpreter's.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

int main(int argc, char *argv[]) {
        struct rusage usage;
        int status;

        if (argc < 2) {
                fprintf(stderr, "Usage: %s COMMAND [ARGUMENT...]\n", argv[0]);
                return EXIT_FAILURE;
        }

        double started = now();
        pid_t pid = fork();

        if (pid == 0) {
                (void) execv(argv[1], argv + 1);
                perror(argv[1]);
                _exit(EXIT_FAILURE);
        }
        if (pid < 0 || wait4(pid, &status, 0, &usage) < 0) {
                perror(argv[0]);
                return EXIT_FAILURE;
        }

        printf("%.9f %ld\n", now() - started, usage.ru_maxrss);
        return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
