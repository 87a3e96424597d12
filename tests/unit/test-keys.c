/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-keys: the table of keys agrees with itself, and every key takes what it should, refuses
 * what it should not, and stops at its limits.
 */

#include "tests/unit/test.h"

#include "common/base/keys.h"

#define X16 "xxxxxxxxxxxxxxxx"
#define NAME_OF_247 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 "xxxxxxx"

static void test_table_is_whole(void **state) {
        (void) state;

        for (size_t i = 0; i < _KEY_MAX; i++) {
                const Key *key = &keys[i];

                assert_non_null(key->section);
                assert_non_null(key->name);
                assert_non_null(key->help);
                assert_true(*key->section && *key->name && *key->help);
                assert_int_equal(key_id(key), i);
                assert_ptr_equal(key_find(key->section, key->name), key); /* no key twice */
                assert_ptr_equal(key_section(key->section), key->section);
                assert_int_equal(key->choices != NULL, key->type == TYPE_CHOICE);
                assert_non_null(type_name(key->type));
                if (key->option) {
                        assert_non_null(str_starts_with(key->option, "--"));
                        assert_int_equal(
                                str_ends_with(key->option, "=") || strstr(key->option, "=RLIMIT_"),
                                !(key->flags & KEY_FLAG));
                }
                if (key->flags & KEY_FLAG)
                        assert_int_equal(key->type, TYPE_BOOLEAN);
        }
}

static void test_sections_stand_together(void **state) {
        (void) state;

        for (size_t i = 1; i < _KEY_MAX; i++) {
                if (str_equal(keys[i].section, keys[i - 1].section))
                        continue;
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(keys[k].section, keys[i].section);
        }
}

static void test_find(void **state) {
        (void) state;

        assert_ptr_equal(key_find("Network", "MTU"), &keys[KEY_MTU]);
        assert_null(key_find("Exec", "MTU"));
        assert_null(key_find("Network", "mtu"));
        assert_null(key_find("network", "MTU"));
        assert_null(key_find("Network", ""));
        assert_null(key_find("", "MTU"));
        assert_string_equal(key_section("Files"), "Files");
        assert_null(key_section("files"));
        assert_null(key_section("Service"));
        assert_null(key_section(""));
}

static void test_hint(void **state) {
        static const struct {
                const char *section, *name, *hint;
        } cases[] = {
                { "Network", "LocalAdress", "did you mean 'LocalAddress='?" },
                { "Network", "localaddress", "did you mean 'LocalAddress='?" },
                { "Network", "Mtu", "did you mean 'MTU='?" },
                { "Network", "HostAddres", "did you mean 'HostAddress='?" },
                { "Container", "Autostart", "did you mean 'AutoStart='?" },
                { "Container", "LocalAddress", "'LocalAddress=' belongs into [Network]" },
                { "Exec", "bind", "'Bind=' belongs into [Files]" },
                { "Files", "BindReadonly", "did you mean 'BindReadOnly='?" },
                { "Exec", "Boot", "an init is booted unless Command= is set" },
                { "Network", "VirtualEthernet", "use Private=yes" },
                { "Veth", "Gateway", "a further pair has no default route" },
                { "Container", "MemoryMax", "'MemoryMax=' belongs into [Service]" },
                { "Exec", "LocalAdress", NULL }, /* wrong in both ways */
                { "Container", "Frobnicate", NULL },
                { "Container", "X", NULL },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *hint = NULL;

                assert_int_equal(key_hint(cases[i].section, cases[i].name, &hint), 0);
                if (!str_equal(hint, cases[i].hint))
                        fail_msg("[%s] %s=: %s", cases[i].section, cases[i].name,
                                hint ? hint : "nothing");
        }
}

/* Every key is suggested for itself in lower case. */
static void test_hint_for_every_key(void **state) {
        (void) state;

        for (size_t i = 0; i < _KEY_MAX; i++) {
                _cleanup_free_ char *name = strdup(keys[i].name), *hint = NULL, *wanted = NULL;

                assert_non_null(name);
                for (char *p = name; *p; p++)
                        *p |= 0x20;
                assert_int_equal(key_hint(keys[i].section, name, &hint), 0);
                assert_int_equal(str_format(&wanted, "did you mean '%s='?", keys[i].name), 0);
                assert_string_equal(hint, wanted);
        }
}

