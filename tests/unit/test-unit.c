/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-unit: the lines that a definition makes, and the lines that it must not make.
 *
 * Whole units are compared by the golden cases in tests/cases. Here a test looks at the
 * lines of one key, as systemd would: continued lines joined, carriage returns as line ends.
 */

#include "tests/unit/test.h"

#include "common/base/name.h"
#include "common/base/unit.h"
#include "common/base/word.h"
#include "config.h"

/* The unit of a definition that must be right. Owned by the caller. */
static char *unit_of(const char *definition) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_free_ char *found = NULL;
        _cleanup_diags_ Diags diags = {};
        char *text = NULL;

        d = define("web", definition, &diags);
        found = diags_text(&diags);
        if (diags_count(&diags, SEVERITY_ERROR) > 0)
                fail_msg("%s%s", definition, found);
        assert_int_equal(unit_text(d, &text), 0);
        return text;
}

/* The stub of a definition that must be wrong. Owned by the caller. */
static char *stub_of(const char *definition) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};
        char *text = NULL;

        d = define("web", definition, &diags);
        assert_true(diags_count(&diags, SEVERITY_ERROR) > 0);
        assert_int_equal(unit_stub_text(d, &diags, &text), 0);
        return text;
}

/* The lines as systemd sees them, without comments and empty ones. */
static char **lines_of(const char *text) {
        _cleanup_str_ Str line = {};
        char **lines = NULL;

        if (!str_is_utf8(text, strlen(text)))
                fail_msg("not UTF-8: %s", text);

        for (const char *p = text; *p;) {
                size_t n = strcspn(p, "\r\n"), backslashes = 0;

                if (line.len == 0 && (n == 0 || strchr("#;", *p))) {
                        p += n + (p[n] != '\0');
                        continue;
                }
                while (backslashes < n && p[n - 1 - backslashes] == '\\')
                        backslashes++;
                str_append_n(&line, p, n - backslashes % 2);
                p += n + (p[n] != '\0');
                if (backslashes % 2)
                        continue;
                assert_int_equal(strv_extend(&lines, line.data), 0);
                line.len = 0;
        }

        assert_int_equal(line.len, 0);
        return lines;
}

static void assert_line(const char *text, const char *line) {
        _cleanup_strv_ char **lines = lines_of(text);

        if (!strv_contains(lines, line))
                fail_msg("no line '%s' in:\n%s", line, text);
}

static void assert_no_line(const char *text, const char *beginning) {
        _cleanup_strv_ char **lines = lines_of(text);

        STRV_FOREACH(l, lines)
                if (str_starts_with(*l, beginning))
                        fail_msg("line '%s' in:\n%s", *l, text);
}

/* The one line with this beginning. Owned by the caller. */
static char *line_of(const char *text, const char *beginning) {
        _cleanup_strv_ char **lines = lines_of(text);
        char *found = NULL;

        STRV_FOREACH(l, lines)
                if (str_starts_with(*l, beginning)) {
                        assert_null(found);
                        found = strdup(*l);
                }
        if (!found)
                fail_msg("no line '%s...' in:\n%s", beginning, text);
        return found;
}

/* The network is made by what executes systemd-nspawn. */
static void assert_network(const char *text, const char *arguments) {
        _cleanup_free_ char *line = line_of(text, "ExecStart="), *beginning = NULL;

        assert_int_equal(str_join(&beginning, "ExecStart=" LIBEXEC_DIR "/spawnlet-network start ",
                                 arguments, " -- systemd-nspawn "),
                0);
        if (!str_starts_with(line, beginning))
                fail_msg("not at the beginning of '%s': %s", line, beginning);
}

/* Without private users, by what spawnlet-root executes in the end. */
static void assert_network_up(const char *text, const char *arguments) {
        _cleanup_free_ char *line = line_of(text, "ExecStartPre="), *end = NULL;

        assert_int_equal(str_join(&end, " -- " LIBEXEC_DIR "/spawnlet-network up ", arguments), 0);
        if (!str_ends_with(line, end))
                fail_msg("not at the end of '%s': %s", line, end);
}

/* The words of ExecStart=, "%%" and "$$" resolved. Owned by the caller. */
static char **exec_start_words(const char *text) {
        _cleanup_free_ char *line = line_of(text, "ExecStart=");
        char **words = NULL;
        const char *error;

        assert_int_equal(word_split(strchr(line, '=') + 1, 0, &words, &error), 0);
        STRV_FOREACH(w, words) {
                char *to = *w;

                for (const char *from = *w; *from; from++) {
                        if (strchr("%$", *from))
                                assert_int_equal(from[0], from[1]);
                        from += *from == from[1] && strchr("%$", *from);
                        *to++ = *from;
                }
                *to = '\0';
        }
        return words;
}

static void assert_word(const char *definition, const char *word) {
        _cleanup_free_ char *text = unit_of(definition);
        _cleanup_strv_ char **words = exec_start_words(text);

        if (!strv_contains(words, word))
                fail_msg("no word '%s' in:\n%s", word, text);
}

static void assert_no_word(const char *definition, const char *word) {
        _cleanup_free_ char *text = unit_of(definition);
        _cleanup_strv_ char **words = exec_start_words(text);

        if (strv_contains(words, word))
                fail_msg("word '%s' in:\n%s", word, text);
}

/* The words of ExecStart= behind "--", with '|' between. */
static void assert_init(const char *definition, const char *expected) {
        _cleanup_free_ char *text = unit_of(definition), *actual = NULL;
        _cleanup_strv_ char **words = exec_start_words(text);
        char **w = words;

        while (*w && !str_equal(*w, "--"))
                w++;
        assert_non_null(*w);
        actual = joined(w + 1);
        assert_string_equal(actual, expected);
}

/* The unit */

