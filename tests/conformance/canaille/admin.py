"""Runs a command of Canaille's own. Its library of SCIM is from before RFC 9865 and gives up on a service that advertises paging by
cursor; here it ignores what it does not know of a service's configuration. What it sends is untouched."""

import sys

from scim2_models import ServiceProviderConfig

from canaille.commands import cli


def main() -> int:
    ServiceProviderConfig.model_config["extra"] = "ignore"
    ServiceProviderConfig.model_rebuild(force=True)
    return cli(prog_name="canaille")


if __name__ == "__main__":
    sys.exit(main())
