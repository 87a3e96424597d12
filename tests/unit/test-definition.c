/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * test-definition: from the text of a file to settings, what is said of wrong lines, and the
 * checks of settings against each other.
 */

#include "tests/unit/test.h"

#include "common/base/ini.h"

/* The settings as text, one a line, in their order. */
static char *settings_text(const Definition *d) {
        Str s = {};
        char *text = NULL;

        for (size_t i = 0; i < d->n_settings; i++) {
                const Setting *setting = &d->settings[i];

                str_appendf(&s, "%s.%s=%s@%u\n", setting->section,
                        setting->key ? setting->key->name : setting->name, setting->value,
                        setting->line);
                assert_true(strv_contains(d->files, setting->file));
        }

        assert_int_equal(str_take(&s, &text), 0);
        return text;
}

static void assert_defines(const char *text, const char *settings, const char *diags) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_free_ char *actual = NULL;
        _cleanup_diags_ Diags found = {};

        d = define("web", text, &found);
        actual = settings_text(d);
        assert_string_equal(actual, settings);
        assert_diags(&found, diags);
}

/* One file after the other, as with drop-ins. */
static Definition *define_files(const char *const *texts, size_t n, Diags *diags) {
        Definition *d = NULL;

        assert_int_equal(definition_new("web", &d), 0);
        for (size_t i = 0; i < n; i++) {
                char path[32];

                (void) snprintf(path, sizeof(path), "file-%zu", i);
                assert_int_equal(definition_parse(d, path, texts[i], strlen(texts[i]), diags), 0);
        }
        assert_int_equal(check_definition(d, diags), 0);
        return d;
}

static void test_empty(void **state) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};
        _cleanup_free_ char *root = NULL;

        (void) state;

        d = define("web", "", &diags);
        assert_int_equal(diags.n, 0);
        assert_string_equal(d->name, "web");
        assert_int_equal(d->n_settings, 0);
        assert_int_equal(definition_system(d), SYSTEM_ROOT);
        assert_int_equal(definition_network(d), NETWORK_HOST);
        assert_true(definition_boolean(d, KEY_AUTO_START, true));
        assert_false(definition_boolean(d, KEY_AUTO_START, false));
        assert_null(definition_value(d, KEY_ROOT));
        assert_null(definition_find(d, KEY_BIND));
        assert_null(definition_next(d, KEY_BIND, NULL));
        assert_int_equal(definition_root(d, &root), 0);
        assert_string_equal(root, "/var/lib/machines/web");
}

static void test_free_takes_null(void **state) {
        (void) state;

        assert_null(definition_free(NULL));
}

static void test_last_value_counts(void **state) {
        (void) state;

        assert_defines("[Container]\nRoot=/a\nAutoStart=yes\nRoot=/b\n",
                "Container.AutoStart=yes@3\nContainer.Root=/b@4\n", "");
}

static void test_lists_add_up(void **state) {
        (void) state;

        assert_defines("[Files]\nBind=/a\nBindReadOnly=/b\nBind=/c\n",
                "Files.Bind=/a@2\nFiles.BindReadOnly=/b@3\nFiles.Bind=/c@4\n", "");
        assert_defines("[Exec]\nEnvironment=A=1 B=2\nEnvironment=A=3\n",
                "Exec.Environment=A=1@2\nExec.Environment=B=2@2\nExec.Environment=A=3@3\n", "");
}

static void test_command_is_replaced_whole(void **state) {
        (void) state;

        assert_defines("[Container]\nReloadCommand=/bin/a b c\nReloadCommand=/bin/d e\n",
                "Container.ReloadCommand=/bin/d@3\nContainer.ReloadCommand=e@3\n", "");
}

static void test_empty_value_resets(void **state) {
        (void) state;

        assert_defines("[Files]\nBind=/a\nBindReadOnly=/b\nBind=\nBind=/c\n",
                "Files.BindReadOnly=/b@3\nFiles.Bind=/c@5\n", "");
        assert_defines("[Container]\nRoot=/a\nRoot=\n", "", "");
        assert_defines("[Network]\nLocalAddress=10.0.0.2\nLocalAddress=\n", "", "");
}