static void test_what_is_in_every_unit(void **state) {
        static const char *const definitions[] = { "", "[Container]\nSystem=host\n",
                "[Container]\nSystem=/nix/store/x\n", "[Network]\nPrivate=yes\n" };
        static const char *const lines[] = { "Description=Container 'web'",
                "SourcePath=test.container", "Documentation=man:spawnlet.container(5)",
                "PartOf=machines.target", "Before=machines.target", "After=network.target",
                "Type=notify", "Slice=machine.slice", "Delegate=yes", "KillMode=mixed",
                "TasksMax=16384", "Restart=on-failure", "RestartForceExitStatus=133",
                "SuccessExitStatus=133", "TimeoutStartSec=5min", "TimeoutStopSec=3min",
                "DevicePolicy=closed", "SyslogIdentifier=container-web" };
        static const char *const words[] = { "systemd-nspawn", "--quiet", "--keep-unit",
                "--settings=no", "--machine=web", "--directory=/var/lib/machines/web",
                "--notify-ready=yes", "--kill-signal=SIGRTMIN+3", "--link-journal=try-guest" };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(definitions); i++) {
                _cleanup_free_ char *text = unit_of(definitions[i]);

                for (size_t k = 0; k < ELEMENTSOF(lines); k++)
                        assert_line(text, lines[k]);
                for (size_t k = 0; k < ELEMENTSOF(words); k++)
                        assert_word(definitions[i], words[k]);
                assert_non_null(str_starts_with(text, "# Automatically generated by "));
        }
}

static void test_sections_in_order(void **state) {
        _cleanup_free_ char *text = unit_of("");
        const char *unit = strstr(text, "\n[Unit]\n"), *service = strstr(text, "\n[Service]\n");

        (void) state;

        assert_non_null(unit);
        assert_non_null(service);
        assert_true(unit < service);
        assert_null(strstr(unit + 1, "\n[Unit]\n"));
        assert_null(strstr(service + 1, "\n[Service]\n"));
        assert_null(strstr(text, "[Install]"));
        assert_int_equal(text[strlen(text) - 1], '\n');
}

static void test_description(void **state) {
        _cleanup_free_ char *text =
                unit_of("[Container]\nDescription=100% \"web\" $A %i; it's \xc3\xa4\n");

        (void) state;

        assert_line(text, "Description=100%% \"web\" $A %%i; it's \xc3\xa4");
}

static void test_root(void **state) {
        _cleanup_free_ char *text = unit_of("[Container]\nRoot=/srv/100% $A \"b\"\n");

        (void) state;

        assert_word("[Container]\nRoot=/srv/100% $A \"b\"\n", "--directory=/srv/100% $A \"b\"");
        assert_line(text, "RequiresMountsFor=\"/srv/100%% $A \\\"b\\\"\"");
}

static void test_system_root(void **state) {
        _cleanup_free_ char *text = unit_of("");

        (void) state;

        assert_word("", "--boot");
        assert_init("", "");
        assert_no_word("", "--bind-ro=/usr");
        assert_line(text, "RequiresMountsFor=/var/lib/machines/web");
        assert_no_line(text, "Environment=");
        assert_line(text, "ExecReload=" LIBEXEC_DIR "/spawnlet-reload web $MAINPID");
}

static void test_system_host(void **state) {
        static const char definition[] =
                "[Container]\nSystem=host\nServices=a.service b@c.socket\nServices=d.timer\n"
                "[Exec]\nParameters=x y\n";
        _cleanup_free_ char *text = unit_of(definition), *actual = NULL;
        _cleanup_strv_ char **words = exec_start_words(text);

        (void) state;

        assert_line(text, "Environment=SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1");
        assert_word(definition, "--boot");
        assert_word(definition, "--bind-ro=/usr:/usr:idmap");
        assert_word("[Container]\nSystem=host\n[Exec]\nPrivateUsers=no\n", "--bind-ro=/usr");
        assert_word(definition, "systemd.mask=tmp.mount");
        assert_word(definition, "systemd.mask=var-lib-machines.mount");
        assert_word(definition, "systemd.ssh_auto=no");
        assert_no_word("[Container]\nSystem=host\nServices=console-getty.service\n",
                "systemd.mask=console-getty.service");
        actual = joined(words);
        assert_non_null(str_ends_with(actual,
                "|systemd.wants=a.service|systemd.wants=b@c.socket|systemd.wants=d.timer|x|y"));
}

/* What systemd takes as arguments means nothing to another init. */
static void test_init(void **state) {
        (void) state;

        assert_no_word("[Container]\nInit=/sbin/my init\n", "--boot");
        assert_init("[Container]\nInit=/sbin/my init\n[Exec]\nParameters=a 'b c' ''\n",
                "/sbin/my init|a|b c|");
        assert_init("[Container]\nSystem=host\nInit=/bin/sh\n", "/bin/sh");
}

static void test_system_in_nix_store(void **state) {
        static const char definition[] =
                "[Container]\nSystem=/nix/store/abc-nixos-system\n[Exec]\nParameters=x\n";
        _cleanup_free_ char *text = unit_of(definition);

        (void) state;

        assert_line(text, "Environment=SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1");
        assert_line(text,
                "RequiresMountsFor=/var/lib/machines/web /nix/store/abc-nixos-system /nix/store "
                "/nix/var/nix");
        assert_line(text,
                "ExecReload=" LIBEXEC_DIR "/spawnlet-enter $MAINPID -- "
                "/nix/store/abc-nixos-system/bin/switch-to-configuration test");
        assert_init(definition, "/nix/store/abc-nixos-system/init|x");
        assert_no_word(definition, "--boot");
        assert_no_word(definition, "--bind-ro=/nix/store/abc-nixos-system");
        assert_word(definition, "--bind-ro=/nix/store:/nix/store:idmap");
        assert_word(definition, "--bind-ro=/nix/var/nix/db:/nix/var/nix/db:idmap");
        assert_word(definition,
                "--bind-ro=/nix/var/nix/daemon-socket:/nix/var/nix/daemon-socket:idmap");
        assert_word(definition,
                "--bind=/nix/var/nix/profiles/per-container/web:/nix/var/nix/profiles:idmap");
        assert_word(definition,
                "--bind=/nix/var/nix/gcroots/per-container/web:/nix/var/nix/gcroots:idmap");
}

