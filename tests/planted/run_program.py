#!/usr/bin/env python3
"""As an integration test that runs the program under test and is content with it: only the
sanitizer's report can fail it."""

import os
import subprocess

subprocess.run([os.environ["LEAT_BIN"]], stdout=subprocess.DEVNULL, check=False)
print("ok planted_program")
