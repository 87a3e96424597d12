/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/kernel/netconfig.h"

#include <string.h>

#include "common/kernel/zone.h"
#include "tests/unit/test.h"

/* Takes "option=value" or "option", as a record has it. */
static int set(NetworkConfig *c, const char *line) {
        _cleanup_free_ char *text = strdup(line);
        const char *error = NULL;
        int r;

        assert_non_null(text);
        r = netconfig_parse(c, text, &error);
        if (r == -EINVAL || r == -E2BIG)
                assert_non_null(error);
        return r;
}

static void parse(NetworkConfig *c, const char *machine, const char *text) {
        assert_int_equal(netconfig_init(c, machine), 0);
        assert_int_equal(set(c, text), 0);
}

static void test_options(void **state) {
        static const char text[] = "host-address=10.0.0.1/24\nlocal-address=10.0.0.2/24\n"
                                   "local-address=fd00::2\nmtu=1400\n"
                                   "mac-address=02:00:00:00:00:01\ngateway=10.0.0.254\n"
                                   "port=udp:[2001:db8::1]:53-54:5300\nmasquerade\n"
                                   "interface=eth1:lan\nmacvlan=eth2\nveth=db\nzone=blue\n";
        _cleanup_netconfig_ NetworkConfig c = {};

        (void) state;

        parse(&c, "web", text);
        assert_string_equal(c.text.data, text); /* what the record gets */
        assert_int_equal(c.n_pairs, 2);
        assert_int_equal(c.pairs[0].n_host, 1);
        assert_int_equal(c.pairs[0].n_local, 2);
        assert_int_equal(c.pairs[0].mtu, 1400);
        assert_true(c.pairs[0].has_mac);
        assert_string_equal(c.pairs[1].inside, "db");
        assert_string_equal(c.pairs[1].zone, "blue");
        assert_int_equal(c.n_gateway, 1);
        assert_true(c.masquerade);

        assert_int_equal(c.n_forwards, 1);
        assert_true(c.forwards[0].udp && c.forwards[0].has_host);
        assert_int_equal(c.forwards[0].host.family, AF_INET6);
        assert_int_equal(c.forwards[0].first, 53);
        assert_int_equal(c.forwards[0].last, 54);
        assert_int_equal(c.forwards[0].inside, 5300);

        assert_int_equal(c.n_uplinks, 2);
        assert_int_equal(c.uplinks[0].kind, UPLINK_MOVED);
        assert_string_equal(c.uplinks[0].inside, "lan");
        assert_string_equal(c.uplinks[1].inside, "mv-eth2");
}

static void test_values(void **state) {
        static const char *const good[] = { "local-address=10.0.0.2", "bridge=br-lan.5",
                "zone=1234567890123", "mtu=68", "mtu=65535", "gateway=none", "port=1", "port=65535",
                "port=127.0.0.1:80", "interface=eth0", "veth=a" };
        static const char *const bad[] = { "local-address=10.0.0.300",
                "local-address=", "bridge=a/b", "bridge=1234567890123456", "zone=12345678901234",
                "zone=a b", "mtu=67", "mtu=65536", "mtu=0x50", "gateway=no", "port=0", "port=65536",
                "port=80-79", "mac-address=02:00:00:00:00",
                "interface=", "interface=a:", "interface=a:b:c", "veth=eth0", "veth=../x",
                "unknown=1", "masquerade=yes", "mtu" };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(good) + ELEMENTSOF(bad); i++) {
                const char *line = i < ELEMENTSOF(good) ? good[i] : bad[i - ELEMENTSOF(good)];
                _cleanup_netconfig_ NetworkConfig c = {};

                assert_int_equal(netconfig_init(&c, "web"), 0);
                if ((set(&c, line) == 0) != (i < ELEMENTSOF(good)))
                        fail_msg("%s", line);
        }
}

