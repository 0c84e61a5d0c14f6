#!/bin/sh
# cachy @VERSION@: the certificate that clients of this proxy (http://@HOST@/) have to trust.
cat > "${1:-/usr/local/share/ca-certificates/cachy.crt}" <<'END'
@CA@
END
