#!/bin/sh
# cachy @VERSION@: makes this system, mostly a container, trust the proxy that answers as @HOST@.
#
# As root, one of:
#   curl -fsS http://@HOST@/setup.sh | sh
#   wget -qO- http://@HOST@/setup.sh | sh
#   /usr/lib/apt/apt-helper download-file http://@HOST@/setup.sh /tmp/setup.sh && sh /tmp/setup.sh
# A second time it takes what was installed since into account. To take all of it back:
#   sh /usr/local/share/cachy/undo.sh
#
# Clients that have roots of their own get the proxy's beside them, never in their place.

set -eu
umask 022

home=/usr/local/share/cachy
host='@HOST@'

say() { printf 'cachy: %s\n' "$*"; }

fail() {
    printf 'cachy: %s\n' "$*" >&2
    exit 3
}

ca() {
    cat <<'END_OF_CA'
@CA@
END_OF_CA
}

undo_script() {
    cat <<'END_OF_UNDO'
#!/bin/sh
# Takes back what cachy's setup.sh did. A file that nobody has changed since gets its old bytes.
set -eu

home=/usr/local/share/cachy

[ "$(id -u)" = 0 ] || { echo 'cachy: run it as root' >&2; exit 3; }
[ -f "$home/journal" ] || { echo 'cachy: nothing to undo'; exit 0; }

sum() { cksum <"$1" 2>/dev/null || echo gone; }

# What the journal's lines are: KIND NUMBER PATH. The file kept/NUMBER is the old one, where there was
# one; sums/NUMBER tells the new one.
unchanged() { [ -f "$home/sums/$1" ] && [ "$(sum "$2")" = "$(cat "$home/sums/$1")" ]; }

while read -r kind number path; do
    case $kind in
    block | keystore | generated) if unchanged "$number" "$path"; then : >"$home/sums/$number.same"; fi ;;
    anchor) rm -f "$path" ;;
    esac
done <"$home/journal"