static void test_suggest_section(void **state) {
        (void) state;

        assert_string_equal(key_suggest_section("Netwrok"), "Network");
        assert_string_equal(key_suggest_section("container"), "Container");
        assert_string_equal(key_suggest_section("File"), "Files");
        assert_null(key_suggest_section("Frobnicate"));
        assert_null(key_suggest_section("X"));
}

/* key_parse() with the elements' text alone, and no instance. */
static int parse(KeyId id, const char *value, char ***ret, char **reterr) {
        _cleanup_elements_ Elements elements = {};
        size_t offset = 0;
        int r;

        r = key_parse(&keys[id], value, NULL, &elements, reterr, &offset);
        assert_true(offset <= strlen(value));
        for (size_t i = 0; r >= 0 && i < elements.n; i++) {
                assert_true(elements.items[i].offset < strlen(value));
                assert_int_equal(strv_extend(ret, elements.items[i].text), 0);
        }
        return r;
}

static void test_since(void **state) {
        const Key *bind = &keys[KEY_BIND];

        (void) state;

        assert_int_equal(key_since(bind, "/a:/b:rbind,owneridmap"), 256);
        assert_int_equal(key_since(bind, "/a:/b:rootidmap"), 0);
        assert_int_equal(key_since(bind, "/owneridmap"), 0);
        assert_int_equal(key_since(bind, "/a:/owneridmap"), 0);
        assert_int_equal(key_since(&keys[KEY_RESTRICT_ADDRESS_FAMILIES], "AF_UNIX"), 261);
}

/* Where an element, or an error, stands in the value. */
static void test_offsets(void **state) {
        _cleanup_free_ char *error = NULL;
        _cleanup_elements_ Elements elements = {};
        size_t offset = 0;

        (void) state;

        assert_int_equal(key_parse(&keys[KEY_CAPABILITY], "CAP_KILL  \"CAP_BPF\"", NULL, &elements,
                                 &error, &offset),
                0);
        assert_int_equal(elements.n, 2);
        assert_int_equal(elements.items[0].offset, 0);
        assert_int_equal(elements.items[1].offset, 10);

        assert_int_equal(key_parse(&keys[KEY_CAPABILITY], "CAP_KILL  CAP_X", NULL, &elements,
                                 &error, &offset),
                -EINVAL);
        assert_int_equal(offset, 10);
}

static void test_instance(void **state) {
        static const struct {
                KeyId id;
                const char *instance, *value, *text; /* NULL: refused */
        } cases[] = {
                { KEY_ROOT, "blue", "/srv/%i", "/srv/blue" },
                { KEY_ROOT, "%i", "/srv/%i", "/srv/%i" },
                { KEY_ROOT, NULL, "/srv/%i", "/srv/%i" },
                { KEY_LOCAL_ADDRESS, "7", "10.0.0.%i", "10.0.0.7" },
                { KEY_LOCAL_ADDRESS, "%i", "10.0.0.%i", "10.0.0.%i" },
                { KEY_LOCAL_ADDRESS, "700", "10.0.0.%i", NULL },
                { KEY_LOCAL_ADDRESS, NULL, "10.0.0.%i", NULL },
                { KEY_HOSTNAME, "a", "%i-%i", "a-a" },
                { KEY_HOSTNAME, "%i", "-%i", NULL },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *error = NULL;
                _cleanup_elements_ Elements elements = {};
                size_t offset;
                int r = key_parse(&keys[cases[i].id], cases[i].value, cases[i].instance, &elements,
                        &error, &offset);

                if (r != (cases[i].text ? 0 : -EINVAL))
                        fail_msg("%zu: %s", i, error ? error : "taken");
                if (r == 0)
                        assert_string_equal(elements.items[0].text, cases[i].text);
        }
}

