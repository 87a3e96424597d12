/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-health: what the results of checks make of a container's health, the record of it, and what is
 * left of a line that a container has printed. The units are compared by tests/cases/28-health.
 */

#include "tests/unit/test.h"

#include "common/base/health.c" /* NOLINT: its record is a file of the host's otherwise */

static HealthEvent judge(HealthRecord *h, const char *message, uint64_t n_retries, bool may_fail) {
        HealthEvent event;

        assert_int_equal(health_judge(h, message, n_retries, may_fail, &event), 0);
        assert_true(str_equal(h->message, message));
        return event;
}

static void test_failures_in_a_row(void **state) {
        _cleanup_health_ HealthRecord h = {};

        (void) state;
        assert_int_equal(judge(&h, NULL, 2, false), HEALTH_PASSED);
        assert_int_equal(h.state, HEALTH_HEALTHY);
        assert_int_equal(judge(&h, "no", 2, false), HEALTH_FAILED);
        assert_int_equal(h.state, HEALTH_HEALTHY);
        assert_int_equal(judge(&h, NULL, 2, false), HEALTH_SAME);
        assert_int_equal(judge(&h, "no", 2, false), HEALTH_FAILED);
        assert_int_equal(judge(&h, "no", 2, false), HEALTH_LOST);
        assert_int_equal(h.state, HEALTH_UNHEALTHY);
        assert_int_equal(judge(&h, "no", 2, false), HEALTH_SAME);
        assert_int_equal(judge(&h, "never", 2, false), HEALTH_STILL_BAD);
        assert_int_equal(h.n_failures, 4);
        assert_int_equal(judge(&h, NULL, 2, false), HEALTH_RECOVERED);
        assert_int_equal(h.n_failures, 0);
        assert_int_equal(judge(&h, NULL, 2, false), HEALTH_SAME);
}

static void test_start_period(void **state) {
        _cleanup_health_ HealthRecord h = {};

        (void) state;
        assert_int_equal(judge(&h, "no", 1, true), HEALTH_SAME);
        assert_int_equal(h.state, HEALTH_STARTING);
        assert_int_equal(h.n_failures, 0);
        /* The first success ends it. */
        assert_int_equal(judge(&h, NULL, 1, true), HEALTH_PASSED);
        assert_int_equal(judge(&h, "no", 1, true), HEALTH_LOST);

        /* So does its time; one retry makes the first failure count. */
        health_done(&h);
        assert_int_equal(judge(&h, "no", 1, true), HEALTH_SAME);
        assert_int_equal(judge(&h, "no", 1, false), HEALTH_LOST);
}

static void test_status(void **state) {
        HealthRecord h = { .n_failures = 1, .message = (char *) "no" };
        _cleanup_free_ char *one = NULL, *two = NULL;

        (void) state;
        assert_int_equal(health_status(&h, &one), 0);
        assert_string_equal(one, "Unhealthy: 1 health check failed: no");
        h.n_failures = 2;
        assert_int_equal(health_status(&h, &two), 0);
        assert_string_equal(two, "Unhealthy: 2 health checks failed: no");
}

static void test_record(void **state) {
        static const char *const bad[] = {
                "",
                "\n",
                "1",
                "1 2 healthy",
                "1 2 healthy 3", /* cut off */
                "1 2 well 3 \n",
                "0 2 healthy 3 \n",
                "1 -2 healthy 3 \n",
                "1  healthy 3 \n",
                "1 2 healthy 3x \n",
                "1 2 healthy 18446744073709551616 \n",
                "1 111111111111111111111111111111111111111111111 healthy 3 \n",
        };
        _cleanup_health_ HealthRecord h = {}, none = {};

        (void) state;
        assert_int_equal(parse_record("12 345 unhealthy 3 a  message\n", &h), 0);
        assert_int_equal(h.pid, 12);
        assert_int_equal(h.start_time, 345);
        assert_int_equal(h.state, HEALTH_UNHEALTHY);
        assert_int_equal(h.n_failures, 3);
        assert_string_equal(h.message, "a  message");

        assert_int_equal(parse_record("12 0 starting 0 \n", &none), 0);
        assert_int_equal(none.state, HEALTH_STARTING);
        assert_null(none.message);

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (parse_record(bad[i], &none) != -EBADMSG)
                        fail_msg("taken: '%s'", bad[i]);
}

static void test_clean_line(void **state) {
        static const struct {
                const char *line, *clean;
        } lines[] = {
                { "", "" },
                { "plain text", "plain text" },
                { "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
                { "\x1b[31mred\x1b[0m\ttab\x7f\r", "?[31mred?[0m?tab??" },
                { "C1 \xc2\x9b"
                  "2J",
                        "C1 ??2J" },
                { "latin \xfc here", "latin ? here" },
                { "cut off gr\xc3", "cut off gr" },
                { "cut off \xf0\x9f\x98", "cut off " },
                { "\xff\xff\xff\xff", "????" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                _cleanup_free_ char *line = strdup(lines[i].line);

                assert_non_null(line);
                health_clean_line(line);
                assert_string_equal(line, lines[i].clean);
        }
}

static void test_no_units_without_a_command(void **state) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};
        char *name, *text;

        (void) state;
        d = define("web", "[Container]\n", &diags);
        assert_int_equal(health_unit(d, HEALTH_TIMER, &name, &text), 0);
        assert_null(name);
        assert_null(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_failures_in_a_row),
                cmocka_unit_test(test_start_period),
                cmocka_unit_test(test_status),
                cmocka_unit_test(test_record),
                cmocka_unit_test(test_clean_line),
                cmocka_unit_test(test_no_units_without_a_command),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