/*
 * A profile is a link into the store, and the container does not have what it leads through:
 * what it points to is bound. Reload asks anew where it points to, to switch there.
 */
static void test_system_in_a_profile(void **state) {
        static const char definition[] =
                "[Container]\nSystem=/nix/var/nix/profiles/per-container/web/system\n";
        _cleanup_free_ char *text = unit_of(definition),
                            *reload = line_of(text, "ExecReload=" LIBEXEC_DIR "/spawnlet-enter");

        (void) state;

        assert_init(definition, "/run/host/spawnlet-system/init");
        assert_word(definition,
                "--bind-ro=/nix/var/nix/profiles/per-container/web/system:"
                "/run/host/spawnlet-system:idmap");
        assert_contains(reload,
                " --store-path=/nix/var/nix/profiles/per-container/web/system/"
                "bin/switch-to-configuration $MAINPID -- ");
        assert_non_null(str_ends_with(
                reload, " /run/host/spawnlet-system/bin/switch-to-configuration test"));
}

static void test_system_elsewhere(void **state) {
        static const char definition[] = "[Container]\nSystem=/srv/my system\n";

        (void) state;

        assert_init(definition, "/run/host/spawnlet-system/init");
        assert_word(definition, "--bind-ro=/srv/my system:/run/host/spawnlet-system:idmap");
}

/* In --bind= a ':' separates and a '\' protects; systemd-nspawn(1). */
static void test_system_path_with_colon(void **state) {
        (void) state;

        assert_word("[Container]\nSystem=/srv/a:b\\c\n",
                "--bind-ro=/srv/a\\:b\\\\c:/run/host/spawnlet-system:idmap");
}

#define COMMAND "[Container]\nCommand=/a\n"
#define USERS "[Exec]\nPrivateUsers=managed\n"
#define NO_USERS "[Exec]\nPrivateUsers=no\n"