/* What each key takes; the elements with '|' between. */
static void test_accepted(void **state) {
        static const struct {
                KeyId id;
                const char *value, *elements;
        } cases[] = {
                { KEY_DESCRIPTION, "A \"web\" server; 100%", "A \"web\" server; 100%" },
                { KEY_ROOT, "/srv/web", "/srv/web" },
                { KEY_ROOT, "/srv/my web", "/srv/my web" },
                { KEY_SYSTEM, "host", "host" },
                { KEY_SYSTEM, "/nix/var/nix/profiles/system", "/nix/var/nix/profiles/system" },
                { KEY_SERVICES, "a.service b@c.socket", "a.service|b@c.socket" },
                { KEY_SYSTEM_CALL_FILTER, "~ @mount keyctl", "~ @mount keyctl" },
                { KEY_RESTRICT_ADDRESS_FAMILIES, "none", "none" },
                { KEY_RESTRICT_ADDRESS_FAMILIES, "~AF_PACKET AF_NETLINK", "~AF_PACKET AF_NETLINK" },
                { KEY_PRIVATE_USERS, "65536", "65536" },
                { KEY_PRIVATE_USERS, "65536:65536", "65536:65536" },
                { KEY_PRIVATE_USERS, "4294967293:1", "4294967293:1" },
                { KEY_USER, "1000", "1000" },
                { KEY_LIMIT_NOFILE, "1:2", "1:2" },
                { KEY_LIMIT_NOFILE, "infinity", "infinity" },
                { KEY_LIMIT_NICE, "-20", "-20" },
                { KEY_LIMIT_NICE, "40", "40" },
                { KEY_LIMIT_AS, "15E", "15E" },
                { KEY_PORT, "80", "80" },
                { KEY_PORT, "udp:10.0.0.1:53:1053", "udp:10.0.0.1:53:1053" },
                { KEY_PORT, "tcp:[fd00::1]:8000-8001:80-81", "tcp:[fd00::1]:8000-8001:80-81" },
                { KEY_PORT, "65534-65535:65534", "65534-65535:65534" },
                { KEY_OVERLAY, "/a::/b", "/a::/b" },
                { KEY_PIVOT_ROOT, "/a:/b", "/a:/b" },
                { KEY_SEARCH, ". example.com", ".|example.com" },
                { KEY_SERVICES, "'a.service'", "a.service" },
                { KEY_SERVICES, NAME_OF_247 ".service", NAME_OF_247 ".service" }, /* 255 */
                { KEY_INIT, "/sbin/init", "/sbin/init" },
                { KEY_AUTO_START, "1", "yes" },
                { KEY_AUTO_START, "OFF", "no" },
                { KEY_RELOAD_COMMAND, "/bin/kill -HUP 'a b'", "/bin/kill|-HUP|a b" },
                { KEY_PARAMETERS, "a \"b c\" '' \\x41", "a|b c||A" },
                { KEY_ENVIRONMENT, "A=1 \"B=x y\" _c9= D==", "A=1|B=x y|_c9=|D==" },
                { KEY_HOSTNAME, "web", "web" },
                { KEY_MACHINE_ID, "0123456789abcdefABCDEF0123456789",
                        "0123456789abcdefABCDEF0123456789" },
                { KEY_MACHINE_ID, "01234567-89ab-cdef-0123-456789abcdef",
                        "0123456789abcdef0123456789abcdef" },
                { KEY_PRIVATE_USERS, "pick", "pick" },
                { KEY_NOTIFY_READY, "t", "yes" },
                { KEY_NOTIFY_READY, "healthy", "healthy" },
                { KEY_KILL_SIGNAL, "SIGRTMIN+3", "SIGRTMIN+3" },
                { KEY_CAPABILITY, "CAP_NET_RAW cap_sys_time all", "CAP_NET_RAW|cap_sys_time|all" },
                { KEY_DROP_CAPABILITY, "CAP_NET_RAW", "CAP_NET_RAW" },
                { KEY_NO_NEW_PRIVILEGES, "y", "yes" },
                { KEY_RESOLV_CONF, "copy-host", "copy-host" },
                { KEY_TIMEZONE, "off", "off" },
                { KEY_LINK_JOURNAL, "try-guest", "try-guest" },
                { KEY_BIND, "/a", "/a" },
                { KEY_BIND, "/a b:/c:norbind,idmap", "/a b:/c:norbind,idmap" },
                { KEY_BIND, "+/a:/b", "+/a:/b" },
                { KEY_BIND, "/a\\:b:/c", "/a\\:b:/c" },
                { KEY_BIND_READ_ONLY, "/a:/b", "/a:/b" },
                { KEY_TEMPORARY_FILE_SYSTEM, "/tmp:size=1M", "/tmp:size=1M" },
                { KEY_PRIVATE, "yes", "yes" },
                { KEY_HOST_ADDRESS, "10.0.0.1/24", "10.0.0.1/24" },
                { KEY_LOCAL_ADDRESS, "fd00::2/64", "fd00::2/64" },
                { KEY_GATEWAY, "10.0.0.1", "10.0.0.1" },
                { KEY_GATEWAY, "none", "none" },
                { KEY_MAC_ADDRESS, "02:00:00:00:00:0A", "02:00:00:00:00:0A" },
                { KEY_MTU, "68", "68" },
                { KEY_MTU, "65535", "65535" },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_strv_ char **elements = NULL;
                _cleanup_free_ char *error = NULL, *text = NULL;

                if (parse(cases[i].id, cases[i].value, &elements, &error) != 0)
                        fail_msg("%s=%s: %s", keys[cases[i].id].name, cases[i].value, error);
                assert_null(error);
                text = joined(elements);
                assert_string_equal(text, cases[i].elements);
        }
}

