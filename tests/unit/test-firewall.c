/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-firewall: the nftables table that is made of containers' networks, and which ports two
 * containers cannot both have.
 */

#include "tests/unit/test.h"

#include <arpa/inet.h>

#include "common/kernel/firewall.h"

static size_t countdown; /* allocations until one fails; 0: none does */

/* The linker puts this in the place of libc's; ld(1), --wrap. */
void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n) {
        return countdown > 0 && --countdown == 0 ? NULL : __real_realloc(p, n);
}

/* The network of a container, of options as on the command line without their dashes. */
static void make(NetworkConfig *c, const char *machine, const char *const *options) {
        assert_int_equal(netconfig_init(c, machine), 0);

        for (const char *const *o = options; o && *o; o++) {
                _cleanup_free_ char *option = strdup(*o);
                const char *error = "";
                char *value;

                assert_non_null(option);
                value = strchr(option, '=');
                if (value)
                        *value++ = '\0';
                if (netconfig_set(c, option, value, &error) != 0)
                        fail_msg("'%s': %s", *o, error);
        }
}
#define OPTIONS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static char *ruleset(const NetworkConfig *all, size_t n) {
        char *text = NULL;

        assert_int_equal(firewall_ruleset(all, n, &text), 0);
        return text;
}

/* The elements of a set or map, one a line and without indentation; owned by the caller. */
static char *elements(const char *text, const char *name) {
        _cleanup_free_ char *start = NULL;
        Str s = {};
        char *found;

        assert_int_equal(str_format(&start, " %s {\n", name), 0);
        text = strstr(text, start);
        if (!text)
                fail_msg("no '%s'", name);

        const char *end = strstr(text, "\n\t}\n"), *line = strstr(text, "elements = {\n");
        if (line && line < end)
                for (line = strchr(line, '\n') + 1; !str_starts_with(line, "\t\t}");
                        line = strchr(line, '\n') + 1) {
                        assert_non_null(str_starts_with(line, "\t\t\t"));
                        str_append_n(&s, line + 3, strcspn(line + 3, "\n") + 1);
                }
        str_append(&s, "");
        assert_int_equal(str_take(&s, &found), 0);
        return found;
}

static void assert_elements(const char *text, const char *name, const char *expected) {
        _cleanup_free_ char *found = elements(text, name);

        if (strcmp(found, expected) != 0)
                fail_msg("%s: expected\n%sbut it is\n%s", name, expected, found);
}

#define EMPTY_TEXT "add table inet spawnlet\ndelete table inet spawnlet\n"

static void test_nothing_needed(void **state) {
        _cleanup_netconfig_ NetworkConfig c = {};
        _cleanup_free_ char *none = ruleset(NULL, 0), *text = NULL;

        (void) state;

        assert_string_equal(none, EMPTY_TEXT);

        make(&c, "web", OPTIONS("host-address=10.90.0.1", "local-address=10.90.0.2"));
        text = ruleset(&c, 1);
        assert_string_equal(text, EMPTY_TEXT);
}

