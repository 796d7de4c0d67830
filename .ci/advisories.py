"""The pinned packages against what advisories say of them; a service out of reach is said, and is no all-clear.

Exit status: 0 nothing is known, 1 something is, 3 not all could be checked.
"""

import json
import subprocess
import sys
from typing import Any

NOT_CHECKED = 3


def main(pip_audit: str, *pins: str) -> int:
    """Ask the advisory service about every pin in these files, and say what it knows."""
    files = [word for file in pins for word in ("--requirement", file)]
    options = ["--disable-pip", "--require-hashes", "--vulnerability-service", "osv", "--format", "json"]
    asked = subprocess.run(
        [pip_audit, *files, *options, "--progress-spinner", "off"], capture_output=True, text=True, check=False
    )
    try:
        packages: list[dict[str, Any]] = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        why = (asked.stderr.strip().splitlines() or [f"pip-audit ended with {asked.returncode}"])[-1]
        return _not_checked(f"the advisory service was not reached ({why.partition(':')[0].rpartition('.')[2]})")
    for one in packages:
        for known in one.get("vulns", ()):
            fixed = ", ".join(known["fix_versions"]) or "no version yet"
            print(f"advisories: {one['name']} {one['version']} has {known['id']}, fixed in {fixed}")
    if any(one.get("vulns") for one in packages):
        return 1
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    if skipped or not packages:
        return _not_checked(f"the service does not know {len(skipped)} of {len(packages)} packages")
    print(f"advisories: none is known of {len(packages)} pinned packages")
    return 0


def _not_checked(why: str) -> int:
    print(f"advisories: NOT CHECKED, which is no all-clear: {why}")
    return NOT_CHECKED


sys.exit(main(*sys.argv[1:]))
