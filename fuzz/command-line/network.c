/* SPDX-License-Identifier: LGPL-2.1-or-later */

#define main network_main
int network_main(int argc, char *argv[]);
#include "helpers/network.c" /* NOLINT: see command-line.h */

#include "fuzz/command-line/command-line.h"

void network_try(int argc, char *argv[], char *const given[]) {
        _cleanup_(arguments_done) Arguments a = {};
        _cleanup_netconfig_ NetworkConfig again = {};
        const NetworkConfig *c = &a.config;
        const char *error = NULL;

        (void) given;
        assert(netconfig_init(&a.config, "web") == 0 && netconfig_init(&again, "web") == 0);
        if (parse_options(argc, argv, &a) <= 0)
                return;

        /* The record is these options: what it says is the same network, but for the line feeds that
         * nothing valid has. */
        assert(a.any == (c->text.len > 0));
        _cleanup_free_ char *text = strdup(c->text.data ? c->text.data : "");
        assert(text && netconfig_parse(&again, text, &error) == 0);
        assert(again.text.len == c->text.len && again.n_pairs == c->n_pairs);
        assert(again.n_forwards == c->n_forwards && again.n_uplinks == c->n_uplinks);
}