/* The whole text, as it goes to the kernel. */
static void test_text(void **state) {
        _cleanup_netconfig_ NetworkConfig c = {};
        _cleanup_free_ char *text = NULL;

        (void) state;

        make(&c, "web",
                OPTIONS("host-address=10.90.0.1", "host-address=fd00:90::1",
                        "local-address=10.90.0.2", "local-address=fd00:90::2", "port=8080:80",
                        "port=udp:127.0.0.1:53", "masquerade"));
        text = ruleset(&c, 1);
        assert_string_equal(text,
                EMPTY_TEXT
                "table inet spawnlet {\n"
                "	map ip_address_ports {\n"
                "		type ipv4_addr . inet_proto . inet_service : ipv4_addr . "
                "inet_service\n"
                "		elements = {\n"
                "			127.0.0.1 . udp . 53 : 10.90.0.2 . 53,\n"
                "		}\n"
                "	}\n"
                "\n"
                "	map ip6_address_ports {\n"
                "		type ipv6_addr . inet_proto . inet_service : ipv6_addr . "
                "inet_service\n"
                "	}\n"
                "\n"
                "	map ip_ports {\n"
                "		type inet_proto . inet_service : ipv4_addr . inet_service\n"
                "		elements = {\n"
                "			tcp . 8080 : 10.90.0.2 . 80,\n"
                "		}\n"
                "	}\n"
                "\n"
                "	map ip6_ports {\n"
                "		type inet_proto . inet_service : ipv6_addr . inet_service\n"
                "		elements = {\n"
                "			tcp . 8080 : fd00:90::2 . 80,\n"
                "		}\n"
                "	}\n"
                "\n"
                "	set loopback_interfaces {\n"
                "		type ifname\n"
                "		elements = {\n"
                "			\"c-web\",\n"
                "		}\n"
                "	}\n"
                "\n"
                "	set same_interfaces {\n"
                "		type ifname . ifname\n"
                "		elements = {\n"
                "			\"c-web\" . \"c-web\",\n"
                "		}\n"
                "	}\n"
                "\n"
                "	set ip_self {\n"
                "		type ipv4_addr . ipv4_addr\n"
                "	}\n"
                "\n"
                "	set ip6_self {\n"
                "		type ipv6_addr . ipv6_addr\n"
                "	}\n"
                "\n"
                "	set ip_no_way_back {\n"
                "		type ipv4_addr\n"
                "	}\n"
                "\n"
                "	set ip6_no_way_back {\n"
                "		type ipv6_addr\n"
                "	}\n"
                "\n"
                "	set ip_masqueraded {\n"
                "		type ifname . ipv4_addr\n"
                "		elements = {\n"
                "			\"c-web\" . 10.90.0.2,\n"
                "		}\n"
                "	}\n"
                "\n"
                "	set ip6_masqueraded {\n"
                "		type ifname . ipv6_addr\n"
                "		elements = {\n"
                "			\"c-web\" . fd00:90::2,\n"
                "		}\n"
                "	}\n"
                "\n"
                "	chain guard {\n"
                "		type filter hook prerouting priority raw; policy accept;\n"
                "		iifname @loopback_interfaces ip saddr 127.0.0.0/8 drop\n"
                "		iifname @loopback_interfaces ip daddr 127.0.0.0/8 drop\n"
                "	}\n"
                "\n"
                "	chain forward_ports {\n"
                "		fib daddr type != local return\n"
                "		dnat ip to ip daddr . meta l4proto . th dport map "
                "@ip_address_ports\n"
                "		dnat ip6 to ip6 daddr . meta l4proto . th dport map "
                "@ip6_address_ports\n"
                "		ip daddr 127.0.0.0/8 ip daddr != 127.0.0.1 return\n"
                "		ip6 daddr ::1 return\n"
                "		meta nfproto ipv4 dnat ip to meta l4proto . th dport map "
                "@ip_ports\n"
                "		meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map "
                "@ip6_ports\n"
                "	}\n"
                "\n"
                "	chain prerouting {\n"
                "		type nat hook prerouting priority dstnat; policy accept;\n"
                "		ip daddr 127.0.0.0/8 return\n"
                "		jump forward_ports\n"
                "	}\n"
                "\n"
                "	chain output {\n"
                "		type nat hook output priority -100; policy accept;\n"
                "		jump forward_ports\n"
                "	}\n"
                "\n"
                "	chain postrouting {\n"
                "		type nat hook postrouting priority srcnat; policy accept;\n"
                "		ct status dnat ip saddr 127.0.0.0/8 oifname @loopback_interfaces "
                "masquerade\n"
                "		ct status dnat iifname . oifname @same_interfaces masquerade\n"
                "		ct status dnat ip saddr . ip daddr @ip_self masquerade\n"
                "		ct status dnat ip6 saddr . ip6 daddr @ip6_self masquerade\n"
                "		ct status dnat ip daddr @ip_no_way_back masquerade\n"
                "		ct status dnat ip6 daddr @ip6_no_way_back masquerade\n"
                "		iifname . ip saddr @ip_masqueraded oifname != \"c-*\" oifname != "
                "\"z-*\" masquerade\n"
                "		iifname . ip6 saddr @ip6_masqueraded oifname != \"c-*\" oifname != "
                "\"z-*\" masquerade\n"
                "	}\n"
                "}\n");
}