static void test_files_add_up(void **state) {
        static const char *const texts[] = { "[Exec]\nParameters=a\n[Files]\nBind=/a\n",
                "[Exec]\nParameters=b\n", "[Files]\nBind=\nBind=/b\n" };
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};
        _cleanup_free_ char *text = NULL;

        (void) state;

        d = define_files(texts, ELEMENTSOF(texts), &diags);
        text = settings_text(d);
        assert_string_equal(text, "Exec.Parameters=a@2\nExec.Parameters=b@2\nFiles.Bind=/b@3\n");
        assert_int_equal(strv_length(d->files), 3);
        assert_string_equal(definition_find(d, KEY_BIND)->file, "file-2");
        assert_string_equal(definition_next(d, KEY_PARAMETERS, NULL)->file, "file-0");
}

/* A section does not reach over into the next file. */
static void test_section_ends_with_its_file(void **state) {
        static const char *const texts[] = { "[Files]\nBind=/a\n", "Bind=/b\n" };
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};

        (void) state;

        d = define_files(texts, ELEMENTSOF(texts), &diags);
        assert_int_equal(d->n_settings, 1);
        assert_diags(&diags,
                "file-1:1: an assignment outside of any section (begin with [Container] or another "
                "section)\n");
}

static void test_unknown_key(void **state) {
        (void) state;

        assert_defines("[Network]\nLocalAdress=10.0.0.2\n", "",
                "warning: test.container:2: [Network] LocalAdress=10.0.0.2: unknown key, ignored "
                "(did you mean 'LocalAddress='?)\n");
        assert_defines("[Container]\nMTU=1500\n", "",
                "warning: test.container:2: [Container] MTU=1500: unknown key, ignored "
                "('MTU=' belongs into [Network])\n");
        assert_defines("[Container]\nFrobnicate=yes\n", "",
                "warning: test.container:2: [Container] Frobnicate=yes: unknown key, ignored\n");
}

static void test_unknown_section(void **state) {
        (void) state;

        assert_defines("[Netwrok]\nLocalAddress=x\n[X-Notes]\nA=b\n[Frobnicate]\nA=b\n", "",
                "warning: test.container:1: [Netwrok]: unknown section, everything in it is "
                "ignored "
                "(did you mean '[Network]'?)\n"
                "warning: test.container:5: [Frobnicate]: unknown section, everything in it is "
                "ignored\n");
}

static void test_bad_value(void **state) {
        (void) state;

        assert_defines("[Network]\nLocalAddress=10.0.0.300\nMTU=68\n", "Network.MTU=68@3\n",
                "test.container:2: [Network] LocalAddress=10.0.0.300: not an IPv4 or IPv6 "
                "address\n");
        assert_defines("[Exec]\nEnvironment=A=1 B\n", "",
                "test.container:2: [Exec] Environment=A=1 B: 'B' is not an assignment, such as "
                "'NAME=value'\n");
}

static void test_pass_through(void **state) {
        (void) state;

        assert_defines("[Unit]\nAfter=a.service b.service\nAfter=\n[Service]\nMemoryMax=1G\n"
                       "ExecStartPre=/bin/a $B %i \\x41\nEnvironment=\n",
                "Unit.After=a.service b.service@2\nUnit.After=@3\nService.MemoryMax=1G@5\n"
                "Service.ExecStartPre=/bin/a $B %i \\x41@6\nService.Environment=@7\n",
                "");
}

