/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/base/definition.h"

#include <fcntl.h>

#include "common/base/file.h"
#include "common/base/ini.h"
#include "common/base/name.h"
#include "common/base/parse.h"

#define VETHS_MAX 64 /* [Veth NAME] sections; each is a pair of interfaces */

/* The sections whose lines go into the unit as they are. */
static const char *const pass_through[] = { "Unit", "Service", "Install" };

/* Lines that make the unit a container's: one more or another of them would break it. */
static const struct {
        const char *section, *name, *hint;
} refused[] = {
        { "Unit", "SourcePath", NULL },
        { "Service", "Type", NULL },
        { "Service", "ExecStart", "use Init= or Parameters=" },
        { "Service", "ExecStop", "use ExecStopPost= for more to do" },
        { "Service", "ExecReload", "use ReloadCommand= in [Container]" },
        { "Service", "ExecCondition", "use a Condition...= in [Unit]" },
        { "Service", "KillMode", NULL },
        { "Service", "KillSignal", "use KillSignal= in [Exec]" },
        { "Service", "Delegate", NULL },
        { "Service", "DelegateSubgroup", NULL },
        { "Service", "NotifyAccess", NULL },
        { "Service", "RemainAfterExit", NULL },
        { "Service", "PIDFile", NULL },
        { "Service", "BusName", NULL },
        { "Service", "GuessMainPID", NULL },
        { "Service", "RootDirectory", "use Root= in [Container]" },
        { "Service", "RootImage", "use Root= in [Container]" },
        { "Service", "User", "systemd-nspawn must run as root" },
        { "Service", "Group", "systemd-nspawn must run as root" },
        { "Service", "DynamicUser", "systemd-nspawn must run as root" },
        { "Service", "PrivateNetwork", "use Private= in [Network]" },
        { "Service", "NetworkNamespacePath", NULL },
};

static const char *const install_keys[] = { "WantedBy", "RequiredBy", "UpheldBy", "Alias" };

static void setting_done(Setting *s) {
        free(s->name);
        free(s->value);
}

Definition *definition_free(Definition *d) {
        if (!d)
                return NULL;

        for (size_t i = 0; i < d->n_settings; i++)
                setting_done(&d->settings[i]);
        free(d->settings);
        strv_free(d->files);
        strv_free(d->veths);
        free(d->machine);
        free(d->name);
        free(d);
        return NULL;
}

int definition_new(const char *name, Definition **ret) {
        _cleanup_(definition_freep) Definition *d = malloc(sizeof(Definition));

        if (!d)
                return -ENOMEM;

        *d = (Definition){};
        d->name = strdup(name);
        if (!d->name || definition_name_to_machine(name, &d->machine) < 0)
                return -ENOMEM;

        d->instance = definition_name_instance(d->name);
        if (d->instance && !*d->instance)
                d->instance = "%i";

        *ret = TAKE_PTR(d);
        return 0;
}

/* Takes over @name and @value, also on failure. */
static int add_setting(Definition *d, Setting new) {
        if (new.value) {
                Setting *grown = d->settings;

                if (d->n_settings == d->n_allocated)
                        grown = reallocarray(grown, d->n_allocated * 2 + 16, sizeof(Setting));
                if (grown) {
                        if (d->n_settings == d->n_allocated)
                                d->n_allocated = d->n_allocated * 2 + 16;
                        d->settings = grown;
                        d->settings[d->n_settings++] = new;
                        if (new.key)
                                d->last[key_id(new.key)] = d->n_settings;
                        return 0;
                }
        }

        setting_done(&new);
        return -ENOMEM;
}

/* Take out the settings that are marked by a section that is NULL. */
static void remove_marked(Definition *d) {
        size_t kept = 0;

        memset(d->last, 0, sizeof(d->last));
        for (size_t i = 0; i < d->n_settings; i++) {
                Setting *s = &d->settings[i];

                if (!s->section) {
                        setting_done(s);
                        continue;
                }
                d->settings[kept++] = *s;
                if (s->key)
                        d->last[key_id(s->key)] = kept;
        }
        d->n_settings = kept;
}

static void reset_key(Definition *d, const Key *key, const char *veth) {
        bool any = false;

        for (size_t i = d->last[key_id(key)]; i > 0; i--)
                if (d->settings[i - 1].key == key && d->settings[i - 1].veth == veth) {
                        d->settings[i - 1].section = NULL;
                        any = true;
                }
        if (any)
                remove_marked(d);
}

