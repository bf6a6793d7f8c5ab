#!/bin/bash
# A JobSet on GKE, by Cluster Toolkit: this folder is put on top of an image, and every host runs the same command.
set -eu
cd {{here}}
: "${GCLUSTER_IMAGE_REPO:?names the Artifact Registry repository that the image goes to}"
gcluster job submit --cluster={{cluster}} --location={{zone}} --name={{name}} \
  --base-image={{image}} --build-context=. \
  --compute-type={{accelerator}} \
  --command={{remote}}
