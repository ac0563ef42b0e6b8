#!/usr/bin/env python3
"""What a newcomer built with the installed package, from an empty folder to a changed system."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib import check, installed, kafka, pg, servers  # noqa: E402

NAME = "newshop"
FOREIGN = "newshop_psp"
WALK = os.path.join(servers.ROOT, "tests", "newcomer", "walk.sh")
PRODUCE = f"{sys.executable} {os.path.abspath(__file__)} --produce"


def forget():
    pg.drop_schema(NAME)
    kafka.delete(*kafka.topics(f"{NAME}."), *kafka.topics(FOREIGN))


@check.test
def the_whole_way():
    forget()
    kafka.create(FOREIGN, 3)
    project = installed.Project(installed.stage())
    env = {**project.env, "HTTP_LISTEN": f"127.0.0.1:{servers.free_port()}", "PRODUCE": PRODUCE,
           "CMAKE_PREFIX_PATH": project.prefix}
    done = subprocess.run(["bash", WALK], cwd=project.dir, env=env, capture_output=True, text=True,
                          timeout=240, check=False)
    check.equal(done.returncode, 0, (done.stdout + done.stderr)[-1500:])
    check.equal(done.stdout.splitlines()[-1], "== done")


check.at_end(forget)

if __name__ == "__main__":
    if sys.argv[1:2] == ["--produce"]:
        kafka.produce(FOREIGN, [(sys.argv[2], sys.argv[3], {})])
    else:
        check.main()