static void test_addresses(void **state) {
        _cleanup_netconfig_ NetworkConfig c = {};
        _cleanup_free_ char *text = NULL;

        (void) state;

        make(&c, "web",
                OPTIONS("local-address=fe80::2/64", "local-address=10.90.0.2",
                        "local-address=10.90.0.3", "local-address=fd00:90::2", "port=0.0.0.0:1:101",
                        "port=[::]:2:102", "port=192.0.2.1:3", "port=udp:[2001:db8::1]:4",
                        "port=[::1]:5", "port=127.0.0.2:6-8:16-18", "port=65534-65535:80-81"));
        text = ruleset(&c, 1);
        assert_elements(text, "ip_address_ports",
                "192.0.2.1 . tcp . 3 : 10.90.0.2 . 3,\n"
                "127.0.0.2 . tcp . 6 : 10.90.0.2 . 16,\n"
                "127.0.0.2 . tcp . 7 : 10.90.0.2 . 17,\n"
                "127.0.0.2 . tcp . 8 : 10.90.0.2 . 18,\n");
        assert_elements(text, "ip6_address_ports", "2001:db8::1 . udp . 4 : fd00:90::2 . 4,\n");
        assert_elements(text, "ip_ports",
                "tcp . 1 : 10.90.0.2 . 101,\n"
                "tcp . 65534 : 10.90.0.2 . 80,\n"
                "tcp . 65535 : 10.90.0.2 . 81,\n");
        assert_elements(text, "ip6_ports",
                "tcp . 2 : fd00:90::2 . 102,\n"
                "tcp . 65534 : fd00:90::2 . 80,\n"
                "tcp . 65535 : fd00:90::2 . 81,\n");
        assert_elements(text, "ip_masqueraded", "");
}

/* A family without an address inside is not forwarded; nor is 127.0.0.1 then. */
static void test_families(void **state) {
        _cleanup_netconfig_ NetworkConfig c = {};
        _cleanup_free_ char *text = NULL;

        (void) state;

        make(&c, "web",
                OPTIONS("host-address=10.90.0.1", "host-address=fd00:90::1",
                        "local-address=fd00:90::2", "port=80", "port=192.0.2.1:81"));
        text = ruleset(&c, 1);
        assert_elements(text, "ip_address_ports", "");
        assert_elements(text, "ip_ports", "");
        assert_elements(text, "ip6_ports", "tcp . 80 : fd00:90::2 . 80,\n");
        assert_elements(text, "loopback_interfaces", "");
        assert_elements(text, "same_interfaces", "\"c-web\" . \"c-web\",\n");
}

/* The loopback is opened, and guarded, for those only that have a port there. */
static void test_loopback(void **state) {
        static const struct {
                const char *port, *expected;
        } cases[] = {
                { "port=80", "\"c-web\",\n" },
                { "port=udp:0.0.0.0:80", "\"c-web\",\n" },
                { "port=127.0.0.1:80", "\"c-web\",\n" },
                { "port=127.1.2.3:80", "\"c-web\",\n" },
                { "port=192.0.2.1:80", "" },
                { "port=[::]:80", "" },
                { "port=[::1]:80", "" },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_netconfig_ NetworkConfig c = {};
                _cleanup_free_ char *text = NULL;

                make(&c, "web",
                        OPTIONS("host-address=10.90.0.1", "local-address=10.90.0.2",
                                "local-address=fd00:90::2", cases[i].port));
                text = ruleset(&c, 1);
                assert_elements(text, "loopback_interfaces", cases[i].expected);
        }
}