static void test_keys_that_become_options(void **state) {
        static const struct {
                KeyId id;
                const char *value, *word, *needs;
        } cases[] = {
                { KEY_ENVIRONMENT, "A=1", "--setenv=A=1" },
                { KEY_HOSTNAME, "name", "--hostname=name" },
                { KEY_MACHINE_ID, "0123456789abcdef0123456789abcdef",
                        "--uuid=0123456789abcdef0123456789abcdef" },
                { KEY_PRIVATE_USERS, "1000000", "--private-users=1000000" },
                { KEY_NOTIFY_READY, "off", "--notify-ready=no" },
                { KEY_KILL_SIGNAL, "SIGTERM", "--kill-signal=SIGTERM" },
                { KEY_CAPABILITY, "CAP_NET_RAW", "--capability=CAP_NET_RAW" },
                { KEY_DROP_CAPABILITY, "CAP_NET_RAW", "--drop-capability=CAP_NET_RAW" },
                { KEY_NO_NEW_PRIVILEGES, "1", "--no-new-privileges=yes" },
                { KEY_SYSTEM_CALL_FILTER, "@clock", "--system-call-filter=@clock" },
                { KEY_RESOLV_CONF, "off", "--resolv-conf=off" },
                { KEY_TIMEZONE, "copy", "--timezone=copy" },
                { KEY_LINK_JOURNAL, "host", "--link-journal=host" },
                { KEY_BIND, "/a b:/c", "--bind=/a b:/c:idmap" },
                { KEY_BIND_READ_ONLY, "+/a", "--bind-ro=+/a" },
                { KEY_TEMPORARY_FILE_SYSTEM, "/t:size=10%", "--tmpfs=/t:size=10%" },
                { KEY_USER, "anna", "--user=anna", COMMAND },
                { KEY_WORKING_DIRECTORY, "/srv", "--chdir=/srv" },
                { KEY_PIVOT_ROOT, "/a:/b", "--pivot-root=/a:/b" },
                { KEY_PROCESS_TWO, "yes", "--as-pid2", COMMAND },
                { KEY_EPHEMERAL, "yes", "--ephemeral" },
                { KEY_PRIVATE_USERS_DELEGATE, "2", "--private-users-delegate=2", USERS },
                { KEY_AMBIENT_CAPABILITY, "CAP_KILL", "--ambient-capability=CAP_KILL", COMMAND },
                { KEY_RESTRICT_ADDRESS_FAMILIES, "AF_INET AF_UNIX",
                        "--restrict-address-families=AF_INET AF_UNIX" },
                { KEY_PERSONALITY, "x86", "--personality=x86" },
                { KEY_LIMIT_CPU, "1min", "--rlimit=RLIMIT_CPU=1min" },
                { KEY_LIMIT_FSIZE, "1G", "--rlimit=RLIMIT_FSIZE=1G" },
                { KEY_LIMIT_DATA, "1M:2M", "--rlimit=RLIMIT_DATA=1M:2M" },
                { KEY_LIMIT_STACK, "infinity", "--rlimit=RLIMIT_STACK=infinity" },
                { KEY_LIMIT_CORE, "0", "--rlimit=RLIMIT_CORE=0" },
                { KEY_LIMIT_RSS, "1K", "--rlimit=RLIMIT_RSS=1K" },
                { KEY_LIMIT_NOFILE, "1:2", "--rlimit=RLIMIT_NOFILE=1:2" },
                { KEY_LIMIT_AS, "1T", "--rlimit=RLIMIT_AS=1T" },
                { KEY_LIMIT_NPROC, "5", "--rlimit=RLIMIT_NPROC=5" },
                { KEY_LIMIT_MEMLOCK, "64K", "--rlimit=RLIMIT_MEMLOCK=64K" },
                { KEY_LIMIT_LOCKS, "5", "--rlimit=RLIMIT_LOCKS=5" },
                { KEY_LIMIT_SIGPENDING, "5", "--rlimit=RLIMIT_SIGPENDING=5" },
                { KEY_LIMIT_MSGQUEUE, "5K", "--rlimit=RLIMIT_MSGQUEUE=5K" },
                { KEY_LIMIT_NICE, "-5", "--rlimit=RLIMIT_NICE=-5" },
                { KEY_LIMIT_RTPRIO, "5", "--rlimit=RLIMIT_RTPRIO=5" },
                { KEY_LIMIT_RTTIME, "5ms", "--rlimit=RLIMIT_RTTIME=5ms" },
                { KEY_OOM_SCORE_ADJUST, "-5", "--oom-score-adjust=-5" },
                { KEY_CPU_AFFINITY, "0-1 3", "--cpu-affinity=0-1 3" },
                { KEY_SUPPRESS_SYNC, "on", "--suppress-sync=yes" },
                { KEY_LOAD_CREDENTIAL, "a:/b", "--load-credential=a:/b" },
                { KEY_SET_CREDENTIAL, "a b:c d",
                        "--load-credential=a b:/run/spawnlet/credentials/web/a b" },
                { KEY_READ_ONLY, "1", "--read-only" },
                { KEY_VOLATILE, "state", "--volatile=state" },
                { KEY_BIND_USER, "anna", "--bind-user=anna" },
                { KEY_BIND_USER_SHELL, "/bin/sh", "--bind-user-shell=/bin/sh",
                        "[Files]\nBindUser=anna\n" },
                { KEY_INACCESSIBLE, "/etc/shadow", "--inaccessible=/etc/shadow" },
                { KEY_OVERLAY, "/a:/b:/c", "--overlay=/a:/b:/c", NO_USERS },
                { KEY_OVERLAY_READ_ONLY, "+/a::/c", "--overlay-ro=+/a::/c", NO_USERS },
                { KEY_PRIVATE_USERS_OWNERSHIP, "auto", "--private-users-ownership=auto" },
                { KEY_DEVICE, "/dev/fuse rw", "--bind=/dev/fuse" },
                { KEY_IMAGE, "/a.raw", "--image=/a.raw" },
                { KEY_NAMESPACE_PATH, "/run/netns/a", "--network-namespace-path=/run/netns/a",
                        NO_USERS },
                { KEY_NAMESPACE, "container:a@b",
                        "--network-namespace-path=/run/spawnlet/netns/a-b", NO_USERS },
                { KEY_DNS, "9.9.9.9",
                        "--bind-ro=/run/spawnlet/resolv/web:/run/host/spawnlet/resolv.conf" },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *definition = NULL;

                assert_int_equal(
                        str_format(&definition, "%s[%s]\n%s=%s\n",
                                cases[i].needs ? cases[i].needs : "", keys[cases[i].id].section,
                                keys[cases[i].id].name, cases[i].value),
                        0);
                assert_word(definition, cases[i].word);
        }

        /* No key with an option was forgotten above. */
        for (size_t id = 0; id < _KEY_MAX; id++) {
                bool found = !keys[id].option;

                for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                        found = found || cases[i].id == (KeyId) id;
                if (!found)
                        fail_msg("%s= is not tested", keys[id].name);
        }
}

static void test_options_keep_their_order(void **state) {
        _cleanup_free_ char *text =
                unit_of("[Files]\nBind=/a\nTemporaryFileSystem=/a/b\nBind=/c\n");
        _cleanup_free_ char *line = line_of(text, "ExecStart=");

        (void) state;

        assert_contains(line, " --bind=/a:/a:idmap --tmpfs=/a/b --bind=/c:/c:idmap ");
}

static void test_environment_without_value(void **state) {
        static const char definition[] = "[Exec]\nEnvironment=A= B= C=c\nHostname=name\n";

        (void) state;

        assert_word(definition, "--setenv=A=");
        assert_word(definition, "--setenv=B=");
        assert_word(definition, "--setenv=C=c");
        assert_word(definition, "--hostname=name");
}

/* In systemd.nspawn(5) a '~' in front is for the whole list, not for its first word alone. */
static void test_system_call_filter_refuses_whole_list(void **state) {
        _cleanup_free_ char *text = unit_of("[Exec]\nSystemCallFilter=~reboot kexec_load\n");
        _cleanup_strv_ char **words = exec_start_words(text), **refused = NULL, **allowed = NULL;
        _cleanup_free_ char *refused_text = NULL;

        (void) state;

        STRV_FOREACH(w, words) {
                const char *value = str_starts_with(*w, "--system-call-filter="), *error;
                _cleanup_strv_ char **calls = NULL;
                bool refuse;

                if (!value)
                        continue;
                refuse = *value == '~';
                assert_int_equal(word_split(value + refuse, 0, &calls, &error), 0);
                STRV_FOREACH(c, calls)
                        assert_int_equal(strv_extend(refuse ? &refused : &allowed, *c), 0);
        }

        refused_text = joined(refused);
        assert_string_equal(refused_text, "reboot|kexec_load");
        assert_int_equal(strv_length(allowed), 0);
}

