"""Hands on where git is, and the authority, to a git that is started with an empty environment."""
import os
import subprocess

begin = subprocess.Popen.__init__


def begin_with_authority(self, *arguments, **keywords):
    if keywords.get("env") == {}:
        keywords["env"] = {name: os.environ[name] for name in ("GIT_SSL_CAINFO", "PATH")}
    begin(self, *arguments, **keywords)


subprocess.Popen.__init__ = begin_with_authority
