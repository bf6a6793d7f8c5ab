#!/bin/bash
# A TPU slice by a queued resource, this checkout's last commit on each of its hosts, and the same command there.
set -eu
name={{name}} zone={{zone}}
ask() { gcloud compute tpus queued-resources describe "$name" --zone="$zone" --format='value(state.state)' 2>/dev/null; }

if [ -z "$(ask || true)" ]; then
  gcloud compute tpus queued-resources create "$name" --node-id="$name" --zone="$zone" \
    --accelerator-type={{accelerator}} --runtime-version={{runtime}}{{spot}}
fi
until [ "$(ask)" = ACTIVE ]; do
  case "$(ask)" in
    '') echo "gcloud does not tell of $name" >&2; exit 1 ;;
    FAILED | SUSPENDED) echo "$name is $(ask); gcloud compute tpus queued-resources delete makes way for another" >&2; exit 1 ;;
  esac
  sleep 30
done
archive=$(mktemp --suffix=.tar.gz)
git -C {{here}} archive --format=tar.gz --output="$archive" HEAD
gcloud compute tpus tpu-vm scp "$archive" "$name":{{folder}}.tar.gz --zone="$zone" --worker=all
gcloud compute tpus tpu-vm ssh "$name" --zone="$zone" --worker=all --command={{remote}}