static void test_escapes(void **state) {
        static const char definition[] =
                "[Exec]\n"
                "Environment=\"A=100% $HOME ${HOME} %i\" 'B=\"' C=\\x5c D=';' \"E=a\\nb\"\n"
                "Parameters=; \"a b\" $X %% \\x01\n"
                "[Files]\n"
                "Bind=/a;b $c:/d\n";

        (void) state;

        assert_word(definition, "--setenv=A=100% $HOME ${HOME} %i");
        assert_word(definition, "--setenv=B=\"");
        assert_word(definition, "--setenv=C=\\");
        assert_word(definition, "--setenv=D=;");
        assert_word(definition, "--setenv=E=a\nb");
        assert_word(definition, "--bind=/a;b $c:/d:idmap");
}

static void test_lone_semicolon(void **state) {
        _cleanup_free_ char *text = unit_of("[Exec]\nParameters=a ; /bin/evil\n");
        _cleanup_free_ char *line = line_of(text, "ExecStart=");

        (void) state;

        assert_contains_not(line, " ; ");
        assert_init("[Exec]\nParameters=a ; /bin/evil\n", "a|;|/bin/evil");
}

/* Mounts */

static void test_bind_sources_are_waited_for(void **state) {
        _cleanup_free_ char *text =
                unit_of("[Files]\nBind=/a b:/x\nBind=+/inside\nBindReadOnly=/c\\:d\n"
                        "Bind=/e:/f:norbind\n");

        (void) state;

        assert_line(text, "RequiresMountsFor=/var/lib/machines/web \"/a b\" /c:d /e");
}

static void test_bind_source_with_slash_is_waited_for(void **state) {
        _cleanup_free_ char *text = unit_of("[Files]\nBind=/srv/data/:/data\n");
        _cleanup_free_ char *line = line_of(text, "RequiresMountsFor=");

        (void) state;

        assert_contains(line, " /srv/data");
}

/* Network */

static void test_shared_network(void **state) {
        _cleanup_free_ char *text = unit_of("[Network]\nPrivate=no\n");

        (void) state;

        assert_null(strstr(text, "/spawnlet-network up"));
        assert_no_word("[Network]\nPrivate=no\n", "--private-network");
}

static void test_private_network_alone(void **state) {
        static const char definition[] = "[Network]\nPrivate=yes\n";
        _cleanup_free_ char *text = unit_of(definition);

        (void) state;

        assert_network(text, "web");
        assert_word(definition, "--private-network");
        assert_no_word(definition, "--network-namespace-path=/run/spawnlet/netns/web");
        assert_word(definition, "--capability=CAP_NET_ADMIN");
}

static void test_private_network_of_the_hosts_users(void **state) {
        static const char definition[] = "[Network]\nPrivate=yes\n" NO_USERS;
        _cleanup_free_ char *text = unit_of(definition);

        (void) state;

        assert_network_up(text, "web");
        assert_word(definition, "--private-network");
        assert_word(definition, "--network-namespace-path=/run/spawnlet/netns/web");
        assert_word(definition, "--capability=CAP_NET_ADMIN");
}

static void test_addresses(void **state) {
        static const char definition[] =
                "[Network]\nHostAddress=10.0.0.1\nHostAddress=fd00::1\nLocalAddress=10.0.0.2/24\n"
                "LocalAddress=fd00::2\nGateway=none\nMACAddress=02:00:00:00:00:01\nMTU=1400\n";
        _cleanup_free_ char *text = unit_of(definition);

        (void) state;

        assert_network(text,
                "web "
                "--host-address=10.0.0.1 "
                "--host-address=fd00::1 --local-address=10.0.0.2/24 --local-address=fd00::2 "
                "--mac-address=02:00:00:00:00:01 --mtu=1400 --gateway=none");
        assert_line(text,
                "ExecReload=" LIBEXEC_DIR "/spawnlet-network reload web "
                "--host-address=10.0.0.1 "
                "--host-address=fd00::1 --local-address=10.0.0.2/24 --local-address=fd00::2 "
                "--mac-address=02:00:00:00:00:01 --mtu=1400 --gateway=none");
        assert_line(text, "Wants=spawnlet-repair.service");
        assert_line(text, "After=spawnlet-repair.service");
}

static void test_pairs_and_uplinks(void **state) {
        _cleanup_free_ char *text =
                unit_of("[Network]\nBridge=br-1\nLocalAddress=10.0.0.2/24\nPort=8080:80\n"
                        "Masquerade=yes\nMACVLAN=eth0:a eth0:b\nInterface=eth.5\nIPVLAN=eth1\n"
                        "[Veth db]\nZone=blue\nHostAddress=10.1.0.1/24\n[Veth st]\nMTU=1300\n");

        (void) state;

        assert_network(text,
                "web --local-address=10.0.0.2/24 "
                "--bridge=br-1 --port=8080:80 --interface=eth.5 --macvlan=eth0:a "
                "--macvlan=eth0:b --ipvlan=eth1 --masquerade --veth=db "
                "--host-address=10.1.0.1/24 --zone=blue --veth=st --mtu=1300");
        /* Each once, escaped as systemd-escape(1) does. */
        assert_line(text,
                "Wants=sys-subsystem-net-devices-br\\x2d1.device "
                "sys-subsystem-net-devices-eth0.device sys-subsystem-net-devices-eth.5.device "
                "sys-subsystem-net-devices-eth1.device");
}

static void test_no_pair(void **state) {
        _cleanup_free_ char *text = unit_of("[Network]\nInterface=eth1\n");

        (void) state;

        assert_network(text, "web --no-veth --interface=eth1");
}

static void test_network_goes_down_after_all(void **state) {
        _cleanup_free_ char *text = unit_of("[Network]\nPrivate=yes\n");

        (void) state;

        assert_line(text, "ExecStopPost=" LIBEXEC_DIR "/spawnlet-cleanup web");
}