# The system's tool makes links to it, and leaves them.
for link in /etc/ssl/certs/*; do
    if [ -L "$link" ] && [ ! -e "$link" ]; then
        case $(readlink "$link") in *cachy.crt | *cachy.pem) rm -f "$link" ;; esac
    fi
done

while read -r kind _ path; do
    if [ "$kind" = refresh ] && command -v "$path" >/dev/null; then
        "$path" >/dev/null 2>&1 </dev/null || echo "cachy: $path failed" >&2
    fi
done <"$home/journal"

while read -r kind number path; do
    case $kind in block | keystore | generated) ;; *) continue ;; esac
    if [ -f "$home/sums/$number.same" ]; then
        if [ -f "$home/kept/$number" ]; then
            cp -p "$home/kept/$number" "$path"
        elif [ "$kind" != generated ] || unchanged "$number" "$path"; then
            rm -f "$path"
        fi
    elif [ -f "$path" ]; then
        case $kind in
        block | generated)
            sed '/^# cachy: begin$/,/^# cachy: end$/d' "$path" >"$home/rest"
            cat "$home/rest" >"$path"
            if [ ! -s "$path" ] && [ ! -f "$home/kept/$number" ]; then rm -f "$path"; fi
            ;;
        keystore)
            read -r keytool <"$home/kept/$number.keytool"
            "$keytool" -delete -alias cachy -keystore "$path" -storepass changeit \
                >/dev/null 2>&1 </dev/null || true
            ;;
        esac
    fi
done <"$home/journal"

# The latest first: a folder is empty when what was made in it is gone.
dirs=
while read -r kind _ path; do
    case $kind in
    made) rm -f "$path" ;;
    folder) dirs="$path
$dirs" ;;
    esac
done <"$home/journal"
rm -rf "$home"
printf '%s' "$dirs" | while read -r path; do
    # A package with roots, installed since, would have made it.
    if [ "$path" = /usr/local/share/ca-certificates ] &&
        command -v update-ca-certificates >/dev/null; then continue; fi
    if [ -n "$path" ]; then rmdir "$path" 2>/dev/null || true; fi
done
echo 'cachy: undone'
END_OF_UNDO
}

# A mark by which the certificate is known wherever it is.
mark() { ca | sed -n 2p; }

trusts() { [ -f "$1" ] && grep -qF -e "$(mark)" "$1"; }

roots() { [ -f "$1" ] && [ "$(grep -c 'BEGIN CERT' "$1")" -gt 1 ]; }

journal() { printf '%s %s %s\n' "$1" "$2" "$3" >>"$home/journal"; }

# folder PATH: makes it, with those above it.
folder() {
    if [ ! -d "$1" ]; then
        folder "$(dirname "$1")"
        mkdir "$1"
        # The state lies in one of them.
        made="${made:-}$1
"
        if [ -d "$home" ]; then journal folder - "$1"; fi
    fi
}

# keep KIND PATH: remembers how a file was. The journal's lines count them.
keep() {
    if grep -q "^[a-z]* [0-9]* $2\$" "$home/journal"; then return; fi
    number=$(grep -c '' "$home/journal" || true)
    if [ -f "$2" ]; then cp -p "$2" "$home/kept/$number"; fi
    journal "$1" "$number" "$2"
}

# block FILE, text on standard input: appends it between marks.
block() {
    folder "$(dirname "$1")"
    keep block "$1"
    if [ -s "$1" ] && [ -n "$(tail -c 1 "$1")" ]; then echo >>"$1"; fi
    { echo '# cachy: begin'; cat; echo '# cachy: end'; } >>"$1"
}

# trust_file WHAT FILE: adds the certificate to a file of roots.
trust_file() {
    file=$(readlink -f "$2")
    if trusts "$file"; then return; fi
    # Root may write to what lies on a disk that can't be written.
    if (: >>"$file") 2>/dev/null; then
        ca | block "$file"
        say "$1: added to $2"
    else
        say "$1: $2 can't be written; not added"
    fi
}

begin() {
    if [ -f "$home/journal" ]; then sh "$home/undo.sh" >/dev/null; fi
    made=
    folder "$home"
    mkdir "$home/kept" "$home/sums"
    # `grep -c` wants a line to begin with.
    echo 'cachy - 1' >"$home/journal"
    printf '%s' "$made" | while read -r path; do
        if [ "$path" != "$home" ]; then journal folder - "$path"; fi
    done
    undo_script >"$home/undo.sh"
    ca >"$home/ca.pem"
}

system() {
    anchor=/usr/local/share/ca-certificates/cachy.crt
    refresh=update-ca-certificates
    if [ -d /etc/pki/ca-trust/source ]; then
        anchor=/etc/pki/ca-trust/source/anchors/cachy.pem
        refresh=update-ca-trust
    elif [ -d /etc/ca-certificates/trust-source ]; then
        anchor=/etc/ca-certificates/trust-source/anchors/cachy.pem
        refresh=update-ca-trust
    elif [ -d /etc/pki/trust/anchors ]; then
        anchor=/etc/pki/trust/anchors/cachy.pem
    fi
    # Where the package with the roots comes later, it finds it there.
    folder "$(dirname "$anchor")"
    ca >"$anchor"
    journal anchor - "$anchor"

    bundle=
    for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
        /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
        if [ -z "$bundle" ] && [ -f "$file" ]; then bundle=$file; fi
    done
    # Where it comes later, it is needed to undo.
    journal refresh - "$refresh"
    if command -v "$refresh" >/dev/null; then
        if [ -n "$bundle" ]; then keep generated "$(readlink -f "$bundle")"; fi
        "$refresh" >"$home/log" 2>&1 </dev/null || say "$refresh failed: $(tail -n 1 "$home/log")"
        rm -f "$home/log"
    fi
    if [ -z "$bundle" ]; then
        # Nothing is trusted here yet, and whoever installs the roots writes this file anew.
        bundle=/etc/ssl/certs/ca-certificates.crt
        if [ ! -f "$bundle" ]; then
            folder "$(dirname "$bundle")"
            keep generated "$bundle"
            ca >"$bundle"
        fi
    fi
    trust_file "system" "$bundle"
    say "system: trusted ($anchor, $bundle)"
}

# Files of roots that the environment names already.
named() {
    for file in "${SSL_CERT_FILE:-}" "${CURL_CA_BUNDLE:-}" "${GIT_SSL_CAINFO:-}" \
        "${REQUESTS_CA_BUNDLE:-}" "${PIP_CERT:-}" "${AWS_CA_BUNDLE:-}" "${NODE_EXTRA_CA_CERTS:-}"; do
        if [ -f "$file" ]; then trust_file "environment" "$file"; fi
    done
}

# java_homes: one a line.
java_homes() {
    {
        printf '%s\n' "${JAVA_HOME:-}"
        if command -v java >/dev/null; then dirname "$(dirname "$(readlink -f "$(command -v java)")")"; fi
        for path in /usr/lib/jvm/* /usr/java/* /opt/* /opt/java/* /usr/local/*; do
            if [ -x "$path/bin/keytool" ] || [ -x "$path/jre/bin/keytool" ]; then readlink -f "$path"; fi
        done
    } | sort -u
}

# each_keystore FUNCTION: calls it with a keystore and its keytool.
each_keystore() {
    java_homes >"$home/java"
    while read -r java; do
        for part in "$java" "$java/jre"; do
            if [ -f "$part/lib/security/cacerts" ] && [ -x "$part/bin/keytool" ]; then
                "$1" "$(readlink -f "$part/lib/security/cacerts")" "$part/bin/keytool"
            fi
        done
    done <"$home/java"
    rm -f "$home/java"
}

# Before the system's own tools write to it.
keep_keystore() {
    keep keystore "$1"
    number=$(grep -n "^keystore [0-9]* $1\$" "$home/journal" | cut -d: -f1)
    echo "$2" >"$home/kept/$((number - 1)).keytool"
}

trust_keystore() {
    if "$2" -list -rfc -keystore "$1" -storepass changeit 2>/dev/null </dev/null | grep -qF -e "$(mark)"; then
        say "java: trusted ($1)"
    elif "$2" -importcert -noprompt -alias cachy -file "$home/ca.pem" -keystore "$1" \
        -storepass changeit >/dev/null 2>&1 </dev/null; then
        say "java: added to $1"
    else
        say "java: $1 has another password than Java's own; not added"
    fi
}

# pip_conf FILE: a section may be there once alone.
pip_conf() {
    if [ -f /etc/pip.conf ] && grep -q '^\[global\]' /etc/pip.conf; then
        keep block /etc/pip.conf
        sed "/^\[global\]/a\\
# cachy: begin\\
cert = $1\\
# cachy: end" /etc/pip.conf >"$home/pip.conf"
        cat "$home/pip.conf" >/etc/pip.conf
        rm -f "$home/pip.conf"
    else
        printf '[global]\ncert = %s\n' "$1" | block /etc/pip.conf
    fi
}

python() {
    certifi=
    for path in /usr /opt /root /home /srv /app /venv "${VIRTUAL_ENV:-}" "${CONDA_PREFIX:-}"; do
        if [ -d "$path" ]; then
            find "$path" -xdev -type f -path '*/certifi/cacert.pem' 2>/dev/null || true
        fi
    done | sort -u >"$home/certifi"
    # What trusts roots of its own, for what is installed later.
    if roots "$bundle"; then certifi=$bundle; fi
    while read -r file; do
        if [ -z "$certifi" ]; then
            cat "$file" "$home/ca.pem" >"$home/python.pem"
            certifi=$home/python.pem
        fi
        trust_file "python" "$file"
    done <"$home/certifi"
    rm -f "$home/certifi"

    # A pip of a later environment brings roots of its own.
    cert=
    if [ -f /etc/pip.conf ]; then cert=$(sed -n 's/^ *cert *= *//p' /etc/pip.conf | tail -n 1); fi
    if [ -n "$cert" ]; then
        if [ -f "$cert" ]; then trust_file "pip" "$cert"; fi
    elif [ -n "$certifi" ] && { command -v python3 || command -v pip; } >/dev/null; then
        pip_conf "$certifi"
        say "pip: cert = $certifi in /etc/pip.conf"
    fi
}