static void test_refused_lines(void **state) {
        static const char *const lines[] = { "Type=simple", "ExecStart=/bin/true",
                "ExecStart=", "ExecStop=/bin/true", "ExecReload=/bin/true",
                "ExecCondition=/bin/true", "KillMode=process", "KillSignal=SIGTERM", "Delegate=no",
                "DelegateSubgroup=a", "NotifyAccess=all", "RemainAfterExit=yes",
                "PIDFile=/run/a.pid", "BusName=a.b", "GuessMainPID=no", "RootDirectory=/a",
                "RootImage=/a", "User=a", "Group=a", "DynamicUser=yes", "PrivateNetwork=yes",
                "NetworkNamespacePath=/a" };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                _cleanup_(definition_freep) Definition *d = NULL;
                _cleanup_free_ char *text = NULL, *found = NULL;
                _cleanup_diags_ Diags diags = {};

                assert_int_equal(str_format(&text, "[Service]\n%s\n", lines[i]), 0);
                d = define("web", text, &diags);
                found = diags_text(&diags);
                assert_int_equal(d->n_settings, 0);
                assert_int_equal(diags_count(&diags, SEVERITY_ERROR), 1);
                assert_contains(found, lines[i]);
                assert_contains(found, "this line makes the unit a container's");
        }

        assert_defines("[Unit]\nSourcePath=/a\n", "",
                "test.container:2: [Unit] SourcePath=/a: this line makes the unit a container's "
                "and "
                "cannot be changed\n");
}

/* systemd skips a byte order mark before any line, not only before the first one. */
static void test_refused_line_behind_byte_order_mark(void **state) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};

        (void) state;

        d = define("web", "[Service]\n\xef\xbb\xbfType=simple\n", &diags);
        for (size_t i = 0; i < d->n_settings; i++)
                assert_null(str_ends_with(d->settings[i].name, "Type"));
}

static void test_exec_lines_cannot_be_reset(void **state) {
        (void) state;

        assert_defines("[Service]\nExecStartPre=\n", "",
                "test.container:2: [Service] ExecStartPre=: an empty assignment would remove "
                "spawnlet's own lines\n");
        assert_defines("[Service]\nExecStopPost=\n", "",
                "test.container:2: [Service] ExecStopPost=: an empty assignment would remove "
                "spawnlet's own lines\n");
}

static void test_install(void **state) {
        (void) state;

        assert_defines("[Install]\nWantedBy=a.target b.target\nAlias=c.service\n",
                "Install.WantedBy=a.target b.target@2\nInstall.Alias=c.service@3\n", "");
        assert_defines("[Install]\nAlso=a.service\n", "",
                "warning: test.container:2: [Install] Also=a.service: has no effect in a "
                "definition, "
                "ignored (WantedBy=, RequiredBy=, UpheldBy= and Alias= have an effect)\n");
        assert_defines("[Install]\nWantedBy=multi-user\n", "",
                "test.container:2: [Install] WantedBy=multi-user: 'multi-user' is not the name of "
                "a "
                "unit, such as 'nginx.service'\n");
        assert_defines("[Install]\nAlias=a.target\n", "",
                "test.container:2: [Install] Alias=a.target: 'a.target' is not the name of a "
                "service\n");
}

static void test_private_network(void **state) {
        static const struct {
                const char *lines;
                bool private;
        } cases[] = {
                { "", false },
                { "Private=yes\n", true },
                { "Private=no\n", false },
                { "HostAddress=10.0.0.1\n", true },
                { "LocalAddress=10.0.0.2\n", true },
                { "Gateway=none\n", true },
                { "MACAddress=02:00:00:00:00:01\n", true },
                { "MTU=1500\n", true },
                { "MTU=1500\nMTU=\n", false },
                { "Private=no\nPrivate=\nMTU=1500\n", true },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(definition_freep) Definition *d = NULL;
                _cleanup_free_ char *text = NULL;
                _cleanup_diags_ Diags diags = {};

                assert_int_equal(str_format(&text, "[Network]\n%s", cases[i].lines), 0);
                d = define("web", text, &diags);
                assert_diags(&diags, "");
                if ((definition_network(d) == NETWORK_OWN) != cases[i].private)
                        fail_msg("case %zu", i);
        }
}