/* What the lexer's callback works on. */
typedef struct Reader {
        Definition *definition;
        Diags *diags;
        const char *file;         /* borrowed from definition->files */
        const char *section;      /* the keys' section that is being read; else NULL */
        const char *pass_through; /* the unit's section that is being read; else NULL */
        const char *veth;         /* the entry of Definition.veths that is being read, if one is */
        Elements elements;        /* of a line; kept for its room */
} Reader;

static Place place_of(const Reader *r, const IniLine *l) {
        return (Place){ .file = r->file,
                .line = l->line,
                .column = l->column,
                .section = l->section,
                .key = l->key,
                .value = l->value };
}

/* The place of a part of the line's value. */
static Place place_in_value(const Reader *r, const IniLine *l, size_t offset) {
        Place place = place_of(r, l);

        ini_locate(l, offset, &place.line, &place.column);
        return place;
}

static const char *find_pass_through(const char *section) {
        for (size_t i = 0; i < ELEMENTSOF(pass_through); i++)
                if (strcmp(pass_through[i], section) == 0)
                        return pass_through[i];
        return NULL;
}

/* The name in a header "Veth NAME", or NULL if it is none. */
static const char *veth_name(const char *section) {
        const char *rest = str_starts_with(section, SECTION_VETH);

        return rest && (*rest == ' ' || *rest == '\t') ? rest + strspn(rest, " \t") : NULL;
}

/* Return: the entry of Definition.veths, or NULL. */
static const char *find_veth(const Definition *d, const char *name) {
        STRV_FOREACH(v, d->veths)
                if (strcmp(*v, name) == 0)
                        return *v;
        return NULL;
}

static int read_veth_section(Reader *r, const IniLine *l, const char *name) {
        Place place = place_of(r, l);
        int e = 0;

        if (!interface_name_is_valid(name))
                return diags_add(r->diags, SEVERITY_ERROR, &place,
                        "at most 15 characters, no '/', ':', '%', '\\', '*', quotation mark or "
                        "blank",
                        "'%s' is not the name of an interface", name);
        if (strcmp(name, "eth0") == 0 || strcmp(name, "lo") == 0)
                return diags_add(r->diags, SEVERITY_ERROR, &place,
                        "the addresses of eth0 stand in [Network]",
                        "'%s' has this name inside already", name);

        if (!find_veth(r->definition, name)) {
                if (strv_length(r->definition->veths) >= VETHS_MAX)
                        return diags_add(
                                r->diags, SEVERITY_ERROR, &place, NULL, "more than 64 pairs");
                e = strv_extend(&r->definition->veths, name);
        }
        r->section = key_section(SECTION_VETH);
        r->veth = find_veth(r->definition, name);
        return e;
}

static int read_section(Reader *r, const IniLine *l) {
        const char *veth = veth_name(l->section);
        _cleanup_free_ char *hint = NULL;
        Place place = place_of(r, l);

        r->section = r->pass_through = r->veth = NULL;
        if (veth)
                return read_veth_section(r, l, veth);
        if (strcmp(l->section, SECTION_VETH) == 0)
                return diags_add(r->diags, SEVERITY_ERROR, &place, "write [Veth NAME]",
                        "the interface has no name");

        r->section = key_section(l->section);
        r->pass_through = r->section ? NULL : find_pass_through(l->section);
        /* X- is where systemd.syntax(7) lets other programs keep their own. */
        if (r->section || r->pass_through || str_starts_with(l->section, "X-"))
                return 0;

        const char *suggestion = key_suggest_section(l->section);
        if (str_equal(suggestion, "Network"))
                r->definition->misspelt_network = true;
        if (suggestion && str_format(&hint, "did you mean '[%s]'?", suggestion) < 0)
                return -ENOMEM;

        return diags_add(r->diags, SEVERITY_WARNING, &place, hint,
                "unknown section, everything in it is ignored");
}

