# The package for RPM's distributions. Sourced by packaging/build.
# shellcheck shell=bash

build_rpm() {
    needs rpmbuild=rpm
    local tree=$WORK/rpm top=$WORK/rpmbuild
    stage "$tree" zsh/site-functions
    for text in LICENSE-APACHE LICENSE-MIT; do put "$PROJECT/$text" "$tree/usr/share/licenses/tandem/$text"; done
    notices | gzip -9n >"$tree/usr/share/licenses/tandem/NOTICES.gz"
    settle "$tree"
    mkdir -p "$top"
    # Nothing of the building machine: neither its name nor its way to treat files, which are ready as they are.
    rpmbuild -bb --quiet --target "$(machine)-linux" \
        --define "_topdir $top" --define "_dbpath $top/db" --define "_rpmdir $top" --define "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm" \
        --define "tree $tree" --define "tandem_version $VERSION" --define "tandem_revision $REVISION" \
        --define "tandem_compression $([ -n "$FAST" ] && echo 1 || echo 19)" \
        --define "_buildhost localhost" --define "use_source_date_epoch_as_buildtime 1" \
        --define "clamp_mtime_to_source_date_epoch 1" --define "_build_id_links none" \
        "$PACKAGING/rpm/tandem.spec" >"$WORK/rpm.log" 2>&1 || { cat "$WORK/rpm.log" >&2; die "rpmbuild failed"; }
    cp "$top"/tandem-*.rpm "$OUT/"
    done_with "$OUT/tandem-$VERSION-$REVISION.$(machine).rpm"
}