static void test_network_contradictions(void **state) {
        (void) state;

        assert_defines("[Network]\nPrivate=no\nLocalAddress=10.0.0.2\nMTU=1500\n",
                "Network.Private=no@2\nNetwork.LocalAddress=10.0.0.2@3\nNetwork.MTU=1500@4\n",
                "test.container:3: [Network] LocalAddress=10.0.0.2: contradicts Private=no (remove "
                "this line or Private=no)\n"
                "test.container:4: [Network] MTU=1500: contradicts Private=no (remove this line or "
                "Private=no)\n");
}

static void test_gateway_needs_its_family(void **state) {
        (void) state;

        assert_defines("[Network]\nLocalAddress=10.0.0.2\nGateway=fd00::1\nGateway=10.0.0.1\n",
                "Network.LocalAddress=10.0.0.2@2\nNetwork.Gateway=fd00::1@3\n"
                "Network.Gateway=10.0.0.1@4\n",
                "test.container:3: [Network] Gateway=fd00::1: the container has no address of this "
                "family (add a LocalAddress=)\n");
        assert_defines("[Network]\nGateway=none\n", "Network.Gateway=none@2\n", "");
}

static void assert_contradiction(const char *text, const char *line, const char *message) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_free_ char *found = NULL;
        _cleanup_diags_ Diags diags = {};

        d = define("web", text, &diags);
        found = diags_text(&diags);
        assert_int_equal(diags.n, 1);
        assert_int_equal(diags_count(&diags, SEVERITY_ERROR), 1);
        assert_contains(found, line);
        assert_contains(found, message);
}

static void test_one_gateway_of_a_family(void **state) {
        static const struct {
                const char *gateways, *line, *message;
        } cases[] = {
                { "Gateway=10.0.0.1\nGateway=10.0.0.3\n",
                        "test.container:5: [Network] Gateway=10.0.0.3: ",
                        "of this family already" },
                { "Gateway=none\nGateway=10.0.0.1\n",
                        "test.container:5: [Network] Gateway=10.0.0.1: ", "'none' contradicts" },
                { "Gateway=fd00::1\nGateway=none\n",
                        "test.container:5: [Network] Gateway=none: ", "'none' contradicts" },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *text = NULL;

                assert_int_equal(
                        str_format(&text,
                                "[Network]\nLocalAddress=10.0.0.2\nLocalAddress=fd00::2\n%s",
                                cases[i].gateways),
                        0);
                assert_contradiction(text, cases[i].line, cases[i].message);
        }
}

static void test_number_of_addresses(void **state) {
        static const char *const names[] = { "HostAddress", "LocalAddress" };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                for (unsigned n = ADDRESSES_MAX; n <= ADDRESSES_MAX + 1; n++) {
                        _cleanup_(definition_freep) Definition *d = NULL;
                        _cleanup_diags_ Diags diags = {};
                        _cleanup_str_ Str s = {};

                        str_append(&s, "[Network]\n");
                        for (unsigned k = 1; k <= n; k++)
                                str_appendf(&s, "%s=10.0.0.%u\n", names[i], k);
                        d = define("web", s.data, &diags);
                        assert_int_equal(diags_count(&diags, SEVERITY_ERROR), n - ADDRESSES_MAX);
                }
}

static void test_private_users(void **state) {
        (void) state;

        assert_contradiction("[Exec]\nPrivateUsers=managed\n[Network]\nPrivate=yes\n",
                "test.container:2: [Exec] PrivateUsers=managed: ", "a network of its own");
        assert_contradiction("[Exec]\nPrivateUsers=managed\n[Container]\nSystem=host\n",
                "test.container:2: [Exec] PrivateUsers=managed: ", "shared with the host");
        assert_contradiction("[Container]\nImage=/a\n[Exec]\nPrivateUsers=pick\n[Network]\n"
                             "NamespacePath=/b\n",
                "test.container:2: [Container] Image=/a: ", "that is joined");
        assert_defines("[Exec]\nPrivateUsers=65534:2\n", "Exec.PrivateUsers=65534:2@2\n",
                "warning: test.container:2: [Exec] PrivateUsers=65534:2: users of the host may be "
                "among them (use PrivateUsers=pick, or a range from 65536 on)\n");
        assert_defines("[Exec]\nPrivateUsers=0:1000\n", "Exec.PrivateUsers=0:1000@2\n", "");
        assert_defines("[Exec]\nPrivateUsers=pick\n[Network]\nPrivate=yes\n",
                "Exec.PrivateUsers=pick@2\nNetwork.Private=yes@4\n", "");
        assert_defines("[Exec]\nPrivateUsers=pick\n", "Exec.PrivateUsers=pick@2\n", "");
        assert_defines("[Exec]\nPrivateUsers=no\n[Network]\nPrivate=yes\n",
                "Exec.PrivateUsers=no@2\nNetwork.Private=yes@4\n", "");
}

