#!/bin/sh
# Make the image of builder pods smaller: without package managers with Perl, pip and documentation.
set -eu

library=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
multiarch=$(dirname "$(find /usr/lib -maxdepth 2 -name 'libc.so.6')")

# Python: installers with their bundled files, and developer tools
rm -rf "$library"/ensurepip "$library"/idlelib "$library"/lib2to3 "$library"/pydoc_data \
  "$library"/test "$library"/tkinter "$library"/turtledemo "$library"/config-* \
  "$library"/site-packages/pip* "$library"/site-packages/setuptools* /usr/local/bin/pip* \
  /usr/local/bin/idle* /usr/local/bin/pydoc* /usr/local/bin/python*-config \
  /usr/lib/python3/dist-packages/pip* /usr/share/python-wheels

# apt and dpkg, with Perl, which dpkg's tools need
rm -rf /etc/apt /usr/lib/apt /usr/lib/dpkg /usr/libexec/dpkg /var/lib/apt /var/cache/apt \
  /var/cache/debconf /var/lib/dpkg/info /usr/bin/apt /usr/bin/apt-* /usr/bin/dpkg /usr/bin/dpkg-* \
  /usr/sbin/dpkg-* /usr/bin/deb* /usr/bin/perl* /usr/share/perl* "$multiarch"/perl* \
  "$multiarch"/perl-base "$multiarch"/libapt-* "$multiarch"/libperl*

# Documentation, translations, character set conversions
find /usr/share/doc -type f ! -name copyright -delete
find /usr/share/doc -type l ! -name copyright -delete
find /usr/share/doc -depth -type d -empty -delete
rm -rf /usr/share/man /usr/share/info /usr/share/locale /usr/share/i18n /usr/share/lintian \
  /usr/share/bash-completion "$multiarch"/gconv /var/log/* /tmp/* /root/.cache

# No program may change its user
find / -xdev -type f -perm /6000 -exec chmod a-s {} +

echo 'nonroot:x:65532:65532:operator:/nonexistent:/usr/sbin/nologin' >> /etc/passwd
echo 'nonroot:x:65532:' >> /etc/group

# The root file system is read-only, so modules not compiled now are compiled at every start.
find "$library" -name __pycache__ -type d -prune -exec rm -rf {} +
python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash "$library"
