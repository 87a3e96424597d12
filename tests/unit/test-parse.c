/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-parse: single values, as systemd takes them: booleans, numbers, signals, time spans,
 * Ethernet addresses and paths.
 */

#include "tests/unit/test.h"

#include <signal.h>

#include "common/base/parse.h"

static void test_boolean(void **state) {
        static const struct {
                const char *text;
                int value;
        } cases[] = {
                { "1", 1 },
                { "yes", 1 },
                { "y", 1 },
                { "true", 1 },
                { "t", 1 },
                { "on", 1 },
                { "YES", 1 },
                { "True", 1 },
                { "0", 0 },
                { "no", 0 },
                { "n", 0 },
                { "false", 0 },
                { "f", 0 },
                { "off", 0 },
                { "No", 0 },
                { "OFF", 0 },
                { "", -EINVAL },
                { "2", -EINVAL },
                { "yes ", -EINVAL },
                { " no", -EINVAL },
                { "maybe", -EINVAL },
                { "yess", -EINVAL },
                { "ye", -EINVAL },
                { "00", -EINVAL },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (parse_boolean(cases[i].text) != cases[i].value)
                        fail_msg("'%s' is not %i", cases[i].text, cases[i].value);
}

static void test_unsigned(void **state) {
        static const struct {
                const char *text;
                uint64_t min, max;
                int result;
                uint64_t value;
        } cases[] = {
                { "0", 0, UINT64_MAX, 0, 0 },
                { "68", 68, 65535, 0, 68 },
                { "67", 68, 65535, -EINVAL, 0 },
                { "65535", 68, 65535, 0, 65535 },
                { "65536", 68, 65535, -EINVAL, 0 },
                { "18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX },
                { "18446744073709551616", 0, UINT64_MAX, -EINVAL, 0 },
                { "18446744073709551684", 68, 65535, -EINVAL, 0 }, /* 2^64 + 68 */
                { "99999999999999999999", 0, UINT64_MAX, -EINVAL, 0 },
                { "", 0, UINT64_MAX, -EINVAL, 0 },
                { "-1", 0, UINT64_MAX, -EINVAL, 0 },
                { "+1", 0, UINT64_MAX, -EINVAL, 0 },
                { " 1", 0, UINT64_MAX, -EINVAL, 0 },
                { "1 ", 0, UINT64_MAX, -EINVAL, 0 },
                { "0x10", 0, UINT64_MAX, -EINVAL, 0 },
                { "1e3", 0, UINT64_MAX, -EINVAL, 0 },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t value = 42;

                if (parse_unsigned(cases[i].text, cases[i].min, cases[i].max, &value) !=
                        cases[i].result)
                        fail_msg("'%s'", cases[i].text);
                assert_int_equal(value, cases[i].result == 0 ? cases[i].value : 42);
        }
}

static void test_signal(void **state) {
        const struct {
                const char *text;
                int value;
        } cases[] = {
                { "SIGTERM", SIGTERM },
                { "TERM", SIGTERM },
                { "HUP", SIGHUP },
                { "SIGPWR", SIGPWR },
                { "SIGSYS", SIGSYS },
                { "1", 1 },
                { "15", 15 },
                { "SIGRTMIN", SIGRTMIN },
                { "RTMIN", SIGRTMIN },
                { "SIGRTMIN+0", SIGRTMIN },
                { SIGNAL_HALT, SIGRTMIN + 3 },
                { "RTMIN+3", SIGRTMIN + 3 },
                { "SIGRTMIN+30", SIGRTMIN + 30 },
                { "SIGRTMIN+31", -EINVAL },
                { "64", SIGRTMAX },
                { "65", -EINVAL },
                { "0", -EINVAL },
                { "-1", -EINVAL },
                { "", -EINVAL },
                { "SIG", -EINVAL },
                { "sigterm", -EINVAL },
                { "SIGNOTHING", -EINVAL },
                { "SIGSIGTERM", -EINVAL },
                { "SIGRTMIN3", -EINVAL },
                { "SIGRTMIN+", -EINVAL },
                { "SIGRTMIN-1", -EINVAL },
                { "SIGRTMIN+-1", -EINVAL },
                { "SIGRTMIN+3 ", -EINVAL },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (parse_signal(cases[i].text) != cases[i].value)
                        fail_msg("'%s' is %i, not %i", cases[i].text, parse_signal(cases[i].text),
                                cases[i].value);
}

/* The name goes to systemd-nspawn as it stands: systemd's names, which are not all glibc's. */
static void test_signal_names_of_systemd(void **state) {
        (void) state;

        assert_int_equal(parse_signal("SIGIO"), SIGIO);
        assert_int_equal(parse_signal("SIGPOLL"), -EINVAL);
        assert_int_equal(parse_signal("SIGRTMAX"), SIGRTMAX);
        assert_int_equal(parse_signal("RTMAX"), SIGRTMAX);
        assert_int_equal(parse_signal("SIGRTMAX-1"), SIGRTMAX - 1);
        assert_int_equal(parse_signal("SIGRTMAX-30"), SIGRTMIN);
        assert_int_equal(parse_signal("SIGRTMAX-31"), -EINVAL);
}

static void test_timespan(void **state) {
        static const struct {
                const char *text;
                uint64_t usec;
        } cases[] = {
                { "0", 0 },
                { "90", 90 * USEC_PER_SEC },
                { "1us", 1 },
                { "1usec", 1 },
                { "2ms", 2 * USEC_PER_MSEC },
                { "2msec", 2 * USEC_PER_MSEC },
                { "3s", 3 * USEC_PER_SEC },
                { "3 seconds", 3 * USEC_PER_SEC },
                { "5min", 300 * USEC_PER_SEC },
                { "5m", 300 * USEC_PER_SEC },
                { "1h", 3600 * USEC_PER_SEC },
                { "1d", 86400 * USEC_PER_SEC },
                { "1week", 7 * 86400 * USEC_PER_SEC },
                { "3min 20s", 200 * USEC_PER_SEC },
                { "3min20s", 200 * USEC_PER_SEC },
                { "1h 30", 3630 * USEC_PER_SEC },
                { "  1 min  2 sec  ", 62 * USEC_PER_SEC },
                { "infinity", UINT64_MAX },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t usec = 42;

                if (parse_timespan(cases[i].text, &usec) != 0)
                        fail_msg("'%s' was refused", cases[i].text);
                assert_int_equal(usec, cases[i].usec);
        }
}

/*
 * The rest of what systemd takes, `systemd-analyze timespan` being the judge. TimeoutStopSec= goes
 * to systemd as it is, so that what is not understood here makes the helper wait for too long.
 */
static void test_timespan_as_systemd(void **state) {
        static const struct {
                const char *text;
                uint64_t usec;
        } cases[] = {
                { "1.5min", 90 * USEC_PER_SEC },
                { "0.5", USEC_PER_SEC / 2 },
                { "2.25s", 2250 * USEC_PER_MSEC },
                { "1M", UINT64_C(2629800) * USEC_PER_SEC },
                { "1month", UINT64_C(2629800) * USEC_PER_SEC },
                { "2months", UINT64_C(5259600) * USEC_PER_SEC },
                { "1y", UINT64_C(31557600) * USEC_PER_SEC },
                { "1year", UINT64_C(31557600) * USEC_PER_SEC },
                { "5\xc2\xb5s", 5 }, /* MICRO SIGN */
                { " infinity ", UINT64_MAX },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t usec = 42;

                if (parse_timespan(cases[i].text, &usec) != 0)
                        fail_msg("'%s' was refused", cases[i].text);
                assert_int_equal(usec, cases[i].usec);
        }
}

static void test_timespan_refused(void **state) {
        static const char *const cases[] = { "", " ", "s", "-1", "+1", "1x", "1 minx", "1min x",
                "MIN", "infinity 1", "1 infinity", "1,5s", "99999999999999999999",
                "18446744073709551616us", "18446744073710s", "1min,2s" };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t usec = 42;

                if (parse_timespan(cases[i], &usec) != -EINVAL)
                        fail_msg("'%s' was taken", cases[i]);
                assert_int_equal(usec, 42);
        }
}

static void test_mac(void **state) {
        static const char *const refused[] = { "", "02:00:00:00:00",
                "02:00:00:00:00:01:", "02:00:00:00:00:1", "02-00-00-00-00-01", "02:00:00:00:00:0g",
                "020000000001", "02:00:00:00:00:01 ", " 2:00:00:00:00:01", "02:00:00:00:00:001",
                "0x:00:00:00:00:01" };
        uint8_t mac[6] = {};

        (void) state;

        assert_int_equal(parse_mac("02:aB:Cd:00:0f:F0", mac), 0);
        assert_memory_equal(mac, "\x02\xab\xcd\x00\x0f\xf0", 6);
        assert_int_equal(parse_mac("ff:ff:ff:ff:ff:ff", mac), 0);
        assert_memory_equal(mac, "\xff\xff\xff\xff\xff\xff", 6);

        for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
                if (parse_mac(refused[i], mac) != -EINVAL)
                        fail_msg("'%s' was taken", refused[i]);
                assert_memory_equal(mac, "\xff\xff\xff\xff\xff\xff", 6);
        }
}

static void test_path(void **state) {
        static const struct {
                const char *path;
                bool normalized;
        } cases[] = {
                { "/", true },
                { "/a", true },
                { "/a/b", true },
                { "/.a", true },
                { "/a.", true },
                { "/..a", true },
                { "/...", true },
                { "/a b", true },
                { "/\xc3\xa4", true },
                { "", false },
                { "a", false },
                { "a/b", false },
                { "./a", false },
                { "//", false },
                { "//a", false },
                { "/a/", false },
                { "/a//b", false },
                { "/.", false },
                { "/..", false },
                { "/a/.", false },
                { "/a/..", false },
                { "/a/./b", false },
                { "/a/../b", false },
                { "/./a", false },
                { "/../a", false },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (path_is_normalized(cases[i].path) != cases[i].normalized)
                        fail_msg("'%s' is not %i", cases[i].path, cases[i].normalized);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_boolean),
                cmocka_unit_test(test_unsigned),
                cmocka_unit_test(test_signal),
                cmocka_unit_test(test_signal_names_of_systemd),
                cmocka_unit_test(test_timespan),
                cmocka_unit_test(test_timespan_as_systemd),
                cmocka_unit_test(test_timespan_refused),
                cmocka_unit_test(test_mac),
                cmocka_unit_test(test_path),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