static int read_unknown_key(const Reader *r, const IniLine *l) {
        _cleanup_free_ char *hint = NULL;
        int e;

        e = key_hint(r->section, l->key, &hint);
        if (e < 0)
                return e;
        if (strcmp(r->section, "Network") == 0)
                r->definition->misspelt_network = true;

        Place place = place_of(r, l);
        return diags_add(r->diags, SEVERITY_WARNING, &place, hint, "unknown key, ignored");
}

static int add_elements(Reader *r, const IniLine *l, const Key *key) {
        for (size_t i = 0; i < r->elements.n; i++) {
                Element *element = &r->elements.items[i];
                Setting new = { .key = key,
                        .section = key->section,
                        .veth = r->veth,
                        .value = TAKE_PTR(element->text),
                        .file = r->file };

                ini_locate(l, element->offset, &new.line, &new.column);
                int e = add_setting(r->definition, new);
                if (e < 0)
                        return e;
        }

        return 0;
}

/* What else somebody who wrote a wrong value may have to know. */
static const char *value_hint(const Key *key, const char *value) {
        if (strstr(value, " #") || strstr(value, " ;"))
                return "a comment needs a line of its own";
        if ((key->type == TYPE_ADDRESS || key->type == TYPE_PORT) && strpbrk(value, " ,"))
                return "one in a line: repeat the key for more";
        return NULL;
}

static int read_own_key(Reader *r, const IniLine *l) {
        const Key *key = key_find(r->section, l->key);
        _cleanup_free_ char *error = NULL;
        size_t offset = 0;
        int e;

        if (!key)
                return read_unknown_key(r, l);
        if (!*l->value) {
                reset_key(r->definition, key, r->veth);
                return 0;
        }

        e = key_parse(key, l->value, r->definition->instance, &r->elements, &error, &offset);
        if (e == -EINVAL) {
                Place place = place_in_value(r, l, offset);
                return diags_add(
                        r->diags, SEVERITY_ERROR, &place, value_hint(key, l->value), "%s", error);
        }
        if (e < 0)
                return e;

        if (!(key->flags & KEY_LIST))
                reset_key(r->definition, key, r->veth);
        return add_elements(r, l, key);
}

/* An empty assignment of [Install] takes back the earlier ones; in [Unit] and [Service] that is for
 * systemd to do. */
static void reset_install(Definition *d, const char *name) {
        for (size_t i = 0; i < d->n_settings; i++) {
                Setting *s = &d->settings[i];

                if (!s->key && strcmp(s->section, "Install") == 0 && strcmp(s->name, name) == 0)
                        s->section = NULL;
        }
        remove_marked(d);
}

static int check_install(Reader *r, const IniLine *l, bool *ret_valid) {
        Place place = place_of(r, l);

        *ret_valid = false;
        for (size_t i = 0; i < ELEMENTSOF(install_keys); i++)
                if (strcmp(install_keys[i], l->key) == 0)
                        *ret_valid = true;
        if (!*ret_valid)
                return diags_add(r->diags, SEVERITY_WARNING, &place,
                        "WantedBy=, RequiredBy=, UpheldBy= and Alias= have an effect",
                        "has no effect in a definition, ignored");

        _cleanup_free_ char *error = NULL;
        const Key like = { .type = TYPE_UNITS };
        const Elements *units = &r->elements;
        size_t offset = 0;
        int e = key_parse(&like, l->value, NULL, &r->elements, &error, &offset);

        for (size_t i = 0; e >= 0 && strcmp(l->key, "Alias") == 0 && i < units->n; i++)
                if (!str_ends_with(units->items[i].text, ".service")) {
                        offset = units->items[i].offset;
                        e = str_format(
                                &error, "'%s' is not the name of a service", units->items[i].text);
                        e = e < 0 ? e : -EINVAL;
                }

        *ret_valid = e >= 0;
        if (e == -EINVAL) {
                place = place_in_value(r, l, offset);
                return diags_add(r->diags, SEVERITY_ERROR, &place, NULL, "%s", error);
        }
        return e;
}