/* At the limit and one beyond it; what was taken before stays. */
static void test_limits(void **state) {
        _cleanup_netconfig_ NetworkConfig c = {};
        char line[64];

        (void) state;

        assert_int_equal(netconfig_init(&c, "web"), 0);
        for (unsigned i = 0; i <= ADDRESSES_MAX; i++) {
                (void) snprintf(line, sizeof(line), "local-address=10.0.0.%u", i + 1);
                assert_int_equal(set(&c, line), i < ADDRESSES_MAX ? 0 : -E2BIG);
        }
        assert_int_equal(c.pairs[0].n_local, ADDRESSES_MAX);

        for (unsigned i = 0; i <= 64; i++) {
                (void) snprintf(line, sizeof(line), "veth=v%u", i);
                assert_int_equal(set(&c, line), i < 64 ? 0 : -E2BIG);
        }
        assert_int_equal(c.n_pairs, 65);
        assert_int_equal(set(&c, "veth=v3"), -EINVAL);
}

static void test_no_veth(void **state) {
        _cleanup_netconfig_ NetworkConfig c = {};

        (void) state;

        parse(&c, "web", "no-veth\ninterface=eth1\n");
        assert_null(netconfig_main_pair(&c));
        assert_null(netconfig_gateway(&c, AF_INET));
        assert_int_equal(set(&c, "mtu=1400"), -EINVAL);
        assert_int_equal(set(&c, "veth=a\nmtu=1400"), 0);
}

static void test_gateway(void **state) {
        static const struct {
                const char *text;
                bool has_4, has_6;
        } cases[] = {
                { "host-address=10.0.0.1\nlocal-address=10.0.0.2", true, false },
                { "host-address=10.0.0.1\nlocal-address=fd00::2", false, false },
                { "local-address=10.0.0.2\ngateway=10.0.0.9", true, false },
                { "host-address=fd00::1\nlocal-address=fd00::2\nlocal-address=10.0.0.2", false,
                        true },
                { "host-address=10.0.0.1\nlocal-address=10.0.0.2\ngateway=none", false, false },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_netconfig_ NetworkConfig c = {};

                parse(&c, "web", cases[i].text);
                assert_int_equal(netconfig_gateway(&c, AF_INET) != NULL, cases[i].has_4);
                assert_int_equal(netconfig_gateway(&c, AF_INET6) != NULL, cases[i].has_6);
        }
}

static void test_host_interface(void **state) {
        _cleanup_netconfig_ NetworkConfig c = {};
        char name[IF_NAMESIZE];

        (void) state;

        parse(&c, "web", "veth=a\nveth=b\nzone=1234567890123\nveth=c\nbridge=br0\n");
        static const char *const expected[] = { "c-web", "c-web-a", "z-1234567890123", "br0" };
        for (size_t i = 0; i < ELEMENTSOF(expected); i++) {
                pair_host_interface(&c, &c.pairs[i], name);
                assert_string_equal(name, expected[i]);
        }
}

static void test_zones_agree(void **state) {
        static const struct {
                const char *a, *b;
                int result;
        } cases[] = {
                { "zone=x\nhost-address=10.0.0.1/24", "zone=x\nhost-address=10.0.0.1/24", 0 },
                { "zone=x\nhost-address=10.0.0.1/24", "zone=x\nhost-address=10.0.0.1/25", -EINVAL },
                { "zone=x\nhost-address=10.0.0.1/24", "zone=x", 0 },
                { "zone=x\nhost-address=10.0.0.1/24", "zone=y\nhost-address=10.0.0.9/24", 0 },
                { "zone=x\nhost-address=10.0.0.1\nhost-address=fd00::1",
                        "veth=a\nzone=x\nhost-address=fd00::1\nhost-address=10.0.0.1", 0 },
                { "zone=x\nhost-address=10.0.0.1\nhost-address=fd00::1",
                        "veth=a\nzone=x\nhost-address=fd00::1", -EINVAL },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_netconfig_ NetworkConfig a = {}, b = {};
                _cleanup_free_ char *error = NULL;

                parse(&a, "a", cases[i].a);
                parse(&b, "b", cases[i].b);
                assert_int_equal(zone_agrees(&a, &b, &error), cases[i].result);
                assert_int_equal(error != NULL, cases[i].result < 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_options),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_no_veth),
                cmocka_unit_test(test_gateway),
                cmocka_unit_test(test_host_interface),
                cmocka_unit_test(test_zones_agree),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
