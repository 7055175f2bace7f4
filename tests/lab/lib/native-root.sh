# Makes the lab's root file system natively and goes into it. Runs as first process of new namespaces.
# native-root.sh LAB_ROOT SHARED_FOLDER INSIDE PROJECT
# shellcheck shell=bash
set -euo pipefail
root=$1
shared=$2
inside=$3
project=$4

mount --make-rprivate /
memory=$(mktemp -d /tmp/tandem-lab.XXXXXX)
mount -t tmpfs -o mode=755 tmpfs "$memory"
mkdir "$memory"/{upper,work,new}
# The lab's programs lie inside /, and the kernel refuses one lower folder inside the other: so they are copied.
cp -a "$root/." "$memory/upper/"
mount -t overlay -o "lowerdir=/,upperdir=$memory/upper,workdir=$memory/work" lab "$memory/new"
cd "$memory/new"

# An overlay doesn't cross mounts: what lies on others is bound in, readable only.
bind_readonly() {
    mkdir -p ".$1"
    mount --bind "$1" ".$1"
    mount -o remount,bind,ro ".$1"
}
for folder in /usr /var /home /opt /srv "$project" "$(readlink -f "$project/target")"; do
    if [ -d "$folder" ] && [ "$(stat -c %d "$folder")" != "$(stat -c %d /)" ]; then bind_readonly "$folder"; fi
done
mkdir -p "./$shared"
mount --bind "$shared" "./$shared"
mount --rbind /dev ./dev
mount -t proc proc ./proc
mount -t sysfs sysfs ./sys
mkdir -p ./.outside
pivot_root . .outside
umount -l /.outside
exec /bin/bash "$inside" "$shared" native