static int read_pass_through(Reader *r, const IniLine *l) {
        const char *section = r->pass_through;
        bool valid = true;
        int e;

        for (size_t i = 0; i < ELEMENTSOF(refused); i++)
                if (*refused[i].name == *l->key && strcmp(refused[i].name, l->key) == 0 &&
                        strcmp(refused[i].section, section) == 0) {
                        Place place = place_of(r, l);

                        return diags_add(r->diags, SEVERITY_ERROR, &place, refused[i].hint,
                                "this line makes the unit a container's and cannot be changed");
                }

        /* systemd would skip a byte order mark in front of a key that is refused above. */
        if (l->key[str_span_alnum(l->key, "-")] != '\0') {
                Place place = place_of(r, l);

                return diags_add(r->diags, SEVERITY_ERROR, &place, NULL,
                        "a key has only letters, digits and '-'");
        }

        if (strcmp(section, "Service") == 0 && str_starts_with(l->key, "Exec") && !*l->value) {
                Place place = place_of(r, l);

                return diags_add(r->diags, SEVERITY_ERROR, &place, NULL,
                        "an empty assignment would remove spawnlet's own lines");
        }

        if (strcmp(section, "Install") == 0) {
                e = check_install(r, l, &valid);
                if (e < 0 || !valid)
                        return e;
                if (!*l->value) {
                        reset_install(r->definition, l->key);
                        return 0;
                }
        }

        Setting new = { .section = section, .name = strdup(l->key), .file = r->file };
        if (!new.name)
                return -ENOMEM;

        new.value = strdup(l->value);
        ini_locate(l, 0, &new.line, &new.column);
        return add_setting(r->definition, new);
}

static int read_line(const IniLine *l, void *userdata) {
        Reader *r = userdata;

        if (!l->key)
                return read_section(r, l);
        if (r->pass_through)
                return read_pass_through(r, l);
        return r->section ? read_own_key(r, l) : 0; /* else it was said at the header */
}

int definition_parse(Definition *d, const char *path, const char *text, size_t size, Diags *diags) {
        int r;

        r = strv_extend(&d->files, path);
        if (r < 0)
                return r;

        Reader reader = {
                .definition = d, .diags = diags, .file = d->files[strv_length(d->files) - 1]
        };
        r = ini_parse(reader.file, text, size, diags, read_line, &reader);
        elements_done(&reader.elements);
        return r;
}

int definition_read(Definition *d, const char *path, Diags *diags) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        r = file_read(AT_FDCWD, path, INI_FILE_MAX, &text, &size);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                const Place place = { .file = path };
                const char *reason = r == -EBADFD ? "not a regular file"
                        : r == -EFBIG             ? "larger than 1 MiB"
                                                  : strerror(-r);

                r = strv_extend(&d->files, path);
                return r < 0 ? r : diags_add(diags, SEVERITY_ERROR, &place, NULL, "%s", reason);
        }

        return definition_parse(d, path, text, size, diags);
}

const Setting *definition_next(const Definition *d, KeyId id, const Setting *previous) {
        for (size_t i = previous ? (size_t) (previous - d->settings) + 1 : 0; i < d->last[id]; i++)
                if (d->settings[i].key == &keys[id])
                        return &d->settings[i];
        return NULL;
}

bool definition_is_template(const Definition *d) {
        return d->instance && strcmp(d->instance, "%i") == 0;
}

WordFlags definition_word_flags(const Definition *d) {
        return definition_is_template(d) ? WORD_INSTANCE : 0;
}

void definition_append_instance(Str *s, const Definition *d) {
        str_append(s, d->name);
        if (definition_is_template(d))
                str_append(s, "%i");
}

const Setting *definition_veth_next(
        const Definition *d, const char *veth, KeyId id, const Setting *previous) {
        do
                previous = definition_next(d, id, previous);
        while (previous && previous->veth != veth);
        return previous;
}

const Setting *definition_pair_next(
        const Definition *d, const char *veth, KeyId id, const Setting *previous) {
        static const KeyId veth_ids[_KEY_MAX] = {
                [KEY_HOST_ADDRESS] = KEY_VETH_HOST_ADDRESS,
                [KEY_LOCAL_ADDRESS] = KEY_VETH_LOCAL_ADDRESS,
                [KEY_BRIDGE] = KEY_VETH_BRIDGE,
                [KEY_ZONE] = KEY_VETH_ZONE,
                [KEY_MAC_ADDRESS] = KEY_VETH_MAC_ADDRESS,
                [KEY_MTU] = KEY_VETH_MTU,
        };

        return veth ? definition_veth_next(d, veth, veth_ids[id], previous)
                    : definition_next(d, id, previous);
}

