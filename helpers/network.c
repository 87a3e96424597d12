/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * spawnlet-network: makes and takes down a container's private network.
 *
 * Run by ExecStartPre= and ExecStopPost= of container-NAME.service. All that it needs is on
 * its command line; it reads no definition, and "down" needs the name alone.
 */

#include <getopt.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/name.h"
#include "common/base/parse.h"
#include "common/kernel/network.h"

static void help(void) {
        printf("%1$s [OPTION...] up NAME\n"
               "%1$s down NAME\n\n"
               "Make or take down the private network of a container.\n\n"
               "  -h --help                   Show this help\n"
               "     --host-address=ADDRESS   Address of the host's end, may be repeated\n"
               "     --local-address=ADDRESS  Address of the container's end, may be repeated\n"
               "     --gateway=ADDRESS|none   Default gateway inside, one for each family\n"
               "     --mac-address=ADDRESS    Ethernet address of the container's end\n"
               "     --mtu=BYTES              MTU of both ends\n\n"
               "Called by the container's unit; see spawnlet.container(5).\n",
                program_invocation_short_name);
}

static int parse_address(
        const char *option, const char *text, Address *list, size_t max, size_t *n) {
        const char *error;

        if (*n >= max)
                return log_error_errno(E2BIG, "--%s=%s: too many of them", option, text);
        if (address_parse(text, &list[*n], &error) < 0)
                return log_error_errno(EINVAL, "--%s=%s: %s", option, text, error);

        (*n)++;
        return 0;
}

static int parse_option(NetworkConfig *config, int c, const char *value) {
        uint64_t mtu;

        switch (c) {
        case 'H':
                return parse_address("host-address", value, config->host, ELEMENTSOF(config->host),
                        &config->n_host);
        case 'L':
                return parse_address("local-address", value, config->local,
                        ELEMENTSOF(config->local), &config->n_local);
        case 'G':
                config->no_gateway = strcmp(value, "none") == 0;
                if (config->no_gateway)
                        return 0;
                return parse_address("gateway", value, config->gateway, ELEMENTSOF(config->gateway),
                        &config->n_gateway);
        case 'A':
                config->has_mac = true;
                if (parse_mac(value, config->mac) < 0)
                        return log_error_errno(
                                EINVAL, "--mac-address=%s: not a MAC address", value);
                return 0;
        case 'M':
                if (parse_unsigned(value, 68, 65535, &mtu) < 0)
                        return log_error_errno(EINVAL, "--mtu=%s: not an MTU", value);
                config->mtu = (unsigned) mtu;
                return 0;
        default:
                return -EINVAL;
        }
}

/* Return: 1 to go on, 0 when all is done, negative errno on wrong usage. */
static int parse_argv(int argc, char *argv[], NetworkConfig *config, bool *ret_up) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "host-address", required_argument, NULL, 'H' },
                { "local-address", required_argument, NULL, 'L' },
                { "gateway", required_argument, NULL, 'G' },
                { "mac-address", required_argument, NULL, 'A' },
                { "mtu", required_argument, NULL, 'M' },
                {},
        };

        for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) >= 0;) {
                if (c == 'h') {
                        help();
                        return 0;
                }

                int r = parse_option(config, c, optarg);
                if (r < 0)
                        return r;
        }

        if (argc - optind != 2)
                return log_error_errno(EINVAL, "Takes a verb and a name, see --help");

        *ret_up = strcmp(argv[optind], "up") == 0;
        if (!*ret_up && strcmp(argv[optind], "down") != 0)
                return log_error_errno(EINVAL, "Unknown verb '%s', see --help", argv[optind]);

        config->machine = argv[optind + 1];
        if (!machine_name_is_valid(config->machine))
                return log_error_errno(
                        EINVAL, "'%s' is not the name of a container", config->machine);
        return 1;
}

int main(int argc, char *argv[]) {
        _cleanup_free_ char *error = NULL;
        NetworkConfig config = {};
        bool up = false;
        int r;

        log_setup("spawnlet-network", log_target_of_service());

        r = parse_argv(argc, argv, &config, &up);
        if (r <= 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

        r = up ? network_up(&config, &error) : network_down(config.machine, &error);
        if (r < 0)
                log_error("%s", error ? error : strerror(-r));

        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
