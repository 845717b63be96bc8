# What the scripts of this folder share; read with `source`.

# Where they keep what they make, beside cargo's own output.
repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
made="$(realpath -m "${CARGO_TARGET_DIR:-$repository/target}")/cuda"

fail() {
    printf 'error: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
    exit 1
}

# The checksum of files, in the order in which they are given, as one.
checksum() { cat -- "$@" | sha256sum | cut -d' ' -f1; }