static void test_refused(void **state) {
        static const struct {
                KeyId id;
                const char *value, *error;
        } cases[] = {
                { KEY_ROOT, "srv", "not an absolute path without '..', '//' or '/' at its end" },
                { KEY_ROOT, "/srv/", "not an absolute path without '..', '//' or '/' at its end" },
                { KEY_ROOT, "/a/../b",
                        "not an absolute path without '..', '//' or '/' at its end" },
                { KEY_INIT, "sbin/init",
                        "not an absolute path without '..', '//' or '/' at its end" },
                { KEY_SYSTEM_CALL_FILTER, "open,close",
                        "not system calls or groups, such as '@mount' or '~keyctl'" },
                { KEY_RESTRICT_ADDRESS_FAMILIES, "~", "no address family is named" },
                { KEY_USER, "4294967295", "not a user ID" },
                { KEY_PRIVATE_USERS, "000000000000000065536",
                        "not one of no, yes, pick, identity, managed, or a first user ID with ':' "
                        "and their number" },
                { KEY_PRIVATE_USERS, "0:0",
                        "not one of no, yes, pick, identity, managed, or a first user ID with ':' "
                        "and their number" },
                { KEY_PRIVATE_USERS, "4294967294:2",
                        "not one of no, yes, pick, identity, managed, or a first user ID with ':' "
                        "and their number" },
                { KEY_PRIVATE_USERS, "4294967000",
                        "not one of no, yes, pick, identity, managed, or a first user ID with ':' "
                        "and their number" },
                { KEY_PRIVATE_USERS, "65535",
                        "not one of no, yes, pick, identity, managed, or a first user ID with ':' "
                        "and their number" },
                { KEY_BIND, "/a:/b/../c", "the destination has a '..' in it" },
                { KEY_OVERLAY, "/a:b", "not absolute paths, separated by ':'" },
                { KEY_PIVOT_ROOT, "/a:b", "not PATH[:PATH] with absolute paths" },
                { KEY_DEVICE, "/dev/" NAME_OF_247 "xxxxxxxxxx", "the path is too long" },
                { KEY_PORT, "10.0.0.300:80",
                        "not an IPv4 address, or an IPv6 one in brackets, in "
                        "front of the port" },
                { KEY_PORT, "[fd00::x]:80", "not an IPv6 address in the brackets" },
                { KEY_PORT, "[fd00::1]80", "no port behind the address" },
                { KEY_PORT, "65000-65001:65535", "the ports inside end above 65535" },
                { KEY_PORT, "80:80x", "not [tcp:|udp:][ADDRESS:]PORT[-PORT][:PORT[-PORT]]" },
                { KEY_SYSTEM, "Host", "neither 'host' nor an absolute path" },
                { KEY_SYSTEM, "nix/system", "neither 'host' nor an absolute path" },
                { KEY_SERVICES, "a.service nginx",
                        "'nginx' is not the name of a unit, such as 'nginx.service'" },
                { KEY_SERVICES, "a.service 'b", "a quote is not closed" },
                { KEY_SERVICES, "x" NAME_OF_247 ".service",
                        "'x" NAME_OF_247
                        ".service' is not the name of a unit, such as 'nginx.service'" },
                { KEY_AUTO_START, "maybe", "not a boolean, such as 'yes' or 'no'" },
                { KEY_NOTIFY_READY, "2", "not a boolean, such as 'yes' or 'no', nor 'healthy'" },
                { KEY_NO_NEW_PRIVILEGES, "yes no", "not a boolean, such as 'yes' or 'no'" },
                { KEY_PRIVATE, "pick", "not a boolean, such as 'yes' or 'no'" },
                { KEY_RELOAD_COMMAND, "kill -HUP 1",
                        "the command must begin with an absolute path" },
                { KEY_RELOAD_COMMAND, "-/bin/kill",
                        "the command must begin with an absolute path" },
                { KEY_RELOAD_COMMAND, "/bin/echo \"", "a quote is not closed" },
                { KEY_RELOAD_COMMAND, "''", "the command must begin with an absolute path" },
                { KEY_PARAMETERS, "\\q", "unknown escape after a backslash" },
                { KEY_ENVIRONMENT, "A=1 B", "'B' is not an assignment, such as 'NAME=value'" },
                { KEY_ENVIRONMENT, "=1", "'=1' is not an assignment, such as 'NAME=value'" },
                { KEY_ENVIRONMENT, "1A=1", "'1A=1' is not an assignment, such as 'NAME=value'" },
                { KEY_ENVIRONMENT, "A-B=1", "'A-B=1' is not an assignment, such as 'NAME=value'" },
                { KEY_ENVIRONMENT, "''", "'' is not an assignment, such as 'NAME=value'" },
                { KEY_MACHINE_ID, "0123456789abcdef0123456789abcde",
                        "neither 32 hexadecimal digits nor a UUID" },
                { KEY_MACHINE_ID, "0123456789abcdef0123456789abcdef0",
                        "neither 32 hexadecimal digits nor a UUID" },
                { KEY_MACHINE_ID, "0123456789abcdef0123456789abcdeg",
                        "neither 32 hexadecimal digits nor a UUID" },
                { KEY_MACHINE_ID, "0123456789ab-cdef-0123-4567-89abcdef",
                        "neither 32 hexadecimal digits nor a UUID" },
                { KEY_MACHINE_ID, "00000000000000000000000000000000",
                        "the machine ID must not be all zeros" },
                { KEY_KILL_SIGNAL, "SIGNOTHING",
                        "not a signal, such as 'SIGTERM' or 'SIGRTMIN+3'" },
                { KEY_CAPABILITY, "NET_RAW",
                        "'NET_RAW' is not the name of a capability, such as 'CAP_NET_RAW'" },
                { KEY_CAPABILITY, "CAP_",
                        "'CAP_' is not the name of a capability, such as 'CAP_NET_RAW'" },
                { KEY_DROP_CAPABILITY, "CAP_NET_RAW,CAP_SYS_TIME",
                        "'CAP_NET_RAW,CAP_SYS_TIME' is not the name of a capability, such as "
                        "'CAP_NET_RAW'" },
                { KEY_BIND, "a:/b", "not SOURCE[:DESTINATION[:OPTIONS]] with an absolute SOURCE" },
                { KEY_BIND_READ_ONLY, "+a:/b",
                        "not SOURCE[:DESTINATION[:OPTIONS]] with an absolute SOURCE" },
                { KEY_HOST_ADDRESS, "10.0.0.1/33", "the prefix length must be 1 to 32" },
                { KEY_LOCAL_ADDRESS, "10.0.0.300", "not an IPv4 or IPv6 address" },
                { KEY_LOCAL_ADDRESS, "10.0.0.1 10.0.0.2", "not an IPv4 or IPv6 address" },
                { KEY_GATEWAY, "10.0.0.1/24", "an address without prefix length is needed" },
                { KEY_GATEWAY, "None", "not an IPv4 or IPv6 address" },
                { KEY_MAC_ADDRESS, "02:00:00:00:00",
                        "not an Ethernet address, such as '02:00:00:00:00:01'" },
                { KEY_MAC_ADDRESS, "01:00:00:00:00:01",
                        "a multicast address cannot be an interface's own" },
                { KEY_MTU, "67", "not a number from 68 to 65535" },
                { KEY_MTU, "65536", "not a number from 68 to 65535" },
                { KEY_MTU, "1500B", "not a number from 68 to 65535" },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char **elements = NULL;
                _cleanup_free_ char *error = NULL;

                if (parse(cases[i].id, cases[i].value, &elements, &error) != -EINVAL)
                        fail_msg("%s=%s was taken", keys[cases[i].id].name, cases[i].value);
                assert_null(elements);
                assert_string_equal(error, cases[i].error);
        }
}