/* Reload and stop */

static void test_reload_command(void **state) {
        _cleanup_free_ char *text = unit_of("[Container]\nReloadCommand=/bin/a 'b c' $D 5%\n"),
                            *nix = unit_of("[Container]\nSystem=/nix/store/x\n"
                                           "ReloadCommand=/bin/a\n");

        (void) state;

        assert_line(text,
                "ExecReload=" LIBEXEC_DIR "/spawnlet-enter $MAINPID -- /bin/a \"b c\" $$D "
                "5%%");
        assert_line(nix, "ExecReload=" LIBEXEC_DIR "/spawnlet-enter $MAINPID -- /bin/a");
}

/* The helper gets nine tenths of the unit's own timeout. */
static void test_stop_timeout(void **state) {
        static const struct {
                const char *lines, *timeout;
        } cases[] = {
                { "", "162000ms" },
                { "TimeoutStopSec=10\n", "9000ms" },
                { "TimeoutStopSec=1min 40s\n", "90000ms" },
                { "TimeoutSec=20\n", "18000ms" },
                { "TimeoutSec=20\nTimeoutStopSec=10\n", "9000ms" },
                { "TimeoutStopSec=10\nTimeoutSec=20\n", "18000ms" },
                { "TimeoutStopSec=infinity\n", "infinity" },
                { "TimeoutStopSec=0\n", "infinity" },
                { "TimeoutStartSec=10\n", "162000ms" },
                { "TimeoutStopSec=nonsense\n", "162000ms" }, /* systemd ignores it, too */
                { "TimeoutStopSec=1.5min\n", "81000ms" },
                { "TimeoutStopSec=0.5\n", "450ms" },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *definition = NULL, *text = NULL, *line = NULL;

                assert_int_equal(str_format(&definition, "[Service]\n%s", cases[i].lines), 0);
                assert_int_equal(str_format(&line,
                                         "ExecStop=" LIBEXEC_DIR "/spawnlet-stop "
                                         "--timeout=%s $MAINPID",
                                         cases[i].timeout),
                        0);
                text = unit_of(definition);
                assert_line(text, line);
        }
}

static void test_kill_signal(void **state) {
        static const char definition[] = "[Exec]\nKillSignal=SIGTERM\n";
        _cleanup_free_ char *text = unit_of(definition);

        (void) state;

        assert_word(definition, "--kill-signal=SIGTERM");
        assert_contains(text, "/spawnlet-stop --signal=SIGTERM ");
}

/* Only a Command= without a small init is a program that signals may not reach. */
static void test_stop_of_commands(void **state) {
        _cleanup_free_ char *plain = unit_of("[Container]\nCommand=/bin/a\n"),
                            *two = unit_of("[Container]\nCommand=/bin/a\n[Exec]\nProcessTwo=yes\n");

        (void) state;

        assert_contains(plain, "/spawnlet-stop --signal=SIGTERM --command --timeout=");
        assert_contains(two, "/spawnlet-stop --signal=SIGRTMIN+3 --timeout=");
}

/* A system that exits with 133 wants to reboot, a program does not. */
static void test_reboot_of_systems_only(void **state) {
        _cleanup_free_ char *text = unit_of("[Container]\nCommand=/bin/a\n");

        (void) state;

        assert_no_line(text, "SuccessExitStatus=133");
        assert_no_line(text, "RestartForceExitStatus=");
}

static void test_ready(void **state) {
        (void) state;

        assert_word("[Container]\nHealthCommand=/bin/a\n[Exec]\nNotifyReady=healthy\n",
                "--notify-ready=yes");
        assert_word("[Container]\nHealthCommand=/bin/a\nCommand=/bin/b\n"
                    "[Exec]\nNotifyReady=healthy\n",
                "--notify-ready=no");
        assert_word("[Exec]\nNotifyReady=no\n", "--notify-ready=no");
}

/* What is declared stands in the unit: all at the start, and at a reload what that can change. */
static void test_settings(void **state) {
        _cleanup_free_ char *text = unit_of("[Exec]\nEnvironment=A='1 $2 %i'\n[Files]\nBind=/a\n"
                                            "[Service]\nMemoryMax=1G\nNice=5\n"),
                            *start = line_of(text, "ExecStartPre="),
                            *reload = line_of(text, "ExecReload=");

        (void) state;

        assert_non_null(str_ends_with(start,
                " web \"[Exec]Environment=A=1 $$2 %%i\" [Files]Bind=/a [Service]MemoryMax=1G "
                "[Service]Nice=5"));
        assert_non_null(str_ends_with(reload, " web $MAINPID [Files]Bind=/a"));
}

/* Pass-through */

static void test_pass_through_comes_last(void **state) {
        _cleanup_free_ char *text = unit_of("[Unit]\nAfter=a.service\nWants=%i $A \\x41\n"
                                            "[Service]\nMemoryMax=1G\nRestart=always\n"
                                            "ExecStartPre=-/bin/a \"b\"\n[Install]\n"
                                            "WantedBy=a.target\n");

        (void) state;

        assert_contains(text, "\nAfter=a.service\nWants=%i $A \\x41\n\n[Service]\n");
        assert_non_null(str_ends_with(
                text, "\nMemoryMax=1G\nRestart=always\nExecStartPre=-/bin/a \"b\"\n"));
        assert_no_line(text, "WantedBy");
}

/* No value may take in the line that follows it. */
static void test_backslash_at_the_end_of_a_value(void **state) {
        static const char *const definitions[] = {
                "[Container]\nDescription=a\\ \n",
                "[Unit]\nAfter=a.service\\ \nBefore=b.service\n",
                "[Service]\nMemoryMax=1G\\ \nCPUWeight=1\n",
                "[Container]\nDescription=a\\\\\n",
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(definitions); i++) {
                _cleanup_free_ char *text = unit_of(definitions[i]);

                assert_line(text, "SourcePath=test.container");
                assert_line(text, "[Service]");
                if (i == 1)
                        assert_line(text, "Before=b.service");
                if (i == 2)
                        assert_line(text, "CPUWeight=1");
        }
}

