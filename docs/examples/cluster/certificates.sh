#!/bin/sh
# Certificates for a cluster of one's own, and the settings that make Dask use them: sh certificates.sh FOLDER
# Scheduler, workers and campaign need the folder, which nobody else may read, and DASK_CONFIG=FOLDER/tls.yaml.
set -eu
umask 077
mkdir -p "$1"
folder=$(cd "$1" && pwd)
openssl req -x509 -newkey rsa:3072 -sha256 -nodes -days 365 -subj "/CN=hippo-verify" \
    -keyout "$folder/key.pem" -out "$folder/certificate.pem" 2>/dev/null
cat > "$folder/tls.yaml" <<EOF
distributed:
  comm:
    require-encryption: true
    tls:
      ca-file: $folder/certificate.pem
      scheduler: {key: $folder/key.pem, cert: $folder/certificate.pem}
      worker: {key: $folder/key.pem, cert: $folder/certificate.pem}
      client: {key: $folder/key.pem, cert: $folder/certificate.pem}
EOF
echo "export DASK_CONFIG=$folder/tls.yaml"