/* What nspawn or the kernel would refuse later, at the start of the container. */
static void test_refused_what_fails_later(void **state) {
        static const struct {
                KeyId id;
                const char *value;
        } cases[] = {
                { KEY_CAPABILITY, "ALL" },                /* nspawn knows only "all" */
                { KEY_MAC_ADDRESS, "00:00:00:00:00:00" }, /* is_valid_ether_addr() */
                { KEY_ENVIRONMENT, "A=\\xff" },           /* env_assignment_is_valid() */
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char **elements = NULL;
                _cleanup_free_ char *error = NULL;

                if (parse(cases[i].id, cases[i].value, &elements, &error) != -EINVAL)
                        fail_msg("%s=%s was taken", keys[cases[i].id].name, cases[i].value);
        }
}

/* systemd.nspawn(5): a source may be empty, which is a temporary directory of the host. */
static void test_bind_with_empty_source(void **state) {
        _cleanup_strv_ char **elements = NULL;
        _cleanup_free_ char *error = NULL;

        (void) state;

        if (parse(KEY_BIND, ":/var/cache", &elements, &error) != 0)
                fail_msg("%s", error);
}

/* systemd reads names of units without C escapes: "\x2d" is a part of the name. */
static void test_escapes_in_unit_names(void **state) {
        _cleanup_strv_ char **elements = NULL;
        _cleanup_free_ char *error = NULL, *text = NULL;

        (void) state;

        if (parse(KEY_SERVICES, "srv-my\\x2ddata.mount a.service", &elements, &error) != 0)
                fail_msg("%s", error);
        text = joined(elements);
        assert_string_equal(text, "srv-my\\x2ddata.mount|a.service");
}