/* systemd ends a line at a carriage return: none may be in a unit. */
static void test_carriage_return_makes_no_line(void **state) {
        static const char *const definitions[] = {
                "[Container]\nDescription=a\rExecStartPre=/bin/evil\n",
                "[Unit]\nAfter=a.service\rSourcePath=/evil\n",
                "[Service]\nMemoryMax=1G\rType=simple\n",
                "[Container]\nRoot=/srv/a\rb\n",
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(definitions); i++) {
                _cleanup_(definition_freep) Definition *d = NULL;
                _cleanup_diags_ Diags diags = {};
                _cleanup_free_ char *text = NULL;

                d = define("web", definitions[i], &diags);
                if (diags_count(&diags, SEVERITY_ERROR) > 0)
                        assert_int_equal(unit_stub_text(d, &diags, &text), 0);
                else
                        assert_int_equal(unit_text(d, &text), 0);
                assert_null(strchr(text, '\r'));
                assert_no_line(text, "ExecStartPre=/bin/evil");
                assert_no_line(text, "SourcePath=/evil");
                assert_no_line(text, "Type=simple");
        }
}

/* Drop-ins are named in comments; a file name may hold any byte but a slash. */
static void test_names_of_files_make_no_line(void **state) {
        static const char *const names[] = { "a\nExecStart=/bin/evil.conf", "a\r[Service].conf",
                "b.conf" };
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};
        _cleanup_free_ char *text = NULL;

        (void) state;

        d = define("web", "", &diags);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_int_equal(definition_parse(d, names[i], "", 0, &diags), 0);
        assert_int_equal(unit_text(d, &text), 0);
        assert_contains(text, "# with b.conf\n");
        assert_no_line(text, "ExecStart=/bin/evil");
        assert_contains_not(text, "\r");
}

static void test_source_path(void **state) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};
        _cleanup_free_ char *text = NULL;

        (void) state;

        assert_int_equal(definition_new("web", &d), 0);
        assert_int_equal(definition_parse(d, "/etc/100%/web.container", "", 0, &diags), 0);
        assert_int_equal(unit_text(d, &text), 0);
        assert_line(text, "SourcePath=/etc/100%%/web.container");
}

/* Whatever a value holds, the unit has the lines that it would have without. */
static void test_random_values_make_no_line(void **state) {
        static const char *const pieces[] = { "%", "%i", "$", "${A}", ";", " ; ", "\"", "'", "\\",
                "\\n", "\\x0a", "\\x0d", "\\012", "\\ ", " ", "\t", "=", "#", "[", "]", "a", "A=b",
                "/", ":", "\x01", "\x7f", "\xc3\xa4", "\xf0\x9f\x98\x80", "\\xff", "~", "\\\\" };
        static const char *const heads[] = { "[Container]\nDescription=x", "[Container]\nRoot=/x",
                "[Container]\nInit=/x", "[Container]\nReloadCommand=/x", "[Container]\nSystem=/x",
                "[Exec]\nParameters=x", "[Exec]\nEnvironment=A=x", "[Exec]\nWorkingDirectory=/x",
                "[Exec]\nSetCredential=a:x", "[Files]\nBind=/x", "[Files]\nTemporaryFileSystem=/x",
                "[Unit]\nAfter=x", "[Service]\nMemoryMax=x" };
        uint64_t random = 6;
        unsigned n_right = 0;

        (void) state;

        for (unsigned i = 0; i < test_rounds(); i++) {
                const char *head = heads[i % ELEMENTSOF(heads)];
                _cleanup_(definition_freep) Definition *d = NULL;
                _cleanup_strv_ char **lines = NULL, **plain_lines = NULL;
                _cleanup_free_ char *text = NULL, *plain = unit_of(head);
                _cleanup_diags_ Diags diags = {};
                _cleanup_str_ Str s = {};

                str_append(&s, head);
                for (unsigned n = i % 7; n > 0; n--) {
                        random = random * UINT64_C(6364136223846793005) + 1;
                        str_append(&s, pieces[(random >> 33) % ELEMENTSOF(pieces)]);
                }
                str_append_char(&s, '\n');

                d = define("web", s.data, &diags);
                if (diags_count(&diags, SEVERITY_ERROR) > 0) {
                        assert_int_equal(unit_stub_text(d, &diags, &text), 0);
                        lines = lines_of(text);
                        continue;
                }

                n_right++;
                assert_int_equal(unit_text(d, &text), 0);
                lines = lines_of(text);
                plain_lines = lines_of(plain);
                if (strv_length(lines) != strv_length(plain_lines))
                        fail_msg("%s\n%s", s.data, text);
                for (size_t k = 0; lines[k]; k++) {
                        size_t n = strcspn(lines[k], "=");

                        if (n != strcspn(plain_lines[k], "=") ||
                                memcmp(lines[k], plain_lines[k], n) != 0)
                                fail_msg("%s\n%s", s.data, text);
                }
        }

        assert_true(n_right >= test_rounds() / 4); /* else the pieces test nothing */
}

/* Stubs */

