/* SPDX-License-Identifier: LGPL-2.1-or-later */

#define main stop_main
int stop_main(int argc, char *argv[]);
#include "helpers/stop.c" /* NOLINT: see command-line.h */

#include "fuzz/command-line/command-line.h"

void stop_try(int argc, char *argv[], char *const given[]) {
        Stop s = { .timeout_usec = 90 * USEC_PER_SEC };

        (void) given;
        if (parse_argv(argc, argv, &s) <= 0)
                return;
        assert(s.signal >= 0 && s.signal <= SIGRTMAX);
        assert((s.main_pid > 1) == !s.starting);
        assert(!s.starting || definition_name_is_valid(s.starting));
        for (unsigned tenths = 0; tenths <= 10; tenths++)
                assert(deadline(&s, tenths) <= deadline(&s, 10));
}