static void test_unit_name(void **state) {
        static const struct {
                const char *name;
                bool valid;
        } cases[] = {
                { "a.service", true },
                { "a@.service", true },
                { "a@b.service", true },
                { "a-b_c:d.e.service", true },
                { "srv-my\\x2ddata.mount", true },
                { "a.target", true },
                { "a.socket", true },
                { "a.timer", true },
                { "a.path", true },
                { "a.slice", true },
                { "a.scope", true },
                { "a.device", true },
                { "a.swap", true },
                { "a.automount", true },
                { NAME_OF_247 ".service", true },
                { "x" NAME_OF_247 ".service", false },
                { "", false },
                { "a", false },
                { "a.conf", false },
                { ".service", false },
                { "@.service", false },
                { "@a.service", false },
                { "a/b.service", false },
                { "../a.service", false },
                { "a b.service", false },
                { "a.service ", false },
                { "a%i.service", false },
                { "\xc3\xa4.service", false },
                { "a\n.service", false },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (unit_name_is_valid(cases[i].name) != cases[i].valid)
                        fail_msg("'%s' is not %i", cases[i].name, cases[i].valid);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table_is_whole),
                cmocka_unit_test(test_sections_stand_together),
                cmocka_unit_test(test_find),
                cmocka_unit_test(test_hint),
                cmocka_unit_test(test_hint_for_every_key),
                cmocka_unit_test(test_suggest_section),
                cmocka_unit_test(test_since),
                cmocka_unit_test(test_offsets),
                cmocka_unit_test(test_instance),
                cmocka_unit_test(test_accepted),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_refused_what_fails_later),
                cmocka_unit_test(test_bind_with_empty_source),
                cmocka_unit_test(test_escapes_in_unit_names),
                cmocka_unit_test(test_unit_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
