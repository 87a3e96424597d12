/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-address: which addresses and prefix lengths are taken, and which address lies in
 * which network.
 */

#include "tests/unit/test.h"

#include <arpa/inet.h>

#include "common/base/address.h"

static void test_parse(void **state) {
        static const struct {
                const char *text;
                int family;
                const char *address;
                unsigned prefix;
        } cases[] = {
                { "10.0.0.2", AF_INET, "10.0.0.2", 32 },
                { "10.0.0.2/24", AF_INET, "10.0.0.2", 24 },
                { "10.0.0.2/1", AF_INET, "10.0.0.2", 1 },
                { "10.0.0.2/32", AF_INET, "10.0.0.2", 32 },
                { "169.254.0.1/31", AF_INET, "169.254.0.1", 31 },
                { "126.255.255.255", AF_INET, "126.255.255.255", 32 },
                { "128.0.0.1", AF_INET, "128.0.0.1", 32 },
                { "223.255.255.254", AF_INET, "223.255.255.254", 32 },
                { "fd00::2", AF_INET6, "fd00::2", 128 },
                { "FD00::2/64", AF_INET6, "fd00::2", 64 },
                { "fd00::2/1", AF_INET6, "fd00::2", 1 },
                { "fd00::2/128", AF_INET6, "fd00::2", 128 },
                { "fe80::1/64", AF_INET6, "fe80::1", 64 },
                { "::2", AF_INET6, "::2", 128 },
                { "64:ff9b::10.0.0.1/96", AF_INET6, "64:ff9b::a00:1", 96 },
                { "1111:2222:3333:4444:5555:6666:123.123.123.123/128", AF_INET6,
                        "1111:2222:3333:4444:5555:6666:7b7b:7b7b", 128 },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *error = "left over";
                char text[INET6_ADDRSTRLEN];
                Address a;

                if (address_parse(cases[i].text, &a, &error) != 0)
                        fail_msg("'%s': %s", cases[i].text, error);
                assert_int_equal(a.family, cases[i].family);
                assert_int_equal(a.prefix, cases[i].prefix);
                assert_int_equal(address_length(&a), a.family == AF_INET ? 4 : 16);
                assert_string_equal(address_format(&a, text), cases[i].address);
                assert_int_equal(address_is_host(&a), a.prefix == (a.family == AF_INET ? 32 : 128));
        }
}

static void test_refused(void **state) {
        static const struct {
                const char *text, *error;
        } cases[] = {
                { "", "not an IPv4 or IPv6 address" },
                { "/24", "not an IPv4 or IPv6 address" },
                { "10.0.0.300", "not an IPv4 or IPv6 address" },
                { "10.0.0", "not an IPv4 or IPv6 address" },
                { "10.0.0.1.2", "not an IPv4 or IPv6 address" },
                { "010.0.0.1", "not an IPv4 or IPv6 address" },
                { "0x0a.0.0.1", "not an IPv4 or IPv6 address" },
                { "167772161", "not an IPv4 or IPv6 address" },
                { " 10.0.0.1", "not an IPv4 or IPv6 address" },
                { "10.0.0.1 ", "not an IPv4 or IPv6 address" },
                { "10.0.0.1:80", "not an IPv4 or IPv6 address" },
                { "fe80::1%eth0", "not an IPv4 or IPv6 address" },
                { "[fd00::1]", "not an IPv4 or IPv6 address" },
                { "fd00:::1", "not an IPv4 or IPv6 address" },
                { "web", "not an IPv4 or IPv6 address" },
                { "11111:2222:3333:4444:5555:6666:7777:8888:9999:1111",
                        "not an IPv4 or IPv6 address" },
                { "10.0.0.1/", "the prefix length must be 1 to 32" },
                { "10.0.0.1/0", "the prefix length must be 1 to 32" },
                { "10.0.0.1/33", "the prefix length must be 1 to 32" },
                { "10.0.0.1/-1", "the prefix length must be 1 to 32" },
                { "10.0.0.1/+8", "the prefix length must be 1 to 32" },
                { "10.0.0.1/ 8", "the prefix length must be 1 to 32" },
                { "10.0.0.1/8 ", "the prefix length must be 1 to 32" },
                { "10.0.0.1/24/24", "the prefix length must be 1 to 32" },
                { "10.0.0.1/255.255.255.0", "the prefix length must be 1 to 32" },
                { "10.0.0.1/4294967304", "the prefix length must be 1 to 32" },
                { "10.0.0.1/18446744073709551624", "the prefix length must be 1 to 32" },
                { "fd00::1/0", "the prefix length must be 1 to 128" },
                { "fd00::1/129", "the prefix length must be 1 to 128" },
                { "0.0.0.0", "the unspecified address cannot be given to an interface" },
                { "127.0.0.1", "a loopback address cannot be given to an interface" },
                { "127.255.255.255/8", "a loopback address cannot be given to an interface" },
                { "224.0.0.1", "a multicast address cannot be given to an interface" },
                { "239.255.255.255", "a multicast address cannot be given to an interface" },
                { "255.255.255.255", "the broadcast address cannot be given to an interface" },
                { "::", "the unspecified address cannot be given to an interface" },
                { "::1", "the loopback address cannot be given to an interface" },
                { "ff02::1", "a multicast address cannot be given to an interface" },
                { "::ffff:10.0.0.1", "an IPv4-mapped address cannot be given to an interface" },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Address before = { .family = 42, .prefix = 42 };
                Address a = before;
                const char *error = NULL;

                if (address_parse(cases[i].text, &a, &error) != -EINVAL)
                        fail_msg("'%s' was taken", cases[i].text);
                assert_string_equal(error, cases[i].error);
                assert_memory_equal(&a, &before, sizeof(a));
                assert_int_equal(address_parse(cases[i].text, &a, NULL), -EINVAL);
        }
}

