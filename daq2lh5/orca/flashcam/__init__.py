"""FlashCam data in ORCA packets."""
