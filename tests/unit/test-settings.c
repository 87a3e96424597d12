/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-settings: a definition as lines, what a change of each takes, and the record of what runs.
 */

#include "tests/unit/test.h"

#include "common/base/settings.h"

static void test_lines(void **state) {
        _cleanup_strv_ char **lines = NULL;
        _cleanup_diags_ Diags diags = {};
        _cleanup_(definition_freep) Definition *d = define("web",
                "[Container]\nSystem=host\nServices=a.service b.service\n"
                "[Exec]\nEnvironment='A=1 2' B=3\nNotifyReady=on\n"
                "[Network]\nHostAddress=10.0.0.1\nHostAddress=\nHostAddress=10.0.0.2\n"
                "[Veth dmz]\nMTU=1400\n"
                "[Service]\nMemoryMax=1G\nMemoryMax=\n",
                &diags);
        _cleanup_free_ char *text = NULL;

        (void) state;

        assert_diags(&diags, "");
        assert_int_equal(settings_of(d, &lines), 0);
        text = joined(lines);
        assert_string_equal(text,
                "[Container]System=host|[Container]Services=a.service|[Container]Services=b."
                "service|"
                "[Exec]Environment=A=1 2|[Exec]Environment=B=3|[Exec]NotifyReady=yes|"
                "[Network]HostAddress=10.0.0.2|[Veth dmz]MTU=1400|"
                "[Service]MemoryMax=1G|[Service]MemoryMax=");
}

/* Of a secret, its name. */
static void test_secrets(void **state) {
        _cleanup_strv_ char **lines = NULL;
        _cleanup_diags_ Diags diags = {};
        _cleanup_(definition_freep) Definition *d =
                define("web", "[Exec]\nSetCredential=key:secret\nSetCredential=a b::\n", &diags);
        _cleanup_str_ Str words = {}, reloadable = {};
        _cleanup_free_ char *text = NULL;

        (void) state;

        assert_diags(&diags, "");
        assert_int_equal(settings_of(d, &lines), 0);
        text = joined(lines);
        assert_string_equal(text, "[Exec]SetCredential=key|[Exec]SetCredential=a b");
        settings_append(&words, d, &reloadable);
        assert_string_equal(words.data, " [Exec]SetCredential=key \"[Exec]SetCredential=a b\"");
        assert_int_equal(reloadable.len, 0);
        assert_int_equal(settings_effect("[Exec]SetCredential=key"), EFFECT_RESTART);
}

static void test_split(void **state) {
        SettingLine s;

        (void) state;

        assert_true(settings_split("[Veth dmz]LocalAddress=10.0.0.1", &s));
        assert_int_equal(s.section_size, 4);
        assert_memory_equal(s.section, "Veth", 4);
        assert_int_equal(s.veth_size, 3);
        assert_memory_equal(s.veth, "dmz", 3);
        assert_int_equal(s.name_size, 12);
        assert_string_equal(s.value, "10.0.0.1");

        assert_true(settings_split("[Exec]Environment=A=]=", &s));
        assert_null(s.veth);
        assert_int_equal(s.name_size, 11);
        assert_string_equal(s.value, "A=]=");

        assert_false(settings_split("", &s));
        assert_false(settings_split("[Exec", &s));
        assert_false(settings_split("[Exec]Boot", &s));
        assert_false(settings_split("Exec]Boot=yes", &s));
}

static void test_effects(void **state) {
        static const struct {
                const char *line;
                Effect effect;
        } cases[] = {
                { "[Container]Root=/srv", EFFECT_RESTART },
                { "[Container]Description=x", EFFECT_NONE },
                { "[Container]HealthInterval=5s", EFFECT_LIVE },
                { "[Container]Services=a.service", EFFECT_RELOAD },
                { "[Exec]Environment=A=1", EFFECT_RESTART },
                { "[Files]Bind=/a", EFFECT_RELOAD },
                { "[Files]Bind=/a:/b:rbind", EFFECT_RELOAD },
                { "[Files]Bind=/a:/idmap:noidmap", EFFECT_RELOAD },
                { "[Files]Bind=/a:/b:idmap", EFFECT_RELOAD },
                { "[Files]BindReadOnly=/a:/b:norbind,rootidmap", EFFECT_RELOAD },
                { "[Files]Bind=+/a:/b", EFFECT_RESTART },
                { "[Files]Bind=:/b", EFFECT_RESTART },
                { "[Files]Bind=/a\\:idmap:/b", EFFECT_RELOAD },
                { "[Network]Port=80", EFFECT_RELOAD },
                { "[Network]DNS=10.0.0.1", EFFECT_RELOAD },
                { "[Network]Namespace=container:db", EFFECT_RESTART },
                { "[Veth dmz]MTU=1400", EFFECT_RELOAD },
                { "[Unit]After=a.service", EFFECT_NONE },
                { "[Install]WantedBy=a.target", EFFECT_NONE },
                { "[Service]MemoryMax=1G", EFFECT_LIVE },
                { "[Service]CPUQuotaPeriodSec=10ms", EFFECT_LIVE },
                { "[Service]CPUAffinity=1", EFFECT_RESTART },
                { "[Service]IOSchedulingClass=idle", EFFECT_RESTART },
                { "[Service]IOWeight=10", EFFECT_LIVE },
                { "[Service]RestartSec=1", EFFECT_NONE },
                { "[Service]Nice=5", EFFECT_RESTART },
                { "[Service]Tasks", EFFECT_RESTART },
                { "[Future]Key=1", EFFECT_NONE },
                { "[Exec]Future=1", EFFECT_RESTART },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (settings_effect(cases[i].line) != cases[i].effect)
                        fail_msg("%s: %i, not %i", cases[i].line, settings_effect(cases[i].line),
                                cases[i].effect);
}

static void test_record(void **state) {
        static const char *const lines[] = { "[Exec]Environment=A=1\n2\\n\\", "", "[Files]Bind=/a",
                NULL };
        _cleanup_strv_ char **read = NULL;
        _cleanup_free_ char *text = NULL, *expected = joined((char *const *) lines), *actual = NULL;

        (void) state;

        assert_int_equal(settings_format((char *const *) lines, &text), 0);
        assert_int_equal(settings_parse(text, &read), 0);
        actual = joined(read);
        assert_string_equal(actual, expected);
        assert_int_equal(settings_parse("", &read), -ENODATA);
        assert_int_equal(settings_parse("[Files]Bind=/a\n", &read), -ENODATA);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_secrets),
                cmocka_unit_test(test_split),
                cmocka_unit_test(test_effects),
                cmocka_unit_test(test_record),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