/* The keys that need the pair with eth0, and those that need a network of one's own. */
static const KeyId veth_keys[] = { KEY_HOST_ADDRESS, KEY_LOCAL_ADDRESS, KEY_GATEWAY, KEY_BRIDGE,
        KEY_ZONE, KEY_MAC_ADDRESS, KEY_MTU, KEY_PORT, KEY_MASQUERADE };
static const KeyId interface_keys[] = { KEY_INTERFACE, KEY_MACVLAN, KEY_IPVLAN };

static bool has_any(const Definition *d, const KeyId *ids, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (definition_find(d, ids[i]))
                        return true;
        return false;
}

bool definition_implies_private(KeyId id) {
        for (size_t i = 0; i < ELEMENTSOF(veth_keys); i++)
                if (veth_keys[i] == id)
                        return true;
        for (size_t i = 0; i < ELEMENTSOF(interface_keys); i++)
                if (interface_keys[i] == id)
                        return true;
        return keys[id].section == keys[KEY_VETH_MTU].section;
}

NetworkKind definition_network(const Definition *d) {
        if (definition_find(d, KEY_NAMESPACE_PATH) || definition_find(d, KEY_NAMESPACE))
                return NETWORK_JOIN;

        /* Rather a network of its own without addresses than the host's, for a typing error. */
        bool implied = d->misspelt_network || d->veths ||
                has_any(d, veth_keys, ELEMENTSOF(veth_keys)) ||
                has_any(d, interface_keys, ELEMENTSOF(interface_keys));

        return definition_boolean(d, KEY_PRIVATE, implied) ? NETWORK_OWN : NETWORK_HOST;
}

bool definition_has_veth(const Definition *d) {
        return definition_find(d, KEY_PRIVATE) || has_any(d, veth_keys, ELEMENTSOF(veth_keys)) ||
                !(d->veths || has_any(d, interface_keys, ELEMENTSOF(interface_keys)));
}

bool users_are_private(const char *private_users, const char *hardening) {
        return private_users ? parse_boolean(private_users) != 0 : !str_equal(hardening, "trusted");
}

bool definition_has_private_users(const Definition *d) {
        return users_are_private(
                definition_value(d, KEY_PRIVATE_USERS), definition_value(d, KEY_HARDENING));
}

bool definition_shifts_users(const Definition *d) {
        const char *users = definition_value(d, KEY_PRIVATE_USERS);

        /* A first user of 0 is the host's root. */
        return definition_has_private_users(d) &&
                !(users &&
                        (strcmp(users, "identity") == 0 || strcmp(users, "0") == 0 ||
                                str_starts_with(users, "0:")));
}

bool definition_maps_root(const Definition *d) {
        const char *ownership = definition_value(d, KEY_PRIVATE_USERS_OWNERSHIP);

        return definition_shifts_users(d) && !definition_find(d, KEY_IMAGE) &&
                (!ownership || strcmp(ownership, "map") == 0);
}

unsigned definition_since(const Definition *d, const Setting *s) {
        unsigned since = s->key ? key_since(s->key, s->value) : 0;

        /* Before, nspawn tried to map the owners of the whole root, when /usr or /var was in place already. */
        if (s->key && key_id(s->key) == KEY_VOLATILE && strcmp(s->value, "no") != 0 &&
                definition_shifts_users(d) &&
                !str_equal(definition_value(d, KEY_PRIVATE_USERS_OWNERSHIP), "off"))
                return MAX(since, 255U);
        return since;
}

bool definition_boots(const Definition *d) {
        return !definition_find(d, KEY_COMMAND);
}

SystemKind definition_system(const Definition *d) {
        const char *system = definition_value(d, KEY_SYSTEM);

        if (!system)
                return SYSTEM_ROOT;
        return strcmp(system, "host") == 0 ? SYSTEM_HOST : SYSTEM_PATH;
}

int definition_root(const Definition *d, char **ret) {
        const char *root = definition_value(d, KEY_ROOT);

        return root ? str_join(ret, root) : str_join(ret, MACHINES_DIR "/", d->machine);
}

/*
 * Take the first of the parts that colons separate, and move *@value to the colon behind it. "\:" is
 * a colon in it, "\\" a backslash; systemd-nspawn(1), --bind=.
 */
