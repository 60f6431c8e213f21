#!/bin/sh
# Judges each patch in a folder by a policy, as a step of a build: check-patches.sh POLICY FOLDER.
# A file NAME.json is a patch; NAME.current.json, if it is there, the document that is stored.
set -u
policy=$1 folder=$2 worst=0
for patch in "$folder"/*.json; do
  case $patch in *.current.json) continue ;; esac
  current=${patch%.json}.current.json
  if [ -e "$current" ]; then set -- --current "$current"; else set --; fi
  said=$(patchgate explain "$patch" --policy "$policy" "$@")
  case $? in
    0) echo "permitted  $patch" ;;
    1) echo "refused    $patch"; echo "$said" | sed -n '/^refuse/,$p'; worst=1 ;;
    *) echo "not judged $patch"; echo "$said" | tail -n 1; worst=1 ;;
  esac
done
exit $worst