static void test_system(void **state) {
        _cleanup_(definition_freep) Definition *host = NULL, *path = NULL;
        _cleanup_diags_ Diags diags = {};

        (void) state;

        host = define("web", "[Container]\nSystem=host\n", &diags);
        path = define("web", "[Container]\nSystem=/nix/x\n", &diags);
        assert_int_equal(definition_system(host), SYSTEM_HOST);
        assert_int_equal(definition_system(path), SYSTEM_PATH);
        assert_int_equal(diags.n, 0);
}

static void test_container_contradictions(void **state) {
        (void) state;

        assert_defines("[Container]\nServices=a.service\n", "Container.Services=a.service@2\n",
                "test.container:2: [Container] Services=a.service: has a meaning only with "
                "System=host (enable the units inside the container)\n");
        assert_defines("[Container]\nSystem=/nix/x\nInit=/init\n",
                "Container.System=/nix/x@2\nContainer.Init=/init@3\n",
                "test.container:3: [Container] Init=/init: contradicts System=, which brings its "
                "own "
                "init (remove this line)\n");
        assert_defines("[Container]\nRoot=/\n", "Container.Root=/@2\n",
                "test.container:2: [Container] Root=/: the host's own root directory cannot be a "
                "container's (use System=host to share the host's /usr)\n");
        assert_defines("[Container]\nSystem=host\nServices=a.service\n",
                "Container.System=host@2\nContainer.Services=a.service@3\n", "");
        assert_contradiction("[Container]\nSystem=host\nServices=a.service\nInit=/i\n",
                "test.container:3: [Container] Services=a.service: ", "init");
}

static void test_bind_source(void **state) {
        static const struct {
                const char *value, *source;
        } cases[] = {
                { "/a", "/a" },
                { "/a:/b:norbind", "/a" },
                { "/a b:/c", "/a b" },
                { "/a\\:b:/c", "/a:b" },
                { "/a\\\\:/c", "/a\\" },
                { "/a\\\\\\:b:/c", "/a\\:b" },
                { "+/a:/b", NULL },
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *source = NULL;

                assert_int_equal(bind_source(cases[i].value, &source), 0);
                if (!str_equal(source, cases[i].source))
                        fail_msg("'%s': '%s'", cases[i].value, source ? source : "NULL");
        }
}

static void test_unreadable_text(void **state) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};

        (void) state;

        assert_int_equal(definition_new("web", &d), 0);
        assert_int_equal(definition_parse(d, "f", "[Files]\n\0Bind=/a\n", 17, &diags), 0);
        assert_int_equal(d->n_settings, 0);
        assert_diags(&diags, "f:2: the file contains a NUL byte\n");
}

static void test_read_file(void **state) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_free_ char *expected = NULL;
        _cleanup_diags_ Diags diags = {};
        char path[PATH_MAX];

        write_text(*state, "web.container", "[Container]\nRoot=/a\nRoot=b\n");
        (void) path_in(*state, "web.container", path);
        assert_int_equal(definition_new("web", &d), 0);
        assert_int_equal(definition_read(d, path, &diags), 0);
        assert_string_equal(definition_value(d, KEY_ROOT), "/a");
        assert_int_equal(
                str_format(&expected,
                        "%s:3: [Container] Root=b: not an absolute path without '..', '//' "
                        "or '/' at its end\n",
                        path),
                0);
        assert_diags(&diags, expected);
}

