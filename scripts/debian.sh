# shellcheck shell=sh
# Packages of Debian for setup.sh, which says what goes on by its function `say`:
#
#     debian PACKAGE       installs it, or says why not, and what somebody must do
#
# Whoever else installs something just now is waited for, WAIT seconds at most.

WAIT=${WAIT:-300}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# apt ORDER...: apt-get without questions; what it says is in $said.
apt() {
    waited=0
    while ! said=$(as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q -y "$@" 2>&1); do
        case $said in *"Could not get lock"*) ;; *) return 1 ;; esac
        [ "$waited" -lt "$WAIT" ] || return 1
        [ "$waited" -gt 0 ] ||
            say "somebody else installs packages of Debian just now; waiting, $WAIT s at most"
        sleep 2
        waited=$((waited + 2))
    done
}

debian() {
    if ! as_root true 2>/dev/null; then
        say "$1 of Debian is missing; please run as root: apt-get update; apt-get install $1"
        return 1
    fi
    say "installing $1 of Debian"
    if apt install "$1"; then return 0; fi
    why=$said
    case $said in *"Could not get lock"*) ;; *)
        # A new system knows no package before it has asked. One source of several may be away, which
        # is no failure for apt-get.
        apt update || :
        away=$(echo "$said" | grep -m 1 "Failed to fetch" || :)
        if apt install "$1"; then return 0; fi
        why=$said
        [ -z "$away" ] || why="the sources of packages cannot be reached: ${away#*: }"
        ;;
    esac
    echo "$why" | tail -3 | sed 's/^/setup: /' >&2
    say "please run as root: apt-get update; apt-get install $1"
    return 1
}
