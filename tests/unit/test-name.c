/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-name: which names a container may have, and the names made from its name.
 */

#include "tests/unit/test.h"

#include "common/base/name.h"

#define NAME_OF_64 "a234567890123456789012345678901234567890123456789012345678901234"

static void test_machine_name(void **state) {
        static const struct {
                const char *name;
                bool valid;
        } cases[] = {
                { "a", true },
                { "web", true },
                { "Web-1", true },
                { "1", true },
                { "web.example", true },
                { "a--b", true },
                { "a.b.c", true },
                { NAME_OF_64, true },
                { NAME_OF_64 "5", false },
                { "", false },
                { "-", false },
                { ".", false },
                { "..", false },
                { "-a", false },
                { "a-", false },
                { ".a", false },
                { "a.", false },
                { "a..b", false },
                { "a-.b", false },
                { "a.-b", false },
                { "a_b", false },
                { "a b", false },
                { "a/b", false },
                { "../a", false },
                { "a@b", false },
                { "a@", false },
                { "a%i", false },
                { "a\n", false },
                { "\xc3\xa4", false },
                { "a\\x2db", false },
                { "a:b", false },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (machine_name_is_valid(cases[i].name) != cases[i].valid)
                        fail_msg("'%s' is not %i", cases[i].name, cases[i].valid);
}

static void test_interface_name(void **state) {
        static const struct {
                const char *name;
                bool valid;
        } cases[] = {
                { "a", true },
                { "eth0", true },
                { "c-web.1", true },
                { "123456789012345", false },
                { "a23456789012345", true },
                { "a234567890123456", false },
                { "0a", true },
                { "", false },
                { ".", false },
                { "..", false },
                { "...", true },
                { "0", false },
                { "42", false },
                { "a/b", false },
                { "a:b", false },
                { "a b", false },
                { "a%d", false },
                { "a\t", false },
                { "a\x7f", false },
                { "\xc3\xa4", false },
                { "all", false },
                { "default", false },
                { "all0", true },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (interface_name_is_valid(cases[i].name) != cases[i].valid)
                        fail_msg("'%s' is not %i", cases[i].name, cases[i].valid);
}

static void test_unit_name(void **state) {
        static const char *const machines[] = { "web", "a.b", "web-1", "web@", "web@1",
                "container-web", NAME_OF_64 };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(machines); i++) {
                _cleanup_free_ char *unit = NULL, *machine = NULL;

                assert_int_equal(unit_name(machines[i], &unit), 0);
                assert_int_equal(unit_name_to_definition(unit, &machine), 0);
                assert_string_equal(machine, machines[i]);
        }
}

static void test_definition_name(void **state) {
        static const struct {
                const char *name, *machine, *instance; /* machine NULL: not valid */
        } cases[] = {
                { "web", "web", NULL },
                { "web@", "web-%i", "" },
                { "web@blue", "web-blue", "blue" },
                { "web-a@b-c.d", "web-a-b-c.d", "b-c.d" },
                { "@blue", NULL, "blue" },
                { "web@-", NULL, "-" },
                { "web@a@b", NULL, "a@b" },
                { "web@a/b", NULL, "a/b" },
                { "web@..", NULL, ".." },
                { "getty@", NULL, "" }, /* systemd's container-getty@.service */
                { "getty@tty1", NULL, "tty1" },
                { "getty", "getty", NULL },
                { "", NULL, NULL },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *machine = NULL;

                if (definition_name_is_valid(cases[i].name) != !!cases[i].machine)
                        fail_msg("'%s' is not %i", cases[i].name, !!cases[i].machine);
                assert_true(str_equal(definition_name_instance(cases[i].name), cases[i].instance));
                if (!cases[i].machine)
                        continue;
                assert_int_equal(definition_name_to_machine(cases[i].name, &machine), 0);
                assert_string_equal(machine, cases[i].machine);
        }
}

static void test_unit_names_of_others(void **state) {
        static const char *const units[] = { "", "web.service", "container-.service", "container-",
                "container-web", "container-web.scope", "container-web.service.d",
                "container.service", "container-getty@tty1.service", "container-@x.service",
                "container-a@b@c.service", "container--web.service", "Container-web.service",
                "systemd-nspawn@web.service", "container-" NAME_OF_64 "5.service" };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(units); i++) {
                char *machine = NULL;

                if (unit_name_to_definition(units[i], &machine) != -EINVAL)
                        fail_msg("'%s' was taken", units[i]);
                assert_null(machine);
        }
}