node() {
    if ! command -v npm >/dev/null; then return; fi
    # It leaves logs where it has a home.
    scratch=$(mktemp -d)
    config=$(HOME="$scratch" npm_config_cache="$scratch" npm_config_update_notifier=false \
        npm config get globalconfig 2>/dev/null </dev/null) || config=
    rm -rf "$scratch"
    case $config in /*) ;; *) return ;; esac
    cafile=
    if [ -f "$config" ]; then cafile=$(sed -n 's/^ *cafile *= *//p' "$config" | tail -n 1); fi
    if [ -n "$cafile" ]; then
        if [ -f "$cafile" ]; then trust_file "npm" "$cafile"; fi
        return
    fi
    command node -e 'console.log(require("tls").rootCertificates.join("\n"))' >"$home/npm.pem" </dev/null
    if [ -f "${NODE_EXTRA_CA_CERTS:-}" ]; then cat "$NODE_EXTRA_CA_CERTS" >>"$home/npm.pem"; fi
    cat "$home/ca.pem" >>"$home/npm.pem"
    echo "cafile=$home/npm.pem" | block "$config"
    say "npm: cafile=$home/npm.pem in $config"
}

# What is told to those who come later, by variables: NAME=VALUE, one a line.
variables() {
    # It adds to Node's own roots; the others replace some.
    variable NODE_EXTRA_CA_CERTS "${NODE_EXTRA_CA_CERTS:-}" "$home/ca.pem"
    if roots "$bundle"; then
        variable SSL_CERT_FILE "${SSL_CERT_FILE:-}" "$bundle"
        variable REQUESTS_CA_BUNDLE "${REQUESTS_CA_BUNDLE:-}" "$bundle"
    fi
}

