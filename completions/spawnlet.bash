# bash completion for spawnlet(1)                              -*- shell-script -*-
# SPDX-License-Identifier: LGPL-2.1-or-later

# The names of containers, one on a line: the first column of the table. Quiet where there is no
# bus, or no spawnlet.
_spawnlet_names() {
    local name rest

    spawnlet list 2>/dev/null | tail -n +2 | while read -r name rest; do
        printf '%s\n' "$name"
    done
}

# Directories, and files that end in .container.
_spawnlet_files() {
    local cur=$1 entry

    compopt -o filenames 2>/dev/null
    while IFS= read -r entry; do
        [[ -d $entry || $entry == *.container ]] && COMPREPLY+=("$entry")
    done < <(compgen -f -- "$cur")
}

_spawnlet() {
    local cur=${COMP_WORDS[COMP_CWORD]}
    local verbs='list status start stop restart reload diff apply check show cat unit keys show-ip run shell help'
    local options='-h --help --version --json --strict --dry-run --no-ask-password'
    local verb='' name='' i

    COMPREPLY=()

    # Options may stand anywhere in front of a command for the inside.
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -* ]] && continue
        if [[ -z $verb ]]; then
            verb=${COMP_WORDS[i]}
        elif [[ -z $name ]]; then
            name=${COMP_WORDS[i]}
        fi
    done

    # What follows the name is inside the container: nothing that is known here.
    if [[ $verb == run || $verb == shell ]] && [[ -n $name ]]; then
        return
    fi

    if [[ $cur == -* ]]; then
        case $verb in
        '') ;;
        list | diff | show | keys | show-ip) options='--help --json' ;;
        apply) options='--help --json --dry-run' ;;
        check) options='--help --json --strict' ;;
        start | stop | restart | reload | run | shell) options='--help --no-ask-password' ;;
        *) options='--help' ;;
        esac
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
        return
    fi

    case $verb in
    '')
        mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur")
        ;;
    status | start | stop | restart | reload | diff | apply | run | shell)
        mapfile -t COMPREPLY < <(compgen -W "$(_spawnlet_names)" -- "$cur")
        ;;
    show-ip)
        [[ -n $name ]] || mapfile -t COMPREPLY < <(compgen -W "$(_spawnlet_names)" -- "$cur")
        ;;
    check | show | cat | unit)
        mapfile -t COMPREPLY < <(compgen -W "$(_spawnlet_names)" -- "$cur")
        _spawnlet_files "$cur"
        ;;
    esac
}

complete -F _spawnlet spawnlet
