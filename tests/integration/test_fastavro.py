"""Python's fastavro and leat's codec agree on random schemas, values and evolutions, both ways."""

import os
import subprocess
import sys

from lib import check, servers

sys.path.insert(0, os.path.join(servers.ROOT, "tests", "interop"))
import fetch  # noqa: E402 - lies in the folder named above


@check.test
def fastavro_and_leat_agree():
    done = subprocess.run(
        [fetch.python(), "tests/interop/codec_oracle.py", servers.tool("integration_codec_oracle"),
         "1500", "20261122"], cwd=servers.ROOT, capture_output=True, text=True, timeout=120,
        check=False)
    if done.returncode != 0:
        raise AssertionError((done.stdout[:1500] + done.stderr[-600:]).strip())
    check.contains(done.stdout, "1500 cases, 0 failed")


if __name__ == "__main__":
    check.main()
