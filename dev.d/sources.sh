# Which C files the tree has. Sourced by the verbs.

# All .c and .h files that git tracks or would track, NUL separated; without the input of tests.
c_sources() {
    git ls-files -z --cached --others --exclude-standard -- '*.c' '*.h' ':!tests/unit/data' |
        while IFS= read -r -d '' file; do
            [ ! -f "$file" ] || printf '%s\0' "$file"
        done
    return 0
}

# The same, only those that differ from the last commit on origin or, without one, from HEAD.
c_changed() {
    local base
    base=$(git rev-parse -q --verify '@{upstream}' 2>/dev/null || git rev-parse HEAD)
    {
        git diff -z --name-only --diff-filter=d "$base" -- '*.c' '*.h'
        git ls-files -z --others --exclude-standard -- '*.c' '*.h'
    } | sort -z -u
}

# Prints the files whose format differs; fails if there are any.
c_unformatted() {
    local found
    found=$(c_sources | xargs -0 -r clang-format --dry-run -Werror 2>&1 |
        sed -n 's/^\([^:]*\):\([0-9]*\):.*error: code should be.*/\1:\2: not in the format/p' |
        sort -t: -k1,1 -u)
    [ -z "$found" ] || {
        printf '%s\n' "$found"
        return 1
    }
}
