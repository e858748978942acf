# Sourced by scripts/mutate-access and scripts/mutate-faults: a copy of the tree in which texts are exchanged, and its build.
# Expects $here, the tree.

# How often $2 stands in $1.
count() {
    local text=$1 old=$2 times=0
    while [[ $text == *"$old"* ]]; do
        text=${text#*"$old"}
        times=$((times + 1))
    done
    echo "$times"
}

# Whether $3 stands exactly once in the file $2; otherwise that is told of the change $1.
stands_once() {
    local text times
    text=$(cat "$2"; printf .)
    times=$(count "$text" "$3")
    [ "$times" = 1 ] && return
    printf '%s: its text stands %s times in %s\n' "$1" "$times" "$2" >&2
    return 1
}

# In the file $1 of the copy, $3 instead of $2.
exchange() {
    local text
    text=$(cat "$1"; printf .)
    text=${text%.}
    printf '%s%s%s' "${text%%"$2"*}" "$3" "${text#*"$2"}" >"$1"
}

# As it was; its time must be newer than that of the changed one.
put_back() {
    cp "$here/$1" "$1"
    touch "$1"
}

# Copies the tree to $copy (MUTATE_DIR, which stays, or a folder for this run) and goes there.
copy_tree() {
    copy=${MUTATE_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/kinchart-mutate.XXXXXX")}
    [ -n "${MUTATE_DIR:-}" ] || trap 'rm -rf "$copy"' EXIT
    trap 'exit 130' INT TERM
    mkdir -p "$copy/tree"
    # As of now: what a run before this one changed and built last must not be taken for what is newer than the tree.
    tar -C "$here" --exclude=./target --exclude=./.git --exclude=./tests/browser/node_modules -cf - . | tar -C "$copy/tree" -xmf -
    cd "$copy/tree" || exit 1
    # Without what a debugger wants: it is linked sooner.
    export CARGO_TARGET_DIR="$copy/target" RUST_BACKTRACE=0 CARGO_PROFILE_DEV_DEBUG=0 KINCHART_TEST_MOST_WRONG=1
    # What was built of other people's code is the same there: by hard links it costs neither time nor room.
    if [ ! -d "$CARGO_TARGET_DIR/debug" ] && [ -d "$here/target/debug" ]; then
        mkdir -p "$CARGO_TARGET_DIR/debug"
        for part in deps build .fingerprint; do
            cp -al "$here/target/debug/$part" "$CARGO_TARGET_DIR/debug/" 2>/dev/null || { rm -rf "$CARGO_TARGET_DIR/debug"; break; }
        done
        rm -rf "$CARGO_TARGET_DIR"/debug/{deps,build,.fingerprint}/{kinchart,libkinchart,main}-*
    fi
}

build() { cargo test --locked --no-run --test main >"$copy/build.log" 2>&1; }