static void assert_unreadable(const char *path, const char *reason) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_free_ char *expected = NULL;
        _cleanup_diags_ Diags diags = {};

        assert_int_equal(definition_new("web", &d), 0);
        assert_int_equal(definition_read(d, path, &diags), 0);
        assert_int_equal(str_format(&expected, "%s: %s\n", path, reason), 0);
        assert_diags(&diags, expected);
        assert_int_equal(strv_length(d->files), 1); /* the unit has a source all the same */
}

static void test_unreadable_files(void **state) {
        char path[PATH_MAX];

        assert_unreadable(path_in(*state, "missing", path), "No such file or directory");
        assert_unreadable(*state, "not a regular file");

        (void) path_in(*state, "fifo", path);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_unreadable(path, "not a regular file");

        (void) path_in(*state, "loop", path);
        assert_int_equal(symlink("loop", path), 0);
        assert_unreadable(path, "Too many levels of symbolic links");
}

static void test_file_size(void **state) {
        _cleanup_free_ char *text = malloc(INI_FILE_MAX + 2);
        char path[PATH_MAX];

        assert_non_null(text);
        memset(text, '\n', INI_FILE_MAX + 1);
        memcpy(text, "[Container]\nRoot=/a\n", 20);
        (void) path_in(*state, "web.container", path);

        for (size_t over = 0; over < 2; over++) {
                _cleanup_(definition_freep) Definition *d = NULL;
                _cleanup_diags_ Diags diags = {};

                write_bytes(*state, "web.container", text, INI_FILE_MAX + over);
                if (over) {
                        assert_unreadable(path, "larger than 1 MiB");
                        continue;
                }
                assert_int_equal(definition_new("web", &d), 0);
                assert_int_equal(definition_read(d, path, &diags), 0);
                assert_diags(&diags, "");
                assert_string_equal(definition_value(d, KEY_ROOT), "/a");
        }
}

/* Findings as text */

static void test_finding_hides_control_characters(void **state) {
        _cleanup_(definition_freep) Definition *d = NULL;
        _cleanup_diags_ Diags diags = {};
        _cleanup_free_ char *text = NULL;

        (void) state;

        d = define("web", "[Network]\nMTU=\x1b[31m\x7f\n[S\x01]\n", &diags);
        text = diags_text(&diags);
        assert_string_equal(text,
                "test.container:2: [Network] MTU=?[31m?: not a number from 68 to 65535\n"
                "warning: test.container:3: [S?]: unknown section, everything in it is ignored\n");
}

/* A finding becomes the Description= of the stub, where one wrong byte costs the whole unit. */
static void test_finding_is_utf8(void **state) {
        static const char *const texts[] = {
                "[Exec]\nEnvironment=\\xff\n",
                /* cut in the middle of a character, wherever the cut is */
                "[Network]\nMTU=\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\n",
                "[Network]\nMTU=x\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\n",
        };

        (void) state;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_(definition_freep) Definition *d = NULL;
                _cleanup_diags_ Diags diags = {};
                _cleanup_free_ char *text = NULL;

                d = define("web", texts[i], &diags);
                assert_int_equal(diags_count(&diags, SEVERITY_ERROR), 1);
                text = diags_text(&diags);
                if (!str_is_utf8(text, strlen(text)))
                        fail_msg("case %zu: %s", i, text);
                /* json-c, jansson and others want UTF-8 in each single string. */
                assert_true(str_is_utf8(diags.items[0].message, strlen(diags.items[0].message)));
        }
}