static void test_stub(void **state) {
        _cleanup_free_ char *text =
                stub_of("[Network]\nFrobnicate=1\nMTU=5%\n[Service]\nMemoryMax=1G\n"
                        "[Unit]\nAfter=a.service\n");

        (void) state;

        assert_line(text,
                "Description=Container 'web', not valid: test.container:3: [Network] MTU=5%%: not "
                "a "
                "number from 68 to 65535");
        assert_line(text, "SourcePath=test.container");
        assert_line(text, "ExecStart=" BIN_DIR "/spawnlet check --from-unit web");
        assert_line(text, "SyslogIdentifier=container-web");
        assert_no_line(text, "ExecStart=systemd-nspawn");
        assert_no_line(text, "ExecStartPre=");
        assert_no_line(text, "Restart=");
        assert_no_line(text, "MemoryMax=");
}

/* What runs when the definition is spoiled is stopped by the stub, within the stub's timeout. */
static void test_stub_stops(void **state) {
        _cleanup_free_ char *text = stub_of("[Network]\nMTU=x\n[Service]\nTimeoutStopSec=1h\n");
        _cleanup_free_ char *stop = line_of(text, "ExecStop=");

        (void) state;

        assert_line(text, "TimeoutStopSec=1h");
        assert_contains(stop, " --timeout=3240000ms ");
}

static void test_stub_of_nasty_definition(void **state) {
        static const char *const definitions[] = {
                "[Network]\nMTU=%i \\x41 \"a\n",
                "[Network]\nMTU=\x1b\x01\\ \n",
                "[Exec]\nEnvironment=\\xff\\x0a\n",
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(definitions); i++) {
                _cleanup_free_ char *text = stub_of(definitions[i]);
                _cleanup_free_ char *line = line_of(text, "Description=");

                assert_line(text, "SourcePath=test.container");
                for (const char *p = line; *p; p++)
                        if (*p == '%')
                                assert_int_equal(*++p, '%');
        }
}

/* Links */

static void assert_links(const char *definition, const char *expected) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};
        _cleanup_strv_ char **links = NULL;
        _cleanup_free_ char *text = NULL;

        d = define("web", definition, &diags);
        assert_diags(&diags, "");
        assert_int_equal(unit_links(d, &links), 0);
        text = joined(links);
        assert_string_equal(text, expected);
}

static void test_links(void **state) {
        (void) state;

        assert_links("", "machines.target.wants/container-web.service");
        assert_links("[Container]\nAutoStart=no\n", "");
        assert_links("[Container]\nAutoStart=no\n[Install]\nWantedBy=a.target b.target\n"
                     "RequiredBy=c.service\nUpheldBy=d.target\nAlias=e.service\n",
                "a.target.wants/container-web.service|b.target.wants/container-web.service|"
                "c.service.requires/container-web.service|d.target.upholds/container-web.service|"
                "e.service");
        assert_links("[Container]\nAutoStart=no\n[Install]\nAlias=container-web.service\n", "");
}

static void test_install_is_reset_by_an_empty_value(void **state) {
        (void) state;

        assert_links(
                "[Container]\nAutoStart=no\n[Install]\nWantedBy=a.target\nRequiredBy=b.target\n"
                "WantedBy=\nWantedBy=c.target\n",
                "b.target.requires/container-web.service|c.target.wants/container-web.service");
}

/* systemd reads them without C escapes: "\x2d" is a part of the name. */
static void test_escapes_in_names_of_units(void **state) {
        (void) state;

        assert_links("[Container]\nAutoStart=no\n[Install]\nWantedBy=srv-my\\x2ddata.mount\n",
                "srv-my\\x2ddata.mount.wants/container-web.service");
        assert_word("[Container]\nSystem=host\nServices=a\\x2db.service\n",
                "systemd.wants=a\\x2db.service");
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_in_every_unit),
                cmocka_unit_test(test_sections_in_order),
                cmocka_unit_test(test_description),
                cmocka_unit_test(test_root),
                cmocka_unit_test(test_system_root),
                cmocka_unit_test(test_system_host),
                cmocka_unit_test(test_init),
                cmocka_unit_test(test_system_in_nix_store),
                cmocka_unit_test(test_system_in_a_profile),
                cmocka_unit_test(test_system_elsewhere),
                cmocka_unit_test(test_system_path_with_colon),
                cmocka_unit_test(test_keys_that_become_options),
                cmocka_unit_test(test_options_keep_their_order),
                cmocka_unit_test(test_environment_without_value),
                cmocka_unit_test(test_system_call_filter_refuses_whole_list),
                cmocka_unit_test(test_escapes),
                cmocka_unit_test(test_lone_semicolon),
                cmocka_unit_test(test_bind_sources_are_waited_for),
                cmocka_unit_test(test_bind_source_with_slash_is_waited_for),
                cmocka_unit_test(test_shared_network),
                cmocka_unit_test(test_private_network_alone),
                cmocka_unit_test(test_private_network_of_the_hosts_users),
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_pairs_and_uplinks),
                cmocka_unit_test(test_no_pair),
                cmocka_unit_test(test_network_goes_down_after_all),
                cmocka_unit_test(test_reload_command),
                cmocka_unit_test(test_stop_timeout),
                cmocka_unit_test(test_kill_signal),
                cmocka_unit_test(test_stop_of_commands),
                cmocka_unit_test(test_reboot_of_systems_only),
                cmocka_unit_test(test_ready),
                cmocka_unit_test(test_settings),
                cmocka_unit_test(test_pass_through_comes_last),
                cmocka_unit_test(test_backslash_at_the_end_of_a_value),
                cmocka_unit_test(test_carriage_return_makes_no_line),
                cmocka_unit_test(test_names_of_files_make_no_line),
                cmocka_unit_test(test_source_path),
                cmocka_unit_test(test_random_values_make_no_line),
                cmocka_unit_test(test_stub),
                cmocka_unit_test(test_stub_stops),
                cmocka_unit_test(test_stub_of_nasty_definition),
                cmocka_unit_test(test_links),
                cmocka_unit_test(test_install_is_reset_by_an_empty_value),
                cmocka_unit_test(test_escapes_in_names_of_units),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