static void test_host_interface_fits(void **state) {
        static const char *const machines[] = { "a", "web", "a23456789012", "a234567890123" };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(machines); i++) {
                char name[IF_NAMESIZE], full[INTERFACE_FULL_NAME_MAX] = "left over";
                _cleanup_free_ char *expected = NULL;

                assert_int_equal(str_format(&expected, "c-%s", machines[i]), 0);
                host_interface_name(machines[i], NULL, name, full);
                assert_string_equal(name, expected);
                assert_string_equal(full, "");
        }
}

static void test_host_interface_is_shortened(void **state) {
        static const char *const machines[] = { "a2345678901234", "a-very-long-name",
                "a-very-long-name2", "a-very-long-naml", NAME_OF_64 };
        char names[ELEMENTSOF(machines)][IF_NAMESIZE];

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(machines); i++) {
                char full[INTERFACE_FULL_NAME_MAX], again[IF_NAMESIZE];
                _cleanup_free_ char *expected = NULL;

                assert_int_equal(str_format(&expected, "c-%s", machines[i]), 0);
                host_interface_name(machines[i], NULL, names[i], full);
                assert_string_equal(full, expected);
                assert_int_equal(strlen(names[i]), IF_NAMESIZE - 1);
                assert_memory_equal(names[i], expected, 11);
                assert_true(interface_name_is_valid(names[i]));

                host_interface_name(machines[i], NULL, again, full);
                assert_string_equal(again, names[i]);
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(names[i], names[k]);
        }

        /* Running containers have these names: a new version must come to the same ones. */
        assert_string_equal(names[1], "c-a-very-lo08jf");
}

/* A thousand names with the same beginning, as someone with a fleet gives them. */
static void test_shortened_names_differ(void **state) {
        enum { N = 1000 };
        _cleanup_strv_ char **names = NULL;

        (void) state;

        for (int i = 0; i < N; i++) {
                char machine[MACHINE_NAME_MAX + 1], name[IF_NAMESIZE],
                        full[INTERFACE_FULL_NAME_MAX];

                (void) snprintf(machine, sizeof(machine), "customer-container-%i", i);
                host_interface_name(machine, NULL, name, full);
                assert_int_equal(strv_extend(&names, name), 0);
        }

        strv_sort(names);
        for (int i = 1; i < N; i++)
                assert_string_not_equal(names[i - 1], names[i]);
}

static void test_owner_name(void **state) {
        char name[OWNER_NAME_MAX];

        (void) state;

        owner_name("web", NULL, name);
        assert_string_equal(name, "container-web");
        owner_name(NAME_OF_64, NULL, name);
        assert_string_equal(name, "container-" NAME_OF_64);
        owner_name("web", "db", name);
        assert_string_equal(name, "container-web:db");
}

static void test_further_pairs(void **state) {
        char name[IF_NAMESIZE], full[INTERFACE_FULL_NAME_MAX], owner[OWNER_NAME_MAX];

        (void) state;

        host_interface_name("web", "db", name, full);
        assert_string_equal(name, "c-web-db");
        assert_string_equal(full, "");
        host_interface_name("web-frontend", "storage", name, full);
        assert_int_equal(strlen(name), IF_NAMESIZE - 1);
        assert_string_equal(full, "c-web-frontend-storage");

        /* The longest of both. */
        host_interface_name(NAME_OF_64, "a23456789012345", name, full);
        assert_string_equal(full, "c-" NAME_OF_64 "-a23456789012345");
        owner_name(NAME_OF_64, "a23456789012345", owner);
        assert_string_equal(owner, "container-" NAME_OF_64 ":a23456789012345");
}

static void test_hash(void **state) {
        (void) state;

        assert_true(hash64(0, "a", 1) == hash64(0, "a", 1));
        assert_true(hash64(0, "a", 1) != hash64(0, "b", 1));
        assert_true(hash64(0, "a", 1) != hash64(1, "a", 1));
        assert_true(hash64(0, "a", 1) != hash64(0, "a\0", 2));
        assert_true(hash64(0, "", 0) != hash64(1, "", 0));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_machine_name),
                cmocka_unit_test(test_interface_name),
                cmocka_unit_test(test_unit_name),
                cmocka_unit_test(test_definition_name),
                cmocka_unit_test(test_unit_names_of_others),
                cmocka_unit_test(test_host_interface_fits),
                cmocka_unit_test(test_host_interface_is_shortened),
                cmocka_unit_test(test_shortened_names_differ),
                cmocka_unit_test(test_owner_name),
                cmocka_unit_test(test_further_pairs),
                cmocka_unit_test(test_hash),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