# variable NAME VALUE OURS: where it has a value already, that file got the certificate instead.
variable() {
    if [ -z "$2" ] || [ "$2" = "$3" ]; then echo "$1=$3"; fi
}

environment() {
    variables >"$home/env"
    if [ ! -s "$home/env" ]; then return; fi
    block /etc/environment <"$home/env"
    folder /etc/profile.d
    sed 's/^/export /' "$home/env" >/etc/profile.d/cachy.sh
    journal made - /etc/profile.d/cachy.sh
    say "environment: /etc/environment, /etc/profile.d/cachy.sh"
    if [ -n "${GITHUB_ENV:-}" ]; then
        cat "$home/env" >>"$GITHUB_ENV"
        say "environment: GITHUB_ENV, for the steps that follow"
    fi
    say "for a Dockerfile: ENV $(tr '\n' ' ' <"$home/env")"
}

end() {
    while read -r kind number path; do
        case $kind in
        block | keystore | generated) if [ -f "$path" ]; then cksum <"$path" >"$home/sums/$number"; fi ;;
        esac
    done <"$home/journal"
    say "to take it back: sh $home/undo.sh"
}

main() {
    case ${1:-} in
    '') ;;
    undo)
        if [ -f "$home/undo.sh" ]; then exec sh "$home/undo.sh"; fi
        say 'nothing to undo'
        return
        ;;
    *) fail "it knows no argument but undo: $1" ;;
    esac
    [ "$(id -u)" = 0 ] || fail "run it as root: curl -fsS http://$host/setup.sh | sudo sh"
    begin
    each_keystore keep_keystore
    system
    named
    each_keystore trust_keystore
    python
    node
    environment
    end
}

# At the very end, so that half a script does nothing.
main "$@"