static void test_way_back(void **state) {
        static const struct {
                const char *options[4];
                const char *ip, *self;
        } cases[] = {
                { { "host-address=10.90.0.1" }, "", "" },
                { { "gateway=10.90.0.9" }, "", "" },
                { {}, "10.90.0.2,\n", "" },
                { { "host-address=10.90.0.1", "gateway=none" }, "10.90.0.2,\n", "" },
                { { "host-address=fd00:90::1" }, "10.90.0.2,\n", "" },
                { { "bridge=br0", "gateway=10.90.0.1" }, "10.90.0.2,\n", "" },
                { { "zone=lan", "host-address=10.90.0.1" }, "", "10.90.0.2 . 10.90.0.2,\n" },
                { { "zone=lan", "host-address=10.90.0.3", "host-address=10.90.0.1",
                          "gateway=10.90.0.1" },
                        "", "10.90.0.2 . 10.90.0.2,\n" },
                { { "zone=lan", "host-address=10.90.0.1", "gateway=10.90.0.9" }, "10.90.0.2,\n",
                        "10.90.0.2 . 10.90.0.2,\n" },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *const *o = cases[i].options;
                _cleanup_netconfig_ NetworkConfig c = {};
                _cleanup_free_ char *text = NULL;

                make(&c, "web",
                        OPTIONS("local-address=10.90.0.2", "port=80", o[0], o[0] ? o[1] : NULL,
                                o[0] && o[1] ? o[2] : NULL, o[0] && o[1] && o[2] ? o[3] : NULL));
                text = ruleset(&c, 1);
                assert_elements(text, "ip_no_way_back", cases[i].ip);
                assert_elements(text, "ip_self", cases[i].self);
        }
}

static void test_many(void **state) {
        _cleanup_netconfig_ NetworkConfig a = {}, b = {}, none = {}, far = {};
        _cleanup_free_ char *text = NULL;

        (void) state;

        make(&a, "db",
                OPTIONS("zone=lan", "host-address=10.91.0.1/24", "local-address=10.91.0.2/24",
                        "port=5432", "masquerade"));
        make(&b, "mail",
                OPTIONS("zone=lan", "host-address=10.91.0.1/24", "local-address=10.91.0.3/24",
                        "port=25", "veth=back", "local-address=10.92.0.2",
                        "local-address=fd00:92::2", "masquerade"));
        make(&none, "none", OPTIONS("local-address=10.93.0.2"));
        make(&far, "a-very-long-name", OPTIONS("no-veth", "masquerade"));

        const NetworkConfig all[] = { a, none, b, far };
        text = ruleset(all, ELEMENTSOF(all));
        assert_elements(
                text, "ip_ports", "tcp . 5432 : 10.91.0.2 . 5432,\ntcp . 25 : 10.91.0.3 . 25,\n");
        assert_elements(text, "loopback_interfaces", "\"z-lan\",\n");
        assert_elements(text, "same_interfaces", "\"z-lan\" . \"z-lan\",\n");
        assert_elements(text, "ip_masqueraded",
                "\"z-lan\" . 10.91.0.2,\n\"z-lan\" . 10.91.0.3,\n"
                "\"c-mail-back\" . 10.92.0.2,\n");
        assert_elements(text, "ip6_masqueraded", "\"c-mail-back\" . fd00:92::2,\n");
        assert_contains_not(text, "10.93.0.2");
}

/* It would end the name, and begin something else. */
static void test_names(void **state) {
        static const char *const bridges[] = { "bridge=br\"", "bridge=br*", "bridge=b\\r" };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(bridges); i++) {
                _cleanup_netconfig_ NetworkConfig c = {};
                const char *error;
                char *text = NULL;

                make(&c, "web", OPTIONS("local-address=10.90.0.2", "port=80"));
                /* netconfig_set() may refuse the name first. */
                if (netconfig_set(&c, "bridge", strchr(bridges[i], '=') + 1, &error) == 0) {
                        assert_int_equal(firewall_ruleset(&c, 1, &text), -EINVAL);
                        assert_null(text);
                }
        }
}