/* The message is a fixed buffer: its end must not cut a character, either. */
static void test_long_message_is_utf8(void **state) {
        (void) state;

        for (size_t shift = 0; shift < 2; shift++) {
                _cleanup_(definition_freep) Definition *d = NULL;
                _cleanup_diags_ Diags diags = {};
                _cleanup_str_ Str s = {};

                str_append(&s, shift ? "[Exec]\nEnvironment=x" : "[Exec]\nEnvironment=");
                for (size_t i = 0; i < 600; i++)
                        str_append(&s, "\xc3\xa4");
                d = define("web", s.data, &diags);
                assert_int_equal(diags.n, 1);
                assert_true(str_is_utf8(diags.items[0].message, strlen(diags.items[0].message)));
        }
}

static void test_finding_shortens_values(void **state) {
        static const char eighty[] = "01234567890123456789012345678901234567890123456789"
                                     "012345678901234567890123456789";
        _cleanup_free_ char *expected = NULL, *more = NULL;
        _cleanup_diags_ Diags diags = {};

        (void) state;

        assert_int_equal(str_format(&more, "%sx", eighty), 0);
        const char *const values[] = { eighty, more };

        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                const Place place = {
                        .file = "f", .line = 3, .section = "S", .key = "K", .value = values[i]
                };

                assert_int_equal(diags_add(&diags, SEVERITY_ERROR, &place, "h", "%s", "m"), 0);
        }

        assert_int_equal(str_format(&expected, "f:3: [S] K=%s: m (h)\nf:3: [S] K=%s...: m (h)\n",
                                 eighty, eighty),
                0);
        assert_diags(&diags, expected);
}

static void test_finding_leaves_out_what_is_missing(void **state) {
        const Place file = { .file = "f" }, line = { .file = "f", .line = 1 };
        _cleanup_diags_ Diags diags = {};

        (void) state;

        assert_int_equal(diags_add(&diags, SEVERITY_WARNING, &file, NULL, "m"), 0);
        assert_int_equal(diags_add(&diags, SEVERITY_ERROR, &line, "h", "m"), 0);
        assert_diags(&diags, "warning: f: m\nf:1: m (h)\n");
        assert_int_equal(diags_count(&diags, SEVERITY_ERROR), 1);
        assert_int_equal(diags_count(&diags, SEVERITY_WARNING), 1);
}

#define IN_DIRECTORY(f) cmocka_unit_test_setup_teardown(f, directory_setup, directory_teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty),
                cmocka_unit_test(test_free_takes_null),
                cmocka_unit_test(test_last_value_counts),
                cmocka_unit_test(test_lists_add_up),
                cmocka_unit_test(test_command_is_replaced_whole),
                cmocka_unit_test(test_empty_value_resets),
                cmocka_unit_test(test_files_add_up),
                cmocka_unit_test(test_section_ends_with_its_file),
                cmocka_unit_test(test_unknown_key),
                cmocka_unit_test(test_unknown_section),
                cmocka_unit_test(test_bad_value),
                cmocka_unit_test(test_pass_through),
                cmocka_unit_test(test_refused_lines),
                cmocka_unit_test(test_refused_line_behind_byte_order_mark),
                cmocka_unit_test(test_exec_lines_cannot_be_reset),
                cmocka_unit_test(test_install),
                cmocka_unit_test(test_private_network),
                cmocka_unit_test(test_network_contradictions),
                cmocka_unit_test(test_gateway_needs_its_family),
                cmocka_unit_test(test_one_gateway_of_a_family),
                cmocka_unit_test(test_number_of_addresses),
                cmocka_unit_test(test_private_users),
                cmocka_unit_test(test_system),
                cmocka_unit_test(test_container_contradictions),
                cmocka_unit_test(test_bind_source),
                cmocka_unit_test(test_unreadable_text),
                IN_DIRECTORY(test_read_file),
                IN_DIRECTORY(test_unreadable_files),
                IN_DIRECTORY(test_file_size),
                cmocka_unit_test(test_finding_hides_control_characters),
                cmocka_unit_test(test_finding_is_utf8),
                cmocka_unit_test(test_long_message_is_utf8),
                cmocka_unit_test(test_finding_shortens_values),
                cmocka_unit_test(test_finding_leaves_out_what_is_missing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