static Address parsed(const char *text) {
        Address a;

        assert_int_equal(address_parse(text, &a, NULL), 0);
        return a;
}

static void test_contains(void **state) {
        static const struct {
                const char *network, *address;
                bool contains;
        } cases[] = {
                { "10.0.0.1/24", "10.0.0.2", true },
                { "10.0.0.1/24", "10.0.1.2", false },
                { "10.0.0.1/31", "10.0.0.2", false },
                { "10.0.0.2/31", "10.0.0.3", true },
                { "10.0.0.1", "10.0.0.1", true },
                { "10.0.0.1", "10.0.0.2", false },
                { "10.0.0.1/7", "11.0.0.1", true },
                { "10.0.0.1/8", "11.0.0.1", false },
                { "10.0.0.1/9", "10.127.0.1", true },
                { "10.0.0.1/9", "10.128.0.1", false },
                { "64.0.0.1/1", "126.0.0.1", true },
                { "64.0.0.1/1", "128.0.0.1", false },
                { "fd00::1/64", "fd00::ffff:0:0:1", true },
                { "fd00::1/64", "fd00:0:0:1::1", false },
                { "fd00::1/127", "fd00::2", false },
                { "fd00::2/127", "fd00::3", true },
                { "fd00::2", "fd00::2", true },
                { "fd00::2", "fd00::3", false },
                { "fd00::1/1", "8000::1", true },
                { "fd00::1/1", "7fff::1", false },
                { "10.0.0.1/8", "a00::1", false }, /* the same bytes of another family */
                { "a00::1/8", "10.0.0.1", false },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Address network = parsed(cases[i].network), a = parsed(cases[i].address);

                if (address_contains(&network, &a) != cases[i].contains)
                        fail_msg("'%s' in '%s'", cases[i].address, cases[i].network);
        }
}

static void test_equal(void **state) {
        const Address a = parsed("10.0.0.1/8"), b = parsed("10.0.0.1/24"), c = parsed("10.0.0.2/8"),
                      d = parsed("a00:1::"), e = parsed("a00:1::/32");

        (void) state;

        assert_true(address_equal(&a, &a));
        assert_true(address_equal(&a, &b));
        assert_false(address_equal(&a, &c));
        assert_false(address_equal(&a, &d));
        assert_false(address_equal(&d, &a));
        assert_true(address_equal(&d, &e));
}

/* The longest text fits into what the header says. */
static void test_string_length(void **state) {
        const Address a = parsed("1111:2222:3333:4444:5555:6666:7777:8888/128");
        char address[INET6_ADDRSTRLEN], text[ADDRESS_STRING_MAX];

        (void) state;

        int n = snprintf(text, sizeof(text), "%s/%u", address_format(&a, address), a.prefix);
        assert_true(n > 0 && (size_t) n < sizeof(text));
        assert_string_equal(text, "1111:2222:3333:4444:5555:6666:7777:8888/128");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_contains),
                cmocka_unit_test(test_equal),
                cmocka_unit_test(test_string_length),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