static void test_conflict(void **state) {
        static const struct {
                const char *a, *b;
                bool conflict;
        } cases[] = {
                { "80", "80", true },
                { "80:1", "80:2", true },
                { "80", "81:80", false },
                { "80", "udp:80", false },
                { "udp:80", "udp:80", true },
                { "80-90", "90-100", true },
                { "80-90", "91-100", false },
                { "1-65535", "443", true },
                { "85", "80-90", true },
                { "192.0.2.1:80", "80", true },
                { "80", "[2001:db8::1]:80", true },
                { "192.0.2.1:80", "192.0.2.1:80", true },
                { "192.0.2.1:80", "192.0.2.2:80", false },
                { "192.0.2.1:80", "0.0.0.0:80", true },
                { "192.0.2.1:80", "[::]:80", false },
                { "0.0.0.0:80", "[::]:80", false },
                { "[2001:db8::1]:80", "[2001:DB8:0::1]:80", true },
                { "[::]:80", "[2001:db8::1]:80", true },
                { "127.0.0.1:80", "127.0.0.2:80", false },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_netconfig_ NetworkConfig a = {}, b = {}, both = {};
                const Forward *of_a = NULL, *of_b = NULL;
                const char *error;

                make(&a, "a", OPTIONS("port=1000"));
                make(&b, "b", NULL);
                make(&both, "both", NULL);
                assert_int_equal(netconfig_set(&a, "port", cases[i].a, &error), 0);
                assert_int_equal(netconfig_set(&b, "port", cases[i].b, &error), 0);
                assert_int_equal(netconfig_set(&both, "port", cases[i].a, &error), 0);
                assert_int_equal(netconfig_set(&both, "port", cases[i].b, &error), 0);
                if (strcmp(cases[i].a, "1-65535") == 0)
                        a.forwards[0].udp = true;

                if (firewall_conflict(&a, &b, &of_a, &of_b) != cases[i].conflict ||
                        firewall_conflict(&b, &a, &of_b, &of_a) != cases[i].conflict)
                        fail_msg("%s and %s", cases[i].a, cases[i].b);
                if (cases[i].conflict) {
                        assert_ptr_equal(of_a, &a.forwards[1]);
                        assert_ptr_equal(of_b, &b.forwards[0]);
                }
                assert_int_equal(firewall_conflict(&both, &both, &of_a, &of_b), cases[i].conflict);
        }
}

static void test_every_allocation(void **state) {
        _cleanup_netconfig_ NetworkConfig c = {};
        _cleanup_free_ char *expected = NULL;
        size_t n = 0;
        int r;

        (void) state;

        make(&c, "web",
                OPTIONS("zone=lan", "local-address=10.90.0.2", "local-address=fd00:90::2",
                        "port=1-500", "port=127.0.0.1:501-600", "masquerade"));
        expected = ruleset(&c, 1);

        do {
                _cleanup_free_ char *text = NULL;

                countdown = ++n;
                r = firewall_ruleset(&c, 1, &text);
                countdown = 0;

                if (r == 0)
                        assert_string_equal(text, expected);
                else
                        assert_null(text);
        } while (r == -ENOMEM);
        assert_int_equal(r, 0);
        assert_true(n > 10);
}

/* 65,535 ports are one text, and made in a moment. */
static void test_all_ports(void **state) {
        _cleanup_netconfig_ NetworkConfig c = {};
        _cleanup_free_ char *text = NULL;

        (void) state;

        make(&c, "web", OPTIONS("local-address=10.90.0.2", "port=1-65535"));
        text = ruleset(&c, 1);
        assert_contains(text, "\t\t\ttcp . 1 : 10.90.0.2 . 1,\n");
        assert_contains(text, "\t\t\ttcp . 65535 : 10.90.0.2 . 65535,\n\t\t}\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing_needed),
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_families),
                cmocka_unit_test(test_loopback),
                cmocka_unit_test(test_way_back),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_conflict),
                cmocka_unit_test(test_every_allocation),
                cmocka_unit_test(test_all_ports),
        };

        return cmocka_run_group_tests_name("firewall", tests, NULL, NULL);
}