static int take_part(const char **value, char **ret) {
        _cleanup_str_ Str s = {};
        const char *p = *value;

        while (*p && *p != ':') {
                if (*p == '\\' && (p[1] == ':' || p[1] == '\\'))
                        p++;

                size_t n = 1 + strcspn(p + 1, ":\\");

                str_append_n(&s, p, n);
                p += n;
        }

        *value = p;
        return str_take(&s, ret);
}

int bind_source(const char *value, char **ret) {
        if (*value == '+') {
                *ret = NULL;
                return 0;
        }

        return take_part(&value, ret);
}

/* Leave out the parts of an absolute path that are empty or ".". */
static void simplify_path(char *path) {
        char *to = path;

        for (const char *p = path; *p;) {
                p += strspn(p, "/");
                size_t n = strcspn(p, "/");

                if (n > 0 && !(n == 1 && *p == '.')) {
                        *to++ = '/';
                        memmove(to, p, n);
                        to += n;
                }
                p += n;
        }
        if (to == path)
                *to++ = '/';
        *to = '\0';
}

/* What stands behind the second colon; empty if there is none. */
static const char *options_of(const char *value) {
        for (unsigned i = 0; i < 2; i++) {
                value = part_end(value);
                value += *value == ':';
        }
        return value;
}

/* The last one counts. */
static bool has_rbind(const char *options) {
        bool rbind = true;

        for (const char *p = options; *p; p += strcspn(p, ","), p += *p == ',')
                if (str_starts_with(p, "rbind") || str_starts_with(p, "norbind"))
                        rbind = *p == 'r';
        return rbind;
}

static Idmap idmap_of(const char *bind_options) {
        static const struct {
                const char *name;
                Idmap idmap;
        } options[] = {
                { "noidmap", IDMAP_NONE },
                { "idmap", IDMAP_SAME },
                { "rootidmap", IDMAP_ROOT },
                { "owneridmap", IDMAP_OWNER },
        };
        Idmap last = IDMAP_UNSET;

        for (const char *p = bind_options; *p; p += strcspn(p, ","), p += *p == ',')
                for (size_t i = 0; i < ELEMENTSOF(options); i++)
                        if (str_starts_with(p, options[i].name))
                                last = options[i].idmap;
        return last;
}

Idmap bind_idmap(const char *value) {
        return idmap_of(options_of(value));
}

void bind_append_mapped(Str *s, const char *value) {
        const char *source_end = part_end(value),
                   *end = *source_end ? part_end(source_end + 1) : source_end;

        str_append(s, value);
        if (!bind_is_live(value) || (*end && idmap_of(end + 1) != IDMAP_UNSET))
                return;

        if (!*source_end)
                str_append_all(s, ":", value); /* mounted in the same place */
        str_append(s, !*end ? ":idmap" : end[1] ? ",idmap" : "idmap");
}

void bind_done(Bind *b) {
        free(b->source);
        free(b->destination);
}

int bind_parse(const char *value, Bind *ret) {
        _cleanup_free_ char *source = NULL, *destination = NULL;
        const char *whole = value, *options = options_of(value);
        int r;

        r = take_part(&value, &source);
        if (r >= 0 && *value) {
                value++;
                r = take_part(&value, &destination);
        }
        if (r >= 0 && (!destination || !*destination))
                r = str_replace(&destination, source);
        if (r < 0)
                return r;
        if (*destination != '/')
                return -EINVAL;

        simplify_path(destination);
        *ret = (Bind){ .source = TAKE_PTR(source),
                .destination = TAKE_PTR(destination),
                .recursive = has_rbind(options),
                .idmap = bind_idmap(whole) };
        return 0;
}

bool bind_is_live(const char *value) {
        return *value == '/'; /* "+/path" is inside, an empty one a temporary directory */
}

int definition_complain(
        Diags *diags, Severity severity, const Setting *s, const char *hint, const char *message) {
        char section[sizeof(SECTION_VETH) + IF_NAMESIZE + 1];
        const Place place = { .file = s->file,
                .line = s->line,
                .column = s->column,
                .section = s->veth ? section : s->section,
                .key = s->key ? s->key->name : s->name,
                .value = s->value };

        if (s->veth)
                (void) snprintf(section, sizeof(section), SECTION_VETH " %s", s->veth);
        return diags_add(diags, severity, &place, hint, "%s", message);
}
